"""Draws queue tickets as dots: the same on every make of printer, rare characters included."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from devices.ports import Ticket
from modules.common.text import RESOURCES

FONT = RESOURCES / "fonts" / "NotoSansSC-Regular.ttf"
_MARGIN = 12
_QUIET = 4
"""The light border that a QR code needs, in modules."""


@dataclass(frozen=True, slots=True)
class Dots:
    """A picture of black dots: ``rows`` has ``width / 8`` bytes for each line, the left dot in the highest bit."""

    width: int
    rows: bytes

    @property
    def height(self) -> int:
        """Lines of dots."""
        return len(self.rows) * 8 // self.width


def draw(ticket: Ticket, width: int = 576) -> Dots:
    """``ticket`` on paper of ``width`` dots (576: 80 mm, 384: 58 mm; a multiple of 8)."""
    from PIL import Image

    big, middle, small = (width // part for part in (4, 15, 20))
    pieces: list[Any] = []
    for text, size in (
        (ticket.title, middle),
        (ticket.number, big),
        *((line, middle) for line in ticket.lines),
    ):
        pieces += [_line(part, size, width) for part in _wrapped(text, size, width)]
    if ticket.qr:
        pieces.append(_qr(ticket.qr, width))
    pieces += [_line(part, small, width) for part in _wrapped(ticket.foot, small, width)]
    sheet = Image.new("1", (width, sum(piece.height for piece in pieces) + 2 * _MARGIN), 1)
    y = _MARGIN
    for piece in pieces:
        sheet.paste(piece, ((width - piece.width) // 2, y))
        y += piece.height
    return Dots(width, bytes(byte ^ 0xFF for byte in sheet.tobytes()))


@cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(FONT, size)


def _wrapped(text: str, size: int, width: int) -> list[str]:
    """``text`` in lines that fit; nothing for nothing."""
    font, lines, line = _font(size), [], ""
    for character in text:
        if line and font.getlength(line + character) > width - 2 * _MARGIN:
            lines.append(line)
            line = ""
        line += character
    return [*lines, line] if line else lines


def _line(text: str, size: int, width: int) -> Any:
    from PIL import Image, ImageDraw

    image = Image.new("L", (width, size * 3 // 2), 255)
    ImageDraw.Draw(image).text((width / 2, size * 3 / 4), text, font=_font(size), fill=0, anchor="mm")
    return image.point(lambda value: 255 if value > 140 else 0).convert("1")


def _qr(text: str, width: int) -> Any:
    from PIL import Image
    from reportlab.graphics.barcode import qrencoder

    code = qrencoder.QRCode(None, qrencoder.QRErrorCorrectLevel.M)
    code.addData(text)
    code.make()
    count = code.getModuleCount()
    side = count + 2 * _QUIET
    image = Image.new("1", (side, side), 1)
    for y in range(count):
        for x in range(count):
            if code.isDark(y, x):
                image.putpixel((x + _QUIET, y + _QUIET), 0)
    scale = max(2, width * 2 // 5 // side)
    return image.resize((side * scale, side * scale), Image.Resampling.NEAREST)
