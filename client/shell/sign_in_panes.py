"""The panes of the sign-in window: coming in, enrolling the computer, a new password, the people of a demonstration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QMenu, QProgressBar, QRadioButton, QVBoxLayout, QWidget

from client.kernel.settings import Settings
from client.shell.fields import Labelled, PasswordField
from client.shell.ports import CERTIFICATE, OIDC, PASSWORD, Attempt, Entry, ServerNews, TokenOffer
from client.shell.preferences import LOGINS, METHODS, remembered_logins, remembered_methods
from client.widgets.basics import Banner, Button, Card, ComboBox, IconButton, Label, LineEdit, LinkButton, PrimaryButton
from client.widgets.flow import Flow
from modules.common.errors import GovDeskError, Refused
from modules.common.passwords import MIN_LENGTH, password_refusal
from modules.common.text import aside, together, tr

REMEMBERED = 6
CODE_WANTED, CODE_WRONG, NOBODYS = "AUTH-032", "AUTH-034", "AUTH-039"
PIN_FAULTS = ("DEV-503", "DEV-504")


def method_words(oidc_name: str) -> Mapping[str, Callable[[], str]]:
    """What people call the ways to come in."""
    return {
        PASSWORD: lambda: tr("密码"),
        CERTIFICATE: lambda: tr("证书"),
        OIDC: lambda: oidc_name or tr("统一身份认证"),
    }


class SignInPane(Card):
    """How somebody comes in: by password with a one-time code, by the certificate on a token, by the browser.

    ``submitted`` carries an ``Attempt``; ``tokens_wanted`` asks for the certificates that are there.
    """

    submitted = Signal(object)
    cancelled = Signal()
    tokens_wanted = Signal()
    method_changed = Signal()

    def __init__(self, settings: Settings) -> None:
        super().__init__(tr("登录"))
        self._settings = settings
        self.method = PASSWORD
        self._online = True
        self._binding = False
        self._eager = False
        self._refused = False
        self.notice = Banner()
        self.methods = Methods()
        self.login = LineEdit(tr("用户名"))
        self.login.setInputMethodHints(Qt.InputMethodHint.ImhNoAutoUppercase | Qt.InputMethodHint.ImhNoPredictiveText)
        self._recent = IconButton(tr("最近登录"), icon="history")
        self._recent.setMenu(QMenu(self._recent))
        self._login_field = Labelled(self.login, aside=self._recent)
        self.password = PasswordField(tr("密码"))
        self.code = LineEdit(tr("动态口令"))
        self.code.setInputMethodHints(Qt.InputMethodHint.ImhDigitsOnly)
        self._code_field = Labelled(self.code, hint=tr("手机上显示的六位数字；手机不在身边时用一个恢复码。"))
        self.key = ComboBox(tr("证书"))
        self._again = IconButton(tr("重新查找证书"), icon="refresh-cw")
        self._key_field = Labelled(self.key, aside=self._again)
        self.pin = PasswordField(tr("PIN 码"))
        self._browser = Label(tr("将打开浏览器，请在那里登录，完成后自动回到这里。"), "quiet", wrap=True)
        self.go = PrimaryButton(tr("登录"), icon="log-in")
        self._doing = Label(role="quiet", wrap=True)
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("正在登录"))
        self._stop = Button(tr("取消"))
        fields = (self._key_field, self.pin, self._browser, self._login_field, self.password, self._code_field)
        for widget in (self.notice, self.methods, *fields, self.go, self._doing, self._bar, self._stop):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        self.setFocusProxy(self.login)
        self.methods.chosen.connect(self.choose)
        self.login.textEdited.connect(self._another_name)
        self.login.submitted.connect(self._onward)
        self.password.line.submitted.connect(self.submit)
        self.code.submitted.connect(self.submit)
        self.pin.line.submitted.connect(self.submit)
        self._again.clicked.connect(self.tokens_wanted)
        self.go.clicked.connect(self.submit)
        self._stop.clicked.connect(self.cancelled)
        names = remembered_logins(settings)
        self._offer(names)
        if names:
            self.login.setText(names[0])
        self._show_fields()
        self.set_busy("")

    # which way

    def offer_methods(self, methods: Sequence[str], oidc_name: str, online: bool) -> None:
        """Offer these ways; the one that the last person took is taken, unless somebody has chosen meanwhile."""
        before = self.methods.offered
        self._online = online
        self.methods.offer({name: words() for name, words in method_words(oidc_name).items() if name in methods})
        self.methods.mark(self.method)
        if self.method not in self.methods.offered:
            self.choose(PASSWORD)
        elif before != self.methods.offered:
            self._remembered_method()
        self._show_fields()

    def _remembered_method(self) -> None:
        kept = remembered_methods(self._settings).get(self.login.text().strip(), PASSWORD)
        if kept in self.methods.offered and kept != self.method and not self._entered():
            self.choose(kept)

    def _entered(self) -> bool:
        return any((self.password.take(), self.pin.take(), self.code.text()))

    @Slot(str)
    def choose(self, method: str) -> None:
        """Come in by another way."""
        focused = self._has_focus()
        self.method = method
        self._binding = False
        self.code.clear()
        self.methods.mark(method)
        self.show_fault("", "")
        self._show_fields()
        if method == CERTIFICATE:
            self.tokens_wanted.emit()
        self.method_changed.emit()
        if focused and not self.methods.has_focus():
            self.setFocus()

    def _has_focus(self) -> bool:
        focus = self.focusWidget()
        return focus is not None and focus.hasFocus()

    @property
    def _without_browser(self) -> bool:
        """Single sign-on while the server is away: by the password of this computer."""
        return self.method == OIDC and not self._online

    def _show_fields(self) -> None:
        named = self.method == PASSWORD or self._binding or self._without_browser
        self._login_field.setVisible(named)
        self.password.setVisible(named)
        self.password.rename(tr("本机口令") if self._without_browser else tr("密码"))
        self._key_field.setVisible(self.method == CERTIFICATE)
        self.pin.setVisible(self.method == CERTIFICATE)
        self._browser.setVisible(self.method == OIDC and not self._without_browser)
        self._code_field.setVisible(bool(self.code.property("wanted")) and named)
        self._aim()

    def _aim(self) -> None:
        """Where the keyboard goes first."""
        if self.method == CERTIFICATE:
            self.setFocusProxy(self.pin.line)
        elif self.method == OIDC and not self._without_browser and not self._binding:
            self.setFocusProxy(self.go)
        else:
            self.setFocusProxy(self.password.line if self.login.text() else self.login)

    # who

    def remember(self, login: str) -> None:
        """Offer ``login`` first from now on, by the way just taken; never what proved it."""
        names = [login, *(name for name in remembered_logins(self._settings) if name != login)][:REMEMBERED]
        self._settings.remember(LOGINS, names)
        methods = remembered_methods(self._settings) | {login: self.method}
        self._settings.remember(METHODS, {name: methods.get(name, PASSWORD) for name in names})
        self._offer(names)

    def _offer(self, names: list[str]) -> None:
        menu = self._recent.menu()
        menu.clear()
        for name in names:
            menu.addAction(name).triggered.connect(partial(self._take, name))
        self._recent.setVisible(len(names) > 1)

    def _take(self, name: str) -> None:
        self.login.setText(name)
        self.password.line.setFocus()
        self._remembered_method()

    @Slot()
    def _another_name(self) -> None:
        """A refused password goes with its name: Enter after another name must not try it again."""
        if self._refused:
            self._refused = False
            self.password.clear()
        self.want_code(False)

    @Slot()
    def _onward(self) -> None:
        if self.password.take():
            self.submit()
        else:
            self.password.line.setFocus()

    def show_tokens(self, keys: Sequence[TokenOffer]) -> None:
        """The certificates that are there."""
        self._key_field.show_fault("")
        self.key.clear()
        for each in keys:
            self.key.addItem(f"{each.name} · {each.token}", each)
        self.key.setEnabled(len(keys) > 1)
        eager, self._eager = self._eager, False
        if eager and len(keys) == 1:
            self.submit()  # the PIN was there before the certificate

    def no_tokens(self, words: str) -> None:
        """Why there is none."""
        self._eager = False
        self.key.clear()
        self._key_field.show_fault(words)

    @Slot()
    def submit(self) -> None:
        """Ask to come in, if all that is needed was entered."""
        login = self.login.text().strip()
        named = self._login_field.isVisibleTo(self)
        key = self.key.currentData()
        self._login_field.show_fault("" if login or not named else tr("请输入用户名。"))
        self.password.show_fault("" if self.password.take() or not named else tr("请输入密码。"))
        coded = self._code_field.isVisibleTo(self)
        self._code_field.show_fault("" if self.code.text().strip() or not coded else tr("请输入动态口令。"))
        self.pin.show_fault("" if self.pin.take() or self.method != CERTIFICATE else tr("请输入 PIN 码。"))
        if self.method == CERTIFICATE and key is None:
            self._eager = bool(self.pin.take())
            self.tokens_wanted.emit()
        elif self.method == CERTIFICATE and not self.pin.take():
            self.pin.line.setFocus()
        elif named and not login:
            self.login.setFocus()
        elif named and not self.password.take():
            self.password.line.setFocus()
        elif coded and not self.code.text().strip():
            self.code.setFocus()
        else:
            method = PASSWORD if self._without_browser else self.method
            who = (login, self.password.take()) if named else ("", "")
            code = self.code.text().strip() if coded else ""
            self.submitted.emit(Attempt(method, *who, code, key, self.pin.take()))

    def clear(self) -> None:
        """Forget what proves anything."""
        for field in (self.password, self.pin):
            field.clear()
        self.want_code(False)

    def want_code(self, wanted: bool) -> None:
        """Ask for a one-time code, or no longer."""
        self.code.clear()
        self.code.setProperty("wanted", wanted)
        self._code_field.show_fault("")
        self._code_field.setVisible(wanted and self._login_field.isVisibleTo(self))

    def set_busy(self, doing: str) -> None:
        """While something is being done: what, with a way to stop it; an empty text ends that."""
        self._doing.setText(doing)
        for widget in (self._doing, self._bar, self._stop):
            widget.setVisible(bool(doing))
        self.go.setVisible(not doing)
        for edit in (self.login, self.password.line, self.code, self.pin.line):
            edit.setReadOnly(bool(doing))
        self.methods.setEnabled(not doing)
        if doing:
            self.show_fault("", "")
            # not the button that stops it: a second Enter must not take back the first
            self.focus_secret()

    def focus_secret(self) -> None:
        """The keyboard to what is typed anew."""
        if self.method == CERTIFICATE:
            self.pin.line.setFocus()
        elif self.password.isVisibleTo(self):
            self.password.line.setFocus()
        else:
            self._stop.setFocus() if self._stop.isVisibleTo(self) else self.go.setFocus()

    def show_error(self, error: GovDeskError) -> None:
        """Say a refusal where it belongs; what was entered stays, the secret ready to be typed anew."""
        at = error.refusal.fields if isinstance(error, Refused) else {}
        if error.code == CODE_WANTED:
            self.want_code(True)
            self._code_field.show_hint(error.words())
            self.code.setFocus()
        elif error.code == CODE_WRONG:
            self._code_field.show_fault(error.sentence())
            self.code.setFocus()
            self.code.selectAll()
        elif error.code == NOBODYS:
            self._binding = True
            self._show_fields()
            self.notice.say(error.words(), "due", code=error.code)
            self.login.setFocus()
        elif error.code in PIN_FAULTS:
            self.pin.show_fault(error.sentence())
            self.pin.line.setFocus()
            self.pin.line.selectAll()
        elif error.code.startswith("AUTH-") and self.password.isVisibleTo(self):
            self.show_fault(at.get("login", ""), at.get("password", "") or ("" if "login" in at else error.sentence()))
            self._refused = True
            self.password.line.setFocus()
            self.password.line.selectAll()
        else:
            self.notice.say(error.words(), "red", code=error.code)
            self.go.setFocus()

    def show_fault(self, login: str, password: str) -> None:
        """What is wrong with each of the two."""
        self._login_field.show_fault(login)
        self.password.show_fault(password)

    def say_server(self, text: str, state: str) -> None:
        """What the server's absence means for whoever wants to come in."""
        if text:
            self.notice.say(text, state)
        else:
            self.notice.clear()

    def say_until(self, until: str) -> None:
        """Until when the entered person may come in without the server."""
        self._login_field.show_hint(tr("没有网络时可离线登录至 {until}", until=until) if until else "")


