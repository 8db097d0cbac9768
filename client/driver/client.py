"""The parent's end of the driver: launches the program and asks it for one thing after another."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from client.driver.protocol import Condition, Counts, Reply, Request, Target, Verb, decode_reply, encode

GRACE_S = 20.0
"""How much longer than the window's own timeout the parent waits for an answer."""
PROGRAM = (sys.executable, "-m", "client")


class DriverError(Exception):
    """The window could not do it; the message ends with what was on the screen."""


class Driven:
    """A running client, driven by names. A context manager: leaving it ends the program."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """``process`` was started with ``--driver`` and pipes as stdin and stdout."""
        self.process = process
        self.counts = Counts()
        self._next = 1
        self._replies: queue.Queue[Reply | None] = queue.Queue()
        assert process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(process.stdout,), name="driven", daemon=True)
        self._reader.start()

    @classmethod
    def launch(
        cls,
        *arguments: str,
        program: Sequence[str] = PROGRAM,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: IO[bytes] | None = None,
    ) -> Driven:
        """Start the client with ``--driver`` and ``arguments``; its stderr goes to ``log``, else to ours."""
        process = subprocess.Popen(
            [*program, "--driver", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=None if env is None else dict(env),
            cwd=cwd,
        )
        return cls(process)

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._replies.put(decode_reply(line))
        self._replies.put(None)

    def _ask(
        self,
        verb: Verb,
        target: Target | None = None,
        *,
        text: str = "",
        condition: Condition = "visible",
        timeout: float = 10.0,
        path: str = "",
    ) -> Any:
        request = Request(self._next, verb, target or Target(), text, condition, timeout, path)
        self._next += 1
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(encode(request))
            self.process.stdin.flush()
            reply = self._replies.get(timeout=timeout + GRACE_S)
        except queue.Empty as error:
            raise DriverError(f"{verb} {request.target}: the window does not answer") from error
        except (OSError, ValueError) as error:
            raise DriverError(f"{verb} {request.target}: the program has ended ({self.process.poll()})") from error
        if reply is None:
            raise DriverError(f"{verb} {request.target}: the program has ended ({self.process.wait(GRACE_S)})")
        if reply.error:
            raise DriverError(f"{reply.error}\n{reply.tree}".rstrip())
        self.counts = reply.counts
        return reply.value

    def click(self, name: str, *, role: str = "", within: str = "", timeout: float = 10.0) -> None:
        """Click the one thing called ``name``, waiting until it is there and enabled."""
        self._ask("click", Target(name, role, within), timeout=timeout)

    def double_click(self, name: str, *, role: str = "", within: str = "", timeout: float = 10.0) -> None:
        """Double-click it."""
        self._ask("double_click", Target(name, role, within), timeout=timeout)

    def type(self, text: str, *, into: str = "", role: str = "", within: str = "", timeout: float = 10.0) -> None:
        """Type into what has the focus, or into what is called ``into``; Chinese comes as from an input method."""
        self._ask("type", Target(into, role, within), text=text, timeout=timeout)

    def key(self, keys: str, *, into: str = "", role: str = "", within: str = "", timeout: float = 10.0) -> None:
        """Press keys, written as ``Ctrl+K`` or ``F8``."""
        self._ask("key", Target(into, role, within), text=keys, timeout=timeout)

    def wait(
        self,
        name: str,
        condition: Condition = "visible",
        *,
        text: str = "",
        role: str = "",
        within: str = "",
        timeout: float = 10.0,
    ) -> None:
        """Wait until the thing is ``visible``, ``enabled``, ``gone``, or says ``text``."""
        self._ask("wait", Target(name, role, within), condition=condition, text=text, timeout=timeout)

    def read(self, name: str = "", *, role: str = "", within: str = "", timeout: float = 10.0) -> dict[str, Any]:
        """What a thing says: role, name, text, enabled, focused, description; checked, rows, cells where it has them.

        Without a name: of what has the keyboard focus.
        """
        said: dict[str, Any] = self._ask("read", Target(name, role, within), timeout=timeout)
        return said

    def shot(self, path: Path, *, of: str = "") -> None:
        """Write a PNG of the window and of what is open over it; or of the window in which ``of`` is."""
        self._ask("shot", Target(of), path=str(path.resolve()))

    def tree(self) -> str:
        """Everything named on the screen."""
        return str(self._ask("tree"))

    def quit(self, timeout: float = 15.0) -> int:
        """Close the windows as a person would and wait for the end; returns the exit status."""
        self._ask("quit")
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise DriverError(f"the program has not ended; on the screen:\n{self.tree()}") from error
        finally:
            self.end()

    def end(self) -> None:
        """Make sure that the program is gone and its pipes are closed."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Driven:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
