"""机构: how halls and departments are reached. What is printed on papers comes from here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from client.kernel.settings import Settings
from client.widgets.basics import EmptyState, Label, PrimaryButton, SectionTitle
from client.widgets.forms import FormView
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import theme
from modules.acceptance.services.registers import House
from modules.acceptance.ui.admin.parts import Desk, Tab, make_form, row_of, text_field
from modules.common.aggregate import Doc
from modules.common.text import tr

FIELDS = ("phone", "address", "hours")


class HouseTab(Tab):
    """Halls and departments beside the one in hand."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        memory = desk.host.service(Settings)
        self._current: Doc | None = None
        self.table = RecordTable(
            [
                Column("name", tr("机构"), lambda doc: str(doc["name"]), 14, stretch=True),
                Column("kind", tr("类别"), _kind, 4),
                Column("phone", tr("电话"), lambda doc: str(doc.get("phone", "")), 9),
            ],
            title=tr("机构"),
            name="acceptance.settings.house",
            key=lambda doc: str(doc["id"]),
            memory=memory,
        )
        self.title = SectionTitle("")
        fields = {
            "phone": text_field(tr("联系电话"), maxLength=40),
            "address": text_field(tr("地址"), maxLength=100),
            "hours": text_field(tr("办公时间"), maxLength=100),
        }
        self.form = FormView(make_form(("", fields)))
        self.save = PrimaryButton(tr("保存机构信息"), shortcut="Ctrl+S")
        detail = QWidget()
        column = QVBoxLayout(detail)
        column.setContentsMargins(theme().space(3), 0, 0, 0)
        column.setSpacing(theme().space(3))
        column.addWidget(self.title)
        column.addWidget(
            Label(tr("这里的电话、地址和办公时间印在通知书上。名称由服务器管理员登记。"), "quiet", wrap=True)
        )
        column.addWidget(self.form)
        column.addLayout(row_of(self.save, stretch=0))
        column.addStretch(1)
        self._right = QStackedWidget()
        self._right.addWidget(EmptyState("building-2", tr("选一个机构，在这里查看和修改。")))
        self._right.addWidget(detail)
        self.column.addWidget(self.banner)
        split = MasterDetail(self.table, self._right, name="acceptance.settings.house.split", memory=memory)
        self.column.addWidget(split, 1)
        self.table.chosen.connect(self._choose)
        self.table.opened.connect(self._enter)
        self.save.clicked.connect(self._save)
        self.save.setVisible(self.service.may_admin)
        self.form.set_read_only(not self.service.may_admin)

    def first(self) -> QWidget:
        return self.table.view

    def show_house(self, house: House) -> None:
        self.table.show_rows(house.organisations, empty=tr("还没有机构。"))
        current = self.table.current
        if current is not None and not self._changed():
            self._show(current)

    @Slot(object)
    def _choose(self, organisation: Doc | None) -> None:
        self.banner.clear()
        if organisation is not None:
            self._show(organisation)
        else:
            self._current = None
            self._right.setCurrentIndex(0)

    @Slot(object)
    def _enter(self, organisation: Doc) -> None:
        self.form.field("phone").take_focus()

    def _show(self, organisation: Doc) -> None:
        self._current = organisation
        self.title.setText(str(organisation["name"]))
        self.form.set_values({name: organisation.get(name) or None for name in FIELDS})
        self._right.setCurrentIndex(1)

    def _changed(self) -> dict[str, str]:
        current = self._current
        if current is None:
            return {}
        values: Mapping[str, Any] = self.form.values()
        now = {name: str(values.get(name) or "") for name in FIELDS}
        return {name: text for name, text in now.items() if text != str(current.get(name) or "")}

    @Slot()
    def _save(self) -> None:
        current, changed = self._current, self._changed()
        if current is None or not changed:
            self.banner.say(tr("没有改动。"), "info")
            return

        def then() -> None:
            self._current = {**current, **changed}

        work = partial(self.service.put_organisation, str(current["id"]), changed)
        told = tr("{name}的信息已保存。", name=current["name"])
        self.desk.change(self.banner, work, told, then=then, faults=self._show_faults)

    def _show_faults(self, faults: Mapping[str, str]) -> None:
        self.form.show_faults(faults)


def _kind(organisation: Doc) -> str:
    return tr("大厅") if organisation.get("kind") == "hall" else tr("部门")
