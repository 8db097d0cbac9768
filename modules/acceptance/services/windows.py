"""What the hall's manager sees and sets. Every method blocks: reading on lane ``read``, changing on lane ``data``."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from client.kernel.ports import Commands, Record, Records, Session
from modules.acceptance.domain import queue, windows
from modules.acceptance.domain.queue import DoubleCall, ScreenCall
from modules.acceptance.domain.windows import MAY_HALL, Standing
from modules.acceptance.services.queue import Hall
from modules.common.aggregate import Doc
from modules.common.clock import CHINA, Clock, parse_iso
from modules.common.errors import Refusal, Refused
from modules.common.text import tr

SHORTEST_PASSWORD = 6


@dataclass(frozen=True, slots=True)
class Seat:
    """A window on the floor plan: its document, how it stands, and how many wait for it."""

    window: Doc
    standing: Standing
    waiting: int


@dataclass(frozen=True, slots=True)
class Area:
    """An area in figures: windows by state (all five are there), and who waits."""

    name: str
    states: Mapping[str, int]
    waiting: int


@dataclass(frozen=True, slots=True)
class Count:
    """Tickets of an hour: by how they were taken (``id_card``, ``phone``, ``appointment``, ``priority``, ``paper``)."""

    hour: int
    by_source: Mapping[str, int]
    by_area: Mapping[str, int]
    served: int


class HallService:
    """The use cases of the floor plan and of the hall's queue settings."""

    def __init__(self, records: Records, commands: Commands, session: Session, clock: Clock) -> None:
        self._commands = commands
        self._clock = clock
        self.hall = Hall(records, session, clock)

    # -- seeing, lane ``read`` ----------------------------------------------------------------------

    def seats(self, area: str = "") -> list[Seat]:
        """The windows of an area, or all, by id."""
        self.hall.require(MAY_HALL)
        tickets, settings, calendar = self.hall.tickets(), self.hall.settings(), self.hall.calendar()
        now = self._clock.now()
        seats = []
        for window in self.hall.windows():
            if area in ("", window["area"]):
                line = queue.rank(tickets, window, windows.strategy_of(window, settings), now)
                seats.append(Seat(window, windows.standing(window, tickets, settings, calendar, now), len(line)))
        return seats

    def areas(self, seats: Sequence[Seat] = ()) -> list[Area]:
        """Every area in figures, by name. ``waiting`` counts a person once, however many windows could call."""
        seats = seats or self.seats()
        tickets, settings, now = self.hall.tickets(), self.hall.settings(), self._clock.now()
        by_area: dict[str, list[Seat]] = defaultdict(list)
        for seat in seats:
            by_area[seat.window["area"]].append(seat)
        areas = []
        for name, members in sorted(by_area.items()):
            counted = Counter(seat.standing.state for seat in members)
            waiting = {
                place.ticket["id"]
                for seat in members
                for place in queue.rank(tickets, seat.window, windows.strategy_of(seat.window, settings), now)
            }
            order = (windows.SIGNED_OUT, windows.FREE, windows.BUSY, windows.PAUSED, windows.ABSENT)
            areas.append(Area(name, {state: counted[state] for state in order}, len(waiting)))
        return areas

    def counts(self) -> list[Count]:
        """Today's tickets by hour, by how they were taken and by area (C04)."""
        self.hall.require(MAY_HALL)
        areas = {window["id"]: window["area"] for window in self.hall.windows()}
        hours: dict[int, list[Doc]] = defaultdict(list)
        for ticket in self.hall.tickets():
            if ticket["state"] not in (queue.VOIDED, queue.MERGED):
                hours[parse_iso(ticket["taken_at"]).astimezone(CHINA).hour].append(ticket)
        return [
            Count(
                hour=hour,
                by_source=Counter(ticket["source"] for ticket in tickets),
                by_area=Counter(areas.get(ticket["window"]["id"], "") for ticket in tickets if ticket["window"]),
                served=sum(ticket["state"] == queue.SERVED for ticket in tickets),
            )
            for hour, tickets in sorted(hours.items())
        ]

    def double_calls(self) -> list[DoubleCall]:
        """Every number of the day that two windows called or served."""
        return queue.double_calls(self.hall.tickets())

    def warnings(self) -> list[tuple[Doc, str]]:
        """Tickets with which something was not right, and what."""
        return [(ticket, ticket["warning"]) for ticket in self.hall.tickets() if ticket["warning"]]

    def calls(self, limit: int = 10) -> list[ScreenCall]:
        """What the hall's screen shows, newest first."""
        return queue.calls(self.hall.tickets(), windows.local_day(self._clock.now()), limit)

    def screens(self) -> list[tuple[Doc, ...]]:
        """The windows by screen, at most two on one."""
        return queue.screens(self.hall.windows())

    # -- setting, lane ``data`` ---------------------------------------------------------------------

    def set_window_strategy(self, window_id: str, strategy: Mapping[str, Any] | None) -> Record:
        """A window's own order, or None for its group's. Raises ``Refused``."""
        body = {"strategy": dict(strategy) if strategy is not None else None}
        return self._window(window_id, windows.SET_STRATEGY, body)

    def set_strategy_of_all(self, window_ids: Sequence[str], strategy: Mapping[str, Any] | None) -> list[Record]:
        """The same for several or all windows, at once."""
        return [self.set_window_strategy(id, strategy) for id in window_ids]

    def set_group(self, group: str, name: str, strategy: Mapping[str, Any]) -> Record:
        """A group's name and order."""
        groups = {**self.hall.settings()["groups"], group: {"name": name, "strategy": dict(strategy)}}
        return self.set_part("groups", groups)

    def set_priority_password(self, password: str) -> Record:
        """The password of priority tickets; kept as its hash alone. Raises ``Refused`` ACC-256 for a short one."""
        self.hall.require(MAY_HALL)
        if not SHORTEST_PASSWORD <= len(password) <= 64:
            fault = tr("优先取号密码应为 {low} 至 64 个字符。", low=SHORTEST_PASSWORD)
            raise Refused(Refusal("ACC-256", fault, {"password": fault}))
        from argon2 import PasswordHasher

        return self.set_part("priority", {**self.hall.settings()["priority"], "hash": PasswordHasher().hash(password)})

    def set_priority_classes(self, classes: Sequence[Mapping[str, Any]]) -> Record:
        """Who gets priority tickets: ``{name, weight}``; the greater weight goes first."""
        entries = [dict(entry) for entry in classes]
        return self.set_part("priority", {**self.hall.settings()["priority"], "classes": entries})

    def set_texts(self, **texts: Any) -> Record:
        """``suspend`` (texts to choose from), ``ticket`` (lines on every ticket), ``messages`` (templates by kind)."""
        return self.set_part("texts", {**self.hall.settings()["texts"], **texts})

    def set_part(self, part: str, value: Any) -> Record:
        """Any part of the settings. Raises ``Refused`` for what it cannot be."""
        self.hall.require(MAY_HALL)
        hall = self.hall.session.actor.hall_id
        return self._commands.give(windows.SETTINGS_KIND, hall, windows.SET, {"part": part, "value": value})

    def stop(self, window_id: str, text: str, until: str = "", instead: str = "") -> Record:
        """Take a window out of use, until a day or for good: its items issue no tickets if no other offers them."""
        return self._window(window_id, windows.STOP, {"text": text, "until": until, "instead": instead})

    def reopen(self, window_id: str) -> Record:
        """Put a window back into use."""
        return self._window(window_id, windows.REOPEN, {})

    def sign_out(self, window_id: str) -> Record:
        """Sign somebody out who has left."""
        return self._window(window_id, windows.SIGN_OUT, {})

    def arrange(self, window_id: str, **fields: Any) -> Record:
        """Move a window on the floor plan: ``x, y, w, h, area, screen``; the rest is the system administrator's."""
        return self._window(window_id, windows.EDIT, fields)

    def _window(self, window_id: str, type: str, body: Mapping[str, Any]) -> Record:
        self.hall.require(MAY_HALL)
        return self._commands.give(windows.KIND, window_id, type, body)
