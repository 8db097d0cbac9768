"""The tables of the central server. Times are UTC text (``clock.iso``): they sort, and they hash, as they are.

What tells of people or must stay secret stands in a column ``sealed`` (``server_stub.sealing``), bound to its row.
"""

from __future__ import annotations

from typing import cast

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Insert,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    insert,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Serial = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column that says INTEGER."""
DEFERRED = "deferred"
"""The status of a command that waits."""


class Base(DeclarativeBase):
    """Names every constraint, so that a later migration can change it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text}  # noqa: RUF012 - SQLAlchemy reads it from the class


def plain(table: type[Base]) -> Table:
    """The table behind a mapped class: statements on it go past the mapper, which costs as much again."""
    return cast("Table", table.__table__)


def adding(table: type[Base]) -> Insert:
    """An insert of rows as they are: for what every command writes."""
    return insert(plain(table))


class Organisation(Base):
    """A hall or a department. ``series`` is the code of a hall's numbers."""

    __tablename__ = "organisation"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    series: Mapped[str] = mapped_column(default="")


class Person(Base):
    """Somebody who can sign in. ``admin_kind`` says which administrator (三员) the person is, or is empty.

    ``totp_since``: sign-ins by password from then on must lead to a second factor; empty where only roles demand one.
    ``sealed``: the name.
    """

    __tablename__ = "person"
    __table_args__ = (UniqueConstraint("id", "admin_kind"), CheckConstraint("login = lower(login)", name="login_lower"))
    id: Mapped[str] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    sealed: Mapped[bytes]
    hall_id: Mapped[str | None] = mapped_column(ForeignKey("organisation.id"))
    department_id: Mapped[str | None] = mapped_column(ForeignKey("organisation.id"))
    admin_kind: Mapped[str] = mapped_column(default="")
    password_hash: Mapped[str]
    must_change: Mapped[bool] = mapped_column(default=False)
    totp_since: Mapped[str] = mapped_column(server_default="", default="")
    created_at: Mapped[str]
    disabled_at: Mapped[str | None]


