"""Makes SM2 keys' certificates and revocation lists (GB/T 20518-2018): what a district's own seal authority needs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from modules.common.gm import der, sm2
from modules.common.gm.certificates import EC_KEY, SM2_CURVE, SM2_WITH_SM3, Certificate, read_certificate
from modules.common.gm.digests import sm3

_TYPES = {"C": "2.5.4.6", "ST": "2.5.4.8", "L": "2.5.4.7", "O": "2.5.4.10", "OU": "2.5.4.11", "CN": "2.5.4.3"}
_ALGORITHM = der.sequence(der.oid(SM2_WITH_SM3))
_REASONS = ("unspecified", "key_compromise", "ca_compromise", "affiliation_changed", "superseded", "cessation", "hold")
_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"
_KEY_USAGE = {"sign": b"\x06\xc0", "stamp": b"\x06\xc0", "encrypt": b"\x04\x30", "authority": b"\x01\x06"}
"""Bits unused, then: digitalSignature, nonRepudiation; key and data encipherment; keyCertSign, cRLSign."""


def distinguished_name(parts: Mapping[str, str]) -> bytes:
    """The DER of a name from its parts (C, ST, L, O, OU, CN)."""
    pairs = ((kind, der.text(text, 19 if kind == "C" else der.UTF8)) for kind, text in parts.items() if text)
    return der.sequence(*(der.value(der.SET, der.sequence(der.oid(_TYPES[kind]), text)) for kind, text in pairs))


def key_info(point: bytes) -> bytes:
    """SubjectPublicKeyInfo of an SM2 key."""
    return der.sequence(der.sequence(der.oid(EC_KEY), der.oid(SM2_CURVE)), der.bits(point))


def key_identifier(point: bytes) -> bytes:
    """The identifier that our certificates give a key."""
    return sm3(point)[:20]


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    return der.sequence(der.oid(oid), *([der.value(der.BOOLEAN, b"\xff")] if critical else []), der.octets(value))


def _time(moment: datetime) -> bytes:
    return der.time(moment, der.UTC_TIME if moment.year < 2050 else der.GENERALIZED_TIME)


@dataclass(frozen=True, slots=True)
class Authority:
    """A key that issues, and its certificate."""

    key: sm2.Key
    certificate: Certificate

    def issue(
        self, point: bytes, subject: Mapping[str, str], since: datetime, until: datetime, use: str = "sign"
    ) -> Certificate:
        """A certificate for the key ``point``; ``use`` is sign, stamp, encrypt or authority (of no others)."""
        return _make(self.key, self.certificate.subject, point, distinguished_name(subject), since, until, use, 0)

    def revoke(
        self, revoked: Mapping[int, tuple[datetime, str]], since: datetime, until: datetime, number: int = 1
    ) -> bytes:
        """The DER of a revocation list: serial numbers with moment and reason, to be renewed before ``until``."""
        entries = []
        for serial, (moment, reason) in sorted(revoked.items()):
            why = _extension("2.5.29.21", der.value(10, bytes((_REASONS.index(reason),))))
            entries.append(der.sequence(der.integer(serial), _time(moment), der.sequence(why)))
        identity = der.sequence(der.value(0x80, key_identifier(self.key.point)))
        extensions = _extension("2.5.29.35", identity) + _extension("2.5.29.20", der.integer(number))
        tbs = der.sequence(
            der.integer(1),
            _ALGORITHM,
            self.certificate.subject,
            _time(since),
            _time(until),
            *([der.sequence(*entries)] if entries else []),
            der.value(0xA0, der.sequence(extensions)),
        )
        return der.sequence(tbs, _ALGORITHM, der.bits(sm2.sign(self.key, tbs)))


def root(key: sm2.Key, subject: Mapping[str, str], since: datetime, until: datetime) -> Authority:
    """An authority that vouches for itself."""
    name = distinguished_name(subject)
    return Authority(key, _make(key, name, key.point, name, since, until, "authority", None))


def _make(
    key: sm2.Key,
    issuer: bytes,
    point: bytes,
    subject: bytes,
    since: datetime,
    until: datetime,
    use: str,
    depth: int | None,
) -> Certificate:
    authority = use == "authority"
    constraints = [der.value(der.BOOLEAN, b"\xff")] if authority else []
    if authority and depth is not None:
        constraints.append(der.integer(depth))
    extensions = [
        _extension("2.5.29.35", der.sequence(der.value(0x80, key_identifier(key.point)))),
        _extension("2.5.29.14", der.octets(key_identifier(point))),
        _extension("2.5.29.19", der.sequence(*constraints), critical=True),
        _extension("2.5.29.15", der.value(der.BITS, _KEY_USAGE[use]), critical=True),
    ]
    if use == "stamp":
        extensions.append(_extension("2.5.29.37", der.sequence(der.oid(_TIME_STAMPING)), critical=True))
    tbs = der.sequence(
        der.value(0xA0, der.integer(2)),
        der.integer(secrets.randbits(127) | 1 << 126),
        _ALGORITHM,
        issuer,
        der.sequence(_time(since), _time(until)),
        subject,
        key_info(point),
        der.value(0xA3, der.sequence(*extensions)),
    )
    return read_certificate(der.sequence(tbs, _ALGORITHM, der.bits(sm2.sign(key, tbs))))
