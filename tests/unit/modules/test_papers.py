"""The papers: what can be read off them by eye and by scanner, and that nothing is ever drawn as a box."""

from __future__ import annotations

import html
import re
import zipfile
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any

import docx  # noqa: TID253  a test may load it at once
import openpyxl  # noqa: TID253
import pypdfium2  # noqa: TID253  a test may load it at once
import pytest
import zxingcpp
from PIL import Image  # noqa: TID253

from modules.acceptance.domain.cases import CASE
from modules.acceptance.services.papers import (
    COLLECTION,
    CORRECTION,
    DECLINE,
    FORMATS,
    KINDS,
    PROVISIONAL,
    RECEIPT,
    Origin,
    Paper,
    available,
    make,
    pdf,
)
from modules.common.aggregate import Command, Context, Doc, Number, apply
from modules.common.calendar import WorkCalendar
from modules.common.errors import GovDeskError, Refusal
from modules.common.numbering import Scan, read_scan
from tests.support.fake_host import NOW, actor, filled, item

CASE_ID = "0199f2a4-0000-7000-8000-0000000000aa"
HALL = "示范市政务服务中心"
UNDRAWABLE = "\U0003ffff"
"""A code point that no font draws."""


def accepted(*, days: int = 0, materials: int = 3, **applicant: Any) -> Doc:
    served = item()
    body = filled(served, **applicant)
    if materials > 3:
        long = "、".join(["与申请有关的全部附件", "说明文件", "补充协议", "授权材料"])
        served["materials"] = [
            {**served["materials"][0], "id": f"m{n}", "name": f"第{n}项材料：{long}"} for n in range(1, materials + 1)
        ]
        body["materials"] = [{**body["materials"][0], "id": f"m{n}"} for n in range(1, materials + 1)]
    now = NOW + timedelta(days=days)
    command = Command("c", "case", CASE_ID, "case.accept", body, number=Number("3411A", 42))
    context = Context(now, actor(), WorkCalendar(), "3号窗", {("service_item", served["id"]): served})
    outcome = apply(CASE, None, command, context)
    assert not isinstance(outcome, Refusal)
    return outcome[0]


