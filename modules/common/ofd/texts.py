"""A text object (GB/T 33190-2016, 11.2 to 11.4) into characters, glyph numbers and places."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING

from modules.common.ofd.display import FILLER, LOOK_UP, NOTHING, Linear, Matrix
from modules.common.ofd.report import Report
from modules.common.ofd.xml import local, number

if TYPE_CHECKING:
    from lxml.etree import _Element

_LAYOUT = re.compile(r"[ \t]*[\r\n][ \t\r\n]*|\t")
GLYPH_LIMIT = 200_000
"""Glyphs of one text object."""


def deltas(value: str | None, limit: int) -> list[float]:
    """The steps of DeltaX or DeltaY; ``g 3 5`` stands for ``5 5 5``."""
    if not value:
        return []
    words = value.replace(",", " ").split()
    try:
        if "g" not in value:
            return list(map(float, words[:limit]))
    except ValueError:
        pass
    out: list[float] = []
    at = 0
    while at < len(words) and len(out) < limit:
        try:
            if words[at] == "g" and at + 2 < len(words):
                out += [float(words[at + 2])] * min(max(int(float(words[at + 1])), 0), limit - len(out))
                at += 3
            else:
                out.append(float(words[at]))
                at += 1
        except (ValueError, OverflowError):
            break
    return [step if math.isfinite(step) else 0.0 for step in out]


def width_of(character: str) -> float:
    """How wide a character usually is, in parts of the font's size, when nothing better is known."""
    return 1.0 if unicodedata.east_asian_width(character) in "WFA" else 0.5


class Glyphs:
    """Collects the characters of a text object: ``text``, ``glyphs`` (``None`` while all are looked up), places."""

    __slots__ = ("glyphs", "text", "xs", "ys")

    def __init__(self) -> None:
        self.text = ""
        self.glyphs: list[int] | None = None
        self.xs: list[float] = []
        self.ys: list[float] = []


def read(element: _Element, size: float, report: Report, place: str) -> Glyphs:
    """The glyphs of a text object, places in its own space."""
    out = Glyphs()
    transforms: dict[int, tuple[int, list[int]]] | None = None
    toward = int(number(element.get("ReadDirection"))) % 360
    x = y = 0.0
    position = 0
    for each in element:
        name = local(each.tag)
        if name == "TextCode":
            value = each.text or ""
            if "\n" in value or "\t" in value:
                value = _content(value)
            given = each.get("X"), each.get("Y")
            x = number(given[0], x) if given[0] is not None else x
            y = number(given[1], y) if given[1] is not None else y
            count = len(value)
            if not count or len(out.text) + count > GLYPH_LIMIT:
                continue
            if transforms is None:
                xs, ys = _places(value, x, y, each, size, toward, 0)
                out.text += value
                out.xs += xs
                out.ys += ys
                if out.glyphs is not None:
                    out.glyphs += [LOOK_UP] * count
            else:
                _transformed(out, value, x, y, each, size, toward, transforms, position)
            position += count
        elif name == "CGTransform":
            transforms = transforms or {}
            glyphs = _numbers(each)
            codes = int(number(each.get("CodeCount"), 1))
            count = int(number(each.get("GlyphCount"), len(glyphs)))
            if glyphs:
                at = int(number(each.get("CodePosition")))
                transforms[at] = (max(codes, 1), glyphs[: max(count, 1)])
        elif name not in ("FillColor", "StrokeColor", "Clips", "Actions", ""):
            report.add("page.unknown", place, name)
    return out


def _content(value: str) -> str:
    """The text of a TextCode: spaces are text, but a line end with its indentation is the XML's layout."""
    return _LAYOUT.sub(" ", value.strip("\n\r\t"))


def _places(
    value: str, x: float, y: float, element: _Element, size: float, toward: int, extra: int
) -> tuple[list[float], list[float]]:
    """Origins of so many glyphs as ``value`` has characters, and ``extra`` more."""
    count = len(value) + extra
    if count == 1:
        return [x], [y]
    across, down = element.get("DeltaX"), element.get("DeltaY")
    if across is None and down is None:
        return _natural(value, x, y, size, toward, extra)
    return _steps(x, deltas(across, count - 1), count), _steps(y, deltas(down, count - 1), count)


