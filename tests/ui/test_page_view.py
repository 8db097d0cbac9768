"""The page view over real PDF: what is seen, kept, asked for and never waited for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PySide6.QtGui import QColor, QImage, QKeyEvent, QWheelEvent
from PySide6.QtWidgets import QApplication

from client.tasks.lanes import InlineLanes
from client.widgets.page.layout import Mode
from client.widgets.page.pdf import PdfSource
from client.widgets.page.source import Seals
from client.widgets.page.tiles import Key, Level, TileCache, grid, night, pieces
from client.widgets.page.view import PageView, Position
from client.widgets.theme import Theme
from modules.common.errors import GovDeskError
from tests.support.fake_host import FakeHost
from tests.support.pdfs import locked, pdf
from tests.support.samples import sample

PAGES = [["政府信息公开指南", "第一条 为了提高透明度"], "第二页 附件", "第三页", "第四页", "第五页"]


@pytest.fixture
def source() -> Iterator[PdfSource]:
    made = PdfSource(pdf(PAGES, outline=True))
    yield made
    made.close()


@pytest.fixture
def view(qtbot: Any, source: PdfSource) -> PageView:
    return shown(qtbot, PageView(InlineLanes()), source)


def shown(qtbot: Any, view: PageView, source: PdfSource) -> PageView:
    qtbot.addWidget(view)
    view.resize(800, 600)
    view.show()
    view.open(source)
    QApplication.processEvents()
    return view


def key(view: PageView, code: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QApplication.sendEvent(view, QKeyEvent(QEvent.Type.KeyPress, code, modifier))
    QApplication.processEvents()


CONTROL = Qt.KeyboardModifier.ControlModifier


def test_pdf_text_has_places(source: PdfSource) -> None:
    text = source.text(0)
    assert text.text.startswith("政府信息公开指南")
    box = text.boxes[0]
    assert box is not None
    assert box.x == pytest.approx(20, abs=0.5)
    assert box.y == pytest.approx(20, abs=1.5)
    assert box.width == pytest.approx(12 * 25.4 / 72, abs=0.5)
    assert [entry.title for entry in source.outline()] == [f"第{n}章" for n in range(1, 6)]
    assert [entry.page for entry in source.outline()] == [0, 1, 2, 3, 4]
    assert ("标题", "样张") in source.facts()


def test_a_part_is_the_same_as_the_whole(source: PdfSource) -> None:
    scale = 5.0
    whole = source.render(0, scale, QRect(0, 0, 1050, 1485))
    part = QRect(80, 90, 300, 200)
    assert source.render(0, scale, part) == whole.copy(part)
    turned = source.render(0, scale, QRect(0, 0, 1485, 1050), 90)
    left, top, right, bottom = extent(whole)
    assert extent(turned) == pytest.approx((1485 - bottom, left, 1485 - top, right), abs=2)


def extent(image: QImage) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is dark."""
    dark = [(x, y) for x in range(image.width()) for y in range(image.height()) if image.pixel(x, y) & 0xFF < 128]
    xs, ys = zip(*dark, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


@pytest.mark.parametrize(
    ("data", "password", "code"),
    [
        (b"%PDF-1.7 nothing", "", "VIEW-001"),
        (b"", "", "VIEW-001"),
        (pdf(["一"])[:200], "", "VIEW-001"),
        (locked("open"), "", "VIEW-002"),
        (locked("open"), "wrong", "VIEW-002"),
    ],
)
def test_what_cannot_be_opened_is_said(data: bytes, password: str, code: str) -> None:
    with pytest.raises(GovDeskError) as told:
        PdfSource(data, password)
    assert told.value.code == code


def test_a_password_opens() -> None:
    source = PdfSource(locked("open"), "open")
    assert source.text(0).text.strip() == "内部"
    source.close()
    with pytest.raises(GovDeskError, match="VIEW-003"):
        source.text(0)
    source.close()


def test_keys_do_what_they_say(view: PageView) -> None:
    assert (view.page, view.fit, view.pages) == (0, "width", 5)
    key(view, Qt.Key.Key_End)
    assert view.page == 4
    key(view, Qt.Key.Key_Home)
    assert (view.page, view.verticalScrollBar().value()) == (0, 0)
    key(view, Qt.Key.Key_PageDown)
    assert view.verticalScrollBar().value() > 400
    key(view, Qt.Key.Key_0, CONTROL)
    assert (view.zoom, view.fit) == (1.0, "")
    key(view, Qt.Key.Key_Plus, CONTROL)
    assert view.zoom == 1.1
    key(view, Qt.Key.Key_Minus, CONTROL)
    assert view.zoom == 1.0
    key(view, Qt.Key.Key_1, CONTROL)
    assert view.fit == "page"
    key(view, Qt.Key.Key_R)
    assert view.rotation == 90
    key(view, Qt.Key.Key_R, Qt.KeyboardModifier.ShiftModifier)
    assert view.rotation == 0
    key(view, Qt.Key.Key_2, CONTROL)
    assert view.fit == "width"


def test_the_pages_zoom_keys_win_over_the_windows(view: PageView) -> None:
    event = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_Plus, CONTROL)
    event.ignore()
    QApplication.sendEvent(view, event)
    assert event.isAccepted()
    other = QKeyEvent(QEvent.Type.ShortcutOverride, Qt.Key.Key_K, CONTROL)
    other.ignore()
    QApplication.sendEvent(view, other)
    assert not other.isAccepted()


