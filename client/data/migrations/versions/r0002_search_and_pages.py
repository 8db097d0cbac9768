"""Records by their words, and page images that wait for the server.

The triggers call ``govdesk_words``, which every connection of ours brings (``client.data.engine.connect``).
Rows of the index are records' row numbers: they stay as long as the file is never vacuumed and the table
never made anew; whoever does either must raise ``client.data.search.VERSION``.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - run by Alembic alone

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blob",
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("waiting", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("kept_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
    )
    with op.batch_alter_table("blob", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_blob_waiting_tries"), ["waiting", "tries"], unique=False)
    op.execute(
        "CREATE VIRTUAL TABLE record_search USING fts5"
        "(words, content='', contentless_delete=1, tokenize='ascii', prefix='1 2')"
    )
    op.execute(
        "CREATE TRIGGER record_search_put AFTER INSERT ON record BEGIN "
        "INSERT INTO record_search (rowid, words) "
        "VALUES (new.rowid, govdesk_words(new.title, new.number, new.search)); END"
    )
    op.execute(
        "CREATE TRIGGER record_search_changed AFTER UPDATE OF title, number, search ON record "
        "WHEN (old.title, old.number, old.search) IS NOT (new.title, new.number, new.search) BEGIN "
        # not INSERT OR REPLACE: the conflict clause of whatever fires a trigger overrides its own
        "DELETE FROM record_search WHERE rowid = old.rowid; "
        "INSERT INTO record_search (rowid, words) "
        "VALUES (new.rowid, govdesk_words(new.title, new.number, new.search)); END"
    )
    op.execute(
        "CREATE TRIGGER record_search_gone AFTER DELETE ON record BEGIN "
        "DELETE FROM record_search WHERE rowid = old.rowid; END"
    )
