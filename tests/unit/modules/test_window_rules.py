"""Windows as rules: who sits there, what the floor plan says of it, and what settings may be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modules.acceptance.domain import windows
from modules.acceptance.domain.windows import settings_of, standing
from modules.common.aggregate import Command, Context, Doc, apply
from modules.common.clock import iso
from modules.common.errors import Refusal
from tests.support.queue_hall import CALENDAR, HALL, person, window

NINE = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
W = window(1, staff=["p-zhangsan"])
CLERK, OTHER, MANAGER = person("zhangsan"), person("lisi"), person("sunqi", "manager")


def do(state: Doc | None, type: str, actor: Any, minute: int = 0, kind: str = "window", **body: Any) -> Doc | Refusal:
    rules = windows.WINDOW if kind == "window" else windows.QUEUE_SETTINGS
    command = Command("c1", kind, HALL if kind != "window" else "w", type, body)
    outcome = apply(rules, state, command, Context(NINE + timedelta(minutes=minute), actor, CALENDAR))
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def done(state: Doc | None, type: str, actor: Any, minute: int = 0, **body: Any) -> Doc:
    outcome = do(state, type, actor, minute, **body)
    assert not isinstance(outcome, Refusal), outcome
    return outcome


def code(outcome: Doc | Refusal) -> str:
    assert isinstance(outcome, Refusal)
    return outcome.code


def stands(doc: Doc, minute: int, tickets: Any = ()) -> tuple[str, str]:
    found = standing(doc, tickets, settings_of(None), CALENDAR, NINE + timedelta(minutes=minute))
    return found.state, found.words


def test_the_five_states() -> None:
    signed = done(W, windows.SIGN_IN, CLERK, -5)
    assert stands(W, -5) == ("signed_out", "无人登录。")
    assert stands(W, 14) == ("signed_out", "无人登录。"), "a quarter of an hour of grace"
    assert stands(W, 15) == ("absent", "工作时间无人登录，自 09:00 起。")
    assert stands(W, 200) == ("signed_out", "无人登录。"), "lunch"
    assert stands(signed, 5) == ("free", "zhangsan在岗。")
    ticket = {"state": "called", "window": {"id": W["id"]}, "called_at": iso(NINE), "number": "A001", "served_at": ""}
    assert stands(signed, 5, [ticket]) == ("busy", "zhangsan已呼叫 A001。")
    serving = {**ticket, "state": "serving", "served_at": iso(NINE)}
    assert stands(signed, 5, [serving]) == ("busy", "zhangsan正在办理 A001。")
    assert stands(signed, 5, [{**ticket, "window": {"id": "w9"}}])[0] == "free"
    paused = done(signed, windows.SUSPEND, CLERK, 10, text="临时离岗")
    assert stands(paused, 39) == ("suspended", "zhangsan：临时离岗")
    assert stands(paused, 40) == ("absent", "已暂停 30 分钟，超过 30 分钟。")
    assert stands(done(paused, windows.RESUME, CLERK, 41), 42)[0] == "free"
    left = done(signed, windows.SIGN_OUT, CLERK, 60)
    assert stands(left, 61) == ("absent", "工作时间无人登录，自 10:00 起。")
    assert stands(signed, 3 * 24 * 60 - 30)[0] == "signed_out", "left signed in on Friday"
    assert stands(W, 24 * 60 + 30)[0] == "signed_out", "a Saturday"
    assert [windows.state_name(state) for state in ("signed_out", "free", "busy", "suspended", "absent")] == [
        "未登录", "空闲", "正在办理", "暂停办理", "考勤异常",
    ]  # fmt: skip


def test_who_may_sit_down() -> None:
    signed = done(W, windows.SIGN_IN, CLERK)
    assert code(do(W, windows.SIGN_IN, OTHER)) == "ACC-268"
    assert code(do({**signed, "staff": []}, windows.SIGN_IN, OTHER, 5)) == "ACC-269"
    assert done({**signed, "staff": []}, windows.SIGN_IN, OTHER, 24 * 60)["state"]["signed_in"]["id"] == "p-lisi"
    assert code(do(signed, windows.SIGN_OUT, OTHER)) == "ACC-273"
    assert done(signed, windows.SIGN_OUT, MANAGER)["state"]["signed_in"] is None
    assert code(do(W, windows.SUSPEND, CLERK, text="x")) == "ACC-270"
    assert code(do(signed, windows.SUSPEND, CLERK, text=" ")) == "ACC-271"
    assert code(do(signed, windows.RESUME, CLERK)) == "ACC-272"
    assert code(do(W, windows.SIGN_IN, person("x", hall="hall-2"))) == "ACC-262"
    assert code(do(W, windows.SIGN_IN, person("y", "officer"))) == "AUTH-403"


def test_a_stopped_window_takes_nobody_until_its_day() -> None:
    stopped = done(done(W, windows.SIGN_IN, CLERK), windows.STOP, MANAGER, text="检修", until="2026-11-23")
    assert stopped["state"]["signed_in"] is None
    assert stands(stopped, 30) == ("signed_out", "已停用：检修")
    assert code(do(stopped, windows.SIGN_IN, CLERK)) == "ACC-267"
    assert done(stopped, windows.SIGN_IN, CLERK, 4 * 24 * 60)["state"]["signed_in"]
    assert done(stopped, windows.REOPEN, MANAGER)["state"]["stopped"] is None
    assert code(do(W, windows.STOP, MANAGER, text="检修", until="2026-11-19")) == "ACC-275"
    assert code(do(W, windows.STOP, CLERK, text="检修")) == "AUTH-403"


def test_strategies_change_while_running_and_fall_back_to_the_groups() -> None:
    own = done(W, windows.SET_STRATEGY, MANAGER, strategy={"booked": "mix"})
    settings = settings_of({"groups": {"A": {"name": "", "strategy": {**windows.DEFAULT_STRATEGY, "every": 7}}}})
    assert windows.strategy_of(own, settings)["booked"] == "mix"
    assert windows.strategy_of(done(own, windows.SET_STRATEGY, MANAGER, strategy=None), settings)["every"] == 7
    for wrong in ({"booked": "never"}, {"every": 1}, {"slack": True}, {"patience": -1}, {"colour": 1}, [], "mix"):
        assert code(do(W, windows.SET_STRATEGY, MANAGER, strategy=wrong)) == "ACC-266"
    assert windows.strategy_words(windows.PRESETS["mix"]) == (
        "现场 2 人叫预约 1 人；每 3 个号叫 1 个优先号；等候满 60 分钟后不再被插队"
    )


def test_the_manager_arranges_and_the_system_administrator_defines() -> None:
    assert done(W, windows.EDIT, MANAGER, x=3.5, area="二楼")["x"] == 3.5
    assert code(do(W, windows.EDIT, MANAGER, name="别的")) == "AUTH-403"
    admin = person("xitong", "sysadmin")
    assert code(do(None, windows.CREATE, MANAGER, name="x")) == "AUTH-403"
    made = done(None, windows.CREATE, admin, name="9 号窗口", hall_id=HALL)
    assert made["item_codes"] == ["*"]
    faulty = do(None, windows.CREATE, admin, name="", group="ab", item_codes=[1], hall_id=HALL)
    assert isinstance(faulty, Refusal)
    assert set(faulty.fields) == {"name", "group", "item_codes"}


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("hours", []),
        ("hours", [["12:00", "09:00"]]),
        ("hours", [["9:00", "12:00"]]),
        ("hours", [["09:00", "12:00"], ["11:00", "17:00"]]),
        ("grace", -1),
        ("priority", {"classes": [], "hash": "geheim"}),
        ("priority", {"classes": [{"name": ""}]}),
        ("groups", {"a": {"name": ""}}),
        ("booking", {"first_day": 3, "last_day": 2}),
        ("booking", {"places": "4"}),
        ("texts", {"suspend": "x"}),
    ],
)
def test_settings_that_cannot_be_are_refused(part: str, value: Any) -> None:
    assert code(do(None, windows.SET, MANAGER, kind="queue_settings", part=part, value=value)) == "ACC-279"


def test_settings_keep_what_was_set_and_default_the_rest() -> None:
    doc = done(None, windows.SET, MANAGER, kind="queue_settings", part="booking", value={"places": 9})
    assert settings_of(doc)["booking"]["places"] == 9
    assert settings_of(doc)["booking"]["no_shows"] == 3
    assert code(do(None, windows.SET, CLERK, kind="queue_settings", part="grace", value=5)) == "AUTH-403"
    assert code(do(None, windows.SET, MANAGER, kind="queue_settings", part="colour", value=5)) == "ACC-278"


def test_what_a_window_offers() -> None:
    item = {"code": "x", "department_id": "d1"}
    assert windows.offers(W, item)
    assert not windows.offers(W, item, "B")
    assert not windows.offers({**W, "department_ids": ["d2"]}, item)
    assert windows.offers({**W, "item_codes": ["x"], "group": "B"}, item, "A"), "named items in whatever group"
    assert not windows.offers({**W, "item_codes": ["y"]}, item)


def edit(state: Doc, actor: Any, rev: int, base: int, type: str = windows.EDIT, **body: Any) -> Doc | Refusal:
    """Something set by somebody who had revision ``base`` of ``rev`` in sight."""
    rules = windows.QUEUE_SETTINGS if type == windows.SET else windows.WINDOW
    command = Command("c1", rules.kind, HALL if type == windows.SET else "w", type, body, base_rev=base)
    outcome = apply(rules, state, command, Context(NINE, actor, CALENDAR, rev=rev))
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def test_what_somebody_else_has_set_meanwhile_is_not_overwritten() -> None:
    second = person("zhouba", "manager")
    moved = edit(W, MANAGER, 4, 4, x=3, y=3)
    assert not isinstance(moved, Refusal)
    assert code(edit(moved, second, 5, 4, x=9)) == "REG-005"
    # another part, one's own change, and whatever has been seen, are in nobody's way; nor is who signs in
    assert not isinstance(edit(moved, second, 5, 4, area="东区"), Refusal)
    assert not isinstance(edit(moved, MANAGER, 5, 4, x=9), Refusal)
    assert not isinstance(edit(moved, second, 5, 5, x=9), Refusal)
    signed = done(moved, windows.SIGN_IN, CLERK)
    assert not isinstance(edit(signed, second, 6, 5, x=9), Refusal)
    lined = edit(moved, MANAGER, 5, 5, windows.SET_STRATEGY, strategy=None)
    assert not isinstance(lined, Refusal)
    assert code(edit(lined, second, 6, 5, windows.SET_STRATEGY, strategy=None)) == "REG-005"


def test_settings_are_kept_part_by_part() -> None:
    second = person("zhouba", "manager")
    first = edit({"id": HALL, "hall_id": HALL}, MANAGER, 1, 1, windows.SET, part="grace", value=20)
    assert not isinstance(first, Refusal)
    assert code(edit(first, second, 2, 1, windows.SET, part="grace", value=30)) == "REG-005"
    other = edit(first, second, 2, 1, windows.SET, part="longest_pause", value=45)
    assert not isinstance(other, Refusal)
    assert (other["grace"], other["longest_pause"]) == (20, 45)
