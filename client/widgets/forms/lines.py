"""Lines that help to type: a date, a region."""

from __future__ import annotations

from PySide6.QtCore import QDate, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QHideEvent, QKeyEvent
from PySide6.QtWidgets import QCalendarWidget, QLineEdit, QListWidget, QListWidgetItem, QMenu, QWidget, QWidgetAction

from client.widgets.basics import LineEdit
from client.widgets.theme import theme
from modules.common.codes import find_regions, region_code, region_name
from modules.common.forms import as_date
from modules.common.text import tr


class DateEdit(LineEdit):
    """A date typed as ``2026-11-20``, ``20261120`` or ``2026年11月20日``, or picked (Alt+↓); shown as ISO text."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self.setPlaceholderText("2026-11-20")
        self._pick = self.addAction(theme().icon("calendar", "quiet", 16), QLineEdit.ActionPosition.TrailingPosition)
        self._pick.setToolTip(tr("选择日期（Alt+↓）"))
        self._pick.triggered.connect(self._open_calendar)
        self.editingFinished.connect(self._tidy)
        theme().changed.connect(self._retint)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self._open_calendar()
        else:
            super().keyPressEvent(event)

    @Slot()
    def _tidy(self) -> None:
        meant = as_date(self.text())
        if meant != self.text():
            self.setText(meant)

    @Slot()
    def _open_calendar(self) -> None:
        if self.isReadOnly():
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        calendar = QCalendarWidget()
        calendar.setVerticalHeaderFormat(QCalendarWidget.VerticalHeaderFormat.NoVerticalHeader)
        calendar.setAccessibleName(tr("选择日期"))
        held = QDate.fromString(as_date(self.text()), Qt.DateFormat.ISODate)
        if held.isValid():
            calendar.setSelectedDate(held)
        action = QWidgetAction(menu)
        action.setDefaultWidget(calendar)
        menu.addAction(action)
        calendar.activated.connect(self._picked)
        calendar.activated.connect(menu.close)
        menu.popup(self.mapToGlobal(QPoint(0, self.height())))
        calendar.setFocus()

    @Slot(QDate)
    def _picked(self, day: QDate) -> None:
        self.setText(day.toString(Qt.DateFormat.ISODate))
        self.textEdited.emit(self.text())

    @Slot()
    def _retint(self) -> None:
        self._pick.setIcon(theme().icon("calendar", "quiet", 16))


class RegionEdit(LineEdit):
    """A region found while typing: by name, by code, or by the initials of its pinyin (``lyq`` 琅琊区).

    The list below is no window of its own, so that an input method keeps composing; ↑↓ choose, Enter and Tab take,
    Esc closes, Alt+↓ opens. ``value`` is the code, or what was typed while it is none.
    """

    chosen = Signal()
    SHOWN = 8

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self._code = ""
        self._list: QListWidget | None = None
        self.setPlaceholderText(tr("名称、代码或拼音首字母"))
        self.textEdited.connect(self._look)

    def value(self) -> str:
        """The code of the region, or the text that names none."""
        return self._code or region_code(self.text()) or self.text()

    def set_value(self, value: str) -> None:
        """Show the region of a code by its whole name; what is no code is shown as it is."""
        name = region_name(value)
        self._code = value if name else ""
        self.setText(name or value)
        self._close()

    def offered(self) -> list[str]:
        """The codes that are listed now."""
        if not self._list or self._list.isHidden():
            return []
        return [str(self._list.item(row).data(Qt.ItemDataRole.UserRole)) for row in range(self._list.count())]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = event.key()
        opened = self._list is not None and not self._list.isHidden()
        if self.composing or self.isReadOnly():
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_Down and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self._look()
        elif opened and self._list and key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            step = 1 if key == Qt.Key.Key_Down else -1
            self._list.setCurrentRow((self._list.currentRow() + step) % self._list.count())
        elif opened and key == Qt.Key.Key_Escape:
            self._close()
        elif opened and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._take()
            super().keyPressEvent(event)
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        if next and self._list is not None and not self._list.isHidden():
            self._take()
        return super().focusNextPrevChild(next)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._close()
        if not self.isReadOnly() and not self._code and (code := region_code(self.text())):
            self.set_value(code)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._close()

    @Slot()
    def _look(self) -> None:
        self._code = ""
        found = find_regions(self.text(), self.SHOWN)
        if not found:
            self._close()
            return
        if self._list is None:
            self._list = QListWidget(self.window())
            self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self._list.setAccessibleName(self.accessibleName())
            self._list.itemClicked.connect(self._take)
            self.destroyed.connect(self._list.deleteLater)
        self._list.clear()
        for each in found:
            name = region_name(each.code, each.last)
            words = name if each.current else tr("{name}（{year} 年撤销）", name=name, year=each.last)
            item = QListWidgetItem(tr("{name}　{code}", name=words, code=each.code))
            item.setData(Qt.ItemDataRole.UserRole, each.code)
            self._list.addItem(item)
        self._list.setCurrentRow(0)
        self._place(self._list)

    def _place(self, shown: QListWidget) -> None:
        """Below the line, or above it where the window ends."""
        rows = shown.count() * max(shown.sizeHintForRow(0), theme().size("row")) + theme().space(2)
        below = self.mapTo(self.window(), QPoint(0, self.height()))
        if below.y() + rows > self.window().height():
            below = self.mapTo(self.window(), QPoint(0, 0)) - QPoint(0, rows)
        shown.setGeometry(below.x(), max(below.y(), 0), max(self.width(), theme().text_width(22)), rows)
        shown.show()
        shown.raise_()

    @Slot()
    def _take(self) -> None:
        item = self._list.currentItem() if self._list else None
        if item is not None:
            self.set_value(str(item.data(Qt.ItemDataRole.UserRole)))
            self.chosen.emit()

    def _close(self) -> None:
        if self._list is not None:
            self._list.hide()
