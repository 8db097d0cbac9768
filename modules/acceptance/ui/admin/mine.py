"""委托与常用语: who may sign in one's place and until when, and what one likes to write."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.kernel.events import Events, RecordsChanged
from client.kernel.settings import Settings
from client.widgets.basics import Banner, Button, ConfirmDialog, LoadingState, PrimaryButton, SectionTitle, StatePane
from client.widgets.dialogs import TextDialog
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import set_role, theme
from modules.acceptance.domain import phrases
from modules.acceptance.domain.registers import in_use
from modules.acceptance.services.registers import Colleague, settings_of
from modules.acceptance.ui.admin.parts import Desk, FormDialog, is_offline, make_form, row_of, text_field
from modules.acceptance.ui.say import say_error
from modules.common.aggregate import Doc
from modules.common.errors import GovDeskError, Refused
from modules.common.text import tr
from modules.common.workflow import DELEGATION_KIND


class MineView(QWidget):
    """What a person sets for himself."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        set_role(self, "page")
        self._service = settings_of(host)
        self._desk = Desk(host, self._service, self._reload)
        self._loading: Token | None = None
        self._again = False
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setAccessibleName(tr("委托与常用语"))
        self._make_delegations(host)
        self._make_phrases(host)
        self.state: StatePane = LoadingState()
        self.state.acted.connect(self._reload)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.state)
        self._stack.addWidget(self.tabs)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.addWidget(self._stack)
        self.setFocusProxy(self.tabs.tabBar())
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        self.destroyed.connect(self._end_events)
        self._reload()

    def _make_delegations(self, host: Host) -> None:
        self.banner = Banner()
        self.delegate = PrimaryButton(tr("委托他人签批…"), icon="user-check")
        self.withdraw = Button(tr("收回委托"), icon="undo-2")
        self.given = RecordTable(
            [
                Column("to", tr("受委托人"), lambda doc: str(doc["to"]["name"]), 8, stretch=True),
                Column("since", tr("自"), lambda doc: str(doc["since"]), 7),
                Column("until", tr("至"), lambda doc: str(doc["until"]), 7),
                Column("state", tr("状态"), self._words, 8, state=self._look),
            ],
            title=tr("我的委托"),
            name="acceptance.mine.given",
            key=lambda doc: str(doc["id"]),
            memory=host.service(Settings),
        )
        self.received = RecordTable(
            [
                Column("from", tr("委托人"), lambda doc: str(doc["from"]["name"]), 8, stretch=True),
                Column("since", tr("自"), lambda doc: str(doc["since"]), 7),
                Column("until", tr("至"), lambda doc: str(doc["until"]), 7),
                Column("state", tr("状态"), self._words, 8, state=self._look),
            ],
            title=tr("委托给我的"),
            name="acceptance.mine.received",
            key=lambda doc: str(doc["id"]),
            memory=host.service(Settings),
        )
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.setSpacing(theme().space(2))
        column.addLayout(row_of(self.delegate, self.withdraw))
        column.addWidget(self.banner)
        column.addWidget(SectionTitle(tr("我的委托")))
        column.addWidget(self.given, 3)
        column.addWidget(SectionTitle(tr("委托给我的")))
        column.addWidget(self.received, 2)
        self.tabs.addTab(pane, tr("委托"))
        self.delegate.clicked.connect(self._ask_delegation)
        self.withdraw.clicked.connect(self._ask_withdrawal)
        self.given.chosen.connect(self._arm)

    def _make_phrases(self, host: Host) -> None:
        self.phrase_banner = Banner()
        self.add = PrimaryButton(tr("新增常用语"), icon="plus")
        self.edit = Button(tr("修改"), icon="pencil")
        self.drop = Button(tr("删除"), icon="trash-2")
        self.phrases = RecordTable(
            [Column("text", tr("常用语"), lambda doc: str(doc["text"]), 30, stretch=True)],
            title=tr("常用语"),
            name="acceptance.mine.phrases",
            key=lambda doc: str(doc["id"]),
            memory=host.service(Settings),
        )
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.setSpacing(theme().space(2))
        column.addLayout(row_of(self.add, self.edit, self.drop))
        column.addWidget(self.phrase_banner)
        column.addWidget(self.phrases, 1)
        self.tabs.addTab(pane, tr("常用语"))
        self.add.clicked.connect(self._new_phrase)
        self.edit.clicked.connect(self._edit_phrase)
        self.phrases.opened.connect(self._edit_phrase)
        self.drop.clicked.connect(self._drop_phrase)
        self.phrases.chosen.connect(self._arm)

    def show_arguments(self, **arguments: Any) -> None:
        """``tab``: 0 for delegations, 1 for phrases."""
        self.tabs.setCurrentIndex(int(arguments.get("tab", 0)))

    def closeEvent(self, event: QCloseEvent) -> None:
        self._end_events()
        self._desk.work.close()
        super().closeEvent(event)

    # -- reading ----------------------------------------------------------------------------------

    @Slot()
    def _reload(self) -> None:
        if self._loading is not None and not self._loading.finished:
            self._again = True
            return
        service = self._service
        self._loading = self._desk.work.run(
            "read",
            lambda token: (*service.delegations(), service.phrases()),
            done=self._loaded,
            failed=self._not_loaded,
        )

    def _loaded(self, read: tuple[list[Doc], list[Doc], list[Doc]]) -> None:
        self._loading = None
        if self._again:
            self._again = False
            self._reload()
            return
        given, received, kept = read
        self.given.show_rows(given, empty=tr("没有委托过。出差、休假前可以委托同事代为签批。"))
        self.received.show_rows(received, empty=tr("没有人委托您。"))
        self.phrases.show_rows(kept, empty=tr("还没有常用语。写意见时可以直接选用。"))
        self._arm()
        self._stack.setCurrentWidget(self.tabs)

    def _not_loaded(self, error: BaseException) -> None:
        self._loading = None
        if isinstance(error, Refused) and error.code == "AUTH-403":
            self.state.say("lock", error.message)
        else:
            told = error.words() if isinstance(error, GovDeskError) else str(error)
            self.state.say("octagon-alert", told, tr("再试一次"))
        self._stack.setCurrentWidget(self.state)

    def _records_changed(self, event: RecordsChanged) -> None:
        if not self._desk.work.closed and (event.touches(DELEGATION_KIND) or event.touches(phrases.KIND)):
            self._reload()

    @Slot()
    def _arm(self) -> None:
        current = self.given.current
        self.withdraw.setEnabled(current is not None and self._runs(current))
        for button in (self.edit, self.drop):
            button.setEnabled(self.phrases.current is not None)

    def _runs(self, doc: Doc) -> bool:
        return in_use(doc) and str(doc["until"]) >= self._service.today().isoformat()

    def _words(self, doc: Doc) -> str:
        today = self._service.today().isoformat()
        if not in_use(doc):
            return tr("已收回")
        if doc["until"] < today:
            return tr("已到期")
        return tr("生效中") if doc["since"] <= today else tr("尚未开始")

    def _look(self, doc: Doc) -> str:
        return ("good" if doc["since"] <= self._service.today().isoformat() else "info") if self._runs(doc) else "quiet"

    # -- delegating -------------------------------------------------------------------------------

    @Slot()
    def _ask_delegation(self) -> None:
        service = self._service

        def ask(token: Token) -> list[Colleague]:
            return service.colleagues(service.department_ids())

        def failed(error: BaseException) -> None:
            if is_offline(error):
                self.banner.say(tr("同事名单在服务器上，现在连不上。联网后再委托。"), "offline")
            else:
                say_error(self.banner, error)

        self.banner.clear()
        self._desk.work.run("net", ask, done=self._delegate_to, failed=failed)

    def _delegate_to(self, colleagues: list[Colleague]) -> None:
        mine = self._service.actor.department_id
        order = sorted(colleagues, key=lambda one: (one.department_id != mine, one.department, one.name))
        if not order:
            self.banner.say(tr("没有可以委托的同事。"), "due")
            return
        names = {one.id: one.name for one in order}
        labels = [f"{one.name}（{one.department}）" for one in order]
        today = self._service.today().isoformat()
        fields = {
            "to": text_field(tr("受委托人"), enum=list(names), **{"x-labels": labels}),
            "since": text_field(tr("自"), format="date"),
            "until": text_field(tr("至"), format="date"),
        }
        form = make_form(("", fields), required=list(fields))
        words = tr("委托期间，受委托人可以签批您的件，记录上写明受您委托。您自己仍可签批，也可随时收回。")
        dialog = FormDialog(tr("委托他人签批"), tr("委托"), form, {"since": today, "until": None}, self, words=words)

        def give(values: Mapping[str, Any]) -> None:
            to = str(values.get("to") or "")
            since, until = str(values.get("since") or ""), str(values.get("until") or "")
            work = partial(self._service.delegate, {"id": to, "name": names.get(to, "")}, since, until)

            def done(_: Any) -> None:
                dialog.accept()
                self.banner.say(tr("已委托{name}，至 {until}。", name=names[to], until=until), "good")
                self._reload()

            self._desk.host.run("data", lambda token: work(), done=done, failed=dialog.say)

        dialog.wanted.connect(give)
        dialog.open()

    @Slot()
    def _ask_withdrawal(self) -> None:
        doc = self.given.current
        if doc is None:
            return
        words = tr("{name}从现在起不能再代您签批；已经签的仍然有效。", name=doc["to"]["name"])
        dialog = ConfirmDialog(tr("收回委托"), words, parent=self)
        work = partial(self._service.end_delegation, str(doc["id"]))
        dialog.accepted.connect(partial(self._desk.change, self.banner, work, tr("委托已收回。")))
        dialog.open()

    # -- phrases ----------------------------------------------------------------------------------

    @Slot()
    def _new_phrase(self) -> None:
        self._ask_phrase("", "")

    @Slot()
    def _edit_phrase(self) -> None:
        if (doc := self.phrases.current) is not None:
            self._ask_phrase(str(doc["id"]), str(doc["text"]))

    def _ask_phrase(self, id: str, text: str) -> None:
        dialog = TextDialog(tr("保存常用语"), tr("常用语"), self, longest=phrases.LONGEST)
        dialog.text.setText(text)

        def give(words: str) -> None:
            self._desk.change(self.phrase_banner, partial(self._service.put_phrase, id, words), tr("常用语已保存。"))

        dialog.given.connect(give)
        dialog.open()

    @Slot()
    def _drop_phrase(self) -> None:
        if (doc := self.phrases.current) is not None:
            work = partial(self._service.remove_phrase, str(doc["id"]))
            self._desk.change(self.phrase_banner, work, tr("常用语已删除。"))
