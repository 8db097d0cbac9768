"""Making seals (制章): the district's authority as encrypted files, seals for signers, their life in the register."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from client.kernel.contract import Host
from client.kernel.ports import Commands, Record, Records, Session
from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refused
from modules.common.permissions import forbidden
from modules.common.seals.register import ACTIVE, FROZEN, MAKE, record_id
from modules.common.text import tr
from modules.fixed_layout.services.sealing import lay_down, put_in_place, read_seal_file

if TYPE_CHECKING:
    from modules.common.seals.making import Issued, Workshop
    from modules.common.seals.ses import Picture

ROOT, MAKER = "root.govmaker", "maker.govmaker"
ROOTS = "roots"
"""What offices lay down to verify by: the root certificate, its revocation list, the list of stopped seals."""
STAR, EMBLEM, IMPORTED = "star", "emblem", "imported"
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Bench:
    """An authority whose keys are open: in memory alone, while its page is."""

    folder: Path
    workshop: Workshop


@dataclass(frozen=True, slots=True)
class SealOrder:
    """A seal that is wanted. ``size`` is in millimetres; ``art`` is the emblem, or the whole picture when imported."""

    name: str
    code: str
    signer: str
    """Whose certificate it is, as verifying shows it."""
    users: tuple[str, ...]
    """Logins of those who may use it."""
    size: int = 42
    look: str = STAR
    below: str = ""
    art: bytes = b""
    years: int = 3


class MakingService:
    """The use cases of whoever makes seals. Lanes: files and keys on ``cpu``, the register on ``data``."""

    def __init__(self, host: Host) -> None:
        self._session = host.service(Session)  # type: ignore[type-abstract]
        self._clock = host.service(Clock)  # type: ignore[type-abstract]
        self._records = host.service(Records)  # type: ignore[type-abstract]
        self._commands = host.service(Commands)  # type: ignore[type-abstract]

    @property
    def may_make(self) -> bool:
        """Whether this person makes seals."""
        return bool(self._session.actor.may(MAKE))

    def check(self) -> None:
        """Raise ``Refused`` AUTH-403 unless this person makes seals."""
        if not self.may_make:
            raise Refused(forbidden(MAKE))

    def establish(self, folder: Path, district: str, password: str) -> Bench:
        """A new authority in ``folder``, both keys encrypted under ``password``.

        Raises ``Refused`` AUTH-403; ``GovDeskError``: SEAL-011 for a weak password, SEAL-044 and SEAL-045 as files.
        """
        from modules.common.gm import sm2
        from modules.common.seals.keyfile import seal_file
        from modules.common.seals.making import Issued, establish

        self.check()
        root_key, maker_key = sm2.generate(), sm2.generate()
        workshop = establish(district, root_key, maker_key, self._now())
        root, maker = workshop.root.certificate, workshop.maker
        for name, issued in ((ROOT, Issued(None, root, root_key)), (MAKER, Issued(None, maker, maker_key, (root,)))):
            _write(folder / name, seal_file(issued, password))
        bench = Bench(folder, workshop)
        self.write_lists(bench, ())
        return bench

    def open(self, folder: Path, password: str) -> Bench:
        """The authority of ``folder``.

        Raises ``Refused`` AUTH-403; ``GovDeskError``: SEAL-050 there is none, SEAL-013 for a wrong password.
        """
        from modules.common.gm.issuing import Authority
        from modules.common.seals.keyfile import open_seal_file
        from modules.common.seals.making import Workshop

        self.check()
        try:
            files = [(folder / name).read_bytes() for name in (ROOT, MAKER)]
        except OSError as error:
            raise GovDeskError(
                "SEAL-050",
                tr("文件夹“{name}”里没有制章机构的密钥。", name=folder.name),
                fix=tr("请选择制章机构所在的文件夹，或新建一个。"),
            ) from error
        root, maker = (open_seal_file(data, password) for data in files)
        return Bench(folder, Workshop(Authority(root.key, root.certificate), maker.key, maker.certificate))

    def picture(self, order: SealOrder) -> Picture:
        """How the seal looks. Raises ``GovDeskError`` SEAL-014 or SEAL-015."""
        from modules.common.seals.pictures import Design, draw, imported

        if order.look == IMPORTED:
            return imported(order.art, order.size, order.size)
        emblem = order.art if order.look == EMBLEM else b""
        return draw(Design(order.name, below=order.below, emblem=emblem, diameter=order.size))

    def make(self, bench: Bench, order: SealOrder) -> Issued:
        """The seal with a new key for its signer. Raises ``Refused`` AUTH-403; ``GovDeskError`` SEAL-010, SEAL-014 …"""
        from modules.common.gm import sm2
        from modules.common.seals.making import Issued

        self.check()
        now, key = self._now(), sm2.generate()
        picture = self.picture(order)
        signer = bench.workshop.signer(key.point, {"C": "CN", "O": order.name, "CN": order.signer}, now, order.years)
        until = now + order.years * _YEAR
        seal = bench.workshop.seal(order.code, order.name, picture, [signer], now, until)
        return Issued(seal, signer, key, (bench.workshop.root.certificate,))

    def issue(self, issued: Issued, order: SealOrder, target: Path, password: str) -> Record:
        """Enter the seal in the register, then hand it out as an encrypted file.

        Raises ``Refused`` when the register says no; ``GovDeskError`` SEAL-011, SEAL-044, SEAL-045. No file then.
        """
        body = {
            "code": order.code,
            "name": order.name,
            "department_id": self._session.actor.department_id,
            "users": list(order.users),
        }
        return self._hand_out(issued, record_id(order.code), "seal.issue", body, target, password)

    def renewed(self, bench: Bench, record: Record, path: Path, password: str) -> Issued:
        """The seal of the file ``path`` with a new key, certificate and term.

        Raises ``Refused`` AUTH-403; ``GovDeskError``: SEAL-040 the file cannot be read, SEAL-013,
        SEAL-054 it is another seal.
        """
        from modules.common.gm import sm2
        from modules.common.seals.keyfile import open_seal_file
        from modules.common.seals.making import Issued

        self.check()
        old = open_seal_file(read_seal_file(path), password)
        if old.seal is None or record_id(old.seal.id) != record.id:
            raise GovDeskError(
                "SEAL-054",
                tr("“{name}”不是要换发的这枚印章。", name=path.name),
                fix=tr("请选择“{seal}”原来的印章文件。", seal=record.doc["name"]),
            )
        now, key = self._now(), sm2.generate()
        subject = {"C": "CN", "O": old.seal.name, "CN": old.certificate.name}
        signer = bench.workshop.signer(key.point, subject, now)
        return Issued(bench.workshop.renew(old.seal, [signer], now), signer, key, (bench.workshop.root.certificate,))

    def hand_out_anew(self, issued: Issued, record: Record, target: Path, password: str) -> Record:
        """Enter the new term in the register, then hand the renewed seal out. Raises as ``issue``."""
        return self._hand_out(issued, record.id, "seal.renew", {"why": tr("换发")}, target, password)

    def _hand_out(
        self, issued: Issued, id: str, command: str, body: Mapping[str, object], target: Path, password: str
    ) -> Record:
        from modules.common.seals.keyfile import seal_file

        self.check()
        seal = issued.seal
        if seal is None:
            raise ValueError("nothing to hand out")
        part = lay_down(target, seal_file(issued, password))
        try:
            term = {"since": iso(seal.since), "until": iso(seal.until)}
            record = self._commands.give("seal", id, command, {**body, **term})
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        put_in_place(part, target)
        return record

    def carry_out(self, record: Record, what: str, why: str) -> Record:
        """``freeze``, ``thaw`` or ``revoke`` a seal; ``why`` is kept. Raises ``Refused``."""
        self.check()
        return self._commands.give("seal", record.id, f"seal.{what}", {"why": why})

    def seals(self, text: str = "") -> list[Record]:
        """The seals that this person sees, newest first. Raises ``Refused`` AUTH-403."""
        self.check()
        return self._records.find("seal", text=text, limit=1_000)

    def write_lists(self, bench: Bench, seals: Sequence[Record]) -> Path:
        """Lay down what offices verify by: root, revocation list, stopped seals; to be handed to them. The folder.

        Raises ``GovDeskError`` SEAL-051 when it cannot be written.
        """
        from modules.common.seals.commands import write_whole
        from modules.common.seals.status import SealState, Status

        self.check()
        entries = []
        for record in seals:
            doc = record.doc
            if doc["state"] != ACTIVE:
                state = SealState.FROZEN if doc["state"] == FROZEN else SealState.REVOKED
                entries.append(Status(str(doc["code"]), state, _second(parse_iso(doc["history"][-1]["at"]))))
        now, folder = self._now(), bench.folder / ROOTS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / "root.cer", bench.workshop.root.certificate.raw)
            write_whole(folder / "root.crl", bench.workshop.certificate_list({}, now))
            write_whole(folder / "stopped.seals", bench.workshop.seal_list(entries, now))
        except OSError as error:
            raise GovDeskError(
                "SEAL-051", tr("验章用的名单没有写成。"), fix=tr("请检查磁盘空间和权限后重试。")
            ) from error
        return folder

    def _now(self) -> datetime:
        return _second(self._clock.now())


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _write(target: Path, data: bytes) -> None:
    put_in_place(lay_down(target, data), target)
