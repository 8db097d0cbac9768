"""A year at a glance: twelve months of days that are worked or not, walked with the arrows."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygon
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from client.widgets.theme import theme
from modules.common.text import tr

_MONTHS, _COLUMNS, _WEEKS = 12, 4, 6


@dataclass(frozen=True, slots=True)
class DayLook:
    """A day: whether it is worked, whether the office says so itself, whether it is only proposed, and in words."""

    worked: bool
    own: bool
    pending: bool
    words: str


class YearCalendar(QWidget):
    """Twelve months. ``chosen`` when the cursor moves to another day, ``opened`` on Enter and a double click.

    Days off are shaded; the office's own bear a mark below, those not yet saved a frame.
    """

    chosen = Signal(object)
    opened = Signal(object)

    def __init__(self, name: str, look: Callable[[date], DayLook], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = look
        self._day = date(2000, 1, 1)
        self._known: dict[date, DayLook] = {}
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        theme().changed.connect(self._resized)

    @property
    def day(self) -> date:
        """The day under the cursor."""
        return self._day

    def show_day(self, day: date) -> None:
        """Put the cursor on a day and show its year; ``chosen`` tells of it."""
        if day.year != self._day.year:
            self._known.clear()
        self._day = day
        self.setAccessibleDescription(self._of(day).words)
        self.update()
        self.chosen.emit(day)

    def refresh(self) -> None:
        """Look at every day again."""
        self._known.clear()
        self.setAccessibleDescription(self._of(self._day).words)
        self.update()

    def sizeHint(self) -> QSize:
        return self.minimumSizeHint()

    def minimumSizeHint(self) -> QSize:
        cell = theme().text_width(1.7)
        return QSize(cell * 7 * _COLUMNS + theme().space(3) * (_COLUMNS + 1), self._line() * 8 * (_MONTHS // _COLUMNS))

    def rectangle(self, day: date) -> QRect:
        """Where a day of the year in hand is drawn."""
        box = self._month(day.month)
        cell, line = box.width() // 7, box.height() // (_WEEKS + 2)
        place = date(day.year, day.month, 1).weekday() + day.day - 1
        return QRect(box.left() + place % 7 * cell, box.top() + (place // 7 + 2) * line, cell, line)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for month in range(1, _MONTHS + 1):
            self._paint_month(painter, month)
        if self.hasFocus():
            painter.setPen(QPen(theme().color("accent"), theme().space(0.75)))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rectangle(self._day).adjusted(1, 1, -1, -1))
        painter.end()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Up: -7, Qt.Key.Key_Down: 7}
        key = Qt.Key(event.key())
        if key in steps:
            self.show_day(self._day + timedelta(days=steps[key]))
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            self._months(-1 if key == Qt.Key.Key_PageUp else 1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.opened.emit(self._day)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if (day := self._at(event.position().toPoint())) is not None:
            self.show_day(day)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if (day := self._at(event.position().toPoint())) is not None:
            self.opened.emit(day)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and (day := self._at(event.pos())) is not None:
            QToolTip.showText(event.globalPos(), self._of(day).words, self)
            return True
        return super().event(event)

    def _months(self, step: int) -> None:
        month = self._day.year * 12 + self._day.month - 1 + step
        year, month = divmod(month, 12)
        last = calendar.monthrange(year, month + 1)[1]
        self.show_day(date(year, month + 1, min(self._day.day, last)))

    def _of(self, day: date) -> DayLook:
        if day not in self._known:
            self._known[day] = self._look(day)
        return self._known[day]

    def _at(self, point: QPoint) -> date | None:
        for month in range(1, _MONTHS + 1):
            if self._month(month).contains(point):
                for number in range(1, calendar.monthrange(self._day.year, month)[1] + 1):
                    day = date(self._day.year, month, number)
                    if self.rectangle(day).contains(point):
                        return day
        return None

    def _month(self, month: int) -> QRect:
        gap = theme().space(3)
        rows = _MONTHS // _COLUMNS
        width, height = (self.width() - gap * (_COLUMNS - 1)) // _COLUMNS, (self.height() - gap * (rows - 1)) // rows
        row, column = divmod(month - 1, _COLUMNS)
        return QRect(column * (width + gap), row * (height + gap), width, height)

    def _paint_month(self, painter: QPainter, month: int) -> None:
        box = self._month(month)
        cell, line = box.width() // 7, box.height() // (_WEEKS + 2)
        painter.setFont(theme().font("small", bold=True))
        painter.setPen(theme().color("text"))
        head = QRect(box.left(), box.top(), box.width(), line)
        painter.drawText(head, Qt.AlignmentFlag.AlignVCenter, tr("{month}月", month=month))
        painter.setFont(theme().font("small"))
        painter.setPen(theme().color("quiet"))
        for place, name in enumerate((tr("一"), tr("二"), tr("三"), tr("四"), tr("五"), tr("六"), tr("日"))):
            below = QRect(box.left() + place * cell, box.top() + line, cell, line)
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, name)
        painter.setFont(theme().font("small", tabular=True))
        for number in range(1, calendar.monthrange(self._day.year, month)[1] + 1):
            self._paint_day(painter, date(self._day.year, month, number))

    def _paint_day(self, painter: QPainter, day: date) -> None:
        look, box = self._of(day), self.rectangle(day).adjusted(1, 1, -1, -1)
        odd = look.worked == (day.weekday() >= 5)
        ground, ink = "surface" if look.worked else "raised", "text" if look.worked else "quiet"
        if odd:
            ground, ink = ("due_ground", "due") if look.worked else ("red_ground", "red")
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color(ground))
        painter.drawRect(box)
        if look.pending:
            painter.setPen(QPen(theme().color("accent"), 1, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(box)
        # colour alone says nothing: what is against the week bears a corner, the office's own days a bar
        painter.setPen(theme().color(ink))
        painter.setFont(theme().font("small", bold=odd or look.own, tabular=True))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(day.day))
        mark = theme().space(1)
        if look.own:
            painter.fillRect(
                QRect(box.left() + mark, box.bottom() - mark // 2, box.width() - 2 * mark, mark // 2),
                theme().color("accent"),
            )
        if odd:
            corner = QPolygon([box.topRight(), box.topRight() - QPoint(mark, 0), box.topRight() + QPoint(0, mark)])
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme().color(ink))
            painter.drawPolygon(corner)
        if day == self._day:
            painter.setPen(QPen(theme().color("accent"), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(box)

    def _line(self) -> int:
        return theme().font("small").pixelSize() * 3 // 2

    @Slot()
    def _resized(self) -> None:
        self.updateGeometry()
        self.update()
