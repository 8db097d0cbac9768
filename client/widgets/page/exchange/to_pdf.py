"""An OFD document as PDF, out of its display lists: text stays text, fonts are subsets, JPEG stays JPEG."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from client.widgets.page.exchange.pdf_fonts import PdfFonts
from client.widgets.page.exchange.pdf_images import image_stream
from modules.common.errors import GovDeskError
from modules.common.ofd.display import (
    IDENTITY,
    LOOK_UP,
    NOTHING,
    Clip,
    DisplayList,
    GlyphRun,
    Gradient,
    Group,
    Item,
    Matrix,
    Mesh,
    Paint,
    Pattern,
    Picture,
    Shape,
    Stroke,
    times,
)
from modules.common.ofd.document import Document
from modules.common.ofd.extras import OutlineEntry
from modules.common.ofd.fonts import Font
from modules.common.ofd.report import OfdError, Report
from modules.common.ofd.resources import Media
from modules.common.ofd.writing.geometry import transformed
from modules.common.ofd.writing.marks import number
from modules.common.text import tr

_POINTS = 72 / 25.4
_DEPTH = 40
_BLENDS = {"multiply": "Multiply", "screen": "Screen", "overlay": "Overlay", "darken": "Darken", "lighten": "Lighten",
           "colordodge": "ColorDodge", "colorburn": "ColorBurn", "hardlight": "HardLight", "softlight": "SoftLight",
           "difference": "Difference", "exclusion": "Exclusion"}  # fmt: skip
_OPERATORS = {"M": "m", "L": "l", "B": "c", "C": "h"}
_CAPS, _JOINS = {"Butt": 0, "Round": 1, "Square": 2}, {"Miter": 0, "Round": 1, "Bevel": 2}
_SHEAR = 0.25
_BOLD = 600


def pdf_of(document: Document, report: Report) -> bytes:
    """The PDF of all pages with annotations, outline, attachments and who made it; the same bytes each time.

    Seals are not carried over: their picture means nothing without the signature; ``report`` says so.
    Raises ``GovDeskError`` PDF-004 when the maker doesn't allow the content to be exported.
    """
    import pikepdf

    if not document.extras.permissions.export:
        fix = tr("请向发文单位索取可以转换的文件。")
        raise GovDeskError("PDF-004", tr("作者不允许导出这个 OFD 的内容，没有转换。"), fix=fix)
    if document.body.signatures:
        report.add("ofd.sealed", "")
    pages = [document.display(index) for index in range(len(document.pages))]
    made = pikepdf.new()
    fonts = PdfFonts(report)
    for page in pages:
        _choose(page.items, fonts, 0)
    fonts.write(made)
    shelf = _Shelf(made, fonts, report)
    for page in pages:
        _add_page(made, page, shelf)
    _describe(made, document)
    _attach(made, document, report)
    for note in document.report.notes:
        report.add(*note)
    out = io.BytesIO()
    made.remove_unreferenced_resources()
    made.save(out, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return out.getvalue()


def _choose(items: Iterable[Item], fonts: PdfFonts, depth: int) -> None:
    for item in items:
        if isinstance(item, GlyphRun):
            for character, glyph in zip(item.text, item.glyphs or (LOOK_UP,) * len(item.text), strict=True):
                if glyph != NOTHING:
                    fonts.choose(item, character, glyph)
        elif isinstance(item, Group) and depth < _DEPTH:
            _choose(item.items, fonts, depth + 1)
        elif isinstance(item, Shape) and isinstance(item.fill, Pattern) and depth < _DEPTH:
            _choose(item.fill.items, fonts, depth + 1)


def _add_page(made: Any, page: DisplayList, shelf: _Shelf) -> None:
    box = page.box
    made.add_blank_page(page_size=(max(box.width * _POINTS, 3), max(box.height * _POINTS, 3)))
    base: Matrix = (_POINTS, 0.0, 0.0, -_POINTS, -box.x * _POINTS, (box.y + box.height) * _POINTS)
    content = _Content(shelf, base)
    content.items(page.items)
    target = made.pages[-1]
    target.Contents = made.make_stream(f"{_words(base)} cm\n".encode() + content.bytes())
    target.Resources = shelf.resources


class _Shelf:
    """What all pages share: one dictionary of resources."""

    def __init__(self, document: Any, fonts: PdfFonts, report: Report) -> None:
        import pikepdf

        self.document, self.fonts, self.report = document, fonts, report
        self.resources = document.make_indirect(
            pikepdf.Dictionary(
                Font=pikepdf.Dictionary(fonts.resources),
                XObject=pikepdf.Dictionary(),
                ExtGState=pikepdf.Dictionary(),
                Shading=pikepdf.Dictionary(),
                Pattern=pikepdf.Dictionary(),
            )
        )
        self._states: dict[tuple[str, str], str] = {}
        self._images: dict[tuple[Media, Media | None], str | None] = {}

    def put(self, kind: str, thing: Any) -> str:
        """A resource's name."""
        group = self.resources[kind]
        name = f"/{kind[1]}{len(group.keys())}"
        group[name] = thing
        return name

    def state(self, key: str, value: str | int) -> str:
        """A graphics state: ``ca`` with an opacity of 255, ``BM`` with a mode."""
        import pikepdf

        if (key, str(value)) not in self._states:
            said: dict[str, Any] = (
                {"/BM": pikepdf.Name(f"/{value}")}
                if key == "BM"
                else {"/ca": round(int(value) / 255, 4), "/CA": round(int(value) / 255, 4)}
            )
            self._states[key, str(value)] = self.put("/ExtGState", pikepdf.Dictionary(said))
        return self._states[key, str(value)]

    def image(self, media: Media, mask: Media | None) -> str | None:
        """An image's name; ``None`` when it can't be read."""
        key = (media, mask)
        if key not in self._images:
            try:
                stream = image_stream(self.document, media.data())
                if mask is not None:
                    stream.SMask = image_stream(self.document, mask.data(), grey=True)
                self._images[key] = self.put("/XObject", stream)
            except Exception as error:  # noqa: BLE001 - Pillow raises what it likes on broken images
                self.report.add("image.damaged", media.path, type(error).__name__)
                self._images[key] = None
        return self._images[key]


