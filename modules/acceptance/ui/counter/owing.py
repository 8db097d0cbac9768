"""Papers that go out: printed, put on record, and owed until they are."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QWidget

from client.kernel.contract import Host
from client.kernel.ports import Record
from client.widgets.basics import Banner, Button, LinkButton
from modules.acceptance.services.cases import AcceptanceService, Owed, Printed, ReceiptOrder
from modules.acceptance.services.papers import PROVISIONAL, RECEIPT, available
from modules.acceptance.ui.say import say_error, say_printed
from modules.acceptance.ui.work import PageWork
from modules.common.text import tr


class OwedBar(QWidget):
    """Says which paper never came out, and prints: what is owed, and what the counter hands over now."""

    def __init__(self, host: Host, work: PageWork, service: AcceptanceService, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._host = host
        self._work = work
        self._service = service
        self._owed: list[Owed] = []
        self.banner = Banner()
        self.forget = LinkButton(tr("不再提醒"))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.banner, 1)
        row.addWidget(self.forget)
        self.banner.acted.connect(self._print_owed)
        self.forget.clicked.connect(self._forget)
        self._show()

    def ask(self) -> None:
        """Look what is owed."""
        self._work.run("data", lambda token: self._service.owed(), done=self._take, failed=self._failed)

    def print(self, order: ReceiptOrder, banner: Banner, button: Button) -> None:
        """Print what a case's paper is, with what goes beside it; ``banner`` says where it went."""
        button.setEnabled(False)
        orders = [order]
        if order.kind == RECEIPT and PROVISIONAL in available(order.record.doc):
            orders.append(replace(order, kind=PROVISIONAL))

        def print_all(token: object) -> Printed:
            papers = [self._service.print_receipt(each) for each in orders]
            missing = tuple(dict.fromkeys(mark for paper in papers for mark in paper.missing))
            return Printed(papers[-1].sentence, missing)

        def printed(paper: Printed) -> None:
            button.setEnabled(True)
            say_printed(banner, paper)
            self._settle(order.record.id)
            for each in orders:
                # every paper that went out is on record, so that a reprint is known to be one
                self._host.run("data", partial(self._note, order.record.id, each.kind), failed=self._failed)

        def failed(error: BaseException) -> None:
            button.setEnabled(True)
            say_error(banner, error, action=tr("打印") if banner is self.banner else "")
            button.setFocus(Qt.FocusReason.OtherFocusReason)  # Enter tries again

        self._work.run("cpu", print_all, done=printed, failed=failed)

    def _failed(self, error: BaseException) -> None:
        if not self._work.closed:
            self.show()
            say_error(self.banner, error)

    def _note(self, case_id: str, kind: str, _token: object) -> Record:
        return self._service.note_print(case_id, kind)

    def _settle(self, case_id: str) -> None:
        self._owed = [owed for owed in self._owed if owed.order.record.id != case_id]
        self.forget.setVisible(bool(self._owed))
        # the paper is out: even if the page is left now it must not be offered again
        self._host.run("data", lambda token: self._service.settle(case_id))

    @Slot()
    def _print_owed(self) -> None:
        if self._owed:
            self.print(self._owed[0].order, self.banner, self.forget)

    @Slot()
    def _forget(self) -> None:
        if self._owed:
            self._settle(self._owed[0].order.record.id)
            self._show()

    def _take(self, owed: list[Owed]) -> None:
        self._owed = owed
        self._show()

    def _show(self) -> None:
        self.forget.setVisible(bool(self._owed))
        if self._owed:
            record = self._owed[0].order.record
            sentence = tr("上次办理的 {number} {title} 尚未打印文书。", number=record.number, title=record.title)
            self.banner.say(sentence, "due", action=tr("打印"))
        else:
            self.banner.clear()
