"""Sealing: a seal is opened, files are sealed with it into new files, and each use is registered before it exists."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from client.kernel.contract import Host
from client.kernel.ports import Commands, Drafts, Record, Records, Session
from modules.common.aggregate import Context
from modules.common.calendar import WorkCalendar
from modules.common.clock import Clock
from modules.common.errors import GovDeskError, Refused
from modules.common.permissions import forbidden
from modules.common.seals.register import SEALED, USE, WITHDRAWN, record_id, use_fault
from modules.common.text import tr

if TYPE_CHECKING:
    from modules.common.gm.trust import Trust
    from modules.common.seals.making import Issued
    from modules.common.seals.report import Stamp
    from modules.common.seals.ses import Seal
    from modules.common.seals.standing import Standing

ONE, SOME, SEAM, WORDS = "one", "some", "seam", "words"
"""Where a seal goes: at one place, at the same place of several pages, over the edge of all pages, at words."""
RENEWED = "renewed"
"""What became of a seal file, beside what becomes of documents."""
_KIND, _FILE = "fixed_layout.seal_file", "fixed-layout-seal-file"
_LARGEST_SEAL = 8 << 20
PAGE = 100


class Steps(Protocol):
    """What work asks between its steps; a lane's token is one."""

    def check(self) -> None: ...

    def progress(self, share: float, text: str = "") -> None: ...


class Pages(Protocol):
    """What sealing asks of an open document; a ``Source`` of the reader is one."""

    format: str
    data: bytes

    @property
    def pages(self) -> int: ...

    def size(self, page: int) -> Any: ...

    def text(self, page: int) -> Any: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where the seal shall be. ``x`` and ``y`` are its middle in millimetres from the page's top left corner.

    ``page`` is an index, -1 for the last one; no ``pages`` are all of them.
    """

    mode: str = ONE
    page: int = 0
    x: float = 0.0
    y: float = 0.0
    pages: tuple[int, ...] = ()
    edge: str = "right"
    words: str = ""

    def told(self) -> str:
        """The place in words, as the register keeps it."""
        if self.mode == SEAM:
            return tr("骑缝（左侧）") if self.edge == "left" else tr("骑缝（右侧）")
        if self.mode == WORDS:
            return tr("关键字“{words}”", words=self.words)
        if self.mode == ONE and self.page < 0:
            return tr("最后一页")
        listed = [self.page] if self.mode == ONE else list(self.pages)
        if not listed:
            return tr("每一页")
        if len(listed) > 8:
            return tr("{n} 页", n=len(listed))
        return tr("第 {pages} 页", pages="、".join(str(page + 1) for page in listed))


@dataclass(frozen=True, slots=True)
class Held:
    """A seal that was opened. It is in memory alone, and only while the window that asked for it is open."""

    path: Path
    issued: Issued
    seal: Seal
    standing: Standing


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted: ``act`` is ``sealed`` or ``withdrawn``, ``reason`` is why (用印事由)."""

    place: Place
    reason: str
    lock: bool = False
    approved_by: str = ""
    act: str = SEALED


