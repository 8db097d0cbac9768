"""The rules of windows (窗口) and of a hall's queue settings; how a window stands, as a pure function.

``window``: ``{id, hall_id, name, area, group, department_ids, item_codes (or ["*"]), staff, x, y, w, h, screen,
kind, state: {signed_in: {id, name, at} | null, suspended: {text, at} | null, stopped: {text, at, until, instead}
| null, left}, strategy | null, history}``. *Suspended* (暂停) is a pause during the day; *stopped* (停用) is a window
out of use until it is opened again: only stopped windows keep items from getting tickets.

``queue_settings`` (id: the hall's): ``{id, hall_id, hours: [["09:00", "12:00"], …], grace, longest_pause, areas,
groups: {"A": {name, strategy}}, priority: {classes: [{name, weight}], hash}, texts: {suspend: […], ticket: […],
messages: {kind: text}}, booking: {…}}``; what was never set has a default (``settings_of``).
Requirements C02, C03, C10, C19, E4, E5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any

from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA, iso, parse_iso
from modules.common.errors import Refusal
from modules.common.permissions import Actor, forbidden
from modules.common.register import EDITED, noted, overtaken
from modules.common.text import tr

KIND = "window"
SETTINGS_KIND = "queue_settings"
MAY_QUEUE, MAY_HALL, MAY_ADMIN = "acceptance.queue", "acceptance.hall", "acceptance.admin"
SYSTEM = "system"

CREATE, EDIT = "window.create", "window.edit"
SIGN_IN, SIGN_OUT = "window.sign_in", "window.sign_out"
SUSPEND, RESUME = "window.suspend", "window.resume"
STOP, REOPEN = "window.stop", "window.reopen"
SET_STRATEGY = "window.set_strategy"
SET = "queue_settings.set"

LONGEST_TEXT = 60
MOST_ENTRIES, LONGEST_ENTRY = 1000, 200
"""Entries of a list that administrators keep (items, staff, texts), and characters of each."""
WIDEST = 10_000
"""Metres of a floor plan."""
SLOT, MIX, FIRST, EVERY, ARRIVAL = "slot", "mix", "first", "every", "arrival"
DEFAULT_STRATEGY: Doc = {
    "booked": SLOT,
    "slack": 10,
    "walk_ins": 2,
    "bookings": 1,
    "priority": FIRST,
    "every": 3,
    "patience": 60,
    "items": [],
}
"""How a window's line is ordered.

