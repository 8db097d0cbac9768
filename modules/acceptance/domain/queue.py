"""The rules of tickets (排队号), the order in which they are called, and what screens and estimates say of them.

``ticket``: ``{id, hall_id, number: "A017", serial, day, group, item: {id, code, name, department_id} | null,
source: "id_card" | "phone" | "appointment" | "priority" | "paper", priority: 0…9, priority_class, person: {name,
id_number (both masked), id_hash, phone}, booking_id, slot: {start, end} | null, state, taken_at, place_at, after,
directed: {window, group, from} | null, window: {id, name} | null, turn, held, calls, called_at, called_as, reason,
served_at, done_at, skips, turns: [{turn, call, window, at, by}], doubles: [{turn, call, window, at, by, state}],
warning, merged_into, history}``. ``turns`` are the calls that counted, ``turn`` is how many they are; a call is known
by its command's id, and ``held`` is the one under which ``window`` has the ticket.

States: ``printing`` (the number is taken, its paper is not out) → ``waiting`` → ``called`` → ``serving`` → ``served``;
``skipped`` (过号), ``cancelled``, ``void`` (the paper failed: the number is spent and nobody holds it), ``merged`` (a
number given by hand that turned out to be a ticket known elsewhere).

**Two windows, one number.** With a call a window says which call it saw last. Two that saw the same were made apart:
the first by the server's order is kept, the other becomes an entry of ``doubles``, and so does all that its window
went on to do. Where the second window really served the person and the first did not, the ticket goes over to it
and the first call is the double. What has happened is never refused, so that nothing is hidden.
Requirements C01–C04, C14.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from modules.acceptance.domain.windows import (
    ARRIVAL,
    EVERY,
    FIRST,
    MAY_QUEUE,
    MIX,
    SLOT,
    SYSTEM,
    at_words,
    by,
    day_words,
    is_stopped,
    local_day,
    offers,
)
from modules.acceptance.domain.windows import KIND as WINDOW_KIND
from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import iso, parse_iso
from modules.common.errors import Refusal
from modules.common.permissions import forbidden
from modules.common.text import tr

KIND = "ticket"
ITEM_KIND, BOOKING_KIND = "service_item", "booking"
TAKE, CONFIRM, VOID, HAND_IN = "ticket.take", "ticket.confirm", "ticket.void", "ticket.hand_in"
CALL, RECALL, SKIP, REQUEUE = "ticket.call", "ticket.recall", "ticket.skip", "ticket.requeue"
SERVE, FINISH, TRANSFER, CANCEL = "ticket.serve", "ticket.finish", "ticket.transfer", "ticket.cancel"
JOIN, MERGE = "ticket.join", "ticket.merge"

PRINTING, WAITING, CALLED, SERVING, SERVED = "printing", "waiting", "called", "serving", "served"
SKIPPED, CANCELLED, VOIDED, MERGED = "skipped", "cancelled", "void", "merged"
TAKEN_OVER = "taken_over"
"""The state of a double whose window has been given the ticket."""
ID_CARD, PHONE, APPOINTMENT, PRIORITY, PAPER = "id_card", "phone", "appointment", "priority", "paper"
SOURCES = (ID_CARD, PHONE, APPOINTMENT, PRIORITY)
MOST_SKIPS = 3
LONGEST_CLASS = 20
"""Characters of the name of a class of priority, as the hall's settings have it."""
SAMPLES = 5
"""Fewer services than this make no estimate."""
LOOK_BACK = timedelta(minutes=30)

_NUMBER = re.compile(r"([A-Z])([0-9]{3,6})")
_GROUP = re.compile(r"[A-Z]")


def ticket_series(hall_series: str, group: str, day: date) -> str:
    """The leased series of a group's tickets on a day: ``3411AQA261122``."""
    return f"{hall_series}Q{group}{day:%y%m%d}"


def ticket_number(group: str, serial: int) -> str:
    """The number on the paper: ``A017``, from the thousandth on ``A1000``."""
    return f"{group}{serial:03d}"


def read_number(text: str) -> tuple[str, int] | None:
    """Group and serial of a number that was typed or read from a paper, or None."""
    found = _NUMBER.fullmatch("".join(text.split()).upper())
    return (found[1], int(found[2])) if found else None


def state_name(state: str) -> str:
    """A ticket's state in the hall's words."""
    return {
        PRINTING: tr("出票中"),
        WAITING: tr("等候"),
        CALLED: tr("已呼叫"),
        SERVING: tr("正在办理"),
        SERVED: tr("已办"),
        SKIPPED: tr("已过号"),
        CANCELLED: tr("已取消"),
        VOIDED: tr("作废"),
        MERGED: tr("已并入原号"),
    }.get(state, state)


def source_name(source: str) -> str:
    """How a ticket was taken, in the hall's words."""
    return {
        ID_CARD: tr("身份证取号"),
        PHONE: tr("手机号取号"),
        APPOINTMENT: tr("预约取号"),
        PRIORITY: tr("优先取号"),
        PAPER: tr("凭纸号"),
    }.get(source, source)


# -- the aggregate ``ticket`` -----------------------------------------------------------------------


