"""Who may use which verb now: one gate for each, asked by ``offered`` and by ``decide`` alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from modules.common.clock import parse_iso
from modules.common.errors import Refusal
from modules.common.text import tr
from modules.common.workflow import flow as flows
from modules.common.workflow.flow import (
    Slot,
)
from modules.common.workflow.templates import DECIDE, ISSUE
from modules.common.workflow.view import (
    HIDDEN,
    NOTHING,
    SELF,
    STAND_INS,
    Hold,
    View,
    matches,
    moment,
    signer,
    vote_name,
)

URGE_PAUSE = timedelta(minutes=1)
WHILE_SUSPENDED = frozenset({"resume", "abort", "void", "urge"})


def gate(view: View, verb: str) -> Refusal | None:
    """Why the person may not use the verb now, or None."""
    refusal = view.ended or GATES[verb](view)
    stopped = view.flow["suspended"]
    if stopped and verb not in WHILE_SUSPENDED and (refusal is None or refusal.code not in HIDDEN):
        sentence = tr(
            "此件自 {since} 起由{name}挂起（{reason}），恢复办理后才能{verb}。",
            since=stopped["since"],
            name=stopped["by"]["name"],
            reason=stopped["reason"],
            verb=view.name(verb),
        )
        return Refusal("WF-004", sentence)
    return refusal


def stale(view: View, body: Mapping[str, Any]) -> Refusal | None:
    """Somebody was here first: the step seen is no longer the step that stands."""
    seen, flow = body.get("visit"), view.flow
    if type(seen) is int and seen == flow["visit"]:
        return None
    trail = flow["trail"]
    moved = next((n for n in reversed(range(len(trail))) if trail[n]["event"] == "flow.moved"), None)
    if type(seen) is not int or moved is None:
        return Refusal("WF-006", tr("未收到所见的环节，请刷新后重试。"))
    # the signature that passed the step says more than the move that came of it
    signed = moved > 0 and trail[moved - 1]["event"] == "flow.signed" and trail[moved - 1]["at"] == trail[moved]["at"]
    first = trail[moved - 1] if signed else trail[moved]
    sentence = tr(
        "{name}已于 {at} 先行办理（{text}），此件现在“{step}”环节。请刷新后按最新情况办理。",
        name=first["by"]["name"],
        at=moment(first["at"]),
        text=first["text"],
        step=view.step["name"],
    )
    return Refusal("WF-007", sentence)


def _can_read(view: View) -> Refusal | None:
    if not view.holds:
        return view.not_yours
    if all(hold.slot["read"] for hold in view.holds):
        read = view.holds[0].slot["read"]
        return Refusal(NOTHING, tr("{name}已于 {at} 签收。", name=read["by"]["name"], at=moment(read["at"])))
    return None


def _can_sign(view: View) -> Refusal | None:
    if view.free:
        return None
    if view.holds:
        return Refusal("WF-008", tr("加签尚未完成，还在等待{names}的意见。", names="、".join(view.awaited)))
    for slot in view.current:
        signed = slot["signed"]
        if signed and (
            view.actor.id in (signed["by"]["id"], signed["for"]["id"])
            or any(matches(slot["who"], person) for person, _ in view.principals)
        ):
            sentence = tr(
                "{name}已于 {at} 签署“{vote}”，无需再签。",
                name=signer(signed["by"], signed["for"], signed["how"]),
                at=moment(signed["at"]),
                vote=vote_name(signed["vote"], view.kind(slot)),
            )
            return Refusal("WF-009", sentence)
    return view.not_yours


def rejectable(view: View) -> list[Hold]:
    return [hold for hold in view.free if view.kind(hold.slot) != ISSUE]


def _can_reject(view: View) -> Refusal | None:
    if view.free and not rejectable(view):
        return Refusal(NOTHING, tr("“{step}”环节不作决定，只能完成或退回。", step=view.step["name"]))
    return _can_sign(view)


def _own(view: View) -> Refusal | None:
    return None if view.own_holds else view.not_yours


def _can_return(view: View) -> Refusal | None:
    refusal = _own(view)
    if refusal is None and not flows.earlier_steps(view.flow):
        return Refusal("WF-010", tr("“{step}”是第一个环节，没有可退回的环节。", step=view.step["name"]))
    return refusal


def _can_take_back(view: View) -> Refusal | None:
    sent = view.flow["sent"]
    if sent is None or sent["by"]["id"] != view.actor.id:
        return Refusal(NOTHING, tr("只有送出此件的人，在下一环节签收之前，可以取回。"))
    read = next((slot["read"] for slot in view.current if slot["read"]), None)
    if read:
        sentence = tr("{name}已于 {at} 签收，不能取回。可请对方退回。", name=read["by"]["name"], at=moment(read["at"]))
        return Refusal("WF-011", sentence)
    return None


def droppable(view: View) -> list[Slot]:
    """Co-signers' open slots that the actor may take away: his own request's while unread, an overseer's always."""
    asked = [slot for slot in view.open if view.asked[slot["group"]]]
    if view.oversees:
        return asked
    mine = [slot for slot in asked if view.asked[slot["group"]]["id"] == view.actor.id]
    return [slot for slot in mine if not slot["read"]]


