"""材料: what was handed in, page by page; the pictures come from here or from the server when they are looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent, QIcon, QImage, QKeyEvent, QPixmap, QResizeEvent, QTransform
from PySide6.QtWidgets import QDialog, QHBoxLayout, QScrollArea, QStackedWidget, QToolButton, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.kernel.ports import Blobs
from client.widgets.basics import Button, Label, StateLabel, StatePane
from client.widgets.flow import flowing
from client.widgets.pages import PageWork
from client.widgets.printing import render_page
from client.widgets.theme import set_role, theme
from modules.acceptance.domain.cases import PAPER, open_gaps, paper_at
from modules.common.aggregate import Doc
from modules.common.errors import GovDeskError
from modules.common.text import tr

SHOWN = 6
"""Thumbnails of a material; of more pages only the number is said, so that 200 of them cost nothing."""
THUMBNAIL = 160
LARGEST = 2600
"""Pixels of a page's longer side that are kept: more than a screen shows at twice the zoom."""
ZOOMS = (1.0, 1.25, 1.5, 2.0, 3.0, 4.0)
NOT_HERE = "DATA-030"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a material: ``number`` of ``count``, and the picture's reference."""

    material: str
    number: int
    count: int
    ref: Mapping[str, Any]

    def title(self) -> str:
        return tr("{name} 第 {n} 页（共 {count} 页）", name=self.material, n=self.number, count=self.count)


def pages_of(case: Doc) -> list[Page]:
    """All pages of a case that have a picture, in the order of its materials."""
    found = []
    for material in case["materials"]:
        images = material.get("images", [])
        found += [Page(material["name"], place, len(images), ref) for place, ref in enumerate(images, 1)]
    return found


def picture(blobs: Blobs, ref: Mapping[str, Any], longest: int) -> QImage:
    """A page as a picture, its longer side at most ``longest`` pixels; on lane ``net``.

    Raises ``GovDeskError``: DATA-030 not arrived yet, NET-…, ACC-370 for what is no picture.
    """
    data = blobs.get(str(ref["sha256"]))
    image = render_page(data, 150) if ref.get("type") == "application/pdf" else QImage.fromData(data)
    if image.isNull():
        raise GovDeskError("ACC-370", tr("这一页不是完好的图片。"), fix=tr("请重新扫描。"))
    if max(image.width(), image.height()) > longest:
        ways = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        image = image.scaled(longest, longest, *ways)
    return image


def why_not_shown(error: BaseException) -> tuple[str, str]:
    """Icon and sentence for a page that cannot be shown."""
    if isinstance(error, GovDeskError) and error.code == NOT_HERE:
        return "clock", tr("这一页尚未传到：拍它的电脑还没有把它传上来，传到后即可查看。")
    if isinstance(error, GovDeskError) and error.code.startswith("NET-"):
        return "wifi-off", tr("现在没有连接服务器，这一页不在本机，连上后即可查看。")
    return "octagon-alert", error.words() if isinstance(error, GovDeskError) else str(error)


