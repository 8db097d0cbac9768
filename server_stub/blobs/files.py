"""How blobs lie on the server's disk: in pieces of SM4-GCM (``modules.common.pieces``) under a key made from a data key
of the ring, whose version stands in each file's mark. Nothing is written in clear, not even what is still on its way.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from modules.common import pieces
from modules.common.blobs import is_sha256
from modules.common.pieces import MARK, Damaged, Lock, Sealed
from server_stub.keyring import sync_folder
from server_stub.log import log
from server_stub.sealing import Sealing

_MARK = struct.Struct(">6sH")
_MAGIC = b"GDSM4\n"
_BLOCK = 1024 * 1024


class SealedFiles:
    """Seals under the newest data key, opens under each."""

    def __init__(self, sealing: Sealing) -> None:
        self._sealing = sealing

    def lock(self) -> Lock:
        """What seals a new file."""
        return self.lock_of(self.mark())

    def mark(self) -> bytes:
        """How a file begins that the newest key has sealed."""
        return _MARK.pack(_MAGIC, self._sealing.newest)

    def lock_of(self, mark: bytes) -> Lock:
        """What opens a file that begins so. Raises ``KeyError`` for none of ours, or of a key that nobody has."""
        if len(mark) != MARK or not mark.startswith(_MAGIC):
            raise KeyError(mark)
        return pieces.sm4(self._sealing.file_key(_MARK.unpack(mark)[1]), mark)

    def open(self, path: Path, sha256: str, *, ends: int = pieces.LAST) -> Sealed:
        """A file that is sealed, for reading. Raises ``FileNotFoundError``, ``Damaged``."""
        return Sealed(path, self.lock_of, sha256, ends=ends)

    def write(self, path: Path, sha256: str, source: IO[bytes]) -> None:
        """Seal a content into a new file in the place of ``path``, all of it or nothing. Raises ``Damaged`` when it is
        not what ``sha256`` says.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
        digest = hashlib.sha256()

        def blocks() -> Iterator[bytes]:
            while block := source.read(_BLOCK):
                digest.update(block)
                yield block

        try:
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                pieces.seal(file, self.lock(), sha256, blocks())
                if digest.hexdigest() != sha256:
                    raise Damaged("another content")
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
        sync_folder(path.parent)


def blobs_in(folder: Path) -> Iterator[Path]:
    """The files in a folder of blobs, whatever is in them."""
    for inner in sorted(folder.glob("[0-9a-f][0-9a-f]")):
        yield from (path for path in sorted(inner.iterdir()) if is_sha256(path.name))


def seal_clear(clear: Path, folder: Path, files: SealedFiles) -> int:
    """Seal what a server of old left in ``clear`` into ``folder``, file by file; how many. Cut off, it goes on.

    What does not have the content that its name says stays where it is and is logged: nobody could use it. What was
    on its way is dropped: its counter sends it again.
    """
    if not clear.is_dir():
        return 0
    done = 0
    for path in blobs_in(clear):
        target = folder / path.name[:2] / path.name
        try:
            kept = path.stat()
            with path.open("rb") as source:
                files.write(target, path.name, source)
            os.utime(target, (kept.st_atime, kept.st_mtime))  # it is as old as it was: see ``Keeper.sweep``
        except FileNotFoundError:
            continue  # another process was faster
        except Damaged:
            log.error("blob.damaged", extra={"blob": path.name})
            continue
        path.unlink(missing_ok=True)
        done += 1
    for left in (clear / "incoming").glob("*"):
        left.unlink(missing_ok=True)
    for inner in (*clear.glob("*"), clear):
        with contextlib.suppress(OSError):  # not empty: what is damaged lies there
            inner.rmdir()
    log.log(logging.INFO if done else logging.DEBUG, "blobs.sealed", extra={"count": done})
    return done


def seal_anew(folder: Path, files: SealedFiles) -> int:
    """Seal under the newest key what is under another; how many. Cut off, it goes on; beside a server that runs."""
    done = 0
    for path in blobs_in(folder):
        with contextlib.suppress(FileNotFoundError):  # swept away just now
            with path.open("rb") as file:
                if file.read(MARK) == files.mark():
                    continue
            kept = path.stat()
            with files.open(path, path.name) as sealed:
                files.write(path, path.name, sealed.stream())
            os.utime(path, (kept.st_atime, kept.st_mtime))
            done += 1
    return done


def damaged_in(folder: Path, files: SealedFiles) -> list[str]:
    """The names of blobs that do not open, or are not what their name says. Reads all of them."""
    found = []
    for path in blobs_in(folder):
        try:
            with files.open(path, path.name) as sealed:
                whole = hashlib.file_digest(sealed.stream(), "sha256").hexdigest() == path.name  # type: ignore[arg-type]
        except FileNotFoundError:
            continue
        except Damaged:
            whole = False
        if not whole:
            found.append(path.name)
    return found
