"""What the central server lends the server parts of modules: ``routes(services) -> APIRouter``, ``job(services)``.

Modules never import the server; the server hands these in. Every route of a module depends on
``services.require(permission)``, which also tells it who is asking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from modules.common.clock import Clock
from modules.common.permissions import Actor


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and from which device."""

    actor: Actor
    device: str


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person as administrators see one."""

    id: str
    login: str
    name: str
    hall_id: str
    department_id: str
    roles: list[str]
    admin_kind: str
    enabled: bool
    must_change_password: bool
    created_at: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some of ``total`` people, by login."""

    total: int
    items: list[PersonView]


@dataclass(frozen=True, slots=True)
class DeviceView:
    """An enrolled device; ``revoked_at`` is empty while it is trusted."""

    id: str
    name: str
    hall_id: str
    enrolled_at: str
    revoked_at: str


@dataclass(frozen=True, slots=True)
class OneTime:
    """A secret shown once: a password or an enrolment code. ``id`` is the person's, or empty."""

    secret: str
    expires_at: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class AuditView:
    """One link of the audit chain."""

    seq: int
    at: str
    action: str
    person: str
    device: str
    subject: str
    detail: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Links, newest first; ``more``: ask again with the last one's ``seq`` as ``before``."""

    more: bool
    items: list[AuditView]


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """``checked`` links are whole; ``broken_at`` is the first that is not, or None."""

    checked: int
    broken_at: int | None


class People(Protocol):
    """People and their roles. Every change is audited in its own transaction; errors are ``GovDeskError``."""

    def find(self, text: str, offset: int, limit: int) -> PeoplePage:
        """People whose login or name contains ``text``."""
        ...

    def with_role(self, role_id: str, *, department_id: str = "", hall_id: str = "") -> list[PersonView]:
        """Enabled people who hold a role, by login; of one department or hall where that is given."""
        ...

    def create(self, by: Caller, login: str, name: str, hall_id: str, department_id: str) -> OneTime:
        """A new person without roles, whose one-time password must be changed at the first sign-in.

        Raises AUTH-022 for a login in use, AUTH-027 for an unknown organisation.
        """
        ...

    def set_enabled(self, by: Caller, person_id: str, enabled: bool) -> None:
        """Enable, or disable and revoke all statements.

        Raises AUTH-023 for an unknown person, AUTH-024 for oneself.
        """
        ...

    def reset_password(self, by: Caller, person_id: str) -> OneTime:
        """A new one-time password. Raises AUTH-025 for another administrator's, which only the console resets."""
        ...

    def grant(self, by: Caller, person_id: str, role_id: str) -> None:
        """Give a role. Raises AUTH-021 for a mixture that the three administrators forbid, AUTH-024 for oneself."""
        ...

    def revoke(self, by: Caller, person_id: str, role_id: str) -> None:
        """Take a role away, and with it every statement that names it."""
        ...


class Devices(Protocol):
    """Enrolled devices."""

    def find(self) -> list[DeviceView]:
        """All devices, newest first."""
        ...

    def revoke(self, by: Caller, device_id: str) -> None:
        """Stop trusting a device. Raises AUTH-026 for an unknown one."""
        ...

    def new_code(self, by: Caller, hall_id: str, name: str) -> OneTime:
        """A one-time enrolment code. Raises AUTH-027 for an unknown hall."""
        ...


class AuditLog(Protocol):
    """The audit chain, to be read."""

    def find(
        self, *, action: str = "", person: str = "", since: str = "", until: str = "", before: int = 0, limit: int = 100
    ) -> AuditPage:
        """Links, newest first. ``action`` is a prefix; times are UTC text."""
        ...

    def verify(self) -> AuditVerdict:
        """Walk the whole chain."""
        ...


class ServerServices(Protocol):
    """All that a module's server part may use."""

    @property
    def clock(self) -> Clock: ...

    @property
    def people(self) -> People: ...

    @property
    def devices(self) -> Devices: ...

    @property
    def audit(self) -> AuditLog: ...

    def require(self, permission: str) -> Callable[..., Caller]:
        """A FastAPI dependency: the caller, who holds ``permission``; else the answer is 401 or 403."""
        ...
