"""Random walks over all commands of a case: a counter that may lag behind, a server, and what must always be true."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from modules.acceptance.domain.cases import (
    ABORTED,
    ACCEPTED,
    BEFORE,
    CASE,
    CLOSED,
    COMMANDS,
    CORRECTING,
    DECIDED,
    DECLINED,
    ISSUED,
    OVER,
    RUNNING,
    STATES,
    SUSPENDED,
    VOIDED,
    WITHDRAWN,
    Offer,
    offered,
    open_gaps,
)
from modules.common import deadlines, workflow
from modules.common.aggregate import Command, Context, Doc, Key, Number, apply
from modules.common.calendar import WorkCalendar
from modules.common.errors import Refusal
from modules.common.manifest import permissions_of
from modules.common.permissions import SYSTEM, Actor
from modules.common.workflow import flow as flows
from tests.support import walks
from tests.support.fake_host import filled, item
from tests.support.walks import START, fitting, wire

CAST = tuple(replace(actor, permissions=permissions_of(actor.roles)) for actor in walks.CAST)
EVERYBODY = (*CAST, SYSTEM)
CASE_ID = "0199f2a4-0000-7000-8000-0000000000aa"
CALENDARS = (WorkCalendar(), WorkCalendar({date(2026, 11, 24): False, date(2026, 11, 28): True}))
DEPARTMENTS = {
    "dept-market": "市场监督管理局",
    "dept-police": "公安局",
    "dept-health": "卫生健康委员会",
}
CONSEQUENCES = (
    "逾期未补的，暂停办理。",
    "逾期未补的，终止办理。",
    "逾期未补的，作出不予许可的决定。",
    "逾期未补的，暂缓发放。",
)
NONSENSE = (None, "", 0, -1, [], {}, "长" * 600, ["a"], {"id": 1}, True)
WHO_OR_WHEN = {"AUTH-403", "ACC-001", "ACC-003", "ACC-004", "ACC-006", "ACC-010", "ACC-012", "ACC-049"}
"""Refusals for who gives a command or in which state: never after an offer."""


def items(chance: random.Random) -> dict[str, Any]:
    """An item of any template, kind and form of application, with something that may be lacking."""
    doc = item()
    doc["template"] = chance.choice([None, *walks.TEMPLATES.values()])
    doc["joint_departments"] = chance.choice(([], ["dept-police"], ["dept-police", "dept-health"]))
    doc["kind"] = chance.choice(("即办件", "承诺件", "联办件"))
    doc["promised_days"] = chance.choice((0, 1, 3, 10))
    form, visits = chance.choice((("原件预审", 2), ("原件预审", 1), ("原件核验", 1), ("全程网办", 0), ("", None)))
    doc |= {"form_of_application": form, "visits": visits} if form else {}
    if chance.random() < 0.3:
        doc["green"] = {"enabled": True, "promised_days": min(doc["promised_days"], 2)}
    for material in doc["materials"][1:3]:
        consequence = chance.choice(CONSEQUENCES)
        material |= {"may_lack": True, "lack_days": chance.choice((1, 3)), "lack_consequence": consequence}
    return doc


@dataclass(frozen=True)
class Both:
    """The counter's view and the server's state of one case, the item, the time and the office's calendar."""

    here: Doc | None
    there: Doc | None
    item: dict[str, Any]
    now: datetime
    calendar: WorkCalendar
    serial: int = 1


@dataclass(frozen=True)
class Move:
    """Somebody tries something. ``offered``: the counter offered it; ``synced``: the counter hears what came of it."""

    now: datetime
    calendar: WorkCalendar
    actor: Actor
    type: str
    body: dict[str, Any]
    offered: bool
    synced: bool

    def __str__(self) -> str:
        return f"{self.now:%m-%d %H:%M} {self.actor.name} {self.type} {str(self.body)[:150]}"


