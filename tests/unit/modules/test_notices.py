"""Notices: sent by the server alone, read by whom they are for, and by nobody else."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from client.data.store import Store
from modules.common.aggregate import Command, Context, Doc, apply
from modules.common.calendar import WorkCalendar
from modules.common.clock import FixedClock
from modules.common.errors import Refusal, Refused
from modules.common.ids import is_aggregate_id, uuid7
from modules.common.manifest import rules_of
from modules.common.notices import KIND, SEND, notice, notice_id
from modules.common.permissions import SYSTEM, Actor
from modules.notices.domain import DISMISS, NOTICE, READ, link_of
from modules.notices.services import AT_ONCE, NoticeService
from sync.protocol import Change
from tests.support.reference_server import Person, ReferenceServer

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
ZHANG, LI = Actor("p-zhang", "zhang", "张三"), Actor("p-li", "li", "李四")
BODY = notice("p-zhang", "黄牌", "一件办件已超期。", "case:c-1", NOW)


def give(state: Doc | None, type: str, body: dict[str, Any] | None = None, actor: Actor = ZHANG, day: int = 20) -> Any:
    context = Context(NOW.replace(day=day), actor, WorkCalendar())
    outcome = apply(NOTICE, state, Command(uuid7(), KIND, "n-1", type, body or {}), context)
    return outcome if isinstance(outcome, Refusal) else outcome[0]


def sent() -> Doc:
    doc: Doc = give(None, SEND, BODY, SYSTEM)
    return doc


def test_a_notice_is_sent_read_and_put_away() -> None:
    doc = sent()
    assert doc == {**BODY, "id": "n-1", "state": "unread", "read_at": ""}
    assert NOTICE.scopes(doc) == {"person:p-zhang"}
    assert (NOTICE.summary(doc).title, NOTICE.summary(doc).state) == ("黄牌", "unread")
    read = give(doc, READ, day=21)
    assert (read["state"], read["read_at"][:10]) == ("read", "2026-11-21")
    # again, at another counter that did not know: no fault, and the first time stays
    assert give(read, READ, day=22) == read
    gone = give(read, DISMISS, day=22)
    assert (gone["state"], gone["read_at"][:10]) == ("dismissed", "2026-11-21")
    assert give(gone, READ) == give(gone, DISMISS) == gone
    assert give(doc, DISMISS)["read_at"]


@pytest.mark.parametrize(
    ("state", "type", "body", "actor", "code"),
    [
        (None, SEND, BODY, ZHANG, "AUTH-403"),
        (sent(), SEND, BODY, SYSTEM, "NOTE-001"),
        (None, READ, {}, ZHANG, "NOTE-002"),
        (sent(), READ, {}, LI, "NOTE-003"),
        (sent(), DISMISS, {}, SYSTEM, "NOTE-003"),
        (None, SEND, {}, SYSTEM, "NOTE-004"),
        (None, SEND, {**BODY, "text": ["x"]}, SYSTEM, "NOTE-004"),
        (None, SEND, {**BODY, "at": "gestern"}, SYSTEM, "NOTE-004"),
        (sent(), "notice.burn", {}, ZHANG, "NOTE-005"),
    ],
)
def test_what_is_refused(state: Doc | None, type: str, body: dict[str, Any], actor: Actor, code: str) -> None:
    refusal = give(state, type, body, actor)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code


def test_ids_say_the_same_again_and_links_are_taken_apart() -> None:
    assert notice_id("yellow", "c-1", "p") == notice_id("yellow", "c-1", "p") != notice_id("yellow", "c-1p", "")
    assert is_aggregate_id(notice_id("黄牌", "c-1"))
    links = {"case:c-1": ("case", "c-1"), "page:acceptance.cases": ("page", "acceptance.cases")}
    links |= dict.fromkeys(("", "x", ":", "case:"), ("", ""))
    assert {link: link_of({"link": link}) for link in links} == links


def test_marking_all_as_read_lets_others_in_between(tmp_path: Path) -> None:
    clock = FixedClock(NOW)
    store = Store.open(tmp_path / "store.db", b"k" * 32, clock, rules=rules_of)
    person = Person("zhang", "x", scopes=("ref", "person:p-zhang"))
    store.open_session(ReferenceServer(clock).statement(person, "d-1"), "3号窗", "T1")
    me = store.actor.id
    changes = []
    for place in range(1, AT_ONCE + 6):
        doc = {**sent(), "id": f"n-{place}", "to": me, "at": f"2026-11-{place:02d}T00:00:00.000Z"}
        changes.append(Change(place, KIND, doc["id"], 1, "put", doc, NOTICE.summary(doc).to_wire()))
    store.receive("person:p-zhang", changes, complete=True)
    service = NoticeService(store, store)
    assert [record.id for record in service.notices(True)][:2] == [f"n-{AT_ONCE + 5}", f"n-{AT_ONCE + 4}"]
    assert service.read_some()
    assert store.count(KIND, states=["unread"]) == 5
    assert not service.read_some()
    assert not service.read_some()
    assert service.notices(True) == []
    assert [record.id for record in service.notices(True, keep="n-3")] == ["n-3"]
    service.dismiss("n-3")
    assert service.notices(True, keep="n-3") == []
    assert len(service.notices(False)) == AT_ONCE + 4
    assert all(record.id != "n-3" for record in service.notices(False))
    with pytest.raises(Refused, match="NOTE-002"):
        service.read("n-99")
    store.close()
