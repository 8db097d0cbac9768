"""Who has to have handed in a blob before a document's naming it lets anybody read it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - alembic itself runs this file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("blob_name", schema=None) as batch_op:
        batch_op.add_column(sa.Column("device_id", sa.Text(), nullable=False, server_default=""))
