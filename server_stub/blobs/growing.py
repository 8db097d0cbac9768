"""An upload's file while it grows: sealed as the whole one will be, so that at its end nothing is written twice."""

from __future__ import annotations

import os
from pathlib import Path

from modules.common.pieces import (
    GOES_ON,
    HEAD,
    LAST,
    MARK,
    OPEN,
    PIECE,
    STORED,
    Damaged,
    Pieces,
    new_head,
    place,
)
from server_stub.blobs.files import SealedFiles


class Growing:
    """Takes bytes at its end, in any portions. The last piece stays open and is sealed again when it has grown.

    Opening one finds its end: what a kill or a power cut left of a piece, or of the file, is cut off. So up to a piece
    that was there may have to be sent again. A context manager; raises ``FileNotFoundError`` unless ``new``.
    """

    def __init__(self, path: Path, files: SealedFiles, sha256: str, *, new: bool = False) -> None:
        flags = os.O_RDWR | (os.O_CREAT if new else 0) | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(path, flags, 0o600)
        self._number, self._tail, self._ends, self._changed = 0, bytearray(), OPEN, False
        try:
            self._find_end(files, sha256)
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Growing:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    @property
    def size(self) -> int:
        """Bytes of the content that were taken in."""
        return self._number * PIECE + len(self._tail)

    @property
    def ends(self) -> int:
        """How the last piece in the file ends."""
        return self._ends

    def append(self, data: bytes) -> None:
        """Take in the next bytes. What fills no piece is not in the file before ``settle``."""
        self._tail += data
        self._changed = self._changed or bool(data)
        # as in ``pieces.seal``: the last piece has to know that it is the last
        while len(self._tail) > PIECE:
            self._put(GOES_ON, bytes(self._tail[:PIECE]))
            del self._tail[:PIECE]
            self._number += 1

    def settle(self) -> None:
        """All that was taken in is safely on the disk when this returns."""
        if self._changed:
            self._put(OPEN, bytes(self._tail))
            self._changed = False
        os.fsync(self._descriptor)

    def finish(self) -> None:
        """There is no more: the file is a whole one, safely on the disk. Doing it again does nothing."""
        self._put(LAST, bytes(self._tail))
        os.fsync(self._descriptor)

    def _find_end(self, files: SealedFiles, sha256: str) -> None:
        head = os.read(self._descriptor, HEAD)
        try:
            lock = files.lock_of(head[:MARK] if len(head) == HEAD else b"")
        except KeyError:
            self._begin(files, sha256)
            return
        self._pieces = Pieces(lock, head[MARK:], sha256)
        count = -(-(os.fstat(self._descriptor).st_size - HEAD) // STORED)
        while count:
            count -= 1
            os.lseek(self._descriptor, place(count), os.SEEK_SET)
            stored = os.read(self._descriptor, STORED)
            for ends in (OPEN, GOES_ON, LAST):
                try:
                    self._tail += self._pieces.open(count, ends, stored)
                except Damaged:
                    continue
                self._number, self._ends = count, ends
                os.ftruncate(self._descriptor, place(count) + len(stored))
                return
        os.ftruncate(self._descriptor, HEAD)

    def _begin(self, files: SealedFiles, sha256: str) -> None:
        lock = files.lock()
        head = new_head(lock)
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        _write(self._descriptor, head)
        self._pieces = Pieces(lock, head[MARK:], sha256)

    def _put(self, ends: int, text: bytes) -> None:
        os.lseek(self._descriptor, place(self._number), os.SEEK_SET)
        _write(self._descriptor, self._pieces.seal(self._number, ends, text))
        self._ends = ends


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
