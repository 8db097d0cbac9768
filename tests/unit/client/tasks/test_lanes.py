from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest

from client.kernel.contract import Token
from client.tasks.lanes import WIDTHS, InlineLanes, ThreadLanes, check_lane, current_lane, live

PATIENCE = 20


class Desk:
    """Stands for the GUI thread: calls are made when the test takes them."""

    def __init__(self) -> None:
        self.calls: Queue[Callable[[], None]] = Queue()
        self.unhandled: list[tuple[str, BaseException]] = []
        self.lanes = ThreadLanes(self.calls.put, lambda name, error: self.unhandled.append((name, error)))

    def take(self) -> None:
        self.calls.get(timeout=PATIENCE)()


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    assert desk.lanes.close() == []
    assert live() == []


def test_work_is_done_on_its_lane_and_told_where_results_are_told(desk: Desk) -> None:
    seen: list[Any] = []

    def work(token: Token) -> tuple[str, str]:
        check_lane("data")
        return current_lane(), threading.current_thread().name

    desk.lanes.run("data", work, done=seen.append)
    desk.take()
    ((lane, thread),) = seen
    assert lane == "data"
    assert thread.startswith("data")
    assert current_lane() == ""
    with pytest.raises(RuntimeError, match="not on lane data"):
        check_lane("data")


@pytest.mark.parametrize(("lane", "width"), [*WIDTHS.items(), ("dev:card", 1)])
def test_a_lane_is_as_wide_as_it_says(desk: Desk, lane: str, width: int) -> None:
    inside, gate = threading.Semaphore(0), threading.Event()
    now, most, lock = [0], [0], threading.Lock()

    def work(token: Token) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        inside.release()
        gate.wait(PATIENCE)
        with lock:
            now[0] -= 1

    for _ in range(width + 2):
        desk.lanes.run(lane, work, done=lambda result: None)
    for _ in range(width):
        assert inside.acquire(timeout=PATIENCE)
    gate.set()
    for _ in range(width + 2):
        desk.take()
    assert most[0] == width


def test_the_one_writer_keeps_the_order(desk: Desk) -> None:
    seen: list[int] = []
    for number in range(50):
        desk.lanes.run("data", lambda token, number=number: number, done=seen.append)
    for _ in range(50):
        desk.take()
    assert seen == list(range(50))


def test_an_error_goes_to_failed_or_else_to_unhandled(desk: Desk, caplog: Any) -> None:
    seen: list[BaseException] = []

    def work(token: Token) -> None:
        raise ValueError("broken")

    desk.lanes.run("cpu", work, failed=seen.append)
    desk.take()
    assert isinstance(seen[0], ValueError)
    assert desk.unhandled == []
    desk.lanes.run("cpu", work, name="渲染")
    desk.take()
    assert desk.unhandled[0][0] == "渲染"
    assert "job failed" in caplog.text


def test_cancelled_work_is_told_to_nobody_even_when_already_done(desk: Desk) -> None:
    seen: list[Any] = []
    token = desk.lanes.run("net", lambda token: 1, done=seen.append, failed=seen.append)
    call = desk.calls.get(timeout=PATIENCE)
    token.cancel()
    call()
    assert seen == []


def test_work_stops_at_its_next_check(desk: Desk) -> None:
    started, go_on = threading.Event(), threading.Event()
    seen: list[Any] = []

    def work(token: Token) -> None:
        started.set()
        go_on.wait(PATIENCE)
        token.check()
        seen.append("went on")

    token = desk.lanes.run("net", work, done=seen.append, failed=seen.append)
    assert started.wait(PATIENCE)
    assert live() == ["test_work_stops_at_its_next_check.<locals>.work"]
    token.cancel()
    go_on.set()
    assert desk.lanes.close() == []
    assert token.finished
    assert seen == []


def test_progress_that_comes_fast_is_told_once_and_the_latest(desk: Desk) -> None:
    seen: list[tuple[float, str]] = []
    watched = threading.Event()

    def work(token: Token) -> None:
        watched.wait(PATIENCE)
        for step in range(1, 101):
            token.progress(step / 100, f"第 {step} 页")

    token = desk.lanes.run("cpu", work, done=lambda result: None)
    token.watch(lambda share, text: seen.append((share, text)))
    watched.set()
    calls = [desk.calls.get(timeout=PATIENCE) for _ in range(2)]
    for call in calls:
        call()
    assert desk.calls.empty()
    assert seen == [(1.0, "第 100 页")]


def test_close_names_what_holds_on_and_drops_what_has_not_begun() -> None:
    desk = Desk()
    gate, started = threading.Event(), threading.Event()
    seen: list[Any] = []

    def holds(token: Token) -> None:
        started.set()
        gate.wait(PATIENCE)

    desk.lanes.run("data", holds, name="写库", done=seen.append)
    waiting = desk.lanes.run("data", lambda token: 1, name="等候", done=seen.append)
    assert started.wait(PATIENCE)
    assert desk.lanes.close(timeout=0.05) == ["写库"]
    assert waiting.finished
    late = desk.lanes.run("data", lambda token: 1, done=seen.append)
    assert late.finished
    gate.set()
    assert desk.lanes.close() == []
    assert desk.calls.empty()
    assert seen == []


def test_an_unknown_lane_is_an_error(desk: Desk) -> None:
    for lanes in (desk.lanes, InlineLanes()):
        with pytest.raises(ValueError, match="fast"):
            lanes.run("fast", lambda token: 1)
    assert live() == []


def test_inline_lanes_do_the_same_at_once() -> None:
    lanes = InlineLanes()
    seen: list[Any] = []
    token = lanes.run("read", lambda token: current_lane(), done=seen.append)
    assert seen == ["read"]
    assert token.finished

    def fails(token: Token) -> None:
        raise ValueError("broken")

    lanes.run("read", fails, failed=lambda error: seen.append(str(error)))
    assert seen == ["read", "broken"]
    with pytest.raises(ValueError, match="broken"):
        lanes.run("read", fails)
    assert current_lane() == ""
    assert lanes.close() == []


def test_settling_waits_for_what_was_given_before(desk: Desk) -> None:
    go, done = threading.Event(), []
    desk.lanes.run("data", lambda token: go.wait(PATIENCE))
    desk.lanes.run("data", lambda token: done.append("written"))
    assert not desk.lanes.settle("data", 0.01)
    go.set()
    assert desk.lanes.settle("data", PATIENCE)
    assert done == ["written"]
