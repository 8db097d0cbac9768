"""The addresses of blobs: uploads by tus 1.0.0 under ``UPLOAD_PATH``, whole blobs under ``BLOB_PATH``."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC
from email.utils import format_datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.server_ports import Caller
from modules.common.text import tr
from server_stub.blobs.reading import content
from server_stub.blobs.uploads import State
from server_stub.problems import told
from sync.protocol import BLOB_PATH, TUS, TUS_BODY, UPLOAD_PATH

if TYPE_CHECKING:
    from server_stub.services import Services

EXTENSIONS = "creation,creation-with-upload,termination,expiration"
_OVERRIDE = "x-http-method-override"
_LARGEST = 2**62


class Tus:
    """ASGI middleware for what the protocol asks of every answer, and of proxies that know few methods."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(UPLOAD_PATH):
            await self._app(scope, receive, send)
            return
        if instead := Headers(scope=scope).get(_OVERRIDE):
            scope = {**scope, "method": instead.upper()}

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Tus-Resumable"] = headers["Tus-Version"] = TUS
            await send(message)

        await self._app(scope, receive, marked)


def router(services: Services) -> APIRouter:
    """The routes; whoever is signed in may ask, and is told nothing of what is not theirs."""
    made = APIRouter(tags=["blobs"], responses=told(401, 403, 404, 409, 410, 412, 415, 422, 423, 429, 507))
    signed_in = Depends(services.guard.signed_in())
    uploads = services.uploads
    one = UPLOAD_PATH + "/{sha256}"

    @made.options(UPLOAD_PATH, status_code=204)
    def upload_abilities(caller: Caller = signed_in) -> Response:
        """Which parts of tus this server speaks."""
        return Response(status_code=204, headers={"Tus-Extension": EXTENSIONS, "Tus-Max-Size": str(uploads.largest)})

    @made.post(UPLOAD_PATH, status_code=201)
    async def create_upload(request: Request, caller: Caller = signed_in) -> Response:
        """Begin an upload, or find it again; the body may be its first bytes."""
        _speaks_tus(request)
        size = _number(request, "Upload-Length")
        if size == 0:
            raise _senseless("Upload-Length")
        sha256 = _metadata(request.headers.get("Upload-Metadata", "")).get("sha256", "")
        begins = "Content-Type" in request.headers
        if begins:
            _holds_bytes(request)
        state = await uploads.create(sha256, size, caller, request.stream() if begins else None)
        return _answer(201, state, {"Location": f"{UPLOAD_PATH}/{sha256}"})

    @made.head(one)
    async def look_at_upload(sha256: str, request: Request, caller: Caller = signed_in) -> Response:
        """How much of an upload is safely here."""
        _speaks_tus(request)
        state = await uploads.look(sha256, caller)
        return _answer(200, state, {"Upload-Length": str(state.size)})

    @made.patch(one, status_code=204)
    async def go_on_with_upload(sha256: str, request: Request, caller: Caller = signed_in) -> Response:
        """Take in further bytes. When all are there the whole is checked, and only then is the answer a success."""
        _speaks_tus(request)
        _holds_bytes(request)
        offset = _number(request, "Upload-Offset")
        return _answer(204, await uploads.append(sha256, offset, request.stream(), caller))

    @made.delete(one, status_code=204)
    async def give_upload_up(sha256: str, request: Request, caller: Caller = signed_in) -> Response:
        """Throw an unfinished upload away."""
        _speaks_tus(request)
        await uploads.end(sha256, caller)
        return Response(status_code=204)

    @made.get(BLOB_PATH + "{sha256}", response_class=StreamingResponse)
    def get_blob(sha256: str, request: Request, caller: Caller = signed_in) -> Response:
        """A page image, a scan or a file, or a range of it."""
        file, type = services.blobs.get(sha256, caller)
        return content(file, type, f'"{sha256}"', request.headers)

    return made


def _answer(status: int, state: State, headers: dict[str, str] | None = None) -> Response:
    said = {**(headers or {}), "Upload-Offset": str(state.offset)}
    if state.expires is not None:
        said["Upload-Expires"] = format_datetime(state.expires.astimezone(UTC), usegmt=True)
    return Response(status_code=status, headers=said)


def _speaks_tus(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != TUS:
        raise GovDeskError("SRV-073", tr("上传协议的版本不符。"), fix=tr("请升级程序。"))


def _holds_bytes(request: Request) -> None:
    if request.headers.get("Content-Type") != TUS_BODY:
        raise GovDeskError("SRV-074", tr("上传的内容不是上传协议规定的类型。"))


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < _LARGEST):
        raise _senseless(header)
    return int(text)


def _metadata(text: str) -> dict[str, str]:
    """``key base64,key base64``: RFC 4648 base64 of UTF-8."""
    found = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        key, _, value = pair.partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise _senseless("Upload-Metadata") from error
    return found


def _senseless(header: str) -> GovDeskError:
    return Refused(Refusal("SRV-400", tr("请求的内容不符合要求。"), {header: tr("取值不正确。")}))
