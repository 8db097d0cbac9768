"""Page images and scans, kept as files by the SHA-256 of their content: ``data/blobs/<first two digits>/<sha256>``.

Who may read one: whoever works in the hall or department of the person who handed it in first, and whoever may read
cases (``READS``). Nobody checks whether a record that the reader sees names the page: that would take a walk through
documents. A page's name is learnt from such a record alone, and cannot be guessed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
from sqlalchemy import insert
from sqlalchemy.orm import Session
from starlette.requests import ClientDisconnect

from modules.common.blobs import HEAD, LIMIT, is_sha256, type_of
from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError, Refused
from modules.common.permissions import admin_kinds_of, forbidden
from modules.common.server_ports import Caller
from modules.common.text import tr
from server_stub import audit
from server_stub.database import Database
from server_stub.tables import Blob
from server_stub.writer import Writer

READS = "acceptance.read"
"""The permission to read cases, and with them the pages that they name."""
KEEP_FREE = 64 * 1024 * 1024
"""Below so many free bytes no page is taken: the database needs the room more."""


class Blobs:
    """The server's page images."""

    def __init__(self, folder: Path, database: Database, writer: Writer, clock: Clock) -> None:
        self._folder = folder
        self._database = database
        self._writer = writer
        self._clock = clock
        # what a killed server was just receiving
        shutil.rmtree(folder / "incoming", ignore_errors=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "incoming").mkdir(mode=0o700)

    async def put(self, sha256: str, chunks: AsyncIterator[bytes], by: Caller) -> None:
        """Take in a page; the same again changes nothing.

        Raises SRV-060 for a name that is none, SRV-062 when content and name differ, SRV-063 for what is neither
        JPEG, PNG nor PDF, SRV-064 when the disk is full, SRV-065 when the line breaks, SRV-413 for more than
        ``LIMIT``, AUTH-403 for administrators.
        """
        _check_name(sha256)
        if not _at_work(by):
            raise Refused(forbidden(READS))
        if shutil.disk_usage(self._folder).free < KEEP_FREE + LIMIT:
            raise _disk_full()
        descriptor, name = tempfile.mkstemp(dir=self._folder / "incoming")
        scratch = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                digest, size, head = hashlib.sha256(), 0, b""
                async for chunk in chunks:
                    size += len(chunk)
                    if size > LIMIT:
                        raise GovDeskError("SRV-413", tr("上传的内容过大。"))
                    head = (head + chunk)[:HEAD] if len(head) < HEAD else head
                    digest.update(chunk)
                    file.write(chunk)
                file.flush()
                await anyio.to_thread.run_sync(os.fsync, file.fileno())
            if digest.hexdigest() != sha256:
                raise GovDeskError("SRV-062", tr("收到的页面与其校验值不符，没有保存。"), fix=tr("程序会自动重传。"))
            if not type_of(head):
                raise GovDeskError("SRV-063", tr("只接收 JPEG、PNG 图像和 PDF 文件。"))
            await anyio.to_thread.run_sync(self._keep, scratch, sha256, size, type_of(head), by)
        except ClientDisconnect as error:
            raise GovDeskError("SRV-065", tr("上传中断，没有保存。"), fix=tr("程序会自动重传。")) from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise _disk_full() from error
        finally:
            scratch.unlink(missing_ok=True)

    def get(self, sha256: str, by: Caller) -> tuple[Path, str]:
        """Where a page is, and its media type. Raises SRV-060; SRV-061 for one that is not here, or not for ``by``."""
        _check_name(sha256)
        with self._database.read() as session:
            row = session.get(Blob, sha256)
        path = self._path(sha256)
        if row is None or not _may_read(by, row) or not path.exists():
            raise GovDeskError("SRV-061", tr("服务器上还没有这一页。"), fix=tr("扫描的窗口联网后会自动上传。"))
        now = iso(self._clock.now())
        entry = audit.Entry("blob.get", by.actor.id, by.device, f"blob:{sha256}")
        self._writer.do(lambda session: audit.append(session, now, [entry]))
        return path, row.type

    def _path(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def _keep(self, scratch: Path, sha256: str, size: int, type: str, by: Caller) -> None:
        path = self._path(sha256)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        # first the file, then the row: a row without its file would be a promise that is not kept
        scratch.replace(path)
        if os.name == "posix":
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

        def store(session: Session) -> None:
            if session.get(Blob, sha256) is not None:
                return
            now = iso(self._clock.now())
            row = {
                "sha256": sha256,
                "size": size,
                "type": type,
                "person_id": by.actor.id,
                "device_id": by.device,
                "hall_id": by.actor.hall_id,
                "department_id": by.actor.department_id,
                "at": now,
            }
            session.execute(insert(Blob), [row])
            detail = {"size": size, "type": type}
            audit.append(session, now, [audit.Entry("blob.put", by.actor.id, by.device, f"blob:{sha256}", detail)])

        self._writer.do(store)


def _check_name(sha256: str) -> None:
    if not is_sha256(sha256):
        raise GovDeskError("SRV-060", tr("页面的校验值格式不正确。"))


def _at_work(by: Caller) -> bool:
    """Whether the person has business in a hall or department: administrators have none."""
    business = by.actor.roles and not admin_kinds_of(by.actor.roles)
    return bool(business and (by.actor.hall_id or by.actor.department_id))


def _may_read(by: Caller, row: Blob) -> bool:
    if by.actor.may(READS):
        return True
    near = (by.actor.hall_id and by.actor.hall_id == row.hall_id) or (
        by.actor.department_id and by.actor.department_id == row.department_id
    )
    return bool(near) and _at_work(by)


def _disk_full() -> GovDeskError:
    return GovDeskError(
        "SRV-064", tr("服务器磁盘空间不足，页面没有保存。"), fix=tr("请联系系统管理员；程序会自动重传。")
    )
