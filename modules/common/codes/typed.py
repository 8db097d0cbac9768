"""What was meant by a number that was typed, and how it is covered on papers."""

from __future__ import annotations

import unicodedata


def normalise(text: str) -> str:
    """Half-width, upper case, without spaces: what was meant by what was typed."""
    return "".join(unicodedata.normalize("NFKC", text).split()).upper()


def masked(number: str) -> str:
    """An identity number for papers that others may see: the middle is covered, ``110105********002X``."""
    if len(number) <= 4:
        return "*" * len(number)
    head, tail = (6, 4) if len(number) >= 15 else (1, 2)
    return number[:head] + "*" * (len(number) - head - tail) + number[-tail:]
