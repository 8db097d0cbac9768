"""The rules of a case: every step by everyone, every fault, and a model that the rules must agree with."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modules.acceptance.domain.cases import ACCEPTED, CASE, CLOSED, DECIDED, state_name
from modules.common.aggregate import Command, Context, Doc, Number, apply
from modules.common.calendar import WorkCalendar
from modules.common.errors import Refusal
from modules.common.manifest import rules_of
from modules.common.permissions import Actor
from tests.support.fake_host import NOW, actor, filled, item

ITEM = item()
CLERK = actor()
OFFICER = actor("officer", hall="", department="dept-market", name="王五")
STRANGER = actor("officer", hall="", department="dept-police", name="周八")
MANAGER = actor("manager", name="孙七")
OTHER_HALL = actor("manager", hall="hall-2", name="钱八")
ADMIN = actor("sysadmin", hall="hall-1", name="吴系统")
NUMBER = Number("3411A", 42)
CASE_ID = "0199f2a4-0000-7000-8000-0000000000aa"


def give(
    state: Doc | None,
    type: str,
    body: Mapping[str, Any],
    who: Actor,
    *,
    now: datetime = NOW,
    number: Number | None = NUMBER,
    served: Mapping[str, Any] | None = ITEM,
) -> Doc | Refusal:
    """What becomes of a case, as client and server find out."""
    command = Command("c", "case", CASE_ID, type, body, number=number if type == "case.accept" else None)
    served_refs = {key: served for key in CASE.refs(command) if served is not None}
    outcome = apply(CASE, state, command, Context(now, who, WorkCalendar(), "3号窗", served_refs))
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def case_in(state: str) -> Doc | None:
    """A case brought into a state."""
    if not state:
        return None
    case = give(None, "case.accept", filled(ITEM), CLERK)
    assert not isinstance(case, Refusal)
    if state != ACCEPTED:
        case = give(case, "case.decide", {"result": "approved", "opinion": "材料齐全"}, OFFICER)
        assert not isinstance(case, Refusal)
    if state == CLOSED:
        case = give(case, "case.close", {}, OFFICER)
        assert not isinstance(case, Refusal)
    return case


def test_the_manifest_finds_the_rules() -> None:
    assert rules_of("case") is CASE


def test_an_accepted_case_says_all() -> None:
    case = give(None, "case.accept", filled(ITEM, id_number="11010519491231002x"), CLERK)
    assert not isinstance(case, Refusal)
    assert case["number"] == "3411A-20261120-000042"
    assert case["applicant"]["id_number"] == "11010519491231002X"
    assert case["due"] == {"date": "2026-11-25", "provisional": False}
    assert case["item"] == {**{key: ITEM[key] for key in case["item"] if key in ITEM}, "joint": []}
    assert [material["name"] for material in case["materials"]] == [m["name"] for m in ITEM["materials"][:3]]
    assert (case["hall_id"], case["place"]) == ("hall-1", "3号窗")
    assert case["decision"] is None
    assert [line["event"] for line in case["history"]] == ["case.accepted"]
    assert json.loads(json.dumps(case)) == case, "a case is stored and sent as JSON"


def test_the_number_carries_chinas_date() -> None:
    late = datetime.fromisoformat("2026-11-20T16:30:00+00:00")  # 00:30 of the 21st in China
    case = give(None, "case.accept", filled(ITEM), CLERK, now=late)
    assert not isinstance(case, Refusal)
    assert case["number"].startswith("3411A-20261121-")


def test_a_term_into_an_unpublished_year_is_provisional() -> None:
    case = give(None, "case.accept", filled(ITEM), CLERK, now=NOW + timedelta(days=41))
    assert not isinstance(case, Refusal)
    assert case["due"] == {"date": "2027-01-06", "provisional": True}


def test_what_lists_need() -> None:
    case = case_in(ACCEPTED)
    assert case
    summary = CASE.summary(case)
    assert (summary.title, summary.state, summary.number) == (
        "李晓明 · 个体工商户设立登记",
        ACCEPTED,
        "3411A-20261120-000042",
    )
    assert summary.due == date(2026, 11, 25)
    assert all(word in summary.search for word in ("李晓明", "13855012345", "11010519491231002X"))
    assert CASE.scopes(case) == {"hall:hall-1", "dept:dept-market"}


PEOPLE = {
    "clerk": CLERK,
    "officer": OFFICER,
    "stranger": STRANGER,
    "manager": MANAGER,
    "other hall": OTHER_HALL,
    "admin": ADMIN,
}
BODIES = {
    "case.accept": filled(ITEM),
    "case.decide": {"result": "approved", "opinion": ""},
    "case.close": {},
}
NEXT = {("", "case.accept"): ACCEPTED, (ACCEPTED, "case.decide"): DECIDED, (DECIDED, "case.close"): CLOSED}
ALLOWED = {
    "case.accept": {"clerk", "manager", "other hall"},
    "case.decide": {"officer"},
    "case.close": {"officer", "manager"},
}


@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("type", BODIES)
@pytest.mark.parametrize("before", ["", ACCEPTED, DECIDED, CLOSED])
def test_every_step_by_everyone(before: str, type: str, person: str) -> None:
    state = case_in(before)
    kept = copy.deepcopy(state)
    outcome = give(state, type, BODIES[type], PEOPLE[person])
    if person in ALLOWED[type] and (before, type) in NEXT:
        assert not isinstance(outcome, Refusal)
        assert outcome["state"] == NEXT[before, type]
        assert len(outcome["history"]) == len(state["history"]) + 1 if state else True
    else:
        assert isinstance(outcome, Refusal)
        assert outcome.message
    assert state == kept, "rules change no document in place"


@pytest.mark.parametrize("before", [DECIDED, CLOSED])
def test_who_comes_second_reads_who_was_first(before: str) -> None:
    outcome = give(case_in(before), "case.decide", {"result": "rejected", "opinion": "晚了"}, OFFICER)
    assert isinstance(outcome, Refusal)
    assert outcome.code == "ACC-012"
    assert state_name(before) in outcome.message
    assert "王五" in outcome.message
    assert "11月20日 10:24" in outcome.message


def test_closing_before_a_decision_says_what_is_missing() -> None:
    outcome = give(case_in(ACCEPTED), "case.close", {}, OFFICER)
    assert isinstance(outcome, Refusal)
    assert "还没有审批决定" in outcome.message


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "result"),
        ({"result": "maybe"}, "result"),
        ({"result": ["approved"]}, "result"),
        ({"result": "rejected"}, "opinion"),
        ({"result": "rejected", "opinion": "  "}, "opinion"),
        ({"result": "approved", "opinion": 5}, "opinion"),
        ({"result": "approved", "opinion": "长" * 501}, "opinion"),
    ],
)
def test_decisions_that_are_none(body: dict[str, Any], field: str) -> None:
    outcome = give(case_in(ACCEPTED), "case.decide", body, OFFICER)
    assert isinstance(outcome, Refusal)
    assert field in outcome.fields


def changed(**parts: Any) -> dict[str, Any]:
    return {**filled(ITEM), **parts}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (filled(ITEM, name=""), "applicant.name"),
        (filled(ITEM, id_number="110105194912310021"), "applicant.id_number"),
        (filled(ITEM, id_number="11010520261231002X"), "applicant.id_number"),
        (filled(ITEM, id_type="visa"), "applicant.id_type"),
        (changed(applicant=None), "applicant.name"),
        (changed(form=[]), "form.trade_name"),
        (changed(form={**filled(ITEM)["form"], "composition": "family"}), "form.family_members"),
        (changed(form={**filled(ITEM)["form"], "secret": 1}), "form.secret"),
        (changed(materials=None), "materials"),
        (changed(materials=["m1"]), "materials"),
        (changed(materials=[]), "materials.m1"),
        (changed(materials=[{"id": "m9", "pages": 1, "kind": "paper", "received": True}]), "materials"),
        (changed(materials=[{"id": ["m1"], "received": True}]), "materials"),
        (changed(materials=filled(ITEM)["materials"][:1] * 2), "materials.m1"),
        (changed(materials=[{"id": "m1", "pages": 0, "kind": "paper", "received": True}]), "materials.m1"),
        (changed(materials=[{"id": "m1", "pages": True, "kind": "paper", "received": True}]), "materials.m1"),
        (changed(materials=[{"id": "m1", "pages": 10**6, "kind": "paper", "received": True}]), "materials.m1"),
        (changed(materials=[{"id": "m1", "pages": 1, "kind": "stone", "received": True}]), "materials.m1"),
        (changed(materials=[{"id": "m1", "pages": 1, "kind": "paper", "received": "yes"}]), "materials.m1"),
    ],
)
def test_nonsense_is_refused_at_its_field(body: dict[str, Any], field: str) -> None:
    outcome = give(None, "case.accept", body, CLERK)
    assert isinstance(outcome, Refusal)
    assert outcome.code == "ACC-013"
    assert field in outcome.fields


def test_what_acceptance_needs_beside_its_body() -> None:
    for options, code in (
        ({"number": None}, "NUM-002"),
        ({"served": None}, "ACC-005"),
        ({"served": {**ITEM, "form": {}}}, "FORM-900"),
    ):
        outcome = give(None, "case.accept", filled(ITEM), CLERK, **options)  # type: ignore[arg-type]
        assert isinstance(outcome, Refusal)
        assert outcome.code == code


def test_somebody_without_a_hall_cannot_accept() -> None:
    outcome = give(None, "case.accept", filled(ITEM), actor("clerk", hall=""))
    assert isinstance(outcome, Refusal)
    assert outcome.code == "ACC-003"


def test_an_older_version_of_the_item_stands_while_it_meets_the_newer() -> None:
    newer = {**ITEM, "version": 2}
    assert not isinstance(give(None, "case.accept", filled(ITEM), CLERK, served=newer), Refusal)
    stricter = copy.deepcopy(newer)
    stricter["materials"][3]["required"] = True
    outcome = give(None, "case.accept", filled(ITEM), CLERK, served=stricter)
    assert isinstance(outcome, Refusal)
    assert outcome.code == "ACC-014"
    assert list(outcome.fields) == ["materials.m4"]


def test_an_unknown_command_asks_for_an_upgrade() -> None:
    outcome = give(case_in(ACCEPTED), "case.fly", {}, OFFICER)
    assert isinstance(outcome, Refusal)
    assert outcome.code == "ACC-002"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(filled(ITEM))), json_values, st.sampled_from(["", ACCEPTED]))
def test_no_body_breaks_the_rules(key: str, value: Any, before: str) -> None:
    for type in ("case.accept", "case.decide", "case.close"):
        outcome = give(case_in(before), type, {**filled(ITEM), key: value}, CLERK)
        assert isinstance(outcome, (Refusal, dict))


class CaseModel(RuleBasedStateMachine):
    """Anyone may try anything in any order; the model knows what must come of it."""

    def __init__(self) -> None:
        super().__init__()
        self.case: Doc | None = None
        self.expected = ""
        self.steps = 0

    def attempt(self, type: str, person: str, body: Mapping[str, Any]) -> None:
        outcome = give(self.case, type, body, PEOPLE[person])
        after = NEXT.get((self.expected, type)) if person in ALLOWED[type] else None
        if after is None:
            assert isinstance(outcome, Refusal)
            return
        assert not isinstance(outcome, Refusal), outcome
        self.case, self.expected, self.steps = outcome, after, self.steps + 1

    @rule(person=st.sampled_from(["clerk", "officer", "stranger", "admin"]))
    def accept(self, person: str) -> None:
        self.attempt("case.accept", person, filled(ITEM))

    @rule(person=st.sampled_from(sorted(PEOPLE)), result=st.sampled_from(["approved", "rejected"]))
    def decide(self, person: str, result: str) -> None:
        self.attempt("case.decide", person, {"result": result, "opinion": "意见"})

    @rule(person=st.sampled_from(["clerk", "officer", "stranger", "manager", "other hall", "admin"]))
    def close(self, person: str) -> None:
        self.attempt("case.close", person, {})

    @precondition(lambda self: self.case is not None)
    @invariant()
    def agrees(self) -> None:
        assert self.case
        assert self.case["state"] == self.expected
        assert len(self.case["history"]) == self.steps
        assert (self.case["decision"] is not None) == (self.expected in (DECIDED, CLOSED))
        assert CASE.scopes(self.case) == {"hall:hall-1", "dept:dept-market"}


CaseModel.TestCase.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
test_model = CaseModel.TestCase
