"""Documents of a state are found in the order of their ids, however many others there are."""

from __future__ import annotations

from alembic import op  # noqa: TID253 - alembic itself runs this file

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_aggregate_state_kind_state", "aggregate_state")
    op.create_index("ix_aggregate_state_kind_state_id", "aggregate_state", ["kind", "state", "id"])
