"""DER as bytes: read without a schema, so that what was signed is looked at and never written anew.

Bounded for hostile input: a length must fit what is there, and nothing is followed deeper than it is asked for.
Lengths that BER allows and DER does not (longer than needed, indefinite) are refused, but for a leading zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

BOOLEAN, INTEGER, BITS, OCTETS, NULL, OID, UTF8, SEQUENCE, SET = 1, 2, 3, 4, 5, 6, 12, 0x30, 0x31
IA5, UTC_TIME, GENERALIZED_TIME = 22, 23, 24


class DerError(ValueError):
    """Bytes that are not the expected DER."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One value: its tag byte, the whole of its bytes, and where its contents begin in them."""

    tag: int
    raw: bytes
    header: int

    @property
    def body(self) -> bytes:
        """The contents."""
        return self.raw[self.header :]

    def children(self) -> list[Tlv]:
        """The values inside. Raises ``DerError``."""
        return list(_walk(self.raw, self.header))

    def expect(self, *tags: int) -> Tlv:
        """This value, if its tag is one of ``tags``. Raises ``DerError``."""
        if self.tag not in tags:
            raise DerError(f"tag {self.tag:#x}, not {' or '.join(f'{tag:#x}' for tag in tags)}")
        return self

    def sequence(self) -> list[Tlv]:
        """The values in a SEQUENCE. Raises ``DerError``."""
        return self.expect(SEQUENCE).children()

    def int(self) -> int:
        """The number of an INTEGER. Raises ``DerError``."""
        self.expect(INTEGER)
        if not self.body:
            raise DerError("an INTEGER without contents")
        return int.from_bytes(self.body, signed=True)

    def oid(self) -> str:
        """The dotted name of an OBJECT IDENTIFIER. Raises ``DerError``."""
        self.expect(OID)
        numbers, number = [], 0
        if not self.body or self.body[-1] & 0x80 or len(self.body) > 64:
            raise DerError("an OBJECT IDENTIFIER that does not end")
        for byte in self.body:
            number = number << 7 | byte & 0x7F
            if not byte & 0x80:
                numbers.append(number)
                number = 0
        first = min(numbers[0] // 40, 2)
        return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))

    def bits(self) -> bytes:
        """The bytes of a BIT STRING of whole bytes. Raises ``DerError``."""
        self.expect(BITS)
        if not self.body or self.body[0]:
            raise DerError("a BIT STRING that does not end at a byte")
        return self.body[1:]

    def text(self) -> str:
        """The text of a string of whichever type. Raises ``DerError``."""
        self.expect(UTF8, IA5, 19, 20, 22, 26, 30)
        try:
            return self.body.decode("utf-16-be" if self.tag == 30 else "utf-8")
        except UnicodeDecodeError:
            return self.body.decode("gb18030", "replace")

    def time(self) -> datetime:
        """The moment of a UTCTime or GeneralizedTime, in UTC. Raises ``DerError``."""
        return parse_time(self.expect(UTC_TIME, GENERALIZED_TIME).body, short=self.tag == UTC_TIME)


_TIME = re.compile(rb"(\d{8,14}?)(?:\.\d+)?(?:Z|([+-])(\d\d)(\d\d))?")


def parse_time(written: bytes, *, short: bool = False) -> datetime:
    """The moment that ASN.1 writes so, in UTC; ``short`` years have two digits. Raises ``DerError``."""
    found = _TIME.fullmatch(written)
    if not found:
        raise DerError("not a time")
    digits, sign, hours, minutes = found.groups()
    if short:
        digits = (b"19" if digits[:2] >= b"50" else b"20") + digits
    try:
        moment = datetime.strptime(digits.ljust(14, b"0").decode(), "%Y%m%d%H%M%S")  # noqa: DTZ007 - its zone follows
        ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        return moment.replace(tzinfo=timezone(-ahead if sign == b"-" else ahead)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise DerError("not a time") from error


def read(data: bytes) -> Tlv:
    """The one value that ``data`` is. Raises ``DerError``, for bytes after it too."""
    values = list(_walk(data, 0))
    if len(values) != 1:
        raise DerError(f"{len(values)} values, not one")
    return values[0]


def read_first(data: bytes) -> Tlv:
    """The first value in ``data``; what comes after is let alone. Raises ``DerError``."""
    for value in _walk(data, 0):
        return value
    raise DerError("nothing there")


def _walk(data: bytes, at: int) -> Iterator[Tlv]:
    while at < len(data):
        start = at
        tag = data[at]
        if tag & 0x1F == 0x1F:
            raise DerError("a tag of several bytes")
        at += 2
        if at > len(data):
            raise DerError("cut off in a header")
        length = data[at - 1]
        if length & 0x80:
            count = length & 0x7F
            if not 0 < count <= 4 or at + count > len(data):
                raise DerError("a length that cannot be")
            length = int.from_bytes(data[at : at + count])
            at += count
        end = at + length
        if end > len(data):
            raise DerError("longer than what holds it")
        yield Tlv(tag, data[start:end], at - start)
        at = end


def value(tag: int, body: bytes) -> bytes:
    """The bytes of a value."""
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + body


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of values."""
    return value(SEQUENCE, b"".join(parts))


def integer(number: int) -> bytes:
    """An INTEGER."""
    return value(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, signed=True))


def octets(body: bytes) -> bytes:
    """An OCTET STRING."""
    return value(OCTETS, body)


def bits(body: bytes) -> bytes:
    """A BIT STRING of whole bytes."""
    return value(BITS, b"\0" + body)


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    body = b""
    for number in (40 * first + second, *rest):
        part = bytes((number & 0x7F,))
        while number := number >> 7:
            part = bytes((number & 0x7F | 0x80,)) + part
        body += part
    return value(OID, body)


def text(words: str, tag: int = UTF8) -> bytes:
    """A string of the type ``tag``."""
    return value(tag, words.encode())


def time(moment: datetime, tag: int = GENERALIZED_TIME) -> bytes:
    """A time in UTC, to the second."""
    return value(tag, moment.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")[0 if tag == GENERALIZED_TIME else 2 :].encode())


def signature(data: bytes) -> tuple[int, int]:
    """(r, s) of an SM2 signature as DER (GM/T 0009) or as the 64 bytes r s, both of which are found in the wild.

    Raises ``DerError``.
    """
    if len(data) == 64:
        return int.from_bytes(data[:32]), int.from_bytes(data[32:])
    parts = read(data).sequence()
    if len(parts) != 2:
        raise DerError("not a signature")
    return parts[0].int(), parts[1].int()
