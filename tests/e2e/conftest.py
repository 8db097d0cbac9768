"""What the tests of the real program share: one server and one reader for each module."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from client.driver.parts import Part
from client.driver.relay import Relay
from modules.common.ids import uuid7
from server_stub.config import Config, read_settings
from server_stub.seeding import CONSOLE
from server_stub.services import opened
from tests.support.halls import Hall
from tests.support.servers import QUICK, server

CODES = 30


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """The hall of one test module."""
    folder = tmp_path_factory.mktemp("hall")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    with ExitStack() as stack:
        log = stack.enter_context((folder / "parts.log").open("ab"))
        central = stack.enter_context(server(folder, settings=QUICK))
        with opened(Config(central.data, settings=read_settings(central.data))) as services:
            codes = [services.devices.new_code(CONSOLE, "hall-1", f"{n}号窗").secret for n in range(1, CODES + 1)]
        reader = stack.enter_context(Part("devices.simulators", folder=folder, log=log))
        yield Hall(folder, central, reader, codes, log)


@pytest.fixture
def line(hall: Hall) -> Iterator[Relay]:
    """A cable to the hall's server."""
    relay = Relay(hall.address)
    yield relay
    relay.close()


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """Where a counter keeps what it knows."""
    return tmp_path / "profile"


@pytest.fixture
def name() -> str:
    """An applicant whom no other test knows."""
    return f"甄{uuid7(int(time.time() * 1000))[-6:]}"
