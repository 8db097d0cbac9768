"""The window hears the system lock: logind and a screensaver, played by processes on real buses of the test's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from client.shell.system_lock import LOGIND, SystemLock
from tests.support.buses import Publisher, bus, publisher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="D-Bus is Linux's")
MANAGER = "/org/freedesktop/login1"
GNOME = "org.gnome.ScreenSaver"
FREEDESKTOP = "org.freedesktop.ScreenSaver"


class Heard:
    """A listener on two private buses with a publisher on each."""

    def __init__(self, lock: SystemLock, logind: Publisher, saver: Publisher) -> None:
        self.lock = lock
        self.logind = logind
        self.saver = saver
        self.times = 0
        lock.locked.connect(self._count)

    def _count(self) -> None:
        self.times += 1


@pytest.fixture
def heard(qtbot: Any, tmp_path: Path) -> Iterator[Heard]:
    with (
        bus(tmp_path / "system") as system,
        bus(tmp_path / "session") as session,
        publisher(system, tmp_path / "a", LOGIND) as logind,
        publisher(session, tmp_path / "b", GNOME, FREEDESKTOP) as saver,
    ):
        lock = SystemLock(system=system, session=session)
        lock.start(0)
        qtbot.waitUntil(lambda: lock.listening == 2, timeout=10_000)
        yield Heard(lock, logind, saver)
        lock.stop()


def test_each_way_of_locking_is_heard(qtbot: Any, heard: Heard) -> None:
    ways = (
        (heard.logind, f"{MANAGER}/session/_32", f"{LOGIND}.Session", "Lock", None),
        (heard.logind, MANAGER, f"{LOGIND}.Manager", "PrepareForSleep", True),
        (heard.saver, "/org/gnome/ScreenSaver", GNOME, "ActiveChanged", True),
        (heard.saver, "/org/freedesktop/ScreenSaver", FREEDESKTOP, "ActiveChanged", True),
        (heard.saver, "/ScreenSaver", FREEDESKTOP, "ActiveChanged", True),
    )
    for said, (emitter, path, interface, name, value) in enumerate(ways, 1):
        emitter.emit(path, interface, name, value)
        qtbot.waitUntil(lambda: heard.times == said, timeout=10_000)  # noqa: B023 - waited for inside the turn


def test_waking_and_unlocking_lock_nothing(qtbot: Any, heard: Heard) -> None:
    heard.logind.emit(MANAGER, f"{LOGIND}.Manager", "PrepareForSleep", False)
    heard.logind.emit(f"{MANAGER}/session/_32", f"{LOGIND}.Session", "Unlock")
    heard.saver.emit("/org/gnome/ScreenSaver", GNOME, "ActiveChanged", False)
    # each bus keeps order: what is heard now was said after all that must not be
    heard.logind.emit(f"{MANAGER}/session/_32", f"{LOGIND}.Session", "Lock")
    qtbot.waitUntil(lambda: heard.times >= 1, timeout=10_000)
    heard.saver.emit("/org/gnome/ScreenSaver", GNOME, "ActiveChanged", True)
    qtbot.waitUntil(lambda: heard.times >= 2, timeout=10_000)
    assert heard.times == 2


def test_whoever_is_not_logind_locks_nothing(qtbot: Any, heard: Heard) -> None:
    heard.saver.emit(MANAGER, f"{LOGIND}.Session", "Lock")
    heard.saver.emit("/org/gnome/ScreenSaver", GNOME, "ActiveChanged", True)
    qtbot.waitUntil(lambda: heard.times >= 1, timeout=10_000)
    assert heard.times == 1


def test_after_its_end_nothing_is_heard(qtbot: Any, heard: Heard) -> None:
    heard.lock.stop()
    heard.logind.emit(MANAGER, f"{LOGIND}.Manager", "PrepareForSleep", True)
    heard.lock.start(0)
    qtbot.waitUntil(lambda: heard.lock.listening == 2, timeout=10_000)
    heard.logind.emit(f"{MANAGER}/session/_32", f"{LOGIND}.Session", "Lock")
    qtbot.waitUntil(lambda: heard.times >= 1, timeout=10_000)
    assert heard.times == 1


def test_without_any_bus_nothing_breaks(qtbot: Any) -> None:
    lock = SystemLock(system="unix:path=/nowhere/bus", session="unix:path=/nowhere/bus")
    lock.start(0)
    lock.stop()
    assert lock.listening == 0
