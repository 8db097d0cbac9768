"""What a reader of long documents waits for: the first page, and each frame while scrolling."""

from __future__ import annotations

import statistics
import time
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from client.tasks.lanes import ThreadLanes
from client.widgets.gui_thread import GuiThread
from client.widgets.page.opening import open_data
from client.widgets.page.view import PageView
from client.widgets.theme import Theme
from tests.perf.harness import report
from tests.support.pdfs import long_text

pytestmark = pytest.mark.perf
PAGES = 1_300
FRAMES = 200
OPEN_MS, FRAME_MS = 1_000, 16


@pytest.fixture(scope="module")
def document() -> bytes:
    return long_text(PAGES)


def wheel(view: PageView, delta: int) -> None:
    at = QPointF(200, 200)
    none = Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(
        at, at, QPoint(), QPoint(0, delta), Qt.MouseButton.NoButton, none, Qt.ScrollPhase.NoScrollPhase, False
    )
    QApplication.sendEvent(view.viewport(), event)


def test_a_long_document_opens_and_scrolls(qapp: QApplication, document: bytes, qtbot: Any) -> None:
    Theme(qapp).apply("light")
    gui = GuiThread()
    lanes = ThreadLanes(gui.post, _raise)
    view = PageView(lanes)
    qtbot.addWidget(view)
    view.resize(1000, 900)
    view.show()
    qapp.processEvents()
    began, cpu = time.perf_counter(), time.process_time()
    source = open_data(document)
    view.open(source)
    qtbot.waitUntil(lambda: len(view.tiles.cache) > 0, timeout=20_000)
    view.grab()
    report(f"open {PAGES} pages and paint the first", (time.perf_counter() - began) * 1000, "ms", OPEN_MS)
    report("the same, processor time", (time.process_time() - cpu) * 1000, "ms", OPEN_MS)
    size = source.size(0)
    own = time.process_time()
    source.render(700, 5.9, QRect(0, 0, round(size.width * 5.9), round(size.height * 5.9)))
    report("for comparison: one page by PDFium at 150 dpi", (time.process_time() - own) * 1000, "ms", 25)

    # from cache: the same pages over and over, painted at once
    view.go_to(10)
    settled = lambda: not view.tiles.busy  # noqa: E731
    qtbot.waitUntil(settled, timeout=20_000)
    for page in range(10, 16):
        view.go_to(page)
        qapp.processEvents()
        qtbot.waitUntil(settled, timeout=20_000)
    frames = []
    for number in range(FRAMES):
        began = time.process_time()
        bar = view.verticalScrollBar()
        bar.setValue(bar.value() + (37 if number % 100 < 50 else -37))
        view.viewport().repaint()
        frames.append((time.process_time() - began) * 1000)
    report("repaint while scrolling, from cache: median", statistics.median(frames), "ms", FRAME_MS)
    report("repaint while scrolling, from cache: 95 %", sorted(frames)[-FRAMES // 20], "ms", FRAME_MS)

    # through the whole document as fast as the wheel turns: what does the window's thread do meanwhile?
    turns = []
    for _ in range(300):
        began = time.perf_counter()
        wheel(view, -1200)
        qapp.processEvents()
        turns.append((time.perf_counter() - began) * 1000)
    began = time.perf_counter()
    qtbot.waitUntil(settled, timeout=20_000)
    report("from the last turn until all that is seen is drawn", (time.perf_counter() - began) * 1000, "ms", 200)
    report("a turn of the wheel over pages not drawn yet: median", statistics.median(turns), "ms", FRAME_MS)
    for zoom in (1.1, 1.3, 1.7, 2.2):
        began = time.perf_counter()
        view.zoom_to(zoom)
        view.viewport().repaint()
        turns.append((time.perf_counter() - began) * 1000)
    report(f"zoom, all {PAGES} pages laid out anew: slowest of 4", max(turns[-4:]), "ms", 60)
    held = view.tiles.cache.held / 2**20
    report("memory of pictures", held, "MB", view.tiles.cache.budget / 2**20)
    assert held <= view.tiles.cache.budget / 2**20
    assert statistics.median(frames) <= FRAME_MS
    view.open(None)
    view.close()
    lanes.close()
    source.close()


def _raise(name: str, error: BaseException) -> None:
    raise error
