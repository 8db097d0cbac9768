"""What the server keeps sealed or only as a keyed hash: the one place that would change with another seal."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server_stub.identity import Identity

_NONCE = 12


class Secrets:
    """Seals (RFC 8439) and hashes (HMAC-SHA-256) under keys that follow from the server's own (RFC 5869)."""

    def __init__(self, identity: Identity) -> None:
        self._root = identity.private_key

    def seal(self, secret: bytes, purpose: str) -> str:
        """``secret`` in a form that only this server opens, and only for the same ``purpose``."""
        nonce = secrets.token_bytes(_NONCE)
        return (nonce + ChaCha20Poly1305(self._key("seal")).encrypt(nonce, secret, purpose.encode())).hex()

    def unseal(self, sealed: str, purpose: str) -> bytes:
        """What was sealed. Raises ``ValueError`` for what this server did not seal for ``purpose``."""
        data = bytes.fromhex(sealed)
        try:
            return ChaCha20Poly1305(self._key("seal")).decrypt(data[:_NONCE], data[_NONCE:], purpose.encode())
        except InvalidTag as error:
            raise ValueError(purpose) from error

    def fingerprint(self, text: str, purpose: str) -> str:
        """A hash that cannot be searched without the server's key."""
        return hmac.digest(self._key("hash"), f"{purpose}\n{text}".encode(), sha256).hex()

    def _key(self, use: str) -> bytes:
        return HKDF(SHA256(), 32, salt=None, info=f"govdesk sign-in {use}".encode()).derive(self._root)
