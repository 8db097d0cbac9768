"""统计: the green channel beside all others (C29)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from client.widgets.basics import Banner, Button, ComboBox, Label, SectionTitle
from client.widgets.forms.lines import DateEdit
from client.widgets.pages import PageWork
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import set_role, theme
from modules.acceptance.services.handling import Share
from modules.acceptance.ui.cases.filters import MONTH, OWN, TODAY, WEEK, day, span
from modules.acceptance.ui.say import say_error
from modules.common.text import tr

YEAR = "year"
Compare = Callable[[date, date], dict[str, Share]]
Row = tuple[str, Share]


def _number(value: float | None, words: str) -> str:
    return "–" if value is None else words


def columns() -> list[Column]:
    """The table's columns; a row is a name and its ``Share``."""
    return [
        Column("what", tr("类别"), lambda row: str(row[0]), 8, stretch=True),
        Column("cases", tr("受理件数"), lambda row: str(row[1].cases), 6, numeric=True),
        Column("ended", tr("办结件数"), lambda row: str(row[1].ended), 6, numeric=True),
        Column(
            "days",
            tr("平均工作日"),
            lambda row: _number(row[1].mean_days, f"{row[1].mean_days or 0:.1f}"),
            7,
            numeric=True,
        ),
        Column(
            "timely",
            tr("按期率"),
            lambda row: _number(row[1].on_time, f"{(row[1].on_time or 0) * 100:.0f}%"),
            6,
            numeric=True,
        ),
    ]


class StatisticsDialog(QDialog):
    """A span of days and a plain table. ``compare(since, until)`` belongs on lane ``read``."""

    def __init__(self, compare: Compare, work: PageWork, today: date, parent: QWidget) -> None:
        super().__init__(parent)
        self._compare = compare
        self._work = work
        self._today = today
        self.setWindowTitle(tr("统计"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self.range = ComboBox(tr("受理时间"))
        for kind, words in (
            (MONTH, tr("本月")),
            (TODAY, tr("今天")),
            (WEEK, tr("本周")),
            (YEAR, tr("本年")),
            (OWN, tr("自定")),
        ):
            self.range.addItem(words, kind)
        self.since, self.until = DateEdit(tr("从")), DateEdit(tr("到"))
        self.banner = Banner()
        self.table = RecordTable(
            columns(), title=tr("绿色通道与其他办件"), name="acceptance.cases.statistics", key=lambda row: str(row[0])
        )
        self.table.setMinimumHeight(theme().size("row") * 4)
        close = Button(tr("关闭"))
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        for widget in (Label(tr("受理时间")), self.range, self.since, Label(tr("至")), self.until):
            row.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(SectionTitle(tr("绿色通道与其他办件")))
        column.addLayout(row)
        column.addWidget(self.banner)
        column.addWidget(self.table, 1)
        column.addWidget(
            Label(tr("从受理到出结果的工作日；按期率按扣除挂起后的期限计算。只统计本机有的办件。"), "quiet", wrap=True)
        )
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        self.resize(theme().text_width(48), theme().text_width(24))
        self.range.activated.connect(self._chosen)
        self.since.editingFinished.connect(self._typed)
        self.until.editingFinished.connect(self._typed)
        self._chosen()

    @Slot()
    def _chosen(self) -> None:
        kind = str(self.range.currentData())
        since, until = (self._today.replace(month=1, day=1), self._today) if kind == YEAR else span(kind, self._today)
        if since and until:
            self.since.setText(since.isoformat())
            self.until.setText(until.isoformat())
        self._read()

    @Slot()
    def _typed(self) -> None:
        self.range.setCurrentIndex(self.range.findData(OWN))
        self._read()

    def _read(self) -> None:
        since, until = day(self.since.text()), day(self.until.text())
        self.banner.clear()
        if since is None or until is None or since > until:
            self.banner.say(tr("请填写起止日期，起不晚于止。"), "due")
            return
        compare = self._compare
        self.table.show_loading()
        self._work.run("read", lambda token: compare(since, until), done=self._show, failed=self._fail)

    def _show(self, shares: dict[str, Share]) -> None:
        rows: list[Row] = [(tr("绿色通道"), shares["green"]), (tr("其他办件"), shares["others"])]
        self.table.show_rows(rows)

    def _fail(self, error: BaseException) -> None:
        say_error(self.banner, error)
        self.table.show_failed(tr("没有读出统计。"))
