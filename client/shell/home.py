"""The first page: what waits for me, and what I had in hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QCloseEvent, QKeyEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QGridLayout,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOption,
    QVBoxLayout,
    QWidget,
)

from client.kernel.contract import Host, Token
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Record, Records
from client.shell.todos import waiting
from client.shell.words import counted, moment, number
from client.widgets.basics import Card, EmptyState, IconLabel, Label, SectionTitle
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import set_role, theme
from modules.common.clock import CHINA, Clock
from modules.common.manifest import Todo, state_words
from modules.common.permissions import Actor
from modules.common.text import tr

RECENT = 12


class TodoCard(QAbstractButton):
    """How many wait, and for what; a click opens where they are dealt with."""

    def __init__(self, todo: Todo) -> None:
        super().__init__()
        self.todo = todo
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        set_role(self, "todo")
        self._number = Label("–", "display")
        self._title = Label(tr(todo.title))
        self._mark = IconLabel("inbox", "quiet")
        for label in (self._number, self._title, self._mark):
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        row = QHBoxLayout(self)
        words = QVBoxLayout()
        words.addWidget(self._number)
        words.addWidget(self._title)
        row.addLayout(words, 1)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        theme().changed.connect(self._space)
        self._space()
        self.show_count(None)

    def show_count(self, count: int | None) -> None:
        """How many wait; None while nobody has counted."""
        self._number.setText("–" if count is None else number(count))
        set_role(self._number, "display", state="info" if count else "quiet")
        self._mark.show_icon("inbox" if count else "check-check", "accent" if count else "quiet")
        self.setAccessibleName(tr(self.todo.title))
        self.setAccessibleDescription("" if count is None else counted(count))

    @Slot()
    def _space(self) -> None:
        layout = self.layout()
        assert layout is not None
        layout.setContentsMargins(theme().space(4), theme().space(3), theme().space(4), theme().space(3))
        layout.activate()
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        layout = self.layout()
        assert layout is not None
        return layout.sizeHint().expandedTo(QSize(theme().text_width(14), 0))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOption()
        option.initFrom(self)
        painter = QPainter(self)
        self.style().drawPrimitive(QStyle.PrimitiveElement.PE_Widget, option, painter, self)
        painter.end()


class HomePage(QWidget):
    """待办 by the manifests' todos, and what changed last."""

    def __init__(
        self,
        host: Host,
        events: Events,
        clock: Clock,
        actor: Actor,
        todos: Sequence[Todo],
        pages: Mapping[str, str],
    ) -> None:
        """``pages``: which page shows the records of a kind."""
        super().__init__()
        self._host = host
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        aside = {todo.kind for todo in todos if not todo.recent}
        self._pages = {kind: page for kind, page in pages.items() if kind not in aside}
        self._greeting = Label(tr("{name},{greeting}", name=actor.name, greeting=_greeting(clock)), "title")
        self._cards = [TodoCard(todo) for todo in todos]
        for card in self._cards:
            card.clicked.connect(partial(self._open_todo, card.todo))
        self.recent = RecordTable(
            (
                Column("number", tr("编号"), _number, 12.5),
                Column("title", tr("内容"), _title, 20, stretch=True),
                Column("state", tr("状态"), _state, 10, state=_state_look),
                Column("updated", tr("时间"), self._when, 8, sort=_updated),
            ),
            title=tr("最近的件"),
            name="shell.home.recent",
            key=_key,
        )
        self.recent.opened.connect(self._open_record)

        inside = QWidget()
        self._grid = QGridLayout()
        self._column = QVBoxLayout(inside)
        self._column.addWidget(self._greeting)
        self._column.addWidget(SectionTitle(tr("待办")))
        if self._cards:
            self._column.addLayout(self._grid)
        else:
            quiet = Card()
            quiet.body.addWidget(
                EmptyState("check-check", tr("您的岗位没有待办。从左侧打开要用的功能，或按 Ctrl+K 查找。"))
            )
            self._column.addWidget(quiet)
        self._column.addWidget(SectionTitle(tr("最近的件")))
        self._column.addWidget(self.recent, 1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(inside)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(area)
        self.setFocusProxy(self._cards[0] if self._cards else self.recent)
        self._end = events.subscribe(RecordsChanged, self._changed)
        theme().changed.connect(self._space)
        self._space()
        self.refresh()

    def refresh(self) -> None:
        """Count and look again; a count that is under way is let go."""
        for card in self._cards:
            self._ask(card.todo.id, partial(_waiting, self._host, card.todo), card.show_count)
        self._ask("recent", partial(_recent, self._host, tuple(self._pages)), self._show_recent)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._end()
        for token in self._tokens.values():
            token.cancel()
        super().closeEvent(event)

    def _ask(self, name: str, work: object, done: object) -> None:
        if before := self._tokens.get(name):
            before.cancel()
        self._tokens[name] = self._host.run("read", work, done=done, name=name)  # type: ignore[arg-type]

    def _changed(self, event: RecordsChanged) -> None:
        counted = (card.todo.kind for card in self._cards)
        if any(event.touches(kind) for kind in (*self._pages, *counted)):
            self.refresh()

    def _show_recent(self, records: Sequence[Record]) -> None:
        self.recent.show_rows(records, empty=tr("还没有办过件。受理的第一件会出现在这里。"))

    def _when(self, record: Record) -> str:
        return moment(record.updated_at, self._clock.now())

    def _open_todo(self, todo: Todo) -> None:
        told = {name: True for name in ("overdue", "mine") if getattr(todo, name)}
        self._host.open_page(todo.page, states=list(todo.states), **told)

    def _open_record(self, record: Record) -> None:
        self._host.open_page(self._pages[record.kind], **{record.kind: record.id})

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay()

    def _lay(self) -> None:
        columns = max(1, min(4, (self.width() - theme().space(12)) // (theme().text_width(14) + theme().space(3))))
        for place, card in enumerate(self._cards):
            self._grid.addWidget(card, place // columns, place % columns)
        for column in range(4):
            self._grid.setColumnStretch(column, int(column < columns))

    @Slot()
    def _space(self) -> None:
        unit = theme().space
        self._column.setContentsMargins(unit(6), unit(4), unit(6), unit(4))
        self._column.setSpacing(unit(3))
        self._grid.setSpacing(unit(3))
        self.recent.setMinimumHeight(theme().text_width(16))
        self._lay()


def _waiting(host: Host, todo: Todo, _token: Token) -> int:
    return waiting(host, todo)


def _recent(host: Host, kinds: Sequence[str], _token: Token) -> list[Record]:
    records = host.service(Records)  # type: ignore[type-abstract]
    found = [record for kind in kinds for record in records.find(kind, limit=RECENT)]
    return sorted(found, key=_updated, reverse=True)[:RECENT]


def _greeting(clock: Clock) -> str:
    hour = clock.now().astimezone(CHINA).hour
    if 5 <= hour < 12:
        return tr("上午好")
    return tr("下午好") if 12 <= hour < 18 else tr("晚上好")


def _key(record: Record) -> str:
    return record.id


def _number(record: Record) -> str:
    return record.number


def _title(record: Record) -> str:
    return record.title


def _state(record: Record) -> str:
    said = state_words(record.kind, record.state)
    if record.refused:
        return tr("{state}·被退回", state=said)
    return tr("{state}·待传", state=said) if record.pending else said


def _state_look(record: Record) -> str:
    if record.refused:
        return "red"
    if record.pending:
        return "offline"
    return {"accepted": "info", "decided": "due", "closed": "good"}.get(record.state, "quiet")


def _updated(record: Record) -> datetime:
    return record.updated_at
