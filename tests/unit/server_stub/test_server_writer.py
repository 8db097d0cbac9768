from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, insert, select, text
from sqlalchemy.orm import Session

from modules.common.errors import GovDeskError
from server_stub.database import Database
from server_stub.tables import ServerMeta
from server_stub.writer import GroupWriter


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'server.db'}")
    made.upgrade()
    yield made
    made.close()


@pytest.fixture
def writer(database: Database) -> Iterator[GroupWriter]:
    made = GroupWriter(database)
    yield made
    made.close()


def put(session: Session, key: str) -> str:
    session.execute(insert(ServerMeta).values(key=key, sealed=b""))
    return key


def keys(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.execute(select(ServerMeta.key)).scalars())


def test_durability_is_asked_of_sqlite(database: Database) -> None:
    with database.engine.connect() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 2, 1]


def test_readers_cannot_write(database: Database) -> None:
    with database.read() as session, pytest.raises(Exception, match="readonly"):
        put(session, "a")


def test_one_commit_for_many_and_a_savepoint_for_each(database: Database, writer: GroupWriter) -> None:
    commits = []
    event.listen(database.engine, "commit", lambda connection: commits.append(1))
    entered, leave = threading.Event(), threading.Event()

    def hold(session: Session) -> None:
        entered.set()
        leave.wait()

    outcomes: dict[str, object] = {}

    def ask(key: str) -> None:
        def job(session: Session) -> str:
            put(session, key)
            if key == "k3":
                raise ValueError(key)
            return key

        try:
            outcomes[key] = writer.do(job)
        except ValueError as error:
            outcomes[key] = error

    first = threading.Thread(target=writer.do, args=(hold,))
    first.start()
    entered.wait()
    threads = [threading.Thread(target=ask, args=(f"k{i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    while writer._jobs.qsize() < len(threads):
        pass
    leave.set()
    for thread in (first, *threads):
        thread.join()
    assert len(commits) == 2, "the waiting jobs share one commit"
    assert isinstance(outcomes.pop("k3"), ValueError)
    assert keys(database) == set(outcomes) == {"k0", "k1", "k2", "k4", "k5"}


def test_nobody_is_told_before_the_commit(database: Database, writer: GroupWriter) -> None:
    def fail(connection: object) -> None:
        raise OSError("the disk is full")

    event.listen(database.engine, "commit", fail)
    with pytest.raises(OSError, match="full"):
        writer.do(lambda session: put(session, "a"))
    event.remove(database.engine, "commit", fail)
    assert keys(database) == set()
    assert writer.do(lambda session: put(session, "b")) == "b"
    assert keys(database) == {"b"}


def test_a_transaction_that_sqlite_ended_by_itself_takes_the_whole_batch(
    database: Database, writer: GroupWriter
) -> None:
    entered, leave = threading.Event(), threading.Event()
    outcomes: list[BaseException] = []

    def ended(session: Session) -> None:
        # what a full disk does: the transaction is gone, savepoint and all
        session.execute(text("ROLLBACK"))
        raise OSError("full")

    def hold(session: Session) -> None:
        entered.set()
        leave.wait()

    def ask(job: object) -> None:
        try:
            writer.do(job)  # type: ignore[arg-type]
        except Exception as error:  # noqa: BLE001 - compared below
            outcomes.append(error)

    first = threading.Thread(target=writer.do, args=(hold,))
    first.start()
    entered.wait()
    threads = []
    for size, job in enumerate((lambda session: put(session, "a"), ended, lambda session: put(session, "b")), 1):
        threads.append(threading.Thread(target=ask, args=(job,)))
        threads[-1].start()
        while writer._jobs.qsize() < size:
            pass
    leave.set()
    for thread in (first, *threads):
        thread.join()
    assert len(outcomes) == 3
    assert keys(database) == set()


def test_a_closed_writer_says_so(writer: GroupWriter) -> None:
    writer.close()
    with pytest.raises(GovDeskError) as caught:
        writer.do(lambda session: None)
    assert caught.value.code == "SRV-503"
    assert not writer.alive()
