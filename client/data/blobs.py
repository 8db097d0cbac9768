"""Page images, scans and files on this computer: encrypted (``client.data.sealed``), named by the SHA-256 of what is
in them. Nothing is written in clear, not even for a moment.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from sqlalchemy import func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from client.data.profile import make_folder, written_atomically
from client.data.sealed import Sealed, Whole, opened, seal
from client.data.tables import DEFERRED, REFUSED, WAITING, BlobRow, DraftRow, OutboxRow
from client.kernel.ports import BlobRef
from modules.common.blobs import FILE_LIMIT, LIMIT, SMALL, is_sha256, names_in, type_of_file
from modules.common.clock import iso
from modules.common.errors import GovDeskError
from modules.common.pieces import Damaged
from modules.common.text import tr

if TYPE_CHECKING:
    from client.data.store import Store

T = TypeVar("T")
log = logging.getLogger(__name__)

_PURPOSE = b"govdesk/blobs/1"
_BLOCK = 256 * 1024
_CUT = frozenset({"NET-001", "NET-003"})
NOT_AT_SERVER = "SRV-061"


class BlobFiles:
    """The encrypted files in ``folder``; made when the first one is written."""

    def __init__(self, folder: Path, store_key: bytes) -> None:
        self._folder = folder
        self._key = hmac.new(store_key, _PURPOSE, hashlib.sha256).digest()

    def write(self, sha256: str, chunks: Iterable[bytes]) -> bool:
        """Keep the content that ``chunks`` make up; False, with nothing kept, when it is not what ``sha256`` says.

        Raises ``GovDeskError`` DATA-010 when the disk is full, with nothing left behind.
        """
        path = self._path(sha256)
        for folder in (self._folder, path.parent):
            make_folder(folder)
        digest = hashlib.sha256()

        def counted() -> Iterator[bytes]:
            for chunk in chunks:
                digest.update(chunk)
                yield chunk

        # two may be fetching the same at once
        scratch = path.with_name(f"{sha256}.{secrets.token_hex(4)}.new")
        try:
            with written_atomically(path, scratch) as file:
                seal(file, self._key, sha256, counted())
                if digest.hexdigest() != sha256:
                    raise Damaged("another content")
        except Damaged:
            return False
        return True

    def read(self, sha256: str) -> bytes | None:
        """What was kept, or None where there is nothing whole."""
        return self._opened(sha256, lambda file: file.read())

    def part(self, sha256: str, offset: int, count: int, size: int) -> bytes | None:
        """A part of what was kept, ``size`` being the whole; None where it is lost or damaged."""

        def cut(file: Sealed | Whole) -> bytes:
            if file.size != size:
                raise Damaged("another size")
            return file.read(offset, count)

        return self._opened(sha256, cut)

    def has(self, sha256: str) -> bool:
        """Whether there is a file that opens: its beginning and its end are what was written."""

        def ends(file: Sealed | Whole) -> bool:
            return bool(file.read(0, 1) and file.read(file.size - 1, 1))

        return bool(self._opened(sha256, ends))

    def drop_older(self, cutoff: datetime, but: Collection[str]) -> None:
        """Delete files last written before ``cutoff``, except those named in ``but``."""
        for path in self._folder.glob("??/*"):
            if path.name not in but and path.stat().st_mtime < cutoff.timestamp():
                path.unlink()

    def _opened(self, sha256: str, work: Callable[[Sealed | Whole], T]) -> T | None:
        try:
            with opened(self._path(sha256), self._key, sha256) as file:
                return work(file)
        except FileNotFoundError:
            return None
        except Damaged:
            log.error("a page image is damaged")
            return None

    def _path(self, sha256: str) -> Path:
        if not is_sha256(sha256):
            raise ValueError(sha256)
        return self._folder / sha256[:2] / sha256


class Blobs:
    """The port ``Blobs``, and the queue of what the server does not have yet.

    ``fetch(sha256, start)`` brings the bytes from ``start`` on from the server, or raises what the server or the
    network says. ``on_data`` runs a call on the thread that writes the store.
    """

    def __init__(
        self,
        store: Store,
        fetch: Callable[[str, int], Iterator[bytes]],
        sent: Callable[[], None] = lambda: None,
        on_data: Callable[[Callable[[], Any]], Any] = lambda work: work(),
    ) -> None:
        self._store = store
        self._files = store.files
        self._fetch = fetch
        self._sent = sent
        self._on_data = on_data

    def put(self, data: bytes, type: str) -> BlobRef:
        """Keep a page here, encrypted, and have it sent; on lane ``data``. Raises DATA-010, DATA-031, DATA-032."""
        if len(data) > LIMIT:
            raise _too_large(len(data), LIMIT)
        ref = self._keep(io.BytesIO(data), type)
        self._note(ref)
        return ref

    def put_file(self, path: Path) -> BlobRef:
        """Keep a file of any size that is taken, as ``put`` does; on lane ``net``: only its row is written on lane
        ``data``. Raises also DATA-035 when somebody writes to the file meanwhile, DATA-036 when it cannot be read.
        """
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                if size > FILE_LIMIT:
                    raise _too_large(size, FILE_LIMIT)
                ref = self._keep(file)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise GovDeskError("DATA-036", tr("读不了所选的文件：{reason}。", reason=reason)) from error
        self._on_data(lambda: self._note(ref))
        return ref

    def get(self, sha256: str) -> bytes:
        """A page, from here or from the server. Raises DATA-030, NET-… and the server's own problems."""
        kept = self._files.read(sha256)
        if kept is not None:
            return kept
        try:
            if self._files.write(sha256, self._fetched(sha256)):
                return self._files.read(sha256) or b""
        except GovDeskError as error:
            if error.code == NOT_AT_SERVER:
                raise GovDeskError(
                    "DATA-030",
                    tr("这一页还没有传到服务器。"),
                    fix=tr("扫描它的窗口联网后会自动上传，请稍后再看。"),
                ) from error
            if error.code != "DATA-010":
                raise
            # it can be shown all the same; the next look asks the server again
            log.warning("a page was not kept: %s", error.code)
            data = b"".join(self._fetched(sha256))
            if hashlib.sha256(data).hexdigest() == sha256:
                return data
        raise GovDeskError("DATA-033", tr("收到的页面与其校验值不符，不予显示。"), fix=tr("请再试一次。"))

    def waiting(self) -> int:
        """How many pages the server does not have yet."""
        return self.backlog()[0]

    # -- what uploading needs; the changes on lane ``data``

    def backlog(self) -> tuple[int, int]:
        """How many blobs the server does not have yet, and their bytes."""
        counted = select(func.count(), func.coalesce(func.sum(BlobRow.size), 0)).where(BlobRow.waiting)
        with self._store._reading() as db:
            count, size = db.execute(counted).one()
            return count, size

    def next_waiting(self, *, large: bool = False) -> BlobRef | None:
        """The blob to be sent next: least tried first, then small ones before ``large`` or after, then oldest."""
        order = BlobRow.size <= SMALL if large else BlobRow.size > SMALL
        query = select(BlobRow).where(BlobRow.waiting).order_by(BlobRow.tries, order, BlobRow.kept_at).limit(1)
        with self._store._reading() as db:
            row = db.scalar(query)
            return BlobRef(row.sha256, row.size, row.type) if row else None

    def part(self, ref: BlobRef, offset: int, count: int) -> bytes:
        """A part of a waiting blob. Raises DATA-034 when its file is lost or damaged."""
        data = self._files.part(ref.sha256, offset, count, ref.size)
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

    def _keep(self, file: BinaryIO | IO[bytes], type: str = "") -> BlobRef:
        """Read a file twice: for its name and type, and into its encrypted copy."""
        found = type_of_file(cast("BinaryIO", file))
        if not found or found != (type or found):
            raise GovDeskError("DATA-032", tr("只保存 JPEG、PNG、TIFF 图像和 PDF、OFD 文件，这一份不是。"))
        sha256 = hashlib.sha256()
        size = 0
        for block in _blocks(file):
            sha256.update(block)
            size += len(block)
        ref = BlobRef(sha256.hexdigest(), size, found)
        if not self._files.has(ref.sha256) and not self._files.write(ref.sha256, _blocks(file)):
            raise GovDeskError("DATA-035", tr("文件正在被改动，没有保存。"), fix=tr("请先关闭正在使用它的程序。"))
        return ref

    def _note(self, ref: BlobRef) -> None:
        with self._store._writing() as unit:
            want(unit.db, ref, iso(self._store.now()))
        self._sent()

    def _fetched(self, sha256: str) -> Iterator[bytes]:
        """What the server sends; a line that breaks is taken up again where it broke, while that gets it further."""
        start = 0
        while True:
            before = start
            try:
                for chunk in self._fetch(sha256, start):
                    start += len(chunk)
                    yield chunk
            except GovDeskError as error:
                if error.code not in _CUT or start == before:
                    raise
            else:
                return

    def _mark(self, sha256: str, **values: object) -> None:
        with self._store._writing() as unit:
            unit.db.execute(update(BlobRow).where(BlobRow.sha256 == sha256).values(**values))


