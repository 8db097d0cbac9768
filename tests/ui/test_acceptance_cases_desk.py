"""What clerks, officers, heads and leaders do with cases all day: by keyboard, one after the other, and at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QBuffer, QByteArray, QEvent, Qt
from PySide6.QtGui import QColor, QImage, QImageWriter, QInputMethodEvent, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QLabel, QRadioButton, QWidget

from client.kernel.ports import Server
from client.shell.todos import waiting
from client.widgets.dialogs import TextDialog
from devices.ports import IdentityRecord
from modules.acceptance.services import case_desk
from modules.acceptance.ui.cases import page as cases_page
from modules.acceptance.ui.cases.actions import MoreDialog
from modules.acceptance.ui.cases.asks import Bench, ask_of, asks
from modules.acceptance.ui.cases.dialogs import AskDialog
from modules.acceptance.ui.cases.materials import PageViewer
from modules.acceptance.ui.cases.page import CasesView
from modules.acceptance.ui.cases.statistics import StatisticsDialog
from modules.acceptance.ui.counter.asking import CorrectionDialog, DeclineDialog
from modules.common.errors import GovDeskError
from modules.common.forms import check_form
from modules.common.manifest import installed
from modules.common.permissions import Actor
from tests.support.fake_host import FakeHost, actor, filled, item

MARKET = {"id": "dept-market", "name": "市场监督管理局", "kind": "department"}
POLICE = {"id": "dept-police", "name": "公安局", "kind": "department"}
STANDARD = {**item(), "template": "standard"}
CLERK = actor()
OFFICER = actor("officer", hall="", department="dept-market", name="王五")
SECOND = actor("officer", hall="", department="dept-market", name="吴九")
HEAD = actor("section_head", hall="", department="dept-market", name="钱大")
LEADER = actor("leader", hall="", department="dept-market", name="郑十")
PHRASES = {
    "id": "opinion-phrase",
    "entries": [{"value": "ok", "text": "材料齐全，同意。"}, {"value": "back", "text": "请补充说明后再报。"}],
}
MakeView = Callable[..., CasesView]


@pytest.fixture
def host() -> FakeHost:
    host = FakeHost()
    host.store.put("service_item", STANDARD)
    host.store.put("organisation", MARKET)
    host.store.put("organisation", POLICE)
    host.store.put("dictionary", PHRASES)
    return host


@pytest.fixture
def make(qtbot: Any, host: FakeHost) -> Iterator[MakeView]:
    pages = []

    def open_page(who: Actor, case_id: str = "", chip: str = "all") -> CasesView:
        host.store.actor = who
        page = CasesView(host)
        if chip:
            page.chips[chip].click()
        qtbot.addWidget(page)
        page.resize(1280, 900)
        with qtbot.waitActive(page):
            page.show()
            page.activateWindow()
        host.drain()
        if case_id:
            assert page.table.choose(case_id)
            host.drain()
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    host.drain()


def accept(host: FakeHost, name: str = "李晓明", *, days_ago: int = 0, **changes: Any) -> str:
    """A case that the server knows, by its id."""
    before, host.store.actor = host.store.actor, CLERK
    host.clock.advance(-86400 * days_ago)
    case_id = host.store.new_id()
    body = {**filled(STANDARD, name=name), **changes}
    host.store.give("case", case_id, "case.accept", body, numbered=True, prints="receipt")
    host.clock.advance(86400 * days_ago)
    host.store.amend(case_id, pending=0, rev=1)
    host.store.actor = before
    return case_id


def give(host: FakeHost, who: Actor, case_id: str, verb: str, **body: Any) -> None:
    """Somebody at another desk does something."""
    before, host.store.actor = host.store.actor, who
    visit = doc(host, case_id)["flow"]["visit"]
    host.store.give("case", case_id, f"case.{verb}", {"visit": visit, **body})
    host.store.actor = before


def doc(host: FakeHost, case_id: str) -> Mapping[str, Any]:
    return host.store.rows["case", case_id].doc


def to_decide(host: FakeHost, case_id: str) -> None:
    give(host, OFFICER, case_id, "approve", opinion="")
    give(host, HEAD, case_id, "approve", opinion="")


def decided(host: FakeHost, case_id: str) -> None:
    to_decide(host, case_id)
    give(host, LEADER, case_id, "approve", opinion="")


def shown(page: CasesView) -> list[str]:
    return [record.title.partition(" ")[0] for record in page.table.rows]


def ask(page: CasesView, host: FakeHost, command: str) -> AskDialog:
    """Choose a command and get its dialog."""
    page.detail.foot.wanted.emit(command)
    host.drain()
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, AskDialog), page.detail.banner.text()
    return dialog


def answer(dialog: AskDialog, host: FakeHost, **values: Any) -> None:
    dialog.form.set_values(values)
    dialog.go.click()
    host.drain()


def write(widget: QWidget, text: str) -> None:
    """What an input method commits."""
    commit = QInputMethodEvent()
    commit.setCommitString(text)
    QApplication.sendEvent(widget, commit)


def texts(widget: QWidget) -> str:
    return " ".join(label.text() for label in widget.findChildren(QLabel))


def page_image(host: FakeHost, width: int = 60, height: int = 84) -> dict[str, Any]:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(QColor(len(host.blobs.kept) % 250, 200, 200))
    buffer = QBuffer()
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(image)
    return host.blobs.put(bytes(buffer.data().data()), "image/png").to_doc()


# -- an officer's day -----------------------------------------------------------------------------


def test_an_officer_works_by_keyboard_alone(qtbot: Any, make: MakeView, host: FakeHost) -> None:
    mine, later = accept(host, "甲"), accept(host, "乙")
    give(host, OFFICER, later, "approve", opinion="")
    page = make(OFFICER, chip="")
    assert page.chips["mine"].isChecked(), "what waits for an officer comes first"
    assert shown(page) == ["甲"]
    qtbot.keyClick(page.search, Qt.Key.Key_Tab)
    page.table.view.setFocus()
    qtbot.keyClick(page.table.view, Qt.Key.Key_Down)
    host.drain()
    qtbot.keyClick(page.table.view, Qt.Key.Key_Return)
    host.drain()
    assert QApplication.focusWidget() is page.detail.opinion
    write(page.detail.opinion, "已核。")
    qtbot.keyClick(page.detail.opinion, Qt.Key.Key_Tab)
    box = page.detail.foot.phrases.box
    assert QApplication.focusWidget() is box
    qtbot.keyClick(box, Qt.Key.Key_Down)
    assert page.detail.opinion.text() == "已核。", "passing by a phrase puts nothing in"
    qtbot.keyClick(box.view(), Qt.Key.Key_Down)
    qtbot.keyClick(box.view(), Qt.Key.Key_Return)
    assert page.detail.opinion.text() == "已核。材料齐全，同意。"
    assert QApplication.focusWidget() is page.detail.opinion
    qtbot.keyClick(page.detail.opinion, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    host.drain()
    signed = [slot["signed"] for slot in doc(host, mine)["flow"]["slots"] if slot["signed"]]
    assert [(one["vote"], one["opinion"]) for one in signed] == [("approved", "已核。材料齐全，同意。")]
    assert page.detail.opinion.text() == ""
    assert not page.detail.approve.isVisible(), "the next step is another's"


def test_a_head_returns_with_a_reason_and_the_officer_has_it_again(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    give(host, OFFICER, case_id, "approve", opinion="同意")
    page = make(HEAD, case_id)
    assert page.detail.approve.accessibleName() == "拟同意"
    dialog = ask(page, host, "case.return_to")
    dialog.go.click()
    assert "请填写" in dialog.form.field("opinion").fault
    dialog.phrases.activated.emit(2)
    assert dialog.form.values()["opinion"] == "请补充说明后再报。"
    dialog.go.click()
    host.drain()
    assert doc(host, case_id)["flow"]["step"] == "review"
    assert "退回" in texts(page.detail.course)
    assert QApplication.activeModalWidget() is None
    page.close()
    assert shown(make(OFFICER, chip="mine")) == ["李晓明"]


def test_a_case_is_suspended_and_goes_on(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER, case_id)
    answer(ask(page, host, "case.suspend"), host, reason="等待现场核查")
    assert (page.detail.state.state, page.detail.state.text()) == ("paused", "已挂起")
    assert page.detail.due.state == "paused"
    assert not page.detail.approve.isEnabled()
    assert "恢复办理后才能" in page.detail.approve.accessibleDescription()
    assert "自 2026-11-20 起挂起：等待现场核查" in page.detail.course.standing.text()
    assert page.detail.foot.primary.isVisible()
    assert page.detail.foot.primary.accessibleName() == "恢复办理"
    page.detail.foot.primary.click()
    host.drain()
    answer(QApplication.activeModalWidget(), host)  # type: ignore[arg-type]
    assert doc(host, case_id)["state"] == "accepted"
    assert page.detail.approve.isEnabled()


def test_an_extension_is_asked_by_one_and_answered_by_another(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER, case_id)
    dialog = ask(page, host, "case.extend")
    answer(dialog, host, days="0", reason="情况复杂")
    assert dialog.form.field("days").fault
    answer(dialog, host, days="3")
    assert doc(host, case_id)["flow"]["extension"]["days"] == 3
    assert doc(host, case_id)["due"]["date"] == "2026-11-25", "until it is answered the term stays"
    assert "case.answer_extension" not in page.detail.foot.offers
    page.close()
    page = make(HEAD, case_id, "mine")
    assert page.detail.foot.primary.accessibleName() == "批复延期"
    assert "王五申请延期 3 个工作日" in page.detail.course.standing.text()
    page.detail.foot.primary.click()
    host.drain()
    asked = QApplication.activeModalWidget()
    assert isinstance(asked, AskDialog)
    assert "情况复杂" in asked.accessibleDescription()
    radio = asked.focusWidget()
    assert isinstance(radio, QRadioButton)
    assert radio.accessibleName() == "同意延期"
    radio.click()
    # the dialog waits, disabled, for what comes of it: a released key would find nobody
    control = Qt.KeyboardModifier.ControlModifier
    QApplication.sendEvent(radio, QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Return, control))
    host.drain()
    assert doc(host, case_id)["due"]["date"] == "2026-11-30"
    assert page.detail.foot.primary_command == ""


def test_of_two_officers_the_second_is_told_and_sees_what_is(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER, case_id)
    write(page.detail.opinion, "我也看过了")
    listening, host.store.on_change = host.store.on_change, lambda key: None  # the news has not arrived yet
    give(host, SECOND, case_id, "approve", opinion="")
    host.store.on_change = listening
    page.detail.approve.click()
    host.drain()
    assert "吴九已于" in page.detail.banner.text()
    assert "先行办理" in page.detail.banner.text()
    assert "复核 办理中" in texts(page.detail.course)
    assert not page.detail.approve.isVisible()
    assert len([slot for slot in doc(host, case_id)["flow"]["slots"] if slot["signed"]]) == 1


def test_a_refusal_in_a_dialog_keeps_what_was_typed(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    give(host, OFFICER, case_id, "approve", opinion="")
    page = make(HEAD, case_id)
    dialog = ask(page, host, "case.return_to")
    listening, host.store.on_change = host.store.on_change, lambda key: None
    give(host, actor("section_head", hall="", department="dept-market", name="冯一"), case_id, "approve", opinion="")
    host.store.on_change = listening
    answer(dialog, host, opinion="理由不清")
    assert "冯一已于" in dialog.banner.text()
    assert dialog.isEnabled()
    assert dialog.form.values()["opinion"] == "理由不清"
    assert "决定 办理中" in texts(page.detail.course)
    dialog.reject()


# -- reading --------------------------------------------------------------------------------------


def test_a_case_is_read_once_by_who_holds_it_and_dwells(make: MakeView, host: FakeHost) -> None:
    first, second = accept(host, "甲"), accept(host, "乙")
    page = make(OFFICER)
    page.table.choose(first)
    host.drain()
    assert page.reading.isActive()
    page.table.choose(second)
    host.drain()
    assert page.detail.record
    assert page.detail.record.id == second
    page.reading.timeout.emit()
    host.drain()
    events = {id: [line["event"] for line in doc(host, id)["history"]] for id in (first, second)}
    assert events == {first: ["case.accepted"], second: ["case.accepted", "case.read"]}
    assert not page.reading.isActive(), "the case that came back is read"
    page.reading.timeout.emit()
    host.drain()
    assert len(doc(host, second)["history"]) == 2


def test_what_cannot_be_read_is_not_tried_again_and_again(make: MakeView, host: FakeHost, monkeypatch: Any) -> None:
    case_id = accept(host)
    page = make(OFFICER, case_id)
    tries = []

    def broken(*arguments: Any, **options: Any) -> None:
        tries.append(arguments)
        raise GovDeskError("DATA-010", "磁盘已满。")

    monkeypatch.setattr(host.store, "give", broken)
    for _ in range(3):
        page.reading.timeout.emit()
        host.store.on_change(("case", case_id))
        host.drain()
    assert len(tries) == 1


def test_who_only_looks_reads_nothing(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(CLERK, case_id)
    assert not page.reading.isActive()
    page.table.opened.emit(page.table.current)
    host.drain()
    assert len(doc(host, case_id)["history"]) == 1


# -- the other verbs ------------------------------------------------------------------------------


class Colleagues:
    """A server that knows who works where."""

    def get(self, path: str, **query: str) -> Any:
        assert (path, query) == (case_desk.COLLEAGUES, {"departments": "dept-market"})
        return [
            {"id": one.id, "name": one.name, "department": "市场监督管理局", "roles": []}
            for one in (SECOND, HEAD, LEADER)
        ]


def test_others_are_asked_to_sign_before(make: MakeView, host: FakeHost) -> None:
    host.services[Server] = Colleagues()
    case_id = accept(host)
    page = make(OFFICER, case_id)
    dialog = ask(page, host, "case.countersign")
    assert "吴九（市场监督管理局）" in dialog.form.field("p0").editor.accessibleName()
    dialog.go.click()
    host.drain()
    assert "请选择 1 到" in dialog.banner.text(), "a fault of no field is said as a whole"
    answer(dialog, host, p0=True, p1=True, completion="some", k="1")
    groups = doc(host, case_id)["flow"]["groups"]
    assert [(group["need"], group["by"] and group["by"]["name"]) for group in groups] == [(1, None), (1, "王五")]
    assert not page.detail.approve.isEnabled()
    assert "加签尚未完成" in page.detail.approve.toolTip()
    assert not page.detail.opinion.isVisible()


def test_without_the_server_only_known_people_can_be_asked(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    give(host, OFFICER, case_id, "approve", opinion="")
    page = make(HEAD, case_id)
    dialog = ask(page, host, "case.delegate")
    assert "只列出本机见过的人" in dialog.accessibleDescription()
    answer(dialog, host, to=OFFICER.id, until="2026-12-01")
    (delegation,) = doc(host, case_id)["flow"]["delegations"]
    assert (delegation["to"]["name"], delegation["until"]) == ("王五", "2026-12-01")
    page.close()
    page = make(OFFICER, case_id, "mine")
    assert page.detail.approve.isEnabled()


def test_somebody_acts_for_an_absent_leader(make: MakeView, host: FakeHost) -> None:
    host.services[Server] = Colleagues()
    case_id = accept(host)
    to_decide(host, case_id)
    page = make(OFFICER, case_id)
    dialog = ask(page, host, "case.act_for")
    answer(dialog, host, person=LEADER.id)
    assert "请填写" in dialog.form.field("basis").fault
    answer(dialog, host, basis="郑十 11 月 20 日来电同意")
    assert page.detail.approve.accessibleName() == "准予"
    assert "王五代行" in page.detail.course.standing.text()


def test_what_cannot_be_done_stands_there_with_its_reason(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER, case_id)
    assert not page.detail.foot.back.isEnabled()
    assert "第一个环节" in page.detail.foot.back.accessibleDescription()
    page.detail.foot.more.click()
    more = QApplication.activeModalWidget()
    assert isinstance(more, MoreDialog)
    skip = more.buttons["case.skip"]
    assert not skip.isEnabled()
    assert "必经环节" in skip.toolTip()
    assert skip.accessibleDescription() == skip.toolTip()
    assert "必经环节" in texts(more)
    more.buttons["case.suspend"].click()
    host.drain()
    assert isinstance(QApplication.activeModalWidget(), AskDialog)


def test_what_ends_a_case_is_asked_twice_and_says_what_happens(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(HEAD, case_id)
    dialog = ask(page, host, "case.void")
    assert "不能恢复" in dialog.accessibleDescription()
    dialog.keep.click()
    host.drain()
    assert doc(host, case_id)["state"] == "accepted"
    answer(ask(page, host, "case.void"), host, reason="重复登记")
    assert doc(host, case_id)["state"] == "void"
    assert (page.detail.state.state, page.detail.state.text()) == ("quiet", "已作废")
    assert not page.detail.due.isVisible()


def test_a_case_goes_to_another_department(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER, case_id)
    dialog = ask(page, host, "case.transfer")
    answer(dialog, host, department_id="dept-police", reason="属公安职权")
    assert doc(host, case_id)["item"]["department_id"] == "dept-police"
    assert "case.approve" not in page.detail.foot.offers


def test_paper_is_handed_over_and_taken_over(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(CLERK, case_id)
    dialog = ask(page, host, "case.hand_over")
    answer(dialog, host, m1=False, m2=False)
    (entry,) = doc(host, case_id)["handovers"]
    assert (entry["to"]["kind"], entry["materials"]) == ("department", ["m1"])
    assert "移交途中" in texts(page.detail.materials)
    page.close()
    page = make(OFFICER, case_id)
    answer(ask(page, host, "case.take_over"), host)
    assert doc(host, case_id)["handovers"][0]["received_by"]["name"] == "王五"
    assert "在部门" in texts(page.detail.materials)


def test_a_result_is_made_and_collected_with_the_card(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    decided(host, case_id)
    page = make(OFFICER, case_id, "mine")
    assert page.detail.foot.primary.accessibleName() == "登记出件"
    answer(ask(page, host, "case.issue"), host, kind="营业执照", number="92341100MA2")
    assert page.detail.state.text() == "待领取 · 准予"
    page.close()
    host.reader(
        IdentityRecord("resident", "李晓明", "11010519491231002X", "女", date(1949, 12, 31), "汉", "老街 12 号")
    )
    page = make(CLERK, case_id)
    page.detail.foot.primary.click()
    host.drain()
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, AskDialog)
    answer(dialog, host, id_number="11010519491231003X")
    assert "与申请人不符" in dialog.form.field("id_number").fault
    assert dialog.card
    dialog.card.click()
    host.drain()
    assert dialog.form.sources() == {"by": "card", "id_number": "card"}
    dialog.go.click()
    host.drain()
    assert doc(host, case_id)["collected"]["method"] == "window"
    assert page.detail.state.text() == "已办结 · 准予"
    assert "窗口领取 · 李晓明" in texts(page.detail.content)


def test_by_post_it_needs_a_number_and_no_card(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    decided(host, case_id)
    before, host.store.actor = host.store.actor, OFFICER
    visit = doc(host, case_id)["flow"]["visit"]
    host.store.give("case", case_id, "case.issue", {"kind": "营业执照", "number": "", "visit": visit})
    host.store.actor = before
    page = make(CLERK, case_id)
    dialog = ask(page, host, "case.collect")
    answer(dialog, host, method="post")
    assert "请填写" in dialog.form.field("tracking").fault
    answer(dialog, host, tracking="EMS123")
    assert doc(host, case_id)["collected"]["tracking"] == "EMS123"


def test_what_may_follow_later_is_brought(make: MakeView, host: FakeHost) -> None:
    late = {"lack_days": 5, "lack_consequence": "不予出件"}
    lacking = [{**one, "may_lack": one["id"] == "m3", **late} for one in STANDARD["materials"]]
    host.store.put("service_item", {**STANDARD, "materials": lacking})
    materials = filled(STANDARD)["materials"][:2]
    case_id = accept(host, materials=materials, lacking=["m3"])
    page = make(CLERK, case_id)
    assert "容缺" in page.detail.marks.text()
    assert "容缺" in page.table.model.index(0, 5).data()
    answer(ask(page, host, "case.supply_lacking"), host, n0="4")
    assert doc(host, case_id)["provisional"]["materials"][0]["supplied_at"]
    assert doc(host, case_id)["materials"][-1]["pages"] == 4


def applied(host: FakeHost) -> str:
    """An application that came in through the portal."""
    before = host.store.actor
    host.store.actor = Actor("system", "system", "系统", permissions=frozenset({"system"}))
    case_id = host.store.new_id()
    body = {**filled(STANDARD), "hall_id": "hall-1"}
    host.store.give("case", case_id, "case.apply", body)
    host.store.amend(case_id, pending=0, rev=1)
    host.store.actor = before
    return case_id


def test_an_application_is_looked_at_before_the_person_comes(make: MakeView, host: FakeHost) -> None:
    case_id = applied(host)
    page = make(CLERK, chip="applied")
    assert shown(page) == ["李晓明"]
    page.table.choose(case_id)
    host.drain()
    assert page.detail.foot.primary.accessibleName() == "预审通过，通知到场"
    answer(ask(page, host, "case.invite"), host, text="请带原件")
    assert doc(host, case_id)["state"] == "invited"
    assert page.detail.foot.primary.accessibleName() == "受理"
    page.detail.foot.primary.click()
    host.drain()
    assert host.pages == [("acceptance.accept", {"case": case_id})]


def test_a_todo_opens_on_what_waits_and_not_on_what_was_just_decided(make: MakeView, host: FakeHost) -> None:
    waits, done = accept(host), accept(host)
    page = make(OFFICER, done)
    page.detail.foot.approve.click()
    host.drain()
    assert page.table.current.id == done
    page.show_arguments(states=["accepted"], mine=True)
    host.drain()
    assert [row.id for row in page.table.rows] == [waits]
    assert page.detail.record is not None
    assert page.detail.record.id == waits


def test_the_home_page_counts_what_waits_for_this_person_alone(make: MakeView, host: FakeHost) -> None:
    todos = next(manifest.todos for manifest in installed() if manifest.id == "acceptance")
    todo = next(todo for todo in todos if todo.id == "acceptance.to_decide")
    mine, others = accept(host), accept(host)
    host.store.actor = OFFICER
    assert waiting(host, todo) == 2
    give(host, OFFICER, others, "approve", opinion="")
    host.store.actor = OFFICER
    assert waiting(host, todo) == 1, "the other's next step is somebody else's"
    page = make(OFFICER)
    page.show_arguments(states=list(todo.states), mine=True)
    host.drain()
    assert [row.id for row in page.table.rows] == [mine]
    assert page.detail.record is not None
    assert page.detail.record.id == mine


def test_what_lacks_is_told_once_and_declined_with_its_ground(make: MakeView, host: FakeHost) -> None:
    case_id = applied(host)
    page = make(CLERK, case_id)
    page.detail.foot.wanted.emit("case.ask_more")
    told = QApplication.activeModalWidget()
    assert isinstance(told, CorrectionDialog)
    told.told.emit([{"about": "申请书", "text": "请签字"}])
    told.accept()
    host.drain()
    assert doc(host, case_id)["state"] == "correcting"
    assert "请签字" in texts(page.detail.content)
    page.detail.foot.wanted.emit("case.decline")
    host.drain()
    declining = QApplication.activeModalWidget()
    assert isinstance(declining, DeclineDialog)
    assert declining.ground.count() > 1, "without the office's own the built-in grounds are offered"
    declining.ground.setCurrentIndex(1)
    write(declining.text, "不属本厅办理")
    declining.go.click()
    host.drain()
    assert doc(host, case_id)["state"] == "declined"
    assert set(page.detail.papers.chips) == {"correction", "decline"}


def test_every_question_is_a_form_that_can_be_filled(host: FakeHost) -> None:
    plain = [accept(host), accept(host)]
    to_decide(host, plain[1])
    asked = 0
    for case_id in plain:
        for who in (CLERK, OFFICER, HEAD, LEADER):
            host.store.actor = who
            for offer in case_desk.desk_of(host).offers(doc(host, case_id)):
                if asks(offer.command) and not offer.why_not and offer.command != "case.take_over":
                    check_form(ask_of(doc(host, case_id), offer, Bench()).form)
                    asked += 1
    assert asked > 20


# -- the list -------------------------------------------------------------------------------------


def test_terms_times_and_the_green_channel(make: MakeView, host: FakeHost) -> None:
    late = accept(host, "红", days_ago=20)
    accept(host, "黄", days_ago=8)
    accept(host, "新")
    page = make(OFFICER)
    for due, names in (("red", ["红"]), ("yellow", ["黄"]), ("late", ["黄", "红"]), ("near", [])):
        page.filters.due.setCurrentIndex(page.filters.due.findData(due))
        page.filters.due.activated.emit(0)
        host.drain()
        assert sorted(shown(page)) == sorted(names), due
    page.filters.due.setCurrentIndex(0)
    for span, count in (("today", 1), ("week", 1), ("month", 2)):
        page.filters.range.setCurrentIndex(page.filters.range.findData(span))
        page.filters.range.activated.emit(0)
        host.drain()
        assert len(shown(page)) == count, span
    page.filters.range.setCurrentIndex(page.filters.range.findData("own"))
    page.filters.range.activated.emit(0)
    page.filters.since.setText("2026-10-01")
    page.filters.until.setText("2026-11-01")
    page.filters.until.editingFinished.emit()
    host.drain()
    assert shown(page) == ["红"]
    page.close()
    page = make(OFFICER, chip="")
    assert shown(page) == ["红"], "filters are remembered"
    page.filters.range.setCurrentIndex(0)
    page.filters.range.activated.emit(0)
    green = {**doc(host, late), "green": True}
    host.store.amend(late, doc=green)
    host.drain()
    assert shown(page)[0] == "红"
    for order, following in (("due", ["黄", "新"]), ("newest", ["新", "黄"])):
        page.filters.order.setCurrentIndex(page.filters.order.findData(order))
        page.filters.order.activated.emit(0)
        assert shown(page) == ["红", *following], "the green channel stands above, whatever the order"


def test_what_is_late_is_opened_from_the_to_do(make: MakeView, host: FakeHost) -> None:
    accept(host, "红", days_ago=20)
    accept(host, "新")
    page = make(CLERK)
    page.show_arguments(states=["accepted", "decided"], overdue=True)
    host.drain()
    assert shown(page) == ["红"]
    page.show_arguments(states=["accepted"])
    host.drain()
    assert sorted(shown(page)) == ["新", "红"]
    page.show_arguments(states=["applied"])
    host.drain()
    assert page.chips["applied"].isChecked()
    assert shown(page) == []


def test_a_list_that_is_not_whole_says_so(make: MakeView, host: FakeHost, monkeypatch: Any) -> None:
    monkeypatch.setattr(case_desk, "PAGE", 30)
    names = [f"甲{n:02}" for n in range(70)]
    cases = [accept(host, name) for name in names]
    page = make(CLERK)
    page.resize(1100, 700)
    newest = names[::-1]
    assert shown(page) == newest[:30]
    assert page.note.isVisible()
    assert "已列出 30 件，往下滚动" in page.table.accessibleDescription()
    page.table.choose(cases[-1])
    QTest.keyClick(page.table.view, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
    host.drain()
    assert shown(page) == newest[:60]
    place = page.table.view.verticalScrollBar().value()
    assert place > 0
    # what changes meanwhile leaves the list as long as it is, and the view where it is
    host.store.amend(cases[-1], pending=1)
    host.drain()
    assert shown(page) == newest[:60]
    assert page.table.view.verticalScrollBar().value() == place
    QTest.keyClick(page.table.view, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
    host.drain()
    assert shown(page) == newest
    assert not page.note.isVisible()
    host.store.indexed = 0.456
    page.search.setText("甲0")
    page._reload()
    host.drain()
    assert "正在重建（45%）" in page.note.text()


def test_a_list_has_an_end(make: MakeView, host: FakeHost, monkeypatch: Any) -> None:
    monkeypatch.setattr(case_desk, "PAGE", 10)
    monkeypatch.setattr(cases_page, "MOST", 20)
    for n in range(30):
        last = accept(host, f"甲{n:02}")
    page = make(CLERK, last)
    page.resize(1100, 400)
    for _ in range(4):
        QTest.keyClick(page.table.view, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
        host.drain()
    assert len(shown(page)) == 20
    assert "请用查找缩小范围" in page.note.text()


def test_the_selection_is_remembered(make: MakeView, host: FakeHost) -> None:
    first, _second = accept(host, "甲"), accept(host, "乙")
    page = make(CLERK, first)
    page.close()
    page = make(CLERK, chip="")
    assert page.table.current.id == first


def test_paper_is_registered_as_it_passes_the_scanner(qtbot: Any, make: MakeView, host: FakeHost) -> None:
    first, second = accept(host, "甲"), accept(host, "乙")
    page = make(CLERK)
    page.chips["over"].click()
    host.drain()
    page.filters.scanning.click()
    page.filters.node.setCurrentIndex(page.filters.node.findData("handling"))
    page.filters.node.activated.emit(1)
    for case_id in (first, second):
        number = host.store.rows["case", case_id].number
        QTest.keyClicks(page.search, f"govdesk:case/{case_id}?no={number}")
        qtbot.keyClick(page.search, Qt.Key.Key_Return)
        assert page.search.text() == "", "ready for the next"
        host.drain()
        assert [scan["node"] for scan in doc(host, case_id)["scans"]] == ["handling"]
        assert f"已登记“办理”：{number}" in page.banner.text()
        assert page.table.current.id == case_id
        assert QApplication.focusWidget() is page.search
    QTest.keyClicks(page.search, "3411A-20261120-009999")
    qtbot.keyClick(page.search, Qt.Key.Key_Return)
    host.drain()
    assert "本机没有这件办件" in page.banner.text()
    page.close()
    again = make(CLERK, chip="")
    assert again.filters.scanning.isChecked()
    assert again.filters.node.currentData() == "handling"


def test_the_green_channel_is_compared(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    host.store.amend(case_id, doc={**doc(host, case_id), "green": True})
    page = make(CLERK)
    page.filters.statistics.click()
    host.drain()
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, StatisticsDialog)
    rows = [[dialog.table.model.index(row, column).data() for column in range(5)] for row in range(2)]
    assert rows == [["绿色通道", "1", "0", "–", "–"], ["其他办件", "0", "0", "–", "–"]]
    dialog.until.setText("2026-10-01")
    dialog.until.editingFinished.emit()
    assert "起不晚于止" in dialog.banner.text()
    dialog.accept()


# -- phrases --------------------------------------------------------------------------------------


def test_a_person_keeps_phrases_that_nobody_else_sees(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER, case_id)
    bar = page.detail.foot.phrases
    assert not bar.keep.isEnabled()
    write(page.detail.opinion, "经核属实。")
    bar.keep.click()
    host.drain()
    assert bar.box.itemText(1) == "经核属实。"
    assert bar.keep.accessibleName() == "删去此常用语"
    page.close()
    page = make(SECOND, case_id)
    assert [page.detail.foot.phrases.box.itemText(n) for n in (1, 2)] == ["材料齐全，同意。", "请补充说明后再报。"]
    page.close()
    page = make(OFFICER, case_id)
    page.detail.foot.phrases.box.activated.emit(1)
    page.detail.foot.phrases.keep.click()
    host.drain()
    assert page.detail.foot.phrases.box.itemText(1) == "材料齐全，同意。"


# -- papers ---------------------------------------------------------------------------------------


def test_a_paper_goes_out_once_and_again_only_with_a_reason(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(CLERK, case_id)
    page.detail.print.click()
    host.drain()
    assert len(host.printer.papers) == 1
    assert host.store.jobs == []
    page.detail.print.click()
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, TextDialog)
    dialog.go.click()
    assert len(host.printer.papers) == 1
    dialog.phrases.itemClicked.emit(dialog.phrases.item(0))
    dialog.go.click()
    host.drain()
    assert len(host.printer.papers) == 2
    assert [paper.get("reason") for paper in doc(host, case_id)["papers"]] == [None, "打印不清楚"]
    assert "已打印 2 次" in page.detail.papers.printed.text()
    page.close()
    page = make(OFFICER, case_id)
    page.detail.print.click()
    host.drain()
    assert "没有此项权限" in page.detail.banner.text()
    assert len(host.printer.papers) == 2


def test_a_paper_is_saved_in_four_formats(make: MakeView, host: FakeHost, tmp_path: Path, monkeypatch: Any) -> None:
    case_id = accept(host)
    page = make(CLERK, case_id)
    page.detail.tabs.setCurrentIndex(3)
    host.drain()
    begins = {"pdf": b"%PDF", "docx": b"PK", "xlsx": b"PK", "html": b"<!"}
    for format, magic in begins.items():
        target = tmp_path / f"回执.{format}"
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *arguments, to=target: (str(to), ""))
        page.detail.papers.save.click()
        host.drain()
        assert target.read_bytes().lower().startswith(magic.lower()), format
        assert str(target) in page.detail.papers.banner.text()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "named"), "Word 文档 (*.docx)"))
    page.detail.papers.save.click()
    host.drain()
    assert (tmp_path / "named.docx").exists()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "none" / "x.pdf"), ""))
    page.detail.papers.save.click()
    host.drain()
    assert "未能保存" in page.detail.papers.banner.text()
    assert doc(host, case_id)["papers"] == [], "a file is no print"


# -- materials ------------------------------------------------------------------------------------


def with_pages(host: FakeHost, *refs: Mapping[str, Any]) -> str:
    materials = filled(STANDARD)["materials"]
    return accept(host, materials=[{**materials[0], "images": list(refs)}, *materials[1:]])


def test_pages_are_turned_enlarged_and_rotated(qtbot: Any, make: MakeView, host: FakeHost) -> None:
    case_id = with_pages(host, *(page_image(host) for _ in range(8)))
    page = make(OFFICER, case_id)
    fetched: list[str] = []
    get = host.blobs.get
    host.blobs.get = lambda sha256: fetched.append(sha256) or get(sha256)  # type: ignore[method-assign,func-returns-value]
    assert fetched == []
    page.detail.tabs.setCurrentIndex(1)
    host.drain()
    assert len(fetched) == 6, "only what is shown is fetched"
    page.detail.materials.opened.emit(1)
    host.drain()
    viewer = QApplication.activeModalWidget()
    assert isinstance(viewer, PageViewer)
    assert viewer.shows
    assert "第 2 页（共 8 页）" in viewer.title.text()
    qtbot.keyClick(viewer.area, Qt.Key.Key_Right)
    host.drain()
    assert "第 3 页" in viewer.title.text()
    before = viewer.sheet.pixmap().size()
    qtbot.keyClick(viewer.area, Qt.Key.Key_Plus)
    assert viewer.sheet.pixmap().width() > before.width()
    qtbot.keyClick(viewer.area, Qt.Key.Key_Minus)
    qtbot.keyClick(viewer.area, Qt.Key.Key_R)
    assert viewer.sheet.pixmap().width() > viewer.sheet.pixmap().height()
    qtbot.keyClick(viewer.area, Qt.Key.Key_End)
    host.drain()
    assert "第 8 页" in viewer.title.text()
    assert not viewer.next.isEnabled()
    qtbot.keyClick(viewer.area, Qt.Key.Key_Escape)
    assert QApplication.activeModalWidget() is None


@pytest.mark.parametrize(
    ("code", "words", "short"),
    [("DATA-030", "尚未传到", "尚未传到"), ("NET-001", "没有连接服务器", "离线"), ("DATA-033", "坏了", "读不出")],
)
def test_a_page_that_is_not_here_says_why(
    make: MakeView, host: FakeHost, monkeypatch: Any, code: str, words: str, short: str
) -> None:
    ref = page_image(host)
    case_id = with_pages(host, ref)
    page = make(OFFICER, case_id)

    def missing(sha256: str) -> bytes:
        raise GovDeskError(code, "坏了。")

    with monkeypatch.context() as patch:
        patch.setattr(host.blobs, "get", missing)
        page.detail.tabs.setCurrentIndex(1)
        host.drain()
        assert short in [thumb.text() for strip in page.detail.materials._thumbs.values() for thumb in strip]
        page.detail.materials.opened.emit(0)
        host.drain()
        viewer = QApplication.activeModalWidget()
        assert isinstance(viewer, PageViewer)
        assert viewer.pane.isVisible()
        assert words in viewer.pane.text()
        assert not viewer.rotate.isEnabled()
    viewer.again.click()
    host.drain()
    assert viewer.shows
    viewer.accept()


def test_what_is_no_picture_is_said(make: MakeView, host: FakeHost) -> None:
    case_id = with_pages(host, host.blobs.put(b"nothing", "image/jpeg").to_doc())
    page = make(OFFICER, case_id)
    page.detail.materials.opened.emit(0)
    host.drain()
    viewer = QApplication.activeModalWidget()
    assert isinstance(viewer, PageViewer)
    assert "不是完好的图片" in viewer.pane.text()
    viewer.accept()


# -- who may see what -----------------------------------------------------------------------------


def test_numbers_are_covered_again_for_the_next_case(make: MakeView, host: FakeHost) -> None:
    first, second = accept(host, "甲"), accept(host, "乙")
    page = make(CLERK, first)
    page.detail.content.reveal.click()
    assert "11010519491231002X" in texts(page.detail.content)
    assert len(doc(host, first)["history"]) == 1, "who looked is no part of the case's history"
    page.table.choose(second)
    host.drain()
    assert "11010519491231002X" not in texts(page.detail.content)
    assert "138****2345" in texts(page.detail.content)


def test_a_half_written_opinion_waits_at_its_case(make: MakeView, host: FakeHost) -> None:
    first, second = accept(host, "甲"), accept(host, "乙")
    page = make(OFFICER, first)
    write(page.detail.opinion, "写到一半")
    page.table.choose(second)
    host.drain()
    assert page.detail.opinion.text() == ""
    page.table.choose(first)
    host.drain()
    assert page.detail.opinion.text() == "写到一半"


def test_a_page_that_closes_closes_its_dialogs_and_what_was_given_is_done(make: MakeView, host: FakeHost) -> None:
    case_id = accept(host)
    page = make(OFFICER, case_id)
    dialog = ask(page, host, "case.suspend")
    dialog.form.set_values({"reason": "核查"})
    dialog.go.click()
    page.close()
    host.drain()
    assert doc(host, case_id)["state"] == "suspended"
    assert isinstance(dialog, QDialog)


def test_a_to_do_opens_the_first_case_that_waits(make: MakeView, host: FakeHost) -> None:
    accept(host, "甲")
    page = make(OFFICER, chip="")
    assert page.table.current is None
    page.show_arguments(states=["accepted"])
    host.drain()
    assert page.table.current is page.table.rows[0]
    assert page.detail.record is not None
