"""Puts files into an OFD package, or takes them out, and leaves the bytes of every other one as they are."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from modules.common.errors import GovDeskError
from modules.common.ofd.container import Entry, Package
from modules.common.text import tr

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION, _STREAMED, _UTF8, _DEFLATED = 20, 8, 0x800, 8
_MIDNIGHT = b"\0\0\x21\x5c"
"""1 January 2026: what a file put in has as its time, so that the same input gives the same bytes."""
_MOST = 0xFFFE


def rewrite(package: Package, changes: Mapping[str, bytes | None]) -> bytes:
    """The package with files put in or replaced, or taken out where the content is None.

    What other files hold stays as it was compressed. Raises ``GovDeskError`` SEAL-007 when it grows past what a
    plain zip can be, or an old file's bytes are not where the directory says.
    """
    out = bytearray()
    directory: list[bytes] = []
    last = {entry.path: entry for entry in package.entries}
    for entry in package.entries:
        if last[entry.path] is entry and entry.path not in changes:
            _copy(package, entry, out, directory)
    for path, content in changes.items():
        if content is not None:
            _put(path, content, out, directory)
    start = len(out)
    for record in directory:
        out += record
    if len(directory) > _MOST or len(out) > 0xFFFFFFFF:
        raise _too_large()
    return bytes(out + _END + struct.pack("<HHHHIIH", 0, 0, len(directory), len(directory), len(out) - start, start, 0))


def _too_large() -> GovDeskError:
    return GovDeskError("SEAL-007", tr("文件包过大或已损坏，无法写入。原文件没有改动。"), fix=tr("请重新获取此文件。"))


def _copy(package: Package, entry: Entry, out: bytearray, directory: list[bytes]) -> None:
    data, at = package.data, entry.offset
    header = data[at : at + 30]
    if len(header) < 30 or header[:4] != _LOCAL:
        raise _too_large()
    names, extras = struct.unpack("<HH", header[26:30])
    name = data[at + 30 : at + 30 + names]
    start = at + 30 + names + extras
    packed = data[start : start + entry.packed]
    if len(packed) != entry.packed or entry.size > 0xFFFFFFFE:
        raise _too_large()
    fields = (entry.flags & ~_STREAMED, entry.method, header[10:14], entry.crc, entry.packed, entry.size)
    _write(name, packed, fields, out, directory)


def _put(path: str, content: bytes, out: bytearray, directory: list[bytes]) -> None:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = deflate.compress(content) + deflate.flush()
    name = path.encode()
    flags = 0 if name.isascii() else _UTF8
    fields = (flags, _DEFLATED, _MIDNIGHT, zlib.crc32(content), len(packed), len(content))
    _write(name, packed, fields, out, directory)


def _write(
    name: bytes,
    packed: bytes,
    fields: tuple[int, int, bytes, int, int, int],
    out: bytearray,
    directory: list[bytes],
) -> None:
    flags, method, moment, crc, size, whole = fields
    common = (
        struct.pack("<HHH", _VERSION, flags, method) + moment + struct.pack("<IIIHH", crc, size, whole, len(name), 0)
    )
    directory.append(
        _CENTRAL + struct.pack("<H", _VERSION) + common + struct.pack("<HHHII", 0, 0, 0, 0, len(out)) + name
    )
    out += _LOCAL + common + name + packed
