"""知识库: found by words, department, kind and item; rated; kept by departments; what was asked, and answered. C31."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Record, Records, Session
from client.kernel.settings import Settings
from client.widgets.basics import (
    Banner,
    Button,
    ComboBox,
    ConfirmDialog,
    EmptyState,
    Label,
    PrimaryButton,
    SearchBox,
    SectionTitle,
    StateLabel,
)
from client.widgets.dialogs import GrowingDialog, TextDialog
from client.widgets.forms import FormView
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import set_role, theme
from modules.acceptance.domain import items
from modules.acceptance.domain.knowledge import KIND, LONGEST, OPEN, REQUEST_KIND, SORTS, sort_name, useful
from modules.acceptance.domain.registers import ORGANISATION_KIND
from modules.acceptance.services.knowledge import KnowledgeService, knowledge_of
from modules.acceptance.ui.admin.parts import PickList, fields_of, make_form, row_of, scrolled, text_field
from modules.acceptance.ui.say import say_error
from modules.acceptance.ui.work import PageWork, when
from modules.common.aggregate import Doc
from modules.common.clock import Clock, parse_iso
from modules.common.errors import GovDeskError, Refused
from modules.common.text import tr

MOST = 100_000
_MEMORY = "acceptance.knowledge"


@dataclass(frozen=True, slots=True)
class Read:
    """What the page shows, read in one piece. ``asked`` counts requests by entry."""

    entries: Sequence[Doc]
    requests: Sequence[Record]
    departments: Mapping[str, str]
    items: Mapping[str, Doc]
    asked: Mapping[str, int]


Order = Callable[[Doc, Mapping[str, int]], tuple[Any, ...]]


def _newest(entry: Doc, asked: Mapping[str, int]) -> tuple[Any, ...]:
    return (str(entry["updated_at"]),)


def _best(entry: Doc, asked: Mapping[str, int]) -> tuple[Any, ...]:
    good, bad = useful(entry)
    return good - bad, good


def _worst(entry: Doc, asked: Mapping[str, int]) -> tuple[Any, ...]:
    good, bad = useful(entry)
    return bad - good, bad


def _most_asked(entry: Doc, asked: Mapping[str, int]) -> tuple[Any, ...]:
    return (asked.get(str(entry["id"]), 0), *_worst(entry, asked))


ORDERS: tuple[tuple[Callable[[], str], Order], ...] = (
    (lambda: tr("最近更新"), _newest),
    (lambda: tr("评价最低"), _worst),
    (lambda: tr("反馈最多"), _most_asked),
    (lambda: tr("评价最高"), _best),
)
"""How the list is ordered, the greatest first."""


class KnowledgeView(QWidget):
    """Entries and what people asked about them."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        set_role(self, "page")
        self._host = host
        self._service: KnowledgeService = knowledge_of(host)
        self._records = host.service(Records)  # type: ignore[type-abstract]
        self._actor = host.service(Session).actor  # type: ignore[type-abstract]
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        self._work = PageWork(host)
        self._read = Read((), (), {}, {}, {})
        self._loading: Token | None = None
        self._again = False
        self._wanted = ""
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setAccessibleName(tr("知识库"))
        self._make_entries(host)
        self._make_requests(host)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.addWidget(self.tabs)
        self.setFocusProxy(self.search)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        self.destroyed.connect(self._end_events)
        self._reload()

    def _make_entries(self, host: Host) -> None:
        memory = host.service(Settings)
        self.search = SearchBox(tr("查找知识：标题、内容、依据、事项编码"))
        self.search.setAccessibleName(tr("查找知识"))
        self.department, self.sort = ComboBox(tr("部门")), ComboBox(tr("类别"))
        self.item, self.order = ComboBox(tr("事项")), ComboBox(tr("排序"))
        self.sort.addItem(tr("全部类别"), "")
        for sort in SORTS:
            self.sort.addItem(sort_name(sort), sort)
        for place, (name, _) in enumerate(ORDERS):
            self.order.addItem(name(), place)
        self.new = PrimaryButton(tr("新增知识"), icon="plus")
        self.banner = Banner()
        self.table = RecordTable(
            [
                Column("title", tr("标题"), lambda doc: str(doc["title"]), 20, stretch=True),
                Column("kind", tr("类别"), lambda doc: sort_name(str(doc["kind"])), 6),
                Column("department", tr("部门"), self._department_of, 11),
                Column("rating", tr("评价"), _rating, 6, state=_rating_look),
                Column("asked", tr("反馈"), self._asked_words, 4, numeric=True),
            ],
            title=tr("知识"),
            name=_MEMORY,
            key=lambda doc: str(doc["id"]),
            memory=memory,
        )
        self.detail = EntryDetail()
        self._right = QStackedWidget()
        self._right.addWidget(EmptyState("book-open", tr("选一条知识，在这里阅读和评价。")))
        self._right.addWidget(self.detail)
        split = MasterDetail(self.table, self._right, name=f"{_MEMORY}.split", memory=memory)
        head = row_of(self.search, self.new, wide=0)
        second = QHBoxLayout()
        second.setSpacing(theme().space(2))
        for box in (self.department, self.sort, self.item, self.order):
            second.addWidget(box)
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.setSpacing(theme().space(2))
        column.addLayout(head)
        column.addLayout(second)
        column.addWidget(self.banner)
        column.addWidget(split, 1)
        self.new.setVisible(self._service.may_edit())
        self.tabs.addTab(pane, tr("知识"))
        self.search.searched.connect(self._reload)
        for box in (self.department, self.sort, self.item, self.order):
            box.currentIndexChanged.connect(self._filter)
        self.table.search_wanted.connect(self._focus_search)
        self.table.chosen.connect(self._choose)
        self.table.opened.connect(self._enter)
        self.table.acted.connect(self._reload)
        self.detail.rated.connect(self._rate)
        self.detail.ask_wanted.connect(self._ask)
        self.detail.edit_wanted.connect(self._edit)
        self.detail.remove_wanted.connect(self._ask_removal)
        self.new.clicked.connect(self._new)

    def _make_requests(self, host: Host) -> None:
        memory = host.service(Settings)
        self.which = ComboBox(tr("查看反馈"))
        views = [(tr("我提出的"), "mine"), (tr("全部"), "all")]
        if self._service.may_edit():
            views.insert(0, (tr("待本部门答复"), "open"))
        for words, which in views:
            self.which.addItem(words, which)
        self.answer = PrimaryButton(tr("答复…"), icon="message-square")
        self.to_entry = Button(tr("看这条知识"), icon="book-open")
        self.request_banner = Banner()
        self.requests = RecordTable(
            [
                Column("text", tr("反馈"), lambda record: str(record.doc["text"]), 20, stretch=True),
                Column("about", tr("关于"), self._about, 8),
                Column("by", tr("提出人"), lambda record: str(record.doc["asked_by"]["name"]), 5),
                Column("at", tr("时间"), lambda record: self._when(record.doc["asked_at"]), 7,
                       sort=lambda record: record.doc["asked_at"]),
                Column("state", tr("状态"), _request_words, 7, state=_request_look),
            ],
            title=tr("反馈"),
            name=f"{_MEMORY}.requests",
            key=lambda record: str(record.id),
            memory=memory,
        )  # fmt: skip
        self.question = Label("", wrap=True, selectable=True)
        self.reply = Label("", wrap=True, selectable=True)
        self.reply_head = SectionTitle(tr("部门答复"))
        shown = QWidget()
        inner = QVBoxLayout(shown)
        inner.setSpacing(theme().space(2))
        inner.addWidget(SectionTitle(tr("反馈内容")))
        inner.addWidget(self.question)
        inner.addWidget(self.reply_head)
        inner.addWidget(self.reply)
        inner.addStretch(1)
        detail = QWidget()
        column = QVBoxLayout(detail)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scrolled(shown), 1)
        column.addLayout(row_of(self.to_entry, self.answer, stretch=1))
        self.answer.setVisible(self._service.may_edit())
        self._request_right = QStackedWidget()
        self._request_right.addWidget(EmptyState("message-square", tr("选一条反馈，在这里查看和答复。")))
        self._request_right.addWidget(detail)
        split = MasterDetail(self.requests, self._request_right, name=f"{_MEMORY}.requests.split", memory=memory)
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.setSpacing(theme().space(2))
        self.which.setMaximumWidth(theme().text_width(16))
        column.addLayout(row_of(self.which))
        column.addWidget(self.request_banner)
        column.addWidget(split, 1)
        self.tabs.addTab(pane, tr("反馈"))
        self.which.currentIndexChanged.connect(self._filter_requests)
        self.requests.chosen.connect(self._choose_request)
        self.requests.opened.connect(self._ask_answer)
        self.answer.clicked.connect(self._ask_answer)
        self.to_entry.clicked.connect(self._open_entry)

    def show_arguments(self, **arguments: Any) -> None:
        """``text`` searches, ``entry`` opens one by its id, ``states`` (of a to-do card) or ``tab`` shows requests."""
        if arguments.get("states") or arguments.get("tab") == "requests":
            self.tabs.setCurrentIndex(1)
            self.which.setCurrentIndex(0)
        if "text" in arguments:
            self.search.setText(str(arguments["text"]))
        if entry := str(arguments.get("entry", "")):
            self.tabs.setCurrentIndex(0)
            self._wanted = entry
            self._filter()

    def back(self) -> bool:
        """From the detail to the list, from a search to all."""
        focus = self.focusWidget() or self
        if self.detail.isAncestorOf(focus):
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

    # -- reading ----------------------------------------------------------------------------------

    @Slot()
    def _reload(self) -> None:
        """Read anew; of several wishes while it is being read only the last is done."""
        if self._loading is not None and not self._loading.finished:
            self._again = True
            return
        text = self.search.text().strip()

        def read(token: Token) -> Read:
            found = [record.doc for record in self._service.search(text)]
            requests = self._service.requests(open_only=False)
            organisations = (record.doc for record in self._records.find(ORGANISATION_KIND, limit=MOST))
            current = items.current(record.doc for record in self._records.find(items.KIND, limit=MOST))
            asked: dict[str, int] = {}
            for request in requests:
                entry = str(request.doc["entry_id"])
                asked[entry] = asked.get(entry, 0) + 1
            departments = {str(doc["id"]): str(doc["name"]) for doc in organisations if doc.get("kind") == "department"}
            return Read(found, requests, departments, {str(item["code"]): item for item in current}, asked)

        self._loading = self._work.run("read", read, done=self._loaded, failed=self._not_loaded)

    def _loaded(self, read: Read) -> None:
        self._loading = None
        if self._again:
            self._again = False
            self._reload()
            return
        self._read = read
        _offer(self.department, tr("全部部门"), sorted(read.departments.items(), key=lambda one: one[1]))
        names = sorted(((code, str(item["name"])) for code, item in read.items.items()), key=lambda one: one[1])
        _offer(self.item, tr("全部事项"), names)
        self._filter()
        self._filter_requests()

    def _not_loaded(self, error: BaseException) -> None:
        self._loading = None
        for table in (self.table, self.requests):
            if isinstance(error, Refused) and error.code == "AUTH-403":
                table.show_forbidden(error.message)
            else:
                told = error.words() if isinstance(error, GovDeskError) else str(error)
                table.show_failed(told, tr("再试一次"))

    def _records_changed(self, event: RecordsChanged) -> None:
        if not self._work.closed and (event.touches(KIND) or event.touches(REQUEST_KIND)):
            self._reload()

    @Slot()
    def _filter(self) -> None:
        department, sort, item = (box.currentData() for box in (self.department, self.sort, self.item))
        found = [
            entry
            for entry in self._read.entries
            if (not department or entry["department_id"] == department)
            and (not sort or entry["kind"] == sort)
            and (not item or not entry["item_codes"] or item in entry["item_codes"])
        ]
        rank = ORDERS[self.order.currentIndex()][1]
        found.sort(key=lambda entry: rank(entry, self._read.asked), reverse=True)
        narrowed = self.search.text() or department or sort or item
        empty = tr("没有找到。换个说法，或请部门补充。") if narrowed else tr("还没有知识。")
        self.table.show_rows(found, empty=empty)
        if self._wanted and self.table.choose(self._wanted):
            self._wanted = ""
        if (current := self.table.current) is not None:
            self._choose(current)

    @Slot()
    def _filter_requests(self) -> None:
        which, mine = self.which.currentData(), self._actor.id
        rows = list(self._read.requests)
        if which == "open":
            rows = [
                row for row in rows if row.doc["state"] == OPEN and self._service.may_edit(row.doc["department_id"])
            ]
        elif which == "mine":
            rows = [row for row in rows if row.doc["asked_by"]["id"] == mine]
        told = {"open": tr("没有等您答复的反馈。"), "mine": tr("您还没有提出过反馈。")}
        self.requests.show_rows(rows, empty=told.get(str(which), tr("还没有反馈。")))
        waiting = sum(
            row.doc["state"] == OPEN and self._service.may_edit(row.doc["department_id"]) for row in self._read.requests
        )
        self.tabs.setTabText(1, tr("反馈（{n} 条待答复）", n=waiting) if waiting else tr("反馈"))
        self._choose_request(self.requests.current)

    def _department_of(self, doc: Doc) -> str:
        return self._read.departments.get(str(doc["department_id"]), str(doc["department_id"]))

    def _asked_words(self, doc: Doc) -> str:
        count = self._read.asked.get(str(doc["id"]), 0)
        return str(count) if count else ""

    def _about(self, record: Record) -> str:
        entry = next((one for one in self._read.entries if one["id"] == record.doc["entry_id"]), None)
        if entry is not None:
            return str(entry["title"])
        item = self._read.items.get(str(record.doc["item_code"]))
        return str(item["name"]) if item else tr("新的知识")

    def _when(self, text: str) -> str:
        return when(parse_iso(text), self._clock.now())

    @Slot()
    def _focus_search(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    # -- one entry --------------------------------------------------------------------------------

    @Slot(object)
    def _choose(self, entry: Doc | None) -> None:
        if entry is None:
            self._right.setCurrentIndex(0)
            return
        names = [
            str(self._read.items[code]["name"]) if code in self._read.items else code for code in entry["item_codes"]
        ]
        facts = tr("、").join([sort_name(str(entry["kind"])), self._department_of(entry)])
        changed = tr("{who}于{when}更新", who=entry["updated_by"]["name"], when=self._when(entry["updated_at"]))
        mine = entry.get("ratings", {}).get(self._actor.id, {}).get("useful")
        may = self._service.may_edit(str(entry["department_id"]))
        self.detail.show_entry(entry, facts, changed, names, mine, may)
        self._right.setCurrentIndex(1)

    @Slot(object)
    def _enter(self, entry: Doc) -> None:
        self.detail.yes.setFocus(Qt.FocusReason.OtherFocusReason)

    def _change(self, banner: Banner, work: Callable[[], Any], told: str) -> None:
        """Give a command; what the person has decided is done even if the page is left at once."""

        def done(_: Any) -> None:
            if not self._work.closed:
                banner.say(told, "good")
                self._reload()

        def failed(error: BaseException) -> None:
            if not self._work.closed:
                say_error(banner, error)

        self._host.run("data", lambda token: work(), done=done, failed=failed)

    @Slot(bool)
    def _rate(self, useful: bool) -> None:
        if (entry := self.table.current) is not None:
            work = partial(self._service.rate, str(entry["id"]), useful=useful)
            self._change(self.banner, work, tr("谢谢，已记下您的评价。"))

    @Slot()
    def _ask(self) -> None:
        entry = self.table.current
        if entry is None:
            return
        dialog = TextDialog(
            tr("送给部门"),
            tr("哪里不准、应当怎样"),
            self,
            consequence=tr("送给{department}。处理后答复在“反馈”里。", department=self._department_of(entry)),
            needed=tr("请写明哪里不准。"),
        )

        def give(text: str) -> None:
            code = str(entry["item_codes"][0]) if entry["item_codes"] else ""
            work = partial(
                self._service.ask, str(entry["department_id"]), text, item_code=code, entry_id=str(entry["id"])
            )
            self._change(self.banner, work, tr("已送给部门。"))

        dialog.given.connect(give)
        dialog.open()

    @Slot()
    def _new(self) -> None:
        mine = self._service.department_id
        department = mine or str(self.department.currentData() or "")
        code = str(self.item.currentData() or "")
        blank = {"department_id": department, "kind": "faq", "title": "", "text": "", "basis": "", "material_ids": [],
                 "item_codes": [code] if code else []}  # fmt: skip
        self._write("", blank)

    @Slot()
    def _edit(self) -> None:
        if (entry := self.table.current) is not None:
            self._write(str(entry["id"]), entry)

    def _write(self, id: str, entry: Doc) -> None:
        mine = self._service.department_id
        departments = {key: name for key, name in self._read.departments.items() if mine in ("", key)}
        dialog = EntryDialog(entry, departments, self._read.items, self)

        def done(record: Record) -> None:
            dialog.accept()
            self._wanted = record.id
            self.banner.say(tr("知识已保存。"), "good")
            self._reload()

        def give(body: Mapping[str, Any]) -> None:
            self._host.run(
                "data",
                lambda token: self._service.put(id or self._service.new_id(), body),
                done=done,
                failed=dialog.say,
            )

        dialog.wanted.connect(give)
        dialog.open()

    @Slot()
    def _ask_removal(self) -> None:
        if (entry := self.table.current) is None:
            return
        words = tr("“{title}”不再显示给任何人。", title=entry["title"])
        dialog = ConfirmDialog(tr("删除这条知识"), words, parent=self)
        work = partial(self._service.remove, str(entry["id"]))
        dialog.accepted.connect(partial(self._change, self.banner, work, tr("已删除。")))
        dialog.open()

    # -- requests ---------------------------------------------------------------------------------

    @Slot(object)
    def _choose_request(self, record: Record | None) -> None:
        self._request_right.setCurrentIndex(0 if record is None else 1)
        if record is None:
            return
        doc = record.doc
        who = tr("{name}（{place}），{when}", name=doc["asked_by"]["name"], place=doc.get("place", ""),
                 when=self._when(doc["asked_at"]))  # fmt: skip
        self.question.setText(f"{doc['text']}\n{who}")
        answered = doc["state"] != OPEN
        if answered:
            by = tr("{name}，{when}", name=doc["answered_by"]["name"], when=self._when(doc["answered_at"]))
            self.reply.setText(f"{doc['answer']}\n{by}")
        else:
            self.reply.setText(tr("还没有答复。"))
        self.answer.setEnabled(not answered and self._service.may_edit(str(doc["department_id"])))
        self.to_entry.setVisible(any(entry["id"] == doc["entry_id"] for entry in self._read.entries))

    @Slot()
    def _ask_answer(self) -> None:
        record = self.requests.current
        if record is None or not self.answer.isEnabled() or not self._service.may_edit():
            return
        dialog = TextDialog(
            tr("答复"), tr("怎样处理了"), self, consequence=str(record.doc["text"]), needed=tr("请写明怎样处理了。")
        )

        def give(text: str) -> None:
            work = partial(self._service.answer, record.id, text)
            self._change(self.request_banner, work, tr("已答复{name}。", name=record.doc["asked_by"]["name"]))

        dialog.given.connect(give)
        dialog.open()

    @Slot()
    def _open_entry(self) -> None:
        if (record := self.requests.current) is not None:
            for box in (self.department, self.sort, self.item):
                box.setCurrentIndex(0)
            self.show_arguments(entry=record.doc["entry_id"])


class EntryDetail(QWidget):
    """One entry to be read, rated and, by its department, changed."""

    rated = Signal(bool)
    ask_wanted = Signal()
    edit_wanted = Signal()
    remove_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.title = Label("", "heading", wrap=True, selectable=True)
        self.facts = Label("", "quiet", wrap=True)
        self.text = Label("", wrap=True, selectable=True)
        self.basis = Label("", "quiet", wrap=True, selectable=True)
        self.items = Label("", "quiet", wrap=True)
        self.rating = StateLabel()
        self.yes = Button(tr("有用"), icon="thumbs-up")
        self.no = Button(tr("没用"), icon="thumbs-down")
        self.ask = Button(tr("请部门更新…"), icon="message-square")
        self.edit = Button(tr("修改…"), icon="pencil")
        self.remove = Button(tr("删除…"), icon="trash-2")
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(theme().space(3), 0, theme().space(3), 0)
        column.setSpacing(theme().space(2))
        for widget in (self.title, self.facts, self.text, self.basis, self.items, self.rating):
            column.addWidget(widget)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(inside), 1)
        outer.addLayout(row_of(self.yes, self.no, self.ask))
        outer.addLayout(row_of(self.edit, self.remove))
        for button in (self.yes, self.no):
            button.setCheckable(True)
        self.yes.clicked.connect(partial(self._say, True))
        self.no.clicked.connect(partial(self._say, False))
        self.ask.clicked.connect(self.ask_wanted)
        self.edit.clicked.connect(self.edit_wanted)
        self.remove.clicked.connect(self.remove_wanted)

    def show_entry(
        self, entry: Doc, facts: str, changed: str, item_names: Sequence[str], mine: bool | None, may_edit: bool
    ) -> None:
        """Show an entry; ``mine`` is the reader's own opinion."""
        self.title.setText(str(entry["title"]))
        self.facts.setText(f"{facts}\n{changed}")
        self.text.setText(str(entry["text"]))
        self.basis.setText(tr("依据：{basis}", basis=entry["basis"]))
        self.basis.setVisible(bool(entry["basis"]))
        told = tr("适用事项：{names}", names=tr("、").join(item_names)) if item_names else tr("适用于所有事项")
        self.items.setText(told)
        good, bad = useful(entry)
        words = tr("{good} 人觉得有用，{bad} 人觉得没用", good=good, bad=bad) if good + bad else tr("还没有人评价")
        self.rating.show_state(_rating_look(entry) or "quiet", words)
        self.yes.setChecked(mine is True)
        self.no.setChecked(mine is False)
        for button in (self.edit, self.remove):
            button.setVisible(may_edit)

    @Slot()
    def _say(self, useful: bool) -> None:
        self.yes.setChecked(useful)
        self.no.setChecked(not useful)
        self.rated.emit(useful)


