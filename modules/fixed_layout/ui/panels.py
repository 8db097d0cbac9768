"""What stands at the left of the pages: outline, bookmarks, seals, annotations, attachments, properties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QItemSelectionModel, Qt, Signal, Slot
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from client.widgets.basics import Button, Label, SectionTitle, StateLabel, TextEdit
from client.widgets.page.source import Attached, Entry, Note
from client.widgets.theme import theme
from modules.common.seals.report import SignatureReport, Verdict
from modules.common.text import tr
from modules.fixed_layout.domain import HIGHLIGHT, INK, OPINION, Mark

STATES = {Verdict.VALID: "good", Verdict.WARNING: "yellow", Verdict.UNVERIFIABLE: "paused", Verdict.INVALID: "red"}
"""How a verdict looks."""
_DATA = Qt.ItemDataRole.UserRole


class OutlinePanel(QTreeWidget):
    """The outline; ``chosen`` carries a page and a height in millimetres."""

    chosen = Signal(int, float)

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderHidden(True)
        self.setAccessibleName(tr("目录"))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.itemActivated.connect(self._go)
        self.itemClicked.connect(self._go)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show an outline, its first level open."""
        self.clear()
        for entry in entries:
            self.addTopLevelItem(_tree_item(entry))
        if len(entries) <= 3:
            self.expandToDepth(0)

    def _go(self, item: QTreeWidgetItem, column: int) -> None:
        page, top = item.data(0, _DATA)
        if page >= 0:
            self.chosen.emit(page, top)


def _tree_item(entry: Entry) -> QTreeWidgetItem:
    item = QTreeWidgetItem([entry.title])
    item.setData(0, _DATA, (entry.page, entry.top))
    item.setToolTip(0, entry.title)
    item.addChildren([_tree_item(child) for child in entry.children])
    return item


