"""Signing in: at the server where it can be reached, here where it cannot.

A person who has signed in on this computer before may sign in without the server until the statement
expires. A server that says no is obeyed; only one that cannot be reached is done without.
"""

from __future__ import annotations

import base64
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from client.data.credential import Credential
from client.data.profile import Device, Profile
from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refused
from modules.common.passwords import password_refusal
from modules.common.permissions import Actor
from modules.common.statement import read
from modules.common.text import tr
from sync.attempts import Attempts
from sync.enrolment import enrol
from sync.protocol import (
    PROTOCOL,
    CertificateRequest,
    Challenge,
    ChallengeRequest,
    Hello,
    PasswordChange,
    SignInReply,
    SignInRequest,
    challenge_message,
)
from sync.store_key import WRONG, Signer, by_escrow, by_password, fingerprint, for_token, proves_itself
from sync.transport import (
    UNREACHABLE,
    HttpTransport,
    Identity,
    Nobody,
    Transport,
    fetch_ca,
    not_enrolled,
    versions_differ,
)

if TYPE_CHECKING:
    from client.data.keys import KdfCost, KeyRing
    from client.data.store import Store

log = logging.getLogger(__name__)

PASSWORD, CERTIFICATE, OIDC = "password", "certificate", "oidc"
"""How people come in."""
DISABLED = "AUTH-004"
"""The server's answer for a person who may no longer sign in."""
UNFIT = "AUTH-038"
"""The server's answer for a certificate that is revoked, out of date or not trusted."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A person at work. ``statement`` is the token; ``offline``: the server was not asked. ``must_enrol``: nothing is
    allowed before there is a second factor. ``method`` is how the person came in.
    """

    store: Store
    statement: str
    actor: Actor
    device: Device
    offline: bool
    must_change: bool = False
    must_enrol: bool = False
    method: str = "password"


TransportFactory = Callable[[str, Identity], Transport]
"""Makes the transport to the server's address for a device, or for a computer that is none yet."""


