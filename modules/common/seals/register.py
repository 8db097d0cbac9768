"""The life of a seal, and the register of its uses (用印登记): pure rules for both sides.

``seal`` is a record per seal: issued, frozen, thawed, revoked, renewed. ``seal_use`` is a record per use, made once and
never changed; each names the one before it by its digest, so that a use that was taken out leaves a gap.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import iso, parse_iso
from modules.common.errors import Refusal
from modules.common.permissions import forbidden
from modules.common.text import tr

ACTIVE, FROZEN, REVOKED = "active", "frozen", "revoked"
MAKE, USE = "fixed_layout.make_seals", "fixed_layout.seal"
"""Permissions: to make and govern seals; to use those that one was given."""
SEALED, WITHDRAWN = "sealed", "withdrawn"
"""What a use did."""
_SLUG = re.compile(r"[a-z0-9][A-Za-z0-9._@-]{0,63}")
RENEW_BEFORE = timedelta(days=90)
_MOVES = {
    "seal.freeze": ((ACTIVE,), FROZEN),
    "seal.thaw": ((FROZEN,), ACTIVE),
    "seal.revoke": ((ACTIVE, FROZEN), REVOKED),
}


def record_id(code: str) -> str:
    """The id of the record of a seal, by the code that stands in the seal itself."""
    from modules.common.gm import sm3

    return code if _SLUG.fullmatch(code) else f"seal-{sm3(code.encode()).hex()[:40]}"


def state_words(state: str) -> str:
    """A seal's state for people."""
    return {ACTIVE: tr("在用"), FROZEN: tr("已冻结"), REVOKED: tr("已注销")}[state]


class SealRules:
    """The rules of the kind ``seal``.

    A document holds ``id``, ``code``, ``name``, ``department_id``, ``users`` (ids or logins of persons), ``since`` and
    ``until`` (UTC text), ``state``, ``term`` (how often it was made) and ``history`` (``{"what", "at", "by", "why"}``).
    """

    kind = "seal"

    def refs(self, command: Command) -> Sequence[Key]:
        return ()

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if not context.actor.may(MAKE):
            return forbidden(MAKE)
        stamp = {"at": iso(context.now), "by": {"id": context.actor.id, "name": context.actor.name}}
        why = str(command.body.get("why", "")).strip()
        if command.type == "seal.issue":
            if state is not None:
                return Refusal("SEAL-020", tr("此印章已经制作。"))
            if no := _term_fault(command.body):
                return no
            fields = {key: command.body.get(key, "") for key in ("code", "name", "department_id", "since", "until")}
            fields["users"] = list(command.body.get("users", ()))
            if not fields["code"] or not fields["name"] or not fields["users"]:
                return Refusal("SEAL-021", tr("印章编码、名称和用章人都要填写。"))
            return [Event("seal.issued", {"id": command.aggregate_id, **fields, **stamp})]
        if state is None:
            return Refusal("SEAL-022", tr("没有这枚印章。"))
        if command.type == "seal.renew":
            return self._renew(state, command.body, context, {**stamp, "why": why})
        move = _MOVES.get(command.type)
        if move is None:
            return Refusal("SEAL-023", tr("不认识的操作（{type}）。", type=command.type))
        if state["state"] not in move[0]:
            return Refusal("SEAL-024", tr("印章{state}，不能这样办理。", state=state_words(state["state"])))
        if not why:
            return Refusal("SEAL-025", tr("请写明原因。"), {"why": tr("请写明原因。")})
        return [Event("seal.moved", {"state": move[1], "why": why, **stamp})]

    def _renew(self, state: Doc, body: Doc, context: Context, stamp: dict[str, Any]) -> Sequence[Event] | Refusal:
        if state["state"] == REVOKED:
            return Refusal("SEAL-024", tr("印章{state}，不能这样办理。", state=state_words(REVOKED)))
        if context.now < parse_iso(state["until"]) - RENEW_BEFORE:
            return Refusal("SEAL-026", tr("到期前 {n} 天内才能换发。", n=RENEW_BEFORE.days))
        if no := _term_fault(body):
            return no
        return [Event("seal.renewed", {"since": body["since"], "until": body["until"], **stamp})]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        body = event.body
        line = {"what": event.type, "at": body["at"], "by": body["by"], "why": body.get("why", "")}
        if event.type == "seal.issued":
            fields = {key: value for key, value in body.items() if key not in ("at", "by")}
            return {**fields, "state": ACTIVE, "term": 1, "history": [line]}
        before = state or {}
        after = {**before, "history": [*before.get("history", ()), line]}
        if event.type == "seal.moved":
            return {**after, "state": body["state"]}
        return {**after, "since": body["since"], "until": body["until"], "term": before.get("term", 1) + 1}

    def summary(self, state: Doc) -> Summary:
        return Summary(state["name"], state["state"], state["code"], search=f"{state['name']} {state['code']}")

    def scopes(self, state: Doc) -> frozenset[str]:
        """Those of the seal's department, who use it, and who made it."""
        people = {*state["users"], state["history"][0]["by"]["id"]}
        return _department(state) | {f"person:{each}" for each in people}


