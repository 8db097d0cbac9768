from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtPrintSupport import QPrinter

from client.tasks.lanes import InlineLanes
from client.widgets.basics import Banner
from client.widgets.printing import PdfPreview, PdfPrinter, page_count, render_page, send
from client.widgets.theme import Theme
from modules.common.errors import GovDeskError
from tests.support.a11y import Walk

A4, A5_WIDE = (595, 842), (595, 420)


def pdf_of(*sizes: tuple[int, int]) -> bytes:
    """A PDF whose pages have a black square of one inch in the lower left corner."""
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out)
    for size in sizes:
        canvas.setPageSize(size)
        canvas.rect(0, 0, 72, 72, fill=1)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def square(image: QImage) -> int:
    """The side of the black square in the lower left corner."""
    y = image.height() - 5
    return next(x for x in range(3, image.width()) if image.pixelColor(x, y).lightness() > 128)


def test_a_page_is_rendered_at_the_dots_asked_for() -> None:
    image = render_page(pdf_of(A4), 144)
    assert (image.width(), image.height()) == (1190, 1684)
    assert square(image) == pytest.approx(144, abs=2)
    assert image.pixelColor(600, 100) == QColor("white")
    assert page_count(pdf_of(A4, A4)) == 2


def test_what_is_no_pdf_is_said() -> None:
    for call in (page_count, lambda pdf: render_page(pdf, 96)):
        with pytest.raises(GovDeskError) as told:
            call(b"no pdf")
        assert told.value.code == "PRT-003"


def test_without_a_printer_it_goes_into_the_folder(tmp_path: Path) -> None:
    printer = PdfPrinter(lambda: "", tmp_path / "print")
    pdf = pdf_of(A4)
    sentence = printer.print_pdf(pdf, "回执 3411A/0001")
    target = tmp_path / "print" / "回执 3411A_0001.pdf"
    assert str(target) in sentence
    assert target.read_bytes() == pdf
    printer.print_pdf(pdf, "回执 3411A/0001")
    names = sorted(path.name for path in (tmp_path / "print").iterdir())
    assert names == ["回执 3411A_0001 (2).pdf", "回执 3411A_0001.pdf"]


@pytest.mark.parametrize("title", ["../../../etc/passwd", "", "...", 'a<b>:"c"'])
def test_no_title_leaves_the_folder(tmp_path: Path, title: str) -> None:
    PdfPrinter(lambda: "", tmp_path / "print").print_pdf(b"%PDF", title)
    assert len(list((tmp_path / "print").iterdir())) == 1


def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "print").write_text("in the way")
    with pytest.raises(GovDeskError) as told:
        PdfPrinter(lambda: "", tmp_path / "print").print_pdf(b"%PDF", "回执")
    assert told.value.code == "PRT-001"


def test_a_full_disk_leaves_no_half_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("client.widgets.printing.os.fsync", full)
    with pytest.raises(GovDeskError, match="PRT-001"):
        PdfPrinter(lambda: "", tmp_path).print_pdf(b"%PDF", "回执")
    assert list(tmp_path.iterdir()) == []


def test_a_printer_that_is_gone_is_said_by_name(qapp: Any, tmp_path: Path) -> None:
    with pytest.raises(GovDeskError, match="HP 窗口") as told:
        PdfPrinter(lambda: "HP 窗口", tmp_path).print_pdf(pdf_of(A4), "回执")
    assert told.value.code == "PRT-002"
    assert list(tmp_path.iterdir()) == []


def test_pages_reach_the_printer_each_at_its_size(qapp: Any, tmp_path: Path) -> None:
    printer = QPrinter(QPrinter.PrinterMode.HighResolution)
    printer.setOutputFormat(QPrinter.OutputFormat.PdfFormat)
    printer.setOutputFileName(str(tmp_path / "out.pdf"))
    send(pdf_of(A4, A5_WIDE), printer)
    paper = (tmp_path / "out.pdf").read_bytes()
    assert page_count(paper) == 2
    for page, (width, height) in enumerate((A4, A5_WIDE)):
        image = render_page(paper, 72, page)
        assert (image.width(), image.height()) == (pytest.approx(width, abs=2), pytest.approx(height, abs=2))
        assert square(image) == pytest.approx(72, abs=2)


@pytest.mark.qt_log_ignore("Returned false")
def test_a_printer_that_takes_nothing_is_said(qapp: Any, tmp_path: Path) -> None:
    printer = QPrinter()
    printer.setOutputFormat(QPrinter.OutputFormat.PdfFormat)
    printer.setOutputFileName(str(tmp_path / "nowhere" / "out.pdf"))
    with pytest.raises(GovDeskError, match="PRT-002"):
        send(pdf_of(A4), printer)


def test_the_preview_shows_all_pages_and_zooms_by_keyboard(theme: Theme, qtbot: Any) -> None:
    preview = PdfPreview(InlineLanes(), "回执预览")
    qtbot.addWidget(preview)
    preview.resize(preview.sizeHint())
    preview.show()
    preview.show_pdf(pdf_of(A4, A4))
    assert [page.width() for page in preview.pages()] == [794, 794]
    control = Qt.KeyboardModifier.ControlModifier
    for key, zoom in ((Qt.Key.Key_Plus, 1.25), (Qt.Key.Key_Minus, 1.0), (Qt.Key.Key_Minus, 0.75), (Qt.Key.Key_0, 1.0)):
        qtbot.keyClick(preview, key, control)
        assert preview.zoom == zoom
        assert preview.pages()[0].width() == pytest.approx(794 * zoom, abs=1)
    for _ in range(9):
        preview.larger.click()
    assert preview.zoom == 2.0
    theme.apply("light", 1.5)
    assert preview.pages()[0].width() == pytest.approx(794 * 3, abs=2)
    walk = Walk(preview)
    qtbot.waitUntil(lambda: walk.clipped() == [])
    assert walk.nameless() == []
    assert preview.area in walk.focusable()


def test_the_preview_says_what_is_no_pdf(qtbot: Any) -> None:
    preview = PdfPreview(InlineLanes(), "回执预览")
    qtbot.addWidget(preview)
    preview.show_pdf(b"no pdf")
    assert "PDF" in preview.findChild(Banner).text()
    preview.show_pdf(pdf_of(A4))
    assert preview.findChild(Banner).text() == ""
