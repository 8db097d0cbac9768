"""人员与角色, 设备: questions to the server. Who may do what decides which buttons are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Host, Token
from client.kernel.ports import Records, Server, Session
from client.kernel.settings import Settings
from client.widgets.basics import (
    Banner,
    Button,
    ComboBox,
    ConfirmDialog,
    DangerButton,
    EmptyState,
    IconLabel,
    Label,
    LineEdit,
    PrimaryButton,
    SearchBox,
    SectionTitle,
    StateLabel,
)
from client.widgets.dialogs import GrowingDialog
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import set_role, theme
from modules.common.clock import CHINA, parse_iso
from modules.common.errors import GovDeskError, Refused
from modules.common.permissions import BUILTIN_ROLES
from modules.common.server_ports import (
    DeviceView,
    OneTime,
    PeoplePage,
    PersonView,
)
from modules.common.text import tr
from modules.people.domain import GRANT, MANAGE, NewPerson, faults
from sync.protocol import from_wire, to_wire

T = TypeVar("T")
BASE = "/v1/m/people"
ROLES = {role.id: role for role in BUILTIN_ROLES}
OFFLINE = ("NET-001", "NET-003")


def role_name(role: str) -> str:
    """A role as people call it; one this program does not know keeps its id."""
    return tr(ROLES[role].name) if role in ROLES else role


def role_names(roles: Sequence[str]) -> str:
    """Roles as people call them."""
    return tr("、").join(role_name(role) for role in roles)


def said_time(text: str) -> str:
    """A time of the wire in China: ``2026-11-20 10:24``; nothing for nothing."""
    return f"{parse_iso(text).astimezone(CHINA):%Y-%m-%d %H:%M}" if text else ""


class Asking(QWidget):
    """A pane that asks the server; what still runs when it closes is cancelled."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._tokens: list[Token] = []
        self.notice = Banner()

    def closeEvent(self, event: QCloseEvent) -> None:
        for token in self._tokens:
            token.cancel()
        super().closeEvent(event)

    def may(self, permission: str) -> bool:
        """Whether the signed-in person holds it; the server judges again."""
        return self._host.service(Session).actor.may(permission)  # type: ignore[type-abstract]

    def ask(
        self,
        work: Callable[[Server], T],
        done: Callable[[T], None],
        failed: Callable[[GovDeskError], None] | None = None,
    ) -> None:
        """Ask on lane ``net``. A refusal goes to ``failed``, else into the notice of this pane."""
        server = self._host.service(Server)  # type: ignore[type-abstract]
        self._tokens = [token for token in self._tokens if not token.finished]
        told = failed or self.say
        self._tokens.append(
            self._host.run("net", lambda token: work(server), done=done, failed=partial(_sort, told), name=BASE)
        )

    def say(self, error: GovDeskError) -> None:
        """An error in its place."""
        self.notice.say(error.words(), "offline" if error.code in OFFLINE else "red", code=error.code)


def _sort(told: Callable[[GovDeskError], None], error: BaseException) -> None:
    if not isinstance(error, GovDeskError):
        raise error
    told(error)


def show_trouble(table: RecordTable, error: GovDeskError) -> None:
    """The state of a list that could not be had."""
    if error.code in OFFLINE:
        table.show_offline(
            tr("人员、设备和审计只存在服务器上，现在连不上。连上后可重试。（{code}）", code=error.code), tr("重试")
        )
    elif error.code == "AUTH-403":
        table.show_forbidden()
    else:
        table.show_failed(error.sentence(), tr("重试"))


class OneTimeDialog(QDialog):
    """A secret that is shown this once."""

    def __init__(self, title: str, words: str, secret: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.secret = LineEdit(title)
        self.secret.setText(secret)
        self.secret.setReadOnly(True)
        self.secret.setMinimumWidth(theme().text_width(22))
        copy = Button(tr("复制"), icon="copy")
        copy.clicked.connect(self._copy)
        self.close_button = PrimaryButton(tr("我已记下，关闭"))
        self.close_button.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addWidget(self.secret, 1)
        row.addWidget(copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(SectionTitle(title))
        column.addWidget(Label(words, wrap=True))
        column.addLayout(row)
        column.addWidget(Label(tr("关闭后不再显示，也无法找回，只能重新生成。"), "small", wrap=True))
        column.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignRight)
        self.secret.selectAll()

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.secret.text())


