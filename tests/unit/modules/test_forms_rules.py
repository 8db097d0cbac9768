"""Rows, conditions, computed fields, attachments, offers: settled alike on both sides."""

from __future__ import annotations

import copy
import random
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common import forms
from modules.common.errors import GovDeskError
from modules.common.forms.expressions import Scope, parse

TODAY = date(2026, 11, 20)
FORM: dict[str, Any] = {
    "schema": {
        "type": "object",
        "properties": {
            "kind": {"title": "类别", "type": "string", "enum": ["solo", "family"], "default": "solo"},
            "count": {"title": "人数", "type": "integer", "x-when": {"field": "kind", "equals": "family"}},
            "why": {"title": "原因", "type": "string", "x-when": {"field": "count", "in": [3, 4]}},
            "agent": {"title": "代办", "type": "boolean"},
            "agent_name": {"title": "代办人", "type": "string"},
            "born": {"title": "出生", "type": "string", "format": "date"},
            "age": {"title": "年龄", "type": "integer", "maximum": 120, "x-compute": "age(born)"},
            "rows": {
                "title": "明细",
                "type": "array",
                "maxItems": 30,
                "x-table": True,
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"title": "名称", "type": "string", "maxLength": 10},
                        "price": {"title": "单价", "type": "string", "format": "amount"},
                        "n": {"title": "数量", "type": "integer", "minimum": 1, "default": 1},
                        "cost": {"title": "小计", "type": "string", "format": "amount", "x-compute": "price * n"},
                        "note": {"title": "说明", "type": "string", "x-when": {"field": "n", "in": [2]}},
                        "share": {"title": "占比", "type": "number", "x-compute": "round(cost / total * 100, 1)"},
                    },
                    "required": ["name", "note"],
                },
            },
            "total": {"title": "合计", "type": "string", "format": "amount", "x-compute": "sum(rows.cost)"},
            "words": {"title": "大写", "type": "string", "x-compute": "capitals(total)"},
            "photos": {"title": "照片", "type": "array", "format": "attachment", "minItems": 1, "maxItems": 2,
                       "x-when": {"field": "agent", "equals": True}},
        },
        "required": ["kind", "count", "why", "agent_name"],
    },
    "layout": [
        {"title": "一", "fields": ["kind", "count", "why", "agent"]},
        {"title": "代办", "fields": ["agent_name"], "x-when": [{"field": "agent", "equals": True}]},
        {"title": "二", "fields": ["born", "age", "rows", "total", "words", "photos"]},
    ],
    "offers": {"agent_name": "person.agent"},
    "fills": {"born": "card.birth"},
}  # fmt: skip
PHOTO = {"sha256": "ab" * 32, "size": 10, "type": "image/jpeg"}


def change(*path: Any, to: Any) -> dict[str, Any]:
    changed = copy.deepcopy(FORM)
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return changed


def prop(name: str, **keys: Any) -> dict[str, Any]:
    """The form with more keys at one property, ``rows.price`` for a column."""
    table, _, column = name.partition(".")
    path = ["schema", "properties", table]
    path += ["items", "properties", column] if column else []
    changed = copy.deepcopy(FORM)
    place: Any = changed
    for step in path:
        place = place[step]
    place.update(keys)
    return changed


def test_the_form_is_one() -> None:
    forms.check_form(FORM)


