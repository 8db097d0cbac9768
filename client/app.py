"""The one place where everything is put together: profile, lanes, accounts, devices, synchronisation, windows."""

from __future__ import annotations

import argparse
import json
import linecache
import logging
import os
import random
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QMessageBox

from client.adapters import (
    MESSAGES,
    AccountsDoor,
    AppHost,
    OutboxGateway,
    SendingCommands,
    SessionDesk,
    Tokens,
    on_data_lane,
    use_server,
)
from client.data.profile import Profile
from client.kernel import ports
from client.kernel.contract import Token
from client.kernel.events import DeviceChanged, Events, RecordsChanged, SignedIn, SignedOut, SyncChanged
from client.kernel.logs import Logs
from client.kernel.policy import Policy, installed, read_policy
from client.kernel.settings import Settings
from client.shell.crash import CrashGuard
from client.shell.handover import Receiver, hand_over
from client.shell.look import apply_look
from client.shell.ports import Entry
from client.shell.preferences import LANGUAGE, PRINTER, SPECS
from client.shell.sign_in import SignInWindow
from client.tasks.lanes import ThreadLanes
from client.widgets.gui_thread import GuiThread
from client.widgets.notices import NoticeModel
from client.widgets.privacy import CAN_REFUSE_CAPTURE, CaptureGuard, ClipboardGuard, refuse_capture
from client.widgets.theme import Theme
from devices.manager import DeviceManager
from devices.ports import (
    Camera,
    Devices,
    DeviceStatus,
    Evaluator,
    IdCardReader,
    TicketPrinter,
    TokenReader,
    WindowScreen,
)
from modules.common.clock import Clock, SystemClock
from modules.common.errors import GovDeskError
from modules.common.manifest import load_all
from modules.common.text import aside, set_language, together, tr
from modules.common.version import VERSION
from sync.accounts import Accounts, person_wanted

if TYPE_CHECKING:
    from client.data.store import Store
    from client.driver.server import DriverServer

log = logging.getLogger("client.app")
CHECK_SYNC_MS = 5_000
HOURLY_MS = 3_600_000
"""How often the server is asked for its next key, the device's certificate looked at, and the print folder."""
DESK = (
    "client.data.blobs",
    "client.kernel.registry",
    "client.shell.guards",
    "client.shell.main_window",
    "client.widgets.printing",
    "sync.engine",
    "sync.loop",
    "sync.nudges",
    "sync.pages",
    "sync.transport",
    "sync.uploads",
)
PRELOAD_AFTER_MS = 1_000
READER = "fixed_layout.reader"
"""The page that opens files."""
IN_USE = "DATA-002"
"""The code of a profile that a running program holds."""
PERSON_WANTED = ("AUTH-032", "AUTH-047")
"""What the server, or nobody, says when only the person could sign in again."""
HELD = 70
"""Exit status when a job would not end and the process was ended over it."""


def default_profile() -> Path:
    """Where a person's profile goes unless they say otherwise."""
    if sys.platform == "win32":
        return Path(os.environ["LOCALAPPDATA"]) / "GovDesk" / "profile"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "govdesk" / "profile"


def main(options: argparse.Namespace) -> int:
    """Show the window until it is closed; returns the exit status."""
    pipe = None
    if options.driver:
        from client.driver.server import take_pipe

        pipe = take_pipe()
    app = QApplication(sys.argv[:1])
    app.setApplicationName("govdesk")
    app.setQuitOnLastWindowClosed(False)
    Theme(app).apply()
    folder = options.profile or default_profile()
    try:
        profile = Profile(folder)
    except GovDeskError as error:
        if error.code == IN_USE and options.files and hand_over(folder, options.files):
            return 0
        return _refuse_to_start(error, pipe is not None)
    suite = Application(app, profile, options)
    driver = None
    if pipe is not None:
        from client.driver.server import DriverServer

        driver = DriverServer(*pipe, app)
        driver.start()
    suite.show_sign_in()
    if options.measure:
        Measure(suite, options.measure)
    status = _watched(app, options.stalls, driver) if options.stalls else app.exec()
    held = suite.close()
    if held:
        log.error("ended over jobs that hold on: %s", ", ".join(held))
        logging.shutdown()
        os._exit(HELD)
    return status


