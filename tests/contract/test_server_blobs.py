"""Whole blobs at the server: who reads one, what names one, what waits for one, what is swept away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, text

from modules.common.blobs import names_in, type_of
from modules.common.ids import uuid7
from modules.common.server_ports import Reference
from server_stub import feed
from server_stub.app import create_app
from server_stub.blobs import keeper, names
from server_stub.database import Database
from server_stub.tables import Blob, BlobGiver, BlobName
from tests.support.blob_desk import BlobDesk, code, name_of, page
from tests.support.central import Central, Counter, central
from tests.support.servers import postgres


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
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


def write(counter: Counter, memo: str, *pages: str) -> None:
    """A memo of the counter's hall that names these pages, and no others."""
    named = [{"sha256": name, "size": 1, "type": "image/jpeg"} for name in pages]
    ack = counter.ack(counter.command("memo.write", memo, body={"text": "页", "pages": named}))
    assert ack.status == "applied", ack


def readers(desk: BlobDesk, name: str, *counters: Counter) -> list[bool]:
    return [desk.get(counter, name).status_code == 200 for counter in counters]


def missing(office: Central, doc: dict[str, Any], device: str, *scopes: str) -> frozenset[str]:
    wanted = names_in(feed.dump(doc))
    return office.services.writer.do(lambda session: names.missing(session, wanted, device, scopes))


# -- who reads


def test_a_page_is_read_by_whoever_reads_a_document_that_names_it(office: Central, desk: BlobDesk) -> None:
    clerk, colleague, officer = office.counter(), office.counter(), office.counter("officer")
    stranger = Central(office.services, office.clock).counter()
    everyone = (clerk, colleague, officer, stranger)
    name, data = page(f"named-{office.hall}")
    desk.put(clerk, data)
    assert readers(desk, name, *everyone) == [True, False, False, False], "a hash alone opens nothing"
    memo = uuid7()
    write(clerk, memo, name)
    assert readers(desk, name, *everyone) == [True, True, True, False]
    for role in ("sysadmin", "secadmin", "auditadmin", ""):
        answer = desk.get(office.counter(role), name)
        assert (answer.status_code, code(answer)) == (404, "SRV-061"), role
    # taken out of the document, it is nobody's but the giver's
    write(clerk, memo)
    assert readers(desk, name, *everyone) == [True, False, False, False]


def test_a_document_of_ones_own_opens_nobody_elses_page(office: Central, desk: BlobDesk) -> None:
    """Somebody who has heard of a hash names it in a record of their own hall: that shows them nothing."""
    clerk = office.counter()
    elsewhere = Central(office.services, office.clock)
    thief, accomplice = elsewhere.counter(), elsewhere.counter()
    name, data = page(f"secret-{office.hall}")
    desk.put(clerk, data)
    memo = uuid7()
    write(thief, memo, name)
    assert readers(desk, name, thief, accomplice) == [False, False]
    assert missing(office, {"sha256": name}, accomplice.device, f"hall:{elsewhere.hall}") == {name}
    # nor does it help that another counter writes to the record, or names it once more
    write(accomplice, memo, name)
    write(accomplice, uuid7(), name)
    assert readers(desk, name, thief, accomplice) == [False, False]
    # whoever has the content may name it, before or after it has arrived
    desk.put(thief, data)
    assert readers(desk, name, thief, accomplice) == [True, True]


def test_a_page_travels_on_with_the_documents_that_are_read(office: Central, desk: BlobDesk) -> None:
    clerk, colleague = office.counter(), office.counter()
    name, data = page(f"travels-{office.hall}")
    scope = f"hall:{office.hall}"
    first, second = uuid7(), uuid7()
    write(clerk, first, name)
    assert missing(office, {"sha256": name}, colleague.device, scope) == {name}
    desk.put(clerk, data)
    assert missing(office, {"sha256": name}, colleague.device, scope) == frozenset()
    # a colleague who reads it names it in another record, which outlives the first
    write(colleague, second, name)
    write(clerk, first)
    assert readers(desk, name, office.counter(), colleague) == [True, True]


