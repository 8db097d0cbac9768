"""What keeps personal data from leaving by the clipboard and by pictures of the screen, as the policy says."""

from __future__ import annotations

import sys
from collections.abc import Callable

from PySide6.QtCore import QMimeData, QObject, QTimer, Slot
from PySide6.QtGui import QClipboard, QGuiApplication, QWindow

from client.kernel.logs import mask
from client.kernel.policy import Policy
from modules.common.text import tr

CAN_REFUSE_CAPTURE = sys.platform == "win32"
"""X11 and Wayland have no way for a window to keep out of a picture of the screen."""
_EXCLUDE_FROM_CAPTURE = 0x11  # WDA_EXCLUDEFROMCAPTURE, Windows 10 2004; older ones show a black window
_HINTS = {
    "x-kde-passwordManagerHint": b"secret",
    "ExcludeClipboardContentFromMonitorProcessing": b"1",
    "CanIncludeInClipboardHistory": b"\0\0\0\0",
    "CanUploadToCloudClipboard": b"\0\0\0\0",
}
"""What asks clipboard managers and histories not to keep a content."""
Mode = QClipboard.Mode


class ClipboardGuard(QObject):
    """Takes identity and phone numbers that were copied from our windows out of the clipboard again.

    Whatever window they come from: it listens to the clipboard itself. ``tell`` says that a copy is not allowed.
    ``ours`` says whether what is in there comes from this program; unless given, the clipboard is asked.
    """

    def __init__(
        self,
        policy: Policy,
        tell: Callable[[str], object],
        parent: QObject | None = None,
        ours: Callable[[Mode], bool] | None = None,
    ) -> None:
        super().__init__(parent)
        self._policy = policy
        self._tell = tell
        self._clipboard = QGuiApplication.clipboard()
        self._ours = ours or self._owned
        self._held: dict[Mode, str] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(policy.clear_clipboard_s * 1000)
        self._timer.timeout.connect(self.forget)
        self._clipboard.dataChanged.connect(self._copied)
        self._clipboard.selectionChanged.connect(self._selected)

    @property
    def waiting_ms(self) -> int:
        """How long until what was copied is taken out; -1 when there is nothing."""
        return self._timer.remainingTime()

    @Slot()
    def forget(self) -> None:
        """Take out at once what is still there."""
        self._timer.stop()
        held, self._held = self._held, {}
        for mode, text in held.items():
            if self._ours(mode) and self._clipboard.text(mode) == text:
                self._clipboard.clear(mode)

    def _owned(self, mode: Mode) -> bool:
        return self._clipboard.ownsSelection() if mode == Mode.Selection else self._clipboard.ownsClipboard()

    @Slot()
    def _copied(self) -> None:
        self._look(Mode.Clipboard)

    @Slot()
    def _selected(self) -> None:
        self._look(Mode.Selection)

    def _look(self, mode: Mode) -> None:
        there = self._clipboard.mimeData(mode)
        if there is None or not self._ours(mode) or there.hasFormat(next(iter(_HINTS))):
            return
        text = self._clipboard.text(mode)
        if not text or mask(text) == text:
            return
        if not self._policy.copy_personal:
            self._clipboard.clear(mode)
            if mode == Mode.Clipboard:
                self._tell(tr("按本机的个人信息保护规定，证件号码和电话不能复制。"))
            return
        self._held[mode] = text
        self._timer.start()
        if mode == Mode.Clipboard:
            data = QMimeData()
            data.setText(text)
            for name, value in _HINTS.items():
                data.setData(name, value)
            self._clipboard.setMimeData(data, mode)


class CaptureGuard(QObject):
    """Keeps every window of the program, from its first focus on, out of pictures of the screen.

    ``refuse(id)`` does it for one native window.
    """

    def __init__(self, refuse: Callable[[int], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._refuse = refuse
        self._done: set[int] = set()
        app = QGuiApplication.instance()
        assert isinstance(app, QGuiApplication)
        app.focusWindowChanged.connect(self._look)
        self._look(None)

    @Slot(QWindow)
    def _look(self, _window: QWindow | None) -> None:
        for window in QGuiApplication.topLevelWindows():
            if window.isVisible() and (id := int(window.winId())) not in self._done:
                self._done.add(id)
                self._refuse(id)


def refuse_capture(window: int) -> None:
    """Windows: the native window is left out of screenshots, recordings and remote viewing."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.user32.SetWindowDisplayAffinity(window, _EXCLUDE_FROM_CAPTURE)
