"""How well a command's clock was known, and what each feed holds, kept by triggers.

The triggers call ``govdesk_digest``, which every connection of ours brings (``client.data.engine.connect``).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - run by Alembic alone

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

IN_OLD = "iif(old.generation > 0, old.rev, 0)"
IN_NEW = "iif(new.generation > 0, new.rev, 0)"


def upgrade() -> None:
    for name in ("offset_ms", "error_ms"):
        op.add_column("outbox", sa.Column(name, sa.Integer(), nullable=True))
    op.add_column("record_scope", sa.Column("rev", sa.Integer(), nullable=False, server_default="0"))
    for name in ("floor", "count", "digest"):
        op.add_column("cursor", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    for event, row, old, new, when in (
        ("insert", "new", "0", IN_NEW, "new.generation > 0"),
        ("delete", "old", IN_OLD, "0", "old.generation > 0"),
        ("update", "new", IN_OLD, IN_NEW, f"{IN_OLD} <> {IN_NEW}"),
    ):
        digest = f"govdesk_digest(digest, {row}.kind, {row}.id, {old}, {new})"
        counted = f"count = count + ({new} > 0) - ({old} > 0), digest = {digest} WHERE scope = {row}.scope"
        head = f"CREATE TRIGGER record_scope_{event} AFTER {event.upper()} ON record_scope WHEN {when}"
        op.execute(" ".join((head, "BEGIN UPDATE cursor SET", counted + ";", "END")))
    # a record's own revision is that of the newest of its feeds: where another feed is behind, its digest will differ
    # once, and it will be read again
    op.execute(
        "UPDATE record_scope SET rev = ifnull((SELECT max(1, rev) FROM record "
        "WHERE record.kind = record_scope.kind AND record.id = record_scope.id), 1) WHERE generation > 0"
    )
