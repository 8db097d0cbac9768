"""PDF through PDFium. Handles are its own, opened and closed under the lock: a finalizer knows no lock."""

from __future__ import annotations

import ctypes
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from PySide6.QtCore import QRect
from PySide6.QtGui import QImage

from client.widgets.page.pdfium import LOCK
from client.widgets.page.source import TURNS, Attached, Entry, Link, Note, Seals, SealSpot, Size
from modules.common.errors import GovDeskError
from modules.common.gm.trust import Trust
from modules.common.ofd.box import Box
from modules.common.ofd.reading import Line, PageText
from modules.common.seals import verify
from modules.common.seals.report import SignatureReport, Verdict
from modules.common.text import tr

MM = 25.4 / 72
"""Millimetres of a point."""
_HELD = 6
"""Pages that stay parsed."""
_FINE = 100
"""Places are asked of PDFium in whole numbers: hundredths of a millimetre."""
_DEPTH = 32
_ENDS = (0x0A, 0x0D)
_ENTRIES = 20_000
_NOTES = 2_000
_ATTACHMENT = 1 << 30
_PRINT, _COPY, _ANNOTATE = 1 << 2, 1 << 4, 1 << 5
_SKIPPED = ("FPDF_ANNOT_LINK", "FPDF_ANNOT_POPUP", "FPDF_ANNOT_WIDGET")


@dataclass
class _Page:
    handle: Any
    size: Size
    map: tuple[float, ...] = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
    seals: list[Box] = field(default_factory=list)
    hidden: list[tuple[int, int]] = field(default_factory=list)
    """The annotations that are seals: number, flags as found."""

    def place(self, left: float, bottom: float, right: float, top: float) -> Box:
        """A box in points of the file, as millimetres from the top left of the page as it is shown."""
        xs, ys = zip(self._point(left, bottom), self._point(right, top), strict=True)
        return Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))

    def _point(self, x: float, y: float) -> tuple[float, float]:
        a, b, c, d, e, f = self.map
        return a * x + c * y + e, b * x + d * y + f


