"""The citizen's screen (双屏): what concerns them, large; to confirm, and to rate. Requirements C15, C26.

It shows nothing but what it is handed: no notices, no other people. Three things can be answered on it, each once:
whether the data is right, how the service was, and — for the two lowest steps — why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from client.widgets.basics import Button, Label, PrimaryButton
from client.widgets.theme import set_role, theme
from modules.common.text import tr

STEPS = (5, 4, 3, 2, 1)
REASONS_BELOW = 3
"""A rating under this step is asked for its reasons."""


@dataclass(frozen=True, slots=True)
class OwnData:
    """What a citizen sees of their own case: label and value, in the order of reading."""

    title: str
    pairs: Sequence[tuple[str, str]]
    materials: Sequence[str] = ()
    note: str = ""


def step_name(stars: int) -> str:
    """A step of the rating in the words of 好差评."""
    return {
        5: tr("非常满意"),
        4: tr("满意"),
        3: tr("基本满意"),
        2: tr("不满意"),
        1: tr("非常不满意"),
    }[stars]


class CitizenView(QWidget):
    """The content of the second screen. ``confirmed``: whether the data is right; ``rated``: step and reasons."""

    confirmed = Signal(bool)
    rated = Signal(int, list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "cover")
        self.setAccessibleName(tr("群众屏"))
        self._stack = QStackedWidget()
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(8),) * 4)
        column.addWidget(self._stack)
        self._welcome = _Message()
        self._thanks = _Message()
        self._data = _Data()
        self._rating = _Rating()
        for page in (self._welcome, self._thanks, self._data, self._rating):
            self._stack.addWidget(page)
        self._data.right.clicked.connect(partial(self._answer, True))
        self._data.wrong.clicked.connect(partial(self._answer, False))
        self._rating.chosen.connect(self._rate)

    @property
    def showing(self) -> str:
        """What is on the screen: welcome, data, rating or thanks."""
        pages = {self._welcome: "welcome", self._data: "data", self._rating: "rating", self._thanks: "thanks"}
        return pages[self._stack.currentWidget()]

    def welcome(self, place: str, line: str = "") -> None:
        """Nobody's data: the window's name and a line, such as whom it calls or why it pauses."""
        self._welcome.say(place, line)
        self._stack.setCurrentWidget(self._welcome)

    def show_data(self, data: OwnData, *, ask: bool = False) -> None:
        """The citizen's own data; with ``ask`` two buttons say whether it is right."""
        self._data.show_data(data, ask)
        self._stack.setCurrentWidget(self._data)

    def ask_rating(self, title: str, reasons: Sequence[str]) -> None:
        """Five steps; ``reasons`` to choose from for the two lowest."""
        self._rating.ask(title, reasons)
        self._stack.setCurrentWidget(self._rating)

    def choose(self, stars: int) -> None:
        """A step was chosen elsewhere, at the evaluator: what is left to ask is asked here."""
        if self._stack.currentWidget() is self._rating:
            self._rating.choose(stars)

    def thank(self, line: str) -> None:
        """The end of one citizen's visit."""
        self._thanks.say(tr("谢谢"), line)
        self._stack.setCurrentWidget(self._thanks)

    @Slot(bool)
    def _answer(self, right: bool) -> None:
        if self._data.asking:  # once
            self._data.answered(right)
            self.confirmed.emit(right)

    @Slot(int, list)
    def _rate(self, stars: int, reasons: list[str]) -> None:
        if self._stack.currentWidget() is self._rating:  # once
            self.thank(tr("您的评价已收到。"))
            self.rated.emit(stars, reasons)