``booked``: ``slot`` (first while their slot, widened by ``slack`` minutes on both sides, runs), ``mix`` (``bookings``
of them after ``walk_ins`` others) or ``arrival`` (like everyone). ``priority``: ``first``, ``every`` (each ``every``-th
call) or ``arrival``. ``patience``: whoever has waited that many minutes is overtaken by nobody any more; 0: no such
bound. ``items``: codes of the only items that are called, empty for all that the window offers.
"""
PRESETS: dict[str, Doc] = {
    "arrival": {**DEFAULT_STRATEGY, "booked": ARRIVAL, "priority": ARRIVAL},
    "appointments": {**DEFAULT_STRATEGY},
    "mix": {**DEFAULT_STRATEGY, "booked": MIX, "priority": EVERY},
    "priority": {**DEFAULT_STRATEGY, "booked": ARRIVAL, "priority": FIRST},
}
DEFAULT_SETTINGS: Doc = {
    "hours": [["09:00", "12:00"], ["13:00", "17:00"]],
    "grace": 15,
    "longest_pause": 30,
    "areas": [],
    "groups": {},
    "priority": {
        "classes": [
            {"name": "老年人", "weight": 1},
            {"name": "残疾人", "weight": 1},
            {"name": "军人", "weight": 1},
            {"name": "孕妇", "weight": 1},
        ],
        "hash": "",
    },
    "texts": {
        "suspend": ["暂停办理，请稍候", "工作人员临时离岗，请稍候", "系统维护中"],
        "ticket": [],
        "messages": {},
    },
    "booking": {
        "first_day": 1,
        "last_day": 7,
        "minutes": 30,
        "places": 4,
        "items": {},
        "slack": 15,
        "no_shows": 3,
        "no_show_days": 30,
    },
}
"""``booking``: from ``first_day`` to ``last_day`` days ahead (E4), slots of ``minutes`` with ``places`` each
(``items``: another number by item code, 0 for none); more than ``no_shows`` missed in ``no_show_days``
days suspends (E5)."""

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_GROUP = re.compile(r"[A-Z]")
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "name": str, "area": str, "group": str, "department_ids": list, "item_codes": list, "staff": list,
    "x": (int, float), "y": (int, float), "w": (int, float), "h": (int, float), "screen": str, "kind": str,
}  # fmt: skip
_PLAN = frozenset({"area", "x", "y", "w", "h", "screen"})
"""What the hall's manager arranges; the rest is the system administrator's."""
_EMPTY: Doc = {
    "area": "", "group": "A", "department_ids": [], "item_codes": ["*"], "staff": [], "x": 0, "y": 0, "w": 2, "h": 2,
    "screen": "", "kind": "",
}  # fmt: skip


def by(actor: Actor) -> dict[str, str]:
    """Who did it, as documents keep it."""
    return {"id": actor.id, "name": actor.name}


def at_words(text: str) -> str:
    """The time of day of UTC text, in China."""
    return f"{parse_iso(text).astimezone(CHINA):%H:%M}"


def day_words(day: date) -> str:
    """A day in words."""
    return tr("{month}月{day}日", month=day.month, day=day.day)


def local_day(now: datetime) -> date:
    """China's date."""
    return now.astimezone(CHINA).date()


# -- settings -------------------------------------------------------------------------------------


def settings_of(doc: Doc | None) -> dict[str, Any]:
    """A hall's settings with the defaults for what was never set."""
    doc = doc or {}
    merged = {key: doc.get(key, value) for key, value in DEFAULT_SETTINGS.items()}
    for key in ("priority", "texts", "booking"):
        merged[key] = {**DEFAULT_SETTINGS[key], **merged[key]}
    return {**doc, **merged}


def strategy_of(window: Doc, settings: Doc) -> dict[str, Any]:
    """The strategy in force at a window: its own, or its group's, or the default."""
    group = settings.get("groups", {}).get(window["group"], {})
    return {**DEFAULT_STRATEGY, **(window.get("strategy") or group.get("strategy") or {})}


def strategy_words(strategy: Doc) -> str:
    """A strategy in a sentence."""
    strategy = {**DEFAULT_STRATEGY, **strategy}
    booked = {
        SLOT: tr("预约按时段优先"),
        MIX: tr("现场 {a} 人叫预约 {b} 人", a=strategy["walk_ins"], b=strategy["bookings"]),
        ARRIVAL: tr("预约与现场按取号先后"),
    }[strategy["booked"]]
    priority = {
        FIRST: tr("优先号在前"),
        EVERY: tr("每 {n} 个号叫 1 个优先号", n=strategy["every"]),
        ARRIVAL: tr("优先号按取号先后"),
    }[strategy["priority"]]
    words = [booked, priority]
    if strategy["patience"]:
        words.append(tr("等候满 {n} 分钟后不再被插队", n=strategy["patience"]))
    if strategy["items"]:
        words.append(tr("只叫 {n} 个事项", n=len(strategy["items"])))
    return tr("；").join(words)


def clean_strategy(value: Any) -> dict[str, Any] | Refusal:
    """A whole strategy out of some of its keys, or what is wrong with it (ACC-266)."""
    if not isinstance(value, Mapping):
        return _bad_strategy()
    merged = {**DEFAULT_STRATEGY, **value}
    bounds = {"slack": (0, 120), "walk_ins": (1, 20), "bookings": (1, 20), "every": (2, 20), "patience": (0, 600)}
    sound = (
        set(merged) == set(DEFAULT_STRATEGY)
        and merged["booked"] in (SLOT, MIX, ARRIVAL)
        and merged["priority"] in (FIRST, EVERY, ARRIVAL)
        and all(type(merged[key]) is int and low <= merged[key] <= high for key, (low, high) in bounds.items())
        and _texts(merged["items"])
    )
    return merged if sound else _bad_strategy()


