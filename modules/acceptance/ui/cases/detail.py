"""One case in full: what was asked for, what was handed in, what happened, the papers of it, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QTabWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.kernel.ports import Record, RefusedCommand
from client.widgets.basics import Banner, Card, Label, StateLabel
from client.widgets.flow import flowing
from client.widgets.theme import theme
from modules.acceptance.domain.cases import ACCEPT, COMMANDS, Offer, whole
from modules.acceptance.domain.cases.rules import ROWS
from modules.acceptance.services.papers import title_of
from modules.acceptance.ui.cases.actions import Actions
from modules.acceptance.ui.cases.content import ContentTab
from modules.acceptance.ui.cases.course import CourseTab
from modules.acceptance.ui.cases.looks import case_state, marks, sync_state
from modules.acceptance.ui.cases.materials import MaterialsTab
from modules.acceptance.ui.cases.papers import PapersTab
from modules.acceptance.ui.work import PageWork
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.text import tr

MATERIALS, PAPERS = 1, 3
"""Places of the tabs that fetch what they show."""


class CaseDetail(QWidget):
    """Shows a case and offers what the person may do with it."""

    dismissed = Signal(str)

    def __init__(self, host: Host, work: PageWork, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.record: Record | None = None
        self._refused: Sequence[RefusedCommand] = ()
        self._opinions: dict[str, str] = {}
        self.title = Label("", "heading", wrap=True)
        self.number = Label("", "quiet", selectable=True)
        self.state, self.due, self.sync, self.marks = StateLabel(), StateLabel(), StateLabel(), StateLabel()
        self.tray = Banner()
        self.banner = Banner()
        self.content, self.materials = ContentTab(), MaterialsTab(host, work)
        self.course, self.papers = CourseTab(), PapersTab(host)
        self.foot = Actions()
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName(tr("办件详情"))
        self.tabs.tabBar().setAccessibleName(tr("办件详情"))
        tabs: list[tuple[QWidget, str]] = [
            (self.content, tr("内容")),
            (self.materials, tr("材料")),
            (self.course, tr("过程")),
            (self.papers, tr("文书")),
        ]
        for widget, words in tabs:
            self.tabs.addTab(widget, words)
        self.tabs.setCornerWidget(self.content.reveal)
        card = Card()
        card.body.addWidget(self.title)
        card.body.addWidget(flowing(self.number, self.state, self.due, self.marks, self.sync))
        card.body.addWidget(self.tray)
        card.body.addWidget(self.tabs, 1)
        card.body.addWidget(self.banner)
        card.body.addWidget(self.foot)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(card)
        self.tray.acted.connect(self._dismiss)
        self.tabs.currentChanged.connect(self._fetch)
        # what the page, the tour and a screen reader know the parts by
        self.opinion, self.opinion_fault = self.foot.opinion, self.foot.opinion_fault
        self.approve, self.reject, self.close_case = self.foot.approve, self.foot.reject, self.foot.close_case
        self.print = self.foot.print
        theme().changed.connect(self._fit)
        self._fit()

    def heightForWidth(self, width: int) -> int:
        # what it cannot do without: in a scroll area it scrolls as a whole only below that
        layout = self.layout()
        assert layout is not None
        return layout.minimumHeightForWidth(width)

    def show_case(
        self,
        record: Record,
        item: Doc | None,
        due: tuple[str, str],
        now: datetime,
        calendar: WorkCalendar,
        offers: Sequence[Offer],
    ) -> None:
        """Show a case; what was written as an opinion stays with its case."""
        case = whole(record.doc)
        if self.record is None or self.record.id != record.id:
            if self.record is not None:
                self._opinions[self.record.id] = self.opinion.text()
            self.foot.set_opinion(self._opinions.pop(record.id, ""))
            self.banner.clear()
            self.tray.clear()
        self.record = record
        self.title.setText(record.title)
        self.number.setText(record.number)
        self.number.setVisible(bool(record.number))
        self.number.setAccessibleName(tr("编号 {number}", number=record.number))
        self.state.show_state(*case_state(case))
        for label, (look, words) in ((self.due, due), (self.marks, marks(case)), (self.sync, sync_state(record))):
            label.setVisible(bool(words))
            if words:
                label.show_state(look, words)
        self.content.show_case(case, item, now)
        self.materials.show_case(case)
        self.course.show_case(case, now, calendar)
        self.papers.show_case(case, now)
        self.print.setVisible(bool(self.papers.kind))
        self.foot.offer(case, record.title, offers)
        self._fetch()

    def decided(self) -> None:
        """What was written has become part of the case."""
        self.foot.set_opinion("")

    def show_refused(self, refused: Sequence[RefusedCommand]) -> None:
        """Say what the server refused, why, and what to do."""
        self._refused = refused
        if not refused:
            self.tray.clear()
            return
        command = refused[0]
        what = ROWS[command.type].name() if command.type in COMMANDS else command.type
        if command.type == ACCEPT:
            todo = tr("此件未被登记：请按说明更正后重新受理，并收回已交出的回执。")
        else:
            todo = tr("这一步没有生效，上面显示的是服务器上的情况。")
        sentence = tr(
            "{person}的“{what}”未被服务器接受：{why}{todo}",
            person=command.person,
            what=what,
            why=str(command.error.get("message", "")),
            todo=todo,
        )
        self.tray.say(sentence, "red", code=str(command.error.get("code", "")), action=tr("知道了"))

    def paper_name(self) -> str:
        """The paper that is chosen, in words."""
        return title_of(self.papers.kind) if self.papers.kind else ""

    @Slot()
    def _fit(self) -> None:
        # the tabs scroll themselves; the tallest of them must not push the buttons out of sight
        self.tabs.setMinimumHeight(theme().text_width(10))

    @Slot()
    def _dismiss(self) -> None:
        if self._refused:
            self.dismissed.emit(self._refused[0].cmd_id)

    @Slot()
    def _fetch(self) -> None:
        """The tab that is looked at gets what it shows."""
        self.content.reveal.setVisible(self.tabs.currentWidget() is self.content)
        if self.record is None:
            return
        if self.tabs.currentIndex() == MATERIALS:
            self.materials.fetch()
        elif self.tabs.currentIndex() == PAPERS:
            self.papers.want_preview()
