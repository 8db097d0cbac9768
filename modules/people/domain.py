"""What a person's entry must be, judged by the same words in the window and on the server. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modules.common.text import tr

VIEW = "people.view"
MANAGE = "people.manage"
GRANT = "people.grant"
AUDIT = "people.audit"

NAME_LIMIT = 50
REASON_LIMIT = 200
_LOGIN = re.compile(r"[a-z][a-z0-9._-]{2,31}")


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Somebody to be added. ``hall_id`` and ``department_id`` say where the person works; either may be empty."""

    login: str
    name: str
    hall_id: str = ""
    department_id: str = ""


def reason_too_long() -> str:
    """What is wrong with a reason beyond the limit."""
    return tr("理由不超过 {limit} 个字。", limit=REASON_LIMIT)


def faults(person: NewPerson) -> dict[str, str]:
    """What is wrong, by field; empty when the entry will do."""
    found = {}
    if not _LOGIN.fullmatch(person.login):
        found["login"] = tr("登录名应为 3 至 32 个小写字母、数字、点、横线，以字母开头。")
    name = person.name.strip()
    if not 0 < len(name) <= NAME_LIMIT or not name.isprintable():
        found["name"] = tr("请填写姓名，不超过 {limit} 个字。", limit=NAME_LIMIT)
    return found
