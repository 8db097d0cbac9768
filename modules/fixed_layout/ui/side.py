"""The panels at the left of a document, one of them at a time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.widgets.basics import ComboBox
from client.widgets.page.source import Attached, Entry, Note, Source
from client.widgets.page.thumbnails import Thumbnails
from client.widgets.theme import theme
from modules.common.text import tr
from modules.fixed_layout.domain import Mark
from modules.fixed_layout.services import Memory
from modules.fixed_layout.ui.panels import (
    EntryList,
    FactsPanel,
    OutlinePanel,
    SealsPanel,
    attached_words,
    mark_words,
    note_words,
)


class Side(QWidget):
    """Holds the panels and fills them."""

    def __init__(self, host: Host, source: Source, memory: Memory) -> None:
        super().__init__()
        self._source = source
        self._memory = memory
        self._facts: list[tuple[str, str]] = []
        self._theirs: Sequence[Entry] = ()
        self._notes: Sequence[Note] = ()
        self.attached: Sequence[Attached] = ()
        self.thumbnails = Thumbnails(host)
        self.outline = OutlinePanel()
        self.bookmarks = EntryList(
            tr("书签"), tr("还没有书签。按 Ctrl+B 给当前页加一个。"), (tr("加书签"), tr("删除")), tr("加书签")
        )
        self.seals = SealsPanel()
        self.notes = EntryList(tr("批注"), tr("没有批注。"), (tr("删除自己的"),))
        self.attachments = EntryList(tr("附件"), tr("没有附件。"), (tr("另存为…"),))
        self.hits = EntryList(tr("查找结果"), tr("按 Ctrl+F 在全文里查找。"))
        self.page_text = FactsPanel(tr("页面文字"))
        self.facts = FactsPanel(tr("文件属性"))
        self._panels: list[tuple[str, QWidget]] = [
            (tr("缩略图"), self.thumbnails),
            (tr("目录"), self.outline),
            (tr("书签"), self.bookmarks),
            (tr("印章与签名"), self.seals),
            (tr("批注与签批"), self.notes),
            (tr("附件"), self.attachments),
            (tr("查找结果"), self.hits),
            (tr("页面文字"), self.page_text),
            (tr("文件属性"), self.facts),
        ]
        self.choice = ComboBox(tr("左侧显示"))
        self._stack = QStackedWidget()
        for name, widget in self._panels:
            self.choice.addItem(name)
            self._stack.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(2))
        column.addWidget(self.choice)
        column.addWidget(self._stack, 1)
        self.choice.currentIndexChanged.connect(self._changed)

    @property
    def current(self) -> QWidget:
        """The panel in front."""
        return self._panels[self.choice.currentIndex()][1]

    def bring(self, panel: QWidget) -> None:
        """Bring a panel to the front, the side being shown."""
        self.show()
        self.choice.setCurrentIndex(next(at for at, (_, each) in enumerate(self._panels) if each is panel))

    @Slot(int)
    def _changed(self, number: int) -> None:
        self._stack.setCurrentIndex(number)
        if self.current is self.facts:
            self._show_facts()  # more may have been left out since

    def show_outline(self, outline: Sequence[Entry], bookmarks: Sequence[Entry]) -> None:
        """Show the document's outline and its own bookmarks."""
        self.outline.show_entries(outline)
        self._theirs = bookmarks
        self.show_bookmarks()

    def show_bookmarks(self) -> None:
        """Show one's own bookmarks, then the document's."""
        own = [
            (tr("{name}（第 {n} 页）", name=each["name"], n=int(each["page"]) + 1), each)
            for each in self._memory.bookmarks
        ]
        given = [
            (
                tr("{name}（第 {n} 页，文件自带）", name=entry.title, n=entry.page + 1),
                {"page": entry.page, "top": entry.top},
            )
            for entry in self._theirs
            if entry.page >= 0
        ]
        self.bookmarks.show_entries([*own, *given])

    def show_attachments(self, found: Sequence[Attached]) -> None:
        """List the attachments."""
        self.attached = found
        self.attachments.show_entries([(attached_words(each), number) for number, each in enumerate(found)])

    def show_found_notes(self, found: Sequence[Note], marks: Sequence[Mark]) -> None:
        """List the document's annotations, once they were read."""
        self._notes = found
        self.show_notes(marks)

    def show_notes(self, marks: Sequence[Mark]) -> None:
        """List what one wrote oneself, then the document's annotations."""
        own = [(mark_words(mark), mark) for mark in marks]
        self.notes.show_entries([*own, *((note_words(note), note) for note in self._notes)])

    def know_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Show the document's properties."""
        source, size = self._source, self._source.size(0)
        self._facts = [
            (tr("文件"), self._memory.name),
            (tr("格式"), source.format),
            (tr("大小"), f"{len(source.data) / 1024:,.0f} KB"),
            (tr("页数"), str(source.pages)),
            (tr("第一页"), tr("{width} × {height} 毫米", width=f"{size.width:.0f}", height=f"{size.height:.0f}")),
            *facts,
            ("SHA-256", self._memory.digest),
        ]
        self._show_facts()

    def _show_facts(self) -> None:
        lines = [tr("{name}：{value}", name=name, value=value) for name, value in self._facts]
        left_out = self._source.report()
        lines += ["", tr("没有看懂、没有显示的内容：")]
        lines += [f"· {each}" for each in left_out] or [tr("没有。")]
        self.facts.show_text("\n".join(lines))
