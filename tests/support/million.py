"""A counter's store with a million cases, as years of work would leave it, made in minutes instead.

Names have the frequencies of the census, items those of a hall, documents what the rules make of a real acceptance.
Rows are written as ``client.data`` writes them, many at a time: ``tests/perf/test_search.py`` receives a page over it.
The file is made once for each number of cases and each schema, and kept in the folder for temporary files; its key is
no secret, for the citizens in it do not exist.

    python -m tests.support.million COUNT
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

from client.data import index, search
from client.data.engine import HEAD, connect, open_engine
from modules.acceptance.domain.cases import KIND
from modules.common.digests import changed
from tests.support.fake_host import FakeHost, filled, item

KEY = b"m" * 32
HALL, RARE = "hall:hall-1", "dept:rare"
FIRST = datetime(2022, 11, 21, 1, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
FAMILIES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹"
    "熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
SHARES = (725, 719, 683, 538, 453, 308, 229, 223, 201, 200, 150, 147, 131, 126, 121, 118, 117, 115, 111, 110)
"""Per ten thousand, of the first twenty families; of the others ever fewer."""
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华文建国红玉兰志海波鹏飞云丹婷雪梅宇浩然子轩梓涵欣怡嘉俊晨博思雨"
    "佳琪春生福贵根水金凤翠花"
)
ITEMS = (
    ("城乡居民基本养老保险参保登记", 28), ("城乡居民基本医疗保险参保登记", 14), ("居民身份证补领", 8),
    ("个体工商户设立登记", 9), ("食品经营许可", 7), ("不动产转移登记", 7), ("居住登记", 6),
    ("灵活就业人员社会保险登记", 5), ("老年人优待证办理", 4), ("护士执业注册", 2), ("公共场所卫生许可", 2),
    ("企业设立登记", 3), ("户口迁移", 2), ("普通护照签发", 2), ("残疾人两项补贴资格认定", 1),
)  # fmt: skip
RARELY = "爨"
"""A family that a few cases in a million have."""


@dataclass(frozen=True, slots=True)
class Citizen:
    """What somebody at the counter has at hand."""

    number: str
    name: str
    id_number: str
    phone: str
    item: str


@dataclass(frozen=True, slots=True)
class _Made:
    """A case on its way into the store."""

    id: str
    place: int
    state: str
    due: str | None
    citizen: Citizen
    scopes: tuple[str, ...]


def made(count: int) -> Iterator[_Made]:
    """The cases, oldest first: the same for the same number."""
    dice = random.Random(count)
    shares = [*SHARES, *(110 * 20 // rank for rank in range(21, len(FAMILIES) + 1))]
    families, firsts, items = [*accumulate(shares)], [*accumulate(1 / (8 + n) for n in range(len(GIVEN)))], [
        *accumulate(share for _, share in ITEMS)]  # fmt: skip
    step = (NOW - FIRST) / count
    day, serial, last = "", 0, 0
    for n in range(count):
        moment = FIRST + step * n
        today = moment.strftime("%Y%m%d")
        day, serial = (today, serial + 1) if today == day else (today, 1)
        family = RARELY if dice.random() < 20 / count else dice.choices(FAMILIES, cum_weights=families)[0]
        name = family + "".join(dice.choices(GIVEN, cum_weights=firsts, k=dice.choice((1, 2, 2))))
        born = datetime(1940, 1, 1, tzinfo=UTC) + timedelta(dice.randrange(25_000))
        region = dice.choice(("341103", "341103", "341103", "341102", "341122", "320111"))
        citizen = Citizen(
            f"3411A-{today}-{serial:06d}", name,
            f"{region}{born:%Y%m%d}{dice.randrange(1000):03d}{dice.choice('0123456789X')}",
            f"1{dice.choice(('38', '39', '50', '51', '59', '86', '87', '99'))}{dice.randrange(10**8):08d}",
            ITEMS[dice.choices(range(len(ITEMS)), cum_weights=items)[0]][0],
        )  # fmt: skip
        age = count - n
        state = "closed" if dice.random() < 0.97 else "void"
        due = (moment + timedelta(20)).date().isoformat()
        if age < count // 50:
            state = dice.choice(("applied", "accepted", "accepted", "accepted", "suspended", "decided", "issued"))
            due = (NOW + timedelta(dice.randrange(-10, 30))).date().isoformat()
        milliseconds = int(moment.timestamp() * 1000)
        tail = hashlib.sha256(f"{count}:{n}".encode()).hexdigest()
        id = f"{milliseconds:012x}"
        id = f"{id[:8]}-{id[8:]}-7{tail[:3]}-8{tail[3:6]}-{tail[6:18]}"
        last = max(milliseconds * index.SLOTS, last + 1)
        rare = (RARE,) if n % (count // 300 or 1) == 0 else ()
        yield _Made(id, last, state, None if state == "applied" else due, citizen, (HALL, *rare))


def _template() -> str:
    """The document of an accepted case, with marks for what is the citizen's."""
    host = FakeHost()
    offered = item()
    host.store.put("service_item", offered)
    record = host.store.give(KIND, host.store.new_id(), "case.accept", filled(offered, name="@NAME@"), numbered=True)
    doc = json.loads(json.dumps(record.doc))
    doc |= {"id": "@ID@", "number": "@NUMBER@", "state": "@STATE@", "due": {"date": "@DUE@", "provisional": False}}
    doc["applicant"] |= {"name": "@NAME@", "id_number": "@CARD@", "phone": "@PHONE@"}
    doc["item"]["name"] = "@ITEM@"
    # as many steps as a case has behind it that was approved, issued and collected
    doc["history"] = (doc["history"] * 8)[:8]
    return json.dumps(doc, ensure_ascii=False, separators=(",", ":"))


