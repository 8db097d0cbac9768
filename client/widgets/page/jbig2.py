"""JBIG2 images (ITU-T T.88), decoded by PDFium as the only image of a PDF page made for it.

The decoders that exist as libraries are under licences that can't be shipped; PDFium's own is not reachable otherwise.
"""

from __future__ import annotations

import struct
import zlib

from PySide6.QtGui import QImage

from client.widgets.page.pdfium import LOCK

_FILE = b"\x97JB2\r\n\x1a\n"
_SYMBOLS, _PAGE_INFO, _END_OF_FILE = 0, 48, 51
_MOST_SYMBOLS = 65_536
_REGIONS = {4, 6, 7, 20, 22, 23, 36, 38, 39, 40, 42, 43}
"""Kinds of segments that begin with the size of a region."""
_KNOWN = _REGIONS | {0, 16, 48, 50, 52, 53, 62}
_SIDE = 20_000
_PIXELS = 40_000_000
"""Pixels of the page, and of all regions together: the decoder can't be stopped once it has begun."""


def decode(data: bytes) -> QImage | None:
    """The image, or ``None`` when it can't be read. 8 bits of grey a pixel."""
    found = segments(data)
    if found is None:
        return None
    stream, width, height = found
    import pypdfium2

    try:
        with LOCK, pypdfium2.PdfDocument(_pdf(stream, width, height)) as document:
            page = document[0]
            drawn = next(page.get_objects(), None)
            if drawn is None:
                return None
            bitmap = drawn.get_bitmap(render=False)
            form = {1: QImage.Format.Format_Grayscale8, 3: QImage.Format.Format_BGR888}.get(
                bitmap.n_channels, QImage.Format.Format_RGB32
            )
            # a copy, for the bytes belong to the bitmap
            image = QImage(bytes(bitmap.buffer), bitmap.width, bitmap.height, bitmap.stride, form).copy()
            del bitmap, drawn, page  # which frees them here, under the lock
    except pypdfium2.PdfiumError:
        return None
    return image


def segments(data: bytes) -> tuple[bytes, int, int] | None:
    """The segments as PDF wants them (no file header, no ends), and the size of the page."""
    at, random_access = 0, False
    if data[:8] == _FILE and len(data) > 13:
        flags = data[8]
        random_access = not flags & 1
        at = 9 if flags & 2 else 13
    headers: list[tuple[int, bytes, int]] = []
    bodies: list[bytes] = []
    try:
        while at + 11 <= len(data) and len(headers) < 10_000:
            kind, header, length, at = _header(data, at)
            if length == 0xFFFFFFFF or (kind in _REGIONS and at + length > len(data)):
                length = len(data) - at  # unknown, or cut off: what there is may do
            headers.append((kind, header, length))
            if not random_access:
                bodies.append(data[at : at + length])
                at += length
            elif kind == _END_OF_FILE:
                break
        if random_access:
            for _, _, length in headers:
                bodies.append(data[at : at + length])
                at += length
    except (IndexError, struct.error):
        pass  # what was read so far may do
    width = height = pixels = 0
    out = bytearray()
    for (kind, header, length), body in zip(headers, bodies, strict=False):
        if kind == _PAGE_INFO and len(body) >= 8 and not width:
            width, height = struct.unpack(">II", body[:8])
            pixels += width * height
        if kind in _REGIONS and len(body) >= 8:
            across, down = struct.unpack(">II", body[:8])
            pixels += across * down + max(across, down)
            if across > width or down > height:  # it would lie outside of the page
                return None
        if kind == _SYMBOLS and not _few_symbols(body):
            return None
        if kind in _KNOWN and len(body) == length:
            out += header + body
    fits = 0 < width <= _SIDE and 0 < height <= _SIDE and pixels <= 2 * _PIXELS
    return (bytes(out), width, height) if fits else None


def _few_symbols(body: bytes) -> bool:
    """Whether a dictionary of symbols promises no more than a page can need (7.4.2.1)."""
    if len(body) < 10:
        return False
    (flags,) = struct.unpack(">H", body[:2])
    at = 2
    if not flags & 1:  # arithmetic coding: adaptive pixels follow
        at += 2 if flags >> 10 & 3 else 8
    if flags & 2 and not flags >> 12 & 1:
        at += 4
    counts = struct.unpack(">II", body[at : at + 8]) if len(body) >= at + 8 else (_MOST_SYMBOLS, 1)
    return bool(max(counts) < _MOST_SYMBOLS)


def _header(data: bytes, at: int) -> tuple[int, bytes, int, int]:
    """Kind, bytes, length of the body, and where the body begins, of the segment at ``at`` (7.2)."""
    start = at
    (number,) = struct.unpack(">I", data[at : at + 4])
    flags, count = data[at + 4], data[at + 5] >> 5
    at += 5
    if count == 7:
        count = struct.unpack(">I", data[at : at + 4])[0] & 0x1FFFFFFF
        at += 4 + (count + 8) // 8
    else:
        at += 1
    at += count * (1 if number <= 256 else 2 if number <= 65536 else 4)
    at += 4 if flags & 0x40 else 1
    (length,) = struct.unpack(">I", data[at : at + 4])
    return flags & 0x3F, data[start : at + 4], length, at + 4


def _pdf(stream: bytes, width: int, height: int) -> bytes:
    """A PDF with one page that the image fills, one point a pixel."""
    content = zlib.compress(f"{width} 0 0 {height} 0 0 cm /I Do".encode())
    image = (
        f"<</Type/XObject/Subtype/Image/Width {width}/Height {height}/ColorSpace/DeviceGray/BitsPerComponent 1"
        f"/Filter/JBIG2Decode/Length {len(stream)}>>"
    )
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]/Contents 4 0 R"
        f"/Resources<</XObject<</I 5 0 R>>>>>>".encode(),
        f"<</Length {len(content)}/Filter/FlateDecode>>stream\n".encode() + content + b"\nendstream",
        image.encode() + b"stream\n" + stream + b"\nendstream",
    ]
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, each in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + each + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    out += f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF".encode()
    return bytes(out)
