"""The encrypted file: every released schema upgrades, a backup is made first, failures are told."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command  # noqa: TID253
from alembic.autogenerate import compare_metadata  # noqa: TID253
from alembic.migration import MigrationContext  # noqa: TID253
from alembic.script import ScriptDirectory  # noqa: TID253

from client.data import engine as database
from client.data.engine import HEAD, REVISIONS, backup, connect, migrations, open_engine
from client.data.store import Store
from client.data.tables import Base, is_mapped
from modules.common.aggregate import Command
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError
from tests.support.reference_server import NOTE, rules_of

KEY = bytes(range(32))
RELEASED = sorted((Path(__file__).parents[1] / "data" / "db").glob("*.db"))
CLOCK = FixedClock(datetime(2026, 11, 20, tzinfo=UTC))


def revision(path: Path) -> Any:
    with closing(connect(path, KEY)) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def set_revision(path: Path, value: str) -> None:
    with closing(connect(path, KEY)) as connection:
        connection.execute("UPDATE alembic_version SET version_num=?", (value,))


def held(path: Path) -> list[Any]:
    """The schema, and what the tables hold that every revision has."""
    with closing(connect(path, KEY)) as connection:
        tables = [f"SELECT * FROM {name}" for name in ("outbox", "record", "draft", "lease", "meta")]
        queries = ["SELECT type, name, sql FROM sqlite_master", *tables]
        return [connection.execute(query).fetchall() for query in queries]


def test_every_revision_has_been_kept_as_a_fixture() -> None:
    assert [path.stem for path in RELEASED] == list(REVISIONS)


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: str(path.stem))
def test_a_released_schema_upgrades_and_keeps_everything(released: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    shutil.copyfile(released, path)
    store = Store.open(path, KEY, CLOCK, rules=rules_of)
    statement = store.last_statement("zhang")
    assert statement is not None
    store.open_session(statement[0], "3号窗", "T1")
    [note] = store.find("note")
    assert (note.title, note.number, note.pending) == ("旧库中的记录", "T1-20261120-000001", 2)
    # what an older program stored is found by its words like what is stored today
    for text in ("记录", "t1-20261120", "jkzdjl"):
        assert [found.id for found in store.find("note", text=text)] == [note.id]
    assert [entry.n for entry in store.unsent(10)] == [1, 2]
    assert [draft.doc for draft in store.drafts.list("note")] == [{"title": "草稿"}]
    assert [job.template for job in store.prints.owed()] == ["slip"]
    assert store.tally().serials == 19
    store.close()
    assert revision(path) == HEAD


class Later:
    """The rules of ``note`` as a later program has them: commands of version 4, and what was version 1 is forgotten."""

    version = 4

    def __getattr__(self, name: str) -> Any:
        return getattr(NOTE, name)

    def upcast(self, command: Command) -> Command:
        return command


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: str(path.stem))
def test_an_outbox_that_could_not_be_carried_is_not_migrated(released: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    shutil.copyfile(released, path)
    before = held(path)
    later: Any = Later()

    def gone(kind: str) -> Any:
        raise KeyError(kind)

    for rules in (lambda kind: later, gone):
        with pytest.raises(GovDeskError, match="2 笔还没送达") as caught:
            Store.open(path, KEY, CLOCK, rules=rules)
        assert caught.value.code == "DATA-046"
        assert (revision(path), held(path)) == (released.stem, before)
    assert [file.name for file in tmp_path.glob("*before*")] == []
    later.version = 3
    store = Store.open(path, KEY, CLOCK, rules=lambda kind: later)
    assert [entry.version for entry in store.unsent(10)] == [1, 1]
    store.close()


def test_models_and_migrations_say_the_same(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "store.db", KEY)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_mapped})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_known_revisions_are_the_migrations() -> None:
    scripts = ScriptDirectory.from_config(migrations())
    assert [script.revision for script in scripts.walk_revisions()][::-1] == list(REVISIONS)
    assert scripts.get_heads() == [HEAD]


def test_an_up_to_date_store_opens_without_alembic(tmp_path: Path) -> None:
    open_engine(tmp_path / "store.db", KEY).dispose()
    code = (
        "import sys; from pathlib import Path; from client.data.engine import open_engine\n"
        "open_engine(Path(sys.argv[1]), bytes(range(32))).dispose(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "store.db")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_an_upgrade_is_preceded_by_an_encrypted_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    shutil.copyfile(RELEASED[0], path)
    monkeypatch.setattr(database, "REVISIONS", (*REVISIONS, "next"))
    monkeypatch.setattr(database, "HEAD", "next")
    steps = []

    def upgrade(_engine: object) -> None:
        copy = tmp_path / "store.before-next.db"
        steps.append((copy.exists(), revision(copy), b"SQLite format" in copy.read_bytes()[:16]))

    monkeypatch.setattr(database, "upgrade", upgrade)
    open_engine(path, KEY).dispose()
    assert steps == [(True, REVISIONS[0], False)]


def test_a_failed_upgrade_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    shutil.copyfile(RELEASED[0], path)
    monkeypatch.setattr(database, "REVISIONS", (*REVISIONS, "next"))
    monkeypatch.setattr(database, "HEAD", "next")

    def broken(config: Any, _target: str) -> None:
        config.attributes["connection"].exec_driver_sql("DROP TABLE draft")
        raise RuntimeError("power")

    monkeypatch.setattr(command, "upgrade", broken)
    with pytest.raises(RuntimeError):
        open_engine(path, KEY)
    monkeypatch.undo()
    assert revision(path) == REVISIONS[0]
    with closing(connect(path, KEY)) as connection:
        assert connection.execute("SELECT count(*) FROM draft").fetchone()[0] == 1
    Store.open(path, KEY, CLOCK, rules=rules_of).close()
    assert revision(path) == HEAD


def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    open_engine(path, KEY).dispose()
    set_revision(path, "9999")
    with pytest.raises(GovDeskError, match="更新版本") as caught:
        open_engine(path, KEY)
    assert caught.value.code == "DATA-003"
    assert revision(path) == "9999"
    assert [file.name for file in tmp_path.glob("*before*")] == []


@pytest.mark.parametrize("damage", ["wrong key", "plain file", "torn page"])
def test_what_cannot_be_opened_is_told_in_words(tmp_path: Path, damage: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "store.db"
    open_engine(path, KEY).dispose()
    key = KEY
    if damage == "wrong key":
        key = b"x" * 32
    elif damage == "plain file":
        path.write_bytes(b"SQLite format 3\x00" + bytes(8192))
    else:
        data = bytearray(path.read_bytes())
        data[100:200] = bytes(100)
        path.write_bytes(bytes(data))
    before = path.read_bytes()
    with pytest.raises(GovDeskError) as caught:
        open_engine(path, key)
    assert caught.value.code == "DATA-004"
    assert path.read_bytes() == before
    assert capfd.readouterr().err == ""


def test_a_file_that_may_not_be_opened_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    with pytest.raises(GovDeskError) as caught:
        open_engine(tmp_path / "store.db", KEY)
    assert caught.value.code == "DATA-008"


def test_nothing_readable_is_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    shutil.copyfile(RELEASED[0], path)
    store = Store.open(path, KEY, CLOCK, rules=rules_of)
    statement = store.last_statement("zhang")
    assert statement is not None
    store.open_session(statement[0], "3号窗", "T1")
    store.drafts.save("d", "note", "张三的草稿", {"id_number": "11010519491231002X"})
    on_disk = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    store.close()
    for secret in (b"11010519491231002X", "张三的草稿".encode(), b"CREATE TABLE", b"SQLite format"):
        assert secret not in on_disk


def test_a_backup_of_a_store_in_use_opens_with_the_same_key(tmp_path: Path) -> None:
    path, copy = tmp_path / "store.db", tmp_path / "copy.db"
    engine = open_engine(path, KEY)
    with engine.connect() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM record")
        backup(path, KEY, copy)
    engine.dispose()
    assert revision(copy) == HEAD
    assert {file.name for file in tmp_path.glob("copy*")} == {"copy.db"}
    with pytest.raises(GovDeskError):
        open_engine(copy, b"x" * 32)
