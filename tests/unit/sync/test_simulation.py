"""Whole devices against an honest server over a bad line: none lost, none doubled; and dishonest servers are caught."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.transport import Faults
from tests.support.sync_sim import World

BAD_LINE = Faults(drop_request=0.15, drop_reply=0.15, duplicate=0.1, delay=0.1)


def simulate(folder: Path, seed: int, *, steps: int = 220, **server: object) -> World:
    world = World(folder, seed, faults=BAD_LINE, **server)  # type: ignore[arg-type]
    try:
        world.run(steps)
        world.heal()
        world.check()
    finally:
        world.close()
    return world


@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_lost_or_doubled(tmp_path: Path, seed: int) -> None:
    world = simulate(tmp_path, seed, crash=0.1)
    assert sum(len(device.given) for device in world.devices) > 20


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 300))
def test_nothing_is_lost_or_doubled_for_long(tmp_path: Path, seed: int) -> None:
    simulate(tmp_path, seed, steps=600, crash=0.1)


@pytest.mark.parametrize("dedupe", ["none", "separate"])
def test_a_server_that_forgets_what_it_did_is_caught(tmp_path: Path, dedupe: str) -> None:
    caught = 0
    for seed in range(4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            simulate(folder, seed, dedupe=dedupe, crash=0.1)
        except AssertionError as error:
            caught += "times" in str(error)
    assert caught
