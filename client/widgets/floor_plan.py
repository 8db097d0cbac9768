"""A plan of a floor with places on it that have a state: windows of a hall, rooms, seats. C10.

Places are rectangles in metres, drawn to scale in whatever room there is; each says its state by colour, mark and
word. Arrows go to the nearest place in their direction, Enter opens one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from client.widgets.theme import theme
from modules.common.text import tr


@dataclass(frozen=True, slots=True)
class Place:
    """One place: ``x``, ``y``, ``w``, ``h`` in metres from the upper left; ``state`` a state of the theme."""

    id: str
    name: str
    x: float
    y: float
    w: float
    h: float
    state: str
    word: str
    line: str = ""
    area: str = ""

    @property
    def sentence(self) -> str:
        """What a screen reader and the tool tip say."""
        return ", ".join(part for part in (self.area, self.name, self.word, self.line) if part)


_STEPS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class FloorPlan(QWidget):
    """The plan. ``chosen``: the place under the cursor changed; ``opened``: Enter or a double click."""

    chosen = Signal(str)
    opened = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._places: list[Place] = []
        self._current = ""
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(theme().text_width(60), theme().text_width(34))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme().text_width(24), theme().text_width(14))

    def height_at(self, width: int) -> int:
        """How high the whole plan is drawn at that width."""
        if not self._places:
            return self.minimumSizeHint().height()
        left, right = min(place.x for place in self._places), max(place.x + place.w for place in self._places)
        top, bottom = min(place.y for place in self._places), max(place.y + place.h for place in self._places)
        margin = 2 * theme().space(6)
        return round((width - margin) * (bottom - top) / max(right - left, 1.0)) + margin

    @property
    def current(self) -> str:
        """The id of the chosen place, or nothing."""
        return self._current

    def show_places(self, places: Sequence[Place]) -> None:
        """Draw these; the chosen one stays chosen while it is there."""
        self._places = list(places)
        if all(place.id != self._current for place in places):
            self._choose(places[0].id if places else "")
        self._describe()
        self.update()

    def choose(self, id: str) -> None:
        """Choose a place by its id; an unknown one is left alone."""
        if any(place.id == id for place in self._places):
            self._choose(id)

    def at(self, point: QPointF) -> Place | None:
        """The place under a point of the widget."""
        return next((place for place in self._places if self._rectangle(place).contains(point)), None)

    def rectangle(self, id: str) -> QRectF:
        """Where a place is drawn. Raises ``StopIteration`` for an unknown one."""
        return self._rectangle(next(place for place in self._places if place.id == id))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), theme().color("surface"))
        for name, frame in self._areas():
            painter.setPen(QPen(theme().color("line"), 1, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame, theme().size("corner"), theme().size("corner"))
            painter.setPen(theme().color("quiet"))
            painter.setFont(theme().font("small"))
            painter.drawText(frame.adjusted(theme().space(2), theme().space(1), 0, 0), 0, name)
        for place in self._places:
            self._paint(painter, place)
        painter.end()

    def _paint(self, painter: QPainter, place: Place) -> None:
        box = self._rectangle(place)
        color, icon = theme().state(place.state)
        chosen = place.id == self._current
        painter.setBrush(theme().color("raised"))
        width = theme().size("focus") * (2 if chosen and self.hasFocus() else 1) if chosen else theme().size("line")
        painter.setPen(QPen(theme().color("accent" if chosen else "edge"), width))
        painter.drawRoundedRect(box, theme().size("corner"), theme().size("corner"))
        # a bar in the state's colour, its mark and its word: never the colour alone
        bar = QRectF(box.left(), box.top(), theme().space(1), box.height())
        painter.fillRect(bar, theme().color(color))
        inside = box.adjusted(theme().space(2), theme().space(1), -theme().space(1), -theme().space(1))
        painter.setPen(theme().color("text"))
        painter.setFont(theme().font("body", bold=True))
        painter.drawText(inside, Qt.AlignmentFlag.AlignTop, _fit(painter.fontMetrics(), place.name, inside))
        mark = theme().pixmap(icon, color, 16)
        line = QFontMetrics(theme().font("body")).height()
        top = inside.top() + line + theme().space(1)
        painter.drawPixmap(QPointF(inside.left(), top), mark)
        painter.setPen(theme().color(color))
        painter.setFont(theme().font("small"))
        words = QRectF(inside.left() + theme().space(5), top, inside.width() - theme().space(5), line)
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, _fit(painter.fontMetrics(), place.word, words))
        painter.setPen(theme().color("quiet"))
        rest = QRectF(inside.left(), top + line, inside.width(), inside.bottom() - top - line)
        if rest.height() >= painter.fontMetrics().height():
            painter.drawText(rest, Qt.AlignmentFlag.AlignTop, _fit(painter.fontMetrics(), place.line, rest))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if place := self.at(event.position()):
            self._choose(place.id)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if place := self.at(event.position()):
            self.opened.emit(place.id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEPS.get(Qt.Key(event.key()))
        if step:
            self._go(*step)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._current:
            self.opened.emit(self._current)
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            place = self.at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), place.sentence if place else "", self)
            return True
        return super().event(event)

    def _go(self, right: int, down: int) -> None:
        """To the nearest place in that direction, seen from the chosen one's middle."""
        here = next((place for place in self._places if place.id == self._current), None)
        if here is None:
            return

        def far(place: Place) -> float:
            dx, dy = place.x + place.w / 2 - here.x - here.w / 2, place.y + place.h / 2 - here.y - here.h / 2
            along, aside = dx * right + dy * down, abs(dx * down) + abs(dy * right)
            return along + 3 * aside if along > 0.01 else float("inf")

        nearest = min((place for place in self._places if place is not here), key=far, default=here)
        if far(nearest) != float("inf"):
            self._choose(nearest.id)

    def _choose(self, id: str) -> None:
        if id != self._current:
            self._current = id
            self._describe()
            self.update()
            self.chosen.emit(id)

    def _describe(self) -> None:
        here = next((place for place in self._places if place.id == self._current), None)
        self.setAccessibleDescription(here.sentence if here else tr("平面图上没有位置。"))

    def _scale(self) -> tuple[float, float, float]:
        """Pixels to a metre, and where the plan's origin is drawn."""
        margin = theme().space(6)  # the frames of areas stand outside their places
        right = max((place.x + place.w for place in self._places), default=1.0)
        bottom = max((place.y + place.h for place in self._places), default=1.0)
        left = min((place.x for place in self._places), default=0.0)
        top = min((place.y for place in self._places), default=0.0)
        width, height = max(right - left, 1.0), max(bottom - top, 1.0)
        scale = min((self.width() - 2 * margin) / width, (self.height() - 2 * margin) / height)
        return scale, margin - left * scale, margin - top * scale

    def _rectangle(self, place: Place) -> QRectF:
        scale, left, top = self._scale()
        return QRectF(left + place.x * scale, top + place.y * scale, place.w * scale, place.h * scale)

    def _areas(self) -> list[tuple[str, QRectF]]:
        frames: dict[str, QRectF] = {}
        for place in self._places:
            if place.area:
                frames[place.area] = frames.get(place.area, QRectF()).united(self._rectangle(place))
        gap = theme().space(3)
        return [(name, frame.adjusted(-gap, -gap - theme().space(2), gap, gap)) for name, frame in frames.items()]


def _fit(metrics: QFontMetrics, text: str, room: QRectF) -> str:
    return metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(room.width()))
