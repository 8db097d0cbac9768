"""The aggregate ``case``: which command is whose, in which state, and what it brings about.

One table. ``decide`` and ``offered`` read the same row of it, so that a button is offered exactly when its command
would not be refused for who or when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

from modules.acceptance.domain.cases import approval, closing, intake, watch
from modules.acceptance.domain.cases.term import MONITORING, whole
from modules.acceptance.domain.cases.words import (
    ABORTED,
    ACCEPT,
    ACCEPTED,
    APPLIED,
    APPLY,
    ASK_MORE,
    BEFORE,
    CARD,
    CLOSE,
    CLOSED,
    COLLECT,
    CORRECT,
    CORRECTING,
    DECIDE,
    DECIDED,
    DECLINE,
    DECLINED,
    HAND_OVER,
    INVITE,
    INVITED,
    ISSUE,
    ISSUED,
    ITEM_KIND,
    KIND,
    LAPSE,
    MAY_ACCEPT,
    MAY_CLOSE,
    MAY_DECIDE,
    MAY_READ,
    ORGANISATION,
    PRINT,
    RATE,
    RECOUNT,
    RUNNING,
    SCAN,
    STATES,
    SUPPLY,
    SUPPLY_LACKING,
    SUSPENDED,
    SYSTEM_ONLY,
    TAKE_OVER,
    TRANSFER,
    VOID,
    VOIDED,
    WITHDRAW,
    WITHDRAWN,
    already,
    standing_words,
    state_name,
)
from modules.common import staff, workflow
from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.errors import GovDeskError, Refusal
from modules.common.permissions import forbidden
from modules.common.text import tr
from modules.common.workflow import flow as flows

Make = Callable[..., Event | Refusal]
Bar = Callable[[Doc, Context], Refusal | None]
"""(state, command, context) → what it brings about; the state is None where the row begins with ``NEW``."""
HALL, DEPARTMENT, EITHER, ANYWHERE = "hall", "department", "either", ""
MOST_DELEGATIONS = 20
"""Standing delegations that a command may name: by which its giver signs in others' places."""
NEW = ""
"""The state of a case that is not there yet."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A command that a person sees on a case now; ``why_not`` says why it cannot be given.

    ``choices`` are ``(value, words)`` where the command needs one: a step to return to, somebody to act for.
    """

    command: str
    name: str
    why_not: str = ""
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One command: its name, in which states, with which permission (any of them), from where, and under what else."""

    name: Callable[[], str]
    states: tuple[str, ...]
    may: tuple[str, ...]
    where: str
    make: Make
    unless: Bar = lambda state, context: None
    shown: bool = True


def _of_state(bar: Callable[[Doc], Refusal | None]) -> Bar:
    """A bar that asks nothing but the state."""
    return lambda state, context: bar(state)


def _verb(verb: str) -> Make:
    def make(state: Doc, command: Command, context: Context) -> Event | Refusal:
        return approval.verbed(verb, state, command.body, context)

    return make


_STANDING = (*RUNNING, ISSUED)
ROWS: Mapping[str, Row] = {
    APPLY: Row(lambda: tr("登记网上申请"), (NEW,), (SYSTEM_ONLY,), ANYWHERE, intake.apply, shown=False),
    INVITE: Row(
        lambda: tr("预审通过，通知到场"),
        (APPLIED, INVITED),
        (MAY_ACCEPT, MAY_DECIDE),
        EITHER,
        intake.invite,
        _of_state(intake.may_invite),
    ),
    ASK_MORE: Row(
        lambda: tr("预审补正告知"),
        (APPLIED, INVITED),
        (MAY_ACCEPT, MAY_DECIDE),
        EITHER,
        intake.correct,
        _of_state(intake.told_once),
    ),
    ACCEPT: Row(lambda: tr("受理"), (NEW, *BEFORE), (MAY_ACCEPT,), HALL, intake.accept),
    CORRECT: Row(
        lambda: tr("一次性告知补正"),
        (NEW, *BEFORE),
        (MAY_ACCEPT,),
        HALL,
        intake.correct,
        _of_state(intake.told_once),
    ),
    SUPPLY: Row(lambda: tr("登记已补正"), (CORRECTING,), (MAY_ACCEPT, SYSTEM_ONLY), HALL, intake.supply),
    DECLINE: Row(lambda: tr("不予受理"), (NEW, *BEFORE), (MAY_ACCEPT,), HALL, intake.decline),
    SUPPLY_LACKING: Row(
        lambda: tr("补交容缺材料"),
        RUNNING,
        (MAY_ACCEPT,),
        HALL,
        intake.supply_lacking,
        _of_state(intake.may_supply_lacking),
    ),
    DECIDE: Row(lambda: tr("审批"), (ACCEPTED,), (MAY_DECIDE, MAY_ACCEPT), ANYWHERE, approval.decide, shown=False),
    TRANSFER: Row(lambda: tr("移交其他部门"), (ACCEPTED,), (MAY_DECIDE, MAY_ACCEPT), EITHER, approval.transfer),
    ISSUE: Row(
        lambda: tr("登记出件"),
        (DECIDED,),
        (MAY_CLOSE, MAY_ACCEPT),
        EITHER,
        closing.issue,
        lambda state, context: closing.may_finish(state) or closing.may_deliver(state, context),
    ),
    COLLECT: Row(lambda: tr("登记领取"), (ISSUED,), (MAY_ACCEPT, MAY_CLOSE), EITHER, closing.collect),
    CLOSE: Row(
        lambda: tr("办结"),
        (DECIDED,),
        (MAY_CLOSE,),
        EITHER,
        closing.close,
        lambda state, context: closing.may_finish(state) or closing.undelivered(state),
    ),
    RATE: Row(
        lambda: tr("登记评价"),
        (*_STANDING, CORRECTING, DECLINED, CLOSED, ABORTED, WITHDRAWN),
        (MAY_ACCEPT, SYSTEM_ONLY),
        HALL,
        closing.rate,
        _of_state(closing.rated),
    ),
    PRINT: Row(
        lambda: tr("登记打印"),
        tuple(state for state in STATES if state != APPLIED),
        (MAY_READ,),
        EITHER,
        closing.print_paper,
        shown=False,
    ),
    SCAN: Row(
        lambda: tr("扫码登记"),
        (*_STANDING, CLOSED),
        (MAY_ACCEPT, MAY_DECIDE, MAY_CLOSE),
        EITHER,
        closing.scan,
    ),
    HAND_OVER: Row(
        lambda: tr("移交材料"),
        (*_STANDING, CLOSED),
        (MAY_ACCEPT, MAY_DECIDE, MAY_CLOSE),
        EITHER,
        closing.hand_over,
    ),
    TAKE_OVER: Row(
        lambda: tr("接收材料"),
        (*_STANDING, CLOSED, ABORTED, VOIDED, WITHDRAWN),
        (MAY_ACCEPT, MAY_DECIDE, MAY_CLOSE),
        EITHER,
        closing.take_over,
        _of_state(closing.may_take_over),
    ),
    WITHDRAW: Row(
        lambda: tr("申请人撤回"),
        (*BEFORE, ACCEPTED, SUSPENDED),
        (MAY_ACCEPT, SYSTEM_ONLY),
        HALL,
        approval.withdraw,
    ),
    CARD: Row(lambda: tr("发牌"), RUNNING, (SYSTEM_ONLY,), ANYWHERE, watch.card, shown=False),
    RECOUNT: Row(lambda: tr("重新计算时限"), RUNNING, (SYSTEM_ONLY,), ANYWHERE, watch.recount, shown=False),
    LAPSE: Row(lambda: tr("容缺逾期"), RUNNING, (SYSTEM_ONLY,), ANYWHERE, watch.lapse, shown=False),
    **{
        f"case.{verb}": Row(
            partial(workflow.verb_name, verb),
            RUNNING,
            (MAY_DECIDE, MAY_ACCEPT),
            ANYWHERE,
            _verb(verb),
            shown=False,
        )
        for verb in workflow.VERBS
    },
    VOID: Row(lambda: tr("作废"), (*BEFORE, *RUNNING), (MAY_ACCEPT, MAY_DECIDE), ANYWHERE, approval.void),
}
COMMANDS = tuple(ROWS)
"""Every type of command that a case knows."""


class CaseRules:
    """The aggregate ``case``: from an application to its end."""

    kind = KIND

    def refs(self, command: Command) -> Sequence[Key]:
        keys: list[Key] = []
        for field, kind in (("item_id", ITEM_KIND), ("department_id", ORGANISATION)):
            value = command.body.get(field)
            if isinstance(value, str) and value:
                keys.append((kind, value))
        if command.type == ACCEPT:
            keys.append(MONITORING)
        delegations = command.body.get("delegations")
        if isinstance(delegations, list):
            keys += [(workflow.DELEGATION_KIND, id) for id in delegations[:MOST_DELEGATIONS] if isinstance(id, str)]
        return [*keys, *staff.keys_of(*_named(command))]

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        row = ROWS.get(command.type)
        if state is None and (row is None or NEW not in row.states):
            return Refusal("ACC-001", tr("没有这件办件，或尚未传到本机。"))
        if row is None:
            return Refusal("ACC-002", tr("本程序不认识“{type}”这一操作，请升级程序。", type=command.type))
        case = whole(state) if state is not None else None
        try:
            refusal = _gate(command.type, row, case, context) or staff.stranger(context, *_named(command))
            made = refusal or row.make(case, command, context)
        except GovDeskError as error:
            return Refusal(error.code, error.sentence())
        return made if isinstance(made, Refusal) else [made]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        body = event.body
        before = whole(state) if state is not None else {}
        case = {**before, **body["set"]}
        for one in body.get("flow", ()):
            case["flow"] = flows.evolve(case["flow"], Event(one["type"], one["body"]))
        line = {"event": event.type, "at": body["at"], "by": body["by"], "text": body["text"]}
        case["history"] = [*before.get("history", []), line]
        return case

    def summary(self, state: Doc) -> Summary:
        case = whole(state) if state.get("accepted_at") else state
        applicant, item = case["applicant"], case["item"]
        words = [case["number"], applicant["name"], applicant["id_number"], applicant["phone"], item["name"]]
        if agent := applicant.get("agent"):
            words += [agent["name"], agent["id_number"], agent["phone"]]
        if ticket := case.get("ticket"):
            words.append(ticket["number"])
        if result := case.get("result"):
            words.append(result["number"])
        due = case["due"]
        return Summary(
            title=f"{applicant['name']} · {item['name']}",
            state=case["state"],
            number=case["number"],
            due=date.fromisoformat(due["date"]) if due else None,
            search=" ".join(word for word in words if word),
        )

    def scopes(self, state: Doc) -> frozenset[str]:
        item = state["item"]
        departments = {item["department_id"], *(unit["id"] for unit in item.get("joint", ()))}
        return frozenset({f"hall:{state['hall_id']}", *(f"dept:{id}" for id in departments)})


CASE = CaseRules()


def offered(state: Doc, context: Context) -> list[Offer]:
    """What this person sees on this case now, and why not; the approval's verbs after the case's own."""
    case = whole(state)
    offers = []
    for type, row in ROWS.items():
        if not row.shown or case["state"] not in row.states or (type == VOID and case["flow"]):
            continue
        refusal = _gate(type, row, case, context)
        if refusal is None or refusal.code not in _UNSEEN:
            offers.append(Offer(type, row.name(), refusal.message if refusal else ""))
    flow = case["flow"]
    if flow and case["state"] in RUNNING and any(map(context.actor.may, (MAY_DECIDE, MAY_ACCEPT))):
        for verb in workflow.offered(flow, context.actor, context.now, context.refs):
            offers.append(Offer(f"case.{verb.verb}", verb.name, verb.why_not, verb.choices))
    return offers


_UNSEEN = frozenset({"AUTH-403", "ACC-003", "ACC-006", "ACC-010", "ACC-033", "ACC-037", "ACC-049"})
"""Refusals of a command that is not even shown to this person."""


def _gate(type: str, row: Row, case: Doc | None, context: Context) -> Refusal | None:
    """Why this person may not give the command now, whatever its body says."""
    actor = context.actor
    if not any(map(actor.may, row.may)):
        return forbidden(row.may[0])
    if case is None:
        if row.where == HALL and not actor.hall_id:
            return Refusal("ACC-003", tr("您不属于任何政务服务大厅，不能受理。请联系安全管理员。"))
        return None
    if refusal := _out_of_reach(type, row, case, context):
        return refusal
    if case["state"] not in row.states:
        return _wrong_state(type, row, case)
    return row.unless(case, context)


def _named(command: Command) -> list[object]:
    """The persons that an approval's command names: co-signers, a delegate, who is acted for."""
    field = {"case.countersign": "persons", "case.delegate": "to", "case.act_for": "person"}.get(command.type)
    return [command.body.get(field)] if field else []


