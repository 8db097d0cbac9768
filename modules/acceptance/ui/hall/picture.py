"""The hall as it stands, read in one piece: what the floor plan, the chosen window and the hall's screen show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from client.widgets.floor_plan import Place
from modules.acceptance.domain import queue, windows
from modules.acceptance.domain.queue import DoubleCall, ScreenCall
from modules.acceptance.services.queue import QueueService, Waiting
from modules.acceptance.services.windows import Area, Count, HallService, Seat
from modules.common.aggregate import Doc
from modules.common.clock import CHINA
from modules.common.text import tr

LOOK: Mapping[str, str] = {
    windows.SIGNED_OUT: "quiet",
    windows.FREE: "good",
    windows.BUSY: "info",
    windows.PAUSED: "paused",
    windows.ABSENT: "red",
}
"""The theme's state for each state of a window (C10)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The hall at one moment. ``held``: the number that each window has called or serves."""

    seats: list[Seat]
    areas: list[Area]
    held: Mapping[str, Doc]
    doubles: list[DoubleCall]
    warnings: list[tuple[Doc, str]]
    counts: list[Count]
    calls: list[ScreenCall]
    screens: list[tuple[Doc, ...]]
    groups: Mapping[str, tuple[str, int]]
    settings: Doc
    waiting: int
    day: date
    time: str
    name: str

    def seat(self, window_id: str) -> Seat | None:
        """A window, or None."""
        return next((seat for seat in self.seats if seat.window["id"] == window_id), None)


@dataclass(frozen=True, slots=True)
class Line:
    """What is shown of one window: who waits, in which order and why, and how many were served today."""

    window_id: str
    places: list[queue.Place]
    waiting: Waiting
    served: int


def read_picture(service: HallService, hall_name: str) -> Picture:
    """Read the hall, on lane ``read``. Raises ``Refused`` where the person may not see it."""
    seats, tickets, settings = service.seats(), service.hall.tickets(), service.hall.settings()
    held: dict[str, Doc] = {}
    now = service.hall.clock.now()
    for ticket in sorted(tickets, key=lambda ticket: str(ticket["called_at"])):
        if ticket["state"] in (queue.CALLED, queue.SERVING):
            held[ticket["window"]["id"]] = ticket
    waiting = [ticket for ticket in tickets if ticket["state"] == queue.WAITING]
    names = settings["groups"]
    groups = {
        group: (str(names.get(group, {}).get("name", "")), sum(ticket["group"] == group for ticket in waiting))
        for group in sorted({str(seat.window["group"]) for seat in seats})
    }
    return Picture(
        seats=seats,
        areas=service.areas(seats),
        held=held,
        doubles=service.double_calls(),
        warnings=service.warnings(),
        counts=service.counts(),
        calls=service.calls(),
        screens=service.screens(),
        groups=groups,
        settings=settings,
        waiting=len(waiting),
        day=windows.local_day(now),
        time=f"{now.astimezone(CHINA):%H:%M}",
        name=hall_name,
    )


def read_line(lines: QueueService, window_id: str) -> Line:
    """Read a window's line, on lane ``read``."""
    served = sum(
        ticket["state"] == queue.SERVED and ticket["window"]["id"] == window_id for ticket in lines.hall.tickets()
    )
    return Line(window_id, lines.line(window_id), lines.waiting(window_id), served)


def place_of(seat: Seat, held: Doc | None) -> Place:
    """A window on the plan: its number and since when."""
    window, standing = seat.window, seat.standing
    since = windows.at_words(standing.since) if standing.since else ""
    number = str(held["number"]) if held and standing.state == windows.BUSY else ""
    if window["state"]["stopped"] and standing.state == windows.SIGNED_OUT:
        number = tr("停用")
    return Place(
        id=str(window["id"]),
        name=str(window["name"]),
        x=float(window["x"]),
        y=float(window["y"]),
        w=float(window["w"]),
        h=float(window["h"]),
        state=LOOK[standing.state],
        word=standing.name,
        line=" ".join(part for part in (number, since) if part),
        area=str(window["area"]),
    )


def area_words(area: Area) -> str:
    """An area in figures: only what there is."""
    parts = [tr("{state} {n}", state=windows.state_name(state), n=n) for state, n in area.states.items() if n]
    parts.append(tr("等候 {n} 人", n=area.waiting))
    return tr("{area}：{parts}", area=area.name or tr("未分区"), parts=tr("、").join(parts))
