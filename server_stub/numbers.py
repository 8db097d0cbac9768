"""Leases of official numbers: a device holds a block of serials, so that it can number cases and tickets offline.

A hall has one series for its cases, ``3411A``, and one for each group of its queue and each day,
``3411AQA261122``: its own, ``Q``, the group's letter, the day (China) as yymmdd.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from modules.common.aggregate import Number
from modules.common.clock import CHINA, Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refusal
from modules.common.text import tr
from server_stub import audit, identity
from server_stub.tables import Device, NumberLease, NumberSeries, NumberUsed, Organisation, adding
from server_stub.writer import Writer
from sync.protocol import Lease, LeaseRequest

LEASE_LIMIT = 1000
DAYS_BACK, DAYS_AHEAD = 1, 2
"""For which days tickets are numbered: yesterday's may still be at work at midnight, tomorrow's are fetched today."""
_TICKETS = re.compile(r"Q[A-Z](?P<day>[0-9]{6})")


class Numbers:
    """Hands out blocks. A block is never handed out twice, and what a device does not use is lost."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    def lease(self, device_id: str, request: LeaseRequest) -> Lease:
        """The next block. Raises NUM-005 for what is no series of the device's hall, NUM-006 for a senseless count,
        NUM-007 for tickets of a day long past or far ahead.
        """
        if not 1 <= request.count <= LEASE_LIMIT:
            raise GovDeskError("NUM-006", tr("一次可申请 1 至 {limit} 个号码。", limit=LEASE_LIMIT))

        def store(session: Session) -> Lease:
            own = (
                select(Organisation.series)
                .join(Device, Device.hall_id == Organisation.id)
                .where(Device.id == device_id)
            )
            _check(request.series, session.execute(own).scalar_one(), self._clock.now().astimezone(CHINA).date())
            advance = update(NumberSeries).filter_by(series=request.series)
            advance = advance.values(next_serial=NumberSeries.next_serial + request.count)
            following = session.execute(advance.returning(NumberSeries.next_serial)).scalar_one_or_none()
            if following is None:
                following = _first(session, request.series) + request.count
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


class _Block(NamedTuple):
    series: str
    first: int
    last: int
    device_id: str

    def has(self, number: Number) -> bool:
        return self.series == number.series and self.first <= number.serial <= self.last


class Spending:
    """What numbers one push uses up: looked up at once for all ``wanted``, spent one by one, written with ``store``."""

    def __init__(self, session: Session, device_id: str, wanted: Iterable[Number]) -> None:
        self._session = session
        self._device_id = device_id
        self._used: dict[Number, str] = {}
        self._new: list[dict[str, Any]] = []
        self._block = _Block("", 0, 0, "")
        by_series: defaultdict[str, list[int]] = defaultdict(list)
        for number in wanted:
            by_series[number.series].append(number.serial)
        for series, serials in by_series.items():
            known = select(NumberUsed.serial, NumberUsed.cmd_id).where(
                NumberUsed.series == series, NumberUsed.serial.in_(serials)
            )
            self._used |= {Number(series, serial): cmd_id for serial, cmd_id in session.execute(known)}

    def spend(self, number: Number, cmd_id: str) -> Refusal | None:
        """Spend one of the wanted numbers for good; again for the same command is no harm."""
        if not self._holds(number):
            return Refusal("NUM-003", tr("号码 {serial} 没有分配给这台设备。", serial=number.serial))
        if number not in self._used:
            self._used[number] = cmd_id
            self._new.append({"series": number.series, "serial": number.serial, "cmd_id": cmd_id})
        elif self._used[number] != cmd_id:
            return Refusal("NUM-004", tr("号码 {serial} 已经使用过。", serial=number.serial))
        return None

    def store(self) -> None:
        """Write down what was spent: in the transaction of its effects."""
        if self._new:
            self._session.execute(adding(NumberUsed), self._new)

    def _holds(self, number: Number) -> bool:
        """Whether the device may use the number: its own, or one handed out in a history that a restore has lost."""
        if not self._block.has(number):
            # blocks do not overlap: none but the one that begins last before the number can have it
            columns = select(NumberLease.series, NumberLease.first, NumberLease.last, NumberLease.device_id)
            before = columns.where(NumberLease.series == number.series, NumberLease.first <= number.serial)
            row = self._session.execute(before.order_by(NumberLease.first.desc()).limit(1)).one_or_none()
            self._block = _Block(*row) if row else self._block
        if self._block.has(number):
            return self._block.device_id == self._device_id
        # in the history that is known every serial below the next one is in a lease (see ``identity.ensure``)
        upcoming = select(NumberSeries.next_serial).filter_by(series=number.series)
        following = self._session.execute(upcoming).scalar_one_or_none() or _first(self._session, number.series)
        return number.serial < following


def _first(session: Session, series: str) -> int:
    """The first serial of a series that is not known here: behind all that it may have handed out in a history that a
    restore has lost. Tickets of days that were still far ahead then had not been handed out.
    """
    recovered = identity.recovered_at(session)
    if not recovered:
        return 1
    known = parse_iso(recovered).astimezone(CHINA).date() + timedelta(days=DAYS_AHEAD)
    tickets = _TICKETS.search(series)
    return 1 if tickets and tickets["day"] > f"{known:%y%m%d}" else 1 + identity.LOST_NUMBERS
