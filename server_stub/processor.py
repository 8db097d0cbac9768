"""The one processor of all commands: whatever a module does, it is deduplicated, decided, stored, audited and fed here.

A push is one transaction. Inside it every command has its own savepoint and its own answer: a command
that is refused, or on which a rule breaks, blocks no other. A command that the server gives itself
(``Processor.give``) goes the same way, in a transaction of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from modules.common import statement
from modules.common.aggregate import Aggregate, Command, Context, Doc, Event, Key, Number, apply
from modules.common.calendar import WorkCalendar
from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.ids import is_aggregate_id, is_uuid7, uuid7
from modules.common.manifest import rules_of
from modules.common.permissions import SYSTEM, Actor
from modules.common.staff import STAFF
from modules.common.statement import Statement
from modules.common.text import tr
from server_stub import audit, feed
from server_stub.accounts import reach, staff_member
from server_stub.identity import Identity
from server_stub.log import incident
from server_stub.sealing import of, open_sealed, seal
from server_stub.tables import (
    AggregateState,
    CommandRow,
    Device,
    EventRow,
    NumberLease,
    NumberSeries,
    NumberUsed,
    Person,
    SignInSession,
)
from server_stub.writer import Writer, retriable
from sync.protocol import PUSH_LIMIT, Ack, PushReply, PushRequest, WireCommand, body_hash, canonical

SKEW = timedelta(minutes=5)
"""How far a device's idea of the time may be from the server's."""
KEEP_SESSIONS = timedelta(days=400)
"""Longer than any device stays away: an older statement without its session vouches for nothing."""
CALENDAR_DAY = "calendar_day"
MAX_SERIAL = 2**62
_SERIES = re.compile(r"[0-9A-Za-z]{1,24}")
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_NUL = re.compile(rb"(?<!\\)(\\\\)*\\u0000")
"""A NUL inside JSON: SQLite would keep it, PostgreSQL cannot, and no field of ours means one."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A command with all that can be said of it without the database."""

    command: WireCommand
    hash: str
    at: datetime
    said: Statement | Refusal


@dataclass(frozen=True, slots=True)
class _State:
    """A stored aggregate."""

    rev: int
    doc: Doc
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Giver:
    """Who gives a command, where, when, and what they may reach; ``scopes`` is None for the server itself."""

    actor: Actor
    place: str
    at: datetime
    scopes: frozenset[str] | None


@dataclass(slots=True)
class _Work:
    """What one transaction has read for the rules."""

    now: datetime
    calendar: WorkCalendar
    refs: dict[Key, Doc | None] = field(default_factory=dict)


