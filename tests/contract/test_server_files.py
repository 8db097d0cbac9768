"""What lies on the server's disk is sealed, at once and for good; what was altered is noticed; nothing is lost."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installer.environment import ROOT
from modules.common.gm import Sm4Gcm
from modules.common.pieces import HEAD, LAST, OPEN, PIECE, STORED, Damaged
from server_stub import backup, keyring, rekeying, restoring
from server_stub.__main__ import main
from server_stub.app import create_app
from server_stub.blobs.files import SealedFiles, damaged_in, seal_anew, seal_clear
from server_stub.blobs.growing import Growing
from server_stub.container import Secret, new_pair
from server_stub.sealing import Sealing
from tests.support.blob_desk import JPEG, BlobDesk, code, name_of, page
from tests.support.central import START, Central, central
from tests.support.clean_env import clean_env

WORDS = "欧阳某某 110105194912310021 营业执照".encode()
LONG = JPEG[:4] + WORDS * 4000
"""Of three pieces."""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Central]:
    with central(tmp_path / "server") as made:
        yield made


@pytest.fixture
def desk(office: Central) -> Iterator[BlobDesk]:
    with asyncio.Runner() as runner:
        yield BlobDesk(create_app(office.services), runner)


def bytes_on_disk(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def clear_in(folder: Path) -> list[str]:
    """The files in which content stands in clear, be it a part of it."""
    marks = (JPEG[:4] + JPEG[4:40], JPEG[1000:1040], WORDS, b"110105194912310021")
    return [path.name for path, data in bytes_on_disk(folder).items() if any(mark in data for mark in marks)]


def test_nothing_lies_in_clear_on_its_way_nor_at_its_place(office: Central, desk: BlobDesk) -> None:
    counter, data = office.counter(), office.services.config.data
    name = name_of(LONG)
    desk.create(counter, name, len(LONG), LONG[:100])
    for start in (100, 3000, PIECE, PIECE + 1, 2 * PIECE + 7):
        before = desk.offset(counter, name)
        assert before is not None
        assert desk.append(counter, name, before, LONG[before:start]).status_code == 204
        assert desk.offset(counter, name) == start
        assert clear_in(data) == []
    assert desk.append(counter, name, 2 * PIECE + 7, LONG[2 * PIECE + 7 :]).status_code == 204
    desk.put(counter, JPEG)
    assert desk.get(counter, name).content == LONG
    assert clear_in(data) == []
    whole = data / "files" / name[:2] / name
    assert whole.read_bytes()[:6] == b"GDSM4\n"
    # the same content is never sealed the same way twice
    first = whole.read_bytes()
    whole.unlink()
    desk.put(counter, LONG)
    assert whole.read_bytes()[HEAD:] != first[HEAD:]


RANGES = [
    ("bytes=0-9", 206, 0, 10),
    (f"bytes={PIECE - 3}-{PIECE + 2}", 206, PIECE - 3, PIECE + 3),
    (f"bytes={len(LONG) - 5}-", 206, len(LONG) - 5, len(LONG)),
    ("bytes=-7", 206, len(LONG) - 7, len(LONG)),
    (f"bytes=-{10**12}", 206, 0, len(LONG)),
    (f"bytes=5-{10**12}", 206, 5, len(LONG)),
    ("bytes=5-4", 200, 0, len(LONG)),
    ("bytes=0-1,4-5", 200, 0, len(LONG)),
    ("pieces=0-1", 200, 0, len(LONG)),
    ("bytes=-", 200, 0, len(LONG)),
]


def test_a_range_is_opened_and_nothing_else(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    desk.put(counter, LONG)
    for asked, status, start, end in RANGES:
        got = desk.get(counter, name_of(LONG), Range=asked)
        assert (got.status_code, got.content) == (status, LONG[start:end]), asked
        assert got.headers["content-length"] == str(end - start)
        if status == 206:
            assert got.headers["content-range"] == f"bytes {start}-{end - 1}/{len(LONG)}"


def test_a_range_beyond_the_end_and_one_of_another_content(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name = desk.put(counter, LONG)
    for asked in (f"bytes={len(LONG)}-", "bytes=-0"):
        beyond = desk.get(counter, name, Range=asked)
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(LONG)}")
    tag = desk.get(counter, name).headers["etag"]
    assert desk.get(counter, name, Range="bytes=0-9", If_Range=tag).content == LONG[:10]
    assert desk.get(counter, name, Range="bytes=0-9", If_Range='"another"').content == LONG


def test_one_altered_byte_is_found_wherever_it_is(office: Central, desk: BlobDesk) -> None:
    counter, services = office.counter(), office.services
    name = desk.put(counter, LONG)
    path = services.blobs.path(name)
    good = path.read_bytes()
    places = [0, 6, 7, 8, HEAD - 1, HEAD, HEAD + STORED - 1, HEAD + STORED, HEAD + 2 * STORED + 9, len(good) - 1]
    for place in places:
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        assert damaged_in(path.parent.parent, services.blobs.files) == [name], place
        try:
            answer = desk.get(counter, name)
        except Damaged:
            continue  # in the middle: the answer had begun, and ended short
        assert (answer.status_code, code(answer)) == (500, "SRV-075"), place
    for other in (good[: HEAD + STORED], good[: HEAD + 2 * STORED], good + b"x", b"", good[:HEAD], LONG):
        path.write_bytes(other)
        assert damaged_in(path.parent.parent, services.blobs.files) == [name]
        assert code(desk.get(counter, name)) == "SRV-075"
    path.write_bytes(good)
    assert damaged_in(path.parent.parent, services.blobs.files) == []
    assert desk.get(counter, name).content == LONG


def test_a_file_in_the_place_of_another_is_not_taken_for_it(office: Central, desk: BlobDesk) -> None:
    counter, blobs = office.counter(), office.services.blobs
    one, two = desk.put(counter, LONG), desk.put(counter, JPEG)
    blobs.path(two).write_bytes(blobs.path(one).read_bytes())
    assert code(desk.get(counter, two)) == "SRV-075"
    assert desk.get(counter, one).content == LONG


def test_a_damaged_page_that_is_handed_in_again_is_whole_again(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    name = desk.put(counter, LONG)
    path = office.services.blobs.path(name)
    path.write_bytes(path.read_bytes()[:-1])
    assert code(desk.get(counter, name)) == "SRV-075"
    desk.put(counter, LONG)
    assert desk.get(counter, name).content == LONG


# -- what was there before


def lay_out_in_clear(data: Path, *contents: bytes) -> Path:
    """The blobs as a server of old kept them."""
    folder = data / "blobs"
    for content in contents:
        path = folder / name_of(content)[:2] / name_of(content)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "incoming").mkdir(exist_ok=True)
    (folder / "incoming" / "device.half").write_bytes(LONG[:5000])
    return folder


def test_what_a_server_of_old_left_in_clear_is_sealed_at_the_next_start(tmp_path: Path) -> None:
    data = tmp_path / "server"
    contents = [JPEG + bytes([n]) for n in range(5)] + [LONG]
    with central(data) as office, asyncio.Runner() as runner:
        desk, counter = BlobDesk(create_app(office.services), runner), office.counter()
        for content in contents:
            desk.put(counter, content)
    for path in (data / "files").rglob("*"):
        if path.is_file():
            path.unlink()
    clear = lay_out_in_clear(data, *contents)
    os.utime(clear / name_of(LONG)[:2] / name_of(LONG), (1e9, 1e9))
    assert clear_in(clear)
    with central(data) as office, asyncio.Runner() as runner:
        desk = BlobDesk(create_app(office.services), runner)
        counter = replace(counter, services=office.services)
        for content in contents:
            assert desk.get(counter, name_of(content)).content == content
        assert office.services.blobs.path(name_of(LONG)).stat().st_mtime == 1e9
        assert damaged_in(data / "files", office.services.blobs.files) == []
    assert not clear.exists()
    assert clear_in(data) == []


def test_what_is_not_what_its_name_says_stays_and_is_told(
    office: Central, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clear, target, files = lay_out_in_clear(tmp_path / "old", JPEG, LONG), tmp_path / "new", office.services.blobs.files
    (clear / name_of(JPEG)[:2] / name_of(JPEG)).write_bytes(JPEG[:-1])
    assert seal_clear(clear, target, files) == 1
    assert [path.name for path in bytes_on_disk(clear)] == [name_of(JPEG)]
    assert [path.name for path in bytes_on_disk(target)] == [name_of(LONG)]
    assert any(record.message == "blob.damaged" for record in caplog.records)


KILLED = """
import os, sys
from pathlib import Path
from server_stub.blobs import files
from server_stub.sealing import Sealing
sealing = Sealing()
sealing.use({1: bytes(48)})
steps = int(sys.argv[3])
def counted(real):
    def call(*args, **more):
        global steps
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), 9)
        return real(*args, **more)
    return call
