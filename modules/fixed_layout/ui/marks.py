"""Handwriting and opinions over the pages: drawn, written with pen or mouse, taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QFont, QPainter, QPainterPath, QPen

from client.widgets.page.source import Box
from client.widgets.page.view import PageView
from client.widgets.theme import theme
from modules.fixed_layout.domain import HIGHLIGHT, INK, OPINION, Mark, marks_of

_THIN, _THICK = 0.25, 0.9
_TEXT_MM = 4.2
_WIDE = 80.0
_POINT = 0.15
"""Millimetres that a pen must move to be followed."""


class Marks(QObject):
    """An overlay of a view: what was written so far, and what is just being written. ``changed`` when it must be kept.

    ``who`` says whose it is and the day.
    """

    changed = Signal()

    def __init__(self, view: PageView, who: Callable[[], tuple[str, str]]) -> None:
        super().__init__(view)
        self._view = view
        self._who = who
        self.all: list[Mark] = []
        self._undone: list[Mark] = []
        self._stroke: list[tuple[float, float, float]] = []
        self._page = -1
        view.pen.connect(self._pen)
        view.overlays.append(self.paint)

    def load(self, docs: Sequence[dict[str, Any]]) -> None:
        """Show what was kept."""
        self.all = marks_of(docs)
        self._undone.clear()
        self._view.viewport().update()

    def docs(self) -> list[dict[str, Any]]:
        """To be kept."""
        return [mark.to_doc() for mark in self.all]

    def add_opinion(self, page: int, x: float, y: float, text: str) -> None:
        """Put an opinion with name and day on a page."""
        person, day = self._who()
        self._add(Mark(OPINION, page, person, day, (), text, x, y))

    def add_highlight(self, page: int, boxes: tuple[Box, ...], text: str) -> None:
        """Shade words of a page."""
        if boxes:
            person, day = self._who()
            self._add(Mark(HIGHLIGHT, page, person, day, (), text, boxes=boxes))

    def undo(self) -> bool:
        """Take the last mark back; whether there was one."""
        if not self.all:
            return False
        self._undone.append(self.all.pop())
        self._tell()
        return True

    def redo(self) -> bool:
        """Put back what was taken back last."""
        if not self._undone:
            return False
        self.all.append(self._undone.pop())
        self._tell()
        return True

    def remove(self, mark: Mark) -> None:
        """Take one mark away."""
        if mark in self.all:
            self.all.remove(mark)
            self._undone.append(mark)
            self._tell()

    def _add(self, mark: Mark) -> None:
        self.all.append(mark)
        self._undone.clear()
        self._tell()

    def _tell(self) -> None:
        self._view.viewport().update()
        self.changed.emit()

    @Slot(str, int, float, float, float)
    def _pen(self, what: str, page: int, x: float, y: float, pressure: float) -> None:
        if what == "begin":
            self._page, self._stroke = page, [(x, y, pressure)]
        elif page == self._page and self._stroke:
            before = self._stroke[-1]
            if abs(x - before[0]) + abs(y - before[1]) >= _POINT:
                self._stroke.append((x, y, pressure))
        if what == "end" and self._stroke:
            person, day = self._who()
            stroke, self._stroke = tuple(self._stroke), []
            self._add(Mark(INK, self._page, person, day, (stroke,)))
        self._view.viewport().update()

    def paint(self, painter: QPainter, page: int) -> None:
        """Draw the marks of a page, in its millimetres."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for mark in self.all:
            if mark.page == page:
                paint_mark(painter, mark, self._view.blend)
        if page == self._page and self._stroke:
            _paint_stroke(painter, self._stroke)


def paint_mark(
    painter: QPainter,
    mark: Mark,
    blend: QPainter.CompositionMode = QPainter.CompositionMode.CompositionMode_Multiply,
) -> None:
    """Draw a mark in millimetres of its page; on paper too."""
    if mark.kind == INK:
        for stroke in mark.strokes:
            _paint_stroke(painter, stroke)
        return
    if mark.kind == HIGHLIGHT:
        shade = theme().color("marker")
        painter.save()
        painter.setCompositionMode(blend)
        if blend is not QPainter.CompositionMode.CompositionMode_Multiply:
            shade.setAlphaF(0.3)
        for box in mark.boxes:
            painter.fillRect(QRectF(*box), shade)
        painter.restore()
        return
    painter.save()
    font = QFont(theme().font())
    # fonts have whole sizes: written large and drawn small
    font.setPixelSize(100)
    painter.translate(mark.x, mark.y)
    painter.scale(_TEXT_MM / 100, _TEXT_MM / 100)
    painter.setFont(font)
    painter.setPen(theme().color("ink"))
    room = QRectF(0, 0, _WIDE / _TEXT_MM * 100, 100_000)
    painter.drawText(room, int(Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap), mark.words())
    painter.restore()


def _paint_stroke(painter: QPainter, stroke: Sequence[tuple[float, float, float]]) -> None:
    pen = QPen(theme().color("ink"))
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    if len(stroke) == 1:
        x, y, pressure = stroke[0]
        pen.setWidthF(_width(pressure))
        painter.setPen(pen)
        painter.drawPoint(QPointF(x, y))
        return
    for (x, y, pressure), (to_x, to_y, to_pressure) in pairwise(stroke):
        pen.setWidthF(_width((pressure + to_pressure) / 2))
        painter.setPen(pen)
        path = QPainterPath(QPointF(x, y))
        path.lineTo(to_x, to_y)
        painter.drawPath(path)


def _width(pressure: float) -> float:
    return _THIN + (_THICK - _THIN) * min(max(pressure, 0.0), 1.0)
