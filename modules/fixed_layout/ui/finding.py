"""Finding in a document: page by page in the background, found places told as they come."""

from __future__ import annotations

import time
from functools import partial

from PySide6.QtCore import QObject, QRectF, Signal
from PySide6.QtGui import QPainter

from client.kernel.contract import Lanes, Token
from client.widgets.page.source import Source
from client.widgets.theme import theme
from modules.common.ofd.reading import Hit

MOST = 2_000
"""Places that are listed."""
_SLICE_S = 0.05


class Finder(QObject):
    """Finds words in a whole document. ``found`` carries new places, ``moved`` how many pages were read of all."""

    found = Signal(object)
    moved = Signal(int, int)
    ended = Signal()

    def __init__(self, lanes: Lanes, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lanes = lanes
        self._token: Token | None = None
        self._words = ""
        self.hits: list[Hit] = []
        self.current = -1

    def find(self, source: Source | None, words: str) -> None:
        """Begin anew; nothing is found for no words."""
        self.stop()
        self._words = words
        self.hits = []
        self.current = -1
        if source is not None and words.strip():
            self._go_on(source, words, 0)
        else:
            self.ended.emit()

    def stop(self) -> None:
        """Find no more; what was found stays."""
        if self._token is not None:
            self._token.cancel()
            self._token = None

    @property
    def busy(self) -> bool:
        """Whether pages are still read."""
        return self._token is not None

    def step(self, by: int) -> Hit | None:
        """The next or previous place, round the end."""
        if not self.hits:
            return None
        self.current = (self.current + by) % len(self.hits) if self.current >= 0 else (0 if by > 0 else -1)
        return self.hits[self.current]

    def paint(self, painter: QPainter, page: int) -> None:
        """An overlay: shade what was found on a page, the place at hand more than the others."""
        for number, hit in enumerate(self.hits):
            if hit.page == page:
                shade = theme().color("due" if number == self.current else "yellow")
                shade.setAlphaF(0.5 if number == self.current else 0.35)
                for box in hit.boxes:
                    painter.fillRect(QRectF(*box), shade)

    def _go_on(self, source: Source, words: str, page: int) -> None:
        self._token = self._lanes.run(
            "page",
            partial(_look, source, words, page),
            done=partial(self._looked, source, words),
            failed=lambda error: self._ended(),
            name="find",
        )

    def _looked(self, source: Source, words: str, result: tuple[list[Hit], int]) -> None:
        if words != self._words:
            return
        hits, page = result
        room = MOST - len(self.hits)
        self.hits += hits[:room]
        if hits:
            self.found.emit(hits[:room])
        self.moved.emit(page, source.pages)
        if page < source.pages and len(self.hits) < MOST:
            self._go_on(source, words, page)
        else:
            self._ended()

    def _ended(self) -> None:
        self._token = None
        self.ended.emit()


def _look(source: Source, words: str, page: int, token: Token) -> tuple[list[Hit], int]:
    """What is found from ``page`` on within a slice of time, and the next page; others get their turn in between."""
    hits: list[Hit] = []
    until = time.monotonic() + _SLICE_S
    while page < source.pages:
        token.check()
        hits += source.text(page).find(words, page)
        page += 1
        if time.monotonic() > until:
            break
    return hits, page
