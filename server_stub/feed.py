"""Change feeds: one per scope, numbered without gaps, so that a device can tell that it has seen everything."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeVar

from sqlalchemy import bindparam, delete, func, insert, select, text, tuple_, update
from sqlalchemy.orm import Session

from modules.common.aggregate import Aggregate, Doc, Summary
from modules.common.digests import changed
from modules.common.errors import GovDeskError
from modules.common.server_ports import Reference
from modules.common.text import tr
from server_stub.blobs import names
from server_stub.database import CHANNEL
from server_stub.sealing import numbers_in, of, open_sealed, plain_number, seal
from server_stub.tables import AggregateState, BlindIndex, ChangeRow, EventRow, Scope, adding, plain

THINNED_AT_ONCE = 2000
"""Numbers of a feed that one transaction thins."""
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
    """A change on its way into the feeds of ``scopes``; ``doc`` is JSON. ``before``: the feeds that have had the
    document until now, in its previous revision.
    """

    scopes: frozenset[str]
    kind: str
    id: str
    rev: int
    op: Literal["put", "tombstone"]
    doc: str
    summary: Mapping[str, Any]
    cause: str = ""
    before: frozenset[str] = frozenset()

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


def protocol_too_old(proto: int) -> GovDeskError:
    """The error for a device that speaks another protocol than is spoken here."""
    message = tr("程序版本与服务器不匹配（协议 {proto}）。", proto=proto)
    return GovDeskError("SYNC-005", message, fix=tr("请升级本机程序。"))


def whole(summary: Summary, doc: str) -> str:
    """What is sealed of an aggregate: its document (JSON) and the words that lists and search show."""
    return f'{{"title":{dump(summary.title)},"search":{dump(summary.search)},"doc":{doc}}}'


def words_of(text: str) -> str:
    """The words for search in what ``whole`` made."""
    return str(json.loads(text)["search"])


def document(session: Session, kind: str, id: str, sealed: bytes) -> Doc:
    """The document of an aggregate."""
    doc: Doc = json.loads(open_sealed(session, AggregateState, (kind, id), sealed))["doc"]
    return doc


_FEED = plain(Scope).c
_BITS = bindparam("bits", type_=_FEED.digest.type)
_GROW = (
    update(plain(Scope))
    .where(_FEED.name == bindparam("feed"))
    .values(
        seq=_FEED.seq + bindparam("more"),
        count=_FEED.count + bindparam("by"),
        digest=_FEED.digest.bitwise_or(_BITS) - _FEED.digest.bitwise_and(_BITS),
    )
    .returning(_FEED.seq)
)
"""Lengthen a feed; its digest changes in ``bits``. Made once: to put a statement together costs more than to run it."""


def append(session: Session, at: str, entries: Sequence[Entry]) -> None:
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
        count, digest = _difference(scope, [entry for entry, _ in added])
        grown = {"feed": scope, "more": len(added), "by": count, "bits": digest}
        last = session.execute(_GROW, grown).scalar_one_or_none()
        if last is None:
            last = len(added)
            session.execute(insert(Scope).values(name=scope, seq=last, count=count, digest=digest, floor=0))
        session.execute(
            adding(ChangeRow),
            [
                {
                    "scope": scope,
                    "seq": seq,
                    "kind": entry.kind,
                    "aggregate_id": entry.id,
                    "sealed": sealing.seal(ChangeRow, (scope, seq), wire),
                    "op": entry.op,
                    "at": at,
                }
                for seq, (entry, wire) in enumerate(added, last - len(added) + 1)
            ],
        )
        heads[scope] = last
    tell(session, heads)


def tell(session: Session, heads: Mapping[str, int]) -> None:
    """Leave word of what grows with this commit: with the writer, or with PostgreSQL for all its server processes."""
    if session.get_bind().dialect.name != "postgresql":
        session.info.setdefault(GROWN, {}).update(heads)
        return
    for some in batched(heads.items(), 50):  # a payload has less than 8,000 bytes
        session.execute(select(func.pg_notify(CHANNEL, dump(dict(some)))))


def _difference(scope: str, entries: Sequence[Entry]) -> tuple[int, int]:
    """By how much entries change a feed's count, and with which bits its digest."""
    count = digest = 0
    for entry in entries:
        was, stays = scope in entry.before, entry.op == "put"
        count += stays - was
        digest = changed(digest, entry.kind, entry.id, (entry.rev - 1) * was, entry.rev * stays)
    return count, digest


