"""From a command and its body to the service's method for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from client.kernel.ports import Record
from modules.acceptance.domain.cases import (
    ASK_MORE,
    CLOSE,
    COLLECT,
    DECLINE,
    HAND_OVER,
    INVITE,
    ISSUE,
    SCAN,
    SUPPLY,
    SUPPLY_LACKING,
    TAKE_OVER,
    TRANSFER,
    WITHDRAW,
)
from modules.acceptance.services.case_desk import CaseDesk

Body = Mapping[str, Any]
_GIVES: Mapping[str, Callable[[CaseDesk, str, Body], Record]] = {
    INVITE: lambda desk, case, body: desk.invite(case, body.get("text", "")),
    ASK_MORE: lambda desk, case, body: desk.ask_more(case, body["items"]),
    SUPPLY: lambda desk, case, body: desk.supply(case),
    DECLINE: lambda desk, case, body: desk.decline_case(case, body["ground"], body["text"], body["seen"]),
    SUPPLY_LACKING: lambda desk, case, body: desk.supply_lacking(case, body["materials"]),
    TRANSFER: lambda desk, case, body: desk.transfer(case, body["department_id"], body["reason"]),
    WITHDRAW: lambda desk, case, body: desk.withdraw(case, body["reason"]),
    SCAN: lambda desk, case, body: desk.scan(case, body["node"]),
    HAND_OVER: lambda desk, case, body: desk.hand_over(case, body["to"], body["materials"]),
    TAKE_OVER: lambda desk, case, body: desk.take_over(case, body["id"]),
    ISSUE: lambda desk, case, body: desk.issue(case, body["kind"], body["number"]),
    COLLECT: lambda desk, case, body: desk.collect(
        case, body["method"], body["by"], body.get("id_number", ""), body.get("tracking", "")
    ),
    CLOSE: lambda desk, case, body: desk.close(case),
}


def give(desk: CaseDesk, case_id: str, command: str, body: Body, visit: int) -> Record:
    """Give a command, on lane ``data``. ``visit`` is what was seen of the approval, so that who comes second is told.

    Raises ``Refused``.
    """
    if handler := _GIVES.get(command):
        return handler(desk, case_id, body)
    return desk.verb(case_id, command.removeprefix("case."), {"visit": visit, **body})
