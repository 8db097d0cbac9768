"""审计日志: who did what, when, from where; the file of it; and whether the chain is whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFileDialog, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.kernel.ports import Server
from client.kernel.settings import Settings
from client.widgets.basics import Button, ComboBox, LineEdit, PrimaryButton, SearchBox, TextEdit
from client.widgets.forms import DateEdit
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import set_role, theme
from modules.common.clock import CHINA, iso
from modules.common.errors import GovDeskError
from modules.common.server_ports import AuditLines, AuditPage, AuditVerdict
from modules.common.server_ports import AuditView as Link
from modules.common.text import tr
from modules.people.domain import AUDIT
from modules.people.ui.asking import BASE, Asking, said_time, show_trouble
from sync.protocol import from_wire


def result_name(result: str) -> str:
    """How an action ended, as people call it."""
    return tr("未成功") if result == "refused" else tr("成功")


def why_words(verdict: AuditVerdict) -> str:
    """What a proof found, for people."""
    seq = verdict.broken_at
    match verdict.why:
        case "missing":
            found = tr("第 {seq} 条记录不见了。", seq=seq)
        case "forged":
            found = tr("第 {seq} 条记录与服务器签过名的不符：它或它之前的记录被整段改写过。", seq=seq)
        case _:
            found = tr("第 {seq} 条记录对不上，它或它前面的记录被改动过。", seq=seq)
    return found + tr("请保护现场并报告。")


class AuditView(Asking):
    """The page of the audit administrator; whatever is asked here is itself recorded."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        set_role(self, "page")
        self._links: list[Link] = []
        self.action = SearchBox(tr("操作，如 case.accept"))
        self.action.setAccessibleName(tr("操作"))
        self.person = LineEdit(tr("人员"))
        self.person.setPlaceholderText(tr("姓名或登录名"))
        self.device = LineEdit(tr("设备"))
        self.device.setPlaceholderText(tr("窗口或房间"))
        self.result = ComboBox(tr("结果"))
        for words, value in ((tr("全部结果"), ""), (tr("成功"), "done"), (tr("未成功"), "refused")):
            self.result.addItem(words, value)
        self.since = DateEdit(tr("从"))
        self.until = DateEdit(tr("到"))
        self.since.setPlaceholderText(tr("从 2026-11-01"))
        self.until.setPlaceholderText(tr("到 2026-11-30"))
        self.query = Button(tr("查询"), icon="search")
        self.verify = PrimaryButton(tr("校验全链"), icon="check-check")
        self.export = Button(tr("导出"), icon="download")
        self.more = Button(tr("更早的记录"), icon="chevron-down")
        self.query.clicked.connect(self.reload)
        self.result.currentIndexChanged.connect(self.reload)
        self.verify.clicked.connect(self._verify)
        self.export.clicked.connect(self._choose_file)
        self.more.clicked.connect(self._more)
        self._head = QGridLayout()
        self._head.setSpacing(theme().space(2))
        for widget in (self.action, self.person, self.device, self.since, self.until):
            widget.submitted.connect(self.reload)
        self.table = RecordTable(
            (
                Column("seq", tr("序号"), lambda link: str(link.seq), 5, sort=lambda link: link.seq, numeric=True),
                Column("at", tr("时间"), lambda link: said_time(link.at), 10),
                Column("action", tr("操作"), lambda link: link.action, 10),
                Column("result", tr("结果"), lambda link: result_name(link.result), 5),
                Column("person", tr("人员"), lambda link: link.name or link.person, 7),
                Column("device", tr("设备"), lambda link: link.place or link.device, 8),
                Column("subject", tr("对象"), lambda link: link.subject, 12, stretch=True),
            ),
            title=tr("审计记录"),
            name="people.audit",
            key=lambda link: str(link.seq),
            memory=host.service(Settings),
        )
        self.table.chosen.connect(self._choose)
        self.table.acted.connect(self.reload)
        self.table.setMinimumHeight(theme().text_width(12))
        self.detail = TextEdit(tr("所选记录"), lines=3)
        self.detail.setReadOnly(True)
        self.detail.setMaximumHeight(theme().text_width(9))
        self._build()
        self.setFocusProxy(self.action)
        self.more.hide()
        theme().changed.connect(self._lay)
        if self.may(AUDIT):
            self.reload()
        else:
            self.table.show_forbidden()

    def _build(self) -> None:
        inside = QWidget()
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(area)
        column = QVBoxLayout(inside)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(self._head)
        self._lay()  # now, because Tab visits widgets in the order in which they found a parent
        column.addWidget(self.notice)
        column.addWidget(self.table, 1)
        under = QHBoxLayout()
        under.addWidget(self.more)
        under.addStretch(1)
        under.addWidget(self.export)
        under.addWidget(self.verify)
        column.addLayout(under)
        column.addWidget(self.detail)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay()

    @Slot()
    def _lay(self) -> None:
        """The questions in one row where there is room, else in two."""
        lines = (self.action, self.person, self.device, self.result, self.since, self.until, self.query)
        across = 7 if self.width() >= theme().text_width(74) else 4
        for number, widget in enumerate(lines):
            self._head.addWidget(widget, number // across, number % across)
        for column in range(7):
            self._head.setColumnStretch(column, int(column < min(across, 6)))

    @Slot()
    def reload(self) -> None:
        """Ask anew, newest first."""
        if not self.may(AUDIT):
            return
        self._links = []
        self.notice.clear()
        self.table.show_loading()
        self._ask_before("0")

    @Slot()
    def _more(self) -> None:
        self._ask_before(str(self._links[-1].seq))

    def _ask_before(self, before: str) -> None:
        try:
            asked = {
                "action": self.action.text().strip(),
                "person": self.person.text().strip(),
                "device": self.device.text().strip(),
                "result": str(self.result.currentData()),
                "since": _day(self.since.text(), 0),
                "until": _day(self.until.text(), 1),
                "before": before,
            }
        except ValueError:
            self.table.show_rows([], empty=tr("日期请写成 2026-11-20。"))
            return
        self.ask(
            lambda server: from_wire(AuditPage, server.get(f"{BASE}/audit", **asked)),
            self._show,
            partial(show_trouble, self.table),
        )

    def _show(self, page: AuditPage) -> None:
        self._links += page.items
        self.table.show_rows(self._links, empty=tr("没有符合条件的记录。"))
        self.more.setVisible(page.more)

    @Slot(object)
    def _choose(self, link: Link | None) -> None:
        if link is None:
            self.detail.setText("")
            return
        ids = (tr("人员编号 {id}", id=link.person), tr("设备编号 {id}", id=link.device))
        lines = [
            tr("校验值 {hash}", hash=link.hash),
            *ids,
            *(f"{name}: {value}" for name, value in link.detail.items()),
        ]
        self.detail.setText("\n".join(lines))

    # -- the proof

    @Slot()
    def _verify(self) -> None:
        self.verify.setEnabled(False)
        self.notice.say(tr("正在逐条校验…"), "info")
        self.ask(
            lambda server: from_wire(AuditVerdict, server.get(f"{BASE}/audit/verify")), self._judged, self._not_judged
        )

    def _judged(self, verdict: AuditVerdict) -> None:
        self.verify.setEnabled(True)
        if verdict.broken_at is not None:
            self.notice.say(why_words(verdict), "red")
            return
        words = tr("校验完成：{n} 条记录首尾相接，没有被改动。", n=verdict.checked)
        self.notice.say(words + tr("服务器已签名到第 {seq} 条。", seq=verdict.signed), "good")

    def _not_judged(self, error: GovDeskError) -> None:
        self.verify.setEnabled(True)
        self.say(error)

    # -- the file

    @Slot()
    def _choose_file(self) -> None:
        name = f"audit-{datetime.now(CHINA):%Y%m%d-%H%M}.jsonl"
        path, _ = QFileDialog.getSaveFileName(self, tr("保存到"), name, "JSON lines (*.jsonl)")
        if path:
            self.save(Path(path))

    def save(self, path: Path) -> None:
        """Fetch the whole chain with its signed head into a file, which is there when all of it is."""
        self.export.setEnabled(False)
        self.notice.say(tr("正在导出…"), "info")
        self.ask(lambda server: _fetch(server, path), partial(self._saved, path), self._not_saved)

    def _saved(self, path: Path, count: int) -> None:
        self.export.setEnabled(True)
        self.notice.say(
            tr("已导出 {n} 条记录和服务器的签名到 {file}。请把文件保存到服务器以外的地方。", n=count, file=path.name),
            "good",
        )

    def _not_saved(self, error: GovDeskError) -> None:
        self.export.setEnabled(True)
        self.say(error)


def _fetch(server: Server, path: Path) -> int:
    """Write the file of the chain; how many links. Raises ``GovDeskError`` PPL-001 where it cannot be written."""
    partial_file = path.with_name(path.name + ".partial")
    try:
        try:
            with partial_file.open("w", encoding="utf-8", newline="\n") as file:
                for page in _pages(server):
                    file.writelines(f"{line}\n" for line in page.lines)
            partial_file.replace(path)
        finally:
            partial_file.unlink(missing_ok=True)
    except OSError as error:
        raise GovDeskError(
            "PPL-001",
            tr("无法写入 {file}：{reason}", file=path.name, reason=error.strerror or ""),
            fix=tr("请换一个位置保存。"),
        ) from error
    return page.until


def _pages(server: Server) -> Iterator[AuditLines]:
    page = from_wire(AuditLines, server.get(f"{BASE}/audit/export"))
    yield page
    while page.more:
        asked = {"after": str(page.after), "until": str(page.until)}
        page = from_wire(AuditLines, server.get(f"{BASE}/audit/export", **asked))
        yield page


def _day(text: str, after: int) -> str:
    """Midnight in China, ``after`` days on, as UTC text; nothing for nothing. Raises ``ValueError`` for no date."""
    if not text.strip():
        return ""
    return iso(datetime.combine(date.fromisoformat(text.strip()) + timedelta(days=after), time(), CHINA))
