"""Paths, and the fills that are more than a colour: shadings, meshes and patterns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QGradient,
    QImage,
    QLinearGradient,
    QPainter,
    QPainterPath,
    QPainterPathStroker,
    QRadialGradient,
    QTransform,
)

from client.widgets.page import cones
from modules.common.ofd.display import Gradient, Matrix, Mesh, Outline, Paint, Pattern, Stroke, times

if TYPE_CHECKING:
    from client.widgets.page.painter import Painting

CELL_SIDE = 3000
"""Pixels of a pattern's cell on a side."""
_SPREADS = {"Repeat": QGradient.Spread.RepeatSpread, "Reflect": QGradient.Spread.ReflectSpread}


def raw_path(outline: Outline) -> QPainterPath:
    """A path in its own space."""
    path = QPainterPath()
    if not outline.even_odd:
        path.setFillRule(Qt.FillRule.WindingFill)
    points = outline.points
    if outline.ops in ("MLLLC", "MLLL") and points[0] in (points[2], points[6]):
        x0, y0, x1, y1, x2, y2, x3, y3 = points
        if (x0 == x1 and y1 == y2 and x2 == x3 and y3 == y0) or (y0 == y1 and x1 == x2 and y2 == y3 and x3 == x0):
            path.addRect(QRectF(QPointF(min(x0, x2), min(y0, y2)), QPointF(max(x0, x2), max(y0, y2))))
            return path
    at = 0
    line, move, cubic = path.lineTo, path.moveTo, path.cubicTo
    for op in outline.ops:
        if op == "L":
            line(points[at], points[at + 1])
            at += 2
        elif op == "B":
            cubic(*points[at : at + 6])
            at += 6
        elif op == "M":
            move(points[at], points[at + 1])
            at += 2
        elif op == "C":
            path.closeSubpath()
        elif op == "Q":
            path.quadTo(*points[at : at + 4])
            at += 4
    return path


def path_of(outline: Outline, matrix: Matrix) -> QPainterPath:
    """A path in pixels."""
    path = QTransform(*matrix).map(raw_path(outline))
    path.setFillRule(Qt.FillRule.OddEvenFill if outline.even_odd else Qt.FillRule.WindingFill)
    return path


def is_upright(path: QPainterPath) -> bool:
    """Whether a path is its own bounding box, or nothing."""
    count = path.elementCount()
    if count == 0:
        return True
    if count not in (4, 5):
        return False
    box = path.boundingRect()
    xs, ys = (box.left(), box.right()), (box.top(), box.bottom())
    slack = 0.01
    before: tuple[float, float] | None = None
    for index in range(count):
        element: Any = path.elementAt(index)
        x, y = element.x, element.y
        curved = element.type.value > 1
        if curved or min(abs(x - each) for each in xs) > slack or min(abs(y - each) for each in ys) > slack:
            return False
        if before is not None and abs(before[0] - x) > slack and abs(before[1] - y) > slack:
            return False
        before = x, y
    return True


def stroked(path: QPainterPath, stroke: Stroke) -> QPainterPath:
    """The area that a line covers."""
    stroker = QPainterPathStroker()
    stroker.setWidth(max(stroke.width, 0.01))
    stroker.setCapStyle(Qt.PenCapStyle.RoundCap if stroke.cap == "Round" else Qt.PenCapStyle.FlatCap)
    return stroker.createStroke(path)


def fill(painting: Painting, path: QPainterPath, paint: Paint, whole: Matrix, page: Matrix) -> None:
    """Fill a path, in whose space the painter is, with a shading or pattern.

    ``whole`` carries that space to pixels, ``page`` the space around it.
    """
    painter = painting.painter
    if isinstance(paint, Gradient):
        _shade(painting, path, paint, whole)
    elif isinstance(paint, Mesh):
        _mesh(painting, path, paint, whole)
    elif isinstance(paint, Pattern):
        _tile(painting, path, paint, whole, page)
    else:
        painter.fillPath(path, QBrush(QColor.fromRgba(paint)))


