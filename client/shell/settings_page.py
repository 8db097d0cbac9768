"""设置: how it looks, where it prints, when it locks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QRadioButton, QScrollArea, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.kernel.policy import Policy, spoken
from client.kernel.settings import Settings, SettingSpec
from client.shell.look import change_look
from client.shell.ports import Desk
from client.shell.preferences import IDLE_MINUTES, LANGUAGE, PALETTE, PRINTER, ZOOM, words
from client.widgets.basics import Banner, Button, Card, ComboBox, Label
from client.widgets.flow import flowing
from client.widgets.privacy import CAN_REFUSE_CAPTURE
from client.widgets.theme import theme
from modules.common.text import set_language, tr


class SettingsPage(QWidget):
    """The settings of this profile. The signals are the main window's business; ``idle_changed`` in minutes."""

    language_changed = Signal()
    password_wanted = Signal()
    totp_wanted = Signal()
    sessions_wanted = Signal()
    idle_changed = Signal(int)

    def __init__(self, host: Host, settings: Settings, desk: Desk) -> None:
        super().__init__()
        self._settings = settings
        self._desk = desk
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.notice = Banner()

        self.palettes = Radios(PALETTE, settings)
        self.palettes.chosen.connect(self._palette)
        self.zoom = Choice(ZOOM, settings)
        self.zoom.chosen.connect(self._zoom)
        self.language = Radios(LANGUAGE, settings)
        self.language.chosen.connect(self._language)
        look = self._card(tr("外观与语言"))
        for row in (self.palettes, self.zoom, self.language):
            look.body.addWidget(row)

        self.printer = Choice(PRINTER, settings, offered={"": tr("不打印，存为文件")})
        self.printer.chosen.connect(self._printer)
        printing = self._card(tr("打印"))
        printing.body.addWidget(self.printer)
        printing.body.addWidget(
            Label(tr("不选打印机时，文书存到本机的打印文件夹，过几天自动删除；随时可以补打。"), "small", wrap=True)
        )

        self.idle = Choice(IDLE_MINUTES, settings)
        self.idle.chosen.connect(self._idle)
        self.password = Button(tr("修改密码"), icon="lock")
        self.password.clicked.connect(self.password_wanted)
        safety = self._card(tr("安全"))
        safety.body.addWidget(self.idle)
        safety.body.addWidget(Label(tr("离开座位时按 Ctrl+L 立即锁定。最长 10 分钟，不能关闭。"), "small", wrap=True))
        self.totp = Button(tr("动态口令"), icon="smartphone")
        self.totp.clicked.connect(self.totp_wanted)
        self.sessions = Button(tr("我的登录"), icon="users")
        self.sessions.clicked.connect(self.sessions_wanted)
        safety.body.addWidget(flowing(self.password, self.totp, self.sessions))
        self.key_place = Label(desk.key_place, "small", wrap=True)
        safety.body.addWidget(self.key_place)

        rules = self._card(tr("个人信息保护"))
        self.rules = spoken(host.service(Policy), can_refuse_capture=CAN_REFUSE_CAPTURE)
        # one text: each label that wraps costs the page some pixels of its height at 200 %
        said = "\n".join(f"{rule}：{value}" for rule, value in self.rules)
        rules.body.addWidget(Label(said, wrap=True))
        rules.body.addWidget(Label(tr("由系统管理员规定，这里只能查看。"), "small", wrap=True))

        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(area)
        self._column.insertWidget(0, self.notice)
        self.setFocusProxy(self.palettes)
        theme().changed.connect(self._space)
        self._space()
        self._token: Token = host.run("cpu", self._find_printers, done=self._offer_printers, name=tr("查找打印机"))

    def closeEvent(self, event: QCloseEvent) -> None:
        self._token.cancel()
        super().closeEvent(event)

    def _card(self, title: str) -> Card:
        card = Card(title)
        self._column.addWidget(card)
        return card

    def _find_printers(self, _token: Token) -> Sequence[str]:
        return self._desk.printers()

    def _offer_printers(self, names: Sequence[str]) -> None:
        self.printer.offer({"": tr("不打印，存为文件")} | {name: name for name in names})

    @Slot(object)
    def _palette(self, value: Any) -> None:
        self._settings.set(PALETTE, value)
        change_look(self._settings)

    @Slot(object)
    def _zoom(self, value: Any) -> None:
        self._settings.set(ZOOM, value)
        change_look(self._settings)

    @Slot(object)
    def _language(self, value: Any) -> None:
        self._settings.set(LANGUAGE, value)
        set_language(value)
        self.language_changed.emit()

    @Slot(object)
    def _printer(self, value: Any) -> None:
        self._settings.set(PRINTER, value)

    @Slot(object)
    def _idle(self, value: Any) -> None:
        self._settings.set(IDLE_MINUTES, value)
        self.idle_changed.emit(value)

    def refresh(self) -> None:
        """Show what was changed elsewhere."""
        self.palettes.refresh()
        self.zoom.refresh()

    @Slot()
    def _space(self) -> None:
        unit = theme().space
        self._column.setContentsMargins(unit(6), unit(4), unit(6), unit(4))
        self._column.setSpacing(unit(3))
        for number in range(self._column.count()):
            item = self._column.itemAt(number).widget()
            if item is not None:
                item.setMaximumWidth(theme().text_width(52))
        self.refresh()


