"""A person's own phrases (常用语): kept once, at hand at every counter the person sits at, seen by nobody else."""

from __future__ import annotations

from collections.abc import Mapping

from modules.common.aggregate import Context, Doc, Summary
from modules.common.register import make_register
from modules.common.text import tr

KIND = "phrase"
PUT, REMOVE = "phrase.put", "phrase.remove"
LONGEST = 200


def _faults(record: Doc, context: Context) -> Mapping[str, str]:
    text, faults = record.get("text"), {}
    if record.get("owner") != context.actor.id:
        faults["owner"] = tr("常用语只能由本人保存。")
    if not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST:
        faults["text"] = tr("常用语须有 1 到 {n} 个字。", n=LONGEST)
    return faults


def _summary(doc: Doc) -> Summary:
    return Summary(title=doc["text"], state=doc["state"])


def _scopes(doc: Doc) -> frozenset[str]:
    return frozenset({f"person:{doc['owner']}"})


PHRASE = make_register(KIND, permission="", summary=_summary, scopes=_scopes, validate=_faults)
"""``{owner, text}``: the id of whose it is, and the words."""
