"""Path data of OFD (AbbreviatedData, GB/T 33190-2016, 9.1) and of CT_Path's parts into plain curves."""

from __future__ import annotations

import math
import re

OPERATION_LIMIT = 400_000
"""Operators of one path."""
_WORDS = re.compile(r"[A-Za-z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_COUNTS = {"S": 2, "M": 2, "L": 2, "Q": 4, "B": 6, "A": 7, "C": 0}


def parse(data: str) -> tuple[str, tuple[float, ...], bool]:
    """Operators M, L, Q, B, C and their numbers, and whether all of ``data`` was understood.

    Arcs become cubic curves. What follows a mistake is left out.
    """
    words = data.split()
    ops, points, whole = _read(words)
    if not whole:
        apart = _WORDS.findall(data)  # commas, or no space between operator and number
        if apart != words:
            ops, points, whole = _read(apart)
    if not all(-1e8 < number < 1e8 for number in points):
        return "", (), False
    return "".join(ops), tuple(points), whole


def _read(words: list[str]) -> tuple[list[str], list[float], bool]:
    ops: list[str] = []
    points: list[float] = []
    at, size = 0, len(words)
    try:
        while at < size:
            op = words[at]
            after = at + 1 + _COUNTS[op]
            numbers = list(map(float, words[at + 1 : after]))
            if after > size or not (ops or op in "MSC") or len(ops) > OPERATION_LIMIT:
                return ops, points, False
            at = after
            if op == "A":
                _arc(ops, points, numbers)
            elif op == "C":
                if ops:
                    ops.append("C")
            else:
                ops.append("M" if op == "S" else op)
                points.extend(numbers)
    except (KeyError, ValueError, OverflowError):
        return ops, points, False
    return ops, points, True


def _arc(ops: list[str], points: list[float], numbers: list[float]) -> None:
    """Append an elliptical arc: radii, rotation in degrees, large, clockwise, end (as in SVG, F.6.5)."""
    rx, ry, turn, large, sweep, x2, y2 = numbers
    x1, y1 = points[-2:]
    rx, ry = abs(rx), abs(ry)
    if (x1, y1) == (x2, y2):
        return
    if rx < 1e-9 or ry < 1e-9:
        ops.append("L")
        points.extend((x2, y2))
        return
    phi = math.radians(turn % 360)
    cos, sin = math.cos(phi), math.sin(phi)
    dx, dy = (x1 - x2) / 2, (y1 - y2) / 2
    xp, yp = cos * dx + sin * dy, cos * dy - sin * dx
    grow = (xp / rx) ** 2 + (yp / ry) ** 2
    if grow > 1:  # too small to reach: as small as will do
        rx, ry = rx * math.sqrt(grow), ry * math.sqrt(grow)
    under = (rx * ry) ** 2 - (rx * yp) ** 2 - (ry * xp) ** 2
    over = (rx * yp) ** 2 + (ry * xp) ** 2
    factor = math.sqrt(max(0.0, under / over)) if over else 0.0
    if bool(large) == bool(sweep):
        factor = -factor
    cxp, cyp = factor * rx * yp / ry, -factor * ry * xp / rx
    cx, cy = cos * cxp - sin * cyp + (x1 + x2) / 2, sin * cxp + cos * cyp + (y1 + y2) / 2
    begin = math.atan2((yp - cyp) / ry, (xp - cxp) / rx)
    span = math.atan2((-yp - cyp) / ry, (-xp - cxp) / rx) - begin
    if sweep and span < 0:
        span += 2 * math.pi
    elif not sweep and span > 0:
        span -= 2 * math.pi
    count = max(1, math.ceil(abs(span) / (math.pi / 2) - 1e-9))
    step = span / count
    pull = 4 / 3 * math.tan(step / 4)
    for index in range(count):
        a1 = begin + index * step
        a2 = a1 + step
        unit = (
            (math.cos(a1) - pull * math.sin(a1), math.sin(a1) + pull * math.cos(a1)),
            (math.cos(a2) + pull * math.sin(a2), math.sin(a2) - pull * math.cos(a2)),
            (math.cos(a2), math.sin(a2)),
        )
        ops.append("B")
        for u, v in unit:
            points.append(cx + cos * rx * u - sin * ry * v)
            points.append(cy + sin * rx * u + cos * ry * v)
    points[-2:] = x2, y2


def bounds(points: tuple[float, ...]) -> tuple[float, float, float, float]:
    """The box around all points, control points among them: left, top, right, bottom."""
    xs, ys = points[::2], points[1::2]
    return min(xs), min(ys), max(xs), max(ys)


def rectangle(x: float, y: float, width: float, height: float) -> tuple[str, tuple[float, ...]]:
    """A rectangle as operators and numbers."""
    return "MLLLC", (x, y, x + width, y, x + width, y + height, x, y + height)


def is_rectangle(ops: str, points: tuple[float, ...]) -> bool:
    """Whether a path is an upright rectangle, closed or not."""
    if ops not in ("MLLLC", "MLLL", "MLLLLC", "MLLLL") or (len(points) == 10 and points[:2] != points[8:]):
        return False
    x0, y0, x1, y1, x2, y2, x3, y3 = points[:8]
    return (x0 == x1 and y1 == y2 and x2 == x3 and y3 == y0) or (y0 == y1 and x1 == x2 and y2 == y3 and x3 == x0)