class _Content:
    """Writes items as a content stream whose space is millimetres, y downwards; ``base`` carries it to the page's."""

    def __init__(self, shelf: _Shelf, base: Matrix, depth: int = 0) -> None:
        self._shelf = shelf
        self._base = base
        self._out: list[str] = []
        self._depth = depth

    def bytes(self) -> bytes:
        """The stream so far."""
        return "\n".join(self._out).encode("ascii")

    def items(self, items: Iterable[Item]) -> None:
        """Write items one over the other."""
        for item in items:
            if isinstance(item, GlyphRun):
                self._run(item)
            elif isinstance(item, Shape):
                self._shape(item)
            elif isinstance(item, Picture):
                self._picture(item)
            elif self._depth < _DEPTH:
                self._group(item)

    def _group(self, group: Group) -> None:
        import pikepdf

        if not group.items:
            return
        self._out.append("q")
        for clip in group.clips:
            self._clip(clip)
        base = self._base
        if group.matrix is not None:
            self._out.append(f"{_words(group.matrix)} cm")
            base = times(group.matrix, base)
        inner = _Content(self._shelf, base, self._depth + 1)
        inner.items(group.items)
        if group.blend in _BLENDS:
            self._out.append(f"{self._shelf.state('BM', _BLENDS[group.blend])} gs")
        if group.alpha < 255:
            form = self._shelf.document.make_stream(inner.bytes())
            form.Type, form.Subtype = pikepdf.Name.XObject, pikepdf.Name.Form
            form.BBox = pikepdf.Array([-20000, -20000, 20000, 20000])
            form.Group = pikepdf.Dictionary(S=pikepdf.Name.Transparency)
            form.Resources = self._shelf.resources
            self._out.append(f"{self._shelf.state('ca', group.alpha)} gs {self._shelf.put('/XObject', form)} Do")
        elif inner._out:
            self._out += inner._out
        self._out.append("Q")

    def _clip(self, clip: Clip) -> None:
        words: list[str] = []
        even = False
        for part in clip:
            if isinstance(part, GlyphRun):
                self._shelf.report.add("write.clip", "")
                return
            words.append(_path(part.ops, transformed(part.points, part.matrix)))
            even = even or part.even_odd
        # an empty clip hides everything
        self._out.append(f"{' '.join(words) or '0 0 m 0 0 l h'} W{'*' if even else ''} n")

    # -- paths -------------------------------------------------------------------------------------

    def _shape(self, shape: Shape) -> None:
        outline, fill, stroke = shape.outline, shape.fill, shape.stroke
        if not outline.points:
            return
        self._out.append("q")
        if outline.matrix != IDENTITY:
            self._out.append(f"{_words(outline.matrix)} cm")
        path = _path(outline.ops, outline.points)
        star = "*" if outline.even_odd else ""
        base = times(outline.matrix, self._base)
        if fill is not None and not isinstance(fill, int):
            self._special(fill, path, star, base)
            fill = None
        if stroke is not None:
            self._pen(stroke)
        if fill is not None:
            self._colour(fill, "rg")
        if fill is not None or stroke is not None:
            operator = ("B" if stroke is not None else "f") + star if fill is not None else "S"
            self._out.append(f"{path} {operator}")
        self._out.append("Q")

    def _special(self, fill: Paint, path: str, star: str, base: Matrix) -> None:
        shelf = self._shelf
        if isinstance(fill, Pattern):
            name = self._pattern(fill, base)
            self._out.append(f"/Pattern cs {name} scn {path} f{star}")
            return
        assert isinstance(fill, Gradient | Mesh)
        made = _gradient(fill) if isinstance(fill, Gradient) else _mesh(shelf.document, fill)
        if made is None:
            shelf.report.add("object.unsupported", "", "Shading")
            return
        if isinstance(fill, Gradient) and fill.mapping != "Direct":
            shelf.report.add("object.unsupported", "", f"MapType {fill.mapping}")
        colours = [colour for _, colour in fill.stops] if isinstance(fill, Gradient) else [fill.corners[0][2]]
        alpha = max(colour >> 24 for colour in colours)
        self._out.append(f"q {path} W{star} n")
        if alpha < 255:
            self._out.append(f"{shelf.state('ca', alpha)} gs")
        self._out.append(f"{shelf.put('/Shading', made)} sh Q")

    def _pattern(self, fill: Pattern, base: Matrix) -> str:
        import pikepdf

        if fill.reflect != "Normal":
            self._shelf.report.add("object.unsupported", "", f"ReflectMethod {fill.reflect}")
        space = times(fill.matrix, base)
        cell = _Content(self._shelf, space, self._depth + 1)
        if self._depth < _DEPTH:
            cell.items(fill.items)
        stream = self._shelf.document.make_stream(cell.bytes())
        said = {
            "PatternType": 1, "PaintType": 1, "TilingType": 1, "XStep": fill.x_step, "YStep": fill.y_step,
            "BBox": pikepdf.Array([0, 0, fill.width, fill.height]),
            "Matrix": pikepdf.Array([round(each, 6) for each in space]), "Resources": self._shelf.resources,
        }  # fmt: skip
        for key, value in said.items():
            stream[f"/{key}"] = value
        return self._shelf.put("/Pattern", stream)

    def _pen(self, stroke: Stroke) -> None:
        dashes = " ".join(number(each) for each in stroke.dashes)
        self._out.append(
            f"{number(stroke.width)} w {_CAPS.get(stroke.cap, 0)} J {_JOINS.get(stroke.join, 0)} j "
            f"{number(max(stroke.miter, 1))} M [{dashes}] {number(stroke.dash_offset)} d"
        )
        self._colour(stroke.paint, "RG")

    def _colour(self, paint: Paint, operator: str) -> None:
        if isinstance(paint, Gradient) and paint.stops:  # where only plain colours can be: the middle one
            paint = paint.stops[len(paint.stops) // 2][1]
        if not isinstance(paint, int):
            self._shelf.report.add("object.unsupported", "", type(paint).__name__)
            paint = 0xFF808080
        if paint >> 24 < 255:
            self._out.append(f"{self._shelf.state('ca', paint >> 24)} gs")
        parts = (number((paint >> shift & 255) / 255) for shift in (16, 8, 0))
        self._out.append(f"{' '.join(parts)} {operator}")

    def _picture(self, picture: Picture) -> None:
        name = self._shelf.image(picture.media, picture.mask)
        if name is None:
            return
        state = f"{self._shelf.state('ca', picture.alpha)} gs " if picture.alpha < 255 else ""
        # the unit square of PDF stands on its lower edge
        matrix = times((1.0, 0.0, 0.0, -1.0, 0.0, 1.0), picture.matrix)
        self._out.append(f"q {state}{_words(matrix)} cm {name} Do Q")

    # -- text --------------------------------------------------------------------------------------

    def _run(self, run: GlyphRun) -> None:
        a, b, c, d = run.linear
        if run.italic and not run.font.italic:
            c, d = c - a * _SHEAR, d - b * _SHEAR  # y grows downwards
        if abs(a * d - b * c) < 1e-9 or run.size <= 0:
            return
        self._out.append("q")
        stroke = run.stroke
        if stroke is None and run.weight >= _BOLD and not run.font.data() and isinstance(run.fill, int):
            stroke = Stroke(run.fill, run.size / 50, join="Round")
        if stroke is not None:
            self._pen(stroke)
        if run.fill is not None:
            self._colour(run.fill, "rg")
        mode = {(True, False): 0, (False, True): 1, (True, True): 2, (False, False): 3}[
            run.fill is not None, stroke is not None
        ]
        self._out.append(f"BT {mode} Tr")
        font: Font | None = None
        pieces: list[tuple[int, float]] = []
        start = (0.0, 0.0)
        reached = 0.0
        det = a * d - b * c
        fonts = self._shelf.fonts

        def end() -> None:
            if pieces and font is not None:
                self._show(pieces, (a, b, c, d), start)
            pieces.clear()

        for character, glyph, x, y in zip(
            run.text, run.glyphs or (LOOK_UP,) * len(run.text), run.xs, run.ys, strict=True
        ):
            chosen = None if glyph == NOTHING else fonts.choose(run, character, glyph)
            shown = None if chosen is None else fonts.number(*chosen)
            if chosen is None or shown is None:
                continue
            if chosen[0] is not font:
                end()
                font = chosen[0]
                self._out.append(f"{fonts.name(font)} {number(run.size)} Tf")
            dx, dy = x - start[0], y - start[1]
            along, aside = (dx * d - dy * c) / det, (dy * a - dx * b) / det
            if pieces and (abs(aside) > 0.002 or abs(along - reached) > 20 * run.size):
                end()
            if not pieces:
                start, along, reached = (x, y), 0.0, 0.0
            gap = -(along - reached) / run.size * 1000
            pieces.append((shown, round(gap)))
            reached += -round(gap) / 1000 * run.size + fonts.width(font, shown) * run.size
        end()
        self._out.append("ET Q")

    def _show(
        self, pieces: list[tuple[int, float]], linear: tuple[float, float, float, float], start: tuple[float, float]
    ) -> None:
        a, b, c, d = linear
        out: list[str] = []
        now = ""
        for glyph, gap in pieces:
            if gap:
                if now:
                    out.append(f"<{now}>")
                out.append(str(gap))
                now = ""
            now += f"{glyph:04x}"
        out.append(f"<{now}>")
        # glyphs of PDF stand upright where y grows upwards
        self._out.append(f"{_words((a, b, -c, -d, *start))} Tm [{' '.join(out)}] TJ")


def _words(matrix: Matrix) -> str:
    return " ".join(number(each, 6 if index < 4 else 4) for index, each in enumerate(matrix))


def _path(ops: str, points: tuple[float, ...]) -> str:
    out: list[str] = []
    at = 0
    x = y = 0.0
    for op in ops:
        count = {"M": 2, "L": 2, "Q": 4, "B": 6, "C": 0}[op]
        numbers = points[at : at + count]
        at += count
        if op == "Q":  # as a cubic
            u, v, p, q = numbers
            numbers = (x + (u - x) * 2 / 3, y + (v - y) * 2 / 3, p + (u - p) * 2 / 3, q + (v - q) * 2 / 3, p, q)
            op = "B"
        out += [*(number(each) for each in numbers), _OPERATORS[op]]
        if numbers:
            x, y = numbers[-2:]
    return " ".join(out)


def _gradient(fill: Gradient) -> Any:
    import pikepdf

    stops = list(fill.stops)
    if not stops:
        return None
    if stops[0][0] > 0:
        stops.insert(0, (0.0, stops[0][1]))
    if stops[-1][0] < 1:
        stops.append((1.0, stops[-1][1]))
    parts = [
        pikepdf.Dictionary(FunctionType=2, Domain=[0, 1], C0=_rgb(one), C1=_rgb(other), N=1)
        for (_, one), (_, other) in pairwise(stops)
    ]
    bounds = [round(at, 5) for at, _ in stops[1:-1]]
    function: Any = parts[0]
    if len(parts) > 1:
        function = pikepdf.Dictionary(
            FunctionType=3, Domain=[0, 1], Functions=parts, Bounds=bounds, Encode=[0, 1] * len(parts)
        )
    coords = [*fill.start, *fill.end]
    if fill.radial:
        coords = [*fill.start, fill.start_radius, *fill.end, fill.end_radius]
    return pikepdf.Dictionary(
        ShadingType=3 if fill.radial else 2,
        ColorSpace=pikepdf.Name.DeviceRGB,
        Coords=[round(each, 5) for each in coords],
        Function=function,
        Extend=[bool(fill.extend & 1), bool(fill.extend & 2)],
    )


def _mesh(document: Any, fill: Mesh) -> Any:
    import pikepdf

    xs, ys = [x for x, _, _ in fill.corners], [y for _, y, _ in fill.corners]
    left, top = min(xs), min(ys)
    wide, high = max(max(xs) - left, 1e-6), max(max(ys) - top, 1e-6)
    most = 0xFFFFFFFF
    data = b"".join(
        struct.pack(">BII3B", 0, round((x - left) / wide * most), round((y - top) / high * most), *_bytes(colour))
        for x, y, colour in fill.corners
    )
    stream = document.make_stream(data)
    stream.ShadingType, stream.ColorSpace = 4, pikepdf.Name.DeviceRGB
    stream.BitsPerCoordinate, stream.BitsPerComponent, stream.BitsPerFlag = 32, 8, 8
    stream.Decode = pikepdf.Array([left, left + wide, top, top + high, 0, 1, 0, 1, 0, 1])
    return stream


def _bytes(colour: int) -> tuple[int, int, int]:
    return colour >> 16 & 255, colour >> 8 & 255, colour & 255


def _rgb(colour: int) -> list[float]:
    return [round(part / 255, 4) for part in _bytes(colour)]


def _describe(made: Any, document: Document) -> None:
    import pikepdf

    info = document.body.info
    for key, name in (("/Title", "Title"), ("/Author", "Author"), ("/Subject", "Subject")):
        if info.get(name):
            made.docinfo[key] = info[name]
    if document.body.keywords:
        made.docinfo["/Keywords"] = ", ".join(document.body.keywords)

    def entry(each: OutlineEntry) -> Any:
        where = each.destination
        if where is None:
            item = pikepdf.OutlineItem(each.title or "—")
        else:
            top = (document.page_box(where.page).height - where.top) * _POINTS
            item = pikepdf.OutlineItem(each.title or "—", where.page, "XYZ", left=0, top=top, zoom=0)
        item.children.extend(map(entry, each.children))
        return item

    if document.extras.outline:
        with made.open_outline() as outline:
            outline.root.extend(map(entry, document.extras.outline))


def _attach(made: Any, document: Document, report: Report) -> None:
    import pikepdf

    for each in document.extras.attachments:
        try:
            data = document.extras.attachment(each.id)
        except OfdError as error:
            report.add("document.part", each.name, error.code)
            continue
        name = each.name or each.path.rpartition("/")[2]
        made.attachments[name] = pikepdf.AttachedFileSpec(made, data, filename=name)
