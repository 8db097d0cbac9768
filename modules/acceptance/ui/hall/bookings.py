"""预约: what is booked, free slots by item and day, and booking for a person who asks at the desk. C05, E4, E5.

Booking asks the server, which alone sees the last place of a slot; looking, finding and cancelling go without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QButtonGroup, QFormLayout, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.kernel.events import Events, RecordsChanged, SyncChanged
from client.kernel.settings import Settings
from client.widgets.basics import (
    Banner,
    Button,
    ComboBox,
    ConfirmDialog,
    DangerButton,
    Label,
    LineEdit,
    PrimaryButton,
    SearchBox,
    SectionTitle,
    StatePane,
)
from client.widgets.tables import Column, MasterDetail, RecordTable
from client.widgets.theme import set_role, theme
from devices.ports import IdCardReader, IdentityRecord, no_reader
from modules.acceptance.domain import booking, windows
from modules.acceptance.domain.queue import slot_words
from modules.acceptance.services.booking import BookingService
from modules.acceptance.services.wiring import booking_of, kiosk_of
from modules.acceptance.ui.say import say_error
from modules.acceptance.ui.work import PageWork
from modules.common.aggregate import Doc
from modules.common.errors import GovDeskError, Refused
from modules.common.text import tr

OFFLINE = ("NET-001", "NET-003")
_LOOK = {booking.BOOKED: "info", booking.ARRIVED: "good", booking.CANCELLED: "quiet", booking.MISSED: "due"}
_WIDE = 4


@dataclass(frozen=True, slots=True)
class _Read:
    """What the list shows, and how often whom has missed: by the mark of the person."""

    docs: list[Doc]
    settings: Doc
    missed: Mapping[str, int]


class BookingsView(QWidget):
    """The page of whoever keeps appointments."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._service: BookingService = booking_of(host)
        self._kiosk = kiosk_of(host)
        self._work = PageWork(host)
        self._events = host.service(Events)
        self._read_last: _Read | None = None
        self._reader: IdCardReader | None = None
        self._asked = 0
        self._wanted_slot = ""
        self._found = ""
        memory = host.service(Settings)
        set_role(self, "page")
        self.search = SearchBox(tr("证件号、手机号或预约号"))
        self.search.setAccessibleName(tr("查找预约"))
        self.day = ComboBox(tr("日期"))
        self.banner = Banner()
        columns = [
            Column("day", tr("日期"), lambda doc: windows.day_words(date.fromisoformat(doc["day"])), 6,
                   sort=lambda doc: doc["slot"]["start"]),
            Column("slot", tr("时段"), lambda doc: slot_words(doc["slot"]), 8),
            Column("person", tr("姓名"), lambda doc: str(doc["person"].get("name", "")), 5),
            Column("item", tr("事项"), lambda doc: str(doc["item"]["name"]), 10, stretch=True),
            Column("state", tr("状态"), lambda doc: booking.state_name(doc["state"]), 7.5,
                   state=lambda doc: _LOOK[doc["state"]]),
        ]  # fmt: skip
        self.table = RecordTable(
            columns, title=tr("预约"), name="acceptance.bookings", key=lambda doc: str(doc["id"]), memory=memory
        )
        self.about = Label("", "quiet", wrap=True, selectable=True)
        self.cancel = DangerButton(tr("取消预约…"))
        self._make_form()
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(2))
        column.addWidget(self.table, 1)
        column.addWidget(self.about)
        column.addWidget(self.cancel, 0, Qt.AlignmentFlag.AlignLeft)
        split = MasterDetail(left, self._scroll, name="acceptance.bookings.split", memory=memory)
        if memory.recall("acceptance.bookings.split") is None:
            split.setSizes([theme().text_width(44), theme().text_width(44)])
        head = QHBoxLayout()
        head.setSpacing(theme().space(3))
        head.addWidget(self.search, 2)
        head.addWidget(self.day, 1)
        page = QVBoxLayout(self)
        page.setContentsMargins(*(theme().space(4),) * 4)
        page.setSpacing(theme().space(3))
        page.addLayout(head)
        page.addWidget(self.banner)
        page.addWidget(split, 1)
        self.setFocusProxy(self.search)
        self._fill_days()
        self._connect()
        self._show_chosen(None)
        self._reload()
        self._find_items("")

    def _make_form(self) -> None:
        self.find_item = SearchBox(tr("事项名称或拼音首字母"))
        self.find_item.setAccessibleName(tr("查找事项"))
        self.item = ComboBox(tr("事项"))
        self.slots = QWidget()
        self.slots.setAccessibleName(tr("时段"))
        self._grid = QGridLayout(self.slots)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(theme().space(2))
        self._group = QButtonGroup(self)
        self._buttons: list[Button] = []
        self.state = StatePane("calendar-days", tr("选事项和日期，看哪些时段可约。"))
        self.id_number, self.name, self.phone = LineEdit(tr("证件号")), LineEdit(tr("姓名")), LineEdit(tr("手机号"))
        self.read_card = Button(tr("读卡"), icon="id-card", shortcut="F4")
        self.book = PrimaryButton(tr("预约"), icon="calendar-days")
        self.form_banner = Banner()
        card = QWidget()
        set_role(card, "card")
        column = QVBoxLayout(card)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        head = QHBoxLayout()
        head.addWidget(SectionTitle(tr("新预约")), 1)
        head.addWidget(self.read_card)
        column.addLayout(head)
        for widget in (self.find_item, self.item, self.state, self.slots):
            column.addWidget(widget)
        form = QFormLayout()
        form.setSpacing(theme().space(2))
        for edit in (self.id_number, self.name, self.phone):
            form.addRow(Label(edit.accessibleName()), edit)
        column.addLayout(form)
        column.addWidget(Label(tr("姓名和证件号码只留遮盖后的，手机号用于提醒。"), "small", wrap=True))
        column.addWidget(self.form_banner)
        column.addWidget(self.book, 0, Qt.AlignmentFlag.AlignRight)
        column.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(card)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.slots.hide()

    def _connect(self) -> None:
        self._ends = [
            self._events.subscribe(RecordsChanged, self._records_changed),
            self._events.subscribe(SyncChanged, self._sync_changed),
        ]
        self.search.submitted.connect(self._search)
        self.search.searched.connect(self._search_emptied)
        self.day.currentIndexChanged.connect(self._day_chosen)
        self.table.chosen.connect(self._show_chosen)
        self.table.search_wanted.connect(self.search.setFocus)
        self.table.acted.connect(self._reload)
        self.cancel.clicked.connect(self._ask_cancel)
        self.find_item.searched.connect(self._find_items)
        self.item.currentIndexChanged.connect(self._ask_slots)
        self.state.acted.connect(self._ask_slots)
        self.read_card.clicked.connect(self._read_card)
        self.book.clicked.connect(self._book)
        for edit in (self.id_number, self.name, self.phone):
            edit.submitted.connect(self._book)

    def show_arguments(self, **arguments: Any) -> None:
        """``text`` finds a person's bookings."""
        self.search.setText(str(arguments.get("text", "")))
        self._search()

    def back(self) -> bool:
        """From a search to the day."""
        if self.search.text():
            self.search.clear()
            return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape or not self.back():
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._stop_reading()
        for end in self._ends:
            end()
        self._work.close()
        super().closeEvent(event)

    def _fill_days(self) -> None:
        today = windows.local_day(self._service.hall.clock.now())
        for ahead in range(windows.DEFAULT_SETTINGS["booking"]["last_day"] + 1):
            day = today + timedelta(days=ahead)
            near = (tr("今天"), tr("明天"), tr("后天"))
            weekday = (tr("周一"), tr("周二"), tr("周三"), tr("周四"), tr("周五"), tr("周六"), tr("周日"))[
                day.weekday()
            ]
            words = tr("{day} {weekday}", day=windows.day_words(day), weekday=near[ahead] if ahead < 3 else weekday)
            self.day.addItem(words, day)
        self.day.setCurrentIndex(1)

    # -- the list -------------------------------------------------------------------------------------

    def _records_changed(self, event: RecordsChanged) -> None:
        if event.touches(booking.KIND):
            self._reload()

    def _sync_changed(self, event: SyncChanged) -> None:
        if event.state == "online" and not self.state.isHidden():
            self._ask_slots()

    @Slot()
    def _search(self) -> None:
        self._found = self.search.text().strip()
        self._reload()

    @Slot(str)
    def _search_emptied(self, text: str) -> None:
        if not text:
            self._search()

    @Slot()
    def _day_chosen(self) -> None:
        if self.search.text():
            self.search.clear()
        else:
            self._reload()
        self._ask_slots()

    @Slot()
    def _reload(self) -> None:
        text, day = self._found, self.day.currentData()

        def read(token: object) -> _Read:
            docs = self._service.search(text) if text else self._service.of_day(day)
            settings = self._service.hall.settings()
            return _Read(docs, settings, self._service.missed())

        self._work.run("read", read, done=self._show_read, failed=self._not_read)

    def _show_read(self, read: _Read) -> None:
        self._read_last = read
        empty = tr("没有找到这个人的预约。") if self._found else tr("这一天还没有预约。")
        self.table.show_rows(read.docs, empty=empty)
        self._show_chosen(self.table.current)

    def _not_read(self, error: BaseException) -> None:
        if isinstance(error, Refused) and error.code == "AUTH-403":
            self.table.show_forbidden(error.words())
            self._scroll.hide()
        else:
            self.table.show_failed(error.words() if isinstance(error, GovDeskError) else str(error), tr("再试一次"))

    @Slot(object)
    def _show_chosen(self, doc: Doc | None) -> None:
        self.cancel.setVisible(doc is not None and doc["state"] == booking.BOOKED)
        self.about.setVisible(doc is not None)
        if doc is None:
            return
        parts = [
            tr("预约号 {number}", number=doc["number"]),
            str(doc["person"].get("id_number", "")),
            str(doc["person"].get("phone", "")),
            str(doc["history"][-1]["text"]),
        ]
        if self._read_last is not None and (n := self._read_last.missed.get(doc["person"].get("id_hash", ""), 0)):
            rules = self._read_last.settings["booking"]
            parts.append(
                tr("{days} 天内爽约 {n} 次，超过 {most} 次暂停预约", days=rules["no_show_days"], n=n,
                   most=rules["no_shows"])
            )  # fmt: skip
        self.about.setText(" · ".join(part for part in parts if part))

    @Slot()
    def _ask_cancel(self) -> None:
        doc = self.table.current
        if doc is None:
            return
        when = f"{windows.day_words(date.fromisoformat(doc['day']))} {slot_words(doc['slot'])}"
        words = tr("{name} {when} 的预约将取消，名额让给别人。", name=doc["person"].get("name", ""), when=when)
        dialog = ConfirmDialog(tr("取消预约"), words, keep=tr("不，保留预约"), parent=self)
        dialog.accepted.connect(lambda: self._cancel(str(doc["id"])))
        dialog.open()

    def _cancel(self, id: str) -> None:
        def done(_record: object) -> None:
            if not self._work.closed:
                self.banner.say(tr("预约已取消。"), "good")
                self._reload()
                self._ask_slots()

        def failed(error: BaseException) -> None:
            if not self._work.closed:
                say_error(self.banner, error)

        self._host.run("data", lambda token: self._service.cancel(id), done=done, failed=failed)

    # -- free slots -------------------------------------------------------------------------------------

    @Slot(str)
    def _find_items(self, text: str) -> None:
        def read(token: object) -> list[Doc]:
            return [offer.item for offer in self._kiosk.items(text)]

        def done(items: list[Doc]) -> None:
            if text == self.find_item.text():
                self._show_items(items)

        self._work.run("read", read, done=done, failed=lambda error: say_error(self.form_banner, error))

    def _show_items(self, items: Sequence[Doc]) -> None:
        chosen = self.item.currentData()
        self.item.blockSignals(True)
        self.item.clear()
        for item in sorted(items, key=lambda item: str(item["name"])):
            self.item.addItem(str(item["name"]), str(item["id"]))
        self.item.setCurrentIndex(max(0, self.item.findData(chosen)) if items else -1)
        self.item.blockSignals(False)
        if self.item.currentData() != chosen:
            self._ask_slots()

    @Slot()
    def _ask_slots(self) -> None:
        item, day = self.item.currentData(), self.day.currentData()
        self._asked += 1
        asked = self._asked
        self._show_slots([])
        if not item:
            self.state.say("search", tr("没有找到这样的事项。"))
            return
        self.state.say("clock", tr("正在查询可约时段…"), busy=True)

        def done(slots: list[dict[str, Any]]) -> None:
            if asked == self._asked:
                self._show_slots(slots)
                if not slots:
                    self.state.say(
                        "calendar-days", tr("这一天不能预约此事项：不在可约日期内、不是工作日，或不接受预约。")
                    )

        def failed(error: BaseException) -> None:
            if asked != self._asked:
                return
            if isinstance(error, GovDeskError) and error.code in OFFLINE:
                words = tr("现在没有连接服务器，不能新约。查找和取消照常，联网后自动送达。")
                self.state.say("wifi-off", words, tr("再试一次"))
            else:
                words = error.words() if isinstance(error, GovDeskError) else str(error)
                self.state.say("octagon-alert", words, tr("再试一次"))

        self._work.run("net", lambda token: self._service.slots(str(item), day), done=done, failed=failed)

    def _show_slots(self, slots: Sequence[Mapping[str, Any]]) -> None:
        while len(self._buttons) < len(slots):
            button = Button("", parent=self.slots)
            button.setCheckable(True)
            self._group.addButton(button)
            self._buttons.append(button)
        for place, button in enumerate(self._buttons):
            slot = slots[place] if place < len(slots) else None
            button.setVisible(slot is not None)
            if slot is not None:
                left = tr("余 {n}", n=slot["left"]) if slot["left"] else tr("已约满")
                button.set_label(f"{slot_words(slot)}  {left}")
                button.setAccessibleName(f"{slot_words(slot)} {left}")
                button.setEnabled(bool(slot["left"]))
                button.setProperty("slot", str(slot["start"]))
        self._lay_slots()
        self._group.setExclusive(False)
        for button in self._buttons:
            button.setChecked(False)
        self._group.setExclusive(True)
        self.slots.setVisible(bool(slots))
        self.state.setVisible(not slots)
        self.book.setEnabled(bool(slots))

    def _lay_slots(self) -> None:
        """As many side by side as there is room for."""
        widest = max((button.sizeHint().width() for button in self._buttons), default=1) + theme().space(2)
        room = self._scroll.viewport().width() - theme().space(8)
        across = min(_WIDE, max(1, (room + theme().space(2)) // widest))
        for place, button in enumerate(self._buttons):
            self._grid.addWidget(button, place // across, place % across)

    # -- booking ----------------------------------------------------------------------------------------

    @Slot()
    def _book(self) -> None:
        if not self.book.isEnabled():
            return
        slot = next((str(button.property("slot")) for button in self._buttons if button.isChecked()), "")
        if not slot:
            self.form_banner.say(tr("请先选一个时段。"), "due", code="ACC-354")
            return
        item = str(self.item.currentData())
        name, id_number, phone = self.name.text().strip(), self.id_number.text().strip(), self.phone.text().strip()
        self.book.setEnabled(False)
        self.form_banner.clear()

        def done(made: dict[str, Any]) -> None:
            # the message may fail and the booking stands
            self._host.run(
                "net", lambda token: self._service.remind(made, phone), done=self._told, failed=self._not_told
            )
            if self._work.closed:
                return
            self.form_banner.say(tr("已预约。{words}", words=made["words"]), "good")
            for edit in (self.name, self.id_number, self.phone):
                edit.clear()
            self._ask_slots()

        def failed(error: BaseException) -> None:
            if self._work.closed:
                return
            self.book.setEnabled(True)
            self._say_refusal(error)
            if isinstance(error, GovDeskError) and error.code in ("ACC-283", "ACC-284"):
                self._ask_slots()

        self._host.run(
            "net",
            lambda token: self._service.book(item, slot, name, id_number, phone),
            done=done,
            failed=failed,
        )

    def _say_refusal(self, error: BaseException) -> None:
        faults = error.refusal.fields if isinstance(error, Refused) else {}
        edits = {"id_number": self.id_number, "name": self.name, "phone": self.phone}
        wrong = [(edits[key], words) for key, words in faults.items() if key in edits]
        if not wrong:
            say_error(self.form_banner, error)
            return
        words = "".join(tr("{field}：{words}", field=edit.accessibleName(), words=said) for edit, said in wrong)
        self.form_banner.say(words, "red", code=error.code if isinstance(error, Refused) else "")
        first = next(edit for edit in edits.values() if any(edit is each for each, _ in wrong))
        first.setFocus(Qt.FocusReason.OtherFocusReason)

    def _told(self, said: str) -> None:
        if not self._work.closed and self.form_banner.text():
            self.form_banner.say(f"{self.form_banner.text()}{said}", "good")

    def _not_told(self, error: BaseException) -> None:
        if not self._work.closed:
            say_error(self.banner, error)

    # -- the card -----------------------------------------------------------------------------------------

    @Slot()
    def _read_card(self) -> None:
        if self._reader is not None:
            self._stop_reading()
            return
        try:
            reader = self._host.service(IdCardReader)  # type: ignore[type-abstract]
        except LookupError:
            say_error(self.form_banner, no_reader())
            return
        self._reader = reader
        self.read_card.set_label(tr("停止读卡"))
        self._work.run("net", lambda token: reader.read(), done=self._card_read, failed=self._card_failed)

    def _stop_reading(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            self.read_card.set_label(tr("读卡"))
            self._host.run("net", lambda token: reader.cancel())

    def _card_read(self, record: IdentityRecord) -> None:
        if self._reader is None:
            return
        self._reader = None
        self.read_card.set_label(tr("读卡"))
        self.name.setText(record.name)
        self.id_number.setText(record.id_number)
        self.phone.setFocus(Qt.FocusReason.OtherFocusReason)

    def _card_failed(self, error: BaseException) -> None:
        if self._reader is not None:
            self._reader = None
            self.read_card.set_label(tr("读卡"))
            say_error(self.form_banner, error)
