"""How a case is shown: its state, its marks, and its sheets of words."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QScrollArea, QWidget

from client.kernel.ports import Record
from client.widgets.basics import Label, SectionTitle
from client.widgets.theme import theme
from modules.acceptance.domain.cases import (
    ACCEPTED,
    CLOSED,
    CORRECTING,
    DECIDED,
    ISSUED,
    OVER,
    RED,
    SUSPENDED,
    YELLOW,
    card_name,
    open_gaps,
    result_name,
    state_name,
)
from modules.common.aggregate import Doc
from modules.common.text import tr

_LOOKS = {SUSPENDED: "paused", CORRECTING: "due", DECIDED: "due", ISSUED: "due", CLOSED: "good"}


def case_state(case: Doc) -> tuple[str, str]:
    """A case's state for a ``StateLabel``: colour, and words that say the decision too."""
    state = case["state"]
    words = state_name(state)
    if case["decision"] and state not in (ACCEPTED, SUSPENDED):
        words = f"{words} · {result_name(case['decision']['result'])}"
    return _LOOKS.get(state, "quiet" if state in OVER else "info"), words


def sync_state(record: Record) -> tuple[str, str]:
    """Whether the server has it all: ``offline`` 待传, ``red`` 被拒, or nothing to say."""
    if record.refused:
        return "red", tr("被拒")
    if record.pending:
        return "offline", tr("待传")
    return "", ""


def marks(case: Doc) -> tuple[str, str]:
    """What stands out about a case, for one narrow column: the look of the gravest, and all of it in words."""
    found: list[tuple[str, str]] = []
    levels = {card["level"] for card in case.get("cards", ())}
    for level in (RED, YELLOW):
        if level in levels:
            found.append((level, card_name(level)))
    if case.get("provisional") and open_gaps(case):
        found.append(("due", tr("容缺")))
    if case.get("urges") and case["state"] not in OVER:
        found.append(("due", tr("催办")))
    if (flow := case.get("flow")) and flow["extension"]:
        found.append(("info", tr("延期待批")))
    if case.get("green"):
        found.append(("good", tr("绿色通道")))
    return (found[0][0], "·".join(words for _, words in found)) if found else ("", "")


def is_pinned(case: Doc) -> bool:
    """Whether a case stands above the others: the green channel, until it is over."""
    return bool(case.get("green")) and case["state"] not in OVER


class Sheet(QScrollArea):
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