class GrantRequest(Base):
    """A role, or a certificate (its SHA-256), asked for until another security administrator agrees, or it lapses.

    Kept as the record of both. ``sealed``: the certificate (base64).
    """

    __tablename__ = "grant_request"
    __table_args__ = (
        Index(
            "uq_grant_request_open",
            "person_id",
            "role_id",
            unique=True,
            sqlite_where=text("decided_at IS NULL"),
            postgresql_where=text("decided_at IS NULL"),
        ),
        Index(
            "uq_grant_request_open_certificate",
            "person_id",
            "fingerprint",
            unique=True,
            sqlite_where=text("decided_at IS NULL AND fingerprint <> ''"),
            postgresql_where=text("decided_at IS NULL AND fingerprint <> ''"),
        ),
        CheckConstraint("decided_by <> asked_by OR NOT agreed", name="four_eyes"),
        CheckConstraint("(role_id IS NULL) <> (fingerprint = '')", name="one_thing"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"))
    role_id: Mapped[str | None] = mapped_column(ForeignKey("role.id"))
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    sealed: Mapped[bytes | None]
    reason: Mapped[str]
    asked_at: Mapped[str]
    asked_by: Mapped[str] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[str | None]
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("person.id"))
    agreed: Mapped[bool] = mapped_column(default=False)


class Role(Base):
    """A built-in role; ``admin_kind`` is ``sys``, ``sec``, ``audit`` or empty."""

    __tablename__ = "role"
    __table_args__ = (
        UniqueConstraint("id", "admin_kind"),
        CheckConstraint("admin_kind IN ('', 'sys', 'sec', 'audit')", name="admin_kind"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    admin_kind: Mapped[str] = mapped_column(default="")


class RolePermission(Base):
    """What the manifests give to a role; rewritten at every start."""

    __tablename__ = "role_permission"
    role_id: Mapped[str] = mapped_column(ForeignKey("role.id", ondelete="CASCADE"), primary_key=True)
    permission: Mapped[str] = mapped_column(primary_key=True)


class PersonRole(Base):
    """A role held. The three administrators exclude each other, and all business roles, by these constraints.

    A row repeats the ``admin_kind`` of its role *and* of its person, by two composite foreign keys, so
    that one person only ever holds roles of one kind. The partial index says the most important part
    of it once more, for connections on which SQLite does not watch foreign keys.
    """

    __tablename__ = "person_role"
    __table_args__ = (
        ForeignKeyConstraint(["person_id", "admin_kind"], ["person.id", "person.admin_kind"]),
        ForeignKeyConstraint(["role_id", "admin_kind"], ["role.id", "role.admin_kind"]),
        Index(
            "uq_person_role_one_administrator",
            "person_id",
            unique=True,
            sqlite_where=text("admin_kind <> ''"),
            postgresql_where=text("admin_kind <> ''"),
        ),
    )
    person_id: Mapped[str] = mapped_column(primary_key=True)
    role_id: Mapped[str] = mapped_column(primary_key=True)
    admin_kind: Mapped[str]
    granted_at: Mapped[str]
    granted_by: Mapped[str]


class Device(Base):
    """An enrolled counter or room; ``last_n`` is its last command. ``sealed``: what opens its store key (base64).

    ``keyless``: it has no system keyring, and may sign people in before it can show its certificate. ``token_hash`` is
    of the time before certificates, and empty as soon as it has one.
    """

    __tablename__ = "device"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    hall_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"))
    token_hash: Mapped[str]
    sealed: Mapped[bytes]
    last_n: Mapped[int] = mapped_column(BigInteger, default=0)
    enrolled_at: Mapped[str]
    revoked_at: Mapped[str | None]
    revoked_for: Mapped[str] = mapped_column(server_default="", default="")
    keyless: Mapped[bool] = mapped_column(server_default=false(), default=False)
    seen_at: Mapped[str] = mapped_column(server_default="", default="")


class DeviceCertificate(Base):
    """A certificate by which a device is known, by its SHA-256; until it is first used, the one before is good, too."""

    __tablename__ = "device_certificate"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), index=True)
    key_sha256: Mapped[str] = mapped_column(String(64))
    until: Mapped[str]
    used_at: Mapped[str | None]


class EnrolmentCode(Base):
    """A one-time code by which a machine becomes a device, or ``device_id`` again; only its hash is kept."""

    __tablename__ = "enrolment_code"
    code_hash: Mapped[str] = mapped_column(primary_key=True)
    hall_id: Mapped[str] = mapped_column(ForeignKey("organisation.id"))
    name: Mapped[str]
    expires_at: Mapped[str]
    used_by: Mapped[str | None] = mapped_column(ForeignKey("device.id"))
    device_id: Mapped[str | None] = mapped_column(ForeignKey("device.id"))


class SignInSession(Base):
    """A sign-in, with all statements made under it. ``ended_at``: signed out; ``revoked_at``: its statements no longer
    vouch for commands either. ``expires_at`` is the newest statement's.
    """

    __tablename__ = "session"
    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"))
    method: Mapped[str] = mapped_column(default="password", server_default="password")
    issued_at: Mapped[str]
    renewed_at: Mapped[str] = mapped_column(default="", server_default="")
    expires_at: Mapped[str]
    ended_at: Mapped[str | None]
    revoked_at: Mapped[str | None]


class LoginFailure(Base):
    """Failed sign-ins in a row by hash of the login, whether or not such a person exists."""

    __tablename__ = "login_failure"
    login_hash: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[str]
    locked_until: Mapped[str | None]


class SignInChallenge(Base):
    """Something that a device is to answer once (see ``signin.challenges``). ``sealed``: what it needs then (JSON)."""

    __tablename__ = "sign_in_challenge"
    id: Mapped[str] = mapped_column(primary_key=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"))
    method: Mapped[str]
    sealed: Mapped[bytes]
    expires_at: Mapped[str] = mapped_column(index=True)


class SecondFactor(Base):
    """A person's one-time codes and the last step used. ``sealed``: the secret and hashes of recovery codes, JSON."""

    __tablename__ = "second_factor"
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), primary_key=True)
    sealed: Mapped[bytes]
    confirmed_at: Mapped[str | None]
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class PersonCertificate(Base):
    """A certificate that stands for a person, by its SHA-256. One that was taken back stays, and stands for nobody.

    ``used_at``: when somebody last signed in with it. ``sealed``: whom it names.
    """

    __tablename__ = "person_certificate"
    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    sealed: Mapped[bytes]
    not_after: Mapped[str]
    bound_at: Mapped[str]
    bound_by: Mapped[str]
    used_at: Mapped[str] = mapped_column(server_default="", default="")
    revoked_at: Mapped[str | None]


