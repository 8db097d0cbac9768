"""消息: what the server has told this person, and where each leads."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Record
from client.kernel.settings import Settings
from client.widgets.basics import Banner, Button, EmptyState, Label, PrimaryButton
from client.widgets.pages import PageWork, when
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import set_role, theme
from modules.common.clock import Clock, parse_iso
from modules.common.errors import GovDeskError
from modules.common.manifest import installed
from modules.common.notices import KIND
from modules.common.text import tr
from modules.notices.domain import UNREAD, link_of
from modules.notices.services import NoticeService, sent_at, service_of

_MEMORY = "notices.notices"


class NoticesView(QWidget):
    """The page of notices."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._service: NoticeService = service_of(host)
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        self._work = PageWork(host)
        self._loading: Token | None = None
        self._again = False
        self._wanted = self._in_hand = ""
        memory = host.service(Settings)
        set_role(self, "page")
        self.chips = (Button(tr("未读")), Button(tr("全部")))
        self._group = QButtonGroup(self)
        for place, chip in enumerate(self.chips):
            chip.setCheckable(True)
            chip.setAccessibleDescription(tr("按是否已读筛选"))
            self._group.addButton(chip, place)
        self.chips[0].setChecked(True)
        self.read_all = Button(tr("全部标为已读"), icon="check-check")
        self.banner = Banner()
        columns = [
            Column("state", tr("状态"), _state, 6, state=_look),
            Column("title", tr("标题"), lambda record: record.title, 10),
            Column("text", tr("内容"), lambda record: str(record.doc["text"]), 20, stretch=True),
            Column("at", tr("时间"), self._when, 9.5, sort=sent_at),
        ]
        self.table = RecordTable(
            columns, title=tr("消息"), name=_MEMORY, key=lambda record: str(record.id), memory=memory
        )
        self.detail = NoticeDetail()
        self._right = QStackedWidget()
        self._right.addWidget(EmptyState("bell", tr("选一条消息，在这里查看。")))
        self._right.addWidget(self.detail)
        split = MasterDetail(self.table, self._right, name=f"{_MEMORY}.split", memory=memory)
        if memory.recall(f"{_MEMORY}.split") is None:
            split.setSizes([theme().text_width(60), theme().text_width(40)])
        head = QHBoxLayout()
        head.setSpacing(theme().space(2))
        for chip in self.chips:
            head.addWidget(chip)
        head.addStretch(1)
        head.addWidget(self.read_all)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(head)
        column.addWidget(self.banner)
        column.addWidget(split, 1)
        self.setFocusProxy(self.table.view)
        self._group.idClicked.connect(self._filter)
        self.read_all.clicked.connect(self._read_all)
        self.table.chosen.connect(self._choose)
        self.table.opened.connect(self._enter)
        self.table.acted.connect(self._reload)
        self.detail.open.clicked.connect(self._open)
        self.detail.read.clicked.connect(self._read)
        self.detail.dismiss.clicked.connect(self._dismiss)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        self.destroyed.connect(self._end_events)
        self._reload()

    def show_arguments(self, **arguments: Any) -> None:
        """``notice`` opens one by id."""
        if "notice" in arguments:
            self._wanted = str(arguments["notice"])
            self.chips[1].setChecked(True)
        self._reload()

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
        unread_only, in_hand = self._group.checkedId() == 0, self._in_hand
        self._loading = self._work.run(
            "read",
            lambda token: self._service.notices(unread_only, in_hand),
            done=self._loaded,
            failed=self._not_loaded,
        )

    def _loaded(self, records: list[Record]) -> None:
        self._loading = None
        if self._again:
            self._again = False
            self._reload()
            return
        unread_only = self._group.checkedId() == 0
        self.table.show_rows(records, empty=tr("没有未读消息。") if unread_only else tr("还没有消息。"))
        self.read_all.setEnabled(any(record.state == UNREAD for record in records))
        if self._wanted and self.table.choose(self._wanted):
            self._wanted = ""
        if current := self.table.current:
            self._choose(current)

    def _not_loaded(self, error: BaseException) -> None:
        self._loading = None
        self.table.show_failed(_words(error), tr("再试一次"))

    @Slot(int)
    def _filter(self, chip: int) -> None:
        self._in_hand = ""
        self._reload()

    def _records_changed(self, event: RecordsChanged) -> None:
        if event.touches(KIND) and not self._work.closed:
            self._reload()

    def _when(self, record: Record) -> str:
        return when(parse_iso(sent_at(record)), self._clock.now())

    # -- one notice -------------------------------------------------------------------------------

    @Slot(object)
    def _choose(self, record: Record | None) -> None:
        if record is None:
            self._right.setCurrentIndex(0)
            return
        if record.id != self._in_hand:
            self._in_hand = ""
        self.detail.show_notice(record, self._when(record), bool(_page_of(record)))
        self._right.setCurrentIndex(1)

    @Slot()
    def _enter(self) -> None:
        button = self.detail.open if self.detail.open.isVisible() else self.detail.dismiss
        button.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _open(self) -> None:
        record = self.detail.record
        if record is None:
            return
        self._read()
        kind, id = link_of(record.doc)
        page = _page_of(record)
        if kind == "page":
            self._host.open_page(page)
        elif page:
            self._host.open_page(page, **{kind: id})

    @Slot()
    def _read(self) -> None:
        record = self.detail.record
        if record is not None and record.state == UNREAD:
            self._in_hand = record.id
            self._change(lambda token: self._service.read(record.id))

    @Slot()
    def _dismiss(self) -> None:
        if (record := self.detail.record) is not None:
            self._in_hand = ""
            self._change(lambda token: self._service.dismiss(record.id))

    @Slot()
    def _read_all(self) -> None:
        self.read_all.setEnabled(False)
        self._in_hand = ""
        self._change(lambda token: self._service.read_some(), more=True)

    def _change(self, work: Any, *, more: bool = False) -> None:
        def done(left: Any) -> None:
            if more and left is True:
                self._change(work, more=True)
            elif not self._work.closed:
                self._reload()

        self.banner.clear()
        # not the page's work: what the person has decided is done even if the page is left at once
        self._host.run("data", work, done=done, failed=self._trouble, name=tr("消息"))

    def _trouble(self, error: BaseException) -> None:
        if not self._work.closed:
            self.banner.say(_words(error), "red", code=error.code if isinstance(error, GovDeskError) else "")
            self._reload()


