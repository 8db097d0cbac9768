"""What has to be asked before a command is given: the fields, what will happen, and the command's body from them.

One function for each command that asks anything; a dialog and a test read the same ``Ask``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modules.acceptance.domain.cases import (
    AGENT,
    COLLECT,
    ELECTRONIC,
    HAND_OVER,
    INVITE,
    ISSUE,
    LONGEST_TEXT,
    NODES,
    PAPER,
    POST,
    SCAN,
    SUPPLY,
    SUPPLY_LACKING,
    TAKE_OVER,
    TRANSFER,
    VOID,
    WINDOW,
    WITHDRAW,
    Offer,
    method_name,
    node_name,
    open_gaps,
    paper_at,
)
from modules.acceptance.services import dictionaries
from modules.acceptance.services.case_desk import People, Person
from modules.common import forms
from modules.common.aggregate import Doc
from modules.common.text import aside, tr

Values = Mapping[str, Any]
PEOPLE = frozenset({"case.countersign", "case.delegate", "case.act_for"})
"""Commands that name persons."""
PHRASES = {
    "case.extend": dictionaries.EXTENDING,
    "case.abort": dictionaries.ABORTING,
    VOID: dictionaries.ABORTING,
    WITHDRAW: dictionaries.ABORTING,
    **dict.fromkeys(("case.return_to", "case.suspend", "case.answer_extension"), dictionaries.OPINIONS),
}
"""Whose phrases are offered."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What is known for the questions: who can be asked, which departments there are, phrases, whose side asks."""

    people: People = field(default_factory=lambda: People([]))
    departments: Sequence[Doc] = ()
    phrases: Sequence[str] = ()
    in_hall: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """A question. ``form`` is of ``modules.common.forms``; ``body`` makes the command's body of its values.

    ``into`` names the field that phrases are put into; ``card``: an identity card may fill ``by`` and ``id_number``.
    """

    action: str
    consequence: str
    form: forms.Form
    body: Callable[[Values], dict[str, Any]]
    values: Values = field(default_factory=dict)
    into: str = ""
    danger: bool = False
    card: bool = False


def ask_of(case: Doc, offer: Offer, bench: Bench) -> Ask:
    """The question of a command. Raises ``KeyError`` for one that asks nothing."""
    return _ASKS[offer.command](case, offer, bench)


def asks(command: str) -> bool:
    """Whether a command has a question."""
    return command in _ASKS


def _text(title: str, *, lines: int = 3) -> dict[str, Any]:
    return {"title": title, "type": "string", "x-lines": lines, "maxLength": LONGEST_TEXT}


def _line(title: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "type": "string", "maxLength": 60, **more}


def _choice(title: str, choices: Sequence[tuple[str, str]], **more: Any) -> dict[str, Any]:
    values, words = [value for value, _ in choices], [text for _, text in choices]
    return {"title": title, "type": "string", "enum": values, "x-labels": words, **more}


def _form(properties: Mapping[str, Any], *needed: str) -> forms.Form:
    schema = {"type": "object", "properties": dict(properties), "required": list(needed)}
    return {"schema": schema, "layout": [{"title": "", "fields": list(properties)}]}


def _same(values: Values) -> dict[str, Any]:
    return dict(values)


def _reasoned(consequence: Callable[[], str], *, danger: bool = False, title: Callable[[], str] | None = None) -> Any:
    """A question for a reason alone."""

    def make(case: Doc, offer: Offer, bench: Bench) -> Ask:
        form = _form({"reason": _text(title() if title else tr("理由"))}, "reason")
        return Ask(offer.name, consequence(), form, _same, into="reason", danger=danger)

    return make


def _plain(consequence: Callable[[], str]) -> Any:
    """A question of yes or no."""

    def make(case: Doc, offer: Offer, bench: Bench) -> Ask:
        return Ask(offer.name, consequence(), _form({}), _same)

    return make


def _return_to(case: Doc, offer: Offer, bench: Bench) -> Ask:
    fields = {"step": _choice(tr("退回到"), offer.choices), "opinion": _text(tr("退回理由"))}
    said = tr("所选环节及其后各环节都要重新办理，已签的意见保留在过程里。")
    values = {"step": offer.choices[-1][0]} if offer.choices else {}
    return Ask(offer.name, said, _form(fields, "step", "opinion"), _same, values, into="opinion")


