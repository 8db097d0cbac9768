"""What is broken on purpose: each mutant is one mistake that others have made, and that the fault run must convict.

``break_client`` and ``break_server`` put it into the process that calls them.
"""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Mutant:
    """``about`` says the mistake, and whose it was; ``client`` and ``server`` make it."""

    about: str
    client: Callable[[], None] = lambda: None
    server: Callable[[], None] = lambda: None


def _dedupe_apart() -> None:
    """The transaction of the effects commits without the memory of them, which follows a moment later."""
    from server_stub.processor import Processor

    held: list[tuple[Any, ...]] = []
    right_push, right = Processor.push, _of_processor("remember")

    def push(self: Any, device_id: str, request: Any) -> Any:
        reply = right_push(self, device_id, request)
        time.sleep(0.3)
        while held:
            arguments = held.pop(0)
            self._writer.do(lambda session, arguments=arguments: right(session, *arguments))
        return reply

    _of_processor("remember", lambda session, *arguments: held.append(arguments))
    Processor.push = push  # type: ignore[method-assign]


def _dedupe_none() -> None:
    """Whatever comes is carried out, as often as it comes."""
    from sqlalchemy import insert, update

    from server_stub import tables
    from server_stub.processor import Processor

    right = Processor._answer

    def answer(self: Any, session: Any, push: Any, item: Any) -> Any:
        last = push.last_n
        if item.command.n <= last:
            push.known.pop(item.command.cmd_id, None)
            push.last_n = item.command.n - 1
        ack = right(self, session, push, item)
        push.last_n = max(last, push.last_n)
        return ack

    def remember(session: Any, device_id: str, last_n: int, answered: Sequence[Any]) -> None:
        session.execute(update(tables.Device).where(tables.Device.id == device_id).values(last_n=last_n))
        if answered:
            session.execute(insert(tables.CommandRow).prefix_with("OR IGNORE"), answered)

    Processor._answer = answer  # type: ignore[method-assign]
    _of_processor("remember", remember)


def _cursor_time_server() -> None:
    """A change is numbered by the time at which its request came, not by the order in which it was committed."""
    from sqlalchemy import insert

    from server_stub import feed, tables
    from server_stub.processor import Processor
    from server_stub.sealing import seal

    right = Processor.push
    stamp = threading.local()

    def push(self: Any, device_id: str, request: Any) -> Any:
        stamp.at = time.time_ns() // 1000
        moment = stamp.at
        time.sleep(random.uniform(0, 0.05))  # transactions of a busy database do not end in the order of their begin
        do = self._writer.do

        def timed(work: Callable[[Any], Any]) -> Any:
            def run(session: Any) -> Any:
                stamp.at = moment
                return work(session)

            return do(run)

        return right(_Instead(self, _writer=_Instead(self._writer, do=timed)), device_id, request)

    def append(session: Any, moment: str, entries: Sequence[Any]) -> None:
        at = itertools.count(getattr(stamp, "at", None) or time.time_ns() // 1000)
        for entry in entries:
            for scope in entry.scopes:
                seq = next(at)
                while session.get(tables.ChangeRow, (scope, seq)) is not None:
                    seq = next(at)
                row = {"scope": scope, "seq": seq, "kind": entry.kind, "aggregate_id": entry.id}
                sealed = seal(session, tables.ChangeRow, (scope, seq), entry.to_wire())
                session.execute(insert(tables.ChangeRow), [{**row, "sealed": sealed, "op": entry.op, "at": moment}])
                known = session.get(tables.Scope, scope)
                if known is None:
                    session.add(tables.Scope(name=scope, seq=seq, count=-1))  # whoever numbers so counts nothing
                else:
                    known.seq = max(known.seq, seq)
                session.flush()

    Processor.push = push  # type: ignore[method-assign]
    feed.append = append


class _Instead:
    """Another object with some of its attributes replaced."""

    def __init__(self, other: Any, **values: Any) -> None:
        self.__dict__.update(values)
        self._other = other

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)


def _cursor_time_client() -> None:
    """Whatever is newer than the newest is all there is: nobody looks for gaps."""
    from sync import engine
    from sync.transport import HttpTransport

    right = HttpTransport.changes

    def changes(self: Any, *arguments: Any) -> Any:
        reply = right(self, *arguments)
        return replace(reply, to=reply.changes[-1].seq if reply.changes else reply.since, count=-1)

    HttpTransport.changes = changes  # type: ignore[method-assign]
    engine._leading = lambda changes, since, floor: list(changes)


def _outbox_cleared() -> None:
    """After an answer everything is sent: also what was given meanwhile (Odoo POS #211219)."""
    from sqlalchemy import delete

    from client.data.store import Store
    from client.data.tables import WAITING, OutboxRow

    right = Store.settle

    def settle(self: Any, answers: Any) -> None:
        right(self, answers)
        with self._writing() as unit:
            unit.db.execute(delete(OutboxRow).where(OutboxRow.state == WAITING))

    Store.settle = settle  # type: ignore[method-assign]


