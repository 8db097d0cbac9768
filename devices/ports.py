"""What the suite asks of devices: capabilities and their value types, never models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from modules.common.errors import GovDeskError
from modules.common.text import tr


class DeviceState(StrEnum):
    """``unknown`` is not ``ready``: it says that nobody could ask."""

    UNKNOWN = "unknown"
    ABSENT = "absent"
    OPENING = "opening"
    READY = "ready"
    BUSY = "busy"
    ATTENTION = "attention"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """One line of the status stream: ``seq`` grows, ``text`` and ``advice`` are for people.

    ``simulated`` is true when the wire ends in a simulator; the window says so.
    """

    device: str
    kind: str
    name: str
    state: DeviceState
    seq: int
    since: datetime
    code: str = ""
    text: str = ""
    advice: str = ""
    simulated: bool = False


class DeviceError(GovDeskError):
    """A device's failure, with a code DEV-… and a Chinese sentence."""


def no_reader() -> DeviceError:
    """What is said where no reader of identity cards is set up."""
    return DeviceError(
        "DEV-108", tr("这台电脑没有设置身份证读卡器。"), fix=tr("请手工录入；需要读卡器时请联系系统管理员。")
    )


def no_camera() -> DeviceError:
    """What is said where no document camera is set up."""
    return DeviceError("DEV-208", tr("这台电脑没有设置高拍仪。"), fix=tr("可以从文件添加；需要时请联系系统管理员。"))


def no_ticket_printer() -> DeviceError:
    """What is said where no ticket printer is set up."""
    return DeviceError(
        "DEV-308", tr("这台电脑没有设置取号打印机。"), fix=tr("请把号码告诉办事人；需要时请联系系统管理员。")
    )


def no_evaluator() -> DeviceError:
    """What is said where no evaluator is set up."""
    return DeviceError(
        "DEV-408", tr("这台电脑没有设置评价器。"), fix=tr("可以在第二屏上评价；需要时请联系系统管理员。")
    )


def no_window_screen() -> DeviceError:
    """What is said where no window screen is set up."""
    return DeviceError("DEV-458", tr("这个窗口没有设置窗口屏。"), fix=tr("需要时请联系系统管理员。"))


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """What an identity card says. ``kind``: resident, hmt, foreigner2017 or foreigner2023.

    ``name`` is the Chinese name, or the English one where the card has no other. ``valid_to`` is None for 长期.
    ``nationality`` is the card's three-letter code. ``pass_number`` is the travel permit named on an hmt card.
    ``photo`` is the card's undecoded picture (WLT), 1024 bytes or none. Kept in memory only; never logged.
    """

    kind: str
    name: str
    id_number: str
    sex: str
    birth: date | None
    nation: str = ""
    address: str = ""
    issuer: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    english_name: str = ""
    nationality: str = ""
    pass_number: str = ""
    photo: bytes = b""

    def __repr__(self) -> str:
        return f"IdentityRecord(kind={self.kind!r}, …)"


Corners = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
"""A page's corners as (x, y) in parts of the picture's width and height, clockwise from the page's upper left."""
WHOLE: Corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
"""The corners of a whole picture."""


@dataclass(frozen=True, slots=True)
class Page:
    """A picture as JPEG, with its size in pixels."""

    jpeg: bytes
    width: int
    height: int

    def __repr__(self) -> str:
        return f"Page({self.width}×{self.height}, {len(self.jpeg)} bytes)"


@dataclass(frozen=True, slots=True)
class Frame:
    """One small picture of the preview. ``corners``: the page in it, where one is seen; ``number`` grows.

    ``still``: a page lies there, nothing has moved for a moment, and it was not photographed yet.
    """

    page: Page
    number: int
    corners: Corners | None = None
    still: bool = False


@dataclass(frozen=True, slots=True)
class Photo:
    """One shot. ``page`` is the page alone, straight and white; when not ``sure`` it is the whole ``frame``.

    Then ``corners`` is a proposal for a person to correct, and ``Camera.crop`` makes the page of it.
    ``confidence`` is from 0 to 1. ``frame`` is what the camera saw, undistorted and in full.
    """

    page: Page
    frame: Page
    corners: Corners
    confidence: float
    sure: bool


class Camera(Protocol):
    """A document camera. Blocking, with deadlines: belongs on lane ``net``. Preview and capture go together.

    Every call may raise ``DeviceError``: DEV-201 no camera there, DEV-202 it vanished or stopped sending pictures,
    DEV-203 its pictures are damaged, DEV-204 no right to use it or another program holds it, DEV-205 cancelled,
    DEV-206 no page can be made of these corners, DEV-208 none is set up; from the host DEV-001, DEV-002, DEV-003.
    """

    def preview(self, show: Callable[[Frame], None], *, width: int = 640, rate: float = 10.0) -> None:
        """Hand ``show`` frames at a steady rate, on the caller's thread, until ``cancel``; then it returns."""
        ...

    def capture(self, timeout: float = 10.0) -> Photo:
        """Photograph what lies there now."""
        ...

    def crop(self, frame: Page, corners: Corners, timeout: float = 10.0) -> Page:
        """The page inside ``corners`` of ``frame``, straight and white: for corners that a person has drawn."""
        ...

    def cancel(self) -> None:
        """End the preview, and what else waits (DEV-205)."""
        ...


