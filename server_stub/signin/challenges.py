"""Challenges: what a device is given to answer once, within some minutes."""

from __future__ import annotations

import json
import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from modules.common.clock import Clock, iso
from modules.common.errors import GovDeskError
from modules.common.text import tr
from server_stub.sealing import open_sealed, seal
from server_stub.tables import SignInChallenge
from server_stub.writer import Writer

LIFE = timedelta(minutes=5)


class Challenges:
    """One-time questions, each bound to a device, a method and a time. Answering uses one up, rightly or not."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock

    def make(self, device_id: str, method: str, data: dict[str, Any]) -> tuple[str, str]:
        """A new challenge: 64 hex digits of chance, and until when it may be answered. ``data`` is kept for that."""
        id = secrets.token_hex(32)
        now = self._clock.now()
        expires = iso(now + LIFE)
        values = {"id": id, "device_id": device_id, "method": method, "expires_at": expires}

        def store(session: Session) -> None:
            session.execute(delete(SignInChallenge).where(SignInChallenge.expires_at <= iso(now)))
            sealed = seal(session, SignInChallenge, (id,), json.dumps(data))
            session.execute(insert(SignInChallenge).values(**values, sealed=sealed))

        self._writer.do(store)
        return id, expires

    def take(self, id: str, device_id: str, method: str) -> dict[str, Any]:
        """What was kept with a challenge, which is used up. Raises AUTH-033 for one that is not this device's, of
        another method, answered before or too old.
        """

        def use(session: Session) -> str | None:
            row = session.get(SignInChallenge, id, with_for_update=True)
            if row is None:
                return None
            session.delete(row)
            fits = (row.device_id, row.method) == (device_id, method) and row.expires_at > iso(self._clock.now())
            return open_sealed(session, SignInChallenge, (id,), row.sealed) if fits else None

        data = self._writer.do(use)
        if data is None:
            raise GovDeskError("AUTH-033", tr("这次登录请求已过期或已用过。"), fix=tr("请重新开始登录。"))
        kept: dict[str, Any] = json.loads(data)
        return kept
