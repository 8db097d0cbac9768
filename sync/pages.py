"""Sends page images beside the commands: a thread of its own, so that no scan ever holds up an acceptance."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from random import Random
from typing import Protocol

from modules.common.errors import GovDeskError
from sync.engine import NETWORK
from sync.loop import RunOnData, run_here

log = logging.getLogger(__name__)

IDLE = 60.0
BACKOFF_CAP = 60.0
STOP_LIMIT = 5.0


class Page(Protocol):
    """What waits: ``client.kernel.ports.BlobRef`` is one."""

    @property
    def sha256(self) -> str: ...

    @property
    def type(self) -> str: ...


class PageQueue(Protocol):
    """Where pages wait; ``client.data.blobs.Blobs`` is one. See there for each promise."""

    def next_waiting(self) -> Page | None: ...

    def read(self, sha256: str) -> bytes: ...

    def sent(self, sha256: str) -> None: ...

    def failed(self, sha256: str) -> None: ...


class PagePump:
    """Sends what waits, one page after another, for ever, from ``start`` to ``stop``.

    ``send(sha256, data, type)`` raises ``GovDeskError``. ``may_send`` is False while nobody is signed in. Without the
    network everything waits; what the server will not take goes behind the others, with growing pauses.
    """

    def __init__(
        self,
        queue: PageQueue,
        send: Callable[[str, bytes, str], None],
        run_on_data: RunOnData = run_here,
        *,
        may_send: Callable[[], bool] = lambda: True,
        rng: Random | None = None,
    ) -> None:
        self._queue = queue
        self._send = send
        self._run = run_on_data
        self._may_send = may_send
        self._rng = rng or Random()  # noqa: S311 - jitter
        self._failures = 0
        self._logged = ""
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._drive, name="pages", daemon=False)

    def start(self) -> None:
        """Begin. Once only."""
        self._thread.start()

    def stop(self) -> bool:
        """End; False when a page is still on its way after five seconds (its own deadline ends it)."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_LIMIT)
        return not self._thread.is_alive()

    def poke(self) -> None:
        """A page was kept, or the network is back."""
        self._wake.set()

    def step(self) -> float:
        """Send one page; returns how many seconds to wait before the next."""
        try:
            if not self._may_send():
                return IDLE
            page = self._run(self._queue.next_waiting)
            if page is None:
                return IDLE
            return self._one(page)
        except Exception as error:  # noqa: BLE001 - noted, and tried again: the thread outlives a full disk
            return self._pause(error)

    def _one(self, page: Page) -> float:
        try:
            self._send(page.sha256, self._queue.read(page.sha256), page.type)
        except GovDeskError as error:
            if error.code not in NETWORK:
                self._run(lambda: self._queue.failed(page.sha256))
            return self._pause(error)
        self._run(lambda: self._queue.sent(page.sha256))
        self._failures, self._logged = 0, ""
        return 0.0

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