def test_single_pages_are_turned(view: PageView) -> None:
    view.set_mode(Mode.SINGLE)
    view.fit_to("page")
    for _ in range(3):
        key(view, Qt.Key.Key_PageDown)
    assert view.page == 3
    assert view.seen_pages() == [3]
    key(view, Qt.Key.Key_PageUp)
    assert view.page == 2
    view.set_mode(Mode.FACING)
    assert view.seen_pages()[:2] == [2, 3]


def test_the_wheel_zooms_about_the_mouse(view: PageView) -> None:
    view.go_to(1, 100)
    at = QPointF(333, 222)
    before = view.spot(at)
    assert before is not None
    for _ in range(3):
        QApplication.sendEvent(view.viewport(), wheel(at, 120))
    after = view.spot(at)
    assert after is not None
    assert view.zoom > 1.3
    assert after.page == before.page
    assert (after.x, after.y) == pytest.approx((before.x, before.y), abs=0.8)


def wheel(at: QPointF, delta: int) -> QWheelEvent:
    return QWheelEvent(
        at, at, QPoint(), QPoint(0, delta), Qt.MouseButton.NoButton, CONTROL, Qt.ScrollPhase.NoScrollPhase, False
    )


def test_somebody_comes_back_to_where_they_read(view: PageView, source: PdfSource) -> None:
    view.set_mode(Mode.FACING)
    view.zoom_to(1.7)
    view.rotate()
    view.go_to(2, 30)
    left = view.position
    view.open(source, left)
    assert view.position == left
    view.open(source, Position(page=99, zoom=400, fit="", rotation=7))
    assert (view.page, view.zoom, view.rotation) == (4, 32.0, 0)


def test_painting_waits_for_nothing_and_never_goes_blank(qtbot: Any, source: PdfSource) -> None:
    host = FakeHost()
    view = shown(qtbot, PageView(host), source)
    rendered = []
    real = source.render
    source.render = lambda *given: rendered.append(1) or real(*given)  # type: ignore[method-assign,assignment,func-returns-value]
    view.grab()
    assert not rendered, "the window paints without drawing a page itself"
    host.drain()
    assert rendered
    assert ink(view.grab().toImage()) > 100
    view.zoom_to(2.3, QPointF(60, 60))
    QApplication.processEvents()
    assert host.jobs
    assert ink(view.grab().toImage()) > 100, "the old picture stands in, larger"
    host.drain()
    assert ink(view.grab().toImage()) > 100


def ink(image: QImage) -> int:
    """How many dark pixels there are."""
    steps = ((x, y) for x in range(0, image.width() - 30, 2) for y in range(0, image.height(), 2))
    return sum(image.pixelColor(x, y).lightness() < 100 for x, y in steps)


def test_what_is_scrolled_past_is_not_drawn(qtbot: Any) -> None:
    host, source = FakeHost(), PdfSource(pdf(["字"] * 60))
    view = shown(qtbot, PageView(host), source)
    for page in range(0, 60, 3):
        view.go_to(page)
        QApplication.processEvents()
    live = [job for job in host.jobs if not job.token.cancelled and job.token is not None]
    assert len([job for job in host.jobs if job.token.cancelled]) > 20
    assert len(live) < 30
    host.drain()
    pages = {kept.page for kept in view.tiles.cache._pieces}
    assert pages >= {57}
    assert not pages & set(range(3, 50))
    view.open(None)
    source.close()


