"""Records that somebody keeps by hand: windows, dictionaries, holidays, phrases. One aggregate serves them all.

``<kind>.put`` (body: the fields) makes, changes or revives a record; ``<kind>.remove`` takes it out of use
and forgets nothing: the document stays, and the server keeps every event. A document is its fields and
``id``, ``state`` (``active`` or ``removed``), ``changed_at`` (UTC text) and ``changed_by`` (``{"id", "name"}``).

Of two people who change the same thing without knowing of each other, the second is refused in words: nobody's work is
overwritten unseen (``overtaken``, also for settings that are kept part by part).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modules.common import forms
from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import CHINA, iso, parse_iso
from modules.common.errors import Refusal
from modules.common.permissions import forbidden
from modules.common.text import tr

ACTIVE = "active"
REMOVED = "removed"
KEPT_BY_US = frozenset({"id", "state", "changed_at", "changed_by"})
"""What a document says beside its fields; in the body of a command these are passed over."""

LARGEST = 200_000
"""Characters of a record as JSON: everyone who may read it carries it along."""

EDITED = "edited"
"""Where a document of settings keeps, by the name of each part, who changed it last: see ``noted``."""

Judge = Callable[[Doc, Context], Mapping[str, str]]
"""The faults of a record's fields, by field; empty when they will do. The fields come with ``id``."""


def for_everyone(doc: Doc) -> frozenset[str]:
    """The scope of what everyone signed in may read."""
    return frozenset({"ref"})


@dataclass(slots=True)
class Register:
    """The rules of one kind of kept record; see ``make_register``."""

    kind: str
    permission: str
    summarise: Callable[[Doc], Summary]
    scopes_of: Callable[[Doc], frozenset[str]]
    form: Mapping[str, Any] | None
    validate: Judge | None

    @property
    def put(self) -> str:
        """The type of the command that makes, changes or revives."""
        return f"{self.kind}.put"

    @property
    def remove(self) -> str:
        """The type of the command that takes out of use."""
        return f"{self.kind}.remove"

    def refs(self, command: Command) -> Sequence[Key]:
        return ()

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if not context.actor.may(self.permission):
            return forbidden(self.permission)
        if state is not None and (no := _overtaken(state, command, context)):
            return no
        stamp = {"at": iso(context.now), "by": {"id": context.actor.id, "name": context.actor.name}}
        if command.type == self.put:
            fields = {name: value for name, value in command.body.items() if name not in KEPT_BY_US}
            if len(json.dumps(fields, ensure_ascii=False)) > LARGEST:
                return Refusal("REG-004", tr("这条记录的内容过多，请减少后保存。"))
            if faults := self._faults({**fields, "id": command.aggregate_id}, fields, context):
                return Refusal("REG-001", tr("填写有误，请按提示修改。"), faults)
            return [Event(self.put, {"id": command.aggregate_id, "fields": fields, **stamp})]
        if command.type == self.remove:
            # a document that was published, and never put, is in use
            if state is None or state.get("state", ACTIVE) == REMOVED:
                return Refusal("REG-002", tr("这条记录不存在，或已经停用。"))
            return [Event(self.remove, stamp)]
        return Refusal("REG-003", tr("不认识的操作（{type}）。", type=command.type))

    def _faults(self, record: Doc, fields: dict[str, Any], context: Context) -> dict[str, str]:
        today = context.now.astimezone(CHINA).date()
        faults = forms.validate(self.form, fields, today) if self.form is not None else {}
        return {**faults, **(self.validate(record, context) if self.validate else {})}

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        stamp = {"changed_at": event.body["at"], "changed_by": event.body["by"]}
        if event.type == self.put:
            return {**event.body["fields"], "id": event.body["id"], "state": ACTIVE, **stamp}
        return {**(state or {}), "state": REMOVED, **stamp}

    def summary(self, state: Doc) -> Summary:
        return self.summarise(state)

    def scopes(self, state: Doc) -> frozenset[str]:
        return self.scopes_of(state)


def make_register(
    kind: str,
    *,
    permission: str,
    summary: Callable[[Doc], Summary],
    scopes: Callable[[Doc], frozenset[str]] = for_everyone,
    form: Mapping[str, Any] | None = None,
    validate: Judge | None = None,
) -> Register:
    """An aggregate for records that whoever holds ``permission`` keeps (empty: everyone, of what is theirs).

    ``form`` (see ``modules.common.forms``) and ``validate`` say what is wrong with the fields; both may be
    given. ``summary`` should show the document's ``state``. ``scopes`` names the feeds; for something personal
    ``frozenset({f"person:{doc['owner']}"})``: the server lets nobody write where they cannot read.
    """
    return Register(kind, permission, summary, scopes, form, validate)


def noted(state: Doc, names: Iterable[str], body: Doc) -> dict[str, Any]:
    """``state[EDITED]`` after the event whose ``body`` (``rev``, ``at``, ``by``) has changed the parts ``names``."""
    line = {"rev": body["rev"], "changed_at": body["at"], "changed_by": body["by"]}
    return {**state.get(EDITED, {}), **dict.fromkeys(names, line)}


def overtaken(state: Doc | None, names: Iterable[str], command: Command, context: Context) -> Refusal | None:
    """REG-005 when somebody else has changed one of the parts ``names`` since the giver looked."""
    edited = (state or {}).get(EDITED, {})
    since = [edited[name] for name in names if name in edited and edited[name]["rev"] > command.base_rev]
    return next((no for line in since if (no := _overtaken(line, command, context))), None)


def _overtaken(changed: Doc, command: Command, context: Context) -> Refusal | None:
    """Whether the last change was another's, and came after what the giver had in sight."""
    by = changed.get("changed_by") or {"id": "", "name": tr("系统")}
    if context.rev <= command.base_rev or by["id"] == context.actor.id:
        return None
    sentence = tr(
        "{name}已先于您修改（{when}）。为免覆盖，您的修改没有生效；您填写的内容仍保留，请核对最新内容后重新保存。",
        name=by["name"],
        when=_when(changed),
    )
    return Refusal("REG-005", sentence)


def _when(changed: Doc) -> str:
    at = changed.get("changed_at")
    return f"{parse_iso(at).astimezone(CHINA):%Y-%m-%d %H:%M}" if at else tr("时间不详")
