"""One-time codes and a password of this computer: set up once, before the desk or from the settings."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QWidget

from client.shell.fields import Labelled, PasswordField
from client.shell.ports import Entry, TotpOffer
from client.widgets.basics import Banner, Button, Card, Label, LineEdit, LinkButton, PrimaryButton
from client.widgets.qr import QrView
from modules.common.errors import GovDeskError, Refused
from modules.common.passwords import MIN_LENGTH, password_refusal
from modules.common.text import aside, together, tr


class TotpPane(Card):
    """Shows a secret as a QR code once, wants a code of it, then shows the recovery codes once."""

    confirmed = Signal(str)
    finished = Signal()
    left = Signal()

    def __init__(self) -> None:
        super().__init__(tr("启用动态口令"))
        self.entry: Entry | None = None
        self._words = Label(role="quiet", wrap=True)
        self.notice = Banner()
        self.picture = QrView(tr("动态口令的二维码"))
        self.secret = Label(wrap=True)
        self.secret.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.code = LineEdit(tr("动态口令"))
        self.code.setInputMethodHints(Qt.InputMethodHint.ImhDigitsOnly)
        self._code_field = Labelled(self.code, hint=tr("扫码后手机上显示的六位数字。"))
        self.recovery = Label(role="strong", wrap=True)
        self.recovery.setTextInteractionFlags(self.secret.textInteractionFlags())
        self.recovery.setAccessibleName(tr("恢复码"))
        self.copy = Button(tr("复制恢复码"), icon="copy")
        self.go = PrimaryButton(tr("启用"), icon="check")
        self.done = PrimaryButton(tr("已抄好，继续"), icon="check")
        self._back = LinkButton(tr("返回登录"))
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.picture)
        row.addStretch(1)
        self.body.addWidget(self._words)
        self.body.addWidget(self.notice)
        self.body.addLayout(row)
        for widget in (self.secret, self._code_field, self.recovery, self.copy, self.go, self.done, self._back):
            self.body.addWidget(widget)
        self.setFocusProxy(self.code)
        self.code.submitted.connect(self._confirm)
        self.go.clicked.connect(self._confirm)
        self.copy.clicked.connect(self._copy)
        self.done.clicked.connect(self.finished)
        self._back.clicked.connect(self.left)
        self.clear()

    def begin(self, entry: Entry | None = None) -> None:
        """Wait for the secret; ``entry`` is whoever may not go on without it."""
        self.clear()
        self.entry = entry
        if entry is not None:
            self._words.setText(tr("{name}，您的角色登录时还要用手机上的动态口令。先在这里启用。", name=entry.name))
        else:
            self._words.setText(tr("启用后，用密码登录时还要输入手机上的动态口令。"))
        self._back.setVisible(entry is not None)

    def show_secret(self, offer: TotpOffer) -> None:
        """The secret, to be scanned or typed. It is shown this once."""
        self.picture.show_text(offer.url)
        parts = [offer.secret[at : at + 4] for at in range(0, len(offer.secret), 4)]
        self.secret.setText(
            tr("用手机上的身份验证器应用扫码；扫不了时手工输入：{secret}。只显示这一次。", secret=" ".join(parts))
        )
        self._show_step(recovery=False)
        self.code.setFocus()

    def show_recovery(self, codes: Sequence[str]) -> None:
        """It counts from now on; what helps when the telephone is lost."""
        self.picture.show_text("")
        self._words.setText(tr("动态口令已启用。请抄下恢复码：手机丢失时，每个能代替一次动态口令。只显示这一次。"))
        self.recovery.setText("\n".join(codes))
        self._show_step(recovery=True)
        self.done.setFocus()

    def _show_step(self, *, recovery: bool) -> None:
        self.notice.clear()
        enrolling: tuple[QWidget, ...] = (self.picture, self.secret, self._code_field, self.go)
        recovering: tuple[QWidget, ...] = (self.recovery, self.copy, self.done)
        for widget in (*enrolling, *recovering):
            widget.setVisible((widget in recovering) == recovery)
        self._back.setVisible(self.entry is not None and not recovery)

    @Slot()
    def _confirm(self) -> None:
        code = self.code.text().strip()
        self._code_field.show_fault("" if code else tr("请输入动态口令。"))
        if code:
            self.confirmed.emit(code)
        else:
            self.code.setFocus()

    @Slot()
    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.recovery.text())

    def show_error(self, error: GovDeskError) -> None:
        """Say why it was refused."""
        if error.code == "AUTH-034":
            self._code_field.show_fault(error.sentence())
            self.code.setFocus()
            self.code.selectAll()
        else:
            self.notice.say(error.words(), "red", code=error.code)

    def clear(self) -> None:
        """Forget all secrets."""
        self.entry = None
        self.picture.show_text("")
        for widget in (self.secret, self.recovery):
            widget.setText("")
        self.code.clear()
        self._code_field.show_fault("")
        self._show_step(recovery=False)


class LocalPasswordPane(Card):
    """Offers whoever came by single sign-on a password of this computer alone, for when the server is away."""

    submitted = Signal(str)
    skipped = Signal()

    def __init__(self) -> None:
        super().__init__(tr("设一个本机口令"))
        self.entry: Entry | None = None
        self._words = Label(
            tr("断网时不能打开浏览器登录。设了本机口令，就能用它离线登录和解锁；它只在这台电脑上有效。"),
            "quiet",
            wrap=True,
        )
        self.notice = Banner()
        self.new = PasswordField(
            tr("本机口令"), hint=tr("至少 {least} 个字符，大小写字母、数字、符号中有三类。", least=MIN_LENGTH)
        )
        self.repeat = PasswordField(tr("再输入一次"))
        self.go = PrimaryButton(tr("设好并进入"), icon="check")
        self.skip = LinkButton(tr("以后再说"))
        for widget in (self._words, self.notice, self.new, self.repeat, self.go, self.skip):
            self.body.addWidget(widget)
        self.setFocusProxy(self.new.line)
        self.new.line.submitted.connect(self.repeat.line.setFocus)
        self.repeat.line.submitted.connect(self.submit)
        self.go.clicked.connect(self.submit)
        self.skip.clicked.connect(self.skipped)

    def begin(self, entry: Entry) -> None:
        """Offer it to ``entry``."""
        self.clear()
        self.entry = entry

    def clear(self) -> None:
        """Forget what was typed."""
        self.new.clear()
        self.repeat.clear()
        self.notice.clear()

    @Slot()
    def submit(self) -> None:
        """Ask for it, if both entries agree."""
        new = self.new.take()
        refusal = password_refusal(self.entry.login if self.entry else "", new)
        self.new.show_fault(refusal.message if refusal else "")
        same = new == self.repeat.take()
        self.repeat.show_fault("" if same else tr("两次输入不一样。"))
        if refusal:
            self.new.line.setFocus()
        elif not same:
            self.repeat.line.setFocus()
        else:
            self.submitted.emit(new)

    def show_error(self, error: GovDeskError) -> None:
        """Say why it was refused."""
        if isinstance(error, Refused) and (fault := error.refusal.fields.get("new")):
            self.new.show_fault(together(fault, aside(error.code)))
        else:
            self.notice.say(error.words(), "red", code=error.code)
