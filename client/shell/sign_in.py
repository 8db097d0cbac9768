"""The first window: who comes in, by which server. Loads nothing but Qt and the light parts."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QMenu,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Lanes, Token
from client.kernel.settings import Settings
from client.shell.fields import Labelled, PasswordField
from client.shell.look import IconButton, LookBar
from client.shell.ports import Door, Entry, ServerNews
from client.shell.preferences import LOGINS, remembered_logins
from client.shell.words import moment
from client.widgets.basics import Banner, Button, Card, Label, LineEdit, LinkButton, PrimaryButton, StateLabel
from client.widgets.theme import set_role, theme
from modules.common.clock import Clock
from modules.common.errors import GovDeskError, Refused
from modules.common.passwords import MIN_LENGTH, password_refusal
from modules.common.text import aside, together, tr

FORGOTTEN = "AUTH-010"
"""The server does not know this computer (any more)."""

FIRST_LOOK_MS = 100
"""The window is painted before the server is asked: asking loads the network libraries."""
LOOK_AGAIN_MS = 10_000
REMEMBERED = 6


class SignInWindow(QWidget):
    """Lets people in. ``signed_in`` carries the ``Entry`` once nothing stands between them and their desk."""

    signed_in = Signal(object)
    language_changed = Signal()
    closed = Signal()

    def __init__(self, door: Door, lanes: Lanes, settings: Settings, clock: Clock) -> None:
        super().__init__()
        self._door = door
        self._lanes = lanes
        self._settings = settings
        self._clock = clock
        self._looking: Token | None = None
        self._entering: Token | None = None
        self._again = QTimer(self)
        self._again.setInterval(LOOK_AGAIN_MS)
        self._again.timeout.connect(self.look)
        set_role(self, "page")
        self.setWindowTitle(tr("登录 · 政务桌面"))
        self._build()
        theme().changed.connect(self._space)
        self._space()
        self.resize(theme().text_width(64), theme().text_width(46))

    def _build(self) -> None:
        self.look_bar = LookBar(self._settings)
        self.look_bar.language_changed.connect(self.language_changed)
        self.sign_in = SignInPane(self._settings)
        self.sign_in.submitted.connect(self._enter)
        self.sign_in.cancelled.connect(self._stop_entering)
        self.sign_in.login.textChanged.connect(self._say_offline)
        self.enrol = EnrolPane(self._door.url)
        self.enrol.submitted.connect(self._enrol)
        self.change = ChangePasswordPane()
        self.change.submitted.connect(self._change)
        self.change.left.connect(self._start_over)
        self.demo = DemoPane()
        self.demo.chosen.connect(self._enter_as)

        self._server = StateLabel("quiet", tr("正在连接服务器…"))
        self._again_now = LinkButton(tr("重试"))
        self._again_now.clicked.connect(self.look)
        self._place = Label(role="quiet")

        self._panes = PaneStack(self.sign_in, self.enrol, self.change)
        self._columns = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._sides = [_centred(self._panes), _centred(self.demo)]
        for side in self._sides:
            self._columns.addLayout(side, 1)
        self._middle = QWidget()
        around = QVBoxLayout(self._middle)
        around.addStretch(1)
        around.addWidget(Label(tr("政务桌面"), "display"), 0, Qt.AlignmentFlag.AlignHCenter)
        around.addWidget(Label("GovDesk", "quiet"), 0, Qt.AlignmentFlag.AlignHCenter)
        around.addLayout(self._columns)
        around.addStretch(2)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setWidget(self._middle)

        self._head = QHBoxLayout()
        self._head.addStretch(1)
        self._head.addWidget(self.look_bar)
        self._bar = QWidget()
        set_role(self._bar, "bar")
        self._foot = QHBoxLayout(self._bar)
        self._foot.addWidget(self._server, 1)
        self._foot.addWidget(self._again_now)
        self._foot.addWidget(self._place)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._head)
        column.addWidget(self._area, 1)
        column.addWidget(self._bar)
        self._again_now.setVisible(False)
        self._start_over()

    @Slot()
    def _space(self) -> None:
        unit = theme().space
        self._head.setContentsMargins(unit(4), unit(2), unit(4), 0)
        self._foot.setContentsMargins(unit(4), unit(2), unit(4), unit(2))
        self._columns.setSpacing(unit(6))
        around = self._middle.layout()
        assert around is not None
        around.setContentsMargins(unit(4), unit(2), unit(4), unit(4))
        around.setSpacing(unit(2))
        self._panes.setFixedWidth(theme().text_width(24))
        self.demo.setFixedWidth(theme().text_width(24))
        self._turn()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._panes.setFocus()
        QTimer.singleShot(FIRST_LOOK_MS, self, self.look)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._again.stop()
        for token in (self._looking, self._entering):
            if token is not None:
                token.cancel()
        super().closeEvent(event)
        self.closed.emit()

    def _turn(self) -> None:
        """Put the demonstration people beside the pane where there is room, else below it."""
        beside = self.width() >= theme().text_width(24 + 24 + 8)
        self._columns.setDirection(QBoxLayout.Direction.LeftToRight if beside else QBoxLayout.Direction.TopToBottom)
        paired = beside and self.demo.isVisibleTo(self)
        self._columns.setStretch(1, int(paired))
        self._sides[0].setStretch(2, int(not paired))
        self._sides[1].setStretch(0, int(not paired))

    # the server

    @Slot()
    def look(self) -> None:
        """Ask the server who it is, again and again while it cannot be had."""
        if not self._door.url or (self._looking is not None and not self._looking.finished):
            return
        self._again_now.setEnabled(False)
        self._looking = self._lanes.run(
            "net", self._look, done=self._found, failed=self._not_found, name=tr("询问服务器")
        )

    def _look(self, _token: Token) -> ServerNews:
        return self._door.look()

    def _found(self, news: ServerNews) -> None:
        self._again.stop()
        self._again_now.setVisible(False)
        self._server.show_state("good", tr("已连接 {name}", name=news.name))
        self.demo.show_people(news)
        self.demo.setVisible(self.demo.has_people and self._panes.focusProxy() is self.sign_in)
        self._turn()
        self.sign_in.say_server("", "")

    def _not_found(self, error: BaseException) -> None:
        if not isinstance(error, GovDeskError):
            raise error
        wrong_server = error.code == "NET-002"
        said = tr("服务器证书不符") if wrong_server else error.message
        self._server.show_state(
            "red" if wrong_server else "offline", together(tr("离线：{why}", why=said), aside(error.code))
        )
        self._again_now.setVisible(True)
        self._again_now.setEnabled(True)
        self.demo.clear()
        self._turn()
        self.sign_in.say_server(self._offline_words(error), "red" if wrong_server else "offline")
        if self.isVisible():
            self._again.start()

    def _offline_words(self, error: GovDeskError) -> str:
        if error.code == "NET-002":
            return error.sentence()
        return tr("现在连不上服务器。在这台电脑上登录过的人可以离线登录；办的件先存在本机，联网后自动送达。")

    @Slot()
    def _say_offline(self) -> None:
        until = self._door.offline_until(self.sign_in.login.text().strip())
        self.sign_in.say_until("" if until is None else moment(until, self._clock.now()))

    # coming in

    @Slot()
    def _start_over(self) -> None:
        self._place.setText(self._door.place)
        self._panes.show_pane(self.sign_in if self._door.enrolled else self.enrol)
        self.sign_in.password.clear()
        self.demo.setVisible(self._door.enrolled and self.demo.has_people)
        self._turn()
        self._say_offline()

    @Slot(str, str)
    def _enter_as(self, login: str, password: str) -> None:
        self.sign_in.login.setText(login)
        self._enter(login, password)

    @Slot(str, str)
    def _enter(self, login: str, password: str) -> None:
        if self._entering is not None and not self._entering.finished:
            return
        self.sign_in.set_busy(tr("正在登录…"))
        self.demo.setEnabled(False)
        self._entering = self._lanes.run(
            "net",
            lambda token: self._door.sign_in(login, password),
            done=partial(self._entered, password),
            failed=self._not_entered,
            name=tr("登录"),
        )

    @Slot()
    def _stop_entering(self) -> None:
        if self._entering is not None:
            self._entering.cancel()
            self._entering = None
        self.demo.setEnabled(True)
        self.sign_in.set_busy("")
        self.sign_in.password.line.setFocus()

    def _entered(self, password: str, entry: Entry) -> None:
        self._entering = None
        self.demo.setEnabled(True)
        self.sign_in.set_busy("")
        self.sign_in.remember(entry.login)
        if entry.must_change_password:
            self.change.begin(entry, password)
            self.demo.setVisible(False)
            self._turn()
            self._panes.show_pane(self.change)
        else:
            self._let_in(entry)

    def _let_in(self, entry: Entry) -> None:
        self._again.stop()
        self.sign_in.password.clear()
        self.change.clear()
        self.signed_in.emit(entry)

    def _not_entered(self, error: BaseException) -> None:
        self._stop_entering()
        if not isinstance(error, GovDeskError):
            raise error
        if error.code == FORGOTTEN:
            # restored from a backup: what is here is kept, and goes on under a new enrolment
            self._panes.show_pane(self.enrol)
            self.enrol.show_error(error)
            return
        self.sign_in.show_error(error)

    @Slot(str, str)
    def _enrol(self, url: str, code: str) -> None:
        self.enrol.set_busy(True)
        self._entering = self._lanes.run(
            "net",
            lambda token: self._door.enrol(url, code),
            done=self._enrolled,
            failed=self._not_enrolled,
            name=tr("登记本机"),
        )

    def _enrolled(self, _nothing: None) -> None:
        self.enrol.set_busy(False)
        self._start_over()
        self.sign_in.setFocus()
        self.look()

    def _not_enrolled(self, error: BaseException) -> None:
        self.enrol.set_busy(False)
        if not isinstance(error, GovDeskError):
            raise error
        self.enrol.show_error(error)

    @Slot(str, str)
    def _change(self, old: str, new: str) -> None:
        entry = self.change.entry
        assert entry is not None
        self.change.set_busy(True)
        self._entering = self._lanes.run(
            "net",
            lambda token: self._door.change_password(entry.login, old, new),
            done=self._changed,
            failed=self._not_changed,
            name=tr("修改密码"),
        )

    def _changed(self, _nothing: None) -> None:
        self.change.set_busy(False)
        entry = self.change.entry
        assert entry is not None
        self._let_in(entry)

    def _not_changed(self, error: BaseException) -> None:
        self.change.set_busy(False)
        if not isinstance(error, GovDeskError):
            raise error
        self.change.show_error(error)


def _centred(pane: QWidget) -> QHBoxLayout:
    """A pane between two stretches: unlike an alignment, these tell the pane's wrapped text its real width."""
    row = QHBoxLayout()
    row.addStretch(1)
    row.addWidget(pane, 0, Qt.AlignmentFlag.AlignTop)
    row.addStretch(1)
    return row


