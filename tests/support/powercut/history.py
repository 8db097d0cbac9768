"""A history of the disk, and what may be left of it when the power fails at any place of it."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random
from typing import NamedTuple

_HEAD = struct.Struct("<cQqI")
SECTOR = 512
NOTHING, EVERYTHING, TORN = "nothing", "everything", "torn"
"""What becomes of that which was not synced."""


class Op(NamedTuple):
    """One record of ``journal.h``."""

    what: str
    inode: int
    offset: int
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode()


def read(path: Path) -> list[Op]:
    """The whole history."""
    raw, at, ops = path.read_bytes(), 0, []
    while at < len(raw):
        what, inode, offset, length = _HEAD.unpack_from(raw, at)
        at += _HEAD.size
        ops.append(Op(what.decode(), inode, offset, raw[at : at + length]))
        at += length
    return ops


@dataclass
class _File:
    """``kept`` is on the plate for sure; ``waiting`` are writes since the last sync."""

    kept: bytearray = field(default_factory=bytearray)
    waiting: list[Op] = field(default_factory=list)


class Disk:
    """Starts as the folder ``root`` is now; ``take`` moves it on."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)
        self._names: dict[str, _File] = {}
        """Names that a cut leaves for sure."""
        self._live: dict[str, _File] = {}
        self._by_inode: dict[int, _File] = {}
        self._folders = {self.root}
        self._pending: defaultdict[str, list[tuple[str, str, str, _File | None]]] = defaultdict(list)
        for path in sorted(root.rglob("*")):
            if path.is_dir():
                self._folders.add(str(path))
                continue
            file = _File(bytearray(path.read_bytes()))
            self._names[str(path)] = self._live[str(path)] = self._by_inode[path.stat().st_ino] = file

    def take(self, op: Op) -> None:
        """One more thing happens."""
        if op.what == "O":
            if op.offset or op.text not in self._live:
                file = _File()
                self._live[op.text] = self._by_inode[op.inode] = file
                self._name("C", op.text, "", file)
            else:
                self._by_inode[op.inode] = self._live[op.text]
        elif op.what in "WT":
            if op.inode in self._by_inode:
                self._by_inode[op.inode].waiting.append(op)
        elif op.what == "S":
            if op.inode in self._by_inode:
                file = self._by_inode[op.inode]
                for waiting in file.waiting:
                    _apply(file.kept, waiting)
                file.waiting.clear()
        elif op.what == "D":
            for pending in self._pending.pop(op.text, ()):
                self._rename(self._names, self._folders, pending)
        elif op.what == "R":
            old, new = op.text.split("\0")
            if old in self._live:
                self._live[new] = self._live.pop(old)
            self._name("R", old, new, None)
        elif op.what == "U":
            if self._live.pop(op.text, None) is not None:
                self._name("U", op.text, "", None)
        elif op.what == "M":
            self._name("M", op.text, "", None)

    def cut(self, mode: str, rng: Random) -> dict[str, bytes]:
        """What is left when the power fails now, by path."""
        names, folders = dict(self._names), set(self._folders)
        for pending in self._pending.values():
            share = {NOTHING: 0, EVERYTHING: len(pending), TORN: rng.randint(0, len(pending))}[mode]
            for one in pending[:share]:
                self._rename(names, folders, one)
        left = {}
        for name, file in names.items():
            content = bytearray(file.kept)
            for op in _survivors(file.waiting, mode, rng):
                _apply(content, op)
            left[name] = bytes(content)
        return {
            name: content
            for name, content in left.items()
            if all(str(above) in folders for above in PurePosixPath(name).parents if str(above).startswith(self.root))
        }

    def _name(self, what: str, name: str, other: str, file: _File | None) -> None:
        self._pending[str(PurePosixPath(name).parent)].append((what, name, other, file))

    @staticmethod
    def _rename(names: dict[str, _File], folders: set[str], change: tuple[str, str, str, _File | None]) -> None:
        what, name, other, file = change
        if what == "M":
            folders.add(name)
        elif what == "C" and file is not None:
            names[name] = file
        elif what == "U":
            names.pop(name, None)
        elif what == "R" and name in names:
            names[other] = names.pop(name)


def _survivors(waiting: list[Op], mode: str, rng: Random) -> Iterator[Op]:
    if mode == NOTHING:
        return
    for op in waiting:
        if mode == EVERYTHING:
            yield op
        elif op.what == "T":
            if rng.random() < 0.5:
                yield op
        else:
            # a disk writes whole sectors, in any order
            at = 0
            while at < len(op.data):
                size = min(SECTOR - (op.offset + at) % SECTOR, len(op.data) - at)
                if rng.random() < 0.5:
                    yield Op("W", op.inode, op.offset + at, op.data[at : at + size])
                at += size


def _apply(content: bytearray, op: Op) -> None:
    if op.what == "T":
        if op.offset < len(content):
            del content[op.offset :]
        else:
            content.extend(bytes(op.offset - len(content)))
        return
    if op.offset > len(content):
        content.extend(bytes(op.offset - len(content)))
    content[op.offset : op.offset + len(op.data)] = op.data
