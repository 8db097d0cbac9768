"""The rules of service items: versions, completeness, comparing, and the province's news met with local edits."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modules.acceptance.domain import items
from modules.acceptance.domain.item_conflicts import CONFLICT, PULL, base_for, merge, resolved
from modules.acceptance.domain.items import check_item, current, diff, differing, offered, put
from modules.common.aggregate import Doc
from modules.common.errors import Refusal
from modules.common.manifest import rules_of
from tests.support.items import CLERK, CODE, SYSTEM, House, sound_item

FIRST, SECOND = "item-341100sc-xk-0001@1", "item-341100sc-xk-0001@2"


def faults(doc: Any) -> dict[str, str]:
    return {fault.field: fault.code for fault in check_item(doc)}


def made(outcome: Doc | Refusal) -> Doc:
    assert not isinstance(outcome, Refusal), outcome
    return outcome


def refused(outcome: Doc | Refusal) -> str:
    assert isinstance(outcome, Refusal), outcome
    assert outcome.message
    return outcome.code


def published(house: House, id: str = FIRST, previous: str = "", **changes: Any) -> Doc:
    body = {"item": sound_item(**changes), "previous": previous, "state": "published"}
    return made(house.item(id, items.IMPORT, body))


# -- the document -------------------------------------------------------------------------------------


def test_the_36_elements_each_have_a_place_in_the_document() -> None:
    assert [element.number for element in items.ELEMENTS] == list(range(1, 37))
    assert len({element.id for element in items.ELEMENTS}) == 36
    paths = {field.path for field in items.FIELDS} | {"materials", "fees"}
    assert {element.path for element in items.ELEMENTS} <= paths
    doc = sound_item()
    blank = [element.name for element in items.ELEMENTS if not items.element_words(doc, element)]
    assert blank == ["权限划分", "行使内容", "联办机构", "中介服务", "数量限制", "结果样本", "运行系统"]


def test_mandatory_elements_are_mandatory_fields() -> None:
    mandatory = {field.path for field in items.FIELDS if field.mandatory}
    assert {element.path for element in items.ELEMENTS if element.mandatory} - {"materials", "fees"} <= mandatory


def test_a_sound_item_has_no_fault() -> None:
    assert check_item(sound_item()) == []


def test_a_blank_item_can_be_kept_and_says_all_that_it_lacks() -> None:
    blank = items.blank_item()
    assert items.shape_faults(blank) == []
    found = faults(blank)
    assert {"name", "code", "promised_days", "elements.place", "materials", "form"} <= set(found)
    assert set(found.values()) == {"ACC-120", "ACC-127"}


@pytest.mark.parametrize("field", [field for field in items.FIELDS if field.mandatory], ids=lambda field: field.path)
def test_a_mandatory_field_may_not_be_blank(field: items.Field) -> None:
    doc = sound_item()
    put(doc, field.path, [] if field.type in ("choices", "departments") else "  " if field.type == "text" else None)
    if field.path in ("department", "kind") or field.type == "choice":
        put(doc, field.path, None)
    assert faults(doc)[field.path] == "ACC-120"


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"promised_days": 21}, "promised_days", "ACC-122"),
        ({"kind": "即办件"}, "promised_days", "ACC-122"),
        ({"green": {"enabled": True, "promised_days": 8}}, "green.promised_days", "ACC-122"),
        ({"green": {"enabled": True, "promised_days": None}}, "green.promised_days", "ACC-120"),
        ({"visits": 2}, "visits", "ACC-124"),
        ({"form_of_application": "原件预审", "visits": 3}, "visits", "ACC-124"),
        ({"form_of_application": "全程网办", "visits": 1}, "visits", "ACC-124"),
        ({"kind": "联办件"}, "joint_departments", "ACC-130"),
        ({"joint_departments": ["dept-market"]}, "joint_departments", "ACC-130"),
        ({"form": None}, "form", "ACC-127"),
        ({"form": {"schema": {}}}, "form", "ACC-127"),
        ({"template": ""}, "template", "ACC-128"),
        ({"template": "no-such"}, "template", "ACC-128"),
        ({"template": {"id": "x", "name": "空", "steps": []}}, "template", "ACC-128"),
        ({"code": "3411-XX"}, "code", "ACC-129"),
        ({"elements__basic_code": "12"}, "elements.basic_code", "ACC-129"),
        ({"type": "批准"}, "type", "ACC-121"),
        ({"audience": ["person", "dog"]}, "audience", "ACC-121"),
        ({"promised_days": -1}, "promised_days", "ACC-111"),
        ({"promised_days": True}, "promised_days", "ACC-111"),
        ({"hot": "yes"}, "hot", "ACC-111"),
        ({"name": "长" * 4001}, "name", "ACC-111"),
        ({"materials": [{"id": "m1"}, {"id": "m1"}]}, "materials", "ACC-111"),
        ({"materials": ["m1"]}, "materials", "ACC-111"),
        ({"colour": "red"}, "colour", "ACC-111"),
        ({"elements": {"mood": "good"}}, "elements.mood", "ACC-111"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(changes: dict[str, Any], field: str, code: str) -> None:
    assert faults(sound_item(**changes))[field] == code


@pytest.mark.parametrize("visits", [(form, most) for form, most in items.MOST_VISITS.items()])
def test_as_many_visits_as_the_form_of_application_allows(visits: tuple[str, int]) -> None:
    form, most = visits
    assert "visits" not in faults(sound_item(form_of_application=form, visits=most))
    assert faults(sound_item(form_of_application=form, visits=most + 1))["visits"] == "ACC-124"


def test_what_may_be_lacking_needs_a_term_and_a_consequence() -> None:
    doc = sound_item()
    doc["materials"][1] |= {"lack_days": None, "lack_consequence": " "}
    assert faults(doc) == {"materials.m2.lack_days": "ACC-125", "materials.m2.lack_consequence": "ACC-125"}
    doc["materials"][1]["may_lack"] = False
    assert faults(doc) == {}


def test_what_is_charged_needs_a_basis_and_an_amount() -> None:
    doc = sound_item()
    doc["fees"][0] |= {"basis": "", "amount": "0.00"}
    assert faults(doc) == {"fees.0.basis": "ACC-126", "fees.0.amount": "ACC-126"}
    doc["fees"][0]["free"] = True
    assert faults(doc) == {}
    doc["fees"][0]["amount"] = "10"
    assert faults(doc) == {"fees.0.amount": "ACC-126"}


CATCH_ALL = ["其他材料", "其它资料", "其他", "法律法规规定的其他", "法律、法规规定的其他材料。",
             "其他相关材料", "其他证明材料", "登记机关要求提交的其他文件", "身份证等相关材料",
             "法律、行政法规和国务院决定规定的其他文件",
             "需要提交的其它资料", "与申请事项有关的其他材料",
             "以及其他应当提供的材料", "法律法规规定的材料", "其他（材料）"]  # fmt: skip
PLAIN = ["居民身份证", "其他有效身份证件复印件", "前置审批文件", "其他组织的主体资格证明", "申请材料真实性承诺书",
         "法律意见书", "委托代理人证明及身份证件复印件", "有关部门出具的无违法记录证明", "单位或其他组织登记证书",
         "规定格式的申请书"]  # fmt: skip


@pytest.mark.parametrize("name", CATCH_ALL)
def test_a_catch_all_material_is_refused(name: str) -> None:
    doc = sound_item()
    doc["materials"][0]["name"] = name
    assert faults(doc) == {"materials.m1.name": "ACC-123"}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_material_is_none(name: str) -> None:
    assert not items.is_catch_all(name)


@pytest.mark.parametrize(
    ("code", "basic", "fits"),
    [
        (CODE, "000131012000", True),
        ("62052400MZ-XK-0001", "", True),
        ("91350100M000100Y433000131012000", "000131012000", True),
        ("91350100M000100Y433000131012000", "000131012001", False),
        ("91350100M000100Y443000131012000", "000131012000", False),
        ("520100XK00001002", "XK00001002", True),
        ("520100XK00001002", "XK00001003", False),
        ("", "", False),
    ],
)
def test_codes_fit_a_known_scheme(code: str, basic: str, fits: bool) -> None:
    assert (items.check_code(code, basic) == "") is fits


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)  # the first form checked loads its library
@given(st.dictionaries(st.sampled_from(sorted(items.CONTENT)), json_values, max_size=4))
def test_whatever_is_handed_in_is_judged_and_never_breaks(changes: dict[str, Any]) -> None:
    for fault in check_item({**sound_item(), **changes}):
        assert fault.words
        assert fault.code.startswith("ACC-1")


@given(json_values)
def test_what_is_no_item_is_told(value: Any) -> None:
    assert check_item(value)


# -- versions -----------------------------------------------------------------------------------------


def test_the_rules_are_those_of_the_manifest() -> None:
    assert rules_of("service_item") is items.ITEM
    assert rules_of("item_conflict") is CONFLICT
    assert rules_of("province_pull") is PULL


def test_a_version_from_draft_to_withdrawal() -> None:
    house = House()
    draft = made(house.item(FIRST, items.CREATE, {"item": items.blank_item() | {"code": CODE, "name": "小作坊"}}))
    assert (draft["version"], draft["state"], current(house.items())) == (1, "draft", [])
    assert refused(house.item(FIRST, items.PUBLISH, {})) == "ACC-110"
    made(house.item(FIRST, items.EDIT, {"changes": {k: v for k, v in sound_item().items() if k != "elements"}}))
    changes = {f"elements.{name}": value for name, value in sound_item()["elements"].items()}
    made(house.item(FIRST, items.EDIT, {"changes": changes}))
    done = made(house.item(FIRST, items.PUBLISH, {}))
    assert done["state"] == "published"
    assert done["published_at"] == "2026-11-20T02:00:00.000Z"
    assert [item["id"] for item in current(house.items())] == [FIRST]
    assert refused(house.item(FIRST, items.EDIT, {"changes": {"hot": True}})) == "ACC-113"
    assert refused(house.item(FIRST, items.PUBLISH, {})) == "ACC-113"
    assert refused(house.item(FIRST, items.WITHDRAW, {"reason": " "})) == "ACC-109"
    gone = made(house.item(FIRST, items.WITHDRAW, {"reason": "法规废止"}))
    assert (gone["state"], gone["withdraw_reason"]) == ("withdrawn", "法规废止")
    assert current(house.items()) == []
    assert "法规废止" in items.why_not_offered(gone)
    assert items.shape_faults(gone) == []


def test_a_refused_publication_names_every_field() -> None:
    house = House()
    made(house.item(FIRST, items.CREATE, {"item": sound_item(promised_days=99)}))
    outcome = house.item(FIRST, items.PUBLISH, {})
    assert isinstance(outcome, Refusal)
    assert set(outcome.fields) == {"promised_days"}


def test_a_new_version_takes_over_and_the_old_one_stays_as_it_was() -> None:
    house = House()
    old = published(house)
    body = {"item": sound_item(promised_days=5), "previous": FIRST}
    made(house.item(SECOND, items.CREATE, body))
    assert [item["version"] for item in current(house.items())] == [1]
    assert refused(house.item(FIRST, items.SUPERSEDE, {"by": SECOND})) == "ACC-108"
    made(house.item(SECOND, items.PUBLISH, {}))
    assert [item["version"] for item in current(house.items())] == [2]
    after = made(house.item(FIRST, items.SUPERSEDE, {"by": SECOND}))
    assert {**after, "state": "published"} == {**old, "superseded_at": after["superseded_at"], "superseded_by": SECOND}
    assert differing(old, after) == []
    assert refused(house.item(SECOND, items.SUPERSEDE, {"by": FIRST})) == "ACC-108"


def test_withdrawing_the_newest_brings_no_older_one_back() -> None:
    house = House()
    published(house)
    published(house, SECOND, FIRST, promised_days=5)
    made(house.item(SECOND, items.WITHDRAW, {"reason": "停办"}))
    assert current(house.items()) == []


@pytest.mark.parametrize(
    ("id", "body", "code"),
    [
        (SECOND, {"item": sound_item()}, "ACC-105"),
        (SECOND, {"item": sound_item(), "previous": "item-unknown@1"}, "ACC-104"),
        ("item-341100sc-xk-0001@3", {"item": sound_item(), "previous": FIRST}, "ACC-105"),
        ("item-other@2", {"item": sound_item(), "previous": FIRST}, "ACC-105"),
        (SECOND, {"item": sound_item("341100SC-XK-0002"), "previous": FIRST}, "ACC-106"),
        (SECOND, {"item": sound_item() | {"mood": 1}, "previous": FIRST}, "ACC-111"),
        (SECOND, {"item": None, "previous": FIRST}, "ACC-111"),
        (SECOND, {"item": sound_item(promised_days=99), "previous": FIRST, "state": "published"}, "ACC-110"),
        (SECOND, {"item": sound_item(), "previous": FIRST, "state": "withdrawn"}, "ACC-102"),
        (FIRST, {"item": sound_item()}, "ACC-103"),
    ],
)
def test_version_numbers_grow_one_by_one(id: str, body: dict[str, Any], code: str) -> None:
    house = House()
    published(house)
    before = copy.deepcopy(house.docs)
    assert refused(house.item(id, items.IMPORT, body)) == code
    assert house.docs == before


@pytest.mark.parametrize(
    "changes",
    [{}, None, {"mood": 1}, {"elements.mood": 1}, {"version": 9}, {"state": "published"}, {"elements": {}},
     {"materials.m1": {"id": "m2"}}, {"code": "341100SC-XK-0002"}, {"overridden": {}}],
)  # fmt: skip
def test_an_edit_reaches_the_content_alone(changes: Any) -> None:
    house = House()
    published(house)
    made(house.item(SECOND, items.CREATE, {"item": sound_item(), "previous": FIRST}))
    assert refused(house.item(SECOND, items.EDIT, {"changes": changes})) in ("ACC-106", "ACC-107")


def test_only_who_keeps_items_may() -> None:
    house = House()
    assert refused(house.item(FIRST, items.CREATE, {"item": sound_item()}, actor=CLERK)) == "AUTH-403"
    made(house.item(FIRST, items.CREATE, {"item": sound_item()}, actor=SYSTEM))


def test_what_is_offered_is_current_green_first() -> None:
    house = House()
    published(house)
    other = sound_item("341100SC-XK-0002", "食品经营许可", green={"enabled": True, "promised_days": 2})
    made(house.item("item-b", items.IMPORT, {"item": other, "state": "published"}))
    assert [item["name"] for item in offered(house.items())] == ["食品经营许可", "食品小作坊登记"]
    assert [item["code"] for item in offered(house.items(), codes=[CODE])] == [CODE]
    assert offered(house.items(), departments=["dept-land"]) == []
    assert [items.promised_days(item) for item in offered(house.items())] == [2, 7]


def test_documents_of_old_are_published() -> None:
    assert [item["version"] for item in current([{"id": "a", "code": "x", "version": 1}])] == [1]


class Versions(RuleBasedStateMachine):
    """Whatever is tried in whatever order: published content never changes, and at most one version is current."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.fixed: dict[str, Any] = {}

    @rule(version=st.integers(1, 4), days=st.integers(0, 25), state=st.sampled_from(["draft", "published"]))
    def add(self, version: int, days: int, state: str) -> None:
        body = {"item": sound_item(promised_days=days), "state": state}
        if version > 1:
            body["previous"] = items.version_id(FIRST, version - 1)
        outcome = self.house.item(items.version_id(FIRST, version), items.IMPORT, body)
        if not isinstance(outcome, Refusal):
            assert outcome["version"] == version
            assert state == "draft" or days <= 20

    @precondition(lambda self: self.house.docs)
    @rule(
        version=st.integers(1, 4),
        step=st.sampled_from(["edit", "publish", "withdraw", "supersede"]),
        by=st.integers(1, 4),
    )
    def step(self, version: int, step: str, by: int) -> None:
        body = {"changes": {"promised_days": by}, "reason": "停办", "by": items.version_id(FIRST, by)}
        self.house.item(items.version_id(FIRST, version), f"item.{step}", body)

    @invariant()
    def published_content_stays(self) -> None:
        for item in self.house.items():
            if item["state"] == "draft":
                continue
            content = {key: item[key] for key in items.CONTENT}
            assert self.fixed.setdefault(item["id"], content) == content
            assert check_item(item) == []

    @invariant()
    def one_is_current(self) -> None:
        now = current(self.house.items())
        assert len(now) <= 1
        ever = [item["version"] for item in self.house.items() if item["state"] != "draft"]
        assert not now or now[0]["version"] == max(ever)


