"""一窗受理: choose an item, read the card, fill in, check the materials, accept, hand over the receipt."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Host
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Draft
from client.widgets.basics import (
    Banner,
    Button,
    ConfirmDialog,
    LinkButton,
)
from client.widgets.forms import Field
from client.widgets.theme import set_role, theme
from devices.ports import IdCardReader, IdentityRecord, no_reader
from modules.acceptance.domain.cases import APPLICANT_FORM, ITEM_KIND
from modules.acceptance.services.cards import card_values
from modules.acceptance.services.cases import AcceptanceService, Intake, Owed, Printed, ReceiptOrder, due_words
from modules.acceptance.services.papers import prepare
from modules.acceptance.services.wiring import service_of
from modules.acceptance.ui.counter.intake import IntakePane
from modules.acceptance.ui.counter.result import ResultPane
from modules.acceptance.ui.counter.start import StartPane
from modules.acceptance.ui.say import say_error, say_printed
from modules.acceptance.ui.work import PageWork, when
from modules.common import forms
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, Clock
from modules.common.errors import Refused
from modules.common.text import together, tr


class AcceptView(QWidget):
    """The counter's page."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._service: AcceptanceService = service_of(host)
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        self._host = host
        self._work = PageWork(host)
        self._calendar = WorkCalendar()
        self._intake: Intake | None = None
        self._order: ReceiptOrder | None = None
        self._owed: list[Owed] = []
        self._reading: IdCardReader | None = None
        self._dirty = self._saving = self._accepting = self._counted = False
        self._unsaved_words = ""
        set_role(self, "page")
        self.owed = Banner()
        self.forget_owed = LinkButton(tr("不再提醒"))
        self.banner = Banner()
        self.start = StartPane()
        self.result = ResultPane()
        self.intake: IntakePane | None = None
        self._stack = QStackedWidget()
        self._stack.addWidget(self.start)
        self._stack.addWidget(self.result)
        owed = QHBoxLayout()
        owed.addWidget(self.owed, 1)
        owed.addWidget(self.forget_owed)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(owed)
        column.addWidget(self.banner)
        column.addWidget(self._stack, 1)
        self.start.chosen.connect(self._begin)
        self.start.resumed.connect(self._resume)
        self.start.dropped.connect(self._drop)
        self.result.print.clicked.connect(self._print)
        self.result.next.clicked.connect(self._show_start)
        self.owed.acted.connect(self._print_owed)
        self.forget_owed.clicked.connect(self._forget_owed)
        self.forget_owed.hide()
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focus_moved)
        self.setFocusProxy(self.start.search)
        self._work.run("read", lambda token: self._service.calendar(), done=self._take_calendar, failed=self._trouble)
        # the first receipt and the first check would otherwise wait for imports
        self._work.run("cpu", lambda token: _warm_up(), failed=self._trouble)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        self.destroyed.connect(self._end_events)
        self._show_start()

    def show_arguments(self, **arguments: Any) -> None:
        """``action``: ``new`` begins afresh, ``card`` reads the card of the case being filled in."""
        if arguments.get("action") == "new":
            self._show_start()
        elif arguments.get("action") == "card":
            self._read_card()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._stop_reading()
        self._save_now()
        self._end_events()
        self._work.close()
        super().closeEvent(event)

    def back(self) -> bool:
        """Stop waiting for the card, else leave the case for now; what was entered is kept."""
        if self._reading:
            self._stop_reading()
        elif self._intake and not self._accepting:
            self._show_start()
        else:
            return False
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape or not self.back():
            super().keyPressEvent(event)

    # -- the start --------------------------------------------------------------------------------

    @Slot()
    def _show_start(self) -> None:
        self._stop_reading()
        self._save_now()
        self._intake = self._order = None
        self.banner.clear()
        self._stack.setCurrentWidget(self.start)
        self.setFocusProxy(self.start.search)
        self.start.search.clear()
        self.start.search.setFocus(Qt.FocusReason.OtherFocusReason)
        self._load_items()
        # on lane data, behind whatever is still being saved there
        self._work.run("data", lambda token: self._service.drafts(), done=self._take_drafts, failed=self._trouble)
        self._ask_owed()

    def _load_items(self) -> None:
        self._work.run("read", lambda token: self._service.items(), done=self._take_items, failed=self._trouble)

    def _records_changed(self, event: RecordsChanged) -> None:
        if event.touches(ITEM_KIND) and self._stack.currentWidget() is self.start and not self._work.closed:
            self._load_items()

    def _take_items(self, items: list[Doc]) -> None:
        if items and not self.start.has_items:
            self.banner.clear()
        self.start.show_items(items)
        if not items:
            self.banner.say(tr("还没有事项。与服务器同步一次后即可受理。"), "due")

    def _take_drafts(self, drafts: list[Draft]) -> None:
        now = self._clock.now()
        self.start.show_drafts(drafts, {draft.id: when(draft.updated_at, now) for draft in drafts})

    def _take_calendar(self, calendar: WorkCalendar) -> None:
        self._calendar = calendar

    def _trouble(self, error: BaseException) -> None:
        banner = self.intake.banner if self.intake and self._intake else self.banner
        say_error(banner, error)

    @Slot(object)
    def _begin(self, item: Doc) -> None:
        self._open(item, self._service.begin(item))

    @Slot(str)
    def _resume(self, draft_id: str) -> None:
        def find(token: object) -> tuple[Intake, Doc | None] | None:
            draft = next((draft for draft in self._service.drafts() if draft.id == draft_id), None)
            if draft is None:
                return None
            intake = Intake.from_draft(draft)
            return intake, next((item for item in self._service.items() if item["id"] == intake.item_id), None)

        self._work.run("data", find, done=self._resumed, failed=self._trouble)

    def _resumed(self, found: tuple[Intake, Doc | None] | None) -> None:
        if found is None:
            self._show_start()
            return
        intake, item = found
        if item is None:
            self.banner.say(tr("事项“{name}”已停止办理，草稿仍保留。", name=intake.item_name), "due", code="ACC-016")
            return
        pane = self._open(item, intake)
        if item["version"] != intake.item_version:
            pane.banner.say(tr("事项要求已更新，请核对后再受理。"), "due")

    @Slot(str)
    def _drop(self, draft_id: str) -> None:
        self._work.run("data", lambda token: self._service.drop(draft_id), done=self._dropped, failed=self._trouble)

    def _dropped(self, _: None) -> None:
        self._show_start()

    # -- filling in -------------------------------------------------------------------------------

    def _open(self, item: Doc, intake: Intake) -> IntakePane:
        if self.intake:
            self._stack.removeWidget(self.intake)
            self.intake.deleteLater()
        pane = self.intake = IntakePane(item)
        self._stack.addWidget(pane)
        pane.show_intake(intake)
        pane.edited.connect(self._edited)
        pane.read_card.clicked.connect(self._read_card)
        pane.banner.acted.connect(self._read_card)
        pane.stop_reading.clicked.connect(self._stop_reading)
        pane.accept.clicked.connect(self._accept)
        pane.back.clicked.connect(self._show_start)
        self._intake = intake
        self._dirty = False
        self.banner.clear()
        self._stack.setCurrentWidget(pane)
        self.setFocusProxy(pane.applicant.field("name").editor)
        pane.applicant.field("name").take_focus()
        return pane

    @Slot()
    def _edited(self) -> None:
        if self._counted and self.intake:
            # the number of faults is no longer true; each fault still stands at its field
            self._counted = False
            self.intake.banner.clear()
        self._dirty = True
        self._save()

    def _save(self) -> None:
        """Keep what stands there now. One save at a time: what is typed meanwhile is kept by the next."""
        if not self._saving:
            self._save_now()

    def _save_now(self) -> None:
        """Keep it behind whatever is being saved: for when the page is left."""
        if not self._dirty or self._accepting or self._intake is None or self.intake is None:
            return
        self._dirty, self._saving = False, True
        intake = self.intake.gather(self._intake)
        # not the page's work: leaving the page must not lose it
        self._host.run("data", lambda token: self._service.save(intake), done=self._saved, failed=self._unsaved)

    def _saved(self, _: None) -> None:
        self._saving = False
        if self._work.closed:
            return
        if self.intake and self._intake:
            if self._unsaved_words and self.intake.banner.text() == self._unsaved_words:
                self.intake.banner.clear()  # it is saved now
            self._unsaved_words = ""
            self.intake.kept.setText(tr("草稿已保存 {time}", time=f"{self._clock.now().astimezone(CHINA):%H:%M}"))
        self._save()

    def _unsaved(self, error: BaseException) -> None:
        self._saving = False
        if not self._work.closed:
            self._dirty = True
            self._trouble(error)
            if self.intake and self._intake:
                self.intake.kept.setText("")
                self._unsaved_words = self.intake.banner.text()

    @Slot(QWidget, QWidget)
    def _focus_moved(self, old: QWidget | None, new: QWidget | None) -> None:
        """A field that the focus leaves is judged at once."""
        if old is None or self.intake is None or self._intake is None or not self.intake.isAncestorOf(old):
            return
        field: QWidget | None = old
        while field is not None and not isinstance(field, Field):
            field = field.parentWidget()
        if isinstance(field, Field) and not (new and field.isAncestorOf(new)):
            self.intake.judge(field, self._service.today())

    # -- the card ---------------------------------------------------------------------------------

    @Slot()
    def _read_card(self) -> None:
        if self.intake is None or self._intake is None or self._reading or self._accepting:
            return
        self.intake.banner.clear()
        try:
            reader = self._host.service(IdCardReader)  # type: ignore[type-abstract]
        except LookupError:
            say_error(self.intake.banner, no_reader())
            return
        self._reading = reader
        self.intake.show_reading(True)
        self._work.run("net", lambda token: reader.read(), done=self._card_read, failed=self._card_failed)

    @Slot()
    def _stop_reading(self) -> None:
        reader, self._reading = self._reading, None
        if reader and self.intake:
            self.intake.show_reading(False)
            # it may have to talk to the reader's process; a page that closes must not wait for it
            self._host.run("net", lambda token: reader.cancel())

    def _card_failed(self, error: BaseException) -> None:
        cancelled = self._reading is None
        self._reading = None
        if self.intake and not cancelled:
            self.intake.show_reading(False)
            say_error(self.intake.banner, error, action=tr("再读一次"))

    def _card_read(self, record: IdentityRecord) -> None:
        wanted, self._reading = self._reading is not None, None
        if self.intake is None or self._intake is None or not wanted:
            return
        pane = self.intake
        pane.show_reading(False)
        card = card_values(record)
        expired = record.valid_to is not None and record.valid_to < self._service.today()
        if expired:
            day = f"{record.valid_to:%Y-%m-%d}"
            pane.banner.say(tr("这张身份证已于 {day} 过期，请核对是否有新证。", day=day), "due", code="ACC-015")
        conflicts = pane.conflicts(forms.fill(APPLICANT_FORM, {"card": card})[0])
        if not conflicts:
            pane.fill(card, replace_typed=False)
            pane.applicant.field("phone").take_focus()
            return
        dialog = ConfirmDialog(
            tr("以身份证为准"),
            "\n".join([*conflicts, tr("以身份证为准将替换录入的内容。")]),
            keep=tr("保留录入的内容"),
            parent=self,
        )
        dialog.accepted.connect(partial(pane.fill, card, replace_typed=True))
        dialog.rejected.connect(partial(pane.fill, card, replace_typed=False))
        dialog.open()

    # -- acceptance -------------------------------------------------------------------------------

    @Slot()
    def _accept(self) -> None:
        if self.intake is None or self._intake is None or self._accepting:
            return
        self._stop_reading()
        self._accepting = True
        self.intake.setEnabled(False)
        intake = self.intake.gather(self._intake)
        self._host.run("data", lambda token: self._service.accept(intake), done=self._accepted, failed=self._refused)

    def _accepted(self, order: ReceiptOrder) -> None:
        self._accepting = self._dirty = False
        self._intake, self._order = None, order
        if self._work.closed:
            return
        self.result.show_order(order, due_words(order.record.doc, self._service.today(), self._calendar))
        self._stack.setCurrentWidget(self.result)
        self.setFocusProxy(self.result.print)
        self.result.print.setFocus(Qt.FocusReason.OtherFocusReason)

    def _refused(self, error: BaseException) -> None:
        self._accepting = False
        if self._work.closed or self.intake is None:
            return
        self.intake.setEnabled(True)
        faults = error.refusal.fields if isinstance(error, Refused) else {}
        loose = self.intake.show_faults(faults)
        if isinstance(error, Refused) and faults:
            self.intake.banner.say(together(error.message, loose), "red", code=error.code)
            self._counted = not loose
        else:
            say_error(self.intake.banner, error)
        self._dirty = True
        self._save()

    # -- paper ------------------------------------------------------------------------------------

    @Slot()
    def _print(self) -> None:
        if self._order:
            self._print_order(self._order, self.result.paper, self.result.print)

    @Slot()
    def _print_owed(self) -> None:
        if self._owed:
            self._print_order(self._owed[0].order, self.owed, self.forget_owed)

    def _print_order(self, order: ReceiptOrder, banner: Banner, button: Button) -> None:
        button.setEnabled(False)

        def printed(paper: Printed) -> None:
            button.setEnabled(True)
            say_printed(banner, paper)
            self._settle(order.record.id)

        def failed(error: BaseException) -> None:
            button.setEnabled(True)
            say_error(banner, error, action=tr("打印") if banner is self.owed else "")

        self._work.run("cpu", lambda token: self._service.print_receipt(order), done=printed, failed=failed)

    def _settle(self, case_id: str) -> None:
        self._owed = [owed for owed in self._owed if owed.order.record.id != case_id]
        self.forget_owed.setVisible(bool(self._owed))
        # the paper is out: even if the page is left now it must not be offered again
        self._host.run("data", lambda token: self._service.settle(case_id))

    @Slot()
    def _forget_owed(self) -> None:
        if self._owed:
            self._settle(self._owed[0].order.record.id)
            self._show_owed()

    def _ask_owed(self) -> None:
        self._work.run("data", lambda token: self._service.owed(), done=self._take_owed, failed=self._trouble)

    def _take_owed(self, owed: list[Owed]) -> None:
        self._owed = owed
        self._show_owed()

    def _show_owed(self) -> None:
        self.forget_owed.setVisible(bool(self._owed))
        if self._owed:
            record = self._owed[0].order.record
            sentence = tr("上次受理的 {number} {title} 尚未打印回执。", number=record.number, title=record.title)
            self.owed.say(sentence, "due", action=tr("打印"))
        else:
            self.owed.clear()


def _warm_up() -> None:
    prepare()
    forms.validate(APPLICANT_FORM, {})
