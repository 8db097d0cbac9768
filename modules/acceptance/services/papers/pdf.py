"""A sheet as a PDF on A4, with its QR code and bars. The same sheet gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from modules.acceptance.services.papers.sheet import Block, Facts, Grid, Sheet, Signatures, Words
from modules.common.errors import GovDeskError
from modules.common.numbering import code128_text, qr_text
from modules.common.text import RESOURCES, tr

FONT = "NotoSansSC"
FONT_FILE = RESOURCES / "fonts" / "NotoSansSC-Regular.ttf"
GETA = "〓"
"""Stands for a character that the font lacks (JIS X 0208 calls it geta; printers have used it since lead type)."""


def pdf_of(sheet: Sheet) -> tuple[bytes, tuple[str, ...]]:
    """The PDF, and the characters that the font lacks: drawn as 〓 and named at the foot.

    Raises ``GovDeskError`` PRT-010 without the font.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

    setter = _Setter(sheet)
    story = setter.story()
    buffer = BytesIO()
    document = BaseDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=22 * mm,
        rightMargin=22 * mm,
        topMargin=14 * mm,
        bottomMargin=18 * mm,
        title=f"{sheet.title} {sheet.number}".strip(),
        author=sheet.hall,
        subject=sheet.subject,
        creator="GovDesk",
        invariant=1,
    )
    frame = Frame(document.leftMargin, document.bottomMargin, document.width, document.height, 0, 0, 0, 0)
    document.addPageTemplates([PageTemplate(frames=[frame])])
    document.build(story, canvasmaker=setter.canvas_class())
    return buffer.getvalue(), tuple(setter.missing)


def prepare() -> None:
    """Load what the first paper would wait for. Raises ``GovDeskError`` PRT-010 without the font."""
    from reportlab.graphics.barcode import code128, qr  # noqa: F401  they take a while to import

    _glyphs()


@cache
def _glyphs() -> frozenset[int]:
    """Load the font once per process; the code points that it can draw."""
    from reportlab.pdfbase import pdfmetrics, ttfonts
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    # reportlab writes a rare character beyond U+FFFF as five hex digits, so that a copied or searched name is
    # another one; ISO 32000-1, 9.10.3 wants UTF-16
    ttfonts.makeToUnicodeCMap = _in_utf16(ttfonts.makeToUnicodeCMap)
    try:
        font = TTFont(FONT, str(FONT_FILE))
    except (OSError, TTFError) as error:
        raise GovDeskError("PRT-010", tr("打印用的中文字体无法读取。"), fix=tr("请重新安装程序。")) from error
    pdfmetrics.registerFont(font)
    # maps to itself for <b>: there is one weight, headings are drawn with a stroke
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=FONT, italic=FONT, boldItalic=FONT)
    return frozenset(font.face.charToGlyph)


def _in_utf16(to_unicode: Callable[[str, Any], str]) -> Callable[[str, Any], str]:
    """A map from glyphs to text with its long code points in UTF-16."""

    def mapped(font: str, subset: Any) -> str:
        text = to_unicode(font, subset)
        return re.sub(r"<([0-9A-F]{5,6})>", lambda found: f"<{chr(int(found[1], 16)).encode('utf-16-be').hex()}>", text)

    return mapped


