"""What the security administrator does to other people's ways in; implements ``server_ports.WaysIn``."""

from __future__ import annotations

from sqlalchemy import select

from modules.common.errors import GovDeskError
from modules.common.server_ports import Caller, CertificateView, WaysInView
from modules.common.text import tr
from server_stub.accounts import nobody
from server_stub.database import Database
from server_stub.signin.certificates import Certificates
from server_stub.signin.door import CERTIFICATE
from server_stub.signin.sessions import Sessions
from server_stub.signin.totp import Totp
from server_stub.tables import Person, PersonIdentity, PersonRole


class Administration:
    """Shows the ways in; takes back certificates, demands or removes a second factor, ends sessions.

    Nobody does it to themselves. What lets somebody in anew, a certificate, takes two (``grant_requests``).
    """

    def __init__(self, database: Database, sessions: Sessions, totp: Totp, certificates: Certificates) -> None:
        self._database = database
        self._sessions = sessions
        self._totp = totp
        self._certificates = certificates

    def of(self, person_id: str) -> WaysInView:
        with self._database.read() as session:
            person = session.get(Person, person_id)
            if person is None:
                raise nobody()
            roles = session.execute(select(PersonRole.role_id).filter_by(person_id=person_id)).scalars().all()
            providers = select(PersonIdentity.issuer).filter_by(person_id=person_id).order_by(PersonIdentity.issuer)
            identities = list(session.execute(providers).scalars())
        last, sessions = self._sessions.last(person_id)
        totp_at, totp_used_at, recovery_left = self._totp.uses(person_id)
        return WaysInView(
            last=last,
            must_change_password=person.must_change,
            totp=bool(totp_at),
            totp_required=self._totp.demanded(person, roles),
            totp_at=totp_at,
            totp_used_at=totp_used_at,
            recovery_left=recovery_left,
            certificates=[
                CertificateView(
                    each.fingerprint, each.subject, each.not_after, each.bound_at, each.revoked_at, each.used_at
                )
                for each in self._certificates.of(person_id)
            ],
            identities=identities,
            sessions=sessions,
        )

    def take_certificate_back(self, by: Caller, person_id: str, fingerprint: str) -> None:
        self._another(by, person_id)
        self._certificates.take_back(by.actor.id, by.device, fingerprint, person_id)
        self._sessions.revoke(by, person_id, method=CERTIFICATE)

    def require_second_factor(self, by: Caller, person_id: str, required: bool) -> None:
        self._another(by, person_id)
        self._totp.require(person_id, required, by.actor.id, by.device)

    def remove_second_factor(self, by: Caller, person_id: str) -> None:
        self._another(by, person_id)
        self._totp.remove(person_id, by.actor.id, by.device)
        self._sessions.revoke(by, person_id)

    def end_sessions(self, by: Caller, person_id: str) -> None:
        self._another(by, person_id)
        self._sessions.revoke(by, person_id)

    def _another(self, by: Caller, person_id: str) -> None:
        if person_id == by.actor.id:
            raise GovDeskError("AUTH-052", tr("不能这样更改自己的登录方式。"), fix=tr("请由另一位安全管理员办理。"))
        self._sessions.must_exist(person_id)
