"""Serial devices described by a profile: frames, checksums, acknowledgements and keys as data.

``resources/devices/README.md`` says what stands in a profile. Here are the profile, the parser of its frames and
the line; what a device means by them is in ``evaluator`` and ``window_screen``.
"""

from __future__ import annotations

import errno
import re
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Any

from modules.common.text import RESOURCES

if sys.platform == "win32":
    LOST: tuple[type[Exception], ...] = (OSError,)
else:
    import termios

    # pySerial lets termios' own error through where a port vanishes; its SerialException is an OSError.
    LOST = (OSError, termios.error)

FOLDER = RESOURCES / "devices"
_LONGEST = 1024
_SLICE = 0.05
_PART = re.compile(r"\{(\w+)\}|([0-9A-Fa-f]{2})|\s+")


def _crc16_modbus(data: bytes) -> bytes:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


SUMS: Mapping[str, tuple[int, Callable[[bytes], bytes]]] = {
    "xor": (1, lambda data: bytes([reduce(xor, data, 0)])),
    "sum8": (1, lambda data: bytes([sum(data) & 0xFF])),
    "crc16-modbus": (2, _crc16_modbus),
}


@dataclass(frozen=True, slots=True)
class Message:
    """A whole frame's meaning: its command byte and data."""

    command: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Damaged:
    """A frame whose checksum or end is wrong."""


@dataclass(frozen=True, slots=True)
class Call:
    """What is sent: ``answer`` is the command that acknowledges it (-1: nothing does), ``good`` how that begins."""

    command: int
    data: str = ""
    answer: int = -1
    good: bytes = b""


@dataclass(frozen=True, slots=True)
class Event:
    """What a device sends by itself, and the call that acknowledges it, if any."""

    command: int
    reply: str = ""


