"""The lock: hides everything, keeps what was entered, opens with what the person signed in with."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QGuiApplication, QResizeEvent, QWindow
from PySide6.QtWidgets import QApplication, QDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget
from shiboken6 import isValid

from client.kernel.contract import Host, Token
from client.shell.fields import PasswordField
from client.shell.ports import Desk
from client.widgets.basics import Banner, Card, IconLabel, Label, LinkButton, PrimaryButton
from client.widgets.theme import set_role, theme
from modules.common.clock import Clock
from modules.common.errors import GovDeskError
from modules.common.text import tr

_TOUCHES = (
    QEvent.Type.KeyPress,
    QEvent.Type.MouseButtonPress,
    QEvent.Type.MouseMove,
    QEvent.Type.Wheel,
    QEvent.Type.TouchBegin,
    QEvent.Type.TabletPress,
)
LOOK_MS = 1000


class IdleWatch(QObject):
    """``idle`` when nobody has touched keyboard or mouse in any of our windows for ``seconds``.

    It listens to the native windows alone: those see each key and click once, the widgets many events more.
    """

    idle = Signal()

    def __init__(self, clock: Clock, seconds: float, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clock = clock
        self._seconds = seconds
        self._last = clock.monotonic()
        self._watched: QWindow | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._app = QGuiApplication.instance()
        assert isinstance(self._app, QGuiApplication)
        self._app.focusWindowChanged.connect(self._watch)
        self._watch(QGuiApplication.focusWindow())

    def start(self) -> None:
        """Count from now."""
        self.touch()
        self._timer.start()

    def stop(self) -> None:
        """Count no more."""
        self._timer.stop()

    def set_seconds(self, seconds: float) -> None:
        """Another patience."""
        self._seconds = seconds

    def touch(self) -> None:
        """Somebody is here."""
        self._last = self._clock.monotonic()

    @Slot()
    def look(self) -> None:
        """Tell, if it has been long enough."""
        if self._clock.monotonic() - self._last >= self._seconds:
            self.touch()
            self.idle.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _TOUCHES:
            self.touch()
        return False

    @Slot(QWindow)
    def _watch(self, window: QWindow | None) -> None:
        if window is not None:
            window.installEventFilter(self)


def _key_words(key: str) -> str:
    """What people call what opens the lock."""
    return {"pin": tr("PIN 码"), "local": tr("本机口令")}.get(key, tr("密码"))


class Cover(QWidget):
    """Lies over a window while it is locked: nothing of it can be seen."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        set_role(self, "cover")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAutoFillBackground(True)
        words = QLabel(tr("已锁定"))
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        QVBoxLayout(self).addWidget(words)
        window.installEventFilter(self)
        self.resize(window.size())
        self.show()
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QResizeEvent) and watched is self.parentWidget():
            self.resize(event.size())
        return False


class _Latecomers(QObject):
    """Tells of windows that come up while the program is locked: what was begun before may end in a dialog."""

    came = Signal(QWidget)

    def __init__(self, lock: QWidget) -> None:
        super().__init__(lock)
        self._lock = lock
        app = QCoreApplication.instance()
        assert app is not None
        self._app = app
        app.installEventFilter(self)

    def end(self) -> None:
        """Watch no more."""
        self._app.removeEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            owner: QWidget | None = watched
            while owner is not None and owner is not self._lock:
                owner = owner.parentWidget()
            if owner is None:
                self.came.emit(watched)
        return False


