"""What the list of cases is narrowed by: state, term, time, order; and the scanner's own mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from client.widgets.basics import Button, ComboBox, Label, SearchBox
from client.widgets.flow import flowing
from client.widgets.forms.lines import DateEdit
from client.widgets.tables import Memory
from client.widgets.theme import theme
from modules.acceptance.domain.cases import (
    ACCEPTED,
    APPLIED,
    CORRECTING,
    DECIDED,
    INVITED,
    ISSUED,
    NODES,
    OVER,
    SUSPENDED,
    node_name,
)
from modules.acceptance.services.case_desk import Looking
from modules.common.text import tr

MINE, ALL = "mine", "all"
NEWEST, BY_DUE = "newest", "due"
ANY_TIME, TODAY, WEEK, MONTH, OWN = "", "today", "week", "month", "own"


@dataclass(frozen=True, slots=True)
class View:
    """A chip: its key, its words, and the states that it shows."""

    key: str
    name: str
    states: tuple[str, ...] = ()


def views() -> list[View]:
    """The chips in their order."""
    return [
        View(MINE, tr("待我办理")),
        View(ALL, tr("全部")),
        View(APPLIED, tr("待预审"), (APPLIED,)),
        View(INVITED, tr("待到场"), (INVITED,)),
        View(CORRECTING, tr("待补正"), (CORRECTING,)),
        View(ACCEPTED, tr("办理中"), (ACCEPTED,)),
        View(SUSPENDED, tr("已挂起"), (SUSPENDED,)),
        View(DECIDED, tr("待出件"), (DECIDED,)),
        View(ISSUED, tr("待领取"), (ISSUED,)),
        View("over", tr("已结束"), OVER),
    ]


def span(kind: str, today: date) -> tuple[date | None, date | None]:
    """The first and the last day of 今天, 本周 (from Monday) or 本月; no bounds for any other kind."""
    if kind == TODAY:
        return today, today
    if kind == WEEK:
        return today - timedelta(today.weekday()), today
    if kind == MONTH:
        return today.replace(day=1), today
    return None, None


def day(text: str) -> date | None:
    """A day as it was typed; None for none."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


