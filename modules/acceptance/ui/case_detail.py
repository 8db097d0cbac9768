"""One case in full: what was asked for, what was handed in, what happened, and the paper of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from client.kernel.ports import Record, RefusedCommand
from client.widgets.basics import (
    Banner,
    Button,
    Card,
    ConfirmDialog,
    DangerButton,
    Label,
    PrimaryButton,
    SectionTitle,
    StateLabel,
    TextEdit,
)
from client.widgets.theme import set_role, theme
from modules.acceptance.domain.cases import (
    ACCEPT,
    ACCEPTED,
    APPLICANT_FORM,
    APPROVED,
    CLOSED,
    DECIDE,
    DECIDED,
    LONGEST_OPINION,
    PAPER,
    REJECTED,
    result_name,
    state_name,
)
from modules.acceptance.ui.work import when
from modules.common import forms
from modules.common.aggregate import Doc
from modules.common.clock import parse_iso
from modules.common.text import aside, together, tr


def case_state(case: Doc) -> tuple[str, str]:
    """A case's state for a ``StateLabel``: colour, and words that say the decision too."""
    words = state_name(case["state"])
    if case["decision"]:
        words = f"{words} · {result_name(case['decision']['result'])}"
    return {ACCEPTED: "info", DECIDED: "due", CLOSED: "good"}[case["state"]], words


def sync_state(record: Record) -> tuple[str, str]:
    """Whether the server has it all: ``offline`` 待传, ``red`` 被拒, or nothing to say."""
    if record.refused:
        return "red", tr("被拒")
    if record.pending:
        return "offline", tr("待传")
    return "", ""