class SealUseRules:
    """The rules of the kind ``seal_use``.

    A document holds ``id``, ``seal``, ``seal_name``, ``seal_code``, ``listed``, ``department_id``, ``at``, ``by``,
    ``act`` (``sealed`` or ``withdrawn``), ``title`` and ``digest`` (SM3, hex) of the file made, ``pages``, ``copies``,
    ``reason``, ``approved_by``, ``previous`` and ``chain``. A seal that the register does not know, made elsewhere, is
    used all the same, and not ``listed``: what was sealed must be known, whoever made the seal.
    """

    kind = "seal_use"

    def refs(self, command: Command) -> Sequence[Key]:
        return [("seal", str(command.body.get("seal", "")))]

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if not context.actor.may(USE):
            return forbidden(USE)
        if state is not None:
            return Refusal("SEAL-027", tr("用印登记不能更改。"))
        if command.type != "seal_use.record":
            return Refusal("SEAL-023", tr("不认识的操作（{type}）。", type=command.type))
        body = command.body
        seal = context.refs.get(("seal", str(body.get("seal", ""))))
        if seal is not None and (no := use_fault(seal, context)):
            return no
        code = str(body.get("seal_code", ""))
        # a made-up id must not lead past what the register says of this code
        if seal is None and not (code and body.get("seal_name") and record_id(code) == body["seal"]):
            return Refusal("SEAL-022", tr("没有这枚印章。"))
        if not str(body.get("title", "")).strip() or not str(body.get("reason", "")).strip():
            return Refusal("SEAL-028", tr("请写明文件名称和用印事由。"), {"reason": tr("请写明用印事由。")})
        kept = {key: body.get(key, "") for key in ("title", "digest", "pages", "copies", "reason", "approved_by")}
        known = seal or {"name": body.get("seal_name"), "code": body.get("seal_code")}
        entry = {
            "id": command.aggregate_id,
            "seal": str(body["seal"]),
            "seal_name": str(known["name"]),
            "seal_code": str(known["code"]),
            "listed": seal is not None,
            "department_id": known.get("department_id") or context.actor.department_id,
            "act": WITHDRAWN if body.get("act") == WITHDRAWN else SEALED,
            "at": iso(context.now),
            "by": {"id": context.actor.id, "name": context.actor.name},
            "previous": str(body.get("previous", "")),
            **kept,
        }
        return [Event("seal_use.recorded", {**entry, "chain": chain_value(entry)})]

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        return dict(event.body)

    def summary(self, state: Doc) -> Summary:
        found_by = ("title", "reason", "seal_code", "approved_by", "digest")
        words = " ".join([state["by"]["name"], *(str(state[key]) for key in found_by)])
        return Summary(f"{state['seal_name']}：{state['title']}", state["act"], search=words)

    def scopes(self, state: Doc) -> frozenset[str]:
        return _department(state) | {f"person:{state['by']['id']}"}


def _department(state: Doc) -> frozenset[str]:
    return frozenset({f"dept:{state['department_id']}"} if state["department_id"] else ())


SEAL, SEAL_USE = SealRules(), SealUseRules()


def use_fault(seal: Doc, context: Context) -> Refusal | None:
    """Why the actor may not use a seal now, or None."""
    if seal["state"] != ACTIVE:
        return Refusal("SEAL-029", tr("印章{state}，不能使用。", state=state_words(seal["state"])))
    if not parse_iso(seal["since"]) <= context.now <= parse_iso(seal["until"]):
        return Refusal("SEAL-030", tr("印章不在有效期内，不能使用。"))
    if not {context.actor.id, context.actor.login} & set(seal["users"]):
        return Refusal("SEAL-031", tr("这枚印章没有交给您使用。"))
    return None


def chain_value(entry: Mapping[str, Any]) -> str:
    """The digest by which the next use names this one; ``chain`` itself is left out."""
    from modules.common.gm import sm3

    plain = {key: value for key, value in entry.items() if key != "chain"}
    return sm3(json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hex()


def broken_at(uses: Sequence[Doc]) -> int:
    """The place in a seal's uses, oldest first, from which on they no longer hold together; -1 when they all do."""
    previous = ""
    for index, use in enumerate(uses):
        if use["previous"] != previous or use["chain"] != chain_value(use):
            return index
        previous = use["chain"]
    return -1


def _term_fault(body: Doc) -> Refusal | None:
    try:
        fine = parse_iso(str(body["since"])) < parse_iso(str(body["until"]))
    except (KeyError, ValueError):
        fine = False
    return None if fine else Refusal("SEAL-032", tr("有效期有误：截止须晚于起始。"), {"until": tr("请改正有效期。")})
