"""The simulators' control channel: one JSON object a line, on a TCP port of the loopback.

Every simulator has a port of its own. All obey ``unplug``, ``replug``, ``state`` and
``{"do": "fault", "kind": "silence", "on": "read", "times": 1, "seconds": 0.5}`` (without ``kind``: mend); what else
there is stands at each simulator's ``obey``: ``{"do": "place", "card": "zhangsan"}``, ``{"do": "press", "key": 5}`` …
The answer is ``{"ok": …}`` or ``{"error": "…"}``.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import Any

from devices.simulators.base import Simulator


class ControlServer:
    """Serves the control channel of one simulator, until closed. One connection at a time: orders are short."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="simulator-control")

    def __enter__(self) -> ControlServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        # Closing a socket does not wake the thread that waits on it: a last caller does.
        socket.create_connection(self._server.getsockname()).close()
        self._thread.join()
        self._server.close()

    def _serve(self) -> None:
        while not self._closing.is_set():
            line, _ = self._server.accept()
            line.settimeout(2.0)
            try:
                with line, line.makefile("rw", encoding="utf-8", newline="\n") as stream:
                    for text in stream:
                        stream.write(json.dumps(self._answer(text), ensure_ascii=False) + "\n")
                        stream.flush()
            except (OSError, UnicodeDecodeError):
                # A caller that hangs up or falls silent ends its own connection only.
                continue

    def _answer(self, text: str) -> dict[str, Any]:
        try:
            return {"ok": self._simulator.obey(json.loads(text))}
        except (KeyError, TypeError, ValueError) as error:
            return {"error": f"{type(error).__name__}: {error}"}


class Control:
    """Drives a simulator from another process: ``Control("127.0.0.1:4711").place("zhangsan")``."""

    def __init__(self, address: str) -> None:
        host, port = address.rsplit(":", 1)
        self._address = (host, int(port))

    def send(self, do: str, **values: Any) -> Any:
        """Give one order; returns its answer. Raises ``ValueError`` where the simulator refuses it."""
        with socket.create_connection(self._address, timeout=10.0) as line, line.makefile("rw", encoding="utf-8") as f:
            f.write(json.dumps({"do": do, **values}) + "\n")
            f.flush()
            answer = json.loads(f.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["ok"]

    def place(self, card: str) -> None:
        """Put the training card of this key on the reader."""
        self.send("place", card=card)

    def lift(self) -> None:
        """Take the card away."""
        self.send("lift")

    def unplug(self) -> None:
        """Pull the reader's cable."""
        self.send("unplug")

    def replug(self) -> None:
        """Plug the reader in again."""
        self.send("replug")

    def fault(self, kind: str = "", **values: Any) -> None:
        """Let something go wrong (see ``Fault``), or mend it."""
        self.send("fault", **({"kind": kind} if kind else {}), **values)

    def state(self) -> dict[str, Any]:
        """``plugged``, ``fault`` and what the simulator adds."""
        state: dict[str, Any] = self.send("state")
        return state
