"""Colours of PDF (ISO 32000-2, 8.6) as ``0xFFRRGGBB``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from client.widgets.page.exchange.functions import Function, function_of

_DEPTH = 6


class Space(NamedTuple):
    """A colour space: how many numbers a colour has, what they are at first, and what turns them into a base's."""

    kind: str
    size: int
    base: Space | None = None
    tint: Function | None = None
    table: bytes = b""

    @property
    def first(self) -> tuple[float, ...]:
        """The colour that is in force when the space is chosen."""
        if self.kind == "tint":
            return (1.0,) * self.size
        return (0.0, 0.0, 0.0, 1.0) if self.kind == "CMYK" else (0.0,) * self.size

    def colour(self, values: Sequence[float]) -> int:
        """The colour of so many numbers."""
        if self.kind == "indexed" and self.base is not None:
            size = self.base.size
            at = min(max(int(values[0]), 0), max(len(self.table) // size - 1, 0)) * size
            return self.base.colour([part / 255 for part in self.table[at : at + size]])
        if self.kind == "tint" and self.base is not None and self.tint is not None:
            return self.base.colour(self.tint(values))
        if self.kind == "lab":
            return _lab(*values[:3])
        if self.kind == "CMYK":
            cyan, magenta, yellow, black = (min(max(value, 0.0), 1.0) for value in values[:4])
            return _packed(*((1 - ink) * (1 - black) for ink in (cyan, magenta, yellow)))
        if self.kind == "RGB":
            return _packed(*values[:3])
        return _packed(values[0], values[0], values[0])


GRAY, RGB, CMYK, PATTERN = Space("Gray", 1), Space("RGB", 3), Space("CMYK", 4), Space("pattern", 0)
_NAMED = {
    "/DeviceGray": GRAY, "/G": GRAY, "/CalGray": GRAY, "/DeviceRGB": RGB, "/RGB": RGB, "/CalRGB": RGB,
    "/DeviceCMYK": CMYK, "/CMYK": CMYK, "/Pattern": PATTERN,
}  # fmt: skip


def space_of(thing: Any, resources: Any, depth: int = 0) -> Space:
    """The colour space that a name or an array means. Raises what pikepdf raises on what is none."""
    import pikepdf

    if depth > _DEPTH:
        raise ValueError("deep")
    if isinstance(thing, pikepdf.Name):
        name = str(thing)
        if name in _NAMED:
            return _NAMED[name]
        found = (resources.get("/ColorSpace") or {}).get(name)
        if found is None:
            raise KeyError(name)
        return space_of(found, resources, depth + 1)
    name = str(thing[0])
    if name in ("/Indexed", "/I"):
        base, table = space_of(thing[1], resources, depth + 1), thing[3]
        raw = table.read_bytes() if isinstance(table, pikepdf.Stream) else bytes(table)
        return Space("indexed", 1, base, None, raw)
    if name in ("/Separation", "/DeviceN"):
        count = 1 if name == "/Separation" else len(thing[1])
        return Space("tint", count, space_of(thing[2], resources, depth + 1), function_of(thing[3]))
    if name == "/ICCBased":
        return {1: GRAY, 3: RGB, 4: CMYK}[int(thing[1].N)]
    if name == "/Pattern":
        return PATTERN if len(thing) < 2 else PATTERN._replace(base=space_of(thing[1], resources, depth + 1))
    return Space("lab", 3) if name == "/Lab" else _NAMED[name]


def _packed(red: float, green: float, blue: float) -> int:
    out = 0xFF
    for part in (red, green, blue):
        out = out << 8 | min(max(int(part * 255 + 0.5), 0), 255)
    return out


def _lab(light: float, a: float, b: float) -> int:
    """CIE L*a*b* at D50, near enough, as sRGB."""
    m = (light + 16) / 116
    x, y, z = (t**3 if t > 6 / 29 else 3 * (6 / 29) ** 2 * (t - 4 / 29) for t in (m + a / 500, m, m - b / 200))
    x, z = x * 0.9642, z * 0.8249
    linear = (
        3.1339 * x - 1.6169 * y - 0.4906 * z,
        -0.9788 * x + 1.9161 * y + 0.0335 * z,
        0.0719 * x - 0.2290 * y + 1.4052 * z,
    )
    return _packed(*(12.92 * v if v <= 0.0031308 else 1.055 * max(v, 0.0) ** (1 / 2.4) - 0.055 for v in linear))
