"""Two documents side by side, their differences marked and listed: of the text, and of what can be seen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from PySide6.QtCore import QRect, QRectF, QSignalBlocker, Qt, Slot
from PySide6.QtGui import QImage, QPainter, QPen
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from client.kernel.contract import Host, Token
from client.widgets.basics import Banner, Button, Label, ProgressPane
from client.widgets.page.source import Box, Source
from client.widgets.page.veil import Veil
from client.widgets.page.view import PageView, Position
from client.widgets.pages import PageWork
from client.widgets.theme import theme
from modules.common.errors import GovDeskError
from modules.common.text import tr
from modules.fixed_layout.domain import Change, Passage, differences
from modules.fixed_layout.ui.panels import EntryList

if TYPE_CHECKING:
    from modules.fixed_layout.ui.document import DocumentPane

SCALE = 3.0
"""Pixels per millimetre at which pages are compared by eye."""
CELL = 3.0
"""Millimetres of the squares that differ or do not."""
_TOLERANCE = 48
_LEAST = 3
"""Pixels of a square that must differ."""
MOST = 1_000
_LONGEST = 60


class Seen(NamedTuple):
    """A part of a page that looks different; ``page`` is the same number on both sides."""

    page: int
    box: Box


class Found(NamedTuple):
    """All differences, and the boxes of each change of the text on either side."""

    changes: list[Change]
    left: list[tuple[int, tuple[Box, ...]]]
    right: list[tuple[int, tuple[Box, ...]]]
    seen: list[Seen]


class ComparePane(QWidget):
    """Compares what two tabs show; both may be closed meanwhile, for it opens the documents anew."""

    def __init__(self, host: Host, left: DocumentPane, right: DocumentPane) -> None:
        super().__init__()
        self.path: Path | None = None
        self._host = host
        self._work = PageWork(host)
        self._found: Found | None = None
        self._sources: list[Source] = []
        self._current = -1
        self.views = (PageView(host), PageView(host))
        service = left.service
        self._veils = [Veil(host, service.watermark, view) for view in self.views]
        for side, view in enumerate(self.views):
            view.overlays += [self._veils[side].paint, partial(self._paint, side)]
            view.setAccessibleName((left, right)[side].path.name)
        self.list = EntryList(tr("不同之处"), tr("正在对比…"))
        self.list.chosen.connect(self._go)
        self.banner = Banner()
        self.progress = ProgressPane()
        self.progress.cancelled.connect(self._stop)
        self.together = Button(tr("两边一起滚动"))
        self.together.setCheckable(True)
        self.together.setChecked(True)
        self._build(left.path.name, right.path.name)
        self._running = self._work.run(
            "read",
            partial(_compare, left.reopen, right.reopen),
            done=self._compared,
            failed=self._failed,
            name=tr("对比"),
        )
        if self._running is not None:
            self._running.watch(self.progress.show_progress)

    def _build(self, left: str, right: str) -> None:
        split = QSplitter()
        split.addWidget(self.list)
        for name, view in zip((left, right), self.views, strict=True):
            side = QWidget()
            column = QVBoxLayout(side)
            column.setContentsMargins(0, 0, 0, 0)
            column.addWidget(Label(name, "strong", wrap=True))
            column.addWidget(view, 1)
            split.addWidget(side)
            view.verticalScrollBar().valueChanged.connect(partial(self._scrolled, view))
        split.setSizes([theme().text_width(14), theme().text_width(30), theme().text_width(30)])
        previous, following = Button(tr("上一处"), icon="arrow-up"), Button(tr("下一处"), icon="arrow-down")
        previous.clicked.connect(lambda: self.step(-1))
        following.clicked.connect(lambda: self.step(1))
        row = QHBoxLayout()
        row.addWidget(previous)
        row.addWidget(following)
        row.addWidget(self.together)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.progress)
        column.addWidget(self.banner)
        column.addWidget(split, 1)
        self.setFocusProxy(self.list.list)

    def _compared(self, result: tuple[list[Source], Found]) -> None:
        self._sources, found = result
        self._found = found
        self.progress.hide()
        for source, view, veil in zip(self._sources, self.views, self._veils, strict=True):
            veil.open(source)
            view.open(source, Position())
        entries: list[tuple[str, int]] = [(_words(change), at) for at, change in enumerate(found.changes)]
        first = len(found.changes)
        entries += [(tr("第 {n} 页 · 样子不同", n=seen.page + 1), first + at) for at, seen in enumerate(found.seen)]
        self.list.show_entries(entries)
        pages = [source.pages for source in self._sources]
        if not entries and pages[0] == pages[1]:
            self.banner.say(tr("两份文件的文字和样子都没有不同。"), "good")
        else:
            said = tr("文字 {text} 处、样子 {seen} 处不同。", text=len(found.changes), seen=len(found.seen))
            if pages[0] != pages[1]:
                said += tr("页数也不同：{left} 页和 {right} 页。", left=pages[0], right=pages[1])
            self.banner.say(said, "due")

    def _failed(self, error: BaseException) -> None:
        self.progress.hide()
        if not isinstance(error, GovDeskError):
            raise error
        self.banner.say(error.words(), "red", code=error.code)

    @Slot()
    def _stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
        self.progress.hide()
        self.banner.say(tr("对比已停止。"), "paused")

    def step(self, by: int) -> None:
        """Go to the next or previous difference."""
        if self._found is None or not self.list.list.count():
            return
        self._current = (self._current + by) % self.list.list.count()
        self.list.choose(self._current)
        self._go(self._current)

    def _go(self, number: int) -> None:
        if self._found is None:
            return
        self._current = number
        with QSignalBlocker(self.together):
            linked = self.together.isChecked()
            self.together.setChecked(False)
            for side, view in enumerate(self.views):
                page, boxes = self._place(side, number)
                if page < view.pages:
                    if boxes:
                        view.reveal(page, boxes[0])
                    else:
                        view.go_to(page)
                view.viewport().update()
            self.together.setChecked(linked)

    def _place(self, side: int, number: int) -> tuple[int, tuple[Box, ...]]:
        assert self._found is not None
        if number < len(self._found.changes):
            return (self._found.left, self._found.right)[side][number]
        seen = self._found.seen[number - len(self._found.changes)]
        return seen.page, (seen.box,)

    def _paint(self, side: int, painter: QPainter, page: int) -> None:
        """An overlay: shade what differs on a page; removed and added by colour and by a line below or around."""
        if self._found is None:
            return
        for number, (on, boxes) in enumerate((self._found.left, self._found.right)[side]):
            if on == page:
                kind = self._found.changes[number].kind
                name = "due" if kind == "changed" else "red" if side == 0 else "good"
                shade = theme().color(name)
                pen = QPen(shade, 0.6 if number == self._current else 0.3)
                if kind == "changed":
                    pen.setStyle(Qt.PenStyle.DashLine)
                shade.setAlphaF(0.35)
                for box in boxes:
                    painter.fillRect(QRectF(*box), shade)
                    painter.setPen(pen)
                    bottom = box.y + box.height
                    painter.drawLine(box.x, bottom, box.x + box.width, bottom)  # type: ignore[call-overload]
        for at, seen in enumerate(self._found.seen):
            if seen.page == page:
                current = at + len(self._found.changes) == self._current
                painter.setPen(QPen(theme().color("offline"), 0.9 if current else 0.5))
                painter.drawRect(QRectF(*seen.box))

    def _scrolled(self, view: PageView, value: int) -> None:
        if not self.together.isChecked():
            return
        other = self.views[1] if view is self.views[0] else self.views[0]
        position = view.position
        if position.page < other.pages:
            with QSignalBlocker(other.verticalScrollBar()):
                other.go_to(position.page, position.top)
            other.viewport().update()

    def leave(self) -> None:
        """Stop, and let both documents go."""
        self._work.close()
        for veil, view in zip(self._veils, self.views, strict=True):
            veil.open(None)
            view.open(None)
        for source in self._sources:
            self._host.run("read", lambda token, source=source: source.close(), name=tr("对比"))  # type: ignore[misc]


def _words(change: Change) -> str:
    before, after = (_short(text) for text in (change.before, change.after))
    page = (change.right if change.kind == "added" else change.left).page + 1
    if change.kind == "added":
        return tr("第 {n} 页 · 增加“{text}”", n=page, text=after)
    if change.kind == "removed":
        return tr("第 {n} 页 · 删去“{text}”", n=page, text=before)
    return tr("第 {n} 页 · “{before}”改为“{after}”", n=page, before=before, after=after)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _compare(
    open_left: Callable[[], Source], open_right: Callable[[], Source], token: Token
) -> tuple[list[Source], Found]:
    """Open both anew, and look."""
    sources = [open_left(), open_right()]
    return sources, compare(sources[0], sources[1], token)


def compare(left: Source, right: Source, token: Token) -> Found:
    """How two documents differ, on a worker. What differs in its text anyway is not told as looking different, too."""
    texts = []
    for share, source in ((0.0, left), (0.25, right)):
        pages = []
        for page in range(source.pages):
            token.check()
            token.progress(share + 0.25 * page / source.pages, tr("读文字"))
            pages.append(source.text(page))
        texts.append(pages)
    changes = differences([page.text for page in texts[0]], [page.text for page in texts[1]])[:MOST]

    def boxes(side: int, passage: Passage) -> tuple[int, tuple[Box, ...]]:
        if not texts[side] or passage.page >= len(texts[side]):
            return passage.page, ()
        return passage.page, texts[side][passage.page].between(passage.start, passage.end)

    lefts = [boxes(0, change.left) for change in changes]
    rights = [boxes(1, change.right) for change in changes]
    seen: list[Seen] = []
    common = min(left.pages, right.pages)
    for page in range(common):
        token.check()
        token.progress(0.5 + 0.5 * page / common, tr("比样子"))
        text = [box for sides in (lefts, rights) for on, found in sides if on == page for box in found]
        seen += [Seen(page, box) for box in look(left, right, page) if not any(_meet(box, each) for each in text)]
        if len(seen) > MOST:
            break
    return Found(changes, lefts, rights, seen[:MOST])


def look(left: Source, right: Source, page: int) -> list[Box]:
    """The parts of a page that look different in two documents; seals are not looked at."""
    sizes = left.size(page), right.size(page)
    wide, high = (round(max(sides) * SCALE) for sides in zip(*sizes, strict=True))
    area = QRect(0, 0, wide, high)
    return boxes_of(left.render(page, SCALE, area), right.render(page, SCALE, area))


def boxes_of(one: QImage, other: QImage) -> list[Box]:
    """Where two pictures of a page at ``SCALE`` differ, in millimetres; squares that touch make one box."""
    import numpy

    grey = []
    for image in (one, other):
        plain = image.convertToFormat(QImage.Format.Format_Grayscale8)
        rows = numpy.frombuffer(plain.constBits(), numpy.uint8).reshape(plain.height(), plain.bytesPerLine())
        grey.append(rows[:, : plain.width()].astype(numpy.int16))
    # a line that lies a fraction of a pixel aside is no difference: each pixel may match one beside it
    differ = _apart(grey[0], grey[1]) & _apart(grey[1], grey[0])
    side = round(CELL * SCALE)
    rows_, columns = (-(-length // side) for length in differ.shape)
    padded = numpy.zeros((rows_ * side, columns * side), bool)
    padded[: differ.shape[0], : differ.shape[1]] = differ
    cells = padded.reshape(rows_, side, columns, side).sum(axis=(1, 3)) >= _LEAST
    return _join({(int(row), int(column)) for row, column in numpy.argwhere(cells)})


def _apart(one: Any, other: Any) -> Any:
    """The pixels of ``one`` that are darker or lighter than all of ``other`` around them."""
    import numpy

    padded = numpy.pad(other, 1, mode="edge")
    around = [padded[y : y + one.shape[0], x : x + one.shape[1]] for y in range(3) for x in range(3)]
    most, least = numpy.maximum.reduce(around), numpy.minimum.reduce(around)
    return (one > most + _TOLERANCE) | (one < least - _TOLERANCE)


def _join(cells: set[tuple[int, int]]) -> list[Box]:
    found = []
    while cells:
        group, edge = [], [cells.pop()]
        while edge:
            row, column = edge.pop()
            group.append((row, column))
            for step in ((row + y, column + x) for y in (-1, 0, 1) for x in (-1, 0, 1)):
                if step in cells:
                    cells.remove(step)
                    edge.append(step)
        top, left = (min(each[axis] for each in group) for axis in (0, 1))
        bottom, right = (max(each[axis] for each in group) + 1 for axis in (0, 1))
        found.append(Box(left * CELL, top * CELL, (right - left) * CELL, (bottom - top) * CELL))
    return sorted(found, key=lambda box: (box.y, box.x))


def _meet(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )
