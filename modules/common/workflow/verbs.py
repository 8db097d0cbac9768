"""The verbs of approval: who may use which when, and what comes of it.

Every verb is a gate and an effect. The gate alone says whether this person may now; ``offered`` and ``decide`` ask
the same gate, so that no button is offered that is then refused for who or when. The effect reads the body.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from modules.common.aggregate import Context, Doc, Event, Key
from modules.common.clock import CHINA, iso, parse_iso
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.text import tr
from modules.common.workflow import flow as flows
from modules.common.workflow.flow import (
    ABORTED,
    APPROVED,
    DONE,
    FORWARD,
    REJECTED,
    RETURN,
    SIGNED,
    SKIP,
    SKIPPED,
    TAKE_BACK,
    VOID,
    Flow,
    Slot,
    group_of,
    holders,
    unit,
    who_name,
)
from modules.common.workflow.templates import ALL, DECIDE, ISSUE, MOST_SIGNATURES, ONE, REVIEW, is_unit

DELEGATION_KIND = "delegation"
LONGEST_TEXT = 500
MOST_EXTENSION = 366
LONGEST_DELEGATION = timedelta(days=366)
URGE_PAUSE = timedelta(minutes=1)
OVERSEERS = frozenset({"section_head", "leader"})
"""Roles of the flow's own department that watch over it: they end, stop and extend it."""
STAND_INS = frozenset({"officer", "section_head", "leader"})
"""Roles that may act for an absent one of their department, or of the flow's."""
HALL_STAFF = frozenset({"clerk", "manager"})
SELF, DELEGATED, ACTING = "self", "delegated", "acting"

NOT_YOURS, FINISHED, NOTHING = "WF-002", "WF-003", "WF-005"
_HIDDEN = frozenset({NOT_YOURS, FINISHED, NOTHING})
"""Refusals of a verb that is not even shown to this person now."""

VERBS = (
    "read",
    "approve",
    "reject",
    "return_to",
    "take_back",
    "countersign",
    "drop_cosigner",
    "delegate",
    "undelegate",
    "act_for",
    "skip",
    "suspend",
    "resume",
    "extend",
    "answer_extension",
    "abort",
    "void",
    "urge",
)
WHILE_SUSPENDED = frozenset({"resume", "abort", "void", "urge"})
ON_THE_STEP = frozenset(
    {
        "read",
        "approve",
        "reject",
        "return_to",
        "take_back",
        "countersign",
        "drop_cosigner",
        "act_for",
        "skip",
    }
)
"""Verbs about what is seen of a step: their body names the ``visit`` that was seen (``flow["visit"]``)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A verb that a person sees now; ``why_not`` says why it cannot be used. ``choices`` are ``(value, words)``:
    steps to return to, slots to sign or to act for, persons to drop."""

    verb: str
    name: str
    why_not: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot that a person may sign now, for whom and by what right (``SELF``, ``DELEGATED``, ``ACTING``)."""

    slot: Slot
    person: Mapping[str, str]
    how: str


def verb_name(verb: str, kind: str = "") -> str:
    """A verb in the office's words; what signing is called depends on the ``kind`` of the step."""
    if verb == "approve":
        return {REVIEW: tr("拟同意"), DECIDE: tr("准予"), ISSUE: tr("办理完成")}.get(kind, tr("同意"))
    if verb == "reject":
        return {REVIEW: tr("拟不同意"), DECIDE: tr("不予")}.get(kind, tr("不同意"))
    names = {
        "read": tr("签收"),
        "return_to": tr("退回"),
        "take_back": tr("取回"),
        "countersign": tr("加签"),
        "drop_cosigner": tr("减签"),
        "delegate": tr("委托"),
        "undelegate": tr("结束委托"),
        "act_for": tr("代行"),
        "skip": tr("跳过"),
        "suspend": tr("挂起"),
        "resume": tr("恢复办理"),
        "extend": tr("申请延期"),
        "answer_extension": tr("批复延期"),
        "abort": tr("异常中止"),
        "void": tr("作废"),
        "urge": tr("催办"),
    }
    return names.get(verb, verb)


