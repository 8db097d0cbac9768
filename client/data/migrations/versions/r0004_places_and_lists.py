"""Places and lists: a page of a million records is read from its newest end, counted and searched without the rest.

The rules that this follows are told in ``client.data.index``; here stand those of the day on which it was written.
The index of words is made anew afterwards, by and by.
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - run by Alembic alone

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TOUCHED = (
    "INSERT INTO record_touched (kind, id) SELECT {row}.kind, {row}.id "
    # not INSERT OR IGNORE: the conflict clause of whatever fires a trigger overrides its own
    "WHERE NOT EXISTS (SELECT 1 FROM record_touched WHERE kind = {row}.kind AND id = {row}.id); END"
)


def upgrade() -> None:
    op.create_table(
        "record_place",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("listed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_record_place")),
        sa.UniqueConstraint("kind", "id", name=op.f("uq_record_place_kind_id")),
    )
    op.create_table(
        "record_list",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("due", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("scope", "kind", "state", "place", name=op.f("pk_record_list")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "record_touched",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_record_touched")),
        sqlite_with_rowid=False,
    )
    for trigger in ("record_search_put", "record_search_changed", "record_search_gone"):
        op.execute(f"DROP TRIGGER {trigger}")
    op.execute("DROP TABLE record_search")
    op.execute(
        "CREATE VIRTUAL TABLE record_search USING fts5"
        "(words, content='', contentless_delete=1, tokenize='ascii', detail='none')"
    )
    op.execute("CREATE VIRTUAL TABLE record_search_terms USING fts5vocab(record_search, instance)")
    op.execute("DELETE FROM meta WHERE key = 'words'")
    _place(op.get_bind())
    op.create_index(op.f("ix_record_list_scope_kind_place"), "record_list", ["scope", "kind", "place"])
    op.create_index(op.f("ix_record_list_scope_kind_state_due_place"), "record_list",
                    ["scope", "kind", "state", "due", "place"])  # fmt: skip
    op.execute("CREATE TRIGGER record_put AFTER INSERT ON record BEGIN " + _TOUCHED.format(row="new"))
    op.execute(
        "CREATE TRIGGER record_changed AFTER UPDATE OF title, number, search, state, due ON record "
        "WHEN (old.title, old.number, old.search, old.state, old.due) "
        "IS NOT (new.title, new.number, new.search, new.state, new.due) BEGIN " + _TOUCHED.format(row="new")
    )
    op.execute("CREATE TRIGGER record_gone AFTER DELETE ON record BEGIN " + _TOUCHED.format(row="old"))
    op.execute("CREATE TRIGGER record_scope_put AFTER INSERT ON record_scope BEGIN " + _TOUCHED.format(row="new"))
    op.execute("CREATE TRIGGER record_scope_gone AFTER DELETE ON record_scope BEGIN " + _TOUCHED.format(row="old"))


def _place(connection: sa.Connection) -> None:
    """Give every record its place, and list it."""
    run = connection.exec_driver_sql
    scopes: dict[tuple[str, str], list[str]] = {}
    for kind, id, scope in run("SELECT kind, id, scope FROM record_scope ORDER BY scope"):
        scopes.setdefault((kind, id), []).append(scope)
    last = 0
    places, lists = [], []
    for kind, id, state, due in run("SELECT kind, id, state, due FROM record").fetchall():
        places.append((_first(id), id, kind, json.dumps([state, due, scopes.get((kind, id), [])], ensure_ascii=False)))
    places.sort()
    rows = []
    for first, id, kind, listed in places:
        last = max(first, last + 1)
        rows.append((last, kind, id, listed))
        state, due, seen = json.loads(listed)
        lists += [(scope, kind, state, last, due) for scope in seen]
    if rows:
        run("INSERT INTO record_place (place, kind, id, listed) VALUES (?, ?, ?, ?)", rows)
    if lists:
        run("INSERT INTO record_list (scope, kind, state, place, due) VALUES (?, ?, ?, ?, ?)", sorted(lists))


def _first(id: str) -> int:
    if len(id) != 36 or id[14] != "7" or any(letter not in "0123456789abcdef-" for letter in id):
        return 0
    place = int(id[:8] + id[9:13], 16) * 8 if id[8] == id[13] == "-" and "-" not in id[:8] + id[9:13] else 0
    return place if place >= 1 << 40 else 0
