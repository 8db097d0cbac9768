"""The parts that come in a body: applicant, form, materials with their pages, and a case's bare frame."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from modules.acceptance.domain.cases.words import (
    AGENT_FORM,
    APPLICANT_FORM,
    ELECTRONIC,
    MOST_PAGES,
    PAPER,
    clean_applicant,
)
from modules.common import forms
from modules.common.aggregate import Doc
from modules.common.blobs import TYPES
from modules.common.text import tr

LONGEST_VALUE, MOST_ENTRIES = 4000, 200
"""Characters of a form's value and entries of its tables, in an application that may still be incomplete."""
MOST_IMAGES = 500
"""Pictures of one material's pages: a thick contract is scanned at 200."""
LARGEST_IMAGE = 2**31
_SHA256 = re.compile(r"[0-9a-f]{64}")


def faults_of(item: Doc, body: Doc, today: date, *, lacking: frozenset[str] = frozenset()) -> dict[str, str]:
    """Every fault of an application, by the field's path: ``applicant.phone``, ``form.area``, ``materials.m1``.

    ``lacking``: required materials that may be supplied later (容缺).
    """
    return applicant_faults(body, today) | form_faults(item, body, today) | material_faults(item, body, lacking)


def applicant_faults(body: Doc, today: date) -> dict[str, str]:
    """The faults of the applicant's block and of the agent's, if there is one."""
    applicant = body.get("applicant")
    own, agent = applicant, None
    if isinstance(applicant, Mapping):
        own = {key: value for key, value in applicant.items() if key != "agent"}
        agent = applicant.get("agent")
    faults = forms.validate(APPLICANT_FORM, own, today)
    if agent is not None:
        faults |= {f"agent.{field}": fault for field, fault in forms.validate(AGENT_FORM, agent, today).items()}
    return {f"applicant.{field}": fault for field, fault in faults.items()}


def form_faults(item: Doc, body: Doc, today: date) -> dict[str, str]:
    """The faults of the item's own form."""
    return {f"form.{field}": fault for field, fault in forms.validate(item["form"], body.get("form"), today).items()}


def readable_faults(item: Doc, form: Any) -> dict[str, str]:
    """What of a form cannot even be kept until it is put right: values of other fields, of no kind, without end."""
    if form is None:
        return {}
    if not isinstance(form, Mapping):
        return {"form": tr("未收到填写的内容。")}
    known = item["form"]["schema"]["properties"]
    wrong = tr("这一栏的内容无法保存，请重新填写。")
    return {f"form.{name}": wrong for name, value in form.items() if name not in known or not _is_readable(value)}


def _is_readable(value: Any, deep: bool = False) -> bool:
    if isinstance(value, list):
        return not deep and len(value) <= MOST_ENTRIES and all(map(_is_row, value))
    return (
        len(value) <= LONGEST_VALUE if isinstance(value, str) else not isinstance(value, Mapping) and _is_small(value)
    )


def _is_row(row: Any) -> bool:
    cells = row.values() if isinstance(row, Mapping) else (row,)
    return len(cells) <= MOST_ENTRIES and all(_is_readable(cell, deep=True) for cell in cells)


def _is_small(value: Any) -> bool:
    return not isinstance(value, int | float) or abs(value) < 10**15


def material_faults(item: Doc, body: Doc, lacking: frozenset[str] = frozenset()) -> dict[str, str]:
    """The faults of what was handed in, by material; what is required and neither received nor lacking is one."""
    return shape_faults(item, body.get("materials")) or _missing(item, body["materials"], lacking)


