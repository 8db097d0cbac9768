"""Standing delegations (委托): somebody lets another sign in his place, everywhere and until a date.

The record is what ``modules.common.workflow`` takes from ``context.refs``: ``{id, from: {id, name, roles,
department_id, hall_id}, to: {id, name}, since, until, state}``, days as ISO text. Only who delegates may make, change
or end it. What he may do is kept as it was when he delegated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from modules.common import staff
from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import CHINA
from modules.common.errors import Refusal
from modules.common.register import Register
from modules.common.text import tr
from modules.common.workflow import DELEGATION_KIND, principal
from modules.common.workflow.templates import is_unit

LONGEST = timedelta(days=366)


def _faults(record: Doc, context: Context) -> Mapping[str, str]:
    faults = {}
    today = context.now.astimezone(CHINA).date()
    if record.get("from") != principal(context.actor):
        faults["from"] = tr("只能以本人现有的身份委托。")
    to, since, until = record.get("to"), _day(record.get("since")), _day(record.get("until"))
    if not is_unit(to) or to["id"] == context.actor.id:
        faults["to"] = tr("请选择受委托人，不能是本人。")
    if since is None:
        faults["since"] = tr("请填写起始日期。")
    if until is None or not max(today, since or today) <= until <= today + LONGEST:
        faults["until"] = tr("请填写截止日期：不早于今天和起始日期，一年之内。")
    return faults


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _summary(doc: Doc) -> Summary:
    title = f"{doc['from']['name']} → {doc['to']['name']}"
    return Summary(title=title, state=doc["state"], due=date.fromisoformat(doc["until"]), search=title)


def _scopes(doc: Doc) -> frozenset[str]:
    """Both persons, and the department in whose name it is signed."""
    persons = {f"person:{doc[side]['id']}" for side in ("from", "to")}
    department = doc["from"]["department_id"]
    return frozenset(persons | ({f"dept:{department}"} if department else set()))


class Delegations(Register):
    """The aggregate ``delegation``: a kept record that belongs to who delegates."""

    __slots__ = ()

    def refs(self, command: Command) -> Sequence[Key]:
        return staff.keys_of(command.body.get("to"))

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if refusal := staff.stranger(context, command.body.get("to")):
            return refusal
        if state is not None and state["from"]["id"] != context.actor.id:
            return Refusal("WF-030", tr("这是{name}的委托，只有本人可以更改或结束。", name=state["from"]["name"]))
        return Register.decide(self, state, command, context)


DELEGATION = Delegations(DELEGATION_KIND, "", _summary, _scopes, None, _faults)
