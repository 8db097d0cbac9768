"""X.509 certificates and revocation lists with SM2 keys (GB/T 20518-2018), read and checked one by one.

Certificates of RSA and of other curves are checked too, because old seals have them. What was signed is taken from
the bytes as they came. ``trust`` builds chains of them, ``issuing`` makes new ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any

from modules.common.gm import der, sm2

SM2_WITH_SM3 = "1.2.156.10197.1.501"
SM2_SIGN = "1.2.156.10197.1.301.1"
SM2_CURVE = "1.2.156.10197.1.301"
SM3 = "1.2.156.10197.1.401"
EC_KEY = "1.2.840.10045.2.1"
SM2_ALGORITHMS = (SM2_WITH_SM3, SM2_SIGN, SM2_CURVE)
"""What signatures by SM2 with SM3 are called in the wild."""
_OTHER_DIGESTS = {
    "1.2.840.113549.1.1.11": "SHA256",
    "1.2.840.113549.1.1.12": "SHA384",
    "1.2.840.113549.1.1.13": "SHA512",
    "1.2.840.10045.4.3.2": "SHA256",
    "1.2.840.10045.4.3.3": "SHA384",
}
_COMMON_NAME, _ORGANISATION, _UNIT = "2.5.4.3", "2.5.4.10", "2.5.4.11"
_UNDERSTOOD = {f"2.5.29.{last}" for last in (14, 15, 17, 19, 31, 32, 35, 37)}


_BROKEN = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What asn1crypto is found to raise for bytes that are not what they should be."""


class CertificateError(ValueError):
    """Bytes that are no certificate or revocation list."""


class UnknownAlgorithm(Exception):
    """A signature or key of a kind that cannot be checked here: neither right nor wrong."""


def names(raw: bytes) -> dict[str, str]:
    """The parts of a distinguished name, by dotted type; of several of one type the last."""
    parts = {}
    for group in der.read(raw).sequence():
        for pair in group.children():
            kind, text = pair.sequence()
            parts[kind.oid()] = text.text() if text.tag in (12, 19, 20, 22, 26, 30) else text.body.hex()
    return parts


@dataclass(frozen=True)
class Certificate:
    """A certificate and the facts of it that are asked for. ``read_certificate`` makes them."""

    raw: bytes
    tbs: bytes
    algorithm: str
    signature: bytes
    serial: int
    issuer: bytes
    """The DER of the name, as names are compared."""
    subject: bytes
    not_before: datetime
    not_after: datetime
    key_info: bytes

    @cached_property
    def name(self) -> str:
        """What people call its subject."""
        parts = names(self.subject)
        return next((parts[kind] for kind in (_COMMON_NAME, _UNIT, _ORGANISATION) if kind in parts), "")

    @cached_property
    def issuer_name(self) -> str:
        """What people call its issuer."""
        parts = names(self.issuer)
        return next((parts[kind] for kind in (_COMMON_NAME, _UNIT, _ORGANISATION) if kind in parts), "")

    @cached_property
    def point(self) -> bytes:
        """Its SM2 public key, 65 bytes; empty when its key is of another kind."""
        algorithm, key = der.read(self.key_info).sequence()
        kind, *parameters = algorithm.sequence()
        if kind.oid() not in (EC_KEY, SM2_CURVE) or not parameters or parameters[0].tag != der.OID:
            return b""
        return key.bits() if parameters[0].oid() == SM2_CURVE else b""

    @cached_property
    def _extensions(self) -> dict[str, tuple[bool, Any]]:
        from asn1crypto import x509

        found = {}
        for entry in x509.Certificate.load(self.raw)["tbs_certificate"]["extensions"]:
            try:
                value = entry["extn_value"].parsed.native if entry["extn_id"].dotted in _UNDERSTOOD else None
            except _BROKEN:
                value = None
            found[entry["extn_id"].dotted] = (bool(entry["critical"].native), value)
        return found

    def _extension(self, oid: str) -> Any:
        return self._extensions.get(oid, (False, None))[1]

    @property
    def may_sign(self) -> bool:
        """Whether it is for signing documents: key usage digitalSignature or nonRepudiation, or none said."""
        usage = self._extension("2.5.29.15")
        return usage is None or bool({"digital_signature", "non_repudiation"} & set(usage))

    @property
    def may_stamp(self) -> bool:
        """Whether it is for time stamps and for nothing else (RFC 3161, 2.3)."""
        return bool(self._extension("2.5.29.37") == ["time_stamping"])

    @property
    def is_authority(self) -> bool:
        """Whether it may issue certificates."""
        usage, constraints = self._extension("2.5.29.15"), self._extension("2.5.29.19")
        return bool(constraints and constraints["ca"]) and (usage is None or "key_cert_sign" in usage)

    @property
    def path_length(self) -> int | None:
        """How many authorities may stand between it and the end; None for any number."""
        length: int | None = (self._extension("2.5.29.19") or {}).get("path_len_constraint")
        return length

    @property
    def strange(self) -> list[str]:
        """Critical extensions that are not understood here."""
        return [oid for oid, (critical, _) in self._extensions.items() if critical and oid not in _UNDERSTOOD]

    @property
    def key_identifier(self) -> bytes | None:
        """The identifier that it gives its key."""
        found: bytes | None = self._extension("2.5.29.14")
        return found

    @property
    def authority_identifier(self) -> bytes | None:
        """The identifier that it gives its issuer's key."""
        found: bytes | None = (self._extension("2.5.29.35") or {}).get("key_identifier")
        return found

    @property
    def self_issued(self) -> bool:
        """Whether subject and issuer are one name."""
        return self.subject == self.issuer


