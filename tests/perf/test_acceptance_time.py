"""What a citizen waits for: from "confirm" until the case is stored and queued and its receipt can be printed."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

import pytest

from client.data.profile import Profile
from client.data.store import Store
from modules.acceptance.services.cases import AcceptanceService, Intake
from modules.acceptance.services.papers import prepare
from modules.common.clock import SystemClock
from sync.accounts import Accounts
from sync.engine import Policy, SyncEngine
from sync.loop import SyncLoop
from tests.perf.conftest import PERSON, Counter
from tests.perf.harness import report
from tests.support.faults.counter import ITEM, body, wait_for_item

pytestmark = pytest.mark.perf
CASES = 30
GOAL_MS = 300


class NoPrinter:
    """The receipt is made; paper is another matter."""

    def print_pdf(self, pdf: bytes, title: str) -> str:
        raise AssertionError(title)


def test_confirm_to_receipt(counter: Counter, tmp_path: Path) -> None:
    with Profile(counter.profile) as profile:
        clock = SystemClock()
        accounts = Accounts(profile, clock)
        store = accounts.sign_in(PERSON["login"], PERSON["password"]).store
        loop = SyncLoop(SyncEngine(store, clock, random.Random(1), Policy()), accounts.transport)
        loop.start()
        version = wait_for_item(store, loop)
        service = AcceptanceService(store, store, store.drafts, store.prints, store, NoPrinter(), accounts, clock)
        prepare()
        took = [accept(store, service, version, n) for n in range(CASES)]
        loop.stop()
        accounts.close()
    report("confirm to receipt, median", statistics.median(took), "ms", GOAL_MS)
    report(f"confirm to receipt, slowest of {CASES}", max(took), "ms", GOAL_MS)
    assert statistics.median(took) <= GOAL_MS


def accept(store: Store, service: AcceptanceService, version: int, n: int) -> float:
    """Milliseconds for one case, with its draft as the window would have kept it."""
    intake = Intake(id=store.new_id(), item_name="", **body(version, n))  # type: ignore[arg-type]
    service.save(intake)
    started = time.perf_counter()
    order = service.accept(intake)
    receipt = service.receipt(order)
    took = (time.perf_counter() - started) * 1000
    assert receipt.data.startswith(b"%PDF")
    assert order.record.pending == 1
    assert order.record.doc["item"]["id"] == ITEM
    return took
