"""Papers of a case (文书): receipt, correction notice, declining decision, provisional notice, collection slip.

``make`` sets one as PDF, Word, Excel or HTML (C41). Content is made once, in ``sheet``.
"""

from __future__ import annotations

from dataclasses import dataclass

from modules.acceptance.services.papers.sheet import (
    COLLECTION,
    CORRECTION,
    DECLINE,
    KINDS,
    PROVISIONAL,
    RECEIPT,
    Origin,
    available,
    sheet_of,
    title_of,
)
from modules.common.aggregate import Doc
from modules.common.errors import GovDeskError
from modules.common.text import tr

__all__ = [
    "COLLECTION",
    "CORRECTION",
    "DECLINE",
    "FORMATS",
    "KINDS",
    "PROVISIONAL",
    "RECEIPT",
    "Origin",
    "Paper",
    "available",
    "make",
    "prepare",
    "title_of",
]

FORMATS = ("pdf", "docx", "xlsx", "html")


@dataclass(frozen=True, slots=True)
class Paper:
    """A finished paper. ``missing``: characters that the PDF's font lacks, drawn as 〓 and named at its foot."""

    data: bytes
    missing: tuple[str, ...] = ()


def make(kind: str, case: Doc, origin: Origin, format: str = "pdf") -> Paper:
    """The paper ``kind`` of ``case``; belongs on lane ``cpu``.

    Raises ``GovDeskError`` PRT-020 where the case has no such paper, PRT-010 without the font.
    """
    if kind not in available(case):
        raise GovDeskError("PRT-020", tr("此件没有“{paper}”。", paper=title_of(kind)))
    sheet = sheet_of(kind, case, origin)
    if format == "pdf":
        from modules.acceptance.services.papers.pdf import pdf_of

        return Paper(*pdf_of(sheet))
    if format == "docx":
        from modules.acceptance.services.papers.word import docx_of

        return Paper(docx_of(sheet))
    if format == "xlsx":
        from modules.acceptance.services.papers.excel import xlsx_of

        return Paper(xlsx_of(sheet))
    if format == "html":
        from modules.acceptance.services.papers.web import html_of

        return Paper(html_of(sheet))
    raise ValueError(format)


def prepare() -> None:
    """Load what the first paper would wait for. Raises ``GovDeskError`` PRT-010 without the font."""
    from modules.acceptance.services.papers import pdf

    pdf.prepare()
