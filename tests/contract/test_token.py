"""A token behind its host process: the real PKCS #11 path, on SoftHSM."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from devices.host import HostedDriver
from devices.ports import DeviceError
from devices.token import HostedToken
from tests.support.certificates import Authority
from tests.support.softhsm import PIN, SoftToken, soft_token

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PEER = ec.generate_private_key(ec.SECP256R1()).public_key()


@pytest.fixture
def authority() -> Authority:
    return Authority("某市电子认证", NOW)


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., HostedToken]]:
    made = []

    def host(token: SoftToken | None = None, library: str = "") -> HostedToken:
        for name, value in (token.environment if token else {}).items():
            monkeypatch.setenv(name, value)
        path = library or (token.library if token else "")
        command = [sys.executable, "-m", "devices.host", "pkcs11"]
        made.append(HostedDriver("pkcs11", {"library": path}, command=command))
        return HostedToken(made[-1])

    yield host
    for driver in made:
        driver.close()


def code_of(work: Callable[[], object]) -> str:
    with pytest.raises(DeviceError) as caught:
        work()
    return caught.value.code


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_key_signs_and_makes_its_secret(
    tmp_path: Path, authority: Authority, hosted: Callable[..., HostedToken], kind: str
) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    token = hosted(soft_token(tmp_path, authority, kind))
    (key,) = token.certificates()
    assert (key.token, key.name) == ("govdesk-test", "张三")
    signer = token.unlock(key, PIN)
    public = x509.load_der_x509_certificate(signer.certificate).public_key()
    signature = signer.sign("挑战".encode())
    if isinstance(public, rsa.RSAPublicKey):
        public.verify(signature, "挑战".encode(), padding.PKCS1v15(), SHA256())
    else:
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(signature, "挑战".encode(), ec.ECDSA(SHA256()))
    peer = PEER.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    secret = signer.secret(b"salt" * 8, peer)
    assert secret is not None
    assert len(secret) == 32
    token.lock(key)
    assert code_of(lambda: signer.sign(b"x")) == "DEV-506"
    again = token.unlock(key, PIN)
    assert again.secret(b"salt" * 8, peer) == secret
    assert again.secret(b"sale" * 8, peer) != secret


def test_a_key_for_signing_alone_makes_no_secret(
    tmp_path: Path, authority: Authority, hosted: Callable[..., HostedToken]
) -> None:
    token = hosted(soft_token(tmp_path, authority, "ec", derives=False))
    (key,) = token.certificates()
    signer = token.unlock(key, PIN)
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    assert signer.secret(b"salt" * 8, PEER.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)) is None
    assert signer.sign(b"x")


def test_a_wrong_pin_says_what_the_token_says_of_the_tries_left(
    tmp_path: Path, authority: Authority, hosted: Callable[..., HostedToken]
) -> None:
    token = hosted(soft_token(tmp_path, authority))
    (key,) = token.certificates()
    with pytest.raises(DeviceError) as caught:
        token.unlock(key, "000000")
    assert caught.value.code == "DEV-503"
    assert "剩下的次数不多" in caught.value.message
    assert "000000" not in str(caught.value)
    assert code_of(lambda: token.unlock(key, "")) == "DEV-503"
    token.unlock(key, PIN)
    with pytest.raises(DeviceError):
        token.unlock(key, "wrong")
    assert code_of(lambda: token.use("sign", key, message=b"x")) == "DEV-506", "a wrong PIN locks what was open"


def test_a_token_that_is_pulled_out_is_missed_and_found_again(
    tmp_path: Path, authority: Authority, hosted: Callable[..., HostedToken]
) -> None:
    soft = soft_token(tmp_path, authority)
    token = hosted(soft)
    (key,) = token.certificates()
    signer = token.unlock(key, PIN)
    assert signer.present()
    soft.pull_out()
    assert not signer.present()
    assert code_of(lambda: token.unlock(key, PIN)) == "DEV-502"
    assert code_of(token.certificates) == "DEV-502"
    soft.put_in()
    assert token.unlock(key, PIN).present()
    assert [each.certificate for each in token.certificates()] == [key.certificate]
    assert token.unlock(key, PIN).present()


def test_a_library_that_is_none_is_told(hosted: Callable[..., HostedToken], tmp_path: Path) -> None:
    (tmp_path / "none.so").write_bytes(b"no library")
    assert code_of(hosted(library=str(tmp_path / "none.so")).certificates) == "DEV-501"
    assert code_of(hosted(library="/nowhere/x.so").certificates) == "DEV-501"
