"""Blobs on their way, by tus 1.0.0 (https://tus.io/protocols/resumable-upload): core, creation, creation with upload,
termination, expiration.

An upload belongs to a device and a content: ``incoming/<device>.<sha256>``. So creating it twice is creating it once,
and two devices with the same content do not disturb each other. What counts is the file: what is in it, once it is
safely on the disk, is the offset. A question about an upload ends an older one about it that hangs on a dead line.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

import anyio
import anyio.to_thread
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session
from starlette.requests import ClientDisconnect

from modules.common.blobs import HEAD, type_of, type_of_file
from modules.common.clock import CHINA, Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refused
from modules.common.permissions import forbidden
from modules.common.pieces import LAST, Damaged
from modules.common.server_ports import Caller
from modules.common.text import tr
from server_stub import audit
from server_stub.blobs.growing import Growing
from server_stub.blobs.keeper import Keeper, at_work, check_name
from server_stub.config import Settings
from server_stub.database import Database
from server_stub.keyring import sync_folder
from server_stub.tables import BlobGiver, BlobUpload
from server_stub.writer import Writer

T = TypeVar("T")
KEEP = timedelta(days=7)
"""How long an upload that nobody goes on with is kept."""
KEEP_FREE = 64 * 1024 * 1024
"""Below so many free bytes nothing is taken: the database needs the room more."""
MOST_OPEN = 64
"""Unfinished uploads of one device at most."""
SILENCE = 60.0
"""A line on which nothing comes for so many seconds is dead."""
_BLOCK = 1024 * 1024
_TOUCH = timedelta(hours=1)
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class State:
    """How much of an upload is safely here; ``expires`` is None for one that is whole."""

    offset: int
    size: int
    expires: datetime | None = None


class _Place:
    """Where the questions about one upload meet: one writes at a time, and only the latest one goes on."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.latest: object = None
        self.users = 0


@dataclass(frozen=True, slots=True)
class _Turn:
    """One question about an upload."""

    place: _Place
    sha256: str
    by: Caller
    path: Path

    def check(self) -> None:
        """Raise SRV-068 when a later question has come."""
        if self.place.latest is not self:
            raise GovDeskError("SRV-068", tr("同一上传已由新的连接接着传。"), fix=tr("程序会自动重传。"))


