"""The register of uses (用印登记) as people read and export it."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from modules.common.aggregate import Doc
from modules.common.clock import CHINA, parse_iso
from modules.common.seals.register import WITHDRAWN
from modules.common.text import tr


def act_words(use: Doc) -> str:
    """What a use did, for people."""
    return tr("已撤章") if use["act"] == WITHDRAWN else tr("已盖章")


def facts_of(use: Doc) -> list[tuple[str, str]]:
    """All that the register holds of a use: name, value."""
    return [
        (tr("时间"), f"{parse_iso(use['at']).astimezone(CHINA):%Y-%m-%d %H:%M:%S}"),
        (tr("用印人"), str(use["by"]["name"])),
        (tr("办理"), act_words(use)),
        (tr("印章名称"), str(use["seal_name"])),
        (tr("印章编码"), str(use["seal_code"])),
        (tr("文件"), str(use["title"])),
        (tr("位置"), str(use["pages"])),
        (tr("用印事由"), str(use["reason"])),
        (tr("批准人"), str(use["approved_by"])),
        (tr("文件 SM3"), str(use["digest"])),
        (tr("印章登记"), "" if use["listed"] else tr("这枚印章不在本单位的印章登记里")),
        (tr("登记编号"), str(use["id"])),
    ]


def workbook_of(uses: Sequence[Doc]) -> bytes:
    """The uses as an Excel workbook, a row for each. Every cell is text: what begins with = is no formula."""
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook()
    sheet: Any = book.active
    sheet.title = tr("用印登记")
    rows = [facts_of(use) for use in uses]
    heads = [name for name, _ in (rows[0] if rows else facts_of(_NOTHING))]
    for number, row in enumerate([heads, *([value for _, value in facts] for facts in rows)], 1):
        for column, text in enumerate(row, 1):
            cell = sheet.cell(number, column)
            cell.value = ILLEGAL_CHARACTERS_RE.sub("", text)
            cell.data_type = "s"
    for letter, width in zip("ABCDEFGHIJKL", (20, 10, 8, 26, 18, 36, 16, 26, 10, 66, 16, 38), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A2"
    out = BytesIO()
    book.save(out)
    return out.getvalue()


_NOTHING: Doc = {
    **dict.fromkeys(("act", "seal_name", "seal_code", "title", "pages", "reason", "approved_by", "digest", "id"), ""),
    "at": "2000-01-01T00:00:00Z",
    "by": {"name": ""},
    "listed": True,
}
