"""The state of one approval: how it begins, what each event makes of it, what can be read from it.

``Flow`` is plain JSON. Slots (签署位) and groups of slots are a ledger that only grows: what became of each place
to sign stays to be read. A slot is ``open``, then one of ``approved``, ``rejected``, ``dropped`` (no longer needed),
``skipped``, ``cancelled`` (returned, taken back, ended) or ``removed`` (减签).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from modules.common.aggregate import Event
from modules.common.clock import CHINA, iso
from modules.common.permissions import BUILTIN_ROLES
from modules.common.text import aside, tr
from modules.common.workflow.templates import ALL, DECIDE, JOINT, ONE, OWN, Template, Unit, settled

Flow = Mapping[str, Any]
Slot = Mapping[str, Any]
RUNNING, SUSPENDED, DONE, ABORTED, VOID = "running", "suspended", "done", "aborted", "void"
STATUSES = (RUNNING, SUSPENDED, DONE, ABORTED, VOID)
APPROVED, REJECTED = "approved", "rejected"
ACTIVE = "active"
OPEN, DROPPED, SKIPPED, CANCELLED, REMOVED = "open", "dropped", "skipped", "cancelled", "removed"
SIGNED = (APPROVED, REJECTED)
PASSED = "passed"
FORWARD, SKIP, RETURN, TAKE_BACK = "forward", "skip", "return", "take_back"
NOWHERE: Unit = {"id": "", "name": ""}


def begin(
    template: Template, at: datetime, *, department: Unit = NOWHERE, hall: Unit = NOWHERE, joint: Sequence[Unit] = ()
) -> Flow:
    """A new flow, standing at the template's first step.

    ``department``, ``hall`` and ``joint`` (联办部门) are ``{"id", "name"}``: what the template's "own" and "joint"
    mean. The flow keeps its template: a later version of it changes nothing here. Raises ``ValueError`` for a
    template that ``check_template`` finds fault with.
    """
    kept = settled(template, joint)
    flow: dict[str, Any] = {
        "template": kept,
        "department": dict(department),
        "hall": dict(hall),
        "joint": [dict(unit) for unit in joint],
        "status": RUNNING,
        "result": None,
        "step": kept["steps"][0]["id"],
        "round": 1,
        "visit": 1,
        "entered_at": iso(at),
        "passed": {},
        "groups": [],
        "slots": [],
        "sent": None,
        "suspended": None,
        "pauses": [],
        "extension": None,
        "extended_days": 0,
        "delegations": [],
        "ended": None,
        "trail": [],
    }
    first = kept["steps"][0]
    opened = places(flow, first, 1, iso(at))
    return {**flow, **opened, "pauses": _into(flow, first, on(at))}


def on(at: datetime) -> str:
    """The day in China of a moment, as ISO text: what dates of a flow are made of."""
    return at.astimezone(CHINA).date().isoformat()


def places(flow: Flow, step: Mapping[str, Any], round: int, at: str) -> dict[str, list[dict[str, Any]]]:
    """The group and the slots with which a step opens: ``{"groups": […], "slots": […]}``."""
    who = _who(flow, step)
    needed = {ONE: 1, ALL: len(who)}.get(step["completion"], step["completion"])
    group = {"id": f"g{len(flow['groups']) + 1}", "need": min(needed, len(who)), "by": None}
    return {"groups": [group], "slots": slots(flow, step["id"], round, group["id"], who, at)}


def slots(
    flow: Flow, step: str, round: int, group: str, who: Sequence[Mapping[str, Any]], at: str
) -> list[dict[str, Any]]:
    """New open slots, one for each of ``who``."""
    return [
        {
            "id": f"s{number}",
            "step": step,
            "round": round,
            "group": group,
            "who": one,
            "state": OPEN,
            "opened_at": at,
            "read": None,
            "acting": None,
            "signed": None,
        }
        for number, one in enumerate(who, len(flow["slots"]) + 1)
    ]


def _who(flow: Flow, step: Mapping[str, Any]) -> list[dict[str, Any]]:
    by, completion = step["by"], step["completion"]
    if "persons" in by:
        return [{"person": unit(person)} for person in by["persons"]]
    if by.get("department") == JOINT:
        return [{"role": by["role"], "department": unit(one)} for one in flow["joint"]]
    place = "department" if "department" in by else "hall"
    own = unit(flow[place]) if by[place] == OWN else {"id": by[place], "name": by.get("name", "")}
    return [{"role": by["role"], place: own}] * (completion if isinstance(completion, int) else 1)


def unit(value: Mapping[str, Any]) -> dict[str, str]:
    """Only the id and the name of a person, department or hall."""
    return {"id": value["id"], "name": value["name"]}


# --- what can be read from a flow ---------------------------------------------------------------------------------


def step_of(flow: Flow, id: str = "") -> Mapping[str, Any]:
    """The step with this id; without one, the current step."""
    wanted = id or flow["step"]
    found: Mapping[str, Any] = next(step for step in flow["template"]["steps"] if step["id"] == wanted)
    return found


def earlier_steps(flow: Flow) -> list[Mapping[str, Any]]:
    """The steps before the current one, first to last."""
    steps = flow["template"]["steps"]
    return list(steps[: _position(flow, flow["step"])])


def next_step(flow: Flow) -> Mapping[str, Any] | None:
    """The step after the current one, if any."""
    rest = flow["template"]["steps"][_position(flow, flow["step"]) + 1 :]
    return rest[0] if rest else None


def _position(flow: Flow, id: str) -> int:
    return [step["id"] for step in flow["template"]["steps"]].index(id)


def result_at(flow: Flow, step: str) -> str | None:
    """The result of a flow that comes to stand at ``step``: approved once no decision is still to be made."""
    rest = flow["template"]["steps"][_position(flow, step) :]
    return None if any(one["kind"] == DECIDE for one in rest) else APPROVED


def current(flow: Flow) -> list[Slot]:
    """The slots of the current visit of the current step, those cancelled or removed left out."""
    place = (flow["step"], flow["round"])
    return [
        slot
        for slot in flow["slots"]
        if (slot["step"], slot["round"]) == place and slot["state"] not in (CANCELLED, REMOVED)
    ]


def open_slots(flow: Flow) -> list[Slot]:
    """Where a signature is waited for."""
    return [slot for slot in flow["slots"] if slot["state"] == OPEN]


def group_of(flow: Flow, slot: Slot) -> Mapping[str, Any]:
    """The group that a slot belongs to; ``by`` is None in a step's own group, else who asked for co-signers."""
    found: Mapping[str, Any] = next(group for group in flow["groups"] if group["id"] == slot["group"])
    return found