@pytest.mark.parametrize(
    ("form", "place"),
    [
        (prop("count", **{"x-when": {"field": "nobody", "equals": 1}}), "count.x-when: nobody"),
        (prop("count", **{"x-when": {"field": "kind", "equals": "other"}}), "count.x-when: kind"),
        (prop("count", **{"x-when": {"field": "kind"}}), "count.x-when"),
        (prop("count", **{"x-when": {"field": "kind", "equals": "solo", "in": ["solo"]}}), "count.x-when"),
        (prop("count", **{"x-when": "kind"}), "count.x-when"),
        (prop("why", **{"x-when": {"field": "count", "equals": True}}), "why.x-when: count"),
        (prop("why", **{"x-when": {"field": "rows", "equals": 1}}), "why.x-when: rows"),
        (prop("rows", items={"type": "object"}), "rows.items.properties"),
        (prop("rows", items={"type": "string"}), "rows.items"),
        (prop("rows", maxItems=201), "minItems/maxItems ≤ 200"),
        (prop("rows", minItems=31), "minItems/maxItems"),
        (prop("rows", minItems="1"), "rows"),
        (prop("photos", maxItems=51), "minItems/maxItems ≤ 50"),
        (prop("photos", items={"type": "object"}), "photos.items"),
        (prop("rows.name", type="array"), "rows.name.type"),
        (prop("rows.name", colour="red"), "rows.name: colour"),
        (prop("total", default="1.00"), "total.default"),
        (prop("count", default="1"), "count.default"),
        (prop("count", format="amount"), "count.format"),
        (prop("agent_name", pattern="("), "agent_name.pattern"),
        (prop("agent_name", **{"x-kind": "kind"}), "agent_name.x-kind"),
        (prop("agent_name", format="id-number"), "agent_name.x-kind"),
        (prop("agent_name", format="id-number", **{"x-kind": "nobody"}), "x-kind: nobody"),
        (change("schema", "required", to=["total"]), "required: total"),
        (change("schema", "required", to=["nobody"]), "required: nobody"),
        (change("layout", 1, "x-when", to={"field": "nobody", "filled": True}), "layout.1.x-when"),
        (change("layout", 1, "columns", to=2), "layout.1"),
        (change("layout", 1, "fields", to=["agent_name", "agent_name"]), "layout"),
        (change("offers", "rows", to="person.rows"), "offers.rows"),
        (change("fills", "total", to="card.total"), "fills.total"),
        (change("schema", "allOf", to=[{"$ref": "https://example.org"}]), "$ref"),
        (change("schema", "properties", "a b", to={"title": "x", "type": "string"}), "properties.a b"),
    ],
)
def test_what_is_malformed_is_named(form: dict[str, Any], place: str) -> None:
    with pytest.raises(GovDeskError) as told:
        forms.check_form(form)
    assert told.value.code == "FORM-900"
    assert place in told.value.message


@pytest.mark.parametrize(
    ("form", "circle"),
    [
        (prop("kind", **{"x-when": {"field": "why", "filled": True}}), {"kind", "count", "why"}),
        (prop("rows.price", **{"x-when": {"field": "total", "filled": True}}), {"total", "rows.cost", "rows.price"}),
        (prop("total", **{"x-compute": "total + 1"}), {"total"}),
        (prop("total", **{"x-compute": "sum(rows.share)"}), {"total", "rows.share"}),
    ],
)
def test_a_circle_is_said_with_its_fields(form: dict[str, Any], circle: set[str]) -> None:
    with pytest.raises(GovDeskError) as told:
        forms.check_form(form)
    assert told.value.code == "FORM-901"
    assert circle <= set(told.value.message.split("：")[-1].split(" → "))


@pytest.mark.parametrize(
    "expression",
    ["", "1 +", "(1", "1)", "nobody", "sum()", "sum(rows)", "sum(rows.nobody)", "sum(kind.name)", "rows.price", "rows",
     "count * ", "age()", "age(born, born)", "eval('1')", "__import__('os')", "kind.upper()", "1 ** 9", "a[0]", "x = 1",
     "lambda: 1", "1 if kind else 2", "sum(x for x in rows)", "count(rows.price * 2)", "'a" , "1;2", "9" * 501,
     "(" * 21 + "1" + ")" * 21, "-" * 30 + "1", "not " * 25 + "agent", 5, None],
)  # fmt: skip
def test_what_is_no_expression_is_said_as_such(expression: Any) -> None:
    with pytest.raises(GovDeskError) as told:
        forms.check_form(prop("words", **{"x-compute": expression}))
    assert told.value.code == "FORM-902"
    assert "words" in told.value.message


