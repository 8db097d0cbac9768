"""Counters without a window: the real profile, accounts, store, engine, loop and transport, and somebody in a hurry.

    python -m tests.support.faults.counter TASK.json

Drives the clients of one process until each has given as many commands as ``gate`` allows by now, says four times a
second how far they are, and ends when ``finish`` is there. A line is written to a client's log only after ``give``
has returned: what stands there has been promised to a citizen. It is meant to be killed at any moment.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import random
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from client.data.keys import KdfCost
from client.data.profile import Profile
from client.data.store import Store
from client.data.tables import OutboxRow, PrintRow, RecordRow, ScopeRow
from modules.common.aggregate import Key
from modules.common.clock import SystemClock
from modules.common.errors import GovDeskError, Refused
from sync.accounts import Accounts
from sync.engine import Policy, SyncEngine
from sync.loop import SyncLoop
from sync.protocol import ChangesReply, Lease, LeaseRequest, PushReply, PushRequest
from tests.support.faults import mutants

T = TypeVar("T")
CHEAP = KdfCost(time=1, memory=1024, lanes=1)
ITEM = "item-residence-registration"
PASSWORD = "Govdesk-2026"
CLERKS = ("zhangsan", "lisi", "chenjing", "liuyang")
OFFICER = "zhouba"
"""Of the department that decides what is accepted here."""
CITIZEN = ("训练申请人", "11010519491231002X", "13800000000", "现居住地址 1 号")
"""Name, number, phone and address of whoever comes: what nobody may read in a file."""
MOST_WAITING = 60
"""Commands that a person has in hand before it gets late: nobody works further ahead of the line."""
SAY_EVERY = 0.25
LAST = text("SELECT cmd_id, type FROM outbox ORDER BY n DESC LIMIT 1")
POLICY = Policy(pull_every=0.5, backoff_base=0.1, backoff_cap=0.5)


@dataclass(frozen=True, slots=True)
class Task:
    """What one process is to do; ``clients`` are their numbers."""

    folder: str
    disk: str
    seed: int
    clients: tuple[int, ...]
    mutant: str = ""


class ShiftedClock(SystemClock):
    """A computer's clock that is wrong by whole days."""

    def __init__(self, days: int) -> None:
        self._error = timedelta(days=days)

    def now(self) -> datetime:
        return super().now() + self._error


def days_off(client: int) -> int:
    """By how much a client's clock is wrong."""
    return (0, 1, -1)[client % 3]


def login_of(client: int) -> str:
    """Who works there: at every sixth an officer, elsewhere clerks of one hall."""
    return OFFICER if client % 6 == 5 else CLERKS[client % len(CLERKS)]


def body(item_version: int, n: int) -> dict[str, object]:
    """An acceptance that the rules allow."""
    name, id_number, phone, residence = CITIZEN
    return {
        "item_id": ITEM,
        "item_version": item_version,
        "card": False,
        "applicant": {
            "name": f"{name}{n}",
            "id_type": "resident",
            "id_number": id_number,
            "phone": phone,
            "address": "",
        },
        "form": {
            "household": "户籍地址",
            "residence": residence,
            "since": "2026-01-05",
            "reason": "work",
            "dwelling": "owned",
            "companions": 0,
            "certificate": False,
        },
        "materials": [{"id": id, "pages": 1, "kind": "paper", "received": True} for id in ("m1", "m2", "m3")],
    }


def wait_for_item(store: Store, loop: SyncLoop) -> int:
    """The item's version, once the first pull has brought it and a block of numbers has been leased."""
    while True:
        record = store.get("service_item", ITEM)
        if record is not None and store.tally().serials > 0:
            return int(record.doc["version"])
        loop.poke()
        time.sleep(0.05)


def content(doc: Any) -> str:
    """What a document says, short."""
    return hashlib.sha256(json.dumps(doc, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]


class Noting:
    """A line to the server that remembers, without anybody's data, what went over it last."""

    def __init__(self, line: Any, last: deque[str]) -> None:
        self._line, self._last = line, last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)

    def push(self, request: PushRequest) -> PushReply:
        reply: PushReply = self._line.push(request)
        said = [(ack.n, ack.status, ack.rev, (ack.error or {}).get("code")) for ack in reply.acks]
        self._note("push", [command.n for command in request.cmds], said, reply.expected_n, reply.epoch[-4:])
        return reply

    def changes(self, scope: str, since: int, epoch: str, statement: str, floor: int) -> ChangesReply:
        reply: ChangesReply = self._line.changes(scope, since, epoch, statement, floor)
        said = (reply.since, reply.to, len(reply.changes), reply.more, reply.snapshot_required, reply.epoch[-4:])
        self._note("pull", scope, since, epoch[-4:], floor, *said)
        return reply

    def lease(self, request: LeaseRequest, statement: str) -> Lease:
        reply: Lease = self._line.lease(request, statement)
        self._note("lease", request, reply)
        return reply

    def _note(self, *what: object) -> None:
        self._last.append(f"{time.monotonic():.3f} " + " ".join(map(str, what)))


