"""Uploads in parts, who has handed in a blob, and which documents name it (``blobs.names.fill`` says for old ones)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - alembic itself runs this file

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blob_giver",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "device_id", name=op.f("pk_blob_giver")),
    )
    with op.batch_alter_table("blob_giver", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_blob_giver_device_id_at"), ["device_id", "at"], unique=False)
    op.create_table(
        "blob_name",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("aggregate_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "kind", "aggregate_id", name=op.f("pk_blob_name")),
    )
    with op.batch_alter_table("blob_name", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_blob_name_kind_aggregate_id"), ["kind", "aggregate_id"], unique=False)
    op.create_table(
        "blob_upload",
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("touched_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "sha256", name=op.f("pk_blob_upload")),
    )
    op.execute(
        "INSERT INTO blob_giver (sha256, device_id, person_id, size, at) "
        "SELECT sha256, device_id, person_id, size, at FROM blob"
    )
    with op.batch_alter_table("blob", schema=None) as batch_op:
        batch_op.alter_column("size", existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
        for column in ("person_id", "device_id", "hall_id", "department_id"):
            batch_op.drop_column(column)