class _Sheet(QScrollArea):
    """Rows of words that scroll; written anew only when they change, so that nothing jumps under the eye."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._rows: list[tuple[str, str]] | None = None
        self.setAccessibleName(name)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def show_rows(self, rows: list[tuple[str, str]]) -> None:
        """Rows of a quiet name and its words; a name alone is a heading."""
        if rows == self._rows:
            return
        self._rows = rows
        place = self.verticalScrollBar().value()
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(0, theme().space(3), theme().space(2), theme().space(3))
        grid.setHorizontalSpacing(theme().space(4))
        grid.setVerticalSpacing(theme().space(2))
        for number, (name, words) in enumerate(rows):
            if not words:
                grid.addWidget(SectionTitle(name), number, 0, 1, 2)
                continue
            grid.addWidget(Label(name, "quiet"), number, 0, Qt.AlignmentFlag.AlignTop)
            value = Label(words, wrap=True, selectable=True)
            value.setAccessibleName(f"{name} {words}")
            grid.addWidget(value, number, 1)
        grid.setColumnStretch(1, 1)
        grid.setRowStretch(len(rows), 1)
        self.setWidget(body)
        self.verticalScrollBar().setValue(place)


class CaseDetail(QWidget):
    """Shows a case and offers what the person may do with it."""

    decided = Signal(str, str)
    closed = Signal()
    print_wanted = Signal()
    preview_wanted = Signal()
    dismissed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.record: Record | None = None
        self._refused: Sequence[RefusedCommand] = ()
        self._previewed: tuple[str, str] | None = None
        self.title = Label("", "heading", wrap=True)
        self.number = Label("", "quiet", selectable=True)
        self.state, self.due, self.sync = StateLabel(), StateLabel(), StateLabel()
        self.tray = Banner()
        self.banner = Banner()
        self.content, self.materials, self.history = _Sheet(tr("内容")), _Sheet(tr("材料")), _Sheet(tr("过程"))
        self.preview = QWidget()
        self._pages = QVBoxLayout(self.preview)
        self._pages.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self._paper = paper = QScrollArea()
        paper.setWidgetResizable(True)
        paper.setWidget(self.preview)
        paper.setAccessibleName(tr("受理通知书预览"))
        self.tabs = QTabWidget()
        self.tabs.setAccessibleName(tr("办件详情"))
        self.tabs.tabBar().setAccessibleName(tr("办件详情"))
        for widget, words in (
            (self.content, tr("内容")),
            (self.materials, tr("材料")),
            (self.history, tr("过程")),
            (paper, tr("文书")),
        ):
            self.tabs.addTab(widget, words)
        self.opinion = TextEdit(tr("审批意见"), 2)
        self.opinion.setPlaceholderText(tr("审批意见；不予时必须写明理由"))
        self.opinion_fault = Label(role="fault", wrap=True)
        self.print = Button(tr("打印回执"), icon="printer", shortcut="F9")
        self.reject = DangerButton(tr("不予"))
        self.approve = PrimaryButton(tr("准予"), icon="check")
        self.close_case = PrimaryButton(tr("办结"), icon="check-check")

        states = QHBoxLayout()
        states.setSpacing(theme().space(4))
        for label in (self.state, self.due, self.sync):
            states.addWidget(label)
        states.addStretch(1)
        foot = QHBoxLayout()
        foot.setSpacing(theme().space(2))
        foot.addWidget(self.print)
        foot.addStretch(1)
        for button in (self.reject, self.approve, self.close_case):
            foot.addWidget(button)
        card = Card()
        card.body.addWidget(self.title)
        card.body.addWidget(self.number)
        card.body.addLayout(states)
        card.body.addWidget(self.tray)
        card.body.addWidget(self.tabs, 1)
        card.body.addWidget(self.banner)
        card.body.addWidget(self.opinion)
        card.body.addWidget(self.opinion_fault)
        card.body.addLayout(foot)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(card)
        self.tray.acted.connect(self._dismiss)
        self.tabs.currentChanged.connect(self._tab_changed)
        self.opinion.edited.connect(self._opinion_edited)
        self.approve.clicked.connect(self._approve)
        self.reject.clicked.connect(self._reject)
        self.close_case.clicked.connect(self.closed)
        self.print.clicked.connect(self.print_wanted)
        self.opinion_fault.hide()
        theme().changed.connect(self._fit)
        self._fit()

    @property
    def paper_width(self) -> int:
        """Room for a page of the paper, in pixels."""
        return self._paper.viewport().width() - theme().space(6)

    def show_case(self, record: Record, item: Doc | None, due: tuple[str, str], now: datetime) -> None:
        """Show a case; what was written as an opinion stays while it is the same case."""
        case = record.doc
        if self.record is None or self.record.id != record.id:
            self.opinion.setText("")
            self.say_opinion_fault("")
            self.banner.clear()
            self.tray.clear()
        self.record = record
        self.title.setText(record.title)
        self.number.setText(record.number)
        self.number.setAccessibleName(tr("编号 {number}", number=record.number))
        self.state.show_state(*case_state(case))
        self.due.show_state(*due)
        sync, words = sync_state(record)
        self.sync.setVisible(bool(sync))
        if sync:
            self.sync.show_state(sync, words)
        self.content.show_rows(_content(case, item))
        self.materials.show_rows(_materials(case))
        self.history.show_rows(
            [(when(parse_iso(line["at"]), now), f"{line['by']['name']} · {line['text']}") for line in case["history"]]
        )
        self._tab_changed()

    def offer(self, *, decide: bool, close: bool) -> None:
        """What the person may do now."""
        state = self.record.state if self.record else ""
        for widget in (self.opinion, self.approve, self.reject):
            widget.setVisible(decide and state == ACCEPTED)
        self.opinion_fault.setVisible(decide and state == ACCEPTED and bool(self.opinion_fault.text()))
        self.close_case.setVisible(close and state == DECIDED)

    def show_refused(self, refused: Sequence[RefusedCommand]) -> None:
        """Say what the server refused, why, and what to do."""
        self._refused = refused
        if not refused:
            self.tray.clear()
            return
        command = refused[0]
        what = {ACCEPT: tr("受理"), DECIDE: tr("审批")}.get(command.type, tr("办结"))
        if command.type == ACCEPT:
            todo = tr("此件未被登记：请按说明更正后重新受理，并收回已交出的回执。")
        else:
            todo = tr("这一步没有生效，上面显示的是服务器上的情况。")
        sentence = tr(
            "{person}的“{what}”未被服务器接受：{why}{todo}",
            person=command.person,
            what=what,
            why=str(command.error.get("message", "")),
            todo=todo,
        )
        self.tray.say(sentence, "red", code=str(command.error.get("code", "")), action=tr("知道了"))

    def show_pages(self, images: Sequence[QImage], names: Sequence[str]) -> None:
        """Show the pages of the paper."""
        while entry := self._pages.takeAt(0):
            if widget := entry.widget():
                widget.deleteLater()
        for image, name in zip(images, names, strict=True):
            page = Label()
            page.setPixmap(QPixmap.fromImage(image))
            page.setFixedSize(image.deviceIndependentSize().toSize())
            page.setAccessibleName(name)
            set_role(page, "paper")
            self._pages.addWidget(page)

    def forget_preview(self) -> None:
        """The paper that is shown is no longer the right one."""
        self._previewed = None

    def say_opinion_fault(self, text: str) -> None:
        """Say at the opinion what is wrong with it."""
        self.opinion_fault.setText(text)
        self.opinion_fault.setVisible(bool(text))
        self.opinion.setAccessibleDescription(text)
        if text:
            self.opinion.setFocus(Qt.FocusReason.OtherFocusReason)

    @Slot()
    def _fit(self) -> None:
        # as low as its lines allow: the room belongs to the tabs
        self.opinion.setMaximumHeight(self.opinion.minimumHeight())

    @Slot()
    def _dismiss(self) -> None:
        if self._refused:
            self.dismissed.emit(self._refused[0].cmd_id)

    @Slot()
    def _tab_changed(self) -> None:
        if self.tabs.currentIndex() != self.tabs.count() - 1 or self.record is None:
            return
        wanted = (self.record.id, self.record.number)
        if wanted != self._previewed:
            self._previewed = wanted
            self.show_pages([], [])
            self.preview_wanted.emit()

    @Slot()
    def _opinion_edited(self) -> None:
        self.say_opinion_fault("")

    @Slot()
    def _approve(self) -> None:
        if self._opinion_fits():
            self.decided.emit(APPROVED, self.opinion.text().strip())

    @Slot()
    def _reject(self) -> None:
        opinion = self.opinion.text().strip()
        if self.record is None or not self._opinion_fits():
            return
        if not opinion:
            self.say_opinion_fault(tr("不予许可须写明理由。"))
            return
        dialog = ConfirmDialog(
            tr("作出不予决定"),
            tr(
                "将对“{title}”作出不予决定，理由：{opinion}\n决定作出后不能撤回。",
                title=self.record.title,
                opinion=opinion,
            ),
            keep=tr("再看看"),
            parent=self,
        )
        dialog.accepted.connect(self._rejected)
        dialog.open()

    @Slot()
    def _rejected(self) -> None:
        self.decided.emit(REJECTED, self.opinion.text().strip())

    def _opinion_fits(self) -> bool:
        fits = len(self.opinion.text().strip()) <= LONGEST_OPINION
        if not fits:
            self.say_opinion_fault(tr("意见最多 {n} 个字。", n=LONGEST_OPINION))
        return fits


def _content(case: Doc, item: Doc | None) -> list[tuple[str, str]]:
    rows = [(tr("申请人"), "")]
    rows += _values(APPLICANT_FORM, case["applicant"])
    if item is not None:
        for group in item["form"]["layout"]:
            shown = _values({**item["form"], "layout": [group]}, case["form"])
            rows += [(tr(group["title"]), ""), *shown] if shown else []
    else:
        rows += [(tr("表单"), ""), *((name, str(value)) for name, value in case["form"].items())]
    handling = [
        (tr("事项"), together(case["item"]["name"], aside(case["item"]["code"]))),
        (tr("承办部门"), case["item"]["department"]),
        (tr("受理窗口"), case["place"]),
        (tr("应办结"), case["due"]["date"] + (tr("（暂定）") if case["due"]["provisional"] else "")),
    ]
    if decision := case["decision"]:
        words = result_name(decision["result"])
        handling.append(
            (
                tr("决定"),
                tr("{result}：{opinion}", result=words, opinion=decision["opinion"]) if decision["opinion"] else words,
            )
        )
    return [*rows, (tr("办理"), ""), *(row for row in handling if row[1])]


def _values(form: forms.Form, values: Mapping[str, Any]) -> list[tuple[str, str]]:
    properties = form["schema"]["properties"]
    return [
        (tr(properties[name]["title"]), forms.shown(properties[name], values[name]))
        for group in form["layout"]
        for name in group["fields"]
        if values.get(name) not in (None, "")
    ]


def _materials(case: Doc) -> list[tuple[str, str]]:
    kinds = {PAPER: tr("纸质")}
    return [
        (str(place), tr("{name} · {kind} · {n} 页", name=material["name"], n=material["pages"],
                        kind=kinds.get(material["kind"], tr("电子"))))
        for place, material in enumerate(case["materials"], 1)
    ]  # fmt: skip
