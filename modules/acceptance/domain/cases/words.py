"""What a case is spoken of in: states, commands, permissions, the applicant's block, and the texts of a body."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from modules.common import forms
from modules.common.aggregate import Context, Doc
from modules.common.clock import CHINA, iso, parse_iso
from modules.common.codes import normalise, read_resident_id
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.text import aside, together, tr

KIND = "case"
ITEM_KIND = "service_item"
ORGANISATION = "organisation"

APPLY, INVITE, ASK_MORE, ACCEPT = "case.apply", "case.invite", "case.ask_more", "case.accept"
CORRECT, SUPPLY, DECLINE, SUPPLY_LACKING = "case.correct", "case.supply", "case.decline", "case.supply_lacking"
SCAN, HAND_OVER, TAKE_OVER, TRANSFER = "case.scan", "case.hand_over", "case.take_over", "case.transfer"
DECIDE, ISSUE, COLLECT, CLOSE = "case.decide", "case.issue", "case.collect", "case.close"
RATE, PRINT, WITHDRAW, VOID = "case.rate", "case.print", "case.withdraw", "case.void"
CARD, RECOUNT, LAPSE = "case.card", "case.recount", "case.lapse"

APPLIED, INVITED, CORRECTING, DECLINED = "applied", "invited", "correcting", "declined"
ACCEPTED, SUSPENDED, DECIDED, ISSUED, CLOSED = "accepted", "suspended", "decided", "issued", "closed"
ABORTED, VOIDED, WITHDRAWN = "aborted", "void", "withdrawn"
BEFORE = (APPLIED, INVITED, CORRECTING)
"""States before acceptance."""
RUNNING = (ACCEPTED, SUSPENDED, DECIDED)
"""States in which a department works, or is kept from it."""
OVER = (DECLINED, CLOSED, ABORTED, VOIDED, WITHDRAWN)
STATES = (*BEFORE, *RUNNING, ISSUED, *OVER)

APPROVED, REJECTED = "approved", "rejected"
PAPER, ELECTRONIC = "paper", "electronic"
MAY_READ, MAY_ACCEPT, MAY_DECIDE, MAY_CLOSE, MAY_PRINT_AGAIN, MAY_APPLY = (
    "acceptance.read",
    "acceptance.accept",
    "acceptance.decide",
    "acceptance.close",
    "acceptance.print_again",
    "acceptance.portal",
)
SYSTEM_ONLY = "system"
LONGEST_OPINION = 500
LONGEST_TEXT = 500
MOST_PAGES = 9999
PRE_REVIEW, CHECKED, ONLINE_ONLY = "原件预审", "原件核验", "全程网办"
"""Forms of application (C38): at most two visits, one, none."""

APPLICANT_FORM: forms.Form = {
    "schema": {
        "type": "object",
        "properties": {
            "name": {"title": "姓名", "type": "string", "maxLength": 60},
            "id_type": {
                "title": "证件类型",
                "type": "string",
                "enum": ["resident", "hmt", "foreigner", "passport", "other"],
                "x-labels": ["居民身份证", "港澳台居民居住证", "外国人永久居留身份证", "护照", "其他有效证件"],
                "default": "resident",
            },
            "id_number": {"title": "证件号码", "type": "string", "minLength": 4, "maxLength": 30},
            "phone": {"title": "联系电话", "type": "string", "format": "phone"},
            "address": {"title": "住址", "type": "string", "maxLength": 120},
        },
        "required": ["name", "id_type", "id_number", "phone"],
        "allOf": [
            {
                "if": {"properties": {"id_type": {"enum": ["resident", "hmt"]}}, "required": ["id_type"]},
                "then": {"properties": {"id_number": {"format": "resident-id"}}},
            }
        ],
    },
    "layout": [{"title": "申请人", "fields": ["name", "id_type", "id_number", "phone", "address"]}],
    "fills": {
        "name": "card.name",
        "id_type": "card.id_type",
        "id_number": "card.id_number",
        "address": "card.address",
    },
}
"""Who applies: the same block in every case, checked by the same code as an item's own form."""

