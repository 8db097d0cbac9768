"""Random walks over rules: whatever people try in whatever order, no invariant breaks and both sides agree.

``walk`` knows nothing of approval: a ``Subject`` starts, takes one step, and judges itself. ``FlowSubject`` walks the
approval of a template; ``fitting`` makes a body for an offered verb, for whoever wraps a flow into something larger.
A broken walk tells its seed and its steps: ``walk(subject, seed)`` walks it again.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from modules.common import workflow
from modules.common.aggregate import Context, Event
from modules.common.calendar import WorkCalendar
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.workflow import Flow, Offer, Template

S = TypeVar("S")
M = TypeVar("M")
START = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


class Subject(Protocol[S, M]):
    """What is walked over: states of type ``S``, moves of type ``M``. Broken invariants are ``AssertionError``."""

    def start(self, chance: random.Random) -> S:
        """A fresh state."""
        ...

    def move(self, state: S, chance: random.Random) -> M:
        """What somebody tries next; it may well be something that is refused."""
        ...

    def take(self, state: S, move: M) -> S:
        """The state after the attempt, judged."""
        ...

    def end(self, state: S) -> None:
        """A last judgement of the state in which the walk has stopped."""
        ...


class Broken(AssertionError):
    """A walk that has broken an invariant: which seed, after which moves, and how."""

    def __init__(self, seed: int, moves: Sequence[Any], cause: BaseException) -> None:
        lines = "\n  ".join(map(str, moves))
        super().__init__(f"walk {seed}:\n  {lines}\n{type(cause).__name__}: {cause}")
        self.seed = seed


def walk(subject: Subject[S, Any], seed: int, longest: int = 30) -> S:
    """One walk, the same for the same seed. Raises ``Broken``, also for an error that a rule has raised."""
    chance = random.Random(seed)
    moves: list[Any] = []
    try:
        state = subject.start(chance)
        for _ in range(chance.randint(1, longest)):
            moves.append(subject.move(state, chance))
            state = subject.take(state, moves[-1])
        subject.end(state)
    except (AssertionError, LookupError, ValueError, TypeError, AttributeError) as cause:
        raise Broken(seed, moves, cause) from cause
    return state


def found_after(subject: Subject[Any, Any], most: int, longest: int = 30) -> int | None:
    """The number of walks until one breaks, None when ``most`` do not: what a mutant is caught with."""
    for seed in range(most):
        try:
            walk(subject, seed, longest)
        except Broken:
            return seed + 1
    return None


# --- approval -----------------------------------------------------------------------------------------------------

MARKET = {"id": "dept-market", "name": "市场监督管理局"}
POLICE = {"id": "dept-police", "name": "公安局"}
HEALTH = {"id": "dept-health", "name": "卫生健康委员会"}
HALL = {"id": "hall-1", "name": "示范市政务服务中心"}


def person(id: str, name: str, role: str, department: str = "", hall: str = "") -> Actor:
    """Somebody with one role."""
    return Actor(id, id, name, hall, department, frozenset({role}))


OFFICER = person("wangwu", "王五", "officer", "dept-market")
SECOND_OFFICER = person("qianer", "钱二", "officer", "dept-market")
HEAD = person("hexin", "何新", "section_head", "dept-market")
LEADER = person("liming", "李明", "leader", "dept-market")
POLICE_OFFICER = person("zhouba", "周八", "officer", "dept-police")
HEALTH_OFFICER = person("wujiu", "吴九", "officer", "dept-health")
CLERK = person("zhangsan", "张三", "clerk", hall="hall-1")
MANAGER = person("sunqi", "孙七", "manager", hall="hall-1")
OUTSIDER = person("zhaoliu", "赵六", "leader", "dept-social")
CAST = (OFFICER, SECOND_OFFICER, HEAD, LEADER, POLICE_OFFICER, HEALTH_OFFICER, CLERK, MANAGER, OUTSIDER)


def named(actor: Actor) -> dict[str, str]:
    """A person as bodies and templates name him."""
    return {"id": actor.id, "name": actor.name}


def step(id: str, kind: str, by: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A step of a template, named by its id."""
    return {"id": id, "name": id, "kind": kind, "by": by, **more}


