"""The one way to write: ``writer.do(fn)`` runs ``fn(session)`` in a transaction and returns once it is durable."""

from __future__ import annotations

import logging
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub.database import Database
from server_stub.feed import GROWN

T = TypeVar("T")
Job = Callable[[Session], Any]

BATCH = 64
"""Jobs in one commit at most."""
ATTEMPTS = 8
RETRIED = frozenset({"40001", "40P01", "23505"})
"""SQLSTATE of serialization failure, deadlock, and a unique key that another transaction was faster to take."""

log = logging.getLogger("govdesk.server.writer")


class Writer(Protocol):
    """Runs a job in a transaction of its own fate."""

    def do(self, fn: Callable[[Session], T]) -> T:
        """The job's result, after its commit. A job that raises has changed nothing. It may be run more than once."""
        ...

    grown: Callable[[dict[str, int]], None]
    """Called after a commit with the newest number of each feed that it made longer (SQLite; see ``feed.GROWN``)."""

    def alive(self) -> bool:
        """Whether jobs are being done."""
        ...

    def close(self) -> None:
        """Finish what was handed in, then stop."""
        ...


def stopped() -> GovDeskError:
    return GovDeskError("SRV-503", tr("服务器正在停止。"), fix=tr("请稍后再试，已填写的内容不会丢失。"))


def retriable(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed when it is run again."""
    return getattr(error.orig, "sqlstate", None) in RETRIED


class GroupWriter:
    """SQLite: one thread, many jobs in one commit. Each job has its savepoint; all wait for the one fsync."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine
        self._jobs: queue.SimpleQueue[tuple[Job, Future[Any]] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self.grown: Callable[[dict[str, int]], None] = lambda heads: None
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def do(self, fn: Callable[[Session], T]) -> T:
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                raise stopped()
            self._jobs.put((fn, future))
        return future.result()

    def alive(self) -> bool:
        return self._thread.is_alive() and not self._closed

    def close(self) -> None:
        with self._closing:
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        more = True
        while more:
            batch: list[tuple[Job, Future[Any]]] = []
            while len(batch) < BATCH:
                try:
                    entry = self._jobs.get(block=not batch)
                except queue.Empty:
                    break
                if entry is None:
                    more = False
                    break
                batch.append(entry)
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[tuple[Job, Future[Any]]]) -> None:
        results: list[tuple[Future[Any], Any]] = []
        grown: dict[str, int] = {}
        failures: list[tuple[Future[Any], BaseException]] = []
        try:
            with self._engine.begin() as connection:
                for fn, future in batch:
                    try:
                        result, heads = _within_savepoint(connection, fn)
                        results.append((future, result))
                        grown |= heads
                    except Exception as error:
                        # SQLite ends the whole transaction by itself when, say, the disk is full
                        if not cast("sqlite3.Connection", connection.connection.dbapi_connection).in_transaction:
                            raise
                        failures.append((future, error))
        except Exception as error:  # noqa: BLE001 - the commit failed: every waiting caller is told, the thread lives on
            log.error("commit failed", extra={"error": type(error).__name__, "jobs": len(batch)})
            for _, future in batch:
                future.set_exception(error)
            return
        for future, result in results:
            future.set_result(result)
        for future, failure in failures:
            future.set_exception(failure)
        if grown:
            self.grown(grown)


def _within_savepoint(connection: Connection, fn: Callable[[Session], T]) -> tuple[T, dict[str, int]]:
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        result = fn(session)
        session.commit()
        return result, session.info.get(GROWN, {})


class PoolWriter:
    """PostgreSQL: each job is its own transaction, on a small pool of connections, run again when it lost a race."""

    def __init__(self, database: Database) -> None:
        self._engine = database.engine
        self._closed = False
        self.grown: Callable[[dict[str, int]], None] = lambda heads: None

    def do(self, fn: Callable[[Session], T]) -> T:
        attempt = 0
        while True:
            if self._closed:
                raise stopped()
            attempt += 1
            try:
                with Session(self._engine) as session, session.begin():
                    return fn(session)
            except DBAPIError as error:
                if not retriable(error) or attempt == ATTEMPTS:
                    raise
                time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - jitter, not a secret

    def alive(self) -> bool:
        return not self._closed

    def close(self) -> None:
        self._closed = True


def open_writer(database: Database) -> Writer:
    """The writer that fits the database."""
    return GroupWriter(database) if database.sqlite else PoolWriter(database)
