"""The verbs of approval: what a person is offered, and what comes of what he does.

Every verb is a gate (who and when) and an effect (the body). ``offered`` and ``decide`` ask the same gate, so that no
button is offered that is then refused for who or when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modules.common.aggregate import Context, Doc, Event, Key
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.text import tr
from modules.common.workflow import flow as flows
from modules.common.workflow.effects import EFFECTS
from modules.common.workflow.flow import (
    Flow,
    who_name,
)
from modules.common.workflow.gates import absent, droppable, gate, rejectable, stale
from modules.common.workflow.view import (
    HIDDEN,
    View,
    person_id,
    signer,
)

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


def waits_for(flow: Flow, actor: Actor, now: datetime, refs: Mapping[Key, Doc] | None = None) -> bool:
    """Whether the flow waits for this person's signature."""
    return any(offer.verb == "approve" and not offer.why_not for offer in offered(flow, actor, now, refs))


def offered(flow: Flow, actor: Actor, now: datetime, refs: Mapping[Key, Doc] | None = None) -> list[Offer]:
    """Every verb that concerns this person now, in the order of ``VERBS``; nothing in a finished flow.

    ``refs`` may hold standing delegations (kind ``delegation``) as ``context.refs`` does.
    """
    view = View(flow, actor, now, refs or {})
    offers = []
    for verb in VERBS:
        refusal = gate(view, verb)
        if refusal is None or refusal.code not in HIDDEN:
            choices = _choices(view, verb) if refusal is None else ()
            offers.append(Offer(verb, view.name(verb), refusal.message if refusal else "", choices))
    return offers


def decide(flow: Flow, verb: str, body: Mapping[str, Any], context: Context) -> list[Event] | Refusal:
    """The events that a verb brings about, or why not. See the package's table for bodies and effects."""
    if verb not in VERBS:
        return Refusal("WF-001", tr("流程没有“{verb}”这一操作，请升级程序。", verb=verb))
    view = View(flow, context.actor, context.now, context.refs)
    refusal = view.ended or (stale(view, body) if verb in ON_THE_STEP else None) or gate(view, verb)
    return refusal or EFFECTS[verb](view, body)


def _choices(view: View, verb: str) -> tuple[tuple[str, str], ...]:
    if verb == "return_to":
        return tuple((step["id"], step["name"]) for step in flows.earlier_steps(view.flow))
    if verb == "act_for":
        return tuple((slot["id"], who_name(slot["who"])) for slot in absent(view))
    if verb == "drop_cosigner":
        return tuple((person_id(slot["who"]), who_name(slot["who"])) for slot in droppable(view))
    if verb in ("approve", "reject"):
        holds = view.free if verb == "approve" else rejectable(view)
        return tuple((hold.slot["id"], signer(view.by, hold.person, hold.how)) for hold in holds)
    return ()
