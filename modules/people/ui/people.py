"""人员与角色: questions to the server. Who may do what decides which buttons are there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Host
from client.kernel.settings import Settings
from client.widgets.basics import (
    Button,
    ComboBox,
    ConfirmDialog,
    DangerButton,
    EmptyState,
    IconLabel,
    Label,
    LineEdit,
    PrimaryButton,
    SectionTitle,
    StateLabel,
)
from client.widgets.tables import MasterDetail
from client.widgets.theme import set_role, theme
from modules.common.permissions import BUILTIN_ROLES
from modules.common.server_ports import (
    OneTime,
    PersonView,
)
from modules.common.text import tr
from modules.people.domain import GRANT, MANAGE, NewPerson, faults
from modules.people.ui.asking import (
    BASE,
    AskDialog,
    Asking,
    OneTimeDialog,
    role_name,
    said_time,
)
from modules.people.ui.devices import DevicesPane
from modules.people.ui.listing import PeopleList, person_facts, person_look, person_state
from modules.people.ui.requests import RequestsPane
from sync.protocol import from_wire, to_wire


class PeopleView(QTabWidget):
    """人员与角色, and for those who manage them the devices."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        set_role(self, "page")
        self.people = PeoplePane(host)
        self.addTab(self.people, tr("人员"))
        self.devices: DevicesPane | None = None
        if self.people.may(MANAGE):
            self.devices = DevicesPane(host)
            self.addTab(self.devices, tr("设备"))
        self.requests: RequestsPane | None = None
        if self.people.may(GRANT):
            self.requests = RequestsPane(host)
            self.requests.decided.connect(self.people.reload)
            self.people.asked.connect(self.requests.reload)
            self.addTab(self.requests, tr("待复核"))
        self.tabBar().setAccessibleName(tr("人员、设备或待复核"))
        self.setFocusProxy(self.people.search)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.people.close()
        if self.devices is not None:
            self.devices.close()
        if self.requests is not None:
            self.requests.close()
        super().closeEvent(event)


def _choice(name: str, offered: Mapping[str, str]) -> ComboBox:
    box = ComboBox(name)
    box.addItem(tr("（无）"), "")
    for id, words in offered.items():
        box.addItem(words, id)
    return box


