"""Fonts of an OFD: what the file carries, mended where it must be, and the role that a missing font plays."""

from __future__ import annotations

import io
import struct
import threading
from typing import Any, Literal, TypeAlias

from modules.common.ofd.container import Readable
from modules.common.ofd.report import OfdError, Report

Role: TypeAlias = Literal["song", "hei", "kai", "fang", "title", "sans", "serif", "mono"]
"""What a font is for, so that another one can stand in: 宋体, 黑体, 楷体, 仿宋, 小标宋; Latin faces."""

# looked for in a name without spaces and in lower case; the first that occurs decides
_ROLES: tuple[tuple[str, Role], ...] = (
    ("小标宋", "title"), ("xiaobiaosong", "title"), ("xbsj", "title"), ("大标宋", "title"),
    ("仿宋", "fang"), ("fangsong", "fang"), ("stfang", "fang"), ("fzfs", "fang"), ("仿", "fang"),
    ("楷", "kai"), ("kaiti", "kai"), ("simkai", "kai"), ("stkai", "kai"), ("fzkt", "kai"), ("kaiu", "kai"),
    ("黑", "hei"), ("simhei", "hei"), ("heiti", "hei"), ("sthei", "hei"), ("yahei", "hei"), ("雅黑", "hei"),
    ("等线", "hei"), ("dengxian", "hei"), ("圆", "hei"), ("幼圆", "hei"), ("fzht", "hei"), ("sanssc", "hei"),
    ("宋", "song"), ("simsun", "song"), ("songti", "song"), ("stsong", "song"), ("fzss", "song"), ("mincho", "song"),
    ("serifsc", "song"), ("明体", "song"), ("mingliu", "song"),
    ("courier", "mono"), ("consol", "mono"), ("mono", "mono"), ("menlo", "mono"), ("ocr", "mono"),
    ("arial", "sans"), ("helvetica", "sans"), ("calibri", "sans"), ("verdana", "sans"), ("tahoma", "sans"),
    ("segoe", "sans"), ("sans", "sans"),
    ("times", "serif"), ("georgia", "serif"), ("garamond", "serif"), ("cambria", "serif"), ("roman", "serif"),
    ("serif", "serif"),
)  # fmt: skip
_SFNT = (b"\0\1\0\0", b"true", b"OTTO", b"ttcf")
_NEEDED = ("OS/2", "cmap", "head", "hhea", "hmtx", "maxp", "name", "post")


class Font:
    """A font that the document's resources name (CT_Font, 11.1). Compared by identity; safe to share."""

    __slots__ = ("_cids", "_data", "_lock", "_package", "_whole", "bold", "family", "fixed", "id", "italic", "name",
                 "path", "report", "serif")  # fmt: skip

    def __init__(
        self,
        id: str,
        name: str,
        family: str = "",
        *,
        path: str = "",
        package: Readable | None = None,
        report: Report | None = None,
        bold: bool = False,
        italic: bool = False,
        serif: bool = False,
        fixed: bool = False,
    ) -> None:
        self.id, self.name, self.family, self.path = id, name, family, path
        self.bold, self.italic, self.serif, self.fixed = bold, italic, serif, fixed
        self.report = report or Report()
        self._package = package
        self._lock = threading.Lock()
        self._data: bytes | None = None
        self._whole: bytes | None = None
        self._cids: dict[int, int] | None = None

    @property
    def cids(self) -> dict[int, int] | None:
        """Glyphs by the numbers that texts use, for a bare CFF whose glyphs are numbered by character (CID)."""
        self.data()
        return self._cids

    @property
    def role(self) -> Role:
        """What kind of font may stand in for this one."""
        return role_of(self.name, self.family, serif=self.serif, fixed=self.fixed)

    def data(self) -> bytes:
        """The embedded font as an sfnt (bare CFF is wrapped); empty when there is none that can be used."""
        with self._lock:
            if self._data is None:
                self._data = self._load()
            return self._data

    def whole(self) -> bytes:
        """The embedded font with all tables that strict systems ask for; empty when it can't be mended."""
        data = self.data()
        with self._lock:
            if self._whole is None:
                self._whole = mended(data) if data else b""
                if data:
                    self.report.add("font.mended" if self._whole else "font.damaged", self.path, self.name)
            return self._whole

    def _load(self) -> bytes:
        if not self.path or self._package is None:
            return b""
        try:
            data = self._package.read(self.path)
        except OfdError as error:
            self.report.add("font.damaged", self.path, error.code)
            return b""
        if data[:4] in _SFNT and len(data) > 12:
            return data
        wrapped, self._cids = wrapped_cff(data) if data[:1] == b"\1" and len(data) > 4 else (b"", None)
        if not wrapped:
            self.report.add("font.damaged", self.path, self.name)
        return wrapped


