"""What it costs to start: to a painted sign-in window, and from there to a usable home page."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from client.data.engine import connect
from installer.environment import ROOT
from modules.common.manifest import installed
from tests.perf.conftest import PERSON, Counter
from tests.perf.harness import least, report
from tests.support.million import KEY, store_of

pytestmark = pytest.mark.perf
FONT = ROOT / "resources/fonts/NotoSansSC-Regular.ttf"
EMPTY = [sys.executable, str(Path(__file__).with_name("empty_window.py")), str(FONT)]


def client(counter: Counter, until: str) -> list[str]:
    """The client that stops once ``until`` is painted, and says what it needed."""
    return [
        sys.executable,
        "-m",
        "client",
        "--profile",
        str(counter.profile),
        "--server",
        counter.server,
        "--measure",
        until,
    ]


def test_a_painted_sign_in_window(counter: Counter) -> None:
    measured = least({"sign-in": client(counter, "sign-in"), "empty": EMPTY}, counter.env)
    sign_in, empty = measured["sign-in"], measured["empty"]
    ratio = sign_in.cpu_ms / empty.cpu_ms
    report("empty window with the same font, processor time", empty.cpu_ms, "ms", empty.cpu_ms)
    report("sign-in window, processor time", sign_in.cpu_ms, "ms", 3 * empty.cpu_ms)
    report("sign-in window ÷ empty window", ratio, "×", 3)
    report("sign-in window, memory when painted", sign_in.rss_mib, "MiB", 90)
    report("sign-in window, most memory", sign_in.peak_mib, "MiB", 90)
    assert ratio <= 3
    assert sign_in.peak_mib <= 90


def test_a_usable_home_page_over_a_million_cases(counter: Counter, tmp_path: Path) -> None:
    full = tmp_path / "profile"
    shutil.copytree(counter.profile, full, ignore=shutil.ignore_patterns("store.db*"))
    store = full / "store.db"
    shutil.copyfile(store_of(1_000_000), store)
    with closing(connect(store, KEY)) as connection:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute("DELETE FROM cursor")
        connection.execute(f"PRAGMA rekey=\"x'{counter.key.hex()}'\"")
    commands = {"empty": client(counter, "home"), "full": client(replace(counter, profile=full), "home")}
    measured = least(commands, counter.env, json.dumps(PERSON) + "\n")
    empty, million = (float(measured[name].said["cpu_ms"]) for name in ("empty", "full"))
    report("usable home page over an empty store", empty, "ms", 900)
    report("usable home page over a million cases", million, "ms", 900)
    report("the same: a million cases ÷ empty", million / empty, "×", 1.25)
    report("the same: most memory", measured["full"].peak_mib, "MiB", 160)
    store.unlink()
    assert million / empty <= 1.25


def test_a_usable_home_page(counter: Counter) -> None:
    home = least({"home": client(counter, "home")}, counter.env, json.dumps(PERSON) + "\n")["home"]
    report("usable home page, processor time since start", float(home.said["cpu_ms"]), "ms", 900)
    report("usable home page, memory", home.rss_mib, "MiB", 140)
    opened = tuple(f"modules.{manifest.id}." for manifest in installed())
    assert not [name for name in home.said["modules"] if name.startswith(opened)]
    assert home.said["cpu_ms"] <= 900
    assert home.rss_mib <= 140
