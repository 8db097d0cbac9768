"""What every ticket printer promises: the driver alone, and in its host."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import pytest

from devices.drivers import ticket_layout
from devices.drivers.escpos import EscPosPrinter
from devices.host import HostedDriver, HostedTicketPrinter
from devices.ports import DeviceError, Paper, PrinterStatus, Ticket, TicketPrinter, may_be_out
from devices.simulators.base import Fault
from devices.simulators.escpos import NEAR, PrinterSimulator

SOON = 20.0
TICKET = Ticket(
    "A017",
    "示范市政务服务中心",
    ("个体工商户设立登记", "贾𬭎䶮 前面还有 3 人"),
    "https://hall.example/q/A017",
    "过号请到导办台",
)
every_way = pytest.mark.parametrize("how", ["driver", "hosted"])


class Printer(TicketPrinter, Protocol):
    def print_ticket(self, ticket: Ticket, timeout: float = 15.0, token: threading.Event | None = None) -> None: ...

    def probe(self) -> PrinterStatus: ...


@pytest.fixture
def simulator() -> Iterator[PrinterSimulator]:
    with PrinterSimulator() as sim:
        yield sim


@pytest.fixture
def how() -> str:
    return "driver"


@pytest.fixture
def printer(how: str, simulator: PrinterSimulator) -> Iterator[Any]:
    if how == "driver":
        yield EscPosPrinter(simulator.port)
    else:
        command = [sys.executable, "-m", "devices.host", "escpos"]
        hosted = HostedDriver("escpos", {"address": simulator.port}, command=command)
        yield HostedTicketPrinter(hosted)
        hosted.close()


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(DeviceError) as caught:
        call()
    assert caught.value.message
    return caught.value.code


def code_of_print(printer: Printer, timeout: float = SOON) -> str:
    return code_of(lambda: printer.print_ticket(TICKET, timeout))


@every_way
def test_what_was_drawn_comes_out_and_its_code_can_be_scanned(printer: Printer, simulator: PrinterSimulator) -> None:
    import io

    import zxingcpp
    from PIL import Image

    printer.print_ticket(TICKET, SOON)
    (printed,) = simulator.tickets
    drawn = ticket_layout.draw(TICKET)
    assert (printed.width, printed.rows) == (drawn.width, drawn.rows)
    assert not simulator.unknown
    assert not simulator.hanging.rows
    image = Image.open(io.BytesIO(printed.png())).convert("L")
    assert [code.text for code in zxingcpp.read_barcodes(image)] == [TICKET.qr]


@pytest.mark.parametrize("width", [384, 576])
def test_a_ticket_fits_its_paper_and_loses_no_letter(width: int) -> None:
    long = Ticket("A017", "示范市政务服务中心", ("城乡居民基本养老保险参保登记和待遇领取资格认证" * 2,))
    drawn = ticket_layout.draw(long, width)
    wide = width // 8
    rows = [drawn.rows[at : at + wide] for at in range(0, len(drawn.rows), wide)]
    assert all(row[0] == 0 and row[-1] == 0 for row in rows), "a margin on both sides"
    assert drawn.height > ticket_layout.draw(Ticket("A017", "示范市政务服务中心", ("短",)), width).height
    assert ticket_layout.draw(Ticket("龘"), width) != ticket_layout.draw(Ticket("𬭎"), width), "no box for both"


@every_way
def test_status_says_paper_cover_and_silence(printer: Printer, simulator: PrinterSimulator) -> None:
    assert printer.status() == PrinterStatus(Paper.OK)
    simulator.paper(NEAR - 1)
    assert printer.status().paper == Paper.NEAR_END
    assert printer.probe().paper == Paper.NEAR_END
    simulator.paper(0)
    assert (printer.status().paper, printer.status().online) == (Paper.OUT, False)
    simulator.paper()
    simulator.cover(True)
    assert printer.status() == PrinterStatus(Paper.OK, online=False, cover_open=True)
    simulator.cover(False)
    simulator.fault(Fault("silence"))
    assert printer.status() == PrinterStatus(Paper.UNKNOWN, online=False, answers=False)


@every_way
def test_nothing_is_printed_by_a_printer_that_is_not_well(printer: Printer, simulator: PrinterSimulator) -> None:
    simulator.paper(0)
    codes = [code_of_print(printer)]
    simulator.paper()
    simulator.cover(True)
    codes.append(code_of_print(printer))
    simulator.cover(False)
    for kind in ("silence", "garbage"):
        simulator.fault(Fault(kind))
        codes.append(code_of_print(printer))
    simulator.fault(None)
    simulator.unplug()
    codes.append(code_of_print(printer))
    assert codes == ["DEV-302", "DEV-303", "DEV-306", "DEV-306", "DEV-301"]
    assert not any(may_be_out(DeviceError(code, "")) for code in codes)
    simulator.replug()
    assert not simulator.tickets
    assert not simulator.hanging.rows
    printer.print_ticket(TICKET, SOON)
    assert len(simulator.tickets) == 1


@every_way
def test_paper_that_ends_in_mid_ticket_is_no_ticket_and_no_ghost_of_it(
    printer: Printer, simulator: PrinterSimulator
) -> None:
    simulator.paper(300)
    with pytest.raises(DeviceError, match="DEV-310") as caught:
        printer.print_ticket(TICKET, SOON)
    assert may_be_out(caught.value)
    assert "不算数" in caught.value.message
    assert simulator.hanging.rows == ticket_layout.draw(TICKET).rows[: 300 * 72]
    simulator.paper()
    printer.probe()
    assert not simulator.tickets, "the rest is not printed when paper is there again"
    simulator.obey({"do": "tear"})
    printer.print_ticket(TICKET, SOON)
    assert [ticket.rows for ticket in simulator.tickets] == [ticket_layout.draw(TICKET).rows]


@every_way
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("cover", on="band", after=1), "DEV-311"),
        (Fault("cutter", on="cut"), "DEV-311"),
        (Fault("cover", on="status", after=8), "DEV-311"),  # when it has reported that all is printed
        (Fault("unplug", on="band", after=1), "DEV-312"),
        (Fault("silence", on="report"), "DEV-313"),
        (Fault("silence", on="status", after=4), "DEV-313"),
        (Fault("garbage", on="report"), "DEV-313"),
    ],
    ids=lambda value: f"{value.kind}-{value.on}" if isinstance(value, Fault) else value,
)
def test_each_fault_in_mid_ticket_has_its_code_and_is_over_when_mended(
    printer: Printer, simulator: PrinterSimulator, fault: Fault, code: str
) -> None:
    simulator.fault(fault)
    with pytest.raises(DeviceError, match=code) as caught:
        printer.print_ticket(TICKET, 2.0)
    assert may_be_out(caught.value)
    assert caught.value.fix
    simulator.fault(None)
    simulator.cover(False)
    simulator.paper()
    simulator.replug()
    simulator.obey({"do": "tear"})
    before = len(simulator.tickets)
    printer.print_ticket(TICKET, SOON)
    assert len(simulator.tickets) == before + 1


@every_way
def test_a_slow_printer_is_waited_for(printer: Printer, simulator: PrinterSimulator) -> None:
    simulator.fault(Fault("delay", on="band", seconds=0.2))
    printer.print_ticket(TICKET, SOON)
    assert len(simulator.tickets) == 1


def test_cancel_before_and_while_printing(simulator: PrinterSimulator) -> None:
    printer = EscPosPrinter(simulator.port)
    token = threading.Event()
    token.set()
    assert code_of(lambda: printer.print_ticket(TICKET, SOON, token)) == "DEV-305"
    assert not simulator.asked("band")
    token.clear()
    simulator.fault(Fault("silence", on="report"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: code_of(lambda: printer.print_ticket(TICKET, 600.0, token)))
        assert simulator.wait_asked("report", 1)
        token.set()
        assert waiting.result(SOON) == "DEV-313", "sent, and not confirmed"


@every_way
def test_tickets_of_two_at_once_come_out_one_after_the_other(printer: Printer, simulator: PrinterSimulator) -> None:
    with ThreadPoolExecutor(4) as pool:
        numbers = [Ticket(f"B{n:03}") for n in range(8)]
        list(pool.map(lambda ticket: printer.print_ticket(ticket, SOON), numbers))
    assert {ticket.rows for ticket in simulator.tickets} == {ticket_layout.draw(number).rows for number in numbers}
    assert len(simulator.tickets) == 8


def test_a_turn_that_does_not_come_is_said(simulator: PrinterSimulator) -> None:
    printer = EscPosPrinter(simulator.port)
    simulator.fault(Fault("silence", on="report"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(code_of_print, printer, 2.0)
        assert simulator.wait_asked("report", 1)
        assert code_of_print(printer, 0.1) == "DEV-309"
        assert waiting.result(SOON) == "DEV-313"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tcp://", "/nonexistent/tty", "/dev/null"])
def test_an_address_that_is_none(address: str) -> None:
    assert code_of_print(EscPosPrinter(address)) == "DEV-301"


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminal")
def test_a_printer_on_a_serial_line() -> None:
    from devices.simulators.wires import PtyWire

    simulator = PrinterSimulator()
    simulator._wire.close()
    simulator._wire = PtyWire()
    with simulator:
        EscPosPrinter(simulator.port).print_ticket(TICKET, SOON)
    assert [ticket.rows for ticket in simulator.tickets] == [ticket_layout.draw(TICKET).rows]


def test_a_status_costs_no_time() -> None:
    with PrinterSimulator() as simulator:
        printer = EscPosPrinter(simulator.port)
        began = time.monotonic()
        for _ in range(50):
            printer.status()
        assert simulator.asked("status") == 200
        assert time.monotonic() - began < SOON
