"""The addresses of people, roles, devices and the audit log, under ``/v1/m/people``."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from modules.common.errors import Refusal, Refused
from modules.common.notices import KIND, SEND, notice, notice_id
from modules.common.server_ports import (
    AuditLines,
    AuditPage,
    AuditVerdict,
    Caller,
    DeviceView,
    GrantRequestView,
    OneTime,
    PeoplePage,
    ServerServices,
    WaysInView,
)
from modules.common.text import tr
from modules.people import domain

PAGE = 200


@dataclass(frozen=True, slots=True)
class Enabled:
    """Whether somebody may sign in."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class RoleName:
    """A role by its id; ``reason`` is for whoever has to agree."""

    role: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the second pair of eyes says."""

    agree: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A request by its id."""

    id: str


@dataclass(frozen=True, slots=True)
class NewCode:
    """The hall and the window or room that a code is for."""

    hall_id: str
    name: str


def _tell_others(services: ServerServices, caller: Caller, request: str) -> None:
    """A notice to the other security administrators."""
    now = services.clock.now()
    for person in services.people.with_role("secadmin"):
        if person.id != caller.actor.id:
            title = tr("有一项授权等您复核")
            text = tr("{name} 提交了一项授权。请在“人员与角色”的“待复核”中处理。", name=caller.actor.name)
            body = notice(person.id, title, text, "page:people.people", now)
            # the request stands, whether or not there is a module of notices to tell of it
            with suppress(Refused):
                services.commands.give(KIND, notice_id("grant-request", request, person.id), SEND, body)


