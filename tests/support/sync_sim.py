"""Devices in one process against the reference server: no thread, no sleep, every choice from one seed."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from client.data.store import Store
from client.data.tables import OutboxRow
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError, Refused
from sync.engine import Borrow, Policy, Prune, Pull, Push, SyncEngine, Wait
from sync.engine import Store as StoreSlice
from sync.protocol import Nudge
from sync.transport import Faults, InMemoryTransport
from tests.support.memory_store import Entry, MemoryStore, counting
from tests.support.reference_server import Person, ReferenceServer, State, rules_of

START = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
KEY = bytes(range(32))
POLICY = Policy(block=20, slice=3, slice_most=3, pull_every=5.0, prune_every=120.0)


@cache
def _empty_store() -> Path:
    """An empty store's file, made once: the migrations take longer than a simulation's steps."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    path = folder / "empty.db"
    Store.open(path, KEY, FixedClock(START), rules=rules_of).close()
    return path


class Device:
    """One computer: its store, its engine, its way to the server. ``skew`` is its clock's error in seconds.

    The store is the real one in ``folder``, or without a folder one in memory.
    """

    def __init__(
        self,
        folder: Path | None,
        name: str,
        server: ReferenceServer,
        rng: Random,
        *,
        skew: float,
        person: Person,
        ids: Callable[[], str] | None = None,
    ) -> None:
        self.folder = folder
        self.path = (folder or Path()) / f"{name}.db"
        self.ids = ids or counting()
        self.clock = FixedClock(START + timedelta(seconds=skew))
        self.rng = rng
        self.header = server.add_device(name)
        self.token = server.statement(person, name)
        self.transport = InMemoryTransport(server, self.header, rng=rng)
        if folder is not None:
            self.lay_out()
        self.hot = 0.0
        """How often its people want the oldest note, as everybody does, and want it closed."""
        self.given: list[str] = []
        self.numbers: list[str] = []
        self.notes: list[str] = []
        self.open()
        # as at sign-in: the clock's error is known before the first command
        self.store.contact("e1", round(-skew * 1000))

    def lay_out(self) -> None:
        """Put an empty store there, if there is none."""
        if not self.path.exists():
            shutil.copyfile(_empty_store(), self.path)

    def open(self) -> None:
        """Start the program on the profile."""
        if self.folder is not None:
            self.store: Any = Store.open(self.path, KEY, self.clock, rules=rules_of)
            self.store.new_id = self.ids
            self.store.open_session(self.token, self.path.stem, "T1")
        elif not hasattr(self, "store"):
            self.store = MemoryStore(self.clock, rules_of, self.ids)
            self.store.open_session(self.token, self.path.stem, "T1")
        self.engine = SyncEngine(self.store, self.clock, self.rng, POLICY)

    def crash(self) -> None:
        """End it between two steps and start it again: all that was only in memory is gone."""
        self.store.close()
        self.open()

    def step(self) -> float:
        """One step of the engine; returns how long it wants to wait."""
        action = self.engine.next_action()
        if isinstance(action, Wait):
            return action.seconds
        if isinstance(action, StoreSlice):
            self.engine.store_slice()
            return 0.0
        if isinstance(action, Prune):
            self.engine.prune()
            return 0.0
        reply: Any
        try:
            if isinstance(action, Push):
                reply = self.transport.push(action.request)
            elif isinstance(action, Pull):
                reply = self.transport.changes(action.scope, action.since, action.epoch, action.statement, action.floor)
            else:
                assert isinstance(action, Borrow)
                reply = self.transport.lease(action.request, action.statement)
        except GovDeskError as error:
            self.engine.on_failure(action, error)
            return 0.0
        self.engine.on_reply(action, reply)
        return 0.0

    def work(self, title: str) -> None:
        """A person does something, as far as the rules and the leased numbers allow."""
        seen = sorted(self.store.find("note"), key=lambda note: str(note.id))
        choice = self.rng.random()
        try:
            if choice < 0.35 or not seen:
                id = self.store.new_id()
                record = self.store.give(
                    "note", id, "note.open", {"title": title}, numbered=choice < 0.2, prints="slip"
                )
                self.notes.append(id)
                if record.number:
                    self.numbers.append(record.number)
            else:
                note = seen[0] if self.rng.random() < self.hot else self.rng.choice(seen)
                kind = "note.close" if choice > 0.92 - self.hot / 3 else "note.move" if choice > 0.85 else "note.add"
                body = {"text": title} if kind == "note.add" else {"dept": self.rng.choice("ab")}
                self.store.give("note", note.id, kind, body)
        except Refused:
            return
        except GovDeskError as error:
            assert error.code == "NUM-001"  # noqa: PT017 - no number left is no fault
            return
        self.given.append(self.outbox()[-1].cmd_id)

    def outbox(self) -> list[OutboxRow] | list[Entry]:
        """All entries by number."""
        if isinstance(self.store, MemoryStore):
            return self.store.outbox
        with Session(self.store._engine) as db:
            return list(db.scalars(select(OutboxRow).order_by(OutboxRow.n)))