class SealingService:
    """The use cases of sealing. Lanes: ``open`` and ``make`` on ``cpu``, the rest on ``data``."""

    def __init__(self, host: Host) -> None:
        self._drafts = host.service(Drafts)  # type: ignore[type-abstract]
        self._session = host.service(Session)  # type: ignore[type-abstract]
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        self._records = host.service(Records)  # type: ignore[type-abstract]
        self._commands = host.service(Commands)  # type: ignore[type-abstract]

    @property
    def may_seal(self) -> bool:
        """Whether this person uses seals."""
        return bool(self._session.actor.may(USE))

    def check(self) -> None:
        """Raise ``Refused`` AUTH-403 unless this person uses seals."""
        if not self.may_seal:
            raise Refused(forbidden(USE))

    def last_seal(self) -> Path | None:
        """The seal file that this person chose last."""
        found = self._drafts.get(self._draft_id())
        path = str(found.doc.get("path", "")) if found else ""
        return Path(path) if path else None

    def keep_seal(self, path: Path) -> None:
        """Remember which seal file was chosen; never its password."""
        self._drafts.save(self._draft_id(), _KIND, path.name, {"path": str(path)})

    def open(self, path: Path, password: str, trust: Trust) -> Held:
        """Open a seal file. Takes some 0.2 s and 64 MiB.

        Raises ``Refused`` AUTH-403; ``GovDeskError``: SEAL-040 it cannot be read, SEAL-012 it is none, SEAL-013 the
        password is wrong, SEAL-041 there is no seal in it.
        """
        from modules.common.seals.keyfile import open_seal_file
        from modules.common.seals.standing import standing_of

        self.check()
        issued = open_seal_file(read_seal_file(path), password)
        if issued.seal is None:
            raise GovDeskError("SEAL-041", tr("这个文件里只有证书，没有印章。"), fix=tr("请选择带印章的文件。"))
        return Held(path, issued, issued.seal, standing_of(issued, trust, self._clock.now()))

    def registered_fault(self, held: Held) -> str:
        """What the register says against this person's use of the seal; empty for nothing, or when it knows nothing."""
        record = self._records.get("seal", record_id(held.seal.id))
        if record is None:
            return ""
        refusal = use_fault(record.doc, Context(self._clock.now(), self._session.actor, WorkCalendar()))
        return refusal.message if refusal else ""

    def make(self, source: Pages, held: Held, order: Order, token: Steps) -> bytes:
        """The file that is wanted, in memory. Nothing is written.

        Raises ``Refused`` AUTH-403; ``GovDeskError`` SEAL-042 when the seal may not be used now, and whatever sealing
        itself refuses.
        """
        from modules.common.seals.ofd_sealing import Holder, seal_ofd, withdraw_last
        from modules.common.seals.pdf_sealing import seal_pdf, withdraw_last_pdf

        self.check()
        holder = Holder(held.issued.key, held.issued.certificate, held.seal, held.issued.chain)
        pdf = source.format == "PDF"
        if order.act == WITHDRAWN:
            token.progress(0.3, tr("正在撤章"))
            return withdraw_last_pdf(source.data, holder) if pdf else withdraw_last(source.data, holder)
        if held.standing.faults:
            raise GovDeskError("SEAL-042", held.standing.faults[0], fix=tr("没有盖章，文件没有改动。请联系制章部门。"))
        token.progress(0.1, tr("正在确定位置"))
        stamps = list(stamps_of(source, held.seal, order.place, token))
        token.check()
        token.progress(0.4, tr("正在签章"))
        now = self._clock.now()
        if pdf:
            return seal_pdf(source.data, holder, stamps, now, lock=order.lock)
        return seal_ofd(source.data, holder, stamps, now, lock=order.lock)

    def finish(self, part: Path, target: Path, data: bytes, held: Held, order: Order) -> Record:
        """Register the use of the seal, and only then let the file have its name.

        Raises ``Refused`` when the register says no, or as ``put_in_place``; ``part`` is gone in any case.
        """
        try:
            record = self.register(target.name, data, held, order)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        put_in_place(part, target)
        return record

    def register(self, name: str, data: bytes, held: Held, order: Order) -> Record:
        """Register a use of the seal, before the file is written. Raises ``Refused`` when the register says no."""
        from modules.common.gm import sm3

        seal = record_id(held.seal.id)
        body = {
            "seal": seal,
            "seal_code": held.seal.id,
            "seal_name": held.seal.name,
            "act": order.act,
            "title": name,
            "digest": sm3(data).hex(),
            "pages": order.place.told() if order.act == SEALED else "",
            "copies": 1,
            "reason": order.reason,
            "approved_by": order.approved_by,
            "previous": self._last_use(seal),
        }
        return self._commands.give("seal_use", self._commands.new_id(), "seal_use.record", body)

    def uses(self, text: str = "", after: Record | None = None, act: str = "") -> list[Record]:
        """The register of uses that this person may see, newest first, ``PAGE`` at a time."""
        self.check()
        return self._records.find("seal_use", states=(act,) if act else (), text=text, limit=PAGE, after=after)

    def every_use(self, text: str, token: Steps, act: str = "") -> list[Record]:
        """All of them, for export."""
        found: list[Record] = []
        while True:
            token.check()
            page = self.uses(text, found[-1] if found else None, act)
            found += page
            if len(page) < PAGE:
                return found

    def _last_use(self, seal: str) -> str:
        """The digest of the seal's last use as this computer knows it."""
        after = None
        for _ in range(10):
            page = self._records.find("seal_use", limit=PAGE, after=after)
            for record in page:
                if record.doc["seal"] == seal:
                    return str(record.doc["chain"])
            if len(page) < PAGE:
                break
            after = page[-1]
        return ""

    def _draft_id(self) -> str:
        return f"{_FILE}-{self._session.actor.id}"


