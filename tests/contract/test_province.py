"""The provincial catalogue and the central server, each as it runs: protocol, news, and every kind of trouble."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from modules.acceptance.domain.item_conflicts import CONFLICT_KIND, PULL_ID, PULL_KIND, resolved
from modules.acceptance.domain.items import CONTENT, KIND, current, version_id
from modules.acceptance.server import province
from modules.acceptance.server.province import Province, mapped, pull, synchronise
from modules.common.aggregate import Doc
from modules.common.clock import FixedClock, iso
from modules.common.errors import GovDeskError, Refused
from modules.common.gm import hmac_sm3, sm3
from server_stub.config import Config, Settings
from server_stub.seeding import seed
from server_stub.services import Services
from server_stub.standins.province.service import SEEDS, Catalogue, signature
from tests.contract.test_server_process import Window
from tests.support.items import KEEPER, NOW
from tests.support.province import StandIn, stand_in
from tests.support.servers import QUICK, server

FOOD = "341100SC-XK-0101"
WEATHER = "341100QX-XK-0106"
LAND = "341100ZR-XK-0107"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with stand_in(tmp_path_factory.mktemp("province")) as found:
        yield found


@pytest.fixture
def catalogue(running: StandIn) -> Iterator[StandIn]:
    running.show("mode", {"mode": "normal"})
    yield running
    running.show("mode", {"mode": "normal"})


class Hall:
    """A central server with the demonstration's items, connected to the catalogue."""

    def __init__(self, services: Services, stand: StandIn) -> None:
        self.services = services
        self.commands = services.commands
        self.province = Province(stand.url, stand.app, stand.key, services.clock)

    def pull(self) -> Doc:
        return synchronise(self.services, self.province, 600)

    def versions(self, code: str) -> list[Doc]:
        found: list[Doc] = []
        after = ""
        while page := self.commands.find(KIND, after=after):
            found += [item for item in page if item["code"] == code]
            after = page[-1]["id"]
        return sorted(found, key=lambda item: int(item["version"]))

    def now(self, code: str) -> Doc:
        (item,) = current(self.versions(code))
        return item

    def edit(self, code: str, **changes: Any) -> Doc:
        """Publish a version edited here."""
        old = self.now(code)
        id = version_id(old["id"], old["version"] + 1)
        self.commands.give(
            KIND, id, "item.create", {"item": {k: old[k] for k in CONTENT if k in old}, "previous": old["id"]}
        )
        self.commands.give(KIND, id, "item.edit", {"changes": changes})
        self.commands.give(KIND, id, "item.publish", {})
        self.commands.give(KIND, old["id"], "item.supersede", {"by": id})
        return self.now(code)


def opened(tmp_path: Path, stand: StandIn, clock: Any = None) -> Services:
    settings = Settings(
        argon2_time=1, argon2_memory_kib=64, province_url=stand.url, province_app=stand.app, province_key=stand.key
    )
    services = Services(Config(data=tmp_path / "central", demo=True, settings=settings), clock)
    seed(services)
    return services


@pytest.fixture
def hall(tmp_path: Path, catalogue: StandIn) -> Iterator[Hall]:
    services = opened(tmp_path, catalogue)
    yield Hall(services, catalogue)
    services.close()


# -- the news -----------------------------------------------------------------------------------------


def test_the_first_pull_brings_new_items_and_touches_none_of_ours(hall: Hall, catalogue: StandIn) -> None:
    catalogue.show("items", {"taskCode": FOOD, "promiseDay": 10})  # whichever test was here before
    before = {item["id"]: item for item in hall.commands.find(KIND)}
    status = hall.pull()
    assert status["error"] is None
    assert status["more"] is False
    assert status["counts"]["conflict"] >= 3
    assert status["counts"]["new"] >= 4
    assert {id: hall.commands.get(KIND, id) for id in before} == before
    food = hall.now(FOOD)
    assert (food["origin"], food["version"], food["state"], food["promised_days"]) == ("province", 1, "published", 10)
    assert food["updated_by"]["id"] == "system"
    faults = {fault["code"]: fault for fault in status["faults"]}
    assert (faults[WEATHER]["error"], faults[LAND]["error"]) == ("ACC-177", "ACC-178")
    assert "气象局" in faults[WEATHER]["why"]
    assert [item["state"] for item in hall.versions(LAND)] == ["draft"]


