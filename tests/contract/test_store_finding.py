"""Lists and searches find exactly what a scan of everything finds, in the order told, after whatever changes."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text as sql

from client.data import index, search, words
from client.data.engine import open_engine
from client.data.store import Store
from client.kernel.ports import Record
from modules.common.clock import CHINA, FixedClock
from sync.protocol import Change
from tests.support.reference_server import Person, ReferenceServer, rules_of

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
KEY = b"k" * 32
HALL, OFFICE = "hall:h1", "dept:a"
PEOPLE = {
    HALL: Person("zhang", "x", scopes=("ref", HALL)),
    OFFICE: Person("wang", "x", scopes=(OFFICE,)),
    "both": Person("li", "x", scopes=(HALL, OFFICE)),
}


def made_at(moment: datetime, n: int) -> str:
    stamp = f"{int(moment.timestamp() * 1000):012x}"
    return f"{stamp[:8]}-{stamp[8:]}-7000-8000-{n:012x}"


IDS = (
    *(made_at(NOW - timedelta(hours=9 * n), n) for n in range(3)),
    *(made_at(NOW - timedelta(days=1), n) for n in range(20, 22)),
    "a", "zz",
)  # fmt: skip
WORDS = st.lists(st.sampled_from("张张三三登记记a1"), min_size=1, max_size=6).map("".join)
TEXTS = st.one_of(
    st.lists(st.one_of(WORDS, st.sampled_from(
        ("曾单", "zs", "T1-20261120-000042", "34110319900101123X", "13800138000", "chengxiangjumin", "·",
         "城乡居民基本养老保险")
    )), max_size=4).map(" ".join),
)  # fmt: skip
ALWAYS = (
    "zs", "z", "zhangs", "zd", "42", "000042", "t1-2026", "t1-20261120-0", "1120-0000", "123x", "01123X", "341103",
    "3411031990", "34110319900101123x", "1380", "8000", "00138000", "chengxiangju", "chengxiangjuminj", "chengxiangx",
    "cxjm", "曾", "·", "居民 z", "养老保险", "乡居民基本", "乡居基本", "基本 a", "张三", "三登记", "张张三三",
    "张三张三", "三张三张",
    "记a1",
)  # fmt: skip
"""What is asked at the end of every walk."""
ASKED = st.one_of(WORDS, st.lists(WORDS, max_size=2).map(" ".join), st.sampled_from(ALWAYS))
STATES = ("open", "closed", "held")
DUES = (None, date(2026, 11, 19), date(2026, 11, 20), date(2026, 12, 1))
PUT = st.tuples(st.just("put"), st.sampled_from(IDS), st.sampled_from((HALL, OFFICE)), TEXTS, st.sampled_from(STATES),
                st.sampled_from(DUES))  # fmt: skip
GONE = st.tuples(st.just("gone"), st.sampled_from(IDS), st.sampled_from((HALL, OFFICE)))
OTHER = st.tuples(st.sampled_from(("again", "anew", "cut", "step", "tidy")))
LOOKS = st.tuples(
    st.just("look"), st.sampled_from(list(PEOPLE)), st.one_of(st.just(""), ASKED), st.sets(st.sampled_from(STATES)),
    st.sampled_from((None, date(2026, 11, 18), date(2026, 11, 19))), st.sampled_from((None, date(2026, 11, 19))),
    st.booleans(), st.booleans(), st.integers(1, 4),
)  # fmt: skip


# -- the rules, told a second time: by looking at everything -----------------------------------------

HAN = re.compile(r"[\u4e00-\u9fff]")
TOKEN = re.compile(r"[\u4e00-\u9fff]|[0-9a-z]+")


def tokens_of(word: str) -> list[str]:
    return TOKEN.findall(unicodedata.normalize("NFKC", word).casefold())


def spoken(word: str) -> Iterator[str]:
    for run in re.findall(r"[\u4e00-\u9fff]{2,20}", word):
        readings = [search._readings(character) for character in run]
        if len(run) > 4:
            readings = [each[:1] for each in readings]
        for one in islice(product(*readings), 8):
            yield "".join(each[0] for each in one)
            yield "".join(one)
            if len(run) <= 4:
                yield from one


def is_found(asked: str, told: str) -> bool:
    """Whether a record whose texts are ``told`` is found by one word."""
    wanted = tokens_of(asked)
    for word in told.split():
        tokens = tokens_of(word)
        for first in range(len(tokens) - len(wanted) + 1):
            *whole, last = tokens[first : first + len(wanted)]
            if whole == wanted[:-1] and (last == wanted[-1] or (not HAN.match(last) and last.startswith(wanted[-1]))):
                return True
        if len(wanted) == 1:
            for token in tokens:
                if len(token) >= 11 and wanted[0] in (token[-4:], token[-6:]):
                    return True
                if token.isdecimal() and token[0] == "0" and token.lstrip("0") == wanted[0]:
                    return True
            if any(sound.startswith(wanted[0]) for sound in spoken(word)):
                return True
    return False


class Model:
    """What a store should show, by plain scans."""

    def __init__(self) -> None:
        self.docs: dict[str, dict[str, Any]] = {}
        self.seen: dict[str, set[str]] = {}
        self.arrived: dict[str, int] = {}
        self.clock = 0

    def put(self, id: str, scope: str, text: str, state: str, due: date | None) -> None:
        self.clock += 1
        self.arrived.setdefault(id, self.clock)
        self.docs[id] = {"text": text, "state": state, "due": due}
        self.seen.setdefault(id, set()).add(scope)

    def gone(self, id: str, scope: str) -> None:
        if id in self.docs:
            self.seen[id].discard(scope)
            if not self.seen[id]:
                del self.docs[id], self.seen[id], self.arrived[id]

    def stands(self, id: str) -> tuple[int, int]:
        return (int(id[:8] + id[9:13], 16) if len(id) == 36 else 0, self.arrived[id])

    def find(
        self, who: str, text: str, states: set[str], since: Any, until: Any, newest: bool, by_due: bool
    ) -> list[str]:
        def day(id: str) -> date:
            return datetime.fromtimestamp(self.stands(id)[0] / 1000, CHINA).date()

        asked = [word for word in text.split() if tokens_of(word)]
        if text.strip() and not asked:
            return []
        found = [
            id
            for id, doc in self.docs.items()
            if self.seen[id] & set(PEOPLE[who].scopes)
            and (not states or doc["state"] in states)
            and ((since is None and until is None) or len(id) == 36)
            and (since is None or day(id) >= since)
            and (until is None or day(id) <= until)
            and all(is_found(word, doc["text"]) for word in asked)
        ]
        found.sort(key=self.stands, reverse=newest)
        if by_due and not text.strip():
            dated = sorted((self.docs[id]["due"], *self.stands(id), id) for id in found if self.docs[id]["due"])
            others = sorted((id for id in found if not self.docs[id]["due"]), key=self.stands, reverse=True)
            found = [*(row[-1] for row in dated), *others]
        return found


class Rig:
    """A store under test, with its model."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FixedClock(NOW)
        self.server = ReferenceServer(self.clock)
        self.model = Model()
        self.seq = dict.fromkeys((HALL, OFFICE), 0)
        self.rev = 0
        self.open()

    def open(self) -> None:
        self.store = Store.open(self.path, KEY, self.clock, rules=rules_of)

    def do(self, step: tuple[Any, ...], patch: pytest.MonkeyPatch) -> None:
        match step:
            case ("put", id, scope, text, state, due):
                self.model.put(id, scope, text, state, due)
                title, _, rest = text.partition(" ")
                self.receive(scope, id, "put", {"title": title, "state": state, "search": rest,
                                                "due": due.isoformat() if due else None})  # fmt: skip
            case ("gone", id, scope):
                self.model.gone(id, scope)
                self.receive(scope, id, "tombstone", {})
            case ("again",):
                self.store.close()
                self.open()
            case ("anew" | "cut" as how,):
                # words are made in another way from now on; cut: the program stops in the middle of making them
                with self.store._writing() as unit:
                    unit.db.execute(sql("INSERT INTO record_search (record_search) VALUES ('delete-all')"))
                self.store.close()
                patch.setattr(index, "SLICE", 2)
                patch.setattr(search, "VERSION", search.VERSION + 1)
                patch.setattr(words, "AT_ONCE", 2)
                self.open()
                if how == "cut":
                    self.store.words.step()
                    self.store.close()
                    self.open()
                assert 0 <= self.store.searchable() <= 1
            case ("step",):
                self.store.words.step()
            case ("tidy",):
                with self.store._writing() as unit:
                    index.tidy(unit.db, first=True)
            case ("look", *asked, limit):
                self.look(*asked, limit)

    def receive(self, scope: str, id: str, op: str, summary: dict[str, Any]) -> None:
        self.seq[scope] += 1
        self.rev += 1
        change = Change(self.seq[scope], "note", id, self.rev, op, {"id": id}, summary)
        # of a long feed, words come later: in any mixture with those that do not
        self.store.receive(scope, [change], complete=True, more=self.rev % 3 > 0)

    def look(
        self, who: str, text: str, states: set[str], since: Any, until: Any, newest: bool, by_due: bool, limit: int
    ) -> None:
        if text:
            while not self.store.words.step():
                pass
        self.store.open_session(self.server.statement(PEOPLE[who], "d-1"), "3号窗", "T1")
        wanted = self.model.find(who, text, states, since, until, newest, by_due)
        found: list[str] = []
        page: list[Record] = []
        while True:
            page = self.store.find("note", states=sorted(states), text=text, since=since, until=until, limit=limit,
                                   newest_first=newest, by_due=by_due, after=page[-1] if page else None)  # fmt: skip
            found += [record.id for record in page]
            if len(page) < limit or len(found) > len(wanted):
                break
        assert found == wanted
        if not text and since is until is None:
            assert self.store.count("note", states=sorted(states)) == len(wanted)
        late = [id for id in self.model.find(who, "", states, None, None, True, True)
                if (self.model.docs[id]["due"] or date.max) <= date(2026, 11, 19)]  # fmt: skip
        assert [record.id for record in self.store.find("note", states=sorted(states), due=date(2026, 11, 19))] == late
        assert self.store.count("note", states=sorted(states), due=date(2026, 11, 19)) == len(late)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "store.db"
    open_engine(path, KEY).dispose()
    return path


