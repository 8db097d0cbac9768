"""The device manager over every kind of device, on the simulators at the wire."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from devices.manager import DeviceManager
from devices.ports import DeviceError, DeviceState, DeviceStatus, Ticket
from devices.simulators.base import Fault
from devices.simulators.camera import CameraSimulator
from devices.simulators.escpos import NEAR, PrinterSimulator
from devices.simulators.profiled import EvaluatorSimulator, WindowScreenSimulator

SOON = 20.0


class Place:
    """A window with four devices that are looked after."""

    def __init__(self, stack: ExitStack) -> None:
        self.camera = stack.enter_context(CameraSimulator())
        self.printer = stack.enter_context(PrinterSimulator())
        self.evaluator = stack.enter_context(EvaluatorSimulator())
        self.screen = stack.enter_context(WindowScreenSimulator())
        bindings = {
            "camera": self.camera.binding,
            "ticket_printer": {**self.printer.binding, "simulated": True},
            "evaluator": self.evaluator.binding,
            "window_screen": self.screen.binding,
        }
        host = [sys.executable, "-m", "devices.host"]
        self.manager = DeviceManager(bindings, host=lambda name: [*host, name], poll=0.05)
        stack.callback(self.manager.close)
        self.told: dict[str, queue.SimpleQueue[DeviceStatus]] = {kind: queue.SimpleQueue() for kind in bindings}
        self.manager.listen(lambda status: self.told[status.device].put(status))

    def until(self, device: str, state: DeviceState) -> DeviceStatus:
        while (status := self.told[device].get(timeout=SOON)).state != state:
            pass
        return status


@pytest.fixture
def place() -> Iterator[Place]:
    threads = set(threading.enumerate())
    with ExitStack() as stack:
        yield Place(stack)
    assert set(threading.enumerate()) == threads


def test_each_is_found_lost_and_found_again(place: Place) -> None:
    assert [(status.kind, status.simulated) for status in place.manager.statuses()] == [
        ("camera", False),
        ("ticket_printer", True),
        ("evaluator", False),
        ("window_screen", False),
    ]
    place.manager.start()
    codes = {"camera": "DEV-201", "ticket_printer": "DEV-301", "evaluator": "DEV-403", "window_screen": "DEV-451"}
    simulators: dict[str, Any] = {
        "camera": place.camera,
        "ticket_printer": place.printer,
        "evaluator": place.evaluator,
        "window_screen": place.screen,
    }
    for device, simulator in simulators.items():
        place.until(device, DeviceState.READY)
        simulator.unplug()
        lost = place.until(device, DeviceState.ABSENT)
        assert (lost.code, bool(lost.text), bool(lost.advice)) == (codes[device], True, True)
        simulator.replug()
        assert place.until(device, DeviceState.READY).code == ""


def test_paper_near_its_end_and_out_want_attention(place: Place) -> None:
    place.manager.start()
    place.until("ticket_printer", DeviceState.READY)
    place.printer.paper(NEAR - 1)
    near = place.until("ticket_printer", DeviceState.ATTENTION)
    assert (near.code, "纸" in near.text) == ("", True)
    place.printer.paper(100)
    with pytest.raises(DeviceError, match="DEV-310"):
        place.manager.ticket_printer().print_ticket(Ticket("A017"), SOON)
    while place.until("ticket_printer", DeviceState.ATTENTION).code != "DEV-302":
        pass
    place.printer.paper()
    place.until("ticket_printer", DeviceState.READY)


def test_a_citizen_who_does_not_rate_leaves_the_evaluator_ready(place: Place) -> None:
    place.manager.start()
    place.until("evaluator", DeviceState.READY)
    with pytest.raises(DeviceError, match="DEV-401"):
        place.manager.evaluator().ask(0.1)
    place.until("evaluator", DeviceState.BUSY)
    place.until("evaluator", DeviceState.READY)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(place.manager.evaluator().ask, SOON)
        assert place.evaluator.wait_asking()
        place.manager.evaluator().cancel()
        with pytest.raises(DeviceError, match="DEV-405"):
            asked.result(SOON)


def test_a_preview_and_a_shot_together_and_a_camera_that_vanishes_under_them(place: Place) -> None:
    place.camera.place("lease")
    place.manager.start()
    camera = place.manager.camera()
    seen = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        preview = pool.submit(camera.preview, lambda frame: seen.set())
        assert seen.wait(SOON)
        assert camera.capture(SOON).sure
        place.until("camera", DeviceState.BUSY)
        place.camera.unplug()
        with pytest.raises(DeviceError, match=r"DEV-20[12]"):
            preview.result(SOON)
    place.until("camera", DeviceState.ABSENT)
    place.camera.replug()
    place.until("camera", DeviceState.READY)
    assert camera.capture(SOON).sure


def test_a_screen_that_does_not_acknowledge_wants_attention(place: Place) -> None:
    place.manager.start()
    place.until("window_screen", DeviceState.READY)
    place.screen.fault(Fault("silence"))
    assert place.until("window_screen", DeviceState.ATTENTION).code == "DEV-452"
    place.screen.fault(None)
    place.until("window_screen", DeviceState.READY)
    place.manager.window_screen().show(["A017"])
    assert place.screen.lines[0] == "A017"


def test_what_is_not_bound_is_said_in_words() -> None:
    manager = DeviceManager({})
    finders = (manager.id_card, manager.camera, manager.ticket_printer, manager.evaluator, manager.window_screen)
    codes = []
    for find in finders:
        with pytest.raises(DeviceError) as caught:
            find()
        assert caught.value.fix
        codes.append(caught.value.code)
    assert codes == ["DEV-108", "DEV-208", "DEV-308", "DEV-408", "DEV-458"]


@pytest.mark.parametrize(
    "bindings",
    [{"toaster": {"driver": "sdt"}}, {"camera": {}}, {"camera": {"driver": "toaster"}}, {"id_card": {"driver": None}}],
)
def test_bindings_that_are_none(bindings: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        DeviceManager(bindings)