def shape_faults(item: Doc, materials: Any) -> dict[str, str]:
    """What is wrong with a list of materials, whether it is complete or not."""
    known = {material["id"]: material for material in item["materials"]}
    if not isinstance(materials, list) or not all(isinstance(entry, Mapping) for entry in materials):
        return {"materials": tr("未收到材料清单。")}
    faults: dict[str, str] = {}
    received = set()
    for entry in materials:
        id = entry.get("id")
        if not isinstance(id, str) or id not in known:
            faults["materials"] = tr("材料清单里有不属于此事项的材料。")
        elif entry.get("received") is True:
            if id in received:
                faults[f"materials.{id}"] = tr("同一材料列了两次。")
            elif fault := _entry_fault(entry):
                faults[f"materials.{id}"] = fault
            received.add(id)
    return faults


def _entry_fault(entry: Doc) -> str:
    pages, images = entry.get("pages"), entry.get("images", [])
    if type(pages) is not int or not 1 <= pages <= MOST_PAGES:
        return tr("请填写页数，1 到 {most}。", most=MOST_PAGES)
    if entry.get("kind") not in (PAPER, ELECTRONIC):
        return tr("请选择纸质或电子。")
    if not isinstance(images, list) or not all(map(_is_image, images)):
        return tr("扫描件的记录不完整，请重新扫描。")
    if len(images) > MOST_IMAGES:
        return tr("扫描件最多 {most} 页，现为 {n} 页。请分成几份材料。", most=MOST_IMAGES, n=len(images))
    return ""


def _is_image(image: Any) -> bool:
    return (
        isinstance(image, Mapping)
        and isinstance(image.get("sha256"), str)
        and bool(_SHA256.fullmatch(image["sha256"]))
        and type(image.get("size")) is int
        and 0 < image["size"] <= LARGEST_IMAGE
        and image.get("type") in TYPES
    )


def _missing(item: Doc, materials: Sequence[Doc], lacking: frozenset[str]) -> dict[str, str]:
    received = {entry["id"] for entry in materials if entry.get("received") is True}
    return {
        f"materials.{material['id']}": tr("必须收取“{name}”。", name=material["name"])
        for material in item["materials"]
        if material["required"] and material["id"] not in received | lacking
    }


def received(item: Doc, materials: Sequence[Doc]) -> list[dict[str, Any]]:
    """The received materials in the item's order, named by the item."""
    by_id = {entry["id"]: entry for entry in materials if entry.get("received") is True}
    return [material_of(one["id"], one["name"], by_id[one["id"]]) for one in item["materials"] if one["id"] in by_id]


def material_of(id: str, name: str, entry: Doc) -> dict[str, Any]:
    """One received material as a case keeps it."""
    kept: dict[str, Any] = {"id": id, "name": name, "pages": entry["pages"], "kind": entry["kind"], "received": True}
    if images := entry.get("images"):
        kept["images"] = [{key: image[key] for key in ("sha256", "size", "type")} for image in images]
    if entry.get("verified") is True:
        kept["verified"] = True
    return kept


def frame(id: str, item: Doc, body: Doc, hall_id: str, place: str, source: str) -> dict[str, Any]:
    """A case of which nothing but the application is known: all keys are there."""
    return {
        "id": id,
        "number": "",
        "item": {
            key: item[key]
            for key in ("id", "code", "version", "name", "department_id", "department", "kind", "promised_days")
        }
        | {key: item[key] for key in ("form_of_application", "visits") if key in item},
        "hall_id": hall_id,
        "place": place,
        "window_id": "",
        "ticket": None,
        "source": source,
        "green": False,
        "applicant": clean_applicant(body["applicant"]),
        "form": forms.clean(item["form"], body["form"]) if isinstance(body.get("form"), Mapping) else {},
        "materials": received(item, body["materials"]),
        "accepted_at": None,
        "accepted_by": None,
        "due": None,
        "term": None,
        "flow": None,
        "invitations": [],
        "visits": 0,
        "correction": None,
        "decline": None,
        "provisional": None,
        "decision": None,
        "result": None,
        "collected": None,
        "scans": [],
        "transfers": [],
        "handovers": [],
        "cards": [],
        "urges": [],
        "rating": None,
        "papers": [],
        "ended_on": None,
        "closed_at": None,
        "closed_by": None,
    }
