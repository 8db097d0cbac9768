"""The server's database: SQLite in a file, or PostgreSQL by URL; opened, upgraded, read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from modules.common.errors import GovDeskError
from modules.common.text import tr

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 10_000
PG_CONNECTIONS = 8
CHANNEL = "govdesk_feeds"
"""On which a PostgreSQL tells every server process which feeds a commit made longer."""


class Database:
    """Two engines on one database: ``engine`` for the writer, another for reads."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        # parameters may be personal data: they belong in no error message and no log
        if self.sqlite:
            self.engine = create_engine(url, hide_parameters=True)
            self._reader = create_engine(url, hide_parameters=True, pool_size=8, max_overflow=32)
            _prepare_sqlite(self.engine, "BEGIN IMMEDIATE")
            _prepare_sqlite(self._reader, "BEGIN", "PRAGMA query_only = ON")
        else:
            self.engine = create_engine(
                url, hide_parameters=True, pool_size=PG_CONNECTIONS, max_overflow=0, pool_pre_ping=True
            )
            self._reader = create_engine(
                url, hide_parameters=True, pool_size=PG_CONNECTIONS, max_overflow=8, pool_pre_ping=True
            )

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads, on one snapshot in SQLite."""
        with Session(self._reader) as session:
            yield session

    def upgrade(self) -> None:
        """Bring the schema to this program's revision; a SQLite file is copied aside first.

        Raises ``GovDeskError`` SRV-020 when the database cannot be reached, SRV-021 when it is newer than the program.
        """
        from alembic import command
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        config = self._alembic()
        scripts = ScriptDirectory.from_config(config)
        head = scripts.get_current_head()
        with self._reached() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            empty = not inspect(connection).get_table_names()
            if current == head:
                return
            if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
                raise GovDeskError(
                    "SRV-021",
                    tr("服务器数据库是由更新版本的程序建立的（{revision}）。", revision=current),
                    fix=tr("请安装相同或更新版本的服务器程序。"),
                )
        if self.sqlite and not empty and self.url.database:
            copy_sqlite(Path(self.url.database), Path(f"{self.url.database}.before-{head}"))
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def must_exist(self) -> None:
        """Raise SRV-030 when there is no such SQLite file: connecting would make one."""
        if self.sqlite and not Path(str(self.url.database)).exists():
            raise GovDeskError("SRV-030", tr("没有找到服务器数据库 {file}。", file=Path(str(self.url.database)).name))

    @contextmanager
    def _reached(self) -> Iterator[Connection]:
        try:
            connection = self.engine.connect()
        except OperationalError as error:
            reason = str(error.orig).strip().splitlines()[0]
            raise GovDeskError("SRV-020", tr("无法连接服务器数据库：{reason}", reason=reason)) from error
        with connection, connection.begin():
            yield connection

    def _alembic(self) -> Any:
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        return config

    def probe(self) -> None:
        """Ask the database one question. Raises what the driver raises."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self._reader.dispose()


def _prepare_sqlite(engine: Engine, begin: str, *pragmas: str) -> None:
    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        # the driver's own BEGIN comes too late for savepoints and snapshots: it is ours, below
        connection.isolation_level = None
        for pragma in (
            f"PRAGMA busy_timeout = {BUSY_MS}",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
            *pragmas,
        ):
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy of a SQLite file that may be in use."""
    reader = sqlite3.connect(source)
    writer = sqlite3.connect(target)
    try:
        reader.backup(writer)
    finally:
        writer.close()
        reader.close()
