"""Time stamps (RFC 3161; GM/T 0033-2014 by SM2 and SM3): requests, answers, tokens. Sending is another's task."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from modules.common.gm import der, envelopes, sm2
from modules.common.gm.certificates import SM3, Certificate, UnknownAlgorithm
from modules.common.gm.digests import sm3

_POLICY = "1.2.3.4.1"


class TimestampError(ValueError):
    """Bytes that are no time stamp, or one that does not fit."""


@dataclass(frozen=True)
class Token:
    """A time stamp token: when, over what, and who says so."""

    time: datetime
    algorithm: str
    imprint: bytes
    nonce: int | None
    signer: envelopes.SignerInfo
    authority: Certificate | None
    certificates: tuple[Certificate, ...]
    info: bytes


def request(value: bytes) -> tuple[bytes, int]:
    """A request for a stamp over ``value``, and its nonce."""
    nonce = secrets.randbits(63) | 1
    imprint = der.sequence(der.sequence(der.oid(SM3), b"\x05\x00"), der.octets(sm3(value)))
    whole = der.sequence(der.integer(1), imprint, der.integer(nonce), der.value(der.BOOLEAN, b"\xff"))
    return whole, nonce


def answered(response: bytes, value: bytes, nonce: int) -> bytes:
    """The token in a server's answer to ``request``. Raises ``TimestampError`` when it refuses or answers another."""
    try:
        status, *rest = der.read(response).sequence()
        if status.sequence()[0].int() not in (0, 1) or not rest:
            raise TimestampError("refused")
        token = read_token(rest[0].raw)
    except (der.DerError, IndexError) as error:
        raise TimestampError("not an answer") from error
    if token.nonce != nonce or not fits(token, value):
        raise TimestampError("an answer to another request")
    return rest[0].raw


def read_token(raw: bytes) -> Token:
    """The token that ``raw`` is. Raises ``TimestampError``."""
    try:
        message = envelopes.read_signed(raw)
        [signer] = message.signers
        info = message.content or b""
        _, _, imprint, _, time, *rest = der.read(info).sequence()
        algorithm, digest = imprint.sequence()
        nonce = next((each.int() for each in rest if each.tag == der.INTEGER), None)
        return Token(
            time.time(),
            algorithm.sequence()[0].oid(),
            digest.expect(der.OCTETS).body,
            nonce,
            signer,
            message.certificate_of(signer),
            message.certificates,
            info,
        )
    except (ValueError, IndexError) as error:
        raise TimestampError("not a time stamp") from error


def fits(token: Token, value: bytes) -> bool:
    """Whether the token is over ``value`` and signed by the authority whose certificate it brings.

    Raises ``UnknownAlgorithm``.
    """
    if token.authority is None:
        raise UnknownAlgorithm("no certificate")
    if envelopes.digest(token.algorithm, value) != token.imprint:
        return False
    whole = envelopes.digest_fits(token.signer, token.info)
    return (
        bool(token.signer.attributes) and whole and envelopes.signature_fits(token.signer, token.authority, token.info)
    )


def make_token(
    value: bytes, key: sm2.Key, authority: Certificate, time: datetime, serial: int, nonce: int | None = None
) -> bytes:
    """A token over ``value`` by an authority with an SM2 key."""
    imprint = der.sequence(der.sequence(der.oid(SM3), b"\x05\x00"), der.octets(sm3(value)))
    info = der.sequence(
        der.integer(1),
        der.oid(_POLICY),
        imprint,
        der.integer(serial),
        der.time(time),
        *([der.integer(nonce)] if nonce is not None else []),
    )
    return envelopes.make_tst(info, key, authority, time)
