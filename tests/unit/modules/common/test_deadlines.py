"""Terms: a table counted by hand, a second counter that shares nothing with the first, and what people read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.common.calendar import WorkCalendar
from modules.common.deadlines import SHOWN_AS, Pause, Term, due, spent, standing

TABLE = Path(__file__).with_name("deadlines_golden.csv")
day = date.fromisoformat

FREE = {
    *(f"2024-{d}" for d in ("01-01", "04-04", "04-05", "04-06", "05-01", "05-02", "05-03", "05-04", "05-05", "06-10")),
    *(f"2024-02-{d}" for d in range(10, 18)),
    *(f"2024-09-{d}" for d in (15, 16, 17)),
    *(f"2024-10-0{d}" for d in range(1, 8)),
    *("2025-01-01", "2025-01-28", "2025-01-29", "2025-01-30", "2025-01-31", "2025-04-04", "2025-05-31"),
    *(f"2025-02-0{d}" for d in range(1, 5)),
    *(f"2025-05-0{d}" for d in range(1, 6)),
    *(f"2025-06-0{d}" for d in (1, 2)),
    *(f"2025-10-0{d}" for d in range(1, 9)),
    *(f"2026-01-0{d}" for d in (1, 2, 3)),
    *(f"2026-02-{d}" for d in range(15, 24)),
    *(f"2026-04-0{d}" for d in (4, 5, 6)),
    *(f"2026-05-0{d}" for d in range(1, 6)),
    *(f"2026-06-{d}" for d in (19, 20, 21)),
    *(f"2026-09-{d}" for d in (25, 26, 27)),
    *(f"2026-10-0{d}" for d in range(1, 8)),
    *(f"2027-01-0{d}" for d in (1,)),
}
"""Typed from the notices, not read from the library that the calendar uses."""
WORKED = {
    *("2024-02-04", "2024-02-18", "2024-04-07", "2024-04-28", "2024-05-11", "2024-09-14", "2024-09-29", "2024-10-12"),
    *("2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"),
    *("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"),
}


def slow_due(term: Term, own: dict[date, bool]) -> date | None:
    """One day after the other: the day on which the last promised day falls. None when a pause never ends."""
    today, counted = term.start, 0
    running_tomorrow = not any(begun <= today and (ended is None or ended > today) for begun, ended in term.pauses)
    while counted < term.days + term.extension:
        if not running_tomorrow and any(ended is None and begun <= today for begun, ended in term.pauses):
            return None
        today += timedelta(1)
        text = today.isoformat()
        worked = own.get(today, text in WORKED or (today.isoweekday() <= 5 and text not in FREE))
        counted += worked and running_tomorrow
        running_tomorrow = not any(begun <= today and (ended is None or ended > today) for begun, ended in term.pauses)
    return today


def rows() -> Iterator[tuple[str, ...]]:
    for line in TABLE.read_text("utf-8").splitlines():
        if not line.startswith(("#", "start")):
            yield tuple(cell.strip() for cell in line.split("|"))


def read(start: str, days: str, pauses: str, extension: str, own: str) -> tuple[Term, dict[date, bool]]:
    stops = [pause.split(">") for pause in pauses.split()]
    stopped: tuple[Pause, ...] = tuple((day(begun), day(ended) if ended else None) for begun, ended in stops)
    return Term(day(start), int(days), stopped, int(extension)), {day(o[:-1]): o[-1] == "+" for o in own.split()}


GOLDEN = list(rows())


def test_the_table_is_whole() -> None:
    assert len(GOLDEN) >= 60
    assert len({row[:5] for row in GOLDEN}) == len(GOLDEN), "no case twice"
    assert all(row[6] for row in GOLDEN), "every row says why"


@pytest.mark.parametrize("row", GOLDEN, ids=lambda row: "_".join(row[:5]).replace(" ", "_"))
def test_counted_by_hand(row: tuple[str, ...]) -> None:
    term, own = read(*row[:5])
    found = due(term, WorkCalendar(own))
    said = "-" if found is None else ("~" if found.provisional else "") + found.date.isoformat()
    assert said == row[5], row[6]
    slow = slow_due(term, own)
    assert (slow.isoformat() if slow else "-") == row[5].lstrip("~"), "the hand against the slow counter"


starts = st.dates(date(2024, 1, 2), date(2026, 9, 1))
pauses = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 30) | st.none()), max_size=4
)  # days after the start, and how long


@settings(max_examples=400, deadline=None)
@given(starts, st.integers(0, 30), pauses, st.integers(0, 10))
def test_two_counters_agree(start: date, days: int, stops: list[tuple[int, int | None]], extension: int) -> None:
    stopped = tuple(
        (start + timedelta(after), None if long is None else start + timedelta(after + long)) for after, long in stops
    )
    term = Term(start, days, stopped, extension)
    found = due(term, WorkCalendar())
    assert (found.date if found else None) == slow_due(term, {})


@settings(max_examples=200, deadline=None)
@given(starts, st.integers(1, 30), pauses, st.integers(0, 60))
def test_what_is_spent_and_what_is_left_make_the_term(
    start: date, days: int, stops: list[tuple[int, int | None]], later: int
) -> None:
    """On every day before the end: spent + left = promised, when no pause is still to come."""
    today = start + timedelta(later)
    stopped = tuple(
        (start + timedelta(after), start + timedelta(after + long))
        for after, long in stops
        if long is not None and after + long <= later
    )
    term, calendar = Term(start, days, stopped), WorkCalendar()
    found = due(term, calendar)
    assert found
    if today <= found.date:
        assert spent(term, today, calendar) + calendar.workdays_between(today, found.date) == days


def test_a_term_is_stored_and_read() -> None:
    term = Term(day("2026-11-20"), 5, ((day("2026-11-23"), None),), 2, "联办件", bound=False)
    assert Term.from_doc(term.to_doc()) == term


FRIDAY = Term(day("2026-11-20"), 3)


@pytest.mark.parametrize(
    ("term", "today", "level", "words"),
    [
        (FRIDAY, "2026-11-20", "normal", "还剩 3 个工作日"),
        (FRIDAY, "2026-11-23", "normal", "还剩 2 个工作日"),
        (FRIDAY, "2026-11-24", "near", "还剩 1 个工作日"),
        (FRIDAY, "2026-11-25", "today", "今天到期"),
        (FRIDAY, "2026-11-26", "yellow", "黄牌：超期 1 个工作日"),
        (FRIDAY, "2026-11-30", "yellow", "黄牌：超期 3 个工作日"),
        (FRIDAY, "2026-12-01", "red", "红牌：超期 4 个工作日"),
        (FRIDAY, "2027-02-01", "red", "红牌：超期 47 个工作日"),
        (Term(day("2026-11-17"), 3), "2026-11-21", "over", "已过期限"),  # due on a Friday: no working day is over
        (Term(day("2026-11-17"), 3), "2026-11-23", "yellow", "黄牌：超期 1 个工作日"),
        (Term(day("2026-11-20"), 0), "2026-11-20", "today", "今天到期"),
        (Term(day("2026-11-20"), 3, ((day("2026-11-23"), None),)), "2026-12-20", "paused", "已暂停计时"),
        (Term(day("2026-11-20"), 3, ((day("2026-11-27"), None),)), "2026-12-20", "yellow", "黄牌：超期 17 个工作日"),
        (Term(day("2026-11-20"), 3, (), 2), "2026-11-26", "near", "还剩 1 个工作日"),
        (Term(day("2026-11-20"), 3, (), 2), "2026-11-30", "yellow", "黄牌：超期 1 个工作日"),
        (Term(day("2026-11-20"), 3, bound=False), "2027-11-26", "none", "不计时限"),
        (Term(day("2026-12-31"), 1), "2026-12-31", "near", "还剩 1 个工作日（暂定）"),
    ],
)
def test_how_a_term_stands(term: Term, today: str, level: str, words: str) -> None:
    found = standing(term, None, day(today), WorkCalendar())
    assert (found.level, found.words) == (level, words)
    assert found.level in SHOWN_AS


@pytest.mark.parametrize(
    ("ended", "level", "words"),
    [
        ("2026-11-23", "early", "提前 2 个工作日办结"),
        ("2026-11-25", "on_time", "按期办结"),
        ("2026-11-26", "late", "超期 1 个工作日办结"),
    ],
)
def test_how_a_term_ended(ended: str, level: str, words: str) -> None:
    found = standing(FRIDAY, day(ended), day("2027-06-01"), WorkCalendar())
    assert (found.level, found.words) == (level, words)


def test_an_end_on_the_weekend_after_the_last_day_is_late_without_a_number() -> None:
    found = standing(Term(day("2026-11-17"), 3), day("2026-11-21"), day("2026-11-21"), WorkCalendar())
    assert (found.level, found.words) == ("late", "已过期限办结")


def test_an_end_on_the_weekend_before_the_last_day_has_its_day_left() -> None:
    found = standing(Term(day("2026-11-20"), 1), day("2026-11-21"), day("2026-11-21"), WorkCalendar())
    assert found.level == "early"


def test_the_cards_move_with_extensions_and_stand_still_in_pauses() -> None:
    plain = standing(FRIDAY, None, day("2026-11-20"), WorkCalendar())
    assert (plain.yellow_on, plain.red_on) == (day("2026-11-26"), day("2026-12-01"))
    longer = standing(Term(FRIDAY.start, 3, (), 2), None, day("2026-11-20"), WorkCalendar())
    assert (longer.yellow_on, longer.red_on) == (day("2026-11-30"), day("2026-12-03"))
    late = Term(FRIDAY.start, 3, ((day("2026-11-26"), day("2026-12-07")),))
    stood = standing(late, None, day("2026-12-07"), WorkCalendar())
    assert (stood.level, stood.yellow_on, stood.red_on) == ("yellow", day("2026-11-26"), day("2026-12-10"))
    now = standing(Term(FRIDAY.start, 3, ((day("2026-11-26"), None),)), None, day("2027-01-20"), WorkCalendar())
    assert (now.level, now.red_on) == ("yellow", None), "a card is not given while the clock stands"


@pytest.mark.parametrize(("grace", "level"), [(1, "red"), (2, "yellow")])
def test_the_grace_is_set(grace: int, level: str) -> None:
    assert standing(FRIDAY, None, day("2026-11-27"), WorkCalendar(), red_grace=grace).level == level


@settings(max_examples=100, deadline=None)
@given(starts, st.integers(0, 15), st.integers(0, 60))
def test_levels_only_rise(start: date, days: int, later: int) -> None:
    order = ["normal", "near", "today", "over", "yellow", "red"]
    term = Term(start, days)
    levels = [standing(term, None, start + timedelta(n), WorkCalendar()).level for n in (later, later + 1)]
    assert order.index(levels[0]) <= order.index(levels[1])
