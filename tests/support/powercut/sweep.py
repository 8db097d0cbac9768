"""Records a scenario once, and tries every place of its history as the last."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from client.driver.parts import PROJECT
from tests.support.powercut.history import EVERYTHING, NOTHING, TORN, Disk, Op, read
from tests.support.powercut.scenario import prepare

HERE = Path(__file__).parent
HEADER = Path("/usr/include/sqlite3ext.h")
BATCH = 40
"""Cuts that one fresh process looks at."""


def missing() -> str:
    """What is not here, and is needed; or an empty text."""
    if sys.platform != "linux":
        return "power cuts are tried on Linux only"
    if not shutil.which("gcc"):
        return "gcc is not installed: power cuts are not tried"
    return "" if HEADER.exists() else f"{HEADER} is not installed: power cuts are not tried"


def build(folder: Path) -> tuple[Path, Path]:
    """The extension with the VFS, and the library for plain files."""
    made = folder / "powercut_vfs.so", folder / "powercut_shim.so"
    for source, target in zip(("vfs.c", "shim.c"), made, strict=True):
        command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
        subprocess.run([*command, "-o", str(target), str(HERE / source), "-ldl"], check=True)
    return made


@dataclass(frozen=True, slots=True)
class Recorded:
    """A scenario's history, and the disk as it was before."""

    ops: list[Op]
    before: Disk


def record(tools: tuple[Path, Path], folder: Path, scenario: str, mutant: str = "") -> Recorded:
    """Let the scenario run, watched."""
    root, log = folder / "disk", folder / "history"
    root.mkdir(parents=True)
    promised = json.dumps(prepare(root, scenario))
    before = Disk(root)
    watched = {"POWERCUT_LOG": str(log), "POWERCUT_ROOT": str(root), "LD_PRELOAD": str(tools[1])}
    command = [sys.executable, "-m", "tests.support.powercut.scenario", str(root), str(tools[0]), promised]
    command += [scenario, *([mutant] if mutant else [])]
    subprocess.run(command, cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT), **watched}, check=True)
    return Recorded(read(log), before)


@dataclass(frozen=True, slots=True)
class Cut:
    """A place of the history, and what became of that which was not synced."""

    place: int
    mode: str
    seed: int

    def __str__(self) -> str:
        return f"{self.place:05}-{self.mode}-{self.seed}"


def cuts(ops: Sequence[Op], *, thorough: bool) -> Iterator[Cut]:
    """At the last moment before each sync and after each promise; thorough: after each record, in five ways."""
    for place in range(len(ops) + 1):
        if thorough:
            yield Cut(place, NOTHING, 0)
            yield from (Cut(place, TORN, seed) for seed in range(3))
            yield Cut(place, EVERYTHING, 0)
        elif place == len(ops) or ops[place].what in "SR" or (place and ops[place - 1].what == "X"):
            yield Cut(place, (NOTHING, TORN)[place % 2], 0)


def sweep(recorded: Recorded, chosen: Sequence[Cut], folder: Path) -> dict[str, list[str]]:
    """What does not hold, by cut."""
    folder.mkdir(parents=True)
    wanted: dict[int, list[Cut]] = {}
    for cut in chosen:
        wanted.setdefault(cut.place, []).append(cut)
    broken: dict[str, list[str]] = {}
    disk, promised = recorded.before, "{}"
    batch = 0
    for place, op in enumerate([*recorded.ops, None]):
        for cut in wanted.get(place, ()) if promised != "{}" else ():
            _lay_out(folder / str(cut), disk, cut, promised)
            batch += 1
        if batch >= BATCH or (op is None and batch):
            broken |= _check(folder)
            batch = 0
        if op is not None:
            disk.take(op)
            if op.what == "X":
                promised = op.text
    return broken


def _lay_out(folder: Path, disk: Disk, cut: Cut, promised: str) -> None:
    (folder / "disk").mkdir(parents=True)
    (folder / "promised.json").write_text(promised, "utf-8")
    for name, content in disk.cut(cut.mode, Random(str(cut))).items():
        path = folder / "disk" / Path(name).relative_to(disk.root)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _check(folder: Path) -> dict[str, list[str]]:
    command = [sys.executable, "-m", "tests.support.powercut.check", str(folder)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=True)
    for one in folder.iterdir():
        shutil.rmtree(one)
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found
