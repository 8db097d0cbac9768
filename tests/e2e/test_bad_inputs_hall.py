"""What a hall's bad days bring, on the real server and over the real wire: said in words, decided once, kept.

Here, with real processes:

* a scan of 200 pages: kept encrypted while the cable is out and the computer is switched off, accepted, sent, read by
  the department (a desk without a window);
* an item withdrawn while it is filled in and while its case is open, in the real window; a form version that the
  server does not have any more (a desk without a window);
* two officers who decide one case: the second is told by whom and when, and finds it in the tray;
* a rating twice, at two computers;
* a holiday table changed under running terms;
* paper that ends in the middle of a ticket: at the real ticket machine, no number that nobody holds.

Elsewhere, because there is more to vary there:

* 200 pages in a material's strip: ``tests/ui/test_acceptance_desk.py``; a full disk and a damaged page:
  ``tests/contract/test_store_blobs.py``; twenty megabytes in one page: ``tests/contract/test_server_blobs.py``;
* every state of an item against every moment of acceptance, and versions: ``tests/unit/modules/test_case_commands.py``;
* two officers in every order of arrival: ``tests/unit/modules/test_case_walks.py`` (a client that is behind);
* the second key of an evaluator beside the second screen: ``tests/ui/test_acceptance_desk.py``;
* days of the calendar: ``tests/contract/test_case_jobs.py`` and the table beside
  ``tests/unit/modules/common/test_deadlines.py``;
* an Excel file with 5,000 items and 300 wrong rows: ``tests/unit/modules/test_item_excel.py``, row by row; what the
  page says of wrong rows: ``tests/ui/test_acceptance_items.py``;
* every fault of a ticket printer at every moment: ``tests/contract/test_ticket_printer.py``.
"""

from __future__ import annotations

import hashlib
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from client.driver.client import Driven
from client.driver.relay import Relay
from modules.acceptance.server.jobs import rounds
from modules.common.errors import Refused
from tests.support.desks import Desk, paper
from tests.support.fake_host import filled
from tests.support.halls import ITEM, PATIENCE, Hall, begin, fill, sign_in, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
BUSINESS = {"id": "item-individual-business", "version": 1}
THICK = 200
CLOCK_S = 3.0
"""Beyond what a counter's idea of the server's time may be off: half an answer's way and half a second."""
MIB = 1 << 20


def desk(hall: Hall, folder: Path, login: str) -> Desk:
    return Desk(folder / login, hall.address, hall.code(), login)


# -- two hundred pages --------------------------------------------------------------------------------


def test_a_scan_of_200_pages_outlasts_cable_and_switch(hall: Hall, tmp_path: Path, name: str) -> None:
    body = filled(BUSINESS, name=name)
    clerk = desk(hall, tmp_path, "zhangsan")
    with clerk:
        clerk.ready(BUSINESS["id"])
        clerk.online(False)
        paper(0)
        tracemalloc.start()
        try:
            images = [clerk.blobs.put(paper(n), "image/jpeg").to_doc() for n in range(THICK)]
            body["materials"][0] |= {"pages": THICK, "images": images}
            record = clerk.accept(body)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert most < 16 * MIB, "pages go to the disk one by one; they are never all in memory"
        assert clerk.blobs.waiting() == THICK
    clear = paper(7)[64:128]
    kept = [path.read_bytes() for path in (tmp_path / "zhangsan").rglob("*") if path.is_file() and len(path.name) == 64]
    assert len(kept) == THICK
    assert not any(clear in sealed for sealed in kept)
    with clerk:
        assert clerk.blobs.waiting() == THICK, "switched off and on"
        clerk.online(True)
        clerk.sees(record.id, "accepted")
        clerk.until(lambda: clerk.blobs.waiting() == 0, "not all pages were sent", 4 * PATIENCE)
    with desk(hall, tmp_path, "wangwu") as officer:
        case = officer.sees(record.id).doc
        assert case["materials"][0]["pages"] == len(case["materials"][0]["images"]) == THICK
        for n in (0, 99, THICK - 1):
            page = officer.blobs.get(case["materials"][0]["images"][n]["sha256"])
            assert hashlib.sha256(page).digest() == hashlib.sha256(paper(n)).digest()


# -- items and forms that go --------------------------------------------------------------------------


