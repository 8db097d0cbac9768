"""The rules of a service item (事项): what an office does for people, version by version.

Each version is a record of its own, kept for ever: a case names the record it was accepted under. A draft may be
incomplete; a published version is complete (``check_item``) and never changes but for its state. Requirements C18,
C19, C28, C29, C38, D11, E7, F.

The document, as ``blank_item`` makes it:

- ``id`` ``"<base>@<version>"`` (a first version may go without ``@1``), ``code`` 实施编码 (see ``CODE_SCHEMES``),
  ``version``, ``state`` draft | published | superseded | withdrawn (none: published), ``previous`` id of the version
  it was copied from, ``published_at``, ``superseded_at``, ``superseded_by``, ``withdrawn_at``, ``withdrawn_by``,
  ``withdraw_reason``, ``updated_at``, ``updated_by``;
- ``origin`` local | province, ``origin_version``, ``overridden`` ``{path: what the province last sent}`` for what
  was edited here since;
- what ``FIELDS`` lists (the 36 elements of the implementation list among them, those of no other place under
  ``elements``), ``materials`` (``MATERIAL_FIELDS``), ``fees`` (``FEE_FIELDS``), ``form`` (``modules.common.forms``)
  and ``template`` (the id of a built-in approval, or one written out; see ``modules.common.workflow``).

Fields are named by path: ``promised_days``, ``elements.place``, ``green.promised_days``, ``materials.m1.lack_days``
(by the material's id), ``fees.0.amount`` (by place).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from modules.common import forms, workflow
from modules.common.aggregate import Command, Context, Doc, Event, Key, Summary
from modules.common.clock import iso
from modules.common.codes import check_credit_code
from modules.common.errors import GovDeskError, Refusal
from modules.common.permissions import forbidden
from modules.common.text import tr

KIND = "service_item"
CREATE, EDIT, PUBLISH, SUPERSEDE, WITHDRAW, IMPORT = (
    "item.create",
    "item.edit",
    "item.publish",
    "item.supersede",
    "item.withdraw",
    "item.import",
)
DRAFT, PUBLISHED, SUPERSEDED, WITHDRAWN = "draft", "published", "superseded", "withdrawn"
LOCAL, PROVINCE = "local", "province"
MAY_KEEP = "acceptance.items"
IMMEDIATE, PROMISED, JOINT = "即办件", "承诺件", "联办件"
PRE_REVIEW, CHECKED, ONLINE = "原件预审", "原件核验", "全程网办"
MOST_VISITS: Final[Mapping[str, int]] = {PRE_REVIEW: 2, CHECKED: 1, ONLINE: 0}
"""Visits to the hall that each form of application allows at most (E7)."""
LONGEST_TERM = 1000
LONGEST_TEXT = 4000
MOST_ROWS = 200
"""Materials or fees of one item."""
OPTIONS = tuple[tuple[Any, str], ...]


def _same(*words: str) -> OPTIONS:
    return tuple((word, word) for word in words)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an item, a material or a fee.

    ``type``: text, int, bool, choice (one of ``options``), choices (several of them), words (any several), money,
    department, departments. ``mandatory``: must be there before publishing.
    """

    path: str
    name: str
    type: str = "text"
    mandatory: bool = False
    options: OPTIONS = ()


@dataclass(frozen=True, slots=True)
class Element:
    """One of the 36 elements (要素) of the implementation list (实施清单): its number, identifier, name and place.

    ``path`` says where the document holds it: a field, or ``materials`` or ``fees``. ``mandatory`` elements are
    never blank in a published item; those of ``fees`` count where something is charged, the joint departments in
    a joint item.
    """

    number: int
    id: str
    name: str
    path: str
    mandatory: bool
    type: str = "text"


TYPES = _same(
    "行政许可",
    "行政处罚",
    "行政强制",
    "行政征收",
    "行政给付",
    "行政检查",
    "行政确认",
    "行政奖励",
    "行政裁决",
    "其他行政权力",
    "公共服务",
)
LEVELS = _same("国家级", "省级", "市级", "县级", "镇（乡、街道）级", "村（社区）级")
NATURES = _same("法定机关", "授权组织", "受委托组织")
KINDS = _same(IMMEDIATE, PROMISED, JOINT)
FORMS_OF_APPLICATION = _same(PRE_REVIEW, CHECKED, ONLINE)
AUDIENCES: OPTIONS = (("person", "自然人"), ("firm", "法人"))
CLASSES = _same("建设项目", "企业设立", "社会事务")
CHANNELS = _same("窗口办理", "网上办理", "自助办理", "快递申请", "上门办理")
REGIONS = _same("全国", "跨省", "全省", "全市", "全县", "仅本地")
MATERIAL_TYPES = _same("原件", "复印件", "原件和复印件", "表格", "电子")
SOURCES = _same("申请人自备", "政府部门核发", "中介机构或其他单位出具", "部门间核验")

