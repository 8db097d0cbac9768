"""What the drawer shows: unsent work, devices, notices, help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
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
from modules.common.text import tr


class Panel(QWidget):
    """A column of things inside the drawer."""

    def __init__(self) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, theme().space(2), 0)
        self.column.setSpacing(theme().space(3))
        self.column.setAlignment(Qt.AlignmentFlag.AlignTop)

    def headline(self, icon: str, color: str, text: str) -> None:
        """The state in one line."""
        row = QHBoxLayout()
        row.addWidget(IconLabel(icon, color))
        row.addWidget(Label(text, "strong", wrap=True), 1)
        self.column.addLayout(row)


class SyncPanel(Panel):
    """What waits, what was refused and why, and the way to try at once."""

    def __init__(self, host: Host, desk: Desk, clock: Clock, sync: SyncChanged, pages: Mapping[str, str]) -> None:
        """``pages``: which page shows the records of a kind."""
        super().__init__()
        self._host = host
        self._pages = pages
        self._desk = desk
        self._clock = clock
        self.headline(*sync_words(sync))
        if sync.reason:
            self.column.addWidget(Label(sync.reason, "quiet", wrap=True, selectable=True))
        self.retry = PrimaryButton(tr("立即重试"), icon="refresh-cw")
        self.retry.clicked.connect(self._retry)
        self.column.addWidget(self.retry)
        self._list = QVBoxLayout()
        self._list.setSpacing(theme().space(3))
        self._loading = LoadingState()
        self._list.addWidget(self._loading)
        self.column.addLayout(self._list)
        self._token = host.run("read", self._read, done=self._show, name=tr("读取待传件"))
        self.destroyed.connect(self._token.cancel)

    def _read(self, _token: Token) -> Sequence[Unsent]:
        return self._desk.unsent()

    def _retry(self) -> None:
        self._desk.sync_now()
        self.retry.set_label(tr("正在重试…"))
        self.retry.setEnabled(False)

    def _show(self, unsent: Sequence[Unsent]) -> None:
        self._loading.hide()
        refused = [each for each in unsent if each.refused]
        waiting = [each for each in unsent if not each.refused]
        if refused:
            self._list.addWidget(SectionTitle(tr("被服务器退回 {n} 件", n=len(refused))))
        for each in refused:
            self._list.addWidget(self._card(each))
        if waiting:
            self._list.addWidget(SectionTitle(tr("等待传送 {n} 件", n=len(waiting))))
        for each in waiting:
            self._list.addWidget(self._card(each))
        if not unsent:
            self._list.addWidget(EmptyState("check-check", tr("没有待传的件,都已送达服务器。")))

    def _card(self, each: Unsent) -> Card:
        card = Card()
        card.body.addWidget(Label(each.title, "strong", wrap=True))
        when = moment(each.given_at, self._clock.now())
        facts = " · ".join(part for part in (each.number, when, each.given_by) if part)
        card.body.addWidget(Label(facts, "small", wrap=True, selectable=True))
        if each.refused:
            card.body.addWidget(Label(f"{each.reason}({each.code})", "fault", wrap=True, selectable=True))
        row = QHBoxLayout()
        kind, id = each.record
        if page := self._pages.get(kind):
            see = LinkButton(tr("打开此件"))
            see.clicked.connect(partial(self._host.open_page, page, **{kind: id}))
            row.addWidget(see)
        if each.refused:
            dismiss = DangerButton(tr("已另行处理,移出"))
            dismiss.clicked.connect(partial(self._ask, card, each))
            row.addStretch(1)
            row.addWidget(dismiss)
        else:
            row.addStretch(1)
        card.body.addLayout(row)
        return card

    def _ask(self, card: Card, each: Unsent) -> None:
        words = tr("“{title}”将从退回列表移出,不再提醒。它没有在服务器上生效。", title=each.title)
        dialog = ConfirmDialog(tr("移出退回列表"), words, parent=self.window())
        dialog.accepted.connect(partial(self._drop, card, each))
        dialog.open()

    def _drop(self, card: Card, each: Unsent) -> None:
        self._host.run(
            "data",
            lambda token: self._desk.drop_refused(each.cmd_id),
            done=partial(self._dropped, card),
            name=tr("移出退回列表"),
        )

    def _dropped(self, card: Card, _nothing: None) -> None:
        card.hide()


class DevicesPanel(Panel):
    """Each device: its state in words, what to do, since when."""

    def __init__(self, statuses: Sequence[DeviceStatus], clock: Clock) -> None:
        super().__init__()
        if not statuses:
            self.column.addWidget(EmptyState("printer", tr("这台电脑没有配置设备。")))
        for status in statuses:
            card = Card()
            icon, color = DEVICE_LOOK[status.state]
            row = QHBoxLayout()
            row.addWidget(IconLabel(icon, color))
            row.addWidget(Label(tr(status.name), "strong"), 1)
            if status.simulated:
                row.addWidget(Label(tr("模拟"), "source"))
            card.body.addLayout(row)
            said = status.text or device_state(status.state)
            card.body.addWidget(Label(said + (f"({status.code})" if status.code else ""), wrap=True, selectable=True))
            if status.advice and status.state is not DeviceState.READY:
                card.body.addWidget(Label(status.advice, "quiet", wrap=True))
            card.body.addWidget(Label(tr("自 {when}", when=moment(status.since, clock.now())), "small"))
            self.column.addWidget(card)


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
            ("Esc", tr("返回一步,不丢失输入")),
            ("/", tr("在列表中:到搜索框")),
            ("F4", tr("受理时:读卡")),
            ("F8", tr("受理时:受理")),
            ("F9", tr("受理后:打印")),
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
        super().__init__("lock", tr("您没有查看这里的权限。如有需要,请联系安全管理员。(AUTH-403)"))


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
