"""A hall for pages: the fake host over a desk that meets a central server, with a printer, a reader and devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from client.kernel.events import RecordsChanged, SyncChanged
from client.kernel.ports import Commands, Record, Records, Server, Session
from devices.ports import Devices, DeviceState, DeviceStatus, TicketPrinter
from modules.acceptance.domain import booking, windows
from modules.common.aggregate import Doc
from modules.common.clock import iso
from modules.common.errors import GovDeskError
from tests.support.fake_host import HALL, NOW, FakeHost, actor
from tests.support.queue_hall import Central, Desk, PaperPort, Phone, service_item, window

AREAS = ("企业服务区", "企业服务区", "社会事务区")


class HallDesk(Desk):
    """A desk that finds by words, and tells of what changed."""

    def find(
        self, kind: str, *, states: Sequence[str] = (), text: str = "", limit: int = 200, newest_first: bool = True
    ) -> list[Record]:
        found = super().find(kind, states=states, limit=limit)
        return [row for row in found if all(word in str(row.doc) for word in text.split())]

    def give(self, *arguments: Any, **named: Any) -> Record:
        record = super().give(*arguments, **named)
        self.sync()
        self.host.events.publish(RecordsChanged(frozenset({(record.kind, record.id)})))
        return record

    host: FakeHost


class FakeServer:
    """What the server answers about bookings; ``fault`` is raised instead."""

    def __init__(self) -> None:
        self.fault: GovDeskError | None = None
        self.slots: list[dict[str, Any]] = []
        self.made: dict[str, Any] = {}
        self.posted: list[tuple[str, Mapping[str, Any]]] = []

    def get(self, path: str, **query: str) -> Any:
        if self.fault:
            raise self.fault
        return self.slots

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        self.posted.append((path, body))
        if self.fault:
            raise self.fault
        return self.made


class FakeDevices:
    """The statuses of this computer's devices."""

    def __init__(self, *statuses: DeviceStatus) -> None:
        self.known = list(statuses)

    def statuses(self) -> list[DeviceStatus]:
        return self.known


def printer_status(state: DeviceState = DeviceState.READY, text: str = "", advice: str = "") -> DeviceStatus:
    """A ticket printer's status."""
    return DeviceStatus("ticket_printer", "ticket_printer", "取号打印机", state, 1, NOW, text=text, advice=advice)


class HallHost(FakeHost):
    """Three windows in two areas, two items; ``other`` is a desk at which somebody else works."""

    def __init__(self, role: str = "manager", *, stocked: bool = True) -> None:
        super().__init__(actor(role))
        self.central = Central(self.clock)
        if stocked:
            for code in ("1", "2"):
                self.central.put("service_item", service_item(code, theme=["企业开办"] if code == "1" else []))
            for number, codes in ((1, ["1", "2"]), (2, ["1"]), (3, ["2"])):
                place = {"area": AREAS[number - 1], "x": number * 3, "y": 1, "w": 2.4, "h": 2.2, "screen": "s1"}
                self.central.put("window", window(number, item_codes=codes, **(place if number < 3 else
                                                  {**place, "screen": "s2"})))  # fmt: skip
        self.central.put("organisation", HALL)
        self.desk = HallDesk("取号机", self.central, self.store.actor)
        self.desk.host = self
        self.other = Desk("1号窗", self.central, actor("clerk", name="李四"))
        self.paper, self.phone, self.server, self.devices = PaperPort(), Phone(), FakeServer(), FakeDevices()
        self.services |= dict.fromkeys((Records, Commands, Session), self.desk)
        self.services |= {TicketPrinter: self.paper, Server: self.server, Devices: self.devices}
        self.meet()

    def online(self) -> None:
        """The server is reached."""
        self.events.publish(SyncChanged("online", 0, 0))

    def meet(self) -> None:
        """Both desks learn what the server knows."""
        for _ in range(2):
            self.desk.sync()
            self.other.sync()
        self.events.publish(RecordsChanged(frozenset(self.central.docs)))

    def set_part(self, part: str, value: Any) -> None:
        """One part of the hall's settings."""
        self.central.give(windows.SETTINGS_KIND, "hall-1", windows.SET, {"part": part, "value": value},
                          actor=actor("manager"))  # fmt: skip
        self.meet()

    def booked(self, start: Any, end: Any, id_number: str = "11010519491231002X", name: str = "李晓明",
               item: str = "item-1") -> Doc:  # fmt: skip
        """A booking that the server has made."""
        id = f"0192f000-0000-7000-8000-{len(self.central.docs):012d}"
        person = booking.person_of("hall-1", name, id_number, "13855012345")
        body = {"hall_id": "hall-1", "item_id": item, "person": person, "channel": "desk",
                "slot": {"start": iso(start), "end": iso(end)}}  # fmt: skip
        self.central.give(booking.KIND, id, booking.BOOK, body)
        self.meet()
        return self.central.docs[booking.KIND, id][1]
