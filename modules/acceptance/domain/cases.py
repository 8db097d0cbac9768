"""The rules of a case (办件): accepted at a hall's counter, decided by a department, closed.

Pure, and the same on client and server. ``context.now`` is the moment at which the command was given, so
that number and due date come out alike on both sides. Requirements A06, C20, C22, C39, C41.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from modules.common import forms
from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import CHINA, iso, parse_iso
from modules.common.codes import normalise, read_resident_id
from modules.common.errors import GovDeskError, Refusal
from modules.common.numbering import CaseNumber
from modules.common.permissions import Actor, forbidden
from modules.common.text import aside, together, tr

KIND = "case"
ITEM_KIND = "service_item"
ACCEPT, DECIDE, CLOSE = "case.accept", "case.decide", "case.close"
ACCEPTED, DECIDED, CLOSED = "accepted", "decided", "closed"
APPROVED, REJECTED = "approved", "rejected"
PAPER, ELECTRONIC = "paper", "electronic"
MAY_READ, MAY_ACCEPT, MAY_DECIDE, MAY_CLOSE = (
    "acceptance.read",
    "acceptance.accept",
    "acceptance.decide",
    "acceptance.close",
)
LONGEST_OPINION = 500
MOST_PAGES = 9999

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


def state_name(state: str) -> str:
    """A case's state in the office's words."""
    return {ACCEPTED: tr("已受理"), DECIDED: tr("已决定"), CLOSED: tr("已办结")}.get(state, state)


def result_name(result: str) -> str:
    """A decision in the office's words."""
    return {APPROVED: tr("准予"), REJECTED: tr("不予")}.get(result, result)


def clean_applicant(values: Mapping[str, Any]) -> dict[str, Any]:
    """The applicant block as it is kept: the number half-width and in capitals whatever kind it is of."""
    cleaned = forms.clean(APPLICANT_FORM, values)
    return {"address": "", **cleaned, "id_number": normalise(cleaned["id_number"])}


def person_values(applicant: Mapping[str, Any]) -> dict[str, Any]:
    """What an applicant block knows for the ``applicant.…`` fills of a form: birth and sex come of the number."""
    values = dict(applicant)
    if applicant.get("id_type") in ("resident", "hmt"):
        read = read_resident_id(str(applicant.get("id_number", "")))
        if not isinstance(read, Refusal):
            values |= {"birth": read.birth.isoformat(), "sex": read.sex}
    return values


class CaseRules:
    """The aggregate ``case``: accepted → decided → closed."""

    kind = KIND

    def refs(self, command: Command) -> Sequence[Key]:
        item = command.body.get("item_id")
        return [(ITEM_KIND, item)] if command.type == ACCEPT and isinstance(item, str) else []

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if command.type == ACCEPT:
            return _accept(state, command, context)
        if state is None:
            return Refusal("ACC-001", tr("没有这件办件，或尚未传到本机。"))
        if command.type == DECIDE:
            return _decide(state, command, context)
        if command.type == CLOSE:
            return _close(state, context)
        return Refusal("ACC-002", tr("本程序不认识“{type}”这一操作，请升级程序。", type=command.type))

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        body = event.body
        before = dict(state or {})
        line = {"event": event.type, "at": body["at"], "by": body["by"], "text": body["text"]}
        history = [*before.get("history", []), line]
        if event.type == "case.accepted":
            return {**body["case"], "state": ACCEPTED, "history": history}
        if event.type == "case.decided":
            decision = {key: body[key] for key in ("result", "opinion", "at", "by")}
            return {**before, "state": DECIDED, "decision": decision, "history": history}
        if event.type == "case.closed":
            return {**before, "state": CLOSED, "closed_at": body["at"], "closed_by": body["by"], "history": history}
        raise ValueError(f"unknown event {event.type}")

    def summary(self, state: Doc) -> Summary:
        applicant = state["applicant"]
        words = (state["number"], applicant["name"], applicant["id_number"], applicant["phone"], state["item"]["name"])
        return Summary(
            title=f"{applicant['name']} · {state['item']['name']}",
            state=state["state"],
            number=state["number"],
            due=date.fromisoformat(state["due"]["date"]),
            search=" ".join(words),
        )

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({f"hall:{state['hall_id']}", f"dept:{state['item']['department_id']}"})


