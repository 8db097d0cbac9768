"""The dialog before printing, the preview, and the way to the system's printers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QPainter
from PySide6.QtPrintSupport import QPrintDialog, QPrinter
from PySide6.QtWidgets import QCheckBox, QDialog, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.widgets.basics import Banner, Button, ComboBox, Label, LineEdit, PrimaryButton, ProgressPane
from client.widgets.dialogs import GrowingDialog
from client.widgets.page.paper import PER_SHEET, Job, parse_pages, preview_pdf, put_on
from client.widgets.page.pdf import PdfSource
from client.widgets.page.source import Source
from client.widgets.page.view import PageView, Position
from client.widgets.pages import PageWork
from client.widgets.theme import set_role, theme
from modules.common.errors import GovDeskError
from modules.common.text import tr
from modules.fixed_layout.services import ReaderService


class PrintPane(GrowingDialog):
    """Asks what to print and shows how it comes out. The system's own dialog asks for printer, copies and duplex."""

    def __init__(
        self,
        host: Host,
        service: ReaderService,
        source: Source,
        title: str,
        page: int,
        over: Callable[[QPainter, int], None],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._host = host
        self._work = PageWork(host)
        self._service = service
        self._source = source
        self._title = title
        self._over = over
        self._shown: PdfSource | None = None
        self._running: Token | None = None
        self.setWindowTitle(tr("打印"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self.pages = LineEdit(tr("页码范围"))
        self.pages.setPlaceholderText(tr("全部，或如 1-3,5"))
        self.which = ComboBox(tr("打印哪些页"))
        self.which.addItems([tr("全部"), tr("当前页（第 {n} 页）", n=page + 1), tr("页码范围")])
        self.pages.setEnabled(False)
        self._page = page
        self.per_sheet = ComboBox(tr("每张纸上的页数"))
        for each in PER_SHEET:
            self.per_sheet.addItem(tr("1 页（原大）") if each == 1 else tr("{n} 页（缩小）", n=each), each)
        self.marks = QCheckBox(tr("连同签批和意见"))
        self.marks.setChecked(True)
        may = service.may_see_true_seals
        seals = (
            tr("印章按真样打印，预览里也是真样。屏幕上其他地方都是模糊的。")
            if may
            else tr("您没有“打印真印章”的权限，印章打印出来是模糊的。")
        )
        self.banner = Banner()
        self.progress = ProgressPane()
        self.progress.cancelled.connect(self._stop)
        self.progress.hide()
        self.view = PageView(host)
        self.view.setAccessibleName(tr("打印预览"))
        self.view.tiles.arrived.connect(self._ended)
        self.view.setMinimumSize(theme().text_width(30), theme().text_width(26))
        self.preview = Button(tr("预览"))
        self.go = PrimaryButton(tr("打印…"), icon="printer")
        self.keep = Button(tr("取消"))
        form = QFormLayout()
        form.addRow(tr("打印哪些页"), self.which)
        form.addRow(tr("页码范围"), self.pages)
        form.addRow(tr("每张纸上的页数"), self.per_sheet)
        buttons = QHBoxLayout()
        buttons.addWidget(self.preview)
        buttons.addStretch(1)
        buttons.addWidget(self.keep)
        buttons.addWidget(self.go)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(form)
        column.addWidget(self.marks)
        column.addWidget(Label(seals, "small", wrap=True))
        column.addWidget(self.banner)
        column.addWidget(self.view, 1)
        column.addWidget(self.progress)
        column.addLayout(buttons)
        self.which.currentIndexChanged.connect(self._chose)
        self.preview.clicked.connect(self.show_preview)
        self.go.clicked.connect(self._print)
        self.keep.clicked.connect(self.reject)
        self.finished.connect(self._closed)
        if not source.may("print"):
            self.banner.say(tr("这份文件的作者不允许打印。"), "red")
            self.go.setEnabled(False)
            self.preview.setEnabled(False)

    @Slot(int)
    def _chose(self, which: int) -> None:
        self.pages.setEnabled(which == 2)

    def job(self) -> Job | None:
        """What was asked for; None, and said so, when the range is none."""
        which = self.which.currentIndex()
        try:
            if which == 1:
                pages: tuple[int, ...] = (self._page,)
            else:
                pages = parse_pages(self.pages.text() if which == 2 else "", self._source.pages)
        except ValueError:
            self.banner.say(
                tr("页码范围要写成 1-3,5 这样，在 1 到 {n} 之间。", n=self._source.pages), "red", code="VIEW-021"
            )
            self.pages.setFocus()
            return None
        self.banner.clear()
        return Job(
            self._source,
            pages,
            int(self.per_sheet.currentData()),
            self._service.may_see_true_seals,
            self._service.watermark(),
            self._over if self.marks.isChecked() else None,
        )

    @Slot()
    def show_preview(self) -> None:
        """Show how it comes out."""
        job = self.job()
        if job is not None:
            self._run(partial(preview_pdf, job), self._previewed)

    def _previewed(self, pdf: bytes) -> None:
        self._running = None
        self._close_source()
        self._shown = PdfSource(pdf)
        self.view.open(self._shown, Position(fit="page"))

    @Slot()
    def _print(self) -> None:
        job = self.job()
        if job is None:
            return
        printer = QPrinter(QPrinter.PrinterMode.HighResolution)
        printer.setDocName(self._title)
        dialog = QPrintDialog(printer, self)
        dialog.setOption(QPrintDialog.PrintDialogOption.PrintPageRange, False)
        dialog.accepted.connect(partial(self.print_on, printer, job))
        QDialog.open(dialog)

    def print_on(self, printer: QPrinter, job: Job) -> None:
        """Print, in the background; copies and duplex are the printer's."""

        def work(token: Token) -> int:
            if job.true_seals:
                self._service.check_true_seals()
            return put_on(printer, job, printer.resolution(), token)

        self._run(work, self._printed)

    def _printed(self, sheets: int) -> None:
        self._ended()
        self.banner.say(tr("已送往打印机，{n} 张。", n=sheets), "good")

    def _run(self, work: Callable[[Token], object], done: Callable[..., None]) -> None:
        self.go.setEnabled(False)
        self.progress.show_progress(0, tr("正在准备"))
        self.progress.show()
        self._running = self._work.run("cpu", work, done=done, failed=self._failed, name=tr("打印"))
        if self._running is not None:
            self._running.watch(self.progress.show_progress)

    def _failed(self, error: BaseException) -> None:
        self._ended()
        if not isinstance(error, GovDeskError):
            raise error
        self.banner.say(error.words(), "red", code=error.code)

    @Slot()
    def _ended(self) -> None:
        self._running = None
        self.progress.hide()
        self.go.setEnabled(True)

    @Slot()
    def _stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
        self._ended()

    @Slot()
    def _closed(self) -> None:
        self._stop()
        self._close_source()
        self._work.close()

    def _close_source(self) -> None:
        self.view.open(None)
        if self._shown is not None:
            shown, self._shown = self._shown, None
            self._host.run("page", lambda token: shown.close(), name=tr("打印"))
