"""办件: find a case, see all of it, decide and close it, print its receipt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QCloseEvent, QImage, QKeyEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Record, RefusedCommand
from client.kernel.settings import Settings
from client.widgets.basics import Button, EmptyState, SearchBox
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import set_role, theme
from modules.acceptance.domain.cases import ACCEPTED, CLOSED, DECIDED, KIND, state_name
from modules.acceptance.services.cases import MOST, AcceptanceService, Printed, ReceiptOrder, due_words
from modules.acceptance.services.wiring import service_of
from modules.acceptance.ui.case_detail import CaseDetail, case_state, sync_state
from modules.acceptance.ui.say import say_error, say_printed
from modules.acceptance.ui.work import PageWork
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import Clock
from modules.common.errors import Refused
from modules.common.numbering import read_scan
from modules.common.text import tr

_STATES = ((), (ACCEPTED,), (DECIDED,), (CLOSED,))
_MEMORY = "acceptance.cases"


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the detail of a case needs, read in one piece."""

    record: Record
    item: Doc | None
    refused: list[RefusedCommand]


class CasesView(QWidget):
    """The page of cases, for counters and departments."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._service: AcceptanceService = service_of(host)
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        self._host = host
        self._work = PageWork(host)
        self._calendar = WorkCalendar()
        self._loading: Token | None = None
        self._opening: Token | None = None
        self._again = False
        self._wanted = self._in_hand = ""
        self._sought = ""
        memory = host.service(Settings)
        set_role(self, "page")
        self.search = SearchBox(tr("查找办件：姓名、编号，或扫回执上的码"))
        self.search.setAccessibleName(tr("查找办件"))
        self.chips: list[Button] = []
        self._group = QButtonGroup(self)
        for states in _STATES:
            chip = Button(state_name(states[0]) if states else tr("全部"))
            chip.setCheckable(True)
            chip.setAccessibleDescription(tr("按状态筛选"))
            self._group.addButton(chip, len(self.chips))
            self.chips.append(chip)
        columns = [
            Column("number", tr("编号"), lambda record: record.number, 13),
            Column("title", tr("申请人与事项"), lambda record: record.title, 14, stretch=True),
            Column("state", tr("状态"), lambda record: case_state(record.doc)[1], 7),
            Column("due", tr("期限"), self._due_text, 11, sort=_due_order, state=self._due_state),
            Column("sync", tr("传送"), _sync_text, 4, state=_sync_state),
        ]
        self.table = RecordTable(
            columns, title=tr("办件"), name=_MEMORY, key=lambda record: str(record.id), memory=memory
        )
        self.detail = CaseDetail()
        self._nothing = EmptyState("file-text", tr("选一件办件，在这里查看和办理。"))
        self._right = QStackedWidget()
        self._right.addWidget(self._nothing)
        self._right.addWidget(self.detail)
        split = MasterDetail(self.table, self._right, name=f"{_MEMORY}.split", memory=memory)
        if memory.recall(f"{_MEMORY}.split") is None:
            split.setSizes([theme().text_width(62), theme().text_width(38)])
        head = QHBoxLayout()
        head.setSpacing(theme().space(2))
        head.addWidget(self.search, 1)
        for chip in self.chips:
            head.addWidget(chip)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(head)
        column.addWidget(split, 1)
        self.setFocusProxy(self.search)
        self._memory = memory
        kept = memory.recall(f"{_MEMORY}.state")
        self.chips[kept if kept in range(len(_STATES)) else 0].setChecked(True)
        self._group.idClicked.connect(self._filter)
        self.search.searched.connect(self._reload)
        self.search.submitted.connect(self._search_now)
        self.table.search_wanted.connect(self._focus_search)
        self.table.chosen.connect(self._choose)
        self.table.opened.connect(self._enter_detail)
        self.table.acted.connect(self._reload)
        self.detail.decided.connect(self._decide)
        self.detail.closed.connect(self._close_case)
        self.detail.print_wanted.connect(self._print)
        self.detail.preview_wanted.connect(self._preview)
        self.detail.dismissed.connect(self._dismiss)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        self.destroyed.connect(self._end_events)
        self._reload()

    def show_arguments(self, **arguments: Any) -> None:
        """``states`` filters, ``case`` opens one by id, ``text`` searches, ``action="search"`` goes to the box."""
        states = tuple(arguments.get("states", ()))
        if states in _STATES:
            self.chips[_STATES.index(states)].setChecked(True)
        if "case" in arguments:
            self._wanted = str(arguments["case"])
            self.chips[0].setChecked(True)
        self.search.setText(str(arguments.get("text", "")))
        if arguments.get("action") == "search":
            self._focus_search()
        self._reload()

    def back(self) -> bool:
        """From the detail to the list, from a search to all."""
        if self.detail.isAncestorOf(self.focusWidget() or self):
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
        states, text, in_hand = _STATES[self._group.checkedId()], self.search.text(), self._in_hand

        def read(token: Token) -> tuple[list[Record], WorkCalendar]:
            records = self._service.cases(states, text)
            # what was just decided stays in view, though its new state is filtered out: it is still to be closed
            if in_hand and all(record.id != in_hand for record in records):
                records = [*filter(None, [self._service.case(in_hand)]), *records]
            return records, self._service.calendar()

        self._loading = self._work.run("read", read, done=self._loaded, failed=self._not_loaded)

    def _loaded(self, found: tuple[list[Record], WorkCalendar]) -> None:
        self._loading = None
        if self._again:
            self._again = False
            self._reload()
            return
        records, self._calendar = found
        bar = self.table.view.verticalScrollBar()
        place = bar.value()
        empty = tr("没有找到符合的办件。") if self.search.text() or self._group.checkedId() else tr("还没有办件。")
        self.table.show_rows(records, empty=empty)
        bar.setValue(place)
        if self._wanted and self.table.choose(self._wanted):
            self._wanted = ""
        elif self._sought and self._sought == self.search.text() and records:
            self._sought = ""
            self.table.choose(records[0].id)
            self.table.view.setFocus(Qt.FocusReason.OtherFocusReason)
        if len(records) == MOST:
            self.table.setAccessibleDescription(tr("只列出最近 {n} 件，请用查找缩小范围。", n=MOST))
        if current := self.table.current:
            self._choose(current)

    def _not_loaded(self, error: BaseException) -> None:
        self._loading = None
        if isinstance(error, Refused) and error.code == "AUTH-403":
            self.table.show_forbidden(error.message)
        else:
            self.table.show_failed(str(error), tr("再试一次"))

    @Slot(int)
    def _filter(self, chip: int) -> None:
        self._memory.remember(f"{_MEMORY}.state", chip)
        self._in_hand = ""
        self._reload()

    @Slot()
    def _search_now(self) -> None:
        """Enter, also from a scanner: a code selects its case whatever the filter says."""
        if read_scan(self.search.text()):
            self.chips[0].setChecked(True)
        self._sought = self.search.text()
        self._in_hand = ""
        self._reload()

    @Slot()
    def _focus_search(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def _records_changed(self, event: RecordsChanged) -> None:
        if event.touches(KIND) and not self._work.closed:
            self._reload()

    def _due_text(self, record: Record) -> str:
        return due_words(record.doc, self._service.today(), self._calendar)[1]

    def _due_state(self, record: Record) -> str:
        return due_words(record.doc, self._service.today(), self._calendar)[0]

    # -- one case ---------------------------------------------------------------------------------

    @Slot(object)
    def _choose(self, record: Record | None) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if record is None:
            self._right.setCurrentWidget(self._nothing)
            return
        if record.id != self._in_hand:
            self._in_hand = ""

        def read(token: Token) -> _Opened:
            item = self._service.item(record.doc["item"]["id"])
            return _Opened(record, item, self._service.refused(record.id) if record.refused else [])

        self._opening = self._work.run("data", read, done=self._open, failed=self._trouble)

    def _open(self, opened: _Opened) -> None:
        record = opened.record
        now = self._clock.now()
        self.detail.show_case(record, opened.item, due_words(record.doc, self._service.today(), self._calendar), now)
        self.detail.show_refused(opened.refused)
        self.detail.offer(decide=self._service.may_decide(record.doc), close=self._service.may_close(record.doc))
        self._right.setCurrentWidget(self.detail)

    @Slot()
    def _enter_detail(self) -> None:
        for widget in (self.detail.opinion, self.detail.close_case):
            if widget.isVisible():
                widget.setFocus(Qt.FocusReason.OtherFocusReason)
                return
        self.detail.tabs.tabBar().setFocus(Qt.FocusReason.OtherFocusReason)

    def _trouble(self, error: BaseException) -> None:
        say_error(self.detail.banner, error)

    @Slot(str, str)
    def _decide(self, result: str, opinion: str) -> None:
        if (record := self.detail.record) and self.detail.isEnabled():
            self._change(lambda token: self._service.decide(record.id, result, opinion))

    @Slot()
    def _close_case(self) -> None:
        if (record := self.detail.record) and self.detail.isEnabled():
            self._change(lambda token: self._service.close(record.id))

    def _change(self, work: Any) -> None:
        self.detail.setEnabled(False)
        self.detail.banner.clear()
        # not the page's work: what the person has decided is done even if the page is left at once
        self._host.run("data", work, done=self._changed, failed=self._not_changed)

    def _changed(self, record: Record) -> None:
        if not self._work.closed:
            self.detail.setEnabled(True)
            self._wanted = self._in_hand = record.id
            self._choose(record)
            self._reload()

    def _not_changed(self, error: BaseException) -> None:
        if self._work.closed:
            return
        self.detail.setEnabled(True)
        say_error(self.detail.banner, error)
        if isinstance(error, Refused) and "opinion" in error.refusal.fields:
            self.detail.say_opinion_fault(error.refusal.fields["opinion"])
        self._reload()

    @Slot(str)
    def _dismiss(self, cmd_id: str) -> None:
        self._work.run("data", lambda token: self._service.dismiss(cmd_id), done=self._dismissed, failed=self._trouble)

    def _dismissed(self, _: None) -> None:
        self.detail.show_refused([])
        self._reload()

    # -- paper ------------------------------------------------------------------------------------

    @Slot()
    def _print(self) -> None:
        record = self.detail.record
        if record is None:
            return
        self.detail.print.setEnabled(False)

        def ordered(order: ReceiptOrder) -> None:
            work = self._service.print_receipt
            self._work.run("cpu", lambda token: work(order), done=printed, failed=self._not_printed)

        def printed(paper: Printed) -> None:
            self.detail.print.setEnabled(True)
            say_printed(self.detail.banner, paper)
            self._host.run("data", lambda token: self._service.settle(record.id))

        self._work.run(
            "read", lambda token: self._service.order_receipt(record), done=ordered, failed=self._not_printed
        )

    def _not_printed(self, error: BaseException) -> None:
        self.detail.print.setEnabled(True)
        say_error(self.detail.banner, error)

    @Slot()
    def _preview(self) -> None:
        record = self.detail.record
        if record is None:
            return
        width = round(self.detail.paper_width * self.devicePixelRatioF())

        def ordered(order: ReceiptOrder) -> None:
            self._work.run("cpu", lambda token: _pictures(self._service, order, width), done=drawn, failed=failed)

        def drawn(images: list[QImage]) -> None:
            if self.detail.record is not None and self.detail.record.id == record.id:
                names = [tr("受理通知书第 {n} 页", n=number) for number in range(1, len(images) + 1)]
                for image in images:
                    image.setDevicePixelRatio(self.devicePixelRatioF())
                self.detail.show_pages(images, names)

        def failed(error: BaseException) -> None:
            self.detail.forget_preview()
            self._trouble(error)

        self._work.run("read", lambda token: self._service.order_receipt(record), done=ordered, failed=failed)


def _sync_text(record: Record) -> str:
    return sync_state(record)[1]


def _sync_state(record: Record) -> str:
    return sync_state(record)[0]


def _due_order(record: Record) -> str:
    """Closed cases after the open ones, each by the day they are due."""
    return f"{record.state == CLOSED:d}{record.doc['due']['date']}"


def _pictures(service: AcceptanceService, order: ReceiptOrder, width: int) -> list[QImage]:
    """The pages of a receipt, ``width`` pixels wide; lane ``cpu``."""
    import pypdfium2

    document = pypdfium2.PdfDocument(service.receipt(order).data)
    try:
        images = []
        for page in document:
            picture = page.render(scale=width / page.get_width(), rev_byteorder=True)
            kind = QImage.Format.Format_RGB888 if picture.n_channels == 3 else QImage.Format.Format_RGBX8888
            image = QImage(bytes(picture.buffer), picture.width, picture.height, picture.stride, kind)
            images.append(image.copy())
        return images
    finally:
        document.close()
