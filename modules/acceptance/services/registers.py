"""What 大厅设置 and 委托与常用语 do: windows, dictionaries, days, addresses; own delegations and phrases.

Permissions are checked here and in the rules. Every method blocks; its lane is named. What only the server knows
(who works here, what a table of days does to running cases) is asked on lane ``net``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from client.kernel.contract import Host
from client.kernel.ports import Commands, Record, Records, Server, Session
from modules.acceptance.domain import items, phrases, windows
from modules.acceptance.domain.registers import (
    DAY_KIND,
    DICTIONARY_KIND,
    ORGANISATION_KIND,
    Served,
    cleaned,
    in_use,
    relations,
)
from modules.acceptance.domain.windows import MAY_ADMIN, MAY_HALL
from modules.acceptance.services.windows import HallService
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, Clock
from modules.common.errors import Refused
from modules.common.permissions import Actor, forbidden
from modules.common.workflow import DELEGATION_KIND, principal

MOST = 100_000
BASE = "/v1/m/acceptance"
MAY_SEE, MAY_READ = "acceptance.settings", "acceptance.read"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works here."""

    id: str
    login: str
    name: str
    hall_id: str
    department_id: str


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who signs for a department."""

    id: str
    name: str
    department_id: str
    department: str


@dataclass(frozen=True, slots=True)
class House:
    """What the settings pages show, read in one piece. Windows are those of ``hall_id``, by id."""

    hall_id: str
    halls: Mapping[str, str]
    departments: Mapping[str, str]
    organisations: Sequence[Doc]
    windows: Sequence[Doc]
    items: Sequence[Doc]
    served: Sequence[Served]
    settings: Mapping[str, Any]
    dictionaries: Sequence[Doc]
    days: Sequence[Doc]


@dataclass(frozen=True, slots=True)
class MovedCase:
    """A running case whose due date would move."""

    number: str
    item: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What other days would do to running cases."""

    running: int
    later: int
    earlier: int
    furthest: int
    cases: Sequence[MovedCase]


