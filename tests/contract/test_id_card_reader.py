"""What every identity card reader promises: the driver on each wire, and the driver in its host."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from devices.drivers.sdt_id_card import SdtIdCardReader
from devices.host import HostedDriver, HostedIdCardReader
from devices.ports import DeviceError, IdCardReader, IdentityRecord
from devices.simulators.base import Fault
from devices.simulators.cards import CARDS
from devices.simulators.sdt_id_card import SdtReaderSimulator

SOON = 20.0
TIMES: dict[str, Any] = {"poll": 0.02, "answer_time": 0.3}
ZHANGSAN = CARDS["zhangsan"].record
WIRES = ["tcp"] if sys.platform == "win32" else ["pty", "tcp"]
WAYS = [("driver", wire) for wire in WIRES] + [("hosted", WIRES[0])]
every_way = pytest.mark.parametrize(("how", "wire"), WAYS, ids=["-".join(way) for way in WAYS])


class Reader(IdCardReader, Protocol):
    def read(self, timeout: float = 15.0, token: threading.Event | None = None) -> IdentityRecord: ...

    def probe(self) -> None: ...


@pytest.fixture(autouse=True)
def _quick_socket_close(monkeypatch: pytest.MonkeyPatch) -> None:
    """pySerial rests 0.3 s after closing a socket, for servers that cannot do without; the simulator can."""
    monkeypatch.setattr("serial.urlhandler.protocol_socket.time", SimpleNamespace(sleep=lambda seconds: None))


@pytest.fixture
def wire() -> str:
    return WIRES[0]


@pytest.fixture
def simulator(wire: str) -> Iterator[SdtReaderSimulator]:
    with SdtReaderSimulator(wire) as sim:
        yield sim


@pytest.fixture
def how() -> str:
    return "driver"


@pytest.fixture
def reader(how: str, simulator: SdtReaderSimulator) -> Iterator[Reader]:
    if how == "driver":
        driver = SdtIdCardReader(simulator.port, **TIMES)
        yield driver
        driver.close()
    else:
        command = [sys.executable, "-m", "devices.host", "sdt"]
        hosted = HostedDriver("sdt", {"port": simulator.port, **TIMES}, command=command)
        yield HostedIdCardReader(hosted)
        hosted.close()


def code_of_read(reader: Reader, timeout: float = SOON) -> str:
    with pytest.raises(DeviceError) as caught:
        reader.read(timeout)
    assert caught.value.message
    assert caught.value.fix
    return caught.value.code


@every_way
def test_every_training_card_is_read_as_it_is(reader: Reader, simulator: SdtReaderSimulator) -> None:
    for card in CARDS.values():
        simulator.place(card.record)
        assert replace(reader.read(SOON), photo=b"") == card.record


@every_way
def test_the_photo_comes_along(reader: Reader, simulator: SdtReaderSimulator) -> None:
    record = replace(ZHANGSAN, photo=bytes(range(256)) * 4)
    simulator.place(record)
    assert reader.read(SOON) == record


@every_way
def test_a_card_placed_later_is_waited_for(reader: Reader, simulator: SdtReaderSimulator) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.read, SOON)
        assert simulator.wait_asked("find", 2)
        simulator.place(ZHANGSAN)
        assert waiting.result(SOON).name == "张三"


@every_way
def test_no_card_in_time(reader: Reader) -> None:
    assert code_of_read(reader, 0.1) == "DEV-101"


@every_way
def test_a_card_left_lying_must_be_lifted(reader: Reader, simulator: SdtReaderSimulator) -> None:
    simulator.place(ZHANGSAN)
    reader.read(SOON)
    with pytest.raises(DeviceError, match="DEV-101") as caught:
        reader.read(0.1)
    assert "请拿起重放" in caught.value.fix
    simulator.lift()
    simulator.place(ZHANGSAN)
    assert reader.read(SOON).name == "张三"


@every_way
def test_cancel_ends_a_waiting_read(reader: Reader, simulator: SdtReaderSimulator) -> None:
    reader.cancel()  # nothing waits: nothing happens
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.read, SOON)
        assert simulator.wait_asked("find", 1)
        reader.cancel()
        with pytest.raises(DeviceError, match="DEV-105"):
            waiting.result(SOON)
    simulator.place(ZHANGSAN)
    assert reader.read(SOON).name == "张三"


@every_way
def test_a_read_that_is_cancelled_before_it_begins(reader: Reader) -> None:
    token = threading.Event()
    token.set()
    with pytest.raises(DeviceError, match="DEV-105"):
        reader.read(SOON, token)


def test_cancel_does_not_wait_for_a_silent_reader(simulator: SdtReaderSimulator) -> None:
    reader = SdtIdCardReader(simulator.port, answer_time=600.0)
    simulator.fault(Fault("silence"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.read, 600.0)
        assert simulator.wait_asked("find", 1)
        reader.cancel()
        with pytest.raises(DeviceError, match="DEV-105"):
            waiting.result(SOON)
    reader.close()


@every_way
def test_a_second_read_meanwhile_is_refused(reader: Reader, simulator: SdtReaderSimulator) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(reader.read, SOON)
        assert simulator.wait_asked("find", 1)
        assert code_of_read(reader) == "DEV-110"
        simulator.place(ZHANGSAN)
        assert waiting.result(SOON).name == "张三"


@every_way
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("silence", on="find"), "DEV-103"),
        (Fault("silence", on="read"), "DEV-102"),
        (Fault("partial", on="find"), "DEV-102"),
        (Fault("partial", on="read"), "DEV-102"),
        (Fault("bad_checksum", on="find"), "DEV-109"),
        (Fault("bad_checksum", on="read"), "DEV-109"),
        (Fault("delay", on="read", seconds=0.5), "DEV-102"),
        (Fault("self_test_failed", on="find"), "DEV-106"),
    ],
    ids=lambda value: f"{value.kind}-{value.on}" if isinstance(value, Fault) else value,
)
def test_each_fault_has_its_code_and_is_over_when_mended(
    reader: Reader, simulator: SdtReaderSimulator, fault: Fault, code: str
) -> None:
    simulator.place(ZHANGSAN)
    simulator.fault(fault)
    assert code_of_read(reader) == code
    simulator.fault(None)
    simulator.place(ZHANGSAN)
    assert reader.read(SOON).name == "张三"


@every_way
@pytest.mark.parametrize("command", ["find", "select", "read"])
def test_one_damaged_answer_is_asked_for_again(reader: Reader, simulator: SdtReaderSimulator, command: str) -> None:
    simulator.place(ZHANGSAN)
    simulator.fault(Fault("bad_checksum", on=command, times=1))
    assert reader.read(SOON).name == "张三"
    assert simulator.asked(command) == 2


@every_way
def test_a_slow_answer_is_waited_for(reader: Reader, simulator: SdtReaderSimulator) -> None:
    simulator.place(ZHANGSAN)
    simulator.fault(Fault("delay", on="read", seconds=0.1))
    assert reader.read(SOON).name == "张三"


def test_a_card_taken_away_in_mid_read(simulator: SdtReaderSimulator) -> None:
    reader = SdtIdCardReader(simulator.port, poll=0.02)
    simulator.place(ZHANGSAN)
    simulator.fault(Fault("delay", on="read", seconds=0.2))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(code_of_read, reader)
        assert simulator.wait_asked("read", 1)
        simulator.lift()
        assert waiting.result(SOON) == "DEV-102"
    reader.close()


@every_way
def test_a_reader_unplugged_in_mid_read_works_again_when_replugged(
    reader: Reader, simulator: SdtReaderSimulator
) -> None:
    simulator.place(ZHANGSAN)
    simulator.fault(Fault("unplug_mid_read", times=1))
    assert code_of_read(reader) == "DEV-102"
    assert code_of_read(reader) == "DEV-103"
    simulator.replug()
    assert reader.read(SOON).name == "张三"


@every_way
def test_a_reader_unplugged_while_waiting(reader: Reader, simulator: SdtReaderSimulator) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(code_of_read, reader)
        assert simulator.wait_asked("find", 1)
        simulator.unplug()
        assert waiting.result(SOON) == "DEV-102"


@every_way
def test_a_reader_replugged_between_reads_is_not_noticed(reader: Reader, simulator: SdtReaderSimulator) -> None:
    simulator.place(ZHANGSAN)
    reader.read(SOON)
    simulator.unplug()
    simulator.replug()
    assert reader.read(SOON).name == "张三"


@every_way
def test_probe_tells_well_silent_faulty_and_absent(reader: Reader, simulator: SdtReaderSimulator) -> None:
    codes = []
    reader.probe()
    for fault in (Fault("silence"), Fault("bad_checksum"), Fault("self_test_failed")):
        simulator.fault(fault)
        with pytest.raises(DeviceError) as caught:
            reader.probe()
        codes.append(caught.value.code)
    simulator.fault(None)
    reader.probe()
    simulator.unplug()
    with pytest.raises(DeviceError) as caught:
        reader.probe()
    assert [*codes, caught.value.code] == ["DEV-103", "DEV-109", "DEV-106", "DEV-103"]


@every_way
def test_a_card_that_says_nonsense_is_unreadable(reader: Reader, simulator: SdtReaderSimulator) -> None:
    simulator.place(replace(ZHANGSAN, id_number=""))
    assert code_of_read(reader) == "DEV-104"


@pytest.mark.skipif(sys.platform == "win32", reason="file locks of POSIX")
def test_a_port_that_another_program_holds_is_busy() -> None:
    with SdtReaderSimulator("pty") as simulator:
        first, second = (SdtIdCardReader(simulator.port, **TIMES) for _ in range(2))
        first.probe()
        with pytest.raises(DeviceError, match="DEV-111"):
            second.probe()
        first.close()
        second.probe()
        second.close()


@pytest.mark.parametrize("port", ["/nonexistent/tty", "socket://127.0.0.1:1", "nonsense://", "/dev/null"])
def test_a_port_that_is_none(port: str) -> None:
    assert code_of_read(SdtIdCardReader(port)) == "DEV-103"


def test_searches_for_a_card_keep_their_distance(simulator: SdtReaderSimulator) -> None:
    assert (SdtIdCardReader.__init__.__kwdefaults__ or {})["poll"] >= 0.3, "what readers' makers ask for"
    reader = SdtIdCardReader(simulator.port, poll=60.0)
    for _ in range(2):
        assert code_of_read(reader, 0.1) == "DEV-101"
    assert simulator.asked("find") == 1
    reader.close()
