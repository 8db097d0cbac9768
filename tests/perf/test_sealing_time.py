"""What sealing costs: the same commands pushed and the same feed read, with and without it, in one run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from server_stub import feed
from server_stub.sealing import Sealing
from tests.perf.harness import report
from tests.support.central import central

pytestmark = pytest.mark.perf
COMMANDS, TEXT = 2000, "张三 " * 430
"""Documents of about 3 kB, as a case has them."""


def cost(folder: Path) -> tuple[float, float]:
    """Processor time in µs of a command that is pushed, and of a document that is read in a page of the feed."""
    with central(folder) as office:
        counter = office.counter()
        began = time.process_time()
        for _ in range(COMMANDS // 100):
            counter.push(*[counter.command(body={"text": TEXT}) for _ in range(100)])
        pushed = time.process_time()
        for since in range(0, COMMANDS, 500):
            with office.services.database.read() as session:
                feed.page(session, office.services.identity.epoch, "", f"hall:{office.hall}", since, 500, "")
        return (pushed - began) / COMMANDS * 1e6, (time.process_time() - pushed) / COMMANDS * 1e6


def test_sealing_costs_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push, pull = cost(tmp_path / "sealed")
    monkeypatch.setattr(Sealing, "seal", lambda self, table, key, text: b"\1\0\1" + text.encode())
    monkeypatch.setattr(Sealing, "open", lambda self, table, key, sealed: sealed[3:].decode())
    bare_push, bare_pull = cost(tmp_path / "clear")
    report("a pushed command, sealed, to one in clear", push / bare_push, "x", 1.5)
    # goal: reading a feed of 10,000 cases costs the server less than a second more
    report("a document of a feed, opened", pull - bare_pull, "µs", 100)
    assert pull - bare_pull < 100
