"""The server's database: SQLite in a file, or PostgreSQL by URL; opened, upgraded, read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, delete, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from modules.common.clock import SystemClock, iso
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub.sealing import OPTION, Sealing
from server_stub.tables import ServerMeta

MIGRATIONS = Path(__file__).parent / "migrations"
SEALS, NO_CLEAR = "0003", "0004"
"""Between these two revisions what stood in clear is sealed (``migrations.seal_clear``)."""
BUSY_MS = 10_000
PG_CONNECTIONS = 8
READERS = 40
"""As many as there are threads that answer: to open one costs as much as ten questions, so all are kept open."""
CHANNEL = "govdesk_feeds"
"""On which a PostgreSQL tells every server process which feeds a commit made longer."""


class Database:
    """Two engines on one database: ``engine`` for the writer, another for reads.

    ``master`` is where the master key is that unlocks what is sealed; without one the rest can still be read.
    """

    def __init__(self, url: str, master: Path | None = None) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.sealing = Sealing()
        self._master = master
        # parameters may be personal data: they belong in no error message and no log
        common: dict[str, Any] = {"hide_parameters": True, "execution_options": {OPTION: self.sealing}}
        if self.sqlite:
            self.engine = create_engine(url, **common)
            self._reader = create_engine(url, **common, pool_size=READERS, max_overflow=0)
            _prepare_sqlite(self.engine, "BEGIN IMMEDIATE")
            _prepare_sqlite(self._reader, "BEGIN", "PRAGMA query_only = ON")
        else:
            common |= {"max_overflow": 0, "pool_pre_ping": True}
            self.engine = create_engine(url, **common, pool_size=PG_CONNECTIONS)
            self._reader = create_engine(url, **common, pool_size=2 * PG_CONNECTIONS)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads, on one snapshot in SQLite."""
        with Session(self._reader) as session:
            yield session

    def upgrade(self) -> None:
        """Bring the schema to this program's revision, and unlock it; a SQLite file is copied aside first.

        Raises ``GovDeskError`` SRV-020 when the database cannot be reached, SRV-021 when it is newer than the program,
        SRV-051 and 052 as ``keyring.load``.
        """
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        config = self._alembic()
        scripts = ScriptDirectory.from_config(config)
        head = scripts.get_current_head()
        with self._reached() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
            empty = not inspect(connection).get_table_names()
            if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
                raise GovDeskError(
                    "SRV-021",
                    tr("服务器数据库是由更新版本的程序建立的（{revision}）。", revision=current),
                    fix=tr("请安装相同或更新版本的服务器程序。"),
                )
        if current != head:
            self._advance(config, scripts, current, empty)
        self.unlock()
        if self.sealing.newest:
            self._forget_clear()

    def _advance(self, config: Any, scripts: Any, current: str | None, empty: bool) -> None:
        head = scripts.get_current_head()
        passed = {script.revision for script in scripts.iterate_revisions(current or "base", "base")}
        if self.sqlite and not empty and current != SEALS:
            copy_sqlite(self._file, self._file.with_name(f"{self._file.name}.before-{head}"))
        if current is not None and NO_CLEAR not in passed:
            self._seal_all(config)
        self._migrate(config, "head")

    def unlock(self) -> None:
        """Fetch the keys, if a master key was named; see ``keyring.load``."""
        if self._master is not None:
            from server_stub import keyring

            self.sealing.use(keyring.load(self.engine, self._master, iso(SystemClock().now())))
            self.sealing.reload = self.unlock

    def _seal_all(self, config: Any) -> None:
        """Seal a database that was in clear. Cut off at any point, it goes on where it was."""
        from server_stub.migrations.seal_clear import seal_clear

        self._migrate(config, SEALS)
        self.unlock()
        seal_clear(self.engine)
        self._migrate(config, NO_CLEAR)

    def _forget_clear(self) -> None:
        """After sealing what was in clear: leave none of it in the files, nor in copies from before upgrades."""
        from server_stub.migrations.seal_clear import CLEAR_LEFT, rewrite

        with Session(self.engine) as session:
            left = session.get(ServerMeta, CLEAR_LEFT) is not None
        if not left:
            return
        rewrite(self.engine)
        for copy in self._file.parent.glob(f"{self._file.name}.before-*") if self.sqlite else ():
            copy.unlink()
        with Session(self.engine) as session, session.begin():
            session.execute(delete(ServerMeta).filter_by(key=CLEAR_LEFT))

    def _migrate(self, config: Any, revision: str) -> None:
        from alembic import command

        with self.engine.connect() as connection:
            if self.sqlite:
                # a table that is rebuilt is dropped, and others refer to it; this cannot be said inside a transaction
                connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")  # type: ignore[union-attr]
            try:
                with connection.begin():
                    config.attributes["connection"] = connection
                    command.upgrade(config, revision)
                    if self.sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                        raise RuntimeError(f"the upgrade to {revision} left rows that refer to nothing")
            finally:
                if self.sqlite:
                    connection.connection.driver_connection.execute("PRAGMA foreign_keys = ON")  # type: ignore[union-attr]

    @property
    def _file(self) -> Path:
        return Path(str(self.url.database))

    def must_exist(self) -> None:
        """Raise SRV-030 when there is no such SQLite file: connecting would make one."""
        if self.sqlite and not self._file.exists():
            raise GovDeskError("SRV-030", tr("没有找到服务器数据库 {file}。", file=self._file.name))

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