def test_a_command_waits_for_a_file_that_it_needs(office: Central, desk: BlobDesk) -> None:
    clerk = office.counter()
    thief = Central(office.services, office.clock).counter()
    name, data = page(f"needed-{office.hall}")
    waits = [counter.command(body={"text": "页", "files": [name]}) for counter in (clerk, thief)]
    assert [clerk.ack(waits[0]).status, thief.ack(waits[1]).status] == ["deferred", "deferred"]
    desk.create(clerk, name, len(data), data[:-1])
    assert clerk.ack(waits[0]).status == "deferred", "not yet whole"
    desk.append(clerk, name, len(data) - 1, data[-1:])
    assert clerk.ack(waits[0]).status == "applied"
    assert thief.ack(waits[1]).status == "deferred", "it is there, but not from this counter"
    desk.put(thief, data)
    assert thief.ack(waits[1]).status == "applied"


def test_what_a_portal_names_it_has_to_hand_in(office: Central, desk: BlobDesk) -> None:
    """The server gives a portal's commands in its own name; that must not open what the portal only heard of."""
    clerk, colleague, portal = office.counter(), office.counter(), office.counter()
    elsewhere = Central(office.services, office.clock).counter()
    name, data = page(f"portal-{office.hall}")
    desk.put(elsewhere, data)
    memo = uuid7()
    write(clerk, memo)
    doc = feed.dump({"pages": [{"sha256": name}]})

    def noted(device: str) -> None:
        office.services.writer.do(lambda session: names.note(session, "", "memo", memo, 2, doc, device))

    noted(portal.device)
    assert readers(desk, name, colleague) == [False]
    desk.put(portal, data)
    assert readers(desk, name, colleague) == [True]
    other, theirs = page(f"job-{office.hall}")
    desk.put(elsewhere, theirs)
    doc = feed.dump({"pages": [{"sha256": other}]})
    noted("")
    assert readers(desk, other, colleague) == [True], "a job of the server's own is trusted"


@pytest.mark.parametrize("scope", ["hall:%", "hall:_", 'hall:h"', "hall:", "%"])
def test_scopes_are_compared_whole(office: Central, desk: BlobDesk, scope: str) -> None:
    clerk = office.counter()
    name = desk.put(clerk, page(f"whole-{scope}-{office.hall}")[1])
    write(clerk, uuid7(), name)
    assert missing(office, {"sha256": name}, "nobody", scope) == {name}
    assert missing(office, {"sha256": name}, "nobody", f"hall:{office.hall}") == frozenset()


def test_what_is_not_whole_is_missing(office: Central, desk: BlobDesk) -> None:
    clerk = office.counter()
    name, data = page(f"half-{office.hall}")
    assert missing(office, {"sha256": name}, clerk.device) == {name}
    desk.create(clerk, name, len(data), data[:-1])
    assert missing(office, {"sha256": name}, clerk.device) == {name}
    desk.append(clerk, name, len(data) - 1, data[-1:])
    assert missing(office, {"sha256": name}, clerk.device) == frozenset()
    assert missing(office, {"text": "nothing"}, clerk.device) == frozenset()


def test_the_servers_own_commands_need_only_what_is_whole(office: Central, desk: BlobDesk) -> None:
    name = desk.put(office.counter(), page(f"own-{office.hall}")[1])
    wanted = {name, name_of(b"none")}
    found = office.services.writer.do(lambda session: names.missing(session, wanted, "", None))
    assert found == {name_of(b"none")}


def test_reference_documents_name_pages_for_everyone(office: Central, desk: BlobDesk) -> None:
    clerk = office.counter()
    stranger = Central(office.services, office.clock).counter()
    name = desk.put(clerk, page(f"ref-{office.hall}")[1])
    reference = Reference("guide", uuid7(), {"picture": {"sha256": name}}, "指南")
    office.services.writer.do(lambda session: feed.publish(session, "2026-11-20T01:00:00Z", [reference]))
    assert readers(desk, name, stranger) == [True]


def test_documents_as_they_are_stored_are_searched() -> None:
    name = name_of(b"x")
    assert names_in(feed.dump({"a": [{"sha256": name, "size": 1}]})) == {name}
    assert names_in(feed.dump({"a": [{"sha256": name[:-1]}, {"sha256": name.upper()}, {"sha": name}, name]})) == set()


