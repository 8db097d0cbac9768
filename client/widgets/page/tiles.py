"""Pictures of pages, in pieces: drawn in the background, kept within a budget of memory, never waited for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import NamedTuple

from PySide6.QtCore import QObject, QRect, QRectF, Signal
from PySide6.QtGui import QImage, QPainter

from client.kernel.contract import Cancelled, Lanes, Token
from client.widgets.page.source import Size, Source

BUDGET_MB = 192
"""Memory for pictures of all open documents' pages, each view for itself."""
SIDE = 1024
"""Pixels of a piece's side."""
WHOLE = 2_400_000
"""A page of at most so many pixels is one piece: A4 at 150 dots per inch."""
_AT_ONCE = 2


class Level(NamedTuple):
    """A way of drawing pages: pixels per millimetre, rotation, and whether for the night."""

    scale: float
    rotation: int
    night: bool


class Key(NamedTuple):
    """One piece of one page; ``across`` and ``down`` number it."""

    page: int
    level: Level
    across: int
    down: int


def grid(size: Size, level: Level) -> tuple[int, int, int]:
    """Width and height of a page in pixels, and the side of its pieces."""
    turned = size.turned(level.rotation)
    wide, high = max(round(turned.width * level.scale), 1), max(round(turned.height * level.scale), 1)
    return wide, high, (max(wide, high) if wide * high <= WHOLE else SIDE)


