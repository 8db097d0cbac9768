"""What the store keeps for the synchronisation: what waits at the server, digests of feeds, clocks, old work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.data.server_time import ServerTime
from client.data.store import KEEP_DONE
from modules.common.clock import FixedClock, iso
from modules.common.digests import changed, mark
from sync.protocol import Ack
from tests.contract.test_store import NOW, Desk, opened

WHY = {"code": "SYNC-017", "message": "等待", "fields": {}}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "store.db")
    yield desk
    desk.store.close()


def deferred(desk: Desk, place: int = 0) -> Ack:
    entry = desk.store.unsent(100)[place]
    return Ack(entry.cmd_id, entry.n, "deferred", error=WHY)


# -- what waits at the server


def test_what_is_deferred_stays_in_sight_and_is_no_longer_unsent(desk: Desk) -> None:
    note = desk.note()
    desk.store.settle([deferred(desk)])
    tally = desk.store.tally()
    assert (tally.waiting, tally.deferred, tally.refused) == (0, 1, 0)
    assert desk.store.unsent(10) == []
    assert [entry.aggregate_id for entry in desk.store.deferred(0, 10)] == [note.id]
    assert desk.store.deferred(1, 10) == []
    shown = desk.store.get("note", note.id)
    assert shown is not None
    assert (shown.pending, shown.title) == (1, "一件")


@pytest.mark.parametrize("how", ["answer", "feed"])
def test_what_was_deferred_is_done_by_a_later_answer_or_by_the_feed(desk: Desk, how: str) -> None:
    note = desk.note()
    waits = deferred(desk)
    desk.store.settle([waits])
    if how == "answer":
        desk.store.settle([replace(waits, status="applied", rev=1, error=None)])
    else:
        desk.feed({"id": note.id, "rev": 1, "doc": opened(note.id), "cause": waits.cmd_id})
    tally = desk.store.tally()
    assert (tally.waiting, tally.deferred, tally.refused) == (0, 0, 0)
    # a late copy of the first answer does not take it back
    desk.store.settle([waits])
    assert desk.store.tally().deferred == 0


def test_what_was_deferred_may_still_be_refused(desk: Desk) -> None:
    desk.note()
    waits = deferred(desk)
    desk.store.settle([waits])
    desk.store.settle([replace(waits, status="refused")])
    assert [entry.error["code"] for entry in desk.store.refused_commands()] == ["SYNC-017"]


def test_what_was_deferred_by_a_server_that_has_lost_it_is_sent_again(desk: Desk) -> None:
    desk.note()
    desk.note()
    desk.store.settle([deferred(desk)])
    desk.store.resume(1, [])
    assert [entry.n for entry in desk.store.unsent(10)] == [1, 2]
    assert desk.store.tally().deferred == 0


def test_that_commands_may_be_lost_outlives_a_crash(desk: Desk) -> None:
    desk.store.contact("e1", 0)
    assert not desk.store.lost
    desk.store.contact("e2", 0)
    desk.store.close()
    desk.open()
    desk.sign_in_again()
    assert desk.store.lost
    desk.store.resume(1, [])
    assert not desk.store.lost
    desk.store.close()
    desk.open()
    desk.sign_in_again()
    assert not desk.store.lost


def test_old_work_is_let_go_but_nothing_that_waits(desk: Desk) -> None:
    for _ in range(3):
        desk.note()
    done, waits = desk.store.unsent(10)[0], deferred(desk, 1)
    desk.store.settle([Ack(done.cmd_id, done.n, "applied", rev=1), waits])
    desk.clock.advance(KEEP_DONE.total_seconds() - 60)
    desk.store.prune()
    desk.store.resume(1, [])
    assert [entry.n for entry in desk.store.unsent(10)] == [1, 2, 3], "for ninety days it could be sent again"
    desk.store.settle([Ack(done.cmd_id, done.n, "applied", rev=1), waits])
    desk.clock.advance(KEEP_DONE.total_seconds() + 60)
    desk.store.prune()
    assert [entry.n for entry in desk.store.unsent(10)] == [3]
    assert [entry.n for entry in desk.store.deferred(0, 10)] == [2]


# -- digests


def digest(held: dict[tuple[str, str], int]) -> tuple[int, int]:
    total = 0
    for (kind, id), rev in held.items():
        total ^= mark(kind, id, rev)
    return len(held), total


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.booleans()), max_size=40), st.integers(0, 99))
def test_the_digest_of_a_feed_follows_whatever_is_done_to_it(
    tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[int, bool, bool]], seed: int
) -> None:
    desk = Desk(tmp_path_factory.mktemp("digest") / "store.db")
    held: dict[str, dict[tuple[str, str], int]] = {"hall:h1": {}, "ref": {}}
    revs: dict[str, int] = {}
    rng = Random(seed)
    for number, put, hall in entries:
        id, scope = f"0198-{number}", "hall:h1" if hall else "ref"
        if not put and ("note", id) not in held[scope]:
            continue
        revs[id] = revs.get(id, 0) + 1
        desk.feed({"id": id, "rev": revs[id], "op": "put" if put else "tombstone", "doc": opened(id)}, scope=scope)
        if put:
            held[scope]["note", id] = revs[id]
        else:
            del held[scope]["note", id]
        if rng.random() < 0.1:
            # read again from its start: what it no longer has goes at the end, and only then
            desk.store.forget(scope)
            desk.seq[scope] = 0
            again = [{"id": key[1], "rev": rev, "doc": opened(key[1])} for key, rev in held[scope].items()]
            desk.feed(*again, scope=scope)
        for scope_, there in held.items():
            assert desk.store.holds(scope_) == digest(there)
    desk.store.close()


def test_a_mark_is_of_sixty_bits_and_nothing_is_nothing() -> None:
    assert mark("case", "x", 0) == 0
    assert 0 < mark("case", "x", 1) < 2**60
    assert changed(changed(0, "case", "x", 0, 3), "case", "x", 3, 0) == 0


def test_a_record_that_is_only_ours_is_not_in_the_digest(desk: Desk) -> None:
    desk.note()
    assert desk.store.holds("hall:h1") == (0, 0)


# -- thinned feeds


def test_a_reading_remembers_the_floor_at_which_it_began(desk: Desk) -> None:
    desk.store.receive("ref", [], complete=True, to=7, floor=7)
    assert (desk.store.cursor("ref"), desk.store.floor("ref")) == (7, 7)
    desk.store.receive("ref", [], complete=True, to=9, floor=9)
    assert (desk.store.cursor("ref"), desk.store.floor("ref")) == (9, 7)


# -- clocks


def server_time(clock: FixedClock) -> ServerTime:
    return ServerTime(clock, 0, 0, "")


def test_an_offset_is_adopted_only_when_it_is_better_known_than_it_differs() -> None:
    clock = FixedClock(NOW)
    time = server_time(clock)
    time.measured(5000, 3000)
    assert (time.offset_ms, time.error_ms()) == (5000, 3000)
    time.measured(4400, 40)
    assert (time.offset_ms, time.error_ms()) == (4400, 40)
    # an answer that took four seconds on a busy machine says nothing about a difference of one
    time.measured(5400, 2000)
    assert time.offset_ms == 4400
    time.measured(9400, 2000)
    assert time.offset_ms == 9400


def test_a_clock_that_is_set_back_does_not_turn_time_back() -> None:
    clock = FixedClock(NOW)
    time = server_time(clock)
    time.measured(0, 20)
    clock.advance(600)
    clock._now -= timedelta(days=1)
    assert time.now() == NOW + timedelta(seconds=600)
    assert time.error_ms() > 86_000_000


def test_a_clock_that_is_set_ahead_is_told_as_uncertain(desk: Desk) -> None:
    desk.store.contact("e1", 0, 30)
    desk.clock._now += timedelta(days=1)
    desk.note()
    [entry] = desk.store.unsent(1)
    assert entry.at == iso(NOW + timedelta(days=1))
    assert entry.clock == {"offset_ms": 0, "error_ms": pytest.approx(86_400_030, abs=100)}


def test_commands_say_how_their_clock_was_moved(desk: Desk) -> None:
    desk.store.contact("e1", -86_400_000, 40)
    desk.clock.advance(86_400)  # or it would be older than its statement
    desk.note()
    [entry] = desk.store.unsent(1)
    assert entry.clock is not None
    assert entry.clock["offset_ms"] == -86_400_000
    assert 40 <= entry.clock["error_ms"] < 60_000


def test_small_differences_cost_no_write(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.store.contact("e1", 1000, 20)
    written: list[Any] = []
    monkeypatch.setattr(desk.store, "_writing", lambda: written.append(1))
    for ms in (1100, 900, 1200):
        desk.store.contact("e1", ms, 20)
    assert not written
    assert desk.store.clock[0] == 1200
