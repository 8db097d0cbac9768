"""A working day in minutes: the window is driven without a pause while another counter accepts, and memory stays.

By hand: ``./test --full -k soak``; ``GOVDESK_SOAK_MINUTES`` makes it longer.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from client.data.profile import Profile
from client.driver.client import Driven
from modules.common.clock import SystemClock
from sync.accounts import Accounts
from sync.engine import SyncEngine
from sync.loop import SyncLoop
from tests.perf.conftest import PERSON, Counter
from tests.perf.harness import report
from tests.support.faults.counter import CHEAP, body, wait_for_item

T = TypeVar("T")
pytestmark = pytest.mark.full
MINUTES = float(os.environ.get("GOVDESK_SOAK_MINUTES", "6"))
WARM = 0.35
"""The share of the time in which pages are made, caches filled and the allocator finds its size."""
SWITCHES_PER_DAY = 1000
"""Pages that somebody opens in eight hours: one in half a minute."""
MOST_MIB_PER_DAY = 40.0
PATIENCE = 60.0
EACH_S = 3.0
"""Seconds between two cases of the other counter."""


def resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def slope(points: list[tuple[float, float]]) -> float:
    """The least squares' line through the points: how much y grows with x."""
    x, y = (sum(each) / len(points) for each in zip(*points, strict=True))
    return sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a, _ in points)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_stays_over_a_working_day(counter: Counter, tmp_path: Path) -> None:
    with (
        neighbour(counter, tmp_path / "other") as accepted_ids,
        Driven.launch("--profile", str(counter.profile), "--server", counter.server, env=counter.env) as window,
    ):
        window.click("张三 · 窗口人员", timeout=PATIENCE)
        window.wait("首页", role="part", timeout=PATIENCE)
        rounds, points = drive(window)
        assert window.quit() == 0
    accepted = len(accepted_ids)
    warm = points[int(len(points) * WARM) :]
    per_switch = slope([(float(switches), mib) for switches, mib in warm])
    report(f"soak, {MINUTES:g} min: rounds of pages and searches", rounds, "", rounds)
    report("soak: cases that another counter accepted meanwhile", accepted, "", accepted)
    report("soak: memory at the end", warm[-1][1], "MiB", 400)
    report("soak: growth in a day of 1000 pages", per_switch * SWITCHES_PER_DAY, "MiB", MOST_MIB_PER_DAY)
    assert accepted > 0
    assert per_switch * SWITCHES_PER_DAY <= MOST_MIB_PER_DAY


@contextmanager
def neighbour(counter: Counter, folder: Path) -> Iterator[list[str]]:
    """Another counter of the hall that accepts a case each few seconds; the list of their ids grows."""
    accepted: list[str] = []
    enough = threading.Event()
    guard = threading.Lock()

    def alone(work: Callable[[], T], /) -> T:
        with guard:
            return work()

    def accept() -> None:
        version = wait_for_item(store, loop)
        while not enough.wait(EACH_S):
            new = alone(store.new_id)
            accept = body(version, len(accepted))
            alone(partial(store.give, "case", new, "case.accept", accept, numbered=True))
            loop.poke()
            accepted.append(new)

    with Profile(folder) as profile:
        accounts = Accounts(profile, SystemClock(), cost=CHEAP)
        accounts.enrol(counter.server, counter.code, "2号窗")
        store = accounts.sign_in("lisi", PERSON["password"]).store
        loop = SyncLoop(SyncEngine(store, SystemClock(), random.Random(1)), accounts.transport, alone)
        loop.start()
        working = threading.Thread(target=accept, name="neighbour")
        working.start()
        try:
            yield accepted
        finally:
            enough.set()
            working.join()
            loop.stop()
            accounts.close()


def drive(window: Driven) -> tuple[int, list[tuple[int, float]]]:
    """Go round the pages until time is up; how often, and the memory (MiB) after so many pages."""
    points: list[tuple[int, float]] = []
    rounds = switches = 0
    end = time.monotonic() + MINUTES * 60
    while time.monotonic() < end:
        for keys, shown in (("Ctrl+1", "一窗受理"), ("Ctrl+2", "查找办件"), ("Alt+Home", "首页")):
            window.key(keys)
            window.wait(shown, timeout=PATIENCE)
            switches += 1
        window.key("Ctrl+2")
        window.wait("查找办件", timeout=PATIENCE)
        window.type(("训练", "xl", "居住", "1380", "无此人")[rounds % 5], into="查找办件")
        window.key("Down")
        window.key("Escape", into="查找办件")
        window.key("Ctrl+K")
        window.type("训练")
        window.key("Escape")
        switches += 2
        rounds += 1
        points.append((switches, resident_mib(window.process.pid)))
    return rounds, points
