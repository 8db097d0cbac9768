"""The chosen window: who sits there, whom it calls next and why, and what the hall's manager may do about it."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from client.widgets.basics import Button, DangerButton, Label, LinkButton, SectionTitle, StateLabel
from client.widgets.flow import flowing
from client.widgets.tables import Column, Memory, RecordTable
from client.widgets.theme import set_role, theme
from modules.acceptance.domain import queue, windows
from modules.acceptance.domain.queue import Place
from modules.acceptance.services.windows import Seat
from modules.acceptance.ui.hall.picture import LOOK, Line
from modules.common.aggregate import Doc
from modules.common.text import tr


class WindowPane(QWidget):
    """Shows one window. Each signal asks for what its button says."""

    pause_wanted = Signal()
    resume_wanted = Signal()
    stop_wanted = Signal()
    reopen_wanted = Signal()
    leave_wanted = Signal()
    strategy_wanted = Signal()

    def __init__(self, memory: Memory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.seat: Seat | None = None
        set_role(self, "card")
        self.title = SectionTitle("")
        self.state = StateLabel()
        self.about = Label("", "quiet", wrap=True)
        self.waiting = Label("", "strong", wrap=True)
        self.order = Label("", wrap=True)
        self.pause = Button(tr("暂停…"), icon="pause")
        self.resume = Button(tr("恢复办理"), icon="play")
        self.leave = Button(tr("退出窗口登录"), icon="log-out")
        self.stop = DangerButton(tr("停用窗口…"), icon="ban")
        self.reopen = Button(tr("重新启用"), icon="check")
        self.strategy = LinkButton(tr("调整策略…"))
        columns = [
            Column("place", tr("次序"), lambda row: str(row[0]), 3, sort=lambda row: row[0], numeric=True),
            Column("number", tr("号"), lambda row: str(row[1].ticket["number"]), 4),
            Column("reason", tr("为什么排在这里"), lambda row: str(row[1].reason), 14, stretch=True),
        ]
        self.line = RecordTable(
            columns,
            title=tr("等候的人"),
            name="acceptance.hall.line",
            key=lambda row: str(row[1].ticket["id"]),
            memory=memory,
        )
        head = QHBoxLayout()
        head.addWidget(self.title)
        head.addWidget(self.state, 1)
        order = QHBoxLayout()
        order.addWidget(self.order, 1)
        order.addWidget(self.strategy)
        buttons = flowing(self.pause, self.resume, self.leave, self.stop, self.reopen)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(3),) * 4)
        column.setSpacing(theme().space(2))
        column.addLayout(head)
        column.addWidget(self.about)
        column.addWidget(buttons)
        column.addWidget(self.waiting)
        column.addLayout(order)
        column.addWidget(self.line, 1)
        for button, signal in (
            (self.pause, self.pause_wanted),
            (self.resume, self.resume_wanted),
            (self.leave, self.leave_wanted),
            (self.stop, self.stop_wanted),
            (self.reopen, self.reopen_wanted),
            (self.strategy, self.strategy_wanted),
        ):
            button.clicked.connect(signal)

    def show_seat(self, seat: Seat, held: Doc | None, settings: Doc) -> None:
        """The window itself."""
        self.seat = seat
        window, standing = seat.window, seat.standing
        state = window["state"]
        self.title.setText(tr("{name}（{group} 队列）", name=window["name"], group=window["group"]))
        words = standing.name
        if standing.since:
            words = tr("{state}，自 {at}", state=standing.name, at=windows.at_words(standing.since))
        self.state.show_state(LOOK[standing.state], words)
        parts = [part for part in (str(window["area"]), str(window["kind"]), standing.words) if part]
        if held is not None and held["item"]:
            parts.append(tr("事项：{item}", item=held["item"]["name"]))
        self.about.setText(" · ".join(parts))
        group = settings["groups"].get(window["group"], {})
        own = tr("本窗策略") if window["strategy"] else tr("队列策略") if group.get("strategy") else tr("缺省策略")
        order = windows.strategy_words(windows.strategy_of(window, settings))
        self.order.setText(tr("{own}：{words}", own=own, words=order))
        signed, stopped = state["signed_in"] is not None, state["stopped"] is not None
        self.pause.setVisible(signed and state["suspended"] is None)
        self.resume.setVisible(signed and state["suspended"] is not None)
        self.leave.setVisible(signed)
        self.stop.setVisible(not stopped)
        self.reopen.setVisible(stopped)

    def show_line(self, line: Line) -> None:
        """Who waits for it."""
        kinds = ((queue.BOOKED, tr("预约")), (queue.PRIORITY, tr("优先")), (queue.WALK_IN, tr("现场")),
                 (queue.LATE, tr("久候")))  # fmt: skip
        parts = [tr("{kind} {n}", kind=name, n=n) for kind, name in kinds if (n := line.waiting.by_kind.get(kind, 0))]
        total = tr("等候 {n} 人", n=line.waiting.total)
        waiting = tr("{total}（{parts}）", total=total, parts=tr("、").join(parts)) if parts else total
        first = next_words(line.places)
        self.waiting.setText(tr("；").join([waiting, tr("今日已办 {n} 人", n=line.served), first]))
        self.line.show_rows(list(enumerate(line.places, start=1)), empty=tr("现在没有人等候。"))


def next_words(places: list[Place]) -> str:
    """Who is next, and why."""
    if not places:
        return tr("没有下一位")
    return tr("下一位 {number}：{why}", number=places[0].ticket["number"], why=places[0].reason)
