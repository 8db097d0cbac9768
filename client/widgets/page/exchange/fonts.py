"""Fonts of PDF (ISO 32000-2, 9.5 to 9.10): codes of a string into characters, glyphs and widths."""

from __future__ import annotations

import io
import struct
from functools import cached_property
from typing import Any, NamedTuple

from client.widgets.page.exchange.cmaps import CMap, parsed, predefined
from modules.common.ofd.display import FILLER, LOOK_UP
from modules.common.ofd.fonts import Font, wrapped_cff
from modules.common.ofd.report import Report
from modules.common.ofd.writing import Store, font_from

_SYMBOLIC = 4
_FLAGS = {"fixed": 1, "serif": 2, "italic": 64, "bold": 1 << 18}
_STANDARD = {
    "Helvetica": "Arial", "Times": "Times New Roman", "Courier": "Courier New", "Symbol": "Symbol",
    "ZapfDingbats": "Wingdings",
}  # fmt: skip


class Shown(NamedTuple):
    """One code of a string: its text, glyph number (or ``LOOK_UP``), advance in thousandths, whether it is a space."""

    code: int
    text: str
    glyph: int
    width: float
    space: bool


class PdfFont:
    """A font as a page's resources name it."""

    def __init__(self, thing: Any, store: Store, report: Report) -> None:
        import pikepdf

        self.thing = thing
        self._report = report
        self.type3 = str(thing.get("/Subtype")) == "/Type3"
        self._composite = str(thing.get("/Subtype")) == "/Type0"
        self._inner = thing.DescendantFonts[0] if self._composite else thing
        self._descriptor: Any = self._inner.get("/FontDescriptor") or {}
        self.name = (
            str(thing.get("/BaseFont") or "/Font")[1:].partition("+")[2] or str(thing.get("/BaseFont") or "/F")[1:]
        )
        self._by_name: dict[str, int] = {}
        self._cmaps: dict[tuple[int, int], dict[int, int]] = {}
        self._cids: dict[int, int] | None = None
        self._builtin: dict[int, int] = {}
        data = b"" if self.type3 else self._program()
        flags = int(self._descriptor.get("/Flags", 0)) if self._descriptor else 0
        looks = {name: bool(flags & bit) for name, bit in _FLAGS.items()}
        folded = self.name.lower()
        looks["bold"] = looks["bold"] or "bold" in folded
        looks["italic"] = looks["italic"] or "italic" in folded or "oblique" in folded
        family = next((there for start, there in _STANDARD.items() if self.name.startswith(start)), self.name)
        self.embedded = bool(data)
        self.font: Font = font_from(store, data, self.name, family, **looks)
        self.weight = 700 if looks["bold"] and not data else 400
        self.italic = looks["italic"] and not data
        mapped = thing.get("/ToUnicode")
        self._texts = parsed(mapped.read_bytes()) if isinstance(mapped, pikepdf.Stream) else CMap()
        self._known: dict[int, Shown] = {}

    # -- the program -------------------------------------------------------------------------------

    def _program(self) -> bytes:
        """The font as an sfnt; empty when there is none that can be had."""
        descriptor = self._descriptor
        try:
            if "/FontFile2" in descriptor:
                return self._sfnt(descriptor.FontFile2.read_bytes())
            if "/FontFile3" in descriptor:
                data = descriptor.FontFile3.read_bytes()
                return self._sfnt(data) if data[:4] in (b"OTTO", b"\0\1\0\0", b"true") else self._cff(data)
            if "/FontFile" in descriptor:
                return self._type1(descriptor.FontFile.read_bytes())
        except Exception as error:  # noqa: BLE001 - fontTools raises what it likes on broken fonts
            self._report.add("font.damaged", self.name, type(error).__name__)
        return b""

    def _sfnt(self, data: bytes) -> bytes:
        from fontTools.ttLib import TTFont

        font = TTFont(io.BytesIO(data), lazy=True, fontNumber=0)
        if "CFF " in font:
            order = font["CFF "].cff[0].getGlyphOrder()
            self._by_name = {name: number for number, name in enumerate(order)}
            if hasattr(font["CFF "].cff[0], "ROS"):
                self._cids = {int(n[3:]): i for i, n in enumerate(order) if n.startswith("cid")} | {0: 0}
        else:
            names = [f"g{n}" for n in range(font["maxp"].numGlyphs)]
            if "post" in font and not self._composite:
                try:
                    named = TTFont(io.BytesIO(data), lazy=True, fontNumber=0).getGlyphOrder()
                    self._by_name = {name: number for number, name in enumerate(named)}
                except Exception as error:  # noqa: BLE001 - fontTools raises what it likes on broken fonts
                    self._report.add("font.mended", self.name, type(error).__name__)
            font.setGlyphOrder(names)
        if "cmap" in font and not self._composite:
            for table in font["cmap"].tables:
                found = {code: font.getGlyphID(name) for code, name in table.cmap.items()}
                self._cmaps[table.platformID, table.platEncID] = found
        return data

    def _cff(self, data: bytes) -> bytes:
        from fontTools.cffLib import CFFFontSet
        from fontTools.ttLib import TTFont

        made, self._cids = wrapped_cff(data)
        fonts = CFFFontSet()
        fonts.decompile(io.BytesIO(data), TTFont())
        top: Any = fonts[fonts.fontNames[0]]
        order = top.getGlyphOrder()
        self._by_name = {name: number for number, name in enumerate(order)}
        encoding = getattr(top, "Encoding", None)
        if self._cids is not None:
            self._cids.setdefault(0, 0)
        elif isinstance(encoding, list):
            self._builtin = {code: self._by_name[n] for code, n in enumerate(encoding) if n in self._by_name}
        elif isinstance(encoding, str):
            names = _named(f"/{encoding}")
            self._builtin = {code: self._by_name[n] for code, n in names.items() if n in self._by_name}
        return made

    def _type1(self, data: bytes) -> bytes:
        """A Type 1 font as OpenType: the same outlines, glyph for glyph."""
        from fontTools.fontBuilder import FontBuilder
        from fontTools.pens.t2CharStringPen import T2CharStringPen
        from fontTools.t1Lib import T1Font

        source: Any = T1Font.__new__(T1Font)
        if data[:1] == b"\x80":
            data = _segments(data)
        source.data, source.encoding = data, "latin-1"
        source.parse()
        glyphs = source.getGlyphSet()
        names = [".notdef", *sorted(name for name in glyphs.keys() if name != ".notdef")]  # noqa: SIM118
        strings, widths = {}, {}
        for name in names:
            pen = T2CharStringPen(0, None)
            if name in glyphs.keys():  # noqa: SIM118
                glyphs[name].draw(pen)
            width = int(getattr(glyphs[name], "width", 0) or 0) if name in glyphs.keys() else 0  # noqa: SIM118
            strings[name], widths[name] = pen.getCharString(), (width, 0)
        self._by_name = {name: number for number, name in enumerate(names)}
        encoding = source.font.get("Encoding")
        if isinstance(encoding, list):
            self._builtin = {code: self._by_name[n] for code, n in enumerate(encoding) if n in self._by_name}
        matrix = source.font.get("FontMatrix") or [0.001]
        units = min(max(round(1 / float(matrix[0])), 16), 16384)
        builder = FontBuilder(units, isTTF=False)
        builder.setupGlyphOrder(names)
        builder.setupCharacterMap({})
        builder.setupCFF("Embedded", {}, strings, {})
        builder.setupHorizontalMetrics(widths)
        builder.setupHorizontalHeader(ascent=round(units * 0.88), descent=-round(units * 0.12))
        builder.setupNameTable({"familyName": "Embedded", "styleName": "Regular"})
        builder.setupOS2()
        builder.setupPost(keepGlyphNames=False)
        builder.updateHead(created=0, modified=0)
        builder.font.recalcTimestamp = False
        out = io.BytesIO()
        builder.font.save(out)
        return out.getvalue()

    # -- codes -------------------------------------------------------------------------------------

    def show(self, data: bytes) -> list[Shown]:
        """What a string shows."""
        if self._composite:
            return self._show_composite(data)
        return [self._known.get(code) or self._simple(code) for code in data]

    def _simple(self, code: int) -> Shown:
        name = self.names.get(code, "")
        text = self._texts.texts.get(code) or _unicode(name)
        if not text and not self.embedded and not self.type3:
            text = bytes([code]).decode("cp1252", "replace")
        made = self._known[code] = Shown(code, text or FILLER, self._glyph(code, name), self._width(code), code == 32)
        return made

    def _glyph(self, code: int, name: str) -> int:
        if not self.embedded:
            return LOOK_UP
        if name and name in self._by_name and (not self._cmaps or "/Encoding" in self.thing):
            return self._by_name[name]
        if self._builtin or not self._cmaps:
            return self._builtin.get(code, self._by_name.get(name, 0))
        unicode = _unicode(name)
        tables = self._cmaps
        if name and unicode and (3, 1) in tables and ord(unicode[0]) in tables[3, 1]:
            return tables[3, 1][ord(unicode[0])]
        for key in ((3, 0), (1, 0), (3, 1), (0, 3), (0, 1)):
            for there in (code, 0xF000 + code, 0xF100 + code):
                if key in tables and there in tables[key]:
                    return tables[key][there]
        return 0

    @cached_property
    def names(self) -> dict[int, str]:
        """The glyphs' names by code, of a font of single bytes."""
        import pikepdf

        encoding = self.thing.get("/Encoding")
        flags = int(self._descriptor.get("/Flags", 0)) if self._descriptor else 0
        start = {} if (self.embedded and flags & _SYMBOLIC) or self.type3 else _named("/StandardEncoding")
        if encoding is None:
            return start
        if not isinstance(encoding, pikepdf.Dictionary):
            return _named(str(encoding)) or start
        base = encoding.get("/BaseEncoding")
        out = dict(_named(str(base)) if base is not None else start)
        code = 0
        for each in encoding.get("/Differences", []):
            words = str(each)
            if words.startswith("/"):
                out[code] = words[1:]
                code += 1
            else:
                code = int(each)
        return out

    def _width(self, code: int) -> float:
        widths, first = self.thing.get("/Widths"), int(self.thing.get("/FirstChar", 0))
        if widths is not None and 0 <= code - first < len(widths):
            return float(widths[code - first])
        if widths is None:
            return self._standard.get(self.names.get(code, ""), 500.0)
        return float(self._descriptor.get("/MissingWidth", 0)) if self._descriptor else 0.0

    @cached_property
    def _standard(self) -> dict[str, float]:
        """The widths of one of the fourteen fonts that every reader of PDF has."""
        from reportlab.pdfbase._fontdata import widthsByFontGlyph

        folded = self.name.lower().replace("arial", "helvetica")
        bold, slanted = "bold" in folded, "italic" in folded or "oblique" in folded
        if "times" in folded:
            name = {(0, 0): "Times-Roman", (1, 0): "Times-Bold", (0, 1): "Times-Italic", (1, 1): "Times-BoldItalic"}[
                bold, slanted
            ]
        else:
            base = "Courier" if "courier" in folded else "Helvetica"
            name = base + {(0, 0): "", (1, 0): "-Bold", (0, 1): "-Oblique", (1, 1): "-BoldOblique"}[bold, slanted]
        if folded in ("symbol", "zapfdingbats"):
            name = "Symbol" if folded == "symbol" else "ZapfDingbats"
        return {glyph: float(width) for glyph, width in widthsByFontGlyph[name].items()}

    def _show_composite(self, data: bytes) -> list[Shown]:
        encoding = self.thing.get("/Encoding")
        cmap = self._encoding_map
        if cmap is None:
            known = predefined(str(encoding)[1:], data)
            if known is not None:
                if self.embedded:
                    self._report.add("pdf.encoding", self.name, str(encoding))
                return [
                    Shown(code, text or FILLER, LOOK_UP, 1000.0 if size == 2 else 500.0, size == 1 and code == 32)
                    for code, size, text in known
                ]
        out = []
        for code, size in (cmap or CMap()).codes(data, 2):
            found = self._known.get(code)
            if found is None:
                cid = code if cmap is None else cmap.numbers.get(code, 0)
                text = self._texts.texts.get(code, FILLER) or FILLER
                found = Shown(code, text, self._cid_glyph(cid), self._cid_width(cid), size == 1 and code == 32)
                self._known[code] = found
            out.append(found)
        return out

    @cached_property
    def _encoding_map(self) -> CMap | None:
        import pikepdf

        encoding = self.thing.get("/Encoding")
        return parsed(encoding.read_bytes()) if isinstance(encoding, pikepdf.Stream) else None

    def _cid_glyph(self, cid: int) -> int:
        if not self.embedded:
            return LOOK_UP
        table = self._to_glyphs
        if table is not None:
            return struct.unpack_from(">H", table, 2 * cid)[0] if 2 * cid + 2 <= len(table) else 0
        return cid if self._cids is None else self._cids.get(cid, 0)

    @cached_property
    def _to_glyphs(self) -> bytes | None:
        import pikepdf

        table = self._inner.get("/CIDToGIDMap")
        return table.read_bytes() if isinstance(table, pikepdf.Stream) else None

    def _cid_width(self, cid: int) -> float:
        return self._cid_widths.get(cid, float(self._inner.get("/DW", 1000)))

    @cached_property
    def _cid_widths(self) -> dict[int, float]:
        import pikepdf

        out: dict[int, float] = {}
        words = list(self._inner.get("/W", []))
        at = 0
        while at + 1 < len(words):
            first = int(words[at])
            if isinstance(words[at + 1], pikepdf.Array):
                out.update((first + n, float(width)) for n, width in enumerate(words[at + 1]))
                at += 2
            elif at + 2 < len(words):
                last = min(int(words[at + 1]), first + 70_000)
                out.update(dict.fromkeys(range(first, last + 1), float(words[at + 2])))
                at += 3
            else:
                break
        return out


def _segments(data: bytes) -> bytes:
    """The parts of a PFB file after one another."""
    out, at = b"", 0
    while data[at : at + 1] == b"\x80" and data[at + 1] in (1, 2):
        (size,) = struct.unpack("<I", data[at + 2 : at + 6])
        out += data[at + 6 : at + 6 + size]
        at += 6 + size
    return out


def _named(name: str) -> dict[int, str]:
    """The glyph names of an encoding."""
    from fontTools.agl import UV2AGL
    from fontTools.encodings.MacRoman import MacRoman
    from fontTools.encodings.StandardEncoding import StandardEncoding

    if name == "/WinAnsiEncoding":
        out = {}
        for code in range(32, 256):
            text = bytes([code]).decode("cp1252", "ignore") or "•"
            out[code] = UV2AGL.get(ord(text), "space")
        return out | {0xA0: "space", 0xAD: "hyphen"}
    table = {"/MacRomanEncoding": MacRoman, "/StandardEncoding": StandardEncoding}.get(name, [])
    return {code: each for code, each in enumerate(table) if each != ".notdef"}


def _unicode(name: str) -> str:
    from fontTools.agl import toUnicode

    return toUnicode(name) if name else ""
