"""Which documents name which blobs, now: who may read one, which one is missing, which one nobody needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, and_, delete, exists, false, insert, or_, select, update
from sqlalchemy.orm import Session

from modules.common.blobs import names_in
from server_stub.sealing import open_sealed
from server_stub.tables import AggregateState, Blob, BlobGiver, BlobName

_SOME = 500


def note(
    session: Session,
    at: str,
    kind: str,
    id: str,
    rev: int,
    doc: str,
    device_id: str = "",
    scopes: Collection[str] | None = None,
) -> None:
    """Remember what the newest document (JSON) of an aggregate names; belongs to the transaction that stores it.

    ``device_id`` gave the command, in the name of somebody who reads ``scopes``: what it names must be its own or be
    read by it, else the name counts from the moment on at which the device hands the blob in. A hash that somebody
    heard of opens nothing. The server itself has no scopes and is trusted, unless it speaks for a device, as for a
    portal's: that has to hand in what it names.
    """
    wanted = names_in(doc)
    if rev == 1 and not wanted:
        return  # the first document of most: there is nothing to ask
    mine = and_(BlobName.kind == kind, BlobName.aggregate_id == id)
    known = frozenset(session.execute(select(BlobName.sha256).where(mine)).scalars())
    if wanted == known:
        return
    if new := wanted - known:
        trusted = scopes is None and not device_id
        unproven = frozenset() if trusted else missing(session, new, device_id, scopes or ())
        session.execute(
            insert(BlobName),
            [
                {"sha256": name, "kind": kind, "aggregate_id": id, "device_id": device_id if name in unproven else ""}
                for name in sorted(new)
            ],
        )
    if gone := known - wanted:
        session.execute(delete(BlobName).where(mine, BlobName.sha256.in_(gone)))
        # it is kept for a while from now on: whoever took it out may put it back
        session.execute(update(Blob).where(Blob.sha256.in_(gone)).values(at=at))


def fill(session: Session) -> None:
    """Note what documents name that are older than the notes; nothing to do when there are any."""
    if session.execute(select(BlobName.sha256).limit(1)).first() or not session.execute(select(Blob).limit(1)).first():
        return
    states = session.execute(
        select(AggregateState.kind, AggregateState.id, AggregateState.sealed).execution_options(yield_per=_SOME)
    )
    for some in states.partitions():
        for kind, id, sealed in some:
            note(session, "", kind, id, 0, open_sealed(session, AggregateState, (kind, id), sealed))


def missing(
    session: Session, wanted: Collection[str], device_id: str, scopes: Collection[str] | None
) -> frozenset[str]:
    """Those of the blobs ``wanted`` that the server does not hold whole from ``device_id`` itself, nor in a document
    that is read in ``scopes``. For the server's own commands ``scopes`` is None, and any whole blob will do.

    Inside the transaction of a command that may have to wait for them; what is found stays until its end.
    """
    if not wanted:
        return frozenset()
    whole = select(Blob.sha256).where(Blob.sha256.in_(wanted))
    if scopes is not None:
        whole = whole.where(or_(_given_by(Blob.sha256, device_id), _read_by(Blob.sha256, scopes)))
    return frozenset(wanted).difference(session.execute(whole.with_for_update(of=Blob, read=True)).scalars())


def readable(session: Session, sha256: str, scopes: Iterable[str]) -> bool:
    """Whether a document in one of the feeds ``scopes`` names the blob."""
    return bool(session.execute(select(_read_by(sha256, scopes))).scalar())


def unnamed() -> ColumnElement[bool]:
    """The condition for a ``Blob`` that no document names."""
    return ~exists().where(BlobName.sha256 == Blob.sha256)


def _given_by(sha256: object, device_id: object) -> ColumnElement[bool]:
    return exists().where(BlobGiver.sha256 == sha256, BlobGiver.device_id == device_id)


def _read_by(sha256: object, scopes: Iterable[str]) -> ColumnElement[bool]:
    document = and_(AggregateState.kind == BlobName.kind, AggregateState.id == BlobName.aggregate_id)
    # scopes are stored as a JSON list of strings
    inside = or_(false(), *(AggregateState.scopes.contains(f'"{scope}"', autoescape=True) for scope in scopes))
    proven = or_(BlobName.device_id == "", _given_by(BlobName.sha256, BlobName.device_id))
    return exists().where(BlobName.sha256 == sha256, document, inside, proven)
