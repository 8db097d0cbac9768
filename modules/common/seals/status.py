"""Lists of seals that are frozen or revoked, signed by their maker: what an office keeps beside its roots.

::

    SealStatusList ::= SEQUENCE { SEQUENCE { version INTEGER, thisUpdate, nextUpdate GeneralizedTime,
        SEQUENCE OF SEQUENCE { esID IA5String, state INTEGER {frozen(1), revoked(2)}, since GeneralizedTime } },
        maker OCTET STRING, algorithm OBJECT IDENTIFIER, signature BIT STRING }
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from modules.common.gm import der, sm2
from modules.common.gm.certificates import SM2_WITH_SM3, UnknownAlgorithm, check_signature, read_certificate
from modules.common.gm.trust import Trust
from modules.common.seals.ses import Seal


class SealState(IntEnum):
    """Why a seal may not be used."""

    FROZEN = 1
    REVOKED = 2


@dataclass(frozen=True, slots=True)
class Status:
    """A seal's state, and since when."""

    id: str
    state: SealState
    since: datetime


def make_status_list(entries: Iterable[Status], key: sm2.Key, maker: bytes, since: datetime, until: datetime) -> bytes:
    """The signed list of ``entries``."""
    listed = [
        der.sequence(der.text(each.id, der.IA5), der.integer(each.state), der.time(each.since)) for each in entries
    ]
    tbs = der.sequence(der.integer(1), der.time(since), der.time(until), der.sequence(*listed))
    return der.sequence(tbs, der.octets(maker), der.oid(SM2_WITH_SM3), der.bits(sm2.sign(key, tbs)))


def read_status_list(raw: bytes, maker: bytes) -> dict[str, Status]:
    """The entries of a list, by seal. Raises ``ValueError`` unless it is one signed by ``maker`` (a certificate)."""
    tbs, who, algorithm, signature = der.read(raw).sequence()
    try:
        key = read_certificate(maker).key_info
        if who.body != maker or not check_signature(key, algorithm.oid(), tbs.raw, signature.bits()):
            raise ValueError("not signed by this maker")
    except UnknownAlgorithm as error:
        raise ValueError("signed in an unknown way") from error
    found = {}
    for entry in tbs.sequence()[3].sequence():
        identifier, state, since = entry.sequence()
        found[identifier.text()] = Status(identifier.text(), SealState(state.int()), since.time())
    return found


def state_of(seal: Seal, trust: Trust) -> Status | None:
    """What a list by the seal's own maker says of it; None when none names it. What was told once holds on."""
    for raw in trust.seal_lists:
        try:
            listed = read_status_list(raw, seal.maker)
        except (ValueError, IndexError):
            continue
        if seal.id in listed:
            return listed[seal.id]
    return None
