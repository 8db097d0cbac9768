"""The counter's page, by keys and clicks: nothing typed is lost, nothing is accepted by accident."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from client.widgets.basics import ConfirmDialog
from devices.ports import DeviceError, IdentityRecord
from modules.acceptance.ui.counter.page import AcceptView, IntakePane
from modules.common.errors import GovDeskError
from tests.support.fake_host import FakeHost, filled, item

CARD = IdentityRecord(
    "resident", "李晓明", "11010519491231002X", "女", date(1949, 12, 31), "汉", "示范市禹会区老街 12 号",
    valid_from=date(2015, 1, 1),
)  # fmt: skip
ITEM = item()


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def view(qtbot: Any, host: FakeHost) -> Iterator[AcceptView]:
    page = AcceptView(host)
    qtbot.addWidget(page)
    page.resize(1100, 800)
    with qtbot.waitActive(page):
        page.show()
        page.activateWindow()
    host.drain()
    yield page
    page.close()
    host.drain()


def focus() -> QWidget:
    widget = QApplication.focusWidget()
    assert widget
    return widget


def write(widget: QWidget, text: str) -> None:
    """Type text: keys for what is on a keyboard, an input method's commit for the rest."""
    if text.isascii():
        QTest.keyClicks(widget, text)
        return
    commit = QInputMethodEvent()
    commit.setCommitString(text)
    QApplication.sendEvent(widget, commit)


