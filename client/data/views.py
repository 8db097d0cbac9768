"""A record's view: the server's document with the unsent commands applied again, by the module's own rules.

Those rules are loaded only for records that have unsent commands.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from client.data.feed import Incoming
from client.data.outbox import command_of
from client.data.tables import (
    APPLIED,
    DEFERRED,
    DISMISSED,
    REFUSED,
    WAITING,
    OutboxRow,
    PrintRow,
    RecordRow,
    ScopeRow,
    StatementRow,
)
from client.kernel.ports import Record
from modules.common.aggregate import Aggregate, Command, Context, Doc, Key, apply, current
from modules.common.calendar import WorkCalendar
from modules.common.clock import parse_iso
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.statement import read

log = logging.getLogger(__name__)

_CONFIRMED = ("rev", "doc", "summary", "title", "state", "number", "due", "search", "updated_at")
_PUT = (
    f"INSERT INTO record (kind, id, {', '.join(_CONFIRMED)}, pending, refused, stale) "  # noqa: S608 - our own names
    f"VALUES (?, ?, {', '.join('?' * len(_CONFIRMED))}, 0, 0, 0) ON CONFLICT (kind, id) DO UPDATE SET "
    f"{', '.join(f'{name}=excluded.{name}' for name in _CONFIRMED)}, local_doc=NULL, stale=0 "
    # another feed may already have brought a later revision
    "WHERE record.stale OR excluded.rev >= record.rev"
)
_JOIN = (
    "INSERT INTO record_scope (kind, id, scope, generation, rev) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (kind, id, scope) DO UPDATE SET generation=excluded.generation, rev=excluded.rev"
)
_LEAVE = "DELETE FROM record_scope WHERE kind=? AND id=? AND scope=?"
_CLEAR = (
    "UPDATE record SET pending=0, refused=0 WHERE (pending OR refused) "
    "AND (kind, id) IN (SELECT value->>0, value->>1 FROM json_each(?))"
)
_DISOWN = (
    "DELETE FROM record_scope WHERE generation=0 AND (kind, id) IN (SELECT value->>0, value->>1 FROM json_each(?))"
)
_ACKNOWLEDGED = (
    f"SELECT cmd_id FROM outbox WHERE state IN ('{WAITING}', '{DEFERRED}') "  # noqa: S608 - our own states
    "AND cmd_id IN (SELECT value FROM json_each(?))"
)
_OPEN = f"""
SELECT DISTINCT o.kind, o.aggregate_id FROM json_each(?) AS given
CROSS JOIN outbox o ON o.kind = value->>0 AND o.aggregate_id = value->>1
JOIN record r ON r.kind = o.kind AND r.id = o.aggregate_id
WHERE o.state IN ('{WAITING}', '{DEFERRED}', '{REFUSED}') OR (o.state = '{APPLIED}' AND o.rev > r.rev)
"""  # noqa: S608 - our own states
"""The records among these that have commands of ours which the feed has not brought yet."""


@dataclass(slots=True)
class Unit:
    """One transaction and the records that it changes."""

    db: Session
    changed: set[Key] = field(default_factory=set)
    words_later: bool = False
    """The words of new records may wait: more is on its way than anybody searches for now."""


class Views:
    """Keeps views in step with feeds and commands, inside the transactions of the store."""

    def __init__(self, rules: Callable[[str], Aggregate]) -> None:
        self._rules = rules
        self._calendar: WorkCalendar | None = None
        self.place = ""
        """The counter that rules are told of."""

    def forget_calendar(self) -> None:
        """Days have changed."""
        self._calendar = None

    def context(
        self, db: Session, rules: Aggregate, command: Command, now: datetime, actor: Actor, rev: int
    ) -> Context:
        """All that the rules may know beside the state, whose revision is ``rev``."""
        refs: dict[Key, Doc] = {}
        for key in rules.refs(command):
            row = db.get(RecordRow, key)
            state = state_of(row)
            if state is not None:
                refs[key] = state
        if self._calendar is None:
            days = db.scalars(select(RecordRow.doc).where(RecordRow.kind == "calendar_day", RecordRow.doc.is_not(None)))
            self._calendar = WorkCalendar.from_documents([day for day in days if day is not None])
        return Context(now=now, actor=actor, calendar=self._calendar, place=self.place, refs=refs, rev=rev)

    def receive(self, unit: Unit, scope: str, generation: int, changes: Sequence[Incoming], now: str) -> None:
        """Take in entries of the feed ``scope``.

        Plain SQL throughout: the first reading brings tens of thousands, and each statement is one for all of them.
        """
        run = unit.db.connection().exec_driver_sql
        latest = {(change.kind, change.id): change for change in changes}
        puts = [change for change in latest.values() if change.op == "put"]
        if puts:
            run(_PUT, [_confirmed(change, now) for change in puts])
            run(_JOIN, [(put.kind, put.id, scope, generation, put.rev) for put in puts])
        gone = [key for key, change in latest.items() if change.op == "tombstone"]
        if gone:
            run(_LEAVE, [(*key, scope) for key in gone])
            # remembers that the server knew a thing whose document never came here
            unknown = "UPDATE record SET rev=? WHERE kind=? AND id=? AND doc IS NULL"
            run(unknown, [(latest[key].rev, *key) for key in gone])
        # seen in the feed is as good as acknowledged, should the reply have been lost
        causes = {change.cause: change for change in changes if change.cause}
        acknowledged = run(_ACKNOWLEDGED, (json.dumps(list(causes)),)).fetchall()
        if acknowledged:
            settled = f"UPDATE outbox SET state='{APPLIED}', rev=?, acked_at=? WHERE cmd_id=?"  # noqa: S608 - our state
            run(settled, [(causes[id].rev, now, id) for (id,) in acknowledged])
        keys = json.dumps(list(latest))
        again = {*gone, *((kind, id) for kind, id in run(_OPEN, (keys,)))}
        done = json.dumps([key for key in latest if key not in again])
        # nothing of ours is left over them: what the feed says is all there is to say
        run(_CLEAR, (done,))
        run(_DISOWN, (done,))
        for key in sorted(again):
            self.refresh(unit, key)
        unit.changed.update(latest)

    def sweep(self, unit: Unit, scope: str, generation: int) -> None:
        """Drop from ``scope`` what an earlier reading brought and the present one did not."""
        old = (ScopeRow.scope == scope, ScopeRow.generation > 0, ScopeRow.generation < generation)
        keys = unit.db.execute(select(ScopeRow.kind, ScopeRow.id).where(*old)).all()
        unit.db.execute(delete(ScopeRow).where(*old))
        for kind, id in keys:
            self._forget_lost(unit.db, (kind, id))
            self.refresh(unit, (kind, id))

    @staticmethod
    def _forget_lost(db: Session, key: Key) -> None:
        """What only an earlier epoch's server has known is as it was before that server knew it: not gone, but not come
        back yet. Whoever began it has the commands, and the paper that is owed for it.
        """
        row = db.get(RecordRow, key)
        if row is not None and row.stale and has_left(db, row):
            row.local_doc = row.doc if row.local_doc is None else row.local_doc
            row.doc, row.summary, row.rev = None, None, 0
            db.flush()

    def refresh(self, unit: Unit, key: Key) -> None:
        """Make a record's view again from the server's document and the commands that it does not contain yet."""
        db = unit.db
        unit.changed.add(key)
        row = db.get(RecordRow, key, populate_existing=True)
        if row is None:
            return
        query = select(OutboxRow, StatementRow).join(StatementRow).where(
            OutboxRow.kind == row.kind, OutboxRow.aggregate_id == row.id, OutboxRow.state != DISMISSED
        )  # fmt: skip
        entries = db.execute(query.order_by(OutboxRow.n)).all()
        row.pending = sum(entry.state in (WAITING, DEFERRED) for entry, _ in entries)
        row.refused = sum(entry.state == REFUSED for entry, _ in entries)
        left = has_left(db, row)
        shown = [
            (entry, statement)
            for entry, statement in entries
            if entry.state in (WAITING, DEFERRED)
            # what left the person's feeds will never be brought by them
            or (entry.state == APPLIED and entry.rev > row.rev and not left)
            # what the server has never known stays in sight until a person has dealt with it
            or (entry.state == REFUSED and row.doc is None)
        ]
        if shown:
            rules = self._rules(row.kind)
            state = self._replay(db, rules, row, shown)
            if state is not None:
                show(db, row, rules, state)
            return
        if row.doc is None or left:
            db.execute(delete(PrintRow).where(PrintRow.kind == row.kind, PrintRow.record_id == row.id))
            db.execute(delete(ScopeRow).where(ScopeRow.kind == row.kind, ScopeRow.id == row.id))
            db.delete(row)
            return
        row.local_doc = None
        columns(row, row.summary or {})
        db.execute(delete(ScopeRow).where(*own_scopes(row)))

    def _replay(
        self, db: Session, rules: Aggregate, row: RecordRow, entries: Sequence[tuple[OutboxRow, StatementRow]]
    ) -> Doc | None:
        """The server's document with ``entries`` applied. One that no longer applies is passed over: it stays
        in the outbox, and the server decides. What the server has never known keeps the view it had.
        """
        state: Doc | None = row.doc
        for entry, statement in entries:
            try:
                command = current(rules, command_of(entry))
                if isinstance(command, Refusal):
                    continue
                actor = read(statement.token).actor()
                context = self.context(db, rules, command, parse_iso(entry.at), actor, row.rev)
                outcome = apply(rules, state, command, context)
            except Exception:
                # a fault in a module's rules must not keep the server's documents out
                log.exception("a waiting command cannot be shown", extra={"kind": row.kind, "type": entry.type})
                continue
            if not isinstance(outcome, Refusal):
                state = outcome[0]
        return row.local_doc if state is None else state


def _confirmed(change: Incoming, now: str) -> tuple[Any, ...]:
    summary = change.summary
    told = (summary.get(name, "") for name in ("title", "state", "number"))
    doc, said = msgspec.json.encode(change.doc).decode(), msgspec.json.encode(summary).decode()
    return (change.kind, change.id, change.rev, doc, said, *told, summary.get("due"), summary.get("search", ""), now)


def columns(row: RecordRow, summary: Mapping[str, Any]) -> None:
    """Make the columns of lists and search say what ``summary`` says."""
    row.title = summary.get("title", "")
    row.state = summary.get("state", "")
    row.number = summary.get("number", "")
    row.due = summary.get("due")
    row.search = summary.get("search", "")


def show(db: Session, row: RecordRow, rules: Aggregate, state: Doc) -> None:
    """Make ``state`` the record's view, seen in the feeds that the rules name until the server says which."""
    row.local_doc = dict(state)
    columns(row, rules.summary(state).to_wire())
    db.execute(delete(ScopeRow).where(*own_scopes(row)))
    members = [
        {"kind": row.kind, "id": row.id, "scope": scope, "generation": 0, "rev": 0} for scope in rules.scopes(state)
    ]
    if members:
        db.execute(insert(ScopeRow).on_conflict_do_nothing(), members)