@dataclass(slots=True)
class _Push(_Work):
    """What the transaction of a push knows and gathers; audit and feeds are written at its end."""

    device_id: str = ""
    place: str = ""
    revoked_at: str | None = None
    last_n: int = 0
    known: dict[str, CommandRow] = field(default_factory=dict)
    revocations: dict[str, str | None] = field(default_factory=dict)
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
        judged = [
            self._judge(device_id, command, tokens) for command in sorted(request.cmds, key=lambda command: command.n)
        ]
        acks, expected = self._writer.do(lambda session: self._transaction(session, device_id, judged))
        return PushReply(self._identity.epoch, iso(self._clock.now()), expected, acks)

    # -- before the transaction

    def _judge(self, device_id: str, command: WireCommand, tokens: dict[str, Statement | Refusal]) -> _Judged:
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
        said = tokens[command.statement]
        if isinstance(said, Refusal):
            return _Judged(command, digest, at, said)
        if holds_nul:
            return _Judged(command, digest, at, _unstorable())
        return _Judged(command, digest, at, self._out_of_force(device_id, said, at) or said)

    def _out_of_force(self, device_id: str, said: Statement, at: datetime) -> Refusal | None:
        if said.device != device_id:
            return Refusal("AUTH-008", tr("登录凭据属于另一台设备。请重新登录。"))
        if at > self._clock.now() + SKEW:
            return Refusal("AUTH-009", tr("办理时间晚于服务器时间。请校准本机时钟后重新办理。"))
        issued = parse_iso(said.issued_at)
        # a device's clock may be a little behind the server's when somebody has just signed in
        if not said.holds_at(max(at, issued) if issued - at <= SKEW else at):
            return Refusal("AUTH-018", tr("办理时登录已过期。请重新登录后再办理。"))
        return None

    # -- inside the transaction

    def _transaction(self, session: Session, device_id: str, judged: Sequence[_Judged]) -> tuple[list[Ack], int]:
        device = session.execute(
            select(Device.name, Device.revoked_at, Device.last_n).filter_by(id=device_id).with_for_update()
        ).one()
        ids = [item.command.cmd_id for item in judged]
        known = {
            row.cmd_id: row for row in session.execute(select(CommandRow).where(CommandRow.cmd_id.in_(ids))).scalars()
        }
        push = _Push(
            self._clock.now(),
            _calendar(session),
            device_id=device_id,
            place=device.name,
            revoked_at=device.revoked_at,
            last_n=device.last_n,
            known=known,
        )
        acks = [self._answer(session, push, item) for item in judged]
        if push.last_n != device.last_n:
            remember(session, device_id, push.last_n, push.answered)
        audit.append(session, iso(push.now), push.audit)
        feed.append(session, push.feed)
        return acks, push.last_n + 1

    def _answer(self, session: Session, push: _Push, item: _Judged) -> Ack:
        command = item.command
        if command.n > push.last_n + 1:
            return Ack(command.cmd_id, command.n, "gap")
        stored = push.known.get(command.cmd_id)
        if stored is not None or command.n <= push.last_n:
            if stored is not None and stored.body_hash == item.hash and stored.device_id == push.device_id:
                error = _why(session, stored)
                return Ack(command.cmd_id, command.n, "refused" if error else "applied", True, stored.rev, error)
            # another command under a known id or a spent number: nothing is done, and the number is spent
            push.last_n = max(push.last_n, command.n)
            push.audit.append(_audit(push, item, "hash_mismatch", {}))
            return Ack(command.cmd_id, command.n, "hash_mismatch")
        number = _spend_number(session, push, command)
        said = item.said if isinstance(item.said, Refusal) else _revoked(session, push, item.said, item.at) or item.said
        outcome: Refusal | tuple[feed.Entry, ...]
        if isinstance(said, Refusal):
            outcome = said
        elif number is not None:
            outcome = number
        else:
            outcome = self._guarded(session, push, item, said)
        ack = self._conclude(session, push, item, outcome)
        push.last_n = command.n
        return ack

    def _conclude(self, session: Session, push: _Push, item: _Judged, outcome: Refusal | tuple[feed.Entry, ...]) -> Ack:
        command = item.command
        if isinstance(outcome, Refusal):
            error = {"code": outcome.code, "message": outcome.message, "fields": dict(outcome.fields)}
            ack = Ack(command.cmd_id, command.n, "refused", error=error)
            push.audit.append(_audit(push, item, "refused", {"code": outcome.code}))
        else:
            ack = Ack(command.cmd_id, command.n, "applied", rev=outcome[0].rev)
            push.feed.extend(outcome)
            push.audit.append(_audit(push, item, "", {"rev": ack.rev}))
        row = {
            "cmd_id": command.cmd_id,
            "device_id": push.device_id,
            "n": command.n,
            "body_hash": item.hash,
            "kind": command.kind,
            "aggregate_id": command.aggregate_id,
            "type": command.type,
            "person_id": item.said.person if isinstance(item.said, Statement) else None,
            "at": iso(item.at),
            "received_at": iso(push.now),
            "status": ack.status,
            "rev": ack.rev,
            "sealed": seal(session, CommandRow, (command.cmd_id,), feed.dump(ack.error)) if ack.error else None,
        }
        push.answered.append(row)
        push.known[command.cmd_id] = CommandRow(**row)
        return ack

    def _guarded(
        self, session: Session, push: _Push, item: _Judged, said: Statement
    ) -> Refusal | tuple[feed.Entry, ...]:
        """``_carry_out`` in a savepoint: what a rule breaks is undone and refused, and stops nothing else."""
        giver = _Giver(said.actor(), push.place, item.at, frozenset(said.scopes))
        try:
            with session.begin_nested():
                return self._carry_out(session, push, _command(item.command), giver)
        except Exception as error:
            if isinstance(error, DBAPIError) and (retriable(error) or error.connection_invalidated):
                raise
            ids = {"cmd_id": item.command.cmd_id, "type": item.command.type, "device": push.device_id}
            event = incident("command failed", error, **ids)
            return Refusal("SRV-501", tr("服务器处理这项业务时出错，事件编号 {event}。请联系系统管理员。", event=event))

    def _carry_out(
        self, session: Session, work: _Work, command: Command, giver: _Giver
    ) -> Refusal | tuple[feed.Entry, ...]:
        """Decide and store one command; the entries for the feeds, its own first."""
        try:
            rules = self._rules(command.kind)
        except KeyError:
            return Refusal("SRV-004", tr("服务器没有安装办理这类业务的模块（{kind}）。", kind=command.kind))
        old = _load(session, command)
        if old and giver.scopes is not None and not old.scopes & giver.scopes:
            return _out_of_reach()  # before any rule: its refusal would tell of what the person may not see
        needed = {key: _reference(session, work, key) for key in rules.refs(command)}
        context = Context(
            now=giver.at,
            actor=giver.actor,
            calendar=work.calendar,
            place=giver.place,
            refs={key: doc for key, doc in needed.items() if doc is not None},
        )
        outcome = apply(rules, old.doc if old else None, command, context)
        if isinstance(outcome, Refusal):
            return outcome
        doc, events = outcome
        scopes = rules.scopes(doc)
        if old is None and giver.scopes is not None and not scopes & giver.scopes:
            return _out_of_reach()
        summary = rules.summary(doc)
        rev = old.rev + 1 if old else 1
        entry = feed.Entry(
            scopes, command.kind, command.aggregate_id, rev, "put", feed.dump(doc), summary.to_wire(), command.id
        )
        feed.store(session, iso(work.now), entry, summary)
        _store_events(session, command, rev, giver.at, events)
        return (entry, *feed.left(entry, old.scopes if old else frozenset()))

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

    def _give(self, session: Session, order: Order, body: Doc, digest: str) -> int | Refusal:
        actor, now = order.actor, self._clock.now()
        command = Command(order.command_id or uuid7(), order.kind, order.aggregate_id, order.type, body)
        stored = session.get(CommandRow, command.id)
        if stored is not None:
            if stored.body_hash != digest:
                raise GovDeskError("SYNC-014", tr("服务器内部命令 {id} 已有另一内容。", id=command.id))
            return stored.rev
        reach_ = None if actor == SYSTEM else reach(actor.id, actor.hall_id, actor.department_id, actor.roles)
        device = session.execute(select(Device.name).filter_by(id=order.device)).scalar_one_or_none()
        giver = _Giver(actor, device or "", now, None if reach_ is None else frozenset(reach_))
        outcome = self._carry_out(session, _Work(now, _calendar(session)), command, giver)
        subject = f"{command.kind}:{command.aggregate_id}"
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
        session.execute(insert(CommandRow), [row])
        audit.append(
            session,
            iso(now),
            [audit.Entry(command.type, actor.id, order.device, subject, {"cmd": command.id, "rev": rev})],
        )
        feed.append(session, outcome)
        return rev


