"""Words that wait: the documents of a long feed are stored first, and their words are made beside other work."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - run by Alembic alone

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "record_unworded",
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_record_unworded")),
    )
