"""Appointments and the queue's history at the central server, and the job that keeps both tidy.

The last place of a slot is given to one person: every booking is looked up, judged and stored under one
lock, in the one process that owns the database.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from modules.acceptance.domain import booking, queue
from modules.acceptance.domain.windows import MAY_HALL, MAY_QUEUE, SETTINGS_KIND, local_day, settings_of
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, parse_iso
from modules.common.codes import check_phone, check_resident_id, normalise
from modules.common.errors import Refusal, Refused
from modules.common.ids import uuid7
from modules.common.server_ports import Caller, ServerCommands, ServerServices
from modules.common.text import tr

PAGE = 1000
LONGEST_HISTORY = 31


@dataclass(frozen=True, slots=True)
class NewBooking:
    """Who wants which item, and when: ``slot`` is the start of a slot as ``/bookings/slots`` names it."""

    item_id: str
    slot: str
    name: str
    id_number: str
    phone: str


@dataclass(frozen=True, slots=True)
class BookingPerson:
    """A person by the number of the identity document: in the body, so that no address keeps it."""

    id_number: str


@dataclass(frozen=True, slots=True)
class SlotView:
    """A slot: its start and end (UTC text), all places and those left, and words."""

    start: str
    end: str
    places: int
    left: int
    words: str


@dataclass(frozen=True, slots=True)
class BookingView:
    """A booking as its person may see it."""

    id: str
    number: str
    item: str
    start: str
    end: str
    state: str
    words: str


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """An hour of a day at a hall: tickets taken, served and lost; mean minutes waited and served, -1 for none."""

    day: str
    hour: int
    group: str
    taken: int
    served: int
    lost: int
    waited: float
    took: float


def router(services: ServerServices) -> APIRouter:
    """The addresses ``/bookings…`` and ``/queue/history`` under ``/v1/m/acceptance``."""
    made = APIRouter()
    queues = Depends(services.require(MAY_QUEUE))
    hall = Depends(services.require(MAY_HALL))
    desk = Bookings(services)

    @made.get("/bookings/slots")
    def find_slots(item_id: str, day: date, caller: Caller = queues) -> list[SlotView]:
        """The slots of an item on a day in the caller's hall, with what is left of them."""
        return desk.slots(caller.actor.hall_id, item_id, day)

    @made.post("/bookings")
    def book_slot(body: NewBooking, caller: Caller = queues) -> BookingView:
        """Book a slot for a person; says in words why it can't be had."""
        return desk.book(caller, body)

    @made.post("/bookings/mine")
    def find_bookings(body: BookingPerson, caller: Caller = queues) -> list[BookingView]:
        """A person's bookings of the last weeks and the next, newest first."""
        return desk.mine(caller.actor.hall_id, body.id_number)

    @made.post("/bookings/{id}/cancel", status_code=204)
    def cancel_booking(id: str, caller: Caller = queues) -> None:
        """Cancel a booking whose slot has not ended."""
        services.commands.give(booking.KIND, id, booking.CANCEL, {}, actor=caller.actor, device=caller.device)

    @made.get("/queue/history")
    def find_history(
        since: date, until: date, caller: Caller = hall, group: Annotated[str, Query(max_length=1)] = ""
    ) -> list[HistoryLine]:
        """How many came and how long they waited, by hour: what estimates can be held against."""
        return desk.history(caller.actor.hall_id, since, until, group)

    return made


