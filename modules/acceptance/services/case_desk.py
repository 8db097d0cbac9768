"""What the desk of cases needs beside the commands: the list as it is asked for, who can be asked, phrases, prints.

Every method blocks: it belongs on the lane that its docstring names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from typing import Any

from client.kernel.contract import Host
from client.kernel.ports import Commands, Drafts, Printer, Prints, Record, Records, Server, Session, Tray
from modules.acceptance.domain import phrases
from modules.acceptance.domain.cases import (
    ACCEPTED,
    CLOSE,
    COLLECT,
    DECIDED,
    ISSUE,
    KIND,
    MAY_PRINT_AGAIN,
    MAY_READ,
    ORGANISATION,
    OVER,
    RUNNING,
    SUSPENDED,
    standing_of,
)
from modules.acceptance.services import dictionaries
from modules.acceptance.services.cases import MOST, AcceptanceService, ReceiptOrder
from modules.common.aggregate import Doc, Key
from modules.common.calendar import WorkCalendar
from modules.common.clock import Clock
from modules.common.deadlines import NEAR, RED, TODAY, YELLOW
from modules.common.deadlines import OVER as LATE
from modules.common.errors import GovDeskError, Refused
from modules.common.numbering import Scan, read_scan
from modules.common.permissions import forbidden

COLLEAGUES = "/v1/m/acceptance/colleagues"
PAGE = 100
"""Cases that the list shows at once; the next are read when somebody scrolls there."""
LOOKED = 5000
"""Cases that are looked through for one page, where the question is not one that the store's lists answer."""
NEARLY = timedelta(31)
"""A case that is due later than this is not near its end, whatever reminds of it."""
LATE_LEVELS = {"near": (NEAR, TODAY), "yellow": (YELLOW,), "red": (RED,), "late": (LATE, YELLOW, RED)}
"""What the filters of the term mean: 临期, 黄牌, 红牌, and 超期: both cards, and past the day before any card."""
MINE_STATES = (ACCEPTED, SUSPENDED, DECIDED)


@dataclass(frozen=True, slots=True)
class Looking:
    """What the list is asked for. ``mine``: those that wait for the person; ``due``: a key of ``LATE_LEVELS``;
    ``since`` and ``until`` are the days on which a case was made; ``by_due``: soonest due first, where no words are
    looked for. Of what runs, that is, when no states are given."""

    states: tuple[str, ...] = ()
    text: str = ""
    mine: bool = False
    due: str = ""
    since: date | None = None
    until: date | None = None
    by_due: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A page of cases. ``last``: the one behind which the next page begins, None at the end; ``searchable``: how
    much can be found by words now, of 1."""

    records: list[Record]
    calendar: WorkCalendar
    last: Record | None = None
    searchable: float = 1.0


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be asked to sign; ``where`` is a department, or empty where that is not known."""

    id: str
    name: str
    where: str = ""

    def unit(self) -> dict[str, str]:
        """As a verb's body names a person."""
        return {"id": self.id, "name": self.name}


