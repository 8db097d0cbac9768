"""What stood in clear goes: ``Database.upgrade`` has sealed it before, and rewrites the files afterwards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - alembic itself runs this file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CLEAR = {
    "aggregate_state": ("doc", "title", "search"),
    "change": ("entry",),
    "command": ("error",),
    "device": ("escrow",),
    "event": ("body",),
    "person": ("name",),
    "server_meta": ("value",),
}
MAY_BE_NOTHING = {"command"}


def upgrade() -> None:
    for table, columns in CLEAR.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in columns:
                batch_op.drop_column(column)
            if table not in MAY_BE_NOTHING:
                batch_op.alter_column("sealed", existing_type=sa.LargeBinary(), nullable=False)
