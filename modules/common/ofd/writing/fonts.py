"""Fonts as they are embedded: only the glyphs that are used, with every table and character that readers ask for."""

from __future__ import annotations

import io
import logging
from typing import Any, NamedTuple

from modules.common.ofd.display import FILLER, LOOK_UP, GlyphRun
from modules.common.ofd.fonts import Font, mended, tables
from modules.common.ofd.report import Report


class Embedded(NamedTuple):
    """A font's file as it is written; ``numbers`` are its new glyph numbers by the old ones."""

    data: bytes
    suffix: str
    numbers: dict[int, int]


class FontUse:
    """Collects which glyphs of a font are used, and for which characters."""

    def __init__(self, font: Font) -> None:
        self.font = font
        self.glyphs: dict[int, None] = {}
        self._characters: dict[int, int] = {}
        self._cids = font.cids
        self._cmap: dict[int, int] | None = None

    def glyph(self, character: str, number: int) -> int:
        """The number, in the font as it came, of the glyph that a run shows; ``LOOK_UP`` when it has none."""
        if not self.font.data():
            return LOOK_UP
        code = ord(character)
        if number == LOOK_UP:
            number = self._lookup().get(code, LOOK_UP)
            if number == LOOK_UP:
                return LOOK_UP
        elif self._cids is not None:
            number = self._cids.get(number, 0)
        self.glyphs[number] = None
        if character != FILLER:
            self._characters.setdefault(code, number)
        return number

    def _lookup(self) -> dict[int, int]:
        if self._cmap is None:
            self._cmap = {}
            try:
                font = _opened(self.font.data())
                best = font.getBestCmap() if "cmap" in font else None
                self._cmap = {code: font.getGlyphID(name) for code, name in (best or {}).items()}
            except Exception:  # noqa: BLE001 - fontTools raises what it likes on broken fonts
                self.font.report.add("font.damaged", self.font.path, self.font.name)
        return self._cmap

    def embed(self, report: Report) -> Embedded | None:
        """The file to embed; ``None`` when there is nothing to embed. A font that can't be subset is kept whole."""
        data = self.font.data()
        if not data or not self.glyphs:
            return None
        try:
            return self._subset(data)
        except Exception as error:  # noqa: BLE001 - fontTools raises what it likes on broken fonts
            report.add("font.whole", self.font.name, type(error).__name__)
        kept = mended(data) or data
        return Embedded(kept, _suffix(kept), {glyph: glyph for glyph in self.glyphs})

    def _subset(self, data: bytes) -> Embedded:
        from fontTools.fontBuilder import FontBuilder
        from fontTools.subset import Options, Subsetter

        font = _opened(data)
        order = font.getGlyphOrder()
        used = [glyph for glyph in self.glyphs if 0 <= glyph < len(order)]
        options = Options(layout_features=[], hinting=False, notdef_outline=True, recalc_timestamp=False)
        options.drop_tables += [
            "DSIG",
            "VORG",
            "VDMX",
            "hdmx",
            "LTSH",
            "JSTF",
            "BASE",
            "vhea",
            "vmtx",
            "kern",
            "meta",
            "GSUB",
            "GPOS",
            "GDEF",
            "MERG",
        ]
        options.legacy_kern = False
        options.name_IDs = [1, 2, 4, 6]
        options.ignore_missing_glyphs = True
        named = {code: order[glyph] for code, glyph in sorted(self._characters.items()) if 0 <= glyph < len(order)}
        FontBuilder(font=font).setupCharacterMap(named)
        subsetter = Subsetter(options)
        subsetter.populate(gids=used)
        subsetter.subset(font)
        after = font.getReverseGlyphMap(rebuild=True)
        out = io.BytesIO()
        font.save(out, reorderTables=None)
        made = mended(out.getvalue()) or out.getvalue()
        return Embedded(made, _suffix(made), {glyph: after[order[glyph]] for glyph in used})


def _opened(data: bytes) -> Any:
    """A font with a name for every glyph."""
    from fontTools.ttLib import TTFont

    logging.getLogger("fontTools").setLevel(logging.CRITICAL)  # what it finds amiss is mended or said in the report
    font = TTFont(io.BytesIO(data), lazy=True, recalcBBoxes=False, recalcTimestamp=False, fontNumber=0)
    if "CFF " not in tables(data):
        font.setGlyphOrder([f"g{n}" for n in range(font["maxp"].numGlyphs)])
    return font


def _suffix(data: bytes) -> str:
    return "otf" if data[:4] == b"OTTO" else "ttf"


def use_of(run: GlyphRun, uses: dict[Font, FontUse]) -> FontUse:
    """The use of a run's font."""
    found = uses.get(run.font)
    if found is None:
        found = uses[run.font] = FontUse(run.font)
    return found
