"""A host for views in tests: a store in memory under the module's own rules, and work that runs when a test says so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from client.kernel.contract import Cancelled
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import (
    COUNTED,
    BlobRef,
    Blobs,
    Commands,
    Draft,
    Drafts,
    MessageGateway,
    Printer,
    PrintJob,
    Prints,
    Record,
    Records,
    Server,
    Session,
    Tray,
)
from client.kernel.settings import Settings
from devices.ports import Camera, DeviceError, Evaluator, IdCardReader, IdentityRecord, WindowScreen
from modules.common.aggregate import Command, Context, Number, apply
from modules.common.blobs import HEAD, type_of
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, Clock, FixedClock
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.ids import uuid7
from modules.common.manifest import permissions_of, rules_of
from modules.common.permissions import Actor

NOW = datetime(2026, 11, 20, 2, 24, tzinfo=UTC)
"""10:24 in China, a Friday."""
ITEMS = Path(__file__).resolve().parents[1] / "data" / "items"
"""Three service items as the first release had them: no element, no approval, no state."""
HALL = {"id": "hall-1", "name": "示范市政务服务中心", "phone": "0550-3021234", "kind": "hall"}


def item(name: str = "individual_business") -> dict[str, Any]:
    """One of the service items of ``tests/data/items``."""
    loaded: dict[str, Any] = json.loads((ITEMS / f"{name}.json").read_text("utf-8"))
    return loaded


def actor(role: str = "clerk", *, hall: str = "hall-1", department: str = "", name: str = "张三") -> Actor:
    """Somebody with the permissions that the manifests give to ``role``."""
    return Actor(f"p-{role}-{name}", role, name, hall, department, frozenset({role}), permissions_of({role}))


def filled(item: Mapping[str, Any], **applicant: Any) -> dict[str, Any]:
    """An acceptance of 个体工商户设立登记 that the rules allow."""
    return {
        "item_id": item["id"],
        "item_version": item["version"],
        "applicant": {
            "name": "李晓明",
            "id_type": "resident",
            "id_number": "11010519491231002X",
            "phone": "13855012345",
            "address": "示范市禹会区老街 12 号",
            **applicant,
        },
        "form": {
            "trade_name": "老街面馆",
            "composition": "personal",
            "sex": "女",
            "birth": "1949-12-31",
            "premises": "示范市禹会区老街 12 号",
            "premises_source": "leased",
            "scope": "餐饮服务",
            "capital": "50000",
            "employees": 2,
        },
        "materials": [{"id": id, "pages": 2, "kind": "paper", "received": True} for id in ("m1", "m2", "m3")],
        "card": False,
    }


def _made_on(row: Record) -> date:
    """The day of a record's first event: under a clock that stands still an id does not say when it was made."""
    history = row.doc.get("history") or [{"at": row.updated_at.isoformat()}]
    return datetime.fromisoformat(str(history[0]["at"])).astimezone(CHINA).date()


