"""Images of a document as ``QImage``: PNG, JPEG, BMP, GIF by Qt, TIFF and the rest by Pillow, JBIG2 by PDFium."""

from __future__ import annotations

import io
import warnings

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QSize, Qt
from PySide6.QtGui import QImage, QImageReader

from client.widgets.page import jbig2
from modules.common.ofd.report import OfdError
from modules.common.ofd.resources import Media

PIXEL_LIMIT = 24_000_000
"""Pixels that an image is decoded to; larger ones, A4 at 600 dots per inch for instance, are read smaller."""
SOURCE_LIMIT = 400_000_000
"""Pixels that an image may have at all."""
_UNPACKED = 100_000_000
_PREMULTIPLIED = QImage.Format.Format_ARGB32_Premultiplied
_OPAQUE = QImage.Format.Format_RGB32


def decode(media: Media) -> QImage | None:
    """The image of a media file, ready for painting; ``None`` and a note when it can't be read."""
    try:
        data = media.data()
    except OfdError as error:
        media.note("image.damaged", error.code)
        return None
    image, fault = decoded(data, media.format)
    if image is None or image.isNull():
        media.note(fault or "image.damaged", media.format)
        return None
    if fault:
        media.note(fault)
    return image


def decoded(data: bytes, form: str) -> tuple[QImage | None, str]:
    """The image in ``data``, if it can be read, and the code of what is amiss, if anything is."""
    if data[:4] == b"\x97JB2" or form.upper() in ("GBIG2", "JBIG2", "JB2"):
        found = jbig2.decode(data)
        return (None if found is None else found.convertToFormat(_OPAQUE)), ""
    if data[:2] not in (b"II", b"MM"):  # Qt's TIFF, where it is there at all, knows less than Pillow's
        image, fault = _by_qt(data)
        if image is not None:
            return image, fault
    return _by_pillow(data)


def _by_qt(data: bytes) -> tuple[QImage | None, str]:
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setDecideFormatFromContent(True)
    reader.setAutoTransform(False)
    if bytes(reader.format().data()) in (b"svg", b"svgz", b"pdf"):
        return None, "image.format"
    size = reader.size()
    fault = ""
    if size.isValid():
        pixels = size.width() * size.height()
        if pixels > SOURCE_LIMIT:
            return None, "image.huge"
        if pixels > PIXEL_LIMIT:
            factor = (PIXEL_LIMIT / pixels) ** 0.5
            reader.setScaledSize(QSize(max(1, int(size.width() * factor)), max(1, int(size.height() * factor))))
            fault = "image.huge"
    image = reader.read()
    return (None if image.isNull() else prepared(image)), fault


def _by_pillow(data: bytes) -> tuple[QImage | None, str]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of bombs: judged by ourselves
            with Image.open(io.BytesIO(data)) as opened:
                # Pillow unpacks all of it before it can be made smaller
                if opened.width * opened.height * (1 if opened.mode in ("1", "L", "P") else 3) > _UNPACKED:
                    return None, "image.huge"
                fault = ""
                if opened.width * opened.height > PIXEL_LIMIT:
                    opened.thumbnail((4900, 4900))
                    fault = "image.huge"
                has_alpha = opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info
                made = opened.convert("RGBA" if has_alpha else "RGB")
    except Exception as error:  # noqa: BLE001 - Pillow raises what it likes on broken images
        unknown = type(error).__name__ == "UnidentifiedImageError"
        return None, "image.format" if unknown else "image.damaged"
    raw = made.tobytes()
    form = QImage.Format.Format_RGBA8888 if has_alpha else QImage.Format.Format_RGB888
    stride = made.width * (4 if has_alpha else 3)
    return prepared(QImage(raw, made.width, made.height, stride, form).copy()), fault


def prepared(image: QImage) -> QImage:
    """The image in the format that is painted fastest."""
    return image.convertToFormat(_PREMULTIPLIED if image.hasAlphaChannel() else _OPAQUE)


def masked(image: QImage, mask: QImage) -> QImage:
    """The image where the mask lets it be seen (ImageMask, 10.2): white shows, black hides."""
    smooth = Qt.TransformationMode.SmoothTransformation
    fitted = mask.scaled(image.size(), Qt.AspectRatioMode.IgnoreAspectRatio, smooth)
    out = image.convertToFormat(QImage.Format.Format_ARGB32)
    out.setAlphaChannel(fitted.convertToFormat(QImage.Format.Format_Grayscale8))
    return out.convertToFormat(_PREMULTIPLIED)
