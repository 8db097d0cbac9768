"""Fonts of display lists for a PDF: the document's own, or ours that plays the role of one it does not carry."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, NamedTuple

from modules.common.ofd.display import FILLER, LOOK_UP, GlyphRun
from modules.common.ofd.fonts import Font, Role, tables
from modules.common.ofd.report import Report
from modules.common.ofd.writing import Store, font_from
from modules.common.ofd.writing.fonts import Embedded, FontUse
from modules.common.text import RESOURCES

_FILES = {"song": "NotoSerifSC-Regular.ttf", "kai": "LXGWWenKai-Regular.ttf", "hei": "NotoSansSC-Regular.ttf"}
_NEXT: dict[Role, tuple[str, ...]] = {
    "song": ("song", "hei"), "hei": ("hei", "song"), "kai": ("kai", "song"), "fang": ("song", "kai"),
    "title": ("song", "hei"), "sans": ("hei", "song"), "serif": ("song", "hei"), "mono": ("hei", "song"),
}  # fmt: skip


@cache
def _carried() -> dict[str, Font]:
    store = Store()
    return {
        role: font_from(store, (RESOURCES / "fonts" / file).read_bytes(), file.partition("-")[0])
        for role, file in _FILES.items()
        if (RESOURCES / "fonts" / file).exists()
    }


class PdfFonts:
    """The fonts of one PDF. First ``choose`` for everything, then ``write``, then ``number`` and ``name``."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._uses: dict[Font, FontUse] = {}
        self._embedded: dict[Font, Embedded] = {}
        self._texts: dict[Font, dict[int, str]] = {}
        self._names: dict[Font, str] = {}
        self._widths: dict[Font, list[float]] = {}
        self.resources: dict[str, Any] = {}

    def choose(self, run: GlyphRun, character: str, glyph: int) -> tuple[Font, int] | None:
        """The font that shows a glyph and the glyph's number there before it is subset; ``None`` when none has it."""
        own = self._use(run.font).glyph(character, glyph) if run.font.data() else LOOK_UP
        font = run.font
        if own == LOOK_UP:
            if character == FILLER or character.isspace():
                return None
            carried = _carried()
            for role in _NEXT[run.font.role]:
                if role in carried:
                    font = carried[role]
                    own = self._use(font).glyph(character, LOOK_UP)
                    if own != LOOK_UP:
                        break
            if own == LOOK_UP:
                self._report.add("font.glyphs", run.font.name, f"U+{ord(character):04X}")
                return None
        if character != FILLER:
            self._texts.setdefault(font, {}).setdefault(own, character)
        return font, own

    def _use(self, font: Font) -> FontUse:
        if font not in self._uses:
            self._uses[font] = FontUse(font)
        return self._uses[font]

    def write(self, document: Any) -> None:
        """Put every font that is used into the PDF, as a subset."""
        for font, use in self._uses.items():
            embedded = use.embed(self._report)
            if embedded is not None and embedded.numbers:
                self._embedded[font] = embedded
                name = self._names[font] = f"/F{len(self._names)}"
                self.resources[name] = self._dictionary(document, font, embedded)

    def number(self, font: Font, glyph: int) -> int | None:
        """The number of a glyph in the subset."""
        embedded = self._embedded.get(font)
        return None if embedded is None else embedded.numbers.get(glyph)

    def name(self, font: Font) -> str:
        """What content streams call a font."""
        return self._names[font]

    def width(self, font: Font, number: int) -> float:
        """How far a glyph advances, in parts of the size."""
        widths = self._widths[font]
        return widths[number] / 1000 if number < len(widths) else 1.0

    def _dictionary(self, document: Any, font: Font, embedded: Embedded) -> Any:
        import pikepdf

        measured = _measured(embedded.data)
        widths = self._widths[font] = measured.widths
        base = pikepdf.Name("/" + self._subset_name(font))
        outlines = "CFF " in tables(embedded.data)
        stream = document.make_stream(embedded.data)
        if outlines:
            stream.Subtype = pikepdf.Name.OpenType
        else:
            stream.Length1 = len(embedded.data)
        descriptor = document.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.FontDescriptor,
                FontName=base,
                Flags=4,
                FontBBox=measured.box,
                ItalicAngle=0,
                Ascent=measured.ascent,
                Descent=measured.descent,
                CapHeight=measured.ascent,
                StemV=80,
            )
        )
        descriptor["/FontFile3" if outlines else "/FontFile2"] = stream
        inner = pikepdf.Dictionary(
            Type=pikepdf.Name.Font,
            Subtype=pikepdf.Name.CIDFontType0 if outlines else pikepdf.Name.CIDFontType2,
            BaseFont=base,
            CIDSystemInfo=pikepdf.Dictionary(Registry="Adobe", Ordering="Identity", Supplement=0),
            FontDescriptor=descriptor,
            DW=1000,
            W=[0, widths],
        )
        if not outlines:
            inner.CIDToGIDMap = pikepdf.Name.Identity
        texts = {
            embedded.numbers[glyph]: text
            for glyph, text in self._texts.get(font, {}).items()
            if glyph in embedded.numbers
        }
        return document.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Font,
                Subtype=pikepdf.Name.Type0,
                BaseFont=base,
                Encoding=pikepdf.Name("/Identity-H"),
                DescendantFonts=[document.make_indirect(inner)],
                ToUnicode=document.make_stream(_to_unicode(texts)),
            )
        )

    def _subset_name(self, font: Font) -> str:
        """A name as subsets have it: six letters, then the font's own."""
        number = len(self._names)
        letters = "".join(chr(65 + number // 26**n % 26) for n in range(6))
        own = "".join(each if each.isascii() and each.isalnum() else "" for each in font.name)
        return f"{letters}+{own or 'Font'}"


class _Measured(NamedTuple):
    """What a PDF says of a font, in thousandths of its size."""

    widths: list[float]
    box: list[int]
    ascent: int
    descent: int


def _measured(data: bytes) -> _Measured:
    """Read by hand: fonts that are odd elsewhere are right in these tables."""
    found = tables(data)
    head, line = found["head"][0], found["hhea"][0]
    (units,) = struct.unpack_from(">H", data, head + 18)
    scale = 1000 / (units or 1000)
    box = struct.unpack_from(">4h", data, head + 36)
    ascent, descent = struct.unpack_from(">2h", data, line + 4)
    (count,) = struct.unpack_from(">H", data, line + 34)
    start, length = found["hmtx"]
    count = min(count, length // 4)
    widths = [round(each * scale, 1) for each in struct.unpack_from(">" + "H2x" * count, data, start)]
    glyphs = struct.unpack_from(">H", data, found["maxp"][0] + 4)[0] if "maxp" in found else count
    widths += widths[-1:] * (glyphs - count)
    return _Measured(widths, [round(each * scale) for each in box], round(ascent * scale), round(descent * scale))


def _to_unicode(texts: dict[int, str]) -> bytes:
    lines = [f"<{number:04x}> <{text.encode('utf-16-be').hex()}>" for number, text in sorted(texts.items())]
    parts = [lines[at : at + 100] for at in range(0, len(lines), 100)]
    body = "\n".join(f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar" for part in parts)
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "/CMapName /Adobe-Identity-UCS def /CMapType 2 def\n"
        f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{body}\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end\n"
    ).encode()
