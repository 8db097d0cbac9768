"""Dialogs that ask: one that grows with what it has to say, and one that asks for words."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from client.widgets.basics import Button, DangerButton, Label, PrimaryButton, TextEdit
from client.widgets.theme import set_role, theme
from modules.common.text import tr


class GrowingDialog(QDialog):
    """A dialog in which faults and notices appear: after each, ``grow`` makes room for it."""

    def grow(self) -> None:
        """Become as high as the content needs at this width; never lower."""
        layout = self.layout()
        if layout is not None:
            layout.activate()
            needed = max(layout.totalMinimumSize().height(), layout.totalHeightForWidth(self.width()))
            self.resize(self.width(), max(needed, self.height()))


class TextDialog(GrowingDialog):
    """Asks for a reason, an opinion, a text. ``given`` brings it, trimmed; Ctrl+Enter sends, Esc leaves.

    ``action`` names the button; ``consequence`` says what will happen; ``phrases`` are put in by a click or Enter.
    Without ``optional`` nothing is not accepted, and ``needed`` says so. ``danger``: it cannot simply be undone.
    ``extra`` is shown above the text, for what else the question needs.
    """

    given = Signal(str)

    def __init__(
        self,
        action: str,
        prompt: str,
        parent: QWidget,
        *,
        consequence: str = "",
        phrases: Sequence[str] = (),
        needed: str = "",
        optional: bool = False,
        danger: bool = False,
        longest: int = 500,
        extra: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(action)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self._needed = needed or tr("请填写{title}。", title=prompt)
        self._optional = optional
        self._longest = longest
        self.text = TextEdit(prompt, 4)
        self.text.setPlaceholderText(prompt)
        self.phrases = QListWidget(self)
        self.phrases.setAccessibleName(tr("常用语"))
        self.phrases.addItems(list(phrases))
        self.phrases.setVisible(bool(phrases))
        self.phrases.setMaximumHeight(theme().size("row") * 4)
        self._fault = Label("", "fault", wrap=True, parent=self)
        self._fault.hide()
        self.go = DangerButton(action) if danger else PrimaryButton(action)
        self.keep = Button(tr("取消"))
        buttons = QHBoxLayout()
        if danger:
            buttons.addWidget(self.go)
            buttons.addStretch(1)
            buttons.addWidget(self.keep)
        else:
            buttons.addStretch(1)
            buttons.addWidget(self.keep)
            buttons.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        if consequence:
            column.addWidget(Label(consequence, wrap=True))
        if extra is not None:
            column.addWidget(extra)
        column.addWidget(self.text)
        column.addWidget(self.phrases)
        column.addWidget(self._fault)
        column.addLayout(buttons)
        self.setMinimumWidth(theme().text_width(32))
        self.go.clicked.connect(self._give)
        self.keep.clicked.connect(self.reject)
        self.text.submitted.connect(self._give)
        self.phrases.itemActivated.connect(self._put_in)
        self.phrases.itemClicked.connect(self._put_in)
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)

    def say_fault(self, text: str) -> None:
        """Say what is wrong, beside what was written."""
        self._fault.setText(text)
        self._fault.setVisible(bool(text))
        self.grow()
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot(QListWidgetItem)
    def _put_in(self, item: QListWidgetItem) -> None:
        written = self.text.text()
        self.text.setText(f"{written}{item.text()}")
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _give(self) -> None:
        words = self.text.text().strip()
        if not words and not self._optional:
            self.say_fault(self._needed)
        elif len(words) > self._longest:
            self.say_fault(tr("最多 {n} 个字，现为 {now} 个字。", n=self._longest, now=len(words)))
        else:
            self.given.emit(words)
            self.accept()