class PdfSource:
    """``Source`` for PDF; ``trust`` is what the office trusts.

    Raises ``GovDeskError``: VIEW-001 no PDF or damaged, VIEW-002 a password is needed, VIEW-005 encrypted otherwise.
    """

    format = "PDF"

    def __init__(
        self, data: bytes, password: str = "", trust: Trust | None = None, now: datetime | None = None
    ) -> None:
        import pypdfium2  # noqa: F401 - initialises the library
        import pypdfium2.raw as pdfium

        self._pdfium = pdfium
        self.data = data
        self._pages: OrderedDict[int, _Page] = OrderedDict()
        self._form: Any = None
        self._trust = trust
        self._now = now
        self._verifying = threading.Lock()
        self._reports: list[SignatureReport] | None = None
        with LOCK:
            self._document = pdfium.FPDF_LoadMemDocument64(data, len(data), password.encode() or None)
            if not self._document:
                raise _refusal(pdfium, bool(password))
            self._count = pdfium.FPDF_GetPageCount(self._document)
            self._sizes = [self._size(page) for page in range(self._count)]
            # without a form environment fields are not drawn, and seals are not told from other fields
            self._info = pdfium.FPDF_FORMFILLINFO(version=2)
            self._form = pdfium.FPDFDOC_InitFormFillEnvironment(self._document, self._info)
        if not self._count:
            self.close()
            raise _damaged()

    def _size(self, page: int) -> Size:
        found = self._pdfium.FS_SIZEF()
        self._pdfium.FPDF_GetPageSizeByIndexF(self._document, page, found)
        return Size(max(found.width, 1.0) * MM, max(found.height, 1.0) * MM)

    @property
    def pages(self) -> int:
        return int(self._count)

    def size(self, page: int) -> Size:
        return self._sizes[page]

    def close(self) -> None:
        pdfium = self._pdfium
        with LOCK:
            if not self._document:
                return
            for page in self._pages.values():
                self._leave(page)
            self._pages.clear()
            if self._form:
                pdfium.FPDFDOC_ExitFormFillEnvironment(self._form)
            pdfium.FPDF_CloseDocument(self._document)
            self._document = self._form = None

    # -- pages: all of this under the lock ---------------------------------------------------------

    def _page(self, number: int) -> _Page:
        """A page, parsed; the last few are kept. Raises VIEW-001 when it cannot be read, VIEW-003 when closed."""
        if not self._document:
            raise GovDeskError("VIEW-003", tr("文件已经关闭。"))
        if number in self._pages:
            self._pages.move_to_end(number)
            return self._pages[number]
        pdfium = self._pdfium
        handle = pdfium.FPDF_LoadPage(self._document, number)
        if not handle:
            raise _damaged()
        page = _Page(handle, self._sizes[number])
        page.map = self._map(page)
        self._find_seals(page)
        self._pages[number] = page
        while len(self._pages) > _HELD:
            self._leave(self._pages.popitem(last=False)[1])
        return page

    def _leave(self, page: _Page) -> None:
        self._pdfium.FPDF_ClosePage(page.handle)

    def _map(self, page: _Page) -> tuple[float, ...]:
        """From points of the file to millimetres, whatever box and rotation the page has."""
        wide, high = (max(round(side * _FINE), 1) for side in page.size)

        def at(x: float, y: float) -> tuple[float, float]:
            left, top = ctypes.c_int(), ctypes.c_int()
            self._pdfium.FPDF_PageToDevice(page.handle, 0, 0, wide, high, 0, x, y, left, top)
            return left.value / _FINE, top.value / _FINE

        (e, f), (ax, bx), (cx, dx) = at(0, 0), at(1000, 0), at(0, 1000)
        return (ax - e) / 1000, (bx - f) / 1000, (cx - e) / 1000, (dx - f) / 1000, e, f

    def _each_annotation(self, page: _Page, call: Callable[[int, int, Any], None]) -> None:
        pdfium = self._pdfium
        for number in range(min(pdfium.FPDFPage_GetAnnotCount(page.handle), _NOTES)):
            annotation = pdfium.FPDFPage_GetAnnot(page.handle, number)
            if annotation:
                try:
                    call(number, pdfium.FPDFAnnot_GetSubtype(annotation), annotation)
                finally:
                    pdfium.FPDFPage_CloseAnnot(annotation)

    def _find_seals(self, page: _Page) -> None:
        pdfium = self._pdfium

        def look(number: int, kind: int, annotation: Any) -> None:
            if kind != pdfium.FPDF_ANNOT_WIDGET or not self._form:
                return
            if pdfium.FPDFAnnot_GetFormFieldType(self._form, annotation) != pdfium.FPDF_FORMFIELD_SIGNATURE:
                return
            box = self._box(page, annotation)
            if box is not None and box.width > 0.5 and box.height > 0.5:
                page.seals.append(box)
                page.hidden.append((number, pdfium.FPDFAnnot_GetFlags(annotation)))

        self._each_annotation(page, look)

    def _box(self, page: _Page, annotation: Any) -> Box | None:
        found = self._pdfium.FS_RECTF()
        if not self._pdfium.FPDFAnnot_GetRect(annotation, found):
            return None
        return page.place(found.left, found.bottom, found.right, found.top)

    def _show_seals(self, page: _Page, shown: Set[int]) -> None:
        pdfium = self._pdfium
        for seal, (number, flags) in enumerate(page.hidden):
            annotation = pdfium.FPDFPage_GetAnnot(page.handle, number)
            pdfium.FPDFAnnot_SetFlags(annotation, flags if seal in shown else flags | pdfium.FPDF_ANNOT_FLAG_HIDDEN)
            pdfium.FPDFPage_CloseAnnot(annotation)

    # -- what is shown -----------------------------------------------------------------------------

    def render(self, page: int, scale: float, area: QRect, rotation: int = 0, seals: Seals = Seals.NONE) -> QImage:
        shown = (
            {number for number, spot in enumerate(self.seals(page)) if spot.genuine} if seals is Seals.TRUE else set()
        )
        return self._draw(page, scale, area, rotation, shown)

    def _draw(self, page: int, scale: float, area: QRect, rotation: int, seals: Set[int]) -> QImage:
        """As ``render``, with the seals of these numbers."""
        pdfium = self._pdfium
        image = QImage(area.size(), QImage.Format.Format_RGB32)
        image.fill(0xFFFFFFFF)
        wide, high = (max(round(side * scale), 1) for side in self._sizes[page].turned(rotation))
        bits = image.bits()
        held = (ctypes.c_ubyte * len(bits)).from_buffer(bits)
        with LOCK:
            drawn = self._page(page)
            bitmap = pdfium.FPDFBitmap_CreateEx(
                area.width(), area.height(), pdfium.FPDFBitmap_BGRx, held, image.bytesPerLine()
            )
            self._show_seals(drawn, seals)
            try:
                place = (-area.x(), -area.y(), wide, high, TURNS.index(rotation), pdfium.FPDF_ANNOT)
                pdfium.FPDF_RenderPageBitmap(bitmap, drawn.handle, *place)
                if self._form:
                    pdfium.FPDF_FFLDraw(self._form, bitmap, drawn.handle, *place)
            finally:
                pdfium.FPDFBitmap_Destroy(bitmap)
        return image

    # -- seals -------------------------------------------------------------------------------------

    def seals(self, page: int) -> tuple[SealSpot, ...]:
        with LOCK:
            found = list(self._page(page).seals)
        if not found:
            return ()
        invalid = [
            Box(*stamp.boundary)
            for report in self.signatures()
            if report.verdict is Verdict.INVALID
            for stamp in report.stamps
            if stamp.page == page
        ]
        return tuple(
            SealSpot(page, box, f"{page}.{number}", not any(_same(box, each) for each in invalid))
            for number, box in enumerate(found)
        )

    def seal_picture(self, spot: SealSpot, scale: float) -> QImage:
        """The difference that the signature's field makes to its page."""
        import numpy

        area = QRect(*(round(side * scale) for side in spot.box))
        number = int(spot.id.rpartition(".")[2])
        without, with_it = (self._draw(spot.page, scale, area, 0, shown) for shown in (set[int](), {number}))
        plain, true = _pixels(without), _pixels(with_it)
        picture = QImage(area.size(), QImage.Format.Format_ARGB32_Premultiplied)
        picture.fill(0)
        pixels = _pixels(picture)
        differ = (plain != true)[:, :, :3].any(axis=2)
        pixels[differ] = true[differ]
        pixels[:, :, 3] = numpy.where(differ, 255, 0)
        return picture

    def signatures(self) -> Sequence[SignatureReport]:
        with self._verifying:
            if self._reports is None:
                with LOCK:
                    signed = self._document and self._pdfium.FPDF_GetSignatureCount(self._document) > 0
                some = signed or b"/ByteRange" in self.data
                self._reports = verify(self.data, self._trust, now=self._now) if some else []
            return self._reports

    def text(self, page: int) -> PageText:
        with LOCK:
            return self._read(self._page(page))

    def _read(self, page: _Page) -> PageText:
        pdfium = self._pdfium
        handle = pdfium.FPDFText_LoadPage(page.handle)
        lines: list[Line] = []
        now: list[tuple[str, Box | None]] = []
        try:
            found = pdfium.FS_RECTF()
            for number in range(pdfium.FPDFText_CountChars(handle)):
                code = pdfium.FPDFText_GetUnicode(handle, number)
                if code in _ENDS:
                    lines += _line(now)
                    now = []
                elif 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 and code != 0xFFFE:
                    there = pdfium.FPDFText_GetLooseCharBox(handle, number, found) and found.right > found.left
                    box = page.place(found.left, found.bottom, found.right, found.top) if there else None
                    now.append((chr(code), box))
        finally:
            pdfium.FPDFText_ClosePage(handle)
        return PageText((*lines, *_line(now)))

    # -- what belongs to it ------------------------------------------------------------------------

    def outline(self) -> tuple[Entry, ...]:
        left, seen = [_ENTRIES], set[int]()
        with LOCK:
            return self._entries(None, 0, left, seen) if self._document else ()

    def _entries(self, above: Any, depth: int, left: list[int], seen: set[int]) -> tuple[Entry, ...]:
        pdfium, made = self._pdfium, []
        each = pdfium.FPDFBookmark_GetFirstChild(self._document, above)
        while each and depth < _DEPTH and left[0] > 0:
            address = ctypes.addressof(each.contents)
            if address in seen:
                break
            seen.add(address)
            left[0] -= 1
            title = self._wide(partial(pdfium.FPDFBookmark_GetTitle, each))
            page, top = self._leads(pdfium.FPDFBookmark_GetDest(self._document, each))
            made.append(Entry(title.strip() or "—", page, top, self._entries(each, depth + 1, left, seen)))
            each = pdfium.FPDFBookmark_GetNextSibling(self._document, each)
        return tuple(made)

    def _leads(self, destination: Any) -> tuple[int, float]:
        pdfium = self._pdfium
        if not destination:
            return -1, 0.0
        page = pdfium.FPDFDest_GetDestPageIndex(self._document, destination)
        if not 0 <= page < self._count:
            return -1, 0.0
        has_x, has_y, has_zoom = (ctypes.c_int() for _ in range(3))
        x, y, zoom = (ctypes.c_float() for _ in range(3))
        if pdfium.FPDFDest_GetLocationInPage(destination, has_x, has_y, has_zoom, x, y, zoom) and has_y.value:
            return page, max(self._sizes[page].height - y.value * MM, 0.0)
        return page, 0.0

    def bookmarks(self) -> tuple[Entry, ...]:
        return ()

    def links(self, page: int) -> tuple[Link, ...]:
        pdfium, found = self._pdfium, list[Link]()
        with LOCK:
            shown = self._page(page)
            place, link, rect = ctypes.c_int(0), pdfium.FPDF_LINK(), pdfium.FS_RECTF()
            while len(found) < _NOTES and pdfium.FPDFLink_Enumerate(shown.handle, place, link):
                if not pdfium.FPDFLink_GetAnnotRect(link, rect):
                    continue
                box = shown.place(rect.left, rect.bottom, rect.right, rect.top)
                target, top = self._leads(pdfium.FPDFLink_GetDest(self._document, link))
                action, address = pdfium.FPDFLink_GetAction(link), ""
                if target < 0 and action:
                    target, top = self._leads(pdfium.FPDFAction_GetDest(self._document, action))
                    size = pdfium.FPDFAction_GetURIPath(self._document, action, None, 0)
                    if target < 0 and size > 1:
                        room = ctypes.create_string_buffer(size)
                        pdfium.FPDFAction_GetURIPath(self._document, action, room, size)
                        address = room.value.decode("utf-8", "replace")
                if target >= 0 or address:
                    found.append(Link(box, target, top, address))
        return tuple(found)

    def annotations(self, page: int) -> tuple[Note, ...]:
        pdfium, found = self._pdfium, list[Note]()
        skipped = {getattr(pdfium, name) for name in _SKIPPED}

        def note(number: int, kind: int, annotation: Any) -> None:
            if kind in skipped:
                return
            author, text = (self._value(annotation, key) for key in (b"T", b"Contents"))
            found.append(Note(page, _kind(pdfium, kind), author, text, self._box(shown, annotation)))

        with LOCK:
            shown = self._page(page)
            self._each_annotation(shown, note)
        return tuple(found)

    def attachments(self) -> tuple[Attached, ...]:
        pdfium, found = self._pdfium, list[Attached]()
        with LOCK:
            for number in range(pdfium.FPDFDoc_GetAttachmentCount(self._document) if self._document else 0):
                file = pdfium.FPDFDoc_GetAttachment(self._document, number)
                name = self._wide(partial(pdfium.FPDFAttachment_GetName, file), ctypes.c_ushort)
                size = ctypes.c_ulong()
                known = pdfium.FPDFAttachment_GetFile(file, None, 0, size)
                found.append(Attached(name, size.value if known else -1))
        return tuple(found)

    def attachment(self, number: int) -> bytes:
        pdfium = self._pdfium
        with LOCK:
            file = pdfium.FPDFDoc_GetAttachment(self._document, number) if self._document else None
            size = ctypes.c_ulong()
            if not file or not pdfium.FPDFAttachment_GetFile(file, None, 0, size) or size.value > _ATTACHMENT:
                raise GovDeskError("VIEW-004", tr("这个附件读不出来。"), fix=tr("请向发文单位重新索取。"))
            room = ctypes.create_string_buffer(max(size.value, 1))
            pdfium.FPDFAttachment_GetFile(file, room, size.value, size)
            return room.raw[: size.value]

    def facts(self) -> Sequence[tuple[str, str]]:
        pdfium = self._pdfium
        names = (
            (b"Title", tr("标题")), (b"Author", tr("作者")), (b"Subject", tr("主题")), (b"Keywords", tr("关键词")),
            (b"Creator", tr("创建程序")), (b"Producer", tr("生成程序")),
            (b"CreationDate", tr("创建时间")), (b"ModDate", tr("修改时间")),
        )  # fmt: skip
        with LOCK:
            if not self._document:
                return []
            found = [(said, self._wide(partial(pdfium.FPDF_GetMetaText, self._document, key))) for key, said in names]
            version = ctypes.c_int()
            if pdfium.FPDF_GetFileVersion(self._document, version):
                found.append((tr("格式版本"), f"PDF {version.value // 10}.{version.value % 10}"))
            signed = pdfium.FPDF_GetSignatureCount(self._document)
            if signed > 0:
                found.append((tr("签名个数"), str(signed)))
        allowed = [tr("打印"), tr("复制"), tr("批注")]
        granted = [words for words, what in zip(allowed, ("print", "copy", "annotate"), strict=True) if self.may(what)]
        found.append((tr("作者允许"), "、".join(granted) or tr("无")))
        return [(name, _date(value) if value.startswith("D:") else value) for name, value in found if value]

    def report(self) -> Sequence[str]:
        return ()

    def may(self, what: str) -> bool:
        bit = {"print": _PRINT, "copy": _COPY, "annotate": _ANNOTATE}[what]
        with LOCK:
            return bool(self._document and self._pdfium.FPDF_GetDocPermissions(self._document) & bit)

    def _value(self, annotation: Any, key: bytes) -> str:
        return self._wide(partial(self._pdfium.FPDFAnnot_GetStringValue, annotation, key), ctypes.c_ushort)

    @staticmethod
    def _wide(call: Callable[[Any, int], int], unit: Any = None) -> str:
        """A text that PDFium writes as UTF-16 once it knows the room; control characters are left out."""
        size = min(int(call(None, 0)), 1 << 20)
        if size <= 2:
            return ""
        room = ctypes.create_string_buffer(size)
        call(ctypes.cast(room, ctypes.POINTER(unit)) if unit else room, size)
        text = room.raw[:size].decode("utf-16-le", "replace").rstrip("\0")
        return "".join(character for character in text if character >= " " or character in "\n\t")


