"""Finished PDF on paper, in the print folder, or on the screen."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRectF, QSize, QSizeF, Qt, Signal, Slot
from PySide6.QtGui import QHideEvent, QImage, QKeyEvent, QPageLayout, QPageSize, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from client.kernel.contract import Lanes, Token
from client.widgets.basics import Banner, Button, Label
from client.widgets.page.pdfium import LOCK
from client.widgets.theme import set_role, theme
from modules.common.errors import GovDeskError
from modules.common.text import tr

if TYPE_CHECKING:
    from PySide6.QtPrintSupport import QPrinter  # loaded when something is printed

DPI = 300
"""Dots per inch on paper."""
_POINTS = 72
_SCREEN = 96
_A4 = 595
"""Width of A4 in points."""
_SMALLEST = 0.3
_ZOOMS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)


def page_count(pdf: bytes) -> int:
    """How many pages a PDF has. Raises ``GovDeskError`` PRT-003 when it is none."""
    with LOCK, _document(pdf) as document:
        return len(document)


def render_page(pdf: bytes, dpi: float, page: int = 0) -> QImage:
    """One page as an image of ``dpi`` dots per inch; on any thread. Raises ``GovDeskError`` PRT-003."""
    with LOCK, _document(pdf) as document:
        return _render(document, dpi, page)


def printers() -> list[str]:
    """The names of the printers of this computer; may take seconds, so on lane ``cpu``."""
    from PySide6.QtPrintSupport import QPrinterInfo

    return list(QPrinterInfo.availablePrinterNames())


def _document(pdf: bytes) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(pdf)
    except pypdfium2.PdfiumError as error:
        raise GovDeskError("PRT-003", tr("文件不是完好的 PDF,无法显示和打印。"), fix=tr("请重新生成。")) from error


def _render(document: Any, dpi: float, page: int) -> QImage:
    bitmap = document[page].render(scale=dpi / _POINTS, prefer_bgrx=True)
    image = QImage(bytes(bitmap.buffer), bitmap.width, bitmap.height, bitmap.stride, QImage.Format.Format_RGB32)
    return image.copy()  # the bytes above are not Qt's to keep


class PdfPrinter:
    """``client.kernel.ports.Printer``: to the printer that ``chosen()`` names, else into ``folder``."""

    def __init__(self, chosen: Callable[[], str], folder: Path) -> None:
        self._chosen = chosen
        self._folder = folder

    def print_pdf(self, pdf: bytes, title: str) -> str:
        """Print, on lane ``cpu``, and say where it went. Raises ``GovDeskError``: PRT-001 the print folder cannot
        be written, PRT-002 the printer does not take it, PRT-003 no PDF."""
        name = self._chosen()
        if not name:
            return tr("未选择打印机，已存为 {path}", path=self._save(pdf, title))
        self._print(pdf, title, name)
        return tr("已送往打印机“{name}”", name=name)

    def drop_older(self, cutoff: datetime) -> None:
        """Delete papers that were put into the print folder before ``cutoff``; one that is open elsewhere stays."""
        for path in self._folder.glob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and path.stat().st_mtime < cutoff.timestamp():
                    path.unlink()

    def _save(self, pdf: bytes, title: str) -> Path:
        stem = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", title).strip(" .")[:80] or "print"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            target, copy = self._folder / f"{stem}.pdf", 1
            while target.exists():
                copy += 1
                target = self._folder / f"{stem} ({copy}).pdf"
            scratch = target.with_suffix(".part")
            try:
                with scratch.open("wb") as file:
                    file.write(pdf)
                    file.flush()
                    os.fsync(file.fileno())
                return scratch.replace(target)
            finally:
                scratch.unlink(missing_ok=True)
        except OSError as error:
            raise GovDeskError(
                "PRT-001",
                tr("打印文件未能存入 {folder}。", folder=self._folder),
                fix=tr("请检查磁盘空间和权限，然后重新打印。"),
            ) from error

    def _print(self, pdf: bytes, title: str, name: str) -> None:
        from PySide6.QtPrintSupport import QPrinter, QPrinterInfo

        info = QPrinterInfo.printerInfo(name)
        if info.isNull():
            raise _refused(tr("找不到打印机“{name}”。", name=name))
        printer = QPrinter(info, QPrinter.PrinterMode.HighResolution)
        printer.setDocName(title)
        send(pdf, printer)


def send(pdf: bytes, printer: QPrinter) -> None:
    """Put all pages on ``printer``, each as large as it is. Raises ``GovDeskError`` PRT-002, PRT-003."""
    printer.setFullPage(True)
    with LOCK, _document(pdf) as document:
        painter = QPainter()
        for number in range(len(document)):
            _set_page(printer, *document[number].get_size())
            if not (printer.newPage() if painter.isActive() else painter.begin(printer)):
                raise _refused(tr("打印机“{name}”没有接受任务。", name=printer.printerName()))
            image = _render(document, DPI, number)
            width, height = (side / DPI * printer.resolution() for side in (image.width(), image.height()))
            painter.drawImage(QRectF(0, 0, width, height), image)
        painter.end()


def _set_page(printer: QPrinter, width: float, height: float) -> None:
    short, long = sorted((width, height))
    printer.setPageSize(QPageSize(QSizeF(short, long), QPageSize.Unit.Point))
    turned = QPageLayout.Orientation.Landscape if width > height else QPageLayout.Orientation.Portrait
    printer.setPageOrientation(turned)


def _refused(message: str) -> GovDeskError:
    return GovDeskError("PRT-002", message, fix=tr("请检查打印机，或在设置中另选一台，然后重新打印。"))


class PdfPreview(QWidget):
    """A PDF to be looked at: scrolls, zooms (Ctrl + and −, Ctrl 0), by keyboard too. ``shown`` when it can be seen."""

    shown = Signal()

    def __init__(self, lanes: Lanes, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lanes = lanes
        self._pdf = b""
        self._zoom = 1.0
        self._token: Token | None = None
        self._banner = Banner()
        self._count = Label(role="quiet")
        self.smaller = Button(tr("缩小"), icon="zoom-out")
        self.larger = Button(tr("放大"), icon="zoom-in")
        self.smaller.clicked.connect(self._smaller)
        self.larger.clicked.connect(self._larger)
        self.area = QScrollArea()
        self.area.setAccessibleName(title)
        self.area.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.area.setWidgetResizable(True)
        self._sheet = QWidget()
        self._pages = QVBoxLayout(self._sheet)
        self._pages.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.area.setWidget(self._sheet)
        tools = QHBoxLayout()
        tools.addWidget(self.smaller)
        tools.addWidget(self.larger)
        tools.addStretch(1)
        tools.addWidget(self._count)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(tools)
        column.addWidget(self._banner)
        column.addWidget(self.area, 1)
        theme().changed.connect(self._again)

    @property
    def zoom(self) -> float:
        """The zoom of the paper, 1.0 for its real size at 100 % of the theme."""
        return self._zoom

    def pages(self) -> list[QImage]:
        """The pages as they are shown."""
        labels = (self._pages.itemAt(number).widget() for number in range(self._pages.count()))
        return [label.pixmap().toImage() for label in labels if isinstance(label, QLabel)]

    def show_pdf(self, pdf: bytes) -> None:
        """Show another PDF from its first page."""
        self._pdf = pdf
        self.area.verticalScrollBar().setValue(0)
        self._again()

    def fit_width(self) -> None:
        """Zoom so that an A4 page is as wide as there is room for, at most its real size; when next it is drawn."""
        room = self.area.viewport().width() - theme().space(8)
        page = _A4 / _POINTS * _SCREEN * theme().zoom
        self._zoom = min(max(room / page, _SMALLEST), 1.0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            if event.key() in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
                self._larger()
                return
            if event.key() == Qt.Key.Key_Minus:
                self._smaller()
                return
            if event.key() == Qt.Key.Key_0:
                self._set_zoom(1.0)
                return
        super().keyPressEvent(event)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self._token:
            self._token.cancel()

    @Slot()
    def _larger(self) -> None:
        self._set_zoom(next((zoom for zoom in _ZOOMS if zoom > self._zoom), _ZOOMS[-1]))

    @Slot()
    def _smaller(self) -> None:
        self._set_zoom(next((zoom for zoom in reversed(_ZOOMS) if zoom < self._zoom), _ZOOMS[0]))

    def _set_zoom(self, zoom: float) -> None:
        self._zoom = zoom
        self._again()

    @Slot()
    def _again(self) -> None:
        if not self._pdf:
            return
        if self._token:
            self._token.cancel()
        pdf, dpi = self._pdf, _SCREEN * self._zoom * theme().zoom * self.devicePixelRatioF()

        def render(token: Token) -> list[QImage]:
            images = []
            for number in range(page_count(pdf)):
                token.check()
                images.append(render_page(pdf, dpi, number))
            return images

        self._token = self._lanes.run("cpu", render, done=self._show, failed=self._fail, name="PdfPreview")

    def _show(self, images: list[QImage]) -> None:
        self._banner.clear()
        while self._pages.count():
            self._pages.takeAt(0).widget().deleteLater()
        self._pages.setSpacing(theme().space(3))
        for number, image in enumerate(images, 1):
            sheet = QLabel()
            image.setDevicePixelRatio(self.devicePixelRatioF())
            sheet.setPixmap(QPixmap.fromImage(image))
            sheet.setAccessibleName(tr("第 {n} 页", n=number))
            set_role(sheet, "paper")
            self._pages.addWidget(sheet)
        self._count.setText(tr("共 {n} 页 · {percent}%", n=len(images), percent=round(self._zoom * 100)))
        self.shown.emit()

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, GovDeskError):
            raise error
        self._banner.say(error.words(), "red", code=error.code)

    def sizeHint(self) -> QSize:
        return QSize(theme().text_width(44), theme().text_width(50))
