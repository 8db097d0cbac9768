"""The demonstration hall: organisations, people, service items, and codes to enrol its windows by."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from modules.common.clock import iso
from modules.common.errors import GovDeskError
from modules.common.ids import uuid7
from modules.common.permissions import BUILTIN_ROLES, Actor
from modules.common.server_ports import Caller, Reference
from modules.common.text import tr
from server_stub import audit, feed
from server_stub.tables import Organisation, Person, PersonRole

if TYPE_CHECKING:
    from server_stub.services import Services

SEEDS = Path(__file__).parent / "seeds"
CONSOLE = Caller(Actor("", "", ""), "")
"""Whoever works at the server's own console."""


@cache
def _demo() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SEEDS / "demo.json").read_text("utf-8"))
    return data


def published_password() -> str:
    """The password that the people of the demonstration share, and that everybody may know."""
    return str(_demo()["password"])


def demo_people() -> list[dict[str, str]]:
    """The people of the demonstration for one-click sign-in: login, name, title and the password they share."""
    titles = {role.id: role.name for role in BUILTIN_ROLES}
    organisations = {row["id"]: row["name"] for row in _demo()["organisations"]}
    return [
        {
            "login": row["login"],
            "name": row["name"],
            "title": titles[row["role"]],
            "place": organisations.get(row.get("department_id") or row.get("hall_id"), ""),
            "password": published_password(),
        }
        for row in _demo()["people"]
    ]


def seed(services: Services) -> None:
    """Put the demonstration into the database. Whatever is there already stays as it is.

    Raises ``GovDeskError`` SRV-012 where people work who are none of the demonstration's: administrators with a
    published password have no place there.
    """
    password_hash = services.passwords.hash(published_password())

    def store(session: Session) -> None:
        now = iso(services.clock.now())
        known = set(session.execute(select(Person.login)).scalars())
        if known and known.isdisjoint(row["login"] for row in _demo()["people"]):
            raise GovDeskError(
                "SRV-012",
                tr("这个数据库里已有正式人员，不能放入示范大厅。"),
                fix=tr("请去掉 --demo,或换一个数据目录。"),
            )
        for row in _demo()["organisations"]:
            if session.get(Organisation, row["id"]) is None:
                session.add(Organisation(**row))
        session.flush()
        kinds = {role.id: role.admin_kind for role in BUILTIN_ROLES}
        added = 0
        for row in _demo()["people"]:
            if row["login"] in known:
                continue
            added += 1
            role = row["role"]
            fields = {key: value for key, value in row.items() if key != "role"}
            person = Person(id=uuid7(), admin_kind=kinds[role], password_hash=password_hash, created_at=now, **fields)
            session.add(person)
            session.flush()
            session.add(
                PersonRole(person_id=person.id, role_id=role, admin_kind=kinds[role], granted_at=now, granted_by="")
            )
        session.flush()
        published = feed.publish(session, now, _references(), services.rules)
        if added or published:
            audit.append(session, now, [audit.Entry("server.seed", detail={"people": added, "references": published})])

    services.writer.do(store)


def demo_codes(services: Services) -> list[dict[str, str]]:
    """A fresh enrolment code for every window and room of the demonstration: ``{"code", "name", "hall_id"}``."""
    return [
        {"code": services.devices.new_code(CONSOLE, place["hall_id"], place["name"]).secret, **place}
        for place in _demo()["places"]
    ]


def _references() -> list[Reference]:
    references = [Reference("organisation", row["id"], row, row["name"]) for row in _demo()["organisations"]]
    references += [Reference("calendar_day", row["date"], row, row["name"], row["date"]) for row in _demo()["calendar"]]
    for path in sorted((SEEDS / "service_items").glob("*.json")):
        item = json.loads(path.read_text("utf-8"))
        references.append(Reference("service_item", item["id"], item, item["name"], item["code"]))
    return references