@lru_cache(512)
def read_certificate(raw: bytes) -> Certificate:
    """The certificate that ``raw`` (DER) is. Raises ``CertificateError``."""
    try:
        tbs, algorithm, signature = der.read(raw).sequence()
        parts = tbs.sequence()
        if parts[0].tag == 0xA0:
            parts = parts[1:]
        serial, _, issuer, validity, subject, key_info = parts[:6]
        before, after = validity.sequence()
        certificate = Certificate(
            raw,
            tbs.raw,
            algorithm.sequence()[0].oid(),
            signature.bits(),
            serial.int(),
            issuer.expect(der.SEQUENCE).raw,
            subject.expect(der.SEQUENCE).raw,
            before.time(),
            after.time(),
            key_info.expect(der.SEQUENCE).raw,
        )
        # looked at now, so that nothing of it can fail later
        _ = certificate.name, certificate.issuer_name, certificate.point, certificate._extensions
    except _BROKEN as error:
        raise CertificateError("not a certificate") from error
    return certificate


def check_signature(key_info: bytes, algorithm: str, signed: bytes, signature: bytes) -> bool:
    """Whether ``signature`` over ``signed`` is by the key of ``key_info`` (DER of SubjectPublicKeyInfo).

    Raises ``UnknownAlgorithm`` for what cannot be checked.
    """
    if algorithm in SM2_ALGORITHMS:
        point = _point(key_info)
        if not point:
            raise UnknownAlgorithm(algorithm)
        return sm2.verify(point, signed, signature)
    return _check_other(key_info, algorithm, signed, signature)


@lru_cache(512)
def _point(key_info: bytes) -> bytes:
    algorithm, key = der.read(key_info).sequence()
    return key.bits() if algorithm.sequence()[-1].raw == der.oid(SM2_CURVE) else b""


def _check_other(key_info: bytes, algorithm: str, signed: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        digest = getattr(hashes, _OTHER_DIGESTS[algorithm])()
        key = load_der_public_key(key_info)
    except (KeyError, ValueError, UnsupportedAlgorithm) as error:
        raise UnknownAlgorithm(algorithm) from error
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(digest))
        else:
            raise UnknownAlgorithm(algorithm)
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True)
class RevocationList:
    """A CRL: who issued it, for when it holds, and what it revokes (serial: moment and reason)."""

    tbs: bytes
    algorithm: str
    signature: bytes
    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    revoked: dict[int, tuple[datetime, str]]


@lru_cache(64)
def read_revocation_list(raw: bytes) -> RevocationList:
    """The revocation list that ``raw`` (DER) is. Raises ``CertificateError``."""
    from asn1crypto import crl

    try:
        tbs, algorithm, signature = der.read(raw).sequence()
        read = crl.CertificateList.load(raw)["tbs_cert_list"]
        revoked = {}
        for entry in read["revoked_certificates"]:
            reason = entry.crl_reason_value
            moment = entry["revocation_date"].native
            revoked[int(entry["user_certificate"].native)] = (moment, reason.native if reason else "unspecified")
        return RevocationList(
            tbs.raw,
            algorithm.sequence()[0].oid(),
            signature.bits(),
            read["issuer"].dump(),
            read["this_update"].native,
            read["next_update"].native,
            revoked,
        )
    except _BROKEN as error:
        raise CertificateError("not a revocation list") from error