def hours_of(settings: Doc, calendar: WorkCalendar, day: date) -> list[tuple[datetime, datetime]]:
    """The working hours of a day as moments; none on a day off."""
    if not calendar.is_workday(day):
        return []
    return [
        (
            datetime.combine(day, time.fromisoformat(start), CHINA).astimezone(UTC),
            datetime.combine(day, time.fromisoformat(end), CHINA).astimezone(UTC),
        )
        for start, end in settings["hours"]
    ]


# -- how a window stands --------------------------------------------------------------------------

SIGNED_OUT, FREE, BUSY, PAUSED, ABSENT = "signed_out", "free", "busy", "suspended", "absent"
"""未登录, 空闲, 正在办理, 暂停办理, 考勤异常 (C10)."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a window stands: its state, since when (UTC text, or empty), the state's name and a sentence."""

    state: str
    since: str
    name: str
    words: str


def state_name(state: str) -> str:
    """A window's state in the hall's words."""
    return {
        SIGNED_OUT: tr("未登录"),
        FREE: tr("空闲"),
        BUSY: tr("正在办理"),
        PAUSED: tr("暂停办理"),
        ABSENT: tr("考勤异常"),
    }[state]


def is_stopped(window: Doc, day: date) -> bool:
    """Whether the window is out of use on ``day``."""
    stopped = window["state"]["stopped"]
    return stopped is not None and (not stopped["until"] or day <= date.fromisoformat(stopped["until"]))


def offers(window: Doc, item: Doc | None, group: str = "") -> bool:
    """Whether the window handles ``item`` (``code``, ``department_id``) of ``group``, or ``group`` where there is none.

    Items that a window names it handles in whatever group; with ``*`` those of its departments and group.
    """
    if item is not None and item["code"] in window["item_codes"]:
        return True
    if group and window["group"] != group:
        return False
    departments = window["department_ids"]
    if item is None:
        return bool(group)
    return "*" in window["item_codes"] and (not departments or item.get("department_id", "") in departments)


def standing(window: Doc, tickets: Iterable[Doc], settings: Doc, calendar: WorkCalendar, now: datetime) -> Standing:
    """How ``window`` stands ``now``, by its document, the tickets that it has called, and the working hours."""
    state, since, words = _stands(window, tickets, settings, calendar, now)
    return Standing(state, since, state_name(state), words)


