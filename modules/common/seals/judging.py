"""Who signed, who made the seal, and whether they were entitled then: what OFD and PDF signatures have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from modules.common.gm import timestamps
from modules.common.gm.certificates import (
    Certificate,
    CertificateError,
    UnknownAlgorithm,
    check_signature,
    read_certificate,
)
from modules.common.gm.trust import Chain, Revocation, Trust, chain_of
from modules.common.seals.report import SignatureReport, Verdict, worst
from modules.common.seals.ses import Seal, Signature
from modules.common.seals.status import SealState, state_of
from modules.common.text import together, tr

LOCAL = ZoneInfo("Asia/Shanghai")


def day(moment: datetime) -> str:
    """A date as people here write it."""
    return moment.astimezone(LOCAL).strftime("%Y-%m-%d")


def minute(moment: datetime) -> str:
    """A moment as people here write it."""
    return moment.astimezone(LOCAL).strftime("%Y-%m-%d %H:%M:%S")


def certificate_in(raw: bytes) -> Certificate | None:
    """The certificate that ``raw`` is, or None."""
    try:
        return read_certificate(raw)
    except CertificateError:
        return None


def judge_signer(report: SignatureReport, signature: Signature) -> Certificate | None:
    """Whether the signer's signature is over exactly what is there; the signer's certificate."""
    certificate = certificate_in(signature.certificate)
    if certificate is None:
        report.add("signer", Verdict.INVALID, tr("签章人证书无法读取。"))
        return None
    report.signer = certificate.name
    try:
        fits = check_signature(certificate.key_info, signature.algorithm, signature.signed, signature.value)
    except UnknownAlgorithm:
        report.add("signer", Verdict.UNVERIFIABLE, tr("签名算法 {oid} 无法识别。", oid=signature.algorithm))
        return certificate
    if not fits:
        report.add(
            "signer",
            Verdict.INVALID,
            tr("签名值与内容不符：签章数据被改动，或不是“{name}”所签。", name=certificate.name),
        )
    elif not certificate.may_sign:
        report.add("signer", Verdict.INVALID, tr("“{name}”的证书不得用于签名。", name=certificate.name))
    else:
        report.add("signer", Verdict.VALID, tr("由“{name}”签名，签名值正确。", name=certificate.name))
    return certificate


def judge_maker(report: SignatureReport, seal: Seal) -> Certificate | None:
    """Whether the seal is as its maker made it; the maker's certificate."""
    maker = certificate_in(seal.maker)
    if maker is None:
        report.add("maker", Verdict.INVALID, tr("制章人证书无法读取。"))
        return None
    try:
        fits = any(
            check_signature(maker.key_info, seal.algorithm, form, seal.signature) for form in seal.signed_forms()
        )
    except UnknownAlgorithm:
        report.add("maker", Verdict.UNVERIFIABLE, tr("制章签名算法 {oid} 无法识别。", oid=seal.algorithm))
        return maker
    if fits:
        report.add(
            "maker", Verdict.VALID, tr("印章“{seal}”由“{maker}”制作，未被改动。", seal=seal.name, maker=maker.name)
        )
    else:
        report.add("maker", Verdict.INVALID, tr("印章“{seal}”与制章人的签名不符：印章被改动或伪造。", seal=seal.name))
    return maker


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody whose certificate counts: named for people, and the moment at which it had to hold."""

    who: str
    certificate: Certificate
    moment: datetime
    lasting: bool = False
    """Whether people are to know when it has expired since."""


def judge_chains(
    report: SignatureReport, parties: Iterable[Party], trust: Trust, now: datetime, others: Iterable[Certificate] = ()
) -> list[tuple[Party, Chain]]:
    """The chains of signer and maker: trusted, whole, not revoked."""
    verdicts, words, chains = [], [], []
    others = tuple(others)
    for party in parties:
        chain = chain_of(party.certificate, others, trust, party.moment, now)
        chains.append((party, chain))
        verdict, said = _chain(chain, report.timestamped)
        verdicts.append(verdict)
        words.append(tr("{who}证书：{said}", who=party.who, said=said))
    if chains:
        report.add("chain", worst(verdicts), together(*words))
    return chains


def _chain(chain: Chain, timestamped: bool) -> tuple[Verdict, str]:
    top = chain.certificates[-1]
    if chain.forged:
        name = chain.forged[0].name
        return Verdict.INVALID, tr(
            "“{name}”自称由“{issuer}”签发，但签名不符。", name=name, issuer=chain.forged[0].issuer_name
        )
    if chain.unfit:
        return Verdict.INVALID, tr(
            "证书链中的“{name}”不得签发证书，或含有不能识别的关键扩展。", name=chain.unfit[0].name
        )
    if not chain.trusted:
        return Verdict.WARNING, tr("签发者“{issuer}”不在信任的根证书中。", issuer=top.issuer_name)
    if chain.revoked and chain.revoked_at:
        name, at = chain.revoked.name, minute(chain.revoked_at)
        if chain.revocation is Revocation.REVOKED:
            return Verdict.INVALID, tr("“{name}”在签章之前已吊销（{at}）。", name=name, at=at)
        if chain.reason in ("key_compromise", "ca_compromise") and not timestamped:
            return Verdict.INVALID, tr("“{name}”因密钥泄露吊销（{at}），签章又没有可信时间。", name=name, at=at)
        return Verdict.WARNING, tr("“{name}”在签章之后吊销（{at}）。", name=name, at=at)
    if chain.revocation is Revocation.UNKNOWN:
        return Verdict.WARNING, tr("可追溯到信任的“{root}”，但没有有效的吊销列表，未查吊销。", root=top.name)
    return Verdict.VALID, tr("可追溯到信任的“{root}”，未被吊销。", root=top.name)


def judge_validity(
    report: SignatureReport,
    seal: Seal | None,
    chains: Iterable[tuple[Party, Chain]],
    trust: Trust,
    moment: datetime,
    now: datetime,
) -> None:
    """Whether seal and certificates held when they had to, and whether they still do."""
    verdicts, words = [Verdict.VALID], []

    def say(verdict: Verdict, text: str) -> None:
        verdicts.append(verdict)
        words.append(text)

    if seal is not None:
        _seal_validity(seal, trust, moment, now, say)
    for party, chain in chains:
        if chain.expired:
            name = chain.expired[0].name
            say(Verdict.INVALID, tr("{at}，“{name}”的证书不在有效期内。", at=minute(party.moment), name=name))
        elif party.lasting and (late := next((each for each in chain.certificates if now > each.not_after), None)):
            say(Verdict.WARNING, tr("“{name}”的证书已于 {until} 到期。", name=late.name, until=day(late.not_after)))
    report.add("validity", worst(verdicts), together(*dict.fromkeys(words)) or tr("签章时和现在都在有效期内。"))


def _seal_validity(
    seal: Seal, trust: Trust, moment: datetime, now: datetime, say: Callable[[Verdict, str], None]
) -> None:
    span = tr("{since} 至 {until}", since=day(seal.since), until=day(seal.until))
    state = state_of(seal, trust)
    if not seal.since <= moment <= seal.until:
        say(Verdict.INVALID, tr("印章有效期为 {span}，签章于 {at}，不在有效期内。", span=span, at=day(moment)))
    elif state:
        before = state.since <= moment
        words = {
            (True, SealState.REVOKED): tr("签章时印章已注销。"),
            (True, SealState.FROZEN): tr("签章时印章已冻结。"),
            (False, SealState.REVOKED): tr("签章之后印章已注销。"),
            (False, SealState.FROZEN): tr("签章之后印章已冻结。"),
        }[before, state.state]
        say(Verdict.INVALID if before else Verdict.WARNING, words)
    elif now > seal.until:
        say(Verdict.WARNING, tr("签章时印章在有效期内（{span}），现已过期。", span=span))


@dataclass(frozen=True, slots=True)
class Stamped:
    """What a time stamp is worth: the moment, if it may be relied on, and the step's verdict and words."""

    time: datetime | None
    verdict: Verdict
    said: str


