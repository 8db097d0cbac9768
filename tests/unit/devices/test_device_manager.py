"""The device manager, on the simulator at the wire."""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.manager import DeviceManager
from devices.ports import DeviceError, DeviceState, DeviceStatus
from devices.simulators.base import Fault
from devices.simulators.cards import CARDS
from devices.simulators.sdt_id_card import SdtReaderSimulator
from modules.common.clock import FixedClock

HOST = [sys.executable, "-m", "devices.host", "sdt"]
CRASHING = [sys.executable, str(Path(__file__).with_name("faulty_host.py")), "crashing"]
SOON = 20.0
NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)


class Watched:
    """A manager whose statuses are queued as they come."""

    def __init__(self, port: str, command: list[str] = HOST) -> None:
        binding = {"driver": "sdt", "port": port, "simulated": True, "poll": 0.02, "answer_time": 1.0}
        self.manager = DeviceManager({"id_card": binding}, clock=FixedClock(NOON), host=lambda name: command, poll=0.05)
        self.told: queue.SimpleQueue[DeviceStatus] = queue.SimpleQueue()
        self.manager.listen(self.told.put)

    def until(self, state: DeviceState) -> DeviceStatus:
        while (status := self.told.get(timeout=SOON)).state != state:
            pass
        return status


@pytest.fixture
def simulator() -> Iterator[SdtReaderSimulator]:
    with SdtReaderSimulator() as sim:
        yield sim


@pytest.fixture
def watched(simulator: SdtReaderSimulator) -> Iterator[Watched]:
    threads = set(threading.enumerate())
    one = Watched(simulator.port)
    yield one
    one.manager.close()
    assert set(threading.enumerate()) == threads


def test_nothing_happens_before_start(watched: Watched, simulator: SdtReaderSimulator) -> None:
    (status,) = watched.manager.statuses()
    assert (status.device, status.state, status.since) == ("id_card", DeviceState.UNKNOWN, NOON)
    assert status.simulated
    assert simulator.asked("status") == 0


def test_a_reader_is_found_read_lost_and_found_again(
    watched: Watched, simulator: SdtReaderSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "devices.manager")
    watched.manager.start()
    assert watched.told.get(timeout=SOON).state == DeviceState.OPENING
    watched.until(DeviceState.READY)
    simulator.place(CARDS["rare"].record)
    assert watched.manager.id_card().read(SOON).name == "贾𬭎䶮"
    assert watched.until(DeviceState.BUSY).text
    watched.until(DeviceState.READY)

    simulator.unplug()
    lost = watched.until(DeviceState.ABSENT)
    assert (lost.code, bool(lost.text), bool(lost.advice)) == ("DEV-103", True, True)
    with pytest.raises(DeviceError, match="DEV-103"):
        watched.manager.id_card().read(SOON)
    simulator.replug()
    assert watched.until(DeviceState.READY).code == ""
    assert watched.manager.statuses()[0].state == DeviceState.READY
    assert watched.manager.id_card().read(SOON).name == "贾𬭎䶮"
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"], "lost once, back once"
    assert "贾" not in caplog.text


def test_statuses_are_numbered_in_order(watched: Watched) -> None:
    watched.manager.start()
    seqs = [watched.told.get(timeout=SOON).seq, watched.until(DeviceState.READY).seq]
    assert seqs == sorted(seqs)
    assert watched.manager.statuses()[0].seq == seqs[-1]


def test_no_probe_disturbs_a_read_and_a_second_read_is_refused(watched: Watched, simulator: SdtReaderSimulator) -> None:
    reader = watched.manager.id_card()
    watched.manager.start()
    watched.until(DeviceState.READY)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.read, SOON)
        watched.until(DeviceState.BUSY)
        probes = simulator.asked("status")
        with pytest.raises(DeviceError, match="DEV-110"):
            reader.read(SOON)
        assert simulator.wait_asked("find", 10)
        assert simulator.asked("status") == probes
        reader.cancel()
        with pytest.raises(DeviceError, match="DEV-105"):
            waiting.result(SOON)
    assert watched.told.get(timeout=SOON).state == DeviceState.READY, "nothing was told between busy and ready"


def test_a_reader_unplugged_in_mid_read_is_unknown_then_absent(watched: Watched, simulator: SdtReaderSimulator) -> None:
    watched.manager.start()
    watched.until(DeviceState.READY)
    simulator.fault(Fault("unplug_mid_read", times=1))
    simulator.place(CARDS["zhangsan"].record)
    with pytest.raises(DeviceError, match="DEV-102"):
        watched.manager.id_card().read(SOON)
    watched.until(DeviceState.UNKNOWN)
    watched.until(DeviceState.ABSENT)
    simulator.replug()
    watched.until(DeviceState.READY)


def test_no_card_leaves_the_reader_ready(watched: Watched) -> None:
    with pytest.raises(DeviceError, match="DEV-101"):
        watched.manager.id_card().read(0.1)
    assert watched.manager.statuses()[0].state == DeviceState.READY


def test_a_reader_that_fails_its_self_test_is_a_fault(watched: Watched, simulator: SdtReaderSimulator) -> None:
    simulator.fault(Fault("self_test_failed", on="status"))
    watched.manager.start()
    assert watched.until(DeviceState.FAULT).code == "DEV-106"
    simulator.fault(None)
    watched.until(DeviceState.READY)


def test_a_driver_that_crashes_again_and_again_is_stopped_in_words() -> None:
    watched = Watched("unused", CRASHING)
    watched.manager.start()
    codes = [watched.until(DeviceState.FAULT).code, watched.until(DeviceState.FAULT).code]
    watched.manager.close()
    assert codes == ["DEV-001", "DEV-003"]


def test_a_listener_that_fails_does_not_end_the_watch(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    def fail(status: DeviceStatus) -> None:
        raise RuntimeError("listener")

    end = watched.manager.listen(fail)
    watched.manager.start()
    watched.until(DeviceState.READY)
    end()
    assert "listener of device states failed" in caplog.text


def test_without_a_binding_there_is_no_device() -> None:
    manager = DeviceManager({})
    manager.start()
    assert manager.statuses() == []
    with pytest.raises(DeviceError, match="DEV-108") as caught:
        manager.id_card()
    assert "手工录入" in caught.value.fix
    manager.close()


def test_closing_ends_a_read_that_waits(simulator: SdtReaderSimulator) -> None:
    watched = Watched(simulator.port)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(watched.manager.id_card().read, SOON)
        assert simulator.wait_asked("find", 1)
        watched.manager.close()
        with pytest.raises(DeviceError, match="DEV-001"):
            waiting.result(SOON)
