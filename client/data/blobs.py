"""Page images and scans on this computer: encrypted files, named by the SHA-256 of what is in them.

A file is AES-256-GCM (NIST SP 800-38D) under a key made from the store key: 12 bytes of nonce, then the sealed
content, which is bound to its name. Nothing is written in clear, not even for a moment.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select, update
from sqlalchemy.dialects.sqlite import insert

from client.data.profile import make_folder, write_atomically
from client.data.tables import BlobRow
from client.kernel.ports import BlobRef
from modules.common.blobs import HEAD, LIMIT, is_sha256, type_of
from modules.common.clock import iso
from modules.common.errors import GovDeskError
from modules.common.text import tr

if TYPE_CHECKING:
    from client.data.store import Store

log = logging.getLogger(__name__)

_PURPOSE = b"govdesk/blobs/1"
_NONCE = 12
NOT_AT_SERVER = "SRV-061"


class BlobFiles:
    """The encrypted files in ``folder``; made when the first one is written."""

    def __init__(self, folder: Path, store_key: bytes) -> None:
        self._folder = folder
        self._key = hmac.new(store_key, _PURPOSE, hashlib.sha256).digest()

    def write(self, sha256: str, data: bytes) -> None:
        """Keep ``data``. Raises ``GovDeskError`` DATA-010 when the disk is full, with nothing left behind."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        path = self._path(sha256)
        for folder in (self._folder, path.parent):
            make_folder(folder)
        nonce = secrets.token_bytes(_NONCE)
        try:
            write_atomically(path, nonce + AESGCM(self._key).encrypt(nonce, data, sha256.encode()))
        except BaseException:
            path.with_name(path.name + ".new").unlink(missing_ok=True)
            raise

    def read(self, sha256: str) -> bytes | None:
        """What was kept, or None where there is nothing whole."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            sealed = self._path(sha256).read_bytes()
            return AESGCM(self._key).decrypt(sealed[:_NONCE], sealed[_NONCE:], sha256.encode())
        except FileNotFoundError:
            return None
        except (InvalidTag, ValueError):
            log.error("a page image is damaged")
            return None

    def drop_older(self, cutoff: datetime, but: Collection[str]) -> None:
        """Delete files last written before ``cutoff``, except those named in ``but``."""
        for path in self._folder.glob("??/*"):
            if path.name not in but and path.stat().st_mtime < cutoff.timestamp():
                path.unlink()

    def _path(self, sha256: str) -> Path:
        if not is_sha256(sha256):
            raise ValueError(sha256)
        return self._folder / sha256[:2] / sha256


class Blobs:
    """The port ``Blobs``, and the queue of what the server does not have yet.

    ``fetch`` gets a page from the server, or raises what the server or the network says.
    """

    def __init__(self, store: Store, fetch: Callable[[str], bytes], sent: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._files = store.files
        self._fetch = fetch
        self._sent = sent

    def put(self, data: bytes, type: str) -> BlobRef:
        """Keep a page here, encrypted, and have it sent. Raises DATA-010, DATA-031, DATA-032."""
        if len(data) > LIMIT:
            raise GovDeskError(
                "DATA-031",
                tr("这一页有 {size} MB，超过 {limit} MB，没有保存。", size=len(data) >> 20, limit=LIMIT >> 20),
                fix=tr("请降低分辨率后重新扫描。"),
            )
        if type_of(data[:HEAD]) != type or not type:
            raise GovDeskError("DATA-032", tr("只保存 JPEG、PNG 图像和 PDF 文件，这一份不是。"))
        sha256 = hashlib.sha256(data).hexdigest()
        if self._files.read(sha256) is None:
            self._files.write(sha256, data)
        row = insert(BlobRow).values(
            sha256=sha256, size=len(data), type=type, waiting=True, tries=0, kept_at=iso(self._store.now())
        )
        with self._store._writing() as unit:
            unit.db.execute(row.on_conflict_do_nothing())
        self._sent()
        return BlobRef(sha256, len(data), type)

    def get(self, sha256: str) -> bytes:
        """A page, from here or from the server. Raises DATA-030, NET-… and the server's own problems."""
        kept = self._files.read(sha256)
        if kept is not None:
            return kept
        try:
            data = self._fetch(sha256)
        except GovDeskError as error:
            if error.code != NOT_AT_SERVER:
                raise
            raise GovDeskError(
                "DATA-030",
                tr("这一页还没有传到服务器。"),
                fix=tr("扫描它的窗口联网后会自动上传，请稍后再看。"),
            ) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise GovDeskError("DATA-033", tr("收到的页面与其校验值不符，不予显示。"), fix=tr("请再试一次。"))
        try:
            self._files.write(sha256, data)
        except GovDeskError as error:
            # it can be shown all the same; the next look asks the server again
            log.warning("a page was not kept: %s", error.code)
        return data

    def waiting(self) -> int:
        """How many pages the server does not have yet."""
        with self._store._reading() as db:
            return db.scalar(select(func.count()).select_from(BlobRow).where(BlobRow.waiting)) or 0

    # -- what uploading needs; the changes on lane ``data``

    def next_waiting(self) -> BlobRef | None:
        """The page to be sent next: least tried first, then oldest."""
        query = select(BlobRow).where(BlobRow.waiting).order_by(BlobRow.tries, BlobRow.kept_at).limit(1)
        with self._store._reading() as db:
            row = db.scalar(query)
            return BlobRef(row.sha256, row.size, row.type) if row else None

    def read(self, sha256: str) -> bytes:
        """The content of a waiting page. Raises DATA-034 when its file is lost or damaged."""
        data = self._files.read(sha256)
        if data is None:
            raise GovDeskError(
                "DATA-034",
                tr("一页扫描件在本机丢失或损坏，尚未上传。"),
                fix=tr("请在办件中找到缺失的页面，重新扫描。"),
            )
        return data

    def sent(self, sha256: str) -> None:
        """The server has it."""
        self._mark(sha256, waiting=False)

    def failed(self, sha256: str) -> None:
        """The server would not take it now: it goes behind the others."""
        self._mark(sha256, tries=BlobRow.tries + 1)

    def _mark(self, sha256: str, **values: object) -> None:
        with self._store._writing() as unit:
            unit.db.execute(update(BlobRow).where(BlobRow.sha256 == sha256).values(**values))
