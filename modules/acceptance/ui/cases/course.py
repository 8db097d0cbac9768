"""过程: the steps of the approval as one line, who holds it, and what happened, newest first."""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from client.widgets.basics import IconLabel, Label
from client.widgets.flow import flowing
from client.widgets.theme import set_role, theme
from modules.acceptance.domain.cases import card_name, node_name, step_due
from modules.acceptance.ui.cases.looks import Sheet
from modules.acceptance.ui.work import when
from modules.common import workflow
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import parse_iso
from modules.common.text import tr

_STEPS = {
    "passed": ("good", "check"),
    "rejected": ("red", "circle-x"),
    "skipped": ("quiet", "skip-forward"),
    "waiting": ("quiet", "clock"),
}


class CourseTab(QWidget):
    """The way of a case so far, and where it stands."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._key: object = None
        self._line: QWidget | None = None
        self.standing = Label("", wrap=True)
        self.sheet = Sheet(tr("过程"))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, theme().space(3), 0, 0)
        self._column.setSpacing(theme().space(2))
        self._column.addWidget(self.standing)
        self._column.addWidget(self.sheet, 1)

    def show_case(self, case: Doc, now: datetime, calendar: WorkCalendar) -> None:
        """Show a case's course."""
        self._show_steps(case.get("flow"))
        words = where_it_stands(case, now, calendar)
        self.standing.setText(words)
        self.standing.setVisible(bool(words))
        self.sheet.show_rows(_rows(case, now))

    def _show_steps(self, flow: Doc | None) -> None:
        key = (workflow.progress(flow), flow["status"]) if flow else None
        if key == self._key:
            return
        self._key = key
        if self._line is not None:
            self._column.removeWidget(self._line)
            self._line.hide()
            self._line.deleteLater()
            self._line = None
        if flow is None:
            return
        parts: list[QWidget] = []
        for name, way in workflow.progress(flow):
            if parts:
                parts.append(_arrow())
            parts.append(_Step(*_look(way, flow["status"]), _step_words(name, way, flow["status"])))
        self._line = flowing(*parts)
        self._line.setAccessibleName(tr("审批环节"))
        self._column.insertWidget(0, self._line)


def _arrow() -> Label:
    arrow = Label("→", "quiet")
    arrow.setAlignment(Qt.AlignmentFlag.AlignVCenter)
    return arrow


class _Step(QWidget):
    """One step by colour, shape and word."""

    def __init__(self, state: str, icon: str, words: str) -> None:
        super().__init__()
        color = theme().state(state)[0]
        label = Label(words)
        set_role(label, "state", state=state)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme().space(1))
        row.addWidget(IconLabel(icon, color, 16))
        row.addWidget(label)
        self.setAccessibleName(words)


def _look(way: str, status: str) -> tuple[str, str]:
    if way == "current":
        return ("paused", "pause") if status == workflow.SUSPENDED else ("info", "play")
    return _STEPS.get(way, ("quiet", "clock"))


def _step_words(name: str, way: str, status: str) -> str:
    now = tr("已挂起") if status == workflow.SUSPENDED else tr("办理中")
    words = {"passed": tr("已完成"), "rejected": tr("不予"), "skipped": tr("已跳过"), "current": now}
    return f"{name} {words.get(way, tr('未到'))}"


def where_it_stands(case: Doc, now: datetime, calendar: WorkCalendar) -> str:
    """Who holds the case, by when the step is due, what it waits for."""
    flow = case.get("flow")
    if not flow or flow["status"] not in (workflow.RUNNING, workflow.SUSPENDED):
        return ""
    parts = []
    if stopped := flow["suspended"]:
        parts.append(tr("自 {since} 起挂起：{reason}", since=stopped["since"], reason=stopped["reason"].rstrip("。")))
    names = workflow.holders(flow)
    if names:
        parts.append(tr("现由{names}办理", names="、".join(names)))
    if due := step_due(case, calendar):
        parts.append(tr("本环节 {date} 前办完", date=due.isoformat()))
    if asked := flow["extension"]:
        words = tr("{name}申请延期 {n} 个工作日，等待批复", name=asked["by"]["name"], n=asked["days"])
        parts.append(f"{words}：{asked['reason'].rstrip('。')}")
    return "；".join(parts) + "。" if parts else ""


def _rows(case: Doc, now: datetime) -> list[tuple[str, str]]:
    def at(moment: str) -> str:
        return when(parse_iso(moment), now)

    rows = [(tr("经过"), "")]
    rows += [(at(line["at"]), f"{line['by']['name']} · {line['text']}") for line in reversed(case["history"])]
    groups: list[tuple[str, list[tuple[str, str]]]] = [
        (
            tr("督办牌"),
            [
                (
                    at(card["at"]),
                    tr(
                        "{card}，应办结日期 {due}，已告知{names}",
                        card=card_name(card["level"]),
                        due=card["due"],
                        names="、".join(one["name"] for one in card["to"]) or tr("（无人）"),
                    ),
                )
                for card in case["cards"]
            ],
        ),
        (tr("催办"), [(at(one["at"]), f"{one['by']['name']} · {one['text'] or tr('催办')}") for one in case["urges"]]),
        (
            tr("扫码"),
            [
                (at(mark["at"]), f"{node_name(scan['node'])} · {mark['by']['name']} · {mark['place']}")
                for scan in case["scans"]
                for mark in (scan, *scan["again"])
            ],
        ),
        (tr("材料移交"), [(at(one["at"]), _handed(case, one, now)) for one in case["handovers"]]),
        (
            tr("移交部门"),
            [
                (
                    at(one["at"]),
                    tr(
                        "{name}由{before}移交{after}：{reason}",
                        name=one["by"]["name"],
                        before=one["from"]["name"],
                        after=one["to"]["name"],
                        reason=one["reason"],
                    ),
                )
                for one in case["transfers"]
            ],
        ),
    ]
    for title, lines in groups:
        if lines:
            rows += [(title, ""), *reversed(lines)]
    return rows


def _handed(case: Doc, entry: Doc, now: datetime) -> str:
    names = {material["id"]: material["name"] for material in case["materials"]}
    what = "、".join(names.get(id, id) for id in entry["materials"])
    sent = tr("{name}移交{to}：{what}", name=entry["by"]["name"], to=entry["to"]["name"], what=what)
    if entry["received_at"]:
        at = when(parse_iso(entry["received_at"]), now)
        return tr("{sent}；{name}{at}接收", sent=sent, name=entry["received_by"]["name"], at=at)
    return tr("{sent}；尚未接收", sent=sent)