def test_an_item_withdrawn_meanwhile_takes_nothing_new_and_leaves_what_is_open(
    hall: Hall, profile: Path, tmp_path: Path, line: Relay, name: str
) -> None:
    (item,) = (doc for doc in hall.docs("service_item") if doc["name"] == ITEM)
    url = f"https://127.0.0.1:{line.port}"
    with hall.client(profile, url=url) as window, desk(hall, tmp_path, "zhouba") as officer:
        sign_in(window)
        begin(window)
        fill(window, name)
        window.key("F8")
        window.wait("打印回执", "enabled", timeout=PATIENCE)
        wait_for(lambda: len(hall.cases(name)) == 1, "the case did not arrive")
        (opened,) = hall.cases(name)
        window.key("Ctrl+N")
        begin(window)
        window.type(name + "稿", into="姓名", role="field")
        window.click("放一放", role="button")
        window.wait("继续办理", "enabled", role="button", timeout=PATIENCE)
        begin(window)
        fill(window, name + "迟")
        line.cut()
        hall.give("service_item", item["id"], "item.withdraw", {"reason": "依据已废止"})
        # what was accepted before the withdrawal stands, by a clock that knows the server's to about half a second
        withdrawn = time.monotonic()
        wait_for(lambda: time.monotonic() - withdrawn > CLOCK_S, "time stands still")
        window.key("F8")
        window.wait("打印回执", "enabled", timeout=PATIENCE)
        line.restore()
        # whom the counter could not know of, the server knows of: the number is told to be none
        window.click("1 件被退回", role="button", timeout=PATIENCE)
        window.wait("依据已废止", "visible", timeout=PATIENCE)
        window.wait("ACC-022", "visible")
        assert not hall.cases(name + "迟")
        window.key("Escape")
        window.key("Ctrl+N")
        window.click("继续办理", role="button", timeout=PATIENCE)
        window.wait("ACC-016", "visible", timeout=PATIENCE)
        window.wait("草稿仍保留", "visible")
        visit = officer.sees(opened["id"], "accepted").doc["flow"]["visit"]
        officer.give(opened["id"], "case.approve", {"visit": visit, "opinion": "材料齐全"})
        officer.sees(opened["id"], "decided")
        window.quit()


def test_a_form_version_that_the_server_lost_is_told_and_everything_kept(hall: Hall, tmp_path: Path, name: str) -> None:
    with desk(hall, tmp_path, "zhangsan") as clerk:
        clerk.ready(BUSINESS["id"])
        body = {**filled(BUSINESS, name=name), "item_version": 9}
        clerk.store.drafts.save(draft := clerk.store.new_id(), "case.draft", name, body)
        with pytest.raises(Refused) as told:
            clerk.give(draft, "case.accept", body, numbered=True, drops_draft=draft)
        assert told.value.code == "ACC-024"
        assert "第 9 版" in told.value.message
        assert [kept.doc["applicant"]["name"] for kept in clerk.store.drafts.list("case.draft")] == [name]
        assert not hall.cases(name)


# -- two at once --------------------------------------------------------------------------------------


def test_the_second_of_two_officers_is_told_by_whom_and_when(hall: Hall, tmp_path: Path, name: str) -> None:
    with (
        desk(hall, tmp_path, "zhangsan") as clerk,
        desk(hall, tmp_path, "wangwu") as first,
        desk(hall, tmp_path, "chenjiu") as second,
    ):
        case = clerk.accept(filled(BUSINESS, name=name))
        visit = second.sees(case.id, "accepted").doc["flow"]["visit"]
        second.online(False)
        second.give(case.id, "case.reject", {"visit": visit, "opinion": "经营场所证明不符"})
        first.sees(case.id, "accepted")
        first.give(case.id, "case.approve", {"visit": visit, "opinion": "材料齐全"})
        decided = first.sees(case.id, "decided").doc
        second.online(True)
        second.until(lambda: len(second.store.refused_commands()) == 1, "nothing came into the tray")
        (told,) = second.store.refused_commands()
        at = _minute(decided["decision"]["at"])
        assert told.aggregate_id == case.id
        assert "王五" in told.error["message"]
        assert at in told.error["message"]
        assert told.body["opinion"] == "经营场所证明不符", "what was written is not lost"
        seen = second.sees(case.id, "decided").doc
        assert seen["decision"] == decided["decision"]
        assert seen["decision"]["result"] == "approved"
        (stored,) = hall.cases(name)
        assert stored["decision"]["by"]["name"] == "王五"
        assert len([line for line in stored["flow"]["trail"] if line["event"] == "flow.signed"]) == 1


