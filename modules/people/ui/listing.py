"""The list of people, searched at the server: on each page that is about one of them."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QVBoxLayout

from client.kernel.contract import Host
from client.kernel.settings import Settings
from client.widgets.basics import SearchBox
from client.widgets.tables import Column, RecordTable
from modules.common.server_ports import PeoplePage, PersonView
from modules.common.text import tr
from modules.people.ui.asking import (
    BASE,
    Asking,
    Organisations,
    organisations,
    role_names,
    said_time,
    show_trouble,
)
from sync.protocol import from_wire


class PeopleList(Asking):
    """People by login; ``chosen`` carries the one that is, or None. The page puts ``search`` where it belongs.

    ``name`` is under which the table's columns are remembered.
    """

    chosen = Signal(object)

    def __init__(self, host: Host, *, name: str) -> None:
        super().__init__(host)
        self.places = Organisations()
        self._pending = ""
        self.search = SearchBox(tr("查找人员：登录名、姓名"))
        self.search.setAccessibleName(tr("查找人员"))
        self.search.searched.connect(self.reload)
        self.table = RecordTable(
            (
                Column("login", tr("登录名"), lambda person: person.login, 8),
                Column("name", tr("姓名"), lambda person: person.name, 6),
                Column("place", tr("所在"), self._place, 12, stretch=True),
                Column("roles", tr("角色"), lambda person: role_names(person.roles), 12),
                Column("state", tr("状态"), person_state, 8, state=person_look),
            ),
            title=tr("人员"),
            name=name,
            key=lambda person: str(person.id),
            memory=host.service(Settings),
        )
        self.table.chosen.connect(self.chosen)
        self.table.more_wanted.connect(self._ask_more)
        self.table.search_wanted.connect(self.search.setFocus)
        self.table.acted.connect(self.reload)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.table)
        host.run("read", partial(organisations, host), done=self._know_places, name=tr("读取机构"))

    def _know_places(self, places: Organisations) -> None:
        self.places = places
        self.table.view.viewport().update()

    def _place(self, person: PersonView) -> str:
        return self.places.name(person)

    @Slot()
    def reload(self) -> None:
        """Ask for the people that the search box means; an older answer is dropped."""
        self._pending = self.search.text().strip()
        if not self.table.rows:
            self.table.show_loading()
        self._ask_page(0)

    @Slot()
    def _ask_more(self) -> None:
        """Somebody has come to the end of those that are listed."""
        self._ask_page(len(self.table.rows))

    def _ask_page(self, offset: int) -> None:
        text = self._pending
        wanted = {"text": text, "offset": str(offset), "limit": "200"}
        self.ask(
            lambda server: from_wire(PeoplePage, server.get(f"{BASE}/people", **wanted)),
            partial(self._show, text, offset),
            partial(show_trouble, self.table),
        )

    def _show(self, text: str, offset: int, page: PeoplePage) -> None:
        if text != self._pending or (offset and offset != len(self.table.rows)):
            return
        more = bool(page.items) and offset + len(page.items) < page.total
        if offset:
            self.table.add_rows(page.items, more=more)
        else:
            empty = tr("没有找到“{text}”。", text=text) if text else tr("还没有人员。")
            self.table.show_rows(page.items, empty=empty, more=more)
        self.chosen.emit(self.table.current)


def person_facts(person: PersonView, place: str) -> str:
    """What is known of a person, line by line."""
    facts = [tr("登录名 {login}", login=person.login), place, tr("建于 {when}", when=said_time(person.created_at))]
    return "\n".join(fact for fact in facts if fact)


def person_state(person: PersonView) -> str:
    """How an account stands, in words."""
    if not person.enabled:
        return tr("已停用")
    return tr("待换密码") if person.must_change_password else tr("正常")


def person_look(person: PersonView) -> str:
    """The same as a state of the theme."""
    if not person.enabled:
        return "paused"
    return "due" if person.must_change_password else "good"
