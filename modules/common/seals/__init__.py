"""Electronic seals (电子公章): their structures, making, sealing of documents, and verifying.

``verify`` is all that a reader needs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modules.common.gm.trust import Trust
    from modules.common.ofd.container import Package
    from modules.common.seals.report import SignatureReport


def verify(
    source: bytes | Path | Package, trust: Trust | Path | None = None, *, now: datetime | None = None
) -> list[SignatureReport]:
    """Every signature of an OFD or PDF file, step by step, in the order in which the file lists them.

    ``trust`` is a folder of certificates and revocation lists, or what was loaded from one; without it no root is
    trusted. Takes milliseconds, but belongs on a worker. Raises ``OfdError`` or ``GovDeskError`` SEAL-018
    when the file cannot be read.
    """
    from modules.common.gm.trust import load_trust
    from modules.common.ofd.container import Package
    from modules.common.seals.ofd_verifying import verify_ofd
    from modules.common.seals.pdf_verifying import is_pdf, verify_pdf
    from modules.common.seals.report import NO_TRUST

    known = load_trust(trust) if isinstance(trust, Path) else trust or NO_TRUST
    moment = now or datetime.now(UTC)
    if isinstance(source, Package):
        return verify_ofd(source, known, moment)
    if is_pdf(_head(source)):
        return verify_pdf(source if isinstance(source, bytes) else source.read_bytes(), known, moment)
    return verify_ofd(Package.open(source), known, moment)


def _head(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source[:1024]
    try:
        with source.open("rb") as file:
            return file.read(1024)
    except OSError:
        return b""
