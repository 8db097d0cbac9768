"""What is said beside the material at hand: asked of the knowledge base, rated, sent to the department."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from client.kernel.contract import Host
from client.kernel.ports import Record, Session
from modules.acceptance.services.knowledge import knowledge_of
from modules.acceptance.ui.counter.points import PointsPane
from modules.acceptance.ui.work import PageWork
from modules.common.aggregate import Doc
from modules.common.text import tr


class Advice(QObject):
    """Fills the pane for an item and a material. ``failed`` brings what went wrong."""

    failed = Signal(object)

    def __init__(self, host: Host, work: PageWork, pane: PointsPane) -> None:
        super().__init__(pane)
        self._host = host
        self._work = work
        self._pane = pane
        self._service = knowledge_of(host)
        self._session = host.service(Session)  # type: ignore[type-abstract]
        self._item: Doc | None = None
        self._material = ""
        pane.rated.connect(self._rate)
        pane.asked.connect(self._ask)
        pane.searched.connect(self._search)
        pane.hide()

    def open(self, item: Doc) -> None:
        """Somebody's case of this item is on the counter."""
        self._item, self._material = item, ""
        self._pane.show()
        self._pane.show_material(None)
        self.refresh()

    def close(self) -> None:
        """The counter is empty."""
        self._item = None
        self._pane.hide()

    def at(self, material_id: str) -> None:
        """This material is at hand now."""
        if self._item is None or material_id == self._material:
            return
        self._material = material_id
        found = next((material for material in self._item["materials"] if material["id"] == material_id), None)
        self._pane.show_material(found)
        self.refresh()

    def refresh(self) -> None:
        """Ask again: an entry may have changed."""
        if self._item is None:
            return
        code, material = str(self._item["code"]), self._material
        self._work.run(
            "read", lambda token: self._service.at_hand(code, material), done=self._show, failed=self.failed.emit
        )

    def _show(self, entries: list[Doc]) -> None:
        self._pane.show_entries(entries, self._session.actor.id)

    @Slot(str)
    def _search(self, words: str) -> None:
        if not words.strip():
            self.refresh()
            return

        def find(token: object) -> list[Doc]:
            return [record.doc for record in self._service.search(words)]

        self._work.run("read", find, done=self._show, failed=self.failed.emit)

    @Slot(str, bool)
    def _rate(self, id: str, useful: bool) -> None:
        self._host.run("data", lambda token: self._service.rate(id, useful=useful), failed=self.failed.emit)

    @Slot(str, str)
    def _ask(self, entry_id: str, words: str) -> None:
        if self._item is None:
            return
        item, material = self._item, self._material

        def ask(token: object) -> Record:
            return self._service.ask(
                item["department_id"], words, item_code=item["code"], material_id=material, entry_id=entry_id
            )

        def asked(_record: Record) -> None:
            self._host.notice(tr("已送给{department}。", department=item["department"]), state="good")

        self._host.run("data", ask, done=asked, failed=self.failed.emit)
