"""事项管理: find an item, edit its draft, publish, withdraw, take workbooks in and out, meet the province's news."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.kernel.events import Events, RecordsChanged
from client.kernel.settings import Settings
from client.widgets.basics import Banner, Button, ComboBox, EmptyState, Label, PrimaryButton, ProgressPane, SearchBox
from client.widgets.dialogs import TextDialog
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import set_role, theme
from modules.acceptance.domain.item_conflicts import CONFLICT_KIND, PULL_KIND
from modules.acceptance.domain.items import DRAFT, KIND, KINDS, ONLINE, PUBLISHED, WITHDRAWN, state_of
from modules.acceptance.services.excel import Plan
from modules.acceptance.services.items import Imported, ItemsService, Shelf, service_of
from modules.acceptance.ui.items.detail import ItemDetail, item_look
from modules.acceptance.ui.items.dialogs import ConflictDialog, ImportDialog, NewItemDialog, fields_of
from modules.acceptance.ui.say import say_error
from modules.acceptance.ui.work import PageWork
from modules.common.aggregate import Doc
from modules.common.clock import CHINA, parse_iso
from modules.common.errors import GovDeskError, Refused
from modules.common.text import tr

_MEMORY = "acceptance.items"
OFFLINE = ("NET-001", "NET-003")


@dataclass(frozen=True, slots=True)
class _Read:
    """What the page shows, read in one piece."""

    shelves: list[Shelf]
    departments: dict[str, str]
    pull: Doc | None


def _is_draft(shelf: Shelf) -> bool:
    return shelf.draft is not None


def _state_is(state: str, shelf: Shelf) -> bool:
    return state_of(shelf.shown) == state


VIEWS: tuple[tuple[str, str, Callable[[Shelf], bool]], ...] = (
    ("all", "全部", lambda shelf: True),
    (PUBLISHED, "已发布", partial(_state_is, PUBLISHED)),
    (DRAFT, "有草稿", _is_draft),
    (WITHDRAWN, "已停止办理", partial(_state_is, WITHDRAWN)),
    ("conflict", "与省级冲突", lambda shelf: shelf.conflict is not None),
    ("hot", "热点", lambda shelf: bool(shelf.shown.get("hot"))),
    ("once", "最多跑一次", lambda shelf: shelf.shown.get("visits") in (0, 1)),
    ("online", "全程网办", lambda shelf: shelf.shown.get("form_of_application") == ONLINE),
    ("green", "绿色通道", lambda shelf: bool((shelf.shown.get("green") or {}).get("enabled"))),
)
"""Ways of looking at the catalogue (C18), each a test of an item."""


class ItemsView(QWidget):
    """The page of whoever keeps the items."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._service: ItemsService = service_of(host)
        self._host = host
        self._work = PageWork(host)
        self._read = _Read([], {}, None)
        self._loading: Token | None = None
        self._long: Token | None = None
        self._again = False
        self._wanted = self._version = ""
        memory = host.service(Settings)
        set_role(self, "page")
        self._make_head()
        columns = [
            Column("name", tr("事项名称"), lambda shelf: shelf.shown["name"] or shelf.code, 14, stretch=True),
            Column("department", tr("部门"), lambda shelf: shelf.shown["department"], 8),
            Column(
                "days", tr("承诺"), _days, 4, sort=lambda shelf: shelf.shown.get("promised_days") or 0, numeric=True
            ),
            Column("state", tr("状态"), _state_words, 8, state=_state_look),
        ]
        self.table = RecordTable(
            columns, title=tr("事项"), name=_MEMORY, key=lambda shelf: str(shelf.code), memory=memory
        )
        self.detail = ItemDetail()
        self._nothing = EmptyState("clipboard-list", tr("选一个事项，在这里查看和修改。"))
        self._right = QStackedWidget()
        self._right.addWidget(self._nothing)
        self._right.addWidget(self.detail)
        split = MasterDetail(self.table, self._right, name=f"{_MEMORY}.split", memory=memory)
        if memory.recall(f"{_MEMORY}.split") is None:
            split.setSizes([theme().text_width(40), theme().text_width(60)])
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(self._head)
        column.addLayout(self._second)
        column.addWidget(self.progress)
        column.addWidget(self.banner)
        column.addWidget(split, 1)
        self.setFocusProxy(self.search)
        self._connect(host)
        self._reload()

    def _make_head(self) -> None:
        self.search = SearchBox(tr("查找事项：名称、编码、主题"))
        self.search.setAccessibleName(tr("查找事项"))
        self.view = ComboBox(tr("查看"))
        for id, name, _ in VIEWS:
            self.view.addItem(tr(name), id)
        self.department = ComboBox(tr("部门"))
        self.kind = ComboBox(tr("办件类型"))
        self.kind.addItem(tr("全部类型"), "")
        for kind, label in KINDS:
            self.kind.addItem(tr(label), kind)
        self.new = PrimaryButton(tr("新建事项"))
        self.bring = Button(tr("导入 Excel…"))
        self.take = Button(tr("导出 Excel…"))
        self.sync = Button(tr("立即同步"), icon="refresh-cw")
        self.pulled = Label("", "quiet")
        self.progress = ProgressPane()
        self.progress.hide()
        self.banner = Banner()
        self._head, self._second = QHBoxLayout(), QHBoxLayout()
        for row in (self._head, self._second):
            row.setSpacing(theme().space(2))
        self._head.addWidget(self.search, 1)
        for box in (self.view, self.department, self.kind):
            self._head.addWidget(box)
        for button in (self.new, self.bring, self.take):
            self._second.addWidget(button)
        self._second.addStretch(1)
        self._second.addWidget(self.pulled)
        self._second.addWidget(self.sync)

    def _connect(self, host: Host) -> None:
        self.search.searched.connect(self._reload)
        self.search.submitted.connect(self._reload)
        for box in (self.view, self.department, self.kind):
            box.currentIndexChanged.connect(self._filter)
        self.table.search_wanted.connect(self._focus_search)
        self.table.chosen.connect(self._choose)
        self.table.opened.connect(self._enter_detail)
        self.table.acted.connect(self._reload)
        self.detail.versions.opened.connect(self._open_version)
        self.detail.save_wanted.connect(self._save)
        self.detail.publish_wanted.connect(self._publish)
        self.detail.version_wanted.connect(self._new_version)
        self.detail.copy_wanted.connect(self._copy)
        self.detail.withdraw_wanted.connect(self._ask_withdrawal)
        self.detail.conflict_wanted.connect(self._ask_conflict)
        self.new.clicked.connect(self._new)
        self.bring.clicked.connect(self._ask_file)
        self.take.clicked.connect(self._export)
        self.sync.clicked.connect(self._pull)
        self.progress.cancelled.connect(self._stop)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        self.destroyed.connect(self._end_events)

    def show_arguments(self, **arguments: Any) -> None:
        """``text`` searches, ``item`` opens one by its code, ``view`` is one of ``VIEWS``."""
        self.search.setText(str(arguments.get("text", "")))
        if (place := self.view.findData(arguments.get("view", ""))) >= 0:
            self.view.setCurrentIndex(place)
        self._wanted = str(arguments.get("item", ""))
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
        self._keep_edits()
        self._work.close()
        super().closeEvent(event)

    # -- the list -------------------------------------------------------------------------------------

    @Slot()
    def _reload(self) -> None:
        """Read anew; of several wishes while it is being read only the last is done."""
        if self._loading is not None and not self._loading.finished:
            self._again = True
            return
        text = self.search.text()

        def read(token: Token) -> _Read:
            return _Read(self._service.shelves(text), self._service.departments(), self._service.last_pull())

        self._loading = self._work.run("read", read, done=self._loaded, failed=self._not_loaded)

    def _loaded(self, read: _Read) -> None:
        self._loading = None
        if self._again:
            self._again = False
            self._reload()
            return
        self._read = read
        self._show_departments()
        self._show_pull(read.pull)
        self._filter()

    def _not_loaded(self, error: BaseException) -> None:
        self._loading = None
        if isinstance(error, Refused) and error.code == "AUTH-403":
            self.table.show_forbidden(error.message)
            for button in (self.new, self.bring, self.take, self.sync):
                button.setEnabled(False)
        else:
            self.table.show_failed(str(error), tr("再试一次"))

    def _show_departments(self) -> None:
        chosen = self.department.currentData()
        self.department.blockSignals(True)
        self.department.clear()
        self.department.addItem(tr("全部部门"), "")
        for id, name in sorted(self._read.departments.items(), key=lambda entry: entry[1]):
            self.department.addItem(name, id)
        self.department.setCurrentIndex(max(0, self.department.findData(chosen)))
        self.department.blockSignals(False)

    @Slot()
    def _filter(self) -> None:
        test = VIEWS[self.view.currentIndex()][2]
        department, kind = self.department.currentData(), self.kind.currentData()
        found = [
            shelf
            for shelf in self._read.shelves
            if test(shelf)
            and (not department or shelf.shown["department_id"] == department)
            and (not kind or shelf.shown.get("kind") == kind)
        ]
        narrowed = self.search.text() or self.view.currentIndex() or department or kind
        self.table.show_rows(found, empty=tr("没有找到符合的事项。") if narrowed else tr("还没有事项。"))
        if self._wanted and self.table.choose(self._wanted):
            self._wanted = ""
        if (current := self.table.current) is not None:
            self._choose(current)

    def _records_changed(self, event: RecordsChanged) -> None:
        if not self._work.closed and any(event.touches(kind) for kind in (KIND, CONFLICT_KIND, PULL_KIND)):
            self._reload()

    @Slot()
    def _focus_search(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    @Slot(object)
    def _choose(self, shelf: Shelf | None) -> None:
        if shelf is None or (self.detail.shelf is not None and shelf.code != self.detail.shelf.code):
            self._keep_edits()
        if shelf is None:
            self._right.setCurrentWidget(self._nothing)
            return
        item = next((item for item in shelf.versions if item["id"] == self._version), shelf.draft or shelf.shown)
        if self.detail.item.get("id") == item["id"] and self.detail.item == item and self.detail.shelf == shelf:
            return  # what is being edited stays as it is
        self.detail.show_shelf(shelf, item, self._read.departments)
        self._right.setCurrentWidget(self.detail)

    def _keep_edits(self) -> None:
        """Save what was edited in the draft that is being left: nothing typed is lost by looking elsewhere."""
        item = self.detail.item
        if not item or state_of(item) != DRAFT:
            return
        try:
            changes = self.detail.changes()
        except (GovDeskError, ValueError):
            self.banner.say(tr("“{name}”的表单定义有误，刚才的改动没有保存。", name=item["name"]), "due")
            return
        if changes:
            self._host.run("data", lambda token: self._service.edit(item["id"], changes), failed=self._not_kept)

    def _not_kept(self, error: BaseException) -> None:
        if not self._work.closed:
            say_error(self.banner, error)

    @Slot(object)
    def _open_version(self, item: Doc) -> None:
        """Show another version of the item in hand."""
        self._keep_edits()
        self._version = item["id"]
        if self.detail.shelf is not None:
            self.detail.show_shelf(self.detail.shelf, item, self._read.departments)

    @Slot()
    def _enter_detail(self) -> None:
        self.detail.tabs.tabBar().setFocus(Qt.FocusReason.OtherFocusReason)

    # -- one item -------------------------------------------------------------------------------------

    def _change(self, work: Callable[[], Doc], then: Callable[[Doc], None]) -> None:
        """Give a command; what the person has decided is done even if the page is left at once."""
        self.detail.setEnabled(False)

        def done(item: Doc) -> None:
            if not self._work.closed:
                self.detail.setEnabled(True)
                then(item)

        def failed(error: BaseException) -> None:
            if not self._work.closed:
                self.detail.setEnabled(True)
                self._trouble(error)

        self._host.run("data", lambda token: work(), done=done, failed=failed)

    def _trouble(self, error: BaseException) -> None:
        say_error(self.detail.banner, error)
        faults = fields_of(error)
        if faults and state_of(self.detail.item) == DRAFT:
            self.detail.go_to_check(faults)

    def _shown(self, told: str, item: Doc) -> None:
        self._version, self._wanted = item["id"], item["code"]
        self.detail.banner.say(told, "good")
        self._reload()

    def _edited(self) -> dict[str, Any] | None:
        """What was edited, or None where the form is not sound: that is said."""
        try:
            return self.detail.changes()
        except GovDeskError as error:
            say_error(self.detail.banner, error)
        except ValueError:
            self.detail.banner.say(tr("表单定义不是合法的 JSON，请先改正。"), "red")
        self.detail.tabs.setCurrentWidget(self.detail.form)
        return None

    @Slot()
    def _save(self) -> None:
        changes, id = self._edited(), self.detail.item["id"]
        if changes == {}:
            self.detail.banner.say(tr("没有改动。"), "info")
        elif changes:
            self._change(lambda: self._service.edit(id, changes), partial(self._shown, tr("草稿已保存。")))

    @Slot()
    def _publish(self) -> None:
        changes, item = self._edited(), self.detail.item
        if changes is None:
            return

        def work() -> Doc:
            draft = self._service.edit(item["id"], changes) if changes else item
            return self._service.publish(draft)

        self._change(work, partial(self._shown, tr("已发布，新受理的件按这一版办理。")))

    @Slot()
    def _new_version(self) -> None:
        if (shelf := self.detail.shelf) is not None:
            self._change(
                lambda: self._service.new_version(shelf), partial(self._shown, tr("草稿已建立，发布前不影响受理。"))
            )

    @Slot()
    def _new(self) -> None:
        self._ask_new(None)

    @Slot()
    def _copy(self) -> None:
        self._ask_new(self.detail.item)

    def _ask_new(self, source: Doc | None) -> None:
        dialog = NewItemDialog(self, source)

        def done(item: Doc) -> None:
            dialog.accept()
            self._shown(tr("草稿已建立。"), item)

        def ask(code: str, name: str) -> None:
            self._work.run("data", lambda token: self._service.create(code, name, source), done=done, failed=dialog.say)

        dialog.wanted.connect(ask)
        dialog.open()

    @Slot()
    def _ask_withdrawal(self) -> None:
        item = self.detail.item

        def ask(count: int) -> None:
            told = tr("“{name}”不再受理新件。", name=item["name"])
            told += tr("在办的 {n} 件不受影响，照旧办完。", n=count) if count else tr("没有在办的件。")
            dialog = TextDialog(
                tr("停止办理"),
                tr("停止办理的原因"),
                self,
                consequence=told,
                danger=True,
                needed=tr("请写明停止办理的原因。"),
            )
            dialog.given.connect(self._withdraw)
            dialog.open()

        self._work.run("read", lambda token: self._service.open_cases(item["code"]), done=ask, failed=self._trouble)

    @Slot(str)
    def _withdraw(self, reason: str) -> None:
        id = self.detail.item["id"]
        self._change(lambda: self._service.withdraw(id, reason), partial(self._shown, tr("已停止办理。")))

    # -- workbooks ------------------------------------------------------------------------------------

    @Slot()
    def _export(self) -> None:
        items = [shelf.draft or shelf.shown for shelf in self.table.rows]
        departments = self._read.departments

        def made(data: bytes) -> None:
            self._save_file(tr("事项.xlsx"), data, tr("已导出 {n} 项。", n=len(items)))

        self._run_long(lambda token: self._service.export(items, departments, token), made)

    def _save_file(self, name: str, data: bytes, told: str) -> None:
        path, _ = QFileDialog.getSaveFileName(self, tr("保存到"), name, "Excel (*.xlsx)")
        if not path:
            return
        try:
            Path(path).write_bytes(data)
        except OSError as error:
            self.banner.say(tr("没有保存：{why}", why=str(error)), "red")
        else:
            self.banner.say(tr("{told}文件在 {path}", told=told, path=path), "good")

    @Slot()
    def _ask_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, tr("选择要导入的工作簿"), "", "Excel (*.xlsx)")
        if path:
            self.import_file(Path(path))

    def import_file(self, path: Path) -> None:
        """Read a workbook and show what importing it would do."""
        departments = self._read.departments

        def work(token: Token) -> Plan:
            existing = [item for shelf in self._service.shelves() for item in shelf.versions]
            return self._service.plan(path.read_bytes(), existing, departments, token)

        self._run_long(work, self._show_plan)

    def _show_plan(self, plan: Plan) -> None:
        dialog = ImportDialog(self, plan)
        rows = [*plan.new, *plan.changed]

        def done(result: Imported) -> None:
            dialog.accept()
            words = (
                tr("已导入 {n} 项草稿，发布后生效。", n=result.done)
                if result.drafts
                else tr("已导入并发布 {n} 项。", n=result.done)
            )
            self.banner.say(words, "good")
            self._reload()

        def failed(error: BaseException) -> None:
            dialog.progress.hide()
            dialog.say(error)
            self._reload()

        def apply(publish: bool) -> None:
            token = self._host.run(
                "data",
                lambda token: self._service.apply(rows, publish=publish, steps=token),
                done=done,
                failed=failed,
            )
            token.watch(dialog.progress.show_progress)
            dialog.progress.cancelled.connect(token.cancel)
            dialog.progress.cancelled.connect(dialog.reject)
            dialog.progress.cancelled.connect(self._reload)

        dialog.wanted.connect(apply)
        save = partial(self._save_file, tr("有误的事项.xlsx"), plan.leftover, tr("改好后可再导入。"))
        dialog.leftover_wanted.connect(save)
        dialog.open()

    def _run_long(self, work: Callable[[Token], Any], done: Callable[[Any], None]) -> None:
        """Work on lane ``cpu`` with progress; one at a time."""
        if self._long is not None and not self._long.finished:
            return
        self.banner.clear()
        self.progress.show_progress(0.0, tr("准备"))
        self.progress.show()

        def ended(result: Any) -> None:
            self.progress.hide()
            done(result)

        def failed(error: BaseException) -> None:
            self.progress.hide()
            say_error(self.banner, error)

        self._long = self._work.run("cpu", work, done=ended, failed=failed)
        if self._long is not None:
            self._long.watch(self.progress.show_progress)

    @Slot()
    def _stop(self) -> None:
        if self._long is not None:
            self._long.cancel()
        self.progress.hide()
        self.banner.say(tr("已停止，没有改动。"), "info")

    # -- the province ---------------------------------------------------------------------------------

    def _show_pull(self, pull: Doc | None) -> None:
        if pull is None:
            self.pulled.setText(tr("还没有与省级事项库同步过。"))
            return
        when = f"{parse_iso(pull['finished_at']).astimezone(CHINA):%m-%d %H:%M}"
        if pull.get("error"):
            self.pulled.setText(tr("省级同步失败 {when}", when=when))
            self.pulled.setToolTip(pull["error"]["message"])
        else:
            waiting = sum(1 for shelf in self._read.shelves if shelf.conflict is not None)
            told = tr("省级同步 {when}", when=when)
            told += tr("，{n} 项冲突待核对", n=waiting) if waiting else ""
            told += tr("，{n} 项未采用", n=len(pull["faults"])) if pull.get("faults") else ""
            self.pulled.setText(told)
            self.pulled.setToolTip("\n".join(f"{fault['name']}：{fault['why']}" for fault in pull.get("faults", [])))

    @Slot()
    def _pull(self) -> None:
        self.sync.setEnabled(False)

        def done(last: Doc) -> None:
            self.sync.setEnabled(True)
            self._say_pull(last)
            self._reload()

        def failed(error: BaseException) -> None:
            self.sync.setEnabled(True)
            offline = isinstance(error, GovDeskError) and error.code in OFFLINE
            if offline and isinstance(error, GovDeskError):
                self.banner.say(error.words(), "offline", code=error.code)
            else:
                say_error(self.banner, error)

        self._work.run("net", lambda token: self._service.pull(), done=done, failed=failed)

    def _say_pull(self, last: Mapping[str, Any]) -> None:
        if error := last.get("error"):
            self.banner.say(error["message"], "red", code=error["code"])
            return
        counts = last.get("counts", {})
        told = tr(
            "同步完成：新增 {new}，更新 {changed}，停办 {withdrawn}，冲突 {conflict}，未采用 {faulty}。",
            **{name: counts.get(name, 0) for name in ("new", "changed", "withdrawn", "conflict", "faulty")},
        )
        told += tr("还有更多，稍后自动继续。") if last.get("more") else ""
        lines = [f"{fault['name'] or fault['code']}：{fault['why']}" for fault in last.get("faults", [])]
        self.banner.say("\n".join([told, *lines[:5]]), "due" if lines or counts.get("conflict") else "good")

    @Slot()
    def _ask_conflict(self) -> None:
        shelf = self.detail.shelf
        if shelf is None or shelf.conflict is None:
            return
        conflict = shelf.conflict
        dialog = ConflictDialog(self, conflict)

        def done(_: Doc) -> None:
            dialog.accept()
            self._version, self._wanted = "", shelf.code
            self.detail.banner.say(tr("已按所选发布新版本。"), "good")
            self._reload()

        def ask(choices: Mapping[str, str]) -> None:
            work = self._service.decide_conflict
            self._host.run("data", lambda token: work(conflict, choices), done=done, failed=dialog.say)

        dialog.wanted.connect(ask)
        dialog.open()


def _days(shelf: Shelf) -> str:
    days = shelf.shown.get("promised_days")
    return tr("{n} 日", n=days) if days is not None else ""


def _state_words(shelf: Shelf) -> str:
    told = item_look(shelf.shown)[1]
    if shelf.conflict is not None:
        return tr("有冲突")
    return tr("{state}，有草稿", state=told) if shelf.draft is not None and shelf.draft != shelf.shown else told


def _state_look(shelf: Shelf) -> str:
    return "due" if shelf.conflict is not None else item_look(shelf.shown)[0]
