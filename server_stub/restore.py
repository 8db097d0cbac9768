"""Putting a backup in the place of the database: always as another history, so that every device notices."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from modules.common.clock import SystemClock
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub.backup import tool
from server_stub.database import Database


def restore(database: Database, source: Path) -> Path | None:
    """Put the backup ``source`` in place; where the database was a file, returns where that has been moved.

    Also a plain copy of a database file may be put back: whatever epoch it holds is dropped, or devices would believe
    that nothing is missing. The server must not be running. Raises ``GovDeskError`` SRV-034 … 037, nothing changed.
    """
    if not source.exists():
        raise GovDeskError("SRV-034", tr("没有找到备份文件 {file}。", file=source.name))
    if not database.sqlite:
        _refill(database, source)
        return None
    target = Path(str(database.url.database))
    scratch = target.with_name(target.name + ".restored")
    scratch.unlink(missing_ok=True)
    try:
        _fill(source, scratch)
        aside = _set_aside(target) if target.exists() else None
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return aside


def _fill(source: Path, target: Path) -> None:
    """A copy of ``source`` that is whole, ours, and of no epoch."""
    try:
        reader = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
        writer = sqlite3.connect(target)
        try:
            reader.backup(writer)
            whole = writer.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            writer.execute("SELECT version_num FROM alembic_version")
            writer.execute("DELETE FROM epoch")
            writer.commit()
            # one file, without a journal beside it that could be forgotten
            writer.execute("PRAGMA journal_mode = DELETE")
        finally:
            writer.close()
            reader.close()
    except sqlite3.Error as error:
        raise GovDeskError("SRV-035", tr("{file} 不是本系统的备份，或已损坏。", file=source.name)) from error
    if not whole:
        raise GovDeskError("SRV-035", tr("{file} 不是本系统的备份，或已损坏。", file=source.name))


def _set_aside(target: Path) -> Path:
    """Move the present database out of the way, whole: it may be wanted for looking things up."""
    try:
        connection = sqlite3.connect(target, timeout=1)
        try:
            # leaving write-ahead mode needs the file to itself
            connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise _running() from error
    except sqlite3.DatabaseError:
        pass  # broken: that is why somebody restores
    moved = target.with_name(f"{target.name}.replaced-{SystemClock().now():%Y%m%d%H%M%S}")
    target.replace(moved)
    for suffix in ("-wal", "-shm"):
        beside = target.with_name(target.name + suffix)
        if beside.exists():
            beside.replace(moved.with_name(moved.name + suffix))
    return moved


def _refill(database: Database, source: Path) -> None:
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    try:
        with database.engine.connect() as connection:
            running = connection.execute(others).scalar_one()
    except SQLAlchemyError as error:
        raise GovDeskError("SRV-036", tr("恢复失败：{reason}", reason=type(error).__name__)) from error
    database.engine.dispose()
    if running:
        raise _running()
    url: URL = database.url
    # the password goes by the environment: a command line can be read by everyone on the machine
    environment = {**os.environ, "PGPASSWORD": url.password or ""}
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    options = ["--clean", "--if-exists", "--no-owner", "--single-transaction", f"--dbname={address}", str(source)]
    done = subprocess.run([tool("pg_restore"), *options], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GovDeskError("SRV-036", tr("恢复失败：{reason}", reason=done.stderr.strip()[-300:]))
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM epoch"))


def _running() -> GovDeskError:
    return GovDeskError("SRV-037", tr("服务器还在使用这个数据库，没有恢复。"), fix=tr("请先停止服务器。"))
