"""Sessions: what a sign-in lasts for. Statements are short-lived and made anew while their session stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from modules.common import statement
from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError
from modules.common.ids import uuid7
from modules.common.server_ports import Caller
from modules.common.statement import Statement
from modules.common.text import tr
from server_stub import audit
from server_stub.accounts import disabled, name_of, nobody, reach
from server_stub.config import Settings
from server_stub.database import Database
from server_stub.identity import Identity
from server_stub.sealing import open_sealed
from server_stub.signin.totp import Totp
from server_stub.tables import Device, Person, PersonRole, RolePermission, SignInSession
from server_stub.trust import end_sessions
from server_stub.writer import Writer
from sync.protocol import SessionInfo, SignInReply

PASSWORD = "password"  # noqa: S105 - a method's name
"""The one method by which a password that must be changed, or a second factor that is missing, counts."""


class Sessions:
    """Opens, renews, lists and ends the sessions of people.

    A statement answers questions for ``statement_seconds``, and vouches for work done without the server for
    ``offline_seconds``; each renewal looks at the person anew, so that what was granted or taken arrives by itself.
    """

    def __init__(
        self,
        database: Database,
        writer: Writer,
        clock: Clock,
        settings: Settings,
        identity: Identity,
        totp: Totp,
    ) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._identity = identity
        self._totp = totp

    def open(
        self,
        person_id: str,
        device_id: str,
        method: str,
        also: Callable[[Session, Person], None] = lambda session, person: None,
    ) -> SignInReply:
        """A session of a person who has proved who they are. Raises AUTH-004 for one who is disabled.

        ``also`` changes the person in the same transaction.
        """

        def store(session: Session) -> SignInReply:
            person = session.get_one(Person, person_id)
            if person.disabled_at:
                raise disabled()
            also(session, person)
            id = uuid7()
            reply, said = self._reply(session, person, device_id, id, method, iso(self._clock.now()))
            session.add(
                SignInSession(
                    id=id,
                    person_id=person.id,
                    device_id=device_id,
                    method=method,
                    issued_at=said.issued_at,
                    renewed_at=said.issued_at,
                    expires_at=said.expires_at,
                )
            )
            entry = audit.Entry("sign_in", person.id, device_id, id, {"method": method})
            audit.append(session, said.issued_at, [entry])
            return reply

        return self._writer.do(store)

    def renew(self, said: Statement) -> SignInReply:
        """A fresh statement of the same session, and no escrow. Raises AUTH-016 when the session has ended."""

        def store(session: Session) -> SignInReply:
            row = session.get(SignInSession, said.session_id, with_for_update=True)
            person = session.get(Person, said.person)
            if row is None or row.revoked_at or row.ended_at or person is None or person.disabled_at:
                raise ended()
            reply, fresh = self._reply(session, person, said.device, row.id, row.method, row.issued_at)
            row.renewed_at, row.expires_at = fresh.issued_at, fresh.expires_at
            return replace(reply, escrow="")

        return self._writer.do(store)

    def end(self, by: Caller, session_id: str) -> None:
        """End a session for questions; its statements go on vouching for commands.

        An offline sign-in works under the statement of the last one: what is done then must not be refused.
        """

        def store(session: Session) -> None:
            now = iso(self._clock.now())
            session.execute(
                update(SignInSession)
                .where(SignInSession.id == session_id, SignInSession.ended_at.is_(None))
                .values(ended_at=now)
            )
            audit.append(session, now, [audit.Entry("sign_out", by.actor.id, by.device, session_id)])

        self._writer.do(store)

    def last(self, person_id: str) -> tuple[dict[str, str], int]:
        """When a person last signed in by each method, and how many sessions stand."""
        mine = SignInSession.person_id == person_id
        newest = select(SignInSession.method, func.max(SignInSession.issued_at)).where(mine)
        stands = mine, SignInSession.revoked_at.is_(None), SignInSession.expires_at > iso(self._clock.now())
        with self._database.read() as session:
            last = {method: at for method, at in session.execute(newest.group_by(SignInSession.method))}  # noqa: C416 - rows are typed as such
            return last, session.execute(select(func.count()).select_from(SignInSession).where(*stands)).scalar_one()

    def must_exist(self, person_id: str) -> None:
        """Raise AUTH-023 where there is no such person."""
        with self._database.read() as session:
            if session.get(Person, person_id) is None:
                raise nobody()

    def of(self, said: Statement) -> list[SessionInfo]:
        """The sessions of whoever asks that still answer or vouch for something, the newest first."""
        now = iso(self._clock.now())
        query = (
            select(SignInSession, Device.name)
            .join(Device, Device.id == SignInSession.device_id)
            .where(
                SignInSession.person_id == said.person,
                SignInSession.expires_at > now,
                SignInSession.revoked_at.is_(None),
            )
            .order_by(SignInSession.renewed_at.desc())
        )
        with self._database.read() as session:
            return [
                SessionInfo(
                    row.id,
                    place,
                    row.method,
                    row.issued_at,
                    row.renewed_at,
                    current=row.id == said.session_id,
                    signed_out=bool(row.ended_at),
                )
                for row, place in session.execute(query)
            ]

    def revoke(self, by: Caller, person_id: str, *, only: str = "", keep: str = "", method: str = "") -> None:
        """Take trust from sessions of a person: of ``only``, or of all but ``keep``; of those by ``method`` alone where
        one is given. What was done before stands.

        Raises AUTH-046 where ``only`` is none of the person's.
        """

        def store(session: Session) -> None:
            now = iso(self._clock.now())
            mine = SignInSession.person_id == person_id
            if only and session.execute(select(SignInSession.id).where(mine, SignInSession.id == only)).first() is None:
                raise GovDeskError("AUTH-046", tr("没有这次登录。"))
            which = SignInSession.id == only if only else SignInSession.id != keep
            end_sessions(session, person_id, now, which, *([SignInSession.method == method] if method else []))
            subject = only or person_id
            audit.append(session, now, [audit.Entry("session.revoke", by.actor.id, by.device, subject)])

        self._writer.do(store)

    def _reply(
        self, session: Session, person: Person, device_id: str, session_id: str, method: str, began: str
    ) -> tuple[SignInReply, Statement]:
        now = self._clock.now()
        roles = session.execute(select(PersonRole.role_id).filter_by(person_id=person.id)).scalars().all()
        by_password = method == PASSWORD
        must_change = by_password and person.must_change
        demanded = by_password and self._totp.demanded(person, roles, began)
        enabled = by_password and self._totp.enabled(session, person.id)
        must_enrol = bool(demanded) and not enabled
        said = self._statement(session, person, device_id, session_id, roles, rights=not must_change and not must_enrol)
        reply = SignInReply(
            statement=statement.sign(said, self._identity.private_key),
            escrow=open_sealed(session, Device, (device_id,), session.get_one(Device, device_id).sealed),
            server_time=iso(now),
            offline_seconds=self._settings.offline_seconds,
            must_change_password=must_change,
            must_enrol_totp=must_enrol,
            renew_seconds=self._settings.statement_seconds // 2,
            totp=enabled,
        )
        return reply, said

    def _statement(
        self, session: Session, person: Person, device_id: str, session_id: str, roles: Iterable[str], *, rights: bool
    ) -> Statement:
        """What is said of a person; without ``rights`` only who it is."""
        now = self._clock.now()
        roles = roles if rights else ()
        query = select(RolePermission.permission).where(RolePermission.role_id.in_(roles)).distinct()
        return Statement(
            id=uuid7(),
            person=person.id,
            login=person.login,
            name=name_of(session, person),
            device=device_id,
            issued_at=iso(now),
            expires_at=iso(now + timedelta(seconds=self._settings.offline_seconds)),
            hall_id=person.hall_id or "",
            department_id=person.department_id or "",
            roles=tuple(sorted(roles)),
            permissions=tuple(sorted(session.execute(query).scalars())),
            scopes=tuple(reach(person.id, person.hall_id or "", person.department_id or "", roles)) if rights else (),
            session=session_id,
            online_until=iso(now + timedelta(seconds=self._settings.statement_seconds)),
        )


def ended() -> GovDeskError:
    """The answer to a statement whose session stands no more."""
    return GovDeskError("AUTH-016", tr("这次登录已失效。"), fix=tr("请重新登录。"))
