"""The checklist of materials: what is there, how many pages, its pictures, what may follow later, what to look at."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QScrollArea, QToolButton, QVBoxLayout, QWidget

from client.widgets.basics import ComboBox, Label, LineEdit, LinkButton
from client.widgets.flow import beside, flowing
from client.widgets.theme import restyle, set_role, theme
from modules.acceptance.domain.cases import ELECTRONIC, PAPER
from modules.common.text import tr

SHOWN = 6
"""Thumbnails in a row; of more pages only the number is said, so that 200 of them cost nothing."""
Ref = Mapping[str, Any]


class MaterialRow(QWidget):
    """One material of the item. ``opened`` asks for its pages to be looked at, ``scan_wanted`` for the camera."""

    edited = Signal()
    opened = Signal(int)
    scan_wanted = Signal()
    entered = Signal()

    def __init__(self, material: Mapping[str, Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.id = str(material["id"])
        self.material = material
        self.images: list[Ref] = []
        self._pictures: dict[str, QImage] = {}
        name = str(material["name"])
        self.check = QCheckBox(name.replace("&", "&&"))
        self.check.setAccessibleName(name)
        must = Label(tr("必收") if material["required"] else tr("有则收"), "fault" if material["required"] else "small")
        self.lacking = QCheckBox(tr("容缺"))
        self.lacking.setAccessibleName(tr("{name} 容缺", name=name))
        self.lacking.setToolTip(_lacking_words(material))
        self.scan = LinkButton(tr("扫描"), icon="scan")
        self.scan.setAccessibleName(tr("{name} 扫描", name=name))
        self.kind = ComboBox(tr("{name} 形式", name=name))
        self.kind.addItem(tr("纸质"), PAPER)
        self.kind.addItem(tr("电子"), ELECTRONIC)
        self.pages = LineEdit(tr("{name} 页数", name=name))
        self.pages.setInputMethodHints(Qt.InputMethodHint.ImhDigitsOnly)
        self.pages.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._trouble = Label(role="fault", wrap=True)
        self._note = Label("", "small", wrap=True)
        self._strip = QHBoxLayout()
        self._thumbs: list[QToolButton] = []
        # two groups that stand in one line where there is room, below each other where there is none
        self._row = flowing(
            beside(self.check, must),
            beside(self.lacking, self.scan, self.kind, self.pages, Label(tr("页"))),
            apart=True,
        )
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self._row)
        self._column.addWidget(self._trouble)
        self._column.addLayout(self._strip)
        self._column.addWidget(self._note)
        self.lacking.setVisible(bool(material.get("may_lack")))
        self.check.clicked.connect(self._checked)
        self.lacking.clicked.connect(self._lacks)
        self.scan.clicked.connect(self.scan_wanted)
        self.kind.activated.connect(self._touched)
        self.pages.textEdited.connect(self._typed)
        self.pages.submitted.connect(self._onward)
        theme().changed.connect(self._space)
        copies = tr("{n} 份", n=material["copies"])
        self._copies = f"{copies} · {material['note']}" if material.get("note") else copies
        self._describe = "; ".join([must.text(), copies, *material["review"]])
        self.show_fault("")
        self._show_note()
        self._space()

    def value(self) -> dict[str, Any]:
        """The entry of ``case.accept``: ``pages`` as it was typed where it is no number."""
        text = self.pages.text().strip()
        pages = int(text) if text.isascii() and text.isdigit() else text
        entry = {"id": self.id, "received": self.check.isChecked(), "kind": self.kind.currentData(), "pages": pages}
        if self.images:
            entry["images"] = [dict(image) for image in self.images]
        return entry

    def set_value(self, entry: Mapping[str, Any]) -> None:
        """Show an entry, without ``edited``."""
        self.check.setChecked(entry.get("received") is True)
        self.kind.setCurrentIndex(max(self.kind.findData(entry.get("kind")), 0))
        self.pages.setText(str(entry.get("pages", "")))
        self.images = [dict(image) for image in entry.get("images", [])]
        self._show_strip()

    def add_page(self, ref: Ref, picture: QImage) -> None:
        """One more photographed page: it counts, and the material is there."""
        self.images.append(ref)
        if not picture.isNull():
            side = theme().size("target") * 4
            fit, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
            self._pictures[str(ref["sha256"])] = picture.scaled(side, side, fit, smooth)
        self._pages_changed()

    def remove_page(self, place: int) -> None:
        """Leave a photographed page out; the picture itself stays until nobody refers to it."""
        if 0 <= place < len(self.images):
            del self.images[place]
            self._pages_changed()

    def remove(self, sha256: str) -> None:
        """Leave this photographed page out, wherever it stands now."""
        self.remove_page(next((n for n, image in enumerate(self.images) if image["sha256"] == sha256), -1))

    def show_picture(self, sha256: str, picture: QImage) -> None:
        """The thumbnail of a page that was photographed before."""
        self._pictures[sha256] = picture
        self._show_strip()

    def pictures_wanted(self) -> list[str]:
        """The pages whose thumbnails are shown and not there yet."""
        shown = [str(image["sha256"]) for image in self.images[:SHOWN]]
        return [sha256 for sha256 in shown if sha256 not in self._pictures]

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

    def _pages_changed(self) -> None:
        self.pages.setText(str(len(self.images)) if self.images else "")
        self.check.setChecked(bool(self.images))
        self.lacking.setChecked(False)
        self._show_strip()
        self._touched()

    def _show_strip(self) -> None:
        for thumb in self._thumbs:
            self._strip.removeWidget(thumb)
            thumb.hide()
            thumb.deleteLater()
        while self._strip.takeAt(0):
            pass
        self._thumbs = [self._thumb(place) for place in range(min(len(self.images), SHOWN))]
        for thumb in self._thumbs:
            self._strip.addWidget(thumb)
        if len(self.images) > SHOWN:
            more = QToolButton()
            more.setText(tr("共 {n} 页", n=len(self.images)))
            more.setAccessibleName(tr("{name} 共 {n} 页", name=self.check.accessibleName(), n=len(self.images)))
            more.clicked.connect(partial(self.opened.emit, SHOWN))
            self._thumbs.append(more)
            self._strip.addWidget(more)
        self._strip.addStretch(1)

    def _thumb(self, place: int) -> QToolButton:
        thumb = QToolButton()
        side = theme().size("target") * 2
        thumb.setIconSize(QSize(side, side))
        picture = self._pictures.get(str(self.images[place]["sha256"]))
        thumb.setIcon(QIcon(QPixmap.fromImage(picture)) if picture else theme().icon("image", "quiet"))
        thumb.setAccessibleName(tr("{name} 第 {n} 页", name=self.check.accessibleName(), n=place + 1))
        thumb.clicked.connect(partial(self.opened.emit, place))
        return thumb

    def _show_note(self) -> None:
        self._note.setText(_lacking_words(self.material) if self.lacking.isChecked() else self._copies)
        self._note.setVisible(bool(self._note.text()))

    @Slot()
    def _checked(self) -> None:
        if self.check.isChecked():
            self.lacking.setChecked(False)
            if not self.pages.text():
                self.pages.setText("1")
        self._show_note()
        self._touched()

    @Slot()
    def _lacks(self) -> None:
        if self.lacking.isChecked():
            self.check.setChecked(False)
            self.pages.clear()
        self._show_note()
        self._touched()

    @Slot()
    def _typed(self) -> None:
        self.check.setChecked(bool(self.pages.text().strip()))
        if self.check.isChecked():
            self.lacking.setChecked(False)
        self._show_note()
        self._touched()

    @Slot()
    def _touched(self) -> None:
        self.show_fault("")
        self.entered.emit()
        self.edited.emit()

    @Slot()
    def _onward(self) -> None:
        self.focusNextChild()

    @Slot()
    def _space(self) -> None:
        self._strip.setSpacing(theme().space(1))
        self._column.setSpacing(theme().space(1))
        self._strip.setContentsMargins(theme().space(8), 0, 0, 0)
        self._note.setContentsMargins(theme().space(8), 0, 0, theme().space(2))
        self.pages.setFixedWidth(theme().text_width(5))


class MaterialsView(QWidget):
    """All materials of an item. ``entered``: the material that is being dealt with, for what is said beside it."""

    edited = Signal()
    entered = Signal(str)
    opened = Signal(str, int)
    scan_wanted = Signal(str)

    def __init__(self, materials: Sequence[Mapping[str, Any]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = {str(material["id"]): MaterialRow(material) for material in materials}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for id, row in self._rows.items():
            row.edited.connect(self.edited)
            row.entered.connect(partial(self.entered.emit, id))
            row.opened.connect(partial(self.opened.emit, id))
            row.scan_wanted.connect(partial(self.scan_wanted.emit, id))
            column.addWidget(row)
        set_role(self, "materials")

    def row(self, id: str) -> MaterialRow:
        """One material's row. Raises ``KeyError``."""
        return self._rows[id]

    def rows(self) -> list[MaterialRow]:
        """All rows, in the item's order."""
        return list(self._rows.values())

    def values(self) -> list[dict[str, Any]]:
        """An entry for each material, received or not."""
        return [row.value() for row in self._rows.values()]

    def lacking(self) -> list[str]:
        """The materials that may follow later and are marked so (容缺)."""
        return [id for id, row in self._rows.items() if row.lacking.isChecked()]

    def set_lacking(self, ids: Sequence[str]) -> None:
        """Show what was marked before."""
        for id, row in self._rows.items():
            row.lacking.setChecked(id in ids)

    def set_values(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Show entries; those of materials that the item no longer has are left out."""
        for entry in entries:
            if row := self._rows.get(str(entry.get("id"))):
                row.set_value(entry)

    def next_to_scan(self, after: str = "", besides: Collection[str] = ()) -> str:
        """The next material after ``after`` without a page: first the required ones, then the others; or nothing.

        ``besides``: materials whose page is on its way.
        """
        ids = list(self._rows)
        place = ids.index(after) + 1 if after in self._rows else 0
        waiting = [
            row
            for row in (self._rows[id] for id in ids[place:] + ids[:place])
            if not row.images and row.id not in besides
        ]
        waiting = [row for row in waiting if not row.lacking.isChecked()]
        waiting.sort(key=lambda row: not row.material["required"])
        return waiting[0].id if waiting else ""

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


def _lacking_words(material: Mapping[str, Any]) -> str:
    """By when a lacking material must come, and what happens else."""
    if not material.get("may_lack"):
        return ""
    days, consequence = material.get("lack_days"), material.get("lack_consequence", "")
    return tr("可先受理，{n} 个工作日内补交；逾期：{consequence}", n=days, consequence=consequence)
