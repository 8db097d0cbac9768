"""Four eyes: a role holds only when a second security administrator agrees, on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from modules.common.errors import GovDeskError
from modules.common.permissions import judge_grant_request
from modules.common.server_ports import Caller
from modules.common.statement import read
from server_stub.database import Database
from server_stub.tables import GrantRequest
from tests.support.central import Central, Counter, central
from tests.support.servers import postgres


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        with central(folder) as made:
            yield made
    else:
        with postgres() as url, central(folder, url) as made:
            yield made


def caller(counter: Counter) -> Caller:
    return Caller(read(counter.statement).actor(), counter.device)


@pytest.fixture
def pair(office: Central) -> tuple[Caller, Caller]:
    return caller(office.counter("secadmin")), caller(office.counter("secadmin"))


@pytest.fixture
def newcomer(office: Central) -> str:
    return office.services.people.id_of(office.person(""))


def roles(office: Central, person: str) -> list[str]:
    return next(view.roles for view in office.services.people.find("", 0, 500).items if view.id == person)


def code(told: pytest.ExceptionInfo[GovDeskError]) -> str:
    return told.value.code


def test_what_one_asks_for_holds_when_another_agrees(
    office: Central, pair: tuple[Caller, Caller], newcomer: str
) -> None:
    requests = office.services.grant_requests
    asked = requests.ask_role(pair[0], newcomer, "clerk", " 新到窗口 ")
    assert roles(office, newcomer) == []
    (waiting,) = [view for view in requests.waiting() if view.id == asked]
    assert (waiting.person_id, waiting.role, waiting.reason, waiting.asked_by_id) == (
        newcomer, "clerk", "新到窗口", pair[0].actor.id,
    )  # fmt: skip
    with pytest.raises(GovDeskError) as told:
        requests.decide(pair[0], asked, True)
    assert code(told) == "AUTH-063"
    assert roles(office, newcomer) == []
    requests.decide(pair[1], asked, True)
    assert roles(office, newcomer) == ["clerk"]
    assert asked not in [view.id for view in requests.waiting()]
    actions = [link.action for link in office.services.audit.find(limit=3).items]
    assert actions == ["role.grant", "role.agree", "role.ask"]


def test_a_no_and_a_change_of_mind_give_nothing(office: Central, pair: tuple[Caller, Caller], newcomer: str) -> None:
    requests = office.services.grant_requests
    for who in pair:
        asked = requests.ask_role(pair[0], newcomer, "clerk", "")
        requests.decide(who, asked, False)
        with pytest.raises(GovDeskError) as told:
            requests.decide(pair[1], asked, True)
        assert code(told) == "AUTH-062"
    assert roles(office, newcomer) == []


def test_a_request_lapses_and_may_be_made_anew(office: Central, pair: tuple[Caller, Caller], newcomer: str) -> None:
    requests = office.services.grant_requests
    asked = requests.ask_role(pair[0], newcomer, "clerk", "")
    with pytest.raises(GovDeskError) as told:
        requests.ask_role(pair[1], newcomer, "clerk", "")
    assert code(told) == "AUTH-060"
    office.clock.advance(timedelta(days=7, seconds=1).total_seconds())
    assert asked not in [view.id for view in requests.waiting()]
    with pytest.raises(GovDeskError) as told:
        requests.decide(pair[1], asked, True)
    assert code(told) == "AUTH-062"
    requests.decide(pair[1], requests.ask_role(pair[0], newcomer, "clerk", ""), True)
    with pytest.raises(GovDeskError) as told:
        requests.ask_role(pair[0], newcomer, "clerk", "")
    assert code(told) == "AUTH-061"


def test_nobody_asks_or_agrees_for_oneself_and_no_mixture_is_asked_for(
    office: Central, pair: tuple[Caller, Caller], newcomer: str
) -> None:
    requests = office.services.grant_requests
    with pytest.raises(GovDeskError) as told:
        requests.ask_role(pair[0], pair[0].actor.id, "secadmin", "")
    assert code(told) == "AUTH-024"
    requests.decide(pair[1], requests.ask_role(pair[0], newcomer, "clerk", ""), True)
    with pytest.raises(GovDeskError) as told:
        requests.ask_role(pair[0], newcomer, "auditadmin", "")
    assert code(told) == "AUTH-021"
    for role, wanted in (("king", "AUTH-028"), ("", "AUTH-028")):
        with pytest.raises(GovDeskError) as told:
            requests.ask_role(pair[0], newcomer, role, "")
        assert code(told) == wanted


def test_a_mixture_that_came_about_meanwhile_is_not_agreed_to(
    office: Central, pair: tuple[Caller, Caller], newcomer: str
) -> None:
    requests = office.services.grant_requests
    first = requests.ask_role(pair[0], newcomer, "clerk", "")
    second = requests.ask_role(pair[0], newcomer, "auditadmin", "")
    requests.decide(pair[1], first, True)
    with pytest.raises(GovDeskError) as told:
        requests.decide(pair[1], second, True)
    assert code(told) == "AUTH-021"
    assert roles(office, newcomer) == ["clerk"]


def test_the_database_itself_knows_two_pairs_of_eyes(
    office: Central, pair: tuple[Caller, Caller], newcomer: str
) -> None:
    asked = office.services.grant_requests.ask_role(pair[0], newcomer, "clerk", "")
    alone = {"decided_at": "now", "decided_by": pair[0].actor.id, "agreed": True}
    with pytest.raises(IntegrityError):
        office.services.writer.do(
            lambda session: session.execute(update(GrantRequest).where(GrantRequest.id == asked).values(**alone))
        )


def test_whoever_agrees_is_neither_who_asked_nor_whom_it_is_for() -> None:
    for asked, person, decider, agree in itertools.product("ab", "abc", "abc", (True, False)):
        refusal = judge_grant_request(asked, person, decider, agree)
        assert (refusal is None) == (decider != person and (decider != asked or not agree))


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_roles_that_were_asked_for_before_still_wait(tmp_path: Path, kind: str) -> None:
    """Requests of a server from before certificates took two pairs of eyes, too."""
    with ExitStack() as stack:
        url = stack.enter_context(postgres()) if kind == "postgres" else f"sqlite:///{tmp_path / 'server.db'}"
        before = Database(url)
        before._migrate(before._alembic(), "0012")
        rows = {
            "person": [{"id": id, "login": id, "sealed": b"x", "admin_kind": "", "password_hash": "",
                        "must_change": False, "created_at": ""} for id in ("p1", "p2")],
            "role": [{"id": "clerk", "name": "x", "admin_kind": ""}],
            "role_request": [{"id": "r1", "person_id": "p1", "role_id": "clerk", "reason": "新到", "asked_at": "t",
                              "asked_by": "p2", "agreed": False}],
        }  # fmt: skip
        with before.engine.begin() as connection:
            for table, values in rows.items():
                columns = ", ".join(values[0])
                places = ", ".join(f":{name}" for name in values[0])
                connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({places})"), values)
        before._migrate(before._alembic(), "head")
        with before.read() as session:
            (kept,) = session.execute(select(GrantRequest)).scalars()
            assert (kept.id, kept.role_id, kept.fingerprint, kept.reason, kept.decided_at) == (
                "r1", "clerk", "", "新到", None,
            )  # fmt: skip
        before.close()
