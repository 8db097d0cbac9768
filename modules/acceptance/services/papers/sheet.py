"""What stands on a paper, before it is a PDF, a Word file, a workbook or a web page.

A ``Sheet`` is plain data: four setters make the same content of it, and a test reads it without any of them.
The words are in ``resources/templates/*.json``; what is written on paper stays Chinese whatever the window's
language. Requirements C28, C39, C41, D02.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from modules.acceptance.domain.cases import APPROVED, PAPER
from modules.common.aggregate import Doc
from modules.common.clock import CHINA, parse_iso
from modules.common.codes import masked
from modules.common.text import RESOURCES

RECEIPT, CORRECTION, DECLINE, PROVISIONAL, COLLECTION = "receipt", "correction", "decline", "provisional", "collection"
KINDS = (RECEIPT, CORRECTION, DECLINE, PROVISIONAL, COLLECTION)
METHODS = {"window": "窗口领取", "agent": "他人代领", "post": "邮寄送达"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when a paper is made. ``copy``: 0 for the first print, 1 for the first reprint …"""

    hall: str
    phone: str
    printed_at: datetime
    copy: int = 0


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph. ``style``: salutation, body (first line indented), heading, line."""

    text: str
    style: str = "line"


@dataclass(frozen=True, slots=True)
class Facts:
    """Pairs of label and value, set two pairs to a line."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. ``widths`` are millimetres (166 in all); ``aligns``: left, center or right by column."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    widths: Sequence[float]
    aligns: Sequence[str]
    total: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Signatures:
    """Who signs at the left, who seals at the right."""

    left: str
    right: str


Block = Words | Facts | Grid | Signatures


@dataclass(frozen=True, slots=True)
class Sheet:
    """One paper. ``number`` may be empty where none was given; the codes are left out then."""

    kind: str
    hall: str
    title: str
    number: str
    case_id: str
    subject: str
    blocks: Sequence[Block]
    foot: str


def title_of(kind: str) -> str:
    """A paper's name as it stands on it."""
    return str(_template(kind)["title"])


def available(case: Doc) -> tuple[str, ...]:
    """The papers that a case has reason for, in the order in which they come about."""
    reasons = {
        CORRECTION: case.get("correction"),
        DECLINE: case.get("decline"),
        RECEIPT: case.get("accepted_at"),
        PROVISIONAL: case.get("provisional"),
        COLLECTION: case.get("decision") and case["state"] in ("decided", "issued", "closed"),
    }
    return tuple(kind for kind, reason in reasons.items() if reason)


def sheet_of(kind: str, case: Doc, origin: Origin) -> Sheet:
    """The content of a paper. Raises ``KeyError`` for a kind that ``available`` does not name."""
    words = _template(kind)
    blocks = {
        RECEIPT: _receipt,
        CORRECTION: _correction,
        DECLINE: _decline,
        PROVISIONAL: _provisional,
        COLLECTION: _collection,
    }[kind](case, origin, words)
    printed = origin.printed_at.astimezone(CHINA)
    copy = f"  第 {origin.copy} 次补打" if origin.copy else ""
    number = str(case.get("number") or "")
    return Sheet(
        kind=kind,
        hall=origin.hall,
        title=str(words["title"]),
        number=number,
        case_id=case["id"],
        subject=case["item"]["name"],
        blocks=[Words(f"{case['applicant']['name']}：", "salutation"), *blocks],
        foot=f"{number}  打印于 {printed:%Y-%m-%d %H:%M}{copy}".strip(),
    )


def day(moment: date) -> str:
    """A date as documents write it (GB/T 9704-2012, 7.3.5.4): without zeros."""
    return f"{moment.year}年{moment.month}月{moment.day}日"


