"""The pages of a document under each other: where they lie, how large, what of them is drawn.

Inside, everything is in pixels of the screen (device pixels), so that a picture of a page is shown as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QHideEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QWidget

from client.kernel.contract import Lanes, Token
from client.widgets.page.layout import Layout, Mode, Place
from client.widgets.page.selection import Selection, Spot
from client.widgets.page.source import TURNS, Link, PageText, Size, Source
from client.widgets.page.tiles import BUDGET_MB, Level, Tiles, pieces
from client.widgets.theme import theme
from modules.common.ofd.box import Box
from modules.common.text import tr

ZOOMS = (0.1, 0.25, 0.33, 0.5, 0.67, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 16.0, 32.0)
INCH = 25.4
_LIKELY_DPI = range(60, 500)
"""Dots per inch that a screen may truly have; what it says beyond is not believed."""
_LINE = 12.0
"""Millimetres of an arrow key's step."""
_TEXTS = 40
"""Pages whose text is kept."""
Overlay = Callable[[QPainter, int], None]


@dataclass(frozen=True, slots=True)
class Position:
    """Where somebody reads. ``fit`` is ``width``, ``page`` or empty; ``top`` is in millimetres of the page."""

    page: int = 0
    top: float = 0.0
    zoom: float = 1.0
    fit: str = "width"
    mode: str = Mode.CONTINUOUS
    rotation: int = 0