def judge_timestamp(raw: bytes, value: bytes, trust: Trust, now: datetime) -> Stamped:
    """Whether the token ``raw`` vouches that ``value`` was there at its time."""
    try:
        token = timestamps.read_token(raw)
        whole = timestamps.fits(token, value)
    except timestamps.TimestampError:
        return Stamped(None, Verdict.INVALID, tr("时间戳损坏，无法解析。"))
    except UnknownAlgorithm:
        return Stamped(None, Verdict.WARNING, tr("时间戳的算法无法识别，或没有带证书，未采用。"))
    authority = token.authority
    if not whole or authority is None or not authority.may_stamp:
        return Stamped(None, Verdict.INVALID, tr("时间戳与签名不符，或签发者无权签发时间戳。"))
    chain = chain_of(authority, token.certificates, trust, token.time, now)
    verdict, said = _chain(chain, timestamped=True)
    if chain.expired:
        verdict, said = Verdict.INVALID, tr("签发时“{name}”的证书不在有效期内。", name=chain.expired[0].name)
    words = tr("{at}，时间戳由“{name}”签发：{said}", at=minute(token.time), name=authority.name, said=said)
    relied = chain.trusted and verdict in (Verdict.VALID, Verdict.WARNING)
    return Stamped(token.time if relied else None, verdict, words)


def judge_listed(report: SignatureReport, seal: Seal, certificate: Certificate | None) -> None:
    """Whether the seal was issued to this signer."""
    if certificate is not None and seal.lists(certificate.raw):
        report.add("listed", Verdict.VALID, tr("“{name}”有权使用印章“{seal}”。", name=certificate.name, seal=seal.name))
    else:
        report.add("listed", Verdict.INVALID, tr("签章人证书不在印章“{seal}”的授权名单中。", seal=seal.name))
