"""The page 用印登记: every use of a seal that this person may see, searched, read and exported."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Record
from client.kernel.settings import Settings
from client.widgets.basics import Banner, Button, ComboBox, SearchBox, TextEdit
from client.widgets.pages import PageWork, when
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import set_role, theme
from modules.common.clock import Clock, parse_iso
from modules.common.errors import GovDeskError
from modules.common.seals.register import SEALED, WITHDRAWN
from modules.common.text import tr
from modules.fixed_layout.services.sealing import PAGE, SealingService
from modules.fixed_layout.services.uses import act_words, facts_of, workbook_of

_TYPED_MS = 250


class UsesView(QWidget):
    """The page."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._work = PageWork(host)
        self._service = SealingService(host)
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        set_role(self, "page")
        self.setAccessibleName(tr("用印登记"))
        self.search = SearchBox(tr("找文件、事由、用印人、印章编码"))
        self.act = ComboBox(tr("办理"))
        for words, value in ((tr("盖章和撤章"), ""), (tr("盖章"), SEALED), (tr("撤章"), WITHDRAWN)):
            self.act.addItem(words, value)
        self.export = Button(tr("导出 Excel…"), icon="download")
        self.banner = Banner()
        self.table = RecordTable(
            (
                Column("at", tr("时间"), lambda row: when(parse_iso(row.doc["at"]), self._clock.now()), 9,
                       sort=lambda row: row.doc["at"]),
                Column("by", tr("用印人"), lambda row: str(row.doc["by"]["name"]), 6),
                Column("act", tr("办理"), lambda row: act_words(row.doc), 8,
                       state=lambda row: "due" if row.doc["act"] == WITHDRAWN else "good"),
                Column("seal", tr("印章"), lambda row: str(row.doc["seal_name"]), 12),
                Column("title", tr("文件"), lambda row: str(row.doc["title"]), 16, stretch=True),
                Column("reason", tr("事由"), lambda row: str(row.doc["reason"]), 12),
            ),
            title=tr("用印登记"), name="fixed_layout.uses", key=lambda row: str(row.id),
            memory=host.service(Settings),
        )  # fmt: skip
        self.detail = TextEdit(tr("所选的用印"), lines=7)
        self.detail.setReadOnly(True)
        self.detail.setMaximumHeight(theme().text_width(17))
        self._typed = QTimer(self)
        self._typed.setSingleShot(True)
        self._typed.setInterval(_TYPED_MS)
        head = QHBoxLayout()
        head.setSpacing(theme().space(2))
        head.addWidget(self.search, 3)
        head.addWidget(self.act, 1)
        head.addWidget(self.export)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(head)
        column.addWidget(self.banner)
        column.addWidget(self.table, 1)
        column.addWidget(self.detail)
        self.setFocusProxy(self.search)
        self._typed.timeout.connect(self.reload)
        self.search.searched.connect(lambda text: self._typed.start())
        self.search.submitted.connect(self.reload)
        self.act.currentIndexChanged.connect(self.reload)
        self.export.clicked.connect(self._ask_file)
        self.table.chosen.connect(self._choose)
        self.table.acted.connect(self._acted)
        self.table.search_wanted.connect(lambda: self.search.setFocus(Qt.FocusReason.ShortcutFocusReason))
        self.table.more_wanted.connect(self._more)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._changed)
        if self._service.may_seal:
            self.reload()
        else:
            self.table.show_forbidden()
            self.export.setEnabled(False)

    @property
    def _asked(self) -> tuple[str, str]:
        return self.search.text().strip(), str(self.act.currentData())

    @Slot()
    def reload(self) -> None:
        """Read anew from the newest on."""
        self._typed.stop()
        if self._service.may_seal:
            self._read(None)

    @Slot()
    def _more(self) -> None:
        rows = self.table.rows
        if rows:
            self._read(min(rows, key=lambda row: row.id))

    def _read(self, after: Record | None) -> None:
        asked = self._asked
        self._work.run(
            "read",
            lambda token: self._service.uses(asked[0], after, asked[1]),
            done=partial(self._came, asked, after),
            failed=self._failed,
            name=tr("用印登记"),
        )

    def _came(self, asked: tuple[str, str], after: Record | None, rows: list[Record]) -> None:
        if asked != self._asked:
            return
        more = len(rows) == PAGE
        if after is not None:
            self.table.add_rows(rows, more=more)
        elif any(asked):
            self.table.show_rows(rows, empty=tr("没有找到这样的用印。"), action=tr("清除条件"), more=more)
        else:
            self.table.show_rows(rows, empty=tr("还没有用过印。在“版式文件”里盖章后，这里会有记录。"), more=more)
        self._choose(self.table.current)

    def _failed(self, error: BaseException) -> None:
        if not isinstance(error, GovDeskError):
            raise error
        self.table.show_failed(error.words(), tr("再试一次"))

    @Slot()
    def _acted(self) -> None:
        self.search.clear()
        self.act.setCurrentIndex(0)
        self.reload()

    def _choose(self, row: Record | None) -> None:
        facts = facts_of(row.doc) if row is not None else []
        self.detail.setText("\n".join(tr("{name}：{value}", name=name, value=value) for name, value in facts if value))
        self.detail.setVisible(row is not None)

    def _changed(self, event: RecordsChanged) -> None:
        if any(kind == "seal_use" for kind, _ in event.keys):
            self._typed.start()

    # -- export ------------------------------------------------------------------------------------

    @Slot()
    def _ask_file(self) -> None:
        name = f"{tr('用印登记')}-{self._clock.now().astimezone():%Y%m%d}.xlsx"
        path, _ = QFileDialog.getSaveFileName(self, tr("导出"), name, tr("Excel 工作簿 (*.xlsx)"))
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Write all that is looked for into a workbook."""
        text, act = self._asked
        self.export.setEnabled(False)

        def work(token: Token) -> int:
            rows = self._service.every_use(text, token, act)
            data = workbook_of([row.doc for row in rows])
            try:
                path.write_bytes(data)
            except OSError as error:
                raise GovDeskError(
                    "SEAL-048", tr("用印登记没有导出。"), fix=tr("请检查磁盘空间和权限，或换一个位置。")
                ) from error
            return len(rows)

        self._work.run("read", work, done=partial(self._saved, path), failed=self._not_saved, name=tr("导出"))

    def _saved(self, path: Path, count: int) -> None:
        self.export.setEnabled(True)
        self.banner.say(tr("已导出 {n} 条到 {file}。", n=count, file=path.name), "good")

    def _not_saved(self, error: BaseException) -> None:
        self.export.setEnabled(True)
        if not isinstance(error, GovDeskError):
            raise error
        self.banner.say(error.words(), "red", code=error.code)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._end_events()
        self._work.close()
        super().closeEvent(event)
