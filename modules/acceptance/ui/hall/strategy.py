"""Changing while the hall runs in what order windows call (C03)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QScrollArea, QSpinBox, QVBoxLayout, QWidget

from client.widgets.basics import Banner, Button, ComboBox, Label, PrimaryButton
from client.widgets.dialogs import GrowingDialog
from client.widgets.theme import set_role, theme
from modules.acceptance.domain import windows
from modules.common.aggregate import Doc
from modules.common.text import tr

WINDOW, GROUP, ALL = "window", "group", "all"


class StrategyDialog(GrowingDialog):
    """Asks for an order. ``given``: to what it applies (window, group or all) and the strategy, None for the group's.

    ``items``: code and name of what the window may call; ``failed`` says a refusal and keeps what was chosen.
    """

    given = Signal(str, object)

    def __init__(
        self, window: Doc, strategy: Mapping[str, Any], items: Sequence[tuple[str, str]], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("调整叫号策略"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self._filling = False
        self.target = ComboBox(tr("适用于"))
        for id, name in (
            (WINDOW, tr("只{window}", window=window["name"])),
            (GROUP, tr("{group} 队列的全部窗口", group=window["group"])),
            (ALL, tr("大厅全部窗口")),
        ):
            self.target.addItem(name, id)
        self.preset = ComboBox(tr("常用策略"))
        for id, name in (
            ("arrival", tr("按取号先后")),
            ("appointments", tr("预约按时段优先")),
            ("mix", tr("预约与现场搭配")),
            ("priority", tr("优先号在前，预约不优先")),
            ("", tr("自定")),
        ):
            self.preset.addItem(name, id)
        self.booked = ComboBox(tr("预约号"))
        for id, name in (
            (windows.SLOT, tr("到时段就优先")),
            (windows.MIX, tr("与现场号搭配")),
            (windows.ARRIVAL, tr("按取号先后")),
        ):
            self.booked.addItem(name, id)
        self.slack = _number(tr("时段前后各放宽（分钟）"), 0, 120)
        self.walk_ins = _number(tr("每叫现场号（个）"), 1, 20)
        self.bookings = _number(tr("接着叫预约号（个）"), 1, 20)
        self.priority = ComboBox(tr("优先号"))
        for id, name in (
            (windows.FIRST, tr("总在前面")),
            (windows.EVERY, tr("隔几个叫一个")),
            (windows.ARRIVAL, tr("按取号先后")),
        ):
            self.priority.addItem(name, id)
        self.every = _number(tr("每几个号叫一个优先号"), 2, 20)
        self.patience = _number(tr("等满多少分钟后不再被插队（0 为不限）"), 0, 600)
        self.items = [(code, QCheckBox(name)) for code, name in items]
        inner = QWidget()
        rows = QVBoxLayout(inner)
        rows.setSpacing(0)
        for _, item in self.items:
            item.setAccessibleName(tr("只叫{item}", item=item.text()))
            rows.addWidget(item)
        self._list = QScrollArea()
        self._list.setWidgetResizable(True)
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.setWidget(inner)
        self._list.setFixedHeight(theme().size("target") * 4)
        self.words = Label("", "strong", wrap=True)
        self.banner = Banner()
        self.go = PrimaryButton(tr("采用"))
        self.inherit = Button(tr("改回队列的策略"))
        self.keep = Button(tr("取消"))
        self._fields = {
            "slack": self.slack,
            "walk_ins": self.walk_ins,
            "bookings": self.bookings,
            "every": self.every,
            "patience": self.patience,
        }
        self._lay_out()
        self.inherit.setVisible(window.get("strategy") is not None)
        self.show_strategy(strategy)
        self.preset.activated.connect(self._choose_preset)
        for box in (self.booked, self.priority):
            box.currentIndexChanged.connect(self._changed)
        for spin in self._fields.values():
            spin.valueChanged.connect(self._changed)
        for _, item in self.items:
            item.toggled.connect(self._changed)
        self.go.clicked.connect(self._give)
        self.inherit.clicked.connect(self._give_none)
        self.keep.clicked.connect(self.reject)

    def _lay_out(self) -> None:
        self._form = QFormLayout()
        self._form.setSpacing(theme().space(2))
        for box in (self.target, self.preset, self.booked):
            self._form.addRow(Label(box.accessibleName()), box)
        for spin in (self.slack, self.walk_ins, self.bookings):
            self._form.addRow(Label(spin.accessibleName()), spin)
        self._form.addRow(Label(self.priority.accessibleName()), self.priority)
        for spin in (self.every, self.patience):
            self._form.addRow(Label(spin.accessibleName()), spin)
        self._form.addRow(Label(tr("只叫这些事项（都不选为全部）"), wrap=True), self._list)
        buttons = QHBoxLayout()
        buttons.addWidget(self.inherit)
        buttons.addStretch(1)
        buttons.addWidget(self.keep)
        buttons.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(Label(tr("马上生效，已在等候的人按新的次序排。"), "quiet", wrap=True))
        column.addLayout(self._form)
        column.addWidget(self.words)
        column.addWidget(self.banner)
        column.addLayout(buttons)
        self.setMinimumWidth(theme().text_width(38))

    @property
    def strategy(self) -> dict[str, Any]:
        """What is chosen."""
        chosen = [code for code, item in self.items if item.isChecked()]
        numbers = {key: spin.value() for key, spin in self._fields.items()}
        return {
            "booked": self.booked.currentData(),
            "priority": self.priority.currentData(),
            **numbers,
            "items": chosen,
        }

    def show_strategy(self, strategy: Mapping[str, Any]) -> None:
        """Fill the fields."""
        self._filling = True
        whole = {**windows.DEFAULT_STRATEGY, **strategy}
        self.booked.setCurrentIndex(self.booked.findData(whole["booked"]))
        self.priority.setCurrentIndex(self.priority.findData(whole["priority"]))
        for key, spin in self._fields.items():
            spin.setValue(whole[key])
        for code, item in self.items:
            item.setChecked(code in whole["items"])
        self._filling = False
        self._changed()

    def failed(self, words: str, code: str) -> None:
        """Say a refusal."""
        self.go.setEnabled(True)
        self.banner.say(words, "red", code=code)
        self.grow()

    @Slot()
    def _choose_preset(self) -> None:
        if preset := windows.PRESETS.get(str(self.preset.currentData())):
            self.show_strategy({**preset, "items": self.strategy["items"]})

    @Slot()
    def _changed(self) -> None:
        """Say the order in a sentence, and show only the numbers that count in it."""
        if self._filling:
            return
        chosen = self.strategy
        for key, shown in (
            ("slack", chosen["booked"] == windows.SLOT),
            ("walk_ins", chosen["booked"] == windows.MIX),
            ("bookings", chosen["booked"] == windows.MIX),
            ("every", chosen["priority"] == windows.EVERY),
        ):
            self._form.setRowVisible(self._fields[key], shown)
        same = {**chosen, "items": []}
        name = next((name for name, preset in windows.PRESETS.items() if preset == same), "")
        self.preset.setCurrentIndex(self.preset.findData(name))
        self.words.setText(windows.strategy_words(chosen))
        self.grow()

    @Slot()
    def _give(self) -> None:
        self.go.setEnabled(False)
        self.given.emit(str(self.target.currentData()), self.strategy)

    @Slot()
    def _give_none(self) -> None:
        self.given.emit(WINDOW, None)


def _number(name: str, low: int, high: int) -> QSpinBox:
    spin = QSpinBox()
    spin.setRange(low, high)
    spin.setAccessibleName(name)
    return spin
