"""A field of attachments: what was attached, and a wish for more that its owner fulfils."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from client.widgets.basics import Button, ElidedLabel, IconLabel, Label, LinkButton
from client.widgets.forms.fields import Field
from client.widgets.theme import theme
from modules.common.forms import MOST_FILES
from modules.common.text import tr

_KINDS = {"image/jpeg": "JPEG", "image/png": "PNG", "application/pdf": "PDF"}


class AttachmentField(Field):
    """Files as ``{"sha256", "size", "type", "name"?}``. ``wanted`` asks the owner for one, who calls ``add``."""

    wanted = Signal(str)

    def __init__(self, name: str, prop: Mapping[str, Any], required: bool, parent: QWidget | None = None) -> None:
        super().__init__(name, prop, required or bool(prop.get("minItems")), parent)
        self.wide = True

    def _make(self, title: str) -> QWidget:
        self._files: list[dict[str, Any]] = []
        self._deleted: list[tuple[int, dict[str, Any]]] = []
        self._lines: list[QWidget] = []
        self._read_only = False
        self._most = int(self._prop.get("maxItems", MOST_FILES))
        box = QWidget()
        box.setAccessibleName(title)
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._more = Button(tr("添加附件"), icon="plus")
        self._more.setAccessibleDescription(title)
        self._more.clicked.connect(self._ask)
        self._undo = LinkButton(tr("撤销删除"), icon="undo-2")
        self._undo.clicked.connect(self._bring_back)
        self._told = Label(self._prop.get("description", ""), "small")
        foot = QHBoxLayout()
        for widget in (self._more, self._undo, self._told):
            foot.addWidget(widget)
        foot.addStretch(1)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._list)
        column.addLayout(foot)
        box.setFocusProxy(self._more)
        self._read, self._write = lambda: list(self._files), self._show
        self._show([])
        return box

    def add(self, file: Mapping[str, Any]) -> bool:
        """Attach another one, as a person's doing; not beyond the most, nor the same twice."""
        if len(self._files) >= self._most or any(held["sha256"] == file["sha256"] for held in self._files):
            return False
        self._files.append(dict(file))
        self._changed()
        return True

    def set_read_only(self, read_only: bool) -> None:
        self._read_only = read_only
        if self._star:
            self._star.setVisible(not read_only)
        self._draw()

    def space(self) -> None:
        super().space()
        self._draw()  # the icons in their new colour

    def _show(self, files: Any) -> None:
        self._files = [dict(file) for file in files if isinstance(file, Mapping)] if isinstance(files, list) else []
        self._deleted.clear()
        self._draw()

    @Slot()
    def _ask(self) -> None:
        self.wanted.emit(self.name)

    @Slot()
    def _delete_clicked(self) -> None:
        at = next(at for at, line in enumerate(self._lines) if line.isAncestorOf(self.sender()))  # type: ignore[arg-type]
        self._deleted.append((at, self._files.pop(at)))
        self._changed()
        self._more.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _bring_back(self) -> None:
        at, file = self._deleted.pop()
        self._files.insert(min(at, len(self._files)), file)
        self._changed()

    def _changed(self) -> None:
        self._draw()
        self._touched()

    def _draw(self) -> None:
        for line in self._lines:
            line.hide()
            line.setParent(None)
            line.deleteLater()
        self._lines = [self._line(number, file) for number, file in enumerate(self._files, 1)]
        for line in self._lines:
            self._list.addWidget(line)
        self._more.setVisible(not self._read_only)
        self._more.setEnabled(len(self._files) < self._most)
        self._undo.setVisible(bool(self._deleted) and not self._read_only)

    def _line(self, number: int, file: Mapping[str, Any]) -> QWidget:
        line = QWidget()
        name = str(file.get("name", "")) or tr("附件 {n}", n=number)
        kind = _KINDS.get(str(file.get("type")), str(file.get("type", "")))
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(IconLabel("file-text", "quiet", 16))
        row.addWidget(ElidedLabel(name), 1)
        row.addWidget(Label(tr("{kind} · {size} KB", kind=kind, size=-(-int(file.get("size", 0)) // 1024)), "small"))
        delete = QToolButton()
        delete.setIcon(theme().icon("trash-2", "quiet", 16))
        delete.setAccessibleName(tr("删除{name}", name=name))
        delete.clicked.connect(self._delete_clicked)
        delete.setVisible(False)
        row.addWidget(delete)
        delete.setVisible(not self._read_only)
        return line
