"""取号: by card, phone, appointment and priority; no ghost number; nothing of the last person remains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit

from client.kernel.events import SyncChanged
from client.widgets.theme import Theme
from devices.ports import DeviceError, IdentityRecord
from modules.acceptance.domain import windows
from modules.acceptance.services.windows import HallService
from modules.acceptance.ui.hall.kiosk import STAY_S, KioskView, UnfinishedDialog
from tests.support.a11y import Walk
from tests.support.fake_host import actor
from tests.support.hall_host import HallHost, printer_status
from tests.support.queue_hall import BLOCK, Desk

CARD = IdentityRecord("resident", "李晓明", "11010519491231002X", "女", None)
PASSWORD = "Hall-2026"
MakeView = Callable[[], KioskView]


@pytest.fixture
def host() -> HallHost:
    host = HallHost("clerk")
    host.devices.known = [printer_status()]
    host.online()
    return host


@pytest.fixture
def make(qtbot: Any, host: HallHost) -> Iterator[MakeView]:
    pages = []

    def open_page() -> KioskView:
        page = KioskView(host)
        qtbot.addWidget(page)
        page.resize(1280, 800)
        with qtbot.waitActive(page):
            page.show()
            page.activateWindow()
        host.drain()
        host.meet()
        host.drain()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    host.drain()


def choose(host: HallHost, page: KioskView, way: str) -> None:
    page.pane.start.tiles[way].click()
    host.drain()


def pick(host: HallHost, page: KioskView, name: str = "事项1") -> None:
    next(tile for tile in page.pane.items.tiles if tile.accessibleName() == name).click()
    host.drain()


def tickets(host: HallHost) -> list[tuple[str, str, str]]:
    docs = [row.doc for (kind, _), row in host.desk.rows.items() if kind == "ticket"]
    return [(doc["number"], doc["state"], doc["source"]) for doc in docs]


def said(page: KioskView) -> str:
    """All that stands on the machine, seen or not."""
    words = [label.text() for label in page.pane.findChildren(QLabel)]
    return " ".join([*words, *(edit.text() for edit in page.pane.findChildren(QLineEdit))])


def test_a_card_gives_a_number_a_paper_and_a_way(make: MakeView, host: HallHost) -> None:
    host.reader(CARD)
    page = make()
    choose(host, page, "card")
    assert page.pane.step is page.pane.items
    assert page.pane.items.tiles[0].line() == "等候 0 人 · 1 号窗口、2 号窗口"
    pick(host, page)
    assert tickets(host) == [("A001", "waiting", "id_card")]
    assert host.paper.printed[0].number == "A001"
    result = page.pane.result
    assert page.pane.step is result
    assert (result.number.text(), result.where.text()) == ("A001", "请到企业服务区 1 号窗口、2 号窗口 等候叫号")
    assert result.wait.text() == "现在没有开放的窗口办理，不能估计等候时间。"


def test_a_result_stays_a_while_and_nothing_of_the_person_remains(make: MakeView, host: HallHost) -> None:
    page = make()
    choose(host, page, "phone")
    QTest.keyClicks(page.pane.phone.edit, "13855012345")
    page.pane.phone.go.click()
    host.drain()
    pick(host, page)
    for _ in range(STAY_S - 1):
        page.pane._stay.timeout.emit()
    assert page.pane.step is page.pane.result
    assert "1 秒后返回" in page.pane.result.rest.text()
    page.pane._stay.timeout.emit()
    assert page.pane.step is page.pane.start
    assert "13855012345" not in said(page)
    assert "A001" not in said(page)
    assert not page.pane._stay.isActive()
    assert page.pane._citizen.phone == ""


def test_who_walks_away_leaves_nothing(make: MakeView, host: HallHost) -> None:
    page = make()
    choose(host, page, "phone")
    page.pane.phone.keys.pressed.emit("1")
    page.pane.phone.keys.pressed.emit("3")
    page.pane.phone.keys.erased.emit()
    assert page.pane.phone.edit.text() == "1"
    assert page.pane._gone.isActive()
    page.pane._gone.timeout.emit()
    assert page.pane.step is page.pane.start
    assert page.pane.phone.edit.text() == ""
    assert not page.pane._gone.isActive()


def test_a_wrong_phone_number_is_said_where_it_stands(make: MakeView, host: HallHost) -> None:
    page = make()
    choose(host, page, "phone")
    page.pane.phone.edit.setText("1385501")
    QTest.keyClick(page.pane.phone.edit, Qt.Key.Key_Return)
    assert page.pane.step is page.pane.phone
    assert page.pane.phone.banner.text()


def test_a_card_recalls_the_booking(make: MakeView, host: HallHost) -> None:
    host.reader(CARD)
    now = host.clock.now()
    host.booked(now, now + timedelta(minutes=30), CARD.id_number)
    page = make()
    choose(host, page, "booked")
    assert page.pane.step is page.pane.booked
    assert page.pane.booked.tiles[0].accessibleName() == "事项1"
    assert page.pane.booked.tiles[1].isHidden()
    page.pane.booked.tiles[0].click()
    host.drain()
    assert tickets(host) == [("A001", "waiting", "appointment")]
    page.pane.begin_anew()
    choose(host, page, "booked")
    assert "没有可用的预约" in page.pane.booked.line.text()
    page.pane.booked.walk_in.click()
    host.drain()
    assert page.pane.step is page.pane.items


def test_priority_needs_its_class_and_password(make: MakeView, host: HallHost) -> None:
    desk = Desk("大厅", host.central, actor("manager"))
    desk.sync()
    HallService(desk, desk, desk, host.clock).set_priority_password(PASSWORD)
    desk.sync()
    host.meet()
    page = make()
    choose(host, page, "priority")
    step = page.pane.priority
    assert [tile.accessibleName() for tile in step.classes] == ["老年人", "残疾人", "军人", "孕妇"]
    step.go.click()
    assert step.banner.text() == "请选择优先的人群。"
    step.classes[2].click()
    step.edit.setText("wrong-one")
    step.go.click()
    host.drain()
    pick(host, page)
    assert page.pane.step is step
    assert "还可再试 4 次" in step.banner.text()
    assert step.edit.text() == ""
    assert tickets(host) == []
    for key in PASSWORD.lower():
        step.keys.pressed.emit(key)
    step.edit.setText(PASSWORD)
    step.go.click()
    host.drain()
    pick(host, page)
    assert tickets(host) == [("A001", "waiting", "priority")]
    page.pane.begin_anew()
    assert step.edit.text() == ""
    assert not any(tile.isChecked() for tile in step.classes)


@pytest.mark.parametrize(("code", "piece"), [("DEV-302", False), ("DEV-310", True), ("DEV-301", False)])
def test_paper_that_fails_leaves_no_ghost(make: MakeView, host: HallHost, code: str, piece: bool) -> None:
    host.reader(CARD)
    host.paper.fault = DeviceError(code, "缺纸。")
    page = make()
    choose(host, page, "card")
    pick(host, page)
    assert tickets(host) == [("A001", "void", "id_card")]
    words = page.pane.result.banner.text()
    assert words.startswith("A001 号没有打出，已作废，不会被呼叫。")
    assert ("残票" in words) is piece
    assert page.pane.result.number.text() == ""
    host.paper.fault = None
    page.pane.result.retry.click()
    choose(host, page, "card")
    pick(host, page)
    assert tickets(host)[-1] == ("A002", "waiting", "id_card")


def test_a_number_is_brought_to_its_end_though_the_page_is_left(make: MakeView, host: HallHost) -> None:
    host.reader(CARD)
    page = make()
    choose(host, page, "card")
    take = page.pane._service.take_by_card

    def leave_meanwhile(*arguments: Any, **named: Any) -> Any:
        taken = take(*arguments, **named)
        page.close()
        return taken

    page.pane._service.take_by_card = leave_meanwhile  # type: ignore[method-assign]
    next(tile for tile in page.pane.items.tiles if tile.isEnabled() and tile.value).click()
    host.step()
    assert [ticket[1] for ticket in tickets(host)] == ["printing"]
    host.drain()
    assert tickets(host) == [("A001", "waiting", "id_card")]


@pytest.mark.parametrize(("there", "state"), [(True, "waiting"), (False, "void")])
def test_a_power_cut_while_printing_is_asked_of_the_staff(
    make: MakeView, host: HallHost, there: bool, state: str
) -> None:
    first = make()
    first._service.take_by_phone("item-1", "13855012345")
    page = make()
    assert page.banner.text() == "A001 出票时中断，不知号票是否打出，暂不呼叫。"
    page._ask_unfinished()
    asked = next(widget for widget in QApplication.topLevelWidgets() if isinstance(widget, UnfinishedDialog))
    (asked.yes if there else asked.no).click()
    host.drain()
    assert tickets(host) == [("A001", state, "phone")]
    assert not page.banner.text()


def test_another_machines_printing_is_not_asked_here(make: MakeView, host: HallHost) -> None:
    page = make()
    page._service.take_by_phone("item-1", "13855012345")
    host.desk.place = "二楼取号机"
    page._read()
    host.drain()
    assert not page.banner.text()


def test_without_a_printer_the_number_is_told_alone(make: MakeView, host: HallHost) -> None:
    host.devices.known = []
    host.reader(CARD)
    page = make()
    choose(host, page, "card")
    pick(host, page)
    assert tickets(host) == [("A001", "waiting", "id_card")]
    assert host.paper.printed == []
    assert page.pane.result.line.text() == "请记住您的号：A001"


def test_offline_a_number_is_given_and_no_time_is_pretended(make: MakeView, host: HallHost) -> None:
    host.reader(CARD)
    page = make()
    host.desk.online = False
    host.events.publish(SyncChanged("offline", 0, 0))
    assert "不估计等候时间" in page.pane.net.text()
    choose(host, page, "card")
    pick(host, page)
    assert page.pane.result.number.text() == "A001"
    assert "不估计等候时间" in page.pane.result.wait.text()
    host.desk.numbers["3411AQA261120"] = []
    page.pane.begin_anew()
    choose(host, page, "phone")
    page.pane.phone.edit.setText("13855012345")
    page.pane.phone.go.click()
    host.drain()
    pick(host, page, "事项2")
    assert page.pane.result.banner.text().startswith("本机预留的编号已经用完")


def test_a_stopped_windows_items_can_be_read_but_not_taken(make: MakeView, host: HallHost) -> None:
    body = {"text": "设备检修", "until": "2026-12-01", "instead": "二楼 9 号窗"}
    for window in ("hall-1-w01", "hall-1-w03"):
        host.central.give(windows.KIND, window, windows.STOP, body, actor=actor("manager"))
    host.meet()
    page = make()
    host.reader(CARD)
    choose(host, page, "card")
    tile = next(tile for tile in page.pane.items.tiles if tile.accessibleName() == "事项2")
    assert not tile.isEnabled()
    assert "设备检修" in tile.line()
    assert "12月2日起恢复" in tile.line()
    assert "二楼 9 号窗" in tile.line()


def test_items_are_found_by_words_department_and_theme(make: MakeView, host: HallHost) -> None:
    page = make()
    host.reader(CARD)
    choose(host, page, "card")
    items = page.pane.items

    def shown() -> list[str]:
        return [tile.accessibleName() for tile in items.tiles if not tile.isHidden()]

    assert shown() == ["事项1", "事项2"]
    items.by.setCurrentIndex(items.by.findData("t:企业开办"))
    assert shown() == ["事项1"]
    items.by.setCurrentIndex(0)
    items.search.setText("事项2")
    host.drain()
    assert shown() == ["事项2"]
    items.search.setText("没有")
    host.drain()
    assert shown() == []
    assert items.pages.text() == "没有找到这样的事项"


def test_keyboard_alone_from_the_first_step_to_the_last(make: MakeView, host: HallHost) -> None:
    page = make()
    assert page.pane.start.tiles["card"].hasFocus()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    assert page.pane.phone.edit.hasFocus()
    QTest.keyClicks(QApplication.focusWidget(), "13855012345")
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    host.drain()
    assert page.pane.items.search.hasFocus()
    for _ in range(9):
        if QApplication.focusWidget() is page.pane.items.tiles[0]:
            break
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    host.drain()
    assert page.pane.result.done.hasFocus()
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
    assert page.pane.step is page.pane.start


def test_escape_goes_one_step_back_and_stops_the_reader(make: MakeView, host: HallHost) -> None:
    page = make()
    reader = host.reader(DeviceError("DEV-101", "没有放卡。"))
    page.pane.start.tiles["card"].click()
    QTest.keyClick(page, Qt.Key.Key_Escape)
    host.drain()
    assert page.pane.step is page.pane.start
    assert reader.cancelled == 1
    choose(host, page, "card")
    assert "没有放卡" in page.pane.card.banner.text()
    assert not page.pane.card.retry.isHidden()
    choose(host, page, "phone")
    page.pane.phone.edit.setText("13855012345")
    page.pane.phone.go.click()
    host.drain()
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert page.pane.step is page.pane.phone


def test_full_screen_is_left_by_the_staffs_keys_alone(make: MakeView, host: HallHost, qtbot: Any) -> None:
    page = make()
    lent: list[bool] = []
    page.lent.connect(lent.append)
    QTest.keyClick(page, Qt.Key.Key_F11)
    assert lent == [True]
    window = page.pane.window()
    assert window is not page.window()
    assert window.isFullScreen()
    window.close()
    assert window.isVisible()
    qtbot.waitUntil(window.isActiveWindow)
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert page.pane.window() is window
    QTest.keyClick(window, Qt.Key.Key_Escape, Qt.KeyboardModifier.ShiftModifier)
    assert page.pane.window() is page.window()
    assert page.pane.isVisible()
    assert lent == [True, False]


def test_who_may_not_sees_why(qtbot: Any) -> None:
    host = HallHost("sysadmin")
    page = KioskView(host)
    qtbot.addWidget(page)
    page.show()
    host.drain()
    assert "权限" in page.pane.start.banner.text()
    assert not page.pane.start.tiles["card"].isEnabled()
    page.close()


def test_the_machine_leases_numbers_before_it_needs_them(make: MakeView, host: HallHost) -> None:
    make()
    assert host.desk.wanted == ["3411AQA261120", "3411AQA261121"]
    assert len(host.desk.numbers["3411AQA261120"]) == BLOCK


@pytest.mark.parametrize(("palette", "zoom"), [("light", 1.0), ("dark", 1.5), ("contrast", 1.0)])
@pytest.mark.parametrize("way", ["start", "phone", "priority", "items", "result"])
def test_every_step_has_names_and_fits(
    make: MakeView, host: HallHost, theme: Theme, way: str, palette: str, zoom: float
) -> None:
    theme.apply(palette, zoom)
    host.reader(CARD)
    page = make()
    if way in ("phone", "priority"):
        choose(host, page, way)
    elif way != "start":
        choose(host, page, "card")
        if way == "result":
            pick(host, page)
    page.resize(round(1280 * zoom), round(800 * zoom))
    QApplication.processEvents()
    walk = Walk(page)
    assert walk.nameless() == []
    assert walk.clipped() == []
    assert walk.out_of_order() == []


def test_an_older_search_that_ends_later_does_not_empty_the_list(make: MakeView, host: HallHost) -> None:
    host.reader(CARD)
    page = make()
    choose(host, page, "card")
    shown = [tile.accessibleName() for tile in page.pane.items.tiles if not tile.isHidden()]
    assert shown
    page.pane._find_items("")
    page.pane.items_changed()
    older, newer = host.jobs.pop(0), host.jobs.pop(0)
    offers = newer.work(newer.token)
    newer.done(offers)  # type: ignore[misc]
    older.done(([], {}))  # type: ignore[misc] - it read before anything had arrived
    assert [tile.accessibleName() for tile in page.pane.items.tiles if not tile.isHidden()] == shown