class _Setter:
    """One sheet being set: collects the characters that the font lacks while it makes the flowables."""

    def __init__(self, sheet: Sheet) -> None:
        self.glyphs = _glyphs()
        self.sheet = sheet
        self.missing: list[str] = []

    def safe(self, text: str) -> str:
        """``text`` with each character that cannot be drawn replaced by 〓."""
        drawn = []
        for mark in text:
            if ord(mark) in self.glyphs or mark == "\n":
                drawn.append(mark)
                continue
            drawn.append(GETA)
            if mark not in self.missing:
                self.missing.append(mark)
        return "".join(drawn)

    def story(self) -> list[Any]:
        from reportlab.lib.units import mm
        from reportlab.platypus import Spacer

        sheet = self.sheet
        flow = [self._text(sheet.hall, size=13, align="center", after=4 * mm), self._title(), Spacer(0, 4 * mm)]
        if sheet.number:
            flow += [self._codes(), Spacer(0, 4 * mm)]
        for block, following in zip(sheet.blocks, [*sheet.blocks[1:], None], strict=True):
            flow += self._set(block, following)
        return flow

    def _set(self, block: Block, following: Block | None) -> list[Any]:
        from reportlab.lib.units import mm
        from reportlab.platypus import KeepTogether, Spacer

        gap = Spacer(0, 3.5 * mm)
        match block:
            case Words(text, "salutation"):
                return [self._text(text, size=11.5, after=1 * mm)]
            case Words(text, "body"):
                return [self._text(text, size=11.5, indent=23, after=3.5 * mm)]
            case Words(text, "heading"):
                # kept with a line, not with a table: that would be moved to the next page as a whole
                return [self._text(text, size=11.5, after=2 * mm, keep=isinstance(following, Words))]
            case Words(text):
                return [self._text(text, after=2)]
            case Facts():
                return [self._facts(block), gap]
            case Grid():
                return [self._grid(block), gap]
            case Signatures(left, right):
                return [Spacer(0, 6 * mm), KeepTogether([self._signatures(left, right)])]

    def _title(self) -> Any:
        """The title in spaced, stroked letters (there is one weight of the font) over a double rule."""
        from reportlab.lib.units import mm
        from reportlab.platypus import Flowable

        letters, size, gap = self.safe(self.sheet.title), 26, 9

        class Title(Flowable):  # type: ignore[misc]
            def wrap(self, width: float, height: float) -> tuple[float, float]:
                self.width = width
                return width, 15 * mm

            def draw(self) -> None:
                canvas = self.canv
                length = len(letters) * (size + gap) - gap
                line = canvas.beginText((self.width - length) / 2, 7 * mm)
                line.setFont(FONT, size)
                line.setCharSpace(gap)
                line.setTextRenderMode(2)
                canvas.setLineWidth(0.7)
                line.textOut(letters)
                canvas.drawText(line)
                canvas.setLineWidth(1.4)
                canvas.line(0, 1.1 * mm, self.width, 1.1 * mm)
                canvas.setLineWidth(0.4)
                canvas.line(0, 0, self.width, 0)

        return Title()

    def _text(
        self,
        text: str,
        *,
        size: float = 10.5,
        align: str = "left",
        indent: float = 0,
        after: float = 0,
        quiet: bool = False,
        keep: bool = False,
    ) -> Any:
        from reportlab.lib.enums import TA_CENTER, TA_LEFT, TA_RIGHT
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Paragraph

        style = ParagraphStyle(
            "text",
            fontName=FONT,
            fontSize=size,
            leading=size * 1.55,
            wordWrap="CJK",
            alignment={"left": TA_LEFT, "center": TA_CENTER, "right": TA_RIGHT}[align],
            firstLineIndent=indent,
            spaceAfter=after,
            textColor="#5B6675" if quiet else "#000000",
            keepWithNext=keep,
        )
        # reportlab folds wide spaces into one; the space between 年 and 月 is where somebody writes
        wide = self.safe(text).replace("\u3000", "\u00a0" * 4)
        return Paragraph(escape(wide).replace("\n", "<br/>"), style)

    def _codes(self) -> Any:
        """The number with its bars at the left, the QR code at the right."""
        from reportlab.graphics.barcode.code128 import Code128
        from reportlab.graphics.barcode.qr import QrCode
        from reportlab.lib.units import mm
        from reportlab.platypus import Table

        number = self.sheet.number
        bars = Code128(code128_text(number), barHeight=11 * mm, barWidth=0.3 * mm, quiet=False)
        square = QrCode(qr_text(self.sheet.case_id, number), width=27 * mm, height=27 * mm, qrLevel="M", qrBorder=0)
        left = [self._text("编号", size=9, quiet=True), self._text(number, size=15, after=2.5 * mm), bars]
        table = Table([[left, square]], colWidths=[139 * mm, 27 * mm])
        table.setStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 0),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 0),
                ("ALIGN", (1, 0), (1, 0), "RIGHT"),
            ]
        )
        return table

    def _facts(self, facts: Facts) -> Any:
        from reportlab.lib.units import mm
        from reportlab.platypus import Table

        pairs = list(facts.pairs)
        if len(pairs) % 2:
            pairs.append(("", ""))
        cells = [
            [
                self._text(text, size=10 if column % 2 == 0 else 10.5, quiet=column % 2 == 0)
                for column, text in enumerate((*pairs[place], *pairs[place + 1]))
            ]
            for place in range(0, len(pairs), 2)
        ]
        table = Table(cells, colWidths=[22 * mm, 66 * mm, 24 * mm, 54 * mm])
        table.setStyle([*_GRID, ("BACKGROUND", (0, 0), (0, -1), "#F3F5F7"), ("BACKGROUND", (2, 0), (2, -1), "#F3F5F7")])
        return table

    def _grid(self, grid: Grid) -> Any:
        from reportlab.lib.units import mm
        from reportlab.platypus import Table

        lines = [grid.head, *grid.rows, *([grid.total] if grid.total else [])]
        cells = [
            [
                self._text(text, align=align, quiet=row is grid.head)
                for text, align in zip(row, grid.aligns, strict=True)
            ]
            for row in lines
        ]
        table = Table(cells, colWidths=[width * mm for width in grid.widths], repeatRows=1)
        table.setStyle([*_GRID, ("BACKGROUND", (0, 0), (-1, 0), "#F3F5F7")])
        return table

    def _signatures(self, left: str, right: str) -> Any:
        from reportlab.lib.units import mm
        from reportlab.platypus import Table

        table = Table(
            [[[self._text(left, size=11)], [self._text(right, size=11, align="center")]]], colWidths=[83 * mm, 83 * mm]
        )
        table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, 0), 0)])
        return table

    def canvas_class(self) -> Any:
        """A canvas that knows the number of pages when it draws their feet."""
        from reportlab.lib.units import mm
        from reportlab.pdfgen.canvas import Canvas

        setter = self

        class Pages(Canvas):  # type: ignore[misc]
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **options)
                self.pages: list[dict[str, Any]] = []

            def showPage(self) -> None:
                self.pages.append(dict(self.__dict__))
                self._startPage()

            def save(self) -> None:
                for place, page in enumerate(self.pages, 1):
                    self.__dict__.update(page)
                    setter.foot(self, place, len(self.pages), 22 * mm, 188 * mm, 12 * mm)
                    super().showPage()
                super().save()

        return Pages

    def foot(self, canvas: Any, page: int, pages: int, left: float, right: float, height: float) -> None:
        """Number, moment of printing, page; and which characters could not be drawn."""
        canvas.setFillColor("#5B6675")
        canvas.setFont(FONT, 8)
        canvas.drawString(left, height, self.sheet.foot)
        canvas.drawRightString(right, height, f"第 {page} 页  共 {pages} 页")
        if self.missing:
            names = "、".join(f"U+{ord(mark):04X}" for mark in self.missing)
            canvas.drawString(left, height + 11, f"{GETA} 为字库缺字，请手工填写：{names}"[:110])


_GRID: list[tuple[Any, ...]] = [
    ("GRID", (0, 0), (-1, -1), 0.5, "#8A94A0"),
    ("BOX", (0, 0), (-1, -1), 1, "#000000"),
    ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ("LEFTPADDING", (0, 0), (-1, -1), 6),
    ("RIGHTPADDING", (0, 0), (-1, -1), 6),
    ("TOPPADDING", (0, 0), (-1, -1), 4),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
    ("LINEBELOW", (0, "splitlast"), (-1, "splitlast"), 1, "#000000"),
]
