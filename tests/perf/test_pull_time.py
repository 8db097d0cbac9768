"""How soon 10,000 cases are at a counter: the real server, TLS, sign-in, and the encrypted store with its lists.

The peer is PouchDB pulling the very same documents from a PouchDB server on this machine, without TLS, without a
sign-in and without encryption, once in its own steps of 100 and once in steps of 1,000. Needs Node.js; says so.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from client.data.profile import Profile
from modules.common.clock import SystemClock, iso
from modules.common.ids import uuid7
from modules.common.server_ports import Reference
from server_stub import feed
from server_stub.config import Config, read_settings
from server_stub.services import Services, opened
from sync.accounts import Accounts
from sync.engine import Policy, SyncEngine
from sync.loop import SyncLoop
from tests.perf.harness import report
from tests.support.faults.counter import CHEAP, PASSWORD
from tests.support.servers import server

pytestmark = pytest.mark.perf
CASES = 10_000
GOAL_RATIO = 10.0
PEER = Path(__file__).with_name("pouchdb")
SURNAMES, GIVEN = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华"


def cases(services: Services, count: int) -> list[dict[str, Any]]:
    """``count`` cases like a real one of the demonstration, each with a name and numbers of its own."""
    (first, *_) = services.commands.find("case", limit=1)
    made, rng = [], random.Random(1)
    for n in range(count):
        doc = deepcopy(first)
        name = rng.choice(SURNAMES) + "".join(rng.sample(GIVEN, rng.choice((1, 2, 2))))
        doc |= {"id": uuid7(1_760_000_000_000 + n * 1000), "number": f"3411A-20261020-{n:06d}"}
        doc["applicant"] = {**doc["applicant"], "name": name, "phone": f"139{n:08d}"}
        made.append(doc)
    return made


def fill(services: Services, docs: list[dict[str, Any]]) -> None:
    """Put cases into the feeds, some hundred in a transaction."""
    for start in range(0, len(docs), 500):
        some = [Reference("case", doc["id"], doc, doc["applicant"]["name"]) for doc in docs[start : start + 500]]
        services.writer.do(
            lambda session, some=some: feed.publish(session, iso(services.clock.now()), some, services.rules)
        )


def test_ten_thousand_cases(tmp_path: Path) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(server(tmp_path))
        with opened(Config(running.data, settings=read_settings(running.data))) as services:
            docs = cases(services, CASES)
            fill(services, docs)
        profile = stack.enter_context(Profile(tmp_path / "counter"))
        accounts = Accounts(profile, SystemClock(), cost=CHEAP)
        stack.callback(accounts.close)
        accounts.enrol(running.url, running.codes["1号窗"])
        store = accounts.sign_in("zhangsan", PASSWORD).store
        loop = SyncLoop(SyncEngine(store, SystemClock(), random.Random(1), Policy()), accounts.transport)
        stack.callback(loop.stop)
        began, cpu = time.perf_counter(), time.process_time()
        while loop.step() == 0 or store.cursor("hall:hall-1") < CASES:
            pass
        took = time.perf_counter() - began
        cpu = time.process_time() - cpu
        assert store.count("case") > CASES // 20
        began = time.perf_counter()
        while not store.words.step():
            pass
        words = time.perf_counter() - began
        size = len(json.dumps(docs[0], ensure_ascii=False).encode())
        assert store.find("case", text=docs[0]["applicant"]["name"])
    sys.stdout.write(f"\n{CASES} cases of {size} bytes: {took:.2f} s, {cpu:.2f} s of them this process's work")
    sys.stdout.write(f"\ntheir words, made beside other work: {words:.2f} s")
    peers = peer(tmp_path, docs)
    for name, seconds in peers.items():
        report(f"10,000 cases against PouchDB, {name}", seconds / took, "x", GOAL_RATIO)


def peer(folder: Path, docs: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds that PouchDB takes, by its batch size."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("Node.js is not installed: there is no peer to compare with")
    home = folder / "peer"
    shutil.copytree(PEER, home)
    installed = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--silent"], cwd=home, capture_output=True, text=True, timeout=300
    )
    if installed.returncode:
        pytest.skip(f"PouchDB could not be installed: {installed.stderr[-300:]}")
    lines = folder / "documents.jsonl"
    lines.write_text("\n".join(json.dumps({**doc, "_id": doc["id"]}, ensure_ascii=False) for doc in docs), "utf-8")
    found = {}
    for batch in (100, 1000):
        command = [node, "pull.js", str(folder / f"pouch{batch}"), str(lines), str(batch)]
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=300, check=True)
        found[f"steps of {batch}"] = float(json.loads(done.stdout.splitlines()[-1])["seconds"])
    return found