class PersonIdentity(Base):
    """A person as a provider of single sign-on names them; ``subject`` is the SHA-256 of that name."""

    __tablename__ = "person_identity"
    issuer: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id"), index=True)
    bound_at: Mapped[str]
    bound_by: Mapped[str]


class CommandRow(Base):
    """A command that was answered: what makes a second delivery harmless. Kept for years (see ``answers``).

    The server's own commands have neither ``device_id`` nor ``n``. ``sealed``: why it was refused, as JSON.
    """

    __tablename__ = "command"
    __table_args__ = (
        UniqueConstraint("device_id", "n"),
        Index(
            "ix_command_deferred",
            "device_id",
            sqlite_where=text("status = 'deferred'"),
            postgresql_where=text("status = 'deferred'"),
        ),
    )
    cmd_id: Mapped[str] = mapped_column(primary_key=True)
    device_id: Mapped[str | None] = mapped_column(ForeignKey("device.id"))
    n: Mapped[int | None] = mapped_column(BigInteger)
    body_hash: Mapped[str]
    kind: Mapped[str]
    aggregate_id: Mapped[str]
    type: Mapped[str]
    person_id: Mapped[str | None]
    at: Mapped[str]
    received_at: Mapped[str]
    status: Mapped[str]
    rev: Mapped[int]
    sealed: Mapped[bytes | None]


class AggregateState(Base):
    """The newest document of everything that is synced, with its summary. ``scopes`` is JSON.

    ``sealed``: ``{"title", "search", "doc"}`` (see ``feed.whole``).
    """

    __tablename__ = "aggregate_state"
    __table_args__ = (Index(None, "kind", "state", "id"), Index(None, "kind", "number"), Index(None, "kind", "due"))
    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    rev: Mapped[int]
    sealed: Mapped[bytes]
    state: Mapped[str]
    number: Mapped[str]
    due: Mapped[str | None]
    scopes: Mapped[str]
    updated_at: Mapped[str]


class BlindIndex(Base):
    """By which numbers a document can be found: ``blind`` is the HMAC-SM3 of one that its summary's words hold.

    An entry may outlive what it stood for: whoever finds by it looks into the document.
    """

    __tablename__ = "blind_index"
    kind: Mapped[str] = mapped_column(primary_key=True)
    blind: Mapped[bytes] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)


class EventRow(Base):
    """What happened to an aggregate: event ``i`` of the command that made revision ``rev``. ``sealed``: its body."""

    __tablename__ = "event"
    kind: Mapped[str] = mapped_column(primary_key=True)
    aggregate_id: Mapped[str] = mapped_column(primary_key=True)
    rev: Mapped[int] = mapped_column(primary_key=True)
    i: Mapped[int] = mapped_column(primary_key=True)
    cmd_id: Mapped[str]
    type: Mapped[str]
    sealed: Mapped[bytes]
    at: Mapped[str]


class Scope(Base):
    """A feed and its counter; the row is locked last in a transaction, so numbers have no gaps.

    ``count`` and ``digest`` say what is in it (``modules.common.digests``); up to ``floor`` it has been thinned.
    """

    __tablename__ = "scope"
    name: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(BigInteger, default=0)
    digest: Mapped[int] = mapped_column(BigInteger, default=0)
    floor: Mapped[int] = mapped_column(BigInteger, default=0)


