"""Keeps the lists and the index of words in step with the records, in the transaction that changes them.

Triggers write down which records were touched; ``catch_up`` gives each its *place*, its rows in ``record_list`` (one
for each feed that it is seen in) and its words. A place is a record's row number in the index, and grows with the
moment in which the record was made, so that the newest are read first and reading stops when a page is full: what
orders a million hits is never a sort. UUIDv7 ids say that moment; what has a name for an id stands before all of
these, by its arrival here.

While a long feed is read, words wait (``make_waiting``): the documents are wanted first. When words are made in another
way than before, ``rebuild`` makes them anew, a slice at a time, from where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from client.data import search
from client.data.outbox import put_meta
from client.data.tables import MetaRow, PlaceRow, RecordRow
from modules.common.ids import is_uuid7

FLOOR = 1 << 40
"""The first place of a record whose id says when it was made; in milliseconds it is long before any of ours."""
SLOTS = 8
"""Places of one millisecond. Small, because the index stores the distances between places."""
TOP = 1 << 62
SLICE = 500
_MERGED = 200
"""Pages of the index that one step of tidying writes at most."""


def moment_of(id: str) -> int:
    """The first place of the millisecond in which a UUIDv7 was made; 0 for any other id."""
    if not is_uuid7(id):
        return 0
    place = int(id[:8] + id[9:13], 16) * SLOTS
    return place if place >= FLOOR else 0


def catch_up(db: Session, *, words_later: bool = False) -> int:
    """Bring lists and words up to date with what has been touched; the last thing a transaction does.

    ``words_later``: the words of what is new are left to ``make_waiting``; returns of how many they were.
    """
    db.flush()
    connection = db.connection()
    touched = connection.exec_driver_sql(_TOUCHED).fetchall()
    later = sum(_update(connection, touched[first : first + SLICE], words_later)
                for first in range(0, len(touched), SLICE))  # fmt: skip
    if touched:
        connection.exec_driver_sql("DELETE FROM record_touched")
    return later


_TOUCHED = """
SELECT t.kind, t.id, r.state, r.due, r.title, r.number, r.search, p.place, p.listed,
       (SELECT json_group_array(s.scope) FROM record_scope s WHERE s.kind = t.kind AND s.id = t.id)
