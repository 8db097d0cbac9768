"""Widgets that stand beside each other where there is room, and wrap where there is none."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QLayout, QLayoutItem, QSizePolicy, QWidget

from client.widgets.theme import theme


class Flow(QLayout):
    """Widgets beside each other, and below where there is no room.

    ``apart``: where one line is enough for all, the last one stands at the far end of it.
    """

    def __init__(self, widgets: Iterable[QWidget] = (), *, apart: bool = False) -> None:
        super().__init__()
        self._apart = apart
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            self.addWidget(widget)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:  # type: ignore[override]
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._items:
            if not item.isEmpty():
                size = size.expandedTo(item.minimumSize())
        return size

    def line(self) -> QSize:
        """The size of all in one line."""
        hints = [item.sizeHint() for item in self._items if not item.isEmpty()]
        gaps = theme().space(2) * max(len(hints) - 1, 0)
        return QSize(sum(hint.width() for hint in hints) + gaps, max((hint.height() for hint in hints), default=0))

    def _arrange(self, rect: QRect, *, move: bool) -> int:
        gap, x, y, height = theme().space(2), rect.x(), rect.y(), 0
        shown = [item for item in self._items if not item.isEmpty()]
        for item in shown:
            hint = item.sizeHint()
            if self._apart and item is shown[-1] and self.line().width() <= rect.width():
                x = rect.x() + rect.width() - hint.width()
            if x > rect.x() and x + hint.width() > rect.x() + rect.width():
                x, y, height = rect.x(), y + height + gap, 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), QSize(min(hint.width(), rect.width()), hint.height())))
            x += hint.width() + gap
            height = max(height, hint.height())
        return y + height - rect.y()


class FlowBox(QWidget):
    """A widget whose children wrap: as wide as one line if there is room, as high as its width makes it."""

    def __init__(self, widgets: Iterable[QWidget], *, apart: bool = False) -> None:
        super().__init__()
        self._flow = Flow(widgets, apart=apart)
        self.setLayout(self._flow)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        return self._flow.line()

    def minimumSizeHint(self) -> QSize:
        return self._flow.minimumSize()


def flowing(*widgets: QWidget, apart: bool = False) -> FlowBox:
    """Widgets in a box in which they wrap; ``apart`` as in ``Flow``."""
    return FlowBox(widgets, apart=apart)


def beside(*widgets: QWidget) -> QWidget:
    """Widgets in a box in which they stay beside each other."""
    box = QWidget()
    row = QHBoxLayout(box)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(theme().space(2))
    for widget in widgets:
        row.addWidget(widget)
    return box
