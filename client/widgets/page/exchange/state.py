"""The graphics state of PDF (ISO 32000-2, 8.4), and what the pages of a document share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from client.widgets.page.exchange.colours import GRAY, Space
from client.widgets.page.exchange.fonts import PdfFont
from client.widgets.page.exchange.images import image_of
from modules.common.ofd.display import BLACK, Clip, Matrix, Paint
from modules.common.ofd.report import Report
from modules.common.ofd.resources import Media
from modules.common.ofd.writing import Store, media_from

OPERATIONS = 3_000_000
"""Operations of one document."""


@dataclass(frozen=True, slots=True)
class State:
    """The graphics state. Clips lie on the page."""

    ctm: Matrix
    fill_space: Space = GRAY
    line_space: Space = GRAY
    fill: Paint | None = BLACK
    line: Paint | None = BLACK
    fill_pattern: Any = None
    line_pattern: Any = None
    fill_alpha: float = 1.0
    line_alpha: float = 1.0
    width: float = 1.0
    cap: int = 0
    join: int = 0
    miter: float = 10.0
    dashes: tuple[float, ...] = ()
    dash_offset: float = 0.0
    clips: tuple[Clip, ...] = ()
    font: PdfFont | None = None
    size: float = 1.0
    char_space: float = 0.0
    word_space: float = 0.0
    stretch: float = 1.0
    leading: float = 0.0
    rise: float = 0.0
    mode: int = 0


class Shared:
    """What the pages of a document share: fonts and images met, and the operations that are left."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.store = Store()
        self.left = OPERATIONS
        self._fonts: dict[Any, PdfFont] = {}
        self._media: dict[Any, Media | None] = {}

    def font(self, thing: Any) -> PdfFont:
        """The font of a dictionary; the same object each time."""
        key = thing.objgen if thing.is_indirect else id(thing)
        if key not in self._fonts:
            self._fonts[key] = PdfFont(thing, self.store, self.report)
            if not thing.is_indirect:
                self._fonts[key, "kept"] = thing  # an address means one thing as long as that lives
        return self._fonts[key]

    def media(self, thing: Any, fill: int, place: str) -> Media | None:
        """The image of a stream; the same object each time."""
        indirect = getattr(thing, "is_indirect", False)
        key = (thing.objgen, fill) if indirect else None
        if key is None or key not in self._media:
            made: Media | None = None
            try:
                made = media_from(self.store, *image_of(thing, fill))
            except Exception as error:  # noqa: BLE001 - pikepdf and Pillow raise what they like on broken images
                self.report.add("image.damaged", place, type(error).__name__)
            if key is None:
                return made
            self._media[key] = made
        return self._media[key]