def test_a_second_pull_changes_nothing(hall: Hall) -> None:
    hall.pull()
    before = list(hall.commands.find(KIND))
    again = hall.pull()
    assert set(again["counts"]) <= {"faulty"}
    assert list(hall.commands.find(KIND)) == before
    assert {fault["code"] for fault in again["faults"]} == {WEATHER, LAND}


def test_what_was_not_understood_is_tried_again_until_it_is(hall: Hall, catalogue: StandIn) -> None:
    hall.pull()
    catalogue.show("items", {"taskCode": WEATHER, "deptName": "公安局"})
    catalogue.show("items", {"taskCode": LAND, "acceptCondition": "已取得用地预审意见。"})
    status = hall.pull()
    assert status["faults"] == []
    assert hall.now(WEATHER)["department_id"] == "dept-police"
    assert [item["state"] for item in hall.versions(LAND)] == ["draft", "published"]
    catalogue.show("items", {"taskCode": WEATHER, "deptName": "气象局"})
    catalogue.show("items", {"taskCode": LAND, "acceptCondition": ""})


def test_words_that_nothing_can_store_are_told_without_them_and_stop_no_pull(hall: Hall, catalogue: StandIn) -> None:
    task = next(task for task in json.loads(SEEDS.read_text("utf-8")) if task["taskCode"] == FOOD)
    row = {"seq": 1, "op": "U", "item": {**task, "deptName": "气象\x00局"}, "reason": ""}
    half = {**row, "seq": 2, "item": {**task, "taskName": "\ud800", "taskType": "\ud800"}}
    page = {"rows": [row | {"taskCode": FOOD}, half | {"taskCode": "341100SC\ud800"}], "to": 2, "more": False}
    bad = cast("Province", SimpleNamespace(changes=lambda since: page, item=lambda code: None))
    told = synchronise(hall.services, bad, 600)
    assert told["cursor"] == 2
    assert {fault["code"]: fault["error"] for fault in told["faults"]} == {FOOD: "ACC-177", "341100SC\ufffd": "ACC-177"}
    assert hall.pull()["error"] is None


def test_a_change_of_theirs_is_a_new_version_and_an_edit_of_ours_stays(hall: Hall, catalogue: StandIn) -> None:
    hall.pull()
    first = hall.now(FOOD)
    hall.edit(FOOD, hot=True, **{"elements.place": "三楼"})
    catalogue.show("items", {"taskCode": FOOD, "promiseDay": 9})
    assert hall.pull()["counts"] == {"changed": 1, "faulty": 1}
    item = hall.now(FOOD)
    assert (item["version"], item["promised_days"], item["hot"], item["elements"]["place"]) == (3, 9, True, "三楼")
    assert set(item["overridden"]) == {"hot", "elements.place"}
    assert [version["state"] for version in hall.versions(FOOD)] == ["superseded", "superseded", "published"]
    kept = hall.versions(FOOD)[0]
    assert {key: kept[key] for key in CONTENT} == {key: first[key] for key in CONTENT}


def test_what_both_changed_waits_for_a_person(hall: Hall, catalogue: StandIn) -> None:
    hall.pull()
    mine = hall.edit(FOOD, promised_days=6)
    catalogue.show("items", {"taskCode": FOOD, "promiseDay": 8, "supervisePhone": "12315"})
    assert hall.pull()["counts"]["conflict"] == 1
    assert hall.now(FOOD) == mine
    conflict = hall.commands.get(CONFLICT_KIND, mine["id"].partition("@")[0])
    assert conflict is not None
    assert (conflict["state"], conflict["paths"], conflict["item_id"]) == ("open", ["promised_days"], mine["id"])
    assert conflict["merged"]["elements"]["complaint_phone"] == "12315"
    hall.pull()
    assert hall.now(FOOD) == mine
    choices = {"promised_days": "local"}
    decided = resolved(conflict["merged"], conflict["news"], choices)
    number = {"origin": "province", "origin_version": conflict["province_version"]}
    id = version_id(mine["id"], mine["version"] + 1)
    hall.commands.give(
        KIND, id, "item.import", {"item": {**decided, **number}, "previous": mine["id"], "state": "published"}
    )
    hall.commands.give(CONFLICT_KIND, conflict["id"], "conflict.decide", {"choices": choices}, actor=KEEPER)
    item = hall.now(FOOD)
    assert (item["promised_days"], item["elements"]["complaint_phone"], item["overridden"]["promised_days"]) == (
        6,
        "12315",
        8,
    )
    catalogue.show("items", {"taskCode": FOOD, "supervisePhone": "12345"})
    assert hall.pull()["counts"]["changed"] == 1
    assert hall.now(FOOD)["promised_days"] == 6


def test_withdrawn_there_is_withdrawn_here_with_the_reason(hall: Hall, catalogue: StandIn) -> None:
    hall.pull()
    catalogue.show(f"items/{FOOD}/withdraw", {"reason": "改为备案"})
    assert hall.pull()["counts"]["withdrawn"] == 1
    item = hall.versions(FOOD)[-1]
    assert (item["state"], item["withdraw_reason"]) == ("withdrawn", "省级事项库已取消：改为备案")
    catalogue.show("items", {"taskCode": FOOD, "promiseDay": 7})
    assert hall.pull()["counts"]["changed"] == 1, "what the province brings back comes back"
    assert hall.now(FOOD)["promised_days"] == 7


def test_what_was_withdrawn_here_does_not_come_back_by_itself(hall: Hall, catalogue: StandIn) -> None:
    hall.pull()
    hall.commands.give(KIND, hall.now(FOOD)["id"], "item.withdraw", {"reason": "本市不办"}, actor=KEEPER)
    catalogue.show("items", {"taskCode": FOOD, "promiseDay": 5})
    status = hall.pull()
    assert current(hall.versions(FOOD)) == []
    assert {fault["error"] for fault in status["faults"] if fault["code"] == FOOD} == {"ACC-179"}


def test_an_item_of_ours_outlives_the_provinces(hall: Hall, catalogue: StandIn) -> None:
    code = json.loads(SEEDS.read_text("utf-8"))[0]["taskCode"]
    hall.pull()
    mine = hall.now(code)
    catalogue.show(f"items/{code}/withdraw", {"reason": "取消"})
    status = hall.pull()
    assert hall.now(code) == mine
    assert [fault["error"] for fault in status["faults"] if fault["code"] == code] == ["ACC-179"]
    catalogue.show("items", json.loads(SEEDS.read_text("utf-8"))[0])