class Methods(QWidget):
    """The ways to come in, side by side; nothing where there is only one. Arrow keys go through them."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("登录方式"))
        self.buttons: dict[str, QRadioButton] = {}
        self._group = QButtonGroup(self)
        self._group.buttonClicked.connect(self._clicked)
        self._row = Flow()
        self.setLayout(self._row)
        self.setVisible(False)

    @property
    def offered(self) -> list[str]:
        """The ways by name."""
        return [*self.buttons] or [PASSWORD]

    def offer(self, ways: dict[str, str]) -> None:
        """Offer these ways, by name, with their words."""
        if ways.keys() == self.buttons.keys() and all(self.buttons[name].text() == ways[name] for name in ways):
            return
        for button in self.buttons.values():
            self._group.removeButton(button)
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = {}
        for name, words in ways.items():
            button = QRadioButton(words)
            button.setAccessibleName(words)
            self.buttons[name] = button
            self._group.addButton(button)
            self._row.addWidget(button)
            button.show()
        self.setVisible(len(ways) > 1)

    def mark(self, method: str) -> None:
        """Show which one is taken."""
        if method in self.buttons:
            self.buttons[method].setChecked(True)

    def has_focus(self) -> bool:
        """Whether the keyboard is here."""
        return any(button.hasFocus() for button in self.buttons.values())

    @Slot()
    def _clicked(self) -> None:
        self.chosen.emit(next(name for name, button in self.buttons.items() if button.isChecked()))


class EnrolPane(Card):
    """The first start: makes this computer known to a server."""

    submitted = Signal(str, str)
    left = Signal()

    def __init__(self, url: str) -> None:
        super().__init__(tr("登记本机"))
        self.notice = Banner()
        self.url = LineEdit(tr("服务器地址"))
        self.url.setText(url)
        self.url.setPlaceholderText("https://govdesk.example.gov.cn:8443")
        self.code = LineEdit(tr("登记码"))
        self._url_field = Labelled(self.url)
        self._code_field = Labelled(self.code, hint=tr("由系统管理员在“人员与角色”的“设备”中发出，只能用一次。"))
        self.go = PrimaryButton(tr("登记"), icon="monitor")
        self._back = LinkButton(tr("返回登录"))
        self._back.clicked.connect(self.left)
        self._back.hide()
        self._words = Label(
            tr("这台电脑还没有登记。登记后它知道自己是哪个窗口，并只信任这台服务器。"), "quiet", wrap=True
        )
        for widget in (self._words, self.notice, self._url_field, self._code_field, self.go, self._back):
            self.body.addWidget(widget)
        self.setFocusProxy(self.code if url else self.url)
        self.url.submitted.connect(self.code.setFocus)
        self.code.submitted.connect(self.submit)
        self.go.clicked.connect(self.submit)

    def ask_again(self, error: GovDeskError) -> None:
        """The server knows this computer no more: ask for a code made for it, or go back."""
        self._words.setText(tr("要让服务器重新认识这台电脑，请输入系统管理员发的“重新登记码”。本机的业务都保留。"))
        self._back.show()
        self.show_error(error)

    @Slot()
    def submit(self) -> None:
        """Ask to be enrolled, if both were entered."""
        url, code = self.url.text().strip(), self.code.text().strip()
        self.notice.clear()
        self._url_field.show_fault("" if url.startswith("https://") else tr("地址以 https:// 开头。"))
        self._code_field.show_fault("" if code else tr("请输入登记码。"))
        if not url.startswith("https://"):
            self.url.setFocus()
        elif not code:
            self.code.setFocus()
        else:
            self.submitted.emit(url, code)

    def set_busy(self, busy: bool) -> None:
        """While the server is being asked."""
        self.go.setEnabled(not busy)
        self.go.set_label(tr("正在登记…") if busy else tr("登记"))

    def show_error(self, error: GovDeskError) -> None:
        """Say why it was refused."""
        self.notice.say(error.words(), "red", code=error.code)
        self.code.setFocus()
        self.code.selectAll()


class ChangePasswordPane(Card):
    """A password that somebody else chose must be replaced before anything else."""

    submitted = Signal(str, str)
    left = Signal()

    def __init__(self) -> None:
        super().__init__(tr("请换一个密码"))
        self.entry: Entry | None = None
        self._old = ""
        self._words = Label(role="quiet", wrap=True)
        self.notice = Banner()
        self.new = PasswordField(
            tr("新密码"), hint=tr("至少 {least} 个字符，大小写字母、数字、符号中有三类。", least=MIN_LENGTH)
        )
        self.repeat = PasswordField(tr("再输入一次"))
        self.go = PrimaryButton(tr("更换并进入"), icon="check")
        self._back = LinkButton(tr("返回登录"))
        for widget in (self._words, self.notice, self.new, self.repeat, self.go, self._back):
            self.body.addWidget(widget)
        self.setFocusProxy(self.new.line)
        self.new.line.submitted.connect(self.repeat.line.setFocus)
        self.repeat.line.submitted.connect(self.submit)
        self.go.clicked.connect(self.submit)
        self._back.clicked.connect(self._leave)

    def begin(self, entry: Entry, old: str) -> None:
        """Ask ``entry`` for a new password; ``old`` proves who asks."""
        self.clear()
        self.entry, self._old = entry, old
        self._words.setText(tr("{name}，您的密码是别人设的。换成只有您知道的，再开始工作。", name=entry.name))

    def clear(self) -> None:
        """Forget all passwords."""
        self._old = ""
        self.new.clear()
        self.repeat.clear()
        self.notice.clear()

    @Slot()
    def _leave(self) -> None:
        self.clear()
        self.left.emit()

    @Slot()
    def submit(self) -> None:
        """Ask for the change, if both entries agree."""
        new = self.new.take()
        refusal = password_refusal(self.entry.login if self.entry else "", new)
        fault = refusal.message if refusal else tr("新密码不能和旧密码一样。") if new == self._old else ""
        self.notice.clear()
        self.new.show_fault(fault)
        self.repeat.show_fault("" if new == self.repeat.take() else tr("两次输入不一样。"))
        if fault:
            self.new.line.setFocus()
        elif new != self.repeat.take():
            self.repeat.line.setFocus()
        else:
            self.submitted.emit(self._old, new)

    def set_busy(self, busy: bool) -> None:
        """While the server is being asked."""
        self.go.setEnabled(not busy)
        self._back.setEnabled(not busy)

    def show_error(self, error: GovDeskError) -> None:
        """Say why the server refused it."""
        if isinstance(error, Refused) and (fault := error.refusal.fields.get("new")):
            self.new.show_fault(together(fault, aside(error.code)))
        else:
            self.notice.say(error.words(), "red", code=error.code)
        self.new.line.setFocus()


class PersonButton(Button):
    """One of the people of a demonstration."""

    role = "nav"


class DemoPane(Card):
    """The people of a demonstration server, each by one click; hidden where there are none."""

    chosen = Signal(str, str)

    def __init__(self) -> None:
        super().__init__(tr("演示人员"))
        self.body.addWidget(Label(tr("这是演示服务器：点一下即以此人登录。"), "quiet", wrap=True))
        self._buttons: list[Button] = []
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        self.body.addLayout(self._list)
        self.setVisible(False)

    @property
    def has_people(self) -> bool:
        """Whether the server offered any."""
        return bool(self._buttons)

    def show_people(self, news: ServerNews) -> None:
        """Offer the people that the server named."""
        self.clear()
        for person in news.demo:
            title = person.get("title", "")
            words = tr("{name} · {role}", name=person.get("name", ""), role=tr(title))
            button = PersonButton(words, icon="user")
            button.clicked.connect(partial(self._choose, person.get("login", ""), person.get("password", "")))
            self._list.addWidget(button)
            self._buttons.append(button)

    def clear(self) -> None:
        """Offer nobody."""
        for button in self._buttons:
            self._list.removeWidget(button)
            button.deleteLater()
        self._buttons.clear()
        self.setVisible(False)

    def _choose(self, login: str, password: str) -> None:
        self.chosen.emit(login, password)