Versions.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
test_versions = Versions.TestCase


# -- comparing ----------------------------------------------------------------------------------------


def test_a_comparison_names_fields_in_words() -> None:
    one, other = sound_item(), sound_item(promised_days=5, elements__place="二楼", template="standard")
    other["materials"][1]["lack_days"] = 10
    other["materials"].append({**items.blank_material("m3"), "name": "健康证明"})
    other["fees"][0]["amount"] = "5.00"
    found = {change.name: (change.old, change.new) for change in diff(one, other)}
    assert found == {
        "承诺办结时限（工作日）": ("7", "5"),
        "办理地点": ("市政务服务中心一楼 A 区", "二楼"),
        "材料“生产场所使用证明”：容缺补交期限（工作日）": ("5", "10"),
        "材料“健康证明”": ("", "有"),
        "收费“工本费”：收费标准（元）": ("10.00", "5.00"),
        "审批流程": ("simple", "standard"),
    }


def test_nothing_differs_from_itself_whether_blank_or_missing() -> None:
    doc = sound_item()
    bare = {key: value for key, value in doc.items() if value not in (None, "", [], False)}
    assert diff(doc, bare) == []
    assert differing(doc, bare) == []


values = st.sampled_from(["甲", "乙", "丙"])
edits = st.dictionaries(st.sampled_from(["summary", "elements.place", "elements.phone", "basis"]), values, max_size=4)


