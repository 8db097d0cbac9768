"""Scanned pages into a document: the pictures as they are, with their words behind them where they are known."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.common.ofd.box import Box
from modules.common.ofd.display import UPRIGHT, GlyphRun, Item, Picture
from modules.common.ofd.fonts import Font
from modules.common.ofd.report import OfdError
from modules.common.ofd.texts import width_of
from modules.common.ofd.writing.volume import Leaf, Store, media_from
from modules.common.text import tr

if TYPE_CHECKING:
    from PIL.Image import Image

_MM = 25.4
_DPI = 200.0
"""What a picture is taken to have that does not say."""
_PIXELS = 120_000_000
"""Pixels of one picture."""
_PAGES = 5000
_KEPT = ("JPEG", "PNG")
_BASE = 0.86
"""Where in a word's box its base line lies, from the top."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was read on a picture; ``box`` is in the picture's pixels."""

    text: str
    box: Box


def leaves_of(data: bytes, store: Store, words: Sequence[Sequence[Word]] = (), dpi: float = 0.0) -> tuple[Leaf, ...]:
    """The pages of a PNG, JPEG or TIFF (one for each of its images), each as large as its picture says, or ``dpi``.

    JPEG and PNG are kept byte for byte; other formats are kept without loss. ``words`` has those of each page.
    Raises ``OfdError`` OFD-021 for what is no such picture, is damaged, or has more than 120 million pixels.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "TIFF", "BMP", "GIF")) as image:
            count = min(getattr(image, "n_frames", 1), _PAGES)
            made = []
            for number in range(count):
                if count > 1:
                    image.seek(number)
                if image.width * image.height > _PIXELS:
                    raise _refused()
                said = words[number] if number < len(words) else ()
                made.append(_leaf(image, data if count == 1 else b"", store, said, dpi))
            return tuple(made)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise _refused() from error


def _refused() -> OfdError:
    return OfdError(
        "OFD-021", tr("图片已损坏、过大，或不是 PNG、JPEG、TIFF，没有写成文件。"), fix=tr("请换一个图片文件。")
    )


def _leaf(image: Image, data: bytes, store: Store, words: Sequence[Word], dpi: float) -> Leaf:
    image.load()  # a picture that is cut off is refused here and not on somebody's screen
    across, down = (dpi, dpi) if dpi > 0 else _dpi(image)
    turn = image.getexif().get(0x0112, 1)
    wide, high = image.size
    if turn in range(2, 9):  # the camera lay on its side: readers of OFD do not look into the picture for that
        from PIL import ImageOps

        image = ImageOps.exif_transpose(image)
        if turn >= 5:
            across, down = down, across
        wide, high = image.size
        data = b""
    kept = (
        data if data and image.format in _KEPT and image.mode in ("1", "L", "P", "RGB", "RGBA", "LA") else _png(image)
    )
    form = "JPEG" if kept.startswith(b"\xff\xd8") else "PNG"
    width, height = wide * _MM / across, high * _MM / down
    picture = Picture(media_from(store, kept, form), (width, 0.0, 0.0, height, 0.0, 0.0), 255, None)
    hidden = tuple(run for word in words if (run := _hidden(word, _MM / across, _MM / down)) is not None)
    return Leaf(Box(0.0, 0.0, width, height), (picture, *hidden))


def _dpi(image: Image) -> tuple[float, float]:
    said = image.info.get("dpi")
    try:
        across, down = (float(each) for each in said or ())
    except (TypeError, ValueError):
        return _DPI, _DPI
    usable = 20 <= across <= 4800 and 20 <= down <= 4800
    return (across, down) if usable else (_DPI, _DPI)


def _png(image: Image) -> bytes:
    out = io.BytesIO()
    whole = image if image.mode in ("1", "L", "P", "RGB", "RGBA", "LA") else image.convert("RGB")
    whole.save(out, "PNG", optimize=True)
    return out.getvalue()


_SONG = Font("scan", "宋体", "宋体")


def _hidden(word: Word, across: float, down: float) -> Item | None:
    """A word that is found and copied, but not painted, spread over its box."""
    text = word.text.strip()
    box = word.box
    if not text or box.width <= 0 or box.height <= 0:
        return None
    size = box.height * down
    whole = sum(map(width_of, text))
    stretch = box.width * across / (whole * size)
    xs, x = [], box.x * across
    for character in text:
        xs.append(x)
        x += width_of(character) * size * stretch
    base = box.y * down + _BASE * size
    return GlyphRun(_SONG, size, UPRIGHT, text, None, tuple(xs), (base,) * len(xs), None, None, 400, False)
