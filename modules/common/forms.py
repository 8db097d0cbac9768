"""Forms as data: a JSON Schema, a layout and where values come from. Checked by the same code on both sides.

A form is ``{"schema": …, "layout": […], "fills": {…}}``:

- ``schema``: an object schema of JSON Schema 2020-12. Properties are flat, each with a Chinese ``title``, a ``type``
  (string, integer, number, boolean) and maybe ``format`` (see ``FORMATS``), ``enum`` with ``x-labels`` (a list
  beside it), ``default``, ``description`` (a hint for who fills it), ``x-lines`` (height of a long text), lengths,
  limits, ``pattern``. The object may add ``required``, ``dependentRequired``, and ``if``/``then`` inside ``allOf``.
- ``layout``: ``[{"title": …, "fields": […]}]``, each property exactly once, in the order of filling.
- ``fills``: ``{"field": "source.key"}``, such as ``"nation": "card.nation"``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from modules.common.codes import check_credit_code, check_phone, check_resident_id, normalise
from modules.common.errors import GovDeskError, Refusal
from modules.common.text import aside, together, tr

Form = Mapping[str, Any]
FORMATS = ("resident-id", "phone", "date", "credit-code", "amount")
LONGEST = 500
"""Characters of a text whose schema sets no limit."""
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
_PROPERTY_KEYS = {"title", "type", "format", "enum", "x-labels", "x-lines", "default", "description", "minLength",
                  "maxLength", "pattern", "minimum", "maximum"}  # fmt: skip
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
_DATE = re.compile(r"([0-9]{4})[-/.年]?([0-9]{1,2})[-/.月]?([0-9]{1,2})日?")


def _malformed(what: str) -> GovDeskError:
    return GovDeskError("FORM-900", tr("表单定义有误：{what}", what=what), fix=tr("请联系系统管理员。"))


def check_form(form: Any) -> None:
    """Raise ``GovDeskError`` FORM-900 unless ``form`` is a form as the module's head says."""
    from jsonschema import Draft202012Validator, SchemaError

    if not isinstance(form, Mapping) or not isinstance(form.get("schema"), Mapping):
        raise _malformed("schema")
    schema = form["schema"]
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        raise _malformed(f"schema: {error.message}") from error
    if schema.get("type") != "object" or not isinstance(schema.get("properties"), Mapping):
        raise _malformed("schema.type")
    if unknown := sorted(set(schema) - _OBJECT_KEYS):
        raise _malformed(f"schema: {', '.join(unknown)}")
    for name, prop in schema["properties"].items():
        _check_property(name, prop)
    laid_out = _layout_fields(form.get("layout"))
    if sorted(laid_out) != sorted(schema["properties"]):
        raise _malformed("layout")
    fills = form.get("fills", {})
    if not isinstance(fills, Mapping):
        raise _malformed("fills")
    for name, source in fills.items():
        if name not in schema["properties"] or not isinstance(source, str) or not re.fullmatch(r"\w+\.\w+", source):
            raise _malformed(f"fills.{name}")


@lru_cache(maxsize=256)
def _check_once(text: str) -> None:
    """``check_form``, once per form: it takes a hundred times as long as checking values against one."""
    check_form(json.loads(text))


def _check_property(name: str, prop: Any) -> None:
    if not isinstance(prop, Mapping) or not prop.get("title") or prop.get("type") not in _TYPES:
        raise _malformed(f"properties.{name}")
    if unknown := sorted(set(prop) - _PROPERTY_KEYS):
        raise _malformed(f"properties.{name}: {', '.join(unknown)}")
    if "format" in prop and prop["format"] not in FORMATS:
        raise _malformed(f"properties.{name}.format")
    labels = prop.get("x-labels", prop.get("enum", []))
    if (
        ("x-labels" in prop and "enum" not in prop)
        or not isinstance(labels, list)
        or len(labels) != len(prop.get("enum", []))
    ):
        raise _malformed(f"properties.{name}.x-labels")


def _layout_fields(layout: Any) -> list[str]:
    try:
        return [str(name) for group in layout for name in group["fields"] if isinstance(group["title"], str)]
    except (TypeError, KeyError) as error:
        raise _malformed("layout") from error


