"""From the application to the acceptance: pre-review, correction, declining, what may be lacking.

Requirements C20–C22, C28, C29, C38, C39, D02, E7.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from modules.acceptance.domain.cases.parts import (
    applicant_faults,
    faults_of,
    frame,
    material_of,
    readable_faults,
    received,
    shape_faults,
)
from modules.acceptance.domain.cases.term import MONITORING, clocked, flow_event, going_on, monitoring, template_of
from modules.acceptance.domain.cases.words import (
    ACCEPTED,
    APPLIED,
    CORRECTING,
    DECLINED,
    INVITED,
    ITEM_KIND,
    ONLINE_ONLY,
    PAPER,
    PRE_REVIEW,
    moment,
    person,
    text_of,
    today_of,
    told,
)
from modules.common.aggregate import Command, Context, Doc, Event
from modules.common.clock import CHINA, iso
from modules.common.deadlines import Term
from modules.common.errors import Refusal
from modules.common.numbering import CaseNumber
from modules.common.permissions import SYSTEM
from modules.common.text import tr
from modules.common.workflow import flow as flows

_TICKETS = re.compile(r".+Q[A-Z][0-9]{6}")
"""Series of the queue's tickets, which number no case."""
MOST_CORRECTIONS = 50
LONGEST_NAME = 120
"""Characters of what names something: a window, a ticket, a field."""
GROUNDS = (
    "申请事项依法不需要取得行政许可（《行政许可法》第三十二条第一项）",
    "申请事项不属于本机关职权范围（《行政许可法》第三十二条第二项）",
    "申请材料不齐全或者不符合法定形式，一次性告知后仍未补正（《行政许可法》第三十二条第四项）",
    "申请人隐瞒有关情况或者提供虚假材料（《行政许可法》第七十八条）",
    "申请人不具备法定的申请资格",
    "同一事项已经受理或者已经作出决定",
)
"""Legal grounds of declining (不予受理) that are offered; another may be written."""
SUSPEND, HOLD, ABORT, REJECT = "suspend", "hold", "abort", "reject"
_CONSEQUENCES = (
    (SUSPEND, ("暂停", "挂起", "中止办理")),
    (HOLD, ("暂缓",)),
    (ABORT, ("终止", "撤回", "撤销", "放弃", "退件", "作废")),
    (REJECT, ("不予",)),
)


def consequence_of(text: str) -> str:
    """What the words of a late material's consequence do.

    ``suspend`` the case until it is supplied, ``hold`` back nothing but the result, ``abort`` it, ``reject`` it. The
    citizen was told these words on paper, so they alone decide; words that say none of these suspend, which a late
    supply undoes.
    """
    return next((does for does, words in _CONSEQUENCES if any(word in text for word in words)), SUSPEND)


def item_of(command: Command, context: Context) -> Doc | Refusal:
    """The item's version that the body names, while something can be begun under it."""
    body = command.body
    item = known_item(command, context)
    if isinstance(item, Refusal):
        return item
    version = body.get("item_version")
    if type(version) is int and version > item["version"]:
        sentence = tr(
            "服务器没有事项“{name}”的第 {version} 版表单，只有第 {known} 版。填写的内容都已保留，请联系大厅管理员。",
            name=item["name"],
            version=version,
            known=item["version"],
        )
        return Refusal("ACC-024", sentence)
    return _out_of_use(item, iso(context.now)) or item


def _out_of_use(item: Doc, now: str) -> Refusal | None:
    """What was accepted before a version was withdrawn or superseded stands; after that moment nothing new is."""
    state = item.get("state") or "published"
    if state == "draft":
        return Refusal("ACC-025", tr("事项“{name}”还没有发布，不能受理。", name=item["name"]))
    if state == "withdrawn" and now >= str(item.get("withdrawn_at") or ""):
        sentence = tr(
            "事项“{name}”已于 {at} 停止办理（{reason}），不能受理。填写的内容都已保留。",
            name=item["name"],
            at=moment(item["withdrawn_at"]) if item.get("withdrawn_at") else "",
            reason=item.get("withdraw_reason") or "",
        )
        return Refusal("ACC-022", sentence)
    if state == "superseded" and now >= str(item.get("superseded_at") or ""):
        sentence = tr(
            "事项“{name}”已于 {at} 换用新版本，请按新版本核对后受理。填写的内容都已保留。",
            name=item["name"],
            at=moment(item["superseded_at"]) if item.get("superseded_at") else "",
        )
        return Refusal("ACC-023", sentence)
    return None


