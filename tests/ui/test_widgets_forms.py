from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from PySide6.QtCore import QDate, Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import (
    QApplication,
    QCalendarWidget,
    QCheckBox,
    QLabel,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from client.widgets.basics import ComboBox, LineEdit, TextEdit
from client.widgets.forms import DateEdit, FormView, iso_date
from client.widgets.theme import Theme
from modules.common.forms import validate
from tests.support.a11y import Walk, type_text

FORM: dict[str, Any] = {
    "schema": {
        "type": "object",
        "properties": {
            "name": {"title": "姓名", "type": "string"},
            "id_number": {"title": "身份证号码", "type": "string", "format": "resident-id"},
            "sex": {"title": "性别", "type": "string", "enum": ["m", "f"], "x-labels": ["男", "女"]},
            "born": {"title": "出生日期", "type": "string", "format": "date"},
            "phone": {"title": "手机号码", "type": "string", "format": "phone", "description": "用于接收短信"},
            "capital": {"title": "资金数额", "type": "string", "format": "amount"},
            "people": {"title": "从业人数", "type": "integer", "default": 1},
            "kind": {
                "title": "组成形式",
                "type": "string",
                "enum": ["a", "b", "c", "d"],
                "x-labels": ["个人经营", "家庭经营", "合伙", "其他"],
            },
            "agreed": {"title": "R&D 已告知", "type": "boolean"},
            "scope": {"title": "经营范围", "type": "string", "x-lines": 3},
        },
        "required": ["name", "phone"],
    },
    "layout": [
        {"title": "经营者", "fields": ["name", "id_number", "sex", "born", "phone"]},
        {"title": "经营", "fields": ["capital", "people", "kind", "agreed", "scope"]},
    ],
    "fills": {"name": "card.name"},
}


@pytest.fixture
def form(qtbot: Any) -> FormView:
    form = FormView(FORM)
    qtbot.addWidget(form)
    form.resize(900, 700)
    form.show()
    form.activateWindow()
    qtbot.waitUntil(form.isActiveWindow)
    return form


def editor(form: FormView, name: str) -> Any:
    return form.field(name).editor


def test_each_field_is_what_its_schema_asks_for(form: FormView) -> None:
    kinds = {name: type(editor(form, name)) for name in FORM["schema"]["properties"]}
    assert kinds["name"] is kinds["id_number"] is kinds["capital"] is kinds["people"] is LineEdit
    assert kinds["born"] is DateEdit
    assert kinds["scope"] is TextEdit
    assert kinds["kind"] is ComboBox
    assert kinds["agreed"] is QCheckBox
    assert [radio.text() for radio in editor(form, "sex").findChildren(QRadioButton)] == ["男", "女"]


def test_an_untouched_form_has_its_defaults_alone(form: FormView) -> None:
    assert form.values() == {"people": 1, "agreed": False}


def test_typed_text_becomes_what_was_meant(qtbot: Any, form: FormView) -> None:
    typed = {"name": "张三 ", "id_number": "11010519491231002x", "born": "20261120", "phone": "13812345678",
             "capital": "50000.50", "people": "3"}  # fmt: skip
    for name, text in typed.items():
        editor(form, name).clear()
        type_text(editor(form, name), text)
    type_text(editor(form, "scope"), "食品\n餐饮")
    editor(form, "sex").findChildren(QRadioButton)[1].click()
    editor(form, "agreed").click()
    combo = editor(form, "kind")
    combo.setFocus()
    qtbot.keyClick(combo, Qt.Key.Key_Down)
    assert form.values() == {
        "name": "张三",
        "id_number": "11010519491231002X",
        "sex": "f",
        "born": "2026-11-20",
        "phone": "13812345678",
        "capital": "50000.50",
        "people": 3,
        "kind": "a",
        "agreed": True,
        "scope": "食品\n餐饮",
    }
    assert validate(FORM, form.values()) == {}


def test_what_cannot_be_understood_is_kept_for_the_rules_to_name(qtbot: Any, form: FormView) -> None:
    for name, text in {"people": "三", "born": "2026-02-30", "capital": "很多"}.items():
        editor(form, name).clear()
        type_text(editor(form, name), text)
    values = form.values()
    assert (values["people"], values["born"], values["capital"]) == ("三", "2026-02-30", "很多")
    assert {"people", "born", "capital"} <= set(validate(FORM, values))


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("20261120", "2026-11-20"),
        ("2026年1月2日", "2026-01-02"),
        ("2026/1/2", "2026-01-02"),
        ("昨天", "昨天"),
        ("", ""),
    ],
)
def test_a_date_is_shown_as_iso_when_it_is_left(qtbot: Any, form: FormView, typed: str, shown: str) -> None:
    assert iso_date(typed) == shown
    born = editor(form, "born")
    born.setFocus()
    qtbot.waitUntil(born.hasFocus)
    type_text(born, typed)
    qtbot.keyClick(born, Qt.Key.Key_Tab)
    assert born.text() == shown


