"""Ticket printers that speak ESC/POS, on the network (``tcp://host:9100``) or on a serial port.

The ticket is drawn here and sent as dots (``GS v 0``). The printer is asked before and after: a number counts only
when the printer has said, behind the last dot, that it has paper and no fault.

Commands are Epson's ESC/POS as every maker copies it. Asked at once, past all data that waits: ``DLE EOT 1`` (off
line: bit 3), ``2`` (cover open: bit 2, stopped for paper: 5), ``3`` (cutter: 3, fatal: 5, recoverable: 6), ``4``
(paper near its end: 2, 3, out: 5, 6). In turn, behind the data: ``GS r 1``.
"""

from __future__ import annotations

import errno
import select
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from devices.drivers.ticket_layout import Dots, draw
from devices.ports import DeviceError, Paper, PrinterStatus, Ticket
from modules.common.text import tr

ASK = b"\x10\x04"
START = b"\x1b@"
FEED_AND_CUT = b"\x1dV\x42\x30"
REPORT = b"\x1dr\x01"
FORGET = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08" + b"\x10\x05\x02"
"""Clear what waits in the printer: the newer command, then the older one."""
_BAND = 200
"""Lines of dots in one command; makers allow 255 and more."""
_SLICE = 0.1
_ANSWER_TIME = 1.0


