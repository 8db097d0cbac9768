"""What surrounds every request: an id, a limit to its body, a line in the log, an answer whatever happens."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from modules.common.ids import uuid7
from server_stub.log import log
from server_stub.problems import unforeseen

REQUEST_ID = b"govdesk-request"
BODY_LIMIT = 1 * 1024 * 1024
PUSH_BODY_LIMIT = 8 * 1024 * 1024


class Surround:
    """ASGI middleware. Logs the route's template, never the address as asked: that may hold somebody's data.

    ``large`` says how many bytes may come to addresses that begin so; ``BODY_LIMIT`` to all others, and from whoever
    shows no certificate: a body is read before anybody is asked who they are.
    """

    def __init__(self, app: ASGIApp, large: Mapping[str, int]) -> None:
        self._app = app
        self._large = large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid7()
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request"] = request_id
        limits = (limit for start, limit in self._large.items() if scope["path"].startswith(start))
        shown = scope.get("extensions", {}).get("tls", {}).get("client_cert_chain")
        limit = next(limits, BODY_LIMIT) if shown else BODY_LIMIT
        received = 0
        status = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413)
            return message

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (REQUEST_ID, request_id.encode()),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        started = time.perf_counter()
        try:
            await self._app(scope, limited, noted)
        except Exception as error:
            if status:
                raise
            await unforeseen(request_id, error)(scope, receive, noted)
        finally:
            log.info(
                "request",
                extra={
                    "request": request_id,
                    "method": scope["method"],
                    "route": getattr(scope.get("route"), "path", ""),
                    "status": status,
                    "ms": round((time.perf_counter() - started) * 1000, 1),
                    "device": state.get("device", ""),
                    "person": state.get("person", ""),
                },
            )
