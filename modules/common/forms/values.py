"""Values of a form: what is meant by what was typed, what is hidden, what is worked out, and how it is shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from modules.common.codes import normalise, region_code, region_name
from modules.common.forms.expressions import Scope, Value, in_words
from modules.common.forms.grammar import (
    MOST_ROWS,
    Form,
    Plan,
    Property,
    Step,
    columns,
    fits,
    is_attachment,
    is_table,
    plan_of,
)
from modules.common.text import tr

_HALF_WIDTH = frozenset(
    {"resident-id", "hmt-permit", "foreigner-id", "passport", "travel-permit", "id-number", "credit-code", "phone",
     "organisation-code", "mobile", "postcode", "bank-card", "plate"}
)  # fmt: skip
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
"""Controls and marks of direction: pasted unseen, refused by databases or hiding what a text says. The joiners and
variation selectors of rare characters and emoji stay."""
_DATE = re.compile(r"([0-9]{4})[-/.年]?([0-9]{1,2})[-/.月]?([0-9]{1,2})日?")
AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
HUGE = 10**15
"""Numbers from here on are no one's count or measure, and lose digits on their way."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Values after ``clean``, and what is hidden: fields, and cells as ``rows.0.name``."""

    values: dict[str, Any]
    hidden: frozenset[str]


def empty(value: Any) -> bool:
    """Whether a value says nothing; False and 0 do say something."""
    return value is None or value == "" or value == [] or value == {}


def choices(prop: Property) -> list[tuple[Any, str]]:
    """The values of an ``enum`` property, each with its words; empty for any other."""
    values = prop.get("enum", [])
    return [(value, tr(str(label))) for value, label in zip(values, prop.get("x-labels", values), strict=True)]


def shown(prop: Property, value: Any) -> str:
    """A value in words, as a page or a paper shows it: rows one after the other, attachments by their number."""
    if empty(value):
        return ""
    if is_attachment(prop) and isinstance(value, list):
        return tr("{n} 个附件", n=len(value))
    if is_table(prop) and isinstance(value, list):
        return tr("；").join(_row_in_words(prop, row) for row in value if isinstance(row, Mapping))
    if isinstance(value, bool):
        return tr("是") if value else tr("否")
    for offered, words in choices(prop):
        if same(offered, value):
            return words
    if prop.get("format") == "region":
        return region_name(str(value)) or str(value)
    return str(value)


def _row_in_words(prop: Property, row: Mapping[str, Any]) -> str:
    cells = [(tr(str(inner["title"])), shown(inner, row.get(name))) for name, inner in columns(prop).items()]
    return tr("，").join(f"{title} {words}" for title, words in cells if words)


def same(a: Any, b: Any) -> bool:
    """Whether two values are the same in JSON, where 1 is not true."""
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def blank(form: Form) -> dict[str, Any]:
    """The values of an untouched form: its defaults."""
    return {name: prop["default"] for name, prop in form["schema"]["properties"].items() if "default" in prop}


def blank_row(prop: Property) -> dict[str, Any]:
    """The values of an untouched row of a table: its columns' defaults."""
    return {name: inner["default"] for name, inner in columns(prop).items() if "default" in inner}


def fill(form: Form, sources: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Values that ``sources`` (``{"card": {"name": …}}``) know, and the source's name for each such field."""
    properties = form["schema"]["properties"]
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, path in form.get("fills", {}).items():
        source, _, key = path.partition(".")
        value = meant(properties[name], sources.get(source, {}).get(key))
        if not empty(value):
            values[name], origin[name] = value, source
    return values, origin


def clean(form: Form, values: Mapping[str, Any], today: date | None = None) -> dict[str, Any]:
    """What was meant: trimmed, half-width where a format asks for it, dates as ISO, empty fields left out; without
    what is hidden, and with what is computed.

    What cannot be understood is kept as it is, for ``validate`` to name. Without ``today`` what depends on it
    (``age``) is left as it came. Raises ``GovDeskError`` as ``check_form``.
    """
    return settle(form, values, today).values


def settle(form: Form, values: Mapping[str, Any], today: date | None = None) -> Settled:
    """As ``clean``, and what is hidden. Empty rows at a table's end are left out, others stay where they are."""
    return settle_by(plan_of(form), form["schema"]["properties"], values, today)


def settle_by(plan: Plan, properties: Mapping[str, Property], values: Mapping[str, Any], today: date | None) -> Settled:
    """``settle`` for whoever has the form's plan."""
    while True:
        settled = _Settling(plan, properties, values, today).settled()
        shorter = {}
        for name in plan.tables:
            rows = settled.values.get(name)
            if isinstance(rows, list) and rows and rows[-1] == {}:
                # all that it held was hidden or computed: then it is no row, and does not count as one
                last = max((place for place, row in enumerate(rows, 1) if row != {}), default=0)
                shorter[name] = values[name][:last]
        if not shorter:
            return settled
        values = {**values, **shorter}


def meant(prop: Property, value: Any) -> Any:
    """What was meant by one field's value, by itself."""
    if is_table(prop):
        return _meant_rows(prop, value)
    if not isinstance(value, str) or prop.get("type") == "array":
        return value
    value = _UNSEEN.sub("", value.replace("\r\n", "\n")).strip()
    if prop.get("type") in ("integer", "number"):
        return _as_number(value, whole=prop["type"] == "integer")
    kind = prop.get("format")
    if kind in _HALF_WIDTH:
        return _bare(str(kind), normalise(value))
    match kind:
        case "email":
            return unicodedata.normalize("NFKC", value).replace(" ", "")
        case "amount":
            return normalise(value).replace(",", "").removeprefix("¥").removesuffix("元")
        case "date":
            return as_date(normalise(value))
        case "region":
            return region_code(value) or value
    return value


def _bare(kind: str, text: str) -> str:
    """Without what people write between or before the characters of a number."""
    match kind:
        case "bank-card":
            return text.replace("-", "")
        case "plate":
            return text.replace("·", "").replace("•", "")
        case "phone" | "mobile":
            return text.removeprefix("+86").removeprefix("-")
    return text


def _meant_rows(prop: Property, rows: Any) -> Any:
    if not isinstance(rows, list) or len(rows) > MOST_ROWS:
        return rows
    inner = columns(prop)
    found = [
        {name: each for name, value in row.items() if not empty(each := meant(inner.get(name, {}), value))}
        if isinstance(row, Mapping)
        else row
        for row in rows
    ]
    while found and found[-1] == {}:
        found.pop()
    return found


def _as_number(text: str, *, whole: bool) -> int | float | str:
    digits = unicodedata.normalize("NFKC", text).replace(",", "")
    if re.fullmatch(r"-?[0-9]{1,15}", digits):
        return int(digits)
    if not whole and re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,6}", digits):
        return float(digits)
    return text