OF_MARKET = {"role": "officer", "department": ""}
THREE = {"persons": [named(OFFICER), named(HEAD), named(POLICE_OFFICER)]}
TEMPLATES: Mapping[str, Template] = {
    **workflow.TEMPLATES,
    "two of a role": {
        "id": "two",
        "name": "two of a role",
        "steps": [
            step("both", "review", OF_MARKET, completion=2, act_for=True),
            step("chief", "decide", {"role": "leader", "department": ""}, act_for=True),
        ],
    },
    "two of three": {
        "id": "k",
        "name": "two of three",
        "steps": [
            step("hear", "review", THREE, completion="all", mandatory=False),
            step("vote", "decide", THREE, completion=2),
            step("again", "decide", {"role": "leader", "department": "dept-market"}, mandatory=False),
            step("hand out", "issue", {"role": "clerk", "hall": ""}, mandatory=False),
        ],
    },
    "special procedure": {
        "id": "special",
        "name": "special procedure",
        "steps": [
            step("experts", "review", THREE, completion="one", bound=False, act_for=True),
            step("more experts", "review", OF_MARKET, bound=False, mandatory=False),
            step("decide", "decide", {"role": "section_head", "department": ""}),
        ],
    },
}


@dataclass(frozen=True)
class Move:
    """Somebody tries a verb at a moment."""

    now: datetime
    actor: Actor
    verb: str
    body: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.now:%m-%d %H:%M:%S} {self.actor.name} {self.verb} {self.body}"


@dataclass(frozen=True)
class Standing(Generic[S]):
    """Where a walk stands: the state on one side, the same on the other, and the time."""

    here: S
    there: S
    now: datetime


def context(actor: Actor, now: datetime) -> Context:
    """What a flow's rules may know; they ask nothing of the calendar."""
    return Context(now=now, actor=actor, calendar=WorkCalendar({}))


def wire(value: Any) -> Any:
    """A value as it arrives on the other side."""
    return json.loads(json.dumps(value, ensure_ascii=False))


def fitting(
    chance: random.Random, flow: Flow, offer: Offer, now: datetime, cast: Sequence[Actor] = CAST
) -> dict[str, Any]:
    """A body that an offered verb may well accept: the choices offered, somebody of the cast, a text."""
    body: dict[str, Any] = {"visit": flow["visit"]}
    choice = chance.choice(offer.choices)[0] if offer.choices else None
    if offer.verb in ("approve", "reject", "act_for") and choice is not None:
        body["slot"] = choice
    match offer.verb:
        case "approve":
            body["opinion"] = chance.choice(("", "材料齐全"))
        case "reject":
            body["opinion"] = "不符合条件"
        case "return_to":
            body |= {"step": choice, "opinion": "请补充"}
        case "countersign":
            persons = chance.sample(list(cast), chance.randint(1, 3))
            body["persons"] = [named(one) for one in persons]
            body["completion"] = chance.choice(("all", "one", chance.randint(1, len(persons))))
        case "drop_cosigner":
            body["person"] = choice
        case "delegate":
            until = now + timedelta(days=chance.choice((0, 1, 30)), hours=8)
            body |= {"to": named(chance.choice(cast)), "until": until.date().isoformat()}
        case "act_for":
            body |= {"person": named(chance.choice(cast)), "basis": "电话请示，本人同意"}
        case "extend":
            body |= {"days": chance.randint(1, 20), "reason": "需专家论证"}
        case "answer_extension":
            body |= {"agree": chance.random() < 0.5, "opinion": "知悉"}
        case "skip" | "suspend" | "abort" | "void":
            body["reason"] = "外出"
        case "urge":
            body["text"] = "请尽快"
    return body


RARE = {"abort": 0.05, "void": 0.05, "urge": 0.1, "suspend": 0.2, "extend": 0.3, "delegate": 0.4, "reject": 0.5}