@dataclass(frozen=True, slots=True)
class People:
    """Who can be asked; ``offline`` where only those are known that this computer has seen at work."""

    persons: list[Person]
    offline: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stored phrase; ``id`` is empty for those of the office."""

    text: str
    id: str = ""


class CaseDesk(AcceptanceService):
    """The use cases of the page of cases."""

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
        server: Server | None,
    ) -> None:
        super().__init__(records, commands, drafts, prints, tray, printer, session, clock)
        self._server = server

    # -- lane ``read`` ----------------------------------------------------------------------------

    def look(self, wanted: Looking, *, after: Record | None = None, most: int = 0) -> Found:
        """A page of the list, behind the case ``after``, of ``PAGE`` cases, or ``most`` where that is more.

        A scanned code finds its case, whatever else is asked for.
        """
        self._require(MAY_READ)
        calendar = self.calendar()
        if scan := read_scan(wanted.text):
            return Found(self._scanned(scan), calendar)
        text = wanted.text.strip()
        by_due = wanted.by_due and not text
        narrow = wanted.mine or bool(wanted.due) or by_due
        states = wanted.states or ((MINE_STATES if wanted.mine else RUNNING) if narrow else ())
        today = self.today()
        bound = {"": None, "near": today + NEARLY}.get(wanted.due, today - timedelta(1))
        held = self.delegated() if wanted.mine else {}
        records: list[Record] = []
        for looked in count(PAGE, PAGE):
            page = self._records.find(
                KIND, states=states, text=text, due=bound, since=wanted.since, until=wanted.until, limit=PAGE,
                by_due=by_due, after=after,
            )  # fmt: skip
            after = page[-1] if len(page) == PAGE else None
            records += [
                record
                for record in page
                if (not wanted.mine or self.waits_for_me(record.doc, held))
                and (not wanted.due or self.level(record.doc, calendar) in LATE_LEVELS[wanted.due])
            ]
            if after is None or len(records) >= max(most, PAGE) or looked >= max(most, LOOKED):
                break
        return Found(records, calendar, after, self._records.searchable() if text else 1.0)

    def scanned(self, text: str) -> Record | None:
        """The case whose number or code was scanned."""
        self._require(MAY_READ)
        scan = read_scan(text)
        found = self._scanned(scan) if scan else []
        return found[0] if found else None

    def _scanned(self, scan: Scan) -> list[Record]:
        if scan.case_id and (found := self._records.get(KIND, scan.case_id)):
            return [found]
        return self._records.find(KIND, text=scan.number, limit=MOST)

    def departments(self) -> list[Doc]:
        """The departments that a case can be handed to."""
        self._require(MAY_READ)
        found = self._records.find(ORGANISATION, limit=MOST, newest_first=False)
        return [record.doc for record in found if record.doc.get("kind", "department") == "department"]

    def phrases(self, dictionary: str = dictionaries.OPINIONS) -> list[Phrase]:
        """Those of the office's dictionary; for an opinion the person's own before them."""
        office = [Phrase(text) for text in dictionaries.texts(self._records, dictionary)]
        if dictionary != dictionaries.OPINIONS:
            return office
        own = [
            Phrase(str(record.doc["text"]), record.id)
            for record in self._records.find(phrases.KIND, states=("active",), limit=MOST)
            if record.doc["owner"] == self._session.actor.id
        ]
        return [*own, *office]

    # -- any thread -------------------------------------------------------------------------------

    def waits_for_me(self, case: Doc, held: Mapping[Key, Doc]) -> bool:
        """Whether the next thing to do with a case is this person's: to sign, to answer, to go on, to hand over.

        ``held``: the person's ``delegated()``.
        """
        wanted = {"case.approve", "case.answer_extension", "case.resume", ISSUE, CLOSE, COLLECT}
        return any(offer.command in wanted and not offer.why_not for offer in self.offers(case, held))

    def in_hall(self, case: Doc) -> bool:
        """Whether the person sits in the case's hall."""
        hall = self._session.actor.hall_id
        return bool(hall) and hall == case["hall_id"]

    def level(self, case: Doc, calendar: WorkCalendar) -> str:
        """How a running case stands in its term; nothing once its term has ended."""
        if case["state"] in OVER or case.get("ended_on"):
            return ""
        standing = standing_of(case, self.today(), calendar)
        return standing.level if standing else ""

    def may_print(self, case: Doc, kind: str) -> bool:
        """Whether the person may print a paper now: the first one, or again with the permission for it."""
        return not printed(case, kind) or self.may(MAY_PRINT_AGAIN)

    # -- lane ``net`` -----------------------------------------------------------------------------

    def colleagues(self, case: Doc) -> People:
        """Who can be asked to sign a case: those of its departments, from the server; without it, whom this computer
        has seen at work."""
        self._require(MAY_READ)
        item = case["item"]
        units = [item["department_id"], self._session.actor.department_id]
        units += [unit["id"] for unit in item.get("joint", ())]
        wanted = ",".join(dict.fromkeys(filter(None, units)))
        try:
            if self._server is None:
                raise GovDeskError("NET-001", "")
            found = self._server.get(COLLEAGUES, departments=wanted)
        except GovDeskError as error:
            if not error.code.startswith("NET-"):
                raise
            return People(list(self._seen()), offline=True)
        return People([Person(one["id"], one["name"], one["department"]) for one in found])

    def _seen(self) -> Iterator[Person]:
        known: dict[str, str] = {}
        for record in self._records.find(KIND, limit=MOST):
            flow = record.doc.get("flow")
            for line in (*record.doc["history"], *(flow["trail"] if flow else ())):
                known.setdefault(line["by"]["id"], line["by"]["name"])
        for id, name in sorted(known.items(), key=lambda one: one[1]):
            if id not in (self._session.actor.id, "system"):
                yield Person(id, name)

    # -- lane ``data`` ----------------------------------------------------------------------------

    def keep_phrase(self, text: str) -> None:
        """Keep a phrase for oneself. Raises ``Refused``."""
        body = {"owner": self._session.actor.id, "text": text.strip()}
        self._commands.give(phrases.KIND, self._commands.new_id(), phrases.PUT, body)

    def drop_phrase(self, id: str) -> None:
        """Keep it no longer."""
        self._commands.give(phrases.KIND, id, phrases.REMOVE, {})

    def printed(self, order: ReceiptOrder, reason: str) -> Record:
        """A paper went out: it stands in the case, with the reason where it is not the first, and is owed no more."""
        for job in self._prints.owed():
            if job.record_id == order.record.id and job.template == order.kind:
                self._prints.done(job.id)
        return self.note_print(order.record.id, order.kind, reason)

    def check_print(self, case: Doc, kind: str) -> None:
        """Raise ``Refused`` where a paper may not be printed again by this person; before any paper moves."""
        if not self.may_print(case, kind):
            raise Refused(forbidden(MAY_PRINT_AGAIN))


def printed(case: Doc, kind: str) -> list[dict[str, Any]]:
    """The prints of a paper so far: ``{kind, at, by, reason?}``, oldest first."""
    return [paper for paper in case.get("papers", ()) if paper["kind"] == kind]


def desk_of(host: Host) -> CaseDesk:
    """The service. Raises ``LookupError`` when the application lacks a port; without a server port it is offline."""
    try:
        server = host.service(Server)  # type: ignore[type-abstract]
    except LookupError:
        server = None
    return CaseDesk(
        records=host.service(Records),  # type: ignore[type-abstract]
        commands=host.service(Commands),  # type: ignore[type-abstract]
        drafts=host.service(Drafts),  # type: ignore[type-abstract]
        prints=host.service(Prints),  # type: ignore[type-abstract]
        tray=host.service(Tray),  # type: ignore[type-abstract]
        printer=host.service(Printer),  # type: ignore[type-abstract]
        session=host.service(Session),  # type: ignore[type-abstract]
        clock=host.service(Clock),  # type: ignore[type-abstract]
        server=server,
    )
