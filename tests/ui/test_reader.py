"""The page 版式文件 on real files: opened, found in, marked, remembered, printed, compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDropEvent, QGuiApplication, QImage, QKeyEvent
from PySide6.QtWidgets import QApplication

from client.kernel.policy import Policy
from client.widgets.page.opening import open_data, read_file
from client.widgets.page.paper import Job, parse_pages, preview_pdf, put_on
from client.widgets.page.seals import CELL, blurred, marked
from client.widgets.page.selection import Spot
from client.widgets.page.source import Seals
from client.widgets.page.veil import veiled
from client.widgets.theme import Theme
from modules.common.errors import GovDeskError, Refused
from modules.common.permissions import Actor
from modules.fixed_layout.services import Memory, ReaderService
from modules.fixed_layout.ui.compare import ComparePane
from modules.fixed_layout.ui.document import DocumentPane, safe_name
from modules.fixed_layout.ui.page import PasswordDialog, ReaderView
from modules.fixed_layout.ui.printing import PrintPane
from tests.support.a11y import Walk
from tests.support.fake_host import FakeHost, FakeToken
from tests.support.pdfs import locked, pdf
from tests.support.samples import sample

TEXT = [["政府信息公开指南", "第一条 公开的范围", "联系电话 13900000001"], ["第二条 公开的程序"], ["第三条 附则"]]


@pytest.fixture
def host() -> FakeHost:
    made = FakeHost()
    made.services[Policy] = Policy()
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "指南.pdf"
    path.write_bytes(pdf(TEXT, outline=True))
    return path


@pytest.fixture
def page(qtbot: Any, host: FakeHost) -> Iterator[ReaderView]:
    view = ReaderView(host)
    qtbot.addWidget(view)
    view.resize(1280, 800)
    view.show()
    settle(host)
    yield view
    view.close()
    settle(host)


def settle(host: FakeHost) -> None:
    """Let everything come that is under way."""
    for _ in range(8):
        host.drain()
        QApplication.processEvents()


def opened(page: ReaderView, host: FakeHost, *files: Path) -> DocumentPane:
    for file in files:
        page.open_file(file)
        settle(host)
    pane = page.current
    assert pane is not None, page.banner.text()
    return pane


def test_a_file_is_opened_with_all_that_belongs_to_it(page: ReaderView, host: FakeHost, file: Path) -> None:
    pane = opened(page, host, file)
    assert pane.view.pages == 3
    assert pane.side.outline.topLevelItemCount() == 3
    assert "样张" in pane.side.facts.text.text()
    assert "指南.pdf" in pane.side.facts.text.text()
    assert "政府信息公开指南" in pane.side.page_text.text.text()
    assert "没有印章" in " ".join(label for label in words_in(pane.side.seals))
    page.open_file(file)
    settle(host)
    assert page.tabs.count() == 1, "the same file has one tab"
    page.close_tab(0)
    settle(host)
    assert page.current is None
    assert [entry.name for entry in ReaderService(host).recent()] == ["指南.pdf"]


def words_in(widget: Any) -> list[str]:
    from PySide6.QtWidgets import QLabel

    return [label.text() for label in widget.findChildren(QLabel)]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("坏.pdf", b"%PDF-1.7 broken", "VIEW-001"),
        ("别的.ofd", b"hello", "VIEW-013"),
        ("坏.ofd", b"PK\x03\x04 broken", "OFD-001"),
        ("没有.pdf", None, "VIEW-010"),
    ],
)
def test_what_cannot_be_opened_is_said(
    page: ReaderView, host: FakeHost, tmp_path: Path, name: str, data: bytes | None, code: str
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    page.open_file(tmp_path / name)
    settle(host)
    assert page.current is None
    assert code in page.banner.accessibleName()


def test_a_folder_and_a_huge_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GovDeskError, match="VIEW-012"):
        read_file(tmp_path)
    monkeypatch.setattr("client.widgets.page.opening.LARGEST", 10)
    (tmp_path / "large.pdf").write_bytes(b"x" * 11)
    with pytest.raises(GovDeskError, match="VIEW-011"):
        read_file(tmp_path / "large.pdf")


def test_a_locked_file_asks_for_its_password(page: ReaderView, host: FakeHost, tmp_path: Path) -> None:
    path = tmp_path / "内部.pdf"
    path.write_bytes(locked("sesame-7"))
    page.open_file(path)
    settle(host)
    for password, told in (("wrong", "密码不对"), ("sesame-7", "")):
        ask = next(
            each for each in QApplication.topLevelWidgets() if isinstance(each, PasswordDialog) and each.isVisible()
        )
        ask.password.setText(password)
        ask.go.click()
        settle(host)
        if told:
            assert any(told in words for each in QApplication.topLevelWidgets() for words in words_in(each))
    assert page.current is not None
    assert "sesame" not in str(host.store.kept), "the password is kept nowhere"


def test_files_are_dropped(page: ReaderView, host: FakeHost, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "照片.jpg"
    other.write_bytes(b"x")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in (file, other)])
    event = QDropEvent(
        QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    page.dropEvent(event)
    settle(host)
    assert page.tabs.count() == 1


def test_words_are_found_in_the_whole_document(page: ReaderView, host: FakeHost, file: Path) -> None:
    pane = opened(page, host, file)
    pane.find_words("公开 的")
    settle(host)
    assert [hit.page for hit in pane.finder.hits] == [0, 1]
    assert pane.side.hits.list.count() == 2
    assert (pane.finder.current, pane.view.page) == (0, 0)
    pane.find_step(1)
    assert pane.view.page == 1
    pane.find_step(1)
    assert pane.view.page == 0, "round the end"
    pane.find_step(-1)
    assert pane.view.page == 1
    pane.find_words("没有的话")
    settle(host)
    assert not pane.finder.hits
    pane.tools.search.setText("没有的话")
    pane._find_ended()
    assert "没有找到" in pane.tools.words.text()


def test_finding_can_be_stopped(page: ReaderView, host: FakeHost, file: Path) -> None:
    pane = opened(page, host, file)
    pane.find_words("公开")
    assert pane.finder.busy
    pane.find_words("")
    settle(host)
    assert not pane.finder.hits
    assert not pane.finder.busy


def test_selected_text_is_copied(page: ReaderView, host: FakeHost, file: Path) -> None:
    pane = opened(page, host, file)
    pane.view.select_all()
    pane.copy()
    settle(host)
    text = QGuiApplication.clipboard().text()
    assert text.startswith("政府信息公开指南")
    assert "第三条 附则" in text


def test_a_place_is_marked_and_remembered(page: ReaderView, host: FakeHost, file: Path) -> None:
    pane = opened(page, host, file)
    pane.view.go_to(1)
    settle(host)
    pane.add_bookmark()
    pane.view.zoom_to(1.6)
    pane.view.go_to(2, 12)
    pane.marks.add_opinion(2, 30, 40, "同意")
    page.close_tab(0)
    settle(host)
    again = opened(page, host, file)
    assert again.view.page == 2
    assert again.view.zoom == pytest.approx(1.6)
    assert again.memory.bookmarks[0]["name"] == "第二条 公开的程序"
    assert [mark.text for mark in again.marks.all] == ["同意"]
    assert str(file) not in str(host.services), "nothing of it stands in the settings"


def test_what_is_remembered_is_each_persons_own(host: FakeHost, file: Path) -> None:
    one = ReaderService(host)
    one.keep(Memory("d" * 64, str(file), file.name, {}, [{"page": 0, "top": 0, "name": "x"}]))
    id = one._id("d" * 64)
    host.store.actor = Actor("other", "other", "李四")
    assert ReaderService(host)._id("d" * 64) != id


def test_handwriting_is_drawn_and_taken_back(page: ReaderView, host: FakeHost, file: Path, qtbot: Any) -> None:
    pane = opened(page, host, file)
    pane.view.set_tool("ink")
    view = pane.view.viewport()
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=QPointF(200, 300).toPoint())
    for x in range(210, 400, 10):
        qtbot.mouseMove(view, QPointF(x, 300 + x % 40).toPoint())
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=QPointF(400, 300).toPoint())
    (mark,) = pane.marks.all
    assert len(mark.strokes[0]) > 10
    assert (mark.person, mark.day) == ("张三", "2026-11-20")
    red = sum(is_red(view.grab().toImage().pixelColor(x, y)) for x in range(195, 400) for y in range(290, 345))
    assert red > 50
    assert pane.marks.undo()
    assert not pane.marks.all
    assert pane.marks.redo()
    assert page.back()
    assert pane.view.tool == "select", "Esc puts the pen away"
    assert not pane.marks.undo() or not pane.marks.undo()


def test_selected_words_are_highlighted(page: ReaderView, host: FakeHost, file: Path) -> None:
    pane = opened(page, host, file)
    text = pane.source.text(1)
    box = text.boxes[0]
    assert box is not None
    pane.view.go_to(1)
    settle(host)
    pane.view.selection.word(Spot(1, box.x + 1, box.y + 1), text)
    pane.highlight()
    (mark,) = pane.marks.all
    assert (mark.page, mark.text) == (1, "第二条")
    assert not pane.view.selection
    settle(host)
    place = pane.view._screen_box(1, mark.boxes[0])
    image = pane.view.viewport().grab().toImage()
    shade = image.pixelColor(round(place.left()) + 1, round(place.top()) + 1)
    assert shade.blue() < 200 < shade.red(), "as if by a marker"
    assert "高亮" in pane.side.notes.list.item(0).text()
    pane.side.notes.list.setCurrentRow(0)
    pane.side.notes.buttons["删除自己的"].click()
    assert not pane.marks.all


def is_red(color: QColor) -> bool:
    return color.red() > 120 and color.green() < 90 and color.blue() < 90


def test_attachments_get_safe_names() -> None:
    assert safe_name("../../etc/passwd") == "passwd"
    assert safe_name("C:\\a\\b<c>.txt") == "b_c_.txt"
    assert safe_name("con.txt") == "_con.txt"
    assert safe_name(" .. ") == "attachment"
    assert len(safe_name("长" * 500)) == 120


def test_an_attachment_is_saved(page: ReaderView, host: FakeHost, tmp_path: Path) -> None:
    pane = opened(page, host, sample("ofd/999.ofd"))
    assert "original_invoice.xml" in pane.side.attachments.list.item(0).text()
    pane.save_attachment(0, tmp_path / "out.xml")
    settle(host)
    assert (tmp_path / "out.xml").read_bytes().lstrip(b"\xef\xbb\xbf").startswith(b"<")
    pane.save_attachment(0, tmp_path / "nowhere" / "out.xml")
    settle(host)
    assert "VIEW-030" in pane.note.accessibleName()


def test_verdicts_stand_above_the_page_and_unfold(page: ReaderView, host: FakeHost) -> None:
    pane = opened(page, host, sample("ofd/zsbk.ofd"))
    assert "无效" in pane.verdict.text()
    pane.verdict.acted.emit()
    assert pane.side.current is pane.side.seals
    told = " ".join(words_in(pane.side.seals))
    for step in ("文件结构", "内容摘要", "保护范围", "签章人签名"):
        assert step in told
    assert "截屏" in told, "what the blur protects from, and what not, is said"


# -- seals ------------------------------------------------------------------------------------------


def difference(one: QImage, other: QImage) -> int:
    assert one.size() == other.size()
    return sum(one.pixel(x, y) != other.pixel(x, y) for x in range(one.width()) for y in range(one.height()))


def test_a_seal_is_blurred_each_time_otherwise_and_true_on_paper() -> None:
    source = open_data((sample("ofd/1.ofd")).read_bytes())
    (spot,) = source.seals(0)
    picture = source.seal_picture(spot, 4.0)
    size = (spot.box.width, spot.box.height)
    one, other = (blurred(picture, *size) for _ in range(2))
    assert difference(one, other) > one.width() * one.height() / 4
    area = _area(spot.box, 4.0)
    plain, true = (source.render(0, 4.0, area, 0, seals) for seals in Seals)
    assert difference(plain, true) > 2000, "on paper the seal is there, on the screen's page it never is"
    source.close()


def _area(box: Any, scale: float) -> Any:
    from PySide6.QtCore import QRect

    return QRect(*(round(side * scale) for side in box))


def test_nothing_finer_than_a_cell_of_the_grid_goes_into_the_blur() -> None:
    """Two seals that differ inside the cells alone give, by the same chance, the same picture: what is not there
    cannot be brought back, by however many screenshots."""
    import numpy

    pictures = []
    for half in (0, 5):
        picture = QImage(100, 100, QImage.Format.Format_ARGB32_Premultiplied)
        picture.fill(0)
        for x in range(100):
            if half <= x % 10 < half + 5:
                for y in range(100):
                    picture.setPixelColor(x, y, QColor(200, 0, 0))
        glass = blurred(picture, 10 * CELL, 10 * CELL, numpy.random.default_rng(7))
        pictures.append(numpy.frombuffer(glass.constBits(), numpy.uint8).astype(int).copy())
    assert abs(pictures[0] - pictures[1]).max() <= 4


def test_many_blurred_seals_together_are_no_sharper_than_the_grid() -> None:
    """The mean of a hundred pictures holds no line of the seal: neighbours within a cell hardly differ."""
    import numpy

    source = open_data((sample("ofd/1.ofd")).read_bytes())
    (spot,) = source.seals(0)
    picture = source.seal_picture(spot, 4.0)
    pictures = []
    for _ in range(100):
        glass = blurred(picture, spot.box.width, spot.box.height)
        pictures.append(numpy.frombuffer(glass.constBits(), numpy.uint8).reshape(glass.height(), -1).astype(float))
    mean = numpy.mean(pictures, axis=0)[:, : glass.width() * 4].reshape(glass.height(), glass.width(), 4)[:, :, 3]
    sharp = picture.scaled(glass.width(), glass.height())
    true = numpy.frombuffer(sharp.constBits(), numpy.uint8).reshape(sharp.height(), -1)[:, : sharp.width() * 4]
    true_steps = numpy.abs(numpy.diff(true.reshape(sharp.height(), sharp.width(), 4)[:, :, 3].astype(float), axis=1))
    steps = numpy.abs(numpy.diff(mean, axis=1))
    assert steps.max() < 60
    assert true_steps.max() > 200
    source.close()


def test_the_screen_never_holds_the_true_seal(page: ReaderView, host: FakeHost) -> None:
    asked: list[Seals] = []
    pane = opened(page, host, sample("ofd/1.ofd"))
    real = pane.source.render

    def watched(*given: Any) -> QImage:
        asked.append(given[4] if len(given) > 4 else Seals.NONE)
        return real(*given)

    pane.source.render = watched  # type: ignore[method-assign]
    pane.view.zoom_to(1.3)
    settle(host)
    assert asked
    assert set(asked) == {Seals.NONE}
    (shown,) = pane.veil._seals[0]
    true = pane.source.seal_picture(shown.spot, 12.0).scaled(shown.picture.size())
    assert edges(shown.picture) < edges(true) / 3, "it is there, and none of its lines is"


def test_a_seal_can_be_seen_at_night(page: ReaderView, host: FakeHost) -> None:
    pane = opened(page, host, sample("ofd/1.ofd"))
    (shown,) = pane.veil._seals[0]
    place = pane.view._screen_box(0, shown.spot.box).toAlignedRect()
    pane.view.set_night(True)
    settle(host)
    pictures = [pane.view.viewport().grab().toImage().copy(place)]
    pane.view.overlays.remove(pane.veil.paint)
    pictures.append(pane.view.viewport().grab().toImage().copy(place))
    places = [(x, y) for x in range(0, place.width(), 3) for y in range(0, place.height(), 3)]
    lighter = [pictures[0].pixelColor(*each).red() > pictures[1].pixelColor(*each).red() + 40 for each in places]
    assert sum(lighter) > 50


def edges(image: QImage) -> int:
    """How many neighbours of red differ sharply: where lines are."""
    reds = [[_redness(image.pixelColor(x, y)) for x in range(0, image.width(), 2)] for y in range(0, image.height(), 2)]
    return sum(abs(row[x] - row[x + 1]) > 90 for row in reds for x in range(len(row) - 1))


def _redness(color: QColor) -> float:
    return (color.red() - color.blue()) * color.alphaF()


def test_an_invalid_seal_is_never_true_and_says_so() -> None:
    source = open_data((sample("ofd/SESV4SignDoc.ofd")).read_bytes())
    (spot,) = source.seals(0)
    assert not spot.genuine
    area = _area(spot.box, 3.0)
    assert difference(*(source.render(0, 3.0, area, 0, seals) for seals in Seals)) == 0
    (found,) = veiled(source, 0, "张三")
    bare = marked(blurred(source.seal_picture(spot, 4.0), 40, 40), "张三")
    assert found.picture.size() == bare.size()
    dark = sum(
        is_red(found.picture.pixelColor(x, y)) for x in range(0, bare.width(), 2) for y in range(0, bare.height(), 2)
    )
    assert dark > 30, "the words 签章无效 across it"
    source.close()


# -- paper ------------------------------------------------------------------------------------------


def test_page_ranges() -> None:
    assert parse_pages("", 3) == (0, 1, 2)
    assert parse_pages("1-2，4", 5) == (0, 1, 3)
    assert parse_pages("4-", 5) == (3, 4)
    for wrong in ("0", "6", "3-2", "x", "1--2"):
        with pytest.raises(ValueError):
            parse_pages(wrong, 5)


def test_pages_come_out_at_their_true_size() -> None:
    """20 mm from the left edge, to the tenth of a millimetre, on paper of the page's own size."""
    source = open_data(pdf(TEXT, size=(420.0, 595.0)))
    paper = open_data(preview_pdf(Job(source, (0, 2)), FakeToken()))
    assert paper.pages == 2
    assert paper.size(0) == pytest.approx(source.size(0), abs=0.2)
    scale = 8.0
    area = _area((0, 0, *source.size(0)), scale)
    edges = [left_edge(each.render(0, scale, area)) / scale for each in (source, paper)]
    assert edges[1] == pytest.approx(edges[0], abs=0.25)
    assert edges[0] == pytest.approx(20.0, abs=0.8)
    for each in (source, paper):
        each.close()