class FlowSubject:
    """The approval of one template, or of any of several, walked by a cast on two sides at once."""

    def __init__(self, templates: Sequence[Template] = tuple(TEMPLATES.values()), cast: Sequence[Actor] = CAST) -> None:
        self.templates = templates
        self.cast = cast

    def start(self, chance: random.Random) -> Standing[Flow]:
        joint = chance.choice(((), (POLICE,), (POLICE, HEALTH)))
        flow = workflow.begin(chance.choice(self.templates), START, department=MARKET, hall=HALL, joint=joint)
        judge(flow)
        return Standing(flow, wire(flow), START)

    def move(self, state: Standing[Flow], chance: random.Random) -> Move:
        now = state.now + timedelta(seconds=chance.choice((0, 20, 59, 60, 3600, 86_400, 500_000)))
        actors = chance.sample(list(self.cast), 3)
        for actor in actors:
            usable = [offer for offer in workflow.offered(state.here, actor, now) if not offer.why_not]
            likely = sum(RARE.get(offer.verb, 1.0) for offer in usable)
            if chance.random() >= min(0.95, likely):
                continue
            # what is offered to most people most of the time is rarely taken, so that walks go far
            weights = [RARE.get(offer.verb, 1.0) for offer in usable]
            offer = chance.choices(usable, weights)[0]
            return Move(now, actor, offer.verb, fitting(chance, state.here, offer, now, self.cast))
        verb = chance.choice(workflow.VERBS)
        body = fitting(chance, state.here, Offer(verb, verb), now, self.cast)
        if chance.random() < 0.3:
            body["visit"] = chance.choice((None, "1", True, 0, state.here["visit"] - 1))
        if chance.random() < 0.3 and len(body) > 1:
            body[chance.choice(list(body))] = chance.choice((None, "", 0, -1, [], {}, "x" * 501, ["a"], {"id": 1}))
        return Move(now, actors[0], verb, body)

    def take(self, state: Standing[Flow], move: Move) -> Standing[Flow]:
        """Somebody tries something on both sides, judged: both sides after it."""
        now, actor, verb, body = move.now, move.actor, move.verb, move.body
        before, kept = state.here, state.there
        outcome = workflow.decide(before, verb, body, context(actor, now))
        offer = next((one for one in workflow.offered(before, actor, now) if one.verb == verb), None)
        assert before == kept, "decide or offered has changed the state"
        elsewhere = workflow.decide(kept, verb, wire(body), context(actor, now))
        if isinstance(outcome, Refusal):
            assert outcome == elsewhere
            assert outcome.message
            about_body = bool(outcome.fields) or outcome.code in ("WF-006", "WF-007")
            assert about_body or offer is None or offer.why_not == outcome.message, "offered, and refused nevertheless"
            return Standing(state.here, state.there, now)
        assert offer is not None, "not offered, and taken nevertheless"
        assert not offer.why_not, "not offered, and taken nevertheless"
        assert not isinstance(elsewhere, Refusal)
        assert outcome, "no effect"
        after, there = before, kept
        for event in outcome:
            after = workflow.evolve(after, event)
        assert before == kept, "evolve has changed the state before"
        for event, same in zip(outcome, elsewhere, strict=True):
            sent = Event(same.type, wire(same.body))
            assert sent == event, "an event is another elsewhere, or does not survive the wire"
            there = workflow.evolve(there, sent)
        assert after == there, "the two sides differ"
        judge(after)
        judge_change(before, verb, actor, body, outcome, after, now)
        return Standing(after, there, now)

    def end(self, state: Standing[Flow]) -> None:
        """Wherever a walk stops, somebody can lead it to a decision, with neither end by force nor skipping."""
        now, flow = state.now, state.here
        for _ in range(200):
            if flow["status"] in ENDED:
                return
            now += timedelta(minutes=2)
            flow = self._onward(flow, now)
        raise AssertionError(f"no way to an end: {flow['status']} at {flow['step']}, {workflow.holders(flow)}")

    def _onward(self, flow: Flow, now: datetime) -> Flow:
        for verb in ("resume", "approve"):
            for actor in self.cast:
                offer = next((one for one in workflow.offered(flow, actor, now) if one.verb == verb), None)
                if offer is not None and not offer.why_not:
                    events = workflow.decide(flow, verb, {"visit": flow["visit"]}, context(actor, now))
                    assert not isinstance(events, Refusal)
                    for event in events:
                        flow = workflow.evolve(flow, event)
                    judge(flow)
                    return flow
        raise AssertionError(f"a dead end: {flow['status']} at {flow['step']}, {workflow.holders(flow)}")


# --- the judges: written from the table of verbs, not from the code ------------------------------------------------

ENDED = ("done", "aborted", "void")
VOTES = ("approved", "rejected")


