"""A sheet as a Word document, to be changed by hand where an office must (002 1.2, C41)."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from modules.acceptance.services.papers.codes import qr_png
from modules.acceptance.services.papers.sheet import Block, Facts, Grid, Sheet, Signatures, Words
from modules.acceptance.services.papers.xml_text import xml_safe

SONG = "宋体"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Written as the file's dates, so that the same sheet gives the same content."""


def docx_of(sheet: Sheet) -> bytes:
    """The document: A4, in the fonts that every office PC has."""
    from docx import Document
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Mm, Pt

    document = Document()
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(22)
    section.top_margin, section.bottom_margin = Mm(18), Mm(18)
    style = document.styles["Normal"]
    style.font.name, style.font.size = SONG, Pt(11)
    style.element.rPr.rFonts.set(qn("w:eastAsia"), SONG)
    properties = document.core_properties
    properties.title = xml_safe(f"{sheet.title} {sheet.number}".strip())
    properties.author = xml_safe(sheet.hall)
    properties.created = properties.modified = EPOCH

    for text, size, bold in ((sheet.hall, 13, False), (sheet.title, 22, True)):
        line = document.add_paragraph()
        line.alignment = WD_ALIGN_PARAGRAPH.CENTER
        run = line.add_run(xml_safe(text))
        run.font.size, run.bold = Pt(size), bold
    if sheet.number:
        line = document.add_paragraph(f"编号：{sheet.number}    ")
        line.add_run().add_picture(BytesIO(qr_png(sheet.case_id, sheet.number)), width=Mm(24))
    for block in sheet.blocks:
        _add(document, block)
    foot = section.footer.paragraphs[0]
    foot.text = xml_safe(sheet.foot)
    foot.runs[0].font.size = Pt(8)
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _add(document: Any, block: Block) -> None:
    from docx.shared import Mm, Pt

    match block:
        case Words(text, style):
            line = document.add_paragraph()
            line.add_run(xml_safe(text)).bold = style == "heading"
            line.paragraph_format.first_line_indent = Pt(22) if style == "body" else None
            line.paragraph_format.space_after = Pt(4)
            line.paragraph_format.keep_with_next = style == "heading"
        case Facts(pairs):
            rows = [*pairs, ("", "")][: len(pairs) + len(pairs) % 2]
            lines = [[*rows[place], *rows[place + 1]] for place in range(0, len(rows), 2)]
            _table(document, lines, [22, 61, 24, 59])
        case Grid(head, rows, widths, _, total):
            _table(document, [list(head), *map(list, rows), *([list(total)] if total else [])], list(widths), head=True)
        case Signatures(left, right):
            table = document.add_table(rows=1, cols=2)
            for cell, text in zip(table.rows[0].cells, (left, right), strict=True):
                cell.width = Mm(83)
                cell.text = xml_safe(text)


def _table(document: Any, lines: list[list[str]], widths: list[float], *, head: bool = False) -> None:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Mm, Pt

    table = document.add_table(rows=len(lines), cols=len(widths))
    table.style = "Table Grid"
    table.autofit = False
    for row, texts in zip(table.rows, lines, strict=True):
        for cell, text, width in zip(row.cells, texts, widths, strict=True):
            cell.width = Mm(width)
            cell.text = xml_safe(text)
    if head:  # it is repeated on every page
        mark = OxmlElement("w:tblHeader")
        mark.set(qn("w:val"), "true")
        table.rows[0]._tr.get_or_add_trPr().append(mark)
    document.add_paragraph().paragraph_format.space_after = Pt(2)