class EntryDialog(GrowingDialog):
    """Writes an entry. ``wanted(body)``; the asker closes it, or says what is wrong."""

    wanted = Signal(object)

    def __init__(self, entry: Doc, departments: Mapping[str, str], items: Mapping[str, Doc], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        title = tr("修改知识") if entry.get("id") else tr("新增知识")
        self.setWindowTitle(title)
        set_role(self, "page")
        self._entry = entry
        fields = {
            "title": text_field(tr("标题"), maxLength=LONGEST["title"]),
            "kind": text_field(tr("类别"), enum=list(SORTS), **{"x-labels": [sort_name(sort) for sort in SORTS]}),
            "department_id": text_field(
                tr("维护部门"), enum=list(departments) or [""], **{"x-labels": list(departments.values()) or [""]}
            ),
            "text": text_field(tr("内容"), maxLength=LONGEST["text"], **{"x-lines": 8}),
            "basis": text_field(tr("依据"), maxLength=LONGEST["basis"]),
        }
        self.form = FormView(make_form(("", fields), required=["title", "kind", "department_id", "text"]))
        self.form.set_values({name: entry.get(name) or None for name in fields})
        self.items = PickList(tr("适用事项（不选为所有事项）"), 5)
        mine = [one for one in items.values() if one["department_id"] in departments]
        self.items.show_options(((str(one["code"]), str(one["name"])) for one in mine), entry["item_codes"])
        self.banner = Banner()
        self.go = PrimaryButton(tr("保存知识"))
        keep = Button(tr("取消"))
        inside = QWidget()
        inner = QVBoxLayout(inside)
        inner.setContentsMargins(0, 0, theme().space(2), 0)
        inner.addWidget(self.form)
        inner.addWidget(self.items)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(SectionTitle(title))
        column.addWidget(scrolled(inside), 1)
        column.addWidget(self.banner)
        column.addLayout(row_of(keep, self.go, stretch=0))
        self.resize(theme().text_width(56), theme().size("row") * 20)
        keep.clicked.connect(self.reject)
        self.go.clicked.connect(self._give)
        self.form.field("title").take_focus()

    def say(self, error: BaseException) -> None:
        """What went wrong; what was written stays."""
        say_error(self.banner, error)
        self.form.show_faults(fields_of(error))

    @Slot()
    def _give(self) -> None:
        values = self.form.values()
        body = {name: values.get(name, "") for name in ("title", "kind", "department_id", "text", "basis")}
        tied = {"item_codes": self.items.values(), "material_ids": list(self._entry["material_ids"])}
        self.wanted.emit({**body, **tied})


def _offer(box: ComboBox, all_words: str, options: Sequence[tuple[str, str]]) -> None:
    """Fill a choice anew; what was chosen stays chosen."""
    chosen = box.currentData()
    box.blockSignals(True)
    box.clear()
    box.addItem(all_words, "")
    for id, words in options:
        box.addItem(words, id)
    box.setCurrentIndex(max(0, box.findData(chosen)))
    box.blockSignals(False)


def _rating(entry: Doc) -> str:
    good, bad = useful(entry)
    return tr("{good} 有用 {bad} 没用", good=good, bad=bad) if good + bad else tr("未评价")


def _rating_look(entry: Doc) -> str:
    good, bad = useful(entry)
    return "" if not good + bad else "due" if bad > good else "good"


def _request_words(record: Record) -> str:
    return tr("待答复") if record.doc["state"] == OPEN else tr("已答复")


def _request_look(record: Record) -> str:
    return "due" if record.doc["state"] == OPEN else "good"
