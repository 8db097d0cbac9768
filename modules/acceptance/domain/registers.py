"""What administrators keep by hand: dictionaries, the office's own days, addresses of the house.

``dictionary``: ``{id, name, entries: [{value, text, removed?}, …]}``; ``case-monitoring`` beside it the numbers
``remind_before`` and ``red_grace`` (working days). ``calendar_day``: ``{date, workday, name}``, its id is the date.
``organisation``: halls and departments as the operator enrolled them, of which ``phone``, ``address`` and ``hours``
are kept here. What is removed stays (``modules.common.register``).
Requirements C18, D12, E6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from modules.acceptance.domain.cases import standing_of, whole
from modules.acceptance.domain.windows import MAY_ADMIN, offers
from modules.common.aggregate import Command, Context, Doc, Event, Summary
from modules.common.calendar import WorkCalendar
from modules.common.errors import Refusal
from modules.common.forms import as_date
from modules.common.register import ACTIVE, KEPT_BY_US, REMOVED, Register, for_everyone, make_register
from modules.common.text import tr

DICTIONARY_KIND, DAY_KIND, ORGANISATION_KIND = "dictionary", "calendar_day", "organisation"
MONITORING_ID = "case-monitoring"
NUMBERS: Mapping[str, tuple[int, int]] = {"remind_before": (0, 30), "red_grace": (0, 30)}
"""The numbers of ``case-monitoring``, each from and to."""
LONGEST_NAME, LONGEST_VALUE, LONGEST_TEXT = 40, 64, 200
LONGEST_RANGE = 31
"""Days that one line of a list of days may cover."""
YEARS = (2000, 2099)


# -- dictionaries ---------------------------------------------------------------------------------


def _dictionary_faults(record: Doc, context: Context) -> Mapping[str, str]:
    faults = {}
    name = record.get("name")
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= LONGEST_NAME:
        faults["name"] = tr("请填写字典名称，最多 {n} 个字。", n=LONGEST_NAME)
    if words := _entries_fault(record.get("entries")):
        faults["entries"] = words
    for key, (low, high) in NUMBERS.items():
        number = record.get(key)
        if record["id"] == MONITORING_ID and (type(number) is not int or not low <= number <= high):
            faults[key] = tr("请填写 {low} 至 {high} 的整数。", low=low, high=high)
    return faults


def _entries_fault(entries: object) -> str:
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        return tr("字典条目填写有误。")
    seen = set()
    for place, entry in enumerate(entries, 1):
        value, text = entry.get("value"), entry.get("text")
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= LONGEST_VALUE:
            return tr("第 {place} 条没有代码，或超过 {n} 个字。", place=place, n=LONGEST_VALUE)
        if not isinstance(text, str) or not 1 <= len(text.strip()) <= LONGEST_TEXT:
            return tr("第 {place} 条没有内容，或超过 {n} 个字。", place=place, n=LONGEST_TEXT)
        if not isinstance(entry.get("removed", False), bool):
            return tr("字典条目填写有误。")
        if value in seen:
            return tr("代码“{value}”重复。", value=value)
        seen.add(value)
    return ""


def _dictionary_summary(doc: Doc) -> Summary:
    words = " ".join(str(entry["text"]) for entry in doc.get("entries", ()))
    return Summary(str(doc.get("name", "")), str(doc.get("state", ACTIVE)), search=f"{doc.get('name', '')} {words}")


DICTIONARY = make_register(
    DICTIONARY_KIND, permission=MAY_ADMIN, summary=_dictionary_summary, validate=_dictionary_faults
)


# -- days -----------------------------------------------------------------------------------------


def _day_faults(record: Doc, context: Context) -> Mapping[str, str]:
    faults = {}
    if record.get("date") != record["id"] or _day(record["id"]) is None:
        faults["date"] = tr("请填写日期，如 2027-01-01。")
    if not isinstance(record.get("workday"), bool):
        faults["workday"] = tr("请选择休息或上班。")
    name = record.get("name")
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= LONGEST_NAME:
        faults["name"] = tr("请填写名称，最多 {n} 个字。", n=LONGEST_NAME)
    return faults


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text and YEARS[0] <= day.year <= YEARS[1] else None


def _day_summary(doc: Doc) -> Summary:
    return Summary(str(doc["name"]), str(doc.get("state", ACTIVE)), str(doc["date"]))


CALENDAR_DAY = make_register(DAY_KIND, permission=MAY_ADMIN, summary=_day_summary, validate=_day_faults)


def day_kind_name(workday: bool) -> str:
    """What a day is, in a word."""
    return tr("上班") if workday else tr("休息")


@dataclass(frozen=True, slots=True)
class DayFault:
    """What is wrong with a line of a list of days; ``row`` counts from 1."""

    row: int
    text: str
    words: str


_OFF = frozenset({"休", "休息", "放假", "假", "假日"})
_ON = frozenset({"班", "上班", "补班", "工作", "工作日"})
_RANGE = re.compile(r"\s*(?:至|到|~|～|—+|－|--)\s*")
_HEAD = re.compile(
    r"([0-9年月日./-]+(?:\s*(?:至|到|~|～|—+|－|--)\s*[0-9年月日./-]+)?)[\s,，、\t]+(\S+?)[\s,，、\t]+(.+)"
)


def read_days(text: str) -> tuple[list[Doc], list[DayFault]]:
    """The days of a list, one line each: ``2027-01-01 休 元旦``, ``2027-02-06 至 2027-02-12 放假 春节``.

    Returns ``{date, workday, name}`` by date, and what is wrong with the lines that are none.
    """
    days: dict[str, Doc] = {}
    faults = []
    for row, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = _line(line.strip())
        if isinstance(found, str):
            faults.append(DayFault(row, line.strip(), found))
            continue
        double = [str(day["date"]) for day in found if day["date"] in days]
        if double:
            faults.append(DayFault(row, line.strip(), tr("{day} 前面已经有了。", day=double[0])))
        else:
            days |= {day["date"]: day for day in found}
    return [days[key] for key in sorted(days)], faults


def _line(line: str) -> list[Doc] | str:
    match = _HEAD.fullmatch(line)
    if match is None:
        return tr("应为：日期 休或班 名称，如“2027-01-01 休 元旦”。")
    ends = [_day(as_date(part.strip().replace(".", "-").replace("/", "-"))) for part in _RANGE.split(match[1])]
    first, last = ends[0], ends[-1]
    if first is None or last is None:
        return tr("日期“{text}”无法识别。", text=match[1])
    if not timedelta() <= last - first < timedelta(days=LONGEST_RANGE):
        return tr("起止日期颠倒，或超过 {n} 天。", n=LONGEST_RANGE)
    if match[2] not in _OFF | _ON:
        return tr("“{text}”看不出是休还是班。", text=match[2])
    if len(match[3]) > LONGEST_NAME:
        return tr("名称最多 {n} 个字。", n=LONGEST_NAME)
    return [
        {"date": (first + timedelta(days=n)).isoformat(), "workday": match[2] in _ON, "name": match[3]}
        for n in range((last - first).days + 1)
    ]


@dataclass(frozen=True, slots=True)
class Move:
    """A running case whose due date another table of days moves."""

    id: str
    number: str
    item: str
    before: date
    after: date


def with_days(documents: Iterable[Doc], put: Sequence[Doc], removed: Iterable[str] = ()) -> WorkCalendar:
    """The calendar of the office's days, as it would be with the days ``put`` and without those ``removed``."""
    own = {str(doc["date"]): doc for doc in documents} | {str(day["date"]): day for day in put}
    gone = frozenset(removed)
    return WorkCalendar.from_documents(doc for day, doc in own.items() if day not in gone)


