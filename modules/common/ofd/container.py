"""The zip that an OFD file is (GB/T 33190-2016, 7.1), read as it is found in the wild, and safely.

Nothing is ever written to disk, so a name can lead nowhere; names are still checked, because other
programs unpack. What an entry holds is given byte for byte: signatures cover those bytes.
"""

from __future__ import annotations

import struct
import threading
import zlib
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import unquote

from modules.common.ofd.report import OfdError, Report
from modules.common.text import tr

ENTRY_LIMIT = 128 << 20
"""Bytes that one entry may inflate to."""
TOTAL_LIMIT = 1 << 30
"""Bytes that all entries that are read may inflate to, each counted once."""
COUNT_LIMIT = 200_000
"""Entries of one package."""

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END64, _LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
_STORED, _DEFLATED = 0, 8


class Entry(NamedTuple):
    """A file in the package. ``name`` is as stored, decoded; ``path`` is ``name`` with ``/`` and without dots."""

    name: str
    path: str
    method: int
    flags: int
    crc: int
    packed: int
    size: int
    offset: int
    """Where the local header begins in the file."""


class Readable(Protocol):
    """Files by their paths; what is amiss with them goes to ``report``."""

    report: Report

    def read(self, path: str) -> bytes:
        """The content of a file. Raises ``OfdError``."""
        ...


