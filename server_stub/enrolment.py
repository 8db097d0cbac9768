"""Devices: enrolled once by a one-time code, known afterwards by a certificate that they renew by themselves."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import ssl
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.ids import is_uuid7, uuid7
from modules.common.server_ports import REVOKED_FOR, Caller, DeviceView, OneTime
from modules.common.text import tr
from server_stub import audit, feed, tls
from server_stub.config import Settings
from server_stub.database import Database
from server_stub.sealing import open_sealed, seal
from server_stub.signin.passwords import readable_secret
from server_stub.tables import Device, DeviceCertificate, EnrolmentCode, Organisation
from server_stub.trust import DOUBT
from server_stub.writer import Writer
from sync.protocol import CertificateReply, CertificateRequest, Enrolment, EnrolRequest

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


def _unknown() -> GovDeskError:
    return GovDeskError("AUTH-010", tr("服务器不认识这台设备。"), fix=tr("请用登记码重新登记；未上传的业务仍在本机。"))


def _revoked() -> GovDeskError:
    return GovDeskError("AUTH-011", tr("这台设备已被停用。"), fix=tr("请联系系统管理员。"))


def _no_device() -> GovDeskError:
    return GovDeskError("AUTH-026", tr("没有这台设备。"))


def _bad_code() -> GovDeskError:
    return GovDeskError("AUTH-012", tr("登记码无效、已使用或已过期。"), fix=tr("请向系统管理员索取新的登记码。"))


def _other_code() -> GovDeskError:
    return GovDeskError(
        "AUTH-070",
        tr("这个登记码不是给这台电脑重新登记用的。"),
        fix=tr("请系统管理员在“设备”中选中这台电脑，发“重新登记码”；未上传的业务仍在本机。"),
    )


@lru_cache(4096)
def fingerprint(pem: str) -> str:
    """SHA-256 (hex) of a certificate."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


_SHOWN = (
    select(Device.id, Device.revoked_at, DeviceCertificate.until, DeviceCertificate.used_at)
    .join(Device, Device.id == DeviceCertificate.device_id)
    .where(DeviceCertificate.sha256 == bindparam("sha256"))
)