def thin(session: Session, scope: str, until: str) -> bool:
    """Drop, from the part of a feed that is older than ``until`` (UTC text), what its own later entries have made void.

    What is left of that part is what a new reader needs: the newest version of each record, and of records that have
    left nothing. At most ``THINNED_AT_ONCE`` numbers at once; True when there may be more to do.
    """
    floor: int = session.execute(select(Scope.floor).where(Scope.name == scope).with_for_update()).scalar_one()
    some = (ChangeRow.scope == scope, ChangeRow.seq > floor, ChangeRow.seq <= floor + THINNED_AT_ONCE)
    last = select(func.max(ChangeRow.seq)).where(*some, ChangeRow.at < until)
    reached: int | None = session.execute(last).scalar()
    if reached is None:
        return False
    newest = select(ChangeRow.kind, ChangeRow.aggregate_id, func.max(ChangeRow.seq)).where(
        *some, ChangeRow.seq <= reached
    )
    for kind, id, seq in session.execute(newest.group_by(ChangeRow.kind, ChangeRow.aggregate_id)).all():
        earlier = delete(ChangeRow).filter_by(scope=scope, kind=kind, aggregate_id=id).where(ChangeRow.seq < seq)
        session.execute(earlier, execution_options={"synchronize_session": False})
    gone = delete(ChangeRow).where(*some, ChangeRow.seq <= reached, ChangeRow.op == "tombstone")
    session.execute(gone, execution_options={"synchronize_session": False})
    session.execute(update(Scope).where(Scope.name == scope).values(floor=reached))
    return reached == floor + THINNED_AT_ONCE


def page(
    session: Session,
    epoch: str,
    server_time: str,
    scope: str,
    since: int,
    limit: int,
    known_epoch: str,
    began: int = -1,
) -> str:
    """A wire ``ChangesReply`` as JSON: changes after ``since``, at most ``limit``.

    ``began`` is the feed's floor when the reader began from 0; -1: a reader of protocol 1, which takes any gap for a
    loss. A cursor of another epoch, beyond the head, or of before the floor is of another history:
    ``snapshot_required``. Raises SYNC-005 for what a reader of protocol 1 cannot read.
    """
    strange = known_epoch not in ("", epoch)
    rows: Sequence[tuple[int, bytes]] = []
    if not strange:
        query = select(ChangeRow.seq, ChangeRow.sealed).where(ChangeRow.scope == scope, ChangeRow.seq > since)
        rows = [(seq, sealed) for seq, sealed in session.execute(query.order_by(ChangeRow.seq).limit(limit + 1))]
    # after the changes: what was thinned away while they were read lies below the floor that is read now
    about = select(Scope.seq, Scope.count, Scope.digest, Scope.floor).where(Scope.name == scope)
    head, count, digest, floor = session.execute(about).one_or_none() or (0, 0, 0, 0)
    lost = strange or since > head or 0 < since < floor > began
    if began < 0 and since < floor and not strange:
        raise protocol_too_old(1)
    sealing = of(session)
    given = [] if lost else rows[:limit]
    shown = [(seq, sealing.open(ChangeRow, (scope, seq), sealed)) for seq, sealed in given]
    to = shown[-1][0] if shown else since
    if not lost and len(rows) <= limit:
        to = max(to, floor)  # behind the last of them nothing but what was thinned away
    more = not lost and to < head
    reply = dump(
        {
            "epoch": epoch,
            "server_time": server_time,
            "scope": scope,
            "since": since,
            "to": to,
            "more": more,
            "snapshot_required": lost,
            "floor": floor,
            "count": -1 if more or lost else count,
            "digest": digest,
        }
    )
    changes = ",".join(f'{{"seq":{seq},{entry[1:]}' for seq, entry in shown)
    return f'{reply[:-1]},"changes":[{changes}]}}'


def left(entry: Entry, old: frozenset[str]) -> tuple[Entry, ...]:
    """What tells the feeds in ``old`` that a document has left them."""
    gone = old - entry.scopes
    if not gone:
        return ()
    return (Entry(gone, entry.kind, entry.id, entry.rev, "tombstone", "{}", {}, entry.cause, gone),)


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
            before: frozenset[str] = frozenset(json.loads(old.scopes)) if old else frozenset()
            rev = old.rev + 1 if old else 1
            entry = Entry(scopes, reference.kind, reference.id, rev, "put", doc, fields, before=before)
            entries += (entry, *left(entry, before))
            store(session, at, entry, summary)
            names.note(session, at, entry.kind, entry.id, entry.rev, entry.doc)
    append(session, at, entries)
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
        session.execute(adding(AggregateState), [{**key, **values}])
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
    # first who has the number, then the documents: in one query they would be looked for in the order of all documents
    named = select(BlindIndex.id).where(BlindIndex.kind == kind, BlindIndex.blind.in_(sealing.blinds(number)))
    ids = sorted(set(session.execute(named).scalars()))
    query = select(AggregateState.id, AggregateState.sealed).where(
        AggregateState.kind == kind, AggregateState.id.in_(ids)
    )
    query = query.order_by(AggregateState.id)
    found = []
    for id, sealed in session.execute(query):
        kept = json.loads(sealing.open(AggregateState, (kind, id), sealed))
        # the index may still know what the document has forgotten
        if wanted in numbers_in(kept["search"]):
            found.append(kept["doc"])
        if len(found) == limit:
            break
    return found