class CaseSubject:
    """Anybody tries anything on a case, at a counter whose view may be old; the server judges anew."""

    def start(self, chance: random.Random) -> Both:
        return Both(None, None, items(chance), START, CALENDARS[0])

    def move(self, state: Both, chance: random.Random) -> Move:
        now = state.now + timedelta(seconds=chance.choice((0, 30, 61, 3600, 86_400, 200_000)))
        calendar = chance.choice(CALENDARS) if chance.random() < 0.03 else state.calendar
        actor, type, body, offered = self._attempt(replace(state, now=now, calendar=calendar), chance)
        return Move(now, calendar, actor, type, body, offered, synced=chance.random() < 0.9)

    def end(self, state: Both) -> None:
        case = state.there
        if case is None or case["state"] in OVER:
            return
        ways = [offer for actor in CAST for offer in self._offers(state, case, actor) if not offer.why_not]
        moving = {"case.scan", "case.hand_over", "case.take_over", "case.rate", "case.urge", "case.read"}
        assert any(offer.command not in moving for offer in ways), f"a dead end: {case['state']}"

    def _offers(self, state: Both, case: Doc, actor: Actor) -> list[Offer]:
        return offered(case, Context(state.now, actor, state.calendar, "3号窗"))

    def _attempt(self, state: Both, chance: random.Random) -> tuple[Actor, str, dict[str, Any], bool]:
        actor = chance.choice(EVERYBODY)
        here = state.here
        if here is None:
            type = chance.choice(("case.accept", "case.accept", "case.accept", "case.apply", "case.correct"))
            if chance.random() < 0.1:
                type = chance.choice(COMMANDS)
            if chance.random() < 0.8:
                actor = SYSTEM if type == "case.apply" else next(one for one in CAST if one.hall_id)
            return actor, type, self._body(state, type, chance), False
        if chance.random() < 0.15:
            return SYSTEM, chance.choice(("case.card", "case.recount", "case.lapse")), self._card(chance), False
        usable = [offer for offer in self._offers(state, here, actor) if not offer.why_not]
        # what is offered to most people most of the time is rarely taken, so that walks go far
        if chance.random() < min(0.9, sum(RARE.get(offer.command, 1.0) for offer in usable)):
            weights = [RARE.get(offer.command, 1.0) for offer in usable]
            offer = chance.choices(usable, weights)[0]
            return actor, offer.command, self._body(state, offer.command, chance, offer), True
        type = chance.choices(COMMANDS, [RARE.get(type, 1.0) for type in COMMANDS])[0]
        body = self._body(state, type, chance)
        if body and chance.random() < 0.4:
            body[chance.choice(list(body))] = chance.choice(
                (None, "", 0, -1, [], {}, "长" * 600, ["a"], {"id": 1}, True)
            )
        return actor, type, body, False

    def _card(self, chance: random.Random) -> dict[str, Any]:
        return {"level": chance.choice(("reminder", "yellow", "red")), "to": []}

    def _body(self, state: Both, type: str, chance: random.Random, offer: Offer | None = None) -> dict[str, Any]:
        case, verb = state.here, type.removeprefix("case.")
        if verb in workflow.VERBS:
            if case and case.get("flow"):
                known = offer or Offer(type, verb)
                return fitting(chance, case["flow"], workflow.Offer(verb, verb, "", known.choices), state.now, CAST)
            return {"reason": "误录入"}
        whole = filled(state.item)
        may_lack = [material["id"] for material in state.item["materials"] if material.get("may_lack")]
        lacking = [id for id in may_lack if chance.random() < 0.3]
        kept = [entry for entry in whole["materials"] if entry["id"] not in lacking]
        entry = {"pages": 1, "kind": "paper", "received": True}
        gaps = [gap["id"] for gap in open_gaps(case)] if case else []
        held = [material["id"] for material in case["materials"]] if case else []
        lists = [entry["id"] for entry in case["handovers"] if not entry["received_at"]] if case else []
        who = case["applicant"]["id_number"] if case else ""
        names = [{"id": id, "name": name} for id, name in DEPARTMENTS.items()]
        bodies: Mapping[str, Any] = {
            "apply": {**whole, "hall_id": "hall-1"},
            "invite": {"text": "请带原件"},
            "accept": {**whole, "materials": kept, "lacking": lacking, "joint": names},
            "correct": {**whole, "items": [{"about": "全部材料", "text": "请补齐"}]},
            "ask_more": {**whole, "items": [{"about": "申请表", "text": "请签字"}]},
            "supply": whole if chance.random() < 0.5 else {"item_id": state.item["id"]},
            "decline": {**whole, "ground": "《行政许可法》第三十二条", "text": "不属于本机关职权范围"},
            "supply_lacking": {"materials": [{"id": id, **entry} for id in gaps[: chance.randint(1, 2)]]},
            "scan": {"node": chance.choice(("intake", "handling", "closing"))},
            "hand_over": {"to": chance.choice(("department", "hall")), "materials": held[: chance.randint(1, 3)]},
            "take_over": {"id": lists[0] if lists else ""},
            "transfer": {"department_id": chance.choice(list(DEPARTMENTS)), "reason": "职责调整"},
            "decide": {
                "result": chance.choice(("approved", "rejected")),
                "opinion": "意见",
                **({"visit": case["flow"]["visit"]} if case and case.get("flow") else {}),
            },
            "issue": {"kind": "营业执照", "number": "9134"},
            "collect": chance.choice(
                (
                    {"method": "window", "by": "李晓明", "id_number": who},
                    {"method": "agent", "by": "王代", "id_number": "341103199005120015"},
                    {"method": "post", "by": "李晓明", "tracking": "EA123456789CN"},
                )
            ),
            "rate": chance.choice(({"stars": 5}, {"stars": 1, "reasons": ["等候时间长"]}, {"stars": 2})),
            "print": {"kind": chance.choice(("receipt", "correction", "collection")), "reason": "遗失"},
            "withdraw": {"reason": "不办了"},
            "card": self._card(chance),
        }
        return dict(wire(bodies.get(verb, {})))

    def take(self, state: Both, move: Move) -> Both:
        """The counter decides on what it knows, the server on what is so; they agree where they know the same."""
        state = replace(state, now=move.now, calendar=move.calendar)
        number = Number("3411A", state.serial) if move.type == "case.accept" else None
        command = Command(f"c{state.serial}", "case", CASE_ID, move.type, move.body, number=number)
        context = Context(state.now, move.actor, state.calendar, "3号窗", self._refs(state, command))
        kept = json.dumps(state.here)
        here = apply(CASE, state.here, command, context)
        if isinstance(here, Refusal):
            assert here.code, "a refusal without a code"
            assert here.message, "a refusal without words"
            assert "{" not in here.message, "a refusal half said"
            assert not (move.offered and here.code in WHO_OR_WHEN), f"offered, then refused: {here}"
        there = apply(CASE, state.there, replace(command, body=wire(command.body)), context)
        assert kept == json.dumps(state.here), "a document was changed in place"
        if state.here == state.there:
            assert outcome_of(here) == outcome_of(there), "the counter and the server disagree"
        after = state.there
        if not isinstance(there, Refusal):
            after = wire(there[0])
            assert after == there[0], "a case is JSON"
            judge_step(state.there, there[0], move.type, move.actor)
            judge(there[0], context)
        here_after = after if move.synced or state.here is None else state.here
        return replace(state, here=here_after, there=after, serial=state.serial + 1)

    def _refs(self, state: Both, command: Command) -> dict[Key, Doc]:
        known: dict[Key, Doc] = {("service_item", state.item["id"]): state.item}
        for id, name in DEPARTMENTS.items():
            known["organisation", id] = {"id": id, "name": name, "kind": "department"}
        return {key: known[key] for key in CASE.refs(command) if key in known}


