"""The text of a page in reading order, each character with its place; search in it.

Works on display lists, so it reads what is shown: templates and annotations too, and text that is invisible.
"""

from __future__ import annotations

import math
import statistics
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import NamedTuple

from modules.common.ofd.box import Box
from modules.common.ofd.display import FILLER, DisplayList, GlyphRun, Group, Item, Matrix, Pattern, Shape, times
from modules.common.ofd.texts import width_of

_ASCENT, _HEIGHT = 0.86, 1.06
"""Where a character's box begins above its base line, and how high it is, in parts of its size."""
_COLUMN = 2.0
"""A gap of so many characters may part columns."""
_DEPTH = 40
_BROAD = {"m": 0.78, "w": 0.72, "M": 0.86, "W": 0.94, "@": 0.92, "%": 0.83}
"""Letters wider than a half, in parts of their size; other capitals have ``_CAPITAL``."""
_CAPITAL = 0.7


class _Character(NamedTuple):
    text: str
    x: float
    y: float
    size: float
    along: tuple[float, float]
    """Unit vector in which the character faces."""
    width: float


class _Piece(NamedTuple):
    """Characters that follow one another on a line."""

    characters: list[tuple[str, Box]]
    box: Box
    size: float
    vertical: bool
    slanted: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is read. ``boxes`` has one box for each character of ``text``, millimetres on the page."""

    text: str
    boxes: tuple[Box, ...]

    @property
    def box(self) -> Box:
        """The box around the line."""
        return around(self.boxes)


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: characters ``start`` to ``end`` of the page's text, a box for each line it spans."""

    page: int
    start: int
    end: int
    boxes: tuple[Box, ...]
    context: str


@dataclass(frozen=True)
class PageText:
    """The text of a page."""

    lines: tuple[Line, ...]

    @cached_property
    def text(self) -> str:
        """All lines, each but the last followed by a line end."""
        return "\n".join(line.text for line in self.lines)

    @cached_property
    def boxes(self) -> tuple[Box | None, ...]:
        """A box for each character of ``text``; none for line ends."""
        out: list[Box | None] = []
        for line in self.lines:
            out += line.boxes
            out.append(None)
        return tuple(out[:-1])

    def at(self, x: float, y: float) -> int | None:
        """The index of the character nearest to a point, among those of the line that the point lies in."""
        best: tuple[float, int] | None = None
        for index, box in enumerate(self.boxes):
            if box is not None and box.y <= y <= box.y + box.height:
                away = 0.0 if box.holds(x, y) else min(abs(x - box.x), abs(x - box.x - box.width))
                if best is None or away < best[0]:
                    best = (away, index)
        return None if best is None else best[1]

    def between(self, start: int, end: int) -> tuple[Box, ...]:
        """Boxes, one for each line, around the characters from ``start`` to before ``end``."""
        rows: list[list[Box]] = [[]]
        for box in self.boxes[max(start, 0) : end]:
            if box is None:
                rows.append([])
            else:
                rows[-1].append(box)
        return tuple(around(row) for row in rows if row)

    def find(self, words: str, page: int = 0) -> Iterator[Hit]:
        """Where ``words`` stand; case, width, spaces and line ends make no difference."""
        wanted = "".join(folded for character in words for folded in _folded(character))
        if not wanted:
            return
        text, places = self._folded
        at = text.find(wanted)
        while at >= 0:
            start, end = places[at], places[at + len(wanted) - 1] + 1
            context = self.text[max(0, start - 12) : end + 12].replace("\n", " ")
            yield Hit(page, start, end, self.between(start, end), context)
            at = text.find(wanted, at + len(wanted))

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        out: list[str] = []
        places: list[int] = []
        for index, character in enumerate(self.text):
            for folded in _folded(character):
                out.append(folded)
                places.append(index)
        return "".join(out), places


@lru_cache(8192)
def _folded(character: str) -> str:
    return "".join(unicodedata.normalize("NFKC", character).casefold().split())


def around(boxes: tuple[Box, ...] | list[Box]) -> Box:
    """The box around boxes."""
    left, top = min(box.x for box in boxes), min(box.y for box in boxes)
    right, bottom = max(box.x + box.width for box in boxes), max(box.y + box.height for box in boxes)
    return Box(left, top, right - left, bottom - top)


