"""The demonstration hall: organisations, people, service items, windows, knowledge, and what is booked and applied for.

``seeds/`` holds it as data: ``demo.json`` who and where, ``service_items/<department>/`` one item each, whose
``form`` names a file of ``forms/`` (items may share one), ``hall.json`` windows and queue settings,
``knowledge/<department>.json``, ``dictionaries.json``, ``bookings.json`` and ``applications.json`` what citizens have
asked for, ``base.json`` invented people and firms that are known already (人口库、法人库).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, iso
from modules.common.errors import GovDeskError
from modules.common.ids import uuid7
from modules.common.permissions import BUILTIN_ROLES, SYSTEM, Actor
from modules.common.server_ports import Caller, Reference
from modules.common.text import tr
from server_stub import audit, feed
from server_stub.sealing import seal
from server_stub.tables import Organisation, Person, PersonRole

if TYPE_CHECKING:
    from server_stub.services import Services

SEEDS = Path(__file__).parent / "seeds"
CONSOLE = Caller(Actor("", "", ""), "")
"""Whoever works at the server's own console."""
WRITTEN = "2026-11-02T01:00:00.000Z"
"""When the demonstration's documents say that they were written: the same at every start, so that none is new."""
_COLUMNS = ("id", "kind", "name", "series")


@cache
def _read(name: str) -> Any:
    return json.loads((SEEDS / name).read_text("utf-8"))


def _demo() -> dict[str, Any]:
    data: dict[str, Any] = _read("demo.json")
    return data


def published_password() -> str:
    """The password that the people of the demonstration share, and that everybody may know."""
    return str(_demo()["password"])


def demo_people() -> list[dict[str, str]]:
    """Those of the demonstration whom one click signs in: login, name, title, place and the password they all share."""
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
        if row.get("shown")
    ]


def service_items() -> Iterator[dict[str, Any]]:
    """The demonstration's service items, each with its form in it."""
    for path in sorted(SEEDS.glob("service_items/*/*.json")):
        item = _read(str(path.relative_to(SEEDS)))
        yield {**item, "form": _read(f"forms/{item['form']}")}


def seed(services: Services) -> None:
    """Put the demonstration into the database. Whatever people have changed stays as it is.

    Raises ``GovDeskError`` SRV-012 where people work who are none of the demonstration's: administrators with a
    published password have no place there.
    """
    password_hash = services.passwords.hash(published_password())

    def store(session: Session) -> None:
        now = iso(services.clock.now())
        known = {row.login: row.id for row in session.execute(select(Person.login, Person.id))}
        if known and known.keys().isdisjoint(row["login"] for row in _demo()["people"]):
            raise GovDeskError(
                "SRV-012",
                tr("这个数据库里已有正式人员，不能放入示范大厅。"),
                fix=tr("请去掉 --demo,或换一个数据目录。"),
            )
        for row in _demo()["organisations"]:
            if session.get(Organisation, row["id"]) is None:
                session.add(Organisation(**{column: row[column] for column in _COLUMNS}))
        session.flush()
        kinds = {role.id: role.admin_kind for role in BUILTIN_ROLES}
        added = [row for row in _demo()["people"] if row["login"] not in known]
        for row in added:
            role = row["role"]
            id = uuid7()
            fields = {key: value for key, value in row.items() if key not in ("role", "shown", "name")}
            fields |= {"id": id, "sealed": seal(session, Person, (id,), row["name"])}
            person = Person(admin_kind=kinds[role], password_hash=password_hash, created_at=now, **fields)
            known[person.login] = person.id
            session.add(person)
            session.flush()
            session.add(
                PersonRole(person_id=person.id, role_id=role, admin_kind=kinds[role], granted_at=now, granted_by="")
            )
        session.flush()
        published = feed.publish(session, now, _references(known), services.rules)
        if added or published:
            detail = {"people": len(added), "references": published}
            audit.append(session, now, [audit.Entry("server.seed", detail=detail)])

    services.writer.do(store)
    _ask(services)


def demo_codes(services: Services) -> list[dict[str, str]]:
    """A fresh enrolment code for every window and room of the demonstration: ``{"code", "name", "hall_id"}``."""
    return [
        {"code": services.devices.new_code(CONSOLE, place["hall_id"], place["name"]).secret, **place}
        for place in _demo()["places"]
    ]


def _references(people: Mapping[str, str]) -> list[Reference]:
    """Everything that is published; ``people``: ids by login."""
    references = [Reference("organisation", row["id"], row, row["name"]) for row in _demo()["organisations"]]
    references += [Reference("calendar_day", row["date"], row, row["name"], row["date"]) for row in _demo()["calendar"]]
    references += [Reference("service_item", item["id"], item, item["name"], item["code"]) for item in service_items()]
    by = {"id": SYSTEM.id, "name": SYSTEM.name}
    hall = _read("hall.json")
    for window in hall["windows"]:
        staff = [people[login] for login in window["staff"] if login in people]
        state = {"signed_in": None, "suspended": None, "stopped": None, "left": ""}
        window = {**window, "staff": staff, "state": state, "strategy": None, "history": []}
        references.append(Reference("window", window["id"], window, window["name"]))
    settings = {**hall["settings"], "history": []}
    references.append(Reference("queue_settings", settings["id"], settings))
    for path in sorted(SEEDS.glob("knowledge/*.json")):
        for entry in _read(str(path.relative_to(SEEDS))):
            kept = {"state": "current", "ratings": {}, "updated_at": WRITTEN, "updated_by": by, "history": []}
            references.append(Reference("knowledge", entry["id"], {**entry, **kept}, entry["title"]))
    for entry in _read("dictionaries.json"):
        kept = {"state": "active", "changed_at": WRITTEN, "changed_by": by}
        references.append(Reference("dictionary", entry["id"], {**entry, **kept}, entry["name"]))
    base = _read("base.json")
    # whoever looks somebody up asks the server, which notes it: the base itself is in no feed
    held = frozenset[str]()
    for kind, rows, number in (("person", base["people"], "id_number"), ("firm", base["firms"], "credit_code")):
        references += [
            Reference(f"base_{kind}", f"{kind}-{n}", row, row["name"], scopes=held, search=row[number])
            for n, row in enumerate(rows)
        ]
    return references


def _ask(services: Services) -> None:
    """What citizens have applied for from home and booked for the coming days: where nobody has yet."""
    if _unasked(services, "case"):
        for application in _read("applications.json"):
            services.commands.give("case", uuid7(), "case.apply", application)
    if _unasked(services, "booking"):
        calendar = WorkCalendar.from_documents(_demo()["calendar"])
        today = services.clock.now().astimezone(CHINA).date()
        for booking in _read("bookings.json"):
            services.commands.give("booking", uuid7(), "booking.book", _slotted(booking, calendar, today))


def _unasked(services: Services, kind: str) -> bool:
    """Whether a module has rules for ``kind``, and there is none of it yet."""
    try:
        services.rules(kind)
    except KeyError:
        return False
    return not services.commands.find(kind, limit=1)


def _slotted(booking: Mapping[str, Any], calendar: WorkCalendar, today: date) -> dict[str, Any]:
    """A booking with its slot: so many days from today, or on the first working day after."""
    day = today + timedelta(days=booking["in_days"])
    while not calendar.is_workday(day):
        day += timedelta(days=1)
    start = datetime.combine(day, time.fromisoformat(booking["at"]), CHINA)
    slot = {"start": iso(start), "end": iso(start + timedelta(minutes=booking["minutes"]))}
    return {key: booking[key] for key in ("hall_id", "item_id", "person", "channel")} | {"slot": slot}
