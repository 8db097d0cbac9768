"""Starts the suite's other programs, from a source tree or from the frozen executable, which is one for all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

PROJECT = Path(__file__).resolve().parents[2]
STARTED_WITHIN_S = 60.0
STOPPED_WITHIN_S = 15.0


def frozen() -> bool:
    """Whether this runs as the frozen program."""
    return bool(getattr(sys, "frozen", False))


def program(module: str) -> list[str]:
    """The command that runs ``module``: ``client``, ``server_stub`` or ``devices.simulators``."""
    if not frozen():
        return [sys.executable, "-m", module]
    return [sys.executable] if module == "client" else [sys.executable, "--part", module]


class Part:
    """A program that says in a ready file that it is ready. A context manager; leaving it ends the program."""

    def __init__(self, module: str, *arguments: str, folder: Path, log: IO[bytes] | None = None) -> None:
        self._command = [*program(module), *arguments]
        self._ready = folder / f"{module}.ready.json"
        self._log = log
        self.said: dict[str, Any] = {}
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self._ready.unlink(missing_ok=True)
        command = [*self._command, "--ready-file", str(self._ready)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self._log or subprocess.DEVNULL,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": str(PROJECT)} if not frozen() else None,
        )
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not self._ready.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise RuntimeError(f"{' '.join(command)} did not start ({process.wait()})")
            time.sleep(0.02)
        self.said = json.loads(self._ready.read_text("utf-8"))
        return process

    def kill_and_restart(self, between: Callable[[], None] = lambda: None) -> None:
        """End it without a warning, do what is to be done while it is down, and start it again."""
        self.process.kill()
        self.process.wait()
        between()
        self.process = self._start()

    def __enter__(self) -> Part:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask it to end; end by force what does not."""
        self.process.terminate()
        try:
            self.process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def screen(folder: Path, width: int = 1440, height: int = 900, *, second: bool = False) -> dict[str, str]:
    """The environment of a client without a display: an offscreen screen of that size, with ``second`` two of them."""
    path = folder / ("screens.json" if second else "screen.json")
    one = {"x": 0, "y": 0, "width": width, "height": height, "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
    screens = [{**one, "name": "offscreen"}]
    if second:
        screens.append({**one, "name": "citizen", "x": width, "width": 1280, "height": 800})
    path.write_text(json.dumps({"screens": screens}), "ascii")
    return {**os.environ, "QT_QPA_PLATFORM": f"offscreen:configfile={path}"}
