"""Templates of approval: which steps there are, who takes them, how many must sign.

A template is plain JSON, written by an administrator or built in::

    {"id", "name", "steps": [{
        "id", "name",
        "kind": "review" | "decide" | "issue",   # 审查 advises, 决定 decides, 送达 carries out
        "by": {"role", "department": "<id>" | "" the flow's own | "*" each joint one, one slot per department}
            | {"role", "hall": "<id>" | "" the flow's own}
            | {"persons": [{"id", "name"}, …]},  # one slot each
        "completion": "one" | "all" | k,         # how many signatures the step needs
        "mandatory": bool,                       # 必经: can never be skipped
        "act_for": bool,                         # 代行 is allowed
        "days": int | None,                      # the step's own term, in working days
        "bound": bool,                           # False: a special procedure (特别程序) that the term does not count
    }, …]}

A role with ``k`` opens k slots, to be signed by k different people. Requirements B02, B03, C32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from modules.common.text import tr

Template = Mapping[str, Any]
Unit = Mapping[str, str]
"""A department, a hall or a person, as ``{"id", "name"}``."""
REVIEW, DECIDE, ISSUE = "review", "decide", "issue"
KINDS = (REVIEW, DECIDE, ISSUE)
ONE, ALL = "one", "all"
OWN, JOINT = "", "*"
MOST_STEPS, MOST_SIGNATURES, LONGEST_NAME = 20, 50, 60
DEFAULTS: Mapping[str, Any] = {"completion": ONE, "mandatory": True, "act_for": False, "days": None, "bound": True}


def check_template(template: object) -> list[str]:
    """What is wrong with a template, in words for whoever drew it up; empty when flows can begin with it."""
    if not isinstance(template, Mapping) or not _named(template):
        return [tr("流程模板须有标识和名称。")]
    steps = template.get("steps")
    if not isinstance(steps, list) or not 1 <= len(steps) <= MOST_STEPS:
        return [tr("流程模板须有 1 到 {most} 个环节。", most=MOST_STEPS)]
    faults, ids = [], set()
    for position, step in enumerate(steps, 1):
        if not isinstance(step, Mapping) or not _named(step):
            faults.append(tr("第 {n} 个环节须有标识和名称。", n=position))
            continue
        if step["id"] in ids:
            faults.append(tr("环节标识“{id}”用了两次。", id=step["id"]))
        ids.add(step["id"])
        faults += _step_faults(step)
    decides = [step for step in steps if isinstance(step, Mapping) and step.get("kind") == DECIDE]
    if not any(step.get("mandatory", True) is True and _steady(step.get("by")) for step in decides):
        faults.append(tr("流程模板至少须有一个必经的决定环节。"))
    return faults


def _steady(by: object) -> bool:
    """Whether a step is there whatever the flow's joint departments are."""
    return not isinstance(by, Mapping) or by.get("department") != JOINT


def _named(thing: Mapping[str, Any]) -> bool:
    return all(
        isinstance(thing.get(key), str) and 0 < len(thing[key].strip()) <= LONGEST_NAME for key in ("id", "name")
    )


def _step_faults(step: Mapping[str, Any]) -> list[str]:
    name, full, faults = step["name"], {**DEFAULTS, **step}, []
    if full.get("kind") not in KINDS:
        faults.append(tr("环节“{name}”须是审查、决定或送达。", name=name))
    if not all(isinstance(full[key], bool) for key in ("mandatory", "act_for", "bound")):
        faults.append(tr("环节“{name}”的必经、代行、计时三项须为是或否。", name=name))
    if full["days"] is not None and not _count(full["days"], 366):
        faults.append(tr("环节“{name}”的时限须为 1 到 {most} 天，或不填。", name=name, most=366))
    by, completion = full.get("by"), full["completion"]
    if completion not in (ONE, ALL) and not _count(completion, MOST_SIGNATURES):
        faults.append(
            tr("环节“{name}”的完成条件须为一人、全部，或 1 到 {most} 的人数。", name=name, most=MOST_SIGNATURES)
        )
        completion = ONE
    if not isinstance(by, Mapping) or not _by_ok(by):
        faults.append(tr("环节“{name}”没有写明由谁办理。", name=name))
    elif "persons" in by and isinstance(completion, int) and completion > len(by["persons"]):
        faults.append(
            tr("环节“{name}”只有 {n} 人，不能要求 {k} 人签署。", name=name, n=len(by["persons"]), k=completion)
        )
    elif completion == ALL and "persons" not in by and by.get("department") != JOINT:
        faults.append(tr("环节“{name}”由一个岗位办理，人数不定，不能要求全部签署。", name=name))
    return faults


def _count(value: object, most: int) -> bool:
    return type(value) is int and 1 <= value <= most


def _by_ok(by: Mapping[str, Any]) -> bool:
    persons = by.get("persons")
    if persons is not None:
        good = (
            isinstance(persons, list) and 0 < len(persons) <= MOST_SIGNATURES and all(is_unit(one) for one in persons)
        )
        return good and len({one["id"] for one in persons}) == len(persons)
    units = [by[key] for key in ("department", "hall") if key in by]
    return bool(isinstance(by.get("role"), str) and by["role"] and len(units) == 1 and isinstance(units[0], str))


def is_unit(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether ``value`` is ``{"id", "name"}`` with words of sensible length."""
    return isinstance(value, Mapping) and _named(value)


def settled(template: Template, joint: Sequence[Unit]) -> dict[str, Any]:
    """The template as a flow keeps it: defaults filled in, a joint step left out when no department is joint.

    Raises ``ValueError`` for a template that ``check_template`` finds fault with.
    """
    faults = check_template(template)
    if faults:
        raise ValueError(" ".join(faults))
    steps = [{**DEFAULTS, **step, "by": dict(step["by"])} for step in template["steps"]]
    return {
        "id": template["id"],
        "name": template["name"],
        "steps": [step for step in steps if joint or step["by"].get("department") != JOINT],
    }


def _step(id: str, name: str, kind: str, by: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": id, "name": name, "kind": kind, "by": by, **DEFAULTS, **more}


OFFICER = {"role": "officer", "department": OWN}
HEAD = {"role": "section_head", "department": OWN}
LEADER = {"role": "leader", "department": OWN}
CLERK = {"role": "clerk", "hall": OWN}

TEMPLATES: Mapping[str, Template] = {
    "immediate": {"id": "immediate", "name": "即办", "steps": [_step("decide", "决定", DECIDE, CLERK)]},
    "simple": {
        "id": "simple",
        "name": "一审一决",
        "steps": [
            _step("review", "审查", REVIEW, OFFICER),
            _step("decide", "决定", DECIDE, HEAD, act_for=True),
        ],
    },
    "standard": {
        "id": "standard",
        "name": "审查—决定—送达",
        "steps": [
            _step("review", "审查", REVIEW, OFFICER),
            _step("check", "复核", REVIEW, HEAD, mandatory=False),
            _step("decide", "决定", DECIDE, LEADER, act_for=True),
            _step("issue", "送达", ISSUE, OFFICER),
        ],
    },
    "joint": {
        "id": "joint",
        "name": "联办",
        "steps": [
            _step("review", "审查", REVIEW, OFFICER),
            _step("joint", "联办部门会签", REVIEW, {"role": "officer", "department": JOINT}, completion=ALL),
            _step("decide", "决定", DECIDE, LEADER, act_for=True),
            _step("issue", "送达", ISSUE, OFFICER),
        ],
    },
}
"""The built-in templates by id; their names are Chinese in the record, as everything written into it."""
