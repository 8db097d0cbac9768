"""The keys that seal the database: data keys in it, wrapped; the master key that wraps them, outside of it.

The master key is a file of 64 hexadecimal digits: ``DATA/secrets/master.key``, or where ``server.toml`` says
(``master_key``), or systemd's credential ``govdesk-master-key`` (``LoadCredential=``). Whoever has it and the database
reads everything; without it nobody does.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path

from sqlalchemy import Engine, insert, select, update
from sqlalchemy.orm import Session

from modules.common.errors import GovDeskError
from modules.common.gm import NONCE, Sm4Gcm, hmac_sm3
from modules.common.text import tr
from server_stub.sealing import KEY_BYTES
from server_stub.tables import SealingKey

CREDENTIAL = "govdesk-master-key"
MASTER_BYTES = 32
_HEX = re.compile(rb"[0-9a-f]{64}\s*")


def master_path(data: Path, setting: str) -> Path:
    """Where the master key is: as set, else systemd's credential, else in the data folder."""
    if setting:
        return data / setting  # an absolute path stays what it is
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    if given and (credential := Path(given) / CREDENTIAL).exists():
        return credential
    return data / "secrets" / "master.key"


def read_master(path: Path) -> bytes:
    """The 32 bytes of the master key. Raises ``GovDeskError`` SRV-051 for a file that is not there, is none, or is
    open to everybody on the machine.
    """
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o007:
            raise GovDeskError(
                "SRV-051",
                tr("主密钥文件 {file} 任何人都能读取，不能使用。", file=path),
                fix=tr("请把它的权限改为 0600。"),
            )
        text = path.read_bytes()
    except OSError as error:
        raise GovDeskError(
            "SRV-051",
            tr("读不到主密钥文件 {file}，服务器数据打不开。", file=path),
            fix=tr("请从备份取回此文件，放回原处；数据没有损坏。"),
        ) from error
    if not _HEX.fullmatch(text):
        raise GovDeskError("SRV-051", tr("主密钥文件 {file} 的内容不完整。", file=path), fix=tr("请从备份取回此文件。"))
    return bytes.fromhex(text.decode())


def make_master(path: Path) -> bytes:
    """A new master key in a new file that only its owner reads; what is there already is taken as it is."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_hex(MASTER_BYTES).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # never over another one: what that one has sealed would be lost
            os.link(scratch, path)
        except FileExistsError:
            return read_master(path)
    finally:
        scratch.unlink(missing_ok=True)
    sync_folder(path.parent)
    return read_master(path)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable, where the system can."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def load(engine: Engine, path: Path, now: str) -> dict[int, bytes]:
    """The data keys by version; the first one, and a master key, are made where there is none yet.

    Raises ``GovDeskError`` SRV-051 as ``read_master``, SRV-052 when the master key is another database's.
    """
    with Session(engine) as session:
        rows = session.execute(select(SealingKey.version, SealingKey.wrapped)).all()
    if rows:
        master = _finish_change(path, rows[0].version, rows[0].wrapped)
        return {row.version: unwrap(master, row.version, row.wrapped) for row in rows}
    # the file first, and durable: a key that is wrapped by nothing that lasts would seal for ever
    master = read_master(path) if path.exists() else make_master(path)
    with Session(engine) as session, session.begin():
        add_key(session, master, 1, now)
    return load(engine, path, now)


def add_key(session: Session, master: bytes, version: int, now: str) -> None:
    """A new data key, unless somebody else has just made one of this version."""
    if session.get(SealingKey, version) is None:
        key = wrap(master, version, secrets.token_bytes(KEY_BYTES))
        session.execute(insert(SealingKey).values(version=version, wrapped=key, created_at=now))


def change_master(engine: Engine, path: Path) -> None:
    """Wrap the data keys by a new master key. Cut off at any point, the next start finds one that fits."""
    old = read_master(path)
    coming = upcoming(path)
    new = make_master(coming)
    with Session(engine) as session, session.begin():
        for row in session.execute(select(SealingKey).with_for_update()).scalars().all():
            wrapped = wrap(new, row.version, unwrap(old, row.version, row.wrapped))
            session.execute(update(SealingKey).filter_by(version=row.version).values(wrapped=wrapped))
    _promote(coming, path)


def upcoming(path: Path) -> Path:
    """Where a new master key waits until all data keys are wrapped by it."""
    return path.with_name(path.name + ".new")


def _finish_change(path: Path, version: int, wrapped: bytes) -> bytes:
    """The master key that fits: the one at ``path``, or the one that a change was about to put there."""
    coming = upcoming(path)
    if not coming.exists():
        return read_master(path)
    new = read_master(coming)
    try:
        unwrap(new, version, wrapped)
    except GovDeskError:
        return read_master(path)  # the change has not wrapped anything yet; it may still be at work
    _promote(coming, path)
    return new


def _promote(coming: Path, path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # a server that was just starting was faster
        coming.replace(path)
    sync_folder(path.parent)


def wrap(master: bytes, version: int, key: bytes) -> bytes:
    """A data key under the master key."""
    nonce = os.urandom(NONCE)
    return nonce + _wrapping(master).seal(nonce, key, f"sealing_key\0{version}".encode())


def unwrap(master: bytes, version: int, wrapped: bytes) -> bytes:
    """The opposite of ``wrap``. Raises ``GovDeskError`` SRV-052."""
    try:
        return _wrapping(master).open(wrapped[:NONCE], wrapped[NONCE:], f"sealing_key\0{version}".encode())
    except ValueError as error:
        raise GovDeskError(
            "SRV-052",
            tr("主密钥与这个数据库不相配，服务器数据打不开。"),
            fix=tr("请放回与此数据库一同保存的主密钥文件。"),
        ) from error


def _wrapping(master: bytes) -> Sm4Gcm:
    return Sm4Gcm(hmac_sm3(master, b"govdesk wraps data keys")[:16])