class Uploads:
    """The uploads of all devices, in ``folder``. What has been unfinished for ``KEEP`` is swept away."""

    def __init__(
        self, folder: Path, keeper: Keeper, database: Database, writer: Writer, clock: Clock, settings: Settings
    ) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self._keeper = keeper
        self._database = database
        self._writer = writer
        self._clock = clock
        self.largest = settings.blob_mib * _MIB
        """Bytes of one blob at most."""
        self._daily = settings.blob_day_mib * _MIB
        self._places: dict[str, _Place] = {}

    # -- what may be asked

    async def create(self, sha256: str, size: int, by: Caller, chunks: AsyncIterator[bytes] | None = None) -> State:
        """Begin the upload of a content, or find it again; ``chunks`` are its first bytes where they are sent along.

        Raises SRV-060 for a name that is none, SRV-072 for one that is too large, SRV-064 when the disk is full,
        SRV-066, 067 when the device has too much under way or has handed in too much today, AUTH-403 for whoever
        has no business here; and what ``append`` raises.
        """
        check_name(sha256)
        if not at_work(by):
            raise Refused(forbidden("acceptance.read"))
        if size > self.largest:
            raise _too_large(self.largest)
        with self._turn(sha256, by) as turn:
            async with turn.place.lock:
                whole = await _thread(self._keeper.given, sha256, by.device)
                if whole is not None:
                    return State(whole, whole)
                state = await _thread(self._begin, turn, size)
            if chunks is not None and state.offset == 0:
                state = await self._receive(turn, state, chunks)
            return await self._complete(turn, state)

    async def look(self, sha256: str, by: Caller) -> State:
        """How much is here: after what was written is safely on the disk. Raises SRV-060; SRV-069, 070 where there is
        no upload, or one that has expired.
        """
        check_name(sha256)
        with self._turn(sha256, by) as turn:
            async with turn.place.lock:
                return await _thread(self._state, turn)

    async def append(self, sha256: str, offset: int, chunks: AsyncIterator[bytes], by: Caller) -> State:
        """Take in bytes from ``offset`` on; when they are the last ones, check the whole and keep it.

        Raises what ``look`` raises, SRV-071 when ``offset`` is not where the upload is, SRV-072 for more bytes than
        were announced, SRV-062 when content and name differ and SRV-063 for a content that is never taken (the upload
        is gone then), SRV-064 when the disk is full, SRV-065 when the line broke, SRV-068 when a later question came.
        """
        check_name(sha256)
        with self._turn(sha256, by) as turn:
            async with turn.place.lock:
                state = await _thread(self._state, turn)
                if offset != state.offset:
                    raise GovDeskError("SRV-071", tr("上传的位置不符，应从 {n} 处接着传。", n=state.offset))
                if state.expires is None:
                    return state
                await _thread(self._touch, turn, state)
            return await self._complete(turn, await self._receive(turn, state, chunks))

    async def end(self, sha256: str, by: Caller) -> None:
        """Give an upload up. Raises what ``look`` raises. What is whole already stays."""
        check_name(sha256)
        with self._turn(sha256, by) as turn:
            async with turn.place.lock:
                state = await _thread(self._state, turn)
                if state.expires is None:
                    raise _unknown()
                await _thread(self._drop, turn)

    def sweep(self) -> int:
        """Drop what has expired, and files of which no upload knows; how many."""
        # files first: whatever begins from now on is not among them
        files = [path for path in self._folder.iterdir() if path.name not in self._places]
        with self._database.read() as session:
            rows = session.execute(select(BlobUpload.device_id, BlobUpload.sha256, BlobUpload.touched_at)).all()
        now = self._clock.now()
        gone = [(row.device_id, row.sha256) for row in rows if parse_iso(row.touched_at) + KEEP <= now]
        alive = {f"{row.device_id}.{row.sha256}" for row in rows} - {f"{device}.{name}" for device, name in gone}

        def drop(session: Session) -> None:
            for device, name in gone:
                session.execute(delete(BlobUpload).filter_by(device_id=device, sha256=name))

        if gone:
            self._writer.do(drop)
        lost = [path for path in files if path.name not in alive]
        for path in lost:
            path.unlink(missing_ok=True)
        return len(lost)

    # -- one question

    @contextmanager
    def _turn(self, sha256: str, by: Caller) -> Iterator[_Turn]:
        key = f"{by.device}.{sha256}"
        place = self._places.setdefault(key, _Place())
        turn = _Turn(place, sha256, by, self._folder / key)
        place.users += 1
        place.latest = turn
        try:
            yield turn
        finally:
            place.users -= 1
            if not place.users:
                del self._places[key]

    def _row(self, turn: _Turn) -> BlobUpload | None:
        with self._database.read() as session:
            return session.get(BlobUpload, (turn.by.device, turn.sha256))

    def _state(self, turn: _Turn) -> State:
        whole = self._keeper.given(turn.sha256, turn.by.device)
        if whole is not None:
            return State(whole, whole)
        row = self._row(turn)
        if row is None:
            raise _unknown()
        expires = parse_iso(row.touched_at) + KEEP
        if expires <= self._clock.now():
            raise GovDeskError("SRV-070", tr("这次上传搁置太久，已作废。"), fix=tr("程序会自动从头重传。"))
        return State(self._on_disk(turn, row.size), row.size, expires)

    def _on_disk(self, turn: _Turn, size: int) -> int:
        try:
            with Growing(turn.path, self._keeper.files, turn.sha256) as file:
                file.settle()
                return file.size
        except FileNotFoundError:
            pass
        # killed between the file's last move and its row: the rest is to check it and write the row
        try:
            with self._keeper.files.open(self._keeper.path(turn.sha256), turn.sha256) as whole:
                return size if whole.size == size else 0
        except (FileNotFoundError, Damaged):
            return 0

    def _begin(self, turn: _Turn, size: int) -> State:
        row = self._row(turn)
        now = self._clock.now()
        if row is not None and row.size == size and parse_iso(row.touched_at) + KEEP > now:
            return State(self._on_disk(turn, size), size, parse_iso(row.touched_at) + KEEP)
        if row is not None:
            self._drop(turn)
        self._room(size)

        def store(session: Session) -> None:
            self._within_quota(session, turn.by.device, size)
            values = {"device_id": turn.by.device, "sha256": turn.sha256, "size": size, "touched_at": iso(now)}
            session.execute(insert(BlobUpload).values(values))

        turn.path.unlink(missing_ok=True)
        self._writer.do(store)
        return State(0, size, now + KEEP)

    def _within_quota(self, session: Session, device: str, size: int) -> None:
        under_way = select(func.count(), func.coalesce(func.sum(BlobUpload.size), 0)).filter_by(device_id=device)
        count, announced = session.execute(under_way).one()
        if count >= MOST_OPEN:
            raise GovDeskError("SRV-066", tr("这台电脑未传完的文件太多。"), fix=tr("请等前面的传完，程序会自动继续。"))
        midnight = self._clock.now().astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        given = select(func.coalesce(func.sum(BlobGiver.size), 0)).where(
            BlobGiver.device_id == device, BlobGiver.at >= iso(midnight)
        )
        if int(announced) + int(session.execute(given).scalar_one()) + size > self._daily:
            raise GovDeskError(
                "SRV-067",
                tr("这台电脑今天上传的已达上限 {n} MB。", n=self._daily // _MIB),
                fix=tr("程序明天会自动继续；确有需要请联系系统管理员调整。"),
            )

    def _room(self, size: int) -> None:
        if shutil.disk_usage(self._folder).free < KEEP_FREE + size:
            raise _disk_full()

    def _touch(self, turn: _Turn, state: State) -> None:
        self._room(state.size - state.offset)
        now = self._clock.now()
        if state.expires is not None and state.expires - KEEP + _TOUCH <= now:
            row = update(BlobUpload).filter_by(device_id=turn.by.device, sha256=turn.sha256)
            self._writer.do(lambda session: session.execute(row.values(touched_at=iso(now))))

    def _drop(self, turn: _Turn, why: str = "") -> None:
        turn.path.unlink(missing_ok=True)

        def forget(session: Session) -> None:
            session.execute(delete(BlobUpload).filter_by(device_id=turn.by.device, sha256=turn.sha256))
            if why:
                entry = audit.Entry(why, turn.by.actor.id, turn.by.device, f"blob:{turn.sha256}")
                audit.append(session, iso(self._clock.now()), [entry])

        self._writer.do(forget)

    # -- bytes

    async def _receive(self, turn: _Turn, state: State, chunks: AsyncIterator[bytes]) -> State:
        """Write what comes; whatever ends it, what came is on the disk when this returns or raises."""
        offset, held = state.offset, bytearray()
        fault: GovDeskError | None = None
        if offset == state.size:
            return state  # only its check is missing: its file is not touched
        file = await _thread(partial(Growing, turn.path, self._keeper.files, turn.sha256, new=True))
        try:
            while (chunk := await _next(chunks)) is not None:
                if offset + len(held) + len(chunk) > state.size:
                    fault = _too_large(state.size)
                    break
                held += chunk
                if len(held) >= _BLOCK:
                    await self._write(turn, file, offset, held)
                    offset, held = offset + len(held), bytearray()
        except (ClientDisconnect, TimeoutError):
            fault = GovDeskError("SRV-065", tr("上传中断，已收到的部分保留。"), fix=tr("程序会自动接着传。"))
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await self._write(turn, file, offset, held, last=True)
            finally:
                file.close()
        if state.offset == 0:
            await _thread(sync_folder, self._folder)  # the file itself is new
        if fault is not None:
            raise fault
        return State(offset + len(held), state.size, state.expires)

    async def _write(self, turn: _Turn, file: Growing, offset: int, data: bytearray, *, last: bool = False) -> None:
        async with turn.place.lock:
            turn.check()
            if offset == 0 and len(data) >= HEAD and not type_of(bytes(data[:HEAD])):
                await _thread(self._drop, turn, "blob.refused")
                raise _wrong_type()
            await _thread(_put, file, bytes(data), last)

    async def _complete(self, turn: _Turn, state: State) -> State:
        """Once the last byte is there: check the whole, and keep it or throw it away."""
        if state.offset < state.size or state.expires is None:
            return state
        async with turn.place.lock:
            await _thread(self._finish, turn, state.size)
        return State(state.size, state.size)

    def _finish(self, turn: _Turn, size: int) -> None:
        if self._keeper.given(turn.sha256, turn.by.device) is not None:
            return  # while this one waited, another question has finished it
        path, type = turn.path, ""
        try:
            growing = Growing(path, self._keeper.files, turn.sha256)
        except FileNotFoundError:
            path = self._keeper.path(turn.sha256)
            whole, type = self._judged(path, turn.sha256, LAST)
        else:
            with growing:
                whole, type = self._judged(path, turn.sha256, growing.ends)
                if type:
                    growing.finish()
        if not type:
            self._drop(turn, "blob.refused" if whole else "blob.spoiled")
            raise _wrong_type() if whole else _spoiled()
        self._keeper.keep(path, turn.sha256, size, type, turn.by)

    def _judged(self, path: Path, sha256: str, ends: int) -> tuple[bool, str]:
        """Whether a file has the content that its name says, and of which kind it is."""
        try:
            with self._keeper.files.open(path, sha256, ends=ends) as file, file.stream() as content:
                whole = hashlib.file_digest(content, "sha256").hexdigest() == sha256  # type: ignore[arg-type]
                return whole, type_of_file(cast("BinaryIO", content)) if whole else ""
        except (FileNotFoundError, Damaged):
            return False, ""


def _put(file: Growing, data: bytes, last: bool) -> None:
    try:
        file.append(data)
        if last:
            file.settle()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _disk_full() from error


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    """The next bytes, or None at the end. Raises ``TimeoutError`` on a dead line."""
    with anyio.fail_after(SILENCE):
        return await anext(chunks, None)


async def _thread(work: Callable[..., T], *arguments: object) -> T:
    return await anyio.to_thread.run_sync(work, *arguments)


def _unknown() -> GovDeskError:
    return GovDeskError("SRV-069", tr("服务器上没有这次上传。"), fix=tr("程序会自动从头重传。"))


def _spoiled() -> GovDeskError:
    return GovDeskError("SRV-062", tr("收到的内容与其校验值不符，没有保存。"), fix=tr("程序会自动重传。"))


def _wrong_type() -> GovDeskError:
    return GovDeskError("SRV-063", tr("只接收 JPEG、PNG、TIFF 图像和 PDF、OFD 文件。"))


def _too_large(most: int) -> GovDeskError:
    return GovDeskError("SRV-072", tr("上传的内容过大，最多 {n} 字节。", n=most))


def _disk_full() -> GovDeskError:
    return GovDeskError(
        "SRV-064", tr("服务器磁盘空间不足，页面没有保存。"), fix=tr("请联系系统管理员；程序会自动重传。")
    )
