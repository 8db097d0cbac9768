"""People: sign-in, statements, passwords, roles. Every change and every attempt is audited in its own transaction."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Iterable, Sequence
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.orm import Session

from modules.common import statement
from modules.common.aggregate import Doc
from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError, Refused
from modules.common.ids import uuid7
from modules.common.manifest import permissions_of
from modules.common.passwords import password_refusal
from modules.common.permissions import ADMIN_KINDS, BUILTIN_ROLES, admin_kinds_of
from modules.common.server_ports import Caller, OneTime, PeoplePage, PersonView
from modules.common.statement import Statement
from modules.common.text import tr
from server_stub import audit
from server_stub.config import Settings
from server_stub.database import Database
from server_stub.feed import REFERENCE
from server_stub.identity import Identity
from server_stub.sealing import open_sealed, seal
from server_stub.tables import (
    Device,
    LoginFailure,
    Organisation,
    Person,
    PersonRole,
    Role,
    RolePermission,
    SignInSession,
)
from server_stub.writer import Writer
from sync.protocol import PasswordChange, SignInReply, SignInRequest

_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without what is misread on paper: I, L, O, 0, 1."""
_RESETS_BY_CONSOLE = frozenset(ADMIN_KINDS)


def readable_secret(groups: int) -> str:
    """Groups of four characters that can be read aloud, about 19.8 bits each."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(groups))


def reach(person_id: str, hall_id: str, department_id: str, roles: Iterable[str]) -> list[str]:
    """The feeds of a person: what everyone reads, the person's own, and those of the hall and the department.

    Administrators run the house and see no cases (三权分立); nor does whoever holds no role yet.
    """
    scopes = [REFERENCE, f"person:{person_id}"]
    if (held := frozenset(roles)) and not admin_kinds_of(held):
        scopes += [f"hall:{hall_id}"] if hall_id else []
        scopes += [f"dept:{department_id}"] if department_id else []
    return scopes


def _disabled() -> GovDeskError:
    return GovDeskError("AUTH-004", tr("此账号已停用。"), fix=tr("请联系系统管理员。"))


def _nobody() -> GovDeskError:
    return GovDeskError("AUTH-023", tr("没有这个人员。"))


def sync_roles(session: Session) -> None:
    """Store the built-in roles with what the installed manifests give them, as it is now."""
    held = {role.id for role in session.execute(select(Role)).scalars()}
    for role in BUILTIN_ROLES:
        if role.id not in held:
            session.add(Role(id=role.id, name=role.name, admin_kind=role.admin_kind))
    session.flush()
    session.execute(delete(RolePermission))
    rows = [
        {"role_id": role.id, "permission": name} for role in BUILTIN_ROLES for name in sorted(permissions_of({role.id}))
    ]
    if rows:
        session.execute(insert(RolePermission), rows)


class Passwords:
    """Argon2id (RFC 9106). Hashing is kept to as many at once as there are processors: each takes much memory."""

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(time_cost=settings.argon2_time, memory_cost=settings.argon2_memory_kib)
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._nobody = self.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """The encoded hash."""
        with self._slots:
            return self._hasher.hash(password)

    def check(self, stored: str | None, password: str) -> bool:
        """Whether the password is right. Without a stored hash it takes as long, and is wrong."""
        with self._slots:
            try:
                self._hasher.verify(stored or self._nobody, password)
            except (VerifyMismatchError, InvalidHashError):
                return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(stored)


class Accounts:
    """Sign-in and its ends; implements ``modules.common.server_ports.People``."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        clock: Clock,
        settings: Settings,
        identity: Identity,
        passwords: Passwords,
        published: str | None = None,
    ) -> None:
        """``published`` is a password that everybody knows, and that nobody may sign in with."""
        self._database = database
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._identity = identity
        self._passwords = passwords
        self._published = published

    # -- signing in

    def sign_in(self, device_id: str, request: SignInRequest) -> SignInReply:
        """A statement for the right password. Raises AUTH-002 wrong, AUTH-003 locked, AUTH-004 disabled.

        Whoever must change the password gets a statement without roles, permissions and feeds.
        """
        person_id = self._prove(device_id, request.login, request.password)

        def open_session(session: Session) -> SignInReply:
            person = session.get_one(Person, person_id)
            device = session.get_one(Device, device_id)
            if person.disabled_at:
                raise _disabled()
            if self._passwords.outdated(person.password_hash):
                person.password_hash = rehashed
            issued = self._state(session, person, device_id)
            session.add(
                SignInSession(
                    id=issued.id,
                    person_id=person.id,
                    device_id=device_id,
                    issued_at=issued.issued_at,
                    expires_at=issued.expires_at,
                )
            )
            audit.append(session, issued.issued_at, [audit.Entry("sign_in", person.id, device_id, issued.id)])
            return SignInReply(
                statement=statement.sign(issued, self._identity.private_key),
                escrow=open_sealed(session, Device, (device_id,), device.sealed),
                server_time=iso(self._clock.now()),
                offline_seconds=self._settings.offline_seconds,
                must_change_password=person.must_change,
            )

        with self._database.read() as session:
            outdated = self._passwords.outdated(session.get_one(Person, person_id).password_hash)
        rehashed = self._passwords.hash(request.password) if outdated else ""
        return self._writer.do(open_session)

    def _state(self, session: Session, person: Person, device_id: str) -> Statement:
        now = self._clock.now()
        roles: Iterable[str] = ()
        permissions: Iterable[str] = ()
        scopes: Iterable[str] = ()
        if not person.must_change:
            roles = session.execute(select(PersonRole.role_id).filter_by(person_id=person.id)).scalars().all()
            query = select(RolePermission.permission).where(RolePermission.role_id.in_(roles)).distinct()
            permissions = session.execute(query).scalars().all()
            scopes = reach(person.id, person.hall_id or "", person.department_id or "", roles)
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
            permissions=tuple(sorted(permissions)),
            scopes=tuple(scopes),
        )

    def _prove(self, device_id: str, login: str, password: str) -> str:
        """The id of the person whose password this is. Known and unknown logins fail alike, and lock alike."""
        login = login.strip().lower()
        key = hashlib.sha256(login.encode()).hexdigest()
        with self._database.read() as session:
            person = session.execute(select(Person).filter_by(login=login)).scalar_one_or_none()
            self._refuse_locked(session.get(LoginFailure, key))
            found = (person.id, person.password_hash, person.disabled_at) if person else None
        # the demonstration's password is published: outside of a demonstration it opens nothing, whoever left it there
        published = password == self._published
        right = self._passwords.check(None if published or found is None else found[1], password)
        if not right or found is None:
            self._writer.do(lambda session: self._count_failure(session, key, device_id, found[0] if found else ""))
            raise GovDeskError("AUTH-002", tr("用户名或密码不正确。"), fix=tr("请检查后重新输入。"))
        if found[2]:
            raise _disabled()
        self._writer.do(lambda session: self._forget_failures(session, key))
        return found[0]

    def _refuse_locked(self, failure: LoginFailure | None) -> None:
        if failure and failure.locked_until and failure.locked_until > iso(self._clock.now()):
            minutes = self._settings.lock_seconds // 60
            raise GovDeskError(
                "AUTH-003", tr("密码连续输错，已暂停登录。"), fix=tr("请在 {minutes} 分钟后再试。", minutes=minutes)
            )

    def _count_failure(self, session: Session, key: str, device_id: str, person_id: str) -> None:
        now = self._clock.now()
        failure = session.get(LoginFailure, key, with_for_update=True)
        if failure is None:
            failure = LoginFailure(login_hash=key, failures=0, last_at="")
            session.add(failure)
        failure.failures += 1
        failure.last_at = iso(now)
        failure.locked_until = None
        entries = [audit.Entry("sign_in.failed", person_id, device_id)]
        if failure.failures >= self._settings.lock_failures:
            failure.failures = 0
            failure.locked_until = iso(now + timedelta(seconds=self._settings.lock_seconds))
            entries.append(audit.Entry("sign_in.locked", person_id, device_id))
        session.flush()
        audit.append(session, iso(now), entries)

    def _forget_failures(self, session: Session, key: str) -> None:
        self._refuse_locked(session.get(LoginFailure, key))
        session.execute(delete(LoginFailure).where(LoginFailure.login_hash == key))

    def sign_out(self, by: Caller, session_id: str) -> None:
        """End a session for questions; its statement goes on vouching for commands.

        An offline sign-in works under the statement of the last one: what is done then must not be refused.
        """

        def end(session: Session) -> None:
            now = iso(self._clock.now())
            session.execute(
                update(SignInSession)
                .where(SignInSession.id == session_id, SignInSession.ended_at.is_(None))
                .values(ended_at=now)
            )
            audit.append(session, now, [audit.Entry("sign_out", by.actor.id, by.device, session_id)])

        self._writer.do(end)

    def change_password(self, device_id: str, change: PasswordChange) -> None:
        """Set one's own password. Raises what ``sign_in`` raises, and AUTH-020 for one that will not do."""
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
            audit.append(
                session, iso(self._clock.now()), [audit.Entry("password.change", person_id, device_id, person_id)]
            )

        self._writer.do(store)

    # -- administration

    def find(self, text: str, offset: int, limit: int) -> PeoplePage:
        query = select(Person).order_by(Person.login)
        with self._database.read() as session:
            if text:
                # names are sealed: they are read, all of them, at some microseconds each
                everybody = session.execute(query).scalars()
                found = [row for row in everybody if text.lower() in row.login or text in name_of(session, row)]
                total, people = len(found), found[offset : offset + limit]
            else:
                total = session.execute(select(func.count()).select_from(Person)).scalar_one()
                people = list(session.execute(query.offset(offset).limit(limit)).scalars())
            items = _views(session, people)
        return PeoplePage(total, items)

    def with_role(self, role_id: str, *, department_id: str = "", hall_id: str = "") -> list[PersonView]:
        holds = exists().where(PersonRole.person_id == Person.id, PersonRole.role_id == role_id)
        query = select(Person).where(holds, Person.disabled_at.is_(None))
        if department_id:
            query = query.where(Person.department_id == department_id)
        if hall_id:
            query = query.where(Person.hall_id == hall_id)
        with self._database.read() as session:
            return _views(session, session.execute(query.order_by(Person.login)).scalars().all())

    def id_of(self, login: str) -> str:
        """The id of a login. Raises AUTH-023 when there is none."""
        with self._database.read() as session:
            person_id = session.execute(select(Person.id).filter_by(login=login.strip().lower())).scalar_one_or_none()
        if person_id is None:
            raise _nobody()
        return person_id

    def create(self, by: Caller, login: str, name: str, hall_id: str, department_id: str) -> OneTime:
        password = readable_secret(3) + "-" + readable_secret(1).lower()
        hashed = self._passwords.hash(password)
        login = login.strip().lower()

        def store(session: Session) -> str:
            if session.execute(select(exists().where(Person.login == login))).scalar_one():
                raise GovDeskError("AUTH-022", tr("登录名“{login}”已被使用。", login=login), fix=tr("请换一个登录名。"))
            for organisation in filter(None, (hall_id, department_id)):
                if session.get(Organisation, organisation) is None:
                    raise GovDeskError("AUTH-027", tr("没有编号为“{id}”的机构。", id=organisation))
            now = iso(self._clock.now())
            person_id = uuid7()
            session.add(
                Person(
                    id=person_id,
                    login=login,
                    sealed=seal(session, Person, (person_id,), name.strip()),
                    hall_id=hall_id or None,
                    department_id=department_id or None,
                    password_hash=hashed,
                    must_change=True,
                    created_at=now,
                )
            )
            session.flush()
            audit.append(session, now, [audit.Entry("person.create", by.actor.id, by.device, person_id)])
            return person_id

        return OneTime(password, id=self._writer.do(store))

    def set_enabled(self, by: Caller, person_id: str, enabled: bool) -> None:
        def store(session: Session) -> None:
            person = self._another(session, by, person_id)
            now = iso(self._clock.now())
            if enabled:
                person.disabled_at = None
            elif person.disabled_at is None:
                person.disabled_at = now
                self._revoke_statements(session, person_id, now)
            action = "person.enable" if enabled else "person.disable"
            session.flush()
            audit.append(session, now, [audit.Entry(action, by.actor.id, by.device, person_id)])

        self._writer.do(store)

    def reset_password(self, by: Caller, person_id: str) -> OneTime:
        password = readable_secret(3) + "-" + readable_secret(1).lower()
        hashed = self._passwords.hash(password)

        def store(session: Session) -> None:
            person = self._another(session, by, person_id)
            # whoever could reset another administrator's password would hold that office too
            if person.admin_kind in _RESETS_BY_CONSOLE and by.actor.id:
                raise GovDeskError(
                    "AUTH-025", tr("管理员的密码只能在服务器控制台重置。"), fix=tr("请使用 reset-password 命令。")
                )
            now = iso(self._clock.now())
            person.password_hash = hashed
            person.must_change = True
            self._revoke_statements(session, person_id, now)
            session.flush()
            audit.append(session, now, [audit.Entry("password.reset", by.actor.id, by.device, person_id)])

        self._writer.do(store)
        return OneTime(password, id=person_id)

    def grant(self, by: Caller, person_id: str, role_id: str) -> None:
        def store(session: Session) -> None:
            person = self._another(session, by, person_id)
            role = session.get(Role, role_id)
            if role is None:
                raise GovDeskError("AUTH-028", tr("没有“{role}”这个角色。", role=role_id))
            if session.get(PersonRole, (person_id, role_id)):
                return
            if session.execute(select(exists().where(PersonRole.person_id == person_id))).scalar_one():
                if role.admin_kind or person.admin_kind:
                    raise GovDeskError(
                        "AUTH-021",
                        tr("系统、安全、审计三类管理员互不兼任，也不兼任业务角色。"),
                        fix=tr("请先收回此人现有的角色。"),
                    )
            else:
                person.admin_kind = role.admin_kind
                session.flush()
            now = iso(self._clock.now())
            session.add(
                PersonRole(
                    person_id=person_id,
                    role_id=role_id,
                    admin_kind=role.admin_kind,
                    granted_at=now,
                    granted_by=by.actor.id,
                )
            )
            session.flush()
            audit.append(
                session, now, [audit.Entry("role.grant", by.actor.id, by.device, person_id, {"role": role_id})]
            )

        self._writer.do(store)

    def revoke(self, by: Caller, person_id: str, role_id: str) -> None:
        def store(session: Session) -> None:
            self._another(session, by, person_id)
            held = session.get(PersonRole, (person_id, role_id))
            if held is None:
                return
            now = iso(self._clock.now())
            session.delete(held)
            self._revoke_statements(session, person_id, now)
            session.flush()
            audit.append(
                session, now, [audit.Entry("role.revoke", by.actor.id, by.device, person_id, {"role": role_id})]
            )

        self._writer.do(store)

    def _another(self, session: Session, by: Caller, person_id: str) -> Person:
        person = session.get(Person, person_id, with_for_update=True)
        if person is None:
            raise _nobody()
        if person_id == by.actor.id:
            raise GovDeskError("AUTH-024", tr("不能更改自己的账号和角色。"), fix=tr("请由另一位管理员办理。"))
        return person

    def _revoke_statements(self, session: Session, person_id: str, now: str) -> None:
        query = update(SignInSession).where(SignInSession.person_id == person_id, SignInSession.revoked_at.is_(None))
        session.execute(query.values(revoked_at=now))


def name_of(session: Session, person: Person) -> str:
    """A person's name."""
    return open_sealed(session, Person, (person.id,), person.sealed)


def staff_member(session: Session, person_id: str) -> Doc:
    """What rules may know of a person (``modules.common.staff``): for an unknown id, that nobody has it."""
    person = session.get(Person, person_id)
    if person is None:
        return {"id": person_id, "name": "", "active": False}
    return {"id": person.id, "name": name_of(session, person), "active": person.disabled_at is None}


def _views(session: Session, people: Sequence[Person]) -> list[PersonView]:
    query = select(PersonRole).where(PersonRole.person_id.in_([person.id for person in people]))
    roles: dict[str, list[str]] = {}
    for row in session.execute(query).scalars():
        roles.setdefault(row.person_id, []).append(row.role_id)
    return [
        PersonView(
            id=person.id,
            login=person.login,
            name=name_of(session, person),
            hall_id=person.hall_id or "",
            department_id=person.department_id or "",
            roles=sorted(roles.get(person.id, ())),
            admin_kind=person.admin_kind,
            enabled=person.disabled_at is None,
            must_change_password=person.must_change,
            created_at=person.created_at,
        )
        for person in people
    ]