class Client:
    """One computer at its work."""

    def __init__(self, task: Task, number: int) -> None:
        folder = Path(task.folder)
        self.number = number
        self.clock = ShiftedClock(days_off(number))
        self.profile = Profile(Path(task.disk) / f"c{number}")
        self.accounts = Accounts(self.profile, self.clock, cost=CHEAP)
        self.guard = threading.RLock()
        """Held by whoever works on the store, as the lane ``data`` would be."""
        path = folder / f"given{number}.txt"
        self.done = len(path.read_bytes().splitlines()) if path.exists() else 0
        self.log = path.open("a", encoding="utf-8")
        # another life, other choices, but the same ones for the same seed and place
        self.rng = random.Random(f"{task.seed}/{number}/{self.done}")
        self.seen: deque[str] = deque(maxlen=8)
        self.version = self.room = 0
        self.upto = self.done
        self.full = 0
        self.last: deque[str] = deque(maxlen=40)
        self.sign_in()

    def sign_in(self) -> None:
        """Sit down, at the server or without it; the disk may be full, the line dead."""
        while True:
            try:
                session = self.accounts.sign_in(login_of(self.number), PASSWORD)
                break
            except GovDeskError as error:
                if error.code != "DATA-010" and not error.code.startswith("NET-"):
                    raise
                time.sleep(0.1)
        self.store = session.store
        self.store.on_changed = self.saw
        self.engine = SyncEngine(self.store, self.clock, random.Random(self.rng.random()), POLICY)
        self.loop = SyncLoop(self.engine, Noting(self.accounts.transport, self.last), self.on_data)
        self.loop.start()

    def on_data(self, work: Callable[[], T], /) -> T:
        with self.guard:
            return work()

    def saw(self, keys: frozenset[Key]) -> None:
        """Remember the newest cases, whoever's they are."""
        self.seen.extend(sorted(id for kind, id in keys if kind == "case" and id not in self.seen))

    def mend(self) -> None:
        """Sign in again where the server has forgotten this sign-in: it was restored from an older backup."""
        if self.loop.status.reason == "AUTH-016":
            self.stop()
            self.sign_in()

    def work(self, upto: int) -> bool:
        """Give one command of the ``upto`` that are allowed by now; False when none could be given."""
        if self.done >= upto:
            return False
        # everybody has stood still, knows the same, and now does the same
        rush, self.upto = self.done == self.upto < upto, upto
        with self.guard:
            try:
                if not self._ready():
                    return False
                record = self._rush() if rush else self._act()
            except Refused:
                return True
            except GovDeskError as error:
                if error.code == "DATA-010":
                    self.full += 1
                elif error.code != "NUM-001":
                    raise
                return False
            if record is None:
                return True
            with self.store._reading() as db:
                cmd_id, type = db.execute(LAST).one()
        self.log.write(f"{cmd_id} {type} {record.id} {record.number}\n")
        self.log.flush()
        self.done += 1
        if self.rng.random() < 0.3:
            self.loop.poke()
        return True

    def _ready(self) -> bool:
        """Whether there is something to do, and not too much of it on its way already."""
        if not self.version:
            item = self.store.get("service_item", ITEM)
            self.version = int(item.doc["version"]) if item else 0
        self.room -= 1
        if self.room < 0:
            self.room = min(10, MOST_WAITING - self.store.tally().waiting)
        return bool(self.version) and self.room > 0

    def _rush(self) -> Any:
        """End the newest case that is still open: only one of all can be right."""
        standing = self.store.find("case", states=["accepted"], limit=1)
        if not standing or login_of(self.number) == OFFICER:
            return self._act()
        return self.store.give("case", standing[0].id, "case.withdraw", {"reason": "不办了"})

    def _act(self) -> Any:
        give, rng, actor = self.store.give, self.rng, self.store.actor
        choice = rng.random()
        officer = login_of(self.number) == OFFICER
        if not officer and (choice < 0.35 or not self.seen):
            accept = body(self.version, self.done)
            return give("case", self.store.new_id(), "case.accept", accept, numbered=True, prints="receipt")
        if choice < 0.45 or not self.seen:
            phrase = {"owner": actor.id, "text": f"第 {self.done} 句"}
            # one name for all who sign in as this person: they write over each other
            return give("phrase", f"phrase-{actor.login}-{rng.randrange(3)}", "phrase.put", phrase)
        case = rng.choice(list(self.seen)[-4:])  # the newest ones, as others do: people get in each other's way
        if choice < 0.55:
            return give("case", case, "case.scan", {"node": rng.choice(("intake", "handling", "closing"))})
        if choice < 0.65:
            to = "hall" if officer else "department"
            return give("case", case, "case.hand_over", {"to": to, "materials": [rng.choice(("m1", "m2", "m3"))]})
        if officer:
            record = self.store.get("case", case)
            flow = record.doc["flow"] if record else None
            decision = {"result": "approved", "opinion": "同意", **({"visit": flow["visit"]} if flow else {})}
            return give("case", case, "case.decide", decision)
        if choice < 0.85:
            return give("case", case, "case.rate", {"stars": 5})
        return give("case", case, "case.withdraw", {"reason": "不办了"})

    def status(self) -> dict[str, Any]:
        """How far it is."""
        with self.guard:
            tally = self.store.tally()
            with self.store._reading() as db:
                last = db.scalar(select(OutboxRow.n).order_by(OutboxRow.n.desc()).limit(1)) or 0
            cursors = {scope: self.store.cursor(scope) for scope in self.store.scopes}
            said = self.loop.status
            return {
                "given": self.done,
                "waiting": tally.waiting + tally.deferred,
                "deferred": tally.deferred,
                "last_n": last,
                "epoch": self.store.epoch,
                "cursors": cursors,
                "full": self.full,
                "state": f"{said.state} {said.reason}".strip(),
            }

    def report(self) -> dict[str, Any]:
        """All that must be compared with the server's."""
        with self.store._reading() as db:
            outbox = [
                [row.n, row.cmd_id, row.type, row.aggregate_id, row.state, (row.error or {}).get("code", "")]
                for row in db.scalars(select(OutboxRow).order_by(OutboxRow.n))
            ]
            owed = list(db.scalars(select(PrintRow.record_id)))
            replica = {scope: _replica(db, scope) for scope in self.store.scopes}
        cursors = {scope: self.store.cursor(scope) for scope in self.store.scopes}
        tray = sorted(entry.cmd_id for entry in self.store.refused_commands())
        holds = {scope: self.store.holds(scope) for scope in self.store.scopes}
        return {
            "outbox": outbox, "tray": tray, "owed": owed, "cursors": cursors, "replica": replica, "holds": holds,
        }  # fmt: skip

    def stop(self) -> None:
        self.loop.stop()
        self.accounts.sign_out()

    def close(self) -> None:
        self.stop()
        self.accounts.close()
        self.profile.close()


