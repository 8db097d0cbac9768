"""Killed at any point, a device goes on from there: nothing lost, nothing doubled, never stuck (powersync.dart#308)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from client.data.store import Store
from sync.engine import SyncEngine
from tests.support.sync_sim import Device, World

STEPS = 70
POINTS = 400
"""More than a run has: before and after each commit, before each step, and between each answer and its use."""


class Killed(BaseException):
    """The process ends here."""


class Killer:
    """Kills at the point number ``at``; counts them all."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.count = 0
        self.where = ""
        self.armed = False

    def point(self, where: str) -> None:
        self.count += self.armed
        if self.armed and self.count == self.at:
            self.where = where
            raise Killed


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Killer]:
    current = Killer(0)
    writing, step, reply = Store._writing, SyncEngine.next_action, SyncEngine.on_reply

    @contextmanager
    def mortal_writing(self: Store) -> Iterator[Any]:
        with writing(self) as unit:
            yield unit
            current.point("before a commit")
        current.point("after a commit")

    def mortal_step(self: SyncEngine) -> Any:
        current.point("before a step")
        return step(self)

    def mortal_reply(self: SyncEngine, action: Any, answer: Any) -> None:
        current.point("with an answer")
        reply(self, action, answer)

    monkeypatch.setattr(Store, "_writing", mortal_writing)
    monkeypatch.setattr(SyncEngine, "next_action", mortal_step)
    monkeypatch.setattr(SyncEngine, "on_reply", mortal_reply)

    def arm(at: int) -> Killer:
        nonlocal current
        current = Killer(at)
        return current

    return arm


def survive(device: Device, work: Callable[[], Any]) -> Any:
    """Do it; if the device is killed meanwhile, start it again."""
    try:
        return work()
    except Killed:
        device.crash()
        known = [row.cmd_id for row in device.outbox()]
        assert known[: len(device.given)] == device.given, "what was promised is there"
        # what was committed and never promised is delivered all the same
        device.given = known
        return 0.0


def live(folder: Path, killer: Killer) -> None:
    """Two devices at work, through a restore of the server from a backup and a thinned feed, and then at rest."""
    world = World(folder, 5, devices=3)
    killer.armed = True
    try:
        for number in range(STEPS):
            device = world.devices[world.rng.randrange(len(world.devices))]
            if number == 25:
                kept = world.server.backup()
            if number == 45:
                world.server.restore(kept)
            if number == 50:
                world.server.thin("hall:h1", 5)
            if number % 4 == 0:
                survive(device, lambda device=device, number=number: device.work(f"第{number}件"))
            else:
                world.advance(min(survive(device, device.step), 30.0))
        for _ in range(150):
            waits = [survive(device, device.step) for device in world.devices]
            if all(waits):
                world.advance(min(waits))
        killer.armed = False
        world.heal(10)  # it has come to rest by itself: no poke was needed
        world.check()
        codes = {entry.error["code"] for device in world.devices for entry in device.store.refused_commands()}
        assert "NOTE-004" not in codes, "refused because the record had not been sent again yet"
    finally:
        world.close()


def run(folder: Path, arm: Callable[[int], Killer], at: int) -> Killer:
    killer = arm(at)
    try:
        live(folder, killer)
    except Exception as error:
        raise AssertionError(f"killed at point {at}, {killer.where}") from error
    return killer


@pytest.mark.parametrize("at", [3, 44, 90, 150])
def test_a_device_that_is_killed_goes_on(tmp_path: Path, killer: Callable[[int], Killer], at: int) -> None:
    assert run(tmp_path, killer, at).where


@pytest.mark.full
@pytest.mark.parametrize("at", range(1, POINTS))
def test_a_device_that_is_killed_anywhere_goes_on(tmp_path: Path, killer: Callable[[int], Killer], at: int) -> None:
    run(tmp_path, killer, at)
