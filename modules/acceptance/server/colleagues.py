"""Who can be asked to sign: ``/colleagues`` under ``/v1/m/acceptance``. Names and places alone, never a login."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from modules.acceptance.domain.cases import MAY_READ, ORGANISATION
from modules.common.server_ports import Caller, ServerServices

ROLES = ("officer", "section_head", "leader")


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who signs for a department."""

    id: str
    name: str
    department_id: str
    department: str
    roles: list[str]


def router(services: ServerServices) -> APIRouter:
    """The route; it needs the permission to read cases."""
    made = APIRouter()
    reader = Depends(services.require(MAY_READ))

    @made.get("/colleagues")
    def colleagues(
        departments: Annotated[str, Query(min_length=1, max_length=1000)], caller: Caller = reader
    ) -> list[Colleague]:
        """Who signs in ``departments`` (ids, with commas between), the caller left out; by department and role."""
        found: dict[str, Colleague] = {}
        for department_id in dict.fromkeys(departments.split(",")):
            unit = services.commands.get(ORGANISATION, department_id)
            if unit is None:
                continue
            for role in ROLES:
                for person in services.people.with_role(role, department_id=department_id):
                    if person.id != caller.actor.id:
                        one = Colleague(person.id, person.name, department_id, unit["name"], person.roles)
                        found.setdefault(person.id, one)
        return list(found.values())

    return made
