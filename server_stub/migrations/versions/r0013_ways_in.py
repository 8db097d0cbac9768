"""Certificates wait for a second pair of eyes, as roles do; when they were used; second factors asked of a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op  # noqa: TID253 - alembic itself runs this file

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_KEPT = "id, person_id, role_id, reason, asked_at, asked_by, decided_at, decided_by, agreed"


def upgrade() -> None:
    op.create_table(
        "grant_request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("role_id", sa.Text(), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("agreed", sa.Boolean(), nullable=False),
        sa.CheckConstraint("decided_by <> asked_by OR NOT agreed", name=op.f("ck_grant_request_four_eyes")),
        sa.CheckConstraint("(role_id IS NULL) <> (fingerprint = '')", name=op.f("ck_grant_request_one_thing")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_grant_request_person_id_person")),
        sa.ForeignKeyConstraint(["role_id"], ["role.id"], name=op.f("fk_grant_request_role_id_role")),
        sa.ForeignKeyConstraint(["asked_by"], ["person.id"], name=op.f("fk_grant_request_asked_by_person")),
        sa.ForeignKeyConstraint(["decided_by"], ["person.id"], name=op.f("fk_grant_request_decided_by_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grant_request")),
    )
    op.execute(f"INSERT INTO grant_request ({_KEPT}, fingerprint) SELECT {_KEPT}, '' FROM role_request")  # noqa: S608
    op.create_index(
        "uq_grant_request_open",
        "grant_request",
        ["person_id", "role_id"],
        unique=True,
        sqlite_where=sa.text("decided_at IS NULL"),
        postgresql_where=sa.text("decided_at IS NULL"),
    )
    op.create_index(
        "uq_grant_request_open_certificate",
        "grant_request",
        ["person_id", "fingerprint"],
        unique=True,
        sqlite_where=sa.text("decided_at IS NULL AND fingerprint <> ''"),
        postgresql_where=sa.text("decided_at IS NULL AND fingerprint <> ''"),
    )
    op.drop_table("role_request")
    op.add_column("person", sa.Column("totp_since", sa.Text(), server_default="", nullable=False))
    op.add_column("person_certificate", sa.Column("used_at", sa.Text(), server_default="", nullable=False))
