"""Finds what holds up the window: how long the GUI thread leaves an event waiting, and what it does meanwhile.

A thread posts one event after another to the GUI thread. An answer that comes late is a stall, less what was not
the program's doing: the time for which the machine let the GUI thread, or this watch, wait for a processor though
they were ready to run, and what the driver itself worked there.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from client.widgets.gui_thread import GuiThread

EVERY_S = 0.005
SUSPECT_S = 0.05
"""An event that waits longer than this has the GUI thread looked at."""
KEPT = 20
DEPTH = 12
Seconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Stall:
    """One event that waited. ``at`` is ``time.monotonic()``; ``ms`` is what is left of ``delay_ms``.

    ``stack`` is where the GUI thread was seen most often, innermost call first.
    """

    at: float
    ms: float
    delay_ms: float
    withheld_ms: float
    stack: tuple[str, ...]


class StallWatch:
    """Made and started on the GUI thread; ``stop`` ends it before the event loop's owner goes on."""

    def __init__(self, *, excused: Seconds = lambda: 0.0, waited: Callable[[int], Seconds] | None = None) -> None:
        """``excused``: seconds, since ever, that the GUI thread worked for somebody else than the program.

        ``waited``: see ``waited_for_processor``.
        """
        self.longest: list[Stall] = []
        """The longest stalls, the longest first."""
        self.late_ms = 0.0
        """The longest time for which the machine kept this watch itself from running."""
        self._gui = GuiThread()
        self._gui_id = threading.get_ident()
        self._waited = waited or waited_for_processor
        self._gui_waited = self._waited(threading.get_native_id())
        self._excused = excused
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stalls", daemon=True)

    def start(self) -> None:
        """Begin once the event loop runs: before, nothing waits for it."""
        self._gui.post(self._thread.start)

    def stop(self) -> None:
        """End the watch."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()

    def write(self, path: Path) -> None:
        """Write what was found, as JSON."""
        found = {"watch_late_ms": self.late_ms, "stalls": [asdict(stall) for stall in self.longest]}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, ensure_ascii=False, indent=1), "utf-8")

    def _watch(self) -> None:
        own = self._waited(threading.get_native_id())
        while not self._ending.wait(EVERY_S):
            self._ping(own)

    def _ping(self, own: Seconds) -> None:
        answered = threading.Event()
        after: list[float] = []

        def answer() -> None:
            after.extend((time.monotonic(), self._withheld()))
            answered.set()

        at, before, late = time.monotonic(), self._withheld(), own()
        self._gui.post(answer)
        late = own() - late
        seen: Counter[tuple[str, ...]] = Counter()
        while not answered.wait(EVERY_S):
            if self._ending.is_set():
                return
            if time.monotonic() - at > SUSPECT_S:
                seen[self._stack()] += 1
        delay, withheld = after[0] - at, after[1] - before + late
        self.late_ms = max(self.late_ms, late * 1000)
        stack = seen.most_common(1)[0][0] if seen else ()
        self._keep(Stall(at, (delay - withheld) * 1000, delay * 1000, withheld * 1000, stack))

    def _withheld(self) -> float:
        return self._gui_waited() + self._excused()

    def _stack(self) -> tuple[str, ...]:
        frame: FrameType | None = sys._current_frames().get(self._gui_id)
        lines: list[str] = []
        while frame is not None and len(lines) < DEPTH:
            code = frame.f_code
            where = "/".join(Path(code.co_filename).parts[-3:])
            lines.append(f"{where}:{frame.f_lineno} {code.co_qualname}")
            frame = frame.f_back
        return tuple(lines)

    def _keep(self, stall: Stall) -> None:
        self.longest = sorted([*self.longest, stall], key=lambda each: -each.ms)[:KEPT]


def waited_for_processor(native_id: int) -> Seconds:
    """For how many seconds, since it began, a thread was ready to run and no processor was free for it.

    Linux tells (proc(5), ``schedstat``). Elsewhere it is nought: then the machine's load counts as a stall, and
    none is hidden. The clock of a thread of ours would not do: it is late, too, when the GUI thread holds the
    interpreter.
    """
    path = Path(f"/proc/self/task/{native_id}/schedstat")
    if not path.exists():
        return lambda: 0.0
    return lambda: int(path.read_text("ascii").split()[1]) / 1e9