def role_of(*names: str, serif: bool = False, fixed: bool = False) -> Role:
    """The role of a font by its names: ``role_of("方正小标宋简体") == "title"``."""
    for name in names:
        folded = name.replace(" ", "").replace("-", "").replace("_", "").lower()
        for word, role in _ROLES:
            if word in folded:
                return role
    return "mono" if fixed else "serif" if serif else "song"


def wrapped_cff(data: bytes) -> tuple[bytes, dict[int, int] | None]:
    """A bare CFF or Type 1C font as OpenType, and its glyphs by CID if it is keyed by those; empty when it is none.

    Glyph numbers stay; characters are found by the glyphs' names where these are Adobe's.
    """
    from fontTools.agl import AGL2UV
    from fontTools.cffLib import CFFFontSet
    from fontTools.fontBuilder import FontBuilder
    from fontTools.ttLib import TTFont
    from fontTools.ttLib.tables.DefaultTable import DefaultTable

    try:
        fonts = CFFFontSet()
        fonts.decompile(io.BytesIO(data), TTFont())
        top: Any = fonts[fonts.fontNames[0]]
        order = list(top.getGlyphOrder())
        matrix = getattr(top, "FontMatrix", None) or [0.001]
        units = min(max(round(1 / matrix[0]), 16), 16384) if matrix[0] else 1000
        builder = FontBuilder(units, isTTF=False)
        names = order if len(set(order)) == len(order) else [f"g{n}" for n in range(len(order))]
        builder.setupGlyphOrder(names)
        builder.setupCharacterMap({AGL2UV[name]: name for name in names if name in AGL2UV})
        builder.setupHorizontalMetrics(dict.fromkeys(names, (units, 0)))
        builder.setupHorizontalHeader(ascent=round(units * 0.88), descent=-round(units * 0.12))
        builder.setupNameTable({"familyName": "Embedded", "styleName": "Regular"})
        builder.setupOS2()
        builder.setupPost(keepGlyphNames=False)
        raw = DefaultTable("CFF ")  # written as it is
        raw.data = data
        builder.font["CFF "] = raw
        builder.font.sfntVersion = "OTTO"
        builder.font.recalcBBoxes = False
        out = io.BytesIO()
        builder.font.save(out)
        keyed = hasattr(top, "ROS")
        cids = {int(name[3:] or 0): n for n, name in enumerate(order) if name.startswith("cid")} if keyed else None
        return out.getvalue(), cids
    except Exception:  # noqa: BLE001 - fontTools raises what it likes on broken fonts
        return b"", None


def tables(data: bytes) -> dict[str, tuple[int, int]]:
    """The tables of an sfnt that lie inside it: offset and length by tag."""
    found = {}
    if len(data) >= 12:
        (count,) = struct.unpack(">H", data[4:6])
        for at in range(12, min(12 + 16 * count, len(data) - 15), 16):
            offset, length = struct.unpack(">II", data[at + 8 : at + 16])
            if offset + length <= len(data):
                found[data[at : at + 4].decode("latin-1")] = (offset, length)
    return found


def mended(data: bytes) -> bytes:
    """An sfnt with what is missing filled in (OS/2, cmap, name, post …); empty when it can't be mended."""
    if data[:4] == b"ttcf" or all(tag in tables(data) for tag in _NEEDED):
        return data
    from fontTools.fontBuilder import FontBuilder
    from fontTools.ttLib import TTFont

    try:
        font = TTFont(io.BytesIO(data), lazy=True, recalcBBoxes=False, recalcTimestamp=False, fontNumber=0)
        if "os/2" in font.reader.keys():  # noqa: SIM118 - written in the wrong case by one maker
            font.reader.tables["OS/2"] = font.reader.tables.pop("os/2")
        builder = FontBuilder(font=font)
        order = [f"g{n}" for n in range(font["maxp"].numGlyphs)]
        font.setGlyphOrder(order)
        ascent, descent = font["hhea"].ascent, font["hhea"].descent
        if "cmap" not in font:
            builder.setupCharacterMap({0xE000 + n: name for n, name in enumerate(order[1:6000])})
        if "name" not in font:
            builder.setupNameTable({"familyName": "Embedded", "styleName": "Regular"})
        if "OS/2" not in font:
            builder.setupOS2(sTypoAscender=ascent, sTypoDescender=descent, usWinAscent=max(ascent, 0))
        if "post" not in font:
            builder.setupPost(keepGlyphNames=False)
        out = io.BytesIO()
        font.save(out, reorderTables=None)
        return out.getvalue()
    except Exception:  # noqa: BLE001 - fontTools raises what it likes on broken fonts
        return b""