def _persons(bench: Bench) -> list[tuple[str, str]]:
    return [(one.id, one.name + aside(one.where) if one.where else one.name) for one in bench.people.persons]


def _known(bench: Bench) -> str:
    """What has to be said of the list of persons, if anything."""
    if bench.people.offline:
        return tr("现在没有连接服务器：只列出本机见过的人。")
    return "" if bench.people.persons else tr("没有可选的人。")


def _unit(bench: Bench, id: Any) -> dict[str, str]:
    found = next((one for one in bench.people.persons if one.id == id), Person(str(id), str(id)))
    return found.unit()


def _countersign(case: Doc, offer: Offer, bench: Bench) -> Ask:
    names = {f"p{place}": one for place, one in enumerate(bench.people.persons)}
    checks = {key: {"title": _persons(bench)[place][1], "type": "boolean"} for place, key in enumerate(names)}
    ways = [("all", tr("全部")), ("one", tr("任一人")), ("some", tr("其中几人"))]
    fields = {
        "completion": _choice(tr("须签署"), ways),
        "k": {"title": tr("人数"), "type": "integer", "minimum": 1, "maximum": 50,
              "x-when": {"field": "completion", "equals": "some"}},
    }  # fmt: skip
    form = _form({**fields, **checks}, "completion", "k")
    form = {
        **form,
        "layout": [
            {"title": tr("请谁会签"), "fields": list(checks)},
            {"title": tr("怎样算完成"), "fields": list(fields)},
        ],
    }

    def body(values: Values) -> dict[str, Any]:
        how = values.get("completion")
        return {
            "persons": [one.unit() for key, one in names.items() if values.get(key)],
            "completion": values.get("k") if how == "some" else how,
        }

    said = tr("会签人提出意见之前，本环节不能签署。")
    return Ask(offer.name, "\n".join(filter(None, (said, _known(bench)))), form, body, {"completion": "all"})


def _drop(case: Doc, offer: Offer, bench: Bench) -> Ask:
    form = _form({"person": _choice(tr("减去谁"), offer.choices)}, "person")
    return Ask(offer.name, tr("不再等待此人的意见。"), form, _same, {"person": offer.choices[0][0]})


def _delegate(case: Doc, offer: Offer, bench: Bench) -> Ask:
    fields = {
        "to": _choice(tr("委托给"), _persons(bench)),
        "until": {"title": tr("截止日期"), "type": "string", "format": "date"},
    }

    def body(values: Values) -> dict[str, Any]:
        return {"to": _unit(bench, values["to"]), "until": values["until"]}

    said = tr("到截止日为止，此件由您和受委托人都可以签署，签署时写明受您委托。")
    return Ask(offer.name, "\n".join(filter(None, (said, _known(bench)))), _form(fields, "to", "until"), body)


def _act_for(case: Doc, offer: Offer, bench: Bench) -> Ask:
    flow = case["flow"]
    named = {slot["id"] for slot in flow["slots"] if "person" in slot["who"]}
    roles = [id for id, _ in offer.choices if id not in named]
    fields: dict[str, Any] = {"slot": _choice(tr("代哪一个签署位"), offer.choices)}
    needed = ["slot", "basis"]
    if roles:
        when = {"field": "slot", "in": roles}
        fields["person"] = _choice(tr("为谁代行"), _persons(bench), **{"x-when": when})
        needed.append("person")
    fields["basis"] = _text(tr("依据"))

    def body(values: Values) -> dict[str, Any]:
        made = {"slot": values["slot"], "basis": values["basis"]}
        return made | ({"person": _unit(bench, values["person"])} if values.get("person") else {})

    said = tr("签署将记为“您代某某”，并写明依据，例如何时经谁同意。代行后由您签署。")
    values = {"slot": offer.choices[0][0]} if offer.choices else {}
    return Ask(offer.name, "\n".join(filter(None, (said, _known(bench) if roles else ""))), _form(fields, *needed),
               body, values)  # fmt: skip


