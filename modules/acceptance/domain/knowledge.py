"""The knowledge base (知识库): what a clerk wants to know while a material lies on the counter. Requirement C31.

Two aggregates. An entry is kept by its department and rated by whoever used it. A request says what is wrong
with an entry, or missing, and waits with the department until it is answered.

``knowledge``: ``{id, department_id, item_codes: […], material_ids: […], kind, title, text, basis, state,
ratings: {person: {useful, at}}, updated_at, updated_by, history}``; no item code means: of use everywhere.
``knowledge_request``: ``{id, department_id, item_code, material_id, entry_id, text, asked_at, asked_by, state,
answer, answered_at, answered_by, history}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import CHINA, iso, parse_iso
from modules.common.errors import Refusal
from modules.common.permissions import Actor, forbidden
from modules.common.text import tr

KIND, REQUEST_KIND = "knowledge", "knowledge_request"
PUT, REMOVE, RATE = "knowledge.put", "knowledge.remove", "knowledge.rate"
ASK, ANSWER = "knowledge_request.ask", "knowledge_request.answer"
CURRENT, REMOVED = "current", "removed"
OPEN, ANSWERED = "open", "answered"
MAY_EDIT, MAY_USE = "acceptance.knowledge", "acceptance.read"
LONGEST = {"title": 80, "text": 4000, "basis": 200}
MOST_TIED, LONGEST_ID = 200, 100
SORTS = ("faq", "policy", "guide", "experience", "contact")


def sort_name(sort: str) -> str:
    """A sort of entry in the office's words."""
    return {
        "faq": tr("常见问题"),
        "policy": tr("政策依据"),
        "guide": tr("办事指南"),
        "experience": tr("办理经验"),
        "contact": tr("联系部门"),
    }.get(sort, sort)


def useful(entry: Doc) -> tuple[int, int]:
    """How many found the entry useful, and how many did not."""
    said = [rating["useful"] for rating in entry.get("ratings", {}).values()]
    return sum(said), len(said) - sum(said)


def at_hand(entries: Iterable[Doc], item_code: str, material_id: str = "") -> list[Doc]:
    """The entries for an item and the material at hand: of this material, of this item, of use everywhere.

    Inside each group what more people found useful comes first.
    """

    def place(entry: Doc) -> tuple[int, int, str]:
        good, bad = useful(entry)
        near = 0 if material_id and material_id in entry["material_ids"] else 1 if entry["item_codes"] else 2
        return near, bad - good, entry["title"]

    fit = [
        entry
        for entry in entries
        if entry["state"] == CURRENT
        and (not entry["item_codes"] or item_code in entry["item_codes"])
        and (not entry["material_ids"] or not material_id or material_id in entry["material_ids"])
    ]
    return sorted(fit, key=place)


class _Rules:
    """What both aggregates share."""

    kind = ""

    def refs(self, command: Command) -> Sequence[Key]:
        return []

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        body = dict(event.body)
        line = {"event": event.type, "at": body.pop("at"), "by": body.pop("by"), "text": body.pop("line")}
        before = dict(state or {})
        rating = body.pop("rating", None)
        if rating is not None:
            before["ratings"] = {**before["ratings"], line["by"]["id"]: rating}
        return {**before, **body, "history": [*before.get("history", []), line]}


class KnowledgeRules(_Rules):
    """The aggregate ``knowledge``."""

    kind = KIND

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if command.type == PUT:
            return _put(state, command, context)
        if state is None or state["state"] == REMOVED:
            return Refusal("ACC-320", tr("没有这条知识，或它已被删除。"))
        if command.type == REMOVE:
            return _remove(state, context)
        if command.type == RATE:
            return _rate(state, command, context)
        return _unknown(command)

    def summary(self, state: Doc) -> Summary:
        words = (state["title"], state["text"], state["basis"], *state["item_codes"])
        return Summary(state["title"], state["state"], search=" ".join(words))

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({"ref"})


class RequestRules(_Rules):
    """The aggregate ``knowledge_request``: asked at a counter, answered by the department."""

    kind = REQUEST_KIND

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if command.type == ASK:
            return _ask(state, command, context)
        if state is None:
            return Refusal("ACC-321", tr("没有这条反馈，或尚未传到本机。"))
        if command.type == ANSWER:
            return _answer(state, command, context)
        return _unknown(command)

    def summary(self, state: Doc) -> Summary:
        return Summary(state["text"][:60], state["state"], search=f"{state['text']} {state['item_code']}")

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({f"dept:{state['department_id']}", f"person:{state['asked_by']['id']}"})


KNOWLEDGE, KNOWLEDGE_REQUEST = KnowledgeRules(), RequestRules()


def _unknown(command: Command) -> Refusal:
    return Refusal("ACC-322", tr("本程序不认识“{type}”这一操作，请升级程序。", type=command.type))


def _event(type: str, context: Context, line: str, **body: Any) -> list[Event]:
    by = {"id": context.actor.id, "name": context.actor.name}
    return [Event(type, {"at": iso(context.now), "by": by, "line": line, **body})]


