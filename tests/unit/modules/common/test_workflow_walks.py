"""Approval under random and exhaustive walks: no invariant broken, both sides agree, no dead end, mutants caught."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from modules.common import workflow
from modules.common.aggregate import Event
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.workflow import effects, gates
from modules.common.workflow import flow as flows
from modules.common.workflow.view import View
from tests.support import walks
from tests.support.walks import (
    HALL,
    HEAD,
    LEADER,
    MARKET,
    OFFICER,
    POLICE,
    POLICE_OFFICER,
    SECOND_OFFICER,
    START,
    FlowSubject,
    named,
    step,
    walk,
)

EVERYWHERE = FlowSubject()


def _walked(seeds: range) -> Counter[str]:
    """What has happened in the walks, by event; a move also by its way."""
    happened: Counter[str] = Counter()
    for seed in seeds:
        flow = walk(EVERYWHERE, seed).here
        happened.update(line["event"] for line in flow["trail"])
        happened[f"{flow['status']} {flow['result']}"] += 1
        happened.update(slot["state"] for slot in flow["slots"])
        happened.update(slot["signed"]["how"] for slot in flow["slots"] if slot["signed"])
    return happened


def test_walks_break_nothing_and_go_everywhere() -> None:
    happened = _walked(range(700))
    wanted = {*workflow.EVENTS, "done approved", "done rejected", "aborted None", "void None", "suspended None"}
    wanted |= {"open", "approved", "rejected", "dropped", "skipped", "cancelled", "removed"}
    wanted |= {"self", "delegated", "acting"}
    assert not {what for what in wanted if happened[what] < 5}


@pytest.mark.full
@pytest.mark.parametrize("part", range(4))
def test_many_walks_break_nothing(part: int) -> None:
    happened = _walked(range(2_000 + part * 5_000, 2_000 + (part + 1) * 5_000))
    assert happened["flow.signed"] > 5_000


# --- mutants: a wrong rule is found by walking --------------------------------------------------------------------

Patch = Callable[[pytest.MonkeyPatch], None]


def _allow(verb: str, code: str) -> Patch:
    """The gate of a verb without one of its refusals."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        right = gates.GATES[verb]

        def wrong(view: View) -> Refusal | None:
            refusal = right(view)
            return None if refusal is not None and refusal.code == code else refusal

        monkeypatch.setitem(gates.GATES, verb, wrong)  # type: ignore[arg-type]

    return patch


def _change(event: str, wrong: Callable[[Any, Any, Any], Any]) -> Patch:
    """An event that makes something else of a flow: ``wrong(flow, body, change)``."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        right = flows._CHANGES[event]
        monkeypatch.setitem(flows._CHANGES, event, lambda flow, body: wrong(flow, body, right(flow, body)))

    return patch


def _siblings_stand(flow: Any, body: Any, change: Any) -> Any:
    if body["how"] != "return":
        return change
    was = {slot["id"]: slot for slot in flow["slots"]}
    return {**change, "slots": [was.get(slot["id"], slot) for slot in change["slots"]]}


def _passed_stays(flow: Any, body: Any, change: Any) -> Any:
    return {**change, "passed": flow["passed"]} if body["how"] == "return" else change


def _in_place(flow: Any, body: Any, change: Any) -> Any:
    for slot in flow["slots"]:
        slot["read"] = slot["read"] or {"at": body["at"], "by": body["by"]}
    return change


def _one_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    right = flows.places

    def wrong(*arguments: Any) -> Any:
        opened = right(*arguments)
        return {**opened, "groups": [{**group, "need": 1} for group in opened["groups"]]}

    monkeypatch.setattr(flows, "places", wrong)


def _other_words_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    told, said = View.told, iter(range(1_000_000))
    monkeypatch.setattr(View, "told", lambda self, text, **more: told(self, f"{text}{next(said)}", **more))


MUTANTS: dict[str, Patch] = {
    "a mandatory step may be skipped": _allow("skip", "WF-016"),
    "taken back after it was read": _allow("take_back", "WF-011"),
    "taken back by anybody": _allow("take_back", "WF-005"),
    "one's own extension agreed to": _allow("answer_extension", "WF-018"),
    "urged twice in a minute": lambda monkeypatch: monkeypatch.setattr(gates, "URGE_PAUSE", timedelta(0)),
    "acted for where it is forbidden": _allow("act_for", "WF-014"),
    "siblings not cancelled on return": _change("flow.moved", _siblings_stand),
    "returned, and still passed": _change("flow.moved", _passed_stays),
    "the state before is changed": _change("flow.read", _in_place),
    "the clock still stands after resuming": _change(
        "flow.resumed", lambda flow, body, change: {**change, "pauses": flow["pauses"]}
    ),
    "one signature is always enough": _one_is_enough,
    "co-signers are not waited for": lambda monkeypatch: monkeypatch.setattr(
        View, "free", property(lambda self: self.holds)
    ),
    "signed twice by one person": lambda monkeypatch: monkeypatch.setattr(
        View, "signed_in", lambda self, group, person: False
    ),
    "a delegation that never expires": lambda monkeypatch: monkeypatch.setattr(
        View, "_delegated_to_me", lambda self, one: one["to"]["id"] == self.actor.id
    ),
    "anything goes while suspended": lambda monkeypatch: monkeypatch.setattr(
        gates, "WHILE_SUSPENDED", frozenset(workflow.VERBS)
    ),
    "a rejection never ends": lambda monkeypatch: monkeypatch.setattr(effects, "DECIDE", "never"),
    "each side tells another story": _other_words_elsewhere,
}
MOST = 400
"""Walks that a mutant may hide from; the right rules have stood all of them, see above."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught_by_walking(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)
    assert walks.found_after(EVERYWHERE, MOST) is not None, f"{MOST} walks have not found that {name}"


