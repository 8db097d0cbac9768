"""What a form may be: the check of a definition, and the order in which its fields are settled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from modules.common.errors import GovDeskError
from modules.common.forms.expressions import Expression, parse
from modules.common.text import tr

Form = Mapping[str, Any]
Property = Mapping[str, Any]
FORMATS = (
    "resident-id",
    "hmt-permit",
    "foreigner-id",
    "passport",
    "travel-permit",
    "id-number",
    "credit-code",
    "organisation-code",
    "phone",
    "mobile",
    "email",
    "postcode",
    "bank-card",
    "plate",
    "region",
    "date",
    "amount",
)
ATTACHMENT = "attachment"
MOST_ROWS = 200
"""Rows of a table whose schema sets no limit, and the most that a schema may allow."""
MOST_FILES = 50
"""The same for attachments."""
_TYPES = ("string", "integer", "number", "boolean")
_OBJECT_KEYS = {
    "$schema",
    "title",
    "type",
    "properties",
    "required",
    "dependentRequired",
    "additionalProperties",
    "allOf",
}
_COMMON_KEYS = {"title", "type", "description", "x-when"}
_SCALAR_KEYS = _COMMON_KEYS | {"format", "enum", "x-labels", "x-lines", "default", "minLength", "maxLength", "pattern",
                               "minimum", "maximum", "x-compute", "x-kind"}  # fmt: skip
_ARRAY_KEYS = _COMMON_KEYS | {"items", "minItems", "maxItems", "x-table", "format"}
_ROW_KEYS = {"type", "properties", "required", "additionalProperties"}
_GROUP_KEYS = {"title", "fields", "x-when"}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_SOURCE = re.compile(r"\w+\.\w+")


def malformed(what: str) -> GovDeskError:
    """The error of a definition that an administrator has to mend; ``what`` is the place."""
    return GovDeskError("FORM-900", tr("表单定义有误：{what}", what=what), fix=tr("请联系系统管理员。"))


@dataclass(frozen=True, slots=True)
class Condition:
    """When something is shown: the node it looks at, and what must be there."""

    node: str
    test: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One field (``name``) or one column (``table`` and ``name``) as it is settled after all that it depends on."""

    name: str
    table: str
    prop: Property
    conditions: tuple[Condition, ...]
    expression: Expression | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked form: its steps in order of dependence, the names in order of layout, and what plain checks need."""

    steps: tuple[Step, ...]
    order: Mapping[str, int]
    tables: Mapping[str, Property]


def is_table(prop: Property) -> bool:
    """Whether a property holds rows."""
    return prop.get("type") == "array" and "items" in prop


def is_attachment(prop: Property) -> bool:
    """Whether a property holds page images or files."""
    return prop.get("type") == "array" and prop.get("format") == ATTACHMENT


def is_computed(prop: Property) -> bool:
    """Whether a property's value is worked out and never typed."""
    return "x-compute" in prop


def columns(prop: Property) -> Mapping[str, Property]:
    """The properties of a table's rows."""
    found: Mapping[str, Property] = prop["items"]["properties"]
    return found


def check_form(form: Any) -> None:
    """Raise ``GovDeskError`` unless ``form`` is a form as the package's head says.

    Codes: FORM-900 malformed, FORM-901 fields that depend on each other in a circle, FORM-902 a wrong expression.
    """
    plan_of(form)


def plan_of(form: Any) -> Plan:
    """The checked plan of a form, once per form: a check takes a hundred times as long as settling values."""
    try:
        return _plan(json.dumps(form, sort_keys=True, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise malformed("JSON") from error
    except RecursionError as error:
        raise malformed("JSON: nesting") from error


@lru_cache(maxsize=256)
def _plan(text: str) -> Plan:
    form = json.loads(text)
    if not isinstance(form, Mapping) or not isinstance(form.get("schema"), Mapping):
        raise malformed("schema")
    schema = form["schema"]
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), Mapping):
        raise malformed("schema.type")
    if unknown := sorted(set(schema) - _OBJECT_KEYS):
        raise malformed(f"schema: {', '.join(unknown)}")
    for name, prop in schema["properties"].items():
        _check_property(name, prop)
    _check_schema(schema)
    _check_required(schema, "schema")
    order = {name: place for place, name in enumerate(_layout_fields(form.get("layout")))}
    if sorted(order) != sorted(schema["properties"]) or len(order) != sum(len(g["fields"]) for g in form["layout"]):
        raise malformed("layout")
    for key in ("fills", "offers"):
        _check_sources(key, form.get(key, {}), schema["properties"])
    return Plan(
        _ordered(list(_steps(form))),
        order,
        {name: prop for name, prop in schema["properties"].items() if is_table(prop)},
    )


