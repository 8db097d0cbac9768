"""The synchronisation's storage as plain objects: what ``client.data.store.Store`` promises, far faster.

For simulations only. ``tests/unit/sync/test_simulation.py`` drives both through the same worlds and compares them
step by step, so that what is found with this one is true of the real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from client.data.feed import Answer, Incoming, Queued, Tally
from client.data.outbox import plain
from client.data.server_time import ServerTime
from client.data.tables import APPLIED, DEFERRED, REFUSED, WAITING
from modules.common.aggregate import Aggregate, Command, Context, Doc, Key, Number, apply, version_of
from modules.common.calendar import WorkCalendar
from modules.common.clock import Clock, iso, parse_iso
from modules.common.digests import changed
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.statement import Statement, read


@dataclass(slots=True)
class Entry:
    """As ``OutboxRow``."""

    n: int
    command: Command
    at: str
    clock: dict[str, int]
    state: str = WAITING
    rev: int = 0
    error: dict[str, Any] | None = None

    @property
    def cmd_id(self) -> str:
        return self.command.id

    @property
    def type(self) -> str:
        return self.command.type

    @property
    def key(self) -> Key:
        return self.command.kind, self.command.aggregate_id


@dataclass(slots=True)
class Kept:
    """As ``RecordRow``, and as what is shown of it."""

    id: str
    rev: int = 0
    server_doc: Doc | None = None
    local_doc: Doc | None = None
    pending: int = 0
    refused: int = 0
    stale: bool = False

    @property
    def doc(self) -> Doc:
        return (self.server_doc if self.local_doc is None else self.local_doc) or {}

    @property
    def number(self) -> str:
        return str(self.doc.get("no", ""))


@dataclass(slots=True)
class Cursor:
    """As ``CursorRow``."""

    since: int = 0
    generation: int = 1
    complete: bool = False
    floor: int = 0


@dataclass(slots=True)
class MemoryStore:
    """One person's computer. A crash loses nothing of it: every call is a transaction."""

    clock_: Clock
    rules: Callable[[str], Aggregate]
    new_id: Callable[[], str]
    epoch: str = ""
    statement: str = ""
    series: str = ""
    scopes: tuple[str, ...] = ()
    lost: bool = False
    outbox: list[Entry] = field(default_factory=list)
    records: dict[Key, Kept] = field(default_factory=dict)
    members: dict[str, dict[Key, tuple[int, int]]] = field(default_factory=dict)
    """Generation and revision by record, for each feed."""
    cursors: dict[str, Cursor] = field(default_factory=dict)
    blocks: list[list[Any]] = field(default_factory=list)
    """Series, next, last."""
    last_n: int = 0
    said: Statement | None = None
    time: ServerTime = field(init=False)

    def __post_init__(self) -> None:
        self.time = ServerTime(self.clock_, 0, 0, "")

    def open_session(self, token: str, place: str, series: str) -> None:
        self.said = read(token)
        self.statement, self.series, self.scopes = token, series, self.said.scopes

    def close(self) -> None:
        pass

    # -- what people do

    def give(
        self,
        kind: str,
        aggregate_id: str,
        type: str,
        body: Mapping[str, Any],
        *,
        numbered: bool = False,
        prints: str = "",
    ) -> Kept:
        assert self.said is not None
        moment = max(self.time.now(), parse_iso(self.said.issued_at))
        rules, key = self.rules(kind), (kind, aggregate_id)
        record = self.records.get(key)
        block = None
        if numbered:
            block = next((block for block in sorted(self.blocks) if block[1] <= block[2]), None)
            if block is None:
                raise GovDeskError("NUM-001", "-")
        command = Command(
            self.new_id(), kind, aggregate_id, type, plain(body), version_of(rules), record.rev if record else 0,
            Number(block[0], block[1]) if block else None,
        )  # fmt: skip
        state = None if record is None or (record.server_doc is None and record.refused) else record.doc or None
        outcome = self._apply(command, iso(moment), state, command.base_rev)
        if isinstance(outcome, Refusal):
            raise Refused(outcome)
        if block:
            block[1] += 1
        if record is None:
            record = self.records[key] = Kept(aggregate_id)
        self.last_n += 1
        offset, error = self.time.offset_ms, self.time.error_ms()
        self.outbox.append(Entry(self.last_n, command, iso(moment), {"offset_ms": offset, "error_ms": error}))
        if prints:
            self.new_id()  # of the paper
        record.pending += 1
        self._show(key, record, outcome)
        return record

    def find(self, kind: str, *, limit: int = 200) -> list[Kept]:
        """What the person may see, newest first."""
        seen = {key for scope in self.scopes for key in self.members.get(scope, {})}
        return [self.records[key] for key in sorted(seen, reverse=True) if key[0] == kind and key in self.records][
            :limit
        ]

    def refused_commands(self) -> list[Entry]:
        return [entry for entry in self.outbox if entry.state == REFUSED]

    # -- what the synchronisation asks for

    def contact(self, epoch: str, offset_ms: int, error_ms: int = 0) -> bool:
        renewed = bool(self.epoch) and epoch != self.epoch
        self.time.measured(offset_ms, error_ms)
        self.epoch = epoch
        if renewed:
            self.lost = True
            for scope in self.cursors:
                self.forget(scope)
            for record in self.records.values():
                record.stale = True
        return renewed

    def suspect(self) -> None:
        self.lost = True

    def tally(self) -> Tally:
        states = [entry.state for entry in self.outbox]
        serials = sum(last - following + 1 for _, following, last in self.blocks)
        return Tally(states.count(WAITING), states.count(REFUSED), serials, {}, states.count(DEFERRED))

    def unsent(self, limit: int) -> list[Queued]:
        return self._queued(WAITING, 0, limit)

    def deferred(self, after: int, limit: int) -> list[Queued]:
        return self._queued(DEFERRED, after, limit)

    def _queued(self, state: str, after: int, limit: int) -> list[Queued]:
        found = [entry for entry in self.outbox if entry.state == state and entry.n > after]
        return [self._queue(entry) for entry in found[:limit]]

    def _queue(self, entry: Entry) -> Queued:
        command, number = entry.command, entry.command.number
        return Queued(
            entry.n, command.id, command.kind, command.aggregate_id, command.type, command.version, command.base_rev,
            entry.at, self.statement, dict(command.body),
            {"series": number.series, "serial": number.serial} if number else None, dict(entry.clock),
        )  # fmt: skip

    def settle(self, answers: Sequence[Answer]) -> None:
        entries = {entry.cmd_id: entry for entry in self.outbox}
        left = {key for key, record in self.records.items() if self._has_left(key, record)}
        again = set()
        for answer in answers:
            entry = entries.get(answer.cmd_id)
            still = entry is not None and entry.state in (WAITING, DEFERRED)
            if entry is None or not (still or answer.status == APPLIED):
                continue
            if entry.state == answer.status == DEFERRED and entry.error == answer.error:
                continue
            record = None if entry.key in left else self.records.get(entry.key)
            if record and still and answer.status == APPLIED and answer.rev > record.rev:
                record.pending -= 1
            else:
                again.add(entry.key)
            entry.state, entry.rev, entry.error = answer.status, answer.rev, answer.error
        for key in again:
            self._refresh(key)

    def resume(self, expected_n: int, unknown: Sequence[str]) -> None:
        for entry in self.outbox:
            if entry.n < expected_n and entry.cmd_id in unknown:
                self.last_n = entry.n = max(self.last_n + 1, expected_n)
        self.outbox.sort(key=lambda entry: entry.n)
        if unknown:
            for block in self.blocks:
                block[1] = block[2] + 1
        ahead = [entry for entry in self.outbox if entry.n >= expected_n]
        for place, entry in enumerate(ahead, expected_n):
            entry.n, entry.state = place, WAITING
        self.last_n = expected_n + len(ahead) - 1
        self.lost = False
        for key in {entry.key for entry in ahead}:
            self._refresh(key)

    def cursor(self, scope: str) -> int:
        return self.cursors[scope].since if scope in self.cursors else 0

    def floor(self, scope: str) -> int:
        return self.cursors[scope].floor if scope in self.cursors else 0

    def holds(self, scope: str) -> tuple[int, int]:
        told = [(key, rev) for key, (generation, rev) in self.members.get(scope, {}).items() if generation]
        digest = 0
        for (kind, id), rev in told:
            digest = changed(digest, kind, id, 0, rev)
        return len(told), digest

    def forget(self, scope: str) -> None:
        if cursor := self.cursors.get(scope):
            cursor.since, cursor.generation, cursor.complete = 0, cursor.generation + 1, False

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
        cursor = self.cursors.setdefault(scope, Cursor())
        if cursor.since == 0:
            cursor.floor = floor
        if changes:
            self._take(scope, cursor.generation, changes)
            cursor.since = changes[-1].seq
        cursor.since = max(cursor.since, to or 0)
        if complete and not cursor.complete:
            self._sweep(scope, cursor.generation)
            cursor.complete = True

    def add_lease(self, series: str, first: int, last: int) -> None:
        if not any(block[2] == last for block in self.blocks):
            self.blocks.append([series, first, last])

    def drop_series(self, series: str) -> None:
        pass

    def prune(self) -> None:
        """Nothing in a simulation is old enough."""

    # -- views

    def _take(self, scope: str, generation: int, changes: Sequence[Incoming]) -> None:
        members = self.members.setdefault(scope, {})
        latest = {(change.kind, change.id): change for change in changes}
        for key, change in latest.items():
            record = self.records.get(key)
            if change.op == "put":
                if record is None:
                    record = self.records[key] = Kept(change.id)
                if record.stale or change.rev >= record.rev:
                    record.rev, record.server_doc, record.local_doc, record.stale = change.rev, change.doc, None, False
                members[key] = (generation, change.rev)
            else:
                members.pop(key, None)
                if record is not None and record.server_doc is None:
                    record.rev = change.rev
        causes = {change.cause: change for change in changes if change.cause}
        for entry in self.outbox:
            if entry.state in (WAITING, DEFERRED) and entry.cmd_id in causes:
                entry.state, entry.rev = APPLIED, causes[entry.cmd_id].rev
        open_ = {
            entry.key
            for entry in self.outbox
            if entry.key in latest and entry.key in self.records
            if entry.state in (WAITING, DEFERRED, REFUSED)
            or (entry.state == APPLIED and entry.rev > self.records[entry.key].rev)
        }
        for key, change in latest.items():
            if change.op != "put" or key in open_:
                self._refresh(key)
            elif record := self.records.get(key):
                record.pending = record.refused = 0
                self._drop_own(key)

    def _sweep(self, scope: str, generation: int) -> None:
        members = self.members.get(scope, {})
        old = [key for key, (brought, _) in members.items() if 0 < brought < generation]
        for key in old:
            del members[key]
        for key in old:
            record = self.records.get(key)
            if record is not None and record.stale and self._has_left(key, record):
                record.local_doc = record.doc
                record.server_doc, record.rev = None, 0
            self._refresh(key)

    def _refresh(self, key: Key) -> None:
        record = self.records.get(key)
        if record is None:
            return
        entries = [entry for entry in self.outbox if entry.key == key]
        record.pending = sum(entry.state in (WAITING, DEFERRED) for entry in entries)
        record.refused = sum(entry.state == REFUSED for entry in entries)
        left = self._has_left(key, record)
        shown = [
            entry
            for entry in entries
            if entry.state in (WAITING, DEFERRED)
            or (entry.state == APPLIED and entry.rev > record.rev and not left)
            or (entry.state == REFUSED and record.server_doc is None)
        ]
        if shown:
            state = record.server_doc
            for entry in shown:
                outcome = self._apply(entry.command, entry.at, state, record.rev)
                if not isinstance(outcome, Refusal):
                    state = outcome
            state = record.local_doc if state is None else state
            if state is not None:
                self._show(key, record, state)
        elif record.server_doc is None or left:
            for members in self.members.values():
                members.pop(key, None)
            del self.records[key]
        else:
            record.local_doc = None
            self._drop_own(key)

    def _apply(self, command: Command, at: str, state: Doc | None, rev: int) -> Doc | Refusal:
        assert self.said is not None
        rules = self.rules(command.kind)
        refs = {key: self.records[key].doc for key in rules.refs(command) if key in self.records}
        context = Context(parse_iso(at), self.said.actor(), _CALENDAR, "", refs, rev)
        outcome = apply(rules, state, command, context)
        return outcome if isinstance(outcome, Refusal) else outcome[0]

    def _show(self, key: Key, record: Kept, state: Doc) -> None:
        record.local_doc = dict(state)
        self._drop_own(key)
        for scope in self.rules(key[0]).scopes(state):
            self.members.setdefault(scope, {}).setdefault(key, (0, 0))

    def _drop_own(self, key: Key) -> None:
        for members in self.members.values():
            if members.get(key, (1, 0))[0] == 0:
                del members[key]

    def _has_left(self, key: Key, record: Kept) -> bool:
        if record.server_doc is None and record.rev == 0:
            return False
        return not any(members.get(key, (0, 0))[0] for members in self.members.values())


_CALENDAR = WorkCalendar()


def counting() -> Callable[[], str]:
    """Ids that are the same in every run, and in order."""
    numbers: Iterator[int] = iter(range(1, 1 << 32))
    return lambda: f"{next(numbers):08x}-0000-7000-8000-000000000000"
