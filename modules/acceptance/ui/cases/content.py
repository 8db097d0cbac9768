"""内容: what was asked for, by whom, and how it stands. The applicant's numbers are covered until somebody asks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from client.widgets.basics import LinkButton
from modules.acceptance.domain.cases import (
    AGENT_FORM,
    APPLICANT_FORM,
    WINDOW,
    method_name,
    open_gaps,
    result_name,
)
from modules.acceptance.ui.cases.looks import Sheet
from modules.acceptance.ui.work import when
from modules.common import forms
from modules.common.aggregate import Doc
from modules.common.clock import parse_iso
from modules.common.codes import masked
from modules.common.text import aside, together, tr

log = logging.getLogger(__name__)
Rows = list[tuple[str, str]]


class ContentTab(QWidget):
    """The application. ``reveal`` (显示) uncovers the applicant of this one case, until another is shown; its owner
    finds a place for it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._case: Doc | None = None
        self._item: Doc | None = None
        self._now: datetime | None = None
        self._open = False
        self.reveal = LinkButton(tr("显示"))
        self.reveal.setToolTip(tr("显示证件号和电话"))
        self.reveal.setAccessibleDescription(self.reveal.toolTip())
        self.sheet = Sheet(tr("内容"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.sheet, 1)
        self.reveal.clicked.connect(self._reveal)

    def show_case(self, case: Doc, item: Doc | None, now: datetime) -> None:
        """Show a case; another one is covered again."""
        if self._case is None or self._case["id"] != case["id"]:
            self._open = False
        self._case, self._item, self._now = case, item, now
        self._show()

    @Slot()
    def _reveal(self) -> None:
        if self._case is None:
            return
        self._open = not self._open
        if self._open:
            # who looked is a matter of this computer's log: the case's own history is of what was done with it
            log.info("applicant uncovered", extra={"case": self._case["id"]})
        self._show()

    def _show(self) -> None:
        if self._case is None or self._now is None:
            return
        self.reveal.set_label(tr("遮住") if self._open else tr("显示"))
        self.sheet.show_rows(rows(self._case, self._item, self._now, covered=not self._open))


def rows(case: Doc, item: Doc | None, now: datetime, *, covered: bool) -> Rows:
    """All that is known of a case beside its materials and its course."""
    found: Rows = [(tr("申请人"), "")]
    applicant = dict(case["applicant"])
    agent = applicant.pop("agent", None)
    found += _values(APPLICANT_FORM, _cover(applicant) if covered else applicant)
    if agent:
        found += [(tr("代理人"), ""), *_values(AGENT_FORM, _cover(agent) if covered else agent)]
    if item is not None:
        for group in item["form"]["layout"]:
            shown = _values({**item["form"], "layout": [group]}, case["form"])
            found += [(tr(group["title"]) if group["title"] else tr("表单"), ""), *shown] if shown else []
    elif case["form"]:
        found += [(tr("表单"), ""), *((name, str(value)) for name, value in case["form"].items())]
    return [*found, *_handling(case, now), *_before(case, now), *_ending(case, now)]


def _cover(values: Mapping[str, Any]) -> dict[str, Any]:
    phone = str(values.get("phone", ""))
    covered = {"id_number": masked(str(values.get("id_number", "")))}
    covered["phone"] = f"{phone[:3]}{'*' * (len(phone) - 7)}{phone[-4:]}" if len(phone) > 7 else "*" * len(phone)
    return {**values, **covered}


def _values(form: forms.Form, values: Mapping[str, Any]) -> Rows:
    properties = form["schema"]["properties"]
    return [
        (tr(properties[name]["title"]), forms.shown(properties[name], values[name]))
        for group in form["layout"]
        for name in group["fields"]
        if values.get(name) not in (None, "", [])
    ]


def _handling(case: Doc, now: datetime) -> Rows:
    item, due = case["item"], case["due"]
    found = [
        (tr("事项"), together(item["name"], aside(item["code"]))),
        (tr("承办部门"), item["department"]),
        (tr("联办部门"), "、".join(unit["name"] for unit in item.get("joint", ()))),
        (tr("来源"), tr("网上申请") if case["source"] == "online" else ""),
        (tr("受理窗口"), case["place"]),
        (tr("受理"), _by(case["accepted_at"], case["accepted_by"], now)),
        (tr("排队号"), case["ticket"]["number"] if case["ticket"] else ""),
        (tr("应办结"), due["date"] + (tr("（暂定）") if due["provisional"] else "") if due else ""),
    ]
    if case["green"]:
        green = item.get("green") or {}
        words = (
            tr("是，{n} 个工作日（普通 {m} 个）", n=green["promised_days"], m=green["ordinary_days"])
            if {"promised_days", "ordinary_days"} <= set(green)
            else tr("是")
        )
        found.append((tr("绿色通道"), words))
    if case["accepted_at"] and "visits" in item:
        found.append((tr("到场次数"), tr("{n} 次（承诺最多 {most} 次）", n=case["visits"], most=item["visits"])))
    if decision := case["decision"]:
        words = result_name(decision["result"])
        opinion = decision["opinion"]
        found.append((tr("决定"), tr("{result}：{opinion}", result=words, opinion=opinion) if opinion else words))
    return [(tr("办理"), ""), *(row for row in found if row[1])]


def _before(case: Doc, now: datetime) -> Rows:
    found: Rows = []
    if correction := case["correction"]:
        found += [(tr("补正告知"), ""), (tr("告知"), _by(correction["at"], correction["by"], now))]
        found += [(str(entry["about"]), str(entry["text"])) for entry in correction["items"]]
        answered = correction["answered_at"]
        found.append((tr("补正"), when(parse_iso(answered), now) if answered else tr("尚未补正")))
    if decline := case["decline"]:
        found += [(tr("不予受理"), ""), (tr("依据"), decline["ground"]), (tr("理由"), decline["text"])]
        found.append((tr("决定"), _by(decline["at"], decline["by"], now)))
    if provisional := case["provisional"]:
        waiting = {entry["id"] for entry in open_gaps(case)}
        found.append((tr("容缺受理"), ""))
        for entry in provisional["materials"]:
            if entry["id"] in waiting:
                words = tr("{by} 前补交，{consequence}", by=entry["by"], consequence=entry["consequence"])
            else:
                words = (
                    tr("已于{at}补交", at=when(parse_iso(entry["supplied_at"]), now)) if entry["supplied_at"] else ""
                )
            found.append((entry["name"], words or tr("已补交")))
    return found


def _ending(case: Doc, now: datetime) -> Rows:
    found: Rows = []
    if result := case["result"]:
        words = together(result["kind"], aside(result["number"])) if result["number"] else result["kind"]
        found.append((tr("结果"), words))
    if collected := case["collected"]:
        method = method_name(collected["method"])
        who = collected["by"] if collected["method"] == WINDOW else f"{collected['by']} {collected.get('tracking', '')}"
        found.append((tr("领取"), tr("{method} · {who} · {at}", method=method, who=who.strip(),
                                     at=when(parse_iso(collected["at"]), now))))  # fmt: skip
    if case["closed_at"]:
        found.append((tr("办结"), _by(case["closed_at"], case["closed_by"], now)))
    if rating := case["rating"]:
        words = tr("{n} 星", n=rating["stars"])
        more = "；".join(filter(None, (*rating["reasons"], rating["text"])))
        found.append((tr("评价"), tr("{stars}：{text}", stars=words, text=more) if more else words))
    return [(tr("结果与评价"), ""), *found] if found else []


def _by(at: str | None, who: Doc | None, now: datetime) -> str:
    if not at:
        return ""
    moment = when(parse_iso(at), now)
    return tr("{name} · {at}", name=who["name"], at=moment) if who else moment
