"""An identity card reader at the wire: it answers SAM frames on a pseudo-terminal or on a TCP port."""

from __future__ import annotations

import os
import select
import socket
import sys
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from devices.drivers import id_text, sdt_frames
from devices.drivers.sdt_frames import FIND, READ, SAM_STATUS, SELECT, Frame, FrameParser
from devices.ports import IdentityRecord

COMMANDS = {SAM_STATUS: "status", FIND: "find", SELECT: "select", READ: "read"}
FAULTS = ("silence", "partial", "bad_checksum", "delay", "unplug_mid_read", "self_test_failed")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: one of ``FAULTS``, with commands ``on`` (empty: any), ``times`` times (0: until mended).

    ``unplug_mid_read`` and ``partial`` send half of the answer first; ``delay`` waits ``seconds``.
    """

    kind: str
    on: str = ""
    times: int = 0
    seconds: float = 0.5


class _Wire(Protocol):
    """Where the bytes go. One thread calls ``receive`` and ``send``; ``wake`` may come from any."""

    port: str

    def plug(self) -> None: ...

    def unplug(self) -> None: ...

    def receive(self) -> bytes:
        """The next bytes; empty after ``wake``."""
        ...

    def send(self, data: bytes) -> None: ...

    def wake(self) -> None: ...

    def close(self) -> None: ...


class _Waker:
    """Ends a ``select`` from another thread (a socket pair: Windows can select nothing else)."""

    def __init__(self) -> None:
        self.end, self._far = socket.socketpair()

    def wake(self) -> None:
        self._far.send(b"x")

    def clear(self) -> None:
        self.end.recv(64)

    def close(self) -> None:
        self.end.close()
        self._far.close()


if sys.platform != "win32":
    import tty

    class PtyWire:
        """A pseudo-terminal behind a symbolic link, which keeps its name when the reader is plugged in again."""

        def __init__(self) -> None:
            self._folder = tempfile.TemporaryDirectory(prefix="govdesk-reader-")
            self._link = Path(self._folder.name) / "ttyIDCARD"
            self.port = str(self._link)
            self._waker = _Waker()
            self._ends: tuple[int, int] | None = None

        def plug(self) -> None:
            near, far = os.openpty()
            # The far end is kept open here: without any holder, the near end reports an error instead of waiting.
            tty.setraw(far)
            os.set_blocking(near, False)
            self._link.symlink_to(os.ttyname(far))
            self._ends = near, far

        def unplug(self) -> None:
            if self._ends is not None:
                self._link.unlink()
                for end in self._ends:
                    os.close(end)
                self._ends = None

        def receive(self) -> bytes:
            watched: list[int | socket.socket] = [self._waker.end]
            if self._ends is not None:
                watched.append(self._ends[0])
            ready, _, _ = select.select(watched, [], [])
            if self._waker.end in ready or self._ends is None:
                self._waker.clear()
                return b""
            return os.read(self._ends[0], 4096)

        def send(self, data: bytes) -> None:
            if self._ends is not None:
                try:
                    os.write(self._ends[0], data)
                except BlockingIOError:
                    # Nobody reads: a serial line loses what overruns it.
                    return

        def wake(self) -> None:
            self._waker.wake()

        def close(self) -> None:
            self.unplug()
            self._waker.close()
            self._folder.cleanup()


class TcpWire:
    """A TCP port of the loopback for pySerial's ``socket://``: for systems without pseudo-terminals."""

    def __init__(self) -> None:
        self._waker = _Waker()
        self._address = ("127.0.0.1", 0)
        self._server: socket.socket | None = None
        self._line: socket.socket | None = None
        self.port = ""

    def plug(self) -> None:
        self._server = socket.create_server(self._address)
        self._address = self._server.getsockname()
        self.port = f"socket://127.0.0.1:{self._address[1]}"

    def unplug(self) -> None:
        for end in (self._line, self._server):
            if end is not None:
                end.close()
        self._line = self._server = None

    def receive(self) -> bytes:
        watched = [end for end in (self._waker.end, self._line or self._server) if end is not None]
        ready, _, _ = select.select(watched, [], [])
        if self._waker.end in ready:
            self._waker.clear()
        elif self._line is not None:
            try:
                data = self._line.recv(4096)
            except ConnectionError:
                data = b""
            if data:
                return data
            self._line.close()
            self._line = None
        elif self._server is not None:
            self._line, _ = self._server.accept()
        return b""

    def send(self, data: bytes) -> None:
        if self._line is not None:
            try:
                self._line.sendall(data)
            except ConnectionError:
                # The program hung up while we were answering; `receive` sees the end and waits for the next.
                return

    def wake(self) -> None:
        self._waker.wake()

    def close(self) -> None:
        self.unplug()
        self._waker.close()


