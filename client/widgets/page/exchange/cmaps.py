"""CMaps of PDF (ISO 32000-2, 9.7.5, 9.10.3): codes in a string, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(rb"<([0-9A-Fa-f\s]*)>|\[|\]|/[^\s<>\[\]/]+|[A-Za-z]+|-?\d+")
_MOST = 70_000
# predefined CMaps whose codes are a known encoding of text; two bytes unless it is one of ASCII's
_ENCODINGS = (("UniGB-UTF16", "utf-16-be"), ("UniGB-UCS2", "utf-16-be"), ("UniCNS-U", "utf-16-be"),
              ("UniJIS-U", "utf-16-be"), ("UniKS-U", "utf-16-be"), ("GBK", "gb18030"), ("GB-", "gb2312"),
              ("GBpc", "gb2312"), ("B5", "big5"), ("ETen", "big5"), ("90ms", "cp932"))  # fmt: skip


class CMap:
    """Codes with what they stand for: text (ToUnicode) or numbers (CIDs)."""

    def __init__(self) -> None:
        self.lengths: set[int] = set()
        self.texts: dict[int, str] = {}
        self.numbers: dict[int, int] = {}

    def codes(self, data: bytes, default: int = 1) -> Iterator[tuple[int, int]]:
        """The codes of a string with their lengths in bytes."""
        size = max(self.lengths, default=default)
        for at in range(0, len(data), size):
            part = data[at : at + size]
            yield int.from_bytes(part, "big"), len(part)


def parsed(data: bytes) -> CMap:
    """A CMap out of its stream; what is not understood is passed over."""
    made = CMap()
    stack: list[bytes | int | list[bytes]] = []
    inside: list[bytes] | None = None
    for match in _TOKEN.finditer(data):
        word = match.group()
        if word[:1] == b"<":
            digits = re.sub(rb"\s", b"", match.group(1))
            value = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode())
            (stack if inside is None else inside).append(value)
        elif word == b"[":
            inside = []
        elif word == b"]":
            stack.append(inside or [])
            inside = None
        elif word.lstrip(b"-").isdigit():
            stack.append(int(word))
        elif word.startswith(b"begin"):
            stack = []
        elif word.startswith(b"end"):
            _section(made, word.decode("latin-1"), stack)
            stack = []
    return made


def _section(made: CMap, name: str, stack: list[bytes | int | list[bytes]]) -> None:
    if name == "endcodespacerange":
        made.lengths.update(len(each) for each in stack if isinstance(each, bytes))
    elif name == "endbfchar":
        for code, to in zip(stack[::2], stack[1::2], strict=False):
            if isinstance(code, bytes) and isinstance(to, bytes):
                made.texts[int.from_bytes(code, "big")] = _text(to)
    elif name in ("endbfrange", "endcidrange"):
        for first, last, to in zip(stack[::3], stack[1::3], stack[2::3], strict=False):
            if isinstance(first, bytes) and isinstance(last, bytes):
                _range(made, int.from_bytes(first, "big"), int.from_bytes(last, "big"), to)
    elif name == "endcidchar":
        for code, to in zip(stack[::2], stack[1::2], strict=False):
            if isinstance(code, bytes) and isinstance(to, int):
                made.numbers[int.from_bytes(code, "big")] = to


def _range(made: CMap, first: int, last: int, to: bytes | int | list[bytes]) -> None:
    last = min(last, first + _MOST - len(made.texts) - len(made.numbers))
    for offset, code in enumerate(range(first, last + 1)):
        if isinstance(to, int):
            made.numbers[code] = to + offset
        elif isinstance(to, list):
            if offset < len(to):
                made.texts[code] = _text(to[offset])
        elif to:
            end = int.from_bytes(to[-2:], "big") + offset
            made.texts[code] = _text(to[:-2] + end.to_bytes(4, "big")[-min(len(to), 2) :])


def _text(data: bytes) -> str:
    if len(data) == 1:
        return chr(data[0])
    return data.decode("utf-16-be", "replace").replace("\0", "")


def predefined(name: str, data: bytes) -> list[tuple[int, int, str]] | None:
    """Codes, their lengths and texts of a string under a predefined CMap; ``None`` for one that is not known."""
    encoding = next((encoding for start, encoding in _ENCODINGS if name.startswith(start)), None)
    if encoding is None:
        return None
    out = []
    at = 0
    while at < len(data):
        size = 1 if encoding != "utf-16-be" and data[at] < 0x80 else 2
        part = data[at : at + size]
        out.append((int.from_bytes(part, "big"), len(part), part.decode(encoding, "replace")))
        at += size
    return out