def offered(flow: Flow, actor: Actor, now: datetime, refs: Mapping[Key, Doc] | None = None) -> list[Offer]:
    """Every verb that concerns this person now, in the order of ``VERBS``; nothing in a finished flow.

    ``refs`` may hold standing delegations (kind ``delegation``) as ``context.refs`` does.
    """
    view = _View(flow, actor, now, refs or {})
    offers = []
    for verb in VERBS:
        refusal = view.gate(verb)
        if refusal is None or refusal.code not in _HIDDEN:
            choices = _choices(view, verb) if refusal is None else ()
            offers.append(Offer(verb, view.name(verb), refusal.message if refusal else "", choices))
    return offers


def decide(flow: Flow, verb: str, body: Mapping[str, Any], context: Context) -> list[Event] | Refusal:
    """The events that a verb brings about, or why not. See the package's table for bodies and effects."""
    if verb not in VERBS:
        return Refusal("WF-001", tr("流程没有“{verb}”这一操作，请升级程序。", verb=verb))
    view = _View(flow, context.actor, context.now, context.refs)
    refusal = view.ended() or (_stale(view, body) if verb in ON_THE_STEP else None) or view.gate(verb)
    return refusal or _EFFECTS[verb](view, body)


class _View:
    """A flow as one person sees it at one moment."""

    def __init__(self, flow: Flow, actor: Actor, now: datetime, refs: Mapping[Key, Doc]) -> None:
        self.flow = flow
        self.actor = actor
        self.now = now
        self.refs = refs
        self.step = flows.step_of(flow)
        self.by = {"id": actor.id, "name": actor.name}
        self.today = now.astimezone(CHINA).date()

    def told(self, text: str, **more: Any) -> dict[str, Any]:
        """The body of an event: who, when, what; the text is written into the record, so it is never translated."""
        return {"at": iso(self.now), "by": self.by, "text": text, **more}

    @property
    def on(self) -> str:
        return self.today.isoformat()

    @cached_property
    def current(self) -> list[Slot]:
        return flows.current(self.flow)

    @cached_property
    def open(self) -> list[Slot]:
        return [slot for slot in self.current if slot["state"] == flows.OPEN]

    @cached_property
    def asked(self) -> dict[str, Any]:
        """Who asked for co-signers, by group; None for the step's own group."""
        return {group["id"]: group["by"] for group in self.flow["groups"]}

    @cached_property
    def principals(self) -> list[tuple[Mapping[str, Any], str]]:
        """As whom the actor may sign: himself, and those who have delegated to him and still do."""
        actor = self.actor
        myself = {
            "id": actor.id,
            "name": actor.name,
            "roles": actor.roles,
            "department_id": actor.department_id,
            "hall_id": actor.hall_id,
        }
        standing = [doc for (kind, _), doc in self.refs.items() if kind == DELEGATION_KIND]
        others = [one["from"] for one in (*self.flow["delegations"], *standing) if self._delegated_to_me(one)]
        return [(myself, SELF), *((other, DELEGATED) for other in others)]

    def _delegated_to_me(self, one: Mapping[str, Any]) -> bool:
        if one["to"]["id"] != self.actor.id or one["ended_at"] is not None:
            return False
        return bool(one["since"] <= self.on <= one["until"])

    @cached_property
    def holds(self) -> list[Hold]:
        """The slots that the actor may sign: his own first, then as a delegate, then acting for another."""
        found: list[Hold] = []
        for person, how in self.principals:
            for slot in self.open:
                if _matches(slot["who"], person) and not self.signed_in(slot["group"], person["id"]):
                    found.append(Hold(slot, unit(person), how))
        for slot in self.open:
            acting = slot["acting"]
            if (
                acting
                and acting["by"]["id"] == self.actor.id
                and not self.signed_in(slot["group"], acting["for"]["id"])
            ):
                found.append(Hold(slot, acting["for"], ACTING))
        return found

    def signed_in(self, group: str, person: str) -> bool:
        """Whether a person has signed in a group, himself or through another: nobody does so twice."""
        return any(
            slot["group"] == group and slot["signed"] and slot["signed"]["for"]["id"] == person for slot in self.current
        )

    @cached_property
    def own_holds(self) -> list[Hold]:
        """Of the slots held, those of the step itself: a co-signer only gives an opinion."""
        return [hold for hold in self.holds if self.asked[hold.slot["group"]] is None]

    @cached_property
    def awaited(self) -> list[str]:
        """The co-signers who still have to give their opinion before the step's own people can sign."""
        names: list[str] = []
        for group in self.flow["groups"]:
            slots = [slot for slot in self.current if slot["group"] == group["id"]]
            if group["by"] and sum(slot["state"] in SIGNED for slot in slots) < group["need"]:
                names += [who_name(slot["who"]) for slot in slots if slot["state"] == flows.OPEN]
        return names

    @cached_property
    def free(self) -> list[Hold]:
        """Of the slots held, those that can be signed at once."""
        return [hold for hold in self.holds if not self.awaited or hold not in self.own_holds]

    def kind(self, slot: Slot) -> str:
        """As what a slot is signed: a co-signer advises, whatever the step does."""
        return str(self.step["kind"]) if self.asked[slot["group"]] is None else REVIEW

    def name(self, verb: str) -> str:
        """What the actor calls the verb here."""
        return verb_name(verb, self.kind(self.free[0].slot) if self.free else self.step["kind"])

    @property
    def oversees(self) -> bool:
        department = self.flow["department"]["id"]
        return bool(department) and self.actor.department_id == department and bool(self.actor.roles & OVERSEERS)

    @property
    def took_part(self) -> bool:
        hall = self.flow["hall"]["id"]
        in_hall = bool(hall) and self.actor.hall_id == hall and bool(self.actor.roles & HALL_STAFF)
        return in_hall or any(line["by"]["id"] == self.actor.id for line in self.flow["trail"])

    def ended(self) -> Refusal | None:
        """The refusal of everything once the flow has ended: who ended it and when."""
        ended = self.flow["ended"]
        if ended is None:
            return None
        sentence = tr(
            "此流程已由{name}于 {at} 结束（{end}），不能再办理。",
            name=ended["by"]["name"],
            at=_moment(ended["at"]),
            end=ending_name(self.flow),
        )
        return Refusal(FINISHED, sentence)

    def gate(self, verb: str) -> Refusal | None:
        """Why the actor may not use the verb now, or None. Refusals in ``_HIDDEN`` are not even shown."""
        refusal = self.ended()
        if refusal is None:
            refusal = _GATES[verb](self)
        stopped = self.flow["suspended"]
        if stopped and verb not in WHILE_SUSPENDED and (refusal is None or refusal.code not in _HIDDEN):
            sentence = tr(
                "此件自 {since} 起由{name}挂起（{reason}），恢复办理后才能{verb}。",
                since=stopped["since"],
                name=stopped["by"]["name"],
                reason=stopped["reason"],
                verb=self.name(verb),
            )
            return Refusal("WF-004", sentence)
        return refusal

    def not_yours(self) -> Refusal:
        """It waits for others; or the actor, or another in his place, has signed already."""
        sentence = tr(
            "“{step}”环节现等待{names}办理，您不能进行此操作。",
            step=self.step["name"],
            names="、".join(holders(self.flow)),
        )
        return Refusal(NOT_YOURS, sentence)


