"""Four eyes (双人复核): a role or a certificate that one security administrator asks for holds when another one agrees.

A certificate takes as many eyes as a role: who could bind one alone could be anybody, and agree with themselves.

Only the server's console gives a role by itself: there the first administrators come from.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refused
from modules.common.ids import uuid7
from modules.common.permissions import judge_grant_request
from modules.common.server_ports import Caller, GrantRequestView
from modules.common.text import tr
from server_stub import audit
from server_stub.accounts import another, give_role, name_of, role_of
from server_stub.database import Database
from server_stub.sealing import open_sealed, seal
from server_stub.signin.certificates import Certificates, fingerprint, parse, subject_of
from server_stub.tables import GrantRequest, Person, PersonRole
from server_stub.writer import Writer

STANDS = timedelta(days=7)
"""How long a request may be agreed to: what was meant longer ago is asked for again."""


class GrantRequests:
    """Implements ``modules.common.server_ports.GrantRequests``."""

    def __init__(self, database: Database, writer: Writer, clock: Clock, certificates: Certificates) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._certificates = certificates

    def ask_role(self, by: Caller, person_id: str, role_id: str, reason: str) -> str:
        def held(session: Session, person: Person) -> bool:
            role_of(session, person, role_id)  # what can never be given is said at once
            return session.get(PersonRole, (person_id, role_id)) is not None

        return self._ask(by, person_id, reason, held, role_id=role_id)

    def ask_certificate(self, by: Caller, person_id: str, text: str, reason: str) -> str:
        certificate = self._certificates.read(text)

        def held(session: Session, person: Person) -> bool:
            return self._certificates.bound(session, person_id, certificate)

        return self._ask(by, person_id, reason, held, certificate=certificate)

    def _ask(
        self,
        by: Caller,
        person_id: str,
        reason: str,
        held: Callable[[Session, Person], bool],
        *,
        role_id: str | None = None,
        certificate: x509.Certificate | None = None,
    ) -> str:
        name = fingerprint(certificate) if certificate else ""

        def store(session: Session) -> str:
            person = another(session, by, person_id)
            has = held(session, person)
            now = self._clock.now()
            asked = session.execute(
                select(GrantRequest).filter_by(person_id=person_id, role_id=role_id, fingerprint=name, decided_at=None)
            ).scalar_one_or_none()
            if asked is not None and asked.asked_at > iso(now - STANDS):
                raise GovDeskError(
                    "AUTH-060", tr("此人的这一项已在等待复核。"), fix=tr("请另一位安全管理员在“待复核”中处理。")
                )
            if asked is not None:
                asked.decided_at, asked.agreed = iso(now), False  # it has lapsed
                session.flush()
            if has:
                raise GovDeskError("AUTH-061", tr("此人已有这个角色或这张证书。"))
            made = GrantRequest(
                id=uuid7(),
                person_id=person_id,
                role_id=role_id,
                fingerprint=name,
                reason=reason.strip(),
                asked_at=iso(now),
                asked_by=by.actor.id,
            )
            if certificate is not None:
                der = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
                made.sealed = seal(session, GrantRequest, (made.id,), der)
            session.add(made)
            session.flush()
            self._note(session, "ask", by, made)
            return made.id

        return self._writer.do(store)

    def waiting(self) -> list[GrantRequestView]:
        with self._database.read() as session:
            query = select(GrantRequest).filter_by(decided_at=None)
            query = query.where(GrantRequest.asked_at > iso(self._clock.now() - STANDS)).order_by(GrantRequest.asked_at)
            return [_view(session, row) for row in session.execute(query).scalars()]

    def decide(self, by: Caller, request_id: str, agree: bool) -> None:
        def store(session: Session) -> None:
            row = session.get(GrantRequest, request_id, with_for_update=True)
            now = self._clock.now()
            if row is None or row.decided_at or row.asked_at <= iso(now - STANDS):
                raise GovDeskError("AUTH-062", tr("这项授权已处理或已过期。"), fix=tr("请刷新列表；仍需要时重新提交。"))
            refusal = judge_grant_request(row.asked_by, row.person_id, by.actor.id, agree)
            if refusal is not None:
                raise Refused(refusal)
            row.decided_at, row.decided_by, row.agreed = iso(now), by.actor.id, agree
            session.flush()
            self._note(session, "agree" if agree else "decline", by, row)
            if not agree:
                return
            person = another(session, by, row.person_id)
            if row.role_id is not None:
                give_role(session, by, person, row.role_id, iso(now))
            else:
                # fit when it was asked for; it may have been revoked meanwhile
                certificate = self._certificates.read(_certificate(session, row))
                self._certificates.bind_in(session, by.actor.id, by.device, row.person_id, certificate)

        self._writer.do(store)

    def _note(self, session: Session, verb: str, by: Caller, row: GrantRequest) -> None:
        what, which = ("role", row.role_id) if row.role_id is not None else ("certificate", row.fingerprint)
        detail = {what: which, "request": row.id}
        entry = audit.Entry(f"{what}.{verb}", by.actor.id, by.device, row.person_id, detail)
        audit.append(session, iso(self._clock.now()), [entry])


def _certificate(session: Session, row: GrantRequest) -> str:
    assert row.sealed is not None
    return open_sealed(session, GrantRequest, (row.id,), row.sealed)


def _view(session: Session, row: GrantRequest) -> GrantRequestView:
    names = {
        person.id: name_of(session, person)
        for person in session.execute(select(Person).where(Person.id.in_([row.person_id, row.asked_by]))).scalars()
    }
    return GrantRequestView(
        id=row.id,
        person_id=row.person_id,
        person=names.get(row.person_id, ""),
        role=row.role_id or "",
        reason=row.reason,
        asked_by_id=row.asked_by,
        asked_by=names.get(row.asked_by, ""),
        asked_at=row.asked_at,
        until=iso(parse_iso(row.asked_at) + STANDS),
        certificate=subject_of(parse(_certificate(session, row))) if row.sealed else "",
        fingerprint=row.fingerprint,
    )