class World:
    """A server and some devices."""

    def __init__(
        self, folder: Path | None, seed: int, *, devices: int = 3, faults: Faults | None = None, **server: Any
    ) -> None:
        self.rng = Random(seed)
        ids = counting()
        self.clock = FixedClock(START)
        self.kept: State | None = None
        self.server = ReferenceServer(self.clock, seed=seed, **server)
        people = [
            Person("zhang", "x", ("ref", "hall:h1")),
            Person("wang", "x", ("ref", "dept:a")),
            Person("sun", "x", ("ref", "hall:h1", "dept:a", "dept:b")),
        ]
        skews = (0.0, 86400.0, -86400.0)
        self.devices = [
            Device(folder, f"d{n}", self.server, self.rng, skew=skews[n % 3], person=people[n % 3], ids=ids)
            for n in range(devices)
        ]
        for device in self.devices:
            if faults:
                device.transport.faults = faults

    def advance(self, seconds: float) -> None:
        """Time goes on for everybody."""
        self.clock.advance(seconds)
        for device in self.devices:
            device.clock.advance(seconds)

    def run(self, steps: int, *, crashes: bool = True, disasters: bool = False) -> None:
        """Random work, steps, cuts of the network, crashes; disasters: the server is thinned, and restored."""
        for number in range(steps):
            if disasters:
                self.befall()
            device = self.rng.choice(self.devices)
            choice = self.rng.random()
            if choice < 0.25:
                device.work(f"第{number}件")
            elif choice < 0.30 and crashes:
                device.crash()
            elif choice < 0.33:
                device.transport.online = not device.transport.online
            else:
                self.advance(min(device.step(), 30.0))

    def befall(self) -> None:
        """What the server may do to everybody."""
        choice = self.rng.random()
        if choice < 0.03:
            self.kept = self.server.backup()
        elif choice < 0.05 and self.kept is not None:
            self.server.restore(self.kept)
        elif choice < 0.15:
            # loss, delay and false alarm: a nudge may say anything
            device = self.rng.choice(self.devices)
            scope = self.rng.choice(device.store.scopes)
            device.engine.nudge(Nudge(scope, self.server.state.heads[scope] + self.rng.choice((0, 0, 1))))
        elif choice < 0.18:
            self.server.thin(self.rng.choice(("hall:h1", "dept:a", "ref")), self.rng.randrange(1, 12))

    def heal(self, limit: int = 2000) -> None:
        """Everything works again: drive until nobody has anything left to do. Raises when that does not happen."""
        self.server.crash = 0.0
        for device in self.devices:
            device.transport.faults = Faults()
            device.transport.online = True
            device.engine.poke()
        for _ in range(limit):
            waits = [device.step() for device in self.devices]
            if all(waits) and self._drained() and self._level():
                return
            if all(waits):
                self.advance(min(waits))
        raise AssertionError("the devices do not come to rest")

    def _drained(self) -> bool:
        tallies = [device.store.tally() for device in self.devices]
        return not any(tally.waiting or tally.deferred for tally in tallies)

    def _level(self) -> bool:
        heads = self.server.state.heads
        return all(
            device.store.cursor(scope) == heads[scope] for device in self.devices for scope in device.store.scopes
        )

    def check(self) -> None:
        """Nothing lost, nothing doubled, replicas equal, numbers contiguous and used once."""
        docs = self.server.state.docs
        effects = self.server.state.effects
        lines = Counter(line["cmd"] for _, doc, _ in docs.values() for line in doc.get("lines", ()))
        for device in self.devices:
            box = device.outbox()
            assert [row.n for row in box] == list(range(1, len(box) + 1))
            assert [row.cmd_id for row in box] == device.given
            for row in box:
                assert row.state in ("applied", "refused")
                assert effects[row.cmd_id] == (row.state == "applied"), (
                    f"{row.type} carried out {effects[row.cmd_id]} times"
                )
                if row.type == "note.add":
                    assert lines[row.cmd_id] == (row.state == "applied"), (
                        f"{row.type} counted {lines[row.cmd_id]} times"
                    )
            assert {entry.cmd_id for entry in device.store.refused_commands()} == {
                row.cmd_id for row in box if row.state == "refused"
            }
            scopes = set(device.store.scopes)
            expected = {id: (rev, doc) for (kind, id), (rev, doc, at) in docs.items() if kind == "note" and at & scopes}
            shown = device.store.find("note", limit=100_000)
            assert {note.id: (note.rev, dict(note.doc)) for note in shown if note.rev} == expected
            for scope in device.store.scopes:
                assert device.store.holds(scope) == self.server.holds(scope)
            # without a revision only what the server refused to begin
            assert all(note.rev or note.refused for note in shown)
        numbers = [number for device in self.devices for number in device.numbers]
        assert len(numbers) == len(set(numbers))

    def close(self) -> None:
        for device in self.devices:
            device.store.close()