def work_out(text: str, **values: Any) -> Any:
    known = {name: Decimal(str(value)) if type(value) in (int, float) else value for name, value in values.items()}
    scope = Scope(known.get, lambda table, column: [Decimal(1), None, Decimal("2.5")], lambda table: 3, TODAY)
    return parse(text, lambda name: name == "t").run(scope)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("7 - 2 - 1", 4), ("8 / 2 / 2", 2), ("-2 * -3", 6), ("0.1 + 0.2", "0.3"),
        ("1 / 0", None), ("a + 1", None), ("sum(a, 1)", 1), ("sum(t.x)", "3.5"), ("sum(t.x, 1)", "4.5"),
        ("count(t.x)", 2), ("count(t)", 3), ("min(t.x)", 1), ("max(t.x, 9)", 9), ("max(a)", None),
        ("min('b', 'a')", "a"),
        ("age('1990-11-20')", 36), ("age('1990-11-21')", 35), ("age('2030-01-01')", None), ("age('x')", None),
        ("years('2000-02-29', '2025-02-28')", 24), ("years('2000-02-29', '2025-03-01')", 25),
        ("days('2026-02-28', '2026-03-01')", 1), ("days('2026-03-01', '2026-02-28')", -1),
        ("if(1 < 2, 'y', 'n')", "y"), ("if(a, 'y', 'n')", "n"), ("if(a == 1 or 2 >= 2, 1, 0)", 1),
        ("if(not (1 == 1), 1, 0)", 0), ("if('a' == 'a' and 1 != 2, 1, 0)", 1), ("if('2' < 3, 1, 0)", 0),
        ("concat('第', 2.50, '号', a)", "第2.5号"), ("round(2.345, 2)", "2.35"), ("round(2.5, 0)", 3),
        ("round(1, 9)", None),
        ("capitals(1409.50)", "壹仟肆佰零玖元伍角整"), ("'x' * 2", None), ("1 == '1'", False),
    ],
)  # fmt: skip
def test_the_language(text: str, value: Any) -> None:
    found = work_out(text)
    if isinstance(value, str) and isinstance(found, Decimal):
        assert found == Decimal(value)
    else:
        assert found == value
        assert isinstance(found, bool) == isinstance(value, bool)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 99)), max_size=20), st.randoms())
def test_sums_are_exact_to_the_cent(rows: list[tuple[int, int]], chance: random.Random) -> None:
    given_rows = [{"name": "x", "price": f"{cents // 100}.{cents % 100:02}", "n": n, "note": "y"} for cents, n in rows]
    settled = forms.clean(FORM, {"rows": given_rows, "total": chance.choice(["0.01", "x", None])})
    whole = sum(cents * n for cents, n in rows)
    assert settled["total"] == f"{whole // 100}.{whole % 100:02}"


def test_what_is_computed_goes_before_what_was_sent() -> None:
    sent = {"kind": "solo", "born": "1990-11-21", "age": 99, "total": "1.00", "words": "佰万", "rows": [
        {"name": "甲", "price": "10.00", "n": 3, "cost": "99.00"},
        {"name": "乙", "price": "0.05", "share": 77}]}  # fmt: skip
    settled = forms.clean(FORM, sent, TODAY)
    assert settled["age"] == 35
    assert settled["total"] == "30.00"
    assert settled["words"] == "叁拾元整"
    assert settled["rows"] == [
        {"name": "甲", "price": "10.00", "n": 3, "cost": "30.00", "share": 100.0},
        {"name": "乙", "price": "0.05"},
    ]
    assert forms.clean(FORM, settled, TODAY) == settled
    assert forms.validate(FORM, sent, TODAY) == {}


