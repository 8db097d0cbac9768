"""文书: the papers that a case has reason for – seen, printed, printed again with a reason, saved in four formats."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QButtonGroup, QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.widgets.basics import Banner, Button, EmptyState, Label
from client.widgets.flow import flowing
from client.widgets.printing import PdfPreview
from client.widgets.theme import theme
from modules.acceptance.services.case_desk import printed
from modules.acceptance.services.papers import FORMATS, available, title_of
from modules.acceptance.ui.work import when
from modules.common.aggregate import Doc
from modules.common.clock import parse_iso
from modules.common.errors import GovDeskError
from modules.common.text import tr


def filters() -> dict[str, str]:
    """The formats of a file dialog: its words to the format."""
    words = {
        "pdf": tr("PDF 文件 (*.pdf)"),
        "docx": tr("Word 文档 (*.docx)"),
        "xlsx": tr("Excel 工作簿 (*.xlsx)"),
        "html": tr("网页 (*.html)"),
    }
    return {words[format]: format for format in FORMATS}


def write(path: Path, data: bytes) -> None:
    """Save a paper. Raises ``GovDeskError`` ACC-371."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise GovDeskError(
            "ACC-371", tr("文书未能保存到 {path}。", path=path), fix=tr("请检查磁盘空间和权限，或另选位置。")
        ) from error


class PapersTab(QWidget):
    """One paper at a time. ``preview_wanted`` asks for its PDF, ``save_wanted`` brings where to and in which format."""

    preview_wanted = Signal()
    save_wanted = Signal(Path, str)

    def __init__(self, host: Host, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._case: Doc | None = None
        self._kinds: tuple[str, ...] = ()
        self._seen: tuple[object, ...] = ()
        self.kind = ""
        self.chips: dict[str, Button] = {}
        self._group = QButtonGroup(self)
        self._row: QWidget | None = None
        self.printed = Label("", "quiet", wrap=True)
        self.save = Button(tr("另存为…"), icon="download")
        self.preview = PdfPreview(host, tr("文书预览"))
        self.empty = EmptyState("file-text", tr("此件还没有文书。"))
        self.banner = Banner()
        line = QHBoxLayout()
        line.addWidget(self.printed, 1)
        line.addWidget(self.save)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, theme().space(3), 0, 0)
        self._column.setSpacing(theme().space(2))
        self._column.addLayout(line)
        self._column.addWidget(self.banner)
        self._column.addWidget(self.preview, 1)
        self._column.addWidget(self.empty, 1)
        self.save.clicked.connect(self._save)

    def show_case(self, case: Doc, now: datetime) -> None:
        """Show which papers there are; the one that was looked at stays while it is the same case."""
        other = self._case is None or self._case["id"] != case["id"]
        self._case = case
        kinds = available(case)
        if other or kinds != self._kinds:
            self._kinds = kinds
            if other or self.kind not in kinds:
                self.kind = kinds[-1] if kinds else ""
            self._show_chips()
        if other:
            self.banner.clear()
        for widget in (self.save, self.preview, self.printed):
            widget.setVisible(bool(kinds))
        self.empty.setVisible(not kinds)
        self._say_printed(now)

    def want_preview(self) -> None:
        """Ask for the paper's picture, unless it is the one that is shown."""
        if self._case is None or not self.kind:
            return
        seen = (self._case["id"], self.kind, self._case["number"], len(printed(self._case, self.kind)))
        if seen != self._seen:
            self._seen = seen
            self.preview_wanted.emit()

    def forget(self) -> None:
        """The paper that is shown is no longer the right one."""
        self._seen = ()

    def _show_chips(self) -> None:
        for chip in self.chips.values():
            self._group.removeButton(chip)
        if self._row is not None:
            self._column.removeWidget(self._row)
            self._row.hide()
            self._row.deleteLater()
        self.chips = {}
        for kind in self._kinds:
            chip = Button(title_of(kind))
            chip.setCheckable(True)
            chip.setChecked(kind == self.kind)
            chip.clicked.connect(self._choose)
            self._group.addButton(chip)
            self.chips[kind] = chip
        self._row = flowing(*self.chips.values())
        self._row.setVisible(bool(self._kinds))
        self._column.insertWidget(0, self._row)

    def _say_printed(self, now: datetime) -> None:
        prints = printed(self._case, self.kind) if self._case else []
        if not prints:
            self.printed.setText(tr("尚未打印") if self.kind else "")
            return
        last = prints[-1]
        words = tr(
            "已打印 {n} 次，最近 {at}，{name}",
            n=len(prints),
            at=when(parse_iso(last["at"]), now),
            name=last["by"]["name"],
        )
        reason = last.get("reason", "")
        self.printed.setText(tr("{words}（{reason}）", words=words, reason=reason) if reason else words)

    @Slot()
    def _choose(self) -> None:
        self.kind = next(kind for kind, chip in self.chips.items() if chip.isChecked())
        self.forget()
        self.preview.setAccessibleName(title_of(self.kind))
        self.want_preview()

    @Slot()
    def _save(self) -> None:
        if self._case is None or not self.kind:
            return
        known = filters()
        name = " ".join(filter(None, (title_of(self.kind), self._case["number"], self._case["applicant"]["name"])))
        chosen, how = QFileDialog.getSaveFileName(self, tr("保存文书"), f"{name}.pdf", ";;".join(known))
        if not chosen:
            return
        path = Path(chosen)
        format = path.suffix.lower().removeprefix(".")
        if format not in FORMATS:
            format = known.get(how, FORMATS[0])
            path = path.with_name(f"{path.name}.{format}")
        self.save_wanted.emit(path, format)