class EntryList(QWidget):
    """A list of things in the document, and what can be done with the one that is chosen.

    ``chosen`` carries what was given with an entry, ``acted`` the words of a button and that. ``always`` is the one
    of the ``actions`` that needs no entry.
    """

    chosen = Signal(object)
    acted = Signal(str, object)

    def __init__(self, name: str, empty: str, actions: Sequence[str] = (), always: str = "") -> None:
        super().__init__()
        self._always = always
        self._empty = Label(empty, "quiet", wrap=True)
        self.list = QListWidget()
        self.list.setAccessibleName(name)
        self.list.setWordWrap(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.itemActivated.connect(self._go)
        self.list.itemClicked.connect(self._go)
        self.buttons: dict[str, Button] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(2))
        column.addWidget(self._empty)
        column.addWidget(self.list, 1)
        row = QHBoxLayout()
        for words in actions:
            button = self.buttons[words] = Button(words)
            button.clicked.connect(lambda checked=False, words=words: self._act(words))
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        column.addStretch(0)
        self.show_entries(())

    def show_entries(self, entries: Sequence[tuple[str, Any]]) -> None:
        """Show entries, each its words and what it stands for."""
        self.list.clear()
        for words, data in entries:
            item = QListWidgetItem(words)
            item.setData(_DATA, data)
            item.setToolTip(words)
            self.list.addItem(item)
        self._fit()

    def add_entry(self, words: str, data: Any) -> None:
        """One more at the end."""
        item = QListWidgetItem(words)
        item.setData(_DATA, data)
        self.list.addItem(item)
        self._fit()

    def _fit(self) -> None:
        """What acts on the entry that is chosen is there only while there are entries."""
        some = self.list.count() > 0
        self._empty.setVisible(not some)
        self.list.setVisible(some)
        for words, button in self.buttons.items():
            button.setVisible(some or words == self._always)

    def choose(self, number: int) -> None:
        """Mark an entry without going there."""
        self.list.setCurrentRow(number, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    @property
    def current(self) -> Any:
        """What the chosen entry stands for, or None."""
        item = self.list.currentItem()
        return item.data(_DATA) if item is not None else None

    def _go(self, item: QListWidgetItem) -> None:
        self.chosen.emit(item.data(_DATA))

    def _act(self, words: str) -> None:
        self.acted.emit(words, self.current)


def note_words(note: Note) -> str:
    """An annotation in the list."""
    first = tr("第 {n} 页 · {kind}", n=note.page + 1, kind=note.kind)
    return "\n".join(part for part in (" · ".join(filter(None, (first, note.author))), note.text.strip()) if part)


def mark_words(mark: Mark) -> str:
    """What somebody put on a page, in the list."""
    kind = {INK: tr("手写签批"), OPINION: tr("意见"), HIGHLIGHT: tr("高亮")}[mark.kind]
    first = tr("第 {n} 页 · {kind}", n=mark.page + 1, kind=kind)
    return f"{first}\n{mark.person} {mark.day} {mark.text[:80]}".rstrip()


def attached_words(attached: Attached) -> str:
    """An attachment in the list."""
    if attached.size < 0:
        return attached.name
    size = f"{attached.size / 1024:.1f} KB" if attached.size < 1 << 20 else f"{attached.size / (1 << 20):.1f} MB"
    return f"{attached.name}  {size}"


class SealsPanel(QScrollArea):
    """Every signature with its verdict; its steps unfold. ``chosen`` carries a page and a height in millimetres."""

    chosen = Signal(int, float)

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._fill([Label(tr("正在验证…"), "quiet")])

    def show_reports(self, reports: Sequence[SignatureReport], about: str) -> None:
        """Show what verifying found; ``about`` is said at the end."""
        parts: list[QWidget] = []
        for report in reports:
            parts += self._signature(report)
        if not reports:
            parts.append(Label(tr("这份文件没有印章和签名。"), "quiet", wrap=True))
        parts.append(Label(about, "small", wrap=True))
        self._fill(parts)

    def _signature(self, report: SignatureReport) -> list[QWidget]:
        parts: list[QWidget] = [
            SectionTitle(report.seal_name or report.signer or tr("签名")),
            StateLabel(STATES[report.verdict], report.verdict.words),
            Label(report.summary(), wrap=True, selectable=True),
        ]
        parts[0].setWordWrap(True)  # type: ignore[attr-defined]
        signed = report.time.astimezone().strftime("%Y-%m-%d %H:%M") if report.time else ""
        vouched = tr("（有时间戳）") if report.timestamped else tr("（签章人自报）")
        facts = (
            (tr("签章人"), report.signer),
            (tr("签章时间"), f"{signed}{vouched}" if signed else ""),
            (tr("后续签章"), tr("已锁定，不允许再加盖") if report.locked else ""),
        )
        parts += [
            Label(tr("{name}：{value}", name=name, value=value), "small", wrap=True) for name, value in facts if value
        ]
        pages = sorted({stamp.page for stamp in report.stamps if stamp.page >= 0})
        if pages:
            go = Button(tr("看第 {n} 页上的章", n=pages[0] + 1))
            top = next(stamp.boundary[1] for stamp in report.stamps if stamp.page == pages[0])
            go.clicked.connect(lambda checked=False, page=pages[0], top=top: self.chosen.emit(page, max(top - 20, 0.0)))
            parts.append(go)
        steps = QWidget()
        column = QVBoxLayout(steps)
        column.setContentsMargins(0, 0, 0, 0)
        for step in report.steps:
            column.addWidget(StateLabel(STATES[step.verdict], step.name))
            column.addWidget(Label(step.detail, "small", wrap=True, selectable=True))
        for path in report.uncovered[:50]:
            column.addWidget(Label(tr("未受保护：{path}", path=path), "small", wrap=True, selectable=True))
        why = Button(tr("收起验证步骤"))
        why.clicked.connect(lambda checked=False: self._unfold(why, steps))
        parts += [why, steps]
        if report.verdict is Verdict.VALID:
            self._unfold(why, steps)
        return parts

    @staticmethod
    def _unfold(why: Button, steps: QWidget) -> None:
        shown = steps.isHidden()
        steps.setVisible(shown)
        why.set_label(tr("收起验证步骤") if shown else tr("展开验证步骤"))

    def _fill(self, parts: Sequence[QWidget]) -> None:
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(*(theme().space(2),) * 4)
        column.setSpacing(theme().space(2))
        for part in parts:
            column.addWidget(part)
        column.addStretch(1)
        old = self.takeWidget()
        if old is not None:
            old.deleteLater()
        self.setWidget(inside)


class FactsPanel(QWidget):
    """The document's properties and what of it was left out, as text that can be read line by line and copied."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.text = TextEdit(name, 6)
        self.text.setReadOnly(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.text, 1)

    @Slot(str)
    def show_text(self, text: str) -> None:
        """Show other text from its beginning."""
        if text != self.text.text():
            self.text.setText(text)
