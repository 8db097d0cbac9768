"""Content of PDF pages (ISO 32000-2, 8 and 9) into the items of a display list."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from client.widgets.page.exchange.colours import PATTERN, Space, space_of
from client.widgets.page.exchange.fonts import PdfFont
from client.widgets.page.exchange.functions import function_of, samples
from client.widgets.page.exchange.state import Shared, State
from modules.common.ofd import outlines
from modules.common.ofd.display import (
    BLACK,
    FILLER,
    IDENTITY,
    LOOK_UP,
    NOTHING,
    Clip,
    GlyphRun,
    Gradient,
    Group,
    Item,
    Matrix,
    Outline,
    Paint,
    Picture,
    Shape,
    Stroke,
    apply,
    faded,
    times,
)
from modules.common.ofd.texts import width_of
from modules.common.ofd.writing.geometry import inverse, transformed

_DEPTH = 16
_CELLS = 600
_FLAT = 1e-9
_WORD = 0.17
"""A gap of so many times the size of the text stands for a blank."""
_CAPS, _JOINS = ("Butt", "Round", "Square"), ("Miter", "Round", "Bevel")


class Content:
    """Runs content streams one after another; ``items`` is what they painted. ``place`` is for the report."""

    def __init__(self, shared: Shared, base: Matrix, place: str, sheet: tuple[float, float]) -> None:
        self._shared = shared
        self._report = shared.report
        self._base = base
        self._place = place
        self._sheet = sheet
        self._state = State(base)
        self._items: list[Item] = []
        self._clipped: list[Item] = []
        self._clips: tuple[Clip, ...] = ()
        self._stack: list[State] = []
        self._ops: list[str] = []
        self._points: list[float] = []
        self._clip_rule: str = ""
        self._text: Matrix = IDENTITY
        self._line: Matrix = IDENTITY
        self._last = ""
        self._reached = (0.0, 0.0)
        self._depth = 0
        self._resources: Any = {}

    @property
    def items(self) -> tuple[Item, ...]:
        """What was painted."""
        self._flush()
        return tuple(self._items)

    def run(self, stream: Any, resources: Any, matrix: Matrix | None = None) -> None:
        """Paint a page's or form's content; what can't be done is noted."""
        import pikepdf

        if self._depth >= _DEPTH:
            self._report.add("object.recursive", self._place)
            return
        before = (self._state, self._stack, self._resources, self._ops, self._points, self._text, self._line)
        self._stack, self._resources, self._ops, self._points = [], resources, [], []
        self._depth += 1
        if matrix is not None:
            self._state = replace(self._state, ctm=times(matrix, self._state.ctm))
        try:
            for each in pikepdf.parse_content_stream(stream):
                self._shared.left -= 1
                if self._shared.left < 0:
                    self._report.add("page.limit", self._place)
                    break
                self._do(str(each.operator), each.operands)
        except (pikepdf.PdfError, ValueError, TypeError, RuntimeError) as error:
            self._report.add("page.damaged", self._place, type(error).__name__)
        self._depth -= 1
        self._state, self._stack, self._resources, self._ops, self._points, self._text, self._line = before

    def _do(self, operator: str, operands: Any) -> None:
        action = _OPERATORS.get(operator)
        if action is None:
            if operator not in _IGNORED:
                self._report.add("page.unknown", self._place, operator)
            return
        import pikepdf

        try:
            action(self, operands)
        except (
            pikepdf.PdfError,
            ValueError,
            TypeError,
            IndexError,
            KeyError,
            ArithmeticError,
            AttributeError,
            RuntimeError,
        ) as error:
            self._report.add("page.damaged", self._place, f"{operator}: {type(error).__name__}")

    def _emit(self, item: Item) -> None:
        if self._clips != self._state.clips:
            self._flush()
            self._clips = self._state.clips
        self._clipped.append(item)

    def _flush(self) -> None:
        if self._clipped:
            items = tuple(_joined(self._clipped))
            self._items += [Group(items, None, self._clips)] if self._clips else items
            self._clipped = []

    # -- state -------------------------------------------------------------------------------------

    def _save(self, _: Any) -> None:
        if len(self._stack) < 512:
            self._stack.append(self._state)

    def _restore(self, _: Any) -> None:
        if self._stack:
            self._state = self._stack.pop()

    def _concat(self, words: Any) -> None:
        self._state = replace(self._state, ctm=times(_matrix(words), self._state.ctm))

    def _set(self, **said: Any) -> None:
        self._state = replace(self._state, **said)

    def _graphics(self, words: Any) -> None:
        said = self._resources.ExtGState[str(words[0])]
        numbers = {"/LW": "width", "/ML": "miter", "/ca": "fill_alpha", "/CA": "line_alpha"}
        for key, name in numbers.items():
            if key in said:
                self._set(**{name: float(said[key])})
        if "/LC" in said:
            self._set(cap=int(said["/LC"]))
        if "/LJ" in said:
            self._set(join=int(said["/LJ"]))
        if "/D" in said:
            self._dash(said["/D"])
        if "/Font" in said:
            self._set(font=self._shared.font(said["/Font"][0]), size=float(said["/Font"][1]))
        mode = said.get("/BM")
        if mode is not None and str(mode) not in ("/Normal", "/Compatible"):
            self._report.add("write.blend", self._place, str(mode))
        mask = said.get("/SMask")
        if mask is not None and str(mask) != "/None":
            self._report.add("pdf.mask", self._place)

    def _dash(self, words: Any) -> None:
        dashes = tuple(max(float(each), 0.0) for each in words[0])
        self._set(dashes=dashes if sum(dashes) > 0 else (), dash_offset=float(words[1]))

    # -- colours -----------------------------------------------------------------------------------

    def _space(self, words: Any, which: str) -> None:
        space = space_of(words[0], self._resources)
        paint = None if space.kind == "pattern" else space.colour(space.first)
        self._set(**{f"{which}_space": space, which: paint, f"{which}_pattern": None})

    def _device(self, words: Any, which: str, name: str) -> None:
        import pikepdf

        space = space_of(pikepdf.Name(name), {})
        paint = space.colour([float(each) for each in words])
        self._set(**{f"{which}_space": space, which: paint, f"{which}_pattern": None})

    def _colour(self, words: Any, which: str) -> None:
        import pikepdf

        space: Space = getattr(self._state, f"{which}_space")
        if space.kind == "pattern" or (len(words) and isinstance(words[-1], pikepdf.Name)):
            tint = [float(each) for each in list(words)[:-1]]
            under = space.base.colour(tint) if space.base is not None and tint else BLACK
            pattern = self._resources.Pattern[str(words[-1])]
            self._set(
                **{f"{which}_pattern": pattern, which: under, f"{which}_space": PATTERN._replace(base=space.base)}
            )
        else:
            self._set(**{which: space.colour([float(each) for each in words]), f"{which}_pattern": None})

    # -- paths -------------------------------------------------------------------------------------

    def _path(self, op: str, words: Any) -> None:
        numbers = [float(each) for each in words]
        if op == "v":
            numbers = [*self._points[-2:], *numbers]
        elif op == "y":
            numbers += numbers[2:4]
        if len(numbers) != (2 if op in "ml" else 6) or (op != "m" and not self._ops):
            raise ValueError("numbers")
        self._ops.append({"m": "M", "l": "L"}.get(op, "B"))
        self._points += numbers

    def _close(self, _: Any) -> None:
        if self._ops and self._ops[-1] != "C":
            self._ops.append("C")

    def _rectangle(self, words: Any) -> None:
        ops, points = outlines.rectangle(*(float(each) for each in words))
        self._ops += ops
        self._points += points

    def _paint(self, fill: str, line: bool, close: bool = False) -> None:
        if close:
            self._close(None)
        state = self._state
        if self._ops and self._points:
            outline = Outline("".join(self._ops), tuple(self._points), state.ctm, fill == "*")
            if fill or line:
                self._shape(outline, bool(fill), line)
            if self._clip_rule:
                self._set(clips=(*state.clips, (outline._replace(even_odd=self._clip_rule == "*"),)))
        self._clip_rule = ""
        self._ops, self._points = [], []

    def _shape(self, outline: Outline, fills: bool, lines: bool) -> None:
        state = self._state
        stroke = self._stroke() if lines else None
        fill: Paint | None = None
        if fills:
            fill = self._fill(outline)
            if isinstance(fill, Gradient):  # its points lie in the pattern's space, and so must the outline
                matrix = times(_matrix(state.fill_pattern.get("/Matrix", [1, 0, 0, 1, 0, 0])), self._base)
                points = transformed(outline.points, times(outline.matrix, inverse(matrix)))
                self._emit(Shape(outline._replace(points=points, matrix=matrix), fill, None))
                fill = None
        if fill is not None or stroke is not None:
            self._emit(Shape(outline, fill, stroke))

    def _fill(self, outline: Outline) -> Paint | None:
        state = self._state
        if state.fill_pattern is None:
            return _faded(state.fill, state.fill_alpha)
        if int(state.fill_pattern.get("/PatternType", 1)) == 2:
            found = self._gradient(state.fill_pattern.Shading)
            return None if found is None else faded(found, round(state.fill_alpha * 255))
        self._tiles(state.fill_pattern, outline)
        return None

    def _stroke(self) -> Stroke | None:
        state = self._state
        paint = _faded(state.line, state.line_alpha)
        if paint is None:
            return None
        a, b, c, d, _, _ = state.ctm
        thin = 0.1 / (abs(a * d - b * c) ** 0.5 or 1)  # a width of 0 is the thinnest that shows
        return Stroke(
            paint,
            max(state.width, thin),
            _CAPS[state.cap],
            _JOINS[state.join],
            state.miter,
            state.dashes,
            state.dash_offset,
        )

    def _gradient(self, shading: Any) -> Gradient | None:
        kind = int(shading.ShadingType)
        if kind not in (2, 3):
            self._report.add("pdf.shading", self._place, str(kind))
            return None
        space = space_of(shading.ColorSpace, self._resources)
        domain = [float(each) for each in shading.get("/Domain", [0, 1])]
        stops = tuple(
            (at, space.colour(values)) for at, values in samples(function_of(shading.Function), domain[0], domain[1])
        )
        first, last = (bool(each) for each in shading.get("/Extend", [False, False]))
        extend = int(first) + 2 * int(last)
        numbers = [float(each) for each in shading.Coords]
        if kind == 2:
            return Gradient(False, (numbers[0], numbers[1]), (numbers[2], numbers[3]), 0, 0, stops, "Direct", 0, extend)
        x1, y1, r1, x2, y2, r2 = numbers
        return Gradient(True, (x1, y1), (x2, y2), r1, r2, stops, "Direct", 0, extend)

    def _shade(self, words: Any) -> None:
        gradient = self._gradient(self._resources.Shading[str(words[0])])
        if gradient is None:
            return
        ops, points = outlines.rectangle(0, 0, *self._sheet)
        inside = transformed(points, inverse(self._state.ctm))
        paint = faded(gradient, round(self._state.fill_alpha * 255))
        self._emit(Shape(Outline(ops, inside, self._state.ctm, False), paint, None))

    def _tiles(self, pattern: Any, outline: Outline) -> None:
        """Lay a cell out over a path: every cell for itself, as many programs get patterns wrong."""
        box = [float(each) for each in pattern.BBox]
        across, down = abs(float(pattern.XStep)), abs(float(pattern.YStep))
        matrix = times(_matrix(pattern.get("/Matrix", [1, 0, 0, 1, 0, 0])), self._base)
        area = outlines.bounds(transformed(outline.points, times(outline.matrix, inverse(matrix))))
        if across < _FLAT or down < _FLAT:
            return
        columns = range(math.floor((area[0] - box[2]) / across) + 1, math.ceil((area[2] - box[0]) / across))
        rows = range(math.floor((area[1] - box[3]) / down) + 1, math.ceil((area[3] - box[1]) / down))
        if len(columns) * len(rows) > _CELLS:
            self._report.add("pdf.pattern", self._place)
            return
        cell = Content(self._shared, matrix, self._place, self._sheet)
        cell._depth = self._depth
        if int(pattern.get("/PaintType", 1)) == 2:
            cell._set(fill=self._state.fill, line=self._state.fill)
        cell.run(pattern, pattern.get("/Resources", {}))
        items = cell.items
        for row in rows:
            for column in columns:
                dx, dy = column * across, row * down
                x, y = dx * matrix[0] + dy * matrix[2], dx * matrix[1] + dy * matrix[3]
                if items:
                    self._emit(Group(items, (1.0, 0.0, 0.0, 1.0, x, y), ((outline,),)))

    # -- forms and images --------------------------------------------------------------------------

    def _object(self, words: Any) -> None:
        thing = self._resources.XObject[str(words[0])]
        kind = str(thing.get("/Subtype"))
        if kind == "/Image":
            self._image(thing)
        elif kind == "/Form":
            self.form(thing)

    def form(self, thing: Any) -> None:
        """Paint a form, cut to its box."""
        before = self._state
        matrix = _matrix(thing.get("/Matrix", [1, 0, 0, 1, 0, 0]))
        box = [float(each) for each in thing.BBox]
        ops, points = outlines.rectangle(box[0], box[1], box[2] - box[0], box[3] - box[1])
        clip: Clip = (Outline(ops, points, times(matrix, before.ctm), False),)
        alpha = round(before.fill_alpha * 255)
        if alpha < 255 and "/Group" in thing:
            inner = Content(self._shared, before.ctm, self._place, self._sheet)
            inner._base, inner._depth = self._base, self._depth
            inner._state = replace(before, clips=(clip,), fill_alpha=1.0, line_alpha=1.0)
            inner.run(thing, thing.get("/Resources", self._resources), matrix)
            if inner.items:
                self._emit(Group(inner.items, None, (), alpha))
            return
        self._set(clips=(*before.clips, clip))
        self.run(thing, thing.get("/Resources", self._resources), matrix)
        self._state = before

    def annotation(self, look: Any, matrix: Matrix) -> None:
        """Paint the appearance of an annotation."""
        self._state = replace(State(self._base), ctm=times(matrix, self._base))
        self.form(look)
        self._state = State(self._base)

    def _image(self, thing: Any) -> None:
        fill = self._state.fill if isinstance(self._state.fill, int) else BLACK
        media = self._shared.media(thing, fill, self._place)
        if media is not None:
            # the unit square of PDF stands on its lower edge
            matrix = times((1.0, 0.0, 0.0, -1.0, 0.0, 1.0), self._state.ctm)
            self._emit(Picture(media, matrix, round(self._state.fill_alpha * 255), None))

    # -- text --------------------------------------------------------------------------------------

    def _begin(self, _: Any) -> None:
        self._text = self._line = IDENTITY

    def _font(self, words: Any) -> None:
        self._set(font=self._shared.font(self._resources.Font[str(words[0])]), size=float(words[1]))

    def _move(self, words: Any, leading: bool = False) -> None:
        x, y = float(words[0]), float(words[1])
        if leading:
            self._set(leading=-y)
        self._line = self._text = times((1.0, 0.0, 0.0, 1.0, x, y), self._line)

    def _place_text(self, words: Any) -> None:
        self._line = self._text = _matrix(words)

    def _next(self, _: Any) -> None:
        self._move((0, -self._state.leading))

    def _show(self, words: Any) -> None:
        self._write([words[0]])

    def _show_next(self, words: Any) -> None:
        self._next(None)
        self._write([words[0]])

    def _show_spaced(self, words: Any) -> None:
        self._set(word_space=float(words[0]), char_space=float(words[1]))
        self._show_next(words[2:])

    def _show_array(self, words: Any) -> None:
        self._write(words[0])

    def _write(self, parts: Any) -> None:
        import pikepdf

        state = self._state
        font = state.font
        if font is None:
            raise ValueError("font")
        if not font.embedded and not font.type3 and state.mode != 3:
            self._report.add("pdf.font", font.name)
        cells: list[tuple[str, int, float, float]] = []
        x = 0.0
        whole = times((state.stretch, 0.0, 0.0, 1.0, 0.0, state.rise), times(self._text, state.ctm))
        for part in parts:
            if not isinstance(part, pikepdf.String | bytes | str):
                x -= float(part) / 1000 * state.size
                continue
            for shown in font.show(part.encode("latin-1") if isinstance(part, str) else bytes(part)):
                if font.type3:
                    self._glyph_program(shown.code, times((1.0, 0.0, 0.0, 1.0, x, 0.0), whole))
                    scale = abs(float(font.thing.get("/FontMatrix", [0.001])[0]))
                else:
                    scale = 0.001
                place = apply(whole, x, 0.0)
                if self._apart(shown.text[0], x, whole):
                    cells.append((" ", LOOK_UP, *self._reached))
                cells.append((shown.text[0], shown.glyph, *place))
                cells += [(each, NOTHING, *place) for each in shown.text[1:]]
                self._last = shown.text[-1]
                self._reached = apply(whole, x + shown.width * scale * state.size, 0.0)
                x += shown.width * scale * state.size + state.char_space + (state.word_space if shown.space else 0.0)
        self._text = times((1.0, 0.0, 0.0, 1.0, x * state.stretch, 0.0), self._text)
        if cells:
            self._run_of(cells, font, whole)

    def _apart(self, character: str, start: float, whole: Matrix) -> bool:
        """Whether the gap before a character stands for a blank between words: many makers of PDF write none."""
        before, size = self._last, abs(self._state.size)
        if not before or before.isspace() or character.isspace() or width_of(before) + width_of(character) > 1.0:
            return False
        a, b, c, d = whole[:4]
        if abs(a * d - b * c) < _FLAT or self._state.char_space > _WORD * size:
            return False
        x, y = apply(inverse(whole), *self._reached)
        return abs(y) < 0.1 * size and _WORD * size < start - x < 3 * size

    def _run_of(self, cells: list[tuple[str, int, float, float]], font: PdfFont, whole: Matrix) -> None:
        state = self._state
        a, b, c, d = whole[:4]
        size = abs(state.size) * math.hypot(c, d)
        if size < 1e-6:
            return
        sign = math.copysign(1.0, state.size) / math.hypot(c, d)
        linear = tuple(round(each * sign, 6) + 0.0 for each in (a, b, -c, -d))
        fills, lines = state.mode in (0, 2, 4, 6), state.mode in (1, 2, 5, 6)
        fill = _faded(state.fill, state.fill_alpha) if fills else None
        stroke = self._stroke() if lines else None
        if stroke is not None:  # widths count in the glyph's own space
            scale = abs(state.ctm[0] * state.ctm[3] - state.ctm[1] * state.ctm[2]) ** 0.5
            stroke = stroke._replace(width=stroke.width * scale)
        if state.mode >= 4:
            self._report.add("write.clip", self._place)
        if font.type3:
            fill = stroke = None
            cells = [cell for cell in cells if cell[0] != FILLER]
            if not cells:
                return
        self._emit(
            GlyphRun(
                font.font,
                round(size, 4),
                linear,  # type: ignore[arg-type]
                "".join(cell[0] for cell in cells),
                tuple(cell[1] for cell in cells) if font.embedded else None,
                tuple(cell[2] for cell in cells),
                tuple(cell[3] for cell in cells),
                fill,
                stroke,
                font.weight,
                font.italic,
            )
        )

    def _glyph_program(self, code: int, whole: Matrix) -> None:
        """A glyph of a Type 3 font, which is a drawing."""
        font = self._state.font
        assert font is not None
        program = font.thing.CharProcs.get("/" + font.names.get(code, ""))
        if program is None or self._state.mode == 3:
            return
        before = self._state
        size = before.size
        self._set(ctm=times((size, 0.0, 0.0, size, 0.0, 0.0), whole))
        self.run(program, font.thing.get("/Resources", self._resources), _matrix(font.thing.FontMatrix))
        self._state = before