# -- trouble ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "code"),
    [("down", "ACC-174"), ("unsigned", "ACC-175"), ("garbage", "ACC-176"), ("slow", "ACC-173")],
)
def test_trouble_is_told_and_takes_nothing_away(
    hall: Hall, catalogue: StandIn, mode: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(province, "ANSWER_SECONDS", 0.5)
    good = hall.pull()
    before = list(hall.commands.find(KIND))
    catalogue.show("items", {"taskCode": FOOD, "summary": f"说明（{mode}）"})
    catalogue.show("mode", {"mode": mode, "seconds": 2})
    status = hall.pull()
    assert status["error"]["code"] == code
    assert status["error"]["message"]
    assert (status["cursor"], status["succeeded_at"]) == (good["cursor"], good["succeeded_at"])
    assert list(hall.commands.find(KIND)) == before
    catalogue.show("mode", {"mode": "normal"})
    assert hall.pull()["error"] is None
    assert hall.now(FOOD)["summary"] == f"说明（{mode}）"


def test_a_province_that_is_not_there(hall: Hall) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        hall.province = Province(f"http://127.0.0.1:{nobody.getsockname()[1]}", "a", "k", hall.services.clock)
        assert hall.pull()["error"]["code"] == "ACC-172"


def test_a_wrong_key_is_told_in_the_provinces_words(hall: Hall, catalogue: StandIn) -> None:
    hall.province = Province(catalogue.url, catalogue.app, "wrong", hall.services.clock)
    error = hall.pull()["error"]
    assert error["code"] == "ACC-174"
    assert "1002" in error["message"]


def test_another_history_is_compared_from_its_start(hall: Hall) -> None:
    hall.pull()
    hall.commands.give(PULL_KIND, PULL_ID, "pull.note", {"cursor": 10**6})
    before = list(hall.commands.find(KIND))
    status = hall.pull()
    assert status["error"] is None
    assert status["cursor"] < 10**6
    assert list(hall.commands.find(KIND)) == before


def test_ten_thousand_items_come_in_slices(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each run takes a slice and the next goes on: nobody's work waits for a whole province."""
    with stand_in(tmp_path_factory.mktemp("large")) as large:
        shape = next(task for task in json.loads(SEEDS.read_text("utf-8")) if task["taskCode"] == FOOD)
        tasks = [{**shape, "taskCode": f"34{1100 + n // 2500}SP-XK-{n % 2500:04d}"} for n in range(10_000)]
        for start in range(0, len(tasks), 200):
            large.show("items", tasks[start : start + 200])
        services = opened(tmp_path, large)
        try:
            first = synchronise(services, Province(large.url, large.app, large.key, services.clock), 2.0)
            assert first["more"] is True
            assert first["error"] is None
            taken = sum(first["counts"].values())
            assert 100 <= taken < 10_000
            second = synchronise(services, Province(large.url, large.app, large.key, services.clock), 2.0)
            assert second["cursor"] > first["cursor"]
            assert second["counts"].get("new", 0) >= 100
        finally:
            services.close()


# -- the job and its routes ---------------------------------------------------------------------------


def test_the_job_pulls_once_a_day_and_soon_after_trouble(tmp_path: Path, catalogue: StandIn) -> None:
    clock = FixedClock(NOW)
    services = opened(tmp_path, catalogue, clock)

    def services_note() -> Doc:
        return services.commands.get(PULL_KIND, PULL_ID) or {}

    try:
        skew = time.time() - clock.now().timestamp()
        clock.advance(skew)  # the province checks the time
        pull(services)
        first = services_note()
        assert first["error"] is None
        services.commands.give(PULL_KIND, PULL_ID, "pull.note", {"finished_at": iso(clock.now() - timedelta(hours=19))})
        marked = services_note()
        pull(services)
        assert services_note() == marked, "not yet"
        services.commands.give(PULL_KIND, PULL_ID, "pull.note", {"finished_at": iso(clock.now() - timedelta(hours=21))})
        pull(services)
        assert services_note()["finished_at"] == iso(clock.now())
        wrong = {"error": {"code": "ACC-172", "message": "x"}, "finished_at": iso(clock.now() - timedelta(minutes=31))}
        services.commands.give(PULL_KIND, PULL_ID, "pull.note", wrong)
        pull(services)
        assert services_note()["error"] is None
    finally:
        services.close()


def test_two_pulls_at_once_are_one(hall: Hall) -> None:
    with province._running, pytest.raises(Refused) as told:
        hall.pull()
    assert told.value.code == "ACC-170"


def test_both_programs_as_they_run(tmp_path: Path, catalogue: StandIn) -> None:
    with server(tmp_path, settings=QUICK + catalogue.settings()) as central:
        window = Window(central, "3号窗")
        window.sign_in("zhangsan")
        assert window.http.post("/v1/m/acceptance/province/pull").status_code == 403
        window.sign_in("sunqi")
        status = window.http.post("/v1/m/acceptance/province/pull", timeout=60).json()
        assert (status["connected"], status["last"]["error"]) == (True, None)
        kinds = {
            change["kind"] for change in window.http.get("/v1/sync/changes", params={"scope": "ref"}).json()["changes"]
        }
        assert "service_item" in kinds
        assert window.http.get("/v1/m/acceptance/province/status").json()["last"] == status["last"]
        window.http.close()


def test_without_a_province_nothing_is_pulled_and_that_is_said(tmp_path: Path) -> None:
    with server(tmp_path) as central:
        window = Window(central, "3号窗")
        window.sign_in("sunqi")
        answer = window.http.post("/v1/m/acceptance/province/pull")
        assert answer.json()["code"] == "ACC-171"
        assert window.http.get("/v1/m/acceptance/province/status").json() == {
            "connected": False,
            "running": False,
            "last": None,
        }
        window.http.close()


# -- the stand-in keeps its own protocol --------------------------------------------------------------


def ask(stand: StandIn, path: str, **changes: str) -> httpx.Response:
    headers = {
        "X-App-Id": stand.app,
        "X-Timestamp": str(round(time.time() * 1000)),
        "X-Nonce": "n" + str(time.monotonic_ns()),
    }
    headers |= {f"X-{name.replace('_', '-')}": value for name, value in changes.items()}
    told = [headers["X-Timestamp"], headers["X-Nonce"], sm3(b"").hex()]
    headers.setdefault("X-Sign", signature(stand.key, "GET", path, *told))
    return httpx.get(stand.url + path, headers=headers, trust_env=False)


@pytest.mark.parametrize(
    ("path", "changes", "result"),
    [
        ("/api/v1/items/changes?since=0&limit=1", {}, "0"),
        ("/api/v1/items/changes", {"App_Id": "who"}, "1001"),
        ("/api/v1/items/changes", {"Sign": "00"}, "1002"),
        ("/api/v1/items/changes", {"Timestamp": "1000"}, "1003"),
        ("/api/v1/items/changes?limit=201", {}, "2001"),
        ("/api/v1/items/changes?since=x", {}, "2001"),
        ("/api/v1/items/changes?since=99999999", {}, "2002"),
        ("/api/v1/items/nothing", {}, "2003"),
        ("/api/v1/other", {}, "2004"),
    ],
)
def test_the_stand_in_answers_by_the_table(catalogue: StandIn, path: str, changes: dict[str, str], result: str) -> None:
    answer = ask(catalogue, path, **changes)
    assert answer.json()["result"] == result
    assert answer.headers["X-Sign"]


def test_a_request_is_taken_once(catalogue: StandIn) -> None:
    path = "/api/v1/items/changes?since=0"
    assert ask(catalogue, path, Nonce="once").json()["result"] == "0"
    assert ask(catalogue, path, Nonce="once").json()["result"] == "1004"


def test_the_administrator_needs_the_word(catalogue: StandIn) -> None:
    assert httpx.post(f"{catalogue.url}/admin/mode", json={"mode": "down"}, trust_env=False).status_code == 401


def test_the_catalogue_is_kept(tmp_path: Path) -> None:
    one = Catalogue(tmp_path)
    one.put_all([{"taskCode": FOOD, "promiseDay": 3}])
    one.withdraw(WEATHER, "停")
    other = Catalogue(tmp_path)
    assert other.changes(0, 200) == one.changes(0, 200)
    assert [row["op"] for row in other.changes(one.head - 2, 10)["rows"]] == ["U", "D"]


def test_pages_bring_each_change_once(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    seen, since = [], 0
    while True:
        page = catalogue.changes(since, 3)
        seen += [row["taskCode"] for row in page["rows"]]
        since = page["to"]
        if not page["more"]:
            break
    assert len(seen) == len(set(seen)) == len(json.loads(SEEDS.read_text("utf-8")))


def test_hmac_sm3_is_the_hmac_of_its_definition() -> None:
    """RFC 2104 written out over SM3, for short and for long keys."""
    for key in (b"k", bytes(64), bytes(range(100))):
        block = (sm3(key) if len(key) > 64 else key).ljust(64, b"\0")
        inner = sm3(bytes(byte ^ 0x36 for byte in block) + b"text")
        assert hmac_sm3(key, b"text") == sm3(bytes(byte ^ 0x5C for byte in block) + inner)
    if "sm3" in hashlib.algorithms_available:
        assert hmac_sm3(b"k", b"text") == hmac.new(b"k", b"text", "sm3").digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"taskType": "99"},
        {"taskType": 1},
        {"promiseDay": "3"},
        {"promiseDay": -3},
        {"isSchedule": True},
        {"handleForm": "1"},
        {"handleForm": ["9"]},
        {"materials": {"m1": 1}},
        {"materials": [{"materialName": "x"}]},
        {"materials": [{"materialId": "m1"}, {"materialId": "m1"}]},
        {"deptName": "气象局"},
        {"jointDepts": ["气象局"]},
        {"taskName": ["a"]},
        {"taskName": "坏\u0000字"},
        {"taskCode": ""},
    ],
)
def test_what_is_not_understood_is_refused(changes: dict[str, Any]) -> None:
    task = next(task for task in json.loads(SEEDS.read_text("utf-8")) if task["taskCode"] == FOOD)
    departments = {"市场监督管理局": "dept-market"}
    assert mapped(task, departments)["name"] == "食品生产许可"
    with pytest.raises(GovDeskError) as told:
        mapped({**task, **changes}, departments)
    assert told.value.code == "ACC-177"
