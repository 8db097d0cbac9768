"""A second start brings its files to the program that runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QObject
from PySide6.QtNetwork import QLocalSocket

from client.shell.handover import Receiver, _name, hand_over


def second_start(qtbot: Any, profile: Path, *files: Path) -> bool:
    """Whether another process, which brings files, is heard."""
    code = "import sys; from pathlib import Path; from client.shell.handover import hand_over; "
    code += "sys.exit(0 if hand_over(Path(sys.argv[1]), [Path(each) for each in sys.argv[2:]]) else 7)"
    process = subprocess.Popen([sys.executable, "-c", code, str(profile), *map(str, files)])
    try:
        qtbot.waitUntil(lambda: process.poll() is not None, timeout=20_000)
    finally:
        process.kill()
        process.wait()
    return process.returncode == 0


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    return tmp_path


def test_files_reach_the_running_program(here: Path, qtbot: Any, qapp: QObject) -> None:
    came: list[Path] = []
    receiver = Receiver(here / "profile", came.append, qapp)
    receiver.listen()
    for _ in range(2):
        assert second_start(qtbot, here / "profile", here / "请示 1.ofd", Path("relative.pdf"))
    assert came == [here / "请示 1.ofd", Path.cwd() / "relative.pdf"] * 2
    assert not second_start(qtbot, here / "other", here / "x.pdf"), "another profile is another program"
    receiver.close()
    assert not hand_over(here / "profile", [here / "x.pdf"])


@pytest.mark.parametrize("said", [b"not json\n", b'{"a": 1}\n', b"5\n", b"[1, null]\n", b"x" * 70_000])
def test_what_is_no_list_of_files_opens_nothing(here: Path, qtbot: Any, qapp: QObject, said: bytes) -> None:
    came: list[Path] = []
    receiver = Receiver(here / "profile", came.append, qapp)
    receiver.listen()
    socket = QLocalSocket()
    socket.connectToServer(_name(here / "profile"))
    assert socket.waitForConnected(2_000)
    socket.write(said)

    def answered() -> bool:
        return bool(socket.bytesAvailable()) or socket.state() == QLocalSocket.LocalSocketState.UnconnectedState

    qtbot.waitUntil(answered, timeout=5_000)
    assert not came
    receiver.close()
