"""``./run ofd info|text|render``: what is in OFD and PDF files, their text, and their pages as PNG."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QImage, QPainter

from client.widgets.page.ofd import OfdSource
from client.widgets.page.painter import MM_PER_INCH, PIXEL_LIMIT
from client.widgets.page.source import Seals, Source
from modules.common.errors import GovDeskError
from modules.common.ofd.report import OfdError
from modules.common.text import tr

GOOD, UNREADABLE = 0, 2
"""Exit statuses."""


def _open(path: Path, body: int) -> Source:
    try:
        data = path.read_bytes()
    except OSError as error:
        fix = tr("请检查文件是否存在、是否有权读取。")
        raise OfdError("OFD-010", tr("无法读取文件“{name}”。", name=path.name), fix=fix) from error
    if data[:1024].lstrip().startswith(b"%PDF"):
        from client.widgets.page.pdf import PdfSource

        return PdfSource(data)
    return OfdSource(data, body=body)


def _notes(source: Source) -> list[tuple[str, str, str]]:
    """What could not be read: code, place, words."""
    if not isinstance(source, OfdSource):
        return [("", "", words) for words in source.report()]
    return [(note.code, note.place, note.sentence()) for note in source.document.report.notes]


def _inside(source: OfdSource) -> dict[str, Any]:
    """What an OFD holds, for machines."""
    document, extras = source.document, source.document.extras
    body = document.body
    return {
        "documents": len(document.bodies),
        "info": body.info,
        "custom": body.custom,
        "keywords": list(body.keywords),
        "versions": [{"id": each.id, "index": each.index, "current": each.current} for each in body.versions],
        "signatures": body.signatures,
        "tags": [tag.name for tag in extras.tags],
        "permissions": {name: getattr(extras.permissions, name) for name in extras.permissions.__slots__},
    }


def _picture(source: Source, page: int, dpi: float, seals: str) -> QImage:
    """A page with its seals ``true`` (those that verify, as on paper), ``blurred`` (as on the screen), or ``none``."""
    from client.widgets.page.seals import blurred

    size = source.size(page)
    scale = min(dpi / MM_PER_INCH, math.sqrt(PIXEL_LIMIT / (size.width * size.height)))
    area = QRect(0, 0, max(1, round(size.width * scale)), max(1, round(size.height * scale)))
    image = source.render(page, scale, area, seals=Seals.TRUE if seals == "true" else Seals.NONE)
    if seals != "blurred":
        return image
    painter = QPainter(image)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Multiply)
    for spot in source.seals(page):
        if not spot.genuine:
            continue
        box = spot.box
        shown = blurred(source.seal_picture(spot, scale), box.width, box.height)
        painter.drawImage(QRectF(box.x * scale, box.y * scale, box.width * scale, box.height * scale), shown)
    painter.end()
    return image


def info(words: Sequence[str]) -> int:
    """Say what a file holds: documents, pages, sizes, attachments, permissions, and what could not be read."""

    def tell(path: Path, file: Source, chosen: argparse.Namespace) -> None:
        said = {
            "file": str(path),
            "format": file.format,
            "pages": file.pages,
            "sizes_mm": [[round(side, 2) for side in file.size(page)] for page in range(file.pages)],
            "facts": dict(file.facts()),
            "outline": len(file.outline()),
            "bookmarks": [entry.title for entry in file.bookmarks()],
            "attachments": [attached.name for attached in file.attachments()],
            "annotations": sum(len(file.annotations(page)) for page in range(file.pages)),
        }
        if isinstance(file, OfdSource):
            said |= _inside(file)
        if chosen.check:
            for page in range(file.pages):
                file.text(page)
        said["notes"] = [{"code": code, "place": place, "words": words} for code, place, words in _notes(file)]
        _out(json.dumps(said, ensure_ascii=False, indent=1))

    parser = _parser("info", info)
    parser.add_argument("--check", action="store_true", help="read every page, so that everything amiss is noted")
    return _each(parser, words, tell)


def text(words: Sequence[str]) -> int:
    """Write the text of the pages, in reading order, a form feed between pages."""

    def tell(path: Path, file: Source, chosen: argparse.Namespace) -> None:
        _out("\n\f".join(file.text(page).text for page in _chosen(chosen.pages, file.pages)))

    return _each(_parser("text", text), words, tell)


def render(words: Sequence[str]) -> int:
    """Write each page as a PNG named after the file and the page."""

    def tell(path: Path, file: Source, chosen: argparse.Namespace) -> None:
        for page in _chosen(chosen.pages, file.pages):
            target = chosen.out / f"{path.stem}-{page + 1}.png"
            if not _picture(file, page, chosen.dpi, chosen.seals).save(str(target)):
                raise OfdError("OFD-011", tr("无法写入“{name}”。", name=target.name), fix=tr("请检查磁盘空间和权限。"))
            _out(str(target))
        for code, place, sentence in _notes(file):
            _tell_error(f"  {sentence} {place} ({code})")

    parser = _parser("render", render)
    parser.add_argument("--dpi", type=_dpi, default=150.0, help="dots per inch, 10 to 1200 (150)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where the pictures go")
    how = "seals that verify, as on paper, or blurred as on the screen, or none (true)"
    parser.add_argument("--seals", choices=("true", "blurred", "none"), default="true", help=how)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtGui import QGuiApplication

    app = QGuiApplication.instance() or QGuiApplication([])
    try:
        return _each(parser, words, tell)
    finally:
        del app


def _dpi(word: str) -> float:
    dpi = float(word)
    if not 10 <= dpi <= 1200:
        raise argparse.ArgumentTypeError("10 to 1200")
    return dpi


def _parser(name: str, command: Callable[[Sequence[str]], int]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"./run ofd {name}", description=command.__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--pages", default="", metavar="1,3-5", help="only these pages")
    parser.add_argument("--document", type=int, default=1, metavar="N", help="which document of the file (1)")
    return parser


def _each(
    parser: argparse.ArgumentParser,
    words: Sequence[str],
    tell: Callable[[Path, Source, argparse.Namespace], None],
) -> int:
    """Do it for every file; one that can't be read keeps none of the others back."""
    chosen = parser.parse_args(words)
    if getattr(chosen, "out", None) is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
    status = GOOD
    for path in chosen.files:
        try:
            source = _open(path, chosen.document - 1)
            try:
                tell(path, source, chosen)
            finally:
                source.close()
        except GovDeskError as error:
            _tell_error(f"{path}: {error.sentence()}")
            status = UNREADABLE
    return status


def _chosen(pages: str, count: int) -> Iterator[int]:
    """The indexes of pages such as ``1,3-5``; all when nothing is said."""
    for part in pages.split(",") if pages else [f"1-{count}"]:
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise OfdError("OFD-012", tr("页码“{words}”不正确。", words=pages), fix=tr("请写成“1,3-5”的形式。"))
        yield from range(max(int(first), 1) - 1, min(int(last or first), count))


def _out(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _tell_error(line: str) -> None:
    sys.stderr.write(line + "\n")
