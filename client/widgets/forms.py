"""One renderer for every form that ``modules.common.forms`` can describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QDate, QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QCalendarWidget,
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
    QWidgetAction,
)

from client.widgets.basics import ComboBox, Label, LineEdit, SectionTitle, TextEdit
from client.widgets.theme import restyle, theme
from modules.common.forms import Form, as_date, blank, choices, clean, shown
from modules.common.text import tr

RADIOS = 3
"""Up to so many choices are shown side by side; more become a list."""


class DateEdit(LineEdit):
    """A date typed as ``2026-11-20``, ``20261120`` or ``2026年11月20日``, or picked (Alt+↓); shown as ISO text."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(name, parent)
        self.setPlaceholderText("2026-11-20")
        self._pick = self.addAction(theme().icon("calendar", "quiet", 16), QLineEdit.ActionPosition.TrailingPosition)
        self._pick.setToolTip(tr("选择日期（Alt+↓）"))
        self._pick.triggered.connect(self._open_calendar)
        self.editingFinished.connect(self._tidy)
        theme().changed.connect(self._retint)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down and event.modifiers() & Qt.KeyboardModifier.AltModifier:
            self._open_calendar()
        else:
            super().keyPressEvent(event)

    @Slot()
    def _tidy(self) -> None:
        meant = iso_date(self.text())
        if meant != self.text():
            self.setText(meant)

    @Slot()
    def _open_calendar(self) -> None:
        if self.isReadOnly():
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        calendar = QCalendarWidget()
        calendar.setVerticalHeaderFormat(QCalendarWidget.VerticalHeaderFormat.NoVerticalHeader)
        calendar.setAccessibleName(tr("选择日期"))
        held = QDate.fromString(iso_date(self.text()), Qt.DateFormat.ISODate)
        if held.isValid():
            calendar.setSelectedDate(held)
        action = QWidgetAction(menu)
        action.setDefaultWidget(calendar)
        menu.addAction(action)
        calendar.activated.connect(self._picked)
        calendar.activated.connect(menu.close)
        menu.popup(self.mapToGlobal(QPoint(0, self.height())))
        calendar.setFocus()

    @Slot(QDate)
    def _picked(self, day: QDate) -> None:
        self.setText(day.toString(Qt.DateFormat.ISODate))
        self.textEdited.emit(self.text())

    @Slot()
    def _retint(self) -> None:
        self._pick.setIcon(theme().icon("calendar", "quiet", 16))


def iso_date(text: str) -> str:
    """A typed date as ISO text; what is no date stays as it is."""
    return as_date(text)


class Field(QWidget):
    """One field: its label, its editor, where its value came from, and what is wrong with it."""

    edited = Signal(str)

    def __init__(self, name: str, prop: Mapping[str, Any], required: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self.wide = "x-lines" in prop
        self._prop = prop
        self._fault = ""
        self._source = ""
        title = tr(str(prop["title"]))
        self._required = required
        self._head = QHBoxLayout()
        self._label = Label(title.replace("&", "&&"))
        self._star = Label("*", "fault")
        self._note = Label(role="source")
        self._trouble = Label(role="fault", wrap=True)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._head.addWidget(self._label)
        self._head.addWidget(self._star)
        self._head.addStretch(1)
        self._head.addWidget(self._note)
        self._column.addLayout(self._head)
        # only now that it has a parent: shown without one it would be a window, and take the activation away
        self._star.setVisible(required)
        self.editor: QWidget = self._make(title)
        self._label.setBuddy(self.editor)
        self._column.addWidget(self.editor)
        self._column.addWidget(self._trouble)
        self._column.addStretch(1)
        self.show_fault("")
        self.show_source("")
        self._space()

    def value(self) -> Any:
        """What was entered, as it stands: text, bool, or a choice's value; None for no choice."""
        return self._read()

    def set_value(self, value: Any) -> None:
        """Show a value, without ``edited``."""
        self._write(value)

    def show_fault(self, text: str) -> None:
        """Say at the field what is wrong; nothing when ``text`` is empty."""
        self._fault = text
        self._trouble.setText(text)
        self._trouble.setVisible(bool(text))
        self.editor.setProperty("fault", bool(text))
        restyle(self.editor)
        self._describe()

    def show_source(self, source: str) -> None:
        """Say where the value came from: ``card`` or another source of the form's ``fills``."""
        self._source = source
        words = {"": "", "card": tr("来自身份证")}
        self._note.setText(words[source] if source in words else tr("来自{source}", source=tr(source)))
        self._note.setVisible(bool(source))
        self._describe()

    @property
    def source(self) -> str:
        """The source of the value as it stands, or nothing."""
        return self._source

    @property
    def fault(self) -> str:
        """What is said to be wrong, or nothing."""
        return self._fault

    def set_read_only(self, read_only: bool) -> None:
        """Whether the value can only be read."""
        if isinstance(self.editor, (QLineEdit, TextEdit)):
            self.editor.setReadOnly(read_only)
            restyle(self.editor)
        else:
            self.editor.setEnabled(not read_only)
        self._star.setVisible(self._required and not read_only)

    def take_focus(self) -> None:
        """Put the focus into the editor."""
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)

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
        check = QCheckBox(title.replace("&", "&&"))
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
        line = DateEdit(title) if kind == "date" else LineEdit(title)
        if hint := self._prop.get("description", ""):
            line.setPlaceholderText(hint)
        # hints, never validators: what is typed stays, and is judged in words
        latin = Qt.InputMethodHint.ImhPreferLatin
        hints = {"resident-id": latin, "credit-code": latin, "phone": Qt.InputMethodHint.ImhDialableCharactersOnly}
        if kind in hints:
            line.setInputMethodHints(hints[kind])
        elif kind in ("integer", "number", "amount", "date"):
            line.setInputMethodHints(Qt.InputMethodHint.ImhPreferNumbers)
        line.textEdited.connect(self._touched)
        line.submitted.connect(self._onward)
        self._read, self._write = line.text, lambda value: line.setText(shown(self._prop, value))
        return line

    @Slot()
    def _onward(self) -> None:
        self.focusNextChild()

    @Slot()
    def _touched(self) -> None:
        self.show_source("")
        self.show_fault("")
        self.edited.emit(self.name)

    def _describe(self) -> None:
        must = tr("必填") if self._required else ""
        parts = (self._fault, must, self._note.text(), self._prop.get("description", ""))
        self.editor.setAccessibleDescription(" ".join(part for part in parts if part))

    def _space(self) -> None:
        self._column.setSpacing(theme().space(1))
        self._head.setSpacing(theme().space(1))


