"""字典: short lists of words, edited in memory with undo and saved whole; and the numbers of monitoring. D12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from client.kernel.settings import Settings
from client.widgets.basics import Button, EmptyState, Label, PrimaryButton, SectionTitle
from client.widgets.forms import FormView
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import theme
from modules.acceptance.domain.registers import MONITORING_ID, NUMBERS
from modules.acceptance.services.registers import House
from modules.acceptance.ui.admin.parts import Desk, FormDialog, Tab, make_form, row_of, text_field, whole_field
from modules.common.aggregate import Doc
from modules.common.text import tr

Entry = dict[str, Any]


def _numbers_form() -> dict[str, Any]:
    titles = {"remind_before": tr("到期前几个工作日提醒"), "red_grace": tr("黄牌后几个工作日未整改发红牌")}
    fields = {name: whole_field(titles[name], low, high) for name, (low, high) in NUMBERS.items()}
    return make_form(("", fields), required=list(NUMBERS))


class DictionariesTab(Tab):
    """The dictionaries beside the entries of the one in hand."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        memory = desk.host.service(Settings)
        self._current: Doc | None = None
        self._kept: list[Entry] = []
        self._entries: list[Entry] = []
        self._past: list[list[Entry]] = []
        self.table = RecordTable(
            [
                Column("name", tr("字典"), lambda doc: str(doc["name"]), 14, stretch=True),
                Column("count", tr("条目"), lambda doc: str(_used(doc["entries"])), 5, numeric=True,
                       sort=lambda doc: _used(doc["entries"])),
            ],
            title=tr("字典"),
            name="acceptance.settings.dictionaries",
            key=lambda doc: str(doc["id"]),
            memory=memory,
        )  # fmt: skip
        self.entries = RecordTable(
            [
                Column("text", tr("内容"), lambda entry: str(entry["text"]), 20, stretch=True),
                Column("value", tr("代码"), lambda entry: str(entry["value"]), 8),
                Column("state", tr("状态"), _entry_words, 7, state=_entry_look),
            ],
            title=tr("条目"),
            name="acceptance.settings.entries",
            key=lambda entry: str(entry["value"]),
        )
        self.entries.view.horizontalHeader().setSectionsClickable(False)  # the order is the dictionary's own
        self.title = SectionTitle("")
        self.numbers = FormView(_numbers_form())
        self.note = Label(tr("在办件沿用受理时的天数，新受理的按新的天数。"), "quiet", wrap=True)
        self.add = Button(tr("新增"), icon="plus")
        self.edit = Button(tr("修改"), icon="pencil")
        self.up = Button(tr("上移"), icon="arrow-up", shortcut="Alt+Up")
        self.down = Button(tr("下移"), icon="arrow-down", shortcut="Alt+Down")
        self.drop = Button(tr("停用"), icon="ban")
        self.undo = Button(tr("撤销"), icon="undo-2", shortcut="Ctrl+Z")
        self.save = PrimaryButton(tr("保存字典"), shortcut="Ctrl+S")
        self._tools = QWidget()
        tools = row_of(self.add, self.edit, self.up, self.down, self.drop, self.undo)
        tools.setContentsMargins(0, 0, 0, 0)
        self._tools.setLayout(tools)
        detail = QWidget()
        column = QVBoxLayout(detail)
        column.setContentsMargins(theme().space(3), 0, 0, 0)
        column.setSpacing(theme().space(2))
        for widget in (self.title, self.numbers, self.note, self._tools):
            column.addWidget(widget)
        column.addWidget(self.entries, 1)
        self._gap = QWidget()
        column.addWidget(self._gap, 1)
        column.addLayout(row_of(self.save, stretch=0))
        self._right = QStackedWidget()
        self._right.addWidget(EmptyState("book-open", tr("选一个字典，在这里查看和修改条目。")))
        self._right.addWidget(detail)
        split = MasterDetail(self.table, self._right, name="acceptance.settings.dictionaries.split", memory=memory)
        if memory.recall("acceptance.settings.dictionaries.split") is None:
            split.setSizes([theme().text_width(24), theme().text_width(60)])
        self.column.addWidget(self.banner)
        self.column.addWidget(split, 1)
        self.table.chosen.connect(self._choose)
        self.table.opened.connect(self._enter)
        self.entries.chosen.connect(self._arm)
        self.entries.opened.connect(self._ask_edit)
        self.add.clicked.connect(self._ask_new)
        self.edit.clicked.connect(self._ask_edit)
        self.up.clicked.connect(partial(self._move, -1))
        self.down.clicked.connect(partial(self._move, 1))
        self.drop.clicked.connect(self._toggle)
        self.undo.clicked.connect(self._undo)
        self.save.clicked.connect(self._save)
        admin = self.service.may_admin
        for widget in (self._tools, self.save):
            widget.setVisible(admin)
        self.numbers.set_read_only(not admin)

    def first(self) -> QWidget:
        return self.table.view

    def show_house(self, house: House) -> None:
        self.table.show_rows(house.dictionaries, empty=tr("还没有字典。"))
        current = self.table.current
        if current is not None and not self._dirty():
            self._show(current)

    @Slot(object)
    def _choose(self, dictionary: Doc | None) -> None:
        self.banner.clear()
        if dictionary is not None:
            self._show(dictionary)
        else:
            self._current = None
            self._right.setCurrentIndex(0)

    @Slot(object)
    def _enter(self, dictionary: Doc) -> None:
        if dictionary["id"] == MONITORING_ID:
            self.numbers.field("remind_before").take_focus()
        else:
            self.entries.view.setFocus()

    def _show(self, dictionary: Doc) -> None:
        self._current = dictionary
        self._kept = [dict(entry) for entry in dictionary["entries"]]
        self._entries, self._past = [dict(entry) for entry in self._kept], []
        self.title.setText(str(dictionary["name"]))
        monitoring = dictionary["id"] == MONITORING_ID
        self.numbers.set_values({name: dictionary.get(name) for name in NUMBERS} if monitoring else {})
        for widget in (self.numbers, self.note, self._gap):
            widget.setVisible(monitoring)
        self._tools.setVisible(self.service.may_admin and not monitoring)
        self.entries.setVisible(not monitoring)
        self._fill()
        self._right.setCurrentIndex(1)

    def _fill(self, choose: str = "") -> None:
        self.entries.show_rows(self._entries, empty=tr("这个字典还没有条目。"))
        if choose:
            self.entries.choose(choose)
        self._arm(self.entries.current)

    @Slot(object)
    def _arm(self, entry: Entry | None) -> None:
        place = self._place(entry)
        self.edit.setEnabled(place >= 0)
        self.up.setEnabled(place > 0)
        self.down.setEnabled(0 <= place < len(self._entries) - 1)
        self.drop.setEnabled(place >= 0)
        self.drop.set_label(tr("恢复") if entry is not None and entry.get("removed") else tr("停用"))
        self.undo.setEnabled(bool(self._past))

    def _place(self, entry: Entry | None) -> int:
        values = [one["value"] for one in self._entries]
        return values.index(entry["value"]) if entry is not None and entry["value"] in values else -1

    # -- what is changed here, with undo ----------------------------------------------------------

    def _became(self, entries: list[Entry], choose: str) -> None:
        self._past.append(self._entries)
        self._entries = entries
        self._fill(choose)

    @Slot()
    def _undo(self) -> None:
        if self._past:
            self._entries = self._past.pop()
            self._fill()

    def _move(self, step: int) -> None:
        entry = self.entries.current
        place = self._place(entry)
        if entry is None or not 0 <= place + step < len(self._entries):
            return
        moved = list(self._entries)
        moved.insert(place + step, moved.pop(place))
        self._became(moved, str(entry["value"]))

    @Slot()
    def _toggle(self) -> None:
        entry = self.entries.current
        if entry is None:
            return
        removed = not entry.get("removed")
        changed = [{**one, "removed": removed} if one["value"] == entry["value"] else one for one in self._entries]
        self._became(changed, str(entry["value"]))

    @Slot()
    def _ask_new(self) -> None:
        held = {entry["value"] for entry in self._entries}
        value = next(f"n{n}" for n in range(1, len(held) + 2) if f"n{n}" not in held)
        self._ask(tr("新增条目"), {"text": "", "value": value}, fresh=True)

    @Slot()
    def _ask_edit(self) -> None:
        entry = self.entries.current
        if entry is not None and self.service.may_admin:
            self._ask(tr("修改条目"), entry, fresh=False)

    def _ask(self, title: str, entry: Mapping[str, Any], *, fresh: bool) -> None:
        fields = {
            "text": text_field(tr("内容"), maxLength=200, **{"x-lines": 3}),
            "value": text_field(tr("代码"), maxLength=64, description=tr("已用过的代码不要改")),
        }
        form = make_form(("", fields), required=["text", "value"])
        values = {"text": entry["text"], "value": entry["value"]}
        dialog = FormDialog(title, tr("确定"), form, values, self)
        dialog.form.field("value").set_read_only(not fresh)

        def take(values: Mapping[str, Any]) -> None:
            text, value = str(values.get("text") or "").strip(), str(values.get("value") or "").strip()
            faults = {name: tr("请填写。") for name, said in (("text", text), ("value", value)) if not said}
            if fresh and any(one["value"] == value for one in self._entries):
                faults["value"] = tr("代码“{value}”已经有了。", value=value)
            if faults:
                dialog.form.show_faults(faults)
                dialog.grow()
                return
            if fresh:
                changed = [*self._entries, {"value": value, "text": text}]
            else:
                changed = [{**one, "text": text} if one["value"] == value else one for one in self._entries]
            dialog.accept()
            self._became(changed, value)

        dialog.wanted.connect(take)
        dialog.open()
        dialog.form.field("text").take_focus()

    # -- saving -----------------------------------------------------------------------------------

    def _numbers(self) -> dict[str, Any]:
        monitoring = self._current is not None and self._current["id"] == MONITORING_ID
        return {name: self.numbers.values().get(name) for name in NUMBERS} if monitoring else {}

    def _dirty(self) -> bool:
        current = self._current
        if current is None:
            return False
        numbers = self._numbers()
        return _plain(self._entries) != _plain(self._kept) or any(
            current.get(name) != numbers[name] for name in numbers
        )

    @Slot()
    def _save(self) -> None:
        dictionary = self._current
        assert dictionary is not None
        if not self._dirty():
            self.banner.say(tr("没有改动。"), "info")
            return
        entries = list(self._entries)

        def then() -> None:
            self._kept, self._past = entries, []
            self._current = {**dictionary, **self._numbers()}

        work = partial(self.service.put_dictionary, dictionary, entries, **self._numbers())
        told = tr("字典“{name}”已保存。", name=dictionary["name"])
        self.desk.change(self.banner, work, told, then=then, faults=self._show_faults)

    def _show_faults(self, faults: Mapping[str, str]) -> None:
        rest = self.numbers.show_faults({name: words for name, words in faults.items() if name in NUMBERS})
        if entries := faults.get("entries", next(iter(rest.values()), "")):
            self.banner.say(entries, "red", code="ACC-347")


def _used(entries: Sequence[Mapping[str, Any]]) -> int:
    return sum(not entry.get("removed") for entry in entries)


def _plain(entries: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, bool]]:
    return [(str(one["value"]), str(one["text"]), bool(one.get("removed"))) for one in entries]


def _entry_words(entry: Mapping[str, Any]) -> str:
    return tr("已停用") if entry.get("removed") else tr("使用中")


def _entry_look(entry: Mapping[str, Any]) -> str:
    return "paused" if entry.get("removed") else "good"