def _check_schema(schema: Mapping[str, Any]) -> None:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        raise malformed(f"schema: {error.message}") from error
    for key, value in _everything(schema.get("allOf", [])):
        if key in ("$ref", "$dynamicRef"):
            raise malformed(f"schema.allOf: {key}")
        if key == "pattern":
            _check_pattern("schema.allOf", value)


def _everything(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key, inner
            yield from _everything(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _everything(inner)


def _check_pattern(where: str, pattern: Any) -> None:
    try:
        re.compile(pattern)
    except (re.error, TypeError, OverflowError) as error:
        raise malformed(f"{where}.pattern") from error


def _check_property(name: str, prop: Any, table: str = "") -> None:
    where = f"properties.{table}.{name}" if table else f"properties.{name}"
    if not _NAME.fullmatch(name) or not isinstance(prop, Mapping) or not isinstance(prop.get("title"), str):
        raise malformed(where)
    if not prop["title"].strip():
        raise malformed(f"{where}.title")
    if prop.get("type") == "array" and not table:
        _check_array(name, prop, where)
        return
    if prop.get("type") not in _TYPES:
        raise malformed(f"{where}.type")
    if unknown := sorted(set(prop) - _SCALAR_KEYS):
        raise malformed(f"{where}: {', '.join(unknown)}")
    if "format" in prop and (prop["format"] not in FORMATS or prop["type"] != "string"):
        raise malformed(f"{where}.format")
    if ("x-kind" in prop) != (prop.get("format") == "id-number"):
        raise malformed(f"{where}.x-kind")
    if "pattern" in prop:
        _check_pattern(where, prop["pattern"])
    if "default" in prop and (is_computed(prop) or not fits(prop, prop["default"])):
        raise malformed(f"{where}.default")
    labels = prop.get("x-labels", prop.get("enum", []))
    if (
        ("x-labels" in prop and "enum" not in prop)
        or not isinstance(labels, list)
        or len(labels) != len(prop.get("enum", []))
    ):
        raise malformed(f"{where}.x-labels")


def _check_array(name: str, prop: Property, where: str) -> None:
    if unknown := sorted(set(prop) - _ARRAY_KEYS):
        raise malformed(f"{where}: {', '.join(unknown)}")
    most = MOST_FILES if is_attachment(prop) else MOST_ROWS
    least, limit = prop.get("minItems", 0), prop.get("maxItems", most)
    if not all(type(each) is int for each in (least, limit)) or not 0 <= least <= limit <= most:
        raise malformed(f"{where}.minItems/maxItems ≤ {most}")
    if is_attachment(prop):
        if "items" in prop or "x-table" in prop:
            raise malformed(f"{where}.items")
        return
    row = prop.get("items")
    if "format" in prop or not isinstance(row, Mapping) or row.get("type") != "object" or set(row) - _ROW_KEYS:
        raise malformed(f"{where}.items")
    if not isinstance(row.get("properties"), Mapping) or not row["properties"]:
        raise malformed(f"{where}.items.properties")
    for column, inner in row["properties"].items():
        _check_property(column, inner, name)
    _check_required(row, where)


def _check_required(schema: Mapping[str, Any], where: str) -> None:
    for name in schema.get("required", []):
        if name not in schema["properties"] or is_computed(schema["properties"][name]):
            raise malformed(f"{where}.required: {name}")


def _check_sources(key: str, sources: Any, properties: Mapping[str, Property]) -> None:
    if not isinstance(sources, Mapping):
        raise malformed(key)
    for name, source in sources.items():
        if name not in properties or properties[name]["type"] == "array" or is_computed(properties[name]):
            raise malformed(f"{key}.{name}")
        if not isinstance(source, str) or not _SOURCE.fullmatch(source):
            raise malformed(f"{key}.{name}")


def fits(prop: Property, value: Any) -> bool:
    """Whether a value is of a scalar property's type."""
    match prop["type"]:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return type(value) is int or (isinstance(value, float) and value.is_integer())
    return type(value) in (int, float)


def _layout_fields(layout: Any) -> list[str]:
    if not isinstance(layout, list):
        raise malformed("layout")
    names: list[str] = []
    for place, group in enumerate(layout):
        if not isinstance(group, Mapping) or not isinstance(group.get("title"), str) or set(group) - _GROUP_KEYS:
            raise malformed(f"layout.{place}")
        if not isinstance(group.get("fields"), list):
            raise malformed(f"layout.{place}.fields")
        names.extend(str(name) for name in group["fields"])
    return names


def _steps(form: Form) -> Iterator[Step]:
    properties: Mapping[str, Property] = form["schema"]["properties"]
    for place, group in enumerate(form["layout"]):
        shared = _conditions(f"layout.{place}", group, "", properties)
        for name in group["fields"]:
            prop = properties[name]
            own = _conditions(f"properties.{name}", prop, "", properties)
            yield Step(name, "", prop, shared + own, _expression(name, "", prop, properties))
            if not is_table(prop):
                continue
            for column, inner in columns(prop).items():
                held = _conditions(f"properties.{name}.{column}", inner, name, properties)
                yield Step(column, name, inner, held, _expression(column, name, inner, properties))


def _conditions(
    where: str, holder: Mapping[str, Any], table: str, properties: Mapping[str, Property]
) -> tuple[Condition, ...]:
    given = holder.get("x-when", [])
    found = []
    for test in given if isinstance(given, list) else [given]:
        if not isinstance(test, Mapping) or len(test) != 2 or not isinstance(test.get("field"), str):
            raise malformed(f"{where}.x-when")
        node, prop = _resolve(f"{where}.x-when", test["field"], table, properties)
        if "filled" in test:
            if not isinstance(test["filled"], bool):
                raise malformed(f"{where}.x-when.filled")
        elif "equals" in test or isinstance(test.get("in"), list):
            wanted = [test["equals"]] if "equals" in test else test["in"]
            offered = prop.get("enum")
            if prop["type"] == "array" or not all(
                fits(prop, value) and (offered is None or value in offered) for value in wanted
            ):
                raise malformed(f"{where}.x-when: {test['field']}")
        else:
            raise malformed(f"{where}.x-when")
        found.append(Condition(node, test))
    return tuple(found)


def _resolve(where: str, name: str, table: str, properties: Mapping[str, Property]) -> tuple[str, Property]:
    """A name as a node: a column of the same row goes before a field of the form."""
    if table and name in columns(properties[table]):
        return f"{table}.{name}", columns(properties[table])[name]
    if name in properties:
        return name, properties[name]
    raise malformed(f"{where}: {name}")


def _expression(name: str, table: str, prop: Property, properties: Mapping[str, Property]) -> Expression | None:
    where = f"properties.{table}.{name}" if table else f"properties.{name}"
    if "x-kind" in prop:
        _, kind = _resolve(f"{where}.x-kind", str(prop["x-kind"]), table, properties)
        if kind["type"] != "string":
            raise malformed(f"{where}.x-kind")
    if "x-compute" not in prop:
        return None
    try:
        if not isinstance(prop["x-compute"], str):
            raise ValueError(repr(prop["x-compute"])[:40])
        found = parse(prop["x-compute"], lambda other: other in properties and is_table(properties[other]))
        for field in found.fields:
            if field not in properties and not (table and field in columns(properties[table])):
                raise ValueError(field)
        for each in found.columns:
            other, _, column = each.partition(".")
            if other not in properties or not is_table(properties[other]) or column not in columns(properties[other]):
                raise ValueError(each)
    except ValueError as error:
        raise GovDeskError(
            "FORM-902",
            tr("表单定义有误：{where} 的算式写错了：{what}", where=where, what=str(error)),
            fix=tr("请联系系统管理员。"),
        ) from error
    return found


def _ordered(steps: list[Step]) -> tuple[Step, ...]:
    by_node = {_node(step): step for step in steps}
    graph: dict[str, list[str]] = {}
    for node, step in by_node.items():
        needed = {condition.node for condition in step.conditions}
        if step.table:
            needed.add(step.table)
        if step.expression:
            needed |= step.expression.columns | step.expression.tables
            for name in step.expression.fields:
                inside = f"{step.table}.{name}"
                needed.add(inside if step.table and inside in by_node else name)
        graph[node] = sorted(needed)  # one order in every process
    try:
        return tuple(by_node[node] for node in TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise GovDeskError(
            "FORM-901",
            tr("表单定义有误：这些栏目互为条件或互相计算：{circle}", circle=circle),
            fix=tr("请联系系统管理员。"),
        ) from error


def _node(step: Step) -> str:
    return f"{step.table}.{step.name}" if step.table else step.name
