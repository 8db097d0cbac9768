"""Working days: holidays, worked weekends, the office's own table, and years that nobody has announced."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.common.calendar import Due, WorkCalendar
from modules.common.errors import GovDeskError

CALENDAR = WorkCalendar()
days = st.dates(date(2024, 1, 1), date(2029, 12, 31))


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2026, 11, 20), True),
        (date(2026, 11, 21), False),
        (date(2026, 10, 1), False),
        (date(2026, 10, 7), False),
        (date(2026, 10, 10), True),  # a Saturday, 调休
        (date(2026, 9, 20), True),  # a Sunday, 调休
        (date(2026, 2, 16), False),  # 除夕
        (date(2026, 2, 14), True),  # a Saturday, 调休
    ],
)
def test_published_days(day: date, worked: bool) -> None:
    assert CALENDAR.is_workday(day) is worked
    assert CALENDAR.is_known(day)


def test_published_years_have_their_number_of_days() -> None:
    for year, expected in ((2024, 251), (2025, 248), (2026, 248)):
        first = date(year, 1, 1)
        assert CALENDAR.workdays_between(first - timedelta(1), date(year, 12, 31)) == expected


@pytest.mark.parametrize(
    ("start", "n", "due"),
    [
        (date(2026, 11, 20), 0, Due(date(2026, 11, 20), False)),
        (date(2026, 11, 20), 1, Due(date(2026, 11, 23), False)),
        (date(2026, 11, 20), 3, Due(date(2026, 11, 25), False)),
        (date(2026, 9, 30), 1, Due(date(2026, 10, 8), False)),  # over 国庆
        (date(2026, 9, 30), 3, Due(date(2026, 10, 10), False)),  # ends on a worked Saturday
        (date(2026, 2, 13), 2, Due(date(2026, 2, 24), False)),  # 14 is worked, then 春节
        (date(2026, 12, 31), 1, Due(date(2027, 1, 4), True)),
        (date(2026, 12, 30), 5, Due(date(2027, 1, 7), True)),
        (date(2027, 2, 4), 1, Due(date(2027, 2, 9), True)),  # 除夕 to 初三 are known by the moon
        (date(2027, 9, 30), 1, Due(date(2027, 10, 4), True)),
    ],
)
def test_terms(start: date, n: int, due: Due) -> None:
    assert CALENDAR.add_workdays(start, n) == due


def test_a_term_that_ends_on_the_last_published_day_is_firm() -> None:
    assert CALENDAR.add_workdays(date(2026, 12, 30), 1) == Due(date(2026, 12, 31), False)


def test_the_offices_own_days_go_first_and_settle_their_day() -> None:
    closed = WorkCalendar({date(2026, 11, 23): False, date(2027, 1, 4): True})
    assert closed.add_workdays(date(2026, 11, 20), 1).date == date(2026, 11, 24)
    assert closed.is_known(date(2027, 1, 4))
    assert not closed.is_known(date(2027, 1, 5))


def test_documents_become_days() -> None:
    calendar = WorkCalendar.from_documents([{"id": "d", "date": "2026-11-21", "workday": True, "name": "大厅周六开放"}])
    assert calendar.is_workday(date(2026, 11, 21))


@pytest.mark.parametrize("document", [{}, {"date": "11-21", "workday": True}, {"date": "2026-11-21", "workday": "yes"}])
def test_documents_that_say_no_day_are_refused(document: dict[str, object]) -> None:
    with pytest.raises(GovDeskError, match="CAL-001"):
        WorkCalendar.from_documents([document])


def test_a_table_without_working_days_is_noticed() -> None:
    class Never(WorkCalendar):
        def is_workday(self, day: date) -> bool:
            return False

    with pytest.raises(GovDeskError, match="CAL-002"):
        Never().add_workdays(date(2026, 11, 20), 1)


def test_a_negative_term_is_a_fault_of_the_program() -> None:
    with pytest.raises(ValueError, match="-1"):
        CALENDAR.add_workdays(date(2026, 11, 20), -1)


@given(days, st.integers(0, 60))
def test_a_term_counts_back_to_itself(start: date, n: int) -> None:
    due = CALENDAR.add_workdays(start, n)
    assert CALENDAR.workdays_between(start, due.date) == n
    assert n == 0 or CALENDAR.is_workday(due.date)
    assert CALENDAR.workdays_between(due.date, start) == -n


@given(days, st.integers(0, 40), st.integers(0, 40), st.integers(0, 30))
def test_later_or_longer_never_ends_earlier(start: date, n: int, more: int, later: int) -> None:
    due = CALENDAR.add_workdays(start, n)
    assert CALENDAR.add_workdays(start, n + more).date >= due.date
    assert CALENDAR.add_workdays(start + timedelta(later), n).date >= due.date


@given(days, st.integers(1, 60))
def test_a_term_is_firm_exactly_when_all_its_days_are_published(start: date, n: int) -> None:
    due = CALENDAR.add_workdays(start, n)
    assert due.provisional == (due.date.year > 2026)
