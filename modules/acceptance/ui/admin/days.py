"""节假日: the year as published with the office's own days over it; what changes is shown before it is saved. E6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from client.kernel.contract import Token
from client.kernel.settings import Settings
from client.widgets.basics import (
    Banner,
    Button,
    ConfirmDialog,
    Label,
    LinkButton,
    PrimaryButton,
    SectionTitle,
    TextEdit,
)
from client.widgets.dialogs import GrowingDialog
from client.widgets.forms import FormView
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import set_role, theme
from modules.acceptance.domain.registers import DayFault, day_kind_name, read_days, with_days
from modules.acceptance.services.registers import Effect, House, MovedCase
from modules.acceptance.ui.admin.parts import Desk, Tab, is_offline, make_form, row_of, text_field
from modules.acceptance.ui.admin.year import DayLook, YearCalendar
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.text import tr

_OFF, _ON = "off", "on"


def _weekday(day: date) -> str:
    names = (tr("星期一"), tr("星期二"), tr("星期三"), tr("星期四"), tr("星期五"), tr("星期六"), tr("星期日"))
    return names[day.weekday()]


class DaysTab(Tab):
    """The year, the day in hand, what is about to change, and what that does to running cases."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._published = WorkCalendar()
        self._own: dict[str, Doc] = {}
        self._pending: dict[str, Doc | None] = {}
        self._shown: WorkCalendar = self._published
        self._asking: Token | None = None
        self._effect: Effect | None = None
        self._effect_known = False
        today = self.service.today()
        self.before = Button(tr("上一年"), icon="arrow-left")
        self.after = Button(tr("下一年"), icon="chevron-right")
        self.year_title = SectionTitle("")
        self.bring = Button(tr("粘贴节假日表…"), icon="upload")
        self.provisional = Label("", "state", wrap=True)
        self.year = YearCalendar(tr("全年日历"), self._look)
        self._make_side()
        self.year.show_day(today)
        head = row_of(self.before, self.year_title, self.after, self.bring, stretch=3)
        left = QVBoxLayout()
        left.addLayout(head)
        left.addWidget(self.provisional)
        left.addWidget(self.year, 1)
        left.addWidget(
            Label(tr("灰底休息，红角为节假日，黄角为周末上班，蓝线为本单位另定，虚框为尚未保存。"), "small", wrap=True)
        )
        both = QHBoxLayout()
        both.setSpacing(theme().space(4))
        both.addLayout(left, 3)
        both.addWidget(self._side, 2)
        self.column.addWidget(self.banner)
        self.column.addLayout(both, 1)
        self.before.clicked.connect(partial(self._turn, -1))
        self.after.clicked.connect(partial(self._turn, 1))
        self.year.chosen.connect(self._choose)
        self.year.opened.connect(self._enter)
        self.bring.clicked.connect(self._ask_list)
        self.put.clicked.connect(self._put)
        self.remove.clicked.connect(self._remove)
        self.drop.clicked.connect(self._drop)
        self.pending.opened.connect(self._go)
        self.pending.chosen.connect(self._arm)
        self.cases.clicked.connect(self._show_cases)
        self.save.clicked.connect(self._save)
        for widget in (self.bring, self._editing):
            widget.setVisible(self.service.may_admin)
        self._choose(today)

    def _make_side(self) -> None:
        self.day_title = SectionTitle("")
        self.day_words = Label("", wrap=True)
        kinds = {"enum": [_OFF, _ON], "x-labels": [tr("休息"), tr("上班")]}
        fields = {"kind": text_field(tr("这一天"), **kinds), "name": text_field(tr("名称"), maxLength=40)}
        self.form = FormView(make_form(("", fields), required=["kind", "name"]))
        self.put = Button(tr("记下这一天"), icon="plus")
        self.remove = Button(tr("取消本单位的规定"), icon="trash-2")
        self.pending = RecordTable(
            [
                Column("date", tr("日期"), lambda row: str(row[0]), 8),
                Column("kind", tr("改为"), _pending_words, 5),
                Column("name", tr("名称"), lambda row: str(row[1]["name"]) if row[1] else "", 8, stretch=True),
            ],
            title=tr("尚未保存的改动"),
            name="acceptance.settings.days",
            key=lambda row: str(row[0]),
            memory=self.desk.host.service(Settings),
        )
        self.drop = LinkButton(tr("放弃选中的改动"), icon="undo-2")
        self.effect = Label("", wrap=True)
        self.cases = LinkButton(tr("看是哪些件"), icon="list")
        self.save = PrimaryButton(tr("保存节假日"), shortcut="Ctrl+S")
        self._side = QWidget()
        self._editing = QWidget()
        inner = QVBoxLayout(self._editing)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(theme().space(2))
        inner.addWidget(self.form)
        inner.addLayout(row_of(self.put, self.remove))
        inner.addWidget(SectionTitle(tr("尚未保存的改动")))
        inner.addWidget(self.pending, 1)
        inner.addLayout(row_of(self.drop))
        inner.addWidget(self.effect)
        inner.addLayout(row_of(self.cases, self.save, stretch=1))
        column = QVBoxLayout(self._side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(2))
        column.addWidget(self.day_title)
        column.addWidget(self.day_words)
        column.addWidget(self._editing, 1)
        if not self.service.may_admin:
            column.addStretch(1)

    # -- what is shown ----------------------------------------------------------------------------

    def first(self) -> QWidget:
        return self.year

    def show_house(self, house: House) -> None:
        self._own = {str(day["date"]): day for day in house.days}
        self._settle(ask=False)

    def _settle(self, *, ask: bool = True) -> None:
        """Show the calendar as it would be, and ask what that would do."""
        put = [day for day in self._pending.values() if day is not None]
        removed = [key for key, day in self._pending.items() if day is None]
        self._shown = with_days(self._own.values(), put, removed)
        self.year.refresh()
        rows = sorted(self._pending.items())
        self.pending.show_rows(rows, empty=tr("没有改动。在日历上选一天，改为休息或上班。"))
        self._arm(self.pending.current)
        self.save.setEnabled(bool(rows))
        self._choose(self.year.day)
        if ask:
            self._ask_effect(put, removed)

    def _look(self, day: date) -> DayLook:
        key = day.isoformat()
        worked, own = self._shown.is_workday(day), key in self._own or self._pending.get(key) is not None
        return DayLook(worked, own, key in self._pending, f"{key} {_weekday(day)}，{self._sentence(day)}")

    def _sentence(self, day: date) -> str:
        key = day.isoformat()
        if key in self._pending:
            entry = self._pending[key]
            if entry is None:
                return tr("将取消本单位的规定（尚未保存）")
            return tr("将改为{kind}：{name}（尚未保存）", kind=day_kind_name(entry["workday"]), name=entry["name"])
        if key in self._own:
            entry = self._own[key]
            return tr("本单位规定{kind}：{name}", kind=day_kind_name(entry["workday"]), name=entry["name"])
        worked = self._published.is_workday(day)
        if not self._published.is_known(day):
            return tr("暂定{kind}，国家还没有公布", kind=day_kind_name(worked))
        if worked == (day.weekday() < 5):
            return day_kind_name(worked)
        return tr("国家公布{kind}", kind=day_kind_name(worked))

    @Slot(object)
    def _choose(self, day: date) -> None:
        key = day.isoformat()
        self.year_title.setText(tr("{year} 年", year=day.year))
        known = self._published.is_known(day.replace(month=1, day=1))
        self.provisional.setText(
            tr(
                "{year} 年的放假安排国家还没有公布（一般在上年 10 月、11 月）。现在按法定节日推算，"
                "跨进这一年的应办结日期都标“暂定”；公布后在这里粘贴导入，在办件会自动重算。",
                year=day.year,
            )
        )
        set_role(self.provisional, "state", state="due")
        self.provisional.setVisible(not known)
        self.day_title.setText(f"{key} {_weekday(day)}")
        self.day_words.setText(self._sentence(day))
        entry = self._pending.get(key) or self._own.get(key)
        if entry is not None:
            self.form.set_values({"kind": _ON if entry["workday"] else _OFF, "name": entry["name"]})
        else:
            self.form.set_values({"kind": _OFF if self._shown.is_workday(day) else _ON, "name": None})
        self.form.show_faults({})
        self.remove.setEnabled(key in self._own and self._pending.get(key, "") is not None)

    @Slot(object)
    def _enter(self, day: date) -> None:
        if self.service.may_admin:
            self.form.field("name").take_focus()

    def _turn(self, years: int) -> None:
        day = self.year.day
        self.year.show_day(day.replace(year=day.year + years, day=min(day.day, 28)))

    @Slot(object)
    def _go(self, row: tuple[str, Doc | None]) -> None:
        self.year.show_day(date.fromisoformat(row[0]))
        self.year.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot(object)
    def _arm(self, row: tuple[str, Doc | None] | None) -> None:
        self.drop.setEnabled(row is not None)

    # -- what is changed here ---------------------------------------------------------------------

    @Slot()
    def _put(self) -> None:
        values = self.form.values()
        name = str(values.get("name") or "").strip()
        if not name:
            self.form.show_faults({"name": tr("请填写名称，如“元旦”“系统检修”。")})
            return
        key = self.year.day.isoformat()
        self._pending[key] = {"date": key, "workday": values.get("kind") == _ON, "name": name}
        self._settle()
        self.year.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _remove(self) -> None:
        self._pending[self.year.day.isoformat()] = None
        self._settle()
        self.year.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _drop(self) -> None:
        row = self.pending.current
        if row is not None:
            self._pending.pop(row[0], None)
            self._settle()

    @Slot()
    def _ask_list(self) -> None:
        dialog = ListDialog(self)

        def take(days: Sequence[Doc]) -> None:
            self._pending |= {str(day["date"]): day for day in days}
            if days:
                self.year.show_day(date.fromisoformat(str(days[0]["date"])))
            self._settle()

        dialog.wanted.connect(take)
        dialog.open()

    # -- what it does, and saving -----------------------------------------------------------------

    def _ask_effect(self, put: Sequence[Doc], removed: Sequence[str]) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self._effect, self._effect_known = None, False
        self.cases.hide()
        if not put and not removed:
            self.effect.setText("")
            return
        self.effect.setText(tr("正在算对在办件的影响…"))

        def done(effect: Effect) -> None:
            self._effect, self._effect_known = effect, True
            self.effect.setText(effect_words(effect))
            self.cases.setVisible(bool(effect.cases))

        def failed(error: BaseException) -> None:
            if is_offline(error):
                self.effect.setText(tr("现在连不上服务器，算不出对在办件的影响。可以保存，联网后生效并自动重算。"))
            else:
                self.effect.setText(tr("算不出对在办件的影响：{why}", why=str(error)))

        self._asking = self.desk.work.run(
            "net", lambda token: self.service.effect(put, removed), done=done, failed=failed
        )

    @Slot()
    def _show_cases(self) -> None:
        if self._effect is not None:
            CasesDialog(self._effect.cases, self).open()

    @Slot()
    def _save(self) -> None:
        if not self._pending:
            return
        moved = self._effect is not None and bool(self._effect.later + self._effect.earlier)
        if not moved and self._effect_known:
            self._store()
            return
        dialog = ConfirmDialog(tr("保存节假日"), self.effect.text(), keep=tr("先不保存"), parent=self)
        dialog.accepted.connect(self._store)
        dialog.open()

    @Slot()
    def _store(self) -> None:
        changes = dict(self._pending)

        def work() -> None:
            self.service.put_days([day for day in changes.values() if day is not None])
            for key, day in changes.items():
                if day is None:
                    self.service.remove_day(key)

        def then() -> None:
            self._pending = {key: day for key, day in self._pending.items() if changes.get(key, "") != day}
            self.effect.setText("")
            self.cases.hide()

        told = tr("已保存 {n} 天。应办结日期由服务器在十分钟内重算。", n=len(changes))
        self.desk.change(self.banner, work, told, then=then)