class Paper(StrEnum):
    """What a printer says of its paper; ``unknown`` where it does not say."""

    OK = "ok"
    NEAR_END = "near_end"
    OUT = "out"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PrinterStatus:
    """How a ticket printer is. ``answers`` is false for one that takes data but reports nothing."""

    paper: Paper
    online: bool = True
    cover_open: bool = False
    answers: bool = True


@dataclass(frozen=True, slots=True)
class Ticket:
    """What stands on a queue ticket: ``title`` (the hall), ``number`` in large figures, ``lines`` below, then a
    QR code of ``qr`` and ``foot`` in small letters. What is empty takes no room.
    """

    number: str
    title: str = ""
    lines: tuple[str, ...] = ()
    qr: str = ""
    foot: str = ""


class TicketPrinter(Protocol):
    """A ticket printer. Blocking, with deadlines: belongs on lane ``net``."""

    def print_ticket(self, ticket: Ticket, timeout: float = 15.0) -> None:
        """Print and cut one ticket; returns only when the printer says, after it, that all is well.

        Any ``DeviceError`` means: do not count on this ticket, void its number. Nothing was printed: DEV-301 no
        printer there, DEV-302 out of paper, DEV-303 cover open, DEV-304 it reports a fault, DEV-305 cancelled,
        DEV-306 offline, DEV-307 port held by another or no right, DEV-308 none is set up, DEV-309 busy. It may
        be partly out: DEV-310 paper ran out, DEV-311 cover or fault, DEV-312 the line broke. DEV-313 (sent, but
        the printer does not answer) and DEV-001 and DEV-002 leave it open: see ``may_be_out``.
        """
        ...

    def status(self, timeout: float = 3.0) -> PrinterStatus:
        """Ask the printer. Raises ``DeviceError`` DEV-301 or DEV-307 where it can't be asked."""
        ...

    def cancel(self) -> None:
        """End a print that waits for its turn or for the printer (DEV-305, DEV-313)."""
        ...


def may_be_out(error: GovDeskError) -> bool:
    """Whether a ticket, or a piece of one, may hang from the printer after ``error``: have it taken off."""
    return error.code in ("DEV-310", "DEV-311", "DEV-312", "DEV-313", "DEV-001", "DEV-002")


class Evaluator(Protocol):
    """A device on the counter where a citizen rates with one key. Blocking: belongs on lane ``net``."""

    def ask(self, timeout: float = 60.0) -> int:
        """Ask for a rating: 5 (very satisfied) to 1. Raises ``DeviceError``: DEV-401 nobody pressed in time,
        DEV-402 unplugged while asking, DEV-403 not there or silent, DEV-404 answers damaged, DEV-405 cancelled,
        DEV-407 port held by another or no right, DEV-408 none is set up, DEV-409 busy; DEV-001 to DEV-003.
        """
        ...

    def cancel(self) -> None:
        """End a waiting ``ask``: it raises DEV-405."""
        ...


class WindowScreen(Protocol):
    """The small screen above a window. Blocking, with a deadline: belongs on lane ``net``."""

    def show(self, lines: Sequence[str], timeout: float = 3.0) -> None:
        """Show these lines until the next ones; what is too long for the screen is cut.

        Raises ``DeviceError``: DEV-451 not there, DEV-452 does not acknowledge, DEV-453 it refuses the text,
        DEV-455 cancelled, DEV-457 port held by another or no right, DEV-458 none is set up; DEV-001 to DEV-003.
        """
        ...

    def cancel(self) -> None:
        """End a waiting ``show``."""
        ...


class IdCardReader(Protocol):
    """A reader of identity cards (GA 450). Blocking, with a deadline: belongs on lane ``net``."""

    def read(self, timeout: float = 15.0) -> IdentityRecord:
        """Wait for a card and read it. Raises ``DeviceError``: DEV-101 no card in time, DEV-102 card taken
        away or reader unplugged in mid-read, DEV-103 no reader, DEV-104 card unreadable, DEV-106 the reader
        reports a fault of its own, DEV-107 no right to its port, DEV-108 none is set up, DEV-109 line noise,
        DEV-110 reader busy, DEV-111 its port is another program's; from a hosted driver also DEV-001 its process
        ended, DEV-002 it did not answer, DEV-003 it is stopped for crashing again and again.
        """
        ...

    def cancel(self) -> None:
        """End a waiting ``read`` early: it raises DEV-105."""
        ...


StatusListener = Callable[[DeviceStatus], None]


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A certificate on a token, with the key that belongs to it. ``name`` is whom it names, ``certificate`` DER."""

    token: str
    serial: str
    id: str
    name: str
    certificate: bytes


class TokenReader(Protocol):
    """The certificates on the tokens (UKey, smart card) that are plugged in; reading them needs no PIN."""

    @property
    def available(self) -> bool:
        """Whether a library for tokens is set up on this computer."""
        ...

    def certificates(self) -> Sequence[TokenKey]:
        """What is there. Blocks. Raises ``DeviceError`` DEV-501, DEV-502, DEV-505."""
        ...


class Devices(Protocol):
    """The device manager, as the window sees it."""

    def statuses(self) -> list[DeviceStatus]:
        """The newest status of every configured device."""
        ...

    def listen(self, listener: StatusListener) -> Callable[[], None]:
        """Call ``listener`` (on any thread) at every change; returns what ends it."""
        ...
