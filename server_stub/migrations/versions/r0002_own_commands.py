"""Commands of the server's own, page images, and what is due found by an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - alembic itself runs this file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blob",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("hall_id", sa.Text(), nullable=False),
        sa.Column("department_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_blob")),
    )
    with op.batch_alter_table("aggregate_state", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_aggregate_state_kind_due"), ["kind", "due"], unique=False)
    with op.batch_alter_table("command", schema=None) as batch_op:
        batch_op.alter_column("device_id", existing_type=sa.Text(), nullable=True)
        batch_op.alter_column("n", existing_type=sa.BigInteger(), nullable=True)