def ending_name(flow: Flow) -> str:
    """How a flow has ended, in the office's words; empty while it runs."""
    if flow["status"] == DONE:
        return tr("准予") if flow["result"] == APPROVED else tr("不予")
    return {ABORTED: tr("异常中止"), VOID: tr("作废")}.get(flow["status"], "")


def _matches(who: Mapping[str, Any], person: Mapping[str, Any]) -> bool:
    if "person" in who:
        return bool(who["person"]["id"] == person["id"])
    if who["role"] not in person["roles"]:
        return False
    place, own = (who["department"], "department_id") if "department" in who else (who["hall"], "hall_id")
    return bool(place["id"]) and place["id"] == person[own]


def _moment(text: str) -> str:
    moment = parse_iso(text).astimezone(CHINA)
    return tr("{month}月{day}日 {time}", month=moment.month, day=moment.day, time=f"{moment:%H:%M}")


def _vote_name(vote: str, kind: str) -> str:
    return verb_name("approve" if vote == APPROVED else "reject", kind)


# --- gates --------------------------------------------------------------------------------------------------------


def _stale(view: _View, body: Mapping[str, Any]) -> Refusal | None:
    """Somebody was here first: the step seen is no longer the step that stands."""
    seen, flow = body.get("visit"), view.flow
    if type(seen) is int and seen == flow["visit"]:
        return None
    moved = next((line for line in reversed(flow["trail"]) if line["event"] == "flow.moved"), None)
    if type(seen) is not int or moved is None:
        return Refusal("WF-006", tr("未收到所见的环节，请刷新后重试。"))
    sentence = tr(
        "{name}已于 {at} 先行办理（{text}），此件现在“{step}”环节。请刷新后按最新情况办理。",
        name=moved["by"]["name"],
        at=_moment(moved["at"]),
        text=moved["text"],
        step=view.step["name"],
    )
    return Refusal("WF-007", sentence)