class PeoplePane(Asking):
    """People, searched at the server; beside them the one that is chosen. ``asked``: a role waits for another's yes."""

    asked = Signal()

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.list = PeopleList(host, name="people.people")
        self.list.chosen.connect(self._choose)
        self.table, self.search = self.list.table, self.list.search
        self.new_person = PrimaryButton(tr("新增人员"), icon="plus")
        self.new_person.clicked.connect(self._ask_new)
        self.new_person.setVisible(self.may(MANAGE))
        self.detail = PersonDetail(self.may(MANAGE), self.may(GRANT))
        self.detail.enabled_wanted.connect(self._ask_enabled)
        self.detail.reset_wanted.connect(self._ask_reset)
        self.detail.grant_wanted.connect(self._grant)
        self.detail.revoke_wanted.connect(self._revoke)
        self._right = QStackedWidget()
        self._right.addWidget(EmptyState("user", tr("选一个人，在这里查看和管理。")))
        self._right.addWidget(self.detail)
        head = QHBoxLayout()
        head.addWidget(self.search, 1)
        head.addWidget(self.new_person)
        memory = host.service(Settings)
        split = MasterDetail(self.list, self._right, name="people.people.split", memory=memory)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(head)
        column.addWidget(self.notice)
        column.addWidget(split, 1)
        self.reload()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.list.close()
        super().closeEvent(event)

    @Slot()
    def reload(self) -> None:
        """Ask for the people again."""
        self.list.reload()

    @Slot(object)
    def _choose(self, person: PersonView | None) -> None:
        self._right.setCurrentIndex(0 if person is None else 1)
        if person is not None:
            self.detail.show_person(person, self.list.places.name(person))

    @Slot()
    def _ask_new(self) -> None:
        fields: dict[str, QWidget] = {
            "login": LineEdit(tr("登录名")),
            "name": LineEdit(tr("姓名")),
            "hall_id": _choice(tr("大厅"), self.list.places.halls),
            "department_id": _choice(tr("部门"), self.list.places.departments),
        }
        dialog = AskDialog(tr("新增人员"), tr("新增"), fields, self.window())
        dialog.sent.connect(partial(self._create, dialog))
        dialog.open()

    def _create(self, dialog: AskDialog, values: dict[str, str]) -> None:
        person = NewPerson(**values)
        if wrong := faults(person):
            dialog.show_faults(wrong)
            return
        self.ask(
            lambda server: from_wire(OneTime, server.post(f"{BASE}/people", to_wire(person))),
            partial(self._created, dialog, person.name),
            dialog.show_error,
        )

    def _created(self, dialog: AskDialog, name: str, once: OneTime) -> None:
        dialog.accept()
        self.reload()
        self._show_once(tr("一次性密码"), tr("{name} 第一次登录时用这个密码，并须立即更换。", name=name), once)

    def _show_once(self, title: str, words: str, once: OneTime) -> None:
        if once.expires_at:
            words += tr("有效至 {until}。", until=said_time(once.expires_at))
        OneTimeDialog(title, words, once.secret, self.window()).open()

    @Slot(object)
    def _ask_enabled(self, person: PersonView) -> None:
        if not person.enabled:
            self._set_enabled(person, True)
            return
        words = tr("{name} 将立即退出所有电脑，不能再登录；以前办的件不受影响。可以随时重新启用。", name=person.name)
        dialog = ConfirmDialog(tr("停用此人"), words, parent=self.window())
        dialog.accepted.connect(partial(self._set_enabled, person, False))
        dialog.open()

    def _set_enabled(self, person: PersonView, enabled: bool) -> None:
        said = tr("已启用 {name}。", name=person.name) if enabled else tr("已停用 {name}。", name=person.name)
        self._change(person, "enabled", {"enabled": enabled}, said)

    @Slot(object)
    def _ask_reset(self, person: PersonView) -> None:
        words = tr("{name} 现在的密码立即失效，须用新的一次性密码登录并更换。本机未传的件不会丢失。", name=person.name)
        dialog = ConfirmDialog(tr("重置密码"), words, parent=self.window())
        dialog.accepted.connect(partial(self._reset, person))
        dialog.open()

    def _reset(self, person: PersonView) -> None:
        self.notice.clear()
        words = tr("请当面或电话告诉 {name}，不要写在纸上或发群里。", name=person.name)
        self.ask(
            lambda server: from_wire(OneTime, server.post(f"{BASE}/people/{person.id}/reset-password", {})),
            partial(self._show_once, tr("一次性密码"), words),
        )

    @Slot(object, str)
    def _grant(self, person: PersonView, role: str) -> None:
        fields: dict[str, QWidget] = {"reason": LineEdit(tr("理由（给复核的人看）"))}
        title = tr("授予 {name}：{role}", name=person.name, role=role_name(role))
        dialog = AskDialog(title, tr("提交复核"), fields, self.window())
        dialog.sent.connect(partial(self._ask_role, dialog, person, role))
        dialog.open()

    def _ask_role(self, dialog: AskDialog, person: PersonView, role: str, values: dict[str, str]) -> None:
        self.notice.clear()
        self.ask(
            lambda server: server.post(f"{BASE}/people/{person.id}/grant", {"role": role, **values}),
            partial(self._role_asked, dialog, person, role),
            dialog.show_error,
        )

    def _role_asked(self, dialog: AskDialog, person: PersonView, role: str, _asked: Any) -> None:
        dialog.accept()
        self.notice.say(
            tr(
                "已提交：授予 {name}“{role}”。另一位安全管理员在“待复核”里同意后生效。",
                name=person.name,
                role=role_name(role),
            ),
            "good",
        )
        self.asked.emit()

    @Slot(object, str)
    def _revoke(self, person: PersonView, role: str) -> None:
        said = tr("已收回 {name}:{role}。", name=person.name, role=role_name(role))
        self._change(person, "revoke", {"role": role}, said)

    def _change(self, person: PersonView, verb: str, body: dict[str, Any], said: str) -> None:
        self.notice.clear()
        self.ask(lambda server: server.post(f"{BASE}/people/{person.id}/{verb}", body), partial(self._changed, said))

    def _changed(self, said: str, _nothing: Any) -> None:
        self.notice.say(said, "good")
        self.reload()


