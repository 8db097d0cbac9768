"""The frame around the pages: navigation, header, status bar, and the drawer that opens over a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QPushButton, QScrollArea, QVBoxLayout, QWidget
from shiboken6 import isValid

from client.kernel.events import SyncChanged
from client.kernel.ports import COUNTED
from client.widgets.basics import Button, ElidedLabel, IconButton, Label, LinkButton
from client.widgets.theme import restyle, set_role, theme
from devices.ports import DeviceState, DeviceStatus
from modules.common.manifest import Page
from modules.common.text import tr

BADGE_MOST = 99


class NavButton(Button):
    """A page of the navigation: icon, words, and how much waits there."""

    role = "nav"

    def __init__(self, page: Page, shortcut: str) -> None:
        self._title = tr(page.title)
        self._count = 0
        self._folded = False
        self.page = page.id
        super().__init__(self._title, icon=page.icon)
        self.setCheckable(True)
        self._hint = shortcut
        self._say()

    def show_count(self, count: int) -> None:
        """How much waits there; none is not shown."""
        self._count = count
        self._say()

    def fold(self, folded: bool) -> None:
        """Show the icon alone, or the words too."""
        self._folded = folded
        self._say()

    def _say(self) -> None:
        self.setText("" if self._folded else self._title)
        self.setToolTip(f"{self._title}  {self._hint}".strip())
        waits = tr("{title}，{count} 件待办", title=self._title, count=self._count)
        if self._count > COUNTED:
            waits = tr("{title}，超过 {count} 件待办", title=self._title, count=COUNTED)
        self.setAccessibleDescription(waits if self._count else "")
        self.update()

    def nextCheckState(self) -> None:
        """The page that is open marks its button, not the click."""

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        room = 0 if self._folded else theme().text_width(3)
        return QSize(hint.width() + room, hint.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._count:
            return
        text = str(self._count) if self._count <= BADGE_MOST else f"{BADGE_MOST}+"
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme().font("small", bold=True))
        high = painter.fontMetrics().height()
        wide = max(high, painter.fontMetrics().horizontalAdvance(text) + theme().space(2))
        if self._folded:
            box = QRect(self.width() - wide - 2, 2, wide, high)
        else:
            box = QRect(self.width() - wide - theme().space(3), (self.height() - high) // 2, wide, high)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("accent"))
        painter.drawRoundedRect(box, high / 2, high / 2)
        painter.setPen(theme().color("on_accent"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        painter.end()


class NavBar(QWidget):
    """The pages of a person. ``chosen`` carries a page's id; ``folded`` whether only icons are shown."""

    chosen = Signal(str)
    folded = Signal(bool)

    def __init__(self, pages: Iterable[Page], keys: Mapping[str, str], *, folded: bool = False) -> None:
        super().__init__()
        set_role(self, "nav")
        self.setAccessibleName(tr("导航"))
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.buttons: dict[str, NavButton] = {}
        inside = QWidget()
        self._list = QVBoxLayout(inside)
        for page in pages:
            button = NavButton(page, keys.get(page.id, ""))
            button.clicked.connect(partial(self.chosen.emit, page.id))
            button.installEventFilter(self)
            self.buttons[page.id] = button
            self._list.addWidget(button)
        self._list.addStretch(1)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(inside)
        self._fold = IconButton(tr("收起导航"), icon="menu")
        self._fold.clicked.connect(self._toggle)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self._area, 1)
        self._column.addWidget(self._fold, 0, Qt.AlignmentFlag.AlignLeft)
        theme().changed.connect(self._space)
        self.set_folded(folded)

    def set_folded(self, folded: bool) -> None:
        """Show icons alone, or words too."""
        self._folded = folded
        for button in self.buttons.values():
            button.fold(folded)
        self._fold.set_label(tr("展开导航") if folded else tr("收起导航"))
        self._space()

    def mark(self, page: str) -> None:
        """Show which page is open."""
        for name, button in self.buttons.items():
            button.setChecked(name == page)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()), 0)
            if step:
                buttons: list[QObject] = list(self.buttons.values())
                place = buttons.index(watched) + step
                list(self.buttons.values())[place % len(buttons)].setFocus(Qt.FocusReason.TabFocusReason)
                return True
        return False

    @Slot()
    def _toggle(self) -> None:
        self.set_folded(not self._folded)
        self.folded.emit(self._folded)

    @Slot()
    def _space(self) -> None:
        unit = theme().space
        self._list.setContentsMargins(unit(2), unit(2), unit(2), unit(2))
        self._list.setSpacing(unit(1))
        self._column.setContentsMargins(0, 0, 1, unit(2))
        side = Qt.AlignmentFlag.AlignHCenter if self._folded else Qt.AlignmentFlag.AlignRight
        self._column.setAlignment(self._fold, side)
        wide = max(button.sizeHint().width() for button in self.buttons.values())
        self.setFixedWidth((wide if self._folded else max(wide, theme().text_width(10))) + unit(4) + 1)