os.fsync = counted(os.fsync)
Path.replace = counted(Path.replace)
Path.unlink = counted(Path.unlink)
os.utime = counted(os.utime)
files.seal_clear(Path(sys.argv[1]), Path(sys.argv[2]), files.SealedFiles(sealing))
"""


def test_killed_at_any_step_sealing_goes_on_and_loses_nothing(tmp_path: Path) -> None:
    contents = [JPEG, LONG, JPEG + b"2"]
    clear, target = lay_out_in_clear(tmp_path, *contents), tmp_path / "files"
    sealing = Sealing()
    sealing.use({1: bytes(48)})
    files = SealedFiles(sealing)
    kills = 0
    for steps in (0, 2, 4, 7, 1000):
        command = [sys.executable, "-c", KILLED, str(clear), str(target), str(steps)]
        done = subprocess.run(command, env={**clean_env(tmp_path), "PYTHONPATH": str(ROOT)}, check=False, timeout=60)
        kills += done.returncode == -9
        for content in contents:
            name = name_of(content)
            old, new = clear / name[:2] / name, target / name[:2] / name
            if not old.exists():
                with files.open(new, name) as file:
                    assert file.read() == content
            else:
                assert old.read_bytes() == content
    assert kills == 4
    assert not clear.exists()
    assert damaged_in(target, files) == []


# -- keys


def test_a_new_data_key_seals_the_files_anew(tmp_path: Path) -> None:
    data = tmp_path / "server"
    with central(data) as office, asyncio.Runner() as runner:
        desk, counter = BlobDesk(create_app(office.services), runner), office.counter()
        names = [desk.put(counter, content) for content in (LONG, JPEG)]
        half, part = page("half way")
        desk.create(counter, half, len(part), part[:70_000])
        services = office.services
        old = services.blobs.files.mark()
        rekeying.begin(services.database, keyring.read_master(services.config.master_key), office.clock.now())
        assert services.blobs.files.mark() != old
        assert seal_anew(data / "files", services.blobs.files) == 2
        assert seal_anew(data / "files", services.blobs.files) == 0
        for name, content in zip(names, (LONG, JPEG), strict=True):
            assert services.blobs.path(name).read_bytes()[:8] == services.blobs.files.mark()
            assert desk.get(counter, name).content == content
        # what was on its way goes on under the key with which it began
        assert desk.append(counter, half, 70_000, part[70_000:]).status_code == 204
        assert desk.get(counter, half).content == part
        assert seal_anew(data / "files", services.blobs.files) == 1
        assert desk.get(counter, half).content == part


def test_without_the_master_key_nothing_opens(office: Central, desk: BlobDesk) -> None:
    counter = office.counter()
    path = office.services.blobs.path(desk.put(counter, LONG))
    stranger = Sealing()
    stranger.use({1: bytes(48)})
    with pytest.raises(Damaged), SealedFiles(stranger).open(path, name_of(LONG)) as file:
        file.read()


# -- backups, and the command


def test_a_backup_brings_the_files_back_and_they_open(
    tmp_path: Path, office: Central, desk: BlobDesk, capsys: pytest.CaptureFixture[str]
) -> None:
    counter, services = office.counter(), office.services
    names = [desk.put(counter, content) for content in (LONG, JPEG)]
    opener, recipient = new_pair()
    file = backup.write(
        services.config, services.database, tmp_path / "all.backup", Secret(recipient), office.clock.now()
    )
    services.close()
    data = services.config.data
    restoring.restore(services.config, file, Secret(opener), START)
    assert main(["check-files", "--data", str(data)]) == 0
    with central(data) as again, asyncio.Runner() as runner:
        back = BlobDesk(create_app(again.services), runner)
        for name, content in zip(names, (LONG, JPEG), strict=True):
            assert back.get(replace(counter, services=again.services), name).content == content
    victim = data / "files" / names[0][:2] / names[0]
    good = victim.read_bytes()
    victim.write_bytes(good[: PIECE + 500] + bytes([good[PIECE + 500] ^ 64]) + good[PIECE + 501 :])
    capsys.readouterr()
    assert main(["check-files", "--data", str(data)]) == 1
    assert names[0] in capsys.readouterr().out


# -- an upload's file


def test_no_nonce_seals_two_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed: dict[bytes, bytes] = {}
    real = Sm4Gcm.seal

    def noted(self: Sm4Gcm, nonce: bytes, text: bytes, bound: bytes) -> bytes:
        assert sealed.setdefault(nonce, text) == text, "one key, one nonce, two contents"
        return real(self, nonce, text, bound)

    monkeypatch.setattr(Sm4Gcm, "seal", noted)
    sealing = Sealing()
    sealing.use({1: bytes(48)})
    for at in range(0, len(LONG), 30_011):
        with Growing(tmp_path / "file", SealedFiles(sealing), "name", new=True) as file:
            file.append(LONG[at : at + 30_011])
            file.settle()
    with Growing(tmp_path / "file", SealedFiles(sealing), "name") as file:
        file.finish()
    assert len(sealed) > len(LONG) // 30_011


@settings(deadline=None, max_examples=25)
@given(
    portions=st.lists(st.integers(1, 2 * PIECE + 10), min_size=1, max_size=6),
    cuts=st.lists(st.one_of(st.integers(0, 40), st.integers(0, 3 * PIECE)), max_size=3),
)
def test_a_growing_file_is_what_was_taken_in_whatever_is_cut_off(
    tmp_path_factory: pytest.TempPathFactory, portions: list[int], cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("growing") / "file"
    sealing = Sealing()
    sealing.use({1: bytes(48)})
    files = SealedFiles(sealing)
    content = hashlib.shake_256(repr(portions).encode()).digest(sum(portions))
    at, waiting = 0, list(cuts)
    for portion in portions:
        with Growing(path, files, "name", new=True) as file:
            assert file.size == at
            file.append(content[at : at + portion])
            file.settle()
            at += portion
        with files.open(path, "name", ends=OPEN) as file:
            assert file.read() == content[:at]
        if waiting:
            # a power cut tears the end off; what is left is a beginning, and no more than a piece was open
            cut = min(waiting.pop(), path.stat().st_size)
            os.truncate(path, path.stat().st_size - cut)
            with Growing(path, files, "name") as file:
                assert at - cut - PIECE <= file.size <= at
                at = file.size
    with Growing(path, files, "name", new=True) as file:
        file.append(content[at:])
        file.settle()
        file.finish()
        file.finish()
        assert file.ends == LAST
    with files.open(path, "name") as file:
        assert file.read() == content
    with Growing(path, files, "name") as file:
        assert (file.size, file.ends) == (len(content), LAST)
