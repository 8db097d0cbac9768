"""Tells whoever listens that a feed has grown: its name and its newest number, nothing else (research rule: loss is
harmless, for whoever hears nothing asks again by itself).

A commit is told by whoever made it: in this process by the writer, between processes on one PostgreSQL by NOTIFY.
On the same way comes word that somebody may have lost the right to listen (``trust.DOUBT``): the line asks, and ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from server_stub.database import CHANNEL, Database
from server_stub.log import log
from server_stub.tables import Scope
from server_stub.trust import DOUBT

KEEP_ALIVE_S = 15.0
"""A line on which nothing was said for so long says that it is there; both ends notice a dead one by it."""
LIVES_S = 600.0
"""A stream ends by itself after so long: whoever comes again is asked again who they are."""
RETRY_S = 1.0


@dataclass(eq=False, slots=True)
class _Listener:
    """One open stream. ``heads`` is what it has not been told yet; touched on the event loop alone."""

    device: str
    scopes: frozenset[str]
    loop: asyncio.AbstractEventLoop
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    heads: dict[str, int] = field(default_factory=dict)
    ended: bool = False
    doubted: bool = False

    def hear(self, heads: Mapping[str, int]) -> None:
        for scope, seq in heads.items():
            if scope.startswith(DOUBT):
                self.doubted = True
            else:
                self.heads[scope] = max(seq, self.heads.get(scope, 0))
        self.wake.set()

    def end(self) -> None:
        self.ended = True
        self.wake.set()

    def take(self) -> dict[str, int]:
        self.wake.clear()
        told, self.heads = self.heads, {}
        return told


class Nudges:
    """The listeners of one server process. ``announce`` may be called on any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._by_scope: defaultdict[str, set[_Listener]] = defaultdict(set)
        self._by_device: dict[str, _Listener] = {}
        self._closed = threading.Event()
        self._ear: threading.Thread | None = None

    def start(self) -> None:
        """Also hear what other processes on the same PostgreSQL commit."""
        if not self._database.sqlite:
            self._ear = threading.Thread(target=self._hear_others, name="nudges", daemon=True)
            self._ear.start()

    def close(self) -> None:
        """End every stream: a server that stops does not wait for who only listens."""
        self._closed.set()
        with self._lock:
            listeners = list(self._by_device.values())
        for listener in listeners:
            _call(listener, listener.end)
        if self._ear is not None:
            self._ear.join(5)

    async def hush(self) -> None:
        """``close``, and let the streams say their end: a line with an answer still open is waited for."""
        self.close()
        for _ in range(100):
            await asyncio.sleep(0.01)
            if not self.listening:
                break
        await asyncio.sleep(0.01)

    @property
    def listening(self) -> int:
        """How many streams are open."""
        with self._lock:
            return len(self._by_device)

    def announce(self, heads: Mapping[str, int]) -> None:
        """Feeds have grown to these numbers."""
        wanted: defaultdict[_Listener, dict[str, int]] = defaultdict(dict)
        with self._lock:
            for scope, seq in heads.items():
                for listener in self._by_scope.get(scope, ()):
                    wanted[listener][scope] = seq
        for listener, news in wanted.items():
            _call(listener, listener.hear, news)

    async def stream(
        self, device: str, person: str, scopes: Iterable[str], stands: Callable[[], bool]
    ) -> AsyncIterator[bytes]:
        """Server-sent events for ``scopes``, beginning with where they stand; a device has one stream, its newest.

        It ends when ``stands`` says no, which is asked when there is reason to doubt ``device`` or ``person``.
        """
        doubts = (f"{DOUBT}device:{device}", f"{DOUBT}person:{person}")
        listener = _Listener(device, frozenset((*scopes, *doubts)), asyncio.get_running_loop())
        self._add(listener)
        until = listener.loop.time() + LIVES_S
        try:
            # after listening, so that nothing falls between
            listener.hear(await asyncio.to_thread(self._heads, listener.scopes))
            # a revocation between the right to listen and listening has been told to nobody
            listener.doubted = True
            while not listener.ended and not self._closed.is_set() and listener.loop.time() < until:
                doubted, listener.doubted = listener.doubted, False
                if doubted and not await asyncio.to_thread(stands):
                    return
                said = b"".join(event(scope, seq) for scope, seq in listener.take().items())
                yield said or b":\n\n"
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(listener.wake.wait(), KEEP_ALIVE_S)
        finally:
            self._drop(listener)

    def _add(self, listener: _Listener) -> None:
        with self._lock:
            before = self._by_device.get(listener.device)
            self._by_device[listener.device] = listener
            for scope in listener.scopes:
                self._by_scope[scope].add(listener)
        if before is not None:
            _call(before, before.end)

    def _drop(self, listener: _Listener) -> None:
        with self._lock:
            if self._by_device.get(listener.device) is listener:
                del self._by_device[listener.device]
            for scope in listener.scopes:
                self._by_scope[scope].discard(listener)
                if not self._by_scope[scope]:
                    del self._by_scope[scope]

    def _heads(self, scopes: frozenset[str]) -> dict[str, int]:
        with self._database.read() as session:
            query = select(Scope.name, Scope.seq).where(Scope.name.in_(sorted(scopes)))
            return {scope: seq for scope, seq in session.execute(query)}  # noqa: C416 - rows are typed as such

    def _hear_others(self) -> None:
        """LISTEN on a connection of its own, for ever: one that breaks is opened again; meanwhile clients ask."""
        import psycopg

        address = self._database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        while not self._closed.is_set():
            try:
                with psycopg.connect(address, autocommit=True) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    while not self._closed.is_set():
                        for notice in connection.notifies(timeout=RETRY_S):
                            self.announce(json.loads(notice.payload))
            except psycopg.Error as error:
                log.warning("nudges", extra={"error": type(error).__name__})
                self._closed.wait(RETRY_S)


def event(scope: str, seq: int) -> bytes:
    """One nudge as a server-sent event (WHATWG HTML, 9.2)."""
    return b"data: " + json.dumps({"scope": scope, "seq": seq}, ensure_ascii=False).encode() + b"\n\n"


def _call(listener: _Listener, what: object, *arguments: object) -> None:
    # a loop that has ended has nobody left to tell
    with contextlib.suppress(RuntimeError):
        listener.loop.call_soon_threadsafe(what, *arguments)  # type: ignore[arg-type]
