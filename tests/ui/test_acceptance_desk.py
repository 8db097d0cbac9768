"""The counter beyond the plain case: numbers, scanned pages, what may follow, notices, the citizen's side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QBuffer, QIODevice, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog

from client.widgets.basics import LinkButton
from client.widgets.dialogs import TextDialog
from client.widgets.theme import theme
from devices.ports import WHOLE, Camera, Evaluator, Frame, IdentityRecord, Page, Photo
from modules.acceptance.domain.knowledge import PUT
from modules.acceptance.ui.counter.asking import CorrectionDialog, DeclineDialog
from modules.acceptance.ui.counter.page import AcceptView, IntakePane
from modules.acceptance.ui.counter.scanning import ScanDialog
from modules.common.errors import GovDeskError
from tests.support.fake_host import FakeHost, actor, filled, item

ITEM = {
    **item(),
    "green": {"enabled": True, "promised_days": 1},
    "materials": [
        {**material, "may_lack": material["id"] == "m3", "lack_days": 5, "lack_consequence": "撤回受理"}
        for material in item()["materials"]
    ],
}
WINDOW = {
    "id": "hall-1-w3", "hall_id": "hall-1", "name": "3号窗", "area": "东区", "group": "A", "department_ids": [],
    "item_codes": ["*"], "staff": [], "x": 0, "y": 0, "w": 2, "h": 2, "screen": "", "kind": "",
    "state": {"signed_in": None, "suspended": None, "stopped": None, "left": None}, "strategy": None, "history": [],
}  # fmt: skip


def jpeg(color: str = "white") -> bytes:
    image = QImage(60, 80, QImage.Format.Format_RGB32)
    image.fill(QColor(color))
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "JPEG")
    return bytes(buffer.data().data())


class OnePageCamera:
    """Shows one frame and photographs a page of another colour each time."""

    def __init__(self) -> None:
        self.shots = 0
        self.cancelled = 0

    def preview(self, show: Callable[[Frame], None], *, width: int = 640, rate: float = 10.0) -> None:
        show(Frame(Page(jpeg(), 60, 80), 1, WHOLE))

    def capture(self, timeout: float = 10.0) -> Photo:
        self.shots += 1
        page = Page(jpeg(("red", "green", "blue")[self.shots % 3]), 60, 80)
        return Photo(page, page, WHOLE, 1.0, True)

    def cancel(self) -> None:
        self.cancelled += 1


@pytest.fixture
def host() -> FakeHost:
    made = FakeHost()
    made.store.put("service_item", ITEM)
    return made


@pytest.fixture
def view(qtbot: Any, host: FakeHost) -> Iterator[AcceptView]:
    page = AcceptView(host)
    qtbot.addWidget(page)
    page.resize(1300, 850)
    with qtbot.waitActive(page):
        page.show()
        page.activateWindow()
    host.drain()
    yield page
    page.close()
    host.drain()


def begin(view: AcceptView, host: FakeHost, **applicant: Any) -> IntakePane:
    view.start.chosen.emit(ITEM)
    assert view.intake
    body = filled(ITEM, **applicant)
    view.intake.applicant.set_values(body["applicant"])
    view.intake.form.set_values(body["form"])
    view.intake.materials.set_values(body["materials"])
    host.drain()
    return view.intake


def press(host: FakeHost, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    widget = QApplication.focusWidget()
    assert widget
    QTest.keyClick(widget, key, modifier)
    host.drain()


def case(host: FakeHost) -> dict[str, Any]:
    (record,) = host.store.find("case")
    return dict(record.doc)


def test_what_may_lack_is_accepted_provisionally_and_both_papers_go_out(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view, host)
    row = pane.materials.row("m3")
    row.lacking.click()
    assert not row.check.isChecked()
    assert "撤回受理" in row._note.text()
    assert pane.accept.accessibleName() == "容缺受理"
    host.drain()
    pane.accept.click()
    host.drain()
    assert case(host)["provisional"]["materials"][0]["consequence"] == "撤回受理"
    assert "经营场所使用证明" in view.result.gaps.text()
    press(host, Qt.Key.Key_F9)
    assert [title for _, title in host.printer.papers] == [
        "受理通知书 3411A-20261120-000042",
        "容缺受理告知书 3411A-20261120-000042",
    ]
    assert [paper["kind"] for paper in case(host)["papers"]] == ["receipt", "provisional"]


def test_the_green_channel_is_the_item_s_and_can_be_left(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view, host)
    assert pane.green.isVisible()
    assert pane.green.isChecked()
    pane.green.click()
    host.drain()
    pane.accept.click()
    host.drain()
    assert case(host)["green"] is False


def test_a_correction_names_every_fault_that_the_rules_see(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view, host, phone="123")
    pane.materials.row("m1").check.click()
    host.drain()
    pane.correct.click()
    assert view.findChild(CorrectionDialog) is None
    assert pane.applicant.field("phone").fault, "a notice is for somebody who can be reached"
    pane.applicant.set_values({"phone": "13855012345"})
    pane.form.set_values({"capital": "many"})
    host.drain()
    pane.correct.click()
    dialog = view.findChild(CorrectionDialog)
    assert dialog
    assert [(row.about.text(), row.drop.isEnabled()) for row in dialog._rows] == [
        ("资金数额（元）", False),
        ("个体工商户登记（备案）申请书", False),
    ]
    dialog._add_empty()
    dialog._rows[-1].about.setText("租赁合同")
    dialog.go.click()
    assert not host.jobs, "half an entry is not sent"
    dialog._rows[-1].text.setText("缺出租方签字")
    dialog.go.click()
    host.drain()
    told = case(host)
    assert (told["state"], len(told["correction"]["items"])) == ("correcting", 3)
    press(host, Qt.Key.Key_F9)
    assert host.printer.papers[0][1].startswith("一次性告知书")
    view.result.next.click()
    host.drain()
    assert view.start.applications.count() == 1, "it waits for the citizen to come back"


def test_who_comes_back_is_accepted_under_the_same_case_and_not_told_again(view: AcceptView, host: FakeHost) -> None:
    test_a_correction_names_every_fault_that_the_rules_see(view, host)
    view.start.open.click()
    host.drain()
    assert view.intake
    assert "缺出租方签字" in view.intake.banner.text()
    assert not view.intake.correct.isVisible()
    body = filled(ITEM)
    view.intake.form.set_values(body["form"])
    view.intake.materials.set_values(body["materials"])
    view.intake.accept.click()
    host.drain()
    assert case(host)["state"] == "accepted"


def test_declining_needs_a_ground_and_a_reason(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view, host)
    pane.decline.click()
    dialog = view.findChild(DeclineDialog)
    assert dialog
    dialog.text.setText("不属于本机关职权范围")
    dialog.go.click()
    host.drain()
    assert host.store.find("case") == []
    dialog.ground.setCurrentIndex(2)
    dialog.go.click()
    host.drain()
    assert case(host)["decline"]["ground"] == dialog.ground.itemData(2)
    press(host, Qt.Key.Key_F9)
    assert host.printer.papers[0][1].startswith("不予受理决定书")


def test_materials_are_scanned_by_space_alone(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    camera = OnePageCamera()
    host.services[Camera] = camera
    pane = begin(view, host)
    for id in ("m1", "m2", "m3"):
        pane.materials.row(id).set_value({"received": False})
    press(host, Qt.Key.Key_F6)
    dialog = view.findChild(ScanDialog)
    assert dialog
    dialog.camera._camera = camera  # the fake preview ends at once
    dialog.camera._show_mode()
    assert dialog.current == "m1"
    QTest.keyClick(dialog.list, Qt.Key.Key_Space, Qt.KeyboardModifier.ShiftModifier)
    host.drain()
    for _ in range(3):
        QTest.keyClick(dialog.list, Qt.Key.Key_Space)
        host.drain()
    assert [len(pane.materials.row(id).images) for id in ("m1", "m2", "m3")] == [2, 1, 1]
    QTest.keyClick(dialog.list, Qt.Key.Key_Escape)
    host.drain()
    assert [pane.materials.row(id).pages.text() for id in ("m1", "m2", "m3")] == ["2", "1", "1"]
    (draft,) = host.store.kept.values()
    kept = [entry for entry in draft.doc["materials"] if entry.get("images")]
    assert {image["sha256"] for entry in kept for image in entry["images"]} == set(host.blobs.kept)
    pane.accept.click()
    host.drain()
    assert [len(material.get("images", [])) for material in case(host)["materials"]] == [2, 1, 1]


def test_at_150_percent_on_a_small_screen_the_counter_fits(qtbot: Any, view: AcceptView, host: FakeHost) -> None:
    """1280 × 800 less the window's frame, the folded navigation, the head and the status bar."""
    theme().apply("light", 1.5)
    pane = begin(view, host)
    view.setMinimumSize(0, 0)
    view.resize(1184, 660)
    qtbot.waitUntil(lambda: view.width() == 1184)
    assert view.minimumSizeHint().width() <= 1184
    for button in (pane.back, pane.confirm, pane.decline, pane.correct, pane.accept):
        right = button.mapTo(view, button.rect().bottomRight())
        assert button.width() >= button.sizeHint().width()
        assert view.rect().contains(right)
    for row in pane.materials.rows():
        for control in (row.check, row.scan, row.kind, row.pages):
            assert row.rect().contains(control.mapTo(row, control.rect().bottomRight())), control.accessibleName()


