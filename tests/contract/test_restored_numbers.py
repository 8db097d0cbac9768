"""Numbers after the server went back to a backup, each time on a server of its own: what was lent is not lent again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from server_stub import identity
from server_stub.tables import Epoch, NumberLease, NumberSeries
from sync.protocol import LeaseRequest
from tests.support.central import Central, central
from tests.support.servers import postgres


@pytest.fixture(params=["sqlite", "postgres"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Central]:
    if request.param == "sqlite":
        with central(tmp_path) as made:
            yield made
    else:
        with postgres() as url, central(tmp_path, url) as made:
            yield made


def refused(office: Central, counter: Any, **changes: Any) -> str:
    ack = counter.ack(counter.command(**changes))
    return ack.error["code"] if ack.error else ""


def test_numbers_of_a_lost_history_belong_to_whoever_printed_them(office: Central) -> None:
    hall = Central(office.services, office.clock)
    counter, other = hall.counter(), hall.counter()
    lease = office.services.numbers.lease(counter.device, LeaseRequest(counter.series, 10))
    kept = office.services.numbers.lease(other.device, LeaseRequest(other.series, 10))

    def restore(session: Session) -> None:
        session.execute(delete(NumberLease).filter_by(series=lease.series, first=lease.first))
        session.execute(delete(Epoch))
        identity.ensure(session, office.clock.now())

    office.services.writer.do(restore)
    number = {"series": lease.series, "serial": lease.first}
    assert refused(office, counter, number=number) == ""
    assert refused(office, other, number=number) == "NUM-004"
    assert refused(office, counter, number={**number, "serial": kept.first}) == "NUM-003"
    following = office.services.numbers.lease(other.device, LeaseRequest(other.series, 1))
    assert following.first == kept.last + 1 + identity.LOST_NUMBERS
    assert refused(office, counter, number={**number, "serial": following.last + 1}) == "NUM-003"


def test_a_series_that_a_lost_history_began_is_not_begun_again(office: Central) -> None:
    counter, other = office.counter(), office.counter()
    today, far = (f"{counter.series}QA{office.clock.now() + timedelta(days=days):%y%m%d}" for days in (0, 3))
    lease = office.services.numbers.lease(counter.device, LeaseRequest(today, 20))

    def restore(session: Session) -> None:
        session.execute(delete(NumberLease).filter_by(series=today))
        session.execute(delete(NumberSeries).filter_by(series=today))
        session.execute(delete(Epoch))
        identity.ensure(session, office.clock.now())

    office.services.writer.do(restore)
    printed = {"series": today, "serial": lease.first}
    assert refused(office, counter, number=printed) == ""
    assert office.services.numbers.lease(other.device, LeaseRequest(today, 20)).first == identity.LOST_NUMBERS + 1
    assert refused(office, counter, number={**printed, "serial": lease.last}) == ""
    office.clock.advance(2 * 86400)
    # of a day that was too far ahead, nothing had been handed out
    assert office.services.numbers.lease(other.device, LeaseRequest(far, 20)).first == 1
