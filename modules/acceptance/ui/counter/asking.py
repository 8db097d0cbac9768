"""What a counter asks before it sends somebody away: the one correction notice, the declining decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from client.widgets.basics import Button, ComboBox, Label, LineEdit, PrimaryButton
from client.widgets.dialogs import GrowingDialog, TextDialog
from client.widgets.theme import set_role, theme
from modules.acceptance.domain.cases import APPLICANT_FORM
from modules.common.aggregate import Doc
from modules.common.text import tr


def corrections(item: Doc, faults: Mapping[str, str]) -> list[dict[str, str]]:
    """The faults that the rules see, as entries of a notice: what it is about, what to do, and the field's path."""
    entries = []
    materials = {str(material["id"]): material for material in item["materials"]}
    for path, sentence in faults.items():
        part, _, name = path.partition(".")
        if part == "materials" and name in materials:
            about = str(materials[name]["name"])
            if sentence == tr("必须收取“{name}”。", name=about):
                sentence = tr("请补交“{name}”。", name=about)  # said to whom it is for, not to the clerk
        else:
            form = APPLICANT_FORM if part == "applicant" else item["form"]
            column = form["schema"]["properties"].get(name.split(".")[0])
            about = tr(column["title"]) if column else name
        entries.append({"about": about, "text": sentence, "field": path})
    return entries


class _Entry(QWidget):
    """One line of the notice."""

    def __init__(self, about: str = "", text: str = "", field: str = "") -> None:
        super().__init__()
        self.field = field
        self.about, self.text = LineEdit(tr("补正什么")), LineEdit(tr("怎样补正"))
        self.about.setText(about)
        self.text.setText(text)
        for line in (self.about, self.text):
            line.setPlaceholderText(line.accessibleName())
            line.setCursorPosition(0)  # of a long sentence its beginning is seen
        self.drop = Button("", icon="x")
        self.drop.setAccessibleName(tr("去掉这一条"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.about, 2)
        row.addWidget(self.text, 5)
        row.addWidget(self.drop)

    def entry(self) -> dict[str, str]:
        """As the command wants it."""
        told = {"about": self.about.text().strip(), "text": self.text.text().strip()}
        return {**told, "field": self.field} if self.field else told


class CorrectionDialog(GrowingDialog):
    """The notice of what must be corrected, told once and completely (一次性告知). ``told`` brings its entries.

    What the rules see is already in it and cannot be left out; a person adds what only eyes can see.
    """

    told = Signal(list)

    def __init__(self, entries: Sequence[Mapping[str, str]], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("一次性告知补正"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self._rows: list[_Entry] = []
        self._list = QVBoxLayout()
        self._fault = Label("", "fault", wrap=True)
        self._fault.hide()
        self.add = Button(tr("再加一条"), icon="plus")
        self.go, keep = PrimaryButton(tr("出具告知书")), Button(tr("取消"))
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._list)
        column.addWidget(self.add, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(keep)
        buttons.addWidget(self.go)
        words = tr("全部需要补正的内容一次告知，出具后不能再次告知。程序查出的各条已列入，请补上目视发现的。")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(*(theme().space(6),) * 4)
        outer.setSpacing(theme().space(3))
        outer.addWidget(Label(words, wrap=True))
        outer.addWidget(area, 1)
        outer.addWidget(self._fault)
        outer.addLayout(buttons)
        self.resize(theme().text_width(56), theme().text_width(30))
        for entry in entries:
            self._add(_Entry(entry["about"], entry["text"], entry.get("field", "")))
        if not entries:
            self._add(_Entry())
        self.add.clicked.connect(self._add_empty)
        self.go.clicked.connect(self._tell)
        keep.clicked.connect(self.reject)

    def _add(self, row: _Entry) -> None:
        self._rows.append(row)
        self._list.addWidget(row)
        # what the rules found has to be told
        row.drop.setEnabled(not row.field)
        row.drop.clicked.connect(partial(self._drop, row))
        row.text.submitted.connect(self._add_empty)

    @Slot()
    def _add_empty(self) -> None:
        row = _Entry()
        self._add(row)
        row.about.setFocus(Qt.FocusReason.OtherFocusReason)

    def _drop(self, row: _Entry) -> None:
        self._rows.remove(row)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()

    @Slot()
    def _tell(self) -> None:
        entries = [row.entry() for row in self._rows]
        entries = [entry for entry in entries if entry["about"] or entry["text"]]
        half = next((row for row in self._rows if bool(row.entry()["about"]) != bool(row.entry()["text"])), None)
        if not entries or half:
            self._fault.setText(tr("每一条都要写明补正什么、怎样补正。"))
            self._fault.show()
            self.grow()
            if half:
                (half.text if half.entry()["about"] else half.about).setFocus(Qt.FocusReason.OtherFocusReason)
            return
        self.told.emit(entries)
        self.accept()


class DeclineDialog(TextDialog):
    """The legal ground and the reasons of a declining decision. ``declined`` brings both."""

    declined = Signal(str, str)

    def __init__(self, grounds: Sequence[str], phrases: Sequence[str], parent: QWidget) -> None:
        self.ground = ComboBox(tr("法律依据"))
        self.ground.addItem(tr("请选择法律依据"), "")
        for ground in grounds:
            self.ground.addItem(ground, ground)
        self.ground.setMinimumContentsLength(24)
        super().__init__(
            tr("不予受理"),
            tr("具体理由"),
            parent,
            consequence=tr("将出具《不予受理决定书》，写明依据、理由和救济途径；此件不能再受理。填写的内容留存备查。"),
            phrases=phrases,
            danger=True,
            extra=self.ground,
        )
        self.given.connect(self._decline)
        self.ground.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _give(self) -> None:
        if not self.ground.currentData():
            self.say_fault(tr("请选择法律依据。"))
            self.ground.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        super()._give()

    @Slot(str)
    def _decline(self, text: str) -> None:
        self.declined.emit(str(self.ground.currentData()), text)
