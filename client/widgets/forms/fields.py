"""One field of a form: its label, its editor, where its value came from, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QEnterEvent, QKeyEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from client.widgets.basics import ComboBox, Label, LineEdit, TextEdit
from client.widgets.forms.lines import DateEdit, RegionEdit
from client.widgets.theme import restyle, theme
from modules.common.forms import Offer, choices, empty, is_computed, meant, shown
from modules.common.text import aside, tr

RADIOS = 3
"""Up to so many choices are shown side by side; more become a list."""
LONGEST_OFFER = 12
"""Characters of a value that an offer shows before it ends in an ellipsis."""
_LATIN = {"resident-id", "hmt-permit", "foreigner-id", "passport", "travel-permit", "id-number", "credit-code",
          "organisation-code", "email"}  # fmt: skip
_DIGITS = {"integer", "number", "amount", "date", "postcode", "bank-card"}


class OfferChip(QAbstractButton):
    """A value that may be taken: words in a thin frame, out of the way of Tab (the field's Alt+↓ takes it)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        metrics = self.fontMetrics()
        width = metrics.horizontalAdvance(self.text()) + 2 * theme().space(2) + theme().space(1)
        return QSize(width, metrics.height() + theme().space(1))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme().text_width(6), self.sizeHint().height())

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        painter.setPen(theme().color("accent"))
        painter.setBrush(theme().color("accent_ground") if self.underMouse() else Qt.BrushStyle.NoBrush)
        corner = theme().size("corner")
        painter.drawRoundedRect(self.rect().adjusted(0, 0, -1, -1), corner, corner)
        room = self.rect().adjusted(theme().space(2), 0, -theme().space(2), 0)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, text)
        painter.end()


