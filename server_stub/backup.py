"""Backups: all of a server in one encrypted file (``container``), taken while it runs, and read again at once.

In it are the database (a consistent copy, without the epoch: see ``identity``), the blobs, the certificates, the master
key and the settings: on an empty machine nothing else is needed but what opens the file. The database is copied first:
a blob is there before any document names it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from modules.common.clock import iso
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub import audit, audit_proof
from server_stub.config import Config
from server_stub.container import Reader, Secret, Writer, damaged
from server_stub.database import Database, copy_sqlite
from server_stub.keyring import sync_folder

DATABASE, MASTER = "database", "secrets/master.key"
NAME = "govdesk-{at:%Y%m%dT%H%M%SZ}.backup"
_NAMED = re.compile(r"govdesk-\d{8}T\d{6}Z\.backup")
_BLOB = re.compile(r"(files|blobs)/[0-9a-f]{2}/[0-9a-f]{64}")
"""``blobs``: in clear, of a server of old, or what it could not take over (``blobs.files.seal_clear``)."""
_BESIDE = re.compile(r"tls/[a-z.-]+|server\.toml|audit-heads\.jsonl")


# -- writing


def write(config: Config, database: Database, out: Path, secret: Secret, now: datetime, keep: int = 0) -> Path:
    """Write a backup to ``out``; where that is a folder, to a file named after the time in it, of which the newest
    ``keep`` stay (0: all). Returns the file.

    Raises ``GovDeskError`` SRV-030 … 033 as ``snapshot``, SRV-034 for a secret that is none, SRV-036 for a full disk;
    what was there before is then as it was.
    """
    file = out / NAME.format(at=now) if out.is_dir() else out
    partial = file.with_name(file.name + ".partial")
    copy = file.with_name(file.name + ".database")
    try:
        with room(file):
            snapshot(database, copy)
            with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as stream:
                sealed = Writer(stream, secret)
                _pack(config, copy, sealed)
                sealed.close()
                stream.flush()
                os.fsync(stream.fileno())
                stream.seek(0)
                Reader(stream, key=sealed.key).finish()  # what was written is what can be read
            partial.replace(file)
            sync_folder(file.parent)
    finally:
        partial.unlink(missing_ok=True)
        copy.unlink(missing_ok=True)
    with Session(database.engine) as session, session.begin():
        audit.append(session, iso(now), [audit.Entry("backup.write")])
    if out.is_dir() and keep > 0:
        mine = sorted((path for path in out.iterdir() if _NAMED.fullmatch(path.name)), reverse=True)
        for old in mine[keep:]:
            old.unlink(missing_ok=True)
    return file


@contextlib.contextmanager
def room(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        full = getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error)
        if not full:
            raise
        raise GovDeskError(
            "SRV-036",
            tr("{folder} 所在的磁盘已满，没有完成，也没有改动原来的数据。", folder=file.parent),
            fix=tr("请腾出空间或换一个位置。"),
        ) from error


def _pack(config: Config, database: Path, out: Any) -> None:
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, database, DATABASE)
        _add(tar, config.master_key, MASTER)
        for name in ("server.toml", "audit-heads.jsonl"):
            _add(tar, config.data / name, name)
        for folder in ("tls", "files", "blobs"):
            for path in sorted((config.data / folder).rglob("*")):
                name = path.relative_to(config.data).as_posix()
                if _BLOB.fullmatch(name) or _BESIDE.fullmatch(name):
                    _add(tar, path, name)


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return  # not there, or no document named it any more and it was swept away just now
    with file:
        entry = tarfile.TarInfo(name)
        entry.size = os.fstat(file.fileno()).st_size
        tar.addfile(entry, file)


def snapshot(database: Database, out: Path) -> None:
    """A verified copy of the database alone. Raises ``GovDeskError`` SRV-030 … 033; ``out`` is then as it was."""
    database.must_exist()
    partial = out.with_name(out.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        if database.sqlite:
            _copy(Path(str(database.url.database)), partial)
        else:
            _dump(database.url, partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    copy_sqlite(source, target)
    connection = sqlite3.connect(target)
    try:
        connection.execute("DELETE FROM epoch")
        connection.commit()
    finally:
        connection.close()
    if what := faults_of(target):
        raise GovDeskError("SRV-031", tr("备份校验未通过，未保存：{what}", what=what), fix=tr("请检查磁盘后重试。"))


def faults_of(file: Path) -> str:
    """What is wrong with a SQLite database, for people; nothing when it is whole."""
    connection = sqlite3.connect(file)
    try:
        whole = connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        whole = whole and not connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.DatabaseError:
        whole = False
    finally:
        connection.close()
    if not whole:
        return tr("数据库文件不完整。")
    copy = Database(f"sqlite:///{file}")
    try:
        with copy.read() as session:
            verdict = audit_proof.verify(session)
    finally:
        copy.close()
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    return "" if verdict.broken_at is None else audit_proof.words(verdict)


def tool(name: str) -> str:
    """Where one of PostgreSQL's programs is. Raises SRV-032."""
    found = shutil.which(name) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    if found is None:
        raise GovDeskError(
            "SRV-032",
            tr("没有找到 {tool}。", tool=name),
            fix=tr("请安装 PostgreSQL 客户端工具，或在数据库服务器上备份。"),
        )
    return found


def _dump(url: URL, target: Path) -> None:
    _run(url, tool("pg_dump"), "--format=custom", "--exclude-table-data=epoch", f"--file={target}", address(url))
    _run(url, tool("pg_restore"), "--list", str(target))


def address(url: URL) -> str:
    """The database's address without its password: a command line can be read by everyone on the machine."""
    return url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)


def _run(url: URL, *command: str) -> None:
    environment = {**os.environ, "PGPASSWORD": url.password or ""}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GovDeskError("SRV-033", tr("备份或恢复失败：{reason}", reason=done.stderr.strip()[-300:]))


def load_dump(url: URL, dump: Path) -> None:
    """Put a dump into a PostgreSQL, in place of what is there: all of it or nothing. Raises SRV-033."""
    _run(
        url, tool("pg_restore"), "--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error",
        f"--dbname={address(url)}", str(dump),
    )  # fmt: skip


# -- what is inside


def unpack(source: Path, secret: Secret, folder: Path) -> None:
    """Lay a backup out in ``folder``, which is new; every byte of the file has then been checked.

    Raises ``GovDeskError`` SRV-034 for the wrong secret, SRV-035 for a damaged or cut file.
    """
    with source.open("rb") as stream:
        opened: Any = Reader(stream, secret)
        try:
            with tarfile.open(fileobj=opened, mode="r|") as tar:
                for entry in tar:
                    name = entry.name
                    known = name in (DATABASE, MASTER) or _BLOB.fullmatch(name) or _BESIDE.fullmatch(name)
                    content = tar.extractfile(entry)
                    if not known or content is None:
                        raise damaged()
                    path = folder / name
                    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    digest = hashlib.sha256()
                    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                        while part := content.read(2**20):
                            digest.update(part)
                            file.write(part)
                    if name.startswith("blobs/") and digest.hexdigest() != path.name:
                        raise damaged()
        except tarfile.TarError as error:
            raise damaged() from error
        opened.finish()
    if not (folder / DATABASE).exists() or not (folder / MASTER).exists():
        raise damaged()