def test_a_date_can_be_picked_by_keyboard(qtbot: Any, form: FormView) -> None:
    born = editor(form, "born")
    born.setText("2026-11-20")
    qtbot.keyClick(born, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    calendar = born.findChild(QCalendarWidget)
    assert calendar.selectedDate() == QDate(2026, 11, 20)
    with qtbot.waitSignal(form.edited):
        calendar.activated.emit(QDate(2026, 11, 23))
    assert form.values()["born"] == "2026-11-23"
    form.set_read_only(True)
    qtbot.keyClick(born, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    QApplication.processEvents()
    assert not [menu for menu in born.findChildren(QCalendarWidget) if menu.isVisible()]


def test_values_survive_being_shown_and_read_again(form: FormView) -> None:
    values = {"name": "欧阳䶮", "sex": "m", "born": "1990-01-02", "phone": "13812345678", "capital": "0.10",
              "people": 0, "kind": "d", "agreed": True, "scope": "一\n二"}  # fmt: skip
    form.set_values(values)
    assert form.values() == values
    form.set_values({"name": "李四"})
    assert form.values() == {**values, "name": "李四"}
    form.clear()
    assert form.values() == {"people": 1, "agreed": False}


def test_only_people_edit(qtbot: Any, form: FormView) -> None:
    heard: list[str] = []
    form.edited.connect(heard.append)
    form.set_values({"name": "张三", "sex": "m", "kind": "a", "agreed": True, "scope": "一", "born": "2026-01-01"})
    form.clear()
    assert heard == []
    type_text(editor(form, "name"), "ab")
    editor(form, "sex").findChildren(QRadioButton)[0].click()
    editor(form, "agreed").click()
    type_text(editor(form, "scope"), "c")
    assert heard == ["name", "name", "sex", "agreed", "scope"]


@pytest.mark.parametrize("name", ["name", "scope"])
def test_what_is_still_composed_is_not_edited(form: FormView, name: str) -> None:
    heard: list[str] = []
    form.edited.connect(heard.append)
    QApplication.sendEvent(editor(form, name), QInputMethodEvent("zhang", []))
    assert heard == []
    assert name not in form.values()
    done = QInputMethodEvent("", [])
    done.setCommitString("张")
    QApplication.sendEvent(editor(form, name), done)
    assert heard == [name]
    assert form.values()[name] == "张"


def test_a_source_is_named_until_its_value_is_changed(qtbot: Any, form: FormView) -> None:
    form.set_values({"name": "张三", "phone": "13812345678"}, {"name": "card"})
    assert form.sources() == {"name": "card"}
    assert "来自身份证" in editor(form, "name").accessibleDescription()
    assert [label.text() for label in form.field("name").findChildren(QLabel) if label.isVisible()] == [
        "姓名", "*", "来自身份证",
    ]  # fmt: skip
    type_text(editor(form, "name"), "丰")
    assert form.sources() == {}


def test_faults_are_said_at_their_fields_and_the_first_takes_the_focus(qtbot: Any, form: FormView) -> None:
    left = form.show_faults({"scope": "请填写经营范围。", "phone": "应为 11 位。", "elsewhere": "不在这里。"})
    assert left == {"elsewhere": "不在这里。"}
    phone = editor(form, "phone")
    qtbot.waitUntil(phone.hasFocus)
    assert "应为 11 位。" in phone.accessibleDescription()
    assert "必填" in phone.accessibleDescription()
    assert phone.property("fault") is True
    assert any(label.text() == "应为 11 位。" and label.isVisible() for label in form.findChildren(QLabel))
    type_text(phone, "1")
    assert form.field("phone").fault == ""
    assert form.field("scope").fault == "请填写经营范围。"
    form.show_faults({})
    assert form.field("scope").fault == ""
    assert editor(form, "scope").property("fault") is False


def test_the_first_fault_scrolls_into_view(qtbot: Any) -> None:
    area = QScrollArea()
    area.setWidgetResizable(True)
    form = FormView(FORM)
    area.setWidget(form)
    qtbot.addWidget(area)
    area.resize(400, 200)
    area.show()
    area.verticalScrollBar().setValue(0)
    form.show_faults({"scope": "请填写经营范围。"})
    assert area.verticalScrollBar().value() > 0
    assert not form.field("scope").visibleRegion().isEmpty()


def test_a_form_that_can_only_be_read_takes_nothing(qtbot: Any, form: FormView) -> None:
    form.set_values({"name": "张三", "sex": "m"})
    form.set_read_only(True)
    type_text(editor(form, "name"), "丰")
    editor(form, "sex").findChildren(QRadioButton)[1].click()
    assert form.values()["name"] == "张三"
    assert form.values()["sex"] == "m"
    form.set_read_only(False)
    type_text(editor(form, "name"), "丰")
    assert form.values()["name"] == "张三丰"


def test_enter_goes_on_to_the_next_field(qtbot: Any, form: FormView) -> None:
    name = editor(form, "name")
    name.setFocus()
    qtbot.waitUntil(name.hasFocus)
    qtbot.keyClick(name, Qt.Key.Key_Return)
    assert editor(form, "id_number").hasFocus()


def test_labels_name_their_fields_without_mnemonics(form: FormView) -> None:
    assert editor(form, "name").accessibleName() == "姓名"
    assert editor(form, "agreed").accessibleName() == "R&D 已告知"
    buddies = {label.buddy(): label.text() for label in form.findChildren(QLabel) if label.buddy()}
    assert buddies[editor(form, "phone")] == "手机号码"


def test_two_columns_where_there_is_room(qtbot: Any, theme: Theme, form: FormView) -> None:
    def beside() -> bool:
        return form.field("name").y() == form.field("id_number").y()

    form.resize(theme.text_width(50), 700)
    qtbot.waitUntil(beside)
    form.resize(theme.text_width(30), 1600)
    qtbot.waitUntil(lambda: not beside())
    fields = [form.field(name) for name in FORM["schema"]["properties"]]
    assert {field.width() for field in fields} == {form.width()}
    gaps = [below.y() - above.geometry().bottom() for above, below in pairwise(fields)]
    assert max(gaps) < theme.space(16), "room that is left goes below the form, not into it"


@pytest.mark.parametrize("palette", ["light", "dark", "contrast"])
@pytest.mark.parametrize("zoom", [1.0, 1.5, 2.0])
def test_a_form_is_named_large_enough_and_whole(qtbot: Any, theme: Theme, palette: str, zoom: float) -> None:
    theme.apply(palette, zoom)
    form = FormView(FORM)
    form.show_faults({"name": "请填写姓名。", "phone": "手机号码应为 11 位数字，现为 5 位。请核对后重新填写。"})
    form.set_values({"id_number": "11010519491231002X"}, {"id_number": "card"})
    form.resize(theme.text_width(50), theme.text_width(60))
    qtbot.addWidget(form)
    form.show()
    walk = Walk(form)
    assert walk.nameless() == walk.clipped() == walk.out_of_order() == []
    assert walk.small(theme.size("target")) == []
    assert len(walk.focusable()) == 11


def test_the_order_of_tab_is_the_order_of_the_layout(form: FormView) -> None:
    order = [name for group in FORM["layout"] for name in group["fields"]]
    fields = [form.field(name) for name in order]

    def owner(widget: QWidget) -> int:
        return next(number for number, field in enumerate(fields) if field.isAncestorOf(widget))

    visited = [owner(widget) for widget in Walk(form).focusable()]
    assert visited == sorted(visited)


def test_a_form_that_loses_a_column_gets_the_height_that_it_then_needs(qtbot: Any) -> None:
    form = {
        "schema": {
            "type": "object",
            "properties": {f"f{n}": {"title": f"第{n}栏", "type": "string"} for n in range(9)},
        },
        "layout": [{"title": "", "fields": [f"f{n}" for n in range(9)]}],
    }
    view, holder, area = FormView(form), QWidget(), QScrollArea()
    column = QVBoxLayout(holder)
    column.addWidget(view)
    column.addStretch(1)
    area.setWidgetResizable(True)
    area.setWidget(holder)
    qtbot.addWidget(area)
    area.resize(1300, 400)
    area.show()
    area.resize(800, 400)
    qtbot.waitUntil(lambda: view.height() >= view.minimumSizeHint().height())
    assert all(view.field(f"f{n}").height() >= view.field(f"f{n}").minimumSizeHint().height() for n in range(9))
