"""Points, matrices and boxes of what is written."""

from __future__ import annotations

import math
from collections.abc import Iterable

from modules.common.ofd import outlines
from modules.common.ofd.display import GlyphRun, Group, Item, Matrix, Shape, times


def transformed(points: tuple[float, ...], matrix: Matrix) -> tuple[float, ...]:
    """Points, one number after another, under a matrix."""
    a, b, c, d, e, f = matrix
    pairs = zip(points[::2], points[1::2], strict=True)
    return tuple(each for x, y in pairs for each in (a * x + c * y + e, b * x + d * y + f))


def inverse(matrix: Matrix) -> Matrix:
    """The matrix that undoes another, which must not be flat."""
    a, b, c, d, e, f = matrix
    det = a * d - b * c
    return d / det, -b / det, -c / det, a / det, (c * f - d * e) / det, (b * e - a * f) / det


def extent(items: Iterable[Item], matrix: Matrix) -> tuple[float, float, float, float] | None:
    """A box around items, generous around text; ``None`` when there is nothing."""
    boxes: list[tuple[float, float, float, float]] = []
    for item in items:
        if isinstance(item, Group):
            inner = extent(item.items, matrix if item.matrix is None else times(item.matrix, matrix))
            if inner is not None:
                boxes.append(inner)
            continue
        if isinstance(item, GlyphRun):
            points = tuple(each for place in zip(item.xs, item.ys, strict=True) for each in place)
            whole = matrix
            a, b, c, d = item.linear
            edge = item.size * 1.5 * max(math.hypot(a, b), math.hypot(c, d))
        elif isinstance(item, Shape):
            points, whole = item.outline.points, times(item.outline.matrix, matrix)
            edge = 0.0 if item.stroke is None else item.stroke.width
        else:
            points, whole, edge = (0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0), times(item.matrix, matrix), 0.0
        if points:
            left, top, right, bottom = outlines.bounds(transformed(points, whole))
            more = edge * max(math.hypot(*whole[:2]), math.hypot(*whole[2:4]))
            boxes.append((left - more, top - more, right + more, bottom + more))
    if not boxes:
        return None
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )
