"""The kinds of signature value that OFD files hold: by a seal (SES), by a certificate (GB/T 35275), or bare numbers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from modules.common.gm import der, envelopes, sm3
from modules.common.gm.certificates import SM2_ALGORITHMS, SM2_WITH_SM3, Certificate, UnknownAlgorithm
from modules.common.gm.trust import Trust
from modules.common.seals import judging, ses
from modules.common.seals.judging import Party
from modules.common.seals.report import SignatureReport, Verdict
from modules.common.text import tr

if TYPE_CHECKING:
    from modules.common.seals.ofd_verifying import Described

_MARKS = (b"\x16\x02ES", der.oid(SM2_WITH_SM3), der.oid(envelopes.SIGNED), der.oid(envelopes.DATA))
"""Bytes by which a damaged signature is told from one of a kind that is not known here."""
_SM2_NAMES = {*SM2_ALGORITHMS, "sm2", "sm3withsm2", "sm2withsm3", ""}


class Container(Protocol):
    """What a signature value turned out to be."""

    def judge(self, report: SignatureReport, described: Described, trust: Trust, now: datetime) -> None:
        """Note the steps from the format to the seal's list."""
        ...


def open_container(value: bytes) -> Container:
    """What ``value`` is."""
    try:
        return SealContainer(ses.read_signature(value))
    except ses.SesError:
        pass
    if envelopes.is_signed(value):
        try:
            return MessageContainer(envelopes.read_signed(value))
        except envelopes.EnvelopeError:
            return Unreadable(Verdict.INVALID, tr("签名数据损坏，无法解析。"))
    if not value:
        return Unreadable(Verdict.UNVERIFIABLE, tr("没有签名值。"))
    try:
        der.signature(value)
        return Unreadable(Verdict.UNVERIFIABLE, tr("只有签名值，没有证书，需另行取得签名人的公钥。"))
    except der.DerError:
        pass
    if any(mark in value for mark in _MARKS):
        return Unreadable(Verdict.INVALID, tr("签名数据损坏，无法解析。"))
    return Unreadable(Verdict.UNVERIFIABLE, tr("签名数据的格式无法识别。"))


class Unreadable:
    """A value of which no more can be said."""

    def __init__(self, verdict: Verdict, why: str) -> None:
        self._verdict, self._why = verdict, why

    def judge(self, report: SignatureReport, described: Described, trust: Trust, now: datetime) -> None:
        """See ``Container``."""
        report.add("format", self._verdict, self._why)


class SealContainer:
    """A signature by a seal."""

    def __init__(self, signature: ses.Signature) -> None:
        self._signature = signature

    def judge(self, report: SignatureReport, described: Described, trust: Trust, now: datetime) -> None:
        """See ``Container``."""
        signature, seal = self._signature, self._signature.seal
        report.seal_id, report.seal_name, report.picture, report.time = seal.id, seal.name, seal.picture, signature.time
        self._format(report, described)
        self._binding(report, described)
        stamped = (
            judging.judge_timestamp(signature.timestamp, signature.value, trust, now) if signature.timestamp else None
        )
        if stamped and stamped.time:
            report.time, report.timestamped = stamped.time, True
        moment = report.time or now
        certificate = judging.judge_signer(report, signature)
        maker = judging.judge_maker(report, seal)
        parties = []
        if certificate is not None:
            parties.append(Party(tr("签章人"), certificate, moment, lasting=True))
        if maker is not None:
            # the day of making is the maker's word, and is found to lie before the maker's certificate
            made = max(seal.created, min(maker.not_before, moment))
            parties.append(Party(tr("制章人"), maker, made))
        chains = judging.judge_chains(report, parties, trust, now)
        judging.judge_validity(report, seal, chains, trust, moment, now)
        judging.judge_listed(report, seal, certificate)
        if stamped:
            report.add("time", stamped.verdict, stamped.said)

    def _format(self, report: SignatureReport, described: Described) -> None:
        signature = self._signature
        said = {
            1: tr("GM/T 0031-2014 电子印章（第 1 版）"),
            4: tr("GB/T 38540-2020 电子印章（第 4 版）"),
            5: tr("GM/T 0031-2025 电子印章（第 5 版）"),
        }[signature.version]
        method = described.method.strip().lower()
        by_sm2 = signature.algorithm in SM2_ALGORITHMS
        named = method == signature.algorithm or (by_sm2 and method in _SM2_NAMES)
        if not named and not by_sm2:
            report.add("format", Verdict.INVALID, tr("签章数据与签章描述所写的签名算法不一致。"))
        elif described.seal and described.seal != signature.seal.raw:
            report.add("format", Verdict.INVALID, tr("文件中的印章与签章所用的印章不是同一个。"))
        elif not named:
            report.add("format", Verdict.WARNING, tr("签章描述所写的签名算法“{name}”无法识别。", name=described.method))
        elif signature.seal.written_version != signature.version and signature.seal.written_version not in (1, 2, 3, 4):
            report.add(
                "format", Verdict.WARNING, tr("{said}，自称版本 {n}。", said=said, n=signature.seal.written_version)
            )
        else:
            report.add("format", Verdict.VALID, said + tr("。"))

    def _binding(self, report: SignatureReport, described: Described) -> None:
        from modules.common.seals.ofd_verifying import KEYED

        signature = self._signature
        if sm3(described.data) not in signature.digests:
            if described.check_method.strip() in KEYED:
                said = tr("签章所用的摘要需要文件之外的密钥，无法核对。")
                report.add("binding", Verdict.UNVERIFIABLE, said)
            else:
                said = tr("签章描述文件被改动，或此签章是从别的文件移来的。")
                report.add("binding", Verdict.INVALID, said)
            return
        meant = signature.property.strip().replace("\\", "/").lstrip("/").lower()
        if meant and meant not in report.path.lower() and not report.path.lower().endswith(meant.rpartition("/")[2]):
            report.add(
                "binding", Verdict.WARNING, tr("签章写明的位置是“{path}”，与实际不符。", path=signature.property)
            )
        else:
            report.add("binding", Verdict.VALID, tr("签章描述文件未变，签章属于此文件。"))