def _watched(app: QApplication, report: Path, driver: DriverServer | None) -> int:
    """Run the event loop and write down what held it up; the driver's own looking about is none of the program's."""
    from client.driver.stalls import StallWatch

    watch = StallWatch(excused=lambda: driver.spent if driver is not None else 0.0)
    watch.start()
    status = app.exec()
    watch.stop()
    watch.write(report)
    return status


def _refuse_to_start(error: GovDeskError, driven: bool) -> int:
    """Say in words why there will be no window."""
    sys.stderr.write(error.sentence() + "\n")
    if not driven and QApplication.platformName() not in ("offscreen", "minimal"):
        QMessageBox.critical(None, tr("政务桌面"), error.sentence())
    return 2


class Application(QObject):
    """Everything that lives as long as the program; sign-in and session come and go inside."""

    def __init__(self, app: QApplication, profile: Profile, options: argparse.Namespace) -> None:
        super().__init__(app)
        self._app = app
        self.profile = profile
        self.clock: Clock = SystemClock()
        self.logs = Logs(profile.logs)
        self.settings = Settings(profile.settings, SPECS)
        self._setting_changed("")
        self.settings.watch(self._setting_changed)
        self.policy, wrong = read_policy(installed())
        self.gui = GuiThread()
        self.events = Events()
        self.notices = NoticeModel(self.clock)
        self.lanes = ThreadLanes(self.gui.post, self._unhandled)
        self.settings.save_on = self._save_settings
        self.crash = CrashGuard(self._tell, self._save_bundle, self._app.quit)
        self.clipboard = ClipboardGuard(self.policy, partial(self.notices.tell, state="due"), self)
        if self.policy.refuse_capture and CAN_REFUSE_CAPTURE:
            CaptureGuard(refuse_capture, self)
        self.manifests, faults = load_all()
        for fault in [wrong, *faults] if wrong else faults:
            self._tell(fault)
        use_server(profile, options.server)
        self.accounts = Accounts(
            profile,
            self.clock,
            open_store=self._open_store,
            offline_without_code=self.policy.offline_without_code,
        )
        bindings = self._bindings(options)
        self.tokens = Tokens(str(bindings.pop("token", {}).get("library", "")))
        self.door = AccountsDoor(
            self.accounts,
            profile,
            self.settings,
            url=options.server,
            keyring=not options.no_keyring,
            prepare=_load_desk,
            tokens=self.tokens,
            open_url=self.open_url,
        )
        self._enrol(options.server, options.enrol)
        self.devices = DeviceManager(bindings, clock=self.clock)
        self.devices.listen(self._device_changed)
        self.entrance: SignInWindow | None = None
        self.session: OpenDesk | None = None
        self._files: list[Path] = list(options.files)
        self.receiver = Receiver(profile.path, self.open_file, self)
        QTimer.singleShot(PRELOAD_AFTER_MS, self.receiver, self.receiver.listen)

    def open_file(self, path: Path) -> None:
        """Show a document in the reader, once somebody has signed in."""
        self._files.append(path)
        self._open_files()

    def _open_files(self) -> None:
        window = self.session.window if self.session is not None else self.entrance
        if window is not None:
            window.raise_()
            window.activateWindow()
        if self.session is not None:
            files, self._files = self._files, []
            for path in files:
                self.session.host.open_page(READER, path=path)

    def _bindings(self, options: argparse.Namespace) -> dict[str, Mapping[str, Any]]:
        """The devices of this place; a file of bindings that is none is told, and the window works without."""
        try:
            return _bindings(options)
        except GovDeskError as error:
            self._tell(error)
            return {}

    def open_url(self, url: str) -> None:
        """Show an address in the person's browser; from any thread."""
        self.gui.post(lambda: self._open_url(url))

    def _open_url(self, url: str) -> None:
        QDesktopServices.openUrl(QUrl(url))

    def _enrol(self, url: str, code: str) -> None:
        """Enrol with the code of the command line; what goes wrong is told, and the window asks for another."""
        if not code or self.profile.device() is not None:
            return
        try:
            self.door.enrol(url, code)
        except GovDeskError as error:
            log.warning("enrolment failed: %s", error.code)
            self._tell(error)

    def _open_store(self, profile: Profile, key: bytes, clock: Clock) -> Store:
        from client.data.store import Store

        store = Store.open(profile.database, key, clock)
        store.keep_pages = timedelta(days=self.policy.keep_pages_days)
        return store

    # -- windows ----------------------------------------------------------------------------------

    def show_sign_in(self) -> None:
        """The first window, and the one between two people."""
        self.entrance = SignInWindow(self.door, self.lanes, self.settings, self.clock)
        self.entrance.signed_in.connect(self._signed_in)
        self.entrance.language_changed.connect(self._entrance_again)
        self.entrance.closed.connect(self._app.quit)
        self.entrance.show()

    @Slot()
    def _entrance_again(self) -> None:
        self._leave_entrance()
        self.show_sign_in()

    def _leave_entrance(self) -> None:
        if self.entrance is not None:
            self.entrance.closed.disconnect(self._app.quit)
            self.entrance.close()
            self.entrance.deleteLater()
            self.entrance = None

    @Slot(object)
    def _signed_in(self, entry: Entry) -> None:
        self.session = OpenDesk(self)
        self._leave_entrance()
        self.session.window.show()
        # PySide keeps the source of every module imported after it (8 MiB)
        linecache.clearcache()
        self.events.publish(SignedIn(entry.name, entry.offline))
        if self._files:
            self._open_files()
        if entry.offline and entry.until is not None:
            until = entry.until.astimezone().strftime("%m-%d %H:%M")
            self.notices.tell(
                tr("连不上服务器，您已离线登录，有效期到 {until}。办的件先存在本机，联网后自动送达。", until=until),
                state="due",
            )
        if (trouble := self.accounts.credential.trouble) is not None:
            self._tell(trouble)
        self.devices.start()

    def leave_session(self) -> None:
        """Close the session's window and let somebody else in."""
        if self.session is None:
            return
        session, self.session = self.session, None
        session.window.closed.disconnect(self._app.quit)
        session.end()
        self.lanes.run("net", lambda token: session.hang_up(), done=self._left, name=tr("退出登录"))

    def _left(self, _nothing: None) -> None:
        self.events.publish(SignedOut())
        self.show_sign_in()

    def rebuild_session(self) -> None:
        """The same session in another language."""
        if self.session is not None:
            self.session.rebuild_window()

    def close(self) -> list[str]:
        """End everything, within some seconds; returns the names of jobs that hold on."""
        if self.session is not None:
            self.session.end()
            self.session.hang_up()
        self.receiver.close()
        self.crash.release()
        self.devices.close()
        self.tokens.close()
        held = self.lanes.close()
        self.accounts.close()
        self.settings.flush()
        self.profile.close()
        self.logs.close()
        return held

    # -- what happens -----------------------------------------------------------------------------

    def _setting_changed(self, key: str) -> None:
        if key in ("", LANGUAGE.key):
            set_language(self.settings.get(LANGUAGE))
        if not key:
            apply_look(self.settings)

    def _save_settings(self, save: Callable[[], None]) -> None:
        self.lanes.run("cpu", lambda token: save(), name=tr("保存设置"))

    def _device_changed(self, status: DeviceStatus) -> None:
        self.gui.post(partial(self.events.publish, DeviceChanged(status)))

    def _unhandled(self, name: str, error: BaseException) -> None:
        """Work failed and nobody waited for it: words become a notice, the unforeseen the crash dialog."""
        if isinstance(error, GovDeskError):
            log.warning("%s: %s", name, error.code)
            self._tell(error)
        else:
            raise error

    def _tell(self, error: GovDeskError) -> None:
        self.notices.tell(error.sentence(), state="red", code=error.code)

    def bundle(self, target: Path) -> Path:
        """Write the redacted diagnostic bundle."""
        from client.kernel.diagnostics import write_bundle

        facts = {f"device {status.device}": f"{status.state} {status.code}" for status in self.devices.statuses()}
        failures = self.session.registry.failures if self.session else ()
        return write_bundle(
            target,
            settings=self.settings,
            logs=self.profile.logs,
            manifests=self.manifests,
            failures=failures,
            facts={"version": VERSION, **facts},
        )

    def _save_bundle(self) -> str:
        if not self.policy.save_diagnostics:
            return tr("按本机的个人信息保护规定，不能保存诊断包。")
        stamp = self.clock.now().strftime("%Y%m%d-%H%M%S")
        target = self.profile.path / f"govdesk-diagnostics-{stamp}.zip"
        try:
            self.bundle(target)
        except OSError as error:
            return tr("诊断包没有存成：{reason}(UI-501)", reason=error.strerror or str(error))
        return tr("诊断包已存为 {path}，其中没有个人信息。", path=target)


