"""The server's time as this computer can tell it: its own clock moved by a measured offset, and how wrong that is."""

from __future__ import annotations

from datetime import datetime, timedelta

from modules.common.clock import Clock, parse_iso

DRIFT = 1e-4
"""How much clocks of computers go apart: 100 ppm, twice what cheap quartz does."""
_MS = timedelta(milliseconds=1)


class ServerTime:
    """``offset_ms`` and ``error_ms`` were kept of an earlier measurement; ``last_contact`` its time, or empty."""

    def __init__(self, clock: Clock, offset_ms: int, error_ms: int, last_contact: str) -> None:
        self._clock = clock
        self.offset_ms = offset_ms
        self._error_ms = error_ms
        self._earliest = parse_iso(last_contact) if last_contact else None
        self._anchor: tuple[datetime, float] | None = None
        """Server time and steady clock of the latest contact of this process."""

    def measured(self, offset_ms: int, error_ms: int) -> datetime:
        """A measurement, true within ``error_ms``; returns the server's time. It is adopted only if it is better known
        than it differs, or than what is known: a slow answer of a busy machine does not make the clock worse.
        """
        if self._earliest is None or error_ms < max(abs(offset_ms - self.offset_ms), self.error_ms()):
            self.offset_ms, self._error_ms = offset_ms, error_ms
        now = self._clock.now() + timedelta(milliseconds=self.offset_ms)
        self._anchor = now, self._clock.monotonic()
        self._earliest = now
        return now

    def now(self) -> datetime:
        """The server's time; never before the last contact, nor before what the steady clock has counted since."""
        moment = self._clock.now() + timedelta(milliseconds=self.offset_ms)
        return max(moment, self._steady() or moment, self._earliest or moment)

    def error_ms(self) -> int:
        """How far ``now`` may be from the server's time: as measured, as clocks drift, and as ours was set meanwhile.

        The steady clock stands still while a computer sleeps: a clock that went ahead of it may be right all the same.
        """
        steady = self._steady()
        if self._anchor is None or steady is None:
            return self._error_ms
        ours = self._clock.now() + timedelta(milliseconds=self.offset_ms)
        since = (steady - self._anchor[0]) / _MS
        set_by = abs((ours - steady) / _MS)
        drift = since * DRIFT
        return round(self._error_ms + drift + (set_by if set_by > drift + 1000 else 0))

    def _steady(self) -> datetime | None:
        if self._anchor is None:
            return None
        at, then = self._anchor
        return at + timedelta(seconds=self._clock.monotonic() - then)
