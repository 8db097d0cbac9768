"""Asks the central server's application for uploads and blobs, without a network."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
from fastapi import FastAPI

from sync.protocol import BLOB_PATH, CODE_HEADER, STATEMENT_HEADER, TUS, TUS_BODY, UPLOAD_PATH
from tests.support.central import Counter
from tests.support.devices import showing, shown

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 400


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def page(mark: str) -> tuple[str, bytes]:
    """A page like no other, and its name."""
    data = JPEG + mark.encode()
    return name_of(data), data


class BlobDesk:
    """Speaks tus as a client does that knows the protocol alone."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self._transport = httpx.ASGITransport(showing(app))
        self._runner = runner

    def ask(
        self, counter: Counter, method: str, path: str, content: Any = None, **headers: str | None
    ) -> httpx.Response:
        """``Tus-Resumable`` is sent unless it is given as None; underscores in names of headers become hyphens."""

        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="https://server") as session:
                return await session.request(method, path, headers=sent, content=content)

        named = {name.replace("_", "-"): value for name, value in headers.items()}
        known = {**shown(counter.certificate), STATEMENT_HEADER: counter.statement}
        whole: Mapping[str, str | None] = {"Tus-Resumable": TUS, **known, **named}
        sent = {name: value for name, value in whole.items() if value is not None}
        return self._runner.run(asked())

    def create(self, counter: Counter, name: str, size: int, first: Any = None) -> httpx.Response:
        body = {} if first is None else {"Content_Type": TUS_BODY}
        said = {"Upload_Length": str(size), "Upload_Metadata": metadata(name), **body}
        return self.ask(counter, "POST", UPLOAD_PATH, first, **said)

    def append(self, counter: Counter, name: str, offset: int, data: Any) -> httpx.Response:
        said = {"Upload_Offset": str(offset), "Content_Type": TUS_BODY}
        return self.ask(counter, "PATCH", f"{UPLOAD_PATH}/{name}", data, **said)

    def head(self, counter: Counter, name: str) -> httpx.Response:
        return self.ask(counter, "HEAD", f"{UPLOAD_PATH}/{name}")

    def offset(self, counter: Counter, name: str) -> int | None:
        """What HEAD says; None when there is no upload."""
        answer = self.head(counter, name)
        return int(answer.headers["Upload-Offset"]) if answer.status_code == 200 else None

    def put(self, counter: Counter, data: bytes) -> str:
        """Hand something in whole, in one piece; its name."""
        name = name_of(data)
        answer = self.create(counter, name, len(data), data)
        assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, str(len(data))), answer.text
        return name

    def get(self, counter: Counter, name: str, **headers: str) -> httpx.Response:
        return self.ask(counter, "GET", BLOB_PATH + name, **headers)


def metadata(name: str) -> str:
    return "sha256 " + base64.b64encode(name.encode()).decode()


def code(answer: httpx.Response) -> str:
    return answer.headers.get(CODE_HEADER, "")


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
