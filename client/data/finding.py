"""Lists and searches of the store: pages of records, read from one end and no further than the page reaches.

Without words, a page comes from ``record_list``: an index for each feed, kind and state. With words, it comes from the
index of words, where kind, state and feeds stand beside them. Both order by place (``client.data.index``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, select, text
from sqlalchemy.orm import Session, defer

from client.data import search
from client.data.index import FLOOR, SLOTS, TOP, moment_of
from client.data.tables import PlaceRow, RecordRow, ScopeRow
from client.data.views import record_of
from client.kernel.ports import Record
from modules.common.clock import CHINA

_ARMS = 100
"""Lists that one statement merges at most; SQLite's own limit is 500."""
_LIST = "SELECT {columns} FROM record_list WHERE scope=? AND kind=?"
_NAMED = 30
"""Terms with one beginning that are named one by one at most."""
_READ = 1000
"""Records that are read by one statement at most."""
Arm = tuple[str, tuple[Any, ...]]
"""A statement that reads one list, and its values."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What ``Records.find`` is asked for, by a person who reads the feeds ``scopes``."""

    kind: str
    scopes: Sequence[str]
    states: Sequence[str] = ()
    text: str = ""
    due: date | None = None
    since: date | None = None
    until: date | None = None
    newest_first: bool = True
    by_due: bool = False
    after: Record | None = None


def visible(scopes: Sequence[str]) -> ColumnElement[bool]:
    """Whether a record is in one of the feeds."""
    member = and_(ScopeRow.kind == RecordRow.kind, ScopeRow.id == RecordRow.id)
    return select(ScopeRow.id).where(member, ScopeRow.scope.in_(scopes)).exists()


def find(db: Session, asked: Asked, limit: int) -> list[Record]:
    """The page of at most ``limit`` records."""
    if not asked.scopes:
        return []
    if asked.text.strip():
        wanted = search.query(asked.text)
        # nothing but punctuation finds nothing
        return _search(db, asked, wanted, limit) if wanted else []
    return _read(db, asked, _places(db, asked, limit))


def count(db: Session, asked: Asked, most: int) -> int:
    """How many there are without words, counted no further than ``most``."""
    return len(_places(db, asked, most)) if asked.scopes else 0


def _search(db: Session, asked: Asked, wanted: search.Wanted, limit: int) -> list[Record]:
    parts = [f'"{term}"' for term in (*wanted.terms, search.facet("k", asked.kind))]
    parts += [_begun(db, beginning) for beginning in wanted.begun]
    parts.append(search.any_of([search.facet("s", scope) for scope in asked.scopes]))
    if asked.states:
        parts.append(search.any_of([search.facet("t", state) for state in asked.states]))
    low, high = _bounds(db, asked)
    statement = "SELECT rowid FROM record_search WHERE record_search MATCH ? AND rowid > ? AND rowid < ?"
    statement = f"{statement} ORDER BY rowid {_way(asked)} LIMIT ?"
    found: list[Record] = []
    size = limit
    while len(found) < limit:
        rows = db.connection().exec_driver_sql(statement, (" AND ".join(parts), low, high, size)).fetchall()
        places = [row[0] for row in rows]
        found += _read(db, asked, places, wanted)
        if len(places) < size:
            break
        low, high = (low, places[-1]) if asked.newest_first else (places[-1], high)
        # what is looked at again is seldom turned away; where it is, larger bites help
        size = min(size * 2, _READ)
    return found[:limit]


def _begun(db: Session, beginning: str) -> str:
    """What asks for the terms with this beginning. Where they are few, as those of items are, each may stand for half
    of all records, and is named: of a bare beginning the index collects all records before it hands out the first.
    """
    query = "SELECT term FROM record_search_terms WHERE term >= ? AND term < ? LIMIT 1"
    terms: list[str] = []
    first, end = beginning, f"{beginning}\U0010ffff"
    while (row := db.connection().exec_driver_sql(query, (first, end)).first()) is not None:
        terms.append(row[0])
        # not >: all that hold the term before would be walked through
        first = f"{row[0]}\x01"
        if len(terms) > _NAMED:
            return f'"{beginning}" *'
    return search.any_of(terms or [beginning])


def _places(db: Session, asked: Asked, limit: int) -> list[int]:
    """The page without words, as places in its order."""
    low, high = _bounds(db, asked)
    if asked.due is None and not asked.by_due:
        arms = [(f"{_LIST}{more} AND place > ? AND place < ?", (*arm, low, high)) for arm, more in _lists(asked)]
        return [row[0] for row in _merged(db, "place", arms, f"place {_way(asked)}", limit)]
    by_state = [(arm, more) for arm, more in _lists(replace(asked, states=asked.states or _states(db, asked)))]
    after, found = asked.after, []
    if after is None or after.due is not None:
        day = "9999-12-31" if asked.due is None else asked.due.isoformat()
        behind = ("", 0) if after is None or after.due is None else (after.due.isoformat(), _place(db, after))
        low, high = _days(asked)
        condition = " AND due <= ? AND (due, place) > (?, ?) AND place > ? AND place < ?"
        arms = [(_LIST + more + condition, (*arm, day, *behind, low, high)) for arm, more in by_state]
        found = [row[1] for row in _merged(db, "due, place", arms, "due, place", limit)]
        after = None
    if asked.due is None and len(found) < limit:
        # then those without a day, newest first
        low, high = _bounds(db, replace(asked, after=after, newest_first=True))
        arms = [(f"{_LIST}{more} AND due IS NULL AND place > ? AND place < ?", (*arm, low, high))
                for arm, more in by_state]  # fmt: skip
        found += [row[0] for row in _merged(db, "place", arms, "place DESC", limit - len(found))]
    return found


