"""Between acceptance and result: the approval's verbs, transfer to another department, withdrawal.

Requirements C32, D03, D17; the verbs themselves are those of ``modules.common.workflow``.
"""

from __future__ import annotations

from typing import Any

from modules.acceptance.domain.cases.term import ending, flow_event, reckoned, template_of
from modules.acceptance.domain.cases.words import (
    ACCEPTED,
    APPROVED,
    ITEM_KIND,
    LONGEST_OPINION,
    ORGANISATION,
    REJECTED,
    SYSTEM_ONLY,
    VOIDED,
    WITHDRAWN,
    person,
    text_of,
    today_of,
    told,
)
from modules.common import workflow
from modules.common.aggregate import Command, Context, Doc, Event
from modules.common.clock import iso
from modules.common.errors import Refusal
from modules.common.text import tr
from modules.common.workflow import flow as flows

DONE = {
    "read": "case.read",
    "approve": "case.approved",
    "reject": "case.rejected",
    "return_to": "case.returned",
    "take_back": "case.taken_back",
    "countersign": "case.countersigned",
    "drop_cosigner": "case.cosigner_dropped",
    "delegate": "case.delegated",
    "undelegate": "case.undelegated",
    "act_for": "case.acted_for",
    "skip": "case.skipped",
    "suspend": "case.suspended",
    "resume": "case.resumed",
    "extend": "case.extension_asked",
    "answer_extension": "case.extension_answered",
    "abort": "case.aborted",
    "void": "case.voided",
    "urge": "case.urged",
}
"""The event that each verb of approval brings about."""


def decide(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """Approve or reject where the approval now stands: the one step of a simple item, in one go at the window.

    ``visit`` of the body is what was seen of the approval; without it, its first step.
    """
    body = command.body
    result, opinion = body.get("result"), body.get("opinion", "")
    if result not in (APPROVED, REJECTED):
        return Refusal("ACC-007", tr("请选择准予或不予。"), {"result": tr("请选择准予或不予。")})
    if not isinstance(opinion, str) or len(opinion.strip()) > LONGEST_OPINION:
        fault = tr("意见最多 {n} 个字。", n=LONGEST_OPINION)
        return Refusal("ACC-008", fault, {"opinion": fault})
    if result == REJECTED and not opinion.strip():
        fault = tr("不予许可须写明理由。")
        return Refusal("ACC-009", fault, {"opinion": fault})
    verb = "approve" if result == APPROVED else "reject"
    return verbed(verb, state, {"visit": body.get("visit", 1), "opinion": opinion}, context)


def near(state: Doc, context: Context) -> Refusal | None:
    """Whether the actor's department, or the hall where the item is decided at the window, takes part."""
    item, actor = state["item"], context.actor
    parts = {item["department_id"], *(unit["id"] for unit in item.get("joint", ()))}
    if actor.department_id in parts or actor.hall_id == state["hall_id"] or actor.may(SYSTEM_ONLY):
        return None
    return Refusal("ACC-006", tr("此件由{department}审批，您不在该部门。", department=item["department"]))


def verbed(verb: str, state: Doc, body: Doc, context: Context) -> Event | Refusal:
    """One verb of approval, and what it makes of the case."""
    events = workflow.decide(state["flow"], verb, body, context)
    if isinstance(events, Refusal):
        return events
    more: dict[str, Any] = {}
    if verb == "urge":
        text = body.get("text", "")
        more["urges"] = [*state["urges"], {"at": iso(context.now), "by": person(context.actor), "text": text.strip()}]
    made = flow_event(DONE[verb], state, events, context, changes=more)
    if verb in ("approve", "reject", "skip") and state["decision"] is None and made.body["set"].get("decision"):
        return Event("case.decided", made.body)
    return made


def transfer(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """Give the case to another department, which begins its approval anew; the clock goes on."""
    body = command.body
    reason = text_of(body, "reason", tr("移交须写明理由。"))
    if isinstance(reason, Refusal):
        return reason
    wanted = body.get("department_id")
    unit = context.refs.get((ORGANISATION, str(wanted)))
    if unit is None or wanted == state["item"]["department_id"] or unit.get("kind", "department") != "department":
        fault = tr("请选择要移交到的部门，不能是原部门。")
        return Refusal("ACC-038", fault, {"department_id": fault})
    item = context.refs.get((ITEM_KIND, state["item"]["id"]))
    old, item_doc = state["flow"], state["item"]
    before = {"id": item_doc["department_id"], "name": item_doc["department"]}
    after = {"id": unit["id"], "name": unit["name"]}
    joint = [one for one in item_doc.get("joint", ()) if one["id"] != after["id"]]
    template = template_of(item) if item else old["template"]
    begun = flows.begin(template, context.now, department=after, hall=old["hall"], joint=joint)
    today = today_of(context).isoformat()
    stood = [{**pause, "to": pause["to"] or today} for pause in old["pauses"]]
    flow = {**begun, "pauses": [*stood, *begun["pauses"]], "extended_days": old["extended_days"]}
    entry = {"from": before, "to": after, "reason": reason, "at": iso(context.now), "by": person(context.actor)}
    changes = {
        "item": {**item_doc, "department_id": after["id"], "department": after["name"], "joint": joint},
        "flow": flow,
        "decision": None,
        "transfers": [*state["transfers"], entry],
        **reckoned(state, flow, context),
    }
    text = f"由{before['name']}移交{after['name']}：{reason}"
    return Event("case.transferred", told(context, text, state=ACCEPTED, **changes))


def withdraw(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """撤回: the applicant no longer wants it; nothing is decided."""
    reason = text_of(command.body, "reason", tr("请写明申请人撤回的原因。"))
    if isinstance(reason, Refusal):
        return reason
    return _ended(state, "case.withdrawn", WITHDRAWN, f"申请人撤回：{reason}", context)


def void(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """作废: what should never have been entered. After acceptance it is the department's overseers who say so."""
    if state["flow"]:
        return verbed("void", state, command.body, context)
    reason = text_of(command.body, "reason", tr("作废须写明理由。"))
    if isinstance(reason, Refusal):
        return reason
    return _ended(state, "case.voided", VOIDED, f"作废：{reason}", context)


def _ended(state: Doc, type: str, after: str, text: str, context: Context) -> Event:
    if state["flow"] and state["flow"]["ended"] is None:
        finish = ending(state, flows.ABORTED, text, context)
        return flow_event(type, state, [finish], context, text, {"state": after})
    return Event(type, told(context, text, state=after, ended_on=today_of(context).isoformat()))
