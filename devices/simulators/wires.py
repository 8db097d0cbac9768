"""Where a simulator's bytes come in and go out: a pseudo-terminal, or a TCP port."""

from __future__ import annotations

import os
import select
import socket
import sys
import tempfile
from pathlib import Path
from typing import Protocol


class Wire(Protocol):
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
        """A pseudo-terminal behind a symbolic link, which keeps its name when the device is plugged in again."""

        def __init__(self) -> None:
            self._folder = tempfile.TemporaryDirectory(prefix="govdesk-device-")
            self._link = Path(self._folder.name) / "ttyDEVICE"
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
    """A TCP port of the loopback, for one connection at a time: network devices, and systems without terminals."""

    def __init__(self, scheme: str = "socket") -> None:
        """``scheme``: how its address begins; ``socket`` is pySerial's."""
        self._scheme = scheme
        self._waker = _Waker()
        self._address = ("127.0.0.1", 0)
        self._server: socket.socket | None = None
        self._line: socket.socket | None = None
        self.port = ""

    def plug(self) -> None:
        self._server = socket.create_server(self._address)
        self._address = self._server.getsockname()
        self.port = f"{self._scheme}://127.0.0.1:{self._address[1]}"

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


def serial_wire(kind: str = "") -> Wire:
    """A wire that pySerial opens: ``pty`` or ``tcp``, by default a pty where the system has them."""
    if sys.platform == "win32" or kind == "tcp":
        return TcpWire()
    return PtyWire()
