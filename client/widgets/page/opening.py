"""A file on disk as a ``Source``. Everything here reads from disk and belongs on a lane."""

from __future__ import annotations

import errno
from pathlib import Path

from client.kernel.policy import installed
from client.widgets.page.source import Source
from modules.common.errors import GovDeskError
from modules.common.gm.trust import Trust, load_trust
from modules.common.text import tr

LARGEST = 512 << 20
"""Bytes of a file that is opened: it is held in memory, so that nothing of it changes while it is read."""
SUFFIXES = (".ofd", ".pdf")
_HEAD = 1024


def roots() -> Path:
    """Where the computer's administrator lays the certificates that seals are held against, and revocation lists."""
    return installed().parent / "roots"


def read_file(path: Path) -> bytes:
    """A document's bytes. Raises ``GovDeskError``: VIEW-010 missing, VIEW-011 too large, VIEW-012 not readable."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "directory")
        size = path.stat().st_size
        if size > LARGEST:
            raise GovDeskError(
                "VIEW-011",
                tr(
                    "文件“{name}”有 {size} MB，超过 {most} MB，没有打开。",
                    name=path.name,
                    size=size >> 20,
                    most=LARGEST >> 20,
                ),
                fix=tr("请拆分成几个文件后再打开。"),
            )
        return path.read_bytes()
    except FileNotFoundError as error:
        raise GovDeskError(
            "VIEW-010",
            tr("文件“{name}”不在原来的位置了。", name=path.name),
            fix=tr("可能被移走、改名或删除，请重新选择。"),
        ) from error
    except OSError as error:
        raise GovDeskError(
            "VIEW-012",
            tr("文件“{name}”读不出来。", name=path.name),
            fix=tr("请检查权限，以及 U 盘或网络盘是否还连着。"),
        ) from error


def open_data(data: bytes, password: str = "", trust: Trust | None = None) -> Source:
    """A document out of its bytes, by what they are and not by a name.

    Raises ``GovDeskError``: VIEW-001, VIEW-002 (a password is needed), VIEW-005, VIEW-006, VIEW-013; ``OfdError``.
    """
    if b"%PDF-" in data[:_HEAD]:
        from client.widgets.page.pdf import PdfSource

        return PdfSource(data, password, trust)
    if data.find(b"PK\x03\x04") >= 0 or b"PK\x05\x06" in data[-(1 << 16) :]:
        from client.widgets.page.ofd import OfdSource

        return OfdSource(data, trust)
    raise GovDeskError(
        "VIEW-013",
        tr("这不是 OFD 或 PDF 文件，或已损坏，打不开。"),
        fix=tr("请重新获取此文件。"),
    )


def known_roots() -> Trust | None:
    """What this computer trusts; None where nothing was laid down."""
    try:
        return load_trust(roots())
    except OSError:
        return None