def _extend(case: Doc, offer: Offer, bench: Bench) -> Ask:
    fields = {
        "days": {"title": tr("延长几个工作日"), "type": "integer", "minimum": 1, "maximum": 366},
        "reason": _text(tr("理由")),
    }
    said = tr("须经决定人或负责人批复。批复之前期限不变。")
    return Ask(offer.name, said, _form(fields, "days", "reason"), _same, into="reason")


def _answer(case: Doc, offer: Offer, bench: Bench) -> Ask:
    asked = case["flow"]["extension"]
    said = tr(
        "{name}申请延期 {n} 个工作日：{reason}", name=asked["by"]["name"], n=asked["days"], reason=asked["reason"]
    )
    fields = {
        "agree": _choice(tr("批复"), [("yes", tr("同意延期")), ("no", tr("不同意延期"))]),
        "opinion": _text(tr("意见")),
    }

    def body(values: Values) -> dict[str, Any]:
        return {"agree": values["agree"] == "yes", "opinion": values.get("opinion", "")}

    return Ask(offer.name, said, _form(fields, "agree"), body, into="opinion")


def _urge(case: Doc, offer: Offer, bench: Bench) -> Ask:
    said = tr("现在的办理人将收到催办。一分钟内只能催一次。")
    return Ask(offer.name, said, _form({"text": _text(tr("催办的话（可不写）"))}), _same)


def _invite(case: Doc, offer: Offer, bench: Bench) -> Ask:
    said = tr("通知申请人带材料到场。要提醒的事请写在下面，可以不写。")
    return Ask(offer.name, said, _form({"text": _text(tr("提醒"))}), _same)


def _supply_lacking(case: Doc, offer: Offer, bench: Bench) -> Ask:
    gaps = open_gaps(case)
    fields: dict[str, Any] = {}
    for place, gap in enumerate(gaps):
        title = tr("{name}（{by} 前补交）", name=gap["name"], by=gap["by"])
        fields[f"m{place}"] = {"title": title, "type": "boolean"}
        fields[f"n{place}"] = {
            "title": tr("{name} 页数", name=gap["name"]),
            "type": "integer",
            "minimum": 1,
            "maximum": 9999,
            "x-when": {"field": f"m{place}", "equals": True},
        }
    fields["kind"] = _choice(tr("形式"), [(PAPER, tr("纸质")), (ELECTRONIC, tr("电子"))])

    def body(values: Values) -> dict[str, Any]:
        given = [
            {"id": gap["id"], "pages": values.get(f"n{place}"), "kind": values["kind"], "received": True}
            for place, gap in enumerate(gaps)
            if values.get(f"m{place}")
        ]
        return {"materials": given}

    pages = [f"n{place}" for place in range(len(gaps))]
    first = {"m0": True, "n0": 1} if len(gaps) == 1 else {}
    said = tr("补交后，因容缺而挂起的办件自动恢复办理。")
    return Ask(offer.name, said, _form(fields, "kind", *pages), body, {"kind": PAPER, **first})


def _transfer(case: Doc, offer: Offer, bench: Bench) -> Ask:
    own = case["item"]["department_id"]
    units = [(unit["id"], unit["name"]) for unit in bench.departments if unit["id"] != own]
    fields = {"department_id": _choice(tr("移交给"), units), "reason": _text(tr("理由"))}
    said = tr("由对方部门从头审批，期限照旧计算。移交后本部门不再办理此件。")
    return Ask(offer.name, said, _form(fields, "department_id", "reason"), _same, into="reason", danger=True)


def _scan(case: Doc, offer: Offer, bench: Bench) -> Ask:
    form = _form({"node": _choice(tr("环节"), [(node, node_name(node)) for node in NODES])}, "node")
    return Ask(offer.name, tr("记下此刻、此处和您的名字。"), form, _same)


def _hand_over(case: Doc, offer: Offer, bench: Bench) -> Ask:
    here, to = ("hall", "department") if bench.in_hall else ("department", "hall")
    papers = [
        material
        for material in case["materials"]
        if material["received"] and material["kind"] == PAPER and paper_at(case, material["id"]) == here
    ]
    keys = {f"m{place}": material["id"] for place, material in enumerate(papers)}
    fields = {key: {"title": papers[place]["name"], "type": "boolean"} for place, key in enumerate(keys)}

    def body(values: Values) -> dict[str, Any]:
        return {"to": to, "materials": [id for key, id in keys.items() if values.get(key)]}

    where = case["item"]["department"] if to == "department" else tr("大厅")
    said = (
        tr("勾选交给{where}的纸质材料，对方接收时再确认。", where=where)
        if papers
        else tr("此件现在没有在您处的纸质材料。")
    )
    return Ask(offer.name, said, _form(fields), body, dict.fromkeys(keys, True))


