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

from devices.ports import IdentityRecord

VERSION = 1
# An A4 page in colour is some 25 MB; a longer announcement is not a message of ours.
_LONGEST = 1 << 26


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
    data = b""
    while len(data) < size:
        more = source.read(size - len(data))
        if not more:
            return None
        data += more
    return data


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
