"""知识库: found, rated, written by departments, asked and answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog

from client.widgets.basics import ConfirmDialog
from client.widgets.dialogs import TextDialog
from client.widgets.theme import Theme
from modules.acceptance.ui.knowledge_page import EntryDialog, KnowledgeView
from modules.common.manifest import installed
from modules.common.permissions import Actor
from tests.support.a11y import Walk
from tests.support.fake_host import FakeHost, actor

OFFICER = actor("officer", hall="", department="dept-market", name="王五")
OTHER = actor("officer", hall="", department="dept-social", name="赵六")
CLERK = actor("clerk")
MakeView = Callable[..., KnowledgeView]


@pytest.fixture
def host() -> FakeHost:
    host = FakeHost(OFFICER)
    for id, name in (("dept-market", "市场监督管理局"), ("dept-social", "人力资源和社会保障局")):
        host.store.put("organisation", {"id": id, "kind": "department", "name": name})
    for id, title, department in (("k1", "执照要几份", "dept-market"), ("k2", "社保卡丢了", "dept-social")):
        host.store.actor = OFFICER if department == "dept-market" else OTHER
        body = {"department_id": department, "kind": "faq", "title": title, "text": f"{title}的答案", "basis": "",
                "item_codes": [], "material_ids": []}  # fmt: skip
        host.store.give("knowledge", id, "knowledge.put", body)
    return host


@pytest.fixture
def make(qtbot: Any, host: FakeHost) -> Iterator[MakeView]:
    pages = []

    def open_page(who: Actor = OFFICER) -> KnowledgeView:
        host.store.actor = who
        page = KnowledgeView(host)
        qtbot.addWidget(page)
        page.resize(1366, 820)
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


def dialog(kind: type[QDialog]) -> Any:
    found = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, kind) and widget.isVisible()]
    assert len(found) == 1
    return found[0]


def titles(page: KnowledgeView) -> list[str]:
    return [entry["title"] for entry in page.table.rows]


def test_entries_are_found_and_ordered_by_what_people_say(make: MakeView, host: FakeHost) -> None:
    page = make(CLERK)
    page.search.setText("社保卡")
    host.drain()
    assert titles(page) == ["社保卡丢了"]
    page.search.clear()
    host.drain()
    page.department.setCurrentIndex(page.department.findData("dept-market"))
    assert titles(page) == ["执照要几份"]
    page.department.setCurrentIndex(0)
    page.table.choose("k1")
    page.detail.no.click()
    host.drain()
    assert host.store.rows["knowledge", "k1"].doc["ratings"][CLERK.id]["useful"] is False
    page.order.setCurrentIndex(page.order.findText("评价最低"))
    assert titles(page)[0] == "执照要几份"
    page.order.setCurrentIndex(page.order.findText("评价最高"))
    assert titles(page)[0] == "社保卡丢了"
    page.sort.setCurrentIndex(page.sort.findData("contact"))
    assert page.table.pane.text() == "没有找到。换个说法，或请部门补充。"


def test_a_request_goes_to_the_department_and_comes_back_answered(make: MakeView, host: FakeHost) -> None:
    page = make(CLERK)
    page.table.choose("k1")
    page.detail.ask.click()
    asked = dialog(TextDialog)
    asked.text.setText("现在不要复印件了")
    asked.go.click()
    host.drain()
    page.show_arguments(tab="requests")
    assert [row.doc["text"] for row in page.requests.rows] == ["现在不要复印件了"]
    assert page.answer.isHidden(), "a clerk answers nothing"

    theirs = make(OFFICER)
    theirs.show_arguments(states=["open"])
    assert theirs.tabs.tabText(1) == "反馈（1 条待答复）"
    (request,) = theirs.requests.rows
    theirs.requests.choose(request.id)
    theirs.answer.click()
    answered = dialog(TextDialog)
    answered.text.setText("已改")
    answered.go.click()
    host.drain()
    assert theirs.requests.rows == []
    assert theirs.requests.pane.text() == "没有等您答复的反馈。"
    host.store.actor = CLERK
    page.requests.choose(request.id)
    assert page.reply.text().startswith("已改\n王五")
    page.order.setCurrentIndex(page.order.findText("反馈最多"))
    assert titles(page)[0] == "执照要几份"
    page.to_entry.click()
    assert page.table.current["id"] == "k1"


def test_a_department_keeps_its_own_and_nobody_elses(make: MakeView, host: FakeHost) -> None:
    page = make()
    page.table.choose("k2")
    assert page.detail.edit.isHidden()
    page.table.choose("k1")
    page.detail.edit.click()
    form = dialog(EntryDialog)
    form.form.set_values({"title": "", "text": "两份"})
    form.go.click()
    host.drain()
    assert form.form.field("title").fault == "请填写标题。"
    form.form.set_values({"title": "执照副本要几份"})
    form.go.click()
    host.drain()
    assert host.store.rows["knowledge", "k1"].doc["title"] == "执照副本要几份"
    page.new.click()
    form = dialog(EntryDialog)
    form.form.set_values({"title": "新的", "text": "内容", "kind": "guide"})
    form.go.click()
    host.drain()
    assert page.table.current["title"] == "新的"
    page.detail.remove.click()
    dialog(ConfirmDialog).go.click()
    host.drain()
    assert "新的" not in titles(page)


def test_the_keyboard_suffices(make: MakeView, host: FakeHost) -> None:
    page = make(CLERK)
    QTest.keyClicks(page.table.view, "/")
    assert page.search.hasFocus()
    page.table.choose("k2")
    QTest.keyClick(page.table.view, Qt.Key.Key_Return)
    assert page.detail.yes.hasFocus()
    QTest.keyClick(page.detail.yes, Qt.Key.Key_Return)
    host.drain()
    assert host.store.rows["knowledge", "k2"].doc["ratings"][CLERK.id]["useful"] is True
    QTest.keyClick(page.detail.yes, Qt.Key.Key_Escape)
    assert page.table.view.hasFocus()


def test_whoever_may_not_read_is_told_and_the_card_counts_for_who_answers(make: MakeView) -> None:
    page = make(actor("secadmin", hall="", name="郑安全"))
    assert "权限" in page.table.pane.text()
    (manifest,) = [one for one in installed() if one.id == "acceptance"]
    (card,) = [todo for todo in manifest.todos if todo.id == "acceptance.knowledge_requests"]
    assert (card.kind, card.states, card.permission) == ("knowledge_request", ("open",), "acceptance.knowledge")


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_everything_is_named_and_nothing_is_cut(make: MakeView, look: Theme, zoom: float) -> None:
    look.apply("light", zoom)
    page = make()
    page.resize(round(1366 * max(1.0, zoom * 0.8)), 900)
    page.table.choose("k1")
    for tab in range(2):
        page.tabs.setCurrentIndex(tab)
        QApplication.processEvents()
        assert Walk(page).nameless() == []
        assert Walk(page).clipped() == []