# -- sweeping


def sweep(office: Central) -> int:
    return office.services.blobs.sweep()


def there(office: Central, name: str) -> tuple[bool, bool]:
    """Row and file."""
    with office.services.database.read() as session:
        row = session.get(Blob, name) is not None
    return row, office.services.blobs.path(name).exists()


def test_what_no_document_names_goes_after_a_while(office: Central, desk: BlobDesk) -> None:
    clerk = office.counter()
    sweep(office)
    named, unnamed, dropped = (
        desk.put(clerk, page(f"old {mark}-{office.hall}")[1]) for mark in ("named", "unnamed", "dropped")
    )
    memo = uuid7()
    write(clerk, memo, named, dropped)
    office.clock.advance(keeper.KEEP_UNNAMED.total_seconds() / 3)
    again = office.counter(login=office.person())
    write(again, memo, named)
    office.clock.advance(keeper.KEEP_UNNAMED.total_seconds() * 2 / 3 + 1)
    assert sweep(office) >= 1
    assert there(office, unnamed) == (False, False)
    # taken out of its document later, it stays as long from then on
    assert there(office, dropped) == (True, True)
    office.clock.advance(keeper.KEEP_UNNAMED.total_seconds() / 3)
    assert sweep(office) >= 1
    assert there(office, dropped) == (False, False)
    assert there(office, named) == (True, True)
    # whoever needs it after all hands it in again
    clerk = office.counter()
    assert missing(office, {"sha256": unnamed}, clerk.device) == {unnamed}
    assert desk.put(clerk, page(f"old unnamed-{office.hall}")[1]) == unnamed
    assert there(office, unnamed) == (True, True)


def test_old_files_without_a_row_go(office: Central) -> None:
    now = office.clock.now().timestamp()
    folder = f"{int(now // 3600) % 256:02x}"
    made = []
    for mark, age in (("a", keeper.KEEP_UNNAMED.total_seconds() + 60), ("b", 60)):
        path = office.services.blobs.path(folder + mark * 62)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left by a kill")
        os.utime(path, (now - age, now - age))
        made.append(path)
    sweep(office)
    assert [path.exists() for path in made] == [False, True]
    made[1].unlink()


def test_what_older_documents_name_is_noted(tmp_path: Path) -> None:
    with central(tmp_path) as office, asyncio.Runner() as runner:
        clerk, hall = office.counter(), office.hall
        name = BlobDesk(create_app(office.services), runner).put(clerk, page("older")[1])
        write(clerk, uuid7(), name)
        office.services.writer.do(lambda session: session.execute(delete(BlobName)))
    with central(tmp_path) as office, asyncio.Runner() as runner:
        office.hall = hall
        assert readers(BlobDesk(create_app(office.services), runner), name, office.counter()) == [True]


def test_whoever_handed_a_page_in_before_has_handed_it_in(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'server.db'}")
    database._migrate(database._alembic(), "0006")
    row = {"sha256": "0" * 64, "size": 7, "type": "image/png", "person_id": "p", "device_id": "d", "at": "2026"}
    columns = ", ".join(row)
    with database.engine.begin() as connection:
        insert = (
            f"INSERT INTO blob ({columns}, hall_id, department_id) VALUES (:{columns.replace(', ', ', :')}, 'h', '')"
        )
        connection.execute(text(insert), row)
    database._migrate(database._alembic(), "head")
    with database.read() as session:
        assert session.get_one(Blob, "0" * 64).size == 7
        giver = session.get_one(BlobGiver, ("0" * 64, "d"))
        assert (giver.person_id, giver.size, giver.at) == ("p", 7, "2026")
    database.close()


@pytest.mark.parametrize(
    ("head", "type"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"%PDF-1.4", "application/pdf"),
        (b"MM\x00*\x00\x00\x00\x08", "image/tiff"),
        (b"GIF89a..", ""),
        (b"\x89PNG\n\x1a\n", ""),
        (b"", ""),
    ],
)
def test_types_are_told_by_their_first_bytes(head: bytes, type: str) -> None:
    assert type_of(head) == type