def _joined(items: Sequence[Item]) -> list[Item]:
    """Runs of glyphs that follow one another and look alike become one."""
    out: list[Item] = []
    for item in items:
        last = out[-1] if out else None
        if (
            isinstance(item, GlyphRun)
            and isinstance(last, GlyphRun)
            and (last.font, last.size, last.linear, last.fill, last.stroke)
            == (item.font, item.size, item.linear, item.fill, item.stroke)
            and len(last.text) < 400
        ):
            out[-1] = last._replace(
                text=last.text + item.text,
                glyphs=None if last.glyphs is None else last.glyphs + (item.glyphs or ()),
                xs=last.xs + item.xs,
                ys=last.ys + item.ys,
            )
        else:
            out.append(item)
    return out


def _matrix(words: Any) -> Matrix:
    a, b, c, d, e, f = (float(each) for each in words)
    return a, b, c, d, e, f


def _faded(paint: Paint | None, alpha: float) -> Paint | None:
    if paint is None or alpha <= 0:
        return None
    return faded(paint, round(min(alpha, 1.0) * 255))


def _inline(content: Content, words: Any) -> None:
    content._image(words[0])


_Action = Callable[[Content, Any], None]
_OPERATORS: dict[str, _Action] = {
    "q": Content._save, "Q": Content._restore, "cm": Content._concat, "gs": Content._graphics, "d": Content._dash,
    "w": lambda c, w: c._set(width=float(w[0])), "J": lambda c, w: c._set(cap=min(max(int(w[0]), 0), 2)),
    "j": lambda c, w: c._set(join=min(max(int(w[0]), 0), 2)), "M": lambda c, w: c._set(miter=float(w[0])),
    "cs": lambda c, w: c._space(w, "fill"), "CS": lambda c, w: c._space(w, "line"),
    "sc": lambda c, w: c._colour(w, "fill"), "scn": lambda c, w: c._colour(w, "fill"),
    "SC": lambda c, w: c._colour(w, "line"), "SCN": lambda c, w: c._colour(w, "line"),
    "g": lambda c, w: c._device(w, "fill", "/DeviceGray"), "G": lambda c, w: c._device(w, "line", "/DeviceGray"),
    "rg": lambda c, w: c._device(w, "fill", "/DeviceRGB"), "RG": lambda c, w: c._device(w, "line", "/DeviceRGB"),
    "k": lambda c, w: c._device(w, "fill", "/DeviceCMYK"), "K": lambda c, w: c._device(w, "line", "/DeviceCMYK"),
    "m": lambda c, w: c._path("m", w), "l": lambda c, w: c._path("l", w), "c": lambda c, w: c._path("c", w),
    "v": lambda c, w: c._path("v", w), "y": lambda c, w: c._path("y", w), "h": Content._close,
    "re": Content._rectangle, "S": lambda c, _: c._paint("", True), "s": lambda c, _: c._paint("", True, True),
    "f": lambda c, _: c._paint("n", False), "F": lambda c, _: c._paint("n", False),
    "f*": lambda c, _: c._paint("*", False), "B": lambda c, _: c._paint("n", True),
    "B*": lambda c, _: c._paint("*", True), "b": lambda c, _: c._paint("n", True, True),
    "b*": lambda c, _: c._paint("*", True, True), "n": lambda c, _: c._paint("", False),
    "W": lambda c, _: setattr(c, "_clip_rule", "n"), "W*": lambda c, _: setattr(c, "_clip_rule", "*"),
    "sh": Content._shade, "Do": Content._object, "INLINE IMAGE": _inline, "BT": Content._begin,
    "Tf": Content._font, "Td": Content._move, "TD": lambda c, w: c._move(w, True), "Tm": Content._place_text,
    "T*": Content._next, "Tj": Content._show, "'": Content._show_next, '"': Content._show_spaced,
    "TJ": Content._show_array, "Tc": lambda c, w: c._set(char_space=float(w[0])),
    "Tw": lambda c, w: c._set(word_space=float(w[0])), "Tz": lambda c, w: c._set(stretch=float(w[0]) / 100),
    "TL": lambda c, w: c._set(leading=float(w[0])), "Ts": lambda c, w: c._set(rise=float(w[0])),
    "Tr": lambda c, w: c._set(mode=int(w[0])),
}  # fmt: skip
_IGNORED = {"ET", "BMC", "BDC", "EMC", "MP", "DP", "BX", "EX", "ri", "i", "d0", "d1"}