def _check_reason(reason: str) -> None:
    if len(reason) > domain.REASON_LIMIT:
        raise Refused(Refusal("AUTH-029", tr("人员信息填写有误。"), {"reason": domain.reason_too_long()}))


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a device is revoked: one of ``REVOKED_FOR``."""

    reason: str


@dataclass(frozen=True, slots=True)
class CertificateText:
    """A certificate in PEM, or as base64 of DER; ``reason`` is for whoever has to agree."""

    pem: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Required:
    """Whether a second factor is demanded."""

    required: bool


@dataclass(frozen=True, slots=True)
class CertificateName:
    """A certificate by its SHA-256."""

    fingerprint: str


def routes(services: ServerServices) -> APIRouter:
    """The module's router; every route names its permission."""
    router = APIRouter()
    view = Depends(services.require(domain.VIEW))
    manage = Depends(services.require(domain.MANAGE))
    grants = Depends(services.require(domain.GRANT))
    audits = Depends(services.require(domain.AUDIT))
    people, requests, ways_in = services.people, services.grant_requests, services.ways_in
    devices, audit = services.devices, services.audit

    @router.get("/people")
    def find_people(
        caller: Caller = view,
        text: str = "",
        offset: Annotated[int, Query(ge=0, lt=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 50,
    ) -> PeoplePage:
        """People by login, searched by login or name."""
        return people.find(text, offset, limit)

    @router.post("/people")
    def create_person(body: domain.NewPerson, caller: Caller = manage) -> OneTime:
        """Add a person; the answer holds a one-time password."""
        if faults := domain.faults(body):
            raise Refused(Refusal("AUTH-029", tr("人员信息填写有误。"), faults))
        return people.create(caller, body.login, body.name, body.hall_id, body.department_id)

    @router.post("/people/{person}/enabled", status_code=204)
    def enable_person(person: str, body: Enabled, caller: Caller = manage) -> None:
        """Enable or disable."""
        people.set_enabled(caller, person, body.enabled)

    @router.post("/people/{person}/reset-password")
    def reset_password(person: str, caller: Caller = manage) -> OneTime:
        """A new one-time password."""
        return people.reset_password(caller, person)

    @router.post("/people/{person}/grant")
    def ask_for_role(person: str, body: RoleName, caller: Caller = grants) -> Asked:
        """Ask for a role; it holds when another security administrator agrees, who is told."""
        _check_reason(body.reason)
        made = Asked(requests.ask_role(caller, person, body.role, body.reason))
        _tell_others(services, caller, made.id)
        return made

    @router.get("/requests")
    def waiting_requests(caller: Caller = grants) -> list[GrantRequestView]:
        """Roles and certificates that were asked for and wait."""
        return requests.waiting()

    @router.post("/requests/{request}/decision", status_code=204)
    def decide_request(request: str, body: Agreement, caller: Caller = grants) -> None:
        """Agree, decline, or take back what oneself has asked for."""
        requests.decide(caller, request, body.agree)

    @router.post("/people/{person}/revoke", status_code=204)
    def revoke_role(person: str, body: RoleName, caller: Caller = grants) -> None:
        """Take a role away."""
        people.revoke(caller, person, body.role)

    @router.get("/people/{person}/ways-in")
    def person_ways_in(person: str, caller: Caller = grants) -> WaysInView:
        """How a person may sign in, and when each way was last used."""
        return ways_in.of(person)

    @router.post("/people/{person}/certificates")
    def ask_for_certificate(person: str, body: CertificateText, caller: Caller = grants) -> Asked:
        """Ask that a certificate stands for a person; it does when another security administrator agrees."""
        _check_reason(body.reason)
        made = Asked(requests.ask_certificate(caller, person, body.pem, body.reason))
        _tell_others(services, caller, made.id)
        return made

    @router.post("/people/{person}/certificates/revoke", status_code=204)
    def take_certificate_back(person: str, body: CertificateName, caller: Caller = grants) -> None:
        """Let it stand for nobody any more."""
        ways_in.take_certificate_back(caller, person, body.fingerprint)

    @router.post("/people/{person}/second-factor/required", status_code=204)
    def require_second_factor(person: str, body: Required, caller: Caller = grants) -> None:
        """Demand a second factor of a person, or leave it to the roles."""
        ways_in.require_second_factor(caller, person, body.required)

    @router.post("/people/{person}/second-factor/remove", status_code=204)
    def remove_second_factor(person: str, caller: Caller = grants) -> None:
        """For a lost telephone."""
        ways_in.remove_second_factor(caller, person)

    @router.post("/people/{person}/sign-out", status_code=204)
    def end_sessions(person: str, caller: Caller = grants) -> None:
        """End all sessions of a person."""
        ways_in.end_sessions(caller, person)

    @router.get("/devices")
    def find_devices(caller: Caller = manage) -> list[DeviceView]:
        """All devices."""
        return devices.find()

    @router.post("/devices/{device}/revoke", status_code=204)
    def revoke_device(device: str, body: Reason, caller: Caller = manage) -> None:
        """Stop trusting a device."""
        devices.revoke(caller, device, body.reason)

    @router.post("/devices/{device}/code")
    def again_code(device: str, caller: Caller = manage) -> OneTime:
        """A one-time code for a computer that is enrolled and lost its certificate."""
        return devices.again_code(caller, device)

    @router.post("/codes")
    def new_code(body: NewCode, caller: Caller = manage) -> OneTime:
        """A one-time enrolment code."""
        return devices.new_code(caller, body.hall_id, body.name)

    @router.get("/audit")
    def find_audit(
        caller: Caller = audits,
        action: str = "",
        person: str = "",
        since: str = "",
        until: str = "",
        result: Literal["", "done", "refused"] = "",
        device: str = "",
        before: Annotated[int, Query(ge=0, lt=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
    ) -> AuditPage:
        """Links of the audit chain, newest first. That somebody looked is a link of its own."""
        return audit.find(
            by=caller,
            action=action,
            person=person,
            since=since,
            until=until,
            result=result,
            device=device,
            before=before,
            limit=limit,
        )

    @router.get("/audit/verify")
    def verify_audit(caller: Caller = audits) -> AuditVerdict:
        """Walk the whole chain, and hold it against the heads that were signed."""
        return audit.verify(caller)

    @router.get("/audit/export")
    def export_audit(
        caller: Caller = audits,
        after: Annotated[int, Query(ge=0, lt=2**62)] = 0,
        until: Annotated[int, Query(ge=0, lt=2**62)] = 0,
    ) -> AuditLines:
        """The file of the whole chain with its signed head, some lines at a time."""
        return audit.export(caller, after, until)

    return router