def _load_desk() -> None:
    """Import what ``OpenDesk`` is made of, on the lane that signs in: the window has to answer meanwhile."""
    for name in DESK:
        import_module(name)


class OpenDesk(QObject):
    """One person's session: store, synchronisation, modules, window."""

    def __init__(self, suite: Application) -> None:
        super().__init__(suite)
        from client.data.blobs import Blobs
        from client.kernel.registry import Registry
        from client.shell.guards import Guards
        from client.widgets.printing import PdfPrinter
        from sync.engine import SyncEngine
        from sync.loop import SyncLoop
        from sync.nudges import NudgeListener
        from sync.pages import PagePump
        from sync.transport import HttpTransport, SignedServer
        from sync.uploads import Uploads

        opened = suite.accounts.session
        assert opened is not None
        store = opened.store
        self._suite = suite
        self._renewing: Token | None = None
        self._ended = False
        self._person_wanted = False
        self.store = store
        store.on_changed = self._records_changed
        transport = suite.accounts.transport
        assert isinstance(transport, HttpTransport)
        engine = SyncEngine(store, suite.clock, random.Random())  # noqa: S311 - jitter
        on_data = on_data_lane(suite.lanes)
        self.loop = SyncLoop(engine, transport, on_data, on_status=self._sync_told, clock=suite.clock)
        uploads = Uploads(transport, lambda: store.statement)
        blobs = Blobs(store, uploads.fetch, lambda: self.pages.poke(), on_data)
        self.pages = PagePump(
            blobs,
            uploads,
            on_data,
            may_send=lambda: bool(store.statement),
            busy=lambda: self.loop.status.waiting > 0,
            sent=lambda: self.loop.poke() if self.loop.status.deferred else None,
        )
        self.nudges = NudgeListener(
            lambda: transport.listen(store.statement), self.loop, may_listen=lambda: bool(store.statement)
        )
        self.printer = PdfPrinter(lambda: suite.settings.get(PRINTER), suite.profile.prints)
        services: dict[Any, Any] = {
            ports.Records: store,
            ports.Commands: SendingCommands(store, self.loop.poke),
            ports.Blobs: blobs,
            ports.Drafts: store.drafts,
            ports.Prints: store.prints,
            ports.Tray: store,
            ports.Session: suite.accounts,
            ports.MessageGateway: OutboxGateway(suite.profile.path / MESSAGES, suite.clock),
            ports.Printer: self.printer,
            ports.Server: SignedServer(transport, lambda: store.statement),
            Clock: suite.clock,
            Events: suite.events,
            Settings: suite.settings,
            Policy: suite.policy,
            Devices: suite.devices,
            IdCardReader: Lazy(suite.devices.id_card),
            Camera: Lazy(suite.devices.camera),
            TicketPrinter: Lazy(suite.devices.ticket_printer),
            Evaluator: Lazy(suite.devices.evaluator),
            WindowScreen: Lazy(suite.devices.window_screen),
            TokenReader: suite.tokens,
        }
        self.host = AppHost(suite.lanes, suite.notices, services)
        self.registry = Registry(suite.manifests, self.host)
        self.desk = SessionDesk(suite.accounts, store, self.loop, self.pages, suite.tokens, suite.open_url)
        self.window = self._make_window()
        self._told: SyncChanged | None = None
        self._watch = QTimer(self)
        self._watch.setInterval(CHECK_SYNC_MS)
        self._watch.timeout.connect(self._check_sync)
        self._watch.start()
        self._hourly = QTimer(self)
        self._hourly.setInterval(HOURLY_MS)
        self._hourly.timeout.connect(self._keep_known)
        self._hourly.timeout.connect(self._purge_prints)
        self._hourly.start()
        QTimer.singleShot(PRELOAD_AFTER_MS, self, self._preload)
        self.guards = Guards(self.host, self.desk, self._lock, self)
        QTimer.singleShot(PRELOAD_AFTER_MS, self, self._guard)
        QTimer.singleShot(PRELOAD_AFTER_MS, self, self._purge_prints)
        self._keeping = QTimer(self)
        self._keeping.setSingleShot(True)
        self._keeping.timeout.connect(self._keep_words)
        self._words_kept = False
        self._keeping.start(PRELOAD_AFTER_MS)
        self.loop.start()
        self.pages.start()
        self.nudges.start()

    @Slot()
    def _preload(self) -> None:
        """The home page is there: what the other pages need is imported before they are asked for."""
        work = partial(self.registry.preload, self._suite.accounts.actor.may)
        self._suite.lanes.run("cpu", work, done=lambda nothing: linecache.clearcache(), name=tr("准备页面"))

    @Slot()
    def _guard(self) -> None:
        if not self._ended:  # whoever signed out at once takes the window along
            self.guards.start(int(self.window.winId()))

    def _lock(self, reason: str) -> None:
        self.window.lock_because(reason)

    @Slot()
    def _keep_words(self) -> None:
        """The upkeep of the index of words: a little at a time, so that nothing else on the lane waits long."""
        work = self.store.words.step
        self._suite.lanes.run("data", lambda token: work(), done=self._kept_words, name=tr("整理查找索引"))

    def _kept_words(self, finished: bool) -> None:
        self._words_kept = finished
        if not finished and not self._ended:
            self._keeping.start(0)

    @Slot()
    def _purge_prints(self) -> None:
        """Papers that have lain in the print folder for longer than the policy lets them."""
        cutoff = self._suite.clock.now() - timedelta(days=self._suite.policy.keep_prints_days)
        self._suite.lanes.run("cpu", lambda token: self.printer.drop_older(cutoff), name=tr("清理打印文件夹"))

    def _make_window(self) -> Any:
        from client.shell.main_window import MainWindow

        suite = self._suite
        about = f"GovDesk 政务桌面 {VERSION}"
        window = MainWindow(
            self.host, self.desk, self.registry, suite.notices, about=about, save_bundle=suite._save_bundle
        )
        window.show_devices({status.device: status for status in suite.devices.statuses()})
        window.sign_out_wanted.connect(suite.leave_session)
        window.language_changed.connect(suite.rebuild_session)
        window.closed.connect(suite._app.quit)
        self.host.show_page = window.open_page
        return window

    def rebuild_window(self) -> None:
        """Build the window anew, as after a change of language."""
        old = self.window
        old.closed.disconnect(self._suite._app.quit)
        self.registry.stop()
        self.window = self._make_window()
        self.window.open_page(old.current)
        self._told = None
        self._check_sync()
        self.window.show()
        old.close()
        old.deleteLater()

    def end(self) -> None:
        """Close the window and stop the modules."""
        self._watch.stop()
        self._suite.clipboard.forget()
        self._hourly.stop()
        self.guards.stop()
        self._keeping.stop()
        self._ended = True
        self.window.close()
        self.registry.stop()
        self.window.deleteLater()

    def hang_up(self) -> None:
        """Stop the synchronisation and sign out; off the GUI thread, or at the very end."""
        self.nudges.stop()
        self.loop.stop()
        self.pages.stop()
        # what was typed and given last is written before the store closes
        self._suite.lanes.settle("data")
        self._suite.accounts.sign_out()
        self._suite.tokens.release()

    def _records_changed(self, keys: frozenset[tuple[str, str]]) -> None:
        self._suite.gui.post(partial(self._suite.events.publish, RecordsChanged(keys)))

    def _sync_told(self, _status: Any) -> None:
        self._suite.gui.post(self._check_sync)

    @Slot()
    def _check_sync(self) -> None:
        """Tell what the synchronisation says of itself; a step that hangs can't tell, so it is asked, too."""
        status = self.loop.status
        reason = together(status.words, aside(status.reason)) if status.reason else ""
        changed = SyncChanged(status.state, status.waiting, status.refused, reason, status.since)
        if changed != self._told:
            self._told = changed
            self.pages.poke()
            if status.state == "online":
                self.nudges.poke()
            self._suite.events.publish(changed)
        if status.state == "online":
            self._renew()
        if self._words_kept and self.store.searchable() < 1:
            # a long feed has come meanwhile, and its words wait
            self._words_kept = False
            self._keeping.start(0)

    def _renew(self) -> None:
        """The statement grows old, or the server is back for someone who signed in without it."""
        opened = self._suite.accounts.session
        if opened is None or not self._suite.accounts.renewal_due:
            return
        if self._person_wanted or (self._renewing is not None and not self._renewing.finished):
            return
        self._renewing = self._suite.lanes.run(
            "net", lambda token: self._suite.accounts.renew(), failed=self._not_renewed, name=tr("联网登录")
        )

    @Slot()
    def _keep_known(self) -> None:
        if self.loop.status.state == "online":
            self._suite.lanes.run(
                "net",
                lambda token: self._suite.accounts.keep_known(),
                failed=self._not_kept_known,
                name=tr("更新设备证书"),
            )

    def _not_kept_known(self, error: BaseException) -> None:
        if not isinstance(error, GovDeskError):
            raise error
        log.warning("the device's certificate was not looked after: %s", error.code)

    def _not_renewed(self, error: BaseException) -> None:
        if not isinstance(error, GovDeskError):
            raise error
        if not error.code.startswith("AUTH-"):
            return
        self._suite._tell(person_wanted() if error.code in PERSON_WANTED else error)
        if error.code in PERSON_WANTED:
            self._person_wanted = True  # told once: work goes on, and what is given is sent
        else:
            self._suite.leave_session()


