"""The door for online applications, and the person base: ``/applications…`` and ``/base`` under ``/v1/m/acceptance``.

Every look into the person base is a record of its own in the feed of who looked, and so in the audit chain.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import FailFast

from modules.acceptance.domain.cases import APPLY, KIND, MAY_ACCEPT, MAY_APPLY, ORGANISATION, SUPPLY, state_name
from modules.acceptance.domain.lookups import KIND as LOOKUP_KIND
from modules.acceptance.domain.lookups import LOOK
from modules.common.aggregate import Doc
from modules.common.codes import normalise
from modules.common.errors import Refusal, Refused
from modules.common.ids import uuid7
from modules.common.server_ports import Caller, ServerServices
from modules.common.text import tr

_NAMESPACE = uuid.UUID("7b1f3c52-6a0e-5f43-9d0b-2f1f6f0f7a11")
BASES = {"person": "base_person", "firm": "base_firm"}


@dataclass(frozen=True, slots=True)
class Application:
    """An application from a portal. ``reference`` is the portal's own number: sent again, it is the same case."""

    reference: str
    hall_id: str
    item_id: str
    item_version: int
    applicant: dict[str, Any]
    form: dict[str, Any]
    materials: Annotated[list[dict[str, Any]], FailFast()]


@dataclass(frozen=True, slots=True)
class Supplement:
    """What is handed in after a correction notice: the application as it now is."""

    item_id: str
    applicant: dict[str, Any]
    form: dict[str, Any]
    materials: Annotated[list[dict[str, Any]], FailFast()]


@dataclass(frozen=True, slots=True)
class Progress:
    """How an application stands, for the portal. ``correction`` says what is to be put right."""

    id: str
    state: str
    state_name: str
    number: str
    correction: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class BaseRecord:
    """What the base knows of a person or a firm; ``found`` is false where it knows nothing."""

    found: bool
    values: Mapping[str, Any] = field(default_factory=dict)


def router(services: ServerServices) -> APIRouter:
    """The routes; every one names its permission."""
    made = APIRouter()
    portal = Depends(services.require(MAY_APPLY))
    counter = Depends(services.require(MAY_ACCEPT))
    commands = services.commands

    @made.post("/applications", status_code=201)
    def apply(body: Application, caller: Caller = portal) -> Progress:
        """Hand in an application; a case in the state 待预审 is made of it."""
        reference = body.reference.strip()
        if not 0 < len(reference) <= 100:
            fault = tr("请填写网上申请的流水号，最多 {n} 个字。", n=100)
            raise Refused(Refusal("ACC-060", fault, {"reference": fault}))
        hall = commands.get(ORGANISATION, body.hall_id)
        if hall is None or hall.get("kind") != "hall":
            fault = tr("没有这个大厅，请重新选择办理大厅。")
            raise Refused(Refusal("ACC-062", fault, {"hall_id": fault}))
        id = str(uuid.uuid5(_NAMESPACE, reference))
        given = {
            "hall_id": body.hall_id,
            "item_id": body.item_id,
            "item_version": body.item_version,
            "applicant": body.applicant,
            "form": body.form,
            "materials": body.materials,
        }
        if commands.get(KIND, id) is None:
            commands.give(KIND, id, APPLY, given, device=caller.device, command_id=f"application:{id}")
        return _progress(_application(services, id))

    @made.get("/applications/{id}")
    def progress(id: str, caller: Caller = portal) -> Progress:
        """How an application stands."""
        return _progress(_application(services, id))

    @made.post("/applications/{id}/supply")
    def supply(id: str, body: Supplement, caller: Caller = portal) -> Progress:
        """Answer a correction notice."""
        _application(services, id)
        given = {"item_id": body.item_id, "applicant": body.applicant, "form": body.form, "materials": body.materials}
        commands.give(KIND, id, SUPPLY, given, device=caller.device)
        return _progress(_application(services, id))

    @made.get("/base")
    def look_up(
        kind: Literal["person", "firm"],
        number: Annotated[str, Query(min_length=4, max_length=30)],
        caller: Caller = counter,
    ) -> BaseRecord:
        """What the base knows by an identity number or a credit code. Every look is recorded with who looked."""
        number = normalise(number)
        doc = next(iter(commands.with_number(BASES[kind], number, limit=1)), None)
        body = {"kind": kind, "number": number, "found": doc is not None}
        commands.give(LOOKUP_KIND, uuid7(), LOOK, body, actor=caller.actor, device=caller.device)
        return BaseRecord(doc is not None, dict(doc) if doc else {})

    return made


def _application(services: ServerServices, id: str) -> Doc:
    doc = services.commands.get(KIND, id)
    if doc is None or doc.get("source") != "online":
        raise Refused(Refusal("ACC-061", tr("没有这件网上申请。")))
    return doc


def _progress(case: Doc) -> Progress:
    told = case["correction"] or {}
    return Progress(case["id"], case["state"], state_name(case["state"]), case["number"], told.get("items", ()))
