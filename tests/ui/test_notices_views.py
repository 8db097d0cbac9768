"""消息 as a person meets it: list, detail, what it leads to, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import shell_fakes
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from shell_fakes import NOW, FakeHost

from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Record
from client.widgets.theme import Theme
from modules.common.aggregate import Command, Context, apply
from modules.common.calendar import WorkCalendar
from modules.common.errors import GovDeskError, Refusal, Refused
from modules.common.ids import uuid7
from modules.common.permissions import SYSTEM, Actor
from modules.notices.domain import NOTICE
from modules.notices.ui import NoticesView
from tests.support.a11y import Walk

ME = Actor("p1", "zhangsan", "张三")
LONG = (
    "3411A-20261113-000042 李建国 · 个体工商户设立登记，应办结日期 2026-11-18，超期 2 个工作日。请尽快办理并说明原因。"
    * 3
)


class Desk:
    """Records and commands of notices, decided by the real rules."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self.rows: dict[str, Record] = {}
        self.trouble: GovDeskError | None = None
        for place, (title, text, link) in enumerate(
            (
                ("黄牌", LONG, "case:c-1"),
                ("催办", "请看一下。", ""),
                ("目录已更新", "省级事项目录有 3 处与本地不同。", "page:acceptance.items"),
            ),
            1,
        ):
            body = {"to": "p1", "title": title, "text": text, "link": link, "at": f"2026-11-{16 + place}T02:00:00.000Z"}
            self.give("notice", f"n-{place}", "notice.send", body, actor=SYSTEM)

    def give(self, kind: str, id: str, type: str, body: dict[str, Any], *, actor: Actor = ME, **_: Any) -> Record:
        if self.trouble:
            raise self.trouble
        old = self.rows.get(id)
        command = Command(uuid7(), kind, id, type, body)
        outcome = apply(NOTICE, old.doc if old else None, command, Context(NOW, actor, WorkCalendar()))
        if isinstance(outcome, Refusal):
            raise Refused(outcome)
        summary = NOTICE.summary(outcome[0])
        self.rows[id] = Record(kind, id, 1, outcome[0], summary.title, summary.state, "", None, NOW)
        self.events.publish(RecordsChanged(frozenset({(kind, id)})))
        return self.rows[id]

    def get(self, kind: str, id: str) -> Record | None:
        return self.rows.get(id)

    def find(self, kind: str, *, states: Any = (), limit: int = 200, **_: Any) -> list[Record]:
        if self.trouble:
            raise self.trouble
        return [row for row in self.rows.values() if row.state in states][:limit]


class Stage:
    """A page over the fakes, and where it led."""

    def __init__(self, qtbot: Any, folder: Path) -> None:
        self.events = Events()
        self.desk = Desk(self.events)
        self.opened: list[tuple[str, dict[str, Any]]] = []
        self.host = FakeHost(
            Records=self.desk,
            Commands=self.desk,
            Events=self.events,
            Clock=shell_fakes.clock(),
            Settings=shell_fakes.settings(folder),
        )
        self.host.open_page = lambda page, **arguments: self.opened.append((page, arguments))  # type: ignore[method-assign]
        self.page = NoticesView(self.host)
        qtbot.addWidget(self.page)
        self.page.resize(1024, 640)
        self.page.show()
        self.page.activateWindow()
        QApplication.processEvents()

    def titles(self) -> list[str]:
        return [record.title for record in self.page.table.rows]

    def choose(self, id: str) -> None:
        assert self.page.table.choose(id)
        QApplication.processEvents()


@pytest.fixture
def stage(qtbot: Any, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(qtbot, tmp_path)
    yield made
    made.page.close()


def test_unread_ones_first_and_newest_on_top(stage: Stage) -> None:
    page = stage.page
    assert stage.titles() == ["目录已更新", "催办", "黄牌"]
    stage.desk.give("notice", "n-2", "notice.read", {})
    assert stage.titles() == ["目录已更新", "黄牌"]
    page.chips[1].click()
    assert stage.titles() == ["目录已更新", "催办", "黄牌"]
    texts = [page.table.model.index(1, column).data() for column in range(4)]
    assert texts == ["已读", "催办", "请看一下。", "11月18日 10:00"]


def test_opening_one_reads_it_and_leads_to_its_record(stage: Stage) -> None:
    stage.choose("n-1")
    stage.page.detail.open.click()
    assert stage.opened == [("acceptance.cases", {"case": "c-1"})]
    assert stage.desk.rows["n-1"].state == "read"
    # it stays in view: the person is still at it
    assert "黄牌" in stage.titles()
    assert not stage.page.detail.read.isVisible()
    stage.choose("n-3")
    stage.page.detail.open.click()
    assert stage.opened[1:] == [("acceptance.items", {})]
    stage.choose("n-2")
    assert not stage.page.detail.open.isVisible()


def test_one_is_put_away_and_all_are_read(stage: Stage) -> None:
    page = stage.page
    stage.choose("n-2")
    page.detail.dismiss.click()
    assert stage.titles() == ["目录已更新", "黄牌"]
    page.read_all.click()
    assert stage.titles() == []
    assert page.table.pane.text() == "没有未读消息。"
    assert not page.read_all.isEnabled()
    page.chips[1].click()
    assert stage.titles() == ["目录已更新", "黄牌"]


def test_a_link_from_elsewhere_shows_one_that_is_read(stage: Stage) -> None:
    stage.desk.give("notice", "n-1", "notice.read", {})
    stage.page.show_arguments(notice="n-1")
    assert stage.page.table.current.id == "n-1"
    assert stage.page.detail.record is not None


def test_what_goes_wrong_is_said_in_its_place(stage: Stage) -> None:
    stage.choose("n-1")
    stage.desk.trouble = GovDeskError("DATA-010", "磁盘空间不足。", fix="请清理磁盘。")
    stage.page.detail.read.click()
    assert stage.page.banner.text() == "磁盘空间不足。请清理磁盘。"
    assert stage.page.table.pane.isVisible()
    stage.desk.trouble = None
    stage.page.table.pane.acted.emit()
    assert len(stage.titles()) == 3


def test_by_keyboard_alone(stage: Stage) -> None:
    page = stage.page
    page.setFocus()
    view = page.table.view
    assert view.hasFocus()
    QTest.keyClick(view, Qt.Key.Key_Down)
    QTest.keyClick(view, Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert page.detail.open.hasFocus()
    QTest.keyClick(page.detail.open, Qt.Key.Key_Return)
    assert stage.opened == [("acceptance.items", {})]


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_everything_has_a_name_and_fits(stage: Stage, theme: Theme, zoom: float) -> None:
    stage.choose("n-1")
    theme.apply("light", zoom)
    stage.page.resize(round(1024 * zoom), round(640 * zoom))
    QApplication.processEvents()
    walk = Walk(stage.page)
    assert walk.nameless() == []
    assert walk.out_of_order() == []
    assert walk.clipped() == []


def test_a_closed_page_listens_no_more(stage: Stage) -> None:
    stage.page.close()
    stage.desk.rows["n-9"] = replace(stage.desk.rows["n-1"], id="n-9")
    stage.events.publish(RecordsChanged(frozenset({("notice", "n-9")})))
    assert "n-9" not in [record.id for record in stage.page.table.rows]
