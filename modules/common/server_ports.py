"""What the central server lends the server parts of modules: ``routes(services) -> APIRouter``, ``job(services)``.

Modules never import the server; the server hands these in. Every route of a module depends on
``services.require(permission)``, which also tells it who is asking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from modules.common.aggregate import Doc
from modules.common.clock import Clock
from modules.common.permissions import SYSTEM, Actor


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
class GrantRequestView:
    """What was asked for a person and waits for a second pair of eyes, until ``until``: a role, or a certificate, by
    whom it names and its SHA-256.
    """

    id: str
    person_id: str
    person: str
    role: str
    reason: str
    asked_by_id: str
    asked_by: str
    asked_at: str
    until: str
    certificate: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some of ``total`` people, by login."""

    total: int
    items: list[PersonView]


@dataclass(frozen=True, slots=True)
class DeviceView:
    """An enrolled device; ``revoked_at`` is empty while it is trusted, ``revoked_for`` a key of ``REVOKED_FOR``.

    ``seen_at`` is right to a minute. ``until`` is the end of its certificate, empty before it has one. ``keyless``: it
    has no system keyring.
    """

    id: str
    name: str
    hall_id: str
    enrolled_at: str
    revoked_at: str
    revoked_for: str = ""
    seen_at: str = ""
    until: str = ""
    keyless: bool = False


REVOKED_FOR = ("lost", "stolen", "scrapped", "moved", "suspect", "other")
"""Why a device is revoked: of a list, so that nobody's name gets into the audit log."""


@dataclass(frozen=True, slots=True)
class OneTime:
    """A secret shown once: a password or an enrolment code. ``id`` is the person's, or empty."""

    secret: str
    expires_at: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class AuditView:
    """One link of the audit chain. ``result`` is ``done`` or ``refused``; ``name`` and ``place`` are those of today."""

    seq: int
    at: str
    action: str
    person: str
    device: str
    subject: str
    detail: dict[str, Any]
    hash: str
    result: str = "done"
    name: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Links, newest first; ``more``: ask again with the last one's ``seq`` as ``before``."""

    more: bool
    items: list[AuditView]


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """``checked`` links are whole; ``broken_at`` is the first that is not, or None.

    ``why``: ``changed``, ``missing``, ``forged`` (a signed head says otherwise) or ``different`` (an export does).
    ``signed`` is the last link up to which the server has signed.
    """

    checked: int
    broken_at: int | None
    why: str = ""
    signed: int = 0


@dataclass(frozen=True, slots=True)
class AuditLines:
    """Some lines of the file of an export. ``until``: the last link of it; ``more``: ask again with ``after``."""

    lines: list[str]
    until: int
    after: int
    more: bool


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

    def revoke(self, by: Caller, person_id: str, role_id: str) -> None:
        """Take a role away, and with it every statement that names it."""
        ...


class GrantRequests(Protocol):
    """Four eyes for every role and for every certificate: one security administrator asks, another one agrees."""

    def ask_role(self, by: Caller, person_id: str, role_id: str, reason: str) -> str:
        """Ask for a role; the request's id. Raises AUTH-021 for a mixture that the three administrators forbid,
        AUTH-024 for oneself, AUTH-060 and AUTH-061 for what is asked for or held already.
        """
        ...

    def ask_certificate(self, by: Caller, person_id: str, text: str, reason: str) -> str:
        """Ask that a certificate (PEM, or DER as base64) may stand for a person: whoever holds its key would be that
        person. The request's id. Raises AUTH-037, AUTH-038, AUTH-040 for one that will not do, AUTH-024, AUTH-060, 061.
        """
        ...

    def waiting(self) -> list[GrantRequestView]:
        """Requests that nobody has decided and that still stand, oldest first."""
        ...

    def decide(self, by: Caller, request_id: str, agree: bool) -> None:
        """Agree, or decline; whoever asked may only take it back. Raises AUTH-062 for one that stands no more,
        AUTH-063 for one's own, and what asking raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class CertificateView:
    """A certificate that stands for a person. ``revoked_at`` is empty while it does, ``used_at`` before it is used."""

    fingerprint: str
    subject: str
    not_after: str
    bound_at: str
    revoked_at: str
    used_at: str


@dataclass(frozen=True, slots=True)
class WaysInView:
    """How a person may sign in, and when each way was last used at the server; times are empty for never.

    ``last`` holds the newest sign-in by method (``password``, ``certificate``, ``oidc``), as far as sessions are kept
    (400 days). ``totp_required``: ``""``, ``role`` or ``person``, by what a second factor is demanded. ``identities``
    are the providers of single sign-on that know the person. ``sessions`` counts those that stand.
    """

    last: dict[str, str]
    must_change_password: bool
    totp: bool
    totp_required: str
    totp_at: str
    totp_used_at: str
    recovery_left: int
    certificates: list[CertificateView]
    identities: list[str]
    sessions: int


class WaysIn(Protocol):
    """Other people's ways to sign in. Every change is audited; raises AUTH-023 unknown person, AUTH-052 oneself."""

    def of(self, person_id: str) -> WaysInView:
        """A person's ways in; certificates the newest first."""
        ...

    def take_certificate_back(self, by: Caller, person_id: str, fingerprint: str) -> None:
        """Let it stand for nobody any more, and end what was begun by certificate. Raises AUTH-041."""
        ...

    def require_second_factor(self, by: Caller, person_id: str, required: bool) -> None:
        """From the next sign-in by password on, demand one of this person; or leave it to the roles again."""
        ...

    def remove_second_factor(self, by: Caller, person_id: str) -> None:
        """For a lost telephone: ask for no code any more, and end the person's sessions."""
        ...

    def end_sessions(self, by: Caller, person_id: str) -> None:
        """End all of a person's sessions; what was done before stands."""
        ...