FIELDS: tuple[Field, ...] = (
    Field("name", "事项名称", mandatory=True),
    Field("short_name", "事项简称"),
    Field("elements.basic_code", "基本编码", mandatory=True),
    Field("code", "实施编码", mandatory=True),
    Field("type", "事项类型", "choice", True, TYPES),
    Field("kind", "办件类型", "choice", True, KINDS),
    Field("department", "实施机构", "department", True),
    Field("elements.implementer_nature", "实施主体性质", "choice", True, NATURES),
    Field("joint_departments", "联办机构", "departments"),
    Field("audience", "服务对象", "choices", True, AUDIENCES),
    Field("elements.level", "行使层级", "choice", True, LEVELS),
    Field("elements.authority", "权限划分"),
    Field("elements.exercise", "行使内容"),
    Field("basis", "设定依据", mandatory=True),
    Field("summary", "事项说明"),
    Field("statutory_days", "法定办结时限（工作日）", "int", True),
    Field("promised_days", "承诺办结时限（工作日）", "int", True),
    Field("expert_review", "特别程序（不受时限约束）", "bool"),
    Field("green.enabled", "绿色通道", "bool"),
    Field("green.promised_days", "绿色通道承诺时限（工作日）", "int"),
    Field("elements.conditions", "受理条件", mandatory=True),
    Field("elements.intermediary", "中介服务"),
    Field("elements.process", "办理流程", mandatory=True),
    Field("elements.review_standard", "审查标准", mandatory=True),
    Field("elements.quantity_limit", "数量限制"),
    Field("elements.result_name", "结果名称", mandatory=True),
    Field("elements.result_sample", "结果样本"),
    Field("form_of_application", "申请形式", "choice", True, FORMS_OF_APPLICATION),
    Field("visits", "到办事现场次数", "int", True),
    Field("elements.channels", "办理形式", "choices", True, CHANNELS),
    Field("elements.regions", "通办范围", "choice", True, REGIONS),
    Field("elements.booking", "预约办理", "bool", True),
    Field("elements.online_payment", "网上支付", "bool", True),
    Field("elements.delivery", "物流快递", "bool", True),
    Field("elements.system", "运行系统"),
    Field("elements.place", "办理地点", mandatory=True),
    Field("elements.hours", "办理时间", mandatory=True),
    Field("elements.phone", "咨询电话", mandatory=True),
    Field("elements.complaint_phone", "监督电话", mandatory=True),
    Field("theme", "主题分类", "words"),
    Field("class", "窗口类别", "choice", False, CLASSES),
    Field("hot", "热点事项", "bool"),
    Field("window_groups", "窗口分组", "words"),
)
MATERIAL_FIELDS: tuple[Field, ...] = (
    Field("name", "材料名称", mandatory=True),
    Field("type", "材料类型", "choice", True, MATERIAL_TYPES),
    Field("required", "是否必要", "bool", True),
    Field("may_lack", "可容缺", "bool"),
    Field("lack_days", "容缺补交期限（工作日）", "int"),
    Field("lack_consequence", "逾期不补的后果"),
    Field("copies", "份数", "int", True),
    Field("spec", "规格"),
    Field("source", "来源渠道", "choice", True, SOURCES),
    Field("electronic", "需电子材料", "bool"),
    Field("shared", "可共享", "bool"),
    Field("note", "填报须知"),
    Field("accept_standard", "受理标准"),
    Field("review", "审查要点", "words"),
)
FEE_FIELDS: tuple[Field, ...] = (
    Field("name", "收费项目", mandatory=True),
    Field("free", "免收", "bool", True),
    Field("amount", "收费标准（元）", "money", True),
    Field("unit", "计费单位"),
    Field("basis", "收费依据"),
)
ELEMENTS: tuple[Element, ...] = (
    Element(1, "name", "事项名称", "name", True),
    Element(2, "basic_code", "基本编码", "elements.basic_code", True),
    Element(3, "code", "实施编码", "code", True),
    Element(4, "type", "事项类型", "type", True, "choice"),
    Element(5, "basis", "设定依据", "basis", True),
    Element(6, "level", "行使层级", "elements.level", True, "choice"),
    Element(7, "authority", "权限划分", "elements.authority", False),
    Element(8, "exercise", "行使内容", "elements.exercise", False),
    Element(9, "implementer", "实施机构", "department", True, "department"),
    Element(10, "implementer_nature", "实施主体性质", "elements.implementer_nature", True, "choice"),
    Element(11, "joint", "联办机构", "joint_departments", False, "departments"),
    Element(12, "audience", "服务对象", "audience", True, "choices"),
    Element(13, "kind", "办件类型", "kind", True, "choice"),
    Element(14, "statutory_days", "法定办结时限", "statutory_days", True, "int"),
    Element(15, "promised_days", "承诺办结时限", "promised_days", True, "int"),
    Element(16, "conditions", "受理条件", "elements.conditions", True),
    Element(17, "materials", "申请材料", "materials", True, "rows"),
    Element(18, "intermediary", "中介服务", "elements.intermediary", False),
    Element(19, "process", "办理流程", "elements.process", True),
    Element(20, "review_standard", "审查标准", "elements.review_standard", True),
    Element(21, "quantity_limit", "数量限制", "elements.quantity_limit", False),
    Element(22, "result_name", "结果名称", "elements.result_name", True),
    Element(23, "result_sample", "结果样本", "elements.result_sample", False),
    Element(24, "charged", "是否收费", "fees", True, "rows"),
    Element(25, "fee_standard", "收费标准", "fees", False, "rows"),
    Element(26, "fee_basis", "收费依据", "fees", False, "rows"),
    Element(27, "channels", "办理形式", "elements.channels", True, "choices"),
    Element(28, "regions", "通办范围", "elements.regions", True, "choice"),
    Element(29, "booking", "预约办理", "elements.booking", True, "bool"),
    Element(30, "online_payment", "网上支付", "elements.online_payment", True, "bool"),
    Element(31, "delivery", "物流快递", "elements.delivery", True, "bool"),
    Element(32, "system", "运行系统", "elements.system", False),
    Element(33, "place", "办理地点", "elements.place", True),
    Element(34, "hours", "办理时间", "elements.hours", True),
    Element(35, "phone", "咨询电话", "elements.phone", True),
    Element(36, "complaint_phone", "监督电话", "elements.complaint_phone", True),
)
_ELEMENT_KEYS = frozenset(field.path.partition(".")[2] for field in FIELDS if field.path.startswith("elements."))
CONTENT = frozenset({field.path.partition(".")[0] for field in FIELDS} | {"department_id", "materials", "fees"}) | {
    "form",
    "template",
}
"""The keys of a document that people fill in; the others are kept by the rules."""
KEPT = frozenset(
    {
        "id",
        "version",
        "state",
        "previous",
        "published_at",
        "superseded_at",
        "superseded_by",
        "withdrawn_at",
        "withdrawn_by",
        "withdraw_reason",
        "updated_at",
        "updated_by",
        "origin",
        "origin_version",
        "overridden",
    }
)


