"""A person changes their own password while signed in."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.shell.fields import PasswordField
from client.shell.ports import Desk
from client.widgets.basics import Banner, Button, Label, PrimaryButton, SectionTitle
from client.widgets.dialogs import GrowingDialog
from client.widgets.theme import theme
from modules.common.errors import GovDeskError, Refused
from modules.common.passwords import MIN_LENGTH, password_refusal
from modules.common.text import aside, together, tr


class ChangePasswordDialog(GrowingDialog):
    """Old password, new password twice; ``changed`` when the server has taken it."""

    changed = Signal()

    def __init__(self, host: Host, desk: Desk, parent: QWidget) -> None:
        super().__init__(parent)
        self._host = host
        self._desk = desk
        self._token: Token | None = None
        self.setWindowTitle(tr("修改密码"))
        self.notice = Banner()
        self.old = PasswordField(tr("现在的密码"))
        self.new = PasswordField(
            tr("新密码"), hint=tr("至少 {least} 个字符，大小写字母、数字、符号中有三类。", least=MIN_LENGTH)
        )
        self.repeat = PasswordField(tr("再输入一次"))
        self.go = PrimaryButton(tr("修改密码"), icon="check")
        leave = Button(tr("取消"))
        self.old.line.submitted.connect(self.new.line.setFocus)
        self.new.line.submitted.connect(self.repeat.line.setFocus)
        self.repeat.line.submitted.connect(self.submit)
        self.go.clicked.connect(self.submit)
        leave.clicked.connect(self.reject)
        low = QHBoxLayout()
        low.addStretch(1)
        low.addWidget(leave)
        low.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(SectionTitle(tr("修改密码")))
        column.addWidget(Label(tr("需要连着服务器。改好后，本机保存的数据改由新密码打开。"), "quiet", wrap=True))
        for widget in (self.notice, self.old, self.new, self.repeat):
            column.addWidget(widget)
        column.addLayout(low)
        self.setMinimumWidth(theme().text_width(26))
        self.old.line.setFocus()

    @Slot()
    def submit(self) -> None:
        """Ask for the change, if the entries will do."""
        old, new = self.old.take(), self.new.take()
        refusal = password_refusal(self._desk.actor.login, new)
        self.notice.clear()
        self.old.show_fault("" if old else tr("请输入现在的密码。"))
        self.new.show_fault(refusal.message if refusal else "")
        self.repeat.show_fault("" if new == self.repeat.take() else tr("两次输入不一样。"))
        self.grow()
        if not old:
            self.old.line.setFocus()
        elif refusal:
            self.new.line.setFocus()
        elif new != self.repeat.take():
            self.repeat.line.setFocus()
        else:
            self.go.setEnabled(False)
            self._token = self._host.run(
                "net",
                lambda token: self._desk.change_password(old, new),
                done=self._done,
                failed=self._failed,
                name=tr("修改密码"),
            )

    def done(self, result: int) -> None:
        for field in (self.old, self.new, self.repeat):
            field.clear()
        if self._token is not None:
            self._token.cancel()
        super().done(result)

    def _done(self, _nothing: None) -> None:
        self.accept()
        self.changed.emit()

    def _failed(self, error: BaseException) -> None:
        self.go.setEnabled(True)
        if not isinstance(error, GovDeskError):
            raise error
        fields = error.refusal.fields if isinstance(error, Refused) else {}
        wrong = self.new if "new" in fields else self.old
        if "new" in fields:
            self.new.show_fault(together(fields["new"], aside(error.code)))
        elif error.code.startswith("AUTH-"):
            self.old.show_fault(error.sentence())
        else:
            self.notice.say(error.message + error.fix, "red", code=error.code)
        self.grow()
        wrong.line.setFocus()