def _steps(start: float, steps: list[float], count: int) -> list[float]:
    if not steps:
        return [start] * count
    if len(steps) < count - 1:  # the last goes on
        steps += [steps[-1]] * (count - 1 - len(steps))
    out = [start]
    add = out.append
    for step in steps:
        start += step
        add(start)
    return out


def _natural(value: str, x: float, y: float, size: float, toward: int, extra: int) -> tuple[list[float], list[float]]:
    """Without steps, characters follow one another by their widths in the reading direction."""
    xs, ys = [], []
    dx, dy = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}.get(toward, (1, 0))
    for character in value + " " * extra:
        xs.append(x)
        ys.append(y)
        step = size * (1.0 if dy else width_of(character))
        x, y = x + dx * step, y + dy * step
    return xs, ys


def _numbers(element: _Element) -> list[int]:
    """The glyph numbers of a CGTransform."""
    for each in element:
        if local(each.tag) == "Glyphs":
            try:
                return [number_ if 0 <= number_ < 65536 else 0 for number_ in map(int, (each.text or "").split())]
            except ValueError:
                return [int(number(word)) for word in (each.text or "").split()]
    return []


def _transformed(
    out: Glyphs,
    value: str,
    x: float,
    y: float,
    element: _Element,
    size: float,
    toward: int,
    transforms: dict[int, tuple[int, list[int]]],
    position: int,
) -> None:
    """Append characters of which some are drawn by given glyphs: one for one, one for many, many for one or many."""
    count = len(value)
    text: list[str] = []
    glyphs: list[int] = []
    at = 0
    plain = True
    while at < count:
        found = transforms.get(position + at)
        if found is None:
            text.append(value[at])
            glyphs.append(LOOK_UP)
            at += 1
            continue
        codes, numbers = found
        covered = value[at : at + codes]
        at += len(covered)
        if len(covered) == len(numbers):
            text += covered
            glyphs += numbers
            continue
        plain = False
        text += covered[: len(numbers)].ljust(len(numbers), FILLER)
        glyphs += numbers
        for character in covered[len(numbers) :]:  # characters beyond the glyphs stand where the last glyph is
            text.append(character)
            glyphs.append(NOTHING)
    drawn = len(glyphs) if plain else sum(1 for glyph in glyphs if glyph != NOTHING)
    xs, ys = _places(value[:drawn], x, y, element, size, toward, max(0, drawn - count))
    if not plain:
        xs, ys = _spread(glyphs, xs), _spread(glyphs, ys)
    if out.glyphs is None:
        out.glyphs = [LOOK_UP] * len(out.text)
    out.glyphs += glyphs
    out.text += "".join(text)
    out.xs += xs
    out.ys += ys


def _spread(glyphs: list[int], places: list[float]) -> list[float]:
    out: list[float] = []
    following = iter(places)
    last = places[0] if places else 0.0
    for glyph in glyphs:
        if glyph != NOTHING:
            last = next(following, last)
        out.append(last)
    return out


def linear_of(ctm: Matrix | None, element: _Element) -> Linear:
    """How glyphs are turned and stretched: the object's CTM, HScale and CharDirection."""
    a, b, c, d = ctm[:4] if ctm is not None else (1.0, 0.0, 0.0, 1.0)
    direction, scale = element.get("CharDirection"), element.get("HScale")
    if scale is not None:
        stretch = number(scale, 1.0) or 1.0
        a, b = a * stretch, b * stretch
    if direction is not None:
        turn = int(number(direction)) % 360
        if turn == 90:
            a, b, c, d = c, d, -a, -b
        elif turn == 180:
            a, b, c, d = -a, -b, -c, -d
        elif turn == 270:
            a, b, c, d = -c, -d, a, b
    return a, b, c, d
