"""预约: slots of a day, booking for a person, finding, cancelling, what the rules refuse, and all that offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from client.kernel.events import SyncChanged
from client.widgets.basics import ConfirmDialog
from client.widgets.theme import Theme
from devices.ports import IdentityRecord
from modules.acceptance.domain import booking
from modules.acceptance.ui.hall.bookings import BookingsView
from modules.common.clock import iso
from modules.common.errors import GovDeskError, Refusal, Refused
from tests.support.a11y import Walk
from tests.support.hall_host import HallHost

CARD = IdentityRecord("resident", "李晓明", "11010519491231002X", "女", None)
MakeView = Callable[[], BookingsView]


@pytest.fixture
def host() -> HallHost:
    host = HallHost("clerk")
    start = host.clock.now() + timedelta(days=1)
    host.server.slots = [
        {
            "start": iso(start + timedelta(minutes=30 * place)),
            "end": iso(start + timedelta(minutes=30 * place + 30)),
            "places": 4,
            "left": left,
            "words": f"第 {place} 段",
        }
        for place, left in enumerate((3, 0, 1))
    ]
    host.server.made = {
        "id": "b1", "number": "Y7K3M2A", "item": "事项1", "start": host.server.slots[0]["start"],
        "end": host.server.slots[0]["end"], "state": "booked", "words": "Y7K3M2A：11月21日 10:24–10:54",
    }  # fmt: skip
    return host


@pytest.fixture
def make(qtbot: Any, host: HallHost) -> Iterator[MakeView]:
    pages = []

    def open_page() -> BookingsView:
        page = BookingsView(host)
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


def tomorrow(host: HallHost, minutes: int = 0, **named: Any) -> Any:
    start = host.clock.now() + timedelta(days=1, minutes=minutes)
    return host.booked(start, start + timedelta(minutes=30), **named)


def fill(page: BookingsView) -> None:
    page._buttons[0].click()
    page.id_number.setText(CARD.id_number)
    page.name.setText("李晓明")
    page.phone.setText("13855012345")


def test_free_and_full_slots_with_their_numbers(make: MakeView, host: HallHost) -> None:
    page = make()
    assert [button.text() for button in page._buttons] == [
        "10:24–10:54  余 3", "10:54–11:24  已约满", "11:24–11:54  余 1",
    ]  # fmt: skip
    assert [button.isEnabled() for button in page._buttons] == [True, False, True]
    assert page._buttons[1].accessibleName() == "10:54–11:24 已约满"


def test_booking_for_a_person_by_keyboard(make: MakeView, host: HallHost) -> None:
    host.reader(CARD)
    page = make()
    QTest.keyClick(page._buttons[0], Qt.Key.Key_Space)
    QTest.keyClick(page, Qt.Key.Key_F4)
    host.drain()
    assert (page.name.text(), page.id_number.text()) == ("李晓明", CARD.id_number)
    assert page.phone.hasFocus()
    QTest.keyClicks(page.phone, "13855012345")
    QTest.keyClick(page.phone, Qt.Key.Key_Return)
    host.drain()
    assert host.server.posted == [
        (
            "/v1/m/acceptance/bookings",
            {
                "item_id": "item-1",
                "slot": host.server.slots[0]["start"],
                "name": "李晓明",
                "id_number": CARD.id_number,
                "phone": "13855012345",
            },
        )
    ]
    assert page.form_banner.text().startswith("已预约。Y7K3M2A")
    assert host.gateway.sent[0][0] == "13855012345"
    assert page.id_number.text() == page.name.text() == page.phone.text() == ""


def test_a_slot_has_to_be_chosen(make: MakeView, host: HallHost) -> None:
    page = make()
    page.book.click()
    host.drain()
    assert page.form_banner.text() == "请先选一个时段。"
    assert host.server.posted == []


@pytest.mark.parametrize(
    ("code", "words"),
    [("ACC-280", "30 天内爽约超过 3 次，暂停预约"), ("ACC-281", "此证件已预约“事项1”"), ("ACC-284", "刚刚约满")],
)
def test_what_the_rules_refuse_is_said_and_what_was_typed_is_kept(
    make: MakeView, host: HallHost, code: str, words: str
) -> None:
    page = make()
    fill(page)
    host.server.fault = GovDeskError(code, words)
    page.book.click()
    host.drain()
    assert words in page.form_banner.text()
    assert page.name.text() == "李晓明"
    host.server.fault = None


def test_a_fault_at_a_field_takes_the_focus(make: MakeView, host: HallHost) -> None:
    page = make()
    fill(page)
    host.server.fault = Refused(Refusal("ACC-300", "1 处", {"phone": "手机号应为 11 位。"}))
    page.book.click()
    host.drain()
    assert page.form_banner.text() == "手机号：手机号应为 11 位。"
    assert page.phone.hasFocus()
    assert page.book.isEnabled()


def test_offline_is_a_state_of_its_own_and_ends_by_itself(make: MakeView, host: HallHost) -> None:
    tomorrow(host)
    host.server.fault = GovDeskError("NET-001", "连不上服务器。")
    page = make()
    assert "不能新约" in page.state.text()
    assert not page.book.isEnabled()
    assert len(page.table.rows) == 1
    host.server.fault = None
    host.events.publish(SyncChanged("online", 0, 0))
    host.drain()
    assert page.state.isHidden()
    assert len(page._buttons) == 3


def test_the_day_that_cannot_be_booked_says_so(make: MakeView, host: HallHost) -> None:
    host.server.slots = []
    page = make()
    assert "这一天不能预约" in page.state.text()


def test_the_list_of_a_day_and_a_person_found(make: MakeView, host: HallHost) -> None:
    first = tomorrow(host)
    tomorrow(host, 30, id_number="ID9", name="王小二", item="item-2")
    page = make()
    assert [doc["person"]["name"] for doc in page.table.rows] == ["李**", "王**"]
    for text in (CARD.id_number, CARD.id_number.lower(), first["number"]):
        page.search.setText(text)
        QTest.keyClick(page.search, Qt.Key.Key_Return)
        host.drain()
        assert [doc["id"] for doc in page.table.rows] == [first["id"]]
    page.search.setText("13855012345")
    QTest.keyClick(page.search, Qt.Key.Key_Return)
    host.drain()
    assert len(page.table.rows) == 2
    page.search.setText("13900000000")
    QTest.keyClick(page.search, Qt.Key.Key_Return)
    host.drain()
    assert page.table.pane.text() == "没有找到这个人的预约。"
    QTest.keyClick(page.search, Qt.Key.Key_Escape)
    host.drain()
    assert len(page.table.rows) == 2


def test_cancelling_asks_and_is_done_without_the_server(make: MakeView, host: HallHost) -> None:
    doc = tomorrow(host)
    host.server.fault = GovDeskError("NET-001", "连不上服务器。")
    host.desk.online = False
    page = make()
    page.table.choose(doc["id"])
    page.cancel.click()
    asked = next(widget for widget in QApplication.topLevelWidgets() if isinstance(widget, ConfirmDialog))
    asked.go.click()
    host.drain()
    assert host.desk.rows[booking.KIND, doc["id"]].doc["state"] == "cancelled"
    assert page.banner.text() == "预约已取消。"
    assert page.cancel.isHidden()


def test_who_missed_is_marked_with_how_often(make: MakeView, host: HallHost) -> None:
    start = host.clock.now() - timedelta(hours=2)
    missed = host.booked(start, start + timedelta(minutes=30))
    host.central.give(booking.KIND, missed["id"], booking.MISS, {})
    host.meet()
    page = make()
    page.day.setCurrentIndex(0)
    host.drain()
    page.table.choose(missed["id"])
    assert booking.state_name(page.table.rows[0]["state"]) == "爽约"
    assert "30 天内爽约 1 次，超过 3 次暂停预约" in page.about.text()
    assert page.cancel.isHidden()


def test_an_empty_day_and_who_may_not(make: MakeView, host: HallHost, qtbot: Any) -> None:
    assert make().table.pane.text() == "这一天还没有预约。"
    barred = HallHost("sysadmin")
    page = BookingsView(barred)
    qtbot.addWidget(page)
    page.show()
    barred.drain()
    assert "权限" in page.table.pane.text()
    page.close()


@pytest.mark.parametrize(("palette", "zoom"), [("light", 1.0), ("dark", 1.5), ("contrast", 1.0)])
def test_every_control_has_a_name_and_fits(
    make: MakeView, host: HallHost, theme: Theme, palette: str, zoom: float
) -> None:
    theme.apply(palette, zoom)
    tomorrow(host)
    page = make()
    page.resize(round(1280 * zoom), round(800 * zoom))
    QApplication.processEvents()
    walk = Walk(page)
    assert walk.nameless() == []
    assert walk.clipped() == []
