"""Listens for the server's word that a feed has grown, so that a change is here within the blink of an eye.

It only ever makes the next pull come sooner: whoever hears nothing, or hears it twice, loses nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from random import Random
from typing import Protocol

from modules.common.errors import GovDeskError
from sync.protocol import Nudge

log = logging.getLogger(__name__)

IDLE = 60.0
BACKOFF_CAP = 60.0
STOP_LIMIT = 5.0


class NudgeStream(Protocol):
    """An open line on which nudges come; ``sync.transport.EventStream`` is one."""

    def __iter__(self) -> Iterator[Nudge]:
        """The nudges as they come, until the line ends. Raises ``GovDeskError``."""
        ...

    def close(self) -> None:
        """End it, from any thread, at once."""
        ...


class Ear(Protocol):
    """Whom it is told; ``sync.loop.SyncLoop`` is one. Called on the listener's thread."""

    def nudge(self, nudge: Nudge) -> None: ...

    def attend(self, listening: bool) -> None: ...


class NudgeListener:
    """Keeps a line open from ``start`` to ``stop``. ``may_listen`` is False while nobody is signed in."""

    def __init__(
        self,
        open_stream: Callable[[], NudgeStream],
        ear: Ear,
        *,
        may_listen: Callable[[], bool] = lambda: True,
        rng: Random | None = None,
    ) -> None:
        self._open = open_stream
        self._ear = ear
        self._may_listen = may_listen
        self._rng = rng or Random()  # noqa: S311 - jitter
        self._failures = 0
        self._logged = ""
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._stream: NudgeStream | None = None
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._drive, name="nudges", daemon=False)

    def start(self) -> None:
        """Begin. Once only."""
        self._thread.start()

    def stop(self) -> bool:
        """End; False when the line does not let go within five seconds (its own deadline ends it)."""
        self._stop.set()
        self._wake.set()
        with self._guard:
            stream = self._stream
        if stream is not None:
            stream.close()
        if self._thread.ident is not None:
            self._thread.join(STOP_LIMIT)
        return not self._thread.is_alive()

    def poke(self) -> None:
        """Somebody has signed in, or the network is back."""
        self._wake.set()

    def listen(self) -> float:
        """Open one line and hear it to its end; returns how many seconds to wait before the next."""
        if not self._may_listen():
            return IDLE
        try:
            stream = self._open()
        except Exception as error:  # noqa: BLE001 - noted, and tried again: a deaf client works, only later
            return self._pause(error)
        with self._guard:
            if self._stop.is_set():
                stream.close()
                return 0.0
            self._stream = stream
        try:
            for nudge in stream:
                self._failures, self._logged = 0, ""
                self._ear.attend(True)
                self._ear.nudge(nudge)
        except Exception as error:  # noqa: BLE001 - as above
            return self._pause(error)
        finally:
            self._ear.attend(False)
            with self._guard:
                self._stream = None
            stream.close()
        # it ended by itself, as streams do after a while: spread, so that a hall does not come back in one moment
        return self._rng.uniform(0, 1)

    def _pause(self, error: Exception) -> float:
        kind = error.code if isinstance(error, GovDeskError) else type(error).__name__
        if kind != self._logged and not self._stop.is_set():
            # once until something succeeds: a day without network must not fill the disk
            self._logged = kind
            log.warning("no nudges: %s", kind)
        ceiling = min(BACKOFF_CAP, 2.0 ** min(self._failures, 16))
        self._failures += 1
        return self._rng.uniform(0, ceiling)

    def _drive(self) -> None:
        while not self._stop.is_set():
            seconds = self.listen()
            if seconds > 0:
                self._wake.wait(seconds)
            self._wake.clear()