class Bookings:
    """The desk at which all bookings are made."""

    def __init__(self, services: ServerServices) -> None:
        self._services = services
        self._one_at_a_time = Lock()

    def slots(self, hall_id: str, item_id: str, day: date) -> list[SlotView]:
        """The slots of a day. Raises ``Refused`` ACC-290 for an unknown item."""
        commands, now = self._services.commands, self._services.clock.now()
        item, settings = _item(commands, item_id), _settings(commands, hall_id)
        known = self._live(hall_id, settings, now)
        found = booking.slots(settings, item["code"], day, known, _calendar(commands), now)
        return [SlotView(slot.start, slot.end, slot.places, slot.left, slot.words) for slot in found]

    def book(self, caller: Caller, wanted: NewBooking) -> BookingView:
        """Give the slot, or raise ``Refused`` with the reason."""
        commands, now, hall_id = self._services.commands, self._services.clock.now(), caller.actor.hall_id
        if faults := _faults(wanted):
            raise Refused(Refusal("ACC-300", tr("预约信息有 {n} 处需要更正。", n=len(faults)), faults))
        item, settings, calendar = _item(commands, wanted.item_id), _settings(commands, hall_id), _calendar(commands)
        person = booking.person_of(hall_id, wanted.name, wanted.id_number, wanted.phone)
        id = uuid7(int(now.timestamp() * 1000))
        with self._one_at_a_time:
            known = self._live(hall_id, settings, now)
            missed = [doc for doc in self._missed(hall_id, settings, now) if _is_of(doc, person["id_hash"])]
            slot = booking.may_book(settings, item, wanted.slot, person["id_hash"], known, missed, calendar, now)
            if isinstance(slot, Refusal):
                raise Refused(slot)
            body = {
                "hall_id": hall_id,
                "item_id": item["id"],
                "slot": {"start": slot.start, "end": slot.end},
                "person": person,
                "channel": caller.actor.login,
            }
            commands.give(booking.KIND, id, booking.BOOK, body)
        made = commands.get(booking.KIND, id)
        if made is None:
            raise LookupError(id)
        return _view(made)

    def mine(self, hall_id: str, id_number: str) -> list[BookingView]:
        """A person's bookings, newest first."""
        commands, now = self._services.commands, self._services.clock.now()
        settings, mark = _settings(commands, hall_id), booking.id_hash(hall_id, id_number)
        found = _since(commands, booking.KIND, (), now, _span(settings))
        return [_view(doc) for doc in found if doc["hall_id"] == hall_id and _is_of(doc, mark)][::-1]

    def history(self, hall_id: str, since: date, until: date, group: str) -> list[HistoryLine]:
        """Tickets by day, hour and group."""
        now = self._services.clock.now()
        if not timedelta() <= until - since <= timedelta(days=LONGEST_HISTORY):
            raise Refused(Refusal("ACC-301", tr("一次最多查询 {n} 天。", n=LONGEST_HISTORY)))
        lines: dict[tuple[str, int, str], list[Doc]] = defaultdict(list)
        back = max(0, (local_day(now) - since).days) + 1
        for ticket in _since(self._services.commands, queue.KIND, (), now, back, until):
            inside = since.isoformat() <= ticket["day"] <= until.isoformat()
            if ticket["hall_id"] == hall_id and inside and group in ("", ticket["group"]):
                hour = parse_iso(ticket["taken_at"]).astimezone(CHINA).hour
                lines[ticket["day"], hour, ticket["group"]].append(ticket)
        return [_history(*key, tickets) for key, tickets in sorted(lines.items())]

    def _live(self, hall_id: str, settings: Doc, now: datetime) -> list[Doc]:
        states = (booking.BOOKED, booking.ARRIVED)
        days = settings["booking"]["last_day"] + 1
        return [
            doc for doc in _since(self._services.commands, booking.KIND, states, now, days) if doc["hall_id"] == hall_id
        ]

    def _missed(self, hall_id: str, settings: Doc, now: datetime) -> Iterator[Doc]:
        found = _since(self._services.commands, booking.KIND, (booking.MISSED,), now, _span(settings))
        return (doc for doc in found if doc["hall_id"] == hall_id)


def _span(settings: Doc) -> int:
    """Days since whose beginning a booking may have been made that still matters."""
    return int(settings["booking"]["no_show_days"] + settings["booking"]["last_day"]) + 1


def _is_of(doc: Doc, mark: str) -> bool:
    return bool(doc["person"].get("id_hash") == mark)


def _view(doc: Doc) -> BookingView:
    slot = doc["slot"]
    day = date.fromisoformat(doc["day"])
    words = tr(
        "{number}：{month}月{day}日 {slot}，{item}，{state}",
        number=doc["number"],
        month=day.month,
        day=day.day,
        slot=queue.slot_words(slot),
        item=doc["item"]["name"],
        state=booking.state_name(doc["state"]),
    )
    return BookingView(doc["id"], doc["number"], doc["item"]["name"], slot["start"], slot["end"], doc["state"], words)


def _faults(wanted: NewBooking) -> dict[str, str]:
    faults = {}
    if not 1 <= len(wanted.name.strip()) <= 60:
        faults["name"] = tr("请填写姓名。")
    if fault := check_phone(wanted.phone):
        faults["phone"] = fault.message
    number = normalise(wanted.id_number)
    # other documents have no check digit; 15 digits and more are meant for an identity card
    if (len(number) >= 15 and (fault := check_resident_id(number))) or not 4 <= len(number) <= 30:
        faults["id_number"] = fault.message if fault else tr("请填写证件号码。")
    return faults


