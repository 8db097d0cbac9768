"""What of a document's text is selected: from one character to another, over any number of pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from client.widgets.page.source import Size
from modules.common.ofd.box import Box
from modules.common.ofd.reading import PageText

END = 1 << 30
"""An index behind the last character of any page."""


class Spot(NamedTuple):
    """A place on a page, in millimetres."""

    page: int
    x: float
    y: float


class Selection:
    """From ``first`` to ``last``, each a page and an index into its text; empty when both are None."""

    def __init__(self, sizes: Sequence[Size]) -> None:
        self._sizes = sizes
        self._anchor: tuple[int, int] | None = None
        self._head: tuple[int, int] | None = None

    def __bool__(self) -> bool:
        return self._anchor is not None and self._anchor != self._head

    def clear(self) -> None:
        """Select nothing."""
        self._anchor = self._head = None

    def all(self) -> None:
        """Select everything."""
        self._anchor, self._head = (0, 0), (len(self._sizes) - 1, END)

    def begin(self, spot: Spot, text: PageText | None) -> None:
        """Begin at a place; without its text nothing is selected."""
        self._anchor = self._head = (spot.page, place(text, spot)) if text else None

    def extend(self, spot: Spot, text: PageText | None) -> None:
        """Go on to a place."""
        if text is None:
            return
        self._head = (spot.page, place(text, spot))
        self._anchor = self._anchor or self._head

    def word(self, spot: Spot, text: PageText) -> None:
        """Select the word at a place, or the run of Chinese characters of one line."""
        at = nearest(text, spot)
        if at < 0:
            return
        first = last = at
        while first > 0 and _joined(text, first - 1, at):
            first -= 1
        while last + 1 < len(text.text) and _joined(text, last + 1, at):
            last += 1
        self._anchor, self._head = (spot.page, first), (spot.page, last + 1)

    def span(self, page: int, length: int) -> tuple[int, int]:
        """The part of a page's text that is selected; equal numbers for nothing."""
        if self._anchor is None or self._head is None:
            return 0, 0
        (first, start), (last, end) = sorted((self._anchor, self._head))
        if not first <= page <= last:
            return 0, 0
        return (min(start, length) if page == first else 0), (min(end, length) if page == last else length)

    @property
    def pages(self) -> range:
        """The pages of which something is selected."""
        if not self or self._anchor is None or self._head is None:
            return range(0)
        first, last = sorted((self._anchor[0], self._head[0]))
        return range(first, last + 1)

    def boxes(self, page: int, text: PageText | None) -> tuple[Box, ...]:
        """What to shade on a page, line by line."""
        if not self or text is None:
            return ()
        return text.between(*self.span(page, len(text.text)))

    @staticmethod
    def over_text(spot: Spot, text: PageText) -> bool:
        """Whether a character stands at a place."""
        return any(box is not None and box.holds(spot.x, spot.y) for box in text.boxes)


def nearest(text: PageText, spot: Spot) -> int:
    """The index of the character that is nearest to a place, lines before columns; -1 where there is none."""
    best, found = float("inf"), -1
    for index, box in enumerate(text.boxes):
        if box is None:
            continue
        apart_y = max(box.y - spot.y, spot.y - box.y - box.height, 0.0)
        apart_x = max(box.x - spot.x, spot.x - box.x - box.width, 0.0)
        apart = apart_y * 8 + apart_x
        if apart < best:
            best, found = apart, index
    return found


def place(text: PageText, spot: Spot) -> int:
    """The index before which a caret would stand at a place."""
    at = nearest(text, spot)
    if at < 0:
        return 0
    box = text.boxes[at]
    assert box is not None
    return at + 1 if spot.x > box.x + box.width / 2 else at


def _joined(text: PageText, index: int, at: int) -> bool:
    """Whether two characters of a text belong to one word: both of letters and digits, of the same kind of script."""
    one, other = text.text[index], text.text[at]
    return one.isalnum() and other.isalnum() and (one < "\u2e80") == (other < "\u2e80") and not one.isspace()
