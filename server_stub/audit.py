"""The audit log: every link carries the SM3 digest of the one before it, so a changed or missing link shows.

The database itself refuses to change or remove a link. From time to time the server signs the head of the chain
(``sign``), and the signed heads leave the machine: whoever rewrites the whole chain cannot rewrite those. How a chain
is proved, here or from a file alone: ``audit_proof``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import ColumnElement, bindparam, insert, or_, select, update
from sqlalchemy.orm import Session

from modules.common.gm import sm3
from modules.common.server_ports import AuditPage, AuditView
from server_stub.identity import Identity
from server_stub.tables import AuditHead, AuditRow, AuditSignature, adding, plain
from sync.protocol import canonical

START = "0" * 64
"""What the first link follows."""
REFUSED = (".refused", ".failed", ".locked", ".hash_mismatch")
"""How the name of an action ends that did not come about."""
_MOVE = update(plain(AuditHead)).values(seq=bindparam("last"), hash=bindparam("sm3"))
COLUMNS = ("seq", "at", "action", "person_id", "device_id", "subject", "detail")
"""What of a link is under its digest, in this order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to be remembered: ids only, never a name, a number or a text of a citizen's."""

    action: str
    person: str = ""
    device: str = ""
    subject: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain at a moment, signed (Ed25519) by the server whose history is ``epoch``."""

    seq: int
    hash: str
    at: str
    epoch: str
    signature: str

    def text(self) -> bytes:
        """What is signed."""
        return canonical(["govdesk audit head 1", self.epoch, self.seq, self.hash, self.at])


def link(previous: str, *parts: str | int) -> str:
    """The digest of a link: of the one before it and of its ``COLUMNS``."""
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
        values = (seq, at, entry.action, entry.person, entry.device, entry.subject, detail)
        last = link(last, *values)
        rows.append(dict(zip(COLUMNS, values, strict=True)) | {"hash": last})
    session.execute(adding(AuditRow), rows)
    session.execute(_MOVE, {"last": seq, "sm3": last})


def sign(session: Session, identity: Identity, at: str) -> Head:
    """The chain's head as it is now, signed, and kept beside the chain. An empty chain has a head, too."""
    seq, last = session.execute(select(AuditHead.seq, AuditHead.hash)).one_or_none() or (0, START)
    kept = session.get(AuditSignature, seq)
    if kept is not None:
        return head_of(kept)
    bare = Head(seq, last, at, identity.epoch, "")
    signature = Ed25519PrivateKey.from_private_bytes(identity.private_key).sign(bare.text()).hex()
    row = AuditSignature(seq=seq, hash=last, at=at, epoch=identity.epoch, signature=signature)
    session.add(row)
    session.flush()
    return head_of(row)


def head_of(row: AuditSignature) -> Head:
    """A head that was signed."""
    return Head(row.seq, row.hash, row.at, row.epoch, row.signature)


def find(
    session: Session,
    *,
    action: str = "",
    people: Collection[str] | None = None,
    devices: Collection[str] | None = None,
    since: str = "",
    until: str = "",
    result: str = "",
    before: int = 0,
    limit: int = 100,
) -> AuditPage:
    """Links, newest first, with ``seq < before`` when that is not 0. Times are UTC text, empty: no bound.

    ``people`` and ``devices`` are ids, None: all. ``result``: ``done``, ``refused``, or empty for both.
    """
    query = select(AuditRow).order_by(AuditRow.seq.desc())
    if action:
        query = query.where(AuditRow.action.startswith(action, autoescape=True))
    if people is not None:
        query = query.where(AuditRow.person_id.in_(people))
    if devices is not None:
        query = query.where(AuditRow.device_id.in_(devices))
    if since:
        query = query.where(AuditRow.at >= since)
    if until:
        query = query.where(AuditRow.at < until)
    if result:
        query = query.where(_refused() if result == "refused" else ~_refused())
    if before:
        query = query.where(AuditRow.seq < before)
    rows = session.execute(query.limit(limit + 1)).scalars().all()
    return AuditPage(more=len(rows) > limit, items=[_view(row) for row in rows[:limit]])


def _refused() -> ColumnElement[bool]:
    return or_(*(AuditRow.action.endswith(end, autoescape=True) for end in REFUSED))


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
        result="refused" if row.action.endswith(REFUSED) else "done",
    )