def read(page: DisplayList) -> PageText:
    """The text of a page."""
    pieces = _pieces(_characters(page.items, None, 0))
    level = [piece for piece in pieces if not piece.slanted]
    vertical = sum(len(p.characters) for p in level if p.vertical) * 2 > sum(len(p.characters) for p in level)
    lines: list[Line] = []
    for block in _blocks([piece for piece in level if piece.vertical == vertical], 0):
        lines += _columns(block) if vertical else _rows(block)
    rest = [piece for piece in level if piece.vertical != vertical] + [piece for piece in pieces if piece.slanted]
    lines += [_line([piece]) for piece in rest]
    return PageText(tuple(lines))


def may_hold(page: DisplayList, words: str) -> bool:
    """Whether all characters of ``words`` occur on a page, in whatever order: far quicker than reading it."""
    wanted = {folded for character in words for folded in _folded(character)}
    return wanted <= {folded for letter in _letters(page.items, 0) for folded in _folded(letter)}


def _letters(items: tuple[Item, ...], depth: int) -> set[str]:
    found: set[str] = set()
    for item in items:
        if isinstance(item, GlyphRun):
            found.update(item.text)
        elif isinstance(item, Group) and depth < _DEPTH:
            found |= _letters(item.items, depth + 1)
        elif isinstance(item, Shape) and isinstance(item.fill, Pattern) and depth < _DEPTH:
            found |= _letters(item.fill.items, depth + 1)
    return found


def _characters(items: tuple[Item, ...], matrix: Matrix | None, depth: int) -> Iterator[_Character]:
    for item in items:
        if isinstance(item, GlyphRun):
            yield from _of_run(item, matrix)
        elif isinstance(item, Group) and depth < _DEPTH:
            inner = item.matrix if matrix is None else matrix if item.matrix is None else times(item.matrix, matrix)
            yield from _characters(item.items, inner, depth + 1)
        elif isinstance(item, Shape) and isinstance(item.fill, Pattern) and depth < _DEPTH:
            whole = times(item.fill.matrix, item.outline.matrix)
            inner = whole if matrix is None else times(whole, matrix)
            yield from _characters(item.fill.items, inner, depth + 1)


def _of_run(run: GlyphRun, matrix: Matrix | None) -> Iterator[_Character]:
    a, b, c, d = run.linear
    if matrix is not None:
        ma, mb, mc, md, me, mf = matrix
        a, b, c, d = a * ma + b * mc, a * mb + b * md, c * ma + d * mc, c * mb + d * md
    across, up = math.hypot(a, b), math.hypot(c, d)
    if across < 1e-9 or up < 1e-9:
        return
    along = (a / across, b / across)
    size, stretch = run.size * up, across / up
    for character, x, y in zip(run.text, run.xs, run.ys, strict=True):
        if character == FILLER:
            continue
        if matrix is not None:
            x, y = ma * x + mc * y + me, mb * x + md * y + mf
        yield _Character(character, x, y, size, along, _usual(character) * size * stretch)


def _usual(character: str) -> float:
    """How wide a character usually is, in parts of its size."""
    if "A" <= character <= "Z":
        return _BROAD.get(character, _CAPITAL)
    return _BROAD.get(character) or width_of(character)


def _pieces(characters: Iterator[_Character]) -> list[_Piece]:
    """Runs of characters that follow one another, along their direction or straight down."""
    out: list[_Piece] = []
    now: list[_Character] = []
    down = False
    for character in characters:
        if now:
            step = _step(now[-1], character)
            fits = step is not None and (len(now) == 1 or down == (step == "down"))
            if fits:
                down = step == "down"
                now.append(character)
                continue
            out.append(_piece(now, down))
        now, down = [character], False
    if now:
        out.append(_piece(now, down))
    return out


def _step(one: _Character, other: _Character) -> str | None:
    """How one character follows another: ``along``, ``down``, or not."""
    if abs(one.size - other.size) > 0.35 * one.size or one.along != other.along:
        return None
    dx, dy = other.x - one.x, other.y - one.y
    ahead = dx * one.along[0] + dy * one.along[1]
    aside = dy * one.along[0] - dx * one.along[1]
    if abs(aside) < 0.3 * one.size and -0.1 * one.size < ahead < one.width + _COLUMN * one.size:
        return "along"
    upright = one.along[0] > 0.99
    if upright and abs(ahead) < 0.3 * one.size and 0.7 * one.size < aside < 2.2 * one.size:
        return "down" if unicodedata.east_asian_width(one.text) in "WF" else None
    return None


