"""The rules of appointments (预约): which slots there are, who may book one, and what becomes of a booking.

``booking``: ``{id, hall_id, number: "Y7K3M2A", item: {id, code, name, department_id}, slot: {start, end} (UTC text),
day, person: {name, id_number (both masked), id_hash, phone}, state: "booked" | "arrived" | "cancelled" | "missed",
channel, booked_at, ticket_id, history}``. Only the server books and misses (both need the right ``system``), because
only it sees every booking; windows and kiosks cancel and note arrivals, offline too. Requirements C05, E4, E5.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from modules.acceptance.domain.queue import slot_words
from modules.acceptance.domain.windows import MAY_QUEUE, SYSTEM, by, day_words, hours_of, local_day
from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, iso, parse_iso
from modules.common.codes import masked, normalise
from modules.common.errors import Refusal
from modules.common.gm import sm3
from modules.common.permissions import forbidden
from modules.common.text import tr

KIND = "booking"
ITEM_KIND = "service_item"
BOOK, CANCEL, ARRIVE, MISS = "booking.book", "booking.cancel", "booking.arrive", "booking.miss"
BOOKED, ARRIVED, CANCELLED, MISSED = "booked", "arrived", "cancelled", "missed"


def state_name(state: str) -> str:
    """A booking's state in the hall's words."""
    return {BOOKED: tr("已预约"), ARRIVED: tr("已取号"), CANCELLED: tr("已取消"), MISSED: tr("爽约")}.get(state, state)


def id_hash(hall_id: str, id_number: str) -> str:
    """What stands for an identity number where bookings and tickets of one person must be found (SM3)."""
    return sm3(f"{hall_id}:{normalise(id_number)}".encode()).hex()[:32]


def masked_name(name: str) -> str:
    """A name for screens and papers that others see: ``张*``."""
    return name[:1] + "*" * max(1, len(name) - 1) if name else ""


def person_of(hall_id: str, name: str, id_number: str, phone: str) -> dict[str, str]:
    """The person as tickets and bookings keep one: name and number covered, the phone whole, to be called by."""
    person = {
        "name": masked_name(name.strip()),
        "id_number": masked(normalise(id_number)) if id_number else "",
        "id_hash": id_hash(hall_id, id_number) if id_number else "",
        "phone": normalise(phone),
    }
    return {key: value for key, value in person.items() if value}


# -- slots ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that can be booked: UTC text, places in all and left; ``words`` says what a person is told."""

    start: str
    end: str
    places: int
    left: int
    words: str


def places_of(rules: Doc, item_code: str) -> int:
    """How many people a slot of an item takes."""
    return int(rules["items"].get(item_code, rules["places"]))


def slots(
    settings: Doc, item_code: str, day: date, bookings: Iterable[Doc], calendar: WorkCalendar, now: datetime
) -> list[Slot]:
    """The slots of a day with what is left of them; none outside the days that may be booked (E4)."""
    rules = settings["booking"]
    if not rules["first_day"] <= (day - local_day(now)).days <= rules["last_day"]:
        return []
    places = places_of(rules, item_code)
    taken = Counter(
        booking["slot"]["start"]
        for booking in bookings
        if booking["item"]["code"] == item_code and booking["state"] in (BOOKED, ARRIVED)
    )
    step, made = timedelta(minutes=rules["minutes"]), []
    for opens, closes in hours_of(settings, calendar, day) if places else ():
        start = opens
        while start + step <= closes:
            left = max(0, places - taken[iso(start)])
            times = slot_words({"start": iso(start), "end": iso(start + step)})
            words = tr("{times}，余 {n} 个", times=times, n=left) if left else tr("{times}，已约满", times=times)
            made.append(Slot(iso(start), iso(start + step), places, left, words))
            start += step
    return made


def suspended_until(rules: Doc, missed: Iterable[Doc], now: datetime) -> date | None:
    """Until which day a person who missed too many may not book (E5), or None. ``missed``: the person's, by day.

    It ends when so much time has passed that the number within ``no_show_days`` days is within the limit again.
    """
    span = timedelta(days=rules["no_show_days"])
    today = local_day(now)
    days = sorted(day for booking in missed if today - (day := date.fromisoformat(booking["day"])) < span)
    over = len(days) - rules["no_shows"]
    return days[over - 1] + span if over > 0 else None


