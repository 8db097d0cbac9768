"""A page's content (GB/T 33190-2016, 7.7, 8 to 13) into a display list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modules.common.ofd import outlines, texts
from modules.common.ofd.colours import Colours
from modules.common.ofd.display import (
    BLACK,
    IDENTITY,
    LOOK_UP,
    Clip,
    GlyphRun,
    Group,
    Item,
    Linear,
    Matrix,
    Outline,
    Paint,
    Picture,
    Shape,
    Stroke,
    faded,
    times,
)
from modules.common.ofd.fonts import Font
from modules.common.ofd.report import Report
from modules.common.ofd.resources import PLAIN, Resources, Style, over
from modules.common.ofd.xml import child, children, flag, local, number, numbers

if TYPE_CHECKING:
    from lxml.etree import _Element

ITEM_LIMIT = 400_000
"""Items of one page, those of composites counted each time they are shown."""
GLYPH_LIMIT = 2_000_000
"""Glyphs of one page."""
DEPTH_LIMIT = 40
"""How deep blocks, composites and patterns may lie in one another."""
_LINE = 0.353
_BLENDS = {"multiply", "screen", "overlay", "darken", "lighten", "colordodge", "colorburn", "hardlight", "softlight",
           "difference", "exclusion"}  # fmt: skip
_KNOWN = {"FillColor", "StrokeColor", "AbbreviatedData", "Clips", "Actions", "Border"}


class PageBuilder:
    """Turns the blocks of one page, one after the other, into items. Not for several threads at once."""

    def __init__(self, resources: Resources, report: Report, place: str) -> None:
        self.resources = resources
        self._report = report
        self._place = place
        self._colours = Colours(resources.space, self._cell, report)
        self._composites: dict[str, tuple[tuple[Item, ...], int]] = {}
        self._open: list[str] = []
        self._depth = 0
        self._left = ITEM_LIMIT
        self._glyphs_left = GLYPH_LIMIT
        self._missing = Font("", "")

    def build(self, block: _Element, style: Style = PLAIN) -> tuple[Item, ...]:
        """The items of a layer, page block, template layer or appearance."""
        return tuple(self._block(block, style))

    def layer(self, layer: _Element) -> tuple[Item, ...]:
        """The items of a layer, under its drawing parameters."""
        return self.build(layer, self._styled(layer, PLAIN))

    def _styled(self, element: _Element, style: Style) -> Style:
        id = element.get("DrawParam")
        return self.resources.style(style, id) if id else style

    def _block(self, block: _Element, style: Style) -> list[Item]:
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            self._depth -= 1
            self._report.add("object.recursive", self._place)
            return []
        out: list[Item] = []
        run = _Run(out)
        for element in block:
            name = local(element.tag)
            try:
                if name == "TextObject":
                    self._text(element, style, run)
                elif name == "PathObject":
                    run.end()
                    self._path(element, style, out)
                elif name == "ImageObject":
                    run.end()
                    self._image(element, out)
                elif name == "CompositeObject":
                    run.end()
                    self._composite(element, style, out)
                elif name in ("PageBlock", "Layer"):
                    run.end()
                    out += self._block(element, self._styled(element, style))
                elif name:
                    self._report.add("page.unknown", self._at(element), name)
            except (ValueError, TypeError, IndexError, KeyError, ArithmeticError, AttributeError) as error:
                self._report.add("page.damaged", self._at(element), type(error).__name__)
            self._left -= 1
            if self._left < 0 or self._glyphs_left < 0:
                self._report.add("page.limit", self._place)
                break
        run.end()
        self._depth -= 1
        return out

    def _at(self, element: _Element) -> str:
        id = element.get("ID")
        return f"{self._place}#{id}" if id else self._place

    def _text(self, element: _Element, style: Style, run: _Run) -> None:
        get = element.get
        if flag(get("Visible"), True) is False:
            return
        size = number(get("Size"))
        boundary = numbers(get("Boundary"))
        ctm = _matrix(get("CTM"))
        found = texts.read(element, size, self._report, self._at(element))
        count = len(found.text)
        if not count or size <= 0:
            if size <= 0 or child(element, "TextCode") is None:
                self._report.add("text.empty", self._at(element))
            return
        self._glyphs_left -= count
        font_id = get("Font") or ""
        font = self.resources.font(font_id)
        if font is None:
            self._report.add("object.reference", self._at(element), f"Font {font_id}")
            font = self._missing
        left, top = (boundary[0], boundary[1]) if len(boundary) >= 2 else (0.0, 0.0)
        xs, ys = found.xs, found.ys
        if ctm is None:
            linear: Linear = (1.0, 0.0, 0.0, 1.0)
            if left:
                xs = [x + left for x in xs]
            if top:
                ys = [y + top for y in ys]
        else:
            a, b, c, d, e, f = ctm
            e, f = e + left, f + top
            if count == 1:
                x, y = xs[0], ys[0]
                xs, ys = [a * x + c * y + e], [b * x + d * y + f]
            else:
                xs, ys = (
                    [a * x + c * y + e for x, y in zip(xs, ys, strict=True)],
                    [b * x + d * y + f for x, y in zip(xs, ys, strict=True)],
                )
            linear = (a, b, c, d)
        if get("CharDirection") is not None or get("HScale") is not None:
            linear = texts.linear_of(ctm, element)
        fill, stroke = self._look(element, style, True, False, BLACK)
        weight = int(number(get("Weight"), 400))
        italic = flag(get("Italic"))
        group = self._around(element, boundary, ctm)
        key = (font, size, linear, fill, stroke, weight, italic)
        if group is None:
            run.add(key, found.text, found.glyphs, xs, ys)
            return
        run.end()
        glyphs = None if found.glyphs is None else tuple(found.glyphs)
        item = GlyphRun(font, size, linear, found.text, glyphs, tuple(xs), tuple(ys), fill, stroke, weight, italic)
        run.out.append(group._replace(items=(item,)))

    def _look(
        self, element: _Element, style: Style, fills: bool, strokes: bool, default: int | None
    ) -> tuple[Paint | None, Stroke | None]:
        """Fill and stroke of an object, its opacity included."""
        get = element.get
        if get("DrawParam") is not None:
            style = self._styled(element, style)
        place = self._place
        fill_given, stroke_given = get("Fill"), get("Stroke")
        fills = flag(fill_given, fills) if fill_given is not None else fills
        strokes = flag(stroke_given, strokes) if stroke_given is not None else strokes
        alpha = get("Alpha")
        opacity = min(max(int(number(alpha, 255)), 0), 255) if alpha is not None else 255
        fill: Paint | None = None
        stroke: Stroke | None = None
        if strokes:
            style = over(style, element)
        elif fills:
            own = child(element, "FillColor")
            if own is not None:
                style = style._replace(fill=own)
        if fills:
            fill = default
            if style.fill is not None:
                fill = self._colours.paint(style.fill, place)
                fill = default if fill is None else fill
            fill = None if fill is None else _seen(faded(fill, opacity))
        if strokes:
            paint = None if style.stroke is None else self._colours.paint(style.stroke, place)
            seen = _seen(faded(BLACK if paint is None else paint, opacity))
            if seen is not None:
                dashes = style.dashes or ()
                if dashes and (min(dashes) < 0 or sum(dashes) <= 0):
                    dashes = ()
                stroke = Stroke(
                    seen,
                    _LINE if style.width is None else style.width,
                    style.cap or "Butt",
                    style.join or "Miter",
                    style.miter or 4.234,
                    dashes,
                    style.dash_offset or 0.0,
                )
        return fill, stroke

    def _path(self, element: _Element, style: Style, out: list[Item]) -> None:
        if flag(element.get("Visible"), True) is False:
            return
        outline = self._outline(element)
        if outline is None:
            return
        fill, stroke = self._look(element, style, False, True, None)
        if fill is None and stroke is None:
            return
        shape = Shape(outline, fill, stroke)
        boundary = numbers(element.get("Boundary"))
        group = self._around(element, boundary, _matrix(element.get("CTM")))
        clip = _boundary_clip(boundary, shape)
        if clip is not None:
            group = Group((), None, (clip,)) if group is None else group._replace(clips=(*group.clips, clip))
        out.append(shape if group is None else group._replace(items=(shape,)))

    def _outline(self, element: _Element) -> Outline | None:
        """The path of a PathObject or of a clip's Path, carried by its CTM and boundary."""
        data = child(element, "AbbreviatedData")
        ops, points, whole = outlines.parse((data.text or "") if data is not None else "")
        if not whole:
            self._report.add("path.data", self._at(element))
        if not points:
            return None
        boundary = numbers(element.get("Boundary"))
        left, top = (boundary[0], boundary[1]) if len(boundary) >= 2 else (0.0, 0.0)
        a, b, c, d, e, f = _matrix(element.get("CTM")) or IDENTITY
        rule = element.get("Rule", "NonZero").lower().replace("-", "")
        return Outline(ops, points, (a, b, c, d, e + left, f + top), rule == "evenodd")

    def _image(self, element: _Element, out: list[Item]) -> None:
        if flag(element.get("Visible"), True) is False:
            return
        id = element.get("ResourceID") or ""
        media = self.resources.media(id)
        if media is None:
            substitute = element.get("Substitution")
            media = self.resources.media(substitute) if substitute else None
        if media is None:
            self._report.add("object.reference", self._at(element), f"MultiMedia {id}")
            return
        boundary = numbers(element.get("Boundary"))
        left, top = (boundary[0], boundary[1]) if len(boundary) >= 2 else (0.0, 0.0)
        ctm = _matrix(element.get("CTM"))
        if ctm is None:
            width, height = (boundary[2], boundary[3]) if len(boundary) >= 4 else (1.0, 1.0)
            ctm = (width, 0.0, 0.0, height, 0.0, 0.0)
        a, b, c, d, e, f = ctm
        mask_id = element.get("ImageMask")
        mask = self.resources.media(mask_id) if mask_id else None
        if mask_id and mask is None:
            self._report.add("object.reference", self._at(element), f"ImageMask {mask_id}")
        alpha = min(max(int(number(element.get("Alpha"), 255)), 0), 255)
        picture = Picture(media, (a, b, c, d, e + left, f + top), alpha, mask)
        border = child(element, "Border")
        group = self._around(element, boundary, ctm)
        out.append(picture if group is None else group._replace(items=(picture,)))
        if border is not None and len(boundary) >= 4:
            out.append(self._border(border, boundary))

    def _border(self, element: _Element, boundary: list[float]) -> Item:
        """The frame of an image (10.2)."""
        colour = child(element, "BorderColor")
        paint = self._colours.paint(colour, self._place) if colour is not None else BLACK
        dashes = tuple(step for step in numbers(element.get("DashPattern")) if step >= 0)
        stroke = Stroke(
            BLACK if paint is None else paint,
            number(element.get("LineWidth"), _LINE),
            dashes=dashes if sum(dashes) > 0 else (),
            dash_offset=number(element.get("DashOffset")),
        )
        ops, points = outlines.rectangle(*boundary[:4])
        return Shape(Outline(ops, points, IDENTITY, False), None, stroke)

    def _composite(self, element: _Element, style: Style, out: list[Item]) -> None:
        if flag(element.get("Visible"), True) is False:
            return
        id = element.get("ResourceID") or ""
        unit = self.resources.composite(id)
        if unit is None:
            self._report.add("object.reference", self._at(element), f"Composite {id}")
            return
        if id in self._open:
            self._report.add("object.recursive", self._at(element), id)
            return
        alpha = min(max(int(number(element.get("Alpha"), 255)), 0), 255)
        if alpha == 0:
            return
        if id not in self._composites:
            left = self._left
            self._open.append(id)
            content = child(unit, "Content")
            items = () if content is None else tuple(self._block(content, self._styled(element, style)))
            self._open.pop()
            self._composites[id] = (items, left - self._left)
        else:
            self._left -= self._composites[id][1]
        items = self._composites[id][0]
        if not items:
            return
        boundary = numbers(element.get("Boundary"))
        ctm = _matrix(element.get("CTM"))
        a, b, c, d, e, f = ctm or IDENTITY
        left_, top = (boundary[0], boundary[1]) if len(boundary) >= 2 else (0.0, 0.0)
        inner = Group(items, (a, b, c, d, e + left_, f + top))
        group = self._around(element, boundary, ctm)
        if alpha < 255:
            group = (group or Group(()))._replace(alpha=alpha)
        out.append(inner if group is None else group._replace(items=(inner,)))

    def _around(self, element: _Element, boundary: list[float], ctm: Matrix | None) -> Group | None:
        """The group that an object's clips and blend mode call for, without its items; ``None`` when neither does."""
        blend = (element.get("BlendMode") or "").replace("-", "").lower()
        if blend and blend not in _BLENDS:
            if blend != "normal":
                self._report.add("object.unsupported", self._at(element), f"BlendMode {blend}")
            blend = ""
        clips: tuple[Clip, ...] = ()
        given = child(element, "Clips")
        if given is not None:
            clips = self._clips(given, boundary, ctm)
        return Group((), None, clips, 255, blend) if clips or blend else None

    def _clips(self, element: _Element, boundary: list[float], ctm: Matrix | None) -> tuple[Clip, ...]:
        left, top = (boundary[0], boundary[1]) if len(boundary) >= 2 else (0.0, 0.0)
        carried: Matrix = (1.0, 0.0, 0.0, 1.0, left, top)
        if flag(element.get("TransFlag"), True) and ctm is not None:
            carried = times(ctm, carried)
        found: list[Clip] = []
        for clip in children(element, "Clip"):
            parts: list[Outline | GlyphRun] = []
            for area in children(clip, "Area"):
                to_page = times(_matrix(area.get("CTM")) or IDENTITY, carried)
                for each in area:
                    name = local(each.tag)
                    if name == "Path":
                        outline = self._outline(each)
                        if outline is not None:
                            parts.append(outline._replace(matrix=times(outline.matrix, to_page)))
                    elif name == "Text":
                        parts += self._clip_text(each, to_page)
            if not _covers(parts, boundary):
                found.append(tuple(parts))
        return tuple(found)

    def _clip_text(self, element: _Element, to_page: Matrix) -> list[GlyphRun]:
        runs: list[Item] = []
        run = _Run(runs)
        self._text(element, PLAIN, run)
        run.end()
        made = []
        for each in runs:
            if isinstance(each, GlyphRun):
                places = [
                    (to_page[0] * x + to_page[2] * y + to_page[4], to_page[1] * x + to_page[3] * y + to_page[5])
                    for x, y in zip(each.xs, each.ys, strict=True)
                ]
                linear = times((*each.linear, 0.0, 0.0), (*to_page[:4], 0.0, 0.0))[:4]
                xs, ys = tuple(x for x, _ in places), tuple(y for _, y in places)
                made.append(each._replace(xs=xs, ys=ys, linear=linear))
        return made

    def _cell(self, content: _Element) -> tuple[Item, ...]:
        """The content of a pattern's cell."""
        return tuple(self._block(content, PLAIN))