def _can_read(view: _View) -> Refusal | None:
    if not view.holds:
        return view.not_yours()
    if all(hold.slot["read"] for hold in view.holds):
        read = view.holds[0].slot["read"]
        return Refusal(NOTHING, tr("{name}已于 {at} 签收。", name=read["by"]["name"], at=_moment(read["at"])))
    return None


def _can_sign(view: _View) -> Refusal | None:
    if view.free:
        return None
    if view.holds:
        return Refusal("WF-008", tr("加签尚未完成，还在等待{names}的意见。", names="、".join(view.awaited)))
    for slot in view.current:
        signed = slot["signed"]
        if signed and (
            view.actor.id in (signed["by"]["id"], signed["for"]["id"])
            or any(_matches(slot["who"], person) for person, _ in view.principals)
        ):
            sentence = tr(
                "{name}已于 {at} 签署“{vote}”，无需再签。",
                name=_signer(signed["by"], signed["for"], signed["how"]),
                at=_moment(signed["at"]),
                vote=_vote_name(signed["vote"], view.kind(slot)),
            )
            return Refusal("WF-009", sentence)
    return view.not_yours()


def _rejectable(view: _View) -> list[Hold]:
    return [hold for hold in view.free if view.kind(hold.slot) != ISSUE]


def _can_reject(view: _View) -> Refusal | None:
    if view.free and not _rejectable(view):
        return Refusal(NOTHING, tr("“{step}”环节不作决定，只能完成或退回。", step=view.step["name"]))
    return _can_sign(view)


def _own(view: _View) -> Refusal | None:
    return None if view.own_holds else view.not_yours()


def _can_return(view: _View) -> Refusal | None:
    refusal = _own(view)
    if refusal is None and not flows.earlier_steps(view.flow):
        return Refusal("WF-010", tr("“{step}”是第一个环节，没有可退回的环节。", step=view.step["name"]))
    return refusal


def _can_take_back(view: _View) -> Refusal | None:
    sent = view.flow["sent"]
    if sent is None or sent["by"]["id"] != view.actor.id:
        return Refusal(NOTHING, tr("只有送出此件的人，在下一环节签收之前，可以取回。"))
    read = next((slot["read"] for slot in view.current if slot["read"]), None)
    if read:
        sentence = tr("{name}已于 {at} 签收，不能取回。可请对方退回。", name=read["by"]["name"], at=_moment(read["at"]))
        return Refusal("WF-011", sentence)
    return None


