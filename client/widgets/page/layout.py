"""Where the pages of a document lie under each other: pure, in whole pixels of the screen."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from client.widgets.page.source import Size
from modules.common.ofd.box import Box


class Mode(StrEnum):
    """How pages are laid out."""

    CONTINUOUS = "continuous"
    SINGLE = "single"
    FACING = "facing"


class Place(NamedTuple):
    """Where a page lies, in pixels; ``x`` counts from the left edge of the widest row."""

    x: int
    y: int
    width: int
    height: int


class Layout:
    """The places of all pages at one scale (pixels per millimetre). ``SINGLE`` shows ``current`` alone."""

    def __init__(
        self, sizes: Sequence[Size], mode: Mode, scale: float, rotation: int, gap: int, current: int = 0
    ) -> None:
        self.scale = scale
        self.rotation = rotation
        self.mode = mode
        self.places: dict[int, Place] = {}
        step = 2 if mode is Mode.FACING else 1
        first = current if mode is Mode.SINGLE else 0
        last = current + 1 if mode is Mode.SINGLE else len(sizes)
        rows = [
            [(page, *_pixels(sizes[page].turned(rotation), scale)) for page in range(start, min(start + step, last))]
            for start in range(first, last, step)
        ]
        widths = [sum(width for _, width, _ in row) + gap * (len(row) - 1) for row in rows]
        self.width = max(widths, default=0)
        self._tops: list[int] = []
        self._firsts: list[int] = []
        y = gap
        for row, wide in zip(rows, widths, strict=True):
            high = max(height for _, _, height in row)
            x = (self.width - wide) // 2
            for page, width, height in row:
                self.places[page] = Place(x, y + (high - height) // 2, width, height)
                x += width + gap
            self._tops.append(y)
            self._firsts.append(row[0][0])
            y += high + gap
        self.height = y
        self._step = step

    def row(self, page: int) -> range:
        """The pages that stand beside ``page``, itself among them."""
        first = page - page % self._step
        return range(first, first + self._step)

    def seen(self, top: int, bottom: int) -> list[int]:
        """The pages of which something lies between two heights."""
        found = []
        at = max(bisect_right(self._tops, top) - 1, 0)
        for first in self._firsts[at:]:
            pages = [page for page in range(first, first + self._step) if page in self.places]
            if self.places[pages[0]].y > bottom and all(self.places[page].y > bottom for page in pages):
                break
            found += [page for page in pages if self._touches(self.places[page], top, bottom)]
        return found

    @staticmethod
    def _touches(place: Place, top: int, bottom: int) -> bool:
        return place.y < bottom and place.y + place.height > top

    def nearest(self, x: float, y: float) -> int:
        """The page at a point, or the one that is nearest to it in its row."""
        at = max(bisect_right(self._tops, y) - 1, 0)
        pages = [page for page in self.row(self._firsts[at]) if page in self.places]
        if self.mode is Mode.SINGLE:
            pages = [self._firsts[0]]
        return min(pages, key=lambda page: _apart(self.places[page], x))

    def to_page(self, page: int, size: Size, x: float, y: float) -> tuple[float, float]:
        """A point of the layout as millimetres on the upright page."""
        place = self.places[page]
        return upright(size, self.rotation, (x - place.x) / self.scale, (y - place.y) / self.scale)

    def from_page(self, page: int, size: Size, x: float, y: float) -> tuple[float, float]:
        """Millimetres on the upright page as a point of the layout."""
        place = self.places[page]
        across, down = turned(size, self.rotation, x, y)
        return place.x + across * self.scale, place.y + down * self.scale


def turned(size: Size, rotation: int, x: float, y: float) -> tuple[float, float]:
    """A point of the upright page on the page that is turned clockwise."""
    return {
        0: (x, y),
        90: (size.height - y, x),
        180: (size.width - x, size.height - y),
        270: (y, size.width - x),
    }[rotation]


def upright(size: Size, rotation: int, x: float, y: float) -> tuple[float, float]:
    """The opposite of ``turned``."""
    return turned(size.turned(rotation), (360 - rotation) % 360, x, y)


def turned_box(size: Size, rotation: int, box: Box) -> Box:
    """A box of the upright page on the page that is turned clockwise."""
    xs, ys = zip(
        turned(size, rotation, box.x, box.y),
        turned(size, rotation, box.x + box.width, box.y + box.height),
        strict=True,
    )
    return Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def _pixels(size: Size, scale: float) -> tuple[int, int]:
    return max(round(size.width * scale), 1), max(round(size.height * scale), 1)


def _apart(place: Place, x: float) -> float:
    return max(place.x - x, x - place.x - place.width, 0)
