"""The hall's screen (综合屏): the newest calls, the windows two by two, who waits, and which windows pause. C03, C13.

It shows numbers and windows, never a name. Nothing on it moves: a new call stands out by its ground for a while.
"""

from __future__ import annotations

from datetime import date

from PySide6.QtCore import QTimer, Signal, Slot
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from client.widgets.basics import ElidedLabel, Label
from client.widgets.theme import set_role, theme
from modules.acceptance.domain import queue
from modules.acceptance.domain.queue import ScreenCall
from modules.acceptance.domain.windows import is_stopped
from modules.acceptance.ui.hall.picture import Picture
from modules.common.aggregate import Doc
from modules.common.text import tr

NEW_MS = 10_000
"""How long a call stands out."""
ROWS = 4


class HallBoard(QWidget):
    """The content of the hall's screen. ``shown``: it came into sight or went out of it."""

    shown = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        set_role(self, "cover")
        self.setAccessibleName(tr("综合屏"))
        self.title, self.time = Label("", "large"), Label("", "large")
        self.voice = Label("", "quiet", wrap=True)
        self.calls = [CallRow() for _ in range(ROWS)]
        self.groups = Label("", "large", wrap=True)
        self.pauses = Label("", "large", wrap=True)
        self.screens: list[ScreenCard] = []
        self._grid = QGridLayout()
        self._known: set[tuple[str, str, int]] | None = None
        self._until = QTimer(self)
        self._until.setSingleShot(True)
        self._until.setInterval(NEW_MS)
        self._until.timeout.connect(self._calm)
        head = QHBoxLayout()
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.time)
        left = QVBoxLayout()
        left.setSpacing(theme().space(3))
        for row in self.calls:
            left.addWidget(row, 1)
        left.addWidget(self.voice)
        side = QFrame()
        set_role(side, "card")
        right = QVBoxLayout(side)
        right.setContentsMargins(*(theme().space(4),) * 4)
        right.addWidget(Label(tr("等候人数"), "heading"))
        right.addWidget(self.groups)
        self._pause_title = Label(tr("暂停办理的窗口"), "heading")
        right.addWidget(self._pause_title)
        right.addWidget(self.pauses)
        right.addStretch(1)
        middle = QHBoxLayout()
        middle.setSpacing(theme().space(4))
        middle.addLayout(left, 3)
        middle.addWidget(side, 1)
        self._grid.setSpacing(theme().space(3))
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(4))
        column.addLayout(head)
        column.addLayout(middle, 1)
        column.addLayout(self._grid)

    def show_picture(self, picture: Picture, hall: str, time: str) -> None:
        """Show the hall as it stands; calls that were not there before stand out."""
        self.title.setText(hall)
        self.time.setText(time)
        calls = picture.calls[:ROWS]
        seen = {(call.window_id, call.at, call.calls) for call in picture.calls}
        new = set() if self._known is None else seen - self._known
        self._known = seen
        for place, row in enumerate(self.calls):
            call = calls[place] if place < len(calls) else None
            row.show_call(call, largest=place == 0)
            if call is not None and (call.window_id, call.at, call.calls) in new:
                row.stand_out(True)
        if new:
            self._until.start()
        newest = calls[0] if calls else None
        self.voice.setText(tr("语音：{text}", text=queue.voice_text(newest.number, newest.window)) if newest else "")
        self.groups.setText(
            "\n".join(
                tr("{group} {name}  {n} 人", group=group, name=name, n=n) for group, (name, n) in picture.groups.items()
            )
        )
        paused = [
            tr("{window}：{text}", window=seat.window["name"], text=text)
            for seat in picture.seats
            if (text := pause_text(seat.window, picture.day))
        ]
        self._pause_title.setVisible(bool(paused))
        self.pauses.setText("\n".join(paused))
        self._show_screens(picture)

    def _show_screens(self, picture: Picture) -> None:
        while len(self.screens) > len(picture.screens):
            gone = self.screens.pop()
            self._grid.removeWidget(gone)
            gone.deleteLater()
        while len(self.screens) < len(picture.screens):
            card = ScreenCard()
            place = len(self.screens)
            self._grid.addWidget(card, place // 5, place % 5)
            self.screens.append(card)
        for card, pair in zip(self.screens, picture.screens, strict=True):
            card.show_windows(pair, picture)

    @Slot()
    def _calm(self) -> None:
        for row in self.calls:
            row.stand_out(False)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown.emit(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.shown.emit(False)


class CallRow(QFrame):
    """One call, large."""

    def __init__(self) -> None:
        super().__init__()
        self.number, self.where = Label("", "hero"), Label("", "large")
        row = QHBoxLayout(self)
        row.setContentsMargins(theme().space(6), theme().space(2), theme().space(6), theme().space(2))
        row.setSpacing(theme().space(6))
        row.addWidget(self.number)
        row.addWidget(self.where, 1)
        self.new = False
        self.stand_out(False)

    def show_call(self, call: ScreenCall | None, *, largest: bool) -> None:
        """A call, or an empty line; the newest is the largest."""
        if call is None or (self.number.text(), self.where.text()) != (call.number, _where(call)):
            self.stand_out(False)
        self.number.setText(call.number if call else "")
        self.where.setText(_where(call) if call else tr("现在没有叫号") if largest else "")
        role = "hero" if largest and call else "large"
        if self.where.property("role") != role:
            set_role(self.where, role)
        self.setAccessibleName(call.text if call else "")

    def stand_out(self, new: bool) -> None:
        """By its ground and a word, not by movement."""
        self.new = new
        set_role(self, "banner" if new else "card")


def _where(call: ScreenCall) -> str:
    return tr("正在{window}办理", window=call.window) if call.serving else tr("请到{window}", window=call.window)


class ScreenCard(QFrame):
    """A screen above the counter: one window, or two (双号双呼)."""

    def __init__(self) -> None:
        super().__init__()
        set_role(self, "card")
        self._halves = [(Label("", "small"), Label("", "display"), ElidedLabel("", "small")) for _ in range(2)]
        row = QHBoxLayout(self)
        row.setContentsMargins(*(theme().space(3),) * 4)
        for half in self._halves:
            column = QVBoxLayout()
            for label in half:
                column.addWidget(label)
            row.addLayout(column, 1)

    def show_windows(self, pair: tuple[Doc, ...], picture: Picture) -> None:
        """The windows of this screen and the numbers that they have."""
        said = []
        for place, (name, number, line) in enumerate(self._halves):
            window = pair[place] if place < len(pair) else None
            held = picture.held.get(str(window["id"])) if window else None
            name.setText(str(window["name"]) if window else "")
            number.setText(str(held["number"]) if held else "–" if window else "")
            line.setText(pause_text(window, picture.day) if window else "")
            for label in (name, number, line):
                label.setVisible(window is not None)
            if window:
                said.append(" ".join((str(window["name"]), number.text(), line.text())))
        self.setAccessibleName(tr("；").join(said))


def pause_text(window: Doc, day: date) -> str:
    """What a window's screen says while it pauses or is out of use."""
    paused, stopped = window["state"]["suspended"], window["state"]["stopped"]
    if is_stopped(window, day):
        until = tr("（至 {day}）", day=stopped["until"]) if stopped["until"] else ""
        return tr("停用：{text}{until}", text=stopped["text"], until=until)
    return str(paused["text"]) if paused and window["state"]["signed_in"] else ""
