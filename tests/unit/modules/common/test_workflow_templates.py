"""Templates of approval: the built-in ones are good, and every fault of one is told in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from modules.common import workflow
from modules.common.workflow import TEMPLATES, check_template
from tests.support import walks

PERSONS = {"persons": [{"id": "a", "name": "甲"}, {"id": "b", "name": "乙"}]}


def one_step(**change: Any) -> dict[str, Any]:
    step = {"id": "s", "name": "决定", "kind": "decide", "by": {"role": "leader", "department": ""}, **change}
    return {"id": "t", "name": "模板", "steps": [step]}


@pytest.mark.parametrize("template", [*TEMPLATES.values(), *walks.TEMPLATES.values(), one_step()])
def test_good_templates_have_no_fault(template: Any) -> None:
    assert check_template(template) == []


def test_built_in_templates_are_found_by_their_own_id() -> None:
    assert all(template["id"] == id for id, template in TEMPLATES.items())


@pytest.mark.parametrize(
    ("template", "word"),
    [
        (None, "标识和名称"),
        ({"id": "", "name": "x", "steps": []}, "标识和名称"),
        ({"id": "t", "name": "x"}, "1 到 20 个环节"),
        ({"id": "t", "name": "x", "steps": []}, "1 到 20 个环节"),
        ({"id": "t", "name": "x", "steps": one_step()["steps"] * 21}, "1 到 20 个环节"),
        ({"id": "t", "name": "x", "steps": one_step()["steps"] * 2}, "用了两次"),
        ({"id": "t", "name": "x", "steps": ["s"]}, "第 1 个环节"),
        (one_step(name=" "), "第 1 个环节"),
        (one_step(kind="think"), "审查、决定或送达"),
        (one_step(kind="review"), "必经的决定环节"),
        (one_step(mandatory=False), "必经的决定环节"),
        (one_step(by={"role": "officer", "department": "*"}, completion="all"), "必经的决定环节"),
        (one_step(mandatory=1), "须为是或否"),
        (one_step(act_for="yes"), "须为是或否"),
        (one_step(days=0), "时限"),
        (one_step(days=True), "时限"),
        (one_step(completion="most"), "完成条件"),
        (one_step(completion=0), "完成条件"),
        (one_step(completion=True), "完成条件"),
        (one_step(completion=["all"]), "完成条件"),
        (one_step(completion="all"), "人数不定"),
        (one_step(by=PERSONS, completion=3), "只有 2 人"),
        (one_step(by=None), "由谁办理"),
        (one_step(by={}), "由谁办理"),
        (one_step(by={"role": "leader"}), "由谁办理"),
        (one_step(by={"role": "leader", "department": "", "hall": ""}), "由谁办理"),
        (one_step(by={"role": "", "department": ""}), "由谁办理"),
        (one_step(by={"persons": []}), "由谁办理"),
        (one_step(by={"persons": ["a"]}), "由谁办理"),
        (one_step(by={"persons": PERSONS["persons"] * 2}), "由谁办理"),
    ],
)
def test_every_fault_is_told(template: Any, word: str) -> None:
    faults = check_template(template)
    assert any(word in fault for fault in faults), faults
    with pytest.raises(ValueError, match=r"\w"):
        workflow.begin(template, datetime(2026, 11, 20, tzinfo=UTC))
