"""The window of whoever is signed in: the frame, the pages of the modules, and what goes on around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLayout, QMenu, QStackedWidget, QVBoxLayout, QWidget

from client.kernel.commands import Command, CommandBook, of_manifests
from client.kernel.contract import Host, Token
from client.kernel.events import DeviceChanged, Events, RecordsChanged, SyncChanged
from client.kernel.registry import Failure, Registry
from client.kernel.settings import Settings
from client.shell.change_password import ChangePasswordDialog
from client.shell.chrome import Drawer, Header, NavBar, StatusBar
from client.shell.home import HomePage
from client.shell.lock import IdleWatch, LockScreen
from client.shell.look import step_zoom
from client.shell.own_account import SessionsDialog, TotpDialog
from client.shell.palette import Palette
from client.shell.panels import DevicesPanel, FailurePane, ForbiddenPane, HelpPanel, NoticesPanel, Panel, SyncPanel
from client.shell.ports import Desk
from client.shell.preferences import FOLDED, IDLE_MINUTES, WINDOW
from client.shell.settings_page import SettingsPage
from client.shell.todos import waiting
from client.widgets.basics import StatePane
from client.widgets.notices import NoticeBar, NoticeModel
from client.widgets.theme import set_role, theme
from devices.ports import DeviceStatus
from modules.common.clock import CHINA, Clock
from modules.common.errors import GovDeskError
from modules.common.manifest import CommandSpec, Manifest, Page, Ref, Todo
from modules.common.text import tr

HOME = "shell.home"
SETTINGS = "shell.settings"
CLOCK_MS = 5_000
NARROW = 62
"""Below so many Chinese characters' width the navigation folds by itself and the search is an icon."""