class AskDialog(GrowingDialog):
    """A few fields to be filled in; ``sent`` carries them. The asker closes it, or shows what is wrong."""

    sent = Signal(dict)

    def __init__(self, title: str, action: str, fields: Mapping[str, QWidget], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self._fields = dict(fields)
        self._faults: dict[str, Label] = {}
        self.notice = Banner()
        self.go = PrimaryButton(action)
        self.go.clicked.connect(self._send)
        leave = Button(tr("取消"))
        leave.clicked.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(2))
        column.addWidget(SectionTitle(title))
        column.addWidget(self.notice)
        for name, field in self._fields.items():
            label = Label(field.accessibleName())
            label.setBuddy(field)
            fault = Label(role="fault", wrap=True)
            fault.hide()
            self._faults[name] = fault
            for widget in (label, field, fault):
                column.addWidget(widget)
        low = QHBoxLayout()
        low.addStretch(1)
        low.addWidget(leave)
        low.addWidget(self.go)
        column.addSpacing(theme().space(2))
        column.addLayout(low)
        self.setMinimumWidth(theme().text_width(26))
        lines = [field for field in self._fields.values() if isinstance(field, LineEdit)]
        for before, after in zip(lines, [*lines[1:], None], strict=True):
            before.submitted.connect(after.setFocus if after is not None else self._send)
        next(iter(self._fields.values())).setFocus()

    def values(self) -> dict[str, str]:
        """What is entered; of a choice, its id."""
        return {
            name: str(field.currentData() or "") if isinstance(field, ComboBox) else _text(field).strip()
            for name, field in self._fields.items()
        }

    def show_faults(self, faults: Mapping[str, str]) -> None:
        """What is wrong, at each field; the first takes the keyboard."""
        self.go.setEnabled(True)
        for name, label in self._faults.items():
            label.setText(faults.get(name, ""))
            label.setVisible(name in faults)
            self._fields[name].setAccessibleDescription(faults.get(name, ""))
        self.grow()
        first = next((name for name in self._fields if name in faults), "")
        if first:
            self._fields[first].setFocus()

    def show_error(self, error: GovDeskError) -> None:
        """Why the server refused it; what was entered stays."""
        fields = error.refusal.fields if isinstance(error, Refused) else {}
        self.show_faults({name: text for name, text in fields.items() if name in self._fields})
        self.notice.say(error.words(), "red", code=error.code)

    @Slot()
    def _send(self) -> None:
        self.notice.clear()
        self.go.setEnabled(False)
        self.sent.emit(self.values())


def _text(field: QWidget) -> str:
    assert isinstance(field, LineEdit)
    return field.text()


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
        self.tabBar().setAccessibleName(tr("人员或设备"))
        self.setFocusProxy(self.people.search)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.people.close()
        if self.devices is not None:
            self.devices.close()
        super().closeEvent(event)


class Organisations:
    """Names of halls and departments, as this computer knows them."""

    def __init__(self) -> None:
        self.halls: dict[str, str] = {}
        self.departments: dict[str, str] = {}

    def name(self, person: PersonView) -> str:
        """Where a person works."""
        places = {**self.halls, **self.departments}
        ids = [each for each in (person.department_id, person.hall_id) if each]
        return " · ".join(places.get(each, each) for each in ids)


def _organisations(host: Host, _token: Token) -> Organisations:
    found = Organisations()
    for record in host.service(Records).find("organisation", limit=1000):  # type: ignore[type-abstract]
        halls = record.doc.get("kind") == "hall"
        (found.halls if halls else found.departments)[record.id] = str(record.doc.get("name", record.title))
    return found


def _choice(name: str, offered: Mapping[str, str]) -> ComboBox:
    box = ComboBox(name)
    box.addItem(tr("（无）"), "")
    for id, words in offered.items():
        box.addItem(words, id)
    return box


