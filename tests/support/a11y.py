"""Walks a window as its users do: by Tab, by screen reader, by eye."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QWidget

from client.widgets.basics import ElidedLabel


def type_text(widget: QWidget, text: str) -> None:
    """Enter ``text`` character by character, as an input method would (keys alone make no Chinese)."""
    for character in text:
        event = QInputMethodEvent()
        event.setCommitString(character)
        QApplication.sendEvent(widget, event)


class Walk:
    """What is wrong with a widget that is shown, for people who cannot see it or use no mouse, or read it large."""

    def __init__(self, root: QWidget) -> None:
        self.root = root

    def focusable(self) -> list[QWidget]:
        """The widgets that Tab reaches, in the order of Tab, beginning after ``root``."""
        found = []
        widget = self.root.nextInFocusChain()
        while widget is not self.root:
            inside = self.root.isAncestorOf(widget)
            tab = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
            if inside and tab and widget.isEnabled() and widget.isVisibleTo(self.root) and not widget.focusProxy():
                found.append(widget)
            widget = widget.nextInFocusChain()
        return found

    def nameless(self) -> list[str]:
        """Focusable widgets that a screen reader could not name."""
        return [_describe(widget) for widget in self.focusable() if not _name(widget)]

    def out_of_order(self) -> list[str]:
        """Pairs that Tab visits against the order of reading: up a line, inside one parent."""
        stops = self.focusable()
        wrong = []
        for before, after in pairwise(stops):
            if before.parentWidget() is after.parentWidget() and after.geometry().bottom() < before.geometry().top():
                wrong.append(f"{_describe(before)} → {_describe(after)}")
        return wrong

    def clipped(self) -> list[str]:
        """Visible labels and buttons whose text does not fit, and texts that a parent cuts off."""
        return [_describe(widget) for widget in self._texts() if not _fits(widget)]

    def small(self, target: int) -> list[str]:
        """Buttons and lines lower than a finger or a tired hand needs, ``target`` in pixels."""
        return [
            f"{_describe(widget)} {widget.height()}"
            for widget in self.focusable()
            if isinstance(widget, (QAbstractButton, QLineEdit)) and widget.height() < target
        ]

    def _texts(self) -> Iterator[QWidget]:
        for widget in self.root.findChildren(QWidget):
            if widget.isVisibleTo(self.root) and isinstance(widget, (QLabel, QAbstractButton)):
                yield widget


def _name(widget: QWidget) -> str:
    return widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton) else "")


def _describe(widget: QWidget) -> str:
    text = widget.text() if isinstance(widget, (QLabel, QAbstractButton)) else ""
    owner = widget.parentWidget()
    return f"{type(widget).__name__} “{text or _name(widget)}” in {type(owner).__name__ if owner else 'nothing'}"


def _fits(widget: QWidget) -> bool:
    text = widget.text() if isinstance(widget, (QLabel, QAbstractButton)) else ""
    if not text or isinstance(widget, ElidedLabel):
        return True
    if isinstance(widget, QLabel) and widget.wordWrap():
        return widget.height() >= widget.heightForWidth(widget.width())
    needed = widget.minimumSizeHint() if isinstance(widget, QLabel) else widget.sizeHint()
    return widget.width() >= needed.width() and widget.height() >= needed.height()