class PaneStack(QWidget):
    """Shows one of several panes, and is as high as that one."""

    def __init__(self, *panes: QWidget) -> None:
        super().__init__()
        self._panes = panes
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for pane in panes:
            column.addWidget(pane)

    def show_pane(self, pane: QWidget) -> None:
        """Bring one pane forward and give it the keyboard."""
        for other in self._panes:
            other.setVisible(other is pane)
        self.setFocusProxy(pane)
        pane.setFocus()


class SignInPane(Card):
    """Login and password."""

    submitted = Signal(str, str)
    cancelled = Signal()

    def __init__(self, settings: Settings) -> None:
        super().__init__(tr("登录"))
        self._settings = settings
        self.notice = Banner()
        self.login = LineEdit(tr("用户名"))
        self.login.setInputMethodHints(Qt.InputMethodHint.ImhNoAutoUppercase | Qt.InputMethodHint.ImhNoPredictiveText)
        self._recent = IconButton(tr("最近登录"), icon="history")
        self._recent.setMenu(QMenu(self._recent))
        self._login_field = Labelled(self.login, aside=self._recent)
        self.password = PasswordField(tr("密码"))
        self.go = PrimaryButton(tr("登录"), icon="log-in")
        self._doing = Label(role="quiet")
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("正在登录"))
        self._stop = Button(tr("取消"))
        for widget in (self.notice, self._login_field, self.password, self.go, self._doing, self._bar, self._stop):
            self.body.addWidget(widget)
        self.body.addStretch(1)
        self._refused = False
        self.setFocusProxy(self.login)
        self.login.textEdited.connect(self._another_name)
        self.login.submitted.connect(self._onward)
        self.password.line.submitted.connect(self.submit)
        self.go.clicked.connect(self.submit)
        self._stop.clicked.connect(self.cancelled)
        names = remembered_logins(settings)
        self._offer(names)
        if names:
            self.login.setText(names[0])
            self.setFocusProxy(self.password.line)
        self.set_busy("")

    def remember(self, login: str) -> None:
        """Offer ``login`` first from now on; never its password."""
        names = [login, *(name for name in remembered_logins(self._settings) if name != login)][:REMEMBERED]
        self._settings.remember(LOGINS, names)
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

    @Slot()
    def _another_name(self) -> None:
        """A refused password goes with its name: Enter after another name must not try it again."""
        if self._refused:
            self._refused = False
            self.password.clear()

    @Slot()
    def _onward(self) -> None:
        if self.password.take():
            self.submit()
        else:
            self.password.line.setFocus()

    @Slot()
    def submit(self) -> None:
        """Ask to come in, if both were entered."""
        login = self.login.text().strip()
        self._login_field.show_fault("" if login else tr("请输入用户名。"))
        self.password.show_fault("" if self.password.take() else tr("请输入密码。"))
        if not login:
            self.login.setFocus()
        elif not self.password.take():
            self.password.line.setFocus()
        else:
            self.submitted.emit(login, self.password.take())

    def set_busy(self, doing: str) -> None:
        """While something is being done: what, with a way to stop it; an empty text ends that."""
        self._doing.setText(doing)
        for widget in (self._doing, self._bar, self._stop):
            widget.setVisible(bool(doing))
        self.go.setVisible(not doing)
        for edit in (self.login, self.password.line):
            edit.setReadOnly(bool(doing))
        if doing:
            self.show_fault("", "")
            # not the button that stops it: a second Enter must not take back the first
            self.password.line.setFocus()

    def show_error(self, error: GovDeskError) -> None:
        """Say a refusal where it belongs; what was entered stays, the password ready to be typed anew."""
        at = error.refusal.fields if isinstance(error, Refused) else {}
        if error.code.startswith("AUTH-"):
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


class EnrolPane(Card):
    """The first start: makes this computer known to a server."""

    submitted = Signal(str, str)

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
        words = Label(tr("这台电脑还没有登记。登记后它知道自己是哪个窗口，并只信任这台服务器。"), "quiet", wrap=True)
        for widget in (words, self.notice, self._url_field, self._code_field, self.go):
            self.body.addWidget(widget)
        self.setFocusProxy(self.code if url else self.url)
        self.url.submitted.connect(self.code.setFocus)
        self.code.submitted.connect(self.submit)
        self.go.clicked.connect(self.submit)

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
