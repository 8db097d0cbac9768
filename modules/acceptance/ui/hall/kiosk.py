"""取号: the ticket machine. Every visit begins anew: nothing of the last person remains. C01, C02.

A number counts only when its paper is out. What was begun is brought to its end though the page is left; what a
power cut left open is shown to the staff, who say whether the paper is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QHideEvent, QKeyEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.kernel.events import Events, RecordsChanged, SyncChanged
from client.kernel.ports import Records, Session
from client.widgets.basics import Banner, Button, DangerButton, EmptyState, Label, LinkButton, PrimaryButton, StateLabel
from client.widgets.dialogs import GrowingDialog
from client.widgets.theme import set_role, theme
from devices.ports import DeviceError, Devices, IdCardReader, IdentityRecord, Ticket, no_reader
from modules.acceptance.domain import queue, windows
from modules.acceptance.domain.queue import Offer
from modules.acceptance.services.kiosk import Citizen, KioskService, Printed, Taken
from modules.acceptance.services.wiring import kiosk_of
from modules.acceptance.ui.hall.steps import (
    BOOKED,
    CARD,
    PHONE,
    PRIORITY,
    BookedStep,
    CardStep,
    ItemsStep,
    PhoneStep,
    PriorityStep,
    ResultStep,
    StartStep,
    Step,
    WorkingStep,
)
from modules.acceptance.ui.say import say_error
from modules.acceptance.ui.work import PageWork
from modules.common.aggregate import Doc
from modules.common.codes import check_phone
from modules.common.errors import GovDeskError
from modules.common.text import tr

STAY_S = 15
"""How long a result stays."""
PATIENCE_MS = 60_000
"""After that long without a touch the person has gone."""
CARD_S = 30.0


@dataclass(frozen=True, slots=True)
class _Given:
    """A number that was given: the paper to print, if any, and where its holder goes."""

    taken: Taken
    paper: Ticket | None
    where: str


class KioskPane(QWidget):
    """What the person at the machine sees. ``settled``: a number was given or voided."""

    settled = Signal()

    def __init__(self, host: Host, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._host = host
        self._service: KioskService = kiosk_of(host)
        self._work = PageWork(host)
        self._records = host.service(Records)  # type: ignore[type-abstract]
        self._session = host.service(Session)  # type: ignore[type-abstract]
        self._events = host.service(Events)
        self._visit = 0
        self._searches = 0
        self._way = CARD
        self._citizen = Citizen()
        self._proof = ("", "")
        self._reader: IdCardReader | None = None
        self._hall_name = ""
        self.printing: set[str] = set()
        self._trail: list[Step] = []
        set_role(self, "cover")
        self.name, self.net = Label("", "large"), StateLabel()
        self.back_button = Button(tr("返回"), icon="arrow-left")
        self.home_button = Button(tr("回到首页"), icon="house")
        self.start, self.card, self.phone, self.booked = StartStep(), CardStep(), PhoneStep(), BookedStep()
        self.priority, self.items, self.working, self.result = PriorityStep(), ItemsStep(), WorkingStep(), ResultStep()
        self._steps: Sequence[Step] = (
            self.start, self.card, self.phone, self.booked, self.priority, self.items, self.working, self.result,
        )  # fmt: skip
        self.stack = QStackedWidget()
        self._frames: dict[Step, QScrollArea] = {}
        for step in self._steps:
            frame = QScrollArea()
            frame.setWidgetResizable(True)
            frame.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            frame.setFrameShape(QFrame.Shape.NoFrame)
            frame.setWidget(step)
            self.stack.addWidget(frame)
            self._frames[step] = frame
        head = QHBoxLayout()
        head.addWidget(self.name)
        head.addStretch(1)
        head.addWidget(self.net)
        foot = QHBoxLayout()
        foot.addWidget(self.back_button)
        foot.addStretch(1)
        foot.addWidget(self.home_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(4))
        column.addLayout(head)
        column.addWidget(self.stack, 1)
        column.addLayout(foot)
        self._gone = QTimer(self)
        self._gone.setSingleShot(True)
        self._gone.setInterval(PATIENCE_MS)
        self._gone.timeout.connect(self.begin_anew)
        self._stay = QTimer(self)
        self._stay.setInterval(1000)
        self._stay.timeout.connect(self._count_down)
        self._left = STAY_S
        self._connect()
        self._sync_changed(None)
        self.begin_anew()
        self._work.run("read", self._read_hall, done=self._show_hall, failed=self._not_read)

    def _connect(self) -> None:
        self._end_events = self._events.subscribe(SyncChanged, self._sync_changed)
        self.start.chosen.connect(self._choose_way)
        self.card.again.connect(self._read_card)
        self.phone.given.connect(self._phone_given)
        self.booked.chosen.connect(self._take_booked)
        self.booked.other.connect(self._walk_in)
        self.priority.given.connect(self._priority_given)
        self.items.chosen.connect(self._take)
        self.items.searched.connect(self._find_items)
        self.result.left.connect(self.begin_anew)
        self.result.again.connect(self.begin_anew)
        self.back_button.clicked.connect(self.back)
        self.home_button.clicked.connect(self.begin_anew)
        for touched in (self.phone.edit.textChanged, self.priority.edit.textChanged, self.items.search.textChanged,
                        self.items.before.clicked, self.items.after.clicked):  # fmt: skip
            touched.connect(self._touch)

    @property
    def step(self) -> Step:
        """The step that is shown."""
        return self._steps[self.stack.currentIndex()]

    def close_pane(self) -> None:
        """Called when the page closes. A number that is being printed is brought to its end all the same."""
        self._stop_reading()
        self._gone.stop()
        self._stay.stop()
        self._end_events()
        self._work.close()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not self._work.closed and self.step is not self.working:
            self.begin_anew()

    @Slot()
    def begin_anew(self) -> None:
        """The first step, for somebody else."""
        self._visit += 1
        self._stop_reading()
        self._stay.stop()
        self._citizen, self._proof = Citizen(), ("", "")
        self._trail.clear()
        for step in self._steps:
            step.forget()
        self._show_step(self.start, remember=False)

    def back(self) -> bool:
        """One step back; False at the first."""
        if self.step is self.working:
            return True
        if not self._trail or self.step is self.result:
            at_first = self.step is self.start
            self.begin_anew()
            return not at_first
        step = self._trail.pop()
        if step is self.start:
            self.begin_anew()
        else:
            self._stop_reading()
            self._show_step(step, remember=False)
        return True

    def _show_step(self, step: Step, *, remember: bool = True) -> None:
        # a card that is being waited for is nothing to come back to
        if remember and self.step is not self.card:
            self._trail.append(self.step)
        self.stack.setCurrentWidget(self._frames[step])
        for button in (self.back_button, self.home_button):
            button.setVisible(step not in (self.start, self.working, self.result))
        self._gone.stop()
        if step not in (self.start, self.working, self.result):
            self._gone.start()
        if self.isVisible():
            step.begin()

    @Slot()
    def _touch(self) -> None:
        if self._gone.isActive():
            self._gone.start()

    def _sync_changed(self, _event: SyncChanged | None) -> None:
        if self._events.online:
            self.net.show_state("good", tr("已联网"))
        else:
            self.net.show_state("offline", tr("未联网：可以取号，不估计等候时间"))

    def _read_hall(self, _token: object) -> tuple[str, list[str]]:
        hall = self._records.get("organisation", self._session.actor.hall_id)
        classes = [str(entry["name"]) for entry in self._service.hall.settings()["priority"]["classes"]]
        self._service.hall.require(windows.MAY_QUEUE)
        return str(hall.doc["name"]) if hall else "", classes

    def _show_hall(self, read: tuple[str, list[str]]) -> None:
        self._hall_name, classes = read
        self.name.setText(self._hall_name)
        self.priority.show_classes(classes)

    def _not_read(self, error: BaseException) -> None:
        say_error(self.start.banner, error)
        for tile in self.start.tiles.values():
            tile.setEnabled(False)

    # -- who --------------------------------------------------------------------------------------------

    @Slot(str)
    def _choose_way(self, way: str) -> None:
        self._way = way
        if way == PHONE:
            self._show_step(self.phone)
        elif way == PRIORITY:
            self._work.run("read", self._read_hall, done=self._show_hall, failed=self._not_read)
            self._show_step(self.priority)
        else:
            self._show_step(self.card)
            self._read_card()

    @Slot()
    def _read_card(self) -> None:
        self.card.banner.clear()
        self._touch()
        try:
            reader = self._host.service(IdCardReader)  # type: ignore[type-abstract]
        except LookupError:
            self._card_failed(self._visit, no_reader())
            return
        self._reader = reader
        self.card.show_reading(True)
        self._work.run(
            "net",
            lambda token: reader.read(CARD_S),
            done=partial(self._card_read, self._visit),
            failed=partial(self._card_failed, self._visit),
        )

    def _stop_reading(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            # it may have to talk to the reader's process; the machine must not wait for it
            self._host.run("net", lambda token: reader.cancel())

    def _card_failed(self, visit: int, error: BaseException) -> None:
        if visit == self._visit and self.step is self.card:
            self._reader = None
            self.card.show_reading(False)
            say_error(self.card.banner, error)

    def _card_read(self, visit: int, record: IdentityRecord) -> None:
        if visit != self._visit or self.step is not self.card:
            return
        self._reader = None
        self._citizen = Citizen(name=record.name, id_number=record.id_number)
        citizen = self._citizen
        self._work.run(
            "read",
            lambda token: self._service.bookings_of(citizen),
            done=partial(self._bookings_read, visit),
            failed=partial(self._card_failed, visit),
        )

    def _bookings_read(self, visit: int, found: list[Doc]) -> None:
        if visit != self._visit:
            return
        if found or self._way == BOOKED:
            self.booked.show_bookings(found)
            self._show_step(self.booked)
        else:
            self._ask_item()

    @Slot(str)
    def _phone_given(self, phone: str) -> None:
        if fault := check_phone(phone):
            self.phone.banner.say(fault.message, "due", code=fault.code)
            self.phone.begin()
            return
        self._citizen = Citizen(phone=phone)
        self._ask_item()

    @Slot(str, str)
    def _priority_given(self, name: str, password: str) -> None:
        self._proof = (name, password)
        self._ask_item()

    @Slot()
    def _walk_in(self) -> None:
        self._way = CARD
        self._ask_item()

    # -- for what -----------------------------------------------------------------------------------------

    def _ask_item(self) -> None:
        self._show_step(self.items)
        self._find_items("")

    def items_changed(self) -> None:
        """Items or windows have arrived, or are others now: whoever is choosing one sees it."""
        if self.step is self.items:
            self._find_items(self.items.search.text())

    @Slot(str)
    def _find_items(self, text: str) -> None:
        visit = self._visit
        self._searches += 1
        search = self._searches

        def read(token: object) -> tuple[list[Offer], dict[str, int]]:
            offers = self._service.items(text)
            return offers, self._service.waiting(offers)

        def done(found: tuple[list[Offer], dict[str, int]]) -> None:
            # of several searches that are under way the last one counts: an older one may end later, and know less
            if visit == self._visit and search == self._searches:
                self.items.show_offers(*found)

        self._work.run("read", read, done=done, failed=lambda error: say_error(self.items.banner, error))

    @Slot(object)
    def _take(self, offer: Offer) -> None:
        item, citizen = str(offer.item["id"]), self._citizen
        online, paper = self._events.online, self._has_printer()
        way, (name, password) = self._way, self._proof
        service = self._service

        def take() -> Taken:
            if way == PHONE:
                return service.take_by_phone(item, citizen.phone, online=online, paper=paper)
            if way == PRIORITY:
                return service.take_priority(item, citizen, name, password, online=online, paper=paper)
            return service.take_by_card(item, citizen, online=online, paper=paper)

        self._issue(take, offer.windows, paper=paper)

    @Slot(object)
    def _take_booked(self, doc: Doc) -> None:
        citizen, online, paper = self._citizen, self._events.online, self._has_printer()
        self._issue(
            lambda: self._service.take_booked(str(doc["id"]), citizen, online=online, paper=paper), (), paper=paper
        )

    # -- the number and its paper -------------------------------------------------------------------------

    def _has_printer(self) -> bool:
        """Without a printer the number is told on the screen alone."""
        try:
            statuses = self._host.service(Devices).statuses()  # type: ignore[type-abstract]
        except LookupError:
            return False  # a program without devices
        return any(status.kind == "ticket_printer" for status in statuses)

    def _issue(self, take: Callable[[], Taken], offered: Sequence[Doc], *, paper: bool) -> None:
        """Take, print, and confirm or void: never the page's work, for a number must not be left half given."""
        visit, title = self._visit, self._hall_name
        self._show_step(self.working)

        def given(token: object) -> _Given:
            taken = take()
            where = self._where(taken, offered)
            return _Given(taken, self._service.layout(taken, title) if paper else None, where)

        self._host.run("data", given, done=partial(self._given, visit), failed=partial(self._refused, visit))

    def _where(self, taken: Taken, offered: Sequence[Doc]) -> str:
        """The windows to wait for, on lane ``data``."""
        ticket, today = taken.record.doc, windows.local_day(self._service.hall.clock.now())
        able = [
            window
            for window in offered or self._service.hall.windows()
            if windows.offers(window, ticket["item"], ticket["group"]) and not windows.is_stopped(window, today)
        ]
        names = tr("、").join(str(window["name"]) for window in able)
        area = str(able[0]["area"]) if able and len({window["area"] for window in able}) == 1 else ""
        return tr("请到{area} {windows} 等候叫号", area=area, windows=names) if able else tr("请等候叫号")

    def _given(self, visit: int, given: _Given) -> None:
        id = given.taken.record.id
        if given.paper is None:
            number = given.taken.record.number
            self._show_taken(visit, given, tr("请记住您的号：{number}", number=number))
            return
        paper = given.paper
        self.printing.add(id)
        self._host.run(
            "net",
            lambda token: self._service.print_ticket(paper),
            done=lambda _nothing: self._settle(visit, given, lambda: self._service.came_out(id)),
            failed=partial(self._not_printed, visit, given),
        )

    def _not_printed(self, visit: int, given: _Given, error: BaseException) -> None:
        # whatever happened, nobody has seen the paper: the number must not wait in the line
        fault = (
            error
            if isinstance(error, DeviceError)
            else DeviceError("ACC-355", tr("出票时出错：{error}", error=str(error)))
        )
        self._settle(visit, given, lambda: self._service.failed(given.taken.record.id, fault))

    def _settle(self, visit: int, given: _Given, work: Callable[[], Printed]) -> None:
        def done(printed: Printed) -> None:
            self.printing.discard(given.taken.record.id)
            if printed.ok:
                self._show_taken(visit, given, printed.words)
            else:
                self._end(visit, partial(self.result.show_lost, printed))

        def failed(error: BaseException) -> None:
            # it stays in print: the staff are asked
            self.printing.discard(given.taken.record.id)
            self._refused(visit, error)

        self._host.run("data", lambda token: work(), done=done, failed=failed)

    def _show_taken(self, visit: int, given: _Given, said: str) -> None:
        taken = given.taken
        self._end(
            visit,
            partial(self.result.show_taken, taken.record.number, given.where, taken.estimate.words, said),
        )

    def _refused(self, visit: int, error: BaseException) -> None:
        words = error.words() if isinstance(error, GovDeskError) else str(error)
        code = error.code if isinstance(error, GovDeskError) else "ACC-351"
        if code in ("ACC-247", "ACC-248", "ACC-249") and not self._work.closed and visit == self._visit:
            # the password is asked again, not all the rest
            self._trail = [self.start]
            self._show_step(self.priority, remember=False)
            self.priority.edit.clear()
            self.priority.banner.say(words, "due", code=code)
            self.priority.edit.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        self._end(visit, partial(self.result.show_refused, words, code))

    def _end(self, visit: int, show: Callable[[], None]) -> None:
        if self._work.closed:
            return
        self.settled.emit()
        if visit != self._visit:
            return
        show()
        self._citizen, self._proof = Citizen(), ("", "")
        self._left = STAY_S
        self.result.count_down(self._left)
        self._show_step(self.result, remember=False)
        self._stay.start()

    @Slot()
    def _count_down(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self.begin_anew()
        else:
            self.result.count_down(self._left)


class KioskView(QWidget):
    """The page: the machine's pane, and above it a strip for the staff that the public does not see in full screen.

    ``lent``: the public has it now, or has it no more; meanwhile the window must not lock.
    """

    lent = Signal(bool)

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._service = kiosk_of(host)
        self._work = PageWork(host)
        self._session = host.service(Session)  # type: ignore[type-abstract]
        self._open: list[Doc] = []
        self._window: FullScreen | None = None
        set_role(self, "page")
        self.hint = Label(tr("全屏后给办事群众使用；按 Shift+Esc 回到这里。"), "quiet", wrap=True)
        self.full = PrimaryButton(tr("全屏"), icon="monitor", shortcut="F11")
        self.banner, self.refused = Banner(), Banner()
        self.pane = KioskPane(host)
        self._away = EmptyState("monitor", tr("取号界面正在全屏显示。"), tr("回到这里"))
        self._away.hide()
        head = QHBoxLayout()
        head.addWidget(self.hint, 1)
        head.addWidget(self.full)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(*(theme().space(4),) * 4)
        self._column.setSpacing(theme().space(3))
        self._column.addLayout(head)
        self._column.addWidget(self.banner)
        self._column.addWidget(self.refused)
        self._column.addWidget(self.pane, 1)
        self._column.addWidget(self._away, 1)
        self.full.clicked.connect(self._go_full)
        self._away.acted.connect(self.leave_full)
        self.banner.acted.connect(self._ask_unfinished)
        self.pane.settled.connect(self._read)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        # who opens the machine in the morning makes it able to go on without the server
        self._work.run("data", lambda token: self._service.lease(), failed=self._not_leased)
        self._read()

    def back(self) -> bool:
        """One step back inside the machine."""
        return self.pane.back()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape or not self.back():
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.pane.step.begin()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.leave_full()
        self._end_events()
        self._work.close()
        self.pane.close_pane()
        super().closeEvent(event)

    @Slot()
    def _go_full(self) -> None:
        if self._window is None:
            self._window = FullScreen(self.pane)
            self._window.left.connect(self.leave_full)
            self._away.show()
            self._window.showFullScreen()
            self.lent.emit(True)
            self.pane.show()
            self.pane.step.begin()

    @Slot()
    def leave_full(self) -> None:
        """Back into the page."""
        shown, self._window = self._window, None
        if shown is not None:
            self._away.hide()
            self._column.insertWidget(self._column.indexOf(self._away), self.pane, 1)
            self.pane.show()
            shown.end()
            self.lent.emit(False)

    # -- what the staff must know -----------------------------------------------------------------------

    def _records_changed(self, event: RecordsChanged) -> None:
        if event.touches(queue.KIND):
            self._read()
        if event.touches(queue.ITEM_KIND) or event.touches(windows.KIND):
            self.pane.items_changed()

    @Slot()
    def _read(self) -> None:
        place = self._session.place
        if self._work.closed:
            return

        def read(token: object) -> tuple[list[Doc], list[Doc]]:
            here = [
                ticket
                for ticket in self._service.unfinished()
                # another machine of the hall prints its own
                if ticket["history"][0]["text"].startswith(place)
            ]
            return here, self._service.refused()

        self._work.run("read", read, done=self._show_open, failed=self._not_leased)

    def _show_open(self, read: tuple[list[Doc], list[Doc]]) -> None:
        self._open = [ticket for ticket in read[0] if ticket["id"] not in self.pane.printing]
        if self._open:
            numbers = tr("、").join(str(ticket["number"]) for ticket in self._open[:5])
            self.banner.say(
                tr("{numbers} 出票时中断，不知号票是否打出，暂不呼叫。", numbers=numbers), "due",
                code="ACC-352", action=tr("核对…"),
            )  # fmt: skip
        else:
            self.banner.clear()
        if read[1]:
            numbers = tr("、").join(str(ticket["number"]) for ticket in read[1][:5])
            self.refused.say(
                tr("服务器没有接受 {numbers}，不会呼叫。请告诉持号人重新取号。", numbers=numbers), "red", code="ACC-353"
            )
        else:
            self.refused.clear()

    def _not_leased(self, error: BaseException) -> None:
        say_error(self.refused, error)

    @Slot()
    def _ask_unfinished(self) -> None:
        if not self._open:
            return
        ticket = self._open[0]
        dialog = UnfinishedDialog(str(ticket["number"]), self)
        id = str(ticket["id"])
        lost = DeviceError("ACC-356", tr("出票时中断。"))
        dialog.there.connect(lambda: self._decide(lambda: self._service.came_out(id)))
        dialog.not_there.connect(lambda: self._decide(lambda: self._service.failed(id, lost)))
        dialog.open()

    def _decide(self, work: Callable[[], Any]) -> None:
        def done(_printed: Any) -> None:
            self._read()

        def failed(error: BaseException) -> None:
            if not self._work.closed:
                say_error(self.refused, error)

        self._host.run("data", lambda token: work(), done=done, failed=failed)


class FullScreen(QWidget):
    """The machine's window. ``left`` on Shift+Esc, which only the staff know of."""

    left = Signal()

    def __init__(self, pane: KioskPane) -> None:
        super().__init__(None, Qt.WindowType.Window | Qt.WindowType.FramelessWindowHint)
        self.setWindowTitle(tr("取号"))
        self._pane = pane
        self._ending = False
        set_role(self, "cover")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(pane)
        QShortcut("Shift+Esc", self).activated.connect(self.left)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._pane.back()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        # Alt+F4 is no way around the staff's keys
        if self._ending:
            event.accept()
        else:
            event.ignore()

    def end(self) -> None:
        """Close for good; the pane has been taken out before."""
        self._ending = True
        self.close()
        self.deleteLater()


class UnfinishedDialog(GrowingDialog):
    """Asks whether a paper is there. Esc leaves it open."""

    there = Signal()
    not_there = Signal()

    def __init__(self, number: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("核对 {number} 号票", number=number))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self.yes = PrimaryButton(tr("号票已打出"))
        self.no = DangerButton(tr("没有打出，作废"))
        self.later = LinkButton(tr("以后再说"))
        words = Label(
            tr("出票时程序中断。{number} 号票在群众手里就照常呼叫；没有打出就作废，不会呼叫。", number=number),
            wrap=True,
        )
        words.setMinimumWidth(theme().text_width(26))
        buttons = QHBoxLayout()
        buttons.addWidget(self.no)
        buttons.addStretch(1)
        buttons.addWidget(self.later)
        buttons.addWidget(self.yes)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(4))
        column.addWidget(words)
        column.addLayout(buttons)
        self.yes.clicked.connect(self.there)
        self.no.clicked.connect(self.not_there)
        for button in (self.yes, self.no, self.later):
            button.clicked.connect(self.accept)