class Package:
    """The files of one OFD package, found by tolerant paths and inflated when asked for.

    ``prefix`` and ``suffix`` count the bytes before and after the zip; ``duplicates`` are the paths that
    occur more than once (the last one counts). Safe to use from several threads.
    Raises ``OfdError`` OFD-001 when there is no zip in ``data`` at all, OFD-002 when it holds too many files.
    """

    def __init__(self, data: bytes, report: Report | None = None) -> None:
        self.data = data
        self.report = report or Report()
        self.prefix = self.suffix = 0
        found = self._directory()
        if not found:
            found = self._scan()
            if not found:
                raise OfdError("OFD-001", tr("这不是 OFD 文件，或文件已损坏，无法打开。"), fix=tr("请重新获取此文件。"))
            self.report.add("zip.directory", "")
        self.entries: tuple[Entry, ...] = tuple(found)
        self.duplicates: list[str] = []
        self._by_path: dict[str, Entry] = {}
        self._folded: dict[str, str] | None = None
        for entry in found:
            if entry.name.endswith(("/", "\\")):
                continue
            if entry.path in self._by_path:
                self.duplicates.append(entry.path)
                self.report.add("zip.duplicate", entry.path)
            self._by_path[entry.path] = entry
            if _suspicious(entry.name):
                self.report.add("zip.name", entry.name)
        if self.prefix or self.suffix:
            self.report.add("zip.around", "", f"{self.prefix} + {self.suffix}")
        self._inflated: set[str] = set()
        self._total = 0
        self._lock = threading.Lock()

    @classmethod
    def open(cls, source: bytes | Path, report: Report | None = None) -> Package:
        """A package from bytes or from a file. Raises ``OfdError`` OFD-001 to OFD-003."""
        if isinstance(source, bytes):
            return cls(source, report)
        try:
            data = source.read_bytes()
        except OSError as error:
            raise OfdError("OFD-003", tr("无法读取文件。"), fix=tr("请检查文件是否存在、是否有权读取。")) from error
        return cls(data, report)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all files, folders left out."""
        return tuple(self._by_path)

    def entry(self, path: str) -> Entry | None:
        """The entry of exactly this path."""
        return self._by_path.get(path)

    def __contains__(self, path: str) -> bool:
        return path in self._by_path

    def read(self, path: str) -> bytes:
        """The content of the file at ``path`` as it was stored.

        Raises ``OfdError`` OFD-004 (no such file), OFD-005 (over a limit) or OFD-006 (compressed or encrypted in an
        unknown way). Damaged content is given as far as it inflates, and noted.
        """
        entry = self._by_path.get(path)
        if entry is None:
            raise OfdError("OFD-004", tr("文件包中缺少“{path}”。", path=path))
        return self._content(entry)

    def head(self, path: str, size: int) -> bytes:
        """The first ``size`` bytes of a file, or fewer; raises like ``read``."""
        entry = self._by_path.get(path)
        if entry is None:
            raise OfdError("OFD-004", tr("文件包中缺少“{path}”。", path=path))
        start, end = self._extent(entry)
        if entry.method == _STORED:
            return self.data[start : min(end, start + size)]
        if entry.method != _DEFLATED or entry.flags & 1:
            return self._content(entry)[:size]
        try:
            return zlib.decompressobj(-15).decompress(self.data[start : min(end, start + size + 64)], size)
        except zlib.error:
            return b""

    def find(self, base: str, loc: str) -> str | None:
        """The path that ``loc``, written in the file ``base``, means here; ``None`` and a note when there is none.

        Absolute and relative locs, backslashes, percent escapes, wrong case, and locs that are relative to the
        root although they should be relative to the file, are understood.
        """
        exact = resolve(base, loc)
        if exact in self._by_path:
            return exact
        if ".." in loc and _leaves_root(base, loc):
            self.report.add("path.outside", base, loc)
        for wanted in (exact, resolve(base, unquote(loc)), resolve("", loc), resolve("", unquote(loc))):
            found = wanted if wanted in self._by_path else self._fold().get(wanted.casefold())
            if found is not None:
                self.report.add("path.mended", base, loc)
                return found
        return None

    def _fold(self) -> dict[str, str]:
        if self._folded is None:
            self._folded = {unquote(path).casefold(): path for path in self._by_path}
            self._folded.update((path.casefold(), path) for path in self._by_path)
        return self._folded

    def _content(self, entry: Entry) -> bytes:
        if entry.flags & 1 or entry.method not in (_STORED, _DEFLATED):
            self.report.add("zip.method", entry.path, str(entry.method))
            raise OfdError("OFD-006", tr("“{path}”的压缩或加密方式不受支持。", path=entry.path))
        start, end = self._extent(entry)
        if entry.method == _STORED:
            if end - start > ENTRY_LIMIT:
                self._too_big(entry)
            content = self.data[start:end]
        else:
            content = self._inflate(entry, start, end)
        with self._lock:
            if entry.path not in self._inflated:
                if self._total + len(content) > TOTAL_LIMIT:
                    self._too_big(entry)
                self._inflated.add(entry.path)
                self._total += len(content)
                if entry.crc and zlib.crc32(content) != entry.crc:
                    self.report.add("zip.damaged", entry.path, "crc")
        return content

    def _inflate(self, entry: Entry, start: int, end: int) -> bytes:
        limit = ENTRY_LIMIT
        inflater = zlib.decompressobj(-15)
        parts: list[bytes] = []
        size = 0
        view = memoryview(self.data)[start:end]
        try:
            rest: bytes | memoryview = view
            while len(rest) and not inflater.eof:
                parts.append(inflater.decompress(rest, min(limit + 1 - size, 4 << 20)))
                size += len(parts[-1])
                if size > limit:
                    self._too_big(entry)
                rest = inflater.unconsumed_tail
            parts.append(inflater.flush())
        except zlib.error:
            # the part that was whole is found again in small steps
            parts = [_whole_part(view, limit)]
            self.report.add("zip.damaged", entry.path)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _too_big(self, entry: Entry) -> None:
        self.report.add("zip.limit", entry.path)
        raise OfdError("OFD-005", tr("“{path}”解压后过大，未读取。", path=entry.path))

    def _extent(self, entry: Entry) -> tuple[int, int]:
        """Where the packed bytes of an entry lie."""
        header = self.data[entry.offset : entry.offset + 30]
        if len(header) < 30 or header[:4] != _LOCAL:
            self.report.add("zip.header", entry.path)
            return 0, 0
        name, extra = struct.unpack("<HH", header[26:30])
        start = entry.offset + 30 + name + extra
        return start, min(start + entry.packed, len(self.data))

    def _directory(self) -> list[Entry]:
        """The entries by the central directory; empty when it is missing or damaged."""
        data = self.data
        end = data.rfind(_END)
        if end < 0 or end + 22 > len(data):
            return []
        count, size, offset, comment = struct.unpack("<HIIH", data[end + 10 : end + 22])
        start = end - size
        if 0xFFFFFFFF in (size, offset) or count == 0xFFFF:
            locator = data.rfind(_LOCATOR64, 0, end)
            end64 = data.rfind(_END64, 0, locator) if locator >= 0 else -1
            if end64 >= 0 and end64 + 56 <= len(data):
                count, size, offset = struct.unpack("<QQQ", data[end64 + 32 : end64 + 56])
                start = end64 - size
        if not 0 <= start < end:
            return []
        self.prefix = max(0, start - offset)
        self.suffix = max(0, len(data) - (end + 22 + comment))
        found: list[Entry] = []
        at = start
        while data[at : at + 4] == _CENTRAL and at + 46 <= end:
            if len(found) >= COUNT_LIMIT:
                raise OfdError("OFD-002", tr("文件包中的文件过多，未打开。"), fix=tr("请确认文件来源可靠。"))
            entry, at = self._central(at)
            found.append(entry)
        if len(found) < count:
            return []
        if any(data[entry.offset : entry.offset + 4] != _LOCAL for entry in found[:1] + found[-1:]):
            return []
        return found

    def _central(self, at: int) -> tuple[Entry, int]:
        data = self.data
        flags, method = struct.unpack("<HH", data[at + 8 : at + 12])
        crc, packed, size, names, extras, comments = struct.unpack("<IIIHHH", data[at + 16 : at + 34])
        (offset,) = struct.unpack("<I", data[at + 42 : at + 46])
        name = _name(data[at + 46 : at + 46 + names], flags)
        extra = data[at + 46 + names : at + 46 + names + extras]
        if 0xFFFFFFFF in (packed, size, offset):
            packed, size, offset = _wide(extra, packed, size, offset)
        after = at + 46 + names + extras + comments
        return Entry(name, resolve("", name), method, flags, crc, packed, size, offset + self.prefix), after

    def _scan(self) -> list[Entry]:
        """The entries by their local headers, for a package whose directory is lost."""
        data = self.data
        found: list[Entry] = []
        at = data.find(_LOCAL)
        self.prefix, self.suffix = max(at, 0), 0
        while at >= 0 and at + 30 <= len(data) and len(found) < COUNT_LIMIT:
            flags, method = struct.unpack("<HH", data[at + 6 : at + 10])
            crc, packed, size, names, extras = struct.unpack("<IIIHH", data[at + 14 : at + 30])
            start = at + 30 + names + extras
            if flags & 8 or start + packed > len(data):
                crc, packed = 0, self._streamed(start, method)
            name = _name(data[at + 30 : at + 30 + names], flags)
            if name:
                found.append(Entry(name, resolve("", name), method, flags & ~8, crc, packed, size, at))
            at = data.find(_LOCAL, max(start + packed, at + 4))
        return found

    def _streamed(self, start: int, method: int) -> int:
        """How many bytes an entry takes that does not say so before them."""
        if method == _DEFLATED:
            inflater = zlib.decompressobj(-15)
            at, produced = start, 0
            try:
                while at < len(self.data) and not inflater.eof and produced <= ENTRY_LIMIT:
                    produced += len(inflater.decompress(self.data[at : at + 65536]))
                    at += 65536
                if inflater.eof:
                    return min(at, len(self.data)) - len(inflater.unused_data) - start
            except zlib.error:
                pass
        following = [self.data.find(mark, start) for mark in (_LOCAL, _CENTRAL)]
        return min((place for place in following if place >= 0), default=len(self.data)) - start


def resolve(base: str, loc: str) -> str:
    """The path from the root that ``loc`` means when it is written in the file ``base`` (ST_Loc, 7.3).

    ``/`` at the front means the root; ``.`` and ``..`` are worked out and never lead above the root.
    """
    loc = loc.strip().replace("\\", "/")
    if "/./" not in f"/{loc}" and ".." not in loc and "//" not in loc:  # the usual case
        if loc.startswith("/"):
            return loc[1:]
        folder = base.rpartition("/")[0]
        return f"{folder}/{loc}" if folder else loc
    parts = [] if loc.startswith("/") else base.split("/")[:-1]
    for part in loc.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _leaves_root(base: str, loc: str) -> bool:
    depth = 0 if loc.startswith(("/", "\\")) else base.count("/")
    for part in loc.replace("\\", "/").split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return True
    return False


def _suspicious(name: str) -> bool:
    """Whether a name would lead elsewhere when somebody unpacks it."""
    return name.startswith(("/", "\\")) or ":" in name or "\0" in name or ".." in name.replace("\\", "/").split("/")


def _name(raw: bytes, flags: int) -> str:
    if raw.isascii():
        return raw.decode("ascii")
    for encoding in ("utf-8",) if flags & 0x800 else ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("cp437")


def _wide(extra: bytes, packed: int, size: int, offset: int) -> tuple[int, int, int]:
    """The sizes of more than four gibibytes, out of the extra field 1 of zip64."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack("<HH", extra[at : at + 4])
        if kind == 1:
            numbers = iter(struct.unpack(f"<{length // 8}Q", extra[at + 4 : at + 4 + length // 8 * 8]))
            size = next(numbers, size) if size == 0xFFFFFFFF else size
            packed = next(numbers, packed) if packed == 0xFFFFFFFF else packed
            offset = next(numbers, offset) if offset == 0xFFFFFFFF else offset
            break
        at += 4 + length
    return packed, size, offset


def _whole_part(view: memoryview, limit: int) -> bytes:
    """What inflates before the damage."""
    inflater = zlib.decompressobj(-15)
    out = bytearray()
    try:
        for at in range(0, len(view), 256):
            out += inflater.decompress(view[at : at + 256], limit + 1 - len(out))
            while inflater.unconsumed_tail and len(out) <= limit:
                out += inflater.decompress(inflater.unconsumed_tail, limit + 1 - len(out))
            if inflater.eof or len(out) > limit:
                break
    except zlib.error:
        pass
    return bytes(out[:limit])
