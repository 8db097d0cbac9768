"""The steps at the ticket machine, each a pane that asks one thing. None keeps anything after ``forget``. C01, C02."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from client.widgets.basics import (
    Banner,
    BusyMark,
    Button,
    ComboBox,
    IconLabel,
    Label,
    LineEdit,
    PrimaryButton,
    SearchBox,
)
from client.widgets.theme import theme
from modules.acceptance.domain.queue import Offer, slot_words
from modules.acceptance.services.kiosk import Printed
from modules.acceptance.ui.hall.tiles import ALL_KEYS, DIGITS, LETTERS, Keys, Tile
from modules.common.aggregate import Doc
from modules.common.text import tr

CARD, PHONE, BOOKED, PRIORITY = "card", "phone", "booked", "priority"
PAGE = 6
"""Items on one page: a finger turns pages, it does not scroll."""


class Step(QWidget):
    """One question: a large title, a line below it, and what the pane itself asks."""

    def __init__(self, title: str, line: str = "") -> None:
        super().__init__()
        self.title, self.line = Label(title, "display"), Label(line, "large", wrap=True)
        self.banner = Banner()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(theme().space(4))
        for widget in (self.title, self.line, self.banner):
            self.column.addWidget(widget)
        self.line.setVisible(bool(line))

    def say(self, line: str) -> None:
        """Another line below the title."""
        self.line.setText(line)
        self.line.setVisible(bool(line))

    def forget(self) -> None:
        """Nothing of the last person remains."""
        self.banner.clear()

    def begin(self) -> None:
        """The step is shown: the focus goes to where one begins."""


class StartStep(Step):
    """How to take a number."""

    chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__(tr("请选择取号方式"), "")
        self.tiles: dict[str, Tile] = {}
        grid = QGridLayout()
        grid.setSpacing(theme().space(4))
        ways = (
            (CARD, "id-card", tr("身份证取号"), tr("把身份证放在读卡区")),
            (PHONE, "smartphone", tr("手机号取号"), tr("没带身份证时用")),
            (BOOKED, "calendar-days", tr("预约取号"), tr("用身份证找出今天的预约")),
            (PRIORITY, "star", tr("优先取号"), tr("老年人、残疾人、军人等，请工作人员输入密码")),
        )
        for place, (way, icon, title, line) in enumerate(ways):
            tile = Tile(icon)
            tile.say(title, line)
            tile.clicked.connect(partial(self.chosen.emit, way))
            grid.addWidget(tile, place // 2, place % 2)
            grid.setColumnStretch(place % 2, 1)
            self.tiles[way] = tile
        self.column.addLayout(grid, 1)

    def begin(self) -> None:
        self.tiles[CARD].setFocus(Qt.FocusReason.OtherFocusReason)


class CardStep(Step):
    """Waits for a card. ``again``: read once more."""

    again = Signal()

    def __init__(self) -> None:
        super().__init__(tr("请把身份证放在读卡区"), tr("读完前请不要拿开。"))
        self.mark, self.busy = IconLabel("id-card", "accent", 44), BusyMark()
        self.retry = PrimaryButton(tr("再读一次"))
        self.retry.clicked.connect(self.again)
        self.column.addStretch(1)
        for widget in (self.mark, self.busy, self.retry):
            self.column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        self.column.addStretch(2)

    def show_reading(self, reading: bool) -> None:
        """Whether the reader waits for a card."""
        self.busy.setVisible(reading)
        self.retry.setVisible(not reading)
        if not reading:
            self.retry.setFocus(Qt.FocusReason.OtherFocusReason)


class PhoneStep(Step):
    """A phone number on large keys. ``given`` brings it."""

    given = Signal(str)

    def __init__(self) -> None:
        super().__init__(tr("请输入手机号"), tr("叫到您时，号码会发到这个手机。"))
        self.edit = LineEdit(tr("手机号"))
        self.edit.setMaxLength(11)
        self.edit.setFont(theme().font("display", tabular=True))
        self.edit.setInputMethodHints(Qt.InputMethodHint.ImhDigitsOnly)
        self.keys = Keys(DIGITS, tr("数字键"))
        self.go = PrimaryButton(tr("下一步"))
        column = QVBoxLayout()
        column.addWidget(self.edit)
        column.addWidget(self.keys, 1)
        column.addWidget(self.go)
        _centre(self.column, column)
        _bind(self.keys, self.edit)
        self.edit.submitted.connect(self._give)
        self.go.clicked.connect(self._give)

    def forget(self) -> None:
        super().forget()
        self.edit.clear()
        self.edit.setModified(False)

    def begin(self) -> None:
        self.edit.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _give(self) -> None:
        self.given.emit(self.edit.text())


class BookedStep(Step):
    """What the person has booked for today. ``chosen`` brings a booking; ``other``: take a number without one."""

    chosen = Signal(object)
    other = Signal()

    def __init__(self) -> None:
        super().__init__(tr("您今天的预约"))
        self.tiles = [Tile("calendar-days") for _ in range(3)]
        for tile in self.tiles:
            tile.clicked.connect(partial(self._choose, tile))
            self.column.addWidget(tile)
        self.column.addStretch(1)
        self.walk_in = Button(tr("不用预约，按现场取号"))
        self.walk_in.clicked.connect(self.other)
        self.column.addWidget(self.walk_in, 0, Qt.AlignmentFlag.AlignLeft)

    def show_bookings(self, found: Sequence[Doc]) -> None:
        """The bookings, by time."""
        self.say("" if found else tr("这张身份证今天没有可用的预约，或预约时段已过。可以按现场取号。"))
        for place, tile in enumerate(self.tiles):
            doc = found[place] if place < len(found) else None
            tile.setVisible(doc is not None)
            if doc is not None:
                words = tr("{slot}，预约号 {number}", slot=slot_words(doc["slot"]), number=doc["number"])
                tile.say(str(doc["item"]["name"]), words, value=doc)

    def forget(self) -> None:
        super().forget()
        for tile in self.tiles:
            tile.say("")
            tile.hide()

    def begin(self) -> None:
        first = next((tile for tile in self.tiles if not tile.isHidden()), self.walk_in)
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def _choose(self, tile: Tile) -> None:
        self.chosen.emit(tile.value)


class PriorityStep(Step):
    """Who goes before others, and the password that a member of the staff types. ``given``: class and password."""

    given = Signal(str, str)

    def __init__(self) -> None:
        super().__init__(tr("优先取号"), tr("请选择人群，再请工作人员输入密码。"))
        self.classes: list[Tile] = []
        self._grid = QGridLayout()
        self._grid.setSpacing(theme().space(3))
        self.edit = LineEdit(tr("优先取号密码"))
        self.edit.setEchoMode(QLineEdit.EchoMode.Password)
        self.edit.setPlaceholderText(tr("优先取号密码"))
        self.keys = Keys(ALL_KEYS, tr("字母和数字键"), capitals=True)
        self.go = PrimaryButton(tr("下一步"))
        self.column.addLayout(self._grid)
        for widget in (self.edit, self.keys):
            self.column.addWidget(widget)
        self.column.addWidget(self.go, 0, Qt.AlignmentFlag.AlignRight)
        self.column.addStretch(1)
        _bind(self.keys, self.edit)
        self.edit.submitted.connect(self._give)
        self.go.clicked.connect(self._give)

    def show_classes(self, names: Sequence[str]) -> None:
        """The classes of the hall's settings."""
        while len(self.classes) < len(names):
            tile = Tile(role="heading")
            tile.setCheckable(True)
            tile.setAutoExclusive(True)
            self._grid.addWidget(tile, len(self.classes) // 3, len(self.classes) % 3)
            self.classes.append(tile)
        for place, tile in enumerate(self.classes):
            tile.setVisible(place < len(names))
            if place < len(names):
                tile.say(names[place], value=names[place])

    def forget(self) -> None:
        super().forget()
        self.edit.clear()
        for tile in self.classes:
            tile.setAutoExclusive(False)
            tile.setChecked(False)
            tile.setAutoExclusive(True)

    def begin(self) -> None:
        if self.classes:
            self.classes[0].setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _give(self) -> None:
        chosen = next((str(tile.value) for tile in self.classes if tile.isChecked()), "")
        if chosen:
            self.given.emit(chosen, self.edit.text())
        else:
            self.banner.say(tr("请选择优先的人群。"), "due", code="ACC-350")


class ItemsStep(Step):
    """What the person came for: by department or theme, or by pinyin initials. ``chosen`` brings an offer."""

    chosen = Signal(object)
    searched = Signal(str)

    def __init__(self) -> None:
        super().__init__(tr("请选择要办的事项"))
        self._offers: list[Offer] = []
        self._waiting: dict[str, int] = {}
        self._first = 0
        self.search = SearchBox(tr("输入名称或拼音首字母"))
        self.search.setAccessibleName(tr("查找事项"))
        self.by = ComboBox(tr("部门或主题"))
        self.tiles = [Tile(role="heading") for _ in range(PAGE)]
        self.keys = Keys(LETTERS, tr("字母键"))
        self.before, self.after = Button(tr("上一页")), Button(tr("下一页"))
        self.pages = Label("", "quiet")
        head = QHBoxLayout()
        head.setSpacing(theme().space(3))
        head.addWidget(self.search, 2)
        head.addWidget(self.by, 1)
        grid = QGridLayout()
        grid.setSpacing(theme().space(3))
        for place, tile in enumerate(self.tiles):
            tile.clicked.connect(partial(self._choose, tile))
            grid.addWidget(tile, place // 2, place % 2)
        for row in range(PAGE // 2):
            grid.setRowStretch(row, 1)
        for side in range(2):
            grid.setColumnStretch(side, 1)
        turn = QHBoxLayout()
        turn.addWidget(self.before)
        turn.addStretch(1)
        turn.addWidget(self.pages)
        turn.addStretch(1)
        turn.addWidget(self.after)
        left = QVBoxLayout()
        left.setSpacing(theme().space(3))
        left.addLayout(grid, 1)
        left.addLayout(turn)
        middle = QHBoxLayout()
        middle.setSpacing(theme().space(6))
        middle.addLayout(left, 1)
        middle.addWidget(self.keys, 0, Qt.AlignmentFlag.AlignTop)
        self.column.addLayout(head)
        self.column.addLayout(middle, 1)
        _bind(self.keys, self.search)
        self.search.searched.connect(self._search)
        self.by.currentIndexChanged.connect(self._from_the_first)
        self.before.clicked.connect(partial(self._turn, -PAGE))
        self.after.clicked.connect(partial(self._turn, PAGE))

    def show_offers(self, offers: Sequence[Offer], waiting: dict[str, int]) -> None:
        """The items that were found, with how many wait for each."""
        self._offers, self._waiting = list(offers), waiting
        if not self.search.text():
            self._show_ways()
        self._show()

    def _show_ways(self) -> None:
        departments = sorted({str(offer.item["department"]) for offer in self._offers})
        themes = sorted({str(name) for offer in self._offers for name in offer.item.get("theme", ())})
        ways = [("", tr("全部事项"))]
        ways += [(f"d:{name}", name) for name in departments]
        ways += [(f"t:{name}", tr("主题：{name}", name=name)) for name in themes]
        if [way for way, _ in ways] == [self.by.itemData(row) for row in range(self.by.count())]:
            return
        chosen = self.by.currentData()
        self.by.blockSignals(True)
        self.by.clear()
        for way, name in ways:
            self.by.addItem(name, way)
        self.by.setCurrentIndex(max(0, self.by.findData(chosen)))
        self.by.blockSignals(False)

    def _show(self) -> None:
        kind, _, name = str(self.by.currentData() or "").partition(":")
        found = [
            offer
            for offer in self._offers
            if not kind
            or (kind == "d" and offer.item["department"] == name)
            or (kind == "t" and name in offer.item.get("theme", ()))
        ]
        self._first = min(self._first, max(0, (len(found) - 1) // PAGE * PAGE))
        for place, tile in enumerate(self.tiles):
            at = self._first + place
            offer = found[at] if at < len(found) else None
            tile.setVisible(offer is not None)
            if offer is not None:
                tile.say(str(offer.item["name"]), self._words(offer), value=offer, enabled=not offer.why_not)
        pages = max(1, -(-len(found) // PAGE))
        self.pages.setText(
            tr("第 {a} 页，共 {b} 页", a=self._first // PAGE + 1, b=pages) if found else tr("没有找到这样的事项")
        )
        self.before.setEnabled(self._first > 0)
        self.after.setEnabled(self._first + PAGE < len(found))

    def _words(self, offer: Offer) -> str:
        if offer.why_not:
            return offer.why_not
        names = tr("、").join(str(window["name"]) for window in offer.windows[:4])
        return tr("等候 {n} 人 · {windows}", n=self._waiting.get(str(offer.item["id"]), 0), windows=names)

    def forget(self) -> None:
        super().forget()
        self.search.blockSignals(True)
        self.search.clear()
        self.search.blockSignals(False)
        self.by.setCurrentIndex(0)
        self._first = 0

    def begin(self) -> None:
        self.search.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot(str)
    def _search(self, text: str) -> None:
        self._first = 0
        self.searched.emit(text)

    @Slot()
    def _from_the_first(self) -> None:
        self._first = 0
        self._show()

    def _turn(self, by: int) -> None:
        self._first = max(0, self._first + by)
        self._show()

    def _choose(self, tile: Tile) -> None:
        self.chosen.emit(tile.value)


class WorkingStep(Step):
    """A number is being given and printed."""

    def __init__(self) -> None:
        super().__init__(tr("正在出票…"), tr("请稍候，不要离开。"))
        self.column.addStretch(1)
        self.column.addWidget(BusyMark(), 0, Qt.AlignmentFlag.AlignHCenter)
        self.column.addStretch(2)


class ResultStep(Step):
    """The number, where to go and how long it may take; or that there is none, and what to do. ``left``: done."""

    left = Signal()
    again = Signal()

    def __init__(self) -> None:
        super().__init__("")
        self.number = Label("", "hero")
        self.where, self.wait = Label("", "large", wrap=True), Label("", "large", wrap=True)
        self.rest = Label("", "quiet")
        self.done, self.retry = PrimaryButton(tr("完成")), Button(tr("重新取号"))
        for label in (self.number, self.where, self.wait):
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.column.addStretch(1)
        for label in (self.number, self.where, self.wait):
            self.column.addWidget(label)
        self.column.addStretch(2)
        row = QHBoxLayout()
        row.addWidget(self.rest)
        row.addStretch(1)
        row.addWidget(self.retry)
        row.addWidget(self.done)
        self.column.addLayout(row)
        self.done.clicked.connect(self.left)
        self.retry.clicked.connect(self.again)

    def show_taken(self, number: str, where: str, wait: str, said: str) -> None:
        """A number was given; ``said`` is about the paper."""
        self.title.setText(tr("取号成功"))
        self.say(said)
        self.number.setText(number)
        self.where.setText(where)
        self.wait.setText(wait)
        self.retry.hide()

    def show_lost(self, printed: Printed) -> None:
        """The paper did not come out: the number is void."""
        self.title.setText(tr("没有取到号"))
        self.say("")
        self.banner.say(printed.words, "red", code=printed.code)
        self.where.setText(tr("请联系大厅工作人员。"))
        self.retry.show()

    def show_refused(self, words: str, code: str) -> None:
        """No number was given."""
        self.title.setText(tr("没有取到号"))
        self.say("")
        self.banner.say(words, "due", code=code)
        self.retry.show()

    def count_down(self, seconds: int) -> None:
        """How long it stays."""
        self.rest.setText(tr("{n} 秒后返回首页", n=seconds))

    def forget(self) -> None:
        super().forget()
        for label in (self.title, self.line, self.number, self.where, self.wait, self.rest):
            label.setText("")

    def begin(self) -> None:
        self.done.setFocus(Qt.FocusReason.OtherFocusReason)


def _bind(keys: Keys, edit: LineEdit) -> None:
    keys.pressed.connect(edit.insert)
    keys.erased.connect(edit.backspace)


def _centre(column: QVBoxLayout, inner: QVBoxLayout) -> None:
    """A narrow column in the middle."""
    inner.setSpacing(theme().space(4))
    row = QHBoxLayout()
    row.addStretch(1)
    row.addLayout(inner, 2)
    row.addStretch(1)
    column.addLayout(row, 1)
