"""A ticket printer at the wire: it obeys ESC/POS on a TCP port, and what it prints can be looked at as PNG."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from devices.simulators.base import Fault, WireSimulator
from devices.simulators.wires import TcpWire

ROLL = 40_000
"""Lines of dots on a new roll: 5 m at 203 dpi."""
NEAR = 4_000


@dataclass(frozen=True, slots=True)
class Printed:
    """What came out between two cuts: ``rows`` of ``width`` dots, black is 1."""

    width: int
    rows: bytes

    def png(self) -> bytes:
        """As a person sees it."""
        from PIL import Image

        image = Image.frombytes("1", (self.width, len(self.rows) * 8 // self.width), bytes(b ^ 0xFF for b in self.rows))
        out = io.BytesIO()
        image.save(out, "PNG")
        return out.getvalue()


class PrinterSimulator(WireSimulator):
    """A printer with a roll, a cover and a cutter.

    Without paper or with an open cover it stops, keeps what it was sent, and goes on when it can, as real ones do;
    only ``DLE`` commands reach it then. Faults: ``silence`` (answers nothing), ``garbage`` (answers nonsense),
    ``delay`` (each band takes ``seconds``), ``unplug`` (the line breaks at a band), ``cutter`` (jams), ``cover``
    (opens at a band, or when asked for its status). Commands for ``on``: ``status``, ``band``, ``report``, ``cut``.
    """

    FAULTS: ClassVar = ("silence", "garbage", "delay", "unplug", "cutter", "cover")

    def __init__(self, *, width: int = 576, folder: Path | None = None) -> None:
        """``folder``: where each ticket is kept as ``0001.png``."""
        super().__init__(TcpWire("tcp"), "ticket-printer")
        self._width = width
        self._folder = folder
        self._buffer = bytearray()
        self._paper = ROLL
        self._cover = False
        self._jammed = False
        self._hanging = bytearray()
        self.tickets: list[Printed] = []
        self.unknown: list[bytes] = []
        """Commands that no ESC/POS printer of this kind knows."""

    @property
    def binding(self) -> dict[str, Any]:
        """See ``Simulator.binding``."""
        return {"driver": "escpos", "address": self.port}

    @property
    def hanging(self) -> Printed:
        """What has come out and was not cut off."""
        with self._lock:
            return Printed(self._width, bytes(self._hanging))

    def paper(self, lines: int = ROLL) -> None:
        """So many lines of dots are left on the roll; a jam is cleared with it."""
        with self._lock:
            self._paper = lines
            self._jammed = False
        self._wire.wake()

    def cover(self, opened: bool) -> None:
        """Open or close the cover."""
        with self._lock:
            self._cover = opened
        self._wire.wake()

    def obey(self, order: Mapping[str, Any]) -> Any:
        """``{"do": "paper", "lines": 0}``, ``{"do": "cover", "open": true}``, ``tear`` (take off what hangs out),
        ``{"do": "ticket", "number": -1}`` (its PNG in base64), and see ``WireSimulator.obey``.
        """
        match order["do"]:
            case "paper":
                self.paper(int(order.get("lines", ROLL)))
            case "cover":
                self.cover(bool(order["open"]))
            case "tear":
                with self._lock:
                    self._hanging.clear()
            case "ticket":
                with self._lock:
                    ticket = self.tickets[int(order.get("number", -1))] if self.tickets else None
                return {"png": base64.b64encode(ticket.png()).decode("ascii") if ticket else ""}
            case _:
                return super().obey(order)
        return self.state()

    def _more_state(self) -> dict[str, Any]:
        return {
            "paper": self._paper,
            "cover": self._cover,
            "tickets": len(self.tickets),
            "hanging": len(self._hanging) * 8 // self._width,
        }

    def _restarted(self) -> None:
        self._buffer.clear()

    def _stopped(self) -> bool:
        return self._cover or self._paper <= 0 or self._jammed

    def _received(self, data: bytes) -> None:
        self._buffer += data
        self._work()

    def _woken(self) -> None:
        self._work()

    def _work(self) -> None:
        while self._plugged and self._buffer:
            if self._stopped():
                self._hear_at_once()
                return
            used = self._next()
            if used == 0:
                return
            del self._buffer[:used]

    def _hear_at_once(self) -> None:
        """Answer the DLE commands among what is kept."""
        at = 0
        while (at := self._buffer.find(b"\x10", at)) >= 0:
            used = self._at_once(bytes(self._buffer[at : at + 10]))
            if used < 0:
                self._buffer.clear()
                return
            del self._buffer[at : at + used]
            at += 0 if used else 1

    def _at_once(self, command: bytes) -> int:
        """Obey a DLE command; returns its length, 0 for none, -1 when it empties the memory."""
        if command[:2] == b"\x10\x04" and len(command) > 2:
            fault = self._heard("status")
            if fault is not None and fault.kind == "cover":
                self._cover = True
            self._say(fault, self._status(command[2]))
            return 3
        if command[:3] == b"\x10\x05\x02" or command[:3] == b"\x10\x14\x08":
            return -1
        return 0

    def _status(self, number: int) -> int:
        match number:
            case 1:
                return 0x12 | (0x08 if self._stopped() else 0)
            case 2:
                return 0x12 | (0x04 if self._cover else 0) | (0x20 if self._paper <= 0 else 0)
            case 3:
                return 0x12 | (0x08 if self._jammed else 0)
            case _:
                return 0x12 | (0x0C if self._paper < NEAR else 0) | (0x60 if self._paper <= 0 else 0)

    def _say(self, fault: Fault | None, byte: int) -> None:
        kind = fault.kind if fault else ""
        if kind != "silence":
            self._wire.send(b"\xff\x80\xc1" if kind == "garbage" else bytes([byte]))

    def _next(self) -> int:
        """Obey the command at the front of the memory; returns its length, 0 when it is not all there yet."""
        data = bytes(self._buffer[:10])
        if data[0] == 0x10:
            used = self._at_once(data)
            return len(self._buffer) if used < 0 else used or (1 if len(data) > 2 else 0)
        if data[:2] == b"\x1b@":
            return 2
        if data[:3] == b"\x1dv0":
            return self._band(data)
        if data[:2] == b"\x1dr" and len(data) > 2:
            fault = self._heard("report")
            self._say(fault, (0x03 if self._paper < NEAR else 0) | (0x0C if self._paper <= 0 else 0))
            return 3
        if data[:2] == b"\x1dV" and len(data) > 3:
            self._cut(data[3])
            return 4
        if len(data) < 4:
            return 0
        self.unknown.append(data[:4])
        return 1

    def _band(self, head: bytes) -> int:
        if len(head) < 8:
            return 0
        wide, high = int.from_bytes(head[4:6], "little"), int.from_bytes(head[6:8], "little")
        size = wide * high
        if len(self._buffer) < 8 + size:
            return 0
        fault = self._heard("band")
        kind = fault.kind if fault else ""
        if fault and kind == "delay":
            self._stopping.wait(fault.seconds)
        elif kind == "cover":
            self._cover = True
            return 0
        elif kind == "unplug":
            self._plug(False)
            return 0
        rows = bytes(self._buffer[8 : 8 + size])
        room = min(high, self._paper)
        with self._lock:
            self._paper -= room
            self._hanging += rows[: room * wide]
            if room < high:
                # the rest of the band waits for paper
                rest = rows[room * wide :]
                self._buffer[: 8 + size] = head[:6] + (high - room).to_bytes(2, "little") + rest
                return 0
        return 8 + size

    def _cut(self, feed: int) -> None:
        fault = self._heard("cut")
        with self._lock:
            if fault and fault.kind == "cutter":
                self._jammed = True
                return
            self._paper -= min(feed, self._paper)
            self.tickets.append(Printed(self._width, bytes(self._hanging)))
            self._hanging.clear()
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{len(self.tickets):04}.png").write_bytes(self.tickets[-1].png())
