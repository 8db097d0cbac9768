"""How soon 1,000 commands given offline are at the server: the real server, TLS, sign-in, and the encrypted store.

A counter that has been without a network has accepted 1,000 cases, each with its number and its receipt. Measured from
the first step of the synchronisation until the server has answered for every one and the counter has kept the answer.
Both sides work in turn, so on a machine of their own the clock says what their processors need and little more;
where others work, too, only the processors tell what it costs. The clock is held to the goal, for it is the clerk's.
"""

from __future__ import annotations

import random
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from client.data.profile import Profile
from client.data.store import Store
from modules.common.clock import SystemClock
from server_stub.config import Config, read_settings
from server_stub.services import opened
from sync.accounts import Accounts
from sync.engine import Policy, SyncEngine
from sync.loop import SyncLoop
from tests.perf.harness import processor_seconds, report
from tests.support.faults.counter import CHEAP, ITEM, PASSWORD, body
from tests.support.servers import server

pytestmark = pytest.mark.perf
COMMANDS, ROUNDS = 1000, 2
GOAL_S = 3.0


def test_a_thousand_offline_commands(tmp_path: Path) -> None:
    given: set[str] = set()
    with ExitStack() as stack:
        running = stack.enter_context(server(tmp_path))
        profile = stack.enter_context(Profile(tmp_path / "counter"))
        accounts = Accounts(profile, SystemClock(), cost=CHEAP)
        stack.callback(accounts.close)
        accounts.enrol(running.url, running.codes["1号窗"])
        store = accounts.sign_in("zhangsan", PASSWORD).store
        engine = SyncEngine(store, SystemClock(), random.Random(1), Policy(block=COMMANDS))
        loop = SyncLoop(engine, accounts.transport)
        stack.callback(loop.stop)
        rounds = []
        for _ in range(ROUNDS):
            given |= work_offline(store, loop)
            rounds.append(drain(store, loop, running.process.pid))
        assert store.tally().refused == store.tally().deferred == 0
        with opened(Config(running.data, settings=read_settings(running.data))) as services:
            assert all(services.commands.get("case", id) for id in given)
    took, worked = (min(each) for each in zip(*rounds, strict=True))
    report("1,000 offline commands at the server, by the clock", took, "s", GOAL_S)
    report("1,000 offline commands, both sides' processors", worked, "s", GOAL_S)
    assert took <= GOAL_S


def work_offline(store: Store, loop: SyncLoop) -> set[str]:
    """Accept cases that nobody hears of; their ids."""
    while loop.step() == 0 or store.tally().serials < COMMANDS:
        pass
    item = store.get("service_item", ITEM)
    assert item is not None
    given = {store.new_id() for _ in range(COMMANDS)}
    for n, id in enumerate(given):
        store.give("case", id, "case.accept", body(item.doc["version"], n), numbered=True)
    return given


def drain(store: Store, loop: SyncLoop, server_pid: int) -> tuple[float, float]:
    """Seconds until nothing waits any more, by the clock and of the two processors."""
    assert store.tally().waiting == COMMANDS
    loop.poke()
    own, servers = time.process_time(), processor_seconds(server_pid)
    began = time.perf_counter()
    while store.tally().waiting:
        loop.step()
    took = time.perf_counter() - began
    own, servers = time.process_time() - own, processor_seconds(server_pid) - servers
    sys.stdout.write(f"\n{took:.2f} s: {own:.2f} s of the counter's processor, {servers:.2f} s of the server's")
    return took, own + servers
