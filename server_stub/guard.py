"""Who may ask: devices by their certificate, people by their statement, permissions by route, and how often."""

from __future__ import annotations

import threading
from collections.abc import Callable

from fastapi import Request
from sqlalchemy import bindparam, select

from modules.common import statement
from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError, Refused
from modules.common.permissions import forbidden
from modules.common.server_ports import Caller
from modules.common.statement import Statement
from modules.common.text import tr
from server_stub.database import Database
from server_stub.enrolment import DeviceRegistry
from server_stub.identity import Identity
from server_stub.signin.sessions import ended
from server_stub.tables import Device, Person, SignInSession
from sync.protocol import DEVICE_HEADER, STATEMENT_HEADER

_STANDING = (
    select(SignInSession.ended_at)
    .join(Person, Person.id == SignInSession.person_id)
    .join(Device, Device.id == SignInSession.device_id)
    .where(
        SignInSession.id == bindparam("session"),
        SignInSession.revoked_at.is_(None),
        Person.disabled_at.is_(None),
        Device.revoked_at.is_(None),
    )
)


class RateLimiter:
    """A token bucket per key: ``per_minute`` on average, as many at once."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Use one token. Raises AUTH-014 when none is left."""
        now = self._clock.monotonic()
        with self._lock:
            left, then = self._buckets.get(key, (float(self._per_minute), now))
            left = min(float(self._per_minute), left + (now - then) * self._per_minute / 60)
            if left < 1:
                raise GovDeskError("AUTH-014", tr("尝试过于频繁。"), fix=tr("请一分钟后再试。"))
            if len(self._buckets) > 10_000:
                # a bucket that has had a minute is full again: forgetting it changes nothing
                self._buckets = {name: bucket for name, bucket in self._buckets.items() if now - bucket[1] < 60}
            self._buckets[key] = (left - 1, now)


class Guard:
    """Makes the dependencies by which routes declare what they ask of a caller."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        identity: Identity,
        devices: DeviceRegistry,
        per_device: RateLimiter,
        per_address: RateLimiter,
    ) -> None:
        self._database = database
        self._clock = clock
        self._identity = identity
        self._devices = devices
        self._per_device = per_device
        self._per_address = per_address
        self.declared: dict[Callable[..., object], str] = {}
        """What each dependency asks for: a permission, or ``:signed-in``, ``:device``."""

    def require(self, permission: str) -> Callable[..., Caller]:
        """The caller, who holds ``permission`` and has not signed out."""

        def permitted(request: Request) -> Caller:
            caller = self._caller(request, signed_out_too=False)
            if not caller.actor.may(permission):
                raise Refused(forbidden(permission))
            return caller

        self.declared[permitted] = permission
        return permitted

    def signed_in(self) -> Callable[..., Caller]:
        """The caller, who may have signed out: an offline sign-in works under the statement of the last one."""

        def known(request: Request) -> Caller:
            return self._caller(request, signed_out_too=True)

        self.declared[known] = ":signed-in"
        return known

    def device(self, *, revoked_too: bool = False) -> Callable[..., str]:
        """The id of an enrolled device."""

        def enrolled(request: Request) -> str:
            return self._device(request, revoked_too=revoked_too)

        self.declared[enrolled] = ":device"
        return enrolled

    def limited_device(self) -> Callable[..., str]:
        """The id of an enrolled device that does not try passwords too often.

        One whose key opens only when somebody signs in (or that has no certificate yet) is let in by its name: what it
        is given here, it can do nothing with before it has shown its certificate.
        """

        def enrolled(request: Request) -> str:
            self.limit_address(request)
            device = self._device(request, by_name=True, by_token=True)
            self._per_device.take(device)
            return device

        self.declared[enrolled] = ":device"
        return enrolled

    def certified_device(self) -> Callable[..., str]:
        """The id of a device that asks for its next certificate, or for its first in place of a token."""

        def enrolled(request: Request) -> str:
            self.limit_address(request)
            device = self._device(request, by_token=True)
            self._per_device.take(device)
            return device

        self.declared[enrolled] = ":device"
        return enrolled

    def limit_address(self, request: Request) -> None:
        """Count a try against the caller's address. Raises AUTH-014."""
        self._per_address.take(request.client.host if request.client else "")

    def _device(self, request: Request, **also: bool) -> str:
        tls = request.scope.get("extensions", {}).get("tls", {})
        shown = next(iter(tls.get("client_cert_chain", ())), "")
        device = self._devices.recognise(shown, request.headers.get(DEVICE_HEADER, ""), **also)
        request.state.device = device
        return device

    def renewing(self) -> Callable[..., Statement]:
        """The caller's statement, which may be too old to answer questions."""

        def known(request: Request) -> Statement:
            self._caller(request, signed_out_too=False, stale_too=True)
            said: Statement = request.state.said
            return said

        self.declared[known] = ":signed-in"
        return known

    def session_shown(self, request: Request) -> str:
        """The session of a statement that comes along where none is asked for; empty without a good one."""
        try:
            said = statement.verify(request.headers.get(STATEMENT_HEADER, ""), self._identity.public_key)
        except GovDeskError:
            return ""
        return said.session_id if said.device == request.state.device else ""

    def stands(self, said: Statement, *, signed_out_too: bool = True) -> bool:
        """Whether the session of a statement, its person and its device are trusted."""
        with self._database.read() as session:
            row = session.execute(_STANDING, {"session": said.session_id}).one_or_none()
        return row is not None and (signed_out_too or not row.ended_at)

    def _caller(self, request: Request, *, signed_out_too: bool, stale_too: bool = False) -> Caller:
        device = self._device(request)
        token = request.headers.get(STATEMENT_HEADER, "")
        if not token:
            raise GovDeskError("AUTH-001", tr("尚未登录。"), fix=tr("请先登录。"))
        said = statement.verify(token, self._identity.public_key)
        if said.device != device:
            raise GovDeskError("AUTH-008", tr("登录凭据属于另一台设备。请重新登录。"))
        now = iso(self._clock.now())
        if said.expires_at <= now or (not stale_too and said.online_until and said.online_until <= now):
            raise GovDeskError("AUTH-006", tr("登录已过期。"), fix=tr("请重新登录。"))
        if not self.stands(said, signed_out_too=signed_out_too):
            raise ended()
        request.state.person = said.person
        request.state.said = said
        return Caller(said.actor(), device)