def own_scopes(row: RecordRow) -> tuple[ColumnElement[bool], ...]:
    """The memberships that only this device asserts."""
    return ScopeRow.kind == row.kind, ScopeRow.id == row.id, ScopeRow.generation == 0


def has_left(db: Session, row: RecordRow) -> bool:
    """Whether the server has brought this record here and since taken it out of every feed that is read."""
    if row.doc is None and row.rev == 0:
        return False  # begun here, and not come back yet
    told = select(ScopeRow.id).where(ScopeRow.kind == row.kind, ScopeRow.id == row.id, ScopeRow.generation > 0)
    return db.scalar(told.limit(1)) is None


def state_of(row: RecordRow | None) -> Doc | None:
    """What rules see: the view, but not a thing that the server has refused to begin."""
    if row is None or (row.doc is None and row.refused):
        return None
    return row.doc if row.local_doc is None else row.local_doc


def record_of(row: RecordRow) -> Record:
    """The record as ports show it."""
    return Record(
        kind=row.kind,
        id=row.id,
        rev=row.rev,
        doc=(row.doc if row.local_doc is None else row.local_doc) or {},
        title=row.title,
        state=row.state,
        number=row.number,
        due=date.fromisoformat(row.due) if row.due else None,
        updated_at=parse_iso(row.updated_at),
        pending=row.pending,
        refused=row.refused,
    )