def press(
    qtbot: Any, host: FakeHost, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    """Press a button's shortcut: Qt shows the button going down, and clicks it a moment later."""
    host.drain()
    qtbot.keyClick(focus(), key, modifier)
    qtbot.waitUntil(lambda: bool(host.jobs))
    host.drain()


def begin(view: AcceptView) -> IntakePane:
    view.start.chosen.emit(ITEM)
    assert view.intake
    return view.intake


def fill(pane: IntakePane, **applicant: Any) -> None:
    body = filled(ITEM, **applicant)
    pane.applicant.set_values(body["applicant"])
    pane.form.set_values(body["form"])
    pane.materials.set_values(body["materials"])


def editor(pane: IntakePane, name: str) -> Any:
    return pane.applicant.field(name).editor


def dialog_of(view: AcceptView) -> ConfirmDialog:
    dialog = view.findChild(ConfirmDialog)
    assert isinstance(dialog, ConfirmDialog)
    return dialog


def test_items_are_found_and_begun_by_keys_alone(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    assert view.start.items.count() == 3
    assert focus() is view.start.search
    write(view.start.search, "市场")
    assert view.start.items.count() == 1
    qtbot.keyClick(view.start.search, Qt.Key.Key_Return)
    assert view.intake
    assert view.intake.item["name"] == "个体工商户设立登记"
    assert focus() is editor(view.intake, "name")


def test_items_are_found_by_pinyin_initials_as_the_store_finds_them(
    monkeypatch: pytest.MonkeyPatch, view: AcceptView, host: FakeHost
) -> None:
    known = host.store.find
    monkeypatch.setattr(
        host.store, "find", lambda kind, **how: known(kind, limit=1) if how.get("text") else known(kind)
    )
    write(view.start.search, "gtgsh")
    assert view.start.items.count() == 0
    host.drain()
    assert view.start.items.count() == 1
    view.start.search.setText("zzz9")
    assert view.start.items.count() == 0, "what was found for other words counts no more"


def test_arrows_go_from_the_search_into_the_list(qtbot: Any, view: AcceptView) -> None:
    qtbot.keyClick(view.start.search, Qt.Key.Key_Down)
    assert focus() is view.start.items
    assert view.start.items.currentRow() == 1
    qtbot.keyClick(view.start.items, Qt.Key.Key_Return)
    assert view.intake
    assert view.intake.item["name"] == "居住登记"


def test_a_case_is_accepted_by_keyboard_alone(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    write(view.start.search, "个体")
    qtbot.keyClick(view.start.search, Qt.Key.Key_Return)
    host.reader(CARD)
    press(qtbot, host, Qt.Key.Key_F4)
    assert view.intake
    assert focus() is editor(view.intake, "phone"), "the first thing that the card does not say"
    write(focus(), "13855012345")
    texts = {"名称（字号）": "老街面馆", "经营场所": "老街12号", "经营范围": "餐饮", "资金数额（元）": "50000"}
    done = set()
    for _ in range(60):
        qtbot.keyClick(focus(), Qt.Key.Key_Tab)
        name = focus().accessibleName()
        if name in texts and name not in done:
            write(focus(), texts[name])
            done.add(name)
        elif name == "自有" or name in {material["name"] for material in ITEM["materials"][:3]} - done:
            qtbot.keyClick(focus(), Qt.Key.Key_Space)
            done.add(name)
        elif name == "受理":
            break
    assert focus().accessibleName() == "受理", "Tab reaches the button, in the order of reading"
    assert len(done) == 8
    press(qtbot, host, Qt.Key.Key_F8)
    assert view.result.isVisible(), view.intake.banner.text()
    assert view.result.number.text() == "3411A-20261120-000042"
    assert "2026-11-25" in view.result.due.text()
    assert focus() is view.result.print
    press(qtbot, host, Qt.Key.Key_F9)
    assert len(host.printer.papers) == 1
    assert host.store.jobs == []
    press(qtbot, host, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier)
    assert focus() is view.start.search
    (record,) = host.store.find("case")
    assert record.doc["history"][0]["text"] == "3号窗受理，已读身份证"


def test_faults_are_said_at_the_fields_with_the_focus_at_the_first(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    fill(pane, phone="138")
    pane.form.set_values({"scope": ""})
    pane.materials.set_values([{"id": "m2", "received": False}])
    pane.accept.click()
    host.drain()
    assert pane.isVisible()
    assert pane.isEnabled()
    assert "有 3 处" in pane.banner.text()
    assert "11 位" in pane.applicant.field("phone").fault
    assert "请填写" in pane.form.field("scope").fault
    assert "必须收取" in pane.materials.row("m2").fault
    assert focus() is editor(pane, "phone")
    assert host.store.find("case") == []
    assert len(host.store.kept) == 1, "what was entered is kept"
    QTest.keyClicks(editor(pane, "phone"), "5")
    assert pane.banner.text() == "", "the number of faults is no longer true"
    pane.applicant.set_values({"phone": "13855012345"})
    pane.accept.click()
    host.drain()
    assert focus() is pane.form.field("scope").editor
    assert pane.applicant.field("phone").fault == ""


def test_a_material_that_is_lacking_is_brought_into_view(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    fill(pane)
    pane.materials.set_values([{"id": "m3", "received": False}])
    row = pane.materials.row("m3")
    assert row.check.visibleRegion().isEmpty()
    pane.accept.click()
    host.drain()
    assert focus() is row.check
    assert not row.check.visibleRegion().isEmpty()


def test_a_field_is_judged_when_it_is_left(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    number = editor(pane, "id_number")
    number.setFocus()
    write(number, "110105194912310021")
    assert pane.applicant.field("id_number").fault == "", "nobody is told off in the middle of a word"
    qtbot.keyClick(number, Qt.Key.Key_Tab)
    assert "末位应为 X" in pane.applicant.field("id_number").fault
    assert pane.applicant.field("name").fault == "", "an empty field is left alone"


def test_enter_goes_on_and_never_accepts(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    fill(pane)
    name = editor(pane, "name")
    name.setFocus()
    qtbot.keyClick(name, Qt.Key.Key_Return)
    host.drain()
    assert focus() is not name
    assert host.store.find("case") == []


def test_enter_for_an_input_methods_candidate_stays_in_the_field(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    name = editor(pane, "name")
    name.setFocus()
    QApplication.sendEvent(name, QInputMethodEvent("lixiaoming", []))
    qtbot.keyClick(name, Qt.Key.Key_Return)
    assert focus() is name
    host.drain()
    assert host.store.kept == {}, "what is still being composed is nobody's text"
    write(name, "李晓明")
    host.drain()
    (draft,) = host.store.kept.values()
    assert draft.doc["applicant"]["name"] == "李晓明"


def test_every_edit_is_kept_and_the_newest_wins(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    host.drain()
    write(editor(pane, "name"), "ABCDEF")
    assert len(host.jobs) == 1, "one save at a time, however fast somebody types"
    host.step()
    (draft,) = host.store.kept.values()
    assert draft.doc["applicant"]["name"] == "A"
    assert len(host.jobs) == 1, "what was typed meanwhile is kept by the next"
    host.drain()
    (draft,) = host.store.kept.values()
    assert draft.doc["applicant"]["name"] == "ABCDEF"
    assert "草稿已保存 10:24" in pane.kept.text()


def test_a_draft_that_cannot_be_kept_is_said_and_tried_again(
    view: AcceptView, host: FakeHost, monkeypatch: Any
) -> None:
    pane = begin(view)

    def full(*arguments: Any) -> None:
        raise GovDeskError("DATA-010", "磁盘已满，草稿没有存下。")

    with monkeypatch.context() as broken:
        broken.setattr(host.store, "save", full)
        write(editor(pane, "name"), "李")
        host.drain()
    assert "磁盘已满" in pane.banner.text()
    assert pane.kept.text() == ""
    write(editor(pane, "name"), "四")
    host.drain()
    (draft,) = host.store.kept.values()
    assert draft.doc["applicant"]["name"] == "李四"
    assert pane.banner.text() == ""
    assert "草稿已保存" in pane.kept.text()


def test_the_next_case_begins_with_an_empty_search(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    write(view.start.search, "居住")
    qtbot.keyClick(view.start.search, Qt.Key.Key_Return)
    view.back()
    host.drain()
    assert view.start.search.text() == ""
    assert view.start.items.count() == 3


def test_leaving_keeps_the_draft_and_it_is_resumed_as_it_was(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    host.reader(CARD)
    pane.read_card.click()
    host.drain()
    write(pane.form.field("trade_name").editor, "老街面馆")
    pane.materials.row("m1").check.click()
    qtbot.keyClick(editor(pane, "phone"), Qt.Key.Key_Escape)
    host.drain()
    assert view.start.isVisible()
    host.clock.advance(86400)
    view.show_arguments(action="new")
    host.drain()
    entry = view.start.drafts.item(0).text()
    assert entry == "李晓明 · 个体工商户设立登记\n昨天 10:24"
    view.start.resume.click()
    host.drain()
    again = view.intake
    assert again
    assert again is not pane
    assert again.applicant.values()["name"] == "李晓明"
    assert again.applicant.sources()["name"] == "card"
    assert again.form.values()["trade_name"] == "老街面馆"
    assert again.materials.values()[0] == {"id": "m1", "received": True, "kind": "paper", "pages": 1}


def test_closing_the_page_in_mid_typing_loses_nothing(qtbot: Any, host: FakeHost) -> None:
    page = AcceptView(host)
    qtbot.addWidget(page)
    page.show()
    host.drain()
    pane = begin(page)
    write(editor(pane, "name"), "LI XIAOMING")
    page.close()
    host.drain()
    (draft,) = host.store.kept.values()
    assert draft.doc["applicant"]["name"] == "LI XIAOMING"


def test_a_draft_is_thrown_away_only_after_asking(view: AcceptView, host: FakeHost, qtbot: Any) -> None:
    pane = begin(view)
    write(editor(pane, "name"), "李")
    pane.back.click()
    host.drain()
    view.start.drop.click()
    dialog_of(view).keep.click()
    host.drain()
    assert len(host.store.kept) == 1
    view.start.drop.click()
    view.findChildren(ConfirmDialog)[-1].go.click()
    host.drain()
    assert host.store.kept == {}
    assert not view.start.drafts.isVisible()


def test_a_draft_of_a_changed_item_says_so(view: AcceptView, host: FakeHost, qtbot: Any) -> None:
    pane = begin(view)
    write(editor(pane, "name"), "李")
    pane.back.click()
    host.drain()
    host.store.put("service_item", {**ITEM, "version": 2})
    view.start.resume.click()
    host.drain()
    assert view.intake
    assert "已更新" in view.intake.banner.text()


def test_an_item_that_is_withdrawn_or_renewed_under_an_open_case_is_said_at_once(
    view: AcceptView, host: FakeHost
) -> None:
    pane = begin(view)
    write(editor(pane, "name"), "李")
    host.drain()
    host.store.put("service_item", {**ITEM, "version": 2})
    host.store.on_change(("service_item", ITEM["id"]))
    host.drain()
    assert "刚有更新" in pane.banner.text()
    host.store.put("service_item", {**ITEM, "state": "withdrawn"})
    host.store.on_change(("service_item", ITEM["id"]))
    host.drain()
    assert "已停止办理，草稿仍保留" in pane.banner.text()
    assert editor(pane, "name").text() == "李"


def test_the_card_fills_what_is_empty_and_says_where_it_came_from(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    host.reader(CARD)
    pane.read_card.click()
    assert pane.stop_reading.isVisible(), "it is said that a card is waited for"
    host.drain()
    assert not pane.stop_reading.isVisible()
    assert pane.applicant.values()["id_number"] == CARD.id_number
    assert set(pane.applicant.sources().values()) == {"card"}
    assert pane.form.values()["sex"] == "女"
    assert pane.form.values()["birth"] == "1949-12-31"
    assert pane.form.values()["nation"] == "汉"
    assert pane.form.sources()["nation"] == "card"


@pytest.mark.parametrize("by_card", [True, False])
def test_what_was_typed_is_replaced_only_after_asking(
    qtbot: Any, view: AcceptView, host: FakeHost, by_card: bool
) -> None:
    pane = begin(view)
    write(editor(pane, "name"), "李小明")
    host.reader(CARD)
    pane.read_card.click()
    host.drain()
    assert pane.applicant.values()["name"] == "李小明"
    dialog = dialog_of(view)
    assert "“李小明”" in dialog.accessibleDescription()
    assert "“李晓明”" in dialog.accessibleDescription()
    (dialog.go if by_card else dialog.keep).click()
    assert pane.applicant.values()["name"] == ("李晓明" if by_card else "李小明")
    assert pane.applicant.values()["id_number"] == CARD.id_number


def test_a_typed_number_tells_birth_and_sex_unless_somebody_typed_them(qtbot: Any, view: AcceptView) -> None:
    pane = begin(view)
    write(editor(pane, "id_number"), "11010519491231002x")
    assert pane.form.values()["birth"] == "1949-12-31"
    birth: Any = pane.form.field("birth").editor
    birth.clear()
    write(birth, "1950-01-01")
    number = editor(pane, "id_number")
    number.clear()
    write(number, "440524188001010014")
    assert pane.form.values()["birth"] == "1950-01-01"
    assert pane.form.values()["sex"] == "男"


def test_an_expired_card_is_said(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    host.reader(IdentityRecord("resident", "李", CARD.id_number, "女", CARD.birth, valid_to=date(2026, 11, 19)))
    pane.read_card.click()
    host.drain()
    assert "2026-11-19 过期" in pane.banner.text()
    assert pane.applicant.values()["name"] == "李"


def test_a_failing_reader_says_what_to_do_and_keeps_what_was_typed(
    qtbot: Any, view: AcceptView, host: FakeHost
) -> None:
    pane = begin(view)
    write(editor(pane, "phone"), "13855012345")
    host.drain()
    reader = host.reader(DeviceError("DEV-102", "读卡中断：卡片被移开。", fix="请放好身份证再读一次。"))
    pane.read_card.click()
    host.drain()
    assert "请放好身份证再读一次。" in pane.banner.text()
    assert pane.applicant.values()["phone"] == "13855012345"
    reader.answer = CARD
    pane.banner.acted.emit()
    host.drain()
    assert pane.applicant.values()["name"] == "李晓明"


def test_without_a_reader_the_page_says_so(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    pane.read_card.click()
    host.drain()
    assert "手工录入" in pane.banner.text()


def test_esc_stops_waiting_for_the_card_and_stays(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    reader = host.reader(CARD)
    pane.read_card.click()
    qtbot.keyClick(editor(pane, "name"), Qt.Key.Key_Escape)
    assert pane.isVisible()
    assert not pane.stop_reading.isVisible()
    host.drain()
    assert reader.cancelled == 1
    assert pane.applicant.values().get("name") is None, "a card that comes too late is not put in"


def test_a_card_for_a_page_that_was_left_is_dropped(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    reader = host.reader(CARD)
    pane.read_card.click()
    pane.back.click()
    host.drain()
    assert reader.cancelled == 1
    assert host.store.kept == {}


def test_two_clicks_accept_one_case(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    fill(pane)
    host.drain()
    pane.accept.click()
    pane.accept.click()
    view._accept()
    assert len(host.jobs) == 1
    host.drain()
    assert len(host.store.find("case")) == 1


def test_a_save_that_waits_does_not_bring_a_used_draft_back(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    fill(pane)
    write(editor(pane, "address"), "12")
    pane.accept.click()
    host.drain()
    assert host.store.kept == {}
    assert len(host.store.find("case")) == 1


def test_without_numbers_everything_stays(view: AcceptView, host: FakeHost) -> None:
    host.store.serials.clear()
    pane = begin(view)
    fill(pane)
    pane.accept.click()
    host.drain()
    assert "号段已用完。请联网领取。" in pane.banner.text()
    assert pane.applicant.values()["name"] == "李晓明"
    assert len(host.store.kept) == 1


def owe(host: FakeHost) -> None:
    host.store.give("case", host.store.new_id(), "case.accept", filled(ITEM), numbered=True, prints="receipt")


def test_a_receipt_that_was_never_printed_is_offered(qtbot: Any, host: FakeHost) -> None:
    owe(host)
    page = AcceptView(host)
    qtbot.addWidget(page)
    page.show()
    host.drain()
    assert "3411A-20261120-000042" in page.owed.banner.text()
    assert "尚未打印文书" in page.owed.banner.text()
    page.owed.banner.acted.emit()
    host.drain()
    assert len(host.printer.papers) == 1
    assert host.store.jobs == []
    assert not page.owed.forget.isVisible()
    page.close()


def test_an_owed_receipt_can_be_let_go(qtbot: Any, host: FakeHost) -> None:
    owe(host)
    page = AcceptView(host)
    qtbot.addWidget(page)
    page.show()
    host.drain()
    page.owed.forget.click()
    host.drain()
    assert host.store.jobs == []
    assert not page.owed.banner.isVisible()
    page.close()


def test_a_printer_that_fails_leaves_the_receipt_owed(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    fill(pane)
    pane.accept.click()
    host.drain()
    host.printer.fault = GovDeskError("PRT-001", "打印机缺纸。", fix="请装纸后再打印。")
    view.result.print.click()
    host.drain()
    assert "请装纸后再打印" in view.result.paper.text()
    assert len(host.store.jobs) == 1
    assert view.result.print.isEnabled()


def test_rare_characters_that_cannot_be_printed_are_said(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view)
    fill(pane, name="李\U0003ffff")
    pane.accept.click()
    host.drain()
    view.result.print.click()
    host.drain()
    assert "〓" in view.result.paper.text()
    assert "\U0003ffff" in view.result.paper.text()


def test_nothing_to_accept_says_why(qtbot: Any, host: FakeHost) -> None:
    host.store.rows = {key: row for key, row in host.store.rows.items() if key[0] != "service_item"}
    page = AcceptView(host)
    qtbot.addWidget(page)
    page.show()
    host.drain()
    assert "还没有事项" in page.banner.text()
    assert not page.start.begin.isEnabled()
    page.close()


def test_items_that_arrive_later_are_offered_and_the_choice_stays(view: AcceptView, host: FakeHost) -> None:
    view.start.items.setCurrentRow(1)
    chosen = view.start.items.currentItem().text()
    host.store.put("service_item", {**ITEM, "id": "item-new", "code": "NEW", "name": "新事项", "department": "公安局"})
    host.store.on_change(("service_item", "item-new"))
    host.drain()
    assert view.start.items.count() == 4
    assert view.start.items.currentItem().text() == chosen


def test_a_closed_page_cancels_its_work(qtbot: Any, host: FakeHost) -> None:
    page = AcceptView(host)
    qtbot.addWidget(page)
    page.close()
    assert host.jobs
    assert all(job.token.cancelled for job in host.jobs)


def test_everything_that_can_be_used_has_a_name(view: AcceptView) -> None:
    begin(view)
    unnamed = [
        widget
        for widget in view.findChildren(QWidget)
        if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus and not widget.accessibleName()
    ]
    assert unnamed == []


def test_time_is_said_as_people_say_it(view: AcceptView, host: FakeHost) -> None:
    from modules.acceptance.ui.work import when

    now = host.clock.now()
    said = [when(now - timedelta(days=days), now) for days in (0, 1, 2, 400)]
    assert said == ["今天 10:24", "昨天 10:24", "11月18日 10:24", "2025年10月16日"]
