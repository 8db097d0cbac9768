"""How a case is shown: its state, its marks, its sheets of words, and rows that wrap."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QGridLayout, QLayout, QLayoutItem, QScrollArea, QSizePolicy, QWidget

from client.kernel.ports import Record
from client.widgets.basics import Label, SectionTitle
from client.widgets.theme import theme
from modules.acceptance.domain.cases import (
    ACCEPTED,
    CLOSED,
    CORRECTING,
    DECIDED,
    ISSUED,
    OVER,
    RED,
    SUSPENDED,
    YELLOW,
    card_name,
    open_gaps,
    result_name,
    state_name,
)
from modules.common.aggregate import Doc
from modules.common.text import tr

_LOOKS = {SUSPENDED: "paused", CORRECTING: "due", DECIDED: "due", ISSUED: "due", CLOSED: "good"}


def case_state(case: Doc) -> tuple[str, str]:
    """A case's state for a ``StateLabel``: colour, and words that say the decision too."""
    state = case["state"]
    words = state_name(state)
    if case["decision"] and state not in (ACCEPTED, SUSPENDED):
        words = f"{words} · {result_name(case['decision']['result'])}"
    return _LOOKS.get(state, "quiet" if state in OVER else "info"), words


def sync_state(record: Record) -> tuple[str, str]:
    """Whether the server has it all: ``offline`` 待传, ``red`` 被拒, or nothing to say."""
    if record.refused:
        return "red", tr("被拒")
    if record.pending:
        return "offline", tr("待传")
    return "", ""


def marks(case: Doc) -> tuple[str, str]:
    """What stands out about a case, for one narrow column: the look of the gravest, and all of it in words."""
    found: list[tuple[str, str]] = []
    levels = {card["level"] for card in case.get("cards", ())}
    for level in (RED, YELLOW):
        if level in levels:
            found.append((level, card_name(level)))
    if case.get("provisional") and open_gaps(case):
        found.append(("due", tr("容缺")))
    if case.get("urges") and case["state"] not in OVER:
        found.append(("due", tr("催办")))
    if (flow := case.get("flow")) and flow["extension"]:
        found.append(("info", tr("延期待批")))
    if case.get("green"):
        found.append(("good", tr("绿色通道")))
    return (found[0][0], "·".join(words for _, words in found)) if found else ("", "")


def is_pinned(case: Doc) -> bool:
    """Whether a case stands above the others: the green channel, until it is over."""
    return bool(case.get("green")) and case["state"] not in OVER


class Sheet(QScrollArea):
    """Rows of words that scroll; written anew only when they change, so that nothing jumps under the eye."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._rows: list[tuple[str, str]] | None = None
        self.setAccessibleName(name)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_rows(self, rows: list[tuple[str, str]]) -> None:
        """Rows of a quiet name and its words; a name alone is a heading."""
        if rows == self._rows:
            return
        self._rows = rows
        place = self.verticalScrollBar().value()
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, theme().space(3), theme().space(2), theme().space(3))
        grid.setHorizontalSpacing(theme().space(4))
        grid.setVerticalSpacing(theme().space(2))
        for number, (name, words) in enumerate(rows):
            if not words:
                grid.addWidget(SectionTitle(name), number, 0, 1, 2)
                continue
            grid.addWidget(Label(name, "quiet"), number, 0, Qt.AlignmentFlag.AlignTop)
            value = Label(words, wrap=True, selectable=True)
            value.setAccessibleName(f"{name} {words}")
            grid.addWidget(value, number, 1)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(len(rows), 1)
        self.setWidget(body)
        self.verticalScrollBar().setValue(place)


class Flow(QLayout):
    """Widgets beside each other, and below where there is no room."""

    def __init__(self, widgets: Iterable[QWidget] = ()) -> None:
        super().__init__()
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
        for item in self._items:
            if item.isEmpty():
                continue
            hint = item.sizeHint()
            if x > rect.x() and x + hint.width() > rect.x() + rect.width():
                x, y, height = rect.x(), y + height + gap, 0
            if move:
                item.setGeometry(QRect(QPoint(x, y), QSize(min(hint.width(), rect.width()), hint.height())))
            x += hint.width() + gap
            height = max(height, hint.height())
        return y + height - rect.y()


class FlowBox(QWidget):
    """A widget whose children wrap: as wide as one line if there is room, as high as its width makes it."""

    def __init__(self, widgets: Iterable[QWidget]) -> None:
        super().__init__()
        self._flow = Flow(widgets)
        self.setLayout(self._flow)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        return self._flow.line()

    def minimumSizeHint(self) -> QSize:
        return self._flow.minimumSize()


def flowing(*widgets: QWidget) -> FlowBox:
    """Widgets in a box in which they wrap."""
    return FlowBox(widgets)
