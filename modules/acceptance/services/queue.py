"""What a window does with its line. Every method blocks: reading on lane ``read``, changing on lane ``data``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from client.kernel.ports import Commands, MessageGateway, Record, Records, Session
from modules.acceptance.domain import queue, windows
from modules.acceptance.domain.queue import Estimate, Place
from modules.acceptance.domain.windows import MAY_QUEUE, by
from modules.acceptance.services.messages import CALLED, message
from modules.common.aggregate import Doc
from modules.common.calendar import WorkCalendar
from modules.common.clock import Clock
from modules.common.errors import Refusal, Refused
from modules.common.permissions import forbidden
from modules.common.text import tr

MOST = 3000
"""Records that are looked at: more than a hall's day."""
PLACES_BACK = 3
"""How far behind the head of the line somebody who was skipped goes."""


class Hall:
    """What is known here of the hall of the signed-in person: shared by the services of the queue."""

    def __init__(self, records: Records, session: Session, clock: Clock) -> None:
        self._records = records
        self.session = session
        self.clock = clock

    def require(self, permission: str) -> None:
        """Raise ``Refused`` AUTH-403 where the person may not."""
        if not self.session.actor.may(permission):
            raise Refused(forbidden(permission))

    def settings(self) -> dict[str, Any]:
        """The hall's settings, with defaults."""
        record = self._records.get(windows.SETTINGS_KIND, self.session.actor.hall_id)
        return windows.settings_of(record.doc if record else None)

    def windows(self) -> list[Doc]:
        """The hall's windows, by id."""
        found = (record.doc for record in self._records.find(windows.KIND, limit=MOST))
        mine = (doc for doc in found if doc["hall_id"] == self.session.actor.hall_id)
        return sorted(mine, key=lambda doc: str(doc["id"]))

    def window(self, id: str) -> Doc:
        """One window. Raises ``Refused`` ACC-240."""
        record = self._records.get(windows.KIND, id)
        if record is None:
            raise Refused(Refusal("ACC-240", tr("没有这个窗口，或尚未传到本机。请联网后重试。")))
        return record.doc

    def tickets(self) -> list[Doc]:
        """Today's tickets of the hall, as far as they are known here; not those that the server refused to begin."""
        today, hall = windows.local_day(self.clock.now()).isoformat(), self.session.actor.hall_id
        return [
            record.doc
            for record in self._records.find(queue.KIND, limit=MOST)
            if record.doc["day"] == today and record.doc["hall_id"] == hall and not (record.refused and not record.rev)
        ]

    def calendar(self) -> WorkCalendar:
        """Working days with the office's own table."""
        return WorkCalendar.from_documents(record.doc for record in self._records.find("calendar_day", limit=5000))

    def open_windows(self) -> list[tuple[Doc, Doc]]:
        """The windows at which somebody works now, each with its strategy."""
        settings, today = self.settings(), windows.local_day(self.clock.now())
        return [
            (window, windows.strategy_of(window, settings))
            for window in self.windows()
            if window["state"]["signed_in"] and not window["state"]["suspended"]
            if not windows.is_stopped(window, today)
        ]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made: the ticket, why it was this one, and what screen and voice say."""

    ticket: Record
    reason: str
    text: str
    voice: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait for a window: all, and by how they were called in (ordinary, priority, booked, late)."""

    total: int
    by_kind: Mapping[str, int]


