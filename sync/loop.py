"""Drives the synchronisation's core: one thread that asks, waits and never dies of an error."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Protocol, TypeVar

from modules.common.clock import Clock, SystemClock
from modules.common.errors import GovDeskError
from sync.engine import Action, Borrow, Prune, Pull, Push, Reply, Store, SyncEngine, SyncStatus, Wait, stuck_words
from sync.protocol import ChangesReply, Nudge
from sync.transport import Transport

T = TypeVar("T")
log = logging.getLogger(__name__)

STEP_LIMIT = 90.0
"""A step that takes longer than so many seconds hangs: every question has a shorter deadline of its own."""
STOP_LIMIT = 5.0


class RunOnData(Protocol):
    """Runs work on the thread that owns the store, and returns its result or raises its error."""

    def __call__(self, work: Callable[[], T], /) -> T: ...


def run_here(work: Callable[[], T], /) -> T:
    """Run ``work`` on the calling thread: for tests, and where the loop's thread owns the store."""
    return work()


def pull(transport: Transport, action: Pull) -> ChangesReply:
    """Ask what ``action`` names."""
    return transport.changes(action.scope, action.since, action.epoch, action.statement, action.floor)


class ReadAhead:
    """Fetches the next page of a long feed while the present one is being stored.

    Only a guess: what the engine does not ask for, or what failed, is dropped.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._pool = ThreadPoolExecutor(1, "read-ahead")
        self._guess: tuple[Pull, Future[ChangesReply]] | None = None

    def after(self, action: Pull, reply: ChangesReply) -> None:
        """``reply`` has come; if the feed goes on, ask for what follows."""
        if not reply.more or reply.snapshot_required:
            return
        floor = action.floor if action.since else reply.floor
        next = replace(action, since=reply.to, epoch=reply.epoch, floor=floor)
        with suppress(RuntimeError):  # closed meanwhile
            self._guess = next, self._pool.submit(pull, self._transport, next)

    def take(self, action: Pull) -> ChangesReply | None:
        """The answer to ``action``, if it was guessed and came; waits for one that is on its way."""
        guess, self._guess = self._guess, None
        if guess is None or guess[0] != action:
            return None
        try:
            return guess[1].result()
        except (GovDeskError, CancelledError):
            return None

    def close(self) -> None:
        """Ask for nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class SyncLoop:
    """One synchronisation, from ``start`` to ``stop``. ``on_status`` is called on the loop's thread at each change."""

    def __init__(
        self,
        engine: SyncEngine,
        transport: Transport,
        run_on_data: RunOnData = run_here,
        *,
        on_status: Callable[[SyncStatus], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._engine = engine
        self._transport = transport
        self._run = run_on_data
        self._on_status = on_status
        self._clock = clock or SystemClock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._poked = threading.Event()
        self._heard: dict[str, int] = {}
        self._listening: bool | None = None
        self._guard = threading.Lock()
        self._step_began: float | None = None
        self._told: SyncStatus | None = None
        self._logged: set[str] = set()
        self._ahead = ReadAhead(transport)
        self._thread = threading.Thread(target=self._drive, name="sync", daemon=False)

    def start(self) -> None:
        """Begin. Once only."""
        self._thread.start()

    def stop(self) -> bool:
        """End, at the latest after five seconds; False when a question still hangs then (its own deadline ends it)."""
        self._stop.set()
        self._wake.set()
        self._ahead.close()
        if self._thread.ident is not None:
            self._thread.join(STOP_LIMIT)
        return not self._thread.is_alive()

    def poke(self) -> None:
        """Something was given, or the network came back: do not wait any longer."""
        self._poked.set()
        self._wake.set()

    def nudge(self, nudge: Nudge) -> None:
        """The server says that a feed has grown; from any thread."""
        with self._guard:
            self._heard[nudge.scope] = max(nudge.seq, self._heard.get(nudge.scope, 0))
        self._wake.set()

    def attend(self, listening: bool) -> None:
        """Whether the server tells at present what is new; from any thread."""
        with self._guard:
            if listening != self._listening:
                self._listening = listening
                self._wake.set()

    @property
    def status(self) -> SyncStatus:
        """The engine's status, or ``stuck`` (SYNC-009) when the present step hangs; from any thread."""
        status = self._engine.status
        began = self._step_began
        if began is not None and self._clock.monotonic() - began > STEP_LIMIT:
            return replace(status, state="stuck", reason="SYNC-009", words=stuck_words())
        return status

    def step(self) -> float:
        """Do one step; returns how many seconds to wait before the next. Raises nothing but what kills a process."""
        action: Action | None = None
        self._step_began = self._clock.monotonic()
        try:
            if self._poked.is_set():
                self._poked.clear()
                self._run(self._engine.poke)
            action = self._run(self._next)
            seconds = self._do(action)
        except Exception as error:  # noqa: BLE001 - told to the engine, which waits and tries again
            seconds = self._failed(action, error)
        finally:
            self._step_began = None
        self._tell()
        return seconds

    def _next(self) -> Action:
        with self._guard:
            heard, self._heard = self._heard, {}
            listening = self._listening
        if listening is not None:
            self._engine.attend(listening)
        for scope, seq in heard.items():
            self._engine.nudge(Nudge(scope, seq))
        return self._engine.next_action()

    def _do(self, action: Action) -> float:
        if isinstance(action, Wait):
            return action.seconds
        if isinstance(action, Store):
            self._run(self._engine.store_slice)
            return 0.0
        if isinstance(action, Prune):
            self._run(self._engine.prune)
            return 0.0
        try:
            reply = self._ask(action)
        except GovDeskError as error:
            self._note(error)
            failure = error
            self._run(lambda: self._engine.on_failure(action, failure))
            return 0.0
        self._run(lambda: self._engine.on_reply(action, reply))
        if isinstance(action, Pull) and isinstance(reply, ChangesReply):
            self._ahead.after(action, reply)
        self._logged.clear()
        return 0.0

    def _ask(self, action: Push | Pull | Borrow) -> Reply:
        if isinstance(action, Push):
            return self._transport.push(action.request)
        if isinstance(action, Pull):
            return self._ahead.take(action) or pull(self._transport, action)
        return self._transport.lease(action.request, action.statement)

    def _failed(self, action: Action | None, error: Exception) -> float:
        """The step itself failed, as with a full disk or a fault of ours: told, and tried again later."""
        if self._stop.is_set():
            return 0.0  # the lanes close before us
        self._note(error)
        try:
            self._run(lambda: self._engine.on_failure(None, error))
        except Exception as another:  # noqa: BLE001 - noted; the loop must outlive it
            self._note(another)
            return 1.0
        return 0.0

    def _note(self, error: Exception) -> None:
        """Log an error once per kind until something succeeds: a day without network must not fill the disk."""
        kind = error.code if isinstance(error, GovDeskError) else type(error).__name__
        if kind not in self._logged:
            self._logged.add(kind)
            expected = isinstance(error, GovDeskError)
            log.warning("synchronisation: %s", error, exc_info=None if expected else error)

    def _tell(self) -> None:
        status = self._engine.status
        if self._on_status is not None and status != self._told:
            self._told = status
            try:
                self._on_status(status)
            except Exception as error:  # noqa: BLE001 - noted; a listener's fault is not ours
                self._note(error)

    def _drive(self) -> None:
        while not self._stop.is_set():
            seconds = self.step()
            if seconds > 0:
                self._wake.wait(seconds)
            self._wake.clear()
