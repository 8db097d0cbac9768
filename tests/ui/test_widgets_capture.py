"""The camera's view: frames are shown, a key photographs, what is unsure is corrected by a person, faults are said."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from PySide6.QtCore import QBuffer, QIODevice, QPointF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest

from client.tasks.lanes import ThreadLanes, live
from client.widgets.capture import CaptureView, CornerEditor
from client.widgets.gui_thread import GuiThread
from devices.ports import WHOLE, Camera, Corners, DeviceError, Frame, Page, Photo


def picture(color: str) -> Page:
    image = QImage(64, 48, QImage.Format.Format_RGB32)
    image.fill(QColor(color))
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "JPEG")
    return Page(bytes(buffer.data().data()), 64, 48)


@dataclass
class FakeCamera:
    """A camera in memory; its preview ends when it is cancelled."""

    sure: bool = True
    error: DeviceError | None = None
    still: bool = False
    shots: int = 0
    cropped: list[Corners] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def preview(self, show: Callable[[Frame], None], *, width: int = 640, rate: float = 10.0) -> None:
        for number in range(50):
            show(Frame(picture("white"), number, WHOLE, self.still and number == 5))
        self.ended.wait(10)

    def capture(self, timeout: float = 10.0) -> Photo:
        self.shots += 1
        if self.error:
            raise self.error
        return Photo(picture("red"), picture("blue"), ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)), 0.9, self.sure)

    def crop(self, frame: Page, corners: Corners, timeout: float = 10.0) -> Page:
        self.cropped.append(corners)
        return picture("green")

    def cancel(self) -> None:
        self.ended.set()


Make = Callable[..., CaptureView]


@pytest.fixture
def make(qtbot: Any) -> Iterator[Make]:
    gui = GuiThread()
    lanes = ThreadLanes(gui.post, lambda name, error: None)
    made: list[CaptureView] = []

    def build(find: Callable[[], Camera]) -> CaptureView:
        view = CaptureView(lanes, find)
        qtbot.addWidget(view)
        view.resize(700, 500)
        view.show()
        made.append(view)
        return view

    yield build
    for view in made:
        view.stop()
    qtbot.waitUntil(lambda: not live())
    assert lanes.close() == []


def color_at(view: CaptureView) -> QColor:
    image = view.picture.grab().toImage()
    return image.pixelColor(image.width() // 2, image.height() // 2)


def test_what_the_camera_sees_is_shown_and_a_click_brings_the_page(qtbot: Any, make: Make) -> None:
    camera, pages = FakeCamera(), []
    view = make(lambda: camera)
    view.taken.connect(pages.append)
    assert not view.shoot_button.isEnabled()
    view.start()
    qtbot.waitUntil(lambda: color_at(view) == QColor("white"))
    qtbot.mouseClick(view.shoot_button, Qt.MouseButton.LeftButton)
    view.shoot()
    qtbot.waitUntil(lambda: bool(pages))
    assert camera.shots == 1, "one at a time"
    assert QImage.fromData(pages[0].jpeg).pixelColor(5, 5).red() > 200


def test_what_is_unsure_is_corrected_by_keys_and_only_then_taken(qtbot: Any, make: Make) -> None:
    camera, pages = FakeCamera(sure=False), []
    view = make(lambda: camera)
    view.taken.connect(pages.append)
    view.start()
    view.shoot()
    qtbot.waitUntil(lambda: view.use.isVisible())
    assert pages == []
    for _ in range(3):
        QTest.keyClick(view.editor, Qt.Key.Key_Right)
    QTest.keyClick(view.editor, Qt.Key.Key_Tab)
    QTest.keyClick(view.editor, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(view.editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(pages))
    (corners,) = camera.cropped
    assert corners[0] == pytest.approx((0.112, 0.1))
    assert corners[1] == pytest.approx((0.9, 0.12))
    assert view.shoot_button.isVisible()


def test_a_corner_is_dragged_and_stays_in_the_picture(qtbot: Any) -> None:
    editor = CornerEditor()
    qtbot.addWidget(editor)
    editor.resize(640, 480)
    editor.show_image(QImage.fromData(picture("white").jpeg), ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)))
    editor.show()
    QTest.mousePress(editor, Qt.MouseButton.LeftButton, pos=QPointF(64, 48).toPoint())
    QTest.mouseMove(editor, QPointF(-100, 96).toPoint())
    assert editor.corners()[0] == pytest.approx((0.0, 0.2))


def test_a_photograph_that_is_taken_again_is_not_used(qtbot: Any, make: Make) -> None:
    camera, pages = FakeCamera(sure=False), []
    view = make(lambda: camera)
    view.taken.connect(pages.append)
    view.start()
    view.shoot()
    qtbot.waitUntil(lambda: view.again.isVisible())
    view.again.click()
    assert view.shoot_button.isVisible()
    assert pages == camera.cropped == []


@pytest.mark.parametrize("auto", [False, True])
def test_a_page_that_lies_still_is_photographed_by_itself_when_that_is_wanted(
    qtbot: Any, make: Make, auto: bool
) -> None:
    camera, pages = FakeCamera(still=True), []
    view = make(lambda: camera)
    view.taken.connect(pages.append)
    view.auto = auto
    view.start()
    qtbot.waitUntil(lambda: color_at(view) == QColor("white"))
    qtbot.waitUntil(lambda: len(pages) == int(auto))
    assert camera.shots == int(auto)


def test_a_fault_is_said_with_its_code_and_can_be_tried_again(qtbot: Any, make: Make) -> None:
    camera = FakeCamera(error=DeviceError("DEV-202", "高拍仪断开了。", fix="请插好后再试。"))
    found: list[Camera] = []

    def find() -> Camera:
        if not found:
            found.append(camera)
            raise DeviceError("DEV-208", "这台电脑没有设置高拍仪。")
        return camera

    view = make(find)
    view.start()
    assert "DEV-208" in view.banner.text() or "没有设置高拍仪" in view.banner.text()
    assert not view.running
    view.banner.acted.emit()
    assert view.running
    view.shoot()
    qtbot.waitUntil(lambda: "断开" in view.banner.text())
    assert view.shoot_button.isEnabled()


def test_leaving_lets_the_camera_go(qtbot: Any, make: Make) -> None:
    camera = FakeCamera()
    view = make(lambda: camera)
    view.start()
    view.stop()
    qtbot.waitUntil(camera.ended.is_set)
    assert not view.running