def choices(prop: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """The values of an ``enum`` property, each with its words; empty for any other."""
    values = prop.get("enum", [])
    return [(value, tr(str(label))) for value, label in zip(values, prop.get("x-labels", values), strict=True)]


def shown(prop: Mapping[str, Any], value: Any) -> str:
    """A value in words, as a page or a paper shows it."""
    if isinstance(value, bool):
        return tr("是") if value else tr("否")
    words = dict(choices(prop))
    return words[value] if value in words else "" if value is None else str(value)


def blank(form: Form) -> dict[str, Any]:
    """The values of an untouched form: its defaults."""
    return {name: prop["default"] for name, prop in form["schema"]["properties"].items() if "default" in prop}


def fill(form: Form, sources: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Values that ``sources`` (``{"card": {"name": …}}``) know, and the source's name for each such field."""
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for name, path in form.get("fills", {}).items():
        source, _, key = path.partition(".")
        value = sources.get(source, {}).get(key)
        if value not in (None, ""):
            values[name], origin[name] = value, source
    return clean(form, values), origin


def clean(form: Form, values: Mapping[str, Any]) -> dict[str, Any]:
    """What was meant: trimmed, half-width where a format asks for it, dates as ISO, empty fields left out.

    What cannot be understood is kept as it is, for ``validate`` to name.
    """
    properties = form["schema"]["properties"]
    cleaned: dict[str, Any] = {}
    for name, value in values.items():
        meant = _clean_one(properties.get(name, {}), value)
        if meant not in (None, ""):
            cleaned[name] = meant
    return cleaned


def _clean_one(prop: Mapping[str, Any], value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = value.strip()
    if prop.get("type") in ("integer", "number"):
        return _as_number(value, whole=prop["type"] == "integer")
    match prop.get("format"):
        case "resident-id" | "phone" | "credit-code":
            return normalise(value)
        case "amount":
            return normalise(value).replace(",", "").removesuffix("元")
        case "date":
            return _as_date(normalise(value))
    return value


def _as_number(text: str, *, whole: bool) -> int | float | str:
    digits = unicodedata.normalize("NFKC", text)
    if re.fullmatch(r"-?[0-9]{1,15}", digits):
        return int(digits)
    if not whole and re.fullmatch(r"-?[0-9]{1,15}\.[0-9]{1,6}", digits):
        return float(digits)
    return text


def _as_date(text: str) -> str:
    found = _DATE.fullmatch(text)
    try:
        return date(*map(int, found.groups())).isoformat() if found else text
    except ValueError:
        return text


def validate(form: Form, values: Any, today: date | None = None) -> dict[str, str]:
    """The faults of ``values`` after ``clean``: field → Chinese sentence, in the order of the layout.

    ``today`` lets future births be noticed. Raises ``GovDeskError`` FORM-900 for a malformed form.
    """
    from jsonschema import Draft202012Validator, FormatChecker

    _check_once(json.dumps(form, sort_keys=True))
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        return dict.fromkeys(form["schema"].get("required", form["schema"]["properties"]), tr("未收到填写的内容。"))
    checker = FormatChecker(formats=())
    for name in FORMATS:
        checker.checks(name)(_passes(name, today))
    schema = {**form["schema"], "additionalProperties": False}
    properties = schema["properties"]
    cleaned = clean(form, values)
    faults: dict[str, str] = {}
    for error in Draft202012Validator(schema, format_checker=checker).iter_errors(cleaned):
        for field, sentence in _sentences(error, properties, cleaned, today):
            faults.setdefault(field, sentence)
    for field, value in cleaned.items():
        if isinstance(value, str) and field in properties and len(value) > properties[field].get("maxLength", LONGEST):
            faults.setdefault(field, tr("最多 {n} 个字，现为 {now} 个字。", n=LONGEST, now=len(value)))
    order = {name: place for place, name in enumerate(_layout_fields(form["layout"]))}
    return dict(sorted(faults.items(), key=lambda fault: order.get(fault[0], len(order))))


def _sentences(
    error: Any, properties: Mapping[str, Any], values: Mapping[str, Any], today: date | None
) -> list[tuple[str, str]]:
    """One JSON Schema error as sentences at fields."""
    limit = error.validator_value
    match error.validator:
        case "required":
            return [(name, _missing(properties, name)) for name in limit if name not in values]
        case "dependentRequired":
            needed = [name for given, names in limit.items() if given in values for name in names]
            return [(name, _missing(properties, name)) for name in needed if name not in values]
        case "additionalProperties":
            return [(name, tr("表单中没有这一栏。")) for name in values if name not in properties]
    field = str(error.absolute_path[0])
    prop, value = properties.get(field, {}), error.instance
    match error.validator:
        case "type":
            kinds = {"integer": tr("应为整数。"), "number": tr("应为数字。"), "boolean": tr("应选择是或否。")}
            sentence = kinds.get(limit, tr("应为文字。"))
        case "enum" | "const":
            sentence = tr("请从列出的选项中选择。")
        case "minLength":
            sentence = tr("至少 {n} 个字，现为 {now} 个字。", n=limit, now=len(value))
        case "maxLength":
            sentence = tr("最多 {n} 个字，现为 {now} 个字。", n=limit, now=len(value))
        case "minimum":
            sentence = tr("不能小于 {n}。", n=limit)
        case "maximum":
            sentence = tr("不能大于 {n}。", n=limit)
        case "format":
            sentence = _FORMATS[limit](value, today) or ""
        case _:
            hint = prop.get("description", "")
            sentence = tr("填写的格式不对。{hint}", hint=hint)
    return [(field, sentence)]


def _missing(properties: Mapping[str, Any], name: str) -> str:
    title = str(properties.get(name, {}).get("title", name))
    return tr("请填写{title}。", title=tr(title))


def _passes(name: str, today: date | None) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or _FORMATS[name](value, today) is None


def _resident_id(value: str, today: date | None) -> str | None:
    return _with_code(check_resident_id(value, today))


def _phone(value: str, today: date | None) -> str | None:
    return _with_code(check_phone(value))


def _credit_code(value: str, today: date | None) -> str | None:
    return _with_code(check_credit_code(value))


def _with_code(refusal: Refusal | None) -> str | None:
    return together(refusal.message, aside(refusal.code)) if refusal else None


def _date(value: str, today: date | None) -> str | None:
    try:
        date.fromisoformat(value)
    except ValueError:
        return tr("“{value}”不是存在的日期，请按 2026-11-20 的样子填写。", value=value)
    return None


def _amount(value: str, today: date | None) -> str | None:
    if _AMOUNT.fullmatch(value):
        return None
    return tr("金额应为数字，最多两位小数，如 50000 或 1280.50。")


_FORMATS: dict[str, Callable[[str, date | None], str | None]] = {
    "resident-id": _resident_id,
    "phone": _phone,
    "date": _date,
    "credit-code": _credit_code,
    "amount": _amount,
}
