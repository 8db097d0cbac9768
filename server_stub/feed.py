"""Change feeds: one per scope, numbered without gaps, so that a device can tell that it has seen everything."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeVar

from sqlalchemy import func, insert, select, text, tuple_, update
from sqlalchemy.orm import Session

from modules.common.aggregate import Aggregate, Doc, Summary
from modules.common.server_ports import Reference
from server_stub.database import CHANNEL
from server_stub.sealing import numbers_in, of, open_sealed, plain_number, seal
from server_stub.tables import AggregateState, BlindIndex, ChangeRow, EventRow, Scope

REFERENCE = "ref"
"""The scope of reference documents, for everyone signed in."""


T = TypeVar("T")
GROWN = "feeds grown"
"""Where a session keeps, for the writer, the newest number of each feed that its commit makes longer."""


def dump(value: Any) -> str:
    """Compact JSON, as documents are stored and sent."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A change on its way into the feeds of ``scopes``; ``doc`` is JSON."""

    scopes: frozenset[str]
    kind: str
    id: str
    rev: int
    op: Literal["put", "tombstone"]
    doc: str
    summary: Mapping[str, Any]
    cause: str = ""

    def to_wire(self) -> str:
        """The wire ``Change`` as JSON without ``seq``."""
        head = dump(
            {
                "kind": self.kind,
                "id": self.id,
                "rev": self.rev,
                "op": self.op,
                "summary": self.summary,
                "cause": self.cause,
            }
        )
        return f'{head[:-1]},"doc":{self.doc}}}'


def whole(summary: Summary, doc: str) -> str:
    """What is sealed of an aggregate: its document (JSON) and the words that lists and search show."""
    return f'{{"title":{dump(summary.title)},"search":{dump(summary.search)},"doc":{doc}}}'


def document(session: Session, kind: str, id: str, sealed: bytes) -> Doc:
    """The document of an aggregate."""
    doc: Doc = json.loads(open_sealed(session, AggregateState, (kind, id), sealed))["doc"]
    return doc


def append(session: Session, entries: Sequence[Entry]) -> None:
    """Number and store entries: the last thing a transaction does, for it holds the counters' row locks."""
    sealing = of(session)
    by_scope: defaultdict[str, list[tuple[Entry, str]]] = defaultdict(list)
    for entry in entries:
        wire = entry.to_wire()
        for scope in entry.scopes:
            by_scope[scope].append((entry, wire))
    heads = {}
    # in one order everywhere: two transactions cannot wait for each other
    for scope in sorted(by_scope):
        added = by_scope[scope]
        statement = update(Scope).where(Scope.name == scope).values(seq=Scope.seq + len(added)).returning(Scope.seq)
        last = session.execute(statement).scalar_one_or_none()
        if last is None:
            last = len(added)
            session.execute(insert(Scope).values(name=scope, seq=last))
        session.execute(
            insert(ChangeRow),
            [
                {
                    "scope": scope,
                    "seq": seq,
                    "kind": entry.kind,
                    "aggregate_id": entry.id,
                    "sealed": sealing.seal(ChangeRow, (scope, seq), wire),
                }
                for seq, (entry, wire) in enumerate(added, last - len(added) + 1)
            ],
        )
        heads[scope] = last
    _tell(session, heads)


def _tell(session: Session, heads: Mapping[str, int]) -> None:
    """Leave word of what grows with this commit: with the writer, or with PostgreSQL for all its server processes."""
    if session.get_bind().dialect.name != "postgresql":
        session.info.setdefault(GROWN, {}).update(heads)
        return
    for some in batched(heads.items(), 50):  # a payload has less than 8,000 bytes
        session.execute(select(func.pg_notify(CHANNEL, dump(dict(some)))))


def page(session: Session, epoch: str, server_time: str, scope: str, since: int, limit: int, known_epoch: str) -> str:
    """A wire ``ChangesReply`` as JSON: changes after ``since``, at most ``limit``.

    A cursor of another epoch, or beyond the head, is of another history: ``snapshot_required``.
    """
    # the head is read before the changes: what is committed in between is only ever newer
    head = session.execute(select(Scope.seq).where(Scope.name == scope)).scalar_one_or_none() or 0
    lost = since > head or (known_epoch not in ("", epoch))
    rows: Sequence[tuple[int, bytes]] = []
    if not lost:
        query = select(ChangeRow.seq, ChangeRow.sealed).where(ChangeRow.scope == scope, ChangeRow.seq > since)
        rows = [(seq, sealed) for seq, sealed in session.execute(query.order_by(ChangeRow.seq).limit(limit + 1))]
    sealing = of(session)
    shown = [(seq, sealing.open(ChangeRow, (scope, seq), sealed)) for seq, sealed in rows[:limit]]
    reply = dump(
        {
            "epoch": epoch,
            "server_time": server_time,
            "scope": scope,
            "since": since,
            "to": shown[-1][0] if shown else since,
            "more": len(rows) > limit,
            "snapshot_required": lost,
        }
    )
    changes = ",".join(f'{{"seq":{seq},{entry[1:]}' for seq, entry in shown)
    return f'{reply[:-1]},"changes":[{changes}]}}'


