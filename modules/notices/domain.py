"""The rules of ``notice``: the server tells a person something; the person reads it, and puts it away.

A document is ``{id, to, title, text, link, at, state, read_at}``; ``state`` is ``unread``, ``read`` or
``dismissed``. To read twice, here and at another counter, is no fault. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import iso, parse_iso
from modules.common.errors import Refusal
from modules.common.notices import KIND, SEND
from modules.common.permissions import forbidden
from modules.common.text import tr

READ = "notice.read"
DISMISS = "notice.dismiss"
UNREAD, READ_STATE, DISMISSED = "unread", "read", "dismissed"


class NoticeRules:
    """See the module."""

    kind = KIND

    def refs(self, command: Command) -> Sequence[Key]:
        return ()

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if command.type == SEND:
            return _send(state, command, context)
        if command.type not in (READ, DISMISS):
            return Refusal("NOTE-005", tr("不认识的操作（{type}）。", type=command.type))
        if state is None:
            return Refusal("NOTE-002", tr("没有这条消息。"))
        if state["to"] != context.actor.id:
            return Refusal("NOTE-003", tr("这条消息不是发给您的。"))
        return [Event(command.type, {"at": iso(context.now)})]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        if event.type == SEND:
            return {**event.body, "state": UNREAD, "read_at": ""}
        before = dict(state or {})
        before["read_at"] = before["read_at"] or event.body["at"]
        if event.type == DISMISS:
            before["state"] = DISMISSED
        elif before["state"] == UNREAD:
            before["state"] = READ_STATE
        return before

    def summary(self, state: Doc) -> Summary:
        return Summary(state["title"], state["state"], search=state["text"])

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({f"person:{state['to']}"})


def _send(state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
    if not context.actor.may("system"):
        return forbidden("system")
    if state is not None:
        return Refusal("NOTE-001", tr("这条消息已经发出。"))
    body = {name: command.body.get(name, "") for name in ("to", "title", "text", "link", "at")}
    faults = {name: tr("必须填写。") for name in ("to", "title", "at") if not body[name]}
    faults |= {name: tr("应为文字。") for name, value in body.items() if not isinstance(value, str)}
    if not faults:
        try:
            parse_iso(body["at"])
        except ValueError:
            faults["at"] = tr("时间无法识别。")
    if faults:
        return Refusal("NOTE-004", tr("消息填写不完整。"), faults)
    return [Event(SEND, {"id": command.aggregate_id, **body})]


NOTICE = NoticeRules()


def link_of(notice: Doc) -> tuple[str, str]:
    """What a notice leads to: kind and id of a record, ``("page", <page id>)``, or two times nothing."""
    kind, _, id = str(notice["link"]).partition(":")
    return (kind, id) if kind and id else ("", "")
