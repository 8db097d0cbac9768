"""The floor plan: places by state, chosen by mouse and by arrows, told to a screen reader."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from client.widgets.floor_plan import FloorPlan, Place

PLACES = [
    Place("w1", "1号窗", 0, 0, 3, 2, "good", "空闲", "", "东区"),
    Place("w2", "2号窗", 4, 0, 3, 2, "info", "正在办理", "A017", "东区"),
    Place("w3", "3号窗", 0, 4, 3, 2, "paused", "暂停办理", "系统维护中", "西区"),
    Place("w4", "4号窗", 4, 4, 3, 2, "red", "考勤异常", "", "西区"),
]


@pytest.fixture
def plan(qtbot: Any) -> FloorPlan:
    widget = FloorPlan("大厅平面图")
    qtbot.addWidget(widget)
    widget.resize(900, 600)
    widget.show_places(PLACES)
    widget.show()
    return widget


def test_arrows_go_where_they_point(plan: FloorPlan) -> None:
    assert plan.current == "w1"
    for key, id in (
        (Qt.Key.Key_Right, "w2"),
        (Qt.Key.Key_Down, "w4"),
        (Qt.Key.Key_Left, "w3"),
        (Qt.Key.Key_Left, "w3"),
        (Qt.Key.Key_Up, "w1"),
    ):
        QTest.keyClick(plan, key)
        assert plan.current == id


def test_a_click_chooses_and_enter_opens(qtbot: Any, plan: FloorPlan) -> None:
    opened: list[str] = []
    plan.opened.connect(opened.append)
    QTest.mouseClick(plan, Qt.MouseButton.LeftButton, pos=plan.rectangle("w4").center().toPoint())
    QTest.keyClick(plan, Qt.Key.Key_Return)
    assert opened == ["w4"]


def test_what_is_chosen_is_told_in_words_and_kept(plan: FloorPlan) -> None:
    plan.choose("w3")
    assert plan.accessibleDescription() == "西区, 3号窗, 暂停办理, 系统维护中"
    plan.show_places(PLACES[1:])
    assert plan.current == "w3"
    plan.show_places(PLACES[:1])
    assert plan.current == "w1"
    plan.show_places([])
    assert plan.current == ""


def test_it_is_drawn_to_scale_at_any_size(plan: FloorPlan) -> None:
    for size in ((900, 600), (400, 600), (1500, 300)):
        plan.resize(*size)
        boxes = [plan.rectangle(place.id) for place in PLACES]
        assert all(plan.rect().toRectF().contains(box) for box in boxes)
        assert boxes[0].width() / boxes[0].height() == pytest.approx(1.5)
        assert not plan.grab().toImage().isNull()
