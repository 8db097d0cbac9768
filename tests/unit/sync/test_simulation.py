"""Whole devices against an honest server over a bad line: none lost, none doubled; and dishonest servers are caught."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.transport import Faults
from tests.support.sync_sim import World

BAD_LINE = Faults(drop_request=0.15, drop_reply=0.15, duplicate=0.1, delay=0.1)


def simulate(folder: Path, seed: int, *, steps: int = 180, **server: object) -> World:
    world = World(folder, seed, faults=BAD_LINE, **server)  # type: ignore[arg-type]
    try:
        world.run(steps)
        world.heal()
        world.check()
    finally:
        world.close()
    return world


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_or_doubled(tmp_path: Path, seed: int) -> None:
    world = simulate(tmp_path, seed, crash=0.1)
    assert sum(len(device.given) for device in world.devices) > 20


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 300))
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
