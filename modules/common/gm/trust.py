"""Whether a certificate leads to one that the office trusts, and whether it was revoked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from modules.common.gm.certificates import (
    Certificate,
    RevocationList,
    UnknownAlgorithm,
    check_signature,
    read_certificate,
    read_revocation_list,
)

_DEEPEST = 8
_LARGEST = 32 << 20
_CERTIFICATES, _LISTS = {".cer", ".crt", ".der", ".pem"}, {".crl"}
STATUS_SUFFIX = ".seals"
"""Signed lists of frozen and revoked seals, beside certificates and revocation lists."""


@dataclass(frozen=True)
class Trust:
    """What an office trusts: certificates, each an anchor by itself, and the lists that it knows of.

    ``seal_lists`` are lists of frozen and revoked seals as they came (``seals.status`` reads them).
    """

    anchors: tuple[Certificate, ...] = ()
    lists: tuple[RevocationList, ...] = ()
    seal_lists: tuple[bytes, ...] = ()
    skipped: tuple[str, ...] = ()
    """Names of files in the folder that are nothing of this."""


def load_trust(folder: Path) -> Trust:
    """What lies in ``folder``: certificates (DER or PEM), ``.crl`` and ``.seals``. Raises ``OSError``."""
    anchors: list[Certificate] = []
    lists: list[RevocationList] = []
    seal_lists: list[bytes] = []
    skipped: list[str] = []
    for path in sorted(folder.iterdir()):
        kind = path.suffix.lower()
        if not path.is_file() or path.name.startswith(".") or kind not in _CERTIFICATES | _LISTS | {STATUS_SUFFIX}:
            continue
        data = path.read_bytes() if path.stat().st_size <= _LARGEST else b""
        try:
            if kind == STATUS_SUFFIX:
                seal_lists.append(data)
            elif kind in _LISTS:
                lists += [read_revocation_list(part) for part in _parts(data)]
            else:
                anchors += [read_certificate(part) for part in _parts(data)]
        except ValueError:
            skipped.append(path.name)
    return Trust(tuple(anchors), tuple(lists), tuple(seal_lists), tuple(skipped))


def _parts(data: bytes) -> list[bytes]:
    from asn1crypto import pem

    if not pem.detect(data):
        return [data]
    return [part for _, _, part in pem.unarmor(data, multiple=True)]


class Revocation(StrEnum):
    """What is known of a certificate's revocation."""

    GOOD = "good"
    REVOKED = "revoked"
    LATER = "later"
    """Revoked after the moment asked for."""
    UNKNOWN = "unknown"


@dataclass
class Chain:
    """What was found of a certificate's chain: the certificates from it upwards, and what is wrong with them."""

    certificates: list[Certificate] = field(default_factory=list)
    trusted: bool = False
    expired: list[Certificate] = field(default_factory=list)
    """Those not valid at the moment asked for."""
    unfit: list[Certificate] = field(default_factory=list)
    """Authorities that may not issue, or too deep, or with a critical extension that is not understood."""
    forged: list[Certificate] = field(default_factory=list)
    """Those whose issuer, by name and key identifier, is there and has not signed them."""
    revocation: Revocation = Revocation.UNKNOWN
    revoked: Certificate | None = None
    revoked_at: datetime | None = None
    reason: str = ""


def chain_of(leaf: Certificate, others: Iterable[Certificate], trust: Trust, moment: datetime, now: datetime) -> Chain:
    """The chain of ``leaf`` towards an anchor of ``trust``, by way of ``others``, judged for ``moment``.

    ``now`` says whether a revocation list still holds. Never raises.
    """
    chain = Chain([leaf])
    known = [*trust.anchors, *others]
    while True:
        last = chain.certificates[-1]
        if last in trust.anchors:
            chain.trusted = True
            break
        issuer = _issuer(last, known, chain)
        if issuer is None or issuer in chain.certificates or len(chain.certificates) > _DEEPEST:
            break
        chain.certificates.append(issuer)
    for depth, certificate in enumerate(chain.certificates):
        if not certificate.not_before <= moment <= certificate.not_after:
            chain.expired.append(certificate)
        limit = certificate.path_length
        if certificate.strange or (
            depth and (not certificate.is_authority or (limit is not None and depth - 1 > limit))
        ):
            chain.unfit.append(certificate)
    if chain.trusted:
        _revocation(chain, trust, moment, now)
    return chain


def _issuer(certificate: Certificate, known: list[Certificate], chain: Chain) -> Certificate | None:
    for candidate in known:
        if candidate.subject != certificate.issuer:
            continue
        wanted, own = certificate.authority_identifier, candidate.key_identifier
        if wanted and own and wanted != own:
            continue
        try:
            if check_signature(candidate.key_info, certificate.algorithm, certificate.tbs, certificate.signature):
                return candidate
        except UnknownAlgorithm:
            continue
        if candidate is not certificate and wanted and wanted == own:
            chain.forged.append(certificate)
    return None


def _revocation(chain: Chain, trust: Trust, moment: datetime, now: datetime) -> None:
    """Every certificate below the anchor needs a fresh list of its issuer; the anchor is trusted by itself."""
    worst = Revocation.GOOD
    for certificate, issuer in zip(chain.certificates, chain.certificates[1:], strict=False):
        state = _revoked_by(certificate, issuer, trust, moment, now, chain)
        if state in (Revocation.REVOKED, Revocation.LATER):
            chain.revocation = state
            return
        if state is Revocation.UNKNOWN:
            worst = state
    chain.revocation = worst


def _revoked_by(
    certificate: Certificate, issuer: Certificate, trust: Trust, moment: datetime, now: datetime, chain: Chain
) -> Revocation:
    state = Revocation.UNKNOWN
    for entry in trust.lists:
        if entry.issuer != issuer.subject:
            continue
        try:
            if not check_signature(issuer.key_info, entry.algorithm, entry.tbs, entry.signature):
                continue
        except UnknownAlgorithm:
            continue
        if certificate.serial in entry.revoked:
            chain.revoked = certificate
            chain.revoked_at, chain.reason = entry.revoked[certificate.serial]
            return Revocation.REVOKED if chain.revoked_at <= moment else Revocation.LATER
        if entry.next_update is None or entry.next_update >= now:
            state = Revocation.GOOD
    return state