def raster(dots: Dots) -> bytes:
    """A whole ticket on the wire: reset, dots in bands, feed and cut."""
    wide = dots.width // 8
    parts = [START]
    for top in range(0, dots.height, _BAND):
        rows = dots.rows[top * wide : (top + _BAND) * wide]
        parts.append(b"\x1dv0\x00" + wide.to_bytes(2, "little") + (len(rows) // wide).to_bytes(2, "little") + rows)
    return b"".join([*parts, FEED_AND_CUT])


@dataclass(frozen=True, slots=True)
class _Report:
    """What the four status bytes say."""

    offline: bool
    cover: bool
    stopped: bool
    broken: bool
    near: bool
    out: bool

    @classmethod
    def of(cls, one: int, two: int, three: int, four: int) -> _Report:
        return cls(
            offline=bool(one & 0x08),
            cover=bool(two & 0x04),
            stopped=bool(two & 0x20),
            broken=bool(three & 0x68),
            near=bool(four & 0x0C),
            out=bool(four & 0x60) or bool(two & 0x20),
        )


class _Line(Protocol):
    """A connection. ``read`` waits at most ``wait`` seconds; both raise ``OSError`` where it is broken."""

    def write(self, data: bytes, deadline: float) -> None: ...

    def read(self, wait: float) -> bytes: ...

    def close(self) -> None: ...


class _Tcp:
    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=2.0)
        self._socket.setblocking(False)

    def write(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            _, ready, _ = select.select([], [self._socket], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            view = view[self._socket.send(view) :]

    def read(self, wait: float) -> bytes:
        ready, _, _ = select.select([self._socket], [], [], wait)
        if not ready:
            return b""
        data = self._socket.recv(256)
        if not data:
            raise ConnectionResetError
        return data

    def close(self) -> None:
        # a socket closed over unread bytes takes back what was sent last: the other side is heard out first
        try:
            self._socket.shutdown(socket.SHUT_WR)
            while self.read(0.2):
                continue
        except OSError:
            # the other side has closed, now or before
            pass
        finally:
            self._socket.close()


class _Serial:
    def __init__(self, port: str, baud: int) -> None:
        import serial

        self._port: Any = serial.Serial(port, baud, timeout=_SLICE, write_timeout=_SLICE, exclusive=True)

    def write(self, data: bytes, deadline: float) -> None:
        import serial

        for at in range(0, len(data), 1024):
            while True:
                if time.monotonic() > deadline:
                    raise TimeoutError
                try:
                    self._port.write(data[at : at + 1024])
                    break
                except serial.SerialTimeoutException:
                    # hardware flow control holds the line: nothing of this piece was taken
                    continue

    def read(self, wait: float) -> bytes:
        self._port.timeout = wait
        return bytes(self._port.read(max(1, self._port.in_waiting)))

    def close(self) -> None:
        self._port.close()


class EscPosPrinter:
    """One printer. ``address`` is ``tcp://host:9100`` or a serial port; ``width`` the dots of a line.

    It is connected for each ticket and each question, so that several computers may share it.
    """

    def __init__(self, address: str, *, width: int = 576, baud: int = 115200) -> None:
        self._address = address
        self._width = width
        self._baud = baud
        self._turn = threading.Lock()

    def print_ticket(self, ticket: Ticket, timeout: float = 15.0, token: threading.Event | None = None) -> None:
        """See ``TicketPrinter.print_ticket``. Setting ``token`` ends it with DEV-305 or DEV-313."""
        token = token or threading.Event()
        deadline = time.monotonic() + timeout
        data = raster(draw(ticket, self._width))
        self._take_turn(deadline, token)
        try:
            line = self._connect()
            try:
                self._check(self._asked_before(line))
                if token.is_set():
                    raise _cancelled()
                self._send(line, data, deadline, token)
            finally:
                line.close()
        finally:
            self._turn.release()

    def status(self, timeout: float = 3.0) -> PrinterStatus:
        """See ``TicketPrinter.status``."""
        self._take_turn(time.monotonic() + timeout, threading.Event())
        try:
            line = self._connect()
            try:
                report = self._report(line)
            except OSError as error:
                raise self._absent() from error
            finally:
                line.close()
        finally:
            self._turn.release()
        if report is None:
            return PrinterStatus(Paper.UNKNOWN, online=False, answers=False)
        paper = Paper.OUT if report.out else Paper.NEAR_END if report.near else Paper.OK
        return PrinterStatus(paper, online=not report.offline, cover_open=report.cover)

    def probe(self) -> PrinterStatus:
        """The printer's status. Raises ``DeviceError`` where it could print no ticket now."""
        self._take_turn(time.monotonic() + 3.0, threading.Event())
        try:
            line = self._connect()
            try:
                report = self._asked_before(line)
            finally:
                line.close()
        finally:
            self._turn.release()
        self._check(report)
        return PrinterStatus(Paper.NEAR_END if report.near else Paper.OK)

    def _take_turn(self, deadline: float, token: threading.Event) -> None:
        while not self._turn.acquire(timeout=_SLICE):
            if token.is_set():
                raise _cancelled()
            if time.monotonic() > deadline:
                raise DeviceError("DEV-309", tr("打印机正在打印别的号票。"), fix=tr("请稍后再试。"))

    def _asked_before(self, line: _Line) -> _Report:
        try:
            report = self._report(line)
        except OSError as error:
            raise self._absent() from error
        if report is None:
            raise DeviceError(
                "DEV-306",
                tr("打印机没有应答，号票没有打印。"),
                fix=tr("请检查打印机的电源、连接线和是否在联机状态。"),
            )
        return report

    def _check(self, report: _Report) -> None:
        """Raise what keeps this printer from printing."""
        if report.cover:
            raise DeviceError("DEV-303", tr("打印机上盖开着，号票没有打印。"), fix=tr("请合上上盖后再试。"))
        if report.out:
            raise DeviceError("DEV-302", tr("打印机缺纸，号票没有打印。"), fix=tr("请装好新纸卷后再试。"))
        if report.broken or report.offline:
            raise DeviceError(
                "DEV-304",
                tr("打印机报告故障，号票没有打印。"),
                fix=tr("请关闭打印机电源，检查切刀和纸路后重新打开。"),
            )

    def _send(self, line: _Line, data: bytes, deadline: float, token: threading.Event) -> None:
        try:
            line.write(data + REPORT, deadline)
            self._await_report(line, deadline, token)
            # the report speaks of paper only; the cutter and the cover are asked once more
            after = self._report(line)
        except TimeoutError as error:
            self._forget(line)
            raise _open_ended() from error
        except OSError as error:
            raise _line_broke() from error
        if after is None:
            raise _open_ended()
        self._check_after(line, after)

    def _await_report(self, line: _Line, deadline: float, token: threading.Event) -> None:
        """Wait for the answer behind the data; meanwhile ask, past the data, whether something has happened."""
        while True:
            report, arrived = self._ask(line)
            if report is not None:
                self._check_after(line, report)
            if arrived:
                return
            if token.is_set() or time.monotonic() > deadline:
                self._forget(line)
                raise _open_ended()

    def _check_after(self, line: _Line, report: _Report) -> None:
        if report.out:
            self._forget(line)
            raise DeviceError(
                "DEV-310",
                tr("打印中途缺纸，号票没有打完，这个号不算数。"),
                fix=tr("请撕掉没打完的号票，装好新纸卷，再取一次号。"),
            )
        if report.cover or report.broken or report.offline:
            self._forget(line)
            raise DeviceError(
                "DEV-311",
                tr("打印中途打印机停下了（上盖打开或故障），这个号不算数。"),
                fix=tr("请取走打出来的部分，检查打印机后再取一次号。"),
            )

    def _forget(self, line: _Line) -> None:
        """Have the printer drop the rest, or it would print half a ticket as soon as there is paper."""
        try:
            line.write(FORGET, time.monotonic() + 0.5)
        except OSError:
            # the printer is gone, and its memory with it
            return

    def _report(self, line: _Line) -> _Report | None:
        return self._ask(line)[0]

    def _ask(self, line: _Line) -> tuple[_Report | None, bool]:
        """The four status bytes, or None where not all came; and whether the answer to ``GS r`` came between."""
        found: list[int] = []
        arrived = False
        for number in (1, 2, 3, 4):
            line.write(ASK + bytes([number]), time.monotonic() + _ANSWER_TIME)
            give_up = time.monotonic() + _ANSWER_TIME
            status: int | None = None
            while status is None:
                data = line.read(max(0.0, give_up - time.monotonic()))
                if not data:
                    return None, arrived
                for byte in data:
                    # fixed bits tell them apart: 0xx1xx10 at once, 0xx0xxxx in turn; all else is noise
                    if byte & 0x93 == 0x12:
                        status = byte
                    elif byte & 0x90 == 0:
                        arrived = True
            found.append(status)
        return _Report.of(*found), arrived

    def _connect(self) -> _Line:
        try:
            if "://" not in self._address:
                return _Serial(self._address, self._baud)
            parts = urlsplit(self._address)
            return _Tcp(parts.hostname or "", parts.port or 9100)
        except (OSError, ValueError) as error:
            number = getattr(error, "errno", None)
            if number in (errno.EACCES, errno.EBUSY, errno.EAGAIN):
                raise DeviceError(
                    "DEV-307",
                    tr("打印机 {address} 正被其他程序占用，或没有使用权限。", address=self._address),
                    fix=tr("请关闭其他打印程序；仍然不行时请联系管理员。"),
                ) from error
            raise self._absent() from error

    def _absent(self) -> DeviceError:
        return DeviceError(
            "DEV-301",
            tr("没有找到取号打印机（{address}）。", address=self._address),
            fix=tr("请检查打印机的电源和网线或连接线，接好后会自动恢复。"),
        )


def _cancelled() -> DeviceError:
    return DeviceError("DEV-305", tr("已取消打印，号票没有打印。"))


def _open_ended() -> DeviceError:
    return DeviceError(
        "DEV-313",
        tr("打印机没有报告号票已打完，这个号不算数。"),
        fix=tr("请看出纸口：有号票请撕掉作废，再取一次号。"),
    )


def _line_broke() -> DeviceError:
    return DeviceError(
        "DEV-312",
        tr("打印中途与打印机的连接断了，这个号不算数。"),
        fix=tr("请取走打出来的部分，检查连接线后再取一次号。"),
    )
