"""What the drawer shows: unsent work, devices, notices, help."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QKeySequence
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
from modules.common.clock import Clock, iso, parse_iso
from modules.common.text import aside, together, tr
from modules.common.version import VERSION


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
    """What waits, since when and why; what was refused, and the one thing to do about it; the way to try at once."""

    def __init__(self, host: Host, desk: Desk, clock: Clock, sync: SyncChanged, pages: Mapping[str, str]) -> None:
        """``pages``: which page shows the records of a kind."""
        super().__init__()
        self._host = host
        self._pages = pages
        self._desk = desk
        self._clock = clock
        self._sync = sync
        self._token: Token | None = None
        self._known: tuple[str, Sequence[Unsent], tuple[int, int]] | None = None
        self._dropped: set[str] = set()
        self._mark = IconLabel("dot")
        self._state = Label(role="strong", wrap=True)
        row = QHBoxLayout()
        row.addWidget(self._mark)
        row.addWidget(self._state, 1)
        self._reason = Label(role="quiet", wrap=True, selectable=True)
        self._since = Label(role="small", wrap=True)
        self.retry = PrimaryButton(tr("立即重试"), icon="refresh-cw")
        self.retry.clicked.connect(self._retry)
        self.copy = Button(tr("复制给技术支持"), icon="copy")
        self.copy.clicked.connect(self._copy)
        self._list = QVBoxLayout()
        self._list.setSpacing(theme().space(3))
        self._list.addWidget(LoadingState())
        self.column.addLayout(row)
        for widget in (self._since, self._reason, self.retry, self.copy):
            self.column.addWidget(widget)
        self.column.addLayout(self._list)
        self.refresh(sync)

    def refresh(self, sync: SyncChanged) -> None:
        """Say how it stands now; the list is asked for again, and changes only where it must."""
        self._sync = sync
        icon, color, said = sync_words(sync)
        self._mark.show_icon(icon, color)
        self._state.setText(said)
        self._since.setText(
            tr("自 {when}", when=moment(parse_iso(sync.since), self._clock.now())) if sync.since else ""
        )
        self._since.setVisible(bool(sync.since))
        self._reason.setText(sync.reason)
        self._reason.setVisible(bool(sync.reason))
        self.retry.set_label(tr("立即重试"))
        self.retry.setEnabled(True)
        self.copy.set_label(tr("复制给技术支持"))
        if self._token is not None:
            self._token.cancel()
        self._token = self._host.run("read", self._read, done=self._show, name=tr("读取待传件"))

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._token is not None:
            self._token.cancel()
        super().closeEvent(event)

    def _read(self, _token: Token) -> tuple[Sequence[Unsent], tuple[int, int]]:
        return self._desk.unsent(), self._desk.scans()

    def _retry(self) -> None:
        self._desk.sync_now()
        self.retry.set_label(tr("正在重试…"))
        self.retry.setEnabled(False)

    def _show(self, read: tuple[Sequence[Unsent], tuple[int, int]]) -> None:
        known = (self._sync.state, *read)
        if known == self._known:
            return
        self._known = known
        unsent, (scans, size) = read
        _clear(self._list)
        refused = [each for each in unsent if each.refused and each.cmd_id not in self._dropped]
        held = [each for each in unsent if each.held]
        waiting = [each for each in unsent if not each.refused and not each.held]
        for title, why, group in (
            (
                tr("被服务器退回 {n} 件", n=len(refused)),
                tr("请打开此件，按退回的原因核对后重新办理；已经另行处理的，移出即可。输入的内容都还在。"),
                refused,
            ),
            (
                tr("已到服务器、等待生效 {n} 件", n=len(held)),
                tr("还缺它要用的文件或前面的办理；到齐后自动生效，不用重办。"),
                held,
            ),
            (tr("等待传送 {n} 件", n=len(waiting)), self._why_waiting(), waiting),
        ):
            if group:
                self._list.addWidget(SectionTitle(title))
                self._list.addWidget(Label(why, "quiet", wrap=True))
            for each in group:
                self._list.addWidget(self._card(each))
        if scans:
            words = tr(
                "另有 {n} 页扫描件在后台传送，还有 {size} MB。办件不用等它们。", n=scans, size=f"{size / 1e6:.1f}"
            )
            self._list.addWidget(Label(words, "quiet", wrap=True))
        if not refused and not held and not waiting:
            self._list.addWidget(EmptyState("check-check", tr("没有待传的件，都已送达服务器。")))

    def _why_waiting(self) -> str:
        return {
            "online": tr("正在传送，一般几秒内完成。"),
            "stuck": tr("很久没有送达。请点“立即重试”；仍不行请复制给技术支持。"),
        }.get(self._sync.state, tr("连不上服务器。本机都已存好，联网后自动传送，可以继续办件。"))

    def _copy(self) -> None:
        """Facts without anybody's data: what kind, when, which code."""
        unsent, scans = self._known[1:] if self._known else ((), (0, 0))
        lines = [
            f"GovDesk {VERSION} · {iso(self._clock.now())}",
            f"state={self._sync.state} since={self._sync.since} reason={self._sync.reason}",
            f"waiting={self._sync.waiting} refused={self._sync.refused}",
            f"scans={scans[0]} bytes={scans[1]}",
        ]
        for each in unsent:
            state = "refused" if each.refused else "held" if each.held else "waiting"
            lines.append(f"{state} {each.record[0]} {each.cmd_id} {iso(each.given_at)} {each.code}".rstrip())
        QGuiApplication.clipboard().setText("\n".join(lines))
        self.copy.set_label(tr("已复制，其中没有个人信息"))

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
        row.addStretch(1)
        if each.refused:
            dismiss = DangerButton(tr("已另行处理，移出"))
            dismiss.clicked.connect(partial(self._ask, each))
            row.addWidget(dismiss)
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
        known, self._known = self._known, None
        self._show(known[1:] if known else ((), (0, 0)))


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
