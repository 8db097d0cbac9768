"""What became of it: the number, by when it is due, the paper to hand over."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from client.widgets.basics import (
    Banner,
    Button,
    Card,
    Label,
    PrimaryButton,
    StateLabel,
)
from modules.acceptance.services.cases import ReceiptOrder
from modules.common.text import tr


class ResultPane(QWidget):
    """The case is accepted: its number, by when it is due, the receipt."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = StateLabel("good", tr("已受理"))
        self.number = Label("", "display", selectable=True)
        self.title = Label("", "heading")
        self.due = StateLabel("info", "")
        self.paper = Banner()
        self.print = PrimaryButton(tr("打印回执"), icon="printer", shortcut="F9")
        self.next = Button(tr("下一件"), icon="plus", shortcut="Ctrl+N")
        card = Card()
        card.body.addWidget(self.state)
        card.body.addWidget(self.number)
        card.body.addWidget(self.title)
        card.body.addWidget(self.due)
        card.body.addWidget(self.paper)
        buttons = QHBoxLayout()
        buttons.addWidget(self.print)
        buttons.addWidget(self.next)
        buttons.addStretch(1)
        card.body.addLayout(buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(card)
        column.addStretch(1)

    def show_order(self, order: ReceiptOrder, due: tuple[str, str]) -> None:
        """Show an accepted case."""
        day = order.record.due
        self.number.setText(order.record.number)
        self.number.setAccessibleName(tr("编号 {number}", number=order.record.number))
        self.title.setText(order.record.title)
        words = tr("应办结 {date}，{left}", date=f"{day:%Y-%m-%d}" if day else "", left=due[1])
        self.due.show_state(due[0], words)
        self.paper.clear()
