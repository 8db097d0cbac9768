"""What the security administrator does to other people's ways in; implements ``server_ports.WaysIn``."""

from __future__ import annotations

from collections.abc import Sequence

from modules.common.errors import GovDeskError
from modules.common.server_ports import Caller, CertificateView
from modules.common.text import tr
from server_stub.signin.certificates import Certificates
from server_stub.signin.sessions import Sessions
from server_stub.signin.totp import Totp


class Administration:
    """Binds and takes back certificates, removes a lost second factor, ends sessions. Nobody does it to themselves."""

    def __init__(self, sessions: Sessions, totp: Totp, certificates: Certificates) -> None:
        self._sessions = sessions
        self._totp = totp
        self._certificates = certificates

    def certificates(self, person_id: str) -> Sequence[CertificateView]:
        return [
            CertificateView(each.fingerprint, each.subject, each.not_after, each.bound_at, each.revoked_at)
            for each in self._certificates.of(person_id)
        ]

    def bind_certificate(self, by: Caller, person_id: str, text: str) -> None:
        self._another(by, person_id)
        self._certificates.bind_text(by.actor.id, by.device, person_id, text)

    def take_certificate_back(self, by: Caller, person_id: str, fingerprint: str) -> None:
        self._another(by, person_id)
        self._certificates.take_back(by.actor.id, by.device, fingerprint, person_id)

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
