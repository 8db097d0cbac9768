"""The store key's wraps: each opens the one key, none is worth anything without its secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.data.keys import KdfCost, KeyRing
from client.data.profile import Profile
from modules.common.errors import GovDeskError

QUICK = KdfCost(time=1, memory=64, lanes=1)
ESCROW = b"e" * 32


class FakeVault(dict[tuple[str, str], str]):
    """A keyring in memory."""

    def get_password(self, service: str, username: str) -> str | None:
        return self.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self[service, username]


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Profile]:
    with Profile(tmp_path / "p") as profile:
        yield profile


def code_of(keys: KeyRing, login: str, password: str) -> str:
    with pytest.raises(GovDeskError) as caught:
        keys.open_with_password(login, password)
    return caught.value.code


def test_every_wrap_opens_the_same_key(profile: Profile) -> None:
    keys = KeyRing(profile, QUICK)
    assert not keys.exists()
    key = keys.create(ESCROW)
    keys.add_person("zhang", "密码一", key)
    keys.add_person("li", "密码二", key)
    again = KeyRing(profile, QUICK)
    assert len(key) == 32
    assert again.open_with_password("zhang", "密码一") == key
    assert again.open_with_password("li", "密码二") == key
    assert again.open_with_escrow(ESCROW) == key
    assert key not in profile.keys.read_bytes()
    assert profile.keys.stat().st_mode & 0o777 == 0o600


def test_a_wrong_password_and_an_unknown_person_look_alike(profile: Profile) -> None:
    keys = KeyRing(profile, QUICK)
    keys.add_person("zhang", "right", keys.create(ESCROW))
    assert code_of(keys, "zhang", "wrong") == code_of(keys, "nobody", "right") == "AUTH-002"


def test_a_wrong_escrow_key_is_told_apart(profile: Profile) -> None:
    keys = KeyRing(profile, QUICK)
    keys.create(ESCROW)
    with pytest.raises(GovDeskError) as caught:
        keys.open_with_escrow(b"x" * 32)
    assert caught.value.code == "DATA-009"


def test_a_wrap_cannot_be_passed_off_as_another_persons(profile: Profile) -> None:
    keys = KeyRing(profile, QUICK)
    keys.add_person("zhang", "right", keys.create(ESCROW))
    data = json.loads(profile.keys.read_text())
    data["people"]["manager"] = data["people"]["zhang"]
    profile.keys.write_text(json.dumps(data))
    assert code_of(keys, "manager", "right") == "AUTH-002"


def test_a_new_password_replaces_the_old_one(profile: Profile) -> None:
    keys = KeyRing(profile, QUICK)
    key = keys.create(ESCROW)
    keys.add_person("zhang", "old", key)
    keys.add_person("zhang", "new", key)
    assert keys.open_with_password("zhang", "new") == key
    assert code_of(keys, "zhang", "old") == "AUTH-002"


def test_a_forgotten_person_needs_the_server(profile: Profile) -> None:
    keys = KeyRing(profile, QUICK)
    key = keys.create(ESCROW)
    keys.add_person("zhang", "right", key)
    keys.forget_person("zhang")
    assert not keys.knows("zhang")
    assert code_of(keys, "zhang", "right") == "AUTH-002"
    assert keys.open_with_escrow(ESCROW) == key


def test_the_system_keyring_opens_it_where_there_is_a_real_one(tmp_path: Path) -> None:
    vault = FakeVault()
    with Profile(tmp_path / "p", vault=vault) as profile:
        key = KeyRing(profile, QUICK).create(ESCROW)
        assert KeyRing(profile, QUICK).open_with_keyring() == key
        vault.clear()
        assert KeyRing(profile, QUICK).open_with_keyring() is None
    with Profile(tmp_path / "q") as profile:
        KeyRing(profile, QUICK).create(ESCROW)
        assert KeyRing(profile, QUICK).open_with_keyring() is None


def test_the_cost_is_kept_with_each_wrap(profile: Profile) -> None:
    key = KeyRing(profile, QUICK).create(ESCROW)
    KeyRing(profile, QUICK).add_person("zhang", "a", key)
    KeyRing(profile, KdfCost(time=2, memory=128, lanes=1)).add_person("li", "b", key)
    people = json.loads(profile.keys.read_text())["people"]
    assert (people["zhang"]["kdf"]["time"], people["li"]["kdf"]["time"]) == (1, 2)
    assert KeyRing(profile).open_with_password("li", "b") == key


def test_a_second_key_is_never_made_over_the_first(profile: Profile) -> None:
    KeyRing(profile, QUICK).create(ESCROW)
    with pytest.raises(FileExistsError):
        KeyRing(profile, QUICK).create(ESCROW)


def test_a_damaged_file_is_told(profile: Profile) -> None:
    profile.keys.write_text('{"format": 2, "people": {}}')
    with pytest.raises(GovDeskError) as caught:
        KeyRing(profile, QUICK).open_with_password("zhang", "x")
    assert caught.value.code == "DATA-005"


def test_who_needs_a_code_is_remembered_through_a_new_password(profile: Profile) -> None:
    keys = KeyRing(profile, QUICK)
    key = keys.create(ESCROW)
    keys.note_code("zhang", True)
    assert not keys.needs_code("zhang"), "nobody without a wrap is remembered"
    keys.add_person("zhang", "first", key)
    assert not keys.needs_code("zhang")
    keys.note_code("zhang", True)
    keys.add_person("zhang", "second", key)
    assert keys.needs_code("zhang")
    assert not keys.needs_code("li")
    keys.note_code("zhang", False)
    assert not keys.needs_code("zhang")
    keys.note_code("zhang", True)
    keys.add_person("zhang", "of this computer", key, local=True)
    assert not keys.needs_code("zhang"), "a password of this computer alone is no matter of the server's codes"
