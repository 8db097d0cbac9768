"""Providers of single sign-on for tests: a real one as a process, and one whose identity tokens a test may falsify."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.clean_env import clean_env

REDIRECT = "http://127.0.0.1:39999/"
CLIENT = "govdesk"
SECRET = "client-secret"
START_SECONDS = 30


@contextmanager
def provider(folder: Path) -> Iterator[str]:
    """A real provider (oidc-provider-mock) in its own process; its issuer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    issuer = f"http://127.0.0.1:{port}"
    env = {**clean_env(folder), "AUTHLIB_INSECURE_TRANSPORT": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "-p", str(port), "--require-nonce", "true"]
    with (folder / "provider.out").open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _answers(issuer):
                assert process.poll() is None, (folder / "provider.out").read_text("utf-8")
                assert time.monotonic() < deadline, "the provider did not start"
                time.sleep(0.05)
            yield issuer
        finally:
            process.kill()
            process.wait()


def _answers(issuer: str) -> bool:
    import requests

    try:
        return requests.get(issuer + "/.well-known/openid-configuration", timeout=1).ok
    except OSError:
        return False


def browser(url: str, subject: str, claims: dict[str, Any] | None = None) -> dict[str, str]:
    """What a person does in a browser: say who they are; what the provider's redirect carries back."""
    import requests

    parts = urlsplit(url)
    issuer = f"{parts.scheme}://{parts.netloc}"
    if claims:
        assert requests.put(f"{issuer}/users/{subject}", json=claims, timeout=5).ok
    answer = requests.post(url, data={"sub": subject}, allow_redirects=False, timeout=5)
    assert answer.status_code == 302, answer.text
    return {key: values[0] for key, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


@dataclass
class Crooked:
    """A provider in this process. ``claims`` and ``sign`` say what its tokens are; by default they are right."""

    key: Any
    issuer: str = ""
    nonce: str = ""
    subject: str = "alice"
    now: float = 0.0
    named: str = ""
    change: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] | None = None
    asked: list[dict[str, list[str]]] = field(default_factory=list)

    def token(self) -> dict[str, Any]:
        half = hashlib.sha256(b"access").digest()[:16]
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "iat": int(self.now),
            "exp": int(self.now) + 300,
            "nonce": self.nonce,
            "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(),
        }
        claims = {key: value for key, value in (claims | self.change).items() if value is not None}
        signed = self.sign(claims) if self.sign else rs256(self.key, claims)
        return {"access_token": "access", "token_type": "Bearer", "expires_in": 300, "id_token": signed}


def rs256(key: Any, claims: dict[str, Any], **header: Any) -> str:
    from joserfc import jwt

    return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, claims, key)


@contextmanager
def crooked() -> Iterator[Crooked]:
    """Run one for as long as the block lasts."""
    from joserfc.jwk import RSAKey

    made = Crooked(RSAKey.generate_key(2048, {"kid": "k1"}))

    class Handler(BaseHTTPRequestHandler):
        def _say(self, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            if self.path == "/jwks":
                self._say({"keys": [made.key.as_dict(private=False)]})
            else:
                ends = {
                    "authorization_endpoint": "/authorize",
                    "token_endpoint": "/token",
                    "jwks_uri": "/jwks",
                }
                found = {name: made.issuer + path for name, path in ends.items()}
                self._say({"issuer": made.named or made.issuer, **found})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.asked.append(parse_qs(body))
            self._say(made.token())

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