_Look = tuple[Font, float, Linear, "Paint | None", "Stroke | None", int, bool]
"""What glyphs share in a run."""


class _Run:
    """Joins text objects that follow one another and look alike into one run."""

    __slots__ = ("_glyphs", "_key", "_texts", "_xs", "_ys", "out")

    def __init__(self, out: list[Item]) -> None:
        self.out = out
        self._key: _Look | None = None
        self._texts = ""
        self._glyphs: list[int] | None = None
        self._xs: list[float] = []
        self._ys: list[float] = []

    def add(self, key: _Look, text: str, glyphs: list[int] | None, xs: list[float], ys: list[float]) -> None:
        """Add characters, to the run before if it looks the same."""
        if key != self._key:
            self.end()
            self._key, self._texts, self._glyphs, self._xs, self._ys = key, text, glyphs, xs, ys
            return
        if glyphs is not None or self._glyphs is not None:
            self._glyphs = (self._glyphs or [LOOK_UP] * len(self._texts)) + (glyphs or [LOOK_UP] * len(text))
        self._texts += text
        self._xs += xs
        self._ys += ys

    def end(self) -> None:
        """Put the run out."""
        if self._key is None:
            return
        font, size, linear, fill, stroke, weight, italic = self._key
        glyphs = None if self._glyphs is None else tuple(self._glyphs)
        self.out.append(
            GlyphRun(
                font, size, linear, self._texts, glyphs, tuple(self._xs), tuple(self._ys), fill, stroke, weight, italic
            )
        )
        self._key = None


