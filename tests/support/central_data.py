"""What a central server's database holds, opened: for tests that look past the server's addresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server_stub import feed
from server_stub.config import Config, read_settings
from server_stub.database import Database
from server_stub.tables import AggregateState


@contextmanager
def reading(data: Path, database: str = "") -> Iterator[Session]:
    """A session that reads the database of the server whose folder is ``data``, with its keys."""
    config = Config(data, database, settings=read_settings(data))
    made = Database(config.url, config.master_key)
    try:
        made.unlock()
        with made.read() as session:
            yield session
    finally:
        made.close()


def docs(session: Session, kind: str) -> dict[str, dict[str, Any]]:
    """The newest documents of a kind, by id."""
    rows = session.execute(select(AggregateState.id, AggregateState.sealed).filter_by(kind=kind))
    return {id: dict(feed.document(session, kind, id, sealed)) for id, sealed in rows}
