"""The tables of the local store, but for the index ``record_search`` (see ``client.data.index``).

Times are UTC text as ``clock.iso`` writes them; documents are JSON.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, MetaData, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

WAITING = "waiting"
DEFERRED = "deferred"
"""The server has it, and it waits there for what is not there yet; its fate is asked for again."""
APPLIED = "applied"
REFUSED = "refused"
DISMISSED = "dismissed"


class Base(DeclarativeBase):
    """Names every constraint, because SQLite migrations must be able to name what they change."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text, dict[str, Any]: JSON(none_as_null=True)}  # noqa: RUF012 - declared so by SQLAlchemy


class RecordRow(Base):
    """A record. ``doc`` and ``summary`` are the server's; ``local_doc`` is the view with unsent commands, where
    there are any. The columns from ``title`` on describe the view. ``stale``: from an earlier server
    epoch, so that any revision replaces it.
    """

    __tablename__ = "record"
    __table_args__ = (
        Index(None, "kind", "state"),
        Index(None, "number"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    rev: Mapped[int] = mapped_column(default=0)
    doc: Mapped[dict[str, Any] | None]
    summary: Mapped[dict[str, Any] | None]
    local_doc: Mapped[dict[str, Any] | None]
    title: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="")
    number: Mapped[str] = mapped_column(default="")
    due: Mapped[str | None]
    search: Mapped[str] = mapped_column(default="")
    pending: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    stale: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[str]


class ScopeRow(Base):
    """A record's membership in a change feed: who may see it here. ``generation`` is the reading of the feed
    that last brought it, in the revision ``rev``; 0 means that only this device says so. Triggers keep what a feed
    holds in ``CursorRow.count`` and ``digest`` (``modules.common.digests``).
    """

    __tablename__ = "record_scope"
    __table_args__ = (Index(None, "scope", "generation"),)

    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(primary_key=True)
    generation: Mapped[int]
    rev: Mapped[int] = mapped_column(default=0)


class PlaceRow(Base):
    """Where a record stands in time, and in the index of words (``client.data.index``). ``listed`` is what its rows
    in ``record_list`` say: JSON of state, due date and feeds.
    """

    __tablename__ = "record_place"
    __table_args__ = (UniqueConstraint("kind", "id"),)

    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    id: Mapped[str]
    listed: Mapped[str]


class ListRow(Base):
    """A record in the list of a feed."""

    __tablename__ = "record_list"
    __table_args__ = (
        Index(None, "scope", "kind", "place"),
        Index(None, "scope", "kind", "state", "due", "place"),
        {"sqlite_with_rowid": False},
    )

    scope: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    due: Mapped[str | None]


class TouchedRow(Base):
    """A record that lists and index have to catch up with, written by triggers; empty after each transaction."""

    __tablename__ = "record_touched"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)


class UnwordedRow(Base):
    """A place whose words wait to be made: while a long feed is read, documents come first (``client.data.words``)."""

    __tablename__ = "record_unworded"

    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class CursorRow(Base):
    """How far a feed has been read. ``generation`` counts readings from the start; ``complete`` once the
    present one has reached the end, and what it did not bring has been dropped. ``floor`` is the feed's when the
    present reading began. ``count`` and ``digest``: what all readings have brought and not dropped.
    """

    __tablename__ = "cursor"

    scope: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[int] = mapped_column(default=0)
    epoch: Mapped[str] = mapped_column(default="")
    generation: Mapped[int] = mapped_column(default=1)
    complete: Mapped[bool] = mapped_column(default=False)
    floor: Mapped[int] = mapped_column(default=0)
    count: Mapped[int] = mapped_column(default=0)
    digest: Mapped[int] = mapped_column(default=0)


class StatementRow(Base):
    """A session statement's token, kept as long as a command refers to it and for signing in offline."""

    __tablename__ = "statement"
    __table_args__ = (Index(None, "login", "issued_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    login: Mapped[str]
    issued_at: Mapped[str]
    offline_until: Mapped[str]
    token: Mapped[str]


class OutboxRow(Base):
    """A command given here. ``n`` is contiguous per device; ``rev`` is what the server made of it; ``offset_ms`` and
    ``error_ms``: by how much this computer's clock was moved for ``at``, and how well that was known.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index(None, "kind", "aggregate_id"),
        Index(None, "state", "n"),
        UniqueConstraint("cmd_id"),
        UniqueConstraint("series", "serial"),
    )

    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cmd_id: Mapped[str]
    kind: Mapped[str]
    aggregate_id: Mapped[str]
    type: Mapped[str]
    version: Mapped[int]
    base_rev: Mapped[int]
    at: Mapped[str]
    statement_id: Mapped[str] = mapped_column(ForeignKey(StatementRow.id))
    person: Mapped[str]
    body: Mapped[dict[str, Any]]
    series: Mapped[str | None]
    serial: Mapped[int | None]
    offset_ms: Mapped[int | None]
    error_ms: Mapped[int | None]
    state: Mapped[str] = mapped_column(default=WAITING)
    rev: Mapped[int] = mapped_column(default=0)
    error: Mapped[dict[str, Any] | None]
    acked_at: Mapped[str | None]


class LeaseRow(Base):
    """A leased block of serials; ``next`` is the first unused one."""

    __tablename__ = "lease"

    series: Mapped[str] = mapped_column(primary_key=True)
    first: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]
    next: Mapped[int]


class DraftRow(Base):
    """Unfinished input of one person."""

    __tablename__ = "draft"
    __table_args__ = (Index(None, "person", "kind"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    person: Mapped[str]
    kind: Mapped[str]
    title: Mapped[str]
    doc: Mapped[dict[str, Any]]
    updated_at: Mapped[str]


class BlobRow(Base):
    """A page image or a scan whose encrypted file is here. ``waiting`` until the server has it, too; ``tries`` counts
    attempts, so that one that will not go is tried behind the others.
    """

    __tablename__ = "blob"
    __table_args__ = (Index(None, "waiting", "tries"),)

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    type: Mapped[str]
    waiting: Mapped[bool] = mapped_column(default=True)
    tries: Mapped[int] = mapped_column(default=0)
    kept_at: Mapped[str]


class PrintRow(Base):
    """A paper that is owed; gone once it is printed."""

    __tablename__ = "print_job"

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    record_id: Mapped[str]
    template: Mapped[str]
    created_at: Mapped[str]


class MetaRow(Base):
    """Single values: ``epoch``, ``last_n``, ``offset_ms`` (server's clock less ours), ``error_ms``, ``last_contact``,
    and ``lost`` (the server may have forgotten commands, and must be asked which). Of the index of words: ``words``
    (the version that is whole), ``words_of`` (being made) and ``words_below`` (how far it is).
    """

    __tablename__ = "meta"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


def is_mapped(name: str | None, type: str, parents: object) -> bool:
    """For Alembic's comparisons: everything but the tables in which FTS5 keeps the index."""
    return type != "table" or not str(name).startswith("record_search")
