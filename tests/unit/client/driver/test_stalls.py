"""The watch over the GUI thread: finds who blocked it, and blames nobody for a busy machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from client.driver.stalls import KEPT, StallWatch, waited_for_processor

BLOCKED_S = 0.25


class Machine:
    """Says for how long it kept each thread waiting: the GUI thread when told, the watch ``each_time`` it posts."""

    def __init__(self) -> None:
        self.gui = 0.0
        self.watch = 0.0
        self.each_time = 0.0

    def __call__(self, native_id: int) -> Callable[[], float]:
        if native_id == threading.main_thread().native_id:
            return lambda: self.gui
        return self._of_the_watch

    def _of_the_watch(self) -> float:
        self.watch += self.each_time
        return self.watch


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def watch(qtbot: QtBot, machine: Machine) -> Iterator[StallWatch]:
    made = StallWatch(waited=machine)
    made.start()
    qtbot.wait_until(lambda: bool(made.longest))
    yield made
    made.stop()


def block_on_purpose() -> None:
    time.sleep(BLOCKED_S)


def found(qtbot: QtBot, watch: StallWatch) -> None:
    """Wait until the watch has heard of the block."""
    qtbot.wait_until(lambda: watch.longest[0].delay_ms > BLOCKED_S * 900)


def test_a_blocked_gui_thread_is_found_with_who_blocked_it(qtbot: QtBot, watch: StallWatch, tmp_path: Path) -> None:
    QTimer.singleShot(20, block_on_purpose)
    found(qtbot, watch)
    watch.stop()
    worst = watch.longest[0]
    # the event may come at any time after the block began, at most a watch's turn later
    assert worst.ms == worst.delay_ms > BLOCKED_S * 900
    assert worst.stack[0].endswith("block_on_purpose")
    assert len(watch.longest) <= KEPT
    watch.write(tmp_path / "deep" / "stalls.json")
    said = json.loads((tmp_path / "deep" / "stalls.json").read_text("utf-8"))["stalls"]
    assert said[0]["ms"] == worst.ms
    assert [stall["ms"] for stall in said] == sorted((stall["ms"] for stall in said), reverse=True)


def test_a_machine_that_keeps_the_window_waiting_is_not_blamed_on_it(
    qtbot: QtBot, watch: StallWatch, machine: Machine
) -> None:
    def starve() -> None:
        block_on_purpose()
        machine.gui += BLOCKED_S

    QTimer.singleShot(20, starve)
    qtbot.wait_until(lambda: machine.gui > 0)
    qtbot.wait(50)
    watch.stop()
    assert not [stall for stall in watch.longest if stall.ms > BLOCKED_S * 900]


def test_the_watch_being_late_itself_is_not_blamed_on_the_window(
    qtbot: QtBot, watch: StallWatch, machine: Machine
) -> None:
    machine.each_time = BLOCKED_S
    QTimer.singleShot(20, block_on_purpose)
    qtbot.wait_until(lambda: watch.late_ms > 0)
    qtbot.wait(int(BLOCKED_S * 2000))
    watch.stop()
    assert watch.late_ms == pytest.approx(BLOCKED_S * 1000)
    assert not [stall for stall in watch.longest if stall.ms > BLOCKED_S * 900]


def test_work_for_somebody_else_is_excused(qtbot: QtBot, machine: Machine) -> None:
    drivers = Machine()
    watch = StallWatch(waited=machine, excused=lambda: drivers.gui)
    watch.start()
    qtbot.wait_until(lambda: bool(watch.longest))

    def drive() -> None:
        block_on_purpose()
        drivers.gui += BLOCKED_S

    QTimer.singleShot(20, drive)
    qtbot.wait_until(lambda: drivers.gui > 0)
    qtbot.wait(50)
    watch.stop()
    assert not [stall for stall in watch.longest if stall.ms > BLOCKED_S * 900]


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux tells")
def test_linux_tells_of_waiting_for_a_processor() -> None:
    waited = waited_for_processor(threading.get_native_id())
    before = waited()
    crowd = [threading.Thread(target=lambda: sum(range(10**6))) for _ in range(4)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert waited() >= before >= 0
