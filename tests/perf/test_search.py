"""What finding one of twenty thousand cases takes, in the store of a window, by what people have at hand."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from client.data.store import Store
from modules.acceptance.domain.cases import CASE, KIND
from modules.common.clock import FixedClock
from modules.common.ids import uuid7
from sync.protocol import Change
from tests.perf.harness import report
from tests.support.reference_server import Person, ReferenceServer

pytestmark = pytest.mark.perf
CASES = 20_000
SLICE = 200
ASKED = 50
LIMIT = 200
GOAL_MS = 100
NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
ITEMS = ("个体工商户设立登记", "城乡居民基本养老保险参保登记", "居住登记", "食品经营许可", "不动产转移登记")
FAMILIES = {
    "张": "z",
    "王": "w",
    "李": "l",
    "赵": "z",
    "刘": "l",
    "陈": "c",
    "杨": "y",
    "黄": "h",
    "周": "z",
    "吴": "w",
}
GIVEN = {"伟": "w", "芳": "f", "敏": "m", "静": "j", "丽": "l", "强": "q", "磊": "l", "军": "j", "洋": "y", "勇": "y"}


@dataclass(frozen=True, slots=True)
class Known:
    """What somebody at the counter has at hand."""

    number: str
    name: str
    phone: str

    @property
    def initials(self) -> str:
        """As they are typed: ``zw`` for 张伟."""
        return FAMILIES[self.name[0]] + "".join(GIVEN[each] for each in self.name[1:])


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, dict[str, Known]]]:
    """A window's store that has pulled the cases of its hall: few names, many people."""
    clock = FixedClock(NOW)
    server = ReferenceServer(clock)
    store = Store.open(tmp_path_factory.mktemp("hall") / "store.db", b"k" * 32, clock, rules=lambda kind: CASE)
    store.open_session(server.statement(Person("zhang", "x"), "d-1"), "3号窗", "T1")
    dice = random.Random(CASES)
    cases: dict[str, Known] = {}
    changes: list[Change] = []
    for seq in range(1, CASES + 1):
        name = dice.choice(list(FAMILIES)) + "".join(dice.choices(list(GIVEN), k=dice.choice((1, 2))))
        known = Known(f"3411A-20261120-{seq:06d}", name, f"138{dice.randrange(10**8):08d}")
        id = uuid7()
        doc = {
            "id": id,
            "number": known.number,
            "state": "accepted",
            "applicant": {
                "name": name,
                "id_number": f"34110119900101{dice.randrange(10**4):04d}",
                "phone": known.phone,
            },
            "item": {"name": dice.choice(ITEMS)},
            "due": {"date": "2026-12-01"},
        }
        cases[id] = known
        summary = CASE.summary(doc)
        shown = {"title": summary.title, "number": summary.number, "state": summary.state, "search": summary.search}
        changes.append(Change(seq, KIND, id, 1, "put", doc, {**shown, "due": "2026-12-01"}))
        if len(changes) == SLICE:
            store.receive("hall:h1", changes, complete=seq == CASES)
            changes = []
    yield store, cases
    store.close()


ASK: dict[str, Callable[[Known], str]] = {
    "two-character name": lambda known: known.name[:2],
    "tail of the number": lambda known: known.number[-6:],
    "phone": lambda known: known.phone,
    "pinyin initials": lambda known: known.initials,
}


@pytest.mark.parametrize("by", ASK)
def test_one_of_twenty_thousand_cases_is_found(hall: tuple[Store, dict[str, Known]], by: str) -> None:
    store, cases = hall
    ask = ASK[by]
    wanted = random.Random(by).sample(list(cases.items()), ASKED)
    took = []
    for id, known in wanted:
        began = time.perf_counter()
        found = store.find(KIND, text=ask(known), limit=LIMIT)
        took.append((time.perf_counter() - began) * 1000)
        ids = [record.id for record in found]
        assert id in ids or len(ids) == LIMIT
        assert ids == sorted(ids, reverse=True)
    report(f"search of {CASES} cases by {by}, median", statistics.median(took), "ms", GOAL_MS)
    report(f"search of {CASES} cases by {by}, slowest of {ASKED}", max(took), "ms", 3 * GOAL_MS)
    assert statistics.median(took) <= GOAL_MS