def _stands(
    window: Doc, tickets: Iterable[Doc], settings: Doc, calendar: WorkCalendar, now: datetime
) -> tuple[str, str, str]:
    signed, paused = window["state"]["signed_in"], window["state"]["suspended"]
    today = local_day(now)
    if signed is not None and local_day(parse_iso(signed["at"])) != today:
        signed = None  # left signed in on an earlier day: nobody sits there
    if is_stopped(window, today):
        stopped = window["state"]["stopped"]
        return SIGNED_OUT, stopped["at"], tr("已停用：{text}", text=stopped["text"])
    if signed is None:
        for start, end in hours_of(settings, calendar, today):
            late = now - start - timedelta(minutes=settings["grace"])
            if late >= timedelta() and now < end:
                left = window["state"].get("left", "")
                since = max(left, iso(start))
                return ABSENT, since, tr("工作时间无人登录，自 {at} 起。", at=at_words(since))
        return SIGNED_OUT, window["state"].get("left", ""), tr("无人登录。")
    if paused is not None:
        minutes = int((now - parse_iso(paused["at"])).total_seconds() // 60)
        if minutes >= settings["longest_pause"] and any(
            start <= now < end for start, end in hours_of(settings, calendar, today)
        ):
            most = settings["longest_pause"]
            return ABSENT, paused["at"], tr("已暂停 {n} 分钟，超过 {most} 分钟。", n=minutes, most=most)
        return PAUSED, paused["at"], tr("{name}：{text}", name=signed["name"], text=paused["text"])
    mine = [
        ticket
        for ticket in tickets
        if ticket["state"] in ("called", "serving") and (ticket["window"] or {}).get("id") == window["id"]
    ]
    if mine:
        ticket = max(mine, key=lambda ticket: ticket["called_at"])
        if ticket["state"] == "serving":
            return (
                BUSY,
                ticket["served_at"],
                tr("{name}正在办理 {number}。", name=signed["name"], number=ticket["number"]),
            )
        return BUSY, ticket["called_at"], tr("{name}已呼叫 {number}。", name=signed["name"], number=ticket["number"])
    return FREE, signed["at"], tr("{name}在岗。", name=signed["name"])


# -- the aggregate ``window`` -----------------------------------------------------------------------


class WindowRules:
    """The aggregate ``window``: arranged by administrators, signed in to by its staff."""

    kind = KIND

    def refs(self, command: Command) -> Sequence[Key]:
        return []

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if command.type == CREATE:
            return _create(state, command, context)
        if state is None:
            return Refusal("ACC-260", tr("没有这个窗口，或尚未传到本机。"))
        verb = _VERBS.get(command.type)
        if verb is None:
            return Refusal("ACC-261", tr("本程序不认识“{type}”这一操作，请升级程序。", type=command.type))
        permission, decide = verb
        actor = context.actor
        # whoever sets windows up arranges and stops them too; only their line is not theirs
        if not _may(actor, permission) and not (permission == MAY_HALL and _may(actor, MAY_ADMIN)):
            return forbidden(permission)
        if actor.hall_id != state["hall_id"] and not _may(actor, MAY_ADMIN):
            return Refusal("ACC-262", tr("{window}属于别的大厅。", window=state["name"]))
        # a window's revision grows with every sign-in: only who has set the same is in the way
        parts = {EDIT: command.body, SET_STRATEGY: ("strategy",)}.get(command.type, ())
        return overtaken(state, parts, command, context) or decide(state, command.body, context)

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        body = event.body
        before = dict(state or {})
        line = {"event": event.type, "at": body["at"], "by": body["by"], "text": body["text"]}
        # a window lives for years: the newest lines are enough, the server keeps every event
        history = [*before.get("history", []), line][-50:]
        if event.type == "window.created":
            return {**body["window"], "history": history}
        changed = {**before, **body.get("set", {}), "history": history}
        if "rev" in body:
            changed[EDITED] = noted(before, body["set"], body)
        if "state" in body:
            changed["state"] = {**before["state"], **body["state"]}
        return changed

    def summary(self, state: Doc) -> Summary:
        parts = state["state"]
        here = "stopped" if parts["stopped"] else PAUSED if parts["suspended"] else FREE
        words = " ".join((state["name"], state["area"], state["group"]))
        return Summary(state["name"], here if parts["signed_in"] or parts["stopped"] else SIGNED_OUT, search=words)

    def scopes(self, state: Doc) -> frozenset[str]:
        # administrators read no hall's feed, and set up every hall's windows
        return frozenset({"ref"})


WINDOW = WindowRules()


def _may(actor: Actor, permission: str) -> bool:
    return actor.may(permission) or actor.may(SYSTEM)


def _told(context: Context, text: str) -> dict[str, Any]:
    return {"at": iso(context.now), "by": by(context.actor), "text": text}


def _texts(value: Any) -> bool:
    entries = isinstance(value, list) and len(value) <= MOST_ENTRIES and all(isinstance(entry, str) for entry in value)
    return entries and all(0 < len(entry) <= LONGEST_ENTRY for entry in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_ENTRY


def _bounded(value: Any) -> bool:
    """Whether a window's text or measure is of a size that a floor plan and its readers can take."""
    return len(value) <= LONGEST_ENTRY if isinstance(value, str) else isinstance(value, list) or abs(value) <= WIDEST


def _bad_strategy() -> Refusal:
    return Refusal("ACC-266", tr("排队策略填写有误，请重新选择。"))


def _window_fault(values: Mapping[str, Any]) -> Refusal | None:
    faults = {}
    for key, value in values.items():
        kind = _FIELDS.get(key)
        sound = kind is not None and isinstance(value, kind) and not isinstance(value, bool)
        if not sound or (isinstance(value, list) and not _texts(value)) or not _bounded(value):
            faults[key] = tr("填写有误。")
    if "name" in values and not faults.get("name") and not 1 <= len(values["name"].strip()) <= 20:
        faults["name"] = tr("请填写窗口名称，最多 20 个字。")
    if "group" in values and not faults.get("group") and not _GROUP.fullmatch(values["group"]):
        faults["group"] = tr("队列代号为一个大写字母。")
    return Refusal("ACC-263", tr("窗口信息有 {n} 处填写有误。", n=len(faults)), faults) if faults else None


def _create(state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
    actor = context.actor
    if not _may(actor, MAY_ADMIN):
        return forbidden(MAY_ADMIN)
    if state is not None:
        return Refusal("ACC-264", tr("已有窗口“{name}”。", name=state["name"]))
    values = {key: value for key, value in command.body.items() if key != "hall_id"}
    hall = command.body.get("hall_id") or actor.hall_id
    if fault := _window_fault({"name": "", **values}):
        return fault
    if not isinstance(hall, str) or not hall:
        return Refusal("ACC-265", tr("请选择窗口所在的大厅。"))
    window = {
        **_EMPTY,
        **values,
        "id": command.aggregate_id,
        "hall_id": hall,
        "state": {"signed_in": None, "suspended": None, "stopped": None, "left": ""},
        "strategy": None,
    }
    return [Event("window.created", {**_told(context, "设立窗口"), "window": window})]


def _edit(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if not set(body) <= _PLAN and not _may(context.actor, MAY_ADMIN):
        return forbidden(MAY_ADMIN)
    if fault := _window_fault(body):
        return fault
    return [Event("window.edited", {**_told(context, "修改窗口设置"), "set": dict(body), "rev": context.rev + 1})]


def _sign_in(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    actor, today = context.actor, local_day(context.now)
    if is_stopped(state, today):
        text = state["state"]["stopped"]["text"]
        return Refusal("ACC-267", tr("{window}已停用（{text}），不能登录。", window=state["name"], text=text))
    if state["staff"] and actor.id not in state["staff"] and not _may(actor, MAY_HALL):
        return Refusal("ACC-268", tr("您不在{window}的人员名单中。请联系大厅管理员。", window=state["name"]))
    signed = state["state"]["signed_in"]
    if signed is not None and local_day(parse_iso(signed["at"])) == today and signed["id"] != actor.id:
        sentence = tr(
            "{window}已由{name}于 {at} 登录。", window=state["name"], name=signed["name"], at=at_words(signed["at"])
        )
        return Refusal("ACC-269", sentence)
    told = _told(context, "登录窗口")
    return [
        Event("window.signed_in", {**told, "state": {"signed_in": {**by(actor), "at": told["at"]}, "suspended": None}})
    ]


def _sign_out(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if fault := _not_mine(state, context.actor):
        return fault
    told = _told(context, "退出窗口")
    return [Event("window.signed_out", {**told, "state": {"signed_in": None, "suspended": None, "left": told["at"]}})]


def _suspend(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if fault := _not_mine(state, context.actor):
        return fault
    text = body.get("text")
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= LONGEST_TEXT:
        fault_text = tr("请写明暂停时屏上显示的文字，最多 {n} 个字。", n=LONGEST_TEXT)
        return Refusal("ACC-271", fault_text, {"text": fault_text})
    told = _told(context, f"暂停办理：{text.strip()}")
    paused = {"text": text.strip(), "at": told["at"]}
    return [Event("window.suspended", {**told, "state": {"suspended": paused}})]


def _resume(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if fault := _not_mine(state, context.actor):
        return fault
    if state["state"]["suspended"] is None:
        return Refusal("ACC-272", tr("{window}没有暂停。", window=state["name"]))
    return [Event("window.resumed", {**_told(context, "恢复办理"), "state": {"suspended": None}})]


def _not_mine(state: Doc, actor: Actor) -> Refusal | None:
    signed = state["state"]["signed_in"]
    if signed is not None and (signed["id"] == actor.id or _may(actor, MAY_HALL)):
        return None
    if signed is None:
        return Refusal("ACC-270", tr("{window}无人登录，请先登录窗口。", window=state["name"]))
    return Refusal("ACC-273", tr("{window}现由{name}登录。", window=state["name"], name=signed["name"]))


def _stop(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    text, until, instead = body.get("text"), body.get("until", ""), body.get("instead", "")
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= LONGEST_TEXT or not _is_text(instead):
        fault = tr("请写明停用的原因，最多 {n} 个字。", n=LONGEST_TEXT)
        return Refusal("ACC-274", fault, {"text": fault})
    try:
        sound = not until or date.fromisoformat(until) >= local_day(context.now)
    except (TypeError, ValueError):
        sound = False
    if not sound:
        fault = tr("停用截止日期应为今天或以后。")
        return Refusal("ACC-275", fault, {"until": fault})
    told = _told(context, f"停用窗口：{text.strip()}")
    stopped = {"text": text.strip(), "at": told["at"], "until": until, "instead": instead.strip()}
    changed = {"stopped": stopped, "signed_in": None, "suspended": None, "left": told["at"]}
    return [Event("window.stopped", {**told, "state": changed})]


def _reopen(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if state["state"]["stopped"] is None:
        return Refusal("ACC-276", tr("{window}没有停用。", window=state["name"]))
    return [Event("window.reopened", {**_told(context, "重新启用窗口"), "state": {"stopped": None}})]


def _set_strategy(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    """``strategy`` null: as its group."""
    strategy = body.get("strategy")
    if strategy is not None:
        strategy = clean_strategy(strategy)
        if isinstance(strategy, Refusal):
            return strategy
    told = {**_told(context, "调整叫号策略"), "rev": context.rev + 1}
    return [Event("window.strategy_set", {**told, "set": {"strategy": strategy}})]


_VERBS = {
    EDIT: (MAY_HALL, _edit),
    SIGN_IN: (MAY_QUEUE, _sign_in),
    SIGN_OUT: (MAY_QUEUE, _sign_out),
    SUSPEND: (MAY_QUEUE, _suspend),
    RESUME: (MAY_QUEUE, _resume),
    STOP: (MAY_HALL, _stop),
    REOPEN: (MAY_HALL, _reopen),
    SET_STRATEGY: (MAY_HALL, _set_strategy),
}


# -- the aggregate ``queue_settings`` ---------------------------------------------------------------


class SettingsRules:
    """The aggregate ``queue_settings``: ``queue_settings.set`` ``{"part": …, "value": …}`` replaces one part."""

    kind = SETTINGS_KIND

    def refs(self, command: Command) -> Sequence[Key]:
        return []

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        actor = context.actor
        if not _may(actor, MAY_HALL):
            return forbidden(MAY_HALL)
        if actor.hall_id != command.aggregate_id and not _may(actor, MAY_ADMIN):
            return Refusal("ACC-277", tr("这是别的大厅的排队设置。"))
        part, value = command.body.get("part"), command.body.get("value")
        if command.type != SET or not isinstance(part, str) or part not in DEFAULT_SETTINGS:
            return Refusal("ACC-278", tr("本程序不认识这一项排队设置，请升级程序。"))
        value = _clean_part(part, value)
        if isinstance(value, Refusal):
            return value
        if no := overtaken(state, (part,), command, context):
            return no
        told = {**_told(context, f"修改排队设置：{part}"), "rev": context.rev + 1}
        return [
            Event("queue_settings.changed", {**told, "hall_id": command.aggregate_id, "part": part, "value": value})
        ]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        body = event.body
        before = dict(state or {"id": body["hall_id"], "hall_id": body["hall_id"]})
        line = {"event": event.type, "at": body["at"], "by": body["by"], "text": body["text"]}
        history = [*before.get("history", []), line][-50:]
        changed = {**before, body["part"]: body["value"], "history": history}
        if "rev" in body:
            changed[EDITED] = noted(before, (body["part"],), body)
        return changed

    def summary(self, state: Doc) -> Summary:
        return Summary(tr("排队设置"), "")

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({f"hall:{state['hall_id']}"})


QUEUE_SETTINGS = SettingsRules()


def _clean_part(part: str, value: Any) -> Any:
    """The part as it is kept, or what is wrong with it (ACC-279, or the strategy's own)."""
    wrong = Refusal("ACC-279", tr("这一项排队设置填写有误。"), {part: tr("填写有误。")})
    if part in ("grace", "longest_pause"):
        return value if type(value) is int and 0 <= value <= 600 else wrong
    if part == "areas":
        return value if _texts(value) else wrong
    if part == "hours":
        return value if _are_hours(value) else wrong
    if not isinstance(value, Mapping):
        return wrong
    if part == "groups":
        groups = {}
        for group, entry in value.items():
            if not _GROUP.fullmatch(group) or not isinstance(entry, Mapping) or not _is_text(entry.get("name")):
                return wrong
            strategy = clean_strategy(entry.get("strategy") or {})
            if isinstance(strategy, Refusal):
                return strategy
            groups[group] = {"name": entry["name"], "strategy": strategy}
        return groups
    if part == "priority":
        classes, hashed = value.get("classes"), value.get("hash", "")
        sound = isinstance(classes, list) and all(_is_class(entry) for entry in classes) and isinstance(hashed, str)
        # a password in the clear must never reach a record
        return dict(value) if sound and (not hashed or hashed.startswith("$argon2id$")) else wrong
    if part == "texts":
        messages = value.get("messages", {})
        lines = all(_texts(value.get(key, [])) for key in ("suspend", "ticket"))
        sound = lines and isinstance(messages, Mapping) and _texts([*messages, *filter(None, messages.values())])
        return dict(value) if sound else wrong
    return dict(value) if _is_booking(value) else wrong


def _are_hours(value: Any) -> bool:
    spans = isinstance(value, list) and all(isinstance(span, list) and len(span) == 2 for span in value)
    if not value or not spans:
        return False
    flat = [moment for span in value for moment in span]
    sound = all(isinstance(moment, str) and _CLOCK.fullmatch(moment) for moment in flat)
    return sound and all(a < b for a, b in pairwise(flat))


def _is_class(entry: Any) -> bool:
    if not isinstance(entry, Mapping):
        return False
    name, weight = entry.get("name"), entry.get("weight", 1)
    return isinstance(name, str) and 1 <= len(name) <= 20 and type(weight) is int and 1 <= weight <= 9


def _is_booking(value: Mapping[str, Any]) -> bool:
    merged = {**DEFAULT_SETTINGS["booking"], **value}
    bounds = {"first_day": (0, 30), "last_day": (0, 60), "minutes": (5, 240), "places": (0, 500), "slack": (0, 120),
              "no_shows": (0, 100), "no_show_days": (1, 366)}  # fmt: skip
    numbers = all(type(merged[key]) is int and low <= merged[key] <= high for key, (low, high) in bounds.items())
    items = merged["items"]
    places = isinstance(items, Mapping) and all(type(count) is int and 0 <= count <= 500 for count in items.values())
    return numbers and places and merged["first_day"] <= merged["last_day"] and set(merged) == {*bounds, "items"}