class Radios(QWidget):
    """A setting with few values, all in sight."""

    chosen = Signal(object)

    def __init__(self, spec: SettingSpec[Any], settings: Settings) -> None:
        super().__init__()
        self.spec = spec
        self._settings = settings
        self.setAccessibleName(spec.title())
        self._group = QButtonGroup(self)
        self.buttons: dict[Any, QRadioButton] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Label(spec.title()))
        row = QHBoxLayout()
        for value in spec.choices or ():
            button = QRadioButton(words(spec, value))
            button.setAccessibleName(words(spec, value))
            self.buttons[value] = button
            self._group.addButton(button)
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        self._group.buttonClicked.connect(self._clicked)
        self.refresh()

    def refresh(self) -> None:
        """Show the value in force."""
        chosen = self.buttons[self._settings.get(self.spec)]
        chosen.setChecked(True)
        self.setFocusProxy(chosen)

    @Slot()
    def _clicked(self) -> None:
        value = next(value for value, button in self.buttons.items() if button.isChecked())
        self.chosen.emit(value)


class Choice(QWidget):
    """A setting with many values, in a list that opens. ``offered`` stands for values that only now are known."""

    chosen = Signal(object)

    def __init__(self, spec: SettingSpec[Any], settings: Settings, offered: dict[Any, str] | None = None) -> None:
        super().__init__()
        self.spec = spec
        self._settings = settings
        self.combo = ComboBox(spec.title())
        label = Label(spec.title())
        label.setBuddy(self.combo)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(1))
        column.addWidget(label)
        column.addWidget(self.combo, 0, Qt.AlignmentFlag.AlignLeft)
        self.offer(offered or {value: words(spec, value) for value in spec.choices or ()})
        self.combo.activated.connect(self._picked)
        self.setFocusProxy(self.combo)

    def offer(self, offered: dict[Any, str]) -> None:
        """Offer these; the value in force is always among them."""
        current = self._settings.get(self.spec)
        if current not in offered:
            offered = offered | {current: tr("{name}(现在找不到)", name=current)}
        self.combo.clear()
        for value, said in offered.items():
            self.combo.addItem(said, value)
        self.refresh()

    def refresh(self) -> None:
        """Show the value in force."""
        self.combo.setCurrentIndex(self.combo.findData(self._settings.get(self.spec)))

    @Slot(int)
    def _picked(self, number: int) -> None:
        self.chosen.emit(self.combo.itemData(number))
