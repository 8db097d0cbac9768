"""What a form does while it is filled: rows, conditions, sums, offers, regions, attachments; by keyboard throughout."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QInputMethodEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QToolButton

from client.widgets.forms import AttachmentField, FormView, OfferChip, RegionEdit, TableField
from client.widgets.theme import Theme
from modules.common.forms import Known, validate
from tests.support.a11y import Walk, type_text

TODAY = date(2026, 11, 20)
CONTROL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier
PHOTO = {"sha256": "ab" * 32, "size": 2048, "type": "image/jpeg", "name": "门头.jpg"}
FORM: dict[str, Any] = {
    "schema": {
        "type": "object",
        "properties": {
            "name": {"title": "姓名", "type": "string"},
            "born": {"title": "出生日期", "type": "string", "format": "date"},
            "age": {"title": "年龄", "type": "integer", "x-compute": "age(born)"},
            "phone": {"title": "电话", "type": "string", "format": "phone"},
            "home": {"title": "籍贯", "type": "string", "format": "region"},
            "kind": {"title": "形式", "type": "string", "enum": ["solo", "family"], "x-labels": ["个人", "家庭"]},
            "reason": {"title": "说明", "type": "string", "x-when": {"field": "kind", "equals": "family"}},
            "rows": {
                "title": "成员",
                "type": "array",
                "x-table": True,
                "maxItems": 40,
                "x-when": {"field": "kind", "equals": "family"},
                "items": {
                    "type": "object",
                    "properties": {
                        "who": {"title": "姓名", "type": "string"},
                        "price": {"title": "出资", "type": "string", "format": "amount"},
                        "n": {"title": "份数", "type": "integer", "default": 1},
                        "cost": {"title": "小计", "type": "string", "format": "amount", "x-compute": "price * n"},
                        "head": {"title": "户主", "type": "boolean"},
                        "why": {"title": "备注", "type": "string", "x-when": {"field": "head", "equals": True}},
                    },
                    "required": ["who"],
                },
            },
            "total": {"title": "合计", "type": "string", "format": "amount", "x-compute": "sum(rows.cost)"},
            "staff": {
                "title": "从业人员",
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"title": "姓名", "type": "string"},
                        "duty": {"title": "职责", "type": "string", "x-lines": 2},
                    },
                },
            },
            "photos": {"title": "照片", "type": "array", "format": "attachment", "minItems": 1, "maxItems": 2},
        },
        "required": ["name", "phone"],
    },
    "layout": [
        {"title": "经营者", "fields": ["name", "born", "age", "phone", "home"]},
        {"title": "家庭", "fields": ["reason", "rows"], "x-when": {"field": "kind", "filled": True}},
        {"title": "其余", "fields": ["kind", "total", "staff", "photos"]},
    ],
}


@pytest.fixture
def form(qtbot: Any) -> FormView:
    form = FormView(FORM, today=lambda: TODAY)
    qtbot.addWidget(form)
    form.resize(1000, 1600)
    form.show()
    form.activateWindow()
    qtbot.waitUntil(form.isActiveWindow)
    return form


def editor(form: FormView, name: str) -> Any:
    return form.field(name).editor


def table(form: FormView, name: str = "rows") -> TableField:
    found = form.field(name)
    assert isinstance(found, TableField)
    return found


def family(form: FormView, *rows: dict[str, Any]) -> TableField:
    form.set_values({"kind": "family", "rows": list(rows)})
    return table(form)


def press(widget: Any, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QApplication.sendEvent(widget, QKeyEvent(QEvent.Type.KeyPress, key, modifiers))


def focused() -> str:
    widget = QApplication.focusWidget()
    return widget.accessibleName() if widget else ""


# conditions and sums


def test_conditions_come_and_go_and_what_was_typed_stays(form: FormView) -> None:
    assert not form.field("reason").isVisible()
    assert not any(label.text() == "家庭" and label.isVisible() for label in form.findChildren(QLabel))
    form.set_values({"kind": "family"})
    assert form.field("reason").isVisible()
    type_text(editor(form, "reason"), "合伙")
    assert form.values()["reason"] == "合伙"
    form.set_values({"kind": "solo"})
    assert not form.field("reason").isVisible()
    assert "reason" not in form.values()
    form.set_values({"kind": "family"})
    assert form.values()["reason"] == "合伙"


def test_what_vanishes_leaves_no_gap(qtbot: Any, form: FormView) -> None:
    qtbot.waitUntil(lambda: form.field("kind").y() > form.field("home").geometry().bottom())
    high = form.field("kind").y()
    form.set_values({"kind": "family"})
    qtbot.waitUntil(lambda: form.field("kind").y() > high)
    form.set_values({"kind": None})
    qtbot.waitUntil(lambda: form.field("kind").y() == high)


def test_sums_follow_what_is_typed_and_take_no_typing(form: FormView) -> None:
    rows = family(form, {"who": "李四", "price": "10.50", "n": 2})
    assert rows.cell(0, "cost").value() == "21.00"
    assert editor(form, "total").text() == "21.00"
    type_text(rows.cell(0, "price").editor, "0")  # 10.500 is no amount
    assert editor(form, "total").text() == "0.00"
    rows.cell(0, "price").editor.setText("11")
    type_text(rows.cell(0, "price").editor, "1")
    assert editor(form, "total").text() == "222.00"
    form.set_values({"total": "1.00"})
    form.set_read_only(False)
    type_text(editor(form, "total"), "9")
    assert editor(form, "total").text() == "222.00"
    assert "自动计算" in editor(form, "total").accessibleDescription()
    assert form.values()["total"] == "222.00"


def test_an_age_follows_the_birth(form: FormView) -> None:
    type_text(editor(form, "born"), "1990-11-20")
    assert editor(form, "age").text() == "36"
    assert form.values()["age"] == 36


# rows


def test_rows_are_added_deleted_and_brought_back_by_keyboard(qtbot: Any, form: FormView) -> None:
    rows = family(form)
    rows.take_focus()
    press(QApplication.focusWidget(), Qt.Key.Key_Insert)
    assert rows.row_count() == 1
    qtbot.waitUntil(lambda: focused() == "姓名，第 1 行")
    type_text(QApplication.focusWidget(), "李四")
    press(QApplication.focusWidget(), Qt.Key.Key_Return, CONTROL)
    qtbot.waitUntil(lambda: focused() == "姓名，第 2 行")
    type_text(QApplication.focusWidget(), "王五")
    press(QApplication.focusWidget(), Qt.Key.Key_Insert)
    type_text(QApplication.focusWidget(), "赵六")
    assert [row["who"] for row in form.values()["rows"]] == ["李四", "王五", "赵六"]
    press(rows.cell(1, "price").editor, Qt.Key.Key_Delete, CONTROL)
    assert [row["who"] for row in form.values()["rows"]] == ["李四", "赵六"]
    qtbot.waitUntil(lambda: focused() == "姓名，第 2 行")
    undo = next(button for button in rows.findChildren(QPushButton) if button.accessibleName() == "撤销删除")
    assert undo.isVisible()
    undo.click()
    assert [row["who"] for row in form.values()["rows"]] == ["李四", "王五", "赵六"]
    assert not undo.isVisible()


def test_a_row_goes_in_below_the_one_that_has_the_focus(form: FormView) -> None:
    rows = family(form, {"who": "甲"}, {"who": "乙"})
    press(rows.cell(0, "n").editor, Qt.Key.Key_Insert)
    assert [row.get("who") for row in form.values()["rows"]] == ["甲", None, "乙"]


def test_no_more_rows_than_allowed(form: FormView) -> None:
    rows = family(form, *({"who": f"第{n}人"} for n in range(40)))
    assert rows.row_count() == 40
    press(rows.cell(0, "who").editor, Qt.Key.Key_Insert)
    assert rows.row_count() == 40
    assert any(label.text() == "最多 40 行。" and label.isVisible() for label in rows.findChildren(QLabel))


def test_many_rows_are_drawn_in_turns_and_none_is_lost(form: FormView) -> None:
    rows = family(form, *({"who": f"第{n}人"} for n in range(35)))
    assert len(rows.cells()) == 10 * 6
    assert [row["who"] for row in form.values()["rows"]] == [f"第{n}人" for n in range(35)]
    more = next(button for button in rows.findChildren(QPushButton) if "其余 25 行" in button.accessibleName())
    press(rows.cell(0, "who").editor, Qt.Key.Key_Delete, CONTROL)
    assert [row["who"] for row in form.values()["rows"]] == [f"第{n}人" for n in range(1, 35)]
    assert form.show_faults({"rows.30.who": "错了。"}) == {}
    assert rows.cell(30, "who").fault == "错了。"
    assert not more.isVisible()


def test_a_row_that_nobody_filled_is_none(form: FormView) -> None:
    rows = family(form, {"who": "甲"})
    rows.add_row(1)
    assert rows.cell(1, "n").value() == "1"
    assert len(form.values()["rows"]) == 1
    type_text(rows.cell(1, "price").editor, "5")
    assert form.values()["rows"][1] == {"price": "5", "n": 1, "cost": "5.00", "head": False}


def test_a_hidden_cell_keeps_its_place_in_the_grid(form: FormView) -> None:
    rows = family(form, {"who": "甲"}, {"who": "乙", "head": True, "why": "户主"})
    assert not rows.cell(0, "why").isVisible()
    assert rows.cell(1, "why").isVisible()
    rows.cell(1, "head").editor.click()
    assert "why" not in form.values()["rows"][1]
    rows.cell(1, "head").editor.click()
    assert form.values()["rows"][1]["why"] == "户主"


def test_a_grid_becomes_cards_where_it_is_narrow(qtbot: Any, theme: Theme, form: FormView) -> None:
    rows = family(form, {"who": "甲"}, {"who": "乙"})

    def beside() -> bool:
        return rows.cell(0, "who").y() == rows.cell(0, "price").y()

    qtbot.waitUntil(beside)
    form.resize(theme.text_width(26), 1600)
    qtbot.waitUntil(lambda: not beside())
    assert any(label.text() == "第 2 项" and label.isVisible() for label in rows.findChildren(QLabel))
    assert rows.width() <= form.width()
    form.resize(1000, 1600)
    qtbot.waitUntil(beside)


def test_the_least_rows_are_there_from_the_beginning(form: FormView) -> None:
    assert table(form, "staff").row_count() == 1
    assert "staff" not in form.values()
    form.clear()
    assert table(form, "staff").row_count() == 1


def test_a_fault_of_a_cell_takes_the_focus_and_opens_with_its_words(qtbot: Any, form: FormView) -> None:
    rows = family(form, {"who": "甲"}, {"price": "x"})
    form.set_values({"name": "张三", "phone": "13855012345", "staff": [{"name": "李"}], "photos": [PHOTO]})
    faults = validate(FORM, form.values(), TODAY)
    assert list(faults) == ["rows.1.who", "rows.1.price"]
    assert form.show_faults(faults) == {}
    qtbot.waitUntil(lambda: focused() == "姓名，第 2 行")
    assert "请填写姓名" in rows.cell(1, "who").editor.accessibleDescription()
    assert "金额" in rows.cell(1, "price").fault
    form.show_faults({})
    assert rows.cell(1, "who").fault == ""


def test_a_fault_of_what_is_hidden_is_handed_back(form: FormView) -> None:
    assert form.show_faults({"reason": "请填写说明。", "rows.0.who": "请填写。"}) == {
        "reason": "请填写说明。",
        "rows.0.who": "请填写。",
    }


def test_keys_of_an_input_method_add_no_row(form: FormView) -> None:
    rows = family(form, {"who": "甲"})
    line = rows.cell(0, "who").editor
    QApplication.sendEvent(line, QInputMethodEvent("zhang", []))
    press(line, Qt.Key.Key_Return, CONTROL)
    assert rows.row_count() == 1
    press(line, Qt.Key.Key_Delete, CONTROL)
    assert rows.row_count() == 1


def test_a_table_that_can_only_be_read(form: FormView) -> None:
    rows = family(form, {"who": "甲"})
    form.set_read_only(True)
    press(rows.cell(0, "who").editor, Qt.Key.Key_Insert)
    press(rows.cell(0, "who").editor, Qt.Key.Key_Delete, CONTROL)
    assert rows.row_count() == 1
    assert not [button for button in rows.findChildren(QToolButton) if button.isVisible()]
    form.set_read_only(False)
    press(rows.cell(0, "who").editor, Qt.Key.Key_Insert)
    assert rows.row_count() == 2


# leaving a field


def test_a_field_is_judged_when_it_is_left(qtbot: Any, form: FormView) -> None:
    for name in ("phone", "name"):
        editor(form, name).setFocus()
        qtbot.waitUntil(editor(form, name).hasFocus)
    assert form.field("phone").fault == "", "nobody touched it"
    editor(form, "phone").setFocus()
    type_text(editor(form, "phone"), "138")
    assert form.field("phone").fault == ""
    editor(form, "name").setFocus()
    qtbot.waitUntil(lambda: "手机号码应为 11 位" in form.field("phone").fault)
    editor(form, "phone").setFocus()
    editor(form, "phone").clear()
    editor(form, "name").setFocus()
    qtbot.waitUntil(lambda: form.field("phone").fault == "请填写电话。")


def test_a_cell_is_judged_when_it_is_left(qtbot: Any, form: FormView) -> None:
    rows = family(form, {"who": "甲"})
    rows.cell(0, "price").take_focus()
    type_text(rows.cell(0, "price").editor, "很多")
    rows.cell(0, "n").take_focus()
    qtbot.waitUntil(lambda: "金额" in rows.cell(0, "price").fault)
    assert rows.cell(0, "who").fault == ""


def test_enter_passes_over_what_is_computed(qtbot: Any, form: FormView) -> None:
    born = editor(form, "born")
    born.setFocus()
    qtbot.waitUntil(born.hasFocus)
    press(born, Qt.Key.Key_Return)
    assert editor(form, "phone").hasFocus()


def test_what_is_being_composed_is_left_alone(form: FormView) -> None:
    QApplication.sendEvent(editor(form, "name"), QInputMethodEvent("zhang", []))
    form.set_values({"name": "李四", "phone": "13855012345"}, {"name": "card", "phone": "card"})
    assert form.sources() == {"phone": "card"}
    done = QInputMethodEvent("", [])
    done.setCommitString("张")
    QApplication.sendEvent(editor(form, "name"), done)
    assert form.values()["name"] == "张"


# offers


def test_an_offer_is_taken_by_a_key_and_remembers_its_source(form: FormView) -> None:
    form.offer([Known("phone", "13855012345", "2026-10-03 办件")])
    chip = form.field("phone").findChild(OfferChip)
    assert chip.isVisible()
    assert chip.accessibleName() == "用 13855012345（2026-10-03 办件）"
    assert "Alt+↓" in editor(form, "phone").accessibleDescription()
    assert "phone" not in form.values(), "offered, not forced"
    heard: list[str] = []
    form.edited.connect(heard.append)
    press(editor(form, "phone"), Qt.Key.Key_Down, ALT)
    assert heard == ["phone"]
    assert form.values()["phone"] == "13855012345"
    assert form.sources() == {"phone": "2026-10-03 办件"}
    assert any(label.text() == "来自 2026-10-03 办件" for label in form.field("phone").findChildren(QLabel))
    assert not chip.isVisible()
    type_text(editor(form, "phone"), "9")
    assert form.sources() == {}
    assert chip.isVisible(), "it may be taken again"


def test_an_offer_is_taken_by_a_click_and_never_shown_for_what_stands_there(form: FormView) -> None:
    form.set_values({"phone": "13855012345"})
    form.offer([Known("phone", "138 5501 2345", "人员库"), Known("born", "19900102", "人员库")])
    assert not form.field("phone").findChild(OfferChip).isVisible()
    form.field("born").findChild(OfferChip).click()
    assert editor(form, "born").text() == "1990-01-02"
    assert editor(form, "age").text() == "36"
    form.offer([])
    form.clear()
    assert not form.field("born").findChild(OfferChip).isVisible()


def test_several_offers_ask_which(qtbot: Any, form: FormView) -> None:
    form.offer([Known("phone", "13855012345", "2026-10-03 办件"), Known("phone", "0550-3021234", "人员库")])
    press(editor(form, "phone"), Qt.Key.Key_Down, ALT)
    menu = QApplication.activePopupWidget()
    assert menu
    assert [action.text() for action in menu.actions()] == ["13855012345（2026-10-03 办件）", "0550-3021234（人员库）"]
    menu.actions()[1].trigger()
    menu.close()
    assert form.values()["phone"] == "0550-3021234"


def test_nothing_is_offered_to_who_can_only_read(form: FormView) -> None:
    form.offer([Known("phone", "13855012345", "人员库")])
    form.set_read_only(True)
    press(editor(form, "phone"), Qt.Key.Key_Down, ALT)
    assert "phone" not in form.values()


# regions


def test_a_region_is_found_by_initials_and_taken_by_keys(qtbot: Any, form: FormView) -> None:
    line = editor(form, "home")
    assert isinstance(line, RegionEdit)
    line.setFocus()
    qtbot.waitUntil(line.hasFocus)
    type_text(line, "lyq")
    assert "341102" in line.offered()
    for _ in range(line.offered().index("341102")):
        press(line, Qt.Key.Key_Down)
    press(line, Qt.Key.Key_Return)
    assert line.offered() == []
    assert line.text() == "安徽省滁州市琅琊区"
    assert form.values()["home"] == "341102"
    type_text(line, "x")
    assert form.values()["home"] == "安徽省滁州市琅琊区x"
    press(line, Qt.Key.Key_Escape)
    assert line.offered() == []


def test_a_whole_name_or_a_code_needs_no_choice(qtbot: Any, form: FormView) -> None:
    for typed in ("滁州市琅琊区", "341102"):
        line = editor(form, "home")
        line.clear()
        line.setFocus()
        type_text(line, typed)
        editor(form, "name").setFocus()
        qtbot.waitUntil(lambda line=line: line.text() == "安徽省滁州市琅琊区")
        assert line.offered() == []
        assert form.values()["home"] == "341102"


def test_an_abolished_region_is_said_and_kept(form: FormView) -> None:
    form.set_values({"home": "422201"})
    assert editor(form, "home").text() == "湖北省孝感地区孝感市"
    assert "已撤销的区划" in editor(form, "home").accessibleDescription()
    assert form.values()["home"] == "422201"
    form.set_values({"home": "341102"})
    assert "已撤销" not in editor(form, "home").accessibleDescription()


# attachments


def test_attachments_are_asked_for_added_deleted_and_brought_back(form: FormView) -> None:
    field = form.field("photos")
    assert isinstance(field, AttachmentField)
    asked: list[str] = []
    form.attach.connect(asked.append)
    buttons = {button.accessibleName(): button for button in field.findChildren(QPushButton)}
    buttons["添加附件"].click()
    assert asked == ["photos"]
    assert field.add(PHOTO)
    assert not field.add(PHOTO), "the same once"
    assert field.add({**PHOTO, "sha256": "cd" * 32, "name": ""})
    assert not field.add({**PHOTO, "sha256": "ef" * 32}), "two at most"
    assert form.values()["photos"][0] == PHOTO
    trash = next(each for each in field.findChildren(QToolButton) if each.accessibleName() == "删除门头.jpg")
    trash.click()
    assert len(form.values()["photos"]) == 1
    buttons["撤销删除"].click()
    assert form.values()["photos"][0] == PHOTO
    form.set_read_only(True)
    assert not buttons["添加附件"].isVisible()


# for everybody


@pytest.mark.parametrize("palette", ["light", "dark", "contrast"])
@pytest.mark.parametrize("zoom", [1.0, 1.5])
@pytest.mark.parametrize("width", [28, 60, 90])
def test_all_of_it_is_named_large_enough_and_whole(
    qtbot: Any, theme: Theme, palette: str, zoom: float, width: int
) -> None:
    theme.apply(palette, zoom)
    form = FormView(FORM, today=lambda: TODAY)
    qtbot.addWidget(form)
    form.set_values(
        {"kind": "family", "home": "422201", "born": "1990-01-02", "photos": [PHOTO],
         "rows": [{"who": "甲", "price": "1"}, {"who": "乙", "head": True}], "staff": [{"name": "丙"}]}
    )  # fmt: skip
    form.offer([Known("phone", "13855012345", "2026-10-03 办件")])
    form.show_faults({"rows.0.price": "金额应为数字，最多两位小数，如 50000 或 1280.50。", "name": "请填写姓名。"})
    form.resize(theme.text_width(width), theme.text_width(200 if width < 40 else 80))
    form.show()
    QApplication.processEvents()
    walk = Walk(form)
    assert walk.nameless() == walk.clipped() == walk.out_of_order() == []
    assert walk.small(theme.size("target")) == []


def test_tab_goes_through_a_table_row_by_row(form: FormView) -> None:
    rows = family(form, {"who": "甲"}, {"who": "丙"})
    rows.add_row(1, {"who": "乙"})
    stops = [widget.accessibleName() for widget in Walk(rows).focusable()]
    cells = [name for name in stops if "，第" in name]
    assert cells == [f"{title}，第 {row} 行" for row in (1, 2, 3) for title in ("姓名", "出资", "份数", "小计", "户主")]
    assert stops.index("添加一行") > stops.index(cells[-1])


def test_a_form_grows_with_the_zoom_while_it_is_shown(qtbot: Any, theme: Theme, form: FormView) -> None:
    rows = family(form, {"who": "甲"})
    form.offer([Known("phone", "13855012345", "人员库")])
    chip = form.field("phone").findChild(OfferChip)
    small = (chip.sizeHint().height(), rows.cell(0, "who").editor.sizeHint().height())
    theme.apply("dark", 1.5)
    assert chip.sizeHint().height() > small[0]
    assert rows.cell(0, "who").editor.sizeHint().height() > small[1]
    theme.apply("light")
    assert (chip.sizeHint().height(), rows.cell(0, "who").editor.sizeHint().height()) == small
