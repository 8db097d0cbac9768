"""What every window screen promises: the driver on each wire, and the driver in its host."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from devices.drivers.window_screen import LedScreen
from devices.host import HostedDriver, HostedWindowScreen
from devices.ports import DeviceError, WindowScreen
from devices.simulators.base import Fault
from devices.simulators.profiled import WindowScreenSimulator

SOON = 20.0
WIRES = ["tcp"] if sys.platform == "win32" else ["pty", "tcp"]
WAYS = [("driver", wire) for wire in WIRES] + [("hosted", WIRES[0])]
every_way = pytest.mark.parametrize(("how", "wire"), WAYS, ids=["-".join(way) for way in WAYS])


class Screen(WindowScreen, Protocol):
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
def simulator(wire: str) -> Iterator[WindowScreenSimulator]:
    with WindowScreenSimulator(wire) as sim:
        yield sim


@pytest.fixture
def screen(how: str, simulator: WindowScreenSimulator) -> Iterator[Any]:
    if how == "driver":
        driver = LedScreen(simulator.port, answer_time=0.3)
        yield driver
        driver.close()
    else:
        command = [sys.executable, "-m", "devices.host", "window_screen"]
        hosted = HostedDriver("window_screen", {"port": simulator.port, "answer_time": 0.3}, command=command)
        yield HostedWindowScreen(hosted)
        hosted.close()


@every_way
def test_lines_are_shown_and_replaced(screen: Screen, simulator: WindowScreenSimulator) -> None:
    screen.show(["请A017到3号窗", "贾𬭎䶮"], SOON)
    assert simulator.lines == ["请A017到3号窗", "贾𬭎䶮"]
    screen.show(["暂停办理"], SOON)
    assert simulator.lines == ["暂停办理", ""], "nothing of the last is left"


@every_way
def test_what_is_too_long_is_cut_between_characters(screen: Screen, simulator: WindowScreenSimulator) -> None:
    screen.show(["请A017号到综合受理3号窗口", "一二三四五六七八九", "第三行没有地方"], SOON)
    assert simulator.lines == ["请A017号到综合受", "一二三四五六七八"]


@every_way
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("silence", on="show"), "DEV-452"),
        (Fault("partial", on="show"), "DEV-452"),
        (Fault("bad_checksum", on="show"), "DEV-452"),
        (Fault("delay", on="show", seconds=0.5), "DEV-452"),
        (Fault("refuse", on="show"), "DEV-453"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else value,
)
def test_what_is_not_acknowledged_is_said_and_over_when_mended(
    screen: Screen, simulator: WindowScreenSimulator, fault: Fault, code: str
) -> None:
    simulator.fault(fault)
    with pytest.raises(DeviceError, match=code) as caught:
        screen.show(["A001"], SOON)
    assert caught.value.fix
    simulator.fault(None)
    screen.show(["A002"], SOON)
    assert simulator.lines[0] == "A002"


@every_way
def test_one_damaged_answer_is_asked_for_again(screen: Screen, simulator: WindowScreenSimulator) -> None:
    simulator.fault(Fault("bad_checksum", on="show", times=1))
    screen.show(["A003"], SOON)
    assert simulator.lines[0] == "A003"
    assert simulator.asked("show") == 3, "one row twice, the other once"


@every_way
def test_unplugged_and_plugged_in_again(screen: Screen, simulator: WindowScreenSimulator) -> None:
    screen.probe()
    simulator.unplug()
    with pytest.raises(DeviceError, match="DEV-451"):
        screen.show(["A004"], SOON)
    simulator.replug()
    screen.show(["A004"], SOON)
    assert simulator.lines[0] == "A004"


def test_a_cancelled_show(simulator: WindowScreenSimulator) -> None:
    screen = LedScreen(simulator.port, answer_time=600.0)
    token = threading.Event()
    token.set()
    simulator.fault(Fault("silence"))
    with pytest.raises(DeviceError, match="DEV-455"):
        screen.show(["A005"], SOON, token)
    screen.close()


@pytest.mark.parametrize("port", ["/nonexistent/tty", "tcp://127.0.0.1:1", "nonsense://"])
def test_a_port_that_is_none(port: str) -> None:
    with pytest.raises(DeviceError, match="DEV-451"):
        LedScreen(port).show(["A006"])