def pieces(page: int, size: Size, level: Level, part: QRect) -> list[Key]:
    """The pieces of a page that are needed for ``part`` of it, in its pixels."""
    wide, high, side = grid(size, level)
    part = part.intersected(QRect(0, 0, wide, high))
    if part.isEmpty():
        return []
    columns = range(part.left() // side, part.right() // side + 1)
    return [
        Key(page, level, column, row)
        for row in range(part.top() // side, part.bottom() // side + 1)
        for column in columns
    ]


def area(size: Size, key: Key) -> QRect:
    """Where a piece lies, in pixels of its page."""
    wide, high, side = grid(size, key.level)
    return QRect(key.across * side, key.down * side, side, side).intersected(QRect(0, 0, wide, high))


class TileCache:
    """Pieces by page, the least recently shown dropped first; for the GUI thread alone."""

    def __init__(self, budget: int = BUDGET_MB << 20) -> None:
        self.budget = budget
        self.held = 0
        self._pieces: OrderedDict[Key, QImage] = OrderedDict()
        self._by_page: dict[int, dict[Level, set[Key]]] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._pieces

    def __len__(self) -> int:
        return len(self._pieces)

    def put(self, key: Key, image: QImage) -> None:
        """Keep a piece; what was shown longest ago goes."""
        self._drop(key)
        self._pieces[key] = image
        self._by_page.setdefault(key.page, {}).setdefault(key.level, set()).add(key)
        self.held += image.sizeInBytes()
        while self.held > self.budget and len(self._pieces) > 1:
            self._drop(next(iter(self._pieces)))

    def get(self, key: Key) -> QImage | None:
        """A piece, which counts as shown."""
        found = self._pieces.get(key)
        if found is not None:
            self._pieces.move_to_end(key)
        return found

    def others(self, page: int, level: Level) -> list[Key]:
        """What there is of a page at another scale, turned alike; of the level that is nearest."""
        levels = [each for each in self._by_page.get(page, {}) if each[1:] == level[1:] and each.scale != level.scale]
        if not levels:
            return []
        nearest = min(levels, key=lambda each: max(each.scale / level.scale, level.scale / each.scale))
        return list(self._by_page[page][nearest])

    def clear(self) -> None:
        """Forget everything."""
        self._pieces.clear()
        self._by_page.clear()
        self.held = 0

    def _drop(self, key: Key) -> None:
        image = self._pieces.pop(key, None)
        if image is None:
            return
        self.held -= image.sizeInBytes()
        levels = self._by_page[key.page]
        levels[key.level].discard(key)
        if not levels[key.level]:
            del levels[key.level]
        if not levels:
            del self._by_page[key.page]


class Tiles(QObject):
    """Has the pieces drawn that a view wants, and draws with what there is. ``arrived`` carries a page's index."""

    arrived = Signal(int)

    def __init__(self, lanes: Lanes, budget: int = BUDGET_MB << 20, parent: QObject | None = None) -> None:
        super().__init__(parent)
        prepare_threads()
        self._lanes = lanes
        self.cache = TileCache(budget)
        self.failed: set[int] = set()
        """Pages that could not be drawn."""
        self._source: Source | None = None
        self._wanted: list[Key] = []
        self._running: dict[Key, Token] = {}

    def open(self, source: Source | None) -> None:
        """Draw from another document, or from none."""
        self.cancel()
        self.cache.clear()
        self.failed.clear()
        self._source = source

    def cancel(self) -> None:
        """Want nothing any more."""
        self.want(())

    def want(self, keys: Iterable[Key]) -> None:
        """Have these drawn, the first first; what else was wanted is not drawn any more."""
        self._wanted = [key for key in keys if key not in self.cache and key.page not in self.failed]
        still = set(self._wanted)
        for key in [key for key in self._running if key not in still]:
            self._running.pop(key).cancel()
        self._next()

    @property
    def busy(self) -> bool:
        """Whether something that is wanted is not there yet."""
        return bool(self._running or self._wanted)

    def _next(self) -> None:
        source = self._source
        while source is not None and self._wanted and len(self._running) < _AT_ONCE:
            key = self._wanted.pop(0)
            if key in self._running or key in self.cache:
                continue
            self._running[key] = NOT_YET
            token = self._lanes.run(
                "page",
                partial(_draw, source, key),
                done=partial(self._done, source, key),
                failed=partial(self._failed, key),
                name="page",
            )
            if key in self._running:
                self._running[key] = token

    def _done(self, source: Source, key: Key, image: QImage) -> None:
        self._running.pop(key, None)
        if source is self._source:
            self.cache.put(key, image)
            self.arrived.emit(key.page)
        self._next()

    def _failed(self, key: Key, error: BaseException) -> None:
        self._running.pop(key, None)
        self.failed.add(key.page)
        self.arrived.emit(key.page)
        self._next()

    def draw(self, painter: QPainter, page: int, level: Level, place: QRect, part: QRect) -> bool:
        """Draw ``part`` (in the page's pixels) of a page that lies at ``place``; whether all of it was there.

        Where a piece is missing, what there is of the page at another scale stands in for it.
        """
        source = self._source
        if source is None:
            return False
        size = source.size(page)
        found = [(key, self.cache.get(key)) for key in pieces(page, size, level, part)]
        whole = all(image is not None for _, image in found)
        if not whole:
            self._stand_in(painter, page, level, place, size)
        for key, image in found:
            if image is not None:
                painter.drawImage(place.topLeft() + area(size, key).topLeft(), image)
        return whole

    def _stand_in(self, painter: QPainter, page: int, level: Level, place: QRect, size: Size) -> None:
        for key in self.cache.others(page, level):
            image = self.cache.get(key)
            wide, high, _ = grid(size, key.level)
            across, down = place.width() / wide, place.height() / high
            there = area(size, key)
            target = QRectF(
                place.x() + there.x() * across,
                place.y() + there.y() * down,
                there.width() * across,
                there.height() * down,
            )
            if image is not None:
                painter.drawImage(target, image)


class _Pending:
    """The token of work that has not been given one yet."""

    def check(self) -> None: ...

    def progress(self, share: float, text: str = "") -> None: ...

    def watch(self, call: Callable[[float, str], None]) -> None: ...

    def cancel(self) -> None: ...

    finished = False


NOT_YET = _Pending()
"""Stands for work that was given away this moment: inline lanes are done with it before they return a token."""


@cache
def prepare_threads() -> None:
    """Have PySide make its table of signatures now, on the GUI thread.

    It does so at the first call of an overloaded method, by Python code of its own; two workers that come to it at
    once wait for each other for ever (seen with PySide 6.9).
    """
    QImage(1, 1, QImage.Format.Format_RGB32).fill(0xFFFFFFFF)


def _draw(source: Source, key: Key, token: Token) -> QImage:
    token.check()
    image = source.render(key.page, key.level.scale, area(source.size(key.page), key), key.level.rotation)
    if image.isNull():
        raise Cancelled
    return night(image) if key.level.night else image


def night(image: QImage) -> QImage:
    """Light for dark with the hues as they are: red stays red. On any thread."""
    import numpy

    image = image.convertToFormat(QImage.Format.Format_RGB32)
    rows = numpy.frombuffer(image.bits(), numpy.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
    colours = rows[:, :, :3]
    # lightness is (most + least) / 2: adding 255 - most - least to each of three mirrors it
    shift = 255 - colours.max(axis=2).astype(numpy.int16) - colours.min(axis=2)
    rows[:, :, :3] = colours + shift[:, :, None]
    return image
