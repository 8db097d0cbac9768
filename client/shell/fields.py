"""Labelled inputs of the shell's own panes, which are too few and too particular for form specifications."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from client.widgets.basics import IconButton, Label, LineEdit
from client.widgets.theme import restyle, theme
from modules.common.text import tr


class Labelled(QWidget):
    """An input under its label; what is wrong with it is said below, in words and to screen readers."""

    def __init__(self, edit: QWidget, *, hint: str = "", aside: QWidget | None = None) -> None:
        super().__init__()
        self.edit = edit
        self._hint = hint
        self._label = Label(edit.accessibleName())
        self._label.setBuddy(edit)
        self._below = Label(wrap=True)
        row = QHBoxLayout()
        row.addWidget(edit, 1)
        if aside is not None:
            row.addWidget(aside)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self._label)
        self._column.addLayout(row)
        self._column.addWidget(self._below)
        theme().changed.connect(self._space)
        self._space()
        self.show_fault("")

    def rename(self, name: str) -> None:
        """Call the input something else."""
        self._label.setText(name)
        self.edit.setAccessibleName(name)

    def show_fault(self, text: str) -> None:
        """Say what is wrong; an empty text takes it back to the hint."""
        self._below.setText(text or self._hint)
        self._below.setVisible(bool(text or self._hint))
        self._below.setProperty("role", "fault" if text else "small")
        restyle(self._below)
        self.edit.setProperty("fault", "true" if text else "false")
        self.edit.setAccessibleDescription(text or self._hint)
        restyle(self.edit)

    def show_hint(self, text: str) -> None:
        """Say something that helps; a fault that is shown stays."""
        faulty = self.edit.property("fault") == "true"
        self._hint = text
        if not faulty:
            self.show_fault("")

    def below(self) -> str:
        """What is said below the input."""
        return self._below.text()

    @Slot()
    def _space(self) -> None:
        self._column.setSpacing(theme().space(1))


class PasswordEdit(LineEdit):
    """A hidden line; ``caps`` tells whether capital letters are locked, as far as the keys betray it."""

    caps = Signal(bool)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.setEchoMode(QLineEdit.EchoMode.Password)
        self.setInputMethodHints(Qt.InputMethodHint.ImhHiddenText | Qt.InputMethodHint.ImhNoPredictiveText)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        text = event.text()
        if text.isascii() and text.isalpha():
            shifted = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.caps.emit(text.isupper() != shifted)
        super().keyPressEvent(event)


class PasswordField(Labelled):
    """A password with a button that shows it, and a word about capital lock."""

    def __init__(self, name: str, *, hint: str = "") -> None:
        self.line = PasswordEdit(name)
        self.reveal = IconButton(tr("显示密码"), icon="eye")
        self.reveal.setCheckable(True)
        self._plain_hint = hint
        super().__init__(self.line, hint=hint, aside=self.reveal)
        self.reveal.toggled.connect(self._show)
        self.line.caps.connect(self._warn)

    def take(self) -> str:
        """The password as typed."""
        return self.line.text()

    def clear(self) -> None:
        """Forget what was typed, and hide what will be."""
        self.line.clear()
        self.reveal.setChecked(False)
        self.show_fault("")

    @Slot(bool)
    def _show(self, shown: bool) -> None:
        self.line.setEchoMode(QLineEdit.EchoMode.Normal if shown else QLineEdit.EchoMode.Password)

    @Slot(bool)
    def _warn(self, locked: bool) -> None:
        self.show_hint(tr("大写锁定已打开。") if locked else self._plain_hint)
