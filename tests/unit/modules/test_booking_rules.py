"""Who may book what and when (E4, E5), and what becomes of a booking."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from modules.acceptance.domain import booking
from modules.acceptance.domain.windows import settings_of
from modules.common.aggregate import Command, Context, Doc, apply
from modules.common.clock import iso
from modules.common.errors import Refusal
from modules.common.ids import uuid7
from modules.common.permissions import SYSTEM
from tests.support.queue_hall import CALENDAR, HALL, person, service_item

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
"""Friday, 10:00 in China."""
MONDAY = date(2026, 11, 23)
ITEM = service_item("1")
SETTINGS = settings_of({"booking": {"places": 2, "items": {"none": 0}}})
CLERK = person("zhangsan")
ME, YOU = (booking.person_of(HALL, name, number, "13855012345") for name, number in (("王五", "A1"), ("赵六", "A2")))


def start(day: date, hour: int, minute: int = 0) -> str:
    return iso(datetime(day.year, day.month, day.day, hour - 8, minute, tzinfo=UTC))


def do(state: Doc | None, type: str, actor: Any = SYSTEM, now: datetime = NOW, **body: Any) -> Doc | Refusal:
    command = Command(uuid7(), booking.KIND, "01890000-0000-7000-8000-0123456789ab", type, body)
    context = Context(now, actor, CALENDAR, "", {("service_item", ITEM["id"]): ITEM})
    outcome = apply(booking.BOOKING, state, command, context)
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def booked(who: Doc = ME, at: str = "", **fields: Any) -> dict[str, Any]:
    at = at or start(MONDAY, 10)
    slot = {"start": at, "end": iso(datetime.fromisoformat(at) + timedelta(minutes=30))}
    made = do(None, booking.BOOK, hall_id=HALL, item_id=ITEM["id"], slot=slot, person=who)
    assert not isinstance(made, Refusal), made
    return {**made, **fields}


def code(outcome: Any) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.code


def judge(at: str, known: Any = (), missed: Any = (), who: Doc = ME, item: Doc = ITEM) -> Any:
    return booking.may_book(SETTINGS, item, at, who["id_hash"], list(known), list(missed), CALENDAR, NOW)


@pytest.mark.parametrize(
    ("day", "slots"),
    [
        (date(2026, 11, 20), 0),
        (date(2026, 11, 21), 0),
        (MONDAY, 14),
        (date(2026, 11, 27), 14),
        (date(2026, 11, 28), 0),
        (date(2026, 11, 30), 0),
    ],
)
def test_slots_run_from_tomorrow_to_a_week_on_working_days(day: date, slots: int) -> None:
    found = booking.slots(SETTINGS, "1", day, [], CALENDAR, NOW)
    assert len(found) == slots
    assert all(slot.left == 2 for slot in found)
    if found:
        assert [slot.words for slot in (found[0], found[5], found[6], found[-1])] == [
            "09:00–09:30，余 2 个", "11:30–12:00，余 2 个", "13:00–13:30，余 2 个", "16:30–17:00，余 2 个",
        ]  # fmt: skip


def test_items_may_have_their_own_number_of_places() -> None:
    assert booking.slots(SETTINGS, "none", MONDAY, [], CALENDAR, NOW) == []
    own = settings_of({"booking": {"items": {"1": 9}}})
    assert booking.slots(own, "1", MONDAY, [], CALENDAR, NOW)[0].places == 9


def test_a_full_slot_stops_and_says_what_is_left() -> None:
    full = [booked({**YOU, "id_hash": str(n)}) for n in range(2)]
    assert judge(start(MONDAY, 10, 30), full).left == 2
    refused = judge(start(MONDAY, 10), full)
    assert code(refused) == "ACC-284"
    assert "同日还有：09:00–09:30，余 2 个" in refused.message
    assert booking.slots(SETTINGS, "1", MONDAY, full, CALENDAR, NOW)[2].words == "10:00–10:30，已约满"
    assert judge(start(MONDAY, 10), [{**full[0], "state": "cancelled"}, full[1]]).left == 1


def test_one_person_one_live_booking_of_an_item() -> None:
    mine = booked()
    refused = judge(start(MONDAY, 14), [mine])
    assert code(refused) == "ACC-281"
    assert "11月23日 10:00–10:30" in refused.message
    assert judge(start(MONDAY, 14), [mine], who=YOU).left == 2
    assert judge(start(MONDAY, 14), [{**mine, "state": "cancelled"}]).left == 2
    assert judge(start(MONDAY, 14), [mine], item=service_item("2")).left == 2


@pytest.mark.parametrize("at", [start(date(2026, 11, 20), 15), start(MONDAY, 12, 30), start(MONDAY, 9, 10)])
def test_what_is_no_slot_is_refused(at: str) -> None:
    assert code(judge(at)) == "ACC-283"
    assert code(judge("soon")) == "ACC-282"


def test_more_than_three_missed_in_a_month_suspend_until_enough_time_has_passed() -> None:
    days = [date(2026, 10, 21), date(2026, 10, 30), date(2026, 11, 5), date(2026, 11, 12), date(2026, 11, 18)]
    missed = [booked(day=day.isoformat(), state="missed") for day in days]
    assert judge(start(MONDAY, 10), missed=missed[:3]).left == 2
    assert judge(start(MONDAY, 10), missed=missed[:4]).left == 2, "the first was thirty days ago"
    refused = judge(start(MONDAY, 10), missed=missed)
    assert code(refused) == "ACC-280"
    assert "11月29日起可再约" in refused.message
    rules = SETTINGS["booking"]
    assert booking.suspended_until(rules, missed, NOW + timedelta(days=8)) == date(2026, 11, 29)
    assert booking.suspended_until(rules, missed, NOW + timedelta(days=9)) is None
    assert booking.suspended_until({**rules, "no_shows": 5}, missed, NOW) is None


def test_only_the_server_books_and_misses() -> None:
    assert code(do(None, booking.BOOK, CLERK)) == "ACC-288"
    assert code(do(booked(), booking.MISS, CLERK)) == "AUTH-403"
    assert code(do(booked(), booking.MISS)) == "ACC-291", "its slot has not ended"
    late = NOW + timedelta(days=3, hours=1)
    assert do(booked(), booking.MISS, now=late)["state"] == "missed"  # type: ignore[index]


def test_a_booking_is_cancelled_inside_its_time_and_used_on_its_day() -> None:
    monday = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
    assert do(booked(), booking.CANCEL, CLERK)["state"] == "cancelled"  # type: ignore[index]
    assert do(booked(), booking.CANCEL, CLERK, monday)["state"] == "cancelled"  # type: ignore[index]
    assert code(do(booked(), booking.CANCEL, CLERK, monday + timedelta(minutes=30))) == "ACC-292"
    assert code(do(booked(), booking.ARRIVE, CLERK, ticket_id="t")) == "ACC-293"
    here = do(booked(), booking.ARRIVE, CLERK, monday, ticket_id="t")
    assert here["state"] == "arrived"  # type: ignore[index]
    assert code(do(here, booking.CANCEL, CLERK, monday)) == "ACC-291"  # type: ignore[arg-type]
    assert do(booked(state="missed"), booking.ARRIVE, CLERK, monday, ticket_id="t")["state"] == "arrived"  # type: ignore[index]
    assert code(do(booked(), booking.CANCEL, person("x", hall="hall-2"))) == "ACC-286"


def test_a_card_recalls_what_has_not_expired() -> None:
    mine, other = booked(), booked(YOU)
    for minutes, found in ((0, [mine]), (44, [mine]), (46, [])):
        now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC) + timedelta(minutes=minutes)
        assert booking.unexpired(SETTINGS, [mine, other], ME["id_hash"], now) == found
    assert booking.unexpired(SETTINGS, [mine], ME["id_hash"], NOW) == []


def test_what_is_kept_of_a_person() -> None:
    kept = booking.person_of(HALL, "欧阳小明", "11010519491231002x", " 13855012345 ")
    assert (kept["name"], kept["id_number"], kept["phone"]) == ("欧***", "110105********002X", "13855012345")
    assert kept["id_hash"] == booking.id_hash(HALL, "11010519491231002X")
    assert kept["id_hash"] != booking.id_hash("hall-2", "11010519491231002X")
    assert booking.person_of(HALL, "", "", "13855012345") == {"phone": "13855012345"}
    assert booked()["number"].startswith("Y")
    assert booking.BOOKING.summary(booked()).due == MONDAY
