"""办理要点: review points and knowledge beside the material at hand; rated, and mended by its department. C20, C31."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from client.widgets.basics import Card, Label, LinkButton, SearchBox
from client.widgets.dialogs import TextDialog
from client.widgets.theme import theme
from modules.acceptance.domain.knowledge import sort_name, useful
from modules.common.aggregate import Doc
from modules.common.text import tr

MOST = 12
"""Entries shown at once; the search finds the others."""


class PointsPane(Card):
    """What to look at now. ``rated``: an entry's id and whether it helped; ``asked``: entry's id or nothing, and words.

    ``searched`` asks for entries by words; empty words mean those at hand again.
    """

    rated = Signal(str, bool)
    asked = Signal(str, str)
    searched = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("办理要点"), parent)
        self.search = SearchBox(tr("查知识库"))
        self._head = Label("", "heading", wrap=True)
        self._points = Label("", wrap=True)
        self._entries = QVBoxLayout()
        self._shown: list[Entry] = []
        self._none = Label(tr("这里还没有相关知识。"), "quiet", wrap=True)
        self.ask = LinkButton(tr("不准或不全？请部门更新"), icon="message-square")
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, theme().space(2), 0)
        column.addWidget(self._head)
        column.addWidget(self._points)
        column.addLayout(self._entries)
        column.addWidget(self._none)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        self.body.addWidget(self.search)
        self.body.addWidget(area, 1)
        self.body.addWidget(self.ask, 0, Qt.AlignmentFlag.AlignLeft)
        self.search.searched.connect(self.searched)
        self.ask.clicked.connect(partial(self._ask, ""))
        self.setAccessibleName(tr("办理要点"))

    def show_material(self, material: Mapping[str, Any] | None) -> None:
        """The review points of the material at hand; of none, only knowledge is shown."""
        self._head.setVisible(material is not None)
        self._points.setVisible(material is not None)
        if material is not None:
            self._head.setText(str(material["name"]))
            standard = [str(material["accept_standard"])] if material.get("accept_standard") else []
            self._points.setText("\n".join(f"· {point}" for point in [*material["review"], *standard]))

    def show_entries(self, entries: Sequence[Doc], mine: str) -> None:
        """Entries, the nearest first; ``mine`` is the reader's id, whose own opinions are marked."""
        for entry in self._shown:
            self._entries.removeWidget(entry)
            entry.hide()
            entry.deleteLater()
        self._shown = [Entry(doc, mine) for doc in entries[:MOST]]
        for entry in self._shown:
            self._entries.addWidget(entry)
            entry.rated.connect(self.rated)
            entry.ask_wanted.connect(self._ask)
        self._none.setVisible(not self._shown)

    @Slot(str)
    def _ask(self, entry_id: str) -> None:
        dialog = TextDialog(
            tr("送给部门"),
            tr("哪里不准、应当怎样"),
            self,
            consequence=tr("部门会在“知识库反馈”里收到，处理后您会看到答复。"),
            needed=tr("请写明哪里不准。"),
        )
        dialog.given.connect(partial(self.asked.emit, entry_id))
        dialog.open()


class FoldButton(QToolButton):
    """A title of any length that folds something open: it gives way to what stands beside it."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self.setText(title)
        self.setAccessibleName(title)
        self.setToolTip(title)
        self.setCheckable(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setText(self._title)
        beside = self.sizeHint().width() - self.fontMetrics().horizontalAdvance(self._title)
        self.setText(self.fontMetrics().elidedText(self._title, Qt.TextElideMode.ElideRight, self.width() - beside))


class Entry(QWidget):
    """One entry: its title folds it open."""

    rated = Signal(str, bool)
    ask_wanted = Signal(str)

    def __init__(self, doc: Doc, mine: str) -> None:
        super().__init__()
        self._id = str(doc["id"])
        good, _bad = useful(doc)
        opinion = doc.get("ratings", {}).get(mine, {}).get("useful")
        self.title = FoldButton(str(doc["title"]))
        self.title.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.title.setIcon(theme().icon("chevron-right", "quiet", 16))
        sort = Label(sort_name(str(doc["kind"])), "small")
        basis = f"\n{doc['basis']}" if doc.get("basis") else ""
        self._text = Label(f"{doc['text']}{basis}", wrap=True, selectable=True)
        self.yes = LinkButton(tr("有用 {n}", n=good) if good else tr("有用"), icon="thumbs-up")
        self.no = LinkButton(tr("没用"), icon="thumbs-down")
        self.wrong = LinkButton(tr("不准"))
        for button, says in ((self.yes, True), (self.no, False)):
            button.setAccessibleName(f"{doc['title']} {button.text()}")
            button.setCheckable(True)
            button.setChecked(opinion is says)
            button.clicked.connect(partial(self._rate, says))
        self.wrong.setAccessibleName(tr("{title} 不准", title=doc["title"]))
        self.wrong.clicked.connect(partial(self.ask_wanted.emit, self._id))
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(sort)
        self._foot = QWidget()
        foot = QHBoxLayout(self._foot)
        foot.setContentsMargins(0, 0, 0, 0)
        for button in (self.yes, self.no, self.wrong):
            foot.addWidget(button)
        foot.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(1))
        column.addLayout(head)
        column.addWidget(self._text)
        column.addWidget(self._foot)
        self.title.toggled.connect(self._unfold)
        self._unfold(False)

    @Slot(bool)
    def _unfold(self, open: bool) -> None:
        self._text.setVisible(open)
        self._foot.setVisible(open)
        self.title.setIcon(theme().icon("chevron-down" if open else "chevron-right", "quiet", 16))

    @Slot()
    def _rate(self, says: bool) -> None:
        self.yes.setChecked(says)
        self.no.setChecked(not says)
        self.rated.emit(self._id, says)