def who_name(who: Mapping[str, Any]) -> str:
    """A person's name, or a role with its department or hall."""
    if "person" in who:
        return str(who["person"]["name"])
    role = next((tr(role.name) for role in BUILTIN_ROLES if role.id == who["role"]), who["role"])
    place = who.get("department") or who.get("hall") or NOWHERE
    return tr("{place}{role}", place=place["name"], role=role)


def holders(flow: Flow) -> list[str]:
    """Whom the flow waits for, one text each, such as ``王五`` or ``公安局部门审批人员（赵六代行）``."""
    words = []
    for slot in open_slots(flow):
        name = who_name(slot["who"])
        acting = slot["acting"]
        words.append(name + aside(tr("{name}代行", name=acting["by"]["name"])) if acting else name)
    return list(dict.fromkeys(words))


def progress(flow: Flow) -> list[tuple[str, str]]:
    """Each step's name with ``passed``, ``skipped``, ``current`` or ``waiting``: for a row of steps in a window."""
    running = flow["status"] in (RUNNING, SUSPENDED)
    return [
        (
            step["name"],
            "current" if running and step["id"] == flow["step"] else flow["passed"].get(step["id"], "waiting"),
        )
        for step in flow["template"]["steps"]
    ]


def pauses(flow: Flow) -> list[tuple[date, date | None]]:
    """The spans in which the clock stood, from the day of stopping to the day of going on (None: still standing).

    Suspensions and stays in steps that the term does not count (特别程序), merged, first to last.
    """
    spans: list[tuple[date, date | None]] = []
    for pause in sorted(flow["pauses"], key=lambda pause: str(pause["from"])):
        start = date.fromisoformat(pause["from"])
        end = date.fromisoformat(pause["to"]) if pause["to"] else None
        if spans and (spans[-1][1] is None or start <= spans[-1][1]):
            before = spans[-1]
            spans[-1] = (before[0], None if before[1] is None or end is None else max(before[1], end))
        else:
            spans.append((start, end))
    return spans


