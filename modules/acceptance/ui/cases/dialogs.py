"""The window that asks what a command needs; it stays until the command has gone through, so nothing typed is lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.widgets.basics import Banner, Button, DangerButton, Label, PrimaryButton, SectionTitle
from client.widgets.dialogs import GrowingDialog
from client.widgets.forms import FormView
from client.widgets.pages import PageWork
from client.widgets.theme import set_role, theme
from devices.ports import IdCardReader, IdentityRecord, no_reader
from modules.acceptance.ui.cases.actions import PhraseBox
from modules.acceptance.ui.cases.asks import Ask
from modules.acceptance.ui.say import say_error
from modules.common import forms
from modules.common.errors import Refused
from modules.common.text import tr

TALLEST = 10
"""Rows after which the fields scroll."""


class AskDialog(GrowingDialog):
    """Asks what an ``Ask`` says. ``given`` brings the command's body; the owner then calls ``accept`` or ``refuse``.

    Ctrl+Enter gives it, Esc leaves; F4 reads an identity card where the question takes one.
    """

    given = Signal(object)

    def __init__(self, ask: Ask, host: Host, phrases: Sequence[str], today: date, parent: QWidget) -> None:
        super().__init__(parent)
        self.ask = ask
        self._host = host
        self._today = today
        self._work = PageWork(host)
        self._reader: IdCardReader | None = None
        self.setWindowTitle(ask.action)
        self.setAccessibleDescription(ask.consequence)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self.form = FormView(ask.form)
        self.form.set_values(ask.values)
        self.banner = Banner()
        self.phrases = PhraseBox(tr("常用语"))
        self.phrases.addItem(tr("常用语…"), "")
        for text in phrases:
            self.phrases.addItem(text, text)
        self.phrases.setVisible(bool(phrases) and bool(ask.into))
        self.card = Button(tr("读身份证"), icon="id-card", shortcut="F4") if ask.card else None
        self.go = DangerButton(ask.action) if ask.danger else PrimaryButton(ask.action)
        self.keep = Button(tr("取消"))
        self._lay()
        self.phrases.activated.connect(self._put_in)
        self.go.clicked.connect(self._give)
        self.keep.clicked.connect(self.reject)
        for name in ask.form["schema"]["properties"]:
            if submitted := getattr(self.form.field(name).editor, "submitted", None):
                submitted.connect(self._give)
        if self.card:
            self.card.clicked.connect(self._read_card)
        self.finished.connect(self._end)
        self._focus_first()

    def refuse(self, error: BaseException) -> None:
        """The command did not go through: say why, at the field where it is known; what was typed stays."""
        self.setEnabled(True)
        faults = dict(error.refusal.fields) if isinstance(error, Refused) else {}
        left = self.form.show_faults(faults) if faults else faults
        if not faults or left:
            say_error(self.banner, error)
        self.grow()

    def busy(self) -> None:
        """The command is on its way."""
        self.banner.clear()
        self.setEnabled(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # what a text does with Ctrl+Enter, every other field does as well
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if control and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._give()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._end()
        super().closeEvent(event)

    def _lay(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(6),) * 4)
        column.setSpacing(theme().space(3))
        column.addWidget(SectionTitle(self.ask.action))
        column.addWidget(Label(self.ask.consequence, wrap=True))
        if self.card:
            column.addWidget(self.card, 0, Qt.AlignmentFlag.AlignLeft)
        fields = self.ask.form["schema"]["properties"]
        if len(fields) > TALLEST:
            area = QScrollArea()
            area.setWidgetResizable(True)
            area.setWidget(self.form)
            area.setMinimumHeight(theme().size("target") * TALLEST)
            column.addWidget(area, 1)
        elif fields:
            column.addWidget(self.form)
        column.addWidget(self.phrases)
        column.addWidget(self.banner)
        buttons = QHBoxLayout()
        for widget in (self.go, self.keep) if self.ask.danger else (self.keep, self.go):
            buttons.addWidget(widget)
        buttons.insertStretch(1 if self.ask.danger else 0, 1)
        column.addLayout(buttons)
        self.setMinimumWidth(theme().text_width(38))

    def _focus_first(self) -> None:
        """To the first field that has to be filled; to the button where there is none."""
        properties = self.ask.form["schema"]["properties"]
        names = [name for group in self.ask.form["layout"] for name in group["fields"]]
        empty = (name for name in names if not self.ask.values.get(name) and "x-when" not in properties[name])
        first = next(empty, next(iter(names), ""))
        if first:
            self.form.field(first).take_focus()
        else:
            (self.keep if self.ask.danger else self.go).setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot(int)
    def _put_in(self, place: int) -> None:
        text = self.phrases.itemData(place)
        self.phrases.setCurrentIndex(0)
        if text:
            field = self.form.field(self.ask.into)
            field.set_value(f"{field.value() or ''}{text}")
            field.take_focus()

    @Slot()
    def _give(self) -> None:
        values = self.form.values()
        self.banner.clear()
        faults = forms.validate(self.ask.form, values, self._today)
        self.form.show_faults(faults)
        if faults:
            self.grow()
            return
        self.given.emit(self.ask.body(forms.clean(self.ask.form, values, self._today)))

    @Slot()
    def _read_card(self) -> None:
        if self._reader is not None:
            return
        try:
            reader = self._host.service(IdCardReader)  # type: ignore[type-abstract]
        except LookupError:
            say_error(self.banner, no_reader())
            self.grow()
            return
        self._reader = reader
        self.banner.say(tr("请放上领取人的身份证…"), "info")
        self.grow()
        self._work.run("net", lambda token: reader.read(), done=self._card_read, failed=self._card_failed)

    def _card_read(self, record: IdentityRecord) -> None:
        self._reader = None
        self.banner.clear()
        known: Mapping[str, str] = {"by": record.name, "id_number": record.id_number}
        self.form.set_values(known, dict.fromkeys(known, "card"))
        self.go.setFocus(Qt.FocusReason.OtherFocusReason)

    def _card_failed(self, error: BaseException) -> None:
        self._reader = None
        say_error(self.banner, error)
        self.grow()

    @Slot()
    def _end(self) -> None:
        reader, self._reader = self._reader, None
        self._work.close()
        if reader is not None:
            # it may have to talk to the reader's process; a window that closes must not wait for it
            self._host.run("net", lambda token: reader.cancel())
