"""The receipt: what can be read off it by eye and by scanner, and that nothing is ever drawn as a box."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pypdfium2  # noqa: TID253  a test may load it at once
import pytest
import zxingcpp

from modules.acceptance.domain.cases import CASE
from modules.acceptance.services import receipt
from modules.acceptance.services.receipt import receipt_pdf
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
    codes = scanned(receipt_pdf(accepted(), HALL, NOW).pdf)
    assert read_scan(codes["QRCode"]) == Scan("3411A-20261120-000042", CASE_ID)
    assert read_scan(codes["Code128"]) == Scan("3411A-20261120-000042")


def test_everything_that_a_citizen_needs_is_on_it() -> None:
    made = receipt_pdf(accepted(), HALL, NOW, phone="0550-3021234")
    (text,) = pages_of(made.pdf)
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
    (text,) = pages_of(receipt_pdf(accepted(days=41), HALL, NOW).pdf)
    assert "2027年1月6日（暂定）" in text
    assert "放假安排公布后重新计算" in text


def test_the_same_case_gives_the_same_bytes() -> None:
    case = accepted()
    assert receipt_pdf(case, HALL, NOW).pdf == receipt_pdf(case, HALL, NOW).pdf
    assert receipt_pdf(case, HALL, NOW).pdf != receipt_pdf(case, HALL, NOW + timedelta(minutes=1)).pdf


def test_long_names_wrap_and_long_lists_go_on_overleaf() -> None:
    name = "买买提江·阿卜杜拉·艾合买提·努尔麦麦提敏·欧阳上官司马诸葛"
    texts = pages_of(receipt_pdf(accepted(materials=16, name=name), HALL, NOW).pdf)
    assert len(texts) == 2
    assert name in texts[0]
    assert "第2页共2页" in texts[1]
    assert "序号材料名称" in texts[1], "the head of the table is repeated"
    assert all(f"第{n}项材料" in "".join(texts) for n in range(1, 17))
    assert "合计16种" in texts[1]


def test_rare_characters_that_the_font_has_are_drawn() -> None:
    made = receipt_pdf(accepted(name="䶮镕𬭎"), HALL, NOW)
    assert made.missing == ()
    assert "䶮镕𬭎" in pages_of(made.pdf)[0]


def test_characters_that_the_font_lacks_are_named_and_never_a_box() -> None:
    made = receipt_pdf(accepted(name=f"李{UNDRAWABLE}明", address=UNDRAWABLE), HALL, NOW)
    assert made.missing == (UNDRAWABLE,)
    (text,) = pages_of(made.pdf)
    assert "李〓明" in text
    assert "U+3FFFF" in text


def test_markup_in_a_name_is_only_text() -> None:
    (text,) = pages_of(receipt_pdf(accepted(name="<b>李&明</b>"), HALL, NOW).pdf)
    assert "<b>李&明</b>" in text


def test_a_missing_font_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    receipt._glyphs.cache_clear()
    monkeypatch.setattr(receipt, "FONT_FILE", receipt.FONT_FILE.with_name("none.ttf"))
    with pytest.raises(GovDeskError, match="PRT-010"):
        receipt_pdf(accepted(), HALL, NOW)