def judge(flow: Flow) -> None:
    """What is true of every flow at every moment."""
    status = flow["status"]
    assert status in workflow.STATUSES
    assert (flow["ended"] is not None) == (status in ENDED)
    assert (flow["suspended"] is not None) == (status == "suspended")
    steps = [one["id"] for one in flow["template"]["steps"]]
    by_id = {one["id"]: one for one in flow["template"]["steps"]}
    here = steps.index(flow["step"])
    waiting = [slot for slot in flow["slots"] if slot["state"] == "open"]
    assert all((slot["step"], slot["round"]) == (flow["step"], flow["round"]) for slot in waiting), "open elsewhere"
    assert bool(waiting) == (status not in ENDED), "nobody to wait for, or somebody after the end"
    assert len({slot["id"] for slot in flow["slots"]}) == len(flow["slots"])
    assert all(done in flow["passed"] for done in steps[:here]), "a step has been jumped"
    signatures = set()
    for slot in flow["slots"]:
        signed = slot["signed"]
        assert (slot["state"] in VOTES) == (signed is not None)
        if signed:
            assert signed["vote"] == slot["state"]
            assert slot["read"], "signed unread"
            assert (slot["group"], signed["for"]["id"]) not in signatures, "signed twice"
            signatures.add((slot["group"], signed["for"]["id"]))
            assert (signed["how"] == "self") == (signed["by"]["id"] == signed["for"]["id"])
        if slot["acting"]:
            assert by_id[slot["step"]]["act_for"], "acted for where it is not allowed"
            assert slot["acting"]["by"]["id"] != slot["acting"]["for"]["id"], "acted for himself"
            assert slot["acting"]["basis"]
    assert not any(by_id[id]["mandatory"] for id, how in flow["passed"].items() if how == "skipped"), (
        "a mandatory step has been skipped"
    )
    own = {group["id"]: group["need"] for group in flow["groups"] if group["by"] is None}
    if status == "done":
        assert flow["result"] in VOTES
        last_votes = votes(flow, flow["step"], own)
        if flow["result"] == "rejected":
            assert by_id[flow["step"]]["kind"] == "decide"
            assert "rejected" in last_votes
        else:
            for id in steps:
                if by_id[id]["mandatory"]:
                    assert enough(by_id[id], votes(flow, id, own), own, flow), f"{id} is mandatory and was not passed"
    elif flow["result"] is not None:
        assert status != "aborted"
        assert flow["result"] == "approved"
        assert all(by_id[id]["kind"] != "decide" for id in steps[here:])
    running = [pause for pause in flow["pauses"] if pause["to"] is None]
    wanted = ["suspended"] * (status == "suspended") + ["special"] * (not by_id[flow["step"]]["bound"])
    assert sorted(pause["why"] for pause in running) == sorted(wanted if status not in ENDED else []), "the clock"
    spans = workflow.pauses(flow)
    assert all(end is None or start <= end for start, end in spans)
    assert all(one[1] is not None and one[1] < two[0] for one, two in itertools.pairwise(spans))
    assert flow["extension"] is None or status not in ENDED


def votes(flow: Flow, step: str, own: Mapping[str, int]) -> list[str]:
    """The signatures of a step's own people in the last round in which it was not broken off."""
    mine = [slot for slot in flow["slots"] if slot["step"] == step and slot["group"] in own]
    last = max((slot["round"] for slot in mine), default=0)
    return [slot["state"] for slot in mine if slot["round"] == last and slot["state"] in VOTES]


def enough(step: Mapping[str, Any], given: Sequence[str], own: Mapping[str, int], flow: Flow) -> bool:
    """Whether signatures pass a step, by the template's words alone."""
    counted = [vote for vote in given if vote == "approved" or step["kind"] != "decide"]
    by, completion = step["by"], step["completion"]
    people = len(by["persons"]) if "persons" in by else len(flow["joint"]) if by.get("department") == "*" else 1
    return len(counted) >= (people if completion == "all" else 1 if completion == "one" else completion)


