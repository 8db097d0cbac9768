"""What a person can do with a case now: the opinion and its phrases, one primary action, the rest under 更多."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from client.widgets.basics import (
    Button,
    ComboBox,
    ConfirmDialog,
    DangerButton,
    Label,
    LinkButton,
    PrimaryButton,
    SectionTitle,
    TextEdit,
)
from client.widgets.flow import flowing
from client.widgets.theme import set_role, theme
from modules.acceptance.domain.cases import (
    ACCEPT,
    APPLIED,
    APPROVED,
    ASK_MORE,
    CLOSE,
    COLLECT,
    CORRECT,
    DECLINE,
    HAND_OVER,
    INVITE,
    ISSUE,
    LONGEST_OPINION,
    RATE,
    SCAN,
    SUPPLY,
    SUPPLY_LACKING,
    TAKE_OVER,
    TRANSFER,
    VOID,
    WITHDRAW,
    Offer,
)
from modules.acceptance.services.case_desk import Phrase
from modules.common import workflow
from modules.common.aggregate import Doc
from modules.common.text import tr

APPROVE, REJECT, RETURN, READ = "case.approve", "case.reject", "case.return_to", "case.read"
ANSWER, RESUME, TAKE_BACK = "case.answer_extension", "case.resume", "case.take_back"
DANGEROUS = frozenset({VOID, WITHDRAW, DECLINE, TRANSFER, "case.abort", "case.skip"})
OWN_PLACE = frozenset({APPROVE, REJECT, RETURN, CLOSE, RATE, CORRECT})
"""Not under 更多: they have a button of their own, or belong to the counter."""


def groups() -> list[tuple[str, tuple[str, ...]]]:
    """The commands under 更多 by what they are about."""
    return [
        (
            tr("审批"),
            (
                READ,
                TAKE_BACK,
                "case.countersign",
                "case.drop_cosigner",
                "case.delegate",
                "case.undelegate",
                "case.act_for",
                "case.skip",
            ),
        ),
        (tr("期限"), ("case.suspend", RESUME, "case.extend", ANSWER, "case.urge")),
        (tr("申请"), (ACCEPT, INVITE, ASK_MORE, SUPPLY, DECLINE)),
        (tr("材料与移交"), (SUPPLY_LACKING, SCAN, HAND_OVER, TAKE_OVER, TRANSFER)),
        (tr("结果"), (ISSUE, COLLECT)),
        (tr("终止"), (WITHDRAW, "case.abort", VOID)),
    ]


def primary_of(case: Doc, offers: Mapping[str, Offer]) -> str:
    """The command that comes next for this person; nothing where none does."""
    can = {command for command, offer in offers.items() if not offer.why_not}
    order = [ANSWER, RESUME, ISSUE, APPROVE, COLLECT, CLOSE]
    decision = case.get("decision")
    if case["state"] == "decided" and decision and decision["result"] != APPROVED:
        order = [CLOSE, ISSUE, APPROVE]
    before = [INVITE, ACCEPT] if case["state"] == APPLIED else [ACCEPT, SUPPLY, INVITE]
    return next((command for command in (*order, *before) if command in can), "")


class MoreDialog(QDialog):
    """All other commands, by group; what cannot be given now stands below with its reason. ``chosen`` brings one."""

    chosen = Signal(str)

    def __init__(self, offers: Mapping[str, Offer], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("更多操作"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self.buttons: dict[str, Button] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(2))
        barred: list[Offer] = []
        for title, commands in groups():
            shown = [offers[command] for command in commands if command in offers]
            barred += [offer for offer in shown if offer.why_not]
            able = [self._button(offer) for offer in shown if not offer.why_not]
            if able:
                column.addWidget(SectionTitle(title))
                column.addWidget(flowing(*able))
        if not self.buttons:
            column.addWidget(Label(tr("现在没有您可以做的其他操作。"), "quiet"))
        if barred:
            column.addWidget(SectionTitle(tr("现在不能做")))
            grid = QGridLayout()
            grid.setHorizontalSpacing(theme().space(3))
            for row, offer in enumerate(barred):
                button = self._button(offer)
                button.setEnabled(False)
                button.setToolTip(offer.why_not)
                button.setAccessibleDescription(offer.why_not)
                grid.addWidget(button, row, 0)
                grid.addWidget(Label(offer.why_not, "quiet", wrap=True), row, 1)
            grid.setColumnStretch(1, 1)
            column.addLayout(grid)
        column.addStretch(1)
        self.keep = Button(tr("关闭"))
        self.keep.clicked.connect(self.reject)
        column.addWidget(self.keep, 0, Qt.AlignmentFlag.AlignRight)
        self.setMinimumWidth(theme().text_width(40))

    def _button(self, offer: Offer) -> Button:
        button = DangerButton(offer.name) if offer.command in DANGEROUS else Button(offer.name)
        button.clicked.connect(partial(self._choose, offer.command))
        self.buttons[offer.command] = button
        return button

    def _choose(self, command: str) -> None:
        self.accept()
        self.chosen.emit(command)


class PhraseBox(ComboBox):
    """Phrases to choose from: the arrows open the list, so that passing by one does not put it in."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            self.showPopup()
        else:
            super().keyPressEvent(event)


