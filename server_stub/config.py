"""What a server is told at its start: by its command line, and by ``server.toml`` in its data folder."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path

from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub.keyring import master_path

SETTINGS_FILE = "server.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set in ``server.toml``. Times are in seconds."""

    name: str = "示范市政务服务中心"
    names: tuple[str, ...] = ()
    """Further host names and addresses that the TLS certificate stands for."""
    offline_seconds: int = 72 * 3600
    """How long a signed-in person may work without the server."""
    code_seconds: int = 24 * 3600
    lock_failures: int = 5
    lock_seconds: int = 15 * 60
    argon2_time: int = 3
    argon2_memory_kib: int = 64 * 1024
    """With time 3 and four lanes this is the second choice of RFC 9106, 4."""
    statement_seconds: int = 30 * 60
    """How long a statement answers questions; clients renew it at half of that."""
    totp_roles: tuple[str, ...] = ()
    """Whoever holds one of these roles must have a second factor."""
    self_binding: bool = True
    """Whether somebody may make a certificate or a provider's account theirs by adding their password."""
    certificate_sign_in: bool = True
    certificate_authorities: str = ""
    """A PEM file in the data folder; none: a certificate is trusted for having been bound alone."""
    certificate_revocations: str = ""
    """The authorities' revocation list in the data folder (PEM or DER); none: it is not asked for."""
    oidc_issuer: str = ""
    """The provider of single sign-on; none: it is not offered."""
    oidc_name: str = "统一身份认证"
    oidc_client_id: str = ""
    oidc_client_secret: str = ""
    oidc_scope: str = "openid profile"
    oidc_login_claim: str = ""
    """The claim that holds a person's login here; none: each account is bound by hand."""
    oidc_ca: str = ""
    """The authority of the provider's own TLS certificate, a PEM file in the data folder; none: the system's."""
    sign_ins_per_minute_device: int = 30
    sign_ins_per_minute_address: int = 600
    feed_days: int = 30
    """How long every change stays in the feeds; a device that was away for longer reads a feed from its start again."""
    lines_per_address: int = 1000
    """Open connections from one address: a hall behind one router shares it."""
    certificate_days: int = 180
    """How long a device's certificate holds; it is renewed at half of it."""
    min_free_mib: int = 200
    """Below this much room on the disk the server says that it is not ready."""
    blob_mib: int = 1024
    """The largest file that is taken in."""
    blob_day_mib: int = 20 * 1024
    """How much a device may hand in on one day (China)."""
    backup_folder: str = ""
    """Where the server puts backups by itself (``backup``); none: it makes none."""
    backup_to: str = ""
    """Who can open them: the recipient that ``backup-key`` printed."""
    backup_seconds: int = 24 * 3600
    backup_keep: int = 14
    master_key: str = ""
    """Where the master key is (``keyring``), from the data folder on; none: ``secrets/master.key`` in it."""
    province_url: str = ""
    """The provincial catalogue of service items (docs/province-protocol.md); none: items are kept here alone."""
    province_app: str = ""
    province_key: str = ""


@dataclass(frozen=True, slots=True)
class Config:
    """One server: where it keeps its files, where it listens, and its settings."""

    data: Path
    database: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    demo: bool = False
    ready_file: Path | None = None
    settings: Settings = Settings()

    @property
    def url(self) -> str:
        """The database's SQLAlchemy URL: the given one, or SQLite in the data folder."""
        if not self.database:
            return f"sqlite:///{self.data / 'server.db'}"
        for prefix in ("postgresql://", "postgres://"):
            if self.database.startswith(prefix):
                return "postgresql+psycopg://" + self.database.removeprefix(prefix)
        return self.database

    @property
    def master_key(self) -> Path:
        """Where the master key is."""
        return master_path(self.data, self.settings.master_key)


def read_settings(data: Path) -> Settings:
    """The settings in ``data/server.toml``, or the defaults. Raises ``GovDeskError`` SRV-010 for an unusable file."""
    path = data / SETTINGS_FILE
    if not path.exists():
        return Settings()
    kinds = {field.name: type(getattr(Settings(), field.name)) for field in fields(Settings)}
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unusable(str(error)) from error
    for key, value in values.items():
        if key not in kinds:
            raise _unusable(key)
        if kinds[key] is tuple and isinstance(value, list):
            values[key] = tuple(str(item) for item in value)
        elif type(value) is not kinds[key]:
            raise _unusable(f"{key} = {value!r}")
    return replace(Settings(), **values)


def _unusable(what: str) -> GovDeskError:
    return GovDeskError("SRV-010", tr("服务器设置文件 {file} 不可用：{what}", file=SETTINGS_FILE, what=what))