# --- what an event makes of a flow --------------------------------------------------------------------------------


def evolve(flow: Flow, event: Event) -> Flow:
    """The flow after one event. Nothing of the flow handed in is changed. Raises ``KeyError`` for an unknown event."""
    body = event.body
    line = {key: body[key] for key in ("at", "by", "text")}
    line |= {key: body[key] for key in ("opinion", "vote", "slot", "to") if key in body}
    line |= {"event": event.type, "round": flow["round"], "step": flow["step"]}
    return {**flow, **_CHANGES[event.type](flow, body), "trail": [*flow["trail"], line]}


Change = dict[str, Any]


def _changed(flow: Flow, ids: Iterable[str], **values: Any) -> list[dict[str, Any]]:
    wanted = set(ids)
    return [{**slot, **values} if slot["id"] in wanted else slot for slot in flow["slots"]]


def _seen(flow: Flow, body: Mapping[str, Any]) -> Change:
    """Who first does anything with a slot has read it."""
    if any(slot["id"] == body["slot"] and slot["read"] for slot in flow["slots"]):
        return {"slots": flow["slots"]}
    return {"slots": _changed(flow, [body["slot"]], read={"at": body["at"], "by": body["by"]})}


def _signed(flow: Flow, body: Mapping[str, Any]) -> Change:
    signed = {key: body[key] for key in ("at", "by", "for", "how", "vote", "opinion")}
    return {"slots": _changed(_seen(flow, body), [body["slot"]], state=body["vote"], signed=signed)}


def _moved(flow: Flow, body: Mapping[str, Any]) -> Change:
    how, to, here = body["how"], body["to"], flow["step"]
    change: Change = {
        "step": to,
        "visit": flow["visit"] + 1,
        "round": body["round"],
        "result": body["result"],
        "entered_at": body["at"],
        "pauses": _into(flow, step_of(flow, to), body["on"]),
        "sent": None,
    }
    left = [slot["id"] for slot in open_slots(flow)]
    if how == TAKE_BACK:
        kept = {slot["id"]: slot for slot in flow["sent"]["slots"]}
        change["slots"] = [kept.get(slot["id"], slot) for slot in _changed(flow, left, state=CANCELLED)]
        change["passed"] = {step: way for step, way in flow["passed"].items() if step != to}
        return change
    if how == RETURN:
        back = {step["id"] for step in flow["template"]["steps"][_position(flow, to) :]}
        change["slots"] = [*_changed(flow, left, state=CANCELLED), *body["slots"]]
        change["passed"] = {step: way for step, way in flow["passed"].items() if step not in back}
    else:
        state, way = (SKIPPED, SKIPPED) if how == SKIP else (DROPPED, PASSED)
        change["slots"] = [*_changed(flow, left, state=state), *body["slots"]]
        change["passed"] = {**flow["passed"], here: way}
        change["sent"] = {"by": body["by"], "at": body["at"], "step": here, "slots": body["before"]}
    change["groups"] = [*flow["groups"], *body["groups"]]
    return change


def _into(flow: Flow, step: Mapping[str, Any], day: str) -> list[dict[str, Any]]:
    """The pauses when ``step`` is entered: a stay in a special procedure ends, and another begins."""
    left = _gone_on(flow, "special", day)
    return left if step["bound"] else [*left, {"from": day, "to": None, "why": "special"}]