class PersonDetail(QScrollArea):
    """One person: what is known, the roles, and what may be done."""

    enabled_wanted = Signal(object)
    reset_wanted = Signal(object)
    grant_wanted = Signal(object, str)
    revoke_wanted = Signal(object, str)

    def __init__(self, may_manage: bool, may_grant: bool) -> None:
        super().__init__()
        self._person: PersonView | None = None
        self._may_grant = may_grant
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(theme().space(4), 0, theme().space(2), theme().space(2))
        column.setSpacing(theme().space(3))
        self._name = Label(role="title", wrap=True)
        self._state = StateLabel()
        self._facts = Label(role="quiet", wrap=True, selectable=True)
        for widget in (self._name, self._state, self._facts, SectionTitle(tr("角色"))):
            column.addWidget(widget)
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        self._held: dict[str, IconLabel] = {}
        self.buttons: dict[str, Button] = {}
        for number, role in enumerate(BUILTIN_ROLES):
            words = role_name(role.id) + (tr("（三员）") if role.admin_kind else "")
            held = IconLabel("dot", "quiet", 16)
            button = Button(tr("授予"))
            button.clicked.connect(partial(self._turn, role.id))
            button.setVisible(may_grant)
            grid.addWidget(held, number, 0)
            grid.addWidget(Label(words), number, 1)
            grid.addWidget(button, number, 2)
            self._held[role.id], self.buttons[role.id] = held, button
        column.addLayout(grid)
        column.addWidget(Label(tr("系统、安全、审计三员互斥：一人至多担任其一。"), "small", wrap=True))
        self.enable = Button("")
        self.reset = DangerButton(tr("重置密码"))
        self.enable.clicked.connect(self._enable)
        self.reset.clicked.connect(self._reset)
        if may_manage:
            column.addWidget(SectionTitle(tr("账号")))
            row = QHBoxLayout()
            row.addWidget(self.enable)
            row.addWidget(self.reset)
            row.addStretch(1)
            column.addLayout(row)
        column.addStretch(1)
        self.setWidget(inside)

    def show_person(self, person: PersonView, place: str) -> None:
        """Show another, or the same after a change."""
        self._person = person
        self._name.setText(person.name)
        self._state.show_state(person_look(person), person_state(person))
        self._facts.setText(person_facts(person, place))
        for role in BUILTIN_ROLES:
            held = role.id in person.roles
            self._held[role.id].show_icon("check" if held else "dot", "good" if held else "line", 16)
            button = self.buttons[role.id]
            button.set_label(tr("收回") if held else tr("授予"))
            said = tr("收回{role}", role=role_name(role.id)) if held else tr("授予{role}", role=role_name(role.id))
            button.setAccessibleName(said)
        self.enable.set_label(tr("停用此人") if person.enabled else tr("启用此人"))

    def _turn(self, role: str) -> None:
        person = self._person
        assert person is not None
        (self.revoke_wanted if role in person.roles else self.grant_wanted).emit(person, role)

    @Slot()
    def _enable(self) -> None:
        self.enabled_wanted.emit(self._person)

    @Slot()
    def _reset(self) -> None:
        self.reset_wanted.emit(self._person)
