"""Sound service items, and what brings them about, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from modules.acceptance.domain.items import ITEM, MAY_KEEP, blank_fee, blank_item, blank_material, put
from modules.common.aggregate import Aggregate, Command, Context, Doc, Key, apply
from modules.common.calendar import WorkCalendar
from modules.common.errors import Refusal
from modules.common.ids import uuid7
from modules.common.permissions import Actor

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
KEEPER = Actor("p-sun", "sunqi", "孙七", hall_id="hall-1", permissions=frozenset({MAY_KEEP, "acceptance.read"}))
CLERK = Actor("p-zhang", "zhangsan", "张三", hall_id="hall-1", permissions=frozenset({"acceptance.accept"}))
SYSTEM = Actor("system", "system", "系统", permissions=frozenset({"system"}))
CODE = "341100SC-XK-0001"
DEPARTMENTS = {
    "dept-market": "市场监督管理局",
    "dept-land": "自然资源和规划局",
    "dept-health": "卫生健康委员会",
    "dept-civil": "民政局",
}
FORM = {
    "schema": {
        "type": "object",
        "properties": {"matter": {"title": "申请内容", "type": "string", "maxLength": 300}},
        "required": ["matter"],
    },
    "layout": [{"title": "申请内容", "fields": ["matter"]}],
    "fills": {},
}


def sound_item(code: str = CODE, name: str = "食品小作坊登记", **changes: Any) -> dict[str, Any]:
    """The content of an item that may be published; ``changes`` by field, nested ones with ``__`` for the dot."""
    doc = blank_item()
    filled: dict[str, Any] = {
        "name": name,
        "short_name": "小作坊",
        "code": code,
        "type": "行政许可",
        "kind": "承诺件",
        "department": "市场监督管理局",
        "department_id": "dept-market",
        "audience": ["person", "firm"],
        "basis": "《食品安全法》第三十六条",
        "summary": "从事食品小作坊生产加工的登记。",
        "statutory_days": 20,
        "promised_days": 7,
        "form_of_application": "原件核验",
        "visits": 1,
        "theme": ["企业开办"],
        "form": FORM,
        "template": "simple",
        "elements.basic_code": "000131012000",
        "elements.level": "县级",
        "elements.conditions": "有固定的生产加工场所。",
        "elements.process": "申请—受理—审查—决定—送达",
        "elements.review_standard": "场所、设备、人员合乎规定。",
        "elements.result_name": "食品小作坊登记证",
        "elements.place": "市政务服务中心一楼 A 区",
        "elements.hours": "工作日 8:30–12:00，14:00–17:30",
        "elements.phone": "0550-3021234",
        "elements.complaint_phone": "12345",
    }
    for path, value in filled.items():
        put(doc, path, value)
    doc["materials"] = [
        {
            **blank_material("m1"),
            "name": "食品小作坊登记申请书",
            "type": "表格",
            "review": ["签名与申请人一致", "场所写到门牌号"],
        },
        {
            **blank_material("m2"),
            "name": "生产场所使用证明",
            "type": "复印件",
            "may_lack": True,
            "lack_days": 5,
            "lack_consequence": "逾期不补的，不予登记。",
        },
    ]
    doc["fees"] = [{**blank_fee(), "name": "工本费", "amount": "10.00", "unit": "本", "basis": "皖价费〔2019〕12 号"}]
    for path, value in changes.items():
        put(doc, path.replace("__", "."), value)
    return doc


class House:
    """Records under their rules, as the server keeps them: ``give`` commands, ``get`` documents."""

    def __init__(self, *rules: Aggregate) -> None:
        self._rules = {rule.kind: rule for rule in rules or (ITEM,)}
        self.docs: dict[Key, Doc] = {}

    def give(self, kind: str, id: str, type: str, body: Mapping[str, Any], *, actor: Actor = KEEPER) -> Doc | Refusal:
        """What the record is afterwards, or why it stays as it was."""
        command = Command(uuid7(), kind, id, type, body)
        rules = self._rules[kind]
        refs = {key: self.docs[key] for key in rules.refs(command) if key in self.docs}
        outcome = apply(rules, self.docs.get((kind, id)), command, Context(NOW, actor, WorkCalendar(), refs=refs))
        if isinstance(outcome, Refusal):
            return outcome
        self.docs[kind, id] = outcome[0]
        return outcome[0]

    def item(self, id: str, type: str, body: Mapping[str, Any], *, actor: Actor = KEEPER) -> Doc | Refusal:
        """``give`` to a service item."""
        return self.give("service_item", id, type, body, actor=actor)

    def items(self) -> Iterable[Doc]:
        """All versions of all items."""
        return [doc for (kind, _), doc in self.docs.items() if kind == "service_item"]
