"""A hall's day with windows that come and go offline: nothing is served twice unseen, every place has its reason."""

from __future__ import annotations

import pytest

from tests.support.queue_sim import Day, InventingDesk, Result, silent


def judged(result: Result) -> Result:
    print(result.words())  # noqa: T201 - the figures of the day are the point of the long form
    assert result.faults == []
    assert result.explained == result.calls - result.by_paper
    return result


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(2, 40))])
def test_a_morning_with_windows_offline(seed: int) -> None:
    result = judged(Day(seed, 8, 120).play())
    assert result.served > 80
    assert result.doubles, "a morning in which nothing met would prove nothing"


@pytest.mark.parametrize("seed", [101, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(102, 112))])
def test_a_day_of_twenty_windows_and_five_hundred_tickets(seed: int) -> None:
    result = judged(Day(seed, 20, 500).play())
    assert result.served > 400
    assert result.doubles > 5


def test_the_same_seed_plays_the_same_day() -> None:
    assert Day(3, 4, 40).play().words() == Day(3, 4, 40).play().words()


def test_a_server_that_takes_the_second_call_silently_is_caught() -> None:
    faults = Day(0, 8, 120, rules=silent).play().faults
    assert any("is not shown" in fault or "unseen" in fault for fault in faults)


def test_a_kiosk_that_invents_numbers_is_caught() -> None:
    faults = Day(9, 8, 120, kiosk_desk=InventingDesk).play().faults
    assert any("two people" in fault or "without a record" in fault for fault in faults)
