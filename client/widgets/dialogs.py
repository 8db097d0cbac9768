"""The dialog that grows with what it has to say."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog


class GrowingDialog(QDialog):
    """A dialog in which faults and notices appear: after each, ``grow`` makes room for it."""

    def grow(self) -> None:
        """Become as high as the content needs at this width; never lower."""
        layout = self.layout()
        if layout is not None:
            layout.activate()
            needed = max(layout.totalMinimumSize().height(), layout.totalHeightForWidth(self.width()))
            self.resize(self.width(), max(needed, self.height()))
