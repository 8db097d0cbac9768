"""The line in front of the window: who is called and why, who waits, and the keys of a counter (F2, F3, Shift+F2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Session
from client.kernel.settings import Settings
from client.widgets.basics import Banner, Button, ComboBox, ElidedLabel, Label, LineEdit, PrimaryButton, StateLabel
from client.widgets.dialogs import TextDialog
from client.widgets.flow import flowing
from client.widgets.theme import set_role, theme
from modules.acceptance.domain import queue, windows
from modules.acceptance.services.queue import Call, QueueService
from modules.acceptance.services.wiring import queue_of
from modules.acceptance.ui.say import say_error
from modules.acceptance.ui.work import PageWork
from modules.common.aggregate import Doc
from modules.common.text import tr

MEMORY = "acceptance.window"
"""The window at which this computer was used last."""


@dataclass(frozen=True, slots=True)
class Line:
    """The window's line as it was read in one piece."""

    windows: list[Doc]
    window: Doc | None
    current: Doc | None
    waiting: int
    next_reason: str
    skipped: list[Doc]
    told: list[tuple[Doc, str]]
    pauses: list[str]


class CallBar(QWidget):
    """Calls people to the window. ``arrived`` brings the ticket that was called, ``left`` says that it is gone.

    Without windows in the hall the bar hides itself: a counter may work without a queue.
    """

    arrived = Signal(object)
    left = Signal()
    paused = Signal(str)
    """The text of a pause for the citizen's screen; empty when work goes on."""

    def __init__(self, host: Host, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._host = host
        self._service: QueueService = queue_of(host)
        self._work = PageWork(host)
        self._memory = host.service(Settings)
        self._session = host.service(Session)  # type: ignore[type-abstract]
        self._line = Line([], None, None, 0, "", [], [], [])
        self._reading = self._again = self._acting = False
        self._window_id = str(self._memory.recall(MEMORY) or "")
        self._silent: list[str] = []
        set_role(self, "bar")
        self.counter = ComboBox(tr("窗口"))
        self.state = StateLabel("quiet", "")
        self.current = Label("", "title")
        self.about = ElidedLabel("", "quiet")
        self.waiting = Label("", "strong")
        self.call = PrimaryButton(tr("叫号"), icon="megaphone", shortcut="F2")
        self.recall = Button(tr("重呼"), shortcut="F3")
        self.skip = Button(tr("过号"), icon="skip-forward")
        self.finish = Button(tr("结束"), icon="check")
        self.pause = Button(tr("暂停"), icon="pause", shortcut="Shift+F2")
        self.more = Button(tr("更多"), icon="list")
        self.banner = Banner()
        row = QHBoxLayout()
        row.setSpacing(theme().space(2))
        row.addWidget(flowing(self.counter, self.state, self.current))
        row.addWidget(self.about, 1)
        row.addWidget(flowing(self.waiting, self.call, self.recall, self.skip, self.finish, self.pause, self.more))
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(2),) * 4)
        column.addLayout(row)
        column.addWidget(self.banner)
        self.counter.activated.connect(self._choose_window)
        self.call.clicked.connect(self._call)
        self.recall.clicked.connect(self._recall)
        self.skip.clicked.connect(self._skip)
        self.finish.clicked.connect(self._finish)
        self.pause.clicked.connect(self._pause)
        self.more.clicked.connect(self._show_more)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        self.hide()
        self._read()

    @property
    def ticket(self) -> Doc | None:
        """The ticket that is called or served here."""
        return self._line.current

    @property
    def place(self) -> str:
        """The window's name, or nothing where no queue is worked."""
        return str(self._line.window["name"]) if self._line.window else ""

    def serve(self) -> None:
        """The person who was called is here: their card was read, or their case was begun."""
        ticket = self._line.current
        if ticket and ticket["state"] == queue.CALLED and not self._acting:
            # known at once: card, case and acceptance may all say so before the line is read again
            self._line = replace(self._line, current={**ticket, "state": queue.SERVING})
            self._act(lambda: self._service.serve(self._window_id))

    def close_bar(self) -> None:
        """Called when the page closes."""
        self._end_events()
        self._work.close()

    # -- reading ------------------------------------------------------------------------------------

    def _records_changed(self, event: RecordsChanged) -> None:
        if event.touches(queue.KIND) or event.touches(windows.KIND):
            self._read()

    def _read(self) -> None:
        if self._work.closed:
            return
        if self._reading:
            self._again = True
            return
        self._reading = True
        wanted, here = self._window_id, self._session.place

        def read(token: object) -> Line:
            mine = self._service.my_windows()
            by_id = {str(doc["id"]): doc for doc in mine}
            window = by_id.get(wanted) or next((doc for doc in mine if doc["name"] == here), mine[0] if mine else None)
            pauses = [str(text) for text in self._service.hall.settings()["texts"]["suspend"]]
            if window is None:
                return Line(mine, None, None, 0, "", [], [], pauses)
            id = str(window["id"])
            line = self._service.line(id)
            return Line(
                mine,
                window,
                self._service.current(id),
                len(line),
                line[0].reason if line else "",
                self._service.skipped(),
                self._service.told(id),
                pauses,
            )

        self._work.run("read", read, done=self._show, failed=self._not_read)

    def _not_read(self, error: BaseException) -> None:
        self._reading = False
        self.show()
        say_error(self.banner, error)

    def _show(self, line: Line) -> None:
        self._reading = False
        before, self._line = self._line, line
        self.setVisible(line.window is not None)
        if self._again:
            self._again = False
            self._read()
        if line.window is None:
            return
        self._window_id = str(line.window["id"])
        names = [(str(doc["name"]), str(doc["id"])) for doc in line.windows]
        if names != [(self.counter.itemText(row), self.counter.itemData(row)) for row in range(self.counter.count())]:
            self.counter.clear()
            for name, id in names:
                self.counter.addItem(name, id)
        self.counter.setCurrentIndex(self.counter.findData(self._window_id))
        signed, suspended = line.window["state"]["signed_in"], line.window["state"]["suspended"]
        mine = signed is not None and signed["id"] == self._session.actor.id
        state, words = self._state(signed, suspended, mine)
        self.state.show_state(state, words)
        ticket = line.current
        self.current.setText(str(ticket["number"]) if ticket else "")
        self.current.setVisible(ticket is not None)
        self.about.setText(_about(ticket) if ticket else line.next_reason and tr("下一位：{why}", why=line.next_reason))
        self.waiting.setText(tr("等候 {n} 人", n=line.waiting))
        called = ticket is not None and ticket["state"] == queue.CALLED
        serving = ticket is not None and ticket["state"] == queue.SERVING
        self.call.set_label(tr("叫号") if mine else tr("登录窗口"))
        self.call.setEnabled(not suspended and not called and not self._acting)
        for button, shown in ((self.recall, called), (self.skip, called), (self.finish, serving)):
            button.setVisible(shown)
            button.setEnabled(not self._acting)
        self.pause.setVisible(mine and not called and not serving)
        self.pause.set_label(tr("恢复") if suspended else tr("暂停"))
        if line.told:
            self.banner.say(line.told[0][1], "due", code="ACC-359", action=tr("知道了"))
        was = before.window["state"]["suspended"] if before.window else None
        if suspended != was:
            self.paused.emit(str(suspended["text"]) if suspended else "")

    def _state(self, signed: Any, suspended: Any, mine: bool) -> tuple[str, str]:
        if suspended:
            return "paused", tr("暂停办理：{text}", text=suspended["text"])
        if mine:
            return ("info", tr("正在办理")) if self._line.current else ("good", tr("空闲"))
        if signed:
            return "due", tr("{name}已登录", name=signed["name"])
        return "quiet", tr("未登录")

    # -- acting -------------------------------------------------------------------------------------

    def _act(self, work: Callable[[], Any], done: Callable[[Any], None] | None = None) -> None:
        """One thing at a time, on lane ``data``; what goes wrong is said, and the line is read again."""
        if self._acting:
            return
        self._acting = True
        self.banner.clear()

        def ended(result: Any) -> None:
            self._acting = False
            if self._work.closed:
                return
            if done:
                done(result)
            self._read()

        def failed(error: BaseException) -> None:
            self._acting = False
            if not self._work.closed:
                say_error(self.banner, error)
                self._read()

        # not the page's work: a call that was made is made, even if the page is left at once
        self._host.run("data", lambda token: work(), done=ended, failed=failed)

    @Slot()
    def _choose_window(self) -> None:
        self._window_id = str(self.counter.currentData())
        self._memory.remember(MEMORY, self._window_id)
        self._act(lambda: self._service.sign_in(self._window_id))

    @Slot()
    def _call(self) -> None:
        """F2: sign in first, end what was served, then the next. Nobody waits: it is said."""
        line, id = self._line, self._window_id
        if line.window is None or not self.call.isEnabled():
            return
        signed = line.window["state"]["signed_in"]
        if signed is None or signed["id"] != self._session.actor.id:
            self._act(lambda: self._service.sign_in(id))
            return
        serving = line.current is not None and line.current["state"] == queue.SERVING

        def work() -> Call | None:
            if serving:
                self._service.finish(id)
            return self._service.call_next(id)

        if serving:
            self.left.emit()
        self._act(work, self._called)

    def _called(self, call: Call | None) -> None:
        if call is None:
            self.banner.say(tr("现在没有人等候。"), "info")
            return
        ticket = call.ticket.doc
        self._line = replace(self._line, current=ticket)
        self.arrived.emit(ticket)
        # silent calling: a message that fails keeps nobody waiting
        self._work.run("net", lambda token: self._service.call_silently(ticket), failed=self._not_told)

    def _not_told(self, error: BaseException) -> None:
        say_error(self.banner, error)

    @Slot()
    def _recall(self) -> None:
        self._act(lambda: self._service.recall(self._window_id))

    @Slot()
    def _skip(self) -> None:
        self.left.emit()
        self._act(lambda: self._service.skip(self._window_id))

    @Slot()
    def _finish(self) -> None:
        self.left.emit()
        self._act(lambda: self._service.finish(self._window_id))

    @Slot()
    def _pause(self) -> None:
        if self._line.window is None:
            return
        if self._line.window["state"]["suspended"]:
            self._act(lambda: self._service.resume(self._window_id))
            return
        dialog = TextDialog(
            tr("暂停办理"), tr("屏幕上显示的话"), self, phrases=self._line.pauses, longest=windows.LONGEST_TEXT
        )
        if self._line.pauses:
            dialog.text.setText(self._line.pauses[0])
        dialog.given.connect(self._suspend)
        dialog.open()

    @Slot(str)
    def _suspend(self, text: str) -> None:
        self._act(lambda: self._service.suspend(self._window_id, text))

    @Slot()
    def _show_more(self) -> None:
        """What is needed less often: a number on paper, a transfer, people who came late, leaving the window."""
        menu = QMenu(self)
        menu.addAction(tr("凭纸号叫号…"), self._ask_number)
        if self._line.current is not None:
            to = menu.addMenu(tr("转到"))
            for doc in self._line.windows:
                if doc["id"] != self._window_id:
                    to.addAction(str(doc["name"]), partial(self._transfer, str(doc["id"])))
        if self._line.skipped:
            late = menu.addMenu(tr("过号重排"))
            for ticket in self._line.skipped[:10]:
                late.addAction(str(ticket["number"]), partial(self._requeue, str(ticket["id"])))
        menu.addAction(tr("离开窗口"), self._leave)
        menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    @Slot()
    def _ask_number(self) -> None:
        box = LineEdit(tr("纸上的号，如 A017"))
        dialog = TextDialog(
            tr("叫这个号"),
            tr("备注"),
            self,
            consequence=tr("纸上的号在本机查不到时（例如断网），也可以凭纸办理；联网后自动核对，重号会提示。"),
            optional=True,
            extra=box,
        )
        dialog.text.hide()
        box.submitted.connect(dialog.go.click)
        box.setFocus()

        def given(_words: str) -> None:
            number = box.text()
            self._act(lambda: self._service.call_number(self._window_id, number), self._called)

        dialog.given.connect(given)
        dialog.open()
        box.setFocus()

    def _transfer(self, window_id: str) -> None:
        self.left.emit()
        self._act(lambda: self._service.transfer(self._window_id, to_window=window_id))

    def _requeue(self, ticket_id: str) -> None:
        self._act(lambda: self._service.requeue(self._window_id, ticket_id))

    @Slot()
    def _leave(self) -> None:
        self._act(lambda: self._service.sign_out(self._window_id))


def _about(ticket: Doc) -> str:
    """Who it is, for what, and why now."""
    parts = [
        str(ticket["person"].get("name", "")),
        str(ticket["item"]["name"]) if ticket["item"] else "",
        str(ticket["reason"] or ""),
    ]
    return " · ".join(part for part in parts if part)