def _out_of_reach(type: str, row: Row, case: Doc, context: Context) -> Refusal | None:
    actor, item = context.actor, case["item"]
    if actor.may(SYSTEM_ONLY):
        return None
    if type == DECIDE:
        return approval.near(case, context)
    in_hall = bool(actor.hall_id) and actor.hall_id == case["hall_id"]
    in_department = bool(actor.department_id) and actor.department_id == item["department_id"]
    if type == VOID and not case["flow"] and not in_hall:
        return Refusal("ACC-049", tr("此件由其他大厅办理，您不在该大厅。"))
    if row.where == HALL and not in_hall:
        return Refusal("ACC-049", tr("此件由其他大厅办理，您不在该大厅。"))
    if row.where == EITHER and not (in_hall or in_department):
        return Refusal("ACC-010", tr("此件由{department}办理，您不在该部门或该大厅。", department=item["department"]))
    return None


def _wrong_state(type: str, row: Row, case: Doc) -> Refusal:
    if type == ACCEPT and case["number"]:
        return Refusal("ACC-004", tr("此件已经受理，编号 {number}，未重复受理。", number=case["number"]))
    if type == CLOSE and (refusal := closing.not_closable(case)):
        return refusal
    if type == DECIDE:
        return already(case, tr("不能再次审批"))
    if case["state"] == CLOSED and type == CLOSE:
        return already(case, tr("不能再次办结"))
    if case["history"]:
        return already(case, tr("不能“{action}”", action=row.name()))
    return Refusal("ACC-012", tr("此件现为“{state}”。", state=standing_words(case)))


__all__ = ["CASE", "COMMANDS", "ROWS", "CaseRules", "Offer", "offered", "state_name"]
