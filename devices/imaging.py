"""From a photograph to a page: outline, perspective, skew, white ground, file size.

Numbers and pictures only: numpy arrays in OpenCV's order (rows, columns, BGR). Belongs in the camera's host
process; the window's process imports neither this nor its libraries.

An outline is sought in three ways (the contours of light and colour thresholds, the contours of edges, and pairs
of straight segments, which also finds white paper on a white desk); every proposal is judged alike, by how much of
each side is a real border with plain paper within, and the best is drawn sharp on the full picture.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2  # noqa: TID253 - see above: only the camera's own process comes here
import numpy as np  # noqa: TID253

SURE = 0.65
"""From this confidence on a page is cut out without asking."""
_LOOK = 640
"""The longer side of the picture on which outlines are sought, pixels."""
_LEAST_PART = 0.06
"""The least part of the picture that a page may cover."""
_A_SERIES = math.sqrt(2)
_LONGEST_PAGE = 3508
"""A4 at 300 dpi, A3 at 212: no page is made longer."""
_LONGEST_SHOT = 2339
"""A4 at 200 dpi: what a page of a photograph is made, at the most."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A page's corners (4 × 2 pixels, clockwise from the upper left) and how sure that is, from 0 to 1."""

    corners: Any
    confidence: float


def read(jpeg: bytes) -> Any:
    """The picture in ``jpeg``. Raises ``ValueError`` for what is none."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("no picture")
    return picture


def write(picture: Any, budget: int = 0, quality: int = 80) -> bytes:
    """``picture`` as JPEG; with a ``budget`` in bytes, coarser until it fits (not below quality 35)."""
    while True:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not budget or len(data) <= budget or quality <= 35:
            return bytes(data)
        # the size of a JPEG falls about with the square of its quality
        quality = max(35, min(quality - 5, int(quality * math.sqrt(budget / len(data)))))


def smaller(picture: Any, longest: int) -> tuple[Any, float]:
    """``picture`` with its longer side at most ``longest``, and the factor by which it shrank."""
    height, width = picture.shape[:2]
    factor = min(1.0, longest / max(height, width))
    if factor == 1.0:
        return picture, 1.0
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if factor < 0.5:
        # halving is cheap and keeps the averaging of the last step small
        whole = max(1, int(0.5 / factor))
        picture = picture[: height // whole * whole, : width // whole * whole] if whole > 1 else picture
        picture = cv2.resize(picture, (width // whole, height // whole), interpolation=cv2.INTER_AREA)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), factor


# -- outline ----------------------------------------------------------------------------------------------------


def outline(picture: Any) -> Outline | None:
    """The page in ``picture``, or None where nothing looks like one."""
    small, factor = smaller(picture, _LOOK)
    # print is painted over with paper, so that only larger shapes remain
    plain = cv2.medianBlur(cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8)), 3)
    judge = _Judge(small, plain)
    best = judge.best(_by_contours(plain))
    if best is None or best.confidence < 0.93:
        rival = judge.best(_by_segments(plain))
        best = max((found for found in (best, rival) if found), key=lambda found: found.confidence, default=None)
    if best is None:
        return None
    scale = np.array([picture.shape[1] / small.shape[1], picture.shape[0] / small.shape[0]])
    return Outline(_sharpen(picture, (best.corners + 0.5) * scale - 0.5, 1 / factor), best.confidence)


def _planes(plain: Any) -> list[Any]:
    blue, _, red = cv2.split(plain)
    grey = cv2.cvtColor(plain, cv2.COLOR_BGR2GRAY)
    colourless = 255 - (plain.max(axis=2) - plain.min(axis=2))
    return [grey, blue, red, colourless]


def _by_contours(plain: Any) -> Iterator[Any]:
    for plane in _planes(plain):
        soft = cv2.GaussianBlur(plane, (5, 5), 0)
        level, mask = cv2.threshold(soft, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        edges = cv2.dilate(cv2.Canny(soft, max(8, level * 0.15), max(24, level * 0.45)), np.ones((3, 3), np.uint8))
        for found in (mask, edges):
            for contour in cv2.findContours(found, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]:
                hull = cv2.convexHull(contour)
                if cv2.contourArea(hull) < _LEAST_PART * plane.size:
                    continue
                around = cv2.arcLength(hull, True)
                for part in (0.015, 0.03, 0.05, 0.08):
                    corners = cv2.approxPolyDP(hull, part * around, True)
                    if len(corners) == 4:
                        yield corners[:, 0].astype(np.float64)
                        break


def _by_segments(plain: Any) -> Iterator[Any]:
    grey = cv2.cvtColor(plain, cv2.COLOR_BGR2GRAY)
    even = cv2.createCLAHE(4.0, (4, 4)).apply(grey)
    lines = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(even)[0]
    if lines is None:
        return
    segments = lines.reshape(-1, 4).astype(np.float64)
    long = np.hypot(segments[:, 2] - segments[:, 0], segments[:, 3] - segments[:, 1])
    strongest = np.argsort(-long)[:80]
    segments, long = segments[strongest], long[strongest]
    sides = [line for line in _merged(segments, long) if line[3] > 0.05 * max(grey.shape)]
    flat = [line for line in sides if abs(line[0]) < abs(line[1])][:14]
    steep = [line for line in sides if abs(line[0]) >= abs(line[1])][:14]
    for (top, bottom), (left, right) in itertools.product(
        itertools.combinations(flat, 2), itertools.combinations(steep, 2)
    ):
        if _far(top, bottom, grey.shape[1] / 2, along=0) and _far(left, right, grey.shape[0] / 2, along=1):
            corners = [_crossing(top, left), _crossing(top, right), _crossing(bottom, right), _crossing(bottom, left)]
            if all(corner is not None for corner in corners):
                yield np.array(corners)


def _far(one: tuple[float, ...], other: tuple[float, ...], middle: float, along: int) -> bool:
    """Whether two lines are a page's breadth apart in the middle of the picture, and about parallel."""
    away = 1 - along
    places = [(line[2] - line[along] * middle) / line[away] for line in (one, other)]
    return abs(places[0] - places[1]) > 80 and abs(one[0] * other[1] - one[1] * other[0]) < 0.35


