"""Approval against a second, independent telling of its rules: objects and sets instead of ledgers and events."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from modules.common import workflow
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.workflow import gates
from modules.common.workflow.view import View
from tests.support import walks
from tests.support.walks import CAST, HALL, HEALTH, MARKET, POLICE, START

ACTORS = {actor.id: actor for actor in CAST}
HEADS = {"section_head", "leader"}


class Seat:
    """A place to sign: for one person, or for anybody whose badge is ``badge``."""

    def __init__(self, person: str = "", badge: tuple[str, str] = ("", "")) -> None:
        self.person = person
        self.badge = badge
        self.asker = ""
        self.touched = False
        self.vote = ""
        self.voter = ""
        self.stand_in: tuple[str, str] | None = None
        self.hand = ("", False)
        """Who signed, and whether in another's place."""

    def is_for(self, id: str) -> bool:
        actor = ACTORS[id]
        badges = {(role, place) for role in actor.roles for place in (actor.department_id, actor.hall_id) if place}
        return id == self.person if self.person else self.badge in badges

    @property
    def word(self) -> str:
        return self.person or "/".join(self.badge)


class Table:
    """One stay at a step: its own seats, and beside them the parties of co-signers with the voices they need."""

    def __init__(self, seats: list[Seat], need: int) -> None:
        self.seats = seats
        self.need = need
        self.parties: list[tuple[list[Seat], int]] = []

    def everybody(self) -> list[Seat]:
        return self.seats + [seat for party, _ in self.parties for seat in party]

    def party_of(self, seat: Seat) -> list[Seat]:
        return next((party for party, _ in self.parties if seat in party), self.seats)

    def heard(self) -> bool:
        """Whether every party of co-signers has said enough."""
        return all(sum(bool(seat.vote) for seat in party) >= need for party, need in self.parties)


