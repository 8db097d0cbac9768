"""What to accept: an item to begin with, or what was left unfinished."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QWidget,
)

from client.kernel.ports import Draft
from client.widgets.basics import (
    Button,
    Card,
    ConfirmDialog,
    Label,
    LinkButton,
    PrimaryButton,
    SearchBox,
)
from client.widgets.theme import theme
from modules.common.aggregate import Doc
from modules.common.text import tr


class StartPane(QWidget):
    """What to accept: an item to begin with, or what was left unfinished."""

    chosen = Signal(object)
    resumed = Signal(str)
    dropped = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[Doc] = []
        self.search = SearchBox(tr("查找事项"))
        self.items = QListWidget()
        self.items.setAccessibleName(tr("事项"))
        self.drafts = QListWidget()
        self.drafts.setAccessibleName(tr("未完成的受理"))
        self.none = Label(tr("没有未完成的受理。填写中的内容随时自动保存，中断后从这里继续。"), "quiet", wrap=True)
        self.begin = PrimaryButton(tr("开始受理"))
        self.resume = Button(tr("继续办理"))
        self.drop = LinkButton(tr("删除草稿"))
        for entries in (self.items, self.drafts):
            entries.setSpacing(theme().space(1))
        left, right = Card(tr("选择事项")), Card(tr("未完成的受理"))
        left.body.addWidget(self.search)
        left.body.addWidget(self.items, 1)
        left.body.addWidget(self.begin, 0, Qt.AlignmentFlag.AlignRight)
        right.body.addWidget(self.none)
        right.body.addWidget(self.drafts, 1000)  # all the room, while there are any
        buttons = QHBoxLayout()
        buttons.addWidget(self.drop)
        buttons.addStretch(1)
        buttons.addWidget(self.resume)
        right.body.addLayout(buttons)
        right.body.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme().space(4))
        row.addWidget(left, 3)
        row.addWidget(right, 2)
        self.search.searched.connect(self._show_items)
        self.search.submitted.connect(self._begin)
        self.items.itemActivated.connect(self._begin)
        self.begin.clicked.connect(self._begin)
        self.drafts.itemActivated.connect(self._resume)
        self.resume.clicked.connect(self._resume)
        self.drop.clicked.connect(self._drop)
        self.show_drafts([], {})

    @property
    def has_items(self) -> bool:
        """Whether there is anything to choose from."""
        return bool(self._items)

    def show_items(self, items: list[Doc]) -> None:
        """The items on offer."""
        self._items = items
        self._show_items()

    def show_drafts(self, drafts: list[Draft], words: Mapping[str, str]) -> None:
        """The drafts, each with when it was left."""
        self.drafts.clear()
        for draft in drafts:
            entry = QListWidgetItem(f"{draft.title}\n{words[draft.id]}")
            entry.setData(Qt.ItemDataRole.UserRole, draft.id)
            entry.setData(Qt.ItemDataRole.AccessibleTextRole, f"{draft.title} {words[draft.id]}")
            self.drafts.addItem(entry)
        if drafts:
            self.drafts.setCurrentRow(0)
        self.none.setVisible(not drafts)
        for widget in (self.drafts, self.resume, self.drop):
            widget.setVisible(bool(drafts))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up) and self.search.hasFocus():
            self.items.setFocus(Qt.FocusReason.OtherFocusReason)
            QApplication.sendEvent(self.items, event)
        else:
            super().keyPressEvent(event)

    @Slot()
    def _show_items(self) -> None:
        words = self.search.text().split()
        held = self.items.currentItem()
        chosen = held.data(Qt.ItemDataRole.UserRole) if held else ""
        row = 0
        self.items.clear()
        for item in self._items:
            terms = tr("{department} · {kind} · {n} 个工作日", n=item["promised_days"],
                       department=item["department"], kind=item["kind"])  # fmt: skip
            if all(word in f"{item['name']} {item['code']} {terms}" for word in words):
                entry = QListWidgetItem(f"{item['name']}\n{terms}")
                entry.setData(Qt.ItemDataRole.UserRole, item["id"])
                entry.setData(Qt.ItemDataRole.AccessibleTextRole, item["name"])
                entry.setToolTip(item["summary"])
                self.items.addItem(entry)
                row = self.items.count() - 1 if item["id"] == chosen else row
        self.items.setCurrentRow(row)
        self.begin.setEnabled(self.items.count() > 0)

    @Slot()
    def _begin(self) -> None:
        entry = self.items.currentItem()
        if entry:
            id = entry.data(Qt.ItemDataRole.UserRole)
            self.chosen.emit(next(item for item in self._items if item["id"] == id))

    @Slot()
    def _resume(self) -> None:
        if entry := self.drafts.currentItem():
            self.resumed.emit(entry.data(Qt.ItemDataRole.UserRole))

    @Slot()
    def _drop(self) -> None:
        if entry := self.drafts.currentItem():
            dialog = ConfirmDialog(
                tr("删除草稿"),
                tr("“{title}”填写的内容将从本机删除，不能恢复。", title=entry.text().partition("\n")[0]),
                keep=tr("不删除"),
                parent=self,
            )
            dialog.accepted.connect(partial(self.dropped.emit, entry.data(Qt.ItemDataRole.UserRole)))
            dialog.open()