def read_seal_file(path: Path) -> bytes:
    """The bytes of a seal file. Raises ``GovDeskError`` SEAL-040."""
    try:
        return path.read_bytes() if path.stat().st_size <= _LARGEST_SEAL else b""
    except OSError as error:
        raise GovDeskError(
            "SEAL-040",
            tr("印章文件“{name}”读不出来。", name=path.name),
            fix=tr("请检查 U 盘是否还连着，或重新选择印章文件。"),
        ) from error


def stamps_of(source: Pages, seal: Seal, place: Place, token: Steps) -> Iterator[Stamp]:
    """Where the seal shows. Raises ``GovDeskError``: SEAL-001 and SEAL-033 as the places, SEAL-043 no such page."""
    from modules.common.seals import places

    size = (float(seal.picture.width), float(seal.picture.height))
    papers = [(float(each.width), float(each.height)) for each in map(source.size, range(source.pages))]
    pages = place.pages or tuple(range(source.pages))
    if place.mode == ONE:
        pages = (place.page if place.page >= 0 else source.pages - 1,)
    if any(not 0 <= page < source.pages for page in pages):
        raise GovDeskError(
            "SEAL-043",
            tr("要盖章的页不存在：文件只有 {n} 页。文件没有改动。", n=source.pages),
            fix=tr("请填写页码，如 1,3-5。"),
        )
    if place.mode == SEAM:
        edge: places.Edge = "left" if place.edge == "left" else "right"
        yield from places.seam(papers, size, place.y, edge, pages=pages)
        return
    if place.mode == WORDS:
        found = []
        for page in pages:
            token.check()
            found += [(hit.page, hit.boxes[-1]) for hit in source.text(page).find(place.words, page)]
        yield from places.at_words(place.words, found, size, papers)
        return
    yield from places.on_pages(pages, place.x, place.y, size, papers)


def free_name(path: Path, act: str = SEALED, folder: Path | None = None, taken: Sequence[Path] = ()) -> Path:
    """A name beside the original that nothing has yet: ``通知-已盖章.ofd``, ``通知-已盖章2.ofd`` …"""
    ending = {SEALED: tr("已盖章"), WITHDRAWN: tr("已撤章"), RENEWED: tr("已换发")}[act]
    number = 1
    while True:
        target = (folder or path.parent) / f"{path.stem}-{ending}{number if number > 1 else ''}{path.suffix}"
        if target not in taken and not target.exists():
            return target
        number += 1


def lay_down(target: Path, data: bytes) -> Path:
    """Write a file beside where it will stand, under another name, which is given back.

    Raises ``GovDeskError``: SEAL-044 something stands there already, SEAL-045 it cannot be written.
    """
    if target.exists():
        raise _taken(target)
    try:
        number, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    except OSError as error:
        raise _unwritable(target) from error
    part = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        part.unlink(missing_ok=True)
        raise _unwritable(target) from error
    return part


def put_in_place(part: Path, target: Path) -> None:
    """Give what was laid down its name; never over something else. Raises as ``lay_down``, and ``part`` is gone."""
    try:
        with target.open("xb"):
            pass  # the name is ours now
        part.replace(target)
    except FileExistsError as error:
        part.unlink(missing_ok=True)
        raise _taken(target) from error
    except OSError as error:
        part.unlink(missing_ok=True)
        raise _unwritable(target) from error


def _taken(target: Path) -> GovDeskError:
    return GovDeskError(
        "SEAL-044", tr("“{name}”已经存在，没有覆盖它。", name=target.name), fix=tr("请换一个文件名再盖。")
    )


def _unwritable(target: Path) -> GovDeskError:
    return GovDeskError(
        "SEAL-045",
        tr("文件夹“{name}”不能写入，盖好章的文件没有存成，原文件没有改动。", name=target.parent.name),
        fix=tr("请检查磁盘空间和权限，或另存到别的文件夹。"),
    )
