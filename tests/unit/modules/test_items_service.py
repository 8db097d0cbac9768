"""What keepers of items do, on a store under the real rules."""

from __future__ import annotations

from typing import Any

import pytest

from client.kernel.contract import Cancelled
from modules.acceptance.domain.item_conflicts import merge
from modules.acceptance.services.excel import read_workbook, workbook
from modules.acceptance.services.items import ItemsService
from modules.common.errors import GovDeskError, Refused
from tests.support.fake_host import FakeHost
from tests.support.items import CLERK, CODE, DEPARTMENTS, KEEPER, SYSTEM, sound_item

OTHER = "341100SC-XK-0002"


class Asked:
    """A server that answers what it is told to."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer

    def get(self, path: str, **query: str) -> Any:
        return self.answer

    def post(self, path: str, body: Any) -> Any:
        return self.answer


class Steps:
    def __init__(self, most: int = 10_000) -> None:
        self.left = most

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled

    def progress(self, share: float, text: str = "") -> None:
        assert 0 <= share <= 1


@pytest.fixture
def host() -> FakeHost:
    host = FakeHost()
    host.store.rows.clear()
    host.store.actor = KEEPER
    for id, name in DEPARTMENTS.items():
        host.store.put("organisation", {"id": id, "kind": "department", "name": name})
    return host


@pytest.fixture
def service(host: FakeHost) -> ItemsService:
    return ItemsService(host.store, host.store, host.store, Asked())


def published(service: ItemsService, code: str = CODE, **changes: Any) -> Any:
    draft = service.create(code, "小作坊")
    wanted = sound_item(code, **changes)
    service.edit(draft["id"], {k: v for k, v in wanted.items() if k not in ("elements", "code")})
    service.edit(draft["id"], {f"elements.{name}": value for name, value in wanted["elements"].items()})
    return service.publish(draft)


def test_from_a_blank_draft_to_a_second_version(service: ItemsService) -> None:
    first = published(service)
    (shelf,) = service.shelves()
    assert shelf.shown["id"] == first["id"]
    assert shelf.draft is None
    draft = service.new_version(shelf)
    (shelf,) = service.shelves()
    assert shelf.draft == draft
    assert shelf.shown["id"] == first["id"], "what is in force stands for the item"
    assert service.new_version(shelf) == draft, "one draft at a time"
    service.edit(draft["id"], {"promised_days": 5})
    service.publish(service.new_version(service.shelves()[0]))
    (shelf,) = service.shelves()
    assert [(item["version"], item["state"]) for item in shelf.versions] == [(2, "published"), (1, "superseded")]


def test_a_copy_has_a_code_of_its_own(service: ItemsService) -> None:
    first = published(service)
    copy = service.create(OTHER, "另一个", first)
    assert (copy["code"], copy["version"], copy["state"], copy["name"]) == (OTHER, 1, "draft", "另一个")
    assert copy["materials"] == first["materials"]
    for code, error in ((OTHER, "ACC-140"), ("nonsense", "ACC-129")):
        with pytest.raises(Refused) as told:
            service.create(code, "又一个")
        assert told.value.code == error
        assert "code" in told.value.refusal.fields


def test_an_overtaken_draft_is_not_published(service: ItemsService, host: FakeHost) -> None:
    first = published(service)
    draft = service.new_version(service.shelves()[0])
    body = {"item": sound_item(), "previous": draft["id"], "state": "published"}
    host.store.give("service_item", first["id"].replace("@1", "@3"), "item.import", body)
    with pytest.raises(Refused) as told:
        service.publish(draft)
    assert told.value.code == "ACC-141"


def test_a_withdrawal_counts_the_cases_that_go_on(service: ItemsService, host: FakeHost) -> None:
    first = published(service)
    for id, state, code in (
        ("a", "accepted", CODE),
        ("b", "closed", CODE),
        ("c", "decided", CODE),
        ("d", "accepted", OTHER),
    ):
        host.store.put("case", {"id": id, "state": state, "item": {"code": code}})
    assert service.open_cases(CODE) == 2
    assert service.withdraw(first["id"], "停办")["state"] == "withdrawn"
    assert service.open_cases(CODE) == 2


def test_nobody_else_may(host: FakeHost) -> None:
    service = ItemsService(host.store, host.store, host.store, Asked())
    host.store.actor = CLERK
    for call in (
        lambda: service.shelves(),
        lambda: service.create(CODE, "x"),
        lambda: service.pull(),
        lambda: service.export([], {}, Steps()),
        lambda: service.decide_conflict({}, {}),
    ):
        with pytest.raises(Refused, match="AUTH-403"):
            call()


@pytest.mark.parametrize("publish", [True, False])
def test_a_workbook_is_imported_item_by_item(service: ItemsService, publish: bool) -> None:
    first = published(service)
    changed = {**first, "promised_days": 3}
    data = workbook([changed, {**sound_item(OTHER), "version": 1}], service.departments())
    existing = [item for shelf in service.shelves() for item in shelf.versions]
    plan = read_workbook(data, existing, service.departments())
    rows = [*plan.new, *plan.changed]
    assert len(rows) == 2
    done = service.apply(rows, publish=publish, steps=Steps())
    assert (done.done, done.drafts) == (2, 0 if publish else 2)
    shelves = {shelf.code: shelf for shelf in service.shelves()}
    assert len(shelves[CODE].versions) == 2
    assert (shelves[CODE].draft is None) is publish
    assert shelves[CODE].versions[0]["promised_days"] == 3
    assert shelves[CODE].versions[0]["form"] == first["form"]
    assert [item["state"] for item in shelves[CODE].versions] == (
        ["published", "superseded"] if publish else ["draft", "published"]
    )
    again = read_workbook(data, [item for shelf in service.shelves() for item in shelf.versions], service.departments())
    assert again.unchanged == 2


def test_a_draft_is_brought_up_by_a_workbook(service: ItemsService) -> None:
    published(service)
    draft = service.new_version(service.shelves()[0])
    data = workbook([{**draft, "promised_days": 3}], service.departments())
    plan = read_workbook(data, service.shelves()[0].versions, service.departments())
    service.apply(plan.changed, publish=True, steps=Steps())
    (shelf,) = service.shelves()
    assert [(item["version"], item["state"], item["promised_days"]) for item in shelf.versions] == [
        (2, "published", 3),
        (1, "superseded", 7),
    ]


def test_a_cancelled_import_keeps_what_is_done(service: ItemsService) -> None:
    codes = [f"341100SC-XK-{n:04d}" for n in range(5)]
    data = workbook([{**sound_item(code), "version": 1} for code in codes], service.departments())
    plan = read_workbook(data, [], service.departments())
    with pytest.raises(Cancelled):
        service.apply(plan.new, publish=True, steps=Steps(2))
    assert [shelf.code for shelf in service.shelves()] == codes[:2]


@pytest.mark.parametrize(("choice", "days"), [("local", 7), ("province", 6)])
def test_a_conflict_is_decided_part_by_part(service: ItemsService, host: FakeHost, choice: str, days: int) -> None:
    item = published(service)
    merged = merge(item, sound_item(promised_days=6))
    body = {"item_id": item["id"], "code": CODE, "name": item["name"], "department": "", "department_id": "",
            "province_version": 2, "merged": merged.item, "news": merged.news, "paths": merged.conflicts}  # fmt: skip
    host.store.actor = SYSTEM
    host.store.give("item_conflict", "item-341100sc-xk-0001", "conflict.raise", body)
    host.store.actor = KEEPER
    (shelf,) = service.shelves()
    assert shelf.conflict is not None
    with pytest.raises(Refused, match="ACC-142"):
        service.decide_conflict(shelf.conflict, {})
    service.decide_conflict(shelf.conflict, {"promised_days": choice})
    (shelf,) = service.shelves()
    assert shelf.conflict is None
    assert (shelf.shown["promised_days"], shelf.shown["origin"], shelf.shown["origin_version"]) == (days, "province", 2)
    assert shelf.shown["overridden"] == ({"promised_days": 6} if choice == "local" else {})
    assert [version["state"] for version in shelf.versions] == ["published", "superseded"]


def test_a_conflict_over_an_older_version_waits_for_the_next_pull(service: ItemsService, host: FakeHost) -> None:
    item = published(service)
    conflict = {"id": "x", "item_id": item["id"], "code": CODE, "paths": ["basis"], "province_version": 2}
    service.new_version(service.shelves()[0])
    service.publish(service.shelves()[0].versions[0])
    with pytest.raises(Refused, match="ACC-143"):
        service.decide_conflict(conflict, {"basis": "local"})


def test_a_pull_tells_how_it_went(host: FakeHost) -> None:
    assert ItemsService(host.store, host.store, host.store, Asked({"last": {"cursor": 3}})).pull() == {"cursor": 3}
    with pytest.raises(GovDeskError, match="ACC-144"):
        ItemsService(host.store, host.store, host.store, Asked({"last": None})).pull()


def test_search_is_the_stores(service: ItemsService) -> None:
    published(service)
    assert len(service.shelves("小作坊")) == 1
    assert service.shelves("没有这个") == []
