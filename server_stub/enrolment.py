"""Devices: enrolled once by a one-time code, known afterwards by a token of which only the hash is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.ids import is_uuid7, uuid7
from modules.common.server_ports import Caller, DeviceView, OneTime
from modules.common.text import tr
from server_stub import audit
from server_stub.config import Settings
from server_stub.database import Database
from server_stub.sealing import seal
from server_stub.signin.passwords import readable_secret
from server_stub.tables import Device, EnrolmentCode, Organisation
from server_stub.writer import Writer
from sync.protocol import Enrolment, EnrolRequest

PIN = 20
"""Hex digits of the CA certificate's SHA-256 behind the dot of a code: what a client pins the CA by."""
NAME_LIMIT = 50


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _code_hash(code: str) -> str:
    return _hash("".join(char for char in code.partition(".")[0].upper() if char.isalnum()))


def _place(name: str) -> str:
    """The name of a window or room as it is kept: it stands in every case that is accepted there. Raises SRV-400."""
    name = name.strip()
    if len(name) > NAME_LIMIT or not name.isprintable():
        raise Refused(Refusal("SRV-400", tr("请求的内容不符合要求。"), {"name": tr("取值不正确。")}))
    return name


def _forgotten(session: Session, former: str) -> bool:
    """Whether a device may say that it was called so: nobody is, nobody has said so before. Then statements that this
    server has signed for ``former`` speak for it; they stand in that computer's encrypted store and nowhere else.
    """
    if not is_uuid7(former):
        return False
    named = select(Device.id).where(or_(Device.id == former, Device.former == former))
    return session.execute(named.limit(1)).first() is None


class DeviceRegistry:
    """Enrols and recognises devices; implements ``modules.common.server_ports.Devices``."""

    def __init__(self, database: Database, writer: Writer, clock: Clock, settings: Settings, ca_sha256: str) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._pin = ca_sha256[:PIN]

    def enrol(self, request: EnrolRequest) -> Enrolment:
        """Use up a code. Raises AUTH-012 for one that is unknown, used or expired, SRV-400 for a senseless name."""
        name = _place(request.name)
        token = secrets.token_hex(32)

        def store(session: Session) -> Enrolment:
            now = iso(self._clock.now())
            code = session.get(EnrolmentCode, _code_hash(request.code), with_for_update=True)
            if code is None or code.used_by or code.expires_at <= now:
                raise GovDeskError(
                    "AUTH-012", tr("登记码无效、已使用或已过期。"), fix=tr("请向系统管理员索取新的登记码。")
                )
            hall = session.get_one(Organisation, code.hall_id)
            id = uuid7()
            former = request.former if _forgotten(session, request.former) else None
            device = Device(
                id=id,
                name=name or code.name,
                hall_id=code.hall_id,
                token_hash=_hash(token),
                sealed=seal(session, Device, (id,), base64.b64encode(secrets.token_bytes(32)).decode()),
                last_n=0,
                enrolled_at=now,
                former=former,
            )
            session.add(device)
            session.flush()
            code.used_by = device.id
            session.flush()
            detail = {"former": former} if former else {}
            audit.append(
                session, now, [audit.Entry("device.enrol", device=device.id, subject=device.id, detail=detail)]
            )
            return Enrolment(device=device.id, token=token, name=device.name, hall_id=hall.id, series=hall.series)

        return self._writer.do(store)

    def recognise(self, header: str, *, revoked_too: bool = False) -> str:
        """The id of the device whose ``<id>:<token>`` this is. Raises AUTH-010, or AUTH-011 for a revoked one.

        ``revoked_too`` is for pushes: what was done before the revocation is still judged, command by command.
        """
        device_id, _, token = header.partition(":")
        with self._database.read() as session:
            row = session.execute(select(Device.token_hash, Device.revoked_at).filter_by(id=device_id)).one_or_none()
        known, revoked_at = row or (_hash(""), None)
        if not hmac.compare_digest(known, _hash(token)) or row is None:
            raise GovDeskError(
                "AUTH-010", tr("服务器不认识这台设备。"), fix=tr("本机数据都保留。请退出登录，用新的登记码重新登记。")
            )
        if revoked_at and not revoked_too:
            raise GovDeskError("AUTH-011", tr("这台设备已被停用。"), fix=tr("请联系系统管理员。"))
        return device_id

    def find(self) -> list[DeviceView]:
        with self._database.read() as session:
            devices = session.execute(select(Device).order_by(Device.id.desc())).scalars()
            return [DeviceView(row.id, row.name, row.hall_id, row.enrolled_at, row.revoked_at or "") for row in devices]

    def revoke(self, by: Caller, device_id: str) -> None:
        def store(session: Session) -> None:
            device = session.get(Device, device_id, with_for_update=True)
            if device is None:
                raise GovDeskError("AUTH-026", tr("没有这台设备。"))
            if device.revoked_at is None:
                device.revoked_at = iso(self._clock.now())
                session.flush()
                audit.append(
                    session, device.revoked_at, [audit.Entry("device.revoke", by.actor.id, by.device, device_id)]
                )

        self._writer.do(store)

    def new_code(self, by: Caller, hall_id: str, name: str) -> OneTime:
        name = _place(name)
        code = readable_secret(2)
        now = self._clock.now()
        expires = iso(now + timedelta(seconds=self._settings.code_seconds))

        def store(session: Session) -> None:
            hall = session.get(Organisation, hall_id)
            if hall is None or hall.kind != "hall":
                raise GovDeskError("AUTH-027", tr("没有编号为“{id}”的机构。", id=hall_id))
            session.add(EnrolmentCode(code_hash=_code_hash(code), hall_id=hall_id, name=name, expires_at=expires))
            session.flush()
            audit.append(session, iso(now), [audit.Entry("device.code", by.actor.id, by.device, hall_id)])

        self._writer.do(store)
        return OneTime(f"{code}.{self._pin}", expires_at=expires)