@given(edits, edits)
def test_parts_that_differ_are_all_that_differs(one: dict[str, str], other: dict[str, str]) -> None:
    a, b = sound_item(), sound_item()
    for path, value in one.items():
        put(a, path, value)
    for path, value in other.items():
        put(b, path, value)
    parts = items.parts(b)
    for path in differing(a, b):
        put(a, path, parts[path])
    assert differing(a, b) == []


# -- the province -------------------------------------------------------------------------------------


def from_province(**changes: Any) -> dict[str, Any]:
    return {**sound_item(**changes), "origin": "province", "origin_version": 1}


def linked(house: House) -> Doc:
    return made(house.item(FIRST, items.IMPORT, {"item": from_province(), "state": "published"}, actor=SYSTEM))


def edited_here(house: House, **changes: Any) -> Doc:
    body = {"item": {key: house.docs["service_item", FIRST][key] for key in items.CONTENT}, "previous": FIRST}
    made(house.item(SECOND, items.CREATE, body))
    made(house.item(SECOND, items.EDIT, {"changes": {k.replace("__", "."): v for k, v in changes.items()}}))
    return made(house.item(SECOND, items.PUBLISH, {}))


def test_what_is_edited_here_is_remembered_with_what_the_province_sent() -> None:
    house = House()
    linked(house)
    item = edited_here(house, promised_days=5, elements__place="二楼")
    assert item["overridden"] == {"promised_days": 7, "elements.place": "市政务服务中心一楼 A 区"}
    assert (item["origin"], item["origin_version"]) == ("province", 1)
    assert items.provincial(item)["promised_days"] == 7


