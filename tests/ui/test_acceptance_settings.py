"""大厅设置 and 委托与常用语: what administrators set, what people set for themselves, by keyboard and offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from client.kernel.ports import Server
from client.widgets.basics import ConfirmDialog
from client.widgets.dialogs import TextDialog
from client.widgets.theme import Theme
from modules.acceptance.ui.admin.days import CasesDialog, ListDialog
from modules.acceptance.ui.admin.mine import MineView
from modules.acceptance.ui.admin.page import SettingsView
from modules.acceptance.ui.admin.parts import FormDialog
from modules.acceptance.ui.admin.queueing import parts_of
from modules.common.errors import GovDeskError
from modules.common.permissions import Actor
from tests.support.a11y import Walk
from tests.support.fake_host import FakeHost, actor

ADMIN, MANAGER = actor("sysadmin", hall="", name="吴系统"), actor("manager", name="孙七")
OFFICER = actor("officer", hall="", department="dept-market", name="王五")
OFFLINE = GovDeskError("NET-001", "连不上服务器。")
Open = Callable[..., Any]


class Central:
    """What the server answers; ``down``: it cannot be asked."""

    def __init__(self) -> None:
        self.down = False
        self.later = 5
        self.asked: list[Any] = []

    def get(self, path: str, **query: str) -> Any:
        if self.down:
            raise OFFLINE
        if path.endswith("/staff"):
            return [
                {"id": id, "login": id, "name": name, "hall_id": hall, "department_id": ""}
                for id, name, hall in (("p1", "张三", "hall-1"), ("p2", "李四", "hall-1"), ("p3", "王五", ""))
            ]
        return [
            {"id": "p9", "name": "陈九", "department_id": "dept-market", "department": "市场监督管理局", "roles": []}
        ]

    def post(self, path: str, body: Any) -> Any:
        if self.down:
            raise OFFLINE
        self.asked.append(body)
        case = {
            "id": "c",
            "number": "3411A-1",
            "item": "个体工商户设立登记",
            "before": "2026-12-28",
            "after": "2026-12-29",
        }
        cases = [case] * self.later
        return {"running": 37, "later": self.later, "earlier": 0, "furthest": 3, "cases": cases}


@pytest.fixture
def central() -> Central:
    return Central()


@pytest.fixture
def host(central: Central) -> FakeHost:
    host = FakeHost(ADMIN)
    host.services[Server] = central
    for id, name in (("dept-market", "市场监督管理局"), ("dept-social", "人力资源和社会保障局")):
        host.store.put("organisation", {"id": id, "kind": "department", "name": name, "phone": ""})
    host.store.put("dictionary", {"id": "decline-ground", "name": "不予受理依据", "entries": [
        {"value": "a", "text": "不归本机关管"}, {"value": "b", "text": "已经受理过"}]})  # fmt: skip
    monitoring = {"id": "case-monitoring", "name": "监察时限", "entries": [], "remind_before": 1, "red_grace": 3}
    host.store.put("dictionary", monitoring)
    for key, (kind, id) in {"day": ("calendar_day", "2026-12-28")}.items():
        host.store.put(kind, {"id": id, "date": id, "workday": False, "name": f"检修{key}"})
    body = {"name": "1号窗", "area": "企业服务区", "group": "A", "staff": ["p1"], "hall_id": "hall-1"}
    host.store.give("window", "w1", "window.create", body)
    return host


@pytest.fixture
def open_page(qtbot: Any, host: FakeHost) -> Iterator[Open]:
    pages: list[QWidget] = []

    def make(kind: type[Any] = SettingsView, who: Actor = ADMIN, tab: str = "") -> Any:
        host.store.actor = who
        page = kind(host)
        qtbot.addWidget(page)
        page.resize(1366, 820)
        with qtbot.waitActive(page):
            page.show()
            page.activateWindow()
        host.drain()
        if tab:
            page.show_arguments(tab=tab)
        pages.append(page)
        return page

    yield make
    for page in pages:
        page.close()
    host.drain()


def dialog(kind: type[QDialog]) -> Any:
    found = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, kind) and widget.isVisible()]
    assert len(found) == 1
    return found[0]


def doc(host: FakeHost, kind: str, id: str) -> Any:
    return host.store.rows[kind, id].doc


def test_a_window_is_named_manned_and_tied_to_items(open_page: Open, host: FakeHost) -> None:
    tab = open_page().windows
    assert tab.table.choose("w1")
    assert tab.every.isChecked()
    assert tab.items.isHidden()
    tab.form.set_values({"name": "1号综合窗", "screen": "screen-1"})
    tab.every.setChecked(False)
    for pick, words in ((tab.items, "个体工商户"), (tab.staff, "李四"), (tab.departments, "市场")):
        pick.search.setText(words)
        (item,) = [pick.list.item(row) for row in range(pick.list.count()) if not pick.list.item(row).isHidden()]
        item.setCheckState(Qt.CheckState.Checked)
    tab.save.click()
    host.drain()
    window = doc(host, "window", "w1")
    assert (window["name"], window["screen"], window["staff"]) == ("1号综合窗", "screen-1", ["p1", "p2"])
    assert (len(window["item_codes"]), window["department_ids"]) == (1, ["dept-market"])
    assert window["area"] == "企业服务区"
    assert tab.banner.text() == "窗口已保存。"
    tab.save.click()
    assert tab.banner.text() == "没有改动。"


def test_a_window_is_made_and_what_is_wrong_is_said_at_its_field(open_page: Open, host: FakeHost) -> None:
    tab = open_page().windows
    tab.new.click()
    tab.save.click()
    host.drain()
    assert tab.form.field("name").fault == "请填写窗口名称，最多 20 个字。"
    tab.form.set_values({"name": "2号窗", "group": "B"})
    tab.save.click()
    host.drain()
    made = [row.doc for row in host.store.find("window") if row.doc["name"] == "2号窗"]
    assert [(window["hall_id"], window["group"]) for window in made] == [("hall-1", "B")]


def test_a_window_is_stopped_for_a_reason_until_a_day_and_reopened(open_page: Open, host: FakeHost) -> None:
    page = open_page(who=MANAGER)
    tab = page.windows
    tab.table.choose("w1")
    assert not tab.hint.isHidden()
    tab.stop.click()
    asked = dialog(TextDialog)
    asked.text.setText("设备检修")
    asked.go.click()
    host.drain()
    assert doc(host, "window", "w1")["state"]["stopped"]["text"] == "设备检修"
    assert tab.state.text() == "已停用：设备检修"
    rows = {row.item["name"]: row.why for row in page.relations.items.rows}
    assert set(rows.values()) == {"办理的窗口都已停用"}
    tab.reopen.click()
    host.drain()
    assert doc(host, "window", "w1")["state"]["stopped"] is None
    assert not any(row.why for row in page.relations.items.rows)


def test_relations_show_who_serves_what_and_who_sits_nowhere(open_page: Open, host: FakeHost) -> None:
    tab = open_page(tab="relations").relations
    assert tab.summary.text() == "3 个事项都有窗口和人员办理。"
    tab.view.setCurrentIndex(1)
    assert [(row.name, len(row.windows)) for row in tab.people.rows] == [("李四", 0), ("张三", 1)]
    tab.amiss.setChecked(True)
    assert [row.name for row in tab.people.rows] == ["李四"]


def test_without_the_server_people_stay_and_the_rest_can_be_changed(
    open_page: Open, host: FakeHost, central: Central
) -> None:
    central.down = True
    tab = open_page().windows
    tab.table.choose("w1")
    assert not tab.offline.isHidden()
    tab.form.set_values({"area": "新区"})
    tab.save.click()
    host.drain()
    assert (doc(host, "window", "w1")["area"], doc(host, "window", "w1")["staff"]) == ("新区", ["p1"])


def test_the_manager_sets_the_queue_and_only_what_changed_is_written(open_page: Open, host: FakeHost) -> None:
    tab = open_page(who=MANAGER, tab="queue").queue
    tab.form.set_values({"grace": 20, "suspend": "马上回来\n\n开会", "hours": [{"start": "09:00", "end": "16:30"}]})
    tab.save.click()
    host.drain()
    settings = doc(host, "queue_settings", "hall-1")
    assert (settings["grace"], settings["hours"]) == (20, [["09:00", "16:30"]])
    assert settings["texts"]["suspend"] == ["马上回来", "开会"]
    assert "booking" not in settings
    tab.form.set_values({"hours": [{"start": "17:00", "end": "09:00"}]})
    tab.save.click()
    host.drain()
    assert tab.banner.text().startswith("这一项排队设置填写有误")
    tab.password.setText("geheim-1")
    tab.change.click()
    host.drain()
    assert doc(host, "queue_settings", "hall-1")["priority"]["hash"].startswith("$argon2id$")
    assert tab.password.text() == ""


def test_whoever_runs_no_hall_is_told_who_sets_the_queue(open_page: Open) -> None:
    tab = open_page(tab="queue").queue
    assert "大厅管理员" in tab._stack.currentWidget().text()
    settings = {"groups": {"A": {"name": "一", "strategy": {"every": 2}}}, "texts": {"messages": {"k": "t"}},
                "priority": {"classes": [], "hash": "h"}}  # fmt: skip
    parts = parts_of({"groups": [{"group": "A", "name": "二"}], "classes": []}, settings)
    assert parts["groups"]["A"] == {"name": "二", "strategy": {"every": 2}}
    assert parts["texts"]["messages"] == {"k": "t"}
    assert parts["priority"]["hash"] == "h"


def test_entries_are_added_moved_stopped_undone_and_saved(open_page: Open, host: FakeHost) -> None:
    tab = open_page(tab="dictionaries").dictionaries
    tab.table.choose("decline-ground")
    tab.add.click()
    asked = dialog(FormDialog)
    asked.form.set_values({"text": "超过期限"})
    asked.go.click()
    assert tab.entries.current["text"] == "超过期限"
    QTest.keyClick(tab, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert [entry["text"] for entry in tab.entries.rows] == ["不归本机关管", "超过期限", "已经受理过"]
    tab.entries.choose("a")
    tab.drop.click()
    QTest.keyClick(tab, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    tab.entries.choose("b")
    tab.drop.click()
    tab.save.click()
    host.drain()
    assert doc(host, "dictionary", "decline-ground")["entries"] == [
        {"value": "a", "text": "不归本机关管"},
        {"value": "n1", "text": "超过期限"},
        {"value": "b", "text": "已经受理过", "removed": True},
    ]
    assert "已保存" in tab.banner.text()


def test_monitoring_is_set_in_days(open_page: Open, host: FakeHost) -> None:
    tab = open_page(tab="dictionaries").dictionaries
    tab.table.choose("case-monitoring")
    tab.numbers.set_values({"red_grace": 90})
    tab.save.click()
    host.drain()
    assert tab.numbers.field("red_grace").fault
    tab.numbers.set_values({"red_grace": 5})
    tab.save.click()
    host.drain()
    kept = doc(host, "dictionary", "case-monitoring")
    assert (kept["remind_before"], kept["red_grace"]) == (1, 5)


def test_a_day_is_marked_by_keyboard_previewed_and_saved(open_page: Open, host: FakeHost, central: Central) -> None:
    tab = open_page(tab="days").days
    tab.year.show_day(date(2026, 12, 30))
    tab.year.setFocus()
    QTest.keyClick(tab.year, Qt.Key.Key_Right)
    assert tab.year.accessibleDescription() == "2026-12-31 星期四，上班"
    QTest.keyClick(tab.year, Qt.Key.Key_Return)
    tab.form.set_values({"name": "系统升级"})
    tab.put.click()
    host.drain()
    assert central.asked[-1]["days"] == [{"date": "2026-12-31", "workday": False, "name": "系统升级"}]
    assert tab.effect.text() == "在办 37 件，其中应办结日期推后 5 件，最多差 3 天。"
    assert ("calendar_day", "2026-12-31") not in host.store.rows, "nothing is saved before it was seen"
    tab.cases.click()
    dialog(CasesDialog).accept()
    tab.save.click()
    dialog(ConfirmDialog).go.click()
    host.drain()
    assert doc(host, "calendar_day", "2026-12-31")["name"] == "系统升级"
    assert tab.pending.rows == []


def test_an_own_day_is_taken_back_and_a_harmless_change_is_saved_at_once(
    open_page: Open, host: FakeHost, central: Central
) -> None:
    central.later = 0
    tab = open_page(tab="days").days
    tab.year.show_day(date(2026, 12, 28))
    assert tab.day_words.text() == "本单位规定休息：检修day"
    tab.remove.click()
    host.drain()
    assert central.asked[-1] == {"days": [], "removed": ["2026-12-28"]}
    tab.save.click()
    host.drain()
    assert doc(host, "calendar_day", "2026-12-28")["state"] == "removed"
    assert tab.day_words.text() == "上班"


def test_a_list_is_pasted_with_its_faults_and_unknown_years_are_explained(
    open_page: Open, host: FakeHost, central: Central
) -> None:
    central.down = True
    tab = open_page(tab="days").days
    tab.bring.click()
    asked = dialog(ListDialog)
    asked.text.setText("2027-01-01 至 2027-01-03 休 元旦\n2027-13-01 休 错")
    asked._read()
    assert [fault.row for fault in asked.faults.rows] == [2]
    asked.go.click()
    host.drain()
    assert [row[0] for row in tab.pending.rows] == ["2027-01-01", "2027-01-02", "2027-01-03"]
    assert not tab.provisional.isHidden()
    assert "连不上服务器" in tab.effect.text()
    tab.save.click()
    dialog(ConfirmDialog).go.click()
    host.drain()
    assert doc(host, "calendar_day", "2027-01-03")["workday"] is False


def test_how_a_department_is_reached_is_kept(open_page: Open, host: FakeHost) -> None:
    tab = open_page(tab="house").house
    tab.table.choose("dept-market")
    tab.form.set_values({"phone": "0550-3021299"})
    tab.save.click()
    host.drain()
    kept = doc(host, "organisation", "dept-market")
    assert (kept["phone"], kept["name"]) == ("0550-3021299", "市场监督管理局")


def test_the_manager_reads_what_the_administrator_keeps(open_page: Open) -> None:
    page = open_page(who=MANAGER)
    for name, button in (
        ("windows", page.windows.new),
        ("dictionaries", page.dictionaries.save),
        ("days", page.days.save),
        ("house", page.house.save),
    ):
        page.show_arguments(tab=name)
        assert not button.isVisible(), name


def test_whoever_may_not_see_it_is_told(open_page: Open) -> None:
    page = open_page(who=actor("clerk"))
    assert page._stack.currentWidget() is page.state
    assert "权限" in page.state.text()


def test_a_colleague_signs_until_a_day_and_no_longer(open_page: Open, host: FakeHost, central: Central) -> None:
    page = open_page(MineView, who=OFFICER)
    page.delegate.click()
    host.drain()
    asked = dialog(FormDialog)
    asked.form.set_values({"to": "p9", "until": "2026-11-19"})
    asked.go.click()
    host.drain()
    assert asked.form.field("until").fault
    asked.form.set_values({"until": "2026-11-27"})
    asked.go.click()
    host.drain()
    (given,) = page.given.rows
    assert (given["to"]["name"], given["until"]) == ("陈九", "2026-11-27")
    page.given.choose(given["id"])
    page.withdraw.click()
    dialog(ConfirmDialog).go.click()
    host.drain()
    assert [doc["state"] for doc in page.given.rows] == ["removed"]
    central.down = True
    page.delegate.click()
    host.drain()
    assert "连不上" in page.banner.text()


def test_phrases_are_ones_own(open_page: Open, host: FakeHost) -> None:
    host.store.put("phrase", {"id": "x", "owner": "p-other", "text": "别人的", "state": "active"})
    page = open_page(MineView, who=OFFICER)
    page.tabs.setCurrentIndex(1)
    page.add.click()
    asked = dialog(TextDialog)
    asked.text.setText("材料齐全，同意。")
    asked.go.click()
    host.drain()
    assert [doc["text"] for doc in page.phrases.rows] == ["材料齐全，同意。"]
    page.phrases.choose(page.phrases.rows[0]["id"])
    page.drop.click()
    host.drain()
    assert page.phrases.rows == []


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_everything_is_named_and_nothing_is_cut(open_page: Open, host: FakeHost, look: Theme, zoom: float) -> None:
    look.apply("light", zoom)
    page = open_page()
    page.resize(round(1366 * max(1.0, zoom * 0.8)), 900)
    page.windows.table.choose("w1")
    page.dictionaries.table.choose("decline-ground")
    page.house.table.choose("dept-market")
    for tab in page._tabs.values():
        page.tabs.setCurrentWidget(tab)
        QApplication.processEvents()
        assert Walk(tab).nameless() == []
        assert Walk(tab).clipped() == []
