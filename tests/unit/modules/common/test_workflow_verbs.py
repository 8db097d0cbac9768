"""Approval, verb by verb: what it does to slot, siblings, steps and clock, and what it says when refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from modules.common import workflow
from modules.common.aggregate import Doc, Event, Key
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from modules.common.workflow import TEMPLATES, Flow, Template
from tests.support import walks
from tests.support.walks import (
    CLERK,
    HALL,
    HEAD,
    HEALTH,
    HEALTH_OFFICER,
    LEADER,
    MARKET,
    OFFICER,
    OUTSIDER,
    POLICE,
    POLICE_OFFICER,
    SECOND_OFFICER,
    START,
    named,
)

COLLEAGUE = walks.person("lisi", "李四", "officer", "dept-social")


class Desk:
    """One flow and a clock: ``gives`` tries a verb, ``takes`` expects that it is taken, ``refuses`` that it is not."""

    def __init__(self, template: Template, joint: Sequence[dict[str, str]] = ()) -> None:
        self.flow: Flow = workflow.begin(template, START, department=MARKET, hall=HALL, joint=joint)
        self.now: datetime = START
        self.refs: dict[Key, Doc] = {}
        self.events: list[Event] = []

    def gives(self, actor: Actor, verb: str, **body: Any) -> list[Event] | Refusal:
        body.setdefault("visit", self.flow["visit"])
        context = walks.context(actor, self.now)
        context.refs.update(self.refs)  # type: ignore[attr-defined]
        return workflow.decide(self.flow, verb, body, context)

    def takes(self, actor: Actor, verb: str, **body: Any) -> Flow:
        outcome = self.gives(actor, verb, **body)
        assert not isinstance(outcome, Refusal), outcome
        self.events = outcome
        for event in outcome:
            self.flow = workflow.evolve(self.flow, event)
        walks.judge(self.flow)
        self.now += timedelta(minutes=5)
        return self.flow

    def refuses(self, actor: Actor, verb: str, **body: Any) -> Refusal:
        outcome = self.gives(actor, verb, **body)
        assert isinstance(outcome, Refusal), outcome
        return outcome

    def sees(self, actor: Actor) -> dict[str, str]:
        """The verbs offered, with why not."""
        return {offer.verb: offer.why_not for offer in workflow.offered(self.flow, actor, self.now, self.refs)}

    def may(self, actor: Actor) -> set[str]:
        return {verb for verb, why_not in self.sees(actor).items() if not why_not}


def desk(name: str, *joint: dict[str, str]) -> Desk:
    return Desk(walks.TEMPLATES[name], joint)


def at_decision() -> Desk:
    """The standard flow in front of the leader."""
    found = desk("standard")
    found.takes(OFFICER, "approve")
    found.takes(HEAD, "approve")
    return found


def test_the_plain_way_leads_through_every_step_to_an_end() -> None:
    at = desk("standard")
    assert workflow.holders(at.flow) == ["市场监督管理局部门审批人员"]
    assert at.takes(OFFICER, "approve", opinion="材料齐全")["step"] == "check"
    assert at.takes(HEAD, "approve")["result"] is None
    decided = at.takes(LEADER, "approve", opinion="同意")
    assert (decided["status"], decided["result"], decided["step"]) == ("running", "approved", "issue")
    done = at.takes(OFFICER, "approve")
    assert (done["status"], done["result"]) == ("done", "approved")
    assert [line["text"] for line in done["trail"] if line["event"] == "flow.signed"] == [
        "王五拟同意：材料齐全",
        "何新拟同意",
        "李明准予：同意",
        "王五办理完成",
    ]
    assert workflow.progress(done) == [(name, "passed") for name in ("审查", "复核", "决定", "送达")]
    assert workflow.offered(done, LEADER, at.now) == []


def test_an_immediate_item_is_decided_at_the_counter_of_its_own_hall() -> None:
    at = desk("immediate")
    elsewhere = walks.person("qianba", "钱八", "clerk", hall="hall-2")
    assert at.refuses(elsewhere, "approve").code == "WF-002"
    assert at.takes(CLERK, "approve")["status"] == "done"


def test_of_two_officers_the_second_is_told_who_was_first_and_when() -> None:
    at = desk("simple")
    seen = at.flow["visit"]
    at.takes(OFFICER, "approve", opinion="齐全")
    refusal = at.refuses(SECOND_OFFICER, "reject", opinion="不齐", visit=seen)
    assert refusal.code == "WF-007"
    assert all(word in refusal.message for word in ("王五", "11月20日 09:00", "拟同意", "决定"))
    # the same person may hold the next step as well: his old click must not decide it
    both = Actor("both", "both", "双岗", "", "dept-market", frozenset({"officer", "section_head"}))
    assert at.refuses(both, "approve", visit=seen).code == "WF-007"
    at.takes(HEAD, "approve")
    ended = at.refuses(HEAD, "reject", opinion="不", visit=seen)
    assert ended.code == "WF-003"
    assert all(word in ended.message for word in ("何新", "11月20日 09:05", "准予"))


@pytest.mark.parametrize("visit", [None, "1", True, 1.0, [], 7])
def test_a_verb_about_a_step_says_which_visit_it_saw(visit: object) -> None:
    assert desk("simple").refuses(OFFICER, "approve", visit=visit).code == "WF-006"


def test_a_rejection_ends_a_decision_and_only_advises_in_a_review() -> None:
    at = desk("simple")
    assert at.refuses(OFFICER, "reject").fields == {"opinion": "不同意须写明理由。"}
    assert at.takes(OFFICER, "reject", opinion="材料不符")["step"] == "decide"
    flow = at.takes(HEAD, "reject", opinion="不符合条件")
    assert (flow["status"], flow["result"]) == ("done", "rejected")
    assert [event.type for event in at.events] == ["flow.signed", "flow.finished"]


def test_reading_is_recorded_once() -> None:
    at = desk("simple")
    at.takes(OFFICER, "read")
    assert at.flow["slots"][0]["read"]["by"] == named(OFFICER)
    assert "read" not in at.sees(SECOND_OFFICER)
    assert at.refuses(SECOND_OFFICER, "read").message.startswith("王五已于 11月20日 09:00 签收")


@pytest.mark.parametrize("target", ["review", "check"])
def test_returning_cancels_the_siblings_and_everything_from_there_is_done_anew(target: str) -> None:
    at = at_decision()
    at.takes(LEADER, "countersign", persons=[named(OFFICER), named(POLICE_OFFICER)])
    flow = at.takes(LEADER, "return_to", step=target, opinion="请补充意见")
    assert (flow["step"], flow["round"], flow["result"]) == (target, 2, None)
    assert {slot["state"] for slot in flow["slots"] if slot["step"] == "decide"} == {"cancelled"}
    assert len(workflow.open_slots(flow)) == 1
    assert target not in flow["passed"]
    assert "李明退回至" in flow["trail"][-1]["text"]
    # the earlier round's opinions stay in the trail and in the ledger of slots
    assert sum(slot["state"] == "approved" for slot in flow["slots"]) == 2
    assert at.refuses(POLICE_OFFICER, "approve").code == "WF-002"


def test_returning_needs_an_earlier_step_and_a_reason() -> None:
    at = desk("simple")
    assert "第一个环节" in at.sees(OFFICER)["return_to"]
    assert at.refuses(OFFICER, "return_to", step="review", opinion="x").code == "WF-010"
    at.takes(OFFICER, "approve")
    assert at.refuses(HEAD, "return_to", step="decide", opinion="x").fields.keys() == {"step"}
    assert at.refuses(HEAD, "return_to", step="review", opinion=" ").fields.keys() == {"opinion"}


def test_the_result_goes_when_a_decided_flow_is_returned() -> None:
    at = at_decision()
    at.takes(LEADER, "approve")
    assert at.takes(OFFICER, "return_to", step="decide", opinion="证照信息有误")["result"] is None


def test_taking_back_restores_the_step_as_it_was() -> None:
    at = desk("two of a role")
    at.takes(OFFICER, "approve", opinion="先签")
    before = at.flow
    at.takes(SECOND_OFFICER, "approve", opinion="后签")
    assert at.refuses(OFFICER, "take_back").code == "WF-005"
    flow = at.takes(SECOND_OFFICER, "take_back")
    assert (flow["step"], flow["round"], flow["passed"]) == ("both", 1, {})
    assert [slot["state"] for slot in flow["slots"]] == ["approved", "open", "cancelled"]
    assert flow["slots"][:2] == before["slots"]
    assert "后签" in str(flow["trail"])
    assert at.refuses(LEADER, "approve").code == "WF-002"
    assert at.takes(SECOND_OFFICER, "approve")["step"] == "chief"


def test_what_has_been_read_is_not_taken_back() -> None:
    at = desk("simple")
    at.takes(OFFICER, "approve")
    at.takes(HEAD, "read")
    refusal = at.refuses(OFFICER, "take_back")
    assert refusal.code == "WF-011"
    assert "何新" in refusal.message
    assert at.sees(OFFICER)["take_back"] == refusal.message


def test_asking_co_signers_or_acting_is_reading() -> None:
    for verb, body in (
        ("countersign", {"persons": [named(COLLEAGUE)]}),
        ("act_for", {"person": named(LEADER), "basis": "电话"}),
    ):
        at = desk("two of a role")
        at.takes(OFFICER, "approve")
        at.takes(SECOND_OFFICER, "approve")
        at.takes(LEADER if verb == "countersign" else HEAD, verb, **body)
        assert at.refuses(SECOND_OFFICER, "take_back").code == "WF-011"


def test_a_skip_is_taken_back_by_who_skipped() -> None:
    at = desk("standard")
    at.takes(OFFICER, "approve")
    at.takes(HEAD, "skip", reason="本人已口头复核")
    flow = at.takes(HEAD, "take_back")
    assert (flow["step"], flow["passed"]) == ("check", {"review": "passed"})
    assert workflow.open_slots(flow)[0]["state"] == "open"


def test_co_signers_advise_before_the_decider_decides() -> None:
    at = at_decision()
    asked = [named(OFFICER), named(POLICE_OFFICER), named(HEALTH_OFFICER)]
    at.takes(LEADER, "countersign", persons=asked, completion=2)
    assert workflow.holders(at.flow) == ["市场监督管理局主管领导", "王五", "周八", "吴九"]
    waiting = at.refuses(LEADER, "approve")
    assert waiting.code == "WF-008"
    assert "周八" in waiting.message
    assert at.sees(LEADER)["approve"] == waiting.message
    names = {offer.verb: offer.name for offer in workflow.offered(at.flow, POLICE_OFFICER, at.now)}
    assert names["approve"] == "拟同意"
    assert not {"return_to", "abort", "countersign", "suspend"} & at.may(POLICE_OFFICER)
    at.takes(POLICE_OFFICER, "reject", opinion="治安条件不足")
    assert at.refuses(POLICE_OFFICER, "approve").code == "WF-009"
    at.takes(OFFICER, "approve")
    assert at.takes(LEADER, "approve")["step"] == "issue"
    left = next(slot for slot in at.flow["slots"] if slot["who"].get("person") == named(HEALTH_OFFICER))
    assert left["state"] == "dropped"


@pytest.mark.parametrize(
    ("persons", "completion", "field"),
    [
        ([], "all", "persons"),
        ("王五", "all", "persons"),
        ([{"id": "a"}], "all", "persons"),
        ([named(LEADER)], "all", "persons"),
        ([named(OFFICER), named(OFFICER)], "all", "persons"),
        ([named(OFFICER)], 2, "completion"),
        ([named(OFFICER)], 0, "completion"),
        ([named(OFFICER)], True, "completion"),
        ([named(OFFICER)], "some", "completion"),
    ],
)
def test_who_cannot_be_asked_to_co_sign(persons: object, completion: object, field: str) -> None:
    at = at_decision()
    assert at.refuses(LEADER, "countersign", persons=persons, completion=completion).fields.keys() == {field}


def test_a_co_signer_is_dropped_while_unread_and_later_by_an_overseer() -> None:
    at = desk("two of a role")
    at.takes(OFFICER, "countersign", persons=[named(POLICE_OFFICER), named(HEALTH_OFFICER)])
    assert at.refuses(OFFICER, "countersign", persons=[named(POLICE_OFFICER)]).code == "WF-023"
    at.takes(OFFICER, "drop_cosigner", person=POLICE_OFFICER.id)
    assert at.flow["groups"][1]["need"] == 1
    at.takes(HEALTH_OFFICER, "read")
    refusal = at.refuses(OFFICER, "drop_cosigner", person=HEALTH_OFFICER.id)
    assert refusal.code == "WF-012"
    assert "吴九" in refusal.message
    at.takes(HEAD, "drop_cosigner", person=HEALTH_OFFICER.id)
    assert at.may(OFFICER) >= {"approve", "countersign"}
    at.takes(OFFICER, "countersign", persons=[named(POLICE_OFFICER)])


def test_votes_are_counted_to_k_of_n_and_a_lost_decision_ends_at_once() -> None:
    at = desk("two of three")
    for actor in (OFFICER, HEAD, POLICE_OFFICER):
        at.takes(actor, "approve")
    at.takes(OFFICER, "approve")
    assert at.takes(HEAD, "reject", opinion="不同意")["step"] == "vote"
    flow = at.takes(POLICE_OFFICER, "reject", opinion="不同意")
    assert (flow["status"], flow["result"]) == ("done", "rejected")


def test_a_vote_already_won_drops_who_has_not_voted() -> None:
    at = desk("two of three")
    at.takes(OFFICER, "skip", reason="已电话征求意见")
    at.takes(OFFICER, "approve")
    flow = at.takes(HEAD, "approve")
    assert flow["step"] == "again"
    assert [slot["state"] for slot in flow["slots"] if slot["step"] == "vote"] == ["approved", "approved", "dropped"]
    assert at.refuses(POLICE_OFFICER, "approve").code == "WF-002"


def test_two_of_a_role_are_two_people() -> None:
    at = desk("two of a role")
    at.takes(OFFICER, "approve")
    again = at.refuses(OFFICER, "approve")
    assert again.code == "WF-009"
    assert "王五已于 11月20日 09:00 签署“拟同意”" in again.message


def test_joint_departments_each_sign_and_without_any_the_step_is_left_out() -> None:
    at = desk("joint", POLICE, HEALTH)
    at.takes(OFFICER, "approve")
    assert workflow.holders(at.flow) == ["公安局部门审批人员", "卫生健康委员会部门审批人员"]
    at.takes(HEALTH_OFFICER, "reject", opinion="场地不符合卫生要求")
    assert at.takes(POLICE_OFFICER, "approve")["step"] == "decide"
    assert [name for name, _ in workflow.progress(desk("joint").flow)] == ["审查", "决定", "送达"]


def test_a_delegate_signs_until_the_date_and_the_record_says_for_whom() -> None:
    at = desk("simple")
    at.takes(OFFICER, "delegate", to=named(COLLEAGUE), until="2026-11-22")
    assert at.may(COLLEAGUE) >= {"read", "approve", "reject"}
    assert "delegate" not in at.sees(COLLEAGUE)
    refusal = at.refuses(OFFICER, "delegate", to=named(SECOND_OFFICER), until="2026-11-22")
    assert "李四" in refusal.message
    # China's day counts: 22:00 UTC on the 22nd is the 23rd there
    at.now = START.replace(day=22, hour=22)
    assert at.refuses(COLLEAGUE, "approve").code == "WF-002"
    at.now = START.replace(day=22, hour=15)
    at.takes(COLLEAGUE, "approve")
    signed = at.flow["slots"][0]["signed"]
    assert (signed["by"], signed["for"], signed["how"]) == (named(COLLEAGUE), named(OFFICER), "delegated")
    assert at.flow["trail"][-2]["text"] == "李四受王五委托拟同意"


def test_who_delegated_may_sign_himself_and_end_it() -> None:
    at = desk("simple")
    at.takes(OFFICER, "delegate", to=named(COLLEAGUE), until="2026-12-31")
    assert at.refuses(COLLEAGUE, "undelegate").code == "WF-005"
    at.takes(OFFICER, "undelegate")
    assert at.refuses(COLLEAGUE, "approve").code == "WF-002"
    assert "undelegate" not in at.sees(OFFICER)
    at.takes(OFFICER, "delegate", to=named(COLLEAGUE), until="2026-12-31")
    assert at.takes(OFFICER, "approve")["step"] == "decide"


@pytest.mark.parametrize(
    ("to", "until", "code"),
    [
        (named(OFFICER), "2026-12-01", "WF-023"),
        (None, "2026-12-01", "WF-023"),
        (named(COLLEAGUE), "2026-11-19", "WF-024"),
        (named(COLLEAGUE), "2027-11-22", "WF-024"),
        (named(COLLEAGUE), "20261201", "WF-024"),
        (named(COLLEAGUE), "2026-02-30", "WF-024"),
        (named(COLLEAGUE), None, "WF-024"),
    ],
)
def test_what_is_no_delegation(to: object, until: object, code: str) -> None:
    assert desk("simple").refuses(OFFICER, "delegate", to=to, until=until).code == code


def test_a_standing_delegation_comes_with_the_context() -> None:
    at = desk("simple")
    principal = {**named(OFFICER), "roles": ["officer"], "department_id": "dept-market", "hall_id": ""}
    standing = {
        "from": principal,
        "to": named(COLLEAGUE),
        "since": "2026-11-21",
        "until": "2026-11-30",
        "state": "active",
    }
    at.refs["delegation", "d-1"] = standing
    assert at.refuses(COLLEAGUE, "approve").code == "WF-002"
    at.now = START.replace(day=21)
    assert "approve" in at.may(COLLEAGUE)
    at.refs["delegation", "d-1"] = {**standing, "state": "removed"}
    assert at.refuses(COLLEAGUE, "approve").code == "WF-002"
    at.refs["delegation", "d-1"] = standing
    assert at.takes(COLLEAGUE, "approve")["slots"][0]["signed"]["for"] == named(OFFICER)


def test_acting_for_an_absent_one_is_recorded_as_such() -> None:
    at = at_decision()
    assert at.refuses(HEAD, "act_for", person=named(LEADER)).fields.keys() == {"basis"}
    assert at.refuses(HEAD, "act_for", basis="电话同意").fields.keys() == {"person"}
    assert at.refuses(HEAD, "act_for", basis="电话同意", person=named(HEAD)).code == "WF-023"
    at.takes(HEAD, "act_for", basis="李明局长出差，10:20 电话同意", person=named(LEADER))
    assert workflow.holders(at.flow) == ["市场监督管理局主管领导（何新代行）"]
    at.takes(HEAD, "approve", opinion="同意")
    assert at.flow["trail"][-2]["text"] == "何新代李明准予：同意"
    assert at.flow["trail"][-3]["text"] == "何新代李明：李明局长出差，10:20 电话同意"


def test_nobody_acts_for_himself_nor_where_the_step_forbids_it_nor_from_outside() -> None:
    at = at_decision()
    assert at.sees(LEADER)["act_for"].startswith("不能代行自己")
    assert at.refuses(OUTSIDER, "act_for", basis="x", person=named(LEADER)).code == "WF-002"
    assert at.refuses(CLERK, "act_for", basis="x", person=named(LEADER)).code == "WF-002"
    assert desk("simple").refuses(HEAD, "act_for", basis="x", person=named(OFFICER)).code == "WF-014"
    twice = desk("two of a role")
    twice.takes(OFFICER, "approve")
    assert twice.refuses(OFFICER, "act_for", basis="x", person=named(SECOND_OFFICER)).code == "WF-015"
    assert twice.refuses(HEAD, "act_for", basis="x", person=named(OFFICER)).code == "WF-023"


def test_who_is_acted_for_may_still_come_and_sign_himself() -> None:
    at = at_decision()
    at.takes(HEAD, "act_for", basis="电话同意", person=named(LEADER))
    at.takes(LEADER, "approve")
    assert at.flow["trail"][-2]["text"] == "李明准予"


def test_mandatory_steps_are_never_skipped_and_others_with_a_reason() -> None:
    at = desk("standard")
    assert at.refuses(OFFICER, "skip", reason="赶时间").code == "WF-016"
    assert "必经" in at.sees(LEADER)["skip"]
    at.takes(OFFICER, "approve")
    assert at.refuses(HEAD, "skip", reason="").fields.keys() == {"reason"}
    assert at.refuses(CLERK, "skip", reason="x").code == "WF-002"
    flow = at.takes(OFFICER, "skip", reason="何新外出，已电话联系")
    assert flow["step"] == "decide"
    assert workflow.progress(flow)[1] == ("复核", "skipped")
    assert "何新外出" in flow["trail"][-1]["text"]


def test_skipping_the_last_step_ends_the_flow() -> None:
    at = desk("two of three")
    at.takes(OFFICER, "skip", reason="免")
    at.takes(OFFICER, "approve")
    at.takes(HEAD, "approve")
    assert at.takes(LEADER, "skip", reason="免")["result"] == "approved"
    flow = at.takes(CLERK, "skip", reason="当场送达")
    assert (flow["status"], flow["result"]) == ("done", "approved")


def test_a_suspension_stops_the_clock_and_freezes_all_but_four_verbs() -> None:
    at = desk("simple")
    assert at.refuses(OFFICER, "suspend").fields.keys() == {"reason"}
    at.takes(OFFICER, "suspend", reason="等待鉴定结论")
    assert at.flow["suspended"]["since"] == "2026-11-20"
    refusal = at.refuses(OFFICER, "approve")
    assert refusal.code == "WF-004"
    assert all(word in refusal.message for word in ("2026-11-20", "王五", "等待鉴定结论", "拟同意"))
    assert at.may(OFFICER) == {"resume", "abort"}
    assert at.may(LEADER) == {"resume", "abort", "void", "urge"}
    at.now += timedelta(days=4)
    at.takes(HEAD, "resume")
    assert workflow.pauses(at.flow) == [(date(2026, 11, 20), date(2026, 11, 24))]
    assert at.takes(OFFICER, "approve")["step"] == "decide"


def test_a_special_procedure_stops_the_clock_and_merges_with_a_suspension() -> None:
    at = desk("special procedure")
    assert workflow.pauses(at.flow) == [(date(2026, 11, 20), None)]
    at.takes(OFFICER, "suspend", reason="专家未到")
    at.now += timedelta(days=2)
    at.takes(OFFICER, "resume")
    at.now += timedelta(days=2)
    at.takes(OFFICER, "approve")
    assert workflow.pauses(at.flow) == [(date(2026, 11, 20), None)]
    at.now += timedelta(days=1)
    at.takes(OFFICER, "approve")
    assert workflow.pauses(at.flow) == [(date(2026, 11, 20), date(2026, 11, 25))]
    at.now += timedelta(days=1)
    at.takes(HEAD, "suspend", reason="补充鉴定")
    at.takes(LEADER, "abort", reason="申请人撤回")
    assert workflow.pauses(at.flow)[1] == (date(2026, 11, 26), date(2026, 11, 26))


def test_an_extension_needs_somebody_else_to_agree() -> None:
    at = desk("simple")
    assert at.refuses(OFFICER, "extend", days=0, reason="x").fields.keys() == {"days"}
    assert at.refuses(OFFICER, "extend", days=True, reason="x").code == "WF-022"
    at.takes(OFFICER, "extend", days=10, reason="案情复杂")
    assert "10 个工作日" in at.sees(OFFICER)["extend"]
    assert at.refuses(OFFICER, "answer_extension", agree=True).code == "WF-002"
    assert at.refuses(SECOND_OFFICER, "answer_extension", agree=True).code == "WF-002"
    assert at.refuses(LEADER, "answer_extension", agree="yes").fields.keys() == {"agree"}
    assert at.refuses(LEADER, "answer_extension", agree=False).fields.keys() == {"opinion"}
    at.takes(LEADER, "answer_extension", agree=True)
    assert (at.events[0].body["agree"], at.events[0].body["days"]) == (True, 10)
    assert at.flow["extended_days"] == 10
    at.takes(LEADER, "extend", days=5, reason="再延")
    assert at.refuses(LEADER, "answer_extension", agree=True).code == "WF-018"
    at.takes(HEAD, "answer_extension", agree=False, opinion="不必")
    assert (at.flow["extended_days"], at.flow["extension"]) == (10, None)


def test_a_decider_who_is_no_overseer_answers_an_extension() -> None:
    at = desk("two of three")
    at.takes(OFFICER, "skip", reason="免")
    at.takes(OFFICER, "extend", days=3, reason="案情复杂")
    at.takes(POLICE_OFFICER, "answer_extension", agree=True)
    assert at.flow["extended_days"] == 3


@pytest.mark.parametrize(
    ("verb", "status", "actor"), [("abort", "aborted", OFFICER), ("abort", "aborted", HEAD), ("void", "void", LEADER)]
)
def test_an_end_by_force_has_a_reason_and_leaves_nothing_open(verb: str, status: str, actor: Actor) -> None:
    at = desk("two of a role")
    at.takes(OFFICER, "extend", days=3, reason="x")
    assert at.refuses(actor, verb).fields.keys() == {"reason"}
    flow = at.takes(actor, verb, reason="申请人死亡")
    assert (flow["status"], flow["result"], flow["ended"]["reason"]) == (status, None, "申请人死亡")
    assert not workflow.open_slots(flow)
    assert all(at.refuses(LEADER, one, reason="x").code == "WF-003" for one in workflow.VERBS)


def test_only_an_overseer_voids() -> None:
    at = desk("simple")
    assert "void" not in at.sees(OFFICER)
    assert at.refuses(OFFICER, "void", reason="x").code == "WF-002"


def test_urging_is_recorded_and_not_twice_in_a_minute() -> None:
    at = desk("simple")
    at.takes(CLERK, "urge", text="申请人来电询问")
    at.now += timedelta(seconds=59) - timedelta(minutes=5)
    refusal = at.refuses(CLERK, "urge")
    assert refusal.code == "WF-019"
    assert "11月20日 09:00" in refusal.message
    at.takes(LEADER, "urge")
    at.now += timedelta(seconds=1) - timedelta(minutes=5)
    at.takes(CLERK, "urge")
    assert sum(line["event"] == "flow.urged" for line in at.flow["trail"]) == 3
    assert at.refuses(OFFICER, "urge").code == "WF-002"
    assert at.refuses(OUTSIDER, "urge").code == "WF-002"


def test_who_has_several_slots_chooses() -> None:
    at = desk("two of three")
    at.takes(HEAD, "delegate", to=named(OFFICER), until="2026-11-30")
    offer = next(one for one in workflow.offered(at.flow, OFFICER, at.now) if one.verb == "approve")
    assert [words for _, words in offer.choices] == ["王五", "王五受何新委托"]
    at.takes(OFFICER, "approve", slot=offer.choices[1][0])
    assert at.flow["slots"][1]["signed"]["for"] == named(HEAD)
    assert at.refuses(OFFICER, "approve", slot="s3").fields.keys() == {"slot"}
    at.takes(OFFICER, "approve")
    assert at.flow["slots"][0]["signed"]["how"] == "self"


def test_texts_are_texts_of_sensible_length() -> None:
    at = desk("simple")
    for opinion in ("x" * 501, 3, ["a"], None):
        assert at.refuses(OFFICER, "approve", opinion=opinion).fields.keys() == {"opinion"}
    assert at.takes(OFFICER, "approve", opinion=f"  {'好' * 500} ")["slots"][0]["signed"]["opinion"] == "好" * 500


def test_an_unknown_verb_is_refused_and_every_verb_has_a_name() -> None:
    assert desk("simple").refuses(OFFICER, "explode").code == "WF-001"
    names = [workflow.verb_name(verb) for verb in workflow.VERBS]
    assert len(set(names)) == len(workflow.VERBS)
    assert not set(names) & set(workflow.VERBS)


def test_a_flow_keeps_the_template_it_began_with() -> None:
    template = {**TEMPLATES["simple"], "steps": [dict(step) for step in TEMPLATES["simple"]["steps"]]}
    flow = workflow.begin(template, START, department=MARKET)
    template["steps"][1]["mandatory"] = False
    template["steps"].pop()
    assert [step["id"] for step in flow["template"]["steps"]] == ["review", "decide"]
    assert flow["template"]["steps"][1]["mandatory"] is True


def test_who_acts_for_another_signs_once_himself_or_for_them() -> None:
    """A counter-signature by all joint departments takes one hand for each, in whatever order they come."""
    both = {**TEMPLATES["joint"], "steps": [dict(step) for step in TEMPLATES["joint"]["steps"]]}
    both["steps"][1]["act_for"] = True
    market_too = Desk(both, joint=[MARKET, POLICE])
    market_too.takes(OFFICER, "approve")
    (own, other) = (slot["id"] for slot in workflow.open_slots(market_too.flow))
    market_too.takes(OFFICER, "act_for", slot=other, basis="电话同意", person={"id": "nobody", "name": "无此人"})
    market_too.takes(OFFICER, "approve", slot=other)
    assert market_too.refuses(OFFICER, "approve", slot=own).code == "WF-009"
    assert market_too.refuses(OFFICER, "act_for", slot=own, basis="x", person=named(SECOND_OFFICER)).code == "WF-015"
    market_too.takes(SECOND_OFFICER, "approve", slot=own)
    assert market_too.flow["step"] == "decide"

    own_first = Desk(both, joint=[MARKET, POLICE])
    own_first.takes(OFFICER, "approve")
    own_first.takes(OFFICER, "act_for", slot=other, basis="电话同意", person={"id": "nobody", "name": "无此人"})
    own_first.takes(OFFICER, "approve", slot=own)
    assert own_first.refuses(OFFICER, "approve", slot=other).code == "WF-009"
