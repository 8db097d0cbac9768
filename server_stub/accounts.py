"""People and their roles. Every change is audited in its own transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import delete, exists, func, insert, select
from sqlalchemy.orm import Session

from modules.common.aggregate import Doc
from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError
from modules.common.ids import uuid7
from modules.common.manifest import permissions_of
from modules.common.permissions import ADMIN_KINDS, BUILTIN_ROLES, admin_kinds_of
from modules.common.server_ports import Caller, OneTime, PeoplePage, PersonView
from modules.common.text import tr
from server_stub import audit
from server_stub.database import Database
from server_stub.feed import REFERENCE
from server_stub.sealing import open_sealed, seal
from server_stub.signin.passwords import Passwords, readable_secret
from server_stub.tables import (
    Organisation,
    Person,
    PersonRole,
    Role,
    RolePermission,
)
from server_stub.trust import end_sessions
from server_stub.writer import Writer

_RESETS_BY_CONSOLE = frozenset(ADMIN_KINDS)


def reach(person_id: str, hall_id: str, department_id: str, roles: Iterable[str]) -> list[str]:
    """The feeds of a person: what everyone reads, the person's own, and those of the hall and the department.

    Administrators run the house and see no cases (三权分立); nor does whoever holds no role yet.
    """
    scopes = [REFERENCE, f"person:{person_id}"]
    if (held := frozenset(roles)) and not admin_kinds_of(held):
        scopes += [f"hall:{hall_id}"] if hall_id else []
        scopes += [f"dept:{department_id}"] if department_id else []
    return scopes


def disabled() -> GovDeskError:
    """The answer to whoever may sign in no more."""
    return GovDeskError("AUTH-004", tr("此账号已停用。"), fix=tr("请联系系统管理员。"))


def nobody() -> GovDeskError:
    """The answer to an unknown person."""
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


class Accounts:
    """People and their roles; implements ``modules.common.server_ports.People``."""

    def __init__(self, database: Database, writer: Writer, clock: Clock, passwords: Passwords) -> None:
        self._database = database
        self._writer = writer
        self._clock = clock
        self._passwords = passwords

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
            raise nobody()
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
            person = another(session, by, person_id)
            now = iso(self._clock.now())
            if enabled:
                person.disabled_at = None
            elif person.disabled_at is None:
                person.disabled_at = now
                end_sessions(session, person_id, now)
            action = "person.enable" if enabled else "person.disable"
            session.flush()
            audit.append(session, now, [audit.Entry(action, by.actor.id, by.device, person_id)])

        self._writer.do(store)

    def reset_password(self, by: Caller, person_id: str) -> OneTime:
        password = readable_secret(3) + "-" + readable_secret(1).lower()
        hashed = self._passwords.hash(password)

        def store(session: Session) -> None:
            person = another(session, by, person_id)
            # whoever could reset another administrator's password would hold that office too
            if person.admin_kind in _RESETS_BY_CONSOLE and by.actor.id:
                raise GovDeskError(
                    "AUTH-025", tr("管理员的密码只能在服务器控制台重置。"), fix=tr("请使用 reset-password 命令。")
                )
            now = iso(self._clock.now())
            person.password_hash = hashed
            person.must_change = True
            end_sessions(session, person_id, now)
            session.flush()
            audit.append(session, now, [audit.Entry("password.reset", by.actor.id, by.device, person_id)])

        self._writer.do(store)
        return OneTime(password, id=person_id)

    def grant(self, by: Caller, person_id: str, role_id: str) -> None:
        """Give a role, from the server's console; in the window two pairs of eyes do (``grant_requests``).

        Raises AUTH-021 for a mixture that the three administrators forbid, AUTH-023, AUTH-024, AUTH-028.
        """
        self._writer.do(
            lambda session: give_role(session, by, another(session, by, person_id), role_id, iso(self._clock.now()))
        )

    def revoke(self, by: Caller, person_id: str, role_id: str) -> None:
        def store(session: Session) -> None:
            another(session, by, person_id)
            held = session.get(PersonRole, (person_id, role_id))
            if held is None:
                return
            now = iso(self._clock.now())
            session.delete(held)
            end_sessions(session, person_id, now)
            session.flush()
            audit.append(
                session, now, [audit.Entry("role.revoke", by.actor.id, by.device, person_id, {"role": role_id})]
            )

        self._writer.do(store)


def another(session: Session, by: Caller, person_id: str) -> Person:
    """The person, locked for a change. Raises AUTH-023 for nobody, AUTH-024 for oneself."""
    person = session.get(Person, person_id, with_for_update=True)
    if person is None:
        raise nobody()
    if person_id == by.actor.id:
        raise GovDeskError("AUTH-024", tr("不能更改自己的账号和角色。"), fix=tr("请由另一位管理员办理。"))
    return person


def role_of(session: Session, person: Person, role_id: str) -> Role:
    """The role, if ``person`` may hold it beside what is held. Raises AUTH-021, AUTH-028."""
    role = session.get(Role, role_id)
    if role is None:
        raise GovDeskError("AUTH-028", tr("没有“{role}”这个角色。", role=role_id))
    held = session.execute(select(PersonRole.role_id).filter_by(person_id=person.id)).scalars().all()
    if set(held) - {role_id} and (role.admin_kind or person.admin_kind):
        raise GovDeskError(
            "AUTH-021",
            tr("系统、安全、审计三类管理员互不兼任，也不兼任业务角色。"),
            fix=tr("请先收回此人现有的角色。"),
        )
    return role


def give_role(session: Session, by: Caller, person: Person, role_id: str, now: str) -> None:
    """Give a role inside a transaction; one that is held already stays as it is. Raises as ``role_of``."""
    role = role_of(session, person, role_id)
    if session.get(PersonRole, (person.id, role_id)):
        return
    if not session.execute(select(exists().where(PersonRole.person_id == person.id))).scalar_one():
        person.admin_kind = role.admin_kind
        session.flush()
    given = {"person_id": person.id, "role_id": role_id, "admin_kind": role.admin_kind}
    session.add(PersonRole(**given, granted_at=now, granted_by=by.actor.id))
    session.flush()
    audit.append(session, now, [audit.Entry("role.grant", by.actor.id, by.device, person.id, {"role": role_id})])


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