def _lists(asked: Asked) -> list[tuple[tuple[str, ...], str]]:
    """The lists that are read, as the values of their columns, and what asks for the state."""
    scopes = dict.fromkeys(asked.scopes)
    if not asked.states:
        return [((scope, asked.kind), "") for scope in scopes]
    states = dict.fromkeys(asked.states)
    return [((scope, asked.kind, state), " AND state=?") for scope in scopes for state in states]


def _states(db: Session, asked: Asked) -> list[str]:
    """The states that records of the kind are in: one look at the index for each, not for each record."""
    step = "SELECT min(state) FROM record_list WHERE scope=:scope AND kind=:kind"
    walk = text(
        f"WITH RECURSIVE seen(state) AS ({step} UNION ALL "  # noqa: S608 - of our own parts
        f"SELECT ({step} AND state > seen.state) FROM seen WHERE seen.state IS NOT NULL) "
        "SELECT state FROM seen WHERE state IS NOT NULL"
    )
    found = (db.scalars(walk, {"scope": scope, "kind": asked.kind}).all() for scope in asked.scopes)
    return sorted({state for states in found for state in states})


def _merged(db: Session, columns: str, arms: Sequence[Arm], order: str, limit: int) -> list[Any]:
    """The first rows of several lists that have the same order, each row once."""
    found: list[Any] = []
    for first in range(0, len(arms), _ARMS):
        part = arms[first : first + _ARMS]
        union = " UNION ".join(statement.format(columns=columns) for statement, _ in part)
        values = tuple(value for _, values in part for value in values)
        found += db.connection().exec_driver_sql(f"{union} ORDER BY {order} LIMIT ?", (*values, limit)).fetchall()
    if len(arms) > _ARMS:
        found = sorted({tuple(row) for row in found}, reverse=order.endswith("DESC"))[:limit]
    return found


def _read(db: Session, asked: Asked, places: Sequence[int], wanted: search.Wanted | None = None) -> list[Record]:
    """The records at ``places``, in that order. What the person may see is asked of the feeds themselves again."""
    # the server's summary is in the columns already
    query = select(RecordRow).options(defer(RecordRow.summary)).where(RecordRow.kind == asked.kind)
    found: list[Record] = []
    for first in range(0, len(places), _READ):
        part = places[first : first + _READ]
        ids = dict(db.execute(select(PlaceRow.place, PlaceRow.id).where(PlaceRow.place.in_(part))).all())
        # two steps: joined, SQLite would rather walk through all records than through the places
        rows = db.scalars(query.where(RecordRow.id.in_(ids.values()), visible(asked.scopes)))
        here = {row.id: row for row in rows}
        found += [record_of(here[ids[place]]) for place in part
                  if ids.get(place) in here and _holds(here[ids[place]], asked, wanted)]  # fmt: skip
    return found


def _holds(row: RecordRow, asked: Asked, wanted: search.Wanted | None) -> bool:
    """Whether a record found by its words is what was asked for, as far as the index does not say."""
    if wanted is None:
        return True
    late = asked.due is not None and (row.due is None or row.due > asked.due.isoformat())
    return not late and wanted.says(row.title, row.number, row.search)


def _way(asked: Asked) -> str:
    return "DESC" if asked.newest_first else "ASC"


def _bounds(db: Session, asked: Asked) -> tuple[int, int]:
    """Between which places a page is: by the days of making, and behind the last record of the page before."""
    low, high = _days(asked)
    if asked.after is not None:
        place = _place(db, asked.after)
        low, high = (low, min(high, place)) if asked.newest_first else (max(low, place), high)
    return low, high


def _days(asked: Asked) -> tuple[int, int]:
    low = high = 0
    if asked.since is not None or asked.until is not None:
        # names do not say when they were given
        low = FLOOR - 1
    if asked.since is not None:
        low = max(low, _midnight(asked.since) - 1)
    if asked.until is not None:
        high = _midnight(asked.until + timedelta(days=1))
    return low, high or TOP


def _midnight(day: date) -> int:
    return int(datetime.combine(day, time(), CHINA).timestamp() * 1000) * SLOTS


def _place(db: Session, record: Record) -> int:
    known = select(PlaceRow.place).where(PlaceRow.kind == record.kind, PlaceRow.id == record.id)
    # gone meanwhile: its id still says where it stood
    return db.scalar(known) or moment_of(record.id)