class _Message(QWidget):
    """A large line and a quieter one, in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self._title, self._line = Label("", "hero"), Label("", "large", wrap=True)
        column = QVBoxLayout(self)
        column.addStretch(2)
        for label in (self._title, self._line):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addStretch(3)

    def say(self, title: str, line: str) -> None:
        self._title.setText(title)
        self._line.setText(line)


class _Data(QWidget):
    """Label and value, large, and whether they are right."""

    def __init__(self) -> None:
        super().__init__()
        self.asking = False
        self._title = Label("", "display")
        self._pairs = QGridLayout()
        self._materials = Label("", "large", wrap=True)
        self._note = Label("", "large", wrap=True)
        self.right = PrimaryButton(tr("确认无误"), icon="check")
        self.wrong = Button(tr("有误，请更正"))
        self._answer = Label("", "large")
        inside = QWidget()
        body = QVBoxLayout(inside)
        body.addLayout(self._pairs)
        body.addWidget(self._materials)
        body.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(inside)
        foot = QHBoxLayout()
        foot.addWidget(self._answer, 1)
        foot.addWidget(self.wrong)
        foot.addWidget(self.right)
        column = QVBoxLayout(self)
        column.setSpacing(theme().space(4))
        column.addWidget(self._title)
        column.addWidget(area, 1)
        column.addWidget(self._note)
        column.addLayout(foot)
        self._pairs.setColumnStretch(1, 1)
        for button in (self.right, self.wrong):
            set_role(button, button.role, state="large")

    def show_data(self, data: OwnData, ask: bool) -> None:
        while entry := self._pairs.takeAt(0):
            if widget := entry.widget():
                widget.hide()
                widget.deleteLater()
        self._title.setText(data.title)
        self._pairs.setHorizontalSpacing(theme().space(6))
        self._pairs.setVerticalSpacing(theme().space(3))
        for row, (name, value) in enumerate(data.pairs):
            label, text = Label(name, "large"), Label(value, "large", wrap=True)
            set_role(label, "large", state="quiet")
            text.setAccessibleName(f"{name} {value}")
            self._pairs.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            self._pairs.addWidget(text, row, 1)
        self._materials.setText("\n".join(data.materials))
        self._note.setVisible(bool(data.note))
        self._note.setText(data.note)
        self._answer.setText("")
        self.asking = ask
        self.right.setVisible(ask)
        self.wrong.setVisible(ask)

    def answered(self, right: bool) -> None:
        self.asking = False
        self.right.hide()
        self.wrong.hide()
        self._answer.setText(tr("您已确认。") if right else tr("请告诉工作人员哪里有误。"))


class _Rating(QWidget):
    """Five steps, and reasons for the two lowest."""

    chosen = Signal(int, list)

    def __init__(self) -> None:
        super().__init__()
        self._title = Label(tr("请您评价本次服务"), "hero")
        self._subject = Label("", "large", wrap=True)
        self._steps = {stars: Button(step_name(stars)) for stars in STEPS}
        self._why = Label(tr("请选择原因，可多选"), "large")
        self._reasons = QVBoxLayout()
        self._boxes: list[QCheckBox] = []
        self.send = PrimaryButton(tr("提交评价"))
        self._low = 0
        steps = QHBoxLayout()
        steps.setSpacing(theme().space(3))
        column = QVBoxLayout(self)
        column.addStretch(1)
        for label in (self._title, self._subject):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        for stars, button in self._steps.items():
            set_role(button, button.role, state="large")
            button.setCheckable(True)
            button.clicked.connect(partial(self._step, stars))
            steps.addWidget(button)
        column.addLayout(steps)
        column.addWidget(self._why)
        column.addLayout(self._reasons)
        column.addWidget(self.send, 0, Qt.AlignmentFlag.AlignCenter)
        column.addStretch(1)
        column.setSpacing(theme().space(5))
        set_role(self.send, self.send.role, state="large")
        self.send.clicked.connect(self._send)

    def ask(self, title: str, reasons: Sequence[str]) -> None:
        self._low = 0
        self._subject.setText(title)
        for box in self._boxes:
            self._reasons.removeWidget(box)
            box.hide()
            box.deleteLater()
        self._boxes = [QCheckBox(reason.replace("&", "&&")) for reason in reasons]
        for box, reason in zip(self._boxes, reasons, strict=True):
            box.setAccessibleName(reason)
            set_role(box, "large")
            box.toggled.connect(self._touched)
            self._reasons.addWidget(box, 0, Qt.AlignmentFlag.AlignCenter)
        for button in self._steps.values():
            button.setChecked(False)
        self._show_reasons(False)

    def choose(self, stars: int) -> None:
        self._step(stars)

    @Slot()
    def _step(self, stars: int) -> None:
        for other, button in self._steps.items():
            button.setChecked(other == stars)
        if stars >= REASONS_BELOW or not self._boxes:
            self.chosen.emit(stars, [])
        else:
            self._low = stars
            self._show_reasons(True)

    def _show_reasons(self, shown: bool) -> None:
        for widget in (self._why, self.send, *self._boxes):
            widget.setVisible(shown)
        self._touched()

    @Slot()
    def _touched(self) -> None:
        self.send.setEnabled(any(box.isChecked() for box in self._boxes))

    @Slot()
    def _send(self) -> None:
        self.chosen.emit(self._low, [box.accessibleName() for box in self._boxes if box.isChecked()])