def _droppable(view: _View) -> list[Slot]:
    """Co-signers' open slots that the actor may take away: his own request's while unread, an overseer's always."""
    asked = [slot for slot in view.open if view.asked[slot["group"]]]
    if view.oversees:
        return asked
    mine = [slot for slot in asked if view.asked[slot["group"]]["id"] == view.actor.id]
    return [slot for slot in mine if not slot["read"]]


def _can_drop(view: _View) -> Refusal | None:
    if _droppable(view):
        return None
    for slot in view.open:
        asked = view.asked[slot["group"]]
        if asked and asked["id"] == view.actor.id:
            read = slot["read"]
            sentence = tr(
                "{name}已于 {at} 签收，不能减签。可催办，或请负责人减签。",
                name=read["by"]["name"],
                at=_moment(read["at"]),
            )
            return Refusal("WF-012", sentence)
    return Refusal(NOTHING, tr("没有您可以减去的加签人。"))


def _delegation(view: _View) -> Mapping[str, Any] | None:
    """The actor's own delegation in this flow that still runs."""
    return next(
        (
            one
            for one in view.flow["delegations"]
            if one["from"]["id"] == view.actor.id and one["ended_at"] is None and view.on <= one["until"]
        ),
        None,
    )


def _can_delegate(view: _View) -> Refusal | None:
    if not any(hold.how == SELF for hold in view.holds):
        return view.not_yours()
    running = _delegation(view)
    if running:
        sentence = tr("已委托{name}至 {until}，须先结束委托。", name=running["to"]["name"], until=running["until"])
        return Refusal("WF-013", sentence)
    return None


def _can_undelegate(view: _View) -> Refusal | None:
    return None if _delegation(view) else Refusal(NOTHING, tr("您在此件上没有生效的委托。"))


def _absent(view: _View) -> list[Slot]:
    """The slots for whose holder the actor could act: none that he holds himself, no second signature of his."""
    mine = {hold.slot["id"] for hold in view.holds}
    return [slot for slot in view.open if slot["id"] not in mine and not view.signed_in(slot["group"], view.actor.id)]


def _person_id(who: Mapping[str, Any]) -> str:
    return str(who["person"]["id"]) if "person" in who else ""


def _can_act(view: _View) -> Refusal | None:
    actor = view.actor
    near = {view.flow["department"]["id"], *(slot["who"].get("department", {}).get("id", "") for slot in view.open)}
    if not actor.roles & STAND_INS or not actor.department_id or actor.department_id not in near:
        return view.not_yours()
    if not view.step["act_for"]:
        return Refusal("WF-014", tr("“{step}”环节不允许代行。", step=view.step["name"]))
    if not _absent(view):
        return Refusal("WF-015", tr("不能代行自己，也不能在同一环节再签一次。"))
    return None


def _can_skip(view: _View) -> Refusal | None:
    sent = view.flow["sent"]
    sender = sent is not None and sent["by"]["id"] == view.actor.id
    if not (view.own_holds or view.oversees or sender):
        return view.not_yours()
    if view.step["mandatory"]:
        return Refusal("WF-016", tr("“{step}”是必经环节，不能跳过。", step=view.step["name"]))
    return None


def _own_or_overseer(view: _View) -> Refusal | None:
    return None if view.own_holds or view.oversees else view.not_yours()


def _can_suspend(view: _View) -> Refusal | None:
    if view.flow["suspended"]:
        return Refusal(NOTHING, tr("此件已经挂起。"))
    return _own_or_overseer(view)


def _can_resume(view: _View) -> Refusal | None:
    if not view.flow["suspended"]:
        return Refusal(NOTHING, tr("此件没有挂起，无需恢复。"))
    return _own_or_overseer(view)