class SdtReaderSimulator:
    """A reader with its SAM: ``place`` and ``lift`` a card, ``unplug`` and ``replug`` it, set ``fault``s.

    Use as a context manager, or ``start`` and ``close``. ``port`` is what a driver opens; it stays the same.
    As with a real reader, a card that was read is found again only after it has been lifted.
    """

    def __init__(self, wire: str = "") -> None:
        """``wire`` is ``pty`` or ``tcp``; by default a pty where the system has them."""
        self._wire = _wire(wire)
        self._lock = threading.Condition()
        self._card: IdentityRecord | None = None
        self._step = "lifted"
        self._plugged = False
        self._stopping = threading.Event()
        self._fault: Fault | None = None
        self._asked: Counter[str] = Counter()
        self._orders: list[str] = []
        self._thread = threading.Thread(target=self._run, name="simulator-id-card")

    @property
    def port(self) -> str:
        """The name that a driver opens."""
        return self._wire.port

    def start(self) -> SdtReaderSimulator:
        """Plug the reader in."""
        self._wire.plug()
        self._plugged = True
        self._thread.start()
        return self

    def close(self) -> None:
        """Unplug the reader and end its thread."""
        self._stopping.set()
        self._wire.wake()
        self._thread.join()
        self._wire.close()

    def __enter__(self) -> SdtReaderSimulator:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def place(self, record: IdentityRecord) -> None:
        """Put a card on the reader, instead of one that may lie there."""
        with self._lock:
            self._card, self._step = record, "placed"

    def lift(self) -> None:
        """Take the card away."""
        with self._lock:
            self._card, self._step = None, "lifted"

    def unplug(self) -> None:
        """Pull the cable; returns when the port is gone."""
        self._order("unplug")

    def replug(self) -> None:
        """Plug the cable in again under the same name; returns when the port is there."""
        self._order("replug")

    def fault(self, fault: Fault | None) -> None:
        """Let something go wrong from now on, or mend it with None. Raises ``ValueError`` for an unknown kind."""
        if fault is not None and fault.kind not in FAULTS:
            raise ValueError(f"unknown fault {fault.kind!r}")
        with self._lock:
            self._fault = fault

    def state(self) -> dict[str, object]:
        """``plugged``, ``card`` (lifted, placed, found, selected or read) and ``fault``."""
        with self._lock:
            return {"plugged": self._plugged, "card": self._step, "fault": self._fault.kind if self._fault else ""}

    def asked(self, command: str) -> int:
        """How often ``status``, ``find``, ``select`` or ``read`` has been asked."""
        with self._lock:
            return self._asked[command]

    def wait_asked(self, command: str, times: int, timeout: float = 5.0) -> bool:
        """Wait until ``asked(command)`` has reached ``times``; False when it has not in ``timeout`` seconds."""
        with self._lock:
            return self._lock.wait_for(lambda: self._asked[command] >= times, timeout)

    def _order(self, order: str) -> None:
        """Have the wire's own thread pull or plug the cable: it alone touches the wire."""
        with self._lock:
            self._orders.append(order)
        self._wire.wake()
        with self._lock:
            self._lock.wait_for(lambda: self._plugged == (order == "replug") or not self._thread.is_alive(), 5.0)

    def _run(self) -> None:
        parser = FrameParser(shortest=2)
        while not self._stopping.is_set():
            for item in parser.feed(self._wire.receive()):
                if self._plugged:
                    self._answer(item.body if isinstance(item, Frame) else None)
            with self._lock:
                orders, self._orders = self._orders, []
            for order in orders:
                self._plug(order == "replug")
                parser = FrameParser(shortest=2)

    def _plug(self, plugged: bool) -> None:
        with self._lock:
            if plugged != self._plugged:
                if plugged:
                    self._wire.plug()
                else:
                    self._wire.unplug()
                self._plugged = plugged
                # A reader that loses its power forgets that it has read the card.
                self._step = "placed" if self._card else "lifted"
            self._lock.notify_all()

    def _answer(self, body: bytes | None) -> None:
        command = COMMANDS.get(body or b"", "")
        with self._lock:
            self._asked[command] += 1
            self._lock.notify_all()
            fault = self._due_fault(command)
        kind = fault.kind if fault else ""
        if kind == "silence":
            return
        if fault and kind == "delay":
            self._stopping.wait(fault.seconds)
        with self._lock:
            data = self._respond(body, command)
        if kind == "self_test_failed":
            data = sdt_frames.response(0x60)
        elif kind == "bad_checksum":
            data = data[:-1] + bytes([data[-1] ^ 0xFF])
        elif kind in ("partial", "unplug_mid_read"):
            data = data[: len(data) // 2]
        self._wire.send(data)
        if kind == "unplug_mid_read":
            self._plug(False)

    def _due_fault(self, command: str) -> Fault | None:
        fault = self._fault
        if fault is None or command != (fault.on or ("read" if fault.kind == "unplug_mid_read" else command)):
            return None
        if fault.times:
            left = fault.times - 1
            self._fault = Fault(fault.kind, fault.on, left, fault.seconds) if left else None
        return fault

    def _respond(self, body: bytes | None, command: str) -> bytes:
        """What the SAM says, and the step that the card is at afterwards."""
        if body is None:
            return sdt_frames.response(sdt_frames.BAD_CHECKSUM)
        match command, self._step:
            case "status", _:
                return sdt_frames.response(sdt_frames.OK)
            case "find", "placed" | "found" | "selected":
                self._step = "found"
                return sdt_frames.response(sdt_frames.FOUND, bytes(4))
            case "find", _:
                return sdt_frames.response(sdt_frames.NO_CARD)
            case "select", "found" | "selected":
                self._step = "selected"
                return sdt_frames.response(sdt_frames.OK, bytes(8))
            case "select", _:
                return sdt_frames.response(sdt_frames.NOT_SELECTED)
            case "read", "selected" | "read" if self._card is not None:
                self._step = "read"
                photo = self._card.photo or bytes(sdt_frames.PHOTO_SIZE)
                return sdt_frames.response(sdt_frames.OK, sdt_frames.card_data(id_text.encode(self._card), photo))
            case "read", _:
                return sdt_frames.response(sdt_frames.READ_FAILED)
            case _:
                return sdt_frames.response(0x21)


def _wire(kind: str) -> _Wire:
    if sys.platform == "win32" or kind == "tcp":
        return TcpWire()
    return PtyWire()
