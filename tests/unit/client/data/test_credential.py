"""The device's key: never in clear on the disk, opened by the keyring or by whoever signs in, renewed in time."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from client.data.credential import Credential, spki_sha256
from client.data.keys import KdfCost, KeyRing
from client.data.profile import Device, Profile, write_atomically
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError
from server_stub import tls
from tests.support.vaults import FakeVault

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
DEVICE = Device("https://127.0.0.1:8443", "d-1", "3号窗", "hall-1", "3411A")
ESCROW = b"e" * 32


class Computer:
    """A profile whose program can be started again, and the authority that signs for it."""

    def __init__(self, folder: Path, vault: FakeVault | None) -> None:
        self.folder, self.vault = folder, vault
        self.clock = FixedClock(NOW)
        self.authority = tls.ensure(folder / "tls", [], NOW)
        self.start()

    def start(self) -> None:
        self.profile = Profile(self.folder / "profile", vault=self.vault.spoken() if self.vault else None)
        self.keys = KeyRing(self.profile, KdfCost(1, 64, 1))
        self.credential = Credential(self.profile, self.keys, self.clock)

    def restart(self) -> None:
        self.profile.close()
        self.start()

    def enrol(self) -> bytes:
        """As ``sync.enrolment`` does; the store key."""
        write_atomically(self.profile.ca, self.authority.ca.read_bytes())
        key = self.keys.create(ESCROW)
        self.credential.opened(key)
        self.credential.accept(self.signed())
        self.profile.save_device(DEVICE)
        self.credential.named()
        return key

    def signed(self, days: int = 180) -> str:
        return tls.issue(self.authority, self.credential.request(), "d-1", self.clock.now(), days).pem

    def shows(self) -> bool:
        """Whether a line opened now shows the certificate."""
        self.credential.context()
        return self.credential.header == ""

    def on_disk(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.profile.path.rglob("*") if path.is_file())


@pytest.fixture(params=["keyring", "none"])
def vault(request: pytest.FixtureRequest) -> FakeVault | None:
    return FakeVault() if request.param == "keyring" else None


@pytest.fixture
def computer(tmp_path: Path, vault: FakeVault | None) -> Iterator[Computer]:
    made = Computer(tmp_path, vault)
    yield made
    made.profile.close()


def test_the_key_opens_by_the_keyring_or_by_the_store_key(computer: Computer) -> None:
    assert computer.credential.header == ""
    assert not computer.profile.certificate.exists()
    key = computer.enrol()
    assert computer.shows()
    computer.restart()
    if computer.vault is None:
        assert not computer.credential.opens
        assert computer.credential.header == "d-1"
        computer.credential.opened(key)
    assert computer.credential.opens
    assert computer.shows()


def test_no_secret_lies_in_clear(computer: Computer) -> None:
    computer.enrol()
    pem = computer.profile.certificate.read_bytes()
    with pytest.raises(TypeError, match="encrypted"):
        load_pem_private_key(pem, None)
    secret = computer.credential._secret
    assert secret is not None
    key = load_pem_private_key(pem, secret.encode())
    assert secret.encode() not in computer.on_disk()
    for coded in (key.private_numbers().private_value.to_bytes(32),):  # type: ignore[union-attr]
        assert coded not in computer.on_disk()
    assert computer.profile.certificate.stat().st_mode & 0o777 == 0o600


def test_a_locked_keyring_is_said_in_words_and_the_store_key_opens_instead(tmp_path: Path) -> None:
    vault = FakeVault()
    computer = Computer(tmp_path, vault)
    key = computer.enrol()
    computer.restart()
    vault.locked = True
    assert computer.credential.header == "d-1"
    trouble = computer.credential.trouble
    assert trouble is not None
    assert (trouble.code, "锁定" in trouble.message) == ("DATA-040", True)
    assert computer.credential.keyless
    computer.credential.opened(key)
    assert computer.shows()
    computer.restart()
    vault.locked = False
    assert computer.shows()
    assert computer.credential.trouble is None
    computer.profile.close()


def test_a_keyring_that_lost_it_or_came_later_is_told_at_the_next_sign_in(tmp_path: Path) -> None:
    vault = FakeVault()
    computer = Computer(tmp_path, None)
    key = computer.enrol()
    for forget in (False, True):
        if forget:
            vault.kept.clear()
        computer.vault = vault
        computer.restart()
        assert computer.credential.header == "d-1"
        computer.credential.opened(key)
        computer.restart()
        assert computer.shows()
    computer.profile.close()


def test_a_token_of_old_serves_until_there_is_a_certificate_and_is_destroyed_then(computer: Computer) -> None:
    write_atomically(computer.profile.ca, computer.authority.ca.read_bytes())
    computer.profile.save_device(DEVICE)
    if computer.vault is None:
        write_atomically(computer.profile.path / "device.token", b"0123token")
    else:
        computer.vault.kept["govdesk", "device:d-1"] = "0123token"
    assert computer.credential.header == "d-1:0123token"
    assert not computer.credential.due, "before somebody has signed in there is nowhere to keep a key"
    computer.credential.opened(computer.keys.create(ESCROW))
    assert computer.credential.due
    computer.credential.accept(computer.signed())
    assert computer.shows()
    assert computer.profile.token() == ""
    assert b"0123token" not in computer.on_disk()
    if computer.vault is not None:
        assert ("govdesk", "device:d-1") not in computer.vault.kept


def test_it_is_renewed_at_half_of_its_time_and_not_shown_after_its_end(computer: Computer) -> None:
    computer.enrol()
    first, generation = computer.profile.certificate.read_bytes(), computer.credential.generation
    assert not computer.credential.due
    computer.clock.advance(timedelta(days=89).total_seconds())
    assert not computer.credential.due
    computer.clock.advance(timedelta(days=1).total_seconds())
    assert computer.credential.due
    computer.credential.accept(computer.signed())
    assert not computer.credential.due
    assert computer.credential.generation > generation
    second = computer.profile.certificate.read_bytes()
    keys = [x509.load_pem_x509_certificate(pem).public_key() for pem in (first, second)]
    assert keys[0] != keys[1], "a renewed certificate is for a new key"
    computer.clock.advance(timedelta(days=181).total_seconds())
    assert not computer.credential.due
    assert computer.credential.header == "d-1"


def test_a_certificate_for_another_key_is_not_taken(computer: Computer) -> None:
    computer.enrol()
    stranger = computer.signed()
    kept = computer.profile.certificate.read_bytes()
    computer.credential._pending = None
    computer.credential.request()
    for wrong in (stranger, "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(GovDeskError) as caught:
            computer.credential.accept(wrong)
        assert caught.value.code == "NET-010"
    assert computer.profile.certificate.read_bytes() == kept
    assert computer.shows()


def test_a_damaged_key_is_not_shown_and_stops_nothing(computer: Computer) -> None:
    key = computer.enrol()
    pem = computer.profile.certificate.read_bytes()
    computer.profile.certificate.write_bytes(pem.replace(b"\nM", b"\nN", 1))
    computer.restart()
    computer.credential.opened(key)
    assert isinstance(computer.credential.context(), ssl.SSLContext)
    assert computer.credential.header == "d-1"


def test_the_servers_keys_are_learned(computer: Computer) -> None:
    computer.enrol()
    assert computer.credential.pins == frozenset()
    computer.credential.learn(computer.authority.pins)
    computer.credential.learn([])
    computer.restart()
    assert computer.credential.pins == set(computer.authority.pins)
    der = ssl.PEM_cert_to_DER_cert(computer.authority.certificate.read_text())
    assert spki_sha256(der) == computer.authority.pins[0]
