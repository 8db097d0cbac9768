"""Tickets as rules: who is next and why, what two windows do apart, and what becomes of a paper that did not come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modules.acceptance.domain import queue, windows
from modules.acceptance.domain.queue import double_calls, estimate, rank, told
from modules.common.aggregate import Command, Context, Doc, Number, apply
from modules.common.clock import iso
from modules.common.errors import Refusal
from modules.common.permissions import SYSTEM
from tests.support.queue_hall import CALENDAR, HALL, person, service_item, window

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
"""10:00 in China."""
CLERK = person("zhangsan")
ITEM = service_item("1")
W1, W2, W3 = (window(n, area="一楼") for n in (1, 2, 3))
REFS: dict[tuple[str, str], Doc] = {
    ("service_item", ITEM["id"]): ITEM, **{("window", doc["id"]): doc for doc in (W1, W2, W3)}
}  # fmt: skip


def do(state: Doc | None, type: str, at: int = 0, actor: Any = CLERK, id: str = "", **body: Any) -> Doc | Refusal:
    number = Number("3411AQA261120", body.pop("serial")) if "serial" in body else None
    command = Command(id or f"c{at}-{type}-{body.get('window', '')}", queue.KIND, "t1", type, body, number=number)
    refs = {key: REFS[key] for key in queue.TICKET.refs(command) if key in REFS}
    refs |= {("ticket", "paper"): body["doc"]} if "doc" in body else {}
    outcome = apply(queue.TICKET, state, command, Context(NOW + timedelta(minutes=at), actor, CALENDAR, "取号机", refs))
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def done(state: Doc | None, type: str, at: int = 0, **body: Any) -> Doc:
    outcome = do(state, type, at, **body)
    assert not isinstance(outcome, Refusal), outcome
    return outcome


def taken(serial: int = 17, at: int = 0, **body: Any) -> Doc:
    wanted = {"group": "A", "item_id": ITEM["id"], "source": "id_card", "windows": [W1["id"]], "person": {}, **body}
    return {**done(None, queue.TAKE, at, serial=serial, **wanted), "id": f"t{serial}"}


def call(state: Doc, w: Doc, at: int, seen: str | None = None, **body: Any) -> Doc:
    known = queue.last_call(state) if seen is None else seen
    return done(state, queue.CALL, at, id=f"call-{w['id']}-{at}", window=w["id"], seen=known, **body)


def at_window(state: Doc, type: str, w: Doc, at: int, call_at: int, **body: Any) -> Doc:
    return done(state, type, at, window=w["id"], call=f"call-{w['id']}-{call_at}", **body)


# -- a ticket's way


def test_a_ticket_goes_from_paper_to_served() -> None:
    ticket = taken(paper=True)
    assert (ticket["number"], ticket["state"]) == ("A017", "printing")
    ticket = done(ticket, queue.CONFIRM, 1)
    ticket = call(ticket, W1, 2)
    ticket = at_window(ticket, queue.RECALL, W1, 3, 2)
    ticket = at_window(ticket, queue.SERVE, W1, 4, 2)
    ticket = at_window(ticket, queue.FINISH, W1, 9, 2)
    assert (ticket["state"], ticket["calls"], ticket["turn"]) == ("served", 2, 1)
    assert [line["event"].partition(".")[2] for line in ticket["history"]] == [
        "taken", "confirmed", "called", "recalled", "served", "finished",
    ]  # fmt: skip
    assert queue.TICKET.summary(ticket).number == "A017"
    assert queue.TICKET.scopes(ticket) == {"hall:hall-1"}


def test_a_number_whose_paper_failed_is_no_ghost() -> None:
    ticket = taken(paper=True)
    assert rank([ticket], W1, windows.DEFAULT_STRATEGY, NOW) == []
    void = done(ticket, queue.VOID, 1, reason="打印机缺纸")
    assert void["state"] == "void"
    refused = do(void, queue.CALL, 2, window=W1["id"], seen="")
    assert isinstance(refused, Refusal)
    assert refused.code == "ACC-215"
    assert "作废" in refused.message


def test_numbers_grow_to_four_digits() -> None:
    assert taken(1000)["number"] == "A1000"
    assert queue.read_number(" a017 ") == ("A", 17)
    assert queue.read_number("17") is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"windows": []}, "ACC-208"),
        ({"item_id": "gone"}, "ACC-207"),
        ({"source": "dream"}, "ACC-205"),
        ({"person": {"name": 5}}, "ACC-205"),
        ({"group": "B"}, "ACC-206"),
    ],
)
def test_what_is_no_ticket_is_refused(body: dict[str, Any], code: str) -> None:
    wanted = {"group": "A", "item_id": ITEM["id"], "source": "id_card", "windows": [W1["id"]], "person": {}, **body}
    refused = do(None, queue.TAKE, serial=1, **wanted)
    assert isinstance(refused, Refusal)
    assert refused.code == code


def test_a_number_of_another_day_is_not_used() -> None:
    refused = do(None, queue.TAKE, 24 * 60, serial=1, group="A", source="phone", windows=[W1["id"]], person={})
    assert isinstance(refused, Refusal)
    assert refused.code == "ACC-206"


def test_a_window_that_knows_of_the_call_is_refused_in_words() -> None:
    ticket = call(taken(), W1, 2)
    refused = do(ticket, queue.CALL, 3, window=W2["id"], seen=queue.last_call(ticket))
    assert isinstance(refused, Refusal)
    assert refused.code == "ACC-214"
    assert refused.message == "A017 已由1 号窗口于 10:02 呼叫。"


def test_transfer_keeps_the_place() -> None:
    old, new = taken(1), taken(2, at=5)
    old = at_window(call(old, W1, 6), queue.TRANSFER, W1, 7, 6, to_window=W2["id"])
    line = rank([new, old], W2, windows.DEFAULT_STRATEGY, NOW + timedelta(minutes=8))
    assert [place.ticket["number"] for place in line] == ["A001", "A002"]
    assert line[0].reason == "由1 号窗口转来，保留次序（10:00 取号）"
    assert [place.ticket["number"] for place in rank([old], W1, windows.DEFAULT_STRATEGY, NOW)] == []


def test_who_was_skipped_goes_back_some_places_and_three_times_at_most() -> None:
    others = [taken(serial, at=serial) for serial in (2, 3, 4)]
    ticket = at_window(call(taken(1), W1, 6), queue.SKIP, W1, 7, 6)
    line = rank(others, W1, windows.DEFAULT_STRATEGY, NOW + timedelta(minutes=8))
    place_at, after = queue.place_behind(line, 2, NOW + timedelta(minutes=8))
    ticket = done(ticket, queue.REQUEUE, 8, place_at=place_at, after=after)
    line = rank([*others, ticket], W1, windows.DEFAULT_STRATEGY, NOW + timedelta(minutes=9))
    assert [place.ticket["number"] for place in line] == ["A002", "A003", "A001", "A004"]
    assert line[2].reason == "过号后重新排队，排在 A003 之后"
    gone = {**ticket, "state": "skipped", "skips": 3}
    refused = do(gone, queue.REQUEUE, 20, place_at=place_at, after="")
    assert isinstance(refused, Refusal)
    assert refused.code == "ACC-219"


def test_nobody_moves_forward_by_being_skipped() -> None:
    ticket = at_window(call(taken(1, at=10), W1, 11), queue.SKIP, W1, 12, 11)
    refused = do(ticket, queue.REQUEUE, 13, place_at=iso(NOW), after="A000")
    assert isinstance(refused, Refusal)
    assert refused.code == "ACC-220"


# -- two windows, one number


def test_two_calls_made_apart_are_shown_and_the_first_is_kept() -> None:
    known = taken()
    ticket = call(known, W1, 5)
    ticket = call(ticket, W2, 3, seen="")
    assert ticket["window"]["id"] == W1["id"]
    assert told(ticket, W2["id"]) == "A017 重复呼叫：离线期间已由1 号窗口先叫。请叫下一号。"
    assert told(ticket, W1["id"]) == ""
    (double,) = double_calls([ticket])
    assert double.words == "A017 重复呼叫：1 号窗口（10:05，只呼叫）、2 号窗口（10:03，只呼叫）。"
    assert not double.served_twice


def test_the_ticket_goes_to_the_window_where_the_person_sat() -> None:
    ticket = call(call(taken(), W1, 5), W2, 3, seen="")
    ticket = at_window(ticket, queue.SERVE, W2, 4, 3)
    assert (ticket["state"], ticket["window"]["id"]) == ("serving", W2["id"])
    assert "已由2 号窗口办理" in told(ticket, W1["id"])
    ticket = at_window(ticket, queue.FINISH, W2, 9, 3)
    assert ticket["state"] == "served"
    (double,) = double_calls([ticket])
    assert set(double.windows) == {"1 号窗口", "2 号窗口"}
    assert not double.served_twice


def test_what_was_served_twice_is_said() -> None:
    ticket = at_window(call(taken(), W1, 5), queue.SERVE, W1, 6, 5)
    ticket = at_window(ticket, queue.FINISH, W1, 9, 5)
    ticket = call(ticket, W2, 3, seen="")
    ticket = at_window(ticket, queue.SERVE, W2, 4, 3)
    ticket = at_window(ticket, queue.SKIP, W2, 8, 3)
    assert ticket["window"]["id"] == W1["id"]
    (double,) = double_calls([ticket])
    assert double.served_twice, "letting go afterwards does not undo the service"
    assert double.words.startswith("A017 重复办理：")


def test_a_window_that_called_twice_while_it_was_apart_loses_nothing() -> None:
    ticket = call(taken(), W1, 5)
    ticket = at_window(ticket, queue.SERVE, W1, 6, 5)
    ticket = call(ticket, W2, 3, seen="")
    ticket = call(ticket, W2, 7, seen="call-hall-1-w02-3")
    ticket = at_window(ticket, queue.SERVE, W2, 8, 7)
    assert double_calls([ticket])[0].served_twice


def test_a_third_window_that_knew_only_the_first_call_loses_nothing() -> None:
    ticket = at_window(call(taken(), W1, 5), queue.SKIP, W1, 6, 5)
    ticket = done(ticket, queue.REQUEUE, 7, place_at=iso(NOW), after="")
    known = queue.last_call(ticket)
    ticket = at_window(call(ticket, W2, 4, seen=""), queue.SERVE, W2, 5, 4)
    ticket = at_window(ticket, queue.FINISH, W2, 9, 4)
    ticket = at_window(call(ticket, W3, 8, seen=known), queue.SERVE, W3, 9, 8)
    (double,) = double_calls([ticket])
    assert double.served_twice
    assert set(double.windows) == {"1 号窗口", "2 号窗口", "3 号窗口"}


def test_a_number_given_by_hand_is_joined_with_its_ticket() -> None:
    waiting = taken()
    paper = done(None, queue.HAND_IN, 2, id="p1", number="a017", window=W2["id"])
    assert (paper["number"], paper["state"], paper["source"]) == ("A017", "called", "paper")
    assert rank([waiting, {**paper, "id": "paper"}], W1, windows.DEFAULT_STRATEGY, NOW) == []
    paper = done(paper, queue.SERVE, 3, window=W2["id"], call="p1")
    paper = done(paper, queue.FINISH, 9, window=W2["id"], call="p1")
    joined = done(waiting, queue.JOIN, 10, actor=SYSTEM, paper_ticket="paper", doc=paper)
    assert (joined["state"], joined["window"]["id"], joined["turn"]) == ("served", W2["id"], 1)
    assert done(paper, queue.MERGE, 10, actor=SYSTEM, into="t17")["state"] == "merged"
    served = {**waiting, **{key: paper[key] for key in ("state", "called_at", "served_at", "done_at")}}
    served |= {"window": {"id": W1["id"], "name": "1 号窗口"}, "turn": 1, "held": "x"}
    served["turns"] = [{"turn": 1, "call": "x", "window": served["window"], "at": served["called_at"], "by": {}}]
    both = done(served, queue.JOIN, 10, actor=SYSTEM, paper_ticket="paper", doc=paper)
    assert double_calls([both])[0].served_twice
    assert isinstance(do(waiting, queue.JOIN, 10, paper_ticket="paper", doc=paper), Refusal)


# -- the order


def slot(hour: int, minute: int) -> dict[str, str]:
    start = datetime(2026, 11, 20, hour - 8, minute, tzinfo=UTC)
    return {"start": iso(start), "end": iso(start + timedelta(minutes=30))}


WALK = [taken(serial, at=serial - 40) for serial in (1, 2, 3, 4, 5, 6)]
BOOKED = [{**taken(serial, at=serial - 40), "slot": slot(10, 0), "source": "appointment"} for serial in (11, 12)]
OLD = [{**taken(serial, at=serial - 40), "priority": 1, "priority_class": "老年人"} for serial in (21, 22)]


def order(strategy: dict[str, Any], minute: int = 0, tickets: Any = None) -> list[str]:
    known = [*WALK, *BOOKED, *OLD] if tickets is None else tickets
    line = rank(known[::-1], W1, {**windows.DEFAULT_STRATEGY, **strategy}, NOW + timedelta(minutes=minute))
    assert all(place.reason for place in line)
    return [place.ticket["number"][2:] for place in line]


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (windows.PRESETS["arrival"], "01 02 03 04 05 06 11 12 21 22"),
        (windows.PRESETS["appointments"], "21 22 11 12 01 02 03 04 05 06"),
        # two and one, and each third a priority: it comes in between
        (windows.PRESETS["mix"], "01 02 21 11 03 22 04 12 05 06"),
        (windows.PRESETS["priority"], "21 22 01 02 03 04 05 06 11 12"),
        ({"booked": "mix", "priority": "arrival", "walk_ins": 2, "bookings": 1}, "01 02 11 03 04 12 05 06 21 22"),
        ({"booked": "mix", "priority": "arrival", "walk_ins": 1, "bookings": 2}, "01 11 12 02 03 04 05 06 21 22"),
        ({"booked": "arrival", "priority": "every", "every": 3}, "01 02 21 03 04 22 05 06 11 12"),
        ({"items": ["9"]}, ""),
        ({"patience": 36}, "01 02 03 04 21 22 11 12 05 06"),
    ],
)
def test_every_strategy_orders_as_it_says(strategy: dict[str, Any], expected: str) -> None:
    assert order(strategy) == expected.split()


def test_mixes_go_on_from_what_the_window_called_before() -> None:
    called = call(WALK[0], W1, 0, **{"as": "walk_in"})
    called = at_window(called, queue.SKIP, W1, 1, 0)
    before = [{**called, "state": "served", "window": {"id": W1["id"], "name": ""}}]
    strategy = {"booked": "mix", "priority": "arrival", "walk_ins": 2, "bookings": 1}
    assert order(strategy, 2, [*before, *WALK[1:3], *BOOKED]) == ["02", "11", "03", "12"]


@pytest.mark.parametrize(
    ("minute", "reason"),
    [
        (-30, "预约 10:00–10:30，未到时段，按取号先后（09:31 取号）"),
        (-11, "预约 10:00–10:30，未到时段，按取号先后（09:31 取号）"),
        (-10, "预约 10:00–10:30，按时优先"),
        (39, "预约 10:00–10:30，按时优先"),
        (40, "预约 10:00–10:30，已过时段，按取号先后（09:31 取号）"),
        (89, "已等候 118 分钟，满 60 分钟不再被插队"),
    ],
)
def test_a_booking_is_first_at_its_slot_only(minute: int, reason: str) -> None:
    strategy = {**windows.DEFAULT_STRATEGY, "patience": 60 if minute > 60 else 0}
    (place,) = rank([BOOKED[0]], W1, strategy, NOW + timedelta(minutes=minute))
    assert place.reason == reason


def test_yesterdays_numbers_and_other_halls_are_not_called() -> None:
    assert order({}, 0, [{**WALK[0], "day": "2026-11-19"}, {**WALK[1], "hall_id": "hall-2"}]) == []


# -- estimates, screens, voices


def served(minutes: int, before: int, w: Doc = W1) -> Doc:
    end = NOW - timedelta(minutes=before)
    times = {"served_at": iso(end - timedelta(minutes=minutes)), "done_at": iso(end)}
    return {
        **WALK[0],
        "id": f"s{before}",
        "number": f"A9{before}",
        "state": "served",
        "window": {"id": w["id"]},
        **times,
    }


def test_an_estimate_says_what_it_is_made_of() -> None:
    opened = [(W1, windows.DEFAULT_STRATEGY), (W2, windows.DEFAULT_STRATEGY)]
    past = [served(8, before) for before in (1, 5, 9, 13, 29)]
    found = estimate([*past, *WALK], opened, WALK[5], NOW, online=True)
    assert found.minutes == 20
    assert found.words == "前面 5 人，2 个窗口，近 30 分钟平均每人 8 分钟，约等 20 分钟。"
    few = estimate([*past[:4], *WALK], opened, WALK[5], NOW, online=True)
    assert few.minutes is None
    assert "只办完 4 人，不足以估计" in few.words
    stale = estimate([*past[:4], served(8, 31), *WALK], opened, WALK[5], NOW, online=True)
    assert stale.minutes is None
    apart = estimate([*past, *WALK], opened, WALK[5], NOW, online=False)
    assert apart.minutes is None
    assert apart.words == "本机离线，只知道前面至少 5 人，不估计等候时间。"
    assert estimate(WALK, [], WALK[5], NOW, online=True).words == "现在没有开放的窗口办理，不能估计等候时间。"


def test_screens_show_the_newest_calls_two_windows_on_one() -> None:
    tickets = [call(WALK[0], W1, 1), call(WALK[1], W2, 2), WALK[2]]
    lines = queue.calls(tickets, NOW.date())
    assert [(line.number, line.window) for line in lines] == [("A002", "2 号窗口"), ("A001", "1 号窗口")]
    assert lines[0].text == "请 A002 号到2 号窗口"
    assert queue.calls(tickets, NOW.date(), limit=1) == lines[:1]
    shared = [{**doc, "screen": "s1"} for doc in (W1, W2, W3)]
    assert [[doc["id"][-1] for doc in group] for group in queue.screens([*shared, window(4)])] == [
        ["1", "2"], ["3"], ["4"],
    ]  # fmt: skip


def test_a_number_is_read_digit_by_digit() -> None:
    assert queue.voice_text("A017", "3号窗口") == "请 A 零 一 七 号，到三号窗口"


# -- stopped windows


def test_a_stopped_windows_items_issue_no_ticket() -> None:
    day = NOW.date()
    stopped = {"text": "设备检修", "at": iso(NOW), "until": "2026-11-24", "instead": "社区服务中心"}
    closed = {**W1, "state": {**W1["state"], "stopped": stopped}}
    assert queue.offer(ITEM, [closed, W2], day).windows == (W2,)
    refused = queue.offer(ITEM, [closed], day)
    assert refused.windows == ()
    assert refused.why_not == "“事项1”今天不办：1 号窗口已停用（设备检修）。11月25日起恢复。可到社区服务中心办理。"
    assert queue.offer(ITEM, [closed], day + timedelta(days=5)).windows == (closed,)
    assert "没有窗口办理" in queue.offer(ITEM, [], day).why_not


def test_a_ticket_given_before_the_kiosk_heard_of_the_stop_is_kept_and_shown() -> None:
    stopped = {"text": "停电", "at": iso(NOW), "until": "", "instead": ""}
    REFS["window", "closed"] = {**W1, "id": "closed", "state": {**W1["state"], "stopped": stopped}}
    assert taken(windows=["closed"])["warning"] == "取号时窗口已停用，取号机当时未联网。"
    assert W1["hall_id"] == HALL