def _keeps(actor: Actor, department_id: str) -> Refusal | None:
    """Whether the actor keeps the entries of a department: its own people, and the hall's manager for all."""
    if not actor.may(MAY_EDIT):
        return forbidden(MAY_EDIT)
    if actor.department_id and actor.department_id != department_id:
        return Refusal("ACC-323", tr("这条知识由其他部门维护，请用“请部门更新”反馈。"))
    return None


def _put(state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
    body = command.body
    department = str(body.get("department_id") or "")
    for owner in {department, str(state["department_id"]) if state else department}:
        if refusal := _keeps(context.actor, owner):
            return refusal
    if faults := _faults(body):
        return Refusal("ACC-324", tr("有 {n} 处需要补充或更正。", n=len(faults)), faults)
    known = {"id": command.aggregate_id, "state": CURRENT, "ratings": dict(state["ratings"]) if state else {}}
    fields = {key: str(body.get(key, "")).strip() for key in ("title", "text", "basis", "kind")}
    tied = {key: list(body.get(key, [])) for key in ("item_codes", "material_ids")}
    by = {"id": context.actor.id, "name": context.actor.name}
    told = {"updated_at": iso(context.now), "updated_by": by, "department_id": department}
    line = "更新" if state else "新增"
    return _event("knowledge.put", context, line, **known, **fields, **tied, **told)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_ID


def _faults(body: Mapping[str, Any]) -> dict[str, str]:
    faults = {}
    if not isinstance(body.get("department_id"), str) or not body["department_id"]:
        faults["department_id"] = tr("请选择维护部门。")
    if body.get("kind") not in SORTS:
        faults["kind"] = tr("请选择类别。")
    for key in ("title", "text"):
        if not isinstance(body.get(key), str) or not body[key].strip():
            faults[key] = tr("请填写标题。") if key == "title" else tr("请填写内容。")
    if not isinstance(body.get("basis", ""), str):
        faults["basis"] = tr("应为文字。")
    for key, most in LONGEST.items():
        if isinstance(body.get(key), str) and len(body[key]) > most:
            faults[key] = tr("最多 {n} 个字，现为 {now} 个字。", n=most, now=len(body[key]))
    for key in ("item_codes", "material_ids"):
        tied = body.get(key, [])
        if not isinstance(tied, list) or len(tied) > MOST_TIED or not all(map(_is_id, tied)):
            faults[key] = tr("关联的事项或材料不正确。")
    return faults


def _remove(state: Doc, context: Context) -> Sequence[Event] | Refusal:
    if refusal := _keeps(context.actor, state["department_id"]):
        return refusal
    return _event("knowledge.removed", context, "删除", state=REMOVED)


def _rate(state: Doc, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """One opinion per person; a second one replaces the first."""
    if not context.actor.may(MAY_USE):
        return forbidden(MAY_USE)
    said = command.body.get("useful")
    if not isinstance(said, bool):
        return Refusal("ACC-325", tr("请选择有用或没用。"))
    rating = {"useful": said, "at": iso(context.now)}
    return _event("knowledge.rated", context, "有用" if said else "没用", rating=rating)


def _ask(state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
    actor, body = context.actor, command.body
    if not actor.may(MAY_USE):
        return forbidden(MAY_USE)
    if state is not None:
        return Refusal("ACC-326", tr("这条反馈已经送出，未重复送出。"))
    text, department = body.get("text"), body.get("department_id")
    if not isinstance(text, str) or not text.strip() or len(text) > 500:
        fault = tr("请写明哪里不准、应当怎样，最多 {n} 个字。", n=500)
        return Refusal("ACC-327", fault, {"text": fault})
    if not _is_id(department) or not department:
        return Refusal("ACC-328", tr("不知道这条反馈该送给哪个部门。请选择事项。"))
    tied = {key: body.get(key) or "" for key in ("item_code", "material_id", "entry_id")}
    if not all(map(_is_id, tied.values())):
        return Refusal("ACC-328", tr("不知道这条反馈该送给哪个部门。请选择事项。"))
    asked = {"asked_at": iso(context.now), "asked_by": {"id": actor.id, "name": actor.name}, "place": context.place}
    fresh = {"id": command.aggregate_id, "state": OPEN, "department_id": department, "text": text.strip(), "answer": ""}
    return _event("knowledge_request.asked", context, "请部门更新", **fresh, **tied, **asked)


def _answer(state: Doc, command: Command, context: Context) -> Sequence[Event] | Refusal:
    actor, answer = context.actor, command.body.get("answer")
    if refusal := _keeps(actor, state["department_id"]):
        return refusal
    if state["state"] == ANSWERED:
        who, at = state["answered_by"]["name"], _moment(state["answered_at"])
        return Refusal("ACC-329", tr("{name}已于 {at} 答复，不能再次答复。", name=who, at=at))
    if not isinstance(answer, str) or not answer.strip() or len(answer) > 500:
        fault = tr("请写明怎样处理了，最多 {n} 个字。", n=500)
        return Refusal("ACC-330", fault, {"answer": fault})
    by = {"id": actor.id, "name": actor.name}
    told = {"state": ANSWERED, "answer": answer.strip(), "answered_at": iso(context.now), "answered_by": by}
    return _event("knowledge_request.answered", context, "答复", **told)


def _moment(text: str) -> str:
    return f"{parse_iso(text).astimezone(CHINA):%Y-%m-%d %H:%M}"
