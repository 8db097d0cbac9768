"""Computers that are no client of ours: a key, a certificate, and the wire; and devices before an application alone."""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.types import ASGIApp, Receive, Scope, Send

from sync.protocol import PATHS

SHOWN = "test-shown-certificate"
"""A header in place of a TLS line, for applications that are asked without one (``showing``)."""


class Computer:
    """A key on P-256."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(self.key, SHA256())
        self.csr = request.public_bytes(Encoding.PEM).decode()

    def show(self, context: ssl.SSLContext, certificate: str) -> ssl.SSLContext:
        """Let lines opened with ``context`` show ``certificate`` (PEM) of this key."""
        private = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "device.pem")
            path.write_text(private + certificate, "ascii")
            context.load_cert_chain(path)
        return context


def trusting(ca: Path) -> ssl.SSLContext:
    """Verifies strictly: what the newest clients ask of a certificate."""
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


def enrolled(url: str, ca: Path, code: str) -> tuple[httpx.Client, dict[str, Any], ssl.SSLContext]:
    """Enrol a new computer over the wire: a client that shows its certificate, what the server answered, and what to
    open further lines with.
    """
    computer = Computer()
    with httpx.Client(base_url=url, verify=trusting(ca), trust_env=False) as stranger:
        answer = stranger.post(PATHS["enrol"], json={"code": code, "csr": computer.csr})
        assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    context = computer.show(trusting(ca), said["certificate"])
    return httpx.Client(base_url=url, verify=context, trust_env=False), said, context


def shown(certificate: str) -> dict[str, str]:
    """The header of a device that shows ``certificate``."""
    return {SHOWN: base64.b64encode(certificate.encode()).decode()}


def showing(app: ASGIApp) -> ASGIApp:
    """``app`` behind what stands in for TLS."""

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        chain = [base64.b64decode(value).decode() for name, value in scope["headers"] if name == SHOWN.encode()]
        await app({**scope, "extensions": {"tls": {"client_cert_chain": chain}}}, receive, send)

    return told
