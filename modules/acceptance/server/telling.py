"""Notices that are no cards: a step whose own days run out, an urge, an answer about the knowledge base.

Each has a name that is its own for ever, so that a round that was killed, or ran twice, tells nobody twice.
Requirements C31, D16, D17.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from modules.acceptance.domain import knowledge
from modules.acceptance.domain.cases import KIND, RUNNING, day_of, step_due, whole
from modules.acceptance.server.jobs import Roles, calendar_of, documents, each, send, today_of
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.server_ports import ServerServices
from modules.common.text import tr
from modules.common.workflow import SUSPENDED, step_of

OLD = timedelta(days=14)
"""What was said longer ago is no news to anybody, also where this job never ran before."""


def tell(services: ServerServices) -> None:
    """Tell whom it concerns; every minute."""
    today, calendar = today_of(services), calendar_of(services.commands)
    roles = Roles(services.people)

    def look(doc: Doc) -> None:
        case = whole(doc)
        _tell_step(services, case, roles, today, calendar)
        for urge in case["urges"]:
            if today - day_of(urge["at"]) <= OLD:
                _tell_urge(services, case, urge, roles)

    each(documents(services.commands, KIND, RUNNING), look)
    for request in documents(services.commands, knowledge.REQUEST_KIND, (knowledge.ANSWERED,)):
        if today - day_of(request["answered_at"]) <= OLD:
            _tell_answer(services, request)


def _tell_step(services: ServerServices, case: Doc, roles: Roles, today: date, calendar: WorkCalendar) -> None:
    due = step_due(case, calendar)
    if due is None or case["flow"]["status"] == SUSPENDED or calendar.add_workdays(today, 1).date < due:
        return
    late = today > due
    flow = case["flow"]
    name = f"step-{'late' if late else 'near'}:{case['id']}:{flow['visit']}:{due.isoformat()}"
    words = tr(
        "{case}：环节“{step}”应在 {due} 前办完", case=_case(case), step=step_of(flow)["name"], due=due.isoformat()
    )
    words = tr("{words}，已超过。", words=words) if late else tr("{words}。", words=words)
    to = [*roles.handlers(case), *(roles.heads(case) if late else ())]
    _send(services, name, to, tr("环节超时") if late else tr("环节时限提醒"), words, f"{KIND}:{case['id']}")


def _tell_urge(services: ServerServices, case: Doc, urge: Doc, roles: Roles) -> None:
    by = urge["by"]
    to = [person for person in roles.handlers(case) if person["id"] != by["id"]]
    said = tr("{case}：{name}催办", case=_case(case), name=by["name"])
    words = tr("{said}：{text}", said=said, text=urge["text"]) if urge["text"] else tr("{words}。", words=said)
    _send(services, f"urge:{case['id']}:{urge['at']}:{by['id']}", to, tr("催办"), words, f"{KIND}:{case['id']}")


def _tell_answer(services: ServerServices, request: Doc) -> None:
    words = tr(
        "您反馈的“{asked}”已由{name}答复：{answer}",
        asked=request["text"][:60],
        name=request["answered_by"]["name"],
        answer=request["answer"],
    )
    to = [request["asked_by"]]
    link = f"{knowledge.REQUEST_KIND}:{request['id']}"
    _send(services, f"answer:{request['id']}", to, tr("知识库答复"), words, link)


def _send(
    services: ServerServices, name: str, to: Iterable[Mapping[str, str]], title: str, text: str, link: str
) -> None:
    for id in {person["id"]: None for person in to}:
        send(services, name, id, title, text, link)


def _case(case: Doc) -> str:
    return f"{case['number']} {case['applicant']['name']} · {case['item']['name']}"
