"""Paints a display list on an image, or a part of it, turned as wanted. Needs no window and no particular thread."""

from __future__ import annotations

import math
from collections.abc import Callable
from time import monotonic

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QGlyphRun, QImage, QPainter, QPainterPath, QPen, QTransform

from client.widgets.page import brushes
from client.widgets.page.cache import PaintCache
from client.widgets.page.faces import BASE, Face
from client.widgets.page.glyphs import place
from modules.common.ofd.box import Box
from modules.common.ofd.display import (
    IDENTITY,
    Clip,
    DisplayList,
    GlyphRun,
    Group,
    Item,
    Matrix,
    Outline,
    Paint,
    Picture,
    Shape,
    Stroke,
    apply,
    times,
)

MM_PER_INCH = 25.4
PIXEL_LIMIT = 80_000_000
"""Pixels of one picture: more than A3 at 600 dpi."""
SECONDS = 8.0
"""A page that takes longer is left as far as it is painted, and noted: only hostile ones do."""
_DEPTH = 60
_CURVES = 60.0
"""Pixels above which glyphs are painted as curves: Qt caches no pictures of larger ones, and loses some."""
_CAPS = {"Round": Qt.PenCapStyle.RoundCap, "Square": Qt.PenCapStyle.SquareCap}
_JOINS = {"Round": Qt.PenJoinStyle.RoundJoin, "Bevel": Qt.PenJoinStyle.BevelJoin}
_MODES = {
    "multiply": QPainter.CompositionMode.CompositionMode_Multiply,
    "screen": QPainter.CompositionMode.CompositionMode_Screen,
    "overlay": QPainter.CompositionMode.CompositionMode_Overlay,
    "darken": QPainter.CompositionMode.CompositionMode_Darken,
    "lighten": QPainter.CompositionMode.CompositionMode_Lighten,
    "colordodge": QPainter.CompositionMode.CompositionMode_ColorDodge,
    "colorburn": QPainter.CompositionMode.CompositionMode_ColorBurn,
    "hardlight": QPainter.CompositionMode.CompositionMode_HardLight,
    "softlight": QPainter.CompositionMode.CompositionMode_SoftLight,
    "difference": QPainter.CompositionMode.CompositionMode_Difference,
    "exclusion": QPainter.CompositionMode.CompositionMode_Exclusion,
}
_OVER = QPainter.CompositionMode.CompositionMode_SourceOver
_UNTURNED = QTransform()


class Stopped(Exception):
    """Painting was cancelled."""


def pixel_size(box: Box, dpi: float, rotation: int = 0) -> QSize:
    """Pixels of a whole page at a resolution; a page too large for memory gets as many as are allowed."""
    scale = scale_of(box, dpi)
    width, height = max(1, round(box.width * scale)), max(1, round(box.height * scale))
    return QSize(height, width) if rotation % 180 else QSize(width, height)


def scale_of(box: Box, dpi: float) -> float:
    """Pixels a millimetre."""
    scale = max(dpi, 0.1) / MM_PER_INCH
    pixels = box.width * scale * box.height * scale
    return scale if pixels <= PIXEL_LIMIT else scale * math.sqrt(PIXEL_LIMIT / pixels)


def page_matrix(box: Box, dpi: float, rotation: int = 0) -> Matrix:
    """From millimetres on the page to pixels of the whole picture; ``rotation`` is clockwise: 0, 90, 180 or 270."""
    scale = scale_of(box, dpi)
    size = pixel_size(box, dpi, rotation)
    turned: dict[int, Matrix] = {
        90: (0.0, scale, -scale, 0.0, size.width(), 0.0),
        180: (-scale, 0.0, 0.0, -scale, size.width(), size.height()),
        270: (0.0, -scale, scale, 0.0, 0.0, size.height()),
    }
    return turned.get(rotation % 360, (scale, 0.0, 0.0, scale, 0.0, 0.0))


