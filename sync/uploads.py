"""The server's side of pages and files, asked over HTTPS: handed in by tus 1.0.0, fetched by ranges."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping

from sync.protocol import BLOB_PATH, TUS, TUS_BODY, UPLOAD_PATH
from sync.transport import READ_SECONDS, HttpTransport, versions_differ

CHECKED = 16 * 1024 * 1024
"""So many bytes a second a busy server reads again at least, when it checks the whole before its last answer."""


class Uploads:
    """What ``sync.pages.PageServer`` and ``client.data.blobs.Blobs`` ask for, in the name of whoever is signed in."""

    def __init__(self, transport: HttpTransport, statement: Callable[[], str]) -> None:
        self._transport = transport
        self._statement = statement

    def create(self, sha256: str, size: int, first: bytes) -> int:
        name = base64.b64encode(sha256.encode()).decode()
        headers = {"Upload-Length": str(size), "Upload-Metadata": f"sha256 {name}"}
        if first:
            headers["Content-Type"] = TUS_BODY
        # also without bytes: all of it may be there, and be checked now
        return _offset(self._send("POST", "", headers, first, size)[1])

    def offset(self, sha256: str) -> int | None:
        status, headers = self._send("HEAD", sha256, {}, b"", 0)
        return _offset(headers) if status == 200 else None

    def append(self, sha256: str, size: int, offset: int, data: bytes) -> int:
        headers = {"Upload-Offset": str(offset), "Content-Type": TUS_BODY}
        return _offset(self._send("PATCH", sha256, headers, data, size if offset + len(data) == size else 0)[1])

    def fetch(self, sha256: str, start: int) -> Iterator[bytes]:
        """The bytes of a blob from ``start`` on, unchecked. Raises SRV-061 when the server does not have it."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        yield from self._transport.stream(BLOB_PATH + sha256, self._statement(), headers)

    def _send(
        self, method: str, name: str, headers: Mapping[str, str], data: bytes, checked: int
    ) -> tuple[int, Mapping[str, str]]:
        path = f"{UPLOAD_PATH}/{name}" if name else UPLOAD_PATH
        sent = {**headers, "Tus-Resumable": TUS}
        return self._transport.send(method, path, self._statement(), sent, data, READ_SECONDS + checked / CHECKED)


def _offset(headers: Mapping[str, str]) -> int:
    try:
        return int(headers["Upload-Offset"])
    except (KeyError, ValueError) as error:
        raise versions_differ() from error
