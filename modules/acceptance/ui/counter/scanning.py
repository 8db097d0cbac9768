"""Scanning the materials of a case, one after the other, without leaving the keyboard. Requirement C12."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QBuffer, QByteArray, QEvent, QIODevice, QObject, Qt, Signal, Slot
from PySide6.QtGui import QImage, QImageReader, QImageWriter, QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Host, Lanes
from client.kernel.ports import Blobs
from client.kernel.settings import Settings
from client.widgets.basics import Button, Card, Label
from client.widgets.capture import CaptureView
from client.widgets.theme import theme
from devices.ports import Camera, Page
from modules.acceptance.ui.counter.materials import MaterialsView
from modules.acceptance.ui.work import PageWork
from modules.common.text import tr

AUTO = "acceptance.auto_shot"
THUMBNAIL = 160
"""Pixels of a thumbnail's width: enough for a screen at 150 %."""


class ScanDialog(QDialog):
    """The camera at the left, the materials at the right. ``page`` brings a material's id and a ``Page``.

    Space photographs and goes on to the next material without pages, Shift+Space photographs one more page of the
    same; ↑↓ choose a material, Delete takes its last page back. Esc ends: once what was photographed is kept, or at
    once when it is pressed again. With ``auto`` a page that lies still is photographed by itself. The dialog changes
    ``materials`` in no other way than through ``page`` and ``taken_back``.
    """

    page = Signal(str, object)
    taken_back = Signal(str)
    auto_changed = Signal(bool)

    def __init__(
        self,
        lanes: Lanes,
        find_camera: Callable[[], Camera],
        materials: MaterialsView,
        *,
        first: str = "",
        auto: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("扫描材料"))
        self._materials = materials
        self._stay = False
        self._sent: set[str] = set()
        self._keeping = 0
        self._ending: int | None = None
        self.camera = CaptureView(lanes, find_camera)
        self.camera.shoot_button.set_label(tr("拍摄（空格）"))
        self.camera.shoot_button.setAccessibleName(tr("拍摄"))
        self.list = QListWidget()
        self.list.setAccessibleName(tr("要扫描的材料"))
        self.points = Label("", wrap=True)
        self.auto = QCheckBox(tr("放稳自动拍"))
        self.auto.setChecked(auto)
        self.more = Button(tr("同一材料再拍一页"), icon="plus")
        self.back = Button(tr("撤回上一页"), icon="undo-2")
        self.file = Button(tr("从文件添加…"), icon="folder")
        self.finish = Button(tr("完成"))
        for row in materials.rows():
            entry = QListWidgetItem()
            entry.setData(Qt.ItemDataRole.UserRole, row.id)
            self.list.addItem(entry)
        side = Card(tr("材料"))
        side.body.addWidget(self.list, 2)
        side.body.addWidget(self.points, 1)
        side.body.addWidget(self.auto)
        for button in (self.more, self.back, self.file, self.finish):
            side.body.addWidget(button)
        row_ = QHBoxLayout()
        row_.addWidget(self.camera, 3)
        row_.addWidget(side, 2)
        keys = tr("空格 拍摄并转到下一种 · Shift+空格 同一材料再拍一页 · ↑↓ 选材料 · Delete 撤回 · Esc 完成")
        column = QVBoxLayout(self)
        column.setSpacing(theme().space(2))
        column.addLayout(row_, 1)
        column.addWidget(Label(keys, "small"))
        self.resize(theme().text_width(72), theme().text_width(46))
        self.camera.taken.connect(self._taken)
        self.camera.settled.connect(self._settled)
        self.list.currentItemChanged.connect(self._show_points)
        self.auto.toggled.connect(self._set_auto)
        self.more.clicked.connect(partial(self._shoot, True))
        self.back.clicked.connect(self._take_back)
        self.file.clicked.connect(self._choose_files)
        self.finish.clicked.connect(self.accept)
        self.list.installEventFilter(self)
        self._show_counts()
        self.choose(first or materials.next_to_scan())
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)
        self.camera.auto = auto
        self.camera.start()

    @property
    def current(self) -> str:
        """The id of the material that the next page belongs to."""
        entry = self.list.currentItem()
        return str(entry.data(Qt.ItemDataRole.UserRole)) if entry else ""

    def choose(self, id: str) -> None:
        """Go to a material; to the first for an unknown one."""
        for place in range(self.list.count()):
            if self.list.item(place).data(Qt.ItemDataRole.UserRole) == id:
                self.list.setCurrentRow(place)
                return
        if self.list.currentRow() < 0:
            self.list.setCurrentRow(0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # the list would take the space for itself
        if watched is self.list and event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
                self._shoot(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
                return True
            if event.key() == Qt.Key.Key_Delete:
                self._take_back()
                return True
        return super().eventFilter(watched, event)

    def done(self, result: int) -> None:
        if self._ending is None and (self.camera.shooting or self._keeping):
            self._ending = result
            return
        self.camera.stop()
        super().done(result)

    @Slot(bool)
    def _settled(self, took: bool) -> None:
        if not took:
            self._ending = None  # somebody has to look at it first
        self._end()

    def _end(self) -> None:
        if self._ending is not None and not (self.camera.shooting or self._keeping):
            self.done(self._ending)

    def keeping(self) -> None:
        """A page is on its way into the store; ``kept`` follows."""
        self._keeping += 1

    def kept(self) -> None:
        """A page has arrived, or could not be kept: say how many pages each material has."""
        self._keeping -= 1
        self._show_counts()
        self._end()

    @Slot()
    def _choose_files(self) -> None:
        """Pictures that are there already: without a camera, or brought by the citizen."""
        chosen, _ = QFileDialog.getOpenFileNames(self, tr("选择图片"), "", tr("图片 (*.jpg *.jpeg *.png)"))
        for path in chosen:
            self.add_file(path)

    def add_file(self, path: str) -> None:
        """One picture as a page of the chosen material; what is no picture is said."""
        image = QImage(path)
        if image.isNull():
            self.camera.banner.say(tr("“{name}”不是能读取的图片。", name=Path(path).name), "red", code="ACC-357")
            return
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        writer = QImageWriter(buffer, QByteArray(b"jpeg"))
        writer.setQuality(85)
        writer.write(image)
        self._stay = True
        self._taken(Page(bytes(buffer.data().data()), image.width(), image.height()))

    @Slot(bool)
    def _shoot(self, stay: bool) -> None:
        self._stay = stay
        self.camera.shoot()

    @Slot(object)
    def _taken(self, page: Page) -> None:
        id = self.current
        if not id:
            return
        self.page.emit(id, page)
        self._sent.add(id)  # it is still being kept: the next one is looked for as if it were there
        stay, self._stay = self._stay, False
        if not stay and (following := self._materials.next_to_scan(id, self._sent)):
            self.choose(following)
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _take_back(self) -> None:
        self._sent.discard(self.current)
        self.taken_back.emit(self.current)
        self._show_counts()

    @Slot(bool)
    def _set_auto(self, auto: bool) -> None:
        self.camera.auto = auto
        self.auto_changed.emit(auto)

    def _show_counts(self) -> None:
        for place, row in enumerate(self._materials.rows()):
            name, count = str(row.material["name"]), len(row.images)
            words = tr("{n} 页", n=count) if count else tr("必收") if row.material["required"] else tr("有则收")
            entry = self.list.item(place)
            entry.setText(f"{name}\n{words}")
            entry.setIcon(theme().icon("circle-check" if count else "dot", "good" if count else "quiet"))
            entry.setData(Qt.ItemDataRole.AccessibleTextRole, f"{name} {words}")
        self.back.setEnabled(any(row.images for row in self._materials.rows()))

    @Slot()
    def _show_points(self) -> None:
        if self.current:
            material = self._materials.row(self.current).material
            self.points.setText("\n".join([str(material.get("note", "")), *(f"· {p}" for p in material["review"])]))


class Scanner(QObject):
    """Brings pages from the camera into the materials: each is kept in the store before it counts.

    ``failed`` brings what went wrong; the page is then not among the materials, and the clerk photographs it again.
    """

    failed = Signal(object)

    def __init__(self, host: Host, work: PageWork, parent: QWidget) -> None:
        super().__init__(parent)
        self._host = host
        self._work = work
        self._parent = parent
        self._memory = host.service(Settings)
        self.dialog: ScanDialog | None = None

    def scan(self, materials: MaterialsView, first: str = "") -> None:
        """Open the dialog for ``materials``, at the material ``first`` where one is named."""
        if self.dialog is not None:
            return
        auto = self._memory.recall(AUTO) is True
        dialog = ScanDialog(self._host, self._camera, materials, first=first, auto=auto, parent=self._parent)
        dialog.page.connect(partial(self._keep, materials))
        dialog.taken_back.connect(partial(self._take_back, materials))
        dialog.auto_changed.connect(partial(self._memory.remember, AUTO))
        dialog.finished.connect(self._ended)
        self.dialog = dialog
        dialog.open()

    def load(self, materials: MaterialsView) -> None:
        """Bring the thumbnails of pages that were photographed before."""
        for row in materials.rows():
            for sha256 in row.pictures_wanted():
                self._work.run("net", partial(self._picture, sha256), done=partial(row.show_picture, sha256),
                               failed=self._no_picture)  # fmt: skip

    def _camera(self) -> Camera:
        return self._host.service(Camera)  # type: ignore[type-abstract]

    def _picture(self, sha256: str, _token: object) -> QImage:
        return thumbnail(self._host.service(Blobs).get(sha256))  # type: ignore[type-abstract]

    def _no_picture(self, error: BaseException) -> None:
        self.failed.emit(error)

    def _keep(self, materials: MaterialsView, id: str, page: Page) -> None:
        dialog = self.dialog
        if dialog is not None:
            dialog.keeping()

        def keep(_token: object) -> tuple[Mapping[str, Any], QImage]:
            blob = self._host.service(Blobs).put(page.jpeg, "image/jpeg")  # type: ignore[type-abstract]
            return blob.to_doc(), thumbnail(page.jpeg)

        def kept(found: tuple[Mapping[str, Any], QImage]) -> None:
            materials.row(id).add_page(*found)
            if dialog is not None and dialog is self.dialog:
                dialog.kept()

        def failed(error: BaseException) -> None:
            self.failed.emit(error)
            if dialog is not None and dialog is self.dialog:
                dialog.kept()

        self._work.run("data", keep, done=kept, failed=failed)

    def _take_back(self, materials: MaterialsView, id: str) -> None:
        row = materials.row(id)
        row.remove_page(len(row.images) - 1)

    def close(self) -> None:
        """End at once: the page of the counter goes."""
        if self.dialog is not None:
            self.dialog.reject()
        if self.dialog is not None:
            self.dialog.reject()

    @Slot()
    def _ended(self) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.deleteLater()


def thumbnail(data: bytes) -> QImage:
    """A small picture of an image file, read small in the first place; a null one of what is no picture."""
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setScaledSize(reader.size().scaled(THUMBNAIL, 4 * THUMBNAIL, Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()
