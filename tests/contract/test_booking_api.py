"""The booking desk of the central server: the last place, missed bookings, the day's end, and its routes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from modules.acceptance.domain import booking, queue, windows
from modules.acceptance.server.queue import BookingPerson, Bookings, NewBooking, router, tidy
from modules.acceptance.services.kiosk import Citizen, KioskService
from modules.acceptance.services.queue import QueueService
from modules.common.aggregate import Doc
from modules.common.clock import FixedClock
from modules.common.errors import Refused
from modules.common.permissions import Actor
from modules.common.server_ports import Caller, Reference
from server_stub.config import Config
from server_stub.services import Services
from tests.support.central import QUICK, START
from tests.support.queue_hall import HALL, Central, PaperPort, Phone, person, service_item, window
from tests.support.queue_hall import Desk as Desktop

ITEM = service_item("1")
MONDAY = date(2026, 11, 23)
NINE = "2026-11-23T01:00:00.000Z"


@dataclass
class Desk:
    """Real services, with a signed-in person by decree."""

    services: Services
    clock: FixedClock
    actor: Actor

    def require(self, permission: str) -> Callable[[], Caller]:
        def check() -> Caller:
            assert self.actor.may(permission), permission
            return Caller(self.actor, "")

        return check

    def __getattr__(self, name: str) -> Any:
        return getattr(self.services, name)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    clock = FixedClock(START)
    services = Services(Config(tmp_path, "", settings=QUICK), clock)
    services.commands.publish([Reference("service_item", ITEM["id"], ITEM, "事项1")])
    services.commands.give(windows.SETTINGS_KIND, HALL, windows.SET, {"part": "booking", "value": {"places": 1}})
    yield Desk(services, clock, person("sunqi", "manager"))
    services.close()


def wanted(n: int = 1, slot: str = NINE) -> NewBooking:
    return NewBooking(ITEM["id"], slot, "张三", f"PASS{n}", "13855012345")


def caller() -> Caller:
    return Caller(person("zhangsan"), "")


def all_of(desk: Desk, kind: str) -> list[Doc]:
    return desk.services.commands.find(kind)


def test_the_last_place_goes_to_one_and_the_others_are_told(desk: Desk) -> None:
    bookings, outcomes = Bookings(desk), list[str]()  # type: ignore[arg-type]
    gate = threading.Barrier(8)

    def one(n: int) -> None:
        gate.wait()
        try:
            outcomes.append(bookings.book(caller(), wanted(n)).state)
        except Refused as error:
            outcomes.append(error.code)

    people = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    assert sorted(outcomes) == ["ACC-284"] * 7 + ["booked"]
    assert len(all_of(desk, booking.KIND)) == 1


def test_one_person_twice_at_once_gets_one(desk: Desk) -> None:
    bookings, outcomes = Bookings(desk), list[str]()  # type: ignore[arg-type]
    gate = threading.Barrier(4)

    def one(n: int) -> None:
        gate.wait()
        try:
            outcomes.append(bookings.book(caller(), wanted(1, f"2026-11-23T0{1 + n}:00:00.000Z")).state)
        except Refused as error:
            outcomes.append(error.code)

    people = [threading.Thread(target=one, args=(n,)) for n in range(3)]
    people.append(threading.Thread(target=gate.wait))
    for thread in people:
        thread.start()
    for thread in people:
        thread.join()
    assert sorted(outcomes) == ["ACC-281", "ACC-281", "booked"]


def test_the_routes_do_what_they_say(desk: Desk) -> None:
    made = router(desk)  # type: ignore[arg-type]
    call = {
        f"{min(route.methods)} {route.path}": route.endpoint for route in made.routes if isinstance(route, APIRoute)
    }
    slots = call["GET /bookings/slots"](ITEM["id"], MONDAY, caller())
    assert (len(slots), slots[0].words) == (14, "09:00–09:30，余 1 个")
    booked = call["POST /bookings"](wanted(), caller())
    assert booked.words == f"{booked.number}：11月23日 09:00–09:30，事项1，已预约"
    assert call["GET /bookings/slots"](ITEM["id"], MONDAY, caller())[0].words == "09:00–09:30，已约满"
    assert call["POST /bookings/mine"](BookingPerson("pass1"), caller()) == [booked]
    assert call["POST /bookings/mine"](BookingPerson("pass2"), caller()) == []
    desk.services.commands.give(booking.KIND, booked.id, booking.CANCEL, {})
    assert call["GET /bookings/slots"](ITEM["id"], MONDAY, caller())[0].left == 1
    with pytest.raises(Refused, match="ACC-300") as faulty:
        call["POST /bookings"](NewBooking(ITEM["id"], NINE, "", "11010519491231002Y", "1"), caller())
    assert set(faulty.value.refusal.fields) == {"phone", "id_number", "name"}
    with pytest.raises(Refused, match="ACC-290"):
        call["POST /bookings"](NewBooking("gone", NINE, "张三", "PASS1", "13855012345"), caller())
    with pytest.raises(Refused, match="ACC-301"):
        call["GET /queue/history"](date(2026, 1, 1), date(2026, 11, 1), Caller(desk.actor, ""), "")
    app = FastAPI()
    app.include_router(made)
    paths = app.openapi()["paths"]
    assert set(paths) == {
        "/bookings/slots", "/bookings", "/bookings/mine", "/bookings/{id}/cancel", "/queue/history",
    }  # fmt: skip
    assert all(route["description"] for path in paths.values() for route in path.values())


def test_who_does_not_come_is_noted_and_after_four_may_not_book(desk: Desk) -> None:
    bookings = Bookings(desk)  # type: ignore[arg-type]
    for day in (23, 24, 25, 26):
        bookings.book(caller(), wanted(1, f"2026-11-{day}T01:00:00.000Z"))
        desk.clock.advance((date(2026, 11, day) - desk.clock.now().date()).days * 86400 + 2400)
        tidy(desk)  # type: ignore[arg-type]
        assert all_of(desk, booking.KIND)[-1]["state"] == "booked", "within the slack"
        desk.clock.advance(600)
        tidy(desk)  # type: ignore[arg-type]
        assert all_of(desk, booking.KIND)[-1]["state"] == "missed"
        desk.clock.advance(-3000)
    with pytest.raises(Refused, match="ACC-280"):
        bookings.book(caller(), wanted(1, "2026-11-30T01:00:00.000Z"))
    assert bookings.book(caller(), wanted(2, "2026-11-30T01:00:00.000Z")).state == "booked"
    tidy(desk)  # type: ignore[arg-type]


def test_papers_are_joined_the_day_ends_and_history_counts(desk: Desk) -> None:
    hall = central(desk.clock)
    kiosk_desk, apart = Desktop("取号机", hall, person("kiosk")), Desktop("1号窗", hall, person("zhangsan"))
    kiosk_desk.sync()
    apart.sync()
    kiosk = KioskService(kiosk_desk, kiosk_desk, kiosk_desk, desk.clock, PaperPort())
    window_service = QueueService(apart, apart, apart, desk.clock, Phone())
    kiosk.lease()
    kiosk_desk.sync()
    for n in range(3):
        kiosk.put_out(kiosk.take_by_card(ITEM["id"], Citizen("某人", f"ID{n}")))
    window_service.sign_in("hall-1-w01")
    window_service.call_number("hall-1-w01", "A001")
    desk.clock.advance(600)
    window_service.serve("hall-1-w01")
    desk.clock.advance(300)
    window_service.finish("hall-1-w01")
    for store in (kiosk_desk, apart):
        store.sync()
    docs = [Reference(kind, key, doc) for (kind, key), (_, doc) in hall.docs.items() if kind in ("ticket", "window")]
    desk.services.commands.publish(docs)
    tidy(desk)  # type: ignore[arg-type]
    states = {(doc["number"], doc["source"]): doc["state"] for doc in all_of(desk, queue.KIND)}
    assert states == {
        ("A001", "id_card"): "served", ("A001", "paper"): "merged",
        ("A002", "id_card"): "waiting", ("A003", "id_card"): "waiting",
    }  # fmt: skip
    today = date(2026, 11, 20)
    (line,) = Bookings(desk).history(HALL, today, today, "")  # type: ignore[arg-type]
    assert (line.hour, line.group, line.taken, line.served, line.waited, line.took) == (9, "A", 3, 1, 10.0, 5.0)
    desk.clock.advance(timedelta(days=1).total_seconds())
    tidy(desk)  # type: ignore[arg-type]
    assert sorted(doc["state"] for doc in all_of(desk, queue.KIND)) == ["cancelled", "cancelled", "merged", "served"]
    (line,) = Bookings(desk).history(HALL, today, today, "A")  # type: ignore[arg-type]
    assert line.lost == 2
    assert Bookings(desk).history(HALL, today, today, "B") == []  # type: ignore[arg-type]


def central(clock: FixedClock) -> Central:
    """A hall with an item and a window."""
    hall = Central(clock)
    hall.put("service_item", ITEM)
    hall.put("window", window(1))
    return hall
