"""Backups: one encrypted file that holds everything, and that comes back whole or not at all."""

from __future__ import annotations

import errno
import io
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.common.errors import GovDeskError
from server_stub import backup, restoring
from server_stub.config import Config
from server_stub.container import CHUNK, Reader, Secret, Writer, new_pair, recipient
from tests.support.central import QUICK, START, Central, central
from tests.support.central_data import docs, reading

OPENER, RECIPIENT = new_pair()
PAGE = b"\xff\xd8\xff" + b"page" * 50_000


def sealed(data: bytes, secret: str) -> bytes:
    file = io.BytesIO()
    writer = Writer(file, Secret(secret))
    for start in range(0, len(data), 50_001):
        writer.write(data[start : start + 50_001])
    writer.close()
    return file.getvalue()


def opened(file: bytes, secret: str = OPENER) -> bytes:
    return Reader(io.BytesIO(file), Secret(secret)).read()


# -- the file


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 200_000])
def test_a_file_opens_for_whom_it_was_closed(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    file = sealed(data, RECIPIENT)
    assert opened(file) == data
    for other in (new_pair()[0], "口令", RECIPIENT):
        with pytest.raises(GovDeskError, match="SRV-034"):
            opened(file, other)
    assert sealed(data, RECIPIENT) != file, "a key for each file"


def test_a_passphrase_does_too() -> None:
    file = sealed(b"x", "口令")
    assert opened(file, "口令") == b"x"
    for other in ("口令 ", OPENER):
        with pytest.raises(GovDeskError, match="SRV-034"):
            opened(file, other)


WHOLE = sealed(bytes(3 * CHUNK + 5), RECIPIENT)


@settings(deadline=None)
@given(st.data())
def test_no_byte_of_it_can_be_changed_left_out_or_added(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(WHOLE) - 1))
    changed = bytearray(WHOLE)
    changed[place] ^= data.draw(st.integers(1, 255))
    more = data.draw(st.binary(min_size=1, max_size=40))
    for broken in (bytes(changed), WHOLE[:place], WHOLE + more, WHOLE[:place] + more + WHOLE[place:]):
        if broken != WHOLE:
            with pytest.raises(GovDeskError, match=r"SRV-03[45]"):
                opened(broken)


def test_whole_chunks_cannot_be_left_out_or_moved() -> None:
    head = WHOLE.index(b"}\n") + 2
    step = CHUNK + 16
    chunks = [WHOLE[start : start + step] for start in range(head, len(WHOLE), step)]
    assert len(chunks) == 4
    for order in ((0, 1, 2), (0, 1, 3), (1, 0, 2, 3), (0, 0, 1, 2, 3), (3,), ()):
        with pytest.raises(GovDeskError, match="SRV-035"):
            opened(WHOLE[:head] + b"".join(chunks[n] for n in order))
    with pytest.raises(GovDeskError, match="SRV-038"):
        recipient("password")


# -- all of a server


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Central]:
    with central(tmp_path / "server") as made:
        counter = made.counter()
        counter.push(counter.command(aggregate="m-1", body={"text": "欧阳秘密"}))
        blobs = made.services.blobs
        blobs.files.write(blobs.path(PAGE_NAME), PAGE_NAME, io.BytesIO(PAGE))
        (made.services.config.data / "files" / "incoming" / "half").write_bytes(b"x")
        yield made


