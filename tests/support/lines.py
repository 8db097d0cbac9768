"""The server's listening side in a thread of the test, before any small application; and certificates for callers."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starlette.types import Receive, Scope, Send

from server_stub import tls
from server_stub.listener import Server, protocol


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers what it was told of its peer, after the whole body."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    body = json.dumps(scope.get("extensions", {}).get("tls", {})).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def listening(
    made: tls.Tls, implementation: str = "", limit: int = 100, context: ssl.SSLContext | None = None, **times: float
) -> Iterator[tuple[str, int]]:
    """Listen on a free port; ``times`` replace those of ``Watched``, ``context`` the server's."""
    context = context or tls.context(made)
    listener = socket.create_server(("127.0.0.1", 0))
    address: tuple[str, int] = listener.getsockname()
    kind: Any = type("Quick", (protocol(limit, implementation),), times)
    ready = threading.Event()
    config = uvicorn.Config(
        told, http=kind, ws="none", log_config=None, ssl_context_factory=lambda config, default: context
    )
    server = Server(config, listener, ready.set)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(10)
        yield address
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def caller(
    made: tls.Tls, folder: Path, name: str = "d-1", *, at: dt.datetime | None = None, days: int = 30
) -> tuple[Path, tls.DeviceCertificate]:
    """A key with its certificate as one file, signed at ``at`` for so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    pem = request.public_bytes(Encoding.PEM).decode()
    certificate = tls.issue(made, pem, name, at or dt.datetime.now(dt.UTC), days)
    path = folder / f"{name}-{certificate.sha256[:8]}.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    path.write_text(private + certificate.pem, "ascii")
    return path, certificate


def client_context(ca: Path, identity: Path | None = None) -> ssl.SSLContext:
    """Verifies strictly; shows ``identity`` when asked."""
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if identity is not None:
        context.load_cert_chain(identity)
    return context