def test_a_page_taken_and_left_in_the_same_instant_is_kept(view: AcceptView, host: FakeHost) -> None:
    camera = OnePageCamera()
    host.services[Camera] = camera
    pane = begin(view, host)
    pane.materials.row("m1").set_value({"received": False})
    press(host, Qt.Key.Key_F6)
    dialog = view.findChild(ScanDialog)
    assert dialog
    dialog.camera._camera = camera
    dialog.camera._show_mode()
    QTest.keyClick(dialog.list, Qt.Key.Key_Space)
    QTest.keyClick(dialog.list, Qt.Key.Key_Escape)
    assert dialog.isVisible(), "it waits for what was photographed"
    host.drain()
    assert view.scanner.dialog is None
    assert len(pane.materials.row("m1").images) == 1
    (draft,) = host.store.kept.values()
    assert [entry["id"] for entry in draft.doc["materials"] if entry.get("images")] == ["m1"]


def test_a_second_esc_ends_the_scanning_at_once_and_an_unsure_page_keeps_it_open(
    view: AcceptView, host: FakeHost
) -> None:
    camera = OnePageCamera()
    host.services[Camera] = camera
    begin(view, host)
    press(host, Qt.Key.Key_F6)
    dialog = view.findChild(ScanDialog)
    assert dialog
    dialog.camera._camera = camera
    dialog.camera._show_mode()
    QTest.keyClick(dialog.list, Qt.Key.Key_Space)
    QTest.keyClick(dialog.list, Qt.Key.Key_Escape)
    dialog.camera._not_shot(RuntimeError("lens"))
    host.drain()
    assert dialog.isVisible(), "somebody has to look at it"
    QTest.keyClick(dialog.list, Qt.Key.Key_Space)
    QTest.keyClick(dialog.list, Qt.Key.Key_Escape)
    QTest.keyClick(dialog.list, Qt.Key.Key_Escape)
    assert view.scanner.dialog is None
    host.drain()


