"""Images of PDF (ISO 32000-2, 8.9): JPEG as it is, everything else without loss as PNG."""

from __future__ import annotations

import base64
import io
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_PIXELS = 100_000_000
_LARGEST = 256 << 20


def image_of(thing: Any, fill: int) -> tuple[bytes, str]:
    """The bytes of an image and their format; a stencil is painted in ``fill``.

    Raises what pikepdf and Pillow raise on what they can't read, ``ValueError`` on more than 100 million pixels.
    """
    import pikepdf

    inline = isinstance(thing, pikepdf.PdfInlineImage)
    said = thing.obj if inline else thing
    if int(said.get("/Width", 0)) * int(said.get("/Height", 0)) > _PIXELS:
        raise ValueError("pixels")
    if bool(said.get("/ImageMask", False)):
        return _stencil(thing, said, fill), "PNG"
    soft = None if inline else thing.get("/SMask")
    hard = None if inline else thing.get("/Mask")
    masked = soft is not None or hard is not None
    if not inline and not masked:
        jpeg = _jpeg(thing)
        if jpeg:
            return jpeg, "JPEG"
    return _png(_picture(thing), soft if soft is not None else hard, soft is not None), "PNG"


def _jpeg(thing: Any) -> bytes:
    """The JPEG file that a stream is, if it shows in other programs as it does here; else nothing."""
    import pikepdf

    filters = thing.get("/Filter")
    names = [str(each) for each in filters] if isinstance(filters, pikepdf.Array) else [str(filters)]
    if names[-1] != "/DCTDecode" or "/Decode" in thing or not set(names[:-1]) <= {"/ASCII85Decode", "/FlateDecode"}:
        return b""
    space = thing.get("/ColorSpace")
    if isinstance(space, pikepdf.Array):
        if str(space[0]) != "/ICCBased" or int(space[1].N) not in (1, 3):
            return b""
    elif space is not None and str(space) not in ("/DeviceGray", "/DeviceRGB"):
        return b""
    data: bytes = thing.read_raw_bytes()
    for name in names[:-1]:
        if name == "/FlateDecode":
            data = zlib.decompressobj().decompress(data, _LARGEST)
        else:
            data = base64.a85decode(data.strip().removeprefix(b"<~").removesuffix(b"~>"))
    return data if data.startswith(b"\xff\xd8") else b""


def _picture(thing: Any) -> Image:
    import pikepdf

    made = thing.as_pil_image() if isinstance(thing, pikepdf.PdfInlineImage) else pikepdf.PdfImage(thing).as_pil_image()
    return made if made.mode in ("1", "L", "P", "RGB") else made.convert("RGB")


def _png(picture: Image, mask: Any, soft: bool) -> bytes:
    import pikepdf
    from PIL import Image, ImageChops

    if mask is not None:
        if isinstance(mask, pikepdf.Array):
            ranges = [int(each) for each in mask]
            bands = picture.split()
            parts = [
                band.point([255 if low <= value <= high else 0 for value in range(256)])
                for band, low, high in zip(bands, ranges[::2], ranges[1::2], strict=False)
            ]
            alpha = parts[0]
            for part in parts[1:]:
                alpha = ImageChops.multiply(alpha, part)
            alpha = ImageChops.invert(alpha.convert("L"))
        else:
            alpha = _picture(mask).convert("L")
            if not soft:  # of a stencil mask the ones are left out
                alpha = ImageChops.invert(alpha)
        larger = max(picture.size, alpha.size)
        picture = picture.convert("RGB").resize(larger, Image.Resampling.NEAREST)
        picture.putalpha(alpha.resize(larger))
    out = io.BytesIO()
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _reversed(thing: Any) -> bool:
    decode = thing.get("/Decode")
    return decode is not None and float(decode[0]) == 1


def _stencil(thing: Any, said: Any, fill: int) -> bytes:
    """A picture of two entries: nothing, and ``fill``."""
    from PIL import Image

    width, height = int(said.Width), int(said.Height)
    try:
        raw = thing.read_bytes() if "/Filter" in said else thing.read_raw_bytes()
    except Exception:  # noqa: BLE001 - fax and such: decoded by pikepdf instead
        raw = b""
    row = (width + 7) // 8
    if len(raw) >= row * height:
        bits = Image.frombytes("1", (width, height), raw[: row * height])
        if _reversed(said):
            bits = bits.point(lambda value: 255 - value)
    else:
        bits = _picture(thing).convert("1")  # to which Decode has been applied
    made = Image.frombytes("P", (width, height), bits.convert("L").point(lambda value: 1 if value else 0).tobytes())
    made.putpalette([fill >> 16 & 255, fill >> 8 & 255, fill & 255, 255, 255, 255])
    out = io.BytesIO()
    made.save(out, "PNG", transparency=bytes([fill >> 24, 0]), bits=1, optimize=True)
    return out.getvalue()