class ChangeRow(Base):
    """One entry of a feed. ``sealed``: the wire ``Change`` as JSON, without its ``seq``."""

    __tablename__ = "change"
    __table_args__ = (Index(None, "kind", "aggregate_id"),)
    scope: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str]
    aggregate_id: Mapped[str]
    sealed: Mapped[bytes]
    op: Mapped[str]
    at: Mapped[str]


class AuditRow(Base):
    """One link of the audit chain; never changed, never removed: triggers and, on PostgreSQL, rights refuse it.

    ``detail`` is JSON without personal data.
    """

    __tablename__ = "audit"
    __table_args__ = (Index(None, "person_id"), Index(None, "action"))
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[str]
    action: Mapped[str]
    person_id: Mapped[str]
    device_id: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str]
    hash: Mapped[str] = mapped_column(String(64))


class AuditHead(Base):
    """The chain's last link; its row lock orders the writers of the chain."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str] = mapped_column(String(64))


class AuditSignature(Base):
    """A head of the chain that the server has signed; never changed, never removed. ``signature`` is hexadecimal."""

    __tablename__ = "audit_signature"
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[str] = mapped_column(String(64))
    at: Mapped[str]
    epoch: Mapped[str]
    signature: Mapped[str]


class NumberSeries(Base):
    """A sequence of official numbers: the next serial that nobody holds."""

    __tablename__ = "number_series"
    series: Mapped[str] = mapped_column(primary_key=True)
    next_serial: Mapped[int] = mapped_column(BigInteger)


class NumberLease(Base):
    """A block of serials that belongs to one device."""

    __tablename__ = "number_lease"
    series: Mapped[str] = mapped_column(primary_key=True)
    first: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"), index=True)
    leased_at: Mapped[str]


class NumberUsed(Base):
    """A serial that a command has used, applied or refused: it is never used again."""

    __tablename__ = "number_used"
    series: Mapped[str] = mapped_column(primary_key=True)
    serial: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    cmd_id: Mapped[str]


class Blob(Base):
    """A page image, a scan or a file that the server keeps whole, by the SHA-256 of its content.

    ``at`` is when it was handed in, or when the last document let go of it.
    """

    __tablename__ = "blob"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    type: Mapped[str]
    at: Mapped[str]


class BlobGiver(Base):
    """A device that has handed in all of a blob: it may name it in a document. ``size`` counts to its day's quota."""

    __tablename__ = "blob_giver"
    __table_args__ = (Index(None, "device_id", "at"),)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    device_id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[str]


class BlobName(Base):
    """A document that names a blob now: whoever reads the one may read the other.

    ``device_id`` is who brought the name in without showing that it may: it has to hand the blob in first.
    """

    __tablename__ = "blob_name"
    __table_args__ = (Index(None, "kind", "aggregate_id"),)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    aggregate_id: Mapped[str] = mapped_column(primary_key=True)
    device_id: Mapped[str] = mapped_column(server_default="")


class BlobUpload(Base):
    """A blob that a device is sending. How much of it is here, its file knows (``incoming/<device>.<sha256>``)."""

    __tablename__ = "blob_upload"
    device_id: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    touched_at: Mapped[str]


class JobRun(Base):
    """A run of a scheduled job. ``error`` is the incident's id when it failed."""

    __tablename__ = "job_run"
    id: Mapped[int] = mapped_column(Serial, primary_key=True)
    job: Mapped[str] = mapped_column(index=True)
    started_at: Mapped[str]
    finished_at: Mapped[str]
    error: Mapped[str | None]


class ServerMeta(Base):
    """Keys and facts of this server by name. ``sealed``: the value."""

    __tablename__ = "server_meta"
    key: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]


class SealingKey(Base):
    """A data key by version, wrapped by the master key that is kept elsewhere (``keyring``). None is ever removed."""

    __tablename__ = "sealing_key"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    wrapped: Mapped[bytes]
    created_at: Mapped[str]


class Epoch(Base):
    """Which history this is. Left out of backups: a restored server finds none, makes a new one, and devices notice."""

    __tablename__ = "epoch"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[str]
