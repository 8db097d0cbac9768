"""办件: find a case, see all of it, do what comes next, print its papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Record, RefusedCommand
from client.kernel.settings import Settings
from client.widgets.basics import Banner, EmptyState, Label
from client.widgets.dialogs import TextDialog
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import set_role, theme
from modules.acceptance.domain import phrases
from modules.acceptance.domain.cases import (
    ACCEPT,
    ASK_MORE,
    CLOSE,
    DECLINE,
    GROUNDS,
    KIND,
    OVER,
    Offer,
    node_name,
    seen_of,
    whole,
)
from modules.acceptance.services import dictionaries
from modules.acceptance.services.case_desk import (
    CaseDesk,
    Found,
    Looking,
    People,
    Phrase,
    desk_of,
    printed,
)
from modules.acceptance.services.cases import Printed, ReceiptOrder, due_words
from modules.acceptance.services.papers import Paper
from modules.acceptance.ui.cases.actions import APPROVE, READ
from modules.acceptance.ui.cases.asks import PEOPLE, PHRASES, Bench, ask_of, asks
from modules.acceptance.ui.cases.commands import give
from modules.acceptance.ui.cases.detail import CaseDetail
from modules.acceptance.ui.cases.dialogs import AskDialog
from modules.acceptance.ui.cases.filters import BY_DUE, MINE, Filters
from modules.acceptance.ui.cases.looks import case_state, is_pinned, marks, sync_state
from modules.acceptance.ui.cases.materials import PageViewer
from modules.acceptance.ui.cases.papers import write
from modules.acceptance.ui.cases.statistics import StatisticsDialog
from modules.acceptance.ui.counter.asking import CorrectionDialog, DeclineDialog
from modules.acceptance.ui.say import say_error, say_printed
from modules.acceptance.ui.work import PageWork
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import Clock
from modules.common.errors import Refused
from modules.common.numbering import read_scan
from modules.common.text import together, tr

_MEMORY = "acceptance.cases"
MOST = 5000
"""Cases that are listed at most, however far somebody scrolls."""
DWELL = 1000
"""Milliseconds on a case after which its holder has read it; arrows that pass by read nothing."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the detail of a case needs, read in one piece."""

    record: Record
    item: Doc | None
    refused: list[RefusedCommand]
    offers: list[Offer]


