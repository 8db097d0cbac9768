"""One command, decided and stored: by the same rules as at the counter, on the server's own state."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from modules.common.aggregate import (
    Aggregate,
    Command,
    Context,
    Doc,
    Event,
    Key,
    apply,
    current,
    needs_of,
    version_of,
)
from modules.common.calendar import WorkCalendar
from modules.common.clock import iso
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.staff import STAFF
from modules.common.text import tr
from server_stub import feed
from server_stub.accounts import staff_member
from server_stub.blobs import names
from server_stub.sealing import of
from server_stub.tables import AggregateState, EventRow, adding

CALENDAR_DAY = "calendar_day"
_STATE = (
    select(AggregateState.rev, AggregateState.sealed, AggregateState.scopes)
    .where(AggregateState.kind == bindparam("kind"), AggregateState.id == bindparam("id"))
    .with_for_update()
)


@dataclass(frozen=True, slots=True)
class Deferral:
    """Why a command can be neither carried out nor refused yet."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class _State:
    """A stored aggregate."""

    rev: int
    doc: Doc
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Giver:
    """Who gives a command, where, when, and what they may reach; ``scopes`` is None for the server itself.

    ``device`` is the id of the computer, or empty; ``place`` its name.
    """

    actor: Actor
    place: str
    at: datetime
    scopes: frozenset[str] | None
    device: str = ""


@dataclass(slots=True)
class Work:
    """What one transaction has read for the rules."""

    now: datetime
    calendar: WorkCalendar
    recovering: bool = False
    """A restore is so recent that records may lack history."""
    refs: dict[Key, Doc | None] = field(default_factory=dict)


Outcome = Refusal | Deferral | tuple[feed.Entry, ...]


def carry_out(
    find: Callable[[str], Aggregate], session: Session, work: Work, command: Command, giver: Giver
) -> Outcome:
    """Decide and store one command by the rules that ``find`` gives; the entries for the feeds, its own first."""
    try:
        rules = find(command.kind)
    except KeyError:
        return Refusal("SRV-004", tr("服务器没有安装办理这类业务的模块（{kind}）。", kind=command.kind))
    if command.version > version_of(rules):
        return Deferral("SYNC-015", tr("这一笔由更新版本的程序办理，服务器升级后自动执行。"))
    understood = current(rules, command)
    if isinstance(understood, Refusal):
        return understood
    command = understood
    if lacking := names.missing(session, needs_of(rules, command), giver.device, giver.scopes):
        return Deferral("SYNC-016", tr("还差 {n} 个附件没有传到服务器，传到后自动执行。", n=len(lacking)))
    old = _load(session, command)
    rev = old.rev if old else 0
    if command.base_rev > rev and (old is None or work.recovering):
        return _history_lacking()  # whoever gave it had later history in sight
    if old and giver.scopes is not None and not old.scopes & giver.scopes:
        return _out_of_reach()  # before any rule: its refusal would tell of what the person may not see
    needed = {key: _reference(session, work, key) for key in rules.refs(command)}
    context = Context(
        now=giver.at,
        actor=giver.actor,
        calendar=work.calendar,
        place=giver.place,
        refs={key: doc for key, doc in needed.items() if doc is not None},
        rev=rev,
    )
    outcome = apply(rules, old.doc if old else None, command, context)
    if isinstance(outcome, Refusal):
        return _history_lacking() if work.recovering and None in needed.values() else outcome
    doc, events = outcome
    scopes = rules.scopes(doc)
    if old is None and giver.scopes is not None and not scopes & giver.scopes:
        return _out_of_reach()
    summary = rules.summary(doc)
    rev += 1
    before: frozenset[str] = old.scopes if old else frozenset()
    fields = summary.to_wire()
    entry = feed.Entry(
        scopes, command.kind, command.aggregate_id, rev, "put", feed.dump(doc), fields, command.id, before
    )
    feed.store(session, iso(work.now), entry, summary)
    about = (entry.kind, entry.id, rev, entry.doc)
    names.note(session, iso(work.now), *about, giver.device, giver.scopes)
    _store_events(session, command, rev, giver.at, events)
    return (entry, *feed.left(entry, before))


def _history_lacking() -> Deferral:
    return Deferral("SYNC-017", tr("服务器上还缺这件业务较早的记录，其他窗口补传后自动执行。"))


def _out_of_reach() -> Refusal:
    return Refusal("AUTH-030", tr("这项业务不在您的大厅或部门范围内。"))


def calendar(session: Session) -> WorkCalendar:
    """The working days as they are kept now."""
    days = session.execute(select(AggregateState.id, AggregateState.sealed).filter_by(kind=CALENDAR_DAY))
    return WorkCalendar.from_documents(feed.document(session, CALENDAR_DAY, id, sealed) for id, sealed in days)


def _load(session: Session, command: Command) -> _State | None:
    row = session.execute(_STATE, {"kind": command.kind, "id": command.aggregate_id}).one_or_none()
    if row is None:
        return None
    doc = feed.document(session, command.kind, command.aggregate_id, row.sealed)
    return _State(row.rev, doc, frozenset(json.loads(row.scopes)))


def _reference(session: Session, work: Work, key: Key) -> Doc | None:
    if key not in work.refs:
        kind, id = key
        if kind == STAFF:
            work.refs[key] = staff_member(session, id)
            return work.refs[key]
        sealed = session.execute(select(AggregateState.sealed).filter_by(kind=kind, id=id)).scalar_one_or_none()
        work.refs[key] = feed.document(session, kind, id, sealed) if sealed else None
    return work.refs[key]


def _store_events(session: Session, command: Command, rev: int, at: datetime, events: Sequence[Event]) -> None:
    sealing = of(session)
    session.execute(
        adding(EventRow),
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
