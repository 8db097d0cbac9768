"""What was said to the user, now and to be read later."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from client.widgets.basics import Button, ElidedLabel, IconLabel
from client.widgets.theme import set_role, theme
from modules.common.clock import CHINA, Clock
from modules.common.text import aside, tr

KEPT = 200
"""How many notices can be read later."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing said: ``state`` is info, good, due or red; ``code`` is an error's."""

    text: str
    state: str
    code: str
    at: datetime

    def sentence(self) -> str:
        """The notice as it is read out: time, words, code."""
        code = aside(self.code) if self.code and self.code not in self.text else ""
        return f"{self.at.astimezone(CHINA):%H:%M} {self.text}{code}"


class NoticeModel(QAbstractListModel):
    """The notices of this run, newest first. ``told`` carries each new one; ``unread`` counts until ``read_all``."""

    told = Signal(object)
    unread_changed = Signal(int)

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._notices: deque[Notice] = deque(maxlen=KEPT)
        self._unread = 0

    @property
    def unread(self) -> int:
        """How many were told since the list was last read."""
        return self._unread

    def tell(self, text: str, *, state: str = "info", code: str = "") -> Notice:
        """Add a notice and say it."""
        notice = Notice(text, state, code, self._clock.now())
        self.beginResetModel()
        self._notices.appendleft(notice)
        self.endResetModel()
        self._unread += 1
        self.told.emit(notice)
        self.unread_changed.emit(self._unread)
        return notice

    def read_all(self) -> None:
        """The list was opened."""
        self._unread = 0
        self.unread_changed.emit(0)

    def notice(self, row: int) -> Notice:
        """One notice, 0 for the newest. Raises ``IndexError``."""
        return self._notices[row]

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._notices)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        notice = self._notices[index.row()]
        color, icon = theme().state(notice.state)
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.AccessibleTextRole | Qt.ItemDataRole.ToolTipRole:
                return notice.sentence()
            case Qt.ItemDataRole.DecorationRole:
                return theme().icon(icon, color, 16)
        return None


class NoticeBar(QWidget):
    """The newest notice in one line, until it is put away or the list is opened (``all_wanted``)."""

    all_wanted = Signal()

    def __init__(self, notices: NoticeModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mark = IconLabel("info", size=16)
        self._words = ElidedLabel()
        self.more = Button(tr("全部消息"))
        self.away = Button(tr("收起"))
        row = QHBoxLayout(self)
        row.setContentsMargins(theme().space(3), theme().space(1), theme().space(3), theme().space(1))
        row.addWidget(self._mark)
        row.addWidget(self._words, 1)
        row.addWidget(self.more)
        row.addWidget(self.away)
        set_role(self, "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.more.clicked.connect(self.all_wanted)
        self.more.clicked.connect(self.hide)
        self.away.clicked.connect(self.hide)
        notices.told.connect(self._show)
        self.hide()

    def text(self) -> str:
        """The words that are shown."""
        return self._words.text()

    @Slot(object)
    def _show(self, notice: Notice) -> None:
        color, icon = theme().state(notice.state)
        self._mark.show_icon(icon, color, 16)
        self._words.setText(notice.sentence())
        self.setAccessibleName(notice.sentence())
        self.show()
