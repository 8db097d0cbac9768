"""Radial shadings between circles of which none holds the other, elliptical ones, and repeated ones: pixel by pixel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QImage, QPainterPath, QTransform

from modules.common.ofd.display import Gradient, Matrix

if TYPE_CHECKING:
    from client.widgets.page.painter import Painting

_COLOURS = 512
_PIXELS = 4_000_000


def fill(painting: Painting, path: QPainterPath, shade: Gradient, whole: Matrix) -> None:
    """Fill a path, given in the space that ``whole`` carries to pixels, with a radial shading (8.3.4.3).

    Each circle between the two has its colour; where several pass a point, the last one counts.
    """
    painter = painting.painter
    seen = QTransform(*whole).map(path)
    rect = seen.boundingRect().toAlignedRect().intersected(QRect(QPoint(0, 0), painting.size))
    back, usable = QTransform(*whole).inverted()
    if rect.isEmpty() or not usable:
        return
    coarse = max(1, math.ceil(math.sqrt(rect.width() * rect.height() / _PIXELS)))
    picture = _picture(shade, back, rect, coarse)
    painter.save()
    painter.setTransform(QTransform())
    painter.setClipPath(seen, Qt.ClipOperation.IntersectClip)
    painter.drawImage(rect, picture)
    painter.restore()


def _picture(shade: Gradient, back: QTransform, rect: QRect, coarse: int) -> QImage:
    import numpy as np

    across, down = -(-rect.width() // coarse), -(-rect.height() // coarse)
    px = rect.x() + (np.arange(across) + 0.5) * coarse
    py = rect.y() + (np.arange(down)[:, None] + 0.5) * coarse
    x = back.m11() * px + back.m21() * py + back.dx()
    y = back.m12() * px + back.m22() * py + back.dy()
    (x1, y1), (x2, y2) = shade.start, shade.end
    r1, r2 = shade.start_radius, shade.end_radius
    if shade.eccentricity:  # in the space in which the ellipses are circles
        cos, sin = math.cos(math.radians(shade.angle)), math.sin(math.radians(shade.angle))
        flat = math.sqrt(1 - shade.eccentricity**2)
        x, y = x * cos + y * sin, (y * cos - x * sin) / flat
        x1, y1 = x1 * cos + y1 * sin, (y1 * cos - x1 * sin) / flat
        x2, y2 = x2 * cos + y2 * sin, (y2 * cos - x2 * sin) / flat
    dx, dy, dr = x2 - x1, y2 - y1, r2 - r1
    u, v = x - x1, y - y1
    a = dx * dx + dy * dy - dr * dr
    b = u * dx + v * dy + r1 * dr
    c = u * u + v * v - r1 * r1
    with np.errstate(all="ignore"):
        if abs(a) < 1e-12:
            roots = [c / (2 * b)]
        else:
            root = np.sqrt(b * b - a * c)
            roots = [(b + root) / a, (b - root) / a]
            roots = [np.maximum(*roots), np.minimum(*roots)]
        low = -np.inf if shade.extend & 1 or shade.mapping != "Direct" else 0.0
        high = np.inf if shade.extend & 2 or shade.mapping != "Direct" else 1.0
        t = np.full(np.broadcast(x, y).shape, np.nan)
        for each in roots:
            fits = np.isnan(t) & (each >= low) & (each <= high) & (r1 + each * dr >= 0)
            t = np.where(fits, each, t)
        if shade.mapping != "Direct":
            length = math.hypot(dx, dy) or abs(dr) or 1.0
            passes = t * (length / shade.unit) if shade.unit else t
            t = passes % 1.0 if shade.mapping == "Repeat" else 1 - np.abs(passes % 2.0 - 1)
    table = _table(shade)
    index = np.nan_to_num(np.clip(t, 0, 1) * (_COLOURS - 1), nan=0.0).astype(np.int32)
    colours = np.where(np.isnan(t), np.uint32(0), table[index]).astype(np.uint32)
    height, width = colours.shape
    image = QImage(colours.tobytes(), width, height, width * 4, QImage.Format.Format_ARGB32)
    return image.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)


def _table(shade: Gradient):  # type: ignore[no-untyped-def]
    """The colours from start to end, evenly spaced."""
    import numpy as np

    places = [at for at, _ in shade.stops]
    steps = np.linspace(0.0, 1.0, _COLOURS)
    out = np.zeros(_COLOURS, np.uint32)
    for shift in (0, 8, 16, 24):
        channel = np.interp(steps, places, [colour >> shift & 255 for _, colour in shade.stops])
        out |= np.round(channel).astype(np.uint32) << np.uint32(shift)
    return out