class Model:
    """The rules as the table tells them."""

    def __init__(self, template: Mapping[str, Any], joint: list[str]) -> None:
        self.steps = [step for step in template["steps"] if joint or step["by"].get("department") != "*"]
        self.joint = joint
        self.at = 0
        self.round = 1
        self.visit = 1
        self.status = "running"
        self.result: str | None = None
        self.table = self.laid(0)
        self.undo: tuple[str, int, Table] | None = None
        self.mandates: list[list[Any]] = []
        self.request: tuple[str, int] | None = None
        self.extra = 0
        self.urged: dict[str, datetime] = {}
        self.involved: set[str] = set()

    def laid(self, at: int) -> Table:
        step = self.steps[at]
        by, wanted = step["by"], step.get("completion", "one")
        if "persons" in by:
            seats = [Seat(person=one["id"]) for one in by["persons"]]
        elif by.get("department") == "*":
            seats = [Seat(badge=(by["role"], id)) for id in self.joint]
        else:
            own = "dept-market" if "department" in by else "hall-1"
            count = 1 if isinstance(wanted, str) else wanted
            seats = [Seat(badge=(by["role"], by.get("department") or by.get("hall") or own)) for _ in range(count)]
        return Table(seats, {"one": 1, "all": len(seats)}.get(wanted, wanted))

    def get(self, key: str) -> Any:
        return self.steps[self.at].get(key, {"mandatory": True, "act_for": False}.get(key))

    # who

    def voices(self, who: str, today: date) -> list[str]:
        """The people in whose name somebody may sign: himself first."""
        return [
            who,
            *(giver for giver, taker, until, live in self.mandates if live and taker == who and today <= until),
        ]

    def chairs(self, who: str, today: date) -> dict[Seat, str]:
        """The free seats that somebody may take now, and in whose name."""
        free = [seat for seat in self.table.everybody() if not seat.vote]
        found: dict[Seat, str] = {}
        for voice in self.voices(who, today):
            for seat in free:
                spent = self.spoke(seat, voice) or (who, True) in self.hands(seat)
                if seat not in found and seat.is_for(voice) and not spent:
                    found[seat] = voice
        for seat in free:
            if (
                seat.stand_in
                and seat.stand_in[0] == who
                and seat not in found
                and not self.spoke(seat, seat.stand_in[1])
                and not self.signed(seat, who)
            ):
                found[seat] = seat.stand_in[1]
        return found

    def spoke(self, seat: Seat, voice: str) -> bool:
        return voice in [other.voter for other in self.table.party_of(seat) if other.vote]

    def hands(self, seat: Seat) -> list[tuple[str, bool]]:
        return [other.hand for other in self.table.party_of(seat) if other.vote]

    def signed(self, seat: Seat, who: str) -> bool:
        """Whether somebody has signed in this party with their own hand, for whomever."""
        return who in [hand for hand, _ in self.hands(seat)]

    def ready(self, who: str, today: date) -> dict[Seat, str]:
        chairs = self.chairs(who, today)
        return {seat: voice for seat, voice in chairs.items() if self.table.heard() or seat not in self.table.seats}

    def oversees(self, who: str) -> bool:
        return ACTORS[who].department_id == "dept-market" and bool(ACTORS[who].roles & HEADS)

    def empty_for(self, who: str, today: date) -> list[Seat]:
        mine = self.chairs(who, today)
        return [
            seat
            for seat in self.table.everybody()
            if not seat.vote and seat not in mine and not self.spoke(seat, who) and not self.signed(seat, who)
        ]

    def droppable(self, who: str) -> list[Seat]:
        asked = [seat for seat in self.table.everybody() if seat.asker and not seat.vote]
        return [seat for seat in asked if self.oversees(who) or (seat.asker == who and not seat.touched)]

    def mandate(self, who: str, today: date) -> list[Any] | None:
        return next((one for one in self.mandates if one[0] == who and one[3] and today <= one[2]), None)

    def allowed(self, who: str, now: datetime) -> set[str]:
        """The verbs that somebody may use now."""
        if self.status not in ("running", "suspended"):
            return set()
        today = (now + timedelta(hours=8)).date()
        chairs, ready = self.chairs(who, today), self.ready(who, today)
        own = any(seat in self.table.seats for seat in chairs)
        near = own or self.oversees(who)
        hall = ACTORS[who].hall_id == "hall-1"
        urging = not chairs and (hall or self.oversees(who) or who in self.involved)
        verbs = {
            "resume": self.status == "suspended" and near,
            "abort": near,
            "void": self.oversees(who),
            "urge": urging and (who not in self.urged or (now - self.urged[who]).total_seconds() >= 60),
        }
        if self.status == "running":
            kind = self.get("kind")
            districts = {"dept-market", *(seat.badge[1] for seat in self.table.everybody() if not seat.vote)}
            helper = ACTORS[who].roles & {"officer", *HEADS} and ACTORS[who].department_id in districts
            answers = self.oversees(who) or (own and kind == "decide")
            verbs |= {
                "read": any(not seat.touched for seat in chairs),
                "approve": bool(ready),
                "reject": any(kind != "issue" or seat.asker for seat in ready),
                "return_to": own and self.at > 0,
                "take_back": bool(self.undo)
                and self.undo[0] == who
                and not any(seat.touched for seat in self.table.everybody()),
                "countersign": own,
                "drop_cosigner": bool(self.droppable(who)),
                "delegate": who in chairs.values() and not self.mandate(who, today),
                "undelegate": bool(self.mandate(who, today)),
                "act_for": bool(helper and self.get("act_for") and self.empty_for(who, today)),
                "skip": not self.get("mandatory") and (near or (bool(self.undo) and self.undo[0] == who)),
                "suspend": near,
                "extend": near and not self.request,
                "answer_extension": bool(self.request) and answers and self.request[0] != who,
            }
        return {verb for verb, may in verbs.items() if may}

    # what comes of it

    def does(self, who: str, verb: str, body: Mapping[str, Any], slots: list[str], now: datetime) -> bool:
        """Whether it is taken; ``slots`` are the real flow's free slots, in the order of the seats here."""
        if verb not in self.allowed(who, now):
            return False
        before = copy.deepcopy(self.__dict__)
        if not getattr(self, f"do_{verb}")(who, body, slots, now):
            self.__dict__ = before
            return False
        self.involved.add(who)
        return True

    def seat(self, body: Mapping[str, Any], slots: list[str]) -> Seat | None:
        free = [seat for seat in self.table.everybody() if not seat.vote]
        return free[slots.index(body["slot"])] if body["slot"] in slots else None

    def do_read(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        for seat in self.chairs(who, (now + timedelta(hours=8)).date()):
            seat.touched = True
        return True

    def do_approve(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        return self.votes(who, "approved", body, slots, now)

    def do_reject(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        seat = self.seat(body, slots)
        if seat is None or (self.get("kind") == "issue" and not seat.asker):
            return False
        return self.votes(who, "rejected", body, slots, now)

    def votes(self, who: str, vote: str, body: Any, slots: Any, now: datetime) -> bool:
        seat = self.seat(body, slots)
        ready = self.ready(who, (now + timedelta(hours=8)).date())
        if seat not in ready:
            return False
        old = copy.deepcopy(self.table)
        acting = seat.stand_in is not None and seat.stand_in == (who, ready[seat])
        seat.hand = (who, acting)
        seat.vote, seat.voter, seat.touched = vote, ready[seat], True
        if seat.asker:
            # a co-signer's voice may be all that was missing, but it is never the step's own
            return True
        given = [one.vote for one in self.table.seats if one.vote]
        against = given.count("rejected")
        if self.get("kind") == "decide":
            if len(self.table.seats) - against < self.table.need:
                self.status, self.result, self.request = "done", "rejected", None
                return True
            given = ["approved"] * given.count("approved")
        if len(given) >= self.table.need:
            self.onward(who, old)
        return True

    def onward(self, who: str, old: Table) -> None:
        if self.at + 1 == len(self.steps):
            self.status, self.result, self.request, self.undo = "done", "approved", None, None
            return
        self.undo = (who, self.at, old)
        self.stand(self.at + 1)
        self.table = self.laid(self.at)

    def stand(self, at: int) -> None:
        self.at = at
        self.visit += 1
        self.result = None if "decide" in [step["kind"] for step in self.steps[at:]] else "approved"

    def do_return_to(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        names = [step["id"] for step in self.steps[: self.at]]
        if body["step"] not in names:
            return False
        self.stand(names.index(body["step"]))
        self.round, self.table, self.undo = self.round + 1, self.laid(self.at), None
        return True

    def do_take_back(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        assert self.undo
        _, at, self.table = self.undo
        self.stand(at)
        self.undo = None
        return True

    def do_countersign(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        ids = [one["id"] for one in body["persons"]]
        need = {"one": 1, "all": len(ids)}.get(body["completion"], body["completion"])
        if who in ids or set(ids) & {seat.person for seat in self.table.everybody()}:
            return False
        mine = self.chairs(who, (now + timedelta(hours=8)).date())
        next(seat for seat in mine if seat in self.table.seats).touched = True
        party = [Seat(person=id) for id in ids]
        for seat in party:
            seat.asker = who
        self.table.parties.append((party, need))
        return True

    def do_drop_cosigner(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        seat = next((one for one in self.droppable(who) if one.person == body["person"]), None)
        if seat is None:
            return False
        kept = []
        for party, need in self.table.parties:
            left = [one for one in party if one is not seat]
            kept.append((left, min(need, len(left))))
        self.table.parties = kept
        return True

    def do_delegate(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        if body["to"]["id"] == who:
            return False
        self.mandates.append([who, body["to"]["id"], date.fromisoformat(body["until"]), True])
        return True

    def do_undelegate(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        mandate = self.mandate(who, (now + timedelta(hours=8)).date())
        assert mandate
        mandate[3] = False
        return True

    def do_act_for(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        seat = self.seat(body, slots)
        if seat not in self.empty_for(who, (now + timedelta(hours=8)).date()):
            return False
        absent = seat.person or body["person"]["id"]
        if absent == who or self.spoke(seat, absent):
            return False
        seat.stand_in, seat.touched = (who, absent), True
        return True

    def do_skip(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        self.onward(who, copy.deepcopy(self.table))
        return True

    def do_suspend(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        self.status = "suspended"
        return True

    def do_resume(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        self.status = "running"
        return True

    def do_extend(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        self.request = (who, body["days"])
        return True

    def do_answer_extension(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        assert self.request
        self.extra += self.request[1] if body["agree"] else 0
        self.request = None
        return True

    def do_abort(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        self.status, self.result, self.request = "aborted", None, None
        return True

    def do_void(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        self.status, self.result, self.request = "void", None, None
        return True

    def do_urge(self, who: str, body: Any, slots: Any, now: datetime) -> bool:
        self.urged[who] = now
        return True


class Approval(RuleBasedStateMachine):
    """The flow and its model, given the same verbs."""

    @initialize(name=st.sampled_from(sorted(walks.TEMPLATES)), joint=st.sampled_from([(), (POLICE,), (POLICE, HEALTH)]))
    def begin(self, name: str, joint: tuple[dict[str, str], ...]) -> None:
        template = walks.TEMPLATES[name]
        self.flow = workflow.begin(template, START, department=MARKET, hall=HALL, joint=joint)
        self.model = Model(template, [unit["id"] for unit in joint])
        self.now = START

    @rule(
        actor=st.sampled_from(CAST),
        wait=st.sampled_from([0, 59, 60, 86_400]),
        seed=st.integers(0, 2**32),
        body_of_another=st.booleans(),
    )
    def something_offered(self, actor: Actor, wait: int, seed: int, body_of_another: bool) -> None:
        chance = random.Random(seed)
        self.now += timedelta(seconds=wait)
        offers = [offer for offer in workflow.offered(self.flow, actor, self.now) if not offer.why_not]
        if offers:
            offer = chance.choices(offers, [walks.RARE.get(offer.verb, 1.0) for offer in offers])[0]
            body = walks.fitting(chance, self.flow, offer, self.now)
            if body_of_another and "slot" in body:
                body["slot"] = chance.choice([slot["id"] for slot in workflow.open_slots(self.flow)])
            self.attempt(actor, offer.verb, body)

    @rule(actor=st.sampled_from(CAST), verb=st.sampled_from(workflow.VERBS))
    def something_not_offered(self, actor: Actor, verb: str) -> None:
        if verb not in self.model.allowed(actor.id, self.now):
            self.attempt(actor, verb, {"visit": self.flow["visit"]})

    def attempt(self, actor: Actor, verb: str, body: dict[str, Any]) -> None:
        outcome = workflow.decide(self.flow, verb, body, walks.context(actor, self.now))
        slots = [slot["id"] for slot in workflow.open_slots(self.flow)]
        taken = self.model.does(actor.id, verb, body, slots, self.now)
        assert taken == (not isinstance(outcome, Refusal)), (actor.name, verb, body, outcome)
        if not isinstance(outcome, Refusal):
            for event in outcome:
                self.flow = workflow.evolve(self.flow, event)

    @invariant()
    def the_two_agree(self) -> None:
        if not hasattr(self, "flow"):
            return
        flow, model = self.flow, self.model
        walks.judge(flow)
        steps = [step["id"] for step in flow["template"]["steps"]]
        assert steps == [step["id"] for step in model.steps]
        here = (flow["status"], flow["result"], flow["step"], flow["round"], flow["visit"], flow["extended_days"])
        assert here == (model.status, model.result, steps[model.at], model.round, model.visit, model.extra)
        for actor in CAST:
            usable = {offer.verb for offer in workflow.offered(flow, actor, self.now) if not offer.why_not}
            assert usable == model.allowed(actor.id, self.now), actor.name
        if flow["status"] in ("running", "suspended"):
            assert sorted(self.seats()) == sorted(
                (seat.word, seat.touched, seat.vote, seat.voter) for seat in model.table.everybody()
            )

    def seats(self) -> list[tuple[str, bool, str, str]]:
        found = []
        for slot in workflow.current(self.flow):
            who, signed = slot["who"], slot["signed"]
            place = who.get("department") or who.get("hall") or {}
            word = who["person"]["id"] if "person" in who else f"{who['role']}/{place['id']}"
            vote, voter = (signed["vote"], signed["for"]["id"]) if signed else ("", "")
            found.append((word, bool(slot["read"]), vote, voter))
        return found


TestApproval = Approval.TestCase
TestApproval.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize(
    ("verb", "code"), [("skip", "WF-016"), ("take_back", "WF-011"), ("approve", "WF-008"), ("drop_cosigner", "WF-012")]
)
def test_the_model_disagrees_with_a_mutant(verb: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = gates.GATES[verb]

    def wrong(view: View) -> Refusal | None:
        refusal = right(view)
        return None if refusal is not None and refusal.code == code else refusal

    monkeypatch.setitem(gates.GATES, verb, wrong)  # type: ignore[arg-type]
    search = settings(max_examples=400, stateful_step_count=40, deadline=None, database=None, derandomize=True)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Approval, settings=settings(search, phases=[Phase.generate]))