class TicketRules:
    """The aggregate ``ticket``."""

    kind = KIND

    def refs(self, command: Command) -> Sequence[Key]:
        body = command.body
        keys = [
            (kind, body[name])
            for kind, name in ((ITEM_KIND, "item_id"), (BOOKING_KIND, "booking_id"), (WINDOW_KIND, "window"),
                               (WINDOW_KIND, "to_window"), (KIND, "paper_ticket"))
            if isinstance(body.get(name), str) and body[name]
        ]  # fmt: skip
        if command.type == TAKE and isinstance(body.get("windows"), list):
            keys += [(WINDOW_KIND, id) for id in body["windows"] if isinstance(id, str)]
        return keys

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        actor = context.actor
        if not actor.may(MAY_QUEUE) and not actor.may(SYSTEM):
            return forbidden(MAY_QUEUE)
        if command.type == TAKE:
            return _take(state, command, context)
        if command.type == HAND_IN:
            return _hand_in(state, command, context)
        if state is None:
            return Refusal("ACC-200", tr("没有这个号，或尚未传到本机。"))
        if actor.hall_id != state["hall_id"] and not actor.may(SYSTEM):
            return Refusal("ACC-201", tr("{number} 是别的大厅的号。", number=state["number"]))
        if command.type == CALL or command.type in _AT_WINDOW:
            return _at_window(state, command, context)
        verb = _OTHER.get(command.type)
        if verb is None:
            return Refusal("ACC-202", tr("本程序不认识“{type}”这一操作，请升级程序。", type=command.type))
        return verb(state, command.body, context)

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        body = event.body
        before = dict(state or {})
        line = {"event": event.type, "at": body["at"], "by": body["by"], "text": body["text"]}
        changed = {**before, **body["set"], "history": [*before.get("history", []), line]}
        if "turns" in body:
            changed["turns"] = [*before.get("turns", []), *body["turns"]]
        if "doubles" in body:
            new = body["doubles"]
            kept = [entry for entry in before["doubles"] if not any(_same(entry, other) for other in new)]
            changed["doubles"] = [*kept, *new]
        return changed

    def summary(self, state: Doc) -> Summary:
        item = state["item"]
        name = item["name"] if item else source_name(state["source"])
        words = (state["number"], state["person"].get("name", ""), name)
        day = date.fromisoformat(state["day"])
        return Summary(
            f"{state['number']} · {name}", state["state"], state["number"], day, " ".join(filter(None, words))
        )

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({f"hall:{state['hall_id']}"})


TICKET = TicketRules()


def _same(a: Doc, b: Doc) -> bool:
    return bool(a["call"] == b["call"])


def _event(type: str, context: Context, text: str, changes: Mapping[str, Any], **more: Any) -> list[Event]:
    """One event. What is written into a record stays as it was written: ``text`` is no ``tr``."""
    return [Event(type, {"at": iso(context.now), "by": by(context.actor), "text": text, "set": dict(changes), **more})]


def _begun(id: str, hall: str, number: str, serial: int, day: date, at: str) -> dict[str, Any]:
    return {
        "id": id, "hall_id": hall, "number": number, "serial": serial, "day": day.isoformat(), "group": number[0],
        "item": None, "source": PAPER, "priority": 0, "priority_class": "", "person": {}, "booking_id": "",
        "slot": None,
        "state": WAITING, "taken_at": at, "place_at": at, "after": "", "directed": None, "window": None, "turn": 0,
        "held": "", "calls": 0, "called_at": "", "called_as": "", "reason": "", "served_at": "", "done_at": "",
        "skips": 0,
        "turns": [], "doubles": [], "warning": "", "merged_into": "",
    }  # fmt: skip


def _item(item: Doc | None) -> dict[str, Any] | None:
    return {key: item[key] for key in ("id", "code", "name", "department_id")} if item else None


