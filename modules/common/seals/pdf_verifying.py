"""Verifies the signatures of a PDF file, step by step in the order of OFD's (ISO 32000-2, 12.8).

pyHanko reads the file, says what a signature covers and what was changed later, and checks signatures by RSA and other
curves; those by SM2, chains, revocation and validity are judged as everywhere here.
"""

from __future__ import annotations

import io
import logging
from datetime import datetime
from typing import Any

from modules.common.errors import GovDeskError
from modules.common.gm import envelopes
from modules.common.gm.certificates import SM2_ALGORITHMS, Certificate
from modules.common.gm.digests import sm3
from modules.common.gm.trust import Trust
from modules.common.seals import judging
from modules.common.seals.judging import Party, certificate_in, minute
from modules.common.seals.pdf_sealing import seen_at
from modules.common.seals.report import SignatureReport, Stamp, Verdict
from modules.common.text import tr

MARK = b"%PDF-"


def is_pdf(head: bytes) -> bool:
    """Whether a file that begins so is a PDF."""
    return MARK in head[:1024]


def verify_pdf(data: bytes, trust: Trust, now: datetime) -> list[SignatureReport]:
    """All signatures of a PDF, earliest first. Raises ``GovDeskError`` SEAL-018 when it cannot be read."""
    from pyhanko.pdf_utils.misc import PdfError
    from pyhanko.pdf_utils.reader import PdfFileReader

    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
    try:
        reader = PdfFileReader(io.BytesIO(data), strict=False)
        found = list(reader.embedded_signatures)
    except (PdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError, IndexError, OSError) as error:
        raise GovDeskError(
            "SEAL-018", tr("PDF 文件损坏或已加密，无法读取。"), fix=tr("请重新获取此文件，或先解除密码。")
        ) from error
    reports = []
    if not found and b"/ByteRange" in data:  # what is left of a signature is not passed over as no signature
        report = SignatureReport("", "", sealed=False)
        report.add("structure", Verdict.INVALID, tr("PDF 中有签名的痕迹，但签名已损坏或被移除。"))
        reports.append(report)
    for embedded in found:
        report = SignatureReport(embedded.field_name, embedded.field_name, sealed=False)
        try:
            _OnePdfSignature(data, reader, embedded, report).run(trust, now)
        except (PdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError, IndexError):
            report.add("format", Verdict.INVALID, tr("签名数据损坏，无法解析。"))
        reports.append(report)
    return reports