def _line(characters: list[tuple[str, Box | None]]) -> list[Line]:
    """A line of text, or none when nothing in it has a place; a blank without one gets that of an edge beside it."""
    last = next((box for _, box in characters if box is not None), None)
    if last is None:
        return []
    boxes = []
    for _, box in characters:
        last = box or Box(last.x + last.width, last.y, 0, last.height)
        boxes.append(last)
    return [Line("".join(text for text, _ in characters), tuple(boxes))]


def _same(one: Box, other: Box) -> bool:
    """Whether two boxes are the same but for rounding: what is written in points is compared in millimetres."""
    return all(abs(mine - theirs) < 1.0 for mine, theirs in zip(one, other, strict=True))


def _pixels(image: QImage) -> Any:
    """The image's own bytes, a row of pixels of four each; valid as long as somebody holds the image."""
    import numpy

    return numpy.frombuffer(image.bits(), numpy.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)


def _kind(pdfium: Any, kind: int) -> str:
    words = {
        pdfium.FPDF_ANNOT_TEXT: tr("便签"), pdfium.FPDF_ANNOT_FREETEXT: tr("文字"), pdfium.FPDF_ANNOT_LINE: tr("直线"),
        pdfium.FPDF_ANNOT_HIGHLIGHT: tr("高亮"), pdfium.FPDF_ANNOT_UNDERLINE: tr("下划线"),
        pdfium.FPDF_ANNOT_STRIKEOUT: tr("删除线"), pdfium.FPDF_ANNOT_SQUIGGLY: tr("波浪线"),
        pdfium.FPDF_ANNOT_STAMP: tr("图章"), pdfium.FPDF_ANNOT_INK: tr("手写"), pdfium.FPDF_ANNOT_SQUARE: tr("矩形"),
        pdfium.FPDF_ANNOT_CIRCLE: tr("椭圆"), pdfium.FPDF_ANNOT_FILEATTACHMENT: tr("附件"),
        pdfium.FPDF_ANNOT_REDACT: tr("遮盖"), pdfium.FPDF_ANNOT_WATERMARK: tr("水印"),
    }  # fmt: skip
    return words.get(kind, tr("其他批注"))


def _date(value: str) -> str:
    """``D:20240531141733+08'00'`` → ``2024-05-31 14:17``; as it is where it is written otherwise."""
    digits = value[2:14]
    if len(digits) == 12 and digits.isdigit():
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}"
    return value


def _damaged() -> GovDeskError:
    return GovDeskError("VIEW-001", tr("文件已损坏，或不是 PDF，无法打开。"), fix=tr("请重新获取此文件。"))


def _refusal(pdfium: Any, tried: bool) -> GovDeskError:
    wrong = pdfium.FPDF_GetLastError()
    if wrong == pdfium.FPDF_ERR_SECURITY:
        return GovDeskError(
            "VIEW-005",
            tr("文件用证书或未知的方法加密，无法打开。"),
            fix=tr("请用加密它的程序打开，或向发文单位索取未加密的文件。"),
        )
    if wrong != pdfium.FPDF_ERR_PASSWORD:
        return _damaged()
    if tried:
        return GovDeskError("VIEW-002", tr("密码不对，文件没有打开。"), fix=tr("请核对密码后再试一次。"))
    return GovDeskError("VIEW-002", tr("文件有密码保护。"), fix=tr("请输入打开密码。"))
