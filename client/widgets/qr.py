"""A QR code (ISO/IEC 18004) on its own white ground, whatever the palette: telephones read dark on light."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from client.widgets.theme import theme

QUIET = 4
"""Modules of white around the code (ISO/IEC 18004, 9.1)."""


def modules(text: str) -> list[list[bool]]:
    """The code's squares, dark ones true, by row; error correction M."""
    from reportlab.graphics.barcode.qr import QrCodeWidget

    made = QrCodeWidget(text, barLevel="M").qr
    made.make()
    count = made.getModuleCount()
    return [[bool(made.isDark(row, column)) for column in range(count)] for row in range(count)]


class QrView(QWidget):
    """Shows a code that is read from the screen. ``name`` says to screen readers what it is for, not what it holds."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._squares: list[list[bool]] = []
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_text(self, text: str) -> None:
        """Show the code of ``text``; nothing for an empty one."""
        self._squares = modules(text) if text else []
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        side = (len(self._squares) + 2 * QUIET) * self._step() if self._squares else 0
        return QSize(side, side)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def _step(self) -> int:
        """Whole pixels for each square, so that none is blurred."""
        return max(3, theme().space(3) // 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.white)
        step = self._step()
        for y, row in enumerate(self._squares):
            for x, dark in enumerate(row):
                if dark:
                    left, top = (x + QUIET) * step, (y + QUIET) * step
                    painter.fillRect(left, top, step, step, Qt.GlobalColor.black)
