"""Identity card readers that speak the SAM protocol on a serial port (also ``socket://host:port``)."""

from __future__ import annotations

import errno
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import serial

from devices.drivers import id_text, sdt_frames
from devices.drivers.sdt_frames import FIND, FOUND, OK, READ, SAM_STATUS, SELECT, Damaged, Frame, FrameParser
from devices.ports import DeviceError, IdentityRecord
from modules.common.text import tr

if sys.platform == "win32":
    _LOST: tuple[type[Exception], ...] = (OSError,)
else:
    import termios

    # pySerial lets termios' own error through where a port vanishes; its SerialException is an OSError.
    _LOST = (OSError, termios.error)

_READER_FAULTS = (0x60, 0x66)
_CARD_GONE = (sdt_frames.READ_FAILED, sdt_frames.NO_CARD, sdt_frames.NOT_SELECTED)
# How often a waiting read looks whether it was cancelled, seconds.
_SLICE = 0.1


class _NoAnswer(Exception):
    """No whole answer came in time; ``partial`` when it had begun."""

    def __init__(self, partial: bool) -> None:
        self.partial = partial


class _Garbled(Exception):
    """The answer was damaged, twice."""


class SdtIdCardReader:
    """Reads identity cards over one serial port, which it opens when first asked and reopens when it was lost.

    ``poll``: least seconds between two searches for a card (readers want 0.3); ``answer_time``: seconds that
    one answer may take. A read that is under way at its deadline is finished, so that ``read`` may overrun
    by a few answers. After a card was read, readers find it no more until it has been lifted.
    """

    def __init__(self, port: str, baud: int = 115200, *, poll: float = 0.3, answer_time: float = 3.0) -> None:
        self._name = port
        self._baud = baud
        self._poll = poll
        self._answer_time = answer_time
        self._claim = threading.Lock()
        self._port: Any = None
        self._next_find = 0.0
        self._found = False
        self._token: threading.Event | None = None

    def read(self, timeout: float = 15.0, token: threading.Event | None = None) -> IdentityRecord:
        """See ``IdCardReader.read``. Setting ``token`` ends it with DEV-105, as ``cancel`` does."""
        with self._claimed():
            self._token = token = token or threading.Event()
            self._found = False
            try:
                self._connect()
                return self._wait_and_read(time.monotonic() + timeout, token)
            except _NoAnswer as error:
                self._drop()
                raise (_interrupted() if error.partial or self._found else self._silent()) from error
            except _Garbled as error:
                self._drop()
                raise _noise() from error
            except _LOST as error:
                self._drop()
                raise _unplugged() from error
            finally:
                self._token = None

    def cancel(self) -> None:
        """End a waiting ``read``, from any thread; does nothing where none waits."""
        token = self._token
        if token is not None:
            token.set()

    def probe(self) -> None:
        """Ask the reader whether it is well. Raises ``DeviceError``: DEV-103 not there or silent, DEV-106 it
        reports a fault, DEV-107 no right to the port, DEV-109 line noise, DEV-110 in use, DEV-111 held by another.
        """
        with self._claimed():
            try:
                self._connect()
                answer = self._ask(SAM_STATUS, threading.Event())
            except _NoAnswer as error:
                self._drop()
                raise self._silent() from error
            except _Garbled as error:
                self._drop()
                raise _noise() from error
            except _LOST as error:
                self._drop()
                raise self._absent() from error
        if answer.status != OK:
            raise _faulty(answer.status)

    def close(self) -> None:
        """Cancel what is waiting and let go of the port."""
        self.cancel()
        with self._claim:
            self._drop()

    def _wait_and_read(self, deadline: float, token: threading.Event) -> IdentityRecord:
        while True:
            now = time.monotonic()
            if token.wait(max(0.0, min(self._next_find, deadline) - now)):
                raise _cancelled()
            if time.monotonic() >= deadline:
                raise _no_card()
            self._next_find = time.monotonic() + self._poll
            found = self._ask(FIND, token).status
            if found in _READER_FAULTS:
                raise _faulty(found)
            if found != FOUND:
                continue
            self._found = self._ask(SELECT, token).status == OK
            if self._found:
                return self._read_card(token)

    def _read_card(self, token: threading.Event) -> IdentityRecord:
        answer = self._ask(READ, token)
        if answer.status in _CARD_GONE:
            raise _taken_away()
        if answer.status != OK:
            raise id_text.unreadable(sdt_frames.meaning(answer.status))
        try:
            text, photo = sdt_frames.split_card_data(answer.data)
        except ValueError as error:
            raise id_text.unreadable(tr("数据长度错误")) from error
        return id_text.decode(text, photo)

    def _ask(self, body: bytes, token: threading.Event) -> Frame:
        """The answer to a command, asked for once more where it was damaged on the line."""
        for _ in range(2):
            self._discard_input()
            self._port.write(sdt_frames.frame(body))
            answer = self._answer(token)
            if answer is not None and answer.status != sdt_frames.BAD_CHECKSUM:
                return answer
        raise _Garbled

    def _answer(self, token: threading.Event) -> Frame | None:
        """The next whole frame, or None for a damaged one."""
        parser = FrameParser()
        give_up = time.monotonic() + self._answer_time
        while time.monotonic() < give_up:
            if token.is_set():
                # The answer is still to come: a fresh opening keeps it out of the next exchange.
                self._drop()
                raise _cancelled()
            found = parser.feed(self._port.read(max(1, self._port.in_waiting)))
            for item in found:
                if isinstance(item, Frame):
                    return item
            if any(isinstance(item, Damaged) for item in found):
                return None
        raise _NoAnswer(parser.started)

    @contextmanager
    def _claimed(self) -> Iterator[None]:
        if not self._claim.acquire(blocking=False):
            raise _busy()
        try:
            yield
        finally:
            self._claim.release()

    def _connect(self) -> None:
        if self._port is not None:
            try:
                # A reader that was unplugged and plugged in again shows here, before anything is asked.
                self._discard_input()
            except _LOST:
                self._drop()
        if self._port is None:
            try:
                self._port = serial.serial_for_url(
                    self._name, baudrate=self._baud, timeout=_SLICE, write_timeout=1.0, exclusive=True
                )
            except (ValueError, *_LOST) as error:
                raise self._not_opened(error) from error

    def _discard_input(self) -> None:
        while self._port.in_waiting:
            self._port.read(self._port.in_waiting)

    def _drop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            # pySerial forgets to close a socket whose other end has gone first.
            line = getattr(port, "_socket", None)
            port.close()
            if line is not None:
                line.close()

    def _not_opened(self, error: Exception) -> DeviceError:
        number = getattr(error, "errno", None)
        if number in (errno.EAGAIN, errno.EBUSY) or (sys.platform == "win32" and "PermissionError" in str(error)):
            return DeviceError(
                "DEV-111",
                tr("读卡器端口 {port} 正被其他程序占用。", port=self._name),
                fix=tr("请关闭其他读卡程序后再试。"),
            )
        if number == errno.EACCES:
            return DeviceError(
                "DEV-107",
                tr("没有使用读卡器端口 {port} 的权限。", port=self._name),
                fix=tr("请管理员把当前系统用户加入 dialout 组，然后重新登录系统。"),
            )
        return self._absent()

    def _absent(self) -> DeviceError:
        return DeviceError(
            "DEV-103",
            tr("没有找到读卡器（端口 {port}）。", port=self._name),
            fix=tr("请检查读卡器的连接线和电源，插好后会自动恢复；也可以手工录入。"),
        )

    def _silent(self) -> DeviceError:
        return DeviceError(
            "DEV-103",
            tr("读卡器没有应答（端口 {port}）。", port=self._name),
            fix=tr("请检查读卡器的电源，拔下后重新插好；也可以手工录入。"),
        )


