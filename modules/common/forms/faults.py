"""What is wrong with the values of a form, each fault in words at its field; and what is worth knowing besides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from modules.common import codes
from modules.common.errors import Refusal
from modules.common.forms.grammar import (
    FORMATS,
    MOST_FILES,
    MOST_ROWS,
    Form,
    Property,
    columns,
    fits,
    is_attachment,
    is_table,
    plan_of,
)
from modules.common.forms.values import AMOUNT, HUGE, Settled, settle, settle_by
from modules.common.text import aside, together, tr

LONGEST = 500
"""Characters of a text whose schema sets no limit."""
_HALF = re.compile("[\ud800-\udfff]")
_HASH = re.compile(r"[0-9a-f]{64}")


def validate(form: Form, values: Any, today: date | None = None) -> dict[str, str]:
    """The faults of ``values`` after ``clean``: field → Chinese sentence, in the order of the layout.

    A cell is addressed ``rows.0.name``. ``minItems`` also holds for a table without any row. ``today`` lets future
    births be noticed and ages be computed. Raises ``GovDeskError`` as ``check_form`` for a malformed form.
    """
    plan = plan_of(form)
    schema = form["schema"]
    properties: Mapping[str, Property] = schema["properties"]
    if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
        return dict.fromkeys(schema.get("required", properties), tr("未收到填写的内容。"))
    settled = settle_by(plan, properties, values, today)
    faults = dict(_own_faults(properties, settled, today))
    for field, sentence in _schema_faults(schema, settled, faults, today):
        if field not in settled.hidden:
            faults.setdefault(field, sentence)
    return dict(sorted(faults.items(), key=lambda fault: _place(fault[0], plan.order, properties)))


def notes(form: Form, values: Mapping[str, Any], today: date | None = None) -> dict[str, str]:
    """What is worth knowing of values that are no fault: field → sentence, such as of a region that was abolished."""
    found: dict[str, str] = {}
    for field, prop, value in _scalars(form["schema"]["properties"], settle(form, values, today).values):
        if prop.get("format") == "region" and isinstance(value, str) and (words := codes.region_note(value, today)):
            found[field] = words
    return found


def _place(field: str, order: Mapping[str, int], properties: Mapping[str, Property]) -> tuple[int, int, int]:
    name, _, rest = field.partition(".")
    row, _, column = rest.partition(".")
    inner = list(columns(properties[name])) if row and column and is_table(properties.get(name, {})) else []
    return (
        order.get(name, len(order)),
        int(row) if row.isdecimal() else -1,
        inner.index(column) if column in inner else len(inner),
    )


def _scalars(properties: Mapping[str, Property], values: Mapping[str, Any]) -> Iterator[tuple[str, Property, Any]]:
    """Every value of a plain field or cell with its address and its property."""
    for name, value in values.items():
        prop = properties.get(name)
        if prop is None:
            continue
        if prop["type"] != "array":
            yield name, prop, value
        elif is_table(prop) and isinstance(value, list) and len(value) <= prop.get("maxItems", MOST_ROWS):
            for place, row in enumerate(value):
                if isinstance(row, Mapping):
                    for column, inner in columns(prop).items():
                        if column in row:
                            yield f"{name}.{place}.{column}", inner, row[column]


def _own_faults(properties: Mapping[str, Property], settled: Settled, today: date | None) -> Iterator[tuple[str, str]]:
    """What is checked before JSON Schema sees the values, which then are flat, short and of their types."""
    values = settled.values
    for name, value in values.items():
        prop = properties.get(name)
        if prop is None:
            yield name, tr("表单中没有这一栏。")
        elif is_attachment(prop):
            yield from _attachment_faults(name, prop, value)
        elif is_table(prop):
            yield from _table_faults(name, prop, value)
    for field, prop, value in _scalars(properties, values):
        if not fits(prop, value):
            yield field, _type_sentence(prop["type"])
        elif isinstance(value, str):
            if _HALF.search(value):
                yield field, tr("含有无法保存的字符，请删去后重新录入。")
            elif len(value) > (limit := prop.get("maxLength", LONGEST)):
                yield field, tr("最多 {n} 个字，现为 {now} 个字。", n=limit, now=len(value))
            elif prop.get("format") == "id-number":
                kind = _sibling(field, prop["x-kind"], values)
                if sentence := _with_code(codes.check_id(kind, value, today)):
                    yield field, sentence
        elif not isinstance(value, bool) and not abs(value) < HUGE:  # nor what is no number at all
            yield field, tr("这个数太大，请核对。")
    for name, prop in properties.items():
        if prop["type"] == "array" and name not in values and name not in settled.hidden and prop.get("minItems"):
            yield name, _too_few(prop, 0)


def _sibling(field: str, name: str, values: Mapping[str, Any]) -> str:
    """The value of a field beside ``field``: of the same row, or else of the form."""
    table, _, rest = field.partition(".")
    row = values[table][int(rest.partition(".")[0])] if rest else {}
    return str(row.get(name, values.get(name, "")))


def _table_faults(name: str, prop: Property, rows: Any) -> Iterator[tuple[str, str]]:
    most = prop.get("maxItems", MOST_ROWS)
    if not isinstance(rows, list):
        yield name, tr("应为表格。")
    elif len(rows) > most:
        yield name, tr("最多 {n} 行，现为 {now} 行。请分成几件办理。", n=most, now=len(rows))
    else:
        if len(rows) < prop.get("minItems", 0):
            yield name, _too_few(prop, len(rows))
        for place, row in enumerate(rows):
            if not isinstance(row, Mapping):
                yield f"{name}.{place}", tr("应为表格中的一行。")
                continue
            for column in row:
                if column not in columns(prop):
                    yield f"{name}.{place}.{column}", tr("表单中没有这一栏。")


def _attachment_faults(name: str, prop: Property, files: Any) -> Iterator[tuple[str, str]]:
    most = prop.get("maxItems", MOST_FILES)
    if not isinstance(files, list) or not all(_is_reference(file) for file in files[: most + 1]):
        yield name, tr("附件不完整，请重新添加。")
    elif len(files) > most:
        yield name, tr("最多 {n} 个附件，现为 {now} 个。", n=most, now=len(files))
    elif len(files) < prop.get("minItems", 0):
        yield name, _too_few(prop, len(files))


def _is_reference(file: Any) -> bool:
    return (
        isinstance(file, Mapping)
        and set(file) <= {"sha256", "size", "type", "name"}
        and isinstance(file.get("sha256"), str)
        and bool(_HASH.fullmatch(file["sha256"]))
        and type(file.get("size")) is int
        and 0 < file["size"] < HUGE
        and isinstance(file.get("type"), str)
        and len(file["type"]) <= 100
        and isinstance(file.get("name", ""), str)
        and len(file.get("name", "")) <= 200
    )


def _too_few(prop: Property, now: int) -> str:
    if is_attachment(prop):
        return tr("至少 {n} 个附件，现为 {now} 个。", n=prop["minItems"], now=now)
    return tr("至少填写 {n} 行，现为 {now} 行。", n=prop["minItems"], now=now)


def _schema_faults(
    schema: Mapping[str, Any], settled: Settled, faults: Mapping[str, str], today: date | None
) -> Iterator[tuple[str, str]]:
    """What JSON Schema says of the values that are sound so far."""
    from jsonschema import Draft202012Validator

    properties: Mapping[str, Property] = schema["properties"]
    values = _sound(properties, settled.values, faults)
    for error in Draft202012Validator(schema, format_checker=_checker(today)).iter_errors(values):
        yield from _sentences(error, properties, values, today)


def _sound(properties: Mapping[str, Property], values: Mapping[str, Any], faults: Mapping[str, str]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if name in faults or name not in properties:
            continue
        if is_table(properties[name]):
            kept[name] = [
                {column: cell for column, cell in row.items() if f"{name}.{place}.{column}" not in faults}
                if isinstance(row, Mapping)
                else {}
                for place, row in enumerate(value)
            ]
        else:
            kept[name] = value
    return kept


def _sentences(
    error: Any, properties: Mapping[str, Property], values: Mapping[str, Any], today: date | None
) -> list[tuple[str, str]]:
    """One JSON Schema error as sentences at fields."""
    limit = error.validator_value
    path = [str(step) for step in error.absolute_path]
    here, inner = (values, properties)
    if len(path) >= 2 and is_table(properties.get(path[0], {})):
        inner = columns(properties[path[0]])
    match error.validator:
        case "required":
            before = ".".join([*path, ""])
            return [(before + name, _missing(inner, name)) for name in limit if name not in error.instance]
        case "dependentRequired":
            needed = [name for given, names in limit.items() if given in here for name in names]
            return [(name, _missing(properties, name)) for name in needed if name not in values]
    if not path:
        return []
    prop, value = inner.get(path[-1], {}), error.instance
    match error.validator:
        case "type":
            sentence = _type_sentence(limit)
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
    return [(".".join(path), sentence)]


def _type_sentence(kind: Any) -> str:
    kinds = {"integer": tr("应为整数。"), "number": tr("应为数字。"), "boolean": tr("应选择是或否。")}
    return kinds.get(kind, tr("应为文字。")) if isinstance(kind, str) else tr("应为文字。")


def _missing(properties: Mapping[str, Property], name: str) -> str:
    title = str(properties.get(name, {}).get("title", name))
    return tr("请填写{title}。", title=tr(title))


@lru_cache(maxsize=8)
def _checker(today: date | None) -> Any:
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=())
    for name in FORMATS:
        checker.checks(name)(_passes(name, today))
    return checker


def _passes(name: str, today: date | None) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or _FORMATS[name](value, today) is None


def _with_code(refusal: Refusal | None) -> str | None:
    return together(refusal.message, aside(refusal.code)) if refusal else None


def _coded(check: Callable[[str], Refusal | None]) -> Callable[[str, date | None], str | None]:
    return lambda value, today: _with_code(check(value))


def _dated(check: Callable[[str, date | None], Refusal | None]) -> Callable[[str, date | None], str | None]:
    return lambda value, today: _with_code(check(value, today))


def _date(value: str, today: date | None) -> str | None:
    try:
        date.fromisoformat(value)
    except ValueError:
        return tr("“{value}”不是存在的日期，请按 2026-11-20 的样子填写。", value=value)
    return None


def _amount(value: str, today: date | None) -> str | None:
    if AMOUNT.fullmatch(value):
        return None
    return tr("金额应为数字，最多两位小数，如 50000 或 1280.50。")


_FORMATS: dict[str, Callable[[str, date | None], str | None]] = {
    "resident-id": _dated(codes.check_resident_id),
    "hmt-permit": _dated(codes.check_hmt_permit),
    "foreigner-id": _dated(codes.check_foreigner_id),
    "passport": _coded(codes.check_passport),
    "travel-permit": _coded(codes.check_travel_permit),
    "id-number": lambda value, today: None,  # judged by its kind, with the field beside it
    "credit-code": _coded(codes.check_credit_code),
    "organisation-code": _coded(codes.check_organisation_code),
    "phone": _coded(codes.check_phone),
    "mobile": _coded(codes.check_mobile),
    "email": _coded(codes.check_email),
    "postcode": _coded(codes.check_postcode),
    "bank-card": _coded(codes.check_bank_card),
    "plate": _coded(codes.check_plate),
    "region": _coded(codes.check_region),
    "date": _date,
    "amount": _amount,
}
