"""Where the seal goes: by numbers, by mouse and by keyboard, with a ghost of the seal over the pages."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QDoubleSpinBox, QFormLayout, QSpinBox, QWidget

from client.widgets.basics import ComboBox, LineEdit
from client.widgets.page.paper import parse_pages
from client.widgets.page.source import Box, Source
from client.widgets.page.view import PageView
from client.widgets.theme import theme
from modules.common.errors import GovDeskError
from modules.common.seals.report import Stamp
from modules.common.text import tr
from modules.fixed_layout.services.sealing import ONE, SEAM, SOME, WORDS, Place, stamps_of
from modules.fixed_layout.ui.seal_choice import SealChoice

_MOST_MM = 10_000
_MOST_PAGES = 9_999
_STEP, _LONG = 1.0, 10.0


class PlaceForm(QWidget):
    """The place in numbers and words. ``pages`` is how many there are, 0 when files differ.

    ``changed`` when it is another.
    """

    changed = Signal()

    def __init__(self, pages: int = 0) -> None:
        super().__init__()
        self._pages = pages
        self.mode = ComboBox(tr("盖章方式"))
        for mode, words in (
            (ONE, tr("盖一处")),
            (SOME, tr("多页同一位置")),
            (SEAM, tr("骑缝章")),
            (WORDS, tr("按关键字")),
        ):
            self.mode.addItem(words, mode)
        self.page = QSpinBox()
        self.page.setAccessibleName(tr("第几页"))
        self.page.setRange(1 if pages else 0, pages or _MOST_PAGES)
        if not pages:
            self.page.setSpecialValueText(tr("最后一页"))
        self.across = _millimetres(tr("中心距左边（毫米）"))
        self.down = _millimetres(tr("中心距上边（毫米）"))
        self.pages = LineEdit(tr("盖哪些页"))
        self.pages.setPlaceholderText(tr("全部，或如 1-3,5"))
        self.edge = ComboBox(tr("骑缝在哪边"))
        self.edge.addItem(tr("右侧"), "right")
        self.edge.addItem(tr("左侧"), "left")
        self.words = LineEdit(tr("关键字"))
        self.words.setPlaceholderText(tr("如：（盖章）"))
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setSpacing(theme().space(2))
        self._form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self._rows = (
            (tr("盖章方式"), self.mode, (ONE, SOME, SEAM, WORDS)),
            (tr("第几页"), self.page, (ONE,)),
            (tr("盖哪些页"), self.pages, (SOME, SEAM, WORDS)),
            (tr("骑缝在哪边"), self.edge, (SEAM,)),
            (tr("关键字"), self.words, (WORDS,)),
            (tr("距左边（毫米）"), self.across, (ONE, SOME)),
            (tr("距上边（毫米）"), self.down, (ONE, SOME, SEAM)),
        )
        for words, widget, _ in self._rows:
            self._form.addRow(words, widget)
        self.mode.currentIndexChanged.connect(self._mode_changed)
        for box in (self.page, self.across, self.down):
            box.valueChanged.connect(self.changed)
        self.pages.textChanged.connect(self.changed)
        self.words.textChanged.connect(self.changed)
        self.edge.currentIndexChanged.connect(self.changed)
        self._mode_changed()

    @Slot()
    def _mode_changed(self) -> None:
        mode = self.mode.currentData()
        for _, widget, modes in self._rows:
            self._form.setRowVisible(widget, mode in modes)
        self.changed.emit()

    def put(self, page: int, x: float, y: float) -> None:
        """Go to a place of a page (its index), in millimetres."""
        self.blockSignals(True)
        self.page.setValue(page + 1)
        self.across.setValue(round(x, 1))
        self.down.setValue(round(y, 1))
        self.blockSignals(False)
        self.changed.emit()

    def place(self) -> Place:
        """The place. Raises ``ValueError`` with a sentence when it is none."""
        mode = str(self.mode.currentData())
        count = self._pages or _MOST_PAGES
        some = mode != ONE and self.pages.text().strip()
        try:
            pages = parse_pages(self.pages.text(), count) if some else ()
        except ValueError as error:
            raise ValueError(tr("页码要写成 1-3,5 这样，在 1 到 {n} 之间。", n=count)) from error
        if mode == WORDS and not self.words.text().strip():
            raise ValueError(tr("请填写关键字。"))
        page = self.page.value() - 1
        return Place(
            mode,
            page,
            self.across.value(),
            self.down.value(),
            pages,
            str(self.edge.currentData()),
            self.words.text().strip(),
        )


def _millimetres(name: str) -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setAccessibleName(name)
    spin.setRange(0, _MOST_MM)
    spin.setDecimals(1)
    spin.setSingleStep(_STEP)
    return spin


class Ghost(QObject):
    """The seal that will be, over the pages: dragged by the mouse, moved by the arrow keys while the page has them.

    The true seal is never drawn, only what the screen may show of it. ``left`` on Esc, ``settled`` on Enter.
    """

    left = Signal()
    settled = Signal()

    def __init__(self, view: PageView, form: PlaceForm, choice: SealChoice) -> None:
        super().__init__(view)
        self._view, self._form, self._choice = view, form, choice
        self._stamps: dict[int, list[Stamp]] = {}
        self._dragged = False
        self.active = False
        view.overlays.append(self.paint)
        view.installEventFilter(self)
        view.viewport().installEventFilter(self)
        form.changed.connect(self.refresh)
        choice.changed.connect(self.refresh)

    def set_active(self, active: bool) -> None:
        """Whether mouse and keys move the seal."""
        self.active = active
        if active:
            self._view.set_tool("select")
            self._view.viewport().setCursor(Qt.CursorShape.CrossCursor)
        else:
            self._view.viewport().unsetCursor()
        self.refresh()

    @property
    def pages(self) -> list[int]:
        """The pages on which the ghost can be seen."""
        return sorted(self._stamps)

    @Slot()
    def refresh(self) -> None:
        """Show it where it is wanted now; nowhere while no seal is open or the place is none, or is looked for."""
        self._stamps = {}
        held, source = self._choice.held, self._view.source
        if self.active and held is not None and source is not None:
            try:
                place = self._form.place()
                found = list(stamps_of(source, held.seal, place, _NOW)) if place.mode != WORDS else []
            except (ValueError, GovDeskError):
                found = []
            for stamp in found:
                self._stamps.setdefault(stamp.page, []).append(stamp)
        self._view.viewport().update()

    def paint(self, painter: QPainter, page: int) -> None:
        """An overlay, in millimetres of the page."""
        glass = self._choice.glass
        for stamp in self._stamps.get(page, ()):
            whole = QRectF(*stamp.boundary)
            shown = QRectF(*stamp.clip).translated(whole.topLeft()) if stamp.clip else whole
            painter.save()
            painter.setClipRect(shown, Qt.ClipOperation.IntersectClip)
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            if not glass.isNull():
                painter.setOpacity(0.6)
                painter.drawImage(whole, glass)
                painter.setOpacity(1)
            painter.restore()
            pen = QPen(theme().color("accent"))
            pen.setCosmetic(True)
            pen.setWidth(2)
            pen.setStyle(Qt.PenStyle.DashLine)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(shown)

    # -- mouse and keys ----------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not self.active or self._choice.held is None:
            return False
        if isinstance(event, QMouseEvent) and watched is self._view.viewport():
            return self._mouse(event)
        if isinstance(event, QKeyEvent) and watched is self._view:
            act = self._key(event)
            if act is not None and event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if act is not None and event.type() == QEvent.Type.KeyPress:
                act()
                return True
        return False

    def _mouse(self, event: QMouseEvent) -> bool:
        if self._form.mode.currentData() == WORDS:
            return False
        if event.type() == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
            self._view.setFocus()
            self._dragged = True
            self._drag_to(event.position())
            return True
        if event.type() == QEvent.Type.MouseMove:
            if self._dragged:
                self._drag_to(event.position())
            return True
        if event.type() == QEvent.Type.MouseButtonRelease and self._dragged:
            self._dragged = False
            return True
        return False

    def _drag_to(self, at: QPointF) -> None:
        spot = self._view.spot(at)
        if spot is not None:
            self._form.put(spot.page, *self._inside(spot.page, spot.x, spot.y))

    def _key(self, event: QKeyEvent) -> Callable[[], None] | None:
        step = _LONG if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else _STEP
        if event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier):
            return None
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Escape:
            return self.left.emit
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            return self.settled.emit
        if self._form.mode.currentData() == WORDS:
            return None
        moves = {
            Qt.Key.Key_Left: (0, -step, 0.0),
            Qt.Key.Key_Right: (0, step, 0.0),
            Qt.Key.Key_Up: (0, 0.0, -step),
            Qt.Key.Key_Down: (0, 0.0, step),
            Qt.Key.Key_PageUp: (-1, 0.0, 0.0),
            Qt.Key.Key_PageDown: (1, 0.0, 0.0),
        }
        return (lambda: self._move(*moves[key])) if key in moves else None

    def _move(self, pages: int, across: float, down: float) -> None:
        form = self._form
        page = min(max(form.page.value() - 1 + pages, 0), self._view.pages - 1)
        x, y = self._inside(page, form.across.value() + across, form.down.value() + down)
        form.put(page, x, y)
        self.reveal()

    def reveal(self) -> None:
        """Scroll to where the seal stands."""
        held = self._choice.held
        if held is not None:
            wide, high = float(held.seal.picture.width), float(held.seal.picture.height)
            x, y = self._form.across.value(), self._form.down.value()
            self._view.reveal(self._form.page.value() - 1, Box(x - wide / 2, y - high / 2, wide, high))

    def _inside(self, page: int, x: float, y: float) -> tuple[float, float]:
        """The place nearest to one where the whole seal is on the paper."""
        held, source = self._choice.held, self._view.source
        if held is None or source is None:
            return x, y
        paper, picture = source.size(page), held.seal.picture
        half = float(picture.width) / 2, float(picture.height) / 2
        across = min(max(x, half[0]), max(paper.width - half[0], half[0]))
        return across, min(max(y, half[1]), max(paper.height - half[1], half[1]))


class _Now:
    """Steps of work that nobody waits for."""

    def check(self) -> None: ...

    def progress(self, share: float, text: str = "") -> None: ...


_NOW = _Now()


def start_at(source: Source) -> tuple[int, float, float]:
    """Where a seal stands at first: at the foot of the last page, right."""
    last = source.pages - 1
    paper = source.size(last)
    return last, paper.width * 0.72, paper.height * 0.8
