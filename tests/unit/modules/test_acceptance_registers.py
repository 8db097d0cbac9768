"""Dictionaries, days and addresses as rules; lists of days as text; what other days move; who serves what."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from modules.acceptance.domain import registers
from modules.acceptance.domain.registers import moves, read_days, relations, with_days
from modules.common.aggregate import Command, Context, Doc, apply
from modules.common.calendar import WorkCalendar
from modules.common.errors import Refusal
from modules.common.permissions import Actor
from tests.support.fake_host import actor

NOW = datetime(2026, 11, 20, 2, 24, tzinfo=UTC)
ADMIN, MANAGER = actor("sysadmin", hall="", name="吴系统"), actor("manager", name="孙七")
RULES: dict[str, Any] = {
    "dictionary": registers.DICTIONARY,
    "calendar_day": registers.CALENDAR_DAY,
    "organisation": registers.ORGANISATION,
}
GROUNDS = {
    "name": "不予受理依据",
    "entries": [{"value": "a", "text": "不归本机关管"}, {"value": "b", "text": "已受理"}],
}
DAY = {"date": "2026-12-28", "workday": False, "name": "检修"}


def give(state: Doc | None, type: str, body: Doc, id: str, who: Actor = ADMIN) -> Doc | Refusal:
    kind = type.partition(".")[0]
    outcome = apply(RULES[kind], state, Command("c", kind, id, type, body), Context(NOW, who, WorkCalendar()))
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def refused(outcome: Doc | Refusal) -> Refusal:
    assert isinstance(outcome, Refusal), outcome
    return outcome


def kept(outcome: Doc | Refusal) -> Doc:
    assert not isinstance(outcome, Refusal), outcome
    return outcome


def test_what_was_published_is_changed_by_who_may_and_by_nobody_else() -> None:
    published = {"id": "decline-ground", "state": "active", **GROUNDS}
    doc = kept(give(published, "dictionary.put", {**GROUNDS, "name": "依据"}, "decline-ground"))
    assert (doc["name"], doc["state"], doc["changed_by"]["name"]) == ("依据", "active", "吴系统")
    assert registers.DICTIONARY.scopes(doc) == {"ref"}
    assert "已受理" in registers.DICTIONARY.summary(doc).search
    for kind, body, id in (("dictionary", GROUNDS, "decline-ground"), ("calendar_day", DAY, DAY["date"])):
        assert refused(give(None, f"{kind}.put", body, str(id), MANAGER)).code == "AUTH-403"


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"value": "a", "text": "一"}, {"value": "a", "text": "二"}], "代码“a”重复。"),
        ([{"value": "", "text": "一"}], "第 1 条没有代码，或超过 64 个字。"),
        ([{"value": "a", "text": "一"}, {"value": "b", "text": " "}], "第 2 条没有内容，或超过 200 个字。"),
        ([{"value": "a", "text": "一", "removed": "yes"}], "字典条目填写有误。"),
        ("a b", "字典条目填写有误。"),
    ],
)
def test_entries_are_told_apart_and_say_something(entries: Any, words: str) -> None:
    outcome = refused(give(None, "dictionary.put", {"name": "字典", "entries": entries}, "d"))
    assert outcome.fields == {"entries": words}


def test_monitoring_keeps_whole_numbers_of_days() -> None:
    body = {"name": "监察时限", "entries": [], "remind_before": 2, "red_grace": "3"}
    assert set(refused(give(None, "dictionary.put", body, "case-monitoring")).fields) == {"red_grace"}
    assert kept(give(None, "dictionary.put", {**body, "red_grace": 0}, "case-monitoring"))["red_grace"] == 0
    assert kept(give(None, "dictionary.put", {**GROUNDS}, "other"))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"date": "2026-12-29"}, "date"),
        ({"workday": "no"}, "workday"),
        ({"name": " "}, "name"),
        ({"name": "长" * 41}, "name"),
    ],
)
def test_a_day_is_its_date_its_kind_and_its_name(change: Doc, field: str) -> None:
    assert set(refused(give(None, "calendar_day.put", {**DAY, **change}, "2026-12-28")).fields) == {field}
    assert refused(give(None, "calendar_day.put", {**DAY, "date": "28.12."}, "28.12.")).fields.keys() == {"date"}


def test_a_day_taken_out_of_the_table_counts_no_more() -> None:
    day = kept(give(None, "calendar_day.put", DAY, "2026-12-28"))
    monday = date(2026, 12, 28)
    assert not WorkCalendar.from_documents([day]).is_workday(monday)
    removed = kept(give(day, "calendar_day.remove", {}, "2026-12-28"))
    assert WorkCalendar.from_documents([removed]).is_workday(monday)
    assert refused(give(removed, "calendar_day.remove", {}, "2026-12-28")).code == "REG-002"
    published = {"id": "2026-12-28", **DAY}
    assert kept(give(published, "calendar_day.remove", {}, "2026-12-28"))["state"] == "removed"
    assert not WorkCalendar.from_documents([kept(give(removed, "calendar_day.put", DAY, "2026-12-28"))]).is_workday(
        monday
    )


def test_an_organisation_is_reached_otherwise_but_stays_what_it_is() -> None:
    hall = {"id": "hall-1", "kind": "hall", "name": "大厅", "series": "3411A", "phone": "1", "address": "老街"}
    doc = kept(give(hall, "organisation.put", {"phone": "0550-12345", "name": "别的", "kind": "department"}, "hall-1"))
    assert (doc["phone"], doc["address"], doc["name"], doc["kind"], doc["series"]) == (
        "0550-12345", "老街", "大厅", "hall", "3411A",
    )  # fmt: skip
    assert refused(give(None, "organisation.put", {"phone": "1"}, "hall-9")).code == "ACC-343"
    assert refused(give(hall, "organisation.remove", {}, "hall-1")).code == "ACC-343"
    assert refused(give(hall, "organisation.put", {"phone": "1" * 41}, "hall-1")).fields.keys() == {"phone"}


def test_a_list_of_days_is_read_line_by_line() -> None:
    text = (
        "2027-01-01 休 元旦\n\n2027年2月6日至2027年2月8日，放假，春节 假期\n2027/2/20\t班\t春节调休\n"
        "2027-02-30 休 没有\n"
        "乱写\n2027-01-01 班 又一次\n"
        "2027-03-01 也许 不知道\n2027-05-01 至 2027-04-01 休 颠倒"
    )
    days, faults = read_days(text)
    assert [(day["date"], day["workday"], day["name"]) for day in days] == [
        ("2027-01-01", False, "元旦"),
        ("2027-02-06", False, "春节 假期"),
        ("2027-02-07", False, "春节 假期"),
        ("2027-02-08", False, "春节 假期"),
        ("2027-02-20", True, "春节调休"),
    ]
    assert [(fault.row, fault.words.partition("，")[0]) for fault in faults] == [
        (5, "日期“2027-02-30”无法识别。"),
        (6, "应为：日期 休或班 名称"),
        (7, "2027-01-01 前面已经有了。"),
        (8, "“也许”看不出是休还是班。"),
        (9, "起止日期颠倒"),
    ]


def case(id: str, due: str, days: int, start: str = "2026-11-20") -> dict[str, Any]:
    item = {"name": "登记", "promised_days": days, "kind": "承诺件"}
    term = {"start": start, "days": days, "pauses": [], "extension": 0, "kind": "承诺件", "bound": True}
    return {"id": id, "number": id, "state": "accepted", "item": item, "applicant": {"name": "李"}, "flow": None,
            "term": {**term, "red_grace": 3, "remind_before": 1}, "due": {"date": due, "provisional": False},
            "closed_at": "", "ended_on": None}  # fmt: skip


def test_other_days_move_the_cases_whose_terms_they_touch() -> None:
    # counted from Friday the 20th: three days end on Wednesday the 25th, one on Monday the 23rd
    cases = [case("b", "2026-11-25", 3), case("a", "2026-11-23", 1)]
    before = with_days([], [])
    after = with_days([], [{"date": "2026-11-24", "workday": False, "name": "检修"}])
    found = moves(cases, date(2026, 11, 20), before, after)
    assert [(move.id, move.before.day, move.after.day) for move in found] == [("b", 25, 26)]
    assert not any(case["applicant"]["name"] in str(move) for case in cases for move in found), "it names nobody"
    back = moves(
        cases, date(2026, 11, 20), after, with_days([], [{"date": "2026-11-22", "workday": True, "name": "补班"}])
    )
    assert {move.id: (move.before.day, move.after.day) for move in back} == {"a": (23, 22), "b": (26, 24)}
    own = [{"date": "2026-11-24", "workday": False, "name": "检修"}]
    assert with_days(own, [], ["2026-11-24"]).is_workday(date(2026, 11, 24))


def window(id: str, codes: list[str], staff: list[str], group: str = "A") -> dict[str, Any]:
    return {"id": id, "name": id, "group": group, "department_ids": [], "item_codes": codes, "staff": staff}


def test_items_that_nobody_serves_stand_first() -> None:
    items = [
        {"code": code, "name": code, "department": "局", "department_id": "d", "window_groups": ["B"]}
        for code in ("fine", "nobody", "empty", "shut")
    ]
    windows = [window("w1", ["fine"], ["p1"]), window("w2", ["empty"], []), window("w3", ["shut"], ["p1"])]
    rows = {row.item["code"]: row for row in relations(items, windows, ["w3"])}
    assert list(rows)[-1] == "fine"
    assert {code: row.why for code, row in rows.items()} == {
        "nobody": "没有窗口办理", "empty": "窗口没有排人", "shut": "办理的窗口都已停用", "fine": "",
    }  # fmt: skip
    assert rows["fine"].staff == ("p1",)
    assert [one["id"] for one in registers.windows_of("p1", windows)] == ["w1", "w3"]
