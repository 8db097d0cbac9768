"""Devices are known by certificates, say when they were last seen, and may be enrolled again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - alembic itself runs this file

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device_certificate",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("key_sha256", sa.String(length=64), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        sa.Column("used_at", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["device_id"], ["device.id"], name=op.f("fk_device_certificate_device_id_device")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_device_certificate")),
    )
    with op.batch_alter_table("device_certificate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_device_certificate_device_id"), ["device_id"], unique=False)
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.add_column(sa.Column("revoked_for", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("keyless", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("seen_at", sa.Text(), server_default="", nullable=False))
    with op.batch_alter_table("enrolment_code", schema=None) as batch_op:
        batch_op.add_column(sa.Column("device_id", sa.Text(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_enrolment_code_device_id_device"), "device", ["device_id"], ["id"])
