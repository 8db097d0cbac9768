"""Inputs, buttons, labels and the small panes that every screen is made of."""

from __future__ import annotations

import re
from typing import ClassVar

from PySide6.QtCore import QBasicTimer, QEvent, QObject, QSize, Qt, QTimerEvent, Signal, Slot
from PySide6.QtGui import (
    QFocusEvent,
    QHideEvent,
    QInputMethodEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShortcut,
    QShowEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from client.widgets.theme import set_role, theme
from modules.common.text import tr

_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


def plain(text: str) -> str:
    """What a person would call a control: its text without mnemonic, ``受理（&A）…`` → ``受理``."""
    bare = re.sub(r"\(&\w\)", "", text).replace("&&", "\0").replace("&", "").replace("\0", "&")
    return bare.strip().removesuffix("…").rstrip(":： ")


class LineEdit(QLineEdit):
    """One line of text. ``submitted`` on Enter, unless the Enter belongs to an input method's candidate."""

    submitted = Signal()

    def __init__(self, name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._composing = False
        self.setAccessibleName(name)

    @property
    def composing(self) -> bool:
        """Whether an input method holds text that is not yet in ``text()``."""
        return self._composing

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        if self.isReadOnly():
            event.ignore()  # Qt would take it
            return
        self._composing = bool(event.preeditString())
        super().inputMethodEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._composing = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() not in _ENTER:
            super().keyPressEvent(event)
        elif self._composing:
            event.accept()  # the candidate's Enter: neither submits nor presses a dialog's default button
        else:
            super().keyPressEvent(event)
            self.submitted.emit()


class SearchBox(LineEdit):
    """A line to search by: ``searched`` at each change of the committed text, Esc empties it."""

    searched = Signal(str)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self.setPlaceholderText(name)
        self.setClearButtonEnabled(True)
        self._lens = self.addAction(theme().icon("search", "quiet", 16), QLineEdit.ActionPosition.LeadingPosition)
        self.textChanged.connect(self.searched)
        theme().changed.connect(self._retint)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)

    @Slot()
    def _retint(self) -> None:
        self._lens.setIcon(theme().icon("search", "quiet", 16))


class TextEdit(QPlainTextEdit):
    """Several lines of text. ``edited`` when a person changed the text, ``submitted`` on Ctrl+Enter; Tab moves on."""

    edited = Signal()
    submitted = Signal()

    def __init__(self, name: str = "", lines: int = 3, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._composing = False
        self._lines = lines
        self._known = ""
        self.setTabChangesFocus(True)
        self.setAccessibleName(name)
        self.textChanged.connect(self._tell)
        theme().changed.connect(self._fit)
        self._fit()

    @property
    def composing(self) -> bool:
        """Whether an input method holds text that is not yet in ``text()``."""
        return self._composing

    def text(self) -> str:
        """The text, with ``\\n`` between lines."""
        return self.toPlainText()

    def setText(self, text: str) -> None:
        """Replace the text, without ``edited``."""
        self._known = text
        self.setPlainText(text)

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        self._composing = bool(event.preeditString())
        super().inputMethodEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._composing = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _ENTER and self._composing:
            event.accept()
        elif event.key() in _ENTER and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.submitted.emit()
        else:
            super().keyPressEvent(event)

    @Slot()
    def _tell(self) -> None:
        # Qt also reports a changed preedit, which is not yet anybody's text
        if self.toPlainText() != self._known:
            self._known = self.toPlainText()
            self.edited.emit()

    def sizeHint(self) -> QSize:
        # Qt wants 192 pixels of height, whatever is in it
        return QSize(super().sizeHint().width(), self.minimumHeight())

    @Slot()
    def _fit(self) -> None:
        self.setMinimumHeight(self._lines * theme().font().pixelSize() * 3 // 2 + theme().space(6))


class ComboBox(QComboBox):
    """A choice that the mouse wheel does not change by accident."""

    def __init__(self, name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumContentsLength(6)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class Button(QPushButton):
    """A button that shows its shortcut and is called by its words alone.

    ``icon`` is the name of an icon; ``shortcut`` such as ``F8`` works while the button can be seen.
    """

    role: ClassVar[str] = "button"
    tint: ClassVar[str] = "text"

    def __init__(self, text: str, *, icon: str = "", shortcut: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = icon
        self._shortcut = shortcut
        if shortcut:
            # a QAbstractButton's own shortcut animates the click, which takes 100 ms at a counter
            QShortcut(QKeySequence(shortcut), self).activated.connect(self.click)
        set_role(self, self.role)
        self.setAutoDefault(False)
        self.set_label(text)
        theme().changed.connect(self._retint)
        self._retint()

    def set_label(self, text: str) -> None:
        """Change the words; the shortcut stays."""
        self.setText(f"{text}  {self._shortcut}" if self._shortcut else text)
        self.setAccessibleName(plain(text))

    @Slot()
    def _retint(self) -> None:
        self.setIconSize(QSize(theme().size("icon"), theme().size("icon")))
        if self._icon:
            self.setIcon(theme().icon(self._icon, self.tint))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in _ENTER:
            self.click()
        else:
            super().keyPressEvent(event)


class PrimaryButton(Button):
    """The one main action of a view."""

    role = "primary"
    tint = "on_accent"


class DangerButton(Button):
    """An action that cannot simply be taken back; named by what it does."""

    role = "danger"
    tint = "red"


class LinkButton(Button):
    """A lesser action beside others."""

    role = "plain"
    tint = "accent"


class IconButton(LinkButton):
    """A button that shows its icon alone; its words are its name and its tool tip."""

    def set_label(self, text: str) -> None:
        super().set_label(text)
        self.setText("")
        self.setToolTip(text)


class Label(QLabel):
    """Plain text in a role of the style sheet: ``title``, ``heading``, ``small``, ``quiet``, ``strong``, ``fault`` …

    Text is never taken for HTML. ``wrap`` lets it break into lines; ``selectable`` lets it be copied with the mouse.
    """

    def __init__(
        self,
        text: str = "",
        role: str = "body",
        *,
        wrap: bool = False,
        selectable: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(wrap)
        if selectable:
            self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        set_role(self, role)


class SectionTitle(Label):
    """The heading of a part of a page."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(text, "heading", parent=parent)


class ElidedLabel(Label):
    """One line that ends in an ellipsis where there is no room; the whole text is its tool tip and its name."""

    def __init__(self, text: str = "", role: str = "body", parent: QWidget | None = None) -> None:
        super().__init__(text, role, parent=parent)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setAccessibleName(text)
        self._explain()

    def minimumSizeHint(self) -> QSize:
        return QSize(theme().text_width(2), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._explain()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
        painter.end()

    def _explain(self) -> None:
        fits = self.fontMetrics().horizontalAdvance(self.text()) <= self.width()
        self.setToolTip("" if fits else self.text())


class IconLabel(QLabel):
    """A tinted icon that follows the theme; it says nothing to a screen reader."""

    def __init__(self, icon: str, color: str = "text", size: int = 20, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown = (icon, color, size)
        theme().changed.connect(self._retint)
        self._retint()

    def show_icon(self, icon: str, color: str = "text", size: int = 20) -> None:
        """Show another icon."""
        self._shown = (icon, color, size)
        self._retint()

    @Slot()
    def _retint(self) -> None:
        self.setPixmap(theme().pixmap(*self._shown))


class StateLabel(QWidget):
    """A state by colour, shape and word: good, info, due, yellow, red, paused, offline or quiet."""

    def __init__(self, state: str = "quiet", text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mark = IconLabel("info", size=16)
        self._words = Label()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme().space(1))
        row.addWidget(self._mark)
        row.addWidget(self._words, 1)
        self.show_state(state, text)

    @property
    def state(self) -> str:
        """The state that is shown."""
        return self._state

    def text(self) -> str:
        """The words that are shown."""
        return self._words.text()

    def show_state(self, state: str, text: str) -> None:
        """Show another state. Raises ``KeyError`` for one that the tokens do not know."""
        self._state = state
        color, icon = theme().state(state)
        self._mark.show_icon(icon, color, 16)
        self._words.setText(text)
        set_role(self._words, "state", state=state)
        self.setAccessibleName(text)


class Card(QFrame):
    """A surface with an optional heading; put widgets into ``body``."""

    def __init__(self, title: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "card")
        self.body = QVBoxLayout(self)
        if title:
            self.body.addWidget(SectionTitle(title))
        theme().changed.connect(self._space)
        self._space()

    @Slot()
    def _space(self) -> None:
        self.body.setContentsMargins(*(theme().space(4),) * 4)
        self.body.setSpacing(theme().space(2))


class Banner(QFrame):
    """A message in its place, with its code and at most one thing to do about it; hidden until it says something."""

    acted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mark = IconLabel("info")
        self._words = Label(wrap=True, selectable=True)
        self._code = Label(role="small", selectable=True)
        self._act = Button("")
        self._act.clicked.connect(self.acted)
        row = QHBoxLayout(self)
        row.setContentsMargins(*(theme().space(2),) * 4)
        row.setSpacing(theme().space(2))
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self._words, 1)
        row.addWidget(self._code)
        row.addWidget(self._act)
        self.clear()

    def say(self, text: str, state: str = "info", *, code: str = "", action: str = "") -> None:
        """Show ``text``; ``action`` is the words of the button that emits ``acted``."""
        color, icon = theme().state(state)
        self._mark.show_icon(icon, color)
        self._words.setText(text)
        self._code.setText(code)
        self._code.setVisible(bool(code))
        self._act.set_label(action)
        self._act.setVisible(bool(action))
        set_role(self, "banner", state=state)
        self.setAccessibleName(f"{text} {code}".strip())
        self.setVisible(True)

    def text(self) -> str:
        """The sentence that is shown, or nothing."""
        return self._words.text()

    def clear(self) -> None:
        """Say nothing any more."""
        self._words.setText("")
        self.setAccessibleName("")
        self.setVisible(False)


class BusyMark(QWidget):
    """Shows that something is being done: eight dots that go round, or stand still when no motion is wanted."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._step = 0
        self._timer = QBasicTimer()

    def sizeHint(self) -> QSize:
        return QSize(theme().size("icon"), theme().size("icon"))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if theme().motion:
            self._timer.start(120, self)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def timerEvent(self, event: QTimerEvent) -> None:
        if event.timerId() == self._timer.timerId():
            self._step = (self._step + 1) % 8
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        side = min(self.width(), self.height())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.translate(self.rect().center())
        for dot in range(8):
            color = theme().color("accent")
            color.setAlphaF(1.0 if dot == self._step else 0.35)
            painter.setBrush(color)
            painter.drawEllipse(-side // 16, -side // 2 + side // 12, side // 8, side // 8)
            painter.rotate(45)
        painter.end()


class StatePane(QWidget):
    """What a list or a page shows instead of its content: an icon, a sentence, maybe one thing to do."""

    acted = Signal()

    def __init__(self, icon: str = "inbox", text: str = "", action: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mark = IconLabel(icon, "quiet", 28)
        self._busy = BusyMark()
        self._words = Label(role="quiet", wrap=True)
        self._words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._act = Button(action)
        self._act.clicked.connect(self.acted)
        column = QVBoxLayout(self)
        column.addStretch(2)
        for widget in (self._mark, self._busy):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self._words)
        column.addWidget(self._act, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        self.say(icon, text, action)

    def say(self, icon: str, text: str, action: str = "", *, busy: bool = False) -> None:
        """Show another reason; ``busy`` puts the mark of work in place of the icon."""
        self._mark.show_icon(icon, "quiet", 28)
        self._mark.setVisible(not busy)
        self._busy.setVisible(busy)
        self._words.setText(text)
        self._act.set_label(action)
        self._act.setVisible(bool(action))
        self.setAccessibleName(text)

    def text(self) -> str:
        """The sentence that is shown."""
        return self._words.text()


class EmptyState(StatePane):
    """Nothing here, and what to do about it."""


class LoadingState(StatePane):
    """Something is being fetched."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.say("clock", text or tr("正在读取…"), busy=True)


class ProgressPane(QWidget):
    """Long work: how far it is, what is being done, and ``cancelled`` when the user wants it stopped."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = Label()
        self._bar = QProgressBar()
        self._bar.setRange(0, 100)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(tr("进度"))
        self._stop = Button(tr("停止"))
        self._stop.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._words)
        row.addWidget(self._bar, 1)
        row.addWidget(self._stop)

    def show_progress(self, share: float, text: str) -> None:
        """``share`` from 0 to 1 and what is being done."""
        percent = round(min(max(share, 0.0), 1.0) * 100)
        self._bar.setValue(percent)
        self._words.setText(tr("{text} {percent}%", text=text, percent=percent))


class ConfirmDialog(QDialog):
    """Asks before something that cannot simply be taken back; ``accepted`` when the user means it.

    ``action`` names what the button does (作废此件), ``consequence`` says what will happen. Esc and Enter keep.
    Call ``open()``; the dialog forgets itself when it closes.
    """

    def __init__(self, action: str, consequence: str, *, keep: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(plain(action))
        self.setAccessibleDescription(consequence)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.keep = Button(keep or tr("不，保持原样"))
        self.go = DangerButton(action)
        self.keep.clicked.connect(self.reject)
        self.go.clicked.connect(self.accept)
        words = Label(consequence, wrap=True)
        words.setMinimumWidth(theme().text_width(24))
        buttons = QHBoxLayout()
        buttons.addWidget(self.go)
        buttons.addStretch(1)
        buttons.addWidget(self.keep)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(4))
        column.addWidget(SectionTitle(plain(action)))
        column.addWidget(words)
        column.addLayout(buttons)
        self.keep.setFocus()


class SlashFocus(QObject):
    """Sends ``/`` pressed in a list to a search box."""

    def __init__(self, watched: QWidget, box: QLineEdit) -> None:
        super().__init__(watched)
        self._box = box
        watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.text() == "/":
            self._box.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self._box.selectAll()
            return True
        return False
