"""Small worlds in great number: each seed is one interleaving of devices, server, line, crashes and disasters.

    python -m tests.support.explore --seed 4711          replays one world, step by step
    python -m tests.support.explore --first 0 --count N  searches

A world is drawn from its seed alone: no clock, no thread, no random id. What is found is named by its seed.
"""

from __future__ import annotations

import argparse
import dis
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from types import CodeType, FrameType
from typing import Any

from sync import engine
from sync.engine import Wait
from sync.transport import Faults
from tests.support import reference_server
from tests.support.sync_sim import Device, World

# a token is read a hundred times in a world, and says the same each time
reference_server.read = cache(reference_server.read)


class Found(AssertionError):
    """A broken promise, with the words that replay it."""

    def __init__(self, seed: int, planted: str, cause: BaseException) -> None:
        plant = f" --planted {planted}" if planted else ""
        self.seed = seed
        self.command = f"python -m tests.support.explore --seed {seed}{plant}"
        super().__init__(f"{cause or type(cause).__name__} — replay with: {self.command}")


def _forgetful(world: World) -> None:
    """Planted: the server remembers no command that it has carried out."""
    world.server.dedupe = "none"


PLANTED: dict[str, Callable[[World], None]] = {"forgetful-server": _forgetful}


@dataclass
class Search:
    """What a search has seen."""

    worlds: int = 0
    commands: int = 0
    reached: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        seen = ", ".join(f"{name} {count}" for name, count in sorted(self.reached.items()))
        return f"{self.worlds} worlds, {self.commands} commands; {seen}"


def world_of(seed: int, folder: Path | None = None) -> World:
    """The world of a seed, before anything has happened."""
    draw = Random(f"world/{seed}")
    faults = Faults(*(draw.choice((0.0, 0.1, 0.25)) for _ in range(4)))
    crash = draw.choice((0.0, 0.1, 0.3))
    world = World(folder, seed, devices=draw.choice((1, 2, 3, 3)), faults=faults, crash=crash)
    for device in world.devices:
        device.hot = draw.choice((0.0, 0.9))
    return world


def live(world: World, seed: int) -> None:
    """Let a world run, heal it, and hold it to the promises. Raises ``AssertionError``."""
    world.run(Random(f"steps/{seed}").randrange(25, 60), disasters=True)
    world.heal(400)
    world.check()


def explore(seeds: Iterable[int], planted: str = "", search: Search | None = None) -> Search:
    """Live through the worlds of ``seeds``. Raises ``Found`` at the first broken promise."""
    search = search or Search()
    for seed in seeds:
        world = world_of(seed)
        if planted:
            PLANTED[planted](world)
        try:
            live(world, seed)
        except Exception as error:
            raise Found(seed, planted, error) from error
        search.worlds += 1
        search.reached["epochs"] += int(world.server.epoch[1:]) - 1
        search.reached["thinned"] += sum(bool(floor) for floor in world.server.state.floors.values())
        for device in world.devices:
            search.commands += len(device.given)
            search.reached.update(entry.state for entry in device.outbox())
        search.reached.update(f"asked {name}" for name in world.server.asked)
    return search


def lines_of_engine() -> set[int]:
    """The lines of the engine's functions."""
    lines: set[int] = set()

    def walk(code: CodeType) -> None:
        if code.co_flags & 0x2 and code.co_name != "__init__":  # CO_NEWLOCALS: functions and comprehensions
            lines.update(line for _, line in dis.findlinestarts(code) if line and line != code.co_firstlineno)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                walk(constant)

    path = Path(str(engine.__file__))
    tree = compile(path.read_text("utf-8"), str(path), "exec")
    for constant in tree.co_consts:
        # of the module's classes the engine alone
        if isinstance(constant, CodeType) and (constant.co_name == "SyncEngine" or constant.co_flags & 0x2):
            for inner in [constant, *[one for one in constant.co_consts if isinstance(one, CodeType)]]:
                walk(inner)
    return lines


def lines_reached(seeds: Iterable[int]) -> set[int]:
    """Which of them the worlds of ``seeds`` come to."""
    reached: set[int] = set()
    name = engine.__file__

    def within(frame: FrameType, event: str, argument: Any) -> Any:
        reached.add(frame.f_lineno)
        return within

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return within if frame.f_code.co_filename == name else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        explore(seeds)
    finally:
        sys.settrace(before)
    return reached & lines_of_engine()


def narrate(device: Device, say: Callable[[str], None]) -> None:
    """Let a device tell its steps."""
    step = device.step

    def told() -> float:
        action = device.engine.next_action()
        if not isinstance(action, Wait):
            tally = device.store.tally()
            say(f"{device.path.stem} {type(action).__name__} waiting {tally.waiting} refused {tally.refused}")
        return step()

    device.step = told  # type: ignore[method-assign]


def replay(seed: int, planted: str, say: Callable[[str], None]) -> str:
    """Live through one world aloud; what is broken, or an empty text."""
    world = world_of(seed)
    if planted:
        PLANTED[planted](world)
    for device in world.devices:
        narrate(device, say)
    try:
        live(world, seed)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
        return str(error) or type(error).__name__
    return ""


def _say(text: object) -> None:
    sys.stdout.write(f"{text}\n")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.explore", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this world")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--planted", default="", choices=["", *PLANTED])
    options = parser.parse_args(arguments)
    if options.seed is None:
        _say(explore(range(options.first, options.first + options.count), options.planted))
        return 0
    told: list[str] = []
    broken = replay(options.seed, options.planted, told.append)
    _say("\n".join(told))
    _say(f"history {hashlib.sha256(chr(10).join(told).encode()).hexdigest()[:16]}")
    _say(f"broken: {broken}" if broken else "all promises kept")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