def _take(state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """``{group, item_id, source, person, priority, priority_class, booking_id, windows, paper}``.

    ``windows``: ids of those that the kiosk knows to offer it; ``paper``: a ticket is printed and confirmed.
    """
    body, actor, today = command.body, context.actor, local_day(context.now)
    if state is not None:
        return Refusal("ACC-203", tr("此号已经取过，是 {number}。", number=state["number"]))
    if not actor.hall_id:
        return Refusal("ACC-204", tr("您不属于任何政务服务大厅，不能取号。"))
    group, source, person = body.get("group"), body.get("source"), body.get("person", {})
    sound = isinstance(group, str) and _GROUP.fullmatch(group) and source in SOURCES and _is_person(person)
    priority, priority_class = body.get("priority", 0), body.get("priority_class", "")
    sound = sound and isinstance(priority_class, str) and len(priority_class) <= LONGEST_CLASS
    known = body.get("windows", [])
    if not sound or type(priority) is not int or not 0 <= priority <= 9 or not isinstance(known, list):
        return Refusal("ACC-205", tr("取号信息不完整，请重新取号。"))
    group = str(group)
    if command.number is None or not command.number.series.endswith(ticket_series("", group, today)):
        return Refusal("ACC-206", tr("没有取到今天的号。请联网后重试。"))
    item = None
    if body.get("item_id"):
        item = context.refs.get((ITEM_KIND, str(body["item_id"])))
        if item is None or item.get("state", "published") not in ("published", "superseded"):
            return Refusal("ACC-207", tr("没有这个事项，或它已停止办理。请重新选择事项。"))
    offering = [
        window
        for id in known
        if (window := context.refs.get((WINDOW_KIND, str(id))))
        and window["hall_id"] == actor.hall_id
        and offers(window, item, group)
    ]
    if not offering:
        return Refusal("ACC-208", tr("今天没有窗口办理此事项，未出号。"))
    number = ticket_number(group, command.number.serial)
    at = iso(context.now)
    booking = context.refs.get((BOOKING_KIND, str(body.get("booking_id"))))
    taken = {
        **_begun(command.aggregate_id, actor.hall_id, number, command.number.serial, today, at),
        "item": _item(item),
        "source": source,
        "priority": priority,
        "priority_class": priority_class,
        "person": {key: str(person[key]) for key in _PERSON if person.get(key)},
        "state": PRINTING if body.get("paper") is True else WAITING,
    }
    warnings = []
    if all(is_stopped(window, today) for window in offering):
        # the kiosk did not know it yet: the paper is out, so the number stays and is shown to the hall
        warnings.append(tr("取号时窗口已停用，取号机当时未联网。"))
    if source == APPOINTMENT:
        if booking is not None and booking["state"] == "booked" and booking["hall_id"] == actor.hall_id:
            taken |= {"booking_id": booking["id"], "slot": dict(booking["slot"])}
        else:
            warnings.append(tr("取号时预约已取消或已用过，按现场排队。"))
    taken["warning"] = "".join(warnings)
    return _event("ticket.taken", context, f"{context.place or '取号机'}取号", taken)


_PERSON = ("name", "id_number", "id_hash", "phone")


def _is_person(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(text, str) and len(text) <= 64 for text in value.values())


def _hand_in(state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """``{number, window}``: a number on paper that this window cannot know. It is called at once."""
    body, today = command.body, local_day(context.now)
    window = _window_of(body, context)
    if isinstance(window, Refusal):
        return window
    if state is not None:
        return Refusal("ACC-203", tr("此号已经取过，是 {number}。", number=state["number"]))
    read = read_number(str(body.get("number", "")))
    if read is None:
        fault = tr("纸号由一个字母和至少三位数字组成，如 A017。")
        return Refusal("ACC-209", fault, {"number": fault})
    number, at = ticket_number(*read), iso(context.now)
    begun = _begun(command.aggregate_id, window["hall_id"], number, read[1], today, at)
    called, turn = _call_of(begun, window, "凭纸号呼叫", PAPER, command.id, context)
    return _event("ticket.handed_in", context, f"{window['name']}凭纸号呼叫", {**begun, **called}, turns=[turn])


def _window_of(body: Doc, context: Context) -> Doc | Refusal:
    window = context.refs.get((WINDOW_KIND, str(body.get("window"))))
    if window is None or (window["hall_id"] != context.actor.hall_id and not context.actor.may(SYSTEM)):
        return Refusal("ACC-210", tr("没有这个窗口，或它属于别的大厅。"))
    return window


def _call_of(
    state: Doc, window: Doc, reason: str, called_as: str, call: str, context: Context
) -> tuple[dict[str, Any], dict[str, Any]]:
    at, turn = iso(context.now), state["turn"] + 1
    short = {"id": window["id"], "name": window["name"]}
    changes = {
        "state": CALLED, "window": short, "turn": turn, "held": call, "calls": 1, "called_at": at,
        "called_as": called_as, "reason": reason, "directed": None,
    }  # fmt: skip
    return changes, {"turn": turn, "call": call, "window": short, "at": at, "by": by(context.actor)}


def last_call(state: Doc) -> str:
    """The call under which the ticket was last had, or empty: what ``ticket.call`` names as ``seen``."""
    return str(state["held"])


def _at_window(state: Doc, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """What a window does with a ticket. Each body names the ``window`` and the ``call`` (``held``) that it follows."""
    window = _window_of(command.body, context)
    if isinstance(window, Refusal):
        return window
    if command.type == CALL:
        return _call(state, command, window, context)
    call = command.body.get("call")
    if state["window"] is not None and call == state["held"]:
        return _AT_WINDOW[command.type](state, command.body, context)
    double = next((entry for entry in state["doubles"] if entry["call"] == call), None)
    if double is not None:
        return _went_on(state, command.type, double, context)
    kept = next((entry for entry in state["turns"] if entry["call"] == call), None)
    # its own window let go of the ticket, or the line has moved on without it
    if kept is None or (state["window"] is None and call == last_call(state)):
        return _not_here(state)
    return _went_on(state, command.type, {**kept, "state": CALLED}, context)


def _holder(state: Doc) -> dict[str, Any]:
    turn = next(entry["turn"] for entry in (*state["turns"], *state["doubles"]) if entry["call"] == state["held"])
    return {"turn": turn, "call": state["held"], "window": state["window"]}


def _not_here(state: Doc) -> Refusal:
    where = state["window"]["name"] if state["window"] else tr("无窗口")
    sentence = tr("{number} 现为“{state}”（{where}），不能由本窗办理。",
                  number=state["number"], state=state_name(state["state"]), where=where)  # fmt: skip
    return Refusal("ACC-212", sentence)


def _call(state: Doc, command: Command, window: Doc, context: Context) -> Sequence[Event] | Refusal:
    """``{window, seen, reason, as, given}``. ``seen``: the last call known there; ``given``: the paper was shown."""
    body = command.body
    reason, called_as, seen = (body.get(key, "") for key in ("reason", "as", "seen"))
    if not all(isinstance(text, str) and len(text) <= 200 for text in (reason, called_as, seen)):
        return Refusal("ACC-211", tr("叫号的内容不完整，请刷新后重试。"))
    if seen != last_call(state) and not state["turns"]:
        return Refusal("ACC-211", tr("叫号的内容不完整，请刷新后重试。"))
    if seen != last_call(state):
        before = next((entry["turn"] for entry in state["turns"] if entry["call"] == seen), 0 if not seen else None)
        turn = state["turn"] if before is None else min(before + 1, state["turn"])
        double = {
            "turn": turn, "call": command.id, "window": {"id": window["id"], "name": window["name"]},
            "at": iso(context.now), "by": by(context.actor), "state": CALLED,
        }  # fmt: skip
        text = f"{window['name']}重复呼叫（{state['turns'][turn - 1]['window']['name']}先叫）"
        return _event("ticket.double_called", context, text, {}, doubles=[double])
    given = body.get("given") is True
    if state["state"] == WAITING or (given and state["state"] in (PRINTING, SKIPPED)):
        changes, entry = _call_of(state, window, reason, called_as, command.id, context)
        text = f"{window['name']}呼叫" + (f"：{reason}" if reason else "")
        return _event("ticket.called", context, text, changes, turns=[entry])
    if state["state"] in (CALLED, SERVING):
        at = at_words(state["called_at"])
        return Refusal("ACC-214", tr("{number} 已由{window}于 {at} 呼叫。", number=state["number"],
                                     window=state["window"]["name"], at=at))  # fmt: skip
    return _ended(state)


def _ended(state: Doc) -> Refusal:
    last = state["history"][-1]
    sentence = tr("{number} 现为“{state}”（{at} {text}），不能再操作。", number=state["number"],
                  state=state_name(state["state"]), at=at_words(last["at"]), text=last["text"])  # fmt: skip
    return Refusal("ACC-215", sentence)


def _went_on(state: Doc, type: str, entry: dict[str, Any], context: Context) -> Sequence[Event] | Refusal:
    """What the other window of a double call did: it is kept in ``doubles``, or the ticket goes over to it."""
    name, at = entry["window"]["name"], iso(context.now)
    if type == SERVE and state["state"] not in (SERVING, SERVED, MERGED):
        changes = {
            "state": SERVING, "window": entry["window"], "held": entry["call"], "served_at": at,
            "called_at": entry["at"],
        }  # fmt: skip
        first = state["turns"][entry["turn"] - 1]
        doubles = [{**first, "state": SKIPPED}]
        if state["state"] == CALLED:
            holder = {**_holder(state), "at": state["called_at"], "by": state["turns"][-1]["by"], "state": CALLED}
            doubles = [made for made in doubles if not _same(made, holder)] + [holder]
        doubles = [made for made in doubles if not _same(made, entry)] + [{**entry, "state": TAKEN_OVER}]
        text = f"{name}办理（重复呼叫，当事人在{name}）"
        return _event("ticket.taken_over", context, text, changes, doubles=doubles)
    ended = SERVED if entry["state"] in (SERVING, SERVED) else SKIPPED
    stages = {RECALL: entry["state"], SERVE: SERVING, FINISH: SERVED, SKIP: ended, TRANSFER: ended}
    verb = {RECALL: "重呼", SERVE: "办理", FINISH: "办完", SKIP: "过号", TRANSFER: "转出"}[type]
    double = {**entry, "state": stages[type]}
    if type == SERVE:
        double["served_at"] = at
    if type == FINISH:
        double["done_at"] = at
    return _event("ticket.double_went_on", context, f"{name}{verb}（重复呼叫）", {}, doubles=[double])


def _recall(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if state["state"] != CALLED:
        return _not_here(state)
    calls = state["calls"] + 1
    return _event("ticket.recalled", context, f"第 {calls} 次呼叫", {"calls": calls, "called_at": iso(context.now)})


def _skip(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if state["state"] != CALLED:
        return _not_here(state)
    changes = {"state": SKIPPED, "window": None, "skips": state["skips"] + 1}
    return _event("ticket.skipped", context, f"呼叫 {state['calls']} 次未到，过号", changes)


def _serve(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if state["state"] != CALLED:
        return _not_here(state)
    return _event("ticket.served", context, "开始办理", {"state": SERVING, "served_at": iso(context.now)})


def _finish(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if state["state"] != SERVING:
        return _not_here(state)
    return _event("ticket.finished", context, "办理完毕", {"state": SERVED, "done_at": iso(context.now)})


def _transfer(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    """``to_window`` or ``to_group``; the place in the line is kept."""
    if state["state"] not in (CALLED, SERVING):
        return _not_here(state)
    leaves = state["window"]["name"]
    if body.get("to_window"):
        to = context.refs.get((WINDOW_KIND, str(body["to_window"])))
        if to is None or to["hall_id"] != state["hall_id"] or to["id"] == state["window"]["id"]:
            return Refusal("ACC-216", tr("请选择本大厅的另一个窗口。"))
        if is_stopped(to, local_day(context.now)):
            return Refusal("ACC-217", tr("{window}已停用，不能转去。", window=to["name"]))
        directed, where = {"window": to["id"], "group": to["group"], "from": leaves}, to["name"]
    else:
        group = body.get("to_group")
        if not isinstance(group, str) or not _GROUP.fullmatch(group):
            return Refusal("ACC-218", tr("请选择转去的窗口或队列。"))
        directed, where = {"window": "", "group": group, "from": leaves}, f"{group} 队列"
    changes = {"state": WAITING, "window": None, "directed": directed, "group": directed["group"], "served_at": ""}
    return _event("ticket.transferred", context, f"由{leaves}转至{where}，保留次序", changes)


def _is_place(after: Any) -> bool:
    """Whether a ticket can be put behind what this says: a number, or empty for the end of the line."""
    return after == "" or (isinstance(after, str) and _NUMBER.fullmatch(after) is not None)


def _requeue(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    """``{place_at, after}``: back in the line, behind the ticket numbered ``after``, whose ``place_at`` it takes."""
    if state["state"] != SKIPPED:
        return _not_here(state)
    if state["skips"] >= MOST_SKIPS:
        return Refusal("ACC-219", tr("{number} 已过号 {n} 次，请重新取号。", number=state["number"], n=state["skips"]))
    place, after = body.get("place_at"), body.get("after", "")
    try:
        at = parse_iso(str(place))
    except ValueError:
        at = None
    if at is None or not parse_iso(state["place_at"]) <= at <= context.now or not _is_place(after):
        return Refusal("ACC-220", tr("重新排队的位置不对，请刷新后重试。"))
    text = f"过号后重新排队，排在 {after} 之后" if after else "过号后重新排队，排在最后"
    return _event("ticket.requeued", context, text, {"state": WAITING, "place_at": iso(at), "after": after or "-"})


def _cancel(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if state["state"] not in (PRINTING, WAITING, CALLED, SKIPPED):
        return _ended(state)
    reason = body.get("reason", "")
    if not isinstance(reason, str) or len(reason) > 100:
        return Refusal("ACC-221", tr("取消的原因最多 100 个字。"))
    return _event("ticket.cancelled", context, f"取消：{reason}" if reason else "取消", {"state": CANCELLED})


def _confirm(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if state["state"] != PRINTING:
        return _ended(state)
    return _event("ticket.confirmed", context, "票已打出", {"state": WAITING})


def _void(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    """The paper did not come out: the number is spent, and nobody is called by it."""
    if state["state"] not in (PRINTING, WAITING) or state["turn"]:
        return _ended(state)
    reason = body.get("reason", "")
    if not isinstance(reason, str) or len(reason) > 200:
        return Refusal("ACC-222", tr("作废的原因最多 200 个字。"))
    return _event("ticket.voided", context, f"未出票，此号作废：{reason}", {"state": VOIDED, "warning": reason})


def _join(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    """The server: what a window did by the paper alone becomes part of the ticket that the paper is of."""
    if not context.actor.may(SYSTEM):
        return forbidden(SYSTEM)
    paper = context.refs.get((KIND, str(body.get("paper_ticket"))))
    if paper is None or paper["number"] != state["number"] or not paper["turns"]:
        return Refusal("ACC-223", tr("没有同号的纸号。"))
    text = f"{paper['turns'][0]['window']['name']}凭纸号办理，并入"
    # the paper's calls follow those of the ticket
    behind = state["turn"]
    turns, doubles = (
        [{**entry, "turn": entry["turn"] + behind} for entry in paper[key]] for key in ("turns", "doubles")
    )
    changes = {"turn": behind + paper["turn"]}
    if state["state"] not in (SERVED, SERVING, MERGED) and paper["state"] == SERVED:
        keys = ("state", "window", "called_at", "served_at", "done_at", "calls", "called_as", "reason")
        changes |= {**{key: paper[key] for key in keys}, "held": paper["held"]}
        if state["state"] == CALLED:
            # where both called it, the one whose window served is kept
            doubles.append({**state["turns"][-1], **_holder(state), "state": CALLED})
    else:
        by_call = {entry["call"]: entry for entry in (*turns, *doubles)}
        had = by_call[paper["held"]]
        doubles = [entry for entry in doubles if not _same(entry, had)]
        doubles.append({**had, "state": paper["state"], "done_at": paper["done_at"]})
    return _event("ticket.joined", context, text, changes, turns=turns, doubles=doubles)


def _merge(state: Doc, body: Doc, context: Context) -> Sequence[Event] | Refusal:
    if not context.actor.may(SYSTEM):
        return forbidden(SYSTEM)
    if state["source"] != PAPER or state["state"] in (CALLED, SERVING, MERGED):
        return _ended(state)
    return _event("ticket.merged", context, "并入原号", {"state": MERGED, "merged_into": str(body.get("into", ""))})


_AT_WINDOW = {RECALL: _recall, SKIP: _skip, SERVE: _serve, FINISH: _finish, TRANSFER: _transfer}
_OTHER = {REQUEUE: _requeue, CANCEL: _cancel, CONFIRM: _confirm, VOID: _void, JOIN: _join, MERGE: _merge}


# -- the order ------------------------------------------------------------------------------------


class Place(NamedTuple):
    """A place in the line: the ticket, why it stands there, and as what (late, priority, booked, walk_in)."""

    ticket: Doc
    reason: str
    called_as: str


LATE, BOOKED, WALK_IN = "late", "booked", "walk_in"


def serves(window: Doc, ticket: Doc, strategy: Doc) -> bool:
    """Whether ``window`` calls tickets like this one."""
    if directed := ticket["directed"]:
        return bool(directed["window"] == window["id"] if directed["window"] else directed["group"] == window["group"])
    item = ticket["item"]
    if strategy["items"] and (item is None or item["code"] not in strategy["items"]):
        return False
    return offers(window, item, ticket["group"])


def rank(tickets: Iterable[Doc], window: Doc, strategy: Doc, now: datetime) -> list[Place]:
    """The line before ``window``: all that wait for it, in the order of their calls, each with its reason.

    ``tickets``: whatever is known of the hall; those called before by this window count for mixes. The bound
    of every strategy: whoever has waited ``patience`` minutes is overtaken only by those who came earlier.
    """
    known, today = list(tickets), local_day(now).isoformat()
    handed = _handed_in(known)
    mine = [
        ticket
        for ticket in known
        if ticket["state"] == WAITING
        and ticket["day"] == today
        and ticket["hall_id"] == window["hall_id"]
        and (ticket["hall_id"], ticket["day"], ticket["number"]) not in handed
        and serves(window, ticket, strategy)
    ]
    mine.sort(key=_in_line)
    kinds: dict[str, list[Doc]] = {LATE: [], PRIORITY: [], BOOKED: [], WALK_IN: []}
    for ticket in mine:
        kinds[_kind(ticket, strategy, now)].append(ticket)
    kinds[PRIORITY].sort(key=lambda ticket: (-ticket["priority"], _in_line(ticket)))
    kinds[BOOKED].sort(key=lambda ticket: (ticket["slot"]["start"], _in_line(ticket)))
    line = [Place(ticket, _reason(ticket, LATE, strategy, now), LATE) for ticket in kinds.pop(LATE)]
    past = _past_calls(known, window, today)
    while any(kinds.values()):
        chosen = _choose({kind: bool(waiting) for kind, waiting in kinds.items()}, past, strategy)
        ticket = kinds[chosen].pop(0)
        line.append(Place(ticket, _reason(ticket, chosen, strategy, now), chosen))
        past.append(chosen)
    return line


def _in_line(ticket: Doc) -> tuple[str, bool, str, int]:
    """Places sort by time; one that was put behind another shares its time and stands after it."""
    return ticket["place_at"], bool(ticket["after"]), ticket["taken_at"], ticket["serial"]


def _waited(ticket: Doc, now: datetime) -> int:
    return int((now - parse_iso(ticket["place_at"])).total_seconds() // 60)


def _in_slot(ticket: Doc, strategy: Doc, now: datetime) -> bool:
    slot, slack = ticket["slot"], timedelta(minutes=strategy["slack"])
    return slot is not None and parse_iso(slot["start"]) - slack <= now < parse_iso(slot["end"]) + slack


def _kind(ticket: Doc, strategy: Doc, now: datetime) -> str:
    if strategy["patience"] and _waited(ticket, now) >= strategy["patience"]:
        return LATE
    if ticket["priority"] and strategy["priority"] != ARRIVAL:
        return PRIORITY
    return BOOKED if strategy["booked"] != ARRIVAL and _in_slot(ticket, strategy, now) else WALK_IN


def _past_calls(tickets: Sequence[Doc], window: Doc, today: str) -> list[str]:
    """As what this window called its last tickets of the day, oldest first."""
    called = [
        ticket
        for ticket in tickets
        if ticket["called_at"] and ticket["day"] == today and (ticket["window"] or {}).get("id") == window["id"]
    ]
    called.sort(key=lambda ticket: ticket["called_at"])
    return [ticket["called_as"] for ticket in called]


def _choose(waiting: Mapping[str, bool], past: Sequence[str], strategy: Doc) -> str:
    """Whose turn it is among the kinds that wait."""
    others = waiting[BOOKED] or waiting[WALK_IN]
    if waiting[PRIORITY]:
        # each n-th: n - 1 others between two of them
        since = _run(past, lambda kind: kind != PRIORITY)
        if not others or strategy["priority"] == FIRST or since >= strategy["every"] - 1:
            return PRIORITY
    if not (waiting[BOOKED] and waiting[WALK_IN]):
        return BOOKED if waiting[BOOKED] else WALK_IN
    if strategy["booked"] == SLOT:
        return BOOKED
    mixed = [kind for kind in past if kind in (BOOKED, WALK_IN)]
    walk_ins, bookings = (_run(mixed, lambda kind, one=one: kind == one) for one in (WALK_IN, BOOKED))
    return BOOKED if walk_ins >= strategy["walk_ins"] or 0 < bookings < strategy["bookings"] else WALK_IN


def _run(past: Sequence[str], wanted: Any) -> int:
    """How many of the last calls in a row were ``wanted``."""
    count = 0
    for kind in reversed(past):
        if not wanted(kind):
            break
        count += 1
    return count


def slot_words(slot: Doc) -> str:
    """A slot's times of day: ``10:00–10:30``."""
    return f"{at_words(slot['start'])}–{at_words(slot['end'])}"


def _reason(ticket: Doc, kind: str, strategy: Doc, now: datetime) -> str:
    at = at_words(ticket["taken_at"])
    if kind == LATE:
        return tr("已等候 {n} 分钟，满 {most} 分钟不再被插队", n=_waited(ticket, now), most=strategy["patience"])
    if kind == PRIORITY:
        who = ticket["priority_class"] or tr("优先")
        if strategy["priority"] == EVERY:
            return tr("优先号（{who}），每 {n} 个号叫 1 个", who=who, n=strategy["every"])
        return tr("优先号（{who}）在前", who=who)
    if kind == BOOKED:
        slot = slot_words(ticket["slot"])
        if strategy["booked"] == MIX:
            return tr(
                "预约 {slot}，现场 {a} 人叫预约 {b} 人", slot=slot, a=strategy["walk_ins"], b=strategy["bookings"]
            )
        return tr("预约 {slot}，按时优先", slot=slot)
    if ticket["after"]:
        if ticket["after"] == "-":
            return tr("过号后重新排队，排在最后")
        return tr("过号后重新排队，排在 {number} 之后", number=ticket["after"])
    if ticket["directed"]:
        return tr("由{window}转来，保留次序（{at} 取号）", window=ticket["directed"]["from"], at=at)
    if ticket["slot"] is not None and strategy["booked"] != ARRIVAL:
        slot = slot_words(ticket["slot"])
        if now < parse_iso(ticket["slot"]["start"]):
            return tr("预约 {slot}，未到时段，按取号先后（{at} 取号）", slot=slot, at=at)
        return tr("预约 {slot}，已过时段，按取号先后（{at} 取号）", slot=slot, at=at)
    return tr("按取号先后（{at} 取号）", at=at)


def place_behind(line: Sequence[Place], places: int, now: datetime) -> tuple[str, str]:
    """``place_at`` and ``after`` for a ticket that goes back ``places`` places behind the head of ``line``."""
    if places < 1 or len(line) < places:
        return iso(now), ""
    anchor = line[places - 1].ticket
    return anchor["place_at"], anchor["number"]


# -- estimates ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many wait before, and for how many minutes, or None where nothing can be said; ``words`` says why."""

    ahead: int
    windows: int
    minutes: int | None
    words: str


def estimate(
    tickets: Iterable[Doc], windows: Sequence[tuple[Doc, Doc]], ticket: Doc, now: datetime, *, online: bool
) -> Estimate:
    """What can be said of the wait of ``ticket`` (one that waits). ``windows``: those that are open, with strategy.

    Its place is the best that it has before any of the windows; the mean is that of what these windows
    finished in the last half hour.
    """
    known = list(tickets)
    able = [(window, strategy) for window, strategy in windows if serves(window, ticket, strategy)]
    places = []
    for window, strategy in able:
        line = [place.ticket["id"] for place in rank(known, window, strategy, now)]
        if ticket["id"] in line:
            places.append(line.index(ticket["id"]))
    ahead, n = min(places, default=0), len(able)
    if not online:
        return Estimate(ahead, n, None, tr("本机离线，只知道前面至少 {ahead} 人，不估计等候时间。", ahead=ahead))
    if not places:
        return Estimate(0, n, None, tr("现在没有开放的窗口办理，不能估计等候时间。"))
    took = _took(known, {window["id"] for window, _ in able}, now)
    if len(took) < SAMPLES:
        words = tr(
            "前面 {ahead} 人，{n} 个窗口；近 30 分钟只办完 {done} 人，不足以估计时间。",
            ahead=ahead,
            n=n,
            done=len(took),
        )
        return Estimate(ahead, n, None, words)
    mean = sum(took) / len(took)
    minutes = -int(-ahead * mean // n)
    words = tr("前面 {ahead} 人，{n} 个窗口，近 30 分钟平均每人 {mean} 分钟，约等 {minutes} 分钟。",
               ahead=ahead, n=n, mean=max(1, round(mean)), minutes=minutes)  # fmt: skip
    return Estimate(ahead, n, minutes, words)


def _took(tickets: Iterable[Doc], windows: set[str], now: datetime) -> list[float]:
    """Minutes that each service finished in the last half hour took."""
    return [
        (parse_iso(ticket["done_at"]) - parse_iso(ticket["served_at"])).total_seconds() / 60
        for ticket in tickets
        if ticket["state"] == SERVED
        and ticket["served_at"]
        and ticket["window"]["id"] in windows
        and now - LOOK_BACK <= parse_iso(ticket["done_at"]) <= now
    ]


# -- double calls and screens -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DoubleCall:
    """A number that more than one window called or served while they did not know of each other."""

    number: str
    tickets: tuple[str, ...]
    windows: tuple[str, ...]
    served_twice: bool
    words: str


def _handed_in(tickets: Iterable[Doc]) -> set[tuple[str, str, str]]:
    """Hall, day and number of what was called by its paper alone."""
    return {
        (ticket["hall_id"], ticket["day"], ticket["number"])
        for ticket in tickets
        if ticket["source"] == PAPER and ticket["state"] in (CALLED, SERVING, SERVED)
    }


def _parties(ticket: Doc) -> list[tuple[str, str, bool, str]]:
    """When, at which window (name, id) and whether with service a ticket was called: now, and where it was doubled."""
    entries = []
    if ticket["window"] and ticket["state"] in (CALLED, SERVING, SERVED):
        done = ticket["state"] in (SERVING, SERVED)
        entries.append({**_holder(ticket), "at": ticket["called_at"], "done": done})
    for double in ticket["doubles"]:
        if not any(_same(double, entry) for entry in entries):
            entries.append({**double, "done": double["state"] in (SERVING, SERVED)})
    doubled = {entry["turn"] for entry in ticket["doubles"]}
    for kept in ticket["turns"]:
        # whose call was kept may have let the person go since: it was called there all the same
        if kept["turn"] in doubled and not any(_same(kept, entry) for entry in entries):
            entries.append({**kept, "done": False})
    return [(entry["at"], entry["window"]["name"], entry["done"], entry["window"]["id"]) for entry in entries]


def double_calls(tickets: Iterable[Doc]) -> list[DoubleCall]:
    """Every double call among ``tickets``, by number: of one ticket, or of a ticket and of its paper."""
    same: dict[tuple[str, str, str], list[Doc]] = defaultdict(list)
    for ticket in tickets:
        if ticket["state"] != MERGED:
            same[ticket["hall_id"], ticket["day"], ticket["number"]].append(ticket)
    found = []
    for (_, _, number), group in sorted(same.items()):
        parties = [party for ticket in group for party in _parties(ticket)]
        doubled = any(ticket["doubles"] for ticket in group)
        if not doubled and len({party[3] for party in parties}) < 2:
            continue
        who = tr("、").join(
            tr("{window}（{at}，{what}）", window=name, at=at_words(at), what=tr("已办理") if done else tr("只呼叫"))
            for at, name, done, _ in parties
        )
        twice = len({id for _, _, done, id in parties if done}) > 1
        words = tr("{number} 重复办理：{who}。", number=number, who=who) if twice else tr(
            "{number} 重复呼叫：{who}。", number=number, who=who
        )  # fmt: skip
        ids, names = tuple(ticket["id"] for ticket in group), tuple(name for _, name, _, _ in parties)
        found.append(DoubleCall(number, ids, names, twice, words))
    return found


def told(ticket: Doc, window_id: str) -> str:
    """What a window must be told of a ticket that it called and that another window has; empty when nothing."""
    if ticket["window"] and ticket["window"]["id"] == window_id:
        return ""
    if not any(entry["window"]["id"] == window_id for entry in ticket["doubles"]):
        return ""
    holder = ticket["window"]["name"] if ticket["window"] else tr("别的窗口")
    did = tr("办理") if ticket["state"] in (SERVING, SERVED) else tr("先叫")
    return tr(
        "{number} 重复呼叫：离线期间已由{window}{did}。请叫下一号。", number=ticket["number"], window=holder, did=did
    )


@dataclass(frozen=True, slots=True)
class ScreenCall:
    """One line of a screen: which number is asked to which window, since when (UTC text), and how often."""

    window_id: str
    window: str
    number: str
    at: str
    calls: int
    serving: bool
    text: str


def calls(tickets: Iterable[Doc], day: date, limit: int = 10) -> list[ScreenCall]:
    """The newest calls of a hall that still stand, newest first."""
    standing = [
        ticket for ticket in tickets if ticket["state"] in (CALLED, SERVING) and ticket["day"] == day.isoformat()
    ]
    standing.sort(key=lambda ticket: (ticket["called_at"], ticket["number"]), reverse=True)
    return [
        ScreenCall(
            window_id=ticket["window"]["id"],
            window=ticket["window"]["name"],
            number=ticket["number"],
            at=ticket["called_at"],
            calls=ticket["calls"],
            serving=ticket["state"] == SERVING,
            text=call_text(ticket["number"], ticket["window"]["name"]),
        )
        for ticket in standing[:limit]
    ]


def screens(windows: Iterable[Doc]) -> list[tuple[Doc, ...]]:
    """The windows by screen: two that name the same ``screen`` share one (双号双呼), the others have their own."""
    shared: dict[str, list[Doc]] = defaultdict(list)
    for window in sorted(windows, key=lambda window: window["id"]):
        shared[window["screen"] or window["id"]].append(window)
    return [tuple(group[start : start + 2]) for group in shared.values() for start in range(0, len(group), 2)]


def call_text(number: str, window: str) -> str:
    """What a screen and a message say: ``请 A017 号到 3 号窗口``."""
    return tr("请 {number} 号到{window}", number=number, window=window)


_SPOKEN = dict(zip("0123456789", "零一二三四五六七八九", strict=True))


def voice_text(number: str, window: str) -> str:
    """What a voice says: the number read digit by digit, ``请 A 零 一 七 号，到三号窗口``."""
    spelled = " ".join(_SPOKEN.get(mark, mark) for mark in number)
    spoken = "".join(_SPOKEN.get(mark, mark) for mark in window)
    return tr("请 {number} 号，到{window}", number=spelled, window=spoken)


# -- what the kiosk may offer -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer:
    """An item at the kiosk: the windows that handle it today, its group, or why no ticket is given."""

    item: Doc
    windows: tuple[Doc, ...]
    group: str
    why_not: str = ""


def offer(item: Doc, windows: Iterable[Doc], day: date) -> Offer:
    """Whether a ticket is given for ``item`` on ``day``: a stopped window's items issue none (C02)."""
    able = sorted((window for window in windows if offers(window, item)), key=lambda window: window["id"])
    going = tuple(window for window in able if not is_stopped(window, day))
    if going:
        groups = [str(group) for group in item.get("window_groups", ())]
        group = next((group for group in groups if any(window["group"] == group for window in going)), "")
        return Offer(item, going, group or going[0]["group"])
    name = item["name"]
    if not able:
        return Offer(item, (), "", tr("“{item}”没有窗口办理，不能取号。请到咨询台询问。", item=name))
    stopped = [window["state"]["stopped"] for window in able]
    window, why = able[0]["name"], stopped[0]["text"]
    parts = [tr("“{item}”今天不办：{window}已停用（{why}）。", item=name, window=window, why=why)]
    ends = [entry["until"] for entry in stopped]
    if all(ends):
        back = date.fromisoformat(min(ends)) + timedelta(days=1)
        parts.append(tr("{day}起恢复。", day=day_words(back)))
    else:
        parts.append(tr("恢复时间另行通知。"))
    if instead := next((entry["instead"] for entry in stopped if entry["instead"]), ""):
        parts.append(tr("可到{place}办理。", place=instead))
    return Offer(item, (), "", "".join(parts))
