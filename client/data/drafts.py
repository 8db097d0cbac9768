"""What is kept at this counter alone: unfinished input, and papers that are owed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from client.data.tables import DraftRow, PrintRow
from client.kernel.ports import Draft, PrintJob
from modules.common.clock import iso, parse_iso

if TYPE_CHECKING:
    from client.data.store import Store


class Drafts:
    """The port ``Drafts``: the signed-in person's unfinished input."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, draft_id: str, kind: str, title: str, doc: Mapping[str, Any]) -> None:
        """Keep ``doc`` in place of what was kept under ``draft_id``."""
        values = {
            "person": self._store.actor.id,
            "kind": kind,
            "title": title,
            "doc": dict(doc),
            "updated_at": iso(self._store.now()),
        }
        row = insert(DraftRow).values(id=draft_id, **values)
        # an id of somebody else's draft is left alone
        row = row.on_conflict_do_update(
            index_elements=[DraftRow.id], set_=values, where=DraftRow.person == values["person"]
        )
        with self._store._writing() as unit:
            unit.db.execute(row)

    def list(self, kind: str) -> list[Draft]:
        """The person's drafts of a kind, newest first."""
        query = select(DraftRow).where(DraftRow.person == self._store.actor.id, DraftRow.kind == kind)
        with self._store._reading() as db:
            return [_draft(row) for row in db.scalars(query.order_by(DraftRow.updated_at.desc(), DraftRow.id.desc()))]

    def get(self, draft_id: str) -> Draft | None:
        """One draft of the person, or None."""
        query = select(DraftRow).where(DraftRow.person == self._store.actor.id, DraftRow.id == draft_id)
        with self._store._reading() as db:
            row = db.scalar(query)
            return _draft(row) if row else None

    def drop(self, draft_id: str) -> None:
        """Throw one away."""
        with self._store._writing() as unit:
            drop_draft(unit.db, draft_id, self._store.actor.id)


class Prints:
    """The port ``Prints``: papers owed at this counter, whoever accepted them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def owed(self) -> list[PrintJob]:
        """Papers not yet printed, oldest first."""
        with self._store._reading() as db:
            return [
                PrintJob(row.id, row.kind, row.record_id, row.template, parse_iso(row.created_at))
                for row in db.scalars(select(PrintRow).order_by(PrintRow.id))
            ]

    def done(self, job_id: str) -> None:
        """The paper is out."""
        with self._store._writing() as unit:
            unit.db.execute(delete(PrintRow).where(PrintRow.id == job_id))


def _draft(row: DraftRow) -> Draft:
    return Draft(row.id, row.kind, row.title, row.doc, parse_iso(row.updated_at))


def drop_draft(db: Session, draft_id: str, person: str) -> None:
    """Throw away a person's draft, in a running transaction."""
    db.execute(delete(DraftRow).where(DraftRow.id == draft_id, DraftRow.person == person))
