"""Leases of official numbers: a device holds a block of serials, so that it can number cases and tickets offline.

A hall has one series for its cases, ``3411A``, and one for each group of its queue and each day,
``3411AQA261122``: its own, ``Q``, the group's letter, the day (China) as yymmdd.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from sqlalchemy import Select, insert, select, update
from sqlalchemy.orm import Session

from modules.common.aggregate import Number
from modules.common.clock import CHINA, Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refusal
from modules.common.text import tr
from server_stub import audit
from server_stub.identity import LOST_NUMBERS, Identity
from server_stub.tables import Device, NumberLease, NumberSeries, NumberUsed, Organisation
from server_stub.writer import Writer
from sync.protocol import Lease, LeaseRequest

LEASE_LIMIT = 1000
LOST_TICKETS = 1000
"""More than the tickets of one group and day."""
DAYS_BACK, DAYS_AHEAD = 1, 2
"""For which days tickets are numbered: yesterday's may still be at work at midnight, tomorrow's are fetched today."""
_TICKETS = re.compile(r"Q[A-Z](?P<day>[0-9]{6})")


class Numbers:
    """Hands out blocks. A block is never handed out twice, and what a device does not use is lost."""

    def __init__(self, writer: Writer, clock: Clock, identity: Identity) -> None:
        self._writer = writer
        self._clock = clock
        self._identity = identity

    def lease(self, device_id: str, request: LeaseRequest) -> Lease:
        """The next block. Raises NUM-005 for what is no series of the device's hall, NUM-006 for a senseless count,
        NUM-007 for tickets of a day long past or far ahead.
        """
        if not 1 <= request.count <= LEASE_LIMIT:
            raise GovDeskError("NUM-006", tr("一次可申请 1 至 {limit} 个号码。", limit=LEASE_LIMIT))

        def store(session: Session) -> Lease:
            hall = session.execute(_own_series(device_id)).scalar_one()
            _check(request.series, hall, self._clock.now().astimezone(CHINA).date())
            advance = update(NumberSeries).filter_by(series=request.series)
            advance = advance.values(next_serial=NumberSeries.next_serial + request.count)
            following = session.execute(advance.returning(NumberSeries.next_serial)).scalar_one_or_none()
            if following is None:
                following = 1 + request.count + _lost(request.series, hall, self._identity.recovered_at)
                session.add(NumberSeries(series=request.series, next_serial=following))
            now = iso(self._clock.now())
            lease = Lease(request.series, following - request.count, following - 1)
            session.add(
                NumberLease(series=lease.series, first=lease.first, last=lease.last, device_id=device_id, leased_at=now)
            )
            session.flush()
            subject = f"{lease.series}:{lease.first}-{lease.last}"
            audit.append(session, now, [audit.Entry("number.lease", device=device_id, subject=subject)])
            return lease

        return self._writer.do(store)


def _own_series(device_id: str) -> Select[str]:
    """The series of the hall in which a device stands."""
    return select(Organisation.series).join(Device, Device.hall_id == Organisation.id).where(Device.id == device_id)


def _lost(series: str, own: str, recovered_at: str) -> int:
    """How many serials of a series that is not known may have been handed out in a history that a restore has lost."""
    if not recovered_at:
        return 0
    tickets = _TICKETS.fullmatch(series.removeprefix(own))
    if tickets is None:
        return LOST_NUMBERS
    last = parse_iso(recovered_at).astimezone(CHINA).date() + timedelta(days=DAYS_AHEAD)
    return LOST_TICKETS if tickets["day"] <= f"{last:%y%m%d}" else 0


def _check(series: str, own: str, today: date) -> None:
    """Raise NUM-005 or NUM-007 unless a device of the hall whose series is ``own`` may number in ``series``."""
    if series == own:
        return
    tickets = _TICKETS.fullmatch(series.removeprefix(own)) if series.startswith(own) else None
    if tickets is None:
        raise GovDeskError("NUM-005", tr("号段 {series} 不属于这台设备所在的大厅。", series=series))
    first, last = today - timedelta(days=DAYS_BACK), today + timedelta(days=DAYS_AHEAD)
    # six digits of one century sort as their days do, but at its turn
    if not f"{first:%y%m%d}" <= tickets["day"] <= f"{last:%y%m%d}":
        raise GovDeskError("NUM-007", tr("号段 {series} 的日期已过或太远，不再发号。", series=series))


def spend(session: Session, device_id: str, number: Number, cmd_id: str, recovered_at: str) -> Refusal | None:
    """Spend a number for good; again for the same command is no harm. ``recovered_at``: see ``Identity``."""
    if not _holds(session, device_id, number, recovered_at):
        return Refusal("NUM-003", tr("号码 {serial} 没有分配给这台设备。", serial=number.serial))
    used = session.get(NumberUsed, (number.series, number.serial))
    if used is None:
        session.execute(insert(NumberUsed).values(series=number.series, serial=number.serial, cmd_id=cmd_id))
    elif used.cmd_id != cmd_id:
        return Refusal("NUM-004", tr("号码 {serial} 已经使用过。", serial=number.serial))
    return None


def _holds(session: Session, device_id: str, number: Number, recovered_at: str) -> bool:
    """Whether the device may use the number: its own, or one handed out in a history that a restore has lost."""
    lease = select(NumberLease.device_id).where(
        NumberLease.series == number.series, NumberLease.first <= number.serial, NumberLease.last >= number.serial
    )
    holder = session.execute(lease).scalar_one_or_none()
    if holder is not None:
        return holder == device_id
    # in the history that is known every serial below the next one is in a lease (see ``identity.ensure``)
    upcoming = session.get(NumberSeries, number.series)
    if upcoming is not None:
        return number.serial < upcoming.next_serial
    hall: str = session.execute(_own_series(device_id)).scalar_one()
    return number.series.startswith(hall) and number.serial <= _lost(number.series, hall, recovered_at)