def _shade(painting: Painting, path: QPainterPath, shade: Gradient, whole: Matrix) -> None:
    painter = painting.painter
    (x1, y1), (x2, y2) = shade.start, shade.end
    spread = _SPREADS.get(shade.mapping, QGradient.Spread.PadSpread)
    direct = spread == QGradient.Spread.PadSpread
    if not shade.radial:
        length = math.hypot(x2 - x1, y2 - y1)
        if length < 1e-9:
            return
        if not direct and shade.unit > 0:
            x2, y2 = x1 + (x2 - x1) * shade.unit / length, y1 + (y2 - y1) * shade.unit / length
        before, after = _ends(shade) if direct else (0.0, 0.0)
        dx, dy = x2 - x1, y2 - y1
        made: QGradient = QLinearGradient(x1 - dx * before, y1 - dy * before, x2 + dx * after, y2 + dy * after)
        _colour(made, shade, before, after)
        made.setSpread(spread)
        painter.fillPath(path, QBrush(made))
        return
    r1, r2 = shade.start_radius, shade.end_radius
    if shade.eccentricity or math.hypot(x2 - x1, y2 - y1) > abs(r2 - r1) or not direct:
        cones.fill(painting, path, shade, whole)
        return
    # one circle lies in the other: Qt can do it, from the inner one outwards
    before, after = _ends(shade)
    if r1 > r2:
        shade = shade._replace(stops=tuple((1 - at, colour) for at, colour in reversed(shade.stops)))
        x1, y1, r1, x2, y2, r2, before, after = x2, y2, r2, x1, y1, r1, after, before
    if r1 - (r2 - r1) * before < 0:
        before = 0.0
    dx, dy, dr = x2 - x1, y2 - y1, r2 - r1
    outer, inner = QPointF(x2 + dx * after, y2 + dy * after), QPointF(x1 - dx * before, y1 - dy * before)
    made = QRadialGradient(outer, max(r2 + dr * after, 1e-6), inner, r1 - dr * before)
    _colour(made, shade, before, after)
    painter.fillPath(path, QBrush(made))


_EDGE = 0.004
"""Part of a shading's length over which it vanishes where it does not extend: a few of the colours that Qt keeps."""


def _ends(shade: Gradient) -> tuple[float, float]:
    """How far a gradient is lengthened at its start and end, to become transparent there."""
    return 0.0 if shade.extend & 1 else _EDGE, 0.0 if shade.extend & 2 else _EDGE


def _colour(made: QGradient, shade: Gradient, before: float, after: float) -> None:
    whole = 1 + before + after
    for at, colour in shade.stops:
        made.setColorAt(min(max((at + before) / whole, 0.0), 1.0), QColor.fromRgba(colour))
    if before:
        made.setColorAt(0.0, QColor.fromRgba(shade.stops[0][1] & 0xFFFFFF))
        made.setColorAt(before / whole / 2, QColor.fromRgba(shade.stops[0][1] & 0xFFFFFF))
        made.setColorAt(before / whole, QColor.fromRgba(shade.stops[0][1]))
    if after:
        last = shade.stops[-1][1]
        made.setColorAt((1 + before) / whole, QColor.fromRgba(last))
        made.setColorAt((1 + before + after / 2) / whole, QColor.fromRgba(last & 0xFFFFFF))
        made.setColorAt(1.0, QColor.fromRgba(last & 0xFFFFFF))


