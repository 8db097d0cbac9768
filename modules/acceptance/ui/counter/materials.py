"""The checklist of materials: what is there, on paper or as a file, how many pages, and what to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from client.widgets.basics import ComboBox, Label, LineEdit
from client.widgets.theme import restyle, set_role, theme
from modules.acceptance.domain.cases import ELECTRONIC, PAPER
from modules.common.text import tr


class MaterialRow(QWidget):
    """One material of the item."""

    edited = Signal()

    def __init__(self, material: Mapping[str, Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.id = str(material["id"])
        name = str(material["name"])
        self.check = QCheckBox(name.replace("&", "&&"))
        self.check.setAccessibleName(name)
        must = Label(tr("必收") if material["required"] else tr("有则收"), "fault" if material["required"] else "small")
        self.kind = ComboBox(tr("{name} 形式", name=name))
        self.kind.addItem(tr("纸质"), PAPER)
        self.kind.addItem(tr("电子"), ELECTRONIC)
        self.pages = LineEdit(tr("{name} 页数", name=name))
        self.pages.setInputMethodHints(Qt.InputMethodHint.ImhDigitsOnly)
        self.pages.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._trouble = Label(role="fault", wrap=True)
        copies = tr("{n} 份", n=material["copies"])
        self._points = Label(
            "\n".join([f"{copies} · {material['note']}", *(f"· {point}" for point in material["review"])]),
            "small",
            wrap=True,
        )
        self._row = QHBoxLayout()
        self._row.addWidget(self.check)
        self._row.addWidget(must)
        self._row.addStretch(1)
        self._row.addWidget(self.kind)
        self._row.addWidget(self.pages)
        self._row.addWidget(Label(tr("页")))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addLayout(self._row)
        self._column.addWidget(self._trouble)
        self._column.addWidget(self._points)
        self.check.clicked.connect(self._checked)
        self.kind.activated.connect(self._touched)
        self.pages.textEdited.connect(self._typed)
        self.pages.submitted.connect(self._onward)
        theme().changed.connect(self._space)
        self._describe = "; ".join([must.text(), copies, *material["review"]])
        self.show_fault("")
        self._space()

    def value(self) -> dict[str, Any]:
        """The entry of ``case.accept``: ``pages`` as it was typed where it is no number."""
        text = self.pages.text().strip()
        pages = int(text) if text.isascii() and text.isdigit() else text
        return {"id": self.id, "received": self.check.isChecked(), "kind": self.kind.currentData(), "pages": pages}

    def set_value(self, entry: Mapping[str, Any]) -> None:
        """Show an entry, without ``edited``."""
        self.check.setChecked(entry.get("received") is True)
        self.kind.setCurrentIndex(max(self.kind.findData(entry.get("kind")), 0))
        self.pages.setText(str(entry.get("pages", "")))

    def show_fault(self, text: str) -> None:
        """Say what is wrong with it; nothing when ``text`` is empty."""
        self._trouble.setText(text)
        self._trouble.setVisible(bool(text))
        self.pages.setProperty("fault", bool(text))
        restyle(self.pages)
        self.check.setAccessibleDescription(f"{text} {self._describe}".strip())

    @property
    def fault(self) -> str:
        """What is said to be wrong, or nothing."""
        return self._trouble.text()

    @Slot()
    def _checked(self) -> None:
        if self.check.isChecked() and not self.pages.text():
            self.pages.setText("1")
        self._touched()

    @Slot()
    def _typed(self) -> None:
        self.check.setChecked(bool(self.pages.text().strip()))
        self._touched()

    @Slot()
    def _touched(self) -> None:
        self.show_fault("")
        self.edited.emit()

    @Slot()
    def _onward(self) -> None:
        self.focusNextChild()

    @Slot()
    def _space(self) -> None:
        self._row.setSpacing(theme().space(2))
        self._column.setSpacing(theme().space(1))
        self._points.setContentsMargins(theme().space(8), 0, 0, theme().space(2))
        self.pages.setFixedWidth(theme().text_width(5))


class MaterialsView(QWidget):
    """All materials of an item."""

    edited = Signal()

    def __init__(self, materials: Sequence[Mapping[str, Any]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = {str(material["id"]): MaterialRow(material) for material in materials}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for row in self._rows.values():
            row.edited.connect(self.edited)
            column.addWidget(row)
        set_role(self, "materials")

    def row(self, id: str) -> MaterialRow:
        """One material's row. Raises ``KeyError``."""
        return self._rows[id]

    def values(self) -> list[dict[str, Any]]:
        """An entry for each material, received or not."""
        return [row.value() for row in self._rows.values()]

    def set_values(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Show entries; those of materials that the item no longer has are left out."""
        for entry in entries:
            if row := self._rows.get(str(entry.get("id"))):
                row.set_value(entry)

    def show_faults(self, faults: Mapping[str, str]) -> None:
        """Say each fault at its material, none elsewhere, and put the focus at the first."""
        for id, row in self._rows.items():
            row.show_fault(faults.get(id, ""))
        first = next((row for id, row in self._rows.items() if faults.get(id)), None)
        if first:
            (first.pages if first.check.isChecked() else first.check).setFocus(Qt.FocusReason.OtherFocusReason)
            above = self.parentWidget()
            while above is not None and not isinstance(above, QScrollArea):
                above = above.parentWidget()
            if isinstance(above, QScrollArea):
                above.ensureWidgetVisible(first)
