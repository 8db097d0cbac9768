"""Page images, scans and files: what both sides take for one.

A document names one by ``{"sha256", "size", "type"}``.
"""

from __future__ import annotations

import re
from typing import BinaryIO

LIMIT = 20 * 1024 * 1024
"""Bytes of one page image at most; it is held in memory. A file that is read from disk may be larger."""
FILE_LIMIT = 1024 * 1024 * 1024
"""Bytes of one file at most, unless the server's settings say less."""
SMALL = 1024 * 1024
"""Up to so many bytes a blob is sent in one piece, and before all larger ones."""
HEAD = 8
"""So many first bytes tell the type."""
OFD = "application/ofd"
"""版式文件, GB/T 33190-2016: a ZIP archive whose root document is ``OFD.xml``."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMED = re.compile(r'"sha256": ?"([0-9a-f]{64})"')
_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"%PDF-", "application/pdf"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"PK\x03\x04", OFD),
)
TYPES = tuple(dict.fromkeys(type for _, type in _MAGIC))
_DIRECTORY = 4 * 1024 * 1024
"""A larger table of contents than any OFD has is not read: it would have to fit into memory."""
_PROGRAMS = (".exe", ".dll", ".com", ".scr", ".msi", ".bat", ".cmd", ".ps1", ".vbs", ".js", ".jar", ".lnk", ".sh")


def type_of(head: bytes) -> str:
    """The media type that content beginning with ``head`` may have; empty for what is never taken."""
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


def type_of_file(file: BinaryIO) -> str:
    """The media type of a whole file: JPEG, PNG, TIFF, PDF or OFD; empty for anything else, such as any other ZIP."""
    file.seek(0)
    found = type_of(file.read(HEAD))
    return "" if found == OFD and not _is_ofd(file) else found


def is_sha256(text: str) -> bool:
    """Whether ``text`` is a SHA-256 in lower-case hex, as blobs are named."""
    return _SHA256.fullmatch(text) is not None


def names_in(text: str) -> frozenset[str]:
    """The blobs that a document, given as JSON, names."""
    return frozenset(_NAMED.findall(text))


def _is_ofd(file: BinaryIO) -> bool:
    import zipfile

    file.seek(max(0, file.seek(0, 2) - 65557))  # the end record and the longest comment behind it
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    large = end >= 20 and tail[end - 20 : end - 16] == b"PK\x06\x07"
    if end < 0 or large or int.from_bytes(tail[end + 12 : end + 16], "little") > _DIRECTORY:
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return "OFD.xml" in names and not any(name.lower().endswith(_PROGRAMS) for name in names)
