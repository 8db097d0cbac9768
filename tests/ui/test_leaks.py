"""A window that is used all day holds in the evening what it held in the morning: the short form of the soak."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QWidget
from sqlalchemy import text as sql

from client.data.store import Store
from client.kernel.events import Events, RecordsChanged
from client.kernel.ports import Commands, Drafts, Prints, Records, Session, Tray
from modules.acceptance.domain.cases import KIND
from modules.acceptance.ui.cases.page import CasesView
from modules.acceptance.ui.counter.page import AcceptView
from modules.common.clock import FixedClock
from modules.common.manifest import permissions_of, rules_of
from sync.protocol import Change
from tests.support.fake_host import FakeHost, filled, item
from tests.support.reference_server import Person, ReferenceServer

NOW = datetime(2026, 11, 20, 2, 24, tzinfo=UTC)
WARM, ROUNDS = 5, 12
MOST_OBJECTS, MOST_BYTES = 40, 40_000
"""What a round may leave: Qt's binding keeps a few weak references; a page that is kept leaves five hundred objects."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FakeHost]:
    """A host over the real, encrypted store."""
    host = FakeHost()
    clock = FixedClock(NOW)
    store = Store.open(tmp_path / "store.db", b"k" * 32, clock, rules=rules_of)
    clerk = Person("zhang", "x", permissions=tuple(permissions_of({"clerk"})))
    store.open_session(ReferenceServer(clock).statement(clerk, "d-1"), "3号窗", "3411A")
    store.add_lease("3411A", 1, 10_000)
    offered = item()
    change = Change(
        1, "service_item", offered["id"], 1, "put", offered, rules_of("service_item").summary(offered).to_wire()
    )
    store.receive("ref", [change], complete=True)
    store.on_changed = lambda keys: host.events.publish(RecordsChanged(keys))
    host.services |= dict.fromkeys((Records, Commands, Tray, Session), store)
    host.services |= {Drafts: store.drafts, Prints: store.prints}
    yield host
    host.drain()
    store.close()


def round_of_work(host: FakeHost, offered: dict[str, Any]) -> None:
    """Accept somebody, open the pages, look for the case, look at it, close the pages."""
    store = host.service(Records)
    case = store.give(KIND, store.new_id(), "case.accept", filled(offered, name="张三丰"), numbered=True)
    pages: list[QWidget] = [CasesView(host), AcceptView(host)]
    cases = pages[0]
    assert isinstance(cases, CasesView)
    for page in pages:
        page.resize(1280, 800)
        page.show()
    host.drain()
    for text in ("张三", "zsf", ""):
        cases.search.setText(text)
        cases._reload()
        host.drain()
    assert cases.table.choose(case.id)
    host.drain()
    assert store.count(KIND) > 0
    for page in pages:
        page.close()
        page.deleteLater()
    host.drain()
    # the outbox is not emptied by a server here: what waits is dropped, so that every round finds the same
    with store._writing() as unit:
        for table in ("outbox", "record", "record_scope"):
            unit.db.execute(sql(f"DELETE FROM {table} WHERE kind = 'case'"))
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()


@dataclass(frozen=True, slots=True)
class Left:
    """What a round of work leaves behind, on average, and of which types the objects are."""

    objects: float
    bytes: float
    widgets: float
    types: str


def left(host: FakeHost) -> Left:
    """By a few rounds, after some that fill what is kept on purpose."""
    offered = item()
    for _ in range(WARM):
        round_of_work(host, offered)
    gc.collect()
    before = Counter(type(thing).__qualname__ for thing in gc.get_objects())
    widgets = len(QApplication.allWidgets())
    tracemalloc.start()
    held = tracemalloc.get_traced_memory()[0]
    for _ in range(ROUNDS):
        round_of_work(host, offered)
    gc.collect()
    bytes_ = tracemalloc.get_traced_memory()[0] - held
    tracemalloc.stop()
    after = Counter(type(thing).__qualname__ for thing in gc.get_objects())
    more = (after - before).most_common(8)
    objects = sum(after.values()) - sum(before.values())
    widgets = len(QApplication.allWidgets()) - widgets
    return Left(objects / ROUNDS, bytes_ / ROUNDS, widgets / ROUNDS, str(more))


def test_rounds_of_work_leave_nothing_behind(host: FakeHost) -> None:
    found = left(host)
    assert found.widgets <= 0, found
    assert found.objects <= MOST_OBJECTS, found
    assert found.bytes <= MOST_BYTES, found


def test_a_page_that_is_told_for_ever_would_be_noticed(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted leak: a closed page that stays subscribed."""
    subscribe = Events.subscribe

    def for_ever(self: Events, event: Any, call: Callable[[Any], None]) -> Callable[[], None]:
        subscribe(self, event, call)
        return lambda: None

    monkeypatch.setattr(Events, "subscribe", for_ever)
    found = left(host)
    assert found.objects > 5 * MOST_OBJECTS, found
    assert found.bytes > 3 * MOST_BYTES, found
