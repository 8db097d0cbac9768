"""Whether a seal may be used now, told before anything is signed with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from modules.common.gm.trust import Revocation, Trust, chain_of
from modules.common.seals.making import Issued
from modules.common.seals.status import SealState, state_of
from modules.common.text import tr


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a seal: ``faults`` are why it may not be used, ``notes`` what could not be looked up."""

    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def standing_of(issued: Issued, trust: Trust, now: datetime) -> Standing:
    """How a seal and its signer's certificate stand at ``now``, by what the office trusts and by its lists.

    What sealing itself refuses (SEAL-003) is among the faults, and what verifying would later find besides.
    """
    seal, certificate = issued.seal, issued.certificate
    if seal is None:
        return Standing((tr("这个文件里只有证书，没有印章。"),))
    faults, notes = [], []
    if now < seal.since:
        faults.append(tr("印章还没有到启用日期。"))
    if now > seal.until:
        faults.append(tr("印章已过有效期，请向制章部门申请换发。"))
    if not certificate.not_before <= now <= certificate.not_after:
        faults.append(tr("用章人的证书不在有效期内。"))
    if not seal.lists(certificate.raw):
        faults.append(tr("这枚印章没有授权给这位用章人。"))
    state = state_of(seal, trust)
    if state is not None:
        frozen = state.state is SealState.FROZEN
        faults.append(tr("印章已被冻结，暂时不能使用。") if frozen else tr("印章已被注销，不能使用。"))
    chain = chain_of(certificate, issued.chain, trust, now, now)
    if chain.revocation is Revocation.REVOKED:
        faults.append(tr("用章人的证书已被吊销。"))
    elif not chain.trusted:
        notes.append(tr("本机没有配置这枚印章的根证书，盖出的章在本机验证时会有保留。"))
    elif chain.revocation is Revocation.UNKNOWN:
        notes.append(tr("查不到证书的吊销情况：本机没有有效的吊销列表。"))
    return Standing(tuple(faults), tuple(notes))
