"""一窗受理: call, choose an item, read the card, fill in, scan, accept; or send back, or decline; rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QCloseEvent, QImage, QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Host
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Blobs, Draft, Record, Records, Server, Session
from client.kernel.settings import Settings
from client.widgets.basics import Banner, Button, ConfirmDialog, LinkButton
from client.widgets.capture import Picture
from client.widgets.forms import AttachmentField
from client.widgets.theme import set_role, theme
from devices.ports import IdCardReader, IdentityRecord, no_reader
from modules.acceptance.domain.cases import (
    APPLICANT_FORM,
    APPLIED,
    CORRECTING,
    GROUNDS,
    INVITED,
    ITEM_KIND,
    KIND,
    faults_of,
    seen_of,
    state_name,
)
from modules.acceptance.domain.knowledge import KIND as KNOWLEDGE_KIND
from modules.acceptance.services import dictionaries
from modules.acceptance.services.base import FIRM, PERSON, known_of
from modules.acceptance.services.cards import card_values
from modules.acceptance.services.cases import AcceptanceService, Intake, ReceiptOrder, due_words
from modules.acceptance.services.papers import CORRECTION, prepare
from modules.acceptance.services.wiring import service_of
from modules.acceptance.ui.counter.advice import Advice
from modules.acceptance.ui.counter.asking import CorrectionDialog, DeclineDialog, corrections
from modules.acceptance.ui.counter.call_bar import CallBar
from modules.acceptance.ui.counter.citizen_side import CitizenSide
from modules.acceptance.ui.counter.intake import IntakePane
from modules.acceptance.ui.counter.owing import OwedBar
from modules.acceptance.ui.counter.points import PointsPane
from modules.acceptance.ui.counter.result import ResultPane
from modules.acceptance.ui.counter.scanning import Scanner
from modules.acceptance.ui.counter.start import StartPane
from modules.acceptance.ui.say import say_error
from modules.acceptance.ui.work import PageWork, when
from modules.common import forms
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, Clock
from modules.common.errors import Refused
from modules.common.text import together, tr

BEFORE = (APPLIED, INVITED, CORRECTING)
"""What waits at the counter before its acceptance."""
SPLIT = "acceptance.counter.split"


@dataclass(frozen=True, slots=True)
class Words:
    """What the office's dictionaries offer at this page."""

    grounds: list[str]
    corrections: list[str]
    reasons: list[str]


