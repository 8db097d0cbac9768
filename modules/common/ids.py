"""Identifiers: UUIDv7 text (RFC 9562, 5.7), ordered by the time of their making, and slugs that people can read."""

from __future__ import annotations

import os
import re
import threading
import time
import uuid

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SLUG = re.compile(r"[a-z0-9][A-Za-z0-9._@-]{0,63}")
_lock = threading.Lock()
_last = 0


def uuid7(now_ms: int | None = None) -> str:
    """A new UUIDv7 as lower-case text. Within a process each is greater than the one before."""
    global _last
    milliseconds = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    with _lock:
        # 48 bits of time and 26 bits that count up inside one millisecond; the rest is random
        head = max((milliseconds << 26) | int.from_bytes(os.urandom(2)), _last + 1)
        _last = head
    tail = int.from_bytes(os.urandom(6))
    # 48+12 bits of ``head`` stand before the variant, 14 bits behind it
    value = ((head >> 26) << 80) | 0x7 << 76 | ((head >> 14 & 0xFFF) << 64) | 0b10 << 62 | (head & 0x3FFF) << 48 | tail
    return str(uuid.UUID(int=value))


def is_uuid7(text: str) -> bool:
    """Whether ``text`` is a canonical UUIDv7."""
    return _UUID7.fullmatch(text) is not None


def is_aggregate_id(text: str) -> bool:
    """Whether ``text`` may name an aggregate: a slug such as ``hall-1-w3`` or ``2026-12-12``; a UUIDv7 is one, too."""
    return _SLUG.fullmatch(text) is not None
