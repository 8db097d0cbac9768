"""The fields of an item as a form: what ``FormView`` shows, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modules.acceptance.domain.items import LONGEST_TERM, LONGEST_TEXT, Field, at
from modules.common.forms import Form

_LONG = frozenset({
    "basis", "summary", "elements.authority", "elements.exercise", "elements.conditions", "elements.process",
    "elements.review_standard", "elements.intermediary", "elements.quantity_limit", "note", "accept_standard",
    "lack_consequence", "elements.place", "elements.hours",
})  # fmt: skip
_LISTS = ("choices", "words", "departments")


def key(path: str) -> str:
    """A field's path as the name of a form's property."""
    return path.replace(".", "__")


def form_of(title: str, fields: Sequence[Field], departments: Mapping[str, str]) -> Form:
    """A form with one property per field. Several values are written one per line."""
    return {
        "schema": {
            "type": "object",
            "properties": {key(field.path): _property(field, departments) for field in fields},
            "required": [key(field.path) for field in fields if field.mandatory and field.type != "bool"],
        },
        "layout": [{"title": title, "fields": [key(field.path) for field in fields]}],
        "fills": {},
    }


def _property(field: Field, departments: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"title": field.name, "type": "string", "maxLength": LONGEST_TEXT}
    match field.type:
        case "int":
            return {"title": field.name, "type": "integer", "minimum": 0, "maximum": LONGEST_TERM}
        case "bool":
            return {"title": field.name, "type": "boolean"}
        case "money":
            return {"title": field.name, "type": "string", "format": "amount"}
        case "choice":
            return made | {
                "enum": [value for value, _ in field.options],
                "x-labels": [label for _, label in field.options],
            }
        case "department":
            return made | {"enum": list(departments.values())}
        case "choices":
            return made | {"x-lines": 2, "description": "、".join(label for _, label in field.options)}
        case "words" | "departments":
            return made | {"x-lines": 2, "description": "一行一个"}
    return made | ({"x-lines": 3} if field.path in _LONG else {})


def shown(fields: Sequence[Field], row: Mapping[str, Any], departments: Mapping[str, str]) -> dict[str, Any]:
    """The values of an item, a material or a fee as the form shows them."""
    return {key(field.path): _shown(field, at(row, field.path), departments) for field in fields}


def _shown(field: Field, value: Any, departments: Mapping[str, str]) -> Any:
    labels = dict(departments) if field.type == "departments" else dict(field.options)
    if field.type in _LISTS:
        return "\n".join(str(labels.get(one, one)) for one in value or [])
    if field.type == "bool":
        return bool(value)
    return value if value not in (None, "") else None


def taken(fields: Sequence[Field], values: Mapping[str, Any], departments: Mapping[str, str]) -> dict[str, Any]:
    """What was entered, by the fields' paths. What cannot be understood stays as typed, for the rules to name."""
    return {field.path: _taken(field, values.get(key(field.path)), departments) for field in fields}


def _taken(field: Field, value: Any, departments: Mapping[str, str]) -> Any:
    if field.type in _LISTS:
        values = {label: value for value, label in field.options}
        values |= {name: id for id, name in departments.items()} if field.type == "departments" else {}
        text = str(value or "")
        if field.type != "words":
            text = text.replace("、", "\n").replace("，", "\n")
        return list(dict.fromkeys(values.get(line.strip(), line.strip()) for line in text.split("\n") if line.strip()))
    match field.type:
        case "bool":
            return bool(value)
        case "int":
            return value
        case "money":
            text = str(value or "")
            return f"{float(text):.2f}" if text.replace(".", "", 1).isdigit() else text
    return str(value or "")
