"""What every evaluator promises: the driver on each wire, and the driver in its host."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from devices.drivers.evaluator import SerialEvaluator
from devices.host import HostedDriver, HostedEvaluator
from devices.ports import DeviceError, Evaluator
from devices.simulators.base import Fault
from devices.simulators.profiled import EvaluatorSimulator

SOON = 20.0
WIRES = ["tcp"] if sys.platform == "win32" else ["pty", "tcp"]
WAYS = [("driver", wire) for wire in WIRES] + [("hosted", WIRES[0])]
every_way = pytest.mark.parametrize(("how", "wire"), WAYS, ids=["-".join(way) for way in WAYS])


class Device(Evaluator, Protocol):
    def ask(self, timeout: float = 60.0, token: threading.Event | None = None) -> int: ...

    def probe(self) -> object: ...


@pytest.fixture(autouse=True)
def _quick_socket_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """pySerial rests 0.3 s after closing a socket, for servers that cannot do without; the simulator can."""
    monkeypatch.setattr("serial.urlhandler.protocol_socket.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def wire() -> str:
    return WIRES[0]


@pytest.fixture
def how() -> str:
    return "driver"


@pytest.fixture
def simulator(wire: str) -> Iterator[EvaluatorSimulator]:
    with EvaluatorSimulator(wire) as sim:
        yield sim


@pytest.fixture
def evaluator(how: str, simulator: EvaluatorSimulator) -> Iterator[Any]:
    if how == "driver":
        driver = SerialEvaluator(simulator.port, answer_time=0.3)
        yield driver
        driver.close()
    else:
        command = [sys.executable, "-m", "devices.host", "evaluator"]
        hosted = HostedDriver("evaluator", {"port": simulator.port, "answer_time": 0.3}, command=command)
        yield HostedEvaluator(hosted)
        hosted.close()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as one:
        yield one


def code_of(asked: Future[int]) -> str:
    with pytest.raises(DeviceError) as caught:
        asked.result(SOON)
    assert caught.value.message
    return caught.value.code


@every_way
@pytest.mark.parametrize("stars", [1, 2, 3, 4, 5])
def test_each_key_is_its_stars(
    evaluator: Device, simulator: EvaluatorSimulator, pool: ThreadPoolExecutor, stars: int
) -> None:
    asked = pool.submit(evaluator.ask, SOON)
    assert simulator.wait_asking()
    simulator.press(stars)
    assert asked.result(SOON) == stars
    assert simulator.wait_asking(False), "it is thanked"


@every_way
def test_a_key_pressed_while_nobody_asks_does_not_count(
    evaluator: Device, simulator: EvaluatorSimulator, pool: ThreadPoolExecutor
) -> None:
    evaluator.probe()
    simulator.press(5)
    asked = pool.submit(evaluator.ask, SOON)
    assert simulator.wait_asking()
    simulator.press(2)
    assert asked.result(SOON) == 2


@every_way
def test_nobody_presses(evaluator: Device, simulator: EvaluatorSimulator, pool: ThreadPoolExecutor) -> None:
    assert code_of(pool.submit(evaluator.ask, 0.2)) == "DEV-401"
    assert simulator.wait_asking(False), "and the device asks no more"


@every_way
def test_cancel_before_and_while_asking(
    evaluator: Any, simulator: EvaluatorSimulator, pool: ThreadPoolExecutor
) -> None:
    token = threading.Event()
    token.set()
    assert code_of(pool.submit(evaluator.ask, SOON, token)) == "DEV-405"
    token = threading.Event()
    asked = pool.submit(evaluator.ask, SOON, token)
    assert simulator.wait_asking()
    if isinstance(evaluator, HostedEvaluator):
        evaluator.cancel()
    token.set()
    assert code_of(asked) == "DEV-405"
    assert simulator.wait_asking(False), "the device is told"


@every_way
def test_a_second_ask_meanwhile_is_refused(
    evaluator: Device, simulator: EvaluatorSimulator, pool: ThreadPoolExecutor
) -> None:
    asked = pool.submit(evaluator.ask, SOON)
    assert simulator.wait_asking()
    with pytest.raises(DeviceError, match="DEV-409"):
        evaluator.ask(SOON)
    simulator.press(3)
    assert asked.result(SOON) == 3


def answers_again(evaluator: Device) -> None:
    """Probe until it answers: a slow device first works off what it was asked before."""
    deadline = time.monotonic() + SOON
    while True:
        try:
            evaluator.probe()
        except DeviceError:
            assert time.monotonic() < deadline, "it answers no more"
        else:
            return


@every_way
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("silence", on="ask"), "DEV-403"),
        (Fault("partial", on="ask"), "DEV-403"),
        (Fault("bad_checksum", on="ask"), "DEV-404"),
        (Fault("delay", on="ask", seconds=0.6), "DEV-403"),
        (Fault("refuse", on="ask"), "DEV-406"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else value,
)
def test_each_fault_has_its_code_and_is_over_when_mended(
    evaluator: Device, simulator: EvaluatorSimulator, pool: ThreadPoolExecutor, fault: Fault, code: str
) -> None:
    simulator.fault(fault)
    assert code_of(pool.submit(evaluator.ask, SOON)) == code
    simulator.fault(None)
    answers_again(evaluator)
    asked = pool.submit(evaluator.ask, SOON)
    # one silence may have left it asking: what counts is that it was asked again
    assert simulator.wait_asked("probe", 1)
    while not asked.done():
        simulator.press(4)
        simulator.wait_asking(False, 0.05)
    assert asked.result(SOON) == 4


@every_way
@pytest.mark.parametrize("kind", ["bad_checksum", "partial"])
def test_a_damaged_key_is_not_taken_and_comes_again_whole(
    evaluator: Device, simulator: EvaluatorSimulator, pool: ThreadPoolExecutor, kind: str
) -> None:
    simulator.fault(Fault(kind, on="key", times=1))
    asked = pool.submit(evaluator.ask, SOON)
    assert simulator.wait_asking()
    simulator.press(1)
    assert asked.result(SOON) == 1


@every_way
def test_a_key_whose_checksum_is_wrong_is_no_rating(
    evaluator: Device, simulator: EvaluatorSimulator, pool: ThreadPoolExecutor
) -> None:
    simulator.fault(Fault("bad_checksum", on="key"))
    asked = pool.submit(evaluator.ask, 0.8)
    assert simulator.wait_asking()
    simulator.press(5)
    assert code_of(asked) == "DEV-401"


@every_way
def test_unplugged_while_asking_and_plugged_in_again(
    evaluator: Device, simulator: EvaluatorSimulator, pool: ThreadPoolExecutor
) -> None:
    simulator.fault(Fault("unplug", on="key", times=1))
    asked = pool.submit(evaluator.ask, SOON)
    assert simulator.wait_asking()
    simulator.press(5)
    assert code_of(asked) == "DEV-402"
    with pytest.raises(DeviceError, match="DEV-403"):
        evaluator.probe()
    simulator.replug()
    evaluator.probe()


@pytest.mark.parametrize("port", ["/nonexistent/tty", "socket://127.0.0.1:1", "nonsense://", "/dev/null"])
def test_a_port_that_is_none(port: str) -> None:
    with pytest.raises(DeviceError, match="DEV-403"):
        SerialEvaluator(port).ask(SOON)


@pytest.mark.skipif(sys.platform == "win32", reason="file locks of POSIX")
def test_a_port_that_another_program_holds() -> None:
    with EvaluatorSimulator("pty") as simulator:
        first, second = SerialEvaluator(simulator.port), SerialEvaluator(simulator.port)
        first.probe()
        with pytest.raises(DeviceError, match="DEV-407"):
            second.probe()
        first.close()
        second.probe()
        second.close()
