"""One item: its 36 elements, materials, fees, form, approval, and every version it ever had."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSplitter, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from client.widgets.basics import (
    Banner,
    Button,
    ComboBox,
    DangerButton,
    EmptyState,
    Label,
    PrimaryButton,
    SectionTitle,
    StateLabel,
    TextEdit,
)
from client.widgets.forms import FormView
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import set_role
from modules.acceptance.domain.items import (
    DRAFT,
    ELEMENTS,
    FEE_FIELDS,
    FIELDS,
    MATERIAL_FIELDS,
    PUBLISHED,
    WITHDRAWN,
    Change,
    Element,
    Field,
    at,
    blank_fee,
    blank_material,
    check_item,
    diff,
    differing,
    element_words,
    field_name,
    parts,
    put,
    state_name,
    state_of,
    words,
)
from modules.acceptance.services.items import Shelf
from modules.acceptance.ui.items.dialogs import RowDialog
from modules.acceptance.ui.items.inputs import form_of, key, shown, taken
from modules.common import forms, workflow
from modules.common.aggregate import Doc
from modules.common.clock import CHINA, parse_iso
from modules.common.errors import GovDeskError
from modules.common.text import tr

LOOKS = {DRAFT: "paused", PUBLISHED: "good", WITHDRAWN: "offline"}


def item_look(item: Doc) -> tuple[str, str]:
    """A version's state as the theme and as people say it."""
    return LOOKS.get(state_of(item), "info"), state_name(state_of(item))


class _Rows(QWidget):
    """A table of materials or fees; in a draft they can be added, changed, moved away."""

    changed = Signal()

    def __init__(self, head: str, title: str, fields: Sequence[Field], columns: Sequence[Column], new: str) -> None:
        super().__init__()
        self._head, self._fields, self._title = head, fields, title
        self.rows: list[dict[str, Any]] = []
        self.faults: dict[str, str] = {}
        self.table = RecordTable(columns, title=title, name=f"acceptance.items.{head}", key=lambda row: str(row["key"]))
        self.add = Button(new, icon="plus")
        self.edit = Button(tr("修改"), icon="pencil")
        self.remove = Button(tr("删除"), icon="trash-2")
        self.edit.setAccessibleName(tr("修改{what}", what=title))
        self.remove.setAccessibleName(tr("删除{what}", what=title))
        self.bar = QWidget()
        row = QHBoxLayout(self.bar)
        row.setContentsMargins(0, 0, 0, 0)
        for button in (self.add, self.edit, self.remove):
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.addWidget(self.table, 1)
        column.addWidget(self.bar)
        self.add.clicked.connect(self._add)
        self.edit.clicked.connect(self._edit)
        self.table.opened.connect(self._edit)
        self.remove.clicked.connect(self._remove)

    def show_rows(self, rows: Sequence[Mapping[str, Any]], *, editable: bool) -> None:
        """Show other rows."""
        self.rows = [dict(row) for row in rows]
        self.bar.setVisible(editable)
        self._show()

    def _show(self) -> None:
        told = [{**row, "key": row.get("id", str(place))} for place, row in enumerate(self.rows)]
        self.table.show_rows(told, empty=tr("没有{what}。", what=self._title))

    def show_faults(self, faults: Mapping[str, str]) -> None:
        """What is wrong with the rows, by path."""
        self.faults = {path: why for path, why in faults.items() if path.startswith(f"{self._head}.")}

    def _ask(self, title: str, place: int, row: Mapping[str, Any]) -> None:
        head = f"{self._head}.{row.get('id', place)}."
        faults = {path.removeprefix(head): why for path, why in self.faults.items() if path.startswith(head)}
        dialog = RowDialog(self, title, self._fields, row, faults)
        dialog.wanted.connect(partial(self._put, place))
        dialog.open()

    @Slot()
    def _add(self) -> None:
        used = {row.get("id") for row in self.rows}
        id = next(f"m{n}" for n in range(1, len(self.rows) + 2) if f"m{n}" not in used)
        row = blank_material(id) if self._head == "materials" else blank_fee()
        self._ask(self.add.text(), len(self.rows), row)

    @Slot()
    def _edit(self) -> None:
        current = self.table.current
        if current is not None and self.bar.isVisibleTo(self):
            place = [row["key"] for row in self._keyed()].index(current["key"])
            self._ask(tr("修改{what}", what=self._title), place, self.rows[place])

    def _keyed(self) -> list[dict[str, Any]]:
        return [{**row, "key": row.get("id", str(place))} for place, row in enumerate(self.rows)]

    def _put(self, place: int, row: Mapping[str, Any]) -> None:
        self.rows[place : place + 1] = [dict(row)]
        self._show()
        self.changed.emit()

    @Slot()
    def _remove(self) -> None:
        if (current := self.table.current) is not None:
            self.rows = [
                row for row, told in zip(self.rows, self._keyed(), strict=True) if told["key"] != current["key"]
            ]
            self._show()
            self.changed.emit()


