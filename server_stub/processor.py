"""The one processor of all commands: whatever a module does, it is deduplicated, decided, stored, audited and fed here.

A push is one transaction. Inside it every command has its own savepoint and its own answer: a command
that is refused, or on which a rule breaks, blocks no other. What lacks a file, or history that a restore has lost, is
*deferred*: its number is spent, later commands of the same record wait behind it, and the device asks again
(ADR 20). A command that the server gives itself (``Processor.give``) goes the same way, in a transaction of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from modules.common import statement
from modules.common.aggregate import (
    Aggregate,
    Command,
    Doc,
    Key,
    Number,
    version_of,
)
from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.ids import is_aggregate_id, is_uuid7, uuid7
from modules.common.manifest import rules_of
from modules.common.permissions import SYSTEM, Actor
from modules.common.statement import Statement
from modules.common.text import tr
from server_stub import audit, feed, numbers
from server_stub.accounts import reach
from server_stub.answers import remember
from server_stub.carrying import Deferral, Giver, Outcome, Work, calendar, carry_out
from server_stub.identity import Identity
from server_stub.log import incident
from server_stub.sealing import open_sealed, seal
from server_stub.tables import (
    DEFERRED,
    AggregateState,
    CommandRow,
    Device,
    adding,
)
from server_stub.trust import Trust, given_at, out_of_force
from server_stub.writer import Writer, retriable
from sync.protocol import PUSH_LIMIT, Ack, AckStatus, PushReply, PushRequest, WireCommand, body_hash, canonical

SKEW = timedelta(minutes=5)
"""A clock that is further from the server's is noted in the audit log."""
RECOVERY = timedelta(hours=24)
"""For so long after a restore a record may lack what some counter has not sent again yet."""
KEEP_WAITING = timedelta(days=30)
"""What is still deferred then is refused, so that a person looks at it."""
MAY_WAIT = 2
"""The first protocol whose devices know what ``deferred`` means."""
MAX_SERIAL = 2**62
_SERIES = re.compile(r"[0-9A-Za-z]{1,24}")
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_NUL = re.compile(rb"(?<!\\)(\\\\)*\\u0000")
"""A NUL inside JSON: SQLite would keep it, PostgreSQL cannot, and no field of ours means one."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A command with all that can be said of it without the database. ``claimed``: when it was given, as it says."""

    command: WireCommand
    hash: str
    claimed: datetime
    said: Statement | Refusal


@dataclass(slots=True)
class _Push(Work):
    """What the transaction of a push knows and gathers; audit and feeds are written at its end."""

    device_id: str = ""
    place: str = ""
    last_n: int = 0
    may_wait: bool = True
    trust: Trust = field(kw_only=True)
    spending: numbers.Spending = field(kw_only=True)
    known: dict[str, CommandRow] = field(default_factory=dict)
    waiting: dict[Key, set[int]] = field(default_factory=dict)
    """Numbers of this device's deferred commands by record."""
    answered: list[dict[str, Any]] = field(default_factory=list)
    audit: list[audit.Entry] = field(default_factory=list)
    feed: list[feed.Entry] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Order:
    """A command of the server's own. ``command_id`` is the caller's, or empty; ``device`` a route's, or empty."""

    kind: str
    aggregate_id: str
    type: str
    body: Doc
    actor: Actor = SYSTEM
    device: str = ""
    command_id: str = ""


