"""What comes of a verb that its gate has let through: the body is read, the events are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from modules.common.aggregate import Event
from modules.common.clock import iso
from modules.common.errors import Refusal
from modules.common.text import tr
from modules.common.workflow import flow as flows
from modules.common.workflow.flow import (
    ABORTED,
    APPROVED,
    DONE,
    FORWARD,
    REJECTED,
    RETURN,
    SKIP,
    SKIPPED,
    TAKE_BACK,
    VOID,
    Flow,
    group_of,
    unit,
    who_name,
)
from modules.common.workflow.gates import absent, delegation_of, droppable, rejectable
from modules.common.workflow.templates import ALL, DECIDE, ISSUE, MOST_SIGNATURES, ONE, REVIEW, is_unit
from modules.common.workflow.view import (
    Hold,
    View,
    person_id,
    principal,
    signer,
)

LONGEST_TEXT = 500
MOST_EXTENSION = 366
LONGEST_DELEGATION = timedelta(days=366)

Outcome = list[Event] | Refusal
Body = Mapping[str, Any]


def _text(body: Body, field: str, *, needed: str = "") -> str | Refusal:
    """A text of the body, stripped; ``needed`` is the sentence for an empty one."""
    value = body.get(field, "")
    if not isinstance(value, str) or len(value.strip()) > LONGEST_TEXT:
        fault = tr("须为文字，最多 {n} 个字。", n=LONGEST_TEXT)
        return Refusal("WF-020", fault, {field: fault})
    if needed and not value.strip():
        return Refusal("WF-021", needed, {field: needed})
    return value.strip()


def _days(body: Body) -> int | Refusal:
    days = body.get("days")
    if type(days) is int and 1 <= days <= MOST_EXTENSION:
        return days
    fault = tr("天数须为 1 到 {most}。", most=MOST_EXTENSION)
    return Refusal("WF-022", fault, {"days": fault})


def _choice(field: str, sentence: str) -> Refusal:
    return Refusal("WF-023", sentence, {field: sentence})


def _quoted(text: str) -> str:
    return f"：{text}" if text else ""


def _held(holds: Sequence[Hold], body: Body) -> Hold | Refusal:
    """The slot named by the body, or the first that is held."""
    wanted = body.get("slot")
    found = next((hold for hold in holds if wanted is None or hold.slot["id"] == wanted), None)
    return found or _choice("slot", tr("所选的签署位不由您办理，请重新选择。"))


def _do_read(view: View, body: Body) -> Outcome:
    unread = [hold for hold in view.holds if not hold.slot["read"]]
    seen = {hold.slot["id"]: hold for hold in unread}.values()
    return [Event("flow.read", view.told(f"{view.by['name']}签收", slot=hold.slot["id"])) for hold in seen]


def _do_approve(view: View, body: Body) -> Outcome:
    return _sign(view, view.free, body, APPROVED, "")


def _do_reject(view: View, body: Body) -> Outcome:
    return _sign(view, rejectable(view), body, REJECTED, tr("不同意须写明理由。"))


# the record's own words for a vote, by kind of step: never translated
_VOTES = {
    (REVIEW, APPROVED): "拟同意",
    (REVIEW, REJECTED): "拟不同意",
    (DECIDE, APPROVED): "准予",
    (DECIDE, REJECTED): "不予",
    (ISSUE, APPROVED): "办理完成",
}


def _sign(view: View, holds: Sequence[Hold], body: Body, vote: str, needed: str) -> Outcome:
    hold = _held(holds, body)
    opinion = _text(body, "opinion", needed=needed)
    if isinstance(hold, Refusal):
        return hold
    if isinstance(opinion, Refusal):
        return opinion
    text = signer(view.by, hold.person, hold.how) + _VOTES[view.kind(hold.slot), vote] + _quoted(opinion)
    facts = {"slot": hold.slot["id"], "vote": vote, "opinion": opinion, "for": dict(hold.person), "how": hold.how}
    signed = Event("flow.signed", view.told(text, **facts))
    return [signed, *_after(view, flows.evolve(view.flow, signed))]


def _after(view: View, flow: Flow) -> list[Event]:
    """What a signature brings about: the step goes on, the flow ends, or more signatures are waited for."""
    groups = {group["id"]: group for group in flow["groups"]}
    own = [slot for slot in flows.current(flow) if groups[slot["group"]]["by"] is None]
    need = groups[own[0]["group"]]["need"]
    rejected = sum(slot["state"] == REJECTED for slot in own)
    approved = sum(slot["state"] == APPROVED for slot in own)
    if view.step["kind"] == DECIDE and len(own) - rejected < need:
        return [_finish(view, DONE, FORWARD, REJECTED, "流程结束：不予")]
    done = approved if view.step["kind"] == DECIDE else approved + rejected
    return [_leave(view, FORWARD)] if done >= need else []


def _leave(view: View, how: str) -> Event:
    """Forward to the next step, or to the end behind the last."""
    flow, step = view.flow, flows.next_step(view.flow)
    if step is None:
        return _finish(view, DONE, how, APPROVED, "流程结束：准予")
    return _move(view, step, how, f"转入“{step['name']}”", round=flow["round"], before=list(view.open))


def _move(view: View, step: Mapping[str, Any], how: str, text: str, *, round: int, **more: Any) -> Event:
    """The flow comes to stand at ``step``, with new slots unless it is taken back to those it had."""
    facts = {"to": step["id"], "how": how, "round": round, "on": view.on}
    facts["result"] = flows.result_at(view.flow, step["id"])
    places = {} if how == TAKE_BACK else flows.places(view.flow, step, round, iso(view.now))
    return Event("flow.moved", view.told(text, **facts, **places, **more))


def _finish(view: View, status: str, how: str, result: str | None, text: str, reason: str = "") -> Event:
    facts = {"status": status, "how": how, "result": result, "on": view.on, "reason": reason}
    passed = REJECTED if result == REJECTED else SKIPPED if how == SKIP else flows.PASSED
    return Event("flow.finished", view.told(text, **facts, passed=passed))


def _do_return(view: View, body: Body) -> Outcome:
    wanted = body.get("step")
    step = next((step for step in flows.earlier_steps(view.flow) if step["id"] == wanted), None)
    if step is None:
        return _choice("step", tr("请选择要退回到的环节。"))
    opinion = _text(body, "opinion", needed=tr("退回须写明理由。"))
    if isinstance(opinion, Refusal):
        return opinion
    text = f"{view.by['name']}退回至“{step['name']}”：{opinion}"
    return [_move(view, step, RETURN, text, round=view.flow["round"] + 1, opinion=opinion)]


def _do_take_back(view: View, body: Body) -> Outcome:
    step = flows.step_of(view.flow, view.flow["sent"]["step"])
    return [_move(view, step, TAKE_BACK, f"{view.by['name']}取回至“{step['name']}”", round=view.flow["round"])]


def _do_countersign(view: View, body: Body) -> Outcome:
    persons = body.get("persons")
    if not isinstance(persons, list) or not 0 < len(persons) <= MOST_SIGNATURES or not all(map(is_unit, persons)):
        return _choice("persons", tr("请选择 1 到 {most} 名加签人。", most=MOST_SIGNATURES))
    named = [unit(person) for person in persons]
    ids = [person["id"] for person in named]
    taken = {person_id(slot["who"]) for slot in view.current} | {view.actor.id}
    doubled = [person["name"] for person in named if person["id"] in taken or ids.count(person["id"]) > 1]
    if doubled:
        return _choice(
            "persons", tr("{names}已在此环节办理人之列，不能加签。", names="、".join(dict.fromkeys(doubled)))
        )
    completion = body.get("completion", ALL)
    need = {ONE: 1, ALL: len(ids)}.get(completion) if isinstance(completion, str) else completion
    if type(need) is not int or not 1 <= need <= len(ids):
        return _choice("completion", tr("须有几人签署，请填 1 到 {n}。", n=len(ids)))
    hold = _held(view.own_holds, body)
    if isinstance(hold, Refusal):
        return hold
    flow = view.flow
    id = f"g{len(flow['groups']) + 1}"
    group = {"id": id, "need": need, "by": view.by}
    slots = flows.slots(flow, flow["step"], flow["round"], id, [{"person": one} for one in named], iso(view.now))
    text = f"{view.by['name']}加签：{'、'.join(one['name'] for one in named)}（{need}人签署即可）"
    return [Event("flow.cosigners_added", view.told(text, slot=hold.slot["id"], group=group, slots=slots))]


def _do_drop(view: View, body: Body) -> Outcome:
    wanted = body.get("person")
    slot = next((slot for slot in droppable(view) if person_id(slot["who"]) == wanted), None)
    if slot is None:
        return _choice("person", tr("请选择要减去的加签人：须尚未签收。"))
    left = sum(one["group"] == slot["group"] for one in view.current) - 1
    need = min(group_of(view.flow, slot)["need"], left)
    facts = {"slot": slot["id"], "group": slot["group"], "need": need}
    return [Event("flow.cosigner_dropped", view.told(f"{view.by['name']}减签：{who_name(slot['who'])}", **facts))]


def _do_delegate(view: View, body: Body) -> Outcome:
    to = body.get("to")
    if not is_unit(to) or to["id"] == view.actor.id:
        return _choice("to", tr("请选择受委托人，不能是本人。"))
    until = _date(body.get("until"))
    if until is None or not view.today <= until <= view.today + LONGEST_DELEGATION:
        sentence = tr("委托须写明截止日期，今天起一年之内。")
        return Refusal("WF-024", sentence, {"until": sentence})
    actor, person = view.actor, unit(to)
    delegation = {
        "id": f"d{len(view.flow['delegations']) + 1}",
        "from": principal(actor),
        "to": person,
        "since": view.on,
        "until": until.isoformat(),
        "state": flows.ACTIVE,
    }
    text = f"{actor.name}委托{person['name']}办理，至{until.isoformat()}"
    return [Event("flow.delegated", view.told(text, delegation=delegation))]


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _do_undelegate(view: View, body: Body) -> Outcome:
    running = delegation_of(view)
    if running is None:
        raise AssertionError("the gate lets nobody in who has no delegation")
    text = f"{view.by['name']}结束对{running['to']['name']}的委托"
    return [Event("flow.undelegated", view.told(text, id=running["id"]))]


def _do_act(view: View, body: Body) -> Outcome:
    away = absent(view)
    wanted = body.get("slot", away[0]["id"])
    slot = next((slot for slot in away if slot["id"] == wanted), None)
    if slot is None:
        return _choice("slot", tr("请选择为谁代行，不能是本人。"))
    person = slot["who"].get("person", body.get("person"))
    if not is_unit(person) or person["id"] == view.actor.id or view.signed_in(slot["group"], person["id"]):
        return _choice("person", tr("请写明为谁代行，不能是本人或已签署的人。"))
    basis = _text(body, "basis", needed=tr("代行须写明依据，例如何时经谁同意。"))
    if isinstance(basis, Refusal):
        return basis
    facts = {"slot": slot["id"], "for": unit(person), "basis": basis}
    return [Event("flow.acting", view.told(f"{view.by['name']}代{person['name']}：{basis}", **facts))]


def _do_skip(view: View, body: Body) -> Outcome:
    reason = _text(body, "reason", needed=tr("跳过须写明理由。"))
    if isinstance(reason, Refusal):
        return reason
    event = _leave(view, SKIP)
    text = f"{view.by['name']}跳过“{view.step['name']}”：{reason}，{event.body['text']}"
    return [Event(event.type, {**event.body, "text": text})]


def _do_suspend(view: View, body: Body) -> Outcome:
    reason = _text(body, "reason", needed=tr("挂起须写明理由。"))
    if isinstance(reason, Refusal):
        return reason
    return [Event("flow.suspended", view.told(f"{view.by['name']}挂起：{reason}", reason=reason, on=view.on))]


def _do_resume(view: View, body: Body) -> Outcome:
    return [Event("flow.resumed", view.told(f"{view.by['name']}恢复办理", on=view.on))]


def _do_extend(view: View, body: Body) -> Outcome:
    days = _days(body)
    reason = _text(body, "reason", needed=tr("延期须写明理由。"))
    if isinstance(days, Refusal):
        return days
    if isinstance(reason, Refusal):
        return reason
    text = f"{view.by['name']}申请延期{days}个工作日：{reason}"
    return [Event("flow.extension_asked", view.told(text, days=days, reason=reason))]


def _do_answer(view: View, body: Body) -> Outcome:
    agree, asked = body.get("agree"), view.flow["extension"]
    if not isinstance(agree, bool):
        return _choice("agree", tr("请选择同意或不同意延期。"))
    opinion = _text(body, "opinion", needed="" if agree else tr("不同意须写明理由。"))
    if isinstance(opinion, Refusal):
        return opinion
    text = f"{view.by['name']}{'同意' if agree else '不同意'}延期{asked['days']}个工作日{_quoted(opinion)}"
    facts = {"agree": agree, "days": asked["days"], "opinion": opinion}
    return [Event("flow.extension_answered", view.told(text, **facts))]


def _do_abort(view: View, body: Body) -> Outcome:
    return _end(view, body, ABORTED, "异常中止", tr("异常中止须写明理由。"))


def _do_void(view: View, body: Body) -> Outcome:
    return _end(view, body, VOID, "作废", tr("作废须写明理由。"))


def _end(view: View, body: Body, status: str, word: str, needed: str) -> Outcome:
    reason = _text(body, "reason", needed=needed)
    if isinstance(reason, Refusal):
        return reason
    return [_finish(view, status, status, None, f"{view.by['name']}{word}：{reason}", reason)]


def _do_urge(view: View, body: Body) -> Outcome:
    text = _text(body, "text")
    return (
        text if isinstance(text, Refusal) else [Event("flow.urged", view.told(f"{view.by['name']}催办{_quoted(text)}"))]
    )


EFFECTS: Mapping[str, Callable[[View, Body], Outcome]] = {
    "read": _do_read,
    "approve": _do_approve,
    "reject": _do_reject,
    "return_to": _do_return,
    "take_back": _do_take_back,
    "countersign": _do_countersign,
    "drop_cosigner": _do_drop,
    "delegate": _do_delegate,
    "undelegate": _do_undelegate,
    "act_for": _do_act,
    "skip": _do_skip,
    "suspend": _do_suspend,
    "resume": _do_resume,
    "extend": _do_extend,
    "answer_extension": _do_answer,
    "abort": _do_abort,
    "void": _do_void,
    "urge": _do_urge,
}
