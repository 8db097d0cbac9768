"""Administrative regions of GB/T 2260 with the years in which their codes were in force; an abolished one is no error.

The table is ``resources/regions/gbt2260.tsv``; it is read at the first question (some 10 ms).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache

from modules.common.codes.typed import normalise
from modules.common.errors import Refusal
from modules.common.text import RESOURCES, tr

_GENERIC = ("市辖区", "市区", "县", "省直辖县级行政单位", "自治区直辖县级行政单位")
"""Names of codes that only hold others together."""


@dataclass(frozen=True, slots=True)
class Region:
    """A code with its name, the first and last year in force (None: since ever, still), and the name's initials."""

    code: str
    name: str
    first: int | None
    last: int | None
    initials: str

    @property
    def level(self) -> str:
        """``province``, ``prefecture`` or ``county``."""
        return "province" if self.code.endswith("0000") else "prefecture" if self.code.endswith("00") else "county"

    @property
    def current(self) -> bool:
        """Whether the code is in force under this name."""
        return self.last is None

    def held(self, year: int) -> bool:
        """Whether the code stood for this name in a year."""
        return (self.first is None or self.first <= year) and (self.last is None or year <= self.last)


@cache
def _table() -> dict[str, tuple[Region, ...]]:
    """Every code with all it ever stood for, oldest first."""
    found: dict[str, tuple[Region, ...]] = {}
    for line in (RESOURCES / "regions" / "gbt2260.tsv").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        code, name, first, last, initials = line.split("\t")
        region = Region(code, name, int(first) if first else None, int(last) if last else None, initials)
        found[code] = (*found.get(code, ()), region)
    return found


def region(code: str, year: int | None = None) -> Region | None:
    """What a code stands for, in force or abolished; ``year`` chooses where it stood for several in turn."""
    stood = _table().get(code, ())
    fitting = [each for each in stood if year is not None and each.held(year)]
    return fitting[-1] if fitting else stood[-1] if stood else None


def region_name(code: str, year: int | None = None) -> str:
    """The whole name of a code, ``341102`` → 安徽省滁州市琅琊区; nothing for a code that never was."""
    own = region(code, year)
    if own is None:
        return ""
    above = [part for part in (f"{code[:2]}0000", f"{code[:4]}00") if part != code]
    names = [held.name for part in above if (held := region(part, year)) and held.name not in _GENERIC]
    return "".join([*names, own.name] if own.name not in _GENERIC else names or [own.name])


def check_region(text: str) -> Refusal | None:
    """What is wrong with a region's code, or None; one that was abolished is none. Code ID-061."""
    code = normalise(text)
    if region(code):
        return None
    if re.fullmatch(r"[0-9]{6}", code):
        return Refusal("ID-061", tr("没有代码为 {code} 的行政区划，请核对。", code=code))
    return Refusal("ID-061", tr("“{text}”不是一个行政区划：请从列出的区划中选择。", text=text[:40]))


def region_note(code: str, today: date | None = None) -> str:
    """What is worth knowing of a code that was abolished, else nothing."""
    own = region(code)
    if own is None or own.current:
        return ""
    return tr("已撤销的区划：{name}，用到 {year} 年。", name=region_name(code, own.last), year=own.last)


def region_code(text: str) -> str:
    """The code meant by a code or a whole name (``安徽省滁州市琅琊区``, ``滁州市琅琊区``, ``琅琊区``), or nothing.

    A name that several regions in force have is nothing.
    """
    typed = normalise(text)
    return typed if typed in _table() else _names().get(typed, "")


@cache
def _names() -> dict[str, str]:
    """Every way to write the name of a region in force, without those that could mean two."""
    found: dict[str, set[str]] = {}
    for each in _current():
        whole = region_name(each.code)
        province = region_name(f"{each.code[:2]}0000")
        for name in {whole, whole.removeprefix(province), each.name}:
            if name and each.name not in _GENERIC:
                found.setdefault(name, set()).add(each.code)
    return {name: codes.pop() for name, codes in found.items() if len(codes) == 1}


@cache
def _current() -> tuple[Region, ...]:
    return tuple(each for stood in _table().values() for each in stood if each.current)


@cache
def _searchable() -> tuple[tuple[Region, str], ...]:
    """Every region that can be meant, with its whole name."""
    return tuple(
        (each, region_name(each.code, each.last))
        for stood in _table().values()
        for each in stood
        if each.name not in _GENERIC
    )


@lru_cache(maxsize=64)
def find_regions(text: str, limit: int = 20) -> Sequence[Region]:
    """Regions that ``text`` may mean: by code from its start, by part of the name, or by initials (``lyq`` 琅琊区).

    Those whose code, name or initials begin so come first, wider ones before narrower; abolished ones last.
    """
    typed = normalise(text)
    if not typed:
        return ()
    low = typed.lower()
    hits: list[tuple[tuple[int, ...], Region]] = []
    for each, whole in _searchable():
        if each.code.startswith(typed) or each.name.startswith(typed) or each.initials.startswith(low):
            rank = 0
        elif typed in whole:
            rank = 1
        else:
            continue
        width = {"province": 0, "prefecture": 1, "county": 2}[each.level]
        hits.append(((0 if each.current else 1, rank, width, int(each.code)), each))
    hits.sort(key=lambda hit: hit[0])
    return tuple(each for _, each in hits[:limit])
