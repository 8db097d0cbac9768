"""Result, collection, closing, rating; and what happens to paper: prints, scans, hand-overs.

Requirements C15, C17, C20, C25, C26, C41.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import reduce
from typing import Any

from modules.acceptance.domain.cases.intake import open_gaps
from modules.acceptance.domain.cases.term import flow_event
from modules.acceptance.domain.cases.words import (
    ACCEPTED,
    APPROVED,
    CLOSED,
    ISSUED,
    MAY_PRINT_AGAIN,
    PAPER,
    person,
    state_name,
    text_of,
    today_of,
    told,
)
from modules.common import workflow
from modules.common.aggregate import Command, Context, Doc, Event
from modules.common.clock import iso, parse_iso
from modules.common.codes import normalise
from modules.common.errors import Refusal
from modules.common.permissions import Actor, forbidden
from modules.common.text import tr
from modules.common.workflow import flow as flows

WINDOW, AGENT, POST = "window", "agent", "post"
NODES = ("intake", "handling", "closing")
DOUBLE_SCAN = timedelta(minutes=1)
"""A code that is read again at once was held too long, not scanned twice."""
PAPERS = ("receipt", "correction", "decline", "provisional", "collection")
STARS = (1, 2, 3, 4, 5)
LOW = (1, 2)
MOST_REASONS = 10


def method_name(method: str) -> str:
    """How a result is handed over, in the office's words."""
    return {WINDOW: tr("窗口领取"), AGENT: tr("他人代领"), POST: tr("邮寄送达")}.get(method, method)


def node_name(node: str) -> str:
    """A scan node in the office's words."""
    return {"intake": tr("收件"), "handling": tr("办理"), "closing": tr("办结")}.get(node, node)


_NODE_WORDS = {"intake": "收件", "handling": "办理", "closing": "办结"}
_PAPER_WORDS = {
    "receipt": "受理通知书",
    "correction": "一次性告知书",
    "decline": "不予受理决定书",
    "provisional": "容缺受理告知书",
    "collection": "领取单",
}


def may_finish(state: Doc) -> Refusal | None:
    """Nothing that was granted goes out while what was promised has not come (C28)."""
    gaps = open_gaps(state)
    if gaps and state["decision"] and state["decision"]["result"] == APPROVED:
        names = "、".join(entry["name"] for entry in gaps)
        return Refusal("ACC-032", tr("容缺材料尚未补齐（{names}），补齐后才能出件、办结。", names=names))
    return None


def undelivered(state: Doc) -> Refusal | None:
    """An approval with a step of delivery ends with it."""
    flow = state["flow"]
    return unfinished(flow) if flow and flow["status"] == flows.RUNNING else None


def unfinished(flow: Doc) -> Refusal:
    """Where the approval still stands."""
    step = flows.step_of(flow)["name"]
    return Refusal("ACC-039", tr("“{step}”环节尚未完成，请先完成该环节或登记出件。", step=step))


def may_deliver(state: Doc, context: Context) -> Refusal | None:
    """Where the approval ends with a step of delivery, whoever holds it registers the result."""
    flow = state["flow"]
    if not flow or flow["status"] != flows.RUNNING:
        return None
    offers = workflow.offered(flow, context.actor, context.now, context.refs)
    mine = next((offer for offer in offers if offer.verb == "approve"), None)
    return undelivered(state) if mine is None or mine.why_not else None