class AcceptView(QWidget):
    """The counter's page."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._service: AcceptanceService = service_of(host)
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        self._session = host.service(Session)  # type: ignore[type-abstract]
        self._memory = host.service(Settings)
        self._host = host
        self._work = PageWork(host)
        self._calendar = WorkCalendar()
        self._words = Words([*GROUNDS], [], [])
        self._intake: Intake | None = None
        self._order: ReceiptOrder | None = None
        self._reading: IdCardReader | None = None
        self._looking: QDialog | None = None
        self._dirty = self._saving = self._accepting = self._counted = False
        self._unsaved_words = ""
        set_role(self, "page")
        self.owed = OwedBar(host, self._work, self._service)
        self.banner = Banner()
        self.calls = CallBar(host)
        self.points = PointsPane()
        self.advice = Advice(host, self._work, self.points)
        self.start = StartPane()
        self.result = ResultPane()
        self.intake: IntakePane | None = None
        self.scanner = Scanner(host, self._work, self)
        self.citizen = CitizenSide(host, self)
        self.screen_button = Button(tr("群众屏"), icon="monitor")
        self.screen_button.setCheckable(True)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.start)
        self._stack.addWidget(self.result)
        self._split = QSplitter(Qt.Orientation.Horizontal)
        self._split.addWidget(self._stack)
        self._split.addWidget(self.points)
        self._split.setStretchFactor(0, 1)
        self._split.setChildrenCollapsible(False)
        kept = self._memory.recall(SPLIT)
        self._split.setSizes(kept if isinstance(kept, list) else [theme().text_width(62), theme().text_width(22)])
        top = QHBoxLayout()
        top.addWidget(self.calls, 1)
        top.addWidget(self.screen_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(3))
        column.addLayout(top)
        column.addWidget(self.owed)
        column.addWidget(self.banner)
        column.addWidget(self._split, 1)
        self.start.chosen.connect(self._begin)
        self.start.search.searched.connect(self._find_items)
        self.start.resumed.connect(self._resume)
        self.start.dropped.connect(self._drop)
        self.start.applied.connect(self._open_application)
        self.result.print.clicked.connect(self._print)
        self.result.rate.clicked.connect(self._ask_rating)
        self.result.next.clicked.connect(self._show_start)
        self.calls.arrived.connect(self._arrived)
        self.calls.left.connect(self._welcome)
        self.calls.paused.connect(self._welcome)
        self.advice.failed.connect(self._trouble)
        self.scanner.failed.connect(self._trouble)
        self.citizen.confirmed.connect(self._confirmed)
        self.citizen.rated.connect(self._rated)
        self.citizen.failed.connect(self._trouble)
        self.screen_button.setChecked(self.citizen.windowed)
        self.screen_button.clicked.connect(self.citizen.set_windowed)
        self._split.splitterMoved.connect(self._remember_split)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focus_moved)
        self.setFocusProxy(self.start.search)
        self._work.run("read", lambda token: self._service.calendar(), done=self._take_calendar, failed=self._trouble)
        self._work.run("read", self._read_words, done=self._take_words, failed=self._trouble)
        # the first receipt and the first check would otherwise wait for imports
        self._work.run("cpu", lambda token: _warm_up(), failed=self._trouble)
        self._end_events = host.service(Events).subscribe(RecordsChanged, self._records_changed)
        self.destroyed.connect(self._end_events)
        self._show_start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.citizen.open()  # only now it is known on which monitor the clerk works

    def show_arguments(self, **arguments: Any) -> None:
        """``action``: ``new`` begins afresh, ``card`` reads the card of the case being filled in; ``case`` opens one
        that waits before its acceptance."""
        if self._accepting:
            return  # its number comes at once; what goes wrong must be seen
        if arguments.get("action") == "new":
            self._show_start()
        elif arguments.get("action") == "card":
            self._read_card()
        if "case" in arguments:
            self._open_application(str(arguments["case"]))

    def closeEvent(self, event: QCloseEvent) -> None:
        self._stop_reading()
        self._save_now()
        self._end_events()
        self.calls.close_bar()
        self.scanner.close()
        self.citizen.close()
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

    @Slot()
    def _remember_split(self) -> None:
        self._memory.remember(SPLIT, self._split.sizes())

    def _read_words(self, token: object) -> Words:
        records = self._host.service(Records)  # type: ignore[type-abstract]
        return Words(
            dictionaries.texts(records, dictionaries.DECLINE) or [*GROUNDS],
            dictionaries.texts(records, dictionaries.CORRECTIONS),
            dictionaries.texts(records, dictionaries.LOW_RATING),
        )

    def _take_words(self, words: Words) -> None:
        self._words = words

    # -- the start --------------------------------------------------------------------------------

    @Slot()
    def _show_start(self) -> None:
        self._stop_reading()
        self._save_now()
        self._intake = self._order = None
        self.banner.clear()
        self.advice.close()
        self._stack.setCurrentWidget(self.start)
        self.setFocusProxy(self.start.search)
        self.start.search.clear()
        self.start.search.setFocus(Qt.FocusReason.OtherFocusReason)
        self._welcome()
        self._load_items()
        # on lane data, behind whatever is still being saved there
        self._work.run("data", lambda token: self._service.drafts(), done=self._take_drafts, failed=self._trouble)
        self.owed.ask()

    def _load_items(self) -> None:
        self._work.run("read", lambda token: self._service.items(), done=self._take_items, failed=self._trouble)
        self._work.run(
            "read",
            lambda token: self._service.cases(BEFORE),
            done=self.start.show_applications,
            failed=self._trouble,
        )

    @Slot(str)
    def _find_items(self, text: str) -> None:
        """What is typed in letters may be pinyin: the store knows."""
        if not (text.isascii() and text.isalpha()):
            return

        def found(ids: frozenset[str]) -> None:
            self.start.show_found(text, ids)

        self._work.run("read", lambda token: self._service.items_called(text), done=found, failed=self._trouble)

    def _records_changed(self, event: RecordsChanged) -> None:
        if self._work.closed:
            return
        if self._stack.currentWidget() is self.start and (event.touches(ITEM_KIND) or event.touches(KIND)):
            self._load_items()
        if event.touches(KNOWLEDGE_KIND) and self.intake and self._intake:
            self.advice.refresh()
        if event.touches(ITEM_KIND) and self._intake and not self._accepting:
            intake = self._intake
            self._work.run(
                "read",
                lambda token: (intake.id, _served(self._service, intake)),
                done=self._item_changed,
                failed=self._trouble,
            )
        if self._intake and not self._accepting and (KIND, self._intake.id) in event.keys:
            id = self._intake.id
            self._work.run("read", lambda token: self._service.case(id), done=self._elsewhere, failed=self._trouble)

    def _item_changed(self, found: tuple[str, Doc | None]) -> None:
        """The item of the case that lies here was changed or withdrawn meanwhile: said at once, not at acceptance."""
        id, item = found
        if self.intake is None or self._intake is None or id != self._intake.id:
            return
        if item is None:
            self.intake.banner.say(_withdrawn(self._intake), "due", code="ACC-016")
        elif item["version"] > self._intake.item_version:
            self.intake.banner.say(tr("事项要求刚有更新。请放一放再继续办理，按新要求核对。"), "due")

    def _elsewhere(self, record: Record | None) -> None:
        """The case that lies here was dealt with at another counter: it is said at once, not when it is refused."""
        if record is None or self.intake is None or self._intake is None or record.id != self._intake.id:
            return
        last = record.doc["history"][-1]
        sentence = tr(
            "此件刚在别处办理：{text}（{name}），现为“{state}”。请核对后再办。",
            text=last["text"],
            name=last["by"]["name"],
            state=state_name(record.state),
        )
        self.intake.banner.say(sentence, "due", code="ACC-344")
        self.intake.correct.setVisible(not record.doc["correction"])

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
        if self._stack.currentWidget() is self.result:
            banner = self.result.paper
        say_error(banner, error)

    @Slot(object)
    def _begin(self, item: Doc) -> None:
        self.calls.serve()
        self._open(item, self._with_ticket(self._service.begin(item)))

    def _with_ticket(self, intake: Intake) -> Intake:
        """The acceptance for whoever was called: it names their number."""
        ticket = self.calls.ticket
        if ticket is None:
            return intake
        window_id = str(ticket["window"]["id"]) if ticket["window"] else ""
        return replace(intake, ticket={"id": ticket["id"], "number": ticket["number"]}, window_id=window_id)

    @Slot(object)
    def _arrived(self, ticket: Doc) -> None:
        """Somebody was called: their item is opened at once; what was being filled in stays a draft."""
        self._show_start()
        window = ticket["window"]["name"] if ticket["window"] else ""
        self._welcome(tr("请 {number} 号到{window}办理", number=ticket["number"], window=window))
        code = ticket["item"]["code"] if ticket["item"] else ""

        def find(token: object) -> Doc | None:
            return next((item for item in self._service.items() if item["code"] == code), None)

        if code:
            self._work.run("read", find, done=self._open_called, failed=self._trouble)

    def _open_called(self, item: Doc | None) -> None:
        if item is None:
            self.banner.say(tr("这个号要办的事项现在不能受理，请为群众选择事项。"), "due", code="ACC-340")
        elif self._intake is None:
            self._open(item, self._with_ticket(self._service.begin(item)))

    @Slot(str)
    def _open_application(self, case_id: str) -> None:
        """A case that was applied for online, or sent back: its acceptance goes on under its own id."""

        def find(token: object) -> tuple[Record | None, Doc | None]:
            record = self._service.case(case_id)
            if record is None:
                return None, None
            code = record.doc["item"]["code"]
            current = next((item for item in self._service.items() if item["code"] == code), None)
            return record, current or self._service.item(record.doc["item"]["id"])

        self._work.run("read", find, done=self._application_found, failed=self._trouble)

    def _application_found(self, found: tuple[Record | None, Doc | None]) -> None:
        record, item = found
        if record is None or item is None or record.state not in BEFORE:
            self.banner.say(tr("这件申请已经处理，或尚未传到本机。"), "due", code="ACC-341")
            self._load_items()
            return
        doc = record.doc
        intake = replace(
            self._service.begin(item),
            id=record.id,
            applicant=doc["applicant"],
            form=doc["form"],
            materials=doc["materials"],
            seen=seen_of(doc),
        )
        pane = self._open(item, self._with_ticket(intake))
        told = doc["correction"]
        if told:
            lines = "; ".join(
                tr("{about}：{text}", about=entry["about"], text=entry["text"]) for entry in told["items"]
            )
            pane.banner.say(tr("已一次性告知补正：{lines}", lines=lines), "due")
        pane.correct.setVisible(not told)

    @Slot(str)
    def _resume(self, draft_id: str) -> None:
        def find(token: object) -> tuple[Intake, Doc | None] | None:
            draft = next((draft for draft in self._service.drafts() if draft.id == draft_id), None)
            if draft is None:
                return None
            intake = Intake.from_draft(draft)
            return intake, _served(self._service, intake)

        self._work.run("data", find, done=self._resumed, failed=self._trouble)

    def _resumed(self, found: tuple[Intake, Doc | None] | None) -> None:
        if found is None:
            self._show_start()
            return
        intake, item = found
        if item is None:
            self.banner.say(_withdrawn(intake), "due", code="ACC-016")
            return
        newer = item["version"] != intake.item_version
        pane = self._open(item, replace(intake, item_id=item["id"]))
        if newer:
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
        pane = self.intake = IntakePane(item, self._service.today)
        self._stack.addWidget(pane)
        pane.show_intake(intake)
        pane.edited.connect(self._edited)
        pane.read_card.clicked.connect(self._read_card)
        pane.banner.acted.connect(self._read_card)
        pane.stop_reading.clicked.connect(self._stop_reading)
        pane.accept.clicked.connect(self._accept)
        pane.back.clicked.connect(self._show_start)
        pane.correct.clicked.connect(self._ask_correction)
        pane.decline.clicked.connect(self._ask_decline)
        pane.confirm.clicked.connect(self._ask_confirmation)
        pane.scan.clicked.connect(partial(self._scan, ""))
        pane.form.attach.connect(self._attach)
        pane.firm_named.connect(partial(self._ask_base, pane, FIRM))
        pane.materials.scan_wanted.connect(self._scan)
        pane.materials.entered.connect(self.advice.at)
        pane.materials.opened.connect(self._look_at)
        self._intake = intake
        self._dirty = False
        self.banner.clear()
        self.advice.open(item)
        self.scanner.load(pane.materials)
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
        """The material that the focus is in is the one at hand."""
        if new is None or self.intake is None or self._intake is None or not self.intake.isAncestorOf(new):
            return
        for row in self.intake.materials.rows():
            if row.isAncestorOf(new):
                self.advice.at(row.id)

    @Slot(str)
    def _attach(self, name: str) -> None:
        """A file for an attachment field: chosen here, kept in the store, named by the form."""
        pane = self.intake
        if pane is None:
            return
        chosen, _ = QFileDialog.getOpenFileName(
            self, tr("选择附件"), "", tr("图片、PDF、OFD (*.jpg *.jpeg *.png *.tif *.tiff *.pdf *.ofd)")
        )
        if not chosen:
            return
        blobs = self._host.service(Blobs)  # type: ignore[type-abstract]
        field = pane.form.field(name)
        assert isinstance(field, AttachmentField)

        def keep(token: object) -> dict[str, Any]:
            return blobs.put_file(Path(chosen)).to_doc()

        def kept(ref: dict[str, Any]) -> None:
            field.add({**ref, "name": Path(chosen).name})

        self._work.run("net", keep, done=kept, failed=self._trouble)

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
        self.calls.serve()
        self._offer_known(str(card["id_number"]))
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

    def _offer_known(self, id_number: str) -> None:
        """What earlier cases and the person base say of this person is offered at the fields, never put in."""
        pane = self.intake
        if pane is None:
            return

        def earlier(known: list[Any]) -> None:
            self._offer(pane, "earlier", [forms.Known(each.key, each.value, each.source) for each in known])

        find, code = self._service.earlier_values, str(pane.item["code"])
        self._work.run("read", lambda token: find(id_number, code), done=earlier, failed=self._trouble)
        self._ask_base(pane, PERSON, id_number)

    def _ask_base(self, pane: IntakePane, kind: str, number: str) -> None:
        server = self._host.service(Server)  # type: ignore[type-abstract]

        def found(known: list[forms.Known]) -> None:
            self._offer(pane, kind, known)

        self._work.run("net", lambda token: known_of(server, kind, number), done=found, failed=self._trouble)

    def _offer(self, pane: IntakePane, origin: str, known: list[forms.Known]) -> None:
        if pane is self.intake and self._intake is not None:
            pane.offer(origin, known)

    # -- materials ----------------------------------------------------------------------------------

    @Slot(str)
    def _scan(self, material: str) -> None:
        if self.intake is not None and self._intake is not None and not self._accepting:
            self.scanner.scan(self.intake.materials, material)

    @Slot(str, int)
    def _look_at(self, material: str, place: int) -> None:
        """A page in full size; the store has it, or the server."""
        if self.intake is None:
            return
        row = self.intake.materials.row(material)
        intake = self._intake
        sha256, title = str(row.images[place]["sha256"]), tr("{name} 第 {n} 页", name=row.material["name"], n=place + 1)

        def shown(image: QImage) -> None:
            if self._intake is not intake or self._looking:
                return  # the case was left meanwhile, or it was clicked twice
            dialog = self._looking = QDialog(self)
            dialog.finished.connect(self._looked)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.setWindowTitle(title)
            picture = Picture(title)
            picture.show_image(image)
            remove = LinkButton(tr("删除这一页"), icon="trash-2")
            remove.clicked.connect(partial(row.remove, sha256))
            remove.clicked.connect(dialog.accept)
            before, after = Button(tr("上一页"), icon="arrow-left"), Button(tr("下一页"), icon="chevron-right")
            for button, other in ((before, place - 1), (after, place + 1)):
                button.setEnabled(0 <= other < len(row.images))
                button.clicked.connect(dialog.accept)
                button.clicked.connect(partial(self._look_at, material, other))
            foot = QHBoxLayout()
            foot.addWidget(remove)
            foot.addStretch(1)
            foot.addWidget(before)
            foot.addWidget(after)
            column = QVBoxLayout(dialog)
            column.addWidget(picture, 1)
            column.addLayout(foot)
            dialog.resize(theme().text_width(50), theme().text_width(50))
            dialog.open()

        blobs = self._host.service(Blobs)  # type: ignore[type-abstract]
        self._work.run("net", lambda token: QImage.fromData(blobs.get(sha256)), done=shown, failed=self._trouble)

    @Slot()
    def _looked(self) -> None:
        self._looking = None

    # -- the other side of the counter --------------------------------------------------------------

    @Slot()
    def _welcome(self, line: str = "") -> None:
        self.citizen.welcome(self.calls.place or self._session.place or tr("受理窗口"), line)

    @Slot()
    def _ask_confirmation(self) -> None:
        if self.intake is not None and self._intake is not None:
            self.citizen.show_data(self.intake.own_data(), ask=True)

    @Slot(bool)
    def _confirmed(self, right: bool) -> None:
        if self.intake is not None and self._intake is not None:
            self.intake.show_confirmed(right)

    @Slot()
    def _ask_rating(self) -> None:
        if self._order is None:
            return
        case = self._order.record.doc
        place = self.calls.place or self._session.place
        title = tr("{place} {name}为您服务", place=place, name=self._session.actor.name)
        seen = self.citizen.ask_rating(title, self._words.reasons)
        words = tr("请群众在群众屏或评价器上评价。") if seen else tr("请群众按评价器评价；也可打开“群众屏”。")
        if case.get("rating"):
            words = tr("此件已经评价。")
        self.result.show_rated("info", words)

    @Slot(int, list)
    def _rated(self, stars: int, reasons: list[str]) -> None:
        order = self._order
        if order is None:
            return
        given = reasons or ([] if stars > 2 else ["评价器按键，未选原因"])
        rate = self._service.rate

        def rated(_record: Record) -> None:
            self.result.rate.setEnabled(False)
            self.result.show_rated("good", tr("群众已评价，谢谢。"))

        def failed(error: BaseException) -> None:
            self.result.rated.hide()
            say_error(self.result.paper, error)

        # what the citizen said counts even if the page is left at once
        self._host.run("data", lambda token: rate(order.record.id, stars, given), done=rated, failed=failed)

    # -- acceptance -------------------------------------------------------------------------------

    @Slot()
    def _accept(self) -> None:
        if self.intake is None or self._intake is None or self._accepting:
            return
        self.calls.serve()  # who is accepted is here
        intake = self.intake.gather(self._intake)
        self._end_with(lambda: self._service.accept(intake))

    def _end_with(self, work: Callable[[], ReceiptOrder]) -> None:
        """End the filling in: accepted, sent back or declined. What is refused can be mended and given again."""
        if self.intake is None:
            return
        self._stop_reading()
        self._accepting = True
        self.intake.setEnabled(False)
        self._host.run("data", lambda token: work(), done=self._accepted, failed=self._refused)

    @Slot()
    def _ask_correction(self) -> None:
        if self.intake is None or self._intake is None or self._accepting:
            return
        pane, intake = self.intake, self.intake.gather(self._intake)
        # a notice needs to know whom it is for
        unknown = {
            f"applicant.{field}": fault
            for field, fault in forms.validate(APPLICANT_FORM, _own(intake.applicant), self._service.today()).items()
        }
        if unknown:
            pane.show_faults(unknown)
            pane.banner.say(tr("请先填对申请人信息，告知书要写明给谁。"), "red", code="ACC-342")
            return
        faults = faults_of(pane.item, intake.body(), self._service.today(), lacking=frozenset(intake.lacking))
        dialog = CorrectionDialog(corrections(pane.item, faults), self)
        applied = self._at_counter(intake.id)

        def work(entries: list[dict[str, str]]) -> ReceiptOrder:
            if not applied:
                return self._service.correct(intake, entries)
            return self._service.order_receipt(self._service.ask_more(intake.id, entries), CORRECTION)

        def told(entries: list[dict[str, str]]) -> None:
            self._end_with(partial(work, entries))

        dialog.told.connect(told)
        dialog.open()

    @Slot()
    def _ask_decline(self) -> None:
        if self.intake is None or self._intake is None or self._accepting:
            return
        intake = self.intake.gather(self._intake)
        dialog = DeclineDialog(self._words.grounds, (), self)
        dialog.declined.connect(
            lambda ground, text: self._end_with(lambda: self._service.decline(intake, ground, text))
        )
        dialog.open()

    def _at_counter(self, case_id: str) -> bool:
        """Whether the case is there already: applied for online."""
        entries = range(self.start.applications.count())
        return any(self.start.applications.item(row).data(Qt.ItemDataRole.UserRole) == case_id for row in entries)

    def _accepted(self, order: ReceiptOrder) -> None:
        self._accepting = self._dirty = False
        self._intake, self._order = None, order
        if self._work.closed:
            return
        self.advice.close()
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

    @Slot()
    def _print(self) -> None:
        if self._order:
            self.owed.print(self._order, self.result.paper, self.result.print)


def _warm_up() -> None:
    prepare()
    forms.validate(APPLICANT_FORM, {})


def _served(service: AcceptanceService, intake: Intake) -> Doc | None:
    """The item of a draft as it is now: the version it was begun under, or the one that has taken its place."""
    items = service.items()
    begun = service.item(intake.item_id)
    code = begun["code"] if begun else None
    exact = next((item for item in items if item["id"] == intake.item_id), None)
    return exact or next((item for item in items if item["code"] == code), None)


def _withdrawn(intake: Intake) -> str:
    return tr("事项“{name}”已停止办理，草稿仍保留。", name=intake.item_name)


def _own(applicant: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in applicant.items() if key != "agent"}
