"""Appointments at a window or kiosk: booking asks the server, the rest works offline.

Methods that ask the server belong on lane ``net``, the others on ``read`` and ``data``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from client.kernel.ports import Commands, MessageGateway, Record, Records, Server, Session
from modules.acceptance.domain import booking
from modules.acceptance.domain.queue import slot_words
from modules.acceptance.domain.windows import MAY_QUEUE, local_day
from modules.acceptance.services.messages import BOOKED, message
from modules.acceptance.services.queue import MOST, Hall
from modules.common.aggregate import Doc
from modules.common.clock import Clock
from modules.common.codes import normalise

PATH = "/v1/m/acceptance/bookings"


class BookingService:
    """The use cases of appointments."""

    def __init__(
        self,
        records: Records,
        commands: Commands,
        session: Session,
        server: Server,
        clock: Clock,
        gateway: MessageGateway,
    ) -> None:
        self._records = records
        self._commands = commands
        self._server = server
        self._gateway = gateway
        self.hall = Hall(records, session, clock)

    # -- lane ``net`` ---------------------------------------------------------------------------------

    def slots(self, item_id: str, day: date) -> list[dict[str, Any]]:
        """The slots of a day: ``{start, end, places, left, words}``. Raises ``GovDeskError`` NET-… when offline."""
        self.hall.require(MAY_QUEUE)
        found: list[dict[str, Any]] = self._server.get(f"{PATH}/slots", item_id=item_id, day=day.isoformat())
        return found

    def book(self, item_id: str, slot: str, name: str, id_number: str, phone: str) -> dict[str, Any]:
        """Book; ``{id, number, item, start, end, state, words}``. Raises ``GovDeskError`` with the reason."""
        self.hall.require(MAY_QUEUE)
        wanted = {"item_id": item_id, "slot": slot, "name": name, "id_number": id_number, "phone": phone}
        made: dict[str, Any] = self._server.post(PATH, wanted)
        return made

    def mine(self, id_number: str) -> list[dict[str, Any]]:
        """A person's bookings, newest first."""
        self.hall.require(MAY_QUEUE)
        found: list[dict[str, Any]] = self._server.post(f"{PATH}/mine", {"id_number": id_number})
        return found

    def remind(self, made: Mapping[str, Any], phone: str) -> str:
        """Send the booking's message; a sentence on where it went."""
        self.hall.require(MAY_QUEUE)
        slot = slot_words({"start": made["start"], "end": made["end"]})
        values = {"number": made["number"], "item": made["item"], "slot": slot}
        own = self.hall.settings()["texts"].get("messages", {})
        return self._gateway.send(phone, message(BOOKED, values, own))

    # -- lanes ``read`` and ``data`` --------------------------------------------------------------------

    def of_day(self, day: date) -> list[Doc]:
        """The hall's bookings of a day, by time."""
        self.hall.require(MAY_QUEUE)
        hall = self.hall.session.actor.hall_id
        found = (record.doc for record in self._records.find(booking.KIND, limit=MOST))
        wanted = [doc for doc in found if doc["day"] == day.isoformat() and doc["hall_id"] == hall]
        return sorted(wanted, key=lambda doc: (doc["slot"]["start"], doc["number"]))

    def search(self, text: str) -> list[Doc]:
        """The hall's bookings of one person, newest day first: by identity number, phone or the booking's number."""
        self.hall.require(MAY_QUEUE)
        hall, wanted = self.hall.session.actor.hall_id, normalise(text)
        if not wanted:
            return []
        mark = booking.id_hash(hall, wanted)
        found = [
            record.doc
            for record in self._records.find(booking.KIND, limit=MOST)
            if record.doc["hall_id"] == hall
            and (wanted == record.doc["number"] or mark == record.doc["person"].get("id_hash")
                 or wanted == record.doc["person"].get("phone"))
        ]  # fmt: skip
        return sorted(found, key=lambda doc: str(doc["slot"]["start"]), reverse=True)

    def missed(self) -> dict[str, int]:
        """How often whom the hall has missed within the days that count (E5), by the mark of the person."""
        self.hall.require(MAY_QUEUE)
        hall, today = self.hall.session.actor.hall_id, local_day(self.hall.clock.now())
        span = timedelta(days=self.hall.settings()["booking"]["no_show_days"])
        found = (record.doc for record in self._records.find(booking.KIND, states=(booking.MISSED,), limit=MOST))
        recent = (doc for doc in found if doc["hall_id"] == hall and today - date.fromisoformat(doc["day"]) < span)
        return dict(Counter(str(doc["person"].get("id_hash", "")) for doc in recent))

    def cancel(self, booking_id: str) -> Record:
        """Cancel a booking whose slot has not ended. Raises ``Refused``."""
        self.hall.require(MAY_QUEUE)
        return self._commands.give(booking.KIND, booking_id, booking.CANCEL, {})
