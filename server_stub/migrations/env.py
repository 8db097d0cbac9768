"""Runs the server's migrations on the connection that ``Database.upgrade`` hands in."""

from alembic import context  # noqa: TID253 - alembic itself runs this file

from server_stub.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
