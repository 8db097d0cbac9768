"""What people at the counter and in the departments do with cases; permissions are checked here and in the rules.

Every method blocks: it belongs on the lane that its docstring names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from client.kernel.ports import (
    Commands,
    Draft,
    Drafts,
    Printer,
    PrintJob,
    Prints,
    Record,
    Records,
    RefusedCommand,
    Session,
    Tray,
)
from modules.acceptance.domain.cases import (
    ACCEPT,
    CLOSE,
    CLOSED,
    DECIDE,
    ITEM_KIND,
    KIND,
    MAY_ACCEPT,
    MAY_CLOSE,
    MAY_DECIDE,
    MAY_READ,
)
from modules.acceptance.services.papers import RECEIPT, Origin, Paper, make
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, Clock, parse_iso
from modules.common.errors import Refused
from modules.common.numbering import read_scan
from modules.common.permissions import forbidden
from modules.common.text import tr

DRAFT = "case.draft"
MOST = 500
"""Records that a list shows at most."""


@dataclass(frozen=True, slots=True)
class Intake:
    """An acceptance being prepared: what a draft keeps. ``id`` becomes the case's, so that it is accepted once.

    ``sources`` says which values came from where: ``{"applicant": {"name": "card"}, "form": {…}}``.
    """

    id: str
    item_id: str
    item_version: int
    item_name: str
    applicant: Mapping[str, Any] = field(default_factory=dict)
    form: Mapping[str, Any] = field(default_factory=dict)
    materials: Sequence[Mapping[str, Any]] = ()
    card: bool = False
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The body of ``case.accept``."""
        return {
            "item_id": self.item_id,
            "item_version": self.item_version,
            "applicant": dict(self.applicant),
            "form": dict(self.form),
            "materials": [dict(entry) for entry in self.materials],
            "card": self.card,
        }

    def to_doc(self) -> dict[str, Any]:
        """What is kept in the draft."""
        sources = {part: dict(origin) for part, origin in self.sources.items()}
        return {**self.body(), "item_name": self.item_name, "sources": sources}

    @classmethod
    def from_draft(cls, draft: Draft) -> Intake:
        """The acceptance as it was left."""
        known = {entry.name: draft.doc[entry.name] for entry in fields(cls) if entry.name in draft.doc}
        return cls(**{**known, "id": draft.id})

    def title(self) -> str:
        """What the list of drafts shows."""
        name = self.applicant.get("name") or tr("未填申请人")
        return tr("{name} · {item}", name=name, item=self.item_name)


@dataclass(frozen=True, slots=True)
class ReceiptOrder:
    """A receipt that can be made without asking the store again."""

    record: Record
    hall: str
    phone: str


@dataclass(frozen=True, slots=True)
class Owed:
    """A receipt that was never printed: the program stopped between acceptance and paper."""

    job: PrintJob
    order: ReceiptOrder


@dataclass(frozen=True, slots=True)
class Printed:
    """Where the paper went, in words, and the characters that it lacks."""

    sentence: str
    missing: tuple[str, ...]