def test_the_province_is_taken_where_nobody_edited() -> None:
    house = House()
    item = edited_here(house, promised_days=5) if linked(house) else {}
    merged = merge(item, sound_item(summary="新说明"))
    assert merged.conflicts == []
    assert (merged.item["summary"], merged.item["promised_days"]) == ("新说明", 5)
    assert merged.overridden == {"promised_days": 7}


def test_what_both_changed_is_a_conflict_and_stays_as_it_was_here() -> None:
    house = House()
    item = edited_here(house, promised_days=5, hot=True) if linked(house) else {}
    merged = merge(item, sound_item(promised_days=6, summary="新说明"))
    assert merged.conflicts == ["promised_days"]
    assert (merged.item["promised_days"], merged.item["summary"], merged.item["hot"]) == (5, "新说明", True)
    theirs = resolved(merged.item, merged.news, {"promised_days": "province"})
    assert (theirs["promised_days"], theirs["overridden"]) == (6, {"hot": False})
    ours = resolved(merged.item, merged.news, {"promised_days": "local"})
    assert (ours["promised_days"], ours["overridden"]) == (5, {"hot": False, "promised_days": 6})


def test_both_sides_agreeing_is_no_conflict() -> None:
    house = House()
    item = edited_here(house, promised_days=5) if linked(house) else {}
    merged = merge(item, sound_item(promised_days=5))
    assert merged.conflicts == []
    assert merged.overridden == {}


