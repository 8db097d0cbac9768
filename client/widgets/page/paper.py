"""Pages of a document on paper at their true size, or several on a sheet."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QBuffer, QIODevice, QMarginsF, QRect, QRectF, QSizeF
from PySide6.QtGui import QImage, QPagedPaintDevice, QPageLayout, QPageSize, QPainter, QPdfWriter

from client.kernel.contract import Token
from client.widgets.page.source import Seals, Size, Source
from client.widgets.page.veil import veiled
from modules.common.errors import GovDeskError
from modules.common.text import tr

INCH = 25.4
DPI = 300
"""Dots per inch that pages are drawn with for paper."""
PREVIEW_DPI = 144
_BAND_PIXELS = 24_000_000
"""A page of more pixels is drawn in bands, so that large ones need no large memory. A3 at 300 dpi needs none: where two
bands meet, what draws a sheet small rounds both of them."""
_GRIDS = {1: (1, 1), 2: (1, 2), 4: (2, 2), 6: (2, 3), 9: (3, 3)}
"""Columns and rows of a sheet upright, by pages on it."""
PER_SHEET = tuple(_GRIDS)
_A4 = Size(210.0, 297.0)
_MARGIN = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """What goes on paper. ``pages`` are indices; ``watermark`` stands on seals that are not shown true."""

    source: Source
    pages: tuple[int, ...]
    per_sheet: int = 1
    true_seals: bool = False
    watermark: str = ""
    over: Callable[[QPainter, int], None] | None = None
    """Draws on top of a page in its millimetres: marks."""


def parse_pages(text: str, count: int) -> tuple[int, ...]:
    """``1-3,5`` as indices from 0; everything for no text. Raises ``ValueError`` for what is no range of pages."""
    text = text.strip()
    if not text:
        return tuple(range(count))
    found: list[int] = []
    for part in re.split(r"[,，、;；\s]+", text):
        match = re.fullmatch(r"(\d+)(?:[-—－~～至](\d*))?", part)
        if match is None:
            raise ValueError(part)
        first = int(match[1])
        last = first if match[2] is None else int(match[2] or count)
        if not 1 <= first <= last <= count:
            raise ValueError(part)
        found += range(first - 1, last)
    return tuple(found)


def put_on(device: QPagedPaintDevice, job: Job, resolution: int, token: Token, dpi: int = DPI) -> int:
    """Paint a job, ``resolution`` being the device's dots per inch; on a lane. The number of sheets.

    A single page gets paper of its own size and is neither enlarged nor reduced. Raises ``GovDeskError`` VIEW-020
    when the device does not take it.
    """
    sheets = [job.pages[at : at + job.per_sheet] for at in range(0, len(job.pages), job.per_sheet)]
    painter = QPainter()
    dot = resolution / INCH
    try:
        for number, pages in enumerate(sheets):
            token.check()
            token.progress(number / len(sheets), tr("第 {n} 张，共 {all} 张", n=number + 1, all=len(sheets)))
            paper = job.source.size(pages[0]) if job.per_sheet == 1 else _sheet(job)
            _set_paper(device, paper)
            if not (device.newPage() if painter.isActive() else painter.begin(device)):
                raise GovDeskError(
                    "VIEW-020", tr("打印机没有接受任务。"), fix=tr("请检查打印机，或另选一台，然后重新打印。")
                )
            for page, cell in zip(pages, _cells(job, paper), strict=False):
                _put_page(painter, job, page, cell, dot, dpi, token)
    finally:
        if painter.isActive():
            painter.end()
    return len(sheets)


def preview_pdf(job: Job, token: Token) -> bytes:
    """A job as it would come out, as a PDF in memory; on a lane."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QPdfWriter(buffer)
    writer.setResolution(DPI)
    put_on(writer, job, DPI, token, PREVIEW_DPI)
    return bytes(buffer.data().data())


def _sheet(job: Job) -> Size:
    """A4 for several pages, turned so that they fit best."""
    columns, rows = _GRIDS[job.per_sheet]
    first = job.source.size(job.pages[0])
    upright = min(_A4.width / columns / first.width, _A4.height / rows / first.height)
    across = min(_A4.height / rows / first.width, _A4.width / columns / first.height)
    return _A4 if upright >= across else Size(_A4.height, _A4.width)


def _cells(job: Job, paper: Size) -> list[tuple[float, float, float, float]]:
    """Left, top, width and height in millimetres of each page's room on the sheet."""
    if job.per_sheet == 1:
        return [(0.0, 0.0, paper.width, paper.height)]
    columns, rows = _GRIDS[job.per_sheet]
    if paper.width > paper.height:
        columns, rows = rows, columns
    wide, high = (paper.width - 2 * _MARGIN) / columns, (paper.height - 2 * _MARGIN) / rows
    return [
        (_MARGIN + column * wide, _MARGIN + row * high, wide, high) for row in range(rows) for column in range(columns)
    ]


def _set_paper(device: QPagedPaintDevice, paper: Size) -> None:
    short, long = sorted(paper)
    way = QPageLayout.Orientation.Landscape if paper.width > paper.height else QPageLayout.Orientation.Portrait
    size = QPageSize(QSizeF(short, long), QPageSize.Unit.Millimeter, "", QPageSize.SizeMatchPolicy.FuzzyMatch)
    layout = QPageLayout(size, way, QMarginsF(0, 0, 0, 0))
    layout.setMode(QPageLayout.Mode.FullPageMode)
    device.setPageLayout(layout)


def _put_page(
    painter: QPainter,
    job: Job,
    page: int,
    cell: tuple[float, float, float, float],
    dot: float,
    dpi: int,
    token: Token,
) -> None:
    size = job.source.size(page)
    left, top, wide, high = cell
    part = 1.0 if job.per_sheet == 1 else min(wide / size.width, high / size.height)
    left += (wide - size.width * part) / 2
    top += (high - size.height * part) / 2
    scale = dpi / INCH * part
    across, down = max(round(size.width * scale), 1), max(round(size.height * scale), 1)
    band = max(_BAND_PIXELS // across, 1)
    seals = Seals.TRUE if job.true_seals else Seals.NONE
    painter.save()
    painter.translate(left * dot, top * dot)
    painter.scale(part * dot / scale, part * dot / scale)
    for start in range(0, down, band):
        token.check()
        area = QRect(0, start, across, min(band, down - start))
        image: QImage = job.source.render(page, scale, area, 0, seals)
        painter.drawImage(QRectF(area), image)
    painter.scale(scale, scale)
    if not job.true_seals or any(not spot.genuine for spot in job.source.seals(page)):
        for spot, picture in veiled(job.source, page, job.watermark, token):
            if not (job.true_seals and spot.genuine):
                painter.drawImage(QRectF(*spot.box), picture)
    if job.over is not None:
        job.over(painter, page)
    painter.restore()