def issue(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """出件: the result is made and waits to be collected; the term ends. A step of delivery is done with it."""
    kind = text_of(command.body, "kind", tr("请写明结果的名称，如营业执照。"), 60)
    number = text_of(command.body, "number", "", 60)
    for refusal in (kind, number):
        if isinstance(refusal, Refusal):
            return refusal
    changes = {
        "result": {"kind": kind, "number": number, "made_at": iso(context.now)},
        "ended_on": today_of(context).isoformat(),
        "state": ISSUED,
    }
    text = f"出件：{kind}" + (f"（{number}）" if number else "")
    flow = state["flow"]
    if flow and flow["status"] == flows.RUNNING:
        body = {"visit": command.body.get("visit", flow["visit"]), "opinion": ""}
        events = workflow.decide(flow, "approve", body, context)
        if isinstance(events, Refusal):
            return events
        after = reduce(flows.evolve, events, flow)
        if after["status"] == flows.RUNNING:
            return unfinished(after)
        return flow_event("case.issued", state, events, context, text, changes)
    return Event("case.issued", told(context, text, **changes))


def collect(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """领取: the applicant in person, an agent with an identity number, or the post; the case is closed with it."""
    body, applicant = command.body, state["applicant"]
    method = body.get("method")
    if method not in (WINDOW, AGENT, POST):
        fault = tr("请选择窗口领取、他人代领或邮寄送达。")
        return Refusal("ACC-041", fault, {"method": fault})
    who = text_of(body, "by", tr("请填写领取人。"), 60)
    number = text_of(body, "id_number", "", 30)
    tracking = text_of(body, "tracking", "", 60)
    for refusal in (who, number, tracking):
        if isinstance(refusal, Refusal):
            return refusal
    number = normalise(str(number))
    if method == WINDOW and number != applicant["id_number"]:
        fault = tr("证件号码与申请人不符。由他人领取的，请选择“他人代领”。")
        return Refusal("ACC-041", fault, {"id_number": fault})
    if method == AGENT and (len(number) < 4 or number == applicant["id_number"]):
        fault = tr("他人代领须登记代领人本人的证件号码。")
        return Refusal("ACC-041", fault, {"id_number": fault})
    if method == POST and not tracking:
        fault = tr("邮寄送达须填写邮件号。")
        return Refusal("ACC-041", fault, {"tracking": fault})
    at, by = iso(context.now), person(context.actor)
    collected = {"by": who, "id_number": number, "method": method, "at": at, "clerk": by}
    collected |= {"tracking": tracking} if tracking else {}
    text = {WINDOW: f"{who}本人领取", AGENT: f"{who}代领", POST: f"邮寄送达{who}，邮件号 {tracking}"}[str(method)]
    visits = state["visits"] + (method != POST)
    changes = {"state": CLOSED, "collected": collected, "visits": visits, "closed_at": at, "closed_by": by}
    return Event("case.collected", told(context, text, **changes))


def close(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """办结 of what needs no collection."""
    at, by = iso(context.now), person(context.actor)
    changes = {"state": CLOSED, "closed_at": at, "closed_by": by, "ended_on": today_of(context).isoformat()}
    return Event("case.closed", told(context, "办结", **changes))


def not_closable(state: Doc) -> Refusal | None:
    """Why a case in this state cannot be closed, where more can be said than that it is in another state."""
    if state["state"] == ACCEPTED:
        return Refusal("ACC-011", tr("此件现为“{state}”，还没有审批决定，不能办结。", state=state_name(ACCEPTED)))
    if state["state"] == ISSUED:
        return Refusal("ACC-011", tr("此件已出件，请登记领取，领取即办结。"))
    return None


def rated(state: Doc) -> Refusal | None:
    """One case is rated once (001: one account, one rating)."""
    rating = state["rating"]
    if not rating:
        return None
    at = parse_iso(rating["at"])
    return Refusal("ACC-043", tr("此件已于 {day} 评价，一件只评一次。", day=f"{at:%Y-%m-%d}"))


def rate(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """评价: five steps; the two lowest say why."""
    body = command.body
    stars, reasons = body.get("stars"), body.get("reasons", [])
    if type(stars) is not int or stars not in STARS:
        fault = tr("请选择 1 到 5 星。")
        return Refusal("ACC-042", fault, {"stars": fault})
    text = text_of(body, "text")
    if isinstance(text, Refusal):
        return text
    if (
        not isinstance(reasons, list)
        or len(reasons) > MOST_REASONS
        or not all(isinstance(reason, str) and 0 < len(reason.strip()) <= 50 for reason in reasons)
        or (stars in LOW and not reasons)
    ):
        fault = tr("不满意的，请至少选择一项原因。")
        return Refusal("ACC-042", fault, {"reasons": fault})
    said = [reason.strip() for reason in reasons]
    rating = {"stars": stars, "reasons": said, "text": text, "at": iso(context.now)}
    why = "：" + "、".join(said) if said else ""
    return Event("case.rated", told(context, f"评价 {stars} 星{why}", rating=rating))


def print_paper(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """A paper went out. Again needs its own permission and a reason; every one is counted."""
    kind = command.body.get("kind")
    reason = text_of(command.body, "reason")
    if isinstance(reason, Refusal):
        return reason
    if kind not in PAPERS or not _has_paper(state, str(kind)):
        return Refusal("ACC-044", tr("此件没有这种文书。"), {"kind": tr("此件没有这种文书。")})
    count = sum(paper["kind"] == kind for paper in state["papers"])
    if count and not context.actor.may(MAY_PRINT_AGAIN):
        return forbidden(MAY_PRINT_AGAIN)
    if count and not reason:
        fault = tr("补打须写明原因。")
        return Refusal("ACC-044", fault, {"reason": fault})
    paper: dict[str, Any] = {"kind": kind, "at": iso(context.now), "by": person(context.actor)}
    paper |= {"reason": reason} if reason else {}
    text = (
        f"打印{_PAPER_WORDS[str(kind)]}" if not count else f"补打{_PAPER_WORDS[str(kind)]}（第 {count} 次）：{reason}"
    )
    return Event("case.printed", told(context, text, papers=[*state["papers"], paper]))


def _has_paper(state: Doc, kind: str) -> bool:
    reasons: Mapping[str, Any] = {
        "receipt": state["accepted_at"],
        "correction": state["correction"],
        "decline": state["decline"],
        "provisional": state["provisional"],
        "collection": state["decision"] and state["state"] not in (ACCEPTED, "suspended"),
    }
    return bool(reasons[kind])


def scan(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """A sticky code was scanned at a node. A node stands once; later scans of it are kept beside the first."""
    node = command.body.get("node")
    if node not in NODES:
        fault = tr("请选择收件、办理或办结环节。")
        return Refusal("ACC-034", fault, {"node": fault})
    mark = {"at": iso(context.now), "by": person(context.actor), "place": context.place}
    first = next((entry for entry in state["scans"] if entry["node"] == node), None)
    words = _NODE_WORDS[str(node)]
    if first is None:
        scans = [*state["scans"], {"node": node, **mark, "again": []}]
        return Event("case.scanned", told(context, f"扫码：{words}", scans=scans))
    last = (first["again"] or [first])[-1]
    if abs(context.now - parse_iso(last["at"])) < DOUBLE_SCAN:
        return Refusal("ACC-034", tr("“{node}”刚刚已经扫过。", node=node_name(str(node))))
    scans = [
        {**entry, "again": [*entry["again"], mark]} if entry["node"] == node else entry for entry in state["scans"]
    ]
    return Event("case.scanned", told(context, f"再次扫码：{words}", scans=scans))


def paper_at(state: Doc, material: str) -> str:
    """Where a material's paper is: ``hall``, ``department``, or ``way`` between them."""
    for entry in reversed(state["handovers"]):
        if material in entry["materials"]:
            return str(entry["to"]["kind"]) if entry["received_at"] else "way"
    return "hall"


def hand_over(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """Paper leaves the hall for the department, or the department for the hall, by a list."""
    to, wanted = command.body.get("to"), command.body.get("materials")
    here = {"department": "hall", "hall": "department"}.get(str(to), "")
    if not here or not _belongs(context.actor, state, here):
        fault = tr("材料只能由大厅交给部门，或由部门交回大厅。")
        return Refusal("ACC-036", fault, {"to": fault})
    names = {
        material["id"]: material["name"]
        for material in state["materials"]
        if material["received"] and material["kind"] == PAPER and paper_at(state, material["id"]) == here
    }
    if (
        not isinstance(wanted, list)
        or not wanted
        or not all(isinstance(id, str) and id in names for id in wanted)
        or len(set(wanted)) != len(wanted)
    ):
        fault = tr("请选择现在您处的纸质材料，每份一次。")
        return Refusal("ACC-036", fault, {"materials": fault})
    item, at = state["item"], iso(context.now)
    hall = {"kind": "hall", "id": state["hall_id"], "name": "大厅"}
    department = {"kind": "department", "id": item["department_id"], "name": item["department"]}
    there = department if to == "department" else hall
    entry: dict[str, Any] = {
        "id": command.id,
        "from": hall if there is department else department,
        "to": there,
        "materials": [id for id in names if id in wanted],
        "at": at,
        "by": person(context.actor),
        "received_at": None,
        "received_by": None,
    }
    text = f"移交{there['name']}：" + "、".join(names[id] for id in entry["materials"])
    return Event("case.handed_over", told(context, text, handovers=[*state["handovers"], entry]))


def _belongs(actor: Actor, state: Doc, kind: str) -> bool:
    if kind == "hall":
        return bool(actor.hall_id == state["hall_id"])
    return bool(actor.department_id and actor.department_id == state["item"]["department_id"])


def take_over(state: Doc, command: Command, context: Context) -> Event | Refusal:
    """The other side has the paper of a list in hand."""
    id = command.body.get("id")
    entry = next((one for one in state["handovers"] if one["id"] == id and not one["received_at"]), None)
    if entry is None:
        return Refusal("ACC-037", tr("没有这份移交清单，或已经接收。"))
    if not _belongs(context.actor, state, entry["to"]["kind"]):
        return Refusal("ACC-037", tr("这份材料移交给{name}，请由对方接收。", name=entry["to"]["name"]))
    received = {"received_at": iso(context.now), "received_by": person(context.actor)}
    handovers = [{**one, **received} if one["id"] == id else one for one in state["handovers"]]
    names = {material["id"]: material["name"] for material in state["materials"]}
    text = "接收材料：" + "、".join(names[id] for id in entry["materials"])
    return Event("case.taken_over", told(context, text, handovers=handovers))


def may_take_over(state: Doc) -> Refusal | None:
    """Whether any paper is on its way."""
    if any(not entry["received_at"] for entry in state["handovers"]):
        return None
    return Refusal("ACC-037", tr("没有待接收的移交清单。"))
