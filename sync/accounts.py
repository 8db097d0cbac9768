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
from client.data.profile import Device, Profile, read_json, write_json
from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError
from modules.common.permissions import Actor
from modules.common.text import tr
from sync.enrolment import enrol
from sync.protocol import (
    PROTOCOL,
    PROTOCOL_MIN,
    CertificateRequest,
    Hello,
    PasswordChange,
    SignInReply,
    SignInRequest,
)
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

LOCK_FAILURES = 5
LOCK_TIME = timedelta(minutes=15)
DISABLED = "AUTH-004"
"""The server's answer for a person who may no longer sign in."""
WRONG = "AUTH-002"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A person at work. ``statement`` is the token; ``offline``: the server was not asked."""

    store: Store
    statement: str
    actor: Actor
    device: Device
    offline: bool
    must_change: bool = False


TransportFactory = Callable[[str, Identity], Transport]
"""Makes the transport to the server's address for a device, or for a computer that is none yet."""


class Accounts:
    """Enrolment, sign-in and sign-out on one profile; also the port ``Session``. All calls belong on a lane.

    ``open_store`` is handed a path, a key and the clock. ``get_ca`` and ``transport_factory`` are
    replaced in tests, ``cost`` makes their argon2id quick.
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
    ) -> None:
        self._profile = profile
        self._clock = clock
        self._make = transport_factory
        self._cost = cost
        self._open_store = open_store or _open_store
        self._get_ca = get_ca
        self.credential = Credential(profile, self._keys(), clock)
        self._transport: Transport | None = None
        self._open: OpenSession | None = None
        self._password = ""

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
        if hello.proto < PROTOCOL_MIN or hello.proto_min > PROTOCOL:
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

    def sign_in(self, login: str, password: str) -> OpenSession:
        """Open a session. Raises AUTH-002 wrong name or password, AUTH-003 locked for some minutes, AUTH-005 the time
        without the server is over, AUTH-015 never signed in here and no server; NET-… and the server's
        own problems; what opening the store raises.
        """
        login = login.strip().lower()
        device = self._profile.device()
        if device is None:
            raise not_enrolled()
        self.sign_out()
        self._refuse_locked(login)
        self._open_credential(login, password)
        try:
            reply = self.transport.sign_in(SignInRequest(login, password))
        except GovDeskError as error:
            if error.code not in UNREACHABLE:
                self._server_said_no(login, password, error)
                raise
            session = self._sign_in_here(device, login, password, error)
        else:
            session = self._signed_in_there(device, login, password, reply)
        self._forget_failures(login)
        self._open = session
        return session

    def renew(self) -> OpenSession:
        """Sign in at the server the person who signed in without it, so that questions in their name are answered.

        The store stays open. Raises as ``sign_in``; when the server says no, sign out.
        """
        session = self._signed_in()
        if not session.offline:
            return session
        login = session.actor.login
        try:
            reply = self.transport.sign_in(SignInRequest(login, self._password))
        except GovDeskError as error:
            if error.code not in UNREACHABLE:
                self._server_said_no(login, self._password, error)
            raise
        self._password = ""
        self._open = self._begin(session.store, session.device, reply)
        self._stay_known()
        return self._open

    def verify(self, password: str) -> None:
        """Check the signed-in person's password, to unlock the window. Raises AUTH-002 or AUTH-003."""
        self._check_here(self._signed_in().actor.login, password)

    def change_password(self, login: str, old: str, new: str) -> OpenSession | None:
        """Set a new password at the server and wrap the store key with it. Raises the server's own problems, NET-….

        When ``login`` is signed in, the session is renewed with its full rights, and returned.
        """
        login = login.strip().lower()
        self.transport.change_password(PasswordChange(login, old, new))
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
        self._open = self._begin(session.store, session.device, self.transport.sign_in(SignInRequest(login, new)))
        return self._open

    def sign_out(self) -> None:
        """End the session and close the store; the server is told if it can be reached."""
        session, self._open, self._password = self._open, None, ""
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

    def _open_credential(self, login: str, password: str) -> None:
        """Where no keyring opens the device's key, this person's wrap may; else the server lets them in without."""
        self.credential.ask_again()
        keys = self._keys()
        if self.credential.opens or not keys.exists() or not keys.knows(login):
            return
        try:
            self.credential.opened(keys.open_with_password(login, password))
        except GovDeskError as error:
            if error.code != WRONG:
                raise

    def _signed_in_there(self, device: Device, login: str, password: str, reply: SignInReply) -> OpenSession:
        keys = self._keys()
        escrow = base64.b64decode(reply.escrow)
        if not keys.exists():
            key = keys.create(escrow)
            keys.add_person(login, password, key)
        else:
            key = self._unwrap(keys, login, password, escrow)
            keys.keep_escrow(escrow, key)
        self.credential.opened(key)
        store = self._open_store(self._profile, key, self._clock)
        try:
            session = self._begin(store, device, reply)
            store.prune()
            self._stay_known()
            if self.credential.lost:
                raise _lost()
        except BaseException:
            store.close()
            raise
        return session

    def _renew_certificate(self) -> None:
        credential = self.credential
        if credential.due:
            reply = self.transport.certify(CertificateRequest(credential.request(), credential.sealed))
            credential.accept(reply.certificate)
            credential.learn(reply.pins)

    def _stay_known(self) -> None:
        """Renew the certificate if it is time; a server that cannot be asked just now is asked another time."""
        try:
            self._renew_certificate()
        except GovDeskError as error:
            log.warning("the device's certificate was not renewed: %s", error.code)

    def _unwrap(self, keys: KeyRing, login: str, password: str, escrow: bytes) -> bytes:
        """The store key by the person's wrap; by escrow for a new person or a password set at the server."""
        if keys.knows(login):
            try:
                return keys.open_with_password(login, password)
            except GovDeskError as error:
                if error.code != WRONG:
                    raise
        try:
            key = keys.open_with_escrow(escrow)
        except GovDeskError:
            kept = keys.open_with_keyring()
            if kept is None:
                raise
            key = kept
        keys.add_person(login, password, key)
        return key

    def _begin(self, store: Store, device: Device, reply: SignInReply) -> OpenSession:
        received = parse_iso(reply.server_time)
        store.contact(store.epoch, round((received - self._clock.now()) / timedelta(milliseconds=1)))
        until = iso(received + timedelta(seconds=reply.offline_seconds))
        store.open_session(reply.statement, device.name, device.series, offline_until=until)
        return OpenSession(store, reply.statement, store.actor, device, False, reply.must_change_password)

    def _sign_in_here(self, device: Device, login: str, password: str, cause: GovDeskError) -> OpenSession:
        from client.data.store import sign_in_expired

        keys = self._keys()
        if not keys.exists() or not keys.knows(login):
            raise GovDeskError(
                "AUTH-015",
                tr("连不上服务器，而您还没有在这台电脑上登录过。"),
                fix=tr("请在网络恢复后登录一次，以后就可以离线登录。"),
            ) from cause
        key = self._check_here(login, password)
        self.credential.opened(key)
        store = self._open_store(self._profile, key, self._clock)
        try:
            kept = store.last_statement(login)
            if kept is None or store.now() >= parse_iso(kept[1]):
                raise sign_in_expired(kept[1] if kept else iso(store.now()))
            store.open_session(kept[0], device.name, device.series)
            session = OpenSession(store, kept[0], store.actor, device, True)
        except BaseException:
            store.close()
            raise
        self._password = password
        return session

    def _check_here(self, login: str, password: str) -> bytes:
        self._refuse_locked(login)
        try:
            key = self._keys().open_with_password(login, password)
        except GovDeskError as error:
            if error.code == WRONG:
                self._count_failure(login)
            raise
        self._forget_failures(login)
        return key

    def _server_said_no(self, login: str, password: str, error: GovDeskError) -> None:
        keys = self._keys()
        if error.code == DISABLED and keys.exists():
            keys.forget_person(login)
        if error.code != WRONG:
            return
        self._count_failure(login)
        if keys.exists() and keys.knows(login):
            try:
                keys.open_with_password(login, password)
            except GovDeskError as wrong:
                if wrong.code != WRONG:
                    raise
            else:
                # right here and wrong there: it was changed there, and must not serve offline any more
                keys.forget_person(login)

    # -- lock-out ---------------------------------------------------------------------------------

    def _refuse_locked(self, login: str) -> None:
        _, until = self._attempts().get(login, (0, ""))
        left = parse_iso(until) - self._clock.now() if until else timedelta(0)
        # a clock that was set back must not lock people out for longer than the rule says
        if timedelta(0) < left <= LOCK_TIME:
            raise _locked(left)

    def _count_failure(self, login: str) -> None:
        attempts = self._attempts()
        failures, _ = attempts.get(login, (0, ""))
        locks = failures + 1 >= LOCK_FAILURES
        attempts[login] = (0, iso(self._clock.now() + LOCK_TIME)) if locks else (failures + 1, "")
        write_json(self._profile.attempts, dict(attempts))

    def _forget_failures(self, login: str) -> None:
        attempts = self._attempts()
        if attempts.pop(login, None) is not None:
            write_json(self._profile.attempts, attempts)

    def _attempts(self) -> dict[str, tuple[int, str]]:
        """Failures in a row and the end of a lock, by login."""
        stored = read_json(self._profile.attempts) or {}
        return {login: (int(failures), str(until)) for login, (failures, until) in stored.items()}


def _lost() -> GovDeskError:
    return GovDeskError(
        "NET-011",
        tr("这台电脑的设备证书已过期，或者打不开。"),
        fix=tr("请系统管理员在“设备”中为这台电脑发“重新登记码”，在此输入；未上传的业务都还在本机。"),
    )


def _locked(left: timedelta) -> GovDeskError:
    minutes = math.ceil(left / timedelta(minutes=1))
    return GovDeskError(
        "AUTH-003", tr("密码连续输错，已暂停登录。"), fix=tr("请在 {minutes} 分钟后再试。", minutes=minutes)
    )


def _open_store(profile: Profile, key: bytes, clock: Clock) -> Store:
    from client.data.store import Store

    return Store.open(profile.database, key, clock)
