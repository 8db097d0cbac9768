"""设备: enrolled computers, codes for new ones, certificates, and the end of trust."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Host
from client.kernel.settings import Settings
from client.widgets.basics import (
    Button,
    ComboBox,
    DangerButton,
    Label,
    LineEdit,
    PrimaryButton,
)
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import theme
from modules.common.server_ports import (
    REVOKED_FOR,
    DeviceView,
    OneTime,
)
from modules.common.text import aside, together, tr
from modules.people.ui.asking import (
    BASE,
    AskDialog,
    Asking,
    OneTimeDialog,
    Organisations,
    organisations,
    said_time,
    show_trouble,
)
from sync.protocol import from_wire


class DevicesPane(Asking):
    """Enrolled computers, and codes for new ones."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._halls: dict[str, str] = {}
        self.code = PrimaryButton(tr("发登记码"), icon="plus")
        self.code.clicked.connect(self._ask_code)
        self.again = Button(tr("重新登记码"), icon="refresh-cw")
        self.again.clicked.connect(self._ask_again)
        self.revoke = DangerButton(tr("停用此设备"))
        self.revoke.clicked.connect(self._ask_revoke)
        for button in (self.again, self.revoke):
            button.setEnabled(False)
        self.table = RecordTable(
            (
                Column("name", tr("窗口或房间"), lambda device: device.name, 12, stretch=True),
                Column("state", tr("状态"), _device_state, 16, state=_device_look),
                Column("seen", tr("最近连接"), lambda device: said_time(device.seen_at) or tr("从未"), 10),
                Column("until", tr("证书有效期至"), lambda device: said_time(device.until)[:10] or tr("尚无证书"), 8),
                Column("key", tr("设备密钥"), _key_place, 8),
                Column("hall", tr("大厅"), self._hall, 12),
                Column("enrolled", tr("登记时间"), lambda device: said_time(device.enrolled_at), 10),
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
        head.addWidget(self.again)
        head.addWidget(self.code)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(head)
        column.addWidget(self.notice)
        column.addWidget(self.table, 1)
        host.run("read", partial(organisations, host), done=self._know_halls, name=tr("读取机构"))
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
        for button in (self.again, self.revoke):
            button.setEnabled(device is not None and not device.revoked_at)

    @Slot()
    def _ask_revoke(self) -> None:
        device = self.table.current
        words = tr(
            "“{name}”将不能再登录和读取业务；停用前在那台电脑上办好、还没有传的件仍可上传。不能恢复，只能作为新电脑登记。",
            name=device.name,
        )
        reason = ComboBox(tr("停用原因"))
        reason.addItem(tr("（请选择）"), "")
        for key in REVOKED_FOR:
            reason.addItem(reason_words(key), key)
        dialog = AskDialog(tr("停用此设备"), tr("停用此设备"), {"reason": reason}, self.window(), danger=words)
        dialog.sent.connect(partial(self._revoke, dialog, device))
        dialog.open()

    def _revoke(self, dialog: AskDialog, device: DeviceView, values: dict[str, str]) -> None:
        if not values["reason"]:
            dialog.show_faults({"reason": tr("请选择停用的原因。")})
            return
        self.notice.clear()
        said = tr("已停用 {name}。", name=device.name)
        self.ask(
            lambda server: server.post(f"{BASE}/devices/{device.id}/revoke", values),
            partial(self._revoked, dialog, said),
            dialog.show_error,
        )

    def _revoked(self, dialog: AskDialog, said: str, _nothing: Any) -> None:
        dialog.accept()
        self.notice.say(said, "good")
        self.reload()

    @Slot()
    def _ask_again(self) -> None:
        device = self.table.current
        self.notice.clear()
        self.ask(
            lambda server: from_wire(OneTime, server.post(f"{BASE}/devices/{device.id}/code", {})),
            partial(self._coded_again, device.name),
        )

    def _coded_again(self, name: str, once: OneTime) -> None:
        words = tr(
            "只用于“{name}”这台电脑：证书过期或密钥丢失时输入，本机未传的件都保留，原来的证书作废。有效至 {until}。",
            name=name,
            until=said_time(once.expires_at),
        )
        OneTimeDialog(tr("重新登记码"), words, once.secret, self.window()).open()

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


def reason_words(reason: str) -> str:
    """Why a device was revoked, as people say it."""
    known = {
        "lost": tr("遗失"),
        "stolen": tr("被盗"),
        "scrapped": tr("报废"),
        "moved": tr("调作他用"),
        "suspect": tr("疑似泄密"),
        "other": tr("其他"),
    }
    return known.get(reason, "")


def _key_place(device: DeviceView) -> str:
    return tr("登录后解封") if device.keyless else tr("系统密钥环")


def _device_state(device: DeviceView) -> str:
    if not device.revoked_at:
        return tr("在用")
    return together(
        tr("已停用 {when}", when=said_time(device.revoked_at)[:10]), aside(reason_words(device.revoked_for))
    )


def _device_look(device: DeviceView) -> str:
    return "paused" if device.revoked_at else "good"