class Accounts:
    """Enrolment, sign-in and sign-out on one profile; also the port ``Session``. All calls belong on a lane.

    ``open_store`` is handed a path, a key and the clock. ``get_ca`` and ``transport_factory`` are
    replaced in tests, ``cost`` makes their argon2id quick. ``offline_without_code`` is the policy's (``Policy``).
    """

    def __init__(
        self,
        profile: Profile,
        clock: Clock,
        transport_factory: TransportFactory = HttpTransport,
        *,
        cost: KdfCost | None = None,
        open_store: Callable[[Profile, bytes, Clock], Store] | None = None,
        get_ca: Callable[[str, str], bytes] = fetch_ca,
        offline_without_code: bool = True,
    ) -> None:
        self._profile = profile
        self._clock = clock
        self._make = transport_factory
        self._cost = cost
        self._open_store = open_store or _open_store
        self._get_ca = get_ca
        self._offline_without_code = offline_without_code
        self._transport: Transport | None = None
        self._open: OpenSession | None = None
        self._password = ""
        self._signer: Signer | None = None
        self._key = b""
        self._renew_at = math.inf
        self._asked_at = clock.monotonic()
        self._attempts = Attempts(profile, clock)
        self.credential = Credential(profile, self._keys(), clock)

    # -- who is signed in -------------------------------------------------------------------------

    @property
    def session(self) -> OpenSession | None:
        """The open session, or None."""
        return self._open

    @property
    def actor(self) -> Actor:
        """The signed-in person. Raises ``GovDeskError`` AUTH-001 when nobody is."""
        return self._signed_in().actor

    @property
    def place(self) -> str:
        """The name of this counter or room, as enrolled."""
        return self._signed_in().device.name

    @property
    def series(self) -> str:
        """The series of leased numbers that this device uses."""
        return self._signed_in().device.series

    @property
    def transport(self) -> Transport:
        """The way to the server. Raises ``GovDeskError`` NET-004 before enrolment."""
        if self._transport is None:
            device = self._profile.device()
            if device is None:
                raise not_enrolled()
            self._transport = self._make(device.server, self.credential)
        return self._transport

    # -- the computer -----------------------------------------------------------------------------

    def device(self) -> Device | None:
        """What the enrolment made of this computer, or None before it."""
        return self._profile.device()

    def hello(self) -> Hello:
        """What the server says to anyone. Raises NET-…; NET-006 when its protocol does not fit ours."""
        hello = self.transport.hello()
        if hello.proto < PROTOCOL or hello.proto_min > PROTOCOL:
            raise versions_differ()
        self.credential.learn(hello.pins)
        return hello

    def enrol(self, url: str, code: str, name: str = "") -> Device:
        """Make this computer a device of the server at ``url``, by the one-time ``code`` ``XXXX-XXXX.<pin>``.

        One that was a device before becomes it again, by a code made for that, and keeps all its work.

        Raises NET-007 when the server's authority is not the one that the code names, the server's own
        problem for a used code, NET-008 for an ill-formed address or code, DATA-006 for a device of another server.
        """
        device = enrol(
            self._profile,
            self._keys(),
            self.credential,
            url,
            code,
            name,
            get_ca=self._get_ca,
            ask=lambda url: self._make(url, Nobody(self._profile.ca)),
        )
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        return device

    def keep_known(self) -> None:
        """Hear of the server's next key, and ask for the device's next certificate when it is time. Raises NET-…."""
        self.hello()
        self._renew_certificate()

    # -- the person -------------------------------------------------------------------------------

    def sign_in(self, login: str, password: str, code: str = "") -> OpenSession:
        """Open a session by password. Raises AUTH-002 wrong name or password, AUTH-003 locked for some minutes,
        AUTH-015 never signed in here and no server, AUTH-005 the time without the server is over, AUTH-055 the policy
        wants the one-time code that only the server can check, AUTH-032 a one-time ``code`` is wanted, AUTH-034 it is
        wrong; NET-… and the server's own problems; what opening the store raises.
        """
        login = login.strip().lower()
        device = self._ready()
        self._attempts.refuse_locked(login)
        self._open_credential(login, password)
        try:
            reply = self.transport.sign_in(SignInRequest(login, password, code=code))
        except GovDeskError as error:
            if error.code not in UNREACHABLE:
                self._server_said_no(login, password, error)
                raise
            key, method = self._offline_key(login, password, error)
            session = self._open_here(device, login, key, method)
            self._password = "" if method == OIDC else password
        else:
            session = self._open_there(
                device, reply, PASSWORD, lambda keys, escrow: by_password(keys, login, password, escrow)
            )
        self._attempts.forget(login)
        return session

    def sign_in_by_certificate(
        self, signer: Signer, login: str = "", password: str = "", code: str = ""
    ) -> OpenSession:
        """Open a session by the key of a token. Login and password make an unknown certificate the person's own.

        Raises AUTH-037, 038 for a certificate that will not do, AUTH-039 for one that is nobody's yet, AUTH-015 when it
        does not open this computer without the server, and as ``sign_in``.
        """
        device = self._ready()
        name = fingerprint(signer.certificate)
        try:
            reply = self._answer(signer, login, password, code)
        except GovDeskError as error:
            if error.code not in UNREACHABLE:
                keys = self._keys()
                if error.code in (DISABLED, UNFIT) and keys.exists():
                    keys.forget_tokens(name=name)
                raise
            wrap = self._keys().token(name) if self._keys().exists() else None
            secret = signer.secret(wrap.salt, wrap.peer) if wrap else None
            if wrap is None or secret is None:
                raise never_here() from error
            key = self._keys().open_with_token(name, secret)
            session = self._open_here(device, wrap.login, key, CERTIFICATE)
        else:
            session = self._open_there(
                device,
                reply,
                CERTIFICATE,
                lambda keys, escrow: for_token(keys, signer, read(reply.statement).login, escrow),
            )
        self._signer = signer
        return session

    def begin_oidc(self, redirect: str) -> Challenge:
        """Where a browser has to go to sign a person in, and come back to ``redirect``. Raises AUTH-042, AUTH-043."""
        return self.transport.challenge(ChallengeRequest(OIDC, redirect))

    def sign_in_by_oidc(
        self, challenge: str, answer: str, login: str = "", password: str = "", code: str = ""
    ) -> OpenSession:
        """Open a session by what the browser brought back. Login and password make an unknown account the person's own.

        Raises AUTH-033 too late, AUTH-039 nobody's yet, AUTH-044 refused, AUTH-045 another's, and as ``sign_in``.
        """
        device = self._ready()
        request = SignInRequest(login, password, OIDC, code, challenge, answer)
        return self._open_there(device, self.transport.sign_in(request), OIDC, by_escrow)

    def verify_oidc(self, challenge: str, answer: str) -> None:
        """Check that the signed-in person came back from the browser, to unlock the window. Raises AUTH-048."""
        session = self._signed_in()
        reply = self.transport.sign_in(SignInRequest("", "", OIDC, challenge=challenge, answer=answer))
        if read(reply.statement).person != session.actor.id:
            self.transport.sign_out(reply.statement)
            raise _another()
        self._open = self._begin(session.store, session.device, reply, OIDC)

    def renew(self) -> OpenSession:
        """Keep the statement fresh; sign in at the server whoever signed in without it. The store stays open.

        Does nothing while the statement is young. Raises as ``sign_in``, AUTH-016 when the session was ended, AUTH-032
        or AUTH-047 when only the person could sign in; when the server says no, sign out.
        """
        session = self._signed_in()
        self._asked_at = self._clock.monotonic()
        if not session.offline:
            if not self.renewal_due:
                return session
            reply = self.transport.renew(session.statement)
        elif self._signer is not None:
            reply = self._answer(self._signer)
        elif self._password:
            login = session.actor.login
            try:
                reply = self.transport.sign_in(SignInRequest(login, self._password))
            except GovDeskError as error:
                if error.code not in UNREACHABLE:
                    self._server_said_no(login, self._password, error)
                raise
        else:
            raise person_wanted()
        self._password = ""
        self._open = self._begin(session.store, session.device, reply, session.method)
        self._stay_known()
        return self._open

    @property
    def renewal_due(self) -> bool:
        """Whether there is a session that ``renew`` would do something about."""
        return self._open is not None and (self._open.offline or self._clock.monotonic() >= self._renew_at)

    def verify(self, password: str) -> None:
        """Check the signed-in person's password, to unlock the window. Raises AUTH-002 or AUTH-003."""
        self._check_here(self._signed_in().actor.login, password)

    def verify_signer(self, signer: Signer) -> None:
        """Check that it is the key with which the person signed in, to unlock the window. Raises AUTH-048."""
        if self._signer is None or signer.certificate != self._signer.certificate or not proves_itself(signer):
            raise _another()
        self._signer = signer

    def has_password_here(self) -> bool:
        """Whether a password of the signed-in person opens this computer without the server."""
        return self._keys().knows(self._signed_in().actor.login)

    def set_local_password(self, password: str) -> None:
        """Let a password of this computer alone unlock the window, and open it without the server. Raises AUTH-020."""
        session = self._signed_in()
        if refusal := password_refusal(session.actor.login, password):
            raise Refused(refusal)
        self._keys().add_person(session.actor.login, password, self._key, local=True)

    def change_password(self, login: str, old: str, new: str) -> OpenSession | None:
        """Set a new password at the server and wrap the store key with it. Raises the server's own problems, NET-….

        When ``login`` is signed in, the session is renewed with its full rights, and returned.
        """
        login = login.strip().lower()
        # the session that is shown goes on; the person's others end
        self.transport.change_password(PasswordChange(login, old, new), self._open.statement if self._open else "")
        keys = self._keys()
        if keys.exists() and keys.knows(login):
            try:
                keys.add_person(login, new, keys.open_with_password(login, old))
            except GovDeskError as error:
                if error.code != WRONG:
                    raise
                # the wrap is of a still older password: the next sign-in makes a new one, by escrow
                keys.forget_person(login)
        session = self._open
        if session is None or session.actor.login != login:
            return None
        if session.offline:
            self._password = new
        return self.refresh()

    def refresh(self) -> OpenSession:
        """As ``renew``, at once: what the person may do has changed. Raises as ``renew``."""
        self._renew_at = self._clock.monotonic()
        return self.renew()

    def sign_out(self) -> None:
        """End the session and close the store; the server is told if it can be reached."""
        session, self._open, self._password = self._open, None, ""
        self._signer, self._key = None, b""
        if session is None:
            return
        session.store.close()
        if session.offline:
            return
        try:
            self.transport.sign_out(session.statement)
        except GovDeskError as error:
            log.info("sign-out was not told to the server: %s", error.code)

    def close(self) -> None:
        """Sign out and hang up; the profile stays open."""
        self.sign_out()
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    # -- inside -----------------------------------------------------------------------------------

    def _keys(self) -> KeyRing:
        from client.data.keys import KeyRing

        return KeyRing(self._profile, self._cost)

    def _signed_in(self) -> OpenSession:
        if self._open is None:
            from client.data.store import not_signed_in

            raise not_signed_in()
        return self._open

    def _ready(self) -> Device:
        """The enrolled computer, with nobody signed in."""
        device = self._profile.device()
        if device is None:
            raise not_enrolled()
        self.sign_out()
        self._asked_at = self._clock.monotonic()
        self.credential.ask_again()
        return device

    def _open_credential(self, login: str, password: str) -> None:
        """Where no keyring opens the device's key, this person's wrap may; else the server lets them in without."""
        keys = self._keys()
        if self.credential.opens or not keys.exists() or not keys.knows(login):
            return
        try:
            self.credential.opened(keys.open_with_password(login, password))
        except GovDeskError as error:
            if error.code != WRONG:
                raise

    def _renew_certificate(self) -> None:
        credential = self.credential
        if credential.due:
            reply = self.transport.certify(CertificateRequest(credential.request(), credential.keyless))
            credential.accept(reply.certificate)
            credential.learn(reply.pins)

    def _stay_known(self) -> None:
        """Renew the certificate if it is time; a server that cannot be asked just now is asked another time."""
        try:
            self._renew_certificate()
        except GovDeskError as error:
            log.warning("the device's certificate was not renewed: %s", error.code)

    def _answer(self, signer: Signer, login: str = "", password: str = "", code: str = "") -> SignInReply:
        """What the server says to a token that signs its challenge."""
        device = self._profile.device()
        assert device is not None
        challenge = self.transport.challenge(ChallengeRequest(CERTIFICATE))
        request = SignInRequest(
            login,
            password,
            CERTIFICATE,
            code,
            challenge.id,
            base64.b64encode(signer.sign(challenge_message(challenge.id, device.device))).decode(),
            base64.b64encode(signer.certificate).decode(),
        )
        return self.transport.sign_in(request)

    def _open_there(
        self, device: Device, reply: SignInReply, method: str, key_of: Callable[[KeyRing, bytes], bytes]
    ) -> OpenSession:
        escrow = base64.b64decode(reply.escrow)
        self._key = key_of(self._keys(), escrow)
        self._keys().keep_escrow(escrow, self._key)
        self.credential.opened(self._key)
        store = self._open_store(self._profile, self._key, self._clock)
        try:
            session = self._begin(store, device, reply, method)
            store.prune()
            self._stay_known()
            if self.credential.lost:
                raise _lost()
        except BaseException:
            store.close()
            raise
        self._open = session
        return session

    def _begin(self, store: Store, device: Device, reply: SignInReply, method: str) -> OpenSession:
        received = parse_iso(reply.server_time)
        half = (self._clock.monotonic() - self._asked_at) / 2
        offset = (received - self._clock.now() + timedelta(seconds=half)) / timedelta(milliseconds=1)
        store.contact(store.epoch, round(offset), round(half * 1000))
        until = iso(received + timedelta(seconds=reply.offline_seconds))
        store.open_session(reply.statement, device.name, device.series, offline_until=until)
        self._renew_at = self._clock.monotonic() + reply.renew_seconds if reply.renew_seconds else math.inf
        if method == PASSWORD:
            self._keys().note_code(store.actor.login, reply.totp)
        return OpenSession(
            store,
            reply.statement,
            store.actor,
            device,
            False,
            reply.must_change_password,
            reply.must_enrol_totp,
            method,
        )

    def _offline_key(self, login: str, password: str, cause: GovDeskError) -> tuple[bytes, str]:
        """The store key without the server, and the method of whoever has such a password."""
        keys = self._keys()
        if not keys.exists() or not keys.knows(login):
            raise never_here() from cause
        if keys.needs_code(login) and not self._offline_without_code:
            raise _code_at_server() from cause
        return self._check_here(login, password), OIDC if keys.is_local(login) else PASSWORD

    def _open_here(self, device: Device, login: str, key: bytes, method: str) -> OpenSession:
        from client.data.store import sign_in_expired

        self.credential.opened(key)
        store = self._open_store(self._profile, key, self._clock)
        try:
            kept = store.last_statement(login)
            if kept is None or store.now() >= parse_iso(kept[1]):
                raise sign_in_expired(kept[1] if kept else iso(store.now()))
            store.open_session(kept[0], device.name, device.series)
            session = OpenSession(store, kept[0], store.actor, device, True, method=method)
        except BaseException:
            store.close()
            raise
        self._key, self._open = key, session
        return session

    def _check_here(self, login: str, password: str) -> bytes:
        self._attempts.refuse_locked(login)
        try:
            key = self._keys().open_with_password(login, password)
        except GovDeskError as error:
            if error.code == WRONG:
                self._attempts.failed(login)
            raise
        self._attempts.forget(login)
        return key

    def _server_said_no(self, login: str, password: str, error: GovDeskError) -> None:
        keys = self._keys()
        if error.code == DISABLED and keys.exists():
            keys.forget_person(login)
            keys.forget_tokens(login=login)
        if error.code != WRONG:
            return
        self._attempts.failed(login)
        if keys.exists() and keys.knows(login) and not keys.is_local(login):
            try:
                keys.open_with_password(login, password)
            except GovDeskError as wrong:
                if wrong.code != WRONG:
                    raise
            else:
                # right here and wrong there: it was changed there, and must not serve offline any more
                keys.forget_person(login)


