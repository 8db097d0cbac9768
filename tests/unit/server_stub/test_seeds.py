"""The demonstration's data: sound by the rules that everything else must obey, whole, and well written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from modules.acceptance.domain.booking import person_of
from modules.acceptance.domain.cases.intake import consequence_of
from modules.acceptance.domain.cases.parts import applicant_faults, form_faults, shape_faults
from modules.acceptance.domain.items import AUDIENCES, ELEMENTS, KINDS, MOST_VISITS, at, check_item, current
from modules.acceptance.domain.knowledge import LONGEST, SORTS
from modules.acceptance.domain.windows import _PLAN, offers
from modules.common import forms
from modules.common.clock import FixedClock
from modules.common.codes import check_credit_code, check_phone, read_resident_id
from modules.common.codes.organisations import check_organisation_code
from modules.common.errors import Refusal
from modules.common.permissions import SYSTEM
from modules.common.workflow import TEMPLATES, check_template
from server_stub.config import Config
from server_stub.seeding import SEEDS, seed, service_items
from server_stub.services import Services
from server_stub.tables import ChangeRow

TODAY = date(2026, 11, 20)
EXAMPLES = Path(__file__).resolve().parents[2] / "data" / "seeds" / "examples"
ITEMS = list(service_items())
BY_CODE = {item["code"]: item for item in ITEMS}
FORMS = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(SEEDS.glob("forms/*.json"))}
SAID = {"suspend": "暂停", "hold": "暂缓", "abort": "终止|撤回|作废", "reject": "不予"}
"""The words that decide what becomes of a case whose late material never came."""
CHARGED = {"fee_standard", "fee_basis", "charged"}
"""Elements that stay blank where nothing is charged."""


def read(name: str) -> Any:
    return json.loads((SEEDS / name).read_text("utf-8"))


DEMO, HALL, BASE = read("demo.json"), read("hall.json"), read("base.json")
KNOWLEDGE = [entry for path in sorted(SEEDS.glob("knowledge/*.json")) for entry in json.loads(path.read_text("utf-8"))]
DEPARTMENTS = {row["id"]: row for row in DEMO["organisations"] if row["kind"] == "department"}


def named(item: Any) -> str:
    return str(item["id"])


# -- items --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", ITEMS, ids=named)
def test_an_item_is_complete(item: dict[str, Any]) -> None:
    assert check_item(item) == []
    blank = [e.name for e in ELEMENTS if e.id not in CHARGED | {"joint"} and at(item, e.path) in (None, "", [])]
    assert not blank, "the 36 elements are all answered"
    assert DEPARTMENTS[item["department_id"]]["name"] == item["department"]
    assert set(item["joint_departments"]) <= DEPARTMENTS.keys() - {item["department_id"]}
    template = item["template"]
    assert template in TEMPLATES if isinstance(template, str) else check_template(template) == []


@pytest.mark.parametrize("item", ITEMS, ids=named)
def test_every_material_says_what_to_look_at(item: dict[str, Any]) -> None:
    for material in item["materials"]:
        assert all(material[key] for key in ("review", "note", "accept_standard")), material["name"]
        if material["may_lack"]:
            said = [does for does, words in SAID.items() if re.search(words, material["lack_consequence"])]
            assert said == [consequence_of(material["lack_consequence"])], "one thing happens, and it is said"
    assert any(m["required"] and not m["may_lack"] for m in item["materials"]), "a main material may never be lacking"


def test_there_is_enough_of_everything() -> None:
    assert len(ITEMS) >= 42
    assert {item["department_id"] for item in ITEMS} == DEPARTMENTS.keys()
    assert len(DEPARTMENTS) == 8
    assert len(current(ITEMS)) == len(ITEMS), "codes are unique, and everything is published"
    assert {item["kind"] for item in ITEMS} == {kind for kind, _ in KINDS}
    assert {item["form_of_application"] for item in ITEMS} == MOST_VISITS.keys()
    assert {item["visits"] for item in ITEMS} == {0, 1, 2}
    assert {one for item in ITEMS for one in item["audience"]} == {one for one, _ in AUDIENCES}
    assert {group for item in ITEMS for group in item["window_groups"]} == HALL["settings"]["groups"].keys()
    assert {item["template"] for item in ITEMS if isinstance(item["template"], str)} == TEMPLATES.keys()
    assert {"green", "hot", "expert_review"} <= {key for item in ITEMS for key, value in item.items() if value}
    assert {consequence_of(m["lack_consequence"]) for item in ITEMS for m in item["materials"] if m["may_lack"]} == set(
        SAID
    )
    assert sum(any(m["may_lack"] for m in item["materials"]) for item in ITEMS) > 20
    assert any(item["fees"] for item in ITEMS)


def test_what_experts_do_is_not_bound_by_the_term() -> None:
    for item in ITEMS:
        steps = (
            item["template"]["steps"] if isinstance(item["template"], dict) else TEMPLATES[item["template"]]["steps"]
        )
        free = [step["name"] for step in steps if step.get("bound") is False]
        assert bool(free) == ("不计入期限" in item["elements"]["process"]), item["name"]
        assert not item["expert_review"] or free == ["专家评审"], item["name"]


# -- forms --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMS)
def test_a_form_takes_its_example(name: str) -> None:
    form = FORMS[name]
    forms.check_form(form)
    example = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
    assert forms.validate(form, example, TODAY) == {}
    kept = forms.clean(form, example, TODAY)
    assert example.keys() <= kept.keys(), "the example has nothing that is hidden"
    assert forms.validate(form, {}, TODAY), "an empty form is not enough"


def test_every_form_is_used_and_has_one_example() -> None:
    used = {json.loads(path.read_text("utf-8"))["form"] for path in SEEDS.glob("service_items/*/*.json")}
    assert used == {f"{name}.json" for name in FORMS} == {path.name for path in EXAMPLES.glob("*.json")}


def structure(form: dict[str, Any]) -> frozenset[str]:
    """Names, types and rules of a form's fields, without its words."""
    found = set()
    for name, prop in form["schema"]["properties"].items():
        columns = prop.get("items", {}).get("properties", {})
        for path, each in [(name, prop), *((f"{name}.{column}", inner) for column, inner in columns.items())]:
            rules = [f"{key}={each[key]}" for key in ("type", "format", "x-when", "x-compute", "enum") if key in each]
            found.add(" ".join([path, *rules]))
    return frozenset(found)


