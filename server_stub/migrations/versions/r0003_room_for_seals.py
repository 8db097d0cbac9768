"""Keys, the blind index, and beside everything in clear the column into which ``seal_clear`` puts it sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - alembic itself runs this file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SEALED = ("aggregate_state", "change", "command", "device", "event", "person", "server_meta")


def upgrade() -> None:
    op.create_table(
        "sealing_key",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_sealing_key")),
    )
    op.create_table(
        "blind_index",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("blind", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "blind", "id", name=op.f("pk_blind_index")),
    )
    for table in SEALED:
        op.add_column(table, sa.Column("sealed", sa.LargeBinary(), nullable=True))
