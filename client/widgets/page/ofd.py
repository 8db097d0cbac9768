"""OFD by our own engine: display lists painted in workers, seals only out of what was signed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QImage, QPainter, QTransform

from client.widgets.page.cache import PaintCache
from client.widgets.page.painter import Limits, Painting
from client.widgets.page.seals import Art, picture_of
from client.widgets.page.source import Attached, Entry, Link, Note, Seals, SealSpot, Size
from modules.common.errors import GovDeskError
from modules.common.gm.trust import Trust
from modules.common.ofd.box import Box
from modules.common.ofd.display import DisplayList
from modules.common.ofd.document import Document
from modules.common.ofd.extras import OutlineEntry
from modules.common.ofd.reading import PageText, read
from modules.common.seals import verify
from modules.common.seals.report import SignatureReport, Stamp, Verdict
from modules.common.text import tr

_HELD = 24
"""Pages whose display lists are kept."""


class OfdSource:
    """``Source`` for document ``body`` of an OFD; ``trust``: what the office trusts. Raises OFD-001 to OFD-008."""

    format = "OFD"

    def __init__(self, data: bytes, trust: Trust | None = None, now: datetime | None = None, body: int = 0) -> None:
        self.data = data
        self._trust = trust
        self._now = now
        self._body = body
        self.document = self._document = Document.open(data, body=body)
        self._boxes: dict[int, Box] = {}
        self._cache = PaintCache(self._document.report)
        self._lists: OrderedDict[int, DisplayList] = OrderedDict()
        self._lock = threading.Lock()
        self._verifying = threading.Lock()
        self._reports: list[SignatureReport] | None = None
        if not self._document.pages:
            raise GovDeskError("VIEW-006", tr("文件里没有页面。"), fix=tr("请重新获取此文件。"))
        self._sizes = [Size(box.width, box.height) for box in map(self._document.page_box, range(self.pages))]

    @property
    def pages(self) -> int:
        return len(self._document.pages)

    def size(self, page: int) -> Size:
        return self._sizes[page]

    def close(self) -> None:
        with self._lock:
            self._lists.clear()
            self._cache = PaintCache(image_bytes=1)

    def _list(self, page: int) -> DisplayList:
        with self._lock:
            if page in self._lists:
                self._lists.move_to_end(page)
                return self._lists[page]
        made = self._document.display(page)
        with self._lock:
            self._lists[page] = made
            while len(self._lists) > _HELD:
                self._lists.popitem(last=False)
        return made

    def render(self, page: int, scale: float, area: QRect, rotation: int = 0, seals: Seals = Seals.NONE) -> QImage:
        image = QImage(area.size(), QImage.Format.Format_RGB32)
        image.fill(0xFFFFFFFF)
        size = self._sizes[page]
        wide, high = (max(round(side * scale), 1) for side in size.turned(rotation))
        matrix = {
            0: (scale, 0.0, 0.0, scale, 0.0, 0.0),
            90: (0.0, scale, -scale, 0.0, float(wide), 0.0),
            180: (-scale, 0.0, 0.0, -scale, float(wide), float(high)),
            270: (0.0, -scale, scale, 0.0, 0.0, float(high)),
        }[rotation]
        a, b, c, d, e, f = matrix
        moved = (a, b, c, d, e - area.x(), f - area.y())
        painter = QPainter(image)
        try:
            Painting(painter, self._cache, image.size(), Limits(self._cache, None)).items(self._list(page).items, moved)
            if seals is Seals.TRUE:
                painter.setTransform(QTransform(*moved))
                self._put_seals(painter, page, scale)
        finally:
            painter.end()
        return image

    def _put_seals(self, painter: QPainter, page: int, scale: float) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Multiply)
        for spot in self.seals(page):
            if spot.genuine:
                painter.drawImage(QRectF(*spot.box), self.seal_picture(spot, scale))

    def text(self, page: int) -> PageText:
        return read(self._list(page))

    # -- seals -------------------------------------------------------------------------------------

    def signatures(self) -> Sequence[SignatureReport]:
        with self._verifying:
            if self._reports is None:
                self._reports = verify(self._document.package, self._trust, now=self._now)
            return self._reports

    def _stamps(self, page: int) -> list[tuple[SignatureReport, Stamp]]:
        return [
            (report, stamp)
            for report in self.signatures()
            for stamp in report.stamps
            if report.document == self._body and stamp.page == page and report.picture is not None
        ]

    def seals(self, page: int) -> tuple[SealSpot, ...]:
        return tuple(
            SealSpot(page, _shown(stamp), f"{report.path}#{number}", report.verdict is not Verdict.INVALID)
            for number, (report, stamp) in enumerate(self._stamps(page))
        )

    def seal_picture(self, spot: SealSpot, scale: float) -> QImage:
        number = int(spot.id.rpartition("#")[2])
        report, stamp = self._stamps(spot.page)[number]
        left, top, width, height = stamp.boundary
        assert report.picture is not None
        art = self._art(report)
        whole = picture_of(art, width, height, scale)
        shown = _shown(stamp)
        part = QRect(
            round((shown.x - left) * scale),
            round((shown.y - top) * scale),
            max(round(shown.width * scale), 1),
            max(round(shown.height * scale), 1),
        )
        return whole.copy(part)

    def _art(self, report: SignatureReport) -> Art:
        assert report.picture is not None
        return Art(report.picture.kind, report.picture.data)

    # -- what belongs to it ------------------------------------------------------------------------

    def outline(self) -> tuple[Entry, ...]:
        return tuple(map(_entry, self._document.extras.outline))

    def bookmarks(self) -> tuple[Entry, ...]:
        found = self._document.extras.bookmarks
        return tuple(Entry(name or "—", where.page, where.top) for name, where in found.items())

    def attachments(self) -> tuple[Attached, ...]:
        package = self._document.package
        found = []
        for each in self._document.extras.attachments:
            entry = package.entry(each.path) if each.path else None
            name = each.name or each.path.rpartition("/")[2] or each.id
            kind = each.format.lower().lstrip(".")
            if kind and not name.lower().endswith(f".{kind}") and "." not in name:
                name = f"{name}.{kind}"
            found.append(Attached(name, entry.size if entry else -1))
        return tuple(found)

    def attachment(self, number: int) -> bytes:
        return self._document.extras.attachment(self._document.extras.attachments[number].id)

    def annotations(self, page: int) -> tuple[Note, ...]:
        return tuple(
            Note(page, _kind(each.type), each.creator, each.remark, each.box)
            for each in self._document.annotations.of_page(page)
            if each.type != "Link"
        )

    def links(self, page: int) -> tuple[Link, ...]:
        found = []
        for each in self._document.extras.links(page):
            for action in each.actions:
                where = action.destination
                if where is None and action.kind == "Goto":
                    where = self._document.extras.bookmarks.get(action.target)
                if where is not None:
                    found.append(Link(each.box, where.page, where.top))
                elif action.kind == "URI" and action.target:
                    found.append(Link(each.box, address=action.target))
        return tuple(found)

    def facts(self) -> Sequence[tuple[str, str]]:
        document, body = self._document, self._document.body
        info = body.info
        named = (
            (tr("标题"), info.get("Title", "")),
            (tr("作者"), info.get("Author", "")),
            (tr("主题"), info.get("Subject", "")),
            (tr("摘要"), info.get("Abstract", "")),
            (tr("关键词"), "、".join(body.keywords)),
            (tr("创建时间"), info.get("CreationDate", "")),
            (tr("修改时间"), info.get("ModDate", "")),
            (tr("创建程序"), " ".join(filter(None, (info.get("Creator", ""), info.get("CreatorVersion", ""))))),
            (tr("文件标识"), info.get("DocID", "")),
            *body.custom.items(),
            (tr("文档个数"), str(len(document.bodies)) if len(document.bodies) > 1 else ""),
            (tr("版本个数"), str(len(body.versions)) if len(body.versions) > 1 else ""),
        )
        allowed = [tr("打印"), tr("复制"), tr("批注")]
        granted = [words for words, what in zip(allowed, ("print", "copy", "annotate"), strict=True) if self.may(what)]
        return [*((name, value) for name, value in named if value), (tr("作者允许"), "、".join(granted) or tr("无"))]

    def report(self) -> Sequence[str]:
        return [note.sentence() for note in self._document.report.notes]

    @cached_property
    def _allowed(self) -> dict[str, bool]:
        found = self._document.extras.permissions
        return {"print": found.print, "copy": found.export, "annotate": found.annotate}

    def may(self, what: str) -> bool:
        return self._allowed[what]


def _shown(stamp: Stamp) -> Box:
    """The part of a page where a seal shows: its boundary, or the slice of it that its clip leaves."""
    left, top, width, height = stamp.boundary
    if stamp.clip is None:
        return Box(left, top, width, height)
    x, y, wide, high = stamp.clip
    first, upper = min(max(x, 0.0), width), min(max(y, 0.0), height)
    return Box(left + first, top + upper, min(wide, width - first), min(high, height - upper))


def _entry(entry: OutlineEntry) -> Entry:
    where = entry.destination
    page, top = (where.page, where.top) if where else (-1, 0.0)
    return Entry(entry.title or "—", page, top, tuple(map(_entry, entry.children)))


def _kind(kind: str) -> str:
    words = {
        "Path": tr("图形"),
        "Highlight": tr("高亮"),
        "Stamp": tr("图章"),
        "Watermark": tr("水印"),
    }
    return words.get(kind, tr("其他批注"))
