"""Forms: what they may be, what is meant by what is typed, and what is said of faults."""

from __future__ import annotations

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.acceptance.domain.cases import APPLICANT_FORM
from modules.common import forms
from modules.common.errors import GovDeskError
from tests.support.fake_host import ITEMS

FORM: dict[str, Any] = {
    "schema": {
        "type": "object",
        "properties": {
            "name": {"title": "姓名", "type": "string", "maxLength": 5},
            "number": {"title": "身份号码", "type": "string", "format": "resident-id"},
            "phone": {"title": "电话", "type": "string", "format": "phone"},
            "code": {"title": "信用代码", "type": "string", "format": "credit-code"},
            "day": {"title": "日期", "type": "string", "format": "date"},
            "sum": {"title": "金额", "type": "string", "format": "amount"},
            "count": {"title": "人数", "type": "integer", "minimum": 1, "maximum": 9, "default": 1},
            "kind": {"title": "类别", "type": "string", "enum": ["a", "b"], "x-labels": ["甲", "乙"]},
            "why": {"title": "原因", "type": "string", "minLength": 2},
            "yes": {"title": "同意", "type": "boolean"},
            "post": {"title": "邮编", "type": "string", "pattern": "^[0-9]{6}$", "description": "6 位数字"},
        },
        "required": ["name"],
        "dependentRequired": {"code": ["phone"]},
        "allOf": [
            {"if": {"properties": {"kind": {"const": "b"}}, "required": ["kind"]}, "then": {"required": ["why"]}}
        ],
    },
    "layout": [
        {"title": "一", "fields": ["name", "number", "phone", "code", "day"]},
        {"title": "二", "fields": ["sum", "count", "kind", "why", "yes", "post"]},
    ],
    "fills": {"name": "card.name", "number": "card.id_number", "day": "applicant.birth"},
}


def test_the_forms_that_we_ship_are_forms() -> None:
    forms.check_form(FORM)
    forms.check_form(APPLICANT_FORM)
    for path in sorted(Path(ITEMS).glob("*.json")):
        forms.check_form(json.loads(path.read_text("utf-8"))["form"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), None),
        (("schema", "type"), "array"),
        (("schema", "type"), 5),
        (("schema", "properties"), []),
        (("schema", "anyOf"), [{}]),
        (("schema", "properties", "name"), {"type": "string"}),
        (("schema", "properties", "name", "type"), "object"),
        (("schema", "properties", "name", "minLenght"), 3),
        (("schema", "properties", "name", "format"), "e-mail"),
        (("schema", "properties", "kind", "x-labels"), ["甲"]),
        (("schema", "properties", "name", "x-labels"), ["甲"]),
        (("layout",), None),
        (("layout",), [{"title": "一", "fields": ["name"]}]),
        (("layout", 0), {"fields": []}),
        (("layout", 0, "fields", 0), "phone"),
        (("fills",), []),
        (("fills", "name"), "card"),
        (("fills", "nobody"), "card.name"),
    ],
)
def test_what_is_no_form_is_refused_with_its_place(path: tuple[Any, ...], value: Any) -> None:
    broken = copy.deepcopy(FORM)
    place: Any = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(GovDeskError, match="FORM-900"):
        forms.validate(broken, {"name": "李"})