class Filters(QWidget):
    """Search box, chips and choices. ``changed`` when the list has to be read anew, ``ordered`` for another order."""

    changed = Signal()
    ordered = Signal(str)
    statistics_wanted = Signal()

    def __init__(self, memory: Memory, name: str, *, decides: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._memory = memory
        self._name = name
        self._views = {view.key: view for view in views()}
        self.search = SearchBox(tr("查找办件：姓名、编号、证件号、电话、事项、拼音首字母，或扫码"))
        self.search.setAccessibleName(tr("查找办件"))
        self._group = QButtonGroup(self)
        self.chips: dict[str, Button] = {}
        for key, view in self._views.items():
            chip = Button(view.name)
            chip.setCheckable(True)
            chip.setAccessibleDescription(tr("按状态筛选"))
            self._group.addButton(chip)
            self.chips[key] = chip
        self.due = _box(
            tr("期限筛选"),
            [("", tr("不限期限")), ("near", tr("临期")), ("yellow", tr("黄牌")), ("red", tr("红牌")),
             ("late", tr("超期"))],
        )  # fmt: skip
        self.range = _box(
            tr("时间范围"),
            [(ANY_TIME, tr("不限时间")), (TODAY, tr("今天")), (WEEK, tr("本周")), (MONTH, tr("本月")),
             (OWN, tr("自定…"))],
        )  # fmt: skip
        self.since, self.until = DateEdit(tr("从")), DateEdit(tr("到"))
        self.order = _box(tr("排序"), [(NEWEST, tr("最新在前")), (BY_DUE, tr("按期限"))])
        self.scanning = Button(tr("扫码登记"), icon="qr-code")
        self.scanning.setCheckable(True)
        self.scanning.setToolTip(tr("打开后，扫到的办件立即登记为所选环节"))
        self.scanning.setAccessibleDescription(self.scanning.toolTip())
        self.node = _box(tr("登记环节"), [(node, node_name(node)) for node in NODES])
        self.statistics = Button(tr("统计"), icon="chart-column")
        self._days = QWidget()
        days = QHBoxLayout(self._days)
        days.setContentsMargins(0, 0, 0, 0)
        for part in (self.since, Label(tr("至")), self.until):
            days.addWidget(part)
        head = QHBoxLayout()
        head.setSpacing(theme().space(2))
        head.addWidget(self.search, 1)
        self.search.setMinimumWidth(theme().text_width(12))
        boxes: tuple[QWidget, ...] = (self.due, self.range, self._days, self.order)
        head.addWidget(flowing(*boxes, self.scanning, self.node, self.statistics))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(2))
        column.addLayout(head)
        column.addWidget(flowing(*self.chips.values()))
        self._recall(decides)
        self._group.buttonClicked.connect(self._touched)
        self.due.activated.connect(self._touched)
        self.range.activated.connect(self._touched)
        self.since.editingFinished.connect(self._touched)
        self.until.editingFinished.connect(self._touched)
        self.order.activated.connect(self._reorder)
        self.scanning.clicked.connect(self._touched_scanning)
        self.node.activated.connect(self._touched_scanning)
        self.statistics.clicked.connect(self.statistics_wanted)
        self._show_parts()

    @property
    def view(self) -> str:
        """The key of the chip that is chosen."""
        return next(key for key, chip in self.chips.items() if chip.isChecked())

    @property
    def narrowed(self) -> bool:
        """Whether anything but the list of all is asked for."""
        return bool(self.search.text() or self.view != ALL or self.due.currentData() or self.range.currentData())

    def looking(self, today: date) -> Looking:
        """What is asked for."""
        view = self._views[self.view]
        kind = str(self.range.currentData())
        since, until = (day(self.since.text()), day(self.until.text())) if kind == OWN else span(kind, today)
        by_due = self.order.currentData() == BY_DUE
        due = str(self.due.currentData())
        return Looking(view.states, self.search.text(), view.key == MINE, due, since, until, by_due)

    def choose(self, key: str) -> None:
        """Choose a chip, without ``changed``."""
        self.chips[key].setChecked(True)

    def show_states(self, states: tuple[str, ...]) -> None:
        """Choose the chip that shows these states; all where none does."""
        found = next(
            (view.key for view in self._views.values() if view.states and set(states) <= set(view.states)), ALL
        )
        self.choose(found)

    def show_due(self, key: str) -> None:
        """Choose a filter of the term, without ``changed``."""
        self.due.setCurrentIndex(max(self.due.findData(key), 0))

    def widen(self) -> None:
        """Ask for all, so that a case that was pointed at is among them."""
        self.choose(ALL)
        for box in (self.due, self.range):
            box.setCurrentIndex(0)
        self._show_parts()

    def _recall(self, decides: bool) -> None:
        kept = self._memory.recall(f"{self._name}.filters")
        known: Mapping[str, Any] = kept if isinstance(kept, dict) else {}
        view = known.get("view")
        self.choose(view if view in self.chips else MINE if decides else ALL)
        for box, key in ((self.due, "due"), (self.range, "range"), (self.node, "node")):
            box.setCurrentIndex(max(box.findData(known.get(key, "")), 0))
        self.since.setText(str(known.get("since", "")))
        self.until.setText(str(known.get("until", "")))
        self.scanning.setChecked(known.get("scanning") is True)

    def _keep(self) -> None:
        self._memory.remember(
            f"{self._name}.filters",
            {
                "view": self.view,
                "due": self.due.currentData(),
                "range": self.range.currentData(),
                "since": self.since.text(),
                "until": self.until.text(),
                "node": self.node.currentData(),
                "scanning": self.scanning.isChecked(),
            },
        )

    def _show_parts(self) -> None:
        self._days.setVisible(self.range.currentData() == OWN)
        self.node.setVisible(self.scanning.isChecked())

    @Slot()
    def _touched(self) -> None:
        self._show_parts()
        self._keep()
        self.changed.emit()

    @Slot()
    def _touched_scanning(self) -> None:
        self._show_parts()
        self._keep()
        self.search.setFocus()

    @Slot()
    def _reorder(self) -> None:
        self.ordered.emit(str(self.order.currentData()))


def _box(name: str, choices: list[tuple[str, str]]) -> ComboBox:
    box = ComboBox(name)
    for value, words in choices:
        box.addItem(words, value)
    box.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    return box
