"""Sends pages, scans and files beside the commands: a thread of its own, so that none ever holds up an acceptance.

They go in parts, by tus (``sync.uploads``). Small ones go first and in one piece; after each part of a large one the
next to be sent is chosen anew, so that a page never waits for a gigabyte, and every fourth turn is a large one's, so
that a gigabyte never waits for ever.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from client.kernel.ports import BlobRef
from modules.common.blobs import SMALL
from modules.common.clock import Clock, SystemClock
from modules.common.errors import GovDeskError
from sync.engine import NETWORK
from sync.loop import RunOnData, run_here

log = logging.getLogger(__name__)

IDLE = 60.0
BACKOFF_CAP = 60.0
STOP_LIMIT = 5.0
BOW = 0.3
"""Seconds that a part of a large file waits, once, for commands that want the line."""
PART_LEAST = 128 * 1024
PART_MOST = 2 * 1024 * 1024
"""Bytes of one part: on a slow line fewer. What a cut may cost is less than one part."""
PART_SECONDS = 1.0
LARGE_TURN = 4
RESUMABLE = frozenset({"SRV-065", "SRV-068", "SRV-069", "SRV-070", "SRV-071"})
"""The server stands elsewhere than was thought: it is asked, and no fault of the file's."""
_LOST = -1


class PageQueue(Protocol):
    """Where blobs wait; ``client.data.blobs.Blobs`` is one. See there for each promise."""

    def next_waiting(self, *, large: bool = False) -> BlobRef | None: ...

    def backlog(self) -> tuple[int, int]: ...

    def part(self, ref: BlobRef, offset: int, count: int) -> bytes: ...

    def sent(self, sha256: str) -> None: ...

    def failed(self, sha256: str) -> None: ...


class PageServer(Protocol):
    """Where they go; ``sync.uploads.Uploads`` is one. Every call raises ``GovDeskError``."""

    def create(self, sha256: str, size: int, first: bytes) -> int:
        """Begin an upload, or find it; how many bytes the server has. All of them: checked, and whole."""
        ...

    def offset(self, sha256: str) -> int | None:
        """How many bytes the server has safely on its disk; None when it knows of no upload."""
        ...

    def append(self, sha256: str, size: int, offset: int, data: bytes) -> int:
        """Hand in bytes; how many the server has then. All of them: checked, and whole."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """``waiting`` blobs of ``size`` bytes in all, of which ``there`` have arrived."""

    waiting: int
    size: int
    there: int


class PagePump:
    """Sends what waits, part after part, for ever, from ``start`` to ``stop``.

    ``may_send`` is False while nobody is signed in; ``busy`` is True while commands want the line; ``sent`` is told
    when the server has a blob whole, for a command may wait for it there. Without the network everything waits; what
    the server will not take goes behind the others, with growing pauses.
    """

    def __init__(
        self,
        queue: PageQueue,
        server: PageServer,
        run_on_data: RunOnData = run_here,
        *,
        may_send: Callable[[], bool] = lambda: True,
        busy: Callable[[], bool] = lambda: False,
        sent: Callable[[], None] = lambda: None,
        rng: Random | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._queue = queue
        self._server = server
        self._run = run_on_data
        self._may_send = may_send
        self._busy = busy
        self._sent = sent
        self._rng = rng or Random()  # noqa: S311 - jitter
        self._clock = clock or SystemClock()
        self._turn = 0
        self._bowed = False
        self._at: dict[str, int] = {}
        self._part = SMALL
        self._failures = 0
        self._logged = ""
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._drive, name="pages", daemon=False)

    def start(self) -> None:
        """Begin. Once only."""
        self._thread.start()

    def stop(self) -> bool:
        """End; False when a part is still on its way after five seconds (its own deadline ends it)."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_LIMIT)
        return not self._thread.is_alive()

    def poke(self) -> None:
        """A page was kept, or the network is back."""
        self._wake.set()

    def progress(self) -> Progress:
        """How far it is; on lane ``read``."""
        waiting, size = self._queue.backlog()
        return Progress(waiting, size, sum(max(0, at) for at in list(self._at.values())) if waiting else 0)

    def step(self) -> float:
        """Send one part; returns how many seconds to wait before the next."""
        try:
            if not self._may_send():
                return IDLE
            large = self._turn % LARGE_TURN == LARGE_TURN - 1
            ref = self._run(lambda: self._queue.next_waiting(large=large))
            if ref is None:
                return IDLE
            if ref.size > SMALL and not self._bowed and self._busy():
                self._bowed = True
                return BOW
            self._bowed = False
            self._turn += 1
            return self._one(ref)
        except Exception as error:  # noqa: BLE001 - noted, and tried again: the thread outlives a full disk
            return self._pause(error)

    def _one(self, ref: BlobRef) -> float:
        name = ref.sha256
        try:
            at = self._send(ref)
        except Exception as error:
            # how much of it arrived, only the server knows
            self._at[name] = _LOST
            if isinstance(error, GovDeskError):
                if error.code not in NETWORK | RESUMABLE:
                    self._run(lambda: self._queue.failed(name))
                return self._pause(error)
            raise
        self._failures, self._logged = 0, ""
        if at == ref.size:
            self._run(lambda: self._queue.sent(name))
            self._at.pop(name, None)
            self._sent()
        return 0.0

    def _send(self, ref: BlobRef) -> int:
        """Take the next step with a blob; ``ref.size`` says that the server has it whole."""
        name, size = ref.sha256, ref.size
        at: int | None = self._at.get(name)
        if at == _LOST:
            at = self._server.offset(name)
            if at is not None:
                self._at[name] = at
                # all may be there and not be checked yet: that takes a question of its own
                return at if at < size else self._append(ref, at, b"")
        if at is None:
            first = self._queue.part(ref, 0, size) if size <= SMALL else b""
            self._at[name] = self._server.create(name, size, first)
            return self._at[name]
        began = self._clock.monotonic()
        there = self._append(ref, at, self._queue.part(ref, at, self._part))
        took = self._clock.monotonic() - began
        if took > 2 * PART_SECONDS:
            self._part = max(PART_LEAST, self._part // 2)
        elif took < PART_SECONDS / 2:
            self._part = min(PART_MOST, self._part * 2)
        return there

    def _append(self, ref: BlobRef, at: int, data: bytes) -> int:
        self._at[ref.sha256] = self._server.append(ref.sha256, ref.size, at, data)
        return self._at[ref.sha256]

    def _pause(self, error: Exception) -> float:
        kind = error.code if isinstance(error, GovDeskError) else type(error).__name__
        if kind != self._logged and not self._stop.is_set():
            # once until something succeeds: a day without network must not fill the disk
            self._logged = kind
            log.warning("a page was not sent: %s", kind)
        ceiling = min(BACKOFF_CAP, 2.0 ** min(self._failures, 16))
        self._failures += 1
        return self._rng.uniform(0, ceiling)

    def _drive(self) -> None:
        while not self._stop.is_set():
            seconds = self.step()
            if seconds > 0:
                self._wake.wait(seconds)
            self._wake.clear()