def test_scanned_pages_come_back_with_their_draft(view: AcceptView, host: FakeHost) -> None:
    ref = host.blobs.put(jpeg("red"), "image/jpeg").to_doc()
    pane = begin(view, host)
    pane.materials.row("m1").add_page(ref, QImage())
    host.drain()
    view.back()
    host.drain()
    view.start.resume.click()
    host.drain()
    assert view.intake is not pane
    assert view.intake
    assert view.intake.materials.row("m1").images == [ref]
    assert view.intake.materials.row("m1").pictures_wanted() == [], "its thumbnail was loaded"


def test_a_page_clicked_twice_is_looked_at_once_and_only_it_is_removed(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view, host)
    row = pane.materials.row("m1")
    refs = [host.blobs.put(jpeg(color), "image/jpeg").to_doc() for color in ("white", "gray")]
    row.set_value({"received": True, "kind": "paper", "pages": 2, "images": refs})
    row.opened.emit(0)
    row.opened.emit(0)
    host.drain()
    looked = [dialog for dialog in view.findChildren(QDialog) if dialog.isVisible()]
    assert len(looked) == 1
    row.remove_page(0)
    remove = looked[0].findChild(LinkButton)
    assert remove
    remove.click()
    host.drain()
    assert [image["sha256"] for image in row.images] == [refs[1]["sha256"]]
    row.opened.emit(0)
    view.show_arguments(action="new")
    host.drain()
    assert not [dialog for dialog in view.findChildren(QDialog) if dialog.isVisible()]


def test_two_hundred_pages_show_a_few_thumbnails_and_their_number(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view, host)
    refs = [{"sha256": f"{n:064x}", "size": 9, "type": "image/jpeg"} for n in range(200)]
    pane.materials.row("m1").set_value({"received": True, "kind": "paper", "pages": 200, "images": refs})
    assert len(pane.materials.row("m1")._thumbs) == 7
    assert pane.materials.row("m1")._thumbs[-1].text() == "共 200 页"
    assert len(pane.materials.row("m1").value()["images"]) == 200


