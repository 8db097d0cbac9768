"""How annotations look: a highlight, a note, ink, a watermark over the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from modules.common.ofd.box import Box
from modules.common.ofd.display import IDENTITY, UPRIGHT, GlyphRun, Item, Outline, Shape, Stroke
from modules.common.ofd.fonts import Font
from modules.common.ofd.outlines import rectangle
from modules.common.ofd.texts import width_of
from modules.common.ofd.writing.edits import Remark

_YELLOW, _INK = 0x66FFE600, 0xFFC00000
_SONG = Font("remark", "宋体", "宋体")
_GAP = 1.6


def highlight(boxes: Sequence[Box], words: str = "", colour: int = _YELLOW) -> Remark:
    """Boxes laid over text, translucent."""
    items = []
    for box in boxes:
        ops, points = rectangle(*box)
        items.append(Shape(Outline(ops, points, IDENTITY, False), colour, None))
    return Remark("Highlight", tuple(items), words)


def ink(strokes: Sequence[Sequence[tuple[float, float]]], width: float = 0.5, colour: int = _INK) -> Remark:
    """Lines drawn by hand through points."""
    stroke = Stroke(colour, width, "Round", "Round")
    items: list[Item] = []
    for points in strokes:
        line = [*points, *points] if len(points) == 1 else list(points)  # a dot is a line of no length
        if line:
            flat = tuple(each for point in line for each in point)
            items.append(Shape(Outline("M" + "L" * (len(line) - 1), flat, IDENTITY, False), None, stroke))
    return Remark("Path", tuple(items), subtype="Pencil")


def note(words: str, x: float, y: float, size: float = 4.0, font: Font = _SONG, colour: int = _INK) -> Remark:
    """Words on the page, from the top left corner; line ends begin new lines."""
    items = tuple(
        _line(line, x, y + size * (0.9 + 1.3 * number), size, font, colour)
        for number, line in enumerate(words.split("\n"))
        if line.strip()
    )
    return Remark("Stamp", items, words, "Text")


def watermark(
    words: str, page: Box, size: float = 8.0, turn: float = -30.0, font: Font = _SONG, colour: int = 0x30808080
) -> Remark:
    """Words all over a page, turned by degrees."""
    length = sum(map(width_of, words)) * size
    angle = math.radians(turn)
    cos, sin = math.cos(angle), math.sin(angle)
    across, down = max(length * _GAP, 30.0), max(size * 6, 25.0)
    reach = math.hypot(page.width, page.height) / 2
    middle = (page.x + page.width / 2, page.y + page.height / 2)
    rows, columns = min(math.ceil(reach / down), 40), min(math.ceil(reach / across), 40)
    items: list[Item] = []
    for row in range(-rows, rows + 1):
        for column in range(-columns, columns + 1):
            u, v = column * across - length / 2, row * down
            x, y = middle[0] + u * cos - v * sin, middle[1] + u * sin + v * cos
            ends = (x, x + length * cos), (y, y + length * sin)
            if (
                max(ends[0]) < page.x
                or min(ends[0]) > page.x + page.width
                or max(ends[1]) < page.y
                or min(ends[1]) > page.y + page.height
            ):
                continue
            run = _line(words, 0.0, 0.0, size, font, colour)
            xs = tuple(x + each * cos for each in run.xs)
            ys = tuple(y + each * sin for each in run.xs)
            items.append(run._replace(linear=(cos, sin, -sin, cos), xs=xs, ys=ys))
    return Remark("Watermark", tuple(items), words)


def _line(words: str, x: float, y: float, size: float, font: Font, colour: int) -> GlyphRun:
    xs = []
    for character in words:
        xs.append(x)
        x += width_of(character) * size
    return GlyphRun(font, size, UPRIGHT, words, None, tuple(xs), (y,) * len(xs), colour, None, 400, False)