def _gone_on(flow: Flow, why: str, day: str) -> list[dict[str, Any]]:
    return [
        {**pause, "to": day} if pause["to"] is None and (not why or pause["why"] == why) else pause
        for pause in flow["pauses"]
    ]


def _finished(flow: Flow, body: Mapping[str, Any]) -> Change:
    status = body["status"]
    left = [slot["id"] for slot in open_slots(flow)]
    state = {SKIP: SKIPPED, FORWARD: DROPPED}.get(body["how"], CANCELLED)
    passed = flow["passed"] if body["how"] not in (SKIP, FORWARD) else {**flow["passed"], flow["step"]: body["passed"]}
    return {
        "status": status,
        "result": body["result"],
        "slots": _changed(flow, left, state=state),
        "passed": passed,
        "pauses": _gone_on(flow, "", body["on"]),
        "suspended": None,
        "extension": None,
        "sent": None,
        "ended": {"at": body["at"], "by": body["by"], "reason": body["reason"]},
    }


def _cosigners_added(flow: Flow, body: Mapping[str, Any]) -> Change:
    read = _seen(flow, body)["slots"]
    return {"groups": [*flow["groups"], body["group"]], "slots": [*read, *body["slots"]]}


def _cosigner_dropped(flow: Flow, body: Mapping[str, Any]) -> Change:
    groups = [{**group, "need": body["need"]} if group["id"] == body["group"] else group for group in flow["groups"]]
    return {"groups": groups, "slots": _changed(flow, [body["slot"]], state=REMOVED)}


def _acting(flow: Flow, body: Mapping[str, Any]) -> Change:
    acting = {key: body[key] for key in ("at", "by", "for", "basis")}
    return {"slots": _changed(_seen(flow, body), [body["slot"]], acting=acting)}


def _delegated(flow: Flow, body: Mapping[str, Any]) -> Change:
    return {"delegations": [*flow["delegations"], body["delegation"]]}


def _undelegated(flow: Flow, body: Mapping[str, Any]) -> Change:
    return {
        "delegations": [{**one, "state": REMOVED} if one["id"] == body["id"] else one for one in flow["delegations"]]
    }


def _suspended(flow: Flow, body: Mapping[str, Any]) -> Change:
    return {
        "status": SUSPENDED,
        "suspended": {key: body[key] for key in ("at", "by", "reason")} | {"since": body["on"]},
        "pauses": [*flow["pauses"], {"from": body["on"], "to": None, "why": "suspended"}],
    }


def _resumed(flow: Flow, body: Mapping[str, Any]) -> Change:
    return {"status": RUNNING, "suspended": None, "pauses": _gone_on(flow, "suspended", body["on"])}


def _extension_asked(flow: Flow, body: Mapping[str, Any]) -> Change:
    return {"extension": {key: body[key] for key in ("at", "by", "days", "reason")}}


def _extension_answered(flow: Flow, body: Mapping[str, Any]) -> Change:
    return {"extension": None, "extended_days": flow["extended_days"] + (body["days"] if body["agree"] else 0)}


def _urged(flow: Flow, body: Mapping[str, Any]) -> Change:
    return {}


_CHANGES = {
    "flow.read": _seen,
    "flow.signed": _signed,
    "flow.moved": _moved,
    "flow.finished": _finished,
    "flow.cosigners_added": _cosigners_added,
    "flow.cosigner_dropped": _cosigner_dropped,
    "flow.acting": _acting,
    "flow.delegated": _delegated,
    "flow.undelegated": _undelegated,
    "flow.suspended": _suspended,
    "flow.resumed": _resumed,
    "flow.extension_asked": _extension_asked,
    "flow.extension_answered": _extension_answered,
    "flow.urged": _urged,
}
EVENTS = frozenset(_CHANGES)
"""The types of event that ``evolve`` knows."""
