"""The client's end of the driver: reads requests from the parent's pipe and does them with real events.

Only ``take_pipe`` opens it, and only a program launched with ``--driver`` calls that.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QKeyCombination, QObject, QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QInputMethodEvent, QKeySequence, QPainter, QPalette, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from client.driver import finder
from client.driver.finder import AmbiguousError, NotFoundError
from client.driver.protocol import Counts, Reply, Request, Target, decode_request, encode
from client.driver.stalls import waited_for_processor
from client.widgets.gui_thread import GuiThread

POLL_MS = 20


def take_pipe() -> tuple[int, int]:
    """Keep stdin and stdout for the driver alone; whatever else is printed goes to stderr.

    Returns the descriptors to read from and to write to; neither is inherited by child processes.
    """
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


class DriverServer(QObject):
    """Does one request after another on the GUI thread; when the parent goes, so does the program."""

    def __init__(self, incoming: int, outgoing: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._incoming = incoming
        self._outgoing = outgoing
        self._clicks = 0
        self._keys = 0
        self._composed = self._typed = 0
        self.spent = 0.0
        """Seconds of the GUI thread that went into finding things and taking pictures, less its waiting for a turn."""
        self._starved = waited_for_processor(threading.get_native_id())
        self._gui = GuiThread()
        self._reader = threading.Thread(target=self._read, name="driver", daemon=True)

    def start(self) -> None:
        """Begin to listen. The reader ends with the pipe."""
        self._reader.start()

    def _read(self) -> None:
        # Plain descriptors: a buffered stream's lock, held by a daemon thread, aborts the interpreter at exit.
        rest = b""
        while chunk := os.read(self._incoming, 65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._gui.post(partial(self._on_line, line))
        self._gui.post(QApplication.quit)

    def _on_line(self, line: bytes) -> None:
        try:
            request = decode_request(line)
        except ValueError as error:
            self._send(Reply(0, str(error)))
            return
        self._attempt(request, time.monotonic() + request.timeout)

    def _attempt(self, request: Request, deadline: float) -> None:
        """Try until the target is there; a person would look again, too."""
        began = time.monotonic() - self._starved()
        try:
            act = self._prepare(request)
        except NotFoundError as error:
            if time.monotonic() < deadline:
                QTimer.singleShot(POLL_MS, self, partial(self._attempt, request, deadline))
            else:
                self._send(Reply(request.id, f"{request.verb} {request.target}: {error}", tree=finder.tree()))
            return
        finally:
            self.spent += time.monotonic() - self._starved() - began
        if isinstance(act, _Done):
            self._answer(request, act.value)
            return
        # The answer is due before the last step: when that opens a dialog that waits for the person, the dialog's
        # own event loop sends it. Not sooner: each key lets events through, and the next request must not come
        # between two of them.
        *first, last = act
        for step in first:
            step()
        QTimer.singleShot(0, self, partial(self._answer, request, None))
        last()

    def _answer(self, request: Request, value: Any) -> None:
        self._send(Reply(request.id, value=value, counts=Counts(self._clicks, self._keys, self._composed, self._typed)))

    def _send(self, reply: Reply) -> None:
        rest = encode(reply)
        while rest:
            rest = rest[os.write(self._outgoing, rest) :]

    def _prepare(self, request: Request) -> list[Callable[[], None]] | _Done:
        """What is to be done now, or what was asked for. Raises ``NotFoundError`` while it cannot be."""
        match request.verb:
            case "click" | "double_click":
                window, point = finder.point_of(finder.find(request.target))
                _activate(window)
                return [partial(self._click, window, point, request.verb == "double_click")]
            case "type":
                return self._prepare_typing(request) or _Done(None)
            case "key":
                self._focus(request)
                _activate()
                return self._strokes(QKeySequence(request.text)) or _Done(None)
            case "wait":
                self._waited(request)
                return _Done(None)
            case "read":
                return _Done(finder.describe(finder.find(request.target)))
            case "shot":
                return _Done(shot(request.path, request.target))
            case "tree":
                return _Done(finder.tree())
            case "quit":
                # answered first: the program may end before another turn of the event loop
                QTimer.singleShot(0, QApplication.closeAllWindows)
                return _Done(None)

    def _click(self, window: QWidget, point: QPoint, double: bool) -> None:
        handle = window.windowHandle()
        if double:
            self._clicks += 2
            QTest.mouseDClick(handle, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
        else:
            self._clicks += 1
            QTest.mouseClick(handle, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)

    def _prepare_typing(self, request: Request) -> list[Callable[[], None]]:
        self._focus(request)
        _activate()
        finder.focused()
        return self._pieces(request.text)

    def _focus(self, request: Request) -> None:
        """Give the named target the keyboard: with the mouse, as a person without Tab would."""
        if not request.target.name:
            return
        found = finder.find(request.target)
        if not found.widget.hasFocus():
            window, point = finder.point_of(found)
            _activate(window)
            self._click(window, point, double=False)
            if not found.widget.hasFocus() and not found.texts:
                raise NotFoundError(f"{found} does not take the keyboard")

    def _pieces(self, text: str) -> list[Callable[[], None]]:
        """Key by key; what no key carries in runs, as an input method commits it."""
        pieces = re.findall(r"[\x00-\x7f]|[^\x00-\x7f]+", text)
        return [partial(self._key if piece.isascii() else self._compose, piece) for piece in pieces]

    def _key(self, character: str) -> None:
        self._keys += 1
        self._typed += 1
        special = {"\n": Qt.Key.Key_Return, "\t": Qt.Key.Key_Tab}.get(character)
        window = QGuiApplication.focusWindow()
        if special is None:
            QTest.keyClick(window, character)  # type: ignore[call-overload]
        else:
            QTest.keyClick(window, special)

    def _compose(self, text: str) -> None:
        """Commit what no key carries the way an input method does: first as a candidate, then for good."""
        focus = QGuiApplication.focusObject()
        self._composed += len(text)
        QGuiApplication.sendEvent(focus, QInputMethodEvent(text, []))
        commit = QInputMethodEvent()
        commit.setCommitString(text)
        QGuiApplication.sendEvent(focus, commit)

    def _strokes(self, sequence: QKeySequence) -> list[Callable[[], None]]:
        return [partial(self._stroke, sequence[number]) for number in range(sequence.count())]  # type: ignore[index]

    def _stroke(self, combination: QKeyCombination) -> None:
        self._keys += 1
        QTest.keyClick(QGuiApplication.focusWindow(), combination.key(), combination.keyboardModifiers())

    def _waited(self, request: Request) -> None:
        """Raises ``NotFoundError`` while what is waited for is not so."""
        try:
            found = finder.find(request.target)
        except NotFoundError as error:
            if request.condition == "gone" and not isinstance(error, AmbiguousError):
                return
            raise
        if request.condition == "gone":
            raise NotFoundError(f"{found} is still there")
        if request.condition == "enabled" and not found.enabled:
            raise NotFoundError(f"{found} is disabled")
        if request.condition == "text":
            shown = "\n".join([found.name, *(str(part) for part in finder.describe(found).values())])
            if request.text not in shown:
                raise NotFoundError(f"{found} does not say {request.text!r}")


def _activate(window: QWidget | None = None) -> None:
    """Give the keyboard to the window that a window manager would, which the offscreen platform does not, or later.

    Raises ``NotFoundError`` until a window that takes input is the active one.
    """
    shown = finder.windows()
    popup = any(each.windowType() == Qt.WindowType.Popup for each in shown)  # gets its keys without being active
    if popup or QGuiApplication.focusWindow() in [each.windowHandle() for each in shown]:
        return
    hearing = [each for each in shown if not _deaf(each)]
    for each in [window] if window and not _deaf(window) else hearing[-1:]:
        each.activateWindow()
    raise NotFoundError("no window is active")


def _deaf(window: QWidget) -> bool:
    """Whether the window never takes the keyboard, such as the screen on the other side of a counter."""
    return bool(window.windowFlags() & Qt.WindowType.WindowDoesNotAcceptFocus)


class _Done:
    """A request that needed no act; its answer."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _importance(widget: QWidget) -> tuple[bool, bool, int]:
    """The main window is the largest of those that take the keyboard."""
    return not _deaf(widget), widget.windowType() == Qt.WindowType.Window, widget.width() * widget.height()