def test_without_today_an_age_stays_as_it_came() -> None:
    assert forms.clean(FORM, {"born": "1990-11-21", "age": 35})["age"] == 35
    assert "age" not in forms.clean(FORM, {"age": 35}, TODAY)


def test_a_computed_value_keeps_its_limits() -> None:
    assert forms.validate(FORM, {"kind": "solo", "born": "1850-01-01"}, TODAY) == {"age": "不能大于 120。"}


def test_what_is_hidden_is_neither_needed_nor_kept() -> None:
    sent = {"kind": "solo", "count": 3, "why": "因为", "agent": False, "agent_name": "李四", "photos": [PHOTO]}
    settled = forms.settle(FORM, sent)
    assert settled.values == {"kind": "solo", "agent": False, "total": "0.00", "words": "零元整"}
    assert settled.hidden == {"count", "why", "agent_name", "photos"}
    assert forms.validate(FORM, sent) == {}
    assert set(forms.validate(FORM, {"kind": "family", "agent": True})) == {"count", "agent_name", "photos"}
    assert set(forms.validate(FORM, {"kind": "family", "count": "3", "agent": True})) == {"why", "agent_name", "photos"}


def test_one_is_not_yes() -> None:
    assert "agent_name" in forms.settle(FORM, {"agent": 1}).hidden


def test_a_hidden_cell_is_of_its_row_alone() -> None:
    rows = [{"name": "甲", "n": 2}, {"name": "乙", "n": 1, "note": "多余"}, {"n": 2, "note": "有"}]
    settled = forms.settle(FORM, {"kind": "solo", "rows": rows})
    assert settled.hidden >= {"rows.1.note"}
    assert not settled.hidden & {"rows.0.note", "rows.2.note"}
    assert "note" not in settled.values["rows"][1]
    assert forms.validate(FORM, {"kind": "solo", "rows": rows}) == {
        "rows.0.note": "请填写说明。",
        "rows.2.name": "请填写名称。",
    }


def test_faults_of_cells_are_addressed_and_ordered() -> None:
    rows = [{"name": "甲", "price": "x", "n": 0}, {"name": "很长" * 6}, {}, {"name": 5, "what": 1, "n": "二"}]
    assert list(forms.validate(FORM, {"kind": "solo", "rows": rows})) == [
        "rows.0.price", "rows.0.n", "rows.1.name", "rows.2.name", "rows.3.name", "rows.3.n", "rows.3.what",
    ]  # fmt: skip


def test_empty_rows_at_the_end_go_and_others_keep_their_place() -> None:
    rows = [{"name": " "}, {"name": "甲"}, {"name": ""}, {}]
    assert forms.clean(FORM, {"rows": rows})["rows"] == [{}, {"name": "甲"}]
    assert "rows" not in forms.clean(FORM, {"rows": [{}, {}]})
    assert "rows" not in forms.clean(FORM, {"rows": [{"cost": "1.00"}, {"note": "hidden"}]})
    counted = prop("count", **{"x-compute": "count(rows)", "x-when": []})
    counted["schema"]["required"].remove("count")
    assert forms.clean(counted, {"rows": [{"name": "甲"}, {"note": "hidden"}]})["count"] == 1


def test_the_least_number_of_rows_counts_for_none_as_well() -> None:
    form = prop("rows", minItems=1)
    assert forms.validate(form, {"kind": "solo"}) == {"rows": "至少填写 1 行，现为 0 行。"}
    assert forms.validate(form, {"kind": "solo", "rows": []}) == {"rows": "至少填写 1 行，现为 0 行。"}
    assert forms.validate(form, {"kind": "solo", "rows": [{"name": "甲"}]}) == {}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "至少 1 个附件"), ([PHOTO] * 3, "最多 2 个附件，现为 3 个"), ("x", "附件不完整"), ([1], "附件不完整"),
        ([{**PHOTO, "sha256": "AB" * 32}], "附件不完整"), ([{**PHOTO, "size": 0}], "附件不完整"),
        ([{**PHOTO, "size": True}], "附件不完整"), ([{**PHOTO, "path": "/etc"}], "附件不完整"),
        ([{"sha256": "ab" * 32}], "附件不完整"), ([{**PHOTO, "name": "长" * 201}], "附件不完整"),
    ],
)  # fmt: skip
def test_attachments(files: Any, words: str) -> None:
    values = {"kind": "solo", "agent": True, "agent_name": "李四"}
    assert forms.validate(FORM, {**values, "photos": [PHOTO, {**PHOTO, "name": "门头.jpg"}]}) == {}
    faults = forms.validate(FORM, {**values, "photos": files})
    assert list(faults) == ["photos"]
    assert words in faults["photos"]


