from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QWidget

from client.kernel.settings import Settings
from client.widgets.basics import Button
from client.widgets.notices import KEPT, NoticeBar, NoticeModel
from client.widgets.tables import Column, MasterDetail, RecordModel, RecordTable
from client.widgets.theme import Theme, theme
from modules.common.clock import FixedClock
from tests.support.a11y import Walk


@dataclass(frozen=True)
class Case:
    id: str
    number: str
    who: str
    days: int


CASES = [Case("a", "0001", "李四", 5), Case("b", "0003", "张三", 10), Case("c", "0002", "王五", 2)]
COLUMNS = (
    Column("number", "号码", lambda case: case.number),
    Column("who", "申请人", lambda case: case.who, stretch=True),
    Column("days", "还剩", lambda case: f"{case.days} 天", sort=lambda case: case.days, numeric=True,
           state=lambda case: "due" if case.days < 5 else ""),
)  # fmt: skip


def make(qtbot: Any, memory: Settings | None = None, rows: list[Case] | None = None) -> RecordTable:
    table = RecordTable(COLUMNS, title="办件", name="cases", key=lambda case: case.id, memory=memory)
    qtbot.addWidget(table)
    table.resize(500, 300)
    table.show()
    table.activateWindow()
    qtbot.waitUntil(table.isActiveWindow)
    if rows is not None:
        table.show_rows(rows)
    return table


def test_the_model_keeps_to_the_rules_of_models(qtbot: Any) -> None:
    model = RecordModel(COLUMNS)
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.show(CASES)
    model.sort(2)
    assert [case.id for case in model.rows] == ["c", "a", "b"]
    model.sort(2, Qt.SortOrder.DescendingOrder)
    assert [case.id for case in model.rows] == ["b", "a", "c"]


def test_a_row_is_read_out_whole_and_its_state_has_colour_and_shape(theme: Theme, qtbot: Any) -> None:
    model = RecordModel(COLUMNS)
    model.show(CASES)
    assert model.data(model.index(2, 0), Qt.ItemDataRole.AccessibleTextRole) == "号码 0002，申请人 王五，还剩 2 天"
    assert model.data(model.index(2, 2), Qt.ItemDataRole.ForegroundRole) == theme.color("due")
    assert not model.data(model.index(2, 2), Qt.ItemDataRole.DecorationRole).isNull()
    assert model.data(model.index(0, 2), Qt.ItemDataRole.DecorationRole) is None


def test_the_list_is_worked_by_keyboard(qtbot: Any) -> None:
    table = make(qtbot, rows=CASES)
    chosen: list[Any] = []
    opened: list[Any] = []
    table.chosen.connect(chosen.append)
    table.opened.connect(opened.append)
    table.view.setFocus()
    qtbot.waitUntil(table.view.hasFocus)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Return, Qt.Key.Key_Up, Qt.Key.Key_Space):
        qtbot.keyClick(table.view, key)
    assert [case.id for case in opened] == [case.id for case in chosen[-2:]]
    assert table.current is chosen[-1]
    with qtbot.waitSignal(table.search_wanted):
        qtbot.keyClick(table.view, "/")
    assert table.view.accessibleName() == "办件"
    assert Walk(table).nameless() == []


def test_enter_on_an_empty_list_opens_nothing(qtbot: Any) -> None:
    table = make(qtbot, rows=[])
    opened: list[Any] = []
    table.opened.connect(opened.append)
    qtbot.keyClick(table.view, Qt.Key.Key_Return)
    assert opened == []


def test_the_cursor_stays_on_its_record_when_rows_come_anew_or_are_sorted(qtbot: Any) -> None:
    table = make(qtbot, rows=CASES)
    chosen: list[Any] = []
    table.choose("b")
    table.chosen.connect(chosen.append)
    table.show_rows([Case("n", "0004", "新", 1), *CASES])
    assert table.current.id == "b"
    table.view.horizontalHeader().setSortIndicator(2, Qt.SortOrder.DescendingOrder)
    assert [case.id for case in table.rows] == ["b", "a", "c", "n"]
    assert table.current.id == "b"
    assert chosen == []
    table.show_rows(CASES[:1])
    assert chosen == [None]
    assert table.current is None
    assert not table.choose("b")


def test_five_states_are_designed(qtbot: Any) -> None:
    table = make(qtbot)
    seen = {table.pane.text()}
    table.show_rows([], empty="还没有办件。", action="新建")
    seen.add(table.pane.text())
    with qtbot.waitSignal(table.acted):
        table.findChild(Button).click()
    for show in (table.show_offline, table.show_forbidden):
        show()
        seen.add(table.pane.text())
    table.show_failed("读取失败。（DATA-001）", "重试")
    seen.add(table.pane.text())
    assert len(seen) == 5
    assert table.pane.isVisible()
    table.show_rows(CASES)
    assert table.view.isVisible()
    assert not table.pane.isVisible()