def _no_card() -> DeviceError:
    return DeviceError(
        "DEV-101",
        tr("在规定时间内没有读到证件。"),
        fix=tr("请把证件放在感应区；证件已经放着的，请拿起重放。"),
    )


def _taken_away() -> DeviceError:
    return DeviceError("DEV-102", tr("没有读完证件就被拿开了。"), fix=tr("请把证件重新放好，听到提示后再拿开。"))


def _unplugged() -> DeviceError:
    return DeviceError(
        "DEV-102",
        tr("读卡时读卡器断开了，没有读到任何内容。"),
        fix=tr("请插好读卡器的连接线再读一次；已录入的内容都还在。"),
    )


def _interrupted() -> DeviceError:
    return DeviceError(
        "DEV-102",
        tr("读卡中途数据断了，没有读到完整的内容。"),
        fix=tr("请把证件拿起重放，再读一次；反复出现时请检查连接线。"),
    )


def _noise() -> DeviceError:
    return DeviceError(
        "DEV-109",
        tr("读卡器传来的数据校验不对，没有采用。"),
        fix=tr("请把证件拿起重放；反复出现时请更换连接线。"),
    )


def _cancelled() -> DeviceError:
    return DeviceError("DEV-105", tr("已取消读卡。"))


def _faulty(status: int) -> DeviceError:
    return DeviceError(
        "DEV-106",
        tr("读卡器报告故障：{why}。", why=sdt_frames.meaning(status)),
        fix=tr("请拔下读卡器重新插好；仍然不行时请联系管理员。"),
    )


def _busy() -> DeviceError:
    return DeviceError("DEV-110", tr("读卡器正在使用中。"), fix=tr("请等这次读卡结束后再试。"))
