"""A device that enrols again keeps its id: nobody has a former name."""

from __future__ import annotations

from alembic import op  # noqa: TID253 - alembic itself runs this file

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_device_former", table_name="device")
    op.drop_column("device", "former")
