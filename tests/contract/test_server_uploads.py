"""Uploads at the server, held to tus 1.0.0: what the protocol says a server MUST do, and what may never be lost."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import stat
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.requests import ClientDisconnect

from modules.common.blobs import type_of_file
from modules.common.clock import CHINA
from modules.common.errors import GovDeskError
from modules.common.pieces import HEAD, PIECE, STORED, TAG
from modules.common.server_ports import Caller
from modules.common.statement import read
from server_stub.app import create_app
from server_stub.blobs import uploads
from server_stub.blobs.growing import Growing
from server_stub.tables import AuditRow, Blob, BlobUpload
from sync.protocol import TUS, TUS_BODY, UPLOAD_PATH, SignInRequest
from tests.support.blob_desk import JPEG, BlobDesk, code, metadata, name_of, page, pieces
from tests.support.central import PASSWORD, QUICK, Central, Counter, central
from tests.support.servers import postgres


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.full)])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Central]:
    folder = tmp_path_factory.mktemp("server")
    if request.param == "sqlite":
        with central(folder) as made:
            yield made
    else:
        with postgres() as url, central(folder, url) as made:
            yield made


@pytest.fixture(scope="module")
def desk(office: Central) -> Iterator[BlobDesk]:
    with asyncio.Runner() as runner:
        yield BlobDesk(create_app(office.services), runner)


def folder(office: Central) -> Path:
    return office.services.config.data / "files"


def stored(size: int) -> int:
    """How many bytes a content takes on the disk."""
    full, rest = divmod(size, PIECE)
    return HEAD + full * STORED + (rest + TAG if rest else 0)


def add(office: Central, part: Path, data: bytes, *, all: bool = False) -> None:
    """Bytes that came before a kill, and were not told of."""
    with Growing(part, office.services.blobs.files, part.name.split(".")[-1]) as file:
        file.append(data)
        file.settle()
        if all:
            file.finish()


def files(office: Central) -> set[str]:
    """Names of whole blobs, and ``<device>.<name>`` of those that are under way."""
    return {path.name for path in folder(office).rglob("*") if path.is_file()}


def caller(counter: Counter) -> Caller:
    return Caller(read(counter.statement).actor(), counter.device)


def signed_in_again(office: Central, counter: Counter) -> Counter:
    """The same person at the same computer, some days later."""
    login = SignInRequest(read(counter.statement).login, PASSWORD)
    return replace(counter, statement=office.services.door.sign_in(counter.device, login).statement)


def audited(office: Central, action: str, name: str) -> int:
    with office.services.database.read() as session:
        query = select(func.count()).select_from(AuditRow).filter_by(action=action, subject=f"blob:{name}")
        return session.execute(query).scalar_one()


# -- the protocol


def test_a_server_says_what_it_speaks(office: Central, desk: BlobDesk) -> None:
    answer = desk.ask(office.counter(), "OPTIONS", UPLOAD_PATH, Tus_Resumable=None)
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == TUS
    assert set(answer.headers["Tus-Extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "termination",
        "expiration",
    }
    assert int(answer.headers["Tus-Max-Size"]) == 2**30


def test_a_file_in_three_parts(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page("parts")
    made = desk.create(counter, name, len(data))
    assert made.status_code == 201
    place = made.headers["Location"]
    assert place == f"{UPLOAD_PATH}/{name}"
    assert parsedate_to_datetime(made.headers["Upload-Expires"]) == office.clock.now() + uploads.KEEP
    for start in range(0, len(data), 50_000):
        head = desk.head(counter, name)
        assert (head.status_code, head.headers["Upload-Offset"]) == (200, str(start))
        assert head.headers["Upload-Length"] == str(len(data))
        assert head.headers["Cache-Control"] == "no-store"
        assert name not in files(office), "it is invisible until it is whole"
        assert desk.get(counter, name).status_code == 404
        answer = desk.append(counter, name, start, data[start : start + 50_000])
        assert answer.status_code == 204
        assert answer.headers["Upload-Offset"] == str(min(start + 50_000, len(data)))
    got = desk.get(counter, name)
    assert (got.status_code, got.content, got.headers["content-type"]) == (200, data, "image/jpeg")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert desk.get(counter, name, Range="bytes=10-19").content == data[10:20]
    kept = folder(office) / name[:2] / name
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert audited(office, "blob.put", name) == 1
    assert audited(office, "blob.get", name) == 2
    assert not [left for left in files(office) if left.endswith("." + name)]
    # a whole upload is still one
    assert desk.offset(counter, name) == len(data)


def test_every_answer_names_the_version(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page("version")
    for answer in (
        desk.create(counter, name, len(data)),
        desk.head(counter, name),
        desk.append(counter, name, 7, b"x"),
        desk.head(counter, name_of(b"nothing")),
        desk.ask(counter, "PUT", UPLOAD_PATH),
        desk.ask(counter, "DELETE", f"{UPLOAD_PATH}/{name}"),
    ):
        assert answer.headers["Tus-Resumable"] == TUS


@pytest.mark.parametrize("version", ["1.0.1", "0.2.2", "", None])
def test_another_version_is_not_processed(office: Central, desk: BlobDesk, version: str | None) -> None:
    counter = office.counter()
    name, data = page(f"other{version}")
    desk.create(counter, name, len(data))
    place = f"{UPLOAD_PATH}/{name}"
    body = {"Upload_Offset": "0", "Content_Type": TUS_BODY}
    new = {"Upload_Length": "9", "Upload_Metadata": metadata(name)}
    for answer in (
        desk.ask(counter, "POST", UPLOAD_PATH, Tus_Resumable=version, **new),
        desk.ask(counter, "HEAD", place, Tus_Resumable=version),
        desk.ask(counter, "PATCH", place, data, Tus_Resumable=version, **body),
        desk.ask(counter, "DELETE", place, Tus_Resumable=version),
    ):
        assert (answer.status_code, code(answer)) == (412, "SRV-073")
        assert answer.headers["Tus-Version"] == TUS
    assert desk.offset(counter, name) == 0


@pytest.mark.parametrize("offset", [0, 4, 6, 100, 10**15])
def test_a_wrong_offset_is_a_conflict_and_changes_nothing(office: Central, desk: BlobDesk, offset: int) -> None:
    counter = office.counter()
    name, data = page(f"offset{offset}")
    desk.create(counter, name, len(data), data[:5])
    answer = desk.append(counter, name, offset, b"zzz")
    assert (answer.status_code, code(answer)) == (409, "SRV-071")
    assert desk.offset(counter, name) == 5
    assert desk.append(counter, name, 5, data[5:]).status_code == 204
    assert desk.get(counter, name).content == data


@pytest.mark.parametrize("offset", ["-1", "x", "", "1.0", "９", "9" * 40])
def test_a_senseless_offset_is_no_offset(office: Central, desk: BlobDesk, offset: str) -> None:
    counter = office.counter()
    name, data = page(f"senseless{offset}")
    desk.create(counter, name, len(data))
    said: dict[str, Any] = {"Upload_Offset": offset.encode(), "Content_Type": TUS_BODY}
    assert desk.ask(counter, "PATCH", f"{UPLOAD_PATH}/{name}", data, **said).status_code == 400
    assert desk.offset(counter, name) == 0


@pytest.mark.parametrize("type", ["image/jpeg", "application/octet-stream", None])
def test_only_the_protocols_type_of_body_is_taken(office: Central, desk: BlobDesk, type: str | None) -> None:
    counter = office.counter()
    name, data = page(f"type{type}")
    desk.create(counter, name, len(data))
    answer = desk.ask(counter, "PATCH", f"{UPLOAD_PATH}/{name}", data, Upload_Offset="0", Content_Type=type)
    assert (answer.status_code, code(answer)) == (415, "SRV-074")
    assert desk.offset(counter, name) == 0


def test_what_does_not_exist_is_not_found(office: Central, desk: BlobDesk) -> None:
    counter, name = office.counter(), name_of(b"never")
    for answer in (
        desk.head(counter, name),
        desk.append(counter, name, 0, b"x"),
        desk.ask(counter, "DELETE", f"{UPLOAD_PATH}/{name}"),
    ):
        assert (answer.status_code, code(answer)) == (404, "SRV-069")
        assert "Upload-Offset" not in answer.headers


@pytest.mark.parametrize(
    ("length", "name", "status", "said"),
    [
        ("0", name_of(b""), 400, "SRV-400"),
        ("-5", name_of(b"x"), 400, "SRV-400"),
        ("", name_of(b"x"), 400, "SRV-400"),
        (str(2**30 + 1), name_of(b"x"), 413, "SRV-072"),
        ("5", name_of(b"x").upper(), 400, "SRV-060"),
        ("5", "../../server.db", 400, "SRV-060"),
        ("5", "", 400, "SRV-060"),
    ],
)
def test_what_cannot_be_created(
    office: Central, desk: BlobDesk, length: str, name: str, status: int, said: str
) -> None:
    before = files(office)
    answer = desk.ask(office.counter(), "POST", UPLOAD_PATH, Upload_Length=length, Upload_Metadata=metadata(name))
    assert (answer.status_code, code(answer)) == (status, said)
    assert files(office) == before


@pytest.mark.parametrize("said", ["sha256", "sha256 !!!", "sha256 /w==", "", "name eA==,,"])
def test_senseless_metadata_name_nothing(office: Central, desk: BlobDesk, said: str) -> None:
    answer = desk.ask(office.counter(), "POST", UPLOAD_PATH, Upload_Length="5", Upload_Metadata=said)
    assert answer.status_code == 400


def test_an_upload_given_up_is_gone(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page("given up")
    desk.create(counter, name, len(data), data[:1000])
    place = f"{UPLOAD_PATH}/{name}"
    assert desk.ask(counter, "DELETE", place).status_code == 204
    assert desk.head(counter, name).status_code == 404
    assert desk.append(counter, name, 1000, data[1000:]).status_code == 404
    assert not [left for left in files(office) if name in left]
    # what is whole is no upload any more, and stays
    desk.put(counter, data)
    assert desk.ask(counter, "DELETE", place).status_code == 404
    assert desk.get(counter, name).content == data


def test_a_proxy_that_knows_few_methods(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page("override")
    desk.create(counter, name, len(data), data[:10])
    place = f"{UPLOAD_PATH}/{name}"
    said = {"Upload_Offset": "10", "Content_Type": TUS_BODY}
    answer = desk.ask(counter, "POST", place, data[10:20], X_HTTP_Method_Override="PATCH", **said)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, "20")
    assert desk.ask(counter, "POST", place, X_HTTP_Method_Override="DELETE").status_code == 204
    assert desk.head(counter, name).status_code == 404


def test_what_nobody_goes_on_with_expires(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page(f"expires{office.hall}")
    other, theirs = page(f"alive{office.hall}")
    desk.create(counter, name, len(data), data[:1000])
    desk.create(counter, other, len(theirs), theirs[:1000])
    office.clock.advance(uploads.KEEP.total_seconds() - 10)
    counter = signed_in_again(office, counter)
    assert desk.append(counter, other, 1000, theirs[1000:2000]).status_code == 204
    office.clock.advance(10)
    gone = desk.head(counter, name)
    assert (gone.status_code, code(gone)) == (410, "SRV-070")
    assert office.services.uploads.sweep() >= 1
    assert desk.head(counter, name).status_code == 404
    assert not [left for left in files(office) if name in left]
    assert desk.offset(counter, other) == 2000
    assert desk.create(counter, name, len(data), data).headers["Upload-Offset"] == str(len(data))


# -- nothing lost, nothing disturbed


def test_creating_twice_is_creating_once(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page("twice")
    desk.create(counter, name, len(data), data[:1000])
    again = desk.create(counter, name, len(data))
    assert (again.status_code, again.headers["Upload-Offset"]) == (201, "1000")
    # bytes sent along are the first ones: there is nothing to do with them here
    assert desk.create(counter, name, len(data), data[:2000]).headers["Upload-Offset"] == "1000"
    desk.append(counter, name, 1000, data[1000:])
    assert desk.create(counter, name, len(data)).headers["Upload-Offset"] == str(len(data))
    assert audited(office, "blob.put", name) == 1


def test_two_counters_with_the_same_content_do_not_disturb_each_other(office: Central, desk: BlobDesk) -> None:
    one, two = office.counter(), office.counter()
    name, data = page("same")
    for counter in (one, two):
        assert desk.create(counter, name, len(data), data[:1000]).headers["Upload-Offset"] == "1000"
    desk.append(one, name, 1000, data[1000:5000])
    assert desk.offset(two, name) == 1000
    desk.append(one, name, 5000, data[5000:])
    assert desk.get(two, name).status_code == 404, "whoever has not sent it all cannot have it"
    assert desk.offset(two, name) == 1000
    assert desk.ask(two, "DELETE", f"{UPLOAD_PATH}/{name}").status_code == 204
    assert desk.get(one, name).content == data
    desk.put(two, data)
    assert desk.get(two, name).content == data


async def cut_after(data: bytes) -> AsyncIterator[bytes]:
    yield data
    raise ClientDisconnect


def test_a_cut_line_keeps_what_came(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page("cut")
    desk.create(counter, name, len(data))
    with pytest.raises(GovDeskError) as caught:
        asyncio.run(office.services.uploads.append(name, 0, cut_after(data[:4321]), caller(counter)))
    assert caught.value.code == "SRV-065"
    assert desk.offset(counter, name) == 4321
    assert desk.append(counter, name, 4321, data[4321:]).status_code == 204


def test_a_later_question_ends_one_that_hangs(office: Central) -> None:
    counter = office.counter()
    name, data = page("hangs")
    service, by = office.services.uploads, caller(counter)

    async def scene() -> None:
        await service.create(name, len(data), by)
        hangs, came = asyncio.Event(), asyncio.Event()

        async def dead_line() -> AsyncIterator[bytes]:
            yield data[:2000]
            came.set()
            await hangs.wait()
            yield data[2000:3000]

        old = asyncio.create_task(service.append(name, 0, dead_line(), by))
        await came.wait()
        state = await service.look(name, by)
        there = state.offset
        state = await service.append(name, there, pieces(data[there:], 10_000), by)
        assert state.offset == len(data)
        hangs.set()
        with pytest.raises(GovDeskError) as caught:
            await old
        assert caught.value.code == "SRV-068"

    asyncio.run(scene())
    with office.services.database.read() as session:
        assert session.get(Blob, name) is not None


def test_a_dead_line_is_let_go(office: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "SILENCE", 0.05)
    counter = office.counter()
    name, data = page("silent")
    service, by = office.services.uploads, caller(counter)

    async def silent() -> AsyncIterator[bytes]:
        yield data[:100]
        await asyncio.Event().wait()

    async def scene() -> int:
        await service.create(name, len(data), by)
        with pytest.raises(GovDeskError) as caught:
            await service.append(name, 0, silent(), by)
        assert caught.value.code == "SRV-065"
        return (await service.look(name, by)).offset

    assert asyncio.run(scene()) == 100


def test_an_answer_waits_for_the_disk(office: Central, desk: BlobDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = office.counter()
    name, data = page("disk")
    fsync, safe = os.fsync, []

    def noted(descriptor: int) -> None:
        safe.append(os.fstat(descriptor).st_size)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    desk.create(counter, name, len(data), data[:1000])
    assert stored(1000) in safe
    desk.append(counter, name, 1000, data[1000:70_000])
    assert stored(70_000) in safe
    # what a power cut took away is not claimed: the file says, and it is made safe before it is told
    (part,) = folder(office).rglob(f"*.{name}")
    os.truncate(part, stored(70_000) - 5)
    safe.clear()
    assert desk.offset(counter, name) == PIECE
    assert safe == [stored(PIECE)]
    assert desk.append(counter, name, 70_000, data[70_000:]).status_code == 409
    assert desk.append(counter, name, PIECE, data[PIECE:]).status_code == 204
    assert desk.get(counter, name).content == data


def test_a_kill_between_file_and_row_costs_nothing(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page("between")
    desk.create(counter, name, len(data), data[:-1])
    (part,) = folder(office).rglob(f"*.{name}")
    add(office, part, data[-1:], all=True)
    whole = folder(office) / name[:2] / name
    whole.parent.mkdir(exist_ok=True)
    part.rename(whole)
    assert desk.get(counter, name).status_code == 404
    assert desk.offset(counter, name) == len(data)
    assert desk.append(counter, name, len(data), b"").status_code == 204
    assert desk.get(counter, name).content == data


def test_all_bytes_without_their_check_are_checked_when_asked(office: Central, desk: BlobDesk) -> None:
    for again in ("POST", "PATCH"):
        counter = office.counter()
        name, data = page(f"unchecked{again}")
        desk.create(counter, name, len(data), data[:-1])
        (part,) = folder(office).rglob(f"*.{name}")
        add(office, part, data[-1:])
        assert desk.get(counter, name).status_code == 404
        if again == "POST":
            assert desk.create(counter, name, len(data)).headers["Upload-Offset"] == str(len(data))
        else:
            assert desk.append(counter, name, len(data), b"").status_code == 204
        assert desk.get(counter, name).content == data


def test_what_was_lost_beside_the_database_can_be_handed_in_again(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page("lost")
    desk.put(counter, data)
    (folder(office) / name[:2] / name).unlink()
    assert code(desk.get(counter, name)) == "SRV-061"
    assert desk.offset(counter, name) is None
    desk.put(counter, data)
    assert desk.get(counter, name).content == data


# -- what is not taken


def test_another_content_is_thrown_away_and_said(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page("spoiled")
    before = files(office)
    desk.create(counter, name, len(data), data[:1000])
    answer = desk.append(counter, name, 1000, data[1000:-1] + b"!")
    assert (answer.status_code, code(answer)) == (422, "SRV-062")
    assert files(office) == before
    assert desk.get(counter, name).status_code == 404
    assert desk.head(counter, name).status_code == 404
    assert audited(office, "blob.spoiled", name) == 1
    desk.put(counter, data)


def test_more_than_was_announced_is_not_taken(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name, data = page("more")
    desk.create(counter, name, len(data))

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(2**20)

    for content in (data + b"!", endless()):
        answer = desk.append(counter, name, 0, content)
        assert (answer.status_code, code(answer)) == (413, "SRV-072")
    assert desk.offset(counter, name) == 0
    assert desk.append(counter, name, 0, data).status_code == 204


def ofd(*more: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("OFD.xml", "<ofd:OFD/>")
        for name in more:
            archive.writestr(name, "x")
    return made.getvalue()


def zip64_of(data: bytes) -> bytes:
    """An archive whose end record points to a table of contents of any size."""
    end = data.rindex(b"PK\x05\x06")
    return data[:end] + b"PK\x06\x07" + bytes(16) + data[end:]


GOOD = {
    "image/jpeg": JPEG,
    "image/png": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "application/pdf": b"%PDF-1.7" + bytes(50),
    "image/tiff": b"II*\x00" + bytes(50),
    "application/ofd": ofd("Doc_0/Document.xml"),
}
BAD = {
    "exe": b"MZ\x90\x00" + bytes(50),
    "elf": b"\x7fELF" + bytes(50),
    "script": b"#!/bin/sh\nrm -rf /",
    "svg": b"<svg onload=x>aaaaa",
    "gif": b"GIF89a" + bytes(20),
    "short": b"\xff\xd8",
    "zip": (lambda made: (zipfile.ZipFile(made, "w").writestr("a.txt", "x"), made.getvalue())[1])(io.BytesIO()),
    "ofd with a program": ofd("Doc_0/Res/setup.EXE"),
    "zip64": zip64_of(ofd()),
    "cut ofd": ofd()[:-10],
    "head of an ofd": b"PK\x03\x04" + bytes(50),
}


@pytest.mark.parametrize("type", GOOD)
def test_kinds_that_are_taken(office: Central, desk: BlobDesk, type: str) -> None:
    counter = office.counter()
    name = desk.put(counter, GOOD[type])
    assert desk.get(counter, name).headers["content-type"] == type
    assert type_of_file(io.BytesIO(GOOD[type])) == type


@pytest.mark.parametrize("kind", BAD)
def test_kinds_that_are_not_taken_leave_nothing_behind(office: Central, desk: BlobDesk, kind: str) -> None:
    data, before = BAD[kind], files(office)
    answer = desk.create(office.counter(), name_of(data), len(data), data)
    assert (answer.status_code, code(answer)) == (415, "SRV-063")
    assert files(office) == before
    assert audited(office, "blob.refused", name_of(data)) == 1
    with office.services.database.read() as session:
        assert session.execute(select(BlobUpload).filter_by(sha256=name_of(data))).first() is None
    assert type_of_file(io.BytesIO(data)) == ""


def test_a_program_is_refused_by_its_first_bytes(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name = name_of(b"a gigabyte of MZ")
    assert desk.create(counter, name, 2**30).status_code == 201
    assert code(desk.append(counter, name, 0, b"MZ" + bytes(1000))) == "SRV-063"
    assert desk.head(counter, name).status_code == 404


def test_who_may_hand_in(office: Central, desk: BlobDesk) -> None:
    name, data = page("who")
    for role in ("sysadmin", "secadmin", "auditadmin", ""):
        answer = desk.create(office.counter(role), name, len(data), data)
        assert (answer.status_code, code(answer)) == (403, "AUTH-403"), role
    assert desk.create(office.counter("officer"), name, len(data), data).status_code == 201


def test_a_day_has_its_quota(tmp_path: Path) -> None:
    settings = replace(QUICK, blob_mib=3, blob_day_mib=4)
    with central(tmp_path, settings=settings) as office, asyncio.Runner() as runner:
        desk = BlobDesk(create_app(office.services), runner)
        counter = office.counter()
        big = JPEG[:4] + bytes(3 * 2**20 - 4)
        assert code(desk.create(counter, name_of(b"x"), 3 * 2**20 + 1)) == "SRV-072"
        desk.put(counter, big)
        # what is announced counts, not only what has arrived
        first, second = (JPEG[:4] + bytes(2**19) + mark for mark in (b"1", b"2"))
        assert desk.create(counter, name_of(first), len(first)).status_code == 201
        answer = desk.create(counter, name_of(second), len(second))
        assert (answer.status_code, code(answer)) == (429, "SRV-067")
        assert desk.create(counter, name_of(big), len(big)).status_code == 201, "what is there costs nothing"
        assert desk.create(office.counter(), name_of(second), len(second)).status_code == 201, "another computer"
        assert desk.ask(counter, "DELETE", f"{UPLOAD_PATH}/{name_of(first)}").status_code == 204
        assert desk.create(counter, name_of(second), len(second)).status_code == 201
        assert office.clock.now().astimezone(CHINA).hour == 9
        desk.put(counter, second)
        third = second + b"3"
        office.clock.advance(14 * 3600)
        counter = signed_in_again(office, counter)
        assert code(desk.create(counter, name_of(third), len(third))) == "SRV-067"
        office.clock.advance(3600)
        counter = signed_in_again(office, counter)
        assert desk.create(counter, name_of(third), len(third)).status_code == 201, "the next day in China"


def test_a_device_has_so_many_under_way(office: Central, desk: BlobDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_OPEN", 2)
    counter = office.counter()
    names = [name_of(bytes([n])) for n in range(3)]
    assert [desk.create(counter, name, 100).status_code for name in names] == [201, 201, 429]
    assert code(desk.create(counter, names[2], 100)) == "SRV-066"


def test_a_full_disk_is_told_and_keeps_what_came(
    office: Central, desk: BlobDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = office.counter()
    name, data = page("full")
    usage = shutil.disk_usage(office.services.config.data)
    desk.create(counter, name, len(data), data[:1000])
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=uploads.KEEP_FREE + 10))
        for answer in (
            desk.create(counter, name_of(b"new"), 1000),
            desk.append(counter, name, 1000, data[1000:]),
        ):
            assert (answer.status_code, code(answer)) == (507, "SRV-064")

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        answer = desk.append(counter, name, 1000, data[1000:])
        assert (answer.status_code, code(answer)) == (507, "SRV-064")
    assert desk.offset(counter, name) == 1000
    assert desk.append(counter, name, 1000, data[1000:]).status_code == 204


def test_what_no_upload_knows_of_is_swept_away(tmp_path: Path) -> None:
    with central(tmp_path) as office, asyncio.Runner() as runner:
        desk = BlobDesk(create_app(office.services), runner)
        counter = office.counter()
        name, data = page("kept")
        desk.create(counter, name, len(data), data[:100])
        (folder(office) / "incoming" / "tmpabc").write_bytes(JPEG)
        assert office.services.uploads.sweep() == 1
        assert files(office) == {f"{counter.device}.{name}"}
    with central(tmp_path) as office, asyncio.Runner() as runner:
        assert BlobDesk(create_app(office.services), runner).offset(counter, name) == 100, "after a restart"


def test_many_at_once_come_through(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    names = [page(f"many{n}") for n in range(20)]

    async def scene() -> None:
        by = caller(counter)
        service = office.services.uploads
        await asyncio.gather(*(service.create(name, len(data), by, pieces(data, 999)) for name, data in names))

    asyncio.run(scene())
    assert office.services.uploads._places == {}
    for name, data in names:
        assert desk.get(counter, name).content == data