class MainWindow(QWidget):
    """One session's window; the next person gets another. ``sign_out_wanted``: somebody else wants in, or nobody.

    ``language_changed``: build the window anew. ``notices`` is where ``Host.notice`` goes.
    """

    sign_out_wanted = Signal()
    language_changed = Signal()
    closed = Signal()

    def __init__(
        self,
        host: Host,
        desk: Desk,
        registry: Registry,
        notices: NoticeModel,
        *,
        about: str,
        save_bundle: Callable[[], str],
    ) -> None:
        super().__init__()
        self._host = host
        self._desk = desk
        self._registry = registry
        self._about = about
        self._save_bundle = save_bundle
        self.notices = notices
        self._events = host.service(Events)
        self._settings = host.service(Settings)
        self._clock: Clock = host.service(Clock)  # type: ignore[type-abstract]
        self._sync = SyncChanged("offline", 0, 0)
        self._devices: dict[str, DeviceStatus] = {}
        self._views: dict[str, QWidget] = {}
        self._trail: list[str] = []
        self._current = ""
        self._counts: dict[str, Token] = {}
        self._loading: Token | None = None
        self._lock: LockScreen | None = None
        self._lent_at: float | None = None
        self._actor = desk.actor
        self._declared = self._allowed_pages()
        self._todos = [
            todo for manifest in registry.manifests for todo in manifest.todos if self._actor.may(todo.permission)
        ]
        self._places = self._places_of_kinds()
        self.book = self._commands()
        self.setWindowTitle(tr("政务桌面 · {name}", name=self._actor.name))
        self._build()
        self._shortcuts()
        self._ends = [
            self._events.subscribe(SyncChanged, self._sync_changed),
            self._events.subscribe(DeviceChanged, self._device_changed),
            self._events.subscribe(RecordsChanged, self._records_changed),
        ]
        self.idle = IdleWatch(self._clock, self._settings.get(IDLE_MINUTES) * 60, self)
        self.idle.idle.connect(self._lock_idle)
        self._ticks = QTimer(self)
        self._ticks.setInterval(CLOCK_MS)
        self._ticks.timeout.connect(self._tick)
        self._ticks.start()
        self._tick()
        self._place_window()
        self.open_page(HOME)
        self._count()
        self.idle.start()

    # what there is

    def _allowed_pages(self) -> dict[str, Page]:
        own = Page(HOME, tr("首页"), Ref("client.shell.home:HomePage"), "house")
        last = Page(SETTINGS, tr("设置"), Ref("client.shell.settings_page:SettingsPage"), "settings")
        pages = [page for manifest in self._registry.manifests for page in manifest.pages]
        allowed = sorted((page for page in pages if self._actor.may(page.permission)), key=lambda page: page.order)
        return {page.id: page for page in (own, *allowed, last)}

    def _places_of_kinds(self) -> dict[str, str]:
        """The page that shows the records of a kind, as the todos of all people name it."""
        todos = [todo for manifest in self._registry.manifests for todo in manifest.todos]
        return {todo.kind: todo.page for todo in todos if todo.page in self._declared}

    def _commands(self) -> CommandBook:
        book = CommandBook(
            of_manifests(self._registry.manifests, lambda page: self.open_page(page.id), self._run_command)
        )
        taken = {command.shortcut for command in book}
        free = (keys for keys in (f"Ctrl+{digit}" for digit in range(1, 10)) if keys not in taken)
        self._page_keys = {page.id: page.shortcut or next(free, "") for page in self._declared.values()}
        own = (
            Command(HOME, tr("打开首页"), partial(self.open_page, HOME), "house"),
            Command("shell.palette", tr("搜索办件、页面、命令"), self.open_palette, "search", shortcut="Ctrl+K"),
            Command(SETTINGS, tr("打开设置"), partial(self.open_page, SETTINGS), "settings", shortcut="Ctrl+,"),
            Command("shell.lock", tr("锁定"), self.lock, "lock", shortcut="Ctrl+L"),
            Command("shell.switch", tr("换人登录"), self._ask_out, "users"),
            Command("shell.password", tr("修改密码"), self.change_password, "lock"),
            Command("shell.totp", tr("动态口令"), self.open_totp, "smartphone"),
            Command("shell.sessions", tr("我的登录"), self.open_sessions, "users"),
            Command("shell.sync", tr("立即与服务器同步"), self._desk.sync_now, "refresh-cw"),
            Command("shell.unsent", tr("查看待传与被退回的件"), self.open_sync, "arrow-up-down"),
            Command("shell.devices", tr("查看设备"), self.open_devices, "printer"),
            Command("shell.notices", tr("查看消息"), self.open_notices, "bell"),
            Command("shell.larger", tr("放大"), partial(step_zoom, self._settings, 1), "zoom-in", shortcut="Ctrl+="),
            Command("shell.smaller", tr("缩小"), partial(step_zoom, self._settings, -1), "zoom-out", shortcut="Ctrl+-"),
            Command("shell.unzoom", tr("恢复到 100%"), partial(step_zoom, self._settings, 0), shortcut="Ctrl+0"),
            Command("shell.bundle", tr("保存诊断包"), self._save, "download"),
            Command("shell.help", tr("帮助与快捷键"), self.open_help, "circle-help", shortcut="F1"),
        )
        for command in own:
            book.add(command)
        return book

    def _build(self) -> None:
        set_role(self, "page")
        self.nav = NavBar(self._declared.values(), self._page_keys, folded=bool(self._settings.recall(FOLDED)))
        self.nav.chosen.connect(self.open_page)
        self.nav.folded.connect(self._folded)
        self.header = Header(self._actor.name, self._person_menu())
        self.header.search.connect(self.open_palette)
        self.header.notices.connect(self.open_notices)
        self.status = StatusBar(self._actor.name, self._desk.place)
        self.status.sync_asked.connect(self.open_sync)
        self.status.devices_asked.connect(self.open_devices)
        self.notice_bar = NoticeBar(self.notices)
        set_role(self.notice_bar, "head")
        self.notice_bar.all_wanted.connect(self.open_notices)
        self.notices.unread_changed.connect(self.header.bell.show_unread)
        self.header.bell.show_unread(self.notices.unread)
        self.stack = QStackedWidget()
        self._opening = StatePane()
        self._opening.say("inbox", tr("正在打开…"), busy=True)
        self.stack.addWidget(self._opening)
        middle = QWidget()
        around = QVBoxLayout(middle)
        around.setContentsMargins(0, 0, 0, 0)
        around.setSpacing(0)
        around.addWidget(self.notice_bar)
        around.addWidget(self.stack, 1)
        self.drawer = Drawer(middle)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.header)
        right.addWidget(middle, 1)
        upper = QHBoxLayout()
        upper.setSpacing(0)
        upper.addWidget(self.nav)
        upper.addLayout(right, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        # the window may be smaller than its parts at first want: they fold and scroll
        column.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        column.addLayout(upper, 1)
        column.addWidget(self.status)

    def _person_menu(self) -> QMenu:
        menu = QMenu(self)
        for name in ("shell.lock", "shell.switch", "shell.password", SETTINGS, "shell.help"):
            command = self.book.get(name)
            action = menu.addAction(f"{command.title}\t{command.shortcut}" if command.shortcut else command.title)
            action.triggered.connect(command.run)
        return menu

    def _shortcuts(self) -> None:
        keys: list[tuple[str, Callable[[], None]]] = [
            (command.shortcut, command.run) for command in self.book.allowed(self._actor) if command.shortcut
        ]
        keys += [("Ctrl++", partial(step_zoom, self._settings, 1)), ("Alt+Home", partial(self.open_page, HOME))]
        bound = {sequence for sequence, _ in keys}
        keys += [
            (sequence, partial(self.open_page, page))
            for page, sequence in self._page_keys.items()
            if sequence not in bound
        ]
        for sequence, run in keys:
            if sequence:
                QShortcut(QKeySequence(sequence), self).activated.connect(run)

    # pages

    @Slot(str)
    def open_page(self, page: str, **arguments: Any) -> None:
        """Show a page, made at its first opening once its code is there; see ``Host.open_page``.

        Raises ``KeyError`` for an unknown one.
        """
        if page not in self._declared:
            self._registry.page(page)
            self._show_view(page, tr("没有权限"), "", self._view(page, ForbiddenPane))
            return
        declared = self._declared[page]
        manifest = None if page.startswith("shell.") else self._registry.page(page)[0]
        module = tr(manifest.name) if manifest else ""
        title = tr(declared.title)
        context = module if module != title else ""
        if manifest and page not in self._views and not self._registry.loaded(declared):
            self._show_view(page, title, context, self._opening)
            self._load(manifest, declared, arguments)
            return
        view = self._view(page, partial(self._make, declared))
        self._show_view(page, title, context, view)
        if arguments and (show := getattr(view, "show_arguments", None)):
            show(**arguments)

    def _load(self, manifest: Manifest, page: Page, arguments: Mapping[str, Any]) -> None:
        """Have the code of a page imported, then open it, if it is still wanted."""
        if before := self._loading:
            before.cancel()
        self._loading = self._host.run(
            "read",
            lambda token: self._registry.load(manifest, page),
            done=lambda nothing: self.open_page(page.id, **arguments) if self._current == page.id else None,
            name=tr("准备页面"),
        )

    @property
    def current(self) -> str:
        """The id of the page that is shown."""
        return self._current

    def view(self, page: str) -> QWidget | None:
        """The view of a page that was opened, or None."""
        return self._views.get(page)

    def _view(self, page: str, make: Callable[[], QWidget]) -> QWidget:
        if page not in self._views:
            view = make()
            if (lent := getattr(view, "lent", None)) is not None:
                lent.connect(self._lend)
            self._views[page] = view
            self.stack.addWidget(view)
        return self._views[page]

    def _make(self, page: Page) -> QWidget:
        if page.id == HOME:
            todos: list[Todo] = self._todos
            return HomePage(self._host, self._events, self._clock, self._actor, todos, self._places)
        if page.id == SETTINGS:
            view = SettingsPage(self._host, self._settings, self._desk)
            view.language_changed.connect(self.language_changed)
            view.password_wanted.connect(self.change_password)
            view.totp_wanted.connect(self.open_totp)
            view.sessions_wanted.connect(self.open_sessions)
            view.idle_changed.connect(self._patience_changed)
            return view
        manifest, declared = self._registry.page(page.id)
        built: QWidget | Failure = self._registry.build(manifest, declared.view)
        if isinstance(built, Failure):
            return FailurePane(
                tr(declared.title), built.reason, partial(self._copy, built.diagnostics), partial(self.open_page, HOME)
            )
        return built

    def _show_view(self, page: str, title: str, context: str, view: QWidget) -> None:
        if self._current and self._current != page:
            self._trail = [*(each for each in self._trail if each != page), self._current][-20:]
        self._current = page
        self.stack.setCurrentWidget(view)
        self.nav.mark(page)
        self.header.show_page(title, context)
        if self.drawer.isVisible():
            self.drawer.close_drawer()
        view.setFocus()

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.notices.tell(tr("诊断信息已复制，可以粘贴给系统管理员。"), state="good")

    def back(self) -> None:
        """One step back: out of the drawer, inside the page, or to the page before."""
        if self.drawer.isVisible():
            self.drawer.close_drawer()
            return
        inside = getattr(self._views.get(self._current), "back", None)
        if inside is not None and inside():
            return
        if self._trail:
            page = self._trail.pop()
            self._current = ""
            self.open_page(page)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # what no view wanted comes up to the window
        if event.key() == Qt.Key.Key_Escape:
            self.back()
        else:
            super().keyPressEvent(event)

    def _run_command(self, manifest: Manifest, spec: CommandSpec) -> None:
        result = self._registry.build(manifest, spec.handler)
        if isinstance(result, Failure):
            self.notices.tell(result.reason, state="red")

    # panels and dialogs

    def open_palette(self) -> None:
        """Ctrl+K."""
        Palette(self.book, self._actor, self._host, self._places, self).open()

    def open_sync(self) -> None:
        """What waits and what was refused."""
        self._open_panel(tr("服务器与待传"), SyncPanel(self._host, self._desk, self._clock, self._sync, self._places))

    def open_devices(self) -> None:
        """How the devices are."""
        self._open_panel(tr("设备"), DevicesPanel(list(self._devices.values()), self._clock))

    def open_notices(self) -> None:
        """All that was said."""
        self._open_panel(tr("消息"), NoticesPanel(self.notices))
        self.notice_bar.hide()
        self.notices.read_all()

    def open_help(self) -> None:
        """The keys, and what this is."""
        panel = HelpPanel(self.book.allowed(self._actor), self._about)
        panel.diagnostics.connect(self._save)
        self._open_panel(tr("帮助"), panel)

    def _open_panel(self, title: str, panel: Panel) -> None:
        self.drawer.open_with(title, panel)

    def change_password(self) -> None:
        """Ask for the old password and a new one."""
        dialog = ChangePasswordDialog(self._host, self._desk, self)
        dialog.changed.connect(self._password_changed)
        dialog.open()

    def open_totp(self) -> None:
        """Turn one-time codes on or off."""
        dialog = TotpDialog(self._host, self._desk, self)
        dialog.changed.connect(lambda said: self.notices.tell(said, state="good"))
        dialog.open()

    def open_sessions(self) -> None:
        """Where the person is signed in."""
        SessionsDialog(self._host, self._desk, self._clock, self).open()

    @Slot()
    def _password_changed(self) -> None:
        self.notices.tell(tr("密码已修改。"), state="good")

    @Slot()
    def _save(self) -> None:
        self._host.run("cpu", self._bundle, done=self._saved, name=tr("保存诊断包"))

    def _bundle(self, _token: Token) -> str:
        return self._save_bundle()

    def _saved(self, said: str) -> None:
        self.notices.tell(said, state="good")

    def _ask_out(self) -> None:
        self.sign_out_wanted.emit()

    # the lock

    def lock(self) -> None:
        """Hide everything until the person proves who they are."""
        self.lock_because(tr("已按您的要求锁定。输入的内容都还在。"))

    @Slot()
    def _lock_idle(self) -> None:
        if self._lent_at is None:
            self.lock_because(tr("一段时间无人操作，已自动锁定。输入的内容都还在。"))

    @Slot(bool)
    def _lend(self, lent: bool) -> None:
        """A page stands before the public, or came back: nobody locks it there, but who takes it back is asked."""
        if lent:
            self._lent_at = self._clock.monotonic()
        elif self._lent_at is not None:
            away, self._lent_at = self._clock.monotonic() - self._lent_at, None
            self.idle.touch()
            if away >= self._settings.get(IDLE_MINUTES) * 60:
                self.lock_because(tr("这个界面交给群众用过一段时间，请先输入密码。"))

    @property
    def locked(self) -> LockScreen | None:
        """The lock, while it is on."""
        return self._lock

    def lock_because(self, reason: str) -> None:
        """Lock, and say why; a lock that is on stays."""
        if self._lock is not None:
            return
        self.idle.stop()
        self._lock = LockScreen(self._host, self._desk, self, reason)
        self._lock.unlocked.connect(self._unlocked)
        self._lock.switch.connect(self.sign_out_wanted)
        self._lock.open()

    @Slot()
    def _unlocked(self) -> None:
        self._lock = None
        self.idle.start()

    # what happens

    def _sync_changed(self, event: SyncChanged) -> None:
        self._sync = event
        self.status.show_sync(event)
        if isinstance(pane := self.drawer.pane(), SyncPanel):
            pane.refresh(event)

    def _device_changed(self, event: DeviceChanged) -> None:
        status: DeviceStatus = event.status
        self._devices[status.device] = status
        self.status.show_device(status)
        if isinstance(pane := self.drawer.pane(), DevicesPanel):
            pane.refresh(list(self._devices.values()))

    def show_devices(self, statuses: Mapping[str, DeviceStatus]) -> None:
        """What is known of the devices already."""
        for status in statuses.values():
            self._device_changed(DeviceChanged(status))

    def _records_changed(self, event: RecordsChanged) -> None:
        if any(event.touches(todo.kind) for todo in self._todos):
            self._count()

    def _count(self) -> None:
        """How much waits at each page of the navigation."""
        for page in {todo.page for todo in self._todos}:
            if before := self._counts.get(page):
                before.cancel()
            # what is overdue stands among the others already
            todos = tuple(todo for todo in self._todos if todo.page == page and not todo.overdue)
            self._counts[page] = self._host.run(
                "read", partial(self._waiting, todos), done=partial(self._counted, page), name=tr("待办计数")
            )

    def _waiting(self, todos: tuple[Todo, ...], _token: Token) -> int:
        return sum(waiting(self._host, todo) for todo in todos)

    def _counted(self, page: str, count: int) -> None:
        if button := self.nav.buttons.get(page):
            button.show_count(count)

    def tell(self, error: GovDeskError) -> None:
        """An error that nobody waited for, as a notice."""
        self.notices.tell(error.words(), state="red", code=error.code)

    @Slot()
    def _tick(self) -> None:
        self.status.show_time(f"{self._clock.now().astimezone(CHINA):%H:%M}")

    @Slot(int)
    def _patience_changed(self, minutes: int) -> None:
        self.idle.set_seconds(minutes * 60)

    # the window itself

    @Slot(bool)
    def _folded(self, folded: bool) -> None:
        self._settings.remember(FOLDED, folded)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        narrow = self.width() < theme().text_width(NARROW)
        self.nav.set_folded(narrow or bool(self._settings.recall(FOLDED)))
        self.header.shorten(narrow)

    def _place_window(self) -> None:
        theme().changed.connect(self._refit)
        kept = self._settings.recall(WINDOW)
        if not (isinstance(kept, str) and self.restoreGeometry(QByteArray.fromBase64(kept.encode()))):
            screen = QGuiApplication.primaryScreen().availableGeometry()
            self.resize(min(theme().text_width(92), screen.width()), min(theme().text_width(58), screen.height()))

    @Slot()
    def _refit(self) -> None:
        self.resizeEvent(QResizeEvent(self.size(), self.size()))

    def end_session(self) -> None:
        """Close every page and forget what was shown; called once, before the window goes."""
        self._lent_at = None
        self._settings.remember(WINDOW, bytes(self.saveGeometry().toBase64().data()).decode())
        self.idle.stop()
        self._ticks.stop()
        for end in self._ends:
            end()
        for token in (*self._counts.values(), *([self._loading] if self._loading else [])):
            token.cancel()
        if self.drawer.isVisible():
            self.drawer.close_drawer()
        self.stack.removeWidget(self._opening)
        for view in self._views.values():
            view.close()
            self.stack.removeWidget(view)
            view.deleteLater()
        self._views.clear()
        self._lock = None
        for dialog in self.findChildren(QDialog):
            dialog.done(QDialog.DialogCode.Rejected)
        self.setWindowTitle(tr("政务桌面"))

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._views:
            self.end_session()
        super().closeEvent(event)
        self.closed.emit()
