"""PDF files for tests of the reader."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

FONT = "GovDeskTests"
FILE = Path(__file__).resolve().parents[2] / "resources" / "fonts" / "NotoSansSC-Regular.ttf"


def pdf(
    pages: Sequence[str | Sequence[str]], *, size: tuple[float, float] = (595.28, 841.89), outline: bool = False
) -> bytes:
    """A PDF with a page for each text (or list of lines), Chinese too; first line 20 mm from the top left."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.pdfgen.canvas import Canvas

    if FONT not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont(FONT, str(FILE)))
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=size)
    canvas.setTitle("样张")
    for number, lines in enumerate(pages):
        canvas.setFont(FONT, 12)
        for row, line in enumerate([lines] if isinstance(lines, str) else lines):
            canvas.drawString(56.7, size[1] - 56.7 - 12 - 18 * row, line)
        if outline:
            canvas.bookmarkPage(f"p{number}")
            canvas.addOutlineEntry(f"第{number + 1}章", f"p{number}", 0)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def locked(password: str) -> bytes:
    """A PDF that opens by its password."""
    import pikepdf

    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf(["内部"]))) as document:
        document.save(out, encryption=pikepdf.Encryption(owner="owner", user=password))
    return out.getvalue()


def long_text(pages: int) -> bytes:
    """Pages of 22 lines of 28 characters, each different."""
    ground = "中华人民共和国政府信息公开条例第一章总则为了保障公民法人和其他组织依法获取政府信息提高政府工作的透明度"
    return pdf(
        [
            [
                f"第{page + 1}页",
                *("".join(ground[(page * 7 + row * 5 + at) % len(ground)] for at in range(28)) for row in range(22)),
            ]
            for page in range(pages)
        ]
    )
