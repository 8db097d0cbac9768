"""What was answered: kept, so that a second delivery is harmless, for as long as anybody could deliver again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.orm import Session

from modules.common.clock import iso
from server_stub.tables import DEFERRED, CommandRow, Device, adding, plain
from sync.protocol import PUSH_LIMIT

_COUNT = update(plain(Device)).where(plain(Device).c.id == bindparam("device")).values(last_n=bindparam("n"))
KEEP_ANSWERS = timedelta(days=3 * 366)
"""A counter keeps what is done for 90 days, and nobody works under a statement that is older than 400."""


def remember(session: Session, device_id: str, last_n: int, answered: Sequence[dict[str, Any]]) -> None:
    """Keep the answers and the device's last number in the transaction of the effects: exactly once."""
    session.execute(_COUNT, {"device": device_id, "n": last_n})
    if answered:
        session.execute(adding(CommandRow), answered)


def purge(session: Session, now: datetime) -> None:
    """Drop answers after ``KEEP_ANSWERS``, but none that a living device may not have received.

    A device sends what waits from its lowest number on, ``PUSH_LIMIT`` at most: whatever is so far behind its last
    number it has been told, or it has lost the right to ask. What is deferred, it asks for again. The server's own
    answers stay: they name steps that are done for ever.
    """
    settled = select(Device.id).where(
        Device.id == CommandRow.device_id,
        or_(Device.revoked_at.is_not(None), CommandRow.n <= Device.last_n - PUSH_LIMIT),
    )
    session.execute(
        delete(CommandRow).where(
            CommandRow.received_at < iso(now - KEEP_ANSWERS), CommandRow.status != DEFERRED, settled.exists()
        ),
        execution_options={"synchronize_session": False},
    )
