"""Seals as pictures: true for paper, and for the screen only what cannot be copied as a seal (requirement A04)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QTransform

from client.widgets.theme import theme

CELL = 2.4
"""Millimetres of a cell: all that is left of the seal inside of one is its mean colour. Characters are 3 to 5 high."""
_GRAIN = 8
"""Pixels of a cell on the screen."""
_STEP = 5
"""Pixels by which each pixel is moved at most, by chance."""
_LARGEST = 4096


class Art(NamedTuple):
    """A seal's picture as it was signed: what it is (png, ofd …) and its bytes."""

    kind: str
    data: bytes


def picture_of(art: Art, width: float, height: float, scale: float) -> QImage:
    """A seal ``width`` by ``height`` millimetres, on nothing, ``scale`` in pixels per mm; null when unreadable."""
    from client.widgets.page import images
    from client.widgets.page.painter import MM_PER_INCH, paint
    from modules.common.errors import GovDeskError
    from modules.common.ofd.document import Document
    from modules.common.ofd.resources import Media

    across, down = (min(max(round(side * scale), 1), _LARGEST) for side in (width, height))
    if art.kind == "ofd":
        try:
            page = Document.open(art.data).display(0)
        except (GovDeskError, IndexError):
            return QImage()
        found: QImage | None = paint(page, across / page.box.width * MM_PER_INCH, background=None)
    else:
        found = images.decode(Media("", "Image", art.kind, "", _Bytes(art.data)))  # type: ignore[arg-type]
    if found is None or found.isNull():
        return QImage()
    return found.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied).scaled(
        across, down, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )


class _Bytes:
    """What ``Media`` asks of a package, for one picture outside of any."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.report = self

    def read(self, path: str) -> bytes:
        return self._data

    def add(self, code: str, place: str, detail: str = "") -> None:
        """Nobody reads these notes: a seal without a picture is told by its verification."""


def blurred(picture: QImage, width: float, height: float, chance: Any = None) -> QImage:
    """A seal of ``width`` by ``height`` millimetres as ground glass would show it: each time otherwise, never sharper.

    First it is reduced to the mean colours of a fixed grid, so that any number of these pictures together holds no
    more than that grid; then light and place of every pixel are changed by chance. ``chance`` is a numpy generator.
    """
    import numpy

    chance = chance or numpy.random.default_rng()
    across, down = max(math.ceil(width / CELL), 2), max(math.ceil(height / CELL), 2)
    small = picture.convertToFormat(QImage.Format.Format_ARGB32_Premultiplied).scaled(
        across, down, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    smooth = small.scaled(
        across * _GRAIN, down * _GRAIN, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
    wide, high = smooth.width(), smooth.height()
    pixels = numpy.frombuffer(smooth.constBits(), numpy.uint8).reshape(high, smooth.bytesPerLine() // 4, 4)[:, :wide]
    moved_y = numpy.clip(numpy.arange(high)[:, None] + chance.integers(-_STEP, _STEP + 1, (high, wide)), 0, high - 1)
    moved_x = numpy.clip(numpy.arange(wide)[None, :] + chance.integers(-_STEP, _STEP + 1, (high, wide)), 0, wide - 1)
    light = chance.uniform(0.55, 0.9, (high, wide, 1))
    made = QImage(wide, high, QImage.Format.Format_ARGB32_Premultiplied)
    made.fill(0)
    target = numpy.frombuffer(made.bits(), numpy.uint8).reshape(high, made.bytesPerLine() // 4, 4)
    target[:, :wide] = (pixels[moved_y, moved_x] * light).astype(numpy.uint8)
    return made


def marked(picture: QImage, words: str, warning: str = "") -> QImage:
    """A blurred seal under a watermark that says who looks, where and when; ``warning`` across it in large letters."""
    made = picture.scaled(
        QSize(max(picture.width() * 3, 60), max(picture.height() * 3, 60)),
        Qt.AspectRatioMode.IgnoreAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    font = theme().font("small")
    font.setPixelSize(max(made.height() // 18, 10))
    painter.setFont(font)
    pen = theme().color("shade")
    pen.setAlphaF(0.6)
    painter.setPen(pen)
    whole = QRect(0, 0, made.width(), made.height())
    painter.setTransform(QTransform().translate(whole.center().x(), whole.center().y()).rotate(-30))
    reach = max(made.width(), made.height())
    step = font.pixelSize() * 3
    for number, y in enumerate(range(-reach, reach, step)):
        line = f"{words}   " * 8
        painter.drawText(-reach - (number % 2) * step * 2, y, line)
    if warning:
        font.setPixelSize(max(made.width() // max(len(warning), 1), 12))
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(theme().color("ink"))
        painter.drawText(QRectF(-reach, -reach / 4, 2 * reach, reach / 2), Qt.AlignmentFlag.AlignCenter, warning)
    painter.end()
    return made