class BellButton(IconButton):
    """The notices, with how many are unread."""

    def show_unread(self, unread: int) -> None:
        """Say how many."""
        self.set_label(tr("消息"))
        self.setToolTip(tr("{unread} 条未读消息", unread=unread) if unread else tr("消息"))
        self.setAccessibleDescription(tr("{unread} 条未读", unread=unread) if unread else "")
        self._unread = unread
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not getattr(self, "_unread", 0):
            return
        side = theme().space(2)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("red"))
        painter.drawEllipse(self.width() // 2 + side // 2, self.height() // 2 - side - side // 2, side, side)
        painter.end()


class Header(QWidget):
    """Where we are, the way to everything (Ctrl+K), what was said, and who is here."""

    search = Signal()
    notices = Signal()

    def __init__(self, person: str, menu: QMenu) -> None:
        super().__init__()
        set_role(self, "head")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._title = Label(role="title")
        self._context = ElidedLabel(role="quiet")
        self._search = Button(tr("搜索"), icon="search")
        self._search.setText(tr("搜索办件、页面、命令") + "   Ctrl+K")
        self._search.setToolTip(tr("按编号、姓名、扫码或命令名称查找（Ctrl+K）"))
        self.bell = BellButton(tr("消息"), icon="bell")
        self.person = LinkButton(person, icon="user")
        self.person.setMenu(menu)
        self._search.clicked.connect(self.search)
        self.bell.clicked.connect(self.notices)
        self._row = QHBoxLayout(self)
        self._row.addWidget(self._title)
        self._row.addWidget(self._context, 1)
        self._row.addWidget(self._search)
        self._row.addWidget(self.bell)
        self._row.addWidget(self.person)
        theme().changed.connect(self._space)
        self._space()

    def show_page(self, title: str, context: str) -> None:
        """Say which page is open, and of which module it is."""
        self._title.setText(title)
        self._context.setText(context)
        self.setAccessibleName(title)

    def shorten(self, narrow: bool) -> None:
        """Where there is little room the search is its icon."""
        self._search.setText("" if narrow else tr("搜索办件、页面、命令") + "   Ctrl+K")

    @Slot()
    def _space(self) -> None:
        unit = theme().space
        self._row.setContentsMargins(unit(6), unit(2), unit(4), unit(2))
        self._row.setSpacing(unit(2))


class StatusButton(QPushButton):
    """A part of the status bar: a state by icon, colour and words; its details at a click."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = ("dot", "quiet")
        self._words = ""
        self.well = False
        set_role(self, "status")
        theme().changed.connect(self._retint)

    def say(self, icon: str, color: str, text: str) -> None:
        """Show a state."""
        self._shown = (icon, color)
        self._words = text
        self.setText(text)
        self.setAccessibleName(text)
        self._retint()

    def shorten(self, short: bool) -> None:
        """Show the icon alone, or the words too."""
        self.setText("" if short else self._words)

    @Slot()
    def _retint(self) -> None:
        side = round(theme().size("icon") * 0.8)
        self.setIconSize(QSize(side, side))
        self.setIcon(theme().icon(*self._shown, 16))


def sync_words(sync: SyncChanged) -> tuple[str, str, str]:
    """Icon, colour and words for what is known of server and unsent work."""
    if sync.state == "online":
        said = tr("已连接，正在传 {n} 件", n=sync.waiting) if sync.waiting else tr("已连接")
        shown = ("dot", "good", said)
    elif sync.state == "stuck":
        shown = ("octagon-alert", "red", tr("传送受阻，{n} 件待传", n=sync.waiting))
    else:
        said = tr("离线，{n} 件待传", n=sync.waiting) if sync.waiting else tr("离线")
        shown = ("arrow-up-down", "offline", said)
    if sync.refused:
        icon, _, said = shown
        shown = (icon, "red", tr("{state}，{n} 件被退回", state=said, n=sync.refused))
    return shown


DEVICE_LOOK: dict[DeviceState, tuple[str, str]] = {
    DeviceState.READY: ("check", "good"),
    DeviceState.BUSY: ("clock-3", "accent"),
    DeviceState.OPENING: ("clock-3", "quiet"),
    DeviceState.ATTENTION: ("triangle-alert", "yellow"),
    DeviceState.FAULT: ("octagon-alert", "red"),
    DeviceState.ABSENT: ("x", "red"),
    DeviceState.UNKNOWN: ("circle-help", "quiet"),
}


def device_words(status: DeviceStatus) -> str:
    """A device in the status bar: its name, what is the matter, and whether it is a simulator."""
    shown = "" if status.state is DeviceState.READY else f" {status.text or device_state(status.state)}"
    return f"{tr(status.name)}{shown}" + (tr("（模拟）") if status.simulated else "")


def device_state(state: DeviceState) -> str:
    """The word for a device's state."""
    return {
        DeviceState.READY: tr("就绪"),
        DeviceState.BUSY: tr("工作中"),
        DeviceState.OPENING: tr("正在打开"),
        DeviceState.ATTENTION: tr("需要处理"),
        DeviceState.FAULT: tr("故障"),
        DeviceState.ABSENT: tr("未连接"),
        DeviceState.UNKNOWN: tr("状态不明"),
    }[state]


class StatusBar(QWidget):
    """Tells the truth about server, unsent work, devices, person, place and time."""

    sync_asked = Signal()
    devices_asked = Signal()

    def __init__(self, person: str, place: str) -> None:
        super().__init__()
        set_role(self, "bar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(tr("状态栏"))
        self.sync = StatusButton()
        self.sync.clicked.connect(self.sync_asked)
        self._devices: dict[str, StatusButton] = {}
        self._row = QHBoxLayout(self)
        self._device_row = QHBoxLayout()
        self._device_label = Label(tr("设备:"), "quiet")
        self._who = Label(f"{person} · {place}")
        self._clock = Label()
        self._row.addWidget(self.sync)
        self._row.addLayout(self._device_row)
        self._device_row.addWidget(self._device_label)
        self._row.addStretch(1)
        self._row.addWidget(self._who)
        self._row.addWidget(self._clock)
        self._device_label.setVisible(False)
        theme().changed.connect(self._space)
        self._space()
        self.show_sync(SyncChanged("offline", 0, 0))

    def show_sync(self, sync: SyncChanged) -> None:
        """Say how it stands with the server."""
        icon, color, said = sync_words(sync)
        self.sync.say(icon, color, said)
        self.sync.setToolTip(sync.reason or said)
        self._fit()

    def show_device(self, status: DeviceStatus) -> None:
        """Say how it stands with a device."""
        button = self._devices.get(status.device)
        if button is None:
            button = self._devices[status.device] = StatusButton()
            button.clicked.connect(self.devices_asked)
            self._device_row.addWidget(button)
            button.show()  # at once, so that it is counted when the room is shared out
        button.say(*DEVICE_LOOK[status.state], device_words(status))
        button.well = status.state is DeviceState.READY
        self._fit()
        button.setToolTip(status.advice or status.text)

    def show_time(self, text: str) -> None:
        """The clock."""
        self._clock.setText(text)

    @Slot()
    def _space(self) -> None:
        unit = theme().space
        self._row.setContentsMargins(unit(2), unit(1), unit(4), unit(1))
        self._row.setSpacing(unit(4))
        self._device_row.setSpacing(unit(1))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def _fit(self) -> None:
        """Where there is no room for all words: first devices that are well, then all, are their icons alone."""
        for level in range(4):
            for button in self._devices.values():
                button.shorten(level > 2 or (level > 0 and button.well))
            self._device_label.setVisible(bool(self._devices) and level < 1)
            self._who.setVisible(level < 2)
            # a nested layout does not hear of its widgets' new sizes until the next event
            self._device_row.invalidate()
            self._row.invalidate()
            if self._row.sizeHint().width() <= self.width():
                return


class Drawer(QFrame):
    """A pane at the right edge, over the page, for details that were asked for; Esc or its button closes it."""

    closed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        set_role(self, "drawer")
        self._title = Label(role="heading")
        self._close = IconButton(tr("关闭"), icon="x")
        self._close.clicked.connect(self.close_drawer)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._came_from: QWidget | None = None
        top = QHBoxLayout()
        top.addWidget(self._title, 1)
        top.addWidget(self._close)
        self._column = QVBoxLayout(self)
        self._column.addLayout(top)
        self._column.addWidget(self._area, 1)
        theme().changed.connect(self.place)
        parent.installEventFilter(self)
        self.hide()

    def open_with(self, title: str, pane: QWidget) -> None:
        """Show ``pane``, which the drawer owns from then on; the keyboard goes there."""
        if self.isVisible():
            self._forget_pane()
        else:
            self._came_from = self.window().focusWidget()
        self._title.setText(title)
        self.setAccessibleName(title)
        self._area.setWidget(pane)
        pane.show()
        self.place()
        self.show()
        self.raise_()
        self._close.setFocus()
        restyle(self)

    def pane(self) -> QWidget | None:
        """What is shown, or None."""
        return self._area.widget() if self.isVisible() else None

    @Slot()
    def close_drawer(self) -> None:
        """Close it; the keyboard goes back to where it was."""
        self.hide()
        self._forget_pane()
        if self._came_from is not None and isValid(self._came_from):
            self._came_from.setFocus()
        self._came_from = None
        self.closed.emit()

    def _forget_pane(self) -> None:
        old = self._area.takeWidget()
        if old is not None:
            old.close()
            old.deleteLater()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.close_drawer()
        else:
            super().keyPressEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self.parentWidget():
            self.place()
        return False

    @Slot()
    def place(self) -> None:
        """Keep to the right edge of what it lies over."""
        unit = theme().space
        self._column.setContentsMargins(unit(4), unit(3), unit(2), unit(3))
        above = self.parentWidget()
        assert above is not None
        room = above.size()
        wide = min(room.width(), theme().text_width(30))
        self.setGeometry(QRect(QPoint(room.width() - wide, 0), QSize(wide, room.height())))
