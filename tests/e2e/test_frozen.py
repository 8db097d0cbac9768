"""The frozen program proves itself: its self-test opens the window, signs in and does the path."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from installer import bundle
from installer.environment import ROOT
from modules.acceptance.domain.cases import CASE
from modules.common.aggregate import Command, Context, Number, apply
from modules.common.calendar import WorkCalendar
from modules.common.errors import Refusal
from tests.support.clean_env import clean_env
from tests.support.fake_host import NOW, actor, filled, item

pytestmark = pytest.mark.full
FOLDER = ROOT / "dist/govdesk"
PROBE = """
import json
from datetime import UTC, datetime

from client.data.search import words
from modules.acceptance.services.papers import FORMATS, RECEIPT, Origin, make


def main(arguments):
    case = json.loads(open(arguments[0], encoding="utf-8").read())
    origin = Origin("示范大厅", "1", datetime(2026, 11, 20, tzinfo=UTC))
    made = {format: len(make(RECEIPT, case, origin, format).data) for format in FORMATS}
    print(json.dumps({"papers": made, "words": words("张三")}))
    return 0
"""


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


def test_papers_and_pinyin_work_where_the_self_test_does_not_go(program: Path, tmp_path: Path) -> None:
    """Libraries that open files of their own by name: these must be in the folder, too."""
    served = item()
    number, refs = Number("3411A", 42), {("service_item", served["id"]): served}
    accept = Command("c", "case", "0199f2a4-0000-7000-8000-0000000000aa", "case.accept", filled(served), number=number)
    outcome = apply(CASE, None, accept, Context(NOW, actor(), WorkCalendar(), "3号窗", refs))
    assert not isinstance(outcome, Refusal)
    (tmp_path / "case.json").write_text(json.dumps(outcome[0]), "utf-8")
    probe = program.parent / "_internal/probe"
    probe.mkdir()
    try:
        (probe / "__init__.py").touch()
        (probe / "__main__.py").write_text(PROBE, "utf-8")
        command = [program, "--part", "probe", tmp_path / "case.json"]
        env = clean_env(tmp_path / "home")
        del env["PYTHONPATH"]
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    finally:
        shutil.rmtree(probe)
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout)
    assert min(told["papers"].values()) > 1000
    assert "zs" in told["words"].split()