def shot(path: str, target: Target) -> dict[str, int]:
    """A picture of the main window with whatever is open over it, or of the window that holds ``target``; its size.

    Raises ``NotFoundError`` when no window is open.
    """
    shown = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    if not shown:
        raise NotFoundError("no window is open")
    if target.name:
        base = finder.find(target).widget.window()
        shown = [base]
    else:
        base = max(shown, key=_importance)
        shown = [widget for widget in shown if widget.screen() is base.screen()]
    picture: QPixmap = base.grab()
    over = [widget for widget in shown if widget is not base]
    if over:
        modal = QApplication.activeModalWidget()
        painter = QPainter(picture)
        painter.setPen(base.palette().color(QPalette.ColorRole.Dark))
        for widget in sorted(over, key=lambda widget: (widget.windowType() == Qt.WindowType.Popup, widget is modal)):
            place = widget.mapToGlobal(QPoint()) - base.mapToGlobal(QPoint())
            painter.drawPixmap(place, widget.grab())
            # the frame that a window manager would draw
            painter.drawRect(QRect(place, widget.size()).adjusted(-1, -1, 0, 0))
        painter.end()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if not picture.save(path, "PNG"):
        raise NotFoundError(f"cannot write {path}")
    return {"width": picture.width(), "height": picture.height()}
