"""A new data key: everything is sealed anew under it, some rows in each transaction, beside a server that runs.

Cut off, it goes on: what the newest key has sealed is left as it is. A server that has not noticed the new key goes on
sealing under the one before; it fetches the new one when it first meets a value of it, and ``--go-on`` seals
the rest. Old keys stay, wrapped: older backups need them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, Table, bindparam, cast, delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from modules.common.clock import iso
from server_stub import audit, feed, keyring
from server_stub.database import Database
from server_stub.sealing import head_of, of, sealed_tables
from server_stub.tables import AggregateState, Base, BlindIndex

BATCH = 500


def begin(database: Database, master: bytes, now: datetime) -> int:
    """Make a new data key and use it; its version."""
    version = database.sealing.newest + 1
    with Session(database.engine) as session, session.begin():
        keyring.add_key(session, master, version, iso(now))
        audit.append(session, iso(now), [audit.Entry("key.new", subject=f"key:{version}")])
    database.unlock()
    return version


def seal_anew(database: Database) -> int:
    """Seal under the newest key whatever is under another; how many rows that were."""
    total = 0
    for table in sealed_tables(Base):
        after: tuple[Any, ...] | None = None
        while True:
            with Session(database.engine) as session, session.begin():
                after, changed = _some(session, table, after)
            total += changed
            if after is None:
                break
    with Session(database.engine) as session, session.begin():
        head = head_of(database.sealing.newest)
        session.execute(
            delete(BlindIndex).where(func.substr(BlindIndex.blind, 1, len(head)) != cast(head, LargeBinary))
        )
    return total


def _some(session: Session, table: type[Base], after: tuple[Any, ...] | None) -> tuple[tuple[Any, ...] | None, int]:
    """Seal the next rows of a table behind the key ``after``; the last one's key, or None at the end, and how many."""
    columns: Table = table.__table__  # type: ignore[assignment]
    keys = tuple(columns.primary_key.columns)
    sealing = of(session)
    head = head_of(sealing.newest)
    query = select(*keys, columns.c.sealed).where(columns.c.sealed.is_not(None))
    query = query.where(func.substr(columns.c.sealed, 1, len(head)) != cast(head, LargeBinary))
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    rows = session.execute(query.order_by(*keys).limit(BATCH).with_for_update()).all()
    if not rows:
        return None, 0
    change = update(columns).where(*(key == bindparam(f"k_{key.name}") for key in keys))
    changed = []
    for row in rows:
        key, text = tuple(row[:-1]), sealing.open(table, tuple(row[:-1]), row[-1])
        bound = {f"k_{column.name}": value for column, value in zip(keys, key, strict=True)}
        changed.append({**bound, "fresh": sealing.seal(table, key, text)})
        if table is AggregateState:
            feed.remember_numbers(session, key[0], key[1], feed.words_of(text))
    session.connection().execute(change.values(sealed=bindparam("fresh")), changed)
    return tuple(rows[-1][:-1]), len(rows)
