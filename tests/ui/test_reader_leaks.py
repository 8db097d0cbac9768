"""A document that was closed is let go: its file, its pictures, its widgets."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication, QWidget

from client.kernel.policy import Policy
from client.widgets.page.pdf import PdfSource
from modules.fixed_layout.ui.page import ReaderView
from tests.support.fake_host import FakeHost
from tests.support.pdfs import pdf


def test_closed_documents_are_let_go(qtbot: Any, tmp_path: Path) -> None:
    host = FakeHost()
    host.services[Policy] = Policy()
    page = ReaderView(host)
    qtbot.addWidget(page)
    page.show()
    kept: list[weakref.ref[PdfSource]] = []
    widgets = []
    for number in range(6):
        path = tmp_path / f"{number}.pdf"
        path.write_bytes(pdf([f"第{number}份", "附件"]))
        page.open_file(path)
        settle(host)
        pane = page.current
        assert pane is not None
        assert isinstance(pane.source, PdfSource)
        kept.append(weakref.ref(pane.source))
        pane.find_words("附件")
        settle(host)
        del pane
        page.close_tab(0)
        settle(host)
        gc.collect()
        widgets.append(len([each for each in QApplication.allWidgets() if isinstance(each, QWidget)]))
    assert [ref() for ref in kept] == [None] * 6
    assert widgets[-1] <= widgets[1]
    page.close()
    settle(host)


def settle(host: FakeHost) -> None:
    for _ in range(6):
        host.drain()
        QApplication.processEvents()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
