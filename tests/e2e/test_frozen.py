"""The frozen program proves itself: its self-test opens the window, signs in and does the path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from installer import bundle
from installer.environment import ROOT
from tests.support.clean_env import clean_env

pytestmark = pytest.mark.full
FOLDER = ROOT / "dist/govdesk"


@pytest.fixture(scope="module")
def program() -> Path:
    """The program, built now."""
    done = subprocess.run([sys.executable, ROOT / "run", "build"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return FOLDER / ("govdesk.exe" if sys.platform == "win32" else "govdesk")


def test_the_frozen_program_passes_its_own_test(program: Path, tmp_path: Path) -> None:
    env = clean_env(tmp_path / "home")
    del env["PYTHONPATH"]
    done = subprocess.run([program, "--self-test"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def test_nothing_under_the_gpl_is_shipped(program: Path) -> None:
    shipped = [path.name for path in program.parent.rglob("*") if path.is_file()]
    assert not [name for name in shipped if bundle.is_gpl(name)]
    assert any("Qt6Widgets" in name for name in shipped)
