"""The renderer: groups of fields in as many columns as fit, shown and hidden and computed while they are filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from PySide6.QtCore import QSize, QTimer, Signal, Slot
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QApplication, QGridLayout, QScrollArea, QWidget

from client.widgets.basics import SectionTitle
from client.widgets.forms.fields import Field
from client.widgets.forms.files import AttachmentField
from client.widgets.forms.rows import TableField
from client.widgets.theme import theme
from modules.common.forms import (
    Form,
    Known,
    Settled,
    blank,
    is_attachment,
    is_table,
    notes,
    offers,
    settle,
    shown,
    validate,
)
from modules.common.text import tr

COLUMN = 20
"""Characters that a column of fields needs for two of them to stand beside each other; three need half as much more."""


class FormView(QWidget):
    """Shows a form and what people put into it.

    ``edited`` carries the field's name, at every change that a person makes (never for what an input method
    still composes, nor for ``set_values``). With ``today`` fields are judged when they are left, and ages computed.
    ``attach`` carries the name of an attachment field that wants a file: the owner gets one and calls
    ``field(name).add(…)``. A form that is too tall scrolls where its owner puts it.
    """

    edited = Signal(str)
    attach = Signal(str)

    def __init__(self, form: Form, parent: QWidget | None = None, *, today: Callable[[], date] | None = None) -> None:
        super().__init__(parent)
        self.form = form
        self._today = today
        self._columns = 0
        self._hidden: frozenset[str] = frozenset()
        self._fields: dict[str, Field] = {}
        self._groups: list[tuple[SectionTitle | None, list[Field]]] = []
        properties = form["schema"]["properties"]
        required = set(form["schema"].get("required", ()))
        self._lively = any(
            key in held
            for prop in properties.values()
            for held in (prop, *prop.get("items", {}).get("properties", {}).values())
            for key in ("x-when", "x-compute")
        ) or any("x-when" in group for group in form["layout"])
        self._regions = [name for name, prop in properties.items() if prop.get("format") == "region"]
        for group in form["layout"]:
            fields = [self._make(name, properties[name], name in required) for name in group["fields"]]
            self._groups.append((SectionTitle(tr(group["title"]), self) if group["title"] else None, fields))
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSizeConstraint(QGridLayout.SizeConstraint.SetNoConstraint)
        theme().changed.connect(self._retheme)
        if today is not None:
            app = QApplication.instance()
            assert isinstance(app, QApplication)
            app.focusChanged.connect(self._focus_moved)
        self.set_values(blank(form))
        self._space()

    def field(self, name: str) -> Field:
        """One field. Raises ``KeyError``."""
        return self._fields[name]

    def values(self) -> dict[str, Any]:
        """What was entered, as ``forms.clean`` understands it: empty and hidden fields left out, amounts as decimal
        text, integers as int, dates as ISO text, what is computed; what cannot be understood as it was typed."""
        return self._settled().values

    def set_values(self, values: Mapping[str, Any], sources: Mapping[str, str] | None = None) -> None:
        """Show ``values``; fields that are not among them stay, as does one that is being composed.

        ``sources`` says which came from where (``card``).
        """
        for name, value in values.items():
            field = self._fields.get(name)
            if field is not None and not field.composing and not field.computed:
                field.set_value(value)
                field.show_source((sources or {}).get(name, ""))
                field.show_fault("")
        self._settle()

    def offer(self, known: Sequence[Known]) -> None:
        """Offer what is known at the fields that it fits, in place of what was offered before."""
        found = offers(self.form, known, self._today() if self._today else None)
        for name, field in self._fields.items():
            field.show_offers(found.get(name, ()))

    def sources(self) -> dict[str, str]:
        """The fields whose value still is what a source gave."""
        return {name: field.source for name, field in self._fields.items() if field.source}

    def clear(self) -> None:
        """Back to an untouched form."""
        self.set_values({**dict.fromkeys(self._fields), **blank(self.form)})

    def show_faults(self, faults: Mapping[str, str]) -> dict[str, str]:
        """Say each fault at its field, none elsewhere, and put the focus at the first of the layout.

        Returns the faults of fields that this form does not have, or does not show.
        """
        first: Field | None = None
        placed: set[str] = set()
        for name, field in self._fields.items():
            field.show_fault(faults.get(name, ""))
            if name in faults:
                placed.add(name)
            target: Field | None = field if field.fault else None
            if isinstance(field, TableField):
                inside = {path: text for path, text in faults.items() if path.startswith(f"{name}.")}
                cell = field.show_cell_faults(inside)
                placed |= {each.name for each in field.cells() if each.name in inside}
                target = target or (cell if isinstance(cell, Field) else None)
            if name in self._hidden:
                placed.discard(name)
            elif target is not None and first is None:
                first = target
        if first:
            first.take_focus()
            self._reveal(first)
        return {name: text for name, text in faults.items() if name not in placed}

    def set_read_only(self, read_only: bool) -> None:
        """Whether the form can only be read."""
        for field in self._fields.values():
            field.set_read_only(read_only)

    def minimumSizeHint(self) -> QSize:
        # of one column, also while there are more: else a form could never become narrow again
        widest = max((field.minimumSizeHint().width() for field in self._fields.values()), default=0)
        return QSize(widest, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _make(self, name: str, prop: Mapping[str, Any], required: bool) -> Field:
        field: Field
        if is_table(prop):
            field = TableField(name, prop, required, self)
        elif is_attachment(prop):
            field = files = AttachmentField(name, prop, required, self)
            files.wanted.connect(self.attach)
        else:
            field = Field(name, prop, required, self)
        field.edited.connect(self._edited)
        self._fields[name] = field
        return field

    def _settled(self) -> Settled:
        entered = {name: field.value() for name, field in self._fields.items()}
        return settle(self.form, entered, self._today() if self._today else None)

    @Slot(str)
    def _edited(self, name: str) -> None:
        self._settle()
        self.edited.emit(name)

    def _settle(self) -> None:
        """Show, hide and compute by what is entered now; what is hidden keeps what was typed."""
        if not self._lively and not self._regions:
            return
        settled = self._settled()
        properties = self.form["schema"]["properties"]
        for name, field in self._fields.items():
            if isinstance(field, TableField):
                field.settle(settled)
            elif field.computed and shown(properties[name], settled.values.get(name)) != shown(
                properties[name], field.value()
            ):
                field.set_value(settled.values.get(name))
        if self._regions:
            told = notes(self.form, settled.values, self._today() if self._today else None)
            for name in self._regions:
                self._fields[name].show_note(told.get(name, ""))
        hidden = frozenset(name for name in settled.hidden if name in self._fields)
        if hidden != self._hidden:
            self._hidden = hidden
            self._arrange(again=True)

    @Slot(QWidget, QWidget)
    def _focus_moved(self, old: QWidget | None, new: QWidget | None) -> None:
        """A field that the focus leaves is judged at once; an empty one that nobody touched is left alone."""
        if old is None or not self.isAncestorOf(old):
            return
        field: QWidget | None = old
        while field is not None and not isinstance(field, Field):
            field = field.parentWidget()
        if not isinstance(field, Field) or (new is not None and field.isAncestorOf(new)) or field.composing:
            return
        if not field.isVisibleTo(self):
            return  # it did not leave the field: the field was taken away
        assert self._today is not None
        values = self._settled().values
        if field.touched or field.name in values:
            field.show_fault(validate(self.form, values, self._today()).get(field.name, ""))

    def _reveal(self, field: Field) -> None:
        above = self.parentWidget()
        while above is not None and not isinstance(above, QScrollArea):
            above = above.parentWidget()
        if isinstance(above, QScrollArea):
            above.ensureWidgetVisible(field)

    def _space(self) -> None:
        self._grid.setHorizontalSpacing(theme().space(6))
        self._grid.setVerticalSpacing(theme().space(2))
        self._arrange(again=True)

    @Slot()
    def _retheme(self) -> None:
        for field in self._fields.values():
            field.space()
        self._space()

    def _arrange(self, *, again: bool = False) -> None:
        """As many fields beside each other as have room; what is hidden leaves no gap."""
        room = self.width() // theme().text_width(COLUMN)
        columns = 1 if room < 2 else 2 if room < 4 else 3
        if columns == self._columns and not again:
            return
        self._columns = columns
        while self._grid.count():
            self._grid.takeAt(0)
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, 0)
        for column in range(3):
            self._grid.setColumnStretch(column, 1 if column < columns else 0)
        row = 0
        for title, fields in self._groups:
            present = [field for field in fields if field.name not in self._hidden]
            for field in fields:
                field.setVisible(field.name not in self._hidden)
            if title:
                title.setVisible(bool(present))
                if present:
                    self._grid.addWidget(title, row, 0, 1, columns)
                    row += 1
            column = 0
            for field in present:
                span = columns if field.wide else 1
                if column + span > columns:
                    row, column = row + 1, 0
                self._grid.addWidget(field, row, column, 1, span)
                column += span
            row += 1 if present else 0
        self._grid.setRowStretch(row, 1)
        self._tell_height()
        # what is told while the holder's own layout is at work is lost: it is told again when that is done
        QTimer.singleShot(0, self, self._tell_height)

    @Slot()
    def _tell_height(self) -> None:
        """The layout sets no constraint of its own: whoever holds the form must hear that it needs another height."""
        self._grid.invalidate()
        self.updateGeometry()
