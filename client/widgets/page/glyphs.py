"""A run's characters as glyphs of one face or several, at their pixels."""

from __future__ import annotations

import math
from typing import NamedTuple

from PySide6.QtCore import QPointF
from PySide6.QtGui import QTransform

from client.widgets.page.faces import BASE, Face, Faces
from modules.common.ofd.display import FILLER, LOOK_UP, NOTHING, GlyphRun, Matrix
from modules.common.ofd.texts import width_of

_SLANT = 0.2
_NARROWEST = 0.4
"""How far a glyph of a font that stands in is squeezed, at most, to the room that the missing font's glyph had."""
_STEP = 0.05
"""Squeezed glyphs are grouped by steps of this size."""


class Placed(NamedTuple):
    """Glyphs of one face. ``points`` are in pixels before ``turn``, which is ``None`` when nothing is turned."""

    face: Face
    glyphs: list[int]
    points: list[QPointF]
    pixels: float
    turn: QTransform | None
    embolden: bool


def place(run: GlyphRun, matrix: Matrix, faces: Faces) -> list[Placed]:
    """A run's glyphs, in the space that ``matrix`` carries to pixels. Bold and italic that no face has are feigned."""
    ma, mb, mc, md, me, mf = matrix
    ra, rb, rc, rd = run.linear
    a, b = ra * ma + rb * mc, ra * mb + rb * md
    c, d = rc * ma + rd * mc, rc * mb + rd * md
    bold = run.weight >= 600 or run.font.bold
    found = faces.of(run.font, bold)
    if not found:
        return []
    face = found[0]
    if (run.italic or run.font.italic) and not face.embedded:
        c, d = c - _SLANT * a, d - _SLANT * b
    if b == 0 and c == 0 and a > 0 and abs(a - d) < 1e-6 * a:
        pixels, turn = run.size * a, None
        points = [QPointF(ma * x + mc * y + me, mb * x + md * y + mf) for x, y in zip(run.xs, run.ys, strict=True)]
    else:
        grow = math.sqrt(abs(a * d - b * c))
        if grow < 1e-9:
            return []
        pixels = run.size * grow
        a, b, c, d = a / grow, b / grow, c / grow, d / grow
        determinant = a * d - b * c
        turn = QTransform(a, b, c, d, 0, 0)
        ia, ib, ic, id_ = d / determinant, -b / determinant, -c / determinant, a / determinant
        points = []
        for x, y in zip(run.xs, run.ys, strict=True):
            px, py = ma * x + mc * y + me, mb * x + md * y + mf
            points.append(QPointF(ia * px + ic * py, ib * px + id_ * py))
    if not 0.2 < pixels < 30_000:
        return []
    if face.embedded:
        glyphs = _given(run)
        if glyphs is not None:
            return [Placed(face, glyphs, points, pixels, turn, False)]
    text = run.text
    numbers = face.raw.glyphIndexesForString(text)
    if len(numbers) != len(text):  # what lies outside the first plane may count twice
        numbers = [next(iter(face.raw.glyphIndexesForString(character)), 0) for character in text]
    embolden = bold and not face.embedded and not face.bold
    if run.glyphs is None and 0 not in numbers and (face.embedded or min(text) > "\u2e80"):
        return [Placed(face, numbers, points, pixels, turn, embolden)]
    return _sorted(run, faces, bold, face, numbers, points, pixels, turn, embolden)


def _given(run: GlyphRun) -> list[int] | None:
    """The glyph numbers that the document gives, if it gives all."""
    given = run.glyphs
    if given is None:
        return None
    if run.font.cids is not None:  # numbers of characters in the collection, not of glyphs
        cids = run.font.cids
        return [cids.get(glyph, 0) for glyph in given] if min(given) > 0 else None
    return list(given) if min(given) > 0 else None


def _sorted(
    run: GlyphRun,
    faces: Faces,
    bold: bool,
    face: Face,
    numbers: list[int],
    points: list[QPointF],
    pixels: float,
    turn: QTransform | None,
    embolden: bool,
) -> list[Placed]:
    """The glyphs of a run by face and by how far they are squeezed."""
    text, given, cids = run.text, run.glyphs, run.font.cids
    rows: dict[tuple[int, float], Placed] = {}
    last = len(text) - 1
    shift = 0.0
    for index, character in enumerate(text):
        number = LOOK_UP if given is None or not face.embedded else given[index]
        if number > 0 and cids is not None:
            number = cids.get(number, 0)
        if given is not None and given[index] == NOTHING:
            if face.embedded:
                continue
            # part of a glyph of the missing font: another font draws it by itself, after the part before
            shift += width_of(text[index - 1]) * pixels
        else:
            shift = 0.0
        if character == FILLER and not face.embedded:
            continue
        which = face
        if number == LOOK_UP or (number == 0 and character > " "):
            number = numbers[index]
            if not number:
                if character <= " " or character == "\u3000":
                    continue
                which, number = faces.lacking(run.font, bold, character) or (face, 0)
        point = points[index]
        squeeze = 1.0
        if not which.embedded and index < last and character < "\u2e80":
            room = points[index + 1].x() - point.x()
            width = which.width(number) * pixels / BASE
            if 0 < room < width * 0.97 and abs(points[index + 1].y() - point.y()) < 0.1 * pixels:
                squeeze = max(_NARROWEST, math.floor(room / width / _STEP) * _STEP)
        key = (id(which), squeeze)
        row = rows.get(key)
        if row is None:
            turned = turn
            if squeeze < 1:
                turned = QTransform.fromScale(squeeze, 1) * (turn or QTransform())
            row = rows[key] = Placed(which, [], [], pixels, turned, embolden and which is face)
        row.glyphs.append(number)
        row.points.append(QPointF((point.x() + shift) / squeeze, point.y()) if shift or squeeze < 1 else point)
    return list(rows.values())
