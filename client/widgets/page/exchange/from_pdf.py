"""A PDF as a volume to be written as OFD: text stays text, fonts stay fonts, images stay as they are."""

from __future__ import annotations

import io
from contextlib import suppress
from datetime import date
from typing import Any

from client.widgets.page.exchange.content import Content
from client.widgets.page.exchange.state import Shared
from modules.common.errors import GovDeskError
from modules.common.ofd.box import Box
from modules.common.ofd.display import IDENTITY, Matrix, times
from modules.common.ofd.report import Report
from modules.common.ofd.writing import Heading, Info, Leaf, Volume
from modules.common.text import tr

_MM = 25.4 / 72
_PAGES = 20_000
_ENTRIES = 20_000
_ATTACHED = 64 << 20
_HIDDEN, _NO_VIEW = 2, 32


def volume_of(data: bytes, report: Report, password: str = "") -> Volume:
    """The pages of a PDF with outline, attachments and who made it; what can't be carried over goes to ``report``.

    Raises ``GovDeskError``: PDF-001 damaged or no PDF, PDF-002 encrypted, PDF-003 the maker doesn't allow copying.
    """
    import pikepdf

    try:
        with pikepdf.open(io.BytesIO(data), password=password) as document:
            if document.is_encrypted and not document.allow.extract:
                raise GovDeskError(
                    "PDF-003",
                    tr("作者不允许复制这个 PDF 的内容，没有转换。"),
                    fix=tr("请向发文单位索取可以转换的文件。"),
                )
            return _volume(document, report)
    except pikepdf.PasswordError as error:
        fix = tr("请先取得没有密码的文件。")
        raise GovDeskError("PDF-002", tr("PDF 已加密，没有转换。"), fix=fix) from error
    except pikepdf.PdfError as error:
        if "encrypt" in str(error):
            fix = tr("请先取得没有密码的文件。")
            raise GovDeskError("PDF-002", tr("PDF 已加密，没有转换。"), fix=fix) from error
        raise _damaged() from error
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError, RecursionError) as error:
        raise _damaged() from error


def _damaged() -> GovDeskError:
    return GovDeskError("PDF-001", tr("PDF 已损坏，没有转换。"), fix=tr("请重新获取此文件。"))


def _volume(document: Any, report: Report) -> Volume:
    shared = Shared(report)
    leaves = []
    places: dict[Any, int] = {}
    for number, page in enumerate(document.pages):
        if number >= _PAGES:
            report.add("page.limit", "")
            break
        places[page.objgen] = number
        leaves.append(_leaf(page, shared, str(number + 1)))
    form = document.Root.get("/AcroForm")
    if form is not None and int(form.get("/SigFlags", 0)) & 1:
        report.add("pdf.signed", "")
    return Volume(tuple(leaves), _info(document), (), _outline(document, places), _attachments(document, report))


def _leaf(page: Any, shared: Shared, place: str) -> Leaf:
    box = [float(each) for each in page.cropbox]
    unit = float(page.get("/UserUnit", 1)) * _MM
    left, bottom = min(box[0], box[2]), min(box[1], box[3])
    wide, high = abs(box[2] - box[0]) * unit, abs(box[3] - box[1]) * unit
    matrix: Matrix = (unit, 0.0, 0.0, -unit, -left * unit, high + bottom * unit)
    turn = int(page.obj.get("/Rotate", page.rotation if hasattr(page, "rotation") else 0) or 0) % 360
    matrix = times(matrix, {
        90: (0.0, 1.0, -1.0, 0.0, high, 0.0), 180: (-1.0, 0.0, 0.0, -1.0, wide, high),
        270: (0.0, -1.0, 1.0, 0.0, 0.0, wide),
    }.get(turn, IDENTITY))  # fmt: skip
    if turn in (90, 270):
        wide, high = high, wide
    content = Content(shared, matrix, place, (wide, high))
    content.run(page, page.resources)
    for each in page.get("/Annots", []):
        with suppress(ValueError, TypeError, KeyError, AttributeError, IndexError, ZeroDivisionError):
            _annotation(each, content)
    return Leaf(Box(0.0, 0.0, wide, high), content.items)