def _can_drop(view: View) -> Refusal | None:
    if droppable(view):
        return None
    for slot in view.open:
        asked = view.asked[slot["group"]]
        if asked and asked["id"] == view.actor.id:
            read = slot["read"]
            sentence = tr(
                "{name}已于 {at} 签收，不能减签。可催办，或请负责人减签。",
                name=read["by"]["name"],
                at=moment(read["at"]),
            )
            return Refusal("WF-012", sentence)
    return Refusal(NOTHING, tr("没有您可以减去的加签人。"))


def delegation_of(view: View) -> Mapping[str, Any] | None:
    """The actor's own delegation in this flow that still runs."""
    return next(
        (
            one
            for one in view.flow["delegations"]
            if one["from"]["id"] == view.actor.id and one["state"] == flows.ACTIVE and view.on <= one["until"]
        ),
        None,
    )


def _can_delegate(view: View) -> Refusal | None:
    if not any(hold.how == SELF for hold in view.holds):
        return view.not_yours
    running = delegation_of(view)
    if running:
        sentence = tr("已委托{name}至 {until}，须先结束委托。", name=running["to"]["name"], until=running["until"])
        return Refusal("WF-013", sentence)
    return None


def _can_undelegate(view: View) -> Refusal | None:
    return None if delegation_of(view) else Refusal(NOTHING, tr("您在此件上没有生效的委托。"))


def absent(view: View) -> list[Slot]:
    """The slots for whose holder the actor could act: none that he holds himself, no second signature of his."""
    mine = {hold.slot["id"] for hold in view.holds}
    return [
        slot
        for slot in view.open
        if slot["id"] not in mine and not (view.signed_in(slot["group"], view.actor.id) or view.hands(slot["group"]))
    ]


def _can_act(view: View) -> Refusal | None:
    actor = view.actor
    near = {view.flow["department"]["id"], *(slot["who"].get("department", {}).get("id", "") for slot in view.open)}
    if not actor.roles & STAND_INS or not actor.department_id or actor.department_id not in near:
        return view.not_yours
    if not view.step["act_for"]:
        return Refusal("WF-014", tr("“{step}”环节不允许代行。", step=view.step["name"]))
    if not absent(view):
        return Refusal("WF-015", tr("不能代行自己，也不能在同一环节再签一次。"))
    return None


def _can_skip(view: View) -> Refusal | None:
    sent = view.flow["sent"]
    sender = sent is not None and sent["by"]["id"] == view.actor.id
    if not (view.own_holds or view.oversees or sender):
        return view.not_yours
    if view.step["mandatory"]:
        return Refusal("WF-016", tr("“{step}”是必经环节，不能跳过。", step=view.step["name"]))
    return None


def _own_or_overseer(view: View) -> Refusal | None:
    return None if view.own_holds or view.oversees else view.not_yours


def _can_suspend(view: View) -> Refusal | None:
    if view.flow["suspended"]:
        return Refusal(NOTHING, tr("此件已经挂起。"))
    return _own_or_overseer(view)


def _can_resume(view: View) -> Refusal | None:
    if not view.flow["suspended"]:
        return Refusal(NOTHING, tr("此件没有挂起，无需恢复。"))
    return _own_or_overseer(view)


def _can_extend(view: View) -> Refusal | None:
    refusal = _own_or_overseer(view)
    asked = view.flow["extension"]
    if refusal is None and asked:
        sentence = tr(
            "{name}已于 {at} 申请延期 {days} 个工作日，尚未批复。",
            name=asked["by"]["name"],
            at=moment(asked["at"]),
            days=asked["days"],
        )
        return Refusal("WF-017", sentence)
    return refusal


def _can_answer(view: View) -> Refusal | None:
    asked = view.flow["extension"]
    if asked is None:
        return Refusal(NOTHING, tr("没有待批复的延期申请。"))
    if not (view.oversees or (view.own_holds and view.step["kind"] == DECIDE)):
        return view.not_yours
    if asked["by"]["id"] == view.actor.id:
        return Refusal("WF-018", tr("不能批复本人的延期申请，请由决定人或负责人批复。"))
    return None


def _can_void(view: View) -> Refusal | None:
    return None if view.oversees else view.not_yours


def _can_urge(view: View) -> Refusal | None:
    if view.holds or not (view.oversees or view.took_part):
        return view.not_yours
    for line in reversed(view.flow["trail"]):
        if line["event"] == "flow.urged" and line["by"]["id"] == view.actor.id:
            if abs(view.now - parse_iso(line["at"])) < URGE_PAUSE:
                return Refusal("WF-019", tr("您已于 {at} 催办，一分钟后才能再催。", at=moment(line["at"])))
            break
    return None


GATES: Mapping[str, Callable[[View], Refusal | None]] = {
    "read": _can_read,
    "approve": _can_sign,
    "reject": _can_reject,
    "return_to": _can_return,
    "take_back": _can_take_back,
    "countersign": _own,
    "drop_cosigner": _can_drop,
    "delegate": _can_delegate,
    "undelegate": _can_undelegate,
    "act_for": _can_act,
    "skip": _can_skip,
    "suspend": _can_suspend,
    "resume": _can_resume,
    "extend": _can_extend,
    "answer_extension": _can_answer,
    "abort": _own_or_overseer,
    "void": _can_void,
    "urge": _can_urge,
}
