"""The hall of the tour: server, device simulators, the line that is cut, and the clients at their places."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from client.driver.client import Driven
from client.driver.parts import PROJECT, Part, frozen, program, screen
from client.driver.relay import Relay
from client.driver.tour.record import TourError
from devices.simulators.control import Control

PATIENCE = 30.0


class Hall:
    """The server, the devices of a window and of a ticket machine, and the line that is cut."""

    def __init__(self, folder: Path, database: str, stack: ExitStack, *, stalls: Path | None = None) -> None:
        self.folder = folder
        self._stack = stack
        self._stalls = stalls
        self._log = stack.enter_context((folder / "parts.log").open("ab"))
        options = ["--data", str(folder / "server"), "--demo", *(["--database", database] if database else [])]
        self.server = stack.enter_context(Part("server_stub", *options, folder=folder, log=self._log))
        self.window = self._devices("window", "id_card", "camera", "evaluator", "window_screen")
        self.kiosk = self._devices("kiosk", "id_card", "ticket_printer")
        address = urlsplit(self.server.said["url"])
        assert address.port is not None
        self.line = Relay(("127.0.0.1", address.port))
        stack.callback(self.line.close)
        # whatever is in the database is sealed: the server's own program opens it
        ask = [*program("server_stub"), "documents", *options[:2], *(["--database", database] if database else [])]
        self._reader = stack.enter_context(_Reader(ask, self._log))

    def _devices(self, name: str, *kinds: str) -> dict[str, Control]:
        """Simulators of a place, each with its control channel; ``<name>.json`` binds them."""
        folder = self.folder / name
        folder.mkdir()
        tickets = self.folder / "tickets"
        bindings = ["--devices-file", str(self.folder / f"{name}.json"), "--tickets", str(tickets)]
        part = Part("devices.simulators", "--only", *kinds, *bindings, folder=folder, log=self._log)
        said = self._stack.enter_context(part).said
        return {kind: Control(said[kind]["control"]) for kind in kinds}

    def client(
        self, profile: str, place: str, *, cable: bool = False, devices: str = "", citizen: bool = False
    ) -> Driven:
        """A client enrolled for ``place``. ``cable``: its way to the server is the line that is cut; ``devices``: the
        simulators of ``window`` or ``kiosk``; ``citizen``: with a second monitor.
        """
        code = next(entry["code"] for entry in self.server.said["enrolment_codes"] if entry["name"] == place)
        url = f"https://127.0.0.1:{self.line.port}" if cable else str(self.server.said["url"])
        arguments = ["--profile", str(self.folder / profile), "--server", url, "--enrol", code, "--no-keyring"]
        if devices:
            arguments += ["--devices", str(self.folder / f"{devices}.json")]
        if self._stalls is not None:
            arguments += ["--stalls", str(self._stalls / f"{profile}.json")]
        env = screen(self.folder, second=citizen)
        driven = Driven.launch(*arguments, program=program("client"), env=env, log=self._log)
        return self._stack.enter_context(driven)

    def second_start(self, profile: str, file: Path) -> int:
        """Start the program once more with a file, as a file manager does; its exit status."""
        command = [*program("client"), "--profile", str(self.folder / profile), str(file)]
        done = subprocess.run(
            command, env=screen(self.folder), stdout=self._log, stderr=self._log, timeout=PATIENCE, check=False
        )
        return done.returncode

    def cases(self) -> list[dict[str, Any]]:
        """The cases in the server's database, with the number of events that each has had."""
        return [kept["doc"] | {"events": kept["events"]} for kept in self._reader.ask("case")]


class _Reader:
    """The server's program, asked line by line for what the database holds."""

    def __init__(self, command: list[str], log: IO[bytes]) -> None:
        env = {**os.environ, "PYTHONPATH": str(PROJECT)} if not frozen() else None
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, env=env)

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def ask(self, kind: str) -> list[dict[str, Any]]:
        """The documents of a kind. Raises ``TourError`` when the program has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{kind}\n".encode())
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise TourError("the server's program that reads the database has ended")
        found: list[dict[str, Any]] = json.loads(line)
        return found


def sign_in(window: Driven, person: str) -> None:
    """One click on a demonstration person, until the home page is there."""
    window.click(person, timeout=PATIENCE)
    window.wait("首页", role="part", timeout=PATIENCE)


def wait_for(true: Callable[[], bool], otherwise: str) -> None:
    """Wait until ``true()``. Raises ``TourError`` saying ``otherwise``."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise TourError(otherwise)
        time.sleep(0.1)