def _annotation(thing: Any, content: Content) -> None:
    """An annotation as it looks (ISO 32000-2, 12.5.5)."""
    if int(thing.get("/F", 0)) & (_HIDDEN | _NO_VIEW) or str(thing.get("/Subtype")) in ("/Popup", "/Link"):
        return
    look = thing.AP.N
    if "/BBox" not in look:
        look = look[str(thing.get("/AS", "/Off"))]
    matrix: Matrix = tuple(float(each) for each in look.get("/Matrix", [1, 0, 0, 1, 0, 0]))  # type: ignore[assignment]
    x1, y1, x2, y2 = (float(each) for each in look.BBox)
    a, b, c, d, e, f = matrix
    xs = [a * x + c * y + e for x in (x1, x2) for y in (y1, y2)]
    ys = [b * x + d * y + f for x in (x1, x2) for y in (y1, y2)]
    rect = [float(each) for each in thing.Rect]
    left, right, low, high = min(rect[0], rect[2]), max(rect[0], rect[2]), min(rect[1], rect[3]), max(rect[1], rect[3])
    if max(xs) == min(xs) or max(ys) == min(ys):
        return
    across, up = (right - left) / (max(xs) - min(xs)), (high - low) / (max(ys) - min(ys))
    content.annotation(look, (across, 0.0, 0.0, up, left - min(xs) * across, low - min(ys) * up))


def _info(document: Any) -> Info:
    said = document.docinfo if "/Info" in document.trailer else {}

    def words(key: str) -> str:
        return str(said.get(key, "")).strip().replace("\0", "")

    return Info(
        words("/Title"),
        words("/Author"),
        words("/Subject"),
        keywords=tuple(filter(None, (word.strip() for word in words("/Keywords").replace(";", ",").split(",")))),
        created=_date(words("/CreationDate")),
        changed=_date(words("/ModDate")),
    )


def _date(words: str) -> date | None:
    digits = words.removeprefix("D:")[:8]
    try:
        return date(int(digits[:4]), int(digits[4:6] or 1), int(digits[6:8] or 1))
    except ValueError:
        return None


def _outline(document: Any, places: dict[Any, int]) -> tuple[Heading, ...]:
    import pikepdf

    left = [_ENTRIES]

    def made(items: Any, depth: int) -> tuple[Heading, ...]:
        out = []
        for item in items:
            left[0] -= 1
            if left[0] < 0 or depth > 30:
                break
            page, top = -1, 0.0
            with suppress(Exception):
                where = item.destination if item.destination is not None else item.action.D
                if isinstance(where, pikepdf.Array):
                    page = places.get(where[0].objgen, -1)
                    if str(where[1]) == "/XYZ" and page >= 0:
                        box = document.pages[page].cropbox
                        top = max((float(box[3]) - float(where[3])) * _MM, 0.0)
            out.append(Heading(str(item.title).strip() or "—", page, top, made(item.children, depth + 1)))
        return tuple(out)

    if "/Outlines" not in document.Root:
        return ()
    try:
        with document.open_outline() as outline:
            return made(outline.root, 0)
    except (pikepdf.PdfError, ValueError, TypeError, AttributeError):
        return ()


def _attachments(document: Any, report: Report) -> tuple[tuple[str, bytes], ...]:
    out = []
    for name, spec in document.attachments.items():
        try:
            data = spec.get_file().read_bytes()
        except Exception as error:  # noqa: BLE001 - pikepdf raises what it likes on broken files
            report.add("document.part", name, type(error).__name__)
            continue
        if len(data) > _ATTACHED:
            report.add("zip.limit", name)
            continue
        out.append((str(spec.filename or name), data))
    return tuple(out)
