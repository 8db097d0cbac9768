"""The page 批量盖章: many files, one seal, one place; each file by itself, and what is done stays done."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QCheckBox, QFileDialog, QScrollArea, QSplitter, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.kernel.settings import Settings
from client.widgets.basics import Banner, Button, ConfirmDialog, Label, LineEdit, PrimaryButton, ProgressPane
from client.widgets.flow import flowing
from client.widgets.page.opening import SUFFIXES
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import set_role, theme
from modules.common.errors import GovDeskError
from modules.common.permissions import forbidden
from modules.common.seals.register import USE
from modules.common.text import tr
from modules.fixed_layout.services.sealing import Order, SealingService
from modules.fixed_layout.ui.seal_choice import SealChoice
from modules.fixed_layout.ui.seal_place import PlaceForm
from modules.fixed_layout.ui.sealing_run import Job, SealingRun

WAITING, SEALED, REFUSED = "quiet", "good", "red"
MOST = 2_000


@dataclass
class Row:
    """A file and what became of it."""

    path: Path
    state: str = WAITING
    words: str = ""


class BatchView(QWidget):
    """The page."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._service = SealingService(host)
        self._folder: Path | None = None
        self.run = SealingRun(host, self._service)
        self.choice = SealChoice(host, self._service)
        self.form = PlaceForm()
        self.form.put(-1, 151.0, 237.0)
        self.lock = QCheckBox(tr("锁定：之后不能再加盖"))
        self.reason = LineEdit(tr("用印事由"))
        self.reason.setPlaceholderText(tr("用印事由（必填，记入登记）"))
        self.approved = LineEdit(tr("批准人"))
        self.approved.setPlaceholderText(tr("批准人（可不填）"))
        self.add = Button(tr("添加文件…"), icon="plus")
        self.remove = Button(tr("移出"), icon="x")
        self.clear = Button(tr("清空"), icon="trash-2")
        self.where = Button(tr("存到…"), icon="folder")
        self.into = Label("", "small", wrap=True)
        self.banner = Banner()
        self.progress = ProgressPane()
        self.progress.hide()
        self.go = PrimaryButton(tr("全部盖章"), icon="stamp")
        self.table = RecordTable(
            (
                Column("name", tr("文件"), lambda row: row.path.name, 14),
                Column("state", tr("结果"), _words, 20, state=lambda row: row.state, stretch=True),
            ),
            title=tr("要盖章的文件"), name="fixed_layout.batch", key=lambda row: str(row.path),
            memory=host.service(Settings),
        )  # fmt: skip
        self.rows: list[Row] = []
        self._build()
        self.add.clicked.connect(self._ask_files)
        self.remove.clicked.connect(self._remove)
        self.clear.clicked.connect(self._clear)
        self.where.clicked.connect(self._ask_folder)
        self.table.acted.connect(self._ask_files)
        self.table.opened.connect(self._open)
        self.table.chosen.connect(self._tell)
        self.go.clicked.connect(self.ask)
        self.reason.submitted.connect(self.ask)
        self.choice.changed.connect(self._refresh)
        self.progress.cancelled.connect(self.run.cancel)
        self.run.moved.connect(self.progress.show_progress)
        self.run.made.connect(self._made)
        self.run.failed.connect(self._failed)
        self.run.ended.connect(self._ended)
        self._show()

    def _build(self) -> None:
        set_role(self, "page")
        self.setAccessibleName(tr("批量盖章"))
        self.setAcceptDrops(True)
        asked = QWidget()
        column = QVBoxLayout(asked)
        column.setContentsMargins(*(theme().space(2),) * 4)
        column.setSpacing(theme().space(2))
        parts: list[QWidget] = [self.choice, self.form, self.lock, self.reason, self.approved]
        for part in parts:
            column.addWidget(part)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumWidth(theme().text_width(21))
        area.setWidget(asked)
        files = QWidget()
        column = QVBoxLayout(files)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(2))
        column.addWidget(flowing(self.add, self.remove, self.clear, self.where))
        column.addWidget(self.into)
        column.addWidget(self.table, 1)
        split = QSplitter()
        split.addWidget(files)
        split.addWidget(area)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(2))
        column.addWidget(split, 1)
        column.addWidget(self.banner)
        column.addWidget(self.progress)
        column.addWidget(self.go, 0, Qt.AlignmentFlag.AlignRight)
        self.setFocusProxy(self.add)

    # -- the files ---------------------------------------------------------------------------------

    @Slot()
    def _ask_files(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        dialog = QFileDialog(self, tr("添加文件"), "", f"OFD, PDF ({kinds})")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(lambda names: self.add_files([Path(name) for name in names]))
        dialog.open()

    def add_files(self, paths: list[Path]) -> None:
        """More files, each once."""
        known = {row.path for row in self.rows}
        fresh = [path for path in dict.fromkeys(paths) if path not in known and path.suffix.lower() in SUFFIXES]
        self.rows += [Row(path) for path in fresh[: MOST - len(self.rows)]]
        if len(self.rows) == MOST:
            self.banner.say(tr("一次最多 {n} 个文件。", n=MOST), "due")
        self._show()

    @Slot()
    def _remove(self) -> None:
        row = self.table.current
        if row is not None and not self.run.busy:
            self.rows.remove(row)
            self._show()

    @Slot()
    def _clear(self) -> None:
        if not self.run.busy:
            self.rows.clear()
            self._show()

    @Slot()
    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, tr("存到哪个文件夹"))
        if name:
            self._folder = Path(name)
            self._show()

    def _open(self, row: Row) -> None:
        self._host.open_page("fixed_layout.reader", path=str(row.path))

    def _tell(self, row: Row | None) -> None:
        """The whole of why a file was not sealed."""
        if row is not None and row.state == REFUSED:
            self.banner.say(f"{row.path.name}：{row.words}", "red")

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.add_files([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])
        event.acceptProposedAction()

    def _show(self) -> None:
        self.table.show_rows(
            self.rows, empty=tr("还没有文件。点“添加文件”，或把 OFD、PDF 拖到这里。"), action=tr("添加文件…")
        )
        folder = str(self._folder) if self._folder else tr("各自原文件旁边")
        self.into.setText(tr("盖好的文件存到：{folder}。原文件不动。", folder=folder))
        self._refresh()

    @Slot()
    def _refresh(self) -> None:
        busy = self.run.busy
        self.go.setEnabled(self.choice.usable and any(row.state != SEALED for row in self.rows) and not busy)
        for button in (self.add, self.remove, self.clear, self.where):
            button.setEnabled(not busy)
        self.remove.setEnabled(bool(self.rows) and not busy)
        self.clear.setEnabled(bool(self.rows) and not busy)
        if not self._service.may_seal:
            self.banner.say(forbidden(USE).message, "red", code="AUTH-403")

    # -- sealing -----------------------------------------------------------------------------------

    @Slot()
    def ask(self) -> None:
        """Say what will happen, and seal those that are not sealed yet once that is meant."""
        held = self.choice.held
        if held is None or not self.go.isEnabled():
            return
        reason = self.reason.text().strip()
        fault = "" if reason else tr("请填写用印事由，它会记入用印登记。")
        try:
            order = Order(self.form.place(), reason, self.lock.isChecked(), self.approved.text().strip())
        except ValueError as error:
            fault = fault or str(error)
        if fault:
            self.banner.say(fault, "red")
            (self.form if reason else self.reason).setFocus()
            return
        self.banner.clear()
        waiting = [row for row in self.rows if row.state != SEALED]
        told = tr(
            "给 {n} 个文件盖“{seal}”，每个存成新文件，并逐个记入用印登记。中途可以停止，已盖好的保留。",
            n=len(waiting), seal=held.seal.name,
        )  # fmt: skip
        if order.lock:
            told += tr("盖后锁定，任何人不能再加盖。")
        ask = ConfirmDialog(tr("全部盖章"), told, keep=tr("取消"), parent=self.window())
        ask.accepted.connect(lambda: self.begin(order))
        ask.open()

    def begin(self, order: Order) -> None:
        """Do what was confirmed."""
        held = self.choice.held
        if held is None:
            return
        waiting = [row for row in self.rows if row.state != SEALED]
        for row in waiting:
            row.state, row.words = WAITING, ""
        self.progress.show_progress(0, tr("正在准备"))
        self.progress.show()
        self.run.start(held, order, [Job(row.path, folder=self._folder) for row in waiting])
        self._show()

    def _made(self, path: Path, target: Path) -> None:
        self._became(path, SEALED, tr("已盖章：{name}", name=target.name))

    def _failed(self, path: Path, error: BaseException) -> None:
        if isinstance(error, GovDeskError):
            self._became(path, REFUSED, f"{error.words()} {error.code}")
        else:  # the others go on; a fault of ours is told like any other
            self._became(path, REFUSED, tr("没有盖成，程序出错。"))
            raise error

    def _became(self, path: Path, state: str, words: str) -> None:
        for row in self.rows:
            if row.path == path:
                row.state, row.words = state, words
        self._show()

    @Slot()
    def _ended(self) -> None:
        self.progress.hide()
        done = sum(row.state == SEALED for row in self.rows)
        bad = sum(row.state == REFUSED for row in self.rows)
        left = len(self.rows) - done - bad
        said = [tr("已盖章 {n} 个", n=done), tr("没有盖成 {n} 个", n=bad) if bad else "",
                tr("还没有盖 {n} 个", n=left) if left else ""]  # fmt: skip
        self.banner.say("，".join(filter(None, said)) + "。", "good" if not bad and not left else "due")
        self._show()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.run.cancel()
        self.choice.leave()
        super().closeEvent(event)


def _words(row: Row) -> str:
    return row.words or tr("待盖章")