class PageCanvas(QAbstractScrollArea):
    """Shows a ``Source``; ``PageView`` adds keys and mouse. ``overlays`` draw over a page, in its millimetres."""

    page_changed = Signal(int)
    look_changed = Signal()
    selection_changed = Signal()
    text_came = Signal(int)

    def __init__(self, lanes: Lanes, parent: QWidget | None = None, *, budget_mb: int = BUDGET_MB) -> None:
        super().__init__(parent)
        self._lanes = lanes
        self.source: Source | None = None
        self.tiles = Tiles(lanes, budget_mb << 20, self)
        self.tiles.arrived.connect(self._arrived)
        self.overlays: list[Overlay] = []
        self._sizes: list[Size] = []
        self._layout = Layout((), Mode.CONTINUOUS, 1.0, 0, 0)
        self._mode = Mode.CONTINUOUS
        self._zoom = 1.0
        self._fit = "width"
        self._rotation = 0
        self._night = False
        self._page = 0
        self._texts: dict[int, PageText] = {}
        self._links: dict[int, tuple[Link, ...]] = {}
        self._reading: dict[int, Token] = {}
        self.selection = Selection(self._sizes)
        self._rule: tuple[Spot, Spot] | None = None
        """What is measured."""
        self._wishes = QTimer(self)
        self._wishes.setSingleShot(True)
        self._wishes.timeout.connect(self._want)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("页面"))
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.horizontalScrollBar().valueChanged.connect(self._scrolled)
        theme().changed.connect(self._restyle)

    # -- what is shown -----------------------------------------------------------------------------

    def open(self, source: Source | None, position: Position | None = None) -> None:
        """Show a document, or nothing, from ``position`` on."""
        position = position or Position()
        for token in self._reading.values():
            token.cancel()
        self._reading.clear()
        self._texts.clear()
        self._links.clear()
        self.source = source
        self._sizes = [] if source is None else [source.size(page) for page in range(source.pages)]
        self.selection = Selection(self._sizes)
        self._rule = None
        self.tiles.open(source)
        self._mode, self._fit = Mode(position.mode), position.fit
        self._rotation = position.rotation if position.rotation in TURNS else 0
        self._zoom = min(max(position.zoom, ZOOMS[0]), ZOOMS[-1])
        self._page = min(max(position.page, 0), max(len(self._sizes) - 1, 0))
        self._lay_out()
        self.go_to(self._page, position.top)
        self._tell_page()
        self.look_changed.emit()

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return len(self._sizes)

    @property
    def page(self) -> int:
        """The page that is read: the first that fills the view's upper part."""
        return self._page

    @property
    def position(self) -> Position:
        """Where somebody reads, to come back to."""
        top = 0.0
        if self._page in self._layout.places:
            place = self._layout.places[self._page]
            top = max((self.verticalScrollBar().value() - place.y) / self._layout.scale, 0.0)
        return Position(self._page, top, self._zoom, self._fit, self._mode, self._rotation)

    @property
    def zoom(self) -> float:
        """1.0 when a millimetre on the page is a millimetre on the screen."""
        return self._zoom

    @property
    def fit(self) -> str:
        """``width``, ``page`` or empty."""
        return self._fit

    @property
    def mode(self) -> Mode:
        """How pages are laid out."""
        return self._mode

    @property
    def rotation(self) -> int:
        """Degrees that the pages are turned clockwise."""
        return self._rotation

    @property
    def night(self) -> bool:
        """Whether light and dark change places."""
        return self._night

    @property
    def blend(self) -> QPainter.CompositionMode:
        """How what lies on a page like ink is drawn: it darkens paper, and at night would vanish in the dark."""
        modes = QPainter.CompositionMode
        return modes.CompositionMode_SourceOver if self._night else modes.CompositionMode_Multiply

    def set_mode(self, mode: Mode) -> None:
        """Lay the pages out otherwise, the page that is read stays."""
        if mode is not self._mode:
            self._mode = mode
            self._lay_out_anew()

    def set_night(self, night: bool) -> None:
        """Light on dark, or as on paper."""
        self._night = night
        self._changed()
        self.look_changed.emit()

    def rotate(self, by: int = 90) -> None:
        """Turn all pages clockwise."""
        self._rotation = (self._rotation + by) % 360
        self._lay_out_anew()

    def fit_to(self, fit: str) -> None:
        """Fit the page's ``width``, or the whole ``page``, into the view from now on."""
        self._fit = fit
        self._lay_out_anew()

    def zoom_to(self, zoom: float, anchor: QPointF | None = None) -> None:
        """Show at ``zoom``; what is at ``anchor`` (device pixels of the view, its middle unless given) stays there."""
        zoom = min(max(zoom, ZOOMS[0]), ZOOMS[-1])
        if not self._sizes or (zoom == self._zoom and not self._fit):
            return
        at = anchor or QPointF(self._room().width() / 2, self._room().height() / 2)
        x, y = at.x() + self._left(), at.y() + self.verticalScrollBar().value()
        page = self._layout.nearest(x, y)
        across, down = self._layout.to_page(page, self._sizes[page], x, y)
        self._fit, self._zoom = "", zoom
        self._lay_out()
        x, y = self._layout.from_page(page, self._sizes[page], across, down)
        self.horizontalScrollBar().setValue(round(x - at.x()) + self._gap())
        self.verticalScrollBar().setValue(round(y - at.y()))
        self._changed()
        self.look_changed.emit()

    def zoom_step(self, steps: int, anchor: QPointF | None = None) -> None:
        """To the next larger or smaller of the usual zooms."""
        if steps > 0:
            zoom = next((each for each in ZOOMS if each > self._zoom * 1.001), ZOOMS[-1])
        else:
            zoom = next((each for each in reversed(ZOOMS) if each < self._zoom * 0.999), ZOOMS[0])
        self.zoom_to(zoom, anchor)

    def go_to(self, page: int, top: float = 0.0) -> None:
        """Show a page, from ``top`` millimetres below its upper edge."""
        if not self._sizes:
            return
        page = min(max(page, 0), len(self._sizes) - 1)
        if self._mode is Mode.SINGLE and page not in self._layout.places:
            self._page = page
            self._lay_out()
        place = self._layout.places[page]
        gap = self._gap() if not top else 0
        self.verticalScrollBar().setValue(round(place.y + top * self._layout.scale) - gap)
        self._page = page
        self._changed()
        self._tell_page()

    def reveal(self, page: int, box: Box) -> None:
        """Scroll so that a box of a page can be seen, with some room around it."""
        if not self._sizes:
            return
        if page not in self._layout.places:
            self.go_to(page)
        rect = self._screen_box(page, box)
        room = QRectF(QPointF(), QSize(self._room()).toSizeF())
        if not room.adjusted(0, room.height() / 10, 0, -room.height() / 10).contains(rect):
            bar, side = self.verticalScrollBar(), self.horizontalScrollBar()
            bar.setValue(round(bar.value() + rect.center().y() - room.height() / 3))
            if rect.left() < 0 or rect.right() > room.width():
                side.setValue(round(side.value() + rect.center().x() - room.width() / 2))
        self._page = page
        self._changed()
        self._tell_page()

    # -- measures ----------------------------------------------------------------------------------

    def _ratio(self) -> float:
        return self.devicePixelRatioF()

    def _true_scale(self) -> float:
        """Device pixels of a true millimetre on this screen."""
        screen = self.screen()
        real, nominal = screen.physicalDotsPerInch(), screen.logicalDotsPerInch()
        return (real if round(real) in _LIKELY_DPI else nominal) * self._ratio() / INCH

    def _gap(self) -> int:
        return round(theme().space(3) * self._ratio())

    def _room(self) -> QSize:
        ratio = self._ratio()
        return QSize(round(self.viewport().width() * ratio), round(self.viewport().height() * ratio))

    def _fitting(self) -> float:
        """The zoom that the wish to fit asks for, for the page that is read."""
        size = self._sizes[self._page].turned(self._rotation)
        room, gap = self._room(), self._gap()
        columns = 2 if self._mode is Mode.FACING else 1
        across = (room.width() - gap * (columns + 1)) / (size.width * columns)
        if self._fit == "page":
            across = min(across, (room.height() - 2 * gap) / size.height)
        return min(max(across / self._true_scale(), ZOOMS[0]), ZOOMS[-1])

    def _lay_out(self) -> None:
        if self._sizes and self._fit:
            self._zoom = self._fitting()
        scale = self._zoom * self._true_scale()
        self._layout = Layout(self._sizes, self._mode, scale, self._rotation, self._gap(), self._page)
        room = self._room()
        for bar, content, seen in (
            (self.verticalScrollBar(), self._layout.height, room.height()),
            (self.horizontalScrollBar(), self._layout.width + 2 * self._gap(), room.width()),
        ):
            bar.setPageStep(seen)
            bar.setSingleStep(round(_LINE * scale))
            bar.setRange(0, max(content - seen, 0))

    def _lay_out_anew(self) -> None:
        """Lay out, and stay where somebody reads."""
        if not self._sizes:
            return
        position = self.position
        self._lay_out()
        self.go_to(position.page, position.top)
        self.look_changed.emit()

    def _left(self) -> float:
        """What of the layout lies at the view's left edge."""
        room, gap = self._room().width(), self._gap()
        if self._layout.width + 2 * gap <= room:
            return -(room - self._layout.width) / 2
        return self.horizontalScrollBar().value() - gap

    def _level(self) -> Level:
        return Level(round(self._layout.scale, 5), self._rotation, self._night)

    def _place_on_screen(self, place: Place) -> QRect:
        return QRect(
            round(place.x - self._left()), place.y - self.verticalScrollBar().value(), place.width, place.height
        )

    def _screen_box(self, page: int, box: Box) -> QRectF:
        """A box of a page in device pixels of the view."""
        size = self._sizes[page]
        first = self._layout.from_page(page, size, box.x, box.y)
        last = self._layout.from_page(page, size, box.x + box.width, box.y + box.height)
        moved = QPointF(self._left(), self.verticalScrollBar().value())
        return QRectF(QPointF(*first) - moved, QPointF(*last) - moved).normalized()

    def spot(self, at: QPointF) -> Spot | None:
        """What place of which page is at a point of the view (its logical pixels), or is nearest to it."""
        if not self._sizes:
            return None
        x = at.x() * self._ratio() + self._left()
        y = at.y() * self._ratio() + self.verticalScrollBar().value()
        page = self._layout.nearest(x, y)
        return Spot(page, *self._layout.to_page(page, self._sizes[page], x, y))

    def seen_pages(self) -> list[int]:
        """The pages of which something can be seen."""
        top = self.verticalScrollBar().value()
        return self._layout.seen(top, top + self._room().height()) if self._sizes else []

    # -- pictures in the background ----------------------------------------------------------------

    @Slot()
    def _want(self) -> None:
        """Ask for what is seen from the middle outwards, then for the pages before and after; then for texts."""
        seen = self.seen_pages()
        if not self.isVisible() or not seen:
            self.tiles.cancel()
            return
        level, room = self._level(), QRect(QPoint(), self._room())
        middle = room.center()
        now, later = list[tuple[float, Any]](), []
        for page in seen:
            place = self._place_on_screen(self._layout.places[page])
            part = room.intersected(place).translated(-place.topLeft())
            apart = abs(place.center().y() - middle.y())
            now += [(apart, key) for key in pieces(page, self._sizes[page], level, part)]
        for page in (seen[-1] + 1, seen[0] - 1):
            if page in self._layout.places:
                _, _, wide, high = self._layout.places[page]
                part = QRect(0, 0, wide, min(high, room.height()))
                if page < seen[0]:
                    part.moveBottom(high - 1)
                later += pieces(page, self._sizes[page], level, part)
        self.tiles.want([*(key for _, key in sorted(now, key=lambda each: each[0])), *later])
        self._read_next()

    def _read_next(self) -> None:
        """Read the text of what is seen, one page at a time: what was scrolled past must not hold up what is seen."""
        if not self._reading:
            wanted = (page for page in (self._page, *self.seen_pages()) if page not in self._texts)
            page = next(wanted, -1)
            if page >= 0:
                self.read(page)

    def read(self, page: int) -> PageText | None:
        """The text of a page if it is there; else it is read, and ``text_came`` tells."""
        if page in self._texts or page in self._reading or self.source is None:
            return self._texts.get(page)
        source = self.source

        def work(token: Token) -> tuple[PageText, tuple[Link, ...]]:
            token.check()
            return source.text(page), source.links(page)

        token = self._lanes.run(
            "page",
            work,
            done=partial(self._read_done, source, page),
            failed=lambda error: self._read_done(source, page, (PageText(()), ())),
            name="page text",
        )
        if page not in self._texts:
            self._reading[page] = token
        return self._texts.get(page)

    def _read_done(self, source: Source, page: int, found: tuple[PageText, tuple[Link, ...]]) -> None:
        if source is not self.source:
            return
        self._reading.pop(page, None)
        kept = {self._page, page, *self.seen_pages()}
        while len(self._texts) > _TEXTS and (old := next((each for each in self._texts if each not in kept), -1)) >= 0:
            del self._texts[old]
            self._links.pop(old, None)
        self._texts[page], self._links[page] = found
        if page == self._page:
            self._tell_page()
        self.text_came.emit(page)
        if self.isVisible():
            self._read_next()

    @Slot(int)
    def _arrived(self, page: int) -> None:
        place = self._layout.places.get(page)
        if place is not None:
            rect = self._place_on_screen(place)
            ratio = self._ratio()
            self.viewport().update(
                QRectF(rect.x() / ratio, rect.y() / ratio, rect.width() / ratio, rect.height() / ratio).toAlignedRect()
            )

    def _changed(self) -> None:
        self.viewport().update()
        self._wishes.start(0)

    @Slot()
    def _scrolled(self) -> None:
        seen = self.seen_pages()
        if self._mode is not Mode.SINGLE and seen:
            upper = self.verticalScrollBar().value() + self._room().height() // 3
            read = self._layout.nearest(self._layout.width / 2 if self._mode is not Mode.FACING else 0, upper)
            if read != self._page and self._page not in self._layout.row(read):
                self._page = read
                self._tell_page()
        self._changed()

    def _tell_page(self) -> None:
        """Say, to screen readers too, which page is read and what stands on it."""
        if self._sizes:
            self.setAccessibleName(tr("第 {n} 页，共 {all} 页", n=self._page + 1, all=len(self._sizes)))
            text = self._texts.get(self._page)
            self.setAccessibleDescription(text.text[:4000] if text else "")
        self.page_changed.emit(self._page)

    @Slot()
    def _restyle(self) -> None:
        self._lay_out_anew()
        self.viewport().update()

    # -- painting ----------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), theme().color("raised"))
        ratio = self._ratio()
        painter.scale(1 / ratio, 1 / ratio)
        room, level = QRect(QPoint(), self._room()), self._level()
        for page in self.seen_pages():
            place = self._place_on_screen(self._layout.places[page])
            painter.fillRect(place, theme().color("shade") if self._night else theme().color("paper"))
            painter.save()
            painter.setClipRect(place)
            part = room.intersected(place).translated(-place.topLeft())
            self.tiles.draw(painter, page, level, place, part)
            if page in self.tiles.failed:
                painter.setPen(theme().color("red"))
                painter.drawText(place, Qt.AlignmentFlag.AlignCenter, tr("这一页画不出来，其余各页不受影响。"))
            self.turn(painter, page, place)
            self._paint_over(painter, page)
            painter.restore()
            painter.setPen(theme().color("line"))
            painter.drawRect(place.adjusted(-1, -1, 0, 0))
        painter.end()

    def turn(self, painter: QPainter, page: int, place: QRect) -> None:
        """Have the painter draw in millimetres of the upright page that lies at ``place``."""
        painter.translate(place.topLeft())
        if self._rotation == 90:
            painter.translate(place.width(), 0)
        elif self._rotation == 180:
            painter.translate(place.width(), place.height())
        elif self._rotation == 270:
            painter.translate(0, place.height())
        painter.rotate(self._rotation)
        painter.scale(self._layout.scale, self._layout.scale)

    def _paint_over(self, painter: QPainter, page: int) -> None:
        for overlay in self.overlays:
            painter.save()
            overlay(painter, page)
            painter.restore()
        shade = theme().color("accent")
        shade.setAlphaF(0.35)
        for box in self.selection.boxes(page, self._texts.get(page)):
            painter.fillRect(QRectF(*box), shade)
        if self._rule and self._rule[0].page == page:
            self._paint_rule(painter)

    def _paint_rule(self, painter: QPainter) -> None:
        assert self._rule is not None
        first, last = (QPointF(spot.x, spot.y) for spot in self._rule)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme().color("red"), 2 * self._ratio() / self._layout.scale))
        painter.drawLine(first, last)

    # -- coming and going --------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out_anew()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._changed()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.tiles.cancel()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(theme().text_width(40), theme().text_width(50))
