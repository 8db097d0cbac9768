"""The local store: what this device knows, and what it has been told to do.

Implements the ports ``Records``, ``Commands``, ``Drafts``, ``Prints`` and ``Session`` for the signed-in
person, and the storage of the synchronisation. Writing belongs on lane ``data``. A record's view is the
server's document with the unsent commands applied again, by the module's own rules; those rules are
loaded only for records that have unsent commands.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import ColumnElement, Engine, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from client.data.engine import open_engine, writer
from client.data.feed import Answer, Incoming, Queued, RefusedCommand, Tally
from client.data.profile import disk_full_in_words
from client.data.tables import (
    APPLIED,
    DISMISSED,
    REFUSED,
    WAITING,
    CursorRow,
    DraftRow,
    LeaseRow,
    MetaRow,
    OutboxRow,
    PrintRow,
    RecordRow,
    ScopeRow,
    StatementRow,
)
from client.kernel.ports import Draft, PrintJob, Record
from modules.common.aggregate import Aggregate, Command, Context, Doc, Key, Number, apply
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.ids import is_aggregate_id, uuid7
from modules.common.manifest import rules_of
from modules.common.permissions import Actor
from modules.common.statement import Statement, read
from modules.common.text import tr

log = logging.getLogger(__name__)

KEEP_DONE = timedelta(days=90)
"""How long done commands are kept: a server restored from a backup may ask for them again."""
_OFFSET_STEP_MS = 500
_CONTACT_STEP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Person:
    """Who is signed in, and where."""

    token: str
    statement: Statement
    actor: Actor
    place: str
    series: str


@dataclass(slots=True)
class _Unit:
    """One transaction and the records that it changes."""

    db: Session
    changed: set[Key] = field(default_factory=set)


def not_signed_in() -> GovDeskError:
    """The error for whatever needs a person when there is none."""
    return GovDeskError("AUTH-001", tr("尚未登录。"), fix=tr("请先登录。"))


def sign_in_expired(until: str) -> GovDeskError:
    """The error for a statement that is no longer in force; ``until`` is its end as UTC text."""
    moment = parse_iso(until).astimezone(CHINA).strftime("%Y-%m-%d %H:%M")
    return GovDeskError(
        "AUTH-005",
        tr("登录有效期已于 {moment} 结束。", moment=moment),
        fix=tr("请在服务器连通时重新登录；本机数据和未发送的业务都保留。"),
    )


class Store:
    """The store of one profile. ``on_changed`` is called with the keys of changed records after each commit,
    on the thread that committed. A full disk is told as ``GovDeskError`` DATA-010, with nothing half done.
    """

    def __init__(self, engine: Engine, clock: Clock, *, rules: Callable[[str], Aggregate] = rules_of) -> None:
        self._engine = engine
        self._writer = writer(engine)
        self._clock = clock
        self._rules = rules
        self._person: _Person | None = None
        self._place = ""
        self._calendar: WorkCalendar | None = None
        self.on_changed: Callable[[frozenset[Key]], None] = lambda keys: None
        with self._reading() as db:
            meta = {row.key: row.value for row in db.scalars(select(MetaRow))}
        self._epoch = meta.get("epoch", "")
        self._offset_ms = int(meta.get("offset_ms", "0"))
        self._last_contact = meta.get("last_contact", "")

    @classmethod
    def open(cls, path: Path, key: bytes, clock: Clock, *, rules: Callable[[str], Aggregate] = rules_of) -> Store:
        """The store in the file ``path``. Raises what ``client.data.engine.open_engine`` raises."""
        return cls(open_engine(path, key), clock, rules=rules)

    def close(self) -> None:
        """Let go of the file."""
        self._person = None
        self._engine.dispose()

    # -- who is signed in -------------------------------------------------------------------------

    def open_session(self, token: str, place: str, series: str, *, offline_until: str = "") -> None:
        """Work as the person of the statement ``token``, at the counter ``place``, numbering in ``series``.

        ``offline_until`` (UTC text; default: the statement's end) is how long the person may sign in
        here without the server.
        """
        statement = read(token)
        with self._writing() as unit:
            row = insert(StatementRow).values(
                id=statement.id,
                login=statement.login,
                issued_at=statement.issued_at,
                offline_until=offline_until or statement.expires_at,
                token=token,
            )
            unit.db.execute(row.on_conflict_do_nothing())
        self._place = place
        self._person = _Person(token, statement, statement.actor(), place, series)

    def close_session(self) -> None:
        """Nobody is signed in any more."""
        self._person = None

    def last_statement(self, login: str) -> tuple[str, str] | None:
        """The newest statement token of ``login`` kept here, and until when it serves without the server."""
        query = select(StatementRow).where(StatementRow.login == login).order_by(StatementRow.issued_at.desc()).limit(1)
        with self._reading() as db:
            row = db.scalar(query)
            return (row.token, row.offline_until) if row else None

    @property
    def actor(self) -> Actor:
        """The signed-in person. Raises ``GovDeskError`` AUTH-001 when nobody is."""
        return self._signed_in().actor

    @property
    def place(self) -> str:
        """The name of this counter or room."""
        return self._signed_in().place

    @property
    def series(self) -> str:
        """The series of leased numbers in use."""
        return self._signed_in().series

    @property
    def scopes(self) -> tuple[str, ...]:
        """The change feeds that the signed-in person may read; none when nobody is signed in."""
        return self._person.statement.scopes if self._person else ()

    def now(self) -> datetime:
        """The server's time, as far as it is known here; never before the last contact with the server."""
        moment = self._clock.now() + timedelta(milliseconds=self._offset_ms)
        return max(moment, parse_iso(self._last_contact)) if self._last_contact else moment

    # -- records ----------------------------------------------------------------------------------

    def get(self, kind: str, id: str) -> Record | None:
        """One record that the signed-in person may see, or None."""
        query = select(RecordRow).where(RecordRow.kind == kind, RecordRow.id == id, self._visible())
        with self._reading() as db:
            row = db.scalar(query)
            return _record(row) if row else None

    def find(
        self, kind: str, *, states: Sequence[str] = (), text: str = "", limit: int = 200, newest_first: bool = True
    ) -> list[Record]:
        """Records by summary state and by words, all of which must occur in title, number or search text."""
        query = select(RecordRow).where(*self._matching(kind, states))
        for word in text.split():
            pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            columns = (RecordRow.title, RecordRow.number, RecordRow.search)
            query = query.where(or_(*(column.like(pattern, escape="\\") for column in columns)))
        # ids are UUIDv7: their order is the order of creation
        order = RecordRow.id.desc() if newest_first else RecordRow.id.asc()
        with self._reading() as db:
            return [_record(row) for row in db.scalars(query.order_by(order).limit(limit))]

    def count(self, kind: str, *, states: Sequence[str] = ()) -> int:
        """How many records ``find`` would see without a limit."""
        with self._reading() as db:
            return db.scalar(select(func.count()).select_from(RecordRow).where(*self._matching(kind, states))) or 0

    def find_by_code(self, text: str) -> Record | None:
        """The record that a scanned code names: ``govdesk:<kind>/<id>?no=<number>``, or a bare number."""
        text = text.strip()
        number = text
        if text.startswith("govdesk:"):
            parts = urlsplit(text)
            kind, _, id = parts.path.partition("/")
            if found := self.get(kind, id):
                return found
            number = parse_qs(parts.query).get("no", [""])[0]
        if not number:
            return None
        query = select(RecordRow).where(RecordRow.number == number, self._visible())
        with self._reading() as db:
            row = db.scalars(query.order_by(RecordRow.id.desc()).limit(1)).first()
            return _record(row) if row else None

    # -- commands ---------------------------------------------------------------------------------

    def new_id(self) -> str:
        """A new UUIDv7 for an aggregate."""
        return uuid7(int(self._clock.now().timestamp() * 1000))

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
        """Decide, and on success commit record, outbox entry, used number, owed print and dropped draft in one
        transaction. Raises ``Refused``, NUM-001 (no leased number left), AUTH-001, AUTH-005 (sign-in expired)
        or DATA-010 (disk full), each with nothing changed. ``series`` numbers in another series than the session's.
        """
        if not is_aggregate_id(aggregate_id):
            # the server would turn away the whole push that carries it
            raise ValueError(aggregate_id)
        person = self._signed_in()
        # by the server's clock a command cannot be older than the statement it is given under
        moment = max(self.now(), parse_iso(person.statement.issued_at))
        if moment >= parse_iso(person.statement.expires_at):
            raise sign_in_expired(person.statement.expires_at)
        rules = self._rules(kind)
        at = iso(moment)
        plain = _plain(body)
        with self._writing() as unit:
            db = unit.db
            row = db.get(RecordRow, (kind, aggregate_id))
            number = _take_number(db, series or person.series) if numbered or series else None
            command = Command(
                id=self.new_id(),
                kind=kind,
                aggregate_id=aggregate_id,
                type=type,
                body=plain,
                base_rev=row.rev if row else 0,
                number=number,
            )
            outcome = apply(rules, _state(row), command, self._context(db, rules, command, parse_iso(at), person.actor))
            if isinstance(outcome, Refusal):
                raise Refused(outcome)
            if row is None:
                row = RecordRow(kind=kind, id=aggregate_id, rev=0, pending=0, refused=0, stale=False, updated_at=at)
                db.add(row)
            db.add(_entry(_next_n(db), command, at, person.statement))
            row.pending += 1
            row.updated_at = at
            _show(db, row, rules, outcome[0])
            if prints:
                db.add(PrintRow(id=self.new_id(), kind=kind, record_id=aggregate_id, template=prints, created_at=at))
            if drops_draft:
                _drop_draft(db, drops_draft, person.actor.id)
            unit.changed.add((kind, aggregate_id))
            db.flush()
            return _record(row)

    def want_series(self, names: Sequence[str]) -> None:
        """Keep blocks of these series, and of no other beside the session's; remembered until it is said anew."""
        with self._writing() as unit:
            _put_meta(unit.db, "series", json.dumps(sorted(set(names))))

    def refused_commands(self) -> list[RefusedCommand]:
        """Refused commands that nobody has dealt with, of everyone who worked here: the tray (待处理)."""
        query = select(OutboxRow, StatementRow).join(StatementRow).where(OutboxRow.state == REFUSED)
        with self._reading() as db:
            return [
                RefusedCommand(
                    cmd_id=row.cmd_id,
                    kind=row.kind,
                    aggregate_id=row.aggregate_id,
                    type=row.type,
                    at=parse_iso(row.at),
                    person=read(statement.token).name,
                    body=row.body,
                    error=row.error or {},
                )
                for row, statement in db.execute(query.order_by(OutboxRow.n))
            ]

    def dismiss(self, cmd_id: str) -> None:
        """A person has dealt with a refused command; it leaves the tray."""
        with self._writing() as unit:
            row = unit.db.scalar(select(OutboxRow).where(OutboxRow.cmd_id == cmd_id, OutboxRow.state == REFUSED))
            if row is not None:
                row.state = DISMISSED
                self._refresh(unit, (row.kind, row.aggregate_id))

    # -- drafts and prints ------------------------------------------------------------------------

    @property
    def drafts(self) -> Drafts:
        """The port ``Drafts``."""
        return Drafts(self)

    @property
    def prints(self) -> Prints:
        """The port ``Prints``."""
        return Prints(self)

    # -- what the synchronisation needs -----------------------------------------------------------

    @property
    def epoch(self) -> str:
        """The server epoch last seen; empty before the first contact."""
        return self._epoch

    @property
    def statement(self) -> str:
        """The signed-in person's statement token; empty when nobody is signed in."""
        return self._person.token if self._person else ""

    def contact(self, epoch: str, offset_ms: int) -> bool:
        """The server has answered: keep its epoch and how far its clock is ahead of ours.

        True when the epoch is another than before (a server restored from a backup): every feed is then
        read again from its start, and whatever it brings replaces what is here.
        """
        renewed = bool(self._epoch) and epoch != self._epoch
        now = iso(self._clock.now() + timedelta(milliseconds=offset_ms))
        due = not self._last_contact or parse_iso(now) - parse_iso(self._last_contact) >= _CONTACT_STEP
        if epoch == self._epoch and abs(offset_ms - self._offset_ms) < _OFFSET_STEP_MS and not due:
            return False
        with self._writing() as unit:
            for key, value in (("epoch", epoch), ("offset_ms", str(offset_ms)), ("last_contact", now)):
                _put_meta(unit.db, key, value)
            if renewed:
                unit.db.execute(update(CursorRow).values(_from_start(epoch)))
                unit.db.execute(update(RecordRow).values(stale=True))
        self._epoch, self._offset_ms, self._last_contact = epoch, offset_ms, now
        return renewed

    def tally(self) -> Tally:
        """Counts for the status and for the next step."""
        own = self._person.series if self._person else ""
        unused = select(LeaseRow.series, func.sum(LeaseRow.last - LeaseRow.next + 1)).group_by(LeaseRow.series)
        states = select(OutboxRow.state, func.count()).where(OutboxRow.state.in_((WAITING, REFUSED)))
        with self._reading() as db:
            counts = dict(db.execute(states.group_by(OutboxRow.state)).all())
            left = dict(db.execute(unused).all())
            wanted = {name: left.get(name, 0) for name in _wanted(db) if name != own}
            return Tally(counts.get(WAITING, 0), counts.get(REFUSED, 0), left.get(own, 0), wanted)

    def unsent(self, limit: int) -> list[Queued]:
        """The first ``limit`` commands that wait, in the order of ``n``."""
        query = (
            select(OutboxRow, StatementRow.token)
            .join(StatementRow)
            .where(OutboxRow.state == WAITING)
            .order_by(OutboxRow.n)
            .limit(limit)
        )
        with self._reading() as db:
            return [
                Queued(
                    n=row.n,
                    cmd_id=row.cmd_id,
                    kind=row.kind,
                    aggregate_id=row.aggregate_id,
                    type=row.type,
                    version=row.version,
                    base_rev=row.base_rev,
                    at=row.at,
                    statement=token,
                    body=row.body,
                    number=None if row.series is None else {"series": row.series, "serial": row.serial},
                )
                for row, token in db.execute(query)
            ]

    def settle(self, answers: Sequence[Answer]) -> None:
        """Keep the server's answers: applied commands are done, refused ones go to the tray."""
        with self._writing() as unit:
            db = unit.db
            now = iso(self.now())
            ids = [answer.cmd_id for answer in answers]
            rows = {row.cmd_id: row for row in db.scalars(select(OutboxRow).where(OutboxRow.cmd_id.in_(ids)))}
            keys = [(row.kind, row.aggregate_id) for row in rows.values()]
            found = db.scalars(select(RecordRow).where(tuple_(RecordRow.kind, RecordRow.id).in_(keys)))
            records = {(record.kind, record.id): record for record in found}
            left = {key for key, record in records.items() if _has_left(db, record)}
            changed = set()
            for answer in answers:
                row = rows.get(answer.cmd_id)
                if row is None or (row.state != WAITING and answer.status != APPLIED):
                    continue  # a late copy of an answer says nothing new
                key = (row.kind, row.aggregate_id)
                record = None if key in left else records.get(key)
                if record and row.state == WAITING and answer.status == APPLIED and answer.rev > record.rev:
                    # the view has it already, and keeps it until the change comes back
                    record.pending -= 1
                    unit.changed.add(key)
                else:
                    changed.add(key)
                row.state = answer.status
                row.rev = answer.rev
                row.error = answer.error
                row.acked_at = now
            db.flush()
            for key in sorted(changed):
                self._refresh(unit, key)

    def resume(self, expected_n: int, unknown: Sequence[str]) -> None:
        """Line the outbox up with the number that the server waits for.

        ``unknown`` are ids that it does not know although their numbers are spent (this profile was
        restored from a copy): they get new numbers at the end, and leased serials, which may be spent as
        well, are given up. Done commands from ``expected_n`` on
        (the server was restored from a copy) are sent again: the server deduplicates by id.
        """
        with self._writing() as unit:
            db = unit.db
            behind = OutboxRow.n < expected_n
            for row in db.scalars(select(OutboxRow).where(behind, OutboxRow.cmd_id.in_(unknown)).order_by(OutboxRow.n)):
                row.n = _next_n(db, at_least=expected_n)
                db.flush()
            if unknown:
                db.execute(update(LeaseRow).values(next=LeaseRow.last + 1))
            # what a person has dealt with is not raised from the dead
            db.execute(delete(OutboxRow).where(OutboxRow.n >= expected_n, OutboxRow.state == DISMISSED))
            ahead = db.scalars(select(OutboxRow).where(OutboxRow.n >= expected_n).order_by(OutboxRow.n)).all()
            for place, row in enumerate(ahead, expected_n):
                # numbers move down where commands were dropped, dealt with or older than ``KEEP_DONE``
                row.n = place
                row.state = WAITING
                db.flush()
            _put_meta(db, "last_n", str(expected_n + len(ahead) - 1))
            for key in sorted({(row.kind, row.aggregate_id) for row in ahead}):
                self._refresh(unit, key)

    def cursor(self, scope: str) -> int:
        """The last ``seq`` of the feed ``scope`` that is stored here; 0 at first."""
        with self._reading() as db:
            row = db.get(CursorRow, scope)
            return row.since if row else 0

    def forget(self, scope: str) -> None:
        """Read the feed ``scope`` from its start again; what it no longer has is dropped at its end."""
        with self._writing() as unit:
            unit.db.execute(update(CursorRow).where(CursorRow.scope == scope).values(_from_start(self._epoch)))

    def receive(self, scope: str, changes: Sequence[Incoming], *, complete: bool) -> None:
        """Store entries of the feed ``scope`` that follow its cursor without a gap, and move the cursor.

        ``complete``: they reach the feed's present end.
        """
        with self._writing() as unit:
            db = unit.db
            now = iso(self.now())
            cursor = db.get(CursorRow, scope)
            if cursor is None:
                cursor = CursorRow(scope=scope, since=0, epoch=self._epoch, generation=1, complete=False)
                db.add(cursor)
            if changes:
                self._apply(unit, scope, cursor.generation, changes, now)
                cursor.since = changes[-1].seq
            if complete and not cursor.complete:
                self._sweep(unit, scope, cursor.generation)
                cursor.complete = True
        if any(change.kind == "calendar_day" for change in changes):
            self._calendar = None

    def add_lease(self, series: str, first: int, last: int) -> None:
        """Serials ``first`` … ``last`` of ``series`` are this device's. The same block twice is kept once."""
        with self._writing() as unit:
            block = insert(LeaseRow).values(series=series, first=first, last=last, next=first)
            unit.db.execute(block.on_conflict_do_nothing())

    def drop_series(self, series: str) -> None:
        """The server has no numbers of this series: it is wanted no more."""
        with self._writing() as unit:
            _put_meta(unit.db, "series", json.dumps([name for name in _wanted(unit.db) if name != series]))

    def prune(self) -> None:
        """Drop done commands after ``KEEP_DONE``, statements that nothing refers to any more, and blocks of tickets
        of series that nobody wants any more.
        """
        cutoff = iso(self.now() - KEEP_DONE)
        with self._writing() as unit:
            done = OutboxRow.state.in_((APPLIED, DISMISSED)), OutboxRow.acked_at < cutoff
            unit.db.execute(delete(OutboxRow).where(*done))
            if self._person is not None:
                kept = [self._person.series, *_wanted(unit.db)]
                unit.db.execute(delete(LeaseRow).where(LeaseRow.series.not_in(kept)))
            newest = select(func.max(StatementRow.issued_at)).group_by(StatementRow.login)
            used = select(OutboxRow.statement_id)
            unit.db.execute(
                delete(StatementRow).where(StatementRow.issued_at.not_in(newest), StatementRow.id.not_in(used))
            )

    # -- inside -----------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with disk_full_in_words(), Session(self._engine) as db:
            yield db

    @contextmanager
    def _writing(self) -> Iterator[_Unit]:
        with disk_full_in_words(), Session(self._writer, expire_on_commit=False) as db, db.begin():
            unit = _Unit(db)
            yield unit
        if unit.changed:
            try:
                self.on_changed(frozenset(unit.changed))
            except Exception:
                # the change is committed: whoever gave it must not be told otherwise
                log.exception("telling of changed records failed")

    def _signed_in(self) -> _Person:
        if self._person is None:
            raise not_signed_in()
        return self._person

    def _visible(self) -> ColumnElement[bool]:
        member = and_(ScopeRow.kind == RecordRow.kind, ScopeRow.id == RecordRow.id)
        return select(ScopeRow.id).where(member, ScopeRow.scope.in_(self._signed_in().statement.scopes)).exists()

    def _matching(self, kind: str, states: Sequence[str]) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = [RecordRow.kind == kind, self._visible()]
        if states:
            conditions.append(RecordRow.state.in_(states))
        return conditions

    def _context(self, db: Session, rules: Aggregate, command: Command, now: datetime, actor: Actor) -> Context:
        refs: dict[Key, Doc] = {}
        for key in rules.refs(command):
            row = db.get(RecordRow, key)
            state = _state(row)
            if state is not None:
                refs[key] = state
        if self._calendar is None:
            days = db.scalars(select(RecordRow.doc).where(RecordRow.kind == "calendar_day", RecordRow.doc.is_not(None)))
            self._calendar = WorkCalendar.from_documents([day for day in days if day is not None])
        return Context(now=now, actor=actor, calendar=self._calendar, place=self._place, refs=refs)

    def _apply(self, unit: _Unit, scope: str, generation: int, changes: Sequence[Incoming], now: str) -> None:
        db = unit.db
        latest = {(change.kind, change.id): change for change in changes}
        known = {
            (kind, id): (rev, stale)
            for kind, id, rev, stale in db.execute(
                select(RecordRow.kind, RecordRow.id, RecordRow.rev, RecordRow.stale).where(
                    tuple_(RecordRow.kind, RecordRow.id).in_(list(latest))
                )
            )
        }
        puts = [change for change in latest.values() if change.op == "put"]
        fresh = []
        for change in puts:
            rev, stale = known.get((change.kind, change.id), (0, False))
            # another feed may already have brought a later revision
            if stale or change.rev >= rev:
                fresh.append(change)
        if fresh:
            rows = insert(RecordRow)
            db.execute(
                rows.on_conflict_do_update(
                    index_elements=[RecordRow.kind, RecordRow.id],
                    set_={name: rows.excluded[name] for name in _CONFIRMED},
                ),
                [_confirmed(change, now) for change in fresh],
            )
        if puts:
            members = insert(ScopeRow)
            db.execute(
                members.on_conflict_do_update(
                    index_elements=[ScopeRow.kind, ScopeRow.id, ScopeRow.scope],
                    set_={"generation": members.excluded.generation},
                ),
                [{"kind": put.kind, "id": put.id, "scope": scope, "generation": generation} for put in puts],
            )
        gone = [key for key, change in latest.items() if change.op == "tombstone"]
        if gone:
            member = tuple_(ScopeRow.kind, ScopeRow.id).in_(gone)
            db.execute(delete(ScopeRow).where(ScopeRow.scope == scope, member))
            for kind, id in gone:
                # remembers that the server knew a thing whose document never came here
                unknown = RecordRow.kind == kind, RecordRow.id == id, RecordRow.doc.is_(None)
                db.execute(update(RecordRow).where(*unknown).values(rev=latest[kind, id].rev))
        # seen in the feed is as good as acknowledged, should the reply have been lost
        causes = {change.cause: change for change in changes if change.cause}
        waiting = OutboxRow.state == WAITING
        for row in db.scalars(select(OutboxRow).where(waiting, OutboxRow.cmd_id.in_(list(causes)))):
            row.state, row.rev, row.acked_at = APPLIED, causes[row.cmd_id].rev, now
        record = and_(RecordRow.kind == OutboxRow.kind, RecordRow.id == OutboxRow.aggregate_id)
        open_ = or_(
            OutboxRow.state.in_((WAITING, REFUSED)), and_(OutboxRow.state == APPLIED, OutboxRow.rev > RecordRow.rev)
        )
        query = select(OutboxRow.kind, OutboxRow.aggregate_id).join(RecordRow, record).distinct()
        ours = query.where(tuple_(OutboxRow.kind, OutboxRow.aggregate_id).in_(list(latest)), open_)
        again = {*gone, *((kind, id) for kind, id in db.execute(ours))}
        done = [key for key in latest if key not in again]
        if done:
            # nothing of ours is left over them: what the feed says is all there is to say
            these = tuple_(RecordRow.kind, RecordRow.id).in_(done)
            db.execute(update(RecordRow).where(these).values(pending=0, refused=0), execution_options=_UNSEEN)
            own = ScopeRow.generation == 0, tuple_(ScopeRow.kind, ScopeRow.id).in_(done)
            db.execute(delete(ScopeRow).where(*own), execution_options=_UNSEEN)
        for key in sorted(again):
            self._refresh(unit, key)
        unit.changed.update(latest)

    def _sweep(self, unit: _Unit, scope: str, generation: int) -> None:
        """Drop from ``scope`` what an earlier reading brought and the present one did not."""
        old = (ScopeRow.scope == scope, ScopeRow.generation > 0, ScopeRow.generation < generation)
        keys = unit.db.execute(select(ScopeRow.kind, ScopeRow.id).where(*old)).all()
        unit.db.execute(delete(ScopeRow).where(*old))
        for kind, id in keys:
            self._refresh(unit, (kind, id))

    def _refresh(self, unit: _Unit, key: Key) -> None:
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
        row.pending = sum(entry.state == WAITING for entry, _ in entries)
        row.refused = sum(entry.state == REFUSED for entry, _ in entries)
        left = _has_left(db, row)
        shown = [
            (entry, statement)
            for entry, statement in entries
            if entry.state == WAITING
            # what left the person's feeds will never be brought by them
            or (entry.state == APPLIED and entry.rev > row.rev and not left)
            # what the server has never known stays in sight until a person has dealt with it
            or (entry.state == REFUSED and row.doc is None)
        ]
        if shown:
            rules = self._rules(row.kind)
            state = self._replay(db, rules, row, shown)
            if state is not None:
                _show(db, row, rules, state)
            return
        if row.doc is None or left:
            db.execute(delete(PrintRow).where(PrintRow.kind == row.kind, PrintRow.record_id == row.id))
            db.execute(delete(ScopeRow).where(ScopeRow.kind == row.kind, ScopeRow.id == row.id))
            db.delete(row)
            return
        row.local_doc = None
        _columns(row, row.summary or {})
        db.execute(delete(ScopeRow).where(*_own_scopes(row)))

    def _replay(
        self, db: Session, rules: Aggregate, row: RecordRow, entries: Sequence[tuple[OutboxRow, StatementRow]]
    ) -> Doc | None:
        """The server's document with ``entries`` applied. One that no longer applies is passed over: it stays
        in the outbox, and the server decides. What the server has never known keeps the view it had.
        """
        state: Doc | None = row.doc
        for entry, statement in entries:
            command = _command(entry)
            try:
                context = self._context(db, rules, command, parse_iso(entry.at), read(statement.token).actor())
                outcome = apply(rules, state, command, context)
            except Exception:
                # a fault in a module's rules must not keep the server's documents out
                log.exception("a waiting command cannot be shown", extra={"kind": row.kind, "type": entry.type})
                continue
            if not isinstance(outcome, Refusal):
                state = outcome[0]
        return row.local_doc if state is None else state


class Drafts:
    """The port ``Drafts``: the signed-in person's unfinished input."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, draft_id: str, kind: str, title: str, doc: Mapping[str, Any]) -> None:
        """Keep ``doc`` in place of what was kept under ``draft_id``."""
        values = {
            "person": self._store.actor.id,
            "kind": kind,
            "title": title,
            "doc": dict(doc),
            "updated_at": iso(self._store.now()),
        }
        row = insert(DraftRow).values(id=draft_id, **values)
        # an id of somebody else's draft is left alone
        row = row.on_conflict_do_update(
            index_elements=[DraftRow.id], set_=values, where=DraftRow.person == values["person"]
        )
        with self._store._writing() as unit:
            unit.db.execute(row)

    def list(self, kind: str) -> list[Draft]:
        """The person's drafts of a kind, newest first."""
        query = select(DraftRow).where(DraftRow.person == self._store.actor.id, DraftRow.kind == kind)
        with self._store._reading() as db:
            return [_draft(row) for row in db.scalars(query.order_by(DraftRow.updated_at.desc(), DraftRow.id.desc()))]

    def get(self, draft_id: str) -> Draft | None:
        """One draft of the person, or None."""
        query = select(DraftRow).where(DraftRow.person == self._store.actor.id, DraftRow.id == draft_id)
        with self._store._reading() as db:
            row = db.scalar(query)
            return _draft(row) if row else None

    def drop(self, draft_id: str) -> None:
        """Throw one away."""
        with self._store._writing() as unit:
            _drop_draft(unit.db, draft_id, self._store.actor.id)


class Prints:
    """The port ``Prints``: papers owed at this counter, whoever accepted them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def owed(self) -> list[PrintJob]:
        """Papers not yet printed, oldest first."""
        with self._store._reading() as db:
            return [
                PrintJob(row.id, row.kind, row.record_id, row.template, parse_iso(row.created_at))
                for row in db.scalars(select(PrintRow).order_by(PrintRow.id))
            ]

    def done(self, job_id: str) -> None:
        """The paper is out."""
        with self._store._writing() as unit:
            unit.db.execute(delete(PrintRow).where(PrintRow.id == job_id))


_UNSEEN = {"synchronize_session": False}
"""For bulk statements: no object of the session holds these rows."""
_CONFIRMED = (
    "rev", "doc", "summary", "local_doc", "title", "state", "number", "due", "search", "stale", "updated_at",
)  # fmt: skip


def _confirmed(change: Incoming, now: str) -> dict[str, Any]:
    summary = change.summary
    return {
        "kind": change.kind,
        "id": change.id,
        "rev": change.rev,
        "doc": change.doc,
        "summary": summary,
        "local_doc": None,
        "title": summary.get("title", ""),
        "state": summary.get("state", ""),
        "number": summary.get("number", ""),
        "due": summary.get("due"),
        "search": summary.get("search", ""),
        "pending": 0,
        "refused": 0,
        "stale": False,
        "updated_at": now,
    }


def _columns(row: RecordRow, summary: Mapping[str, Any]) -> None:
    row.title = summary.get("title", "")
    row.state = summary.get("state", "")
    row.number = summary.get("number", "")
    row.due = summary.get("due")
    row.search = summary.get("search", "")


def _show(db: Session, row: RecordRow, rules: Aggregate, state: Doc) -> None:
    """Make ``state`` the record's view, seen in the feeds that the rules name until the server says which."""
    row.local_doc = dict(state)
    _columns(row, rules.summary(state).to_wire())
    db.execute(delete(ScopeRow).where(*_own_scopes(row)))
    members = [{"kind": row.kind, "id": row.id, "scope": scope, "generation": 0} for scope in rules.scopes(state)]
    if members:
        db.execute(insert(ScopeRow).on_conflict_do_nothing(), members)


def _own_scopes(row: RecordRow) -> tuple[ColumnElement[bool], ...]:
    return ScopeRow.kind == row.kind, ScopeRow.id == row.id, ScopeRow.generation == 0


def _has_left(db: Session, row: RecordRow) -> bool:
    """Whether the server has brought this record here and since taken it out of every feed that is read."""
    if row.doc is None and row.rev == 0:
        return False  # begun here, and not come back yet
    told = select(ScopeRow.id).where(ScopeRow.kind == row.kind, ScopeRow.id == row.id, ScopeRow.generation > 0)
    return db.scalar(told.limit(1)) is None


def _state(row: RecordRow | None) -> Doc | None:
    """What rules see: the view, but not a thing that the server has refused to begin."""
    if row is None or (row.doc is None and row.refused):
        return None
    return row.doc if row.local_doc is None else row.local_doc


def _record(row: RecordRow) -> Record:
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


def _draft(row: DraftRow) -> Draft:
    return Draft(row.id, row.kind, row.title, row.doc, parse_iso(row.updated_at))


def _drop_draft(db: Session, draft_id: str, person: str) -> None:
    db.execute(delete(DraftRow).where(DraftRow.id == draft_id, DraftRow.person == person))


def _entry(n: int, command: Command, at: str, statement: Statement) -> OutboxRow:
    return OutboxRow(
        n=n,
        cmd_id=command.id,
        kind=command.kind,
        aggregate_id=command.aggregate_id,
        type=command.type,
        version=command.version,
        base_rev=command.base_rev,
        at=at,
        statement_id=statement.id,
        person=statement.person,
        body=dict(command.body),
        series=command.number.series if command.number else None,
        serial=command.number.serial if command.number else None,
        state=WAITING,
        rev=0,
    )


def _command(entry: OutboxRow) -> Command:
    number = None
    if entry.series is not None and entry.serial is not None:
        number = Number(entry.series, entry.serial)
    return Command(
        id=entry.cmd_id,
        kind=entry.kind,
        aggregate_id=entry.aggregate_id,
        type=entry.type,
        body=entry.body,
        version=entry.version,
        base_rev=entry.base_rev,
        number=number,
    )


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` as it will come out of storage and off the wire. Raises ``GovDeskError`` DATA-007."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(body), ensure_ascii=False, allow_nan=False).encode())
    except ValueError as error:
        # half a character, or a number that is none
        raise GovDeskError("DATA-007", tr("输入中含有无法保存的字符。"), fix=tr("请删去后重新输入。")) from error
    return plain


def _take_number(db: Session, series: str) -> Number:
    query = select(LeaseRow).where(LeaseRow.series == series, LeaseRow.next <= LeaseRow.last).order_by(LeaseRow.first)
    block = db.scalars(query.limit(1)).first()
    if block is None:
        raise GovDeskError(
            "NUM-001",
            tr("本机预留的编号已经用完，输入已保留。"),
            fix=tr("请恢复网络，程序会自动领取新的编号，再试一次。"),
        )
    serial = block.next
    block.next += 1
    return Number(series, serial)


def _wanted(db: Session) -> list[str]:
    row = db.get(MetaRow, "series")
    names: list[str] = json.loads(row.value) if row else []
    return names


def _next_n(db: Session, *, at_least: int = 1) -> int:
    row = db.get(MetaRow, "last_n")
    n = max(int(row.value) + 1 if row else 1, at_least)
    _put_meta(db, "last_n", str(n))
    return n


def _put_meta(db: Session, key: str, value: str) -> None:
    db.merge(MetaRow(key=key, value=value))
    db.flush()


def _from_start(epoch: str) -> dict[str, Any]:
    return {"since": 0, "epoch": epoch, "generation": CursorRow.generation + 1, "complete": False}
