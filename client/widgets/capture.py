"""Pages under a document camera (高拍仪): what it sees, one key to photograph it, corners to correct. C12.

The camera is a blocking port: its calls run on lane ``net`` and its frames come through ``GuiThread``. Of frames
that come faster than the window paints only the newest is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFocusEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QStackedWidget, QVBoxLayout, QWidget

from client.kernel.contract import Lanes, Token
from client.widgets.basics import Banner, BusyMark, Button, Label, PrimaryButton
from client.widgets.gui_thread import GuiThread
from client.widgets.theme import theme
from devices.ports import Camera, Corners, Frame, Page, Photo
from modules.common.errors import GovDeskError
from modules.common.text import tr

T = TypeVar("T")
_NEAR = 24
"""Pixels at 100 % within which a corner is taken hold of."""


class Picture(QWidget):
    """A picture as large as it fits, and the corners of the page in it."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = QImage()
        self._corners: list[QPointF] = []
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def sizeHint(self) -> QSize:
        return QSize(theme().text_width(36), theme().text_width(27))

    def minimumSizeHint(self) -> QSize:
        return QSize(theme().text_width(14), theme().text_width(10))

    def show_image(self, image: QImage, corners: Corners | None = None) -> None:
        """Show ``image``; ``corners`` are in parts of its width and height."""
        self._image = image
        self._corners = [QPointF(x, y) for x, y in corners] if corners else []
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._image, self._corners = QImage(), []
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme().color("raised"))
        if not self._image.isNull():
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(self._place(), self._image)
        if self._corners:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme().color("accent"), 2 * theme().zoom))
            painter.drawPolygon(QPolygonF([self._to_widget(corner) for corner in self._corners]))
        self._paint_more(painter)
        painter.end()

    def _paint_more(self, painter: QPainter) -> None:
        """Room for what a kind of picture draws on top."""

    def _place(self) -> QRectF:
        size = QSize(self._image.size()).scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        return QRectF(left, top, size.width(), size.height())

    def _to_widget(self, corner: QPointF) -> QPointF:
        place = self._place()
        return QPointF(place.left() + corner.x() * place.width(), place.top() + corner.y() * place.height())


class CornerEditor(Picture):
    """Lets a person draw the page's corners: by mouse; or Tab chooses one, arrows move it, with Shift far."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("校正页角"), parent)
        self._held = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleDescription(tr("Tab 换角，方向键移动，按住 Shift 移动得更快，回车采用"))

    accepted = Signal()

    def corners(self) -> Corners:
        """The corners as they are drawn now, clockwise from the upper left."""
        first, second, third, fourth = ((corner.x(), corner.y()) for corner in self._corners)
        return first, second, third, fourth

    def mousePressEvent(self, event: QMouseEvent) -> None:
        distances = [(self._to_widget(corner) - event.position()).manhattanLength() for corner in self._corners]
        nearest = min(range(len(distances)), key=distances.__getitem__, default=0)
        if distances and distances[nearest] <= _NEAR * theme().zoom * 2:
            self._held = nearest
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = self._place()
        if self._corners and place.width():
            at = event.position()
            self._move((at.x() - place.left()) / place.width(), (at.y() - place.top()) / place.height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, -1),
            Qt.Key.Key_Down: (0, 1),
        }
        step = steps.get(Qt.Key(event.key()))
        if step and self._corners:
            far = 0.02 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0.004
            held = self._corners[self._held]
            self._move(held.x() + step[0] * far, held.y() + step[1] * far)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.accepted.emit()
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab goes round the corners before it leaves."""
        following = self._held + (1 if next else -1)
        if self._corners and 0 <= following < len(self._corners):
            self._held = following
            self.update()
            return True
        self._held = 0 if next else len(self._corners) - 1
        return super().focusNextPrevChild(next)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def _move(self, x: float, y: float) -> None:
        self._corners[self._held] = QPointF(min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0))
        self.update()

    def _paint_more(self, painter: QPainter) -> None:
        radius = 6 * theme().zoom
        for place, corner in enumerate(self._corners):
            held = place == self._held and self.hasFocus()
            painter.setBrush(theme().color("accent" if held else "surface"))
            painter.drawEllipse(self._to_widget(corner), radius, radius)


