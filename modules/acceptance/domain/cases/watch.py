"""What the server's scheduler does to a case: cards, dates counted anew, materials that never came.

Each rule checks for itself that there is reason, so that a job that ran half, or twice, does nothing twice.
Requirements C28, D14–D17, E6.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from modules.acceptance.domain.cases.intake import ABORT, REJECT, SUSPEND, consequence_of, open_gaps
from modules.acceptance.domain.cases.term import clocked, ending, flow_event, standing_of, stopping, term_of
from modules.acceptance.domain.cases.words import ACCEPTED, DECIDED, REJECTED, person, today_of, told
from modules.common import deadlines
from modules.common.aggregate import Command, Context, Doc, Event
from modules.common.calendar import WorkCalendar
from modules.common.clock import iso
from modules.common.errors import Refusal
from modules.common.text import tr
from modules.common.workflow import flow as flows

REMINDER, YELLOW, RED = "reminder", "yellow", "red"
LEVELS: Mapping[str, tuple[str, ...]] = {
    REMINDER: (deadlines.NEAR, deadlines.TODAY),
    YELLOW: (deadlines.YELLOW, deadlines.RED),
    RED: (deadlines.RED,),
}
"""How a term must stand for each card. A card is given once for each due date: an extension opens a new one."""
_CARD_WORDS = {REMINDER: "时限提醒", YELLOW: "黄牌", RED: "红牌"}


def card_name(level: str) -> str:
    """A card in the office's words."""
    return {REMINDER: tr("时限提醒"), YELLOW: tr("黄牌"), RED: tr("红牌")}.get(level, level)


def cards_due(state: Doc, today: date, calendar: WorkCalendar) -> list[str]:
    """The cards that a case should have today and has not."""
    standing = standing_of(state, today, calendar) if state["due"] and not state["ended_on"] else None
    if standing is None:
        return []
    given = {(card["level"], card["due"]) for card in state["cards"]}
    return [
        level for level, at in LEVELS.items() if standing.level in at and (level, state["due"]["date"]) not in given
    ]


def card(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """提醒, 黄牌, 红牌: given by the server alone, each once, to whom the body names."""
    level, to = command.body.get("level"), command.body.get("to", [])
    if not isinstance(to, list) or not all(map(_is_told, to)):
        return Refusal("ACC-046", tr("发牌须写明告知何人。"))
    if level not in cards_due(state, today_of(context), context.calendar):
        return Refusal("ACC-046", tr("此件现在不应发此牌，或已经发过。"))
    names = [{key: one[key] for key in ("id", "name", "role")} for one in to]
    standing = standing_of(state, today_of(context), context.calendar)
    entry = {"level": level, "at": iso(context.now), "to": names, "due": state["due"]["date"]}
    words = f"{_CARD_WORDS[str(level)]}：应办结日期 {state['due']['date']}"
    if standing and standing.days_left is not None and standing.days_left < 0:
        words += f"，超期 {-standing.days_left} 个工作日"
    return Event("case.carded", told(context, words, cards=[*state["cards"], entry]))


def _is_told(one: Any) -> bool:
    return isinstance(one, Mapping) and all(isinstance(one.get(key), str) for key in ("id", "name", "role"))


def recount(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """The holiday table has changed: count again, and say so in the history."""
    term = term_of(state)
    if term is None or not state["due"]:
        return Refusal("ACC-047", tr("此件没有时限。"))
    counted = clocked(term, state["term"], state["due"], context.calendar)
    before, after = state["due"], counted["due"]
    if after == before:
        return Refusal("ACC-047", tr("应办结日期没有变化。"))
    text = "节假日表变动，应办结日期重新计算："
    if after["date"] == before["date"]:
        text += f"{after['date']}，{'暂定' if after['provisional'] else '已确定'}"
    else:
        text += f"{before['date']} 改为 {after['date']}" + ("（暂定）" if after["provisional"] else "")
    return Event("case.recounted", told(context, text, due=after))


def overdue_gaps(state: Doc, today: date) -> list[Doc]:
    """The lacking materials whose last day has gone and about which nothing has been done yet."""
    return [entry for entry in open_gaps(state) if not entry["lapsed_at"] and entry["by"] < today.isoformat()]


def lapse(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """A material that may be lacking did not come in time: what the citizen was told happens now."""
    late = overdue_gaps(state, today_of(context))
    if not late:
        return Refusal("ACC-048", tr("没有逾期未补交的容缺材料。"))
    gone = {entry["id"] for entry in late}
    owed = [
        {**entry, "lapsed_at": iso(context.now)} if entry["id"] in gone else entry
        for entry in state["provisional"]["materials"]
    ]
    changes = {"provisional": {**state["provisional"], "materials": owed}}
    text = "容缺材料逾期未补：" + "；".join(
        f"{entry['name']}（应于 {entry['by']} 前补交，{entry['consequence']}）" for entry in late
    )
    does = {consequence_of(entry["consequence"]) for entry in late}
    if state["state"] == DECIDED:
        return Event("case.lapsed", told(context, text + "；补齐后方可出件", **changes))
    if REJECT in does:
        decision = {"result": REJECTED, "opinion": text, "at": iso(context.now), "by": person(context.actor)}
        finish = ending(state, flows.DONE, text, context, REJECTED)
        return flow_event("case.lapsed", state, [finish], context, text, {**changes, "decision": decision})
    if ABORT in does:
        finish = ending(state, flows.ABORTED, text, context)
        return flow_event("case.lapsed", state, [finish], context, text, changes)
    if SUSPEND in does and state["state"] == ACCEPTED:
        return flow_event("case.lapsed", state, [stopping(text, context)], context, text, changes)
    return Event("case.lapsed", told(context, text, **changes))
