"""A district's own seal authority for tests: root, maker and signer with SM2 keys made from fixed numbers."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modules.common.gm import issuing, sm2
from modules.common.gm.certificates import Certificate, read_revocation_list
from modules.common.gm.trust import Trust
from modules.common.seals import ses
from modules.common.seals.ofd_sealing import Holder, seal_ofd
from modules.common.seals.report import Stamp
from tests.support import ofd_maker

SINCE, UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)
SIGNED, NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)
KINDS = ("v1", "v4", "v5", "message")
"""By a seal of each version, and by certificate alone."""


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(64)
"""What begins as a picture does; nobody draws it here."""


@dataclass(frozen=True)
class Office:
    """The authority and those whom it vouches for."""

    root: issuing.Authority
    maker_key: sm2.SoftKey
    maker: Certificate
    signer_key: sm2.SoftKey
    signer: Certificate
    crl: bytes

    @property
    def trust(self) -> Trust:
        """What the office trusts: its root, with a revocation list that holds."""
        return Trust((self.root.certificate,), (read_revocation_list(self.crl),))

    def revoked(self, certificate: Certificate, moment: datetime, reason: str = "unspecified") -> Trust:
        """Its trust after it has revoked ``certificate``."""
        crl = self.root.revoke({certificate.serial: (moment, reason)}, SINCE, UNTIL)
        return replace(self.trust, lists=(read_revocation_list(crl),))

    def seal(self, version: ses.Version = 4, **other: Any) -> ses.Seal:
        """A seal for the signer; ``other`` are other fields of its form."""
        picture = ses.Picture("PNG", PICTURE, 42, 42)
        fields: dict[str, Any] = {"signers": [self.signer.raw], "created": SINCE, "since": SINCE, "until": UNTIL}
        form = ses.SealForm(
            **({"id": "34030400000001", "name": "示范区政务服务中心", "picture": picture} | fields | other)
        )
        return ses.read_seal(ses.make_seal(form, self.maker.raw, ses.signer_of(self.maker_key), version))

    def holder(self, kind: str = "v4", **other: Any) -> Holder:
        """Who signs, by one of ``KINDS``."""
        seal = None if kind == "message" else self.seal({"v1": 1, "v4": 4, "v5": 5}[kind], **other)  # type: ignore[arg-type]
        return Holder(self.signer_key, self.signer, seal)

    def write_roots(self, folder: Path) -> Path:
        """The folder that people configure."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "root.cer").write_bytes(self.root.certificate.raw)
        (folder / "root.crl").write_bytes(self.crl)
        return folder


def office(seed: int = 1) -> Office:
    """Offices of the same ``seed`` have the same keys."""
    keys = [sm2.SoftKey(seed * 1_000_003 + number * 7_919) for number in (1, 2, 3)]
    root = issuing.root(keys[0], {"C": "CN", "O": "示范区", "CN": f"示范区印章根证书{seed}"}, SINCE, UNTIL)
    maker = root.issue(keys[1].point, {"C": "CN", "O": "示范区", "CN": "示范区公安局制章系统"}, SINCE, UNTIL)
    signer = root.issue(keys[2].point, {"C": "CN", "O": "示范区", "CN": "示范区政务服务中心"}, SINCE, UNTIL)
    crl = root.revoke({}, SINCE, UNTIL)
    return Office(root, keys[1], maker, keys[2], signer, crl)


def plain_file(pages: int = 3) -> bytes:
    """An OFD file with text, a font and an image on the first page."""
    contents = [ofd_maker.text_object(f"关于开展专项检查的通知第{page + 1}页", 20, 30) for page in range(pages)]
    media = '<ofd:MultiMedia ID="77" Type="Image"><ofd:MediaFile>a.png</ofd:MediaFile></ofd:MultiMedia>'
    image = f"<ofd:MultiMedias>{media}</ofd:MultiMedias>"
    contents[0] += '<ofd:ImageObject ID="78" Boundary="10 10 20 20" ResourceID="77"/>'
    return ofd_maker.make(contents, resources=ofd_maker.FONT + image, extra={"Doc_0/Res/a.png": PICTURE})


def sealed_file(kind: str = "v4", office_: Office | None = None, pages: int = 3, **more: Any) -> bytes:
    """``plain_file`` under one seal on its last page."""
    holder = (office_ or office()).holder(kind)
    return seal_ofd(plain_file(pages), holder, [Stamp(pages - 1, (120, 200, 42, 42))], SIGNED, **more)


def plain_pdf(pages: int = 3) -> bytes:
    """A PDF with a line of text on each page."""
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(595.276, 841.89), invariant=1)
    for page in range(pages):
        canvas.drawString(72, 700, f"page {page + 1}")
        canvas.showPage()
    canvas.save()
    return out.getvalue()
