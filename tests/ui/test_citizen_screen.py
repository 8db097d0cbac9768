"""The second screen: a citizen sees their own case alone, answers once, and takes nothing from the clerk."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QCheckBox, QLabel, QPushButton, QWidget

from client.widgets.second_screen import SecondScreen, other_screen
from modules.acceptance.ui.citizen import CitizenView, OwnData, step_name

DATA = OwnData(
    "请核对您的信息",
    [("姓名", "李晓明"), ("事项", "个体工商户设立登记"), ("联系电话", "138****2345")],
    ["身份证 2 页"],
    "请确认无误后点下方按钮",
)
REASONS = ["服务态度不好", "等待时间太长"]


@pytest.fixture
def view(qtbot: Any) -> CitizenView:
    page = CitizenView()
    qtbot.addWidget(page)
    page.resize(1000, 700)
    page.show()
    return page


def button(view: QWidget, name: str) -> QPushButton:
    return next(found for found in view.findChildren(QPushButton) if found.accessibleName() == name)


def read(view: QWidget) -> str:
    return " ".join(label.text() for label in view.findChildren(QLabel) if label.isVisible())


def test_only_what_is_handed_in_is_shown(view: CitizenView) -> None:
    view.show_data(DATA)
    assert "李晓明" in read(view)
    assert not button(view, "确认无误").isVisible()
    view.welcome("3号窗", "暂停办理，请稍候")
    assert "李晓明" not in read(view)
    assert "暂停办理" in read(view)


def test_data_is_confirmed_once(qtbot: Any, view: CitizenView) -> None:
    said: list[bool] = []
    view.confirmed.connect(said.append)
    view.show_data(DATA, ask=True)
    for _ in range(2):
        qtbot.mouseClick(button(view, "确认无误"), Qt.MouseButton.LeftButton)
        button(view, "有误，请更正").click()
    assert said == [True]
    assert "您已确认" in read(view)


def test_a_good_rating_is_one_touch(qtbot: Any, view: CitizenView) -> None:
    rated: list[tuple[int, list[str]]] = []
    view.rated.connect(lambda stars, reasons: rated.append((stars, reasons)))
    view.ask_rating("3号窗 张三", REASONS)
    qtbot.mouseClick(button(view, step_name(4)), Qt.MouseButton.LeftButton)
    button(view, step_name(1)).click()
    assert rated == [(4, [])]
    assert view.showing == "thanks"


@pytest.mark.parametrize("stars", [1, 2])
def test_a_low_rating_wants_its_reasons(qtbot: Any, view: CitizenView, stars: int) -> None:
    rated: list[tuple[int, list[str]]] = []
    view.rated.connect(lambda stars, reasons: rated.append((stars, reasons)))
    view.ask_rating("3号窗 张三", REASONS)
    qtbot.mouseClick(button(view, step_name(stars)), Qt.MouseButton.LeftButton)
    assert rated == []
    send = button(view, "提交评价")
    assert not send.isEnabled()
    box = next(box for box in view.findChildren(QCheckBox) if box.accessibleName() == REASONS[1])
    box.click()
    qtbot.mouseClick(send, Qt.MouseButton.LeftButton)
    assert rated == [(stars, [REASONS[1]])]


def test_a_changed_mind_before_sending_counts(qtbot: Any, view: CitizenView) -> None:
    rated: list[int] = []
    view.rated.connect(lambda stars, reasons: rated.append(stars))
    view.ask_rating("", REASONS)
    button(view, step_name(1)).click()
    button(view, step_name(5)).click()
    assert rated == [5]


def test_the_next_citizen_finds_nothing_of_the_last(view: CitizenView) -> None:
    view.ask_rating("", REASONS)
    button(view, step_name(1)).click()
    view.ask_rating("", ["其他"])
    assert not any(found.isChecked() for found in view.findChildren(QPushButton))
    assert [box.accessibleName() for box in view.findChildren(QCheckBox) if box.isVisible()] == []


def test_with_one_monitor_it_is_a_window_or_nothing(qtbot: Any) -> None:
    main = QWidget()
    qtbot.addWidget(main)
    main.show()
    assert other_screen(main) is None
    hidden, shown = SecondScreen(CitizenView(), main), SecondScreen(CitizenView(), main, windowed=True)
    assert not hidden.isVisible()
    assert shown.isVisible()
    assert shown.isActiveWindow() is False or QApplication.platformName() == "offscreen"
    for screen in (hidden, shown):
        screen.end()


def test_controls_are_large_enough_for_a_finger(view: CitizenView) -> None:
    view.ask_rating("", REASONS)
    assert all(button(view, step_name(stars)).height() >= 48 for stars in (1, 5))