def _epoch_ignored() -> None:
    """A server restored from a backup is taken for the one it was (cht-core #8093)."""
    from client.data.store import Store
    from sync.engine import SyncEngine
    from sync.transport import HttpTransport

    right, ask = Store.contact, HttpTransport.changes

    def contact(self: Any, epoch: str, offset_ms: int, error_ms: int = 0) -> bool:
        if self._epoch and epoch != self._epoch:
            self._epoch = epoch
        right(self, epoch, offset_ms, error_ms)
        return False

    Store.contact = contact  # type: ignore[method-assign]
    HttpTransport.changes = lambda self, scope, since, epoch, *rest: ask(self, scope, since, "", *rest)  # type: ignore
    # nor is it noticed by what else would show it
    Store.suspect = lambda self: None  # type: ignore[method-assign]
    SyncEngine._compare = lambda self, scope, holds: None  # type: ignore[method-assign]


def _refusal_blocks() -> None:
    """A refused command stays at the head of the queue (ERPNext POS #13388)."""
    _settle_only(lambda answer: answer.status == "applied")


def _refusal_hidden() -> None:
    """A refused command is rolled back and nobody is told (Firestore)."""
    from client.data.store import Store

    right = Store.settle

    def settle(self: Any, answers: Any) -> None:
        right(self, answers)
        for entry in self.refused_commands():
            self.dismiss(entry.cmd_id)

    Store.settle = settle  # type: ignore[method-assign]


def _settle_only(wanted: Callable[[Any], bool]) -> None:
    from client.data.store import Store

    right = Store.settle
    Store.settle = lambda self, answers: right(self, [answer for answer in answers if wanted(answer)])  # type: ignore


def _gives_up() -> None:
    """Three failures, and a command is dropped."""
    from sqlalchemy import delete

    from client.data.tables import WAITING, OutboxRow
    from sync.engine import Push, SyncEngine

    right = SyncEngine.on_failure
    failures: dict[int, int] = {}

    def on_failure(self: Any, action: Any, error: Exception) -> None:
        right(self, action, error)
        if isinstance(action, Push) and action.request.cmds:
            n = action.request.cmds[0].n
            failures[n] = failures.get(n, 0) + 1
            if failures[n] >= 3:
                with self._store._writing() as unit:
                    unit.db.execute(delete(OutboxRow).where(OutboxRow.state == WAITING, OutboxRow.n == n))

    SyncEngine.on_failure = on_failure  # type: ignore[method-assign]


def _block_twice() -> None:
    """Every second device gets the block of numbers that the one before it got."""
    from server_stub.numbers import Numbers

    right = Numbers.lease
    kept: list[Any] = []

    def lease(self: Any, device_id: str, request: Any) -> Any:
        if kept and kept[-1].series == request.series:
            return kept.pop()
        made = right(self, device_id, request)
        kept.append(made)
        return made

    Numbers.lease = lease  # type: ignore[method-assign]


def _profile_shared() -> None:
    """Two copies of the program work on one profile (Odoo POS #152259)."""
    from client.data import profile

    profile._hold = lambda path: path.open("a+b")


def _speaks_in_clear() -> None:
    """What is given is written into a log, as a line that somebody needed once and forgot."""
    from client.data.store import Store

    right = Store.give

    def give(self: Any, kind: str, aggregate_id: str, type: str, body: Any, **more: Any) -> Any:
        logging.getLogger("mutant").warning("giving %s", body)
        return right(self, kind, aggregate_id, type, body, **more)

    Store.give = give  # type: ignore[method-assign]


def _of_processor(name: str, value: Any = None) -> Any:
    from server_stub import processor

    if value is not None:
        setattr(processor, name, value)
    return getattr(processor, name)


MUTANTS = {
    "dedupe-apart": Mutant("the dedupe row is written in another transaction", server=_dedupe_apart),
    "dedupe-none": Mutant("nothing is deduplicated", server=_dedupe_none),
    "cursor-time": Mutant(
        "the cursor is a time instead of a counter without gaps", _cursor_time_client, _cursor_time_server
    ),
    "outbox-cleared": Mutant("the client deletes all sent commands, not the acknowledged ones", _outbox_cleared),
    "epoch-ignored": Mutant("the client ignores that the server was restored", _epoch_ignored),
    "block-twice": Mutant("a block of numbers is lent twice", server=_block_twice),
    "refusal-blocks": Mutant("a refused command blocks those behind it", _refusal_blocks),
    "refusal-hidden": Mutant("a refused command is dropped without a word", _refusal_hidden),
    "gives-up": Mutant("a command that failed to go three times is dropped", _gives_up),
    "profile-shared": Mutant("a second process may open the profile", _profile_shared),
    "speaks-in-clear": Mutant("a log line says whose case it is", _speaks_in_clear),
}


def break_client(name: str) -> None:
    """Put the mutant's mistake into this client; none for an empty name."""
    if name:
        MUTANTS[name].client()


def break_server(name: str) -> None:
    """Put the mutant's mistake into this server; none for an empty name."""
    if name:
        MUTANTS[name].server()
