"""Fonts for painting: the embedded one, else one of the same name, else one that plays the same role."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from functools import cache

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtGui import QFont, QFontDatabase, QPainterPath, QRawFont

from modules.common.ofd.fonts import Font, Role
from modules.common.text import RESOURCES

SIZES = 400
"""Sized fonts kept for each thread."""
BASE = 64.0
"""Pixels of the size at which glyphs are kept as curves."""
CURVES = 4000
"""Glyphs kept as curves for each font."""
_HINTING = QFont.HintingPreference.PreferNoHinting

# families that play a role, best first; those of the systems we know, then free ones
_FAMILIES: dict[Role, tuple[str, ...]] = {
    "song": ("SimSun", "宋体", "NSimSun", "新宋体", "FZShuSong-Z01", "方正书宋_GBK", "Songti SC", "STSong", "华文宋体",
             "Noto Serif SC", "Noto Serif CJK SC", "Source Han Serif SC", "思源宋体", "FandolSong", "AR PL UMing CN"),
    "hei": ("SimHei", "黑体", "FZHei-B01", "方正黑体_GBK", "Heiti SC", "STHeiti", "Microsoft YaHei", "Noto Sans SC",
            "Noto Sans CJK SC", "Source Han Sans SC", "思源黑体", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei"),
    "kai": ("KaiTi", "楷体", "楷体_GB2312", "FZKai-Z03", "方正楷体_GBK", "Kaiti SC", "STKaiti", "华文楷体",
            "LXGW WenKai", "霞鹜文楷", "FandolKai", "AR PL UKai CN"),
    "fang": ("FangSong", "仿宋", "仿宋_GB2312", "FZFangSong-Z02", "方正仿宋_GBK", "STFangsong", "华文仿宋",
             "FandolFang"),
    "title": ("方正小标宋_GBK", "方正小标宋简体", "FZXiaoBiaoSong-B05S", "FZXiaoBiaoSong-B05",
              "Noto Serif SC SemiBold"),
    "sans": ("Arial", "Helvetica", "Liberation Sans"),
    "serif": ("Times New Roman", "Times", "Liberation Serif"),
    "mono": ("Courier New", "Courier", "Liberation Mono", "DejaVu Sans Mono"),
}  # fmt: skip
# who stands in when a role has nobody
_NEXT: dict[Role, tuple[Role, ...]] = {
    "song": ("hei",), "hei": (), "kai": ("song", "hei"), "fang": ("song", "hei"), "title": ("song", "hei"),
    "sans": ("hei",), "serif": ("song", "hei"), "mono": ("song", "hei"),
}  # fmt: skip
_CARRIED: dict[Role, str] = {
    "song": "NotoSerifSC-Regular.ttf", "kai": "LXGWWenKai-Regular.ttf", "hei": "NotoSansSC-Regular.ttf",
}  # fmt: skip
_FOLDER = RESOURCES / "fonts"
_STRANGERS = 60
"""Families of the system that are asked, at most, for a character that no font with a role has."""


@cache
def _families() -> dict[str, str]:
    """The families of the system by their folded names."""
    return {name.casefold(): name for name in QFontDatabase.families()}


@cache
def _carried(file: str) -> QByteArray | None:
    path = _FOLDER / file
    return QByteArray(path.read_bytes()) if path.exists() else None


class Face:
    """A font at any size. Belongs to one thread."""

    __slots__ = ("_curves", "_sizes", "_widths", "bold", "embedded", "raw")

    def __init__(self, raw: QRawFont, embedded: bool, sizes: OrderedDict[tuple[int, int], QRawFont]) -> None:
        self.raw = raw
        self.embedded = embedded
        self.bold = raw.weight() >= 600
        self._sizes = sizes
        self._curves: dict[int, QPainterPath] = {}
        self._widths: dict[int, float] = {}

    def curve(self, glyph: int) -> QPainterPath:
        """The outline of a glyph at ``BASE`` pixels."""
        found = self._curves.get(glyph)
        if found is None:
            if len(self._curves) >= CURVES:
                self._curves.clear()
            found = self._curves[glyph] = self.raw.pathForGlyph(glyph)
            found.setFillRule(Qt.FillRule.WindingFill)
        return found

    def width(self, glyph: int) -> float:
        """How far a glyph advances at ``BASE`` pixels."""
        found = self._widths.get(glyph)
        if found is None:
            advances = self.raw.advancesForGlyphIndexes([glyph])
            found = self._widths[glyph] = advances[0].x() if advances else 0.0
        return found

    def at(self, pixels: float) -> QRawFont:
        """This font at a size in pixels, to a 32nd of a pixel."""
        key = (id(self), int(pixels * 32 + 0.5))
        found = self._sizes.get(key)
        if found is None:
            found = QRawFont(self.raw)
            found.setPixelSize(key[1] / 32)
            self._sizes[key] = found
            if len(self._sizes) > SIZES:
                self._sizes.popitem(last=False)
        return found


class Faces:
    """The fonts of one document on one thread."""

    def __init__(self) -> None:
        self._known: dict[tuple[Font, bool], list[Face]] = {}
        self._roles: dict[tuple[Role, bool], list[Face]] = {}
        self._sizes: OrderedDict[tuple[int, int], QRawFont] = OrderedDict()
        self._elsewhere: dict[tuple[Font, bool, str], tuple[Face, int] | None] = {}
        self._others: dict[str, Face | None] = {}

    def of(self, font: Font, bold: bool) -> list[Face]:
        """The faces that show a font's text: the first has it or stands in for it, the rest have what it lacks."""
        key = (font, bold)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._find(font, bold)
        return found

    def lacking(self, font: Font, bold: bool, character: str) -> tuple[Face, int] | None:
        """A face, other than the first, that has a character, and its glyph there."""
        key = (font, bold, character)
        if key not in self._elsewhere:
            self._elsewhere[key] = None
            for face in (*self.of(font, bold)[1:], *self._strangers()):
                glyphs = face.raw.glyphIndexesForString(character)
                if glyphs and glyphs[0]:
                    self._elsewhere[key] = (face, glyphs[0])
                    break
            if character.strip() and ord(character) > 32:
                font.report.add("font.glyphs", font.path or font.name, character)
        return self._elsewhere[key]

    def _strangers(self) -> Iterator[Face]:
        """Any other fonts of the system, opened one after another."""
        for family in list(_families().values())[:_STRANGERS]:
            if family not in self._others:
                self._others[family] = self._system(family, False)
            face = self._others[family]
            if face is not None:
                yield face

    def _find(self, font: Font, bold: bool) -> list[Face]:
        faces: list[Face] = []
        for data in (font.data, font.whole):
            content = data()
            if not content:
                break
            raw = QRawFont(QByteArray(content), BASE, _HINTING)
            if raw.isValid():
                faces.append(Face(raw, True, self._sizes))
                break
        else:
            font.report.add("font.damaged", font.path, font.name)
        if not faces:
            faces += [face for name in (font.name, font.family) if (face := self._named(name, bold)) is not None][:1]
        return faces + self._role(font.role, bold)

    def _named(self, name: str, bold: bool) -> Face | None:
        family = _families().get(name.strip().casefold()) if name else None
        return self._system(family, bold) if family else None

    def _system(self, family: str, bold: bool) -> Face | None:
        asked = QFont(family)
        asked.setPixelSize(int(BASE))
        asked.setHintingPreference(_HINTING)
        asked.setStyleStrategy(QFont.StyleStrategy.NoFontMerging)
        asked.setBold(bold)
        raw = QRawFont.fromFont(asked)
        return Face(raw, False, self._sizes) if raw.isValid() else None

    def _role(self, role: Role, bold: bool) -> list[Face]:
        key = (role, bold)
        if key not in self._roles:
            self._roles[key] = [face for each in (role, *_NEXT[role]) for face in self._players(each, bold)]
        return self._roles[key]

    def _players(self, role: Role, bold: bool) -> list[Face]:
        known = _families()
        out: list[Face] = []
        family = next((known[name.casefold()] for name in _FAMILIES[role] if name.casefold() in known), None)
        face = self._system(family, bold) if family else None
        if face is not None:
            out.append(face)
        content = _carried(_CARRIED[role]) if role in _CARRIED else None
        if content is not None:
            raw = QRawFont(content, BASE, _HINTING)
            if raw.isValid():
                out.append(Face(raw, False, self._sizes))
        return out