def test_materials_are_merged_one_by_one() -> None:
    house = House()
    linked(house)
    mine = {**sound_item()["materials"][0], "review": ["只看签名"]}
    item = edited_here(house, **{"materials.m1": mine})
    sent = sound_item()
    sent["materials"] = [sent["materials"][0], {**items.blank_material("m9"), "name": "平面图"}]
    merged = merge(item, sent)
    assert merged.conflicts == []
    assert [row["id"] for row in merged.item["materials"]] == ["m1", "m9"]
    assert merged.item["materials"][0]["review"] == ["只看签名"]


def test_an_item_made_here_is_never_overwritten() -> None:
    house = House()
    item = published(house)
    merged = merge(item, sound_item(promised_days=6, summary="新说明"))
    assert sorted(merged.conflicts) == ["promised_days", "summary"]
    assert differing(merged.item, item) == []


@given(edits, edits)
def test_no_edit_made_here_is_ever_lost(here: dict[str, str], there: dict[str, str]) -> None:
    house = House()
    linked(house)
    item = edited_here(house, **({"hot": True} | here))
    sent = sound_item()
    for path, value in there.items():
        put(sent, path, value)
    merged = merge(item, sent)
    after, mine, base = items.parts(merged.item), items.parts(item), items.parts(sound_item())
    for path in items.parts(item):
        if path in item["overridden"]:
            assert after[path] == mine[path]
        else:
            assert path not in merged.conflicts
            assert after[path] == items.parts(merged.news)[path]
    assert set(merged.conflicts) == {
        path for path in item["overridden"] if path in there and there[path] != base[path] and there[path] != mine[path]
    }


