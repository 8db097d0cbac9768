"""Signed and enveloped messages of GB/T 35275-2017: the structures of PKCS #7 with SM2, SM3 and SM4."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from modules.common.gm import der, sm2, sm4
from modules.common.gm.certificates import (
    SM2_SIGN,
    SM3,
    Certificate,
    CertificateError,
    UnknownAlgorithm,
    check_signature,
    read_certificate,
)
from modules.common.gm.digests import sm3

_ARC = "1.2.156.10197.6.1.4.2."
DATA, SIGNED, ENVELOPED = _ARC + "1", _ARC + "2", _ARC + "3"
_PKCS_DATA, _PKCS_SIGNED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
_CONTENT_TYPE, _MESSAGE_DIGEST, _SIGNING_TIME = (f"1.2.840.113549.1.9.{last}" for last in (3, 4, 5))
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_SIGNING_CERTIFICATE = "1.2.840.113549.1.9.16.2.47"
_SHA2 = {f"2.16.840.1.101.3.4.2.{last}": name for last, name in ((1, "sha256"), (2, "sha384"), (3, "sha512"))}
_RSA = "1.2.840.113549.1.1.1"
_RSA_WITH = {f"2.16.840.1.101.3.4.2.{last}": f"1.2.840.113549.1.1.{10 + last}" for last in (1, 2, 3)}
SM2_ENCRYPT = "1.2.156.10197.1.301.3"
SM4_CBC = "1.2.156.10197.1.104.2"
_SM4 = "1.2.156.10197.1.104"


class EnvelopeError(ValueError):
    """Bytes that are not the expected message, or not for this key."""


@dataclass(frozen=True)
class SignerInfo:
    """One signer of a signed message: who (issuer's name and serial), and what was signed."""

    issuer: bytes
    serial: int
    digest_algorithm: str
    algorithm: str
    signature: bytes
    attributes: bytes
    """The signed attributes as the SET that was signed; empty when there are none."""
    digest: bytes | None
    """The messageDigest of the attributes."""
    time: datetime | None
    """The signing time that the signer claims."""
    certificate_digest: bytes = b""
    """The SM3 digest of the signer's certificate, where the attributes name it (RFC 5035)."""


@dataclass(frozen=True)
class Signed:
    """A signed message. ``content`` is None when it is kept elsewhere."""

    content: bytes | None
    certificates: tuple[Certificate, ...]
    signers: tuple[SignerInfo, ...]

    def certificate_of(self, signer: SignerInfo) -> Certificate | None:
        """The signer's certificate, if the message brings it."""
        for certificate in self.certificates:
            if (certificate.issuer, certificate.serial) == (signer.issuer, signer.serial):
                return certificate
        return None


def is_signed(data: bytes) -> bool:
    """Whether ``data`` begins as a signed message, of GB/T 35275 or of PKCS #7."""
    try:
        parts = der.read_first(data).sequence()
        return parts[0].oid() in (SIGNED, _PKCS_SIGNED)
    except (der.DerError, IndexError):
        return False


def read_signed(data: bytes) -> Signed:
    """The signed message in ``data``. Raises ``EnvelopeError``."""
    try:
        kind, wrapped = der.read_first(data).sequence()
        if kind.oid() not in (SIGNED, _PKCS_SIGNED):
            raise EnvelopeError("not a signed message")
        [inner] = wrapped.expect(0xA0).children()
        _, _, content, *rest = inner.sequence()
        certificates = tuple(
            read_certificate(entry.raw) for part in rest if part.tag == 0xA0 for entry in part.children()
        )
        signers = tuple(_signer(entry) for entry in rest[-1].expect(der.SET).children())
        _, *held = content.sequence()
        text = None
        if held:
            [value] = held[0].expect(0xA0).children()
            text = value.body
        return Signed(text, certificates, signers)
    except (der.DerError, CertificateError, ValueError, IndexError) as error:
        raise EnvelopeError("not a signed message") from error


def _signer(entry: der.Tlv) -> SignerInfo:
    _, who, digest_algorithm, *rest = entry.sequence()
    attributes, digest, time, named = b"", None, None, b""
    if rest[0].tag == 0xA0:
        attributes = der.value(der.SET, rest[0].body)
        for attribute in rest[0].children():
            kind, values = attribute.sequence()
            [value] = values.expect(der.SET).children()
            if kind.oid() == _MESSAGE_DIGEST:
                digest = value.expect(der.OCTETS).body
            elif kind.oid() == _SIGNING_TIME:
                time = value.time()
            elif kind.oid() == _SIGNING_CERTIFICATE:
                named = _certificate_digest(value)
        rest = rest[1:]
    issuer, serial = who.sequence()
    return SignerInfo(
        issuer.raw,
        serial.int(),
        digest_algorithm.sequence()[0].oid(),
        rest[0].sequence()[0].oid(),
        rest[1].expect(der.OCTETS).body,
        attributes,
        digest,
        time,
        named,
    )


def _certificate_digest(value: der.Tlv) -> bytes:
    """What SigningCertificateV2 names by SM3; empty for other digests."""
    first = value.sequence()[0].sequence()[0].sequence()
    return first[1].body if first[0].tag == der.SEQUENCE and first[0].sequence()[0].raw == der.oid(SM3) else b""


def digest_fits(signer: SignerInfo, content: bytes) -> bool:
    """Whether the attributes name the digest of ``content``; without attributes the signature alone says so.

    Raises ``UnknownAlgorithm``.
    """
    if not signer.attributes:
        return True
    return signer.digest == digest(signer.digest_algorithm, content)


def digest(algorithm: str, content: bytes) -> bytes:
    """The digest of ``content`` by an algorithm's dotted name. Raises ``UnknownAlgorithm``."""
    if algorithm == SM3:
        return sm3(content)
    if algorithm not in _SHA2:
        raise UnknownAlgorithm(algorithm)
    return hashlib.new(_SHA2[algorithm], content).digest()


def signature_fits(signer: SignerInfo, certificate: Certificate, content: bytes) -> bool:
    """Whether the signer's signature is by the key of ``certificate``. Raises ``UnknownAlgorithm``."""
    if signer.certificate_digest and signer.certificate_digest != sm3(certificate.raw):
        return False
    signed = signer.attributes or content
    algorithm = signer.algorithm
    if algorithm == _RSA:  # the digest stands beside it
        algorithm = _RSA_WITH.get(signer.digest_algorithm, algorithm)
    return check_signature(certificate.key_info, algorithm, signed, signer.signature)


def _algorithm(oid: str, parameters: bytes = b"\x05\x00") -> bytes:
    return der.sequence(der.oid(oid), parameters)


def make_signed(
    content: bytes,
    key: sm2.Key,
    certificate: Certificate,
    time: datetime,
    *,
    detached: bool = False,
    others: Iterable[Certificate] = (),
) -> bytes:
    """A message signed by ``key``, with its certificate and ``others`` of its chain."""
    held = b"" if detached else der.value(0xA0, der.octets(content))
    return _signed(held, sm3(content), key, certificate, time, others, DATA, SIGNED)


def make_cms(
    digest: bytes, key: sm2.Key, certificate: Certificate, time: datetime, others: Iterable[Certificate] = ()
) -> bytes:
    """The same for content kept elsewhere whose SM3 ``digest`` is known, named as PKCS #7 does: for PDF (RFC 5652)."""
    return _signed(b"", digest, key, certificate, time, others, _PKCS_DATA, _PKCS_SIGNED)


def make_tst(info: bytes, key: sm2.Key, certificate: Certificate, time: datetime) -> bytes:
    """The message that a time stamp token is, over its TSTInfo (RFC 3161, 2.4.2)."""
    held = der.value(0xA0, der.octets(info))
    return _signed(held, sm3(info), key, certificate, time, (), _TST_INFO, _PKCS_SIGNED)


def _signed(
    held: bytes,
    digest: bytes,
    key: sm2.Key,
    certificate: Certificate,
    time: datetime,
    others: Iterable[Certificate],
    data: str,
    signed: str,
) -> bytes:
    def attribute(oid: str, value: bytes) -> bytes:
        return der.sequence(der.oid(oid), der.value(der.SET, value))

    named = der.sequence(der.sequence(der.sequence(_algorithm(SM3), der.octets(sm3(certificate.raw)))))
    parts = sorted(
        (
            attribute(_CONTENT_TYPE, der.oid(data)),
            attribute(_MESSAGE_DIGEST, der.octets(digest)),
            attribute(_SIGNING_TIME, der.time(time, der.UTC_TIME)),
            attribute(_SIGNING_CERTIFICATE, named),
        )
    )
    attributes = b"".join(parts)
    signer = der.sequence(
        der.integer(1),
        der.sequence(certificate.issuer, der.integer(certificate.serial)),
        _algorithm(SM3),
        der.value(0xA0, attributes),
        _algorithm(SM2_SIGN),
        der.octets(sm2.sign(key, der.value(der.SET, attributes))),
    )
    body = der.sequence(
        der.integer(1),
        der.value(der.SET, _algorithm(SM3)),
        der.sequence(der.oid(data), held),
        der.value(0xA0, b"".join(each.raw for each in (certificate, *others))),
        der.value(der.SET, signer),
    )
    return der.sequence(der.oid(signed), der.value(0xA0, body))


def make_envelope(content: bytes, recipients: Iterable[Certificate]) -> bytes:
    """``content`` under a new SM4 key, which each recipient's SM2 key opens (GB/T 35275, 10)."""
    key, iv = secrets.token_bytes(sm4.BLOCK), secrets.token_bytes(sm4.BLOCK)
    who = [
        der.sequence(
            der.integer(1),
            der.sequence(each.issuer, der.integer(each.serial)),
            _algorithm(SM2_ENCRYPT),
            der.octets(sm2.encrypt(each.point, key)),
        )
        for each in recipients
    ]
    sealed = der.sequence(
        der.oid(DATA), _algorithm(SM4_CBC, der.octets(iv)), der.value(0x80, sm4.cbc_encrypt(key, iv, content))
    )
    body = der.sequence(der.integer(1), der.value(der.SET, b"".join(who)), sealed)
    return der.sequence(der.oid(ENVELOPED), der.value(0xA0, body))


def open_envelope(data: bytes, certificate: Certificate, key: sm2.SoftKey) -> bytes:
    """What ``make_envelope`` was given. Raises ``EnvelopeError`` when it isn't for this certificate, or damaged.

    Nothing in this structure guards the content against a change: what matters is signed inside it.
    """
    try:
        kind, wrapped = der.read(data).sequence()
        if kind.oid() != ENVELOPED:
            raise EnvelopeError("not an envelope")
        [inner] = wrapped.expect(0xA0).children()
        _, recipients, sealed = inner.sequence()[:3]
        _, algorithm, hidden = sealed.sequence()
        cipher, iv = algorithm.sequence()
        if cipher.oid() not in (SM4_CBC, _SM4):
            raise EnvelopeError("another cipher")
        for recipient in recipients.expect(der.SET).children():
            _, who, _, wrapped_key = recipient.sequence()
            issuer, serial = who.sequence()
            if (issuer.raw, serial.int()) == (certificate.issuer, certificate.serial):
                content_key = sm2.decrypt(key, wrapped_key.expect(der.OCTETS).body)
                return sm4.cbc_decrypt(content_key, iv.expect(der.OCTETS).body, hidden.body)
    except EnvelopeError:
        raise
    except ValueError as error:
        raise EnvelopeError("damaged") from error
    raise EnvelopeError("for somebody else")
