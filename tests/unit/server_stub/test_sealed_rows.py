"""Sealing rows, the blind index, and the keys around them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

from modules.common.errors import GovDeskError
from server_stub import keyring
from server_stub.sealing import KEY_BYTES, Sealing, numbers_in, plain_number, version_of
from server_stub.tables import ChangeRow, Device, EventRow, Person, SealingKey

ONE = {1: bytes(range(KEY_BYTES))}
TWO = {**ONE, 2: bytes(range(1, KEY_BYTES + 1))}


def with_keys(keys: dict[int, bytes]) -> Sealing:
    made = Sealing()
    made.use(keys)
    return made


@given(st.text(), st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0")), st.integers(0, 2**62))
def test_what_is_sealed_opens_in_its_row_alone(text: str, scope: str, seq: int) -> None:
    sealing = with_keys(ONE)
    sealed = sealing.seal(ChangeRow, (scope, seq), text)
    assert sealing.open(ChangeRow, (scope, seq), sealed) == text
    for table, key in ((ChangeRow, (scope, seq + 1)), (ChangeRow, (scope + "x", seq)), (EventRow, (scope, seq))):
        with pytest.raises(GovDeskError, match="SRV-053"):
            sealing.open(table, key, sealed)


@given(st.text(), st.data())
def test_any_changed_byte_is_noticed(text: str, data: st.DataObject) -> None:
    sealing = with_keys(ONE)
    sealed = bytearray(sealing.seal(Person, ("p",), text))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(GovDeskError, match="SRV-053"):
        sealing.open(Person, ("p",), bytes(sealed))
    with pytest.raises(GovDeskError, match="SRV-053"):
        sealing.open(Person, ("p",), bytes(sealed[:place]))


def test_a_nonce_does_not_come_twice() -> None:
    sealing = with_keys(ONE)
    sealed = [sealing.seal(Person, ("p",), "张三") for _ in range(1000)]
    assert len({value[3:15] for value in sealed}) == len(sealed)


def test_the_newest_key_seals_and_every_key_opens() -> None:
    old, new = with_keys(ONE), with_keys(TWO)
    sealed = old.seal(Device, ("d",), "x")
    assert new.open(Device, ("d",), sealed) == "x"
    assert (version_of(sealed), version_of(new.seal(Device, ("d",), "x"))) == (1, 2)
    with pytest.raises(GovDeskError, match="SRV-053"):
        old.open(Device, ("d",), new.seal(Device, ("d",), "x"))
    # another process has made a key meanwhile: it is fetched when a value names it
    old.reload = lambda: old.use(TWO)
    assert old.open(Device, ("d",), new.seal(Device, ("d",), "x")) == "x"
    assert new.blind("341103199005120015") == new.blinds("341103 19900512 0015")[0]
    assert with_keys(ONE).blind("341103199005120015") == new.blinds("341103199005120015")[1]
    assert len({new.blind("341103199005120015"), new.blind("341103199005120016")}) == 2


def test_without_keys_nothing_is_sealed_or_opened() -> None:
    with pytest.raises(GovDeskError, match="SRV-050"):
        Sealing().seal(Person, ("p",), "x")
    with pytest.raises(GovDeskError, match="SRV-050"):
        Sealing().open(Person, ("p",), with_keys(ONE).seal(Person, ("p",), "x"))


def test_numbers_are_found_however_they_were_typed() -> None:
    assert plain_number("+86 139-0000-0000") == plain_number("13900000000") == plain_number("１３９ ００００００００")
    assert plain_number("11010519491231002x") == "11010519491231002X"
    words = (
        "张三 11010519491231002x 139-0000-0000 居住登记 3411A2612000010 E12345678 91340000MA2T123456 2026年 12号 A12"
    )
    assert numbers_in(words) == {
        "11010519491231002X",
        "13900000000",
        "3411A2612000010",
        "E12345678",
        "91340000MA2T123456",
    }


# -- the keys


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    SealingKey.__table__.create(made)  # type: ignore[attr-defined]
    return made


def test_the_first_start_makes_keys_and_the_next_finds_them(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "master.key"
    made = keyring.load(engine, path, "2026")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [path.name for path in path.parent.iterdir()] == ["master.key"]
    assert {version: len(key) for version, key in made.items()} == {1: KEY_BYTES}
    assert keyring.load(engine, path, "2026") == made
    with Session(engine) as session:
        (wrapped,) = session.execute(select(SealingKey.wrapped)).scalars()
    assert made[1][:16] not in wrapped
    assert made[1] not in (tmp_path / "x.db").read_bytes()


def test_a_lost_a_foreign_and_a_broken_master_key_say_so(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    made = keyring.load(engine, path, "2026")
    right = path.read_bytes()
    path.unlink()
    with pytest.raises(GovDeskError, match="SRV-051"):
        keyring.load(engine, path, "2026")
    assert not path.exists(), "a lost key must not be replaced by one that opens nothing"
    keyring.make_master(path)
    with pytest.raises(GovDeskError, match="SRV-052"):
        keyring.load(engine, path, "2026")
    path.write_bytes(right[:40])
    with pytest.raises(GovDeskError, match="SRV-051"):
        keyring.load(engine, path, "2026")
    path.write_bytes(right)
    path.chmod(0o604)
    with pytest.raises(GovDeskError, match="SRV-051"):
        keyring.load(engine, path, "2026")
    path.chmod(0o600)
    assert keyring.load(engine, path, "2026") == made


def test_where_the_master_key_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assert keyring.master_path(tmp_path, "") == tmp_path / "secrets" / "master.key"
    assert keyring.master_path(tmp_path, "/media/key/m.key") == Path("/media/key/m.key")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert keyring.master_path(tmp_path, "") == tmp_path / "secrets" / "master.key"
    (tmp_path / keyring.CREDENTIAL).write_text("x", "utf-8")
    assert keyring.master_path(tmp_path, "") == tmp_path / keyring.CREDENTIAL


@pytest.mark.parametrize("cut", ["before the commit", "before the new file is put in place", ""])
def test_a_change_of_the_master_key_may_be_cut_off_anywhere(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    path = tmp_path / "master.key"
    made = keyring.load(engine, path, "2026")
    old = path.read_bytes()

    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if cut == "before the commit":
            patch.setattr(keyring, "unwrap", killed)
        elif cut:
            patch.setattr(keyring, "_promote", killed)
        if cut:
            with pytest.raises(KeyboardInterrupt):
                keyring.change_master(engine, path)
        else:
            keyring.change_master(engine, path)
    assert keyring.load(engine, path, "2026") == made
    assert (path.read_bytes() == old) == (cut == "before the commit")
    keyring.change_master(engine, path)
    assert keyring.load(engine, path, "2026") == made
    assert not keyring.upcoming(path).exists()