class Field(QWidget):
    """One field: its label, its editor, where its value came from, and what is wrong with it.

    ``said`` is what a screen reader calls the editor, where that is more than the title (a cell's row).
    """

    edited = Signal(str)

    def __init__(
        self, name: str, prop: Mapping[str, Any], required: bool, parent: QWidget | None = None, *, said: str = ""
    ) -> None:
        super().__init__(parent)
        self.name = name
        self.wide = "x-lines" in prop
        self.computed = is_computed(prop)
        self.touched = False
        self._prop = prop
        self._fault = ""
        self._source = ""
        self._offers: tuple[Offer, ...] = ()
        self._required = required
        self._notes: dict[str, Label] = {}
        self._chip: OfferChip | None = None
        title = tr(str(prop["title"]))
        self._label = Label(title.replace("&", "&&"))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._head = QHBoxLayout()
        self._head.addWidget(self._label)
        self._head.addStretch(1)
        self._column.addLayout(self._head)
        self._star = Label("*", "fault", parent=self) if required else None
        if self._star:
            self._head.insertWidget(1, self._star)
        self.editor: QWidget = self._make(said or title)
        self._label.setBuddy(self.editor)
        self._column.addWidget(self.editor)
        self._column.addStretch(1)
        if self.computed:
            self.set_read_only(False)
            self._say("source", tr("自动计算"))
        self._describe()
        self.space()

    def value(self) -> Any:
        """What was entered, as it stands: text, bool, or a choice's value; None for no choice."""
        return self._read()

    def set_value(self, value: Any) -> None:
        """Show a value, without ``edited``."""
        self._write(value)
        self.touched = False
        self._show_chip()

    @property
    def composing(self) -> bool:
        """Whether an input method holds text for this field that is not yet typed."""
        return bool(getattr(self.editor, "composing", False))

    def show_fault(self, text: str) -> None:
        """Say at the field what is wrong; nothing when ``text`` is empty."""
        if text == self._fault:
            return
        self._fault = text
        self._say("fault", text)
        self.editor.setProperty("fault", bool(text))
        restyle(self.editor)
        self._describe()

    def show_note(self, text: str) -> None:
        """Say below the field what is worth knowing of a value that is no fault."""
        self._say("note", text)
        self._describe()

    def show_source(self, source: str) -> None:
        """Say where the value came from: ``card`` or another source of the form's ``fills``, or an offer's words."""
        self._source = source
        if not self.computed:
            self._say("source", source_words(source))
            self._describe()

    def show_offers(self, offers: Sequence[Offer]) -> None:
        """Offer values that are known, each with its source; Alt+↓ or a click takes one, nothing else does."""
        self._offers = () if self.computed else tuple(offers)
        if self._offers and self._chip is None:
            self._chip = OfferChip(self)
            self._chip.clicked.connect(self._offered)
            self._chip.setToolTip(tr("采用（Alt+↓）"))
            self._head.insertWidget(self._head.count(), self._chip)
            for widget in (self.editor, *self.editor.findChildren(QWidget)):
                widget.installEventFilter(self)
            self.space()
        self._show_chip()

    @property
    def source(self) -> str:
        """The source of the value as it stands, or nothing."""
        return self._source

    @property
    def fault(self) -> str:
        """What is said to be wrong, or nothing."""
        return self._fault

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What could be taken: the offers that say something else than the field does."""
        now = meant(self._prop, self.value())
        return tuple(offer for offer in self._offers if offer.value != now)

    def set_read_only(self, read_only: bool) -> None:
        """Whether the value can only be read; what is computed always is."""
        read_only = read_only or self.computed
        if isinstance(self.editor, (QLineEdit, TextEdit)):
            self.editor.setReadOnly(read_only)
            restyle(self.editor)
        else:
            self.editor.setEnabled(not read_only)
        if self._star:
            self._star.setVisible(not read_only)
        self._show_chip()

    def set_bare(self, bare: bool) -> None:
        """Whether the label is left out, because the head of a table's column says it."""
        self._label.setVisible(not bare)
        if self._star:
            self._star.setVisible(not bare)
        if self.computed:
            self._notes["source"].setVisible(not bare)
        self._describe()

    def take_focus(self) -> None:
        """Put the focus into the editor."""
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() == Qt.Key.Key_Down
            and event.modifiers() & Qt.KeyboardModifier.AltModifier
            and self._chip is not None
            and not self._chip.isHidden()
            and not self.composing
        ):
            self._offered()
            return True
        return super().eventFilter(watched, event)

    def take_offer(self, offer: Offer) -> None:
        """Put an offered value in, as a person's choice; its source is remembered."""
        self.set_value(offer.value)
        self._touched()
        self.show_source(offer.source)

    @Slot()
    def _offered(self) -> None:
        offers = self.offers
        if len(offers) == 1:
            self.take_offer(offers[0])
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for offer in offers:
            words = shown(self._prop, offer.value) + aside(offer.source)
            menu.addAction(words.replace("&", "&&")).setData(offer)
        menu.triggered.connect(lambda action: self.take_offer(action.data()))
        menu.popup(self.editor.mapToGlobal(QPoint(0, self.editor.height())))

    def _show_chip(self) -> None:
        if self._chip is None:
            return
        offers = () if self._is_read_only() else self.offers
        self._chip.setVisible(bool(offers))
        if offers:
            whole = shown(self._prop, offers[0].value)
            short = whole if len(whole) <= LONGEST_OFFER else whole[: LONGEST_OFFER - 1] + "…"
            self._chip.setText(tr("用 {value}（{source}）", value=short, source=offers[0].source))
            self._chip.setAccessibleName(tr("用 {value}（{source}）", value=whole, source=offers[0].source))
        self._describe()

    def _is_read_only(self) -> bool:
        if isinstance(self.editor, (QLineEdit, TextEdit)):
            return self.editor.isReadOnly()
        return not self.editor.isEnabled()

    def _say(self, what: str, text: str) -> None:
        """Show a line in its place: the source at the head, faults and notes below. Made when there is one to say."""
        label = self._notes.get(what)
        if label is None:
            if not text:
                return
            label = Label(role={"note": "small"}.get(what, what), wrap=what != "source", parent=self)
            self._notes[what] = label
            if what == "source":
                self._head.insertWidget(3 if self._star else 2, label)
            else:
                self._column.insertWidget(2, label)
        label.setText(text)
        label.setVisible(bool(text))

    def _make(self, title: str) -> QWidget:
        offered = choices(self._prop)
        if self._prop["type"] == "boolean":
            return self._make_check(title)
        if offered and len(offered) <= RADIOS:
            return self._make_radios(title, offered)
        if offered:
            return self._make_combo(title, offered)
        if self.wide:
            return self._make_text(title)
        return self._make_line(title)

    def _make_check(self, title: str) -> QWidget:
        check = QCheckBox(tr(str(self._prop["title"])).replace("&", "&&"))
        check.setAccessibleName(title)
        check.clicked.connect(self._touched)
        self._label.setText("")
        self._read: Callable[[], Any] = check.isChecked
        self._write: Callable[[Any], None] = lambda value: check.setChecked(bool(value))
        return check

    def _make_radios(self, title: str, offered: list[tuple[Any, str]]) -> QWidget:
        box = QWidget()
        box.setAccessibleName(title)
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        group = QButtonGroup(box)
        radios = []
        for _, words in offered:
            radio = QRadioButton(words.replace("&", "&&"))
            radio.setAccessibleName(words)
            radio.setAccessibleDescription(title)
            group.addButton(radio)
            row.addWidget(radio)
            radios.append(radio)
        row.addStretch(1)
        group.buttonClicked.connect(self._touched)
        box.setFocusProxy(radios[0])

        def read() -> Any:
            chosen = [value for (value, _), radio in zip(offered, radios, strict=True) if radio.isChecked()]
            return chosen[0] if chosen else None

        def write(value: Any) -> None:
            group.setExclusive(False)
            for (offer, _), radio in zip(offered, radios, strict=True):
                radio.setChecked(offer == value)
            group.setExclusive(True)

        self._read, self._write = read, write
        return box

    def _make_combo(self, title: str, offered: list[tuple[Any, str]]) -> QWidget:
        combo = ComboBox(title)
        combo.addItem(tr("请选择"), None)
        for value, words in offered:
            combo.addItem(words, value)
        combo.activated.connect(self._touched)

        def write(value: Any) -> None:
            values = [None, *(offer for offer, _ in offered)]
            combo.setCurrentIndex(values.index(value) if value in values else 0)

        self._read, self._write = combo.currentData, write
        return combo

    def _make_text(self, title: str) -> QWidget:
        text = TextEdit(title, int(self._prop["x-lines"]))
        text.setPlaceholderText(self._prop.get("description", ""))
        text.edited.connect(self._touched)
        self._read, self._write = text.text, lambda value: text.setText(shown(self._prop, value))
        return text

    def _make_line(self, title: str) -> QWidget:
        kind = self._prop.get("format", self._prop["type"])
        if kind == "region":
            return self._make_region(title)
        line = DateEdit(title) if kind == "date" and not self.computed else LineEdit(title)
        if hint := self._prop.get("description", ""):
            line.setPlaceholderText(hint)
        # hints, never validators: what is typed stays, and is judged in words
        if kind in _LATIN:
            line.setInputMethodHints(Qt.InputMethodHint.ImhPreferLatin)
        elif kind in ("phone", "mobile"):
            line.setInputMethodHints(Qt.InputMethodHint.ImhDialableCharactersOnly)
        elif kind in _DIGITS:
            line.setInputMethodHints(Qt.InputMethodHint.ImhPreferNumbers)
        self._connect(line)
        self._read, self._write = line.text, lambda value: line.setText(shown(self._prop, value))
        return line

    def _make_region(self, title: str) -> QWidget:
        line = RegionEdit(title)
        line.chosen.connect(self._touched)
        self._connect(line)
        self._read, self._write = line.value, lambda value: line.set_value("" if empty(value) else str(value))
        return line

    def _connect(self, line: LineEdit) -> None:
        line.textEdited.connect(self._touched)
        line.submitted.connect(self._onward)

    @Slot()
    def _onward(self) -> None:
        self.focusNextChild()
        for _ in range(100):  # past what can only be read
            there = QApplication.focusWidget()
            if not (isinstance(there, QLineEdit) and there.isReadOnly()):
                break
            self.focusNextChild()

    @Slot()
    def _touched(self) -> None:
        self.touched = True
        self.show_source("")
        self.show_fault("")
        self._show_chip()
        self.edited.emit(self.name)

    def _describe(self) -> None:
        must = tr("必填") if self._required else ""
        said = [self._notes[what].text() for what in ("source", "note") if what in self._notes]
        offer = ""
        if self._chip is not None and not self._chip.isHidden():
            offer = tr("可按 Alt+↓ {offer}", offer=self._chip.accessibleName())
        parts = (self._fault, must, *said, offer, self._prop.get("description", ""))
        self.editor.setAccessibleDescription(" ".join(part for part in parts if part))

    def space(self) -> None:
        """Take distances and the chip's font from the theme again."""
        self._column.setSpacing(theme().space(1))
        self._head.setSpacing(theme().space(1))
        if self._chip is not None:
            self._chip.setFont(theme().font("small"))


def source_words(source: str) -> str:
    """Where a value came from, as it is said at its field."""
    words = {"": "", "card": tr("来自身份证")}
    if source in words:
        return words[source]
    return tr("来自 {source}", source=source) if source[0].isascii() else tr("来自{source}", source=tr(source))
