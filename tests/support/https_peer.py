"""A real HTTPS server on loopback with a private authority, in a thread, in front of any wire peer."""

from __future__ import annotations

import datetime as dt
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from server_stub import tls
from sync.protocol import DEVICE_HEADER, PATHS, STATEMENT_HEADER
from sync.transport import Request

NAMES = {path: name for name, path in PATHS.items()}


class Authority:
    """A private authority and one certificate for 127.0.0.1, as files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._take(tls.ensure(folder, [], dt.datetime.now(dt.UTC)))

    def _take(self, made: tls.Tls) -> None:
        self.made, self.ca, self.fingerprint = made, made.ca, made.ca_sha256

    def renew(self) -> None:
        """Another certificate for the same key."""
        self.made.certificate.unlink()
        self._take(tls.ensure(self.folder, [], dt.datetime.now(dt.UTC)))

    def rotate(self) -> None:
        """The next key becomes the server's."""
        tls.rotate(self.folder)
        self._take(tls.ensure(self.folder, [], dt.datetime.now(dt.UTC)))


class HttpsPeer:
    """Serves ``peer`` until ``close``. ``answer``, where set, is sent raw instead: status and body."""

    def __init__(self, authority: Authority, peer: Callable[[Request], tuple[int, Any]]) -> None:
        self.answer: tuple[int, bytes] | None = None
        self.hang = threading.Event()
        self.hang.set()
        self.seen: list[Request] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._serve("GET", None)

            def do_POST(self) -> None:
                self._serve("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _serve(self, method: str, body: Any) -> None:
                outer.hang.wait(30)
                parts = urlsplit(self.path)
                if parts.path == PATHS["ca"]:
                    self._send(200, authority.ca.read_bytes())
                    return
                device, statement = self.headers.get(DEVICE_HEADER, ""), self.headers.get(STATEMENT_HEADER, "")
                name = NAMES.get(parts.path, parts.path)
                request = Request(method, name, body, dict(parse_qsl(parts.query)), device, statement)
                outer.seen.append(request)
                status, answer = outer.answer or (0, b"")
                if outer.answer is None:
                    status, data = peer(request)
                    answer = b"" if data is None else json.dumps(data).encode()
                self._send(status, answer)

            def _send(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = False

            def handle_error(self, *_: object) -> None:
                """A client that hangs up is part of the tests."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.made.certificate, authority.made.key)
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.02))
        self._thread.start()

    def close(self) -> None:
        """End the threads; connections kept by clients must be closed before."""
        self.hang.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
