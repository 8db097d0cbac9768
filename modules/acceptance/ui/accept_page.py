"""一窗受理: choose an item, read the card, fill in, check the materials, accept, hand over the receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Host
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Draft
from client.widgets.basics import (
    Banner,
    BusyMark,
    Button,
    Card,
    ConfirmDialog,
    ElidedLabel,
    Label,
    LinkButton,
    PrimaryButton,
    SearchBox,
    StateLabel,
)
from client.widgets.forms import Field, FormView
from client.widgets.theme import set_role, theme
from devices.ports import IdCardReader, IdentityRecord, no_reader
from modules.acceptance.domain.cases import APPLICANT_FORM, ITEM_KIND, person_values
from modules.acceptance.services.cards import card_values
from modules.acceptance.services.cases import AcceptanceService, Intake, Owed, Printed, ReceiptOrder, due_words
from modules.acceptance.services.receipt import prepare
from modules.acceptance.services.wiring import service_of
from modules.acceptance.ui.materials import MaterialsView
from modules.acceptance.ui.say import say_error, say_printed
from modules.acceptance.ui.work import PageWork, when
from modules.common import forms
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, Clock
from modules.common.errors import Refused
from modules.common.text import together, tr

_FROM_NUMBER = "证件号码"
"""The source of what is read off the applicant's number, as the form shows it."""


class StartPane(QWidget):
    """What to accept: an item to begin with, or what was left unfinished."""

    chosen = Signal(object)
    resumed = Signal(str)
    dropped = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[Doc] = []
        self.search = SearchBox(tr("查找事项"))
        self.items = QListWidget()
        self.items.setAccessibleName(tr("事项"))
        self.drafts = QListWidget()
        self.drafts.setAccessibleName(tr("未完成的受理"))
        self.none = Label(tr("没有未完成的受理。填写中的内容随时自动保存，中断后从这里继续。"), "quiet", wrap=True)
        self.begin = PrimaryButton(tr("开始受理"))
        self.resume = Button(tr("继续办理"))
        self.drop = LinkButton(tr("删除草稿"))
        for entries in (self.items, self.drafts):
            entries.setSpacing(theme().space(1))
        left, right = Card(tr("选择事项")), Card(tr("未完成的受理"))
        left.body.addWidget(self.search)
        left.body.addWidget(self.items, 1)
        left.body.addWidget(self.begin, 0, Qt.AlignmentFlag.AlignRight)
        right.body.addWidget(self.none)
        right.body.addWidget(self.drafts, 1000)  # all the room, while there are any
        buttons = QHBoxLayout()
        buttons.addWidget(self.drop)
        buttons.addStretch(1)
        buttons.addWidget(self.resume)
        right.body.addLayout(buttons)
        right.body.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme().space(4))
        row.addWidget(left, 3)
        row.addWidget(right, 2)
        self.search.searched.connect(self._show_items)
        self.search.submitted.connect(self._begin)
        self.items.itemActivated.connect(self._begin)
        self.begin.clicked.connect(self._begin)
        self.drafts.itemActivated.connect(self._resume)
        self.resume.clicked.connect(self._resume)
        self.drop.clicked.connect(self._drop)
        self.show_drafts([], {})

    @property
    def has_items(self) -> bool:
        """Whether there is anything to choose from."""
        return bool(self._items)

    def show_items(self, items: list[Doc]) -> None:
        """The items on offer."""
        self._items = items
        self._show_items()

    def show_drafts(self, drafts: list[Draft], words: Mapping[str, str]) -> None:
        """The drafts, each with when it was left."""
        self.drafts.clear()
        for draft in drafts:
            entry = QListWidgetItem(f"{draft.title}\n{words[draft.id]}")
            entry.setData(Qt.ItemDataRole.UserRole, draft.id)
            entry.setData(Qt.ItemDataRole.AccessibleTextRole, f"{draft.title} {words[draft.id]}")
            self.drafts.addItem(entry)
        if drafts:
            self.drafts.setCurrentRow(0)
        self.none.setVisible(not drafts)
        for widget in (self.drafts, self.resume, self.drop):
            widget.setVisible(bool(drafts))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up) and self.search.hasFocus():
            self.items.setFocus(Qt.FocusReason.OtherFocusReason)
            QApplication.sendEvent(self.items, event)
        else:
            super().keyPressEvent(event)

    @Slot()
    def _show_items(self) -> None:
        words = self.search.text().split()
        held = self.items.currentItem()
        chosen = held.data(Qt.ItemDataRole.UserRole) if held else ""
        row = 0
        self.items.clear()
        for item in self._items:
            terms = tr("{department} · {kind} · {n} 个工作日", n=item["promised_days"],
                       department=item["department"], kind=item["kind"])  # fmt: skip
            if all(word in f"{item['name']} {item['code']} {terms}" for word in words):
                entry = QListWidgetItem(f"{item['name']}\n{terms}")
                entry.setData(Qt.ItemDataRole.UserRole, item["id"])
                entry.setData(Qt.ItemDataRole.AccessibleTextRole, item["name"])
                entry.setToolTip(item["summary"])
                self.items.addItem(entry)
                row = self.items.count() - 1 if item["id"] == chosen else row
        self.items.setCurrentRow(row)
        self.begin.setEnabled(self.items.count() > 0)

    @Slot()
    def _begin(self) -> None:
        entry = self.items.currentItem()
        if entry:
            id = entry.data(Qt.ItemDataRole.UserRole)
            self.chosen.emit(next(item for item in self._items if item["id"] == id))

    @Slot()
    def _resume(self) -> None:
        if entry := self.drafts.currentItem():
            self.resumed.emit(entry.data(Qt.ItemDataRole.UserRole))

    @Slot()
    def _drop(self) -> None:
        if entry := self.drafts.currentItem():
            dialog = ConfirmDialog(
                tr("删除草稿"),
                tr("“{title}”填写的内容将从本机删除，不能恢复。", title=entry.text().partition("\n")[0]),
                keep=tr("不删除"),
                parent=self,
            )
            dialog.accepted.connect(partial(self.dropped.emit, entry.data(Qt.ItemDataRole.UserRole)))
            dialog.open()