def test_a_broken_walk_tells_its_seed_and_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS["a mandatory step may be skipped"](monkeypatch)
    number = walks.found_after(EVERYWHERE, MOST)
    assert number is not None
    with pytest.raises(walks.Broken, match=r"skip (.|\n)*a mandatory step has been skipped") as broken:
        walk(EVERYWHERE, number - 1)
    assert broken.value.seed == number - 1


# --- no dead end: every state of small templates, not a sample of them ---------------------------------------------

OF_MARKET = {"role": "officer", "department": ""}
SMALL = {
    "two steps, the first may be skipped": [
        step("a", "review", OF_MARKET, mandatory=False),
        step("b", "decide", {"role": "leader", "department": ""}),
    ],
    "two of a role, then one": [
        step("a", "decide", OF_MARKET, completion=2),
        step("b", "issue", {"role": "leader", "department": ""}, mandatory=False),
    ],
    "two of three decide": [
        step("a", "decide", {"persons": [named(one) for one in (OFFICER, LEADER, POLICE_OFFICER)]}, completion=2),
    ],
    "decide, then issue": [
        step("a", "decide", {"role": "leader", "department": ""}, act_for=True),
        step("b", "issue", OF_MARKET),
    ],
    "joint": [
        step("a", "review", {"role": "officer", "department": "*"}, completion="all", bound=False),
        step("b", "decide", {"role": "leader", "department": ""}),
    ],
}
PEOPLE = (OFFICER, SECOND_OFFICER, LEADER, HEAD, POLICE_OFFICER)
ONE_IS_ENOUGH = {"delegate": OFFICER, "undelegate": OFFICER, "act_for": HEAD, "suspend": HEAD}
"""Verbs that bring about the same whoever uses them: tried by one person, so that the states can be counted."""
LEFT_OUT = frozenset({"urge", "void", "extend", "answer_extension"})
"""Verbs on which no other depends."""


def _bodies(verb: str, offer: workflow.Offer, actor: Actor) -> Iterator[dict[str, Any]]:
    """A few bodies of each verb that between them bring about every sort of state."""
    choices = [value for value, _ in offer.choices]
    match verb:
        case "approve" | "reject":
            yield from ({"slot": choice, "opinion": "…"} for choice in choices)
        case "return_to":
            yield from ({"step": choice, "opinion": "…"} for choice in choices)
        case "countersign":
            yield {"persons": [named(one) for one in (HEAD, POLICE_OFFICER) if one != actor], "completion": "one"}
        case "drop_cosigner":
            yield from ({"person": choice} for choice in choices)
        case "delegate":
            yield {"to": named(HEAD), "until": "2026-11-30"}
        case "act_for":
            yield from ({"slot": choice, "person": named(SECOND_OFFICER), "basis": "…"} for choice in choices)
        case _:
            yield {"reason": "…"}