def _take_over(case: Doc, offer: Offer, bench: Bench) -> Ask:
    here = "hall" if bench.in_hall else "department"
    names = {material["id"]: material["name"] for material in case["materials"]}
    waiting = [entry for entry in case["handovers"] if not entry["received_at"]]
    waiting.sort(key=lambda entry: entry["to"]["kind"] != here)
    lists = [
        (
            entry["id"],
            tr(
                "{name}移交：{what}",
                name=entry["by"]["name"],
                what="、".join(names.get(id, id) for id in entry["materials"]),
            ),
        )
        for entry in waiting
    ]
    form = _form({"id": _choice(tr("移交清单"), lists)}, "id")
    return Ask(offer.name, tr("请当面清点，无误后接收。"), form, _same, {"id": lists[0][0]} if lists else {})


def _issue(case: Doc, offer: Offer, bench: Bench) -> Ask:
    fields = {"kind": _line(tr("结果名称")), "number": _line(tr("证照或文书编号"))}
    fields["kind"]["description"] = tr("如：营业执照")
    said = tr("登记后此件待领取，期限到此为止；将出具领取单。")
    return Ask(offer.name, said, _form(fields, "kind"), lambda values: {"number": "", **values})


def _collect(case: Doc, offer: Offer, bench: Bench) -> Ask:
    ways = [(method, method_name(method)) for method in (WINDOW, AGENT, POST)]
    hand = {"field": "method", "in": [WINDOW, AGENT]}
    fields = {
        "method": _choice(tr("领取方式"), ways),
        "by": _line(tr("领取人")),
        "id_number": _line(tr("领取人证件号码"), **{"x-when": hand}),
        "tracking": _line(tr("邮件号"), **{"x-when": {"field": "method", "equals": POST}}),
    }
    values = {"method": WINDOW, "by": case["applicant"]["name"]}
    form = _form(fields, "method", "by", "id_number", "tracking")
    return Ask(offer.name, tr("领取即办结。可刷领取人的身份证。"), form, _same, values, card=True)


_ASKS: Mapping[str, Callable[[Doc, Offer, Bench], Ask]] = {
    "case.return_to": _return_to,
    "case.take_back": _plain(lambda: tr("此件回到您这里，可以重新签署。")),
    "case.countersign": _countersign,
    "case.drop_cosigner": _drop,
    "case.delegate": _delegate,
    "case.undelegate": _plain(lambda: tr("受委托人不再能签署此件。")),
    "case.act_for": _act_for,
    "case.skip": _reasoned(lambda: tr("本环节不办理，直接进入下一环节。"), danger=True),
    "case.suspend": _reasoned(lambda: tr("挂起后停止计时，除恢复、中止和作废外都不能办理。")),
    "case.resume": _plain(lambda: tr("从今天起继续计时。")),
    "case.extend": _extend,
    "case.answer_extension": _answer,
    "case.abort": _reasoned(lambda: tr("此件到此结束，不作准予或不予的决定。不能撤回。"), danger=True),
    VOID: _reasoned(lambda: tr("此件作废，只留作记录，不能恢复。"), danger=True),
    "case.urge": _urge,
    INVITE: _invite,
    SUPPLY: _plain(lambda: tr("填写的内容没有改动，告知的各项都已补正。要修改填写的内容，请用“受理”打开此件。")),
    SUPPLY_LACKING: _supply_lacking,
    TRANSFER: _transfer,
    WITHDRAW: _reasoned(
        lambda: tr("此件按申请人的意愿结束，不能恢复。"), danger=True, title=lambda: tr("申请人撤回的原因")
    ),
    SCAN: _scan,
    HAND_OVER: _hand_over,
    TAKE_OVER: _take_over,
    ISSUE: _issue,
    COLLECT: _collect,
}
