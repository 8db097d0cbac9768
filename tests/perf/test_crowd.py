"""500 counters at once, each on a line of its own, through mutual TLS and signed in, to the real server.

They are in 25 halls. Four questions of five read the hall's feed from where the counter is, each fifth accepts a case.
``at work``: everybody waits two seconds, more or less, between an answer and the next question: two hundred questions
in a second, more than 500 counters ask when all are busy. ``without a pause``: 500 questions are there at every
moment; the requirements (E1, E2) give that three seconds. The crowd shares the machine with the server.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pytest

from server_stub.config import Config, read_settings
from server_stub.services import opened
from tests.perf.harness import processor_seconds, report
from tests.support.clean_env import clean_env
from tests.support.crowd import Plan
from tests.support.faults.counter import ITEM
from tests.support.members import halls, member
from tests.support.servers import PROJECT, QUICK, RunningServer, postgres, server

pytestmark = pytest.mark.perf
HALLS, IN_EACH, SECONDS = 25, 20, 20.0
PAUSES = {"at work": 2.0, "without a pause": 0.0}
REQUIRED_MS = 3000
GOALS_MS = {"sqlite": 500, "postgres": 1500}
MANY = f"{QUICK}sign_ins_per_minute_address = 60000\n"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
    else:
        with postgres() as url:
            yield url


def test_five_hundred_counters(database: str, tmp_path: Path) -> None:
    kind = "postgres" if database else "sqlite"
    with ExitStack() as stack:
        running = stack.enter_context(server(tmp_path, database or None, settings=MANY))
        with opened(Config(running.data, database, settings=read_settings(running.data))) as services:
            item = services.commands.get("service_item", ITEM)
            assert item is not None
            means = {}
            for name, pause in PAUSES.items():
                members = [member(services, tmp_path, hall) for hall in halls(services, HALLS) for _ in range(IN_EACH)]
                plan = Plan(running.url, str(running.ca), SECONDS, pause, item["version"], members)
                means[name] = measure(f"{kind}, {name}", plan, running, tmp_path, goal_of(kind, name))
    assert all(mean <= goal_of(kind, name) for name, mean in means.items()), means


def goal_of(kind: str, name: str) -> float:
    return GOALS_MS[kind] if PAUSES[name] else REQUIRED_MS


def measure(what: str, plan: Plan, running: RunningServer, folder: Path, goal: float) -> float:
    """The mean of all answers in milliseconds; nothing may go wrong."""
    file = folder / "plan.json"
    file.write_text(json.dumps(asdict(plan)), "utf-8")
    command = [sys.executable, "-m", "tests.support.crowd", str(file)]
    before = processor_seconds(running.process.pid)
    done = subprocess.run(command, cwd=PROJECT, env=clean_env(folder / "home"), capture_output=True, check=True)
    work = processor_seconds(running.process.pid) - before
    seen = json.loads(done.stdout)
    assert not seen["errors"], (len(seen["errors"]), seen["errors"][:3])
    every = seen["reads"] + seen["writes"]
    mean = statistics.mean(every) * 1000
    report(f"{len(plan.members)} counters, {what}: mean", mean, "ms", goal)
    report("… worst of 100", statistics.quantiles(every, n=100)[-1] * 1000, "ms", goal)
    reads, writes = (statistics.mean(seen[name]) * 1000 for name in ("reads", "writes"))
    sys.stdout.write(
        f"\n{'':4}{len(every) / plan.seconds:.0f} answers in a second; reads {reads:.0f} ms, writes {writes:.0f} ms; "
        f"{work / len(every) * 1000:.2f} ms of the server's processor each"
    )
    return mean
