"""A hall in memory: a central server and desks with stores of their own, which meet when they are online.

A desk offers the ports ``Records``, ``Commands`` and ``Session`` under the modules' own rules; what it does is
laid over what the server has told it, as the real store does, and is judged again by the server.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from client.kernel.ports import Record
from devices.ports import DeviceError, PrinterStatus, Ticket
from modules.acceptance.domain import windows
from modules.common.aggregate import Aggregate, Command, Context, Doc, Key, Number, apply
from modules.common.calendar import WorkCalendar
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.ids import uuid7
from modules.common.manifest import permissions_of, rules_of
from modules.common.permissions import SYSTEM, Actor

HALL = "hall-1"
BLOCK = 20
CALENDAR = WorkCalendar()


def person(login: str, role: str = "clerk", hall: str = HALL) -> Actor:
    """Somebody with the permissions that the manifests give to ``role``."""
    return Actor(f"p-{login}", login, login, hall, "", frozenset({role}), permissions_of({role}))


@dataclass(frozen=True)
class Sent:
    """A command on its way: who gave it, when, where."""

    command: Command
    at: datetime
    actor: Actor
    place: str


class Central:
    """The server: decides in the order in which commands arrive. ``rules`` may be a mutant's."""

    def __init__(self, clock: FixedClock, rules: Callable[[str], Aggregate] = rules_of) -> None:
        self.clock = clock
        self.rules = rules
        self.docs: dict[Key, tuple[int, Doc]] = {}
        self.log: list[Key] = []
        self.serials: dict[str, int] = defaultdict(int)
        self.leased: dict[tuple[str, int], str] = {}

    def put(self, kind: str, doc: Doc) -> None:
        """A reference document."""
        self.docs[kind, doc["id"]] = (1, doc)
        self.log.append((kind, doc["id"]))

    def lease(self, desk: str, series: str) -> list[int]:
        """The next block of a series, for this desk alone."""
        first = self.serials[series] + 1
        self.serials[series] += BLOCK
        block = list(range(first, first + BLOCK))
        self.leased.update({(series, serial): desk for serial in block})
        return block

    def receive(self, desk: str, sent: Sent) -> Refusal | None:
        """Judge one command; None when it was carried out."""
        number = sent.command.number
        if number and self.leased.pop((number.series, number.serial), "") != desk:
            return Refusal("NUM-003", "这个编号没有发给这台电脑。")
        key = (sent.command.kind, sent.command.aggregate_id)
        rev, doc = self.docs.get(key, (0, None))
        rules = self.rules(sent.command.kind)
        refs = {ref: self.docs[ref][1] for ref in rules.refs(sent.command) if ref in self.docs}
        outcome = apply(rules, doc, sent.command, Context(sent.at, sent.actor, CALENDAR, sent.place, refs))
        if isinstance(outcome, Refusal):
            return outcome
        self.docs[key] = (rev + 1, outcome[0])
        self.log.append(key)
        return None

    def give(self, kind: str, id: str, type: str, body: Doc, *, actor: Actor = SYSTEM) -> None:
        """A command of the server's own. Raises ``Refused``."""
        sent = Sent(Command(uuid7(), kind, id, type, body), self.clock.now(), actor, "")
        if refusal := self.receive("", sent):
            raise Refused(refusal)

    def find(self, kind: str) -> list[Doc]:
        """All documents of a kind."""
        return [doc for (found, _), (_, doc) in self.docs.items() if found == kind]