def receipt_pdf(case: Doc, hall: str, printed_at: datetime, *, phone: str = "") -> Paper:
    return make(RECEIPT, case, Origin(hall, phone, printed_at))


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, without the spaces of its lines."""
    document = pypdfium2.PdfDocument(pdf)
    texts = []
    for page in document:
        text = page.get_textpage()
        texts.append("".join(text.get_text_range().split()))
        text.close()
        page.close()
    document.close()
    return texts


def scanned(pdf: bytes) -> dict[str, str]:
    """What a scanner reads off the first page at 180 dpi, by the kind of code."""
    document = pypdfium2.PdfDocument(pdf)
    page = document[0]
    picture = page.render(scale=2.5).to_pil()
    page.close()
    document.close()
    return {code.format.name: code.text for code in zxingcpp.read_barcodes(picture)}


def test_both_codes_find_the_case() -> None:
    codes = scanned(receipt_pdf(accepted(), HALL, NOW).data)
    assert read_scan(codes["QRCode"]) == Scan("3411A-20261120-000042", CASE_ID)
    assert read_scan(codes["Code128"]) == Scan("3411A-20261120-000042")


def test_everything_that_a_citizen_needs_is_on_it() -> None:
    made = receipt_pdf(accepted(), HALL, NOW, phone="0550-3021234")
    (text,) = pages_of(made.data)
    for words in (
        "受理通知书", HALL, "3411A-20261120-000042",
        "李晓明", "110105********002X", "13855012345", "个体工商户设立登记",
        "市场监督管理局", "2026年11月20日10:24", "2026年11月25日", "3号窗", "张三", "经营场所使用证明", "合计3种", "6",
        "申请人签收", "受理专用章", "0550-3021234", "第1页共1页",
    ):  # fmt: skip
        assert words in text
    assert "暂定" not in text
    assert "11010519491231002X" not in text, "the whole number is nobody's business who finds the paper"
    assert made.missing == ()


def test_a_provisional_date_says_so_and_why() -> None:
    (text,) = pages_of(receipt_pdf(accepted(days=41), HALL, NOW).data)
    assert "2027年1月6日（暂定）" in text
    assert "放假安排公布后重新计算" in text


def test_the_same_case_gives_the_same_bytes() -> None:
    case = accepted()
    assert receipt_pdf(case, HALL, NOW).data == receipt_pdf(case, HALL, NOW).data
    assert receipt_pdf(case, HALL, NOW).data != receipt_pdf(case, HALL, NOW + timedelta(minutes=1)).data


def test_long_names_wrap_and_long_lists_go_on_overleaf() -> None:
    name = "买买提江·阿卜杜拉·艾合买提·努尔麦麦提敏·欧阳上官司马诸葛"
    texts = pages_of(receipt_pdf(accepted(materials=16, name=name), HALL, NOW).data)
    assert len(texts) == 2
    assert name in texts[0]
    assert "第2页共2页" in texts[1]
    assert "序号材料名称" in texts[1], "the head of the table is repeated"
    assert all(f"第{n}项材料" in "".join(texts) for n in range(1, 17))
    assert "合计16种" in texts[1]


def test_rare_characters_that_the_font_has_are_drawn() -> None:
    made = receipt_pdf(accepted(name="䶮镕𬭎"), HALL, NOW)
    assert made.missing == ()
    assert "䶮镕𬭎" in pages_of(made.data)[0]


def test_characters_that_the_font_lacks_are_named_and_never_a_box() -> None:
    made = receipt_pdf(accepted(name=f"李{UNDRAWABLE}明", address=UNDRAWABLE), HALL, NOW)
    assert made.missing == (UNDRAWABLE,)
    (text,) = pages_of(made.data)
    assert "李〓明" in text
    assert "U+3FFFF" in text


def test_markup_in_a_name_is_only_text() -> None:
    (text,) = pages_of(receipt_pdf(accepted(name="<b>李&明</b>"), HALL, NOW).data)
    assert "<b>李&明</b>" in text


def test_a_missing_font_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    pdf._glyphs.cache_clear()
    monkeypatch.setattr(pdf, "FONT_FILE", pdf.FONT_FILE.with_name("none.ttf"))
    with pytest.raises(GovDeskError, match="PRT-010"):
        receipt_pdf(accepted(), HALL, NOW)


# -- the other papers, and the other formats ------------------------------------------------------

TOLD = {"at": "2026-11-20T02:24:00Z", "by": {"id": "p1", "name": "张三"}}


def full_case() -> Doc:
    """A case that has had every paper, as documents go: no single case would."""
    case = accepted()
    return {
        **case,
        "state": "closed",
        "correction": {
            **TOLD,
            "items": [
                {"about": "经营场所使用证明", "text": "租赁合同缺出租方签字，请补签。"},
                {"about": "经营范围", "text": "请按规范目录用语填写。"},
            ],
        },
        "decline": {
            **TOLD,
            "ground": "《中华人民共和国行政许可法》第三十二条",
            "text": "申请事项依法不需要取得行政许可。",
        },
        "provisional": {
            "at": TOLD["at"],
            "materials": [{"id": "m3", "name": "经营场所使用证明", "by": "2026-12-04", "consequence": "撤回受理"}],
        },
        "decision": {**TOLD, "result": "approved", "opinion": "符合条件。"},
        "result": {"kind": "营业执照", "number": "92341100MA0000000A", "made_at": TOLD["at"]},
        "collected": {**TOLD, "by": "王小红", "id_number": "440524188001010014", "method": "agent", "clerk": "张三"},
    }  # fmt: skip


SAID = {
    RECEIPT: ("受理通知书", "容缺受理", "应办结日期"),
    CORRECTION: ("一次性告知书", "租赁合同缺出租方签字，请补签。", "经营范围", "2处", "第三十二条"),
    DECLINE: ("不予受理决定书", "第三十二条", "依法不需要取得行政许可", "行政复议", "行政诉讼"),
    PROVISIONAL: ("容缺受理告知书", "经营场所使用证明", "2026年12月4日", "撤回受理", "承诺按期补交"),
    COLLECTION: ("办理结果送达回证", "营业执照", "92341100MA0000000A", "他人代领", "王小红", "440524********0014"),
}


def text_of(format: str, data: bytes) -> str:
    """All that can be read in a paper, without spaces."""
    if format == "pdf":
        return "".join(pages_of(data))
    if format == "html":
        body = re.sub(r"(?s)<style>.*?</style>|<[^>]+>", "", data.decode())
        return "".join(html.unescape(body).split())
    if format == "docx":
        document = docx.Document(BytesIO(data))
        cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        words = [line.text for line in document.paragraphs] + [
            line.text for line in document.sections[0].footer.paragraphs
        ]
        return "".join("".join([*words, *cells]).split())
    page = openpyxl.load_workbook(BytesIO(data)).active
    assert page is not None
    return "".join("".join(str(cell.value or "") for row in page.iter_rows() for cell in row).split())


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_paper_says_the_same_in_every_format(kind: str, format: str) -> None:
    made = make(kind, full_case(), Origin(HALL, "0550-3021234", NOW, copy=2), format)
    text = text_of(format, made.data)
    for words in (*SAID[kind], HALL, "李晓明", "个体工商户设立登记", "110105********002X"):
        assert words in text, words
    assert "11010519491231002X" not in text
    if format != "xlsx":
        assert "第2次补打" in text
    if format == "pdf":
        assert scanned(made.data)["QRCode"].endswith("3411A-20261120-000042")


@pytest.mark.parametrize("format", ["docx", "xlsx"])
def test_the_code_can_be_scanned_off_an_office_file(format: str) -> None:
    data = make(RECEIPT, accepted(), Origin(HALL, "", NOW), format).data
    with zipfile.ZipFile(BytesIO(data)) as folder:
        (name,) = [name for name in folder.namelist() if "/media/" in name]
        picture = Image.open(BytesIO(folder.read(name)))
        (code,) = zxingcpp.read_barcodes(picture)
    assert read_scan(code.text) == Scan("3411A-20261120-000042", CASE_ID)


@pytest.mark.parametrize("format", FORMATS)
def test_whatever_a_person_types_is_only_text(format: str) -> None:
    name = '=HYPERLINK("x")<script>&\x0b'
    case = accepted()
    case = {**case, "applicant": {**case["applicant"], "name": name}}
    text = text_of(format, make(RECEIPT, case, Origin(HALL, "", NOW), format).data)
    assert '=HYPERLINK("x")<script>&' in text
    if format == "xlsx":
        page = openpyxl.load_workbook(BytesIO(make(RECEIPT, case, Origin(HALL, "", NOW), format).data)).active
        assert page is not None
        assert all(cell.data_type != "f" for row in page.iter_rows() for cell in row)


def test_a_case_has_only_the_papers_that_it_has_reason_for() -> None:
    assert available(accepted()) == (RECEIPT,)
    assert set(available(full_case())) == set(KINDS)
    with pytest.raises(GovDeskError, match="PRT-020"):
        make(DECLINE, accepted(), Origin(HALL, "", NOW))


def test_a_refused_case_tells_of_the_remedies_when_it_is_collected() -> None:
    case = full_case()
    case = {**case, "decision": {**case["decision"], "result": "rejected", "opinion": "场所不符合条件。"}}
    (text,) = pages_of(make(COLLECTION, case, Origin(HALL, "", NOW)).data)
    assert "不予" in text
    assert "行政复议" in text


def test_a_case_without_a_number_gets_no_codes() -> None:
    case = {**full_case(), "number": ""}
    for format in FORMATS:
        assert "一次性告知书" in text_of(format, make(CORRECTION, case, Origin(HALL, "", NOW), format).data)
    assert scanned(make(CORRECTION, case, Origin(HALL, "", NOW)).data) == {}