def _piece(characters: list[_Character], down: bool) -> _Piece:
    boxed: list[tuple[str, Box]] = []
    pairs = () if down else pairwise(characters)
    steps = [math.hypot(other.x - one.x, other.y - one.y) for one, other in pairs]
    pitch = statistics.median(steps) if len(steps) > 2 else 0.0
    for index, character in enumerate(characters):
        width = character.width
        if index < len(steps):
            ahead = steps[index]
            even = abs(ahead - pitch) < 0.05 * pitch  # set at even distances, no gap between words
            most = 1.1 if character.text in _BROAD or "A" <= character.text <= "Z" else 1.5
            if even or 0.2 * character.size < ahead < most * width:
                width = ahead
        boxed.append((character.text, _box(character, width)))
    first = characters[0]
    slanted = first.along[0] < 0.99
    return _Piece(boxed, around([box for _, box in boxed]), first.size, down, slanted)


def _box(character: _Character, width: float) -> Box:
    (ax, ay), size = character.along, character.size
    if ax > 0.9999:
        return Box(character.x, character.y - _ASCENT * size, width, _HEIGHT * size)
    corners = [
        (character.x + ax * u - ay * v, character.y + ay * u + ax * v)
        for u in (0.0, width)
        for v in (-_ASCENT * size, (_HEIGHT - _ASCENT) * size)
    ]
    left, top = min(x for x, _ in corners), min(y for _, y in corners)
    return Box(left, top, max(x for x, _ in corners) - left, max(y for _, y in corners) - top)


def _blocks(pieces: list[_Piece], depth: int) -> list[list[_Piece]]:
    """Pieces parted where wide gaps run through: above one another first, then side by side."""
    if len(pieces) < 2 or depth > _DEPTH:
        return [pieces] if pieces else []
    size = statistics.median(piece.size for piece in pieces)
    parts = _parted(pieces, 1.5 * size, False)
    if len(parts) == 1 and _several_lines(pieces, size):
        sides = _parted(pieces, 1.2 * size, True)
        if len(sides) > 1 and all(_several_lines(side, size) for side in sides):
            parts = sides
    if len(parts) == 1:
        return parts
    return [block for part in parts for block in _blocks(part, depth + 1)]


def _several_lines(pieces: list[_Piece], size: float) -> bool:
    return len({round(piece.box.y / size) for piece in pieces}) >= 4


def _parted(pieces: list[_Piece], gap: float, across: bool) -> list[list[_Piece]]:
    def span(piece: _Piece) -> tuple[float, float]:
        box = piece.box
        return (box.x, box.x + box.width) if across else (box.y, box.y + box.height)

    out: list[list[_Piece]] = []
    reach = -math.inf
    for piece in sorted(pieces, key=lambda each: span(each)[0]):
        start, end = span(piece)
        if not out or start - reach > gap:
            out.append([])
        out[-1].append(piece)
        reach = max(reach, end)
    return out


def _rows(pieces: list[_Piece]) -> list[Line]:
    """Lines from top to bottom, each from left to right."""
    rows: list[list[_Piece]] = []
    middle = 0.0
    for piece in sorted(pieces, key=lambda each: each.box.y + each.box.height / 2):
        centre = piece.box.y + piece.box.height / 2
        if not rows or centre - middle > 0.45 * min(piece.size, rows[-1][0].size):
            rows.append([])
            middle = centre
        rows[-1].append(piece)
    return [_line(sorted(row, key=lambda each: each.box.x)) for row in rows]


def _columns(pieces: list[_Piece]) -> list[Line]:
    """Columns of vertical writing from right to left."""
    return [_line([piece]) for piece in sorted(pieces, key=lambda each: (-round(each.box.x, 1), each.box.y))]


def _line(pieces: list[_Piece]) -> Line:
    """One line; a space where there is a gap that none is written in."""
    text: list[str] = []
    boxes: list[Box] = []
    for piece in pieces:
        for character, box in piece.characters:
            if boxes and not piece.vertical and not piece.slanted and text[-1] != " " and character != " ":
                before = boxes[-1]
                gap = box.x - before.x - before.width
                if gap > (0.6 if character.isascii() and text[-1].isascii() else 1.0) * piece.size * 0.5:
                    text.append(" ")
                    boxes.append(Box(before.x + before.width, box.y, gap, box.height))
            text.append(character)
            boxes.append(box)
    return Line("".join(text), tuple(boxes))