AGENT_FORM: forms.Form = {
    "schema": {
        "type": "object",
        "properties": {
            "name": {"title": "代理人姓名", "type": "string", "maxLength": 60},
            "id_number": {"title": "代理人证件号码", "type": "string", "minLength": 4, "maxLength": 30},
            "phone": {"title": "代理人电话", "type": "string", "format": "phone"},
        },
        "required": ["name", "id_number", "phone"],
    },
    "layout": [{"title": "代理人", "fields": ["name", "id_number", "phone"]}],
}
"""Who acts for the applicant, if anybody: ``applicant.agent``."""


def state_name(state: str) -> str:
    """A case's state in the office's words."""
    return {
        APPLIED: tr("待预审"),
        INVITED: tr("预审通过待到场"),
        CORRECTING: tr("待补正"),
        DECLINED: tr("不予受理"),
        ACCEPTED: tr("已受理"),
        SUSPENDED: tr("已挂起"),
        DECIDED: tr("已决定"),
        ISSUED: tr("待领取"),
        CLOSED: tr("已办结"),
        ABORTED: tr("异常中止"),
        VOIDED: tr("已作废"),
        WITHDRAWN: tr("已撤回"),
    }.get(state, state)


def result_name(result: str) -> str:
    """A decision in the office's words."""
    return {APPROVED: tr("准予"), REJECTED: tr("不予")}.get(result, result)


def clean_applicant(values: Mapping[str, Any]) -> dict[str, Any]:
    """The applicant block as it is kept: the number half-width and in capitals whatever kind it is of."""
    own = {key: value for key, value in values.items() if key != "agent"}
    cleaned = forms.clean(APPLICANT_FORM, own)
    kept = {"address": "", **cleaned, "id_number": normalise(cleaned["id_number"])}
    if agent := values.get("agent"):
        agent = forms.clean(AGENT_FORM, agent)
        kept["agent"] = {**agent, "id_number": normalise(agent["id_number"])}
    return kept


def person_values(applicant: Mapping[str, Any]) -> dict[str, Any]:
    """What an applicant block knows for the ``applicant.…`` fills of a form: birth and sex come of the number."""
    values = dict(applicant)
    if applicant.get("id_type") in ("resident", "hmt"):
        read = read_resident_id(str(applicant.get("id_number", "")))
        if not isinstance(read, Refusal):
            values |= {"birth": read.birth.isoformat(), "sex": read.sex}
    return values


def person(actor: Actor) -> dict[str, str]:
    """Who, as a record keeps it."""
    return {"id": actor.id, "name": actor.name}


def today_of(context: Context) -> date:
    """China's date of the moment at which the command was given."""
    return context.now.astimezone(CHINA).date()


def day_of(moment: str) -> date:
    """China's date of a moment that a record keeps."""
    return parse_iso(moment).astimezone(CHINA).date()


def told(context: Context, text: str, **changes: Any) -> dict[str, Any]:
    """The body of an event: who, when, what in words that stay as they were written (no ``tr``), and what it sets."""
    return {"at": iso(context.now), "by": person(context.actor), "text": text, "set": changes}


def moment(text: str) -> str:
    """A moment in words."""
    local = parse_iso(text).astimezone(CHINA)
    return tr("{month}月{day}日 {time}", month=local.month, day=local.day, time=f"{local:%H:%M}")


def standing_words(state: Doc) -> str:
    """A case's state with its decision."""
    name, decision = state_name(state["state"]), state.get("decision")
    return together(name, aside(result_name(decision["result"]))) if state["state"] == DECIDED and decision else name


def already(state: Doc, end: str) -> Refusal:
    """Somebody was here first: who, when, and what they made of it."""
    last = state["history"][-1]
    sentence = tr(
        "此件现为“{state}”，由{name}于 {at} 办理，{end}。",
        state=standing_words(state),
        name=last["by"]["name"],
        at=moment(last["at"]),
        end=end,
    )
    return Refusal("ACC-012", sentence)


def text_of(body: Doc, field: str, needed: str = "", longest: int = LONGEST_TEXT) -> str | Refusal:
    """A text of the body, trimmed; ``needed`` is the sentence for an empty one. ACC-030."""
    value = body.get(field, "")
    if not isinstance(value, str) or len(value.strip()) > longest:
        fault = tr("最多 {n} 个字。", n=longest)
        return Refusal("ACC-030", fault, {field: fault})
    if needed and not value.strip():
        return Refusal("ACC-030", needed, {field: needed})
    return value.strip()
