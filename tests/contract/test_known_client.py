"""The real client before the real server, over TLS: known by its certificate, from the first day on and ever after."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import create_engine, text

from client.data.profile import Profile, write_atomically
from client.driver.relay import Relay
from modules.common.clock import SystemClock
from modules.common.errors import GovDeskError
from server_stub import tls
from server_stub.__main__ import main
from sync.accounts import Accounts
from sync.protocol import PATHS, LeaseRequest
from sync.transport import HttpTransport
from tests.support.devices import trusting
from tests.support.faults.counter import CHEAP, PASSWORD
from tests.support.servers import RunningServer, server

LOGIN = "zhangsan"


class Days(SystemClock):
    """A clock that is so many days ahead."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


class Computer:
    """A profile whose program can be started again; its cable stays the same whatever port the server takes."""

    def __init__(self, folder: Path, line: Relay) -> None:
        self.folder, self.line, self.clock = folder, line, Days()
        self.start()

    def start(self) -> None:
        self.profile = Profile(self.folder)
        self.accounts = Accounts(self.profile, self.clock, cost=CHEAP)

    def stop(self) -> None:
        self.accounts.close()
        self.profile.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def enrol(self, code: str) -> None:
        self.accounts.enrol(f"https://127.0.0.1:{self.line.port}", code)

    def sign_in(self, login: str = LOGIN) -> None:
        assert not self.accounts.sign_in(login, PASSWORD).offline

    def lease(self) -> int:
        """Something that only a known device is given."""
        return self.accounts.transport.lease(LeaseRequest(self.accounts.series, 1), "").first

    def fails(self) -> str:
        with pytest.raises(GovDeskError) as caught:
            self.accounts.hello()
        return caught.value.code


@pytest.fixture
def line() -> Iterator[Relay]:
    made = Relay(("127.0.0.1", 9))
    yield made
    made.close()


@pytest.fixture
def computer(tmp_path: Path, line: Relay) -> Iterator[Computer]:
    made = Computer(tmp_path / "profile", line)
    yield made
    made.stop()


@contextlib.contextmanager
def running(tmp_path: Path, line: Relay) -> Iterator[RunningServer]:
    (tmp_path / "ready.json").unlink(missing_ok=True)
    with server(tmp_path) as made:
        line.retarget(("127.0.0.1", urlsplit(made.url).port or 0))
        yield made


def database(made: RunningServer) -> str:
    return f"sqlite:///{made.data / 'server.db'}"


def test_known_by_its_certificate_through_restarts_renewals_and_new_people(
    tmp_path: Path, line: Relay, computer: Computer
) -> None:
    with running(tmp_path, line) as made:
        computer.enrol(made.codes["3号窗"])
        computer.sign_in()
        first = computer.lease()
        lines = line.connections
        assert [computer.lease() for _ in range(5)] == list(range(first + 1, first + 6))
        assert line.connections == lines, "a line is kept, and its handshake with it"
        assert computer.accounts.credential.pins == set(tls.ensure(made.data / "tls", [], Days().now()).pins)
        # whoever was here before opens the device's key; for a newcomer the server is asked by name
        for login in (LOGIN, "lisi"):
            computer.restart()
            assert computer.accounts.credential.header == computer.accounts.credential.name
            computer.sign_in(login)
            assert computer.accounts.credential.header == ""
            computer.lease()
        # without a certificate nothing but a sign-in is had
        name = computer.accounts.credential.name
        with httpx.Client(base_url=made.url, verify=trusting(made.ca), headers={"GovDesk-Device": name}) as thief:
            for path in ("lease", "push"):
                body = {"series": "x", "count": 1, "proto": 1, "epoch": "", "client_time": "", "cmds": []}
                assert thief.post(PATHS[path], json=body).json()["code"] == "AUTH-071"
        before = computer.profile.certificate.read_bytes()
        computer.clock.ahead = timedelta(days=91)
        computer.accounts.keep_known()
        assert computer.profile.certificate.read_bytes() != before
        computer.clock.ahead = timedelta(0)
        computer.lease()
        computer.accounts.close()
        engine = create_engine(database(made))
        with engine.connect() as db:
            held = db.execute(text("select count(*) from device_certificate where device_id = :id"), {"id": name})
            assert held.scalar() == 1
        engine.dispose()


