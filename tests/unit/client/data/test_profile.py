"""The profile folder: private, held by one process, its secrets where they belong."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from client.data.profile import Device, Profile, disk_full_in_words, read_json, real_vault, write_atomically
from modules.common.errors import GovDeskError

DEVICE = Device("https://127.0.0.1:8443", "d-1", "3号窗", "hall-1", "3411A")


def backend(module: str, name: str, **attributes: object) -> object:
    return type(name, (), {"__module__": module, **attributes})()


def test_only_its_owner_may_look_in(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir(mode=0o755)
    with Profile(tmp_path / "p") as profile:
        profile.save_device(DEVICE)
        assert profile.path.stat().st_mode & 0o777 == 0o700
        assert (profile.path / "device.json").stat().st_mode & 0o777 == 0o600


def test_a_second_copy_is_refused_in_words_until_the_first_ends(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from client.data.profile import Profile\n"
        "profile = Profile(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "p")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(GovDeskError) as caught:
            Profile(tmp_path / "p")
        assert caught.value.code == "DATA-002"
        other.kill()
    Profile(tmp_path / "p").close()


def test_the_enrolment_is_kept(tmp_path: Path) -> None:
    with Profile(tmp_path / "p") as profile:
        assert profile.device() is None
        assert profile.token() == ""
        profile.save_device(DEVICE)
    with Profile(tmp_path / "p") as profile:
        assert profile.device() == DEVICE
        assert profile.token() == ""


def test_a_damaged_file_is_told_by_name(tmp_path: Path) -> None:
    with Profile(tmp_path / "p") as profile:
        for damaged in ("{", "[]", "{}"):
            (profile.path / "device.json").write_text(damaged)
            with pytest.raises(GovDeskError, match=r"device\.json") as caught:
                profile.device()
            assert caught.value.code == "DATA-005"


def test_keyrings_that_write_plain_files_are_never_used() -> None:
    real = backend("keyring.backends.SecretService", "Keyring")
    plain = backend("keyrings.alt.file", "PlaintextKeyring")
    named_alike = backend("keyrings.alt.Windows", "WinVaultKeyring")
    assert real_vault(real) is real
    assert real_vault(backend("keyring.backends.Windows", "WinVaultKeyring")) is not None
    assert real_vault(backend("keyring.backends.kwallet", "DBusKeyring")) is not None
    assert real_vault(plain) is None
    assert real_vault(named_alike) is None
    assert real_vault(backend("keyring.backends.fail", "Keyring")) is None
    assert real_vault(backend("keyring.backends.chainer", "ChainerBackend", backends=[plain, real])) is real
    assert real_vault(backend("keyring.backends.chainer", "ChainerBackend", backends=[plain])) is None


def test_the_allowed_keyrings_exist_under_the_names_we_know() -> None:
    from keyring.backends import SecretService, Windows, kwallet

    assert SecretService.Keyring.__module__ == "keyring.backends.SecretService"
    assert Windows.WinVaultKeyring.__module__ == "keyring.backends.Windows"
    assert kwallet.DBusKeyring.__module__ == "keyring.backends.kwallet"


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    write_atomically(path, b'{"a": 1}')

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("client.data.profile.os.fsync", full)
    with pytest.raises(GovDeskError) as caught:
        write_atomically(path, b'{"a": 2}')
    assert caught.value.code == "DATA-010"
    assert read_json(path) == {"a": 1}


def test_only_a_full_disk_is_called_one() -> None:
    with pytest.raises(PermissionError), disk_full_in_words():
        raise PermissionError(errno.EACCES, "no")
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = OSError(errno.ENOSPC, "full")
    with pytest.raises(GovDeskError, match="磁盘空间不足"), disk_full_in_words():
        raise wrapped
