"""Service items as workbooks: round trips, faults at their cells, and what is not opened at all."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.kernel.contract import Cancelled
from modules.acceptance.domain.items import blank_fee, blank_item, blank_material, check_item, put
from modules.acceptance.services import excel
from modules.acceptance.services.excel import CellFault, Plan, read_workbook, workbook
from modules.common.errors import GovDeskError
from tests.support.items import CODE, DEPARTMENTS, FORM, sound_item

OTHER = "341100SC-XK-0002"


def record(code: str = CODE, version: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        **sound_item(code, **changes),
        "id": f"item-{code.lower()}@{version}",
        "version": version,
        "state": "published",
    }


def plan(data: bytes, existing: list[dict[str, Any]] | None = None) -> Plan:
    return read_workbook(data, existing or [], DEPARTMENTS)


def opened(data: bytes) -> Any:
    import openpyxl

    return openpyxl.load_workbook(io.BytesIO(data))


def edited(data: bytes, edit: Callable[[Any], None]) -> bytes:
    book = opened(data)
    edit(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def column(sheet: Any, title: str) -> int:
    return next(cell.column for cell in sheet[1] if str(cell.value).rstrip("*") == title)


def with_cell(data: bytes, sheet: str, row: int, title: str, value: Any) -> bytes:
    return edited(data, lambda book: book[sheet].cell(row, column(book[sheet], title)).__setattr__("value", value))


def one_fault(found: Plan) -> CellFault:
    assert len(found.faults) == 1, found.faults
    assert found.wrong == 1
    return found.faults[0]


# -- round trips --------------------------------------------------------------------------------------


def test_what_is_exported_comes_back_unchanged() -> None:
    items = [record(), record(OTHER, hot=True, green={"enabled": True, "promised_days": 2}, fees=[])]
    found = plan(workbook(items, DEPARTMENTS), items)
    assert (found.unchanged, found.new, found.changed, found.faults) == (2, [], [], [])


def test_what_is_exported_makes_the_same_items_elsewhere() -> None:
    item = sound_item(joint_departments=["dept-land", "dept-health"], kind="联办件", theme=["企业开办", "食品"])
    found = plan(workbook([{**item, "version": 1}], DEPARTMENTS))
    assert [row.code for row in found.new] == [CODE]
    made = dict(found.new[0].item)
    assert made["form"]["schema"]["properties"].keys() == {"matter", "remark"}
    assert {**made, "form": FORM, "green": None} == item
    assert check_item(made) == []


texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=30
)
lines = st.one_of(
    texts, st.sampled_from(["=cmd|' /C calc'!A0", "+1", "-2", "@SUM(A1)", "＝1", "'=1", "''", "_x0041_", "1e5"])
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_text_comes_back_unchanged(data: st.DataObject) -> None:
    item = record()
    for path in ("name", "summary", "elements.place", "elements.conditions"):
        put(item, path, "法" + data.draw(lines) if path == "name" else data.draw(lines))
    item["materials"][0] |= {
        "note": data.draw(lines),
        "review": [one.strip() or "甲" for one in data.draw(st.lists(lines, max_size=2, unique_by=str.strip))],
    }
    found = plan(workbook([item], DEPARTMENTS), [item])
    assert not found.faults, found.faults
    assert found.unchanged == 1


@given(st.text(max_size=8))
def test_a_formula_is_text_both_ways(text: str) -> None:
    assert excel.plain_text(excel.safe_text(text)) == text
    assert excel.safe_text("=" + text) == "'=" + text


def test_no_cell_of_an_export_is_a_formula() -> None:
    item = record(summary="=cmd|' /C calc'!A0", elements__place="@x")
    book = opened(workbook([item], DEPARTMENTS))
    kinds = {cell.data_type for sheet in book for row in sheet for cell in row}
    assert kinds <= {"s", "n", "inlineStr"}
    sheet = book["事项"]
    assert sheet.cell(2, column(sheet, "事项说明")).value == "'=cmd|' /C calc'!A0"


def test_a_changed_cell_is_a_new_version_of_that_item_alone() -> None:
    items = [record(), record(OTHER)]
    found = plan(with_cell(workbook(items, DEPARTMENTS), "事项", 3, "承诺办结时限（工作日）", "５"), items)
    assert (found.unchanged, found.wrong, [row.code for row in found.changed]) == (1, 0, [OTHER])
    row = found.changed[0]
    assert (row.id, row.changes, row.item["promised_days"]) == (f"item-{OTHER.lower()}@2", ["promised_days"], 5)
    assert row.item["form"] == FORM


def test_a_draft_is_edited_where_it_stands() -> None:
    items = [record(), {**record(version=2), "state": "draft"}]
    found = plan(with_cell(workbook(items[1:], DEPARTMENTS), "事项", 2, "事项简称", "坊"), items)
    assert [row.id for row in found.changed] == [items[1]["id"]]


def test_columns_in_another_order_numbers_as_text_and_blank_lines_do_no_harm() -> None:
    def shuffle(book: Any) -> None:
        sheet = book["事项"]
        rows = [[cell.value for cell in row] for row in sheet]
        sheet.delete_rows(1, 5)
        for row in (rows[0], [None] * 3, rows[1]):
            sheet.append(list(reversed(row)) if len(row) > 3 else row)
        place = column(sheet, "法定办结时限（工作日）")
        sheet.cell(3, place).value = "20"

    item = record()
    found = plan(edited(workbook([item], DEPARTMENTS), shuffle), [item])
    assert (found.faults, found.unchanged) == ([], 1)


def test_a_number_where_text_was_meant_is_read_as_it_looks() -> None:
    item = record(elements__complaint_phone="12345", elements__phone="0550-3021234")
    data = with_cell(workbook([item], DEPARTMENTS), "事项", 2, "监督电话", 12345.0)
    assert plan(data, [item]).unchanged == 1
    data = with_cell(workbook([item], DEPARTMENTS), "收费", 2, "收费标准（元）", 10)
    assert plan(data, [item]).unchanged == 1


def test_a_sheet_that_is_not_there_changes_nothing() -> None:
    item = record()

    def drop(book: Any) -> None:
        del book["材料"]
        del book["收费"]

    assert plan(edited(workbook([item], DEPARTMENTS), drop), [item]).unchanged == 1


def test_a_material_without_an_id_is_known_by_its_name_or_new() -> None:
    item = record()

    def blank(book: Any) -> None:
        sheet = book["材料"]
        for row in (2, 3):
            sheet.cell(row, column(sheet, "材料标识")).value = None
        sheet.cell(3, column(sheet, "材料名称")).value = "平面图"

    found = plan(edited(workbook([item], DEPARTMENTS), blank), [item])
    assert [row["id"] for row in found.changed[0].item["materials"]] == ["m1", "m3"]


# -- faults -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sheet", "title", "value", "code"),
    [
        ("事项", "承诺办结时限（工作日）", "七天", "ACC-155"),
        ("事项", "承诺办结时限（工作日）", 7.5, "ACC-155"),
        ("事项", "承诺办结时限（工作日）", 21, "ACC-122"),
        ("事项", "办理地点", None, "ACC-120"),
        ("事项", "事项类型", "批准", "ACC-121"),
        ("事项", "服务对象", "自然人、动物", "ACC-121"),
        ("事项", "实施机构", "气象局", "ACC-159"),
        ("事项", "热点事项", "也许", "ACC-155"),
        ("事项", "基本编码", "12", "ACC-129"),
        ("事项", "审批流程", "没有的流程", "ACC-128"),
        ("事项", "事项说明", "=1+1", "ACC-156"),
        ("事项", "办理时间", datetime(2026, 8, 30, tzinfo=UTC).date(), "ACC-158"),
        ("材料", "材料名称", "其他材料", "ACC-123"),
        ("材料", "容缺补交期限（工作日）", "很快", "ACC-155"),
        ("材料", "份数", None, "ACC-120"),
        ("收费", "收费标准（元）", "十元", "ACC-155"),
        ("收费", "收费标准（元）", 10.005, "ACC-155"),
        ("收费", "收费依据", None, "ACC-126"),
    ],
)
def test_a_fault_is_told_at_its_cell(sheet: str, title: str, value: Any, code: str) -> None:
    items = [record(OTHER), record()]
    data = workbook(items, DEPARTMENTS)
    row = {"事项": 3, "材料": 4, "收费": 3}[sheet]
    found = plan(with_cell(data, sheet, row, title, value), items)
    fault = one_fault(found)
    assert (fault.sheet, fault.row, fault.name, fault.code) == (sheet, row, title, code)
    book = opened(data)
    assert fault.column == book[sheet].cell(1, column(book[sheet], title)).column_letter
    assert f"第 {row} 行" in fault.sentence()
    assert (found.unchanged, found.changed, found.new) == (1, [], [])


def test_an_item_is_wrong_as_a_whole_and_comes_back_whole() -> None:
    items = [record(OTHER), record()]
    data = with_cell(workbook(items, DEPARTMENTS), "材料", 5, "材料名称", "其他材料")
    found = plan(data, items)
    assert found.wrong == 1
    book = opened(found.leftover)
    rows = {name: list(book[name].values) for name in ("事项", "材料", "收费")}
    assert [len(sheet) for sheet in rows.values()] == [2, 3, 2]
    assert rows["材料"][0][-1] == "错误"
    assert "ACC-123" in rows["材料"][2][-1]
    assert not rows["材料"][1][-1]
    again = with_cell(found.leftover, "材料", 3, "材料名称", items[1]["materials"][1]["name"])
    assert plan(again, items).unchanged == 1


def test_twice_the_same_code_and_lines_of_no_item() -> None:
    items = [record(), record(OTHER)]

    def spoil(book: Any) -> None:
        book["事项"].cell(3, column(book["事项"], "实施编码")).value = CODE

    found = plan(edited(workbook(items, DEPARTMENTS), spoil), items)
    assert [(fault.sheet, fault.row, fault.code) for fault in found.faults] == [
        ("材料", 4, "ACC-160"),
        ("材料", 5, "ACC-160"),
        ("收费", 3, "ACC-160"),
        ("事项", 3, "ACC-154"),
    ]
    assert (found.unchanged, found.wrong) == (1, 1)


def test_merged_cells_are_told_at_every_row_they_touch() -> None:
    items = [record(), record(OTHER)]
    found = plan(edited(workbook(items, DEPARTMENTS), lambda book: book["事项"].merge_cells("A2:A3")), items)
    assert [(fault.row, fault.column, fault.code) for fault in found.faults if fault.code == "ACC-157"] == [
        (2, "A", "ACC-157"),
        (3, "A", "ACC-157"),
    ]
    assert found.wrong == 2


# -- what is not opened -------------------------------------------------------------------------------


def packed(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def part_of(data: bytes, **parts: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return packed({name: archive.read(name) for name in archive.namelist()} | parts)


SOUND = workbook([sound_item() | {"version": 1}], DEPARTMENTS)
SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "ACC-150"),
        ("实施编码,名称\n".encode(), "ACC-150"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "ACC-150"),
        (packed({"word/document.xml": b"<a/>"}), "ACC-150"),
        (SOUND[: len(SOUND) // 2], "ACC-150"),
        (part_of(SOUND, **{SHEET: b"<worksheet><sheetData><row r='1'><c"}), "ACC-150"),
        (part_of(SOUND, **{"xl/workbook.xml": b"garbage"}), "ACC-150"),
        (part_of(SOUND, **{SHEET: b'<!DOCTYPE x [<!ENTITY a "aa">]><worksheet/>'}), "ACC-151"),
        (part_of(SOUND, **{"xl/vbaProject.bin": b"macro"}), "ACC-151"),
        (part_of(SOUND, **{SHEET: b"<worksheet/>"}), "ACC-152"),
        (bytes(excel.LARGEST_FILE + 1), "ACC-151"),
        (packed({"xl/workbook.xml": b"<a/>"} | {f"x{n}": b"" for n in range(excel.MOST_PARTS)}), "ACC-151"),
    ],
    ids=["nothing", "text", "old", "word", "half", "cut", "garbage", "entities", "macro", "blank", "large", "many"],
)  # fmt: skip
def test_what_is_no_sound_workbook_is_refused_in_words(data: bytes, code: str) -> None:
    with pytest.raises(GovDeskError) as told:
        plan(data)
    assert told.value.code == code
    assert told.value.fix


def test_a_zip_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "LARGEST_CONTENT", 20 * 2**20)
    bomb = part_of(SOUND, **{"xl/media/a.xml": bytes(21 * 2**20)})
    assert len(bomb) < 2**20
    with pytest.raises(GovDeskError) as told:
        plan(bomb)
    assert told.value.code == "ACC-151"


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(SOUND) - 1), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_refused_or_read(place: int, noise: bytes) -> None:
    damaged = SOUND[:place] + noise + SOUND[place + len(noise) :]
    try:
        found = plan(damaged)
    except GovDeskError as error:
        found, code = Plan(), error.code
    else:
        code = ""
    assert found.total <= 1
    assert code in ("", "ACC-150", "ACC-151", "ACC-152")


def test_a_file_for_a_later_unpacker_is_refused_in_words() -> None:
    entry = SOUND.index(b"PK\x01\x02")  # in the directory: the version that is needed to unpack
    with pytest.raises(GovDeskError) as told:
        plan(SOUND[: entry + 6] + b"\x40\x00" + SOUND[entry + 8 :])
    assert told.value.code == "ACC-150"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda book: book["事项"].__setattr__("title", "项目"), "没有“事项”表"),
        (lambda book: book["事项"].delete_cols(1), "缺少“事项名称”"),
        (lambda book: book["材料"].cell(1, 3).__setattr__("value", "颜色"), "不认识的列“颜色”"),
        (lambda book: book["材料"].cell(1, 3).__setattr__("value", "实施编码"), "有两个"),
    ],
)
def test_missing_sheets_and_columns_are_named(spoil: Callable[[Any], None], words: str) -> None:
    with pytest.raises(GovDeskError, match=words) as told:
        plan(edited(SOUND, spoil))
    assert told.value.code == "ACC-152"


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "MOST_ROWS", 3)
    items = [record(f"341100SC-XK-{n:04d}") for n in range(4)]
    with pytest.raises(GovDeskError) as told:
        plan(workbook(items, DEPARTMENTS))
    assert told.value.code == "ACC-153"


# -- a whole catalogue --------------------------------------------------------------------------------


class Steps:
    """A token that counts, and cancels at a share."""

    def __init__(self, cancel_at: float = 2.0) -> None:
        self.shares: list[float] = []
        self.cancel_at = cancel_at

    def check(self) -> None:
        if self.shares and self.shares[-1] >= self.cancel_at:
            raise Cancelled

    def progress(self, share: float, text: str = "") -> None:
        assert text
        self.shares.append(share)


def catalogue(size: int) -> tuple[bytes, list[dict[str, Any]]]:
    """``size`` items, of which 300 are wrong in the workbook, 100 changed, and a fifth not known here."""
    items = []
    for n in range(size):
        code = f"{341100 + n // 2500}SC-XK-{n % 2500:04d}"
        items.append(record(code, name=f"事项{n}"))
    shown = []
    for n, item in enumerate(items):
        if n < 100:
            item = {**item, "promised_days": 99}
        elif n < 200:
            item = {**item, "materials": [{**blank_material("m1"), "name": "法律法规规定的其他材料"}]}
        elif n < 300:
            item = {**item, "fees": [{**blank_fee(), "name": "费", "amount": "5.00"}]}
        elif n < 400:
            item = {**item, "summary": "新的说明"}
        shown.append(item)
    return workbook(shown, DEPARTMENTS), items[: size * 4 // 5]


def test_5000_items_with_300_wrong_ones() -> None:
    data, known = catalogue(5000)
    steps = Steps()
    found = read_workbook(data, known, DEPARTMENTS, steps)
    assert (len(found.new), len(found.changed), found.unchanged, found.wrong) == (1000, 100, 3600, 300)
    assert {fault.code for fault in found.faults} == {"ACC-122", "ACC-123", "ACC-126"}
    assert len(found.faults) == 300
    assert steps.shares == sorted(steps.shares)
    again = read_workbook(found.leftover, known, DEPARTMENTS)
    assert (again.total, again.wrong) == (300, 300)


def test_a_long_import_can_be_cancelled() -> None:
    steps = Steps(cancel_at=0.1)
    with pytest.raises(Cancelled):
        read_workbook(*catalogue(800), DEPARTMENTS, steps)
    assert 0.1 <= steps.shares[-1] < 0.2


def test_an_empty_template_is_an_empty_import() -> None:
    assert plan(excel.template(DEPARTMENTS)).total == 0
    assert blank_item()["materials"] == []
