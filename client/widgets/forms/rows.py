"""A field of many rows: a grid where its columns fit, else one card below the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Slot
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QRadioButton, QToolButton, QVBoxLayout, QWidget

from client.widgets.basics import Button, Label, LinkButton
from client.widgets.forms.fields import Field
from client.widgets.theme import theme
from modules.common.forms import MOST_ROWS, Settled, blank_row, columns, empty, is_computed, shown
from modules.common.text import aside, together, tr

CELLS = 60
"""Cells that are drawn at once; other rows follow when they are asked for, so that no table stalls its window."""
NARROWEST = 7
"""Characters that a column of a grid needs; with less room its rows become cards."""


@dataclass(slots=True)
class Row:
    """One row that is drawn: its cells by column, its number, and the button that deletes it."""

    cells: dict[str, Field]
    title: Label
    delete: QToolButton
    hidden: set[str] = field(default_factory=set)


class TableField(Field):
    """Rows that are added (Ins, Ctrl+Enter), deleted (Ctrl+Del) and brought back by keyboard.

    Its cells are fields named ``rows.0.name``; ``edited`` carries the table's name whichever changed.
    """

    def __init__(self, name: str, prop: Mapping[str, Any], required: bool, parent: QWidget | None = None) -> None:
        super().__init__(name, prop, required or bool(prop.get("minItems")), parent)
        self.wide = True

    def _make(self, title: str) -> QWidget:
        self._columns = columns(self._prop)
        self._needed = set(self._prop["items"].get("required", ()))
        self._most = int(self._prop.get("maxItems", MOST_ROWS))
        self._step = max(CELLS // len(self._columns), 5)
        self._rows: list[Row] = []
        self._beyond: list[dict[str, Any]] = []
        self._deleted: list[tuple[int, dict[str, Any]]] = []
        self._read_only = False
        self._grid_now: bool | None = None
        box = QWidget()
        box.setAccessibleName(title)
        self._place = QWidget(box)
        self._cells = QGridLayout(self._place)
        self._cells.setContentsMargins(0, 0, 0, 0)
        self._heads = {
            column: Label(_heading(inner, column in self._needed), "quiet", parent=self._place)
            for column, inner in self._columns.items()
        }
        self._add = Button(tr("添加一行"), icon="plus")
        self._add.setToolTip(tr("添加一行（Ins 或 Ctrl+Enter），删除本行（Ctrl+Del）"))
        self._add.setAccessibleDescription(title)
        self._add.clicked.connect(self._append)
        self._more = LinkButton("")
        self._more.clicked.connect(self.show_more)
        self._told = Label(role="small")
        self._undo = LinkButton(tr("撤销删除"), icon="undo-2")
        self._undo.clicked.connect(self.undo)
        foot = QHBoxLayout()
        for widget in (self._add, self._more, self._told, self._undo):
            foot.addWidget(widget)
        foot.addStretch(1)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._place)
        column.addLayout(foot)
        box.setFocusProxy(self._add)
        self._read, self._write = self._rows_entered, self._show_rows
        self._show_rows([])
        return box

    @property
    def composing(self) -> bool:
        return any(cell.composing for row in self._rows for cell in row.cells.values())

    def cell(self, row: int, column: str) -> Field:
        """One cell that is drawn. Raises ``LookupError``."""
        return self._rows[row].cells[column]

    def row_count(self) -> int:
        """How many rows there are, drawn or not."""
        return len(self._rows) + len(self._beyond)

    def cells(self) -> list[Field]:
        """Every cell that is drawn, row by row."""
        return [cell for row in self._rows for cell in row.cells.values()]

    def settle(self, settled: Settled) -> None:
        """Show and hide cells, and put in what was computed."""
        values = settled.values.get(self.name)
        rows = values if isinstance(values, list) else []
        moved = False
        for place, row in enumerate(self._rows):
            known = rows[place] if place < len(rows) and isinstance(rows[place], Mapping) else {}
            for column, cell in row.cells.items():
                gone = f"{self.name}.{place}.{column}" in settled.hidden
                if gone != (column in row.hidden):
                    moved = True
                    row.hidden ^= {column}
                inner = self._columns[column]
                if cell.computed and shown(inner, known.get(column)) != shown(inner, cell.value()):
                    cell.set_value(known.get(column))
        if moved:
            self._arrange(again=True)

    def show_cell_faults(self, faults: Mapping[str, str]) -> QWidget | None:
        """Say each ``rows.0.name`` at its cell, none elsewhere; the first that has one is returned for the focus."""
        places = [int(place) for path in faults if (place := path.split(".")[1]).isdecimal()]
        while self._beyond and places and max(places) >= len(self._rows):
            self.show_more()
        first: QWidget | None = None
        for cell in self.cells():
            cell.show_fault(faults.get(cell.name, ""))
            if cell.fault and first is None:
                first = cell
        return first

    def add_row(self, at: int, values: Mapping[str, Any] | None = None) -> bool:
        """Put a row in before ``at`` and the focus into it; not beyond the most that the form allows."""
        if self._read_only or self.row_count() >= self._most:
            self._told.setText(tr("最多 {n} 行。", n=self._most))
            return False
        while self._beyond and at > len(self._rows):
            self.show_more()
        self._rows.insert(at, self._draw(blank_row(self._prop) if values is None else values))
        self._arrange(again=True)
        self._focus(at)
        self._change()
        return True

    def delete_row(self, at: int) -> None:
        """Take a row out; ``undo`` brings it back."""
        if self._read_only or not 0 <= at < len(self._rows):
            return
        self._deleted.append((at, self._entered(self._rows[at])))
        self._discard(self._rows.pop(at))
        if self._beyond:
            self._rows.append(self._draw(self._beyond.pop(0)))
        self._arrange(again=True)
        self._focus(min(at, len(self._rows) - 1))
        self._change()

    @Slot()
    def undo(self) -> None:
        """Bring the row back that was deleted last."""
        if self._deleted and not self._read_only:
            at, values = self._deleted.pop()
            self.add_row(min(at, len(self._rows)), values)

    @Slot()
    def show_more(self) -> None:
        """Draw the next rows."""
        self._rows += [self._draw(values) for values in self._beyond[: self._step]]
        del self._beyond[: self._step]
        self._arrange(again=True)

    def set_read_only(self, read_only: bool) -> None:
        self._read_only = read_only
        if self._star:
            self._star.setVisible(not read_only)
        for row in self._rows:
            row.delete.setVisible(not read_only)
            for cell in row.cells.values():
                cell.set_read_only(read_only)
        self._foot()

    def take_focus(self) -> None:
        if self._rows:
            self._focus(0)
        else:
            self._add.setFocus(Qt.FocusReason.OtherFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and not self.composing:
            at = self._row_of(watched)
            control = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
            key = event.key()
            if at >= 0 and (
                (key == Qt.Key.Key_Insert and event.modifiers() == Qt.KeyboardModifier.NoModifier)
                or (key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and control)
            ):
                self.add_row(at + 1)
                return True
            if at >= 0 and key == Qt.Key.Key_Delete and control:
                self.delete_row(at)
                return True
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Insert:  # from the button below: a first row
            self._append()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def minimumSizeHint(self) -> QSize:
        # of cards, also while there is a grid: else it could never become narrow again
        return QSize(theme().text_width(18), super().minimumSizeHint().height())

    @Slot()
    def _append(self) -> None:
        self.add_row(self.row_count())

    def _rows_entered(self) -> list[dict[str, Any]]:
        return [*(self._entered(row) for row in self._rows), *self._beyond]

    def _entered(self, row: Row) -> dict[str, Any]:
        """What was entered into a row; nothing for one that is as it was when it was added."""
        values = {column: cell.value() for column, cell in row.cells.items() if not cell.computed}
        untouched = blank_row(self._prop)
        same = all(
            value == untouched.get(column, value if empty(value) or value is False else None)
            or (column in untouched and shown(self._columns[column], untouched[column]) == value)
            for column, value in values.items()
        )
        return {} if same else values

    def _show_rows(self, rows: Any) -> None:
        known = [dict(row) for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
        while len(known) < int(self._prop.get("minItems", 0)):
            known.append(blank_row(self._prop))
        self._place.hide()  # the focus leaves once, not cell by cell
        for row in self._rows:
            self._discard(row)
        self._deleted.clear()
        self._rows = [self._draw(row) for row in known[: self._step]]
        self._beyond = known[self._step :]
        self._arrange(again=True)

    def _draw(self, values: Mapping[str, Any]) -> Row:
        delete = QToolButton(self._place)
        delete.setIcon(theme().icon("trash-2", "quiet", 16))
        delete.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        delete.setToolTip(tr("删除本行（Ctrl+Del）"))
        delete.clicked.connect(self._delete_clicked)
        row = Row({}, Label(role="strong", parent=self._place), delete)
        for column, inner in self._columns.items():
            cell = Field(column, inner, column in self._needed, self._place)
            cell.set_value(values.get(column))
            cell.set_read_only(self._read_only)
            cell.edited.connect(self._cell_edited)
            for widget in (cell.editor, *cell.editor.findChildren(QWidget)):
                widget.installEventFilter(self)
            row.cells[column] = cell
        return row

    def _discard(self, row: Row) -> None:
        for widget in (*row.cells.values(), row.title, row.delete):
            widget.hide()
            widget.setParent(None)
            widget.deleteLater()

    def _row_of(self, watched: QObject) -> int:
        for at, row in enumerate(self._rows):
            if any(cell.editor is watched or cell.isAncestorOf(watched) for cell in row.cells.values()
                   if isinstance(watched, QWidget)):  # fmt: skip
                return at
        return -1

    @Slot()
    def _delete_clicked(self) -> None:
        self.delete_row(next((at for at, row in enumerate(self._rows) if row.delete is self.sender()), -1))

    @Slot(str)
    def _cell_edited(self, path: str) -> None:
        self._change()

    def _change(self) -> None:
        self.touched = True
        self.show_source("")
        self.show_fault("")
        self.edited.emit(self.name)

    def _focus(self, at: int) -> None:
        if not 0 <= at < len(self._rows):
            self._add.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        row = self._rows[at]
        first = next((cell for name, cell in row.cells.items() if name not in row.hidden and not cell.computed), None)
        if first:
            first.take_focus()

    def _arrange(self, *, again: bool = False) -> None:
        room = self.width() - theme().space(12)
        grid = bool(self._prop.get("x-table")) and room >= len(self._columns) * theme().text_width(NARROWEST)
        if grid == self._grid_now and not again:
            return
        self._grid_now = grid
        while self._cells.count():
            self._cells.takeAt(0)
        for place in range(self._cells.columnCount()):
            self._cells.setColumnStretch(place, 0)
        for place, column in enumerate(self._columns):
            self._heads[column].setVisible(grid and bool(self._rows))
            if grid:
                self._cells.addWidget(self._heads[column], 0, place)
                self._cells.setColumnStretch(place, 1)
        if not grid:
            self._cells.setColumnStretch(0, 1)
            self._cells.setColumnStretch(1, 1)
        line = 1
        for at, row in enumerate(self._rows):
            line = self._arrange_row(at, row, line, grid=grid)
        self._place.setVisible(bool(self._rows))
        self.space()
        self._chain()
        self._foot()

    def _arrange_row(self, at: int, row: Row, line: int, *, grid: bool) -> int:
        row.title.setText(tr("第 {n} 项", n=at + 1))
        row.title.setVisible(not grid)
        row.delete.setAccessibleName(tr("删除第 {n} 行", n=at + 1))
        top = Qt.AlignmentFlag.AlignTop
        if grid:
            self._cells.addWidget(row.delete, line, len(row.cells), top)
        else:
            self._cells.addWidget(row.title, line, 0)
            self._cells.addWidget(row.delete, line, 1, Qt.AlignmentFlag.AlignRight)
            line += 1
        wide = self.width() >= theme().text_width(40)
        column = 0
        for place, (name, cell) in enumerate(row.cells.items()):
            cell.name = f"{self.name}.{at}.{name}"
            title = tr(str(self._columns[name]["title"]))
            cell.editor.setAccessibleName(tr("{title}，第 {n} 行", title=title, n=at + 1))
            cell.set_bare(grid)
            cell.setVisible(name not in row.hidden)
            if grid:
                self._cells.addWidget(cell, line, place, top)
            elif name not in row.hidden:
                span = 1 if wide and not cell.wide else 2
                if column + span > 2:
                    line, column = line + 1, 0
                self._cells.addWidget(cell, line, column, 1, span)
                column += span
        row.delete.setVisible(not self._read_only)
        return line + 1

    def _chain(self) -> None:
        """Tab goes through the cells row by row, then to what is below."""
        before: QWidget | None = None
        for cell in self.cells():
            for widget in _reachable(cell.editor):
                if before:
                    QWidget.setTabOrder(before, widget)
                before = widget
        for button in (self._add, self._more, self._undo):
            if before:
                QWidget.setTabOrder(before, button)
            before = button

    def _foot(self) -> None:
        writable = not self._read_only
        self._add.setVisible(writable)
        self._add.setEnabled(self.row_count() < self._most)
        self._more.setVisible(bool(self._beyond))
        self._more.set_label(tr("显示其余 {n} 行", n=len(self._beyond)))
        self._undo.setVisible(writable and bool(self._deleted))
        words = ""
        if self._deleted:
            words = tr("已删除第 {n} 行。", n=self._deleted[-1][0] + 1)
        elif self.row_count() >= self._most:
            words = tr("最多 {n} 行。", n=self._most)
        elif not self.row_count():
            words = tr("暂无内容。") if self._read_only else tr("暂无内容，按 Ins 添加。")
        self._told.setText(words)

    def space(self) -> None:
        super().space()
        self._cells.setHorizontalSpacing(theme().space(2))
        self._cells.setVerticalSpacing(theme().space(1 if self._grid_now else 2))
        for row in self._rows:
            row.delete.setIcon(theme().icon("trash-2", "quiet", 16))
            for cell in row.cells.values():
                cell.space()


def _reachable(editor: QWidget) -> list[QWidget]:
    """What Tab reaches of an editor: itself, or the radio buttons in it; never the list of a closed combo box."""
    stops = [editor, *editor.findChildren(QRadioButton)]
    return [widget for widget in stops if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and not widget.focusProxy()]


def _heading(prop: Mapping[str, Any], required: bool) -> str:
    title = tr(str(prop["title"])).replace("&", "&&")
    if is_computed(prop):
        return together(title, aside(tr("自动计算")))
    return f"{title} *" if required else title