def test_values_in_words() -> None:
    properties = FORM["schema"]["properties"]
    rows = [{"name": "甲", "n": 2}, {"name": "乙"}]
    assert forms.shown(properties["rows"], rows) == "名称 甲，数量 2；名称 乙"
    assert forms.shown(properties["photos"], [PHOTO, PHOTO]) == "2 个附件"
    assert forms.shown({"title": "区", "type": "string", "format": "region"}, "341102") == "安徽省滁州市琅琊区"


def test_offers_say_their_source_and_never_offer_a_fault() -> None:
    known = [
        forms.Known("person.agent", " 李四 ", "人员库"),
        forms.Known("agent_name", "李四", "2026-10-03 办件"),
        forms.Known("agent_name", "王五", "2025-01-02 办件"),
        forms.Known("agent_name", "长" * 501, "2024-01-02 办件"),
        forms.Known("card.birth", "19900102", "人员库"),
        forms.Known("born", "昨天", "2026-10-03 办件"),
        forms.Known("kind", "none", "人员库"),
        forms.Known("total", "1.00", "人员库"),
        forms.Known("rows", [{}], "人员库"),
        forms.Known("stranger", "x", "人员库"),
        forms.Known("count", 3, "人员库"),
    ]
    assert forms.offers(FORM, known) == {
        "agent_name": (forms.Offer("李四", "人员库"), forms.Offer("王五", "2025-01-02 办件")),
        "born": (forms.Offer("1990-01-02", "人员库"),),
        "count": (forms.Offer(3, "人员库"),),
    }


def test_an_abolished_region_is_noted_and_no_fault() -> None:
    form = prop("agent_name", format="region")
    values = {"kind": "solo", "agent": True, "agent_name": "422201", "photos": [PHOTO]}
    assert forms.validate(form, values, TODAY) == {}
    assert "已撤销的区划" in forms.notes(form, values, TODAY)["agent_name"]
    assert forms.notes(form, {**values, "agent_name": "341102"}, TODAY) == {}
    assert forms.clean(form, {**values, "agent_name": "滁州市琅琊区"})["agent_name"] == "341102"
    assert "区划" in forms.validate(form, {**values, "agent_name": "什么区"}, TODAY)["agent_name"]


def test_a_number_is_judged_by_the_kind_beside_it() -> None:
    form = prop("agent_name", format="id-number", **{"x-kind": "paper"})
    form["schema"]["properties"]["paper"] = {"title": "证件", "type": "string", "enum": ["resident", "passport"]}
    form["layout"][0]["fields"].append("paper")
    values = {"kind": "solo", "agent": True, "agent_name": "e12345678", "photos": [PHOTO]}
    assert forms.validate(form, {**values, "paper": "passport"}) == {}
    assert "ID-001" in forms.validate(form, {**values, "paper": "resident"})["agent_name"]


# what nobody means, and what must not break anything