def store_of(count: int, *, indexed: bool = True) -> Path:
    """The file with ``count`` cases; ``indexed``: with their words."""
    print_of = hashlib.sha256(Path(__file__).read_bytes() + Path(search.__file__).read_bytes()).hexdigest()[:8]
    path = Path(tempfile.gettempdir()) / f"govdesk-{count}-{HEAD}-{print_of}{'' if indexed else '-bare'}.db"
    if not path.exists():
        scratch = path.with_suffix(f".{os.getpid()}")
        open_engine(scratch, KEY).dispose()
        with closing(connect(scratch, KEY)) as connection:
            _fill(connection, count, indexed)
        scratch.replace(path)
    return path


def _fill(connection: Any, count: int, indexed: bool) -> None:
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'").fetchall()
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000"):
        connection.execute(f"PRAGMA {pragma}")
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    template = _template()
    rows = made(count)
    while part := list(islice(rows, 5000)):
        connection.execute("BEGIN")
        _write(connection, template, part, indexed)
        connection.execute("COMMIT")
    for _, statement in triggers:
        connection.execute(statement)
    if indexed:
        connection.execute("INSERT INTO meta VALUES ('words', ?)", (str(search.VERSION),))
        connection.execute("INSERT INTO meta VALUES ('words_of', ?)", (str(search.VERSION),))
    for scope in (HALL, RARE):
        digest = held = 0
        for (id,) in connection.execute("SELECT id FROM record_scope WHERE scope=?", (scope,)):
            digest, held = changed(digest, KIND, id, 0, 1), held + 1
        connection.execute("INSERT INTO cursor (scope, since, epoch, generation, complete, floor, count, digest) "
                           "VALUES (?,?,'',1,1,0,?,?)", (scope, held, held, digest))  # fmt: skip
    connection.execute("PRAGMA journal_mode=WAL")


def _write(connection: Any, template: str, part: Sequence[_Made], indexed: bool) -> None:
    records, places, lists, words, scopes = [], [], [], [], []
    for one in part:
        citizen = one.citizen
        doc = template
        for mark, value in (("@ID@", one.id), ("@NUMBER@", citizen.number), ("@STATE@", one.state),
                            ("@NAME@", citizen.name), ("@CARD@", citizen.id_number), ("@PHONE@", citizen.phone),
                            ("@ITEM@", citizen.item), ("@DUE@", one.due or "2026-12-31")):  # fmt: skip
            doc = doc.replace(mark, value)
        title = f"{citizen.name} · {citizen.item}"
        text = " ".join((citizen.number, citizen.name, citizen.id_number, citizen.phone, citizen.item))
        summary = {"title": title, "state": one.state, "number": citizen.number, "due": one.due, "search": text}
        listed = json.dumps([one.state, one.due, sorted(one.scopes)], ensure_ascii=False)
        records.append((KIND, one.id, 1, doc, json.dumps(summary, ensure_ascii=False), title, one.state, citizen.number,
                        one.due, text))  # fmt: skip
        places.append((one.place, KIND, one.id, listed))
        lists += [(scope, KIND, one.state, one.place, one.due) for scope in one.scopes]
        scopes += [(KIND, one.id, scope) for scope in one.scopes]
        if indexed:
            words.append((one.place, index.document(KIND, listed, title, citizen.number, text)))
    many = connection.executemany
    many("INSERT INTO record (kind, id, rev, doc, summary, title, state, number, due, search, pending, refused, stale, "
         "updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,0,0,0,'2026-11-20T01:00:00.000Z')", records)  # fmt: skip
    many("INSERT INTO record_place VALUES (?,?,?,?)", places)
    many("INSERT INTO record_list (scope, kind, state, place, due) VALUES (?,?,?,?,?)", lists)
    many("INSERT INTO record_scope (kind, id, scope, generation, rev) VALUES (?,?,?,1,1)", scopes)
    if words:
        many("INSERT INTO record_search (rowid, words) VALUES (?,?)", words)


if __name__ == "__main__":
    sys.stdout.write(f"{store_of(int(sys.argv[1]))}\n")