class QueueService:
    """The use cases of a window. ``window_id`` is the one at which the person sits."""

    def __init__(
        self,
        records: Records,
        commands: Commands,
        session: Session,
        clock: Clock,
        gateway: MessageGateway,
    ) -> None:
        self._records = records
        self._commands = commands
        self._clock = clock
        self._gateway = gateway
        self.hall = Hall(records, session, clock)

    # -- reading, lane ``read`` -------------------------------------------------------------------

    def my_windows(self) -> list[Doc]:
        """The windows that the person may sign in to."""
        self.hall.require(MAY_QUEUE)
        actor = self.hall.session.actor
        free = actor.may(windows.MAY_HALL)
        return [doc for doc in self.hall.windows() if free or not doc["staff"] or actor.id in doc["staff"]]

    def line(self, window_id: str) -> list[Place]:
        """Who waits for the window, in the order of calls, each with the reason."""
        self.hall.require(MAY_QUEUE)
        window = self.hall.window(window_id)
        strategy = windows.strategy_of(window, self.hall.settings())
        return queue.rank(self.hall.tickets(), window, strategy, self._clock.now())

    def my_next(self, window_id: str) -> Place | None:
        """The head of the line."""
        line = self.line(window_id)
        return line[0] if line else None

    def current(self, window_id: str) -> Doc | None:
        """The ticket that the window has called or serves."""
        self.hall.require(MAY_QUEUE)
        held = [ticket for ticket in self.hall.tickets() if _held(ticket, window_id)]
        return max(held, key=lambda ticket: str(ticket["called_at"]), default=None)

    def skipped(self) -> list[Doc]:
        """Who did not come when called, the newest first."""
        self.hall.require(MAY_QUEUE)
        gone = [ticket for ticket in self.hall.tickets() if ticket["state"] == queue.SKIPPED]
        return sorted(gone, key=lambda ticket: str(ticket["called_at"]), reverse=True)

    def waiting(self, window_id: str) -> Waiting:
        """How many wait for the window."""
        line = self.line(window_id)
        return Waiting(len(line), Counter(place.called_as for place in line))

    def estimate(self, ticket: Doc, *, online: bool) -> Estimate:
        """How long a ticket will wait, or why that cannot be said."""
        self.hall.require(MAY_QUEUE)
        now = self._clock.now()
        return queue.estimate(self.hall.tickets(), self.hall.open_windows(), ticket, now, online=online)

    def told(self, window_id: str) -> list[tuple[Doc, str]]:
        """What the window must be told: tickets that it called and that another window has, in words."""
        self.hall.require(MAY_QUEUE)
        found = []
        for ticket in self.hall.tickets():
            entry = _double(ticket, window_id)
            words = queue.told(ticket, window_id)
            if words and entry and entry["state"] in (queue.CALLED, queue.SERVING):
                found.append((ticket, words))
        return found

    # -- the window itself, lane ``data`` -----------------------------------------------------------

    def sign_in(self, window_id: str) -> Record:
        """Sit down at a window; at any other the person is signed out."""
        self.hall.require(MAY_QUEUE)
        me = self.hall.session.actor.id
        for window in self.hall.windows():
            signed = window["state"]["signed_in"]
            if window["id"] != window_id and signed and signed["id"] == me:
                self._commands.give(windows.KIND, window["id"], windows.SIGN_OUT, {})
        return self._commands.give(windows.KIND, window_id, windows.SIGN_IN, {})

    def sign_out(self, window_id: str) -> Record:
        """Leave the window. Raises ``Refused`` ACC-241 while a ticket is being served."""
        held = self.current(window_id)
        if held is not None:
            raise Refused(Refusal("ACC-241", tr("{number} 还没有办完，请先办完、过号或转出。", number=held["number"])))
        return self._commands.give(windows.KIND, window_id, windows.SIGN_OUT, {})

    def suspend(self, window_id: str, text: str) -> Record:
        """Pause, with a text for the screen (Shift+F2)."""
        self.hall.require(MAY_QUEUE)
        return self._commands.give(windows.KIND, window_id, windows.SUSPEND, {"text": text})

    def resume(self, window_id: str) -> Record:
        """Go on after a pause."""
        self.hall.require(MAY_QUEUE)
        return self._commands.give(windows.KIND, window_id, windows.RESUME, {})

    # -- calling, lane ``data`` ---------------------------------------------------------------------

    def call_next(self, window_id: str) -> Call | None:
        """Call the head of the line (F2); None when nobody waits. Raises ``Refused``."""
        self._ready(window_id)
        place = self.my_next(window_id)
        if place is None:
            return None
        return self._call(window_id, place.ticket, place.reason, place.called_as, given=False)

    def call_number(self, window_id: str, text: str) -> Call:
        """Call the number on a paper shown at the window: a ticket known here, or one that only the paper tells of."""
        self._ready(window_id)
        read = queue.read_number(text)
        number = queue.ticket_number(*read) if read else text.strip()
        known = [ticket for ticket in self.hall.tickets() if ticket["number"] == number]
        known.sort(key=lambda ticket: ticket["source"] == queue.PAPER)
        if known:
            return self._call(window_id, known[0], tr("凭纸号"), queue.PAPER, given=True)
        body = {"number": number, "window": window_id}
        return _made(self._commands.give(queue.KIND, self._commands.new_id(), queue.HAND_IN, body))

    def recall(self, window_id: str) -> Call:
        """Call the same number again (F3)."""
        return _made(self._at_window(window_id, queue.RECALL))

    def skip(self, window_id: str) -> Record:
        """Nobody came: 过号."""
        return self._at_window(window_id, queue.SKIP)

    def serve(self, window_id: str) -> Record:
        """The person is here."""
        return self._at_window(window_id, queue.SERVE)

    def finish(self, window_id: str) -> Record:
        """The person is served."""
        return self._at_window(window_id, queue.FINISH)

    def transfer(self, window_id: str, *, to_window: str = "", to_group: str = "") -> Record:
        """Send the person to another window or line, the place kept."""
        return self._at_window(window_id, queue.TRANSFER, to_window=to_window, to_group=to_group)

    def requeue(self, window_id: str, ticket_id: str, places: int = PLACES_BACK) -> Record:
        """Put a skipped ticket back, ``places`` places behind the head of the window's line."""
        place_at, after = queue.place_behind(self.line(window_id), places, self._clock.now())
        ticket = self._ticket(ticket_id)
        # who took the number later than those in front has lost nothing by coming late
        place_at = max(place_at, str(ticket["place_at"]))
        body = {"place_at": place_at, "after": after}
        return self._commands.give(queue.KIND, ticket_id, queue.REQUEUE, body)

    def cancel(self, ticket_id: str, reason: str = "") -> Record:
        """The person gives the number up."""
        self.hall.require(MAY_QUEUE)
        return self._commands.give(queue.KIND, ticket_id, queue.CANCEL, {"reason": reason})

    def let_go(self, window_id: str, ticket_id: str) -> Record:
        """The window has read that another window has the ticket: its own call of it ends."""
        self.hall.require(MAY_QUEUE)
        entry = _double(self._ticket(ticket_id), window_id)
        if entry is None:
            raise Refused(Refusal("ACC-244", tr("本窗没有叫号，请先叫号。")))
        # what was begun at this window was done: it is not forgotten
        type = queue.FINISH if entry["state"] == queue.SERVING else queue.SKIP
        return self._commands.give(queue.KIND, ticket_id, type, {"window": window_id, "call": entry["call"]})

    # -- the citizen's phone, lane ``net`` ------------------------------------------------------------

    def call_silently(self, ticket: Doc, kind: str = CALLED, **values: object) -> str:
        """Send a message for a ticket; a sentence on where it went, empty when no phone is known."""
        self.hall.require(MAY_QUEUE)
        phone = ticket["person"].get("phone", "")
        if not phone:
            return ""
        known = {
            "number": ticket["number"],
            "window": ticket["window"]["name"] if ticket["window"] else "",
            "item": ticket["item"]["name"] if ticket["item"] else "",
            **values,
        }
        return self._gateway.send(phone, message(kind, known, self.hall.settings()["texts"].get("messages", {})))

    # -- inside -------------------------------------------------------------------------------------

    def _ready(self, window_id: str) -> None:
        """Raise ``Refused`` unless the person sits at the window, which is open and has nobody before it."""
        self.hall.require(MAY_QUEUE)
        window, me = self.hall.window(window_id), by(self.hall.session.actor)
        signed, paused = window["state"]["signed_in"], window["state"]["suspended"]
        if signed is None or signed["id"] != me["id"]:
            raise Refused(Refusal("ACC-242", tr("您还没有登录{window}，不能叫号。", window=window["name"])))
        if paused is not None:
            raise Refused(Refusal("ACC-243", tr("{window}正在暂停，请先恢复办理。", window=window["name"])))
        held = self.current(window_id)
        if held is not None:
            raise Refused(Refusal("ACC-241", tr("{number} 还没有办完，请先办完、过号或转出。", number=held["number"])))

    def _call(self, window_id: str, ticket: Doc, reason: str, called_as: str, *, given: bool) -> Call:
        body = {"window": window_id, "seen": queue.last_call(ticket), "reason": reason, "as": called_as, "given": given}
        return _made(self._commands.give(queue.KIND, ticket["id"], queue.CALL, body))

    def _at_window(self, window_id: str, type: str, **more: str) -> Record:
        held = self.current(window_id)
        if held is None:
            raise Refused(Refusal("ACC-244", tr("本窗没有叫号，请先叫号。")))
        body = {"window": window_id, "call": held["held"], **more}
        return self._commands.give(queue.KIND, held["id"], type, body)

    def _ticket(self, id: str) -> Doc:
        record = self._records.get(queue.KIND, id)
        if record is None:
            raise Refused(Refusal("ACC-245", tr("没有这个号，或尚未传到本机。请联网后重试。")))
        return record.doc


def _held(ticket: Doc, window_id: str) -> bool:
    return ticket["state"] in (queue.CALLED, queue.SERVING) and ticket["window"]["id"] == window_id


def _double(ticket: Doc, window_id: str) -> Doc | None:
    entries: list[Doc] = [entry for entry in ticket["doubles"] if entry["window"]["id"] == window_id]
    return entries[-1] if entries else None


def _made(record: Record) -> Call:
    number, window = record.doc["number"], record.doc["window"]["name"]
    return Call(record, record.doc["reason"], queue.call_text(number, window), queue.voice_text(number, window))