class _OnePdfSignature:
    def __init__(self, data: bytes, reader: Any, embedded: Any, report: SignatureReport) -> None:
        self._data, self._reader, self._embedded, self._report = data, reader, embedded, report
        self._message: envelopes.Signed | None = None

    def run(self, trust: Trust, now: datetime) -> None:
        """All steps."""
        self._coverage()
        certificate, others = self._certificates()
        if certificate is None:
            self._report.add("signer", Verdict.UNVERIFIABLE, tr("签名数据中没有签名人的证书。"))
            return
        self._report.signer = certificate.name
        if self._message is not None:
            self._by_sm2(self._message, certificate)
        else:
            self._by_pyhanko(certificate, trust)
        moment = self._report.time or now
        party = Party(tr("签章人"), certificate, moment, lasting=True)
        chains = judging.judge_chains(self._report, [party], trust, now, others)
        judging.judge_validity(self._report, None, chains, trust, moment, now)
        self._when()
        self._appearance()

    def _certificates(self) -> tuple[Certificate | None, list[Certificate]]:
        """The signer's certificate, and the others that the signature brings."""
        algorithm = self._embedded.signer_info["signature_algorithm"]["algorithm"].dotted
        if algorithm in SM2_ALGORITHMS:  # pyHanko knows no SM3, not even to compare the certificate's digest
            self._message = message = envelopes.read_signed(bytes(self._embedded.pkcs7_content))
            found = message.certificate_of(message.signers[0]) if len(message.signers) == 1 else None
            return found, list(message.certificates)
        others = [certificate_in(each.dump()) for each in self._embedded.other_embedded_certs]
        signer = self._embedded.signer_cert
        return certificate_in(signer.dump()) if signer is not None else None, [each for each in others if each]

    def _coverage(self) -> None:
        """What lies in the signed bytes, and what was added since."""
        from pyhanko.sign.diff_analysis import DEFAULT_DIFF_POLICY, ModificationLevel, SuspiciousModification
        from pyhanko.sign.validation.status import SignatureCoverageLevel

        embedded, report = self._embedded, self._report
        embedded.coverage = level = embedded.evaluate_signature_coverage()
        if level < SignatureCoverageLevel.ENTIRE_REVISION:
            report.add("coverage", Verdict.INVALID, tr("签名没有覆盖整个文件：其余部分可以任意改动。"))
            return
        report.add("structure", Verdict.VALID, tr("PDF 结构完整，签名范围没有缺口。"))
        report.locked = embedded.docmdp_level is not None and embedded.docmdp_level.value == 1
        if level is SignatureCoverageLevel.ENTIRE_FILE:
            report.add("coverage", Verdict.VALID, tr("签名覆盖整个文件。"))
            return
        result = embedded.evaluate_modifications(DEFAULT_DIFF_POLICY)
        if isinstance(result, SuspiciousModification):
            report.add("coverage", Verdict.INVALID, tr("签名之后文件被改动，改动不在允许之列。"))
        elif result.modification_level <= ModificationLevel.LTA_UPDATES:
            report.add("coverage", Verdict.VALID, tr("签名之后只追加了签名或时间戳。"))
        elif result.modification_level is ModificationLevel.FORM_FILLING:
            report.add("coverage", Verdict.VALID, tr("签名之后只追加了签名或填写了表单。"))
        else:
            report.add("coverage", Verdict.WARNING, tr("签名之后添加了批注。"))
        if not report.uncovered and level is not SignatureCoverageLevel.ENTIRE_FILE:
            report.uncovered = [] if report.steps[-1].ok else [tr("签名之后追加的部分")]

    def _signed_bytes(self) -> bytes:
        numbers = [int(number) for number in self._embedded.byte_range]
        return b"".join(self._data[at : at + size] for at, size in zip(numbers[::2], numbers[1::2], strict=True))

    def _by_sm2(self, message: envelopes.Signed, certificate: Certificate) -> None:
        report, content = self._report, self._signed_bytes()
        [signer] = message.signers
        report.time = signer.time
        report.add("format", Verdict.VALID, tr("国密算法的 PDF 签名。"))
        if signer.digest != sm3(content):
            report.add("digests", Verdict.INVALID, tr("签名之后文件内容被改动。"))
            return
        report.add("digests", Verdict.VALID, tr("文件内容的摘要相符。"))
        self._signature(envelopes.signature_fits(signer, certificate, content), certificate)

    def _by_pyhanko(self, certificate: Certificate, trust: Trust) -> None:
        from asn1crypto import x509
        from pyhanko.sign.validation import validate_pdf_signature, validate_pdf_timestamp
        from pyhanko_certvalidator import ValidationContext

        report, embedded = self._report, self._embedded
        roots = [x509.Certificate.load(each.raw) for each in trust.anchors if not each.point]
        status: Any
        context = ValidationContext(trust_roots=roots, allow_fetching=False, revocation_mode="soft-fail")
        if embedded.sig_object_type == "/DocTimeStamp":
            report.add("format", Verdict.VALID, tr("PDF 文档时间戳。"))
            status = validate_pdf_timestamp(embedded, context, skip_diff=True)
            report.time, report.timestamped = status.timestamp, bool(status.trusted)
        else:
            report.add("format", Verdict.VALID, tr("PDF 数字签名。"))
            status = validate_pdf_signature(embedded, context, ts_validation_context=context, skip_diff=True)
            report.time = status.signer_reported_dt
            stamp = status.timestamp_validity
            if stamp is not None and stamp.intact and stamp.valid:
                report.time, report.timestamped = stamp.timestamp, bool(stamp.trusted)
        if status.intact:
            report.add("digests", Verdict.VALID, tr("文件内容的摘要相符。"))
        else:
            report.add("digests", Verdict.INVALID, tr("签名之后文件内容被改动。"))
        self._signature(bool(status.valid), certificate)

    def _signature(self, fits: bool, certificate: Certificate) -> None:
        name = certificate.name
        if not fits:
            said = tr("签名值与内容不符：签章数据被改动，或不是“{name}”所签。", name=name)
            self._report.add("signer", Verdict.INVALID, said)
        else:
            self._report.add("signer", Verdict.VALID, tr("由“{name}”签名，签名值正确。", name=name))

    def _when(self) -> None:
        report = self._report
        if report.time is None:
            report.add("time", Verdict.WARNING, tr("签名没有写明时间。"))
        elif report.timestamped:
            report.add("time", Verdict.VALID, tr("{at}，有时间戳为证。", at=minute(report.time)))
        else:
            report.add("time", Verdict.VALID, tr("{at}，由签章人声明，没有可信时间戳。", at=minute(report.time)))

    def _appearance(self) -> None:
        """Where the field shows, in millimetres from the page's upper left corner."""
        field = self._embedded.sig_field
        widgets = [kid.get_object() for kid in field.get("/Kids", [])] or [field]
        pages = {}
        for index in range(int(self._reader.root["/Pages"]["/Count"])):
            reference, _ = self._reader.find_page_for_modification(index)
            pages[reference.reference] = index
        for widget in widgets:
            box = [float(value) for value in widget.get("/Rect", (0, 0, 0, 0))]
            if len(box) != 4 or box[0] == box[2] or "/P" not in widget:
                continue
            found = pages.get(getattr(widget.raw_get("/P"), "reference", None))
            if found is None:
                continue
            index = found
            self._report.stamps.append(Stamp(index, seen_at(self._reader, index, box)))