class FakeStore:
    """Records, commands, drafts, prints, tray and session: what the client's store offers, without a file."""

    def __init__(self, clock: FixedClock, actor: Actor) -> None:
        self.clock = clock
        self.actor = actor
        self.place = "3号窗"
        self.series = "3411A"
        self.serials = list(range(42, 200))
        self.rows: dict[tuple[str, str], Record] = {}
        self.kept: dict[str, Draft] = {}
        self.jobs: list[PrintJob] = []
        self.refusals: list[FakeRefusal] = []
        self.indexed = 1.0
        self.on_change: Callable[[tuple[str, str]], None] = lambda key: None
        for name in ("individual_business", "resident_pension", "residence_registration"):
            self.put("service_item", item(name))
        self.put("organisation", HALL)

    def put(self, kind: str, doc: Mapping[str, Any]) -> None:
        """A document from the server."""
        self.rows[kind, doc["id"]] = Record(
            kind, doc["id"], 1, doc, doc.get("name", ""), doc.get("state", ""), "", None, self.clock.now()
        )

    def amend(self, id: str, **changes: Any) -> None:
        """Something else changed about a case, such as ``pending=1``."""
        self.rows["case", id] = replace(self.rows["case", id], **changes)
        self.on_change(("case", id))

    def get(self, kind: str, id: str = "") -> Any:
        if not id:  # a draft
            return self.kept.get(kind)
        return self.rows.get((kind, id))

    def find(
        self,
        kind: str,
        *,
        states: Sequence[str] = (),
        text: str = "",
        due: date | None = None,
        since: date | None = None,
        until: date | None = None,
        limit: int = 200,
        newest_first: bool = True,
        by_due: bool = False,
        after: Record | None = None,
    ) -> list[Record]:
        found = [
            row
            for row in self.rows.values()
            if row.kind == kind
            and (not states or row.state in states)
            and all(word in f"{row.title} {row.number} {row.doc}" for word in text.split())
            and (due is None or (row.due is not None and row.due <= due))
            and (since is None or _made_on(row) >= since)
            and (until is None or _made_on(row) <= until)
        ]
        found.sort(key=lambda row: row.id, reverse=newest_first)
        if by_due or due:
            found.sort(key=lambda row: (row.due is None, row.due))
        behind = next((place for place, row in enumerate(found, 1) if after and row.id == after.id), 0)
        return found[behind : behind + limit]

    def searchable(self) -> float:
        return self.indexed

    def count(self, kind: str, *, states: Sequence[str] = (), due: date | None = None) -> int:
        return len(self.find(kind, states=states, due=due, limit=COUNTED + 1))

    def new_id(self) -> str:
        return uuid7()

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
        rules = rules_of(kind)
        if numbered and not self.serials:
            raise GovDeskError("NUM-001", "号段已用完。", fix="请联网领取。")
        number = Number(self.series, self.serials[0]) if numbered else None
        command = Command(uuid7(), kind, aggregate_id, type, json.loads(json.dumps(body)), number=number)
        refs = {key: self.rows[key].doc for key in rules.refs(command) if key in self.rows}
        old = self.rows.get((kind, aggregate_id))
        context = Context(self.clock.now(), self.actor, WorkCalendar(), self.place, refs)
        outcome = apply(rules, old.doc if old else None, command, context)
        if isinstance(outcome, Refusal):
            raise Refused(outcome)
        doc, summary = outcome[0], rules.summary(outcome[0])
        pending = (old.pending if old else 0) + 1
        record = Record(kind, aggregate_id, 0, doc, summary.title, summary.state, summary.number, summary.due,
                        self.clock.now(), pending)  # fmt: skip
        self.rows[kind, aggregate_id] = record
        if numbered:
            self.serials.pop(0)
        if prints:
            self.jobs.append(PrintJob(uuid7(), kind, aggregate_id, prints, self.clock.now()))
        self.kept.pop(drops_draft, None)
        self.on_change((kind, aggregate_id))
        return record

    # drafts
    def save(self, draft_id: str, kind: str, title: str, doc: Mapping[str, Any]) -> None:
        self.kept[draft_id] = Draft(draft_id, kind, title, json.loads(json.dumps(doc)), self.clock.now())

    def list(self, kind: str) -> list[Draft]:
        return [draft for draft in self.kept.values() if draft.kind == kind]

    def drop(self, draft_id: str) -> None:
        self.kept.pop(draft_id, None)

    # prints
    def owed(self) -> list[PrintJob]:
        return [*self.jobs]

    def done(self, job_id: str) -> None:
        self.jobs = [job for job in self.jobs if job.id != job_id]

    # tray
    def refused_commands(self) -> list[FakeRefusal]:
        return [*self.refusals]

    def dismiss(self, cmd_id: str) -> None:
        gone = [refusal for refusal in self.refusals if refusal.cmd_id == cmd_id]
        self.refusals = [refusal for refusal in self.refusals if refusal.cmd_id != cmd_id]
        for refusal in gone:
            self.amend(refusal.aggregate_id, refused=0)


@dataclass
class FakeRefusal:
    """An entry of the tray."""

    cmd_id: str
    aggregate_id: str
    error: Mapping[str, Any]
    kind: str = "case"
    type: str = "case.decide"
    at: datetime = NOW
    person: str = "王五"
    body: Mapping[str, Any] = field(default_factory=dict)


class FakeReader:
    """A card reader that says what a test told it."""

    def __init__(self, answer: IdentityRecord | DeviceError) -> None:
        self.answer = answer
        self.cancelled = 0

    def read(self, timeout: float = 15.0) -> IdentityRecord:
        if isinstance(self.answer, DeviceError):
            raise self.answer
        return self.answer

    def cancel(self) -> None:
        self.cancelled += 1


class NoDevice:
    """A device that nobody has set up: whatever is asked of it, it says so."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def refuse(*_arguments: Any, **_options: Any) -> Any:
            raise DeviceError(self._code, "这台电脑没有设置这种设备。")

        return refuse


class FakeBlobs:
    """Page images in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, data: bytes, type: str) -> BlobRef:
        digest = hashlib.sha256(data).hexdigest()
        self.kept[digest] = data
        return BlobRef(digest, len(data), type)

    def put_file(self, path: Path) -> BlobRef:
        data = path.read_bytes()
        return self.put(data, type_of(data[:HEAD]))

    def get(self, sha256: str) -> bytes:
        return self.kept[sha256]

    def waiting(self) -> int:
        return 0


