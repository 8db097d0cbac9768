"""A small central server in memory that speaks the wire protocol honestly, and three dishonest variants of it.

Its rules are those of ``note``: a thing that several people open, add lines to, move and close. Each line
carries the id of its command, so that a command carried out twice can be seen.
"""

from __future__ import annotations

import atexit
import base64
import copy
import hashlib
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal

from modules.common.aggregate import Command, Context, Doc, Event, Key, Number, Summary, apply
from modules.common.calendar import WorkCalendar
from modules.common.clock import Clock, iso, parse_iso
from modules.common.digests import changed
from modules.common.errors import Refusal
from modules.common.ids import uuid7
from modules.common.statement import Statement, read, sign
from server_stub import tls
from sync.protocol import (
    PROTOCOL,
    Ack,
    CertificateReply,
    Change,
    ChangesReply,
    Enrolment,
    Hello,
    Lease,
    LeaseRequest,
    PushReply,
    PushRequest,
    SignInReply,
    WireCommand,
    body_hash,
    from_wire,
    to_wire,
)
from sync.transport import Request

Dedupe = Literal["same", "separate", "none"]
"""Where a command's id is remembered: in the transaction of its effect (right), in one of its own, nowhere."""


class NoteRules:
    """``note.open`` (numbered or not) → ``note.add`` … → ``note.close``; ``note.move`` gives it to a department."""

    kind = "note"

    def refs(self, command: Command) -> Sequence[Key]:
        return [("ink", str(command.body["ink"]))] if "ink" in command.body else []

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if not context.actor.may("note.write"):
            return Refusal("AUTH-403", "不可")
        if command.type == "note.open":
            if state is not None:
                return Refusal("NOTE-001", "已有")
            if "ink" in command.body and ("ink", command.body["ink"]) not in context.refs:
                return Refusal("NOTE-003", "没有墨水", {"ink": "没有"})
            number = command.number
            day = context.now.strftime("%Y%m%d")
            no = f"{number.series}-{day}-{number.serial:06d}" if number else ""
            return [Event("note.opened", {"id": command.aggregate_id, "title": command.body["title"], "no": no})]
        if state is None:
            return Refusal("NOTE-004", "没有")
        if state["state"] == "closed":
            return Refusal("NOTE-002", "已结")
        if command.type == "note.add":
            return [Event("note.added", {"cmd": command.id, "text": command.body["text"], "by": context.actor.login})]
        if command.type == "note.move":
            return [Event("note.moved", {"dept": command.body["dept"]})]
        if command.type == "note.nothing":
            return []
        return [Event("note.closed", {})]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        if event.type == "note.opened":
            body = event.body
            return {
                "id": body["id"],
                "title": body["title"],
                "no": body["no"],
                "state": "open",
                "lines": [],
                "dept": "",
            }
        before = dict(state or {})
        if event.type == "note.added":
            return {**before, "lines": [*before["lines"], dict(event.body)]}
        if event.type == "note.moved":
            return {**before, "dept": event.body["dept"]}
        return {**before, "state": "closed"}

    def summary(self, state: Doc) -> Summary:
        return Summary(state["title"], state["state"], state["no"], search=state["title"])

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({"hall:h1", f"dept:{state['dept']}"} if state["dept"] else {"hall:h1"})


NOTE = NoteRules()


def rules_of(kind: str) -> Any:
    """The rules of ``note`` and of nothing else."""
    return {"note": NOTE}[kind]


@dataclass
class Person:
    """Somebody who may sign in. ``disabled``: no longer."""

    login: str
    password: str
    scopes: tuple[str, ...] = ("ref", "hall:h1")
    permissions: tuple[str, ...] = ("note.write",)
    disabled: bool = False
    must_change: bool = False


@dataclass
class State:
    """All that is stored: copied as one for backups and undone transactions."""

    docs: dict[Key, tuple[int, dict[str, Any], frozenset[str]]] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    floors: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    feeds: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    last_n: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    known: dict[str, tuple[str, Ack]] = field(default_factory=dict)
    effects: Counter[str] = field(default_factory=Counter)
    """How often each command was carried out."""
    leases: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    waiting: dict[str, dict[Key, set[int]]] = field(default_factory=lambda: defaultdict(dict))
    """Numbers of deferred commands by device and record."""


