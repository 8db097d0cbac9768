"""``./run ofd info|text|render``: what is in OFD and PDF files, their text, and their pages as PNG."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from modules.common.errors import GovDeskError
from modules.common.ofd.report import OfdError
from modules.common.text import tr

GOOD, UNREADABLE = 0, 2
"""Exit statuses."""
_POINTS = 72.0


class _File(Protocol):
    """A file that these commands can tell of."""

    pages: int

    def info(self) -> dict[str, Any]: ...
    def text(self, page: int) -> str: ...
    def save(self, page: int, dpi: float, path: Path) -> bool: ...
    def notes(self) -> list[tuple[str, str, str]]: ...


class _Ofd:
    def __init__(self, data: bytes, body: int) -> None:
        from client.widgets.page.cache import PaintCache
        from modules.common.ofd.document import Document

        self._document = Document.open(data, body=body)
        self._cache = PaintCache(self._document.report)
        self.pages = len(self._document.pages)

    def info(self) -> dict[str, Any]:
        document, extras = self._document, self._document.extras
        body = document.body
        return {
            "format": "OFD",
            "documents": len(document.bodies),
            "pages": self.pages,
            "sizes_mm": [[round(side, 2) for side in document.page_box(n)[2:]] for n in range(self.pages)],
            "info": body.info,
            "custom": body.custom,
            "keywords": list(body.keywords),
            "versions": [{"id": each.id, "index": each.index, "current": each.current} for each in body.versions],
            "signatures": body.signatures,
            "outline": len(extras.outline),
            "bookmarks": list(extras.bookmarks),
            "attachments": [
                {"id": each.id, "name": each.name, "format": each.format, "path": each.path}
                for each in extras.attachments
            ],
            "tags": [tag.name for tag in extras.tags],
            "annotations": sum(len(document.annotations.of_page(n)) for n in range(self.pages)),
            "permissions": {name: getattr(extras.permissions, name) for name in extras.permissions.__slots__},
        }

    def text(self, page: int) -> str:
        return self._document.text(page).text

    def save(self, page: int, dpi: float, path: Path) -> bool:
        from client.widgets.page.painter import paint

        return paint(self._document.display(page), dpi, cache=self._cache).save(str(path))

    def notes(self) -> list[tuple[str, str, str]]:
        return [(note.code, note.place, note.sentence()) for note in self._document.report.notes]


class _Pdf:
    def __init__(self, data: bytes) -> None:
        import pypdfium2

        try:
            self._document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise OfdError("OFD-009", tr("PDF 文件已损坏或已加密，无法打开。"), fix=tr("请重新获取此文件。")) from error
        self.pages = len(self._document)

    def info(self) -> dict[str, Any]:
        sizes = (self._document.get_page_size(n) for n in range(self.pages))
        return {
            "format": "PDF",
            "pages": self.pages,
            "sizes_mm": [[round(side * 25.4 / _POINTS, 2) for side in size] for size in sizes],
            "info": dict(self._document.get_metadata_dict(skip_empty=True)),
        }

    def text(self, page: int) -> str:
        found = self._document[page].get_textpage().get_text_range()
        return str(found).replace("\r\n", "\n")

    def save(self, page: int, dpi: float, path: Path) -> bool:
        self._document[page].render(scale=dpi / _POINTS).to_pil().save(path)
        return True

    def notes(self) -> list[tuple[str, str, str]]:
        return []


def _open(path: Path, body: int) -> _File:
    try:
        data = path.read_bytes()
    except OSError as error:
        fix = tr("请检查文件是否存在、是否有权读取。")
        raise OfdError("OFD-010", tr("无法读取文件“{name}”。", name=path.name), fix=fix) from error
    return _Pdf(data) if data[:1024].lstrip().startswith(b"%PDF") else _Ofd(data, body)


def info(words: Sequence[str]) -> int:
    """Say what a file holds: documents, pages, sizes, attachments, permissions, and what could not be read."""

    def tell(path: Path, file: _File, chosen: argparse.Namespace) -> None:
        said = {"file": str(path), **file.info()}
        if chosen.check:
            for page in range(file.pages):
                file.text(page)
        said["notes"] = [{"code": code, "place": place, "words": sentence} for code, place, sentence in file.notes()]
        _out(json.dumps(said, ensure_ascii=False, indent=1))

    parser = _parser("info", info)
    parser.add_argument("--check", action="store_true", help="read every page, so that everything amiss is noted")
    return _each(parser, words, tell)


def text(words: Sequence[str]) -> int:
    """Write the text of the pages, in reading order, a form feed between pages."""

    def tell(path: Path, file: _File, chosen: argparse.Namespace) -> None:
        _out("\n\f".join(file.text(page) for page in _chosen(chosen.pages, file.pages)))

    return _each(_parser("text", text), words, tell)


def render(words: Sequence[str]) -> int:
    """Write each page as a PNG named after the file and the page."""

    def tell(path: Path, file: _File, chosen: argparse.Namespace) -> None:
        for page in _chosen(chosen.pages, file.pages):
            target = chosen.out / f"{path.stem}-{page + 1}.png"
            if not file.save(page, chosen.dpi, target):
                raise OfdError("OFD-011", tr("无法写入“{name}”。", name=target.name), fix=tr("请检查磁盘空间和权限。"))
            _out(str(target))
        for code, place, sentence in file.notes():
            _tell_error(f"  {sentence} {place} ({code})")

    parser = _parser("render", render)
    parser.add_argument("--dpi", type=_dpi, default=150.0, help="dots per inch, 10 to 1200 (150)")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where the pictures go")
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
    tell: Callable[[Path, _File, argparse.Namespace], None],
) -> int:
    """Do it for every file; one that can't be read keeps none of the others back."""
    chosen = parser.parse_args(words)
    if getattr(chosen, "out", None) is not None:
        chosen.out.mkdir(parents=True, exist_ok=True)
    status = GOOD
    for path in chosen.files:
        try:
            tell(path, _open(path, chosen.document - 1), chosen)
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
