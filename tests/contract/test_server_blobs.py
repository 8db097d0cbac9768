"""Page images at the server: by content alone, once, whole or not at all, for those who may."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from client.data.profile import Profile
from modules.common.blobs import LIMIT, type_of
from modules.common.clock import SystemClock
from modules.common.errors import GovDeskError
from server_stub import blobs
from server_stub.app import create_app
from server_stub.tables import AuditRow, Blob
from sync.accounts import Accounts
from sync.protocol import BLOB_PATH, STATEMENT_HEADER
from sync.transport import HttpTransport
from tests.support.central import Central, Counter, central
from tests.support.devices import showing, shown
from tests.support.faults.counter import CHEAP
from tests.support.servers import postgres, server

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        with central(folder) as made:
            yield made
    else:
        with postgres() as url, central(folder, url) as made:
            yield made


class Desk:
    """The application without a network."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self._transport = httpx.ASGITransport(showing(app))
        self._runner = runner

    def ask(self, counter: Counter, method: str, name: str, content: Any = None) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="https://server") as session:
                return await session.request(method, BLOB_PATH + name, headers=headers, content=content)

        headers = {**shown(counter.certificate), STATEMENT_HEADER: counter.statement}
        return self._runner.run(asked())


@pytest.fixture
def desk(office: Central) -> Iterator[Desk]:
    with asyncio.Runner() as runner:
        yield Desk(create_app(office.services), runner)


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def page(mark: str) -> tuple[str, bytes]:
    data = JPEG + mark.encode()
    return name_of(data), data


def folder(office: Central) -> Path:
    return office.services.config.data / "blobs"


def files(office: Central) -> set[str]:
    return {path.name for path in folder(office).rglob("*") if path.is_file()}


def audited(office: Central, action: str, name: str) -> int:
    with office.services.database.read() as session:
        query = select(func.count()).select_from(AuditRow).filter_by(action=action, subject=f"blob:{name}")
        return session.execute(query).scalar_one()


def test_a_page_comes_back_as_it_went_and_is_kept_once(office: Central, desk: Desk) -> None:
    counter = office.counter()
    name, data = page(f"once-{office.hall}")
    for _ in range(2):
        assert desk.ask(counter, "PUT", name, data).status_code == 204
    answer = desk.ask(counter, "GET", name)
    assert (answer.status_code, answer.content) == (200, data)
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("image/jpeg", "nosniff")
    kept = folder(office) / name[:2] / name
    assert kept.read_bytes() == data
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert audited(office, "blob.put", name) == 1
    assert audited(office, "blob.get", name) == 1
    with office.services.database.read() as session:
        row = session.get_one(Blob, name)
        assert (row.size, row.type, row.hall_id) == (len(data), "image/jpeg", office.hall)


def test_what_was_lost_beside_the_database_can_be_handed_in_again(office: Central, desk: Desk) -> None:
    counter = office.counter()
    name, data = page("lost")
    desk.ask(counter, "PUT", name, data)
    (folder(office) / name[:2] / name).unlink()
    assert desk.ask(counter, "GET", name).json()["code"] == "SRV-061"
    desk.ask(counter, "PUT", name, data)
    assert desk.ask(counter, "GET", name).content == data


class Bad(NamedTuple):
    name: str
    data: bytes
    status: int
    code: str


ODD = (
    Bad(name_of(JPEG), JPEG + b"!", 422, "SRV-062"),
    Bad(name_of(JPEG), JPEG[:-1], 422, "SRV-062"),
    Bad(name_of(JPEG), b"", 422, "SRV-062"),
    Bad(name_of(b""), b"", 415, "SRV-063"),
    Bad(name_of(b"<svg onload=x>"), b"<svg onload=x>", 415, "SRV-063"),
    Bad(name_of(b"\xff\xd8"), b"\xff\xd8", 415, "SRV-063"),
    Bad(name_of(JPEG).upper(), JPEG, 400, "SRV-060"),
    Bad("..%2F..%2Fserver.db", JPEG, 404, "SRV-404"),
    Bad("a" * 63, JPEG, 400, "SRV-060"),
    Bad(name_of(JPEG) + "%00", JPEG, 400, "SRV-060"),
)


@pytest.mark.parametrize("bad", ODD, ids=range(len(ODD)))
def test_what_is_no_page_leaves_nothing_behind(office: Central, desk: Desk, bad: Bad) -> None:
    before = files(office)
    answer = desk.ask(office.counter(), "PUT", bad.name, bad.data)
    assert (answer.status_code, answer.json()["code"]) == (bad.status, bad.code)
    assert files(office) == before


