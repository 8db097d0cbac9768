"""What the province says of items, beside what was edited here: merging, conflicts that people decide, the last pull.

The province (省级事项库) is taken where nobody edited the part here since it was last pulled; where both changed it
a person decides. A part is what ``items.parts`` says: a field, an element, one material. Requirements C18, E8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modules.acceptance.domain.items import (
    CONTENT,
    DRAFT,
    MAY_KEEP,
    PROVINCE,
    differing,
    overridden,
    parts,
    provincial,
    put,
    state_of,
)
from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import iso
from modules.common.errors import Refusal
from modules.common.permissions import forbidden
from modules.common.text import tr

CONFLICT_KIND, PULL_KIND = "item_conflict", "province_pull"
RAISE, DECIDE, DROP, NOTE = "conflict.raise", "conflict.decide", "conflict.drop", "pull.note"
OPEN, DECIDED, DROPPED = "open", "decided", "dropped"
OURS, THEIRS = "local", "province"
PULL_ID = "province"


@dataclass(frozen=True, slots=True)
class Merged:
    """An item's next version. ``conflicts`` are the parts that both sides changed: they are as they were here.

    ``news`` is the item as the province has it now.
    """

    item: dict[str, Any]
    news: dict[str, Any]
    conflicts: list[str]

    @property
    def overridden(self) -> dict[str, Any]:
        """What the item has otherwise than the province, once ``conflicts`` are decided for what is here."""
        return overridden(self.item, self.news)


def base_for(versions: Sequence[Doc]) -> Doc | None:
    """Which of an item's versions the province's news meet: the newest ever published, else the newest draft."""
    ranked = sorted(versions, key=lambda item: (state_of(item) != DRAFT, item["version"]))
    return ranked[-1] if ranked else None


def merge(item: Doc, sent: Doc) -> Merged:
    """``item`` with what the province ``sent`` (the parts that it knows). An item made here was all edited here."""
    before = provincial(item)
    news = {**before}
    for path, value in parts(sent).items():
        if path.partition(".")[0] in sent:
            put(news, path, value)
    if "materials" in sent:
        news["materials"] = list(sent["materials"])
    merged = {key: item[key] for key in CONTENT if key in item}
    theirs = parts(news)
    touched = item.get("overridden") or {}
    conflicts = []
    for path in differing(before, news):
        if item.get("origin") != PROVINCE or path in touched:
            if path in differing(item, news):
                conflicts.append(path)
        else:
            put(merged, path, theirs.get(path))
    return Merged(merged, news, conflicts)


def resolved(item: Doc, news: Doc, choices: Mapping[str, str]) -> dict[str, Any]:
    """A merged item after a person's choice at each conflict: ``local`` or ``province``."""
    decided = {key: item[key] for key in CONTENT if key in item}
    theirs = parts(news)
    for path, choice in choices.items():
        if choice == THEIRS:
            put(decided, path, theirs.get(path))
    return {**decided, "overridden": overridden(decided, news)}


class ConflictRules:
    """The aggregate ``item_conflict``, one per item: open → decided or dropped, and open again at the next conflict.

    ``conflict.raise`` (server) ``{item_id, code, name, department, province_version, merged, news, paths}``,
    ``conflict.decide`` ``{choices: {path: local|province}}`` at every path, ``conflict.drop`` (server) ``{reason}``.
    """

    kind = CONFLICT_KIND

    def refs(self, command: Command) -> Sequence[Key]:
        return ()

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        body, actor = command.body, context.actor
        told = {"at": iso(context.now), "by": {"id": actor.id, "name": actor.name}}
        if command.type in (RAISE, DROP) and not actor.may("system"):
            return forbidden("system")
        if command.type == RAISE:
            if state and state["province_version"] >= body["province_version"]:
                return Refusal("ACC-180", tr("省级的这一版已经核对过了。"))
            return [Event("conflict.raised", {**told, "conflict": {**body, "id": command.aggregate_id}})]
        if state is None or state["state"] != OPEN:
            return Refusal("ACC-181", tr("没有等待决定的冲突，可能别人刚刚决定过。"))
        if command.type == DROP:
            return [Event("conflict.dropped", {**told, "reason": str(body.get("reason", ""))})]
        if command.type != DECIDE:
            return Refusal("ACC-183", tr("本程序不认识冲突的“{type}”操作，请升级程序。", type=command.type))
        if not actor.may(MAY_KEEP):
            return forbidden(MAY_KEEP)
        choices = body.get("choices")
        chosen = choices if isinstance(choices, Mapping) else {}
        if set(chosen) != set(state["paths"]) or not all(choice in (OURS, THEIRS) for choice in chosen.values()):
            return Refusal("ACC-182", tr("每一处冲突都要选定：用省级的，或保留本地的。"))
        return [Event("conflict.decided", {**told, "choices": dict(chosen)})]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        body = event.body
        before = dict(state or {})
        match event.type:
            case "conflict.raised":
                return {**body["conflict"], "state": OPEN, "raised_at": body["at"]}
            case "conflict.decided":
                ended = {"choices": body["choices"], "decided_at": body["at"], "decided_by": body["by"]}
                return {**before, **ended, "state": DECIDED}
            case "conflict.dropped":
                return {**before, "state": DROPPED, "reason": body["reason"]}
        raise ValueError(f"unknown event {event.type}")

    def summary(self, state: Doc) -> Summary:
        return Summary(state["name"], state["state"], state["code"], search=f"{state['name']} {state['code']}")

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({"ref"})


class PullRules:
    """The aggregate ``province_pull``, one record: how the last pull from the province went. ``pull.note`` (server)."""

    kind = PULL_KIND

    def refs(self, command: Command) -> Sequence[Key]:
        return ()

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if not context.actor.may("system"):
            return forbidden("system")
        if command.type != NOTE:
            return Refusal("ACC-184", tr("本程序不认识同步的“{type}”操作，请升级程序。", type=command.type))
        return [Event("pull.noted", dict(command.body))]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        return {"id": PULL_ID, **(state or {}), **event.body}

    def summary(self, state: Doc) -> Summary:
        return Summary(tr("省级事项同步"), "failed" if state.get("error") else "done")

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({"ref"})


CONFLICT = ConflictRules()
PULL = PullRules()
