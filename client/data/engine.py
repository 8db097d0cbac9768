"""The encrypted database: opening, upgrading, backing up."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import sqlcipher3.dbapi2 as sqlcipher
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from client.data.profile import disk_full, disk_full_in_words
from modules.common.digests import changed
from modules.common.errors import GovDeskError
from modules.common.text import tr

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
"""Every schema revision this program knows, oldest first; the last is the one it works with."""
HEAD = REVISIONS[-1]
MIGRATIONS = Path(__file__).parent / "migrations"


def open_engine(path: Path, key: bytes, check: Callable[[Any], None] = lambda connection: None) -> Engine:
    """The database at ``path``, made, or upgraded after a backup, where needed. ``key`` is 32 raw bytes.

    ``check`` sees what is there, by a raw connection, before anything is changed; what it raises is raised.
    Transactions begin as readers; ``writer(engine)`` gives the same engine for writing. Raises
    ``GovDeskError``: DATA-003 when a newer program wrote the file, DATA-004 when the key does not open it
    or it is damaged, DATA-008 when it may not be read or written, DATA-010 when the disk is full.
    """
    with disk_full_in_words():
        with closing(_connect_in_words(path, key)) as connection:
            stored = _revision(connection)
            fresh = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
            if stored in REVISIONS:
                check(connection)
        engine = create_engine(
            "sqlite+pysqlite://",
            creator=lambda: connect(path, key),
            module=sqlcipher,
            poolclass=QueuePool,
            pool_size=4,
            max_overflow=4,
            # the connection that was used last has its pages decrypted already
            pool_use_lifo=True,
            json_serializer=lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
            json_deserializer=msgspec.json.decode,
        )
        event.listen(engine, "begin", _begin)
        if stored != HEAD:
            if not fresh:
                if stored not in REVISIONS:
                    raise _newer()
                backup(path, key, path.with_name(f"{path.stem}.before-{HEAD}.db"))
            try:
                upgrade(engine)
            except BaseException:
                engine.dispose()
                raise
    return engine


def writer(engine: Engine) -> Engine:
    """The same engine for writing: a transaction takes the write lock at its start, so it cannot fail half-way."""
    return engine.execution_options(govdesk_writes=True)


def connect(path: Path, key: bytes) -> Any:
    """A raw connection.

    ``synchronous=FULL``: what is committed survives a power cut.
    """
    connection = sqlcipher.connect(str(path), check_same_thread=False, isolation_level=None, timeout=10)
    try:
        connection.execute(f"PRAGMA key=\"x'{key.hex()}'\"")
        # a wrong key is told in words by us; the library would write to standard error as well
        connection.execute("PRAGMA cipher_log_level=NONE")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.create_function("govdesk_digest", 5, changed, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def backup(path: Path, key: bytes, target: Path) -> None:
    """Copy the database to ``target`` while it is in use; the copy is encrypted with the same key.

    Raises ``GovDeskError`` DATA-010 when the disk is full.
    """
    scratch = target.with_name(target.name + ".new")
    scratch.unlink(missing_ok=True)
    with disk_full_in_words():
        with closing(connect(path, key)) as source, closing(connect(scratch, key)) as copy:
            source.backup(copy)
            # a single file without a journal beside it: it may be carried away
            copy.execute("PRAGMA journal_mode=DELETE")
        scratch.replace(target)


def upgrade(engine: Engine) -> None:
    """Bring the schema to ``HEAD``, in one transaction."""
    from alembic import command

    with writer(engine).begin() as connection:
        command.upgrade(migrations(connection), "head")


def migrations(connection: Connection | None = None) -> Any:
    """Alembic's configuration, working on ``connection``."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("govdesk_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _connect_in_words(path: Path, key: bytes) -> Any:
    try:
        connection = connect(path, key)
    except sqlcipher.OperationalError as error:
        if disk_full(error):
            raise
        raise GovDeskError(
            "DATA-008",
            tr("本机数据文件无法读写（{reason}）。", reason=error),
            fix=tr("请检查该文件夹的权限，或联系系统管理员。"),
        ) from error
    except sqlcipher.DatabaseError as error:
        raise GovDeskError(
            "DATA-004",
            tr("本机数据打不开：密钥不对或文件已损坏。"),
            fix=tr("请勿删除文件，其中可能有未发送的业务；请联系系统管理员。"),
        ) from error
    return connection


def _revision(connection: Any) -> str:
    """The stored revision by plain SQL, because loading Alembic takes longer than opening the store."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name='alembic_version'").fetchone()[0]
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if tables else None
    return str(row[0]) if row else ""


def _newer() -> GovDeskError:
    return GovDeskError(
        "DATA-003",
        tr("本机数据是由更新版本的程序写入的，本版本不能打开。数据没有改动。"),
        fix=tr("请安装新版本后再打开。"),
    )
