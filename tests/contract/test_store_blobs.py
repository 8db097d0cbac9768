"""Page images at the counter: encrypted, kept until the server has them, never in anybody's way."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from client.data.blobs import Blobs
from client.data.store import Store
from client.kernel import ports
from modules.common.blobs import LIMIT
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError
from sync.pages import PagePump, PageQueue
from tests.support.reference_server import Person, ReferenceServer, rules_of

KEY = b"k" * 32
JPEG = b"\xff\xd8\xff\xe0" + "张三的身份证".encode() * 4000
OFFLINE = GovDeskError("NET-001", "连不上")


class Desk:
    """A store, its pages, and a server that holds what it is sent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FixedClock(datetime(2026, 11, 20, 1, 0, tzinfo=UTC))
        self.there: dict[str, bytes] = {}
        self.fault: GovDeskError | None = None
        self.asked: list[str] = []
        self.open()

    def open(self, key: bytes = KEY) -> None:
        self.store = Store.open(self.path / "store.db", key, self.clock, rules=rules_of)
        token = ReferenceServer(self.clock).statement(Person("zhang", "x"), "d-1")
        self.store.open_session(token, "3号窗", "T1")
        self.blobs = Blobs(self.store, self.fetch)
        self.pump = PagePump(self.blobs, self.send, rng=Random(1))

    def fetch(self, sha256: str) -> bytes:
        self.asked.append(sha256)
        if self.fault:
            raise self.fault
        if sha256 not in self.there:
            raise GovDeskError("SRV-061", "没有")
        return self.there[sha256]

    def send(self, sha256: str, data: bytes, type: str) -> None:
        self.asked.append(sha256)
        if self.fault:
            raise self.fault
        assert type == "image/jpeg"
        self.there[sha256] = data

    def put(self, mark: str = "") -> str:
        self.clock.advance(1)
        return self.blobs.put(JPEG + mark.encode(), "image/jpeg").sha256

    def files(self) -> list[Path]:
        return sorted(path for path in (self.path / "blobs").rglob("*") if path.is_file())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()


def test_it_is_what_the_ports_ask_for(desk: Desk) -> None:
    port: ports.Blobs = desk.blobs
    queue: PageQueue = desk.blobs
    assert id(port) == id(queue)


def test_a_page_is_kept_encrypted_and_comes_back(desk: Desk) -> None:
    ref = desk.blobs.put(JPEG, "image/jpeg")
    assert ref.to_doc() == {"sha256": hashlib.sha256(JPEG).hexdigest(), "size": len(JPEG), "type": "image/jpeg"}
    assert desk.blobs.get(ref.sha256) == JPEG
    assert desk.asked == []
    [file] = desk.files()
    assert file.relative_to(desk.path / "blobs").parts == (ref.sha256[:2], ref.sha256)
    assert file.stat().st_mode & 0o077 == 0
    on_disk = b"".join(path.read_bytes() for path in desk.path.rglob("*") if path.is_file())
    for secret in ("张三的身份证".encode(), b"\xff\xd8\xff\xe0"):
        assert secret not in on_disk


def test_the_same_page_twice_is_kept_and_sent_once(desk: Desk) -> None:
    assert desk.put() == desk.put()
    assert (desk.blobs.waiting(), len(desk.files())) == (1, 1)
    assert desk.pump.step() == 0
    assert desk.put() in desk.there
    assert desk.blobs.waiting() == 0


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied", "another's"])
def test_a_damaged_page_is_never_shown(desk: Desk, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    name, other = desk.put(), desk.put("2")
    desk.there[name] = JPEG
    file, foreign = desk.path / "blobs" / name[:2] / name, desk.path / "blobs" / other[:2] / other
    data = file.read_bytes()
    flipped = data[:100] + bytes([data[100] ^ 1]) + data[101:]
    file.write_bytes({"flipped": flipped, "cut": data[:-1], "emptied": b"", "another's": foreign.read_bytes()}[damage])
    with pytest.raises(GovDeskError) as caught:
        desk.blobs.read(name)
    assert caught.value.code == "DATA-034"
    # the server's copy is fetched, shown, and kept in its place
    assert desk.blobs.get(name) == JPEG
    assert desk.blobs.read(name) == JPEG
    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2


def test_another_key_opens_nothing(desk: Desk, tmp_path: Path) -> None:
    name = desk.put()
    desk.store.close()
    (tmp_path / "store.db").unlink()
    desk.open(b"x" * 32)
    with pytest.raises(GovDeskError) as caught:
        desk.blobs.get(name)
    assert caught.value.code == "DATA-030"


def test_pages_of_other_counters_come_from_the_server_once_and_are_checked(desk: Desk) -> None:
    name = hashlib.sha256(JPEG).hexdigest()
    for fault, code in ((OFFLINE, "NET-001"), (None, "DATA-030")):
        desk.fault = fault
        with pytest.raises(GovDeskError) as caught:
            desk.blobs.get(name)
        assert caught.value.code == code
    desk.there[name] = JPEG + b"!"
    with pytest.raises(GovDeskError) as caught:
        desk.blobs.get(name)
    assert caught.value.code == "DATA-033"
    assert desk.files() == []
    desk.there[name] = JPEG
    assert [desk.blobs.get(name) for _ in range(2)] == [JPEG] * 2
    assert len(desk.asked) == 4
    assert desk.blobs.waiting() == 0


@pytest.mark.parametrize(
    ("data", "type", "code"),
    [
        (JPEG + bytes(LIMIT), "image/jpeg", "DATA-031"),
        (JPEG, "image/png", "DATA-032"),
        (b"GIF89a", "image/gif", "DATA-032"),
        (b"", "", "DATA-032"),
    ],
)
def test_what_is_no_page_is_refused_in_words(desk: Desk, data: bytes, type: str, code: str) -> None:
    with pytest.raises(GovDeskError) as caught:
        desk.blobs.put(data, type)
    assert caught.value.code == code
    assert (desk.blobs.waiting(), desk.files()) == (0, [])


def test_a_full_disk_is_told_and_leaves_no_half_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GovDeskError) as caught:
        desk.put()
    assert caught.value.code == "DATA-010"
    assert (desk.blobs.waiting(), desk.files()) == (0, [])
    # what the server has can be looked at all the same
    name = hashlib.sha256(JPEG).hexdigest()
    desk.there[name] = JPEG
    assert desk.blobs.get(name) == JPEG
    monkeypatch.setattr(os, "fsync", fsync)
    desk.put()
    assert desk.blobs.waiting() == 1