def test_the_cache_keeps_to_its_budget() -> None:
    cache = TileCache(10 * 400)
    level = Level(1.0, 0, False)
    for page in range(30):
        cache.put(Key(page, level, 0, 0), QImage(10, 10, QImage.Format.Format_RGB32))
        cache.get(Key(0, level, 0, 0))
    assert cache.held <= cache.budget
    assert len(cache) == 10
    assert Key(0, level, 0, 0) in cache, "what is looked at stays"
    assert Key(5, level, 0, 0) not in cache
    assert not cache.others(5, level)
    assert cache.others(29, Level(2.0, 0, False)) == [Key(29, level, 0, 0)]
    assert not cache.others(29, Level(2.0, 90, False)), "turned otherwise it cannot stand in"


def test_large_pages_are_drawn_in_pieces(source: PdfSource) -> None:
    level = Level(20.0, 0, False)
    size = source.size(0)
    wide, high, side = grid(size, level)
    assert side == 1024
    needed = pieces(0, size, level, QRect(1500, 2000, 600, 400))
    assert [(each.across, each.down) for each in needed] == [(1, 1), (2, 1), (1, 2), (2, 2)]
    assert len(pieces(0, size, level, QRect(0, 0, wide, high))) == -(-wide // 1024) * -(-high // 1024)
    assert not pieces(0, size, level, QRect(-50, -50, 20, 20))


def test_night_turns_light_and_leaves_hues() -> None:
    image = QImage(3, 1, QImage.Format.Format_RGB32)
    for x, name in enumerate(("white", "#000000", "#c00000")):
        image.setPixelColor(x, 0, QColor(name))
    dark = night(image)
    assert dark.pixelColor(0, 0).lightness() < 40
    assert dark.pixelColor(1, 0).lightness() > 200
    red = dark.pixelColor(2, 0)
    assert red.red() > red.blue() + 60


def test_text_is_selected_by_mouse(qtbot: Any, view: PageView, source: PdfSource) -> None:
    view.go_to(0)
    boxes = source.text(0).boxes
    ratio = view.devicePixelRatioF()
    first, last = (view._screen_box(0, boxes[at]).center() / ratio for at in (2, 5))  # type: ignore[arg-type]
    qtbot.mousePress(view.viewport(), Qt.MouseButton.LeftButton, pos=(first - QPointF(6, 0)).toPoint())
    qtbot.mouseMove(view.viewport(), (last + QPointF(6, 0)).toPoint())
    QApplication.processEvents()
    qtbot.mouseRelease(view.viewport(), Qt.MouseButton.LeftButton, pos=(last + QPointF(6, 0)).toPoint())
    text = source.text(0).text
    assert text[slice(*view.selection.span(0, len(text)))] == "信息公开"
    key(view, Qt.Key.Key_Escape)
    assert not view.selection


def test_the_page_tells_a_screen_reader_what_stands_on_it(view: PageView) -> None:
    view.go_to(1)
    QApplication.processEvents()
    assert view.accessibleName() == "第 2 页，共 5 页"
    assert "附件" in view.accessibleDescription()


def test_the_look_follows_the_theme(view: PageView, theme: Theme) -> None:
    view.go_to(2)
    theme.apply("dark", 1.5)
    QApplication.processEvents()
    assert view.page == 2
    corner = view.grab().toImage().pixelColor(2, 300)
    assert corner == theme.color("raised")


def test_a_signature_of_a_pdf_is_a_seal_of_its_own() -> None:
    source = PdfSource(sample("pdf", "minimal-signed-twice-both-created.pdf").read_bytes())
    spots = source.seals(0)
    assert [round(spot.box.x) for spot in spots] == [72, 12]
    picture = source.seal_picture(spots[0], 4.0)
    assert any(picture.pixelColor(x, y).alpha() for x in range(picture.width()) for y in range(picture.height()))
    area = QRect(*(round(side * 4) for side in spots[0].box))
    plain, true = (source.render(0, 4.0, area, 0, seals) for seals in Seals)
    assert plain != true
    assert not has_ink(plain), "on the screen's page it isn't"
    assert len(source.signatures()) == 2
    source.close()


def has_ink(image: QImage) -> bool:
    return any(image.pixelColor(x, y).lightness() < 128 for x in range(image.width()) for y in range(image.height()))


def test_seals_are_told_from_other_fields(source: PdfSource) -> None:
    assert source.seals(0) == ()
    plain, true = (source.render(0, 2.0, QRect(0, 0, 420, 594), 0, seals) for seals in Seals)
    assert plain == true