def want(db: Session, ref: BlobRef, at: str) -> None:
    """Have a blob that is kept here sent, unless it is noted already."""
    row = insert(BlobRow).values(sha256=ref.sha256, size=ref.size, type=ref.type, waiting=True, tries=0, kept_at=at)
    db.execute(row.on_conflict_do_nothing())


def want_again(db: Session, names: Collection[str]) -> None:
    """Have blobs sent once more: the server says that it does not hold them, or not from this computer."""
    rows = update(BlobRow).where(BlobRow.sha256.in_(names), BlobRow.waiting.is_(False))
    db.execute(rows.values(waiting=True, tries=0))


def in_use(db: Session) -> frozenset[str]:
    """What drafts and commands that the server has not applied name: their files stay, however old."""
    bodies = select(OutboxRow.body).where(OutboxRow.state.in_((WAITING, DEFERRED, REFUSED)))
    named: set[str] = set()
    for doc in (*db.scalars(bodies), *db.scalars(select(DraftRow.doc))):
        named |= names_in(json.dumps(doc))
    return frozenset(named)


def _blocks(file: BinaryIO | IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(_BLOCK):
        yield block


def _too_large(size: int, limit: int) -> GovDeskError:
    return GovDeskError(
        "DATA-031",
        tr("这一份有 {size} MB，超过 {limit} MB，没有保存。", size=-(-size // (1 << 20)), limit=limit >> 20),
        fix=tr("请降低分辨率后重新扫描，或分成几份。"),
    )
