"""Values that are known already and offered with their source, never forced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from modules.common.forms.faults import validate
from modules.common.forms.grammar import Form, is_computed
from modules.common.forms.values import empty, meant, same

MOST_OFFERS = 5
"""Offers at one field: more would be a list to search in."""


@dataclass(frozen=True, slots=True)
class Known:
    """Something that is known. ``key``: a field's name (of an earlier case of the same item) or a path such as
    ``person.phone``; ``source``: the words for where it is from (``2026-10-03 办件``)."""

    key: str
    value: Any
    source: str


@dataclass(frozen=True, slots=True)
class Offer:
    """One value offered at a field, and the words for where it is from."""

    value: Any
    source: str


def offers(form: Form, known: Sequence[Known], today: date | None = None) -> dict[str, tuple[Offer, ...]]:
    """What to offer at which field, in the order of ``known`` (put the newest first); each value once.

    A field takes what is known under its own name, its path in ``offers`` or its path in ``fills``. What would be a
    fault at its field is not offered, nor is anything for computed fields, tables and attachments.
    """
    found: dict[str, list[Offer]] = {}
    for name, prop in form["schema"]["properties"].items():
        if prop["type"] == "array" or is_computed(prop):
            continue
        keys = {name, form.get("offers", {}).get(name), form.get("fills", {}).get(name)}
        for each in known:
            value = meant(prop, each.value)
            held = found.setdefault(name, [])
            if each.key not in keys or empty(value) or any(same(value, offer.value) for offer in held):
                continue
            if len(held) < MOST_OFFERS and not _alone(form, name, value, today):
                held.append(Offer(value, each.source))
    return {name: tuple(held) for name, held in found.items() if held}


def _alone(form: Form, name: str, value: Any, today: date | None) -> str:
    """The fault of one field by itself, whatever the others hold."""
    prop: Mapping[str, Any] = {
        key: given for key, given in form["schema"]["properties"][name].items() if key != "x-when"
    }
    if "x-kind" in prop:
        return ""
    lone: Form = {
        "schema": {"type": "object", "properties": {name: prop}},
        "layout": [{"title": "", "fields": [name]}],
    }
    return validate(lone, {name: value}, today).get(name, "")
