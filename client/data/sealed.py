"""Encrypted files that are written and read in pieces, so that a gigabyte needs no gigabyte of memory.

A file is eight bytes of name of the format, 16 random bytes, and the content in pieces of 64 KiB, each sealed by
AES-256-GCM (NIST SP 800-38D) under a key of the file's own, which is bound to its name. A piece's nonce is its number
and whether it is the last one: pieces that are swapped, dropped or cut off are noticed (the STREAM construction of
Hoang, Reyhanitabar, Rogaway and Vizár, CRYPTO 2015). Files of the first format, 12 bytes of nonce and one sealed
piece, are read as well.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import IO

FORMAT = b"GDBLOB2\n"
PIECE = 64 * 1024
_SALT = 16
_TAG = 16
_NONCE = 12
_HEAD = len(FORMAT) + _SALT


class Damaged(Exception):
    """A file is not what was written, or its key is another."""


def seal(target: IO[bytes], key: bytes, name: str, chunks: Iterable[bytes]) -> None:
    """Write the content that ``chunks`` make up, encrypted."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt = secrets.token_bytes(_SALT)
    target.write(FORMAT + salt)
    aead = AESGCM(_file_key(key, salt, name))
    number, held = 0, bytearray()
    for chunk in chunks:
        held += chunk
        # one byte stays behind: the last piece has to know that it is the last
        while len(held) > PIECE:
            target.write(aead.encrypt(_nonce(number, last=False), bytes(held[:PIECE]), None))
            del held[:PIECE]
            number += 1
    target.write(aead.encrypt(_nonce(number, last=True), bytes(held), None))


class Sealed:
    """An encrypted file, opened for reading; a context manager. Raises ``FileNotFoundError``, ``Damaged``."""

    def __init__(self, path: Path, key: bytes, name: str) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._file = path.open("rb")
        head = self._file.read(_HEAD)
        stored = os.fstat(self._file.fileno()).st_size
        self._old: bytes | None = None
        if not head.startswith(FORMAT):
            self._old = self._whole(key, name)
            self.size = len(self._old)
            return
        self._aead = AESGCM(_file_key(key, head[len(FORMAT) :], name))
        full, rest = divmod(stored - _HEAD, PIECE + _TAG)
        if 0 < rest < _TAG or stored <= _HEAD:
            self._file.close()
            raise Damaged("cut off")
        self._last = full - 1 if rest == 0 else full
        self.size = full * PIECE + (rest - _TAG if rest else 0)

    def __enter__(self) -> Sealed:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, offset: int = 0, count: int = -1) -> bytes:
        """``count`` bytes from ``offset`` on, all if negative; fewer at the end."""
        end = self.size if count < 0 else min(self.size, offset + count)
        if self._old is not None:
            return self._old[offset:end]
        read = bytearray()
        first = offset // PIECE
        for number in range(first, max(first, -(-end // PIECE))):
            read += self._piece(number)
        return bytes(read[offset - first * PIECE : end - first * PIECE])

    def _piece(self, number: int) -> bytes:
        from cryptography.exceptions import InvalidTag

        self._file.seek(_HEAD + number * (PIECE + _TAG))
        try:
            return self._aead.decrypt(_nonce(number, last=number == self._last), self._file.read(PIECE + _TAG), None)
        except (InvalidTag, ValueError) as error:
            raise Damaged(f"piece {number}") from error

    def _whole(self, key: bytes, name: str) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._file.seek(0)
        sealed = self._file.read()
        try:
            return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
        except (InvalidTag, ValueError) as error:
            self._file.close()
            raise Damaged("whole") from error


def _file_key(key: bytes, salt: bytes, name: str) -> bytes:
    return hmac.new(key, FORMAT + salt + name.encode(), hashlib.sha256).digest()


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_NONCE - 1, "big") + bytes([last])
