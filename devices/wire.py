"""What goes through a driver host's pipes: JSON messages, each behind its length (4 bytes, high first).

Parent to host: ``{"v": 1, "open": {…parameters}, "language": "zh_CN"}`` once, then
``{"v": 1, "id": 7, "call": "read", "args": {"timeout": 15.0}}`` and ``{"v": 1, "cancel": 7}``.
Host to parent: ``{"v": 1, "hello": "sdt"}`` once, then ``{"v": 1, "id": 7, "ok": …}`` or
``{"v": 1, "id": 7, "error": {"code": "DEV-101", "message": "…", "fix": "…"}}``.
Bytes travel as base64, dates as ISO 8601, so that a host may be written in any language.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from datetime import date
from typing import Any, Protocol

from devices.ports import Corners, Frame, IdentityRecord, Page, Paper, Photo, PrinterStatus, Ticket

VERSION = 1
# An A4 page in colour is some 25 MB; a longer announcement is not a message of ours.
_LONGEST = 1 << 26


def bytes_to_wire(data: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(data).decode("ascii")


def bytes_from_wire(text: str) -> bytes:
    """The bytes of ``bytes_to_wire``."""
    return base64.b64decode(text)


class _Source(Protocol):
    def read(self, size: int, /) -> bytes | None: ...


def pack(message: dict[str, Any]) -> bytes:
    """The bytes of one message."""
    body = json.dumps({"v": VERSION, **message}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return len(body).to_bytes(4, "big") + body


def receive(source: _Source) -> dict[str, Any] | None:
    """The next message, or None at the end. Raises ``ValueError`` for what is no message of this version."""
    head = _exactly(source, 4)
    if head is None:
        return None
    size = int.from_bytes(head, "big")
    if size > _LONGEST:
        raise ValueError(f"a message of {size} bytes")
    body = _exactly(source, size)
    if body is None:
        return None
    message: dict[str, Any] = json.loads(body.decode("utf-8", "surrogatepass"))
    if message.get("v") != VERSION:
        raise ValueError(f"protocol version {message.get('v')!r}, not {VERSION}")
    return message


def _exactly(source: _Source, size: int) -> bytes | None:
    parts: list[bytes] = []
    while size > 0:
        more = source.read(size)
        if not more:
            return None
        parts.append(more)
        size -= len(more)
    return b"".join(parts)


def record_to_wire(record: IdentityRecord) -> dict[str, Any]:
    """An identity record as JSON values."""
    values = asdict(record)
    for name in ("birth", "valid_from", "valid_to"):
        values[name] = values[name].isoformat() if values[name] else None
    values["photo"] = base64.b64encode(record.photo).decode("ascii")
    return values


def record_from_wire(values: dict[str, Any]) -> IdentityRecord:
    """The identity record that ``record_to_wire`` wrote."""
    days = {
        name: date.fromisoformat(values[name]) if values[name] else None for name in ("birth", "valid_from", "valid_to")
    }
    return IdentityRecord(**{**values, **days, "photo": base64.b64decode(values["photo"])})


def page_to_wire(page: Page) -> dict[str, Any]:
    """A picture as JSON values."""
    return {"jpeg": base64.b64encode(page.jpeg).decode("ascii"), "width": page.width, "height": page.height}


def page_from_wire(values: dict[str, Any]) -> Page:
    """The picture that ``page_to_wire`` wrote."""
    return Page(base64.b64decode(values["jpeg"]), values["width"], values["height"])


def corners_from_wire(values: list[list[float]]) -> Corners:
    """Four corners out of JSON's lists."""
    first, second, third, fourth = ((float(x), float(y)) for x, y in values)
    return (first, second, third, fourth)


def frame_to_wire(frame: Frame) -> dict[str, Any]:
    """A preview picture as JSON values."""
    page = page_to_wire(frame.page)
    return {"page": page, "number": frame.number, "corners": frame.corners, "still": frame.still}


def frame_from_wire(values: dict[str, Any]) -> Frame:
    """The preview picture that ``frame_to_wire`` wrote."""
    corners = corners_from_wire(values["corners"]) if values["corners"] else None
    return Frame(page_from_wire(values["page"]), values["number"], corners, values["still"])


def photo_to_wire(photo: Photo) -> dict[str, Any]:
    """A shot as JSON values; a page that is the whole frame travels once."""
    return {
        "page": None if photo.page == photo.frame else page_to_wire(photo.page),
        "frame": page_to_wire(photo.frame),
        "corners": photo.corners,
        "confidence": photo.confidence,
        "sure": photo.sure,
    }


def photo_from_wire(values: dict[str, Any]) -> Photo:
    """The shot that ``photo_to_wire`` wrote."""
    frame = page_from_wire(values["frame"])
    page = page_from_wire(values["page"]) if values["page"] else frame
    return Photo(page, frame, corners_from_wire(values["corners"]), values["confidence"], values["sure"])


def ticket_from_wire(values: dict[str, Any]) -> Ticket:
    """The ticket that ``dataclasses.asdict`` took apart."""
    return Ticket(**{**values, "lines": tuple(values["lines"])})


def printer_status_from_wire(values: dict[str, Any]) -> PrinterStatus:
    """The printer's status that ``dataclasses.asdict`` took apart."""
    return PrinterStatus(**{**values, "paper": Paper(values["paper"])})