def known_item(command: Command, context: Context) -> Doc | Refusal:
    """The item that the body names, whether it is still in use or not."""
    item = context.refs.get((ITEM_KIND, str(command.body.get("item_id"))))
    return item or Refusal("ACC-005", tr("没有这个事项，或它已停止办理。请重新选择事项。"))


def same_item(state: Doc | None, item: Doc) -> Refusal | None:
    """What was applied for stays what it is about; only its version may be a newer one."""
    if state is None or state["item"]["code"] == item["code"]:
        return None
    sentence = tr("此件申请的是“{name}”，不是“{other}”。", name=state["item"]["name"], other=item["name"])
    return Refusal("ACC-031", sentence)


def faulty(faults: Mapping[str, str], body: Doc, item: Doc) -> Refusal:
    """An acceptance under an older version of the item stands when it meets the newer one; else this says why."""
    if body.get("item_version") != item["version"]:
        sentence = tr("事项“{name}”已更新，按新要求有 {n} 处需要补充或更正。", name=item["name"], n=len(faults))
        return Refusal("ACC-014", sentence, faults)
    return Refusal("ACC-013", tr("有 {n} 处需要补充或更正。", n=len(faults)), faults)


def _begun(state: Doc | None, command: Command, context: Context, item: Doc) -> dict[str, Any] | Refusal:
    """The case as the body tells it: new, or the one there is with what was told anew.

    An application may be incomplete, but not unreadable: the applicant must be known, the lists well formed.
    """
    body, today = command.body, today_of(context)
    if refusal := same_item(state, item):
        return refusal
    if state is not None and "applicant" not in body:
        return dict(state)
    faults = applicant_faults(body, today)
    faults |= {} if faults else shape_faults(item, body.get("materials")) | readable_faults(item, body.get("form"))
    if faults:
        return faulty(faults, body, item)
    hall = state["hall_id"] if state else context.actor.hall_id
    source = state["source"] if state else "window"
    fresh = frame(command.aggregate_id, item, body, hall, context.place, source)
    if state is None:
        return fresh
    return {**state, **{key: fresh[key] for key in ("item", "applicant", "form", "materials")}}


def _changed(state: Doc | None, case: Doc) -> dict[str, Any]:
    """What an event must set: all of a new case, or what is no longer as it was."""
    if state is None:
        return dict(case)
    return {key: value for key, value in case.items() if state.get(key) != value and key != "history"}


def apply(state: Doc | None, command: Command, context: Context) -> Event | Refusal:
    """网上申请: from a portal, handed in by the server."""
    item = item_of(command, context)
    if isinstance(item, Refusal):
        return item
    body = command.body
    hall = body.get("hall_id")
    if not isinstance(hall, str) or not hall:
        return Refusal("ACC-029", tr("网上申请须写明办理的大厅。"), {"hall_id": tr("请选择办理大厅。")})
    begun = _begun(None, command, context, item)
    if isinstance(begun, Refusal):
        return begun
    case = {**begun, "hall_id": hall, "place": "", "source": "online", "state": APPLIED}
    return Event("case.applied", told(context, "网上提交申请", **case))