def _replica(db: Session, scope: str) -> dict[str, Any]:
    """What this computer holds of a feed: revision and content by record."""
    member = (ScopeRow.kind == RecordRow.kind) & (ScopeRow.id == RecordRow.id)
    told = select(RecordRow.kind, RecordRow.id, RecordRow.rev, RecordRow.doc).join(ScopeRow, member)
    rows = db.execute(told.where(ScopeRow.scope == scope, ScopeRow.generation > 0))
    return {f"{kind}:{id}": [rev, content(doc)] for kind, id, rev, doc in rows}


def write(path: Path, data: Any) -> None:
    """Put ``data`` where another process looks for it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    partial.replace(path)


def tell_all(clients: list[Client]) -> None:
    """Whoever waits for us in vain asks what was asked and answered last, and where we stand."""
    for client in clients:
        for line in client.last:
            sys.stderr.write(f"{client.number} {line}\n")
    faulthandler.dump_traceback(all_threads=True)


def main(task_path: str) -> int:
    task = Task(**json.loads(Path(task_path).read_text("utf-8")))
    mutants.break_client(task.mutant)
    folder = Path(task.folder)
    clients = [Client(task, number) for number in task.clients]
    signal.signal(signal.SIGUSR1, lambda *which: tell_all(clients))
    status = folder / f"status{task.clients[0]}.json"
    gate, finish = folder / "gate", folder / "finish"
    said = 0.0
    while not finish.exists():
        busy, upto = False, json.loads(gate.read_text("ascii"))
        for client in clients:
            client.mend()
            busy = client.work(upto) or busy
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            write(status, {str(client.number): client.status() for client in clients})
        if not busy:
            time.sleep(0.02)
    for client in clients:
        write(folder / f"report{client.number}.json", client.report())
        client.close()
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1]))
    except GovDeskError as error:
        sys.stderr.write(error.sentence() + "\n")
        raise SystemExit(2) from None
