"""Bringing a backup back: checked whole beside what is there, then put in its place at once, or not at all."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from modules.common.clock import iso
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub import audit, keyring
from server_stub.backup import DATABASE, MASTER, faults_of, load_dump, room, unpack
from server_stub.config import Config
from server_stub.container import Secret, damaged
from server_stub.database import Database


def restore(config: Config, source: Path, secret: Secret, now: datetime) -> Path | None:
    """Put a backup into the data folder, and into PostgreSQL where the server uses one. Returns where the data that
    was there is now, if there was any.

    The epoch is not in a backup: the server makes a new one at its next start, and its devices push again what the
    backup lacks. Raises ``GovDeskError`` SRV-034, 035, 036 as ``backup.unpack``, SRV-037 while the server runs, SRV-033
    when PostgreSQL refuses; nothing has changed then.
    """
    data = config.data
    _refuse_running(config)
    staging = data.with_name(data.name + ".restoring")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True, mode=0o700)
    try:
        with room(staging):
            unpack(source, secret, staging)
        sqlite = Database(config.url).sqlite
        if sqlite:
            (staging / DATABASE).replace(staging / "server.db")
            _check(staging)
        else:
            load_dump(Database(config.url).url, staging / DATABASE)
            (staging / DATABASE).unlink()
        before = data.with_name(f"{data.name}.before-restore-{now:%Y%m%dT%H%M%SZ}") if data.exists() else None
        if before is not None:
            data.replace(before)
        staging.replace(data)
        keyring.sync_folder(data.parent)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    master = keyring.master_path(data, config.settings.master_key)
    if master != data / MASTER and not master.exists():
        master.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(data / MASTER, master)
        master.chmod(0o600)
    database = Database(config.url)
    with Session(database.engine) as session, session.begin():
        audit.append(session, iso(now), [audit.Entry("backup.restore")])
    database.close()
    return before


def _check(staging: Path) -> None:
    if faults_of(staging / "server.db"):
        raise damaged()
    database = Database(f"sqlite:///{staging / 'server.db'}", staging / MASTER)
    try:
        database.unlock()
    finally:
        database.close()


def _refuse_running(config: Config) -> None:
    database = Database(config.url)
    try:
        if database.sqlite:
            running = _in_use(Path(str(database.url.database)))
        else:
            others = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            with database.engine.connect() as connection:
                running = bool(connection.execute(text(others)).scalar_one())
    finally:
        database.close()
    if running:
        raise GovDeskError("SRV-037", tr("服务器还在运行，不能恢复。"), fix=tr("请先停止服务器。"))


def _in_use(file: Path) -> bool:
    """Whether anybody has a SQLite database open: in WAL mode each connection holds a lock for as long as it lives."""
    if not file.exists():
        return False
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            return "locked" in str(error)
        except sqlite3.DatabaseError:
            return False  # it is what is to be replaced
    return False
