"""Somebody who does with the audit chain what the server's database refuses."""

from __future__ import annotations

from sqlalchemy import Connection, text

TABLES = ("audit", "audit_signature")


def unguard(connection: Connection) -> None:
    """Take away, in the running transaction, what keeps links from being changed: as who owns the machine could."""
    if connection.dialect.name == "sqlite":
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        for name in names:
            connection.execute(text(f"DROP TRIGGER {name}"))
    else:
        for table in TABLES:
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