class FormPane(QWidget):
    """A form as people will see it, beside the JSON it is written in."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.preview = QScrollArea()
        self.preview.setWidgetResizable(True)
        self.preview.setAccessibleName(tr("表单预览"))
        self.source = TextEdit(tr("表单定义（JSON）"), 12)
        self.check = Button(tr("检查并预览"), icon="check")
        self.verdict = Label("", wrap=True)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.source, 1)
        row = QHBoxLayout()
        row.addWidget(self.check)
        row.addWidget(self.verdict, 1)
        column.addLayout(row)
        split = QSplitter()
        split.setChildrenCollapsible(False)
        split.addWidget(self.preview)
        split.addWidget(right)
        whole = QVBoxLayout(self)
        whole.addWidget(split, 1)
        self.check.clicked.connect(self._judge)
        self.source.edited.connect(self.changed)

    def show_form(self, form: Any, *, editable: bool) -> None:
        """Show an item's form."""
        self.source.setText(json.dumps(form, ensure_ascii=False, indent=1) if form else "")
        self.source.setReadOnly(not editable)
        self.check.setVisible(editable)
        self._judge()

    def form(self) -> Any:
        """What is written. Raises ``ValueError`` where it is no JSON, ``GovDeskError`` FORM-… where it is no form."""
        text = self.source.text().strip()
        if not text:
            return None
        form = json.loads(text)
        forms.check_form(form)
        return form

    @Slot()
    def _judge(self) -> None:
        try:
            form = self.form()
        except json.JSONDecodeError as error:
            self._say("fault", tr("第 {row} 行第 {column} 列不是合法的 JSON。", row=error.lineno, column=error.colno))
        except GovDeskError as error:
            self._say("fault", error.message)
        else:
            self._say("quiet", tr("表单没有问题。") if form else tr("还没有表单。"))
            self._draw(form)

    def _say(self, role: str, text: str) -> None:
        set_role(self.verdict, role)
        self.verdict.setText(text)

    def _draw(self, form: Any) -> None:
        view = FormView(form) if form else EmptyState("file-text", tr("还没有表单。"))
        self.preview.setWidget(view)


