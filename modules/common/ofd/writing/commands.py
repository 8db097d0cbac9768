"""``./run ofd attach|watermark|split|merge|unseal``: changes to OFD files, each into a new file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from modules.common.errors import GovDeskError
from modules.common.ofd.document import Document
from modules.common.ofd.report import OfdError, Report
from modules.common.ofd.writing import Store, edits, font_from, remarks
from modules.common.text import RESOURCES, tr

GOOD, UNREADABLE = 0, 2


def attach(words: Sequence[str]) -> int:
    """Put files into an OFD as attachments."""
    parser = _parser("attach", attach)
    parser.add_argument("attachments", type=Path, nargs="+", metavar="ATTACHMENT")

    def made(chosen: argparse.Namespace) -> bytes:
        return edits.attach(_read(chosen.file), [(each.name, _read(each)) for each in chosen.attachments])

    return _do(parser, words, made)


def watermark(words: Sequence[str]) -> int:
    """Lay words over every page, as annotations that readers can hide."""
    parser = _parser("watermark", watermark)
    parser.add_argument("--text", required=True, metavar="WORDS")
    parser.add_argument("--size", type=float, default=8.0, help="millimetres (8)")
    parser.add_argument("--turn", type=float, default=-30.0, help="degrees (-30)")

    def made(chosen: argparse.Namespace) -> bytes:
        data = _read(chosen.file)
        document = Document.open(data)
        if not chosen.text.strip() or not 1 <= chosen.size <= 200:
            raise OfdError("OFD-029", tr("水印文字为空或大小不合适，没有改动。"), fix=tr("字的大小为 1 至 200 毫米。"))
        file = RESOURCES / "fonts/NotoSerifSC-Regular.ttf"
        font = font_from(Store(), file.read_bytes() if file.exists() else b"", "Noto Serif SC", serif=True)
        laid = [
            (n, remarks.watermark(chosen.text, document.page_box(n), chosen.size, chosen.turn, font))
            for n in range(len(document.pages))
        ]
        return edits.annotate(data, laid, "GovDesk", datetime.now(UTC).astimezone().date())

    return _do(parser, words, made)


def split(words: Sequence[str]) -> int:
    """Take some pages out into a file of their own, in the order given."""
    parser = _parser("split", split)
    parser.add_argument("--pages", required=True, metavar="3,1-2", help="which, in the order wanted")

    def made(chosen: argparse.Namespace) -> bytes:
        data = _read(chosen.file)
        return edits.pick(data, _pages(chosen.pages, len(Document.open(data).pages)))

    return _do(parser, words, made)


def merge(words: Sequence[str]) -> int:
    """Join the pages of several OFD files into one."""
    parser = _parser("merge", merge)
    parser.add_argument("others", type=Path, nargs="+", metavar="FILE")
    report = Report()

    def made(chosen: argparse.Namespace) -> bytes:
        return edits.merge([_read(each) for each in (chosen.file, *chosen.others)], report)

    status = _do(parser, words, made)
    for note in report.notes:
        sys.stderr.write(f"  {note.sentence()} {note.place} ({note.code})\n")
    return status


def unseal(words: Sequence[str]) -> int:
    """Write a copy without seals and signatures, which can be changed."""
    return _do(_parser("unseal", unseal), words, lambda chosen: edits.without_seals(_read(chosen.file)))


def _parser(name: str, command: Callable[[Sequence[str]], int]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"./run ofd {name}", description=command.__doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the new file")
    return parser


def _do(parser: argparse.ArgumentParser, words: Sequence[str], made: Callable[[argparse.Namespace], bytes]) -> int:
    chosen = parser.parse_args(words)
    try:
        if chosen.out.exists():
            raise OfdError(
                "OFD-030", tr("“{name}”已存在，没有写入。", name=chosen.out.name), fix=tr("请换一个文件名。")
            )
        data = made(chosen)
        try:
            chosen.out.write_bytes(data)
        except OSError as error:
            fix = tr("请检查磁盘空间和权限。")
            raise OfdError("OFD-031", tr("无法写入“{name}”。", name=chosen.out.name), fix=fix) from error
    except GovDeskError as error:
        sys.stderr.write(f"{chosen.file}: {error.sentence()}\n")
        return UNREADABLE
    sys.stdout.write(f"{chosen.out}\n")
    return GOOD


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fix = tr("请检查文件是否存在、是否有权读取。")
        raise OfdError("OFD-032", tr("无法读取文件“{name}”。", name=path.name), fix=fix) from error


def _pages(words: str, count: int) -> list[int]:
    found: list[int] = []
    for part in words.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise OfdError("OFD-033", tr("页码“{words}”不正确。", words=words), fix=tr("请写成“1,3-5”的形式。"))
        found += [each - 1 for each in range(int(first), min(int(last or first), count + 1) + 1)]
    return found