class AcceptanceService:
    """The use cases of the module."""

    def __init__(
        self,
        records: Records,
        commands: Commands,
        drafts: Drafts,
        prints: Prints,
        tray: Tray,
        printer: Printer,
        session: Session,
        clock: Clock,
    ) -> None:
        self._records = records
        self._commands = commands
        self._drafts = drafts
        self._prints = prints
        self._tray = tray
        self._printer = printer
        self._session = session
        self._clock = clock

    def may(self, permission: str) -> bool:
        """Whether the person may; any thread."""
        return self._session.actor.may(permission)

    def may_decide(self, case: Doc) -> bool:
        """Whether the person approves cases like this one; any thread."""
        return self.may(MAY_DECIDE) and self._session.actor.department_id == case["item"]["department_id"]

    def may_close(self, case: Doc) -> bool:
        """Whether the person closes cases like this one; any thread."""
        actor = self._session.actor
        near = actor.department_id == case["item"]["department_id"] or actor.hall_id == case["hall_id"]
        return self.may(MAY_CLOSE) and near

    def today(self) -> date:
        """China's date; any thread."""
        return self._clock.now().astimezone(CHINA).date()

    # -- reading, lane ``read`` -------------------------------------------------------------------

    def items(self) -> list[Doc]:
        """The service items, by department and name."""
        self._require(MAY_ACCEPT)
        found = (record.doc for record in self._records.find(ITEM_KIND, limit=MOST))
        return sorted(found, key=lambda item: (item["department"], item["name"]))

    def item(self, id: str) -> Doc | None:
        """One service item, to read a case's form by."""
        self._require(MAY_READ)
        record = self._records.get(ITEM_KIND, id)
        return record.doc if record else None

    def cases(self, states: Sequence[str] = (), text: str = "") -> list[Record]:
        """Cases by state and by words, or the one whose number or code was scanned. Newest first."""
        self._require(MAY_READ)
        scan = read_scan(text)
        if scan and scan.case_id and (found := self._records.get(KIND, scan.case_id)):
            return [found]
        if scan:
            return self._records.find(KIND, text=scan.number, limit=MOST)
        return self._records.find(KIND, states=states, text=text.strip(), limit=MOST)

    def case(self, id: str) -> Record | None:
        """One case."""
        self._require(MAY_READ)
        return self._records.get(KIND, id)

    def calendar(self) -> WorkCalendar:
        """Working days with the office's own table."""
        return WorkCalendar.from_documents(record.doc for record in self._records.find("calendar_day", limit=5000))

    def order_receipt(self, record: Record) -> ReceiptOrder:
        """What the receipt of a case needs beside the case."""
        self._require(MAY_READ)
        hall = self._records.get("organisation", record.doc["hall_id"])
        doc = hall.doc if hall else {}
        return ReceiptOrder(record, str(doc.get("name", "")), str(doc.get("phone", "")))

    # -- drafts and tray, lane ``data`` -----------------------------------------------------------

    def begin(self, item: Doc) -> Intake:
        """A new, empty acceptance of ``item``; any thread."""
        return Intake(self._commands.new_id(), item["id"], item["version"], item["name"])

    def drafts(self) -> list[Draft]:
        """Unfinished acceptances, newest first."""
        self._require(MAY_ACCEPT)
        return self._drafts.list(DRAFT)

    def save(self, intake: Intake) -> None:
        """Keep an unfinished acceptance."""
        self._require(MAY_ACCEPT)
        self._drafts.save(intake.id, DRAFT, intake.title(), intake.to_doc())

    def drop(self, draft_id: str) -> None:
        """Throw an unfinished acceptance away."""
        self._drafts.drop(draft_id)

    def refused(self, case_id: str) -> list[RefusedCommand]:
        """What the server refused about a case and nobody has dealt with."""
        self._require(MAY_READ)
        return [command for command in self._tray.refused_commands() if command.aggregate_id == case_id]

    def dismiss(self, cmd_id: str) -> None:
        """The person has read why."""
        self._require(MAY_READ)
        self._tray.dismiss(cmd_id)

    # -- changing, lane ``data`` ------------------------------------------------------------------

    def accept(self, intake: Intake) -> ReceiptOrder:
        """Accept the case: record, queue, number, owed receipt and dropped draft in one transaction.

        Raises ``Refused`` with faults by field, or NUM-001; everything entered stays in the draft.
        """
        self._require(MAY_ACCEPT)
        record = self._commands.give(
            KIND, intake.id, ACCEPT, intake.body(), numbered=True, prints=RECEIPT, drops_draft=intake.id
        )
        return self.order_receipt(record)

    def decide(self, case_id: str, result: str, opinion: str) -> Record:
        """Approve or reject. Raises ``Refused``."""
        self._require(MAY_DECIDE)
        return self._commands.give(KIND, case_id, DECIDE, {"result": result, "opinion": opinion})

    def close(self, case_id: str) -> Record:
        """Close a decided case. Raises ``Refused``."""
        self._require(MAY_CLOSE)
        return self._commands.give(KIND, case_id, CLOSE, {})

    def owed(self) -> list[Owed]:
        """Receipts that this counter still owes, oldest first."""
        self._require(MAY_ACCEPT)
        owed = []
        for job in self._prints.owed():
            record = self._records.get(KIND, job.record_id) if job.kind == KIND and job.template == RECEIPT else None
            # what the server refused is no case: its receipt must not go out
            if record and not (record.refused and not record.rev):
                owed.append(Owed(job, self.order_receipt(record)))
        return owed

    def settle(self, case_id: str) -> None:
        """The receipt of a case is printed, or nobody wants it: it is owed no more."""
        for job in self._prints.owed():
            if job.record_id == case_id:
                self._prints.done(job.id)

    # -- paper, lane ``cpu`` ----------------------------------------------------------------------

    def receipt(self, order: ReceiptOrder) -> Paper:
        """The receipt as PDF."""
        self._require(MAY_READ)
        return make(RECEIPT, order.record.doc, Origin(order.hall, order.phone, self._clock.now()))

    def print_receipt(self, order: ReceiptOrder) -> Printed:
        """Make and print the receipt. Raises ``GovDeskError`` PRT-…; it is owed until ``settle``."""
        receipt = self.receipt(order)
        sentence = self._printer.print_pdf(receipt.data, tr("受理通知书 {number}", number=order.record.number))
        return Printed(sentence, receipt.missing)

    def _require(self, permission: str) -> None:
        if not self.may(permission):
            raise Refused(forbidden(permission))


def due_words(case: Doc, today: date, calendar: WorkCalendar) -> tuple[str, str]:
    """State (``good``, ``due``, ``red``, ``info``) and words for how much of the term is left, or how it ended."""
    due = date.fromisoformat(case["due"]["date"])
    closed = case["state"] == CLOSED
    end = parse_iso(case["closed_at"]).astimezone(CHINA).date() if closed else today
    left = calendar.workdays_between(end, due)
    late = end > due
    if late and closed:
        state, words = "red", tr("超期 {n} 个工作日办结", n=-left) if left else tr("已过期限办结")
    elif late:
        state, words = "red", tr("超期 {n} 个工作日", n=-left) if left else tr("已过期限")
    elif closed:
        state, words = "good", tr("按期办结")
    elif left == 0:
        state, words = "due", tr("今天到期")
    else:
        state, words = "due" if left == 1 else "info", tr("还剩 {n} 个工作日", n=left)
    return state, words + tr("（暂定）") if case["due"]["provisional"] else words
