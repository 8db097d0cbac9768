"""Draws seals by the rules of 国发〔1999〕25号: round, one ring, star or emblem in the middle, the name on the arc."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from modules.common.errors import GovDeskError
from modules.common.seals.ses import Picture
from modules.common.text import RESOURCES, tr

if TYPE_CHECKING:
    from PIL import Image, ImageFont

RED = (230, 0, 18, 255)
DPI = 600
_FINER = 2
_PER_MM = DPI / 25.4
FONT = RESOURCES / "fonts" / "NotoSansSC-Regular.ttf"


class Rank(StrEnum):
    """Whose seal it is; the diameter follows from it."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"
    INSTITUTION = "institution"
    """Enterprises, institutions and associations."""


DIAMETER = {Rank.PROVINCE: 50, Rank.CITY: 45, Rank.COUNTY: 42, Rank.INSTITUTION: 42}
"""Millimetres."""


@dataclass(frozen=True, slots=True)
class Design:
    """What a seal shows. ``emblem`` is a picture for its middle (the national emblem, where one is entitled to it)."""

    name: str
    rank: Rank = Rank.COUNTY
    below: str = ""
    """A line below the star, such as 行政审批专用章."""
    code: str = ""
    """The number at the foot of the ring."""
    emblem: bytes = b""
    font: Path = FONT
    diameter: int = 0
    """Millimetres where the rank does not say it."""

    @property
    def size(self) -> int:
        """Its diameter in millimetres."""
        return self.diameter or DIAMETER[self.rank]


