"""Window, kiosk and hall at work: the same services that the pages use, on desks with stores of their own."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from client.adapters import OutboxGateway
from devices.ports import DeviceError
from modules.acceptance.domain import booking, queue, windows
from modules.acceptance.services.booking import BookingService
from modules.acceptance.services.kiosk import TRIES, Citizen, KioskService, check_argon2
from modules.acceptance.services.messages import CALLED, NEAR, message
from modules.acceptance.services.queue import QueueService
from modules.acceptance.services.windows import HallService
from modules.common.clock import FixedClock, iso
from modules.common.errors import GovDeskError, Refused
from tests.support.queue_hall import HALL, Central, Desk, PaperPort, Phone, person, service_item, window

NOW = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
W1, W2 = "hall-1-w01", "hall-1-w02"


class World:
    """A server, a kiosk, two windows and a manager, all online at first."""

    def __init__(self) -> None:
        self.clock = FixedClock(NOW)
        self.central = Central(self.clock)
        for code in ("1", "2"):
            self.central.put("service_item", service_item(code))
        for number, codes in ((1, ["1", "2"]), (2, ["1"])):
            self.central.put("window", window(number, item_codes=codes, area="一楼"))
        self.paper, self.phone = PaperPort(), Phone()
        self.kiosk_desk, self.desk1, self.desk2, self.hall_desk = (
            Desk(name, self.central, person(login, role))
            for name, login, role in (("取号机", "kiosk", "clerk"), ("1号窗", "zhangsan", "clerk"),
                                      ("2号窗", "lisi", "clerk"), ("大厅", "sunqi", "manager"))
        )  # fmt: skip
        self.meet()
        self.kiosk = KioskService(self.kiosk_desk, self.kiosk_desk, self.kiosk_desk, self.clock, self.paper)
        self.first, self.second = (
            QueueService(desk, desk, desk, self.clock, self.phone) for desk in (self.desk1, self.desk2)
        )
        self.hall = HallService(self.hall_desk, self.hall_desk, self.hall_desk, self.clock)
        self.kiosk.lease()
        self.meet()

    def meet(self) -> None:
        for _ in range(2):
            for desk in (self.kiosk_desk, self.desk1, self.desk2, self.hall_desk):
                desk.sync()

    def take(self, name: str = "张三", item: str = "item-1", phone: str = "") -> str:
        self.clock.advance(1)
        taken = self.kiosk.take_by_card(item, Citizen(name, f"ID{name}", phone))
        assert self.kiosk.put_out(taken).ok
        self.meet()
        return taken.record.number

    def sit(self) -> None:
        self.first.sign_in(W1)
        self.second.sign_in(W2)
        self.meet()


@pytest.fixture
def world() -> World:
    return World()


def code(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(GovDeskError) as caught:
        call(*arguments, **named)
    return caught.value.code


def test_from_card_to_served(world: World) -> None:
    world.sit()
    assert world.take(phone="13855012345") == "A001"
    assert world.paper.printed[0].number == "A001"
    assert "事项1" in world.paper.printed[0].lines
    assert world.paper.printed[0].qr.startswith("govdesk:ticket/")
    call = world.first.call_next(W1)
    assert call is not None
    assert (call.text, call.reason) == ("请 A001 号到1 号窗口", "按取号先后（10:00 取号）")
    assert world.first.call_silently(call.ticket.doc) == "已交网关。"
    assert world.phone.sent == [("13855012345", "请 A001 号到1 号窗口办理。")]
    assert code(world.first.call_next, W1) == "ACC-241"
    assert code(world.first.sign_out, W1) == "ACC-241"
    world.first.recall(W1)
    world.first.serve(W1)
    assert world.first.finish(W1).state == "served"
    assert world.first.call_next(W1) is None
    assert world.first.sign_out(W1).doc["state"]["signed_in"] is None


def test_nobody_calls_who_does_not_sit_there_or_pauses(world: World) -> None:
    world.take()
    assert code(world.first.call_next, W1) == "ACC-242"
    world.sit()
    world.first.suspend(W1, "临时离岗")
    assert code(world.first.call_next, W1) == "ACC-243"
    world.first.resume(W1)
    assert world.first.call_next(W1)
    assert code(world.second.recall, W2) == "ACC-244"
    assert code(world.first.call_next, "w9") == "ACC-240"


def test_sitting_down_elsewhere_leaves_the_first_window(world: World) -> None:
    world.first.sign_in(W1)
    world.first.sign_in(W2)
    assert world.first.hall.window(W1)["state"]["signed_in"] is None
    assert [doc["id"] for doc in world.first.my_windows()] == [W1, W2]


def test_a_paper_that_does_not_come_out_leaves_no_ghost(world: World) -> None:
    world.sit()
    world.paper.fault = DeviceError("DEV-310", "打印中缺纸。", fix="请装纸。")
    taken = world.kiosk.take_by_card("item-1", Citizen("张三", "ID1"))
    assert [ticket["number"] for ticket in world.kiosk.unfinished()] == ["A001"]
    said = world.kiosk.put_out(taken)
    assert not said.ok
    assert said.words == "A001 号没有打出，已作废，不会被呼叫。出票口如有残票请交工作人员。打印中缺纸。请装纸。"
    assert world.kiosk.unfinished() == []
    world.meet()
    assert world.first.call_next(W1) is None
    world.paper.fault = None
    assert world.take() == "A002", "the number is spent"
    assert [words for _, words in world.hall.warnings()] == ["打印中缺纸。"]


def test_numbers_come_from_the_leased_range_and_never_from_the_air(world: World) -> None:
    world.kiosk_desk.online = False
    for n in range(20):
        world.take(f"人{n}")
    assert code(world.take, "又一人") == "NUM-001"
    assert len(world.kiosk.hall.tickets()) == 20


def test_a_stopped_windows_item_gives_no_number(world: World) -> None:
    world.hall.stop(W1, "设备检修", "2026-11-24", "社区服务中心")
    world.meet()
    assert [offer.why_not for offer in world.kiosk.items()] == [
        "",
        "“事项2”今天不办：1 号窗口已停用（设备检修）。11月25日起恢复。可到社区服务中心办理。",
    ]
    assert code(world.take, item="item-2") == "ACC-251"
    assert world.take() == "A001"
    world.hall.reopen(W1)
    world.meet()
    assert world.take("李四", "item-2") == "A002"
    assert code(world.take, item="item-9") == "ACC-250"


def test_one_person_gets_one_number_for_an_item(world: World) -> None:
    world.take()
    assert code(world.take) == "ACC-252"
    assert world.take(item="item-2") == "A002"
    assert code(world.kiosk.take_by_phone, "item-1", "123") == "ID-021"
    world.kiosk.put_out(world.kiosk.take_by_phone("item-1", "13855012345"))
    assert code(world.kiosk.take_by_phone, "item-1", "13855012345", paper=False) == "ACC-252"


def test_the_priority_password_is_checked_and_its_tries_are_counted(world: World) -> None:
    elder = Citizen("老人", "ID-old")

    def ask(password: str) -> Any:
        return world.kiosk.take_priority("item-1", elder, "老年人", password)

    assert code(ask, "x") == "ACC-247"
    assert code(world.hall.set_priority_password, "kurz") == "ACC-256"
    record = world.hall.set_priority_password("Hall-2026")
    assert "Hall-2026" not in json.dumps(record.doc)
    world.meet()
    for left in range(TRIES - 1, 0, -1):
        with pytest.raises(Refused, match=f"还可再试 {left} 次"):
            ask("wrong")
    with pytest.raises(Refused, match="还可再试 0 次"):
        ask("wrong")
    assert code(ask, "Hall-2026") == "ACC-248"
    world.clock.advance(301)
    world.take("别人")
    taken = ask("Hall-2026")
    assert (taken.record.doc["priority_class"], taken.estimate.ahead) == ("老年人", 0)
    assert code(world.kiosk.take_priority, "item-1", elder, "小孩", "Hall-2026") == "ACC-253"
    with pytest.raises(GovDeskError, match="ACC-254"):
        check_argon2("damaged", "x")


def test_a_booking_is_recalled_by_the_card_and_called_at_its_slot(world: World) -> None:
    who = booking.person_of(HALL, "王五", "ID5", "13855012345")
    slot = {"start": iso(NOW), "end": iso(NOW + timedelta(minutes=30))}
    body = {"hall_id": HALL, "item_id": "item-1", "slot": slot, "person": who}
    world.central.give("booking", "01890000-0000-7000-8000-0123456789ab", booking.BOOK, body)
    world.meet()
    world.sit()
    world.take("先来的人")
    (doc,) = world.kiosk.bookings_of(Citizen("王五", "id5"))
    assert code(world.kiosk.take_booked, doc["id"], Citizen("别人", "ID9")) == "ACC-246"
    taken = world.kiosk.take_booked(doc["id"], Citizen("王五", "ID5"))
    world.kiosk.put_out(taken)
    world.meet()
    assert world.central.docs["booking", doc["id"]][1]["state"] == "arrived"
    assert world.kiosk.bookings_of(Citizen("王五", "ID5")) == []
    place = world.first.my_next(W1)
    assert place is not None
    assert (place.ticket["number"], place.reason) == ("A002", "预约 10:00–10:30，按时优先")
    service = BookingService(world.desk1, world.desk1, world.desk1, None, world.clock, world.phone)  # type: ignore[arg-type]
    assert [found["state"] for found in service.of_day(date(2026, 11, 20))] == ["arrived"]
    assert code(service.cancel, doc["id"]) == "ACC-291"
    service.remind({"number": "Y1", "item": "事项1", **slot}, "13800000000")
    assert "您已预约10:00–10:30办理“事项1”" in world.phone.sent[-1][1]


def test_two_windows_apart_call_the_same_number_and_are_told(world: World) -> None:
    world.sit()
    world.take("甲")
    world.take("乙")
    world.desk1.online = world.desk2.online = False
    for service, id in ((world.first, W1), (world.second, W2)):
        call = service.call_next(id)
        assert call is not None
        assert call.ticket.number == "A001"
    world.desk1.online = True
    world.meet()
    world.desk2.online = True
    world.meet()
    current = world.first.current(W1)
    assert current is not None
    assert current["number"] == "A001"
    assert world.second.current(W2) is None
    ((ticket, words),) = world.second.told(W2)
    assert words == "A001 重复呼叫：离线期间已由1 号窗口先叫。请叫下一号。"
    assert [double.number for double in world.hall.double_calls()] == ["A001"]
    world.second.let_go(W2, ticket["id"])
    assert world.second.told(W2) == []
    following = world.second.call_next(W2)
    assert following is not None
    assert following.ticket.number == "A002"


def test_a_window_apart_calls_by_paper_what_it_cannot_know(world: World) -> None:
    world.sit()
    world.desk2.online = False
    assert world.take() == "A001"
    assert world.second.call_next(W2) is None
    call = world.second.call_number(W2, "a001")
    assert call.ticket.doc["source"] == "paper"
    assert code(world.second.call_number, W2, "x") == "ACC-241"
    world.second.serve(W2)
    world.desk2.online = True
    world.meet()
    assert world.first.call_next(W1) is None, "its holder sits at the other window"
    world.second.finish(W2)
    assert code(world.second.call_number, W2, "x1") == "ACC-209"


def test_a_skipped_number_shown_at_the_window_is_called_at_once(world: World) -> None:
    world.sit()
    world.take()
    world.first.call_next(W1)
    skipped = world.first.skip(W1)
    assert [ticket["number"] for ticket in world.first.skipped()] == ["A001"]
    assert world.first.call_next(W1) is None
    assert world.first.call_number(W1, "A001").ticket.state == "called"
    world.first.skip(W1)
    world.first.requeue(W1, skipped.id)
    assert world.first.waiting(W1).total == 1
    assert world.first.cancel(skipped.id, "不办了").state == "cancelled"


def test_transfer_and_estimates(world: World) -> None:
    world.sit()
    world.take()
    world.first.call_next(W1)
    ticket = world.first.transfer(W1, to_window=W2).doc
    world.meet()
    assert [place.ticket["id"] for place in world.second.line(W2)] == [ticket["id"]]
    assert "不足以估计" in world.first.estimate(ticket, online=True).words
    assert "离线" in world.first.estimate(ticket, online=False).words


def test_the_hall_sees_its_windows_and_its_numbers(world: World) -> None:
    world.sit()
    world.take("甲")
    world.take("乙", "item-2")
    world.first.call_next(W1)
    world.meet()
    seats = {seat.window["id"]: seat for seat in world.hall.seats("一楼")}
    assert (seats[W1].standing.name, seats[W2].standing.name) == ("正在办理", "空闲")
    assert (seats[W1].waiting, seats[W2].waiting) == (1, 0)
    (area,) = world.hall.areas()
    assert (area.states["busy"], area.states["free"], area.states["absent"], area.waiting) == (1, 1, 0, 1)
    (count,) = world.hall.counts()
    assert (count.hour, dict(count.by_source), dict(count.by_area)) == (10, {"id_card": 2}, {"一楼": 1})
    assert [call.number for call in world.hall.calls()] == ["A001"]
    assert len(world.hall.screens()) == 2


def test_strategies_change_while_running(world: World) -> None:
    world.sit()
    world.take("甲")
    world.take("乙", "item-2")
    world.hall.set_strategy_of_all([W1, W2], {"items": ["2"]})
    world.meet()
    assert [place.ticket["number"] for place in world.first.line(W1)] == ["A002"]
    world.hall.set_window_strategy(W1, None)
    world.hall.set_group("A", "综合", {"booked": "mix"})
    world.hall.arrange(W1, x=3.0)
    world.hall.set_texts(suspend=["喝水"], messages={CALLED: "{number} 请来"})
    world.hall.set_priority_classes([{"name": "军人", "weight": 2}])
    world.meet()
    assert len(world.first.line(W1)) == 2
    settings = world.first.hall.settings()
    assert windows.strategy_of(world.first.hall.window(W1), settings)["booked"] == "mix"
    assert settings["texts"]["suspend"] == ["喝水"]
    assert settings["priority"]["classes"] == [{"name": "军人", "weight": 2}]
    world.hall.sign_out(W1)
    assert world.hall.hall.window(W1)["state"]["signed_in"] is None


def test_permissions_are_checked_in_the_services(world: World) -> None:
    for desk in (world.kiosk_desk, world.desk1, world.hall_desk):
        desk.actor = person("officer", "officer")
    blocked = [
        (world.kiosk.items,), (world.kiosk.unfinished,), (world.kiosk.refused,), (world.kiosk.lease,),
        (world.kiosk.take_by_card, "item-1", Citizen()), (world.first.line, W1), (world.first.told, W1),
        (world.first.call_next, W1), (world.first.sign_in, W1), (world.first.suspend, W1, "x"),
        (world.first.cancel, "x"), (world.hall.seats,), (world.hall.counts,), (world.hall.stop, W1, "x"),
        (world.hall.set_priority_password, "Hall-2026"),
    ]  # fmt: skip
    for call, *arguments in blocked:
        assert code(call, *arguments) == "AUTH-403"


def test_a_number_the_server_refused_is_shown_at_the_kiosk_and_called_by_nobody(world: World) -> None:
    world.sit()
    assert world.kiosk.series() == ["3411AQA261120", "3411AQA261121"]
    world.central.leased.clear()
    world.take()
    assert [ticket["number"] for ticket in world.kiosk.refused()] == ["A001"]
    assert world.kiosk.hall.tickets() == []
    assert world.first.call_next(W1) is None


def test_messages_use_the_halls_own_words_and_survive_broken_ones(tmp_path: Path) -> None:
    assert message(NEAR, {"number": "A1", "ahead": 2}, {}) == "您的 A1 号前面还有 2 人，请到窗口附近等候。"
    assert message(CALLED, {"number": "A1"}, {CALLED: "{number}!{nothing}"}) == "A1!"
    assert message(CALLED, {"number": "A1", "window": "3号窗"}, {CALLED: "{number"}) == "请 A1 号到3号窗办理。"
    gateway = OutboxGateway(tmp_path / "outbox.jsonl", FixedClock(NOW))
    assert "模拟" in gateway.send("13855012345", "你好")
    (line,) = (json.loads(line) for line in (tmp_path / "outbox.jsonl").read_text("utf-8").splitlines())
    assert line == {"at": iso(NOW), "phone": "1********45", "text": "你好", "simulated": True}
    assert queue.source_name("phone") == "手机号取号"
