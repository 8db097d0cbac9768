"""A day of a hall, played: people, kiosks and windows, some of them offline for stretches; every choice from one seed.

Beside the records there is the truth: who was really called and served where. ``faults`` says where the two differ.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from devices.ports import DeviceError
from modules.acceptance.domain import booking, queue, windows
from modules.acceptance.domain.queue import Place, double_calls, rank, serves
from modules.acceptance.server.queue import papers_to_join
from modules.acceptance.services.kiosk import Citizen, KioskService
from modules.acceptance.services.queue import QueueService
from modules.acceptance.services.windows import HallService
from modules.common.aggregate import Aggregate, Command, Doc, Number
from modules.common.clock import FixedClock, iso, parse_iso
from modules.common.errors import GovDeskError, Refused
from modules.common.ids import uuid7
from modules.common.manifest import rules_of
from tests.support.queue_hall import HALL, Central, Desk, PaperPort, Phone, person, service_item, window

START = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
"""9:00 in China, a Friday."""


@dataclass
class Visitor:
    """Somebody with a number on paper. ``at``: the window where the person sits."""

    number: str
    ticket: str
    at: str = ""
    served: bool = False
    gone: bool = False


@dataclass
class Seat:
    """A window with its own computer. ``until``: the minute at which it is done, or comes online again."""

    desk: Desk
    service: QueueService
    id: str
    visitor: Visitor | None = None
    serving: str = ""
    busy_until: int = 0
    online_at: int = 0
    recalled: bool = False


@dataclass
class Called:
    """A call with all that it was decided on, to be derived again later."""

    tickets: list[Doc]
    window: Doc
    strategy: Doc
    now: datetime
    ticket: str
    reason: str


@dataclass
class Result:
    """What happened, and what is wrong with it."""

    taken: int = 0
    void: int = 0
    served: int = 0
    doubles: int = 0
    served_twice: int = 0
    by_paper: int = 0
    calls: int = 0
    explained: int = 0
    longest_wait: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def words(self) -> str:
        """One line for the report of a test."""
        return (
            f"taken {self.taken}, void {self.void}, served {self.served}, calls {self.calls}, explained "
            f"{self.explained}, double calls {self.doubles} (served twice {self.served_twice}), by paper alone "
            f"{self.by_paper}, longest wait {self.longest_wait} min, called as "
            f"{dict(self.kinds)}, refused {dict(self.refused)}"
        )


class InventingDesk(Desk):
    """A mutant: without leased numbers it makes some up."""

    def take_number(self, series: str) -> Number:
        if not self.online and not self.numbers.get(series):
            return Number(series, 900)
        return super().take_number(series)


class SilentRules(queue.TicketRules):
    """A mutant: the second of two calls that were made apart simply counts."""

    def decide(self, state: Doc | None, command: Command, context: Any) -> Any:
        if state is not None and command.type == queue.CALL and state["turns"]:
            body = {**command.body, "seen": queue.last_call(state)}
            command = Command(command.id, command.kind, command.aggregate_id, command.type, body)
            state = {**state, "state": queue.WAITING}
        return super().decide(state, command, context)


def silent(kind: str) -> Aggregate:
    """The rules of a server that is such a mutant."""
    return SilentRules() if kind == queue.KIND else rules_of(kind)


class Day:
    """One day. ``play`` runs it to its end and judges it."""

    def __init__(
        self,
        seed: int,
        windows_in_all: int,
        tickets: int,
        *,
        rules: Callable[[str], Aggregate] = rules_of,
        kiosk_desk: type[Desk] = Desk,
        offline: float = 0.02,
    ) -> None:
        self.rng = Random(seed)
        self.clock = FixedClock(START)
        self.central = Central(self.clock, rules)
        self.minute = 0
        self.tickets = tickets
        self.offline = offline
        self.result = Result()
        self.visitors: list[Visitor] = []
        self.by_number: dict[str, Visitor] = {}
        self.called: list[Called] = []
        self.served_at: dict[str, set[str]] = defaultdict(set)
        self.turns: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.paper_calls: dict[str, set[str]] = defaultdict(set)
        self._furnish(windows_in_all, kiosk_desk)

    def _furnish(self, n: int, kiosk_desk: type[Desk]) -> None:
        groups = "ABC" if n > 10 else "AB"
        for code in range(9):
            self.central.put(queue.ITEM_KIND, service_item(f"{code}", f"dept-{code % 3}"))
        for number in range(1, n + 1):
            group = groups[number % len(groups)]
            codes = [str(code) for code in range(9) if code % len(groups) == number % len(groups)]
            self.central.put(windows.KIND, window(number, group=group, item_codes=codes, area=group))
        priority = {"classes": [{"name": "老年人", "weight": 1}, {"name": "军人", "weight": 2}], "hash": "$argon2id$x"}
        self.central.give(windows.SETTINGS_KIND, HALL, windows.SET, {"part": "priority", "value": priority})
        self.booked: list[tuple[int, str, Citizen]] = []
        for number in range(self.tickets // 5):
            self._book(number)
        self.seats = []
        for number in range(1, n + 1):
            desk = Desk(f"w{number}", self.central, person(f"clerk{number}"))
            service = QueueService(desk, desk, desk, self.clock, Phone())
            desk.sync()
            seat = Seat(desk, service, f"hall-1-w{number:02d}")
            service.sign_in(seat.id)
            desk.sync()
            self.seats.append(seat)
        self.kiosks = []
        for number in (1, 2):
            desk = kiosk_desk(f"k{number}", self.central, person(f"kiosk{number}"))
            paper = PaperPort()
            kiosk = KioskService(desk, desk, desk, self.clock, paper, lambda hashed, password: True)
            desk.sync()
            kiosk.lease()
            desk.sync()
            self.kiosks.append((desk, kiosk, paper))
        self.manager_desk = Desk("hall", self.central, person("manager", "manager"))
        self.manager = HallService(self.manager_desk, self.manager_desk, self.manager_desk, self.clock)

    def _book(self, number: int) -> None:
        """Somebody has booked a slot of the day, and will come a little before or after its beginning."""
        begins = 30 * self.rng.randrange(1, 11)
        start = START + timedelta(minutes=begins)
        citizen = Citizen("王五", f"BOOKED{number}")
        body = {
            "hall_id": HALL,
            "item_id": f"item-{self.rng.randrange(9)}",
            "slot": {"start": iso(start), "end": iso(start + timedelta(minutes=30))},
            "person": booking.person_of(HALL, citizen.name, citizen.id_number, ""),
        }
        id = uuid7()
        self.central.give(booking.KIND, id, booking.BOOK, body)
        self.booked.append((begins + self.rng.randint(-25, 20), id, citizen))

    # -- a minute

    def play(self) -> Result:
        """The whole day: people come, are served, and in the end everybody meets."""
        while self.minute < 1200:
            opened = self.minute < 360 and len(self.visitors) < self.tickets
            if not opened and self._over():
                break
            self._minute(opened)
        self._meet()
        self._judge()
        return self.result

    def _minute(self, opened: bool) -> None:
        self.clock.advance(60)
        self.minute += 1
        for desk, kiosk, paper in self.kiosks:
            desk.online = desk.online or not opened
            if opened:
                self._connect(desk)
            desk.sync()
            whole, part = divmod(self.tickets / 500, 1)
            arriving = int(whole) + (self.rng.random() < part) if opened else 0
            for _ in range(arriving):
                self.clock.advance(0.01)
                self._arrive(kiosk, paper)
            desk.sync()
        if self.minute % 7 == 0:
            self._change_strategy()
        for seat in self.rng.sample(self.seats, len(self.seats)):
            seat.desk.online = seat.desk.online or not opened
            if opened:
                self._connect(seat.desk)
            seat.desk.sync()
            self.clock.advance(0.01)
            self._work(seat)
            if self.rng.random() < 0.9:
                seat.desk.sync()

    def _connect(self, desk: Desk) -> None:
        back = 0.04 if desk.place.startswith("w") else 0.02
        if self.rng.random() < (self.offline if desk.online else back):
            desk.online = not desk.online

    def _arrive(self, kiosk: KioskService, paper: PaperPort) -> None:
        paper.fault = DeviceError("DEV-302", "打印机缺纸。") if self.rng.random() < 0.02 else None
        citizen = Citizen("张三", f"ID{self.rng.randrange(10**12):012d}")
        code = self.rng.randrange(9)
        due = next((entry for entry in self.booked if entry[0] <= self.minute), None)
        try:
            if due is not None:
                self.booked.remove(due)
                taken = kiosk.take_booked(due[1], due[2])
            elif self.rng.random() < 0.1:
                taken = kiosk.take_priority(f"item-{code}", citizen, self.rng.choice(["老年人", "军人"]), "")
            else:
                taken = kiosk.take_by_card(f"item-{code}", citizen)
        except GovDeskError as error:
            self.result.refused[error.code] += 1
            return
        printed = kiosk.put_out(taken)
        if not printed.ok:
            self.result.void += 1
            return
        self.result.taken += 1
        visitor = Visitor(taken.record.number, taken.record.id)
        if visitor.number in self.by_number:
            self.result.faults.append(f"{visitor.number}: given to two people")
        self.visitors.append(visitor)
        self.by_number[visitor.number] = visitor

    def _change_strategy(self) -> None:
        rng = self.rng
        self.manager_desk.sync()
        strategy = {
            "booked": rng.choice(["slot", "mix", "arrival"]),
            "priority": rng.choice(["first", "every", "arrival"]),
            "patience": rng.choice([15, 30, 60]),
        }
        if rng.random() < 0.3:
            self.manager.set_group(rng.choice("ABC"), "队列", strategy)
        else:
            self.manager.set_window_strategy(rng.choice(self.seats).id, rng.choice([strategy, None]))
        self.manager_desk.sync()

    # -- a window's minute

    def _work(self, seat: Seat) -> None:
        try:
            self._do(seat)
        except Refused as error:
            self.result.refused[error.code] += 1

    def _do(self, seat: Seat) -> None:
        rng, service = self.rng, seat.service
        if seat.busy_until > self.minute:
            return
        if seat.serving:
            self._end_service(seat)
            return
        for ticket, words in service.told(seat.id):
            assert "重复呼叫" in words
            service.let_go(seat.id, ticket["id"])
        held = service.current(seat.id)
        if held is None:
            self._call(seat)
            return
        visitor = self.by_number.get(held["number"])
        free = visitor is not None and not (visitor.at or visitor.served or visitor.gone)
        # somebody else may sit down, or show the same paper twice: rarely
        if held["state"] == queue.CALLED and ((free and rng.random() < 0.8) or rng.random() < 0.05):
            service.serve(seat.id)
            seat.serving, seat.recalled = held["number"], False
            seat.busy_until = self.minute + rng.randint(2, 12)
            self.served_at[held["number"]].add(seat.id)
            if free and visitor:
                visitor.at, seat.visitor = seat.id, visitor
        elif not seat.recalled:
            service.recall(seat.id)
            seat.recalled = True
        else:
            record = service.skip(seat.id)
            seat.recalled = False
            if free and rng.random() < 0.7 and record.doc["skips"] < queue.MOST_SKIPS:
                service.requeue(seat.id, record.id)
            elif free and visitor:
                visitor.gone = True

    def _end_service(self, seat: Seat) -> None:
        visitor = seat.visitor
        seat.serving, seat.visitor = "", None
        if visitor:
            visitor.at = ""
        others = [other.id for other in self.seats if other.id != seat.id]
        held = seat.service.current(seat.id)
        if held is None:
            # while this window was apart another was given the ticket: what it did is kept beside it
            if visitor:
                visitor.served = True
            return
        if visitor and self.rng.random() < 0.05:
            seat.service.transfer(seat.id, to_window=self.rng.choice(others))
            self.served_at[held["number"]].discard(seat.id)
            return
        seat.service.finish(seat.id)
        if visitor:
            visitor.served = True

    def _call(self, seat: Seat) -> None:
        rng, service = self.rng, seat.service
        known = {ticket["number"]: ticket for ticket in service.hall.tickets()}
        shown = [v for v in self.visitors[-40:] if v.number not in known and not (v.at or v.served or v.gone)]
        if not seat.desk.online and shown and rng.random() < 0.1:
            number = rng.choice(shown).number
            record = service.call_number(seat.id, number).ticket
            self.result.by_paper += 1
            self.paper_calls[number].add(seat.id)
            self.result.calls += 1
            return
        place = service.my_next(seat.id)
        if place is None:
            return
        self._note(seat, place)
        call = service.call_next(seat.id)
        assert call is not None
        record = call.ticket
        if record.id != place.ticket["id"] or record.doc["reason"] != place.reason:
            self.result.faults.append(f"{record.number}: another call than the line said")
        self.result.kinds[record.doc["called_as"]] += 1
        self.turns[record.id, queue.last_call(place.ticket)].add(seat.id)

    def _note(self, seat: Seat, place: Place) -> None:
        hall = seat.service.hall
        shown = hall.window(seat.id)
        strategy = windows.strategy_of(shown, hall.settings())
        tickets = hall.tickets()
        now = self.clock.now()
        self.result.calls += 1
        head = place.ticket
        # who sits at a window by the paper alone is overtaken by nobody
        handed = {ticket["number"] for ticket in tickets if ticket["source"] == queue.PAPER}
        for ticket in tickets:
            waits = ticket["state"] == queue.WAITING and serves(shown, ticket, strategy)
            waited = (now - parse_iso(ticket["place_at"])).total_seconds() / 60
            late = waits and waited >= strategy["patience"] and ticket["place_at"] < head["place_at"]
            if late and ticket["number"] not in handed:
                self.result.faults.append(f"{ticket['number']}: overtaken by {head['number']} after {waited:.0f} min")
        self.result.longest_wait = max(
            self.result.longest_wait, int((now - parse_iso(head["place_at"])).total_seconds() // 60)
        )
        self.called.append(Called(tickets, shown, strategy, now, head["id"], place.reason))

    # -- the end

    def _over(self) -> bool:
        seats_done = all(not seat.serving and seat.service.current(seat.id) is None for seat in self.seats)
        docs = self.central.find(queue.KIND)
        handed = {doc["number"] for doc in docs if doc["source"] == queue.PAPER and doc["state"] == queue.SERVED}
        waiting = any(doc["state"] == queue.WAITING and doc["number"] not in handed for doc in docs)
        desks = [seat.desk for seat in self.seats] + [desk for desk, _, _ in self.kiosks]
        return seats_done and not waiting and not any(desk.outbox for desk in desks)

    def _meet(self) -> None:
        desks = [seat.desk for seat in self.seats] + [desk for desk, _, _ in self.kiosks] + [self.manager_desk]
        for desk in desks:
            desk.online = True
            desk.sync()
        for original, paper in papers_to_join(self.central.find(queue.KIND)):
            if paper["state"] == queue.SERVED or original["turn"]:
                self.central.give(queue.KIND, original["id"], queue.JOIN, {"paper_ticket": paper["id"]})
            self.central.give(queue.KIND, paper["id"], queue.MERGE, {"into": original["id"]})
        for desk in desks:
            desk.sync()

    def _judge(self) -> None:
        result, docs = self.result, self.central.find(queue.KIND)
        fault = result.faults.append
        for seat in self.seats:
            for _, refusal in seat.desk.refusals:
                result.refused[refusal.code] += 1
        doubles = {double.number: double for double in double_calls(docs)}
        names = {seat.id: seat.service.hall.window(seat.id)["name"] for seat in self.seats}
        by_number = defaultdict(list)
        for doc in docs:
            by_number[doc["number"]].append(doc)
        for visitor in self.visitors:
            if not by_number[visitor.number]:
                fault(f"{visitor.number}: a paper without a record")
        for number in by_number:
            if number not in self.by_number and any(doc["state"] != queue.VOIDED for doc in by_number[number]):
                fault(f"{number}: a record without a paper")
        for number, where in self.served_at.items():
            told = _served_by(by_number[number])
            for id in where - told:
                fault(f"{number}: served at {names[id]}, of which no record tells")
            if len(where) > 1 and not (number in doubles and doubles[number].served_twice):
                fault(f"{number}: served twice unseen")
        apart = {id: where for (id, _), where in self.turns.items() if len(where) > 1}
        for ticket, where in apart.items():
            number = self.central.docs[queue.KIND, ticket][1]["number"]
            shown = doubles[number].windows if number in doubles else ()
            for missing in {names[id] for id in where} - set(shown):
                fault(f"{number}: the double call of {missing} is not shown")
        for visitor in self.visitors:
            states = {doc["state"] for doc in by_number[visitor.number]}
            if not states & {queue.SERVED, queue.SKIPPED}:
                fault(f"{visitor.number}: still {states} when everybody had gone")
        for seat in self.seats:
            for doc in docs:
                row = seat.desk.get(queue.KIND, doc["id"])
                if row is None or row.doc != doc:
                    fault(f"{doc['number']}: {names[seat.id]} knows another record than the server")
        for call in self.called:
            tickets = self.rng.sample(call.tickets, len(call.tickets))
            head = rank(tickets, call.window, call.strategy, call.now)[0]
            if (head.ticket["id"], head.reason) == (call.ticket, call.reason) and head.reason:
                result.explained += 1
            else:
                fault(f"{call.ticket}: its place cannot be derived again")
        result.served = sum(doc["state"] == queue.SERVED for doc in docs)
        result.doubles = len(doubles)
        result.served_twice = sum(double.served_twice for double in doubles.values())


def _served_by(docs: list[Doc]) -> set[str]:
    """The windows that the records of a number say to have served it."""
    served = (queue.SERVING, queue.SERVED)
    told = {doc["window"]["id"] for doc in docs if doc["window"] and doc["state"] in (*served, queue.MERGED)}
    return told | {entry["window"]["id"] for doc in docs for entry in doc["doubles"] if entry["state"] in served}