class MessageContainer:
    """A signature by a certificate alone, without a seal."""

    def __init__(self, message: envelopes.Signed) -> None:
        self._message = message

    def judge(self, report: SignatureReport, described: Described, trust: Trust, now: datetime) -> None:
        """See ``Container``."""
        message = self._message
        report.add("format", Verdict.VALID, tr("GB/T 35275 数字签名，没有印章。"))
        if len(message.signers) != 1:
            report.add(
                "signer", Verdict.UNVERIFIABLE, tr("签名数据中有 {n} 个签名人，无法判断。", n=len(message.signers))
            )
            return
        [signer] = message.signers
        content = described.data
        if message.content is not None and message.content not in (content, sm3(content)):
            report.add("binding", Verdict.INVALID, tr("签章描述文件被改动，或此签章是从别的文件移来的。"))
            return
        content = content if message.content is None else message.content
        certificate = message.certificate_of(signer)
        report.time = signer.time
        if certificate is None:
            verdict = Verdict.INVALID if message.certificates else Verdict.UNVERIFIABLE
            report.add("signer", verdict, tr("签名数据中没有签名人的证书。"))
            return
        report.signer = certificate.name
        self._signature(report, signer, certificate, content)
        moment = signer.time or now
        parties = [Party(tr("签章人"), certificate, moment, lasting=True)]
        chains = judging.judge_chains(report, parties, trust, now, message.certificates)
        judging.judge_validity(report, None, chains, trust, moment, now)

    def _signature(
        self, report: SignatureReport, signer: envelopes.SignerInfo, certificate: Certificate, content: bytes
    ) -> None:
        try:
            if not envelopes.digest_fits(signer, content):
                said = tr("签章描述文件被改动，或此签章是从别的文件移来的。")
                report.add("binding", Verdict.INVALID, said)
                return
            report.add("binding", Verdict.VALID, tr("签章描述文件未变，签章属于此文件。"))
            fits = envelopes.signature_fits(signer, certificate, content)
        except UnknownAlgorithm as error:
            report.add("signer", Verdict.UNVERIFIABLE, tr("签名算法 {oid} 无法识别。", oid=str(error)))
            return
        if not fits:
            said = tr("签名值与内容不符：签章数据被改动，或不是“{name}”所签。", name=certificate.name)
            report.add("signer", Verdict.INVALID, said)
        elif not certificate.may_sign:
            report.add("signer", Verdict.INVALID, tr("“{name}”的证书不得用于签名。", name=certificate.name))
        else:
            report.add("signer", Verdict.VALID, tr("由“{name}”签名，签名值正确。", name=certificate.name))
