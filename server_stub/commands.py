"""The server's own way to change and to read what is synced, for jobs and routes of modules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from modules.common.aggregate import Aggregate, Doc
from modules.common.clock import Clock, iso
from modules.common.permissions import SYSTEM, Actor
from modules.common.server_ports import Caller, Reference
from server_stub import audit, feed
from server_stub.database import Database
from server_stub.processor import Order, Processor
from server_stub.tables import AggregateState, EventRow
from server_stub.writer import Writer

FOUND = 1000
"""Documents in one answer at most."""


class OwnCommands:
    """Implements ``modules.common.server_ports.ServerCommands``."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        clock: Clock,
        processor: Processor,
        rules: Callable[[str], Aggregate],
    ) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._processor = processor
        self._rules = rules

    def give(
        self,
        kind: str,
        aggregate_id: str,
        type: str,
        body: Mapping[str, Any],
        *,
        actor: Actor = SYSTEM,
        device: str = "",
        command_id: str = "",
    ) -> int:
        return self._processor.give(Order(kind, aggregate_id, type, body, actor, device, command_id))

    def get(self, kind: str, id: str) -> Doc | None:
        query = select(AggregateState.sealed).filter_by(kind=kind, id=id)
        with self._database.read() as session:
            sealed = session.execute(query).scalar_one_or_none()
            return feed.document(session, kind, id, sealed) if sealed else None

    def with_number(self, kind: str, number: str, *, limit: int = 100) -> list[Doc]:
        with self._database.read() as session:
            return feed.with_number(session, kind, number, min(limit, FOUND))

    def find(
        self,
        kind: str,
        *,
        states: Sequence[str] = (),
        due_until: date | None = None,
        after: str = "",
        limit: int = 500,
    ) -> list[Doc]:
        limit = min(limit, FOUND)
        wanted = select(AggregateState.id).where(AggregateState.kind == kind, AggregateState.id > after)
        if due_until is not None:
            wanted = wanted.where(AggregateState.due <= due_until.isoformat())
        wanted = wanted.order_by(AggregateState.id).limit(limit)
        with self._database.read() as session:
            # each state by itself, in the order of the index: together they would be looked for among all cases
            some = [wanted.where(AggregateState.state == state) for state in dict.fromkeys(states)] or [wanted]
            ids = sorted(id for query in some for id in session.execute(query).scalars())[:limit]
            rows = select(AggregateState.id, AggregateState.sealed).where(AggregateState.kind == kind)
            found = session.execute(rows.where(AggregateState.id.in_(ids)).order_by(AggregateState.id))
            return [feed.document(session, kind, id, sealed) for id, sealed in found]

    def dump(self, kind: str, by: Caller) -> list[dict[str, Any]]:
        """Every document of a kind, with how many events it has had; that they were taken is audited before."""
        entry = audit.Entry("documents.read", by.actor.id, by.device, kind)
        now = iso(self._clock.now())
        self._writer.do(lambda session: audit.append(session, now, [entry]))
        count = select(EventRow.aggregate_id, func.count()).filter_by(kind=kind).group_by(EventRow.aggregate_id)
        query = select(AggregateState.id, AggregateState.sealed).filter_by(kind=kind)
        with self._database.read() as session:
            events = {row[0]: row[1] for row in session.execute(count)}
            return [
                {"id": id, "events": events.get(id, 0), "doc": feed.document(session, kind, id, sealed)}
                for id, sealed in session.execute(query.order_by(AggregateState.id))
            ]

    def publish(self, references: Iterable[Reference]) -> int:
        wanted = list(references)

        def store(session: Session) -> int:
            now = iso(self._clock.now())
            published = feed.publish(session, now, wanted, self._rules)
            if published:
                kinds = ",".join(sorted({reference.kind for reference in wanted}))
                audit.append(session, now, [audit.Entry("reference.publish", detail={"n": published, "kinds": kinds})])
            return published

        return self._writer.do(store)
