"""One fault run: a hall of counters at work while everything around them breaks, by a plan drawn from one seed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from client.data.profile import Profile
from client.driver.parts import PROJECT, Part
from client.driver.relay import Relay, random_sabotage
from server_stub.backup import snapshot
from server_stub.config import Config, read_settings
from server_stub.database import Database
from server_stub.seeding import CONSOLE, seed
from server_stub.services import opened
from sync.accounts import Accounts
from tests.support.faults.counter import CHEAP, PASSWORD, ShiftedClock, Task, days_off, login_of, write
from tests.support.faults.disk import Disk
from tests.support.faults.verdict import compare, in_clear

SETTINGS = """argon2_time = 1
argon2_memory_kib = 64
sign_ins_per_minute_device = 100000
sign_ins_per_minute_address = 100000
min_free_mib = 0
"""
PROCESSES = 3
"""Counters share so many processes: a kill takes all that live in one."""
PATIENCE_S = 60.0
"""Within this everything is drained once all is well again (issue 4)."""
STALLED_S = 60.0
TICK = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for on the command line. ``patience_s``: how long to wait for a drain that may never come."""

    seed: int
    clients: int
    commands: int
    mutant: str = ""
    patience_s: float = PATIENCE_S

    @property
    def total(self) -> int:
        return self.clients * self.commands