def _item(commands: ServerCommands, item_id: str) -> Doc:
    item = commands.get(queue.ITEM_KIND, item_id)
    if item is None or item.get("state", "published") != "published":
        raise Refused(booking.no_item())
    return item


def _settings(commands: ServerCommands, hall_id: str) -> Doc:
    return settings_of(commands.get(SETTINGS_KIND, hall_id))


def _calendar(commands: ServerCommands) -> WorkCalendar:
    return WorkCalendar.from_documents(_all(commands, "calendar_day", ()))


def _all(
    commands: ServerCommands, kind: str, states: Sequence[str], after: str = "", until: date | None = None
) -> Iterator[Doc]:
    while True:
        page = commands.find(kind, states=states, due_until=until, after=after, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]["id"]


def _since(
    commands: ServerCommands, kind: str, states: Sequence[str], now: datetime, days: int, until: date | None = None
) -> Iterator[Doc]:
    """Documents begun in the last ``days`` days: their ids (UUIDv7) sort by the time of their making."""
    head = f"{int((now - timedelta(days=days)).timestamp() * 1000):012x}"
    return _all(commands, kind, states, f"{head[:8]}-{head[8:]}", until)


def _history(day: str, hour: int, group: str, tickets: Sequence[Doc]) -> HistoryLine:
    counted = [ticket for ticket in tickets if ticket["state"] not in (queue.VOIDED, queue.MERGED)]
    served = [ticket for ticket in counted if ticket["state"] == queue.SERVED and ticket["served_at"]]
    waited = [_minutes(ticket["taken_at"], ticket["served_at"]) for ticket in served]
    took = [_minutes(ticket["served_at"], ticket["done_at"]) for ticket in served]
    return HistoryLine(
        day=day,
        hour=hour,
        group=group,
        taken=len(counted),
        served=len(served),
        lost=sum(ticket["state"] in (queue.SKIPPED, queue.CANCELLED) for ticket in counted),
        waited=_mean(waited),
        took=_mean(took),
    )


def _minutes(start: str, end: str) -> float:
    return (parse_iso(end) - parse_iso(start)).total_seconds() / 60


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 1) if values else -1.0


# -- the job --------------------------------------------------------------------------------------


def tidy(services: ServerServices) -> None:
    """Join what was called by its paper alone with its ticket, note missed bookings, end what is left of past days."""
    commands, now = services.commands, services.clock.now()
    today = local_day(now)
    tickets = list(_since(commands, queue.KIND, (), now, 3))
    for original, paper in papers_to_join(tickets):
        if paper["state"] == queue.SERVED or original["turn"]:
            _settle(commands, original["id"], queue.JOIN, {"paper_ticket": paper["id"]}, f"join:{paper['id']}")
        _settle(commands, paper["id"], queue.MERGE, {"into": original["id"]}, f"merge:{paper['id']}")
    for ticket in tickets:
        if ticket["day"] < today.isoformat() and ticket["state"] in (queue.PRINTING, queue.WAITING, queue.SKIPPED):
            _settle(commands, ticket["id"], queue.CANCEL, {"reason": "当日未办"}, f"day:{ticket['id']}")
    for doc in _all(commands, booking.KIND, (booking.BOOKED,), until=today):
        if now > booking.last_moment(_settings(commands, doc["hall_id"]), doc):
            _settle(commands, doc["id"], booking.MISS, {}, f"missed:{doc['id']}", kind=booking.KIND)


def papers_to_join(tickets: Sequence[Doc]) -> list[tuple[Doc, Doc]]:
    """Tickets and what was handed in under their number and is finished."""
    originals = {
        (ticket["hall_id"], ticket["day"], ticket["number"]): ticket
        for ticket in tickets
        if ticket["source"] != queue.PAPER
    }
    return [
        (original, paper)
        for paper in tickets
        if paper["source"] == queue.PAPER
        and paper["state"] in (queue.SERVED, queue.SKIPPED, queue.CANCELLED)
        and (original := originals.get((paper["hall_id"], paper["day"], paper["number"])))
    ]


def _settle(commands: ServerCommands, id: str, type: str, body: Doc, name: str, *, kind: str = queue.KIND) -> None:
    try:
        commands.give(kind, id, type, body, command_id=name)
    except Refused:
        # a window was faster: what it did stands, and the next run looks again
        return
