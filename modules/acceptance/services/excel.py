"""Service items as a workbook and back: sheets 事项, 材料, 收费 and 说明. Pure work for lane ``cpu``.

Going out, text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV injection), which
is taken off when the workbook comes back: what is exported and imported again is unchanged. Coming in, the whole file
is read and every fault told at its cell; items are right or wrong as a whole, with their materials and fees.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

from modules.acceptance.domain.items import (
    CONTENT,
    FEE_FIELDS,
    FIELDS,
    MATERIAL_FIELDS,
    PLAIN_FORM,
    Field,
    at,
    base_of,
    blank_item,
    blank_material,
    check_item,
    differing,
    first_id,
    put,
    state_name,
    state_of,
    version_id,
)
from modules.common.aggregate import Doc
from modules.common.errors import GovDeskError
from modules.common.text import aside, tr

ITEMS, MATERIALS, FEES, NOTES = "事项", "材料", "收费", "说明"
CODE, MATERIAL_ID, TEMPLATE, ERROR = "实施编码", "材料标识", "审批流程", "错误"
TOLD = ("版本", "状态")
"""Columns that are written for people and not read back."""
LARGEST_FILE = 30 * 2**20
LARGEST_CONTENT = 400 * 2**20
MOST_PARTS = 500
MOST_ROWS = 50_000
MOST_COLUMNS = 120
_RISKY = "=+-@\t\r\n＝＋－＠'"
_YES, _NO = ("是", "√", "Y", "YES", "TRUE", "1"), ("否", "×", "N", "NO", "FALSE", "0")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*\bref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"')


class Steps(Protocol):
    """What long work asks between its steps; a lane's token is one."""

    def check(self) -> None: ...

    def progress(self, share: float, text: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class CellFault:
    """One thing wrong at one cell. ``row`` counts as the spreadsheet does; 0 and no ``column``: the sheet itself."""

    sheet: str
    row: int
    column: str
    name: str
    value: str
    words: str
    code: str

    def sentence(self) -> str:
        """Where and what, in one line."""
        where = tr("“{sheet}”第 {row} 行 {column} 列", sheet=self.sheet, row=self.row, column=self.column)
        if not self.row:
            where = tr("“{sheet}”表", sheet=self.sheet)
        shown = tr("“{value}”，", value=self.value) if self.value else ""
        named = where + aside(tr(self.name)) if self.name else where
        return tr("{where}：{what}", where=named, what=shown + self.words + aside(self.code))


@dataclass(frozen=True, slots=True)
class Row:
    """An item of the workbook that can be imported. ``previous``: the version it is compared with, or None."""

    code: str
    name: str
    id: str
    item: Mapping[str, Any]
    previous: Doc | None
    changes: Sequence[str] = ()


@dataclass(slots=True)
class Plan:
    """What importing a workbook would do. Nothing has been done yet."""

    new: list[Row] = field(default_factory=list)
    changed: list[Row] = field(default_factory=list)
    unchanged: int = 0
    wrong: int = 0
    faults: list[CellFault] = field(default_factory=list)
    leftover: bytes = b""
    """The wrong items as a workbook of the same shape, with a column 错误; empty where nothing is wrong."""

    @property
    def total(self) -> int:
        """Items in the workbook."""
        return len(self.new) + len(self.changed) + self.unchanged + self.wrong


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    field: Field | None = None


_ITEM_COLUMNS = (
    *(_Column(entry.name, entry) for entry in FIELDS),
    _Column(TEMPLATE),
    *(_Column(title) for title in TOLD),
)
_MATERIAL_COLUMNS = (_Column(CODE), _Column(MATERIAL_ID), *(_Column(entry.name, entry) for entry in MATERIAL_FIELDS))
_FEE_COLUMNS = (_Column(CODE), *(_Column(entry.name, entry) for entry in FEE_FIELDS))
_SHEETS = {ITEMS: _ITEM_COLUMNS, MATERIALS: _MATERIAL_COLUMNS, FEES: _FEE_COLUMNS}


# -- out ----------------------------------------------------------------------------------------------


def safe_text(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return "'" + text if text[:1] and text[0] in _RISKY else text


def plain_text(text: str) -> str:
    """What ``safe_text`` was given."""
    return text[1:] if text[:1] == "'" and text[1:2] and text[1] in _RISKY else text


def workbook(items: Sequence[Doc], departments: Mapping[str, str], steps: Steps | None = None) -> bytes:
    """All ``items`` as a workbook. ``departments``: id → name."""
    book = _Book()
    for sheet, columns in _SHEETS.items():
        book.sheet(sheet, [_title(column) for column in columns])
    for count, item in enumerate(items):
        _step(steps, count, len(items), tr("写出第 {n} 项", n=count + 1))
        book.add(ITEMS, _item_cells(item, departments))
        for row in item.get("materials") or []:
            cells = [_cell(column.field, row, departments) for column in _MATERIAL_COLUMNS if column.field]
            book.add(MATERIALS, [safe_text(item["code"]), row["id"], *cells])
        for fee in item.get("fees") or []:
            cells = [_cell(column.field, fee, departments) for column in _FEE_COLUMNS if column.field]
            book.add(FEES, [safe_text(item["code"]), *cells])
    return book.bytes()


def template(departments: Mapping[str, str]) -> bytes:
    """An empty workbook to fill in."""
    return workbook([], departments)


class _Book:
    """A workbook being written row by row, without being held in memory as cells."""

    def __init__(self) -> None:
        import openpyxl

        self._book = openpyxl.Workbook(write_only=True)
        self._sheets: dict[str, Any] = {}

    def sheet(self, name: str, titles: Sequence[str]) -> None:
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Font
        from openpyxl.utils import get_column_letter

        made = self._sheets[name] = self._book.create_sheet(name)
        made.freeze_panes = "B2"
        for place, title in enumerate(titles, 1):
            made.column_dimensions[get_column_letter(place)].width = min(40, 2 * len(title) + 4)
        head = []
        for title in titles:
            cell = WriteOnlyCell(made, title)
            cell.font = Font(bold=True)
            head.append(cell)
        made.append(head)

    def add(self, name: str, cells: Sequence[Any]) -> None:
        self._sheets[name].append(list(cells))

    def bytes(self) -> bytes:
        notes = self._book.create_sheet(NOTES)
        notes.column_dimensions["A"].width = 100
        for line in _notes():
            notes.append([line])
        out = io.BytesIO()
        self._book.save(out)
        self._book.close()
        return out.getvalue()


def _notes() -> list[str]:
    lines = [
        tr("“事项”一行一个事项，“材料”“收费”一行一项，用实施编码对应。标 * 的栏必填。"),
        tr("一格里有多项的，一行写一项（按 Alt+Enter 换行）；选项也可用顿号分开。"),
        tr("是或否的栏填“是”“否”，空白为否。时限填整数，金额填数字。不要用公式、合并单元格。"),
        tr("已发布的事项不会被改动：内容有变化的导入为新版本。申请表单不在表格里，沿用原有的。"),
        tr("“{columns}”只供查看，导入时不读。", columns="、".join(TOLD)),
    ]
    for entry in (*FIELDS, *MATERIAL_FIELDS):
        if entry.options:
            labels = "、".join(label for _, label in entry.options)
            lines.append(tr("{name}可填：{labels}", name=entry.name, labels=labels))
    return lines


def _title(column: _Column) -> str:
    return column.title + ("*" if column.title == CODE or (column.field and column.field.mandatory) else "")


def _item_cells(item: Doc, departments: Mapping[str, str]) -> list[Any]:
    cells = [_cell(column.field, item, departments) for column in _ITEM_COLUMNS if column.field]
    steps = item.get("template")
    return [*cells, steps if isinstance(steps, str) else "", item.get("version"), state_name(state_of(item))]


def _cell(entry: Field | None, row: Mapping[str, Any], departments: Mapping[str, str]) -> Any:
    value = at(row, entry.path) if entry else None
    if entry is None or value is None:
        return None
    labels = dict(entry.options)
    match entry.type:
        case "bool":
            return "是" if value else "否"
        case "choices" | "words":
            return safe_text("\n".join(str(labels.get(one, one)) for one in value))
        case "departments":
            return safe_text("\n".join(departments.get(one, one) for one in value))
        case "int":
            return value
    return safe_text(str(labels.get(value, value)))


# -- in -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Line:
    """One row of a sheet: its place, and its cells by column title."""

    sheet: str
    number: int
    cells: dict[str, Any]
    faults: list[CellFault] = field(default_factory=list)


@dataclass(slots=True)
class _Given:
    """An item as the workbook has it: lines of all sheets."""

    line: _Line
    materials: list[_Line] = field(default_factory=list)
    fees: list[_Line] = field(default_factory=list)

    def lines(self) -> Iterator[_Line]:
        yield self.line
        yield from self.materials
        yield from self.fees


@dataclass(slots=True)
class _Sheet:
    """A sheet's columns by title (letters) and its lines."""

    letters: dict[str, str] = field(default_factory=dict)
    lines: list[_Line] = field(default_factory=list)


def read_workbook(
    data: bytes, existing: Iterable[Doc], departments: Mapping[str, str], steps: Steps | None = None
) -> Plan:
    """What importing a workbook would do. ``existing``: every version of every item; ``departments``: id → name.

    Raises ``GovDeskError`` ACC-150 no workbook, ACC-151 too large or not safe to open, ACC-152 sheets or columns
    missing, ACC-153 too many rows. Every other fault is in the plan.
    """
    merged = _inspect(data)
    sheets = _read(data, merged, steps)
    newest: dict[str, Doc] = {}
    for item in existing:
        known = newest.get(item["code"])
        if known is None or item["version"] > known["version"]:
            newest[item["code"]] = item
    plan = Plan()
    given = _gather(sheets, plan)
    ids = {name: id for id, name in departments.items()}
    wrong: list[_Given] = []
    for count, (code, entry) in enumerate(given.items()):
        _step(steps, count, len(given), tr("核对第 {n} 项，共 {total} 项", n=count + 1, total=len(given)), start=0.5)
        _judge(code, entry, newest.get(code), sheets, ids, plan)
        if faults := [fault for line in entry.lines() for fault in line.faults]:
            plan.faults += faults
            plan.wrong += 1
            wrong.append(entry)
    if plan.faults:
        plan.leftover = _leftover(wrong, sheets, plan)
    return plan


def _inspect(data: bytes) -> dict[str, list[tuple[str, int, str, int]]]:
    """Refuse what is no workbook or not safe to open; the merged ranges of each sheet's part."""
    if len(data) > LARGEST_FILE:
        raise GovDeskError(
            "ACC-151", tr("文件超过 {n} MB，没有打开。", n=LARGEST_FILE // 2**20), fix=tr("请分成几个文件。")
        )
    if data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise _no_workbook(tr("这是旧格式的 .xls，或设了密码的文件。"))
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise _no_workbook(tr("这不是 Excel 工作簿。")) from error
    with archive:
        parts = archive.infolist()
        names = {part.filename for part in parts}
        if "xl/workbook.xml" not in names:
            raise _no_workbook(tr("这不是 Excel 工作簿。"))
        if any(name.lower().endswith("vbaproject.bin") for name in names):
            raise _unsafe(tr("工作簿里有宏，没有打开。"))
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_CONTENT:
            raise _unsafe(tr("工作簿展开后过大，像是压缩炸弹，没有打开。"))
        return {part.filename: _merged(archive, part) for part in parts if part.filename.endswith(".xml")}


def _merged(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> list[tuple[str, int, str, int]]:
    """The merged ranges of a part, which is read through once: its true size is held to what it claims."""
    found: list[tuple[str, int, str, int]] = []
    size, tail = 0, b""
    try:
        with archive.open(part) as stream:
            while block := stream.read(2**20):
                size += len(block)
                if size > LARGEST_CONTENT:
                    raise _unsafe(tr("工作簿展开后过大，像是压缩炸弹，没有打开。"))
                text = tail + block
                if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                    raise _unsafe(tr("工作簿里有外部实体定义，没有打开。"))
                ends = 0
                for match in _MERGED.finditer(text):
                    left, top, right, bottom = (group.decode() for group in match.groups())
                    found.append((left, int(top), right, int(bottom)))
                    ends = match.end()
                tail = text[max(ends, len(text) - 200) :]
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise _no_workbook(tr("文件已损坏。")) from error
    return found


def _no_workbook(why: str) -> GovDeskError:
    return GovDeskError("ACC-150", why, fix=tr("请在 Excel 或 WPS 里另存为 .xlsx 再试。"))


def _unsafe(why: str) -> GovDeskError:
    return GovDeskError("ACC-151", why, fix=tr("请把内容复制到导出的空白表里再试。"))


def _read(data: bytes, merged: Mapping[str, Sequence[Any]], steps: Steps | None) -> dict[str, _Sheet]:
    """The sheets that are there, streamed: only one row is a row of cells at any time."""
    import warnings

    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl tells of styles and extensions that do not matter here
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
            try:
                if ITEMS not in book.sheetnames:
                    raise _lacking(ITEMS, tr("工作簿里没有“{sheet}”表。", sheet=ITEMS))
                found = {}
                for place, name in enumerate(name for name in _SHEETS if name in book.sheetnames):
                    sheet = book[name]
                    part = getattr(sheet, "_worksheet_path", "").lstrip("/")
                    read = _read_sheet(name, sheet, steps, place)
                    _mark_merged(name, read, merged.get(part, ()))
                    found[name] = read
                return found
            finally:
                book.close()
    except GovDeskError:
        raise
    except (
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        SyntaxError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        # whatever a damaged or forged workbook makes its reader stumble over
        raise _no_workbook(tr("文件已损坏。")) from error


def _lacking(sheet: str, why: str) -> GovDeskError:
    return GovDeskError("ACC-152", why, fix=tr("请以导出的工作簿为样子，不要改动表名和第一行。"))


def _read_sheet(name: str, sheet: Any, steps: Steps | None, place: int) -> _Sheet:
    from openpyxl.utils import get_column_letter

    sheet.reset_dimensions()
    read = _Sheet()
    rows = sheet.iter_rows()
    titles = [_text(cell.value).rstrip("*").strip() for cell in next(rows, ())]
    while titles and not titles[-1]:
        titles.pop()
    known = {column.title for column in _SHEETS[name]} | {ERROR}
    if len(titles) > MOST_COLUMNS:
        raise _lacking(name, tr("“{sheet}”表的列太多。", sheet=name))
    if unknown := [title for title in titles if title and title not in known]:
        raise _lacking(name, tr("“{sheet}”表有不认识的列“{title}”。", sheet=name, title=unknown[0][:40]))
    if twice := [title for title in set(titles) if title and titles.count(title) > 1]:
        raise _lacking(name, tr("“{sheet}”表里“{title}”列有两个。", sheet=name, title=twice[0]))
    needed = [
        column.title for column in _SHEETS[name] if column.title == CODE or (column.field and column.field.mandatory)
    ]
    if missing := [title for title in needed if title not in titles]:
        raise _lacking(name, tr("“{sheet}”表缺少“{titles}”列。", sheet=name, titles="、".join(missing)))
    read.letters = {title: get_column_letter(place) for place, title in enumerate(titles, 1) if title}
    for number, cells in enumerate(rows, 2):
        if steps is not None and number % 100 == 0:
            steps.check()
            # how many rows there are is known at the end alone
            share = 0.5 * (place + number / (number + 5000)) / len(_SHEETS)
            steps.progress(share, tr("读取“{sheet}”第 {n} 行", sheet=name, n=number))
        line = _Line(name, number, {})
        for title, cell in zip(titles, cells, strict=False):
            if (
                title in ("", ERROR, *TOLD)
                or cell.value is None
                or (isinstance(cell.value, str) and not cell.value.strip())
            ):
                continue
            if cell.data_type in ("f", "e") or (isinstance(cell.value, str) and cell.value.startswith("=")):
                line.faults.append(_formula(read, line, title, cell.value))
            line.cells[title] = cell.value
        if not line.cells:
            continue  # blank lines stand between what people group
        read.lines.append(line)
        if len(read.lines) > MOST_ROWS:
            raise GovDeskError(
                "ACC-153", tr("“{sheet}”表超过 {n} 行，没有导入。", sheet=name, n=MOST_ROWS), fix=tr("请分成几个文件。")
            )
    return read


def _formula(sheet: _Sheet, line: _Line, title: str, value: Any) -> CellFault:
    return _fault(sheet, line, title, value, tr("这一格是公式或出错的值，请粘贴为数值。"), "ACC-156")


def _mark_merged(name: str, sheet: _Sheet, ranges: Sequence[tuple[str, int, str, int]]) -> None:
    """Every line that a merged range touches is wrong: what it means is a guess."""
    for left, top, right, bottom in ranges:
        for line in sheet.lines:
            if top <= line.number <= bottom:
                why = tr(
                    "{first}:{last} 是合并的单元格，请取消合并，每行各填各的。",
                    first=f"{left}{top}",
                    last=f"{right}{bottom}",
                )
                line.faults.append(CellFault(name, line.number, left, "", "", why, "ACC-157"))


def _text(value: Any) -> str:
    """A cell as text: numbers without the decimals that a spreadsheet adds."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else plain_text(str(value).strip())


def _fault(sheet: _Sheet, line: _Line, title: str, value: Any, why: str, code: str) -> CellFault:
    shown = str(value if value is not None else "")
    return CellFault(line.sheet, line.number, sheet.letters.get(title, ""), title, shown[:60], why, code)


def _gather(sheets: Mapping[str, _Sheet], plan: Plan) -> dict[str, _Given]:
    """Lines of all sheets by the item they belong to; strays are faults of their own."""
    given: dict[str, _Given] = {}
    for line in sheets[ITEMS].lines:
        code = _text(line.cells.get(CODE))
        if not code or code in given:
            why = tr("同一实施编码在表里有两行，请只留一行。") if code else tr("没有填实施编码。")
            line.faults.append(_fault(sheets[ITEMS], line, CODE, code, why, "ACC-154"))
            code = f"{code}\n{line.number}"  # wrong in its own right: no code holds a new line
        given[code] = _Given(line)
    for name, key in ((MATERIALS, "materials"), (FEES, "fees")):
        for line in sheets[name].lines if name in sheets else ():
            code = _text(line.cells.get(CODE))
            if code in given:
                getattr(given[code], key).append(line)
            else:
                why = tr("“{sheet}”表里没有这个实施编码。", sheet=ITEMS)
                line.faults.append(_fault(sheets[name], line, CODE, code, why, "ACC-160"))
                plan.faults += line.faults
    return given


def _judge(
    code: str, given: _Given, known: Doc | None, sheets: Mapping[str, _Sheet], ids: Mapping[str, str], plan: Plan
) -> None:
    """Put an item of the workbook where it belongs; what is wrong goes into the lines' faults."""
    item: dict[str, Any] = {key: known[key] for key in CONTENT if key in known} if known else blank_item()
    if not item.get("form"):
        item["form"] = PLAIN_FORM
    _fill(item, given.line, sheets[ITEMS], FIELDS, ids)
    department = at(item, "department")
    item["department_id"] = ids.get(department, "")
    steps = _text(given.line.cells.get(TEMPLATE))
    if steps and not isinstance(item.get("template"), Mapping):
        item["template"] = steps
    places: dict[str, _Line] = {}
    if MATERIALS in sheets:
        item["materials"] = _materials(item, given.materials, sheets[MATERIALS], ids, places)
    if FEES in sheets:
        fees = []
        for place, line in enumerate(given.fees):
            old = (item.get("fees") or [])[place : place + 1]
            fee = dict(old[0]) if old else {"free": False, "unit": "", "basis": "", "name": "", "amount": ""}
            _fill(fee, line, sheets[FEES], FEE_FIELDS, ids)
            fees.append(fee)
            places[f"fees.{place}"] = line
        item["fees"] = fees
    if any(line.faults for line in given.lines()):
        return
    if known is not None and not (changes := differing(known, item)):
        plan.unchanged += 1
        return
    for fault in check_item(item):
        _place(fault.field, fault.words, fault.code, given, places, sheets)
    if any(line.faults for line in given.lines()):
        return
    name = str(item["name"])
    if known is None:
        plan.new.append(Row(code, name, first_id(code), item, None))
    else:
        draft = state_of(known) == "draft"
        id = known["id"] if draft else version_id(base_of(known["id"]), known["version"] + 1)
        plan.changed.append(Row(code, name, id, item, known, changes))


def _materials(
    item: Doc, lines: Sequence[_Line], sheet: _Sheet, ids: Mapping[str, str], places: dict[str, _Line]
) -> list[dict[str, Any]]:
    """The materials of an item; one without an id is known by its name, else it gets the next free id."""
    before = {row["id"]: row for row in item.get("materials") or []}
    by_name = {row["name"]: row["id"] for row in before.values()}
    taken = {*before, *(_text(line.cells.get(MATERIAL_ID)) for line in lines)}
    rows, used = [], set()
    for line in lines:
        id = _text(line.cells.get(MATERIAL_ID)) or by_name.get(_text(line.cells.get("材料名称")), "")
        if not id:
            id = next(f"m{n}" for n in range(1, 10_000) if f"m{n}" not in taken)
            taken.add(id)
        if id in used:
            line.faults.append(_fault(sheet, line, MATERIAL_ID, id, tr("同一事项里材料标识重复。"), "ACC-161"))
        used.add(id)
        row = dict(before.get(id) or blank_material(id))
        _fill(row, line, sheet, MATERIAL_FIELDS, ids)
        rows.append(row)
        places[f"materials.{id}"] = line
    return rows


def _place(
    path: str, why: str, code: str, given: _Given, places: Mapping[str, _Line], sheets: Mapping[str, _Sheet]
) -> None:
    """Put a fault of an item at the cell that it came from."""
    head = ".".join(path.split(".")[:2])
    line = places.get(head, given.line)
    fields = {ITEMS: FIELDS, MATERIALS: MATERIAL_FIELDS, FEES: FEE_FIELDS}[line.sheet]
    inner = path.removeprefix(head + ".") if head in places else path
    title = next((entry.name for entry in fields if entry.path == inner), TEMPLATE if path == "template" else "")
    line.faults.append(_fault(sheets[line.sheet], line, title, line.cells.get(title), why, code))


def _fill(target: dict[str, Any], line: _Line, sheet: _Sheet, fields: Sequence[Field], ids: Mapping[str, str]) -> None:
    """Put a line's cells into an item or a row of it. A missing column changes nothing, a blank cell empties."""
    for entry in fields:
        if entry.name not in sheet.letters:
            continue
        value, why, code = _value(entry, line.cells.get(entry.name), ids)
        if why:
            line.faults.append(_fault(sheet, line, entry.name, line.cells.get(entry.name), why, code))
        elif not _same(at(target, entry.path), value):
            put(target, entry.path, value)


def _same(old: Any, new: Any) -> bool:
    """Whether a cell says what was there: spaces at the ends do not count."""
    blank: tuple[Any, ...] = (None, "", [], False)
    return (old in blank and new in blank) or (old.strip() == new if isinstance(old, str) else bool(old == new))


def _value(entry: Field, given: Any, ids: Mapping[str, str]) -> tuple[Any, str, str]:
    """A cell's value as the field has it, and what is wrong with it in words, with a code."""
    if given is None:
        return {"bool": False, "int": None, "choices": [], "words": [], "departments": []}.get(entry.type, ""), "", ""
    if isinstance(given, datetime | date | time | timedelta):
        return None, tr("表格把它当成了日期或时间，请把这一格设为文本再填。"), "ACC-158"
    text = _text(given)
    reader: Callable[[str], Any] | None = {"int": _integer, "bool": _yes_or_no, "money": _money}.get(entry.type)
    if reader:
        value = reader(text)
        wanted = {"int": tr("应为整数。"), "bool": tr("应填“是”或“否”。"), "money": tr("应为金额，最多两位小数。")}
        return (value, "", "") if value is not None else (None, wanted[entry.type], "ACC-155")
    values = {label: value for value, label in entry.options}
    match entry.type:
        case "choice":
            return values.get(text, text), "", ""
        case "choices":
            return [values.get(one, one) for one in _split(text, "、,，;；\n")], "", ""
        case "words":
            return _split(text, "\n"), "", ""
        case "department" | "departments":
            names = [text] if entry.type == "department" else _split(text, "、,，;；\n")
            if unknown := [name for name in names if name not in ids]:
                return None, tr("没有叫“{name}”的部门。", name=unknown[0][:40]), "ACC-159"
            return (text if entry.type == "department" else [ids[name] for name in names]), "", ""
    return text, "", ""


def _split(text: str, marks: str) -> list[str]:
    return list(dict.fromkeys(one.strip() for one in re.split(f"[{marks}]", text) if one.strip()))


def _integer(text: str) -> int | None:
    digits = unicodedata.normalize("NFKC", text)
    return int(digits) if re.fullmatch(r"[0-9]{1,9}", digits) else None


def _yes_or_no(text: str) -> bool | None:
    word = unicodedata.normalize("NFKC", text).upper()
    return True if word in _YES else False if word in _NO else None


def _money(text: str) -> str | None:
    try:
        amount = Decimal(unicodedata.normalize("NFKC", text).replace(",", "").removesuffix("元").lstrip("¥"))
    except InvalidOperation:
        return None
    exact = amount.is_finite() and 0 <= amount < 10**9 and amount == round(amount, 2)
    return f"{amount:.2f}" if exact else None


def _leftover(wrong: Sequence[_Given], sheets: Mapping[str, _Sheet], plan: Plan) -> bytes:
    """What was wrong, in the shape it came in, each line with its faults: to be put right and imported again."""
    lines: dict[str, list[_Line]] = {name: [] for name in sheets}
    for given in wrong:
        for line in given.lines():
            lines[line.sheet].append(line)
    kept = {id(line) for rows in lines.values() for line in rows}
    for name, sheet in sheets.items():
        lines[name] += [line for line in sheet.lines if line.faults and id(line) not in kept]
    book = _Book()
    for name, sheet in sheets.items():
        titles = list(sheet.letters)
        titles = [title for title in titles if title != ERROR]
        book.sheet(name, [*titles, ERROR])
        for line in lines[name]:
            cells = [_kept(line.cells.get(title)) for title in titles]
            told = "\n".join(fault.sentence() for fault in line.faults)
            book.add(name, [*cells, told])
    return book.bytes()


def _kept(value: Any) -> Any:
    """A cell as it was, but for what a spreadsheet would run."""
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if not isinstance(value, str):
        return value
    return safe_text(ILLEGAL_CHARACTERS_RE.sub("", plain_text(value)))


def _step(steps: Steps | None, count: int, total: int, text: str, *, start: float = 0.0) -> None:
    if steps is not None and count % 50 == 0:
        steps.check()
        steps.progress(start + (1 - start) * count / total, text)
