"""Tells when the computer's own session is locked or goes to sleep: then this window locks, too.

Linux: logind's ``Lock`` and ``PrepareForSleep`` on the system bus, a screensaver's ``ActiveChanged`` on the session's.
Windows: ``WM_WTSSESSION_CHANGE`` (written after the documentation, not yet tried).
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractNativeEventFilter, QCoreApplication, QObject, Qt, Signal

if TYPE_CHECKING:
    from jeepney.io.blocking import DBusConnection

log = logging.getLogger(__name__)

LOGIND = "org.freedesktop.login1"
# of whichever session: another one's at the same computer locks once too often, never too seldom
SYSTEM_SIGNALS = (
    (LOGIND, f"{LOGIND}.Session", "Lock"),
    (LOGIND, f"{LOGIND}.Manager", "PrepareForSleep"),
)
SESSION_SIGNALS = (
    ("org.freedesktop.ScreenSaver", "org.freedesktop.ScreenSaver", "ActiveChanged"),
    ("org.gnome.ScreenSaver", "org.gnome.ScreenSaver", "ActiveChanged"),
)
JOIN_SECONDS = 2.0
WM_WTSSESSION_CHANGE = 0x02B1
WTS_SESSION_LOCK = 0x7


class SystemLock(QObject):
    """``locked`` whenever the system says so, from ``start`` to ``stop``. Where nothing can be heard nothing is told.

    Each bus has a thread of its own: Qt's D-Bus calls back into Python while the window waits for it, and both hang.
    ``system`` and ``session`` are the addresses of the buses.
    """

    locked = Signal()
    _heard = Signal()

    def __init__(self, parent: QObject | None = None, *, system: str = "SYSTEM", session: str = "SESSION") -> None:
        super().__init__(parent)
        self._buses = ((system, SYSTEM_SIGNALS), (session, SESSION_SIGNALS))
        self._ears: list[_Ear] = []
        self._ends: list[Callable[[], None]] = []
        self._heard.connect(self.locked, Qt.ConnectionType.QueuedConnection)

    def start(self, window: int) -> None:
        """Listen; ``window`` is the native handle of the main window."""
        if sys.platform == "win32":
            try:
                self._listen_windows(window)
            except (OSError, AttributeError) as error:
                log.warning("the system's lock cannot be heard: %s", error)
        elif sys.platform == "linux":
            self._ears = [_Ear(address, signals, self._heard.emit) for address, signals in self._buses]

    @property
    def listening(self) -> int:
        """How many buses are heard by now."""
        return sum(ear.ready.is_set() for ear in self._ears)

    def stop(self) -> None:
        """Listen no more."""
        for ear in self._ears:
            ear.close()
        for end in self._ends:
            end()
        self._ears, self._ends = [], []

    # -- Windows

    def _listen_windows(self, window: int) -> None:
        import ctypes

        library = getattr(ctypes, "WinDLL")("wtsapi32")  # noqa: B009 - mypy knows it on Windows alone
        if not library.WTSRegisterSessionNotification(ctypes.c_void_p(window), 0):
            return
        listener = _WindowsListener(self.locked.emit)
        app = QCoreApplication.instance()
        assert app is not None
        app.installNativeEventFilter(listener)

        def end() -> None:
            app.removeNativeEventFilter(listener)
            library.WTSUnRegisterSessionNotification(ctypes.c_void_p(window))

        self._ends.append(end)


class _Ear:
    """A thread that hears some signals on one bus, and says each that means a lock."""

    def __init__(self, address: str, signals: tuple[tuple[str, str, str], ...], told: Callable[[], None]) -> None:
        self.ready = threading.Event()
        self._address = address
        self._signals = signals
        self._told = told
        self._closed = threading.Event()
        self._connection: DBusConnection | None = None
        self._thread = threading.Thread(target=self._run, name="system-lock", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear no more."""
        self._closed.set()
        if self._connection is not None:
            try:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("the bus has gone already")
        self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        try:
            self._listen()
        except Exception as error:  # noqa: BLE001 - a bus that is not there, or not any more, is no matter for the window
            if not self._closed.is_set():
                log.info("the system's lock is not heard on %s: %s", self._address, type(error).__name__)

    def _listen(self) -> None:
        from jeepney import HeaderFields, MatchRule, MessageType
        from jeepney.bus_messages import message_bus
        from jeepney.io.blocking import open_dbus_connection

        with open_dbus_connection(self._address) as connection:
            self._connection = connection
            for sender, interface, member in self._signals:
                rule = MatchRule(type="signal", sender=sender, interface=interface, member=member)
                connection.send_and_get_reply(message_bus.AddMatch(rule), timeout=5)
            self.ready.set()
            wanted = {(interface, member) for _, interface, member in self._signals}
            while not self._closed.is_set():
                message = connection.receive()
                fields = message.header.fields
                named = (fields.get(HeaderFields.interface), fields.get(HeaderFields.member))
                # without an argument it is a lock; with one it says whether it begins
                if message.header.message_type is MessageType.signal and named in wanted and message.body != (False,):
                    self._told()


class _WindowsListener(QAbstractNativeEventFilter):
    """Hears ``WM_WTSSESSION_CHANGE`` among the messages to this program's windows."""

    def __init__(self, locked: Callable[[], None]) -> None:
        super().__init__()
        self._locked = locked

    def nativeEventFilter(self, kind: Any, message: Any) -> Any:
        if bytes(kind) == b"windows_generic_MSG":
            import ctypes.wintypes

            told = ctypes.wintypes.MSG.from_address(int(message))
            if told.message == WM_WTSSESSION_CHANGE and told.wParam == WTS_SESSION_LOCK:
                self._locked()
        return False, 0
