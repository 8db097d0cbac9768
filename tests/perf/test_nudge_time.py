"""How soon a change is at other counters: 200 devices signed in and listening, through TLS, to the real server.

Measured from the clerk's key, with the local commit and the push in it, until a listener holds the document, having
been told of it and having asked. ``a person's``: 25 devices read the feed; ``the whole hall's``: all 200 do, at
once. The 200 share this machine with the server, so the work of both sides is in the figure. The peer is a counter
that only asks every five seconds, as all did before.
"""

from __future__ import annotations

import queue
import random
import statistics
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from client.data.profile import Profile
from client.data.store import Store
from modules.common.clock import SystemClock
from server_stub.config import Config, read_settings
from server_stub.seeding import CONSOLE
from server_stub.services import opened
from sync.accounts import Accounts
from sync.engine import Policy, SyncEngine
from sync.loop import SyncLoop
from tests.perf.harness import report
from tests.support.faults.counter import CHEAP, PASSWORD, body, wait_for_item
from tests.support.servers import PROJECT, QUICK, server

pytestmark = pytest.mark.perf
COUNTERS, PROCESSES, ROUNDS = 200, 2, 12
GOAL_MS = 300
HALL = "hall-1"
CLERKS = ("zhangsan", "lisi", "chenjing", "liuyang", "huangmin", "zhaolei", "wuting", "xuli")
MANY = f"{QUICK}sign_ins_per_minute_address = 60000\n"


class Listeners:
    """Processes full of counters that listen, and when each heard what."""

    def __init__(self, stack: ExitStack, folder: Path, url: str, codes: list[str]) -> None:
        self.heard: queue.Queue[tuple[str, int, float]] = queue.Queue()
        ready = threading.Barrier(PROCESSES + 1)
        for part in range(PROCESSES):
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.listeners", str(folder / f"l{part}"), url, ",".join(CLERKS)],
                cwd=PROJECT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            stack.callback(process.stdout.close)
            stack.callback(process.wait, 60)
            stack.callback(process.stdin.close)
            process.stdin.write("\n".join(codes[part::PROCESSES]) + "\n\n")
            process.stdin.flush()
            threading.Thread(target=self._read, args=(process, ready), daemon=True).start()
        ready.wait(240)

    def _read(self, process: subprocess.Popen[str], ready: threading.Barrier) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "ready\n":
                ready.wait(240)
            else:
                scope, seq, moment = line.split()
                self.heard.put((scope, int(seq), float(moment)))

    def moments(self, scope: str, count: int) -> list[float]:
        """When ``count`` listeners got news of ``scope``."""
        found: list[float] = []
        while len(found) < count:
            heard = self.heard.get(timeout=30)
            if heard[0] == scope:
                found.append(heard[2])
        return found


def test_a_change_reaches_other_counters(tmp_path: Path) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(server(tmp_path, settings=MANY))
        with opened(Config(running.data, settings=read_settings(running.data))) as services:
            codes = [services.devices.new_code(CONSOLE, HALL, f"{n}号台").secret for n in range(COUNTERS + 1)]
        profile = stack.enter_context(Profile(tmp_path / "giver"))
        accounts = Accounts(profile, SystemClock(), cost=CHEAP)
        stack.callback(accounts.close)
        accounts.enrol(running.url, codes.pop())
        store = accounts.sign_in(CLERKS[0], PASSWORD).store
        loop = SyncLoop(SyncEngine(store, SystemClock(), random.Random(1), Policy(pull_every=60)), accounts.transport)
        loop.start()
        stack.callback(loop.stop)
        version = wait_for_item(store, loop)
        listeners = Listeners(stack, tmp_path, running.url, codes)
        own = f"person:{store.actor.id}"
        few = [
            took
            for n in range(ROUNDS)
            for took in after(lambda n=n: phrase(store, loop, n), listeners, own, COUNTERS // len(CLERKS))
        ]
        all_ = [
            took
            for n in range(ROUNDS)
            for took in after(lambda n=n: accept(store, loop, version, n), listeners, f"hall:{HALL}", COUNTERS)
        ]
    tell("a person's change at the person's 25 devices", few)
    tell("the whole hall's change at 200 devices", all_)
    assert p95(few) <= GOAL_MS


def after(give: object, listeners: Listeners, scope: str, count: int) -> list[float]:
    """Milliseconds from a change until each of ``count`` listeners has it."""
    time.sleep(0.2)  # the moments before are none of this change's
    began = time.monotonic()
    give()  # type: ignore[operator]
    return [(moment - began) * 1000 for moment in listeners.moments(scope, count)]


def phrase(store: Store, loop: SyncLoop, n: int) -> None:
    store.give("phrase", store.new_id(), "phrase.put", {"owner": store.actor.id, "text": f"材料齐全 {n}"})
    loop.poke()


def accept(store: Store, loop: SyncLoop, version: int, n: int) -> None:
    store.give("case", store.new_id(), "case.accept", body(version, n), numbered=True)
    loop.poke()


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


def tell(what: str, times: list[float]) -> None:
    report(f"{what}, median", statistics.median(times), "ms", GOAL_MS)
    report(f"{what}, p95", p95(times), "ms", GOAL_MS)
    peer = Policy().pull_every * 1000 * 0.95
    sys.stdout.write(f"\n{'':52} {peer / p95(times):8.1f} times sooner than asking every 5 s (p95)")
