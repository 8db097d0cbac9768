"""The hall of the tour: server, device simulators, the line that is cut, and the clients at their places."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from client.driver.client import Driven
from client.driver.parts import Part, program, screen
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
        self.database = database or f"sqlite:///{folder / 'server' / 'server.db'}"

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

    def cases(self) -> list[dict[str, Any]]:
        """The cases in the server's database, with the number of events that each has had."""
        from sqlalchemy import create_engine, text

        engine = create_engine(self.database.replace("postgresql://", "postgresql+psycopg://"))
        try:
            with engine.connect() as db:
                rows = db.execute(text("select id, doc from aggregate_state where kind = 'case'")).all()
                events = text("select count(*) from event where kind = 'case' and aggregate_id = :id")
                return [json.loads(row.doc) | {"events": db.scalar(events, {"id": row.id})} for row in rows]
        finally:
            engine.dispose()


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