class Devices(Protocol):
    """Enrolled devices."""

    def find(self) -> list[DeviceView]:
        """All devices, newest first."""
        ...

    def revoke(self, by: Caller, device_id: str, reason: str) -> None:
        """Stop trusting a device, for one of ``REVOKED_FOR``. Raises AUTH-026 for an unknown one, AUTH-072."""
        ...

    def new_code(self, by: Caller, hall_id: str, name: str) -> OneTime:
        """A one-time enrolment code. Raises AUTH-027 for an unknown hall."""
        ...

    def again_code(self, by: Caller, device_id: str) -> OneTime:
        """A one-time code by which that computer gets a new certificate. Raises AUTH-026 unknown, AUTH-011 revoked."""
        ...


class AuditLog(Protocol):
    """The audit chain, to be read. Whatever is read ``by`` somebody is itself recorded in it."""

    def find(
        self,
        *,
        by: Caller | None = None,
        action: str = "",
        person: str = "",
        since: str = "",
        until: str = "",
        result: str = "",
        device: str = "",
        before: int = 0,
        limit: int = 100,
    ) -> AuditPage:
        """Links, newest first. ``action`` is a prefix, ``person`` an id, a login or part of a name, ``device`` an id or
        part of a name, ``result`` ``done`` or ``refused``; times are UTC text.
        """
        ...

    def verify(self, by: Caller | None = None) -> AuditVerdict:
        """Walk the whole chain, and hold it against the signed heads."""
        ...

    def export(self, by: Caller, after: int = 0, until: int = 0) -> AuditLines:
        """The file of the chain, some lines at a time; ``after`` 0 signs the head and begins. Raises SRV-043 for an
        ``until`` that no export has begun with.
        """
        ...


@dataclass(frozen=True, slots=True)
class Reference:
    """A document that is published rather than commanded: a calendar day, an organisation, a seeded item.

    ``title``, ``number``, ``search`` and ``scopes`` serve kinds without rules; an aggregate's own rules summarise its
    documents and say its feeds. Without any scope a document stays on the server. ``id`` and ``number`` are kept in
    clear: a person's belong into ``search``.
    """

    kind: str
    id: str
    doc: Mapping[str, Any]
    title: str = ""
    number: str = ""
    scopes: frozenset[str] = frozenset({"ref"})
    search: str = ""


class ServerCommands(Protocol):
    """The server's own commands, for jobs and for routes of modules: the same rules, the same feeds, the same log."""

    def give(
        self,
        kind: str,
        aggregate_id: str,
        type: str,
        body: Mapping[str, Any],
        *,
        actor: Actor = SYSTEM,
        device: str = "",
        command_id: str = "",
    ) -> int:
        """Decide and store one command in a transaction of its own; the aggregate's new revision.

        Raises ``Refused``, with nothing changed. ``command_id`` (any text; a job's own name for what it does, such
        as ``yellow:<case>:2026-11-23``) makes a repetition harmless: it returns the first one's revision; a refused
        command may be tried again under its id. A route gives ``actor=caller.actor`` and ``device=caller.device``:
        a person reaches only what their own feeds carry (AUTH-030); ``SYSTEM`` reaches everything.
        """
        ...

    def get(self, kind: str, id: str) -> Doc | None:
        """The newest document, or None."""
        ...

    def find(
        self,
        kind: str,
        *,
        states: Sequence[str] = (),
        due_until: date | None = None,
        after: str = "",
        limit: int = 500,
    ) -> list[Doc]:
        """Documents by summary state, due on or before ``due_until``, by id; ask again with ``after`` the last id.

        An answer shorter than ``limit`` (at most 1000) is the last one.
        """
        ...

    def with_number(self, kind: str, number: str, *, limit: int = 100) -> list[Doc]:
        """Documents whose summary has exactly this number among its ``search`` words, by id (at most 1000).

        An identity, phone or case number, however it was typed; found by a blind index, for the words are sealed.
        """
        ...

    def publish(self, references: Iterable[Reference]) -> int:
        """Put new and changed reference documents into the feeds; how many. What a command has changed stays."""
        ...


class ServerServices(Protocol):
    """All that a module's server part may use."""

    @property
    def clock(self) -> Clock: ...

    @property
    def people(self) -> People: ...

    @property
    def grant_requests(self) -> GrantRequests: ...

    @property
    def ways_in(self) -> WaysIn: ...

    @property
    def devices(self) -> Devices: ...

    @property
    def audit(self) -> AuditLog: ...

    @property
    def commands(self) -> ServerCommands: ...

    def require(self, permission: str) -> Callable[..., Caller]:
        """A FastAPI dependency: the caller, who holds ``permission``; else the answer is 401 or 403."""
        ...

    def setting(self, name: str) -> str:
        """A setting of ``server.toml`` that is text, such as ``province_url``; empty where the operator set none."""
        ...
