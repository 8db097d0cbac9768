"""The case being filled in: applicant, form, materials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
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
)
from client.widgets.forms import Field, FormView
from client.widgets.theme import theme
from modules.acceptance.domain.cases import APPLICANT_FORM, person_values
from modules.acceptance.services.cases import Intake
from modules.acceptance.ui.counter.materials import MaterialsView
from modules.common import forms
from modules.common.aggregate import Doc
from modules.common.text import tr

_FROM_NUMBER = "证件号码"
"""The source of what is read off the applicant's number, as the form shows it."""


class IntakePane(QWidget):
    """The case being filled in."""

    edited = Signal()

    def __init__(self, item: Doc, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.item = item
        self.applicant = FormView({**APPLICANT_FORM, "layout": [{**APPLICANT_FORM["layout"][0], "title": ""}]})
        self.form = FormView(item["form"])
        self.materials = MaterialsView(item["materials"])
        self.read_card = Button(tr("读卡"), icon="id-card", shortcut="F4")
        self.stop_reading = Button(tr("停止读卡"))
        self._busy = BusyMark()
        self._waiting = Label(tr("请把身份证放在读卡器上…(Esc 停止)"), "quiet")
        self.banner = Banner()
        self.accept = PrimaryButton(tr("受理"), icon="stamp", shortcut="F8")
        self.back = Button(tr("放一放"), icon="arrow-left")
        self.kept = Label("", "small")

        person = Card()
        head = QHBoxLayout()
        head.addWidget(Label(tr("申请人"), "heading"))
        head.addStretch(1)
        for widget in (self._busy, self._waiting, self.stop_reading, self.read_card):
            head.addWidget(widget)
        person.body.addLayout(head)
        person.body.addWidget(self.applicant)
        sheet, papers = Card(), Card(tr("材料"))
        sheet.body.addWidget(self.form)
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
        title.addWidget(ElidedLabel(f"{terms} · {item['summary']}", "quiet"))
        foot = QHBoxLayout()
        foot.setSpacing(theme().space(2))
        foot.addWidget(self.back)
        foot.addWidget(self.kept)
        foot.addStretch(1)
        foot.addWidget(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme().space(3))
        column.addLayout(title)
        column.addWidget(self.banner)
        column.addWidget(area, 1)
        column.addLayout(foot)
        self.applicant.edited.connect(self._derive)
        for part in (self.applicant, self.form, self.materials):
            part.edited.connect(self._tell)
        self.show_reading(False)

    def show_intake(self, intake: Intake) -> None:
        """Show what was entered before."""
        self.applicant.set_values(intake.applicant, intake.sources.get("applicant"))
        self.form.set_values(intake.form, intake.sources.get("form"))
        self.materials.set_values(intake.materials)

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

    def judge(self, field: Field, today: Any) -> None:
        """Say at a field that was left what is wrong with it; an empty one is left alone."""
        view, form = (
            (self.applicant, APPLICANT_FORM) if self.applicant.isAncestorOf(field) else (self.form, self.item["form"])
        )
        values = view.values()
        if field.name in values:
            field.show_fault(forms.validate(form, values, today).get(field.name, ""))

    @Slot()
    def _derive(self) -> None:
        """What the number and the name say is put into the item's form while nobody typed anything else there."""
        values, _ = forms.fill(self.item["form"], {"applicant": person_values(self.applicant.values())})
        typed, origin = self.form.values(), self.form.sources()
        free = {name: value for name, value in values.items() if name not in typed or origin.get(name) == _FROM_NUMBER}
        self.form.set_values(free, dict.fromkeys(free, _FROM_NUMBER))

    @Slot()
    def _tell(self) -> None:
        self.edited.emit()