class FakeServer:
    """Answers by path and query; where nothing was prepared there is no network."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], Any] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []

    def get(self, path: str, **query: str) -> Any:
        self.asked.append((path, query))
        for (known, part), answer in self.answers.items():
            if known == path and part in query.values():
                return answer
        raise GovDeskError("NET-001", "连不上服务器。")

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        raise GovDeskError("NET-001", "连不上服务器。")


class FakeGateway:
    """Keeps the messages that would have been sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, phone: str, text: str) -> str:
        self.sent.append((phone, text))
        return "已发送。"


class FakeMemory:
    """Keeps how a view was left."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def recall(self, key: str) -> Any:
        return self.kept.get(key)

    def remember(self, key: str, value: Any) -> None:
        self.kept[key] = value


class FakePrinter:
    """Keeps what is printed; ``fault`` is raised instead."""

    def __init__(self) -> None:
        self.papers: list[tuple[bytes, str]] = []
        self.fault: GovDeskError | None = None

    def print_pdf(self, pdf: bytes, title: str) -> str:
        if self.fault:
            raise self.fault
        self.papers.append((pdf, title))
        return "已送往打印机。"


class FakeToken:
    """A token that remembers being cancelled."""

    def __init__(self) -> None:
        self.cancelled = self.finished = False

    def check(self) -> None:
        if self.cancelled:
            raise Cancelled

    def progress(self, share: float, text: str = "") -> None: ...

    def watch(self, call: Callable[[float, str], None]) -> None: ...

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Job:
    """Work that waits for ``FakeHost.drain``."""

    lane: str
    token: FakeToken
    work: Callable[[Any], Any]
    done: Callable[[Any], None] | None
    failed: Callable[[BaseException], None] | None


class FakeHost:
    """``client.kernel.contract.Host``: work waits until ``drain``, in order, and then its callbacks are called."""

    def __init__(self, who: Actor | None = None) -> None:
        self.clock = FixedClock(NOW)
        self.store = FakeStore(self.clock, who or actor())
        self.printer = FakePrinter()
        self.events = Events()
        self.jobs: list[Job] = []
        self.pages: list[tuple[str, dict[str, Any]]] = []
        self.notices: list[str] = []
        self.store.on_change = lambda key: self.events.publish(RecordsChanged(frozenset({key})))
        ports = (Records, Commands, Drafts, Prints, Tray, Session)
        self.services: dict[type[Any], Any] = dict.fromkeys(ports, self.store)
        self.services |= {Printer: self.printer, Clock: self.clock, Events: self.events, Settings: FakeMemory()}
        self.blobs, self.gateway, self.server = FakeBlobs(), FakeGateway(), FakeServer()
        self.services[Server] = self.server
        self.services |= {Blobs: self.blobs, MessageGateway: self.gateway, Camera: NoDevice("DEV-208")}
        self.services |= {Evaluator: NoDevice("DEV-408"), WindowScreen: NoDevice("DEV-458")}

    def reader(self, answer: IdentityRecord | DeviceError) -> FakeReader:
        """Connect a card reader."""
        reader = FakeReader(answer)
        self.services[IdCardReader] = reader
        return reader

    def service(self, port: type[Any]) -> Any:
        if port not in self.services:
            raise LookupError(port.__name__)
        return self.services[port]

    def run(
        self,
        lane: str,
        work: Callable[[Any], Any],
        *,
        done: Callable[[Any], None] | None = None,
        failed: Callable[[BaseException], None] | None = None,
        name: str = "",
    ) -> FakeToken:
        token = FakeToken()
        self.jobs.append(Job(lane, token, work, done, failed))
        return token

    def drain(self) -> None:
        """Do all work that waits, and what it brings about."""
        while self.jobs:
            self.step()

    def step(self) -> None:
        """Do the oldest piece of work. An error that nobody handles is raised: a test must not miss it."""
        job = self.jobs.pop(0)
        if job.token.cancelled:
            job.token.finished = True
            return
        try:
            value = job.work(job.token)
        except Exception as error:
            job.token.finished = True
            if job.failed is None:
                raise
            if not job.token.cancelled:
                job.failed(error)
            return
        job.token.finished = True
        if job.done and not job.token.cancelled:
            job.done(value)

    def open_page(self, page: str, **arguments: Any) -> None:
        self.pages.append((page, arguments))

    def notice(self, text: str, *, state: str = "info", code: str = "") -> None:
        self.notices.append(text)