def moves(cases: Iterable[Doc], today: date, before: WorkCalendar, after: WorkCalendar) -> list[Move]:
    """The cases whose due dates ``after`` counts to other days than ``before``, the earliest first."""
    found = []
    for doc in cases:
        case = whole(doc)
        old, new = standing_of(case, today, before), standing_of(case, today, after)
        if old and new and old.due and new.due and old.due.date != new.due.date:
            # whoever keeps the calendar runs the house and sees no cases: nobody's name
            found.append(Move(case["id"], case["number"], case["item"]["name"], old.due.date, new.due.date))
    return sorted(found, key=lambda move: (move.before, move.number))


# -- the house ------------------------------------------------------------------------------------

_KEPT = {"phone": 40, "address": 100, "hours": 100}


class Organisations(Register):
    """The aggregate ``organisation``: who there is says the operator; how to reach them is kept here."""

    __slots__ = ()

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if state is None or command.type != self.put:
            return Refusal("ACC-343", tr("大厅和部门由服务器管理员设立，这里只能修改电话、地址和办公时间。"))
        changed = {key: value for key, value in command.body.items() if key in _KEPT}
        body = {key: value for key, value in {**state, **changed}.items() if key not in KEPT_BY_US}
        return Register.decide(self, state, replace(command, body=body), context)


def _organisation_faults(record: Doc, context: Context) -> Mapping[str, str]:
    return {
        key: tr("最多 {n} 个字。", n=most)
        for key, most in _KEPT.items()
        if not isinstance(record.get(key, ""), str) or len(record.get(key, "")) > most
    }


def _organisation_summary(doc: Doc) -> Summary:
    return Summary(str(doc["name"]), str(doc.get("state", ACTIVE)))


ORGANISATION = Organisations(
    ORGANISATION_KIND, MAY_ADMIN, _organisation_summary, for_everyone, None, _organisation_faults
)


def in_use(doc: Doc) -> bool:
    """Whether a kept record is in use; one that only was published is."""
    return bool(doc.get("state", ACTIVE) != REMOVED)


# -- who serves what ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Served:
    """An item and the windows that handle it; ``staff`` are the ids of who sits there. ``why`` says what is amiss."""

    item: Doc
    windows: tuple[Doc, ...]
    staff: tuple[str, ...]
    why: str


def relations(items: Iterable[Doc], windows: Sequence[Doc], stopped: Iterable[str]) -> list[Served]:
    """Which windows handle which item (C18), what nobody handles first. ``stopped``: windows out of use today."""
    out = frozenset(stopped)
    rows = []
    for item in items:
        groups = item.get("window_groups") or [""]
        serving = tuple(window for window in windows if any(offers(window, item, str(group)) for group in groups))
        staff = tuple(dict.fromkeys(str(person) for window in serving for person in window["staff"]))
        why = ""
        if not serving:
            why = tr("没有窗口办理")
        elif all(window["id"] in out for window in serving):
            why = tr("办理的窗口都已停用")
        elif all(not window["staff"] for window in serving):
            why = tr("窗口没有排人")
        rows.append(Served(item, serving, staff, why))
    return sorted(rows, key=lambda row: (not row.why, str(row.item.get("department", "")), str(row.item["name"])))


def windows_of(person: str, windows: Iterable[Doc]) -> list[Doc]:
    """Where somebody sits."""
    return [window for window in windows if person in window["staff"]]


def cleaned(entries: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A dictionary's entries as they are kept: trimmed, and ``removed`` only where it is so."""
    return [
        {"value": str(entry["value"]).strip(), "text": str(entry["text"]).strip()}
        | ({"removed": True} if entry.get("removed") else {})
        for entry in entries
    ]