class NoticeDetail(QWidget):
    """One notice, whole, and what can be done with it."""

    def __init__(self) -> None:
        super().__init__()
        self.record: Record | None = None
        self._title = Label("", "title", wrap=True, selectable=True)
        self._at = Label("", "small")
        self._text = Label("", wrap=True, selectable=True)
        self.open = PrimaryButton(tr("打开"))
        self.read = Button(tr("标为已读"))
        self.dismiss = Button(tr("不再显示"))
        inside = QWidget()
        words = QVBoxLayout(inside)
        words.setContentsMargins(0, 0, 0, 0)
        for label in (self._title, self._at, self._text):
            words.addWidget(label)
        words.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        acts = QHBoxLayout()
        acts.setSpacing(theme().space(2))
        for button in (self.open, self.read, self.dismiss):
            acts.addWidget(button)
        acts.addStretch(1)
        column = QVBoxLayout(self)
        column.setSpacing(theme().space(3))
        column.addWidget(area, 1)
        column.addLayout(acts)

    def show_notice(self, record: Record, at: str, leads: bool) -> None:
        """Show ``record``; ``leads`` when there is something to open."""
        self.record = record
        self._title.setText(record.title)
        self._at.setText(at)
        self._text.setText(str(record.doc["text"]))
        self.open.setVisible(leads)
        self.read.setVisible(record.state == UNREAD)


def _page_of(record: Record) -> str:
    """The page that a notice leads to; empty for none."""
    kind, id = link_of(record.doc)
    if kind == "page":
        return id
    todos = (todo for manifest in installed() for todo in manifest.todos)
    return next((todo.page for todo in todos if todo.kind == kind), "")


def _state(record: Record) -> str:
    return tr("未读") if record.state == UNREAD else tr("已读")


def _look(record: Record) -> str:
    return "info" if record.state == UNREAD else "good"


def _words(error: BaseException) -> str:
    return error.words() if isinstance(error, GovDeskError) else str(error)
