"""Commands that wait, feeds that are thinned and say what they hold, devices that enrolled again."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - alembic itself runs this file

from modules.common.digests import mark

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("device", sa.Column("former", sa.Text(), nullable=True))
    op.create_index("ix_device_former", "device", ["former"], unique=True)
    op.create_index(
        "ix_command_deferred",
        "command",
        ["device_id"],
        sqlite_where=sa.text("status = 'deferred'"),
        postgresql_where=sa.text("status = 'deferred'"),
    )
    for name in ("count", "digest", "floor"):
        op.add_column("scope", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("change", sa.Column("op", sa.Text(), nullable=False, server_default="put"))
    op.add_column("change", sa.Column("at", sa.Text(), nullable=False, server_default=""))
    db = op.get_bind()
    # what came before is as old as this moment: it is thinned when that is old
    now = "strftime('%Y-%m-%dT%H:%M:%fZ')"
    if db.dialect.name == "postgresql":
        now = "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
    db.execute(sa.text(f"UPDATE change SET at = {now}"))  # noqa: S608 - ours
    held: dict[str, tuple[int, int]] = {}
    inside: set[tuple[str, str, str]] = set()
    for kind, id, rev, scopes in db.execute(sa.text("SELECT kind, id, rev, scopes FROM aggregate_state")):
        for scope in json.loads(scopes):
            count, digest = held.get(scope, (0, 0))
            held[scope] = count + 1, digest ^ mark(kind, id, rev)
            inside.add((scope, kind, id))
    for scope, (count, digest) in held.items():
        values = {"count": count, "digest": digest, "name": scope}
        db.execute(sa.text("UPDATE scope SET count = :count, digest = :digest WHERE name = :name"), values)
    # of entries that later ones have made void it does not matter what they were
    newest = "SELECT scope, kind, aggregate_id, max(seq) FROM change GROUP BY scope, kind, aggregate_id"
    for scope, kind, id, seq in db.execute(sa.text(newest)).all():
        if (scope, kind, id) not in inside:
            tombstone = "UPDATE change SET op = 'tombstone' WHERE scope = :scope AND seq = :seq"
            db.execute(sa.text(tombstone), {"scope": scope, "seq": seq})
