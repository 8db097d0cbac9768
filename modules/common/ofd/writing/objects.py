"""Items of a page into the objects of a layer (GB/T 33190-2016, 8 to 13), children in the schemas' order.

Everything is laid flat onto the page: what groups say of place and clips each object says for itself. Where opacity is
common to several items they become one composite, for only so they look the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Protocol

from modules.common.ofd import outlines
from modules.common.ofd.display import (
    FILLER,
    IDENTITY,
    LOOK_UP,
    NOTHING,
    UPRIGHT,
    Clip,
    GlyphRun,
    Gradient,
    Group,
    Item,
    Matrix,
    Mesh,
    Outline,
    Paint,
    Pattern,
    Picture,
    Shape,
    Stroke,
    apply,
    faded,
    times,
)
from modules.common.ofd.fonts import Font
from modules.common.ofd.report import Report
from modules.common.ofd.resources import Media
from modules.common.ofd.writing.geometry import extent, inverse, transformed
from modules.common.ofd.writing.marks import REPLACEMENT, array, number, steps, text

_CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
_MANY = 8
"""A clip that is no rectangle is written with each of so many items, with more only once, around a composite."""
_FLAT = 1e-9


class Shelf(Protocol):
    """Gives IDs to what objects refer to."""

    report: Report

    def next_id(self) -> int: ...
    def font(self, font: Font) -> int: ...
    def glyph(self, run: GlyphRun, character: str, glyph: int) -> int: ...
    def image(self, media: Media) -> int: ...
    def composite(self, width: float, height: float, content: str) -> int: ...


class Objects:
    """Writes items as objects. ``place`` says where, for what had to be left out."""

    def __init__(self, shelf: Shelf, place: str) -> None:
        self._shelf = shelf
        self._place = place

    def of(self, items: Iterable[Item], matrix: Matrix = IDENTITY, clips: tuple[Clip, ...] = ()) -> str:
        """The objects of items under a matrix and clips that lie on the page."""
        return "".join(self._each(items, matrix, clips))

    def _each(self, items: Iterable[Item], matrix: Matrix, clips: tuple[Clip, ...]) -> Iterator[str]:
        for item in items:
            if isinstance(item, Group):
                yield from self._group(item, matrix, clips)
            elif isinstance(item, GlyphRun):
                yield from self._run(item, matrix, clips)
            elif isinstance(item, Shape):
                yield self._shape(item, matrix, clips)
            else:
                yield self._picture(item, matrix, clips)

    def _group(self, group: Group, matrix: Matrix, clips: tuple[Clip, ...]) -> Iterator[str]:
        if group.blend:
            self._shelf.report.add("write.blend", self._place, group.blend)
        own = tuple(_moved(clip, matrix) for clip in group.clips)
        inner = matrix if group.matrix is None else times(group.matrix, matrix)
        alone = len(group.items) == 1 and not isinstance(group.items[0], Group)
        many = len(group.items) > _MANY and any(_box_of(clip) is None for clip in own)
        if group.alpha < 255 and alone:
            yield from self._each([_faded(group.items[0], group.alpha)], inner, clips + own)
        elif group.alpha < 255 or many:
            yield from self._composite(group, inner, clips + own)
        else:
            yield from self._each(group.items, inner, clips + own)

    def _composite(self, group: Group, matrix: Matrix, clips: tuple[Clip, ...]) -> Iterator[str]:
        content = self.of(group.items, matrix)
        box = extent(group.items, matrix)
        if not content or box is None:
            return
        right, bottom = box[2:]
        clipping = self._clips(clips, IDENTITY, (0.0, 0.0), box)
        if clipping is None:
            return
        unit = self._shelf.composite(max(right, 1.0), max(bottom, 1.0), content)
        alpha = f' Alpha="{group.alpha}"' if group.alpha < 255 else ""
        # the unit's own space is the page's, so its boundary begins at the page's corner
        boundary = array((0.0, 0.0, max(right, 1.0), max(bottom, 1.0)))
        yield (
            f'<ofd:CompositeObject ID="{self._shelf.next_id()}" Boundary="{boundary}" ResourceID="{unit}"{alpha}>'
            f"{clipping}</ofd:CompositeObject>"
        )

    # -- text --------------------------------------------------------------------------------------

    def _run(self, run: GlyphRun, matrix: Matrix, clips: tuple[Clip, ...]) -> Iterator[str]:
        a, b, c, d = times((*run.linear, 0.0, 0.0), (*matrix[:4], 0.0, 0.0))[:4]
        stretch = math.hypot(c, d)
        if stretch < _FLAT or abs(a * d - b * c) < _FLAT or not run.size > 0:
            self._shelf.report.add("write.flat", self._place)
            return
        size = run.size * stretch
        linear = (a / stretch, b / stretch, c / stretch, d / stretch)
        if all(abs(one - other) < 1e-6 for one, other in zip(linear, UPRIGHT, strict=True)):
            linear = UPRIGHT
        places = [apply(matrix, x, y) for x, y in zip(run.xs, run.ys, strict=True)]
        glyphs = run.glyphs or (LOOK_UP,) * len(run.text)
        cells = list(zip(run.text, glyphs, places, strict=True))
        for part in _parts(cells, size):
            yield self._text(run, part, size, linear, clips)

    def _text(
        self,
        run: GlyphRun,
        cells: list[tuple[str, int, tuple[float, float]]],
        size: float,
        linear: tuple[float, float, float, float],
        clips: tuple[Clip, ...],
    ) -> str:
        a, b, c, d = linear
        xs, ys = [place[0] for _, _, place in cells], [place[1] for _, _, place in cells]
        reach = 1.2 * size * max(1.0, math.hypot(a, b))
        box = (min(xs) - reach * 0.2, min(ys) - reach, max(xs) + reach, max(ys) + reach * 0.4)
        if linear is not UPRIGHT:
            box = (min(xs) - reach, min(ys) - reach, max(xs) + reach, max(ys) + reach)
        left, top = round(box[0], 3), round(box[1], 3)
        ctm: Matrix = (a, b, c, d, 0.0, 0.0)
        clipping = self._clips(clips, ctm, (left, top), box)
        if clipping is None:
            return ""
        drawn = [cell for cell in cells if cell[1] != NOTHING]
        det = a * d - b * c
        across = [round(((x - left) * d - (y - top) * c) / det * 1000) for _, _, (x, y) in drawn]
        down = [round(((y - top) * a - (x - left) * b) / det * 1000) for _, _, (x, y) in drawn]
        attributes = [f'Font="{self._shelf.font(run.font)}" Size="{number(size)}"']
        if linear is not UPRIGHT:
            attributes.append(f'CTM="{array(ctm, 6)}"')
        if run.weight != 400:
            attributes.append(f'Weight="{min(max(round(run.weight / 100), 1), 9) * 100}"')
        if run.italic:
            attributes.append('Italic="true"')
        paints = self._look(run.fill, run.stroke, attributes, True, False, size / run.size)
        glyphs = self._glyphs(run, cells, drawn)
        code = "".join(_written(character) for character, _, _ in cells)
        place = f'X="{number(across[0] / 1000, 3)}" Y="{number(down[0] / 1000, 3)}"'
        if len(drawn) > 1:
            dx, dy = ([other - one for one, other in pairwise(line)] for line in (across, down))
            place += f' DeltaX="{steps(dx)}"'
            if any(dy):
                place += f' DeltaY="{steps(dy)}"'
        return (
            f'<ofd:TextObject ID="{self._shelf.next_id()}" Boundary="{_boundary(left, top, box)}" '
            f"{' '.join(attributes)}>{clipping}{paints}{glyphs}<ofd:TextCode {place}>{text(code)}</ofd:TextCode>"
            f"</ofd:TextObject>"
        )

    def _glyphs(
        self,
        run: GlyphRun,
        cells: list[tuple[str, int, tuple[float, float]]],
        drawn: list[tuple[str, int, tuple[float, float]]],
    ) -> str:
        if len(drawn) == 1 and len(cells) > 1:  # several characters that one glyph shows
            glyph = self._shelf.glyph(run, cells[0][0], drawn[0][1])
            return "" if glyph == LOOK_UP else _transform(0, len(cells), [glyph])
        out: list[str] = []
        now: list[int] = []
        for at, (character, glyph, _) in enumerate([*drawn, ("", NOTHING, (0.0, 0.0))]):
            number_ = LOOK_UP if not character else self._shelf.glyph(run, character, glyph)
            if number_ != LOOK_UP:
                now.append(number_)
            elif now:
                out.append(_transform(at - len(now), len(now), now))
                now = []
        return "".join(out)

    # -- paths -------------------------------------------------------------------------------------

    def _shape(self, shape: Shape, matrix: Matrix, clips: tuple[Clip, ...]) -> str:
        outline = shape.outline
        if not outline.points or (shape.fill is None and shape.stroke is None):
            return ""
        whole = times(outline.matrix, matrix)
        a, b, c, d, _, _ = whole
        even = abs(math.hypot(a, b) - math.hypot(c, d)) < 1e-3 * math.hypot(a, b) and abs(a * c + b * d) < 1e-3 * (
            abs(a * d - b * c) + _FLAT
        )
        plain = isinstance(shape.fill, int | None) and (shape.stroke is None or isinstance(shape.stroke.paint, int))
        bare = shape.stroke is None or even
        scale = abs(a * d - b * c) ** 0.5
        stroke = shape.stroke
        edge = 0.0 if stroke is None else (max(math.hypot(a, b), math.hypot(c, d)) * stroke.width * 0.5 + 0.05)
        if stroke is not None and stroke.join == "Miter":
            edge *= 2
        x1, y1, x2, y2 = outlines.bounds(transformed(outline.points, whole))
        box = (x1 - edge, y1 - edge, x2 + edge, y2 + edge)
        left, top = round(box[0], 3), round(box[1], 3)
        attributes: list[str] = []
        ctm = IDENTITY
        if plain and bare:
            points = transformed(outline.points, (a, b, c, d, whole[4] - left, whole[5] - top))
        else:
            if abs(a * d - b * c) < _FLAT:
                self._shelf.report.add("write.flat", self._place)
                return ""
            points, scale = outline.points, 1.0
            ctm = (a, b, c, d, whole[4] - left, whole[5] - top)
            attributes.append(f'CTM="{array(ctm, 6)}"')
        clipping = self._clips(clips, ctm, (left, top), box)
        if clipping is None:
            return ""
        paints = self._look(shape.fill, stroke, attributes, False, True, scale)
        if outline.even_odd and shape.fill is not None:
            attributes.append('Rule="Even-Odd"')
        gap = " " if attributes else ""
        return (
            f'<ofd:PathObject ID="{self._shelf.next_id()}" Boundary="{_boundary(left, top, box)}"{gap}'
            f"{' '.join(attributes)}>{clipping}{paints}<ofd:AbbreviatedData>{_data(outline.ops, points)}"
            f"</ofd:AbbreviatedData></ofd:PathObject>"
        )

    def _look(
        self,
        fill: Paint | None,
        stroke: Stroke | None,
        attributes: list[str],
        fills: bool,
        strokes: bool,
        scale: float,
    ) -> str:
        """Colours as elements, the rest into ``attributes``; ``fills`` and ``strokes`` hold when nothing is said."""
        if (fill is not None) != fills:
            attributes.append(f'Fill="{str(fill is not None).lower()}"')
        if (stroke is not None) != strokes:
            attributes.append(f'Stroke="{str(stroke is not None).lower()}"')
        filling = "" if fill is None else self._colour("FillColor", fill)
        lining = ""
        if stroke is not None:
            attributes.append(f'LineWidth="{number(stroke.width * scale)}"')
            if stroke.cap != "Butt":
                attributes.append(f'Cap="{stroke.cap}"')
            if stroke.join != "Miter":
                attributes.append(f'Join="{stroke.join}"')
            elif abs(stroke.miter - 4.234) > 1e-6:
                attributes.append(f'MiterLimit="{number(stroke.miter)}"')
            if stroke.dashes:
                attributes.append(f'DashPattern="{array(dash * scale for dash in stroke.dashes)}"')
                if stroke.dash_offset:
                    attributes.append(f'DashOffset="{number(stroke.dash_offset * scale)}"')
            lining = self._colour("StrokeColor", stroke.paint)
        # CT_Text has the filling first, CT_Path the line
        return filling + lining if fills else lining + filling

    def _colour(self, tag: str, paint: Paint) -> str:
        if isinstance(paint, int):
            return f"<ofd:{tag} {_value(paint)}/>"
        if isinstance(paint, Gradient):
            inside = _gradient(paint)
        elif isinstance(paint, Mesh):
            points = "".join(
                f'<ofd:Point X="{number(x)}" Y="{number(y)}" EdgeFlag="0"><ofd:Color {_value(colour)}/></ofd:Point>'
                for x, y, colour in paint.corners
            )
            back = f"<ofd:BackColor {_value(paint.back)}/>" if paint.back >> 24 else ""
            inside = f"<ofd:GouraudShd>{points}{back}</ofd:GouraudShd>"
        else:
            return self._pattern(tag, paint)
        return f"<ofd:{tag}>{inside}</ofd:{tag}>"

    def _pattern(self, tag: str, paint: Pattern) -> str:
        said = [
            f'Width="{number(paint.width)}" Height="{number(paint.height)}"',
            f'XStep="{number(paint.x_step)}" YStep="{number(paint.y_step)}"',
        ]
        if paint.reflect != "Normal":
            said.append(f'ReflectMethod="{text(paint.reflect)}"')
        if paint.from_page:
            said.append('RelativeTo="Page"')
        if paint.matrix != IDENTITY:
            said.append(f'CTM="{array(paint.matrix, 6)}"')
        alpha = f' Alpha="{paint.alpha}"' if paint.alpha < 255 else ""
        return (
            f"<ofd:{tag}{alpha}><ofd:Pattern {' '.join(said)}><ofd:CellContent>{self.of(paint.items)}"
            f"</ofd:CellContent></ofd:Pattern></ofd:{tag}>"
        )

    # -- images and clips --------------------------------------------------------------------------

    def _picture(self, picture: Picture, matrix: Matrix, clips: tuple[Clip, ...]) -> str:
        a, b, c, d, e, f = times(picture.matrix, matrix)
        if abs(a * d - b * c) < _FLAT:
            return ""
        corners = [apply((a, b, c, d, e, f), x, y) for x, y in _CORNERS]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        box = (min(xs), min(ys), max(xs), max(ys))
        left, top = round(box[0], 4), round(box[1], 4)
        ctm = (a, b, c, d, e - left, f - top)
        clipping = self._clips(clips, ctm, (left, top), box)
        if clipping is None:
            return ""
        mask = f' ImageMask="{self._shelf.image(picture.mask)}"' if picture.mask is not None else ""
        alpha = f' Alpha="{picture.alpha}"' if picture.alpha < 255 else ""
        return (
            f'<ofd:ImageObject ID="{self._shelf.next_id()}" Boundary="{_boundary(left, top, box)}" '
            f'CTM="{array(ctm)}" ResourceID="{self._shelf.image(picture.media)}"{mask}{alpha}>'
            f"{clipping}</ofd:ImageObject>"
        )

    def _clips(
        self, clips: tuple[Clip, ...], ctm: Matrix, origin: tuple[float, float], box: tuple[float, float, float, float]
    ) -> str | None:
        """The clips of an object that lies in ``box``, in its own space; ``None`` when nothing of it remains."""
        needed: list[Clip] = []
        for clip in clips:
            known = _box_of(clip)
            if known is not None:
                if known[0] >= box[2] or known[1] >= box[3] or known[2] <= box[0] or known[3] <= box[1]:
                    return None
                slack = 0.05
                if (
                    known[0] <= box[0] + slack
                    and known[1] <= box[1] + slack
                    and known[2] >= box[2] - slack
                    and known[3] >= box[3] - slack
                ):
                    continue
            if clip not in needed:
                needed.append(clip)
        if not needed:
            return ""
        back = inverse(times(ctm, (1.0, 0.0, 0.0, 1.0, *origin)))
        written = "".join(f"<ofd:Clip>{self._areas(clip, back)}</ofd:Clip>" for clip in needed)
        return f"<ofd:Clips>{written}</ofd:Clips>"

    def _areas(self, clip: Clip, back: Matrix) -> str:
        out: list[str] = []
        for part in clip:
            if isinstance(part, GlyphRun):
                self._shelf.report.add("write.clip", self._place)
                continue
            points = transformed(part.points, times(part.matrix, back))
            if not points:
                continue
            left, top, right, bottom = outlines.bounds(points)
            moved = transformed(points, (1.0, 0.0, 0.0, 1.0, -left, -top))
            rule = ' Rule="Even-Odd"' if part.even_odd else ""
            place = array((left, top, max(right - left, 0.001), max(bottom - top, 0.001)))
            out.append(
                f'<ofd:Area><ofd:Path Boundary="{place}" Stroke="false" Fill="true"{rule}>'
                f"<ofd:AbbreviatedData>{_data(part.ops, moved, 4)}</ofd:AbbreviatedData></ofd:Path></ofd:Area>"
            )
        # a clip of which nothing can be written hides everything, as an empty one does
        return "".join(out) or (
            '<ofd:Area><ofd:Path Boundary="0 0 0.001 0.001" Stroke="false" Fill="true">'
            "<ofd:AbbreviatedData>M 0 0 L 0 0 C</ofd:AbbreviatedData></ofd:Path></ofd:Area>"
        )


def _written(character: str) -> str:
    """A character as it is written: one for one, and no blank that XML or its readers would join with others."""
    if character == FILLER:
        return REPLACEMENT
    return " " if character.isspace() and character not in "\u00a0\u3000" else character


def _parts(
    cells: list[tuple[str, int, tuple[float, float]]], size: float
) -> Iterator[list[tuple[str, int, tuple[float, float]]]]:
    """Cells cut where lines end and around ligatures; blanks at either end of a part are left out.

    A line of one object: many readers select by object.
    """
    now: list[tuple[str, int, tuple[float, float]]] = []
    for index, cell in enumerate(cells):
        covers = index + 1 < len(cells) and cells[index + 1][1] == NOTHING
        if cell[1] == NOTHING and now:
            now.append(cell)
            continue
        apart = bool(now) and (
            covers
            or now[-1][1] == NOTHING
            or (cell[2][0] < now[-1][2][0] - 0.5 * size and abs(cell[2][1] - now[-1][2][1]) > 0.3 * size)
        )
        if apart:
            yield from _trimmed(now)
            now = []
        now.append(cell)
    yield from _trimmed(now)


def _trimmed(
    cells: list[tuple[str, int, tuple[float, float]]],
) -> Iterator[list[tuple[str, int, tuple[float, float]]]]:
    start, end = 0, len(cells)
    while start < end and cells[start][0].isspace():
        start += 1
    while end > start and cells[end - 1][0].isspace():
        end -= 1
    if start < end:
        yield cells[start:end]


def _moved(clip: Clip, matrix: Matrix) -> Clip:
    return tuple(
        part._replace(matrix=times(part.matrix, matrix)) if isinstance(part, Outline) else part for part in clip
    )


def _box_of(clip: Clip) -> tuple[float, float, float, float] | None:
    """The box of a clip that is an upright rectangle."""
    if len(clip) != 1 or not isinstance(clip[0], Outline):
        return None
    part = clip[0]
    a, b, c, d, _, _ = part.matrix
    if (abs(b) + abs(c) > 1e-9 and abs(a) + abs(d) > 1e-9) or not outlines.is_rectangle(part.ops, part.points):
        return None
    return outlines.bounds(transformed(part.points, part.matrix))


def _faded(item: Item, alpha: int) -> Item:
    if isinstance(item, Picture):
        return item._replace(alpha=item.alpha * alpha // 255)
    assert not isinstance(item, Group)
    fill = None if item.fill is None else faded(item.fill, alpha)
    stroke = None if item.stroke is None else item.stroke._replace(paint=faded(item.stroke.paint, alpha))
    return item._replace(fill=fill, stroke=stroke)


def _boundary(left: float, top: float, box: tuple[float, float, float, float]) -> str:
    return array((left, top, max(box[2] - left, 0.001), max(box[3] - top, 0.001)), 3)


def _data(ops: str, points: Iterable[float], digits: int = 3) -> str:
    following = iter(points)
    counts = {"M": 2, "L": 2, "Q": 4, "B": 6, "C": 0}
    words: list[str] = []
    for op in ops:
        words.append(op)
        words += [number(next(following), digits) for _ in range(counts[op])]
    return " ".join(words)


def _transform(position: int, codes: int, glyphs: list[int]) -> str:
    return (
        f'<ofd:CGTransform CodePosition="{position}" CodeCount="{codes}" GlyphCount="{len(glyphs)}">'
        f"<ofd:Glyphs>{' '.join(map(str, glyphs))}</ofd:Glyphs></ofd:CGTransform>"
    )


def _value(colour: int) -> str:
    alpha = colour >> 24
    more = f' Alpha="{alpha}"' if alpha < 255 else ""
    return f'Value="{colour >> 16 & 255} {colour >> 8 & 255} {colour & 255}"{more}'


def _gradient(paint: Gradient) -> str:
    said = [f'MapType="{text(paint.mapping)}"'] if paint.mapping != "Direct" else []
    if paint.unit:
        said.append(f'MapUnit="{number(paint.unit)}"')
    if paint.extend:
        said.append(f'Extend="{paint.extend}"')
    if paint.radial and paint.eccentricity:
        said.append(f'Eccentricity="{number(paint.eccentricity)}" Angle="{number(paint.angle)}"')
    said.append(f'StartPoint="{array(paint.start)}"')
    if paint.radial:
        said.append(f'StartRadius="{number(paint.start_radius)}"')
    said.append(f'EndPoint="{array(paint.end)}"')
    if paint.radial:
        said.append(f'EndRadius="{number(paint.end_radius)}"')
    segments = "".join(
        f'<ofd:Segment Position="{number(at)}"><ofd:Color {_value(colour)}/></ofd:Segment>'
        for at, colour in paint.stops
    )
    tag = "RadialShd" if paint.radial else "AxialShd"
    return f"<ofd:{tag} {' '.join(said)}>{segments}</ofd:{tag}>"