class Desk:
    """A client with a store of its own. ``online`` says whether ``sync`` reaches the server."""

    def __init__(self, name: str, central: Central, actor: Actor) -> None:
        self.place = name
        self.actor = actor
        self.series = "3411A"
        self.central = central
        self.online = True
        self.rules: Callable[[str], Aggregate] = rules_of
        self.rows: dict[Key, Record] = {}
        self.kinds: dict[str, dict[str, Record]] = defaultdict(dict)
        self.outbox: list[Sent] = []
        self.refusals: list[tuple[Sent, Refusal]] = []
        self.wanted: list[str] = []
        self.numbers: dict[str, list[int]] = {}
        self._told: dict[Key, tuple[int, Doc]] = {}
        self._cursor = 0

    # -- the port Records

    def get(self, kind: str, id: str) -> Record | None:
        return self.rows.get((kind, id))

    def find(
        self, kind: str, *, states: Sequence[str] = (), text: str = "", limit: int = 200, newest_first: bool = True
    ) -> list[Record]:
        assert not text
        found = [row for row in self.kinds[kind].values() if not states or row.state in states]
        return found[:limit]

    def searchable(self) -> float:
        return 1.0

    def count(self, kind: str, *, states: Sequence[str] = (), due: date | None = None) -> int:
        return len(self.find(kind, states=states, limit=10**6))

    # -- the port Commands

    def new_id(self) -> str:
        return uuid7()

    def want_series(self, names: Sequence[str]) -> None:
        self.wanted = list(names)

    def give(
        self,
        kind: str,
        aggregate_id: str,
        type: str,
        body: Mapping[str, Any],
        *,
        numbered: bool = False,
        series: str = "",
        prints: str = "",
        drops_draft: str = "",
    ) -> Record:
        number = self.take_number(series or self.series) if numbered else None
        row = self.rows.get((kind, aggregate_id))
        command = Command(uuid7(), kind, aggregate_id, type, json.loads(json.dumps(body)), number=number)
        sent = Sent(command, self.central.clock.now(), self.actor, self.place)
        outcome = self._apply(row.doc if row and row.doc else None, sent)
        if isinstance(outcome, Refusal):
            if number:
                self.numbers[number.series].insert(0, number.serial)
            raise Refused(outcome)
        self.outbox.append(sent)
        self._show((kind, aggregate_id), outcome)
        return self.rows[kind, aggregate_id]

    def take_number(self, series: str) -> Number:
        """The next number of this desk's block."""
        block = self.numbers.get(series)
        if not block:
            raise GovDeskError("NUM-001", "本机预留的编号已经用完。")
        return Number(series, block.pop(0))

    # -- meeting the server

    def sync(self) -> None:
        """Push, pull and lease, where the server can be reached."""
        if not self.online:
            return
        for sent in self.outbox:
            if refusal := self.central.receive(self.place, sent):
                self.refusals.append((sent, refusal))
        touched = {(sent.command.kind, sent.command.aggregate_id) for sent in self.outbox}
        self.outbox = []
        touched |= set(self.central.log[self._cursor :])
        self._cursor = len(self.central.log)
        for key in touched:
            if key in self.central.docs:
                self._told[key] = self.central.docs[key]
                self._show(key, self._told[key][1])
            elif key in self.rows:
                # what the server refused to begin stays in sight
                self.rows[key] = self.kinds[key[0]][key[1]] = replace(self.rows[key], refused=1)
        for series in self.wanted:
            if len(self.numbers.setdefault(series, [])) < BLOCK // 2:
                self.numbers[series] += self.central.lease(self.place, series)

    def _apply(self, doc: Doc | None, sent: Sent) -> Doc | Refusal:
        rules = self.rules(sent.command.kind)
        refs = {key: self.rows[key].doc for key in rules.refs(sent.command) if key in self.rows}
        outcome = apply(rules, doc, sent.command, Context(sent.at, sent.actor, CALENDAR, sent.place, refs))
        return outcome if isinstance(outcome, Refusal) else outcome[0]

    def _show(self, key: Key, doc: Doc) -> None:
        kind, id = key
        summary = {"state": doc.get("state"), "title": "", "number": "", "due": None}
        if kind in ("ticket", "window", "booking"):
            summary = rules_of(kind).summary(doc).to_wire()
        due = date.fromisoformat(summary["due"]) if summary["due"] else None
        rev = self._told.get(key, (0, {}))[0]
        state = summary["state"] if isinstance(summary["state"], str) else ""
        now = self.central.clock.now()
        row = Record(kind, id, rev, doc, summary["title"] or "", state, summary["number"] or "", due, now)
        self.rows[key] = self.kinds[kind][id] = row


def window(number: int, **fields: Any) -> dict[str, Any]:
    """A window's document as the rules make it, numbered ``number``."""
    clock = FixedClock(datetime.fromisoformat("2026-11-01T00:00:00+00:00"))
    central = Central(clock)
    body = {"hall_id": HALL, "name": f"{number} 号窗口", **fields}
    central.give(windows.KIND, f"hall-1-w{number:02d}", windows.CREATE, body)
    return dict(central.docs[windows.KIND, f"hall-1-w{number:02d}"][1])


def service_item(code: str, department: str = "dept-market", **fields: Any) -> dict[str, Any]:
    """As much of a service item as the queue reads."""
    return {
        "id": f"item-{code}",
        "code": code,
        "version": 1,
        "state": "published",
        "name": f"事项{code}",
        "department_id": department,
        "department": department,
        **fields,
    }


class PaperPort:
    """A ticket printer: keeps what it printed, and fails with ``fault`` while there is one."""

    def __init__(self) -> None:
        self.fault: DeviceError | None = None
        self.printed: list[Ticket] = []

    def print_ticket(self, ticket: Ticket, timeout: float = 15.0) -> None:
        if self.fault:
            raise self.fault
        self.printed.append(ticket)

    def status(self, timeout: float = 3.0) -> PrinterStatus:
        raise NotImplementedError

    def cancel(self) -> None:
        """Nothing waits."""


class Phone:
    """A message gateway that keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, phone: str, text: str) -> str:
        self.sent.append((phone, text))
        return "已交网关。"