def test_forms_are_genuinely_different() -> None:
    kinds = [structure(form) for form in FORMS.values()]
    alike = [
        (a, b)
        for place, a in enumerate(FORMS)
        for b in list(FORMS)[place + 1 :]
        if len(structure(FORMS[a]) & structure(FORMS[b])) > len(structure(FORMS[a]) | structure(FORMS[b])) / 2
    ]
    assert len(set(kinds)) >= 14
    assert not alike, "no two forms share half of their fields"
    texts = [json.dumps(form) for form in FORMS.values()]
    for what, least in {'"items"': 14, '"x-when"': 14, '"x-compute"': 14, '"attachment"': 4, '"region"': 3,
                        '"credit-code"': 10, '"amount"': 14, '"resident-id"': 14}.items():  # fmt: skip
        assert sum(what in text for text in texts) >= least, what


def test_shares_must_add_up_to_a_hundred() -> None:
    form = FORMS["company"]
    values = json.loads((EXAMPLES / "company.json").read_text("utf-8"))
    assert forms.clean(form, values, TODAY)["share_total"] == 100
    values["shareholders"][0]["amount"] = "500000"
    assert set(forms.validate(form, values, TODAY)) == {"share_total"}


def test_taxes_and_averages_are_worked_out() -> None:
    def computed(name: str, **changes: Any) -> dict[str, Any]:
        values = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
        return forms.clean(FORMS[name], {**values, **changes}, TODAY)

    assert computed("deed_tax")["tax"] == "9850.00"
    assert computed("deed_tax", area=150, homes="2")["tax"] == "19700.00"
    assert computed("deed_tax", usage="other")["tax"] == "29550.00"
    assert computed("vehicle_tax")["tax"] == "10000.00"
    assert computed("subsistence")["income_average"] == "300.00"
    assert computed("unemployment_benefit")["months_at_most"] == 18
    assert computed("planning_permit")["far"] == 1.15


# -- who, where, and what citizens ask ------------------------------------------------------------------


def test_people_work_somewhere() -> None:
    by_role: dict[str, set[str]] = {}
    for row in DEMO["people"]:
        by_role.setdefault(row["role"], set()).add(row.get("department_id", row.get("hall_id", "")))
    assert by_role["officer"] == by_role["section_head"] == by_role["leader"] == DEPARTMENTS.keys()
    logins = [row["login"] for row in DEMO["people"]]
    assert len(set(logins)) == len(logins) == len({row["name"] for row in DEMO["people"]})
    assert {staff for window in HALL["windows"] for staff in window["staff"]} <= set(logins)
    for row in DEMO["organisations"]:
        assert check_phone(row["phone"]) is None
        assert row["address"]


def test_windows_stand_in_the_hall_apart_and_handle_everything() -> None:
    windows = HALL["windows"]
    places = {place["name"] for place in DEMO["places"]}
    for window in windows:
        assert window.keys() >= _PLAN
        assert window["name"] in places
        assert window["area"] in HALL["settings"]["areas"]
        assert 0 <= window["x"] <= 30 - window["w"]
        assert 0 <= window["y"] <= 18 - window["h"]
        for other in windows:
            assert other is window or abs(other["x"] - window["x"]) >= window["w"], "they do not overlap"
    for item in ITEMS:
        (group,) = item["window_groups"]
        doing = [window["name"] for window in windows if offers(window, item, group)]
        assert doing, f"{item['name']}: a ticket of group {group} is called by nobody"