def _out_of_reach() -> Refusal:
    return Refusal("AUTH-030", tr("这项业务不在您的大厅或部门范围内。"))


def remember(session: Session, device_id: str, last_n: int, answered: Sequence[dict[str, Any]]) -> None:
    """Keep the answers and the device's last number in the transaction of the effects: exactly once."""
    session.execute(update(Device).where(Device.id == device_id).values(last_n=last_n))
    if answered:
        session.execute(insert(CommandRow), answered)


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


def _calendar(session: Session) -> WorkCalendar:
    days = session.execute(select(AggregateState.id, AggregateState.sealed).filter_by(kind=CALENDAR_DAY))
    return WorkCalendar.from_documents(feed.document(session, CALENDAR_DAY, id, sealed) for id, sealed in days)


def _load(session: Session, command: Command) -> _State | None:
    columns = select(AggregateState.rev, AggregateState.sealed, AggregateState.scopes)
    row = session.execute(columns.filter_by(kind=command.kind, id=command.aggregate_id).with_for_update()).one_or_none()
    if row is None:
        return None
    doc = feed.document(session, command.kind, command.aggregate_id, row.sealed)
    return _State(row.rev, doc, frozenset(json.loads(row.scopes)))


def _reference(session: Session, work: _Work, key: Key) -> Doc | None:
    if key not in work.refs:
        kind, id = key
        if kind == STAFF:
            work.refs[key] = staff_member(session, id)
            return work.refs[key]
        sealed = session.execute(select(AggregateState.sealed).filter_by(kind=kind, id=id)).scalar_one_or_none()
        work.refs[key] = feed.document(session, kind, id, sealed) if sealed else None
    return work.refs[key]


