"""How much of a to-do (待办) waits: as the store counts it, or looked at one by one where a signature decides."""

from __future__ import annotations

from datetime import timedelta

from client.kernel.contract import Host
from client.kernel.ports import Records, Session
from modules.common.clock import CHINA, Clock
from modules.common.manifest import Todo

MOST = 1000
"""Records that are looked at one by one; nobody has more to sign at once."""


def waiting(host: Host, todo: Todo) -> int:
    """How many records of a to-do wait for the person. Lane ``read``."""
    records = host.service(Records)  # type: ignore[type-abstract]
    clock = host.service(Clock)  # type: ignore[type-abstract]
    if todo.mine:
        return _signed_by_me(host, records, clock, todo)
    if not todo.overdue:
        return records.count(todo.kind, states=todo.states)
    yesterday = clock.now().astimezone(CHINA).date() - timedelta(1)
    return records.count(todo.kind, states=todo.states, due=yesterday)


def _signed_by_me(host: Host, records: Records, clock: Clock, todo: Todo) -> int:
    """Those whose approval the person may sign now, in their own place or in that of who delegated to them."""
    from modules.common import workflow  # what signs nothing need not load it

    actor, now = host.service(Session).actor, clock.now()  # type: ignore[type-abstract]
    held = {
        (workflow.DELEGATION_KIND, record.id): record.doc
        for record in records.find(workflow.DELEGATION_KIND, states=("active",), limit=MOST)
        if record.doc["to"]["id"] == actor.id
    }
    flows = (record.doc.get("flow") for record in records.find(todo.kind, states=todo.states, limit=MOST))
    return sum(workflow.waits_for(flow, actor, now, held) for flow in flows if flow is not None)
