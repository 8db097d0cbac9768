"""Standing delegations: made and ended by who delegates, and taken by approval as they are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from modules.common import workflow
from modules.common.aggregate import Command, Context, Doc, apply
from modules.common.calendar import WorkCalendar
from modules.common.delegations import DELEGATION
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from tests.support.walks import CLERK, HEAD, MARKET, OFFICER, POLICE_OFFICER, START, named

ID = "0199f2a4-0000-7000-8000-0000000000d1"
BODY = {"from": workflow.principal(OFFICER), "to": named(POLICE_OFFICER), "since": "2026-11-20", "until": "2026-11-22"}


def give(state: Doc | None, type: str, body: Doc, actor: Actor) -> Any:
    command = Command(id=ID, kind="delegation", aggregate_id=ID, type=type, body=body)
    outcome = apply(DELEGATION, state, command, Context(START, actor, WorkCalendar()))
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def test_a_flow_takes_a_standing_delegation_until_its_last_day() -> None:
    doc = give(None, "delegation.put", BODY, OFFICER)
    flow = workflow.begin(workflow.TEMPLATES["simple"], START, department=MARKET)
    refs = {("delegation", ID): doc}

    def verbs(days: int, record: Doc) -> set[str]:
        return {
            offer.verb
            for offer in workflow.offered(
                flow, POLICE_OFFICER, START + timedelta(days=days), {("delegation", ID): record}
            )
        }

    assert "approve" in verbs(2, doc)
    assert "approve" not in verbs(3, doc)
    assert "approve" not in verbs(0, give(doc, "delegation.remove", {}, OFFICER))
    events = workflow.decide(flow, "approve", {"visit": 1}, Context(START, POLICE_OFFICER, WorkCalendar(), "", refs))
    assert not isinstance(events, Refusal)
    assert events[0].body["text"] == "周八受王五委托拟同意"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"from": workflow.principal(HEAD)}, "from"),
        ({"from": {**workflow.principal(OFFICER), "roles": ["leader"]}}, "from"),
        ({"from": None}, "from"),
        ({"to": named(OFFICER)}, "to"),
        ({"to": None}, "to"),
        ({"since": "soon"}, "since"),
        ({"until": "2026-11-19"}, "until"),
        ({"until": "2027-11-22"}, "until"),
        ({"since": "2026-11-23"}, "until"),
        ({"until": 5}, "until"),
    ],
)
def test_what_is_no_delegation(change: dict[str, Any], field: str) -> None:
    refusal = give(None, "delegation.put", {**BODY, **change}, OFFICER)
    assert refusal.code == "REG-001"
    assert refusal.fields.keys() == {field}


@pytest.mark.parametrize(
    ("known", "taken"),
    [
        (None, True),  # a counter does not know: the server will say
        ({"name": "周八", "active": True}, True),
        ({"name": "周八", "active": False}, False),
        ({"name": "别人", "active": True}, False),
    ],
)
def test_nobody_delegates_to_who_is_not_there(known: dict[str, Any] | None, taken: bool) -> None:
    command = Command(id=ID, kind="delegation", aggregate_id=ID, type="delegation.put", body=BODY)
    (key,) = DELEGATION.refs(command)
    assert key == ("staff", POLICE_OFFICER.id)
    refs = {key: {"id": POLICE_OFFICER.id, **known}} if known else {}
    outcome = apply(DELEGATION, None, command, Context(START, OFFICER, WorkCalendar(), "", refs))
    assert isinstance(outcome, Refusal) != taken
    if isinstance(outcome, Refusal):
        assert outcome.code == "WF-031"
        assert "周八" in outcome.message


@pytest.mark.parametrize("type", ["delegation.put", "delegation.remove"])
def test_nobody_else_changes_or_ends_it(type: str) -> None:
    doc = give(None, "delegation.put", BODY, OFFICER)
    for actor in (POLICE_OFFICER, CLERK):
        assert give(doc, type, {**BODY, "from": workflow.principal(actor)}, actor).code == "WF-030"


def test_both_persons_and_the_department_hear_of_it() -> None:
    doc = give(None, "delegation.put", BODY, OFFICER)
    assert DELEGATION.scopes(doc) == {"person:wangwu", "person:zhouba", "dept:dept-market"}
    assert DELEGATION.summary(doc).title == "王五 → 周八"
    assert DELEGATION.scopes(give(None, "delegation.put", {**BODY, "from": workflow.principal(CLERK)}, CLERK)) == {
        "person:zhangsan",
        "person:zhouba",
    }
