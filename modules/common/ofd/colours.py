"""Colours of OFD (GB/T 33190-2016, 8.3): spaces, palettes, shadings and patterns into paints."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from modules.common.ofd.display import BLACK, IDENTITY, Gradient, Item, Matrix, Mesh, Paint, Pattern, faded
from modules.common.ofd.report import Report
from modules.common.ofd.xml import child, children, local, number, numbers

if TYPE_CHECKING:
    from lxml.etree import _Element

CORNER_LIMIT = 60_000
"""Corners of one mesh."""
_CHANNELS = {"GRAY": 1, "RGB": 3, "CMYK": 4}


class Space(NamedTuple):
    """A colour space (8.3.1). An ICC profile is passed over: its alternate is the kind named here."""

    kind: str = "RGB"
    bits: int = 8
    palette: tuple[str, ...] = ()


RGB = Space()


def space_of(element: _Element, report: Report, place: str) -> Space:
    """The colour space that a ColorSpace element describes."""
    kind = element.get("Type", "RGB").upper()
    if kind == "GREY":
        kind = "GRAY"
    if kind not in _CHANNELS:
        report.add("object.unsupported", place, f"ColorSpace {kind}")
        kind = "RGB"
    if element.get("Profile"):
        report.add("object.unsupported", place, "ICC")
    bits = int(number(element.get("BitsPerComponent"), 8))
    palette = child(element, "Palette")
    entries = tuple((each.text or "") for each in children(palette, "CV"))
    return Space(kind, bits if bits in (1, 2, 4, 8, 16) else 8, entries)


def value(words: str, space: Space) -> int | None:
    """The colour ``0xFFRRGGBB`` of a Value attribute, ``None`` when it is none."""
    parts: list[float] = []
    for word in words.replace(",", " ").split():
        try:
            parts.append(int(word[1:], 16) if word.startswith("#") else float(word))
        except ValueError:
            return None
    top = float((1 << space.bits) - 1)
    count = len(parts)
    if count == 1 and words.strip().startswith("#") and len(words.strip()) == 7:
        return BLACK | int(parts[0])
    if space.kind == "CMYK" and count >= 4:
        cyan, magenta, yellow, black = (min(max(part / top, 0.0), 1.0) for part in parts[:4])
        red, green, blue = ((1 - ink) * (1 - black) * 255 for ink in (cyan, magenta, yellow))
    elif count >= 3:
        red, green, blue = (part * 255 / top for part in parts[:3])
    elif count >= 1:
        red = green = blue = parts[0] * 255 / top
    else:
        return None
    return BLACK | _byte(red) << 16 | _byte(green) << 8 | _byte(blue)


def _byte(number_: float) -> int:
    return 0 if number_ <= 0 else 255 if number_ >= 255 else int(number_ + 0.5)


class Colours:
    """Makes paints of CT_Color elements; knows the document's colour spaces, and asks ``cell`` for patterns."""

    def __init__(
        self, spaces: Callable[[str], Space], cell: Callable[[_Element], tuple[Item, ...]], report: Report
    ) -> None:
        self._spaces = spaces
        self._cell = cell
        self._report = report
        self._known: dict[tuple[str | None, str | None, str | None, str | None], int] = {}

    def paint(self, element: _Element, place: str) -> Paint | None:
        """The paint of a FillColor, StrokeColor or Color; ``None`` for one that says nothing understandable."""
        key = (element.get("Value"), element.get("ColorSpace"), element.get("Alpha"), element.get("Index"))
        plain = self._known.get(key)
        if plain is None:
            plain = self._plain(*key)
            if plain is not None and len(self._known) < 4096:
                self._known[key] = plain
        for each in element:
            name = local(each.tag)
            alpha = int(number(element.get("Alpha"), 255))
            made: Paint | None = None
            if name in ("AxialShd", "RadialShd"):
                made = self._gradient(each, name == "RadialShd", place)
            elif name in ("GouraudShd", "LaGouraudShd"):
                made = self._mesh(each, name == "LaGouraudShd", place)
            elif name == "Pattern":
                made = self._pattern(each)
            elif name:
                self._report.add("page.unknown", place, name)
            if made is not None:
                return faded(made, alpha)
        return plain

    def _plain(self, words: str | None, space_id: str | None, alpha: str | None, index: str | None) -> int | None:
        space = self._spaces(space_id or "")
        if words is None and index is not None:
            number_ = int(number(index, -1))
            words = space.palette[number_] if 0 <= number_ < len(space.palette) else None
        if words is None:
            return None
        if len(words.split()) == 4 and space.kind == "RGB" and not space_id:
            space = Space("CMYK")
        colour = value(words, space)
        if colour is None:
            return None
        opacity = _byte(number(alpha, 255)) if alpha is not None else 255
        return opacity << 24 | colour & 0xFFFFFF

    def _stops(self, element: _Element, place: str) -> tuple[tuple[float, int], ...]:
        found: list[tuple[float | None, int]] = []
        for segment in children(element, "Segment")[:1000]:
            colour = child(segment, "Color")
            paint = None if colour is None else self.paint(colour, place)
            if isinstance(paint, int):
                at = segment.get("Position")
                found.append((None if at is None else min(max(number(at), 0.0), 1.0), paint))
        if not found:
            return ()
        last = len(found) - 1
        even = [index / last if last else 0.0 for index in range(last + 1)]
        given = [position if position is not None else even[index] for index, (position, _) in enumerate(found)]
        return tuple(sorted(zip(given, (colour for _, colour in found), strict=True), key=lambda stop: stop[0]))

    def _gradient(self, element: _Element, radial: bool, place: str) -> Paint | None:
        stops = self._stops(element, place)
        start, end = numbers(element.get("StartPoint")), numbers(element.get("EndPoint"))
        if not stops or len(start) < 2 or len(end) < 2:
            self._report.add("object.unsupported", place, "Shading")
            return None
        return Gradient(
            radial,
            (start[0], start[1]),
            (end[0], end[1]),
            max(0.0, number(element.get("StartRadius"))),
            max(0.0, number(element.get("EndRadius"))),
            stops,
            element.get("MapType", "Direct"),
            max(0.0, number(element.get("MapUnit"))),
            int(number(element.get("Extend"), 0)),
            min(max(number(element.get("Eccentricity")), 0.0), 0.999),
            number(element.get("Angle")),
        )

    def _mesh(self, element: _Element, lattice: bool, place: str) -> Paint | None:
        corners: list[tuple[float, float, int, int]] = []
        for each in children(element, "Point")[:CORNER_LIMIT]:
            colour = child(each, "Color")
            paint = None if colour is None else self.paint(colour, place)
            if isinstance(paint, int):
                edge = int(number(each.get("EdgeFlag")))
                corners.append((number(each.get("X")), number(each.get("Y")), paint, edge))
        back = child(element, "BackColor")
        behind = None if back is None else self.paint(back, place)
        row = int(number(element.get("VerticesPerRow")))
        three = _lattice(corners, row) if lattice else _triangles(corners)
        if not three:
            self._report.add("object.unsupported", place, "Mesh")
            return None
        return Mesh(tuple(corner[:3] for corner in three[:CORNER_LIMIT]), behind if isinstance(behind, int) else 0)

    def _pattern(self, element: _Element) -> Paint | None:
        content = child(element, "CellContent")
        width, height = number(element.get("Width")), number(element.get("Height"))
        if content is None or width <= 0 or height <= 0:
            return None
        ctm = numbers(element.get("CTM"))
        matrix: Matrix = (ctm[0], ctm[1], ctm[2], ctm[3], ctm[4], ctm[5]) if len(ctm) >= 6 else IDENTITY
        return Pattern(
            width,
            height,
            max(number(element.get("XStep"), width), width),
            max(number(element.get("YStep"), height), height),
            element.get("ReflectMethod", "Normal"),
            element.get("RelativeTo", "Object") == "Page",
            matrix,
            self._cell(content),
        )


def _triangles(corners: list[tuple[float, float, int, int]]) -> list[tuple[float, float, int, int]]:
    out: list[tuple[float, float, int, int]] = []
    at = 0
    while at < len(corners):
        edge = corners[at][3]
        if edge in (1, 2) and out:
            first, second = (out[-2], out[-1]) if edge == 1 else (out[-3], out[-1])
            out += [first, second, corners[at]]
            at += 1
        else:
            if at + 3 > len(corners):
                break
            out += corners[at : at + 3]
            at += 3
    return out


def _lattice(corners: list[tuple[float, float, int, int]], row: int) -> list[tuple[float, float, int, int]]:
    out: list[tuple[float, float, int, int]] = []
    if row < 2:
        return out
    for top in range(0, len(corners) - 2 * row + 1, row):
        for left in range(top, top + row - 1):
            below = left + row
            out += [corners[left], corners[left + 1], corners[below]]
            out += [corners[left + 1], corners[below], corners[below + 1]]
    return out
