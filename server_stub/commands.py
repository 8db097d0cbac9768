"""The server's own way to change and to read what is synced, for jobs and routes of modules."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from modules.common.aggregate import Aggregate, Doc
from modules.common.clock import Clock, iso
from modules.common.permissions import SYSTEM, Actor
from modules.common.server_ports import Reference
from server_stub import audit, feed
from server_stub.database import Database
from server_stub.processor import Order, Processor
from server_stub.tables import AggregateState
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
        query = select(AggregateState.doc).filter_by(kind=kind, id=id)
        with self._database.read() as session:
            doc = session.execute(query).scalar_one_or_none()
        return json.loads(doc) if doc else None

    def find(
        self,
        kind: str,
        *,
        states: Sequence[str] = (),
        due_until: date | None = None,
        after: str = "",
        limit: int = 500,
    ) -> list[Doc]:
        query = select(AggregateState.doc).where(AggregateState.kind == kind, AggregateState.id > after)
        if states:
            query = query.where(AggregateState.state.in_(states))
        if due_until is not None:
            query = query.where(AggregateState.due <= due_until.isoformat())
        query = query.order_by(AggregateState.id).limit(min(limit, FOUND))
        with self._database.read() as session:
            return [json.loads(doc) for doc in session.execute(query).scalars()]

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
