"""The case being filled in: applicant, form, materials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from client.widgets.basics import (
    Banner,
    BusyMark,
    Button,
    Card,
    ElidedLabel,
    Label,
    PrimaryButton,
    StateLabel,
)
from client.widgets.flow import flowing
from client.widgets.forms import FormView
from client.widgets.theme import theme
from modules.acceptance.domain.cases import APPLICANT_FORM, person_values
from modules.acceptance.services.cases import Intake
from modules.acceptance.ui.citizen import OwnData
from modules.acceptance.ui.counter.materials import MaterialsView
from modules.common import forms
from modules.common.aggregate import Doc
from modules.common.codes import check_credit_code, masked
from modules.common.forms import Known
from modules.common.text import tr

_FROM_NUMBER = "证件号码"
"""The source of what is read off the applicant's number, as the form shows it."""


class IntakePane(QWidget):
    """The case being filled in."""

    edited = Signal()
    firm_named = Signal(str)
    """A whole credit code stands in the form: what is known of the firm can be asked for."""

    def __init__(self, item: Doc, today: Callable[[], date], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.item = item
        self._known: dict[str, list[Known]] = {}
        self._firm = ""
        untitled = {**APPLICANT_FORM, "layout": [{**APPLICANT_FORM["layout"][0], "title": ""}]}
        self.applicant = FormView(untitled, today=today)
        self.form = FormView(item["form"], today=today)
        self.materials = MaterialsView(item["materials"])
        green = item.get("green") or {}
        self.green = QCheckBox(tr("绿色通道，承诺 {n} 个工作日", n=green.get("promised_days", "")), self)
        self.green.setVisible(bool(green.get("enabled")))
        self.green.setChecked(bool(green.get("enabled")))
        self.read_card = Button(tr("读卡"), icon="id-card", shortcut="F4")
        self.scan = Button(tr("扫描材料"), icon="scan", shortcut="F6")
        self.confirm = Button(tr("请群众核对"), icon="monitor", shortcut="F7")
        self.confirmed = StateLabel("quiet", "")
        self.stop_reading = Button(tr("停止读卡"))
        self._busy = BusyMark()
        self._waiting = Label(tr("请把身份证放在读卡器上…(Esc 停止)"), "quiet")
        self.banner = Banner()
        self.accept = PrimaryButton(tr("受理"), icon="stamp", shortcut="F8")
        self.correct = Button(tr("补正…"), icon="clipboard-list")
        self.decline = Button(tr("不予受理…"), icon="ban")
        self.back = Button(tr("放一放"), icon="arrow-left")
        self.kept = ElidedLabel("", "small")

        person = Card()
        head = QHBoxLayout()
        head.addWidget(Label(tr("申请人"), "heading"))
        head.addStretch(1)
        for widget in (self._busy, self._waiting, self.stop_reading, self.read_card):
            head.addWidget(widget)
        person.body.addLayout(head)
        person.body.addWidget(self.applicant)
        sheet, papers = Card(), Card()
        sheet.body.addWidget(self.form)
        above = QHBoxLayout()
        above.addWidget(Label(tr("材料"), "heading"))
        above.addStretch(1)
        above.addWidget(self.scan)
        papers.body.addLayout(above)
        papers.body.addWidget(self.materials)
        cards = QWidget()
        stack = QVBoxLayout(cards)
        stack.setContentsMargins(0, 0, theme().space(2), 0)
        stack.setSpacing(theme().space(3))
        for card in (person, sheet, papers):
            stack.addWidget(card)
        stack.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(cards)
        title = QVBoxLayout()
        title.addWidget(Label(item["name"], "title"))
        terms = tr("{department} · {kind} · 承诺 {n} 个工作日办结", n=item["promised_days"],
                   department=item["department"], kind=item["kind"])  # fmt: skip
        about = QHBoxLayout()
        about.addWidget(ElidedLabel(f"{terms} · {item['summary']}", "quiet"), 1)
        about.addWidget(self.green)
        title.addLayout(about)
        foot = QHBoxLayout()
        foot.setSpacing(theme().space(2))
        foot.addWidget(self.back, 0, Qt.AlignmentFlag.AlignTop)
        foot.addWidget(self.kept, 1)
        # at a large zoom on a small screen they take two lines
        foot.addWidget(flowing(self.confirmed, self.confirm, self.decline, self.correct, self.accept))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(3))
        column.addLayout(title)
        column.addWidget(self.banner)
        column.addWidget(area, 1)
        column.addLayout(foot)
        self.applicant.edited.connect(self._derive)
        self.form.edited.connect(self._name_firm)
        for part in (self.applicant, self.form, self.materials):
            part.edited.connect(self._tell)
        self.green.clicked.connect(self._tell)
        self.show_reading(False)
        self.show_confirmed(None)

    def show_intake(self, intake: Intake) -> None:
        """Show what was entered before."""
        self.applicant.set_values(intake.applicant, intake.sources.get("applicant"))
        self.form.set_values(intake.form, intake.sources.get("form"))
        self.materials.set_values(intake.materials)
        self.materials.set_lacking(intake.lacking)
        if intake.green is not None:
            self.green.setChecked(intake.green)
        self._name_accept()

    def gather(self, intake: Intake) -> Intake:
        """``intake`` with what stands on the screen."""
        sources = {"applicant": self.applicant.sources(), "form": self.form.sources()}
        return replace(
            intake,
            item_version=self.item["version"],
            applicant=self.applicant.values(),
            form=self.form.values(),
            materials=self.materials.values(),
            card=sources["applicant"].get("id_number") == "card",
            sources=sources,
            lacking=self.materials.lacking(),
            green=self.green.isChecked() if (self.item.get("green") or {}).get("enabled") else None,
        )

    def own_data(self) -> OwnData:
        """What the citizen is shown of it: their own words, numbers masked as on the papers."""
        applicant, form = self.applicant.values(), self.form.values()
        pairs = [(tr("事项"), str(self.item["name"]))]
        for shown, values in ((APPLICANT_FORM, applicant), (self.item["form"], form)):
            properties = shown["schema"]["properties"]
            for name in (name for group in shown["layout"] for name in group["fields"]):
                if name in values and not isinstance(values[name], list):
                    words = forms.shown(properties[name], values[name])
                    pairs.append((tr(properties[name]["title"]), masked(words) if name == "id_number" else words))
        received = [row for row in self.materials.rows() if row.check.isChecked()]
        materials = [tr("{name} {n} 页", name=row.material["name"], n=row.pages.text()) for row in received]
        return OwnData(tr("请核对您的信息"), pairs, materials)

    def show_confirmed(self, right: bool | None) -> None:
        """What the citizen said of the data: right, wrong, or nothing yet."""
        words = {True: ("good", tr("群众已确认")), False: ("due", tr("群众说有误")), None: ("quiet", "")}
        self.confirmed.show_state(*words[right])
        self.confirmed.setVisible(right is not None)

    def offer(self, origin: str, known: Sequence[Known]) -> None:
        """Offer what ``origin`` (earlier cases, the person base …) says: ``applicant.…``, ``form.…``, ``person.…``."""
        self._known[origin] = list(known)
        everything = [each for origin in sorted(self._known) for each in self._known[origin]]
        for part, view in (("applicant", self.applicant), ("form", self.form)):
            view.offer(
                [
                    replace(each, key=each.key.partition(".")[2]) if each.key.startswith(f"{part}.") else each
                    for each in everything
                ]
            )

    def show_reading(self, reading: bool) -> None:
        """Whether a card is being waited for."""
        for widget in (self._busy, self._waiting, self.stop_reading):
            widget.setVisible(reading)
        self.read_card.setVisible(not reading)

    def conflicts(self, values: Mapping[str, Any]) -> list[str]:
        """In words, what was typed and the card says otherwise."""
        typed, origin = self.applicant.values(), self.applicant.sources()
        untouched = forms.blank(APPLICANT_FORM)
        properties = APPLICANT_FORM["schema"]["properties"]
        return [
            tr(
                "{title}：录入的是“{typed}”，证件上是“{card}”",
                title=tr(properties[name]["title"]),
                typed=forms.shown(properties[name], typed[name]),
                card=forms.shown(properties[name], value),
            )
            for name, value in values.items()
            if name in typed and name not in origin and typed[name] not in (value, untouched.get(name))
        ]

    def fill(self, card: Mapping[str, Any], *, replace_typed: bool) -> None:
        """Put the card's values in; where something else was typed only if ``replace_typed``."""
        for view, form in ((self.applicant, APPLICANT_FORM), (self.form, self.item["form"])):
            values, origin = forms.fill(form, {"card": card})
            typed, sourced, untouched = view.values(), view.sources(), forms.blank(form)
            free = {
                name: value
                for name, value in values.items()
                if (replace_typed and view is self.applicant)
                or name in sourced
                or typed.get(name) in (None, value, untouched.get(name))
            }
            view.set_values(free, {name: origin[name] for name in free})
        self._derive()
        self.edited.emit()

    def show_faults(self, faults: Mapping[str, str]) -> str:
        """Say each fault where it belongs, with the focus at the first; what has no place is returned."""
        parts: dict[str, dict[str, str]] = {"applicant": {}, "form": {}, "materials": {}}
        loose = []
        for path, sentence in faults.items():
            part, _, name = path.partition(".")
            if part in parts and name:
                parts[part][name] = sentence
            else:
                loose.append(sentence)
        # from the last to the first: each takes the focus, the first of the page keeps it
        self.materials.show_faults(parts["materials"])
        loose += self.form.show_faults(parts["form"]).values()
        loose += self.applicant.show_faults(parts["applicant"]).values()
        return " ".join(loose)

    @Slot()
    def _derive(self) -> None:
        """What the number and the name say is put into the item's form while nobody typed anything else there."""
        values, _ = forms.fill(self.item["form"], {"applicant": person_values(self.applicant.values())})
        typed, origin = self.form.values(), self.form.sources()
        free = {name: value for name, value in values.items() if name not in typed or origin.get(name) == _FROM_NUMBER}
        self.form.set_values(free, dict.fromkeys(free, _FROM_NUMBER))

    @Slot(str)
    def _name_firm(self, field: str) -> None:
        prop = self.item["form"]["schema"]["properties"].get(field, {})
        code = str(self.form.values().get(field, ""))
        if prop.get("format") == "credit-code" and check_credit_code(code) is None and code != self._firm:
            self._firm = code
            self.firm_named.emit(code)

    @Slot()
    def _tell(self) -> None:
        self._name_accept()
        self.show_confirmed(None)  # what was confirmed is no longer what stands there
        self.edited.emit()

    def _name_accept(self) -> None:
        self.accept.set_label(tr("容缺受理") if self.materials.lacking() else tr("受理"))