def test_widths_and_sort_are_as_they_were_left_at_any_zoom(theme: Theme, qtbot: Any, tmp_path: Path) -> None:
    memory = Settings(tmp_path / "settings.json")
    table = make(qtbot, memory, CASES)
    header = table.view.horizontalHeader()
    header.resizeSection(0, 140)
    header.setSortIndicator(2, Qt.SortOrder.AscendingOrder)
    memory.flush()
    theme.apply("light", 1.5)
    again = make(qtbot, Settings(tmp_path / "settings.json"), CASES)
    assert again.view.horizontalHeader().sectionSize(0) == 210
    assert [case.id for case in again.rows] == ["c", "a", "b"]
    assert again.view.rowHeight(0) == theme.size("row") == 48
    assert again.view.horizontalHeader().sortIndicatorSection() == 2


def test_digits_stand_under_each_other(theme: Theme, qtbot: Any) -> None:
    table = make(qtbot, rows=CASES)
    widths = {table.view.fontMetrics().horizontalAdvance(digit * 10) for digit in "0123456789"}
    assert len(widths) == 1


def test_master_and_detail_keep_their_sizes(qtbot: Any, tmp_path: Path) -> None:
    def built(memory: Settings) -> MasterDetail:
        split = MasterDetail(QWidget(), QWidget(), name="cases.split", memory=memory)
        qtbot.addWidget(split)
        split.resize(1000, 300)
        split.show()
        return split

    memory = Settings(tmp_path / "settings.json")
    split = built(memory)
    split.moveSplitter(300, 1)
    sizes = split.sizes()
    memory.flush()
    assert built(Settings(tmp_path / "settings.json")).sizes() == sizes


def test_notices_are_said_and_can_be_read_later(qtbot: Any) -> None:
    clock = FixedClock(datetime(2026, 11, 20, 2, 24, tzinfo=UTC))
    notices = NoticeModel(clock)
    QAbstractItemModelTester(notices, QAbstractItemModelTester.FailureReportingMode.Fatal)
    bar = NoticeBar(notices)
    qtbot.addWidget(bar)
    assert bar.isHidden()
    notices.tell("已受理 3411A-20261120-000001。", state="good")
    clock.advance(60)
    notices.tell("打印机缺纸。", state="due", code="PRT-002")
    assert not bar.isHidden()
    assert bar.text() == "10:25 打印机缺纸。（PRT-002）"
    assert notices.unread == 2
    assert [notices.data(notices.index(row)) for row in range(2)] == [
        "10:25 打印机缺纸。（PRT-002）",
        "10:24 已受理 3411A-20261120-000001。",
    ]
    with qtbot.waitSignal(bar.all_wanted):
        bar.more.click()
    notices.read_all()
    assert notices.unread == 0
    assert bar.isHidden()
    notices.tell("又一条（PRT-002）", code="PRT-002")
    assert bar.text() == "10:25 又一条（PRT-002）"
    bar.away.click()
    assert bar.isHidden()


def test_old_notices_make_room(qtbot: Any) -> None:
    notices = NoticeModel(FixedClock(datetime(2026, 11, 20, tzinfo=UTC)))
    for number in range(KEPT + 5):
        notices.tell(f"第 {number} 条")
    assert notices.rowCount() == KEPT
    assert notices.notice(0).text == f"第 {KEPT + 4} 条"


@pytest.mark.parametrize("palette", ["light", "dark", "contrast"])
@pytest.mark.parametrize("zoom", [1.0, 1.5, 2.0])
def test_lists_and_notices_are_named_and_whole(theme: Theme, qtbot: Any, palette: str, zoom: float) -> None:
    theme.apply(palette, zoom)
    table = make(qtbot)
    table.resize(theme.text_width(40), theme.text_width(24))
    table.show_failed("读取失败，已保留上次的内容。（DATA-001）", "重试")
    notices = NoticeModel(FixedClock(datetime(2026, 11, 20, tzinfo=UTC)))
    bar = NoticeBar(notices)
    qtbot.addWidget(bar)
    bar.resize(theme.text_width(40), bar.sizeHint().height())
    notices.tell("很长的一条消息，窗口里放不下的部分以省略号结尾，整句可以在全部消息里读到。", state="good")
    for widget in (table, bar):
        walk = Walk(widget)
        assert walk.nameless() == walk.clipped() == []
        assert walk.small(theme.size("target")) == []


def test_a_stretching_column_keeps_what_it_needs_in_a_narrow_table(qtbot: Any) -> None:
    columns = [
        Column("number", "编号", str, 13),
        Column("title", "名称", str, 14, stretch=True),
        Column("state", "状态", str, 8),
    ]
    table = RecordTable(columns, title="件", name="narrow", key=str)
    qtbot.addWidget(table)
    table.show_rows(["a", "b"])
    header = table.view.horizontalHeader()
    for width, exactly in ((300, True), (1200, False), (300, True)):
        table.resize(width, 300)
        table.show()
        needed = theme().text_width(14)
        assert (header.sectionSize(1) == needed) if exactly else (header.sectionSize(1) > needed)