def _revoked(session: Session, push: _Push, said: Statement, at: datetime) -> Refusal | None:
    """Whether person, session or device had lost the server's trust when the command was given."""
    if said.id not in push.revocations:
        query = select(SignInSession.revoked_at, Person.disabled_at).join(Person, Person.id == SignInSession.person_id)
        row = session.execute(query.where(SignInSession.id == said.id)).one_or_none()
        ends = tuple(row) if row is not None else _forgotten(session, push, said)
        if ends is None:
            return Refusal("AUTH-017", tr("服务器没有这次登录的记录。请重新登录后再办理。"))
        push.revocations[said.id] = min(filter(None, (*ends, push.revoked_at)), default=None)
    revoked_at = push.revocations[said.id]
    if revoked_at and revoked_at <= iso(at):
        return Refusal("AUTH-031", tr("办理时，此人的权限或这台设备已被停用。"))
    return None


def _forgotten(session: Session, push: _Push, said: Statement) -> tuple[str | None, ...] | None:
    """When trust ended in a sign-in that only its statement remembers: the server was restored from an older backup.

    The signature says that this server let the person in. None for a person that is forgotten too, and for a
    statement so old that its session was dropped in the course of things.
    """
    if push.now - parse_iso(said.issued_at) >= KEEP_SESSIONS:
        return None
    row = session.execute(select(Person.disabled_at).where(Person.id == said.person)).one_or_none()
    return tuple(row) if row is not None else None


def _spend_number(session: Session, push: _Push, command: WireCommand) -> Refusal | None:
    """Spend the command's number for good, whatever becomes of the command: it may be on paper already."""
    number = _number(command)
    if number is None:
        return None
    if not _holds(session, push.device_id, number):
        return Refusal("NUM-003", tr("号码 {serial} 没有分配给这台设备。", serial=number.serial))
    if session.get(NumberUsed, (number.series, number.serial)) is not None:
        return Refusal("NUM-004", tr("号码 {serial} 已经使用过。", serial=number.serial))
    session.execute(insert(NumberUsed).values(series=number.series, serial=number.serial, cmd_id=command.cmd_id))
    return None


def _holds(session: Session, device_id: str, number: Number) -> bool:
    """Whether the device may use the number: its own, or one handed out in a history that a restore has lost."""
    lease = select(NumberLease.device_id).where(
        NumberLease.series == number.series, NumberLease.first <= number.serial, NumberLease.last >= number.serial
    )
    holder = session.execute(lease).scalar_one_or_none()
    if holder is not None:
        return holder == device_id
    # in the history that is known every serial below the next one is in a lease (see ``identity.ensure``)
    upcoming = select(NumberSeries.next_serial).filter_by(series=number.series)
    return number.serial < (session.execute(upcoming).scalar_one_or_none() or 0)


def _store_events(session: Session, command: Command, rev: int, at: datetime, events: Sequence[Event]) -> None:
    sealing = of(session)
    session.execute(
        insert(EventRow),
        [
            {
                "kind": command.kind,
                "aggregate_id": command.aggregate_id,
                "rev": rev,
                "i": i,
                "cmd_id": command.id,
                "type": event.type,
                "sealed": sealing.seal(EventRow, (command.kind, command.aggregate_id, rev, i), feed.dump(event.body)),
                "at": iso(at),
            }
            for i, event in enumerate(events)
        ],
    )


def _audit(push: _Push, item: _Judged, suffix: str, detail: dict[str, Any]) -> audit.Entry:
    """What the log says of a command: who, what, when it was given, and how much later it came."""
    command = item.command
    person = item.said.person if isinstance(item.said, Statement) else ""
    late = round((push.now - item.at).total_seconds())
    detail = {"cmd": command.cmd_id, "n": command.n, "given_at": iso(item.at), "late_seconds": late, **detail}
    action = f"{command.type}.{suffix}" if suffix else command.type
    return audit.Entry(action, person, push.device_id, f"{command.kind}:{command.aggregate_id}", detail)