def test_twenty_megabytes_are_taken_and_not_one_byte_more(office: Central, desk: Desk) -> None:
    counter, before = office.counter(), files(office)
    largest = b"%PDF-1.7" + bytes(LIMIT - 8)
    assert desk.ask(counter, "PUT", name_of(largest), largest).status_code == 204

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(2**20)

    over = largest + b"\0"
    for content in (over, endless()):
        answer = desk.ask(counter, "PUT", name_of(over), content)
        assert (answer.status_code, answer.json()["code"]) == (413, "SRV-413")
    assert files(office) == before | {name_of(largest)}


def test_who_reads_a_page(office: Central, desk: Desk) -> None:
    clerk = office.counter("clerk")
    name, data = page(f"mine-{office.hall}")
    desk.ask(clerk, "PUT", name, data)
    elsewhere = Central(office.services, office.clock)
    # a case goes to departments and to other halls: whoever reads cases reads their pages
    for reader in (office.counter("officer"), elsewhere.counter("clerk")):
        assert desk.ask(reader, "GET", name).status_code == 200
    for role in ("sysadmin", "secadmin", "auditadmin"):
        stranger = office.counter(role)
        assert desk.ask(stranger, "GET", name).json()["code"] == "SRV-061"
        assert desk.ask(stranger, "PUT", name, data).json()["code"] == "AUTH-403"
    nobody = office.counter("")
    assert desk.ask(nobody, "GET", name).json()["code"] == "SRV-061"
    assert desk.ask(nobody, "PUT", name, data).json()["code"] == "AUTH-403"


def test_without_the_permission_the_hall_decides(office: Central, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "READS", "nothing.such")
    name, data = page(f"hall-{office.hall}")
    desk.ask(office.counter(), "PUT", name, data)
    assert desk.ask(office.counter(), "GET", name).status_code == 200
    elsewhere = Central(office.services, office.clock)
    assert desk.ask(elsewhere.counter(), "GET", name).json()["code"] == "SRV-061"
    assert desk.ask(office.counter("sysadmin"), "GET", name).json()["code"] == "SRV-061"

    def nowhere(session: Session) -> None:
        session.execute(update(Blob).where(Blob.sha256 == name).values(hall_id="", department_id=""))

    office.services.writer.do(nowhere)
    assert desk.ask(office.counter(), "GET", name).json()["code"] == "SRV-061"


def test_a_full_disk_is_told_and_keeps_nothing(office: Central, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(office)
    name, data = page("full")
    usage = shutil.disk_usage(office.services.config.data)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=blobs.KEEP_FREE))
    answer = desk.ask(office.counter(), "PUT", name, data)
    assert (answer.status_code, answer.json()["code"]) == (507, "SRV-064")
    monkeypatch.undo()

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    counter = office.counter()
    monkeypatch.setattr(os, "fsync", full)
    answer = desk.ask(counter, "PUT", name, data)
    assert (answer.status_code, answer.json()["code"]) == (507, "SRV-064")
    assert files(office) == before


def test_what_a_killed_server_was_receiving_is_swept_away(tmp_path: Path) -> None:
    with central(tmp_path) as office:
        (folder(office) / "incoming" / "half").write_bytes(JPEG)
    with central(tmp_path) as office:
        assert files(office) == set()


def test_the_largest_page_over_the_wire(tmp_path: Path) -> None:
    data = b"%PDF-1.7" + os.urandom(LIMIT - 8)
    with server(tmp_path) as running:
        profile = Profile(tmp_path / "profile")
        accounts = Accounts(profile, SystemClock(), cost=CHEAP)
        accounts.enrol(running.url, running.codes["3号窗"])
        said = accounts.sign_in("zhangsan", "Govdesk-2026").statement
        http = accounts.transport
        assert isinstance(http, HttpTransport)
        wrong: list[tuple[Callable[[], object], str]] = [
            (lambda: http.get_blob(name_of(data), said), "SRV-061"),
            (lambda: http.put_blob(name_of(data), data, "application/pdf", ""), "AUTH-001"),
            (lambda: http.put_blob(name_of(data), data[:-1], "application/pdf", said), "SRV-062"),
        ]
        for ask, code in wrong:
            with pytest.raises(GovDeskError) as caught:
                ask()
            assert caught.value.code == code
        http.put_blob(name_of(data), data, "application/pdf", said)
        assert http.get_blob(name_of(data), said) == data
        accounts.close()
        profile.close()


@pytest.mark.parametrize(
    ("head", "type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"%PDF-1.4", "application/pdf"),
        (b"GIF89a..", ""),
        (b"\x89PNG\n\x1a\n", ""),
        (b"", ""),
    ],
)
def test_types_are_told_by_their_first_bytes(head: bytes, type: str) -> None:
    assert type_of(head) == type
