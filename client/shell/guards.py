"""What locks the window besides idleness: a token that is pulled out, and the computer's own lock."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot

from client.kernel.contract import Host, Token
from client.shell.ports import Desk
from modules.common.errors import GovDeskError
from modules.common.text import tr

LOOK_MS = 1_500
"""A token has no way to say that it was pulled out: it is asked, one question at a time."""


class Guards(QObject):
    """Calls ``lock`` with the reason in words, from ``start`` (which begins threads: not at once) to ``stop``."""

    def __init__(self, host: Host, desk: Desk, lock: Callable[[str], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._host = host
        self._desk = desk
        self._lock = lock
        self._looking: Token | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._ends: list[Callable[[], None]] = [self._timer.stop]

    def start(self, window: int) -> None:
        """Watch; ``window`` is the native handle of the main window."""
        from client.shell.system_lock import SystemLock

        if self._desk.key == "pin":
            self._timer.start()
        system = SystemLock(self)
        system.locked.connect(self._system_locked)
        system.start(window)
        self._ends.append(system.stop)

    def stop(self) -> None:
        """Watch no more."""
        for end in self._ends:
            end()
        if self._looking is not None:
            self._looking.cancel()

    @Slot()
    def look(self) -> None:
        """Whether the token is still there."""
        if self._looking is None or self._looking.finished:
            self._looking = self._host.run(
                "net",
                lambda token: self._desk.token_present(),
                done=self._looked,
                failed=self._not_looked,
                name=tr("查看证书介质"),
            )

    def _looked(self, present: bool) -> None:
        if not present:
            self._lock(tr("证书介质已拔出，窗口已锁定。插回后输入 PIN 码继续，输入的内容都还在。"))

    def _not_looked(self, error: BaseException) -> None:
        """A token that cannot be asked is not there."""
        if not isinstance(error, GovDeskError):
            raise error
        self._looked(False)

    @Slot()
    def _system_locked(self) -> None:
        self._lock(tr("电脑已锁定或休眠，窗口一并锁定。输入的内容都还在。"))