def left(entry: Entry, old: frozenset[str]) -> tuple[Entry, ...]:
    """What tells the feeds in ``old`` that a document has left them."""
    gone = old - entry.scopes
    if not gone:
        return ()
    return (Entry(gone, entry.kind, entry.id, entry.rev, "tombstone", "{}", {}, entry.cause),)


def publish(
    session: Session, at: str, references: Iterable[Reference], rules: Callable[[str], Aggregate] | None = None
) -> int:
    """Put new and changed reference documents into the feeds; returns how many there were.

    Where ``rules`` know the kind, they say the summary and the feeds; else the reference does. A document that
    a command has changed belongs to whoever changed it, and is left as it is.
    """
    wanted = {(reference.kind, reference.id): reference for reference in references}
    entries: list[Entry] = []
    for some in batched(wanted, 200):
        olds = {
            (row.kind, row.id): row
            for row in session.execute(
                select(AggregateState).where(tuple_(AggregateState.kind, AggregateState.id).in_(some))
            ).scalars()
        }
        changed = select(EventRow.kind, EventRow.aggregate_id).distinct()
        kept = {
            (kind, id)
            for kind, id in session.execute(changed.where(tuple_(EventRow.kind, EventRow.aggregate_id).in_(some)))
        }
        for key in some:
            reference, old = wanted[key], olds.get(key)
            if key in kept:
                continue
            summary, scopes = _described(reference, rules)
            doc, fields = dump(reference.doc), summary.to_wire()
            if old is not None and _same(session, old, summary, doc, scopes):
                continue
            entry = Entry(scopes, reference.kind, reference.id, old.rev + 1 if old else 1, "put", doc, fields)
            entries += (entry, *left(entry, frozenset(json.loads(old.scopes)) if old else frozenset()))
            store(session, at, entry, summary)
    append(session, entries)
    return sum(entry.op == "put" for entry in entries)


def batched(items: Iterable[T], count: int) -> Iterator[list[T]]:
    """``items`` in lists of at most ``count``."""
    remaining = iter(items)
    while some := list(islice(remaining, count)):
        yield some


def _described(reference: Reference, rules: Callable[[str], Aggregate] | None) -> tuple[Summary, frozenset[str]]:
    try:
        known = rules(reference.kind) if rules else None
    except KeyError:
        known = None
    if known is not None:
        return known.summary(reference.doc), known.scopes(reference.doc)
    search = f"{reference.title} {reference.number} {reference.search}".strip()
    return Summary(reference.title, "", reference.number, search=search), reference.scopes


def _same(session: Session, row: AggregateState, summary: Summary, doc: str, scopes: frozenset[str]) -> bool:
    kept = (row.state, row.number, row.due, row.scopes)
    if kept != (summary.state, summary.number, _due(summary), dump(sorted(scopes))):
        return False
    return open_sealed(session, AggregateState, (row.kind, row.id), row.sealed) == whole(summary, doc)


def _due(summary: Summary) -> str | None:
    return summary.due.isoformat() if summary.due else None


_BLIND = text("INSERT INTO blind_index (kind, blind, id) VALUES (:kind, :blind, :id) ON CONFLICT DO NOTHING")


def store(session: Session, at: str, entry: Entry, summary: Summary) -> None:
    """Write the newest document of an aggregate, with its summary, and the numbers by which it is found."""
    key = {"kind": entry.kind, "id": entry.id}
    values = {
        "rev": entry.rev,
        "sealed": seal(session, AggregateState, (entry.kind, entry.id), whole(summary, entry.doc)),
        "state": summary.state,
        "number": summary.number,
        "due": _due(summary),
        "scopes": dump(sorted(entry.scopes)),
        "updated_at": at,
    }
    if entry.rev == 1:
        session.execute(insert(AggregateState), [{**key, **values}])
    else:
        session.execute(update(AggregateState).filter_by(**key).values(**values))
    remember_numbers(session, entry.kind, entry.id, summary.search)


def remember_numbers(session: Session, kind: str, id: str, words: str) -> None:
    """Let a document be found by the numbers among its words."""
    sealing = of(session)
    if numbers := numbers_in(words):
        rows = [{"kind": kind, "blind": sealing.blind(number), "id": id} for number in sorted(numbers)]
        session.execute(_BLIND, rows)


def with_number(session: Session, kind: str, number: str, limit: int) -> list[Doc]:
    """Documents of a kind that have exactly this number among their words, by id."""
    sealing, wanted = of(session), plain_number(number)
    query = (
        select(AggregateState.id, AggregateState.sealed)
        .join(BlindIndex, (BlindIndex.kind == AggregateState.kind) & (BlindIndex.id == AggregateState.id))
        .where(BlindIndex.kind == kind, BlindIndex.blind.in_(sealing.blinds(number)))
        .distinct()
        .order_by(AggregateState.id)
    )
    found = []
    for id, sealed in session.execute(query):
        kept = json.loads(sealing.open(AggregateState, (kind, id), sealed))
        # the index may still know what the document has forgotten
        if wanted in numbers_in(kept["search"]):
            found.append(kept["doc"])
        if len(found) == limit:
            break
    return found