def walk(empty: Path, folder: Path, steps: list[tuple[Any, ...]]) -> None:
    path = folder / "store.db"
    for old in folder.glob("store.db*"):
        old.unlink()
    shutil.copyfile(empty, path)
    with pytest.MonkeyPatch.context() as patch:
        rig = Rig(path)
        try:
            for step in steps:
                rig.do(step, patch)
            for asked in ALWAYS:
                rig.look("both", asked, set(), None, None, True, False, 3)
            for by_due in (True, False):
                rig.look("both", "", set(STATES), None, None, True, by_due, 1)
        finally:
            rig.store.close()


STEPS = st.lists(st.one_of(PUT, PUT, PUT, GONE, OTHER, LOOKS, LOOKS), min_size=4, max_size=40)


@settings(max_examples=20, deadline=None, phases=[Phase.generate])
@given(steps=STEPS)
def test_what_is_found_is_what_a_scan_finds(empty: Path, tmp_path_factory: pytest.TempPathFactory, steps: Any) -> None:
    walk(empty, tmp_path_factory.mktemp("walk"), steps)


def test_making_words_anew_goes_on_where_it_was_cut(empty: Path, tmp_path: Path) -> None:
    puts = [("put", id, HALL, "张三", "open", None) for id in IDS]
    look = ("look", "both", "张三", set(), None, None, True, False, 2)
    walk(empty, tmp_path, [*puts, ("cut",), ("gone", IDS[2], HALL), look, ("anew",), puts[2], look])