class PhraseBar(QWidget):
    """Stored phrases. ``put_in`` brings one; ``kept``: the opinion is to be kept; ``dropped`` names one to forget."""

    put_in = Signal(str)
    kept = Signal()
    dropped = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._phrases: list[Phrase] = []
        self._text = ""
        self.box = PhraseBox(tr("常用语"))
        self.keep = LinkButton(tr("存为常用语"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, 1)
        row.addWidget(self.keep)
        self.box.activated.connect(self._choose)
        self.keep.clicked.connect(self._keep)
        self.show_phrases([])

    def show_phrases(self, phrases: Sequence[Phrase]) -> None:
        """Offer other phrases, the person's own first."""
        self._phrases = list(phrases)
        self.box.clear()
        self.box.addItem(tr("常用语…"))
        for phrase in self._phrases:
            self.box.addItem(phrase.text)
        self.follow(self._text)

    def follow(self, text: str) -> None:
        """The opinion as it now is: it can be kept, or forgotten where it is one of the person's own."""
        self._text = text.strip()
        self.keep.set_label(tr("删去此常用语") if self._own() else tr("存为常用语"))
        known = any(phrase.text == self._text for phrase in self._phrases)
        self.keep.setEnabled(bool(self._text) and (bool(self._own()) or not known))

    def _own(self) -> str:
        return next((phrase.id for phrase in self._phrases if phrase.id and phrase.text == self._text), "")

    @Slot(int)
    def _choose(self, place: int) -> None:
        self.box.setCurrentIndex(0)
        if place > 0:
            self.put_in.emit(self._phrases[place - 1].text)

    @Slot()
    def _keep(self) -> None:
        if id := self._own():
            self.dropped.emit(id)
        else:
            self.kept.emit()


class Actions(QWidget):
    """The foot of a case. ``signed`` brings approve or reject, opinion and slot; ``wanted`` any other command."""

    signed = Signal(str, str, str)
    wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.offers: dict[str, Offer] = {}
        self.primary_command = ""
        self._title = ""
        self.opinion = TextEdit(tr("审批意见"), 2)
        self.opinion.setPlaceholderText(tr("审批意见；不予时必须写明理由"))
        self.opinion_fault = Label(role="fault", wrap=True)
        self.phrases = PhraseBar()
        self.slot = ComboBox(tr("以谁的名义签署"))
        self.print = Button(tr("打印"), shortcut="F9")
        self.more = Button(tr("更多"))
        self.back = Button(tr("退回"))
        self.reject = DangerButton(tr("不予"))
        self.approve = PrimaryButton(tr("准予"))
        self.close_case = Button(tr("办结"))
        self.primary = PrimaryButton("")
        self.opinion_fault.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(2))
        column.addWidget(self.opinion)
        column.addWidget(self.opinion_fault)
        column.addWidget(self.phrases)
        column.addWidget(self.slot)
        column.addWidget(
            flowing(self.print, self.more, self.back, self.reject, self.close_case, self.approve, self.primary)
        )
        self.opinion.edited.connect(self._edited)
        self.opinion.submitted.connect(self._approve)
        self.phrases.put_in.connect(self._put_in)
        self.approve.clicked.connect(self._approve)
        self.reject.clicked.connect(self._reject)
        self.back.clicked.connect(partial(self.wanted.emit, RETURN))
        self.close_case.clicked.connect(partial(self.wanted.emit, CLOSE))
        self.primary.clicked.connect(self._primary)
        self.more.clicked.connect(self._more)
        theme().changed.connect(self._fit)
        self._fit()
        self.offer({"state": ""}, "", [])

    def offer(self, case: Doc, title: str, offers: Sequence[Offer]) -> None:
        """Show what the person can do with ``case``."""
        self._title = title
        self.offers = {offer.command: offer for offer in offers}
        self.primary_command = primary_of(case, self.offers)
        able = {command for command, offer in self.offers.items() if not offer.why_not}
        signs = APPROVE in able
        for widget in (self.opinion, self.phrases):
            widget.setVisible(signs)
        self.opinion_fault.setVisible(signs and bool(self.opinion_fault.text()))
        for command, button in ((APPROVE, self.approve), (REJECT, self.reject), (RETURN, self.back)):
            offer = self.offers.get(command)
            button.setVisible(offer is not None)
            if offer is not None:
                button.set_label(offer.name)
                button.setEnabled(not offer.why_not)
                button.setToolTip(offer.why_not)
                button.setAccessibleDescription(offer.why_not)
        # one primary action: where another comes first, signing is one of the others
        first = self.primary_command in (APPROVE, "")
        set_role(self.approve, "primary" if first else "button")
        self._show_slots(self.offers[APPROVE].choices if signs else ())
        close = self.offers.get(CLOSE)
        self.close_case.setVisible(close is not None)
        if close is not None:
            self.close_case.setEnabled(not close.why_not)
            self.close_case.setToolTip(close.why_not)
            self.close_case.setAccessibleDescription(close.why_not)
        set_role(self.close_case, "primary" if self.primary_command == CLOSE else "button")
        other = self.primary_command not in (APPROVE, CLOSE, "")
        self.primary.setVisible(other)
        if other:
            self.primary.set_label(self.offers[self.primary_command].name)
        self.more.setVisible(bool(set(self.offers) - OWN_PLACE - {self.primary_command}))

    def first(self) -> QWidget | None:
        """Where Enter in the list goes: the opinion, else the main action; None where there is neither."""
        widgets = (self.opinion, self.primary, self.close_case)
        return next((widget for widget in widgets if widget.isVisibleTo(self) and widget.isEnabled()), None)

    def say_opinion_fault(self, text: str) -> None:
        """Say at the opinion what is wrong with it."""
        self.opinion_fault.setText(text)
        self.opinion_fault.setVisible(bool(text))
        self.opinion.setAccessibleDescription(text)
        if text:
            self.opinion.setFocus(Qt.FocusReason.OtherFocusReason)

    def set_opinion(self, text: str) -> None:
        """Show an opinion that was begun before."""
        self.opinion.setText(text)
        self.say_opinion_fault("")
        self.phrases.follow(text)

    def _show_slots(self, choices: Sequence[tuple[str, str]]) -> None:
        kept = self.slot.currentData()
        self.slot.clear()
        for value, words in choices:
            self.slot.addItem(tr("签署：{who}", who=words), value)
        self.slot.setCurrentIndex(max(self.slot.findData(kept), 0))
        self.slot.setVisible(len(choices) > 1)

    @Slot()
    def _fit(self) -> None:
        # as low as its lines allow: the room belongs to the tabs
        self.opinion.setMaximumHeight(self.opinion.minimumHeight())

    @Slot()
    def _edited(self) -> None:
        self.say_opinion_fault("")
        self.phrases.follow(self.opinion.text())

    @Slot(str)
    def _put_in(self, text: str) -> None:
        self.opinion.setText(f"{self.opinion.text()}{text}")
        self._edited()
        self.opinion.setFocus(Qt.FocusReason.OtherFocusReason)
        self.opinion.moveCursor(self.opinion.textCursor().MoveOperation.End)

    @Slot()
    def _approve(self) -> None:
        if self._opinion_fits() and self.approve.isEnabled():
            self._sign("approve")

    @Slot()
    def _reject(self) -> None:
        opinion = self.opinion.text().strip()
        if not self._opinion_fits():
            return
        decides = self.reject.accessibleName() == workflow.verb_name("reject", workflow.DECIDE)
        if not opinion:
            self.say_opinion_fault(tr("不予许可须写明理由。") if decides else tr("不同意须写明理由。"))
            return
        if not decides:
            self._sign("reject")
            return
        dialog = ConfirmDialog(
            tr("作出不予决定"),
            tr("将对“{title}”作出不予决定，理由：{opinion}\n决定作出后不能撤回。", title=self._title, opinion=opinion),
            keep=tr("再看看"),
            parent=self,
        )
        dialog.accepted.connect(partial(self._sign, "reject"))
        dialog.open()

    @Slot()
    def _primary(self) -> None:
        self.wanted.emit(self.primary_command)

    @Slot()
    def _more(self) -> None:
        hidden = OWN_PLACE | {self.primary_command}
        dialog = MoreDialog({key: offer for key, offer in self.offers.items() if key not in hidden}, self)
        dialog.chosen.connect(self.wanted)
        dialog.open()

    def _sign(self, verb: str) -> None:
        slot = str(self.slot.currentData() or "") if self.slot.isVisibleTo(self) else ""
        self.signed.emit(verb, self.opinion.text().strip(), slot)

    def _opinion_fits(self) -> bool:
        fits = len(self.opinion.text().strip()) <= LONGEST_OPINION
        if not fits:
            self.say_opinion_fault(tr("意见最多 {n} 个字。", n=LONGEST_OPINION))
        return fits
