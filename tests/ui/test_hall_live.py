"""大厅现场: the windows' states on the plan, the chosen window, strategies while it runs, double calls, the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog

from client.kernel.events import DeviceChanged
from client.widgets.basics import ConfirmDialog
from client.widgets.dialogs import TextDialog
from client.widgets.theme import Theme
from devices.ports import DeviceError, DeviceState
from modules.acceptance.domain.windows import strategy_of
from modules.acceptance.services.kiosk import Citizen, KioskService
from modules.acceptance.services.queue import QueueService
from modules.acceptance.ui.hall.live import HallView
from modules.acceptance.ui.hall.strategy import ALL, GROUP, StrategyDialog
from tests.support.a11y import Walk
from tests.support.fake_host import actor
from tests.support.hall_host import HallHost, printer_status
from tests.support.queue_hall import Desk

W1, W2, W3 = "hall-1-w01", "hall-1-w02", "hall-1-w03"
MakeView = Callable[[], HallView]


@pytest.fixture
def host() -> HallHost:
    host = HallHost()
    service(host).lease()
    host.meet()
    return host


@pytest.fixture
def make(qtbot: Any, host: HallHost) -> Iterator[MakeView]:
    pages = []

    def open_page() -> HallView:
        page = HallView(host)
        qtbot.addWidget(page)
        page.resize(1280, 800)
        with qtbot.waitActive(page):
            page.show()
            page.activateWindow()
        host.drain()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    host.drain()


def service(host: HallHost) -> KioskService:
    return KioskService(host.desk, host.desk, host.desk, host.clock, host.paper)


def take(host: HallHost, name: str, item: str = "item-1") -> str:
    host.clock.advance(1)
    kiosk = service(host)
    taken = kiosk.take_by_card(item, Citizen(name, f"ID{name}"))
    kiosk.put_out(taken)
    host.meet()
    return taken.record.number


def at_window(host: HallHost, desk: Desk) -> QueueService:
    return QueueService(desk, desk, desk, host.clock, host.phone)


def state(page: HallView, window: str) -> tuple[str, str, str]:
    place = next(place for place in page.plan._places if place.id == window)
    return place.state, place.word, place.line


def dialog(kind: type[QDialog]) -> Any:
    found = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, kind) and widget.isVisible()]
    assert len(found) == 1
    return found[0]


def test_each_of_the_five_states_stands_on_the_plan_with_its_number(make: MakeView, host: HallHost) -> None:
    number = take(host, "甲")
    line = at_window(host, host.other)
    line.sign_in(W1)
    host.meet()
    page = make()
    assert state(page, W1) == ("good", "空闲", "10:24")
    assert state(page, W2) == ("red", "考勤异常", "09:00")
    line.call_next(W1)
    host.meet()
    host.drain()
    assert state(page, W1) == ("info", "正在办理", f"{number} 10:24")
    line.skip(W1)
    line.suspend(W1, "临时离岗")
    host.meet()
    host.drain()
    assert state(page, W1)[:2] == ("paused", "暂停办理")
    host.set_part("hours", [["18:00", "20:00"]])
    host.drain()
    assert state(page, W2) == ("quiet", "未登录", "")
    page.plan.choose(W2)
    assert page.pane.state.text() == "未登录"
    assert "暂停办理 1" in page.summary.text()


def test_time_alone_brings_an_absence_and_no_timer_is_left_at_close(make: MakeView, host: HallHost) -> None:
    at_window(host, host.other).sign_in(W1)
    at_window(host, host.other).suspend(W1, "临时离岗")
    host.meet()
    page = make()
    assert state(page, W1)[0] == "paused"
    host.clock.advance(1900)
    page._ticks.timeout.emit()
    host.drain()
    assert state(page, W1)[:2] == ("red", "考勤异常")
    assert page._ticks.isActive()
    page.close()
    assert not page._ticks.isActive()
    assert not host.jobs


def test_the_chosen_window_says_who_is_next_and_why(make: MakeView, host: HallHost) -> None:
    first, second = take(host, "甲"), take(host, "乙", "item-2")
    page = make()
    page.plan.setFocus()
    page.plan.choose(W1)
    host.drain()
    assert [row[1].ticket["number"] for row in page.pane.line.rows] == [first, second]
    assert f"下一位 {first}：按取号先后（10:24 取号）" in page.pane.waiting.text()
    QTest.keyClick(page.plan, Qt.Key.Key_Right)
    host.drain()
    assert page.plan.current == W2
    assert [row[1].ticket["number"] for row in page.pane.line.rows] == [first]
    assert page.pane.order.text().startswith("缺省策略：预约按时段优先")


def test_an_area_narrows_the_plan(make: MakeView, host: HallHost) -> None:
    page = make()
    page.area.setCurrentIndex(page.area.findData("社会事务区"))
    assert [place.id for place in page.plan._places] == [W3]
    assert "企业服务区" not in page.summary.text()


def test_the_order_changes_while_people_wait(make: MakeView, host: HallHost) -> None:
    number = take(host, "甲")
    page = make()
    page.plan.choose(W1)
    host.drain()
    page.pane.strategy.click()
    host.drain()
    asked = dialog(StrategyDialog)
    asked.preset.setCurrentIndex(asked.preset.findData("mix"))
    asked.preset.activated.emit(asked.preset.currentIndex())
    asked.walk_ins.setValue(5)
    assert "现场 5 人叫预约 1 人" in asked.words.text()
    assert not asked.slack.isVisible()
    assert asked.preset.currentData() == ""
    asked.go.click()
    host.drain()
    assert host.desk.rows["window", W1].doc["strategy"]["walk_ins"] == 5
    assert page.pane.order.text().startswith("本窗策略：现场 5 人叫预约 1 人")
    assert page.pane.line.rows[0][1].ticket["number"] == number
    page.pane.strategy.click()
    host.drain()
    dialog(StrategyDialog).inherit.click()
    host.drain()
    assert host.desk.rows["window", W1].doc["strategy"] is None


@pytest.mark.parametrize("target", [GROUP, ALL])
def test_an_order_for_a_group_or_all_is_hidden_by_no_windows_own(make: MakeView, host: HallHost, target: str) -> None:
    page = make()
    page._service.set_window_strategy(W2, {"patience": 5})
    host.drain()
    page.plan.choose(W1)
    page.pane.strategy.click()
    host.drain()
    asked = dialog(StrategyDialog)
    asked.target.setCurrentIndex(asked.target.findData(target))
    asked.patience.setValue(90)
    asked.go.click()
    host.drain()
    found = [seat.window for seat in page._picture.seats] if page._picture else []
    assert [strategy_of(window, page._service.hall.settings())["patience"] for window in found] == [90, 90, 90]


def test_a_refused_order_stays_in_the_form(make: MakeView, host: HallHost) -> None:
    page = make()
    page.pane.strategy.click()
    host.drain()
    host.desk.actor = actor("clerk")
    asked = dialog(StrategyDialog)
    asked.go.click()
    host.drain()
    assert asked.isVisible()
    assert "权限" in asked.banner.text()
    asked.reject()


def test_pause_resume_leave_and_stop(make: MakeView, host: HallHost) -> None:
    at_window(host, host.other).sign_in(W1)
    host.meet()
    page = make()
    page.plan.choose(W1)
    host.drain()
    page.pane.pause.click()
    asked = dialog(TextDialog)
    assert asked.text.text() == "暂停办理，请稍候"
    asked.go.click()
    host.drain()
    assert host.desk.rows["window", W1].doc["state"]["suspended"]["text"] == "暂停办理，请稍候"
    page.pane.resume.click()
    host.drain()
    assert host.desk.rows["window", W1].doc["state"]["suspended"] is None
    page.pane.leave.click()
    dialog(ConfirmDialog).go.click()
    host.drain()
    assert host.desk.rows["window", W1].doc["state"]["signed_in"] is None
    page.pane.stop.click()
    asked = dialog(TextDialog)
    asked.text.setText("设备检修")
    asked.go.click()
    host.drain()
    assert host.desk.rows["window", W1].doc["state"]["stopped"]["text"] == "设备检修"
    assert state(page, W1)[2].startswith("停用")
    page.pane.reopen.click()
    host.drain()
    assert host.desk.rows["window", W1].doc["state"]["stopped"] is None


def test_a_refusal_is_said_above_the_plan(make: MakeView, host: HallHost) -> None:
    page = make()
    page.pane.stop.click()
    asked = dialog(TextDialog)
    asked.text.setText("检修")
    host.desk.actor = actor("clerk")
    asked.go.click()
    host.drain()
    assert "权限" in page.banner.text()


def test_a_double_call_is_said(make: MakeView, host: HallHost) -> None:
    number = take(host, "甲")
    third = Desk("2号窗", host.central, actor("clerk", name="王五"))
    third.sync()
    third.sync()
    for desk, window in ((host.other, W1), (third, W2)):
        at_window(host, desk).sign_in(window)
    host.meet()
    third.sync()
    for desk, window in ((host.other, W1), (third, W2)):
        assert at_window(host, desk).call_next(window)
    host.meet()
    third.sync()
    host.meet()
    page = make()
    assert page.doubles.text().startswith(f"{number} 重复呼叫：1 号窗口（10:24，只呼叫）")


def test_paper_that_runs_out_is_said_here_and_from_another_machine(make: MakeView, host: HallHost) -> None:
    page = make()
    assert not page.paper.text()
    host.devices.known = [printer_status(DeviceState.ATTENTION, "纸快用完。", "请准备纸卷。")]
    host.events.publish(DeviceChanged(host.devices.known[0]))
    assert page.paper.text() == "取号打印机：纸快用完。请准备纸卷。"
    host.devices.known = []
    host.paper.fault = DeviceError("DEV-302", "缺纸。")
    number = take(host, "甲")
    host.drain()
    assert f"{number} 号没有打出，已作废：缺纸。" in page.paper.text()


def test_counts_by_hour_and_class(make: MakeView, host: HallHost) -> None:
    host.booked(host.clock.now() + timedelta(minutes=5), host.clock.now() + timedelta(minutes=35))
    take(host, "甲")
    kiosk = service(host)
    me = Citizen("李晓明", "11010519491231002X")
    kiosk.put_out(kiosk.take_booked(kiosk.bookings_of(me)[0]["id"], me))
    host.meet()
    page = make()
    texts = [column.text(page.counts.rows[0]) for column in page.counts.model.columns]
    assert texts == ["10–11 时", "1", "1", "0", "0", "  2 █████"]


def test_the_screen_calls_large_and_marks_what_is_new(make: MakeView, host: HallHost) -> None:
    take(host, "甲")
    line = at_window(host, host.other)
    line.sign_in(W1)
    host.meet()
    page = make()
    page.open_board.click()
    host.drain()
    board = page.board
    assert board.isVisible()
    assert page.open_board.accessibleName() == "关闭综合屏"
    assert board.calls[0].where.text() == "现在没有叫号"
    line.call_next(W1)
    host.meet()
    host.drain()
    assert (board.calls[0].number.text(), board.calls[0].where.text()) == ("A001", "请到1 号窗口")
    assert board.calls[0].new
    assert "请 A 零 零 一 号，到一 号窗口" in board.voice.text()
    board._until.timeout.emit()
    assert not board.calls[0].new
    line.recall(W1)
    host.meet()
    host.drain()
    assert board.calls[0].new
    assert [card.accessibleName() for card in board.screens] == ["1 号窗口 A001 ；2 号窗口 – ", "3 号窗口 – "]
    assert "甲" not in " ".join(label.text() for label in board.findChildren(type(board.voice)))
    page.open_board.click()
    assert page._screen is None
    assert page.open_board.accessibleName() == "打开综合屏"


def test_closing_the_screen_by_its_frame_is_noticed(make: MakeView, host: HallHost) -> None:
    page = make()
    page.open_board.click()
    host.drain()
    assert page._screen is not None
    page._screen.close()
    assert page._screen is None
    assert page.open_board.accessibleName() == "打开综合屏"
    page.open_board.click()
    assert page.board.isVisible()


def test_the_screen_goes_on_without_the_page_and_ends_with_it(make: MakeView, host: HallHost) -> None:
    page = make()
    page.open_board.click()
    host.drain()
    page.hide()
    assert page._ticks.isActive()
    page.close()
    assert not page._ticks.isActive()
    assert not page.board.isVisible()


def test_what_a_screen_says_while_a_window_pauses(make: MakeView, host: HallHost) -> None:
    line = at_window(host, host.other)
    line.sign_in(W1)
    line.suspend(W1, "临时离岗，请到2号窗")
    host.meet()
    page = make()
    assert page.board.pauses.text() == "1 号窗口：临时离岗，请到2号窗"


def test_who_may_not_and_a_hall_without_windows_see_why(qtbot: Any) -> None:
    for host, words in ((HallHost("clerk"), "权限"), (HallHost(stocked=False), "还没有设置窗口")):
        page = HallView(host)
        qtbot.addWidget(page)
        page.show()
        host.drain()
        assert words in page.nothing.text()
        page.close()


@pytest.mark.parametrize(("palette", "zoom"), [("light", 1.0), ("dark", 1.5), ("contrast", 1.0)])
def test_every_control_has_a_name_and_fits(
    make: MakeView, host: HallHost, qtbot: Any, palette: str, zoom: float, theme: Theme
) -> None:
    theme.apply(palette, zoom)
    take(host, "甲")
    page = make()
    page.resize(round(1280 * zoom), round(800 * zoom))
    QApplication.processEvents()
    walk = Walk(page)
    assert walk.nameless() == []
    assert walk.clipped() == []
