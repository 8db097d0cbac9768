"""Page images at the counter: encrypted, kept until the server has them, never in anybody's way."""

from __future__ import annotations

import errno
import hashlib
import hmac
import logging
import os
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from client.data.blobs import Blobs, want_again
from client.data.store import Store
from client.data.tables import BlobRow
from client.kernel import ports
from client.kernel.ports import BlobRef
from modules.common.blobs import FILE_LIMIT, LIMIT, SMALL
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError
from sync.pages import PagePump, PageQueue, Progress
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
        self.parts: dict[str, bytes] = {}
        self.order: list[str] = []
        """Whose part came when."""
        self.sent = self.cut_at = self.lose_reply = 0
        self.open()

    def open(self, key: bytes = KEY) -> None:
        self.store = Store.open(self.path / "store.db", key, self.clock, rules=rules_of)
        token = ReferenceServer(self.clock).statement(Person("zhang", "x"), "d-1")
        self.store.open_session(token, "3号窗", "T1")
        self.blobs = Blobs(self.store, self.fetch)
        self.pump = PagePump(self.blobs, self, rng=Random(1))

    def fetch(self, sha256: str, start: int) -> Iterator[bytes]:
        self.asked.append(sha256)
        if self.fault:
            raise self.fault
        if sha256 not in self.there:
            raise GovDeskError("SRV-061", "没有")
        for place in range(start, len(self.there[sha256]), 1000):
            if self.cut_at and place >= self.cut_at:
                self.cut_at = 0
                raise OFFLINE
            yield self.there[sha256][place : place + 1000]

    # -- the server's side of uploads

    def create(self, sha256: str, size: int, first: bytes) -> int:
        self.asked.append(sha256)
        if self.fault:
            raise self.fault
        if sha256 in self.there:
            return size
        self.parts.setdefault(sha256, b"")
        return self.append(sha256, size, 0, first) if first and not self.parts[sha256] else len(self.parts[sha256])

    def offset(self, sha256: str) -> int | None:
        self.asked.append("?" + sha256)
        if self.fault:
            raise self.fault
        there = self.there.get(sha256, self.parts.get(sha256))
        return None if there is None else len(there)

    def append(self, sha256: str, size: int, offset: int, data: bytes) -> int:
        self.sent += len(data)
        if self.fault:
            raise self.fault
        if sha256 not in self.parts:
            raise GovDeskError("SRV-069", "没有这次上传")
        if offset != len(self.parts[sha256]):
            raise GovDeskError("SRV-071", "位置不符")
        self.parts[sha256] += data
        self.order.append(sha256)
        if self.lose_reply:
            self.lose_reply -= 1
            raise OFFLINE
        if len(self.parts[sha256]) == size:
            whole = self.parts.pop(sha256)
            if hashlib.sha256(whole).hexdigest() != sha256:
                raise GovDeskError("SRV-062", "不符")
            self.there[sha256] = whole
            return size
        return len(self.parts[sha256])

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
    ref = BlobRef(name, len(JPEG), "image/jpeg")
    desk.there[name] = JPEG
    file, foreign = desk.path / "blobs" / name[:2] / name, desk.path / "blobs" / other[:2] / other
    data = file.read_bytes()
    flipped = data[:100] + bytes([data[100] ^ 1]) + data[101:]
    file.write_bytes({"flipped": flipped, "cut": data[:-1], "emptied": b"", "another's": foreign.read_bytes()}[damage])
    with pytest.raises(GovDeskError) as caught:
        desk.blobs.part(ref, 0, len(JPEG))
    assert caught.value.code == "DATA-034"
    # the server's copy is fetched, shown, and kept in its place
    assert desk.blobs.get(name) == JPEG
    assert desk.blobs.part(ref, 0, len(JPEG)) == JPEG
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
    # after a failure it is asked how much has arrived
    assert desk.asked == [names[0], *["?" + names[0]] * 39]
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
    pump = PagePump(desk.blobs, desk, may_send=lambda: False)
    assert pump.step() == 60
    assert desk.asked == []


