"""A real server and an enrolled counter for the benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.data.profile import Profile
from client.data.store import Store
from modules.common.clock import Clock, SystemClock
from sync.accounts import Accounts
from tests.support.clean_env import clean_env


@dataclass(frozen=True, slots=True)
class Counter:
    """A profile that is enrolled and where 张三 signed in once; its store's key, and a code to enrol another with."""

    profile: Path
    server: str
    env: dict[str, str]
    key: bytes
    code: str


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", default="100000", help="how many cases the largest server of the benchmarks has")


PERSON = {"login": "zhangsan", "password": "Govdesk-2026"}


@pytest.fixture(scope="session")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counter]:
    folder = tmp_path_factory.mktemp("counter")
    env = clean_env(folder / "home")
    ready = folder / "ready.json"
    arguments = ["--demo", "--data", str(folder / "server"), "--ready-file", str(ready)]
    server = subprocess.Popen([sys.executable, "-m", "server_stub", *arguments], env=env, stdout=subprocess.DEVNULL)
    try:
        while not ready.exists():
            assert server.poll() is None, "the server stopped while starting"
            time.sleep(0.05)
        said = json.loads(ready.read_text("utf-8"))
        with Profile(folder / "profile") as profile:
            keys: list[bytes] = []

            def open_store(profile: Profile, key: bytes, clock: Clock) -> Store:
                keys.append(key)
                return Store.open(profile.database, key, clock)

            accounts = Accounts(profile, SystemClock(), open_store=open_store)
            accounts.enrol(said["url"], said["enrolment_codes"][0]["code"], "1号窗")
            accounts.sign_in(PERSON["login"], PERSON["password"])
            accounts.close()
        yield Counter(folder / "profile", said["url"], env, keys[-1], said["enrolment_codes"][1]["code"])
    finally:
        server.terminate()
        server.wait(30)