def _key(flow: workflow.Flow) -> str:
    """What of a flow decides what can come: no times, no trail, no names of slots, none that are settled history."""
    current = workflow.current(flow)
    groups = {slot["group"] for slot in current}

    def brief(slot: Any) -> tuple[Any, ...]:
        group = flows.group_of(flow, slot)
        signed, acting = slot["signed"], slot["acting"]
        return (
            json.dumps(slot["who"], sort_keys=True),
            slot["state"],
            bool(slot["read"]),
            (group["need"], group["by"] and group["by"]["id"]),
            signed and (signed["by"]["id"], signed["for"]["id"]),
            acting and (acting["by"]["id"], acting["for"]["id"]),
        )

    sent = flow["sent"]
    key = (
        flow["status"],
        flow["result"],
        flow["step"],
        sorted(flow["passed"].items()),
        sorted(repr(brief(slot)) for slot in current),
        len(groups),
        sent and (sent["by"]["id"], sorted(repr(brief(slot)) for slot in sent["slots"])),
        any(group["by"] for group in flow["groups"]),
        sorted(one["from"]["id"] for one in flow["delegations"] if one["state"] == "active"),
    )
    return repr(key)


@pytest.mark.parametrize("name", SMALL)
def test_from_every_state_a_decision_can_be_reached(name: str) -> None:
    """Without ending by force and without skipping: every verb in every state of a small template, by everybody."""
    template = {"id": "small", "name": name, "steps": SMALL[name]}
    flow = workflow.begin(template, START, department=MARKET, hall=HALL, joint=(POLICE,))
    first = _key(flow)
    states, waiting = {first: flow}, [first]
    into: dict[str, set[str]] = defaultdict(set)
    ends = set()
    while waiting:
        here = waiting.pop()
        flow = states[here]
        if flow["status"] == "done":
            ends.add(here)
        offers = [(actor, offer) for actor in PEOPLE for offer in workflow.offered(flow, actor, START)]
        usable = [(actor, offer) for actor, offer in offers if not offer.why_not]
        assert bool(usable) == (flow["status"] in ("running", "suspended"))
        for actor, offer in usable:
            if offer.verb in LEFT_OUT or ONE_IS_ENOUGH.get(offer.verb, actor) != actor:
                continue
            if offer.verb == "countersign" and any(group["by"] for group in flow["groups"]):
                continue
            for body in _bodies(offer.verb, offer, actor):
                after = _after(flow, offer.verb, body, actor)
                key = _key(after)
                if key not in states:
                    walks.judge(after)
                    states[key] = after
                    waiting.append(key)
                if offer.verb not in ("abort", "skip"):
                    into[key].add(here)
    reaching, waiting = set(ends), list(ends)
    while waiting:
        for before in into[waiting.pop()] - reaching:
            reaching.add(before)
            waiting.append(before)
    stuck = [state for state, flow in states.items() if state not in reaching and flow["status"] != "aborted"]
    assert len(states) > 50
    assert not stuck, f"{len(stuck)} of {len(states)}: {stuck[0]}"


def _after(flow: workflow.Flow, verb: str, body: dict[str, Any], actor: Actor) -> workflow.Flow:
    events = workflow.decide(flow, verb, {"visit": flow["visit"], **body}, walks.context(actor, START))
    if isinstance(events, Refusal):
        assert events.fields, f"{verb} was offered: {events}"
        return flow
    for event in events:
        flow = workflow.evolve(flow, event)
    return {**flow, "trail": []}


def test_an_unknown_event_is_a_fault_of_the_program() -> None:
    flow = workflow.begin(workflow.TEMPLATES["simple"], START, department=MARKET)
    with pytest.raises(KeyError):
        workflow.evolve(flow, Event("flow.exploded", {"at": "", "by": {}, "text": ""}))