def weather(plan: Plan) -> list[tuple[int, str]]:
    """What breaks, and after how many commands: the same for the same plan."""
    rng = random.Random(plan.seed)
    total = plan.total

    def among(first: float, last: float) -> int:
        return int(total * rng.uniform(first, last))

    events = [(among(0.05, 0.95), "client killed") for _ in range(max(2, min(10, total // 250)))]
    events += [(among(0.05, 0.95), "server killed") for _ in range(max(2, min(8, total // 300)))]
    events += [(among(0.1, 0.9), "cable pulled") for _ in range(1 if total < 300 else 3)]
    events += [(among(0.1, 0.9), "disk of the counters full"), (among(0.1, 0.9), "disk of the server full")]
    events += [(among(0.1, 0.9), "second process")]
    events += [(among(0.2, 0.35), "backup"), (among(0.5, 0.65), "restored"), (among(0.7, 0.8), "backup")]
    return sorted(events)


@dataclass
class Hall:
    """The processes of a run, and what has happened so far."""

    plan: Plan
    folder: Path
    own_disk: bool
    happened: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.plan.seed}/weather")
        self.clients = Disk(self.folder / "clients", own=self.own_disk)
        self.disk = Disk(self.folder / "server", own=self.own_disk)
        self.data = self.disk.path / "data"
        self.data.mkdir()
        (self.data / "server.toml").write_text(SETTINGS, "utf-8")
        with opened(Config(self.data, demo=True, settings=read_settings(self.data))) as services:
            seed(services)
            codes = [services.devices.new_code(CONSOLE, "hall-1", f"{n}号窗") for n in range(self.plan.clients)]
        self.log = (self.folder / "server.log").open("ab")
        module = "tests.support.faults.server"
        os.environ["GOVDESK_MUTANT"] = self.plan.mutant
        scratch = self.folder / "tmp"
        scratch.mkdir()
        os.environ["TMPDIR"] = str(scratch)  # what is left behind there is looked at, too
        self.server = Part(module, "--data", str(self.data), "--demo", folder=self.folder, log=self.log)
        self.relay = Relay(self.address())
        self.devices = [self._enrol(i, code.secret) for i, code in enumerate(codes)]
        self.relay.sabotage = random_sabotage(self.plan.seed)

    def address(self) -> tuple[str, int]:
        """Where the server listens."""
        port = urlsplit(str(self.server.said["url"])).port
        assert port is not None
        return "127.0.0.1", port

    def _enrol(self, i: int, code: str) -> str:
        with Profile(self.clients.path / f"c{i}") as profile:
            accounts = Accounts(profile, ShiftedClock(days_off(i)), cost=CHEAP)
            device = accounts.enrol(f"https://127.0.0.1:{self.relay.port}", code).device
            accounts.sign_in(login_of(i), PASSWORD)  # from now on this person may work here without the server
            accounts.close()
        return device

    # -- counters

    def groups(self) -> list[tuple[int, ...]]:
        """Which clients live together."""
        count = min(PROCESSES, self.plan.clients)
        return [tuple(range(first, self.plan.clients, count)) for first in range(count)]

    def start(self, group: int, clients: tuple[int, ...] = (), name: str = "") -> subprocess.Popen[bytes]:
        task = Task(
            str(self.folder), str(self.clients.path), self.plan.seed, clients or self.groups()[group], self.plan.mutant
        )
        if not name:  # whoever looks must not see what an earlier life has said
            (self.folder / f"status{self.groups()[group][0]}.json").unlink(missing_ok=True)
        path = self.folder / f"task{name or group}.json"
        write(path, asdict(task))
        with (self.folder / f"counter{name or group}.log").open("ab") as log:
            command = [sys.executable, "-m", "tests.support.faults.counter", str(path)]
            return subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)

    def given(self) -> int:
        """How many commands have been promised so far."""
        return sum(path.read_bytes().count(b"\n") for path in self.folder.glob("given*.txt"))

    def look_after(self) -> None:
        """Nobody but us ends a counter: one that ended by itself is a finding, and is started again."""
        for group, process in self.running.items():
            if (status := process.poll()) is not None and not (self.folder / "finish").exists():
                self.problems.append(f"counter process {group} ended with {status}: {self._last_words(str(group))}")
                self.running[group] = self.start(group)

    def _last_words(self, name: str) -> str:
        return (self.folder / f"counter{name}.log").read_text("utf-8", "replace").strip()[-300:]

    # -- weather

    def happen(self, what: str) -> None:
        """One thing of the plan."""
        self.happened[what] += 1
        if what == "client killed":
            victim = self.rng.choice(sorted(self.running))
            self.running[victim].kill()
            self.running[victim].wait()
            self.look_for_leaks(what)
            self.running[victim] = self.start(victim)
        elif what == "server killed":
            self.server.kill_and_restart(lambda: self.look_for_leaks(what))
            self.relay.retarget(self.address())
        elif what == "cable pulled":
            self.relay.cut()
            time.sleep(self.rng.uniform(0.2, 0.8))
            self.relay.restore()
        elif what == "second process":
            self._second()
        elif what == "backup":
            database = Database(f"sqlite:///{self.data / 'server.db'}")
            snapshot(database, self.folder / "backup.db")
            database.close()
        elif what == "restored":
            self.restore()
        else:
            self._full(self.clients if "counters" in what else self.disk, what)

    def look_for_leaks(self, what: str) -> None:
        """At the first kill of its kind: files that were being written must say nothing of people either."""
        if self.happened[what] == 1:
            self.problems += [f"when the {what}: {found}" for found in in_clear(self.folder)]

    def restore(self) -> None:
        """The server is lost, and comes back as it was at the last backup."""

        def replace() -> None:
            for path in self.data.glob("server.db*"):
                path.unlink()
            shutil.copyfile(self.folder / "backup.db", self.data / "server.db")

        self.server.kill_and_restart(replace)
        self.relay.retarget(self.address())

    def _full(self, disk: Disk, what: str) -> None:
        if not any(disk.fill() for _ in range(20)):
            self.happened[what] -= 1
            return
        time.sleep(self.rng.uniform(0.3, 0.8))
        disk.clear()

    def _second(self) -> None:
        """The program is started once more on a profile that is in use: it says so and goes."""
        group = self.rng.choice(sorted(self.running))
        clients = self.groups()[group][:1]
        deadline = time.monotonic() + 20
        while not (self.folder / f"status{clients[0]}.json").exists() and time.monotonic() < deadline:
            time.sleep(TICK)  # the first one is still on its way to the lock
        second = self.start(group, clients, "second")
        try:
            status: int | None = second.wait(20)
        except subprocess.TimeoutExpired:
            second.kill()
            second.wait()
            status = None
        if status != 2 or "已经在运行" not in self._last_words("second"):
            said = self._last_words("second")
            self.problems.append(f"a second process on a profile was not refused ({status}): {said}")

    # -- the two parts of a run

    def work(self) -> None:
        """Until every command of the plan is given."""
        plan = weather(self.plan)
        self.allow(plan)
        self.running = {group: self.start(group) for group in range(len(self.groups()))}
        moved, before = time.monotonic(), -1
        while (given := self.given()) < self.plan.total or plan:
            if plan and given >= plan[0][0]:
                self.happen(plan.pop(0)[1])
                self.allow(plan)
            self.look_after()
            if given != before:
                moved, before = time.monotonic(), given
            if time.monotonic() - moved > STALLED_S or len(self.problems) > 5:
                self.problems.append(f"the work stands still at {given} of {self.plan.total}")
                return
            time.sleep(TICK)

    def allow(self, plan: list[tuple[int, str]]) -> None:
        """Let the counters work on into what comes next, and not beyond it: it shall find them at work."""
        each = self.plan.commands
        upto = plan[0][0] // self.plan.clients + max(3, each // 12) if plan else each
        write(self.folder / "gate", min(upto, each))

    def drain(self) -> float:
        """Seconds until the server has everything and every counter knows it."""
        begun = time.monotonic()
        while behind := self.behind():
            self.look_after()
            took = time.monotonic() - begun
            if took > self.plan.patience_s:
                self.problems.append(f"not drained after {took:.0f} s: {'; '.join(behind)[:800]}")
                for process in self.running.values():
                    process.send_signal(signal.SIGUSR1)  # each log tells where its threads stand
                return took
            time.sleep(0.05)
        return time.monotonic() - begun

    def behind(self) -> list[str]:
        """Who is not through yet, and with what."""
        with sqlite3.connect(f"file:{self.data / 'server.db'}?mode=ro", uri=True, timeout=10) as db:
            [epoch] = db.execute("select value from epoch").fetchone()
            last = dict(db.execute("select id, last_n from device"))
            heads = dict(db.execute("select name, seq from scope"))
        db.close()
        told: dict[str, Any] = {}
        for path in self.folder.glob("status*.json"):
            told.update(json.loads(path.read_text("utf-8")))
        late = []
        for i, device in enumerate(self.devices):
            one = told.get(str(i), {})
            feeds = all(seq >= heads.get(scope, 0) for scope, seq in one.get("cursors", {"": -1}).items())
            there = (one.get("epoch"), one.get("last_n"), one.get("waiting")) == (epoch, last[device], 0)
            if not there or not feeds:
                rest = {key: one.get(key) for key in ("last_n", "waiting", "deferred", "state", "cursors")}
                known = "" if one.get("epoch") == epoch else ", of another epoch"
                late.append(f"{i}: {rest}{known}, server has {last[device]}{'' if feeds else f', feeds at {heads}'}")
        return late

    def finish(self) -> None:
        """Let the counters report and go."""
        (self.folder / "finish").touch()
        for group, process in self.running.items():
            try:
                status = process.wait(60)
            except subprocess.TimeoutExpired:
                self.problems.append(f"counter process {group} does not end")
                continue
            if status:
                self.problems.append(f"counter process {group} ended with {status}: {self._last_words(str(group))}")

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()
        self.relay.close()
        self.server.stop()
        self.log.close()


@contextmanager
def opened_hall(plan: Plan, folder: Path, own_disk: bool) -> Iterator[Hall]:
    """A hall that leaves neither process nor disk behind."""
    hall = Hall(plan, folder, own_disk)
    try:
        yield hall
    finally:
        hall.close()


def run(plan: Plan, folder: Path, *, own_disk: bool, keep: Path | None = None) -> dict[str, Any]:
    """What came of it, as the command line prints it; ``keep`` gets a copy of all that was written."""
    begun = time.monotonic()
    with opened_hall(plan, folder, own_disk) as hall:
        hall.work()
        took = time.monotonic() - begun
        hall.relay.sabotage = None  # the network heals: from now on everything must drain
        drained = [hall.drain()]
        hall.restore()  # and once more, when nobody has anything left to say of himself
        hall.happened["restored"] += 1
        drained.append(hall.drain())
        hall.finish()
    found = compare(hall.data, folder, hall.devices, hall.problems)
    if keep:
        shutil.copytree(folder, keep, dirs_exist_ok=True)
    for disk in (hall.clients, hall.disk):
        disk.close()
    verdict = {
        **asdict(plan),
        **found,
        "drained_s": round(max(drained), 2),
        "seconds": round(time.monotonic() - begun, 1),
        "per_second": round(plan.total / took),
        "happened": dict(sorted(hall.happened.items())),
        "connections": hall.relay.connections,
        "problems": hall.problems[:10],
        "ok": not hall.problems,
    }
    del verdict["patience_s"]
    return verdict
