"""A sheet as a workbook: what a department copies into its own tables."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from modules.acceptance.services.papers.codes import qr_png
from modules.acceptance.services.papers.sheet import Facts, Grid, Sheet, Signatures, Words
from modules.acceptance.services.papers.xml_text import xml_safe

COLUMNS = (16, 40, 18, 26)
"""Widths of columns A to D, in characters."""


def xlsx_of(sheet: Sheet) -> bytes:
    """The workbook: one page of A4 across. Every cell is text: a name that begins with = is no formula."""
    from openpyxl import Workbook
    from openpyxl.drawing.image import Image
    from openpyxl.styles import Alignment, Border, Font, Side

    book = Workbook()
    page: Any = book.active
    page.title = sheet.title
    page.page_setup.paperSize = page.PAPERSIZE_A4
    page.page_setup.fitToWidth, page.page_setup.fitToHeight = 1, 0
    page.sheet_properties.pageSetUpPr.fitToPage = True
    page.oddFooter.left.text = sheet.foot.replace("&", "&&")
    for letter, width in zip("ABCD", COLUMNS, strict=True):
        page.column_dimensions[letter].width = width
    thin = Side(style="thin", color="8A94A0")
    border, wrap = Border(thin, thin, thin, thin), Alignment(wrap_text=True, vertical="center")
    row = 0

    def put(texts: list[str], *, spans: list[tuple[int, int]] = [], boxed: bool = False, **style: Any) -> None:  # noqa: B006
        nonlocal row
        row += 1
        for column, text in enumerate(texts, 1):
            cell = page.cell(row, column)
            cell.value = xml_safe(text)
            cell.data_type = "s"
            cell.alignment = style.get("alignment", wrap)
            cell.font = style.get("font", Font(name="宋体", size=11))
            if boxed:
                cell.border = border
        for first, last in spans:
            page.merge_cells(start_row=row, end_row=row, start_column=first, end_column=last)
        longest = max((len(line) for text in texts for line in text.split("\n")), default=0)
        room = sum(COLUMNS) / 2 if spans else 20
        page.row_dimensions[row].height = 18 * max(1, -(-longest // int(room)), *(t.count("\n") + 1 for t in texts))

    middle = Alignment(horizontal="center", vertical="center")
    put([sheet.hall], spans=[(1, 4)], alignment=middle)
    put([sheet.title], spans=[(1, 4)], alignment=middle, font=Font(name="宋体", size=20, bold=True))
    if sheet.number:
        put(["编号", sheet.number])
        picture = Image(BytesIO(qr_png(sheet.case_id, sheet.number)))
        picture.width = picture.height = 84
        page.add_image(picture, f"D{row}")
        page.row_dimensions[row].height = 66
    for block in sheet.blocks:
        match block:
            case Words(text, style):
                put([text], spans=[(1, 4)], font=Font(name="宋体", size=11, bold=style == "heading"))
            case Facts(pairs):
                rows = [*pairs, ("", "")][: len(pairs) + len(pairs) % 2]
                for place in range(0, len(rows), 2):
                    put([*rows[place], *rows[place + 1]], boxed=True)
            case Grid(head, rows_, _, _, total):
                for line in [head, *rows_, *([total] if total else [])]:
                    put(list(line), boxed=True, font=Font(name="宋体", size=11, bold=line is head))
            case Signatures(left, right):
                put([left, "", right], spans=[(1, 2), (3, 4)])
    buffer = BytesIO()
    book.save(buffer)
    return buffer.getvalue()
