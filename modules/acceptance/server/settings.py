"""What the settings pages ask the server: who works here, and what another table of holidays would do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import FailFast

from modules.acceptance.domain.cases import KIND, RUNNING
from modules.acceptance.domain.registers import DAY_KIND, moves, with_days
from modules.acceptance.domain.windows import MAY_ADMIN, local_day
from modules.common.aggregate import Doc
from modules.common.errors import GovDeskError
from modules.common.server_ports import Caller, ServerServices
from modules.common.text import tr

PAGE, PEOPLE_PAGE = 500, 200
MOST_DAYS = 800
MOST_SHOWN = 200
MAY_SEE = "acceptance.settings"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who works in the house, as those who set up its windows may know them."""

    id: str
    login: str
    name: str
    hall_id: str
    department_id: str


@dataclass(frozen=True, slots=True)
class NewDays:
    """Days to be put (``{date, workday, name}``) and dates to be taken out of the office's table."""

    days: Annotated[list[dict[str, Any]], FailFast()] = field(default_factory=list)
    removed: Annotated[list[str], FailFast()] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MovedCase:
    """A running case whose due date would move; days as ISO text."""

    id: str
    number: str
    item: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen: ``running`` cases in all, so many ``moved`` later or earlier, the first of them."""

    running: int
    later: int
    earlier: int
    furthest: int
    cases: Sequence[MovedCase]


def router(services: ServerServices) -> APIRouter:
    """``GET staff`` and ``POST calendar/preview``."""
    router = APIRouter()
    sees = Depends(services.require(MAY_SEE))
    keeps = Depends(services.require(MAY_ADMIN))

    @router.get("/staff")
    def staff(caller: Caller = sees) -> list[Member]:
        """Whoever may sign in, by login; for whoever runs one hall, its own people."""
        everyone, hall = caller.actor.may(MAY_ADMIN), caller.actor.hall_id
        found: list[Member] = []
        offset = 0
        while True:
            page = services.people.find("", offset, PEOPLE_PAGE)
            found += [
                Member(view.id, view.login, view.name, view.hall_id, view.department_id)
                for view in page.items
                if view.enabled and (everyone or (hall and view.hall_id == hall))
            ]
            offset += len(page.items)
            if not page.items or offset >= page.total:
                return found

    @router.post("/calendar/preview")
    def preview(body: NewDays, caller: Caller = keeps) -> Preview:
        """How the due dates of running cases would move. Nothing is changed. ACC-345 for what are no days."""
        if len(body.days) > MOST_DAYS or not all(_is_day(day) for day in body.days):
            raise GovDeskError("ACC-345", tr("节假日填写有误，不能预览。"), fix=tr("请检查日期后重试。"))
        documents = list(_all(services, DAY_KIND, ()))
        before, after = with_days(documents, ()), with_days(documents, body.days, body.removed)
        cases = list(_all(services, KIND, sorted(RUNNING)))
        found = moves(cases, local_day(services.clock.now()), before, after)
        return Preview(
            running=len(cases),
            later=sum(move.after > move.before for move in found),
            earlier=sum(move.after < move.before for move in found),
            furthest=max((abs((move.after - move.before).days) for move in found), default=0),
            cases=[
                MovedCase(move.id, move.number, move.item, move.before.isoformat(), move.after.isoformat())
                for move in found[:MOST_SHOWN]
            ],
        )

    return router


def _is_day(day: dict[str, Any]) -> bool:
    text = day.get("date")
    return isinstance(text, str) and len(text) == 10 and isinstance(day.get("workday"), bool)


def _all(services: ServerServices, kind: str, states: Sequence[str]) -> Iterator[Doc]:
    after = ""
    while True:
        page = services.commands.find(kind, states=states, after=after, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = str(page[-1].get("id") or page[-1]["date"])
