"""Four eyes (双人复核): a role that one security administrator asks for holds when another one agrees.

Only the server's console gives a role by itself: there the first administrators come from.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso, parse_iso
from modules.common.errors import GovDeskError, Refused
from modules.common.ids import uuid7
from modules.common.permissions import judge_role_request
from modules.common.server_ports import Caller, RoleRequestView
from modules.common.text import tr
from server_stub import audit
from server_stub.accounts import another, give_role, name_of, role_of
from server_stub.database import Database
from server_stub.tables import Person, PersonRole, RoleRequest
from server_stub.writer import Writer

STANDS = timedelta(days=7)
"""How long a request may be agreed to: what was meant longer ago is asked for again."""


class RoleRequests:
    """Implements ``modules.common.server_ports.RoleRequests``."""

    def __init__(self, database: Database, writer: Writer, clock: Clock) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock

    def ask(self, by: Caller, person_id: str, role_id: str, reason: str) -> str:
        def store(session: Session) -> str:
            person = another(session, by, person_id)
            role_of(session, person, role_id)  # what can never be given is said at once
            now = self._clock.now()
            asked = session.execute(
                select(RoleRequest).filter_by(person_id=person_id, role_id=role_id, decided_at=None)
            ).scalar_one_or_none()
            if asked is not None and asked.asked_at > iso(now - STANDS):
                raise GovDeskError(
                    "AUTH-060", tr("此人的这个角色已在等待复核。"), fix=tr("请另一位安全管理员在“待复核”中处理。")
                )
            if asked is not None:
                asked.decided_at, asked.agreed = iso(now), False  # it has lapsed
                session.flush()
            if session.get(PersonRole, (person_id, role_id)):
                raise GovDeskError("AUTH-061", tr("此人已有这个角色。"))
            made = RoleRequest(
                id=uuid7(),
                person_id=person_id,
                role_id=role_id,
                reason=reason.strip(),
                asked_at=iso(now),
                asked_by=by.actor.id,
            )
            session.add(made)
            session.flush()
            self._note(session, "role.ask", by, made)
            return made.id

        return self._writer.do(store)

    def waiting(self) -> list[RoleRequestView]:
        with self._database.read() as session:
            query = select(RoleRequest).filter_by(decided_at=None)
            query = query.where(RoleRequest.asked_at > iso(self._clock.now() - STANDS)).order_by(RoleRequest.asked_at)
            return [_view(session, row) for row in session.execute(query).scalars()]

    def decide(self, by: Caller, request_id: str, agree: bool) -> None:
        def store(session: Session) -> None:
            row = session.get(RoleRequest, request_id, with_for_update=True)
            now = self._clock.now()
            if row is None or row.decided_at or row.asked_at <= iso(now - STANDS):
                raise GovDeskError("AUTH-062", tr("这项授权已处理或已过期。"), fix=tr("请刷新列表；仍需要时重新提交。"))
            refusal = judge_role_request(row.asked_by, row.person_id, by.actor.id, agree)
            if refusal is not None:
                raise Refused(refusal)
            row.decided_at, row.decided_by, row.agreed = iso(now), by.actor.id, agree
            session.flush()
            self._note(session, "role.agree" if agree else "role.decline", by, row)
            if agree:
                person = another(session, by, row.person_id)
                give_role(session, by, person, row.role_id, iso(now))

        self._writer.do(store)

    def _note(self, session: Session, action: str, by: Caller, row: RoleRequest) -> None:
        entry = audit.Entry(action, by.actor.id, by.device, row.person_id, {"role": row.role_id, "request": row.id})
        audit.append(session, iso(self._clock.now()), [entry])


def _view(session: Session, row: RoleRequest) -> RoleRequestView:
    names = {
        person.id: name_of(session, person)
        for person in session.execute(select(Person).where(Person.id.in_([row.person_id, row.asked_by]))).scalars()
    }
    return RoleRequestView(
        id=row.id,
        person_id=row.person_id,
        person=names.get(row.person_id, ""),
        role=row.role_id,
        reason=row.reason,
        asked_by_id=row.asked_by,
        asked_by=names.get(row.asked_by, ""),
        asked_at=row.asked_at,
        until=iso(parse_iso(row.asked_at) + STANDS),
    )
