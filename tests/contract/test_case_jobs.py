"""The scheduler's rounds and the portal's door on the real server: each card once, killed or not, and told first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from modules.acceptance.domain.cases import CASE
from modules.acceptance.server import jobs, telling
from modules.acceptance.server.applications import Application, router
from modules.common.aggregate import Command, Context, Doc, Number, apply
from modules.common.calendar import WorkCalendar
from modules.common.clock import FixedClock
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.ids import uuid7
from modules.common.manifest import permissions_of
from modules.common.permissions import SYSTEM, Actor
from modules.common.server_ports import Caller, Reference
from modules.common.workflow import principal
from server_stub.config import Config
from server_stub.seeding import seed
from server_stub.services import Services
from tests.support.central import QUICK
from tests.support.fake_host import actor, filled, item

FRIDAY = datetime(2026, 11, 20, 2, 24, tzinfo=UTC)
OFFICER = actor("officer", hall="", department="dept-market", name="王五")


@dataclass
class Office:
    """The demonstration's server, its clock, and somebody signed in by decree."""

    services: Services
    clock: FixedClock
    actor: Actor

    def require(self, permission: str) -> Callable[[], Caller]:
        def check() -> Caller:
            if not self.actor.may(permission):
                raise GovDeskError("AUTH-403", permission)
            return Caller(self.actor, "")

        return check

    def __getattr__(self, name: str) -> Any:
        return getattr(self.services, name)

    def case(self, *, changes: Mapping[str, Any] | None = None, **body: Any) -> str:
        """A case accepted now, as a device's push would leave it; its id."""
        served = {**item(), **(changes or {})}
        id = uuid7()
        command = Command("c", "case", id, "case.accept", {**filled(served), **body}, number=Number("3411A", 1))
        refs = {key: served for key in CASE.refs(command) if key[0] == "service_item"}
        outcome = apply(CASE, None, command, Context(self.clock.now(), actor(), WorkCalendar(), "3号窗", refs))
        assert not isinstance(outcome, Refusal), outcome
        self.services.commands.publish([Reference("case", id, outcome[0])])
        return id

    def get(self, id: str) -> Doc:
        found = self.services.commands.get("case", id)
        assert found
        return found

    def at(self, day: str) -> None:
        """Nine in the morning of a day to come."""
        self.clock.advance((datetime.fromisoformat(f"{day}T01:00:00+00:00") - self.clock.now()).total_seconds())

    def told(self) -> list[Doc]:
        return list(self.services.commands.find("notice", limit=1000))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    clock = FixedClock(FRIDAY)
    services = Services(Config(tmp_path, "", settings=QUICK), clock)
    seed(services)
    yield Office(services, clock, actor())
    services.close()


def levels(case: Doc) -> list[str]:
    return [card["level"] for card in case["cards"]]


def test_each_card_falls_on_its_day_and_once(office: Office) -> None:
    id = office.case()  # due on Wednesday the 25th
    for day, expected in (
        ("2026-11-23", []),
        ("2026-11-24", ["reminder"]),
        ("2026-11-25", ["reminder"]),
        ("2026-11-26", ["reminder", "yellow"]),
        ("2026-11-30", ["reminder", "yellow"]),
        ("2026-12-01", ["reminder", "yellow", "red"]),
        ("2026-12-31", ["reminder", "yellow", "red"]),
    ):
        office.at(day)
        jobs.cards(office)
        jobs.cards(office)
        assert levels(office.get(id)) == expected, day


def test_a_card_goes_to_the_four_roles(office: Office) -> None:
    id = office.case()
    office.at("2026-11-26")
    jobs.cards(office)
    card = office.get(id)["cards"][-1]
    assert card["level"] == "yellow"
    assert {to["role"] for to in card["to"]} == {"承办人", "科室负责人", "主管领导", "系统管理员"}
    mine = [notice for notice in office.told() if notice["link"] == f"case:{id}" and notice["title"] == "黄牌"]
    assert {notice["to"] for notice in mine} == {to["id"] for to in card["to"]}
    assert len(mine) == len(card["to"])


