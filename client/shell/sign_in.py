"""The first window: who comes in, by which server. Loads nothing but Qt and the light parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QBoxLayout,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Lanes, Token
from client.kernel.settings import Settings
from client.shell.look import LookBar
from client.shell.ports import CERTIFICATE, OIDC, PASSWORD, Attempt, Door, Entry, ServerNews, TokenOffer, TotpOffer
from client.shell.second_factor import LocalPasswordPane, TotpPane
from client.shell.sign_in_panes import ChangePasswordPane, DemoPane, EnrolPane, SignInPane
from client.shell.words import moment
from client.widgets.basics import Label, LinkButton, StateLabel
from client.widgets.theme import set_role, theme
from modules.common.clock import Clock
from modules.common.errors import GovDeskError
from modules.common.text import aside, together, tr

T = TypeVar("T")
FIRST_LOOK_MS = 100
"""The window is painted before the server is asked: asking loads the network libraries."""
LOOK_AGAIN_MS = 10_000
NOT_KNOWN = frozenset({"AUTH-010", "AUTH-071", "NET-009", "NET-011"})
"""Computer and server do not know each other any more: a code mends it, a password does not."""


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
        self._seeking: Token | None = None
        self._again = QTimer(self)
        self._again.setInterval(LOOK_AGAIN_MS)
        self._again.timeout.connect(self.look)
        set_role(self, "page")
        self.setWindowTitle(tr("登录 · 政务桌面"))
        self._build()
        theme().changed.connect(self._space)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._bring_into_sight)
        self._space()
        self.resize(theme().text_width(64), theme().text_width(46))

    def _build(self) -> None:
        self.look_bar = LookBar(self._settings)
        self.look_bar.language_changed.connect(self.language_changed)
        self.sign_in = SignInPane(self._settings)
        self.sign_in.submitted.connect(self._enter)
        self.sign_in.cancelled.connect(self._stop_entering)
        self.sign_in.tokens_wanted.connect(self._seek)
        self.sign_in.login.textChanged.connect(self._say_offline)
        self.enrol = EnrolPane(self._door.url)
        self.enrol.submitted.connect(self._enrol)
        self.enrol.left.connect(self._start_over)
        self.change = ChangePasswordPane()
        self.change.submitted.connect(self._change)
        self.change.left.connect(self._start_over)
        self.totp = TotpPane()
        self.totp.confirmed.connect(self._confirm_totp)
        self.totp.finished.connect(self._totp_done)
        self.totp.left.connect(self._start_over)
        self.local = LocalPasswordPane()
        self.local.submitted.connect(self._set_local)
        self.local.skipped.connect(self._local_done)
        self.demo = DemoPane()
        self.demo.chosen.connect(self._enter_as)

        self._server = StateLabel("quiet", tr("正在连接服务器…"))
        self._again_now = LinkButton(tr("重试"))
        self._again_now.clicked.connect(self.look)
        self._place = Label(role="quiet")

        self._panes = PaneStack(self.sign_in, self.enrol, self.change, self.totp, self.local)
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

    @Slot(QWidget, QWidget)
    def _bring_into_sight(self, _before: QWidget | None, now: QWidget | None) -> None:
        """What the keyboard is at is seen, however much stands above it."""
        if now is not None and self._middle.isAncestorOf(now):
            QTimer.singleShot(0, now, partial(self._area.ensureWidgetVisible, now, 0, theme().space(12)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._panes.setFocus()
        QTimer.singleShot(FIRST_LOOK_MS, self, self.look)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._again.stop()
        for token in (self._looking, self._entering, self._seeking):
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
        self.sign_in.offer_methods(self._door.methods, news.oidc_name, online=True)

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
        self.sign_in.offer_methods(self._door.methods, "", online=False)
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
        self.sign_in.clear()
        self.totp.clear()
        self.sign_in.offer_methods(self._door.methods, "", online=True)
        self.demo.setVisible(self._door.enrolled and self.demo.has_people)
        self._turn()
        self._say_offline()

    @Slot(str, str)
    def _enter_as(self, login: str, password: str) -> None:
        self.sign_in.choose(PASSWORD)
        self.sign_in.login.setText(login)
        self._enter(Attempt(PASSWORD, login, password))

    @Slot(object)
    def _enter(self, attempt: Attempt) -> None:
        if self._entering is not None and not self._entering.finished:
            return
        browser = attempt.method == OIDC
        self.sign_in.set_busy(tr("请在浏览器里登录，完成后自动回来…") if browser else tr("正在登录…"))
        self.demo.setEnabled(False)
        self._entering = self._lanes.run(
            "net",
            partial(self._come_in, attempt),
            done=partial(self._entered, attempt.password),
            failed=self._not_entered,
            name=tr("登录"),
        )

    def _come_in(self, attempt: Attempt, token: Token) -> Entry:
        if attempt.method == PASSWORD:
            return self._door.sign_in(attempt.login, attempt.password, attempt.code)
        if attempt.method == CERTIFICATE:
            assert attempt.key is not None
            return self._door.sign_in_by_token(attempt.key, attempt.pin, attempt.login, attempt.password, attempt.code)
        return self._door.sign_in_by_browser(token.check, attempt.login, attempt.password, attempt.code)

    @Slot()
    def _seek(self) -> None:
        """Look for tokens."""
        if self._seeking is not None and not self._seeking.finished:
            return
        self._seeking = self._lanes.run(
            "net", self._tokens, done=self.sign_in.show_tokens, failed=self._no_tokens, name=tr("查找证书")
        )

    def _tokens(self, _token: Token) -> Sequence[TokenOffer]:
        return self._door.tokens()

    def _no_tokens(self, error: BaseException) -> None:
        if not isinstance(error, GovDeskError):
            raise error
        self.sign_in.no_tokens(error.sentence())

    @Slot()
    def _stop_entering(self) -> None:
        if self._entering is not None:
            self._entering.cancel()
            self._entering = None
        self.demo.setEnabled(True)
        self.sign_in.set_busy("")
        self.sign_in.focus_secret()

    def _entered(self, password: str, entry: Entry) -> None:
        self._entering = None
        self.demo.setEnabled(True)
        self.sign_in.set_busy("")
        self.sign_in.remember(entry.login)
        self._onward(entry, password)

    def _onward(self, entry: Entry, password: str) -> None:
        """What stands between somebody who was recognised and their desk, one after the other."""
        if entry.must_change_password:
            self.change.begin(entry, password)
            self._show_step(self.change)
        elif entry.must_enrol_totp:
            self._begin_totp(entry, password)
        elif entry.offers_local_password:
            self.local.begin(entry)
            self._show_step(self.local)
        else:
            self._let_in(entry)

    def _show_step(self, pane: QWidget) -> None:
        self.demo.setVisible(False)
        self._turn()
        self._panes.show_pane(pane)

    def _step(self, work: Callable[[], T], done: Callable[[T], None], failed: Callable[[GovDeskError], None]) -> None:
        """One question to the server between sign-in and desk."""

        def refused(error: BaseException) -> None:
            if not isinstance(error, GovDeskError):
                raise error
            failed(error)

        self._entering = self._lanes.run("net", lambda token: work(), done=done, failed=refused, name=tr("登录"))

    def _begin_totp(self, entry: Entry, password: str) -> None:
        self.totp.begin(entry)
        self._show_step(self.totp)
        self._step(lambda: self._door.begin_totp(password), self._totp_begun, self.totp.show_error)

    def _totp_begun(self, offer: TotpOffer) -> None:
        self.totp.show_secret(offer)

    @Slot(str)
    def _confirm_totp(self, code: str) -> None:
        self._step(lambda: self._door.confirm_totp(code), self.totp.show_recovery, self.totp.show_error)

    @Slot()
    def _totp_done(self) -> None:
        entry = self.totp.entry
        assert entry is not None
        self._let_in(entry)

    @Slot(str)
    def _set_local(self, password: str) -> None:
        self._step(
            lambda: self._door.set_local_password(password), lambda nothing: self._local_done(), self.local.show_error
        )

    @Slot()
    def _local_done(self) -> None:
        entry = self.local.entry
        assert entry is not None
        self._let_in(entry)

    def _let_in(self, entry: Entry) -> None:
        self._again.stop()
        self.sign_in.clear()
        for pane in (self.change, self.totp, self.local):
            pane.clear()
        self.signed_in.emit(entry)

    def _not_entered(self, error: BaseException) -> None:
        self._stop_entering()
        if not isinstance(error, GovDeskError):
            raise error
        if error.code in NOT_KNOWN:
            self.enrol.ask_again(error)
            self._panes.show_pane(self.enrol)
        else:
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
            done=partial(self._changed, new),
            failed=self._not_changed,
            name=tr("修改密码"),
        )

    def _changed(self, new: str, entry: Entry) -> None:
        self.change.set_busy(False)
        self._onward(entry, new)

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
