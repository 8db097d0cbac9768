"""Ctrl+K: every command, every page, and the records that a few words, a number or a scanned code find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, Qt, QTimer, Slot
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QListWidget,
    QListWidgetItem,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from client.kernel.commands import Command, CommandBook
from client.kernel.contract import Host, Token
from client.kernel.ports import Record, Records
from client.widgets.basics import Label, LineEdit
from client.widgets.theme import set_role, theme
from modules.common.permissions import Actor
from modules.common.text import tr

PAUSE_MS = 120
RECORDS_AT_MOST = 8
_ASIDE = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the palette."""

    title: str
    aside: str
    icon: str
    run: Callable[[], None]


class _Line(QStyledItemDelegate):
    """A line with its shortcut or number at the right."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        painter.save()
        painter.setPen(theme().color("quiet"))
        painter.setFont(theme().font("small"))
        box = option.rect.adjusted(0, 0, -theme().space(3), 0)  # type: ignore[attr-defined]
        painter.drawText(
            box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, str(index.data(_ASIDE) or "")
        )
        painter.restore()


class Palette(QDialog):
    """Finds and does. Open it with ``open()``; it forgets itself when it closes.

    ``pages``: which page shows the records of a kind.
    """

    def __init__(
        self, book: CommandBook, actor: Actor, host: Host, pages: Mapping[str, str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self._book = book
        self._actor = actor
        self._host = host
        self._pages = pages
        self._choices: list[Choice] = []
        self._records: list[Choice] = []
        self._token: Token | None = None
        self._looking = False
        self._entered = False
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("搜索"))
        set_role(self, "palette")
        self.edit = LineEdit(tr("搜索办件、页面、命令"))
        self.edit.setPlaceholderText(tr("编号、姓名、扫码，或页面和命令的名称"))
        self.list = QListWidget()
        self.list.setAccessibleName(tr("找到的内容"))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setItemDelegate(_Line(self.list))
        self._hint = Label(tr("↑↓ 选择 · Enter 打开 · Esc 关闭"), "small")
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(3),) * 4)
        column.setSpacing(theme().space(2))
        column.addWidget(self.edit)
        column.addWidget(self.list, 1)
        column.addWidget(self._hint)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._look)
        self.edit.textChanged.connect(self._search)
        self.edit.submitted.connect(self._enter)
        self.list.itemClicked.connect(self._clicked)
        self._search("")
        self._place()

    def _place(self) -> None:
        above = self.parentWidget()
        room = above.size() if above is not None else self.size()
        wide = min(theme().text_width(44), room.width() - theme().space(8))
        high = min(theme().text_width(32), room.height() - theme().space(16))
        self.resize(wide, high)
        if above is not None:
            self.move(above.mapToGlobal(QPoint((room.width() - wide) // 2, theme().space(12))))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_PageDown: 8,
            Qt.Key.Key_PageUp: -8,
        }.get(Qt.Key(event.key()), 0)
        if step and self._choices:
            row = min(max(self.list.currentRow() + step, 0), len(self._choices) - 1)
            self._point(row)
        else:
            super().keyPressEvent(event)

    def done(self, result: int) -> None:
        self._pause.stop()
        if self._token is not None:
            self._token.cancel()
        super().done(result)

    @Slot(str)
    def _search(self, text: str) -> None:
        self._entered = False
        self._records = []
        self._looking = False
        if self._token is not None:
            self._token.cancel()
        self._show()
        self._pause.stop()
        if text.strip() and self._pages:
            self._pause.start()

    @Slot()
    def _look(self) -> None:
        self._pause.stop()
        self._looking = True
        self._token = self._host.run(
            "read",
            partial(_find, self._host, tuple(self._pages), self.edit.text().strip()),
            done=self._found,
            name=tr("查找"),
        )

    def _found(self, records: Sequence[Record]) -> None:
        self._looking = False
        self._records = [
            Choice(
                record.title,
                record.number,
                "file-text",
                partial(self._host.open_page, self._pages[record.kind], **{record.kind: record.id}),
            )
            for record in records
        ]
        self._show()
        if self._entered:
            self._run_current()

    def _show(self) -> None:
        text = self.edit.text()
        commands = [_of_command(command) for command in self._book.search(text, self._actor)]
        # what was scanned or typed as a number is meant before any command that happens to match
        self._choices = [*self._records, *commands]
        self.list.clear()
        for choice in self._choices:
            item = QListWidgetItem(theme().icon(choice.icon or "chevron-right", "quiet"), choice.title)
            item.setData(_ASIDE, choice.aside)
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{choice.title} {choice.aside}".strip())
            self.list.addItem(item)
        self._point(0 if self._choices else -1)
        nothing = bool(text.strip()) and not (self._choices or self._looking or self._pause.isActive())
        self._hint.setText(tr("没有找到“{text}”。", text=text) if nothing else tr("↑↓ 选择 · Enter 打开 · Esc 关闭"))

    def _point(self, row: int) -> None:
        self.list.setCurrentRow(row)
        self.edit.setAccessibleDescription(self._choices[row].title if row >= 0 else "")

    @Slot()
    def _enter(self) -> None:
        """Enter after a scan comes before the records do: look first, then open."""
        if self._pause.isActive():
            self._entered = True
            self._look()
        elif self._looking:
            self._entered = True
        else:
            self._run_current()

    @Slot(QListWidgetItem)
    def _clicked(self, item: QListWidgetItem) -> None:
        self._run_current()

    def _run_current(self) -> None:
        row = self.list.currentRow()
        if row < 0:
            return
        run = self._choices[row].run
        self.accept()
        run()


def _of_command(command: Command) -> Choice:
    return Choice(command.title, command.shortcut, command.icon, command.run)


def _find(host: Host, kinds: Sequence[str], text: str, _token: Token) -> list[Record]:
    records = host.service(Records)  # type: ignore[type-abstract]
    found = [record for kind in kinds for record in records.find(kind, text=text, limit=RECORDS_AT_MOST)]
    return sorted(found, key=lambda record: record.number != text)[:RECORDS_AT_MOST]