def test_the_thread_sends_what_it_is_told_of_and_outlives_faults(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    arrived, first = threading.Event(), threading.Event()
    create = desk.create

    def broken_once(sha256: str, size: int, data: bytes) -> int:
        if not first.is_set():
            first.set()
            raise ZeroDivisionError("a fault of ours")
        there = create(sha256, size, data)
        arrived.set()
        return there

    monkeypatch.setattr(desk, "create", broken_once)
    pump = PagePump(desk.blobs, desk, rng=Random(1))
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


def test_the_policy_lets_pages_go_sooner(desk: Desk) -> None:
    sent, waits = desk.put("1"), desk.put("2")
    desk.blobs.sent(sent)
    moment = desk.clock.now().timestamp()
    for file in desk.files():
        os.utime(file, (moment, moment))
    desk.store.keep_pages = timedelta(days=7)
    desk.clock.advance(timedelta(days=6).total_seconds())
    desk.store.prune()
    assert len(desk.files()) == 2
    desk.clock.advance(timedelta(days=2).total_seconds())
    desk.store.prune()
    assert [file.name for file in desk.files()] == [waits]


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


# -- large files


def document(mark: str, size: int) -> bytes:
    head = b"%PDF-1.7" + mark.encode()
    return head + Random(mark).randbytes(size - len(head))


def large(desk: Desk, mark: str, size: int = 5 * SMALL) -> str:
    desk.clock.advance(1)
    path = desk.path / f"{mark}.pdf"
    path.write_bytes(document(mark, size))
    ref = desk.blobs.put_file(path)
    assert (ref.size, ref.type) == (size, "application/pdf")
    path.unlink()
    return ref.sha256


def until_sent(desk: Desk, steps: int = 200) -> None:
    for _ in range(steps):
        if desk.pump.step() == 60:
            return
    raise AssertionError("it never ends")


@pytest.mark.parametrize("size", [SMALL - 1, SMALL, SMALL + 1, 3 * SMALL + 17])
def test_a_file_goes_in_parts_and_comes_back(desk: Desk, size: int) -> None:
    name = large(desk, "big", size)
    until_sent(desk)
    assert desk.there[name] == document("big", size) == desk.blobs.get(name)
    assert (desk.sent, desk.blobs.waiting()) == (size, 0)


def test_a_lost_answer_costs_a_question_not_the_part(desk: Desk) -> None:
    name = large(desk, "lost answer")
    desk.pump.step()
    desk.lose_reply = 2
    until_sent(desk)
    assert desk.asked.count("?" + name) == 2
    assert desk.sent == 5 * SMALL, "what has arrived is not sent again"
    assert name in desk.there


def test_the_last_answer_lost_is_asked_for(desk: Desk) -> None:
    name = large(desk, "last", SMALL + 1)
    desk.pump.step()
    desk.pump.step()
    desk.lose_reply = 1
    until_sent(desk)
    assert (name in desk.there, desk.sent) == (True, SMALL + 1)


def test_a_server_that_stands_elsewhere_is_asked_and_followed(desk: Desk) -> None:
    name = large(desk, "elsewhere")
    desk.pump.step()
    desk.pump.step()
    # a power cut took away what was not safe; an upload that expired took away all
    desk.parts[name] = desk.parts[name][:1000]
    desk.pump.step()
    assert desk.pump.step() == 0
    desk.parts.clear()
    until_sent(desk)
    assert desk.there[name] == document("elsewhere", 5 * SMALL)
    with desk.store._reading() as db:
        assert db.get_one(BlobRow, name).tries == 0, "no fault of the file's"


def test_it_goes_on_where_it_was_after_a_restart(desk: Desk) -> None:
    name = large(desk, "restart")
    for _ in range(3):
        desk.pump.step()
    arrived = len(desk.parts[name])
    desk.store.close()
    desk.open()
    until_sent(desk)
    assert (name in desk.there, desk.sent) == (True, 5 * SMALL)
    assert arrived > SMALL


def test_small_pages_do_not_wait_for_a_large_file_nor_it_for_them(desk: Desk) -> None:
    big = large(desk, "first", 40 * SMALL)
    for _ in range(5):
        desk.pump.step()
    pages = [desk.put(str(n)) for n in range(30)]
    desk.order.clear()
    for _ in range(45):
        desk.pump.step()
    places = [n for n, name in enumerate(desk.order) if name != big]
    assert [desk.order[n] for n in places] == pages
    # three of four turns are the pages'; the fourth is the file's
    assert places[-1] <= len(pages) * 4 / 3 + 1
    assert 8 <= desk.order[: places[-1]].count(big) <= 11


def test_a_part_of_a_large_file_bows_once_to_commands(desk: Desk) -> None:
    waiting = True
    desk.pump = PagePump(desk.blobs, desk, busy=lambda: waiting, rng=Random(1))
    large(desk, "polite", 2 * SMALL)
    page = desk.put()
    assert [desk.pump.step() for _ in range(4)] == [0, 0.3, 0, 0.3]
    assert page in desk.there
    # commands that wait for ever, such as for this very file, do not hold it up
    for _ in range(8):
        desk.pump.step()
    assert desk.blobs.waiting() == 0


def test_a_slow_line_gets_smaller_parts(desk: Desk) -> None:
    desk.pump = PagePump(desk.blobs, desk, rng=Random(1), clock=desk.clock)
    name = large(desk, "slow", 12 * SMALL)
    append, sizes = desk.append, []

    def slow(sha256: str, size: int, offset: int, data: bytes) -> int:
        sizes.append(len(data))
        desk.clock.advance(len(data) / (SMALL / 8))
        return append(sha256, size, offset, data)

    desk.append = slow  # type: ignore[method-assign]
    until_sent(desk)
    assert name in desk.there
    assert sizes[:4] == [SMALL, SMALL // 2, SMALL // 4, SMALL // 4]


def test_progress_is_told_in_bytes(desk: Desk) -> None:
    assert desk.pump.progress() == Progress(0, 0, 0)
    large(desk, "progress")
    desk.put()
    assert desk.pump.progress() == Progress(2, 5 * SMALL + len(JPEG), 0)
    for _ in range(3):
        desk.pump.step()
    waiting = desk.pump.progress()
    assert (waiting.waiting, waiting.size, waiting.there) == (1, 5 * SMALL, SMALL)
    until_sent(desk)
    assert desk.pump.progress() == Progress(0, 0, 0)


def test_a_page_from_afar_is_taken_up_where_its_line_broke(desk: Desk) -> None:
    name = hashlib.sha256(JPEG).hexdigest()
    desk.there[name] = JPEG
    desk.cut_at = 30_000
    assert desk.blobs.get(name) == JPEG
    assert desk.asked == [name, name]


def test_a_large_file_never_fills_the_memory(desk: Desk) -> None:
    path = desk.path / "sparse.pdf"
    with path.open("wb") as file:
        file.write(b"%PDF-1.7")
        file.truncate(64 * SMALL)
    tracemalloc.start()
    try:
        name = desk.blobs.put_file(path).sha256
        desk.there[name] = b""  # the server is not what is measured
        ref = BlobRef(name, 64 * SMALL, "application/pdf")
        assert all(desk.blobs.part(ref, at, SMALL) for at in range(0, 64 * SMALL, 8 * SMALL))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 6 * SMALL


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"MZ\x90\x00 a program", "DATA-032"), (b"", "DATA-032"), (b"PK\x03\x04 a heap of files", "DATA-032")],
)
def test_a_file_that_is_not_taken_is_refused_in_words(desk: Desk, content: bytes, code: str) -> None:
    path = desk.path / "scan.pdf"
    path.write_bytes(content)
    with pytest.raises(GovDeskError) as caught:
        desk.blobs.put_file(path)
    assert caught.value.code == code
    assert (desk.blobs.waiting(), desk.files()) == (0, [])


