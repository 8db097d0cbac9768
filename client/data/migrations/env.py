"""Run by Alembic; the connection is handed in by ``client.data.engine``."""

from __future__ import annotations

from alembic import context  # noqa: TID253 - this file is Alembic's

from client.data.tables import Base, is_mapped

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    include_name=is_mapped,
)
with context.begin_transaction():
    context.run_migrations()
