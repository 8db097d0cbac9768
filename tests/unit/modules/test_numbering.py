"""Case numbers and the codes that name a case."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.ids import uuid7
from modules.common.numbering import CaseNumber, Scan, code128_text, parse_number, qr_text, read_scan

NUMBER = CaseNumber("3411A", date(2026, 11, 20), 42)


def test_a_number_is_written_as_the_office_writes_it() -> None:
    assert str(NUMBER) == "3411A-20261120-000042"


@given(
    st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=12),
    st.dates(date(1000, 1, 1)),
    st.integers(0, 10**9 - 1),
)
def test_a_number_reads_back(series: str, day: date, serial: int) -> None:
    number = CaseNumber(series, day, serial)
    assert parse_number(str(number)) == number


@pytest.mark.parametrize("typed", ["3411a-20261120-000042", " 3411A - 20261120 - 000042\n"])
def test_what_was_meant_is_understood(typed: str) -> None:
    assert parse_number(typed) == NUMBER


@pytest.mark.parametrize("text", ["", "3411A", "3411A-20261320-000042", "3411A-20261120-42", "李晓明", "x" * 500])
def test_other_text_is_no_number(text: str) -> None:
    assert parse_number(text) is None
    assert read_scan(text) is None


def test_both_codes_find_the_case() -> None:
    case_id = uuid7()
    assert read_scan(qr_text(case_id, str(NUMBER))) == Scan(str(NUMBER), case_id)
    assert read_scan(code128_text(str(NUMBER)) + "\r\n") == Scan(str(NUMBER))


@pytest.mark.parametrize(
    "text", ["govdesk:case/x?no=3411A-20261120-000042", "https://example.org/?no=3411A-20261120-000042"]
)
def test_strange_codes_name_nothing(text: str) -> None:
    assert read_scan(text) is None
