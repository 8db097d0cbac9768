"""Small pictures of all pages, drawn as they come into sight."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
    Slot,
)
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QWidget

from client.kernel.contract import Lanes
from client.widgets.page.source import Source
from client.widgets.page.tiles import Level, Tiles, pieces
from client.widgets.theme import theme
from modules.common.text import tr

_BUDGET = 24 << 20
_MOST_MM = 420.0
Index = QModelIndex | QPersistentModelIndex


class _Pages(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def rowCount(self, parent: Index | None = None) -> int:
        return self.count

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return str(index.row() + 1)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return tr("第 {n} 页", n=index.row() + 1)
        return None


class _Painter(QStyledItemDelegate):
    def __init__(self, owner: Thumbnails) -> None:
        super().__init__(owner)
        self._owner = owner

    def sizeHint(self, option: Any, index: Index) -> QSize:
        side = self._owner.side
        return QSize(side + theme().space(4), side + theme().space(8))

    def paint(self, painter: QPainter, option: Any, index: Index) -> None:
        self._owner.paint_page(painter, option.rect, index.row(), bool(option.state & QStyle.StateFlag.State_Selected))


class Thumbnails(QListView):
    """``chosen`` carries the index of a page that somebody went to."""

    chosen = Signal(int)

    def __init__(self, lanes: Lanes, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._source: Source | None = None
        self._model = _Pages()
        self.tiles = Tiles(lanes, _BUDGET, self)
        self.tiles.arrived.connect(self._arrived)
        self.setAccessibleName(tr("缩略图"))
        self.setModel(self._model)
        self.setItemDelegate(_Painter(self))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._want)
        self.verticalScrollBar().valueChanged.connect(self._later)
        self.selectionModel().currentChanged.connect(self._moved)
        self.activated.connect(self._go)
        self.clicked.connect(self._go)
        theme().changed.connect(self._restyle)

    @property
    def side(self) -> int:
        """The room of a picture, in pixels."""
        return theme().text_width(9)

    def open(self, source: Source | None) -> None:
        """Show another document's pages, or none."""
        self._source = source
        self.tiles.open(source)
        self._model.beginResetModel()
        self._model.count = source.pages if source else 0
        self._model.endResetModel()
        self._later()

    def show_page(self, page: int) -> None:
        """Mark the page that is read."""
        index = self._model.index(page)
        if index.isValid() and index != self.currentIndex():
            self.selectionModel().blockSignals(True)
            self.setCurrentIndex(index)
            self.selectionModel().blockSignals(False)
            self.scrollTo(index)
            self.viewport().update()

    def _level(self, page: int) -> Level:
        assert self._source is not None
        size = self._source.size(page)
        longest = min(max(size.width, size.height), _MOST_MM * 10)
        return Level(round(self.side * self.devicePixelRatioF() / longest, 5), 0, False)

    def _seen(self) -> range:
        if self._source is None:
            return range(0)
        first = self.indexAt(self.viewport().rect().topLeft() + self._inset())
        last = self.indexAt(self.viewport().rect().bottomRight() - self._inset())
        start = first.row() if first.isValid() else 0
        columns = max(self.viewport().width() // max(self.side, 1), 1)
        rows = self.viewport().height() // (self.side + theme().space(8)) + 2
        end = last.row() + 1 if last.isValid() else start + columns * rows
        return range(start, min(max(end, start + 1), self._source.pages))

    def _inset(self) -> Any:
        return QRect(0, 0, theme().space(5), theme().space(5)).bottomRight()

    @Slot()
    def _later(self) -> None:
        self._timer.start(0)

    @Slot()
    def _want(self) -> None:
        if self._source is None or not self.isVisible():
            self.tiles.cancel()
            return
        side = round(self.side * self.devicePixelRatioF()) + 2
        wanted = []
        for page in self._seen():
            wanted += pieces(page, self._source.size(page), self._level(page), QRect(0, 0, side, side))
        self.tiles.want(wanted)

    def paint_page(self, painter: QPainter, rect: QRect, page: int, current: bool) -> None:
        """Draw a page, small, with its number."""
        if self._source is None:
            return
        size, level = self._source.size(page), self._level(page)
        ratio = self.devicePixelRatioF()
        wide, high = round(size.width * level.scale / ratio), round(size.height * level.scale / ratio)
        room = QRect(rect.x(), rect.y() + theme().space(2), rect.width(), self.side)
        place = QRect(0, 0, max(wide, 4), max(high, 4))
        place.moveCenter(room.center())
        painter.save()
        painter.fillRect(place, theme().color("paper"))
        painter.translate(place.topLeft())
        painter.scale(1 / ratio, 1 / ratio)
        whole = QRect(0, 0, round(place.width() * ratio), round(place.height() * ratio))
        self.tiles.draw(painter, page, level, whole, whole)
        painter.restore()
        painter.save()
        pen = painter.pen()
        pen.setColor(theme().color("accent" if current else "line"))
        pen.setWidth(2 if current else 1)
        painter.setPen(pen)
        painter.drawRect(place.adjusted(-1, -1, 0, 0))
        painter.setPen(theme().color("accent" if current else "quiet"))
        words = QRect(rect.x(), room.bottom() + 1, rect.width(), rect.bottom() - room.bottom())
        painter.drawText(words, Qt.AlignmentFlag.AlignCenter, str(page + 1))
        painter.restore()

    @Slot(int)
    def _arrived(self, page: int) -> None:
        self.viewport().update(self.visualRect(self._model.index(page)))

    @Slot(QModelIndex)
    def _moved(self, index: QModelIndex) -> None:
        if index.isValid():
            self.chosen.emit(index.row())

    @Slot(QModelIndex)
    def _go(self, index: QModelIndex) -> None:
        self.chosen.emit(index.row())

    @Slot()
    def _restyle(self) -> None:
        self.scheduleDelayedItemsLayout()
        self._later()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._later()

    def hideEvent(self, event: Any) -> None:
        super().hideEvent(event)
        self.tiles.cancel()

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._later()