def test_a_round_killed_in_the_middle_is_made_again(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after every command in turn: in the end each card once, each notice once, none without the other."""
    ids = [office.case() for _ in range(3)]
    office.at("2026-11-26")
    right, left = office.services.commands.give, 0

    class Killed(BaseException):
        pass

    def give(*arguments: Any, **options: Any) -> int:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return right(*arguments, **options)

    monkeypatch.setattr(office.services.commands, "give", give)
    for allowed in range(1, 40):
        left = allowed % 4
        try:
            jobs.cards(office)
        except Killed:
            continue
    left = 1000
    jobs.cards(office)
    for id in ids:
        assert levels(office.get(id)) == ["yellow"]
        to = Counter(notice["to"] for notice in office.told() if notice["link"] == f"case:{id}")
        assert set(to) == {one["id"] for one in office.get(id)["cards"][0]["to"]}
        assert set(to.values()) == {1}


def test_what_is_done_suspended_or_not_late_gets_no_card(office: Office) -> None:
    plain, suspended = office.case(), office.case()
    reach = Actor(OFFICER.id, "wangwu", "王五", "", "dept-market", OFFICER.roles, OFFICER.permissions)
    context = Context(office.clock.now(), reach, WorkCalendar())
    for id, type, body in (
        (plain, "case.decide", {"result": "approved", "opinion": ""}),
        (suspended, "case.suspend", {"reason": "等待鉴定"}),
    ):
        outcome = apply(CASE, office.get(id), Command("c", "case", id, type, body), context)
        assert not isinstance(outcome, Refusal)
        office.services.commands.publish([Reference("case", id, outcome[0])])
    closed = apply(CASE, office.get(plain), Command("c", "case", plain, "case.close", {}), context)
    assert not isinstance(closed, Refusal)
    office.services.commands.publish([Reference("case", plain, closed[0])])
    office.at("2027-01-20")
    jobs.cards(office)
    assert [levels(office.get(id)) for id in (plain, suspended)] == [[], []]


def test_a_changed_holiday_table_moves_open_cases_and_says_so(office: Office) -> None:
    id = office.case()
    jobs.rounds(office)
    assert len(office.get(id)["history"]) == 1, "nothing has changed"
    day = {"id": "2026-11-24", "date": "2026-11-24", "workday": False, "name": "临时放假"}
    office.services.commands.publish([Reference("calendar_day", "2026-11-24", day, "临时放假")])
    jobs.rounds(office)
    jobs.rounds(office)
    case = office.get(id)
    assert case["due"] == {"date": "2026-11-26", "provisional": False}
    assert [line["event"] for line in case["history"]] == ["case.accepted", "case.recounted"]
    assert "2026-11-25 改为 2026-11-26" in case["history"][-1]["text"]


@pytest.mark.parametrize(
    ("consequence", "state"),
    [
        ("逾期未补的，暂停办理；补齐后继续。", "suspended"),
        ("逾期未补的，终止办理，可以重新申请。", "aborted"),
        ("逾期未补的，作出不予许可的决定。", "decided"),
        ("逾期未补的，暂缓发放。", "accepted"),
    ],
)
def test_what_never_came_does_what_the_citizen_was_told(office: Office, consequence: str, state: str) -> None:
    served = item()
    served["materials"][1] |= {"may_lack": True, "lack_days": 2, "lack_consequence": consequence}
    kept = [entry for entry in filled(served)["materials"] if entry["id"] != "m2"]
    id = office.case(changes=served, materials=kept, lacking=["m2"])
    office.at("2026-11-24")  # the last day is not yet over
    jobs.rounds(office)
    assert office.get(id)["state"] == "accepted"
    office.at("2026-11-25")
    jobs.rounds(office)
    jobs.rounds(office)
    case = office.get(id)
    assert case["state"] == state
    assert consequence in case["history"][-1]["text"]
    assert [line["event"] for line in case["history"]].count("case.lapsed") == 1


def test_many_cases_are_read_page_by_page(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PAGE", 3)
    ids = [office.case() for _ in range(10)]
    office.at("2026-11-26")
    jobs.cards(office)
    assert [levels(office.get(id)) for id in ids] == [["yellow"]] * 10


def approval(days: int | None) -> dict[str, Any]:
    """An approval of one step that has days of its own."""
    by = {"role": "officer", "department": ""}
    step = {"id": "decide", "name": "审批", "kind": "decide", "by": by, "days": days}
    return {"template": {"id": "own", "name": "一步", "steps": [step]}}


def notices_about(office: Office, id: str, title: str) -> list[Doc]:
    return [notice for notice in office.told() if notice["link"] == f"case:{id}" and notice["title"] == title]


def test_a_step_with_days_of_its_own_is_reminded_of_and_then_late(office: Office) -> None:
    id = office.case(changes=approval(3))  # to be done by Wednesday the 25th
    without = office.case()
    for day, near, late in (("2026-11-23", 0, 0), ("2026-11-24", 1, 0), ("2026-11-25", 1, 0), ("2026-11-26", 1, 1)):
        office.at(day)
        telling.tell(office)
        telling.tell(office)
        reminded, missed = notices_about(office, id, "环节时限提醒"), notices_about(office, id, "环节超时")
        assert (bool(reminded), bool(missed)) == (bool(near), bool(late)), day
        assert len({notice["to"] for notice in reminded}) == len(reminded), "nobody is told twice"
    assert len(missed) > len(reminded), "the section head hears of what is late"
    assert not notices_about(office, without, "环节时限提醒")


def test_an_urge_tells_whoever_holds_the_step_and_not_who_urged(office: Office) -> None:
    id = office.case()
    case = office.get(id)
    urge = {"at": "2026-11-20T02:30:00Z", "by": {"id": "p-manager", "name": "孙七"}, "text": "群众在等"}
    old = {**urge, "at": "2026-10-01T02:30:00Z", "text": "上个月"}
    office.services.commands.publish([Reference("case", id, {**case, "urges": [old, urge]})])
    telling.tell(office)
    telling.tell(office)
    told = notices_about(office, id, "催办")
    assert told
    assert len({notice["to"] for notice in told}) == len(told)
    assert all("群众在等" in notice["text"] and "孙七" in notice["text"] for notice in told)
    mine = told[0]["to"]
    again = {**urge, "at": "2026-11-20T03:30:00Z", "by": {"id": mine, "name": "自己"}}
    office.services.commands.publish([Reference("case", id, {**case, "urges": [again]})])
    telling.tell(office)
    assert mine not in {notice["to"] for notice in notices_about(office, id, "催办") if "自己" in notice["text"]}


def test_an_answer_about_the_knowledge_base_reaches_who_asked(office: Office) -> None:
    asked = {"id": "r-1", "state": "answered", "department_id": "dept-market", "text": "电话已变更", "item_code": "",
             "asked_by": {"id": "p-clerk", "name": "张三"}, "answer": "已更新", "answered_at": "2026-11-20T02:00:00Z",
             "answered_by": {"id": "p-officer", "name": "王五"}}  # fmt: skip
    opened = {**asked, "id": "r-2", "state": "open", "answer": "", "answered_at": None, "answered_by": None}
    office.services.commands.publish([Reference("knowledge_request", one["id"], one) for one in (asked, opened)])
    telling.tell(office)
    telling.tell(office)
    (notice,) = [notice for notice in office.told() if notice["title"] == "知识库答复"]
    assert (notice["to"], notice["link"]) == ("p-clerk", "knowledge_request:r-1")
    assert "王五" in notice["text"]
    assert "已更新" in notice["text"]


@pytest.mark.parametrize(("change", "taken"), [({}, True), ({"name": "别人"}, False), ({"id": "p-none"}, False)])
def test_the_server_knows_whether_a_delegate_is_there(office: Office, change: Doc, taken: bool) -> None:
    views = office.services.people.with_role("officer", department_id="dept-market")
    heads = office.services.people.with_role("section_head", department_id="dept-market")
    giver = Actor(views[0].id, views[0].login, views[0].name, department_id="dept-market", roles=frozenset({"officer"}))
    to = {"id": heads[0].id, "name": heads[0].name, **change}
    body = {"from": principal(giver), "to": to, "since": "2026-11-20", "until": "2026-11-22"}

    def delegate() -> int:
        return office.services.commands.give("delegation", uuid7(), "delegation.put", body, actor=giver)

    if taken:
        assert delegate()
    else:
        with pytest.raises(Refused, match="别人|" + heads[0].name):
            delegate()


class Portal:
    """The routes, called as the server calls them: first who may, then what."""

    def __init__(self, office: Office) -> None:
        made = router(office)  # type: ignore[arg-type]
        self._routes = {(*route.methods, route.path): route for route in made.routes if isinstance(route, APIRoute)}

    def __call__(self, method: str, path: str, *arguments: Any) -> Any:
        route = self._routes[method, path]
        (permission,) = route.dependant.dependencies
        assert permission.call
        return route.endpoint(*arguments, caller=permission.call())

    def refusal(self, method: str, path: str, *arguments: Any) -> str:
        with pytest.raises(GovDeskError) as refused:
            self(method, path, *arguments)
        return refused.value.code


@pytest.fixture
def portal(office: Office) -> Portal:
    return Portal(office)


def application(reference: str = "W-1", **changes: Any) -> Application:
    body = filled(item()) | changes
    parts = (body[key] for key in ("item_id", "item_version", "applicant", "form", "materials"))
    return Application(reference, "hall-1", *parts)


APPLY = ("POST", "/applications")


def test_a_portal_hands_an_application_in_once(office: Office, portal: Portal) -> None:
    office.services.commands.publish([Reference("service_item", "item-test", {**item(), "id": "item-test"}, "事项")])
    mine = application(item_id="item-test")
    assert portal.refusal(*APPLY, mine) == "AUTH-403", "a clerk is no portal"
    office.actor = Actor("p-x", "pingtai", "网上平台", permissions=permissions_of({"portal"}))
    first = portal(*APPLY, mine)
    assert (first.state, first.state_name) == ("applied", "待预审")
    assert portal(*APPLY, mine) == first
    case = office.get(first.id)
    assert (case["source"], case["number"], case["history"][0]["by"]["id"]) == ("online", "", SYSTEM.id)
    assert portal.refusal(*APPLY, application("", item_id="item-test")) == "ACC-060"
    assert portal.refusal("GET", "/applications/{id}", "none") == "ACC-061"
    assert portal.refusal(*APPLY, application("W-2", item_id="item-none")) == "ACC-005"
    assert portal("GET", "/applications/{id}", first.id) == first


def test_every_look_into_the_person_base_is_recorded(office: Office, portal: Portal) -> None:
    number = "341103199005120015"
    found = portal("GET", "/base", "person", number)
    assert (found.found, found.values["name"]) == (True, "张三")
    assert not portal("GET", "/base", "firm", "91350100M000100Y43").found
    looks = office.services.commands.find("base_lookup", limit=10)
    assert [(look["kind"], look["found"], look["by"]["name"]) for look in looks] == [
        ("person", True, "张三"),
        ("firm", False, "张三"),
    ]
    assert number not in str(looks), "the number itself is kept masked"
    actions = [link.action for link in office.services.audit.find(action="base_lookup").items]
    assert actions == ["base_lookup.look"] * 2
    office.actor = Actor("p-y", "anquan", "郑安全", permissions=permissions_of({"secadmin"}))
    assert portal.refusal("GET", "/base", "person", number) == "AUTH-403"


def test_a_case_whose_term_no_calendar_can_end_keeps_no_other_from_its_round(office: Office) -> None:
    """A term just short of ten years: its due date is found, the days of its cards are not (CAL-002)."""
    endless = office.case(changes={"promised_days": 2514, "statutory_days": 2514})
    materials = [
        {**one, "may_lack": True, "lack_days": 1, "lack_consequence": "暂停办理"} for one in item()["materials"]
    ]
    given = [one for one in filled(item())["materials"] if one["id"] != "m2"]
    owing = office.case(changes={"materials": materials}, materials=given, lacking=["m2"])
    assert endless < owing, "the round meets the endless one first"
    office.at("2026-11-25")
    with pytest.raises(GovDeskError, match="CAL-002"):
        jobs.rounds(office)
    assert office.get(owing)["state"] == "suspended"


def test_the_portal_names_a_hall_that_there_is(office: Office) -> None:
    office.actor = actor("portal", hall="")
    (apply_route,) = (one for one in router(office).routes if isinstance(one, APIRoute) and one.path == "/applications")
    body = filled(item())
    parts = {key: body[key] for key in ("item_id", "item_version", "applicant", "form", "materials")}
    for hall in ("hall-99", "dept-market", ""):
        with pytest.raises(GovDeskError, match="ACC-062"):
            apply_route.endpoint(Application("W-1", hall, **parts), Caller(office.actor, ""))
