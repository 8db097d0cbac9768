"""Numbers of cases: how they are written, and what a scanner reads off a receipt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

_NUMBER = re.compile(r"(?P<series>[0-9A-Z]{1,12})-(?P<day>[0-9]{8})-(?P<serial>[0-9]{6,9})")
_SCAN = re.compile(r"govdesk:case/(?P<id>[0-9a-f-]{36})\?no=(?P<number>[0-9A-Z-]+)")


@dataclass(frozen=True, slots=True)
class CaseNumber:
    """A case number taken apart: ``3411A-20261120-000042``. ``str`` writes it.

    ``series`` is the hall's code, ``day`` China's date of acceptance, ``serial`` is used once in its series.
    """

    series: str
    day: date
    serial: int

    def __str__(self) -> str:
        return f"{self.series}-{self.day:%Y%m%d}-{self.serial:06d}"


def parse_number(text: str) -> CaseNumber | None:
    """The number that ``text`` is, or None. Accepts the lower case and the spaces that people type."""
    found = _NUMBER.fullmatch("".join(text.split()).upper())
    if found is None:
        return None
    try:
        day = date.fromisoformat(found["day"])
    except ValueError:
        return None
    return CaseNumber(found["series"], day, int(found["serial"]))


@dataclass(frozen=True, slots=True)
class Scan:
    """What a scanned code names: a case by ``number``, and by ``case_id`` when it was the QR code."""

    number: str
    case_id: str = ""


def qr_text(case_id: str, number: str) -> str:
    """What the QR code of a receipt holds."""
    return f"govdesk:case/{case_id}?no={number}"


def code128_text(number: str) -> str:
    """What the Code 128 bars of a receipt hold: the number itself, so that any scanner types it."""
    return number


def read_scan(text: str) -> Scan | None:
    """The case that scanned or typed ``text`` names, or None when it is no code of ours."""
    text = text.strip()
    if (found := _SCAN.fullmatch(text)) and parse_number(found["number"]):
        return Scan(found["number"], found["id"])
    number = parse_number(text)
    return Scan(str(number)) if number else None
