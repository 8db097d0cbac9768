"""Working days: the published calendar, the office's own table over it, and an honest guess beyond.

The State Council publishes the days of a year in October or November of the year before. Until then a
due date that reaches into the year is provisional (暂定) and is counted again when the notice arrives.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from modules.common.errors import GovDeskError
from modules.common.text import RESOURCES, tr

_DAY = timedelta(days=1)
_FIXED = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})
"""Statutory days of the solar calendar (全国年节及纪念日放假办法, as of 2025-01-01, article 2)."""
_LONGEST = 3650
"""Days that a term may run over before the table of the office must be wrong."""


@dataclass(frozen=True, slots=True)
class Due:
    """The last day of a term. ``provisional`` (暂定): days of an unpublished year were counted."""

    date: date
    provisional: bool


@cache
def _published() -> tuple[frozenset[date], frozenset[date], int, int]:
    """Holidays, worked weekends, first and last published year."""
    from chinese_calendar import holidays, workdays

    return frozenset(holidays), frozenset(workdays), min(holidays).year, max(holidays).year


@cache
def _lunar() -> frozenset[date]:
    """Statutory days of the lunar calendar in years that are not yet published."""
    years = json.loads((RESOURCES / "calendars" / "lunar_statutory.json").read_text("utf-8"))["years"]
    return frozenset(date.fromisoformat(day) for days in years.values() for day in days)


class WorkCalendar:
    """Says which days are worked. ``overrides`` maps the office's own days to whether they are worked."""

    def __init__(self, overrides: Mapping[date, bool] | None = None) -> None:
        self._own = dict(overrides or {})

    @classmethod
    def from_documents(cls, documents: Iterable[Mapping[str, Any]]) -> WorkCalendar:
        """From ``calendar_day`` documents ``{"date": "2026-11-23", "workday": false, "name": …}``; what was taken out
        of use (``"state": "removed"``) counts no more.

        Raises ``GovDeskError`` CAL-001 when a document does not say a day.
        """
        own = {}
        for document in documents:
            if document.get("state") == "removed":
                continue
            try:
                day = date.fromisoformat(document["date"])
                worked = document["workday"]
            except (KeyError, TypeError, ValueError) as error:
                raise _unreadable(document) from error
            if not isinstance(worked, bool):
                raise _unreadable(document)
            own[day] = worked
        return cls(own)

    def is_known(self, day: date) -> bool:
        """Whether the day is settled: published, or in the office's own table."""
        _, _, first, last = _published()
        return day in self._own or first <= day.year <= last

    def is_workday(self, day: date) -> bool:
        """Whether ``day`` is worked; a guess when ``is_known`` says no."""
        if day in self._own:
            return self._own[day]
        holidays, weekends, first, last = _published()
        if first <= day.year <= last:
            return day in weekends or (day.weekday() < 5 and day not in holidays)
        return day.weekday() < 5 and (day.month, day.day) not in _FIXED and day not in _lunar()

    def add_workdays(self, start: date, n: int) -> Due:
        """The day on which a term of ``n`` working days ends. ``start`` is day 0, the next working day day 1.

        Raises ``ValueError`` for a negative term, ``GovDeskError`` CAL-002 when it never ends.
        """
        if n < 0:
            raise ValueError(f"a term of {n} working days")
        day, left, provisional = start, n, False
        while left:
            if (day - start).days > _LONGEST:
                raise GovDeskError(
                    "CAL-002", tr("工作日历中十年内没有足够的工作日。"), fix=tr("请系统管理员检查节假日表。")
                )
            day += _DAY
            provisional = provisional or not self.is_known(day)
            left -= self.is_workday(day)
        return Due(day, provisional)

    def workdays_between(self, start: date, end: date) -> int:
        """Working days after ``start`` up to and with ``end``; negative when ``end`` is the earlier."""
        if end < start:
            return -self.workdays_between(end, start)
        return sum(self.is_workday(start + _DAY * offset) for offset in range(1, (end - start).days + 1))


def _unreadable(document: Mapping[str, Any]) -> GovDeskError:
    return GovDeskError("CAL-001", tr("节假日表中有一项无法读取：{entry}", entry=str(document)[:80]))
