"""待复核: roles and certificates that one security administrator asked for and another one has to agree to."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from client.kernel.contract import Host
from client.kernel.ports import Session
from client.kernel.settings import Settings
from client.widgets.basics import ConfirmDialog, DangerButton, Label, PrimaryButton
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import theme
from modules.common.server_ports import GrantRequestView
from modules.common.text import tr
from modules.people.ui.asking import BASE, Asking, role_name, said_time, show_trouble
from sync.protocol import from_wire


class RequestsPane(Asking):
    """What waits for a second pair of eyes. ``decided`` tells that somebody's roles may have changed."""

    decided = Signal()

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._me = host.service(Session).actor.id  # type: ignore[type-abstract]
        self.agree = PrimaryButton(tr("同意授予"), icon="check")
        self.agree.clicked.connect(self._ask_agree)
        self.decline = DangerButton("")
        self.decline.clicked.connect(self._ask_decline)
        self._why_not = Label(role="quiet", wrap=True)
        self.table = RecordTable(
            (
                Column("person", tr("人员"), lambda each: each.person, 8),
                Column("what", tr("授权"), _what, 14),
                Column("reason", tr("理由"), lambda each: each.reason or tr("（未填）"), 14, stretch=True),
                Column("by", tr("提交人"), lambda each: each.asked_by, 8),
                Column("at", tr("提交时间"), lambda each: said_time(each.asked_at), 10),
                Column("until", tr("有效至"), lambda each: said_time(each.until)[:10], 8),
            ),
            title=tr("待复核的授权"),
            name="people.requests",
            key=lambda each: str(each.id),
            memory=host.service(Settings),
        )
        self.table.chosen.connect(self._choose)
        self.table.acted.connect(self.reload)
        head = QHBoxLayout()
        head.addWidget(
            Label(tr("每项授权须两位安全管理员：一位提交，另一位同意。七天内无人同意的自动作废。"), "quiet", wrap=True),
            1,
        )
        head.addWidget(self.decline)
        head.addWidget(self.agree)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(head)
        column.addWidget(self._why_not)
        column.addWidget(self.notice)
        column.addWidget(self.table, 1)
        self._choose(None)
        self.reload()

    @Slot()
    def reload(self) -> None:
        """Ask for what waits."""
        self.ask(
            lambda server: [from_wire(GrantRequestView, row) for row in server.get(f"{BASE}/requests")],
            self._show,
            partial(show_trouble, self.table),
        )

    def _show(self, waiting: list[GrantRequestView]) -> None:
        self.table.show_rows(waiting, empty=tr("没有待复核的授权。在“人员”里提交的授权会出现在这里。"))
        self._choose(self.table.current)

    @Slot(object)
    def _choose(self, each: GrantRequestView | None) -> None:
        own = each is not None and each.asked_by_id == self._me
        about_me = each is not None and each.person_id == self._me
        self.agree.setEnabled(each is not None and not own and not about_me)
        self.decline.setEnabled(each is not None and not about_me)
        self.decline.set_label(tr("撤回") if own else tr("不同意"))
        why = tr("这是您提交的，须由另一位安全管理员同意；您可以撤回。") if own else ""
        why = tr("这是给您自己的，须由别人处理。") if about_me else why
        self._why_not.setText(why)
        self._why_not.setVisible(bool(why))

    @Slot()
    def _ask_agree(self) -> None:
        each = self.table.current
        if each.certificate:
            words = tr(
                "同意后，持有证书“{certificate}”（指纹 {fingerprint}）私钥的人能以 {name} 的身份登录。"
                "请先与本人核对。您和 {by} 都会记入审计日志。",
                certificate=each.certificate,
                fingerprint=each.fingerprint[:16],
                name=each.person,
                by=each.asked_by,
            )
        else:
            words = tr(
                "同意后 {name} 立即拥有“{role}”的权限，下次登录或续期时生效。您和 {by} 都会记入审计日志。",
                name=each.person,
                role=role_name(each.role),
                by=each.asked_by,
            )
        self._confirm(tr("同意授予"), words, each, agree=True)

    @Slot()
    def _ask_decline(self) -> None:
        each = self.table.current
        words = tr("“{role}”不会授予 {name}；仍需要时可以重新提交。", name=each.person, role=_what(each))
        self._confirm(self.decline.text(), words, each, agree=False)

    def _confirm(self, action: str, words: str, each: GrantRequestView, *, agree: bool) -> None:
        dialog = ConfirmDialog(action, words, parent=self.window())
        dialog.accepted.connect(partial(self._decide, each, agree))
        dialog.open()

    def _decide(self, each: GrantRequestView, agree: bool) -> None:
        self.notice.clear()
        role = _what(each)
        if agree:
            said = tr("已授予 {name}：{role}。", name=each.person, role=role)
        else:
            said = tr("没有授予 {name}：{role}。", name=each.person, role=role)
        self.ask(
            lambda server: server.post(f"{BASE}/requests/{each.id}/decision", {"agree": agree}),
            partial(self._decided, said),
        )

    def _decided(self, said: str, _nothing: Any) -> None:
        self.notice.say(said, "good")
        self.reload()
        self.decided.emit()


def _what(each: GrantRequestView) -> str:
    """What was asked for, as people call it."""
    return tr("证书 {subject}", subject=each.certificate) if each.certificate else role_name(each.role)
