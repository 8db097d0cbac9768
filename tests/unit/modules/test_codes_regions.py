"""Regions by code, name and initials, in force and abolished."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import numdb

from modules.common.codes import check_region, find_regions, region, region_code, region_name, region_note
from modules.common.codes.regions import _table
from modules.common.text import RESOURCES


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("340000", "安徽省"), ("341100", "安徽省滁州市"), ("341102", "安徽省滁州市琅琊区"), ("110101", "北京市东城区"),
        ("429004", "湖北省仙桃市"), ("659001", "新疆维吾尔自治区石河子市"), ("500233", "重庆市忠县"),
        ("330114", "浙江省杭州市钱塘区"), ("460302", "海南省三沙市西沙区"), ("810000", "香港特别行政区"),
        ("710000", "台湾省"), ("371202", "山东省莱芜市莱城区"), ("000000", ""), ("x", ""), ("", ""),
    ],
)  # fmt: skip
def test_whole_names(code: str, name: str) -> None:
    assert region_name(code) == name


def test_what_is_there() -> None:
    current = [each for stood in _table().values() for each in stood if each.current]
    assert sum(each.level == "province" for each in current) == 34
    # 333 prefectures, and nine codes that only hold counties together
    assert sum(each.level == "prefecture" for each in current) == 333 + 9 + 1
    assert sum(each.level == "county" for each in current) > 2840
    for stood in _table().values():
        for before, after in pairwise(stood):
            assert before.last is not None
            assert after.first is None or before.last <= after.first


def test_the_facts_are_those_of_their_source() -> None:
    source = numdb.get("cn/loc")
    for code, stood in _table().items():
        if code in ("330113", "330114"):
            continue
        found = source.info(code)[-1][1]["county"]
        assert [each.name for each in sorted(stood, key=lambda each: each.first or 0)] == [
            name.split("]")[-1] for name in found.split(",")
        ]


def test_a_code_that_stood_for_two() -> None:
    assert region_name("500101", 1997) == "重庆市万县区"
    assert region_name("500101") == region_name("500101", 2020) == "重庆市万州区"
    held = region("110103")
    assert held
    assert (held.name, held.last, held.current) == ("崇文区", 2010, False)


def test_an_abolished_code_is_no_error_but_said() -> None:
    assert check_region("422201") is None
    assert region_note("422201") == "已撤销的区划：湖北省孝感地区孝感市，用到 1993 年。"
    assert region_note("341102") == region_note("999999") == ""
    for wrong in ("999999", "琅琊", "", "34110２３"):
        refusal = check_region(wrong)
        assert refusal
        assert refusal.code == "ID-061"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("341102", "341102"), (" ３４１１０２ ", "341102"), ("安徽省滁州市琅琊区", "341102"), ("滁州市琅琊区",
        "341102"),
        ("琅琊区", "341102"), ("安徽省滁州市", "341100"), ("安徽省", "340000"), ("北京市", "110000"), ("朝阳区", ""),
        ("北京市朝阳区", "110105"), ("市辖区", ""), ("孝感地区", ""), ("999999", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_name_or_code_is_understood_unless_it_means_two(typed: str, code: str) -> None:
    assert region_code(typed) == code


@pytest.mark.parametrize(
    ("typed", "first", "among"),
    [
        ("lyq", None, "341102"), ("琅琊", "341102", "341102"), ("滁州", "341100", "342301"), ("cz", "130900", "341100"),
        ("3411", "341100", "341102"), ("孝感", "420900", "422201"), ("滁州市琅", "341102", "341102"),
        ("LYQ", None, "341102"), ("cq", "500000", "500000"), ("xm", None, "350200"),
    ],
)  # fmt: skip
def test_what_is_found_while_typing(typed: str, first: str | None, among: str) -> None:
    found = [each.code for each in find_regions(typed)]
    assert first in (None, found[0])
    assert among in found
    states = [each.current for each in find_regions(typed)]
    assert states == sorted(states, reverse=True), "abolished ones come last"


def test_nothing_is_found_for_nothing() -> None:
    assert list(find_regions("")) == list(find_regions("  ")) == list(find_regions("不存在的地方")) == []


@given(st.text(max_size=8))
def test_no_text_breaks_the_search(text: str) -> None:
    assert len(find_regions(text)) <= 20


@given(st.sampled_from(sorted(_table())))
def test_every_name_in_force_leads_back(code: str) -> None:
    own = region(code)
    assert own
    if own.current and own.name in region_name(code):
        assert region_code(region_name(code)) == code


def test_the_file_says_where_its_facts_are_from() -> None:
    head = (RESOURCES / "regions" / "gbt2260.tsv").read_text("utf-8").splitlines()[:6]
    assert any("python-stdnum" in line for line in head)