class Profile:
    """One model's protocol. Raises ``ValueError``, ``KeyError`` or ``TypeError`` for a profile that is none."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.kind: str = values["kind"]
        self.baud: int = values.get("baud", 9600)
        self.encoding: str = values.get("encoding", "gb18030")
        self._parts = _parts(values["frame"])
        self._length_size: int = values.get("length_size", 1)
        self._length_of: list[str] = values.get("length_of", ["command", "data"])
        self._sum_size, self._sum = SUMS[values["sum"]]
        self._sum_of: list[str] = values["sum_of"]
        names = [part for part in self._parts if isinstance(part, str)]
        self._has_length = "length" in names
        self.head = self._parts[0] if isinstance(self._parts[0], bytes) else b""
        self.tail = self._parts[-1] if isinstance(self._parts[-1], bytes) else b""
        if not self.head or names.count("command") != 1 or names.count("sum") != 1 or "data" not in names:
            raise ValueError("a frame begins with bytes and has one command, data and sum")
        if not self._has_length and not self.tail:
            raise ValueError("a frame without a length needs an end")
        self.calls = {name: _call(entry) for name, entry in values.get("calls", {}).items()}
        self.events = {
            name: Event(int(entry["command"], 16), entry.get("reply", ""))
            for name, entry in values.get("events", {}).items()
        }
        self.keys = {int(code, 16): int(stars) for code, stars in values.get("keys", {}).items()}
        screen = values.get("screen", {})
        self.rows: int = screen.get("rows", 1)
        self.columns: int = screen.get("columns", 16)
        self.vectors: list[dict[str, Any]] = values.get("vectors", [])

    @classmethod
    def load(cls, name: str) -> Profile:
        """The profile ``resources/devices/<name>.toml``."""
        return cls(tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8")))

    def request(self, call: str, **fields: Any) -> bytes:
        """The frame of a call, its fields filled in: numbers as one byte, text in the device's encoding."""
        known = self.calls[call]
        return self.frame(known.command, self._filled(known.data, fields))

    def frame(self, command: int, data: bytes) -> bytes:
        """The bytes on the wire."""
        values = {"command": bytes([command]), "data": data, "head": self.head}
        counted = sum(len(values[name]) for name in self._length_of)
        values["length"] = counted.to_bytes(self._length_size, "big")
        values["sum"] = self._sum(b"".join(values[name] for name in self._sum_of))
        return b"".join(part if isinstance(part, bytes) else values[part] for part in self._parts)

    def fitted(self, text: str, size: int) -> str:
        """As much of ``text`` as takes at most ``size`` bytes of a device's room, no character cut in two."""
        while len(text.encode(self.encoding, "replace")) > size:
            text = text[:-1]
        return text

    def _filled(self, template: str, fields: Mapping[str, Any]) -> bytes:
        out = b""
        for part in _parts(template):
            value = fields[part] if isinstance(part, str) else part
            if isinstance(value, int):
                value = bytes([min(255, value)])
            out += value.encode(self.encoding, "replace") if isinstance(value, str) else value
        return out

    def take(self, buffer: bytearray) -> Message | Damaged | None:
        """The next frame at or after the buffer's start, taken out of it; None until one is whole."""
        while True:
            at = buffer.find(self.head)
            if at < 0:
                del buffer[: max(0, len(buffer) - len(self.head) + 1)]
                return None
            del buffer[:at]
            found = self._at_start(buffer)
            if not isinstance(found, int):
                return found
            if found == 0:
                return None
            # a false head: what follows it may be a frame
            del buffer[:found]

    def _at_start(self, buffer: bytearray) -> Message | Damaged | int:
        """What begins the buffer; 0: more must come, 1: no frame begins here."""
        if self._has_length:
            size = self._whole_size(buffer)
            if size <= 0:
                return 0 if size == 0 else 1
            if len(buffer) < size:
                return 0
            return self._opened(buffer, size) or 1
        end = buffer.find(self.tail, len(self.head))
        while 0 <= end <= _LONGEST:
            found = self._opened(buffer, end + len(self.tail), may_go_on=True)
            if found is not None:
                return found
            end = buffer.find(self.tail, end + 1)
        return 0 if end < 0 and len(buffer) <= _LONGEST else 1

    def _whole_size(self, buffer: bytearray) -> int:
        fixed = {"length": self._length_size, "command": 1, "sum": self._sum_size, "data": 0, "head": 0}
        before = 0
        for part in self._parts:
            if part == "length":
                break
            before += len(part) if isinstance(part, bytes) else fixed[part]
        if len(buffer) < before + self._length_size:
            return 0
        announced = int.from_bytes(buffer[before : before + self._length_size], "big")
        data = announced - sum(fixed[name] if name != "head" else len(self.head) for name in self._length_of)
        if not 0 <= data <= _LONGEST:
            return -1
        return data + sum(len(part) if isinstance(part, bytes) else fixed[part] for part in self._parts)

    def _opened(self, buffer: bytearray, size: int, may_go_on: bool = False) -> Message | Damaged | None:
        whole = bytes(buffer[:size])
        fixed = {"length": self._length_size, "command": 1, "sum": self._sum_size}
        data_size = size - sum(len(part) if isinstance(part, bytes) else fixed.get(part, 0) for part in self._parts)
        if data_size >= 0:
            at, values = 0, {}
            for part in self._parts:
                long = len(part) if isinstance(part, bytes) else fixed.get(part, data_size)
                if isinstance(part, str):
                    values[part] = whole[at : at + long]
                at += long
            if self.frame(values["command"][0], values["data"]) == whole:
                del buffer[:size]
                return Message(values["command"][0], values["data"])
        if may_go_on:
            return None
        # a lost byte makes a frame swallow the start of the next: look for that inside it
        del buffer[0]
        return Damaged()


def _parts(template: str) -> list[bytes | str]:
    """Names and runs of bytes, in order."""
    parts: list[bytes | str] = []
    at = 0
    for found in _PART.finditer(template):
        if found.start() != at:
            break
        at = found.end()
        if found[1]:
            parts.append(found[1])
        elif found[2]:
            byte = bytes.fromhex(found[2])
            if parts and isinstance(parts[-1], bytes):
                parts[-1] += byte
            else:
                parts.append(byte)
    if at != len(template):
        raise ValueError(f"neither hex nor a name: {template[at:]!r}")
    return parts


