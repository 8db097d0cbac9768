"""People who can sign in, as rules may ask for them: whoever is named must be there, under this name, and active.

A rule asks by a reference ``("staff", person_id)``, a document ``{id, name, active}``. The server answers for every
id; a counter knows none and leaves the question to the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modules.common.aggregate import Context, Key
from modules.common.errors import Refusal
from modules.common.text import tr
from modules.common.workflow.templates import is_unit

STAFF = "staff"
MOST_NAMED = 50


def keys_of(*named: object) -> Sequence[Key]:
    """The references for ``named``: persons as ``{"id", "name"}``, or lists of them; what is no person is left out."""
    return [(STAFF, person["id"]) for person in _persons(named)]


def stranger(context: Context, *named: object) -> Refusal | None:
    """WF-031 where one of the persons is not there, has left, or is called otherwise."""
    for person in _persons(named):
        known = context.refs.get((STAFF, person["id"]))
        if known is not None and not (known["active"] and known["name"] == person["name"]):
            sentence = tr("“{name}”不是在用的人员，或姓名不符。请重新选择人员。", name=person["name"])
            return Refusal("WF-031", sentence)
    return None


def _persons(named: Iterable[object]) -> list[Mapping[str, Any]]:
    each = [one for some in named for one in (some if isinstance(some, list) else [some])]
    return [one for one in each if is_unit(one)][:MOST_NAMED]
