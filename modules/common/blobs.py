"""Page images and scans: what both sides take for one. A document names a page by ``{"sha256", "size", "type"}``."""

from __future__ import annotations

import re

LIMIT = 20 * 1024 * 1024
"""Bytes of one page image or scan at most."""
HEAD = 8
"""So many first bytes tell the type."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"%PDF-", "application/pdf"),
)


def type_of(head: bytes) -> str:
    """The media type that content beginning with ``head`` has: JPEG, PNG or PDF; empty for anything else."""
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


def is_sha256(text: str) -> bool:
    """Whether ``text`` is a SHA-256 in lower-case hex, as blobs are named."""
    return _SHA256.fullmatch(text) is not None
