"""The encrypted files of this computer (``modules.common.pieces``), and those of the first format, of one piece."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO

from modules.common import pieces
from modules.common.pieces import MARK, Damaged, Lock

FORMAT = b"GDBLOB2\n"
_NONCE = 12


def seal(target: IO[bytes], key: bytes, name: str, chunks: Iterable[bytes]) -> None:
    """Write the content that ``chunks`` make up, encrypted."""
    pieces.seal(target, pieces.aes(key, FORMAT), name, chunks)


def opened(path: Path, key: bytes, name: str) -> Sealed | Whole:
    """A file, opened for reading. Raises ``FileNotFoundError``, ``Damaged``."""
    with path.open("rb") as file:
        ours = file.read(MARK) == FORMAT
    return Sealed(path, key, name) if ours else Whole(path, key, name)


class Sealed(pieces.Sealed):
    """A file of today's format."""

    def __init__(self, path: Path, key: bytes, name: str) -> None:
        def lock_of(mark: bytes) -> Lock:
            return {FORMAT: pieces.aes(key, FORMAT)}[mark]

        super().__init__(path, lock_of, name)


class Whole:
    """A file of the first format: 12 bytes of nonce and one piece, sealed by AES-256-GCM and bound to the name."""

    def __init__(self, path: Path, key: bytes, name: str) -> None:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        sealed = path.read_bytes()
        try:
            self._content = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise Damaged("whole") from error
        self.size = len(self._content)

    def __enter__(self) -> Whole:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, offset: int = 0, count: int = -1) -> bytes:
        """``count`` bytes from ``offset`` on, all if negative; fewer at the end."""
        return self._content[offset : self.size if count < 0 else offset + count]
