"""Feeds that are thinned, their digests, and answers that are kept for years; on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from modules.common.clock import iso
from modules.common.digests import mark
from modules.common.errors import GovDeskError
from modules.common.ids import uuid7
from server_stub import answers, feed
from server_stub.seeding import CONSOLE
from server_stub.tables import ChangeRow, CommandRow, Device, Organisation, Scope
from sync.protocol import PUSH_LIMIT
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


class Reader:
    """Reads a feed as a device does, by small pages; ``held`` is what it has then."""

    def __init__(self, office: Central, scope: str, limit: int = 3) -> None:
        self.office, self.scope, self.limit = office, scope, limit
        self.since, self.floor = 0, 0
        self.held: dict[tuple[str, str], int] = {}
        self.begun = 0

    def page(self, began: int | None = None) -> dict[str, Any]:
        epoch = self.office.services.identity.epoch
        with self.office.services.database.read() as session:
            answer: dict[str, Any] = json.loads(
                feed.page(
                    session,
                    epoch,
                    "",
                    self.scope,
                    self.since,
                    self.limit,
                    epoch,
                    self.floor if began is None else began,
                )
            )
        return answer

    def step(self) -> bool:
        """Read a page; whether there are more."""
        page = self.page()
        if page["snapshot_required"]:
            self.since, self.held = 0, {}
            self.begun += 1
            return True
        if self.since == 0:
            self.floor = page["floor"]
        missing = set(range(self.since + 1, page["to"] + 1)) - {change["seq"] for change in page["changes"]}
        assert all(seq <= page["floor"] for seq in missing), "a number is lost"
        for change in page["changes"]:
            key = change["kind"], change["id"]
            self.held.pop(key, None)
            if change["op"] == "put":
                self.held[key] = change["rev"]
        self.since = page["to"]
        if not page["more"]:
            digest = 0
            for (kind, id), rev in self.held.items():
                digest ^= mark(kind, id, rev)
            assert (page["count"], page["digest"]) == (len(self.held), digest)
        else:
            assert page["count"] == -1
        return bool(page["more"])

    def read(self) -> dict[tuple[str, str], int]:
        while self.step():
            pass
        return self.held


def department(office: Central) -> str:
    id = f"d{uuid7()[-8:]}"

    def make(session: Session) -> None:
        session.execute(insert(Organisation).values(id=id, kind="department", name="局", series=""))
        feed.publish(session, iso(office.clock.now()), [feed.Reference("organisation", id, {"id": id}, "局")])

    office.services.writer.do(make)
    return id


def thin(office: Central, days: float = 0) -> None:
    """As the hourly job does, for what is older than so many days."""
    until = iso(office.clock.now() - timedelta(days=days))
    with office.services.database.read() as session:
        names = list(session.execute(select(Scope.name)).scalars())
    for name in names:
        while office.services.writer.do(lambda session, name=name: feed.thin(session, name, until)):
            pass


def act(office: Central, counter: Counter, memos: list[str], dept: str, rng: Random) -> None:
    """Something happens: a memo is made, changed, or leaves the hall's feed."""
    office.clock.advance(1)
    if not memos or rng.random() < 0.3:
        command = counter.command()
        memos.append(command.aggregate_id)
    elif rng.random() < 0.2:
        command = counter.command("memo.move", memos.pop(rng.randrange(len(memos))), body={"dept": dept})
    else:
        command = counter.command(aggregate=rng.choice(memos))
    assert counter.ack(command).status == "applied"