def may_book(
    settings: Doc,
    item: Doc,
    start: str,
    person_hash: str,
    bookings: Sequence[Doc],
    missed: Iterable[Doc],
    calendar: WorkCalendar,
    now: datetime,
) -> Slot | Refusal:
    """The free slot of ``item`` that begins at ``start``, or why this person cannot have it.

    ``bookings``: all live ones and those that have arrived; ``missed``: what this person missed.
    """
    rules = settings["booking"]
    if (until := suspended_until(rules, missed, now)) is not None:
        return Refusal(
            "ACC-280",
            tr(
                "{n} 天内爽约超过 {most} 次，暂停预约，{until}起可再约。仍可到大厅现场取号。",
                n=rules["no_show_days"],
                most=rules["no_shows"],
                until=day_words(until),
            ),
        )
    for booking in bookings:
        same = booking["person"].get("id_hash") == person_hash and booking["item"]["code"] == item["code"]
        if same and booking["state"] == BOOKED:
            when = f"{day_words(date.fromisoformat(booking['day']))} {slot_words(booking['slot'])}"
            return Refusal(
                "ACC-281", tr("此证件已预约“{item}”（{when}），须先取消才能另约。", item=item["name"], when=when)
            )
    try:
        moment = parse_iso(start)
    except ValueError:
        return Refusal("ACC-282", tr("预约时间无法识别。"))
    offered = slots(settings, item["code"], moment.astimezone(CHINA).date(), bookings, calendar, now)
    slot = next((slot for slot in offered if slot.start == iso(moment)), None)
    if slot is None:
        first, last = (day_words(local_day(now) + timedelta(days=rules[key])) for key in ("first_day", "last_day"))
        return Refusal("ACC-283", tr("这一时段不能预约。可约{first}至{last}的工作时间。", first=first, last=last))
    if not slot.left:
        free = next((other.words for other in offered if other.left), "")
        told = (
            tr("这一时段刚刚约满。同日还有：{slot}。", slot=free)
            if free
            else tr("这一时段和同日各时段均已约满，请另选一天。")
        )
        return Refusal("ACC-284", told)
    return slot


def last_moment(settings: Doc, booking: Doc) -> datetime:
    """Until when a booking is honoured: the end of its slot and the slack after it."""
    return parse_iso(booking["slot"]["end"]) + timedelta(minutes=settings["booking"]["slack"])


def unexpired(settings: Doc, bookings: Iterable[Doc], person_hash: str, now: datetime) -> list[Doc]:
    """What a person who swipes a card has booked for today and may still use, by time."""
    today = local_day(now).isoformat()
    mine = [
        booking
        for booking in bookings
        if booking["state"] == BOOKED
        and booking["day"] == today
        and booking["person"].get("id_hash") == person_hash
        and now <= last_moment(settings, booking)
    ]
    return sorted(mine, key=lambda booking: booking["slot"]["start"])


def no_item() -> Refusal:
    """What is said of an item that is not offered (any more)."""
    return Refusal("ACC-290", tr("没有这个事项，或它已停止办理，不能预约。"))


# -- the aggregate ``booking`` ----------------------------------------------------------------------


