"""A flow as one person sees it at one moment: what he holds, and as whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from modules.common.aggregate import Doc, Key
from modules.common.clock import CHINA, iso, parse_iso
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.text import tr
from modules.common.workflow import flow as flows
from modules.common.workflow.flow import (
    ABORTED,
    APPROVED,
    DONE,
    SIGNED,
    VOID,
    Flow,
    Slot,
    holders,
    unit,
    who_name,
)
from modules.common.workflow.templates import REVIEW

DELEGATION_KIND = "delegation"
OVERSEERS = frozenset({"section_head", "leader"})
"""Roles of the flow's own department that watch over it: they end, stop and extend it."""
STAND_INS = frozenset({"officer", "section_head", "leader"})
"""Roles that may act for an absent one of their department, or of the flow's."""
HALL_STAFF = frozenset({"clerk", "manager"})
SELF, DELEGATED, ACTING = "self", "delegated", "acting"

NOT_YOURS, FINISHED, NOTHING = "WF-002", "WF-003", "WF-005"
HIDDEN = frozenset({NOT_YOURS, FINISHED, NOTHING})
"""Refusals of a verb that is not even shown to this person now."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot that a person may sign now, for whom and by what right (``SELF``, ``DELEGATED``, ``ACTING``)."""

    slot: Slot
    person: Mapping[str, str]
    how: str


def verb_name(verb: str, kind: str = "") -> str:
    """A verb in the office's words; what signing is called depends on the ``kind`` of the step."""
    match verb, kind:
        case "approve", "review":
            return tr("拟同意")
        case "approve", "decide":
            return tr("准予")
        case "approve", "issue":
            return tr("办理完成")
        case "approve", _:
            return tr("同意")
        case "reject", "review":
            return tr("拟不同意")
        case "reject", "decide":
            return tr("不予")
        case "reject", _:
            return tr("不同意")
        case "read", _:
            return tr("签收")
        case "return_to", _:
            return tr("退回")
        case "take_back", _:
            return tr("取回")
        case "countersign", _:
            return tr("加签")
        case "drop_cosigner", _:
            return tr("减签")
        case "delegate", _:
            return tr("委托")
        case "undelegate", _:
            return tr("结束委托")
        case "act_for", _:
            return tr("代行")
        case "skip", _:
            return tr("跳过")
        case "suspend", _:
            return tr("挂起")
        case "resume", _:
            return tr("恢复办理")
        case "extend", _:
            return tr("申请延期")
        case "answer_extension", _:
            return tr("批复延期")
        case "abort", _:
            return tr("异常中止")
        case "void", _:
            return tr("作废")
        case "urge", _:
            return tr("催办")
    return verb


class View:
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
        standing = [doc for (kind, _), doc in self.refs.items() if kind == DELEGATION_KIND]
        others = [one["from"] for one in (*self.flow["delegations"], *standing) if self._delegated_to_me(one)]
        return [(principal(self.actor), SELF), *((other, DELEGATED) for other in others)]

    def _delegated_to_me(self, one: Mapping[str, Any]) -> bool:
        if one["to"]["id"] != self.actor.id or one["state"] != flows.ACTIVE:
            return False
        return bool(one["since"] <= self.on <= one["until"])

    @cached_property
    def holds(self) -> list[Hold]:
        """The slots that the actor may sign: his own first, then as a delegate, then acting for another."""
        found: dict[str, Hold] = {}
        for person, how in self.principals:
            for slot in self.open:
                group = slot["group"]
                spent = self.signed_in(group, person["id"]) or ACTING in self.hands(group)
                if matches(slot["who"], person) and not spent:
                    found.setdefault(slot["id"], Hold(slot, unit(person), how))
        for slot in self.open:
            acting = slot["acting"]
            mine = acting is not None and acting["by"]["id"] == self.actor.id
            if mine and not self.hands(slot["group"]) and not self.signed_in(slot["group"], acting["for"]["id"]):
                found.setdefault(slot["id"], Hold(slot, acting["for"], ACTING))
        return list(found.values())

    def signed_in(self, group: str, person: str) -> bool:
        """Whether a person has signed in a group, himself or through another: nobody does so twice."""
        return any(
            slot["group"] == group and slot["signed"] and slot["signed"]["for"]["id"] == person for slot in self.current
        )

    def hands(self, group: str) -> set[str]:
        """How the actor has signed in a group with his own hand: who acts for another gives no second signature."""
        signed = (slot["signed"] for slot in self.current if slot["group"] == group and slot["signed"])
        return {one["how"] for one in signed if one["by"]["id"] == self.actor.id}

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

    @cached_property
    def ended(self) -> Refusal | None:
        """The refusal of everything once the flow has ended: who ended it and when."""
        ended = self.flow["ended"]
        if ended is None:
            return None
        sentence = tr(
            "此流程已由{name}于 {at} 结束（{end}），不能再办理。",
            name=ended["by"]["name"],
            at=moment(ended["at"]),
            end=ending_name(self.flow),
        )
        return Refusal(FINISHED, sentence)

    @cached_property
    def not_yours(self) -> Refusal:
        """The step waits for others: whom."""
        sentence = tr(
            "“{step}”环节现等待{names}办理，您不能进行此操作。",
            step=self.step["name"],
            names="、".join(holders(self.flow)),
        )
        return Refusal(NOT_YOURS, sentence)


def principal(actor: Actor) -> dict[str, Any]:
    """Somebody with what he may do, as a delegation keeps it under ``from``."""
    return {
        "id": actor.id,
        "name": actor.name,
        "roles": sorted(actor.roles),
        "department_id": actor.department_id,
        "hall_id": actor.hall_id,
    }


def ending_name(flow: Flow) -> str:
    """How a flow has ended, in the office's words; empty while it runs."""
    if flow["status"] == DONE:
        return tr("准予") if flow["result"] == APPROVED else tr("不予")
    return {ABORTED: tr("异常中止"), VOID: tr("作废")}.get(flow["status"], "")


def matches(who: Mapping[str, Any], person: Mapping[str, Any]) -> bool:
    """Whether a slot is for this person: named, or by role in the slot's department or hall."""
    if "person" in who:
        return bool(who["person"]["id"] == person["id"])
    if who["role"] not in person["roles"]:
        return False
    place, own = (who["department"], "department_id") if "department" in who else (who["hall"], "hall_id")
    return bool(place["id"]) and place["id"] == person[own]


def moment(text: str) -> str:
    """A moment for a sentence, in China's time."""
    local = parse_iso(text).astimezone(CHINA)
    return tr("{month}月{day}日 {time}", month=local.month, day=local.day, time=f"{local:%H:%M}")


def vote_name(vote: str, kind: str) -> str:
    """A signature in the office's words."""
    return verb_name("approve" if vote == APPROVED else "reject", kind)


def signer(by: Mapping[str, str], person: Mapping[str, str], how: str) -> str:
    """Who signed, as the record has it: ``王五``, ``王五受李四委托``, ``王五代李四``."""
    if how == SELF:
        return by["name"]
    return f"{by['name']}代{person['name']}" if how == ACTING else f"{by['name']}受{person['name']}委托"


def person_id(who: Mapping[str, Any]) -> str:
    """The named person's id; empty for a role."""
    return str(who["person"]["id"]) if "person" in who else ""
