"""The core's single steps: what is asked next, and what an answer or a failure changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from client.data.store import Store
from modules.common.clock import FixedClock, iso
from modules.common.errors import GovDeskError
from sync.engine import Action, Borrow, Policy, Prune, Pull, Push, SyncEngine, Wait
from sync.engine import Store as StoreSlice
from sync.protocol import Ack, Change, ChangesReply, Lease, PushReply
from tests.support.reference_server import Person, ReferenceServer, rules_of

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
OFFLINE = GovDeskError("NET-001", "连不上")


class Bench:
    """An engine over a real store; ``series`` empty keeps number blocks out of the way."""

    def __init__(self, path: Path, *, series: str = "", **policy: Any) -> None:
        self.clock = FixedClock(NOW)
        self.store = Store.open(path, b"k" * 32, self.clock, rules=rules_of)
        self.store.open_session(ReferenceServer(self.clock).statement(Person("zhang", "x"), "d-1"), "3号窗", series)
        self.engine = SyncEngine(self.store, self.clock, Random(1), Policy(**policy))

    def next(self, kind: type[Any]) -> Any:
        """The next step, which is a ``kind``."""
        action = self.engine.next_action()
        assert isinstance(action, kind), action
        return action

    def give(self, count: int = 1) -> list[str]:
        return [self.store.give("note", self.store.new_id(), "note.open", {"title": "一"}).id for _ in range(count)]

    def pushed(self, action: Push, *acks: Ack, expected: int | None = None, epoch: str = "e1") -> None:
        wanted = expected if expected is not None else max((ack.n for ack in acks), default=0) + 1
        self.engine.on_reply(action, PushReply(epoch, iso(self.clock.now()), wanted, list(acks)))

    def pulled(self, action: Pull, seqs: Sequence[int] = (), **more: Any) -> None:
        changes = [Change(seq, "ink", f"i{seq}", 1, "put", {"id": f"i{seq}"}, {"title": "墨"}) for seq in seqs]
        reply = ChangesReply("e1", iso(self.clock.now()), action.scope, action.since, 0, False, False, changes)
        reply = replace(reply, to=seqs[-1] if seqs else action.since)
        self.engine.on_reply(action, replace(reply, **more))

    def settle(self) -> None:
        """Answer pulls with nothing until it waits."""
        while not isinstance(action := self.engine.next_action(), Wait):
            if isinstance(action, Pull):
                self.pulled(action)
            else:
                self.engine.store_slice()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "store.db")
    yield bench
    bench.store.close()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def build(**options: Any) -> Bench:
        made.append(Bench(tmp_path / f"store{len(made)}.db", **options))
        return made[-1]

    yield build
    for bench in made:
        bench.store.close()


def applied(action: Push) -> list[Ack]:
    return [Ack(command.cmd_id, command.n, "applied", rev=1) for command in action.request.cmds]


def test_without_a_person_nothing_is_asked(bench: Bench) -> None:
    bench.give()
    bench.store.close_session()
    bench.next(Wait)
    assert bench.engine.status.state == "locked"
    assert bench.engine.status.waiting == 1


def test_commands_go_first_and_in_order(bench: Bench) -> None:
    bench.give(3)
    push = bench.next(Push)
    assert [command.n for command in push.request.cmds] == [1, 2, 3]
    assert push.request.cmds[0].statement == bench.store.statement
    assert bench.next(Push).request == push.request
    bench.pushed(push, *applied(push))
    assert bench.store.tally().waiting == 0
    assert {bench.next(Pull).scope} <= {"ref", "hall:h1"}


def test_each_command_is_answered_by_itself(bench: Bench) -> None:
    bench.give(3)
    push = bench.next(Push)
    one, two, three = applied(push)
    refused = replace(two, status="refused", error={"code": "X-001", "message": "不可", "fields": {}})
    bench.pushed(push, one, refused, three)
    assert bench.store.tally().waiting == 0
    assert [entry.error["code"] for entry in bench.store.refused_commands()] == ["X-001"]
    assert (bench.engine.status.waiting, bench.engine.status.refused) == (0, 1)


def test_an_unanswered_command_is_sent_again(bench: Bench) -> None:
    bench.give(2)
    push = bench.next(Push)
    bench.pushed(push, applied(push)[0])
    assert [command.n for command in bench.next(Push).request.cmds] == [2]


def test_an_answer_without_decisions_is_not_asked_for_at_once(bench: Bench) -> None:
    bench.give()
    push = bench.next(Push)
    bench.pushed(push, expected=1)
    assert not isinstance(bench.engine.next_action(), Push)
    bench.clock.advance(2)
    bench.next(Push)


def test_a_gap_sends_again_from_the_number_that_is_missed(bench: Bench) -> None:
    bench.give(3)
    push = bench.next(Push)
    bench.pushed(push, *applied(push))
    bench.give()
    push = bench.next(Push)
    assert [command.n for command in push.request.cmds] == [4]
    bench.pushed(push, Ack(push.request.cmds[0].cmd_id, 4, "gap"), expected=2)
    bench.clock.advance(2)
    assert [command.n for command in bench.next(Push).request.cmds] == [2, 3, 4]


def test_a_spent_number_is_tried_once_more_and_then_refused_in_words(bench: Bench) -> None:
    bench.give()
    push = bench.next(Push)
    bench.pushed(push, Ack(push.request.cmds[0].cmd_id, 1, "hash_mismatch"), expected=6)
    bench.clock.advance(2)
    again = bench.next(Push)
    assert [(command.n, command.cmd_id) for command in again.request.cmds] == [(6, push.request.cmds[0].cmd_id)]
    bench.pushed(again, Ack(push.request.cmds[0].cmd_id, 6, "hash_mismatch"), expected=7)
    [refused] = bench.store.refused_commands()
    assert refused.error["code"] == "SYNC-011"
    assert "没有执行" in refused.error["message"]


def test_failures_are_tried_again_for_ever_with_full_jitter(bench: Bench) -> None:
    bench.give()
    waits = []
    for _ in range(60):
        bench.engine.on_failure(bench.next(Push), OFFLINE)
        wait = bench.next(Wait)
        waits.append(wait.seconds)
        bench.clock.advance(wait.seconds)
    assert max(waits[:3]) <= 4
    assert max(waits) <= 60
    assert min(waits[10:]) < 15 < 45 < max(waits)
    assert len(set(waits)) == len(waits)
    assert (bench.engine.status.state, bench.engine.status.reason) == ("offline", "NET-001")
    assert bench.engine.status.waiting == 1


def test_a_poke_cuts_the_wait(bench: Bench) -> None:
    bench.give()
    bench.engine.on_failure(bench.next(Push), OFFLINE)
    bench.next(Wait)
    bench.engine.poke()
    bench.next(Push)


def test_a_no_to_one_question_keeps_the_others_going(bench: Bench) -> None:
    first = bench.next(Pull)
    bench.engine.on_failure(first, GovDeskError("AUTH-403", "不可"))
    other = bench.next(Pull)
    assert other.scope != first.scope
    assert (bench.engine.status.state, bench.engine.status.reason) == ("online", "AUTH-403")
    bench.give()
    bench.next(Push)


def test_a_push_that_fails_is_made_smaller_and_grows_again(bench: Bench) -> None:
    bench.give(100)
    sizes = []
    for outcome in ("fail", "fail", "good", "good"):
        push = bench.next(Push)
        sizes.append(len(push.request.cmds))
        if outcome == "fail":
            bench.engine.on_failure(push, GovDeskError("NET-003", "太慢"))
            bench.engine.poke()
        else:
            bench.pushed(push, *applied(push))
    assert sizes == [100, 50, 25, 50]


def test_pages_are_stored_in_slices_and_read_to_the_end(make: Callable[..., Bench]) -> None:
    bench = make(slice=2, slice_most=2)
    pull = bench.next(Pull)
    bench.pulled(pull, [1, 2, 3], more=True)
    steps: list[Action] = []
    while isinstance(action := bench.engine.next_action(), StoreSlice):
        bench.engine.store_slice()
        steps.append(action)
        assert bench.store.cursor(pull.scope) == (2 if len(steps) == 1 else 3)
    assert len(steps) == 2
    assert action == Pull(pull.scope, 3, "e1", pull.statement)


def test_a_feed_is_complete_only_with_its_last_slice(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make(slice=2, slice_most=2)
    told: list[bool] = []
    monkeypatch.setattr(bench.store, "receive", lambda *_, complete, **__: told.append(complete))
    bench.pulled(bench.next(Pull), [1, 2, 3])
    while isinstance(bench.engine.next_action(), StoreSlice):
        bench.engine.store_slice()
    assert told == [False, True]


def test_a_missing_entry_is_asked_for_again(bench: Bench) -> None:
    pull = bench.next(Pull)
    bench.pulled(pull, [1, 2, 4, 5])
    bench.next(StoreSlice)
    bench.engine.store_slice()
    assert bench.store.cursor(pull.scope) == 2
    assert bench.next(Pull) == Pull(pull.scope, 2, "e1", pull.statement)


def test_a_feed_that_does_not_go_on_where_it_should_is_not_believed(bench: Bench) -> None:
    pull = bench.next(Pull)
    bench.pulled(pull, [3, 4])
    assert bench.engine.status.reason == "SYNC-012"
    assert bench.next(Pull).scope != pull.scope
    assert bench.store.cursor(pull.scope) == 0


def test_a_feed_that_claims_more_than_it_brings_is_not_believed(bench: Bench) -> None:
    pull = bench.next(Pull)
    bench.pulled(pull, to=5)
    assert bench.engine.status.reason == "SYNC-012"
    assert bench.next(Pull).scope != pull.scope


def test_an_answer_to_another_question_is_dropped(bench: Bench) -> None:
    pull = bench.next(Pull)
    bench.pulled(pull, [1, 2])
    bench.engine.store_slice()
    bench.pulled(pull, [1, 2, 3])
    assert not isinstance(bench.engine.next_action(), StoreSlice)


def test_an_idle_feed_costs_no_write(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.settle()
    written: list[str] = []
    monkeypatch.setattr(bench.store, "receive", lambda scope, *_, **__: written.append(scope))
    wait = bench.next(Wait)
    assert 4.0 <= wait.seconds <= 6.0
    bench.clock.advance(7)
    bench.settle()
    assert written == []


def test_a_lost_cursor_is_read_from_the_start(bench: Bench) -> None:
    pull = bench.next(Pull)
    bench.pulled(pull, [1, 2])
    bench.settle()
    bench.clock.advance(10)
    again = bench.next(Pull)
    while again.scope != pull.scope:
        bench.pulled(again)
        again = bench.next(Pull)
    bench.pulled(again, snapshot_required=True)
    assert bench.store.cursor(pull.scope) == 0
    # a server that lacks what it has said may lack commands as well: it is asked
    probe = bench.next(Push)
    assert probe.request.cmds == []
    bench.pushed(probe, expected=1)
    assert bench.next(Pull) == Pull(pull.scope, 0, "e1", pull.statement)


def test_a_new_epoch_reads_everything_again_and_asks_what_was_forgotten(bench: Bench) -> None:
    bench.give(2)
    push = bench.next(Push)
    bench.pushed(push, *applied(push))
    pull = bench.next(Pull)
    bench.pulled(pull, [1, 2])
    bench.settle()
    bench.clock.advance(10)
    bench.pulled(bench.next(Pull), epoch="e2")
    assert bench.store.cursor(pull.scope) == 0
    probe = bench.next(Push)
    assert (probe.request.cmds, probe.request.epoch) == ([], "e2")
    bench.pushed(probe, expected=2, epoch="e2")
    assert [command.n for command in bench.next(Push).request.cmds] == [2]


def test_number_blocks_are_topped_up_below_half(make: Callable[..., Bench]) -> None:
    bench = make(series="T1", block=4)
    borrow = bench.next(Borrow)
    assert (borrow.request.series, borrow.request.count) == ("T1", 4)
    bench.engine.on_reply(borrow, Lease("T1", 1, 4))
    asked = []
    for _ in range(3):
        asked.append(isinstance(bench.engine.next_action(), Borrow))
        bench.store.give("note", bench.store.new_id(), "note.open", {"title": "一"}, numbered=True)
        push = bench.next(Push)
        bench.pushed(push, *applied(push))
    assert asked == [False, False, False]
    bench.next(Borrow)


@pytest.mark.parametrize("wanted", [False, True])
def test_a_block_that_brings_no_number_is_not_asked_for_at_once_again(make: Callable[..., Bench], wanted: bool) -> None:
    bench = make(series="" if wanted else "T1")
    if wanted:
        bench.store.want_series(["T1"])
    for _ in range(4):  # half of what is wanted, again and again
        borrow = bench.next(Borrow)
        bench.engine.on_reply(borrow, Lease("T1", 1, 2))
        if not isinstance(bench.engine.next_action(), Borrow):
            break
    assert {bench.next(Pull).scope} <= {"ref", "hall:h1"}
    bench.clock.advance(120)
    bench.next(Borrow)


@pytest.mark.parametrize("wrong", [{"scope": "x:y"}, {"since": 7}, {"more": True}])
def test_a_feed_that_gets_no_further_leaves_the_others_their_turn(bench: Bench, wrong: dict[str, Any]) -> None:
    first = bench.next(Pull)
    bench.pulled(first, **wrong)
    assert bench.next(Pull).scope != first.scope
    bench.clock.advance(2)
    assert bench.next(Pull).scope == first.scope


def test_a_feed_that_cannot_be_stored_leaves_the_others_their_turn(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = bench.next(Pull)
    receive = bench.store.receive

    def poisoned(scope: str, *given: Any, **more: Any) -> None:
        if scope == first.scope:
            raise ZeroDivisionError
        receive(scope, *given, **more)

    monkeypatch.setattr(bench.store, "receive", poisoned)
    asked: list[str] = []
    for _ in range(200):
        action = bench.engine.next_action()
        if isinstance(action, Wait):
            bench.clock.advance(action.seconds)
        elif isinstance(action, Pull):
            asked.append(action.scope)
            bench.pulled(action, [action.since + 1])
        else:
            try:
                bench.engine.store_slice()
            except ZeroDivisionError as error:
                bench.engine.on_failure(None, error)
    others = [scope for scope in asked if scope != first.scope]
    assert len(others) > 10
    assert asked.count(first.scope) < len(others)  # and less and less often
    assert first.scope in asked[20:]  # but never given up


def test_the_servers_clock_is_measured(bench: Bench) -> None:
    pull = bench.next(Pull)
    bench.clock.advance(2)
    bench.pulled(pull, server_time=iso(datetime(2026, 11, 20, 2, 0, 1, tzinfo=UTC)))
    assert bench.store.now() == datetime(2026, 11, 20, 2, 0, 2, tzinfo=UTC)


def test_work_that_waits_too_long_while_online_is_told(bench: Bench) -> None:
    bench.settle()
    bench.give()
    for _ in range(40):
        action = bench.engine.next_action()
        if isinstance(action, Push):
            bench.engine.on_failure(action, GovDeskError("SRV-001", "不可"))
        elif isinstance(action, Pull):
            bench.pulled(action)
        elif isinstance(action, StoreSlice):
            bench.engine.store_slice()
        bench.clock.advance(10)
    assert (bench.engine.status.state, bench.engine.status.reason) == ("stuck", "SYNC-009")
    assert bench.engine.status.waiting == 1
    bench.engine.poke()
    push = bench.next(Push)
    bench.pushed(push, *applied(push))
    assert bench.engine.status.state == "online"


def test_waiting_offline_is_not_being_stuck(bench: Bench) -> None:
    bench.give()
    since = ""
    for _ in range(100):
        action = bench.engine.next_action()
        if isinstance(action, Push):
            bench.engine.on_failure(action, OFFLINE)
        since = since or bench.engine.status.since
        bench.clock.advance(30)
    assert bench.engine.status.state == "offline"
    assert bench.engine.status.since == since


def test_a_step_that_fails_is_tried_again_later(bench: Bench) -> None:
    pull = bench.next(Pull)
    bench.pulled(pull, [1])
    bench.engine.on_failure(None, GovDeskError("DATA-010", "磁盘满"))
    bench.next(Wait)
    assert bench.engine.status.reason == "DATA-010"
    bench.clock.advance(2)
    assert bench.next(Pull) == Pull(pull.scope, 0, "e1", pull.statement)


def test_an_answer_of_the_wrong_kind_is_a_fault_of_ours(bench: Bench) -> None:
    with pytest.raises(TypeError):
        bench.engine.on_reply(bench.next(Pull), Lease("T1", 1, 2))


# -- what waits at the server


def deferred(action: Push) -> list[Ack]:
    why = {"code": "SYNC-017", "message": "等待", "fields": {}}
    return [Ack(command.cmd_id, command.n, "deferred", error=why) for command in action.request.cmds]


def test_the_fate_of_what_is_deferred_is_asked_for_again_with_growing_pauses(bench: Bench) -> None:
    bench.settle()
    bench.give(2)
    push = bench.next(Push)
    bench.pushed(push, *deferred(push))
    bench.settle()
    assert (bench.engine.status.state, bench.engine.status.waiting, bench.engine.status.deferred) == ("online", 0, 2)
    pauses = []
    for _ in range(30):
        asked = bench.clock.monotonic()
        while not isinstance(action := bench.engine.next_action(), Push):
            if isinstance(action, Wait):
                bench.clock.advance(action.seconds)
            else:
                bench.pulled(action) if isinstance(action, Pull) else bench.engine.store_slice()
        pauses.append(bench.clock.monotonic() - asked)
        assert [command.cmd_id for command in action.request.cmds] == [command.cmd_id for command in push.request.cmds]
        bench.pushed(action, *deferred(action))
    assert max(pauses[:2]) <= 4 < 20 < max(pauses) <= 60
    assert bench.engine.status.state == "online", "nobody is stuck because of it"
    bench.engine.poke()
    again = bench.next(Push)
    bench.pushed(again, *applied(again))
    assert bench.engine.status.deferred == 0


def test_what_is_deferred_holds_up_nothing_that_is_new(bench: Bench) -> None:
    bench.give()
    push = bench.next(Push)
    bench.pushed(push, *deferred(push))
    bench.give()
    new = bench.next(Push)
    assert [command.n for command in new.request.cmds] == [2]
    bench.pushed(new, *applied(new))


def test_all_that_is_deferred_is_asked_for_in_turn(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.engine._batch = 2
    bench.give(3)
    for _ in range(2):
        push = bench.next(Push)
        bench.engine._batch = 2
        bench.pushed(push, *deferred(push))
    asked = []
    for _ in range(4):
        bench.engine._batch = 2
        bench.engine.poke()
        push = bench.next(Push)
        asked.append([command.n for command in push.request.cmds])
        bench.pushed(push, *deferred(push))
    assert asked[-2:] in ([[1, 2], [3]], [[3], [1, 2]])


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_asking_for_what_is_deferred_never_keeps_from_reading(bench: Bench, batch: int) -> None:
    # four of them are a whole number of batches: behind the last there is nothing to ask for
    bench.settle()
    bench.give(4)
    push = bench.next(Push)
    bench.pushed(push, *deferred(push))
    asked, read = set(), 0
    for _ in range(60):
        bench.engine._batch = batch
        action = bench.engine.next_action()
        if isinstance(action, Push):
            assert action.request.cmds, "asks for nothing"
            asked |= {command.n for command in action.request.cmds}
            bench.pushed(action, *deferred(action))
        elif isinstance(action, Pull):
            read += 1
            bench.pulled(action)
        elif isinstance(action, Wait):
            bench.clock.advance(action.seconds)
        else:
            bench.engine.store_slice()
    assert asked == {1, 2, 3, 4}
    assert read > 10


# -- replicas that are compared, and thinned feeds


def holds(bench: Bench, action: Pull) -> dict[str, int]:
    count, digest = bench.store.holds(action.scope)
    return {"count": count, "digest": digest}


def test_a_replica_that_differs_is_read_again_alone_and_once(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    pull = bench.next(Pull)
    bench.pulled(pull, [1, 2])
    bench.engine.store_slice()
    bench.settle()
    bench.clock.advance(10)
    action = bench.next(Pull)
    while action.scope != pull.scope:
        bench.pulled(action, **holds(bench, action))
        action = bench.next(Pull)
    right = holds(bench, action)
    assert right["count"] == 2
    bench.pulled(action, count=3, digest=1)
    assert bench.store.cursor(pull.scope) == 0
    again = bench.next(Pull)
    assert (again.scope, again.since) == (pull.scope, 0)
    assert (bench.engine.status.state, bench.engine.status.reason) == ("online", "SYNC-020")
    # it differs still: no spinning, but it stays in sight, and is tried again when some time has passed
    bench.pulled(again, [1, 2], count=3, digest=1)
    bench.engine.store_slice()
    assert bench.store.cursor(pull.scope) == 2
    assert bench.engine.status.reason == "SYNC-020"
    assert len([record for record in caplog.records if "holds" in record.message]) == 1
    bench.clock.advance(3600)
    action = bench.next(Pull)
    while action.scope != pull.scope:
        bench.pulled(action, **holds(bench, action))
        action = bench.next(Pull)
    bench.pulled(action, count=3, digest=1)
    assert bench.store.cursor(pull.scope) == 0
    bench.pulled(bench.next(Pull), [1, 2], **right)
    bench.engine.store_slice()
    assert bench.engine.next_action()
    assert bench.engine.status.reason == ""


def test_numbers_may_be_missing_below_the_floor_and_nowhere_else(bench: Bench) -> None:
    pull = bench.next(Pull)
    bench.pulled(pull, [2, 5, 8, 9], floor=7)
    bench.engine.store_slice()
    assert (bench.store.cursor(pull.scope), bench.store.floor(pull.scope)) == (9, 7)
    bench.settle()
    bench.clock.advance(10)
    action = bench.next(Pull)
    while action.scope != pull.scope:
        bench.pulled(action)
        action = bench.next(Pull)
    assert action.floor == 7
    bench.pulled(action, [11], floor=9)
    assert bench.engine.status.reason == "SYNC-012"
    assert bench.store.cursor(pull.scope) == 9


def test_an_end_that_was_thinned_away_is_passed_over(bench: Bench) -> None:
    pull = bench.next(Pull)
    bench.pulled(pull, [2], floor=6, to=6)
    bench.engine.store_slice()
    assert bench.store.cursor(pull.scope) == 6
    bench.engine.poke()
    action = bench.next(Pull)
    while action.scope != pull.scope:
        bench.pulled(action)
        action = bench.next(Pull)
    bench.pulled(action, floor=6, to=8)
    assert bench.engine.status.reason == "SYNC-012"
    assert bench.store.cursor(pull.scope) == 6


# -- house-keeping


def test_what_is_done_is_let_go_once_a_day(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    pruned: list[int] = []
    monkeypatch.setattr(bench.store, "prune", lambda: pruned.append(1))
    bench.settle()
    for _ in range(2):
        bench.clock.advance(86_400)
        while not isinstance(action := bench.engine.next_action(), Prune):
            bench.pulled(action) if isinstance(action, Pull) else bench.engine.store_slice()
        bench.engine.prune()
        bench.settle()
    assert len(pruned) == 2


def test_a_device_that_the_server_has_forgotten_is_told_what_to_do(bench: Bench) -> None:
    bench.give()
    forgotten = GovDeskError("AUTH-010", "服务器不认识这台设备。", fix="本机数据都保留。")
    bench.engine.on_failure(bench.next(Push), forgotten)
    assert bench.engine.status.reason == "AUTH-010"
    assert bench.engine.status.words == "服务器不认识这台设备。本机数据都保留。"
    assert bench.store.tally().waiting == 1


# -- further series of numbers


def test_wanted_series_are_borrowed_in_small_blocks_each_by_itself(make: Callable[..., Bench]) -> None:
    bench = make(series="T1")
    bench.store.want_series(["T1QA261120", "T1QB261120"])
    asked = []
    while isinstance(action := bench.engine.next_action(), Borrow):
        asked.append((action.request.series, action.request.count))
        bench.engine.on_reply(action, Lease(action.request.series, 1, action.request.count))
    assert asked == [("T1", 200), ("T1QA261120", 20), ("T1QB261120", 20)]
    for _ in range(11):
        bench.store.give("note", bench.store.new_id(), "note.open", {"title": "一"}, series="T1QB261120")
    push = bench.next(Push)
    bench.pushed(push, *(Ack(command.cmd_id, command.n, "applied", rev=1) for command in push.request.cmds))
    assert bench.next(Borrow).request.series == "T1QB261120"


def test_a_series_that_fails_holds_up_no_other(make: Callable[..., Bench]) -> None:
    bench = make(series="T1")
    bench.store.add_lease("T1", 1, 200)
    bench.store.want_series(["T1QA261120", "T1QB261120"])
    bench.engine.on_failure(bench.next(Borrow), GovDeskError("SRV-505", "坏了"))
    assert bench.next(Borrow).request.series == "T1QB261120"


def test_a_series_that_the_server_does_not_have_is_wanted_no_more(make: Callable[..., Bench]) -> None:
    bench = make(series="T1")
    bench.store.add_lease("T1", 1, 200)
    bench.store.want_series(["T1QA261101", "T1QA261120"])
    bench.engine.on_failure(bench.next(Borrow), GovDeskError("NUM-007", "已过"))
    assert dict(bench.store.tally().wanted) == {"T1QA261120": 0}
    assert (bench.engine.status.state, bench.engine.status.reason) == ("online", "")
    assert bench.next(Borrow).request.series == "T1QA261120"


def test_the_halls_own_series_is_asked_for_again_whatever_is_said(make: Callable[..., Bench]) -> None:
    bench = make(series="T1")
    bench.engine.on_failure(bench.next(Borrow), GovDeskError("NUM-005", "不属于"))
    assert bench.engine.status.reason == "NUM-005"
    bench.engine.poke()
    assert bench.next(Borrow).request.series == "T1"