def _can_extend(view: _View) -> Refusal | None:
    refusal = _own_or_overseer(view)
    asked = view.flow["extension"]
    if refusal is None and asked:
        sentence = tr(
            "{name}已于 {at} 申请延期 {days} 个工作日，尚未批复。",
            name=asked["by"]["name"],
            at=_moment(asked["at"]),
            days=asked["days"],
        )
        return Refusal("WF-017", sentence)
    return refusal


def _can_answer(view: _View) -> Refusal | None:
    asked = view.flow["extension"]
    if asked is None:
        return Refusal(NOTHING, tr("没有待批复的延期申请。"))
    if not (view.oversees or (view.own_holds and view.step["kind"] == DECIDE)):
        return view.not_yours()
    if asked["by"]["id"] == view.actor.id:
        return Refusal("WF-018", tr("不能批复本人的延期申请，请由决定人或负责人批复。"))
    return None


def _can_void(view: _View) -> Refusal | None:
    return None if view.oversees else view.not_yours()


def _can_urge(view: _View) -> Refusal | None:
    if view.holds or not (view.oversees or view.took_part):
        return view.not_yours()
    for line in reversed(view.flow["trail"]):
        if line["event"] == "flow.urged" and line["by"]["id"] == view.actor.id:
            if abs(view.now - parse_iso(line["at"])) < URGE_PAUSE:
                return Refusal("WF-019", tr("您已于 {at} 催办，一分钟后才能再催。", at=_moment(line["at"])))
            break
    return None


