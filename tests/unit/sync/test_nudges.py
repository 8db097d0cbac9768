"""Nudges only ever make the next pull come sooner: heard, lost, doubled, late, or lies, nothing else changes."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from modules.common.errors import GovDeskError
from sync.engine import Pull, Wait
from sync.nudges import BACKOFF_CAP, IDLE, NudgeListener
from sync.protocol import Nudge
from tests.unit.sync.test_engine import Bench


class Line:
    """A line whose other end is the test."""

    def __init__(self) -> None:
        self.coming: queue.Queue[Nudge | GovDeskError | None] = queue.Queue()

    def __iter__(self) -> Iterator[Nudge]:
        while (next := self.coming.get(timeout=10)) is not None:
            if isinstance(next, GovDeskError):
                raise next
            yield next

    def close(self) -> None:
        self.coming.put(None)


class Ear:
    def __init__(self) -> None:
        self.heard: list[Nudge] = []
        self.listening: list[bool] = []

    def nudge(self, nudge: Nudge) -> None:
        self.heard.append(nudge)

    def attend(self, listening: bool) -> None:
        self.listening.append(listening)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "store.db")
    yield bench
    bench.store.close()


def test_what_is_said_is_told_and_the_end_too() -> None:
    line, ear = Line(), Ear()
    for next in (Nudge("hall:h1", 7), Nudge("ref", 2), None):
        line.coming.put(next)
    assert 0 <= NudgeListener(lambda: line, ear, rng=Random(1)).listen() <= 1
    assert ear.heard == [Nudge("hall:h1", 7), Nudge("ref", 2)]
    assert ear.listening == [True, True, False]


def test_a_line_that_cannot_be_had_is_tried_again_with_growing_pauses_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse() -> Line:
        raise GovDeskError("NET-001", "连不上")

    listener = NudgeListener(refuse, Ear(), rng=Random(1))
    pauses = [listener.listen() for _ in range(200)]
    assert max(pauses) <= BACKOFF_CAP
    assert max(pauses[:3]) <= 4 < max(pauses)
    assert len(caplog.records) == 1


def test_a_line_that_breaks_says_that_nobody_listens() -> None:
    line, ear = Line(), Ear()
    line.coming.put(Nudge("ref", 1))
    line.coming.put(GovDeskError("NET-001", "断了"))
    NudgeListener(lambda: line, ear, rng=Random(1)).listen()
    assert ear.listening == [True, False]


def test_nobody_signed_in_listens_to_nothing() -> None:
    def never() -> Line:
        raise AssertionError("opened")

    assert NudgeListener(never, Ear(), may_listen=lambda: False).listen() == IDLE


def test_it_lets_go_at_once_though_nothing_is_said() -> None:
    opened = threading.Event()

    def open() -> Line:
        opened.set()
        return Line()

    listener = NudgeListener(open, Ear())
    listener.start()
    assert opened.wait(10)
    began = time.monotonic()
    assert listener.stop()
    assert time.monotonic() - began < 4


# -- what the engine makes of it ----------------------------------------------------------------------


def test_news_is_asked_for_at_once_and_old_news_is_not(bench: Bench) -> None:
    bench.settle()
    bench.next(Wait)
    bench.engine.nudge(Nudge("hall:h1", 0))
    bench.next(Wait)
    bench.engine.nudge(Nudge("hall:h1", 1))
    action = bench.next(Pull)
    assert (action.scope, action.since) == ("hall:h1", 0)
    bench.pulled(action, [1])
    bench.engine.store_slice()
    bench.engine.nudge(Nudge("hall:h1", 1))
    bench.next(Wait)


def test_a_nudge_that_overtakes_an_answer_is_asked_for_once_more_and_a_lie_only_once(bench: Bench) -> None:
    bench.settle()
    bench.engine.nudge(Nudge("hall:h1", 1))
    action = bench.next(Pull)
    bench.engine.nudge(Nudge("hall:h1", 9))  # committed after the server wrote its answer
    bench.pulled(action, [1])
    bench.engine.store_slice()
    again = bench.next(Pull)
    assert (again.scope, again.since) == ("hall:h1", 1)
    bench.pulled(again)  # there is nothing: it was no truth
    bench.next(Wait)


def test_who_is_told_asks_seldom_and_who_goes_deaf_asks_at_once(bench: Bench) -> None:
    bench.engine.attend(True)
    bench.settle()
    assert bench.next(Wait).seconds > 40
    bench.engine.attend(False)
    bench.next(Pull)
    bench.settle()
    assert bench.next(Wait).seconds <= 6