def _call(entry: Mapping[str, str]) -> Call:
    answer = int(entry["answer"], 16) if "answer" in entry else -1
    return Call(int(entry["command"], 16), entry.get("data", ""), answer, bytes.fromhex(entry.get("good", "")))


class NoAnswer(Exception):
    """Nothing whole came in time."""


class Garbled(Exception):
    """What came was damaged, twice."""


class Cancelled(Exception):
    """The token was set."""


class NotOpened(Exception):
    """The port can't be opened. ``held``: another program has it, or there is no right to it."""

    def __init__(self, held: bool) -> None:
        self.held = held


class ProfiledLine:
    """A serial port (also ``socket://host:port``) on which a profile is spoken. Opened when first used.

    Every method may raise ``NotOpened`` or one of ``LOST``; after those the next call opens the port anew.
    """

    def __init__(self, port: str, profile: Profile, *, baud: int = 0, answer_time: float = 1.0) -> None:
        self._name = port
        self.profile = profile
        self._baud = baud or profile.baud
        self._answer_time = answer_time
        self._port: Any = None
        self._buffer = bytearray()

    def ask(self, call: str, token: threading.Event, **fields: Any) -> Message | None:
        """Send a call and await its acknowledgement (None where it has none), once more where it was damaged.

        Raises ``NoAnswer``, ``Garbled`` or ``Cancelled``.
        """
        expected = self.profile.calls[call].answer
        for _ in range(2):
            self._discard_input()
            self._port.write(self.profile.request(call, **fields))
            if expected < 0:
                return None
            answer = self._await(expected, time.monotonic() + self._answer_time, token)
            if isinstance(answer, Message):
                return answer
            if answer is None:
                raise NoAnswer
        raise Garbled

    def send(self, call: str, **fields: Any) -> None:
        """Send a call whose acknowledgement nobody waits for."""
        self._connect()
        self._port.write(self.profile.request(call, **fields))

    def await_event(self, event: str, deadline: float, token: threading.Event) -> Message | Damaged | None:
        """What the device sends by itself, a damaged frame, or None at the deadline. Raises ``Cancelled``."""
        self._connect()
        return self._await(self.profile.events[event].command, deadline, token)

    def drop(self) -> None:
        """Close the port."""
        port, self._port = self._port, None
        self._buffer.clear()
        if port is not None:
            # pySerial forgets to close a socket whose other end has gone first.
            line = getattr(port, "_socket", None)
            port.close()
            if line is not None:
                line.close()

    def _await(self, command: int, deadline: float, token: threading.Event) -> Message | Damaged | None:
        while True:
            while (found := self.profile.take(self._buffer)) is not None:
                if isinstance(found, Damaged) or found.command == command:
                    return found
            if token.is_set():
                raise Cancelled
            if time.monotonic() >= deadline:
                return None
            self._buffer += self._port.read(max(1, self._port.in_waiting))

    def _connect(self) -> None:
        if self._port is None:
            import serial

            name = self._name.replace("tcp://", "socket://", 1)
            try:
                self._port = serial.serial_for_url(
                    name, baudrate=self._baud, timeout=_SLICE, write_timeout=1.0, exclusive=True
                )
            except (ValueError, *LOST) as error:
                number = getattr(error, "errno", None)
                held = number in (errno.EAGAIN, errno.EBUSY, errno.EACCES) or "PermissionError" in str(error)
                raise NotOpened(held) from error

    def _discard_input(self) -> None:
        if self._port is not None:
            try:
                # A device that was unplugged and plugged in again shows here, before anything is asked.
                self._empty()
            except LOST:
                self.drop()
        self._connect()
        self._empty()

    def _empty(self) -> None:
        self._buffer.clear()
        while self._port.in_waiting:
            self._port.read(self._port.in_waiting)
