"""Records kept by hand: made, changed, taken out of use, revived, and refused in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from modules.common.aggregate import Command, Context, Doc, Summary, apply
from modules.common.calendar import WorkCalendar
from modules.common.errors import Refusal
from modules.common.ids import is_aggregate_id, uuid7
from modules.common.permissions import SYSTEM, Actor
from modules.common.register import make_register

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
KEEPER = Actor("p-1", "sunqi", "孙七", permissions=frozenset({"desk.keep"}))
FORM = {
    "schema": {
        "type": "object",
        "properties": {
            "name": {"type": "string", "title": "名称"},
            "hall": {"type": "string", "title": "大厅"},
            "seats": {"type": "integer", "title": "座位"},
        },
        "required": ["name"],
    },
    "layout": [{"title": "", "fields": ["name", "hall", "seats"]}],
}


def crowded(doc: Doc, context: Context) -> dict[str, str]:
    return {"seats": f"{doc['id']} 坐不下"} if doc.get("seats", 0) > 3 else {}


DESK = make_register(
    "desk",
    permission="desk.keep",
    form=FORM,
    validate=crowded,
    scopes=lambda doc: frozenset({f"hall:{doc.get('hall', '')}"}),
    summary=lambda doc: Summary(doc["name"], doc["state"]),
)


def give(state: Doc | None, type: str, body: dict[str, Any], actor: Actor = KEEPER) -> Doc | Refusal:
    context = Context(NOW, actor, WorkCalendar({}))
    outcome = apply(DESK, state, Command(uuid7(), "desk", "w-3", type, body), context)
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def give_at(state: Doc | None, rev: int, base: int, actor: Actor, type: str = "desk.put") -> Doc | Refusal:
    """``give`` on revision ``rev`` by somebody who had ``base`` in sight."""
    context = Context(NOW, actor, WorkCalendar({}), rev=rev)
    command = Command(uuid7(), "desk", "w-3", type, {"name": f"{actor.name}的"}, base_rev=base)
    outcome = apply(DESK, state, command, context)
    return outcome if isinstance(outcome, Refusal) else outcome[0]


OTHER = Actor("p-2", "zhouba", "周八", permissions=frozenset({"desk.keep"}))


@pytest.mark.parametrize("type", ["desk.put", "desk.remove"])
def test_whoever_did_not_see_the_last_change_does_not_overwrite_it(type: str) -> None:
    theirs = give_at(made(), 1, 1, OTHER)
    assert not isinstance(theirs, Refusal)
    late = give_at(theirs, 2, 1, KEEPER, type)
    assert isinstance(late, Refusal)
    assert late.code == "REG-005"
    assert "周八已先于您修改（2026-11-20 09:00）" in late.message
    seen = give_at(theirs, 2, 2, KEEPER, type)
    assert not isinstance(seen, Refusal)


def test_two_changes_of_ones_own_follow_each_other_unsent() -> None:
    """The second was given before the first had come back: its base is as old."""
    first = give_at(made(), 1, 1, OTHER)
    assert not isinstance(first, Refusal)
    assert not isinstance(give_at(first, 2, 1, OTHER), Refusal)


def test_a_record_that_somebody_else_has_made_meanwhile_is_not_made_again() -> None:
    late = give_at(made(), 1, 0, OTHER)
    assert isinstance(late, Refusal)
    assert late.code == "REG-005"


def test_what_the_server_has_published_since_is_not_overwritten_unseen() -> None:
    late = give_at({"id": "w-3", "name": "发布的"}, 2, 1, KEEPER)
    assert isinstance(late, Refusal)
    assert "系统已先于您修改（时间不详）" in late.message


def made(**fields: Any) -> Doc:
    doc = give(None, "desk.put", {"name": "三号", **fields})
    assert not isinstance(doc, Refusal)
    return doc


def test_a_record_is_its_fields_and_who_changed_it_when() -> None:
    doc = made(hall="h1", seats=2)
    assert doc == {
        "name": "三号",
        "hall": "h1",
        "seats": 2,
        "id": "w-3",
        "state": "active",
        "changed_at": "2026-11-20T01:00:00.000Z",
        "changed_by": {"id": "p-1", "name": "孙七"},
    }
    assert DESK.scopes(doc) == {"hall:h1"}
    assert DESK.summary(doc) == Summary("三号", "active")


def test_putting_replaces_all_fields_and_what_is_ours_cannot_be_put() -> None:
    doc = give(made(seats=2), "desk.put", {"name": "四号", "id": "other", "state": "removed", "changed_at": "x"})
    assert not isinstance(doc, Refusal)
    assert "seats" not in doc
    assert (doc["name"], doc["id"], doc["state"]) == ("四号", "w-3", "active")


def test_a_removed_record_keeps_its_fields_and_can_be_put_again() -> None:
    gone = give(made(seats=2), "desk.remove", {})
    assert not isinstance(gone, Refusal)
    assert (gone["state"], gone["seats"]) == ("removed", 2)
    again = give(gone, "desk.remove", {})
    assert isinstance(again, Refusal)
    assert again.code == "REG-002"
    back = give(gone, "desk.put", {"name": "三号"})
    assert not isinstance(back, Refusal)
    assert back["state"] == "active"


@pytest.mark.parametrize(
    ("type", "body", "code", "fields"),
    [
        ("desk.remove", {}, "REG-002", set()),
        ("desk.burn", {}, "REG-003", set()),
        ("desk.put", {}, "REG-001", {"name"}),
        ("desk.put", {"name": "三号", "seats": 4}, "REG-001", {"seats"}),
        ("desk.put", {"seats": 4}, "REG-001", {"name", "seats"}),
        ("desk.put", {"name": "三号", "colour": "red"}, "REG-001", {"colour"}),
    ],
)
def test_what_is_refused(type: str, body: dict[str, Any], code: str, fields: set[str]) -> None:
    refusal = give(None, type, body)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, set(refusal.fields)) == (code, fields)


@pytest.mark.parametrize("type", ["desk.put", "desk.remove"])
def test_only_a_keeper_keeps(type: str) -> None:
    for actor in (Actor("p-2", "li", "李四"), SYSTEM):
        refusal = give(made(), type, {"name": "三号"}, actor)
        assert isinstance(refusal, Refusal)
        assert refusal.code == "AUTH-403"


@pytest.mark.parametrize(
    "id", ["hall-1-w3", "2026-12-12", "item-x@2", "a", "019aa2f3-0000-7000-8000-000000000001", "0" * 64]
)
def test_names_of_aggregates(id: str) -> None:
    assert is_aggregate_id(id)


@pytest.mark.parametrize("id", ["", "-a", "A", "a b", "a/b", "张三", "a\n", "0" * 65, "a:b"])
def test_what_names_no_aggregate(id: str) -> None:
    assert not is_aggregate_id(id)
