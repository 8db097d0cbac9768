"""What to accept: an item to begin with, or what was left unfinished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from client.kernel.ports import Draft, Record
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
from modules.acceptance.domain.cases import state_name
from modules.common.aggregate import Doc
from modules.common.text import tr


class StartPane(QWidget):
    """What to accept: an item to begin with, or what was left unfinished."""

    chosen = Signal(object)
    resumed = Signal(str)
    dropped = Signal(str)
    applied = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[Doc] = []
        self._found: frozenset[str] = frozenset()
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
            entries.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
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
        self.search.searched.connect(self._seek)
        self.search.submitted.connect(self._begin)
        self.items.itemActivated.connect(self._begin)
        self.begin.clicked.connect(self._begin)
        self.drafts.itemActivated.connect(self._resume)
        self.resume.clicked.connect(self._resume)
        self.drop.clicked.connect(self._drop)
        self.applications = QListWidget()
        self.applications.setAccessibleName(tr("网上申请和待补正"))
        self.applications.setSpacing(theme().space(1))
        self.applications.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.no_applications = Label(tr("没有等待到场的网上申请，也没有待补正的件。"), "quiet", wrap=True)
        self.open = Button(tr("打开申请"))
        online = Card(tr("网上申请和待补正"))
        online.body.addWidget(self.no_applications)
        online.body.addWidget(self.applications, 1000)
        online.body.addWidget(self.open, 0, Qt.AlignmentFlag.AlignRight)
        online.body.addStretch(1)
        side = QVBoxLayout()
        side.setSpacing(theme().space(4))
        side.addWidget(right, 1)
        side.addWidget(online, 1)
        row.addLayout(side, 2)
        self.applications.itemActivated.connect(self._apply)
        self.open.clicked.connect(self._apply)
        self.show_drafts([], {})
        self.show_applications([])

    @property
    def has_items(self) -> bool:
        """Whether there is anything to choose from."""
        return bool(self._items)

    def show_items(self, items: list[Doc]) -> None:
        """The items on offer."""
        self._items = items
        self._show_items()

    def show_found(self, text: str, ids: frozenset[str]) -> None:
        """Items that the store finds for ``text``, by pinyin initials; what was sought before is sought no more."""
        if text == self.search.text():
            self._found = ids
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

    def show_applications(self, records: Sequence[Record]) -> None:
        """Cases that wait at the counter before their acceptance: applied online, invited, to be corrected."""
        self.applications.clear()
        for record in records:
            words = state_name(record.state)
            entry = QListWidgetItem(f"{record.title}\n{words}")
            entry.setData(Qt.ItemDataRole.UserRole, record.id)
            entry.setData(Qt.ItemDataRole.AccessibleTextRole, f"{record.title} {words}")
            self.applications.addItem(entry)
        if records:
            self.applications.setCurrentRow(0)
        self.no_applications.setVisible(not records)
        for widget in (self.applications, self.open):
            widget.setVisible(bool(records))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up) and self.search.hasFocus():
            self.items.setFocus(Qt.FocusReason.OtherFocusReason)
            QApplication.sendEvent(self.items, event)
        else:
            super().keyPressEvent(event)

    @Slot()
    def _seek(self) -> None:
        self._found = frozenset()
        self._show_items()

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
            if item["id"] in self._found or all(word in f"{item['name']} {item['code']} {terms}" for word in words):
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

    @Slot()
    def _apply(self) -> None:
        if entry := self.applications.currentItem():
            self.applied.emit(entry.data(Qt.ItemDataRole.UserRole))
