"""Whole devices against an honest server over a bad line: none lost, none doubled; and dishonest servers are caught."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from client.driver.parts import PROJECT
from sync.transport import Faults
from tests.support import explore
from tests.support.sync_sim import World

BAD_LINE = Faults(drop_request=0.15, drop_reply=0.15, duplicate=0.1, delay=0.1)
MANY = 100_000
"""Interleavings (issue 4); each is the world of one seed."""
PARTS = 4


def simulate(folder: Path, seed: int, *, steps: int = 180, **server: object) -> World:
    world = World(folder, seed, faults=BAD_LINE, **server)  # type: ignore[arg-type]
    try:
        world.run(steps)
        world.heal()
        world.check()
    finally:
        world.close()
    return world


# -- the real store


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_or_doubled(tmp_path: Path, seed: int) -> None:
    world = simulate(tmp_path, seed, crash=0.1)
    assert sum(len(device.given) for device in world.devices) > 20


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 120))
def test_nothing_is_lost_or_doubled_for_long(tmp_path: Path, seed: int) -> None:
    simulate(tmp_path, seed, steps=600, crash=0.1)


@pytest.mark.parametrize("dedupe", ["none", "separate"])
def test_a_server_that_forgets_what_it_did_is_caught(tmp_path: Path, dedupe: str) -> None:
    for seed in range(6):
        folder = tmp_path / str(seed)
        folder.mkdir()
        try:
            simulate(folder, seed, dedupe=dedupe, crash=0.1)
        except AssertionError as error:
            assert "times" in str(error)  # noqa: PT017 - any other failure would be ours
            return
    pytest.fail("the proof does not notice commands that are carried out twice")


@pytest.mark.parametrize("seed", range(2))
def test_a_server_restored_from_a_backup_gets_everything_again(tmp_path: Path, seed: int) -> None:
    world = World(tmp_path, seed, faults=BAD_LINE)
    world.run(80)
    kept = world.server.backup()
    world.run(80)
    world.heal()
    forgotten = sum(world.server.state.last_n.values()) - sum(kept.last_n.values())
    world.server.restore(kept)
    world.run(30)
    world.heal()
    world.check()
    world.close()
    assert forgotten > 0


def test_a_profile_restored_from_a_copy_goes_on_numbering(tmp_path: Path) -> None:
    world = World(tmp_path, 1, devices=1)
    [device] = world.devices
    world.run(40, crashes=False)
    world.heal()
    device.store.close()
    copy = device.path.read_bytes()
    before = len(device.given)
    device.open()
    world.run(60, crashes=False)
    world.heal()
    assert len(device.given) > before
    device.store.close()
    for file in tmp_path.glob("d0.db-*"):
        file.unlink()
    device.path.write_bytes(copy)
    device.open()
    id = device.store.new_id()
    device.store.give("note", id, "note.open", {"title": "之后"})
    device.store.give("note", id, "note.add", {"text": "一行"})
    world.heal()
    note = device.store.get("note", id)
    assert note is not None
    assert (note.pending, note.refused, len(note.doc["lines"])) == (0, 0, 1)
    assert ("note", id) in world.server.state.docs
    assert device.store.tally().serials > 0
    world.close()


# -- the store in memory


def states(seed: int, folder: Path | None) -> Iterator[Any]:
    """All that can be seen of the devices after each step of a world, with the real store or the one in memory."""
    world = explore.world_of(seed, folder)
    steps = Random(f"steps/{seed}").randrange(25, 60)
    try:
        for _ in range(steps):
            world.run(1, disasters=True)
            for device in world.devices:
                store = device.store
                yield (
                    device.engine.status.waiting,
                    store.tally(),
                    store.lost,
                    [(store.cursor(scope), store.floor(scope), store.holds(scope)) for scope in store.scopes],
                    [(entry.n, entry.cmd_id, entry.state, entry.rev) for entry in device.outbox()],
                    sorted(
                        (note.id, note.rev, note.pending, note.refused, str(note.doc)) for note in store.find("note")
                    ),
                )
        world.heal(400)
        world.check()
    finally:
        world.close()


@pytest.mark.parametrize("seed", [*range(3), *[pytest.param(seed, marks=pytest.mark.full) for seed in range(3, 60)]])
def test_both_stores_do_the_same_in_the_same_world(tmp_path: Path, seed: int) -> None:
    assert all(one == other for one, other in zip(states(seed, None), states(seed, tmp_path), strict=True))


def tell(search: explore.Search) -> None:
    sys.stdout.write(f"{search}\n")
    assert search.reached["refused"], "nobody got in anybody's way"
    assert search.reached["epochs"], "no server was restored"
    assert search.reached["thinned"]


def test_many_small_worlds_keep_their_promises() -> None:
    tell(explore.explore(range(600)))


@pytest.mark.full
@pytest.mark.parametrize("part", range(PARTS))
def test_a_hundred_thousand_small_worlds_keep_their_promises(part: int) -> None:
    search = explore.Search()
    for first in range(part, MANY, 100 * PARTS):
        explore.explore(range(first, min(MANY, first + 100 * PARTS), PARTS), search=search)
    assert search.worlds == MANY // PARTS
    tell(search)


def test_the_search_comes_to_most_of_the_engine() -> None:
    lines = explore.lines_of_engine()
    reached = explore.lines_reached(range(80))
    sys.stdout.write(f"{len(reached)} of {len(lines)} lines; not {sorted(lines - reached)}\n")
    assert len(reached) / len(lines) > 0.75


def test_a_planted_fault_is_found_and_replays() -> None:
    with pytest.raises(explore.Found) as found:
        explore.explore(range(100), planted="forgetful-server")
    seed, words = found.value.seed, found.value.command.split()
    assert f"--seed {seed}" in found.value.command
    told = [subprocess.run([sys.executable, *words[1:]], cwd=PROJECT, capture_output=True, text=True) for _ in range(2)]
    assert [one.returncode for one in told] == [1, 1]
    assert told[0].stdout == told[1].stdout
    assert "Push waiting" in told[0].stdout
    assert "broken: " in told[0].stdout
    assert explore.replay(seed, "", lambda step: None) == ""
