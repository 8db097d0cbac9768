"""A blob as an answer: whole, or the one range that was asked for (RFC 9110, 14), opened piece by piece as it goes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping

import anyio.to_thread
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from modules.common.pieces import Damaged, Sealed
from server_stub.log import log

_BLOCK = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def content(file: Sealed, type: str, tag: str, asked: Mapping[str, str]) -> Response:
    """The answer to a question with the headers ``asked``; it closes the file. ``tag`` names the content.

    A range that cannot be read, several ranges, and one of another content are answered with the whole.
    """
    size = file.size
    headers = {"Accept-Ranges": "bytes", "ETag": tag, "X-Content-Type-Options": "nosniff"}
    part = _part(asked.get("range", ""), size) if asked.get("if-range", tag) == tag else None
    start, end = part if part is not None else (0, size)
    if start >= end:
        file.close()
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    headers["Content-Length"] = str(end - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(_blocks(file, tag, start, end), 206 if part is not None else 200, headers, media_type=type)


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """From where to where (not included), as far as there is content; None for no range that is understood."""
    found = _RANGE.fullmatch(asked.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return max(0, size - int(found[2])), size
    if found[2] and int(found[2]) < int(found[1]):
        return None
    return int(found[1]), min(size, int(found[2]) + 1) if found[2] else size


async def _blocks(file: Sealed, tag: str, start: int, end: int) -> AsyncIterator[bytes]:
    try:
        while start < end:
            block = await anyio.to_thread.run_sync(file.read, start, min(_BLOCK, end - start))
            start += len(block)
            yield block
    except Damaged:
        # it has begun: all that can be done is to end it short, so that nobody takes it for whole
        log.error("blob.damaged", extra={"blob": tag.strip('"')})
        raise
    finally:
        file.close()