class LockScreen(QDialog):
    """Over the main window until ``unlocked``, or until somebody else wants in: ``switch``.

    Modal for the whole program: dialogs that were open stay open below, covered, and keep what they hold. So do those
    that come up meanwhile; open menus close.
    """

    unlocked = Signal()
    switch = Signal()

    def __init__(self, host: Host, desk: Desk, main: QWidget, reason: str) -> None:
        super().__init__(main, Qt.WindowType.Dialog | Qt.WindowType.FramelessWindowHint)
        self._host = host
        self._desk = desk
        self._token: Token | None = None
        self._may_close = False
        self._focus = QApplication.focusWidget()
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("已锁定"))
        while (popup := QApplication.activePopupWidget()) is not None and popup.close():
            pass  # it would have the keys before the lock
        self._covers = [Cover(each) for each in QApplication.topLevelWidgets() if each.isVisible() and each is not self]
        self._latecomers = _Latecomers(self)
        self._latecomers.came.connect(self._cover_late)
        card = Card()
        top = QHBoxLayout()
        top.addWidget(IconLabel("lock", "accent", 24))
        top.addWidget(Label(tr("已锁定"), "title"), 1)
        self._in_browser = desk.key == "browser"
        self.password = PasswordField(_key_words(desk.key))
        self.go = PrimaryButton(self._do(), icon="check")
        self.notice = Banner()
        self.other = LinkButton(tr("换人登录"), icon="users")
        card.body.addLayout(top)
        card.body.addWidget(Label(reason, "quiet", wrap=True))
        card.body.addWidget(Label(f"{desk.actor.name} · {desk.place}", "strong"))
        card.body.addWidget(self.notice)
        if self._in_browser:
            card.body.addWidget(Label(tr("将打开浏览器，请在那里确认是您本人。"), "quiet", wrap=True))
        card.body.addWidget(self.password)
        self.password.setVisible(not self._in_browser)
        card.body.addWidget(self.go)
        card.body.addWidget(self.other)
        card.setFixedWidth(min(theme().text_width(24), main.width() - theme().space(4)))
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(card)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.addStretch(2)
        column.addLayout(row)
        column.addStretch(3)
        self.password.line.submitted.connect(self.unlock)
        self.go.clicked.connect(self.unlock)
        self.other.clicked.connect(self._switch)
        main.installEventFilter(self)
        self._fit(main)
        self._aim()

    def _do(self) -> str:
        return tr("在浏览器中验证") if self._in_browser else tr("解锁")

    def _aim(self) -> None:
        (self.go if self._in_browser else self.password.line).setFocus()

    def _fit(self, main: QWidget) -> None:
        self.resize(main.size())
        self.move(main.mapToGlobal(main.rect().topLeft()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move) and isinstance(watched, QWidget):
            self._fit(watched)
        return False

    def reject(self) -> None:
        """There is no way round the lock."""

    @Slot()
    def unlock(self) -> None:
        """Ask whether it is the person."""
        password = self.password.take()
        if not password and not self._in_browser:
            self.password.show_fault(tr("请先输入。"))
            return
        if self._token is not None and not self._token.finished:
            return
        self._busy(True)
        desk = self._desk
        self._token = self._host.run(
            "net",
            lambda token: desk.check_in_browser(token.check) if self._in_browser else desk.check_password(password),
            done=self._right,
            failed=self._wrong,
            name=tr("解锁"),
        )

    def _busy(self, busy: bool) -> None:
        self.go.setEnabled(not busy)
        self.password.line.setReadOnly(busy)
        self.go.set_label(tr("正在核对…") if busy else self._do())
        if busy:
            self.notice.clear()

    def _right(self, _nothing: None) -> None:
        self._leave()
        self.unlocked.emit()

    def _wrong(self, error: BaseException) -> None:
        self._busy(False)
        if not isinstance(error, GovDeskError):
            raise error
        if self._in_browser:
            self.notice.say(error.words(), "red", code=error.code)
        else:
            self.password.show_fault(error.sentence())
            self.password.line.selectAll()
        self._aim()

    @Slot()
    def _switch(self) -> None:
        if self._token is not None:
            self._token.cancel()
        self.switch.emit()

    @Slot(QWidget)
    def _cover_late(self, window: QWidget) -> None:
        self._covers.append(Cover(window))
        QTimer.singleShot(0, self, self._above)

    @Slot()
    def _above(self) -> None:
        """Be the last that was opened once more: of two modal windows that one has keys and mouse."""
        if self._may_close:
            return
        self.hide()
        self.show()
        self.raise_()
        self.activateWindow()
        self._aim()

    def _leave(self) -> None:
        self._may_close = True
        self._latecomers.end()
        self.password.clear()
        for cover in filter(isValid, self._covers):
            cover.hide()
            cover.deleteLater()
        self._covers.clear()
        self.accept()
        if self._focus is not None and isValid(self._focus):
            self._focus.window().activateWindow()
            self._focus.setFocus()
