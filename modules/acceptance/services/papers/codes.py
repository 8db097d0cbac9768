"""A case's QR code as a picture, for the formats that have no drawing of their own."""

from __future__ import annotations

from io import BytesIO

from modules.common.numbering import qr_text

_SCALE, _QUIET = 6, 4
"""Pixels to a module, and modules of white around it (ISO/IEC 18004 asks for four)."""


def qr_png(case_id: str, number: str) -> bytes:
    """The QR code of a paper as PNG."""
    from PIL import Image
    from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

    code = QRCode(None, QRErrorCorrectLevel.M)
    code.addData(qr_text(case_id, number))
    code.make()
    count = code.getModuleCount()
    picture = Image.new("1", (count + 2 * _QUIET,) * 2, 1)
    for row in range(count):
        for column in range(count):
            if code.isDark(row, column):
                picture.putpixel((column + _QUIET, row + _QUIET), 0)
    buffer = BytesIO()
    picture.resize((picture.width * _SCALE,) * 2).save(buffer, "PNG")
    return buffer.getvalue()
