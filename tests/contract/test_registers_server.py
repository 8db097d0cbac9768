"""The real server: a holiday that an administrator changes reaches other counters and moves what runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from client.data.store import Store
from modules.acceptance.server import jobs
from modules.acceptance.services.handling import Handling
from modules.common.clock import SystemClock, iso
from modules.common.ids import uuid7
from server_stub.config import Config, read_settings
from server_stub.services import opened
from sync.protocol import PATHS, PROTOCOL, STATEMENT_HEADER, Change, WireCommand
from tests.support.devices import enrolled
from tests.support.fake_host import filled, item
from tests.support.servers import RunningServer, server

PREVIEW, STAFF = "/v1/m/acceptance/calendar/preview", "/v1/m/acceptance/staff"


class Counter:
    """A device that knows only what is on the wire, with the real store behind it."""

    def __init__(self, running: RunningServer, place: str, login: str, path: Path) -> None:
        self.http, made, _ = enrolled(running.url, running.ca, running.codes[place])
        self.series = made["series"]
        self.statement = self.ask("sign_in", {"login": login, "password": "Govdesk-2026"})["statement"]
        self.http.headers[STATEMENT_HEADER] = self.statement
        self.store = Store.open(path / f"{login}.db", b"k" * 32, SystemClock())
        self.store.open_session(self.statement, place, self.series)
        self.since = 0
        self.n = 0

    def ask(self, name: str, body: dict[str, Any]) -> Any:
        answer = self.http.post(PATHS[name], json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def push(self, kind: str, id: str, type: str, body: dict[str, Any], number: dict[str, Any] | None = None) -> Any:
        self.n += 1
        now = iso(datetime.now(UTC))
        seen = self.store.get(kind, id)
        base = seen.rev if seen else 0
        command = WireCommand(self.n, uuid7(), kind, id, type, 1, base, now, self.statement, body, number)
        push = {"proto": PROTOCOL, "epoch": "", "client_time": "", "cmds": [asdict(command)]}
        (ack,) = self.ask("push", push)["acks"]
        return ack

    def pull(self) -> None:
        """Everything new that everyone reads, into the store."""
        more = True
        while more:
            page = self.http.get(PATHS["changes"], params={"scope": "ref", "since": self.since}).json()
            changes = [Change(**change) for change in page["changes"]]
            more = bool(page.get("more"))
            self.store.receive("ref", changes, complete=not more)
            self.since = changes[-1].seq if changes else self.since

    def worked(self, day: date) -> bool:
        calendar = Handling(self.store, self.store, self.store, SystemClock()).calendar()
        return calendar.is_workday(day)

    def close(self) -> None:
        self.store.close()
        self.http.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningServer]:
    with server(tmp_path) as running:
        yield running


@pytest.fixture
def admin(running: RunningServer, tmp_path: Path) -> Iterator[Counter]:
    counter = Counter(running, "3号窗", "xitong", tmp_path)
    yield counter
    counter.close()


@pytest.fixture
def clerk(running: RunningServer, tmp_path: Path) -> Iterator[Counter]:
    counter = Counter(running, "5号窗", "zhangsan", tmp_path)
    yield counter
    counter.close()


def test_a_changed_holiday_reaches_other_counters_and_moves_what_runs(
    running: RunningServer, admin: Counter, clerk: Counter
) -> None:
    for counter in (admin, clerk):
        counter.pull()
    lease = clerk.ask("lease", {"series": clerk.series, "count": 1})
    served = next(
        record.doc for record in clerk.store.find("service_item", limit=500) if record.doc["name"] == item()["name"]
    )
    case = uuid7()
    number = {"series": lease["series"], "serial": lease["first"]}
    accepted = clerk.push("case", case, "case.accept", filled(served), number)
    assert accepted["status"] == "applied", accepted
    due = _case(running, case)
    assert clerk.worked(due), "a term ends on a working day"

    day: dict[str, Any] = {"date": due.isoformat(), "workday": False, "name": "系统检修"}
    assert clerk.push("calendar_day", day["date"], "calendar_day.put", day)["error"]["code"] == "AUTH-403"
    assert clerk.http.post(PREVIEW, json={"days": [day], "removed": []}).status_code == 403
    seen = admin.http.post(PREVIEW, json={"days": [day], "removed": []}).json()
    assert (seen["later"], seen["earlier"]) == (1, 0)
    assert seen["cases"][0]["id"] == case
    assert _case(running, case) == due, "a look changes nothing"
    assert admin.http.post(PREVIEW, json={"days": [{"date": 1}], "removed": []}).json()["code"] == "ACC-345"

    assert admin.push("calendar_day", day["date"], "calendar_day.put", day)["status"] == "applied"
    clerk.pull()
    assert not clerk.worked(due)
    running.process.terminate()
    assert running.process.wait(30) == 0
    with opened(Config(running.data, settings=read_settings(running.data))) as services:
        jobs.rounds(services)
        moved = services.commands.get("case", case)
        assert moved is not None
        assert moved["due"]["date"] == seen["cases"][0]["after"]
        assert date.fromisoformat(moved["due"]["date"]) > due


def test_what_the_seeds_published_is_changed_and_taken_out(
    running: RunningServer, tmp_path: Path, admin: Counter, clerk: Counter
) -> None:
    admin.pull()
    seeded = {record.id: record.doc for record in admin.store.find("calendar_day", limit=100)}
    assert seeded
    id, fresh = sorted(seeded)[0], sorted(seeded)[-1]
    doc = seeded[id]
    rev = admin.push("calendar_day", id, "calendar_day.put", {**doc, "name": "改名"})["rev"]
    assert rev == 2
    assert admin.push("calendar_day", id, "calendar_day.remove", {})["rev"] == 3
    assert admin.push("calendar_day", fresh, "calendar_day.remove", {})["status"] == "applied"
    clerk.pull()
    kept = clerk.store.get("calendar_day", id)
    assert kept is not None
    assert (kept.rev >= 3, kept.doc["state"]) == (True, "removed")
    default = date.fromisoformat(id).weekday() < 5
    assert clerk.worked(date.fromisoformat(id)) == default

    ground = admin.store.get("dictionary", "decline-ground")
    hall = admin.store.get("organisation", "hall-1")
    window = admin.store.get("window", "hall-1-w1")
    assert ground is not None
    assert hall is not None
    assert window is not None, "administrators read windows"
    entries = [*ground.doc["entries"], {"value": "new", "text": "新依据"}]
    put = {"name": ground.doc["name"], "entries": entries}
    assert admin.push("dictionary", "decline-ground", "dictionary.put", put)["status"] == "applied"
    assert admin.push("organisation", "hall-1", "organisation.put", {"phone": "0550-1"})["status"] == "applied"
    assert admin.push("window", "hall-1-w1", "window.edit", {"name": "一号窗"})["status"] == "applied"
    clerk.pull()
    for kind, key, field, value in (
        ("organisation", "hall-1", "phone", "0550-1"),
        ("window", "hall-1-w1", "name", "一号窗"),
    ):
        record = clerk.store.get(kind, key)
        assert record is not None
        assert record.doc[field] == value
    people = admin.http.get(STAFF).json()
    assert {"zhangsan", "wangwu", "xitong"} <= {person["login"] for person in people}
    assert clerk.http.get(STAFF).status_code == 403
    manager = Counter(running, "6号窗", "sunqi", tmp_path)
    try:
        own = manager.http.get(STAFF).json()
    finally:
        manager.close()
    assert {"zhangsan", "sunqi"} <= {person["login"] for person in own}
    assert {person["hall_id"] for person in own} == {"hall-1"}, "a hall's manager knows its people and no others"


def _case(running: RunningServer, id: str) -> date:
    """When a case is due, by the server's own file."""
    with opened(Config(running.data, settings=read_settings(running.data))) as services:
        found = services.commands.get("case", id)
        assert found is not None
        return date.fromisoformat(found["due"]["date"])
