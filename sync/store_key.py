"""How the store key is come by at a sign-in, and for whom it is wrapped from then on."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Protocol

from modules.common.errors import GovDeskError

if TYPE_CHECKING:
    from client.data.keys import KeyRing

WRONG = "AUTH-002"


class Signer(Protocol):
    """A key on a token, unlocked. Its calls block."""

    @property
    def certificate(self) -> bytes:
        """The key's certificate (DER)."""
        ...

    def sign(self, message: bytes) -> bytes:
        """RSA PKCS #1 v1.5 or ECDSA (DER), both with SHA-256."""
        ...

    def secret(self, salt: bytes, peer: bytes) -> bytes | None:
        """32 bytes that this key alone makes of ``salt`` and ``peer``, always the same; None where it can't."""
        ...


def fingerprint(certificate: bytes) -> str:
    """SHA-256 of a certificate in DER, 64 hex digits."""
    return hashlib.sha256(certificate).hexdigest()


def by_escrow(keys: KeyRing, escrow: bytes) -> bytes:
    """The store key, which is made where there is none yet."""
    if not keys.exists():
        return keys.create(escrow)
    try:
        return keys.open_with_escrow(escrow)
    except GovDeskError:
        kept = keys.open_with_keyring()
        if kept is None:
            raise
        return kept


def by_password(keys: KeyRing, login: str, password: str, escrow: bytes) -> bytes:
    """The store key by the person's wrap; by escrow for a new person or a password set at the server."""
    if keys.exists() and keys.knows(login):
        try:
            return keys.open_with_password(login, password)
        except GovDeskError as error:
            if error.code != WRONG:
                raise
    key = by_escrow(keys, escrow)
    keys.add_person(login, password, key)
    return key


def for_token(keys: KeyRing, signer: Signer, login: str, escrow: bytes) -> bytes:
    """The store key, which the token opens from now on without the server, too, if its key can do that."""
    from client.data.keys import TokenWrap

    key = by_escrow(keys, escrow)
    name = fingerprint(signer.certificate)
    known = keys.token(name)
    if known is None or known.login != login:
        wrap = TokenWrap(login, secrets.token_bytes(32), _random_point())
        if secret := signer.secret(wrap.salt, wrap.peer):
            keys.add_token(name, wrap, secret, key)
    return key


def proves_itself(signer: Signer) -> bool:
    """Whether the token holds the key of the certificate that it shows."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    message = b"GovDesk unlock\n" + secrets.token_bytes(32)
    signature = signer.sign(message)
    key = x509.load_der_x509_certificate(signer.certificate).public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, message, padding.PKCS1v15(), SHA256())
            return True
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, message, ec.ECDSA(SHA256()))
            return True
    except InvalidSignature:
        return False
    return False


def _random_point() -> bytes:
    """A point of P-256 whose own key is forgotten at once."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    return point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
