"""The server as people run it: its own process, TLS, SQLite or PostgreSQL, console commands."""

from __future__ import annotations

import json
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from modules.common.clock import iso
from modules.common.ids import uuid7
from server_stub.__main__ import main
from server_stub.config import Config
from server_stub.database import Database
from sync.protocol import PATHS, PROTOCOL, STATEMENT_HEADER, WireCommand
from tests.support.devices import enrolled, trusting
from tests.support.servers import RunningServer, postgres, server

PASSWORD = "Govdesk-2026"


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
    else:
        with postgres() as url:
            yield url


class Window:
    """A counter that knows only what is on the wire."""

    def __init__(self, running: RunningServer, place: str) -> None:
        self.http, self.enrolled, self.context = enrolled(running.url, running.ca, running.codes[place])

    def post(self, name: str, body: dict[str, Any]) -> Any:
        answer = self.http.post(PATHS[name], json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sign_in(self, login: str) -> None:
        reply = self.post("sign_in", {"login": login, "password": PASSWORD})
        self.http.headers[STATEMENT_HEADER] = reply["statement"]

    def push(self, n: int, type: str, case: str, body: dict[str, Any], number: dict[str, Any] | None = None) -> Any:
        command = WireCommand(
            n,
            uuid7(),
            "case",
            case,
            type,
            1,
            0,
            iso(datetime.now(UTC)),
            self.http.headers[STATEMENT_HEADER],
            body,
            number,
        )
        (ack,) = self.post("push", {"proto": PROTOCOL, "epoch": "", "client_time": "", "cmds": [asdict(command)]})[
            "acks"
        ]
        return ack

    def pull(self, scope: str) -> Any:
        return self.http.get(PATHS["changes"], params={"scope": scope}).json()


Console = Callable[..., tuple[int, str, str]]


@pytest.fixture
def console(capsys: pytest.CaptureFixture[str]) -> Console:
    """The program's commands: exit status, what it printed, what it complained of."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_a_case_and_the_return_of_a_backup(tmp_path: Path, database: str, console: Console) -> None:
    place = ["--database", database] if database else []
    case = uuid7()
    with server(tmp_path, database or None) as running:
        clerk = Window(running, "3号窗")
        clerk.sign_in("zhangsan")
        items = {
            change["doc"]["id"]: change for change in clerk.pull("ref")["changes"] if change["kind"] == "service_item"
        }
        assert len(items) > 40
        lease = clerk.post("lease", {"series": clerk.enrolled["series"], "count": 5})
        refused = clerk.push(1, "case.accept", case, {}, {"series": lease["series"], "serial": lease["first"]})
        assert refused["status"] == "refused", "an empty case must be refused by the real rules"
        epoch = clerk.http.get(PATHS["hello"]).json()["epoch"]
        out = tmp_path / "copy.backup"
        status, key, _ = console("backup-key", "--out", tmp_path / "opener")
        assert status == 0
        making = ("backup", "--data", running.data, *place, "--to", key.strip(), "--out", out)
        assert console(*making) == (0, f"{out}\n", "")
        clerk.http.close()
    back = ("restore", "--data", tmp_path / "server", *place, "--from", out, "--secret-file", tmp_path / "opener")
    status, said, complaint = console(*back)
    assert (status, complaint) == (0, ""), said
    with server(tmp_path, database or None) as running:
        clerk = Window(running, "5号窗")
        assert clerk.http.get(PATHS["hello"]).json()["epoch"] != epoch
        clerk.sign_in("lisi")
        assert len(clerk.pull("ref")["changes"]) == len({change["id"] for change in clerk.pull("ref")["changes"]})
        clerk.http.close()
    status, said, complaint = console("audit", "--data", tmp_path / "server", *place)
    assert (status, complaint) == (0, ""), said


def test_a_killed_server_comes_back_with_all_it_acknowledged(tmp_path: Path) -> None:
    with server(tmp_path) as running:
        clerk = Window(running, "3号窗")
        clerk.sign_in("zhangsan")
        lease = clerk.post("lease", {"series": clerk.enrolled["series"], "count": 5})
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()
        (tmp_path / "ready.json").unlink()
        clerk.http.close()
    with server(tmp_path) as running:
        with httpx.Client(base_url=running.url, verify=clerk.context) as http:
            again = http.post(PATHS["lease"], json={"series": lease["series"], "count": 1}).json()
        assert again["first"] == lease["last"] + 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals and file modes of POSIX")
def test_the_end_waits_for_no_idle_client(tmp_path: Path) -> None:
    """Idle lines, and one on which half a request came, must not take the ten seconds that an answer may."""
    with server(tmp_path) as running, httpx.Client(base_url=running.url, verify=trusting(running.ca)) as idle:
        assert idle.get("/health").status_code == 200
        host, port = running.url.removeprefix("https://").split(":")
        plain = socket.create_connection((host, int(port)))
        with trusting(running.ca).wrap_socket(plain, server_hostname=host) as half:
            half.sendall(b"POST /v1/devices/enrol HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{")
            assert idle.get("/health").status_code == 200
            running.process.terminate()
            assert running.process.wait(8) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="signals and file modes of POSIX")
def test_what_the_server_keeps_is_for_its_owner_alone(tmp_path: Path, console: Console) -> None:
    out = tmp_path / "copy.backup"
    with server(tmp_path) as running:
        (tmp_path / "words").write_text("口令", "utf-8")
        assert console("backup", "--data", running.data, "--secret-file", tmp_path / "words", "--out", out)[0] == 0
        kept = [path for path in running.data.rglob("*") if path.is_file() and path.name != "server.toml"]
        assert {"server.db", "server.jsonl", "ca.key", "ca.pem"} <= {path.name for path in kept}
        open_to_others = [path.name for path in [*kept, out, tmp_path / "ready.json"] if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_a_published_password_opens_nothing_but_a_demonstration(tmp_path: Path, console: Console) -> None:
    with server(tmp_path) as running:
        clerk = Window(running, "3号窗")
        clerk.sign_in("zhangsan")
        clerk.http.close()
    with (
        server(tmp_path, demo=False) as running,
        httpx.Client(base_url=running.url, verify=clerk.context) as http,
    ):
        assert http.get(PATHS["hello"]).json()["demo"] == []
        for login in ("zhangsan", "xitong", "nobody"):
            answer = http.post(PATHS["sign_in"], json={"login": login, "password": PASSWORD})
            assert answer.json()["code"] == "AUTH-002"
        change = {"login": "zhangsan", "old": PASSWORD, "new": "Chang-Jiang-1"}
        assert http.post(PATHS["password"], json=change).json()["code"] == "AUTH-002"
    real = tmp_path / "real"
    assert console("add-person", "--data", real, "--login", "root1", "--name", "甲", "--role", "sysadmin")[0] == 0
    status, _, complaint = console("--data", real, "--demo")
    assert (status, "SRV-012" in complaint) == (2, True), complaint


def test_the_first_administrators_are_made_at_the_console(tmp_path: Path, console: Console) -> None:
    data = tmp_path / "server"
    person = ["add-person", "--data", data, "--login", "root1", "--name", "甲", "--role", "sysadmin"]
    status, password, _ = console(*person)
    assert status == 0
    status, _, complaint = console(*person)
    assert (status, "AUTH-022" in complaint) == (2, True)
    status, another, _ = console("reset-password", "--data", data, "--login", "root1")
    assert status == 0
    assert len({password, another, "\n"}) == 3
    status, _, complaint = console("reset-password", "--data", data, "--login", "nobody")
    assert (status, "AUTH-023" in complaint) == (2, True)
    status, _, complaint = console("enrol-code", "--data", data, "--hall", "hall-9", "--name", "1号窗")
    assert (status, "AUTH-027" in complaint) == (2, True)
    log = tmp_path / "audit.jsonl"
    assert console("audit", "--data", data, "--out", log)[0] == 0
    *lines, head = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert [line["action"] for line in lines] == ["person.create", "role.grant", "password.reset"]
    assert head["head"]["seq"] == 3
    key = head["key"]
    assert console("prove", log, "--key", key) == (0, f"3 条记录首尾相接，没有被改动。\nkey {key}\n", "")
    assert console("audit", "--data", data, "--against", log)[0] == 0
    log.write_text(log.read_text("utf-8").replace("role.grant", "role.grand"), "utf-8")
    status, said, _ = console("prove", log)
    assert (status, "第 2 条" in said) == (1, True), said
    status, _, complaint = console("prove", tmp_path / "server" / "server.db")
    assert (status, "SRV-042" in complaint) == (2, True), complaint


def test_the_description_is_printed(console: Console) -> None:
    status, description, _ = console("openapi")
    assert status == 0
    assert set(PATHS.values()) <= set(json.loads(description)["paths"])


def test_what_cannot_start_says_why(tmp_path: Path, console: Console) -> None:
    data = tmp_path / "server"
    data.mkdir()
    for command in (["audit"], ["backup", "--out", tmp_path / "x", "--secret-file", __file__]):
        status, _, complaint = console(*command, "--data", data)
        assert (status, "SRV-030" in complaint) == (2, True), complaint
    status, _, complaint = console("--data", data, "--database", "postgresql://govdesk@127.0.0.1:1/none")
    assert (status, "SRV-020" in complaint) == (2, True), complaint
    (data / "server.toml").write_text("offline_hours = 3", "utf-8")
    status, _, complaint = console("--data", data)
    assert (status, "SRV-010" in complaint) == (2, True), complaint
    (data / "server.toml").unlink()
    database = Database(Config(data).url)
    database.upgrade()
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    status, _, complaint = console("--data", data)
    assert (status, "SRV-021" in complaint) == (2, True), complaint


def test_a_taken_port_is_said_in_words(tmp_path: Path, console: Console) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, _, complaint = console("--data", tmp_path / "server", "--port", str(taken.getsockname()[1]))
    assert (status, "SRV-011" in complaint) == (2, True), complaint