class FormView(QWidget):
    """Shows a form and what people put into it.

    ``edited`` carries the field's name, at every change that a person makes (never for what an input method
    still composes, nor for ``set_values``). A form that is too tall scrolls where its owner puts it.
    """

    edited = Signal(str)

    def __init__(self, form: Form, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = form
        self._columns = 0
        self._fields: dict[str, Field] = {}
        self._groups: list[tuple[SectionTitle | None, list[Field]]] = []
        schema = form["schema"]
        required = set(schema.get("required", ()))
        for group in form["layout"]:
            fields = []
            for name in group["fields"]:
                field = Field(name, schema["properties"][name], name in required)
                field.edited.connect(self.edited)
                self._fields[name] = field
                fields.append(field)
            self._groups.append((SectionTitle(tr(group["title"])) if group["title"] else None, fields))
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSizeConstraint(QGridLayout.SizeConstraint.SetNoConstraint)
        self._grid.setColumnStretch(0, 1)
        self._grid.setColumnStretch(1, 1)
        theme().changed.connect(self._space)
        self._space()
        self.set_values(blank(form))

    def field(self, name: str) -> Field:
        """One field. Raises ``KeyError``."""
        return self._fields[name]

    def values(self) -> dict[str, Any]:
        """What was entered, as ``forms.clean`` understands it: empty fields left out, amounts as decimal text,
        integers as int, dates as ISO text; what cannot be understood as it was typed."""
        return clean(self.form, {name: field.value() for name, field in self._fields.items()})

    def set_values(self, values: Mapping[str, Any], sources: Mapping[str, str] | None = None) -> None:
        """Show ``values``; fields that are not among them stay. ``sources`` says which came from where (``card``)."""
        for name, value in values.items():
            if name in self._fields:
                self._fields[name].set_value(value)
                self._fields[name].show_source((sources or {}).get(name, ""))
                self._fields[name].show_fault("")

    def sources(self) -> dict[str, str]:
        """The fields whose value still is what a source gave."""
        return {name: field.source for name, field in self._fields.items() if field.source}

    def clear(self) -> None:
        """Back to an untouched form."""
        self.set_values({**dict.fromkeys(self._fields), **blank(self.form)})

    def show_faults(self, faults: Mapping[str, str]) -> dict[str, str]:
        """Say each fault at its field, none elsewhere, and put the focus at the first of the layout.

        Returns the faults of fields that this form does not have.
        """
        for name, field in self._fields.items():
            field.show_fault(faults.get(name, ""))
        first = next((field for name, field in self._fields.items() if faults.get(name)), None)
        if first:
            first.take_focus()
            self._reveal(first)
        return {name: text for name, text in faults.items() if name not in self._fields}

    def set_read_only(self, read_only: bool) -> None:
        """Whether the form can only be read."""
        for field in self._fields.values():
            field.set_read_only(read_only)

    def minimumSizeHint(self) -> QSize:
        # of one column, also while there are two: else a form could never become narrow again
        widest = max((field.minimumSizeHint().width() for field in self._fields.values()), default=0)
        return QSize(widest, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _reveal(self, field: Field) -> None:
        above = self.parentWidget()
        while above is not None and not isinstance(above, QScrollArea):
            above = above.parentWidget()
        if isinstance(above, QScrollArea):
            above.ensureWidgetVisible(field)

    @Slot()
    def _space(self) -> None:
        self._grid.setHorizontalSpacing(theme().space(6))
        self._grid.setVerticalSpacing(theme().space(2))
        self._columns = 0
        self._arrange()

    def _arrange(self) -> None:
        """Two fields beside each other where there is room for both, else one."""
        columns = 2 if self.width() >= theme().text_width(40) else 1
        if columns == self._columns:
            return
        self._columns = columns
        while self._grid.count():
            self._grid.takeAt(0)
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, 0)
        row = 0
        for title, fields in self._groups:
            if title:
                self._grid.addWidget(title, row, 0, 1, 2)
                row += 1
            column = 0
            for field in fields:
                span = 2 if field.wide or columns == 1 else 1
                if column + span > 2:
                    row, column = row + 1, 0
                self._grid.addWidget(field, row, column, 1, span)
                column += span
            row += 1
        self._grid.setRowStretch(row, 1)
