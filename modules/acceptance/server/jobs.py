"""The scheduler's rounds over the cases: reminders and cards, dates counted anew, materials that never came.

Every step looks for itself whether there is reason, and bears a name that is its own for ever: a round that was
killed in the middle is simply made again. Notices go out before the card that they speak of, so that no card is
ever given unspoken. Requirements C28, C30, D14–D17, E6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from modules.acceptance.domain.cases import (
    ACCEPTED,
    CARD,
    DECIDED,
    KIND,
    LAPSE,
    RECOUNT,
    REMINDER,
    RUNNING,
    card_name,
    cards_due,
    overdue_gaps,
    standing_of,
    whole,
)
from modules.common import notices
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import CHINA
from modules.common.errors import Refused
from modules.common.permissions import SYSTEM
from modules.common.server_ports import People, PersonView, ServerCommands, ServerServices
from modules.common.text import tr
from modules.common.workflow import open_slots

PAGE = 500
AHEAD = timedelta(days=31)
"""How far ahead of its end a term may ask for a reminder, long holidays included."""
HANDLER, HEAD, LEADER, ADMIN = "承办人", "科室负责人", "主管领导", "系统管理员"


def cards(services: ServerServices) -> None:
    """Give every reminder, yellow and red card that is due today; every minute."""
    commands = services.commands
    today, calendar = today_of(services), calendar_of(commands)
    roles = Roles(services.people)

    def look(doc: Doc) -> None:
        case = whole(doc)
        for level in cards_due(case, today, calendar):
            _give_card(services, case, level, roles.of(case, level), today, calendar)

    each(documents(commands, KIND, (ACCEPTED, DECIDED), until=today + AHEAD), look)


def rounds(services: ServerServices) -> None:
    """Count dates anew after the holiday table has changed, and let lapse what was lacking too long; every ten."""
    commands = services.commands
    today, calendar = today_of(services), calendar_of(commands)

    def look(doc: Doc) -> None:
        case = whole(doc)
        standing = standing_of(case, today, calendar)
        due = standing.due if standing else None
        if due and (due.date.isoformat(), due.provisional) != (case["due"]["date"], case["due"]["provisional"]):
            _try(commands, case["id"], RECOUNT, {})
        if overdue_gaps(case, today):
            _try(commands, case["id"], LAPSE, {})

    each(documents(commands, KIND, RUNNING), look)


def each(cases: Iterator[Doc], look: Callable[[Doc], None]) -> None:
    """Look at every case, also behind one at which the round breaks, such as a term that no calendar can end.

    Raises the first error when all have had their turn, so that the scheduler records it.
    """
    first: Exception | None = None
    for case in cases:
        try:
            look(case)
        except Exception as error:  # noqa: BLE001 - raised below: one case must not cost all others their cards
            first = first or error
    if first:
        raise first


def _give_card(
    services: ServerServices,
    case: Doc,
    level: str,
    to: Sequence[Mapping[str, str]],
    today: date,
    calendar: WorkCalendar,
) -> None:
    due = case["due"]["date"]
    name = f"{level}:{case['id']}:{due}"
    standing = standing_of(case, today, calendar)
    text = tr(
        "{number} {title}，应办结日期 {due}，{standing}。",
        number=case["number"],
        title=f"{case['applicant']['name']} · {case['item']['name']}",
        due=due,
        standing=standing.words if standing else "",
    )
    for person in to:
        send(services, name, person["id"], card_name(level), text, f"{KIND}:{case['id']}")
    _try(services.commands, case["id"], CARD, {"level": level, "to": [dict(person) for person in to]}, name)


def send(services: ServerServices, name: str, to: str, title: str, text: str, link: str) -> None:
    """Send the one notice that is called ``name`` to the person ``to``; nothing where it was sent before."""
    id = notices.notice_id(name, to)
    if services.commands.get(notices.KIND, id) is None:
        body = notices.notice(to, title, text, link, services.clock.now())
        services.commands.give(notices.KIND, id, notices.SEND, body, command_id=f"{name}:{to}")


def _try(commands: ServerCommands, id: str, type: str, body: Mapping[str, Any], name: str = "") -> None:
    try:
        commands.give(KIND, id, type, body, command_id=name)
    except Refused:
        # somebody was faster between the look and the deed: what they did stands, and the next round looks again
        return


class Roles:
    """Who is told, asked once per role and place in a round."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._known: dict[tuple[str, str, str], list[PersonView]] = {}

    def _with(self, role: str, department: str = "", hall: str = "") -> list[dict[str, str]]:
        key = (role, department, hall)
        if key not in self._known:
            self._known[key] = self._people.with_role(role, department_id=department, hall_id=hall)
        return [{"id": view.id, "name": view.name} for view in self._known[key]]

    def of(self, case: Doc, level: str) -> list[dict[str, str]]:
        """Handlers and section heads for a reminder; the four roles for a card. Everybody once, in the first role."""
        department = case["item"]["department_id"]
        found = [(HANDLER, self.handlers(case)), (HEAD, self.heads(case))]
        if level != REMINDER:
            found += [(LEADER, self._with("leader", department)), (ADMIN, self._with("sysadmin"))]
        told: dict[str, dict[str, str]] = {}
        for role, persons in found:
            for person in persons:
                told.setdefault(person["id"], {**person, "role": role})
        return list(told.values())

    def heads(self, case: Doc) -> list[dict[str, str]]:
        """The section heads of the item's department."""
        return self._with("section_head", case["item"]["department_id"])

    def handlers(self, case: Doc) -> list[dict[str, str]]:
        """The holders of the current step, or else whoever handled the case last."""
        holding: list[dict[str, str]] = []
        for slot in open_slots(case["flow"]) if case["flow"] else ():
            who = slot["who"]
            if "person" in who:
                holding.append({"id": who["person"]["id"], "name": who["person"]["name"]})
            else:
                place = {key: who[key]["id"] for key in ("department", "hall") if key in who}
                holding += self._with(who["role"], **place)
            if slot["acting"]:
                holding.append(dict(slot["acting"]["by"]))
        if holding:
            return holding
        last = next((line["by"] for line in reversed(case["history"]) if line["by"]["id"] != SYSTEM.id), None)
        return [dict(last)] if last else []


def today_of(services: ServerServices) -> date:
    return services.clock.now().astimezone(CHINA).date()


def calendar_of(commands: ServerCommands) -> WorkCalendar:
    return WorkCalendar.from_documents(documents(commands, "calendar_day", ()))


def documents(
    commands: ServerCommands, kind: str, states: Sequence[str], *, until: date | None = None
) -> Iterator[Doc]:
    """Every document, page by page: what is changed on the way is met once, with what it was or what it is."""
    after = ""
    while True:
        page = commands.find(kind, states=states, due_until=until, after=after, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = str(page[-1].get("id") or page[-1]["date"])
