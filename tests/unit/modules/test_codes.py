"""Identity numbers, phones and credit codes: the standards' own samples, and what a wrong digit is told."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.codes import (
    ResidentId,
    check_credit_code,
    check_phone,
    check_resident_id,
    credit_check_digit,
    masked,
    normalise,
    read_resident_id,
    resident_check_digit,
)
from modules.common.errors import Refusal

TODAY = date(2026, 11, 20)
SAMPLE = "11010519491231002X"


def code_of(text: str) -> str | None:
    refusal = check_resident_id(text, TODAY)
    return refusal.code if refusal else None


@pytest.mark.parametrize("number", [SAMPLE, "440524188001010014"])
def test_samples_of_the_standard(number: str) -> None:
    assert code_of(number) is None


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("", "ID-001"),
        ("11010519491231002", "ID-001"),
        ("110105194912310021X", "ID-001"),
        ("1101O519491231002X", "ID-002"),
        ("11010519491231002Y", "ID-002"),
        ("11010519491331002X", "ID-003"),
        ("11010520010229002X", "ID-003"),
        ("11010500000101002X", "ID-003"),
        ("110105194912310021", "ID-004"),
        ("110105491231002", "ID-005"),
        ("00010519491231002X", "ID-006"),
        ("990105" + "x" * 12, "ID-002"),
    ],
)
def test_each_fault_has_its_own_code(number: str, code: str) -> None:
    assert code_of(number) == code


def test_a_birth_in_the_future_is_refused_only_from_the_day_on() -> None:
    first = "110105" + "20261121" + "002"
    number = first + resident_check_digit(first)
    assert code_of(number) == "ID-007"
    assert check_resident_id(number, date(2026, 11, 21)) is None
    assert check_resident_id(number) is None


def test_the_sentence_says_where_to_look() -> None:
    def sentence(number: str) -> str:
        refusal = check_resident_id(number, TODAY)
        assert refusal
        return refusal.message

    assert "第 5、9 位" in sentence("1101O519B91231002X")
    assert "20010229" in sentence("11010520010229002X")
    assert "末位应为 X，现为 1" in sentence("110105194912310021")
    assert "第 9 与第 10 位" in sentence("11010519941231002X"), "two neighbours that were swapped are named"


@pytest.mark.parametrize(
    "typed", ["11010519491231002x", "１１０１０５１９４９１２３１００２Ｘ", " 110105 19491231 002X "]
)
def test_what_was_meant_is_understood(typed: str) -> None:
    assert code_of(typed) is None
    assert normalise(typed) == SAMPLE


@pytest.mark.parametrize(
    ("region", "kind"), [("810000", "hmt"), ("820000", "hmt"), ("830000", "hmt"), ("911156", "foreigner")]
)
def test_permits_that_are_built_alike(region: str, kind: str) -> None:
    first = region + "19900101" + "001"
    read = read_resident_id(first + resident_check_digit(first), TODAY)
    assert isinstance(read, ResidentId)
    assert read.kind == kind


def test_a_region_that_was_abolished_stays_valid() -> None:
    first = "422201" + "19700101" + "001"  # 孝感市 until 1993
    assert code_of(first + resident_check_digit(first)) is None


regions = st.sampled_from(["110105", "341102", "500101", "659004", "710000", "810000"])
births = st.dates(date(1900, 1, 1), TODAY)


@given(regions, births, st.integers(0, 999))
def test_a_built_number_reads_back(region: str, birth: date, serial: int) -> None:
    first = f"{region}{birth:%Y%m%d}{serial:03d}"
    read = read_resident_id(first + resident_check_digit(first), TODAY)
    assert isinstance(read, ResidentId)
    assert (read.birth, read.sex) == (birth, "男" if serial % 2 else "女")


@given(regions, births, st.integers(0, 999))
def test_the_check_digit_is_iso_7064_mod_11_2(region: str, birth: date, serial: int) -> None:
    # the definition itself, not our table: the sum of a_i · 2^(18−i) leaves 1 modulo 11
    first = f"{region}{birth:%Y%m%d}{serial:03d}"
    number = first + resident_check_digit(first)
    values = [10 if mark == "X" else int(mark) for mark in number]
    assert sum(value * 2 ** (17 - place) for place, value in enumerate(values)) % 11 == 1


@given(regions, births, st.integers(0, 999), st.integers(0, 17), st.integers(1, 9))
def test_any_one_wrong_digit_is_noticed(region: str, birth: date, serial: int, place: int, step: int) -> None:
    first = f"{region}{birth:%Y%m%d}{serial:03d}"
    number = first + resident_check_digit(first)
    wrong = str(step) if number[place] == "X" else str((int(number[place]) + step) % 10)
    assert code_of(number[:place] + wrong + number[place + 1 :]) is not None


@given(st.text(max_size=24))
def test_no_text_breaks_the_checks(text: str) -> None:
    for outcome in (check_resident_id(text, TODAY), check_credit_code(text), check_phone(text)):
        assert outcome is None or isinstance(outcome, Refusal)


@pytest.mark.parametrize(
    "number", ["13855012345", "19912345678", "0550-3021234", "010-62345678", "０５５０－３０２１２３４"]
)
def test_phones(number: str) -> None:
    assert check_phone(number) is None


@pytest.mark.parametrize("number", ["1385501234", "12855012345", "3021234", "abc", "", "0550-1021234"])
def test_wrong_phones(number: str) -> None:
    refusal = check_phone(number)
    assert refusal
    assert refusal.code == "ID-021"


def test_credit_codes() -> None:
    assert check_credit_code("91350100M000100Y43") is None
    assert check_credit_code("91350100m000100y43") is None
    for wrong, code in (
        ("911101080551385082", "ID-033"),
        ("11440600006941337N", "ID-033"),
        ("91350100M000100Y4", "ID-031"),
        ("91350100M000100I43", "ID-032"),
    ):
        refusal = check_credit_code(wrong)
        assert refusal
        assert refusal.code == code


@given(st.from_regex("[0-9A-HJ-NP-RTUWXY]{2}[0-9]{6}[0-9A-HJ-NP-RTUWXY]{9}", fullmatch=True),
       st.integers(0, 17), st.integers(1, 30))  # fmt: skip
def test_any_one_wrong_character_of_a_credit_code_is_noticed(first: str, place: int, step: int) -> None:
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    code = first + credit_check_digit(first)
    assert check_credit_code(code) is None
    wrong = alphabet[(alphabet.index(code[place]) + step) % 31]
    assert check_credit_code(code[:place] + wrong + code[place + 1 :]) is not None


def test_masks_keep_their_length_and_hide_the_birth() -> None:
    assert masked(SAMPLE) == "110105********002X"
    assert masked("E12345678") == "E******78"
    assert masked("123") == "***"