class PeoplePane(Asking):
    """People, searched at the server; beside them the one that is chosen."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._places = Organisations()
        self._pending = ""
        self.search = SearchBox(tr("查找人员：登录名、姓名"))
        self.search.setAccessibleName(tr("查找人员"))
        self.search.searched.connect(self.reload)
        self.new_person = PrimaryButton(tr("新增人员"), icon="plus")
        self.new_person.clicked.connect(self._ask_new)
        self.new_person.setVisible(self.may(MANAGE))
        memory = host.service(Settings)
        self.table = RecordTable(
            (
                Column("login", tr("登录名"), lambda person: person.login, 8),
                Column("name", tr("姓名"), lambda person: person.name, 6),
                Column("place", tr("所在"), self._place, 12, stretch=True),
                Column("roles", tr("角色"), lambda person: role_names(person.roles), 12),
                Column("state", tr("状态"), _person_state, 8, state=_person_look),
            ),
            title=tr("人员"),
            name="people.people",
            key=lambda person: str(person.id),
            memory=memory,
        )
        self.table.chosen.connect(self._choose)
        self.table.search_wanted.connect(self.search.setFocus)
        self.table.acted.connect(self.reload)
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
        split = MasterDetail(self.table, self._right, name="people.people.split", memory=memory)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(head)
        column.addWidget(self.notice)
        column.addWidget(split, 1)
        host.run("read", partial(_organisations, host), done=self._know_places, name=tr("读取机构"))
        self.reload()

    def _know_places(self, places: Organisations) -> None:
        self._places = places
        self.table.view.viewport().update()

    def _place(self, person: PersonView) -> str:
        return self._places.name(person)

    @Slot()
    def reload(self) -> None:
        """Ask for the people that the search box means; an older answer is dropped."""
        text = self._pending = self.search.text().strip()
        if not self.table.rows:
            self.table.show_loading()
        self.ask(
            lambda server: from_wire(PeoplePage, server.get(f"{BASE}/people", text=text, limit="200")),
            partial(self._show, text),
            partial(show_trouble, self.table),
        )

    def _show(self, text: str, page: PeoplePage) -> None:
        if text != self._pending:
            return
        self.table.show_rows(page.items, empty=tr("没有找到“{text}”。", text=text) if text else tr("还没有人员。"))
        self._choose(self.table.current)

    @Slot(object)
    def _choose(self, person: PersonView | None) -> None:
        self._right.setCurrentIndex(0 if person is None else 1)
        if person is not None:
            self.detail.show_person(person, self._places.name(person))

    @Slot()
    def _ask_new(self) -> None:
        fields: dict[str, QWidget] = {
            "login": LineEdit(tr("登录名")),
            "name": LineEdit(tr("姓名")),
            "hall_id": _choice(tr("大厅"), self._places.halls),
            "department_id": _choice(tr("部门"), self._places.departments),
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
        said = tr("已授予 {name}:{role}。", name=person.name, role=role_name(role))
        self._change(person, "grant", {"role": role}, said)

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


def _person_state(person: PersonView) -> str:
    if not person.enabled:
        return tr("已停用")
    return tr("待换密码") if person.must_change_password else tr("正常")


def _person_look(person: PersonView) -> str:
    if not person.enabled:
        return "paused"
    return "due" if person.must_change_password else "good"


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
        self._state.show_state(_person_look(person), _person_state(person))
        facts = [tr("登录名 {login}", login=person.login), place, tr("建于 {when}", when=said_time(person.created_at))]
        self._facts.setText("\n".join(fact for fact in facts if fact))
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


class DevicesPane(Asking):
    """Enrolled computers, and codes for new ones."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._halls: dict[str, str] = {}
        self.code = PrimaryButton(tr("发登记码"), icon="plus")
        self.code.clicked.connect(self._ask_code)
        self.revoke = DangerButton(tr("停用此设备"))
        self.revoke.clicked.connect(self._ask_revoke)
        self.revoke.setEnabled(False)
        self.table = RecordTable(
            (
                Column("name", tr("窗口或房间"), lambda device: device.name, 12, stretch=True),
                Column("hall", tr("大厅"), self._hall, 14),
                Column("enrolled", tr("登记时间"), lambda device: said_time(device.enrolled_at), 10),
                Column("state", tr("状态"), _device_state, 12, state=_device_look),
            ),
            title=tr("设备"),
            name="people.devices",
            key=lambda device: str(device.id),
            memory=host.service(Settings),
        )
        self.table.chosen.connect(self._choose)
        self.table.acted.connect(self.reload)
        head = QHBoxLayout()
        head.addWidget(Label(tr("登记过的电脑才能和服务器交换办件。丢失或报废的请立即停用。"), "quiet", wrap=True), 1)
        head.addWidget(self.revoke)
        head.addWidget(self.code)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(head)
        column.addWidget(self.notice)
        column.addWidget(self.table, 1)
        host.run("read", partial(_organisations, host), done=self._know_halls, name=tr("读取机构"))
        self.reload()

    def _know_halls(self, places: Organisations) -> None:
        self._halls = places.halls
        self.table.view.viewport().update()

    def _hall(self, device: DeviceView) -> str:
        return self._halls.get(device.hall_id, device.hall_id)

    @Slot()
    def reload(self) -> None:
        """Ask for all devices."""
        self.ask(
            lambda server: [from_wire(DeviceView, row) for row in server.get(f"{BASE}/devices")],
            self._show,
            partial(show_trouble, self.table),
        )

    def _show(self, devices: list[DeviceView]) -> None:
        self.table.show_rows(devices, empty=tr("还没有登记过的电脑。点“发登记码”开始。"))
        self._choose(self.table.current)

    @Slot(object)
    def _choose(self, device: DeviceView | None) -> None:
        self.revoke.setEnabled(device is not None and not device.revoked_at)

    @Slot()
    def _ask_revoke(self) -> None:
        device = self.table.current
        words = tr(
            "“{name}”将不能再连接服务器。已存在那台电脑上、还没有传的件要先传完。不能恢复，只能重新登记。",
            name=device.name,
        )
        dialog = ConfirmDialog(tr("停用此设备"), words, parent=self.window())
        dialog.accepted.connect(partial(self._revoke, device))
        dialog.open()

    def _revoke(self, device: DeviceView) -> None:
        self.notice.clear()
        said = tr("已停用 {name}。", name=device.name)
        self.ask(lambda server: server.post(f"{BASE}/devices/{device.id}/revoke", {}), partial(self._revoked, said))

    def _revoked(self, said: str, _nothing: Any) -> None:
        self.notice.say(said, "good")
        self.reload()

    @Slot()
    def _ask_code(self) -> None:
        hall = ComboBox(tr("大厅"))
        for id, name in self._halls.items():
            hall.addItem(name, id)
        fields: dict[str, QWidget] = {"hall_id": hall, "name": LineEdit(tr("窗口或房间名称"))}
        dialog = AskDialog(tr("发登记码"), tr("生成登记码"), fields, self.window())
        dialog.sent.connect(partial(self._new_code, dialog))
        dialog.open()

    def _new_code(self, dialog: AskDialog, values: dict[str, str]) -> None:
        if not values["name"]:
            dialog.show_faults({"name": tr("请填写名称，如“3号窗”。")})
            return
        self.ask(
            lambda server: from_wire(OneTime, server.post(f"{BASE}/codes", values)),
            partial(self._coded, dialog, values["name"]),
            dialog.show_error,
        )

    def _coded(self, dialog: AskDialog, name: str, once: OneTime) -> None:
        dialog.accept()
        words = tr("在“{name}”那台电脑上第一次启动时输入，只能用一次。", name=name)
        if once.expires_at:
            words += tr("有效至 {until}。", until=said_time(once.expires_at))
        OneTimeDialog(tr("登记码"), words, once.secret, self.window()).open()


def _device_state(device: DeviceView) -> str:
    return tr("已停用 {when}", when=said_time(device.revoked_at)) if device.revoked_at else tr("在用")


def _device_look(device: DeviceView) -> str:
    return "paused" if device.revoked_at else "good"
