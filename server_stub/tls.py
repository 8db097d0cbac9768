"""Certificates: a private authority made at the first start, the server's certificate, and one for each device.

A client pins the authority and the server's key. So the key outlives its certificate, and the next key is
made and announced beforehand.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
NEXT_KEY = "next.key"
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: with a fresh key for every line, and without CBC. TLS 1.3 has no others."""
_EARLIER = timedelta(days=1)
"""Certificates hold from yesterday: a counter's clock may be behind."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Where the files are. ``ca_sha256`` is the hex digest of the authority's certificate (DER).

    ``pins``: SHA-256 (hex) of the public key (SubjectPublicKeyInfo, DER) of this server, and of its next one.
    """

    ca: Path
    ca_key: Path
    certificate: Path
    key: Path
    ca_sha256: str
    pins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceCertificate:
    """What the authority signed for a device. ``sha256`` is of the certificate, ``key_sha256`` of its public key."""

    pem: str
    sha256: str
    key_sha256: str
    until: datetime


def ensure(folder: Path, names: Iterable[str], now: datetime) -> Tls:
    """Make what is missing, near its end, or does not stand for all ``names``; only the owner can read the keys."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_path, ca_key_path = folder / "ca.pem", folder / "ca.key"
    path, key_path = folder / "server.pem", folder / "server.key"
    if not (ca_path.exists() and ca_key_path.exists()):
        _make_authority(ca_path, ca_key_path, now)
    ca = x509.load_pem_x509_certificate(ca_path.read_bytes())
    wanted = {"localhost", "127.0.0.1", "::1", socket.gethostname(), *names}
    if not key_path.exists() and (folder / NEXT_KEY).exists():
        rotate(folder)  # clients know the next key: it takes a lost one's place
    key, following = _ensure_key(key_path), _ensure_key(folder / NEXT_KEY)
    if not (path.exists() and _fits(path, ca, key, wanted, now)):
        _make_server(path, key, ca, _read_key(ca_key_path), wanted, now)
    pins = (spki_sha256(key.public_key()), spki_sha256(following.public_key()))
    return Tls(ca_path, ca_key_path, path, key_path, certificate_sha256(ca), pins)


def rotate(folder: Path) -> None:
    """Let the announced key become the server's; its certificate and another next key are made at the next start."""
    (folder / NEXT_KEY).replace(folder / "server.key")


def context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 at least. A peer may show a certificate; then it must be one that our authority signed.

    There are no session tickets: a line is kept open instead, and nothing is remembered that could vouch for a peer.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(CIPHERS)
    made.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    made.num_tickets = 0
    made.load_cert_chain(tls.certificate, tls.key)
    made.load_verify_locations(cafile=tls.ca)
    made.verify_mode = ssl.CERT_OPTIONAL
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    return made


def spki_sha256(key: PublicKeyTypes) -> str:
    """SHA-256 (hex) of a public key as it stands in certificates."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def certificate_sha256(certificate: x509.Certificate) -> str:
    """SHA-256 (hex) of a whole certificate."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def requested_key(request: str) -> ec.EllipticCurvePublicKey:
    """The key that a request (PEM) is for and signed by. Raises ``ValueError`` for what is none, or none on P-256."""
    try:
        asked = x509.load_pem_x509_csr(request.encode("ascii"))
        key = asked.public_key()
        proven = asked.is_signature_valid
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise ValueError("no certificate request") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1) or not proven:
        raise ValueError("no certificate request for a key on P-256 that its own key signed")
    return key


def issue(tls: Tls, request: str, device_id: str, now: datetime, days: int) -> DeviceCertificate:
    """Sign a device's request (PEM) for so many days. Its subject is the device's id, whatever the request says.

    Raises ``ValueError`` as ``requested_key``.
    """
    key = requested_key(request)
    ca = x509.load_pem_x509_certificate(tls.ca.read_bytes())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device_id)])
    certificate = _leaf(name, ca, key, ExtendedKeyUsageOID.CLIENT_AUTH, now, timedelta(days=days) + _EARLIER).sign(
        _read_key(tls.ca_key), SHA256()
    )
    pem = certificate.public_bytes(Encoding.PEM).decode("ascii")
    until = certificate.not_valid_after_utc
    return DeviceCertificate(pem, certificate_sha256(certificate), spki_sha256(key), until)


def _fits(path: Path, ca: x509.Certificate, key: ec.EllipticCurvePrivateKey, wanted: set[str], now: datetime) -> bool:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    held = {str(name.value) for name in names}
    ours = certificate.issuer == ca.subject and certificate.public_key() == key.public_key()
    return ours and wanted <= held and now < certificate.not_valid_after_utc - RENEW_BEFORE


def _make_authority(path: Path, key_path: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # the serial in the name: authorities of two servers are told apart
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"GovDesk CA {serial:x}"[:64])])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), serial, now, CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(key, SHA256())
    )
    _write_key(key_path, key)
    path.write_bytes(certificate.public_bytes(Encoding.PEM))


def _make_server(
    path: Path,
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    names: set[str],
    now: datetime,
) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "GovDesk server")])
    certificate = (
        _leaf(name, ca, key.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, now, SERVER_LIFE)
        .add_extension(x509.SubjectAlternativeName([_general_name(item) for item in sorted(names)]), critical=False)
        .sign(ca_key, SHA256())
    )
    path.write_bytes(certificate.public_bytes(Encoding.PEM))


def _leaf(
    name: x509.Name,
    ca: x509.Certificate,
    key: ec.EllipticCurvePublicKey,
    purpose: x509.ObjectIdentifier,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    issuer = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(name, ca.subject, key, x509.random_serial_number(), now, life)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    serial: int,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    start = now.astimezone(UTC).replace(microsecond=0) - _EARLIER
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(start + life)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path.name} is not an elliptic curve key")
    return key


def _ensure_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        _write_key(path, ec.generate_private_key(ec.SECP256R1()))
    return _read_key(path)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
