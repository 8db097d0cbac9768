"""Each command of a case: what it makes, and every "no" of its own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from modules.acceptance.domain.cases import CASE, MONITORING, consequence_of, offered, paper_at, seen_of, standing_of
from modules.common.aggregate import Command, Context, Doc, Key, Number, apply
from modules.common.calendar import WorkCalendar
from modules.common.errors import Refusal
from modules.common.permissions import SYSTEM, Actor
from modules.common.workflow import TEMPLATES
from tests.support.fake_host import NOW, actor, filled, item

CLERK = actor()
MANAGER = actor("manager", name="孙七")
OFFICER = actor("officer", hall="", department="dept-market", name="王五")
HEAD = actor("section_head", hall="", department="dept-market", name="何新")
LEADER = actor("leader", hall="", department="dept-market", name="李明")
POLICE = actor("officer", hall="", department="dept-police", name="周八")
OTHER = actor("clerk", hall="hall-2", name="钱八")
ID = "0199f2a4-0000-7000-8000-0000000000bb"
NOTICE = [{"about": "经营场所使用证明", "text": "补交租赁合同复印件", "field": "materials.m3"}]


class Desk:
    """One case, its item, and whoever does something with it."""

    def __init__(self, **changes: Any) -> None:
        self.item = {**item(), **changes}
        self.case: Doc | None = None
        self.now = NOW
        self.refs: dict[Key, Doc] = {
            ("organisation", "dept-police"): {"id": "dept-police", "name": "公安局", "kind": "department"}
        }

    def attempt(self, type: str, who: Actor = CLERK, **body: Any) -> Doc | Refusal:
        known: dict[Key, Doc] = {**self.refs, ("service_item", self.item["id"]): self.item}
        number = Number("3411A", 42) if type == "accept" else None
        command = Command(f"c-{type}", "case", ID, f"case.{type}", body, number=number)
        refs = {key: known[key] for key in CASE.refs(command) if key in known}
        outcome = apply(CASE, self.case, command, Context(self.now, who, WorkCalendar(), "3号窗", refs))
        return outcome if isinstance(outcome, Refusal) else outcome[0]

    def give(self, type: str, who: Actor = CLERK, **body: Any) -> Doc:
        outcome = self.attempt(type, who, **body)
        assert not isinstance(outcome, Refusal), outcome
        self.case = outcome
        return outcome

    def refused(self, type: str, who: Actor = CLERK, **body: Any) -> Refusal:
        outcome = self.attempt(type, who, **body)
        assert isinstance(outcome, Refusal), outcome["state"]
        assert outcome.message
        return outcome

    def whole(self, without: str = "", **applicant: Any) -> dict[str, Any]:
        body = filled(self.item, **applicant)
        return {**body, "materials": [entry for entry in body["materials"] if entry["id"] != without]}

    def accepted(self, **more: Any) -> Desk:
        self.give("accept", **self.whole(), **more)
        return self

    def decided(self) -> Desk:
        self.accepted().give("decide", OFFICER, result="approved", opinion="齐全")
        return self

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def names(self, who: Actor) -> dict[str, str]:
        assert self.case
        offers = offered(self.case, Context(self.now, who, WorkCalendar(), "3号窗"))
        return {offer.command.removeprefix("case."): offer.why_not for offer in offers}


# --- before acceptance --------------------------------------------------------------------------------------------


def test_a_correction_is_told_once() -> None:
    desk = Desk()
    case = desk.give("correct", **desk.whole("m3"), items=NOTICE)
    assert (case["state"], case["number"], case["due"]) == ("correcting", "", None)
    again = desk.refused("correct", **desk.whole("m3"), items=NOTICE)
    assert again.code == "ACC-020"
    assert "张三" in again.message
    desk.give("supply", **desk.whole())
    assert desk.refused("correct", **desk.whole("m2"), items=NOTICE).code == "ACC-020", (
        "not after it was answered either"
    )
    case = desk.give("accept", **desk.whole())
    assert case["correction"]["answered_at"]


def test_a_correction_is_told_completely() -> None:
    desk = Desk()
    body = desk.whole("m3")
    body["form"] = {**body["form"], "trade_name": ""}
    left = desk.refused("correct", **body, items=NOTICE)
    assert (left.code, list(left.fields)) == ("ACC-021", ["form.trade_name"])
    title = desk.item["form"]["schema"]["properties"]["trade_name"]["title"]
    desk.give("correct", **body, items=[*NOTICE, {"about": f"{title}没有填写", "text": "请填写"}])


@pytest.mark.parametrize("items", [None, [], ["x"], [{"about": "材料"}], [{"about": " ", "text": "补"}], [{}] * 51])
def test_a_notice_says_what_and_how(items: Any) -> None:
    desk = Desk()
    assert desk.refused("correct", **desk.whole("m3"), items=items).fields


@pytest.mark.parametrize(("ground", "text", "field"), [("", "不属于", "ground"), ("第三十二条", " ", "text")])
def test_declining_needs_ground_and_words(ground: str, text: str, field: str) -> None:
    desk = Desk()
    assert list(desk.refused("decline", **desk.whole(), ground=ground, text=text).fields) == [field]


@pytest.mark.parametrize(
    ("type", "body"),
    [
        (
            "countersign",
            {"persons": [{"id": "p-1", "name": "周八"}, {"id": "p-2", "name": "吴九"}], "completion": "all"},
        ),
        ("delegate", {"to": {"id": "p-2", "name": "吴九"}, "until": "2026-12-01"}),
    ],
)
def test_who_is_named_for_an_approval_is_one_of_the_servers_people(type: str, body: dict[str, Any]) -> None:
    desk = Desk().accepted()
    body = {"visit": 1, **body}
    desk.refs |= {("staff", "p-1"): {"id": "p-1", "name": "周八", "active": True}}
    gone = {"id": "p-2", "name": "", "active": False}
    desk.refs[("staff", "p-2")] = gone
    refusal = desk.refused(type, OFFICER, **body)
    assert refusal.code == "WF-031"
    assert "吴九" in refusal.message
    desk.refs[("staff", "p-2")] = {"id": "p-2", "name": "吴九", "active": True}
    desk.give(type, OFFICER, **body)


def test_a_counter_that_knows_nobody_leaves_the_persons_to_the_server() -> None:
    desk = Desk().accepted()
    desk.give("delegate", OFFICER, visit=1, to={"id": "p-2", "name": "吴九"}, until="2026-12-01")


def test_declining_what_has_changed_since_it_was_seen_is_refused() -> None:
    desk = Desk()
    body = {**desk.whole(), "ground": "第三十二条", "text": "不属于本机关职权"}
    case = desk.give("apply", SYSTEM, **desk.whole(), hall_id="hall-1")
    seen = seen_of(case)
    desk.give("invite", text="请带原件")
    refusal = desk.refused("decline", **body, seen=seen)
    assert refusal.code == "ACC-063"
    assert "请带原件" in refusal.message
    assert "张三" in refusal.message
    desk.give("decline", **body, seen=seen + 1)


@pytest.mark.parametrize("seen", [None, "2", True])
def test_a_decision_that_does_not_say_what_it_saw_is_taken_as_before(seen: Any) -> None:
    desk = Desk()
    desk.give("apply", SYSTEM, **desk.whole(), hall_id="hall-1")
    desk.give("decline", **desk.whole(), ground="第三十二条", text="不属于本机关职权", seen=seen)


def test_declining_ends_it_also_without_materials() -> None:
    desk = Desk()
    case = desk.give("decline", **{**desk.whole(), "materials": []}, ground="第三十二条", text="不属于本机关职权")
    assert (case["state"], case["number"]) == ("declined", "")
    assert desk.refused("accept", **desk.whole()).code == "ACC-012"


def withdrawn(at: str, state: str = "withdrawn") -> Desk:
    return Desk(state=state, withdrawn_at=at, superseded_at=at, withdraw_reason="依据已废止")


@pytest.mark.parametrize(("state", "code"), [("withdrawn", "ACC-022"), ("superseded", "ACC-023")])
def test_an_item_out_of_use(state: str, code: str) -> None:
    before, after = "2026-11-20T02:00:00.000Z", "2026-11-20T03:00:00.000Z"
    assert withdrawn(after, state).accepted().case, "accepted before the moment it stands"
    desk = withdrawn(before, state)
    refusal = desk.refused("accept", **desk.whole())
    assert refusal.code == code
    assert "11月20日 10:00" in refusal.message
    assert "保留" in refusal.message
    open_case = withdrawn(after, state).accepted()
    open_case.item |= {"withdrawn_at": before, "superseded_at": before}
    assert open_case.give("decide", OFFICER, result="approved", opinion="")["state"] == "decided"


def test_a_form_that_the_server_does_not_have_keeps_everything() -> None:
    desk = Desk()
    refusal = desk.refused("accept", **{**desk.whole(), "item_version": 9})
    assert refusal.code == "ACC-024"
    assert "第 9 版" in refusal.message
    assert "保留" in refusal.message
    draft = Desk(state="draft")
    assert draft.refused("accept", **draft.whole()).code == "ACC-025"


def online(form: str, visits: int) -> Desk:
    desk = Desk(form_of_application=form, visits=visits)
    desk.give("apply", SYSTEM, **desk.whole(), hall_id="hall-1")
    return desk


def test_pre_review_asks_people_to_come_no_more_often_than_said() -> None:
    desk = online("原件预审", 1)
    assert desk.refused("accept", **desk.whole()).code == "ACC-028", "the originals have not been seen"
    desk.give("invite", text="请带原件")
    case = desk.give("accept", **desk.whole())
    assert (case["visits"], case["source"]) == (1, "online")
    nobody = online("全程网办", 0)
    assert nobody.refused("invite").code == "ACC-028"
    assert nobody.give("accept", **nobody.whole())["visits"] == 0
    checked = online("原件核验", 1)
    assert checked.give("accept", **checked.whole())["visits"] == 0


def test_only_the_server_hands_applications_in() -> None:
    desk = Desk()
    assert desk.refused("apply", **desk.whole(), hall_id="hall-1").code == "AUTH-403"
    assert desk.refused("apply", SYSTEM, **desk.whole()).code == "ACC-029"


def test_what_was_applied_for_stays_what_it_is_about() -> None:
    desk = online("", 2)
    desk.item = {**desk.item, "code": "341100SC-XK-0099", "name": "别的事项"}
    assert desk.refused("accept", **desk.whole()).code == "ACC-031"


# --- what may be lacking, green channel, term ---------------------------------------------------------------------


def lacking(consequence: str = "逾期未补的，暂停办理。") -> Desk:
    desk = Desk()
    desk.item["materials"][1] |= {"may_lack": True, "lack_days": 3, "lack_consequence": consequence}
    return desk


def test_provisional_acceptance_says_what_by_when_and_what_if_not() -> None:
    desk = lacking()
    case = desk.give("accept", **desk.whole("m2"), lacking=["m2"])
    name = desk.item["materials"][1]["name"]
    (owed,) = case["provisional"]["materials"]
    assert (owed["name"], owed["by"], owed["consequence"]) == (name, "2026-11-25", "逾期未补的，暂停办理。")
    assert [entry["lacking"] for entry in case["materials"] if not entry["received"]] == [True]
    desk.give("decide", OFFICER, result="approved", opinion="")
    for type, who, body in (("close", OFFICER, {}), ("issue", CLERK, {"kind": "营业执照"})):
        refusal = desk.refused(type, who, **body)
        assert refusal.code == "ACC-032"
        assert name in refusal.message
    desk.give("supply_lacking", materials=[{"id": "m2", "pages": 1, "kind": "paper", "received": True}])
    assert desk.give("close", OFFICER)["state"] == "closed"


@pytest.mark.parametrize("given", [["m1"], ["m9"], "m2", [["m2"]], ["m2", "m2"]])
def test_not_everything_may_lack(given: Any) -> None:
    desk = lacking()
    assert desk.refused("accept", **desk.whole("m2"), lacking=given).code == "ACC-026"
    assert desk.refused("accept", **desk.whole(), lacking=["m2"]).code == "ACC-026", "it is there"


def test_what_was_suspended_for_something_lacking_goes_on_with_it() -> None:
    desk = lacking()
    desk.give("accept", **desk.whole("m2"), lacking=["m2"])
    assert desk.refused("lapse", SYSTEM).code == "ACC-048"
    desk.later(days=6)
    assert desk.give("lapse", SYSTEM)["state"] == "suspended"
    assert desk.refused("lapse", SYSTEM).code == "ACC-048", "once"
    case = desk.give("supply_lacking", materials=[{"id": "m2", "pages": 1, "kind": "paper", "received": True}])
    assert case["state"] == "accepted"
    assert case["term"]["pauses"] == [{"from": "2026-11-26", "until": "2026-11-26"}]


@pytest.mark.parametrize(
    ("words", "does"),
    [
        ("逾期未补的，暂停办理；补齐后继续，未取得许可证不得开工。", "suspend"),
        ("逾期未补的，终止办理，申报作废，可以重新申报。", "abort"),
        ("逾期未补的，作出不予许可的决定。", "reject"),
        ("逾期未补的，暂缓发放。", "hold"),
        ("后果自负。", "suspend"),
    ],
)
def test_what_the_words_of_a_consequence_do(words: str, does: str) -> None:
    assert consequence_of(words) == does


def test_the_green_channel_replaces_the_term() -> None:
    green = {"enabled": True, "promised_days": 1}
    case = Desk(green=green).accepted().case
    assert case
    assert (case["green"], case["due"]["date"], case["item"]["promised_days"]) == (True, "2026-11-23", 1)
    assert case["item"]["green"] == {"promised_days": 1, "ordinary_days": 3}
    ordinary = Desk(green=green).accepted(green=False).case
    assert ordinary
    assert (ordinary["green"], ordinary["due"]["date"]) == (False, "2026-11-25")
    desk = Desk()
    assert desk.refused("accept", **desk.whole(), green=True).code == "ACC-027"


def test_the_office_sets_when_cards_fall() -> None:
    desk = Desk()
    desk.refs[MONITORING] = {"entries": [{"value": "red_grace", "text": "1"}, {"value": "remind_before", "text": "二"}]}
    case = desk.accepted().case
    assert case
    assert (case["term"]["red_grace"], case["term"]["remind_before"]) == (1, 1)
    found = standing_of(case, date(2026, 11, 27), WorkCalendar())
    assert found
    assert found.level == "red"


def test_suspension_and_extension_move_the_day() -> None:
    desk = Desk(template="standard").accepted()
    desk.later(days=3)
    desk.give("suspend", OFFICER, reason="等待鉴定")
    desk.later(days=2)
    case = desk.give("resume", OFFICER)
    assert case["due"]["date"] == "2026-11-27"
    desk.give("extend", OFFICER, days=5, reason="案情复杂")
    assert desk.refused("answer_extension", OFFICER, agree=True).code.startswith("WF-")
    assert desk.give("answer_extension", HEAD, agree=True)["due"]["date"] == "2026-12-04"


def test_experts_are_not_counted() -> None:
    steps = [
        {"id": "x", "name": "专家评审", "kind": "review", "by": {"role": "officer", "department": ""}, "bound": False}
    ]
    steps += TEMPLATES["immediate"]["steps"]
    desk = Desk(template={"id": "t", "name": "特别程序", "steps": steps}).accepted()
    desk.later(days=10)
    case = desk.give("approve", OFFICER, visit=1, opinion="")
    assert case["due"]["date"] == "2026-12-03", "ten days of experts: the three begin behind them"


# --- handling -----------------------------------------------------------------------------------------------------


def test_an_immediate_item_is_decided_at_the_window() -> None:
    desk = Desk(template="immediate", kind="即办件", promised_days=0).accepted()
    assert desk.refused("decide", OFFICER, result="approved").code.startswith("WF-")
    assert desk.give("decide", CLERK, result="approved", opinion="")["state"] == "decided"
    assert desk.give("issue", kind="证明")["state"] == "issued"


def test_joint_departments_sign_and_the_lead_decides() -> None:
    desk = Desk(template="joint", kind="联办件", joint_departments=["dept-police"])
    desk.accepted(joint=[{"id": "dept-police", "name": "公安局"}])
    assert desk.case
    assert CASE.scopes(desk.case) == {"hall:hall-1", "dept:dept-market", "dept:dept-police"}
    desk.give("approve", OFFICER, visit=1, opinion="")
    desk.give("approve", POLICE, visit=2, opinion="无意见")
    case = desk.give("approve", LEADER, visit=3, opinion="同意")
    assert (case["state"], case["decision"]["by"]["name"]) == ("decided", "李明")
    assert desk.refused("close", OFFICER).code == "ACC-039", "delivery is a step of its own"
    assert desk.give("issue", OFFICER, kind="许可证", number="X-1")["state"] == "issued"


def test_a_transfer_begins_anew_and_the_clock_goes_on() -> None:
    desk = Desk().accepted()
    assert desk.refused("transfer", OFFICER, department_id="dept-market", reason="x").code == "ACC-038"
    assert desk.refused("transfer", OFFICER, department_id="dept-police", reason="").code == "ACC-030"
    desk.later(days=3)
    case = desk.give("transfer", OFFICER, department_id="dept-police", reason="职责调整")
    assert CASE.scopes(case) == {"hall:hall-1", "dept:dept-police"}
    assert case["due"]["date"] == "2026-11-25"
    assert desk.refused("decide", OFFICER, result="approved").code == "ACC-006"
    assert desk.give("decide", POLICE, result="approved")["state"] == "decided"


def test_paper_goes_by_lists() -> None:
    desk = Desk().accepted()
    assert desk.refused("hand_over", OFFICER, to="hall", materials=["m1"]).code == "ACC-036", "the hall has it"
    case = desk.give("hand_over", to="department", materials=["m1", "m2"])
    assert (paper_at(case, "m1"), paper_at(case, "m3")) == ("way", "hall")
    assert desk.refused("hand_over", to="department", materials=["m1"]).code == "ACC-036", "on its way"
    id = case["handovers"][0]["id"]
    assert desk.refused("take_over", CLERK, id=id).code == "ACC-037", "not by who gave it"
    case = desk.give("take_over", OFFICER, id=id)
    assert paper_at(case, "m1") == "department"
    assert desk.refused("take_over", OFFICER, id=id).code == "ACC-037"


def test_a_node_stands_once_with_all_its_times() -> None:
    desk = Desk().accepted()
    assert desk.refused("scan", node="kitchen").code == "ACC-034"
    first = desk.give("scan", node="intake")["scans"][0]["at"]
    desk.later(seconds=5)
    assert desk.refused("scan", node="intake").code == "ACC-034", "the trigger was held"
    desk.later(minutes=5)
    (scan,) = desk.give("scan", node="intake")["scans"]
    assert (scan["at"], len(scan["again"])) == (first, 1)


def test_withdrawing_before_and_not_after_the_decision() -> None:
    desk = Desk().accepted()
    assert desk.refused("withdraw", reason="").code == "ACC-030"
    case = copy.deepcopy(desk).give("withdraw", reason="不办了")
    assert (case["state"], case["flow"]["status"]) == ("withdrawn", "aborted")
    desk.give("decide", OFFICER, result="approved")
    assert desk.refused("withdraw", reason="不办了").code == "ACC-012"


# --- result and after ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"method": "pigeon", "by": "李"}, "method"),
        ({"method": "window", "by": "", "id_number": "11010519491231002X"}, "by"),
        ({"method": "window", "by": "李晓明", "id_number": "341103199005120015"}, "id_number"),
        ({"method": "agent", "by": "王代", "id_number": ""}, "id_number"),
        ({"method": "agent", "by": "王代", "id_number": "11010519491231002x"}, "id_number"),
        ({"method": "post", "by": "李晓明"}, "tracking"),
    ],
)
def test_who_may_collect(body: Mapping[str, Any], field: str) -> None:
    desk = Desk().decided()
    desk.give("issue", kind="营业执照", number="91")
    assert list(desk.refused("collect", **body).fields) == [field]
    case = desk.give("collect", method="window", by="李晓明", id_number="11010519491231002x")
    assert (case["state"], case["collected"]["clerk"]["name"]) == ("closed", "张三")


def test_the_term_ends_with_the_result_not_with_its_collection() -> None:
    desk = Desk().decided()
    desk.give("issue", kind="营业执照")
    desk.later(days=30)
    case = desk.give("collect", method="post", by="李晓明", tracking="EA1")
    found = standing_of(case, date(2027, 1, 1), WorkCalendar())
    assert found
    assert found.level == "early"


def test_a_case_is_rated_once() -> None:
    desk = Desk().accepted()
    assert desk.refused("rate", stars=2).code == "ACC-042", "the two lowest say why"
    assert desk.refused("rate", stars=6).code == "ACC-042"
    assert desk.refused("rate", OTHER, stars=5).code == "ACC-049"
    desk.give("rate", stars=2, reasons=["等候时间长"])
    assert desk.refused("rate", stars=5).code == "ACC-043"


def test_a_paper_printed_again_is_counted_and_explained() -> None:
    desk = Desk().accepted()
    assert desk.refused("print", kind="decline").code == "ACC-044"
    desk.give("print", kind="receipt")
    assert desk.refused("print", kind="receipt").code == "ACC-044"
    assert desk.refused("print", OFFICER, kind="receipt", reason="遗失").code == "AUTH-403"
    case = desk.give("print", kind="receipt", reason="申请人遗失")
    assert len(case["papers"]) == 2
    assert "第 1 次" in case["history"][-1]["text"]


def test_cards_are_the_servers() -> None:
    desk = Desk().accepted()
    desk.later(days=6)
    assert desk.refused("card", MANAGER, level="yellow", to=[]).code == "AUTH-403"
    assert desk.refused("card", SYSTEM, level="red", to=[]).code == "ACC-046"
    case = desk.give("card", SYSTEM, level="yellow", to=[{"id": "p", "name": "王五", "role": "承办人"}])
    assert "超期 1 个工作日" in case["history"][-1]["text"]
    assert desk.refused("card", SYSTEM, level="yellow", to=[]).code == "ACC-046"


# --- what is offered, and what is old -----------------------------------------------------------------------------


def test_buttons_for_each_person() -> None:
    desk = Desk().accepted()
    clerk, officer = desk.names(CLERK), desk.names(OFFICER)
    assert {"rate", "scan", "withdraw", "hand_over"} <= clerk.keys()
    assert not {"approve", "accept", "collect", "supply_lacking"} & clerk.keys()
    assert {"approve", "reject", "suspend", "transfer"} <= officer.keys()
    assert desk.names(OTHER) == {}
    desk.give("rate", stars=5)
    assert "已于" in desk.names(CLERK)["rate"]


def test_a_case_of_the_first_release_goes_on() -> None:
    case = Desk().accepted().case
    assert case
    keys = ("id", "number", "state", "item", "hall_id", "place", "applicant", "form", "materials", "accepted_at",
            "accepted_by", "due", "decision", "closed_at", "closed_by", "history")  # fmt: skip
    desk = Desk()
    desk.case = {key: case[key] for key in keys}
    assert CASE.summary(desk.case).state == "accepted"
    assert {"approve", "reject"} <= desk.names(OFFICER).keys()
    desk.give("decide", OFFICER, result="approved", opinion="")
    assert desk.give("close", OFFICER)["state"] == "closed"


def test_numbers_names_and_papers_are_searched() -> None:
    agent = {"name": "王代", "id_number": "341103199005120015", "phone": "13900000000"}
    desk = Desk()
    case = desk.give("accept", **desk.whole(agent=agent), ticket={"id": "t1", "number": "A017"})
    words = CASE.summary(case).search.split()
    assert {"李晓明", "王代", "341103199005120015", "13900000000", "A017", case["number"]} <= set(words)
    wrong = Desk()
    faulty = wrong.refused("accept", **wrong.whole(agent={"name": "王代"}))
    assert "applicant.agent.phone" in faulty.fields
