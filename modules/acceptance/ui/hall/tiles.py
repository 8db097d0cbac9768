"""What fingers press at the ticket machine: tiles with a line of explanation, and keys."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QGridLayout,
    QHBoxLayout,
    QSizePolicy,
    QStyle,
    QStyleOption,
    QVBoxLayout,
    QWidget,
)

from client.widgets.basics import Button, IconLabel, Label
from client.widgets.theme import set_role, theme
from modules.common.text import tr

DIGITS = ("123", "456", "789", "0")
LETTERS = ("abcde", "fghij", "klmno", "pqrst", "uvwxy", "z")
ALL_KEYS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")


class Tile(QAbstractButton):
    """A large button: words, and a quieter line below. A disabled one can be read all the same."""

    def __init__(self, icon: str = "", role: str = "large", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = role
        self.value: object = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        policy.setHeightForWidth(True)
        # a place in a grid stays where it is: nothing jumps under a finger
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        set_role(self, "todo")
        self._title, self._line = Label("", role, wrap=True), Label("", "quiet", wrap=True)
        row = QHBoxLayout(self)
        row.setSpacing(theme().space(4))
        words = QVBoxLayout()
        words.setSpacing(theme().space(1))
        words.addStretch(1)
        words.addWidget(self._title)
        words.addWidget(self._line)
        words.addStretch(1)
        parts: list[QWidget] = [self._title, self._line]
        if icon:
            mark = IconLabel(icon, "accent", 36)
            row.addWidget(mark)
            parts.append(mark)
        row.addLayout(words, 1)
        for part in parts:
            part.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        theme().changed.connect(self._space)
        self.toggled.connect(self._mark_chosen)
        self._space()

    @Slot(bool)
    def _mark_chosen(self, chosen: bool) -> None:
        self._line.setText(tr("✓ 已选") if chosen else "")
        self._line.setVisible(chosen)
        self.setAccessibleDescription(self._line.text())
        set_role(self._title, self._role, state="info" if chosen else "")

    def say(self, title: str, line: str = "", *, value: object = None, enabled: bool = True) -> None:
        """Show other words; ``value`` is what a press stands for."""
        self.value = value
        self._title.setText(title)
        self._line.setText(line)
        self._line.setVisible(bool(line))
        self.setEnabled(enabled)
        set_role(self._title, self._role if enabled else "quiet")
        self.setAccessibleName(title)
        self.setAccessibleDescription(line)

    def line(self) -> str:
        """The quieter line."""
        return self._line.text()

    @Slot()
    def _space(self) -> None:
        layout = self.layout()
        assert layout is not None
        layout.setContentsMargins(theme().space(6), theme().space(3), theme().space(6), theme().space(3))
        self.updateGeometry()

    def heightForWidth(self, width: int) -> int:
        layout = self.layout()
        assert layout is not None
        return max(layout.totalHeightForWidth(width), theme().size("target") * 2)

    def sizeHint(self) -> QSize:
        layout = self.layout()
        assert layout is not None
        # tiles side by side are equally wide, whatever they say: the words wrap
        height = max(layout.sizeHint().height(), theme().size("target") * 2)
        return QSize(theme().text_width(14), height)

    def minimumSizeHint(self) -> QSize:
        layout = self.layout()
        assert layout is not None
        height = max(layout.minimumSize().height(), theme().size("target") * 2)
        return QSize(theme().text_width(10), height)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOption()
        option.initFrom(self)
        painter = QPainter(self)
        self.style().drawPrimitive(QStyle.PrimitiveElement.PE_Widget, option, painter, self)
        painter.end()


class Keys(QWidget):
    """Keys for fingers, taking no focus from the line that they fill. ``pressed``: a character; ``erased``."""

    pressed = Signal(str)
    erased = Signal()

    def __init__(
        self, rows: Sequence[str], name: str, *, capitals: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._keys: list[Button] = []
        self._capital = False
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(theme().space(2))
        for line, row in enumerate(rows):
            for place, character in enumerate(row):
                key = self._key(character)
                key.clicked.connect(partial(self._press, character))
                self._keys.append(key)
                grid.addWidget(key, line, place)
        last = len(rows) - 1
        self.erase = self._key(tr("删除"))
        self.erase.clicked.connect(self.erased)
        grid.addWidget(self.erase, last, len(rows[last]), 1, 2)
        self.shift = self._key(tr("大写"))
        self.shift.clicked.connect(self._shift)
        if capitals:
            grid.addWidget(self.shift, last, len(rows[last]) + 2, 1, 2)

    def _key(self, text: str) -> Button:
        key = Button(text)
        # Tab goes over the keys: whoever has a keyboard types, and the line keeps the focus
        key.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        key.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        key.setMinimumSize(theme().size("target"), theme().size("target") + theme().space(3))
        return key

    def _press(self, character: str) -> None:
        self.pressed.emit(character.upper() if self._capital else character)

    @Slot()
    def _shift(self) -> None:
        self._capital = not self._capital
        self.shift.set_label(tr("小写") if self._capital else tr("大写"))
        for key in self._keys:
            key.set_label(key.text().upper() if self._capital else key.text().lower())