@dataclass(frozen=True, slots=True)
class CodeScheme:
    """How item codes (事项编码) are built somewhere: patterns of the 实施编码 and the 基本编码.

    Where the code's pattern has a group ``basic`` the 基本编码 is that part of it, and where it has a group
    ``credit`` that is a unified social credit code (GB 32100).
    """

    id: str
    name: str
    code: str
    basic: str


CODE_SCHEMES: tuple[CodeScheme, ...] = (
    CodeScheme(
        "local",
        "区划 6 或 8 位 + 部门 2 字母-类型 2 字母-序号 4 位",
        r"\d{6}(\d{2})?[A-Z]{2}-[A-Z]{2}-\d{4}",
        r"\d{12}|[A-Z]{2}\d{8}",
    ),
    CodeScheme(
        "gbt39554",
        "GB/T 39554.1：统一社会信用代码 18 位 + 层级 1 位 + 基本编码 12 位",
        r"(?P<credit>[0-9A-Z]{18})[1-6](?P<basic>\d{12})(\d{2})?",
        r"\d{12}",
    ),
    CodeScheme(
        "gz1264",
        "DB52/T 1264：区划 6 位 + 基本编码（2 字母、5 位、3 位）",
        r"\d{6}(?P<basic>[A-Z]{2}\d{8})",
        r"[A-Z]{2}\d{8}",
    ),
)
"""Known schemes (see GB/T 39554.1-2020, DB52/T 1264-2018): a code must fit one of them."""

PLAIN_FORM: forms.Form = {
    "schema": {
        "type": "object",
        "properties": {
            "matter": {"title": "申请内容", "type": "string", "maxLength": 500, "x-lines": 4},
            "remark": {"title": "备注", "type": "string", "maxLength": 200},
        },
        "required": ["matter"],
    },
    "layout": [{"title": "申请内容", "fields": ["matter", "remark"]}],
    "fills": {},
}
"""The form of items that come without one of their own, out of a workbook or from the province."""

_GENERIC = (
    r"(?:相关|有关|必要|需要|应当|法定|证明|申请|补充|要求|规定|认为|提交|提供|报送|出具|的|须|应|可|、|，|和|及)*"
)
_THINGS = r"(?:材料|文件|资料|证件|手续|证明|证明材料|证明文件|申请材料|申报材料)?"
_CATCH_ALL = re.compile(
    rf"(?:^|.*(?:法律|法规|规章|规定|要求|认为|需要|以及|和|及|或|、|，|与|的))其[他它]{_GENERIC}{_THINGS}"
    rf"|.+等(?:其[他它]|相关|有关){_GENERIC}{_THINGS}"
    rf"|(?:法律|法规|行政法规|规章|规范性文件|国家|、|，|和|及)+(?:另有)?(?:规定|要求)的?(?:其[他它])?{_GENERIC}{_THINGS}"
)
_UNWRITABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""Characters that no sheet, page or paper can hold."""
_MONEY = re.compile(r"\d{1,9}\.\d{2}")
_ITEM_ID = re.compile(r"[a-z0-9][A-Za-z0-9._-]{0,55}(@[1-9][0-9]{0,5})?")
_ROW_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_LACKING = object()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with an item at one field, in words, with a code."""

    field: str
    words: str
    code: str


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two versions: the field's path, its words, and both values in words."""

    field: str
    name: str
    old: str
    new: str


def blank_item() -> dict[str, Any]:
    """A new item's content: all keys there, answers mostly empty. ``check_item`` says what has to be filled in."""
    doc: dict[str, Any] = {"department_id": "", "materials": [], "fees": [], "form": None, "template": "standard"}
    empty = {"text": "", "int": None, "bool": False, "choice": "", "department": ""}
    for field in FIELDS:
        if not field.path.startswith("green."):
            put(doc, field.path, empty.get(field.type, []))
    doc |= {"green": None, "class": "社会事务", "window_groups": ["A"]}
    doc["elements"] |= {"system": "", "regions": "仅本地", "channels": ["窗口办理"], "implementer_nature": "法定机关"}
    return doc


def blank_material(id: str) -> dict[str, Any]:
    """A new material of an item."""
    row = {field.path: _empty(field) for field in MATERIAL_FIELDS}
    return {"id": id, **row, "required": True, "copies": 1, "spec": "A4", "type": "原件", "source": "申请人自备"}


def blank_fee() -> dict[str, Any]:
    """A new fee of an item: nothing is charged until an amount is."""
    return {field.path: _empty(field) for field in FEE_FIELDS} | {"amount": "0.00"}


def _empty(field: Field) -> Any:
    return {"bool": False, "int": None, "words": []}.get(field.type, "")


def state_of(item: Doc) -> str:
    """The state of a version; a document without one is a published one of old."""
    return str(item.get("state") or PUBLISHED)


def state_name(state: str) -> str:
    """A version's state in the office's words."""
    names = {DRAFT: tr("草稿"), PUBLISHED: tr("已发布"), SUPERSEDED: tr("已被取代"), WITHDRAWN: tr("已停止办理")}
    return names.get(state, state)


def base_of(id: str) -> str:
    """What the ids of all versions of an item have in common."""
    return id.partition("@")[0]


def version_id(id: str, version: int) -> str:
    """The id of another version of the item that ``id`` is a version of."""
    return f"{base_of(id)}@{version}"


def first_id(code: str) -> str:
    """The id of the first version of a new item: the same for everyone who makes it, so that one is made."""
    return f"item-{re.sub('[^A-Za-z0-9.-]', '', code).lower()[:45] or 'new'}@1"


# -- reading and comparing ----------------------------------------------------------------------------


