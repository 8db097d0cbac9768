"""The fault harness: counters and the server, real processes, killed at random on a sabotaged line.

What it finds is a ``Verdict``; a correct product has none lost, none doubled, none falsely refused, and drains.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import text

from client.data.profile import Profile
from client.driver.parts import PROJECT, Part
from client.driver.relay import Relay, random_sabotage
from modules.common.clock import SystemClock
from sync.accounts import Accounts
from tests.support.central_data import docs as cases_of
from tests.support.central_data import reading
from tests.support.counter import CHEAP, LOGIN, PASSWORD


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was promised against what the server holds. ``problems`` is empty when all is well."""

    accepted: int
    stored: int
    client_kills: int
    server_kills: int
    problems: tuple[str, ...]


def run(
    folder: Path,
    *,
    counters: int,
    each: int,
    client_kills: int,
    server_kills: int,
    seed: int,
    server_module: str = "server_stub",
    database: str = "",
    limit_s: float = 240.0,
) -> Verdict:
    """Let ``counters`` accept ``each`` cases among so many kills, heal everything, and compare."""
    rng = random.Random(seed)
    (folder / "data").mkdir(parents=True)
    options = ["--data", str(folder / "data"), "--demo", *(["--database", database] if database else [])]
    server_log = (folder / "server.log").open("ab")
    server = Part(server_module, *options, folder=folder, log=server_log)
    relay = Relay(address(server))
    codes = [str(code["code"]) for code in server.said["enrolment_codes"]]
    for i in range(counters):
        with Profile(folder / f"p{i}") as profile:
            accounts = Accounts(profile, SystemClock(), cost=CHEAP)
            accounts.enrol(f"https://127.0.0.1:{relay.port}", codes[i])
            accounts.sign_in(LOGIN, PASSWORD)  # from now on this person may work here without the server
            accounts.close()
    relay.sabotage = random_sabotage(seed)

    def start(i: int) -> subprocess.Popen[bytes]:
        log = (folder / f"counter{i}.log").open("ab")
        arguments = [str(folder / f"p{i}"), str(each), str(folder / f"a{i}.txt")]
        command = [sys.executable, "-m", "tests.support.counter", *arguments]
        with log:
            return subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)

    running = {i: start(i) for i in range(counters)}
    total = counters * each
    # killed in the middle of work: after so many cases have been promised
    client_points = sorted(rng.randrange(total) for _ in range(client_kills))
    server_points = sorted(rng.randrange(total) for _ in range(server_kills))
    problems: list[str] = []
    begun = time.monotonic()
    try:
        while running and len(problems) < 3 and time.monotonic() - begun < limit_s:
            time.sleep(rng.uniform(0.01, 0.2))
            done = sum(len(path.read_bytes().splitlines()) for path in folder.glob("a*.txt"))
            if server_points and done >= server_points[0]:
                server_points.pop(0)
                server.kill_and_restart()
                relay.retarget(address(server))
            elif client_points and done >= client_points[0]:
                client_points.pop(0)
                victim = rng.choice(sorted(running))
                running[victim].kill()
                running[victim].wait()
                running[victim] = start(victim)
            elif not server_points and not client_points:
                relay.sabotage = None  # the network heals: from now on everything must drain
            for i, process in tuple(running.items()):
                if process.poll() == 0:
                    del running[i]
                elif process.poll() is not None:
                    # nobody killed this one: a finding
                    problems.append(f"counter {i} ended with {process.returncode}")
                    running[i] = start(i)
        if running and len(problems) < 3:
            problems.append(f"{len(running)} counters did not drain in {limit_s} s")
    finally:
        for process in running.values():
            process.kill()
            process.wait()
        relay.close()
        server.stop()
        server_log.close()
    promised = [line.split() for path in folder.glob("a*.txt") for line in path.read_text("utf-8").splitlines()]
    stored = compare(folder / "data", database, promised, problems)
    kills = (client_kills - len(client_points), server_kills - len(server_points))
    return Verdict(len(promised), stored, *kills, tuple(problems))


def address(server: Part) -> tuple[str, int]:
    """Where a server listens."""
    port = urlsplit(str(server.said["url"])).port
    assert port is not None
    return "127.0.0.1", port


def compare(data: Path, database: str, promised: list[list[str]], problems: list[str]) -> int:
    """Hold what was promised against the server's database; returns how many cases it holds."""
    with reading(data, database) as db:
        docs = cases_of(db, "case")
        commands = db.execute(text("select aggregate_id, status from command")).all()
        events = db.execute(text("select aggregate_id from event where kind = 'case'")).scalars().all()
        feeds = db.execute(text("select scope, seq from change order by scope, seq")).all()
    for id, number in promised:
        if id not in docs:
            problems.append(f"lost: {number}")
        elif docs[id]["number"] != number:
            problems.append(f"renumbered: {number} is {docs[id]['number']}")
    # a counter may be killed after its commit and before it could promise: such a case is there once, too
    problems += [f"doubled: {id} has {n} events" for id, n in Counter(events).items() if n != 1]
    problems += [f"falsely refused: {row.aggregate_id}" for row in commands if row.status != "applied"]
    answers = Counter(row.aggregate_id for row in commands)
    problems += [f"{n} answers kept for {id}" for id, n in answers.items() if n != 1]
    # what was applied for online and has not been accepted has no number yet
    numbers = Counter(doc["number"] for doc in docs.values() if doc["number"])
    problems += [f"number used twice: {number}" for number, n in numbers.items() if n != 1]
    by_scope: dict[str, list[int]] = {}
    for row in feeds:
        by_scope.setdefault(row.scope, []).append(row.seq)
    problems += [f"feed {scope} has a gap" for scope, seqs in by_scope.items() if seqs != list(range(1, len(seqs) + 1))]
    return len(docs)