class DeviceRegistry:
    """Enrols devices, signs for them, knows them again; implements ``modules.common.server_ports.Devices``."""

    def __init__(self, database: Database, writer: Writer, clock: Clock, settings: Settings, made: tls.Tls) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._tls = made
        self._seen: dict[str, str] = {}
        self._seen_lock = threading.Lock()

    # -- becoming one

    def enrol(self, request: EnrolRequest) -> Enrolment:
        """Use up a code. The same key gets the same answer again: the first may have been lost on its way.

        Raises AUTH-012 for a code that is unknown, used or expired, AUTH-070 for one that is for another computer,
        SRV-400 for a senseless name or request.
        """
        name = _place(request.name)

        def store(session: Session) -> Enrolment:
            now = iso(self._clock.now())
            code = session.get(EnrolmentCode, _code_hash(request.code), with_for_update=True)
            if code is None or code.expires_at <= now:
                raise _bad_code()
            if code.used_by:
                device = self._asked_again(session, code.used_by, request)
                again = code.device_id is not None
            else:
                device, again = self._device_for(session, code, request, name or code.name, now)
                code.used_by = device.id
            escrow = "" if again else open_sealed(session, Device, (device.id,), device.sealed)
            device.keyless = request.keyless
            # whoever held the certificate before is not this computer any more
            session.execute(delete(DeviceCertificate).filter_by(device_id=device.id))
            device.token_hash = ""
            session.flush()
            signed = self._sign(session, device.id, request.csr)
            action = "device.enrol_again" if again else "device.enrol"
            detail = {"certificate": signed.sha256}
            audit.append(session, now, [audit.Entry(action, device=device.id, subject=device.id, detail=detail)])
            hall = session.get_one(Organisation, device.hall_id)
            return Enrolment(
                device.id, signed.pem, device.name, hall.id, hall.series, escrow, pins=list(self._tls.pins)
            )

        return self._writer.do(store)

    def _asked_again(self, session: Session, device_id: str, request: EnrolRequest) -> Device:
        try:
            key = tls.requested_key(request.csr)
        except ValueError:
            raise _bad_code() from None
        known = select(DeviceCertificate.sha256).filter_by(
            device_id=device_id, key_sha256=tls.spki_sha256(key), used_at=None
        )
        device = session.get_one(Device, device_id)
        if session.execute(known).first() is None or device.revoked_at:
            raise _bad_code()
        return device

    def _device_for(
        self, session: Session, code: EnrolmentCode, request: EnrolRequest, name: str, now: str
    ) -> tuple[Device, bool]:
        """The device that a code makes, and whether it was one before."""
        if code.device_id:
            if request.device != code.device_id:
                raise _other_code()
            device = session.get_one(Device, code.device_id)
            if device.revoked_at:
                raise _revoked()
            return device, True
        # a computer that this server has forgotten, as after the return of an old backup, keeps its id: its outbox
        # is numbered and signed for it
        if request.device and (session.get(Device, request.device) is not None or not is_uuid7(request.device)):
            raise _other_code()
        id = request.device or uuid7()
        escrow = base64.b64encode(secrets.token_bytes(32)).decode()
        device = Device(
            id=id,
            name=name,
            hall_id=code.hall_id,
            token_hash="",
            sealed=seal(session, Device, (id,), escrow),
            last_n=0,
            enrolled_at=now,
        )
        session.add(device)
        session.flush()
        return device, False

    def renew(self, device_id: str, request: CertificateRequest) -> CertificateReply:
        """The next certificate; the present one is good until it is used. Raises SRV-400 for a senseless request."""

        def store(session: Session) -> CertificateReply:
            device = session.get_one(Device, device_id)
            device.keyless = request.keyless
            session.execute(delete(DeviceCertificate).filter_by(device_id=device_id, used_at=None))
            signed = self._sign(session, device_id, request.csr)
            entry = audit.Entry(
                "device.renew", device=device_id, subject=device_id, detail={"certificate": signed.sha256}
            )
            audit.append(session, iso(self._clock.now()), [entry])
            return CertificateReply(signed.pem, list(self._tls.pins))

        return self._writer.do(store)

    def _sign(self, session: Session, device_id: str, csr: str) -> tls.DeviceCertificate:
        try:
            signed = tls.issue(self._tls, csr, device_id, self._clock.now(), self._settings.certificate_days)
        except ValueError as error:
            raise Refused(Refusal("SRV-400", tr("请求的内容不符合要求。"), {"csr": tr("取值不正确。")})) from error
        row = DeviceCertificate(
            sha256=signed.sha256, device_id=device_id, key_sha256=signed.key_sha256, until=iso(signed.until)
        )
        session.add(row)
        session.flush()
        return signed

    # -- being known

    def recognise(
        self,
        certificate: str,
        header: str = "",
        *,
        revoked_too: bool = False,
        by_token: bool = False,
        by_name: bool = False,
    ) -> str:
        """The id of the device whose certificate (PEM) this is; TLS has verified that it is ours and in date.

        ``revoked_too`` is for pushes: what was done before the revocation is still judged, command by command.
        Without a certificate, ``by_token`` also lets in one that was enrolled before there were any, by the header
        ``<id>:<token>``; ``by_name`` also one whose key only opens when somebody signs in, by its id.
        Raises AUTH-010 for an unknown one, AUTH-011 for a revoked one, AUTH-071 where a certificate is missing.
        """
        if certificate:
            device_id, revoked_at = self._by_certificate(fingerprint(certificate))
        else:
            device_id, revoked_at = self._by_header(header, by_token=by_token, by_name=by_name)
        if revoked_at and not revoked_too:
            raise _revoked()
        self._seen[device_id] = iso(self._clock.now())
        return device_id

    def _by_certificate(self, sha256: str) -> tuple[str, str | None]:
        with self._database.read() as session:
            row = session.execute(_SHOWN, {"sha256": sha256}).one_or_none()
        now = iso(self._clock.now())
        # a line may outlive the certificate that it began with
        if row is None or row.until <= now:
            raise _unknown()
        if row.used_at is None:
            self._writer.do(lambda session: _begin_use(session, row.id, sha256, now))
        return row.id, row.revoked_at

    def _by_header(self, header: str, *, by_token: bool, by_name: bool) -> tuple[str, str | None]:
        device_id, _, token = header.partition(":")
        with self._database.read() as session:
            query = select(Device.token_hash, Device.keyless, Device.revoked_at).filter_by(id=device_id)
            row = session.execute(query).one_or_none()
        if row is None:
            raise _unknown()
        if by_token and row.token_hash and hmac.compare_digest(row.token_hash, _hash(token)):
            return device_id, row.revoked_at
        if row.token_hash and not hmac.compare_digest(row.token_hash, _hash(token)):
            raise _unknown()
        if by_name and row.keyless:
            return device_id, row.revoked_at
        raise GovDeskError(
            "AUTH-071",
            tr("这台设备没有出示有效的证书。"),
            fix=tr("请升级本机程序；若仍不行，请系统管理员发“重新登记码”。未上传的业务仍在本机。"),
        )

    def note_seen(self) -> None:
        """Write down when devices were last seen: now and then, not at each question."""
        with self._seen_lock:
            seen, self._seen = self._seen, {}
        if seen:
            rows = [{"id": device_id, "seen_at": at} for device_id, at in seen.items()]
            self._writer.do(lambda session: session.execute(update(Device), rows))

    # -- what administrators do

    def find(self) -> list[DeviceView]:
        with self._database.read() as session:
            devices = session.execute(select(Device).order_by(Device.id.desc())).scalars()
            signed = select(DeviceCertificate.device_id, DeviceCertificate.until).order_by(DeviceCertificate.until)
            until = {row.device_id: row.until for row in session.execute(signed)}
            return [
                DeviceView(
                    row.id,
                    row.name,
                    row.hall_id,
                    row.enrolled_at,
                    row.revoked_at or "",
                    row.revoked_for,
                    max(row.seen_at, self._seen.get(row.id, "")),
                    until.get(row.id, ""),
                    row.keyless,
                )
                for row in devices
            ]

    def revoke(self, by: Caller, device_id: str, reason: str) -> None:
        if reason not in REVOKED_FOR:
            raise Refused(Refusal("AUTH-072", tr("请选择停用的原因。"), {"reason": tr("取值不正确。")}))

        def store(session: Session) -> None:
            device = session.get(Device, device_id, with_for_update=True)
            if device is None:
                raise _no_device()
            if device.revoked_at is None:
                device.revoked_at, device.revoked_for = iso(self._clock.now()), reason
                session.flush()
                feed.tell(session, {f"{DOUBT}device:{device_id}": 0})
                entry = audit.Entry("device.revoke", by.actor.id, by.device, device_id, {"reason": reason})
                audit.append(session, device.revoked_at, [entry])

        self._writer.do(store)

    def new_code(self, by: Caller, hall_id: str, name: str) -> OneTime:
        name = _place(name)

        def make(session: Session) -> EnrolmentCode:
            hall = session.get(Organisation, hall_id)
            if hall is None or hall.kind != "hall":
                raise GovDeskError("AUTH-027", tr("没有编号为“{id}”的机构。", id=hall_id))
            return EnrolmentCode(hall_id=hall_id, name=name)

        return self._code(by, make)

    def again_code(self, by: Caller, device_id: str) -> OneTime:
        def make(session: Session) -> EnrolmentCode:
            device = session.get(Device, device_id)
            if device is None:
                raise _no_device()
            if device.revoked_at:
                raise _revoked()
            return EnrolmentCode(hall_id=device.hall_id, name=device.name, device_id=device_id)

        return self._code(by, make)

    def _code(self, by: Caller, make: Callable[[Session], EnrolmentCode]) -> OneTime:
        secret = readable_secret(2)
        now = self._clock.now()
        expires = iso(now + timedelta(seconds=self._settings.code_seconds))

        def store(session: Session) -> None:
            code = make(session)
            code.code_hash, code.expires_at = _code_hash(secret), expires
            session.add(code)
            session.flush()
            subject = code.device_id or code.hall_id
            audit.append(session, iso(now), [audit.Entry("device.code", by.actor.id, by.device, subject)])

        self._writer.do(store)
        return OneTime(f"{secret}.{self._tls.ca_sha256[:PIN]}", expires_at=expires)


def _begin_use(session: Session, device_id: str, sha256: str, now: str) -> None:
    """A certificate is used for the first time: what the device was known by before is worth nothing now."""
    others = delete(DeviceCertificate).where(
        DeviceCertificate.device_id == device_id, DeviceCertificate.sha256 != sha256
    )
    session.execute(others)
    session.execute(update(DeviceCertificate).filter_by(sha256=sha256).values(used_at=now))
    session.execute(update(Device).filter_by(id=device_id).values(token_hash=""))
