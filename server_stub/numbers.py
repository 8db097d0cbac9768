"""Leases of official numbers: a device holds a block of serials, so that it can number cases offline."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub import audit
from server_stub.tables import Device, NumberLease, NumberSeries, Organisation
from server_stub.writer import Writer
from sync.protocol import Lease, LeaseRequest

LEASE_LIMIT = 1000


class Numbers:
    """Hands out blocks. A block is never handed out twice, and what a device does not use is lost."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    def lease(self, device_id: str, request: LeaseRequest) -> Lease:
        """The next block. Raises NUM-005 for another hall's series, NUM-006 for a senseless count."""
        if not 1 <= request.count <= LEASE_LIMIT:
            raise GovDeskError("NUM-006", tr("一次可申请 1 至 {limit} 个号码。", limit=LEASE_LIMIT))

        def store(session: Session) -> Lease:
            own = (
                select(Organisation.series)
                .join(Device, Device.hall_id == Organisation.id)
                .where(Device.id == device_id)
            )
            if session.execute(own).scalar_one() != request.series:
                raise GovDeskError("NUM-005", tr("号段 {series} 不属于这台设备所在的大厅。", series=request.series))
            advance = update(NumberSeries).filter_by(series=request.series)
            advance = advance.values(next_serial=NumberSeries.next_serial + request.count)
            following = session.execute(advance.returning(NumberSeries.next_serial)).scalar_one_or_none()
            if following is None:
                following = 1 + request.count
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