def invite(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """预审通过: the person is asked to come with the originals, as often as the item's form of application allows."""
    text = text_of(command.body, "text")
    if isinstance(text, Refusal):
        return text
    invitations = [*state["invitations"], {"at": iso(context.now), "by": person(context.actor), "text": text}]
    line = "预审通过，通知到场" + (f"：{text}" if text else "")
    return Event("case.invited", told(context, line, state=INVITED, invitations=invitations))


def may_invite(state: Doc) -> Refusal | None:
    """Nobody is asked to come more often than the form of application says (E7)."""
    form, most = state["item"].get("form_of_application"), state["item"].get("visits")
    if form == ONLINE_ONLY or most == 0:
        return Refusal("ACC-028", tr("此事项全程网办，无须到场，请直接受理。"))
    if most is not None and state["visits"] + 1 > most:
        return Refusal("ACC-028", tr("此事项最多到场 {n} 次，已经到场 {n} 次，不能再通知到场。", n=most))
    return None


def told_once(state: Doc) -> Refusal | None:
    """一次性告知: a second notice is refused, whoever gave the first."""
    given = state["correction"]
    if not given:
        return None
    sentence = tr(
        "{name}已于 {at} 一次性告知补正 {n} 处，不能再次告知。材料仍不符合的，请受理、容缺受理或不予受理。",
        name=given["by"]["name"],
        at=moment(given["at"]),
        n=len(given["items"]),
    )
    return Refusal("ACC-020", sentence)


def correct(state: Doc | None, command: Command, context: Context) -> Event | Refusal:
    """一次性告知补正: every fault that the rules can see must be in the notice, each with what to do."""
    item = item_of(command, context) if state is None else known_item(command, context)
    if isinstance(item, Refusal):
        return item
    case = _begun(state, command, context, item)
    if isinstance(case, Refusal):
        return case
    items = _corrections(command.body.get("items"))
    if isinstance(items, Refusal):
        return items
    seen = case if "applicant" not in command.body else command.body
    left = {
        field: fault
        for field, fault in faults_of(item, seen, today_of(context)).items()
        if not any(_covers(entry, field, item) for entry in items)
    }
    if left:
        sentence = tr("补正须一次性告知，还有 {n} 处没有写进告知书。", n=len(left))
        return Refusal("ACC-021", sentence, left)
    correction = {"at": iso(context.now), "by": person(context.actor), "items": items, "answered_at": None}
    case = {**case, "state": CORRECTING, "correction": correction}
    text = f"一次性告知补正 {len(items)} 处：" + "；".join(f"{entry['about']}——{entry['text']}" for entry in items)
    return Event("case.correction_told", told(context, text, **_changed(state, case)))


def _corrections(items: Any) -> list[dict[str, str]] | Refusal:
    fault = tr("请逐条写明要补正什么、应当怎样补正，1 到 {most} 条。", most=MOST_CORRECTIONS)
    if not isinstance(items, list) or not 1 <= len(items) <= MOST_CORRECTIONS:
        return Refusal("ACC-021", fault, {"items": fault})
    kept = []
    for place, entry in enumerate(items):
        if not isinstance(entry, Mapping):
            return Refusal("ACC-021", fault, {"items": fault})
        told_entry = {}
        for key, needed in (("about", tr("请写明要补正什么。")), ("text", tr("请写明应当怎样补正。"))):
            text = text_of(entry, key, needed)
            if isinstance(text, Refusal):
                return Refusal(text.code, text.message, {f"items.{place}.{key}": text.message})
            told_entry[key] = text
        field = entry.get("field")
        if isinstance(field, str) and 0 < len(field) <= LONGEST_NAME:
            told_entry["field"] = field
        kept.append(told_entry)
    return kept


def _covers(entry: Mapping[str, str], field: str, item: Doc) -> bool:
    """Whether an entry speaks of a fault: by its path, or by the material's or the column's name in its words."""
    if entry.get("field") == field:
        return True
    part, _, name = field.partition(".")
    if part == "materials":
        names = [material["name"] for material in item["materials"] if material["id"] == name]
    else:
        names = [str(item["form"]["schema"]["properties"].get(name, {}).get("title", ""))] if part == "form" else []
    return any(name and name in entry["about"] for name in names)


def supply(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """补正后再次提交: the application as it now is; it waits for review again."""
    item = known_item(command, context)
    if isinstance(item, Refusal):
        return item
    case = _begun(state, command, context, item)
    if isinstance(case, Refusal):
        return case
    correction = {**state["correction"], "answered_at": iso(context.now)}
    case = {**case, "state": APPLIED, "correction": correction}
    return Event("case.corrected", told(context, "已按告知补正，等待审核", **_changed(state, case)))


def decline(state: Doc | None, command: Command, context: Context) -> Event | Refusal:
    """不予受理: the legal ground and the reasons in words, both told on paper.

    ``seen``, where given, is how many lines of history the case had for whoever decided (``seen_of``).
    """
    if state is not None and (anew := _seen_anew(state, command.body.get("seen"))):
        return anew
    ground = text_of(command.body, "ground", tr("请选择或写明不予受理的法律依据。"))
    text = text_of(command.body, "text", tr("请写明不予受理的具体理由。"))
    for refusal in (ground, text):
        if isinstance(refusal, Refusal):
            return refusal
    item = known_item(command, context)  # one that is out of use is a reason to decline, not to keep silent
    if isinstance(item, Refusal):
        return item
    case = _begun(state, command, context, item)
    if isinstance(case, Refusal):
        return case
    declined = {"ground": ground, "text": text, "at": iso(context.now), "by": person(context.actor)}
    ended = today_of(context).isoformat()
    case = {**case, "state": DECLINED, "decline": declined, "ended_on": ended}
    return Event("case.declined", told(context, f"不予受理。依据：{ground}；理由：{text}", **_changed(state, case)))


def seen_of(case: Doc) -> int:
    """What a decision says of the case it looked at; another number means that something has happened since."""
    return len(case["history"])


def _seen_anew(state: Doc, seen: Any) -> Refusal | None:
    if type(seen) is not int or seen == seen_of(state):
        return None
    last = state["history"][-1]
    sentence = tr(
        "此件在您查看之后有变化：{text}（{name}）。没有作出不予受理，请重新打开，看过再决定。",
        text=last["text"],
        name=last["by"]["name"],
    )
    return Refusal("ACC-063", sentence)


def accept(state: Doc | None, command: Command, context: Context) -> Event | Refusal:
    """受理, also with something lacking (容缺) and by the green channel."""
    actor, body = context.actor, command.body
    item = item_of(command, context)
    if isinstance(item, Refusal):
        return item
    if command.number is None or _TICKETS.fullmatch(command.number.series):
        return Refusal("NUM-002", tr("受理时没有取到办件编号。请联网后重试。"))
    if refusal := same_item(state, item) or _unseen(state, item):
        return refusal
    today = today_of(context)
    lacking = _lacking(item, body)
    if isinstance(lacking, Refusal):
        return lacking
    faults = faults_of(item, body, today, lacking=frozenset(lacking))
    if faults:
        return faulty(faults, body, item)
    green = _green(item, body)
    if isinstance(green, Refusal):
        return green
    joint = _joint(item, body)
    flow = flows.begin(
        template_of(item),
        context.now,
        department={"id": item["department_id"], "name": item["department"]},
        hall={"id": actor.hall_id, "name": context.place},
        joint=joint,
    )
    days = item["green"]["promised_days"] if green else item["promised_days"]
    term = Term(today, days, tuple(flows.pauses(flow)), kind=item["kind"])
    number = str(CaseNumber(command.number.series, context.now.astimezone(CHINA).date(), command.number.serial))
    owed = _provisional(item, lacking, context)
    at, by = iso(context.now), person(actor)
    source = state["source"] if state else "window"
    fresh = frame(command.aggregate_id, item, body, actor.hall_id, context.place, source)
    ordinary = {"green": {"promised_days": days, "ordinary_days": item["promised_days"]}} if green else {}
    case = {
        **fresh,
        **({key: state[key] for key in ("correction", "invitations", "papers", "rating")} if state else {}),
        "number": number,
        "state": ACCEPTED,
        "item": {**fresh["item"], "promised_days": days, "joint": joint, **ordinary},
        "green": green,
        "window_id": body["window_id"] if _is_name(body.get("window_id")) else "",
        "ticket": _ticket(body.get("ticket")),
        "visits": (state["visits"] if state else 0) + _comes(state, item),
        "materials": [*received(item, body["materials"]), *_gaps(owed)],
        "accepted_at": at,
        "accepted_by": by,
        "provisional": {"materials": owed, "at": at} if owed else None,
        "flow": flow,
        **clocked(term, monitoring(context.refs.get(MONITORING, {})), None, context.calendar),
    }
    # what is written into a record stays as it was written: no tr
    text = f"{context.place or '窗口'}受理，{'已读身份证' if body.get('card') else '证件号码由人工录入'}"
    text += "，绿色通道" if green else ""
    text += f"，容缺 {len(owed)} 项：{'、'.join(entry['name'] for entry in owed)}" if owed else ""
    return Event("case.accepted", told(context, text, **_changed(state, case)))


def _unseen(state: Doc | None, item: Doc) -> Refusal | None:
    """原件预审: an online application is accepted when its originals have been seen, so the person is asked to come."""
    applied = state is not None and state["state"] == APPLIED and state["source"] == "online"
    if applied and state and not state["invitations"] and item.get("form_of_application") == PRE_REVIEW:
        return Refusal("ACC-028", tr("此事项为原件预审，请先通知申请人带原件到场，再行受理。"))
    return None


def _comes(state: Doc | None, item: Doc) -> int:
    """Whether an acceptance is a visit: at the window it is; an online one only where originals are looked at."""
    if state is None or state["source"] != "online":
        return 1
    return 1 if state["invitations"] and item.get("form_of_application") != ONLINE_ONLY else 0


def _lacking(item: Doc, body: Doc) -> list[str] | Refusal:
    wanted = body.get("lacking", [])
    known = {material["id"]: material for material in item["materials"]}
    if not isinstance(wanted, list) or not all(isinstance(id, str) and id in known for id in wanted):
        return Refusal("ACC-026", tr("容缺清单里有不属于此事项的材料。"))
    materials = body.get("materials")
    given = {
        entry.get("id")
        for entry in (materials if isinstance(materials, list) else ())
        if isinstance(entry, Mapping) and entry.get("received") is True and isinstance(entry.get("id"), str)
    }
    faults = {}
    for id in wanted:
        if not known[id].get("may_lack"):
            faults[f"materials.{id}"] = tr("“{name}”不可容缺。", name=known[id]["name"])
        elif id in given or wanted.count(id) > 1:
            faults[f"materials.{id}"] = tr("“{name}”已经收取，不必容缺。", name=known[id]["name"])
    if faults:
        return Refusal("ACC-026", next(iter(faults.values())), faults)
    return list(wanted)


def _provisional(item: Doc, lacking: Sequence[str], context: Context) -> list[dict[str, Any]]:
    """What is lacking, by when it must come, and what if it does not: all that the citizen is told, once."""
    today = today_of(context)
    owed = []
    for material in item["materials"]:
        if material["id"] in lacking:
            by: date = context.calendar.add_workdays(today, material["lack_days"]).date
            owed.append(
                {
                    "id": material["id"],
                    "name": material["name"],
                    "by": by.isoformat(),
                    "consequence": material["lack_consequence"],
                    "supplied_at": None,
                    "lapsed_at": None,
                }
            )
    return owed


def _gaps(owed: Sequence[Doc]) -> list[dict[str, Any]]:
    return [
        {"id": entry["id"], "name": entry["name"], "pages": 0, "kind": PAPER, "received": False, "lacking": True}
        for entry in owed
    ]


def _green(item: Doc, body: Doc) -> bool | Refusal:
    enabled = bool((item.get("green") or {}).get("enabled"))
    wanted = body.get("green", enabled)
    if not isinstance(wanted, bool) or (wanted and not enabled):
        fault = tr("事项“{name}”没有开通绿色通道。", name=item["name"])
        return Refusal("ACC-027", fault, {"green": fault})
    return wanted


def _joint(item: Doc, body: Doc) -> list[dict[str, str]]:
    """The item's joint departments; their names come from the counter, which knows the organisation."""
    told_names = body.get("joint") if isinstance(body.get("joint"), list) else []
    names = {
        unit["id"]: unit["name"][:60]
        for unit in told_names or []
        if isinstance(unit, Mapping) and isinstance(unit.get("id"), str) and isinstance(unit.get("name"), str)
    }
    return [{"id": id, "name": names.get(id) or id} for id in item.get("joint_departments") or []]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_NAME


def _ticket(ticket: Any) -> dict[str, str] | None:
    if isinstance(ticket, Mapping) and all(_is_name(ticket.get(key)) for key in ("id", "number")):
        return {"id": ticket["id"], "number": ticket["number"]}
    return None


def may_supply_lacking(state: Doc) -> Refusal | None:
    """Whether anything is still lacking."""
    if open_gaps(state):
        return None
    return Refusal("ACC-033", tr("此件没有待补交的容缺材料。"))


def open_gaps(state: Doc) -> list[Doc]:
    """The lacking materials that have not been supplied."""
    provisional = state.get("provisional")
    return [entry for entry in provisional["materials"] if not entry["supplied_at"]] if provisional else []


def supply_lacking(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """补交容缺材料, also late: what was suspended for it goes on when all is there."""
    given = command.body.get("materials")
    known = {entry["id"]: entry["name"] for entry in open_gaps(state)}
    frame_item = {"materials": [{"id": id, "name": name, "required": False} for id, name in known.items()]}
    faults = shape_faults(frame_item, given)
    came = {} if faults else {entry["id"]: entry for entry in given or [] if entry.get("received") is True}
    if faults or not came:
        fault = tr("请选择补交的材料：{names}。", names="、".join(known.values()))
        return Refusal("ACC-033", next(iter(faults.values()), fault), faults or {"materials": fault})
    at = iso(context.now)
    owed = [
        {**entry, "supplied_at": at} if entry["id"] in came else entry for entry in state["provisional"]["materials"]
    ]
    materials = [
        material_of(one["id"], one["name"], came[one["id"]]) if one["id"] in came else one for one in state["materials"]
    ]
    changes = {"provisional": {**state["provisional"], "materials": owed}, "materials": materials}
    text = "补交容缺材料：" + "、".join(known[id] for id in known if id in came)
    suspended = state["flow"]["suspended"]
    if suspended and suspended["by"]["id"] == SYSTEM.id and all(entry["supplied_at"] for entry in owed):
        text += "；恢复办理"
        return flow_event("case.lacking_supplied", state, [going_on(text, context)], context, text, changes)
    return Event("case.lacking_supplied", told(context, text, **changes))
