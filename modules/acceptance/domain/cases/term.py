"""A case's clock: its term, when it is due, how it stands; and the approval that moves both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce
from typing import Any

from modules.acceptance.domain.cases.words import (
    ABORTED,
    ACCEPTED,
    DECIDED,
    RUNNING,
    SUSPENDED,
    VOIDED,
    day_of,
    person,
    today_of,
    told,
)
from modules.common import deadlines
from modules.common.aggregate import Context, Doc, Event
from modules.common.calendar import WorkCalendar
from modules.common.clock import iso, parse_iso
from modules.common.deadlines import RED_GRACE, REMIND_BEFORE, Standing, Term
from modules.common.errors import GovDeskError
from modules.common.text import tr
from modules.common.workflow import TEMPLATES, check_template
from modules.common.workflow import flow as flows

MONITORING = ("dictionary", "case-monitoring")
"""The dictionary that sets the days to a reminder and to a red card: ``remind_before`` and ``red_grace``, working days
as numbers of its own, or as the text of entries of that value. A case keeps what held when it was accepted.
"""

DIRECT: Mapping[str, Any] = {
    "id": "direct",
    "name": "直接决定",
    "steps": [
        {
            "id": "decide",
            "name": "决定",
            "kind": "decide",
            "by": {"role": "officer", "department": ""},
            "completion": "one",
            "mandatory": True,
            "act_for": True,
            "days": None,
            "bound": True,
        }
    ],
}
"""How an item is approved that names no approval: by one officer of its department."""

EMPTY: Mapping[str, Any] = {
    "window_id": "",
    "ticket": None,
    "source": "window",
    "green": False,
    "term": None,
    "flow": None,
    "invitations": [],
    "visits": 1,
    "correction": None,
    "decline": None,
    "provisional": None,
    "decision": None,
    "result": None,
    "collected": None,
    "scans": [],
    "transfers": [],
    "handovers": [],
    "cards": [],
    "urges": [],
    "rating": None,
    "papers": [],
    "ended_on": None,
}


def whole(state: Doc) -> dict[str, Any]:
    """A case with all its keys: one that was accepted by an earlier version of the program lacks the newer ones."""
    if "flow" in state:
        return dict(state)
    item = state["item"]
    case = {**EMPTY, **state}
    accepted = parse_iso(state["accepted_at"])
    term = Term(day_of(state["accepted_at"]), item["promised_days"], kind=item["kind"])
    case["term"] = {**term.to_doc(), "red_grace": RED_GRACE, "remind_before": REMIND_BEFORE}
    if state["state"] == ACCEPTED:
        case["flow"] = flows.begin(
            DIRECT,
            accepted,
            department={"id": item["department_id"], "name": item["department"]},
            hall={"id": state["hall_id"], "name": state["place"]},
        )
    if state["closed_at"]:
        case["ended_on"] = day_of(state["closed_at"]).isoformat()
    return case


def template_of(item: Doc) -> Mapping[str, Any]:
    """The approval of an item. Raises ``GovDeskError`` ACC-035 for one that no flow can begin with."""
    given = item.get("template") or DIRECT
    template = TEMPLATES.get(given) if isinstance(given, str) else given
    faults = [tr("没有这个流程模板。")] if template is None else check_template(template)
    if template is None or faults:
        sentence = tr("事项“{name}”的审批流程不可用：{why}", name=item["name"], why=faults[0])
        raise GovDeskError("ACC-035", sentence, fix=tr("请联系大厅管理员。"))
    return template


def monitoring(dictionary: Doc) -> dict[str, int]:
    """The working days that a dictionary sets; what it does not say, or not as a number, is left out."""
    texts = {str(entry.get("value")): str(entry.get("text")).strip() for entry in dictionary.get("entries", ())}
    texts |= {key: str(dictionary[key]) for key in ("remind_before", "red_grace") if type(dictionary.get(key)) is int}
    return {key: int(text) for key, text in texts.items() if text.isdecimal() and text.isascii() and len(text) < 4}


def clocked(term: Term, watch: Mapping[str, Any], before: Doc | None, calendar: WorkCalendar) -> dict[str, Any]:
    """``term`` and ``due`` as a case keeps them. While the clock stands nobody knows the day: the last known stays.

    ``watch`` holds ``red_grace`` and ``remind_before``, or not; ``before`` is the due date so far.
    """
    due = deadlines.due(term, calendar) or (deadlines.due(_unpaused(term), calendar) if before is None else None)
    kept = {
        **term.to_doc(),
        "red_grace": _days(watch.get("red_grace"), RED_GRACE),
        "remind_before": _days(watch.get("remind_before"), REMIND_BEFORE),
    }
    return {"term": kept, "due": {"date": due.date.isoformat(), "provisional": due.provisional} if due else before}


def _unpaused(term: Term) -> Term:
    return Term(term.start, term.days, (), term.extension, term.kind)


def _days(value: Any, otherwise: int) -> int:
    return value if type(value) is int and 0 <= value <= 366 else otherwise


def term_of(case: Doc) -> Term | None:
    """A case's term; None before acceptance."""
    return Term.from_doc(case["term"]) if case.get("term") else None