@cache
def _template(kind: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((RESOURCES / "templates" / f"{kind}.json").read_text("utf-8"))
    return loaded


def _local(text: str) -> datetime:
    return parse_iso(text).astimezone(CHINA)


def _who(case: Doc) -> list[tuple[str, str]]:
    """Applicant and item: the same at the head of every paper."""
    applicant, item = case["applicant"], case["item"]
    return [
        ("申请人", applicant["name"]),
        ("证件号码", masked(applicant["id_number"])),
        ("事项名称", item["name"]),
        ("联系电话", applicant["phone"]),
        ("事项编码", item["code"]),
        ("承办部门", item["department"]),
    ]


def _numbered(lines: Sequence[str]) -> list[Words]:
    return [Words(f"{place}. {line}") for place, line in enumerate(lines, 1)]


def _said(words: Mapping[str, Any], key: str, **values: Any) -> list[str]:
    return [sentence.format(**values) for sentence in words[key]]


def _phone(words: Mapping[str, Any], origin: Origin) -> str:
    return str(words["phone"]).format(phone=origin.phone) if origin.phone else ""


def _sealed(case: Doc, origin: Origin, seal: str, moment: str, left: str) -> Signatures:
    return Signatures(left, f"{origin.hall}\n（{seal}）\n{day(_local(moment).date())}")


def _receipt(case: Doc, origin: Origin, words: Mapping[str, Any]) -> list[Block]:
    item, accepted = case["item"], _local(case["accepted_at"])
    due = date.fromisoformat(case["due"]["date"])
    promised = day(due) + ("（暂定）" if case["due"]["provisional"] else "")
    values = {
        "item": item["name"],
        "accepted": day(accepted.date()),
        "department": item["department"],
        "days": item["promised_days"],
        "hall": origin.hall,
        "place": case["place"] or "受理窗口",
        "phone": _phone(words, origin),
    }
    pairs = [
        *_who(case),
        ("办件类型", item["kind"]),
        ("受理窗口", case["place"]),
        ("受理时间", f"{day(accepted.date())} {accepted:%H:%M}"),
        ("受理人", case["accepted_by"]["name"]),
        ("承诺时限", f"{item['promised_days']} 个工作日"),
        ("应办结日期", promised),
    ]
    following = _said(words, "immediate" if item["kind"] == "即办件" else "next", **values)
    if case["due"]["provisional"]:
        following.append(words["provisional"])
    if case.get("provisional"):
        following.append(words["lacking"])
    return [
        Words(words["opening"].format(**values), "body"),
        Facts(pairs),
        Words("一、收取材料", "heading"),
        _materials(case),
        Words("二、后续事项", "heading"),
        *_numbered(following),
        _sealed(case, origin, "受理专用章", case["accepted_at"], words["sign"]),
    ]


def _materials(case: Doc) -> Grid:
    received = [material for material in case["materials"] if not material.get("lacking")]
    rows = [
        [
            str(place),
            material["name"],
            "纸质" if material["kind"] == PAPER else "电子",
            str(material["pages"]),
        ]
        for place, material in enumerate(received, 1)
    ]
    pages = str(sum(material["pages"] for material in received))
    return Grid(
        head=["序号", "材料名称", "形式", "页数"],
        rows=rows,
        widths=[16, 108, 22, 20],
        aligns=["center", "left", "center", "right"],
        total=["", f"合计 {len(received)} 种", "", pages],
    )


def _correction(case: Doc, origin: Origin, words: Mapping[str, Any]) -> list[Block]:
    told = case["correction"]
    values = {"item": case["item"]["name"], "day": day(_local(told["at"]).date()), "hall": origin.hall,
              "n": len(told["items"]), "phone": _phone(words, origin)}  # fmt: skip
    rows = [[str(place), entry["about"], entry["text"]] for place, entry in enumerate(told["items"], 1)]
    return [
        Words(words["opening"].format(**values), "body"),
        Facts(_who(case)),
        Words(words["list"], "heading"),
        Grid(["序号", "内容", "应当如何补正"], rows, [16, 50, 100], ["center", "left", "left"]),
        Words("说明", "heading"),
        *_numbered(_said(words, "next", **values)),
        _sealed(case, origin, "政务服务专用章", told["at"], words["sign"]),
    ]


def _decline(case: Doc, origin: Origin, words: Mapping[str, Any]) -> list[Block]:
    declined = case["decline"]
    values = {"item": case["item"]["name"], "day": day(_local(declined["at"]).date()), "ground": declined["ground"],
              "text": declined["text"].rstrip("。"), "phone": _phone(words, origin)}  # fmt: skip
    return [
        Facts(_who(case)),
        *(Words(sentence, "body") for sentence in _said(words, "body", **values)),
        Words(words["remedy"], "body"),
        _sealed(case, origin, "政务服务专用章", declined["at"], words["sign"]),
    ]


def _provisional(case: Doc, origin: Origin, words: Mapping[str, Any]) -> list[Block]:
    lacking = case["provisional"]["materials"]
    values = {"item": case["item"]["name"], "day": day(_local(case["accepted_at"]).date()), "n": len(lacking),
              "hall": origin.hall, "phone": _phone(words, origin)}  # fmt: skip
    rows = [
        [str(place), entry["name"], day(date.fromisoformat(entry["by"])), entry["consequence"]]
        for place, entry in enumerate(lacking, 1)
    ]
    return [
        Words(words["opening"].format(**values), "body"),
        Facts([*_who(case), ("办件编号", case["number"]), ("受理窗口", case["place"])]),
        Words(words["list"], "heading"),
        Grid(["序号", "所缺材料", "最迟补交日期", "逾期后果"], rows, [14, 62, 34, 56], ["center", *["left"] * 3]),
        Words("说明", "heading"),
        *_numbered(_said(words, "next", **values)),
        Words(words["promise"], "body"),
        _sealed(case, origin, "受理专用章", case["accepted_at"], words["sign"]),
    ]


def _collection(case: Doc, origin: Origin, words: Mapping[str, Any]) -> list[Block]:
    decision, result, taken = case["decision"], case.get("result") or {}, case.get("collected") or {}
    values = {"item": case["item"]["name"], "department": case["item"]["department"],
              "result": "准予" if decision["result"] == APPROVED else "不予"}  # fmt: skip
    pairs = [
        *_who(case),
        ("办理结果", values["result"]),
        ("决定日期", day(_local(decision["at"]).date())),
        ("结果名称", str(result.get("kind") or words["result"])),
        ("结果文号", str(result.get("number") or "")),
        ("送达方式", METHODS.get(str(taken.get("method")), "")),
        ("领取人", str(taken.get("by") or "")),
        ("领取人证件", masked(str(taken["id_number"])) if taken.get("id_number") else ""),
        ("领取时间", f"{_local(taken['at']):%Y-%m-%d %H:%M}" if taken else ""),
    ]
    opinion = decision.get("opinion", "")
    return [
        Words(words["opening"].format(**values), "body"),
        Facts(pairs),
        *([Words(words["opinion"].format(opinion=opinion), "body")] if opinion else []),
        *([Words(words["remedy"], "body")] if decision["result"] != APPROVED else []),
        _sealed(case, origin, "政务服务专用章", taken.get("at") or decision["at"], words["sign"]),
    ]
