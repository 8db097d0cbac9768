"""Coming in: each method's proof leads to a person, and a person to a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError, Refused
from modules.common.passwords import password_refusal
from modules.common.server_ports import Caller
from modules.common.text import tr
from server_stub import audit
from server_stub.accounts import disabled
from server_stub.config import Settings
from server_stub.database import Database
from server_stub.signin.certificates import Certificates
from server_stub.signin.challenges import Challenges
from server_stub.signin.oidc import Oidc
from server_stub.signin.passwords import Attempts, Passwords
from server_stub.signin.sessions import PASSWORD, Sessions
from server_stub.signin.totp import Totp, code_wanted, wrong_code
from server_stub.tables import Person, SignInSession
from server_stub.trust import end_sessions
from server_stub.writer import Writer
from sync.protocol import (
    Challenge,
    ChallengeRequest,
    OwnSignIn,
    PasswordChange,
    SignInReply,
    SignInRequest,
    TotpSecret,
)

CERTIFICATE = "certificate"
OIDC = "oidc"


class Door:
    """Sign-in by all methods. A proof that belongs to nobody yet is bound to whoever adds their password to it."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        clock: Clock,
        settings: Settings,
        passwords: Passwords,
        sessions: Sessions,
        totp: Totp,
        certificates: Certificates,
        oidc: Oidc,
        published: str | None = None,
    ) -> None:
        """``published`` is a password that everybody knows, and that nobody may sign in with."""
        self._database = database
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._passwords = passwords
        self._sessions = sessions
        self._totp = totp
        self._certificates = certificates
        self._oidc = oidc
        self._published = published
        self._challenges = Challenges(writer, clock)
        self._attempts = Attempts(database, writer, clock, settings)

    @property
    def methods(self) -> list[str]:
        """What a sign-in window may offer."""
        offered = [PASSWORD]
        if self._settings.certificate_sign_in:
            offered.append(CERTIFICATE)
        if self._oidc.offered:
            offered.append(OIDC)
        return offered

    def challenge(self, device_id: str, request: ChallengeRequest) -> Challenge:
        """Something for the device to answer. Raises AUTH-042 for a method that is not offered, AUTH-043, 049."""
        if request.method not in self.methods or request.method == PASSWORD:
            raise _not_offered()
        if request.method == CERTIFICATE:
            id, expires = self._challenges.make(device_id, CERTIFICATE, {})
            return Challenge(id, expires)
        # the browser's answer names the challenge by its state, whose chance is the challenge's own
        url, kept = self._oidc.begin(_STATE, request.redirect)
        id, expires = self._challenges.make(device_id, OIDC, kept)
        return Challenge(id, expires, url.replace(_STATE, id))

    def sign_in(self, device_id: str, request: SignInRequest) -> SignInReply:
        """A session for whoever proves who they are. Raises AUTH-002 wrong password, AUTH-003 locked, AUTH-004
        disabled, AUTH-032 when a one-time code is wanted too, AUTH-034 wrong code; AUTH-033, AUTH-037 … 045 of the
        other methods; AUTH-039 for a proof that belongs to nobody.
        """
        if request.method == PASSWORD:
            person_id = self._by_password(device_id, request)
            return self._sessions.open(person_id, device_id, PASSWORD, self._rehashed(person_id, request.password))
        if request.method not in self.methods:
            raise _not_offered()
        if request.method == CERTIFICATE:
            self._challenges.take(request.challenge, device_id, CERTIFICATE)
            certificate = self._certificates.proved(device_id, request.challenge, request.certificate, request.answer)
            with self._database.read() as session:
                owner = self._certificates.owner(session, certificate)
            person_id = owner or self._binding(
                device_id, request, lambda own: self._certificates.bind(own, device_id, own, certificate)
            )
            return self._sessions.open(
                person_id, device_id, CERTIFICATE, lambda session, _: self._certificates.used(session, certificate)
            )
        kept = self._challenges.take(request.challenge, device_id, OIDC)
        return self._sessions.open(self._by_oidc(device_id, request, kept), device_id, OIDC)

    def change_password(self, device_id: str, change: PasswordChange, keep: str = "") -> None:
        """Set one's own password; all of one's sessions end but ``keep``, for somebody else may have begun them.

        Raises what a sign-in by password raises, and AUTH-020 for one that will not do.
        """
        person_id = self._prove(device_id, change.login, change.old)
        if refusal := password_refusal(change.login.strip(), change.new):
            raise Refused(refusal)
        if change.new == change.old:
            raise GovDeskError("AUTH-020", tr("新密码不能与原密码相同。"))
        hashed = self._passwords.hash(change.new)

        def store(session: Session) -> None:
            session.execute(
                update(Person).where(Person.id == person_id).values(password_hash=hashed, must_change=False)
            )
            now = iso(self._clock.now())
            end_sessions(session, person_id, now, SignInSession.id != keep)
            audit.append(session, now, [audit.Entry("password.change", person_id, device_id, person_id)])

        self._writer.do(store)

    # -- one's own second factor

    def own(self, caller: Caller) -> OwnSignIn:
        """How whoever asks may sign in."""
        with self._database.read() as session:
            totp = self._totp.enabled(session, caller.actor.id)
            demanded = self._totp.demanded(session.get_one(Person, caller.actor.id), caller.actor.roles)
        return OwnSignIn(
            totp=totp,
            totp_required=bool(demanded),
            recovery_left=self._totp.recovery_left(caller.actor.id),
            certificates=self._certificates.of(caller.actor.id),
        )

    def begin_totp(self, caller: Caller, password: str) -> TotpSecret:
        """A new secret for whoever asks, who proves once more who they are."""
        self._prove(caller.device, caller.actor.login, password)
        return self._totp.begin(caller.actor.id, caller.actor.login)

    def confirm_totp(self, caller: Caller, code: str) -> list[str]:
        """The recovery codes. Raises AUTH-034, AUTH-003 after too many."""
        login = caller.actor.login
        self._attempts.refuse_locked(login)
        try:
            return self._totp.confirm(caller.actor.id, caller.device, code)
        except GovDeskError:
            self._attempts.failed(login, caller.device, caller.actor.id)
            raise

    def remove_totp(self, caller: Caller, password: str, code: str) -> None:
        """Do without a second factor, where one's role allows it."""
        request = SignInRequest(caller.actor.login, password, code=code)
        self._by_password(caller.device, request)
        self._totp.remove(caller.actor.id, caller.actor.id, caller.device)

    # -- proofs

    def _by_password(self, device_id: str, request: SignInRequest) -> str:
        """The id of the person whose password, and one-time code where one is needed, these are."""
        person_id = self._prove(device_id, request.login, request.password, keep=True)
        login = _login(request.login)
        with self._database.read() as session:
            wanted = self._totp.enabled(session, person_id)
        if wanted and not request.code:
            raise code_wanted()
        if wanted and not self._totp.use(person_id, device_id, request.code):
            self._attempts.failed(login, device_id, person_id)
            raise wrong_code()
        self._attempts.forget(login)
        return person_id

    def _prove(self, device_id: str, login: str, password: str, *, keep: bool = False) -> str:
        """The id of the person whose password this is. Known and unknown logins fail alike, and lock alike.

        ``keep`` leaves earlier failures counted, and so does a second factor: a right password alone must not give new
        tries for the code.
        """
        login = _login(login)
        self._attempts.refuse_locked(login)
        with self._database.read() as session:
            person = session.execute(select(Person).filter_by(login=login)).scalar_one_or_none()
            found = (person.id, person.password_hash, person.disabled_at) if person else None
            keep = keep or (person is not None and self._totp.enabled(session, person.id))
        # the demonstration's password is published: outside of a demonstration it opens nothing, whoever left it there
        published = password == self._published
        right = self._passwords.check(None if published or found is None else found[1], password)
        if not right or found is None:
            self._attempts.failed(login, device_id, found[0] if found else "")
            raise GovDeskError("AUTH-002", tr("用户名或密码不正确。"), fix=tr("请检查后重新输入。"))
        if found[2]:
            raise disabled()
        if not keep:
            self._attempts.forget(login)
        return found[0]

    def _rehashed(self, person_id: str, password: str) -> Callable[[Session, Person], None]:
        """Bring the stored hash to today's costs, if it is of others."""
        with self._database.read() as session:
            outdated = self._passwords.outdated(session.get_one(Person, person_id).password_hash)
        hashed = self._passwords.hash(password) if outdated else ""

        def change(session: Session, person: Person) -> None:
            if hashed and self._passwords.outdated(person.password_hash):
                person.password_hash = hashed

        return change

    def _by_oidc(self, device_id: str, request: SignInRequest, kept: dict[str, Any]) -> str:
        found = self._oidc.finish(kept, request.answer)
        with self._database.read() as session:
            owner = self._oidc.owner(session, found)
            if owner is None and found.login:
                owner = session.execute(select(Person.id).filter_by(login=found.login)).scalar_one_or_none()
        if owner is None:
            return self._binding(device_id, request, lambda own: self._oidc.bind(own, device_id, own, found))
        self._oidc.bind(owner, device_id, owner, found)
        return owner

    def _binding(self, device_id: str, request: SignInRequest, bind: Callable[[str], None]) -> str:
        """Whoever adds their password to a proof that belongs to nobody: from now on it is theirs. Raises AUTH-039."""
        if not self._settings.self_binding or not request.password:
            own = self._settings.self_binding
            raise GovDeskError(
                "AUTH-039",
                tr("这张证书或这个统一身份账号还没有登记给任何人。"),
                fix=tr("请输入用户名和密码，把它登记为您的。") if own else tr("请联系安全管理员。"),
            )
        person_id = self._by_password(device_id, request)
        bind(person_id)
        return person_id


_STATE = "0" * 64
"""Stands in an address for the challenge that does not exist yet."""


def _not_offered() -> GovDeskError:
    return GovDeskError("AUTH-042", tr("服务器没有开通这种登录方式。"), fix=tr("请用密码登录。"))


def _login(login: str) -> str:
    return login.strip().lower()