class BookingRules:
    """The aggregate ``booking``."""

    kind = KIND

    def refs(self, command: Command) -> Sequence[Key]:
        item = command.body.get("item_id")
        return [(ITEM_KIND, item)] if command.type == BOOK and isinstance(item, str) else []

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        actor = context.actor
        if command.type == BOOK:
            return _book(state, command, context)
        if not actor.may(MAY_QUEUE) and not actor.may(SYSTEM):
            return forbidden(MAY_QUEUE)
        if state is None:
            return Refusal("ACC-285", tr("没有这个预约，或尚未传到本机。"))
        if actor.hall_id != state["hall_id"] and not actor.may(SYSTEM):
            return Refusal("ACC-286", tr("这是别的大厅的预约。"))
        if command.type == CANCEL:
            return _cancel(state, command.body, context)
        if command.type == ARRIVE:
            return _arrive(state, command.body, context)
        if command.type == MISS:
            return _miss(state, context)
        return Refusal("ACC-287", tr("本程序不认识“{type}”这一操作，请升级程序。", type=command.type))

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        body = event.body
        before = dict(state or {})
        line = {"event": event.type, "at": body["at"], "by": body["by"], "text": body["text"]}
        return {**before, **body["set"], "history": [*before.get("history", []), line]}

    def summary(self, state: Doc) -> Summary:
        words = " ".join((state["number"], state["person"].get("name", ""), state["item"]["name"]))
        title = f"{slot_words(state['slot'])} · {state['item']['name']}"
        return Summary(title, state["state"], state["number"], date.fromisoformat(state["day"]), words)

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({f"hall:{state['hall_id']}"})


BOOKING = BookingRules()


def booking_number(id: str) -> str:
    """A short number that can be told on the telephone, out of the id's random end."""
    alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    value = int(id.replace("-", "")[-12:], 16)
    return "Y" + "".join(alphabet[value >> shift & 31] for shift in range(0, 30, 5))


def _event(type: str, context: Context, text: str, changes: Mapping[str, Any]) -> list[Event]:
    return [Event(type, {"at": iso(context.now), "by": by(context.actor), "text": text, "set": dict(changes)})]


def _book(state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """``{hall_id, item_id, slot, person, channel}``, after ``may_book``."""
    if not context.actor.may(SYSTEM):
        return Refusal("ACC-288", tr("预约由中心服务器登记，请联网后通过预约页面办理。"))
    if state is not None:
        return Refusal("ACC-289", tr("此预约已登记，号码 {number}。", number=state["number"]))
    body = command.body
    item = context.refs.get((ITEM_KIND, str(body.get("item_id"))))
    if item is None:
        return no_item()
    slot = {key: str(body["slot"][key]) for key in ("start", "end")}
    booking = {
        "id": command.aggregate_id,
        "hall_id": str(body["hall_id"]),
        "number": booking_number(command.aggregate_id),
        "item": {key: item[key] for key in ("id", "code", "name", "department_id")},
        "slot": slot,
        "day": parse_iso(slot["start"]).astimezone(CHINA).date().isoformat(),
        "person": dict(body["person"]),
        "state": BOOKED,
        "channel": str(body.get("channel", "")),
        "booked_at": iso(context.now),
        "ticket_id": "",
    }
    return _event("booking.booked", context, f"预约 {slot_words(slot)}", booking)


def _ended(state: Doc) -> Refusal:
    return Refusal("ACC-291", tr("此预约现为“{state}”，不能再操作。", state=state_name(state["state"])))


def _cancel(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    """Until the slot ends: later it is a missed one."""
    if state["state"] != BOOKED:
        return _ended(state)
    if context.now >= parse_iso(state["slot"]["end"]):
        return Refusal("ACC-292", tr("预约时段 {slot} 已过，不能取消。", slot=slot_words(state["slot"])))
    return _event("booking.cancelled", context, "取消预约", {"state": CANCELLED})


def _arrive(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    """``{ticket_id}``. One that the server has taken for missed meanwhile has come after all."""
    ticket = body.get("ticket_id")
    if state["state"] not in (BOOKED, MISSED) or not isinstance(ticket, str):
        return _ended(state)
    if local_day(context.now).isoformat() != state["day"]:
        return Refusal("ACC-293", tr("预约的是 {day}，今天不能取号。", day=day_words(date.fromisoformat(state["day"]))))
    return _event("booking.arrived", context, "到厅取号", {"state": ARRIVED, "ticket_id": ticket})


def _miss(state: Doc, context: Context) -> Sequence[Event] | Refusal:
    if not context.actor.may(SYSTEM):
        return forbidden(SYSTEM)
    if state["state"] != BOOKED or context.now < parse_iso(state["slot"]["end"]):
        return _ended(state)
    return _event("booking.missed", context, "时段已过，未到厅取号", {"state": MISSED})
