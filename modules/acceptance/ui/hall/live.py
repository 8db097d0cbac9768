"""大厅现场: how the windows stand, by area on the plan; the chosen window; what came in by the hour. C03, C04, C10."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QScrollArea, QSplitter, QVBoxLayout, QWidget

from client.kernel.contract import Host
from client.kernel.events import DeviceChanged, Events, RecordsChanged
from client.kernel.ports import Records, Session
from client.kernel.settings import Settings
from client.widgets.basics import Banner, Button, ComboBox, ConfirmDialog, EmptyState, Label, LineEdit, SectionTitle
from client.widgets.dialogs import TextDialog
from client.widgets.floor_plan import FloorPlan
from client.widgets.second_screen import SecondScreen
from client.widgets.tables import Column, RecordTable
from client.widgets.theme import set_role, theme
from devices.ports import Devices, DeviceState, DeviceStatus
from modules.acceptance.domain import booking, queue, windows
from modules.acceptance.services.queue import MOST
from modules.acceptance.services.windows import Count, Seat
from modules.acceptance.services.wiring import hall_of, queue_of
from modules.acceptance.ui.hall.board import HallBoard
from modules.acceptance.ui.hall.picture import Line, Picture, area_words, place_of, read_line, read_picture
from modules.acceptance.ui.hall.strategy import ALL, GROUP, StrategyDialog
from modules.acceptance.ui.hall.window_pane import WindowPane
from modules.acceptance.ui.say import say_error
from modules.acceptance.ui.work import PageWork
from modules.common.errors import GovDeskError, Refused
from modules.common.text import tr

AGAIN_MS = 15_000
"""Times go by without any record changing: absences, long pauses, patience."""
BAR = 5
_KINDS = frozenset({queue.KIND, windows.KIND, windows.SETTINGS_KIND, booking.KIND})
_ON_SITE = (queue.ID_CARD, queue.PHONE, queue.PAPER)


class HallView(QWidget):
    """The page of the hall's manager."""

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host
        self._service = hall_of(host)
        self._lines = queue_of(host)
        self._work = PageWork(host)
        self._records = host.service(Records)  # type: ignore[type-abstract]
        self._hall_id = host.service(Session).actor.hall_id  # type: ignore[type-abstract]
        self._picture: Picture | None = None
        self._reading = self._again = self._fitted = False
        self._screen: SecondScreen | None = None
        memory = host.service(Settings)
        set_role(self, "page")
        self.area = ComboBox(tr("区域"))
        self.area.addItem(tr("全部区域"), "")
        self.area.setSizeAdjustPolicy(ComboBox.SizeAdjustPolicy.AdjustToContents)
        self.summary = Label("", wrap=True)
        self.open_board = Button(tr("打开综合屏"), icon="monitor")
        self.banner = Banner()
        self.doubles = Banner()
        self.paper = Banner()
        self.plan = FloorPlan(tr("窗口平面图"))
        self.plan.setMinimumHeight(theme().text_width(9))
        self.pane = WindowPane(memory)
        self.board = HallBoard()
        columns = [
            Column("hour", tr("时段"), lambda row: _hour(row.hour), 6, sort=lambda row: row.hour),
            Column("site", tr("现场"), lambda row: str(_of(row, *_ON_SITE)), 3.5, numeric=True,
                   sort=lambda row: _of(row, *_ON_SITE)),
            Column("booked", tr("预约"), lambda row: str(_of(row, queue.APPOINTMENT)), 4, numeric=True,
                   sort=lambda row: _of(row, queue.APPOINTMENT)),
            Column("priority", tr("优先"), lambda row: str(_of(row, queue.PRIORITY)), 4, numeric=True,
                   sort=lambda row: _of(row, queue.PRIORITY)),
            Column("served", tr("已办"), lambda row: str(row.served), 4, numeric=True, sort=lambda row: row.served),
            Column("all", tr("合计"), self._bar, 10, stretch=True, sort=lambda row: sum(row.by_source.values())),
        ]  # fmt: skip
        self.counts = RecordTable(
            columns, title=tr("按时段计数"), name="acceptance.hall.counts", key=lambda row: str(row.hour), memory=memory
        )
        self.by_area = Label("", "quiet", wrap=True)
        self.nothing = EmptyState("map", tr("大厅还没有设置窗口。请系统管理员设置窗口后再看。"))
        self._lay_out()
        self.setFocusProxy(self.plan)
        self._ticks = QTimer(self)
        self._ticks.setInterval(AGAIN_MS)
        self._ticks.timeout.connect(self._read)
        self._connect(host)
        self._read()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(theme().space(3))
        head.addWidget(self.area)
        head.addWidget(self.summary, 1)
        head.addWidget(self.open_board)
        right = QWidget()
        set_role(right, "card")
        column = QVBoxLayout(right)
        column.setContentsMargins(*(theme().space(3),) * 4)
        column.addWidget(SectionTitle(tr("今天取号")))
        column.addWidget(self.counts, 1)
        column.addWidget(self.by_area)
        # at a large zoom on a low screen it scrolls, and the plan keeps its tiles
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(self.pane)
        lower = QSplitter(Qt.Orientation.Horizontal)
        lower.addWidget(area)
        lower.addWidget(right)
        lower.setChildrenCollapsible(False)
        lower.setStretchFactor(0, 3)
        lower.setStretchFactor(1, 2)
        lower.setSizes([theme().text_width(48), theme().text_width(36)])
        self._middle = QSplitter(Qt.Orientation.Vertical)
        self._middle.addWidget(self.plan)
        self._middle.addWidget(lower)
        self._middle.setChildrenCollapsible(False)
        self._middle.setStretchFactor(1, 1)
        page = QVBoxLayout(self)
        page.setContentsMargins(*(theme().space(4),) * 4)
        page.setSpacing(theme().space(3))
        page.addLayout(head)
        for widget in (self.banner, self.doubles, self.paper):
            page.addWidget(widget)
        page.addWidget(self._middle, 1)
        page.addWidget(self.nothing, 1)
        self.nothing.hide()

    def _connect(self, host: Host) -> None:
        events = host.service(Events)
        self._ends = [
            events.subscribe(RecordsChanged, self._records_changed),
            events.subscribe(DeviceChanged, lambda _event: self._show_paper()),
        ]
        self.area.currentIndexChanged.connect(self._show)
        self.plan.chosen.connect(self._choose)
        self.plan.opened.connect(lambda _id: self.pane.line.view.setFocus(Qt.FocusReason.OtherFocusReason))
        self.open_board.clicked.connect(self._toggle_board)
        self.board.shown.connect(self._board_shown)
        self.nothing.acted.connect(self._read)
        self.pane.pause_wanted.connect(self._ask_pause)
        self.pane.resume_wanted.connect(lambda: self._change(self._lines.resume))
        self.pane.leave_wanted.connect(self._ask_leave)
        self.pane.stop_wanted.connect(self._ask_stop)
        self.pane.reopen_wanted.connect(lambda: self._change(self._service.reopen))
        self.pane.strategy_wanted.connect(self._ask_strategy)

    def show_arguments(self, **arguments: Any) -> None:
        """``window`` chooses one."""
        self.plan.choose(str(arguments.get("window", "")))

    def back(self) -> bool:
        """From the window to the plan."""
        inside = self.focusWidget()
        if inside is not None and inside is not self.plan:
            self.plan.setFocus(Qt.FocusReason.OtherFocusReason)
            return True
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape or not self.back():
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ticks.start()
        self._read()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self._screen is None:
            self._ticks.stop()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._ticks.stop()
        for end in self._ends:
            end()
        self._work.close()
        self._close_board()
        super().closeEvent(event)

    # -- reading ------------------------------------------------------------------------------------

    def _records_changed(self, event: RecordsChanged) -> None:
        if any(event.touches(kind) for kind in _KINDS):
            self._read()

    @Slot()
    def _read(self) -> None:
        """Read anew; of several wishes while it is being read only the last is done."""
        if self._work.closed:
            return
        if self._reading:
            self._again = True
            return
        self._reading = True

        def read(token: object) -> Picture:
            hall = self._records.get("organisation", self._hall_id)
            return read_picture(self._service, str(hall.doc["name"]) if hall else "")

        self._work.run("read", read, done=self._shown, failed=self._not_read)

    def _shown(self, picture: Picture) -> None:
        self._reading = False
        self._picture = picture
        if self._again:
            self._again = False
            self._read()
        self._show_areas(picture)
        self._show()
        self.board.show_picture(picture, picture.name, picture.time)

    def _not_read(self, error: BaseException) -> None:
        self._reading = False
        self._middle.hide()
        self.nothing.show()
        if isinstance(error, Refused) and error.code == "AUTH-403":
            self.nothing.say("lock", error.words())
            self.open_board.setEnabled(False)
        else:
            words = error.words() if isinstance(error, GovDeskError) else str(error)
            self.nothing.say("octagon-alert", words, tr("再试一次"))

    def _show_areas(self, picture: Picture) -> None:
        names = ["", *(area.name for area in picture.areas if area.name)]
        if names == [self.area.itemData(row) for row in range(self.area.count())]:
            return
        chosen = self.area.currentData()
        self.area.blockSignals(True)
        self.area.clear()
        for name in names:
            self.area.addItem(name or tr("全部区域"), name)
        self.area.setCurrentIndex(max(0, self.area.findData(chosen)))
        self.area.blockSignals(False)

    @Slot()
    def _show(self) -> None:
        picture = self._picture
        if picture is None:
            return
        area = self.area.currentData() or ""
        seats = [seat for seat in picture.seats if area in ("", seat.window["area"])]
        self._middle.setVisible(bool(seats))
        self.nothing.setVisible(not seats)
        if not seats:
            self.nothing.say("map", tr("大厅还没有设置窗口。请系统管理员设置窗口后再看。"))
        self.plan.show_places([place_of(seat, picture.held.get(str(seat.window["id"]))) for seat in seats])
        words = [area_words(entry) for entry in picture.areas if area in ("", entry.name)]
        if not area:
            words.append(tr("大厅共等候 {n} 人", n=picture.waiting))
        self.summary.setText(tr("；").join(words))
        self.counts.show_rows(picture.counts, empty=tr("今天还没有人取号。"))
        totals: dict[str, int] = {}
        for count in picture.counts:
            for name, n in count.by_area.items():
                totals[name] = totals.get(name, 0) + n
        parts = [tr("{area} {n}", area=name, n=n) for name, n in sorted(totals.items()) if name]
        self.by_area.setText(tr("已叫号，按区域：{parts}", parts=tr("、").join(parts)) if parts else "")
        self._fit_plan()
        self._show_doubles(picture)
        self._show_paper()
        self._choose(self.plan.current)

    def _fit_plan(self) -> None:
        """As high as the plan needs, once: from then on it is where the user drags it. Most halls are wide and flat."""
        if self._fitted or not self.isVisible() or not self.plan.current:
            return
        self._fitted = True
        whole = self._middle.height()
        wanted = max(self.plan.height_at(self._middle.width()), self.plan.minimumHeight())
        self._middle.setSizes([min(wanted, whole // 2), whole - min(wanted, whole // 2)])

    def _show_doubles(self, picture: Picture) -> None:
        if not picture.doubles:
            self.doubles.clear()
            return
        state = "red" if any(double.served_twice for double in picture.doubles) else "due"
        self.doubles.say("".join(double.words for double in picture.doubles[:3]), state, code="ACC-348")

    def _show_paper(self) -> None:
        """Printers of this computer by their own word; of others by the numbers that they could not print."""
        said = [_paper_words(status) for status in self._statuses() if status.kind == "ticket_printer"]
        said = [words for words in said if words]
        lost = [entry for entry in (self._picture.warnings if self._picture else []) if entry[0]["state"] == "void"]
        if lost:
            ticket, why = max(lost, key=lambda entry: str(entry[0]["taken_at"]))
            at = windows.at_words(ticket["taken_at"])
            said.append(
                tr("{at} {number} 号没有打出，已作废：{why}今天共 {n} 个。", at=at, number=ticket["number"],
                   why=why, n=len(lost))
            )  # fmt: skip
        if said:
            self.paper.say(" ".join(said), "due", code="ACC-349")
        else:
            self.paper.clear()

    def _statuses(self) -> list[DeviceStatus]:
        try:
            return self._host.service(Devices).statuses()  # type: ignore[type-abstract]
        except LookupError:
            return []  # a program without devices

    def _bar(self, row: Count) -> str:
        most = max((sum(count.by_source.values()) for count in self._picture.counts), default=0) if self._picture else 0
        total = sum(row.by_source.values())
        return f"{total:>3} {'█' * max(1, round(BAR * total / most))}" if most and total else str(total)

    # -- the chosen window ----------------------------------------------------------------------------

    @Slot(str)
    def _choose(self, id: str) -> None:
        seat = self._picture.seat(id) if self._picture else None
        if seat is None or self._picture is None:
            return
        self.pane.show_seat(seat, self._picture.held.get(id), self._picture.settings)
        self._work.run("read", lambda token: read_line(self._lines, id), done=self._line_read, failed=self._trouble)

    def _line_read(self, line: Line) -> None:
        if line.window_id == self.plan.current:
            self.pane.show_line(line)

    def _trouble(self, error: BaseException) -> None:
        say_error(self.banner, error)

    def _change(self, work: Callable[[str], Any], then: Callable[[], None] | None = None) -> None:
        """What the manager has decided is done even if the page is left at once."""
        seat = self.pane.seat
        if seat is None:
            return
        id = str(seat.window["id"])
        self.banner.clear()

        def done(_result: Any) -> None:
            if not self._work.closed:
                if then:
                    then()
                self._read()

        def failed(error: BaseException) -> None:
            if not self._work.closed:
                self._trouble(error)

        self._host.run("data", lambda token: work(id), done=done, failed=failed)

    @Slot()
    def _ask_pause(self) -> None:
        seat = self.pane.seat
        if seat is None or self._picture is None:
            return
        phrases = [str(text) for text in self._picture.settings["texts"]["suspend"]]
        dialog = TextDialog(
            tr("暂停{window}", window=seat.window["name"]),
            tr("屏幕上显示的话"),
            self,
            phrases=phrases,
            longest=windows.LONGEST_TEXT,
        )
        if phrases:
            dialog.text.setText(phrases[0])
        dialog.given.connect(lambda text: self._change(lambda at: self._lines.suspend(at, text)))
        dialog.open()

    @Slot()
    def _ask_leave(self) -> None:
        seat = self.pane.seat
        if seat is None:
            return
        signed = seat.window["state"]["signed_in"]
        dialog = ConfirmDialog(
            tr("退出{window}的登录", window=seat.window["name"]),
            tr("{name}将不再在此窗口叫号；已叫的号仍在该窗口名下。", name=signed["name"] if signed else ""),
            parent=self,
        )
        dialog.accepted.connect(lambda: self._change(self._service.sign_out))
        dialog.open()

    @Slot()
    def _ask_stop(self) -> None:
        seat = self.pane.seat
        if seat is None:
            return
        extra = QWidget()
        column = QVBoxLayout(extra)
        column.setContentsMargins(0, 0, 0, 0)
        until, instead = LineEdit(tr("停用到哪天")), LineEdit(tr("可改到哪里办理"))
        until.setPlaceholderText(tr("如 2026-12-01；不填为另行通知"))
        instead.setPlaceholderText(tr("如 3号窗；可不填"))
        for edit in (until, instead):
            label = QLabel(edit.accessibleName())
            label.setBuddy(edit)
            column.addWidget(label)
            column.addWidget(edit)
        dialog = TextDialog(
            tr("停用{window}", window=seat.window["name"]),
            tr("停用的原因"),
            self,
            consequence=tr("窗口人员退出登录；只由此窗口办理的事项不能取号，取号机会说明原因和恢复日期。"),
            danger=True,
            longest=windows.LONGEST_TEXT,
            extra=extra,
        )

        def given(text: str) -> None:
            day, place = until.text().strip(), instead.text().strip()
            self._change(lambda at: self._service.stop(at, text, day, place))

        dialog.given.connect(given)
        dialog.open()

    @Slot()
    def _ask_strategy(self) -> None:
        seat = self.pane.seat
        if seat is None or self._picture is None:
            return
        self._work.run("read", partial(self._items_of, seat), done=partial(self._open_strategy, seat),
                       failed=self._trouble)  # fmt: skip

    def _items_of(self, seat: Seat, _token: object) -> list[tuple[str, str]]:
        items = (record.doc for record in self._records.find(queue.ITEM_KIND, limit=MOST))
        offered = {
            str(item["code"]): str(item["name"])
            for item in items
            if item.get("state", "published") == "published" and windows.offers(seat.window, item)
        }
        return sorted(offered.items(), key=lambda entry: entry[1])

    def _open_strategy(self, seat: Seat, items: list[tuple[str, str]]) -> None:
        if self._picture is None:
            return
        strategy = windows.strategy_of(seat.window, self._picture.settings)
        dialog = StrategyDialog(seat.window, strategy, items, self)
        dialog.given.connect(partial(self._set_strategy, dialog, seat, self._picture))
        dialog.open()

    def _set_strategy(
        self, dialog: StrategyDialog, seat: Seat, picture: Picture, target: str, strategy: dict[str, Any] | None
    ) -> None:
        window = seat.window

        def work(token: object) -> None:
            if target == GROUP and strategy is not None:
                name = str(picture.settings["groups"].get(window["group"], {}).get("name", ""))
                self._service.set_group(str(window["group"]), name, strategy)
                # a window's own order would hide the group's
                self._service.set_strategy_of_all(_own(picture.seats, str(window["group"])), None)
            elif target == ALL:
                self._service.set_strategy_of_all([str(each.window["id"]) for each in picture.seats], strategy)
            else:
                self._service.set_window_strategy(str(window["id"]), strategy)

        def done(_nothing: None) -> None:
            if not self._work.closed:
                dialog.accept()
                self.banner.say(tr("叫号策略已改，马上生效。"), "good")
                self._read()

        def failed(error: BaseException) -> None:
            if not self._work.closed:
                code = error.code if isinstance(error, GovDeskError) else ""
                dialog.failed(error.words() if isinstance(error, GovDeskError) else str(error), code)

        self._host.run("data", work, done=done, failed=failed)

    # -- the hall's screen ------------------------------------------------------------------------------

    @Slot()
    def _toggle_board(self) -> None:
        if self._screen is not None:
            self._close_board()
            return
        self._screen = SecondScreen(self.board, self.window(), windowed=True)
        self._screen.setWindowTitle(tr("综合屏"))
        self._read()

    @Slot(bool)
    def _board_shown(self, shown: bool) -> None:
        self.open_board.set_label(tr("关闭综合屏") if shown else tr("打开综合屏"))
        if not shown and self._screen is not None and not self._screen.isVisible():
            self._close_board()

    def _close_board(self) -> None:
        screen, self._screen = self._screen, None
        if screen is not None:
            self.board.setParent(None)
            screen.end()
            self.open_board.set_label(tr("打开综合屏"))


def _own(seats: list[Seat], group: str) -> list[str]:
    return [str(seat.window["id"]) for seat in seats if seat.window["group"] == group and seat.window["strategy"]]


def _of(row: Count, *sources: str) -> int:
    return sum(row.by_source.get(source, 0) for source in sources)


def _hour(hour: int) -> str:
    return tr("{a}–{b} 时", a=hour, b=hour + 1)


def _paper_words(status: DeviceStatus) -> str:
    """What is wrong with a printer, and what to do; empty while all is well or nobody could ask."""
    if status.state not in (DeviceState.ATTENTION, DeviceState.FAULT, DeviceState.ABSENT):
        return ""
    return tr("{name}：{text}{advice}", name=status.name, text=status.text, advice=status.advice)
