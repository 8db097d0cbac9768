"""Encrypted files that are written and read in pieces, so that a gigabyte needs no gigabyte of memory.

A file is eight bytes of mark, 16 random bytes, and the content in pieces of 64 KiB, each sealed under a key of the
file's own, which is bound to its name. A piece's nonce is its number and how it ends, so that pieces that are swapped,
dropped or cut off are noticed (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, CRYPTO 2015). At a
counter the cipher is AES-256-GCM (NIST SP 800-38D), at the server SM4-GCM (GB/T 32907-2016, RFC 8998).
"""

from __future__ import annotations

import hashlib
import hmac
import io
import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, Self

PIECE = 64 * 1024
TAG = 16
MARK = 8
_SALT = 16
_NONCE = 12
HEAD = MARK + _SALT
STORED = PIECE + TAG
"""Bytes of a whole piece as it lies in the file."""
GOES_ON, LAST, OPEN = 0, 1, 2
"""How a piece ends: another follows; the file ends; more may be added (``server_stub.blobs.growing``)."""


class Damaged(Exception):
    """A file is not what was written, or its key is another."""


class Cipher(Protocol):
    """An authenticated cipher under one key."""

    def seal(self, nonce: bytes, text: bytes) -> bytes:
        """Ciphertext and tag."""
        ...

    def open(self, nonce: bytes, sealed: bytes) -> bytes:
        """The opposite. Raises ``ValueError`` when a bit differs."""
        ...


@dataclass(frozen=True, slots=True)
class Lock:
    """How files are sealed: each begins with ``mark``, and has the cipher that salt and name give."""

    mark: bytes
    cipher: Callable[[bytes, str], Cipher]


def aes(key: bytes, mark: bytes) -> Lock:
    """AES-256-GCM; a file's key is HMAC-SHA-256 of its head and name."""

    def cipher(salt: bytes, name: str) -> Cipher:
        return _Aes(hmac.new(key, mark + salt + name.encode(), hashlib.sha256).digest())

    return Lock(mark, cipher)


def sm4(key: bytes, mark: bytes) -> Lock:
    """SM4-GCM; a file's key is HMAC-SM3 of its head and name."""
    from modules.common.gm import hmac_sm3

    def cipher(salt: bytes, name: str) -> Cipher:
        return _Sm4(hmac_sm3(key, mark + salt + name.encode())[:16])

    return Lock(mark, cipher)


class _Aes:
    def __init__(self, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._aead = AESGCM(key)

    def seal(self, nonce: bytes, text: bytes) -> bytes:
        return self._aead.encrypt(nonce, text, None)

    def open(self, nonce: bytes, sealed: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._aead.decrypt(nonce, sealed, None)
        except InvalidTag as error:
            raise ValueError("the tag does not fit") from error


class _Sm4:
    def __init__(self, key: bytes) -> None:
        from modules.common.gm import Sm4Gcm

        self._gcm = Sm4Gcm(key)

    def seal(self, nonce: bytes, text: bytes) -> bytes:
        return self._gcm.seal(nonce, text, b"")

    def open(self, nonce: bytes, sealed: bytes) -> bytes:
        return self._gcm.open(nonce, sealed, b"")


class Pieces:
    """The pieces of one file, by number."""

    def __init__(self, lock: Lock, salt: bytes, name: str) -> None:
        self._cipher = lock.cipher(salt, name)

    def seal(self, number: int, ends: int, text: bytes) -> bytes:
        """A piece as it lies in the file."""
        return self._cipher.seal(_nonce(number, ends, len(text)), text)

    def open(self, number: int, ends: int, stored: bytes) -> bytes:
        """What is in a piece. Raises ``Damaged``."""
        try:
            return self._cipher.open(_nonce(number, ends, len(stored) - TAG), stored)
        except (ValueError, OverflowError) as error:
            raise Damaged(f"piece {number}") from error


def _nonce(number: int, ends: int, size: int) -> bytes:
    # an open piece is sealed again whenever it has grown: its size keeps the nonces apart
    grown = size << 64 if ends == OPEN else 0
    return (grown | number).to_bytes(_NONCE - 1, "big") + bytes([ends])


def new_head(lock: Lock) -> bytes:
    """How a new file begins."""
    return lock.mark + secrets.token_bytes(_SALT)


def place(number: int) -> int:
    """Where in a file a piece lies."""
    return HEAD + number * STORED


def measure(stored: int) -> tuple[int, int]:
    """How many pieces a file of ``stored`` bytes has, and how many bytes are in them. Raises ``Damaged``."""
    full, rest = divmod(stored - HEAD, STORED)
    if stored <= HEAD or 0 < rest < TAG:
        raise Damaged("cut off")
    return full + bool(rest), full * PIECE + (rest - TAG if rest else 0)


def seal(target: IO[bytes], lock: Lock, name: str, chunks: Iterable[bytes]) -> None:
    """Write the content that ``chunks`` make up, encrypted."""
    head = new_head(lock)
    target.write(head)
    pieces = Pieces(lock, head[MARK:], name)
    number, held = 0, bytearray()
    for chunk in chunks:
        held += chunk
        # one byte stays behind: the last piece has to know that it is the last
        while len(held) > PIECE:
            target.write(pieces.seal(number, GOES_ON, bytes(held[:PIECE])))
            del held[:PIECE]
            number += 1
    target.write(pieces.seal(number, LAST, bytes(held)))


class Sealed:
    """An encrypted file, opened for reading; a context manager. ``lock_of`` finds the lock by a file's mark.

    ``ends`` is how its last piece ends. Raises ``FileNotFoundError``, ``Damaged``; ``KeyError`` from ``lock_of`` counts
    as damage.
    """

    def __init__(self, path: Path, lock_of: Callable[[bytes], Lock], name: str, *, ends: int = LAST) -> None:
        self._file = path.open("rb")
        try:
            head = self._file.read(HEAD)
            count, self.size = measure(os.fstat(self._file.fileno()).st_size)
            self._last, self._ends = count - 1, ends
            self._pieces = Pieces(lock_of(head[:MARK]), head[MARK:], name)
        except KeyError as error:
            self._file.close()
            raise Damaged("an unknown mark") from error
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, offset: int = 0, count: int = -1) -> bytes:
        """``count`` bytes from ``offset`` on, all if negative; fewer at the end."""
        end = self.size if count < 0 else min(self.size, offset + count)
        read = bytearray()
        first = offset // PIECE
        for number in range(first, max(first, -(-end // PIECE))):
            read += self._piece(number)
        return bytes(read[offset - first * PIECE : end - first * PIECE])

    def check_ends(self) -> None:
        """Raise ``Damaged`` when its beginning or its end is not what was written."""
        self.read(0, 1)
        self._piece(self._last)

    def stream(self) -> IO[bytes]:
        """The content as a file that is read and sought in."""
        return io.BufferedReader(_Stream(self), PIECE)  # type: ignore[type-var]

    def _piece(self, number: int) -> bytes:
        self._file.seek(place(number))
        return self._pieces.open(number, self._ends if number == self._last else GOES_ON, self._file.read(STORED))


class _Stream(io.RawIOBase):
    def __init__(self, sealed: Sealed) -> None:
        self._sealed = sealed
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._sealed.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._sealed.read(self._at, len(buffer)) if self._at < self._sealed.size else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
