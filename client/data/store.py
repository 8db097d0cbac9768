"""The local store: what this device knows, and what it has been told to do.

Implements the ports ``Records``, ``Commands``, ``Drafts``, ``Prints`` and ``Session`` for the signed-in
person, and the storage of the synchronisation. Writing belongs on lane ``data``. How a record's view comes about
is said in ``client.data.views``, how it is found in ``client.data.finding``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import ColumnElement, Engine, delete, func, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from client.data import finding, index
from client.data.blobs import BlobFiles, in_use, want_again
from client.data.drafts import Drafts, Prints, drop_draft
from client.data.engine import open_engine, writer
from client.data.feed import Answer, Incoming, Queued, RefusedCommand, Tally
from client.data.finding import Asked
from client.data.outbox import entry_of, must_carry, next_n, plain, put_meta, queued_of, take_number, wanted_series
from client.data.profile import disk_full_in_words
from client.data.server_time import ServerTime
from client.data.tables import (
    APPLIED,
    DEFERRED,
    DISMISSED,
    REFUSED,
    WAITING,
    BlobRow,
    CursorRow,
    LeaseRow,
    MetaRow,
    OutboxRow,
    PrintRow,
    RecordRow,
    StatementRow,
)
from client.data.views import Unit, Views, has_left, record_of, show, state_of
from client.data.words import Words
from client.kernel.ports import COUNTED, Record
from modules.common.aggregate import Aggregate, Command, Key, apply, version_of
from modules.common.blobs import names_in
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
FILES_LACKING = "SYNC-016"
"""Why a command waits at the server, if for files."""
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

    def __init__(
        self, engine: Engine, clock: Clock, files: BlobFiles, *, rules: Callable[[str], Aggregate] = rules_of
    ) -> None:
        self._engine = engine
        self.files = files
        self.keep_pages = KEEP_DONE
        """How long page images stay here after the server has them."""
        """Page images: see ``client.data.blobs``."""
        self._writer = writer(engine)
        self._clock = clock
        self._rules = rules
        self._person: _Person | None = None
        self._views = Views(rules)
        self.on_changed: Callable[[frozenset[Key]], None] = lambda keys: None
        with self._reading() as db:
            meta = {row.key: row.value for row in db.scalars(select(MetaRow))}
        self.words = Words(self)
        """The upkeep of the index of words: see ``client.data.words``."""
        self._epoch = meta.get("epoch", "")
        self._lost = "lost" in meta
        self._told_at = meta.get("last_contact", "")
        offset_ms, error_ms = (int(meta.get(name, "0")) for name in ("offset_ms", "error_ms"))
        self._time = ServerTime(clock, offset_ms, error_ms, self._told_at)
        self._told_ms = self._time.offset_ms

    @classmethod
    def open(cls, path: Path, key: bytes, clock: Clock, *, rules: Callable[[str], Aggregate] = rules_of) -> Store:
        """The store in the file ``path``, with page images beside it. Raises what ``engine.open_engine`` raises, and
        DATA-046, with nothing changed, when the outbox holds what these rules no longer understand.
        """
        engine = open_engine(path, key, lambda connection: must_carry(connection, rules))
        return cls(engine, clock, BlobFiles(path.with_name("blobs"), key), rules=rules)

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
        self._views.place = place
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
        return self._time.now()

    @property
    def clock(self) -> tuple[int, int]:
        """By how many milliseconds this computer's clock is moved to tell the server's, and how well that is known."""
        return self._time.offset_ms, self._time.error_ms()

    # -- records ----------------------------------------------------------------------------------

    def get(self, kind: str, id: str) -> Record | None:
        """One record that the signed-in person may see, or None."""
        query = select(RecordRow).where(RecordRow.kind == kind, RecordRow.id == id, self._visible())
        with self._reading() as db:
            row = db.scalar(query)
            return record_of(row) if row else None

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
        """Records that fulfil every condition given; see ``client.kernel.ports.Records``."""
        asked = Asked(kind, self._signed_in().statement.scopes, states, text, due, since, until, newest_first, by_due,
                      after)  # fmt: skip
        with self._reading() as db:
            return finding.find(db, asked, limit)

    def count(self, kind: str, *, states: Sequence[str] = (), due: date | None = None) -> int:
        """How many records ``find`` would see; one more than ``COUNTED`` stands for all beyond."""
        asked = Asked(kind, self._signed_in().statement.scopes, states, due=due)
        with self._reading() as db:
            return finding.count(db, asked, COUNTED + 1)

    def searchable(self) -> float:
        """How much can be found by its words, of 1; see ``client.data.words``."""
        return self.words.share

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
            return record_of(row) if row else None

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
        sent = plain(body)
        with self._writing() as unit:
            db = unit.db
            row = db.get(RecordRow, (kind, aggregate_id))
            number = take_number(db, series or person.series) if numbered or series else None
            command = Command(
                id=self.new_id(),
                kind=kind,
                aggregate_id=aggregate_id,
                type=type,
                body=sent,
                version=version_of(rules),
                base_rev=row.rev if row else 0,
                number=number,
            )
            context = self._views.context(db, rules, command, parse_iso(at), person.actor, command.base_rev)
            outcome = apply(rules, state_of(row), command, context)
            if isinstance(outcome, Refusal):
                raise Refused(outcome)
            if row is None:
                row = RecordRow(kind=kind, id=aggregate_id, rev=0, pending=0, refused=0, stale=False, updated_at=at)
                db.add(row)
            db.add(entry_of(next_n(db), command, at, person.statement, self.clock))
            row.pending += 1
            row.updated_at = at
            show(db, row, rules, outcome[0])
            if prints:
                db.add(PrintRow(id=self.new_id(), kind=kind, record_id=aggregate_id, template=prints, created_at=at))
            if drops_draft:
                drop_draft(db, drops_draft, person.actor.id)
            unit.changed.add((kind, aggregate_id))
            db.flush()
            return record_of(row)

    def want_series(self, names: Sequence[str]) -> None:
        """Keep blocks of these series, and of no other beside the session's; remembered until it is said anew."""
        with self._writing() as unit:
            put_meta(unit.db, "series", json.dumps(sorted(set(names))))

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
                self._views.refresh(unit, (row.kind, row.aggregate_id))

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

    def contact(self, epoch: str, offset_ms: int, error_ms: int = 0) -> bool:
        """The server has answered: keep its epoch and how far its clock is ahead of ours, known to ``error_ms``.

        True when the epoch is another than before (a server restored from a backup): every feed is then
        read again from its start, whatever it brings replaces what is here, and the server is to be asked which
        commands it has lost.
        """
        renewed = bool(self._epoch) and epoch != self._epoch
        now = iso(self._time.measured(offset_ms, error_ms))
        moved = abs(self._time.offset_ms - self._told_ms) >= _OFFSET_STEP_MS
        due = not self._told_at or parse_iso(now) - parse_iso(self._told_at) >= _CONTACT_STEP
        if epoch == self._epoch and not moved and not due:
            return False
        offset, error = self.clock
        known = {"epoch": epoch, "offset_ms": offset, "error_ms": error, "last_contact": now}
        with self._writing() as unit:
            for key, value in known.items():
                put_meta(unit.db, key, str(value))
            if renewed:
                put_meta(unit.db, "lost", epoch)
                unit.db.execute(update(CursorRow).values(_from_start(epoch)))
                unit.db.execute(update(RecordRow).values(stale=True))
                # the copy that the server was restored from may be older than a page
                unit.db.execute(update(BlobRow).values(waiting=True, tries=0))
        self._epoch, self._told_at, self._told_ms = epoch, now, self._time.offset_ms
        self._lost = self._lost or renewed
        return renewed

    @property
    def lost(self) -> bool:
        """The server may have forgotten commands: it is to be asked for the number it waits for (``resume``)."""
        return self._lost

    def suspect(self) -> None:
        """The server has forgotten something that it said before: perhaps commands as well."""
        with self._writing() as unit:
            put_meta(unit.db, "lost", self._epoch)
        self._lost = True

    def tally(self) -> Tally:
        """Counts for the status and for the next step."""
        own = self._person.series if self._person else ""
        unused = select(LeaseRow.series, func.sum(LeaseRow.last - LeaseRow.next + 1)).group_by(LeaseRow.series)
        states = select(OutboxRow.state, func.count()).where(OutboxRow.state.in_((WAITING, DEFERRED, REFUSED)))
        with self._reading() as db:
            counts = dict(db.execute(states.group_by(OutboxRow.state)).all())
            left = dict(db.execute(unused).all())
            wanted = {name: left.get(name, 0) for name in wanted_series(db) if name != own}
            waiting, refused, deferred = (counts.get(state, 0) for state in (WAITING, REFUSED, DEFERRED))
            return Tally(waiting, refused, left.get(own, 0), wanted, deferred)

    def unsent(self, limit: int) -> list[Queued]:
        """The first ``limit`` commands that wait, in the order of ``n``."""
        return self._queued(WAITING, 0, limit)

    def deferred(self, after: int, limit: int) -> list[Queued]:
        """The first ``limit`` commands with ``n`` above ``after`` that wait at the server, in the order of ``n``."""
        return self._queued(DEFERRED, after, limit)

    def _queued(self, state: str, after: int, limit: int) -> list[Queued]:
        query = select(OutboxRow, StatementRow.token).join(StatementRow)
        query = query.where(OutboxRow.state == state, OutboxRow.n > after).order_by(OutboxRow.n).limit(limit)
        with self._reading() as db:
            return [queued_of(row, token) for row, token in db.execute(query)]

    def settle(self, answers: Sequence[Answer]) -> None:
        """Keep the server's answers: applied commands are done, refused ones go to the tray, deferred ones wait on."""
        with self._writing() as unit:
            db = unit.db
            now = iso(self.now())
            ids = [answer.cmd_id for answer in answers]
            rows = {row.cmd_id: row for row in db.scalars(select(OutboxRow).where(OutboxRow.cmd_id.in_(ids)))}
            keys = [(row.kind, row.aggregate_id) for row in rows.values()]
            found = db.scalars(select(RecordRow).where(tuple_(RecordRow.kind, RecordRow.id).in_(keys)))
            records = {(record.kind, record.id): record for record in found}
            left = {key for key, record in records.items() if has_left(db, record)}
            changed = set()
            for answer in answers:
                row = rows.get(answer.cmd_id)
                still = row is not None and row.state in (WAITING, DEFERRED)
                if row is None or not (still or answer.status == APPLIED):
                    continue  # a late copy of an answer says nothing new
                if row.state == answer.status == DEFERRED and row.error == answer.error:
                    continue
                key = (row.kind, row.aggregate_id)
                record = None if key in left else records.get(key)
                if record and still and answer.status == APPLIED and answer.rev > record.rev:
                    # the view has it already, and keeps it until the change comes back
                    record.pending -= 1
                    unit.changed.add(key)
                else:
                    changed.add(key)
                row.state = answer.status
                row.rev = answer.rev
                row.error = answer.error
                row.acked_at = now
                if answer.status == DEFERRED and (answer.error or {}).get("code") == FILES_LACKING:
                    # it may be a file of ours, sent long ago and swept away there since
                    want_again(db, names_in(json.dumps(row.body)))
            db.flush()
            for key in sorted(changed):
                self._views.refresh(unit, key)

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
                row.n = next_n(db, at_least=expected_n)
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
            put_meta(db, "last_n", str(expected_n + len(ahead) - 1))
            db.execute(delete(MetaRow).where(MetaRow.key == "lost"))
            for key in sorted({(row.kind, row.aggregate_id) for row in ahead}):
                self._views.refresh(unit, key)
        self._lost = False

    def cursor(self, scope: str) -> int:
        """The last ``seq`` of the feed ``scope`` that is stored here; 0 at first."""
        with self._reading() as db:
            row = db.get(CursorRow, scope)
            return row.since if row else 0

    def floor(self, scope: str) -> int:
        """The feed's floor when its present reading began; what lies below may have been thinned since."""
        with self._reading() as db:
            row = db.get(CursorRow, scope)
            return row.floor if row else 0

    def holds(self, scope: str) -> tuple[int, int]:
        """How many records the feed ``scope`` has brought and not dropped, and the digest of them."""
        with self._reading() as db:
            row = db.get(CursorRow, scope)
            return (row.count, row.digest) if row else (0, 0)

    def forget(self, scope: str) -> None:
        """Read the feed ``scope`` from its start again; what it no longer has is dropped at its end."""
        with self._writing() as unit:
            unit.db.execute(update(CursorRow).where(CursorRow.scope == scope).values(_from_start(self._epoch)))

    def receive(
        self,
        scope: str,
        changes: Sequence[Incoming],
        *,
        complete: bool,
        to: int | None = None,
        floor: int = 0,
        more: bool = False,
    ) -> None:
        """Store entries of the feed ``scope`` that follow its cursor, and move the cursor to ``to``, or to the last.

        ``complete``: they reach the feed's present end. ``floor``: the feed's, kept when a reading begins with them.
        ``more``: pages follow, so that the words of new records are left to ``words.step``.
        """
        with self._writing() as unit:
            db = unit.db
            unit.words_later = more
            now = iso(self.now())
            cursor = db.get(CursorRow, scope)
            if cursor is None:
                cursor = CursorRow(scope=scope, since=0, epoch=self._epoch, generation=1, complete=False)
                db.add(cursor)
                db.flush()
            if cursor.since == 0:
                cursor.floor = floor
            if changes:
                self._views.receive(unit, scope, cursor.generation, changes, now)
                cursor.since = changes[-1].seq
            cursor.since = max(cursor.since, to or 0)
            if complete and not cursor.complete:
                self._views.sweep(unit, scope, cursor.generation)
                cursor.complete = True
        if any(change.kind == "calendar_day" for change in changes):
            self._views.forget_calendar()

    def add_lease(self, series: str, first: int, last: int) -> None:
        """Serials ``first`` … ``last`` of ``series`` are this device's. The same block twice is kept once."""
        with self._writing() as unit:
            block = insert(LeaseRow).values(series=series, first=first, last=last, next=first)
            unit.db.execute(block.on_conflict_do_nothing())

    def drop_series(self, series: str) -> None:
        """The server has no numbers of this series: it is wanted no more."""
        with self._writing() as unit:
            put_meta(unit.db, "series", json.dumps([name for name in wanted_series(unit.db) if name != series]))

    def prune(self) -> None:
        """Drop done commands after ``KEEP_DONE``, page images after ``keep_pages``, statements that nothing refers
        to any more, and blocks of series that nobody wants any more.
        """
        cutoff, pages_cutoff = iso(self.now() - KEEP_DONE), iso(self.now() - self.keep_pages)
        with self._writing() as unit:
            done = OutboxRow.state.in_((APPLIED, DISMISSED)), OutboxRow.acked_at < cutoff
            unit.db.execute(delete(OutboxRow).where(*done))
            if self._person is not None:
                series = [self._person.series, *wanted_series(unit.db)]
                unit.db.execute(delete(LeaseRow).where(LeaseRow.series.not_in(series)))
            newest = select(func.max(StatementRow.issued_at)).group_by(StatementRow.login)
            used = select(OutboxRow.statement_id)
            unit.db.execute(
                delete(StatementRow).where(StatementRow.issued_at.not_in(newest), StatementRow.id.not_in(used))
            )
            named = in_use(unit.db)
            old = delete(BlobRow).where(BlobRow.waiting.is_(False), BlobRow.kept_at < pages_cutoff)
            unit.db.execute(old.where(BlobRow.sha256.not_in(named)))
            kept = named.union(unit.db.scalars(select(BlobRow.sha256)))
        self.files.drop_older(self._clock.now() - self.keep_pages, kept)

    # -- inside -----------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with disk_full_in_words(), Session(self._engine) as db:
            yield db

    @contextmanager
    def _writing(self) -> Iterator[Unit]:
        with disk_full_in_words(), Session(self._writer, expire_on_commit=False) as db, db.begin():
            unit = Unit(db)
            yield unit
            later = index.catch_up(db, words_later=unit.words_later)
        if later:
            self.words.wait(later)
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
        return finding.visible(self._signed_in().statement.scopes)


def _from_start(epoch: str) -> dict[str, Any]:
    return {"since": 0, "epoch": epoch, "generation": CursorRow.generation + 1, "complete": False}
