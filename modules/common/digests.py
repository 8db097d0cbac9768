"""What a change feed holds, in one number that a change alters at the cost of a change.

The digest of a feed is the exclusive or of the marks of all (kind, id, revision) that it holds. Server and client keep
it as they go; equal counts and digests say that a replica has lost and invented nothing.
"""

from __future__ import annotations

import hashlib


def mark(kind: str, id: str, rev: int) -> int:
    """60 bits (of a SHA-256) that stand for one revision of one record; 0 for revision 0: not there."""
    if not rev:
        return 0
    return int.from_bytes(hashlib.sha256(f"{kind}/{id}/{rev}".encode()).digest()[:8], "big") >> 4


def changed(digest: int, kind: str, id: str, old: int, new: int) -> int:
    """The digest after a record's revision in the feed has become ``new`` instead of ``old``; 0: it is not in it."""
    return digest ^ mark(kind, id, old) ^ mark(kind, id, new)
