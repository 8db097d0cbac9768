"""Terms in working days: pauses, extensions, cards, and how a case stands on a day.

One rule decides every day: it belongs to the state in which it began. The day of acceptance began before the
term, so that the next working day is day 1; the day of a suspension began with the clock running, so it
counts; the day of taking up again began in the pause, so it does not. A step that is not bound by the term
(特别程序, such as an expert review) is a pause like any other.

Requirements C29, C32, D02, D11, D15–D17, D19, E6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from modules.common.calendar import Due, WorkCalendar
from modules.common.text import tr

IMMEDIATE, PROMISED, JOINT = "即办件", "承诺件", "联办件"
YELLOW_AFTER, RED_GRACE, REMIND_BEFORE = 1, 3, 1
"""Working days: past the promise to the yellow card (E6), from yellow to red, and before the end to a reminder."""

NONE, NORMAL, NEAR, TODAY, OVER, YELLOW, RED, PAUSED = (
    "none",
    "normal",
    "near",
    "today",
    "over",
    "yellow",
    "red",
    "paused",
)
EARLY, ON_TIME, LATE = "early", "on_time", "late"
SHOWN_AS: Mapping[str, str] = {
    NONE: "info",
    NORMAL: "info",
    NEAR: "due",
    TODAY: "due",
    OVER: "yellow",
    YELLOW: "yellow",
    RED: "red",
    PAUSED: "paused",
    EARLY: "good",
    ON_TIME: "good",
    LATE: "red",
}
"""A level's state in the theme: colour and shape; the words are the standing's own."""

Pause = tuple[date, date | None]
"""The day on which the clock was stopped and the day on which it was started again, or None while it stands."""


@dataclass(frozen=True, slots=True)
class Term:
    """A promise: ``days`` working days after ``start``; ``extension`` was granted on top.

    ``kind`` is the item's (即办件, 承诺件, 联办件) and for words only: what is done at once has 0 days, and a joint
    case has one term for all its departments. A term that is not ``bound`` has no end.
    """

    start: date
    days: int
    pauses: tuple[Pause, ...] = ()
    extension: int = 0
    kind: str = PROMISED
    bound: bool = True

    @classmethod
    def from_doc(cls, doc: Mapping[str, Any]) -> Term:
        """The term that ``to_doc`` wrote."""
        return cls(
            date.fromisoformat(doc["start"]),
            doc["days"],
            tuple(
                (date.fromisoformat(pause["from"]), date.fromisoformat(pause["until"]) if pause["until"] else None)
                for pause in doc["pauses"]
            ),
            doc["extension"],
            doc["kind"],
            doc["bound"],
        )

    def to_doc(self) -> dict[str, Any]:
        """``{start, days, pauses: [{from, until}], extension, kind, bound}``, days as ISO text."""
        return {
            "start": self.start.isoformat(),
            "days": self.days,
            "pauses": [
                {"from": begun.isoformat(), "until": ended.isoformat() if ended else None}
                for begun, ended in self.pauses
            ],
            "extension": self.extension,
            "kind": self.kind,
            "bound": self.bound,
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """How a term stands on a day. ``days_left`` is negative past the end; dates are None while nobody can know them."""

    level: str
    days_left: int | None
    due: Due | None
    yellow_on: date | None
    red_on: date | None
    words: str

    @property
    def shown_as(self) -> str:
        """The state of the theme: ``good``, ``due``, ``yellow``, ``red``, ``paused``, ``info``."""
        return SHOWN_AS[self.level]


def due(term: Term, calendar: WorkCalendar) -> Due | None:
    """The last day of ``term``; None while it is not bound or paused before its end. Raises CAL-002 as the calendar."""
    return _reached(term, term.days + term.extension, calendar)


def spent(term: Term, today: date, calendar: WorkCalendar) -> int:
    """Working days of the term that have gone by ``today``, pauses left out."""
    gone, day = 0, term.start
    for begun, ended in (*sorted(term.pauses, key=_begun), (today, today)):
        begun = min(max(begun, day), max(today, day))
        gone += calendar.workdays_between(day, begun)
        day = max(day, ended or today)
    return gone


def standing(
    term: Term,
    ended_on: date | None,
    today: date,
    calendar: WorkCalendar,
    *,
    yellow_after: int = YELLOW_AFTER,
    red_grace: int = RED_GRACE,
    remind_before: int = REMIND_BEFORE,
) -> Standing:
    """How ``term`` stands on ``today``, or how it ended on ``ended_on``.

    The yellow card falls ``yellow_after`` counted working days past the end, the red one ``red_grace`` after it:
    both move with extensions and stand still in a pause. A term that had run out before it was paused stays late.
    """
    end = due(term, calendar)
    if end is None:
        if not term.bound or ended_on:
            return Standing(NONE, None, None, None, None, tr("不计时限"))
        return Standing(PAUSED, None, None, None, None, tr("已暂停计时"))
    whole = term.days + term.extension
    yellow, red = (_reached(term, whole + more, calendar) for more in (yellow_after, yellow_after + red_grace))
    yellow_on, red_on = (point.date if point else None for point in (yellow, red))
    day = ended_on or today
    left = calendar.workdays_between(day, end.date)
    level = _level(day, end.date, left, yellow_on, red_on, remind_before)
    if ended_on:
        level = EARLY if day < end.date and left else ON_TIME if day <= end.date else LATE
    words = _words(level, left)
    return Standing(level, left, end, yellow_on, red_on, words + tr("（暂定）") if end.provisional else words)


def _level(day: date, end: date, left: int, yellow_on: date | None, red_on: date | None, remind_before: int) -> str:
    if red_on and day >= red_on:
        return RED
    if yellow_on and day >= yellow_on:
        return YELLOW
    if day > end:
        return OVER
    if left == 0:
        return TODAY
    return NEAR if left <= remind_before else NORMAL


def _words(level: str, left: int) -> str:
    match level:
        case "red":
            return tr("红牌：超期 {n} 个工作日", n=-left)
        case "yellow":
            return tr("黄牌：超期 {n} 个工作日", n=-left)
        case "over":
            return tr("超期 {n} 个工作日", n=-left) if left else tr("已过期限")
        case "today":
            return tr("今天到期")
        case "early":
            return tr("提前 {n} 个工作日办结", n=left)
        case "on_time":
            return tr("按期办结")
        case "late":
            return tr("超期 {n} 个工作日办结", n=-left) if left else tr("已过期限办结")
        case _:
            return tr("还剩 {n} 个工作日", n=left)


def _begun(pause: Pause) -> date:
    return pause[0]


def _reached(term: Term, n: int, calendar: WorkCalendar) -> Due | None:
    """The day on which ``n`` working days of the term have gone; None when a pause without an end comes first."""
    if not term.bound:
        return None
    day, left, provisional = term.start, n, False
    for begun, ended in sorted(term.pauses, key=_begun):
        begun = max(begun, day)
        worked = calendar.workdays_between(day, begun)
        if worked >= left:
            break
        if ended is None:
            return None
        left -= worked
        provisional = provisional or not all(
            calendar.is_known(day + timedelta(offset)) for offset in range(1, (begun - day).days + 1)
        )
        day = max(begun, ended)
    found = calendar.add_workdays(day, left)
    return Due(found.date, provisional or found.provisional)