FROM record_touched t LEFT JOIN record r ON r.kind = t.kind AND r.id = t.id
LEFT JOIN record_place p ON p.kind = t.kind AND p.id = t.id
"""


def _update(connection: Connection, touched: Sequence[Any], words_later: bool) -> int:
    unlisted: list[tuple[Any, ...]] = []
    gone, listed, said, moved = [], [], [], []
    new = [row.id for row in touched if row.place is None and row.state is not None]
    places = _free_places(connection, new)
    placed, later = [], []
    for kind, id, state, due, title, number, words, place, before, scopes in touched:
        if state is None:
            if place:
                unlisted += _rows(place, kind, before)
                gone.append((place,))
            continue
        now = _listed(state, due, scopes)
        if not place:
            place = places[id].pop()
            placed.append((place, kind, id, now))
            if words_later:
                later.append((place,))
        elif now != before:
            unlisted += _rows(place, kind, before)
            moved.append((now, place))
        if now != before:
            listed += _rows(place, kind, now)
        # what had words is never found by those of another day: state and feeds are among them
        if not words_later or before:
            said.append((place, document(kind, now, title, number, words)))
    _many(connection, "INSERT INTO record_place (place, kind, id, listed) VALUES (?, ?, ?, ?)", placed)
    _many(connection, "DELETE FROM record_list WHERE scope=? AND kind=? AND state=? AND place=?",
          [(scope, kind, state, place) for scope, kind, state, place, _ in unlisted])  # fmt: skip
    _many(connection, "INSERT INTO record_list (scope, kind, state, place, due) VALUES (?, ?, ?, ?, ?)", listed)
    _many(connection, "UPDATE record_place SET listed=? WHERE place=?", moved)
    _many(connection, "DELETE FROM record_place WHERE place=?", gone)
    _many(connection, "INSERT OR IGNORE INTO record_unworded (place) VALUES (?)", later)
    _write_words(connection, said, forget=[place for (place,) in gone])
    return len(later)


@lru_cache(maxsize=4096)
def _listed(state: str, due: str | None, scopes: str) -> str:
    return json.dumps([state, due, sorted(json.loads(scopes))], ensure_ascii=False)


def _rows(place: int, kind: str, listed: str) -> list[tuple[str, str, str, int, str | None]]:
    """The rows of ``record_list`` that ``listed`` (state, due date and feeds) stands for."""
    if not listed:
        return []
    state, due, scopes = _told(listed)
    return [(scope, kind, state, place, due) for scope in scopes]


@lru_cache(maxsize=4096)
def _told(listed: str) -> tuple[str, str | None, tuple[str, ...]]:
    state, due, scopes = json.loads(listed)
    return state, due, tuple(scopes)


def document(kind: str, listed: str, *texts: str) -> str:
    """What the index is told of a record: the terms of its texts, and its kind, state and feeds."""
    state, _, scopes = _told(listed)
    facets = [search.facet("k", kind), search.facet("t", state), *(search.facet("s", scope) for scope in scopes)]
    return " ".join([*search.words(*texts), *facets])


def _write_words(connection: Connection, said: list[tuple[int, str]], *, forget: list[int] | None = None) -> None:
    # in the order of places: out of it, the index would begin a segment for each record
    said.sort()
    dropped = sorted([*(place for place, _ in said), *(forget or ())])
    _many(connection, "DELETE FROM record_search WHERE rowid=?", [(place,) for place in dropped])
    _many(connection, "INSERT INTO record_search (rowid, words) VALUES (?, ?)", said)


def _many(connection: Connection, statement: str, rows: list[Any]) -> None:
    if rows:
        connection.exec_driver_sql(statement, rows)


def _free_places(connection: Connection, ids: Sequence[str]) -> dict[str, list[int]]:
    """A place that is not taken for each of ``ids``, which may name records of several kinds."""
    found: dict[str, list[int]] = {}
    firsts = [(moment_of(id), id) for id in ids]
    asked = json.dumps([first for first, _ in firsts])
    query = "SELECT place FROM record_place WHERE place IN (SELECT value FROM json_each(?))"
    given = {place for (place,) in connection.exec_driver_sql(query, (asked,))}
    last = 0
    for first, id in firsts:
        if not first:
            last = last or _last_named(connection)
            place = last = last + 1
        else:
            place = first if first not in given else _free_place(connection, first, given)
        given.add(place)
        found.setdefault(id, []).append(place)
    return found


def _last_named(connection: Connection) -> int:
    return connection.exec_driver_sql("SELECT max(place) FROM record_place WHERE place < ?", (FLOOR,)).scalar() or 0


def _free_place(connection: Connection, first: int, given: Container[int]) -> int:
    """The first place behind ``first``, which is taken, that neither the store has nor ``given``."""

    def taken(place: int) -> bool:
        query = "SELECT 1 FROM record_place WHERE place=?"
        return place in given or connection.exec_driver_sql(query, (place,)).scalar() is not None

    # thousands may have been made in one millisecond: find the end of their run by doubling, then by halving
    low, step = first, 1
    while taken(low + step):
        low, step = low + step, step * 2
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if taken(middle) else (low, middle)
    return high


# -- words that wait -----------------------------------------------------------------------------


def waiting(db: Session) -> tuple[int, int]:
    """How many records wait for their words, and about how many there are in all, not counted one by one."""
    query = "SELECT (SELECT count(*) FROM record_unworded), ifnull((SELECT max(rowid) FROM record), 0)"
    count, all = db.connection().exec_driver_sql(query).one()
    return int(count), int(all)


def make_waiting(db: Session, count: int) -> None:
    """Make the words of ``count`` records that wait, the newest first."""
    connection = db.connection()
    query = (
        "SELECT u.place, p.kind, p.listed, r.title, r.number, r.search FROM record_unworded u "
        "LEFT JOIN record_place p ON p.place = u.place LEFT JOIN record r ON r.kind = p.kind AND r.id = p.id "
        "ORDER BY u.place DESC LIMIT ?"
    )
    rows = connection.exec_driver_sql(query, (count,)).fetchall()
    # what is gone meanwhile has left its place and its words
    _write_words(connection, [(row[0], document(*row[1:])) for row in rows if row.title is not None])
    _many(connection, "DELETE FROM record_unworded WHERE place=?", [row[:1] for row in rows])


# -- making the words anew -----------------------------------------------------------------------


def unfinished(db: Session) -> bool:
    """Whether words are still to be made anew."""
    return _meta(db, "words") != str(search.VERSION)


def begin_rebuild(db: Session) -> None:
    """Begin from the start, unless that has been done for this version already.

    The old words stay until their record's turn: throwing them all away at once takes seconds of a large store.
    """
    if _meta(db, "words_of") != str(search.VERSION):
        put_meta(db, "words_of", str(search.VERSION))
        put_meta(db, "words_below", str(FLOOR))


def is_small(db: Session, most: int) -> bool:
    """Whether there are no more than ``most`` records."""
    return len(db.scalars(select(PlaceRow.place).limit(most + 1)).all()) <= most


def rebuild(db: Session, count: int) -> bool:
    """Make the words of the next ``count`` records: those with names first, then from the newest. True at the end."""
    below = int(_meta(db, "words_below") or FLOOR)
    named = below <= FLOOR
    texts = (RecordRow.title, RecordRow.number, RecordRow.search)
    query = select(PlaceRow.place, PlaceRow.kind, PlaceRow.listed, *texts).join(
        RecordRow, (RecordRow.kind == PlaceRow.kind) & (RecordRow.id == PlaceRow.id)
    )
    within = PlaceRow.place < below, PlaceRow.place >= (0 if named else FLOOR)
    rows = db.execute(query.where(*within).order_by(PlaceRow.place.desc()).limit(count)).all()
    _write_words(db.connection(), [(row[0], document(row[1], row[2], *row[3:])) for row in rows])
    if len(rows) == count:
        put_meta(db, "words_below", str(rows[-1].place))
    elif named:
        put_meta(db, "words_below", str(TOP))
        return rebuild(db, count - len(rows))
    else:
        put_meta(db, "words", str(search.VERSION))
        return True
    return False


def share_made(db: Session) -> float:
    """How much of the rebuilding is done, of 1: by places, for counting a million rows takes its time."""
    if _meta(db, "words_of") != str(search.VERSION):
        return 0.0
    below = int(_meta(db, "words_below") or FLOOR)
    edge = select(PlaceRow.place).where(PlaceRow.place >= FLOOR).limit(1)
    oldest, newest = db.scalar(edge.order_by(PlaceRow.place)), db.scalar(edge.order_by(PlaceRow.place.desc()))
    if below <= FLOOR or not oldest or not newest:
        return 0.0
    return min(max((newest - below) / max(newest - oldest, 1), 0.0), 1.0)


def tidy(db: Session, *, first: bool = False) -> bool:
    """Merge a little of the index, so that queries open few segments; True when there is nothing left to merge."""
    connection = db.connection()
    before = connection.exec_driver_sql("SELECT total_changes()").scalar_one()
    # a negative number begins: all segments together, whatever their sizes
    pages = -_MERGED if first else _MERGED
    connection.exec_driver_sql("INSERT INTO record_search (record_search, rank) VALUES ('merge', ?)", (pages,))
    return bool(connection.exec_driver_sql("SELECT total_changes()").scalar_one() - before < 2)


def _meta(db: Session, key: str) -> str:
    row = db.get(MetaRow, key)
    return row.value if row else ""
