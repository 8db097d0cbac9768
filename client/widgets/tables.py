"""The list of records beside its detail: dense, sortable, by keyboard, with five designed states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from PySide6.QtCore import QAbstractTableModel, QByteArray, QModelIndex, QPersistentModelIndex, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSplitter,
    QStackedLayout,
    QTableView,
    QWidget,
)

from client.widgets.basics import StatePane
from client.widgets.theme import theme
from modules.common.text import tr

Index = QModelIndex | QPersistentModelIndex


class Memory(Protocol):
    """Where a view keeps how the user left it (``client.kernel.settings.Settings``)."""

    def recall(self, key: str) -> Any: ...

    def remember(self, key: str, value: Any) -> None: ...


def _nothing(row: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: the words of a row, what it is sorted by (the words, if not said), its state's name.

    ``width`` is in Chinese characters; ``stretch`` takes the room that is left.
    """

    key: str
    title: str
    text: Callable[[Any], str]
    width: float = 8
    sort: Callable[[Any], Any] | None = None
    state: Callable[[Any], str] = _nothing
    stretch: bool = False
    numeric: bool = False


class RecordModel(QAbstractTableModel):
    """Rows of any kind, shown by columns."""

    def __init__(self, columns: Sequence[Column], pinned: Callable[[Any], bool] | None = None) -> None:
        super().__init__()
        self.columns = tuple(columns)
        self._pinned = pinned
        self.rows: list[Any] = []

    def show(self, rows: Sequence[Any]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.rows = list(rows)
        self._pin()
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._alignment(self.columns[section]) if orientation == Qt.Orientation.Horizontal else None
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        column, row = self.columns[index.column()], self.rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.ToolTipRole:
                return column.text(row)
            case Qt.ItemDataRole.TextAlignmentRole:
                return self._alignment(column)
            case Qt.ItemDataRole.AccessibleTextRole:
                # the first cell speaks for the row: readers of a table come to it with every ↑ and ↓
                return self.sentence(row) if index.column() == 0 else f"{column.title} {column.text(row)}"
        if state := column.state(row):
            color, icon = theme().state(state)
            if role == Qt.ItemDataRole.ForegroundRole:
                return theme().color(color)
            if role == Qt.ItemDataRole.DecorationRole:
                return theme().icon(icon, color, 16)
        return None

    def sentence(self, row: Any) -> str:
        """The whole row in words."""
        parts = ((column.title, column.text(row)) for column in self.columns)
        return tr("，").join(f"{title} {text}" for title, text in parts if text)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        shown = self.columns[column]
        self.beginResetModel()
        self.rows.sort(key=shown.sort or shown.text, reverse=order == Qt.SortOrder.DescendingOrder)
        self._pin()
        self.endResetModel()

    def _pin(self) -> None:
        if self._pinned is not None:
            pinned = self._pinned
            self.rows.sort(key=lambda row: not pinned(row))

    def _alignment(self, column: Column) -> Qt.AlignmentFlag:
        side = Qt.AlignmentFlag.AlignRight if column.numeric else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignVCenter


class _View(QTableView):
    """A table whose keys are those of a list: Enter and Space open, ``/`` asks for the search box."""

    opened = Signal()
    search_wanted = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.opened.emit()
        elif event.text() == "/":
            self.search_wanted.emit()
        else:
            super().keyPressEvent(event)


class RecordTable(QWidget):
    """A list of records.

    ``chosen`` carries the row that the cursor stands on, or None; ``opened`` the row of Enter, Space or a double
    click; ``search_wanted`` is for ``/``; ``acted`` for the button of a state. Widths and sort are kept in
    ``memory`` under ``name``; ``key`` tells rows apart, so that the cursor stays where it was when rows come anew.
    ``pinned`` rows stand above the others, whatever they are sorted by. ``more_wanted`` when somebody comes to the end
    of rows that go on (``show_rows(…, more=True)``): once, until ``add_rows`` or other rows.
    """

    chosen = Signal(object)
    opened = Signal(object)
    search_wanted = Signal()
    acted = Signal()
    more_wanted = Signal()

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        title: str,
        name: str,
        key: Callable[[Any], str],
        memory: Memory | None = None,
        pinned: Callable[[Any], bool] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._name = name
        self._key = key
        self._memory = memory
        self._current = ""
        self._settling = False
        self._more = False
        self.model = RecordModel(columns, pinned)
        self.view = _View()
        self.view.setAccessibleName(title)
        self.view.setModel(self.model)
        self.view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setShowGrid(False)
        self.view.setTabKeyNavigation(False)
        self.view.setWordWrap(False)
        self.view.verticalHeader().hide()
        self.pane = StatePane()
        self.pane.acted.connect(self.acted)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.view)
        self._stack.addWidget(self.pane)
        theme().changed.connect(self._fit)
        self._fit()
        self._sort, self._descending = -1, False
        self._recall()
        header = self.view.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicatorClearable(False)
        header.setSortIndicator(self._sort, self._order())
        header.sortIndicatorChanged.connect(self._sorted)
        header.sectionResized.connect(self._resized)
        self.view.opened.connect(self._open)
        self.view.search_wanted.connect(self.search_wanted)
        self.view.doubleClicked.connect(self._open)
        self.view.selectionModel().currentRowChanged.connect(self._moved)
        bar = self.view.verticalScrollBar()
        bar.valueChanged.connect(self._scrolled)
        bar.rangeChanged.connect(self._laid)
        self.show_loading()

    @property
    def rows(self) -> list[Any]:
        """The rows as they are shown, in their order."""
        return self.model.rows

    @property
    def current(self) -> Any:
        """The row that the cursor stands on, or None."""
        index = self.view.currentIndex()
        return self.model.rows[index.row()] if index.isValid() else None

    def show_rows(self, rows: Sequence[Any], *, empty: str = "", action: str = "", more: bool = False) -> None:
        """Show rows, or the state "empty" with its sentence and action when there are none."""
        self._more = False
        self._settling = True
        self.model.show(rows)
        if self._sort >= 0:
            self.model.sort(self._sort, self._order())
        self._settling = False
        self._restore()
        if rows:
            self._stack.setCurrentWidget(self.view)
        else:
            self._say("inbox", empty or tr("这里还没有内容。"), action)
        self._more = more

    def add_rows(self, rows: Sequence[Any], *, more: bool) -> None:
        """Show the next page below, or wherever the order wants it; the view stays where it is."""
        bar = self.view.verticalScrollBar()
        place = bar.value()
        self.show_rows([*self.model.rows, *rows], more=more)
        bar.setValue(place)

    def show_loading(self, text: str = "") -> None:
        """The state "loading"."""
        self._say("clock", text or tr("正在读取…"), busy=True)

    def show_offline(self, text: str = "", action: str = "") -> None:
        """The state "offline": this list is only known to the server."""
        self._say("wifi-off", text or tr("现在没有连接服务器，连上后自动显示。"), action)

    def show_forbidden(self, text: str = "") -> None:
        """The state "forbidden"."""
        self._say("lock", text or tr("您没有查看这里的权限。如有需要，请联系安全管理员。"))

    def show_failed(self, text: str, action: str = "") -> None:
        """The state "failed", with the error's sentence."""
        self._say("octagon-alert", text, action)

    def choose(self, key: str) -> bool:
        """Put the cursor on the row with this key; False when it is not shown."""
        for number, row in enumerate(self.model.rows):
            if self._key(row) == key:
                self.view.setCurrentIndex(self.model.index(number, 0))
                return True
        return False

    def _say(self, icon: str, text: str, action: str = "", *, busy: bool = False) -> None:
        self.pane.say(icon, text, action, busy=busy)
        self._stack.setCurrentWidget(self.pane)

    def _restore(self) -> None:
        wanted = self._current
        if not self.choose(wanted):
            self._current = ""
            if wanted:
                self.chosen.emit(None)

    def _order(self) -> Qt.SortOrder:
        return Qt.SortOrder.DescendingOrder if self._descending else Qt.SortOrder.AscendingOrder

    @Slot(QModelIndex, QModelIndex)
    def _moved(self, now: QModelIndex, before: QModelIndex) -> None:
        if self._settling or not now.isValid():
            return
        row = self.model.rows[now.row()]
        if self._key(row) != self._current:
            self._current = self._key(row)
            self.chosen.emit(row)

    @Slot()
    def _scrolled(self) -> None:
        bar = self.view.verticalScrollBar()
        if bar.value() and bar.value() >= bar.maximum() - bar.pageStep() // 2:
            self._want_more()

    @Slot()
    def _laid(self) -> None:
        """Rows that do not fill the view have no end to be scrolled to."""
        if self.view.isVisible() and self.view.verticalHeader().length() < self.view.viewport().height():
            self._want_more()

    def _want_more(self) -> None:
        if self._more:
            self._more = False
            self.more_wanted.emit()

    @Slot()
    def _open(self) -> None:
        if (row := self.current) is not None:
            self.opened.emit(row)

    @Slot(int, Qt.SortOrder)
    def _sorted(self, column: int, order: Qt.SortOrder) -> None:
        self._sort, self._descending = column, order == Qt.SortOrder.DescendingOrder
        self._settling = True
        self.model.sort(column, order)
        self._settling = False
        self._restore()
        self._keep()

    @Slot(int, int, int)
    def _resized(self, section: int, before: int, now: int) -> None:
        if not self.model.columns[section].stretch:
            self._keep()
            self._stretch()

    @Slot()
    def _fit(self) -> None:
        """Sizes follow the zoom; widths that the user chose are kept per 100 %."""
        self.view.setFont(theme().font(tabular=True))
        self.view.verticalHeader().setMinimumSectionSize(theme().size("row"))
        self.view.verticalHeader().setDefaultSectionSize(theme().size("row"))
        header = self.view.horizontalHeader()
        header.setMinimumSectionSize(theme().text_width(3))
        widths = self._recalled().get("widths", {})
        self._settling = True
        header.blockSignals(True)
        for number, column in enumerate(self.model.columns):
            mode = QHeaderView.ResizeMode.Stretch if column.stretch else QHeaderView.ResizeMode.Interactive
            header.setSectionResizeMode(number, mode)
            if not column.stretch:
                width = widths.get(column.key)
                header.resizeSection(number, round(width * theme().zoom) if width else theme().text_width(column.width))
        header.blockSignals(False)
        self._settling = False
        self._stretch()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._stretch()

    def _stretch(self) -> None:
        """A stretching column gets what is left, but never less than it needs: then the table scrolls instead."""
        header = self.view.horizontalHeader()
        left = self.width() - sum(
            header.sectionSize(number) for number, column in enumerate(self.model.columns) if not column.stretch
        )
        for number, column in enumerate(self.model.columns):
            if column.stretch:
                wide = left >= theme().text_width(column.width)
                mode = QHeaderView.ResizeMode.Stretch if wide else QHeaderView.ResizeMode.Fixed
                header.setSectionResizeMode(number, mode)
                if not wide:
                    header.resizeSection(number, theme().text_width(column.width))

    def _recalled(self) -> Mapping[str, Any]:
        kept = self._memory.recall(self._name) if self._memory else None
        return kept if isinstance(kept, dict) else {}

    def _recall(self) -> None:
        kept = self._recalled()
        keys = [column.key for column in self.model.columns]
        if kept.get("sort") in keys:
            self._sort, self._descending = keys.index(kept["sort"]), bool(kept.get("descending"))

    def _keep(self) -> None:
        if self._memory is None:
            return
        header = self.view.horizontalHeader()
        widths = {
            column.key: round(header.sectionSize(number) / theme().zoom)
            for number, column in enumerate(self.model.columns)
            if not column.stretch
        }
        sort = self.model.columns[self._sort].key if self._sort >= 0 else ""
        self._memory.remember(self._name, {"widths": widths, "sort": sort, "descending": self._descending})


class MasterDetail(QSplitter):
    """A list and its detail, apart by a handle that stays where the user put it (``memory``, under ``name``)."""

    def __init__(
        self,
        master: QWidget,
        detail: QWidget,
        *,
        name: str,
        memory: Memory | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._name = name
        self._memory = memory
        self.addWidget(master)
        self.addWidget(detail)
        self.setChildrenCollapsible(False)
        self.setStretchFactor(0, 3)
        self.setStretchFactor(1, 2)
        kept = memory.recall(name) if memory else None
        if isinstance(kept, str):
            self.restoreState(QByteArray.fromBase64(kept.encode()))
        self.splitterMoved.connect(self._keep)

    @Slot()
    def _keep(self) -> None:
        if self._memory:
            self._memory.remember(self._name, bytes(self.saveState().toBase64().data()).decode())
