"""The receipt of an accepted case (受理通知书) as a PDF: what was handed in, by when it will be done, how to ask.

Requirements C39 and C41. The same case, hall and moment give the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from modules.acceptance.domain.cases import PAPER
from modules.common.aggregate import Doc
from modules.common.clock import CHINA, parse_iso
from modules.common.codes import masked
from modules.common.errors import GovDeskError
from modules.common.numbering import code128_text, qr_text
from modules.common.text import RESOURCES, tr

FONT = "NotoSansSC"
FONT_FILE = RESOURCES / "fonts" / "NotoSansSC-Regular.ttf"
TEMPLATE = RESOURCES / "templates" / "receipt.json"
GETA = "〓"
"""Stands for a character that the font lacks (JIS X 0208 calls it geta; printers have used it since lead type)."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A finished paper. ``missing``: characters that the font lacks, drawn as 〓 and named at the foot."""

    pdf: bytes
    missing: tuple[str, ...]


def receipt_pdf(case: Doc, hall_name: str, printed_at: datetime, *, phone: str = "") -> Receipt:
    """The receipt of ``case`` on A4. ``phone`` is whom to ask. Raises ``GovDeskError`` PRT-010 without the font."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

    paper = _Paper(case, hall_name, phone, printed_at)
    story = paper.story()
    buffer = BytesIO()
    document = BaseDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=22 * mm,
        rightMargin=22 * mm,
        topMargin=14 * mm,
        bottomMargin=18 * mm,
        title=f"{paper.words['title']} {case['number']}",
        author=hall_name,
        subject=case["item"]["name"],
        creator="GovDesk",
        invariant=1,
    )
    frame = Frame(document.leftMargin, document.bottomMargin, document.width, document.height, 0, 0, 0, 0)
    document.addPageTemplates([PageTemplate(frames=[frame])])
    document.build(story, canvasmaker=paper.canvas_class())
    return Receipt(buffer.getvalue(), tuple(paper.missing))


def prepare() -> None:
    """Load what the first receipt would wait for. Raises ``GovDeskError`` PRT-010 without the font."""
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


def _day(day: date) -> str:
    """A date as documents write it (GB/T 9704-2012, 7.3.5.4): without zeros."""
    return f"{day.year}年{day.month}月{day.day}日"


class _Paper:
    """One receipt being set: collects the characters that the font lacks while it makes the flowables."""

    def __init__(self, case: Doc, hall_name: str, phone: str, printed_at: datetime) -> None:
        self.glyphs = _glyphs()
        self.words: Mapping[str, Any] = json.loads(TEMPLATE.read_text("utf-8"))
        self.case = case
        self.hall = hall_name
        self.phone = phone
        self.printed_at = printed_at.astimezone(CHINA)
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
        from reportlab.platypus import KeepTogether, Spacer

        case, applicant = self.case, self.case["applicant"]
        accepted = parse_iso(case["accepted_at"]).astimezone(CHINA)
        opening = self.words["opening"].format(item=case["item"]["name"], accepted=_day(accepted.date()))
        return [
            self._text(self.hall, size=13, align="center", after=4 * mm),
            self._title(),
            Spacer(0, 4 * mm),
            self._codes(),
            Spacer(0, 4 * mm),
            self._text(f"{applicant['name']}：", size=11.5, after=1 * mm),
            self._text(opening, size=11.5, indent=23, after=4 * mm),
            self._facts(accepted),
            Spacer(0, 4 * mm),
            self._text("一、收取材料", size=11.5, after=2 * mm),
            self._materials(),
            Spacer(0, 4 * mm),
            KeepTogether([self._text("二、后续事项", size=11.5, after=1.5 * mm), *self._next()]),
            Spacer(0, 7 * mm),
            KeepTogether([self._signatures(accepted)]),
        ]

    def _title(self) -> Any:
        """The title in spaced, stroked letters (there is one weight of the font) over a double rule."""
        from reportlab.lib.units import mm
        from reportlab.platypus import Flowable

        letters, size, gap = self.safe(self.words["title"]), 26, 9

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
        )
        return Paragraph(escape(self.safe(text)).replace("\n", "<br/>"), style)

    def _codes(self) -> Any:
        """The number with its bars at the left, the QR code at the right."""
        from reportlab.graphics.barcode.code128 import Code128
        from reportlab.graphics.barcode.qr import QrCode
        from reportlab.lib.units import mm
        from reportlab.platypus import Table

        number = self.case["number"]
        bars = Code128(code128_text(number), barHeight=11 * mm, barWidth=0.3 * mm, quiet=False)
        square = QrCode(qr_text(self.case["id"], number), width=27 * mm, height=27 * mm, qrLevel="M", qrBorder=0)
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

    def _facts(self, accepted: datetime) -> Any:
        from reportlab.lib.units import mm
        from reportlab.platypus import Table

        case, item, applicant = self.case, self.case["item"], self.case["applicant"]
        due = date.fromisoformat(case["due"]["date"])
        promised = _day(due) + ("（暂定）" if case["due"]["provisional"] else "")
        rows = [
            ("申请人", applicant["name"], "证件号码", masked(applicant["id_number"])),
            ("事项名称", item["name"], "联系电话", applicant["phone"]),
            ("事项编码", item["code"], "办件类型", item["kind"]),
            ("承办部门", item["department"], "受理窗口", case["place"]),
            ("受理时间", f"{_day(accepted.date())} {accepted:%H:%M}", "受理人", case["accepted_by"]["name"]),
            ("承诺时限", f"{item['promised_days']} 个工作日", "应办结日期", promised),
        ]
        cells = [
            [
                self._text(text, size=10 if column % 2 == 0 else 10.5, quiet=column % 2 == 0)
                for column, text in enumerate(row)
            ]
            for row in rows
        ]
        table = Table(cells, colWidths=[22 * mm, 66 * mm, 24 * mm, 54 * mm])
        table.setStyle([*_GRID, ("BACKGROUND", (0, 0), (0, -1), "#F3F5F7"), ("BACKGROUND", (2, 0), (2, -1), "#F3F5F7")])
        return table

    def _materials(self) -> Any:
        from reportlab.lib.units import mm
        from reportlab.platypus import Table

        materials = self.case["materials"]
        kinds = {PAPER: "纸质"}
        rows = [
            [str(place), material["name"], kinds.get(material["kind"], "电子"), str(material["pages"])]
            for place, material in enumerate(materials, 1)
        ]
        total = ["", f"合计 {len(materials)} 种", "", str(sum(material["pages"] for material in materials))]
        head = ["序号", "材料名称", "形式", "页数"]
        aligns = ("center", "left", "center", "right")
        cells = [
            [self._text(text, align=align, quiet=row is head) for text, align in zip(row, aligns, strict=True)]
            for row in [head, *rows, total]
        ]
        table = Table(cells, colWidths=[16 * mm, 108 * mm, 22 * mm, 20 * mm], repeatRows=1)
        table.setStyle([*_GRID, ("BACKGROUND", (0, 0), (-1, 0), "#F3F5F7")])
        return table

    def _next(self) -> list[Any]:
        case = self.case
        values = {
            "department": case["item"]["department"],
            "days": case["item"]["promised_days"],
            "hall": self.hall,
            "place": case["place"] or "受理窗口",
            "phone": self.words["phone"].format(phone=self.phone) if self.phone else "",
        }
        lines = [sentence.format(**values) for sentence in self.words["next"]]
        if case["due"]["provisional"]:
            lines.append(self.words["provisional"])
        return [self._text(f"{place}. {line}", after=2) for place, line in enumerate(lines, 1)]

    def _signatures(self, accepted: datetime) -> Any:
        from reportlab.lib.units import mm
        from reportlab.platypus import Table

        left = [self._text("申请人签收：________________\n　　　　　　　　　　年　　月　　日", size=11)]
        right = [
            self._text(f"{self.hall}\n（受理专用章）\n{_day(accepted.date())}", size=11, align="center"),
        ]
        table = Table([[left, right]], colWidths=[83 * mm, 83 * mm])
        table.setStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (0, 0), 0)])
        return table

    def canvas_class(self) -> Any:
        """A canvas that knows the number of pages when it draws their feet."""
        from reportlab.lib.units import mm
        from reportlab.pdfgen.canvas import Canvas

        paper = self

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
                    paper.foot(self, place, len(self.pages), 22 * mm, 188 * mm, 12 * mm)
                    super().showPage()
                super().save()

        return Pages

    def foot(self, canvas: Any, page: int, pages: int, left: float, right: float, height: float) -> None:
        """Number, moment of printing, page; and which characters could not be drawn."""
        canvas.setFillColor("#5B6675")
        canvas.setFont(FONT, 8)
        canvas.drawString(left, height, f"{self.case['number']}  打印于 {self.printed_at:%Y-%m-%d %H:%M}")
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