def as_date(text: str) -> str:
    """A typed date as ISO text; what is no date stays as it is."""
    found = _DATE.fullmatch(normalise(text))
    try:
        return date(*map(int, found.groups())).isoformat() if found else text
    except ValueError:
        return text


def operand(prop: Property, value: Any) -> Value:
    """A field's value as an expression sees it; nothing for what is not of the field's type."""
    if prop["type"] == "array" or empty(value) or not fits(prop, value):
        return None
    if prop["type"] in ("integer", "number"):
        return Decimal(str(value)) if abs(value) < HUGE else None
    if prop.get("format") == "amount":
        return Decimal(value) if AMOUNT.fullmatch(value) else None
    return bool(value) if prop["type"] == "boolean" else str(value)


def result(prop: Property, value: Value) -> Any:
    """What an expression found, as the field keeps it; None for nothing and for what is not of the field's type."""
    if value is None:
        return None
    if prop["type"] == "boolean":
        return value if isinstance(value, bool) else None
    if prop["type"] == "string" and prop.get("format") != "amount":
        return in_words(value) or None
    if not isinstance(value, Decimal) or abs(value) >= HUGE:
        return None
    try:
        if prop["type"] == "integer":
            return int(value.quantize(Decimal(1), ROUND_HALF_UP))
        if prop["type"] == "number":
            # as many decimals as a person may type
            return float(value.quantize(Decimal("0.000001"), ROUND_HALF_UP))
        return f"{value.quantize(Decimal('0.01'), ROUND_HALF_UP):f}"
    except InvalidOperation:
        return None


class _Settling:
    """One walk over the steps of a plan: every step finds what it depends on already settled."""

    def __init__(
        self, plan: Plan, properties: Mapping[str, Property], values: Mapping[str, Any], today: date | None
    ) -> None:
        self._properties = properties
        self._given = values
        self._today = today
        self._hidden: set[str] = set()
        self._kept: dict[str, Any] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}
        for step in plan.steps:
            if step.table:
                self._column(step)
            else:
                self._field(step)

    def settled(self) -> Settled:
        strangers = {name: value for name, value in self._given.items() if name not in self._properties}
        values = {name: self._kept[name] for name in self._given if name in self._kept}
        return Settled({**values, **self._kept, **strangers}, frozenset(self._hidden))

    def _field(self, step: Step) -> None:
        if not self._shown(step, {}):
            self._hidden.add(step.name)
            return
        value = meant(step.prop, self._given.get(step.name))
        if step.expression:
            value = self._computed(step, {}, value)
        if empty(value):
            return
        if is_table(step.prop) and isinstance(value, list) and len(value) <= MOST_ROWS:
            rows = [dict(row) for row in value if isinstance(row, Mapping)]
            if len(rows) == len(value):
                value = self._rows[step.name] = rows
        self._kept[step.name] = value

    def _column(self, step: Step) -> None:
        for place, row in enumerate(self._rows.get(step.table, ())):
            if not self._shown(step, row, step.table):
                self._hidden.add(f"{step.table}.{place}.{step.name}")
                row.pop(step.name, None)
            elif step.expression:
                value = self._computed(step, row, row.pop(step.name, None))
                if not empty(value):
                    row[step.name] = value

    def _computed(self, step: Step, row: Mapping[str, Any], given: Any) -> Any:
        assert step.expression
        if step.expression.timely and self._today is None:
            return given
        inner = columns(self._properties[step.table]) if step.table else {}

        def look(name: str) -> Value:
            if name in inner:
                return operand(inner[name], row.get(name))
            return operand(self._properties[name], self._kept.get(name))

        return result(
            step.prop,
            step.expression.run(Scope(look, self._operands, lambda table: len(self._list(table)), self._today)),
        )

    def _operands(self, table: str, column: str) -> list[Value]:
        prop = columns(self._properties[table])[column]
        return [operand(prop, row.get(column)) for row in self._list(table)]

    def _list(self, table: str) -> Sequence[Mapping[str, Any]]:
        return self._rows.get(table, ())

    def _shown(self, step: Step, row: Mapping[str, Any], table: str = "") -> bool:
        for condition in step.conditions:
            inside = bool(table) and condition.node.startswith(f"{table}.")
            value = row.get(condition.test["field"]) if inside else self._kept.get(condition.node)
            test = condition.test
            if "filled" in test:
                holds = empty(value) != test["filled"]
            else:
                holds = any(same(value, wanted) for wanted in ([test["equals"]] if "equals" in test else test["in"]))
            if not holds:
                return False
        return True