def test_news_meet_the_newest_that_was_published() -> None:
    versions = [
        {"version": 1, "state": "superseded"},
        {"version": 2, "state": "published"},
        {"version": 3, "state": "draft"},
    ]
    assert base_for(versions) == versions[1]
    assert base_for(versions[2:]) == versions[2]
    assert base_for([]) is None


def test_a_conflict_is_decided_by_a_person_once_and_wholly() -> None:
    house = House(CONFLICT)
    raised = {"item_id": FIRST, "code": CODE, "name": "小作坊", "province_version": 3, "paths": ["basis", "summary"]}

    def give(type: str, body: dict[str, Any], **who: Any) -> Doc | Refusal:
        return house.give("item_conflict", "item-x", type, body, **who)

    assert refused(give("conflict.raise", raised)) == "AUTH-403"
    made(give("conflict.raise", raised, actor=SYSTEM))
    assert refused(give("conflict.raise", raised, actor=SYSTEM)) == "ACC-180"
    assert refused(give("conflict.decide", {"choices": {"basis": "local"}})) == "ACC-182"
    assert refused(give("conflict.decide", {"choices": {"basis": "local", "summary": "coin"}})) == "ACC-182"
    choices = {"basis": "local", "summary": "province"}
    assert refused(give("conflict.decide", {"choices": choices}, actor=CLERK)) == "AUTH-403"
    decided = made(give("conflict.decide", {"choices": choices}))
    assert (decided["state"], decided["decided_by"]["name"]) == ("decided", "孙七")
    assert refused(give("conflict.decide", {"choices": choices})) == "ACC-181"
    again = made(give("conflict.raise", {**raised, "province_version": 4}, actor=SYSTEM))
    assert again["state"] == "open"
    assert made(give("conflict.drop", {"reason": "省里已取消"}, actor=SYSTEM))["state"] == "dropped"


def test_no_version_gives_way_to_an_older_one_or_itself() -> None:
    house = House()
    published(house)
    published(house, SECOND, FIRST, promised_days=5)
    for older in (FIRST, SECOND):
        assert refused(house.item(SECOND, items.SUPERSEDE, {"by": older})) == "ACC-108"
