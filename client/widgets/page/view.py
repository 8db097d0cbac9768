"""The pages of a document, to be read: scrolls, zooms, turns, selects, measures; by keyboard as by mouse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent, QTabletEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from client.kernel.contract import Lanes
from client.widgets.page.canvas import PageCanvas, Position
from client.widgets.page.layout import Mode
from client.widgets.page.selection import Spot
from client.widgets.page.source import Link
from client.widgets.page.tiles import BUDGET_MB
from modules.common.text import tr

__all__ = ["PageView", "Position"]
_WHEEL_STEP = 1.15
_PEN = {
    QEvent.Type.TabletPress: "begin",
    QEvent.Type.TabletMove: "move",
    QEvent.Type.TabletRelease: "end",
}


class PageView(PageCanvas):
    """Shows a ``Source`` to whoever reads it. ``tool`` is ``select``, ``hand``, ``measure`` or ``ink``.

    With ``ink`` the strokes of mouse and pen are told by ``pen``; who listens does what they mean.
    """

    measured = Signal(str)
    link_followed = Signal(object)
    pen = Signal(str, int, float, float, float)
    """``begin``, ``move`` or ``end``; page; millimetres across and down; pressure from 0 to 1."""

    def __init__(self, lanes: Lanes, parent: QWidget | None = None, *, budget_mb: int = BUDGET_MB) -> None:
        self._tool = "select"
        super().__init__(lanes, parent, budget_mb=budget_mb)
        self._pressed: QPointF | None = None
        self._panned = QPoint()
        self._pen_down = False
        self.viewport().setMouseTracking(True)

    @property
    def tool(self) -> str:
        """What the mouse does."""
        return self._tool

    def set_tool(self, tool: str) -> None:
        """Have the mouse ``select``, move the page (``hand``), ``measure`` or draw (``ink``)."""
        self._tool = tool
        self._rule = None
        shape = {
            "hand": Qt.CursorShape.OpenHandCursor,
            "measure": Qt.CursorShape.CrossCursor,
            "ink": Qt.CursorShape.CrossCursor,
        }.get(tool, Qt.CursorShape.ArrowCursor)
        self.viewport().setCursor(shape)
        self.viewport().update()
        self.look_changed.emit()

    # -- keys and mouse ----------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._action(event):
            event.accept()  # while the page has the keyboard its zoom is meant, not the window's
            return True
        return super().event(event)

    def _action(self, event: QKeyEvent) -> Callable[[], object] | None:
        """What a key means here."""
        key, plain = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        bar, side = self.verticalScrollBar(), self.horizontalScrollBar()
        if plain & Qt.KeyboardModifier.ControlModifier:
            return {
                Qt.Key.Key_0: lambda: self.zoom_to(1.0),
                Qt.Key.Key_1: lambda: self.fit_to("page"),
                Qt.Key.Key_2: lambda: self.fit_to("width"),
                Qt.Key.Key_Plus: lambda: self.zoom_step(1),
                Qt.Key.Key_Equal: lambda: self.zoom_step(1),
                Qt.Key.Key_Minus: lambda: self.zoom_step(-1),
                Qt.Key.Key_Home: lambda: self.go_to(0),
                Qt.Key.Key_End: lambda: self.go_to(self.pages - 1),
                Qt.Key.Key_A: self.select_all,
            }.get(Qt.Key(key))
        if plain and plain != Qt.KeyboardModifier.ShiftModifier:
            return None
        if key == Qt.Key.Key_Space:
            key = Qt.Key.Key_PageUp if plain else Qt.Key.Key_PageDown
        elif key == Qt.Key.Key_R:
            return lambda: self.rotate(-90 if plain else 90)
        elif plain:
            return None
        return {
            Qt.Key.Key_PageDown: lambda: self._turn_page(1),
            Qt.Key.Key_PageUp: lambda: self._turn_page(-1),
            Qt.Key.Key_Home: lambda: self.go_to(0),
            Qt.Key.Key_End: lambda: self.go_to(self.pages - 1),
            Qt.Key.Key_Down: lambda: bar.setValue(bar.value() + bar.singleStep()),
            Qt.Key.Key_Up: lambda: bar.setValue(bar.value() - bar.singleStep()),
            Qt.Key.Key_Right: lambda: self._sideways(side, 1),
            Qt.Key.Key_Left: lambda: self._sideways(side, -1),
        }.get(Qt.Key(key))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        act = self._action(event)
        if act is not None:
            act()
        elif event.key() == Qt.Key.Key_Escape and (self.selection or self._rule):
            self._rule = None
            self.clear_selection()
        else:
            event.ignore()

    def _sideways(self, side: Any, step: int) -> None:
        if side.maximum():
            side.setValue(side.value() + step * side.singleStep())
        else:
            self.go_to(self._page + step * (2 if self._mode is Mode.FACING else 1))

    def _turn_page(self, step: int) -> None:
        """A screenful on; where pages stand alone, to the next one from this one's end."""
        bar = self.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() if step > 0 else bar.value() <= 0
        if self._mode is Mode.SINGLE and at_end:
            if 0 <= self._page + step < self.pages:
                self.go_to(self._page + step)
                bar.setValue(0 if step > 0 else bar.maximum())
        else:
            bar.setValue(bar.value() + step * round(self._room().height() * 0.9))

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned = event.angleDelta().y()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_to(self._zoom * math.pow(_WHEEL_STEP, turned / 120), event.position() * self._ratio())
            event.accept()
            return
        bar = self.verticalScrollBar()
        if self._mode is Mode.SINGLE and turned and (bar.value() == (bar.minimum() if turned > 0 else bar.maximum())):
            self._turn_page(-1 if turned > 0 else 1)
            event.accept()
            return
        super().wheelEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        # a pen tells its pressure; while it writes, the mouse that Qt makes of it is not wanted
        if self._tool == "ink" and isinstance(event, QTabletEvent):
            spot = self.spot(event.position())
            what = _PEN.get(event.type())
            if spot is not None and what is not None and (what == "begin" or self._pen_down):
                self._pen_down = what != "end"
                self.pen.emit(what, spot.page, spot.x, spot.y, event.pressure())
            event.accept()
            return True
        return super().viewportEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or (spot := self.spot(event.position())) is None:
            return
        self._pressed = event.position()
        if self._tool == "hand":
            self._panned = event.position().toPoint()
            self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self._tool == "measure":
            self._rule = (spot, spot)
        elif self._tool == "ink":
            self.pen.emit("begin", spot.page, spot.x, spot.y, 0.5)
        else:
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier and self.selection:
                self.selection.extend(spot, self.read(spot.page))
            else:
                self.selection.begin(spot, self.read(spot.page))
            self._selected()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        spot = self.spot(event.position())
        if spot is None:
            return
        if self._pressed is None:
            if self._tool == "select":
                over = self._link_at(spot) is not None
                text = self._texts.get(spot.page)
                on_text = text is not None and self.selection.over_text(spot, text)
                shape = Qt.CursorShape.IBeamCursor if on_text else Qt.CursorShape.ArrowCursor
                self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over else shape)
            return
        if self._tool == "hand":
            moved = event.position().toPoint() - self._panned
            self._panned = event.position().toPoint()
            for bar, by in ((self.verticalScrollBar(), moved.y()), (self.horizontalScrollBar(), moved.x())):
                bar.setValue(bar.value() - round(by * self._ratio()))
        elif self._tool == "measure" and self._rule:
            if spot.page == self._rule[0].page:
                self._rule = (self._rule[0], spot)
                self.viewport().update()
                self.measured.emit(_measure(*self._rule))
        elif self._tool == "ink":
            self.pen.emit("move", spot.page, spot.x, spot.y, 0.5)
        elif (event.position() - self._pressed).manhattanLength() > 3:
            self.selection.extend(spot, self.read(spot.page))
            self._selected()
            self._follow(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        spot = self.spot(event.position())
        if pressed is None or spot is None:
            return
        if self._tool == "hand":
            self.viewport().setCursor(Qt.CursorShape.OpenHandCursor)
        elif self._tool == "ink":
            self.pen.emit("end", spot.page, spot.x, spot.y, 0.5)
        elif self._tool == "select" and (event.position() - pressed).manhattanLength() <= 3:
            link = self._link_at(spot)
            if link is not None:
                self.link_followed.emit(link)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        spot = self.spot(event.position())
        if self._tool == "select" and spot is not None and (text := self.read(spot.page)):
            self.selection.word(spot, text)
            self._selected()

    def _follow(self, at: QPointF) -> None:
        """Scroll on while something is selected beyond the edge."""
        bar = self.verticalScrollBar()
        if at.y() < 0 or at.y() > self.viewport().height():
            bar.setValue(bar.value() + (bar.singleStep() if at.y() > 0 else -bar.singleStep()))

    def _link_at(self, spot: Spot) -> Link | None:
        return next((link for link in self._links.get(spot.page, ()) if link.box.holds(spot.x, spot.y)), None)

    @Slot()
    def select_all(self) -> None:
        """Select the whole document."""
        self.selection.all()
        self._selected()

    def clear_selection(self) -> None:
        """Select nothing."""
        self.selection.clear()
        self._selected()

    def _selected(self) -> None:
        self.selection_changed.emit()
        self.viewport().update()


def _measure(first: Spot, last: Spot) -> str:
    """A distance in words."""
    across, down = abs(last.x - first.x), abs(last.y - first.y)
    return tr(
        "{length} 毫米（横 {across}，竖 {down}）",
        length=f"{math.hypot(across, down):.1f}",
        across=f"{across:.1f}",
        down=f"{down:.1f}",
    )
