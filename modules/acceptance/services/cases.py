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
    ITEM_KIND,
    KIND,
    MAY_ACCEPT,
    MAY_READ,
    standing_of,
)
from modules.acceptance.domain.items import offered as offered_items
from modules.acceptance.services.handling import Handling
from modules.acceptance.services.papers import CORRECTION, DECLINE, KINDS, RECEIPT, Origin, Paper, make, title_of
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import Clock
from modules.common.numbering import read_scan
from modules.common.text import tr

DRAFT = "case.draft"
MOST = 500
"""Records that a list shows at most."""
EVERY = 5000
"""Versions of items that an office keeps at most."""


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
    lacking: Sequence[str] = ()
    green: bool | None = None
    ticket: Mapping[str, str] | None = None
    window_id: str = ""
    seen: int | None = None
    """``seen_of`` the application that it began from."""

    def body(self) -> dict[str, Any]:
        """The body of ``case.accept``; ``green`` is left to the item where nobody has chosen."""
        chosen: dict[str, Any] = {
            "lacking": list(self.lacking),
            "green": self.green,
            "ticket": self.ticket and dict(self.ticket),
            "window_id": self.window_id,
        }
        return {
            "item_id": self.item_id,
            "item_version": self.item_version,
            "applicant": dict(self.applicant),
            "form": dict(self.form),
            "materials": [dict(entry) for entry in self.materials],
            "card": self.card,
            **{key: value for key, value in chosen.items() if value not in (None, "", [])},
        }

    def to_doc(self) -> dict[str, Any]:
        """What is kept in the draft."""
        sources = {part: dict(origin) for part, origin in self.sources.items()}
        return {**self.body(), "item_name": self.item_name, "sources": sources, "seen": self.seen}

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
    """A paper that can be made without asking the store again: a receipt, or another ``kind`` of the case's papers.

    ``copy`` counts the prints before this one.
    """

    record: Record
    hall: str
    phone: str
    kind: str = RECEIPT
    copy: int = 0


@dataclass(frozen=True, slots=True)
class Owed:
    """A paper that was never printed: the program stopped between the change and its paper."""

    job: PrintJob
    order: ReceiptOrder


@dataclass(frozen=True, slots=True)
class Printed:
    """Where the paper went, in words, and the characters that it lacks."""

    sentence: str
    missing: tuple[str, ...]


class AcceptanceService(Handling):
    """The use cases of the counter, on top of those of ``Handling``: items, drafts, the tray, acceptance, paper."""

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
        super().__init__(records, commands, session, clock)
        self._drafts = drafts
        self._prints = prints
        self._tray = tray
        self._printer = printer

    # -- reading, lane ``read`` -------------------------------------------------------------------

    def items(self) -> list[Doc]:
        """The service items that can be accepted now: green channel first, then by department and name."""
        self._require(MAY_ACCEPT)
        return offered_items(record.doc for record in self._records.find(ITEM_KIND, limit=EVERY))

    def items_called(self, text: str) -> frozenset[str]:
        """The ids of items that the store's search finds for ``text``, also by pinyin initials."""
        self._require(MAY_ACCEPT)
        return frozenset(record.id for record in self._records.find(ITEM_KIND, text=text, limit=EVERY))

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

    def order_receipt(self, record: Record, kind: str = RECEIPT) -> ReceiptOrder:
        """What a paper of a case needs beside the case."""
        self._require(MAY_READ)
        hall = self._records.get("organisation", record.doc["hall_id"])
        doc = hall.doc if hall else {}
        copy = sum(paper["kind"] == kind for paper in record.doc.get("papers", ()))
        return ReceiptOrder(record, str(doc.get("name", "")), str(doc.get("phone", "")), kind, copy)

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
        body = intake.body() | self._joint_names(intake.item_id)
        record = self._commands.give(
            KIND, intake.id, ACCEPT, body, numbered=True, prints=RECEIPT, drops_draft=intake.id
        )
        return self.order_receipt(record)

    def correct(self, intake: Intake, items: Sequence[Mapping[str, str]]) -> ReceiptOrder:
        """一次性告知补正 at the window: ``items`` are ``{about, text, field?}``; the notice is owed."""
        return self._begun(intake, "case.correct", CORRECTION, items=[dict(entry) for entry in items])

    def decline(self, intake: Intake, ground: str, text: str) -> ReceiptOrder:
        """不予受理 at the window; the decision's paper is owed. Raises ``Refused``."""
        return self._begun(intake, "case.decline", DECLINE, ground=ground, text=text, seen=intake.seen)

    def _begun(self, intake: Intake, type: str, paper: str, **more: Any) -> ReceiptOrder:
        self._require(MAY_ACCEPT)
        body = {**intake.body(), **more}
        record = self._commands.give(KIND, intake.id, type, body, prints=paper, drops_draft=intake.id)
        return self.order_receipt(record, paper)

    def owed(self) -> list[Owed]:
        """Papers that this counter still owes, oldest first."""
        self._require(MAY_ACCEPT)
        owed = []
        for job in self._prints.owed():
            record = self._records.get(KIND, job.record_id) if job.kind == KIND and job.template in KINDS else None
            # what the server refused is no case: its receipt must not go out
            if record and not (record.refused and not record.rev):
                owed.append(Owed(job, self.order_receipt(record, job.template)))
        return owed

    def settle(self, case_id: str) -> None:
        """The papers of a case are printed, or nobody wants them: they are owed no more."""
        for job in self._prints.owed():
            if job.record_id == case_id:
                self._prints.done(job.id)

    # -- paper, lane ``cpu`` ----------------------------------------------------------------------

    def receipt(self, order: ReceiptOrder, format: str = "pdf") -> Paper:
        """The paper that was ordered, as ``pdf``, ``docx``, ``xlsx`` or ``html``."""
        self._require(MAY_READ)
        origin = Origin(order.hall, order.phone, self._clock.now(), order.copy)
        return make(order.kind, order.record.doc, origin, format)

    def print_receipt(self, order: ReceiptOrder) -> Printed:
        """Make and print a paper. Raises ``GovDeskError`` PRT-…; it is owed until ``settle``."""
        paper = self.receipt(order)
        title = " ".join(filter(None, (title_of(order.kind), order.record.number)))
        return Printed(self._printer.print_pdf(paper.data, title), paper.missing)


def due_words(case: Doc, today: date, calendar: WorkCalendar) -> tuple[str, str]:
    """A state of the theme and words for how much of the term is left, or how it ended; no words where no term runs."""
    found = standing_of(case, today, calendar)
    return (found.shown_as, found.words) if found else ("info", "")