def _merged(segments: Any, long: Any) -> list[tuple[float, float, float, float]]:
    """Lines ``a x + b y = c`` with the length of what lies on them, longest first."""
    lines: list[tuple[float, float, float, float]] = []
    used = np.zeros(len(segments), bool)
    for number in range(len(segments)):
        if used[number]:
            continue
        x0, y0, x1, y1 = segments[number]
        a, b = (y1 - y0) / long[number], (x0 - x1) / long[number]
        c = a * x0 + b * y0
        away0 = np.abs(segments[:, 0] * a + segments[:, 1] * b - c)
        away1 = np.abs(segments[:, 2] * a + segments[:, 3] * b - c)
        alike = ~used & (away0 < 3) & (away1 < 3)
        used |= alike
        points = np.concatenate([segments[alike, :2], segments[alike, 2:]])
        weights = np.concatenate([long[alike], long[alike]])
        lines.append((*_line(points, weights), float(long[alike].sum())))
    return sorted(lines, key=lambda line: -line[3])


def _line(points: Any, weights: Any) -> tuple[float, float, float]:
    """The line ``a x + b y = c`` (a² + b² = 1) through weighted points."""
    centre = np.average(points, axis=0, weights=weights)
    apart = (points - centre) * np.sqrt(weights)[:, None]
    _, vectors = np.linalg.eigh(apart.T @ apart)
    a, b = vectors[:, 0]
    return float(a), float(b), float(a * centre[0] + b * centre[1])