def draw(design: Design) -> Picture:
    """The seal as PNG with a clear ground, 600 dots an inch. Takes some 0.2 s.

    Raises ``GovDeskError``: SEAL-014 for a name that does not fit, SEAL-015 for an emblem or font that cannot be read.
    """
    from PIL import Image, ImageDraw

    if not 2 <= len(design.name) <= 40:
        raise GovDeskError("SEAL-014", tr("印章上的名称须为 2 至 40 个字。"), fix=tr("请使用法定名称或规范简称。"))
    unit = _PER_MM * _FINER
    side = round(design.size * unit)
    middle = side / 2
    image = Image.new("RGBA", (side, side), (*RED[:3], 0))
    pen = ImageDraw.Draw(image)
    ring = 1.2 * unit
    pen.ellipse((1, 1, side - 2, side - 2), outline=RED, width=round(ring))
    if design.emblem:
        _emblem(image, design.emblem, design.size * 0.36 * unit)
    else:
        pen.polygon(_star(middle, middle, design.size / 6 * unit), fill=RED)
    _arc_text(image, design, unit)
    if design.below:
        height = min(design.size * 0.1, design.size * 0.62 / len(design.below)) * unit
        _straight(image, design.below, design.font, height, middle + design.size * 0.24 * unit)
    if design.code:
        _code(image, design, unit)
    image = image.resize((round(design.size * _PER_MM),) * 2, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    if design.emblem:
        image.save(out, "PNG", dpi=(DPI, DPI), optimize=True)
    else:  # one red in 256 degrees of clearness takes a quarter of the bytes
        plain = Image.frombytes("P", image.size, image.getchannel("A").tobytes())
        plain.putpalette(bytes(RED[:3]) * 256)
        plain.save(out, "PNG", dpi=(DPI, DPI), optimize=True, transparency=bytes(range(256)))
    return Picture("PNG", out.getvalue(), design.size, design.size)


def imported(data: bytes, width: int, height: int) -> Picture:
    """A picture that an office brings, as PNG of at most 2,000 dots a side. Raises ``GovDeskError`` SEAL-015."""
    from PIL import Image

    with _reading():
        image = Image.open(io.BytesIO(data))
        image.thumbnail((2000, 2000))
        out = io.BytesIO()
        image.convert("RGBA").save(out, "PNG", optimize=True)
    return Picture("PNG", out.getvalue(), width, height)


class _reading:  # noqa: N801 - it reads as a statement
    """Turns what an image library throws at foreign bytes into a sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (OSError, ValueError, SyntaxError)) or (kind and "DecompressionBomb" in kind.__name__):
            raise GovDeskError("SEAL-015", tr("图片或字体无法读取。"), fix=tr("请换用 PNG 或 JPEG 图片。")) from error


def _star(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    inner = radius * math.sin(math.radians(18)) / math.sin(math.radians(54))
    points = []
    for corner in range(10):
        reach, angle = (inner if corner % 2 else radius), math.radians(36 * corner - 90)
        points.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    return points


def _emblem(image: Image.Image, data: bytes, side: float) -> None:
    from PIL import Image

    with _reading():
        emblem = Image.open(io.BytesIO(data)).convert("RGBA")
        emblem.thumbnail((round(side), round(side)))
    place = tuple((whole - part) // 2 for whole, part in zip(image.size, emblem.size, strict=True))
    image.alpha_composite(emblem, (place[0], place[1]))


def _font(path: Path, height: float) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    with _reading():
        return ImageFont.truetype(str(path), round(height))


def _glyph(character: str, font: ImageFont.FreeTypeFont, width: float, height: float) -> Image.Image:
    """One character, filled into a box of the given size."""
    from PIL import Image, ImageDraw

    side = round(height * 2)
    mask = Image.new("L", (side, side), 0)
    ImageDraw.Draw(mask).text((side / 2, side / 2), character, fill=255, font=font, anchor="mm")
    box = mask.getbbox() or (0, 0, 1, 1)
    # the whole em square, so that 一 does not become a block
    em = height * 1.0
    centre = side / 2
    square = tuple(round(value) for value in (centre - em / 2, centre - em / 2, centre + em / 2, centre + em / 2))
    crop = (min(square[0], box[0]), min(square[1], box[1]), max(square[2], box[2]), max(square[3], box[3]))
    mask = mask.crop(crop).resize((max(1, round(width)), max(1, round(height))), Image.Resampling.LANCZOS)
    glyph = Image.new("RGBA", mask.size, (*RED[:3], 0))
    glyph.putalpha(mask)
    return glyph


def _arc_text(image: Image.Image, design: Design, unit: float) -> None:
    """The name, read from left to right around the upper arc; the more characters, the wider the arc."""
    count = len(design.name)
    span = math.radians(min(250.0, 130.0 + 9.0 * count))
    outer = (design.size / 2 - 2.6) * unit
    height = design.size * (0.145 if count <= 16 else 0.12) * unit
    radius = outer - height / 2
    step = span / max(count - 1, 1)
    width = min(height * 0.82, (outer - height) * step * 0.98)
    font = _font(design.font, height)
    for index, character in enumerate(design.name):
        angle = -span / 2 + step * index
        _turned(image, _glyph(character, font, width, height), radius, angle)


def _code(image: Image.Image, design: Design, unit: float) -> None:
    """The number around the foot, read from left to right."""
    height = 1.5 * unit
    radius = (design.size / 2 - 2.4) * unit - height / 2
    font = _font(design.font, height)
    step = height * 0.8 / radius
    for index, character in enumerate(design.code):
        angle = math.pi - step * (index - (len(design.code) - 1) / 2)
        _turned(image, _glyph(character, font, height * 0.7, height), radius, angle, upright=True)


def _turned(image: Image.Image, glyph: Image.Image, radius: float, angle: float, *, upright: bool = False) -> None:
    """Lay a glyph on the circle at ``angle`` from the top, its head outwards, or inwards at the foot."""
    from PIL import Image

    turn = angle + math.pi if upright else angle
    turned = glyph.rotate(-math.degrees(turn), expand=True, resample=Image.Resampling.BICUBIC)
    middle = image.size[0] / 2
    x, y = middle + radius * math.sin(angle), middle - radius * math.cos(angle)
    image.alpha_composite(turned, (round(x - turned.size[0] / 2), round(y - turned.size[1] / 2)))


def _straight(image: Image.Image, text: str, path: Path, height: float, y: float) -> None:
    font = _font(path, height)
    middle = image.size[0] / 2
    for index, character in enumerate(text):
        glyph = _glyph(character, font, height * 0.92, height)
        x = middle + (index - (len(text) - 1) / 2) * height - glyph.size[0] / 2
        image.alpha_composite(glyph, (round(x), round(y - height / 2)))