def effect_words(effect: Effect) -> str:
    """What other days do to running cases, in a sentence."""
    if not effect.later and not effect.earlier:
        return tr("在办 {n} 件，应办结日期都不变。", n=effect.running)
    parts = []
    if effect.later:
        parts.append(tr("推后 {n} 件", n=effect.later))
    if effect.earlier:
        parts.append(tr("提前 {n} 件", n=effect.earlier))
    moved = tr("、").join(parts)
    return tr(
        "在办 {n} 件，其中应办结日期{moved}，最多差 {days} 天。", n=effect.running, moved=moved, days=effect.furthest
    )


def _pending_words(row: tuple[str, Mapping[str, Any] | None]) -> str:
    return tr("取消规定") if row[1] is None else day_kind_name(row[1]["workday"])


class ListDialog(GrowingDialog):
    """Takes a list of days as text, and says line by line what it understands. ``wanted(days)``."""

    wanted = Signal(object)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("粘贴节假日表"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self._days: list[Doc] = []
        self.text = TextEdit(tr("节假日表"), 8)
        self.text.setPlaceholderText(
            tr("2027-01-01 休 元旦\n2027-02-06 至 2027-02-12 放假 春节\n2027-02-14 班 春节调休")
        )
        self.found = Banner()
        self.faults = RecordTable(
            [
                Column("row", tr("行"), lambda fault: str(fault.row), 3, sort=lambda fault: fault.row, numeric=True),
                Column("text", tr("内容"), lambda fault: str(fault.text), 14),
                Column("words", tr("错误"), lambda fault: str(fault.words), 16, stretch=True),
            ],
            title=tr("看不懂的行"),
            name="acceptance.settings.days.faults",
            key=lambda fault: str(fault.row),
        )
        self.faults.setMinimumHeight(theme().size("row") * 5)
        self.go = PrimaryButton(tr("加到改动里"))
        keep = Button(tr("取消"))
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(SectionTitle(tr("粘贴节假日表")))
        column.addWidget(Label(tr("一行一天或一段：日期、休或班、名称。先加到改动里，看过影响再保存。"), wrap=True))
        for widget in (self.text, self.found, self.faults):
            column.addWidget(widget)
        column.addLayout(row_of(keep, self.go, stretch=0))
        self.setMinimumWidth(theme().text_width(48))
        self.text.edited.connect(self._read)
        self.text.submitted.connect(self._give)
        self.go.clicked.connect(self._give)
        keep.clicked.connect(self.reject)
        self._read()
        self.text.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _read(self) -> None:
        self._days, faults = read_days(self.text.text())
        self._show(faults)

    def _show(self, faults: Sequence[DayFault]) -> None:
        self.go.setEnabled(bool(self._days))
        self.faults.setVisible(bool(faults))
        self.faults.show_rows(faults)
        off = sum(not day["workday"] for day in self._days)
        if self._days or faults:
            told = tr("看懂 {n} 天：休息 {off} 天，上班 {on} 天", n=len(self._days), off=off, on=len(self._days) - off)
            told += tr("；{n} 行看不懂，不会加进去。", n=len(faults)) if faults else tr("。")
            self.found.say(told, "due" if faults else "good")
        else:
            self.found.clear()
        self.grow()

    @Slot()
    def _give(self) -> None:
        if self._days:
            self.wanted.emit(self._days)
            self.accept()


class CasesDialog(GrowingDialog):
    """The running cases that move."""

    def __init__(self, cases: Sequence[MovedCase], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("应办结日期会变的件"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self.table = RecordTable(
            [
                Column("number", tr("编号"), lambda case: str(case.number), 12),
                Column("item", tr("事项"), lambda case: str(case.item), 16, stretch=True),
                Column("before", tr("现在"), lambda case: str(case.before), 8),
                Column("after", tr("改后"), lambda case: str(case.after), 8),
            ],
            title=tr("应办结日期会变的件"),
            name="acceptance.settings.days.cases",
            key=lambda case: str(case.number),
        )
        self.table.show_rows(cases)
        close = PrimaryButton(tr("关闭"))
        close.clicked.connect(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(SectionTitle(tr("应办结日期会变的件")))
        column.addWidget(self.table, 1)
        column.addLayout(row_of(close, stretch=0))
        self.resize(theme().text_width(60), theme().size("row") * 14)
