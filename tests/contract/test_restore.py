"""A server restored from a backup: everybody notices, and sends again what it lacks (research/sync.md 1, rule 8)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from client.data.tables import OutboxRow
from server_stub.backup import write
from server_stub.config import Config
from server_stub.container import Secret
from server_stub.restoring import restore
from server_stub.seeding import CONSOLE
from server_stub.services import Services
from server_stub.tables import EventRow, NumberLease
from sync.protocol import EnrolRequest, LeaseRequest, SignInRequest
from tests.support.central import PASSWORD, QUICK, Central, Counter, central, memo_rules
from tests.support.devices import Computer as Credential
from tests.support.servers import postgres
from tests.support.wire import Computer, Wire, settle

SECRET = Secret("a passphrase of the test")


@dataclass
class Hall:
    """A central server that can be taken back to a backup, and what speaks to it."""

    office: Central
    wire: Wire
    folder: Path
    url: str

    @property
    def config(self) -> Config:
        return Config(self.folder / "data", self.url, settings=QUICK)

    def backup(self) -> None:
        services = self.office.services
        write(services.config, services.database, self.folder / "backup", SECRET, self.office.clock.now())

    def restore(self) -> None:
        self.office.services.close()
        restore(self.config, self.folder / "backup", SECRET, self.office.clock.now())
        self.office.services = Services(self.config, self.office.clock, memo_rules)
        self.wire.use(self.office.services)

    def computer(self, name: str, counter: Counter | None = None) -> Computer:
        return Computer(self.folder / f"{name}.db", self.wire, counter or self.office.counter(), self.office.clock)

    def settle(self, *computers: Computer) -> None:
        settle(self.office.clock, *computers)

    def effects(self, id: str) -> list[str]:
        """The texts of a memo's revisions, in order."""
        with self.office.services.database.read() as session:
            rows = session.execute(
                select(EventRow.cmd_id).filter_by(aggregate_id=id).order_by(EventRow.rev, EventRow.i)
            )
            return list(rows.scalars())


@pytest.fixture(params=["sqlite", "postgres"])
def hall(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hall]:
    with ExitStack() as stack:
        url = stack.enter_context(postgres()) if request.param == "postgres" else ""
        office = stack.enter_context(central(tmp_path / "data", url))
        wire = Wire(office.services)
        hall = Hall(office, wire, tmp_path, url)
        yield hall
        wire.close()
        hall.office.services.close()


def outbox(computer: Computer) -> list[tuple[int, str]]:
    with Session(computer.store._engine) as db:
        return [(row.n, row.state) for row in db.scalars(select(OutboxRow).order_by(OutboxRow.n))]


def test_what_the_backup_lacks_is_sent_again_in_the_order_of_the_matter(hall: Hall) -> None:
    clerk, officer = hall.computer("clerk"), hall.computer("officer")
    kept = clerk.write("在备份里")
    hall.settle(clerk, officer)
    hall.backup()
    lost = clerk.write("备份以后")
    hall.settle(clerk, officer)
    officer.write("决定", lost)
    officer.write("也改一改", kept)
    hall.settle(clerk, officer)
    before = hall.effects(lost)
    assert len(before) == 2
    hall.restore()
    assert hall.effects(lost) == []
    # the officer's computer is the first to notice: its decision waits for the clerk's acceptance
    hall.settle(officer)
    assert officer.store.tally().deferred == 1
    assert officer.engine.status.deferred == 1
    hall.settle(clerk, officer)
    assert hall.effects(lost) == before
    for computer in (clerk, officer):
        tally = computer.store.tally()
        assert (tally.waiting, tally.deferred, tally.refused) == (0, 0, 0)
        assert {state for _, state in outbox(computer)} == {"applied"}
        assert {memo.id: memo.doc["text"] for memo in computer.store.find("memo")} == {
            kept: "也改一改",
            lost: "决定",
        }
        assert not computer.engine.status.reason


def test_a_device_enrolled_after_the_backup_is_told_and_enrols_again_without_losing_anything(hall: Hall) -> None:
    login = hall.office.person()
    hall.backup()
    computer = hall.computer("late", hall.office.counter(login=login))
    lease = hall.office.services.numbers.lease(computer.counter.device, LeaseRequest(computer.counter.series, 5))
    computer.store.add_lease(lease.series, lease.first, lease.last)
    sent = computer.write("已送达")
    hall.settle(computer)
    waiting = computer.write("还没送", numbered=True)
    hall.restore()
    hall.settle(computer)
    status = computer.engine.status
    assert status.reason == "AUTH-010"
    assert "未上传的业务仍在本机" in status.words
    assert computer.store.tally().waiting == 1
    again = _enrol_again(hall, computer.counter, login)
    computer.enter(again)
    hall.settle(computer)
    tally = computer.store.tally()
    assert (tally.waiting, tally.deferred, tally.refused) == (0, 0, 0)
    assert [len(hall.effects(id)) for id in (sent, waiting)] == [1, 1]
    assert again.device == computer.counter.device


def _enrol_again(hall: Hall, counter: Counter, login: str) -> Counter:
    services = hall.office.services
    code = services.devices.new_code(CONSOLE, hall.office.hall, "3号窗").secret
    made = services.devices.enrol(EnrolRequest(code, Credential().csr, device=counter.device))
    reply = services.door.sign_in(made.device, SignInRequest(login, PASSWORD))
    return Counter(services, hall.office.clock, made.device, made.certificate, reply.statement, made.series)


def test_numbers_that_were_handed_out_and_forgotten_are_not_handed_out_again(hall: Hall) -> None:
    one, two = hall.office.counter(), hall.office.counter()
    hall.backup()
    numbers = hall.office.services.numbers
    day = f"{hall.office.clock.now():%y%m%d}"
    series = [one.series, f"{one.series}QA{day}"]
    for name in series:  # neither has been handed out when the backup is made
        assert numbers.lease(one.device, LeaseRequest(name, 20)).first == 1
    hall.restore()
    for name in series:
        assert hall.office.services.numbers.lease(two.device, LeaseRequest(name, 20)).first > 1000
    later = f"{one.series}QA261205"
    hall.office.clock.advance(14 * 86400)
    assert hall.office.services.numbers.lease(two.device, LeaseRequest(later, 20)).first == 1
    with hall.office.services.database.read() as session:
        spans = session.execute(select(NumberLease.series, NumberLease.first, NumberLease.last)).all()
    assert len(spans) == 3
