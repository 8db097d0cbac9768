"""Frames of the identity card readers' SAM protocol (GA 450, SAM_A/SAM_V), as bytes in memory.

Request ``AA AA AA 96 69 | length | CMD PARA data | XOR``, response ``… | length | SW1 SW2 SW3 data | XOR``:
the length (2 bytes, high first) counts all that follows it, the XOR covers length and body.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

from modules.common.text import tr

PREAMBLE = bytes.fromhex("AAAAAA9669")

SAM_STATUS = b"\x11\xff"
FIND = b"\x20\x01"
SELECT = b"\x20\x02"
READ = b"\x30\x01"

OK = 0x90
FOUND = 0x9F
BAD_CHECKSUM = 0x10
NO_CARD = 0x80
NOT_SELECTED = 0x81
READ_FAILED = 0x41

TEXT_SIZE = 256
PHOTO_SIZE = 1024

# The longest answer of the protocol is text, photo and fingerprints: 2321 bytes in all.
_LONGEST = 2321


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame's body: what lies between length and checksum."""

    body: bytes

    @property
    def status(self) -> int:
        """SW3 of a response."""
        return self.body[2]

    @property
    def data(self) -> bytes:
        """What a response carries after SW1 to SW3."""
        return self.body[3:]


@dataclass(frozen=True, slots=True)
class Damaged:
    """A frame of the announced length whose checksum is wrong."""


def frame(body: bytes) -> bytes:
    """The bytes on the wire for ``body``."""
    counted = (len(body) + 1).to_bytes(2, "big") + body
    return PREAMBLE + counted + bytes([reduce(xor, counted)])


def response(status: int, data: bytes = b"") -> bytes:
    """The bytes on the wire of an answer with SW1 = SW2 = 0."""
    return frame(bytes([0, 0, status]) + data)


class FrameParser:
    """Finds frames in a stream of bytes, however it is cut, and whatever lies between them.

    ``shortest`` is the least body length: 3 for responses, 2 for requests. A length that no frame can
    have marks a false preamble, which is passed over.
    """

    def __init__(self, shortest: int = 3) -> None:
        self._shortest = shortest + 1
        self._buffer = bytearray()

    @property
    def started(self) -> bool:
        """Whether bytes have come that may be the beginning of a frame."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[Frame | Damaged]:
        """Take in ``data``; returns what it completes, oldest first."""
        self._buffer += data
        found: list[Frame | Damaged] = []
        while self._skip_to_preamble():
            head = len(PREAMBLE)
            if len(self._buffer) < head + 2:
                break
            length = int.from_bytes(self._buffer[head : head + 2], "big")
            if not self._shortest <= length <= _LONGEST:
                del self._buffer[0]
                continue
            end = head + 2 + length
            if len(self._buffer) < end:
                break
            counted = bytes(self._buffer[head:end])
            if reduce(xor, counted) == 0:
                found.append(Frame(counted[2:-1]))
                del self._buffer[:end]
            else:
                # A lost byte makes a frame swallow the start of the next: look for that inside it.
                found.append(Damaged())
                del self._buffer[0]
        return found

    def _skip_to_preamble(self) -> bool:
        at = self._buffer.find(PREAMBLE)
        if at >= 0:
            del self._buffer[:at]
            return True
        keep = next(n for n in range(len(PREAMBLE) - 1, -1, -1) if self._buffer.endswith(PREAMBLE[:n]))
        del self._buffer[: len(self._buffer) - keep]
        return False


def card_data(text: bytes, photo: bytes = b"") -> bytes:
    """What a successful READ carries: both lengths, then text and photo."""
    return len(text).to_bytes(2, "big") + len(photo).to_bytes(2, "big") + text + photo


def split_card_data(data: bytes) -> tuple[bytes, bytes]:
    """Text and photo of a successful READ. Raises ``ValueError`` where the lengths do not fit."""
    text, photo = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
    if len(data) != 4 + text + photo:
        raise ValueError(f"{len(data)} bytes of card data announce {text} + {photo}")
    return data[4 : 4 + text], data[4 + text :]


def meaning(status: int) -> str:
    """What SW3 says, for people."""
    match status:
        case 0x90:
            return tr("操作成功")
        case 0x9F:
            return tr("找到证件")
        case 0x10:
            return tr("数据校验和错误")
        case 0x11:
            return tr("数据长度错误")
        case 0x21:
            return tr("命令错误")
        case 0x24:
            return tr("无法识别的错误")
        case 0x31 | 0x32:
            return tr("证件认证失败")
        case 0x33:
            return tr("证件信息验证失败")
        case 0x40:
            return tr("无法识别的证件类型")
        case 0x41:
            return tr("读证件失败")
        case 0x47:
            return tr("取随机数失败")
        case 0x60:
            return tr("安全模块自检失败")
        case 0x66:
            return tr("安全模块未经授权，无法使用")
        case 0x80:
            return tr("没有找到证件")
        case 0x81:
            return tr("选取证件失败")
        case 0x91:
            return tr("证件中没有此项内容")
        case _:
            return tr("未知状态 {code}", code=f"{status:02X}")
