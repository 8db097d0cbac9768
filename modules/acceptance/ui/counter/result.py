"""What became of it: the number, by when it is due, the papers to hand over, the rating."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from client.widgets.basics import Banner, Button, Card, Label, PrimaryButton, StateLabel
from client.widgets.flow import flowing
from modules.acceptance.domain.cases import CORRECTING, DECLINED, state_name
from modules.acceptance.services.cases import ReceiptOrder
from modules.acceptance.services.papers import PROVISIONAL, RECEIPT, title_of
from modules.common.text import tr


class ResultPane(QWidget):
    """The case is accepted, or was sent back, or declined."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = StateLabel("good", tr("已受理"))
        self.number = Label("", "display", selectable=True)
        self.title = Label("", "heading")
        self.due = StateLabel("info", "")
        self.gaps = Label("", wrap=True)
        self.paper = Banner()
        self.print = PrimaryButton(tr("打印回执"), icon="printer", shortcut="F9")
        self.rate = Button(tr("请群众评价"), icon="star", shortcut="F10")
        self.next = Button(tr("下一件"), icon="plus", shortcut="Ctrl+N")
        self.rated = StateLabel("info", "")
        card = Card()
        for widget in (self.state, self.number, self.title, self.due, self.gaps, self.paper, self.rated):
            card.body.addWidget(widget)
        card.body.addWidget(flowing(self.print, self.rate, self.next))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(card)
        column.addStretch(1)
        self.rated.hide()

    def show_order(self, order: ReceiptOrder, due: tuple[str, str]) -> None:
        """Show a case of which ``order``'s paper is to be handed over."""
        case = order.record.doc
        state = {DECLINED: "red", CORRECTING: "due"}.get(case["state"], "good")
        words = tr("已受理") if case["number"] and state == "good" else state_name(case["state"])
        self.state.show_state(state, words)
        self.number.setText(order.record.number)
        self.number.setVisible(bool(order.record.number))
        self.number.setAccessibleName(tr("编号 {number}", number=order.record.number))
        self.title.setText(order.record.title)
        day = order.record.due
        self.due.setVisible(day is not None)
        if day is not None:
            left = tr("应办结 {date}，{left}", date=f"{day:%Y-%m-%d}", left=due[1])
            self.due.show_state(due[0], left)
        owed = (case.get("provisional") or {}).get("materials", [])
        self.gaps.setText("\n".join(tr("容缺：{name}，{by} 前补交", name=gap["name"], by=gap["by"]) for gap in owed))
        self.gaps.setVisible(bool(owed))
        label = tr("打印回执") if order.kind == RECEIPT else tr("打印{paper}", paper=title_of(order.kind))
        if owed:
            label = tr("打印回执和{paper}", paper=title_of(PROVISIONAL))
        self.print.set_label(label)
        self.paper.clear()
        self.rated.hide()
        self.rate.setEnabled(True)

    def show_rated(self, state: str, words: str) -> None:
        """How the rating goes."""
        self.rated.show_state(state, words)
        self.rated.show()
