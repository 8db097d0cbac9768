"""XML as text: escaped, with numbers as short as they can be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

NAMESPACE = "http://www.ofdspec.org/2016"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
REPLACEMENT = "\ufffd"


def number(value: float, digits: int = 4) -> str:
    """A number without needless digits: ``number(2.50) == "2.5"``."""
    words = f"{value:.{digits}f}"
    if "." in words:
        words = words.rstrip("0").rstrip(".")
    return "0" if words == "-0" else words


def array(values: Iterable[float], digits: int = 4) -> str:
    """An ST_Array."""
    return " ".join(number(each, digits) for each in values)


def steps(values: Iterable[int]) -> str:
    """DeltaX or DeltaY out of steps in thousandths of a millimetre; ``g 3 5`` stands for ``5 5 5``."""
    words: list[str] = []
    for step, run in groupby(values):
        count = sum(1 for _ in run)
        word = number(step / 1000, 3)
        words += ["g", str(count), word] if count > 3 else [word] * count
    return " ".join(words)


def clean(text: str) -> str:
    """Text that XML can carry: what it forbids becomes U+FFFD."""
    return _FORBIDDEN.sub(REPLACEMENT, text)


def text(words: str) -> str:
    """Text between tags."""
    return clean(words).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def quoted(words: str) -> str:
    """The text of an attribute."""
    return text(words).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


def whole(tag: str, content: str, attributes: str = "") -> bytes:
    """A file with one root element."""
    gap = " " if attributes else ""
    return f'{HEAD}<ofd:{tag} xmlns:ofd="{NAMESPACE}"{gap}{attributes}>{content}</ofd:{tag}>\n'.encode()