class Lazy:
    """A device's port before anybody knows whether one is bound; where none is, each use says so."""

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **named: getattr(self._find(), name)(*arguments, **named)


def _bindings(options: argparse.Namespace) -> dict[str, Mapping[str, Any]]:
    """The devices of this place: those of the file, and the reader of the command line in its place.

    Raises ``GovDeskError`` DEV-010 for a file that is none.
    """
    bindings: dict[str, Mapping[str, Any]] = {}
    if options.devices is not None:
        try:
            bindings.update(json.loads(options.devices.read_text("utf-8")))
            DeviceManager({kind: binding for kind, binding in bindings.items() if kind != "token"})
        except (OSError, TypeError, ValueError) as error:
            raise GovDeskError(
                "DEV-010",
                tr("设备绑定文件 {path} 不能用：{why}", path=options.devices, why=error),
                fix=tr("请系统管理员检查这个文件；没有它也可以办件，只是没有外接设备。"),
            ) from error
    if options.read_serial:
        bindings["id_card"] = {"driver": "sdt", "port": options.read_serial, "simulated": options.simulated}
    return bindings


class Measure(QObject):
    """``--measure``: once the sign-in window, or the home page, is painted, say what it needed, and end.

    For ``home`` one line of JSON ``{"login", "password"}`` is read from stdin.
    """

    def __init__(self, suite: Application, until: str) -> None:
        super().__init__(suite)
        self._suite = suite
        self._until = until
        assert suite.entrance is not None
        suite.entrance.grab()
        QTimer.singleShot(0, self, self._painted)

    @Slot()
    def _painted(self) -> None:
        if self._until == "sign-in":
            self._say()
            return
        person = json.loads(sys.stdin.readline())
        self._suite.events.subscribe(SignedIn, self._at_home)
        assert self._suite.entrance is not None
        self._suite.entrance.demo.chosen.emit(person["login"], person["password"])

    def _at_home(self, _event: SignedIn) -> None:
        assert self._suite.session is not None
        self._suite.session.window.grab()
        # usable: what the page asked the store for has come, behind this question on the same lane
        self._suite.lanes.run("read", lambda token: None, done=lambda nothing: self._say())

    def _say(self) -> None:
        said = {"cpu_ms": time.process_time() * 1000, "rss_mib": _resident_mib(), "modules": sorted(sys.modules)}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
        self._suite._app.quit()


def _resident_mib() -> float:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0.0
    return int(statm.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
