"""A certificate that an administrator hands in: from a file, or from a token that is plugged in."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from modules.common.clock import iso
from modules.common.errors import GovDeskError
from modules.common.text import tr

LIMIT = 64 * 1024
"""Bytes of a file that is read for a certificate at most."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A certificate: whom it names and who says so (RFC 4514), until when (UTC text), its SHA-256 (hex), and its DER as
    base64.
    """

    subject: str
    issuer: str
    until: str
    fingerprint: str
    text: str


def from_file(path: Path) -> Handed:
    """The first certificate in a file, PEM or DER. Raises AUTH-053 where there is none, AUTH-054 for no file."""
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise GovDeskError("AUTH-054", tr("读不了所选的证书文件：{reason}。", reason=reason)) from error
    return from_bytes(data)


def from_bytes(data: bytes) -> Handed:
    """The first certificate in ``data``, PEM or DER. Raises AUTH-053 where there is none."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        if len(data) > LIMIT:
            raise ValueError(len(data))
        pem = b"-----BEGIN CERTIFICATE-----" in data
        found = x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
        return Handed(
            found.subject.rfc4514_string(),
            found.issuer.rfc4514_string(),
            iso(found.not_valid_after_utc),
            found.fingerprint(SHA256()).hex(),
            base64.b64encode(found.public_bytes(Encoding.DER)).decode(),
        )
    except ValueError as error:
        raise GovDeskError(
            "AUTH-053",
            tr("所选的文件里没有证书。"),
            fix=tr("请选择 .cer、.crt 或 .pem 证书文件；带私钥的文件（.pfx、.p12）不要交给别人，也不能登记。"),
        ) from error
