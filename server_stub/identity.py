"""Who this server is: its epoch and the key that signs statements, made at the first start."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from modules.common.clock import iso
from modules.common.ids import uuid7
from server_stub.sealing import open_sealed, seal
from server_stub.tables import Epoch, NumberSeries, ServerMeta

STATEMENT_KEY = "statement_key"
RECOVERED_AT = "recovered_at"
LOST_NUMBERS = 10_000
"""More serials than a series hands out between two backups: fifty blocks of the size that a window asks for."""


@dataclass(frozen=True, slots=True)
class Identity:
    """``epoch`` names this history of the data; the keys are 32 raw bytes (Ed25519). ``recovered_at`` is when the
    latest restore was noticed (UTC text), empty if there never was one.
    """

    epoch: str
    private_key: bytes
    public_key: bytes
    recovered_at: str = ""


def ensure(session: Session, now: datetime) -> Identity:
    """The identity stored in the database, or a new one. A restored backup has no epoch and gets a new one.

    What was handed out after that backup nobody knows any more: those serials are left to whoever has printed them.
    """
    stored = session.get(ServerMeta, STATEMENT_KEY)
    epoch = session.execute(select(Epoch.value)).scalar_one_or_none()
    if epoch is None:
        epoch = uuid7()
        session.add(Epoch(id=1, value=epoch))
        if stored is not None:
            session.execute(update(NumberSeries).values(next_serial=NumberSeries.next_serial + LOST_NUMBERS))
            noticed = seal(session, ServerMeta, (RECOVERED_AT,), iso(now))
            session.merge(ServerMeta(key=RECOVERED_AT, sealed=noticed))
    if stored is None:
        made = base64.b64encode(os.urandom(32)).decode()
        stored = ServerMeta(key=STATEMENT_KEY, sealed=seal(session, ServerMeta, (STATEMENT_KEY,), made))
        session.add(stored)
    private = base64.b64decode(open_sealed(session, ServerMeta, (STATEMENT_KEY,), stored.sealed))
    public = Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    return Identity(epoch, private, public, recovered_at(session))


def recovered_at(session: Session) -> str:
    """When this server last came back from a backup, as UTC text; empty: never."""
    row = session.get(ServerMeta, RECOVERED_AT)
    return open_sealed(session, ServerMeta, (RECOVERED_AT,), row.sealed) if row else ""
