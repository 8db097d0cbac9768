"""What the suite asks of devices: capabilities and their value types, never models."""

from __future__ import annotations

from collections.abc import Callable
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


class Devices(Protocol):
    """The device manager, as the window sees it."""

    def statuses(self) -> list[DeviceStatus]:
        """The newest status of every configured device."""
        ...

    def listen(self, listener: StatusListener) -> Callable[[], None]:
        """Call ``listener`` (on any thread) at every change; returns what ends it."""
        ...
