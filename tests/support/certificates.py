"""Certificates for tests: authorities, people's certificates, revocation lists."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """An authority, self-signed or below another, that issues from a day before ``now`` for a year."""

    def __init__(self, name: str, now: datetime, above: Authority | None = None, *, ca: bool = True) -> None:
        self.now = now
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = named(name)
        issuer = above or self
        self.certificate = issuer.issue(self.key.public_key(), self.name, ca=ca)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        public_key: Any,
        subject: x509.Name | str = "张三",
        *,
        ca: bool = False,
        since: timedelta = -DAY,
        until: timedelta = 365 * DAY,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(subject) if isinstance(subject, str) else subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + since)
            .not_valid_after(self.now + until)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )
        return builder.sign(self.key, SHA256())

    def revocations(self, *revoked: x509.Certificate, until: timedelta = 7 * DAY) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(self.now - DAY).next_update(self.now + until)
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.serial_number).revocation_date(self.now - DAY)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self.key, SHA256()).public_bytes(Encoding.PEM)
