"""窗口: what each window is called, where it stands, what it handles and who sits there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QStackedWidget, QVBoxLayout, QWidget

from client.kernel.settings import Settings
from client.widgets.basics import Button, EmptyState, Label, LineEdit, PrimaryButton, SectionTitle, StateLabel
from client.widgets.dialogs import TextDialog
from client.widgets.forms import DateEdit, FormView
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import theme
from modules.acceptance.domain.windows import is_stopped
from modules.acceptance.services.registers import House, Person
from modules.acceptance.ui.admin.parts import (
    Desk,
    PickList,
    Tab,
    is_offline,
    make_form,
    row_of,
    scrolled,
    text_field,
)
from modules.acceptance.ui.say import say_error
from modules.common.aggregate import Doc
from modules.common.text import tr

ALL = "*"
_METRES = ("x", "y", "w", "h")
_PLAN = ("area", *_METRES, "screen")


def _form(groups: Mapping[str, Any]) -> dict[str, Any]:
    letters = [chr(ord("A") + n) for n in range(26)]
    labels = [f"{group} {groups[group]['name']}" if group in groups else group for group in letters]
    metres = {
        name: {"title": title, "type": "number", "minimum": 0, "maximum": 500}
        for name, title in zip(
            _METRES, (tr("距左（米）"), tr("距上（米）"), tr("宽（米）"), tr("深（米）")), strict=True
        )
    }
    basics = {
        "name": text_field(tr("窗口名称"), maxLength=20),
        "kind": text_field(tr("窗口类别"), maxLength=40),
        "group": text_field(tr("队列"), enum=letters, **{"x-labels": labels}),
        "area": text_field(tr("区域"), maxLength=40),
        "screen": text_field(tr("窗口屏"), maxLength=40, description=tr("两个窗口填同一块屏，即双号双呼")),
    }
    return make_form((tr("窗口"), basics), (tr("在大厅平面图上的位置"), metres), required=["name", "group"])


class WindowsTab(Tab):
    """The windows of a hall beside the one in hand."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        memory = desk.host.service(Settings)
        self._house: House | None = None
        self._people: dict[str, Person] = {}
        self._current: Doc | None = None
        self._shown: dict[str, Any] = {}
        self.new = PrimaryButton(tr("新增窗口"), icon="plus")
        self.table = RecordTable(
            [
                Column("name", tr("窗口"), lambda doc: str(doc["name"]), 5),
                Column("area", tr("区域"), lambda doc: str(doc["area"]), 7),
                Column("group", tr("队列"), lambda doc: str(doc["group"]), 4),
                Column("items", tr("事项"), self._items_words, 4),
                Column("staff", tr("人员"), self._staff_words, 8, stretch=True),
                Column("state", tr("状态"), self._state_words, 6, state=self._state_look),
            ],
            title=tr("窗口"),
            name="acceptance.settings.windows",
            key=lambda doc: str(doc["id"]),
            memory=memory,
        )
        self._make_detail()
        self._right = QStackedWidget()
        self._right.addWidget(EmptyState("columns-2", tr("选一个窗口，在这里查看和修改。")))
        self._right.addWidget(self.detail)
        split = MasterDetail(self.table, self._right, name="acceptance.settings.windows.split", memory=memory)
        if memory.recall("acceptance.settings.windows.split") is None:
            split.setSizes([theme().text_width(50), theme().text_width(44)])
        self.column.addLayout(row_of(self.new))
        self.new.setVisible(self.service.may_admin)
        self.column.addWidget(self.banner)
        self.column.addWidget(split, 1)
        self.table.chosen.connect(self._choose)
        self.table.opened.connect(self._enter)
        self.new.clicked.connect(self._begin)
        self.save.clicked.connect(self._save)
        self.stop.clicked.connect(self._ask_stop)
        self.reopen.clicked.connect(self._reopen)
        self.every.toggled.connect(self._every)
        self._ask_people()

    def _make_detail(self) -> None:
        self.title = SectionTitle("")
        self.state = StateLabel()
        self.form = FormView(_form({}))
        self.departments = PickList(tr("受理部门"), 4)
        self.every = QCheckBox(tr("受理本队列、所选部门的全部事项"))
        self.items = PickList(tr("受理事项"), 6)
        self.staff = PickList(tr("本窗口人员"), 5)
        self.offline = Label("", "quiet", wrap=True)
        self.hint = Label("", "quiet", wrap=True)
        self.save = PrimaryButton(tr("保存"), shortcut="Ctrl+S")
        self.stop = Button(tr("停用…"), icon="ban")
        self.reopen = Button(tr("重新启用"), icon="play")
        inside = QWidget()
        self._inside = QVBoxLayout(inside)
        self._inside.setContentsMargins(theme().space(3), 0, theme().space(3), theme().space(2))
        self._inside.setSpacing(theme().space(3))
        for widget in (self.title, self.state, self.hint, self.form, self.departments, self.every, self.items,
                       self.staff, self.offline):  # fmt: skip
            self._inside.addWidget(widget)
        self._inside.addStretch(1)
        self.detail = QWidget()
        column = QVBoxLayout(self.detail)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scrolled(inside), 1)
        column.addLayout(row_of(self.reopen, self.stop, self.save, stretch=2))

    # -- what is shown ----------------------------------------------------------------------------

    def first(self) -> QWidget:
        return self.table.view

    def show_house(self, house: House) -> None:
        regrouped = self._house is None or self._house.settings["groups"] != house.settings["groups"]
        self._house = house
        if regrouped and not self._dirty():
            old = self.form
            self.form = FormView(_form(house.settings["groups"]))
            self._inside.replaceWidget(old, self.form)
            old.hide()
            old.deleteLater()
        self.table.show_rows(house.windows, empty=tr("这个大厅还没有窗口。"))
        current = self.table.current
        if self._current is not None and not self._current.get("id"):
            return  # a window that is being written
        if current is not None and (current["id"] != (self._current or {}).get("id") or not self._dirty()):
            self._show(current)
        elif current is not None:
            self._show_state(current)

    def _ask_people(self) -> None:
        def done(people: list[Person]) -> None:
            self._people = {person.id: person for person in people}
            self.offline.hide()
            self.table.view.viewport().update()
            if self._current is not None and not self._dirty():
                self._show(self._current)

        def failed(error: BaseException) -> None:
            if is_offline(error):
                self.offline.setText(tr("人员名单在服务器上，现在连不上：暂时不能改窗口人员，其他可以照常修改。"))
                self.offline.show()
                self.staff.set_read_only(True)
            else:
                say_error(self.banner, error)

        self.offline.hide()
        self.desk.work.run("net", lambda token: self.service.staff(), done=done, failed=failed)

    @Slot(object)
    def _choose(self, window: Doc | None) -> None:
        self.banner.clear()
        if window is None:
            self._current = None
            self._right.setCurrentIndex(0)
        else:
            self._show(window)

    def _show(self, window: Doc) -> None:
        house = self._house
        assert house is not None
        self._current = window
        self.title.setText(str(window.get("name") or tr("新窗口")))
        self.form.set_values({name: window.get(name) for name in ("name", "kind", "group", "area", "screen", *_METRES)})
        self.form.show_faults({})
        self.departments.show_options(house.departments.items(), window["department_ids"])
        self.every.setChecked(ALL in window["item_codes"])
        codes = [code for code in window["item_codes"] if code != ALL]
        self.items.show_options(
            ((item["code"], f"{item['name']}（{item['department']}）") for item in house.items), codes
        )
        here = [person for person in self._people.values() if person.hall_id == house.hall_id]
        self.staff.show_options(((person.id, person.name) for person in here), window["staff"])
        self._every()
        self._show_state(window)
        admin = self.service.may_admin
        for pick in (self.departments, self.items):
            pick.set_read_only(not admin)
        self.staff.set_read_only(not admin or not self._people)
        self.every.setEnabled(admin)
        for name in ("name", "kind", "group"):
            self.form.field(name).set_read_only(not admin)
        self.hint.setText("" if admin else tr("您可以调整区域、位置和窗口屏，停用和启用窗口；其余由系统管理员设置。"))
        self.hint.setVisible(not admin)
        self._shown = self._fields()
        self._right.setCurrentWidget(self.detail)

    def _show_state(self, window: Doc) -> None:
        self._current = {**window} if window.get("id") else self._current
        stopped = self._stopped(window)
        fresh = not window.get("id")
        self.state.show_state("paused" if stopped else "good", self._state_sentence(window))
        self.state.setVisible(not fresh)
        self.stop.setVisible(not fresh and not stopped)
        self.reopen.setVisible(not fresh and stopped)

    def _state_sentence(self, window: Doc) -> str:
        if not self._stopped(window):
            return tr("启用中")
        stopped = window["state"]["stopped"]
        until = tr("，至 {day}", day=stopped["until"]) if stopped["until"] else ""
        instead = tr("，请到{window}", window=stopped["instead"]) if stopped["instead"] else ""
        return tr("已停用：{text}{until}{instead}", text=stopped["text"], until=until, instead=instead)

    def _stopped(self, window: Doc) -> bool:
        return bool(window.get("state")) and is_stopped(window, self.service.today())

    def _items_words(self, window: Doc) -> str:
        return tr("全部") if ALL in window["item_codes"] else tr("{n} 项", n=len(window["item_codes"]))

    def _staff_words(self, window: Doc) -> str:
        names = [self._people[id].name for id in window["staff"] if id in self._people]
        rest = len(window["staff"]) - len(names)
        return tr("、").join(names) + (tr("{n} 人", n=rest) if rest else "")

    def _state_words(self, window: Doc) -> str:
        return tr("已停用") if self._stopped(window) else tr("启用中")

    def _state_look(self, window: Doc) -> str:
        return "paused" if self._stopped(window) else "good"

    @Slot()
    def _every(self) -> None:
        self.items.setVisible(not self.every.isChecked())

    @Slot(object)
    def _enter(self, window: Doc) -> None:
        self.form.field("area" if not self.service.may_admin else "name").take_focus()

    # -- what is changed --------------------------------------------------------------------------

    def _fields(self) -> dict[str, Any]:
        values = self.form.values()
        texts = {name: str(values.get(name) or "") for name in ("name", "kind", "group", "area", "screen")}
        metres = {name: values.get(name, 0) for name in _METRES}
        codes = [ALL] if self.every.isChecked() else self.items.values()
        picks = {"department_ids": self.departments.values(), "item_codes": codes, "staff": self.staff.values()}
        return {**texts, **metres, **picks}

    def _dirty(self) -> bool:
        return self._current is not None and self._fields() != self._shown

    @Slot()
    def _begin(self) -> None:
        self.banner.clear()
        blank = {"name": "", "area": "", "group": "A", "department_ids": [], "item_codes": [ALL], "staff": [],
                 "x": 0, "y": 0, "w": 2, "h": 2, "screen": "", "kind": ""}  # fmt: skip
        self._show(blank)
        self.form.field("name").take_focus()

    @Slot()
    def _save(self) -> None:
        window, house = self._current, self._house
        assert window is not None
        assert house is not None
        fields, before = self._fields(), self._shown
        changed = {name: value for name, value in fields.items() if not window.get("id") or value != before[name]}
        if not changed:
            self.banner.say(tr("没有改动。"), "info")
            return
        if not self.service.may_admin:
            changed = {name: value for name, value in changed.items() if name in _PLAN}
        id = str(window.get("id") or "")

        def then() -> None:
            self._shown = fields
            if not id:
                self._current = None

        def faults(found: Mapping[str, str]) -> None:
            self.form.show_faults(found)

        work = partial(self.service.put_window, id, house.hall_id, changed)
        self.desk.change(self.banner, work, tr("窗口已保存。"), then=then, faults=faults)

    @Slot()
    def _ask_stop(self) -> None:
        window = self._current
        assert window is not None
        extra = QWidget()
        column = QVBoxLayout(extra)
        column.setContentsMargins(0, 0, 0, 0)
        until, instead = DateEdit(tr("停用到哪一天（不填为长期）")), LineEdit(tr("请群众改到哪个窗口"))
        for box in (until, instead):
            column.addWidget(Label(box.accessibleName()))
            column.addWidget(box)
        dialog = TextDialog(
            tr("停用窗口"),
            tr("停用的原因"),
            self,
            consequence=self._stop_words(window),
            danger=True,
            extra=extra,
            longest=60,
        )

        def give(text: str) -> None:
            work = partial(self.service.stop_window, str(window["id"]), text, until.text(), instead.text())
            self.desk.change(self.banner, work, tr("{name}已停用。", name=window["name"]))

        dialog.given.connect(give)
        dialog.open()

    def _stop_words(self, window: Doc) -> str:
        """What stopping brings about: items that nobody else handles get no tickets."""
        house = self._house
        assert house is not None
        alone = [row for row in house.served if [one["id"] for one in row.windows] == [window["id"]]]
        if not alone:
            return tr("{name}停用期间不再叫号，它的事项由其他窗口办理。", name=window["name"])
        names: Sequence[str] = [str(row.item["name"]) for row in alone]
        told = tr("、").join(names[:3]) + (tr("等") if len(names) > 3 else "")
        return tr("停用后 {n} 个事项没有窗口办理，不再出号：{names}。", n=len(alone), names=told)

    @Slot()
    def _reopen(self) -> None:
        window = self._current
        assert window is not None
        work = partial(self.service.reopen_window, str(window["id"]))
        self.desk.change(self.banner, work, tr("{name}已重新启用。", name=window["name"]))
