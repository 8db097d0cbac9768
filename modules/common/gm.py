"""Chinese national cryptography (国密) as this suite uses it."""

from __future__ import annotations

TAG = 16
"""Bytes of an SM4-GCM tag."""
NONCE = 12
"""Bytes of an SM4-GCM nonce."""


def sm3(data: bytes) -> bytes:
    """The 32-byte SM3 digest of ``data`` (GB/T 32905-2016)."""
    from cryptography.hazmat.primitives.hashes import SM3, Hash

    digest = Hash(SM3())
    digest.update(data)
    return digest.finalize()


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    """The 32-byte HMAC of ``data`` under ``key`` with SM3 (GB/T 15852.2-2012)."""
    from cryptography.hazmat.primitives.hashes import SM3
    from cryptography.hazmat.primitives.hmac import HMAC

    code = HMAC(key, SM3())
    code.update(data)
    return code.finalize()


class Sm4Gcm:
    """SM4 (GB/T 32907-2016) in Galois/counter mode (RFC 8998) under one key of 16 bytes.

    A nonce must never come twice under one key; with random ones that holds for 2^32 messages (NIST SP 800-38D, 8.3).
    """

    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.algorithms import SM4

        self._algorithm = SM4(key)

    def seal(self, nonce: bytes, text: bytes, bound: bytes) -> bytes:
        """Ciphertext and tag of ``text``; ``bound`` is authenticated with it and not kept."""
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.modes import GCM

        encryptor = Cipher(self._algorithm, GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(bound)
        return encryptor.update(text) + encryptor.finalize() + encryptor.tag

    def open(self, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
        """What ``seal`` was given. Raises ``ValueError`` when a bit of key, nonce, text, tag or ``bound`` differs."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.modes import GCM

        if len(sealed) < TAG:
            raise ValueError("too short for a tag")
        decryptor = Cipher(self._algorithm, GCM(nonce, sealed[-TAG:])).decryptor()
        decryptor.authenticate_additional_data(bound)
        try:
            return decryptor.update(sealed[:-TAG]) + decryptor.finalize()
        except InvalidTag as error:
            raise ValueError("the tag does not fit") from error