def _matrix(value: str | None) -> Matrix | None:
    if value is None:
        return None
    found = numbers(value)
    return (found[0], found[1], found[2], found[3], found[4], found[5]) if len(found) >= 6 else None


def _seen(paint: Paint) -> Paint | None:
    return None if isinstance(paint, int) and not paint >> 24 else paint


def _covers(parts: list[Outline | GlyphRun], boundary: list[float]) -> bool:
    """Whether a clip hides nothing of an object within its boundary."""
    if len(parts) != 1 or len(boundary) < 4:
        return False
    part = parts[0]
    if not isinstance(part, Outline) or not outlines.is_rectangle(part.ops, part.points):
        return False
    a, b, c, d, e, f = part.matrix
    if b or c:
        return False
    left, top, right, bottom = outlines.bounds(part.points)
    x1, x2 = sorted((a * left + e, a * right + e))
    y1, y2 = sorted((d * top + f, d * bottom + f))
    x, y, width, height = boundary[:4]
    slack = 0.05
    return x1 <= x + slack and y1 <= y + slack and x2 >= x + width - slack and y2 >= y + height - slack


def _boundary_clip(boundary: list[float], shape: Shape) -> Clip | None:
    """The boundary as a clip, when the path clearly leaves it (8.5: what lies outside is cut off).

    Half a line's width does not count, nor does a boundary without an area: many makers give these.
    """
    if len(boundary) < 4 or boundary[2] <= 0 or boundary[3] <= 0:
        return None
    left, top, right, bottom = outlines.bounds(shape.outline.points)
    a, b, c, d, e, f = shape.outline.matrix
    xs = [a * x + c * y + e for x in (left, right) for y in (top, bottom)]
    ys = [b * x + d * y + f for x in (left, right) for y in (top, bottom)]
    x, y, width, height = boundary[:4]
    half = 0.3 if shape.stroke is None else 0.3 + shape.stroke.width * abs(a * d - b * c) ** 0.5
    if min(xs) >= x - half and min(ys) >= y - half and max(xs) <= x + width + half and max(ys) <= y + height + half:
        return None
    ops, points = outlines.rectangle(x - half, y - half, width + 2 * half, height + 2 * half)
    return (Outline(ops, points, IDENTITY, False),)