class Processor:
    """Answers pushes. ``rules`` finds the aggregate of a kind and raises ``KeyError`` for an unknown one."""

    def __init__(
        self, writer: Writer, clock: Clock, identity: Identity, rules: Callable[[str], Aggregate] = rules_of
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._identity = identity
        self._rules = rules

    def push(self, device_id: str, request: PushRequest) -> PushReply:
        """One answer per command, by ascending ``n``. Raises ``GovDeskError`` SYNC-001 … 004 for what is no push."""
        if len(request.cmds) > PUSH_LIMIT:
            raise GovDeskError("SYNC-001", tr("一次最多上传 {limit} 条命令。", limit=PUSH_LIMIT))
        tokens: dict[str, Statement | Refusal] = {}
        judged = [self._judge(command, tokens) for command in sorted(request.cmds, key=lambda command: command.n)]
        may_wait = request.proto >= MAY_WAIT
        acks, expected = self._writer.do(lambda session: self._transaction(session, device_id, judged, may_wait))
        return PushReply(self._identity.epoch, iso(self._clock.now()), expected, acks)

    # -- before the transaction

    def _judge(self, command: WireCommand, tokens: dict[str, Statement | Refusal]) -> _Judged:
        if not _well_formed(command):
            raise GovDeskError("SYNC-004", _ill_formed().message)
        try:
            digest = body_hash(command)
            holds_nul = bool(_NUL.search(canonical(command.body)))
        except (ValueError, RecursionError) as error:
            raise GovDeskError("SYNC-002", _unstorable().message) from error
        try:
            at = parse_iso(command.at)
        except (ValueError, OverflowError) as error:
            raise GovDeskError("SYNC-003", tr("命令的时间无法识别。")) from error
        if command.statement not in tokens:
            try:
                tokens[command.statement] = statement.verify(command.statement, self._identity.public_key)
            except GovDeskError as error:
                tokens[command.statement] = Refusal(error.code, error.message)
        return _Judged(command, digest, at, _unstorable() if holds_nul else tokens[command.statement])

    # -- inside the transaction

    def _transaction(
        self, session: Session, device_id: str, judged: Sequence[_Judged], may_wait: bool
    ) -> tuple[list[Ack], int]:
        columns = select(Device.name, Device.revoked_at, Device.last_n)
        device = session.execute(columns.filter_by(id=device_id).with_for_update()).one()
        ids = [item.command.cmd_id for item in judged]
        known = {
            row.cmd_id: row for row in session.execute(select(CommandRow).where(CommandRow.cmd_id.in_(ids))).scalars()
        }
        now = self._clock.now()
        push = _Push(
            now,
            calendar(session),
            self._recovering(now),
            device_id=device_id,
            place=device.name,
            last_n=device.last_n,
            may_wait=may_wait,
            trust=Trust(session, self._identity, now, device.revoked_at),
            spending=numbers.Spending(session, device_id, filter(None, (_number(item.command) for item in judged))),
            known=known,
            waiting=_waiting(session, device_id),
        )
        acks = [self._answer(session, push, item) for item in judged]
        push.spending.store()
        if push.last_n != device.last_n:
            remember(session, device_id, push.last_n, push.answered)
        audit.append(session, iso(push.now), push.audit)
        feed.append(session, iso(push.now), push.feed)
        return acks, push.last_n + 1

    def _answer(self, session: Session, push: _Push, item: _Judged) -> Ack:
        command = item.command
        if command.n > push.last_n + 1:
            return Ack(command.cmd_id, command.n, "gap")
        stored = push.known.get(command.cmd_id)
        if stored is not None or command.n <= push.last_n:
            if stored is None or (stored.body_hash, stored.device_id) != (item.hash, push.device_id):
                # another command under a known id or a spent number: nothing is done, and the number is spent
                push.last_n = max(push.last_n, command.n)
                push.audit.append(_audit(push, item, item.claimed, "hash_mismatch", {}))
                return Ack(command.cmd_id, command.n, "hash_mismatch")
            if stored.status != DEFERRED or stored not in session:
                error = _why(session, stored)
                status = cast("AckStatus", stored.status)
                return Ack(command.cmd_id, command.n, status, True, stored.rev, error)
        received = parse_iso(stored.received_at) if stored is not None else push.now
        at = given_at(item.claimed, item.said, received)
        outcome = self._outcome(session, push, item, at)
        if isinstance(outcome, Deferral):
            if not push.may_wait:
                outcome = Refusal(outcome.code, outcome.message)
            elif push.now - received >= KEEP_WAITING:
                outcome = Refusal("SYNC-019", tr("这一笔等了很久仍无法执行：{why}", why=outcome.message))
        ack = self._conclude(session, push, item, stored, at, outcome)
        push.last_n = max(push.last_n, command.n)
        return ack

    def _outcome(self, session: Session, push: _Push, item: _Judged, at: datetime) -> Outcome:
        command, said = item.command, item.said
        # whatever becomes of the command, its number is spent: it may be on paper already
        number = _number(command)
        spent = push.spending.spend(number, command.cmd_id) if number else None
        if isinstance(said, Refusal):
            return said
        if no := out_of_force(said, push.device_id, at) or push.trust.lost(said, at) or spent:
            return no
        if any(n < command.n for n in push.waiting.get((command.kind, command.aggregate_id), ())):
            return Deferral("SYNC-018", tr("同一件业务有更早的一笔还在等待，先办那一笔。"))
        return self._guarded(session, push, item, said, at)

    def _conclude(
        self, session: Session, push: _Push, item: _Judged, stored: CommandRow | None, at: datetime, outcome: Outcome
    ) -> Ack:
        command = item.command
        waiting = push.waiting.setdefault((command.kind, command.aggregate_id), set())
        waiting.discard(command.n)
        if isinstance(outcome, tuple):
            ack = Ack(command.cmd_id, command.n, "applied", rev=outcome[0].rev)
            push.feed.extend(outcome)
            push.audit.append(_audit(push, item, at, "", {"rev": ack.rev}))
        else:
            fields = dict(outcome.fields) if isinstance(outcome, Refusal) else {}
            error = {"code": outcome.code, "message": outcome.message, "fields": fields}
            status: AckStatus = "refused" if isinstance(outcome, Refusal) else "deferred"
            ack = Ack(command.cmd_id, command.n, status, error=error)
            if ack.status == DEFERRED:
                waiting.add(command.n)
            if stored is None or ack.status != DEFERRED:
                # that something still waits is no news
                push.audit.append(_audit(push, item, at, ack.status, {"code": outcome.code}))
        why = seal(session, CommandRow, (command.cmd_id,), feed.dump(ack.error)) if ack.error else None
        told = {"status": ack.status, "rev": ack.rev, "sealed": why}
        if stored is not None:
            for name, value in told.items():
                setattr(stored, name, value)
            return ack
        row = {
            "cmd_id": command.cmd_id,
            "device_id": push.device_id,
            "n": command.n,
            "body_hash": item.hash,
            "kind": command.kind,
            "aggregate_id": command.aggregate_id,
            "type": command.type,
            "person_id": item.said.person if isinstance(item.said, Statement) else None,
            "at": iso(item.claimed),
            "received_at": iso(push.now),
            **told,
        }
        push.answered.append(row)
        push.known[command.cmd_id] = CommandRow(**row)
        return ack

    def _guarded(self, session: Session, push: _Push, item: _Judged, said: Statement, at: datetime) -> Outcome:
        """``_carry_out`` in a savepoint: what a rule breaks is undone and refused, and stops nothing else."""
        giver = Giver(said.actor(), push.place, at, frozenset(said.scopes), push.device_id)
        try:
            with session.begin_nested():
                return carry_out(self._rules, session, push, _command(item.command), giver)
        except Exception as error:
            if isinstance(error, DBAPIError) and (retriable(error) or error.connection_invalidated):
                raise
            ids = {"cmd_id": item.command.cmd_id, "type": item.command.type, "device": push.device_id}
            event = incident("command failed", error, **ids)
            return Refusal("SRV-501", tr("服务器处理这项业务时出错，事件编号 {event}。请联系系统管理员。", event=event))

    # -- the server's own commands

    def give(self, order: Order) -> int:
        """Carry out a command of the server's own or of a module's route; see ``server_ports.ServerCommands``."""
        # a route may hand on what stood in an address
        if not (is_aggregate_id(order.aggregate_id) and _NAME.fullmatch(order.kind) and _NAME.fullmatch(order.type)):
            raise Refused(_ill_formed())
        body = _plain_body(order.body)
        digest = _digest(order, body)
        outcome = self._writer.do(lambda session: self._give(session, order, body, digest))
        if isinstance(outcome, Refusal):
            raise Refused(outcome)
        return outcome

    def _recovering(self, now: datetime) -> bool:
        recovered_at = self._identity.recovered_at
        return bool(recovered_at) and now - parse_iso(recovered_at) < RECOVERY

    def _give(self, session: Session, order: Order, body: Doc, digest: str) -> int | Refusal:
        actor, now = order.actor, self._clock.now()
        command = self._own_command(session, order, body)
        stored = session.get(CommandRow, command.id)
        if stored is not None:
            if stored.body_hash != digest:
                raise GovDeskError("SYNC-014", tr("服务器内部命令 {id} 已有另一内容。", id=command.id))
            return stored.rev
        reach_ = None if actor == SYSTEM else reach(actor.id, actor.hall_id, actor.department_id, actor.roles)
        device = session.execute(select(Device.name).filter_by(id=order.device)).scalar_one_or_none()
        giver = Giver(actor, device or "", now, None if reach_ is None else frozenset(reach_), order.device)
        outcome = carry_out(self._rules, session, Work(now, calendar(session)), command, giver)
        subject = f"{command.kind}:{command.aggregate_id}"
        if isinstance(outcome, Deferral):
            # nobody would ask again: a job looks for itself, a person is told
            outcome = Refusal(outcome.code, outcome.message)
        if isinstance(outcome, Refusal):
            # what a job is refused every minute is no news; what a person was refused is
            if actor != SYSTEM:
                detail = {"cmd": command.id, "code": outcome.code}
                entry = audit.Entry(f"{command.type}.refused", actor.id, order.device, subject, detail)
                audit.append(session, iso(now), [entry])
            return outcome
        rev = outcome[0].rev
        row = {
            "cmd_id": command.id,
            "device_id": None,
            "n": None,
            "body_hash": digest,
            "kind": command.kind,
            "aggregate_id": command.aggregate_id,
            "type": command.type,
            "person_id": actor.id,
            "at": iso(now),
            "received_at": iso(now),
            "status": "applied",
            "rev": rev,
            "sealed": None,
        }
        session.execute(adding(CommandRow), [row])
        audit.append(
            session,
            iso(now),
            [audit.Entry(command.type, actor.id, order.device, subject, {"cmd": command.id, "rev": rev})],
        )
        feed.append(session, iso(now), outcome)
        return rev

    def _own_command(self, session: Session, order: Order, body: Doc) -> Command:
        """Decided on the newest revision: the server has all in sight that there is."""
        try:
            version = version_of(self._rules(order.kind))
        except KeyError:
            version = 1  # refused below
        state = select(AggregateState.rev).filter_by(kind=order.kind, id=order.aggregate_id)
        rev = session.execute(state).scalar_one_or_none() or 0
        id = order.command_id or uuid7()
        return Command(id, order.kind, order.aggregate_id, order.type, body, version, rev)


def _waiting(session: Session, device_id: str) -> dict[Key, set[int]]:
    waiting: dict[Key, set[int]] = {}
    rows = select(CommandRow).filter_by(device_id=device_id, status=DEFERRED)
    for row in session.execute(rows).scalars():
        waiting.setdefault((row.kind, row.aggregate_id), set()).add(row.n or 0)
    return waiting


def _well_formed(command: WireCommand) -> bool:
    number = command.number
    return (
        is_uuid7(command.cmd_id)
        and is_aggregate_id(command.aggregate_id)
        and bool(_NAME.fullmatch(command.kind) and _NAME.fullmatch(command.type))
        and 0 < command.n < MAX_SERIAL
        and (
            number is None
            or (
                isinstance(number.get("series"), str)
                and bool(_SERIES.fullmatch(number["series"]))
                and type(number.get("serial")) is int
                and 0 < number["serial"] < MAX_SERIAL
            )
        )
        and (
            command.clock is None
            or all(
                type(command.clock.get(name)) is int and abs(command.clock[name]) < MAX_SERIAL
                for name in ("offset_ms", "error_ms")
            )
        )
    )


def _plain_body(body: Doc) -> dict[str, Any]:
    """``body`` as it will come out of storage. Raises ``Refused`` SYNC-002 for what no database of ours holds."""
    try:
        text = canonical(body)
    except (ValueError, RecursionError) as error:
        raise Refused(_unstorable()) from error
    if _NUL.search(text):
        raise Refused(_unstorable())
    plain: dict[str, Any] = json.loads(text)
    return plain


def _digest(order: Order, body: Doc) -> str:
    """What makes a command of the server's own the same as another with its id."""
    return hashlib.sha256(canonical([order.kind, order.aggregate_id, order.type, body])).hexdigest()


def _ill_formed() -> Refusal:
    return Refusal("SYNC-004", tr("命令的编号或类型格式不正确。"))


def _unstorable() -> Refusal:
    return Refusal("SYNC-002", tr("命令中含有无法保存的字符。"))


def _why(session: Session, stored: CommandRow) -> dict[str, Any] | None:
    if stored.sealed is None:
        return None
    error: dict[str, Any] = json.loads(open_sealed(session, CommandRow, (stored.cmd_id,), stored.sealed))
    return error


def _number(wire: WireCommand) -> Number | None:
    return Number(wire.number["series"], wire.number["serial"]) if wire.number is not None else None


def _command(wire: WireCommand) -> Command:
    return Command(
        wire.cmd_id, wire.kind, wire.aggregate_id, wire.type, wire.body, wire.version, wire.base_rev, _number(wire)
    )


def _audit(push: _Push, item: _Judged, at: datetime, suffix: str, detail: dict[str, Any]) -> audit.Entry:
    """What the log says of a command: who, what, when it was given, how late it came, how wrong its clock was."""
    command = item.command
    person = item.said.person if isinstance(item.said, Statement) else ""
    late = round((push.now - at).total_seconds())
    detail = {"cmd": command.cmd_id, "n": command.n, "given_at": iso(at), "late_seconds": late, **detail}
    clock = command.clock or {"offset_ms": 0, "error_ms": 0}
    skew = SKEW // timedelta(milliseconds=1)
    if abs(item.claimed - at) > SKEW or abs(clock["offset_ms"]) > skew or clock["error_ms"] > skew:
        detail["clock"] = {**clock, "claimed_at": iso(item.claimed)}
    action = f"{command.type}.{suffix}" if suffix else command.type
    return audit.Entry(action, person, push.device_id, f"{command.kind}:{command.aggregate_id}", detail)