class CaptureView(QWidget):
    """Preview, shutter, and the corrected corners where the camera is not sure. ``taken`` brings a ``Page``.

    ``find_camera`` is called at each ``start`` and may raise ``GovDeskError``; what goes wrong is said in place.
    """

    taken = Signal(object)
    settled = Signal(bool)
    """A photograph that was asked for has come to its end: as a page (after ``taken``), or somebody must look."""

    def __init__(self, lanes: Lanes, find_camera: Callable[[], Camera], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._lanes = lanes
        self._find = find_camera
        self._camera: Camera | None = None
        self._tokens: list[Token] = []
        self._gui = GuiThread()
        self._lock = Lock()
        self._newest: tuple[QImage, Frame] | None = None
        self._still = False
        self._shooting = False
        self._unsure: Photo | None = None
        self.auto = False
        self.picture = Picture(tr("高拍仪画面"))
        self.editor = CornerEditor()
        self.banner = Banner()
        self.shoot_button = PrimaryButton(tr("拍摄"), icon="camera")
        self.use = PrimaryButton(tr("采用这一页"), icon="check")
        self.again = Button(tr("重拍"))
        self._busy = BusyMark()
        self._hint = Label(tr("页边不清楚，请把四个角拖到纸角上"), "quiet")
        self._stack = QStackedWidget()
        self._stack.addWidget(self.picture)
        self._stack.addWidget(self.editor)
        foot = QHBoxLayout()
        for widget in (self._busy, self._hint):
            foot.addWidget(widget)
        foot.addStretch(1)
        for button in (self.again, self.use, self.shoot_button):
            foot.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.banner)
        column.addWidget(self._stack, 1)
        column.addLayout(foot)
        self.shoot_button.clicked.connect(self.shoot)
        self.use.clicked.connect(self._use)
        self.again.clicked.connect(self._again)
        self.editor.accepted.connect(self._use)
        self.banner.acted.connect(self.start)
        self._show_mode()

    @property
    def running(self) -> bool:
        """Whether the camera is being watched."""
        return self._camera is not None

    @property
    def shooting(self) -> bool:
        """Whether a photograph was asked for and is not there yet."""
        return self._shooting

    @Slot()
    def start(self) -> None:
        """Begin to show what the camera sees."""
        if self._camera is not None:
            return
        self.banner.clear()
        try:
            camera = self._find()
        except GovDeskError as error:
            self._failed(error)
            return
        self._camera = camera
        self._show_mode()

        def watch(token: Token) -> None:
            camera.preview(self._frame)

        self._work("dev:camera", watch, self._ended, self._failed)

    @Slot()
    def stop(self) -> None:
        """Let go of the camera; what was photographed stays. Whoever closes the page calls it first."""
        for token in self._tokens:
            token.cancel()  # nothing comes back to a page that is gone
        self._tokens.clear()
        self._shooting = False
        camera, self._camera = self._camera, None
        if camera is not None:
            # it talks to the camera's process: the window does not wait for that
            self._lanes.run("net", lambda token: camera.cancel())
        self._unsure = None
        self.picture.clear()
        self._show_mode()

    @Slot()
    def shoot(self) -> None:
        """Photograph what lies there; nothing while a photograph is being taken or corrected."""
        camera = self._camera
        if camera is None or self._shooting or self._unsure is not None:
            return
        self._shooting = True
        self._show_mode()
        self._work("net", lambda token: camera.capture(), self._shot, self._not_shot)

    def _work(
        self,
        lane: str,
        work: Callable[[Token], T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._tokens = [token for token in self._tokens if not token.finished]
        self._tokens.append(self._lanes.run(lane, work, done=done, failed=failed, name=tr("高拍仪")))

    # -- on the camera's thread

    def _frame(self, frame: Frame) -> None:
        image = QImage.fromData(frame.page.jpeg)
        with self._lock:
            waiting = self._newest is not None
            self._newest = (image, frame)
            self._still = self._still or frame.still  # a frame that says so may be overtaken by the next
        if not waiting:
            self._gui.post(self._show_newest)

    # -- on the GUI thread

    def _show_newest(self) -> None:
        with self._lock:
            newest, self._newest = self._newest, None
            still, self._still = self._still, False
        if newest is None or self._camera is None:
            return
        image, frame = newest
        self.picture.show_image(image, frame.corners)
        if still and self.auto:
            self.shoot()

    def _ended(self, _nothing: None) -> None:
        self._camera = None
        self._show_mode()

    def _failed(self, error: BaseException) -> None:
        self._camera = None
        self.picture.clear()
        self._say(error, action=tr("再试一次"))
        self._show_mode()

    def _shot(self, photo: Photo) -> None:
        self._shooting = False
        if self._camera is None:
            return
        if photo.sure:
            self.taken.emit(photo.page)
        else:
            self._unsure = photo
            self.editor.show_image(QImage.fromData(photo.frame.jpeg), photo.corners)
            self.editor.setFocus(Qt.FocusReason.OtherFocusReason)
        self._show_mode()
        self.settled.emit(photo.sure)

    def _not_shot(self, error: BaseException) -> None:
        self._shooting = False
        self._say(error)
        self._show_mode()
        self.settled.emit(False)

    @Slot()
    def _use(self) -> None:
        photo, camera = self._unsure, self._camera
        if photo is None or camera is None or self._shooting:
            return
        corners = self.editor.corners()
        self._shooting = True
        self._show_mode()
        self._work("net", lambda token: camera.crop(photo.frame, corners), self._cropped, self._not_shot)

    def _cropped(self, page: Page) -> None:
        self._shooting = False
        self._unsure = None
        self._show_mode()
        self.taken.emit(page)
        self.settled.emit(True)

    @Slot()
    def _again(self) -> None:
        self._unsure = None
        self._show_mode()

    def _say(self, error: BaseException, *, action: str = "") -> None:
        if isinstance(error, GovDeskError):
            self.banner.say(error.words(), "red", code=error.code, action=action)
        else:
            self.banner.say(tr("出错了：{error}", error=str(error)), "red", action=action)

    def _show_mode(self) -> None:
        correcting = self._unsure is not None
        self._stack.setCurrentWidget(self.editor if correcting else self.picture)
        for widget in (self._hint, self.use, self.again):
            widget.setVisible(correcting)
        self.shoot_button.setVisible(not correcting)
        self._busy.setVisible(self._shooting)
        for button in (self.shoot_button, self.use):
            button.setEnabled(self._camera is not None and not self._shooting)
