"""登录方式: how people may sign in, when each way was last used, and what the security administrator does about it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QFileDialog, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.kernel.ports import Session
from client.kernel.settings import Settings
from client.widgets.basics import (
    Button,
    ComboBox,
    ConfirmDialog,
    DangerButton,
    EmptyState,
    Label,
    LineEdit,
    SectionTitle,
    StateLabel,
)
from client.widgets.flow import Flow
from client.widgets.tables import MasterDetail
from client.widgets.theme import set_role, theme
from devices.ports import TokenReader
from modules.common.server_ports import CertificateView, PersonView, WaysInView
from modules.common.text import together, tr
from modules.people import certificates
from modules.people.ui.asking import BASE, AskDialog, Asking, said_time
from modules.people.ui.listing import PeopleList, person_facts
from sync.protocol import from_wire


class WaysView(Asking):
    """People, searched at the server; beside them how the one that is chosen may sign in."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        set_role(self, "page")
        self._me = host.service(Session).actor.id  # type: ignore[type-abstract]
        self._reader = host.service(TokenReader)  # type: ignore[type-abstract]
        self.list = PeopleList(host, name="people.ways")
        self.list.chosen.connect(self._choose)
        self.table, self.search = self.list.table, self.list.search
        self.detail = WaysDetail(self._reader.available)
        self.detail.file_wanted.connect(self._ask_file)
        self.detail.token_wanted.connect(self._ask_token)
        self.detail.unbind_wanted.connect(self._ask_unbind)
        self.detail.require_wanted.connect(self._ask_require)
        self.detail.reset_wanted.connect(self._ask_reset)
        self.detail.end_wanted.connect(self._ask_end)
        self._right = QStackedWidget()
        self._right.addWidget(EmptyState("lock", tr("选一个人，在这里查看和管理其登录方式。")))
        self._right.addWidget(self.detail)
        memory = host.service(Settings)
        split = MasterDetail(self.list, self._right, name="people.ways.split", memory=memory)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(self.search)
        column.addWidget(self.notice)
        column.addWidget(split, 1)
        self.setFocusProxy(self.search)
        self.list.reload()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.list.close()
        super().closeEvent(event)

    @property
    def _person(self) -> PersonView:
        person: PersonView = self.table.current
        return person

    # -- what is shown

    @Slot(object)
    def _choose(self, person: PersonView | None) -> None:
        self._right.setCurrentIndex(0 if person is None else 1)
        if person is not None:
            self.detail.show_person(person, self.list.places.name(person), own=person.id == self._me)
            self._ask_ways(person)

    def _ask_ways(self, person: PersonView) -> None:
        self.ask(
            lambda server: from_wire(WaysInView, server.get(f"{BASE}/people/{person.id}/ways-in")),
            partial(self._know, person),
        )

    def _know(self, person: PersonView, ways: WaysInView) -> None:
        if self.table.current is not None and self._person.id == person.id:
            self.detail.show_ways(ways)

    # -- a certificate is asked for

    @Slot()
    def _ask_file(self) -> None:
        kinds = tr("证书 (*.cer *.crt *.pem *.der)")
        chosen, _ = QFileDialog.getOpenFileName(self, tr("选择证书文件"), "", kinds)
        if chosen:
            self.take_file(Path(chosen))

    def take_file(self, path: Path) -> None:
        """Ask for the certificate in a file to be bound to the chosen person."""

        person = self._person
        self.notice.clear()
        self.run(lambda: [(path.name, certificates.from_file(path))], partial(self._offer, person))

    @Slot()
    def _ask_token(self) -> None:
        def read() -> list[tuple[str, certificates.Handed]]:
            return [(key.token, certificates.from_bytes(key.certificate)) for key in self._reader.certificates()]

        self.notice.clear()
        self.run(read, partial(self._offer, self._person))

    def _offer(self, person: PersonView, found: list[tuple[str, certificates.Handed]]) -> None:
        if not found:
            self.notice.say(tr("插着的证书介质里没有证书。请检查介质，或改用证书文件。"), "due")
            return
        choice = ComboBox(tr("证书"))
        for where, handed in found:
            choice.addItem(tr("{subject}（{where}）", subject=handed.subject, where=where), handed.fingerprint)
        first = found[0][1]
        words = tr(
            "持有这张证书私钥的人将能以 {name} 的身份登录。须另一位安全管理员在“待复核”里同意后生效。",
            name=person.name,
        )
        if len(found) == 1:
            words += "\n" + tr(
                "签发者 {issuer}；有效至 {until}；指纹 {fingerprint}。",
                issuer=first.issuer,
                until=said_time(first.until)[:10],
                fingerprint=first.fingerprint[:16],
            )
        fields: dict[str, QWidget] = {"certificate": choice, "reason": LineEdit(tr("理由（给复核的人看）"))}
        title = tr("为 {name} 登记证书", name=person.name)
        dialog = AskDialog(title, tr("提交复核"), fields, self.window(), danger=words)
        texts = {handed.fingerprint: handed.text for _, handed in found}
        dialog.sent.connect(partial(self._bind, dialog, person, texts))
        dialog.open()

    def _bind(self, dialog: AskDialog, person: PersonView, texts: dict[str, str], values: dict[str, str]) -> None:
        body = {"pem": texts[values["certificate"]], "reason": values["reason"]}
        said = tr("已提交：为 {name} 登记证书。另一位安全管理员在“待复核”里同意后生效。", name=person.name)
        self.ask(
            lambda server: server.post(f"{BASE}/people/{person.id}/certificates", body),
            partial(self._bound, dialog, said),
            dialog.show_error,
        )

    def _bound(self, dialog: AskDialog, said: str, _asked: Any) -> None:
        dialog.accept()
        self.notice.say(said, "good")

    # -- what hurts is asked first

    @Slot(object)
    def _ask_unbind(self, each: CertificateView) -> None:
        words = tr(
            "证书“{subject}”不能再用来登录，此人用证书登录的会话随即结束。同一张证书不能再登记，只能换新的。",
            subject=each.subject,
        )
        said = tr("已停用 {name} 的证书。", name=self._person.name)
        self._confirm(tr("停用证书"), words, "certificates/revoke", {"fingerprint": each.fingerprint}, said)

    @Slot(bool)
    def _ask_require(self, required: bool) -> None:
        person = self._person
        if required:
            # this takes nothing away: the person is led through it at the next sign-in
            said = tr("{name} 下次用密码登录时须启用动态口令。", name=person.name)
            self._change(person, "second-factor/required", {"required": True}, said)
            return
        words = tr("{name} 以后可以只用密码登录，并可自行停用动态口令。", name=person.name)
        said = tr("不再要求 {name} 使用动态口令。", name=person.name)
        self._confirm(tr("不再要求动态口令"), words, "second-factor/required", {"required": False}, said)

    @Slot()
    def _ask_reset(self) -> None:
        words = tr(
            "{name} 手机上的动态口令和恢复码立即作废，所有登录随即结束；下次只要密码，必须使用的人会被要求重新启用。",
            name=self._person.name,
        )
        said = tr("已重置 {name} 的动态口令。", name=self._person.name)
        self._confirm(tr("重置动态口令"), words, "second-factor/remove", {}, said)

    @Slot()
    def _ask_end(self) -> None:
        words = tr("{name} 在所有电脑上的登录立即失效，须重新登录；已办的件不受影响。", name=self._person.name)
        said = tr("已结束 {name} 的所有登录。", name=self._person.name)
        self._confirm(tr("结束所有登录"), words, "sign-out", {}, said)

    def _confirm(self, action: str, words: str, verb: str, body: dict[str, Any], said: str) -> None:
        dialog = ConfirmDialog(action, words, parent=self.window())
        dialog.accepted.connect(partial(self._change, self._person, verb, body, said))
        dialog.open()

    def _change(self, person: PersonView, verb: str, body: dict[str, Any], said: str) -> None:
        self.notice.clear()
        self.ask(
            lambda server: server.post(f"{BASE}/people/{person.id}/{verb}", body),
            partial(self._changed, person, said),
        )

    def _changed(self, person: PersonView, said: str, _nothing: Any) -> None:
        self.notice.say(said, "good")
        self._ask_ways(person)


