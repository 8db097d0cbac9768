"""What is done with a case once it is there: one method per command, what is offered, what is known of a person.

Permissions are checked here and again in the rules. Every method blocks: it belongs on the lane that is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from client.kernel.ports import Commands, Record, Records, Session
from modules.acceptance.domain.cases import (
    ASK_MORE,
    CLOSE,
    CLOSED,
    COLLECT,
    DECIDE,
    HAND_OVER,
    INVITE,
    ISSUE,
    ISSUED,
    ITEM_KIND,
    KIND,
    MAY_ACCEPT,
    MAY_CLOSE,
    MAY_DECIDE,
    MAY_READ,
    ORGANISATION,
    PRINT,
    RATE,
    SCAN,
    SUPPLY,
    SUPPLY_LACKING,
    TAKE_OVER,
    TRANSFER,
    WITHDRAW,
    Offer,
    day_of,
    offered,
    standing_of,
)
from modules.common.aggregate import Context, Doc, Key
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, Clock
from modules.common.codes import normalise
from modules.common.errors import Refused
from modules.common.permissions import forbidden
from modules.common.workflow import DELEGATION_KIND

MOST_EARLIER = 50
"""Earlier cases of a person that are looked through."""


@dataclass(frozen=True, slots=True)
class Known:
    """A value that is known from before: offered with where it comes from, never forced."""

    key: str
    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Share:
    """How a group of cases did: how many, how many ended, mean working days to the end, share that was on time."""

    cases: int
    ended: int
    mean_days: float | None
    on_time: float | None


class Handling:
    """The use cases of a case that is there."""

    def __init__(self, records: Records, commands: Commands, session: Session, clock: Clock) -> None:
        self._records = records
        self._commands = commands
        self._session = session
        self._clock = clock

    def may(self, permission: str) -> bool:
        """Whether the person may; any thread."""
        return self._session.actor.may(permission)

    def today(self) -> date:
        """China's date; any thread."""
        return self._clock.now().astimezone(CHINA).date()

    # -- reading, lane ``read`` -------------------------------------------------------------------

    def case(self, id: str) -> Record | None:
        """One case."""
        self._require(MAY_READ)
        return self._records.get(KIND, id)

    def calendar(self) -> WorkCalendar:
        """Working days with the office's own table."""
        return WorkCalendar.from_documents(record.doc for record in self._records.find("calendar_day", limit=5000))

    def delegated(self) -> dict[Key, Doc]:
        """The standing delegations (委托) by which the person may sign in others' places."""
        found = self._records.find(DELEGATION_KIND, states=("active",), limit=MOST_EARLIER)
        mine = (record for record in found if record.doc["to"]["id"] == self._session.actor.id)
        return {(DELEGATION_KIND, record.id): record.doc for record in mine}

    def offers(self, case: Doc, held: Mapping[Key, Doc] | None = None) -> list[Offer]:
        """The commands that the person sees on this case now, each with why it cannot be given, if so.

        ``held``: the person's ``delegated()``, for whoever asks about many cases; else it is looked up.
        """
        refs = self.delegated() if held is None else held
        context = Context(self._clock.now(), self._session.actor, WorkCalendar(), self._session.place, refs)
        return offered(case, context)

    def earlier_values(self, id_number: str, item_code: str) -> list[Known]:
        """What earlier cases on this device say of a person, newest first: ``applicant.phone``, and of the same item's
        form ``form.premises``: what a field of another item means, nobody knows.

        The source reads such as ``2026-10-03 办件 3411A-20261003-000017``. The same value of a field stands once.
        """
        self._require(MAY_ACCEPT)
        number = normalise(id_number)
        found = [
            record.doc
            for record in self._records.find(KIND, text=number, limit=MOST_EARLIER)
            if record.doc["applicant"]["id_number"] == number and record.doc["accepted_at"]
        ]
        known: dict[tuple[str, str], Known] = {}
        for case in sorted(found, key=lambda doc: str(doc["accepted_at"]), reverse=True):
            source = f"{day_of(case['accepted_at']).isoformat()} 办件 {case['number']}"
            for part in ("applicant", "form") if case["item"]["code"] == item_code else ("applicant",):
                for key, value in case[part].items():
                    if value not in (None, "", [], {}) and key not in ("id_number", "id_type", "agent"):
                        known.setdefault((f"{part}.{key}", str(value)), Known(f"{part}.{key}", value, source))
        return list(known.values())

    def green_comparison(self, since: date, until: date) -> dict[str, Share]:
        """The green channel against all others (C29), of cases accepted from ``since`` to ``until``: two shares."""
        self._require(MAY_READ)
        calendar = self.calendar()
        found = [
            record.doc
            for record in self._records.find(KIND, limit=100_000)
            if record.doc["accepted_at"] and since <= day_of(record.doc["accepted_at"]) <= until
        ]
        return {
            "green": share_of((case for case in found if case.get("green")), calendar, self.today()),
            "others": share_of((case for case in found if not case.get("green")), calendar, self.today()),
        }

    # -- before acceptance, lane ``data`` ---------------------------------------------------------

    def invite(self, case_id: str, text: str = "") -> Record:
        """预审通过: ask the person to come."""
        return self._give(case_id, INVITE, {"text": text}, MAY_ACCEPT, MAY_DECIDE)

    def ask_more(self, case_id: str, items: Sequence[Mapping[str, str]]) -> Record:
        """预审补正告知, once and completely: ``items`` are ``{about, text, field?}``; the notice is owed."""
        body = {**self._of_item(case_id), "items": [dict(entry) for entry in items]}
        return self._give(case_id, ASK_MORE, body, MAY_ACCEPT, MAY_DECIDE, prints="correction")

    def supply(self, case_id: str, changes: Mapping[str, Any] | None = None) -> Record:
        """补正: the application as it now is (``applicant``, ``form``, ``materials``), or as it was."""
        return self._give(case_id, SUPPLY, {**self._of_item(case_id), **(changes or {})}, MAY_ACCEPT)

    def decline_case(self, case_id: str, ground: str, text: str, seen: int | None = None) -> Record:
        """不予受理 of an application that is there; the decision's paper is owed.

        ``seen``: ``seen_of`` the case that was looked at. Raises ``Refused``, ACC-063 where it has changed since.
        """
        body = {**self._of_item(case_id), "ground": ground, "text": text, **({} if seen is None else {"seen": seen})}
        return self._give(case_id, "case.decline", body, MAY_ACCEPT, prints="decline")

    # -- while it is handled, lane ``data`` -------------------------------------------------------

    def supply_lacking(self, case_id: str, materials: Sequence[Mapping[str, Any]]) -> Record:
        """补交容缺材料: ``{id, pages, kind, received: true, images?}`` each."""
        body = {"materials": [dict(entry) for entry in materials]}
        return self._give(case_id, SUPPLY_LACKING, body, MAY_ACCEPT)

    def decide(self, case_id: str, result: str, opinion: str, visit: int | None = None) -> Record:
        """Approve or reject where the approval stands. ``visit`` is what was seen of it. Raises ``Refused``."""
        body = {"result": result, "opinion": opinion, "visit": self._visit(case_id) if visit is None else visit}
        return self._give(case_id, DECIDE, {**body, **self._by()}, MAY_DECIDE, MAY_ACCEPT)

    def verb(self, case_id: str, verb: str, body: Mapping[str, Any] | None = None) -> Record:
        """One verb of approval (``approve``, ``return_to`` …); bodies are those of ``modules.common.workflow``.

        The step that was seen is put in where the body does not name it.
        """
        given = {"visit": self._visit(case_id), **self._by(), **(body or {})}
        return self._give(case_id, f"case.{verb}", given, MAY_DECIDE, MAY_ACCEPT)

    def transfer(self, case_id: str, department_id: str, reason: str) -> Record:
        """移交 to another department."""
        body = {"department_id": department_id, "reason": reason}
        return self._give(case_id, TRANSFER, body, MAY_DECIDE, MAY_ACCEPT)

    def withdraw(self, case_id: str, reason: str) -> Record:
        """撤回, as the applicant wishes."""
        return self._give(case_id, WITHDRAW, {"reason": reason}, MAY_ACCEPT)

    def scan(self, case_id: str, node: str) -> Record:
        """A sticky code was scanned: ``intake``, ``handling`` or ``closing``."""
        return self._give(case_id, SCAN, {"node": node}, MAY_ACCEPT, MAY_DECIDE, MAY_CLOSE)

    def hand_over(self, case_id: str, to: str, materials: Sequence[str]) -> Record:
        """Paper goes ``to`` the ``department`` or back to the ``hall``."""
        body = {"to": to, "materials": list(materials)}
        return self._give(case_id, HAND_OVER, body, MAY_ACCEPT, MAY_DECIDE, MAY_CLOSE)

    def take_over(self, case_id: str, handover_id: str) -> Record:
        """The paper of a list is in hand."""
        return self._give(case_id, TAKE_OVER, {"id": handover_id}, MAY_ACCEPT, MAY_DECIDE, MAY_CLOSE)

    # -- result, lane ``data`` --------------------------------------------------------------------

    def issue(self, case_id: str, kind: str, number: str = "") -> Record:
        """出件: the result is made; the collection slip is owed."""
        body = {"kind": kind, "number": number, "visit": self._visit(case_id), **self._by()}
        return self._give(case_id, ISSUE, body, MAY_CLOSE, MAY_DECIDE, MAY_ACCEPT, prints="collection")

    def collect(self, case_id: str, method: str, by: str, id_number: str = "", tracking: str = "") -> Record:
        """领取 at the ``window``, by an ``agent`` or by ``post``: closes the case."""
        body = {"method": method, "by": by, "id_number": id_number, "tracking": tracking}
        return self._give(case_id, COLLECT, body, MAY_ACCEPT, MAY_CLOSE)

    def close(self, case_id: str) -> Record:
        """Close a decided case that needs no collection. Raises ``Refused``."""
        return self._give(case_id, CLOSE, {}, MAY_CLOSE)

    def rate(self, case_id: str, stars: int, reasons: Sequence[str] = (), text: str = "") -> Record:
        """评价, once."""
        return self._give(case_id, RATE, {"stars": stars, "reasons": list(reasons), "text": text}, MAY_ACCEPT)

    def note_print(self, case_id: str, kind: str, reason: str = "") -> Record:
        """A paper of the case went out; again it needs ``acceptance.print_again`` and a reason."""
        return self._give(case_id, PRINT, {"kind": kind, "reason": reason}, MAY_READ)

    # -- inside -----------------------------------------------------------------------------------

    def _give(self, case_id: str, type: str, body: Mapping[str, Any], *may: str, prints: str = "") -> Record:
        """Give a command. Raises ``Refused``, with nothing changed."""
        if not any(map(self.may, may)):
            raise Refused(forbidden(may[0]))
        return self._commands.give(KIND, case_id, type, body, prints=prints)

    def _by(self) -> dict[str, Any]:
        """What a command that signs says of them, so that the rules look at the same ones."""
        return {"delegations": [id for _, id in held]} if (held := self.delegated()) else {}

    def _visit(self, case_id: str) -> int:
        record = self._records.get(KIND, case_id)
        flow = record.doc.get("flow") if record else None
        return int(flow["visit"]) if flow else 1

    def _of_item(self, case_id: str) -> dict[str, Any]:
        record = self._records.get(KIND, case_id)
        item = record.doc["item"] if record else {"id": "", "version": 0}
        return {"item_id": item["id"], "item_version": item["version"]}

    def _joint_names(self, item_id: str) -> dict[str, Any]:
        """The names of an item's joint departments, which its case keeps."""
        item = self._records.get(ITEM_KIND, item_id)
        joint = item.doc.get("joint_departments") or [] if item else []
        units = [unit.doc for id in joint if (unit := self._records.get(ORGANISATION, id))]
        return {"joint": [{"id": unit["id"], "name": unit["name"]} for unit in units]} if units else {}

    def _require(self, permission: str) -> None:
        if not self.may(permission):
            raise Refused(forbidden(permission))


def share_of(cases: Iterable[Doc], calendar: WorkCalendar, today: date) -> Share:
    """How ``cases`` did: working days from acceptance to the result, and on time by the term, pauses left out."""
    total, days, timely = 0, [], 0
    for case in cases:
        total += 1
        standing = standing_of(case, today, calendar)
        ended = case.get("ended_on") or (day_of(case["closed_at"]).isoformat() if case["closed_at"] else None)
        if case["state"] in (ISSUED, CLOSED) and ended and standing:
            days.append(calendar.workdays_between(day_of(case["accepted_at"]), date.fromisoformat(ended)))
            timely += standing.level in ("early", "on_time")
    return Share(total, len(days), sum(days) / len(days) if days else None, timely / len(days) if days else None)
