"""Whole blobs as sealed files by the SHA-256 of their content: ``data/files/<first two digits>/<sha256>``.

A file is here from the moment on at which its whole content was checked, and not before. Who may read it: whoever
reads a document that names it now, and the device that handed it in.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from modules.common.blobs import is_sha256
from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError
from modules.common.permissions import admin_kinds_of
from modules.common.pieces import Damaged, Sealed
from modules.common.server_ports import Caller
from modules.common.text import tr
from server_stub import audit
from server_stub.accounts import reach
from server_stub.blobs import names
from server_stub.blobs.files import SealedFiles
from server_stub.database import Database
from server_stub.keyring import sync_folder
from server_stub.log import log
from server_stub.tables import Blob, BlobGiver, BlobUpload
from server_stub.writer import Writer

KEEP_UNNAMED = timedelta(days=90)
"""How long a blob that no document names is kept: a counter may still hold the command that will name it. Should it
come later, the command waits, and the counter sends the blob again."""
SWEEP = 500
"""Blobs dropped in one transaction at most."""


class Keeper:
    """The server's whole blobs."""

    def __init__(self, folder: Path, database: Database, writer: Writer, clock: Clock) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self.files = SealedFiles(database.sealing)
        self._database = database
        self._writer = writer
        self._clock = clock
        self._files = threading.Lock()

    def get(self, sha256: str, by: Caller) -> tuple[Sealed, str]:
        """A blob, opened, and its media type. Raises SRV-060; SRV-061 for one that is not here, or not for ``by``;
        SRV-075 for one that was altered on the disk.
        """
        check_name(sha256)
        actor, path = by.actor, self.path(sha256)
        with self._database.read() as session:
            row = session.get(Blob, sha256)
            found = row is not None and path.exists()
            scopes = reach(actor.id, actor.hall_id, actor.department_id, actor.roles)
            allowed = found and (self._gave(session, sha256, by) or names.readable(session, sha256, scopes))
        if row is None or not allowed:
            raise _not_here()
        file = self._opened(path, sha256)
        try:
            now = iso(self._clock.now())
            entry = audit.Entry("blob.get", by.actor.id, by.device, f"blob:{sha256}")
            self._writer.do(lambda session: audit.append(session, now, [entry]))
        except BaseException:
            file.close()
            raise
        return file, row.type

    def _opened(self, path: Path, sha256: str) -> Sealed:
        try:
            file = self.files.open(path, sha256)
            try:
                file.check_ends()
            except BaseException:
                file.close()
                raise
        except FileNotFoundError as error:
            raise _not_here() from error
        except Damaged as error:
            log.error("blob.damaged", extra={"blob": sha256})
            raise GovDeskError(
                "SRV-075",
                tr("这一页在服务器磁盘上已损坏或被改动，不能使用。"),
                fix=tr("请系统管理员用 check-files 核对，并从备份恢复；手头有原件的也可重新扫描。"),
            ) from error
        return file

    def given(self, sha256: str, device_id: str) -> int | None:
        """The size of a whole blob that the device has handed in; None when there is none, or it does not open."""
        with self._database.read() as session:
            query = select(Blob.size).join(BlobGiver, BlobGiver.sha256 == Blob.sha256)
            size = session.execute(query.where(Blob.sha256 == sha256, BlobGiver.device_id == device_id)).scalar()
        if size is None:
            return None
        try:
            with self.files.open(self.path(sha256), sha256) as file:
                file.check_ends()
        except (FileNotFoundError, Damaged):
            return None
        return size

    def path(self, sha256: str) -> Path:
        """Where a blob is or would be."""
        return self._folder / sha256[:2] / sha256

    def keep(self, source: Path, sha256: str, size: int, type: str, by: Caller) -> None:
        """Take over a file whose content was checked and is on the disk; the device's upload is then over."""
        path = self.path(sha256)

        def store(session: Session) -> None:
            now = iso(self._clock.now())
            if session.get(Blob, sha256) is None:
                session.execute(insert(Blob).values(sha256=sha256, size=size, type=type, at=now))
            if session.get(BlobGiver, (sha256, by.device)) is None:
                giver = {"sha256": sha256, "device_id": by.device, "person_id": by.actor.id, "size": size, "at": now}
                session.execute(insert(BlobGiver).values(giver))
                detail = {"size": size, "type": type}
                audit.append(session, now, [audit.Entry("blob.put", by.actor.id, by.device, f"blob:{sha256}", detail)])
            session.execute(delete(BlobUpload).filter_by(device_id=by.device, sha256=sha256))

        with self._files:
            if not path.parent.exists():
                path.parent.mkdir(mode=0o700)
                sync_folder(self._folder)
            # first the file, then the row: a row without its file would be a promise that is not kept
            if source != path:
                source.replace(path)
            sync_folder(path.parent)
            self._writer.do(store)

    def sweep(self) -> int:
        """Drop blobs that no document has named for ``KEEP_UNNAMED``; how many."""
        cutoff = iso(self._clock.now() - KEEP_UNNAMED)

        def drop(session: Session) -> list[str]:
            old = select(Blob.sha256).where(Blob.at < cutoff, names.unnamed()).limit(SWEEP)
            # locked first and asked again: a command may just be naming one (see ``names.missing``)
            found = session.execute(old.with_for_update(of=Blob)).scalars().all()
            gone = list(session.execute(select(Blob.sha256).where(Blob.sha256.in_(found), names.unnamed())).scalars())
            session.execute(delete(Blob).where(Blob.sha256.in_(gone)))
            session.execute(delete(BlobGiver).where(BlobGiver.sha256.in_(gone)))
            entries = [audit.Entry("blob.drop", "", "", f"blob:{sha256}") for sha256 in gone]
            audit.append(session, iso(self._clock.now()), entries)
            return gone

        dropped = 0
        while True:
            with self._files:
                gone = self._writer.do(drop)
                for sha256 in gone:
                    self.path(sha256).unlink(missing_ok=True)
            dropped += len(gone)
            if not gone:
                return dropped + self._sweep_files()

    def _sweep_files(self) -> int:
        """Drop old files without a row: what a kill left between row and file. One folder of 256 in each hour."""
        now = self._clock.now()
        folder = self._folder / f"{int(now.timestamp() // 3600) % 256:02x}"
        # younger ones may be what a restored database has forgotten, and be looked for
        cutoff = (now - KEEP_UNNAMED).timestamp()
        with self._files:
            old = [path for path in folder.glob("*") if path.stat().st_mtime < cutoff]
            with self._database.read() as session:
                known = {path.name for path in old if session.get(Blob, path.name) is not None}
            for path in old:
                if path.name not in known:
                    path.unlink()
        return len(old) - len(known)

    def _gave(self, session: Session, sha256: str, by: Caller) -> bool:
        return at_work(by) and session.get(BlobGiver, (sha256, by.device)) is not None


def _not_here() -> GovDeskError:
    return GovDeskError("SRV-061", tr("服务器上还没有这一页。"), fix=tr("扫描的窗口联网后会自动上传。"))


def check_name(sha256: str) -> None:
    """Raise SRV-060 for what names no blob."""
    if not is_sha256(sha256):
        raise GovDeskError("SRV-060", tr("页面的校验值格式不正确。"))


def at_work(by: Caller) -> bool:
    """Whether the person has business in a hall or department: administrators have none."""
    business = by.actor.roles and not admin_kinds_of(by.actor.roles)
    return bool(business and (by.actor.hall_id or by.actor.department_id))