class WaysDetail(QScrollArea):
    """One person's ways in. Whoever is shown to themselves may only look: another one has to do it."""

    file_wanted = Signal()
    token_wanted = Signal()
    unbind_wanted = Signal(object)
    require_wanted = Signal(bool)
    reset_wanted = Signal()
    end_wanted = Signal()

    def __init__(self, has_tokens: bool) -> None:
        super().__init__()
        self._own = False
        self._has_tokens = has_tokens
        self._required = False
        self.setWidgetResizable(True)
        self.setAccessibleName(tr("登录方式"))
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(theme().space(4), 0, theme().space(2), theme().space(2))
        column.setSpacing(theme().space(3))
        self._name = Label(role="title", wrap=True)
        self._facts = Label(role="quiet", wrap=True, selectable=True)
        self._why_not = Label(tr("这是您自己的登录方式，须由另一位安全管理员办理。"), "quiet", wrap=True)
        self._password = StateLabel()
        self._password_used = Label(role="quiet", wrap=True)
        self._totp = StateLabel()
        self._totp_facts = Label(role="quiet", wrap=True)
        self.require = Button("")
        self.require.clicked.connect(lambda: self.require_wanted.emit(not self._required))
        self.reset = DangerButton(tr("重置动态口令"))
        self.reset.clicked.connect(self.reset_wanted)
        self._certificates = QVBoxLayout()
        self._certificates.setSpacing(theme().space(3))
        self.unbind: dict[str, Button] = {}
        self._rows: list[QWidget] = []
        self.from_file = Button(tr("从文件登记证书…"), icon="file-text")
        self.from_file.clicked.connect(self.file_wanted)
        self.from_token = Button(tr("从证书介质登记…"), icon="id-card")
        self.from_token.clicked.connect(self.token_wanted)
        self._no_token = Label(tr("本机没有配置证书介质的驱动，只能从文件登记。"), "small", wrap=True)
        self._no_token.setVisible(not has_tokens)
        self._oidc = Label(role="quiet", wrap=True)
        self._sessions = Label(role="quiet", wrap=True)
        self.end = DangerButton(tr("结束所有登录"))
        self.end.clicked.connect(self.end_wanted)
        for widget in (self._name, self._facts, self._why_not, SectionTitle(tr("密码")), self._password):
            column.addWidget(widget)
        column.addWidget(self._password_used)
        for widget in (SectionTitle(tr("动态口令")), self._totp, self._totp_facts):
            column.addWidget(widget)
        column.addWidget(_beside(self.require, self.reset))
        column.addWidget(SectionTitle(tr("证书")))
        column.addLayout(self._certificates)
        column.addWidget(_beside(self.from_file, self.from_token))
        column.addWidget(self._no_token)
        for widget in (SectionTitle(tr("统一身份认证")), self._oidc, SectionTitle(tr("登录会话")), self._sessions):
            column.addWidget(widget)
        column.addWidget(_beside(self.end))
        column.addStretch(1)
        self.setWidget(inside)

    def show_person(self, person: PersonView, place: str, *, own: bool) -> None:
        """Show another person, whose ways in are yet to come; nothing can be done before."""
        self._own = own
        self._name.setText(person.name)
        self._facts.setText(person_facts(person, place))
        self._why_not.setVisible(own)
        self._password.show_state("quiet", tr("正在读取…"))
        self._totp.show_state("quiet", tr("正在读取…"))
        for label in (self._password_used, self._totp_facts, self._oidc, self._sessions):
            label.setText("")
        self._show_certificates([])
        for button in (self.require, self.reset, self.from_file, self.from_token, self.end):
            button.setEnabled(False)
        self.require.set_label(tr("要求使用动态口令"))

    def show_ways(self, ways: WaysInView) -> None:
        """What the server knows."""
        changes = ways.must_change_password
        self._password.show_state("due" if changes else "good", tr("待换密码") if changes else tr("可用"))
        self._password_used.setText(together(_last(ways, "password"), tr("重置密码由系统管理员办理。")))
        self._show_totp(ways)
        self._show_certificates(ways.certificates)
        known = tr("、").join(ways.identities)
        self._oidc.setText(
            together(tr("已与 {providers} 关联。", providers=known), _last(ways, "oidc")) if known else tr("没有关联。")
        )
        self._sessions.setText(tr("现有 {n} 处登录有效。", n=ways.sessions) if ways.sessions else tr("现在没有登录。"))
        self.end.setEnabled(bool(ways.sessions) and not self._own)
        self.from_file.setEnabled(not self._own)
        self.from_token.setEnabled(not self._own and self._has_tokens)

    def _show_totp(self, ways: WaysInView) -> None:
        self._required = ways.totp_required == "person"
        state, words = ("good", tr("已启用")) if ways.totp else ("quiet", tr("未启用"))
        if ways.totp_required and not ways.totp:
            state, words = "due", tr("必须启用，尚未启用")
        self._totp.show_state(state, words)
        why = {"role": tr("此人的角色必须使用。"), "person": tr("已单独要求此人使用。"), "": tr("没有要求使用。")}
        facts = [why[ways.totp_required]]
        if ways.totp:
            used = said_time(ways.totp_used_at) or tr("从未")
            facts.append(tr("{when} 启用，最近使用 {used}。", when=said_time(ways.totp_at), used=used))
            facts.append(tr("还剩 {n} 个恢复码。", n=ways.recovery_left))
        self._totp_facts.setText(together(*facts))
        self.require.set_label(tr("不再要求动态口令") if self._required else tr("要求使用动态口令"))
        self.require.setEnabled(not self._own and ways.totp_required != "role")
        self.reset.setEnabled(not self._own and ways.totp)

    def _show_certificates(self, bound: list[CertificateView]) -> None:
        for row in self._rows:
            self._certificates.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._rows, self.unbind = [], {}
        if not bound:
            self._rows = [Label(tr("没有登记证书。"), "quiet", wrap=True)]
        for each in bound:
            self._rows.append(self._certificate(each))
        for row in self._rows:
            self._certificates.addWidget(row)
            row.show()

    def _certificate(self, each: CertificateView) -> QWidget:
        row = QWidget()
        column = QVBoxLayout(row)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(1))
        column.addWidget(Label(each.subject, wrap=True, selectable=True))
        facts = [
            tr("指纹 {fingerprint}", fingerprint=each.fingerprint[:16]),
            tr("有效至 {until}", until=said_time(each.not_after)[:10]),
            tr("{when} 登记", when=said_time(each.bound_at)[:10]),
            tr("最近使用 {used}", used=said_time(each.used_at)) if each.used_at else tr("从未使用"),
        ]
        column.addWidget(Label(tr("；").join(facts), "small", wrap=True))
        if each.revoked_at:
            column.addWidget(StateLabel("paused", tr("已停用 {when}", when=said_time(each.revoked_at)[:10])))
            return row
        button = DangerButton(tr("停用证书"))
        button.setAccessibleName(tr("停用证书 {subject}", subject=each.subject))
        button.setEnabled(not self._own)
        button.clicked.connect(partial(self.unbind_wanted.emit, each))
        self.unbind[each.fingerprint] = button
        column.addWidget(_beside(button))
        return row


def _last(ways: WaysInView, method: str) -> str:
    used = ways.last.get(method, "")
    return tr("最近登录 {when}。", when=said_time(used)) if used else tr("400 天内没有这样登录过。")


def _beside(*buttons: QWidget) -> QWidget:
    row = QWidget()
    row.setLayout(Flow(buttons))
    return row
