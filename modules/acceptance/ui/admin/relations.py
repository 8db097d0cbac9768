"""人员关系: which windows handle an item, which people sit where; what nobody handles stands first. C18."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QCheckBox, QStackedWidget, QWidget

from client.kernel.settings import Settings
from client.widgets.basics import ComboBox, SearchBox, StateLabel
from client.widgets.tables import Column, RecordTable
from modules.acceptance.domain.registers import Served, windows_of
from modules.acceptance.services.registers import House, Person
from modules.acceptance.ui.admin.parts import Desk, Tab, is_offline, row_of
from modules.acceptance.ui.say import say_error
from modules.common.aggregate import Doc
from modules.common.text import tr


@dataclass(frozen=True, slots=True)
class Seated:
    """A person and where they sit."""

    id: str
    name: str
    windows: tuple[Doc, ...]
    items: int


class RelationsTab(Tab):
    """Items with their windows and people, or people with their windows."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        memory = desk.host.service(Settings)
        self._house: House | None = None
        self._people: dict[str, Person] = {}
        self.view = ComboBox(tr("查看方式"))
        for words, which in ((tr("按事项"), 0), (tr("按人员"), 1)):
            self.view.addItem(words, which)
        self.search = SearchBox(tr("查找事项、窗口或人员"))
        self.amiss = QCheckBox(tr("只看有问题的"))
        self.summary = StateLabel()
        self.items = RecordTable(
            [
                Column("item", tr("事项"), lambda row: str(row.item["name"]), 16, stretch=True),
                Column("department", tr("部门"), lambda row: str(row.item["department"]), 12),
                Column("windows", tr("办理窗口"), _window_names, 12),
                Column("staff", tr("人员"), self._staff_names, 14),
                Column("why", tr("情况"), _why, 10, state=_look),
            ],
            title=tr("事项由谁办理"),
            name="acceptance.settings.relations",
            key=lambda row: str(row.item["id"]),
            memory=memory,
        )
        self.people = RecordTable(
            [
                Column("name", tr("人员"), lambda row: str(row.name), 8),
                Column("windows", tr("窗口"), _window_names, 16, stretch=True),
                Column(
                    "items", tr("可办事项"), lambda row: str(row.items), 6, sort=lambda row: row.items, numeric=True
                ),
                Column("why", tr("情况"), _seat_words, 10, state=_seat_look),
            ],
            title=tr("人员在哪个窗口"),
            name="acceptance.settings.seats",
            key=lambda row: str(row.id),
            memory=memory,
        )
        self._stack = QStackedWidget()
        self._stack.addWidget(self.items)
        self._stack.addWidget(self.people)
        self.column.addLayout(row_of(self.view, self.search, self.amiss, wide=1))
        self.column.addWidget(self.summary)
        self.column.addWidget(self.banner)
        self.column.addWidget(self._stack, 1)
        self.view.currentIndexChanged.connect(self._filter)
        self.search.searched.connect(self._filter)
        self.amiss.toggled.connect(self._filter)
        for table in (self.items, self.people):
            table.search_wanted.connect(self.search.setFocus)
        self.items.opened.connect(self._open_item)
        self._ask_people()

    def first(self) -> QWidget:
        return self.search

    def show_house(self, house: House) -> None:
        self._house = house
        self._filter()

    def _ask_people(self) -> None:
        def done(people: list[Person]) -> None:
            self._people = {person.id: person for person in people}
            self._filter()

        def failed(error: BaseException) -> None:
            if is_offline(error):
                self.banner.say(tr("人员名单在服务器上，现在连不上：窗口与事项可以看，人员只有编号。"), "offline")
            else:
                say_error(self.banner, error)

        self.desk.work.run("net", lambda token: self.service.staff(), done=done, failed=failed)

    @Slot()
    def _filter(self) -> None:
        house = self._house
        if house is None:
            return
        words, amiss = self.search.text().split(), self.amiss.isChecked()
        served = [row for row in house.served if (row.why or not amiss) and _holds(self._item_text(row), words)]
        self.items.show_rows(served, empty=tr("没有符合的事项。"))
        seated = [row for row in self._seated(house) if (not row.windows or not amiss)]
        seated = [row for row in seated if _holds(f"{row.name} {_window_names(row)}", words)]
        self.people.show_rows(seated, empty=tr("没有符合的人员。"))
        self._stack.setCurrentIndex(self.view.currentData())
        wrong = sum(bool(row.why) for row in house.served)
        if wrong:
            told = tr("{all} 个事项中 {n} 个现在没有人办理，不出号、不能预约。", all=len(house.served), n=wrong)
            self.summary.show_state("red", told)
        else:
            self.summary.show_state("good", tr("{all} 个事项都有窗口和人员办理。", all=len(house.served)))

    def _item_text(self, row: Served) -> str:
        item = row.item
        return f"{item['name']} {item['code']} {item['department']} {_window_names(row)} {self._staff_names(row)}"

    def _staff_names(self, row: Served) -> str:
        return tr("、").join(self._people[id].name if id in self._people else id for id in row.staff)

    def _seated(self, house: House) -> list[Seated]:
        here = {person.id: person.name for person in self._people.values() if person.hall_id == house.hall_id}
        known = {id: id for window in house.windows for id in window["staff"]}
        rows = []
        for id, name in {**known, **here}.items():
            name = self._people[id].name if id in self._people else name
            items = sum(id in row.staff for row in house.served)
            rows.append(Seated(id, name, tuple(windows_of(id, house.windows)), items))
        return sorted(rows, key=lambda row: (bool(row.windows), row.name))

    @Slot(object)
    def _open_item(self, row: Served) -> None:
        if self.service.actor.may("acceptance.items"):
            self.desk.host.open_page("acceptance.items", item=row.item["code"])


def _holds(text: str, words: list[str]) -> bool:
    return all(word in text for word in words)


def _window_names(row: Served | Seated) -> str:
    return tr("、").join(str(window["name"]) for window in row.windows)


def _why(row: Served) -> str:
    return row.why or tr("正常")


def _look(row: Served) -> str:
    return "red" if row.why else "good"


def _seat_words(row: Seated) -> str:
    return tr("在岗位表中") if row.windows else tr("没有排窗口")


def _seat_look(row: Seated) -> str:
    return "good" if row.windows else "due"
