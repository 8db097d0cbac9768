"""What 事项管理 asks in windows of its own: a new item, a row of a table, an import, the decision of a conflict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from client.widgets.basics import (
    Banner,
    Button,
    ComboBox,
    Label,
    LineEdit,
    PrimaryButton,
    ProgressPane,
    SectionTitle,
)
from client.widgets.dialogs import GrowingDialog
from client.widgets.forms import FormView
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import set_role, theme
from modules.acceptance.domain.item_conflicts import OURS, THEIRS
from modules.acceptance.domain.items import Field, diff, field_name, parts, put
from modules.acceptance.services.excel import CellFault, Plan
from modules.acceptance.ui.items.inputs import form_of, key, shown, taken
from modules.common.aggregate import Doc
from modules.common.errors import GovDeskError, Refused
from modules.common.text import tr


class _Dialog(GrowingDialog):
    """A window with a column of content, a banner for what is wrong, and its buttons at the end."""

    def __init__(self, title: str, action: str, parent: QWidget, width: float) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        set_role(self, "page")
        self.banner = Banner()
        self.go = PrimaryButton(action)
        self.keep = Button(tr("取消"))
        self.keep.clicked.connect(self.reject)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(*(theme().space(6),) * 4)
        self.column.setSpacing(theme().space(3))
        self.column.addWidget(SectionTitle(title))
        self.setMinimumWidth(theme().text_width(width))

    def close_with_buttons(self) -> None:
        """Put banner and buttons below the content."""
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self.keep)
        buttons.addWidget(self.go)
        self.column.addWidget(self.banner)
        self.column.addLayout(buttons)

    def say(self, error: BaseException) -> None:
        """What went wrong, beside what was entered."""
        told = error.words() if isinstance(error, GovDeskError) else str(error)
        self.banner.say(told, "red", code=error.code if isinstance(error, GovDeskError) else "")
        self.grow()


class NewItemDialog(_Dialog):
    """Asks for the code and the name of a new item, blank or copied. ``wanted(code, name)``."""

    wanted = Signal(str, str)

    def __init__(self, parent: QWidget, source: Doc | None = None) -> None:
        title = tr("复制为新事项") if source else tr("新建事项")
        super().__init__(title, tr("建立草稿"), parent, 30)
        if source:
            self.column.addWidget(Label(tr("内容取自“{name}”。", name=source["name"]), wrap=True))
        self.code = LineEdit(tr("实施编码"))
        self.code.setPlaceholderText("341100SC-XK-0001")
        self.name = LineEdit(tr("事项名称"))
        self.name.setText(source["name"] if source else "")
        for box in (self.code, self.name):
            self.column.addWidget(Label(box.accessibleName()))
            self.column.addWidget(box)
        self.close_with_buttons()
        self.go.clicked.connect(self._give)
        self.name.submitted.connect(self._give)
        self.code.submitted.connect(self.name.setFocus)
        self.code.setFocus()

    @Slot()
    def _give(self) -> None:
        code, name = self.code.text().strip(), self.name.text().strip()
        if not code or not name:
            self.banner.say(tr("请填写实施编码和事项名称。"), "due")
            self.grow()
        else:
            self.wanted.emit(code, name)


class RowDialog(_Dialog):
    """Asks for one material or one fee. ``wanted(row)`` carries it whole."""

    wanted = Signal(object)

    def __init__(
        self, parent: QWidget, title: str, fields: Sequence[Field], row: Mapping[str, Any], faults: Mapping[str, str]
    ) -> None:
        super().__init__(title, tr("确定"), parent, 44)
        self._fields = fields
        self._row = dict(row)
        self.form = FormView(form_of("", fields, {}))
        self.form.set_values(shown(fields, row, {}))
        self.form.show_faults({key(path): words for path, words in faults.items()})
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(self.form)
        scroll.setMinimumHeight(theme().size("row") * 9)
        self.column.addWidget(scroll, 1)
        self.close_with_buttons()
        self.go.clicked.connect(self._give)

    @Slot()
    def _give(self) -> None:
        row = dict(self._row)
        for path, value in taken(self._fields, self.form.values(), {}).items():
            put(row, path, value)
        self.wanted.emit(row)
        self.accept()


class ImportDialog(_Dialog):
    """Shows what importing a workbook would do. ``wanted(publish)``; ``leftover_wanted`` saves the wrong rows."""

    wanted = Signal(bool)
    leftover_wanted = Signal()

    def __init__(self, parent: QWidget, plan: Plan) -> None:
        super().__init__(tr("导入事项"), tr("导入正确的 {n} 项", n=len(plan.new) + len(plan.changed)), parent, 60)
        words = tr(
            "共 {total} 项：新增 {new}，有变化 {changed}，无变化 {same}，有误 {wrong}。",
            total=plan.total,
            new=len(plan.new),
            changed=len(plan.changed),
            same=plan.unchanged,
            wrong=plan.wrong,
        )
        self.summary = Label(words, wrap=True)
        self.column.addWidget(self.summary)
        self.publish = QCheckBox(tr("导入后直接发布（取代现行版本）"))
        self.column.addWidget(self.publish)
        columns = [
            Column("sheet", tr("表"), lambda fault: fault.sheet, 4),
            Column("row", tr("行"), lambda fault: str(fault.row), 4, sort=lambda fault: fault.row, numeric=True),
            Column("column", tr("列"), lambda fault: fault.column, 3),
            Column("name", tr("栏目"), lambda fault: fault.name, 10),
            Column("value", tr("填写的内容"), lambda fault: fault.value, 10),
            Column("words", tr("错误"), lambda fault: fault.words, 16, stretch=True),
            Column("code", tr("代码"), lambda fault: fault.code, 6),
        ]
        self.faults = RecordTable(columns, title=tr("有误的格子"), name="acceptance.items.faults", key=_fault_key)
        self.save = Button(tr("另存有误的行…"), icon="download")
        self.progress = ProgressPane()
        self.progress.hide()
        if plan.faults:
            self.faults.show_rows(plan.faults[:2000])
            self.faults.setMinimumHeight(theme().size("row") * 8)
            self.column.addWidget(self.faults, 1)
            row = QHBoxLayout()
            row.addWidget(self.save)
            row.addStretch(1)
            self.column.addLayout(row)
        self.column.addWidget(self.progress)
        self.close_with_buttons()
        self.go.setEnabled(bool(plan.new or plan.changed))
        self.go.clicked.connect(self._give)
        self.save.clicked.connect(self.leftover_wanted)

    @Slot()
    def _give(self) -> None:
        for widget in (self.go, self.publish, self.save):
            widget.setEnabled(False)
        self.progress.show()
        self.wanted.emit(self.publish.isChecked())


def _fault_key(fault: CellFault) -> str:
    return f"{fault.sheet}.{fault.row}.{fault.column}.{fault.words}"


class ConflictDialog(_Dialog):
    """Shows what the province and the hall both changed, part by part. ``wanted({path: local|province})``."""

    wanted = Signal(object)

    def __init__(self, parent: QWidget, conflict: Doc) -> None:
        super().__init__(tr("核对省级与本地的冲突"), tr("按所选发布新版本"), parent, 60)
        told = tr(
            "“{name}”：下列内容省级和本地都改过，请逐项选定。选定后立即发布新版本，在办的件不受影响。",
            name=conflict["name"],
        )
        self.column.addWidget(Label(told, wrap=True))
        self.choices: dict[str, ComboBox] = {}
        inner = QWidget()
        grid = QGridLayout(inner)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(2, 1)
        for place, title in enumerate((tr("内容"), tr("本地"), tr("省级"), tr("选用"))):
            grid.addWidget(Label(title, "quiet"), 0, place)
        for row, path in enumerate(conflict["paths"], 1):
            ours, theirs = _both(conflict, path)
            name = field_name(path, conflict["merged"] if ours else conflict["news"])
            box = ComboBox(tr("{name}选用", name=name))
            for label, choice in ((tr("请选择"), ""), (tr("保留本地"), OURS), (tr("用省级的"), THEIRS)):
                box.addItem(label, choice)
            self.choices[path] = box
            for place, widget in enumerate(
                (Label(name, wrap=True), Label(ours, wrap=True), Label(theirs, wrap=True), box)
            ):
                grid.addWidget(widget, row, place)
        grid.setRowStretch(len(conflict["paths"]) + 1, 1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(inner)
        scroll.setMinimumHeight(theme().size("row") * 7)
        self.column.addWidget(scroll, 1)
        self.close_with_buttons()
        self.go.clicked.connect(self._give)

    @Slot()
    def _give(self) -> None:
        chosen = {path: str(box.currentData()) for path, box in self.choices.items()}
        if not all(chosen.values()):
            self.banner.say(tr("还有没选的。"), "due")
            self.grow()
        else:
            self.wanted.emit(chosen)


def _both(conflict: Doc, path: str) -> tuple[str, str]:
    """One part in words, ours and the province's."""
    ours, theirs = conflict["merged"], conflict["news"]
    only = dict(ours)
    put(only, path, parts(theirs).get(path))
    found = diff(ours, only)
    one = "；".join(f"{change.name} {change.old}" if len(found) > 1 else change.old for change in found)
    other = "；".join(f"{change.name} {change.new}" if len(found) > 1 else change.new for change in found)
    return one, other


def fields_of(error: BaseException) -> Mapping[str, str]:
    """The faults by field that a refusal brings; none for another error."""
    return error.refusal.fields if isinstance(error, Refused) else {}