class IntakePane(QWidget):
    """The case being filled in."""

    edited = Signal()

    def __init__(self, item: Doc, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.item = item
        self.applicant = FormView({**APPLICANT_FORM, "layout": [{**APPLICANT_FORM["layout"][0], "title": ""}]})
        self.form = FormView(item["form"])
        self.materials = MaterialsView(item["materials"])
        self.read_card = Button(tr("读卡"), icon="id-card", shortcut="F4")
        self.stop_reading = Button(tr("停止读卡"))
        self._busy = BusyMark()
        self._waiting = Label(tr("请把身份证放在读卡器上…(Esc 停止)"), "quiet")
        self.banner = Banner()
        self.accept = PrimaryButton(tr("受理"), icon="stamp", shortcut="F8")
        self.back = Button(tr("放一放"), icon="arrow-left")
        self.kept = Label("", "small")

        person = Card()
        head = QHBoxLayout()
        head.addWidget(Label(tr("申请人"), "heading"))
        head.addStretch(1)
        for widget in (self._busy, self._waiting, self.stop_reading, self.read_card):
            head.addWidget(widget)
        person.body.addLayout(head)
        person.body.addWidget(self.applicant)
        sheet, papers = Card(), Card(tr("材料"))
        sheet.body.addWidget(self.form)
        papers.body.addWidget(self.materials)
        cards = QWidget()
        stack = QVBoxLayout(cards)
        stack.setContentsMargins(0, 0, theme().space(2), 0)
        stack.setSpacing(theme().space(3))
        for card in (person, sheet, papers):
            stack.addWidget(card)
        stack.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(cards)
        title = QVBoxLayout()
        title.addWidget(Label(item["name"], "title"))
        terms = tr("{department} · {kind} · 承诺 {n} 个工作日办结", n=item["promised_days"],
                   department=item["department"], kind=item["kind"])  # fmt: skip
        title.addWidget(ElidedLabel(f"{terms} · {item['summary']}", "quiet"))
        foot = QHBoxLayout()
        foot.setSpacing(theme().space(2))
        foot.addWidget(self.back)
        foot.addWidget(self.kept)
        foot.addStretch(1)
        foot.addWidget(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(3))
        column.addLayout(title)
        column.addWidget(self.banner)
        column.addWidget(area, 1)
        column.addLayout(foot)
        self.applicant.edited.connect(self._derive)
        for part in (self.applicant, self.form, self.materials):
            part.edited.connect(self._tell)
        self.show_reading(False)

    def show_intake(self, intake: Intake) -> None:
        """Show what was entered before."""
        self.applicant.set_values(intake.applicant, intake.sources.get("applicant"))
        self.form.set_values(intake.form, intake.sources.get("form"))
        self.materials.set_values(intake.materials)

    def gather(self, intake: Intake) -> Intake:
        """``intake`` with what stands on the screen."""
        sources = {"applicant": self.applicant.sources(), "form": self.form.sources()}
        return replace(
            intake,
            item_version=self.item["version"],
            applicant=self.applicant.values(),
            form=self.form.values(),
            materials=self.materials.values(),
            card=sources["applicant"].get("id_number") == "card",
            sources=sources,
        )

    def show_reading(self, reading: bool) -> None:
        """Whether a card is being waited for."""
        for widget in (self._busy, self._waiting, self.stop_reading):
            widget.setVisible(reading)
        self.read_card.setVisible(not reading)

    def conflicts(self, values: Mapping[str, Any]) -> list[str]:
        """In words, what was typed and the card says otherwise."""
        typed, origin = self.applicant.values(), self.applicant.sources()
        untouched = forms.blank(APPLICANT_FORM)
        properties = APPLICANT_FORM["schema"]["properties"]
        return [
            tr(
                "{title}：录入的是“{typed}”，证件上是“{card}”",
                title=tr(properties[name]["title"]),
                typed=forms.shown(properties[name], typed[name]),
                card=forms.shown(properties[name], value),
            )
            for name, value in values.items()
            if name in typed and name not in origin and typed[name] not in (value, untouched.get(name))
        ]

    def fill(self, card: Mapping[str, Any], *, replace_typed: bool) -> None:
        """Put the card's values in; where something else was typed only if ``replace_typed``."""
        for view, form in ((self.applicant, APPLICANT_FORM), (self.form, self.item["form"])):
            values, origin = forms.fill(form, {"card": card})
            typed, sourced, untouched = view.values(), view.sources(), forms.blank(form)
            free = {
                name: value
                for name, value in values.items()
                if (replace_typed and view is self.applicant)
                or name in sourced
                or typed.get(name) in (None, value, untouched.get(name))
            }
            view.set_values(free, {name: origin[name] for name in free})
        self._derive()
        self.edited.emit()

    def show_faults(self, faults: Mapping[str, str]) -> str:
        """Say each fault where it belongs, with the focus at the first; what has no place is returned."""
        parts: dict[str, dict[str, str]] = {"applicant": {}, "form": {}, "materials": {}}
        loose = []
        for path, sentence in faults.items():
            part, _, name = path.partition(".")
            if part in parts and name:
                parts[part][name] = sentence
            else:
                loose.append(sentence)
        # from the last to the first: each takes the focus, the first of the page keeps it
        self.materials.show_faults(parts["materials"])
        loose += self.form.show_faults(parts["form"]).values()
        loose += self.applicant.show_faults(parts["applicant"]).values()
        return " ".join(loose)

    def judge(self, field: Field, today: Any) -> None:
        """Say at a field that was left what is wrong with it; an empty one is left alone."""
        view, form = (
            (self.applicant, APPLICANT_FORM) if self.applicant.isAncestorOf(field) else (self.form, self.item["form"])
        )
        values = view.values()
        if field.name in values:
            field.show_fault(forms.validate(form, values, today).get(field.name, ""))

    @Slot()
    def _derive(self) -> None:
        """What the number and the name say is put into the item's form while nobody typed anything else there."""
        values, _ = forms.fill(self.item["form"], {"applicant": person_values(self.applicant.values())})
        typed, origin = self.form.values(), self.form.sources()
        free = {name: value for name, value in values.items() if name not in typed or origin.get(name) == _FROM_NUMBER}
        self.form.set_values(free, dict.fromkeys(free, _FROM_NUMBER))

    @Slot()
    def _tell(self) -> None:
        self.edited.emit()


class ResultPane(QWidget):
    """The case is accepted: its number, by when it is due, the receipt."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = StateLabel("good", tr("已受理"))
        self.number = Label("", "display", selectable=True)
        self.title = Label("", "heading")
        self.due = StateLabel("info", "")
        self.paper = Banner()
        self.print = PrimaryButton(tr("打印回执"), icon="printer", shortcut="F9")
        self.next = Button(tr("下一件"), icon="plus", shortcut="Ctrl+N")
        card = Card()
        card.body.addWidget(self.state)
        card.body.addWidget(self.number)
        card.body.addWidget(self.title)
        card.body.addWidget(self.due)
        card.body.addWidget(self.paper)
        buttons = QHBoxLayout()
        buttons.addWidget(self.print)
        buttons.addWidget(self.next)
        buttons.addStretch(1)
        card.body.addLayout(buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(card)
        column.addStretch(1)

    def show_order(self, order: ReceiptOrder, due: tuple[str, str]) -> None:
        """Show an accepted case."""
        day = order.record.due
        self.number.setText(order.record.number)
        self.number.setAccessibleName(tr("编号 {number}", number=order.record.number))
        self.title.setText(order.record.title)
        words = tr("应办结 {date}，{left}", date=f"{day:%Y-%m-%d}" if day else "", left=due[1])
        self.due.show_state(due[0], words)
        self.paper.clear()


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
