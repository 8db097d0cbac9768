"""What painting keeps between pages of one document: decoded images, and fonts for each thread."""

from __future__ import annotations

import threading
from collections import OrderedDict

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage

from client.widgets.page import images
from client.widgets.page.faces import Faces
from modules.common.ofd.report import Report
from modules.common.ofd.resources import Media

IMAGE_BYTES = 160 << 20
"""Memory that decoded images of one document may take."""
_Key = tuple[Media, Media | None, int, int]


class PaintCache:
    """Belongs to one open document and is dropped with it. May be used by several threads.

    ``report`` is where it is noted that a page was too much to be painted whole.
    """

    def __init__(self, report: Report | None = None, image_bytes: int = IMAGE_BYTES) -> None:
        self.report = report
        self._budget = image_bytes
        self._held = 0
        self._images: OrderedDict[_Key, QImage | None] = OrderedDict()
        self._lock = threading.Lock()
        self._local = threading.local()

    @property
    def faces(self) -> Faces:
        """The fonts of this thread: Qt's fonts may not wander between threads."""
        found: Faces | None = getattr(self._local, "faces", None)
        if found is None:
            found = self._local.faces = Faces()
        return found

    def image(self, media: Media, mask: Media | None, width: float, height: float) -> QImage | None:
        """An image for an area of so many pixels: whole, or already reduced when it is far larger than that."""
        whole = self._whole(media, mask)
        if whole is None or whole.width() < 2 * width or whole.height() < 2 * height or width < 1 or height < 1:
            return whole
        across, down = max(1, round(width)), max(1, round(height))
        key = (media, mask, across, down)
        with self._lock:
            if key in self._images:
                self._images.move_to_end(key)
                return self._images[key]
        smooth = Qt.TransformationMode.SmoothTransformation
        small = whole.scaled(QSize(across, down), Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
        self._keep(key, small)
        return small

    def _whole(self, media: Media, mask: Media | None) -> QImage | None:
        key = (media, mask, 0, 0)
        with self._lock:
            if key in self._images:
                self._images.move_to_end(key)
                return self._images[key]
        image = images.decode(media)
        if image is not None and mask is not None:
            stencil = images.decode(mask)
            image = image if stencil is None else images.masked(image, stencil)
        self._keep(key, image)
        return image

    def _keep(self, key: _Key, image: QImage | None) -> None:
        with self._lock:
            before = self._images.pop(key, None)
            self._held += _bytes(image) - _bytes(before)
            self._images[key] = image
            while self._held > self._budget and len(self._images) > 1:
                _, dropped = self._images.popitem(last=False)
                self._held -= _bytes(dropped)


def _bytes(image: QImage | None) -> int:
    return 0 if image is None else image.sizeInBytes()