def test_somebody_is_called_served_and_the_next_comes(view: AcceptView, host: FakeHost) -> None:
    host.store.put("window", WINDOW)
    ticket = {
        "id": "t1", "hall_id": "hall-1", "number": "A017", "serial": 17, "day": "2026-11-20", "group": "A",
        "item": {"id": ITEM["id"], "code": ITEM["code"], "name": ITEM["name"], "department_id": "dept-market"},
        "source": "id_card", "priority": 0, "priority_class": "", "person": {"name": "李**", "phone": ""},
        "booking_id": "", "slot": None, "state": "waiting", "taken_at": "2026-11-20T02:00:00Z",
        "place_at": "2026-11-20T02:00:00Z", "after": "", "directed": None, "window": None, "turn": 0, "held": 0,
        "calls": 0, "called_at": "", "called_as": "", "reason": "", "served_at": "", "done_at": "", "skips": 0,
        "turns": [], "doubles": [], "warning": "", "merged_into": "", "history": [],
    }  # fmt: skip
    host.store.put("ticket", ticket)
    host.store.on_change(("window", WINDOW["id"]))
    host.drain()
    assert view.calls.isVisible()
    press(host, Qt.Key.Key_F2)  # signs in
    assert "空闲" in view.calls.state.text()
    press(host, Qt.Key.Key_F2)
    assert view.intake, "the item of the number is open"
    assert view.calls.current.text() == "A017"
    view.calls.serve()  # card, case and acceptance each say that the person is here
    host.step()
    view.calls.serve()  # it is given, and the line is not read again yet
    host.drain()
    assert not view.calls.banner.isVisible(), view.calls.banner.text()
    body = filled(ITEM)
    view.intake.applicant.set_values(body["applicant"])
    view.intake.form.set_values(body["form"])
    view.intake.materials.set_values(body["materials"])
    host.drain()
    view.intake.accept.click()
    host.drain()
    assert case(host)["ticket"]["number"] == "A017"
    press(host, Qt.Key.Key_F2)
    assert host.store.rows["ticket", "t1"].doc["state"] == "served"
    assert "没有人等候" in view.calls.banner.text()