class Signer:
    """An authority in memory that signs for anybody; made when it is first asked."""

    days = 180

    def sign(self, csr: str, name: str, now: datetime) -> str:
        """A certificate (PEM) for a request."""
        made = authority()
        return tls.issue(made, csr, name, now, self.days).pem


@cache
def authority() -> tls.Tls:
    """One for all tests of a run."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return tls.ensure(Path(folder.name), [], datetime.now(UTC))


LOST = 10_000
"""Serials that may have been handed out after a backup (``server_stub.identity``)."""


class CrashError(Exception):
    """The server dies here."""


class ReferenceServer:
    """Called with a request, answers status and body. ``crash``: how often a push dies after its effects."""

    def __init__(self, clock: Clock, *, dedupe: Dedupe = "same", crash: float = 0.0, seed: int = 0) -> None:
        self.clock = clock
        self.dedupe = dedupe
        self.crash = crash
        self.state = State()
        self.epoch = "e1"
        self.people: dict[str, Person] = {}
        self.authority = Signer()
        self.devices: set[str] = set()
        self.escrow: dict[str, bytes] = {}
        self.codes = {"ABCD-EFGH"}
        self.offline_seconds = 72 * 3600
        self.renew_seconds = 0
        self.revoked: set[str] = set()
        self.asked: list[str] = []
        self._rng = Random(seed)
        self._key = hashlib.sha256(b"server").digest()

    def __call__(self, request: Request) -> tuple[int, Any]:
        self.asked.append(request.name)
        device = request.device
        if request.name not in ("hello", "enrol") and device not in self.devices:
            return _no(401, "AUTH-010", "不认识这台设备")
        body: Any = request.body
        if request.name == "hello":
            now = iso(self.clock.now())
            return 200, to_wire(Hello("GovDesk", "0.1", "示范市", PROTOCOL, PROTOCOL, self.epoch, now, "00"))
        if request.name == "enrol":
            return self._enrol(body)
        if request.name == "certificate":
            return 200, to_wire(CertificateReply(self.authority.sign(body["csr"], device, self.clock.now()), []))
        if request.name == "sign_in":
            return self._sign_in(device, body)
        if request.name == "renew":
            return self._renew(request.statement)
        if request.name == "password":
            return self._password(body)
        if request.name == "push":
            return self._push(device, from_wire(PushRequest, body))
        if request.name == "changes":
            scopes = read(request.statement).scopes
            query = request.query
            if query["scope"] not in scopes:
                return _no(403, "AUTH-403", "不可")
            return 200, to_wire(
                self._changes(
                    query["scope"], int(query["since"]), int(query["limit"]), query["epoch"], int(query["floor"])
                )
            )
        if request.name == "lease":
            return 200, to_wire(self._lease(from_wire(LeaseRequest, body)))
        return 200, {}

    # -- what tests do to it

    def add_device(self, name: str) -> str:
        """Enrol a device by hand; the header's value."""
        self.devices.add(name)
        self.escrow[name] = hashlib.sha256(name.encode()).digest()
        return name

    def statement(self, person: Person, device: str) -> str:
        """A statement's token."""
        now = self.clock.now()
        return sign(
            Statement(
                id=uuid7(),
                person=f"p-{person.login}",
                login=person.login,
                name=person.login.title(),
                device=device,
                issued_at=iso(now),
                expires_at=iso(now + timedelta(seconds=self.offline_seconds)),
                hall_id="h1",
                roles=("clerk",),
                permissions=person.permissions,
                scopes=person.scopes,
            ),
            self._key,
        )

    def publish(self, kind: str, id: str, doc: dict[str, Any], scope: str = "ref", title: str = "") -> None:
        """Put a reference document into a feed."""
        rev = self.state.docs.get((kind, id), (0, {}, frozenset()))[0] + 1
        self._store(kind, id, rev, doc, frozenset({scope}), Summary(title, ""), "")

    def thin(self, scope: str, count: int) -> None:
        """Drop from the oldest ``count`` numbers that are still whole what later ones among them have made void."""
        floor = min(self.state.floors[scope] + count, self.state.heads[scope])
        newest = {(change.kind, change.id): change.seq for change in self.state.feeds[scope] if change.seq <= floor}
        self.state.feeds[scope] = [
            change
            for change in self.state.feeds[scope]
            if change.seq > floor or (change.op == "put" and change.seq == newest[change.kind, change.id])
        ]
        self.state.floors[scope] = floor

    def holds(self, scope: str) -> tuple[int, int]:
        """How many documents a feed holds, and their digest."""
        digest = count = 0
        for (kind, id), (rev, _, scopes) in self.state.docs.items():
            if scope in scopes:
                digest, count = changed(digest, kind, id, 0, rev), count + 1
        return count, digest

    def backup(self) -> State:
        """A copy of everything."""
        return copy.deepcopy(self.state)

    def restore(self, state: State) -> None:
        """Go back to a copy: from now on another epoch. What was handed out since is left to who holds it."""
        self.state = copy.deepcopy(state)
        for series in {"T1", *self.state.leases}:
            self.state.leases[series] += LOST
        self.epoch = f"e{int(self.epoch[1:]) + 1}"

    # -- routes

    def _enrol(self, body: dict[str, Any]) -> tuple[int, Any]:
        secret = body["code"].partition(".")[0]
        if secret not in self.codes:
            return _no(403, "AUTH-012", "登记码无效")
        self.codes.remove(secret)
        again = body.get("device", "")
        device = self.add_device(again or f"d{len(self.devices) + 1}")
        certificate = self.authority.sign(body["csr"], device, self.clock.now())
        escrow = "" if again else base64.b64encode(self.escrow[device]).decode()
        return 200, to_wire(Enrolment(device, certificate, body["name"] or "3号窗", "h1", "T1", escrow, []))

    def _prove(self, login: str, password: str) -> Person | tuple[int, Any]:
        person = self.people.get(login)
        if person is None or person.password != password:
            return _no(401, "AUTH-002", "不正确")
        return _no(403, "AUTH-004", "已停用") if person.disabled else person

    def _sign_in(self, device: str, body: dict[str, Any]) -> tuple[int, Any]:
        person = self._prove(body["login"], body["password"])
        if isinstance(person, tuple):
            return person
        escrow = base64.b64encode(self.escrow[device]).decode()
        now = iso(self.clock.now())
        token = self.statement(person, device)
        return 200, to_wire(
            SignInReply(token, escrow, now, self.offline_seconds, person.must_change, renew_seconds=self.renew_seconds)
        )

    def _renew(self, token: str) -> tuple[int, Any]:
        said = read(token)
        person = self.people[said.login]
        if person.disabled or said.login in self.revoked:
            return _no(401, "AUTH-016", "已失效")
        now = iso(self.clock.now())
        fresh = self.statement(person, said.device)
        return 200, to_wire(
            SignInReply(fresh, "", now, self.offline_seconds, person.must_change, renew_seconds=self.renew_seconds)
        )

    def _password(self, body: dict[str, Any]) -> tuple[int, Any]:
        person = self._prove(body["login"], body["old"])
        if isinstance(person, tuple):
            return person
        person.password, person.must_change = body["new"], False
        return 200, {}

    def _push(self, device: str, request: PushRequest) -> tuple[int, Any]:
        dies = self._rng.random() < self.crash
        before = copy.deepcopy(self.state) if dies else None
        acks = []
        try:
            for command in sorted(request.cmds, key=lambda command: command.n):
                acks.append(self._answer(device, command))
            if dies:
                raise CrashError
        except CrashError:
            assert before is not None
            if self.dedupe == "separate":
                # its effects were committed, its memory of them was not
                for name in ("docs", "feeds", "heads", "floors", "effects"):
                    setattr(before, name, getattr(self.state, name))
            self.state = before
            return 503, None
        return 200, to_wire(PushReply(self.epoch, iso(self.clock.now()), self.state.last_n[device] + 1, acks))

    def _answer(self, device: str, command: WireCommand) -> Ack:
        state = self.state
        last = state.last_n[device]
        if command.n > last + 1:
            return Ack(command.cmd_id, command.n, "gap")
        if self.dedupe != "none":
            if stored := state.known.get(command.cmd_id):
                if stored[0] != body_hash(command):
                    state.last_n[device] = max(last, command.n)
                    return Ack(command.cmd_id, command.n, "hash_mismatch")
                first = stored[1]
                if first.status == "deferred":
                    return self._settle(device, command)
                return Ack(first.cmd_id, first.n, first.status, True, first.rev, first.error)
            if command.n <= last:
                return Ack(command.cmd_id, command.n, "hash_mismatch")
        state.last_n[device] = max(last, command.n)
        return self._settle(device, command)

    def _settle(self, device: str, command: WireCommand) -> Ack:
        state = self.state
        record = command.kind, command.aggregate_id
        behind = min(state.waiting[device].get(record, {command.n}), default=command.n) < command.n
        ack = _deferred(command) if behind else self._decide(command)
        waiting = state.waiting[device].setdefault(record, set())
        waiting.add(command.n) if ack.status == "deferred" else waiting.discard(command.n)
        state.known[command.cmd_id] = (body_hash(command), ack)
        return ack

    def _decide(self, command: WireCommand) -> Ack:
        said = read(command.statement)
        if not said.holds_at(parse_iso(command.at)):
            return _refused(command, Refusal("AUTH-006", "已过期"))
        rev, doc, _ = self.state.docs.get((command.kind, command.aggregate_id), (0, None, frozenset()))
        if command.base_rev > rev and (doc is None or self.epoch != "e1"):
            return _deferred(command)
        number = Number(**command.number) if command.number else None
        rules = rules_of(command.kind)
        order = Command(command.cmd_id, command.kind, command.aggregate_id, command.type, command.body, number=number)
        refs = {key: self.state.docs[key][1] for key in rules.refs(order) if key in self.state.docs}
        context = Context(parse_iso(command.at), said.actor(), WorkCalendar(), "", refs)
        outcome = apply(rules, doc, order, context)
        if isinstance(outcome, Refusal):
            return _refused(command, outcome)
        new = dict(outcome[0])
        scopes = rules.scopes(new)
        self._store(command.kind, command.aggregate_id, rev + 1, new, scopes, rules.summary(new), command.cmd_id)
        return Ack(command.cmd_id, command.n, "applied", rev=rev + 1)

    def _store(
        self, kind: str, id: str, rev: int, doc: dict[str, Any], scopes: frozenset[str], summary: Summary, cause: str
    ) -> None:
        self.state.effects[cause] += 1
        before = self.state.docs.get((kind, id), (0, {}, frozenset[str]()))[2]
        self.state.docs[kind, id] = (rev, doc, scopes)
        for scope in sorted(scopes | before):
            feed = self.state.feeds[scope]
            there = scope in scopes
            put = (doc, summary.to_wire()) if there else ({}, {})
            self.state.heads[scope] += 1
            feed.append(Change(self.state.heads[scope], kind, id, rev, "put" if there else "tombstone", *put, cause))

    def _changes(self, scope: str, since: int, limit: int, epoch: str, began: int) -> ChangesReply:
        state = self.state
        head, floor = state.heads[scope], state.floors[scope]
        lost = since > head or epoch not in ("", self.epoch) or 0 < since < floor > began
        rows = [] if lost else [change for change in state.feeds[scope] if change.seq > since]
        page = rows[:limit]
        to = page[-1].seq if page else since
        if not lost and len(rows) <= limit:
            to = max(to, floor)
        more = not lost and to < head
        count, digest = self.holds(scope)
        count = -1 if more or lost else count
        now = iso(self.clock.now())
        return ChangesReply(self.epoch, now, scope, since, to, more, lost, page, floor, count, digest)

    def _lease(self, request: LeaseRequest) -> Lease:
        first = self.state.leases[request.series] + 1
        self.state.leases[request.series] += request.count
        return Lease(request.series, first, first + request.count - 1)


def _no(status: int, code: str, message: str) -> tuple[int, Any]:
    return status, {"code": code, "message": message}


def _refused(command: WireCommand, refusal: Refusal) -> Ack:
    error = {"code": refusal.code, "message": refusal.message, "fields": dict(refusal.fields)}
    return Ack(command.cmd_id, command.n, "refused", error=error)


def _deferred(command: WireCommand) -> Ack:
    return Ack(command.cmd_id, command.n, "deferred", error={"code": "SYNC-017", "message": "等待", "fields": {}})
