"""The listening side of the server: TLS, who is at the other end of a line, and how long a line may dawdle.

uvicorn's two protocols (httptools, h11) know no time for a request's head and hide the peer's certificate. Both are
mended by one mixin, which uses only what they have in common.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from server_stub.log import log

HANDSHAKE_SECONDS = 10.0
HEAD_SECONDS = 10.0
"""From the first byte of a request, or from the beginning of the line, to the end of its head."""
BODY_PAUSE_SECONDS = 20.0
"""Between two pieces of a body."""
GOODBYE_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 75


class Lines:
    """How many lines are open, by the caller's address; ``limit`` for each address."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: Counter[str] = Counter()

    def take(self, address: str) -> bool:
        """Whether one more may be opened; then it is counted until ``give_back``."""
        if self._open[address] >= self._limit:
            return False
        self._open[address] += 1
        return True

    def give_back(self, address: str) -> None:
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]


def peer_of(line: Any) -> dict[str, Any]:
    """The ``tls`` extension of ASGI for a TLS line: the verified certificate of the peer (PEM), if it showed one."""
    der = line.getpeercert(binary_form=True)
    chain = [ssl.DER_cert_to_PEM_cert(der)] if der else []
    return {"client_cert_chain": chain, "client_cert_error": None, "tls_version": None, "cipher_suite": None}


class _Knowing:
    """The application, told who is at the other end of the line."""

    def __init__(self, app: ASGIApp, tls: dict[str, Any]) -> None:
        self._app = app
        self._tls = tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})["tls"] = self._tls
        await self._app(scope, receive, send)


class Plain(H11Protocol):
    """On h11."""

    def begun(self) -> bool:
        """Whether a part of the next request's head is here already."""
        return bool(self.conn.trailing_data[0])


if TYPE_CHECKING:
    _Base = Plain
else:
    _Base = object


class Watched(_Base):
    """Mixed into a protocol of uvicorn: ends lines that dawdle, and lines beyond the limit of their address."""

    app: Any
    lines: Lines
    head_seconds = HEAD_SECONDS
    body_seconds = BODY_PAUSE_SECONDS
    _watch: asyncio.TimerHandle | None = None
    _awaits = ""
    _counted = ""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self.lines.take(address):
            log.warning("too many lines", extra={"address": address})
            transport.abort()
            return
        self._counted = address or "?"
        line = transport.get_extra_info("ssl_object")
        if line is not None:
            self.app = _Knowing(self.app, peer_of(line))
        self._look("")

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look(self._awaits)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look(self._awaits)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watch()
        if self._counted:
            self.lines.give_back("" if self._counted == "?" else self._counted)
            self._counted = ""
        super().connection_lost(exc)

    def _look(self, before: str) -> None:
        """Watch for what the peer owes now. A head gets its time once, a body anew with each piece."""
        owes = self._owes()
        if owes == "head" == before:
            return
        self._stop_watch()
        self._awaits = owes
        if owes:
            seconds = self.head_seconds if owes == "head" else self.body_seconds
            self._watch = self.loop.call_later(seconds, self._too_slow)

    def _owes(self) -> str:
        if self.transport.is_closing():
            return ""
        if self.timeout_keep_alive_task is not None:
            if not self.begun():
                return ""  # between two requests uvicorn itself counts
            self._unset_keepalive_if_required()
        if self.cycle is None or self.cycle.response_complete:
            return "head"
        return "body" if self.cycle.more_body else ""

    def _too_slow(self) -> None:
        self._watch = None
        if self._awaits == "body" and self.flow.read_paused:
            self._look("")  # it is we who do not read
            return
        log.info("a line dawdled", extra={"awaited": self._awaits})
        self.transport.abort()

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None


def protocol(limit: int, implementation: str = "") -> type[asyncio.Protocol]:
    """The protocol of the server: on ``httptools`` where there is one, else on ``h11``; ``limit`` lines an address."""
    fast = importlib.util.find_spec("httptools") is not None
    base: type[asyncio.Protocol] = Plain
    if implementation == "httptools" or (fast and not implementation):
        base = _fast()
    return type("WatchedProtocol", (Watched, base), {"lines": Lines(limit)})


def _fast() -> type[asyncio.Protocol]:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class Fast(HttpToolsProtocol):
        """On httptools."""

        in_head = False

        def on_message_begin(self) -> None:
            self.in_head = True
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self.in_head = False
            super().on_headers_complete()

        def begun(self) -> bool:
            """Whether a part of the next request's head is here already."""
            return self.in_head

    return Fast


class Server(uvicorn.Server):
    """Says that it is ready once it listens, and at its end waits for answers, not for idle lines."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        ready: Callable[[], None],
        hush: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """``hush`` ends answers that would go on for ever."""
        super().__init__(config)
        self._listener = listener
        self._ready = ready
        self._hush = hush

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # uvicorn would give a handshake a whole minute
        await super().startup([])
        config = self.config

        def line() -> asyncio.Protocol:
            made: Any = config.http_protocol_class
            answer: asyncio.Protocol = made(
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return answer

        self.servers.append(
            await asyncio.get_running_loop().create_server(
                line,
                sock=self._listener,
                ssl=config.ssl,
                backlog=config.backlog,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=GOODBYE_SECONDS,
            )
        )
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._hush is not None:
            await self._hush()
        for connection in list(self.server_state.connections):
            line: Any = connection
            asked = line.cycle is not None and not line.cycle.more_body
            if not asked or line.cycle.response_complete:
                # closing politely would wait for a goodbye (TLS close_notify) that an idle client never says
                line.transport.abort()
        await super().shutdown([self._listener])


def many_lines() -> None:
    """Let this process hold as many open lines as the system allows it."""
    if os.name != "nt":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