def paint(
    page: DisplayList,
    dpi: float,
    *,
    cache: PaintCache | None = None,
    tile: QRect | None = None,
    rotation: int = 0,
    background: int | None = 0xFFFFFFFF,
    cancelled: Callable[[], bool] | None = None,
    over: Callable[[QPainter], None] | None = None,
) -> QImage:
    """A page, or the rectangle ``tile`` of its pixels, as an image.

    ``background`` is a colour ``0xAARRGGBB``, or ``None`` for a transparent picture. ``over`` may paint on top (seals,
    marks) in millimetres of the page. Raises ``Stopped`` soon after ``cancelled()`` says so.
    """
    whole = pixel_size(page.box, dpi, rotation)
    area = QRect(0, 0, whole.width(), whole.height()) if tile is None else tile
    if area.width() * area.height() > PIXEL_LIMIT * 1.1:
        raise ValueError(f"a tile of {area.width()} by {area.height()} pixels")
    form = QImage.Format.Format_ARGB32_Premultiplied if background is None else QImage.Format.Format_RGB32
    image = QImage(area.size(), form)
    image.fill(background or 0)
    a, b, c, d, e, f = page_matrix(page.box, dpi, rotation)
    matrix: Matrix = (a, b, c, d, e - area.x(), f - area.y())
    painter = QPainter(image)
    try:
        cache = cache or PaintCache()
        Painting(painter, cache, image.size(), Limits(cache, cancelled)).items(page.items, matrix)
        if over is not None:
            painter.setTransform(QTransform(*matrix))
            over(painter)
    finally:
        painter.end()
    return image


class Limits:
    """How long the painting of one page may go on; shared by all passes that it takes."""

    def __init__(self, cache: PaintCache, cancelled: Callable[[], bool] | None) -> None:
        self._cache = cache
        self._cancelled = cancelled
        self._ends = monotonic() + SECONDS
        self._count = 0

    def reached(self, weight: int = 1) -> bool:
        """Whether to leave it at that, before something that takes as long as ``weight`` items. Raises ``Stopped``."""
        before = self._count >> 6
        self._count += weight
        if self._count >> 6 == before:
            return False
        if self._cancelled is not None and self._cancelled():
            raise Stopped
        if monotonic() <= self._ends:
            return False
        if self._cache.report is not None:
            self._cache.report.add("page.limit", "", f"{SECONDS:g} s")
        return True


