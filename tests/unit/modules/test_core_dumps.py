"""No process that sees personal data leaves its memory on a disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clean_env import clean_env

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="core dumps of Linux")

ABORT = "import os; os.abort()"
FORBID = "from modules.common.core_dumps import forbid_core_dumps; forbid_core_dumps(); "
TELL = (
    "import ctypes, resource; print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
)


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", 'ulimit -c unlimited 2>/dev/null; exec "$0" "$@"', sys.executable, "-c", code]
    return subprocess.run(command, env=clean_env(home), cwd=home, capture_output=True, text=True, check=False)


def test_the_limit_is_none_and_the_memory_is_closed(tmp_path: Path) -> None:
    assert run(FORBID + TELL, tmp_path).stdout.strip() == "(0, 0) 0"
    assert not run(TELL, tmp_path).stdout.strip().endswith("(0, 0) 0"), "without it, this would be otherwise"


def test_a_crash_leaves_nothing(tmp_path: Path) -> None:
    assert run(FORBID + ABORT, tmp_path).returncode == -6
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("module", ["client", "server_stub"])
def test_the_programs_forbid_it_first(module: str, tmp_path: Path) -> None:
    """The program's own entry: it ends with its words about a wrong command line, and has forbidden them by then."""
    code = (
        "import runpy, sys, atexit\n"
        f"atexit.register(lambda: exec({TELL!r}))\n"
        f"sys.argv = ['x', '--self-test', '--nonsense']\n"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    assert run(code, tmp_path).stdout.strip() == "(0, 0) 0"
