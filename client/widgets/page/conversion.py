"""``./run ofd convert``: pictures and pages from one format into another."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from modules.common.errors import GovDeskError
from modules.common.ofd.report import OfdError, Report
from modules.common.text import tr

GOOD, UNREADABLE = 0, 2


def convert(words: Sequence[str]) -> int:
    """Write OFD out of PDF and pictures, PDF out of OFD, or PNG out of both."""
    parser = argparse.ArgumentParser(prog="./run ofd convert", description=convert.__doc__)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--to", choices=("ofd", "pdf", "png"), required=True)
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="the folder that the results go to")
    parser.add_argument(
        "--dpi", type=float, default=0.0, help="of pictures that go in (what they say), or come out (150)"
    )
    chosen = parser.parse_args(words)
    if chosen.to == "png":
        from client.widgets.page.commands import render

        return render(
            [*map(str, chosen.files), "--out", str(chosen.out), *(["--dpi", str(chosen.dpi)] * (chosen.dpi > 0))]
        )
    status = GOOD
    chosen.out.mkdir(parents=True, exist_ok=True)
    for path in chosen.files:
        try:
            _one(path, chosen.to, chosen.out / f"{path.stem}.{chosen.to}", chosen.dpi)
        except GovDeskError as error:
            sys.stderr.write(f"{path}: {error.sentence()}\n")
            status = UNREADABLE
    return status


def _one(source: Path, to: str, target: Path, dpi: float) -> None:
    if target.exists() and target.samefile(source):
        raise OfdError("OFD-022", tr("结果与原文件同名，没有写入。"), fix=tr("请用“--out”指定别的文件夹。"))
    try:
        data = source.read_bytes()
    except OSError as error:
        fix = tr("请检查文件是否存在、是否有权读取。")
        raise OfdError("OFD-023", tr("无法读取文件“{name}”。", name=source.name), fix=fix) from error
    report = Report()
    made = _pdf(data, report) if to == "pdf" else _ofd(data, dpi, report)
    try:
        target.write_bytes(made)
    except OSError as error:
        fix = tr("请检查磁盘空间和权限。")
        raise OfdError("OFD-024", tr("无法写入“{name}”。", name=target.name), fix=fix) from error
    sys.stdout.write(f"{target}\n")
    for note in report.notes:
        sys.stderr.write(f"  {note.sentence()} {note.place} ({note.code})\n")


def _ofd(data: bytes, dpi: float, report: Report) -> bytes:
    from modules.common.ofd.writing import Store, Volume, write
    from modules.common.ofd.writing.images import leaves_of

    if b"%PDF-" in data[:1024]:
        from client.widgets.page.exchange.from_pdf import volume_of

        return write(volume_of(data, report), report)
    return write(Volume(leaves_of(data, Store(), dpi=dpi)), report)


def _pdf(data: bytes, report: Report) -> bytes:
    from client.widgets.page.exchange.to_pdf import pdf_of
    from modules.common.ofd.document import Document

    return pdf_of(Document.open(data), report)
