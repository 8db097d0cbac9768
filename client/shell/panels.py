"""What the drawer shows: unsent work, devices, notices, help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QListView, QVBoxLayout, QWidget

from client.kernel.commands import Command
from client.kernel.contract import Host, Token
from client.kernel.events import SyncChanged
from client.shell.chrome import DEVICE_LOOK, device_state, sync_words
from client.shell.ports import Desk, Unsent
from client.shell.words import moment
from client.widgets.basics import (
    Button,
    Card,
    ConfirmDialog,
    DangerButton,
    EmptyState,
    IconLabel,
    Label,
    LinkButton,
    LoadingState,
    PrimaryButton,
    SectionTitle,
)
from client.widgets.notices import NoticeModel
from client.widgets.theme import theme
from devices.ports import DeviceState, DeviceStatus
from modules.common.clock import Clock
from modules.common.text import aside, together, tr


class Panel(QWidget):
    """A column of things inside the drawer."""

    def __init__(self) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, theme().space(2), 0)
        self.column.setSpacing(theme().space(3))
        self.column.setAlignment(Qt.AlignmentFlag.AlignTop)


def _clear(column: QVBoxLayout) -> None:
    while column.count():
        widget = column.takeAt(0).widget()
        widget.hide()
        widget.deleteLater()


class SyncPanel(Panel):
    """What waits, what was refused and why, and the way to try at once."""

    def __init__(self, host: Host, desk: Desk, clock: Clock, sync: SyncChanged, pages: Mapping[str, str]) -> None:
        """``pages``: which page shows the records of a kind."""
        super().__init__()
        self._host = host
        self._pages = pages
        self._desk = desk
        self._clock = clock
        self._token: Token | None = None
        self._unsent: Sequence[Unsent] | None = None
        self._dropped: set[str] = set()
        self._mark = IconLabel("dot")
        self._state = Label(role="strong", wrap=True)
        row = QHBoxLayout()
        row.addWidget(self._mark)
        row.addWidget(self._state, 1)
        self._reason = Label(role="quiet", wrap=True, selectable=True)
        self.retry = PrimaryButton(tr("立即重试"), icon="refresh-cw")
        self.retry.clicked.connect(self._retry)
        self._list = QVBoxLayout()
        self._list.setSpacing(theme().space(3))
        self._list.addWidget(LoadingState())
        self.column.addLayout(row)
        self.column.addWidget(self._reason)
        self.column.addWidget(self.retry)
        self.column.addLayout(self._list)
        self.refresh(sync)

    def refresh(self, sync: SyncChanged) -> None:
        """Say how it stands now; the list is asked for again, and changes only where it must."""
        icon, color, said = sync_words(sync)
        self._mark.show_icon(icon, color)
        self._state.setText(said)
        self._reason.setText(sync.reason)
        self._reason.setVisible(bool(sync.reason))
        self.retry.set_label(tr("立即重试"))
        self.retry.setEnabled(True)
        if self._token is not None:
            self._token.cancel()
        self._token = self._host.run("read", self._read, done=self._show, name=tr("读取待传件"))

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._token is not None:
            self._token.cancel()
        super().closeEvent(event)

    def _read(self, _token: Token) -> Sequence[Unsent]:
        return self._desk.unsent()

    def _retry(self) -> None:
        self._desk.sync_now()
        self.retry.set_label(tr("正在重试…"))
        self.retry.setEnabled(False)

    def _show(self, unsent: Sequence[Unsent]) -> None:
        if unsent == self._unsent:
            return
        self._unsent = unsent
        _clear(self._list)
        refused = [each for each in unsent if each.refused and each.cmd_id not in self._dropped]
        waiting = [each for each in unsent if not each.refused]
        for title, group in (
            (tr("被服务器退回 {n} 件", n=len(refused)), refused),
            (tr("等待传送 {n} 件", n=len(waiting)), waiting),
        ):
            if group:
                self._list.addWidget(SectionTitle(title))
            for each in group:
                self._list.addWidget(self._card(each))
        if not refused and not waiting:
            self._list.addWidget(EmptyState("check-check", tr("没有待传的件，都已送达服务器。")))

    def _card(self, each: Unsent) -> Card:
        card = Card()
        card.body.addWidget(Label(each.title, "strong", wrap=True))
        when = moment(each.given_at, self._clock.now())
        facts = " · ".join(part for part in (each.number, when, each.given_by) if part)
        card.body.addWidget(Label(facts, "small", wrap=True, selectable=True))
        if each.refused:
            card.body.addWidget(Label(together(each.reason, aside(each.code)), "fault", wrap=True, selectable=True))
        row = QHBoxLayout()
        kind, id = each.record
        if page := self._pages.get(kind):
            see = LinkButton(tr("打开此件"))
            see.clicked.connect(partial(self._host.open_page, page, **{kind: id}))
            row.addWidget(see)
        if each.refused:
            dismiss = DangerButton(tr("已另行处理，移出"))
            dismiss.clicked.connect(partial(self._ask, each))
            row.addStretch(1)
            row.addWidget(dismiss)
        else:
            row.addStretch(1)
        card.body.addLayout(row)
        return card

    def _ask(self, each: Unsent) -> None:
        words = tr("“{title}”将从退回列表移出，不再提醒。它没有在服务器上生效。", title=each.title)
        dialog = ConfirmDialog(tr("移出退回列表"), words, parent=self.window())
        dialog.accepted.connect(partial(self._drop, each))
        dialog.open()

    def _drop(self, each: Unsent) -> None:
        self._host.run("data", lambda token: self._desk.drop_refused(each.cmd_id), name=tr("移出退回列表"))
        self._dropped.add(each.cmd_id)
        unsent, self._unsent = self._unsent or (), None
        self._show(unsent)


class DevicesPanel(Panel):
    """Each device: its state in words, what to do, since when."""

    def __init__(self, statuses: Sequence[DeviceStatus], clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.refresh(statuses)

    def refresh(self, statuses: Sequence[DeviceStatus]) -> None:
        """Say how they are now."""
        _clear(self.column)
        if not statuses:
            self.column.addWidget(EmptyState("printer", tr("这台电脑没有配置设备。")))
        for status in statuses:
            self.column.addWidget(self._card(status))

    def _card(self, status: DeviceStatus) -> Card:
        card = Card()
        icon, color = DEVICE_LOOK[status.state]
        row = QHBoxLayout()
        row.addWidget(IconLabel(icon, color))
        row.addWidget(Label(status.name, "strong"), 1)
        if status.simulated:
            row.addWidget(Label(tr("模拟"), "source"))
        card.body.addLayout(row)
        said = status.text or device_state(status.state)
        card.body.addWidget(Label(said + (f"({status.code})" if status.code else ""), wrap=True, selectable=True))
        if status.advice and status.state is not DeviceState.READY:
            card.body.addWidget(Label(status.advice, "quiet", wrap=True))
        card.body.addWidget(Label(tr("自 {when}", when=moment(status.since, self._clock.now())), "small"))
        return card


class NoticesPanel(Panel):
    """Everything that was said, newest first."""

    def __init__(self, notices: NoticeModel) -> None:
        super().__init__()
        if not notices.rowCount():
            self.column.addWidget(EmptyState("bell", tr("还没有消息。")))
            return
        self.column.setAlignment(Qt.AlignmentFlag(0))
        view = QListView()
        view.setAccessibleName(tr("消息"))
        view.setModel(notices)
        view.setWordWrap(True)
        view.setResizeMode(QListView.ResizeMode.Adjust)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.column.addWidget(view, 1)


class HelpPanel(Panel):
    """The keys, what this is, and the way to those who mend it."""

    diagnostics = Signal()

    def __init__(self, commands: Sequence[Command], about: str) -> None:
        super().__init__()
        self.column.addWidget(SectionTitle(tr("快捷键")))
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme().space(4))
        rows = [(command.shortcut, command.title) for command in commands if command.shortcut]
        rows += [
            ("Esc", tr("返回一步，不丢失输入")),
            ("/", tr("在列表中：到搜索框")),
            ("F4", tr("受理时：读卡")),
            ("F8", tr("受理时：受理")),
            ("F9", tr("受理后：打印")),
        ]
        for number, (keys, title) in enumerate(rows):
            shown = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText) or keys
            grid.addWidget(Label(shown, "strong"), number, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(Label(title, wrap=True), number, 1)
        grid.setColumnStretch(1, 1)
        self.column.addLayout(grid)
        self.column.addWidget(SectionTitle(tr("关于")))
        self.column.addWidget(Label(about, "quiet", wrap=True, selectable=True))
        save = Button(tr("保存诊断包"), icon="download")
        save.clicked.connect(self.diagnostics)
        self.column.addWidget(save, 0, Qt.AlignmentFlag.AlignLeft)


class ForbiddenPane(EmptyState):
    """A page that this person may not see."""

    def __init__(self) -> None:
        super().__init__("lock", tr("您没有查看这里的权限。如有需要，请联系安全管理员。（AUTH-403）"))


class FailurePane(QWidget):
    """A page whose module could not be loaded: why, and the text for those who mend it. The rest goes on."""

    def __init__(self, title: str, reason: str, copy: Callable[[], None], back: Callable[[], None]) -> None:
        super().__init__()
        card = Card(tr("“{title}”打不开", title=title))
        words = Label(reason, wrap=True, selectable=True)
        row = QHBoxLayout()
        self.copy = Button(tr("复制诊断"), icon="copy")
        self.copy.clicked.connect(copy)
        home = LinkButton(tr("回首页"))
        home.clicked.connect(back)
        row.addWidget(self.copy)
        row.addWidget(home)
        row.addStretch(1)
        top = QHBoxLayout()
        top.addWidget(IconLabel("octagon-alert", "red"))
        top.addWidget(words, 1)
        card.body.addLayout(top)
        card.body.addLayout(row)
        card.setMaximumWidth(theme().text_width(44))
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.addWidget(card, 0, Qt.AlignmentFlag.AlignTop)
        self.setFocusProxy(self.copy)
