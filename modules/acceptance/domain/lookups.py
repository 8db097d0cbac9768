"""A look into the person base (人员库、企业库): who looked at whom and when, kept and audited. Requirement A16."""

from __future__ import annotations

from collections.abc import Sequence

from modules.acceptance.domain.cases.words import MAY_ACCEPT
from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import iso
from modules.common.codes import masked
from modules.common.errors import Refusal
from modules.common.permissions import forbidden
from modules.common.text import tr

KIND = "base_lookup"
LOOK = "base_lookup.look"


class LookupRules:
    """The aggregate ``base_lookup``: ``{id, kind, number (masked), found, at, by}``, made once and never changed."""

    kind = KIND

    def refs(self, command: Command) -> Sequence[Key]:
        return ()

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if not context.actor.may(MAY_ACCEPT):
            return forbidden(MAY_ACCEPT)
        kind, number = command.body.get("kind"), command.body.get("number")
        if state is not None or command.type != LOOK or kind not in ("person", "firm") or not isinstance(number, str):
            return Refusal("ACC-390", tr("人员库查询的记录不完整。"))
        by = {"id": context.actor.id, "name": context.actor.name}
        doc = {"kind": kind, "number": masked(number), "found": command.body.get("found") is True}
        return [Event("base_lookup.looked", {"id": command.aggregate_id, **doc, "at": iso(context.now), "by": by})]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        return dict(event.body)

    def summary(self, state: Doc) -> Summary:
        return Summary(title=f"{state['by']['name']} · {state['number']}", state="looked")

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({f"person:{state['by']['id']}"})


LOOKUP = LookupRules()