@pytest.mark.full
def test_the_servers_next_key_is_known_and_another_is_not(
    tmp_path: Path, line: Relay, computer: Computer, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, line) as made:
        computer.enrol(made.codes["3号窗"])
        computer.sign_in()
    computer.restart()
    assert main(["rotate-key", "--data", str(made.data)]) == 0
    with running(tmp_path, line) as made:
        computer.accounts.hello()
        computer.sign_in()
        announced = computer.accounts.credential.pins
    computer.restart()
    for key in ("server.key", "next.key"):
        (made.data / "tls" / key).unlink()
    with running(tmp_path, line) as made:
        assert computer.fails() == "NET-009"
        assert computer.accounts.credential.pins == announced
        assert main(["enrol-code", "--data", str(made.data), "--device", computer.accounts.credential.name]) == 0
        computer.enrol(capsys.readouterr().out.strip())
        computer.sign_in()
        computer.lease()


def test_a_profile_of_before_certificates_gets_in_and_upgrades_itself(
    tmp_path: Path, line: Relay, computer: Computer
) -> None:
    with running(tmp_path, line) as made:
        computer.enrol(made.codes["3号窗"])
        computer.sign_in()
        computer.lease()
        store = computer.accounts.session.store if computer.accounts.session else None
        assert store is not None
        # as a program of before left it, on both sides
        computer.stop()
        token = "0123456789abcdef" * 4
        computer.profile.certificate.unlink()
        computer.profile.pins.unlink()
        write_atomically(computer.profile.path / "device.token", token.encode())
        engine = create_engine(database(made))
        with engine.begin() as db:
            db.execute(text("delete from device_certificate"))
            values = {"hash": hashlib.sha256(token.encode()).hexdigest()}
            db.execute(text("update device set keyless = 0, token_hash = :hash"), values)
        engine.dispose()
        computer.start()
        assert computer.accounts.credential.header.endswith(token)
        computer.sign_in()
        assert computer.accounts.credential.header == ""
        computer.lease()
        assert not (computer.profile.path / "device.token").exists()
        computer.accounts.hello()
        assert len(computer.accounts.credential.pins) == 2
        with httpx.Client(base_url=made.url, verify=trusting(made.ca)) as thief:
            thief.headers["GovDesk-Device"] = f"{computer.accounts.credential.name}:{token}"
            answer = thief.post(PATHS["sign_in"], json={"login": LOGIN, "password": PASSWORD})
            assert answer.status_code == 200, "keyless: by its name, the token counts for nothing"
            body = {"csr": computer.accounts.credential.request()}
            assert thief.post(PATHS["certificate"], json=body).json()["code"] == "AUTH-071"


def test_an_expired_computer_is_told_and_becomes_the_same_device_with_its_work(
    tmp_path: Path, line: Relay, computer: Computer, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, line) as made:
        computer.enrol(made.codes["3号窗"])
        computer.sign_in()
        name = computer.accounts.credential.name
        line.cut()
        session = computer.accounts.sign_in(LOGIN, PASSWORD)
        assert session.offline
        session.store.drafts.save("d-1", "case", "", {"title": "未传"})
        line.restore()
        computer.restart()
        computer.clock.ahead = timedelta(days=181)
        http = computer.accounts.transport
        assert isinstance(http, HttpTransport)
        with pytest.raises(GovDeskError) as caught:
            http.ask("POST", "lease", {"series": "x", "count": 1})
        assert (caught.value.code, "未上传的业务仍在本机" in caught.value.fix) == ("AUTH-071", True)
        with pytest.raises(GovDeskError, match="AUTH-070"):
            computer.enrol(made.codes["5号窗"])
        assert main(["enrol-code", "--data", str(made.data), "--device", name]) == 0
        code = capsys.readouterr().out.strip()
        computer.clock.ahead = timedelta(0)
        computer.enrol(code)
        assert computer.accounts.credential.name == name
        session = computer.accounts.sign_in(LOGIN, PASSWORD)
        assert [draft.doc for draft in session.store.drafts.list("case")] == [{"title": "未传"}]
        computer.lease()