def _name(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


PAGE_NAME = _name(PAGE)


def made_backup(hall: Central, out: Path, keep: int = 0) -> Path:
    services = hall.services
    return backup.write(services.config, services.database, out, Secret(RECIPIENT), hall.clock.now(), keep)


def test_a_backup_holds_everything_and_nothing_in_clear(hall: Central, tmp_path: Path) -> None:
    data = hall.services.config.data
    (data / "server.toml").write_text('name = "某市"\n', "utf-8")
    file = made_backup(hall, tmp_path / "all.backup")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["all.backup"]
    raw = file.read_bytes()
    for word in (
        "欧阳秘密".encode(),
        b"SQLite format",
        b"pagepage",
        b"PRIVATE KEY",
        (data / "secrets/master.key").read_bytes(),
    ):
        assert word not in raw
    assert hall.services.audit.find(action="backup.").items[0].action == "backup.write"
    hall.services.close()
    kept = {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and "logs" not in path.parts}
    before = restoring.restore(hall.services.config, file, Secret(OPENER), START)
    assert before is not None
    again = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    files = {path.relative_to(data).as_posix() for path in again}
    assert files >= {"server.db", "secrets/master.key", "server.toml", "tls/ca.key", "tls/server.pem"}
    page = data / "files" / PAGE_NAME[:2] / PAGE_NAME
    assert again[page] == kept[page]
    assert not [path for path in again if path.name == "half"], "a counter sends again what was on its way"
    assert again[data / "tls/ca.pem"] == kept[data / "tls/ca.pem"]
    with reading(data) as session:
        assert docs(session, "memo")["m-1"]["text"] == "欧阳秘密"
    connection = sqlite3.connect(data / "server.db")
    assert connection.execute("SELECT count(*) FROM epoch").fetchone() == (0,), "the next start makes a new epoch"
    connection.close()
    assert {path.stat().st_mode & 0o077 for path in again} == {0}
    with central(data) as restored:
        with restored.services.blobs.files.open(restored.services.blobs.path(PAGE_NAME), PAGE_NAME) as file:
            assert file.read() == PAGE
        assert restored.services.identity.epoch != hall.services.identity.epoch
        assert restored.services.identity.private_key == hall.services.identity.private_key
        assert [link.action for link in restored.services.audit.find(action="backup.").items] == ["backup.restore"]
        assert restored.services.audit.verify().broken_at is None


def test_a_backup_of_old_with_pages_in_clear_is_brought_back_and_sealed(hall: Central, tmp_path: Path) -> None:
    data = hall.services.config.data
    old = data / "blobs" / PAGE_NAME[:2] / PAGE_NAME
    old.parent.mkdir(parents=True)
    old.write_bytes(PAGE)
    hall.services.blobs.path(PAGE_NAME).unlink()
    file = made_backup(hall, tmp_path / "old.backup")
    hall.services.close()
    restoring.restore(hall.services.config, file, Secret(OPENER), START)
    assert old.read_bytes() == PAGE
    with central(data) as restored:
        assert not old.exists()
        with restored.services.blobs.files.open(restored.services.blobs.path(PAGE_NAME), PAGE_NAME) as opened:
            assert opened.read() == PAGE


def test_a_damaged_a_cut_and_a_foreign_backup_change_nothing(hall: Central, tmp_path: Path) -> None:
    file = made_backup(hall, tmp_path / "all.backup")
    hall.services.close()
    data, whole = hall.services.config.data, file.read_bytes()
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and not path.name.endswith("-shm")}
    damage = bytearray(whole)
    damage[len(whole) // 2] ^= 1
    for content, secret, code in (
        (bytes(damage), OPENER, "SRV-035"),
        (whole[: len(whole) // 2], OPENER, "SRV-035"),
        (whole[:-1], OPENER, "SRV-035"),
        (b"", OPENER, "SRV-035"),
        (whole, new_pair()[0], "SRV-034"),
        (sealed(b"no tar", RECIPIENT), OPENER, "SRV-035"),
    ):
        file.write_bytes(content)
        with pytest.raises(GovDeskError, match=code):
            restoring.restore(hall.services.config, file, Secret(secret), START)
        after = {
            path: path.read_bytes() for path in data.rglob("*") if path.is_file() and not path.name.endswith("-shm")
        }
        assert after == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["all.backup", "server"]


def test_a_running_server_is_not_restored_over(hall: Central, tmp_path: Path) -> None:
    file = made_backup(hall, tmp_path / "all.backup")
    with pytest.raises(GovDeskError, match="SRV-037"):
        restoring.restore(hall.services.config, file, Secret(OPENER), START)
    assert hall.services.people.find("", 0, 10).total == 1


def test_a_full_disk_leaves_yesterdays_backup(hall: Central, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "all.backup"
    out.write_bytes(b"the backup of yesterday")
    right = Writer._put

    def full(self: Any, chunk: bytes, *, last: bool) -> None:
        if self._number == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        right(self, chunk, last=last)

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "_put", full)
        with pytest.raises(GovDeskError, match="SRV-036"):
            made_backup(hall, out)
    assert out.read_bytes() == b"the backup of yesterday"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.backup", "server"]
    made_backup(hall, out)
    hall.services.close()
    with monkeypatch.context() as patch:
        patch.setattr(backup.os, "fdopen", lambda *arguments: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(GovDeskError, match="SRV-036"):
            restoring.restore(hall.services.config, out, Secret(OPENER), START)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.backup", "server"]


def test_the_job_keeps_so_many(tmp_path: Path) -> None:
    own = {"backup_folder": str(tmp_path / "kept"), "backup_to": RECIPIENT, "backup_keep": 2, "backup_seconds": 3600}
    from dataclasses import replace

    with central(tmp_path / "server", settings=replace(QUICK, **own)) as hall:
        (tmp_path / "kept").mkdir()
        (tmp_path / "kept" / "notes.txt").write_text("mine", "utf-8")
        for _ in range(4):
            hall.clock.advance(3600)
            hall.services.scheduler.run_due()
        names = sorted(path.name for path in (tmp_path / "kept").iterdir())
        hours = [START + timedelta(hours=n) for n in (3, 4)]
        assert names == [backup.NAME.format(at=hour) for hour in hours] + ["notes.txt"]
    target = Config(tmp_path / "elsewhere")
    assert restoring.restore(target, tmp_path / "kept" / names[1], Secret(OPENER), START) is None
    assert (tmp_path / "elsewhere" / "server.db").exists()


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True))
def test_a_backup_changed_anywhere_is_refused(hall: Central, tmp_path: Path, place: float) -> None:
    file = tmp_path / "one.backup"
    if not file.exists():
        made_backup(hall, file)
    changed = bytearray(file.read_bytes())
    changed[int(place * len(changed))] ^= 4
    (tmp_path / "changed").write_bytes(changed)
    with pytest.raises(GovDeskError, match=r"SRV-03[45]"):
        backup.unpack(tmp_path / "changed", Secret(OPENER), tmp_path / f"out{place}")
