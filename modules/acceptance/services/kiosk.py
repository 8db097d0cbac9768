"""What the ticket machine does: offer items, give numbers, print them, and say so where it can't.

Every method blocks: reading on lane ``read``, changing on lane ``data``, ``print_ticket`` on lane ``net``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from client.kernel.ports import Commands, Record, Records, Session
from devices.ports import DeviceError, Ticket, TicketPrinter, may_be_out
from modules.acceptance.domain import booking, queue, windows
from modules.acceptance.domain.queue import APPOINTMENT, ID_CARD, PHONE, PRIORITY, Estimate, Offer
from modules.acceptance.domain.windows import MAY_QUEUE
from modules.acceptance.services.queue import MOST, Hall
from modules.common.aggregate import Doc
from modules.common.clock import Clock
from modules.common.codes import check_phone
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.text import tr

TRIES = 5
LOCKED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Citizen:
    """Who takes a number: from the card (``name``, ``id_number``) or the phone number that was typed."""

    name: str = ""
    id_number: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A number that was given, and what can be said of the wait."""

    record: Record
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Printed:
    """What became of the paper: ``ok``, and the sentence for the person at the machine."""

    ok: bool
    record: Record
    words: str
    code: str = ""


class KioskService:
    """The use cases of a ticket machine. ``check_password``: ``(hash, password)``, as ``check_argon2`` does."""

    def __init__(
        self,
        records: Records,
        commands: Commands,
        session: Session,
        clock: Clock,
        printer: TicketPrinter,
        check_password: Callable[[str, str], bool] | None = None,
    ) -> None:
        self._records = records
        self._commands = commands
        self._clock = clock
        self._printer = printer
        self._check = check_password or check_argon2
        self._wrong = 0
        self._locked_until: datetime | None = None
        self.hall = Hall(records, session, clock)

    # -- reading ------------------------------------------------------------------------------------

    def items(self, text: str = "") -> list[Offer]:
        """The current service items, by department and name: each with its windows, or why it gives no number.

        ``text``: only those that hold every word of it, or its pinyin initials.
        """
        self.hall.require(MAY_QUEUE)
        today, known = windows.local_day(self._clock.now()), self.hall.windows()
        offers = [queue.offer(item, known, today) for item in self._current_items()]
        if text.strip():
            wanted = {record.id for record in self._records.find(queue.ITEM_KIND, text=text.strip(), limit=MOST)}
            offers = [offer for offer in offers if offer.item["id"] in wanted]
        return sorted(offers, key=lambda offer: (offer.item["department"], offer.item["name"]))

    def waiting(self, offers: Sequence[Offer]) -> dict[str, int]:
        """How many wait before the windows of each item, by the item's id; a person is counted once."""
        self.hall.require(MAY_QUEUE)
        tickets = [ticket for ticket in self.hall.tickets() if ticket["state"] == queue.WAITING]
        settings = self.hall.settings()
        lines = {
            window["id"]: {
                ticket["id"]
                for ticket in tickets
                if queue.serves(window, ticket, windows.strategy_of(window, settings))
            }
            for window in self.hall.windows()
        }
        return {
            offer.item["id"]: len(set().union(*(lines[window["id"]] for window in offer.windows))) for offer in offers
        }

    def bookings_of(self, citizen: Citizen) -> list[Doc]:
        """What the holder of a card has booked for today and may still use."""
        self.hall.require(MAY_QUEUE)
        hall, now = self.hall.session.actor.hall_id, self._clock.now()
        found = (record.doc for record in self._records.find(booking.KIND, states=(booking.BOOKED,), limit=MOST))
        here = [doc for doc in found if doc["hall_id"] == hall]
        return booking.unexpired(self.hall.settings(), here, booking.id_hash(hall, citizen.id_number), now)

    def unfinished(self) -> list[Doc]:
        """Numbers whose paper nobody has seen come out: the machine stopped in between. Print again, or void."""
        self.hall.require(MAY_QUEUE)
        return [ticket for ticket in self.hall.tickets() if ticket["state"] == queue.PRINTING]

    def refused(self) -> list[Doc]:
        """Numbers that were given here and that the server refused: their holders must be told."""
        self.hall.require(MAY_QUEUE)
        found = self._records.find(queue.KIND, limit=MOST)
        return [record.doc for record in found if record.refused and not record.rev]

    def series(self) -> list[str]:
        """The series of today's and tomorrow's numbers of this hall's groups: to be leased in advance."""
        today, base = windows.local_day(self._clock.now()), self.hall.session.series
        groups = sorted({window["group"] for window in self.hall.windows()})
        days = (today, today + timedelta(days=1))
        return [queue.ticket_series(base, group, day) for day in days for group in groups]

    def lease(self) -> None:
        """Have the sync keep numbers of these series, so that the machine gives them offline too."""
        self.hall.require(MAY_QUEUE)
        self._commands.want_series(self.series())

    # -- taking -------------------------------------------------------------------------------------

    def take_by_card(self, item_id: str, citizen: Citizen, *, online: bool = True, paper: bool = True) -> Taken:
        """A number for the holder of an identity card."""
        return self._take(item_id, ID_CARD, citizen, online=online, paper=paper)

    def take_by_phone(self, item_id: str, phone: str, *, online: bool = True, paper: bool = True) -> Taken:
        """A number for a phone number; without ``paper`` the phone is told alone."""
        if fault := check_phone(phone):
            raise Refused(fault)
        return self._take(item_id, PHONE, Citizen(phone=phone), online=online, paper=paper)

    def take_booked(self, booking_id: str, citizen: Citizen, *, online: bool = True, paper: bool = True) -> Taken:
        """A number for a booking, recalled by the card."""
        doc = next((doc for doc in self.bookings_of(citizen) if doc["id"] == booking_id), None)
        if doc is None:
            raise Refused(Refusal("ACC-246", tr("没有可用的预约，或预约时段已过。可按现场取号。")))
        person = {**doc["person"], **self._person(citizen)}
        taken = self._take(
            doc["item"]["id"], APPOINTMENT, citizen, online=online, paper=paper, person=person, booking_id=doc["id"]
        )
        self._commands.give(booking.KIND, doc["id"], booking.ARRIVE, {"ticket_id": taken.record.id})
        return taken

    def take_priority(
        self, item_id: str, citizen: Citizen, class_name: str, password: str, *, online: bool = True, paper: bool = True
    ) -> Taken:
        """A number before others (特殊人群). Raises ``Refused`` ACC-247 … 249 for the password, with the tries left."""
        self.hall.require(MAY_QUEUE)
        priority = self.hall.settings()["priority"]
        chosen = next((entry for entry in priority["classes"] if entry["name"] == class_name), None)
        if chosen is None:
            raise Refused(Refusal("ACC-253", tr("请选择优先的人群。")))
        self._prove(priority["hash"], password)
        more = {"priority": chosen.get("weight", 1), "priority_class": class_name}
        return self._take(item_id, PRIORITY, citizen, online=online, paper=paper, **more)

    # -- paper --------------------------------------------------------------------------------------

    def layout(self, taken: Taken, title: str = "") -> Ticket:
        """What is printed: number, item, window, how many wait and what the hall adds."""
        ticket = taken.record.doc
        able = [window["name"] for window, _ in self.hall.open_windows() if queue.serves(window, ticket, _ANY)]
        lines = [
            ticket["item"]["name"] if ticket["item"] else "",
            tr("窗口：{windows}", windows=tr("、").join(able)) if able else "",
            tr("预约 {slot}", slot=queue.slot_words(ticket["slot"])) if ticket["slot"] else "",
            tr("优先：{name}", name=ticket["priority_class"]) if ticket["priority_class"] else "",
            taken.estimate.words,
            *self.hall.settings()["texts"]["ticket"],
        ]
        at = windows.at_words(ticket["taken_at"])
        return Ticket(
            number=ticket["number"],
            title=title,
            lines=tuple(filter(None, lines)),
            qr=f"govdesk:ticket/{ticket['id']}?no={ticket['number']}",
            foot=tr("{day} {at} 取号，过号请到窗口说明。", day=ticket["day"], at=at),
        )

    def print_ticket(self, layout: Ticket) -> None:
        """Put the paper out, on lane ``net``. Raises ``DeviceError``: then ``failed`` follows, else ``came_out``."""
        self._printer.print_ticket(layout)

    def came_out(self, ticket_id: str) -> Printed:
        """The paper is out: from now on the number is called."""
        record = self._commands.give(queue.KIND, ticket_id, queue.CONFIRM, {})
        return Printed(True, record, tr("请取走 {number} 号票。", number=record.number))

    def failed(self, ticket_id: str, error: DeviceError) -> Printed:
        """The paper is not out: the number is void, and is called for nobody."""
        record = self._commands.give(queue.KIND, ticket_id, queue.VOID, {"reason": error.message[:200]})
        said = tr("{number} 号没有打出，已作废，不会被呼叫。", number=record.number)
        if may_be_out(error):
            said += tr("出票口如有残票请交工作人员。")
        return Printed(False, record, said + error.words(), error.code)

    def put_out(self, taken: Taken, title: str = "") -> Printed:
        """Print, and confirm or void: the three steps for callers that are on one thread."""
        try:
            self.print_ticket(self.layout(taken, title))
        except DeviceError as error:
            return self.failed(taken.record.id, error)
        return self.came_out(taken.record.id)

    # -- inside -------------------------------------------------------------------------------------

    def _current_items(self) -> Sequence[Doc]:
        """The newest published version of every item."""
        newest: dict[str, Doc] = {}
        for record in self._records.find(queue.ITEM_KIND, limit=MOST):
            item = record.doc
            shown = item.get("state", "published") == "published"
            if shown and item["version"] >= newest.get(item["code"], item)["version"]:
                newest[item["code"]] = item
        return list(newest.values())

    def _person(self, citizen: Citizen) -> dict[str, str]:
        hall = self.hall.session.actor.hall_id
        return booking.person_of(hall, citizen.name, citizen.id_number, citizen.phone)

    def _take(
        self,
        item_id: str,
        source: str,
        citizen: Citizen,
        *,
        online: bool,
        paper: bool,
        person: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Taken:
        self.hall.require(MAY_QUEUE)
        now = self._clock.now()
        found = self._records.get(queue.ITEM_KIND, item_id)
        if found is None:
            raise Refused(Refusal("ACC-250", tr("没有这个事项。请重新选择事项。")))
        offer = queue.offer(found.doc, self.hall.windows(), windows.local_day(now))
        if offer.why_not:
            raise Refused(Refusal("ACC-251", offer.why_not))
        who = dict(person) if person is not None else self._person(citizen)
        self._not_twice(found.doc, who)
        body = {
            "group": offer.group,
            "item_id": item_id,
            "source": source,
            "person": who,
            "windows": [window["id"] for window in offer.windows],
            "paper": paper,
            **more,
        }
        series = queue.ticket_series(self.hall.session.series, offer.group, windows.local_day(now))
        record = self._commands.give(
            queue.KIND, self._commands.new_id(), queue.TAKE, body, numbered=True, series=series
        )
        waiting = {**record.doc, "state": queue.WAITING}
        others = [ticket for ticket in self.hall.tickets() if ticket["id"] != record.id]
        opened = self.hall.open_windows()
        return Taken(record, queue.estimate([*others, waiting], opened, waiting, self._clock.now(), online=online))

    def _not_twice(self, item: Doc, person: Mapping[str, str]) -> None:
        """One person, one waiting number for an item: a second would keep another waiting in vain."""
        mark = person.get("id_hash") or person.get("phone")
        for ticket in self.hall.tickets():
            same = ticket["item"] is not None and ticket["item"]["code"] == item["code"]
            theirs = ticket["person"].get("id_hash") or ticket["person"].get("phone")
            if mark and same and theirs == mark and ticket["state"] in (queue.WAITING, queue.CALLED):
                raise Refused(
                    Refusal(
                        "ACC-252",
                        tr("您已取“{item}”的 {number} 号，现为“{state}”，未重复出号。", item=item["name"],
                           number=ticket["number"], state=queue.state_name(ticket["state"])),
                    )
                )  # fmt: skip

    def _prove(self, hashed: str, password: str) -> None:
        now = self._clock.now()
        if not hashed:
            raise Refused(Refusal("ACC-247", tr("大厅还没有设置优先取号的密码，请联系大厅管理员。")))
        if self._locked_until is not None and now < self._locked_until:
            at = windows.at_words(self._locked_until.isoformat())
            raise Refused(Refusal("ACC-248", tr("密码多次不对，{at} 后再试。请联系工作人员。", at=at)))
        if self._check(hashed, password):
            self._wrong, self._locked_until = 0, None
            return
        self._wrong += 1
        if self._wrong >= TRIES:
            self._wrong, self._locked_until = 0, now + LOCKED
        left = TRIES - self._wrong if self._wrong else 0
        raise Refused(Refusal("ACC-249", tr("优先取号密码不对，还可再试 {n} 次。", n=left)))


_ANY: Doc = {**windows.DEFAULT_STRATEGY}


def check_argon2(hashed: str, password: str) -> bool:
    """Whether ``password`` is the one that was hashed (Argon2id, RFC 9106). Raises ``GovDeskError`` ACC-254."""
    from argon2 import PasswordHasher
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return PasswordHasher().verify(hashed, password)
    except InvalidHashError as error:
        raise GovDeskError("ACC-254", tr("优先取号的密码设置已损坏，请大厅管理员重新设置。")) from error
    except VerificationError:
        return False
