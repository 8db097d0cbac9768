"""The loop: one thread that starts, stops in time, and outlives every error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

from client.data.store import Store
from modules.common.clock import FixedClock, iso
from modules.common.errors import GovDeskError
from sync.engine import Policy, Pull, SyncEngine, SyncStatus, Wait
from sync.loop import STEP_LIMIT, ReadAhead, SyncLoop, pull, run_here
from sync.protocol import ChangesReply
from sync.transport import InMemoryTransport
from tests.support.reference_server import Person, ReferenceServer, rules_of

T = TypeVar("T")
NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


class Bench:
    def __init__(self, path: Path) -> None:
        self.clock = FixedClock(NOW)
        self.server = ReferenceServer(self.clock)
        self.transport = InMemoryTransport(self.server, self.server.add_device("d-1"))
        self.store = Store.open(path, b"k" * 32, self.clock, rules=rules_of)
        self.store.open_session(self.server.statement(Person("zhang", "x"), "d-1"), "3号窗", "T1")
        self.engine = SyncEngine(self.store, self.clock, Random(1), Policy())
        self.told: list[SyncStatus] = []
        self.idle = threading.Event()

    def loop(self, run: Any = run_here) -> SyncLoop:
        return SyncLoop(self.engine, self.transport, run, on_status=self.told.append, clock=self.clock)

    def give(self) -> None:
        self.store.give("note", self.store.new_id(), "note.open", {"title": "一"})

    def settle(self, loop: SyncLoop) -> float:
        """Step until it wants to wait; how long."""
        for _ in range(50):
            if seconds := loop.step():
                return seconds
        raise AssertionError("it never rests")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "store.db")
    yield bench
    bench.store.close()


def test_a_round_brings_everything_there_and_here(bench: Bench) -> None:
    bench.server.publish("ink", "blue", {"id": "blue"})
    bench.give()
    assert bench.settle(bench.loop()) > 0
    assert bench.store.tally().waiting == 0
    assert bench.store.tally().serials == 200
    assert bench.store.get("ink", "blue") is not None
    assert (bench.told[-1].state, bench.told[-1].waiting) == ("online", 0)
    assert len(bench.told) == len(set(bench.told))


def test_it_runs_on_a_thread_of_its_own_and_uses_the_store_on_its_owners(bench: Bench) -> None:
    """Real threads; what is waited for are events, with a bound that only a hang reaches."""
    bench.give()
    done = threading.Event()
    users: set[str] = set()
    guard = threading.Lock()

    def run(work: Callable[[], T]) -> T:
        with guard:
            users.add(threading.current_thread().name)
            result = work()
            if isinstance(result, Wait):
                done.set()
            return result

    loop = bench.loop(run)
    loop.start()
    assert done.wait(30)
    done.clear()
    with guard:
        bench.give()
    loop.poke()
    assert done.wait(30)
    assert loop.stop()
    assert users == {"sync"}
    assert bench.store.tally().waiting == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "sync"]


def test_it_can_be_stopped_before_it_was_started(bench: Bench) -> None:
    assert bench.loop().stop()


def test_errors_are_logged_once_per_kind_until_something_succeeds(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    loop = bench.loop()
    bench.transport.online = False
    for _ in range(10):
        bench.clock.advance(bench.settle(loop))
    assert len(caplog.records) == 1
    bench.transport.online = True
    bench.settle(loop)
    bench.transport.online = False
    bench.clock.advance(10)
    bench.settle(loop)
    assert len(caplog.records) == 2
    assert bench.told[-1].reason == "NET-001"


def test_no_error_ends_it(bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    loop = bench.loop()
    with monkeypatch.context() as patch:
        patch.setattr(bench.transport, "lease", lambda *_: 1 / 0)
        bench.settle(loop)
    assert "ZeroDivisionError" in caplog.text
    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "tally", lambda: 1 / 0)
        assert loop.step() >= 0
    full = GovDeskError("DATA-010", "磁盘满")

    def fail(*_: object, **__: object) -> None:
        raise full

    bench.give()
    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "settle", fail)
        bench.clock.advance(100)
        bench.settle(loop)
        assert bench.engine.status.reason == "DATA-010"
    bench.clock.advance(100)
    bench.settle(loop)
    assert bench.engine.status.state == "online"
    assert bench.store.tally().waiting == 0


def test_a_listener_that_fails_is_noted(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def broken(_status: SyncStatus) -> None:
        raise RuntimeError("listener")

    loop = SyncLoop(bench.engine, bench.transport, on_status=broken, clock=bench.clock)
    assert bench.settle(loop) > 0
    assert "listener" in caplog.text


def test_a_step_that_hangs_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = bench.loop()
    seen: list[SyncStatus] = []

    def hang(*_: object) -> None:
        seen.append(loop.status)
        bench.clock.advance(STEP_LIMIT + 1)
        seen.append(loop.status)
        raise GovDeskError("NET-003", "太慢")

    monkeypatch.setattr(bench.transport, "lease", hang)
    loop.step()
    assert seen[0].state != "stuck"
    assert (seen[1].state, seen[1].reason) == ("stuck", "SYNC-009")
    assert loop.status.state != "stuck"


def test_a_question_that_hangs_is_told_at_the_stop(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.loop.STOP_LIMIT", 0.05)
    asked, release = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        asked.set()
        release.wait(30)
        raise GovDeskError("NET-003", "太慢")

    monkeypatch.setattr(bench.transport, "lease", hang)
    loop = bench.loop()
    loop.start()
    assert asked.wait(30)
    assert loop.stop() is False
    release.set()
    monkeypatch.setattr("sync.loop.STOP_LIMIT", 30)
    assert loop.stop()


class Pages:
    """A feed in pages: what was asked, and by which thread."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, str]] = []
        self.fail = False

    def changes(self, scope: str, since: int, epoch: str, statement: str, floor: int = 0) -> ChangesReply:
        self.asked.append((since, threading.current_thread().name))
        if self.fail:
            raise GovDeskError("NET-001", "断了")
        return ChangesReply("e1", iso(NOW), scope, since, since + 2, True, False, [])


def test_the_next_page_comes_while_the_present_one_is_stored_and_a_wrong_guess_is_dropped() -> None:
    pages = Pages()
    ahead = ReadAhead(pages)  # type: ignore[arg-type]
    first = Pull("hall:h1", 0, "", "s")
    ahead.after(first, pull(pages, first))  # type: ignore[arg-type]
    second = replace(first, since=2, epoch="e1")
    got = ahead.take(second)
    assert got is not None
    assert got.since == 2
    assert pages.asked[1][1].startswith("read-ahead")
    assert ahead.take(second) is None, "an answer serves once"
    ahead.after(second, got)
    assert ahead.take(replace(second, since=9)) is None, "the engine has gone elsewhere"
    pages.fail = True
    ahead.after(second, got)
    assert ahead.take(replace(second, since=4)) is None, "what failed ahead is asked again in its turn"
    ahead.after(second, replace(got, more=False))
    ahead.after(second, replace(got, snapshot_required=True))
    assert len(pages.asked) == 4
    ahead.close()
    ahead.after(second, got)
    assert ahead.take(replace(second, since=4)) is None
