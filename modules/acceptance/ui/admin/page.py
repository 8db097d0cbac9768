"""大厅设置: windows, who serves what, the queue, dictionaries, holidays, the house. C18, D12, E6."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.kernel.events import Events, RecordsChanged
from client.kernel.settings import Settings
from client.widgets.basics import ComboBox, LinkButton, LoadingState, StatePane
from client.widgets.theme import set_role, theme
from modules.acceptance.domain import items, windows
from modules.acceptance.domain.registers import DAY_KIND, DICTIONARY_KIND, ORGANISATION_KIND
from modules.acceptance.services.registers import House, settings_of
from modules.acceptance.ui.admin.days import DaysTab
from modules.acceptance.ui.admin.dictionaries import DictionariesTab
from modules.acceptance.ui.admin.house import HouseTab
from modules.acceptance.ui.admin.parts import Desk, Tab, row_of
from modules.acceptance.ui.admin.queueing import QueueTab
from modules.acceptance.ui.admin.relations import RelationsTab
from modules.acceptance.ui.admin.windows import WindowsTab
from modules.common.errors import GovDeskError, Refused
from modules.common.text import tr

KINDS = (windows.KIND, windows.SETTINGS_KIND, items.KIND, DICTIONARY_KIND, DAY_KIND, ORGANISATION_KIND)
_MEMORY = "acceptance.settings.tab"


class SettingsView(QWidget):
    """The page of whoever sets up a hall."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        set_role(self, "page")
        service = settings_of(host)
        self._desk = Desk(host, service, self._reload)
        self._service = service
        self._memory = host.service(Settings)
        self._loading: Token | None = None
        self._again = False
        self.hall = ComboBox(tr("大厅"))
        self.hall.hide()
        self.people = LinkButton(tr("人员与角色"), icon="users")
        self.items = LinkButton(tr("事项管理"), icon="clipboard-list")
        self.windows, self.relations = WindowsTab(self._desk), RelationsTab(self._desk)
        self.queue, self.dictionaries = QueueTab(self._desk), DictionariesTab(self._desk)
        self.days, self.house = DaysTab(self._desk), HouseTab(self._desk)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setAccessibleName(tr("大厅设置"))
        self._tabs: dict[str, Tab] = {
            "windows": self.windows,
            "relations": self.relations,
            "queue": self.queue,
            "dictionaries": self.dictionaries,
            "days": self.days,
            "house": self.house,
        }
        titles = (tr("窗口"), tr("人员关系"), tr("排队设置"), tr("字典"), tr("节假日"), tr("机构"))
        for tab, title in zip(self._tabs.values(), titles, strict=True):
            self.tabs.addTab(tab, title)
        self.state: StatePane = LoadingState()
        self._stack = QStackedWidget()
        self._stack.addWidget(self.state)
        self._stack.addWidget(self.tabs)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(2))
        corner = QWidget()
        beside = row_of(self.hall, self.people, self.items, stretch=0)
        beside.setContentsMargins(0, 0, 0, 0)
        corner.setLayout(beside)
        self.people.setVisible(service.actor.may("people.view"))
        self.items.setVisible(service.actor.may("acceptance.items"))
        self.tabs.setCornerWidget(corner)
        column.addWidget(self._stack, 1)
        self.setFocusProxy(self.tabs.tabBar())
        self.hall.activated.connect(self._reload)
        self.people.clicked.connect(self._open_people)
        self.items.clicked.connect(self._open_items)
        self.state.acted.connect(self._reload)
        kept = self._memory.recall(_MEMORY)
        if kept in self._tabs:
            self.tabs.setCurrentWidget(self._tabs[str(kept)])
        self.tabs.currentChanged.connect(self._remember)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        self.destroyed.connect(self._end_events)
        self._reload()

    def show_arguments(self, **arguments: Any) -> None:
        """``tab`` is one of windows, relations, queue, dictionaries, days, house."""
        if (tab := self._tabs.get(str(arguments.get("tab", "")))) is not None:
            self.tabs.setCurrentWidget(tab)
            tab.first().setFocus()

    def back(self) -> bool:
        """From a tab's content to the tabs."""
        focus = self.focusWidget()
        if focus is None or focus is self.tabs.tabBar():
            return False
        self.tabs.tabBar().setFocus()
        return True

    def closeEvent(self, event: QCloseEvent) -> None:
        self._end_events()
        self._desk.work.close()
        super().closeEvent(event)

    @Slot()
    def _reload(self) -> None:
        """Read anew; of several wishes while it is being read only the last is done."""
        if self._loading is not None and not self._loading.finished:
            self._again = True
            return
        hall = str(self.hall.currentData() or "")
        self._loading = self._desk.work.run(
            "read", lambda token: self._service.house(hall), done=self._loaded, failed=self._not_loaded
        )

    def _loaded(self, house: House) -> None:
        self._loading = None
        if self._again:
            self._again = False
            self._reload()
            return
        self._show_halls(house)
        for tab in self._tabs.values():
            tab.show_house(house)
        self._stack.setCurrentWidget(self.tabs)

    def _not_loaded(self, error: BaseException) -> None:
        self._loading = None
        if isinstance(error, Refused) and error.code == "AUTH-403":
            self.state.say("lock", error.message)
        else:
            told = error.words() if isinstance(error, GovDeskError) else str(error)
            self.state.say("octagon-alert", told, tr("再试一次"))
        self._stack.setCurrentWidget(self.state)

    def _show_halls(self, house: House) -> None:
        self.hall.setVisible(len(house.halls) > 1 and not self._service.actor.hall_id)
        if [self.hall.itemData(place) for place in range(self.hall.count())] != list(house.halls):
            self.hall.clear()
            for id, name in house.halls.items():
                self.hall.addItem(name, id)
        self.hall.setCurrentIndex(max(0, self.hall.findData(house.hall_id)))

    def _records_changed(self, event: RecordsChanged) -> None:
        if not self._desk.work.closed and any(event.touches(kind) for kind in KINDS):
            self._reload()

    @Slot(int)
    def _remember(self, place: int) -> None:
        self._memory.remember(_MEMORY, list(self._tabs)[place])

    @Slot()
    def _open_people(self) -> None:
        self._desk.host.open_page("people.people")

    @Slot()
    def _open_items(self) -> None:
        self._desk.host.open_page("acceptance.items")
