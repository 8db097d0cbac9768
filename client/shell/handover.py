"""A second start hands its files to the program that runs already (opening by file association)."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QDir, QObject, QStandardPaths, Slot

if TYPE_CHECKING:
    from PySide6.QtNetwork import QLocalServer, QLocalSocket  # loaded once the window is there

log = logging.getLogger(__name__)
_LARGEST = 1 << 16
_PATIENCE_MS = 2_000


def _name(profile: Path) -> str:
    """The name that belongs to one profile of one person; on Linux a path in a folder of their own."""
    short = f"govdesk-{hashlib.sha256(str(profile.resolve()).encode()).hexdigest()[:16]}"
    if sys.platform == "win32":
        return short
    run = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.RuntimeLocation)
    return str(Path(run or QDir.tempPath()) / short)


def hand_over(profile: Path, files: Sequence[Path]) -> bool:
    """Have the running program open these; False when it does not answer."""
    from PySide6.QtNetwork import QLocalSocket

    socket = QLocalSocket()
    socket.connectToServer(_name(profile))
    if not socket.waitForConnected(_PATIENCE_MS):
        return False
    words = json.dumps([os.path.abspath(file) for file in files]).encode() + b"\n"  # noqa: PTH100 - links stay
    if len(words) > _LARGEST:
        return False
    socket.write(words)
    socket.flush()
    taken = socket.waitForReadyRead(_PATIENCE_MS)
    socket.disconnectFromServer()
    return taken


class Receiver(QObject):
    """Listens for what second starts bring, from this person's own programs alone; ``opened`` is given each path."""

    def __init__(self, profile: Path, opened: Callable[[Path], None], parent: QObject) -> None:
        super().__init__(parent)
        self._profile = profile
        self._opened = opened
        self._server: QLocalServer | None = None

    @Slot()
    def listen(self) -> None:
        """Begin. Where that is not possible, second starts are refused as before."""
        from PySide6.QtNetwork import QLocalServer

        server = QLocalServer(self)
        server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        name = _name(self._profile)
        # the profile's lock is ours, so what is there was left by one that crashed
        QLocalServer.removeServer(name)
        if not server.listen(name):
            log.warning("no second start will be heard: %s", server.serverError())
            return
        server.newConnection.connect(self._came)
        self._server = server

    @Slot()
    def _came(self) -> None:
        assert self._server is not None
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.setReadBufferSize(_LARGEST)
            socket.readyRead.connect(lambda socket=socket: self._read(socket))
            socket.disconnected.connect(socket.deleteLater)
            if socket.bytesAvailable():
                self._read(socket)

    def _read(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            if socket.bytesAvailable() >= _LARGEST:
                socket.abort()
            return
        try:
            said = json.loads(bytes(socket.readLine().data()))
            if not isinstance(said, list):
                raise TypeError
            paths = [Path(each) for each in said if isinstance(each, str)]
        except (TypeError, ValueError):
            socket.abort()
            return
        socket.write(b"ok\n")
        for path in paths:
            self._opened(path)

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