GOOD = {"name": "李晓明", "number": "11010519491231002X", "count": 2}


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"name": ""}, "name", "请填写姓名"),
        ({"name": "  "}, "name", "请填写姓名"),
        ({"name": "阿卜杜拉江买"}, "name", "最多 5 个字，现为 6 个字"),
        ({"name": 5}, "name", "应为文字"),
        ({"number": "110105194912310021"}, "number", "录颠倒了。（ID-004）"),
        ({"phone": "138"}, "phone", "手机号码应为 11 位"),
        ({"code": "91350100M000100Y44", "phone": "13855012345"}, "code", "末位应为 3"),
        ({"code": "91350100M000100Y43"}, "phone", "请填写电话"),
        ({"day": "2026-02-30"}, "day", "不是存在的日期"),
        ({"sum": "1,2.345"}, "sum", "金额应为数字"),
        ({"count": "二"}, "count", "应为整数"),
        ({"count": "0"}, "count", "不能小于 1"),
        ({"count": 10}, "count", "不能大于 9"),
        ({"count": True}, "count", "应为整数"),
        ({"kind": "c"}, "kind", "请从列出的选项中选择"),
        ({"kind": "b"}, "why", "请填写原因"),
        ({"why": "急"}, "why", "至少 2 个字"),
        ({"why": "长" * 501}, "why", "最多 500 个字，现为 501 个字"),
        ({"yes": "是"}, "yes", "应选择是或否"),
        ({"post": "23x"}, "post", "格式不对。6 位数字"),
        ({"stranger": "x"}, "stranger", "表单中没有这一栏"),
    ],
)
def test_each_fault_is_said_at_its_field(changes: dict[str, Any], field: str, words: str) -> None:
    faults = forms.validate(FORM, {**GOOD, **changes}, date(2026, 11, 20))
    assert list(faults) == [field]
    assert words in faults[field]


def test_no_fault_no_words() -> None:
    assert forms.validate(FORM, GOOD) == {}


def test_faults_come_in_the_order_of_filling() -> None:
    faults = forms.validate(FORM, {"post": "x", "sum": "x", "phone": "x"})
    assert list(faults) == ["name", "phone", "sum", "post"]


@pytest.mark.parametrize("nonsense", [None, [], "x", 3, {1: "x"}, [["name", "x"]]])
def test_nonsense_is_refused_in_words(nonsense: Any) -> None:
    assert "name" in forms.validate(FORM, nonsense)


@pytest.mark.parametrize(
    ("field", "typed", "meant"),
    [
        ("name", " 李晓明 ", "李晓明"),
        ("number", "１１０１０５１９４９１２３１００２x", "11010519491231002X"),
        ("phone", "138 5501 2345", "13855012345"),
        ("phone", "+86-138 5501 2345", "13855012345"),
        ("day", "2026年1月5日", "2026-01-05"),
        ("day", "20260105", "2026-01-05"),
        ("day", "2026/1/5", "2026-01-05"),
        ("day", "2026-02-30", "2026-02-30"),
        ("sum", "5,000.50元", "5000.50"),
        ("count", "３", 3),
        ("count", "三", "三"),
    ],
)
def test_what_is_typed_is_understood(field: str, typed: str, meant: Any) -> None:
    assert forms.clean(FORM, {field: typed}) == {field: meant}


def test_what_is_empty_is_left_out() -> None:
    assert forms.clean(FORM, {"name": " ", "number": "", "kind": None, "yes": False}) == {"yes": False}


def test_values_are_shown_in_words() -> None:
    properties = FORM["schema"]["properties"]
    wanted = {"kind": ("b", "乙"), "yes": (True, "是"), "count": (3, "3"), "name": (None, "")}
    assert all(forms.shown(properties[name], value) == words for name, (value, words) in wanted.items())


def test_fills_tell_where_a_value_came_from() -> None:
    values, origin = forms.fill(FORM, {"card": {"name": "李晓明", "id_number": ""}, "applicant": {"birth": "19491231"}})
    assert values == {"name": "李晓明", "day": "1949-12-31"}
    assert origin == {"name": "card", "day": "applicant"}


def test_an_untouched_form_holds_its_defaults() -> None:
    assert forms.blank(FORM) == {"count": 1}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*FORM["schema"]["properties"], "x"]), json_values, max_size=6))
def test_no_value_breaks_validation_and_cleaning_settles(values: dict[str, Any]) -> None:
    faults = forms.validate(FORM, values)
    assert all(isinstance(words, str) and words for words in faults.values())
    once = forms.clean(FORM, values)
    assert forms.clean(FORM, once) == once
    assert forms.validate(FORM, once) == faults
