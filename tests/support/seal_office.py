"""A district's own seal authority for tests: root, maker and signer with SM2 keys made from fixed numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from modules.common.gm import issuing, sm2
from modules.common.gm.certificates import Certificate, read_revocation_list
from modules.common.gm.trust import Trust

SINCE, UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)
SIGNED, NOW = datetime(2026, 3, 2, 1, 30, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)


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
