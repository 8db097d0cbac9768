"""What people look after themselves: their one-time codes, and where they are signed in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.shell.fields import Labelled, PasswordField
from client.shell.ports import Desk, OwnSession, TotpOffer, WaysIn
from client.shell.second_factor import TotpPane
from client.shell.sign_in_panes import method_words
from client.shell.words import moment
from client.widgets.basics import Banner, Button, Label, LineEdit, PrimaryButton, SectionTitle
from client.widgets.dialogs import GrowingDialog
from client.widgets.theme import theme
from modules.common.clock import Clock
from modules.common.errors import GovDeskError
from modules.common.text import tr


class _Asking(GrowingDialog):
    """A dialog that asks the server; its refusals are said at the top."""

    def __init__(self, title: str, host: Host, parent: QWidget) -> None:
        super().__init__(parent)
        self._host = host
        self._name = title
        self._token: Token | None = None
        self.setWindowTitle(title)
        self.notice = Banner()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(*(theme().space(6),) * 4)
        self.column.setSpacing(theme().space(3))
        self.column.addWidget(SectionTitle(title))
        self.column.addWidget(self.notice)
        self.setMinimumWidth(theme().text_width(28))

    def ask(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """One question on lane ``net``; ``done`` gets its answer while the dialog is open."""
        self.notice.clear()
        self._token = self._host.run("net", lambda token: work(), done=done, failed=self._failed, name=self._name)

    def _failed(self, error: BaseException) -> None:
        if not isinstance(error, GovDeskError):
            raise error
        self.show_error(error)
        self.grow()

    def show_error(self, error: GovDeskError) -> None:
        """Say why it was refused."""
        self.notice.say(error.words(), "red", code=error.code)

    def done(self, result: int) -> None:
        if self._token is not None:
            self._token.cancel()
        super().done(result)


class TotpDialog(_Asking):
    """Turns one-time codes on or off. ``changed`` says in words what came of it."""

    changed = Signal(str)

    def __init__(self, host: Host, desk: Desk, parent: QWidget) -> None:
        super().__init__(tr("动态口令"), host, parent)
        self._desk = desk
        self._ways: WaysIn | None = None
        self._words = Label(tr("正在询问服务器…"), "quiet", wrap=True)
        self.password = PasswordField(tr("密码"))
        self.code = LineEdit(tr("动态口令"))
        self._code_field = Labelled(self.code)
        self.go = PrimaryButton(tr("继续"), icon="check")
        self.leave = Button(tr("关闭"))
        self.pane = TotpPane()
        low = QHBoxLayout()
        low.addStretch(1)
        low.addWidget(self.leave)
        low.addWidget(self.go)
        for widget in (self._words, self.password, self._code_field, self.pane):
            self.column.addWidget(widget)
        self.column.addLayout(low)
        hidden: tuple[QWidget, ...] = (self.password, self._code_field, self.go, self.pane)
        for part in hidden:
            part.setVisible(False)
        self.password.line.submitted.connect(self._onward)
        self.code.submitted.connect(self.submit)
        self.go.clicked.connect(self.submit)
        self.leave.clicked.connect(self.reject)
        self.pane.confirmed.connect(self._confirm)
        self.pane.finished.connect(self._enabled)
        self.ask(desk.ways_in, self._know)

    def _know(self, ways: WaysIn) -> None:
        self._ways = ways
        if ways.totp and ways.totp_required:
            self._words.setText(tr("动态口令已启用，您的角色不能停用。还有 {n} 个恢复码。", n=ways.recovery_left))
            self.leave.setFocus()
            return
        if ways.totp:
            self._words.setText(
                tr("动态口令已启用，还有 {n} 个恢复码。停用要输入密码和动态口令。", n=ways.recovery_left)
            )
            self.go.set_label(tr("停用"))
        else:
            self._words.setText(tr("启用后，用密码登录时还要输入手机上的动态口令。先输入密码。"))
        self._code_field.setVisible(ways.totp)
        self.password.setVisible(True)
        self.go.setVisible(True)
        self.password.line.setFocus()
        self.grow()

    @Slot()
    def _onward(self) -> None:
        if self._code_field.isVisibleTo(self):
            self.code.setFocus()
        else:
            self.submit()

    @Slot()
    def submit(self) -> None:
        """Begin, or turn them off."""
        password, code = self.password.take(), self.code.text().strip()
        self.password.show_fault("" if password else tr("请输入密码。"))
        if not password:
            self.password.line.setFocus()
        elif self._ways is not None and self._ways.totp:
            self.ask(partial(self._desk.remove_totp, password, code), self._disabled)
        else:
            self.ask(partial(self._desk.begin_totp, password), self._begun)

    def _begun(self, offer: TotpOffer) -> None:
        self.password.clear()
        for widget in (self._words, self.password, self.go):
            widget.setVisible(False)
        self.pane.begin()
        self.pane.setVisible(True)
        self.pane.show_secret(offer)
        self.grow()

    @Slot(str)
    def _confirm(self, code: str) -> None:
        self.ask(partial(self._desk.confirm_totp, code), self._confirmed)

    def _confirmed(self, codes: Sequence[str]) -> None:
        self.pane.show_recovery(codes)
        self.grow()

    @Slot()
    def _enabled(self) -> None:
        self.accept()
        self.changed.emit(tr("动态口令已启用。"))

    def _disabled(self, _nothing: None) -> None:
        self.accept()
        self.changed.emit(tr("动态口令已停用。"))

    def show_error(self, error: GovDeskError) -> None:
        if self.pane.isVisibleTo(self):
            self.pane.show_error(error)
        elif error.code == "AUTH-002":
            self.password.show_fault(error.sentence())
            self.password.line.setFocus()
        elif error.code in ("AUTH-032", "AUTH-034"):
            self._code_field.show_fault(error.sentence())
            self.code.setFocus()
        else:
            super().show_error(error)

    def done(self, result: int) -> None:
        self.password.clear()
        self.pane.clear()
        super().done(result)


class SessionsDialog(_Asking):
    """Where somebody is signed in; one of them can be ended, or all others."""

    def __init__(self, host: Host, desk: Desk, clock: Clock, parent: QWidget) -> None:
        super().__init__(tr("我的登录"), host, parent)
        self._desk = desk
        self._clock = clock
        self.list = QListWidget()
        self.list.setAccessibleName(tr("我的登录"))
        self.list.setWordWrap(True)
        self.end = Button(tr("退出选中的一处"), icon="log-out")
        self.end_others = Button(tr("退出其他所有"), icon="log-out")
        leave = Button(tr("关闭"))
        low = QHBoxLayout()
        for button in (self.end, self.end_others):
            low.addWidget(button)
            button.setEnabled(False)
        low.addStretch(1)
        low.addWidget(leave)
        words = tr("退出后，那里要重新登录才能继续；在那之前办的件照常上传，之后办的不再生效。")
        self.column.addWidget(Label(words, "quiet", wrap=True))
        self.column.addWidget(self.list)
        self.column.addLayout(low)
        self.setMinimumWidth(theme().text_width(40))
        self.list.currentRowChanged.connect(self._chosen)
        self.end.clicked.connect(self._end_one)
        self.end_others.clicked.connect(self._end_others)
        leave.clicked.connect(self.reject)
        self._look()

    def _look(self) -> None:
        self.ask(self._desk.sessions, self._show)

    def _show(self, sessions: Sequence[OwnSession]) -> None:
        self.list.clear()
        words = method_words("")
        for each in sessions:
            state = tr("本次登录") if each.current else tr("已退出，仍可离线") if each.signed_out else tr("登录中")
            item = QListWidgetItem(
                tr(
                    "{place} · {method} · {since}登录 · {seen}最后联网 · {state}",
                    place=each.place,
                    method=words[each.method]() if each.method in words else each.method,
                    since=moment(each.since, self._clock.now()),
                    seen=moment(each.seen, self._clock.now()),
                    state=state,
                )
            )
            item.setData(_ID, (each.id, each.current))
            self.list.addItem(item)
        self.end_others.setEnabled(any(not each.current for each in sessions))
        self._chosen()
        self.list.setFocus()

    @Slot()
    def _chosen(self) -> None:
        item = self.list.currentItem()
        self.end.setEnabled(item is not None and not item.data(_ID)[1])

    @Slot()
    def _end_one(self) -> None:
        self.ask(partial(self._desk.end_session, self.list.currentItem().data(_ID)[0]), lambda nothing: self._look())

    @Slot()
    def _end_others(self) -> None:
        self.ask(partial(self._desk.end_session, ""), lambda nothing: self._look())


_ID = 0x0100
"""``Qt.UserRole``."""
