"""SM4 (GB/T 32907-2016) in the modes that documents and stores need."""

from __future__ import annotations

TAG = 16
"""Bytes of an SM4-GCM tag."""
NONCE = 12
"""Bytes of an SM4-GCM nonce."""
BLOCK = 16
"""Bytes of an SM4 block, of its key and of an initial vector."""


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


def cbc_encrypt(key: bytes, iv: bytes, text: bytes) -> bytes:
    """``text`` in CBC mode with PKCS #7 padding (GB/T 17964-2021). Nothing guards it against change."""
    from cryptography.hazmat.primitives.padding import PKCS7

    padder = PKCS7(8 * BLOCK).padder()
    return _run(key, "CBC", iv, padder.update(text) + padder.finalize(), encrypt=True)


def cbc_decrypt(key: bytes, iv: bytes, sealed: bytes) -> bytes:
    """What ``cbc_encrypt`` was given. Raises ``ValueError`` when the padding cannot be."""
    from cryptography.hazmat.primitives.padding import PKCS7

    unpadder = PKCS7(8 * BLOCK).unpadder()
    return unpadder.update(_run(key, "CBC", iv, sealed, encrypt=False)) + unpadder.finalize()


def ctr(key: bytes, counter: bytes, text: bytes) -> bytes:
    """``text`` in counter mode from the first ``counter`` block of 16 bytes; the same call takes it back."""
    return _run(key, "CTR", counter, text, encrypt=True)


def _run(key: bytes, mode: str, start: bytes, text: bytes, *, encrypt: bool) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, modes
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4

    cipher = Cipher(SM4(key), modes.CBC(start) if mode == "CBC" else modes.CTR(start))
    run = cipher.encryptor() if encrypt else cipher.decryptor()
    return run.update(text) + run.finalize()