class CasesView(QWidget):
    """The page of cases, for counters and departments."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._service: CaseDesk = desk_of(host)
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        self._host = host
        self._work = PageWork(host)
        self._calendar = WorkCalendar()
        self._loading: Token | None = None
        self._asked: Looking | None = None
        self._last: Record | None = None
        self._opening: Token | None = None
        self._again = False
        self._wanted = self._in_hand = self._sought = ""
        self._first = False
        self._dialog: AskDialog | None = None
        self._given: set[tuple[str, int]] = set()
        self._memory = memory = host.service(Settings)
        kept = memory.recall(f"{_MEMORY}.case")
        self._restored = kept if isinstance(kept, str) else ""
        set_role(self, "page")
        self.filters = Filters(memory, _MEMORY, decides=self._service.may("acceptance.decide"))
        self.search, self.chips = self.filters.search, self.filters.chips
        columns = [
            Column("number", tr("编号"), lambda record: record.number, 13, sort=lambda record: record.id),
            Column("title", tr("申请人与事项"), lambda record: record.title, 12),
            Column("state", tr("状态"), lambda record: case_state(record.doc)[1], 7),
            Column("due", tr("期限"), self._due_text, 11, sort=_due_order, state=self._due_state),
            Column("sync", tr("传送"), _sync_text, 5, state=_sync_state),
            Column("marks", tr("标记"), _marks_text, 7, state=_marks_state, stretch=True),
        ]
        fresh = memory.recall(_MEMORY) is None
        self.table = RecordTable(
            columns,
            title=tr("办件"),
            name=_MEMORY,
            key=lambda record: str(record.id),
            memory=memory,
            pinned=lambda record: is_pinned(record.doc),
        )
        if fresh:
            self._order("")
        self.note = Label("", "quiet", wrap=True)
        self.note.hide()
        self.banner = Banner()
        self._detail: CaseDetail | None = None
        self._phrases: Sequence[Phrase] = ()
        self._nothing = EmptyState("file-text", tr("选一件办件，在这里查看和办理。"))
        self._right = QStackedWidget()
        self._right.addWidget(self._nothing)
        # at a large zoom on a low screen the detail scrolls as a whole
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._right.addWidget(self._area)
        left = QWidget()
        list_column = QVBoxLayout(left)
        list_column.setContentsMargins(0, 0, 0, 0)
        list_column.addWidget(self.table, 1)
        list_column.addWidget(self.note)
        split = MasterDetail(left, self._right, name=f"{_MEMORY}.split", memory=memory)
        if memory.recall(f"{_MEMORY}.split") is None:
            split.setSizes([theme().text_width(57), theme().text_width(43)])
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(self.filters)
        column.addWidget(self.banner)
        column.addWidget(split, 1)
        self.reading = QTimer(self)
        self.reading.setSingleShot(True)
        self.reading.setInterval(DWELL)
        self.setFocusProxy(self.search)
        self._connect(host)
        self._read_phrases()
        self._reload()

    def _connect(self, host: Host) -> None:
        self.filters.changed.connect(self._filter)
        self.filters.ordered.connect(self._order)
        self.filters.statistics_wanted.connect(self._show_statistics)
        self.search.searched.connect(self._reload)
        self.search.submitted.connect(self._search_now)
        self.table.search_wanted.connect(self._focus_search)
        self.table.chosen.connect(self._choose)
        self.table.opened.connect(self._enter_detail)
        self.table.acted.connect(self._reload)
        self.table.more_wanted.connect(self._read_more)
        self.reading.timeout.connect(self._read)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        self.destroyed.connect(self._end_events)

    @property
    def detail(self) -> CaseDetail:
        """The case that is looked at; made when the first is, for the list is there sooner without it."""
        if self._detail is None:
            self._detail = detail = CaseDetail(self._host, self._work)
            self._area.setWidget(detail)
            detail.foot.signed.connect(self._sign)
            detail.foot.wanted.connect(self._act)
            detail.foot.phrases.kept.connect(self._keep_phrase)
            detail.foot.phrases.dropped.connect(self._drop_phrase)
            detail.print.clicked.connect(self._print)
            detail.papers.preview_wanted.connect(self._preview)
            detail.papers.save_wanted.connect(self._save)
            detail.materials.opened.connect(self._view_page)
            detail.dismissed.connect(self._dismiss)
            detail.foot.phrases.show_phrases(self._phrases)
        return self._detail

    def show_arguments(self, **arguments: Any) -> None:
        """``states`` filters, or ``mine`` or ``overdue``; ``case`` opens one by id, ``text`` searches,
        ``action="search"`` goes to the box."""
        # what was decided before stays in view only as long as nothing else is asked for
        self._in_hand = ""
        if arguments.get("overdue"):
            self.filters.widen()
            self.filters.show_due("late")
        elif "states" in arguments:
            self.filters.widen()
            if arguments.get("mine"):
                self.filters.choose(MINE)
            else:
                self.filters.show_states(tuple(arguments["states"]))
        # from a to-do: whoever asked what waits for them sees the first of it at once
        self._first = bool(arguments.get("overdue")) or "states" in arguments
        if "case" in arguments:
            self._wanted = str(arguments["case"])
            self.filters.widen()
        self.search.setText(str(arguments.get("text", "")))
        if arguments.get("action") == "search":
            self._focus_search()
        self._reload()

    def back(self) -> bool:
        """From the detail to the list, from a search to all."""
        if self._detail is not None and self._detail.isAncestorOf(self.focusWidget() or self):
            self.table.view.setFocus(Qt.FocusReason.OtherFocusReason)
            return True
        if self.search.text():
            self.search.clear()
            return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape or not self.back():
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.reading.stop()
        self._end_events()
        self._work.close()
        super().closeEvent(event)

    # -- the list ---------------------------------------------------------------------------------

    @Slot()
    def _reload(self) -> None:
        """Read the list anew; of several wishes while one is being read only the last is done."""
        if self._loading is not None and not self._loading.finished:
            self._again = True
            return
        wanted, in_hand, service = self.filters.looking(self._service.today()), self._in_hand, self._service
        # the same question again, as after a change: as far as somebody has scrolled
        most = len(self.table.rows) if wanted == self._asked else 0
        self._asked = wanted

        def read(token: Token) -> Found:
            return _with(service, service.look(wanted, most=most), in_hand)

        self._loading = self._work.run("read", read, done=self._loaded, failed=self._not_loaded)

    @Slot()
    def _read_more(self) -> None:
        """Somebody has come to the end of what is listed."""
        wanted, last, service = self._asked, self._last, self._service
        if wanted is None or last is None or (self._loading is not None and not self._loading.finished):
            return
        self._loading = self._work.run(
            "read", lambda token: service.look(wanted, after=last), done=self._add, failed=self._not_loaded
        )

    def _add(self, found: Found) -> None:
        self._loading = None
        if self._again:
            self._again = False
            self._reload()
            return
        shown = {record.id for record in self.table.rows}
        added = [record for record in found.records if record.id not in shown]
        self._last = found.last
        self.table.add_rows(added, more=found.last is not None and len(shown) + len(added) < MOST)
        self._say_how_far(found)

    def _say_how_far(self, found: Found) -> None:
        words = []
        if found.searchable < 1:
            words.append(tr("查找索引正在重建（{share}%），暂时只能查到一部分办件；列表不受影响。",
                            share=int(found.searchable * 100)))  # fmt: skip
        count = len(self.table.rows)
        if found.last is not None:
            words.append(
                tr("已列出 {n} 件，往下滚动继续列出。", n=count)
                if count < MOST
                else tr("已列出 {n} 件，更早的请用查找缩小范围。", n=count)
            )
        self.note.setVisible(bool(words))
        self.note.setText(together(*words))
        self.table.setAccessibleDescription(self.note.text())

    def _loaded(self, found: Found) -> None:
        self._loading = None
        if self._again:
            self._again = False
            self._reload()
            return
        self._calendar = found.calendar
        bar = self.table.view.verticalScrollBar()
        place = bar.value()
        empty = tr("没有找到符合的办件。") if self.filters.narrowed else tr("还没有办件。")
        self._last = found.last
        self.table.show_rows(found.records, empty=empty, more=found.last is not None and len(found.records) < MOST)
        bar.setValue(place)
        self._say_how_far(found)
        restored, self._restored = self._restored, ""
        if self._wanted and self.table.choose(self._wanted):
            self._wanted = ""
        elif self._sought and self._sought == self.search.text() and found.records and self.table.current is None:
            # as long as the same is sought: what has been found may be read again while it still arrives
            self.table.choose(found.records[0].id)
            self.table.view.setFocus(Qt.FocusReason.OtherFocusReason)
        elif self._first and found.records:
            self._first = False
            self.table.choose(found.records[0].id)
            self.table.view.setFocus(Qt.FocusReason.OtherFocusReason)
        elif restored and not self._wanted:
            self.table.choose(restored)
        if current := self.table.current:
            self._choose(current)

    def _not_loaded(self, error: BaseException) -> None:
        self._loading = None
        if isinstance(error, Refused) and error.code == "AUTH-403":
            self.table.show_forbidden(error.message)
        else:
            self.table.show_failed(str(error), tr("再试一次"))

    @Slot()
    def _filter(self) -> None:
        self._in_hand = ""
        self._reload()

    @Slot(str)
    def _order(self, order: str) -> None:
        """By the day it is due, or by when it was made; the header keeps it, and may be clicked as well."""
        by_due = order == BY_DUE
        way = Qt.SortOrder.AscendingOrder if by_due else Qt.SortOrder.DescendingOrder
        self.table.view.horizontalHeader().setSortIndicator(3 if by_due else 0, way)
        if self._asked is not None:
            self._reload()

    @Slot()
    def _search_now(self) -> None:
        """Enter, also from a scanner: a code selects its case whatever the filter says, or registers a node."""
        text = self.search.text()
        if read_scan(text):
            if self.filters.scanning.isChecked():
                self._register_scan(text)
                return
            self.filters.widen()
        self._sought = text
        self._in_hand = ""
        self._reload()

    def _register_scan(self, text: str) -> None:
        """A code while 扫码登记 is on: the case is found, the node registered, the box ready for the next."""
        node, service = str(self.filters.node.currentData()), self._service
        self.search.clear()

        def work(token: Token) -> Record | None:
            found = service.scanned(text)
            return service.scan(found.id, node) if found else None

        def done(record: Record | None) -> None:
            if self._work.closed:
                return
            if record is None:
                self.banner.say(tr("本机没有这件办件：{code}", code=text.strip()), "red", code="ACC-372")
                return
            words = tr("已登记“{node}”：{number} {title}", node=node_name(node), number=record.number,
                       title=record.title)  # fmt: skip
            self.banner.say(words, "good")
            self._wanted = record.id
            self.filters.widen()
            self._reload()

        def failed(error: BaseException) -> None:
            if not self._work.closed:
                say_error(self.banner, error)

        # not the page's work: the paper has gone by the scanner, whatever page is looked at
        self._host.run("data", work, done=done, failed=failed)
        self.search.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _focus_search(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _records_changed(self, event: RecordsChanged) -> None:
        if self._work.closed:
            return
        if event.touches(KIND):
            self._reload()
        if event.touches(phrases.KIND) or event.touches(dictionaries.KIND):
            self._read_phrases()

    def _due_text(self, record: Record) -> str:
        return due_words(record.doc, self._service.today(), self._calendar)[1]

    def _due_state(self, record: Record) -> str:
        state, words = due_words(record.doc, self._service.today(), self._calendar)
        return state if words else ""

    @Slot()
    def _show_statistics(self) -> None:
        compare = self._service.green_comparison
        StatisticsDialog(compare, self._work, self._service.today(), self).open()

    # -- one case ---------------------------------------------------------------------------------

    @Slot(object)
    def _choose(self, record: Record | None) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if record is None:
            self.reading.stop()
            self._right.setCurrentWidget(self._nothing)
            return
        if record.id != self._in_hand:
            self._in_hand = ""
        self._memory.remember(f"{_MEMORY}.case", record.id)
        service = self._service

        def read(token: Token) -> _Opened:
            item = service.item(record.doc["item"]["id"])
            refused = service.refused(record.id) if record.refused else []
            return _Opened(record, item, refused, service.offers(record.doc))

        self._opening = self._work.run("data", read, done=self._open, failed=self._trouble)
        # while that is read: what is made once and what is shown each time are two turns of the window
        _ = self.detail

    def _open(self, opened: _Opened) -> None:
        record = opened.record
        other = self.detail.record is None or self.detail.record.id != record.id
        due = due_words(record.doc, self._service.today(), self._calendar)
        self.detail.show_case(record, opened.item, due, self._clock.now(), self._calendar, opened.offers)
        self.detail.show_refused(opened.refused)
        self._right.setCurrentWidget(self._area)
        if not self._may_read(record):
            self.reading.stop()
        elif other or not self.reading.isActive():
            self.reading.start()

    def _may_read(self, record: Record) -> bool:
        offer = self.detail.foot.offers.get(READ)
        return offer is not None and not offer.why_not and (record.id, _visit(record)) not in self._given

    @Slot()
    def _read(self) -> None:
        """The holder has the case before him: it is read, once."""
        record = self.detail.record
        self.reading.stop()
        if record is None or self._work.closed or not self._may_read(record) or not self.detail.isVisible():
            return
        self._given.add((record.id, _visit(record)))
        service, visit = self._service, _visit(record)
        # refused where somebody else was faster: the news that comes shows it, and nothing is lost
        self._host.run("data", lambda token: service.verb(record.id, "read", {"visit": visit}), failed=_let_go)

    @Slot()
    def _enter_detail(self) -> None:
        self._read()
        target = self.detail.foot.first() or self.detail.tabs.tabBar()
        target.setFocus(Qt.FocusReason.OtherFocusReason)

    def _trouble(self, error: BaseException) -> None:
        shown = self._detail if self._right.currentWidget() is self._area else None
        say_error(shown.banner if shown else self.banner, error)

    @Slot(int)
    def _view_page(self, place: int) -> None:
        PageViewer(self._host, self.detail.materials.pages, place, self).open()

    # -- commands ---------------------------------------------------------------------------------

    @Slot(str, str, str)
    def _sign(self, verb: str, opinion: str, slot: str) -> None:
        body = {"opinion": opinion, **({"slot": slot} if slot else {})}
        self._change(f"case.{verb}", body)

    @Slot(str)
    def _act(self, command: str) -> None:
        """A command was chosen: ask what it needs, or give it at once."""
        record, offer = self.detail.record, self.detail.foot.offers.get(command)
        if record is None or offer is None or offer.why_not:
            return
        if command == ACCEPT:
            self._host.open_page("acceptance.accept", case=record.id)
        elif command == ASK_MORE:
            dialog = CorrectionDialog([], self)
            dialog.told.connect(lambda entries: self._change(ASK_MORE, {"items": entries}))
            dialog.open()
        elif command == DECLINE or asks(command):
            self._prepare(record, offer)
        else:
            self._change(command, {})

    def _prepare(self, record: Record, offer: Offer) -> None:
        """Read what the question needs, then ask it."""
        service, command = self._service, offer.command
        case = whole(record.doc)
        in_hall = bool(self._service.in_hall(case))

        def read(token: Token) -> Bench:
            people = service.colleagues(case) if command in PEOPLE else People([])
            dictionary = dictionaries.DECLINE if command == DECLINE else PHRASES.get(command, "")
            words = [phrase.text for phrase in service.phrases(dictionary)] if dictionary else []
            departments = service.departments() if command == "case.transfer" else []
            return Bench(people, departments, words, in_hall)

        def ask(bench: Bench) -> None:
            if self.detail.record is None or self.detail.record.id != record.id:
                return
            if command == DECLINE:
                self._ask_decline(bench, seen_of(case))
                return
            dialog = AskDialog(ask_of(case, offer, bench), self._host, bench.phrases, self._service.today(), self)
            dialog.given.connect(partial(self._given_in, dialog, record, command))
            dialog.open()

        self._work.run("net" if command in PEOPLE else "read", read, done=ask, failed=self._trouble)

    def _ask_decline(self, bench: Bench, seen: int) -> None:
        dialog = DeclineDialog(list(bench.phrases) or list(GROUNDS), (), self)
        dialog.declined.connect(
            lambda ground, text: self._change(DECLINE, {"ground": ground, "text": text, "seen": seen})
        )
        dialog.open()

    def _given_in(self, dialog: AskDialog, record: Record, command: str, body: Mapping[str, Any]) -> None:
        """The dialog stays until it is done, so that what a refusal says can be mended there."""
        dialog.busy()
        self._dialog = dialog
        dialog.destroyed.connect(self._forget_dialog)
        self._change(command, body, record)

    @Slot()
    def _forget_dialog(self) -> None:
        self._dialog = None

    def _change(self, command: str, body: Mapping[str, Any], of: Record | None = None) -> None:
        record = of or self.detail.record
        if record is None or not self.detail.isEnabled():
            return
        service, visit = self._service, _visit(record)
        offer = self.detail.foot.offers.get(command)
        name = offer.name if offer else ""
        self.detail.setEnabled(False)
        self.detail.banner.clear()
        # not the page's work: what the person has decided is done even if the page is left at once
        self._host.run(
            "data",
            lambda token: give(service, record.id, command, body, visit),
            done=partial(self._changed, command, name),
            failed=self._not_changed,
        )

    def _changed(self, command: str, name: str, record: Record) -> None:
        if self._work.closed:
            return
        self.detail.setEnabled(True)
        if self._dialog is not None:
            self._dialog.accept()
        if command in (APPROVE, "case.reject", "case.return_to"):
            self.detail.decided()
        if command != CLOSE and name:
            self.detail.banner.say(tr("“{name}”已办理。", name=name), "good")
        self._wanted = self._in_hand = record.id
        self._choose(record)
        self._reload()

    def _not_changed(self, error: BaseException) -> None:
        if self._work.closed:
            return
        self.detail.setEnabled(True)
        if self._dialog is not None:
            self._dialog.refuse(error)
        else:
            say_error(self.detail.banner, error)
            if isinstance(error, Refused) and "opinion" in error.refusal.fields:
                self.detail.foot.say_opinion_fault(error.refusal.fields["opinion"])
        # somebody may have been faster: what is shown becomes what is
        self._reload()

    @Slot(str)
    def _dismiss(self, cmd_id: str) -> None:
        self._work.run("data", lambda token: self._service.dismiss(cmd_id), done=self._dismissed, failed=self._trouble)

    def _dismissed(self, _: None) -> None:
        self.detail.show_refused([])
        self._reload()

    # -- phrases ----------------------------------------------------------------------------------

    def _read_phrases(self) -> None:
        service = self._service
        self._work.run("read", lambda token: service.phrases(), done=self._show_phrases, failed=_let_go)

    def _show_phrases(self, found: Sequence[Phrase]) -> None:
        self._phrases = found
        if self._detail is not None:
            self._detail.foot.phrases.show_phrases(found)

    @Slot()
    def _keep_phrase(self) -> None:
        text = self.detail.opinion.text()
        self._phrase(lambda: self._service.keep_phrase(text), tr("已存为常用语，只有您自己看得到。"))

    @Slot(str)
    def _drop_phrase(self, id: str) -> None:
        self._phrase(lambda: self._service.drop_phrase(id), tr("已删去这条常用语。"))

    def _phrase(self, work: Callable[[], None], said: str) -> None:
        def done(_: None) -> None:
            self.detail.banner.say(said, "good")

        self._work.run("data", lambda token: work(), done=done, failed=self._trouble)

    # -- paper ------------------------------------------------------------------------------------

    @Slot()
    def _print(self) -> None:
        """Print the chosen paper: the first time at once, again with a reason."""
        record, kind = self.detail.record, self.detail.papers.kind
        if record is None or not kind:
            return
        case = whole(record.doc)
        if not printed(case, kind):
            self._print_paper(record, kind, "")
            return
        try:
            self._service.check_print(case, kind)
        except Refused as error:
            say_error(self.detail.banner, error)
            return
        words = tr("“{paper}”已打印过，补打的原因记入办件。", paper=self.detail.paper_name())
        dialog = TextDialog(
            tr("补打"),
            tr("补打原因"),
            self,
            consequence=words,
            phrases=[tr("打印不清楚"), tr("纸张损坏"), tr("申请人遗失")],
            needed=tr("补打须写明原因。"),
        )
        dialog.given.connect(partial(self._print_paper, record, kind))
        dialog.open()

    def _print_paper(self, record: Record, kind: str, reason: str) -> None:
        self.detail.print.setEnabled(False)
        service = self._service

        def ordered(order: ReceiptOrder) -> None:
            self._work.run("cpu", lambda token: service.print_receipt(order), done=partial(out, order), failed=failed)

        def out(order: ReceiptOrder, paper: Printed) -> None:
            self.detail.print.setEnabled(True)
            say_printed(self.detail.banner, paper)
            self._host.run("data", lambda token: service.printed(order, reason), failed=self._trouble)

        def failed(error: BaseException) -> None:
            self.detail.print.setEnabled(True)
            self._trouble(error)

        self._work.run("read", lambda token: service.order_receipt(record, kind), done=ordered, failed=failed)

    @Slot()
    def _preview(self) -> None:
        record, papers = self.detail.record, self.detail.papers
        if record is None:
            return
        kind = papers.kind

        def made(paper: Paper) -> None:
            if self.detail.record is not None and (self.detail.record.id, papers.kind) == (record.id, kind):
                papers.banner.clear()
                papers.preview.fit_width()
                papers.preview.show_pdf(paper.data)

        self._paper(record, kind, "pdf", made)

    @Slot(Path, str)
    def _save(self, path: Path, format: str) -> None:
        record = self.detail.record
        if record is None:
            return

        def made(paper: Paper) -> None:
            said = tr("已保存到 {path}", path=path)
            papers = self.detail.papers

            def done(_: None) -> None:
                papers.banner.say(said, "good")

            self._host.run("cpu", lambda token: write(path, paper.data), done=done, failed=self._paper_failed)

        self._paper(record, self.detail.papers.kind, format, made)

    def _paper(self, record: Record, kind: str, format: str, made: Callable[[Paper], None]) -> None:
        service = self._service

        def ordered(order: ReceiptOrder) -> None:
            # what is looked at is the paper as it last went out; only a print makes another copy
            order = replace(order, copy=max(order.copy - 1, 0))
            self._work.run("cpu", lambda token: service.receipt(order, format), done=made, failed=self._paper_failed)

        self._work.run(
            "read", lambda token: service.order_receipt(record, kind), done=ordered, failed=self._paper_failed
        )

    def _paper_failed(self, error: BaseException) -> None:
        if not self._work.closed:
            self.detail.papers.forget()
            say_error(self.detail.papers.banner, error)


def _let_go(error: BaseException) -> None:
    """Nothing that anybody has to be told: it is tried again, or the news that comes shows it."""


def _with(service: CaseDesk, found: Found, in_hand: str) -> Found:
    """What was just decided stays in view, though its new state is filtered out: it is still to be closed."""
    if not in_hand or any(record.id == in_hand for record in found.records):
        return found
    record = service.case(in_hand)
    return replace(found, records=[record, *found.records]) if record else found


def _visit(record: Record) -> int:
    flow = record.doc.get("flow")
    return int(flow["visit"]) if flow else 1


def _sync_text(record: Record) -> str:
    return sync_state(record)[1]


def _sync_state(record: Record) -> str:
    return sync_state(record)[0]


def _marks_text(record: Record) -> str:
    return marks(record.doc)[1]


def _marks_state(record: Record) -> str:
    return marks(record.doc)[0]


def _due_order(record: Record) -> str:
    """Cases that are over, or have no term, after the open ones; each by the day it is due."""
    due = record.doc["due"]
    return f"{record.state in OVER or not due:d}{due['date'] if due else ''}"
