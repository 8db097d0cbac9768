"""Who can be asked to sign, as the server tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from modules.acceptance.server.colleagues import Colleague, router
from modules.common.clock import FixedClock
from modules.common.errors import Refused
from modules.common.manifest import permissions_of
from modules.common.permissions import Actor, forbidden
from modules.common.server_ports import Caller
from server_stub.config import Config
from server_stub.seeding import seed
from server_stub.services import Services
from tests.support.central import QUICK
from tests.support.fake_host import actor

Ask = Callable[[str], list[Colleague]]


@dataclass
class Office:
    """The demonstration's server, and somebody signed in by decree."""

    services: Services
    actor: Actor

    def require(self, permission: str) -> Callable[[], Caller]:
        def check() -> Caller:
            if not self.actor.may(permission):
                raise Refused(forbidden(permission))
            return Caller(self.actor, "")

        return check

    def __getattr__(self, name: str) -> Any:
        return getattr(self.services, name)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    services = Services(Config(tmp_path, "", settings=QUICK), FixedClock(datetime(2026, 11, 20, 2, 24, tzinfo=UTC)))
    seed(services)
    yield Office(services, actor())
    services.close()


@pytest.fixture
def ask(office: Office) -> Ask:
    """Ask the route as the one who is signed in."""
    (route,) = router(office).routes
    assert isinstance(route, APIRoute)
    (guard,) = (part.call for part in route.dependant.dependencies)
    assert guard is not None

    def get(departments: str) -> list[Colleague]:
        found: list[Colleague] = route.endpoint(departments, guard())
        return found

    return get


def test_those_who_sign_are_named_by_department(office: Office, ask: Ask) -> None:
    found = ask("dept-market,dept-police,dept-nowhere,dept-market")
    assert {one.department for one in found} == {"市场监督管理局", "公安局"}
    assert len({one.id for one in found}) == len(found)
    assert {role for one in found for role in one.roles} >= {"officer", "section_head", "leader"}
    assert "王五" in {one.name for one in found}


def test_nobody_is_asked_to_ask_himself(office: Office, ask: Ask) -> None:
    me = next(one for one in ask("dept-market") if one.name == "王五")
    office.actor = Actor(me.id, "wangwu", "王五", permissions=permissions_of({"officer"}))
    assert me.id not in {one.id for one in ask("dept-market")}


def test_who_may_not_see_cases_is_told_nobody(office: Office, ask: Ask) -> None:
    office.actor = actor("auditadmin", hall="", name="冯审计")
    with pytest.raises(Refused) as refusal:
        ask("dept-market")
    assert refusal.value.code == "AUTH-403"
