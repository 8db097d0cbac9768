"""What the reader asks of an open document, whatever its format.

Lengths are millimetres of the page as its maker laid it out, upright; the origin is the top left corner, y grows
downwards. Except for ``pages``, ``format`` and ``size`` everything may take its time and belongs on a lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from PySide6.QtCore import QRect
from PySide6.QtGui import QImage

from modules.common.ofd.box import Box
from modules.common.ofd.reading import PageText
from modules.common.seals.report import SignatureReport

__all__ = ["Attached", "Box", "Entry", "Link", "Note", "PageText", "SealSpot", "Seals", "Size", "Source"]
TURNS = (0, 90, 180, 270)


class Size(NamedTuple):
    """How large a page is, in millimetres."""

    width: float
    height: float

    def turned(self, rotation: int) -> Size:
        """As it stands when it is turned clockwise by ``rotation`` degrees."""
        return self if rotation % 180 == 0 else Size(self.height, self.width)


class Seals(StrEnum):
    """How seals are drawn: not at all, or true (on paper, for those who may); never true when invalid."""

    NONE = "none"
    TRUE = "true"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the outline or a bookmark of the document. ``page`` is an index, -1 when it leads nowhere."""

    title: str
    page: int
    top: float = 0.0
    children: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Attached:
    """A file in the file. ``size`` is in bytes, -1 when it is not known."""

    name: str
    size: int = -1


@dataclass(frozen=True, slots=True)
class Note:
    """An annotation: what kind it is (in words for people), who made it, what it says."""

    page: int
    kind: str
    author: str
    text: str
    box: Box | None


@dataclass(frozen=True, slots=True)
class Link:
    """A place that leads to a page (an index) or to an address."""

    box: Box
    page: int = -1
    top: float = 0.0
    address: str = ""


@dataclass(frozen=True, slots=True)
class SealSpot:
    """Where a seal shows. ``id`` is the same on every page that one seal spans; ``genuine`` unless it is invalid."""

    page: int
    box: Box
    id: str
    genuine: bool = True


class Source(Protocol):
    """An open document. Safe to use from several threads; ``close`` when nobody does any more."""

    format: str
    """``PDF`` or ``OFD``."""
    data: bytes
    """The file, byte for byte."""

    @property
    def pages(self) -> int:
        """How many pages there are."""
        ...

    def size(self, page: int) -> Size:
        """How large a page is; at once."""
        ...

    def render(self, page: int, scale: float, area: QRect, rotation: int = 0, seals: Seals = Seals.NONE) -> QImage:
        """A part of a page on white, ``scale`` in pixels per millimetre.

        ``area`` is in pixels of the whole page at that scale, turned clockwise by ``rotation``.
        """
        ...

    def text(self, page: int) -> PageText:
        """The text of a page in reading order, with places."""
        ...

    def outline(self) -> tuple[Entry, ...]: ...

    def bookmarks(self) -> tuple[Entry, ...]: ...

    def attachments(self) -> tuple[Attached, ...]: ...

    def attachment(self, number: int) -> bytes:
        """The content of an attachment. Raises ``GovDeskError`` when it cannot be read."""
        ...

    def annotations(self, page: int) -> tuple[Note, ...]: ...

    def links(self, page: int) -> tuple[Link, ...]: ...

    def seals(self, page: int) -> tuple[SealSpot, ...]:
        """Where seals show on a page."""
        ...

    def seal_picture(self, spot: SealSpot, scale: float) -> QImage:
        """What shows of a seal there, on nothing, ``scale`` in pixels per millimetre; null when there is no picture."""
        ...

    def signatures(self) -> Sequence[SignatureReport]:
        """Every signature with its verdict, step by step."""
        ...

    def facts(self) -> Sequence[tuple[str, str]]:
        """The document's properties in words: name, value."""
        ...

    def report(self) -> Sequence[str]:
        """What of the file was not understood and left out, in words; whole once all pages were drawn."""
        ...

    def may(self, what: str) -> bool:
        """Whether the maker allows to ``print``, ``copy`` or ``annotate``."""
        ...

    def close(self) -> None:
        """Let everything go; on any thread, once."""
        ...