def standing_of(case: Doc, today: date, calendar: WorkCalendar) -> Standing | None:
    """How a case stands in its term today, or how it ended; None where no term runs or none was ever promised."""
    if case["state"] in (ABORTED, VOIDED, "withdrawn") or not case.get("due"):
        return None
    term = term_of(case) or Term(date.fromisoformat(case["due"]["date"]), 0)
    ended = case.get("ended_on") or (day_of(case["closed_at"]).isoformat() if case.get("closed_at") else None)
    watch = case.get("term") or {}
    return deadlines.standing(
        term,
        date.fromisoformat(ended) if ended else None,
        today,
        calendar,
        red_grace=_days(watch.get("red_grace"), RED_GRACE),
        remind_before=_days(watch.get("remind_before"), REMIND_BEFORE),
    )


def state_of(flow: Doc) -> str:
    """The case's state that an approval makes."""
    if flow["status"] in (flows.ABORTED, flows.VOID):
        return ABORTED if flow["status"] == flows.ABORTED else VOIDED
    if flow["status"] == flows.SUSPENDED:
        return SUSPENDED
    return DECIDED if flow["result"] else ACCEPTED


def step_due(case: Doc, calendar: WorkCalendar) -> date | None:
    """The day by which the case's step is to be done, where the step has days of its own (D17) and is not over."""
    flow = case.get("flow")
    if not flow or flow["status"] not in (flows.RUNNING, flows.SUSPENDED):
        return None
    days = flows.step_of(flow)["days"]
    return calendar.add_workdays(day_of(flow["entered_at"]), days).date if days else None


def walked(state: Doc, events: Sequence[Event], context: Context) -> dict[str, Any]:
    """What a case becomes when its approval takes ``events``: state, decision, term, due date, end."""
    flow = reduce(flows.evolve, events, state["flow"])
    after = state_of(flow)
    changes: dict[str, Any] = {"state": after}
    if flow["result"] is None:
        changes["decision"] = None
    elif state["decision"] is None:
        changes["decision"] = _decision(flow)
    if after not in RUNNING:
        changes["ended_on"] = today_of(context).isoformat()
    return changes | reckoned(state, flow, context)


def _decision(flow: Doc) -> dict[str, Any]:
    """The decision of an approval that has come to one: the last word said at a step that decides, if any was."""
    kinds = {step["id"]: step["kind"] for step in flow["template"]["steps"]}
    signed = [line for line in flow["trail"] if line["event"] == "flow.signed" and kinds[line["step"]] == "decide"]
    last = signed[-1] if signed else {**flow["ended"], "opinion": flow["ended"]["reason"]}
    return {"result": flow["result"], "opinion": last["opinion"], "at": last["at"], "by": last["by"]}


def reckoned(state: Doc, flow: Doc, context: Context) -> dict[str, Any]:
    """``term`` and ``due`` after the approval's pauses and extensions have changed."""
    old = Term.from_doc(state["term"])
    term = Term(old.start, old.days, tuple(flows.pauses(flow)), flow["extended_days"], old.kind)
    return clocked(term, state["term"], state["due"], context.calendar)


def flow_event(
    type: str, state: Doc, events: Sequence[Event], context: Context, text: str = "", changes: Doc | None = None
) -> Event:
    """One event of the case that carries those of its approval; ``changes`` go over what the approval makes of it."""
    body = told(context, text or spoken(events), **{**walked(state, events, context), **(changes or {})})
    return Event(type, {**body, "flow": [{"type": event.type, "body": event.body} for event in events]})


def spoken(events: Sequence[Event]) -> str:
    """What was done, without the name of who did it: a line of history has that beside it."""
    texts = [str(event.body["text"]).removeprefix(str(event.body["by"]["name"])) for event in events]
    return "；".join(texts)


def ending(state: Doc, status: str, reason: str, context: Context, result: str | None = None) -> Event:
    """The approval's end by somebody outside it: the applicant withdraws, or a late material lapses."""
    how = flows.FORWARD if status == flows.DONE else status
    body = {"status": status, "how": how, "result": result, "on": today_of(context).isoformat(), "reason": reason}
    return Event("flow.finished", {**_told(context, reason), **body, "passed": flows.PASSED})


def stopping(reason: str, context: Context) -> Event:
    """The approval's suspension by the server."""
    return Event("flow.suspended", {**_told(context, reason), "reason": reason, "on": today_of(context).isoformat()})


def going_on(text: str, context: Context) -> Event:
    """The approval goes on after ``stopping``."""
    return Event("flow.resumed", {**_told(context, text), "on": today_of(context).isoformat()})


def _told(context: Context, text: str) -> dict[str, Any]:
    return {"at": iso(context.now), "by": person(context.actor), "text": text}
