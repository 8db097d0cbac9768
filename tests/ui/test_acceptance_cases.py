"""The page of cases: found, decided, closed and printed, while the list changes underneath."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from client.widgets.basics import ConfirmDialog
from modules.acceptance.ui.cases.page import CasesView
from modules.common.errors import GovDeskError
from modules.common.permissions import Actor
from tests.support.fake_host import FakeHost, FakeRefusal, actor, filled, item

ITEM = item()
OFFICER = actor("officer", hall="", department="dept-market", name="王五")
STRANGER = actor("officer", hall="", department="dept-police", name="周八")
MakeView = Callable[..., CasesView]


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def make(qtbot: Any, host: FakeHost) -> Iterator[MakeView]:
    pages = []

    def open_page(who: Actor | None = None, chip: str = "all") -> CasesView:
        host.store.actor = who or actor()
        page = CasesView(host)
        if chip:
            page.chips[chip].click()
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


def accept(host: FakeHost, name: str = "李晓明", *, days_ago: int = 0) -> str:
    """A case that the server knows, by its id."""
    who, host.store.actor = host.store.actor, actor()
    host.clock.advance(-86400 * days_ago)
    case_id = host.store.new_id()
    host.store.give("case", case_id, "case.accept", filled(ITEM, name=name), numbered=True, prints="receipt")
    host.clock.advance(86400 * days_ago)
    host.store.amend(case_id, pending=0, rev=1)
    host.store.actor = who
    return case_id


def pick(host: FakeHost, page: CasesView, case_id: str) -> None:
    assert page.table.choose(case_id)
    host.drain()


def shown(page: CasesView) -> list[str]:
    return [record.title.partition(" ")[0] for record in page.table.rows]


def texts(widget: QWidget) -> str:
    return " ".join(label.text() for label in widget.findChildren(QLabel))


def test_the_list_says_what_is_due_and_what_is_not_sent(make: MakeView, host: FakeHost) -> None:
    late, fresh, refused = accept(host, "甲", days_ago=11), accept(host, "乙"), accept(host, "丙")
    host.store.amend(fresh, pending=1)
    host.store.amend(refused, refused=1)
    page = make()
    cells = {
        page.table.model.index(row, 1).data().partition(" ")[0]: [
            page.table.model.index(row, column).data() for column in (2, 3, 4)
        ]
        for row in range(3)
    }
    assert cells == {
        "甲": ["已受理", "红牌：超期 6 个工作日", ""],
        "乙": ["已受理", "还剩 3 个工作日", "待传"],
        "丙": ["已受理", "还剩 3 个工作日", "被拒"],
    }
    assert late


def test_chips_filter_by_state_and_are_remembered(make: MakeView, host: FakeHost) -> None:
    decided = accept(host, "甲")
    accept(host, "乙")
    host.store.actor = OFFICER
    host.store.give("case", decided, "case.decide", {"result": "approved", "opinion": ""})
    page = make()
    assert sorted(shown(page)) == ["乙", "甲"]
    page.chips["decided"].click()
    host.drain()
    assert shown(page) == ["甲"]
    assert page.table.model.index(0, 2).data() == "已决定 · 准予"
    page.close()
    assert shown(make(chip="")) == ["甲"]


def test_a_scanned_code_selects_its_case_whatever_is_filtered(qtbot: Any, make: MakeView, host: FakeHost) -> None:
    wanted = accept(host, "甲")
    accept(host, "乙")
    page = make()
    page.chips["over"].click()
    host.drain()
    assert shown(page) == []
    number = host.store.rows["case", wanted].number
    for code in (number, f"govdesk:case/{wanted}?no={number}"):
        page.search.clear()
        host.drain()
        QTest.keyClicks(page.search, code)
        qtbot.keyClick(page.search, Qt.Key.Key_Return)
        host.drain()
        assert page.table.current.id == wanted
        assert page.detail.number.text() == number
        assert QApplication.focusWidget() is page.table.view
        assert page.chips["all"].isChecked()


def test_searching_while_a_search_runs_ends_with_the_last(make: MakeView, host: FakeHost) -> None:
    accept(host, "甲")
    accept(host, "乙")
    page = make()
    for text in ("甲", "甲乙", "乙"):
        page.search.setText(text)
    assert len(host.jobs) == 1
    host.drain()
    assert shown(page) == ["乙"]


def test_nothing_found_is_said(make: MakeView, host: FakeHost) -> None:
    page = make()
    assert page.table.pane.text() == "还没有办件。"
    page.search.setText("没有这个人")
    host.drain()
    assert page.table.pane.text() == "没有找到符合的办件。"


def test_who_may_not_look_is_told(make: MakeView, host: FakeHost) -> None:
    page = make(actor("sysadmin"))
    assert "没有此项权限" in page.table.pane.text()


def test_a_list_that_cannot_be_read_offers_another_try(make: MakeView, host: FakeHost, monkeypatch: Any) -> None:
    accept(host)

    def broken(*arguments: Any, **options: Any) -> None:
        raise GovDeskError("DATA-001", "本机数据读不出来。")

    with monkeypatch.context() as patch:
        patch.setattr(host.store, "find", broken)
        page = make()
    assert "本机数据读不出来" in page.table.pane.text()
    page.table.acted.emit()
    host.drain()
    assert shown(page) == ["李晓明"]


def test_a_case_is_shown_in_full(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make()
    pick(host, page, case_id)
    content = texts(page.detail.content)
    assert "13855012345" not in content
    assert "110105********002X" in content
    page.detail.content.reveal.click()
    content = texts(page.detail.content)
    for words in (
        "李晓明",
        "居民身份证",
        "13855012345",
        "11010519491231002X",
        "名称（字号）",
        "老街面馆",
        "租赁",
        "市场监督管理局",
        "3号窗",
    ):
        assert words in content
    assert "经营场所使用证明 · 纸质 · 2 页" in texts(page.detail.materials)
    assert "今天 10:24" in texts(page.detail.course)
    assert "张三 · 3号窗受理" in texts(page.detail.course)


def test_only_the_department_is_offered_a_decision(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    for who, offered in ((OFFICER, True), (STRANGER, False), (actor(), False)):
        page = make(who)
        pick(host, page, case_id)
        assert page.detail.approve.isVisible() is offered
        assert page.detail.reject.isVisible() is offered
        assert page.detail.opinion.isVisible() is offered
        assert not page.detail.close_case.isVisible()


def test_an_officer_approves_and_closes(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER)
    pick(host, page, case_id)
    page.detail.approve.click()
    host.drain()
    assert host.store.rows["case", case_id].state == "decided"
    assert page.detail.state.text() == "已决定 · 准予"
    assert not page.detail.approve.isVisible()
    assert page.detail.close_case.isVisible()
    page.detail.close_case.click()
    host.drain()
    assert page.detail.state.text() == "已办结 · 准予"
    assert page.detail.due.text() == "提前 3 个工作日办结"
    assert not page.detail.close_case.isVisible()


def test_rejecting_needs_a_reason_and_a_second_thought(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER)
    pick(host, page, case_id)
    page.detail.reject.click()
    assert page.detail.opinion_fault.text() == "不予许可须写明理由。"
    assert QApplication.focusWidget() is page.detail.opinion
    QTest.keyClicks(page.detail.opinion, "no lease")
    assert page.detail.opinion_fault.text() == ""
    page.detail.reject.click()
    dialogs = page.detail.findChildren(ConfirmDialog)
    assert "no lease" in dialogs[-1].accessibleDescription()
    dialogs[-1].keep.click()
    host.drain()
    assert host.store.rows["case", case_id].state == "accepted"
    page.detail.reject.click()
    page.detail.findChildren(ConfirmDialog)[-1].go.click()
    host.drain()
    decision = host.store.rows["case", case_id].doc["decision"]
    assert (decision["result"], decision["opinion"]) == ("rejected", "no lease")


def test_an_opinion_that_is_too_long_is_said_before_it_is_sent(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER)
    pick(host, page, case_id)
    page.detail.opinion.setText("长" * 501)
    page.detail.approve.click()
    assert "最多 500 个字" in page.detail.opinion_fault.text()
    assert host.jobs == []


def test_who_comes_second_reads_who_was_first(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER)
    pick(host, page, case_id)
    other = host.store.on_change
    host.store.on_change = lambda key: None  # the news has not arrived yet
    host.store.actor = actor("officer", hall="", department="dept-market", name="赵六")
    host.store.give("case", case_id, "case.decide", {"result": "approved", "opinion": ""})
    host.store.actor, host.store.on_change = OFFICER, other
    page.detail.approve.click()
    host.drain()
    assert "由赵六于" in page.detail.banner.text()
    assert page.detail.isEnabled()
    assert page.detail.state.text() == "已决定 · 准予"


def test_news_keeps_selection_scroll_and_a_half_written_opinion(make: MakeView, host: FakeHost) -> None:
    ids = [accept(host, f"人{n}") for n in range(60)]
    page = make(OFFICER)
    pick(host, page, ids[30])
    bar = page.table.view.verticalScrollBar()
    bar.setValue(bar.maximum())
    place = bar.value()
    QTest.keyClicks(page.detail.opinion, "half written")
    accept(host, "新来的")
    host.drain()
    assert len(page.table.rows) == 61
    assert page.table.current.id == ids[30]
    assert bar.value() == place
    assert page.detail.opinion.text() == "half written"
    pick(host, page, ids[31])
    assert page.detail.opinion.text() == "", "another case, another opinion"


def test_news_of_other_things_reads_nothing(make: MakeView, host: FakeHost) -> None:
    make()
    host.store.on_change(("service_item", "x"))
    assert host.jobs == []


def test_a_refused_command_says_why_and_what_to_do(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    error = {"code": "ACC-012", "message": "此件已由赵六办理。"}
    host.store.refusals.append(FakeRefusal("c1", case_id, error))
    host.store.amend(case_id, refused=1)
    page = make(OFFICER)
    pick(host, page, case_id)
    assert "王五的“审批”未被服务器接受：此件已由赵六办理。" in page.detail.tray.text()
    assert "没有生效" in page.detail.tray.text()
    page.detail.tray.acted.emit()
    host.drain()
    assert host.store.refusals == []
    assert not page.detail.tray.isVisible()
    assert page.table.model.index(0, 4).data() == ""


def test_a_refused_acceptance_tells_to_take_the_receipt_back(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    host.store.refusals.append(FakeRefusal("c1", case_id, {"code": "ACC-013", "message": "x"}, type="case.accept"))
    host.store.amend(case_id, refused=1)
    page = make()
    pick(host, page, case_id)
    assert "收回已交出的回执" in page.detail.tray.text()


def test_the_receipt_is_seen_and_printed(qtbot: Any, make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make()
    pick(host, page, case_id)
    page.detail.tabs.setCurrentIndex(3)
    host.drain()
    assert page.detail.papers.chips["receipt"].text() == "受理通知书"
    (picture,) = page.detail.papers.preview.pages()
    assert picture.width() > 300
    assert picture.pixelColor(2, 2).lightness() == 255
    page.table.view.setFocus()
    qtbot.keyClick(page.table.view, Qt.Key.Key_F9)
    qtbot.waitUntil(lambda: bool(host.jobs))
    host.drain()
    assert len(host.printer.papers) == 1
    assert host.store.jobs == []
    assert [paper["kind"] for paper in host.store.rows["case", case_id].doc["papers"]] == ["receipt"]
    assert "已送往打印机" in page.detail.banner.text()


def test_a_printer_that_fails_leaves_the_receipt_owed(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make()
    pick(host, page, case_id)
    host.printer.fault = GovDeskError("PRT-001", "打印机缺纸。")
    page.detail.print.click()
    host.drain()
    assert "缺纸" in page.detail.banner.text()
    assert len(host.store.jobs) == 1
    assert page.detail.print.isEnabled()


def test_enter_goes_into_the_case_and_esc_comes_back(qtbot: Any, make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER)
    pick(host, page, case_id)
    page.table.view.setFocus()
    qtbot.keyClick(page.table.view, Qt.Key.Key_Return)
    assert QApplication.focusWidget() is page.detail.opinion
    qtbot.keyClick(page.detail.opinion, Qt.Key.Key_Escape)
    assert QApplication.focusWidget() is page.table.view
    qtbot.keyClick(page.table.view, Qt.Key.Key_Slash)
    assert QApplication.focusWidget() is page.search


def test_pages_are_opened_where_somebody_points(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host, "甲")
    accept(host, "乙")
    page = make()
    page.show_arguments(case=case_id)
    host.drain()
    assert page.detail.title.text().startswith("甲")
    page.show_arguments(states=["decided"])
    host.drain()
    assert shown(page) == []
    assert page.chips["decided"].isChecked()


def test_a_closed_page_listens_no_more(make: MakeView, host: FakeHost) -> None:
    page = make()
    page.close()
    accept(host)
    assert host.jobs == []


def test_what_was_decided_is_done_even_if_the_page_closes(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER)
    pick(host, page, case_id)
    page.detail.approve.click()
    page.close()
    host.drain()
    assert host.store.rows["case", case_id].state == "decided"


def test_everything_that_can_be_used_has_a_name(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER)
    pick(host, page, case_id)
    unnamed = [
        widget
        for widget in page.findChildren(QWidget)
        if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus and not widget.accessibleName()
    ]
    assert unnamed == []


def test_what_was_just_decided_stays_in_view_until_another_is_chosen(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host, "甲")
    other = accept(host, "乙")
    page = make(OFFICER)
    page.show_arguments(states=["accepted"])
    host.drain()
    pick(host, page, case_id)
    page.detail.approve.click()
    host.drain()
    assert sorted(shown(page)) == ["乙", "甲"]
    assert page.table.current.id == case_id
    assert page.detail.close_case.isVisible()
    pick(host, page, other)
    page.search.searched.emit("")
    host.drain()
    assert shown(page) == ["乙"]


def test_a_case_that_arrives_after_enter_is_chosen_then(qtbot: Any, make: MakeView, host: FakeHost) -> None:
    page = make()
    QTest.keyClicks(page.search, "late")
    qtbot.keyClick(page.search, Qt.Key.Key_Return)
    host.drain()
    assert not page.table.rows
    wanted = accept(host, "late")
    host.drain()
    assert page.table.current.id == wanted