def _crossing(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, float] | None:
    across = one[0] * other[1] - one[1] * other[0]
    if abs(across) < 0.3:
        return None
    return (
        (one[2] * other[1] - one[1] * other[2]) / across,
        (one[0] * other[2] - one[2] * other[0]) / across,
    )


def ordered(corners: Any) -> Any:
    """Four corners clockwise, beginning with the upper left."""
    corners = np.asarray(corners, np.float64)
    middle = corners.mean(axis=0)
    turn = np.argsort(np.arctan2(corners[:, 1] - middle[1], corners[:, 0] - middle[0]))
    corners = corners[turn]
    return np.roll(corners, -int(np.argmin(corners.sum(axis=1))), axis=0)


class _Judge:
    """Says of a proposed outline how likely it is a page's."""

    _SAMPLES = 40

    def __init__(self, small: Any, plain: Any) -> None:
        self._height, self._width = plain.shape[:2]
        self._plain = cv2.GaussianBlur(plain, (3, 3), 0).astype(np.float32)
        self._along = np.linspace(0.05, 0.95, self._SAMPLES)
        self._across = np.arange(-7, 8)

    def best(self, proposals: Iterator[Any]) -> Outline | None:
        """The likeliest of ``proposals``."""
        good = [corners for corners in map(ordered, proposals) if self._possible(corners)]
        if not good:
            return None
        # the same outline is found again and again: one of each suffices
        unlike = {tuple(np.round(corners.ravel() / 3).astype(int)): corners for corners in good}
        judged = [(self._confidence(corners), corners) for corners in unlike.values()]
        confidence, corners = max(judged, key=lambda pair: pair[0])
        return Outline(corners, confidence)

    def _possible(self, corners: Any) -> bool:
        room = np.array([self._width, self._height])
        if (corners < -0.02 * room).any() or (corners > 1.02 * room).any():
            return False
        area = cv2.contourArea(corners.astype(np.float32))
        if area < _LEAST_PART * self._width * self._height or not cv2.isContourConvex(corners.astype(np.float32)):
            return False
        sides = np.roll(corners, -1, axis=0) - corners
        long = np.hypot(sides[:, 0], sides[:, 1])
        turns = np.einsum("ij,ij->i", sides, np.roll(sides, -1, axis=0)) / (long * np.roll(long, -1))
        # seen from above, no corner is far from square and opposite sides are nearly as long
        return bool(
            (np.abs(turns) < 0.5).all()
            and long.min() > 40
            and 0.6 < long[0] / long[2] < 1.67
            and 0.6 < long[1] / long[3] < 1.67
        )

    def _confidence(self, corners: Any) -> float:
        middle = corners.mean(axis=0)
        supports, plains = [], []
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            along = end - start
            outward = np.array([along[1], -along[0]]) / np.hypot(*along)
            if np.dot(outward, middle - start) > 0:
                outward = -outward
            points = start + self._along[:, None] * along
            grid = points[:, None, :] + self._across[None, :, None] * outward
            values = cv2.remap(
                self._plain,
                grid[..., 0].astype(np.float32),
                grid[..., 1].astype(np.float32),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            # the step from paper (first columns) to desk (last): on the whole side, and at each place of it
            inner, outer = values[:, 1:5].mean(axis=1), values[:, 10:14].mean(axis=1)
            rises = values[:, 2:] - values[:, :-2]
            seam = rises[:, 3:10]
            away = np.linalg.norm(seam, axis=2)
            strongest = away.max(axis=1)
            elsewhere = np.abs(np.diff(values[:, :5], axis=1)).max(axis=(1, 2))
            needed = np.maximum(3.0, 1.5 * elsewhere)
            darker = (inner - outer).mean(axis=1)
            # a white desk is as light as the page; then its edge is a thin line, not a step
            supported = (strongest > needed) & (darker > -14)
            supports.append(float(supported.mean()))
            smooth = np.abs(inner - cv2.blur(inner, (1, 9))).max(axis=1)
            plains.append(float((smooth < 10).mean()))
        area = cv2.contourArea(corners.astype(np.float32)) / (self._width * self._height)
        support = 0.5 * min(supports) + 0.5 * float(np.mean(supports))
        paper = 0.5 * min(plains) + 0.5 * float(np.mean(plains))
        return float(support * (0.55 + 0.45 * paper) * (0.94 + 0.06 * min(1.0, area / 0.5)))


def _sharpen(picture: Any, corners: Any, reach: float) -> Any:
    """``corners`` moved onto the page's very edge: each side fitted to where the full picture changes most."""
    reach = max(3.0, reach * 2.5)
    steps = np.arange(-reach, reach + 0.25, 0.5)
    middle = corners.mean(axis=0)
    lines = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = end - start
        outward = np.array([along[1], -along[0]]) / np.hypot(*along)
        if np.dot(outward, middle - start) > 0:
            outward = -outward
        count = int(min(160, max(24, np.hypot(*along) / 8)))
        points = start + np.linspace(0.03, 0.97, count)[:, None] * along
        grid = points[:, None, :] + steps[None, :, None] * outward
        values = cv2.remap(
            picture,
            grid[..., 0].astype(np.float32),
            grid[..., 1].astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        ).astype(np.float32)
        slope = cv2.GaussianBlur(values, (7, 3), 0)
        slope = slope[:, 2:] - slope[:, :-2]
        # what the whole side has in common tells the direction of the step
        common = np.median(slope, axis=0)
        peak = common[np.linalg.norm(common, axis=1).argmax()]
        strength = np.maximum(0, slope @ (peak / max(1e-6, float(np.linalg.norm(peak)))))
        at = strength.argmax(axis=1)
        height = strength[np.arange(count), at]
        # half a step is finer than a pixel; a parabola through the peak is finer still
        inside = np.clip(at, 1, strength.shape[1] - 2)
        left, mid, right = (strength[np.arange(count), inside + k] for k in (-1, 0, 1))
        bend = left - 2 * mid + right
        shift = np.where(np.abs(bend) > 1e-6, np.clip(0.5 * (left - right) / np.where(bend == 0, 1, bend), -1, 1), 0)
        found = points + (steps[inside + 1] + 0.5 * shift)[:, None] * outward
        lines.append(_robust_line(found, height))
    sharp = [_crossing(lines[k - 1], lines[k]) for k in range(4)]
    if any(corner is None for corner in sharp):
        return corners
    moved = np.array(sharp)
    return moved if np.abs(moved - corners).max() < 4 * reach else corners


def _robust_line(points: Any, weights: Any) -> tuple[float, float, float]:
    """A line through most of the points: those far from it lose their weight, round by round."""
    keep = np.minimum(weights, np.percentile(weights, 75)) + 1e-6
    line = _line(points, keep)
    for bound in (6.0, 3.0, 1.5, 1.0, 1.0):
        away = np.abs(points @ np.array(line[:2]) - line[2])
        line = _line(points, keep / (1 + (away / bound) ** 4))
    return line


# -- page -------------------------------------------------------------------------------------------------------


def page_size(corners: Any, longest: int = _LONGEST_SHOT) -> tuple[int, int]:
    """Width and height in pixels for a page of these corners: an A format where it nearly is one, else its own."""
    sides = np.roll(corners, -1, axis=0) - corners
    long = np.hypot(sides[:, 0], sides[:, 1])
    width, height = (long[0] + long[2]) / 2, (long[1] + long[3]) / 2
    ratio = max(width, height) / min(width, height)
    if abs(ratio / _A_SERIES - 1) < 0.08:
        ratio = _A_SERIES
    most = min(longest, _LONGEST_PAGE, round(max(width, height)))
    least = round(most / ratio)
    return (most, least) if width > height else (least, most)


def straighten(picture: Any, corners: Any, longest: int = _LONGEST_SHOT) -> tuple[Any, Any]:
    """The page in ``corners`` seen from straight above and its text level, with the transform from ``picture``."""
    width, height = page_size(corners, longest)
    # the outermost two pixels are half desk
    rim = 2.0
    onto = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    onto += np.array([[-rim, -rim], [rim, -rim], [rim, rim], [-rim, rim]], np.float32)
    transform = cv2.getPerspectiveTransform(np.asarray(corners, np.float32), onto)
    # the angle is read off a cheap small page, and both turns are then made in one
    glance_size = 1000 / max(width, height)
    glance = cv2.warpPerspective(
        picture,
        np.diag([glance_size, glance_size, 1.0]) @ transform,
        (round(width * glance_size), round(height * glance_size)),
        flags=cv2.INTER_LINEAR,
    )
    angle = skew(cv2.cvtColor(glance, cv2.COLOR_BGR2GRAY))
    if abs(angle) > 0.02:
        level = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0), [0, 0, 1]])
        transform = level @ transform
    page = cv2.warpPerspective(
        picture, transform, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return page, transform


def skew(grey: Any, most: float = 4.0) -> float:
    """By how many degrees text falls to the right (turn back by it); 0 where there is too little to tell.

    Rows of text make the profile of a page's lower letter edges uneven, the most when it is level.
    """
    soft = cv2.GaussianBlur(grey, (3, 3), 0).astype(np.int16)
    margin_y, margin_x = grey.shape[0] // 40, grey.shape[1] // 40
    edge = np.zeros(grey.shape, bool)
    edge[margin_y : -margin_y - 2, margin_x:-margin_x] = (soft[2:] - soft[:-2] > 40)[
        margin_y:-margin_y, margin_x:-margin_x
    ]
    rows, columns = np.nonzero(edge)
    if len(rows) < 400:
        return 0.0
    if len(rows) > 24_000:
        chosen = np.random.default_rng(0).choice(len(rows), 24_000, replace=False)
        rows, columns = rows[chosen], columns[chosen]
    y, x = rows.astype(np.float32), columns.astype(np.float32) - grey.shape[1] / 2

    def unevenness(angle: float, fine: float) -> float:
        tangent = math.tan(math.radians(angle))
        places = ((y - x * tangent + grey.shape[1]) * fine).astype(np.int32)
        profile = np.bincount(places).astype(np.float64)
        return float((profile * profile).sum())

    rough = max(np.arange(-most, most + 0.1, 0.25), key=lambda angle: unevenness(angle, 0.5))
    fine = max(np.arange(rough - 0.25, rough + 0.26, 0.05), key=lambda angle: unevenness(angle, 1.0))
    steps = np.arange(fine - 0.15, fine + 0.151, 0.03)
    heights = np.array([unevenness(angle, 1.0) for angle in steps])
    bend, slope, _ = np.polyfit(steps - fine, heights, 2)
    if bend >= 0 or abs(rough) > most - 0.2:
        return 0.0
    return float(fine + np.clip(-slope / (2 * bend), -0.15, 0.15))


def whiten(page: Any) -> Any:
    """``page`` on an even white ground: shadows and the lamp's falling off are divided away; ink keeps its colour."""
    height, width = page.shape[:2]
    rough = cv2.resize(page, (max(1, width // 8), max(1, height // 8)), interpolation=cv2.INTER_AREA)
    ground = cv2.medianBlur(cv2.dilate(rough, np.ones((5, 5), np.uint8)), 15)
    ground = cv2.resize(cv2.GaussianBlur(ground, (5, 5), 0), (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.divide(page, ground, scale=250)


def usable(corners: Any) -> bool:
    """Whether four corners, clockwise, enclose something that can be a page."""
    places = np.asarray(corners, np.float32)
    return bool(cv2.isContourConvex(places) and cv2.contourArea(places) > 2500)
