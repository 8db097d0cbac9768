"""A TCP relay on the loopback between client and server, whose line can be cut.

The tour and the fault tests put it between the two real processes, so that "the network is down" is
true for the client while the server runs on: connections are refused, or broken in the middle.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes ``close`` send a reset instead of a polite end."""


class Relay:
    """Relays ``127.0.0.1:port`` to ``target``.

    ``sabotage`` is asked once per connection for the number of reply bytes after which the connection
    is reset (None: never; 0: before the request is sent on; 1: after the request, before any reply). These bytes
    are lost with it; of a negative number they arrive, and the line breaks behind them.
    """

    def __init__(self, target: tuple[str, int], sabotage: Callable[[], int | None] | None = None) -> None:
        self._target = target
        self.sabotage = sabotage
        self._up = True
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._acceptor = threading.Thread(target=self._accept, name="relay", daemon=True)
        self._acceptor.start()

    def retarget(self, target: tuple[str, int]) -> None:
        """Send new connections elsewhere: a server that came back on another port."""
        self._target = target

    def cut(self) -> None:
        """Pull the cable: break every connection and refuse new ones."""
        with self._lock:
            self._up = False
            broken, self._open = self._open, set()
        for end in broken:
            _reset(end)

    def restore(self) -> None:
        """Put the cable back."""
        with self._lock:
            self._up = True

    def close(self) -> None:
        """Stop relaying."""
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(5)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._carry, args=(near,), name="relay-line", daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        limit = self.sabotage() if self.sabotage else None
        with self._lock:
            up = self._up
        if not up or limit == 0:
            _reset(near)
            return
        try:
            far = socket.create_connection(self._target, timeout=5)
        except OSError:
            _reset(near)
            return
        far.settimeout(None)
        with self._lock:
            self._open |= {near, far}
        back = threading.Thread(target=self._pump, args=(far, near, limit), name="relay-back", daemon=True)
        back.start()
        self._pump(near, far, None)
        back.join()
        with self._lock:
            self._open -= {near, far}
        for end in (near, far):
            end.close()

    def _pump(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        carried = 0
        try:
            while chunk := source.recv(65536):
                carried += len(chunk)
                broken = limit is not None and carried >= abs(limit)
                if limit is None or limit < 0 or not broken:
                    sink.sendall(chunk)
                if broken:
                    _reset(source)
                    _reset(sink)
                    return
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            # a line broken at one end is broken at the other
            _reset(source)
            _reset(sink)


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        end.close()


def random_sabotage(seed: int, share: float = 0.25) -> Callable[[], int | None]:
    """A seeded saboteur: a ``share`` of connections is reset before, in, or after the reply."""
    rng = random.Random(seed)  # noqa: S311 - reproducible faults, not secrets

    def choose() -> int | None:
        if rng.random() >= share:
            return None
        within = rng.choice([rng.randrange(2, 6000), rng.randrange(6000, 60000)])
        return rng.choice([0, 1, within, -within])

    return choose