RARE = {
    "case.void": 0.02,
    "case.abort": 0.02,
    "case.withdraw": 0.03,
    "case.decline": 0.05,
    "case.correct": 0.3,
    "case.transfer": 0.1,
    "case.urge": 0.1,
    "case.suspend": 0.2,
    "case.scan": 0.2,
    "case.rate": 0.3,
    "case.delegate": 0.2,
    "case.countersign": 0.3,
    "case.extend": 0.3,
    "case.reject": 0.5,
}


def outcome_of(outcome: Any) -> Any:
    """What has come of a command, for comparison."""
    return outcome if isinstance(outcome, Refusal) else outcome[0]


ENDED = {ABORTED, VOIDED, WITHDRAWN}


def judge(case: Doc, context: Context) -> None:
    """What is true of every case."""
    state, flow = case["state"], case["flow"]
    assert state in STATES
    accepted = bool(case["accepted_at"])
    assert accepted == bool(case["number"]) == bool(case["due"]) == bool(case["term"]) == bool(flow)
    assert state in ((*RUNNING, ISSUED, CLOSED, *ENDED) if accepted else (*BEFORE, DECLINED, *ENDED))
    assert (state == CORRECTING) <= bool(case["correction"] and not case["correction"]["answered_at"])
    assert (state == DECLINED) == bool(case["decline"])
    assert (state in (DECIDED, ISSUED, CLOSED)) <= bool(case["decision"])
    assert (state == ACCEPTED) <= (case["decision"] is None)
    assert bool(case["result"]) == (state == ISSUED or bool(case["collected"]))
    assert bool(case["collected"]) <= (state == CLOSED)
    assert (state == CLOSED) == bool(case["closed_at"])
    assert bool(case["ended_on"]) == (state in (*OVER, ISSUED)), "the end of the term"
    if state in (ISSUED, CLOSED) and case["decision"]["result"] == "approved":
        assert not open_gaps(case), "a result went out although something is lacking"
    if case["decision"] and flow:
        assert flow["result"] == case["decision"]["result"]
    levels = [(card["level"], card["due"]) for card in case["cards"]]
    assert len(set(levels)) == len(levels), "a card twice"
    nodes = [scan["node"] for scan in case["scans"]]
    assert len(set(nodes)) == len(nodes)
    waiting = [id for entry in case["handovers"] if not entry["received_at"] for id in entry["materials"]]
    assert len(set(waiting)) == len(waiting), "one paper on two ways"
    for kind in {paper["kind"] for paper in case["papers"]}:
        again = [paper for paper in case["papers"] if paper["kind"] == kind][1:]
        assert all(paper.get("reason") for paper in again), "printed again without a reason"
    assert CASE.scopes(case) >= {"hall:hall-1", f"dept:{case['item']['department_id']}"}
    summary = CASE.summary(case)
    assert summary.state == state
    assert case["applicant"]["name"] in summary.search
    if flow:
        judge_term(case, context)


