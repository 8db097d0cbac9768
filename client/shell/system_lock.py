"""Tells when the computer's own session is locked or goes to sleep: then this window locks, too.

Linux: logind's ``Lock`` and ``PrepareForSleep`` on the system bus, a screensaver's ``ActiveChanged`` on the session's.
Windows: ``WM_WTSSESSION_CHANGE`` (written after the documentation, not yet tried).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import SLOT, QAbstractNativeEventFilter, QCoreApplication, QObject, Signal, Slot

log = logging.getLogger(__name__)

LOGIND = "org.freedesktop.login1"
_MANAGER = "/org/freedesktop/login1"
SCREENSAVERS = (
    ("org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver"),
    ("org.freedesktop.ScreenSaver", "/ScreenSaver"),
    ("org.gnome.ScreenSaver", "/org/gnome/ScreenSaver"),
)
WM_WTSSESSION_CHANGE = 0x02B1
WTS_SESSION_LOCK = 0x7


class SystemLock(QObject):
    """``locked`` whenever the system says so, from ``start`` to ``stop``. Where nothing can be heard nothing is told.

    ``system`` and ``session`` are the addresses of other buses than the usual ones, for tests.
    """

    locked = Signal()

    def __init__(self, parent: QObject | None = None, *, system: str = "", session: str = "") -> None:
        super().__init__(parent)
        self._addresses = (system, session)
        self._ends: list[Callable[[], None]] = []

    def start(self, window: int) -> bool:
        """Listen; ``window`` is the native handle of the main window. Whether there is anything to be heard."""
        try:
            if sys.platform == "win32":
                self._listen_windows(window)
            elif sys.platform == "linux":
                self._listen_linux()
        except (OSError, AttributeError, RuntimeError) as error:
            log.warning("the system's lock cannot be heard: %s", error)
        return bool(self._ends)

    def stop(self) -> None:
        """Listen no more."""
        for end in self._ends:
            end()
        self._ends.clear()

    # -- Linux

    def _listen_linux(self) -> None:
        # only now: the window has to be there first
        from PySide6.QtDBus import QDBusConnection

        buses = []
        for address, usual in zip(
            self._addresses, (QDBusConnection.systemBus, QDBusConnection.sessionBus), strict=True
        ):
            name = f"{id(self)} {address}"
            found = QDBusConnection.connectToBus(address, name) if address else usual()
            buses.append(found)
            if address and found.isConnected():
                self._ends.append(partial(QDBusConnection.disconnectFromBus, name))
            elif address:
                QDBusConnection.disconnectFromBus(name)
        heard: list[tuple[Any, tuple[str, str, str, str], str]] = []
        if buses[0].isConnected():
            # of whichever session: another one's at the same computer locks once too often, never too seldom
            heard.append((buses[0], (LOGIND, "", f"{LOGIND}.Session", "Lock"), "_lock()"))
            heard.append((buses[0], (LOGIND, _MANAGER, f"{LOGIND}.Manager", "PrepareForSleep"), "_sleep(bool)"))
        if buses[1].isConnected():
            heard += [
                (buses[1], (service, path, service, "ActiveChanged"), "_sleep(bool)") for service, path in SCREENSAVERS
            ]
        for bus, signal, slot in heard:
            if bus.connect(*signal, self, SLOT(slot)):
                self._ends.insert(0, partial(bus.disconnect, *signal, self, SLOT(slot)))

    @Slot()
    def _lock(self) -> None:
        self.locked.emit()

    @Slot(bool)
    def _sleep(self, begins: bool) -> None:
        if begins:
            self.locked.emit()

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
