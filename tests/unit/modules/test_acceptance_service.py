"""The use cases: permissions, the order of things, and terms in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from devices.ports import IdentityRecord
from modules.acceptance.domain.cases import DECIDED
from modules.acceptance.services.cards import card_values
from modules.acceptance.services.cases import AcceptanceService, Intake, due_words
from modules.acceptance.services.handling import Share
from modules.acceptance.services.wiring import service_of
from modules.common.calendar import WorkCalendar
from modules.common.errors import GovDeskError, Refused
from modules.common.workflow import principal
from tests.support.fake_host import FakeHost, FakeRefusal, actor, filled, item

ITEM = item()
OFFICER = actor("officer", hall="", department="dept-market", name="王五")


def ready(service: AcceptanceService) -> Intake:
    body = filled(ITEM)
    begun = service.begin(ITEM)
    return replace(begun, applicant=body["applicant"], form=body["form"], materials=body["materials"])


def test_acceptance_takes_a_number_owes_a_receipt_and_uses_the_draft_up() -> None:
    host = FakeHost()
    service = service_of(host)
    intake = ready(service)
    service.save(intake)
    order = service.accept(intake)
    assert order.record.number == "3411A-20261120-000042"
    assert (order.hall, order.phone) == ("示范市政务服务中心", "0550-3021234")
    assert service.drafts() == []
    assert [owed.order.record.id for owed in service.owed()] == [intake.id]
    service.settle(intake.id)
    assert service.owed() == []


def test_the_receipt_of_what_the_server_refused_is_not_offered() -> None:
    host = FakeHost()
    service = service_of(host)
    order = service.accept(ready(service))
    host.store.amend(order.record.id, rev=0, refused=1)
    assert service.owed() == []
    host.store.amend(order.record.id, rev=2, refused=1)
    assert len(service.owed()) == 1, "a later step was refused; the case itself stands"


def test_accepting_the_same_intake_twice_makes_one_case() -> None:
    host = FakeHost()
    service = service_of(host)
    intake = ready(service)
    service.accept(intake)
    with pytest.raises(Refused, match="ACC-004"):
        service.accept(intake)
    assert len(service.cases()) == 1
    assert host.store.serials[0] == 43


def test_a_refused_acceptance_keeps_number_and_draft() -> None:
    host = FakeHost()
    service = service_of(host)
    intake = replace(ready(service), applicant={})
    service.save(intake)
    with pytest.raises(Refused):
        service.accept(intake)
    assert host.store.serials[0] == 42
    assert [draft.id for draft in service.drafts()] == [intake.id]
    assert service.owed() == []


def test_a_draft_comes_back_as_it_was_left() -> None:
    service = service_of(FakeHost())
    intake = replace(ready(service), card=True, sources={"applicant": {"name": "card"}, "form": {}})
    service.save(intake)
    (draft,) = service.drafts()
    assert Intake.from_draft(draft) == intake
    assert draft.title == "李晓明 · 个体工商户设立登记"
    assert service.begin(ITEM).title() == "未填申请人 · 个体工商户设立登记"


def test_without_numbers_nothing_is_accepted() -> None:
    host = FakeHost()
    host.store.serials.clear()
    with pytest.raises(GovDeskError, match="NUM-001"):
        service_of(host).accept(ready(service_of(host)))


def test_permissions_are_checked_in_the_service() -> None:
    host = FakeHost(actor("sysadmin"))
    service = service_of(host)
    blocked = [
        service.items,
        service.cases,
        service.drafts,
        service.owed,
        lambda: service.case("x"),
        lambda: service.item("x"),
        lambda: service.save(service.begin(ITEM)),
        lambda: service.accept(service.begin(ITEM)),
        lambda: service.decide("x", "approved", ""),
        lambda: service.close("x"),
        lambda: service.refused("x"),
        lambda: service.dismiss("x"),
    ]
    for call in blocked:
        with pytest.raises(Refused, match="AUTH-403"):
            call()


def test_a_case_goes_from_the_counter_to_its_end() -> None:
    host = FakeHost()
    service = service_of(host)
    case_id = service.accept(ready(service)).record.id
    host.store.actor = OFFICER
    assert service.decide(case_id, "approved", "").state == DECIDED
    assert service.close(case_id).state == "closed"


def test_cases_are_found_by_words_and_by_codes() -> None:
    service = service_of(FakeHost())
    record = service.accept(ready(service)).record
    for text in ("李晓明", record.number, record.number.lower(), f"govdesk:case/{record.id}?no={record.number}"):
        assert [found.id for found in service.cases(text=text)] == [record.id]
    assert service.cases(text="没有这个人") == []
    assert service.cases(("closed",)) == []


def test_what_was_refused_is_seen_until_it_is_dismissed() -> None:
    host = FakeHost()
    service = service_of(host)
    record = service.accept(ready(service)).record
    host.store.refusals.append(FakeRefusal("c9", record.id, {"code": "ACC-012", "message": "晚了。"}))
    assert [command.cmd_id for command in service.refused(record.id)] == ["c9"]
    assert service.refused("another") == []
    service.dismiss("c9")
    assert service.refused(record.id) == []


def test_printing_goes_through_the_printer_and_stays_owed_until_settled() -> None:
    host = FakeHost()
    service = service_of(host)
    order = service.accept(ready(service))
    host.printer.fault = GovDeskError("PRT-001", "打印机缺纸。")
    with pytest.raises(GovDeskError, match="PRT-001"):
        service.print_receipt(order)
    assert len(service.owed()) == 1
    host.printer.fault = None
    assert service.print_receipt(order).sentence == "已送往打印机。"
    ((pdf, title),) = host.printer.papers
    assert pdf.startswith(b"%PDF")
    assert title == "受理通知书 3411A-20261120-000042"


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2026, 11, 20), ("info", "还剩 3 个工作日")),
        (date(2026, 11, 24), ("due", "还剩 1 个工作日")),
        (date(2026, 11, 25), ("due", "今天到期")),
        (date(2026, 11, 26), ("yellow", "黄牌：超期 1 个工作日")),
        (date(2026, 12, 1), ("red", "红牌：超期 4 个工作日")),
    ],
)
def test_terms_in_words(today: date, expected: tuple[str, str]) -> None:
    case = {"state": "accepted", "due": {"date": "2026-11-25", "provisional": False}}
    assert due_words(case, today, WorkCalendar()) == expected


@pytest.mark.parametrize(
    ("due", "closed_at", "expected"),
    [
        ("2026-11-25", "2026-11-25T08:00:00.000Z", ("good", "按期办结")),
        ("2026-11-25", "2026-11-25T16:00:00.000Z", ("red", "超期 1 个工作日办结")),  # the 26th in China
        ("2026-11-27", "2026-11-28T02:00:00.000Z", ("red", "已过期限办结")),  # a Saturday
    ],
)
def test_how_a_closed_case_ended(due: str, closed_at: str, expected: tuple[str, str]) -> None:
    case = {"state": "closed", "closed_at": closed_at, "due": {"date": due, "provisional": False}}
    assert due_words(case, date(2027, 3, 1), WorkCalendar()) == expected


def test_a_weekend_after_the_last_day_is_late_without_a_number() -> None:
    case = {"state": "accepted", "due": {"date": "2026-11-20", "provisional": False}}
    assert due_words(case, date(2026, 11, 21), WorkCalendar()) == ("yellow", "已过期限")


def test_a_term_into_an_unpublished_year_says_so() -> None:
    host = FakeHost()
    host.clock.advance(41 * 86_400)
    case = service_of(host).accept(ready(service_of(host))).record.doc
    assert due_words(case, date(2026, 12, 31), WorkCalendar()) == ("info", "还剩 3 个工作日（暂定）")


def test_cards_speak_the_language_of_forms() -> None:
    card = IdentityRecord("hmt", "陈大文", "810000199408230021", "女", date(1994, 8, 23), valid_to=date(2030, 1, 1))
    assert card_values(card) == {
        "name": "陈大文", "id_type": "hmt", "id_number": "810000199408230021", "sex": "女", "birth": "1994-08-23",
        "nation": "", "address": "", "issuer": "", "valid_from": "", "valid_to": "2030-01-01",
    }  # fmt: skip


def test_what_earlier_cases_know_is_offered_with_its_source() -> None:
    host = FakeHost()
    service = service_of(host)
    old = service.accept(ready(service)).record
    host.clock.advance(86_400)
    newer = ready(service)
    moved = {**newer.applicant, "phone": "13900000000"}
    later = service.accept(replace(newer, id=service.begin(ITEM).id, applicant=moved)).record
    known = service.earlier_values("11010519491231002x", ITEM["code"])
    phones = [(entry.value, entry.source) for entry in known if entry.key == "applicant.phone"]
    assert phones == [
        ("13900000000", f"2026-11-21 办件 {later.number}"),
        ("13855012345", f"2026-11-20 办件 {old.number}"),
    ]
    assert [entry.source for entry in known if entry.key == "form.premises"] == [f"2026-11-21 办件 {later.number}"]
    assert service.earlier_values("341103199005120015", ITEM["code"]) == []
    others = service.earlier_values("11010519491231002X", "another item")
    assert {entry.key.partition(".")[0] for entry in others} == {"applicant"}


def test_declining_and_correcting_owe_their_own_paper() -> None:
    host = FakeHost()
    service = service_of(host)
    declined = service.decline(ready(service), "《行政许可法》第三十二条", "不属于本机关职权范围")
    assert (declined.kind, declined.record.state) == ("decline", "declined")
    told = service.correct(ready(service), [{"about": "申请书", "text": "请签字"}])
    assert (told.kind, told.record.state) == ("correction", "correcting")
    assert [owed.order.kind for owed in service.owed()] == ["decline", "correction"]
    assert service.print_receipt(declined).sentence == "已送往打印机。"
    assert host.printer.papers[0][1] == "不予受理决定书"


def test_every_use_case_gives_its_command() -> None:
    host = FakeHost()
    service = service_of(host)
    id = service.accept(ready(service)).record.id
    clerk, names = host.store.actor, {offer.command for offer in service.offers(host.store.rows["case", id].doc)}
    assert {"case.rate", "case.scan", "case.withdraw"} <= names
    service.scan(id, "intake")
    service.note_print(id, "receipt")
    handed = service.hand_over(id, "department", ["m1"]).doc["handovers"][0]["id"]
    host.store.actor = OFFICER
    service.take_over(id, handed)
    service.verb(id, "read")
    service.verb(id, "approve", {"opinion": "齐全"})
    host.store.actor = clerk
    service.issue(id, "营业执照", "91")
    assert service.collect(id, "post", "李晓明", tracking="EA1").state == "closed"
    assert service.rate(id, 5).doc["rating"]["stars"] == 5


def test_the_green_channel_is_compared_with_the_others() -> None:
    host = FakeHost()
    service = service_of(host)
    host.store.put("service_item", {**ITEM, "green": {"enabled": True, "promised_days": 1}})
    green = service.accept(ready(service)).record.id
    host.store.put("service_item", ITEM)
    other = service.accept(replace(ready(service), id=service.begin(ITEM).id)).record.id
    host.store.actor = OFFICER
    host.clock.advance(4 * 86_400)  # Tuesday: a day late for the green channel
    for id in (green, other):
        service.decide(id, "approved", "")
        service.close(id)
    shares = service.green_comparison(date(2026, 11, 1), date(2026, 11, 30))
    assert shares["green"] == Share(1, 1, 2.0, 0.0)
    assert shares["others"] == Share(1, 1, 2.0, 1.0)
    assert service.green_comparison(date(2026, 10, 1), date(2026, 10, 31))["green"] == Share(0, 0, None, None)


def test_who_stands_in_by_a_standing_delegation_sees_the_case_and_signs_it() -> None:
    host = FakeHost()
    service = service_of(host)
    id = service.accept(ready(service)).record.id
    record = {"id": "d-1", "from": principal(OFFICER), "to": {"id": "p-clerk-李四", "name": "李四"}, "state": "active"}
    host.store.put("delegation", {**record, "since": "2026-11-19", "until": "2026-11-20"})
    host.store.rows["delegation", "d-1"] = replace(host.store.rows["delegation", "d-1"], state="active")
    deputy = actor("officer", hall="", department="dept-market", name="李四")
    host.store.actor = replace(deputy, id="p-clerk-李四", roles=frozenset({"section_head"}))
    assert "case.approve" in {offer.command for offer in service.offers(host.store.rows["case", id].doc)}
    assert (
        service.verb(id, "approve", {"opinion": "齐全"}).doc["history"][-1]["text"]
        == "受王五委托准予：齐全；流程结束：准予"
    )