def test_a_case_is_rated_once_whoever_asks(hall: Hall, tmp_path: Path, name: str) -> None:
    with desk(hall, tmp_path, "zhangsan") as clerk, desk(hall, tmp_path, "lisi") as other:
        case = clerk.accept(filled(BUSINESS, name=name))
        other.sees(case.id, "accepted")
        other.online(False)
        other.give(case.id, "case.rate", {"stars": 1, "reasons": ["等候时间长"], "text": ""})
        clerk.give(case.id, "case.rate", {"stars": 5, "reasons": [], "text": ""})
        clerk.sees(case.id)
        wait_for(lambda: bool(hall.cases(name)[0]["rating"]), "the rating did not arrive")
        with pytest.raises(Refused, match="评价"):
            clerk.give(case.id, "case.rate", {"stars": 4, "reasons": [], "text": ""})
        other.online(True)
        other.until(lambda: len(other.store.refused_commands()) == 1, "nothing came into the tray")
        assert "评价" in other.store.refused_commands()[0].error["message"]
        other.until(lambda: bool(other.sees(case.id).doc["rating"]), "the first rating did not come")
        assert other.sees(case.id).doc["rating"]["stars"] == 5
        assert hall.cases(name)[0]["rating"]["stars"] == 5


def _minute(at: str) -> str:
    from modules.common.clock import CHINA, parse_iso

    return f"{parse_iso(at).astimezone(CHINA):%H:%M}"


# -- the calendar -------------------------------------------------------------------------------------


def test_a_holiday_added_under_running_terms_moves_them_everywhere(hall: Hall, tmp_path: Path, name: str) -> None:
    with desk(hall, tmp_path, "zhangsan") as clerk, desk(hall, tmp_path, "xitong") as keeper:
        case = clerk.sees(clerk.accept(filled(BUSINESS, name=name)).id, "accepted").doc
        before = case["due"]["date"]
        keeper.store.give(
            "calendar_day", before, "calendar_day.put", {"date": before, "workday": False, "name": "临时放假"}
        )
        clerk.until(lambda: _known(clerk, before) == "临时放假", "the holiday did not come")
        hall.job(rounds)
        clerk.until(lambda: clerk.sees(case["id"]).doc["due"]["date"] > before, "the term did not move")
        moved = clerk.sees(case["id"]).doc
        assert f"{before} 改为 {moved['due']['date']}" in moved["history"][-1]["text"]


def _known(clerk: Desk, day: str) -> str:
    record = clerk.store.get("calendar_day", day)
    return str(record.doc["name"]) if record else ""


# -- the ticket machine -------------------------------------------------------------------------------


def tickets(hall: Hall, phone: str) -> list[dict[str, Any]]:
    found = [doc for doc in hall.docs("ticket") if str(doc["person"].get("phone", "")).endswith(phone[-4:])]
    return sorted(found, key=lambda doc: str(doc["taken_at"]))


def take(window: Driven, phone: str) -> None:
    window.click("手机号取号", role="button", timeout=PATIENCE)
    window.type(phone, into="手机号", role="field")
    window.click("下一步", role="button")
    window.type("个体工商户", into="查找事项", role="field", timeout=PATIENCE)
    window.click("个体工商户设立登记", role="button", timeout=PATIENCE)


def test_paper_that_ends_in_mid_ticket_leaves_no_ghost(hall: Hall, profile: Path) -> None:
    printer, phone = hall.control("ticket_printer"), "13900007777"
    with hall.client(profile, *hall.devices("ticket_printer")) as window:
        sign_in(window)
        lent = hall.leased("Q")
        window.click("取号", timeout=PATIENCE)
        wait_for(lambda: hall.leased("Q") >= lent + 4, "no numbers were lent to the ticket machine")
        printer.send("paper", lines=100)
        take(window, phone)
        window.wait("没有取到号", "visible", timeout=PATIENCE)
        window.wait("已作废，不会被呼叫", "visible")
        window.wait("DEV-3", "visible")
        printer.send("tear")
        printer.send("paper")
        window.click("重新取号", role="button")
        take(window, phone)
        window.wait("取号成功", "visible", timeout=PATIENCE)
        wait_for(lambda: len(tickets(hall, phone)) == 2, "the tickets did not arrive")
        window.quit()
    lost, held = tickets(hall, phone)
    assert (lost["state"], held["state"]) == ("void", "waiting")
    assert lost["number"] != held["number"], "a number that may hang out of the machine is nobody else's"
    assert printer.state()["tickets"] == 1