def test_a_pause_is_told_to_the_citizen(view: AcceptView, host: FakeHost) -> None:
    host.store.put("window", WINDOW)
    host.store.on_change(("window", WINDOW["id"]))
    host.drain()
    press(host, Qt.Key.Key_F2)
    press(host, Qt.Key.Key_F2, Qt.KeyboardModifier.ShiftModifier)
    dialog = view.calls.findChild(TextDialog)
    assert dialog
    assert dialog.text.text() == "暂停办理，请稍候"
    QTest.keyClick(dialog.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    host.drain()
    assert "暂停办理" in view.calls.state.text()
    assert view.citizen.view.showing == "welcome"


def test_the_citizen_confirms_and_an_edit_takes_it_back(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view, host)
    pane.confirm.click()
    assert view.citizen.view.showing == "data"
    view.citizen.view._data.right.click()
    assert "群众已确认" in pane.confirmed.text()
    pane.materials.row("m4").check.click()
    assert not pane.confirmed.isVisible()


def test_a_rating_is_kept_once_whichever_device_it_comes_from(view: AcceptView, host: FakeHost) -> None:
    class Keys:
        def ask(self, timeout: float = 60.0) -> int:
            return 5

        def cancel(self) -> None: ...

    host.services[Evaluator] = Keys()
    pane = begin(view, host)
    pane.accept.click()
    host.drain()
    press(host, Qt.Key.Key_F10)
    assert case(host)["rating"]["stars"] == 5
    assert "谢谢" in view.result.rated.text()
    view.citizen.view.rated.emit(1, ["x"])
    host.drain()
    assert case(host)["rating"]["stars"] == 5


def test_points_follow_the_material_at_hand(view: AcceptView, host: FakeHost) -> None:
    me = host.store.actor
    host.store.actor = actor("officer", hall="", department="dept-market", name="王五")
    entry = {
        "department_id": "dept-market", "kind": "faq", "title": "住改商要什么", "text": "利害关系业主同意的证明。",
        "item_codes": [ITEM["code"]], "material_ids": ["m3"],
    }  # fmt: skip
    host.store.give("knowledge", "k1", PUT, entry)
    host.store.actor = me
    pane = begin(view, host)
    pane.materials.row("m3").check.setFocus()
    host.drain()
    assert view.points.isVisible()
    assert "经营场所使用证明" in view.points._head.text()
    assert [shown.title.text() for shown in view.points._shown] == ["住改商要什么"]
    view.points._shown[0].title.click()
    view.points._shown[0].yes.click()
    host.drain()
    assert host.store.rows["knowledge", "k1"].doc["ratings"][me.id]["useful"] is True


def test_what_the_person_base_knows_is_offered_with_its_source_and_never_forced(
    view: AcceptView, host: FakeHost
) -> None:
    number = "11010519491231002X"
    base = {"found": True, "values": {"id_number": number, "phone": "13911112222", "workplace": "老街面馆"}}
    host.server.answers["/v1/m/acceptance/base", number] = base
    host.reader(IdentityRecord("resident", "李晓明", number, "女", None))
    view.start.chosen.emit(ITEM)
    press(host, Qt.Key.Key_F4)
    assert view.intake
    phone = view.intake.applicant.field("phone")
    assert [(offer.value, offer.source) for offer in phone.offers] == [("13911112222", "人员库")]
    assert phone.value() == "", "nothing is put in"
    phone.take_offer(phone.offers[0])
    assert view.intake.applicant.values()["phone"] == "13911112222"
    assert view.intake.applicant.sources()["phone"] == "人员库"


def test_without_a_network_the_base_is_silent(view: AcceptView, host: FakeHost) -> None:
    host.reader(IdentityRecord("resident", "李晓明", "11010519491231002X", "女", None))
    view.start.chosen.emit(ITEM)
    press(host, Qt.Key.Key_F4)
    assert view.intake
    assert host.server.asked
    assert not view.intake.banner.isVisible()
    assert view.intake.applicant.field("phone").offers == ()


def test_a_picture_from_a_file_is_a_page_and_anything_else_is_said(
    tmp_path: Path, view: AcceptView, host: FakeHost
) -> None:
    pane = begin(view, host)
    pane.materials.row("m1").set_value({"received": False})
    press(host, Qt.Key.Key_F6)
    dialog = view.findChild(ScanDialog)
    assert dialog
    (tmp_path / "page.jpg").write_bytes(jpeg("red"))
    (tmp_path / "letter.txt").write_text("no picture")
    dialog.add_file(str(tmp_path / "page.jpg"))
    dialog.add_file(str(tmp_path / "letter.txt"))
    host.drain()
    assert len(pane.materials.row("m1").images) == 1
    assert "letter.txt" in dialog.camera.banner.text()
    dialog.reject()
    host.drain()


def test_what_another_counter_does_with_the_same_application_is_said_at_once(view: AcceptView, host: FakeHost) -> None:
    test_a_correction_names_every_fault_that_the_rules_see(view, host)
    view.start.open.click()
    host.drain()
    (record,) = host.store.find("case")
    body = {"item_id": ITEM["id"], "item_version": ITEM["version"], "ground": "依据", "text": "理由"}
    host.store.give("case", record.id, "case.decline", body)
    host.drain()
    assert view.intake
    assert "不予受理" in view.intake.banner.text()


def test_declining_what_another_counter_has_changed_is_refused(view: AcceptView, host: FakeHost) -> None:
    test_a_correction_names_every_fault_that_the_rules_see(view, host)
    view.start.open.click()
    host.drain()
    assert view.intake
    view.intake.decline.click()
    dialog = view.findChild(DeclineDialog)
    assert dialog
    dialog.text.setText("不属于本机关职权范围")
    body = {"item_id": ITEM["id"], "item_version": ITEM["version"]}
    host.store.give("case", case(host)["id"], "case.supply", body)
    dialog.go.click()
    host.drain()
    assert case(host)["state"] == "applied"
    assert "已按告知补正" in view.intake.banner.text()


def test_after_a_failed_print_enter_tries_again(view: AcceptView, host: FakeHost) -> None:
    pane = begin(view, host)
    pane.accept.click()
    host.drain()
    host.printer.fault = GovDeskError("PRT-001", "打印机没有响应。")
    press(host, Qt.Key.Key_F9)
    assert QApplication.focusWidget() is view.result.print
    assert "打印机没有响应" in view.result.paper.text()