def test_words_of_a_long_feed_come_after_its_documents(empty: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    shutil.copyfile(empty, path)
    rig = Rig(path)
    try:
        rig.store.open_session(rig.server.statement(PEOPLE["both"], "d-1"), "3号窗", "T1")
        changes = [
            Change(seq, "note", id, 1, "put", {"id": id}, {"title": f"张三{seq}", "state": "open"})
            for seq, id in enumerate(IDS, 1)
        ]
        rig.store.receive(HALL, changes[:2], complete=False, more=True)
        assert len(rig.store.find("note")) == 2
        assert rig.store.find("note", text="张三") == []
        assert rig.store.searchable() == 0
        rig.store.receive(HALL, changes[2:], complete=True)
        assert 0 < len(rig.store.find("note", text="张三")) == len(changes) - 2
        rig.store.close()
        rig.open()  # what waits is not forgotten by a restart
        rig.store.open_session(rig.server.statement(PEOPLE["both"], "d-1"), "3号窗", "T1")
        assert rig.store.searchable() < 1
        assert not rig.store.words.step()
        assert len(rig.store.find("note", text="张三")) == len(changes)
        assert rig.store.searchable() == 1
        assert rig.store.words.step()
    finally:
        rig.store.close()


@pytest.mark.full
@settings(max_examples=2000, deadline=None)
@given(steps=STEPS)
def test_what_is_found_is_what_a_scan_finds_at_length(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, steps: Any
) -> None:
    walk(empty, tmp_path_factory.mktemp("walk"), steps)
