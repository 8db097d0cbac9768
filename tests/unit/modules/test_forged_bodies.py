"""Bodies that no window of ours would send: what they say is refused in words, and nothing without end is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modules.acceptance.domain import knowledge, queue, windows
from modules.acceptance.domain.cases import CASE
from modules.acceptance.domain.phrases import PHRASE
from modules.common.aggregate import Aggregate, Command, Context, Doc, Number, apply
from modules.common.calendar import WorkCalendar
from modules.common.clock import parse_iso
from modules.common.errors import Refusal
from modules.common.permissions import SYSTEM, Actor
from tests.support.fake_host import NOW, actor, filled, item
from tests.support.queue_hall import window

HUGE = "巨" * 20_000
ITEM = item()
WINDOW = window(1)
CLERK, MANAGER, OFFICER = actor(), actor("manager"), actor("officer", hall="", department="dept-market")
REFS = {("service_item", ITEM["id"]): ITEM, ("window", WINDOW["id"]): WINDOW}
TAKE = {"group": "A", "source": "id_card", "windows": [WINDOW["id"]], "person": {}}


def give(rules: Aggregate, state: Doc | None, type: str, body: Any, who: Actor = CLERK, series: str = "") -> Any:
    number = Number(series, 17) if series else None
    command = Command("c", rules.kind, "k1", type, body, number=number)
    refs = {key: REFS[key] for key in rules.refs(command) if key in REFS}
    outcome = apply(rules, state, command, Context(NOW, who, WorkCalendar(), "3号窗", refs))
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def taken(**body: Any) -> Any:
    return give(queue.TICKET, None, queue.TAKE, {**TAKE, **body}, series="3411AQA261120")


@pytest.mark.parametrize("value", [HUGE, {"a": {"b": 1}}, ["x"] * 500, [{"a": ["b"]}], [HUGE], 10**400])
@pytest.mark.parametrize(
    ("type", "who", "more"),
    [("case.apply", SYSTEM, {"hall_id": "hall-1"}), ("case.decline", CLERK, {"ground": "无", "text": "无"})],
)
def test_an_incomplete_application_is_still_a_readable_one(type: str, who: Actor, more: Doc, value: Any) -> None:
    body = {**filled(ITEM), **more}
    assert not isinstance(give(CASE, None, type, {**body, "form": {"trade_name": "短"}}, who), Refusal)
    for form in ({"trade_name": value}, {"stranger": value}, value):
        assert give(CASE, None, type, {**body, "form": form}, who).code == "ACC-013"


@pytest.mark.parametrize("image", [{"type": HUGE}, {"type": "text/html"}, {"size": 10**30}, {"size": 0}])
def test_a_page_is_a_picture_of_sensible_size(image: Doc) -> None:
    body = filled(ITEM)
    page = {"sha256": "a" * 64, "size": 5, "type": "image/jpeg"}
    for one, sound in ((page, True), ({**page, **image}, False)):
        body["materials"][0]["images"] = [one]
        outcome = give(CASE, None, "case.accept", body, series="3411A")
        assert isinstance(outcome, Refusal) is not sound


@pytest.mark.parametrize("more", [{"window_id": HUGE}, {"ticket": {"id": HUGE, "number": HUGE}}])
def test_what_an_acceptance_says_beside_the_case_has_an_end(more: Doc) -> None:
    case = give(CASE, None, "case.accept", {**filled(ITEM), **more}, series="3411A")
    assert HUGE not in json.dumps(case, ensure_ascii=False)


def test_a_tickets_number_is_no_cases() -> None:
    assert give(CASE, None, "case.accept", filled(ITEM), series="3411AQA261120").code == "NUM-002"


@pytest.mark.parametrize("change", [{"windows": 5}, {"windows": None}, {"priority_class": HUGE}, {"source": []}])
def test_a_ticket_is_not_taken_with_nonsense(change: Doc) -> None:
    assert taken()["number"] == "A017"
    assert taken(**change).code == "ACC-205"


def test_a_first_call_cannot_follow_another() -> None:
    call = {"window": WINDOW["id"], "seen": "made up"}
    assert give(queue.TICKET, taken(), queue.CALL, call).code == "ACC-211"


@pytest.mark.parametrize("change", [{"after": HUGE}, {"place_at": "0001-01-01T00:00:00+23:59"}, {"place_at": None}])
def test_a_ticket_goes_back_to_a_place_that_there_is(change: Doc) -> None:
    state = {**taken(), "state": queue.SKIPPED}
    sound = {"place_at": state["place_at"], "after": "A018"}
    assert give(queue.TICKET, state, queue.REQUEUE, sound)["after"] == "A018"
    assert give(queue.TICKET, state, queue.REQUEUE, {**sound, **change}).code == "ACC-220"


def test_a_moment_before_all_calendars_is_no_moment() -> None:
    with pytest.raises(ValueError, match="calendars"):
        parse_iso("0001-01-01T00:00:00+23:59")


@pytest.mark.parametrize(
    "change", [{"x": 10**400}, {"w": 1e300}, {"area": HUGE}, {"staff": [HUGE]}, {"item_codes": ["a"] * 5000}]
)
def test_a_window_fits_on_a_floor_plan(change: Doc) -> None:
    admin = actor("sysadmin", hall="")
    sound = {"hall_id": "hall-1", "name": "9号窗", "x": 3, "area": "一楼"}
    assert give(windows.WINDOW, None, windows.CREATE, sound, admin)["x"] == 3
    assert give(windows.WINDOW, None, windows.CREATE, {**sound, **change}, admin).fields.keys() == change.keys()


@pytest.mark.parametrize(
    "body",
    [
        {"part": [], "value": 1},
        {"part": "areas", "value": [HUGE]},
        {"part": "groups", "value": {"A": {"name": HUGE}}},
        {"part": "texts", "value": {"messages": {"called": HUGE}}},
    ],
)
def test_a_halls_settings_have_an_end(body: Doc) -> None:
    command = Command("c", "queue_settings", "hall-1", windows.SET, body)
    outcome = windows.QUEUE_SETTINGS.decide(None, command, Context(NOW, MANAGER, WorkCalendar()))
    assert isinstance(outcome, Refusal)


@pytest.mark.parametrize("change", [{"basis": [HUGE]}, {"item_codes": [HUGE]}, {"material_ids": ["m"] * 500}])
def test_what_knowledge_is_tied_to_has_an_end(change: Doc) -> None:
    sound = {"department_id": "dept-market", "kind": "faq", "title": "问", "text": "答"}
    assert give(knowledge.KNOWLEDGE, None, knowledge.PUT, sound, OFFICER)["title"] == "问"
    outcome = give(knowledge.KNOWLEDGE, None, knowledge.PUT, {**sound, **change}, OFFICER)
    assert outcome.fields.keys() == change.keys()
    ask = {"text": "不准", "department_id": "dept-market"}
    assert give(knowledge.KNOWLEDGE_REQUEST, None, knowledge.ASK, ask)["entry_id"] == ""
    for forged in ({"entry_id": HUGE}, {"item_code": 5}, {"department_id": HUGE}):
        assert give(knowledge.KNOWLEDGE_REQUEST, None, knowledge.ASK, {**ask, **forged}).code == "ACC-328"


def test_a_kept_record_has_an_end() -> None:
    sound = {"owner": CLERK.id, "text": "材料齐全"}
    assert give(PHRASE, None, "phrase.put", sound)["text"] == "材料齐全"
    assert give(PHRASE, None, "phrase.put", {**sound, "more": HUGE * 11}).code == "REG-004"