class SettingsService:
    """The use cases of the settings pages."""

    def __init__(self, records: Records, commands: Commands, session: Session, server: Server, clock: Clock) -> None:
        self._records = records
        self._commands = commands
        self._session = session
        self._server = server
        self._clock = clock
        self.hall = HallService(records, commands, session, clock)

    @property
    def actor(self) -> Actor:
        """Who is signed in; any thread."""
        return self._session.actor

    @property
    def may_admin(self) -> bool:
        """Whether the person sets up windows, dictionaries, days; any thread."""
        return self.actor.may(MAY_ADMIN)

    @property
    def may_hall(self) -> bool:
        """Whether the person runs a hall; any thread."""
        return self.actor.may(MAY_HALL)

    def today(self) -> date:
        """China's date; any thread."""
        return self._clock.now().astimezone(CHINA).date()

    # -- reading, lane ``read`` -----------------------------------------------------------------------

    def house(self, hall_id: str = "") -> House:
        """All that there is to set; of ``hall_id``, else of the person's hall, else of the first."""
        self._require(MAY_SEE)
        organisations = sorted(self._all(ORGANISATION_KIND), key=lambda doc: str(doc["id"]))
        halls = {str(doc["id"]): str(doc["name"]) for doc in organisations if doc.get("kind") == "hall"}
        departments = {str(doc["id"]): str(doc["name"]) for doc in organisations if doc.get("kind") == "department"}
        hall = self.actor.hall_id or hall_id or next(iter(halls), "")
        found = sorted((doc for doc in self._all(windows.KIND) if doc["hall_id"] == hall), key=_id)
        offered = items.current(self._all(items.KIND))
        out = [doc["id"] for doc in found if windows.is_stopped(doc, self.today())]
        settings = self._records.get(windows.SETTINGS_KIND, hall)
        return House(
            hall_id=hall,
            halls=halls,
            departments=departments,
            organisations=organisations,
            windows=found,
            items=offered,
            served=relations(offered, found, out),
            settings=windows.settings_of(settings.doc if settings else None),
            dictionaries=sorted(self._all(DICTIONARY_KIND), key=lambda doc: str(doc.get("name", ""))),
            days=sorted((doc for doc in self._all(DAY_KIND) if in_use(doc)), key=lambda doc: str(doc["date"])),
        )

    def calendar(self) -> WorkCalendar:
        """Working days with the office's own table."""
        return WorkCalendar.from_documents(self._all(DAY_KIND))

    def department_ids(self) -> list[str]:
        """The departments of the house."""
        return sorted(str(doc["id"]) for doc in self._all(ORGANISATION_KIND) if doc.get("kind") == "department")

    def delegations(self) -> tuple[list[Doc], list[Doc]]:
        """What the person has delegated, and what was delegated to the person; the newest end first."""
        self._require(MAY_READ)
        found = sorted((doc for doc in self._all(DELEGATION_KIND)), key=lambda doc: str(doc["until"]), reverse=True)
        given = [doc for doc in found if doc["from"]["id"] == self.actor.id]
        return given, [doc for doc in found if doc["to"]["id"] == self.actor.id and in_use(doc)]

    def phrases(self) -> list[Doc]:
        """The person's own phrases, in the order in which they were made."""
        self._require(MAY_READ)
        found = (doc for doc in self._all(phrases.KIND) if in_use(doc) and doc["owner"] == self.actor.id)
        return sorted(found, key=_id)

    def _all(self, kind: str) -> list[Doc]:
        return [record.doc for record in self._records.find(kind, limit=MOST)]

    # -- asking the server, lane ``net`` --------------------------------------------------------------

    def staff(self) -> list[Person]:
        """Whoever works in the house, or in the hall one runs. Raises ``GovDeskError`` NET-… without a server."""
        self._require(MAY_SEE)
        rows = self._server.get(f"{BASE}/staff")
        return [Person(row["id"], row["login"], row["name"], row["hall_id"], row["department_id"]) for row in rows]

    def colleagues(self, departments: Sequence[str]) -> list[Colleague]:
        """Who signs in these departments, without oneself. Raises ``GovDeskError`` NET-…"""
        self._require(MAY_READ)
        rows = self._server.get(f"{BASE}/colleagues", departments=",".join(departments)) if departments else []
        return [Colleague(row["id"], row["name"], row["department_id"], row["department"]) for row in rows]

    def effect(self, days: Sequence[Mapping[str, Any]], removed: Sequence[str] = ()) -> Effect:
        """What the days put and removed would do to running cases. Raises ``GovDeskError`` NET-…"""
        self._require(MAY_ADMIN)
        body = {"days": [dict(day) for day in days], "removed": list(removed)}
        told = self._server.post(f"{BASE}/calendar/preview", body)
        cases = [MovedCase(row["number"], row["item"], row["before"], row["after"]) for row in told["cases"]]
        return Effect(told["running"], told["later"], told["earlier"], told["furthest"], cases)

    # -- changing, lane ``data`` ----------------------------------------------------------------------

    def put_window(self, window_id: str, hall_id: str, fields: Mapping[str, Any]) -> Record:
        """Make a window (no ``window_id``), or change what differs. Raises ``Refused`` with faults by field."""
        if not window_id:
            self._require(MAY_ADMIN)
            body = {**fields, "hall_id": hall_id}
            return self._commands.give(windows.KIND, self._commands.new_id(), windows.CREATE, body)
        self._require_hall()
        return self._commands.give(windows.KIND, window_id, windows.EDIT, fields)

    def stop_window(self, window_id: str, text: str, until: str = "", instead: str = "") -> Record:
        """Take a window out of use, until a day or for good. Raises ``Refused``."""
        self._require_hall()
        return self._commands.give(
            windows.KIND, window_id, windows.STOP, {"text": text, "until": until, "instead": instead}
        )

    def reopen_window(self, window_id: str) -> Record:
        """Put a window back into use. Raises ``Refused``."""
        self._require_hall()
        return self._commands.give(windows.KIND, window_id, windows.REOPEN, {})

    def put_dictionary(self, dictionary: Doc, entries: Sequence[Mapping[str, Any]], **numbers: int) -> Record:
        """Keep a dictionary's entries, and the numbers of ``case-monitoring``. Raises ``Refused`` with faults."""
        self._require(MAY_ADMIN)
        body = {**dictionary, **numbers, "entries": cleaned(entries)}
        return self._commands.give(DICTIONARY_KIND, str(dictionary["id"]), "dictionary.put", body)

    def put_days(self, days: Sequence[Mapping[str, Any]]) -> list[Record]:
        """Put days into the office's table, each for itself. Raises ``Refused`` at the first that will not do."""
        self._require(MAY_ADMIN)
        fields = [{key: day[key] for key in ("date", "workday", "name")} for day in days]
        return [self._commands.give(DAY_KIND, str(day["date"]), "calendar_day.put", day) for day in fields]

    def remove_day(self, day: str) -> Record:
        """Take a day out of the office's table. Raises ``Refused``."""
        self._require(MAY_ADMIN)
        return self._commands.give(DAY_KIND, day, "calendar_day.remove", {})

    def put_organisation(self, id: str, fields: Mapping[str, str]) -> Record:
        """How to reach a hall or a department: ``phone``, ``address``, ``hours``. Raises ``Refused``."""
        self._require(MAY_ADMIN)
        return self._commands.give(ORGANISATION_KIND, id, "organisation.put", fields)

    def delegate(self, to: Mapping[str, str], since: str, until: str) -> Record:
        """Let ``to`` (``{id, name}``) sign in one's place. Raises ``Refused`` with faults by field."""
        self._require(MAY_READ)
        body = {"from": principal(self.actor), "to": dict(to), "since": since, "until": until}
        return self._commands.give(DELEGATION_KIND, self._commands.new_id(), "delegation.put", body)

    def end_delegation(self, id: str) -> Record:
        """Withdraw a delegation. Raises ``Refused``."""
        self._require(MAY_READ)
        return self._commands.give(DELEGATION_KIND, id, "delegation.remove", {})

    def put_phrase(self, id: str, text: str) -> Record:
        """Keep a phrase; a new one without ``id``. Raises ``Refused`` with faults by field."""
        self._require(MAY_READ)
        body = {"owner": self.actor.id, "text": text.strip()}
        return self._commands.give(phrases.KIND, id or self._commands.new_id(), phrases.PUT, body)

    def remove_phrase(self, id: str) -> Record:
        """Forget a phrase. Raises ``Refused``."""
        self._require(MAY_READ)
        return self._commands.give(phrases.KIND, id, phrases.REMOVE, {})

    def _require(self, permission: str) -> None:
        if not self.actor.may(permission):
            raise Refused(forbidden(permission))

    def _require_hall(self) -> None:
        if not (self.may_hall or self.may_admin):
            raise Refused(forbidden(MAY_HALL))


def _id(doc: Doc) -> str:
    return str(doc["id"])


def settings_of(host: Host) -> SettingsService:
    """The service. Raises ``LookupError`` when the application lacks a port."""
    return SettingsService(
        records=host.service(Records),  # type: ignore[type-abstract]
        commands=host.service(Commands),  # type: ignore[type-abstract]
        session=host.service(Session),  # type: ignore[type-abstract]
        server=host.service(Server),  # type: ignore[type-abstract]
        clock=host.service(Clock),  # type: ignore[type-abstract]
    )
