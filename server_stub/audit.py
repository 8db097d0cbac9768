"""The audit log: every link carries the SM3 digest of the one before it, so a changed or missing link shows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from modules.common.gm import sm3
from modules.common.server_ports import AuditPage, AuditVerdict, AuditView
from server_stub.tables import AuditHead, AuditRow
from sync.protocol import canonical

START = "0" * 64
"""What the first link follows."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to be remembered: ids only, never a name, a number or a text of a citizen's."""

    action: str
    person: str = ""
    device: str = ""
    subject: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def _link(previous: str, *parts: str | int) -> str:
    return sm3(bytes.fromhex(previous) + canonical(parts)).hex()


def append(session: Session, at: str, entries: Sequence[Entry]) -> None:
    """Add links in the running transaction. The head's row lock orders writers on PostgreSQL."""
    if not entries:
        return
    head = session.execute(select(AuditHead.seq, AuditHead.hash).with_for_update()).one_or_none()
    if head is None:
        session.execute(insert(AuditHead).values(id=1, seq=0, hash=START))
    seq, last = head or (0, START)
    rows = []
    for entry in entries:
        seq += 1
        detail = json.dumps(entry.detail, ensure_ascii=False, sort_keys=True)
        last = _link(last, seq, at, entry.action, entry.person, entry.device, entry.subject, detail)
        rows.append(
            {
                "seq": seq,
                "at": at,
                "action": entry.action,
                "person_id": entry.person,
                "device_id": entry.device,
                "subject": entry.subject,
                "detail": detail,
                "hash": last,
            }
        )
    session.execute(insert(AuditRow), rows)
    session.execute(update(AuditHead).values(seq=seq, hash=last))


def verify(session: Session) -> AuditVerdict:
    """Walk the whole chain. ``broken_at`` is the first link that is changed, missing or cut off, or None."""
    # the head is read first: links that are added meanwhile lie beyond it
    head, end = session.execute(select(AuditHead.seq, AuditHead.hash)).one_or_none() or (0, START)
    expected, last = 1, START
    query = select(AuditRow).where(AuditRow.seq <= head).order_by(AuditRow.seq)
    with session.scalars(query.execution_options(yield_per=1000)) as rows:
        for row in rows:
            link = _link(last, row.seq, row.at, row.action, row.person_id, row.device_id, row.subject, row.detail)
            if row.hash != link:
                return AuditVerdict(checked=expected - 1, broken_at=expected)
            expected, last = expected + 1, row.hash
    whole = (expected - 1, last) == (head, end)
    return AuditVerdict(checked=expected - 1, broken_at=None if whole else expected)


def find(session: Session, *, action: str, person: str, since: str, until: str, before: int, limit: int) -> AuditPage:
    """Links, newest first, with ``seq < before`` when that is not 0. Times are UTC text, empty: no bound."""
    query = select(AuditRow).order_by(AuditRow.seq.desc())
    if action:
        query = query.where(AuditRow.action.startswith(action, autoescape=True))
    if person:
        query = query.where(AuditRow.person_id == person)
    if since:
        query = query.where(AuditRow.at >= since)
    if until:
        query = query.where(AuditRow.at < until)
    if before:
        query = query.where(AuditRow.seq < before)
    rows = session.execute(query.limit(limit + 1)).scalars().all()
    return AuditPage(more=len(rows) > limit, items=[_view(row) for row in rows[:limit]])


def export(session: Session) -> Iterator[str]:
    """Every link as one line of JSON, oldest first: what is kept away from the server."""
    columns = AuditRow.__table__.columns.keys()
    with session.scalars(select(AuditRow).order_by(AuditRow.seq).execution_options(yield_per=1000)) as rows:
        for row in rows:
            yield json.dumps({column: getattr(row, column) for column in columns}, ensure_ascii=False)


def _view(row: AuditRow) -> AuditView:
    return AuditView(
        seq=row.seq,
        at=row.at,
        action=row.action,
        person=row.person_id,
        device=row.device_id,
        subject=row.subject,
        detail=json.loads(row.detail),
        hash=row.hash,
    )
