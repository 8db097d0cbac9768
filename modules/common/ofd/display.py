"""What is to be painted of a page: flat, compact and immutable, without XML, files or Qt.

Lengths are millimetres, y grows downwards. A matrix is ``(a, b, c, d, e, f)``: x' = a·x + c·y + e, y' = b·x + d·y + f.
A colour is ``0xAARRGGBB``. Items lie in the space of the list, or of the group, that holds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from modules.common.ofd.box import Box
    from modules.common.ofd.fonts import Font
    from modules.common.ofd.resources import Media

Matrix: TypeAlias = tuple[float, float, float, float, float, float]
Linear: TypeAlias = tuple[float, float, float, float]
IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
UPRIGHT: Linear = (1.0, 0.0, 0.0, 1.0)
BLACK = 0xFF000000
FILLER = "\0"
"""Stands in a run's text for a glyph that has no character of its own."""
LOOK_UP = -1
"""Among a run's glyphs: the font's own glyph for the character."""
NOTHING = -2
"""Among a run's glyphs: nothing is drawn for the character (it is part of another glyph)."""


class Gradient(NamedTuple):
    """An axial or radial shading (8.3.4); points in the space of the item it fills, before the item's matrix."""

    radial: bool
    start: tuple[float, float]
    end: tuple[float, float]
    start_radius: float
    end_radius: float
    stops: tuple[tuple[float, int], ...]
    mapping: str
    """``Direct``, ``Repeat`` or ``Reflect``."""
    unit: float
    """Length of one pass of ``Repeat`` and ``Reflect``; 0 means from start to end."""
    extend: int
    """1: goes on before the start; 2: goes on after the end; 3: both."""
    eccentricity: float = 0.0
    angle: float = 0.0


class Mesh(NamedTuple):
    """Triangles with a colour at each corner (Gouraud shading, 8.3.4.4): three of ``(x, y, colour)`` after another."""

    corners: tuple[tuple[float, float, int], ...]
    back: int = 0


class Pattern(NamedTuple):
    """A cell that is laid out over an area (8.3.3)."""

    width: float
    height: float
    x_step: float
    y_step: float
    reflect: str
    """``Normal``, ``Row``, ``Column`` or ``RowAndColumn``."""
    from_page: bool
    """The cells begin at the corner of the page instead of the item."""
    matrix: Matrix
    items: tuple[Item, ...]
    alpha: int = 255


Paint: TypeAlias = "int | Gradient | Mesh | Pattern"


class Stroke(NamedTuple):
    """How a line is drawn. ``cap`` is Butt, Round or Square, ``join`` Miter, Round or Bevel."""

    paint: Paint
    width: float
    cap: str = "Butt"
    join: str = "Miter"
    miter: float = 4.234
    dashes: tuple[float, ...] = ()
    dash_offset: float = 0.0


class GlyphRun(NamedTuple):
    """Characters of one font, size and look, each with its place.

    ``text`` has one character for each of ``xs`` and ``ys``, which are the glyphs' origins; ``glyphs`` are glyph
    numbers, ``LOOK_UP`` or ``NOTHING``, or ``None`` when all are looked up. ``linear`` turns and stretches each glyph
    about its origin. Without fill and stroke it is not painted, but found and copied.
    """

    font: Font
    size: float
    linear: Linear
    text: str
    glyphs: tuple[int, ...] | None
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    fill: Paint | None
    stroke: Stroke | None
    weight: int
    italic: bool


class Outline(NamedTuple):
    """A path: ``ops`` are M, L, Q (quadratic), B (cubic) and C (close), ``points`` their numbers one after another."""

    ops: str
    points: tuple[float, ...]
    matrix: Matrix
    even_odd: bool


class Shape(NamedTuple):
    """A path that is filled, stroked or both."""

    outline: Outline
    fill: Paint | None
    stroke: Stroke | None


class Picture(NamedTuple):
    """An image; ``matrix`` carries the unit square, its top left at the origin, to where the image lies."""

    media: Media
    matrix: Matrix
    alpha: int
    mask: Media | None


Clip: TypeAlias = "tuple[Outline | GlyphRun, ...]"
"""What stays visible: the union of its parts."""


class Group(NamedTuple):
    """Items under a common transformation, clips (all of which count), opacity and blend mode."""

    items: tuple[Item, ...]
    matrix: Matrix | None = None
    clips: tuple[Clip, ...] = ()
    alpha: int = 255
    blend: str = ""


Item: TypeAlias = "GlyphRun | Shape | Picture | Group"


class DisplayList(NamedTuple):
    """A page: its box in millimetres, and what to paint, from the bottom up."""

    box: Box
    items: tuple[Item, ...]


def times(first: Matrix, then: Matrix) -> Matrix:
    """The matrix that does ``first``, then ``then``."""
    a, b, c, d, e, f = first
    k, m, n, p, q, r = then
    return (a * k + b * n, a * m + b * p, c * k + d * n, c * m + d * p, e * k + f * n + q, e * m + f * p + r)


def apply(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    """A point under a matrix."""
    a, b, c, d, e, f = matrix
    return a * x + c * y + e, b * x + d * y + f


def faded(paint: Paint, alpha: int) -> Paint:
    """A paint with its opacity multiplied by ``alpha`` of 255."""
    if alpha >= 255:
        return paint
    if isinstance(paint, int):
        return _faded(paint, alpha)
    if isinstance(paint, Gradient):
        return paint._replace(stops=tuple((at, _faded(colour, alpha)) for at, colour in paint.stops))
    if isinstance(paint, Mesh):
        corners = tuple((x, y, _faded(colour, alpha)) for x, y, colour in paint.corners)
        return Mesh(corners, _faded(paint.back, alpha))
    return paint._replace(alpha=paint.alpha * alpha // 255)


def _faded(colour: int, alpha: int) -> int:
    return ((colour >> 24) * alpha + 127) // 255 << 24 | colour & 0xFFFFFF
