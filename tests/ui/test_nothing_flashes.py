"""No part of a page is a window of its own before it is in the page: it would flash, and take the keyboard away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget

from client.kernel.policy import Policy
from modules.acceptance.ui.admin.page import SettingsView
from modules.acceptance.ui.counter.page import AcceptView
from modules.acceptance.ui.hall.bookings import BookingsView
from modules.acceptance.ui.hall.kiosk import KioskView
from modules.acceptance.ui.knowledge_page import KnowledgeView
from modules.fixed_layout.ui.page import ReaderView
from tests.support.fake_host import FakeHost, actor, item
from tests.support.hall_host import HallHost, printer_status
from tests.support.pdfs import pdf


class Shown(QObject):
    """The widgets that were shown as windows."""

    def __init__(self) -> None:
        super().__init__()
        self.windows: list[QWidget] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.windows.append(watched)
        return False


@contextmanager
def watched(app: QApplication) -> Iterator[list[QWidget]]:
    """What is shown as a window while the block runs."""
    shown = Shown()
    app.installEventFilter(shown)
    try:
        yield shown.windows
    finally:
        app.removeEventFilter(shown)


def counter() -> tuple[FakeHost, Callable[[Any], QWidget]]:
    return FakeHost(), AcceptView


def knowledge() -> tuple[FakeHost, Callable[[Any], QWidget]]:
    return FakeHost(actor("officer", hall="", department="dept-market")), KnowledgeView


def settings() -> tuple[FakeHost, Callable[[Any], QWidget]]:
    return FakeHost(actor("sysadmin", hall="")), SettingsView


def kiosk() -> tuple[HallHost, Callable[[Any], QWidget]]:
    host = HallHost("clerk")
    host.devices.known = [printer_status()]
    return host, KioskView


def bookings() -> tuple[HallHost, Callable[[Any], QWidget]]:
    return HallHost("clerk"), BookingsView


def reader() -> tuple[FakeHost, Callable[[Any], QWidget]]:
    host = FakeHost()
    host.services[Policy] = Policy()
    return host, ReaderView


@pytest.mark.parametrize("made", [counter, knowledge, settings, kiosk, bookings, reader])
def test_a_page_is_built_without_a_flash(qtbot: Any, qapp: QApplication, made: Callable[[], Any]) -> None:
    host, view = made()
    with watched(qapp) as shown:
        page = view(host)
        qtbot.addWidget(page)
        host.drain()
    assert not shown
    page.close()
    host.drain()


def test_a_case_is_begun_without_a_flash(qtbot: Any, qapp: QApplication) -> None:
    host = FakeHost()
    page = AcceptView(host)
    qtbot.addWidget(page)
    host.drain()
    begun = item()
    begun["materials"] = [{**material, "may_lack": True} for material in begun["materials"]]
    with watched(qapp) as shown:
        page.start.chosen.emit(begun)
        host.drain()
    assert not shown
    page.close()
    host.drain()


def test_a_document_opens_without_a_flash(qtbot: Any, qapp: QApplication, tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf(["一"]))
    host, view = reader()
    page = view(host)
    qtbot.addWidget(page)
    host.drain()
    with watched(qapp) as shown:
        page.open_file(tmp_path / "a.pdf")  # type: ignore[attr-defined]
        host.drain()
    assert not shown
    page.close()
    host.drain()


def test_slots_appear_without_a_flash(qtbot: Any, qapp: QApplication) -> None:
    host = HallHost("clerk")
    page = BookingsView(host)
    qtbot.addWidget(page)
    at = "2026-11-23T01:00:00Z"
    with watched(qapp) as shown:
        page._show_slots([{"start": at, "end": at, "places": 4, "left": 3, "words": ""}])
    assert not shown
    assert len(page._buttons) == 1
    page.close()
    host.drain()