@pytest.mark.parametrize("seed", range(3))
def test_whoever_reads_a_thinned_feed_ends_with_what_it_holds(
    office: Central, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers that are up to date, that pause anywhere, and that begin, while the feed is thinned under them."""
    monkeypatch.setattr(feed, "THINNED_AT_ONCE", 7)
    hall, rng = Central(office.services, office.clock), Random(seed)
    counter, dept, scope = hall.counter(), department(office), f"hall:{hall.hall}"
    memos: list[str] = []
    readers = [Reader(office, scope) for _ in range(3)]
    for _ in range(60):
        act(office, counter, memos, dept, rng)
        if rng.random() < 0.15:
            thin(office)
        if rng.random() < 0.2:
            readers.append(Reader(office, scope))
        for reader in readers:
            if rng.random() < 0.15:
                reader.step()
    act(office, counter, memos, dept, rng)
    expected = dict(Reader(office, scope).read())
    assert {id for _, id in expected} == set(memos)
    for reader in readers:
        assert reader.read() == expected
    assert any(reader.begun for reader in readers), "nobody had to begin anew: nothing was proved"
    office.clock.advance(1)
    thin(office)
    with office.services.database.read() as session:
        left = session.execute(select(func.count()).select_from(ChangeRow).filter_by(scope=scope)).scalar_one()
        head = session.execute(select(Scope.seq).filter_by(name=scope)).scalar_one()
    assert left == len(memos) < head
    assert Reader(office, scope).read() == expected
    # what comes after a thinned end goes on with the next number
    last = Reader(office, scope)
    last.read()
    act(office, counter, memos, dept, rng)
    assert last.page()["changes"][0]["seq"] == head + 1


def test_the_job_leaves_what_is_young(office: Central) -> None:
    hall = Central(office.services, office.clock)
    counter, scope = hall.counter(), f"hall:{hall.hall}"
    memo = counter.command()
    counter.push(memo)
    counter.push(counter.command(aggregate=memo.aggregate_id))
    office.clock.advance(29 * 86400)
    office.services._thin()
    assert len(Reader(office, scope, 10).page()["changes"]) == 2
    office.clock.advance(2 * 86400)
    office.services._thin()
    [change] = Reader(office, scope, 10).page()["changes"]
    assert (change["seq"], change["rev"]) == (2, 2)


def test_a_cursor_of_before_the_floor_must_begin_anew(office: Central) -> None:
    hall = Central(office.services, office.clock)
    counter, scope = hall.counter(), f"hall:{hall.hall}"
    memo = counter.command()
    counter.push(memo, *(counter.command(aggregate=memo.aggregate_id) for _ in range(5)))
    old = Reader(office, scope)
    old.step()
    assert (old.since, old.floor) == (3, 0)
    office.clock.advance(1)
    thin(office)
    assert old.page()["snapshot_required"]
    old.read()
    assert old.begun == 1
    # a reader of protocol 1 takes what is missing for lost: it goes on above the floor, and no further back
    assert old.page(began=-1)["to"] == 6
    fresh = Reader(office, scope)
    with pytest.raises(GovDeskError) as caught:
        fresh.page(began=-1)
    assert caught.value.code == "SYNC-005"


def test_readers_and_thinning_at_once(office: Central) -> None:
    """On PostgreSQL a page and the floor are read by two statements: what vanished between them is known to have."""
    hall = Central(office.services, office.clock)
    counter, dept, scope = hall.counter(), department(office), f"hall:{hall.hall}"
    memos: list[str] = []
    rng = Random(1)
    for _ in range(10):
        act(office, counter, memos, dept, rng)
    reader = Reader(office, scope)
    reader.step()
    moved = next(iter(reader.held))[1]
    counter.push(counter.command("memo.move", moved, body={"dept": dept}))
    office.clock.advance(1)
    right = Session.execute
    thinned = []

    def between(self: Session, statement: Any, *arguments: Any, **options: Any) -> Any:
        if not thinned and "scope.floor" in str(statement) and "FOR UPDATE" not in str(statement):
            thinned.append(1)
            Session.execute = right  # type: ignore[method-assign]
            thin(office)
        return right(self, statement, *arguments, **options)

    Session.execute = between  # type: ignore[method-assign]
    try:
        reader.step()
    finally:
        Session.execute = right  # type: ignore[method-assign]
    assert thinned
    reader.read()
    assert ("memo", moved) not in reader.held
    assert {id for _, id in reader.held} == set(memos) - {moved}


# -- answers


def aged(office: Central, counter: Counter, count: int) -> None:
    """``count`` commands that were answered three years and a day ago."""
    counter.push(*(counter.command() for _ in range(count)))
    old = iso(office.clock.now() - answers.KEEP_ANSWERS - timedelta(days=1))

    def age(session: Session) -> None:
        session.execute(update(CommandRow).where(CommandRow.device_id == counter.device).values(received_at=old))

    office.services.writer.do(age)


def kept(office: Central, counter: Counter) -> list[int]:
    office.services.writer.do(lambda session: answers.purge(session, office.clock.now()))
    with office.services.database.read() as session:
        rows = session.execute(select(CommandRow.n).filter_by(device_id=counter.device).order_by(CommandRow.n))
        return [n for n in rows.scalars() if n is not None]


def test_answers_are_kept_for_years_and_never_dropped_while_a_living_device_could_ask(office: Central) -> None:
    counter = office.counter()
    aged(office, counter, 30)
    assert len(kept(office, counter)) == 30, "the newest answers may not have been received"

    def go_on(session: Session) -> None:
        session.execute(update(Device).where(Device.id == counter.device).values(last_n=PUSH_LIMIT + 10))

    office.services.writer.do(go_on)
    assert kept(office, counter) == list(range(11, 31))
    office.services.devices.revoke(CONSOLE, counter.device, "lost")
    assert kept(office, counter) == []


def test_young_answers_and_what_waits_are_kept(office: Central) -> None:
    counter = office.counter()
    counter.push(counter.command(base_rev=1))
    old = iso(office.clock.now() - answers.KEEP_ANSWERS - timedelta(days=1))
    office.services.writer.do(
        lambda session: session.execute(
            update(CommandRow).where(CommandRow.device_id == counter.device).values(received_at=old)
        )
    )
    counter.push(counter.command())
    office.services.devices.revoke(CONSOLE, counter.device, "lost")
    assert kept(office, counter) == [1, 2]
