"""No name, number or phone stands in clear in the database's files, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, select, text

from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError
from modules.common.ids import uuid7
from server_stub import keyring, rekeying, seeding
from server_stub.config import Config
from server_stub.database import Database
from server_stub.migrations import seal_clear
from server_stub.sealing import open_sealed, sealed_tables, version_of
from server_stub.seeding import CONSOLE, seed
from server_stub.services import Services
from server_stub.tables import Base, CommandRow, Device, Person
from sync.protocol import PROTOCOL, PushRequest
from tests.support.central import QUICK, START, Central, central, memo_rules
from tests.support.central_data import docs, reading
from tests.support.servers import postgres


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
    else:
        with postgres() as made:
            yield made


@pytest.fixture
def url(cluster: str) -> Iterator[str]:
    """An empty database; empty text: SQLite in the server's folder."""
    if not cluster:
        yield ""
        return
    name = f"d{uuid7()[-12:]}"
    engine = create_engine(Config(Path(), cluster).url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield cluster.rpartition("/")[0] + f"/{name}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def files(data: Path, url: str) -> list[Path]:
    """Every file of the server and of its database, what lies in memory written out."""
    folders = [data]
    if url:
        engine = create_engine(Config(data, url).url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CHECKPOINT"))
            folder = Path(connection.execute(text("SHOW data_directory")).scalar_one())
            place = connection.execute(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
            # other tests' databases are in this cluster too
            folders += [folder / "base" / str(place.scalar_one()), folder / "pg_wal"]
        engine.dispose()
    return [path for folder in folders for path in folder.rglob("*") if path.is_file()]


def in_clear(data: Path, url: str, words: set[str]) -> set[tuple[str, str]]:
    """Which of the words stand in which file."""
    return {(word, path.name) for path in files(data, url) for word in words if word.encode() in path.read_bytes()}


def people_of_the_seeds() -> set[str]:
    """Names, numbers and phones of all who are in the demonstration."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.update(
                str(value[key]) for key in ("id_number", "phone", "credit_code", "legal_person") if value.get(key)
            )
            if value.keys() & {"id_number", "login", "credit_code"} and value.get("name"):
                found.add(str(value["name"]))
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    for name in ("demo.json", "base.json", "applications.json", "bookings.json"):
        walk(json.loads((seeding.SEEDS / name).read_text("utf-8")))
    return found


def test_after_the_demonstration_and_a_days_commands_nothing_stands_in_clear(tmp_path: Path, url: str) -> None:
    words = people_of_the_seeds()
    assert {"张三", "341103199005120015", "13900000000"} <= words
    services = Services(Config(tmp_path / "server", url, settings=QUICK, demo=True), FixedClock(START))
    try:
        seed(services)
        office = Central(services, services.clock)
        services.people.create(CONSOLE, "ouyang", "欧阳新人", office.hall, "")
        assert services.people.find("阳新", 0, 10).items[0].login == "ouyang"
        application = json.loads((seeding.SEEDS / "applications.json").read_text("utf-8"))[0]
        person = {
            **application["applicant"],
            "name": "欧阳秘密",
            "id_number": "11010519491231002X",
            "phone": "13811112222",
        }
        services.commands.give("case", "c-1", "case.apply", {**application, "applicant": person})
        words |= {"欧阳新人", "欧阳秘密", "11010519491231002X", "13811112222"}
        (found,) = services.commands.with_number("case", "138 1111-2222")
        assert found["applicant"]["name"] == "欧阳秘密"
        assert services.commands.with_number("case", "1381111222") == []
        assert services.commands.with_number("booking", "13811112222") == []
        assert services.people.find("张三", 0, 10).total == 1
        assert services.commands.with_number("case", "11010519491231002x") == [found]
        # before the server ends: a WAL is still there
        assert in_clear(tmp_path / "server", url, words) == set()
    finally:
        services.close()
    assert in_clear(tmp_path / "server", url, words) == set()


def test_what_a_command_says_and_why_it_was_refused_is_sealed(tmp_path: Path, url: str) -> None:
    with central(tmp_path / "server", url) as office:
        counter = office.counter()
        office.services.processor.push(
            counter.device, PushRequest(PROTOCOL, "", "", [counter.command(body={"text": "欧阳秘密"})])
        )
        refused = counter.command("memo.refused", body={"text": "13811112222"})
        first, again = counter.ack(refused), counter.ack(refused)
        assert first.error is not None
        assert (first.error["message"], again.error) == ("不行", first.error)
        words = {"欧阳秘密", "13811112222", "不行", "某人"}
        assert in_clear(tmp_path / "server", url, words) == set()


def test_a_value_in_another_row_or_changed_by_a_byte_does_not_open(tmp_path: Path, url: str) -> None:
    with central(tmp_path / "server", url) as office:
        first, second = office.counter(), office.counter()
        with office.services.database.engine.begin() as connection:
            moved = "UPDATE person SET sealed = (SELECT sealed FROM person WHERE id = :one) WHERE id = :other"
            connection.execute(text(moved), {"one": first.person, "other": second.person})
        with pytest.raises(GovDeskError, match="SRV-053"):
            office.services.people.find("", 0, 10)


# -- a database from before


CLEAR = {"王旧人", "11010519491231004X", "13833334444", "c2VjcmV0LWVzY3Jvdw=="}


def old_database(data: Path, url: str, people: int = 3) -> Database:
    """A database of revision 0002 with everything in clear."""
    from alembic import command as alembic

    data.mkdir()
    database = Database(Config(data, url).url, Config(data, url).master_key)
    config = database._alembic()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.upgrade(config, "0002")

        def put(table: str, **values: Any) -> None:
            names = ", ".join(f":{name}" for name in values)
            connection.execute(text(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({names})"), values)

        put("organisation", id="h", kind="hall", name="大厅", series="A")
        for n in range(people):
            put(
                "person",
                id=f"p{n}",
                login=f"u{n}",
                name="王旧人",
                hall_id="h",
                admin_kind="",
                password_hash="",
                must_change=False,
                created_at="2026",
            )
        put(
            "device",
            id="d",
            name="3号窗",
            hall_id="h",
            token_hash="",
            escrow="c2VjcmV0LWVzY3Jvdw==",
            last_n=7,
            enrolled_at="2026",
        )
        told = {"code": "X", "message": "王旧人 13833334444", "fields": {}}
        answer = {
            "device_id": "d",
            "body_hash": "x",
            "kind": "memo",
            "aggregate_id": "m",
            "type": "memo.write",
            "person_id": "p0",
            "at": "",
            "received_at": "",
        }
        put("command", cmd_id="c", n=6, status="applied", rev=3, error=None, **answer)
        put("command", cmd_id="r", n=7, status="refused", rev=0, error=json.dumps(told, ensure_ascii=False), **answer)
        doc = json.dumps({"text": "王旧人", "hall": "h", "dept": ""}, ensure_ascii=False)
        put(
            "aggregate_state",
            kind="memo",
            id="m",
            rev=3,
            doc=doc,
            title="王旧人",
            state="written",
            number="",
            due=None,
            search="王旧人 11010519491231004X",
            scopes='["hall:h"]',
            updated_at="",
        )
        put(
            "aggregate_state",
            kind="base_person",
            id="11010519491231004X",
            rev=1,
            doc="{}",
            title="王旧人",
            state="",
            number="",
            due=None,
            search="",
            scopes="[]",
            updated_at="",
        )
        put("event", kind="memo", aggregate_id="m", rev=3, i=0, cmd_id="c", type="written", body=doc, at="")
        put("scope", name="hall:h", seq=1)
        put(
            "change",
            scope="hall:h",
            seq=1,
            kind="memo",
            aggregate_id="m",
            entry=f'{{"kind":"memo","id":"m","doc":{doc}}}',
        )
        put("server_meta", key="statement_key", value="A" * 43 + "=")
    return database


def test_an_older_database_is_sealed_where_it_stands(tmp_path: Path, url: str) -> None:
    data = tmp_path / "server"
    database = old_database(data, url)
    assert {word for word, _ in in_clear(data, url, CLEAR)} == CLEAR
    database.upgrade()
    database.upgrade()  # and a second time, when there is nothing left to do
    with database.read() as session:
        assert docs(session, "memo")["m"]["text"] == "王旧人"
        assert docs(session, "base_person") == {}
        for table, key, told in ((Person, ("p2",), "王旧人"), (Device, ("d",), "c2VjcmV0LWVzY3Jvdw==")):
            assert open_sealed(session, table, key, session.get_one(table, key).sealed) == told
        rows = {
            row.cmd_id: (row.n, row.rev, row.sealed is None) for row in session.execute(select(CommandRow)).scalars()
        }
        assert rows == {"c": (6, 3, True), "r": (7, 0, False)}
    database.close()
    # PostgreSQL writes its log of changes over in the course of things; the tables themselves are written anew
    left = {(word, name) for word, name in in_clear(data, url, CLEAR) if not (url and len(name) == 24)}
    assert left == set()
    services = Services(Config(data, url, settings=QUICK), FixedClock(START), memo_rules)
    assert services.identity.private_key == bytes(32)
    assert [doc["text"] for doc in services.commands.with_number("memo", "11010519491231004X")] == ["王旧人"]
    services.close()


def test_sealing_goes_on_where_it_was_cut_off(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "server"
    database = old_database(data, url, people=25)
    monkeypatch.setattr(seal_clear, "BATCH", 4)
    right, calls, last_call = seal_clear._some, 0, 3

    def some(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == last_call:
            raise KeyboardInterrupt
        return right(*arguments)

    def rewrite_once(engine: Any) -> None:
        monkeypatch.setattr(seal_clear, "rewrite", kept)
        raise KeyboardInterrupt

    kept = seal_clear.rewrite
    monkeypatch.setattr(seal_clear, "_some", some)
    monkeypatch.setattr(seal_clear, "rewrite", rewrite_once)
    cuts, sealed = 0, 0
    while True:
        try:
            database.upgrade()
            break
        except KeyboardInterrupt:
            cuts += 1
            calls, last_call = 0, last_call + 3
            if last_call > 100:
                raise
            with database.engine.connect() as connection:
                now: int = connection.execute(text("SELECT count(*) FROM person WHERE sealed IS NOT NULL")).scalar_one()
            assert now >= sealed, "what is sealed stays so"
            sealed = now
    assert cuts > 2
    with database.read() as session:
        names = [
            open_sealed(session, Person, (row.id,), row.sealed) for row in session.execute(select(Person)).scalars()
        ]
    assert names == ["王旧人"] * 25
    database.close()
    assert not list(data.glob("*.before-*"))
    if not url:
        assert in_clear(data, url, CLEAR) == set()


def test_a_new_key_seals_everything_anew_beside_a_running_server_and_goes_on_when_cut_off(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with central(tmp_path / "server", url) as office:
        counter = office.counter()
        counter.push(*[counter.command(aggregate=f"m-{n}", body={"text": "欧阳秘密"}) for n in range(9)])
        config = office.services.config
        beside = Database(config.url, config.master_key)
        beside.unlock()
        monkeypatch.setattr(rekeying, "BATCH", 4)
        right, calls = rekeying._some, 0

        def cut(*arguments: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == 6:
                raise KeyboardInterrupt
            return right(*arguments)

        assert rekeying.begin(beside, keyring.read_master(config.master_key), START) == 2
        with monkeypatch.context() as patch:
            patch.setattr(rekeying, "_some", cut)
            with pytest.raises(KeyboardInterrupt):
                rekeying.seal_anew(beside)
        # the running server reads on both sides of the cut, and works
        assert office.services.commands.find("memo")[0]["text"] == "欧阳秘密"
        counter.push(counter.command(aggregate="m-1", body={"text": "neu"}))
        assert rekeying.seal_anew(beside) > 0
        assert office.services.database.sealing.newest == 2
        counter.push(counter.command(aggregate="m-2", body={"text": "neu"}))
        assert rekeying.seal_anew(beside) == 0
        with office.services.database.read() as session:
            for table in sealed_tables(Base):
                values = session.execute(select(table.sealed).where(table.sealed.is_not(None))).scalars()  # type: ignore[attr-defined]
                assert {version_of(value) for value in values} <= {2}, table
            assert {doc["text"] for doc in docs(session, "memo").values()} == {"欧阳秘密", "neu"}
        beside.close()


def test_tests_read_a_servers_data_by_one_helper(tmp_path: Path, url: str) -> None:
    with central(tmp_path / "server", url) as office:
        counter = office.counter()
        counter.push(counter.command(aggregate="m-1"))
        with reading(tmp_path / "server", url) as session:
            assert docs(session, "memo")["m-1"]["text"] == "你好"
