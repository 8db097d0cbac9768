"""Where a browser comes back to after single sign-on: a port of this computer, open for one answer (RFC 8252, 7.3)."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from html import escape
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from modules.common.errors import GovDeskError
from modules.common.text import tr

PATIENCE = 240.0
"""Seconds for a person to sign in at the provider; the server's challenge lives a little longer."""
_STEP = 0.2
_READ_SECONDS = 5.0


class Loopback:
    """Listens from the start of its block to its end. ``redirect`` is the address to come back to."""

    def __init__(self) -> None:
        self._answers: list[dict[str, str]] = []
        answers = self._answers

        class Handler(BaseHTTPRequestHandler):
            timeout = _READ_SECONDS

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                found = {key: values[0] for key, values in parse_qs(parts.query).items()}
                # browsers ask for icons, and other programs may knock: only an answer is one
                known = parts.path == "/" and "state" in found
                if known:
                    answers.append(found)
                data = _page().encode()
                self.send_response(200 if known else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(data) if known else 0))
                self.send_header("Referrer-Policy", "no-referrer")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                if known:
                    self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """The address holds a code: it belongs in no log."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._server.timeout = _STEP
        self.redirect = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Loopback:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.server_close()

    def code(self, state: str, going_on: Callable[[], None] = lambda: None, patience: float = PATIENCE) -> str:
        """The code that came back with ``state``. ``going_on`` is called again and again, and ends the wait by raising.

        Raises AUTH-050 when nobody came back in time, AUTH-051 when the provider said no.
        """
        end = time.monotonic() + patience
        while time.monotonic() < end:
            going_on()
            self._server.handle_request()
            while self._answers:
                found = self._answers.pop(0)
                # another's answer, or one of an earlier try, is none of ours
                if not hmac.compare_digest(found["state"].encode(), state.encode()):
                    continue
                if found.get("code"):
                    return found["code"]
                raise GovDeskError("AUTH-051", tr("统一身份认证没有让您通过。"), fix=tr("请重试，或改用密码登录。"))
        raise GovDeskError("AUTH-050", tr("浏览器里的登录没有在规定时间内完成。"), fix=tr("请重新开始登录。"))


def _page() -> str:
    words = escape(tr("登录结果已交给政务桌面，可以关闭此页。"))
    return f"<!doctype html><meta charset=utf-8><title>GovDesk</title><p style='font:1.2em sans-serif'>{words}</p>"