CASE = CaseRules()


def _accept(state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
    actor, body = context.actor, command.body
    if not actor.may(MAY_ACCEPT):
        return forbidden(MAY_ACCEPT)
    if not actor.hall_id:
        return Refusal("ACC-003", tr("您不属于任何政务服务大厅，不能受理。请联系安全管理员。"))
    if state is not None:
        return Refusal("ACC-004", tr("此件已经受理，编号 {number}，未重复受理。", number=state["number"]))
    item = context.refs.get((ITEM_KIND, str(body.get("item_id"))))
    if item is None:
        return Refusal("ACC-005", tr("没有这个事项，或它已停止办理。请重新选择事项。"))
    if command.number is None:
        return Refusal("NUM-002", tr("受理时没有取到办件编号。请联网后重试。"))
    local = context.now.astimezone(CHINA)
    try:
        faults = _faults(item, body, local.date())
        due = context.calendar.add_workdays(local.date(), item["promised_days"])
    except GovDeskError as error:
        return Refusal(error.code, error.sentence())
    if faults:
        return _faulty(faults, body, item)
    number = str(CaseNumber(command.number.series, local.date(), command.number.serial))
    by, at = _person(actor), iso(context.now)
    case = {
        "id": command.aggregate_id,
        "number": number,
        "state": ACCEPTED,
        "item": {
            key: item[key]
            for key in ("id", "code", "version", "name", "department_id", "department", "kind", "promised_days")
        },
        "hall_id": actor.hall_id,
        "place": context.place,
        "applicant": clean_applicant(body["applicant"]),
        "form": forms.clean(item["form"], body["form"]),
        "materials": _received(item, body["materials"]),
        "accepted_at": at,
        "accepted_by": by,
        "due": {"date": due.date.isoformat(), "provisional": due.provisional},
        "decision": None,
        "closed_at": None,
        "closed_by": None,
    }
    # what is written into a record stays as it was written: no tr
    text = f"{context.place or '窗口'}受理，{'已读身份证' if body.get('card') else '证件号码由人工录入'}"
    return [Event("case.accepted", {"at": at, "by": by, "text": text, "case": case})]


def _decide(state: Doc, command: Command, context: Context) -> Sequence[Event] | Refusal:
    actor, body = context.actor, command.body
    if not actor.may(MAY_DECIDE):
        return forbidden(MAY_DECIDE)
    if actor.department_id != state["item"]["department_id"]:
        return Refusal("ACC-006", tr("此件由{department}审批，您不在该部门。", department=state["item"]["department"]))
    if state["state"] != ACCEPTED:
        return _already(state, tr("不能再次审批"))
    result, opinion = body.get("result"), body.get("opinion", "")
    if result not in (APPROVED, REJECTED):
        return Refusal("ACC-007", tr("请选择准予或不予。"), {"result": tr("请选择准予或不予。")})
    if not isinstance(opinion, str) or len(opinion.strip()) > LONGEST_OPINION:
        fault = tr("意见最多 {n} 个字。", n=LONGEST_OPINION)
        return Refusal("ACC-008", fault, {"opinion": fault})
    opinion = opinion.strip()
    if result == REJECTED and not opinion:
        fault = tr("不予许可须写明理由。")
        return Refusal("ACC-009", fault, {"opinion": fault})
    text = ("准予" if result == APPROVED else "不予") + (f":{opinion}" if opinion else "")
    told = {"at": iso(context.now), "by": _person(actor), "text": text}
    return [Event("case.decided", {**told, "result": result, "opinion": opinion})]


def _close(state: Doc, context: Context) -> Sequence[Event] | Refusal:
    actor = context.actor
    if not actor.may(MAY_CLOSE):
        return forbidden(MAY_CLOSE)
    if actor.department_id != state["item"]["department_id"] and actor.hall_id != state["hall_id"]:
        return Refusal(
            "ACC-010", tr("此件由{department}办理，您不在该部门或该大厅。", department=state["item"]["department"])
        )
    if state["state"] == ACCEPTED:
        return Refusal("ACC-011", tr("此件现为“{state}”，还没有审批决定，不能办结。", state=state_name(ACCEPTED)))
    if state["state"] == CLOSED:
        return _already(state, tr("不能再次办结"))
    return [Event("case.closed", {"at": iso(context.now), "by": _person(actor), "text": "办结"})]


def _already(state: Doc, end: str) -> Refusal:
    """Somebody was here first: who, when, and what they did."""
    if state["state"] == CLOSED:
        by, at, done = state["closed_by"], state["closed_at"], state_name(CLOSED)
    else:
        decision = state["decision"]
        by, at, done = (
            decision["by"],
            decision["at"],
            together(state_name(DECIDED), aside(result_name(decision["result"]))),
        )
    sentence = tr(
        "此件现为“{state}”，由{name}于 {at} 办理，{end}。", state=done, name=by["name"], at=_moment(at), end=end
    )
    return Refusal("ACC-012", sentence)


def _moment(text: str) -> str:
    moment: datetime = parse_iso(text).astimezone(CHINA)
    return tr("{month}月{day}日 {time}", month=moment.month, day=moment.day, time=f"{moment:%H:%M}")


def _person(actor: Actor) -> dict[str, str]:
    return {"id": actor.id, "name": actor.name}


def _faults(item: Doc, body: Doc, today: date) -> dict[str, str]:
    """Every fault of an acceptance, by the field's path: ``applicant.phone``, ``form.area``, ``materials.m1``."""
    faults = {}
    for part, form in (("applicant", APPLICANT_FORM), ("form", item["form"])):
        for field, sentence in forms.validate(form, body.get(part), today).items():
            faults[f"{part}.{field}"] = sentence
    return faults | _material_faults(item, body.get("materials"))


def _material_faults(item: Doc, materials: Any) -> dict[str, str]:
    known = {material["id"]: material for material in item["materials"]}
    if not isinstance(materials, list) or not all(isinstance(entry, Mapping) for entry in materials):
        return {"materials": tr("未收到材料清单。")}
    faults: dict[str, str] = {}
    received = set()
    for entry in materials:
        id, pages = entry.get("id"), entry.get("pages")
        if not isinstance(id, str) or id not in known:
            faults["materials"] = tr("材料清单里有不属于此事项的材料。")
        elif entry.get("received") is True:
            if id in received:
                faults[f"materials.{id}"] = tr("同一材料列了两次。")
            elif type(pages) is not int or not 1 <= pages <= MOST_PAGES:
                faults[f"materials.{id}"] = tr("请填写页数，1 到 {most}。", most=MOST_PAGES)
            elif entry.get("kind") not in (PAPER, ELECTRONIC):
                faults[f"materials.{id}"] = tr("请选择纸质或电子。")
            received.add(id)
    for id, material in known.items():
        if material["required"] and id not in received:
            faults[f"materials.{id}"] = tr("必须收取“{name}”。", name=material["name"])
    return faults


def _received(item: Doc, materials: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The received materials in the item's order, named by the item."""
    by_id = {entry["id"]: entry for entry in materials if entry.get("received") is True}
    return [
        {
            "id": material["id"],
            "name": material["name"],
            "pages": by_id[material["id"]]["pages"],
            "kind": by_id[material["id"]]["kind"],
            "received": True,
        }
        for material in item["materials"]
        if material["id"] in by_id
    ]


def _faulty(faults: dict[str, str], body: Doc, item: Doc) -> Refusal:
    """An acceptance under an older version of the item stands when it meets the newer one; else this says why."""
    if body.get("item_version") != item["version"]:
        sentence = tr("事项“{name}”已更新，按新要求有 {n} 处需要补充或更正。", name=item["name"], n=len(faults))
        return Refusal("ACC-014", sentence, faults)
    return Refusal("ACC-013", tr("有 {n} 处需要补充或更正。", n=len(faults)), faults)