def test_invented_people_and_firms_have_sound_numbers() -> None:
    people, firms = BASE["people"], BASE["firms"]
    assert len(people) >= 30
    assert len(firms) >= 10
    for row in people:
        read = read_resident_id(row["id_number"], TODAY)
        assert not isinstance(read, Refusal), row
        assert (read.sex, read.birth.isoformat()) == (row["sex"], row["birth"]), row["name"]
        assert check_phone(row["phone"]) is None
    for row in firms:
        assert check_credit_code(row["credit_code"]) is None, row["name"]
        assert check_organisation_code(row["credit_code"][8:17]) is None, row["name"]
    assert len({row["id_number"] for row in people}) == len(people)
    assert len({row["credit_code"] for row in firms}) == len(firms)


def test_bookings_are_of_known_people_and_items() -> None:
    known = [person_of("hall-1", row["name"], row["id_number"], row["phone"]) for row in BASE["people"]]
    for booking in read("bookings.json"):
        assert booking["person"] in known
        assert any(item["id"] == booking["item_id"] and item["elements"]["booking"] for item in ITEMS)


def test_applications_are_readable_and_some_lack_what_a_pre_review_finds() -> None:
    complete = []
    for application in read("applications.json"):
        (item,) = (item for item in ITEMS if item["id"] == application["item_id"])
        assert applicant_faults(application, TODAY) == {}
        assert shape_faults(item, application["materials"]) == {}
        received = {material["id"] for material in application["materials"]}
        lacking = [m["id"] for m in item["materials"] if m["required"] and m["id"] not in received]
        complete.append(not lacking and not form_faults(item, application, TODAY))
    assert set(complete) == {True, False}


def test_knowledge_points_to_what_exists() -> None:
    assert len(KNOWLEDGE) >= 60
    assert len({entry["id"] for entry in KNOWLEDGE}) == len({entry["title"] for entry in KNOWLEDGE}) == len(KNOWLEDGE)
    assert {entry["kind"] for entry in KNOWLEDGE} == set(SORTS)
    assert {entry["department_id"] for entry in KNOWLEDGE} == DEPARTMENTS.keys()
    for entry in KNOWLEDGE:
        assert all(len(entry[key]) <= most for key, most in LONGEST.items())
        materials = {m["id"] for code in entry["item_codes"] for m in BY_CODE[code]["materials"]}
        assert set(entry["material_ids"]) <= materials, entry["title"]


def test_dictionaries_have_words() -> None:
    names = {row["name"] for row in read("dictionaries.json")}
    assert {"项目类别", "申报类别", "项目类型", "不予受理依据", "监察时限"} <= names
    for row in read("dictionaries.json"):
        values = [entry["value"] for entry in row["entries"]]
        assert values
        assert len(set(values)) == len(values)


# -- the words ------------------------------------------------------------------------------------------

HAN = r"[\u3400-\u9fff“”《》（）、。，；：？！]"
HALF_WIDTH = re.compile(rf"{HAN}[,:;?!()]|[,:;?!()]{HAN}")


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("path", sorted(SEEDS.rglob("*.json")), ids=lambda path: path.stem)
def test_chinese_is_set_with_chinese_punctuation(path: Path) -> None:
    for text in texts(json.loads(path.read_text("utf-8"))):
        assert not HALF_WIDTH.search(text), text


# -- in the database ------------------------------------------------------------------------------------


def test_a_seeded_hall_is_ready_to_work_and_stays_as_people_leave_it(tmp_path: Path) -> None:
    clock = FixedClock(datetime(2026, 11, 20, 2, 24, tzinfo=UTC))
    with closing(Services(Config(tmp_path), clock)) as services:
        seed(services)
        commands = services.commands
        assert {case["state"] for case in commands.find("case")} == {"applied"}
        days = sorted(booking["day"] for booking in commands.find("booking"))
        assert (days[0], days[-1]) == ("2026-11-23", "2026-11-25"), "a Friday's bookings are for the next working days"
        (person_known,) = commands.with_number("base_person", "341103 19900512 0015")
        assert person_known["name"] == "张三"
        with services.database.read() as session:
            fed = set(session.execute(select(ChangeRow.kind).distinct()).scalars())
        assert "knowledge" in fed
        assert not {kind for kind in fed if kind.startswith("base_")}, "who is known is told only to who asks"
        window = commands.get("window", "hall-1-w3")
        assert window is not None
        person = services.people.id_of("zhangsan")
        assert person in window["staff"]

        commands.give("window", "hall-1-w3", "window.edit", {"name": "咨询窗"}, actor=SYSTEM)
        for booking in commands.find("booking"):
            commands.give("booking", booking["id"], "booking.cancel", {})
        seed(services)
        window = commands.get("window", "hall-1-w3")
        assert window is not None
        assert window["name"] == "咨询窗"
        assert {booking["state"] for booking in commands.find("booking")} == {"cancelled"}
