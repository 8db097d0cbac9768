"""The page of items: found, edited, published, withdrawn, brought in and out, and met with the province's news."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog

from client.kernel.ports import Server
from client.widgets.dialogs import TextDialog
from client.widgets.theme import Theme
from modules.acceptance.domain.item_conflicts import merge
from modules.acceptance.services.excel import read_workbook, workbook
from modules.acceptance.ui.items.dialogs import ConflictDialog, ImportDialog, NewItemDialog, RowDialog
from modules.acceptance.ui.items.page import ItemsView
from modules.common.errors import GovDeskError
from tests.support.a11y import Walk
from tests.support.fake_host import FakeHost
from tests.support.items import CLERK, CODE, DEPARTMENTS, FORM, KEEPER, SYSTEM, sound_item

OTHER = "341100SC-XK-0002"
FIRST = "item-341100sc-xk-0001@1"
MakeView = Callable[..., ItemsView]


class Province:
    """What the server answers to 立即同步."""

    def __init__(self) -> None:
        self.answer: Any = {
            "last": {
                "counts": {"new": 2, "faulty": 1},
                "faults": [{"code": "x", "name": "防雷", "why": "没有气象局。"}],
            }
        }

    def get(self, path: str, **query: str) -> Any:
        raise AssertionError(path)

    def post(self, path: str, body: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def province() -> Province:
    return Province()


@pytest.fixture
def host(province: Province) -> FakeHost:
    host = FakeHost()
    host.services[Server] = province
    host.store.rows.clear()
    host.store.actor = KEEPER
    for id, name in DEPARTMENTS.items():
        host.store.put("organisation", {"id": id, "kind": "department", "name": name})
    add(host, CODE)
    add(host, OTHER, "食品经营许可", department="卫生健康委员会", department_id="dept-health", hot=True)
    return host


@pytest.fixture
def make(qtbot: Any, host: FakeHost) -> Iterator[MakeView]:
    pages = []

    def open_page() -> ItemsView:
        page = ItemsView(host)
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


def add(host: FakeHost, code: str, name: str = "食品小作坊登记", **changes: Any) -> None:
    body = {"item": sound_item(code, name, **changes), "state": "published"}
    host.store.give("service_item", f"item-{code.lower()}@1", "item.import", body)


def pick(host: FakeHost, page: ItemsView, code: str) -> None:
    assert page.table.choose(code)
    host.drain()


def codes(page: ItemsView) -> list[str]:
    return [shelf.code for shelf in page.table.rows]


def dialog(kind: type[QDialog]) -> Any:
    found = [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, kind) and widget.isVisible()]
    assert len(found) == 1
    return found[0]


def draft(host: FakeHost, page: ItemsView) -> None:
    pick(host, page, CODE)
    page.detail.version.click()
    host.drain()


def doc(host: FakeHost, version: int) -> Any:
    return host.store.rows["service_item", FIRST.replace("@1", f"@{version}")].doc


def test_items_are_found_by_words_and_by_every_way_of_looking(make: MakeView, host: FakeHost) -> None:
    page = make()
    assert sorted(codes(page)) == [CODE, OTHER]
    for view, found in (("hot", [OTHER]), ("draft", []), ("once", [CODE, OTHER]), ("withdrawn", []), ("green", [])):
        page.view.setCurrentIndex(page.view.findData(view))
        assert sorted(codes(page)) == found, view
    page.view.setCurrentIndex(0)
    page.department.setCurrentIndex(page.department.findData("dept-market"))
    assert codes(page) == [CODE]
    page.kind.setCurrentIndex(page.kind.findData("即办件"))
    assert codes(page) == []
    assert page.table.pane.text() == "没有找到符合的事项。"
    page.department.setCurrentIndex(0)
    page.kind.setCurrentIndex(0)
    page.show_arguments(text=CODE)
    host.drain()
    assert codes(page) == [CODE]


def test_a_published_item_is_read_by_its_36_elements(make: MakeView, host: FakeHost) -> None:
    page = make()
    pick(host, page, CODE)
    rows = page.detail.elements.rows
    assert len(rows) == 36
    assert {element.name: text for element, text in rows}["申请材料"] == "2 项材料"
    assert not page.detail.save.isVisible()
    assert not page.detail.materials.bar.isVisibleTo(page.detail.materials)
    assert page.detail.form.source.isReadOnly()
    assert not page.detail.template.isEnabled()


def test_a_new_version_is_edited_and_published(make: MakeView, host: FakeHost) -> None:
    page = make()
    draft(host, page)
    assert page.detail.save.isVisible()
    page.detail.inputs.set_values({"promised_days": "5", "theme": "企业开办\n食品", "audience": "自然人、法人"})
    page.detail.save.click()
    host.drain()
    saved = doc(host, 2)
    assert (saved["promised_days"], saved["theme"], saved["state"]) == (5, ["企业开办", "食品"], "draft")
    assert page.detail.banner.text() == "草稿已保存。"
    page.detail.template.setCurrentIndex(page.detail.template.findData("standard"))
    page.detail.publish.click()
    host.drain()
    assert (doc(host, 2)["state"], doc(host, 2)["template"]) == ("published", "standard")
    assert doc(host, 1)["state"] == "superseded"
    assert [change.field for change in page.detail.changes_table.rows] == ["promised_days", "theme", "template"]
    assert page.detail.changes_table.rows[0].new == "5"


def test_saving_nothing_changes_nothing(make: MakeView, host: FakeHost) -> None:
    page = make()
    draft(host, page)
    before = doc(host, 2)
    page.detail.save.click()
    host.drain()
    assert doc(host, 2) == before
    assert page.detail.banner.text() == "没有改动。"


def test_what_is_missing_is_listed_and_shown_at_its_field(make: MakeView, host: FakeHost) -> None:
    page = make()
    draft(host, page)
    page.detail.inputs.set_values({"elements__place": None, "promised_days": "30"})
    page.detail.publish.click()
    host.drain()
    assert doc(host, 2)["state"] == "draft"
    assert "还不能发布，有 2 处" in page.detail.banner.text()
    found = {fault.field for fault in page.detail.check.rows}
    assert found == {"elements.place", "promised_days"}
    assert page.detail.inputs.field("promised_days").fault


def test_a_material_is_added_changed_and_removed(make: MakeView, host: FakeHost) -> None:
    page = make()
    draft(host, page)
    materials = page.detail.materials
    materials.add.click()
    row = dialog(RowDialog)
    row.form.set_values({"name": "健康证明", "review": "在有效期内\n本人照片"})
    row.go.click()
    assert [entry["id"] for entry in materials.rows] == ["m1", "m2", "m3"]
    assert materials.table.choose("m1")
    materials.remove.click()
    assert materials.table.choose("m2")
    QTest.keyClick(materials.table.view, Qt.Key.Key_Return)
    row = dialog(RowDialog)
    assert row.form.values()["lack_days"] == 5
    row.form.set_values({"lack_days": "8"})
    row.go.click()
    page.detail.save.click()
    host.drain()
    saved = doc(host, 2)["materials"]
    assert [(entry["id"], entry["name"]) for entry in saved] == [("m2", "生产场所使用证明"), ("m3", "健康证明")]
    assert saved[0]["lack_days"] == 8
    assert saved[1]["review"] == ["在有效期内", "本人照片"]


def test_a_form_is_checked_before_it_is_kept(make: MakeView, host: FakeHost) -> None:
    page = make()
    draft(host, page)
    pane = page.detail.form
    page.detail.tabs.setCurrentWidget(pane)
    for text, words in (("{", "第 1 行第 2 列"), ('{"schema": {}}', "表单定义有误")):
        pane.source.setText(text)
        pane.check.click()
        assert words in pane.verdict.text()
        page.detail.save.click()
        host.drain()
        assert doc(host, 2)["form"] == FORM
    changed = json.loads(json.dumps(FORM))
    changed["schema"]["properties"]["matter"]["title"] = "申请事由"
    pane.source.setText(json.dumps(changed, ensure_ascii=False))
    pane.check.click()
    assert pane.verdict.text() == "表单没有问题。"
    page.detail.save.click()
    host.drain()
    assert doc(host, 2)["form"] == changed


def test_a_new_item_needs_a_code_of_its_own(make: MakeView, host: FakeHost) -> None:
    page = make()
    page.new.click()
    asked = dialog(NewItemDialog)
    asked.go.click()
    assert asked.banner.text() == "请填写实施编码和事项名称。"
    asked.code.setText(OTHER)
    asked.name.setText("新事项")
    asked.go.click()
    host.drain()
    assert "已有事项" in asked.banner.text()
    asked.code.setText("341100SC-XK-0009")
    QTest.keyClick(asked.name, Qt.Key.Key_Return)
    host.drain()
    assert not asked.isVisible()
    assert page.detail.item["code"] == "341100SC-XK-0009"
    assert len(page.detail.check.rows) > 20
    page.view.setCurrentIndex(page.view.findData("draft"))
    assert codes(page) == ["341100SC-XK-0009"]


def test_a_copy_takes_the_content(make: MakeView, host: FakeHost) -> None:
    page = make()
    pick(host, page, CODE)
    page.detail.copy.click()
    asked = dialog(NewItemDialog)
    asked.code.setText("341100SC-XK-0010")
    asked.go.click()
    host.drain()
    assert page.detail.item["materials"] == sound_item()["materials"]
    assert page.detail.check.rows == []


def test_a_withdrawal_says_how_many_cases_go_on(make: MakeView, host: FakeHost) -> None:
    host.store.put("case", {"id": "c1", "state": "accepted", "item": {"code": CODE}})
    page = make()
    pick(host, page, CODE)
    page.detail.withdraw.click()
    host.drain()
    asked = dialog(TextDialog)
    assert "在办的 1 件不受影响" in " ".join(label.text() for label in asked.findChildren(type(page.pulled)))
    asked.text.setText("法规废止")
    asked.go.click()
    host.drain()
    assert doc(host, 1)["withdraw_reason"] == "法规废止"
    assert page.detail.state.text() == "已停止办理"
    assert not page.detail.withdraw.isVisible()


def test_a_workbook_out(make: MakeView, host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = make()
    out = tmp_path / "out.xlsx"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    page.take.click()
    host.drain()
    plan = read_workbook(
        out.read_bytes(), [row.doc for row in host.store.rows.values() if row.kind == "service_item"], DEPARTMENTS
    )
    assert plan.unchanged == 2
    assert str(out) in page.banner.text()
    assert not page.progress.isVisible()


def test_a_workbook_in_with_wrong_rows(
    make: MakeView, host: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = make()
    wrong = {**sound_item("341100SC-XK-0005", promised_days=99), "version": 1}
    right = {**sound_item(CODE, promised_days=4), "version": 1}
    path, left = tmp_path / "in.xlsx", tmp_path / "left.xlsx"
    path.write_bytes(workbook([wrong, right], DEPARTMENTS))
    page.import_file(path)
    host.drain()
    asked = dialog(ImportDialog)
    assert asked.summary.text() == "共 2 项：新增 0，有变化 1，无变化 0，有误 1。"
    assert [(fault.row, fault.code) for fault in asked.faults.rows] == [(2, "ACC-122")]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(left), ""))
    asked.save.click()
    assert read_workbook(left.read_bytes(), [], DEPARTMENTS).wrong == 1
    asked.publish.setChecked(True)
    asked.go.click()
    host.drain()
    assert doc(host, 2)["promised_days"] == 4
    assert page.banner.text() == "已导入并发布 1 项。"
    assert not asked.isVisible()


def test_a_file_that_is_no_workbook_is_told(make: MakeView, host: FakeHost, tmp_path: Path) -> None:
    page = make()
    (tmp_path / "a.xlsx").write_text("no")
    page.import_file(tmp_path / "a.xlsx")
    host.drain()
    assert "不是 Excel 工作簿" in page.banner.text()


def test_the_province_is_asked_and_its_answer_told(make: MakeView, host: FakeHost, province: Province) -> None:
    page = make()
    page.sync.click()
    host.drain()
    assert "新增 2" in page.banner.text()
    assert "防雷：没有气象局。" in page.banner.text()
    province.answer = GovDeskError("NET-001", "连不上服务器。")
    page.sync.click()
    host.drain()
    assert page.banner.text().startswith("连不上服务器。")
    assert page.sync.isEnabled()


def test_a_conflict_is_shown_and_decided_by_a_person(make: MakeView, host: FakeHost) -> None:
    item = doc(host, 1)
    merged = merge(item, sound_item(promised_days=6, summary="省级说明"))
    body = {"item_id": FIRST, "code": CODE, "name": item["name"], "department": "", "department_id": "",
            "province_version": 2, "merged": merged.item, "news": merged.news, "paths": merged.conflicts}  # fmt: skip
    host.store.actor = SYSTEM
    host.store.give("item_conflict", "item-341100sc-xk-0001", "conflict.raise", body)
    host.store.actor = KEEPER
    page = make()
    page.view.setCurrentIndex(page.view.findData("conflict"))
    assert codes(page) == [CODE]
    pick(host, page, CODE)
    assert "2 处与本地改动冲突" in page.detail.told.text()
    page.detail.conflict_wanted.emit()
    asked = dialog(ConflictDialog)
    asked.go.click()
    assert asked.banner.text() == "还有没选的。"
    for path, choice in (("promised_days", "province"), ("summary", "local")):
        asked.choices[path].setCurrentIndex(asked.choices[path].findData(choice))
    asked.go.click()
    host.drain()
    assert (doc(host, 2)["promised_days"], doc(host, 2)["summary"]) == (6, item["summary"])
    assert doc(host, 1)["state"] == "superseded"
    assert codes(page) == []


def test_what_is_being_edited_survives_news(make: MakeView, host: FakeHost) -> None:
    page = make()
    draft(host, page)
    page.detail.inputs.set_values({"summary": "写了一半"})
    add(host, "341100SC-XK-0007", "别的事项")
    host.drain()
    assert page.detail.inputs.values()["summary"] == "写了一半"
    assert len(codes(page)) == 3


def test_who_may_not_sees_why(make: MakeView, host: FakeHost) -> None:
    host.store.actor = CLERK
    page = make()
    assert page.table.pane.isVisible()
    assert not page.new.isEnabled()


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_every_tab_can_be_walked_and_read(make: MakeView, host: FakeHost, look: Theme, zoom: float) -> None:
    look.apply("light", zoom)
    page = make()
    page.resize(round(1366 * zoom), round(820 * zoom))
    draft(host, page)
    for tab in range(page.detail.tabs.count()):
        page.detail.tabs.setCurrentIndex(tab)
        QApplication.processEvents()
        walk = Walk(page)
        assert walk.nameless() == [], tab
        assert walk.clipped() == [], tab


def test_escape_leads_back_to_the_list(make: MakeView, host: FakeHost) -> None:
    page = make()
    pick(host, page, CODE)
    QTest.keyClick(page.table.view, Qt.Key.Key_Return)
    assert page.detail.isAncestorOf(page.focusWidget())
    QTest.keyClick(page.focusWidget(), Qt.Key.Key_Escape)
    assert page.focusWidget() is page.table.view


def test_looking_elsewhere_loses_no_edit(make: MakeView, host: FakeHost) -> None:
    page = make()
    draft(host, page)
    page.detail.inputs.set_values({"summary": "写到一半"})
    pick(host, page, OTHER)
    assert doc(host, 2)["summary"] == "写到一半"
    pick(host, page, CODE)
    page.detail.inputs.set_values({"summary": "写完了"})
    page.close()
    host.drain()
    assert doc(host, 2)["summary"] == "写完了"