class PageViewer(QDialog):
    """Pages one after the other: ← → turn, + − zoom, R rotates the view (never the page), Home and End, Esc leaves."""

    def __init__(self, host: Host, pages: Sequence[Page], at: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._work = PageWork(host)
        self._blobs: Blobs = host.service(Blobs)  # type: ignore[type-abstract]
        self._pages = list(pages)
        self.place = min(max(at, 0), len(self._pages) - 1)
        self.zoom = ZOOMS[0]
        self.turned = 0
        self._image = QImage()
        self.setWindowTitle(tr("查看材料"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        set_role(self, "page")
        self.title = Label("", "heading", wrap=True)
        self.back = Button(tr("上一页"), icon="arrow-left")
        self.next = Button(tr("下一页"), icon="chevron-right")
        self.smaller = Button(tr("缩小"), icon="zoom-out")
        self.larger = Button(tr("放大"), icon="zoom-in")
        self.rotate = Button(tr("旋转"), icon="rotate-cw")
        self.again = Button(tr("再试一次"), icon="refresh-cw")
        self.close_button = Button(tr("关闭"))
        self.sheet = Label()
        self.sheet.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.area.setWidget(self.sheet)
        self.pane = StatePane()
        self._stack = QStackedWidget()
        self._stack.addWidget(self.area)
        self._stack.addWidget(self.pane)
        tools = QHBoxLayout()
        for button in (self.back, self.next, self.smaller, self.larger, self.rotate, self.again):
            tools.addWidget(button)
        tools.addStretch(1)
        tools.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(theme().space(4),) * 4)
        column.setSpacing(theme().space(2))
        column.addWidget(self.title)
        column.addWidget(self._stack, 1)
        column.addLayout(tools)
        self.resize(theme().text_width(64), theme().text_width(50))
        self.back.clicked.connect(partial(self.turn, -1))
        self.next.clicked.connect(partial(self.turn, 1))
        self.smaller.clicked.connect(partial(self._zoom, -1))
        self.larger.clicked.connect(partial(self._zoom, 1))
        self.rotate.clicked.connect(self._rotate)
        self.again.clicked.connect(self._load)
        self.close_button.clicked.connect(self.accept)
        self.finished.connect(self._work.close)
        self.area.installEventFilter(self)
        self._load()
        self.area.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def shows(self) -> bool:
        """Whether a page can be seen, and not a sentence instead."""
        return self._stack.currentWidget() is self.area

    @Slot()
    def turn(self, by: int) -> None:
        """To another page; nothing happens at either end."""
        wanted = self.place + by
        if 0 <= wanted < len(self._pages):
            self.place, self.turned, self.zoom = wanted, 0, ZOOMS[0]
            self._load()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # the area would take them for itself; an enlarged page is moved by the arrows
        if watched is self.area and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            sideways = event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right)
            if not (sideways and self.zoom > ZOOMS[0]):
                return self._pressed(Qt.Key(event.key()))
        return super().eventFilter(watched, event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if not self._pressed(Qt.Key(event.key())):
            super().keyPressEvent(event)

    def _pressed(self, key: Qt.Key) -> bool:
        ends = {Qt.Key.Key_Home: -self.place, Qt.Key.Key_End: len(self._pages) - 1 - self.place}
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_PageUp: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_PageDown: 1, **ends}
        zooms = {Qt.Key.Key_Plus: 1, Qt.Key.Key_Equal: 1, Qt.Key.Key_Minus: -1}
        if key in steps:
            self.turn(steps[key])
        elif key in zooms:
            self._zoom(zooms[key])
        elif key == Qt.Key.Key_R:
            self._rotate()
        else:
            return False
        return True

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._draw()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._work.close()
        super().closeEvent(event)

    @Slot()
    def _load(self) -> None:
        page = self._pages[self.place]
        self._image = QImage()
        self.title.setText(page.title())
        self.back.setEnabled(self.place > 0)
        self.next.setEnabled(self.place < len(self._pages) - 1)
        self.again.hide()
        self._say("clock", tr("正在读取…"), busy=True)
        place, blobs = self.place, self._blobs

        def come(image: QImage) -> None:
            if place == self.place:
                self._image = image
                self.area.setAccessibleName(page.title())
                self._stack.setCurrentWidget(self.area)
                self._draw()

        def fail(error: BaseException) -> None:
            if place == self.place:
                self._say(*why_not_shown(error))
                self.again.show()

        self._work.run("net", lambda token: picture(blobs, page.ref, LARGEST), done=come, failed=fail)

    def _say(self, icon: str, text: str, *, busy: bool = False) -> None:
        self.pane.say(icon, text, busy=busy)
        self._stack.setCurrentWidget(self.pane)
        for button in (self.smaller, self.larger, self.rotate):
            button.setEnabled(False)

    @Slot()
    def _zoom(self, by: int) -> None:
        self.zoom = ZOOMS[min(max(ZOOMS.index(self.zoom) + by, 0), len(ZOOMS) - 1)]
        self._draw()

    @Slot()
    def _rotate(self) -> None:
        self.turned = (self.turned + 90) % 360
        self._draw()

    def _draw(self) -> None:
        if self._image.isNull():
            return
        image = self._image.transformed(QTransform().rotate(self.turned)) if self.turned else self._image
        room = self.area.size() - QSize(theme().space(2), theme().space(2))
        ratio = self.devicePixelRatioF()
        size = image.size().scaled(room * ratio, Qt.AspectRatioMode.KeepAspectRatio) * self.zoom
        image = image.scaled(size, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
        image.setDevicePixelRatio(ratio)
        self.sheet.setPixmap(QPixmap.fromImage(image))
        self.rotate.setEnabled(True)
        self.smaller.setEnabled(self.zoom > ZOOMS[0])
        self.larger.setEnabled(self.zoom < ZOOMS[-1])


class MaterialsTab(QScrollArea):
    """The list of materials with the first pages of each. ``opened`` brings the place of a page among all pages."""

    opened = Signal(int)

    def __init__(self, host: Host, work: PageWork) -> None:
        super().__init__()
        self._work = work
        self._host = host
        self._shown: Any = None
        self._thumbs: dict[str, list[QToolButton]] = {}
        self._pictures: dict[str, QImage] = {}
        self.pages: list[Page] = []
        self.setAccessibleName(tr("材料"))
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_case(self, case: Doc) -> None:
        """Show a case's materials; pictures are asked for by ``fetch``."""
        key = [case["id"], case["materials"], case["handovers"], case["provisional"], theme().zoom]
        if key == self._shown:
            return
        if self._shown is None or self._shown[0] != case["id"]:
            self._pictures.clear()
        self._shown = key
        self._thumbs.clear()
        self.pages = pages_of(case)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, theme().space(3), theme().space(2), theme().space(3))
        column.setSpacing(theme().space(2))
        first = 0
        for number, material in enumerate(case["materials"], 1):
            name = Label(f"{number}  {material['name']} · {self._words(case, material)}", wrap=True, selectable=True)
            column.addWidget(name)
            images = material.get("images", [])
            if images:
                column.addWidget(flowing(*self._strip(material["name"], images, first)))
            first += len(images)
        for gap in open_gaps(case):
            words = tr("{name}：容缺，{by} 前补交", name=gap["name"], by=gap["by"])
            column.addWidget(StateLabel("due", words))
        if not case["materials"]:
            column.addWidget(Label(tr("没有登记材料。"), "quiet"))
        column.addStretch(1)
        self.setWidget(body)

    def fetch(self) -> None:
        """Get the pictures of the thumbnails that are shown and not there yet."""
        blobs: Blobs = self._host.service(Blobs)  # type: ignore[type-abstract]
        refs = {str(page.ref["sha256"]): page.ref for page in self.pages}
        for sha256 in self._thumbs:
            if sha256 not in self._pictures:
                self._pictures[sha256] = QImage()
                self._work.run(
                    "net",
                    partial(_thumbnail, blobs, refs[sha256]),
                    done=partial(self._come, sha256),
                    failed=partial(self._missing, sha256),
                )

    def _words(self, case: Doc, material: Doc) -> str:
        kind = tr("纸质") if material["kind"] == PAPER else tr("电子")
        words = [kind, tr("{n} 页", n=material["pages"])]
        if material.get("verified"):
            words.append(tr("已核验"))
        if material["kind"] == PAPER and case["handovers"]:
            place = paper_at(case, material["id"])
            where = {"hall": tr("在大厅"), "department": tr("在部门"), "way": tr("移交途中")}
            words.append(where.get(place, ""))
        return " · ".join(filter(None, words))

    def _strip(self, name: str, images: Sequence[Mapping[str, Any]], first: int) -> list[QWidget]:
        strip: list[QWidget] = []
        for place, image in enumerate(images[:SHOWN]):
            thumb = QToolButton()
            side = theme().size("target") * 3
            thumb.setIconSize(QSize(side, side))
            thumb.setAccessibleName(tr("{name} 第 {n} 页", name=name, n=place + 1))
            thumb.setToolTip(thumb.accessibleName())
            thumb.clicked.connect(partial(self.opened.emit, first + place))
            self._thumbs.setdefault(str(image["sha256"]), []).append(thumb)
            self._show_thumb(str(image["sha256"]))
            strip.append(thumb)
        if len(images) > SHOWN:
            more = Button(tr("共 {n} 页", n=len(images)))
            more.setAccessibleName(tr("{name} 共 {n} 页", name=name, n=len(images)))
            more.clicked.connect(partial(self.opened.emit, first + SHOWN))
            strip.append(more)
        return strip

    def _come(self, sha256: str, image: QImage) -> None:
        self._pictures[sha256] = image
        self._show_thumb(sha256)

    def _missing(self, sha256: str, error: BaseException) -> None:
        self._pictures.pop(sha256, None)  # asked for again when the tab is
        icon, words = why_not_shown(error)
        short = {"clock": tr("尚未传到"), "wifi-off": tr("离线")}.get(icon, tr("读不出"))
        for thumb in self._thumbs.get(sha256, ()):
            thumb.setIcon(theme().icon(icon, "quiet"))
            thumb.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            thumb.setText(short)
            thumb.setToolTip(words)
            thumb.setAccessibleDescription(words)

    def _show_thumb(self, sha256: str) -> None:
        image = self._pictures.get(sha256)
        for thumb in self._thumbs.get(sha256, ()):
            if image is None or image.isNull():
                thumb.setIcon(theme().icon("image", "quiet"))
            else:
                thumb.setIcon(QIcon(QPixmap.fromImage(image)))
                thumb.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
                thumb.setAccessibleDescription("")


def _thumbnail(blobs: Blobs, ref: Mapping[str, Any], token: object) -> QImage:
    return picture(blobs, ref, THUMBNAIL)
