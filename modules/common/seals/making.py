"""Makes seals (制章): a district's seal authority, certificates for makers and signers, and the seals themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from modules.common.errors import GovDeskError
from modules.common.gm import issuing, sm2
from modules.common.gm.certificates import Certificate
from modules.common.seals import ses
from modules.common.seals.status import Status, make_status_list
from modules.common.text import tr

_YEAR = timedelta(days=365)
ROOT_YEARS, MAKER_YEARS, SIGNER_YEARS, SEAL_YEARS = 20, 10, 5, 5
LIST_DAYS = 30
"""How long a list of revoked certificates or seals holds before the next must be there."""


@dataclass(frozen=True)
class Workshop:
    """A district's seal authority: the root that vouches, and the maker that signs seals."""

    root: issuing.Authority
    maker_key: sm2.Key
    maker: Certificate

    def signer(self, point: bytes, subject: Mapping[str, str], now: datetime, years: int = SIGNER_YEARS) -> Certificate:
        """A certificate for a signer's key ``point``, never beyond the root's own."""
        until = min(now + years * _YEAR, self.root.certificate.not_after)
        return self.root.issue(point, subject, now, until)

    def seal(
        self,
        identifier: str,
        name: str,
        picture: ses.Picture,
        signers: Iterable[Certificate],
        since: datetime,
        until: datetime | None = None,
        *,
        version: ses.Version = 4,
        kind: int = ses.ORGANISATION,
    ) -> ses.Seal:
        """A seal that ``signers`` may use from ``since``; it ends with the first of their certificates.

        Raises ``GovDeskError`` SEAL-010 when the fields will not do.
        """
        listed = list(signers)
        if fault := order_fault(identifier, name, picture, listed):
            raise GovDeskError("SEAL-010", fault, fix=tr("请改正后重新制作。"))
        latest = min(each.not_after for each in (*listed, self.maker))
        ending = min(until or since + SEAL_YEARS * _YEAR, latest)
        if ending <= since:
            raise GovDeskError("SEAL-010", tr("印章的有效期早于起始日期。"), fix=tr("请改正后重新制作。"))
        moments = (ses.utc(since), ses.utc(since), ses.utc(ending))
        form = ses.SealForm(identifier, name, picture, [each.raw for each in listed], *moments, type=kind)
        return ses.read_seal(ses.make_seal(form, self.maker.raw, ses.signer_of(self.maker_key), version))

    def renew(
        self, old: ses.Seal, signers: Iterable[Certificate], since: datetime, picture: ses.Picture | None = None
    ) -> ses.Seal:
        """The seal anew, with the same number and name, for another term."""
        version: ses.Version = 4 if old.version == 1 else old.version
        return self.seal(old.id, old.name, picture or old.picture, signers, since, version=version, kind=old.type)

    def certificate_list(self, revoked: Mapping[int, tuple[datetime, str]], now: datetime) -> bytes:
        """The list of revoked certificates, to be laid beside the root (``.crl``)."""
        return self.root.revoke(revoked, now, now + timedelta(days=LIST_DAYS), int(now.timestamp()))

    def seal_list(self, entries: Iterable[Status], now: datetime) -> bytes:
        """The list of frozen and revoked seals, to be laid beside the root (``.seals``)."""
        return make_status_list(entries, self.maker_key, self.maker.raw, now, now + timedelta(days=LIST_DAYS))


def establish(district: str, root_key: sm2.Key, maker_key: sm2.Key, now: datetime) -> Workshop:
    """A new seal authority for ``district``."""
    subject = {"C": "CN", "O": district, "CN": tr("{district}电子印章根证书", district=district)}
    root = issuing.root(root_key, subject, now, now + ROOT_YEARS * _YEAR)
    subject["CN"] = tr("{district}电子印章制作系统", district=district)
    maker = root.issue(maker_key.point, subject, now, now + MAKER_YEARS * _YEAR)
    return Workshop(root, maker_key, maker)


def order_fault(identifier: str, name: str, picture: ses.Picture, signers: list[Certificate]) -> str:
    """What is wrong with an order for a seal; empty when nothing is."""
    if not identifier.isascii() or not identifier.strip() or len(identifier) > 64:
        return tr("印章编码须为 1 至 64 个字母或数字。")
    if not name.strip() or len(name) > 100:
        return tr("印章名称须为 1 至 100 个字。")
    if not signers:
        return tr("至少要有一名用章人。")
    if not (5 <= picture.width <= 100 and 5 <= picture.height <= 100):
        return tr("印章尺寸须在 5 至 100 毫米之间。")
    if not picture.data or len(picture.data) > 2 << 20:
        return tr("印章图片须不大于 2 MB。")
    return ""


@dataclass(frozen=True)
class Issued:
    """What a signer is given: the seal with the key that uses it."""

    seal: ses.Seal | None
    certificate: Certificate
    key: sm2.SoftKey
    chain: tuple[Certificate, ...] = ()

    def with_seal(self, seal: ses.Seal) -> Issued:
        """The same signer with another seal."""
        return replace(self, seal=seal)
