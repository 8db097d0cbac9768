"""Commands that the server gives itself: the same rules, feeds and log as a device's, on both databases."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import FixedClock
from modules.common.errors import Refusal, Refused
from modules.common.ids import uuid7
from modules.common.permissions import SYSTEM, forbidden
from modules.common.server_ports import Reference
from modules.common.statement import read
from server_stub import feed
from server_stub.config import Config
from server_stub.services import Services
from server_stub.tables import AuditRow, CommandRow, EventRow
from tests.support.central import QUICK, START, Central, memo_rules
from tests.support.servers import postgres


class ChoreRules:
    """``chore.set`` due and place; ``chore.done`` for the server alone."""

    kind = "chore"

    def refs(self, command: Command) -> Sequence[Key]:
        return []

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if command.type == "chore.done":
            return [Event("done", {"by": context.actor.name})] if context.actor.may("system") else forbidden("system")
        if command.body.get("due") == "never":
            return Refusal("CHORE-001", "不行")
        body = {"id": command.aggregate_id, "state": "open", "place": context.place, **command.body}
        return [Event("set", body)]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        return {**(state or {}), **event.body, **({"state": "done"} if event.type == "done" else {})}

    def summary(self, state: Doc) -> Summary:
        return Summary("事", state["state"], due=date.fromisoformat(state["due"]))

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({state["scope"]})


CHORE = ChoreRules()


def rules(kind: str) -> Any:
    return CHORE if kind == "chore" else memo_rules(kind)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    def made(url: str) -> Iterator[Central]:
        clock = FixedClock(START)
        services = Services(Config(tmp_path_factory.mktemp("server"), url, settings=QUICK), clock, rules)
        try:
            yield Central(services, clock)
        finally:
            services.close()

    if request.param == "sqlite":
        yield from made("")
    else:
        with postgres() as url:
            yield from made(url)


def count(office: Central, table: Any, **where: Any) -> int:
    with office.services.database.read() as session:
        return session.execute(select(func.count()).select_from(table).filter_by(**where)).scalar_one()


def fed(office: Central, scope: str) -> list[tuple[str, str, int]]:
    with office.services.database.read() as session:
        page = json.loads(feed.page(session, office.services.identity.epoch, "", scope, 0, 500, ""))
    return [(change["op"], change["id"], change["rev"]) for change in page["changes"]]


def chore(office: Central, id: str, due: str = "2026-11-20", scope: str = "ref", **more: Any) -> int:
    return office.services.commands.give("chore", id, "chore.set", {"due": due, "scope": scope}, **more)


def test_a_command_of_the_servers_own_is_decided_kept_fed_and_audited(office: Central) -> None:
    commands, id, scope = office.services.commands, f"c-{uuid7()}", f"hall:{uuid7()}"
    assert chore(office, id, scope=scope) == 1
    assert commands.give("chore", id, "chore.done", {}) == 2
    doc = commands.get("chore", id)
    assert doc is not None
    assert (doc["state"], doc["by"]) == ("done", "系统")
    assert fed(office, scope) == [("put", id, 1), ("put", id, 2)]
    assert count(office, EventRow, aggregate_id=id) == 2
    assert count(office, AuditRow, subject=f"chore:{id}", person_id="system") == 2
    assert office.services.audit.verify().broken_at is None
    assert commands.get("chore", "nothing") is None


def test_a_repeated_job_does_its_work_once(office: Central) -> None:
    commands, id = office.services.commands, f"c-{uuid7()}"
    name = f"first:{id}"
    revs = []
    threads = [threading.Thread(target=lambda: revs.append(chore(office, id, command_id=name))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert revs == [1] * 6
    assert chore(office, id, command_id=f"second:{id}") == 2
    # the answer of a repetition is the first one's, whatever has happened since
    assert chore(office, id, command_id=name) == 1
    assert count(office, EventRow, aggregate_id=id) == 2
    assert count(office, CommandRow, aggregate_id=id) == 2
    with pytest.raises(Exception, match="SYNC-014"):
        commands.give("chore", id, "chore.done", {}, command_id=name)


def test_a_refusal_changes_nothing_and_may_be_tried_again_under_its_id(office: Central) -> None:
    id, name = f"c-{uuid7()}", uuid7()
    with pytest.raises(Refused) as caught:
        chore(office, id, due="never", command_id=name)
    assert caught.value.code == "CHORE-001"
    assert office.services.commands.get("chore", id) is None
    assert count(office, AuditRow, subject=f"chore:{id}") == 0
    assert chore(office, id, command_id=name) == 1


def test_a_route_gives_commands_for_its_caller_within_the_callers_reach(office: Central) -> None:
    counter = office.counter()
    actor, commands, id = read(counter.statement).actor(), office.services.commands, f"c-{uuid7()}"
    own = {"due": "2026-11-20", "scope": f"hall:{office.hall}"}
    assert commands.give("chore", id, "chore.set", own, actor=actor, device=counter.device) == 1
    doc = commands.get("chore", id)
    assert doc is not None
    assert doc["place"] == "3号窗"
    assert count(office, AuditRow, subject=f"chore:{id}", person_id=actor.id, device_id=counter.device) == 1
    for body, type, code in (
        (own, "chore.done", "AUTH-403"),
        ({**own, "scope": "hall:other"}, "chore.set", "AUTH-030"),
    ):
        elsewhere = id if type == "chore.done" else f"c-{uuid7()}"
        with pytest.raises(Refused) as caught:
            commands.give("chore", elsewhere, type, body, actor=actor, device=counter.device)
        assert caught.value.code == code
        assert count(office, AuditRow, subject=f"chore:{elsewhere}", action=f"{type}.refused") == 1
    other = f"c-{uuid7()}"
    chore(office, other, scope="hall:other")
    with pytest.raises(Refused, match="AUTH-030"):
        commands.give("chore", other, "chore.set", own, actor=actor)
    assert commands.give("chore", other, "chore.done", {}, actor=SYSTEM) == 2


def test_what_cannot_be_kept_is_refused_before_anything(office: Central) -> None:
    commands = office.services.commands
    for body in ({"due": "a\0b"}, {"due": float("nan")}, {"due": "\ud800"}):
        with pytest.raises(Refused, match="SYNC-002"):
            commands.give("chore", "c-x", "chore.set", body)
    for id in ("a b", "hall:other", "../x", "a\0"):
        with pytest.raises(Refused, match="SYNC-004"):
            commands.give("chore", id, "chore.set", {})
    with pytest.raises(Refused, match="SRV-004"):
        commands.give("seal", "c-x", "seal.use", {})


def test_documents_are_found_by_state_and_due_page_by_page(office: Central) -> None:
    commands, mark = office.services.commands, uuid7()
    ids = [f"z{mark}-{n:02d}" for n in range(25)]
    for n, id in enumerate(ids):
        chore(office, id, due=f"2026-12-{n + 1:02d}")
    commands.give("chore", ids[0], "chore.done", {})
    asked, after = [], f"z{mark}"
    while True:
        page = commands.find("chore", states=["open"], due_until=date(2026, 12, 21), after=after, limit=7)
        asked += [doc["id"] for doc in page]
        if len(page) < 7:
            break
        after = page[-1]["id"]
    assert asked == ids[1:21]
    assert [doc["id"] for doc in commands.find("chore", states=["done"], after=f"z{mark}")] == [ids[0]]


def test_published_documents_follow_their_rules_and_yield_to_commands(office: Central) -> None:
    commands, mark = office.services.commands, uuid7()
    mine, theirs, plain = f"p-{mark}", f"q-{mark}", f"r-{mark}"
    scope, elsewhere = f"hall:{mark}", f"dept:{mark}"

    def references(scope: str, due: str) -> list[Reference]:
        doc = {"due": due, "scope": scope, "state": "open"}
        made = [Reference("chore", id, {**doc, "id": id}) for id in (mine, theirs)]
        return [*made, Reference("ink", plain, {"colour": "蓝"}, "墨水", "No. 1")]

    assert commands.publish(references(scope, "2026-11-20")) == 3
    assert commands.publish(references(scope, "2026-11-20")) == 0
    commands.give("chore", theirs, "chore.done", {})
    assert commands.publish(references(elsewhere, "2026-11-21")) == 1
    assert ("put", plain, 1) in fed(office, "ref")
    assert fed(office, elsewhere) == [("put", mine, 2)]
    assert [entry for entry in fed(office, scope) if entry[1] == mine] == [("put", mine, 1), ("tombstone", mine, 2)]
    kept = commands.get("chore", theirs)
    assert kept is not None
    assert (kept["state"], kept["due"]) == ("done", "2026-11-20")
    assert [doc["id"] for doc in commands.find("chore", states=["open"], after=mine[:-1], limit=1)] == [mine]