class ItemDetail(QWidget):
    """Everything about one item. Signals carry what the person wants; ``changes`` says what was edited."""

    save_wanted = Signal()
    publish_wanted = Signal()
    version_wanted = Signal()
    copy_wanted = Signal()
    withdraw_wanted = Signal()
    conflict_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.shelf: Shelf | None = None
        self.item: Doc = {}
        self._departments: dict[str, str] = {}
        self.title = SectionTitle("")
        self.title.setWordWrap(True)
        self.state = StateLabel()
        self.banner = Banner()
        self.told = Banner()
        self.told.acted.connect(self.conflict_wanted)
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName(tr("事项内容"))
        self.tabs.tabBar().setAccessibleName(tr("事项内容"))
        self._make_elements()
        self._make_rows()
        self.form = FormPane()
        self.tabs.addTab(self.form, tr("表单"))
        self._make_steps()
        self._make_versions()
        self._make_check()
        self.save = Button(tr("保存草稿"), shortcut="Ctrl+S")
        self.publish = PrimaryButton(tr("发布"))
        self.version = PrimaryButton(tr("建立新版本"))
        self.copy = Button(tr("复制为新事项"), icon="copy")
        self.withdraw = DangerButton(tr("停止办理"))
        actions = QHBoxLayout()
        for button in (self.withdraw, self.copy):
            actions.addWidget(button)
        actions.addStretch(1)
        for button in (self.version, self.save, self.publish):
            actions.addWidget(button)
        head = QHBoxLayout()
        head.addWidget(self.title, 1)
        head.addWidget(self.state)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        column.addWidget(self.told)
        column.addWidget(self.tabs, 1)
        column.addWidget(self.banner)
        column.addLayout(actions)
        self.save.clicked.connect(self.save_wanted)
        self.publish.clicked.connect(self.publish_wanted)
        self.version.clicked.connect(self.version_wanted)
        self.copy.clicked.connect(self.copy_wanted)
        self.withdraw.clicked.connect(self.withdraw_wanted)

    # -- the tabs -------------------------------------------------------------------------------------

    def _make_elements(self) -> None:
        columns = [
            Column("number", tr("序"), lambda row: str(row[0].number), 3, sort=lambda row: row[0].number, numeric=True),
            Column("name", tr("要素"), lambda row: tr(row[0].name), 9),
            Column("words", tr("内容"), lambda row: row[1], 20, stretch=True),
        ]
        self.elements = RecordTable(columns, title=tr("36 要素"), name="acceptance.items.elements", key=_element_key)
        self.pane = QScrollArea()
        self.pane.setWidgetResizable(True)
        self.pane.setAccessibleName(tr("要素"))
        self.inputs = FormView(form_of("", FIELDS, {}))
        self.pane.setWidget(self.inputs)
        self._first = QStackedWidget()
        self._first.addWidget(self.elements)
        self._first.addWidget(self.pane)
        self.tabs.addTab(self._first, tr("要素"))

    def _make_rows(self) -> None:
        yes = tr("是")
        columns = [
            Column("name", tr("材料名称"), lambda row: row["name"], 14, stretch=True),
            Column("type", tr("类型"), lambda row: row.get("type") or "", 6),
            Column("required", tr("必要"), lambda row: yes if row.get("required") else "", 3),
            Column("may_lack", tr("可容缺"), _lack_words, 6),
            Column("copies", tr("份数"), lambda row: words(MATERIAL_FIELDS[6], row.get("copies")), 3, numeric=True),
            Column("review", tr("审查要点"), lambda row: "；".join(row.get("review") or []), 12),
        ]
        self.materials = _Rows("materials", tr("材料"), MATERIAL_FIELDS, columns, tr("新增材料"))
        fee_columns = [
            Column("name", tr("收费项目"), lambda row: row["name"], 10, stretch=True),
            Column("amount", tr("金额（元）"), lambda row: row.get("amount") or "", 6, numeric=True),
            Column("unit", tr("单位"), lambda row: row.get("unit") or "", 4),
            Column("free", tr("免收"), lambda row: yes if row.get("free") else "", 3),
            Column("basis", tr("依据"), lambda row: row.get("basis") or "", 12),
        ]
        self.fees = _Rows("fees", tr("收费"), FEE_FIELDS, fee_columns, tr("新增收费"))
        self.tabs.addTab(self.materials, tr("材料"))
        self.tabs.addTab(self.fees, tr("收费"))

    def _make_steps(self) -> None:
        self.template = ComboBox(tr("审批流程"))
        for id, template in workflow.TEMPLATES.items():
            self.template.addItem(tr(str(template["name"])), id)
        self.steps = Label("", wrap=True)
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.addWidget(Label(tr("审批流程")))
        column.addWidget(self.template)
        column.addWidget(self.steps)
        column.addStretch(1)
        self.template.currentIndexChanged.connect(self._show_steps)
        self.tabs.addTab(pane, tr("流程"))

    def _make_versions(self) -> None:
        columns = [
            Column(
                "version",
                tr("版本"),
                lambda item: str(item["version"]),
                4,
                sort=lambda item: item["version"],
                numeric=True,
            ),
            Column("state", tr("状态"), lambda item: item_look(item)[1], 7, state=lambda item: item_look(item)[0]),
            Column("origin", tr("来源"), _origin_words, 6),
            Column("at", tr("时间"), lambda item: _moment(item.get("updated_at")), 11),
            Column("by", tr("修改人"), lambda item: (item.get("updated_by") or {}).get("name", ""), 6),
            Column("reason", tr("停办原因"), lambda item: item.get("withdraw_reason") or "", 10, stretch=True),
        ]
        self.versions = RecordTable(
            columns, title=tr("版本"), name="acceptance.items.versions", key=lambda item: str(item["id"])
        )
        self.older, self.newer = ComboBox(tr("比较的旧版")), ComboBox(tr("比较的新版"))
        changes = [
            Column("name", tr("内容"), lambda change: change.name, 12),
            Column("old", tr("旧版"), lambda change: change.old, 12, stretch=True),
            Column("new", tr("新版"), lambda change: change.new, 12, stretch=True),
        ]
        self.changes_table = RecordTable(changes, title=tr("两版的差别"), name="acceptance.items.diff", key=_change_key)
        pick = QHBoxLayout()
        pick.addWidget(Label(tr("比较")))
        pick.addWidget(self.older)
        pick.addWidget(Label(tr("与")))
        pick.addWidget(self.newer)
        pick.addStretch(1)
        pane = QWidget()
        column = QVBoxLayout(pane)
        column.addWidget(self.versions, 1)
        column.addLayout(pick)
        column.addWidget(self.changes_table, 1)
        self.older.currentIndexChanged.connect(self._compare)
        self.newer.currentIndexChanged.connect(self._compare)
        self.tabs.addTab(pane, tr("版本"))

    def _make_check(self) -> None:
        columns = [
            Column("name", tr("栏目"), lambda fault: field_name(fault.field, self.item), 14),
            Column("words", tr("要补充或更正"), lambda fault: fault.words, 20, stretch=True),
            Column("code", tr("代码"), lambda fault: fault.code, 6),
        ]
        self.check = RecordTable(
            columns, title=tr("发布前检查"), name="acceptance.items.check", key=lambda fault: str(fault.field)
        )
        self.tabs.addTab(self.check, tr("发布前检查"))

    # -- showing --------------------------------------------------------------------------------------

    def show_shelf(self, shelf: Shelf, item: Doc, departments: Mapping[str, str]) -> None:
        """Show one version of an item: a draft to be edited, any other to be read."""
        again = self.item.get("id") == item["id"]
        self.shelf, self.item, self._departments = shelf, item, dict(departments)
        draft = state_of(item) == DRAFT
        self.title.setText(tr("{name} 第 {version} 版", name=item["name"] or item["code"], version=item["version"]))
        self.state.show_state(*item_look(item))
        self._tell(shelf)
        self.elements.show_rows([(element, element_words(item, element)) for element in ELEMENTS])
        if draft:
            self.inputs = FormView(form_of("", FIELDS, departments))
            self.inputs.set_values(shown(FIELDS, item, departments))
            self.pane.setWidget(self.inputs)
        self._first.setCurrentWidget(self.pane if draft else self.elements)
        self.materials.show_rows(item.get("materials") or [], editable=draft)
        self.fees.show_rows(item.get("fees") or [], editable=draft)
        self.form.show_form(item.get("form"), editable=draft)
        self._show_template(item, draft)
        self._show_versions(shelf)
        self.show_check(item)
        for button, there in (
            (self.save, draft),
            (self.publish, draft),
            (self.version, not draft),
            (self.withdraw, state_of(item) == PUBLISHED),
        ):
            button.setVisible(there)
        self.version.set_label(tr("继续编辑草稿") if shelf.draft is not None and not draft else tr("建立新版本"))
        if not again:
            self.banner.clear()
            self.tabs.setCurrentIndex(0)
        elif draft and self.tabs.currentWidget() is self.check:
            self.go_to_check({fault.field: fault.words for fault in self.check.rows})

    def _tell(self, shelf: Shelf) -> None:
        if shelf.conflict is not None:
            told = tr("省级有新版本，{n} 处与本地改动冲突。", n=len(shelf.conflict["paths"]))
            self.told.say(told, "due", action=tr("核对"))
        else:
            self.told.clear()

    def _show_template(self, item: Doc, draft: bool) -> None:
        template = item.get("template")
        self.template.blockSignals(True)
        if self.template.itemData(self.template.count() - 1) == "":
            self.template.removeItem(self.template.count() - 1)
        if isinstance(template, Mapping):
            self.template.addItem(tr("本事项专用流程"), "")
        self.template.setCurrentIndex(self.template.findData("" if isinstance(template, Mapping) else template))
        self.template.blockSignals(False)
        self.template.setEnabled(draft)
        self._show_steps()

    @Slot()
    def _show_steps(self) -> None:
        chosen = self.template.currentData()
        template = workflow.TEMPLATES.get(chosen) if chosen else self.item.get("template")
        steps = template.get("steps", []) if isinstance(template, Mapping) else []
        lines = [f"{place}. {step.get('name', '')}" for place, step in enumerate(steps, 1)]
        self.steps.setText("\n".join(lines))

    def _show_versions(self, shelf: Shelf) -> None:
        self.versions.show_rows(shelf.versions)
        for box, place in ((self.older, 1), (self.newer, 0)):
            box.blockSignals(True)
            box.clear()
            for item in shelf.versions:
                label = tr("第 {version} 版 {state}", version=item["version"], state=item_look(item)[1])
                box.addItem(label, item["id"])
            box.setCurrentIndex(min(place, len(shelf.versions) - 1))
            box.blockSignals(False)
        self._compare()

    @Slot()
    def _compare(self) -> None:
        if self.shelf is None:
            return
        by_id = {item["id"]: item for item in self.shelf.versions}
        old, new = by_id.get(self.older.currentData()), by_id.get(self.newer.currentData())
        if old is not None and new is not None:
            self.changes_table.show_rows(diff(old, new), empty=tr("两版没有差别。"))

    def show_check(self, item: Doc) -> None:
        """What keeps the draft from being published."""
        faults = check_item(item) if state_of(item) == DRAFT else []
        self.tabs.setTabVisible(self.tabs.count() - 1, state_of(item) == DRAFT)
        count = tr("发布前检查（{n}）", n=len(faults)) if faults else tr("发布前检查")
        self.tabs.setTabText(self.tabs.count() - 1, count)
        self.check.show_rows(faults, empty=tr("都齐了，可以发布。"))
        self.say_faults({fault.field: fault.words for fault in faults})

    def say_faults(self, faults: Mapping[str, str]) -> None:
        """Faults at the rows of materials and fees; they are shown when a row is opened."""
        self.materials.show_faults(faults)
        self.fees.show_faults(faults)

    def go_to_check(self, faults: Mapping[str, str]) -> None:
        """Show what is missing: in the list, and at the fields."""
        self.inputs.show_faults({key(path): why for path, why in faults.items()})
        self.tabs.setCurrentIndex(self.tabs.count() - 1)
        self.check.view.setFocus()

    def changes(self) -> dict[str, Any]:
        """What was edited, part → value (``item.edit``). Raises ``GovDeskError`` or ``ValueError`` for its form."""
        edited = dict(self.item)
        for path, value in taken(FIELDS, self.inputs.values(), self._departments).items():
            if words(_FIELD[path], value) != words(_FIELD[path], at(edited, path)):
                put(edited, path, value)
        by_name = {name: id for id, name in self._departments.items()}
        edited["department_id"] = by_name.get(edited["department"], "")
        edited["materials"], edited["fees"] = self.materials.rows, self.fees.rows
        edited["form"] = self.form.form()
        if self.template.currentData():
            edited["template"] = self.template.currentData()
        news = parts(edited)
        changed = {path: news.get(path) for path in differing(self.item, edited)}
        if [row["id"] for row in edited["materials"]] != [row["id"] for row in self.item.get("materials") or []]:
            changed = {path: value for path, value in changed.items() if not path.startswith("materials.")}
            changed["materials"] = edited["materials"]
        return changed


_FIELD = {field.path: field for field in FIELDS}


def _element_key(row: tuple[Element, str]) -> str:
    return row[0].id


def _change_key(change: Change) -> str:
    return change.field


def _lack_words(row: Mapping[str, Any]) -> str:
    return tr("{n} 日内补", n=row.get("lack_days") or 0) if row.get("may_lack") else ""


def _origin_words(item: Doc) -> str:
    return tr("省级") if item.get("origin") == "province" else tr("本地")


def _moment(text: Any) -> str:
    return f"{parse_iso(text).astimezone(CHINA):%Y-%m-%d %H:%M}" if text else ""
