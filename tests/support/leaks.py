"""Looks for personal data in clear: every file under some folders, in each way that a text gets onto a disk.

    leaks = scan([profile], ["李晓明", "11010519491231002X"])

Packed files (zip, gzip) are opened; a paper or a picture is one by itself, whatever it says, because its words cannot
be searched for. Into the papers of a print folder nobody looks: they are meant to be read (docs/security.md).
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PRINTS = "print"
"""The folder of a profile in which papers lie for people to take."""
_READABLE = {b"%PDF-": "PDF", b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG"}
_DEEPEST = 4
_FEWEST = 6


@dataclass(frozen=True, slots=True)
class Leak:
    """Where something stands in clear: the file (and what is inside it), the byte, and how it is written there."""

    path: str
    offset: int
    what: str
    written: str

    def __str__(self) -> str:
        return f"{self.path} at {self.offset}: {self.what} ({self.written})"


def forms(word: str) -> dict[bytes, str]:
    """How ``word`` looks in a file, with the name of each way; ways that look the same are one.

    A way of fewer than six bytes is left out: what is encrypted has each four bytes somewhere.
    """
    escaped, address = json.dumps(word)[1:-1].encode(), quote(word).encode()
    written = {escaped: "json", escaped.upper().replace(b"\\U", b"\\u"): "json", address: "url", address.lower(): "url"}
    written |= {word.encode(name): name for name in ("utf-16-le", "utf-16-be", "gb18030", "utf-8")}
    return {data: name for data, name in written.items() if len(data) >= _FEWEST}


def scan(folders: Iterable[Path], words: Iterable[str], *, papers: bool = True) -> list[Leak]:
    """Every first place of each of ``words`` in each file of ``folders`` (files may be named, too).

    ``papers``: a PDF or a picture outside of a print folder is a finding, too.
    """
    sought = {data: (word, name) for word in words for data, name in forms(word).items()}
    return [leak for path in _files(folders) for leak in _in_file(path, sought, papers)]


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path


def _in_file(path: Path, sought: dict[bytes, tuple[str, str]], papers: bool) -> Iterator[Leak]:
    # a name of a file is read by whoever lists the folder
    yield from _in_data(path.name.encode(), f"{path} (its name)", sought, papers=False)
    if path.parent.name == PRINTS:
        return
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return  # somebody is at work there
    yield from _in_data(data, str(path), sought, papers=papers)


def _in_data(
    data: bytes, path: str, sought: dict[bytes, tuple[str, str]], *, papers: bool, depth: int = 0
) -> Iterator[Leak]:
    for word, (what, written) in sought.items():
        if (offset := data.find(word)) >= 0:
            yield Leak(path, offset, what, written)
    for mark, kind in _READABLE.items():
        if papers and data.startswith(mark):
            yield Leak(path, 0, f"a {kind} outside of the print folder", kind)
    if depth < _DEEPEST:
        for name, inside in _unpacked(data):
            yield from _in_data(inside, f"{path}!{name}", sought, papers=papers, depth=depth + 1)


def _unpacked(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            yield from ((name, packed.read(name)) for name in packed.namelist())
    elif data.startswith(b"\x1f\x8b\x08"):
        yield "gzip", gzip.decompress(data)
