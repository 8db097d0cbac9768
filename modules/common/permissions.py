"""Who may do what. Permissions are named by manifests, bundled into roles, checked in services and on the server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from modules.common.errors import Refusal
from modules.common.text import tr


@dataclass(frozen=True, slots=True)
class Actor:
    """The person a command or a query is made by, as the server stated it at sign-in."""

    id: str
    login: str
    name: str
    hall_id: str = ""
    department_id: str = ""
    roles: frozenset[str] = frozenset()
    permissions: frozenset[str] = field(default_factory=frozenset)

    def may(self, permission: str) -> bool:
        """Whether the actor holds ``permission``; the empty name is held by everyone signed in."""
        return not permission or permission in self.permissions


SYSTEM = Actor("system", "system", "系统", permissions=frozenset({"system"}))
"""Whoever gives the server's own commands. No manifest gives anybody ``system``: such commands are for jobs alone."""


def forbidden(permission: str) -> Refusal:
    """The refusal for a missing permission."""
    return Refusal("AUTH-403", tr("您没有此项权限（{permission}）。请联系安全管理员。", permission=permission))


ADMIN_KINDS = ("sys", "sec", "audit")
"""三员: system, security and audit administrator. One person holds at most one (三权分立)."""


def judge_grant_request(asked_by: str, person: str, decider: str, agree: bool) -> Refusal | None:
    """Four eyes: whether ``decider`` may agree to what ``asked_by`` asked for ``person``, or say no to it.

    Whoever asked may take it back, and may not agree; nobody decides on a role or certificate of their own.
    """
    if person == decider:
        return Refusal("AUTH-024", tr("不能更改自己的账号和角色。请由另一位管理员办理。"))
    if agree and asked_by == decider:
        return Refusal("AUTH-063", tr("授权须由另一位安全管理员复核，提交人不能自己同意。"))
    return None


@dataclass(frozen=True, slots=True)
class Role:
    """A built-in role (内置角色). ``admin_kind`` is one of ``ADMIN_KINDS`` or empty."""

    id: str
    name: str
    admin_kind: str = ""


BUILTIN_ROLES: tuple[Role, ...] = (
    Role("clerk", "窗口人员"),
    Role("officer", "部门审批人员"),
    Role("section_head", "科室负责人"),
    Role("leader", "主管领导"),
    Role("manager", "大厅管理员"),
    Role("portal", "网上申请平台"),
    Role("sysadmin", "系统管理员", "sys"),
    Role("secadmin", "安全管理员", "sec"),
    Role("auditadmin", "审计管理员", "audit"),
)


def admin_kinds_of(roles: Iterable[str]) -> frozenset[str]:
    """The administrator kinds among ``roles``; more than one must never be granted together."""
    kinds = {role.id: role.admin_kind for role in BUILTIN_ROLES if role.admin_kind}
    return frozenset(kinds[role] for role in roles if role in kinds)