# -- sending


def test_pages_are_sent_in_order_and_wait_through_restarts(desk: Desk) -> None:
    names = [desk.put(str(n)) for n in range(3)]
    desk.fault = OFFLINE
    pauses = [desk.pump.step() for _ in range(40)]
    assert all(0 <= pause <= 60 for pause in pauses)
    assert max(pauses) > 30
    assert set(desk.asked) == {names[0]}
    desk.store.close()
    desk.open()
    desk.fault, desk.asked = None, []
    assert [desk.pump.step() for _ in range(3)] == [0, 0, 0]
    assert desk.asked == names
    assert desk.pump.step() == 60
    assert (desk.blobs.waiting(), sorted(desk.there)) == (0, sorted(names))


def test_a_page_that_the_server_refuses_goes_behind_the_others_and_is_tried_for_ever(desk: Desk) -> None:
    bad, good = desk.put("bad"), desk.put("good")
    desk.fault = GovDeskError("SRV-062", "不符")
    desk.pump.step()
    desk.fault = None
    desk.pump.step()
    assert desk.asked == [bad, good]
    desk.fault = GovDeskError("SRV-062", "不符")
    for _ in range(100):
        desk.pump.step()
    assert desk.blobs.waiting() == 1
    desk.fault = None
    desk.pump.step()
    assert desk.blobs.waiting() == 0
    assert desk.there[bad] == JPEG + b"bad"


def test_a_lost_file_is_told_and_does_not_hold_up_the_others(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    lost, whole = desk.put("1"), desk.put("2")
    (desk.path / "blobs" / lost[:2] / lost).unlink()
    desk.pump.step()
    desk.pump.step()
    assert list(desk.there) == [whole]
    assert desk.blobs.waiting() == 1
    assert "a page was not sent: DATA-034" in caplog.text
    # whoever scans it again has it sent
    desk.put("1")
    desk.pump.step()
    assert lost in desk.there


def test_nothing_is_sent_while_nobody_is_signed_in(desk: Desk) -> None:
    desk.put()
    pump = PagePump(desk.blobs, desk.send, may_send=lambda: False)
    assert pump.step() == 60
    assert desk.asked == []


def test_the_thread_sends_what_it_is_told_of_and_outlives_faults(desk: Desk) -> None:
    arrived, first = threading.Event(), threading.Event()

    def send(sha256: str, data: bytes, type: str) -> None:
        if not first.is_set():
            first.set()
            raise ZeroDivisionError("a fault of ours")
        desk.send(sha256, data, type)
        arrived.set()

    pump = PagePump(desk.blobs, send, rng=Random(1))
    pump.start()
    name = desk.put()
    pump.poke()
    assert first.wait(10)
    while not arrived.wait(0.05):
        pump.poke()
    assert pump.stop()
    assert desk.there == {name: JPEG}


def test_a_server_restored_from_a_copy_is_sent_everything_again(desk: Desk) -> None:
    name = desk.put()
    desk.store.contact("e1", 0)
    desk.pump.step()
    desk.there.clear()
    assert desk.store.contact("e2", 0)
    desk.pump.step()
    assert name in desk.there


def test_old_pages_go_but_never_one_that_waits(desk: Desk) -> None:
    sent, waits = desk.put("1"), desk.put("2")
    desk.blobs.sent(sent)
    fetched = hashlib.sha256(JPEG).hexdigest()
    desk.there[fetched] = JPEG
    desk.blobs.get(fetched)
    moment = desk.clock.now().timestamp()
    for file in desk.files():
        os.utime(file, (moment, moment))
    desk.clock.advance(timedelta(days=89).total_seconds())
    desk.store.prune()
    assert len(desk.files()) == 3
    desk.clock.advance(timedelta(days=2).total_seconds())
    desk.store.prune()
    assert [file.name for file in desk.files()] == [waits]
    assert desk.blobs.waiting() == 1