def test_a_file_that_is_too_large_or_not_there(desk: Desk) -> None:
    path = desk.path / "huge.pdf"
    with path.open("wb") as file:
        file.truncate(FILE_LIMIT + 1)
    for wanted, code in ((path, "DATA-031"), (desk.path / "none.pdf", "DATA-036"), (desk.path, "DATA-036")):
        with pytest.raises(GovDeskError) as caught:
            desk.blobs.put_file(wanted)
        assert caught.value.code == code
    assert desk.files() == []


def test_a_file_that_is_being_written_to_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = desk.path / "growing.pdf"
    path.write_bytes(document("growing", 1000))
    write = desk.store.files.write

    def meanwhile(sha256: str, chunks: Iterator[bytes]) -> bool:
        path.write_bytes(document("another", 1000))
        return write(sha256, chunks)

    monkeypatch.setattr(desk.store.files, "write", meanwhile)
    with pytest.raises(GovDeskError) as caught:
        desk.blobs.put_file(path)
    assert caught.value.code == "DATA-035"
    assert (desk.blobs.waiting(), desk.files()) == (0, [])


def test_what_the_server_asks_for_is_sent_again(desk: Desk) -> None:
    name = desk.put()
    until_sent(desk)
    desk.there.clear()
    with desk.store._writing() as unit:
        want_again(unit.db, [name, "0" * 64])
    until_sent(desk)
    assert name in desk.there


def test_old_pages_that_a_draft_or_an_unsent_command_names_stay(desk: Desk) -> None:
    drafted, queued, free = (desk.put(mark) for mark in ("draft", "queued", "free"))
    until_sent(desk)
    desk.store.drafts.save("d", "note", "草稿", {"pages": [{"sha256": drafted}]})
    desk.store.give("note", desk.store.new_id(), "note.open", {"title": "甲", "pages": [{"sha256": queued}]})
    moment = desk.clock.now().timestamp()
    for file in desk.files():
        os.utime(file, (moment, moment))
    desk.clock.advance(timedelta(days=91).total_seconds())
    desk.store.prune()
    assert {file.name for file in desk.files()} == {drafted, queued}
    assert free not in {file.name for file in desk.files()}


# -- files of before


def test_files_of_the_first_format_are_read_and_sent(desk: Desk) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    name = hashlib.sha256(JPEG).hexdigest()
    path = desk.path / "blobs" / name[:2] / name
    path.parent.mkdir(parents=True)
    key = hmac.new(KEY, b"govdesk/blobs/1", hashlib.sha256).digest()
    path.write_bytes(b"n" * 12 + AESGCM(key).encrypt(b"n" * 12, JPEG, name.encode()))
    assert desk.blobs.get(name) == JPEG
    assert desk.put() == name
    assert path.read_bytes().startswith(b"n" * 12)
    until_sent(desk)
    assert desk.there[name] == JPEG