deep: Any = "x"
for _ in range(5000):
    deep = [deep]


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"rows": [{"name": "甲"}] * 10_000}, "rows", "最多 30 行，现为 10000 行"),
        ({"rows": [{"name": "甲"}] * 31}, "rows", "最多 30 行，现为 31 行"),
        ({"rows": {"name": "甲"}}, "rows", "应为表格"),
        ({"rows": ["甲"]}, "rows.0", "表格中的一行"),
        ({"rows": deep}, "rows.0", "表格中的一行"),
        ({"kind": deep}, "kind", "应为文字"),
        ({"agent": deep}, "agent", "是或否"),
        ({"kind": "family", "count": 10**5000}, "count", "太大"),
        ({"kind": "family", "count": 1e300}, "count", "太大"),
        ({"rows": [{"name": "\ud800"}]}, "rows.0.name", "无法保存的字符"),
        ({"rows": [{"name": "甲", "n": float("inf")}]}, "rows.0.n", "整数"),
        ({"rows": [{"name": "甲", "price": "9" * 13}]}, "rows.0.price", "金额"),
    ],
)  # fmt: skip
def test_nonsense_is_said_in_words(values: dict[str, Any], field: str, words: str) -> None:
    faults = forms.validate(FORM, {"kind": "solo", **values}, TODAY)
    assert words in faults[field]
    assert all("x-" not in sentence for sentence in faults.values())


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("李\u0000四", "李四"), ("\u202e李四\u202c", "李四"), ("\ufeff李四", "李四"), ("李\u200b四\r\n五", "李四\n五"),
        ("𠮷田\U000e0101", "𠮷田\U000e0101"), ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"), ("㛃䶮", "㛃䶮"),
        ("阿卜杜热西提·买买提", "阿卜杜热西提·买买提"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_goes_and_what_is_rare_stays(typed: str, kept: str) -> None:
    values = {"kind": "family", "count": 3, "why": typed}
    assert forms.clean(FORM, values)["why"] == kept
    assert forms.validate(FORM, values) == {}


@pytest.mark.parametrize("form", [None, [], "x", 5, {}, {"schema": {}}, {"schema": {"type": "object"}}])
def test_no_form_at_all(form: Any) -> None:
    with pytest.raises(GovDeskError, match="FORM-900"):
        forms.check_form(form)


def test_a_form_that_is_no_data_or_too_deep() -> None:
    nested: Any = {}
    for _ in range(3000):
        nested = {"not": nested}
    for broken in (
        change("schema", "allOf", to=[nested]),
        change("fills", "born", to={1, 2}),
        change("fills", to=[deep]),
    ):
        with pytest.raises(GovDeskError, match="FORM-900"):
            forms.check_form(broken)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
cells = st.dictionaries(st.sampled_from(["name", "price", "n", "cost", "note", "share", "x"]), json_values, max_size=5)
some_values = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["solo", "family"]) | json_values,
        "count": st.integers(0, 5) | json_values,
        "why": json_values,
        "agent": st.booleans() | json_values,
        "born": st.dates().map(str) | json_values,
        "rows": st.lists(cells | json_values, max_size=4) | json_values,
        "total": json_values,
        "photos": st.lists(st.just(PHOTO), max_size=3) | json_values,
    },
)


@given(some_values)
def test_no_value_breaks_anything_and_settling_settles(values: dict[str, Any]) -> None:
    once = forms.clean(FORM, values, TODAY)
    assert repr(forms.clean(FORM, once, TODAY)) == repr(once)
    faults = forms.validate(FORM, values, TODAY)
    assert all(isinstance(words, str) and words for words in faults.values())
    assert forms.validate(FORM, once, TODAY) == faults
    hidden = forms.settle(FORM, values, TODAY).hidden
    assert not hidden & set(faults)
    assert not hidden & set(once)


@given(st.text("rowskindcount.+-*/()<>=!,'\" 0123456789ageifsumno", max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        found = parse(text, lambda name: name == "rows")
    except ValueError:
        return
    result = found.run(Scope(lambda name: None, lambda table, column: [], lambda table: 0, TODAY))
    assert result is None or isinstance(result, (Decimal, str, bool))