def left_edge(image: QImage) -> int:
    return next(
        x
        for x in range(image.width())
        for y in range(0, image.height() // 4)
        if image.pixelColor(x, y).lightness() < 120
    )


def test_several_pages_share_a_sheet() -> None:
    source = open_data(pdf(["一", "二", "三", "四", "五"]))
    paper = open_data(preview_pdf(Job(source, tuple(range(5)), 4), FakeToken()))
    assert paper.pages == 2
    two = open_data(preview_pdf(Job(source, (0, 1), 2), FakeToken()))
    assert (round(two.size(0).width), round(two.size(0).height)) == (297, 210), "two upright pages lie side by side"
    for each in (source, paper, two):
        each.close()


def test_seals_on_paper_follow_the_permission() -> None:
    source = open_data((sample("ofd/1.ofd")).read_bytes())
    (spot,) = source.seals(0)
    scale = 4.0
    pictures = []
    for true in (True, False):
        paper = open_data(preview_pdf(Job(source, (0,), true_seals=true, watermark="张三 3号窗"), FakeToken()))
        pictures.append(paper.render(0, scale, _area(spot.box, scale)))
        paper.close()
    want = source.render(0, scale, _area(spot.box, scale), 0, Seals.TRUE)
    assert apart(pictures[0], want) < apart(pictures[1], want) / 2
    source.close()


def apart(one: QImage, other: QImage) -> float:
    width, height = min(one.width(), other.width()), min(one.height(), other.height())
    pairs = ((one.pixelColor(x, y), other.pixelColor(x, y)) for x in range(0, width, 3) for y in range(0, height, 3))
    return sum(abs(a.green() - b.green()) for a, b in pairs)


def test_the_print_pane_asks_and_previews(page: ReaderView, host: FakeHost, file: Path, qtbot: Any) -> None:
    pane = opened(page, host, file)
    pane.print_()
    ask = next(each for each in QApplication.topLevelWidgets() if isinstance(each, PrintPane))
    ask.which.setCurrentIndex(2)
    ask.pages.setText("9")
    ask.preview.click()
    assert "VIEW-021" in ask.banner.accessibleName()
    ask.pages.setText("2-3")
    ask.preview.click()
    settle(host)
    assert ask.view.pages == 2
    job = ask.job()
    assert job is not None
    assert job.true_seals
    ask.reject()
    settle(host)


def test_who_may_not_print_true_seals_gets_them_blurred(
    page: ReaderView, host: FakeHost, file: Path, qtbot: Any
) -> None:
    pane = opened(page, host, file)
    host.store.actor = Actor("somebody", "somebody", "李四")
    pane.print_()
    ask = next(each for each in QApplication.topLevelWidgets() if isinstance(each, PrintPane))
    assert "没有“打印真印章”的权限" in " ".join(words_in(ask))
    job = ask.job()
    assert job is not None
    assert not job.true_seals
    with pytest.raises(Refused, match="AUTH-403"):
        ReaderService(host).check_true_seals()
    ask.reject()
    settle(host)


@pytest.mark.qt_log_ignore("Returned false")
def test_a_printer_that_takes_nothing_is_said(tmp_path: Path) -> None:
    from PySide6.QtPrintSupport import QPrinter

    printer = QPrinter()
    printer.setOutputFormat(QPrinter.OutputFormat.PdfFormat)
    printer.setOutputFileName(str(tmp_path / "nowhere" / "out.pdf"))
    source = open_data(pdf(["一"]))
    with pytest.raises(GovDeskError, match="VIEW-020"):
        put_on(printer, Job(source, (0,)), printer.resolution(), FakeToken())
    source.close()


# -- comparing --------------------------------------------------------------------------------------


def test_two_documents_are_compared(page: ReaderView, host: FakeHost, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "新稿.pdf"
    changed = [
        ["政府信息公开指南", "第一条 公开的限度", "联系电话 13900000001"],
        ["第二条 公开的程序"],
        ["第三条 附则"],
    ]
    other.write_bytes(pdf(changed))
    right = opened(page, host, file, other)
    left = page.tabs.widget(0)
    page.compare(left, right)
    settle(host)
    pane = page.tabs.currentWidget()
    assert isinstance(pane, ComparePane)
    found = pane._found
    assert found is not None
    assert [(change.kind, change.before, change.after) for change in found.changes] == [("changed", "范围", "限度")]
    assert not found.seen, "what differs in its words is not told twice"
    pane.step(1)
    assert pane.views[0].page == pane.views[1].page == 0
    page.close_tab(0)
    settle(host)
    assert pane.views[0].grab(), "it stands by itself"


def test_what_looks_different_is_found_and_what_does_not_is_not() -> None:
    from modules.fixed_layout.ui.compare import boxes_of

    one = QImage(300, 200, QImage.Format.Format_RGB32)
    one.fill(0xFFFFFFFF)
    other = one.copy()
    assert boxes_of(one, other) == []
    for x in range(90, 120):
        for y in range(50, 60):
            other.setPixelColor(x, y, QColor("black"))
    (box,) = boxes_of(one, other)
    assert box.holds(100 / 3, 55 / 3)
    assert box.width < 18
    moved = other.copy(1, 0, 300, 200)
    assert boxes_of(other.copy(0, 0, 299, 200), moved.copy(0, 0, 299, 200)) == [], "a pixel aside is no difference"


# -- everybody --------------------------------------------------------------------------------------


def test_everything_has_a_name_and_its_place(
    page: ReaderView, host: FakeHost, file: Path, theme: Theme, qtbot: Any
) -> None:
    pane = opened(page, host, file)
    for zoom in (1.0, 1.5):
        theme.apply("light", zoom)
        settle(host)
        walk = Walk(page)
        assert walk.nameless() == []
        qtbot.waitUntil(lambda walk=walk: walk.clipped() == [])
    assert pane.view in walk.focusable()


def key(widget: Any, code: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QApplication.sendEvent(widget, QKeyEvent(QEvent.Type.KeyPress, code, modifier))


def test_a_page_number_is_typed(page: ReaderView, host: FakeHost, file: Path) -> None:
    pane = opened(page, host, file)
    pane.tools.ask_page()
    pane.tools.page.setText("3")
    key(pane.tools.page, Qt.Key.Key_Return)
    assert pane.view.page == 2
    pane.tools.page.setText("x")
    key(pane.tools.page, Qt.Key.Key_Return)
    assert pane.view.page == 2


def test_only_web_links_are_followed(page: ReaderView, host: FakeHost, file: Path) -> None:
    from client.widgets.page.source import Box, Link

    pane = opened(page, host, file)
    pane._follow(Link(Box(0, 0, 1, 1), address="file:///etc/passwd"))
    assert "没有打开" in pane.note.text()
    pane._follow(Link(Box(0, 0, 1, 1), page=2))
    assert pane.view.page == 2
