"""Images as streams of a PDF."""

from __future__ import annotations

import io
from typing import Any

_PIXELS = 100_000_000


def image_stream(document: Any, data: bytes, grey: bool = False) -> Any:
    """An image as a stream: JPEG and JBIG2 as they are, others without loss."""
    import pikepdf
    from PIL import Image

    if data.startswith(b"\x97JB2") or not data.startswith((b"\x89PNG", b"\xff\xd8", b"GIF8", b"BM", b"II", b"MM")):
        from client.widgets.page.jbig2 import segments

        found = segments(data)
        if found is None:
            raise ValueError("image")
        stream = document.make_stream(found[0])
        _say(stream, found[1], found[2], "DeviceGray", 1)
        stream.Filter = pikepdf.Name.JBIG2Decode
        return stream
    with Image.open(io.BytesIO(data)) as image:
        if image.width * image.height > _PIXELS:
            raise ValueError("pixels")
        if image.format == "JPEG" and image.mode in ("RGB", "L") and not (grey and image.mode == "RGB"):
            image.load()
            stream = document.make_stream(data)
            _say(stream, image.width, image.height, "DeviceRGB" if image.mode == "RGB" else "DeviceGray", 8)
            stream.Filter = pikepdf.Name.DCTDecode
            return stream
        seen = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
        whole = image.convert("L" if grey else "RGBA" if seen else image.mode if image.mode in ("1", "L") else "RGB")
    alpha = None
    if whole.mode == "RGBA":
        alpha = whole.getchannel("A")
        whole = whole.convert("RGB")
    stream = document.make_stream(whole.tobytes())
    _say(stream, *whole.size, "DeviceRGB" if whole.mode == "RGB" else "DeviceGray", 1 if whole.mode == "1" else 8)
    if alpha is not None:
        stream.SMask = document.make_stream(alpha.tobytes())
        _say(stream.SMask, *alpha.size, "DeviceGray", 8)
    return stream


def _say(stream: Any, width: int, height: int, space: str, bits: int) -> None:
    import pikepdf

    stream.Type, stream.Subtype = pikepdf.Name.XObject, pikepdf.Name.Image
    stream.Width, stream.Height, stream.BitsPerComponent = width, height, bits
    stream.ColorSpace = pikepdf.Name(f"/{space}")