def judge_change(
    before: Flow, verb: str, actor: Actor, body: Mapping[str, Any], events: Sequence[Event], after: Flow, now: datetime
) -> None:
    """What is true of every change, by its verb."""
    assert before["status"] not in ENDED, "something has changed after the end"
    if before["status"] == "suspended":
        assert verb in ("resume", "abort", "void", "urge"), f"{verb} while suspended"
    assert after["trail"][: len(before["trail"])] == before["trail"], "the trail has been rewritten"
    assert len(after["trail"]) == len(before["trail"]) + len(events)
    assert [slot["id"] for slot in after["slots"]][: len(before["slots"])] == [slot["id"] for slot in before["slots"]]
    assert all(line["by"] == named(actor) and line["text"] for line in after["trail"][len(before["trail"]) :])
    steps = [one["id"] for one in before["template"]["steps"]]
    by_id = {one["id"]: one for one in before["template"]["steps"]}
    then, now_at = steps.index(before["step"]), steps.index(after["step"])
    waiting = [slot for slot in before["slots"] if slot["state"] == "open"]
    fate = {slot["id"]: slot["state"] for slot in after["slots"]}
    asked = {group["id"]: group["by"] for group in before["groups"]}
    if verb == "return_to":
        assert now_at < then
        assert after["step"] == body["step"]
        assert after["round"] == before["round"] + 1
        assert not set(steps[now_at:]) & set(after["passed"]), "passed although to be passed again"
        assert all(fate[slot["id"]] == "cancelled" for slot in waiting), "a sibling still stands"
    elif verb == "take_back":
        assert now_at == then - 1
        assert before["sent"]["by"]["id"] == actor.id
        assert not any(slot["read"] for slot in waiting), "taken back after it was read"
        assert all(fate[slot["id"]] == "cancelled" for slot in waiting)
    elif verb == "skip":
        assert not by_id[before["step"]]["mandatory"], "a mandatory step has been skipped"
        assert all(fate[slot["id"]] == "skipped" for slot in waiting)
    elif verb in VOTE_OF:
        _judge_signature(before, actor, after, asked, now)
    elif verb not in ("abort", "void"):
        assert (after["step"], after["round"], after["visit"]) == (before["step"], before["round"], before["visit"])
    if verb in ("return_to", "take_back", "skip") or after["step"] != before["step"]:
        assert after["visit"] == before["visit"] + 1 or after["status"] == "done"
    if verb in ("abort", "void"):
        assert after["ended"]["reason"]
        assert after["status"] == {"abort": "aborted"}.get(verb, verb)
        assert all(fate[slot["id"]] == "cancelled" for slot in waiting)
    else:
        assert after["status"] not in ("aborted", "void")
    grown = after["extended_days"] - before["extended_days"]
    agreed = verb == "answer_extension" and body["agree"]
    assert grown == (before["extension"]["days"] if agreed else 0)
    if verb == "answer_extension":
        assert before["extension"]["by"]["id"] != actor.id, "his own request"
    if verb == "urge":
        mine = [
            line["at"] for line in before["trail"] if line["event"] == "flow.urged" and line["by"]["id"] == actor.id
        ]
        assert all((now - datetime.fromisoformat(at)).total_seconds() >= 60 for at in mine), "urged twice in a minute"
    if verb == "drop_cosigner":
        gone = [slot for slot in before["slots"] if slot["state"] == "open" and fate[slot["id"]] == "removed"]
        assert len(gone) == 1
        assert asked[gone[0]["group"]], "one of the step's own people has been dropped"
        assert not gone[0]["read"] or actor.roles & {"section_head", "leader"}


VOTE_OF = {"approve": "approved", "reject": "rejected"}


def _judge_signature(before: Flow, actor: Actor, after: Flow, asked: Mapping[str, Any], now: datetime) -> None:
    past = {slot["id"]: slot for slot in before["slots"]}
    new = [slot for slot in after["slots"] if slot["signed"] and not past.get(slot["id"], slot)["signed"]]
    assert len(new) == 1
    slot, signed, who = new[0], new[0]["signed"], new[0]["who"]
    today = (now + timedelta(hours=8)).date().isoformat()
    if signed["how"] == "self":
        right = who["person"]["id"] == actor.id if "person" in who else who["role"] in actor.roles
        assert right, "signed by somebody else"
    elif signed["how"] == "delegated":
        given = [one for one in before["delegations"] if one["from"]["id"] == signed["for"]["id"]]
        assert any(
            one["to"]["id"] == actor.id and one["state"] == "active" and one["since"] <= today <= one["until"]
            for one in given
        ), "no delegation, or one that has expired"
    else:
        assert past[slot["id"]]["acting"]["by"]["id"] == actor.id
    if asked[slot["group"]] is None:
        for group in before["groups"]:
            if group["by"]:
                mates = [one for one in workflow.current(before) if one["group"] == group["id"]]
                assert sum(one["state"] in VOTES for one in mates) >= group["need"] or not mates, (
                    "co-signers passed over"
                )