def _mesh(painting: Painting, path: QPainterPath, mesh: Mesh, whole: Matrix) -> None:
    """Triangles, each split until its corners' colours are near enough to one another."""
    painter = painting.painter
    painter.save()
    painter.setClipPath(path, Qt.ClipOperation.IntersectClip)
    if mesh.back:
        painter.fillPath(path, QBrush(QColor.fromRgba(mesh.back)))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # or seams would show
    scale = math.sqrt(abs(whole[0] * whole[3] - whole[1] * whole[2]))
    budget = 60_000
    waiting = [mesh.corners[at : at + 3] for at in range(0, len(mesh.corners) - 2, 3)]
    while waiting and budget > 0:
        budget -= 1
        p, q, r = waiting.pop()
        size = max(abs(p[0] - q[0]), abs(q[0] - r[0]), abs(p[1] - q[1]), abs(q[1] - r[1])) * scale
        if size > 2 and _apart(p[2], q[2], r[2]) > 6 and len(waiting) < budget:
            pq, qr, rp = _middle(p, q), _middle(q, r), _middle(r, p)
            waiting += [(p, pq, rp), (pq, q, qr), (rp, qr, r), (pq, qr, rp)]
            continue
        triangle = QPainterPath(QPointF(p[0], p[1]))
        triangle.lineTo(q[0], q[1])
        triangle.lineTo(r[0], r[1])
        painter.fillPath(triangle, QBrush(QColor.fromRgba(_mean(p[2], q[2], r[2]))))
    painter.restore()


_Corner = tuple[float, float, int]


def _middle(p: _Corner, q: _Corner) -> _Corner:
    return (p[0] + q[0]) / 2, (p[1] + q[1]) / 2, _mean(p[2], q[2])


def _mean(*colours: int) -> int:
    return sum(sum(colour >> shift & 255 for colour in colours) // len(colours) << shift for shift in (0, 8, 16, 24))


def _apart(*colours: int) -> int:
    spread = 0
    for shift in (0, 8, 16, 24):
        parts = [colour >> shift & 255 for colour in colours]
        spread = max(spread, max(parts) - min(parts))
    return spread


def _tile(painting: Painting, path: QPainterPath, pattern: Pattern, whole: Matrix, page: Matrix) -> None:
    """Lay a pattern's cells over a path: one cell is painted as a picture, and repeated by a brush."""
    painter = painting.painter
    space = times(pattern.matrix, page if pattern.from_page else whole)
    a, b, c, d = space[:4]
    across, down = math.hypot(a, b), math.hypot(c, d)
    if min(across, down) < 1e-9:
        return
    # the step of the cells, to whole pixels, with the remainder taken up by the brush
    columns = 2 if pattern.reflect in ("Row", "RowAndColumn") else 1
    rows = 2 if pattern.reflect in ("Column", "RowAndColumn") else 1
    width = min(max(1, round(pattern.x_step * across)), CELL_SIDE)
    height = min(max(1, round(pattern.y_step * down)), CELL_SIDE)
    cell = QImage(width * columns, height * rows, QImage.Format.Format_ARGB32_Premultiplied)
    cell.fill(0)
    one = QImage(width, height, QImage.Format.Format_ARGB32_Premultiplied)
    one.fill(0)
    inner = QPainter(one)
    sx, sy = width / pattern.x_step, height / pattern.y_step
    try:
        inner.setClipRect(QRectF(0, 0, pattern.width * sx, pattern.height * sy))
        painting.inside(inner, one.size()).items(pattern.items, (sx, 0.0, 0.0, sy, 0.0, 0.0))
    finally:
        inner.end()
    layout = QPainter(cell)
    for column in range(columns):
        for row in range(rows):
            piece = one.mirrored(column == 1, row == 1) if column or row else one
            layout.drawImage(column * width, row * height, piece)
    layout.end()
    brush = QBrush(cell)
    # the brush's pixels into the pattern's space, and from there into the path's
    back, usable = QTransform(*whole).inverted()
    if not usable:
        return
    brush.setTransform(QTransform.fromScale(1 / sx, 1 / sy) * QTransform(*space) * back)
    painter.setOpacity(pattern.alpha / 255)
    painter.fillPath(path, brush)
    painter.setOpacity(1.0)