def never_here() -> GovDeskError:
    """The error for whoever could sign in with the server alone."""
    return GovDeskError(
        "AUTH-015",
        tr("连不上服务器，而您还没有在这台电脑上登录过。"),
        fix=tr("请在网络恢复后登录一次，以后就可以离线登录。"),
    )


def _code_at_server() -> GovDeskError:
    return GovDeskError(
        "AUTH-055",
        tr("现在连不上服务器，而动态口令只能由服务器核对，不能登录。"),
        fix=tr("请在网络恢复后登录，或改用证书登录；本机未传的业务都还在。"),
    )


def _lost() -> GovDeskError:
    return GovDeskError(
        "NET-011",
        tr("这台电脑的设备证书已过期，或者打不开。"),
        fix=tr("请系统管理员在“设备”中为这台电脑发“重新登记码”，在此输入；未上传的业务都还在本机。"),
    )


def _another() -> GovDeskError:
    return GovDeskError("AUTH-048", tr("这不是登录时的那个人。"), fix=tr("请用自己的证书或账号，或换人登录。"))


def person_wanted() -> GovDeskError:
    """The server is back, and wants to see the person."""
    return GovDeskError(
        "AUTH-047",
        tr("服务器已连通，需要您本人重新登录一次。离线时办的件照常上传。"),
        fix=tr("请在方便时点“换人登录”，再登录一次。"),
    )


def _open_store(profile: Profile, key: bytes, clock: Clock) -> Store:
    from client.data.store import Store

    return Store.open(profile.database, key, clock)