def judge_term(case: Doc, context: Context) -> None:
    """The clock stands exactly while the approval does, and is due when the term says."""
    flow, state = case["flow"], case["state"]
    wanted = {"running": (ACCEPTED, DECIDED, ISSUED), "suspended": (SUSPENDED,), "void": (VOIDED,)}
    wanted |= {"done": (DECIDED, ISSUED, CLOSED), "aborted": (ABORTED, WITHDRAWN)}
    assert state in wanted[flow["status"]], (state, flow["status"])
    term = deadlines.Term.from_doc(case["term"])
    assert list(term.pauses) == flows.pauses(flow)
    assert term.extension == flow["extended_days"]
    due = deadlines.due(term, context.calendar)
    if due and case["history"][-1]["event"] in ("case.accepted", "case.resumed", "case.extension_answered"):
        assert case["due"] == {"date": due.date.isoformat(), "provisional": due.provisional}
    open_pause = any(until is None for _, until in term.pauses)
    special = flow["status"] == "running" and not flows.step_of(flow)["bound"]
    assert open_pause == (state == SUSPENDED or special), "the clock"


AFTER_THE_END = ("case.rate", "case.print", "case.scan", "case.hand_over", "case.take_over")


def judge_step(before: Doc | None, after: Doc, type: str, actor: Actor) -> None:
    """What is true of every change."""
    assert len(after["history"]) == len(before["history"] if before else ()) + 1
    line = after["history"][-1]
    assert line["by"] == {"id": actor.id, "name": actor.name}
    assert line["text"]
    if before is None:
        assert type in ("case.accept", "case.apply", "case.correct", "case.decline")
        return
    assert after["history"][:-1] == before["history"], "the history has been rewritten"
    assert before["state"] not in OVER or type in (
        "case.rate",
        "case.print",
        "case.scan",
        "case.hand_over",
        "case.take_over",
    )
    if before["number"]:
        assert after["number"] == before["number"]
        assert after["accepted_at"] == before["accepted_at"]
        assert after["item"]["version"] == before["item"]["version"], "a case keeps the version it was accepted under"
        assert after["term"]["start"] == before["term"]["start"]
    if before["correction"]:
        assert {**after["correction"], "answered_at": None} == {**before["correction"], "answered_at": None}, (
            "told twice"
        )
    if before["rating"]:
        assert after["rating"] == before["rating"], "rated twice"
    for key in ("cards", "papers", "transfers", "urges", "invitations"):
        assert after[key][: len(before[key])] == before[key], f"{key} rewritten"
    if type in ("case.card", "case.recount", "case.lapse"):
        assert actor.may("system")
    if type == "case.supply_lacking":
        assert len(open_gaps(after)) < len(open_gaps(before))
