"""The knowledge base: who keeps an entry, what is offered beside a material, and that a request arrives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modules.acceptance.domain.knowledge import (
    ANSWER,
    ASK,
    KNOWLEDGE,
    KNOWLEDGE_REQUEST,
    PUT,
    RATE,
    REMOVE,
    at_hand,
    useful,
)
from modules.common.aggregate import Aggregate, Command, Context, Doc, apply
from modules.common.calendar import WorkCalendar
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from tests.support.fake_host import NOW, actor

OFFICER = actor("officer", hall="", department="dept-market", name="王五")
STRANGER = actor("officer", hall="", department="dept-social", name="赵六")
CLERK = actor("clerk")
ENTRY = {
    "department_id": "dept-market",
    "kind": "faq",
    "title": "住改商要什么",
    "text": "利害关系业主同意的证明。",
    "item_codes": ["341100SC-XK-0001"],
    "material_ids": ["m3"],
}


def given(rules: Aggregate, state: Doc | None, type: str, body: Doc, who: Actor = OFFICER) -> Doc | Refusal:
    outcome = apply(
        rules, state, Command("c", rules.kind, "k1", type, body), Context(NOW, who, WorkCalendar(), "3号窗")
    )
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def entry(id: str = "k1", **changes: Any) -> dict[str, Any]:
    made = given(KNOWLEDGE, None, PUT, {**ENTRY, **changes})
    assert not isinstance(made, Refusal)
    return {**made, "id": id}


def code(outcome: Doc | Refusal) -> str:
    assert isinstance(outcome, Refusal)
    return outcome.code


def test_a_department_keeps_its_own_entries_and_no_other_s() -> None:
    kept = entry()
    assert kept["history"][0]["by"]["name"] == "王五"
    assert code(given(KNOWLEDGE, kept, PUT, {**ENTRY, "title": "x"}, STRANGER)) == "ACC-323"
    assert code(given(KNOWLEDGE, kept, REMOVE, {}, STRANGER)) == "ACC-323"
    assert code(given(KNOWLEDGE, None, PUT, ENTRY, CLERK)) == "AUTH-403"
    taken = {**ENTRY, "department_id": "dept-social"}
    assert code(given(KNOWLEDGE, kept, PUT, taken, STRANGER)) == "ACC-323", "another's entry is not taken over"


def test_an_entry_changed_keeps_its_ratings_and_its_history() -> None:
    rated = given(KNOWLEDGE, entry(), RATE, {"useful": True}, CLERK)
    assert not isinstance(rated, Refusal)
    changed = given(KNOWLEDGE, rated, PUT, {**ENTRY, "text": "新的说法"})
    assert not isinstance(changed, Refusal)
    assert (changed["text"], useful(changed), len(changed["history"])) == ("新的说法", (1, 0), 3)


def test_one_person_has_one_opinion() -> None:
    state: Doc | Refusal = entry()
    for said in (True, True, False):
        assert not isinstance(state, Refusal)
        state = given(KNOWLEDGE, state, RATE, {"useful": said}, CLERK)
    assert not isinstance(state, Refusal)
    assert useful(state) == (0, 1)
    assert code(given(KNOWLEDGE, state, RATE, {"useful": 5}, CLERK)) == "ACC-325"


def test_every_fault_is_said_at_its_field() -> None:
    outcome = given(
        KNOWLEDGE, None, PUT, {"department_id": "dept-market", "kind": "x", "title": "长" * 81, "text": " "}
    )
    assert isinstance(outcome, Refusal)
    assert set(outcome.fields) == {"kind", "title", "text"}


def test_what_is_removed_is_gone_but_remembered() -> None:
    gone = given(KNOWLEDGE, entry(), REMOVE, {})
    assert not isinstance(gone, Refusal)
    assert at_hand([gone], "341100SC-XK-0001") == []
    assert code(given(KNOWLEDGE, gone, RATE, {"useful": True}, CLERK)) == "ACC-320"
    back = given(KNOWLEDGE, gone, PUT, ENTRY)
    assert not isinstance(back, Refusal)
    assert back["state"] == "current"


def test_the_material_at_hand_comes_first_then_the_item_then_what_is_of_use_everywhere() -> None:
    rated = {"p1": {"useful": True, "at": ""}}
    entries = [
        entry("everywhere", item_codes=[], material_ids=[]),
        entry("item", material_ids=[]),
        entry("item, liked", material_ids=[], title="z") | {"ratings": rated},
        entry("material"),
        entry("other material", material_ids=["m9"]),
        entry("other item", item_codes=["X"]),
    ]
    order = [found["id"] for found in at_hand(entries, "341100SC-XK-0001", "m3")]
    assert order == ["material", "item, liked", "item", "everywhere"]
    assert {found["id"] for found in at_hand(entries, "341100SC-XK-0001")} >= {"other material", "material"}


def test_a_request_arrives_at_the_department_and_is_answered_once() -> None:
    body = {
        "department_id": "dept-market",
        "text": "此条与新条例不符",
        "item_code": "341100SC-XK-0001",
        "entry_id": "k9",
    }
    asked = given(KNOWLEDGE_REQUEST, None, ASK, body, CLERK)
    assert not isinstance(asked, Refusal)
    assert KNOWLEDGE_REQUEST.scopes(asked) == {"dept:dept-market", f"person:{CLERK.id}"}
    assert code(given(KNOWLEDGE_REQUEST, asked, ASK, body, CLERK)) == "ACC-326"
    assert code(given(KNOWLEDGE_REQUEST, asked, ANSWER, {"answer": "已改"}, STRANGER)) == "ACC-323"
    assert code(given(KNOWLEDGE_REQUEST, asked, ANSWER, {"answer": " "})) == "ACC-330"
    done = given(KNOWLEDGE_REQUEST, asked, ANSWER, {"answer": "已改"})
    assert not isinstance(done, Refusal)
    assert (done["state"], done["answer"], done["place"]) == ("answered", "已改", "3号窗")
    again = given(KNOWLEDGE_REQUEST, done, ANSWER, {"answer": "再改"}, replace(OFFICER, name="别人"))
    assert isinstance(again, Refusal)
    assert "王五" in again.message


@pytest.mark.parametrize("text", ["", "  ", None, 5, "长" * 501])
def test_a_request_says_what_is_wrong(text: Any) -> None:
    assert code(given(KNOWLEDGE_REQUEST, None, ASK, {"department_id": "d", "text": text}, CLERK)) == "ACC-327"


@pytest.mark.parametrize("rules", [KNOWLEDGE, KNOWLEDGE_REQUEST])
def test_what_is_not_there_is_said_to_be_not_there(rules: Aggregate) -> None:
    assert code(given(rules, None, f"{rules.kind}.{'rate' if rules is KNOWLEDGE else 'answer'}", {})) in (
        "ACC-320",
        "ACC-321",
    )
    state = {"state": "current", "department_id": "dept-market"}
    assert code(given(rules, state, f"{rules.kind}.unheard_of", {})) == "ACC-322"