def at(doc: Mapping[str, Any], path: str) -> Any:
    """The value at a path of ``FIELDS``, or None."""
    value: Any = doc
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def put(doc: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path of ``FIELDS``, or at ``materials.<id>``, where None takes the material away."""
    head, _, rest = path.partition(".")
    if not rest:
        doc[head] = value
    elif head == "materials":
        rows = [value if row["id"] == rest else row for row in doc.get(head) or []]
        if value is not None and value not in rows:
            rows.append(value)
        doc[head] = [row for row in rows if row is not None]
    else:
        inner = dict(doc.get(head) or {})
        inner[rest] = value
        doc[head] = None if head == "green" and not any(inner.values()) else inner


def parts(item: Doc) -> dict[str, Any]:
    """An item taken apart for comparing and merging: path → value, each material one part (``materials.<id>``)."""
    found: dict[str, Any] = {}
    for key in sorted(CONTENT):
        value = item.get(key)
        if key == "materials":
            found |= {f"materials.{row['id']}": row for row in value or []}
        elif key == "elements":
            found |= {f"elements.{name}": (value or {}).get(name) for name in sorted(_ELEMENT_KEYS)}
        else:
            found[key] = value
    return found


def differing(a: Doc, b: Doc) -> list[str]:
    """The parts (see ``parts``) in which two items differ; nothing, blank and empty count as the same."""
    one, other = parts(a), parts(b)
    return [path for path in {**one, **other} if not _alike(one.get(path), other.get(path))]


def _alike(a: Any, b: Any) -> bool:
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return all(_alike(a.get(key), b.get(key)) for key in {*a, *b})
    return bool(a == b) or (a in (None, "", [], {}, False) and b in (None, "", [], {}, False))


def provincial(item: Doc) -> dict[str, Any]:
    """The item as the province last sent it: without what was edited here."""
    doc = {key: item[key] for key in CONTENT if key in item}
    for path, value in (item.get("overridden") or {}).items():
        put(doc, path, value)
    return doc


def overridden(item: Doc, province: Doc) -> dict[str, Any]:
    """What ``item`` has otherwise than ``province``: path → what the province has."""
    theirs = parts(province)
    return {path: theirs.get(path) for path in differing(item, province)}


def words(field: Field, value: Any) -> str:
    """A value as people read it."""
    labels = dict(field.options)
    if field.type == "bool":
        return tr("是") if value else tr("否")
    if isinstance(value, list):
        return "、".join(str(labels.get(entry, entry)) for entry in value)
    return "" if value is None else str(labels.get(value, value))


def element_words(item: Doc, element: Element) -> str:
    """One of the 36 elements as people read it."""
    if element.id == "materials":
        return tr("{n} 项材料", n=len(item.get("materials") or []))
    charged = [fee for fee in item.get("fees") or [] if not fee.get("free")]
    match element.id:
        case "charged":
            return tr("收费") if charged else tr("不收费")
        case "fee_standard":
            return "；".join(
                f"{fee['name']} {fee['amount']} 元{'/' if fee['unit'] else ''}{fee['unit']}" for fee in charged
            )
        case "fee_basis":
            return "；".join(dict.fromkeys(str(fee["basis"]) for fee in charged))
    return words(_BY_PATH[element.path], at(item, element.path))


def field_name(path: str, item: Doc | None = None) -> str:
    """A field's path in words: ``materials.m1.lack_days`` becomes 材料“…”：容缺补交期限."""
    if path in _BY_PATH:
        return tr(_BY_PATH[path].name)
    head, _, rest = path.partition(".")
    if head in ("materials", "fees") and rest:
        id, _, key = rest.partition(".")
        rows = (item or {}).get(head) or []
        row: Mapping[str, Any] = next((row for place, row in enumerate(rows) if id in (row.get("id"), str(place))), {})
        name = str(row.get("name") or id)
        title = tr("材料“{name}”", name=name) if head == "materials" else tr("收费“{name}”", name=name)
        fields = MATERIAL_FIELDS if head == "materials" else FEE_FIELDS
        return title + "".join(f"：{tr(field.name)}" for field in fields if field.path == key)
    heads = {
        "materials": tr("申请材料"),
        "fees": tr("收费"),
        "form": tr("申请表单"),
        "template": tr("审批流程"),
        "green": tr("绿色通道"),
        "department_id": tr("实施机构"),
        "elements": tr("要素"),
    }
    return heads.get(head, path)


def diff(a: Doc, b: Doc) -> list[Change]:
    """What differs between two versions, in the order of the fields: materials and fees field by field."""
    changes = []
    for field in FIELDS:
        old, new = at(a, field.path), at(b, field.path)
        if not _alike(old, new):
            changes.append(Change(field.path, tr(field.name), words(field, old), words(field, new)))
    changes += _row_changes("materials", MATERIAL_FIELDS, _by_id(a), _by_id(b), (a, b))
    fees = [{str(place): fee for place, fee in enumerate(item.get("fees") or [])} for item in (a, b)]
    changes += _row_changes("fees", FEE_FIELDS, fees[0], fees[1], (a, b))
    for key in ("form", "template"):
        if not _alike(a.get(key), b.get(key)):
            changes.append(Change(key, field_name(key), _digest(key, a.get(key)), _digest(key, b.get(key))))
    return changes


def _by_id(item: Doc) -> dict[str, Any]:
    return {row["id"]: row for row in item.get("materials") or []}


def _row_changes(
    head: str, fields: Sequence[Field], old: Mapping[str, Any], new: Mapping[str, Any], items: tuple[Doc, Doc]
) -> Iterator[Change]:
    for id in {**old, **new}:
        name = field_name(f"{head}.{id}", items[1] if id in new else items[0])
        if id not in old or id not in new:
            there = tr("有")
            yield Change(f"{head}.{id}", name, there if id in old else "", there if id in new else "")
            continue
        for field in fields:
            one, other = old[id].get(field.path), new[id].get(field.path)
            if not _alike(one, other):
                path = f"{head}.{id}.{field.path}"
                yield Change(path, f"{name}：{tr(field.name)}", words(field, one), words(field, other))


def _digest(key: str, value: Any) -> str:
    """A form or an approval in one line: its questions, its steps."""
    if isinstance(value, str) or not value:
        return str(value or "")
    if key == "form":
        titles = [str(prop.get("title", name)) for name, prop in value.get("schema", {}).get("properties", {}).items()]
        return tr("{n} 个栏目：{titles}", n=len(titles), titles="、".join(titles))
    return " → ".join(str(step.get("name", "")) for step in value.get("steps", []))


def current(items: Iterable[Doc]) -> list[Doc]:
    """Per code the newest version that has ever been published, where it still is: at most one, by code."""
    newest: dict[str, Doc] = {}
    for item in items:
        known = newest.get(item["code"])
        if state_of(item) != DRAFT and (known is None or _rank(item) > _rank(known)):
            newest[item["code"]] = item
    return [newest[code] for code in sorted(newest) if state_of(newest[code]) == PUBLISHED]


def _rank(item: Doc) -> tuple[int, str]:
    return item["version"], item["id"]


def offered(items: Iterable[Doc], *, codes: Sequence[str] = ("*",), departments: Sequence[str] = ()) -> list[Doc]:
    """What can be accepted now, pinned (绿色通道) first, then by department and name.

    ``codes``: those that a window does, ``*`` for all; ``departments``: none given means all.
    """
    found = [
        item
        for item in current(items)
        if ("*" in codes or item["code"] in codes) and (not departments or item["department_id"] in departments)
    ]
    return sorted(
        found, key=lambda item: (not (item.get("green") or {}).get("enabled"), item["department"], item["name"])
    )


def why_not_offered(item: Doc) -> str:
    """Why nothing new is accepted under this version, in words; empty where something is."""
    match state_of(item):
        case "draft":
            return tr("事项“{name}”还没有发布。", name=item["name"])
        case "superseded":
            return tr("事项“{name}”有了新版本，请按新版本受理。", name=item["name"])
        case "withdrawn":
            reason = item.get("withdraw_reason") or ""
            return tr("事项“{name}”已停止办理：{reason}", name=item["name"], reason=reason)
    return ""


def promised_days(item: Doc) -> int:
    """The working days within which a new case is to be done: the green channel's, where there is one (C29)."""
    green = item.get("green") or {}
    return int(green["promised_days"] if green.get("enabled") else item["promised_days"])


# -- checking -----------------------------------------------------------------------------------------


def check_item(doc: Any) -> list[Fault]:
    """All that keeps an item from being published; empty for a sound one.

    Codes: ACC-111 not of the shape of an item, 120 something mandatory is blank, 121 no such choice, 122 terms, 123 a
    catch-all material (兜底性条款), 124 visits, 125 what may be lacking, 126 fees, 127 form, 128 approval, 129 code,
    130 joint departments.
    """
    if faults := shape_faults(doc):
        return faults
    faults = [_blank(field.path, field.name) for field in FIELDS if field.mandatory and _is_blank(at(doc, field.path))]
    faults += _code_faults(doc)
    faults += _term_faults(doc)
    faults += _visit_faults(doc)
    faults += _joint_faults(doc)
    if not doc.get("materials"):
        faults.append(_blank("materials", "申请材料"))
    for row in doc.get("materials") or []:
        faults += _material_faults(row)
    for place, fee in enumerate(doc.get("fees") or []):
        faults += _fee_faults(f"fees.{place}", fee)
    return [*faults, *_form_faults(doc.get("form")), *_template_faults(doc.get("template"))]


def _is_blank(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _blank(path: str, name: str) -> Fault:
    return Fault(path, tr("请填写{title}。", title=tr(name)), "ACC-120")


def is_catch_all(name: str) -> bool:
    """Whether a material's name leaves open what is asked for (不能有兜底性条款)."""
    return _CATCH_ALL.fullmatch(re.sub(r"[\s。．.；;：:（）()]", "", name)) is not None


def check_code(code: str, basic: str = "") -> str:
    """What is wrong with an item's codes, in words; empty when they fit one of ``CODE_SCHEMES``."""
    for scheme in CODE_SCHEMES:
        if found := re.fullmatch(scheme.code, code):
            groups = found.groupdict()
            if credit := groups.get("credit"):
                refusal = check_credit_code(credit)
                if refusal:
                    return tr("实施编码前 18 位应为实施机构的统一社会信用代码。{why}", why=refusal.message)
            if basic and groups.get("basic") and groups["basic"] != basic:
                return tr(
                    "实施编码里的基本编码是 {inside}，与填写的 {given} 不一致。", inside=groups["basic"], given=basic
                )
            if basic and not re.fullmatch(scheme.basic, basic):
                return tr("基本编码“{code}”不合编码规则。", code=basic)
            return ""
    known = "；".join(tr(scheme.name) for scheme in CODE_SCHEMES)
    return tr("实施编码“{code}”不合任何编码规则（{known}）。", code=code, known=known)


def _code_faults(doc: Doc) -> Iterator[Fault]:
    code, basic = (str(at(doc, path) or "").strip() for path in ("code", "elements.basic_code"))
    if code and (why := check_code(code, basic)):
        yield Fault("elements.basic_code" if why.startswith(tr("基本编码")) else "code", why, "ACC-129")


def _term_faults(doc: Doc) -> Iterator[Fault]:
    promised, statutory = doc.get("promised_days"), doc.get("statutory_days")
    if promised is not None and statutory is not None and promised > statutory:
        why = tr(
            "承诺时限 {promised} 个工作日，长于法定时限 {statutory} 个工作日。", promised=promised, statutory=statutory
        )
        yield Fault("promised_days", why, "ACC-122")
    if doc.get("kind") == IMMEDIATE and promised is not None and promised > 1:
        yield Fault("promised_days", tr("即办件应当场办结，承诺时限不能超过 1 个工作日。"), "ACC-122")
    green = doc.get("green") or {}
    if green.get("enabled"):
        days = green.get("promised_days")
        if days is None:
            yield _blank("green.promised_days", "绿色通道承诺时限（工作日）")
        elif promised is not None and days > promised:
            why = tr(
                "绿色通道的时限 {green} 个工作日，长于承诺时限 {promised} 个工作日。", green=days, promised=promised
            )
            yield Fault("green.promised_days", why, "ACC-122")


def _visit_faults(doc: Doc) -> Iterator[Fault]:
    form, visits = str(doc.get("form_of_application")), doc.get("visits")
    if form in MOST_VISITS and visits is not None and visits > MOST_VISITS[form]:
        why = tr(
            "申请形式为“{form}”，到现场最多 {most} 次，现为 {visits} 次。",
            form=form,
            most=MOST_VISITS[form],
            visits=visits,
        )
        yield Fault("visits", why, "ACC-124")


def _joint_faults(doc: Doc) -> Iterator[Fault]:
    joint = doc.get("joint_departments") or []
    if doc.get("kind") == JOINT and not joint:
        yield Fault("joint_departments", tr("联办件要写明联办机构。"), "ACC-130")
    if doc.get("department_id", "") in joint:
        yield Fault("joint_departments", tr("联办机构里不能再列实施机构自己。"), "ACC-130")


def _material_faults(row: Mapping[str, Any]) -> Iterator[Fault]:
    head = f"materials.{row['id']}"
    for field in MATERIAL_FIELDS:
        if field.mandatory and _is_blank(row.get(field.path)):
            yield _blank(f"{head}.{field.path}", field.name)
    name = str(row.get("name") or "")
    if is_catch_all(name):
        why = tr("“{name}”没有说明究竟要什么，不能有兜底性条款。请逐项写明材料。", name=name)
        yield Fault(f"{head}.name", why, "ACC-123")
    if row.get("copies") == 0 and not row.get("electronic"):
        yield Fault(f"{head}.copies", tr("既不要纸质也不要电子的，不是材料。"), "ACC-120")
    if row.get("may_lack"):
        if not row.get("lack_days"):
            yield Fault(f"{head}.lack_days", tr("可容缺的材料要写明几个工作日内补交。"), "ACC-125")
        if _is_blank(row.get("lack_consequence")):
            yield Fault(f"{head}.lack_consequence", tr("可容缺的材料要写明逾期不补的后果。"), "ACC-125")


def _fee_faults(head: str, fee: Mapping[str, Any]) -> Iterator[Fault]:
    if _is_blank(fee.get("name")):
        yield _blank(f"{head}.name", "收费项目")
    amount = str(fee.get("amount") or "")
    if not _MONEY.fullmatch(amount):
        yield Fault(f"{head}.amount", tr("金额应写成两位小数，如 25.00。"), "ACC-126")
    elif not fee.get("free"):
        if float(amount) == 0:
            yield Fault(f"{head}.amount", tr("收费的项目金额不能是 0；不收的请选免收。"), "ACC-126")
        if _is_blank(fee.get("basis")):
            yield Fault(f"{head}.basis", tr("收费要写明依据。"), "ACC-126")


def _form_faults(form: Any) -> Iterator[Fault]:
    if not form:
        yield Fault("form", tr("还没有申请表单。"), "ACC-127")
        return
    if why := _form_words(json.dumps(form, sort_keys=True)):
        yield Fault("form", why, "ACC-127")


@lru_cache(maxsize=512)
def _form_words(text: str) -> str:
    """What is wrong with a form, once per form: whole catalogues share a few."""
    try:
        forms.check_form(json.loads(text))
    except GovDeskError as error:
        return error.message
    return ""


def _template_faults(template: Any) -> Iterator[Fault]:
    if not template:
        yield Fault("template", tr("还没有选审批流程。"), "ACC-128")
    elif isinstance(template, str):
        if template not in workflow.TEMPLATES:
            yield Fault("template", tr("没有叫“{name}”的审批流程。", name=template[:40]), "ACC-128")
    else:
        for why in workflow.check_template(template):
            yield Fault("template", why, "ACC-128")


def shape_faults(doc: Any) -> list[Fault]:
    """What keeps ``doc`` from being kept at all, even as a draft. Code ACC-111, ACC-121 for an unknown choice."""
    if not isinstance(doc, Mapping):
        return [_misshapen("", tr("不是事项。"))]
    if unknown := sorted(map(str, set(doc) - CONTENT - KEPT)):
        return [_misshapen(name, tr("事项里没有“{name}”这一栏。", name=name)) for name in unknown]
    for key, kind in (("elements", Mapping), ("green", Mapping), ("materials", list), ("fees", list)):
        if not isinstance(doc.get(key), kind | None):
            return [_misshapen(key, tr("“{name}”的形式不对。", name=field_name(key)))]
    faults = [
        _misshapen(f"elements.{name}", tr("事项里没有“{name}”这一栏。", name=str(name)))
        for name in doc.get("elements") or {}
        if name not in _ELEMENT_KEYS
    ]
    faults += [fault for field in FIELDS if (fault := _value_fault(field.path, field, at(doc, field.path)))]
    faults += [
        fault for fault in (_value_fault("department_id", Field("", "实施机构"), doc.get("department_id")),) if fault
    ]
    faults += _rows_shape("materials", doc.get("materials") or [], MATERIAL_FIELDS)
    faults += _rows_shape("fees", doc.get("fees") or [], FEE_FIELDS)
    if not isinstance(doc.get("form"), Mapping | None):
        faults.append(_misshapen("form", tr("“{name}”的形式不对。", name=field_name("form"))))
    if not isinstance(doc.get("template"), Mapping | str | None):
        faults.append(_misshapen("template", tr("“{name}”的形式不对。", name=field_name("template"))))
    return faults


def _misshapen(path: str, why: str) -> Fault:
    return Fault(path, why, "ACC-111")


def _rows_shape(head: str, rows: Sequence[Any], fields: Sequence[Field]) -> Iterator[Fault]:
    title = field_name(head)
    if len(rows) > MOST_ROWS:
        yield _misshapen(head, tr("“{name}”最多 {most} 行。", name=title, most=MOST_ROWS))
    seen = set()
    known = {field.path for field in fields} | ({"id"} if head == "materials" else set())
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping) or set(row) - known:
            yield _misshapen(head, tr("“{name}”的形式不对。", name=title))
            return
        id = row.get("id") if head == "materials" else str(place)
        if not isinstance(id, str) or not _ROW_ID.fullmatch(id) or id in seen:
            yield _misshapen(head, tr("第 {n} 项材料的标识不对或重复。", n=place + 1))
            return
        seen.add(id)
        for field in fields:
            if fault := _value_fault(f"{head}.{id}.{field.path}", field, row.get(field.path)):
                yield fault


def _value_fault(path: str, field: Field, value: Any) -> Fault | None:
    if value is None or (value == "" and field.type == "choice"):
        return None
    name, allowed = tr(field.name), [entry for entry, _ in field.options]
    match field.type:
        case "int":
            if type(value) is not int or not 0 <= value <= LONGEST_TERM:
                return _misshapen(path, tr("{title}应为 0 到 {most} 的整数。", title=name, most=LONGEST_TERM))
        case "bool":
            if type(value) is not bool:
                return _misshapen(path, tr("{title}应为是或否。", title=name))
        case "choice":
            if value not in allowed:
                return Fault(path, tr("{title}没有“{value}”这一选项。", title=name, value=str(value)[:40]), "ACC-121")
        case "choices" | "words" | "departments":
            if not isinstance(value, list) or not all(_is_line(entry) for entry in value):
                return _misshapen(path, tr("“{name}”的形式不对。", name=name))
            if sum(map(len, value)) > LONGEST_TEXT or len(set(value)) != len(value):
                return _misshapen(path, tr("{title}太长或有重复。", title=name))
            if field.type == "choices" and (wrong := [entry for entry in value if entry not in allowed]):
                return Fault(path, tr("{title}没有“{value}”这一选项。", title=name, value=wrong[0][:40]), "ACC-121")
        case _:
            if not isinstance(value, str):
                return _misshapen(path, tr("{title}应为文字。", title=name))
            if _UNWRITABLE.search(value):
                return _misshapen(path, tr("{title}里有看不见的控制字符，请删去重新输入。", title=name))
            if len(value) > LONGEST_TEXT:
                return _misshapen(path, tr("{title}最多 {most} 个字。", title=name, most=LONGEST_TEXT))
    return None


def _is_line(entry: Any) -> bool:
    """Whether an entry of a list is a line of text."""
    return (
        isinstance(entry, str) and entry.strip() == entry != "" and "\n" not in entry and not _UNWRITABLE.search(entry)
    )


_BY_PATH = {field.path: field for field in FIELDS}


# -- the aggregate ------------------------------------------------------------------------------------


class ItemRules:
    """The aggregate ``service_item``, one record per version: draft → published → superseded or withdrawn.

    Commands: ``item.create`` ``{item, previous}`` (a draft; ``previous``: id of the version it was copied from, or
    empty for a new item), ``item.edit`` ``{changes: {path: value}}`` (drafts; the paths of ``parts``),
    ``item.publish`` ``{}``, ``item.supersede`` ``{by}`` (id of the newer published version), ``item.withdraw``
    ``{reason}`` (a published one; cases under it go on), ``item.import`` ``{item, previous, state}`` (a whole new
    version at once, draft or published).
    """

    kind = KIND

    def refs(self, command: Command) -> Sequence[Key]:
        name = command.body.get({SUPERSEDE: "by", CREATE: "previous", IMPORT: "previous"}.get(command.type, ""))
        return [(KIND, name)] if isinstance(name, str) and name else []

    def decide(self, state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
        if not (context.actor.may(MAY_KEEP) or context.actor.may("system")):
            return forbidden(MAY_KEEP)
        if command.type in (CREATE, IMPORT):
            return _create(state, command, context)
        if state is None:
            return Refusal("ACC-101", tr("没有这个事项，或尚未传到本机。"))
        step = {EDIT: _edit, PUBLISH: _publish, SUPERSEDE: _supersede, WITHDRAW: _withdraw}.get(command.type)
        if step is None:
            return Refusal("ACC-102", tr("本程序不认识事项的“{type}”操作，请升级程序。", type=command.type))
        return step(state, command, context)

    def evolve(self, state: Doc | None, event: Event) -> Doc:
        body = event.body
        told = {"updated_at": body["at"], "updated_by": body["by"]}
        before = dict(state or {})
        match event.type:
            case "item.created" | "item.imported":
                return {**body["item"], **told}
            case "item.edited":
                for path, value in body["changes"].items():
                    put(before, path, value)
                return {**before, "overridden": body["overridden"], **told}
            case "item.published":
                return {**before, "state": PUBLISHED, "published_at": body["at"], **told}
            case "item.superseded":
                return {**before, "state": SUPERSEDED, "superseded_at": body["at"], "superseded_by": body["item"]}
            case "item.withdrawn":
                return {**before, "state": WITHDRAWN, "withdrawn_at": body["at"], "withdraw_reason": body["reason"],
                        "withdrawn_by": body["by"]}  # fmt: skip
        raise ValueError(f"unknown event {event.type}")

    def summary(self, state: Doc) -> Summary:
        found = (
            state["name"],
            state.get("short_name"),
            state["code"],
            state["department"],
            *(state.get("theme") or ()),
        )
        return Summary(state["name"], state_of(state), state["code"], search=" ".join(filter(None, found)))

    def scopes(self, state: Doc) -> frozenset[str]:
        return frozenset({"ref"})


ITEM = ItemRules()


def _told(context: Context) -> dict[str, Any]:
    return {"at": iso(context.now), "by": {"id": context.actor.id, "name": context.actor.name}}


def _create(state: Doc | None, command: Command, context: Context) -> Sequence[Event] | Refusal:
    body, id = command.body, command.aggregate_id
    if state is not None:
        return Refusal("ACC-103", tr("“{name}”的第 {version} 版已经有了，没有重复建立。", **_named(state)))
    given: Any = body.get("item")
    wanted = body.get("previous") or ""
    if faults := shape_faults(given):
        return _refusal("ACC-111", tr("事项的内容不能保存，有 {n} 处不对。", n=len(faults)), faults)
    item = {key: given[key] for key in CONTENT if key in given}
    item |= {"name": str(item.get("name") or ""), "code": str(item.get("code") or "")}
    item |= {"department": str(item.get("department") or ""), "department_id": str(item.get("department_id") or "")}
    previous = context.refs.get((KIND, str(wanted))) if wanted else None
    if wanted and previous is None:
        return Refusal("ACC-104", tr("没有所依据的那一版事项，或尚未传到本机。"))
    version = previous["version"] + 1 if previous else 1
    fitting = version_id(previous["id"], version) if previous else version_id(id, 1)
    if not _ITEM_ID.fullmatch(id) or id not in (fitting, base_of(id) if version == 1 else fitting):
        return Refusal("ACC-105", tr("版本号应为 {version}。请刷新后重试。", version=version))
    if previous and previous["code"] != item["code"]:
        return Refusal("ACC-106", tr("新版本的实施编码应与原来的 {code} 相同。", code=previous["code"]))
    origin = _origin(given, previous, item)
    new = {**item, **origin, "id": id, "version": version, "previous": wanted, "state": DRAFT}
    told = _told(context)
    if command.type == CREATE:
        return [Event("item.created", {**told, "item": new})]
    if body.get("state", DRAFT) not in (DRAFT, PUBLISHED):
        return Refusal("ACC-102", tr("本程序不认识事项的“{type}”操作，请升级程序。", type=str(body["state"])))
    if body.get("state") == PUBLISHED:
        if faults := check_item(new):
            return _incomplete(new, faults)
        new |= {"state": PUBLISHED, "published_at": told["at"]}
    return [Event("item.imported", {**told, "item": new})]


def _origin(given: Doc, previous: Doc | None, item: Doc) -> dict[str, Any]:
    """Where an item comes from, and what of it was edited here since the province last sent it."""
    news = given.get("origin") == PROVINCE and (
        previous is None or given.get("origin_version") != previous.get("origin_version")
    )
    if news:
        kept = given.get("overridden")
        return {
            "origin": PROVINCE,
            "origin_version": given.get("origin_version"),
            "overridden": dict(kept) if isinstance(kept, Mapping) else {},
        }
    if previous and previous.get("origin") == PROVINCE:
        return {
            "origin": PROVINCE,
            "origin_version": previous.get("origin_version"),
            "overridden": overridden(item, provincial(previous)),
        }
    return {"origin": LOCAL, "origin_version": None, "overridden": {}}


def _edit(state: Doc, command: Command, context: Context) -> Sequence[Event] | Refusal:
    if state_of(state) != DRAFT:
        return _fixed(state)
    changes = command.body.get("changes")
    if not isinstance(changes, Mapping) or not changes:
        return Refusal("ACC-107", tr("没有要改的内容。"))
    edited = dict(state)
    for path, value in changes.items():
        head, _, rest = str(path).partition(".")
        deep = (head == "elements" and rest in _ELEMENT_KEYS) or (head == "materials" and bool(_ROW_ID.fullmatch(rest)))
        if not (deep or (not rest and head in CONTENT and head != "elements")):
            return Refusal("ACC-107", tr("事项里没有“{name}”这一栏。", name=str(path)))
        if (
            head == "materials"
            and rest
            and not (value is None or (isinstance(value, Mapping) and value.get("id") == rest))
        ):
            return Refusal("ACC-107", tr("“{name}”的形式不对。", name=field_name("materials")))
        put(edited, str(path), value)
    if edited.get("code") != state["code"] and (state["version"] > 1 or state.get("origin") == PROVINCE):
        return Refusal("ACC-106", tr("新版本的实施编码应与原来的 {code} 相同。", code=state["code"]))
    if faults := shape_faults(edited):
        return _refusal("ACC-111", tr("事项的内容不能保存，有 {n} 处不对。", n=len(faults)), faults)
    kept = overridden(edited, provincial(state)) if state.get("origin") == PROVINCE else {}
    return [Event("item.edited", {**_told(context), "changes": dict(changes), "overridden": kept})]


def _publish(state: Doc, command: Command, context: Context) -> Sequence[Event] | Refusal:
    if state_of(state) != DRAFT:
        return _fixed(state)
    if faults := check_item(state):
        return _incomplete(state, faults)
    return [Event("item.published", _told(context))]


def _supersede(state: Doc, command: Command, context: Context) -> Sequence[Event] | Refusal:
    if state_of(state) != PUBLISHED:
        return _fixed(state)
    newer = context.refs.get((KIND, str(command.body.get("by"))))
    if (
        newer is None
        or newer["code"] != state["code"]
        or newer["version"] <= state["version"]
        or state_of(newer) != PUBLISHED
    ):
        return Refusal("ACC-108", tr("没有已发布的更新版本，“{name}”第 {version} 版照旧有效。", **_named(state)))
    return [Event("item.superseded", {**_told(context), "item": newer["id"]})]


def _withdraw(state: Doc, command: Command, context: Context) -> Sequence[Event] | Refusal:
    if state_of(state) != PUBLISHED:
        return _fixed(state)
    reason = command.body.get("reason")
    if not isinstance(reason, str) or not 1 <= len(reason.strip()) <= 500:
        fault = tr("请写明停止办理的原因，最多 500 个字。")
        return Refusal("ACC-109", fault, {"reason": fault})
    return [Event("item.withdrawn", {**_told(context), "reason": reason.strip()})]


def _named(item: Doc) -> dict[str, Any]:
    return {"name": item["name"], "version": item["version"]}


def _fixed(state: Doc) -> Refusal:
    """A draft is no longer one, or a version is no longer in force."""
    shown = state_name(state_of(state))
    if state_of(state) == DRAFT:
        return Refusal("ACC-112", tr("“{name}”第 {version} 版还是草稿，没有发布过。", **_named(state)))
    return Refusal(
        "ACC-113",
        tr("“{name}”第 {version} 版{state}，不能再改。要改请建立新版本。", **_named(state), state=shown),
    )


def _incomplete(item: Doc, faults: Sequence[Fault]) -> Refusal:
    return _refusal(
        "ACC-110", tr("“{name}”还不能发布，有 {n} 处要补充或更正。", name=item["name"], n=len(faults)), faults
    )


def _refusal(code: str, sentence: str, faults: Sequence[Fault]) -> Refusal:
    fields: dict[str, str] = {}
    for fault in faults:
        fields.setdefault(fault.field, fault.words)
    return Refusal(code, sentence, fields)