_GATES: Mapping[str, Callable[[_View], Refusal | None]] = {
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


def _choices(view: _View, verb: str) -> tuple[tuple[str, str], ...]:
    if verb == "return_to":
        return tuple((step["id"], step["name"]) for step in flows.earlier_steps(view.flow))
    if verb == "act_for":
        return tuple((slot["id"], who_name(slot["who"])) for slot in _absent(view))
    if verb == "drop_cosigner":
        return tuple((_person_id(slot["who"]), who_name(slot["who"])) for slot in _droppable(view))
    if verb in ("approve", "reject"):
        holds = view.free if verb == "approve" else _rejectable(view)
        return tuple((hold.slot["id"], _signer(view.by, hold.person, hold.how)) for hold in holds)
    return ()


# --- effects ------------------------------------------------------------------------------------------------------

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


def _signer(by: Mapping[str, str], person: Mapping[str, str], how: str) -> str:
    """Who signed, as the record has it: ``王五``, ``王五受李四委托``, ``王五代李四``."""
    if how == SELF:
        return by["name"]
    return f"{by['name']}代{person['name']}" if how == ACTING else f"{by['name']}受{person['name']}委托"


def _quoted(text: str) -> str:
    return f"：{text}" if text else ""


def _held(holds: Sequence[Hold], body: Body) -> Hold | Refusal:
    """The slot named by the body, or the first that is held."""
    wanted = body.get("slot")
    found = next((hold for hold in holds if wanted is None or hold.slot["id"] == wanted), None)
    return found or _choice("slot", tr("所选的签署位不由您办理，请重新选择。"))


def _do_read(view: _View, body: Body) -> Outcome:
    unread = [hold for hold in view.holds if not hold.slot["read"]]
    seen = {hold.slot["id"]: hold for hold in unread}.values()
    return [Event("flow.read", view.told(f"{view.by['name']}签收", slot=hold.slot["id"])) for hold in seen]


def _do_approve(view: _View, body: Body) -> Outcome:
    return _sign(view, view.free, body, APPROVED, "")


def _do_reject(view: _View, body: Body) -> Outcome:
    return _sign(view, _rejectable(view), body, REJECTED, tr("不同意须写明理由。"))


# the record's own words for a vote, by kind of step: never translated
_VOTES = {
    (REVIEW, APPROVED): "拟同意",
    (REVIEW, REJECTED): "拟不同意",
    (DECIDE, APPROVED): "准予",
    (DECIDE, REJECTED): "不予",
    (ISSUE, APPROVED): "办理完成",
}


def _sign(view: _View, holds: Sequence[Hold], body: Body, vote: str, needed: str) -> Outcome:
    hold = _held(holds, body)
    opinion = _text(body, "opinion", needed=needed)
    if isinstance(hold, Refusal):
        return hold
    if isinstance(opinion, Refusal):
        return opinion
    text = _signer(view.by, hold.person, hold.how) + _VOTES[view.kind(hold.slot), vote] + _quoted(opinion)
    facts = {"slot": hold.slot["id"], "vote": vote, "opinion": opinion, "for": dict(hold.person), "how": hold.how}
    signed = Event("flow.signed", view.told(text, **facts))
    return [signed, *_after(view, flows.evolve(view.flow, signed))]


def _after(view: _View, flow: Flow) -> list[Event]:
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


def _leave(view: _View, how: str) -> Event:
    """Forward to the next step, or to the end behind the last."""
    flow, step = view.flow, flows.next_step(view.flow)
    if step is None:
        return _finish(view, DONE, how, APPROVED, "流程结束：准予")
    return _move(view, step, how, f"转入“{step['name']}”", round=flow["round"], before=list(view.open))


def _move(view: _View, step: Mapping[str, Any], how: str, text: str, *, round: int, **more: Any) -> Event:
    """The flow comes to stand at ``step``, with new slots unless it is taken back to those it had."""
    facts = {"to": step["id"], "how": how, "round": round, "on": view.on}
    facts["result"] = flows.result_at(view.flow, step["id"])
    places = {} if how == TAKE_BACK else flows.places(view.flow, step, round, iso(view.now))
    return Event("flow.moved", view.told(text, **facts, **places, **more))


def _finish(view: _View, status: str, how: str, result: str | None, text: str, reason: str = "") -> Event:
    facts = {"status": status, "how": how, "result": result, "on": view.on, "reason": reason}
    passed = REJECTED if result == REJECTED else SKIPPED if how == SKIP else flows.PASSED
    return Event("flow.finished", view.told(text, **facts, passed=passed))


def _do_return(view: _View, body: Body) -> Outcome:
    wanted = body.get("step")
    step = next((step for step in flows.earlier_steps(view.flow) if step["id"] == wanted), None)
    if step is None:
        return _choice("step", tr("请选择要退回到的环节。"))
    opinion = _text(body, "opinion", needed=tr("退回须写明理由。"))
    if isinstance(opinion, Refusal):
        return opinion
    text = f"{view.by['name']}退回至“{step['name']}”：{opinion}"
    return [_move(view, step, RETURN, text, round=view.flow["round"] + 1, opinion=opinion)]


def _do_take_back(view: _View, body: Body) -> Outcome:
    step = flows.step_of(view.flow, view.flow["sent"]["step"])
    return [_move(view, step, TAKE_BACK, f"{view.by['name']}取回至“{step['name']}”", round=view.flow["round"])]


def _do_countersign(view: _View, body: Body) -> Outcome:
    persons = body.get("persons")
    if not isinstance(persons, list) or not 0 < len(persons) <= MOST_SIGNATURES or not all(map(is_unit, persons)):
        return _choice("persons", tr("请选择 1 到 {most} 名加签人。", most=MOST_SIGNATURES))
    named = [unit(person) for person in persons]
    ids = [person["id"] for person in named]
    taken = {_person_id(slot["who"]) for slot in view.current} | {view.actor.id}
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


def _do_drop(view: _View, body: Body) -> Outcome:
    wanted = body.get("person")
    slot = next((slot for slot in _droppable(view) if _person_id(slot["who"]) == wanted), None)
    if slot is None:
        return _choice("person", tr("请选择要减去的加签人：须尚未签收。"))
    left = sum(one["group"] == slot["group"] for one in view.current) - 1
    need = min(group_of(view.flow, slot)["need"], left)
    facts = {"slot": slot["id"], "group": slot["group"], "need": need}
    return [Event("flow.cosigner_dropped", view.told(f"{view.by['name']}减签：{who_name(slot['who'])}", **facts))]


def _do_delegate(view: _View, body: Body) -> Outcome:
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
        "from": {
            **view.by,
            "roles": sorted(actor.roles),
            "department_id": actor.department_id,
            "hall_id": actor.hall_id,
        },
        "to": person,
        "since": view.on,
        "until": until.isoformat(),
        "ended_at": None,
    }
    text = f"{actor.name}委托{person['name']}办理，至{until.isoformat()}"
    return [Event("flow.delegated", view.told(text, delegation=delegation))]


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _do_undelegate(view: _View, body: Body) -> Outcome:
    running = _delegation(view)
    if running is None:
        raise AssertionError("the gate lets nobody in who has no delegation")
    text = f"{view.by['name']}结束对{running['to']['name']}的委托"
    return [Event("flow.undelegated", view.told(text, id=running["id"]))]