class Painting:
    """One pass over items with one painter."""

    def __init__(self, painter: QPainter, cache: PaintCache, size: QSize, limits: Limits) -> None:
        self.painter = painter
        self.cache = cache
        self.size = size
        self.limits = limits
        self._depth = 0
        self._turned = False
        self._pen: object = None
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)

    def items(self, items: tuple[Item, ...], matrix: Matrix) -> None:
        """Paint items, whose space ``matrix`` carries to pixels."""
        if self._depth > _DEPTH:
            return
        for item in items:
            if self.limits.reached():
                return
            if isinstance(item, GlyphRun):
                self.run(item, matrix)
            elif isinstance(item, Shape):
                self.shape(item, matrix)
            elif isinstance(item, Picture):
                self.picture(item, matrix)
            else:
                self._depth += 1
                self.group(item, matrix)
                self._depth -= 1

    def inside(self, painter: QPainter, size: QSize) -> Painting:
        """A pass over a picture that becomes part of this one, under the same limits."""
        inner = Painting(painter, self.cache, size, self.limits)
        inner._depth = self._depth + 1
        return inner

    # -- groups --

    def group(self, group: Group, matrix: Matrix) -> None:
        """Paint a group under its clips, opacity and blend mode."""
        inner = matrix if group.matrix is None else times(group.matrix, matrix)
        uneven: list[list[QPainterPath]] = []
        saved = False
        painter = self.painter
        for clip in group.clips:
            parts = self._clip_parts(clip, inner if group.matrix is None else matrix)
            box = QRectF()
            for part in parts:
                box = box.united(part.boundingRect())
            if not saved:
                painter.save()
                saved = True
            painter.setTransform(_UNTURNED)
            self._turned = False
            painter.setClipRect(box, Qt.ClipOperation.IntersectClip)
            if len(parts) > 1 or not all(map(brushes.is_upright, parts)):
                uneven.append(parts)
        mode = _MODES.get(group.blend)
        layered = uneven or group.alpha < 255 or (mode is not None and len(group.items) > 1)
        if layered:
            self._layer(group, inner, uneven, mode)
        elif mode is not None:
            painter.setCompositionMode(mode)
            self.items(group.items, inner)
            painter.setCompositionMode(_OVER)
        else:
            self.items(group.items, inner)
        if saved:
            painter.restore()
            self._turned = not painter.transform().isIdentity()
            self._pen = None

    def _layer(
        self, group: Group, matrix: Matrix, clips: list[list[QPainterPath]], mode: QPainter.CompositionMode | None
    ) -> None:
        """Paint a group on a picture of its own, cut it with smooth edges, and lay it down."""
        painter = self.painter
        area = QRectF(0, 0, self.size.width(), self.size.height())
        if painter.hasClipping():
            painter.setTransform(_UNTURNED)
            self._turned = False
            area = area.intersected(painter.clipBoundingRect())
        rect = area.toAlignedRect().intersected(QRect(0, 0, self.size.width(), self.size.height()))
        if rect.isEmpty() or self.limits.reached(64):
            return
        image = QImage(rect.size(), QImage.Format.Format_ARGB32_Premultiplied)
        image.fill(0)
        a, b, c, d, e, f = matrix
        below = QPainter(image)
        inner = self.inside(below, rect.size())
        try:
            inner.items(group.items, (a, b, c, d, e - rect.x(), f - rect.y()))
            below.setTransform(_UNTURNED)
            below.setCompositionMode(QPainter.CompositionMode.CompositionMode_DestinationIn)
            for parts in clips:
                stencil = QImage(rect.size(), QImage.Format.Format_ARGB32_Premultiplied)
                stencil.fill(0)
                cutter = QPainter(stencil)
                cutter.setRenderHint(QPainter.RenderHint.Antialiasing)
                for path in parts:
                    cutter.fillPath(path.translated(-rect.x(), -rect.y()), QBrush(Qt.GlobalColor.black))
                cutter.end()
                below.drawImage(0, 0, stencil)
        finally:
            below.end()
        painter.setTransform(_UNTURNED)
        self._turned = False
        if mode is not None:
            painter.setCompositionMode(mode)
        if group.alpha < 255:
            painter.setOpacity(group.alpha / 255)
        painter.drawImage(rect.topLeft(), image)
        painter.setOpacity(1.0)
        painter.setCompositionMode(_OVER)

    def _clip_parts(self, clip: Clip, matrix: Matrix) -> list[QPainterPath]:
        """What a clip leaves visible, in pixels: all that lies in any of these."""
        return [
            brushes.path_of(part, times(part.matrix, matrix))
            if isinstance(part, Outline)
            else self._text_path(part, matrix)
            for part in clip
        ]

    # -- shapes --

    def shape(self, shape: Shape, matrix: Matrix) -> None:
        """Fill and stroke a path."""
        outline, fill, stroke = shape
        whole = times(outline.matrix, matrix)
        painter = self.painter
        a, b, c, d, e, f = whole
        if stroke is not None and fill is None and outline.ops == "ML":
            self._set_pen(stroke, whole)
            x1, y1, x2, y2 = outline.points
            painter.setTransform(QTransform(a, b, c, d, e, f))
            self._turned = True
            painter.drawLine(QLineF(x1, y1, x2, y2))
            return
        path = brushes.raw_path(outline)
        painter.setTransform(QTransform(a, b, c, d, e, f))
        self._turned = True
        if fill is not None:
            if isinstance(fill, int):
                painter.fillPath(path, QBrush(QColor.fromRgba(fill)))
            else:
                self._fill(path, fill, whole, matrix)
        if stroke is not None:
            self._set_pen(stroke, whole)
            if isinstance(stroke.paint, int):
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawPath(path)
            else:
                self._fill(brushes.stroked(path, stroke), stroke.paint, whole, matrix)

    def _fill(self, path: QPainterPath, paint: Paint, whole: Matrix, page: Matrix) -> None:
        """Fill a path, given in the space that ``whole`` carries to pixels, with a shading or pattern."""
        self.painter.setTransform(QTransform(*whole))
        self._turned = True
        brushes.fill(self, path, paint, whole, page)

    def _set_pen(self, stroke: Stroke, whole: Matrix) -> None:
        a, b, c, d = whole[:4]
        scale = math.sqrt(abs(a * d - b * c)) or max(abs(a), abs(b), abs(c), abs(d))
        key = (stroke, scale)
        if self._pen == key:
            return
        self._pen = key
        colour = stroke.paint if isinstance(stroke.paint, int) else 0xFF000000
        width = stroke.width
        if width * scale < 1.0:  # a line is never thinner than a pixel
            width = 1.0 / scale if scale > 1e-9 else 0.0
        pen = QPen(QColor.fromRgba(colour), width)
        pen.setCapStyle(_CAPS.get(stroke.cap, Qt.PenCapStyle.FlatCap))
        join = _JOINS.get(stroke.join, Qt.PenJoinStyle.SvgMiterJoin)
        pen.setJoinStyle(join)
        if join == Qt.PenJoinStyle.SvgMiterJoin:
            pen.setMiterLimit(max(stroke.miter, 1.0))
        if stroke.dashes and width > 0 and sum(stroke.dashes) * scale > 0.5:
            steps = stroke.dashes if len(stroke.dashes) % 2 == 0 else stroke.dashes * 2
            pen.setDashPattern([max(step / width, 0.001) for step in steps])
            pen.setDashOffset(stroke.dash_offset / width)
        self.painter.setPen(pen)

    # -- images --

    def picture(self, picture: Picture, matrix: Matrix) -> None:
        """Paint an image."""
        a, b, c, d, e, f = times(picture.matrix, matrix)
        image = self.cache.image(picture.media, picture.mask, math.hypot(a, b), math.hypot(c, d))
        if image is None:
            return
        width, height = image.width(), image.height()
        painter = self.painter
        if picture.alpha < 255:
            painter.setOpacity(picture.alpha / 255)
        if not (b or c) and a > 0 and d > 0:
            painter.setTransform(_UNTURNED)
            self._turned = False
            painter.drawImage(QRectF(e, f, a, d), image, QRectF(0, 0, width, height))
        else:
            painter.setTransform(QTransform(a / width, b / width, c / height, d / height, e, f))
            self._turned = True
            painter.drawImage(0, 0, image)
        if picture.alpha < 255:
            painter.setOpacity(1.0)

    # -- text --

    def run(self, run: GlyphRun, matrix: Matrix) -> None:
        """Paint the glyphs of a run."""
        if run.fill is None and run.stroke is None:
            return
        if run.stroke is not None or not isinstance(run.fill, int):
            self._run_as_path(run, matrix)
            return
        painter = self.painter
        colour = QColor.fromRgba(run.fill)
        for face, glyphs, points, pixels, turn, embolden in place(run, matrix, self.cache.faces):
            if pixels > _CURVES:
                self._curves(face, glyphs, points, pixels, turn, colour, embolden)
                continue
            drawn = QGlyphRun()
            drawn.setRawFont(face.at(pixels))
            drawn.setGlyphIndexes(glyphs)
            drawn.setPositions(points)
            if turn is not None:
                painter.setTransform(turn)
                self._turned = True
            elif self._turned:
                painter.setTransform(_UNTURNED)
                self._turned = False
            self._pen = None
            painter.setPen(colour)
            painter.drawGlyphRun(QPointF(0, 0), drawn)
            if embolden:
                painter.drawGlyphRun(QPointF(pixels * 0.03, 0), drawn)

    def _curves(
        self,
        face: Face,
        glyphs: list[int],
        points: list[QPointF],
        pixels: float,
        turn: QTransform | None,
        colour: QColor,
        embolden: bool,
    ) -> None:
        """Paint large glyphs one by one as curves."""
        painter = self.painter
        brush = QBrush(colour)
        scale = pixels / BASE
        self._turned = True
        for glyph, point in zip(glyphs, points, strict=True):
            spot = QTransform(scale, 0, 0, scale, point.x(), point.y())
            painter.setTransform(spot if turn is None else spot * turn)
            path = face.curve(glyph)
            painter.fillPath(path, brush)
            if embolden:
                painter.fillPath(path.translated(BASE * 0.03, 0), brush)

    def _text_path(self, run: GlyphRun, matrix: Matrix) -> QPainterPath:
        """A run as curves, in pixels."""
        path = QPainterPath()
        path.setFillRule(Qt.FillRule.WindingFill)
        for face, glyphs, points, pixels, turn, _ in place(run, matrix, self.cache.faces):
            scale = pixels / BASE
            for glyph, point in zip(glyphs, points, strict=True):
                spot = QTransform(scale, 0, 0, scale, point.x(), point.y())
                path.addPath((spot if turn is None else spot * turn).map(face.curve(glyph)))
        return path

    def _run_as_path(self, run: GlyphRun, matrix: Matrix) -> None:
        """Text that is stroked, or filled with more than a colour."""
        painter = self.painter
        path = self._text_path(run, matrix)
        if run.fill is not None:
            if isinstance(run.fill, int):
                painter.setTransform(_UNTURNED)
                self._turned = False
                painter.fillPath(path, QBrush(QColor.fromRgba(run.fill)))
            else:
                x, y = apply(matrix, run.xs[0], run.ys[0])
                whole: Matrix = (*matrix[:4], x, y)
                back, _ = QTransform(*whole).inverted()
                self._fill(back.map(path), run.fill, whole, matrix)
        if run.stroke is not None:
            grow = math.sqrt(abs(run.linear[0] * run.linear[3] - run.linear[1] * run.linear[2]))
            scale = math.sqrt(abs(matrix[0] * matrix[3] - matrix[1] * matrix[2])) * grow
            wide = run.stroke._replace(width=run.stroke.width * scale)
            painter.setTransform(_UNTURNED)
            self._turned = False
            if isinstance(wide.paint, int):
                painter.setBrush(Qt.BrushStyle.NoBrush)
                self._set_pen(wide, IDENTITY)
                painter.drawPath(path)
            else:
                self._fill(brushes.stroked(path, wide), wide.paint, IDENTITY, matrix)
