"""Between revisions 0003 and 0004: seals what stands in clear, some rows in a transaction; cut off, it goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, text
from sqlalchemy.orm import Session

from modules.common.aggregate import Summary
from server_stub import feed, sealing
from server_stub.tables import AggregateState, Base, ChangeRow, CommandRow, Device, EventRow, Person, ServerMeta

BATCH = 500
CLEAR_LEFT = "clear_left"
"""A row of ``server_meta`` while the files may still hold what was in clear."""


@dataclass(frozen=True, slots=True)
class _Clear:
    """A table as it was: its primary key, and what of a row is to be sealed, or None for nothing."""

    table: type[Base]
    key: tuple[str, ...]
    columns: tuple[str, ...]
    told: Callable[[RowMapping], str | None]


def _column(name: str) -> Callable[[RowMapping], str | None]:
    return lambda row: row[name]


def _whole(row: RowMapping) -> str:
    return feed.whole(Summary(row["title"], "", search=row["search"]), row["doc"])


CLEAR = (
    _Clear(ServerMeta, ("key",), ("value",), _column("value")),
    _Clear(Person, ("id",), ("name",), _column("name")),
    _Clear(Device, ("id",), ("escrow",), _column("escrow")),
    _Clear(CommandRow, ("cmd_id",), ("error",), _column("error")),
    _Clear(AggregateState, ("kind", "id"), ("title", "search", "doc"), _whole),
    _Clear(EventRow, ("kind", "aggregate_id", "rev", "i"), ("body",), _column("body")),
    _Clear(ChangeRow, ("scope", "seq"), ("entry",), _column("entry")),
)


def seal_clear(engine: Engine) -> None:
    """Seal all that is not yet; what is, stays as it is."""
    with engine.begin() as connection:
        # the demonstration's base was kept under people's numbers; it is laid out anew, under others
        connection.execute(text("DELETE FROM aggregate_state WHERE kind IN ('base_person', 'base_firm')"))
    for clear in CLEAR:
        last: tuple[Any, ...] | None = None
        while True:
            with engine.begin() as connection:
                last = _some(connection, clear, last)
            if last is None:
                break
    with Session(engine) as session, session.begin():
        if session.get(ServerMeta, CLEAR_LEFT) is None:
            sealed = sealing.seal(session, ServerMeta, (CLEAR_LEFT,), "")
            session.execute(
                text("INSERT INTO server_meta (key, value, sealed) VALUES (:key, '', :sealed)"),
                {"key": CLEAR_LEFT, "sealed": sealed},
            )


def _some(connection: Connection, clear: _Clear, after: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """Seal the next rows behind the key ``after``; the last one's key, or None when there are no more."""
    name, keys = clear.table.__tablename__, clear.key
    beyond = f"({', '.join(keys)}) > ({', '.join(f':after_{key}' for key in keys)})" if after else "true"
    chosen = ", ".join((*keys, *clear.columns))
    query = f"SELECT {chosen}, sealed FROM {name} WHERE {beyond} ORDER BY {', '.join(keys)} LIMIT {BATCH}"  # noqa: S608
    bound = {f"after_{key}": value for key, value in zip(keys, after or (), strict=False)}
    rows = connection.execute(text(query), bound).mappings().all()
    if not rows:
        return None
    found = sealing.of(connection)
    changed = []
    for row in rows:
        told = clear.told(row)
        if row["sealed"] is None and told is not None:
            key = {column: row[column] for column in keys}
            changed.append({**key, "sealed": found.seal(clear.table, tuple(key.values()), told)})
    if changed:
        match = " AND ".join(f"{key} = :{key}" for key in keys)
        connection.execute(text(f"UPDATE {name} SET sealed = :sealed WHERE {match}"), changed)  # noqa: S608
        if clear.table is AggregateState:
            with Session(connection) as session:
                for row in rows:
                    feed.remember_numbers(session, row["kind"], row["id"], row["search"])
                session.flush()
    return tuple(rows[-1][key] for key in keys)


def rewrite(engine: Engine) -> None:
    """Write the whole database anew, so that what was dropped from it is not in its files any more."""
    if engine.dialect.name == "sqlite":
        file = sqlite3.connect(str(engine.url.database), isolation_level=None)
        try:
            file.execute("VACUUM")
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            file.close()
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for clear in CLEAR:
            connection.exec_driver_sql(f'VACUUM FULL "{clear.table.__tablename__}"')