def _do_act(view: _View, body: Body) -> Outcome:
    absent = _absent(view)
    wanted = body.get("slot", absent[0]["id"])
    slot = next((slot for slot in absent if slot["id"] == wanted), None)
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


def _do_skip(view: _View, body: Body) -> Outcome:
    reason = _text(body, "reason", needed=tr("跳过须写明理由。"))
    if isinstance(reason, Refusal):
        return reason
    event = _leave(view, SKIP)
    text = f"{view.by['name']}跳过“{view.step['name']}”：{reason}，{event.body['text']}"
    return [Event(event.type, {**event.body, "text": text})]


def _do_suspend(view: _View, body: Body) -> Outcome:
    reason = _text(body, "reason", needed=tr("挂起须写明理由。"))
    if isinstance(reason, Refusal):
        return reason
    return [Event("flow.suspended", view.told(f"{view.by['name']}挂起：{reason}", reason=reason, on=view.on))]


def _do_resume(view: _View, body: Body) -> Outcome:
    return [Event("flow.resumed", view.told(f"{view.by['name']}恢复办理", on=view.on))]


def _do_extend(view: _View, body: Body) -> Outcome:
    days = _days(body)
    reason = _text(body, "reason", needed=tr("延期须写明理由。"))
    if isinstance(days, Refusal):
        return days
    if isinstance(reason, Refusal):
        return reason
    text = f"{view.by['name']}申请延期{days}个工作日：{reason}"
    return [Event("flow.extension_asked", view.told(text, days=days, reason=reason))]


def _do_answer(view: _View, body: Body) -> Outcome:
    agree, asked = body.get("agree"), view.flow["extension"]
    if not isinstance(agree, bool):
        return _choice("agree", tr("请选择同意或不同意延期。"))
    opinion = _text(body, "opinion", needed="" if agree else tr("不同意须写明理由。"))
    if isinstance(opinion, Refusal):
        return opinion
    text = f"{view.by['name']}{'同意' if agree else '不同意'}延期{asked['days']}个工作日{_quoted(opinion)}"
    facts = {"agree": agree, "days": asked["days"], "opinion": opinion}
    return [Event("flow.extension_answered", view.told(text, **facts))]


def _do_abort(view: _View, body: Body) -> Outcome:
    return _end(view, body, ABORTED, "异常中止", tr("异常中止须写明理由。"))


def _do_void(view: _View, body: Body) -> Outcome:
    return _end(view, body, VOID, "作废", tr("作废须写明理由。"))


def _end(view: _View, body: Body, status: str, word: str, needed: str) -> Outcome:
    reason = _text(body, "reason", needed=needed)
    if isinstance(reason, Refusal):
        return reason
    return [_finish(view, status, status, None, f"{view.by['name']}{word}：{reason}", reason)]


def _do_urge(view: _View, body: Body) -> Outcome:
    text = _text(body, "text")
    return (
        text if isinstance(text, Refusal) else [Event("flow.urged", view.told(f"{view.by['name']}催办{_quoted(text)}"))]
    )


_EFFECTS: Mapping[str, Callable[[_View, Body], Outcome]] = {
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
